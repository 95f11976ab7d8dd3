/*
id: mount-over-proc
title: "something is mounted over {target}: the process behind it is hidden"
about: "A bind mount over /proc/PID makes ps and every other tool read something else."
check: C39
level: critical
core: true
platforms: [linux]
# df leaves out what is mounted over a file of /proc
needs: [{any: [{mounts@mount: [target]}, {mounts@mountinfo: [target]}]}]
key: [target_kind, source]
subjects:
  - {type: file, path: target}
  - {type: process, pid: pid}
attack: [T1564.013, T1014]
falsepositives:
  - "container runtimes mask single files such as /proc/kcore, never /proc/PID"
references:
  - "Lumen Black Lotus Labs: KV-botnet bind-mounts over its own /proc/PID (2024)"
  - "MITRE ATT&CK T1564.013: bind mounts"
response: "The process lives. Walk the process numbers, compare /proc/net and netstat, unmount only after memory is secured (umount changes evidence: note the time)."
*/
select device, snapshot, exhibit, line, source, target, '/proc/PID' as target_kind,
  try_cast(regexp_extract(target, '^/proc/(\d+)', 1) as bigint) as pid
from mounts where regexp_matches(target, '^/proc/\d+(/|$)')
