/*
id: dns-record-for-login-name
title: "the router answers {name} itself, with {value}"
about: "A static DNS record for a public sign-in or update name sends the LAN's users to somebody else's server."
check: C12
level: high
platforms: [linux, mikrotik_routeros]
needs: [{dns_records: [name, value]}]
key: [name, value]
subjects:
  - {type: domain, name: name}
  - {type: peer, address: value}
explained_by: [resolver]
attack: [T1557, T1584.002]
falsepositives:
  - "ad blockers that answer 0.0.0.0 or an own address (left out)"
references:
  - "Lumen Black Lotus Labs: FrostArmada answers for outlook names (2026)"
  - "UK NCSC: APT28 hijacks DNS to steal credentials (2026)"
response: "Treat credentials typed into that site from this LAN as stolen. Keep the record and the server's address."
*/
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, lower(name) as name, value
from dns_records r
where is_external(ip(value))
  and regexp_matches(lower(name), '(^|\.)(outlook\.(com|office\.com|office365\.com)|office365\.com|microsoftonline\.com|login\.live\.com|accounts\.google\.com|gmail\.com|icloud\.com|okta\.com|duosecurity\.com|windowsupdate\.com|update\.microsoft\.com|paypal\.com|github\.com|downloads\.openwrt\.org|fortinet\.com|cisco\.com)$')
group by device, snapshot, lower(name), value
