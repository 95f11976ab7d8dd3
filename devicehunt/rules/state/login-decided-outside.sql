/*
id: login-decided-outside
title: "{what} are decided by {server} outside"
about: "Whoever answers RADIUS decides who may log in, with which rights, and reads the names that are tried."
check: C22
level: medium
platforms: [mikrotik_routeros]
needs: [{any: [{aaa_servers@config: [name, address_ip]}, {aaa_servers@print: [name, address_ip]}]}]
key: [server, what]
subjects:
  - {type: peer, address: server}
explained_by: [peer]
attack: [T1556, T1078]
falsepositives:
  - "the provider's or the owner's RADIUS server with a public address; name it in the site file"
references:
  - "MikroTik: RADIUS; User, AAA (help.mikrotik.com)"
  - "CISA AA25-239A: AAA servers changed to addresses of the intruders (2025)"
response: "Ask the owner for the server. Keep the export. Change the shared secret and the passwords that were typed since."
*/
with s as (
  select a.device, a.snapshot, a.exhibit, a.line, a.address_ip as server, coalesce(a.name, '') as name,
    (select min(m.line) from aaa_methods m where (m.device, m.snapshot, m.exhibit) = (a.device, a.snapshot, a.exhibit) and m.methods like '%radius%') as used,
    exists(select 1 from settings t where (t.device, t.snapshot) = (a.device, a.snapshot) and t.path = '/user aaa set default-group' and t.value in ('full', 'write')) as full_rights
  from aaa_servers a where coalesce(a.enabled, true) and is_external(a.address_key))
select device, snapshot, exhibit, line, case when used is not null then exhibit end as exhibit_2, used as line_2, server,
  case when name like '%login%' then 'logins to the router' || case when full_rights then ' (with full rights)' else '' end else 'VPN and customers'' logins' end as what,
  case when name like '%login%' and used is not null and full_rights then 'high' when name like '%login%' then 'medium' else 'low' end as level
from s
