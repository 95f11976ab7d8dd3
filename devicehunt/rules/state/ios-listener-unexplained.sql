/*
id: ios-listener-unexplained
title: "{process} listens on {proto} {local_ip}:{local_port}, and {why}"
about: "What listens on IOS stands in its configuration, or is one of few services that it starts by itself. A listener that is neither was opened at the console, by a script, or by a changed image."
check: C01
level: medium
platforms: [cisco_ios]
needs:
  - any:
      - {sockets@open-ports: [proto, state, local_port]}
      - {sockets@ip-ports: [proto, state, local_port]}
      - {all: [{sockets@tcp-brief: [state, local_ip, local_port]}, {any: [{sockets@udp: [proto, local_port]}, {sockets@ip-sockets: [proto, local_port]}]}]}
  - {settings@config: [path]}
key: [proto, local_port]
subjects:
  - {type: socket, proto: proto, local_ip: local_ip, local_port: local_port}
explained_by: [listener]
attack: [T1571, T1090.001, T1059.008]
falsepositives:
  - "a service that the list of statements and ports does not know yet"
  - "a well-known UDP port that IOS opens although nothing names it (low)"
references:
  - "Cisco: IOS Software Forensic Data Collection Procedures: show control-plane host open-ports, show tcp brief all"
  - "CISA AA25-239A: services on ports of their own; Tcl scripts such as TCLproxy.tcl (2025)"
  - "Cisco: IOS Scripting with Tcl Configuration Guide: a script may serve a socket"
response: "Do not reload. Keep show tcp brief all, show processes, show event manager policy registered and the files on flash. Ask the owner, then close the port by an access list and see what calls it."
*/
with l as (  -- several commands show the same socket
  select device, snapshot, proto, local_port, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, arg_min(local_ip, (exhibit, line)) as local_ip, max(process) as process
  from sockets
  where view in ('open-ports', 'ip-ports', 'tcp-brief', 'ip-sockets', 'udp') and local_port > 0
    and (proto = 'tcp' and state = 'LISTEN' or proto = 'udp' and state in ('UNCONN', 'LISTEN'))
    and not coalesce(local_ip like '127.%' or local_ip = '::1', false)
  group by device, snapshot, proto, local_port),
k as (
  select l.device, l.snapshot, l.proto, l.local_port, count(p.pattern) > 0 as known, bool_or(p.label is null) filter (p.pattern is not null) as by_itself
  from l left join known_patterns p on p.kind = 'service-statement' and p.pattern = l.proto || '/' || l.local_port group by all),
s as (
  select device, snapshot, path from settings where view = 'config' and value = 'yes'),
said as (  -- a statement that is known for this port, or one that names the number
  select distinct l.device, l.snapshot, l.proto, l.local_port from l
  join known_patterns p on p.kind = 'service-statement' and p.pattern = l.proto || '/' || l.local_port and p.label is not null
  join s on (s.device, s.snapshot) = (l.device, l.snapshot) and regexp_matches(s.path, p.label)
  union
  select l.device, l.snapshot, l.proto, n.port from l
  join (select distinct device, snapshot, unnest(regexp_extract_all(path, '\b(?:port|secure-port|tcp-connect|udp-echo)s? (\d{2,5})\b', 1))::integer as port from s) n
    on (n.device, n.snapshot, n.port) = (l.device, l.snapshot, l.local_port)),
lines as (  -- a serial line that takes connections in listens by its number, above 2000, 4000, 6000 and 9000; a rotary group above 3000, 5000, 7000 and 10000
  select device, snapshot, bool_or(regexp_matches(path, '^line (aux|tty|\d\S*).* > (transport input|modem)')) as serial, bool_or(contains(path, ' > rotary ')) as rotary
  from s where path like 'line %' group by device, snapshot),
u as (
  select l.device, l.snapshot, l.exhibit, l.line, l.proto, l.local_ip, l.local_port, coalesce(l.process, 'something') as process, k.known,
    coalesce(regexp_matches(l.process, '(?i)\btcl'), false) as script,
    coalesce(regexp_matches(l.process, '(?i)\bssh'), false) and l.local_port <> 22 as ssh
  from l join k using (device, snapshot, proto, local_port)
  left join lines n on (n.device, n.snapshot) = (l.device, l.snapshot)
  where coalesce(not k.by_itself, true)
    and not exists(select 1 from said where (said.device, said.snapshot, said.proto, said.local_port) = (l.device, l.snapshot, l.proto, l.local_port))
    and not (l.proto = 'tcp' and coalesce(n.serial, false) and (l.local_port between 2000 and 2999 or l.local_port between 4000 and 4999 or l.local_port between 6000 and 6999 or l.local_port between 9000 and 9999))
    and not (l.proto = 'tcp' and coalesce(n.rotary, false) and (l.local_port between 3000 and 3999 or l.local_port between 5000 and 5999 or l.local_port between 7000 and 7999 or l.local_port between 10000 and 10999)))
select device, snapshot, exhibit, line, process, proto, local_ip, local_port,
  case when script then 'a script of Tcl serves it' when ssh then 'the configuration gives SSH no such port'
       when known then 'no statement of the configuration switches that service on' else 'no statement of the configuration names it' end as why,
  case when script or ssh then 'high' when proto = 'tcp' then 'medium' else 'low' end as level
from u
-- the port of a client of UDP looks like a listener
where script or ssh or not (proto = 'udp' and local_port >= 32768)
