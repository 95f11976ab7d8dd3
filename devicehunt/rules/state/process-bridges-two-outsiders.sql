/*
id: process-bridges-two-outsiders
title: "{name} holds a connection from {in_ip} and one to {out_ip}: it passes traffic between two hosts of the internet"
about: "A router forwards packets in the kernel. A program on it that accepts a connection from one outside host while it holds one to another is a relay, whatever its name, path or port."
check: C15
level: critical
core: true
platforms: [linux]
memory: true
needs:
  - {any: [{sockets@netstat: [state, pid, remote_ip]}, {sockets@ss: [state, pid, remote_ip]}, {all: [{sockets@proc: [state, inode, remote_ip]}, {open_files: [inode]}]}]}
key: [program]
subjects:
  - {type: process, pid: pid, name: name, exe: path, script: script}
  - {type: socket, proto: proto, local_port: in_port}
explained_by: [program]
attack: [T1090.002, T1090.003]
falsepositives:
  - "a reverse proxy or a mail relay that the owner runs on the device"
  - "VPN servers, file sharing and provider management, which speak with many outsiders by their nature (medium)"
references:
  - "MITRE ATT&CK T1090.003: multi-hop proxy; C0035 KV botnet"
  - "Lumen Black Lotus Labs: TheMoon and Faceless (2024), NSOCKS (2024)"
response: "Record both peers with their times: they are the operator's side and the target's side. Capture traffic upstream before you act. Then copy the program from /proc/PID/exe and isolate the device."
*/
with c as (select *, coalesce(script, path, name) as program from peers where outside and not loopback and pid is not null),
i as (select * from c where inbound), o as (select * from c where not inbound)
select i.device, i.snapshot, i.exhibit, i.line, o.exhibit as exhibit_2, o.line as line_2, i.process_exhibit as exhibit_3, i.process_line as line_3,
  i.program, i.pid, coalesce(i.name, '?') as name, i.path, i.script, i.proto, i.local_port as in_port, i.remote_ip as in_ip, o.remote_ip as out_ip,
  case
    -- who sent the first datagram does not show; and these speak with many by their nature
    when i.proto <> 'tcp' then 'medium'
    when is_wan_program(i.exe, i.argv0, i.name) and not is_volatile(i.path) then 'medium'
    when coalesce(i.name, '') in ('tailscaled', 'zerotier-one', 'openvpn', 'charon', 'transmission-da', 'transmission-daemon', 'aria2c', 'rtorrent', 'qbittorrent-nox', 'deluged', 'tor')
      and not is_volatile(i.path) then 'medium'
    when is_stock_program(i.exe, i.argv0, i.name) or is_owner_path(i.program) then 'high'
    else 'critical' end as level
from i join o on (o.device, o.snapshot, o.program) = (i.device, i.snapshot, i.program) and o.remote_ip <> i.remote_ip
  -- one process, or one of its family: the shell of a login may start the same file as a client
  and (o.pid = i.pid or o.pid = i.ppid or o.ppid = i.pid or o.ppid = i.ppid and i.ppid > 1)
qualify row_number() over (partition by i.device, i.snapshot, i.program order by i.proto, i.exhibit, i.line, o.exhibit, o.line) <= 3
