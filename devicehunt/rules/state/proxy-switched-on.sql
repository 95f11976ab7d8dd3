/*
id: proxy-switched-on
title: "the {kind} proxy is switched on{on_port}{limit}"
about: "A router's own SOCKS or web proxy lets whoever reaches it leave by the router's address. Botnets of home and branch routers are rented out in this way."
check: C09
level: high
platforms: [mikrotik_routeros]
needs: [{any: [{proxies@config: [enabled]}, {proxies@print: [enabled]}]}]
key: [kind]
subjects:
  - {type: listener, proto: proto, port: port}
  - {type: setting, path: text}
explained_by: [listener]
attack: [T1090.002, T1090.003]
falsepositives:
  - "a web proxy that the owner set up for the LAN (hotspots, caches)"
references:
  - "MikroTik: Meris botnet information (2021): SOCKS enabled"
  - "Microsoft: TrickBot and MikroTik (2022)"
response: "Keep the list of its connections first (/ip socks connections print). Then switch it off and look for the scheduler that switches it on again."
*/
select device, snapshot, exhibit, line, kind, port, 'tcp' as proto, text,
  case when port is not null then ' on port ' || port else '' end as on_port,
  case when sources is not null then ', limited to ' || sources else '' end as limit,
  case when kind = 'socks' then 'high'
       when port is not null and port not in (8080, 3128, 8000, 8888) then 'high' else 'medium' end as level
from proxies where enabled
