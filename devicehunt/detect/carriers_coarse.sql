-- Bytes a minute of long units, from an exporter's records, and of all else that their nodes open. {coarse_us}: how long a unit lasts at least.

create or replace temp table coarse_candidates as
select u.* from units u where t1 - t0 >= {coarse_us} and legs = 1 and from_peer >= 5000 and to_peer >= 5000
  and (direction = 'in' or origin in ('self', 'unknown'))
  and not exists(select 1 from (select distinct device, snapshot, feed from stepped) s where (s.device, s.snapshot, s.feed) = (u.device, u.snapshot, u.feed))
order by least(from_peer, to_peer) desc, leg limit {limit};

create or replace temp table told_records as   -- records of candidates, each direction by itself, over the minutes that it lasts
with r as (
  select c.leg, (f.src_key = l.peer_key) as coming, f.bytes, epoch_us(f.first_at) as a, greatest(epoch_us(f.last_at), epoch_us(f.first_at) + 1) as b
  from coarse_candidates c join (select g.*, n.orig_key, n.resp_key, case when g.direction = 'in' then n.orig_key else n.resp_key end as peer_key
      from legs g join connections n on (n.device, n.snapshot, n.exhibit, n.connection) = (g.device, g.snapshot, g.exhibit, g.connection)
      where g.id in (select leg from coarse_candidates)) l on l.id = c.leg
  join flows f on (f.device, f.snapshot, f.proto) = (c.device, c.snapshot, l.proto) and f.clock is not distinct from coalesce(f.clock, 'ok') and f.first_at is not null
    and f.last_at is not null and ((f.src_key, f.src_port, f.dst_key, f.dst_port) = (l.orig_key, l.orig_port, l.resp_key, l.resp_port)
      or (f.src_key, f.src_port, f.dst_key, f.dst_port) = (l.resp_key, l.resp_port, l.orig_key, l.orig_port))
  where epoch_us(f.first_at) between c.t0 - 1000000 and c.t1 + 1000000),
m as (select *, unnest(range(a // 60000000, b // 60000000 + 1)) as minute from r where b - a < 3600000000)
select leg, minute, sum(case when coming then share else 0 end) as came, sum(case when coming then 0 else share end) as went from (
  select leg, coming, minute, bytes * (least(b, (minute + 1) * 60000000) - greatest(a, minute * 60000000)) / (b - a) as share from m) _
group by all;

create or replace temp table node_minutes as   -- to the far ends and from them
with l as (
  select device, snapshot, feed, case when origin = 'unknown' then 'device' else node end as node, t0 as a, greatest(t1, t0 + 1) as b, fwd, rev from carriable
  where t1 - t0 < {coarse_us} and (device, snapshot, feed) in (select (device, snapshot, feed) from coarse_candidates)),
m as (select *, unnest(range(a // 60000000, b // 60000000 + 1)) as minute from l)
select device, snapshot, feed, node, minute, sum(fwd * share) as sent, sum(rev * share) as got, count(*) as legs from (
  select *, (least(b, (minute + 1) * 60000000) - greatest(a, minute * 60000000)) / (b - a) as share from m) _
group by device, snapshot, feed, node, minute;
