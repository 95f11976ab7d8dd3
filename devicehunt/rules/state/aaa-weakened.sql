/*
id: aaa-weakened
title: "{what}: {text}"
about: "Intruders put the local account before the server, or point the device at a server of their own: logins are then theirs, and unrecorded."
check: C22
level: medium
platforms: [cisco_ios]
needs: [{aaa_methods@config: [service, methods]}, {aaa_servers@config: [address_ip]}]
key: [what, text]
subjects:
  - {type: setting, path: text}
  - {type: peer, address: address}
explained_by: [peer]
attack: [T1556]
falsepositives:
  - "small networks that never had another order; a server reached over the internet by its owner's will"
references:
  - "CISA AA25-239A: TACACS+ servers changed, AAA weakened (2025)"
response: "Compare with the configuration's backups. Treat passwords that passed such a server as known."
*/
select m.device, m.snapshot, m.exhibit, m.line, 'logins ask the device before the server' as what, m.text, null as address, 'medium' as level
from aaa_methods m
where m.service = 'authentication login' and regexp_matches(m.methods, '^(local|local-case|none|enable)\b.*\b(group|tacacs\+|radius)')
union all
select device, snapshot, exhibit, line, 'a server outside decides on logins', text, address_ip, 'high' from aaa_servers where is_external(address_key)
