/*
id: mount-over-proc
title: "something is mounted over {target}: {why}"
about: "A bind mount over /proc/PID makes ps and every other tool read something else."
check: C39
level: critical
core: true
platforms: [linux]
# df leaves out what is mounted over a file of /proc
needs: [{any: [{mounts@mount: [target]}, {mounts@mountinfo: [target]}]}]
key: [target_kind, device_name]
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
select device, snapshot, exhibit, line, source, target,
  regexp_replace(source, '\[.*', '') as device_name,  -- /proc/self/mountinfo says which folder of it, too
  case when pid is not null then 'the process behind it is hidden' else 'what the kernel says there is hidden' end as why,
  case when pid is not null then '/proc/PID' else target end as target_kind, pid,
  case when pid is not null then 'critical' else 'high' end as level
from (select *, try_cast(regexp_extract(target, '^/proc/(?:\d+/task/)?(\d+)', 1) as bigint) as pid from mounts where view <> 'df')
-- a container has its own /proc/meminfo and no /proc/kcore; these lists are nobody's to replace
where pid is not null or regexp_matches(target, '^/proc/(net|modules|mounts|kallsyms|self|thread-self)(/|$)')
