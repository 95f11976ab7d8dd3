/*
id: indicator-fingerprint
title: "the {kind} {value}, an indicator ({said}): {told}; {aged}"
about: "A client or a server greets like one that somebody published as bad. Many honest programs are built with the same library: alone it says little."
check: C20
level: medium
needs:
  - {any: [indicators@ja3, indicators@ja4, indicators@hassh]}
  - {any: [{tls_sessions: [ja3]}, {tls_sessions: [ja4]}, {ssh_sessions: [hassh]}]}
key: [kind, value]
subjects:
  - {type: peer, address: other}
explained_by: [peer]
attack: [T1071.001]
falsepositives:
  - "any program that is built with the same library"
references:
  - "Salesforce: JA3 and HASSH; FoxIO: JA4"
  - "abuse.ch: SSLBL, format of its JA3 list"
response: "Compare the other facts of the connection: name, certificate, port, times. A fingerprint alone is no reason to act."
*/
select device, snapshot, exhibit, line, kind, value, told, found, port, other, said, aged, level
from indicator_hits
where rule = 'indicator-fingerprint'
