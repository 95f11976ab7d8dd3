/*
id: library-preloaded
title: "{where_text} loads {library} into other programs"
about: "A preloaded library sits inside every daemon and falsifies what they show. Router firmware has no use for it."
check: C14
level: critical
core: true
platforms: [linux]
needs:
  - {any: [{process_env@proc: [name, value]}, {process_env@walk: [name, value]}]}
  # what the file loads is also mapped by every program
  - {any: [{settings@preload: [path, value]}, {process_maps@proc: [path]}, {process_maps@walk: [path]}]}
key: [where_key, library]
subjects:
  - {type: file, path: library}
  - {type: process, pid: pid, name: name, exe: path}
explained_by: [program]
attack: [T1574.006, T1014]
falsepositives:
  - "OpenWrt: procd preloads /lib/libsetlbf.so into services whose output it logs (info)"
  - "a memory allocator or a compatibility library that a vendor preloads (then it lies in /lib or /usr/lib: high)"
references:
  - "OpenWrt procd: service/instance.c sets LD_PRELOAD"
  - "JSCU-NL: COATHANGER preloads a library (2024)"
  - "Google: OVERSTEP uses /etc/ld.so.preload (2025)"
  - "UK NCSC: Pygmy Goat preloads libsophos.so (2024)"
response: "Do not trust what this device's own tools say. Copy the library, /proc/PID/maps of a daemon and /etc/ld.so.preload; read the flash from outside."
*/
with l as (
  select s.device, s.snapshot, s.exhibit, s.line, '/etc/ld.so.preload' as where_text, '/etc/ld.so.preload' as where_key, s.value as list, null::bigint as pid
  from settings s where s.view = 'preload'
  union all
  select e.device, e.snapshot, e.exhibit, e.line, 'process ' || e.pid || ' has ' || e.name || ' and', e.name, e.value, e.pid
  from process_env e where e.name in ('LD_PRELOAD', 'LD_AUDIT')),
one as (select * exclude (list), unnest(string_split_regex(trim(list), '[\s:]+')) as library from l where coalesce(trim(list), '') <> ''),
mapped as (  -- a library of a writable place inside several programs: whatever loaded it
  select m.device, m.snapshot, min(m.exhibit) as exhibit, arg_min(m.line, (m.exhibit, m.line)) as line, 'something' as where_text, 'maps' as where_key, null::bigint as pid,
    regexp_replace(m.path, ' \(deleted\)$', '') as library
  from process_maps m left join programs p using (device, snapshot, pid)
  where regexp_matches(m.path, '\.so[\d.]*( \(deleted\))?$') and (is_volatile(m.path) or regexp_matches(m.path, '^/etc/|/\.[^/]+/'))
  group by m.device, m.snapshot, m.path having count(distinct coalesce(p.exe, m.pid::varchar)) > 1),
a as (
  select * from one
  union all select device, snapshot, exhibit, line, where_text, where_key, pid, library from mapped m
  where not exists(select 1 from one o where (o.device, o.snapshot, o.library) = (m.device, m.snapshot, m.library)))
select a.device, a.snapshot, a.exhibit, a.line, a.where_text, a.where_key, a.library, a.pid, p.name, p.path,
  case when a.where_key <> '/etc/ld.so.preload'
         -- procd puts these into the services that it starts: lines of their output, their jail
         and regexp_full_match(a.library, '(/lib/)?lib(setlbf|preload-seccomp|preload-trace|ubox)\.so') then 'info'
       when regexp_full_match(a.library, '((/opt)?(/usr)?(/local)?/lib(32|64)?/(\w+-linux-\w+/)?)?lib(jemalloc|tcmalloc\w*|mimalloc|gcompat|eatmydata|faketime|stdc\+\+|atomic)[\w-]*\.so[\d.]*') then 'medium'
       when exists(select 1 from packages k where (k.device, k.snapshot, k.path) = (a.device, a.snapshot, a.library)) then 'medium'
       when is_owner_path(a.library) and a.where_key <> '/etc/ld.so.preload' then 'medium'
       when regexp_matches(a.library, '^/(usr/)?lib(32|64)?/[^.]') then 'high' else 'critical' end as level
from a left join programs p using (device, snapshot, pid)
