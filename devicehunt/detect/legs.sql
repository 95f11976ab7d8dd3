-- Connections -> legs: each connection as the device, or a host behind it, takes part in it, with its origin.
-- Method: docs/relay.md. Times are microseconds. A feed (packets, exporter, zeek ...) is looked at by itself: two feeds tell the same
-- connections. Tables that hold every connection are narrow; texts are joined once, for what stays.

-- What connection tracking tells is of both sides at once, ends when a timer ran out, and is asked below: no feed of its own.
create or replace temp table feeds_told as
select row_number() over (order by device, snapshot, feed) as g, device, snapshot, feed
from (select distinct device, snapshot, view as feed from connections where view <> 'conntrack');

create or replace temp table own as
select distinct f.g, o.address_key as key from own_addresses o join feeds_told f using (device, snapshot);

create or replace temp table own_networks as   -- where hosts of the site have addresses of the internet; one that lies in another is left out
with n as (
  select distinct f.g, o.first_key, o.last_key from own_addresses o join sides s using (device, snapshot, interface) join feeds_told f using (device, snapshot)
  where s.side in ('lan', 'vpn') and o.prefix_length between 1 and case when contains(o.address_ip, ':') then 127 else 31 end
    and is_external(o.address_key) and (not contains(o.address_ip, ':') or o.prefix_length >= 48))
select * from n where not exists(select 1 from n x where x.g = n.g and n.first_key between x.first_key and x.last_key and (x.first_key, x.last_key) <> (n.first_key, n.last_key));

-- places: 0 the device itself, 1 inside, 2 outside, 3 a host of the site with an address of the internet: nothing translates it
create or replace temp table all_places as
select c.rowid as id, f.g, epoch_us(c.first_at) as t0, epoch_us(c.last_at) as t1,
  case when o.key is not null then 0 when {orig_inside} then 1 when m.g is not null then 3 else 2 end::tinyint as a,
  case when r.key is not null then 0 when {resp_inside} then 1 when n.g is not null then 3 else 2 end::tinyint as b
from connections c join feeds_told f on (f.device, f.snapshot, f.feed) = (c.device, c.snapshot, c.view)
left join own o on (o.g, o.key) = (f.g, c.orig_key)
left join own r on (r.g, r.key) = (f.g, c.resp_key)
left join own_networks m on m.g = f.g and c.orig_key between m.first_key and m.last_key
left join own_networks n on n.g = f.g and c.resp_key between n.first_key and n.last_key
where c.first_at is not null and coalesce(c.depth, 0) = 0 and c.orig_key is not null and c.resp_key is not null;

create or replace temp view places as select * from all_places where a not in (1, 3) or b not in (1, 3);

create or replace temp table spans as          -- when each side was watched, feed by feed
select g, f.device, f.snapshot, f.feed, case when (a, b) in ((0, 2), (2, 0)) then 'wan' else 'lan' end as side, min(t0) as since, max(t1) as until,
  count(*) as connections
from places join feeds_told f using (g) where (a, b) in ((0, 2), (2, 0), (0, 1), (1, 0), (1, 2), (2, 1)) group by all;

-- hosts inside with somebody outside: the LAN side of what is translated
create or replace temp table inner_ends as
select p.id, p.g, p.t0, c.proto, b = 2 as outward, coalesce(c.orig_payload, c.orig_bytes) as fwd, coalesce(c.resp_payload, c.resp_bytes) as rev,
  case when outward then c.resp_key else c.orig_key end as far_key, case when outward then c.resp_port else c.orig_port end as far_port,
  case when outward then c.orig_port else c.resp_port end as near_port, case when outward then c.orig_ip else c.resp_ip end as host_ip
from places p join connections c on c.rowid = p.id where (a, b) in ((1, 2), (2, 1));

-- the device's own outer ends that have something to be held against
create or replace temp table outer_ends as
select p.id, p.g, p.t0, c.device, c.snapshot, c.proto, a = 0 as outward, coalesce(c.orig_payload, c.orig_bytes) as fwd, coalesce(c.resp_payload, c.resp_bytes) as rev,
  case when outward then c.resp_key else c.orig_key end as far_key, case when outward then c.resp_port else c.orig_port end as far_port,
  case when outward then c.orig_port else c.resp_port end as near_port, case when outward then c.orig_key else c.resp_key end as own_key
