/*
id: port-open-but-not-listed
title: "{proto} port {port} of the device is open from outside ({source}), and its own list of listeners does not show it{note}"
about: "What answers from outside is there. A list that leaves it out was told to, or the packets are caught below the sockets."
check: C32
level: high
needs: [{exposures: [address, port, state]}, listeners, own_addresses]
key: [proto, port]
subjects:
  - {type: socket, proto: proto, local_port: port}
explained_by: [listener]
attack: [T1014, T1564, T1205.002]
falsepositives:
  - "a port forward to a host inside (not told where the NAT rules show it; medium where they were not collected)"
  - "a service that was stopped between the two looks: repeat both"
  - "a box before the device that answers in its name"
references:
  - "devicehunt intel C32: cross-view disagreement"
  - "Trend Micro: BPFDoor redirects a port to a shell while it runs (2022)"
response: "Scan the port again while the list is taken. If they still differ, do not trust the device's tools: secure memory first."
*/
with lists as (  -- lists of listeners that show any, when they were taken
  select l.device, l.snapshot, l.proto, min(l.exhibit) as exhibit, arg_min(l.line, (l.exhibit, l.line)) as line, max(e.collected_at) as taken
  from listeners l left join (select device, snapshot, exhibit, max(collected_at) as collected_at from exhibits group by all) e using (device, snapshot, exhibit)
  where l.proto in ('tcp', 'udp') group by l.device, l.snapshot, l.proto),
shown as (
  select x.device, x.snapshot, x.exhibit, x.line, x.proto, x.port, x.source, x.seen_at from exposures x
  where x.state = 'open' and exists(select 1 from own_addresses o where (o.device, o.snapshot, o.address_key) = (x.device, x.snapshot, ip(x.address)))
    and not exists(select 1 from listeners l where (l.device, l.snapshot, l.proto, l.local_port) = (x.device, x.snapshot, x.proto, x.port))
    and not exists(select 1 from nat_rules n where (n.device, n.snapshot) = (x.device, x.snapshot) and coalesce(n.proto, x.proto) = x.proto
      and n.action in ('DNAT', 'REDIRECT', 'NETMAP') and x.port between coalesce(n.dst_port_first, 0) and coalesce(n.dst_port_last, n.dst_port_first, 65535))),
w as (
  select s.*, l.exhibit as exhibit_2, l.line as line_2, l.taken, abs(date_diff('hour', s.seen_at, l.taken)) as hours,
    exists(select 1 from feeds f where (f.device, f.snapshot, f.table_name) = (s.device, s.snapshot, 'nat_rules') and f.usable) as nat_known
  from shown s left join lists l using (device, snapshot, proto))
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, min(exhibit_2) as exhibit_2, arg_min(line_2, (exhibit_2, line_2)) as line_2, proto, port,
  string_agg(distinct source, ', ' order by source) as source,
  case when not bool_or(nat_known) then '; its NAT rules were not collected' when min(hours) is null then '; when both were taken is not known' else '' end as note,
  case when bool_or(nat_known) and min(hours) <= 24 and proto = 'tcp' then 'high' else 'medium' end as level,
  -- days apart, or no list of such sockets at all: nothing can be said
  bool_and(taken is null and exhibit_2 is null) or coalesce(min(hours) > 168, false) as race,
  case when bool_and(exhibit_2 is null) then 'no listener of this protocol is in the lists: they may not show any' else 'the scan and the list of listeners are more than a week apart' end as race_reason
from w group by device, snapshot, proto, port
