/*
id: socket-hidden-from-list
title: "the wire shows {what}, and the device's own list of sockets, taken meanwhile, does not{note}"
about: "A connection that the device itself answers or keeps has a socket. A list that leaves it out was told to, or the packets are caught below the sockets."
check: C32
level: high
needs: [{connections@packets: [orig_ip, resp_ip, resp_port, oriented]}, listeners, own_addresses]
key: [kind, proto, port, far]
subjects:
  - {type: socket, proto: proto, local_port: local_port}
  - {type: peer, address: peer_ip, port: peer_port}
explained_by: [listener]
attack: [T1014, T1564, T1205.002]
falsepositives:
  - "clocks of the capture and of the list that differ by more than the ten seconds allowed here"
  - "a port that a NAT rule hands on (not told where the NAT rules show it; medium where they were not collected)"
references:
  - "devicehunt intel C32: cross-view disagreement"
  - "Trend Micro: BPFDoor redirects a port to a shell while it runs (2022)"
response: "Take the list again while the connection lasts. If they still differ, do not trust the device's tools: secure memory first."
*/
with taken as (   -- lists of sockets that were read whole, when, and what they show
  select f.device, f.snapshot, f.exhibit, min(f.line) as line, epoch_us(max(e.collected_at)) as at,
    exists(select 1 from sockets s where (s.device, s.snapshot, s.exhibit) = (f.device, f.snapshot, f.exhibit) and s.proto = 'tcp' and s.state = 'LISTEN') as listening,
    f.view in ('netstat', 'ss') and exists(select 1 from sockets s where (s.device, s.snapshot, s.exhibit) = (f.device, f.snapshot, f.exhibit) and s.proto = 'tcp' and s.state = 'ESTABLISHED') as talking
  from feeds f join exhibits e using (device, snapshot, exhibit, line) where f.table_name = 'sockets' and f.usable and f.view in ('netstat', 'ss', 'proc') group by f.device, f.snapshot, f.exhibit, f.view),
t as (
  select c.*, epoch_us(c.first_at) as t0, epoch_us(c.last_at) as t1 from device_traffic c
  where c.proto = 'tcp' and c.oriented = 'syn' and c.answered and c.whose <> 'behind' and (c.orig_payload > 0 or c.resp_payload > 0)),
n as (select distinct device, snapshot, true as known from feeds where table_name = 'nat_rules' and usable),
ports as (        -- ports at which the device answered, with nothing that listens there and no NAT rule that takes them
  select t.device, t.snapshot, t.proto, t.resp_port as port, min(t.exhibit) as exhibit, arg_min(t.line, (t.exhibit, t.line)) as line, min(t0) as since, max(t1) as until, count(*) as number,
    bool_or(t.whose = 'device') as own, bool_or(t.orig_outside) as outside, coalesce(bool_or(n.known), false) as nat_known
  from t left join n using (device, snapshot)
  where t.to_device and t.resp_payload > 0
    and not exists(select 1 from sockets s where (s.device, s.snapshot, s.local_port) = (t.device, t.snapshot, t.resp_port) and s.proto like 'tcp%')
    and not exists(select 1 from nat_rules r where (r.device, r.snapshot) = (t.device, t.snapshot) and r.action in ('DNAT', 'REDIRECT', 'NETMAP') and coalesce(r.proto, 'tcp') = 'tcp'
      and t.resp_port between coalesce(r.dst_port_first, 0) and coalesce(r.dst_port_last, r.dst_port_first, 65535))
  group by t.device, t.snapshot, t.proto, t.resp_port),
seen as (
  select p.*, (select min(k.exhibit) from taken k where (k.device, k.snapshot) = (p.device, p.snapshot) and k.listening and k.at between p.since and p.until) as list,
    exists(select 1 from taken k where (k.device, k.snapshot) = (p.device, p.snapshot) and k.listening) as any_list
  from ports p),
alive as (        -- connections of the device itself that lasted while a list of connections was taken, and are in no list
  select t.*, k.exhibit as list, k.line as list_line from t join taken k on (k.device, k.snapshot) = (t.device, t.snapshot) and k.talking and k.at between t.t0 + 10000000 and t.t1 - 10000000
  where t.whose = 'device' and not exists(select 1 from sockets s where (s.device, s.snapshot) = (t.device, t.snapshot) and s.proto like 'tcp%'
    and (s.local_port, s.remote_port, s.remote_ip) = case when t.from_device then (t.orig_port, t.resp_port, t.resp_ip) else (t.resp_port, t.orig_port, t.orig_ip) end)
    -- a port that nothing listens at is told as that
    and not (t.to_device and exists(select 1 from ports p where (p.device, p.snapshot, p.port) = (t.device, t.snapshot, t.resp_port))))
select device, snapshot, exhibit, line, list as exhibit_2, case when list is not null then 1 end as line_2, 'port' as kind, proto, port::varchar as port, '' as far, port as local_port,
  null::varchar as peer_ip, null::integer as peer_port,
  concat(number, case number when 1 then ' connection' else ' connections' end, case when outside then ' from outside' else ' from inside' end, ' that the device answered at ', proto, ' port ', port) as what,
  case when not own and not nat_known then '; its NAT rules were not collected' else '' end as note,
  case when own or nat_known then 'high' else 'medium' end as level,
  list is null as race, 'race: no list of sockets was taken while port ' || port || ' was in use' as race_reason
from seen where any_list
union all by name
select device, snapshot, exhibit, line, list as exhibit_2, list_line as line_2, 'connection' as kind, proto, resp_port::varchar as port, case when from_device then resp_ip else orig_ip end as far,
  case when to_device then resp_port end as local_port, case when from_device then resp_ip else orig_ip end as peer_ip, case when from_device then resp_port else orig_port end as peer_port,
  concat('a connection of the device with ', peer_ip, ' (', proto, ' port ', resp_port, ') that lasted ', (t1 - t0) // 1000000, ' s') as what, '' as note, 'high' as level, false as race, null as race_reason
from alive
