/*
id: process-poses-as-kernel-thread
title: "process {pid} calls itself {shown_name} like a kernel thread but is a program: {why}"
about: "A kernel thread has no executable, no memory of its own, no arguments, and kthreadd as its parent. A process that shows such a name and has any of these is hiding."
check: C02
level: critical
core: true
platforms: [linux]
memory: true
needs: [programs]
key: [shown_name, program]
subjects:
  - {type: process, pid: pid, name: shown_name, exe: path}
attack: [T1036.004, T1036.005, T1036.011]
falsepositives:
  - "ps prints [name] for zombies and for programs that emptied their arguments; those are left out unless their executable shows"
references:
  - "Lumen Black Lotus Labs: KV-botnet renames itself to [kworker/0:1] (2024)"
  - "UK NCSC: Cyclops Blink runs as [kworker:0/1] (2022)"
  - "Lumen Black Lotus Labs: J-magic runs as [nfsiod 0] (2025)"
response: "Copy /proc/PID/exe and /proc/PID/maps before anything else: the file is often deleted and memory is all there is. Do not reboot. Then isolate the device at the switch."
*/
with p as (
  select p.*, coalesce(case when argv0 like '[%' then argv0 end, case when comm like '[%' then comm end, comm, argv0) as shown_name,
    exists(select 1 from known_patterns k where k.kind = 'kernel-thread' and regexp_full_match(trim(coalesce(p.comm, ''), '[]'), k.pattern)) as comm_like,
    coalesce(argv0 like '[%', false) or coalesce(comm like '[%', false) as bracketed
  from programs p where not p.is_kernel and coalesce(p.state, '') not like 'Z%'),
w as (
  select *, concat_ws(', ',
      case when exe is not null then 'its executable is ' || exe || case when exe_deleted then ' (deleted)' else '' end end,
      case when exe is null and vsz_kb > 0 then 'it has ' || vsz_kb || ' kB of memory' end,
      case when exe is null and regexp_matches(coalesce(cmdline, ''), '^\[[^\]]*\] \S') then 'it has arguments' end,
      case when exe is null and exe_status is distinct from 'denied' and ppid is not null and ppid not in (0, 2) then 'its parent is process ' || ppid end) as why
  from p)
select device, snapshot, exhibit, line, ps_exhibit as exhibit_2, ps_line as line_2, pid, shown_name, path, why,
  coalesce(path, shown_name) as program
from w
where why <> '' and (exe is not null or vsz_kb > 0 or cmdline like '[%] %')
  and (bracketed and (exe is not null or coalesce(vsz_kb, 0) > 0 or cmdline like '[%] %')
    -- the kernel's name without brackets: only when nothing else names the program
    or comm_like and coalesce(argv0, '') = '' and (exe is not null or vsz_kb > 0)
    or comm_like and exe is not null and base_name(exe) <> comm and coalesce(base_name(argv0), '') <> base_name(exe))
