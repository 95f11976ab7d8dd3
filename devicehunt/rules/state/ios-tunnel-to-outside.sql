/*
id: ios-tunnel-to-outside
title: "tunnel {name} ({kind}) goes to {peer}{described}"
about: "A tunnel to somebody outside carries traffic past every guard. Only the owner can say what it is for."
check: C13
level: medium
platforms: [cisco_ios]
needs: [{tunnels@config: [name, kind, peer_ip]}]
key: [name, peer]
subjects:
  - {type: interface, name: name, peer: peer}
  - {type: peer, address: peer}
explained_by: [tunnel, peer]
attack: [T1572]
falsepositives:
  - "the owner's site-to-site tunnels; name them in the site file"
references:
  - "CISA AA25-239A: GRE, mGRE and IPsec tunnels (2025)"
  - "FBI, Cisco Talos: Static Tundra adds GRE tunnels (2025)"
  - "ASD: BADCANDY: unknown tunnel interfaces beside the web interface (2025)"
response: "Record the peer and the counters (show interfaces, show crypto session). Ask the owner. Keep the configuration before the interface is taken down."
*/
with d as (  -- described by the one who made it
  select distinct t.device, t.snapshot, t.name, t.peer_ip from tunnels t join settings s
    on (s.device, s.snapshot) = (t.device, t.snapshot) and starts_with(s.path, 'interface ' || t.name || ' > description ')),
guards as (
  select device, snapshot, target as list from policies where kind = 'access-class'
  union select device, snapshot, acl from management_access where acl is not null union select device, snapshot, acl from snmp_access where acl is not null),
-- what else the device trusts the same address with
trusts as (
  select f.device, f.snapshot, f.exhibit, f.line, split_part(f.src, '/', 1) as peer, 'an access list lets it in' as said from firewall_rules f
    semi join guards g on (g.device, g.snapshot, g.list) = (f.device, f.snapshot, f.chain) where f.rule_table = 'acl' and f.action = 'ACCEPT' and regexp_matches(f.src, '/(32|128)$')
  union all select device, snapshot, exhibit, line, address_ip, 'it decides on logins' from aaa_servers where address_ip is not null
  union all select device, snapshot, exhibit, line, target_ip, 'traffic is copied to it' from captures where target_ip is not null),
-- the way in of BADCANDY: the web interface, which nothing guards, on a device with an address of the internet
web as (
  select m.device, m.snapshot, min(m.exhibit) as exhibit, arg_min(m.line, (m.exhibit, m.line)) as line from management_access m
  where m.service in ('http', 'https') and m.enabled
    and not exists(select 1 from management_access a where (a.device, a.snapshot) = (m.device, m.snapshot) and a.service = 'http' and a.acl is not null)
    and exists(select 1 from own_addresses o where (o.device, o.snapshot) = (m.device, m.snapshot) and is_external(o.address_key))
  group by m.device, m.snapshot),
n as (
  select t.*, exists(select 1 from d where (d.device, d.snapshot) = (t.device, t.snapshot) and (d.name = t.name or d.peer_ip = t.peer_ip)) as described,
    regexp_matches(t.kind, '^gre') and not exists(select 1 from settings s where (s.device, s.snapshot) = (t.device, t.snapshot) and starts_with(s.path, 'interface ' || t.name || ' > tunnel protection ')) as plain
  from tunnels t
  -- what lives now (show crypto session) repeats what is configured
  where coalesce(t.enabled, true) and is_external(t.peer_key) and coalesce(t.view, 'config') <> 'session')
select n.device, n.snapshot, n.exhibit, n.line, coalesce(u.exhibit, case when not n.described and n.plain then w.exhibit end) as exhibit_2,
  coalesce(u.line, case when not n.described and n.plain then w.line end) as line_2, n.name, n.kind, n.peer_ip as peer,
  concat_ws('', case when n.described then ': confirm with the owner' else ', and nobody described it' end, '; ' || u.said,
    case when not n.described and n.plain and w.device is not null then '; the web interface is open to the internet' end) as described,
  case when not n.described and (u.peer is not null or n.plain and w.device is not null) then 'high' else 'medium' end as level
from n
left join (select device, snapshot, peer, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, string_agg(distinct said, ', ' order by said) as said from trusts group by device, snapshot, peer) u
  on (u.device, u.snapshot, u.peer) = (n.device, n.snapshot, n.peer_ip)
left join web w on (w.device, w.snapshot) = (n.device, n.snapshot)