from places p join connections c on c.rowid = p.id
where (a, b) in ((0, 2), (2, 0)) and (p.g in (select g from inner_ends) or (c.device, c.snapshot) in (select distinct device, snapshot from nat_sessions));

-- the same connection on both sides: the far end is the same, the port near it mostly, the payload to the byte
create or replace temp table twins as
with found as (
  select o.id, i.id as inner_id, i.host_ip, abs(o.t0 - i.t0) as apart from outer_ends o join inner_ends i
    using (g, proto, outward, far_key, far_port, near_port) where abs(o.t0 - i.t0) < 10000000
  union all
  select o.id, i.id, i.host_ip, abs(o.t0 - i.t0) from outer_ends o
  join (select *, unnest([t0 // 2000000 - 1, t0 // 2000000, t0 // 2000000 + 1]) as bucket from inner_ends) i
    on (o.g, o.proto, o.outward, o.far_key, o.far_port, o.t0 // 2000000) = (i.g, i.proto, i.outward, i.far_key, i.far_port, i.bucket)
  where o.near_port is distinct from i.near_port and abs(o.t0 - i.t0) < 2000000 and (o.fwd, o.rev) = (i.fwd, i.rev))
select id, arg_min(inner_id, (apart, inner_id)) as inner_id, arg_min(host_ip, (apart, inner_id)) as host_ip from found group by id;

-- what connection tracking says, by the tuple that the WAN side shows; where its events were watched, only at their time (a tuple comes again)
create or replace temp table tracked as
with sessions as (
  select * exclude (first_at, last_at), coalesce(epoch_us(first_at) - 10000000, case when last_at is null then null else 0 end) as since,
    case when first_at is null then epoch_us(last_at) else greatest(epoch_us(first_at) + 10000000, epoch_us(last_at)) end as until
  from nat_sessions),
found as (
  select o.id, n.orig_src_ip as host_ip, n.orig_src_key as host_key, n.orig_src_key <> o.own_key as moved from outer_ends o join sessions n
    on (n.device, n.snapshot, lower(n.proto), n.reply_src_key, n.reply_src_port, n.reply_dst_key, n.reply_dst_port)
     = (o.device, o.snapshot, o.proto, o.far_key, o.far_port, o.own_key, o.near_port) where o.outward and (n.since is null or o.t0 between n.since and n.until)
  union all
  select o.id, n.reply_src_ip, n.reply_src_key, n.reply_src_key <> o.own_key from outer_ends o join sessions n
    on (n.device, n.snapshot, lower(n.proto), n.orig_src_key, n.orig_src_port, n.orig_dst_key, n.orig_dst_port)
     = (o.device, o.snapshot, o.proto, o.far_key, o.far_port, o.own_key, o.near_port) where not o.outward and (n.since is null or o.t0 between n.since and n.until))
-- an entry between two outsiders is a relay of the device's own: nobody behind it has a part in it
select id, min(case when moved and is_inside(host_key) then host_ip end) as host_ip from found group by id;

create or replace temp table forwarded as      -- ports that the configuration hands to a host inside
select p.id, min(n.to_ip) as host_ip, arg_min(n.exhibit, n.to_ip) as exhibit, arg_min(n.line, n.to_ip) as line
from places p join connections c on c.rowid = p.id join nat_rules n on (n.device, n.snapshot) = (c.device, c.snapshot) and coalesce(n.proto, c.proto) = c.proto
  and c.resp_port between n.dst_port_first and coalesce(n.dst_port_last, n.dst_port_first)
where (p.a, p.b) = (2, 0) and n.action in ('DNAT', 'NETMAP') and is_inside(n.to_key) group by p.id;

create or replace temp table told as           -- of outer ends: who says whose it is, and the host behind
select coalesce(t.id, k.id, f.id) as id, case when t.id is not null then t.host_ip when k.id is not null then k.host_ip else f.host_ip end as host_ip,
  case when t.id is not null then 'lan side' when k.id is not null then 'connection tracking' else 'configuration' end as origin_by,
  f.exhibit, f.line
from twins t full join tracked k on k.id = t.id full join forwarded f on f.id = coalesce(t.id, k.id);

create or replace temp table origins as
-- the device and somebody outside
select p.id, 'wan' as side, case when a = 0 then 'out' else 'in' end as direction, coalesce(d.host_ip, 'device') as node,
  case when d.host_ip is not null then case when a = 0 then 'nat' else 'dnat' end when d.id is not null or s.g is not null then 'self' else 'unknown' end as origin,
  -- a LAN side that was watched then and does not show it
  coalesce(d.origin_by, case when s.g is not null then 'lan side' end) as origin_by, d.exhibit as origin_exhibit, d.line as origin_line, p.g, p.t0, p.t1
from places p left join told d on d.id = p.id
left join spans s on s.g = p.g and s.side = 'lan' and p.t0 between s.since - 2000000 and s.until + 30000000
where (a, b) in ((0, 2), (2, 0))
union all  -- the device and a host inside
select p.id, 'lan', case when a = 0 then 'out' else 'in' end, 'device', case when a = 0 then 'self' else 'lan' end, 'lan side', null, null, p.g, p.t0, p.t1
from places p where (a, b) in ((0, 1), (1, 0), (0, 3), (3, 0))
union all  -- a host inside whose way out is not the usual translation: it never left as it was
select p.id, 'lan', 'in', 'device', 'diverted', 'lan side', null, null, p.g, p.t0, p.t1
from places p join spans s on s.g = p.g and s.side = 'wan' and p.t0 between s.since and s.until
where (a, b) = (1, 2) and p.id not in (select inner_id from twins)
union all  -- where no WAN side was watched: hosts inside as they are
select p.id, 'lan', case when a = 1 then 'out' else 'in' end, case when a = 1 then c.orig_ip else c.resp_ip end, case when a = 1 then 'lan' else 'dnat' end,
  'lan side', null, null, p.g, p.t0, p.t1
from places p join connections c on c.rowid = p.id where (a, b) in ((1, 2), (2, 1)) and p.g not in (select g from spans where side = 'wan');

insert into origins
-- hosts of the site that nothing translates: as they are, and once where both sides show them
select p.id, 'wan', case when a = 3 then 'out' else 'in' end, case when a = 3 then c.orig_ip else c.resp_ip end, 'lan', 'addresses', null, null, p.g, p.t0, p.t1
from places p join connections c on c.rowid = p.id where (a, b) in ((3, 2), (2, 3))
qualify row_number() over (partition by p.g, c.proto, c.orig_key, c.orig_port, c.resp_key, c.resp_port, p.t0 // 2000000 order by p.id) = 1;

-- a host behind the device that nobody comes in to cannot pass anything on: what it does is its own
create or replace temp table hosts_in as select distinct g, node from origins where direction = 'in' and node <> 'device';

delete from legs;
-- payload where it was counted; exporters count from the IP header on: what the headers at least take is subtracted
insert into legs by name
with c as (
  select o.*, c.* exclude (first_at, last_at, device, snapshot), f.device, f.snapshot, f.feed, c.orig_payload is not null as exact,
    case c.proto when 'tcp' then 40 when 'udp' then 28 else 20 end as header
  from origins o join connections c on c.rowid = o.id join feeds_told f on f.g = o.g
  where o.origin not in ('nat', 'lan') or o.node = 'device' or o.direction = 'in' or (o.g, o.node) in (select (g, node) from hosts_in))
select id, device, snapshot, feed, exhibit, connection, line, side, direction, node, proto, orig_ip, orig_port, resp_ip, resp_port,
  case when direction = 'out' then resp_ip else orig_ip end as peer_ip, case when direction = 'out' then resp_port else orig_port end as peer_port,
  case when direction = 'out' then orig_port else resp_port end as near_port, t0, t1,
  coalesce(orig_payload, greatest(0, orig_bytes - orig_packets * header))::bigint as fwd,
  coalesce(resp_payload, greatest(0, resp_bytes - resp_packets * header))::bigint as rev, exact, app, coalesce(sampling, 1) as sampling,
  origin, origin_by, origin_exhibit, origin_line,
  -- names and the time of day are asked by every device, also because somebody came in (a name for an address in a log)
  case when proto in ('udp', 'tcp') and 53 in (orig_port, resp_port) and (app = 'dns' or app is null and fwd + rev < 4096) then 'dns'
    when proto = 'udp' and 123 in (orig_port, resp_port) and (app = 'ntp' or app is null and fwd + rev < 2048) then 'ntp'
    when proto = 'udp' and 67 in (orig_port, resp_port) then 'dhcp' end as explained
from c;
