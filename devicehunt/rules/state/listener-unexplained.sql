/*
id: listener-unexplained
title: "{name} listens on {proto} {local_ip}:{local_port} and nothing explains it ({answer} from the WAN)"
about: "Most relay implants wait for their operator on a port of their own. A listener that is neither the platform's own program at its own path nor configured by anything must be explained by the owner."
check: C01
level: medium
core: true
platforms: [linux]
needs: [owned_listeners]
key: [subject_key, proto, local_port]
subjects:
  - {type: process, pid: pid, name: name, exe: path, script: script}
  - {type: socket, proto: proto, local_ip: local_ip, local_port: local_port}
explained_by: [listener]
attack: [T1571, T1090.001]
falsepositives:
  - "a vendor daemon or an installed package that the platform's list of stock listeners lacks"
  - "the UDP port of a client (DNS, NTP, VPN), which is low unless the firewall opens it"
  - "a port that the running configuration names (medium when it is open, low else)"
references:
  - "Lumen Black Lotus Labs: KV-botnet listens on a random TCP port above 30000 (2024)"
  - "Sekoia: Quad7 botnet listeners 7777, 11288, 63256 (2024)"
  - "GreyNoise: AyySSHush, SSH on TCP 53282 of ASUS routers (2025)"
response: "Do not stop the process yet. Copy /proc/PID/exe, /proc/PID/maps and /proc/PID/environ off the device, note its open connections, then block the port upstream and ask the owner whether the service is theirs."
*/
with r as (  -- of several families the widest answer
  select device, snapshot, proto, port, address, max_by(answer, rank) as answer, max_by(exhibit, rank) as exhibit, max_by(line, rank) as line, max_by(by_rule, rank) as by_rule
  from (select *, row(case answer when 'open' then 4 when 'restricted' then 3 when 'unknown' then 2 else 1 end, exhibit, line) as rank from reach where from_side = 'wan')
  group by all),
l as (
  select l.*, coalesce(l.script, l.path, l.name) as subject_key,
    coalesce(r.answer, case when l.loopback then 'closed' else 'unknown' end) as answer, r.exhibit as r_exhibit, r.line as r_line, coalesce(r.by_rule, false) as by_rule,
    coalesce(w.public, true) as public,
    (select min(s.path) from settings s where (s.device, s.snapshot) = (l.device, l.snapshot) and s.view in ('uci', 'nvram', 'config')
       and regexp_matches(s.path, '(?i)(port\d*|listen\w*)$') and (s.value = l.local_port::varchar or ends_with(s.value, ':' || l.local_port))) as configured,
    -- the kernel's own socket of a tunnel has no owner; without -p no socket has one
    l.proto = 'udp' and l.pid is null and l.name is null
      and exists(select 1 from sides t where (t.device, t.snapshot, t.side) = (l.device, l.snapshot, 'vpn'))
      and exists(select 1 from listeners o where (o.device, o.snapshot) = (l.device, l.snapshot) and o.pid is not null) as of_a_tunnel
  from listeners l
  left join r on (r.device, r.snapshot, r.proto, r.port, r.address) = (l.device, l.snapshot, l.proto, l.local_port, l.local_ip)
  left join wan_sides w on (w.device, w.snapshot) = (l.device, l.snapshot)
  where not l.stock
    and not exists(select 1 from services s where (s.device, s.snapshot, s.proto, s.port) = (l.device, l.snapshot, l.proto, l.local_port)))
select device, snapshot, exhibit, line, process_exhibit as exhibit_2, process_line as line_2,
  case when answer in ('open', 'restricted') then r_exhibit end as exhibit_3, case when answer in ('open', 'restricted') then r_line end as line_3,
  subject_key, coalesce(name, '(unknown program)') as name, pid, path, script, proto, local_ip, local_port, answer,
  case
    -- a client's UDP port looks like a listener; only an opening in the firewall makes it one
    when proto = 'udp' and local_port >= 32768 and not (answer = 'open' and by_rule) then 'info'
    when loopback then 'low'
    when is_volatile(coalesce(script, path)) then 'high'
    -- the configuration explains how, the owner why
    when answer = 'open' and (configured is not null or of_a_tunnel) then 'medium'
    -- nothing filters: the whole box stands open, or what is called WAN is somebody's LAN
    when answer = 'open' and not by_rule and not public then 'medium'
    when answer = 'open' then 'high'
    when answer = 'restricted' then 'medium'
    when stock_program or configured is not null then 'low'
    when answer = 'closed' and (is_owner_path(path) or regexp_matches(path, '^/(usr/(local/)?)?(s?bin|lib|libexec)/')) then 'low'
    else 'medium' end as level,
  case when configured is not null then 'running' end as explained_by,
  case when configured is not null then 'configured by ' || configured end as explanation
from l
where not (proto = 'udp' and pid is null and local_port >= 32768 and not (answer = 'open' and by_rule))
