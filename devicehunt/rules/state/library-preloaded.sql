/*
id: library-preloaded
title: "{where_text} loads {library} into other programs"
about: "A preloaded library sits inside every daemon and falsifies what they show. Router firmware has no use for it."
check: C14
level: critical
core: true
platforms: [linux]
needs:
  - {any: [process_env@proc, process_env@walk, {settings@preload: [path, value]}]}
key: [where_key, library]
subjects:
  - {type: file, path: library}
  - {type: process, pid: pid, name: name, exe: path}
explained_by: [program]
attack: [T1574.006, T1014]
falsepositives:
  - "a memory allocator or a compatibility library that a vendor preloads (then it lies in /lib or /usr/lib: high)"
references:
  - "JSCU-NL: COATHANGER preloads a library (2024)"
  - "Google: OVERSTEP uses /etc/ld.so.preload (2025)"
  - "UK NCSC: Pygmy Goat preloads libsophos.so (2024)"
response: "Do not trust what this device's own tools say. Copy the library, /proc/PID/maps of a daemon and /etc/ld.so.preload; read the flash from outside."
*/
select s.device, s.snapshot, s.exhibit, s.line, '/etc/ld.so.preload' as where_text, '/etc/ld.so.preload' as where_key, s.value as library,
  null::bigint as pid, null::varchar as name, null::varchar as path,
  case when regexp_matches(s.value, '^/(usr/)?lib(32|64)?/') then 'high' else 'critical' end as level
from settings s where s.view = 'preload' and coalesce(s.value, '') <> ''
union all
select e.device, e.snapshot, e.exhibit, e.line, 'process ' || e.pid || ' has ' || e.name || ' and', e.name, e.value, e.pid, p.name, p.path,
  case when regexp_matches(e.value, '^/(usr/)?lib(32|64)?/') then 'high' else 'critical' end
from process_env e left join programs p using (device, snapshot, pid)
where e.name in ('LD_PRELOAD', 'LD_AUDIT') and coalesce(e.value, '') <> ''
