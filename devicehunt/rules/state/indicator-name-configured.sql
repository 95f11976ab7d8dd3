/*
id: indicator-name-configured
title: "the {kind} {value}, an indicator ({said}): {told}; {aged}"
about: "A job, a script or a setting has a name or a URL that somebody published as bad: it is fetched again and again."
check: C20
level: medium
needs:
  - {any: [indicators@domain, indicators@url]}
  - {any: [{settings: [value]}, {jobs: [command]}, {scripts: [text]}, {dns_records: [name]}, {dynamic_dns: [name]}]}
key: [kind, value]
subjects:
  - {type: domain, name: found}
attack: [T1105, T1053]
falsepositives:
  - "a list of what the owner blocks"
references:
  - "OASIS: STIX 2.1 (indicator, confidence scale in appendix A); MISP core format"
response: "Ask the owner who wrote the line. Get what lies at the address from another machine, and keep it."
*/
select device, snapshot, exhibit, line, kind, value, told, found, port, other, said, aged, level
from indicator_hits
where rule = 'indicator-name-configured'
