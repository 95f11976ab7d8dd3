-- Legs -> candidates: every session in, and the legs out that may carry it on, for the true times and for shifted ones.
-- `inward` is made of the query that pairs.py gives, bytes turned so that fwd goes towards the device; {lag_us}: the longest lag.

create or replace temp table inward as {legs_in};

-- a shift turns the time of the feed like a ring: the number of sessions, their sizes and their daily rhythm stay.
-- The few sessions are turned, not the many legs.
create or replace temp table turned as
select id, g, node, peer_ip, fwd, rev, slack, shift, t0, t0 + lasts as t1, unnest([t0 // {lag_us}, t0 // {lag_us} + 1]) as bucket from (
  select a.id, r.g, a.node, a.peer_ip, a.fwd, a.rev, a.slack, s.shift, r.since + (a.t0 - r.since + s.by_us + r.span) % r.span as t0, a.t1 - a.t0 as lasts
  from inward a join rings r using (device, snapshot, feed) join shifts s on s.g = r.g);

create or replace temp table onward as
select l.id, r.g, l.node, l.origin, l.peer_ip, l.t0, l.t1, l.fwd, l.rev from legs l join rings r using (device, snapshot, feed)
where l.direction = 'out' and l.explained is null and l.fwd > 0 and l.rev > 0 and r.g in (select g from turned);

create or replace temp table candidates as
select session, onward, shift, lag, end_lag, over_fwd, over_rev, most_fwd, most_rev,
  case when over_fwd >= -slack and over_rev >= -slack then 'in' else 'out' end as larger,   -- what a relay's own protocol adds is on one side
  abs(over_fwd) <= greatest(0.12 * most_fwd, 64) and abs(over_rev) <= greatest(0.12 * most_rev, 64) and abs(end_lag) <= 3000000 as tight,
  abs(over_fwd) <= greatest(0.7 * most_fwd, 64) and abs(over_rev) <= greatest(0.7 * most_rev, 64) as loose,
  abs(end_lag) <= 250000 as ends
from (
  select a.id as session, b.id as onward, a.shift, b.t0 - a.t0 as lag, b.t1 - a.t1 as end_lag, a.fwd - b.fwd as over_fwd, a.rev - b.rev as over_rev,
    greatest(a.fwd, b.fwd) as most_fwd, greatest(a.rev, b.rev) as most_rev, a.slack
  from turned a join onward b on b.g = a.g and b.t0 // {lag_us} = a.bucket
  where (b.node = a.node or b.origin = 'unknown') and b.id <> a.id and b.t0 - a.t0 between -50000 and {lag_us} and b.peer_ip <> a.peer_ip
    and abs(b.t1 - a.t1) <= 30000000
    -- what goes in comes out: one leg holds the other
    and (a.fwd >= b.fwd - a.slack and a.rev >= b.rev - a.slack or b.fwd >= a.fwd - a.slack and b.rev >= a.rev - a.slack)
    and abs(a.fwd - b.fwd) <= greatest(0.7 * greatest(a.fwd, b.fwd), 4096) and abs(a.rev - b.rev) <= greatest(0.7 * greatest(a.rev, b.rev), 4096)) _;

create or replace temp table partners as       -- of each session and shift: the variants (pairs.py) in which it has a partner
select distinct session, shift, larger, unnest([
  case when tight and lag <= 500000 then 0 end, case when tight and lag <= 2000000 then 1 end, case when tight then 2 end,
  case when loose and lag <= 500000 then 3 end, case when loose and lag <= 2000000 then 4 end, case when loose then 5 end,
  case when ends and lag <= 500000 then 6 end, case when ends and lag <= 2000000 then 7 end]) as variant
from candidates;

-- what the relay adds is much the same in every session: the most sessions that agree, in windows of 128 bytes
create or replace temp table steady as
select session, shift, larger, case when lag <= 2000000 then 8 else 9 end as variant, unnest([over_fwd // 128, (over_fwd + 64) // 128 + 1000000]) as window_fwd,
  over_rev
from candidates where abs(end_lag) <= 3000000 and abs(over_fwd) <= 2048 and abs(over_rev) <= 2048;

create or replace temp table agreeing as
select device, snapshot, feed, node, kind, name, shift, larger, variant, max(sessions) as sessions from (
  select k.device, k.snapshot, k.feed, k.node, k.kind, k.name, shift, larger, v.variant, window_fwd, window_rev, count(distinct session) as sessions
  from (select *, unnest([over_rev // 128, (over_rev + 64) // 128 + 1000000]) as window_rev from steady) s
  join (values (8, 8), (8, 9), (9, 9)) v(found, variant) on v.found = s.variant join inward k on k.id = s.session group by all) _
group by all;

create or replace temp table counted as
select device, snapshot, feed, node, kind, name, larger, variant, shift, count(*) as sessions
from partners p join inward s on s.id = p.session where variant is not null group by all
union all select device, snapshot, feed, node, kind, name, larger, variant, shift, sessions from agreeing;
