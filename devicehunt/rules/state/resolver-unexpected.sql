/*
id: resolver-unexpected
title: "names are resolved by {address}, which nobody explains ({scope})"
about: "Who answers DNS decides where the whole LAN goes."
check: C12
level: medium
core: true
platforms: [linux]
needs: [{resolvers: [address_ip]}]
key: [address]
subjects:
  - {type: resolver, address: address}
explained_by: [resolver]
attack: [T1557, T1584.002]
falsepositives:
  - "the provider's resolvers, which the router got by DHCP or PPP (low when a lease file says so)"
references:
  - "UK NCSC, FBI: APT28 changes DNS on routers (2026)"
  - "Lumen Black Lotus Labs: ZuoRAT hijacks DNS (2022)"
response: "Compare with the provider's resolvers and with another customer's line. Ask the resolver for well-known names from another machine and compare the answers."
*/
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, address_ip as address, max(coalesce(scope, 'system')) as scope,
  case when exists(select 1 from expected e where e.kind = 'resolver') then 'medium'
       when bool_or(coalesce(scope, '') = 'dhcp-server') then 'medium'
       when bool_and(coalesce(view, '') = 'lease') then 'info' else 'low' end as level
from resolvers r
where is_external(address_key)
  and not exists(select 1 from known_patterns k where k.kind = 'public-resolver' and k.pattern = r.address_ip)
  and not exists(select 1 from own_addresses o where (o.device, o.snapshot, o.address_key) = (r.device, r.snapshot, r.address_key))
group by device, snapshot, address_ip
