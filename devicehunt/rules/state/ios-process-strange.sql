/*
id: ios-process-strange
title: "process {pid} ({name}) in the Linux below: {why}"
about: "IOS-XE runs on Linux, and the daemons of the platform hang below one supervisor. BADCANDY lived in the web server; a tool that listens, dials out or records has no place there."
check: C02
level: medium
platforms: [cisco_ios]
memory: true
needs: [{processes@platform: [pid, ppid, comm]}]
key: [name, why]
subjects:
  - {type: process, pid: pid, name: name}
explained_by: [program]
attack: [T1036.005, T1059.004, T1505.003]
falsepositives:
  - "a shell of the vendor's support (request platform software system shell)"
  - "a capture that runs on a switch, which starts dumpcap"
references:
  - "Cisco: CVE-2023-20198 and CVE-2023-20273, the implant in the web server (2023)"
  - "Cisco: IOS XE Software Forensic Investigation Procedures for First Responders"
response: "Do not reload. Look at its memory map (show platform software process memory ... name ... maps), collect tracelogs and system_shell logs, then follow the vendor's forensic guide."
*/
with p as (
  select p.device, p.snapshot, p.exhibit, p.line, p.pid, p.ppid, p.comm as name, q.comm as parent,
    coalesce(p.ppid in (0, 2) and p.pid <> 1, false) as kernel, regexp_matches(p.comm, '^(ba|a|da|z|k|c|tc)?sh$') as shell
  from processes p left join processes q on (q.device, q.snapshot, q.exhibit, q.pid) = (p.device, p.snapshot, p.exhibit, p.ppid) and q.view = 'platform'
  where p.view = 'platform' and p.comm is not null
  qualify row_number() over (partition by p.device, p.snapshot, p.exhibit, p.line order by q.line) = 1),
w as (
  select *, case
    when kernel then null
    when regexp_matches(name, '^\[|^(kworker/|kthreadd|ksoftirqd|migration/|rcu_|kswapd|jbd2/|scsi_eh|watchdog/|kblockd|cpuhp/|kauditd|khungtaskd|irq/)') then 'it poses as a thread of the kernel'
    when regexp_matches(parent, '^(nginx|httpd|lighttpd|php.*)$') and name <> parent then 'the web server started it'
    when starts_with(name, '.') then 'its name is hidden'
    when regexp_matches(name, '^(nc|ncat|netcat|socat|dropbear|telnetd|microsocks|3proxy|frpc|frps|chisel|gost|iodine|openvpn|wireguard-go|tor|reverse|meterpreter|masscan|nmap|proxychains4?)$') then 'it opens ways in or out'
    when regexp_matches(name, '^(curl|wget|tftp|ftp|scp|ssh|rsync|dbclient)$') then 'it fetches or sends'
    when regexp_matches(name, '^(tcpdump|dumpcap|tshark|gdb|gdbserver|strace|ltrace)$') then 'it records'
    when shell and regexp_matches(coalesce(parent, ''), '^(python\d?|perl|lua\w*|php\S*|linux_iosd-imag.*)$') then 'a shell that ' || parent || ' started'
    when shell then 'a shell' end as why
  from p),
u as (  -- no published list has it
  select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, arg_min(pid, (exhibit, line)) as pid, name from w
  where why is null and not kernel and not regexp_matches(name, '^(loop|nbd|flush-|sirq-|nfsd|lockd|lsmpi-|jbd2)') and not exists(
    select 1 from known_patterns k where k.platform = 'cisco_ios' and k.kind = 'program-name' and left(k.pattern, 15) = left(name, 15))
  group by device, snapshot, name)
select device, snapshot, exhibit, line, pid, name, why,
  case when why in ('it poses as a thread of the kernel', 'the web server started it', 'it opens ways in or out', 'its name is hidden') or why like 'a shell that%' then 'high' else 'medium' end as level
from w where why is not null
union all
select device, snapshot, min(exhibit), arg_min(line, (exhibit, line)), arg_min(pid, (exhibit, line)), string_agg(name, ', ' order by name), case when count(*) = 1 then 'no published list has it' else 'no published list has these ' || count(*) end, 'low'
from u group by device, snapshot
