/*
id: listener-hidden
title: "{proto} port {local_port} listens in {seen_in} but {missing_in} does not show it"
about: "netstat and ss are programs on the device, /proc/net is the kernel's list. When they differ, one of them was told to."
check: C32
level: high
core: true
platforms: [linux]
needs:
  - {sockets@proc: [local_port, state]}
  - {any: [{sockets@netstat: [local_port, state]}, {sockets@ss: [local_port, state]}]}
key: [proto, local_port, missing_in]
subjects:
  - {type: socket, proto: proto, local_ip: local_ip, local_port: local_port}
attack: [T1014, T1564]
falsepositives:
  - "a service that began or ended between the two reads: repeat the collection"
references:
  - "devicehunt intel C32: cross-view disagreement"
response: "Repeat both reads. If they still differ, do not trust the device's tools; scan the port from outside and secure memory first."
*/
with reads as (  -- every list of sockets that was read to its end, in the order of collection
  select f.device, f.snapshot, f.exhibit, f.line, f.view, f.stanza, e.seq, e.end_proof <> 'none' as proven
  from feeds f join exhibits e using (device, snapshot, exhibit, line)
  where f.table_name = 'sockets' and f.usable and f.view in ('netstat', 'ss', 'proc') and list_contains(string_split(f.columns, ','), 'local_port')),
seen as (
  select s.device, s.snapshot, s.local_port, s.local_ip, s.exhibit, s.line, r.view, r.seq
  from sockets s join reads r on (r.device, r.snapshot, r.exhibit, r.view) = (s.device, s.snapshot, s.exhibit, s.view) and r.line <= s.line
  where s.proto = 'tcp' and s.state = 'LISTEN' and s.local_port is not null
  qualify r.line = max(r.line) over (partition by s.device, s.snapshot, s.exhibit, s.line)),
whole as (  -- views that show listeners at all (`netstat -tn` does not), of /proc both files
  select distinct device, snapshot, view from reads r
  where exists(select 1 from seen s where (s.device, s.snapshot, s.view) = (r.device, r.snapshot, r.view))
    and (view <> 'proc' or (select count(distinct q.stanza) + count(distinct q.stanza) filter (q.stanza like '%_both') from reads q
      where (q.device, q.snapshot, q.view) = (r.device, r.snapshot, 'proc') and regexp_matches(q.stanza, 'tcp(6|_both)?$')) >= 2)),
p as (
  select device, snapshot, view, local_port, min(local_ip) as local_ip, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line
  from seen group by device, snapshot, view, local_port)
select p.device, p.snapshot, p.exhibit, p.line, 'tcp' as proto, p.local_port, p.local_ip, p.view as seen_in, w.view as missing_in,
  -- seen before a list that misses it and after it: then it was there in between
  not exists(select 1 from reads x where (x.device, x.snapshot, x.view) = (w.device, w.snapshot, w.view) and x.proven
    and exists(select 1 from seen s where (s.device, s.snapshot, s.local_port) = (p.device, p.snapshot, p.local_port) and s.seq < x.seq)
    and exists(select 1 from seen s where (s.device, s.snapshot, s.local_port) = (p.device, p.snapshot, p.local_port) and s.seq > x.seq)) as race,
  'race: port ' || p.local_port || ' is in ' || p.view || ' and not in ' || w.view || ', and no read before and after shows it' as race_reason
from p join whole w on (w.device, w.snapshot) = (p.device, p.snapshot) and w.view <> p.view
where not exists(select 1 from seen s where (s.device, s.snapshot, s.view, s.local_port) = (p.device, p.snapshot, w.view, p.local_port))
