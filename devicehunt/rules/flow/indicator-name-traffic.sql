/*
id: indicator-name-traffic
title: "the {kind} {value}, an indicator ({said}): {told}; {aged}"
about: "Somebody published the name or the URL as bad, and the traffic asks for it: of DNS, by TLS, by HTTP or of a proxy."
check: C20
level: medium
needs:
  - {any: [indicators@domain, indicators@url]}
  - {any: [{dns_queries: [name]}, {tls_sessions: [sni]}, {http_requests: [host, path]}, {proxy_requests: [host]}]}
key: [kind, value]
subjects:
  - {type: domain, name: found}
attack: [T1071.001, T1071.004]
falsepositives:
  - "a host behind the device, not the device: see who asked"
  - "a name that was sold or sinkholed since (the finding says how old the entry is)"
  - "a resolver or a filter that checks names"
references:
  - "OASIS: STIX 2.1 (indicator, confidence scale in appendix A); MISP core format"
  - "abuse.ch: URLhaus, format of its exports"
response: "Find who asked: the device itself, or which host behind it. Keep the answers: they lead to addresses."
*/
select device, snapshot, exhibit, line, kind, value, told, found, port, other, said, aged, level
from indicator_hits
where rule = 'indicator-name-traffic'
