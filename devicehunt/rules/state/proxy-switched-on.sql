/*
id: proxy-switched-on
title: "the {kind} proxy is switched on{on_port}{who}"
about: "A router's own SOCKS or web proxy lets whoever reaches it leave by the router's address. Botnets of home and branch routers are rented out in this way."
check: C09
level: high
platforms: [mikrotik_routeros]
needs: [{any: [{proxies@config: [enabled]}, {proxies@print: [enabled]}]}]
key: [kind]
subjects:
  - {type: socket, proto: proto, local_port: port}
  - {type: setting, path: text}
explained_by: [listener]
attack: [T1090.002, T1090.003]
falsepositives:
  - "a web proxy that the owner set up for the LAN: caches, block pages (medium while the firewall drops what comes from outside)"
  - "a SOCKS proxy of the owner for an application; it is rare enough to be asked for"
references:
  - "MikroTik: Meris botnet information (2021): SOCKS enabled"
  - "MikroTik: SOCKS, Proxy (help.mikrotik.com)"
response: "Keep the list of its connections first (/ip socks connections print). Then switch it off and look for the scheduler that switches it on again."
*/
with d as (
  select p.*,
    -- a drop in the input chain that no port or source narrows
    exists(select 1 from firewall_rules r left join facing f on (f.device, f.snapshot, f.interface) = (r.device, r.snapshot, r.in_if)
      where (r.device, r.snapshot) = (p.device, p.snapshot) and r.chain = 'input' and r.action in ('DROP', 'REJECT') and r.src is null and r.dst is null
        and (r.proto is null or r.proto = 'tcp') and (r.dst_port_first is null or p.port between r.dst_port_first and r.dst_port_last)
        and (r.ct_state is null or r.ct_state like '%NEW%') and (r.in_if is null or f.side = 'wan')) as guarded,
    exists(select 1 from firewall_rules r where (r.device, r.snapshot) = (p.device, p.snapshot) and r.chain = 'input' and r.action = 'ACCEPT'
      and r.in_if is null and r.src is null and p.port between r.dst_port_first and r.dst_port_last) as opened
  from proxies p where p.enabled)
select device, snapshot, exhibit, line, case kind when 'http' then 'web' when 'socks' then 'SOCKS' else kind end as kind, port, 'tcp' as proto, text,
  case when port is not null then ' on port ' || port else '' end as on_port,
  case when opened then ', and a firewall rule opens its port' when sources is not null then ', limited to ' || sources
       when guarded then ', behind the firewall' else ', and no rule keeps the outside away from it' end as who,
  case when kind = 'socks' and opened then 'critical' when kind = 'socks' or opened then 'high' when guarded or sources is not null then 'medium' else 'high' end as level
from d
