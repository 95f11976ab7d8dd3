/*
id: resolver-replaced
title: "{whose} asks {address} for names{why}"
about: "Who answers DNS decides where the whole LAN goes. A stranger's server in the first place with a well-known one behind it keeps everything working, and answers only the names that matter itself."
check: C12
level: medium
platforms: [cisco_ios, mikrotik_routeros]
needs: [{any: [{resolvers@config: [address_ip]}, {all: [{resolvers@print: [address_ip]}, {resolvers@dhcp: [address_ip]}]}]}]
key: [whose, address]
subjects:
  - {type: resolver, address: address}
explained_by: [resolver]
attack: [T1557, T1584.002]
falsepositives:
  - "the provider's resolvers, written down beside a public one (medium: the owner can tell at a glance)"
  - "a filtering service that the owner pays for"
references:
  - "Lumen Black Lotus Labs: FrostArmada (2026)"
  - "UK NCSC, FBI: APT28 changes DNS on routers (2026)"
response: "Compare with the provider's resolvers. Ask the address for well-known sign-in names from another machine and compare the answers. Treat credentials typed since the change as stolen if they differ."
*/
with r as (
  select device, snapshot, exhibit, line, address_ip, address_key, coalesce(scope, 'system') as scope,
    exists(select 1 from known_patterns k where k.kind = 'public-resolver' and k.pattern = address_ip) as known,
    is_external(address_key) and not exists(select 1 from own_addresses o where (o.device, o.snapshot) = (resolvers.device, resolvers.snapshot)
      and (o.address_key = resolvers.address_key or (o.prefix_length between 8 and 30 and resolvers.address_key between o.first_key and o.last_key))) as outside
  from resolvers where address_ip is not null),
g as (
  select device, snapshot, scope, address_ip, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line,
    any_value(exists(select 1 from r o where (o.device, o.snapshot, o.scope) = (r.device, r.snapshot, r.scope) and o.known)) as mixed,
    any_value(exists(select 1 from r o where (o.device, o.snapshot) = (r.device, r.snapshot) and o.scope in ('system', 'dhcp') and o.address_ip = r.address_ip)) as own_too,
    any_value(exists(select 1 from r o where (o.device, o.snapshot) = (r.device, r.snapshot) and o.scope in ('system', 'dhcp') and o.outside)) as own_known
  from r where outside and not known and scope <> 'dhcp' group by device, snapshot, scope, address_ip)
select device, snapshot, exhibit, line, address_ip as address, case when scope = 'dhcp-server' then 'the LAN (by DHCP)' else 'the router' end as whose,
  concat_ws('', case when mixed then ', beside a well-known resolver' end, case when scope = 'dhcp-server' and own_known and not own_too then ', which the router itself does not ask' end, ': confirm with the owner') as why,
  case when scope = 'dhcp-server' and mixed and own_known and not own_too then 'high'
       when scope = 'dhcp-server' or mixed then 'medium' else 'low' end as level
from g
union all
select device, snapshot, exhibit, line, domain, 'the router', ' over HTTPS: confirm with the owner', 'medium'
from resolvers where address_ip is null and domain is not null and scope = 'system'
  and not regexp_matches(domain, '(?i)://([\w-]+\.)*(cloudflare-dns\.com|cloudflare-gateway\.com|dns\.google|quad9\.net|nextdns\.io|adguard(-dns)?\.(com|io)|opendns\.com|umbrella\.com|controld\.com|mullvad\.net|cleanbrowsing\.org|dns\.sb|alidns\.com|doh\.pub|360\.cn|dns\.yandex\.(net|ru)|digitale-gesellschaft\.ch|libredns\.gr|dnsforge\.de|applied-privacy\.net|dns0\.eu|switch\.ch)[/:]')
  and not regexp_matches(domain, '://(1\.[01]\.[01]\.[123]|8\.8\.(8\.8|4\.4)|9\.9\.9\.\d+|149\.112\.112\.\d+|94\.140\.1[45]\.\d+|208\.67\.22[02]\.\d+|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)')
