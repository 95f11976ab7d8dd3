-- Legs -> units that may carry others, and the bytes of all over time. Method: ../docs/relay.md. Bytes are from and to the far end, whoever opened.
-- {fine_us}: how long a unit lasts at least.

create or replace temp table lan_networks as
select distinct o.device, o.snapshot, o.first_key, o.last_key from own_addresses o join sides s using (device, snapshot, interface)
where s.side = 'lan' and o.first_key is not null;

create or replace temp table tracked_hosts as  -- of legs out: the host that connection tracking names, once more as a key
select o.id, n.orig_src_key as host_key from outer_ends o join nat_sessions n
  on (n.device, n.snapshot, lower(n.proto), n.reply_src_key, n.reply_src_port, n.reply_dst_key, n.reply_dst_port)
   = (o.device, o.snapshot, o.proto, o.far_key, o.far_port, o.own_key, o.near_port)
where o.outward and n.orig_src_key <> o.own_key and (o.device, o.snapshot) in (select (device, snapshot) from lan_networks);

-- an address inside that opens to hosts inside and never outside, in a capture of both sides: the device's own one there, where hosts ask it for
-- names or addresses; else somebody beyond a tunnel
create or replace temp table pivots as
with both_sides as (select g from spans group by g having count(distinct side) = 2),
hosts as (select distinct g, host_ip from inner_ends),
servers as (select distinct p.g, c.resp_ip from all_places p join connections c on c.rowid = p.id
  where (p.a, p.b) = (1, 1) and c.proto = 'udp' and c.resp_port in (53, 67) and c.resp_packets > 0)
select p.id, f.device, f.snapshot, f.feed, c.exhibit, c.connection, c.line, c.proto, c.orig_ip, c.orig_port, c.resp_ip, c.resp_port, p.t0, p.t1,
  c.orig_payload as fwd, c.resp_payload as rev, case when s.g is not null then 'self' else 'routed' end as origin
from all_places p join both_sides using (g) join connections c on c.rowid = p.id join feeds_told f using (g)
left join servers s on (s.g, s.resp_ip) = (p.g, c.orig_ip)
where (p.a, p.b) = (1, 1) and c.orig_payload > 0 and c.resp_payload > 0 and (p.g, c.orig_ip) not in (select (g, host_ip) from hosts);

-- what connection tracking says to come from an address that is in no network of the LAN: from the far side of a tunnel, through the device
create or replace temp table routed as
select o.id, f.device, f.snapshot, f.feed, c.exhibit, c.connection, c.line, c.proto, c.orig_ip, c.orig_port, c.resp_ip, c.resp_port, o.t0, o.t1,
  coalesce(c.orig_payload, c.orig_bytes) as fwd, coalesce(c.resp_payload, c.resp_bytes) as rev
from origins o join feeds_told f using (g) join connections c on c.rowid = o.id join (select distinct id, host_key from tracked_hosts) h using (id)
where o.direction = 'out' and o.origin = 'nat' and o.origin_by = 'connection tracking' and not exists(select 1 from lan_networks n
  where (n.device, n.snapshot) = (f.device, f.snapshot) and h.host_key between n.first_key and n.last_key)
  and (f.device, f.snapshot) in (select (device, snapshot) from lan_networks);

create or replace temp table carriable as      -- what a carrier may carry: what leaves a node, and is not what every device asks
select id, device, snapshot, feed, exhibit, connection, line, proto, orig_ip, orig_port, resp_ip, resp_port, peer_ip, node, side, origin, t0, t1, fwd, rev
from legs where direction = 'out' and explained is null and fwd > 0 and rev > 0 and fwd + rev >= 200
union all
select id, device, snapshot, feed, exhibit, connection, line, proto, orig_ip, orig_port, resp_ip, resp_port, resp_ip, 'device', 'lan', origin, t0, t1, fwd, rev
from pivots where fwd + rev >= 200
union all
select id, device, snapshot, feed, exhibit, connection, line, proto, orig_ip, orig_port, resp_ip, resp_port, resp_ip, 'device', 'wan', 'routed', t0, t1, fwd, rev
from routed where fwd + rev >= 200 and resp_port not in (53, 123);

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
select p.id, p.device, p.snapshot, p.feed, s.bin, s.resp_bytes, s.orig_bytes
from (select id, device, snapshot, feed, exhibit, connection from pivots union all select id, device, snapshot, feed, exhibit, connection from routed
  where id not in (select id from legs)) p join series s using (device, snapshot, exhibit, connection) where p.feed = 'packets';

create or replace temp table fine_candidates as
select * from units where t1 - t0 >= {fine_us} and from_peer >= 1500 and to_peer >= 1500 and (direction = 'in' or origin in ('self', 'unknown', 'nat', 'lan'))
  and (device, snapshot, feed) in (select (device, snapshot, feed) from stepped);
