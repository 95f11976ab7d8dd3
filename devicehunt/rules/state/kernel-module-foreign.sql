/*
id: kernel-module-foreign
title: "kernel module {name} was built outside the kernel and is {why}"
about: "A module of the kernel sees and hides everything. Wi-Fi and switch drivers of vendors are foreign too, so this is context unless the name hides."
check: C39
level: info
core: true
platforms: [linux]
needs: [{modules: [name]}]
key: [name]
subjects:
  - {type: file, path: name}
explained_by: [program]
attack: [T1547.006, T1014]
falsepositives:
  - "vendor drivers for Wi-Fi, switch chips and acceleration; compare with another device of the model"
references:
  - "Cisco Talos: DKnife (2026)"
  - "MITRE ATT&CK T1547.006: kernel modules and extensions"
response: "Compare the list with a clean device of the same model and version. Keep the module's file."
*/
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, name,
  case when bool_or(taint like '%F%') then 'loaded by force' when bool_or(taint like '%E%') then 'not signed' else 'foreign' end as why,
  case when bool_or(taint like '%F%') then 'high' else 'info' end as level
from modules where taint is not null and regexp_matches(taint, '[OEF]')
group by device, snapshot, name
