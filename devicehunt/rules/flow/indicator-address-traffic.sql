/*
id: indicator-address-traffic
title: "the {kind} {value}, an indicator ({said}): {told}; {aged}"
about: "Somebody published the address as bad, and the traffic has it as an end of a connection. Who is behind an address changes: alone it is a hint."
check: C20
level: medium
needs:
  - {any: [indicators@address, indicators@network]}
  - {connections: [orig_ip, resp_ip]}
key: [kind, value]
subjects:
  - {type: peer, address: found, port: port}
explained_by: [peer]
attack: [T1071, T1571]
falsepositives:
  - "an address that was rented to somebody else since (the finding says how old the entry is)"
  - "a shared host, a CDN or a public resolver on a careless list"
  - "a scanner that knocks and gets no answer (low)"
references:
  - "OASIS: STIX 2.1 (indicator, confidence scale in appendix A); MISP core format"
  - "abuse.ch: Feodo Tracker and ThreatFox, formats of their exports"
response: "Look what the connection carried and who opened it, the device or a host behind it. Find the process on the device before anything is restarted."
*/
select device, snapshot, exhibit, line, kind, value, told, found, port, other, said, aged, level
from indicator_hits
where rule = 'indicator-address-traffic'
