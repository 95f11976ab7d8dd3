/*
id: indicator-name-device
title: "the {kind} {value}, an indicator ({said}): {told}; {aged}"
about: "A process or a log of the device has a name or a URL that somebody published as bad."
check: C20
level: medium
needs:
  - {any: [indicators@domain, indicators@url]}
  - {any: [{processes: [cmdline]}, {log_events: [message]}, {config_changes: [command]}]}
key: [kind, value]
subjects:
  - {type: domain, name: found}
attack: [T1071.001, T1105]
falsepositives:
  - "a log of a resolver or a filter (low): a host behind the device asked"
references:
  - "OASIS: STIX 2.1 (indicator, confidence scale in appendix A); MISP core format"
response: "Find the process, or who asked by the log. Copy the executable before anything is ended."
*/
select device, snapshot, exhibit, line, kind, value, told, found, port, other, said, aged, level
from indicator_hits
where rule = 'indicator-name-device'
