/*
id: device-calls-at-rhythm
title: "{who} calls {peer_ip} port {peer_port}/{proto} every {wait_text}, {calls} times{rare_text}{host_text}; score {score}: {explained}; calls at random times are as even once in 10^{regular}"
about: "An implant asks its operator for work at a rhythm. So do clocks, dynamic names, cloud agents and monitoring: this is a ranking of what the device calls by itself, and high only where the host tells the same."
check: C17
level: medium
needs: [{any: [{connections@packets: [orig_ip, resp_ip, first_at, oriented, resp_port]}, {connections@exporter: [orig_ip, resp_ip, first_at]}, {connections@zeek: [orig_ip, resp_ip, first_at]}]}, own_addresses]
key: [node, proto, peer_ip, peer_port]
subjects:
  - {type: peer, address: peer_ip, port: peer_port}
explained_by: [peer]
attack: [T1071, T1029]
falsepositives:
  - "the vendor's cloud, an update check, dynamic DNS, TR-069, monitoring, a VPN that keeps itself alive (name the peer in the site file)"
  - "on a capture of the WAN alone: a thing in the LAN that calls its maker (low there)"
references:
  - "Active Countermeasures: RITA, how beacons are scored"
  - "P. A. P. Moran, The random division of an interval (JRSS B 1951)"
  - "MITRE ATT&CK T1029: scheduled transfer"
response: "Ask the owner what the peer is. Find the program behind it on the device (sockets at the time of a call, jobs, start scripts) and look at the peer's certificate and names."
*/
with b as (
  select b.*, l.exhibit, l.line from beacons b join legs l on l.id = b.first_leg
  where b.feed in ('packets', 'exporter', 'zeek')),
named as (   -- the configuration names the peer, by its address or by a name that was answered with it
  select distinct device, snapshot, address as peer_ip from named_peers
  union select q.device, q.snapshot, a.answer from (select distinct device, snapshot, name, unnest(string_split(answers, ',')) as answer from dns_queries where answers <> '') a
    join dns_queries q on (q.device, q.snapshot, q.name) = (a.device, a.snapshot, a.name)
    where length(a.name) > 3 and exists(select 1 from settings s where (s.device, s.snapshot) = (a.device, a.snapshot) and contains(lower(s.value), lower(rtrim(a.name, '.'))))),
hosted as (  -- a program of the device that holds a connection to the peer or has it in its arguments, and should not be there
  select p.device, p.snapshot, t.peer_ip, min(p.exhibit) as exhibit, arg_min(p.line, (p.exhibit, p.line)) as line, min(coalesce(p.path, p.name)) as program
  from programs p join (
    select s.device, s.snapshot, s.remote_ip as peer_ip, s.pid from sockets s where s.pid is not null and s.remote_ip is not null
    union select p.device, p.snapshot, b.peer_ip, p.pid from processes p join b using (device, snapshot)
      where contains(' ' || translate(p.cmdline, ':/=,', '    ') || ' ', ' ' || b.peer_ip || ' ')) t using (device, snapshot, pid)
  where is_volatile(p.path) or coalesce(p.exe_deleted, false)
  group by p.device, p.snapshot, t.peer_ip)
select b.device, b.snapshot, b.exhibit, b.line, h.exhibit as exhibit_2, h.line as line_2, b.node, b.proto, b.peer_ip, b.peer_port, b.calls, b.score, b.explained,
  case when b.origin = 'self' then 'the device itself' else 'the device (or a host behind it)' end as who, printf('%.4g s', b.wait_s) as wait_text,
  case when b.fleet > 1 and b.rare then ', a peer of ' || b.devices || ' of ' || b.fleet || ' devices' when b.fleet > 1 then ', as ' || b.devices || ' of ' || b.fleet || ' devices do' else '' end as rare_text,
  case when h.program is not null then ', by ' || h.program when n.peer_ip is not null then ' (the configuration names it)' else '' end as host_text,
  floor(b.regular)::bigint as regular,
  case when h.program is not null and b.origin = 'self' then 'high' when n.peer_ip is not null or b.origin <> 'self' or not b.rare then 'low' else 'medium' end as level
from b left join hosted h using (device, snapshot, peer_ip) left join named n using (device, snapshot, peer_ip)
union all by name
select device, snapshot, true as race, string_agg(distinct concat(case feed when 'packets' then 'the capture' when 'exporter' then 'the flow records' else feed end, ': ', coalesce(blind, short)), '; ') as race_reason
from sights group by device, snapshot having bool_and(blind is not null or short is not null)
