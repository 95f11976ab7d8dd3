/*
id: boots-from-network
title: "the device boots from the network: {path}"
about: "An image that comes over TFTP at every start is whoever's answers first; nothing on the device shows it."
check: C30
level: high
platforms: [cisco_ios]
needs: [{any: [{images@config: [kind, path]}, {images@startup: [kind, path]}, {images@bootvar: [kind, path]}]}]
key: [path]
subjects:
  - {type: setting, path: text}
attack: [T1542.005]
falsepositives:
  - "laboratories and old access servers that were always booted so"
references:
  - "MITRE ATT&CK T1542.005: TFTP boot"
  - "Mandiant: SYNful Knock (2015)"
response: "Fetch the image from the server that the line names and compare it with the vendor's hash (verify /md5). Do not reload before that."
*/
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, path, min(text) as text,
  'high' as level
from images where kind = 'boot' and regexp_matches(path, '(?i)^(tftp|ftp|rcp|mop|http|scp)\b') group by device, snapshot, path
