-- Legs -> heartbeats: one UDP port of the device that keeps up with several peers outside, small datagrams of one size at one rhythm with all of them.
-- What tells it from peer-to-peer programs: the clock and the size are the same for all peers. Filled into `heartbeats`.

create or replace temp table beats as          -- a row a peer of a port: how often, how large, who began
with l as (
  select l.device, l.snapshot, l.feed, l.node, l.near_port, l.peer_ip, l.id, l.t0, l.t1, l.origin, l.direction,
    case direction when 'out' then fwd else rev end as sent, case direction when 'out' then rev else fwd end as got,
    case direction when 'out' then c.orig_packets else c.resp_packets end as sent_n, case direction when 'out' then c.resp_packets else c.orig_packets end as got_n
  from legs l join (select distinct device, snapshot, feed, near_port from legs where proto = 'udp' and side = 'wan' and explained is null
      group by all having count(distinct peer_ip) >= 5) p using (device, snapshot, feed, near_port)
  join connections c on (c.device, c.snapshot, c.exhibit, c.connection) = (l.device, l.snapshot, l.exhibit, l.connection)
  where l.proto = 'udp' and l.side = 'wan' and l.explained is null and l.origin in ('self', 'unknown') and l.sampling <= 1 and coalesce(c.depth, 0) = 0)
select device, snapshot, feed, node, near_port, peer_ip, min(t0) as since, max(t1) as until, arg_min(id, (t0, id)) as first_leg, bool_and(origin = 'self') as sure,
  sum(sent_n) as sent_n, sum(got_n) as got_n, sum(sent) / nullif(sum(sent_n), 0) as sent_size, sum(got) / nullif(sum(got_n), 0) as got_size,
  bool_or(direction = 'out') as by_device, bool_or(direction = 'in') as by_peer,
  -- one conversation holds many beats, or every beat is one of its own; several conversations at a time are several clocks
  median(case when greatest(sent_n, got_n) > 2 then (t1 - t0) / (greatest(sent_n, got_n) - 1) end) as within,
  case when count(*) > 2 then (max(t0) - min(t0)) / (count(*) - 1) end as between
from l group by all;

delete from heartbeats;
insert into heartbeats by name
with b as (select *, coalesce(within, between) as gap, coalesce(sent_size, got_size) as datagram from beats where coalesce(within, between) is not null),
m as (select device, snapshot, feed, node, near_port, median(gap) as gap, median(datagram) as datagram, count(*) as peers from b group by all having peers >= 5),
a as (
  select b.*, m.gap as usual, m.datagram as middle, m.peers, b.gap between 0.6 * m.gap and 1.67 * m.gap as in_time,
    abs(b.datagram - m.datagram) <= greatest(16, 0.25 * m.datagram) as in_size
  from b join m using (device, snapshot, feed, node, near_port))
select device, snapshot, feed, node, near_port as port, any_value(peers) as peers, arg_min(first_leg, (since, first_leg)) as first_leg, min(since) as since, max(until) as until,
  round(any_value(usual) / 1e6, 3) as wait_s, round(any_value(middle))::bigint as size_bytes, count(*) filter (where in_time) as in_time, count(*) filter (where in_size) as in_size,
  sum(sent_n)::bigint as sent, sum(got_n)::bigint as got, count(*) filter (where by_device) as by_device, count(*) filter (where by_peer) as by_peer,
  case when bool_and(sure) then 'self' else 'unknown' end as origin, min(peer_ip) as first_peer
from a group by device, snapshot, feed, node, near_port
having any_value(usual) >= 1000000 and any_value(middle) between 1 and 256 and count(*) filter (where in_time and in_size) >= greatest(5, 0.8 * any_value(peers))
  and max(until) - min(since) >= 3 * any_value(usual);
