/*
id: raw-or-packet-socket
title: "{name} (process {pid_text}) holds a {kind} socket"
about: "Raw and packet sockets see traffic that is not addressed to a port: sniffers and magic-packet backdoors wait on them without a listener."
check: C25
level: high
core: true
platforms: [linux]
memory: true
needs:
  - {any: [sockets@netstat, sockets@ss, {all: [sockets@proc, {open_files: [inode]}]}]}
key: [name, kind]
subjects:
  - {type: process, pid: pid, name: name, exe: path}
  - {type: socket, proto: proto, local_port: protocol}
explained_by: [program, tunnel]
attack: [T1205.002, T1040]
falsepositives:
  - "DHCP, PPPoE, LLDP, Wi-Fi and routing daemons, which are left out by name and path"
references:
  - "Lumen Black Lotus Labs: J-magic, Cuttlefish (2024, 2025)"
  - "Elastic Security Labs: BPFDoor (2022)"
  - "Mandiant: SEASPY on Barracuda ESG (2023)"
response: "Copy the program and its memory. `ss -0bp` shows the attached filter: keep it. A port scan finds nothing; watch the device's traffic from outside."
*/
with s as (
  select s.*, coalesce(s.pid, f.pid) as owner, case when s.proto like 'raw%' or s.proto like 'icmp%' then 'raw' else 'packet' end as kind
  from sockets s left join (select device, snapshot, inode, min(pid) as pid from open_files where inode > 0 group by all) f
    on (f.device, f.snapshot, f.inode) = (s.device, s.snapshot, s.inode) and s.inode > 0
  where s.proto in ('raw', 'packet', 'p_raw', 'p_dgr') or s.proto = 'raw6'),
p as (
  select s.*, g.exe, g.path, g.cmdline, g.exhibit as g_exhibit, g.line as g_line, coalesce(g.name, nullif(s.process, ''), '(unknown program)') as program_name, g.argv0
  from s left join programs g on (g.device, g.snapshot, g.pid) = (s.device, s.snapshot, s.owner))
select device, snapshot, min(exhibit) as exhibit, arg_min(line, exhibit) as line, max(g_exhibit) as exhibit_2, max(g_line) as line_2, program_name as name, kind, owner as pid,
  coalesce(owner::varchar, 'unknown') as pid_text, max(path) as path, min(proto) as proto, max(local_port) as protocol,
  case when owner is null then 'low' when is_volatile(max(path)) then 'critical' else 'high' end as level
from p
where not exists(select 1 from known_patterns k where k.kind = 'packet-socket-program'
    and (k.pattern in (p.path, p.program_name, base_name(p.argv0)) and (p.exe is null or not is_volatile(p.exe))))
  and (owner is not null or not exists(select 1 from p q where (q.device, q.snapshot, q.kind) = (p.device, p.snapshot, p.kind) and q.owner is not null))
group by device, snapshot, program_name, kind, owner
