/*
id: proxy-by-arguments
title: "process {pid} ({name}) was started as a proxy or tunnel: {reason}"
about: "What a program is called is the attacker's choice; what it is told to do is not. These arguments make a forwarder, a reverse tunnel or a proxy."
check: C09
level: high
core: true
platforms: [linux]
memory: true
needs: [programs]
key: [program, label]
subjects:
  - {type: process, pid: pid, name: name, exe: path, script: script}
explained_by: [program, tunnel]
attack: [T1090, T1572]
falsepositives:
  - "a VPN or proxy that the owner set up; name its program, tunnel or port in the site file"
references:
  - "CISA AA23-144A: Volt Typhoon uses port proxies, EarthWorm and FRP (2023)"
  - "Manual pages of OpenSSH, dropbear dbclient, socat, shadowsocks-libev, iodine, dns2tcp"
response: "The arguments name the operator's host and the local target: write them down. Copy the program from /proc/PID/exe, then isolate the device."
*/
select p.device, p.snapshot, p.exhibit, p.line, p.ps_exhibit as exhibit_2, p.ps_line as line_2, p.pid, p.name, p.path, p.script,
  coalesce(p.script, p.path, p.name) as program, k.label, k.reason,
  case when k.label in ('vpn', 'vpn-client') then 'medium' else 'high' end as level
from programs p join known_patterns k on k.kind = 'proxy-arguments' and regexp_matches(p.cmdline, k.pattern)
where not p.is_kernel
