/*
id: process-name-does-not-fit
title: "process {pid} calls itself {argv0} but runs {exe}"
about: "argv[0] and the kernel's name can be set by the program; the link /proc/PID/exe is the kernel's own word for the file."
check: C02
level: high
platforms: [linux]
memory: true
needs:
  - {any: [{processes@proc: [exe, exe_status, argv0]}, {processes@walk: [exe, exe_status, argv0]}]}
key: [argv0, exe]
subjects:
  - {type: process, pid: pid, name: argv0, exe: exe}
explained_by: [program]
attack: [T1036.005, T1036.011]
falsepositives:
  - "multi-call programs and interpreters, which are left out by path and by their script"
references:
  - "Elastic Security Labs: BPFDoor picks the name of a daemon (2022)"
  - "MITRE ATT&CK T1036.011: overwrite process arguments"
response: "Copy /proc/PID/exe and compare it with the file that its name claims. Isolate the device before you stop the process."
*/
select p.device, p.snapshot, p.exhibit, p.line, p.ps_exhibit as exhibit_2, p.ps_line as line_2, p.pid, p.argv0, p.exe
from programs p
where p.exe is not null and not coalesce(p.exe_deleted, false) and not p.is_kernel
  and base_name(p.argv0) <> base_name(p.exe)
  -- the name that it claims is that of a stock daemon (with its path, or bare), and the file is no stock program under another name
  and exists(select 1 from (select path from known_listeners union select path from known_programs) k
    where k.path = p.argv0 or base_name(k.path) = p.argv0)
  -- one file under several names is a multi-call program
  and not exists(select 1 from programs q where (q.device, q.snapshot, q.exe) = (p.device, p.snapshot, p.exe) and base_name(q.argv0) <> base_name(p.argv0))
  and not regexp_matches(p.exe, '^/(usr/)?s?bin/(busybox|toybox|rc|dropbearmulti|dropbear|ubusd|procd|sh|ash|bash|dash|wpad|hostapd|wpa_supplicant|sshd)$')
  and not regexp_matches(p.exe, '/(lua|luajit|python|perl|php|ucode|tclsh|node|ruby|micropython)[0-9.]*(-cgi|-fpm|-cli)?$')
  and not exists(select 1 from known_programs k where k.path = p.exe)
