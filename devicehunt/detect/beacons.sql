-- Legs -> waits between the calls that the device makes to one peer and port. Filled into `rhythms`; beacons.py scores what is left.
-- {few}: calls that a rhythm needs at least; {apart_us}: calls closer than this are one (a retry, a second connection of the same visit).

create or replace temp table watches as         -- how long each feed watched the device, also when it saw others only
select f.device, f.snapshot, f.feed, min(s.since) as since, max(s.until) - min(s.since) + 1 as span from spans s join feeds_told f using (g) group by all;

create or replace temp table calling as
select device, snapshot, feed, node, proto, peer_ip, peer_port, count(*) as calls, count(*) filter (where origin = 'self') as sure
from legs where direction = 'out' and side = 'wan' and origin in ('self', 'unknown') and explained is null and sampling <= 1 and peer_port is not null
group by all having calls >= {few};

-- whom hosts inside call as well is nobody of the device's own, where that is all that is known
delete from calling using (
  select distinct f.device, f.snapshot, f.feed, c.proto, c.resp_ip as peer_ip, c.resp_port as peer_port
  from connections c join origins o on o.id = c.rowid join feeds_told f on f.g = o.g
  where o.origin = 'nat' and c.resp_ip in (select peer_ip from calling where sure < {few})) n
where sure < {few} and (calling.device, calling.snapshot, calling.feed, calling.proto, calling.peer_ip, calling.peer_port)
  = (n.device, n.snapshot, n.feed, n.proto, n.peer_ip, n.peer_port);

create or replace temp table starts as
select c.device, c.snapshot, c.feed, c.node, c.proto, c.peer_ip, c.peer_port, l.id, l.t0, l.fwd, l.rev, l.t0 - lag(l.t0) over w as since
from calling c join legs l using (device, snapshot, feed, node, proto, peer_ip, peer_port)
where l.direction = 'out' and l.side = 'wan' and l.explained is null and (l.origin = 'self' or (c.sure < {few} and l.origin = 'unknown'))
window w as (partition by c.device, c.snapshot, c.feed, c.node, c.proto, c.peer_ip, c.peer_port order by l.t0, l.id);

create or replace temp table waits as
select * exclude (since), t0 - lag(t0) over w as wait, row_number() over w as number, count(*) over p as calls, min(t0) over p as since, max(t0) over p as until
from starts where since is null or since >= {apart_us}
window p as (partition by device, snapshot, feed, node, proto, peer_ip, peer_port), w as (p order by t0, id);

-- how evenly the calls lie between the first and the last: a third as many bins as calls, at most 24
create or replace temp table even as
select device, snapshot, feed, node, proto, peer_ip, peer_port, any_value(bins) as bins, count(*) as filled,
  sqrt(greatest(0, sum(n * n) / any_value(bins)::double - power(sum(n) / any_value(bins)::double, 2))) / (sum(n) / any_value(bins)::double) as varies
from (select device, snapshot, feed, node, proto, peer_ip, peer_port, least(24, greatest(2, calls // 3)) as bins,
    least(bins - 1, (t0 - since) * bins // greatest(1, until - since)) as bin, count(*)::double as n
  from waits where calls >= {few} group by all) _
group by all;

create or replace temp table rhythms as
with q as (
  select device, snapshot, feed, node, proto, peer_ip, peer_port, count(*) as calls, arg_min(id, (t0, id)) as first_leg, min(t0) as since, max(t0) as until,
    quantile_cont(wait, [0.25, 0.5, 0.75]) as w, mad(wait) as w_mad, avg(wait) as w_mean, avg(ln(wait)) as w_ln,
    quantile_cont(fwd, [0.25, 0.5, 0.75]) as s, mad(fwd) as s_mad, median(rev) as rev
  from waits where calls >= {few} group by all),
f as (select proto, peer_ip, peer_port, count(distinct device) as devices from calling group by all)
select q.*, e.bins, e.filled, e.varies, r.span, c.sure >= {few} as sure, f.devices, (select count(distinct device) from watches) as fleet
from q join even e using (device, snapshot, feed, node, proto, peer_ip, peer_port) join calling c using (device, snapshot, feed, node, proto, peer_ip, peer_port)
join watches r using (device, snapshot, feed) join f using (proto, peer_ip, peer_port);
