/*
id: nat-forwards-inside
title: "port {port} from outside is forwarded to {to} and the owner did not say so: {text}"
about: "A port forward opens a host of the LAN to the internet. Intruders add them, and programs on the LAN ask for them over UPnP."
check: C08
level: medium
platforms: [linux]
needs: [{any: [{nat_rules@iptables: [action, to_ip]}, {nat_rules@nft: [action, to_ip]}]}]
key: [proto, port, to]
subjects:
  - {type: nat-rule, text: text, proto: proto, port: port, to: to}
explained_by: [port-forward]
attack: [T1090, T1686]
falsepositives:
  - "the owner's own servers and cameras; UPnP mappings of games and file sharing (low)"
references:
  - "Akamai: UPnProxy, EternalSilence (2018, 2022)"
response: "Ask the owner which servers should be reachable. Close the others, and look at the host behind them: it may be the implant."
*/
with r as (
  select n.*, coalesce(n.to_ip || coalesce(':' || n.to_port, ''), n.to_ip) as "to",
    case when n.dst_port_first = n.dst_port_last then n.dst_port_first::varchar else n.dst_port_first || '-' || n.dst_port_last end as port
  from nat_rules n where n.action = 'DNAT' and n.to_key is not null and is_inside(n.to_key)
    and not exists(select 1 from own_addresses o where (o.device, o.snapshot, o.address_key) = (n.device, n.snapshot, n.to_key)))
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, min(text) as text, coalesce(proto, 'any') as proto, coalesce(port, 'any') as port, "to",
  case when bool_and(chain ilike '%upnp%' or comment ilike '%upnp%') then 'low' else 'medium' end as level
from r group by device, snapshot, coalesce(proto, 'any'), coalesce(port, 'any'), "to"
