-- Legs -> units that may carry others, and the bytes of all over time. Method: ../docs/relay.md. Bytes are from and to the far end, whoever opened.
-- {fine_us}, {coarse_us}: how long a unit lasts at least where packets, and where records of an exporter, tell its bytes over time.

-- an address inside that talks to hosts inside and never outside, in a capture of both sides, is the device's own one there
create or replace temp table pivots as
with both_sides as (
  select device, snapshot, feed from spans group by all having count(distinct side) = 2),
talk as (
  select c.device, c.snapshot, c.view as feed, c.exhibit, c.connection, c.line, c.proto, c.orig_ip, c.orig_port, c.resp_ip, c.resp_port, c.app,
    epoch_us(c.first_at) as t0, epoch_us(c.last_at) as t1, c.orig_payload as fwd, c.resp_payload as rev
  from connections c join places a on (a.device, a.snapshot, a.key) = (c.device, c.snapshot, c.orig_key)
  join places b on (b.device, b.snapshot, b.key) = (c.device, c.snapshot, c.resp_key)
  where c.view = 'packets' and coalesce(c.depth, 0) = 0 and a.place = 'inside' and b.place = 'inside' and c.orig_payload > 0 and c.resp_payload > 0)
select -row_number() over (order by exhibit, connection) as id, t.* from talk t join both_sides using (device, snapshot, feed)
where (device, snapshot, orig_ip) not in (select (device, snapshot, host_ip) from inner_ends);

create or replace temp table carriable as      -- what a carrier may carry: what leaves a node, and is not what every device asks
select id, device, snapshot, feed, exhibit, connection, line, proto, orig_ip, orig_port, resp_ip, resp_port, peer_ip, node, side, origin, t0, t1, fwd, rev
from legs where direction = 'out' and explained is null and fwd > 0 and rev > 0 and fwd + rev >= 200
union all
select id, device, snapshot, feed, exhibit, connection, line, proto, orig_ip, orig_port, resp_ip, resp_port, resp_ip, 'device', 'lan', 'self', t0, t1, fwd, rev
from pivots where fwd + rev >= 200;

-- a leg by itself; questions to one resolver, and pings, together
create or replace temp table units as
select device, snapshot, feed, node, side, direction, proto, peer_ip, alone, count(*) as legs, arg_max(id, fwd + rev) as leg, list(id) as ids,
  min(t0) as t0, max(t1) as t1, sum(case when direction = 'in' then fwd else rev end)::bigint as from_peer,
  sum(case when direction = 'in' then rev else fwd end)::bigint as to_peer, arg_max(origin, fwd + rev) as origin,
  case when asks then 'dns' when proto in ('icmp', 'icmp6') then 'icmp' end as channel
from (select *, proto in ('udp', 'tcp') and (coalesce(app, '') = 'dns' or least(peer_port, near_port) = 53) as asks,
    case when asks or proto in ('icmp', 'icmp6') then 0 else id end as alone
  from legs where coalesce(explained, 'dns') = 'dns')
group by device, snapshot, feed, node, side, direction, proto, peer_ip, asks, alone;

create or replace temp table stepped as        -- tenths of a second
select l.id, l.device, l.snapshot, l.feed, s.bin as step, case when l.direction = 'in' then s.orig_bytes else s.resp_bytes end as from_peer,
  case when l.direction = 'in' then s.resp_bytes else s.orig_bytes end as to_peer
from legs l join series s using (device, snapshot, exhibit, connection) where l.feed = 'packets'
union all
select p.id, p.device, p.snapshot, p.feed, s.bin, s.resp_bytes, s.orig_bytes from pivots p join series s using (device, snapshot, exhibit, connection);

create or replace temp table fine_candidates as
select * from units where t1 - t0 >= {fine_us} and from_peer >= 1500 and to_peer >= 1500 and (direction = 'in' or origin in ('self', 'unknown', 'nat', 'lan'))
  and (device, snapshot, feed) in (select (device, snapshot, feed) from stepped);
