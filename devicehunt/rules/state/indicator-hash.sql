/*
id: indicator-hash
title: "the {kind} {value}, an indicator ({said}): {told}; {aged}"
about: "The bytes of a file are those of one that somebody published as bad. That does not age."
check: C20
level: medium
needs:
  - indicators@hash
  - {any: [{files: [digest]}, {images: [digest]}]}
key: [kind, value]
subjects:
  - {type: file, path: other}
explained_by: [program]
attack: [T1105, T1554]
falsepositives:
  - "a tool that honest people use too, on a careless list (BusyBox, a library)"
  - "an empty file"
references:
  - "OASIS: STIX 2.1 (indicator, confidence scale in appendix A); MISP core format"
  - "abuse.ch: MalwareBazaar, format of its exports"
response: "Copy the file before anything else. Find the process that runs it and the line that starts it."
*/
select device, snapshot, exhibit, line, kind, value, told, found, port, other, said, aged, level
from indicator_hits
where rule = 'indicator-hash'
