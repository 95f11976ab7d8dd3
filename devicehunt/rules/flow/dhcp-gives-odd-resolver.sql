/*
id: dhcp-gives-odd-resolver
title: "{who} tells the hosts inside by DHCP to ask {address} for names{why}"
about: "Whoever answers the names of a LAN decides where its passwords go. Routers were taken for this alone."
check: C12
level: medium
needs: [{app_facts@packets: [name, value]}, {connections@packets: [orig_ip, resp_ip]}, own_addresses]
key: [address]
subjects:
  - {type: resolver, address: address}
explained_by: [resolver]
attack: [T1557, T1584.002]
falsepositives:
  - "an owner who chose a filtering or a family resolver (name it in the site file)"
references:
  - "UK NCSC, FBI: APT28 changes DNS on routers, DHCP hands it out (2026)"
  - "RFC 2132, option 6"
response: "Ask the resolver and a known one for login names of mail and banks, and compare. Put the option back only after the way in is known."
*/
with facts as (
  select f.device, f.snapshot, f.exhibit, f.connection, f.name, f.value, f.line from app_facts f where f.view = 'packets' and f.name in ('dhcp.dns', 'dhcp.server')),
given as (
  select f.device, f.snapshot, f.exhibit, f.line, unnest(string_split(f.value, ',')) as address, s.value as server,
    c.from_device or c.to_device or o.address_ip is not null as own, i.interface is not null as rogue
  from facts f
  join own_traffic c using (device, snapshot, exhibit, connection)
  left join (select device, snapshot, exhibit, connection, min(value) as value from facts where name = 'dhcp.server' group by all) s using (device, snapshot, exhibit, connection)
  left join (select distinct device, snapshot, address_ip from own_addresses) o on (o.device, o.snapshot, o.address_ip) = (f.device, f.snapshot, s.value)
  -- another server in the network of the LAN side
  left join (select distinct a.device, a.snapshot, a.interface, a.first_key, a.last_key from own_addresses a join sides d using (device, snapshot, interface) where d.side = 'lan') i
    on (i.device, i.snapshot) = (f.device, f.snapshot) and ip(s.value) between i.first_key and i.last_key
  where f.name = 'dhcp.dns' and c.view = 'packets'),
told as (  -- what the device is set to: configuration and what it resolves by itself
  select device, snapshot, address_ip as address from resolvers
  union select device, snapshot, unnest(regexp_extract_all(value, '\b(?:\d{1,3}\.){3}\d{1,3}\b')) from settings),
g as (
  select g.*, exists(select 1 from told t where (t.device, t.snapshot) = (g.device, g.snapshot)) as known,
    exists(select 1 from told t where (t.device, t.snapshot, t.address) = (g.device, g.snapshot, g.address)) as set_so,
    exists(select 1 from known_patterns k where k.kind = 'public-resolver' and k.pattern = g.address) as public,
    exists(select 1 from own_addresses a where (a.device, a.snapshot, a.address_ip) = (g.device, g.snapshot, g.address)) as self
  from given g where is_external(ip(g.address)))
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, address,
  -- the lease that the device itself gets from its provider says the provider's resolvers: nobody's fault
  case when bool_or(own and server in (select address_ip from own_addresses a where (a.device, a.snapshot) = (g.device, g.snapshot))) then 'the device' else 'another server in the LAN, ' || coalesce(min(server), '?') || ',' end as who,
  case when bool_or(set_so) then ' (configured; confirm with the owner)' when bool_or(public) then ', a public resolver' when bool_or(known) then ', which its settings do not name' else '' end as why,
  case when bool_or(set_so) then 'low' when bool_or(public) then 'low' when bool_or(known) then 'high' else 'medium' end as level
from g where not self and (rogue or server in (select address_ip from own_addresses a where (a.device, a.snapshot) = (g.device, g.snapshot)))
group by device, snapshot, address
