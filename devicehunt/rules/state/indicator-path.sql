/*
id: indicator-path
title: "the {kind} {value}, an indicator ({said}): {told}; {aged}"
about: "A file lies, or a program runs, where somebody saw a bad one. Paths are chosen by authors and can be chosen by others."
check: C20
level: medium
needs:
  - indicators@path
  - {any: [{files: [path]}, {processes: [exe]}, {jobs: [program]}, {open_files: [target]}]}
key: [kind, value]
subjects:
  - {type: file, path: found}
explained_by: [program, job]
attack: [T1036.005, T1105]
falsepositives:
  - "a file of the owner, or of the firmware, that is called so too"
references:
  - "OASIS: STIX 2.1 (indicator, confidence scale in appendix A); MISP core format"
response: "Copy the file, and compare its hash with the one that was published with the path."
*/
select device, snapshot, exhibit, line, kind, value, told, found, port, other, said, aged, level
from indicator_hits
where rule = 'indicator-path'
