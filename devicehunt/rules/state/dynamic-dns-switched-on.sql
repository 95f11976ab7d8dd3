/*
id: dynamic-dns-switched-on
title: "the router tells its address to {provider}{why}"
about: "Dynamic DNS lets somebody find the router again after its address changed. With a VPN server it is all that an intruder needs."
check: C07
level: info
platforms: [mikrotik_routeros]
needs: [{any: [{dynamic_dns@config: [enabled]}, {dynamic_dns@print: [enabled]}]}]
key: [provider]
subjects:
  - {type: setting, path: text}
attack: [T1568, T1133]
falsepositives:
  - "an owner who reaches home by name (info)"
  - "Back To Home, the VPN of MikroTik's own app, which needs it"
references:
  - "Tokyo Metropolitan Police: home routers with VPN and DDNS switched on by attackers (2023)"
  - "MikroTik: Cloud (help.mikrotik.com)"
response: "Ask the owner whether they switched it on, and for which service they use the name."
*/
with d as (
  select device, snapshot, provider, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, arg_min(text, (exhibit, line)) as text
  from dynamic_dns where enabled group by device, snapshot, provider),
v as (select device, snapshot, string_agg(distinct kind, ', ' order by kind) as kinds from vpn_servers where enabled and kind <> 'wireguard' group by device, snapshot)
select d.device, d.snapshot, d.exhibit, d.line, coalesce(d.provider, 'a provider') as provider, d.text,
  case when v.kinds is not null then ' while it takes VPN clients in (' || v.kinds || '): confirm both with the owner' else '' end as why,
  case when v.kinds is not null then 'medium' else 'info' end as level
from d left join v using (device, snapshot)
