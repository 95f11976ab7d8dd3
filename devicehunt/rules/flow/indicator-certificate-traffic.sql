/*
id: indicator-certificate-traffic
title: "the {kind} {value}, an indicator ({said}): {told}; {aged}"
about: "A certificate belongs to one key. Somebody published this one as that of a bad server."
check: C20
level: medium
needs:
  - indicators@certificate
  - {any: [{tls_sessions: [sha256]}, {exposures: [certificate]}]}
key: [kind, value]
subjects:
  - {type: peer, address: other}
explained_by: [peer]
attack: [T1573.002, T1587.003]
falsepositives:
  - "a default certificate of a product, which many devices have"
references:
  - "OASIS: STIX 2.1 (indicator, confidence scale in appendix A); MISP core format"
  - "abuse.ch: SSLBL, format of its certificate list"
response: "Keep the certificate. Look for other servers that show it, and for the process that holds the connection."
*/
select device, snapshot, exhibit, line, kind, value, told, found, port, other, said, aged, level
from indicator_hits
where rule = 'indicator-certificate-traffic'
