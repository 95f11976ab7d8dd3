/*
id: tunnel-to-outsider
title: "{kind} tunnel {name} goes to {peer} outside{why}"
about: "A tunnel joins this network to another one. Only the owner can say whose it is."
check: C13
level: low
platforms: [mikrotik_routeros]
needs: [{any: [{tunnels@config: [kind, peer_ip]}, {tunnels@print: [kind, peer_ip]}]}]
key: [kind, name, peer]
subjects:
  - {type: interface, name: name, peer: peer}
  - {type: peer, address: peer}
explained_by: [tunnel, peer]
attack: [T1572, T1095]
falsepositives:
  - "offices of the owner and VPN providers; name the tunnel in the site file"
references:
  - "CISA AA25-239A: GRE and IPsec tunnels on routers (2025)"
  - "FBI, Cisco Talos: Static Tundra adds GRE tunnels (2025)"
response: "Record the peer and the counters. Ask the owner. Look which routes, bridges and mirrors lead into it."
*/
with t as (
  select device, snapshot, kind, coalesce(name, '(no name)') as name, peer_ip as peer, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line
  from tunnels where kind in ('gre', 'gre6', 'eoip', 'eoipv6', 'ipip', 'ipipv6', 'vxlan', 'ipsec', 'wireguard') and coalesce(enabled, true) and is_external(peer_key)
  group by device, snapshot, kind, coalesce(name, '(no name)'), peer_ip)
select t.*,
  case when exists(select 1 from settings s where (s.device, s.snapshot) = (t.device, t.snapshot) and s.path = '/interface bridge port add interface' and s.value = t.name) then ', and is a port of the bridge: the LAN itself goes there'
       when exists(select 1 from expected e where e.kind in ('tunnel', 'peer') and (e.name = t.name or e.address = t.peer)) then ': the owner named it'
       when exists(select 1 from expected e where e.kind in ('tunnel', 'peer')) then ': the owner named tunnels, and this is none of them' else ': confirm with the owner' end as why,
  case when exists(select 1 from expected e where e.kind in ('tunnel', 'peer')) then 'high'
       when kind in ('eoip', 'eoipv6', 'gre', 'gre6', 'ipip', 'ipipv6', 'vxlan') then 'medium' else 'low' end as level
from t
