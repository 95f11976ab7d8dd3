/*
id: dns-record-for-login-name
title: "the router answers {name} itself, with {value}"
about: "A static DNS record for a public sign-in or update name sends the LAN's users to somebody else's server."
check: C12
level: high
platforms: [cisco_ios, linux, mikrotik_routeros]
needs: [{dns_records: [name, value]}]
key: [name, value]
subjects:
  - {type: domain, name: name}
  - {type: peer, address: value}
explained_by: [resolver]
attack: [T1557, T1584.002]
falsepositives:
  - "IOS without a DNS server: the record is for the device alone (medium); the vendor's own names, written down for its licences (low)"
  - "ad blockers that answer 0.0.0.0 or an own address (left out)"
references:
  - "Lumen Black Lotus Labs: FrostArmada answers for outlook names (2026)"
  - "UK NCSC: APT28 hijacks DNS to steal credentials (2026)"
response: "Treat credentials typed into that site from this LAN as stolen. Keep the record and the server's address."
*/
with ios as (
  select s.device, s.snapshot, bool_or(s.value = 'yes' and regexp_matches(s.path, '^ip dns (server|spoofing)\b')) as serves
  from settings s semi join (select device, snapshot from devices where platform = 'cisco_ios') d on (d.device, d.snapshot) = (s.device, s.snapshot)
  where s.view = 'config' group by s.device, s.snapshot)
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, lower(name) as name, value,
  case when any_value(i.device) is null then 'high' when regexp_matches(lower(name), '(^|\.)cisco\.com$') then 'low' when bool_or(i.serves) then 'high' else 'medium' end as level
from dns_records r left join ios i using (device, snapshot)
where is_external(ip(value))
  and regexp_matches(lower(name), '(^|\.)(outlook\.(com|office\.com|office365\.com)|office365\.com|microsoftonline\.com|login\.live\.com|accounts\.google\.com|gmail\.com|icloud\.com|okta\.com|duosecurity\.com|windowsupdate\.com|update\.microsoft\.com|paypal\.com|github\.com|downloads\.openwrt\.org|fortinet\.com|cisco\.com)$')
group by device, snapshot, lower(name), value
