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
with s as (
  select device, snapshot, proto, local_port, view, min(local_ip) as local_ip, min(exhibit) as exhibit, arg_min(line, exhibit) as line
  from sockets where proto = 'tcp' and state = 'LISTEN' and local_port is not null group by device, snapshot, proto, local_port, view),
complete as (  -- views of which the whole list was read
  select device, snapshot, view, count(distinct exhibit) as reads from feeds
  where table_name = 'sockets' and usable and list_contains(string_split(columns, ','), 'local_port')
    -- tcp and tcp6 are two files: only both are the whole list
    and (view <> 'proc' or (select count(distinct stanza) filter (stanza similar to '.*tcp6?') >= 2 or bool_or(stanza like '%tcp_both')
        from feeds g where (g.device, g.snapshot) = (feeds.device, feeds.snapshot) and g.view = 'proc' and g.table_name = 'sockets' and g.usable))
  group by device, snapshot, view)
select s.device, s.snapshot, s.exhibit, s.line, s.proto, s.local_port, s.local_ip, s.view as seen_in, c.view as missing_in,
  -- a second read that agrees rules the race out; one read alone does not
  (select count(distinct x.exhibit) from sockets x where (x.device, x.snapshot, x.proto, x.local_port, x.view) = (s.device, s.snapshot, s.proto, s.local_port, s.view)
     and x.state = 'LISTEN') < 2 and not exists(select 1 from s t where (t.device, t.snapshot, t.proto, t.local_port) = (s.device, s.snapshot, s.proto, s.local_port) and t.view not in (s.view, c.view)) as race,
  'race: port ' || s.local_port || ' differs between ' || s.view || ' and ' || c.view || ', each read once' as race_reason
from s join complete c on (c.device, c.snapshot) = (s.device, s.snapshot) and c.view <> s.view
where not exists(select 1 from s t where (t.device, t.snapshot, t.proto, t.local_port, t.view) = (s.device, s.snapshot, s.proto, s.local_port, c.view))
