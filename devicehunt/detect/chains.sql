-- Legs -> chains: two long connections of one node that begin and end together and carry the same bytes. No lag is asked for: it may pool.
-- The same for shifted times (`watches` of beacons.sql): how many such pairs a device has by chance. Filled into `chains`.

create or replace temp table lasting as
select id, device, snapshot, feed, node, direction, side, origin, proto, peer_ip, t0, t1, case direction when 'in' then fwd else rev end as inward,
  case direction when 'in' then rev else fwd end as outward
from legs where t1 - t0 >= 600000000 and explained is null and fwd > 0 and rev > 0 and sampling <= 1;

create or replace temp table far_shifts as     -- never shorter than what a pair may differ by; near in time where there is enough of it: the rhythm of the day stays
select device, snapshot, feed, since, span, n as shift, case when n = 0 then 0 when span > 7200000000 then 97000000 * ((n + 1) // 2) * case when n % 2 = 0 then -1 else 1 end
  else 80000000 + (span - 160000000) * (n - 1) // 31 end as by_us
from watches, range(33) as _(n) where n = 0 or span > 300000000;

create or replace temp table matched as
select a.device, a.snapshot, a.feed, case when a.node = 'device' then b.node else a.node end as node, b.shift, a.id as session, b.id as onward, b.t0 - a.t0 as lag, b.t1 - a.t1 as end_lag, a.inward - b.outward as over_fwd, a.outward - b.inward as over_rev,
  greatest(abs(a.inward - b.outward) / greatest(a.inward, b.outward, 640), abs(a.outward - b.inward) / greatest(a.outward, b.inward, 640)) as padding,
  'unknown' not in (a.origin, b.origin) as sure
from (select *, unnest([t0 // 35000000 - 1, t0 // 35000000, t0 // 35000000 + 1]) as bucket from lasting) a
join (select o.* exclude (t0, t1), s.shift, s.since + (o.t0 - s.since + s.by_us + s.span) % s.span as t0, t0 + o.t1 - o.t0 as t1
    from lasting o join far_shifts s using (device, snapshot, feed)
    where o.direction = 'out' and o.origin in ('self', 'unknown', 'nat')) b
  on (b.device, b.snapshot, b.feed, b.t0 // 35000000) = (a.device, a.snapshot, a.feed, a.bucket)
where (b.node = a.node or 'unknown' in (a.origin, b.origin)) and b.peer_ip <> a.peer_ip
  and (a.direction = 'in' or (a.origin in ('self', 'unknown') and b.origin in ('self', 'unknown') and a.id < b.id))
  and abs(b.t0 - a.t0) <= 35000000 and abs(b.t1 - a.t1) <= 70000000
  -- what goes in comes out: one leg holds the other
  and (a.inward >= 0.97 * b.outward and a.outward >= 0.97 * b.inward or b.outward >= 0.97 * a.inward and b.inward >= 0.97 * a.outward) and padding <= 0.45;

delete from chains;
insert into chains by name
with n as (select device, snapshot, feed, count(*) - 1 as shifts from far_shifts group by all having count(*) > 1),
k as (
  select m.*, case when m.padding <= 0.12 then 0.12 else 0.45 end as class,
    (select count(*) from matched c where c.shift > 0 and (c.device, c.snapshot, c.feed) = (m.device, m.snapshot, m.feed) and c.padding <= case when m.padding <= 0.12 then 0.12 else 0.45 end)
      / n.shifts::double as expected
  from matched m join n using (device, snapshot, feed) where m.shift = 0)
select device, snapshot, feed, node, session, onward, lag / 1000 as lag_ms, end_lag / 1000 as end_lag_ms, over_fwd, over_rev, round(padding, 4) as padding, sure, round(expected, 4) as expected
from k qualify row_number() over (partition by session order by padding, abs(lag), onward) = 1 and row_number() over (partition by onward order by padding, abs(lag), session) = 1;
