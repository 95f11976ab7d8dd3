/*
id: ssh-server-reaches-out
title: "the SSH server (process {pid}) holds a connection to {remote_ip}:{remote_port}: a login forwards traffic through it"
about: "An SSH server answers; it opens connections only for a client that asked for forwarding (ssh -D, -L, -W). From an outside login this is a ready-made proxy that needs no file."
check: C09
level: critical
core: true
platforms: [linux]
memory: true
needs:
  - {any: [{sockets@netstat: [state, pid, remote_ip]}, {sockets@ss: [state, pid, remote_ip]}, {all: [{sockets@proc: [state, inode, remote_ip]}, {open_files: [inode]}]}]}
key: [program, outside]
subjects:
  - {type: process, pid: pid, name: name, exe: path}
attack: [T1572, T1090.001]
falsepositives:
  - "an administrator who uses the router as a jump host from inside (medium)"
references:
  - "advancedtomato issue 255: a router that relays through its own SSH with forwarding"
  - "MITRE ATT&CK T1572: protocol tunneling"
response: "Note the login that drives it (the connection to port 22 of the same process) and the targets. Change keys and passwords, switch TCP forwarding off, and look for keys that the owner does not know."
*/
with s as (
  select p.* from peers p
  where p.proto = 'tcp' and not p.loopback and p.pid is not null
    and (p.name in ('dropbear', 'sshd', 'sshd-session') or exists(
      select 1 from listeners l where (l.device, l.snapshot) = (p.device, p.snapshot) and l.path = p.path and l.name in ('dropbear', 'sshd')))
    -- the client may be the same file: a login typed `ssh`
    and coalesce(base_name(p.argv0), '') not in ('ssh', 'scp', 'sftp', 'dbclient')),
o as (select * from s where not inbound), i as (select * from s where inbound)
select o.device, o.snapshot, o.exhibit, o.line, i.exhibit as exhibit_2, i.line as line_2, o.process_exhibit as exhibit_3, o.process_line as line_3,
  coalesce(o.path, o.name) as program, o.outside, o.pid, o.name, o.path, o.remote_ip, o.remote_port,
  case when i.outside and o.outside then 'critical' when i.outside then 'high'
       when i.pid is not null then 'medium' when o.outside then 'high' else 'medium' end as level
from o left join i on (i.device, i.snapshot) = (o.device, o.snapshot) and (i.pid = o.pid or i.pid = o.ppid or i.ppid = o.pid)
qualify row_number() over (partition by o.device, o.snapshot, o.outside, coalesce(o.path, o.name) order by i.outside desc nulls last, o.exhibit, o.line, i.line) <= 4
