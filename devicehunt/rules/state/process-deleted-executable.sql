/*
id: process-deleted-executable
title: "process {pid} ({name}) runs from a file that no longer exists: {exe}"
about: "Implants delete their file after the start and live in memory only; a reboot then removes every trace."
check: C03
level: high
core: true
platforms: [linux]
memory: true
needs:
  - {any: [{processes@proc: [exe, exe_status]}, {processes@walk: [exe, exe_status]}]}
key: [exe]
subjects:
  - {type: process, pid: pid, name: name, exe: exe}
explained_by: [program]
attack: [T1070.004, T1620]
falsepositives:
  - "a daemon whose package was upgraded while it ran: its path is the platform's own (medium)"
  - "sealed anonymous files of container helpers"
references:
  - "Lumen Black Lotus Labs: KV-botnet deletes its files and stays in memory (2024)"
  - "Elastic Security Labs: BPFDoor runs from a deleted file in /dev/shm (2022)"
response: "Copy /proc/PID/exe now: it still is the program. Keep /proc/PID/maps, fd and environ. Only then isolate; never reboot first."
*/
select p.device, p.snapshot, p.exhibit, p.line, p.ps_exhibit as exhibit_2, p.ps_line as line_2, p.pid, p.name, p.exe, p.script,
  case
    when regexp_matches(p.exe, '^/?memfd:(runc|crun|libcrun)') and regexp_matches(coalesce(p.cmdline, ''), '^(\S*/)?(runc|crun|podman|lxc-\w+) ') then 'low'
    when regexp_matches(p.exe, '^/?memfd:') then 'critical'
    when is_volatile(p.exe) then 'critical'
    when is_owner_path(p.exe) then 'medium'
    when exists(select 1 from known_programs k where k.path = p.exe) or exists(select 1 from known_listeners k where k.path = p.exe) then 'medium'
    else 'high' end as level
from programs p
where p.exe_deleted or regexp_matches(coalesce(p.exe, ''), '^/?memfd:')
