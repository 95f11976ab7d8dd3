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
  - "ps prints [name] for zombies and for programs that emptied their arguments; those are left out while they keep their own name"
references:
  - "Lumen Black Lotus Labs: KV-botnet renames itself to [kworker/0:1] (2024)"
  - "UK NCSC: Cyclops Blink runs as [kworker:0/1] (2022)"
  - "Lumen Black Lotus Labs: J-magic runs as [nfsiod 0] (2025)"
response: "Copy /proc/PID/exe and /proc/PID/maps before anything else: the file is often deleted and memory is all there is. Do not reboot. Then isolate the device at the switch."
*/
with p as (
  select p.*, coalesce(case when argv0 like '[%' then argv0 end, case when comm like '[%' then comm end,
      case when regexp_matches(comm, '^(kworker|ksoftirqd|kswapd\d|kthreadd|migration/|rcu_|khugepaged|kcompactd|kdevtmpfs|kauditd|khungtaskd|oom_reaper|kblockd)') then comm end, argv0, comm) as shown_name,
    -- names that no program of userland has
    regexp_matches(concat_ws(' ', comm, argv0), '(^| |\[)(kworker|ksoftirqd|kswapd\d|kthreadd|migration/|rcu_|khugepaged|kcompactd|kdevtmpfs|kauditd|khungtaskd|oom_reaper|kblockd)') as only_kernel,
    exists(select 1 from known_patterns k where k.kind = 'kernel-thread'
      and (regexp_full_match(trim(coalesce(p.comm, ''), '[]'), k.pattern) or p.argv0 like '[%' and regexp_full_match(trim(p.argv0, '[]'), k.pattern))) as like_kernel,
    -- brackets that the process put there itself: ps puts them only round a name without arguments
    coalesce(own_argv0 like '[%' or comm like '[%' or regexp_matches(cmdline, '^\[[^\]]*\] \S') and not (state is null and cmdline like '%<defunct>'), false) as self_bracketed,
    coalesce(p.argv0 like '[%' or coalesce(p.argv0, '') = '', false) as nameless,
    exists(select 1 from programs k where (k.device, k.snapshot, k.pid) = (p.device, p.snapshot, 2) and 'kthreadd' in (k.comm, trim(k.argv0, '[]'))) as has_kthreadd
  from programs p where not p.is_kernel and coalesce(p.state, '') not like 'Z%'),
w as (
  select *, concat_ws(', ',
      case when exe is not null then 'its executable is ' || exe || case when exe_deleted then ' (deleted)' else '' end end,
      case when exe is null and vsz_kb > 0 then 'it has ' || vsz_kb || ' kB of memory' end,
      case when exe is null and self_bracketed then 'it has arguments' end,
      case when exe is null and has_kthreadd and ppid not in (0, 2) then 'its parent is process ' || ppid end) as why
  from p)
select device, snapshot, exhibit, line, ps_exhibit as exhibit_2, ps_line as line_2, pid, shown_name, path, why,
  coalesce(path, shown_name) as program,
  case when only_kernel or self_bracketed or like_kernel and exe is not null then 'critical' else 'high' end as level
from w
where why <> '' and (self_bracketed or only_kernel
  -- the kernel's name, and arguments emptied so that nothing else names the program
  or like_kernel and nameless and coalesce(base_name(exe) <> comm, true)
  or nameless and exe is not null and base_name(exe) <> comm and base_name(exe) not in ('busybox', 'toybox')
    and exe not like '/memfd:%' and not exists(select 1 from known_programs k where k.path = w.exe))
