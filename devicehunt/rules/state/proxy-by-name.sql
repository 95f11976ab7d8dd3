/*
id: proxy-by-name
title: "{name} (process {pid}) is a {label} tool"
about: "A proxy or tunnel tool by its own name. A name alone proves nothing: what it can be reached from and what it talks to decides the level."
check: C09
level: medium
core: true
platforms: [linux]
memory: true
needs: [programs]
key: [program]
subjects:
  - {type: process, pid: pid, name: name, exe: path}
  - {type: socket, proto: proto, local_ip: local_ip, local_port: local_port}
explained_by: [program, listener, tunnel]
attack: [T1090, T1572]
falsepositives:
  - "a proxy or VPN that the owner set up for the LAN"
references:
  - "CISA AA23-144A: Volt Typhoon uses FRP and EarthWorm (2023)"
  - "MITRE ATT&CK T1090: proxy"
response: "Ask the owner. If nobody knows it, keep its file, arguments and configuration, note its peers, and isolate the device."
*/
with n as (
  select p.*, k.label, l.proto, l.local_ip, l.local_port, l.exhibit as l_exhibit, l.line as l_line,
    exists(select 1 from reach r where (r.device, r.snapshot, r.proto, r.port) = (l.device, l.snapshot, l.proto, l.local_port) and r.from_side = 'wan' and r.answer = 'open') as from_wan
  from programs p join known_patterns k on k.kind = 'proxy-program' and k.pattern in (base_name(p.exe), base_name(p.argv0), p.comm)
  left join listeners l on (l.device, l.snapshot, l.pid) = (p.device, p.snapshot, p.pid)
  where not p.is_kernel)
select device, snapshot, exhibit, line, l_exhibit as exhibit_2, l_line as line_2, ps_exhibit as exhibit_3, ps_line as line_3,
  coalesce(path, name) as program, pid, name, path, label, proto, local_ip, local_port,
  case when from_wan or is_volatile(path) then 'high' else 'medium' end as level
from n
qualify row_number() over (partition by device, snapshot, coalesce(path, name), proto, local_ip, local_port order by pid) = 1
