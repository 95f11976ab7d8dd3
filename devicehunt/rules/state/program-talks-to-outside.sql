/*
id: program-talks-to-outside
title: "{name} (process {pid}) holds a connection to {remote_ip}:{remote_port} outside, {why}"
about: "A reverse tunnel or a beacon opens no port: what shows is a program with a connection to the outside. Implants take the name and the place of a daemon that never calls anybody."
check: C17
level: medium
platforms: [linux]
memory: true
needs:
  - {any: [{sockets@netstat: [state, pid, remote_ip]}, {sockets@ss: [state, pid, remote_ip]}, {all: [{sockets@proc: [state, inode, remote_ip]}, {open_files: [inode]}]}]}
key: [program]
subjects:
  - {type: process, pid: pid, name: name, exe: path, script: script}
  - {type: peer, address: remote_ip, port: remote_port}
explained_by: [program, peer]
attack: [T1071, T1105]
falsepositives:
  - "cloud agents, dynamic DNS clients, speed tests, telemetry"
  - "a stock daemon that its owner made a client: a reverse proxy, a log that goes to a server outside (name it in the site file)"
references:
  - "CISA AA24-038A: Volt Typhoon hides behind compromised routers (2024)"
  - "MITRE ATT&CK T1071: application layer protocol"
response: "Ask the owner whether the program and its peer are known. Look the peer up from another machine, never from the device. Keep the program's file and memory."
*/
with c as (
  select *, coalesce(script, path, name) as program from peers
  where outside and not inbound and pid is not null and not loopback),
r as (select c.*, count(distinct remote_ip) over (partition by device, snapshot, program) as peer_count from c)
select device, snapshot, exhibit, line, process_exhibit as exhibit_2, process_line as line_2, program, pid, coalesce(name, '?') as name, path, script, remote_ip, remote_port,
  case when shell then 'and a shell has no connections of its own'
       when stock_daemon then 'although ' || coalesce(name, 'it') || ' is no client of anything' else 'which no program of this platform has to do' end as why,
  case when is_volatile(coalesce(script, path)) or shell then 'high'
       -- a daemon that serves the LAN and calls nobody; datagrams do not show who began
       when stock_daemon and proto = 'tcp' and remote_port not in (53, 853) then 'high'
       when stock or is_owner_path(path) then 'low' else 'medium' end as level
from (select *, is_stock_program(exe, argv0, name) as stock, is_stock_daemon(exe, argv0, name) as stock_daemon,
    -- a reverse shell: no script, and the connection is its own input. Scripts inherit what their daemon left open
    proto = 'tcp' and script is null and coalesce(regexp_full_match(base_name(argv0), '-?(sh|ash|bash|dash|zsh|ksh|hush)'), false)
      and (exe is null or regexp_full_match(base_name(exe), 'sh|ash|bash|dash|zsh|ksh|hush|busybox|toybox'))
      and not regexp_matches(coalesce(cmdline, ''), ' -c( |$)') as shell
  from r)
where (shell or not is_wan_program(exe, argv0, name))
  -- clients of a login on the device: somebody typed them (the arguments of a forwarding one are another rule's)
  and not (stock and base_name(argv0) in ('ssh', 'scp', 'dbclient', 'telnet') and ppid > 1)
qualify row_number() over (partition by device, snapshot, program order by exhibit, line) <= 1
