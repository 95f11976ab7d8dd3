/*
id: indicator-address-device
title: "the {kind} {value}, an indicator ({said}): {told}; {aged}"
about: "Somebody published the address as bad, and the device speaks with it, or was managed from it."
check: C20
level: medium
needs:
  - {any: [indicators@address, indicators@network]}
  - {any: [{sockets: [remote_ip]}, {nat_sessions: [orig_src_ip, orig_dst_ip]}, {sessions: [source_ip]}, {config_changes: [source_ip]}, {processes: [cmdline]}, {log_events: [message]}]}
key: [kind, value]
subjects:
  - {type: peer, address: found, port: port}
explained_by: [peer]
attack: [T1071, T1078]
falsepositives:
  - "an address that was rented to somebody else since (the finding says how old the entry is)"
  - "a shared host, a CDN or a public resolver on a careless list"
  - "a line of a log about somebody who was turned away (low)"
references:
  - "OASIS: STIX 2.1 (indicator, confidence scale in appendix A); MISP core format"
response: "Find the process that holds the connection, or the session that came from there, before anything is restarted."
*/
select device, snapshot, exhibit, line, kind, value, told, found, port, other, said, aged, level
from indicator_hits
where rule = 'indicator-address-device'
