-- Connections -> legs: each connection as the device, or a host behind it, takes part in it, with its origin.
-- Method: ../docs/relay.md. Times are microseconds. A feed (packets, exporter, zeek ...) is looked at by itself: two feeds tell the same connections.

create or replace temp table own as
select distinct device, snapshot, address_key as key from own_addresses;

create or replace temp table own_networks as   -- where hosts of the site are, and which of them come in by a tunnel
select distinct o.device, o.snapshot, o.first_key, o.last_key, s.side from own_addresses o join sides s using (device, snapshot, interface)
where s.side in ('lan', 'vpn') and o.prefix_length between 1 and case when contains(o.address_ip, ':') then 127 else 31 end
  and (not contains(o.address_ip, ':') or o.prefix_length >= 48);

create or replace temp table places as
select k.device, k.snapshot, k.key,
  case when o.key is not null then 'own' when is_inside(k.key) or exists(select 1 from own_networks n where (n.device, n.snapshot) = (k.device, k.snapshot)
    and k.key between n.first_key and n.last_key) then 'inside' else 'outside' end as place
from (select device, snapshot, orig_key as key from connections union select device, snapshot, resp_key from connections) k
left join own o using (device, snapshot, key) where k.key is not null;

-- payload where it was counted; exporters count from the IP header on: what the headers at least take is subtracted
create or replace temp table placed as
select row_number() over () as id, c.device, c.snapshot, c.view as feed, c.exhibit, c.connection, c.line, c.proto,
  c.orig_ip, c.orig_key, c.orig_port, c.resp_ip, c.resp_key, c.resp_port, epoch_us(c.first_at) as t0, epoch_us(c.last_at) as t1,
  coalesce(c.orig_payload, greatest(0, c.orig_bytes - c.orig_packets * header))::bigint as fwd,
  coalesce(c.resp_payload, greatest(0, c.resp_bytes - c.resp_packets * header))::bigint as rev,
  c.orig_payload is not null as exact, c.app, c.oriented, coalesce(c.sampling, 1) as sampling, a.place as orig_place, b.place as resp_place
from (select *, case proto when 'tcp' then 40 when 'udp' then 28 else 20 end as header from connections
      where first_at is not null and coalesce(depth, 0) = 0) c
join places a on (a.device, a.snapshot, a.key) = (c.device, c.snapshot, c.orig_key)
join places b on (b.device, b.snapshot, b.key) = (c.device, c.snapshot, c.resp_key)
where a.place <> 'inside' or b.place <> 'inside';

create or replace temp table spans as          -- when each side was watched, feed by feed
select device, snapshot, feed, case when 'own' in (orig_place, resp_place) and 'outside' in (orig_place, resp_place) then 'wan' else 'lan' end as side,
  min(t0) as since, max(t1) as until, count(*) as connections
from placed where orig_place <> resp_place group by all;

-- hosts inside with somebody outside: the LAN side of what is translated
create or replace temp table inner_ends as
select id, device, snapshot, feed, proto, t0, fwd, rev, resp_place = 'outside' as outward,
  case when outward then resp_key else orig_key end as far_key, case when outward then resp_port else orig_port end as far_port,
  case when outward then orig_port else resp_port end as near_port, case when outward then orig_ip else resp_ip end as host_ip
from placed where (orig_place, resp_place) in (('inside', 'outside'), ('outside', 'inside'));

create or replace temp table outer_ends as
select id, device, snapshot, feed, proto, t0, fwd, rev, exact, orig_place = 'own' as outward,
  case when outward then resp_key else orig_key end as far_key, case when outward then resp_port else orig_port end as far_port,
  case when outward then orig_port else resp_port end as near_port, case when outward then orig_key else resp_key end as own_key
from placed where (orig_place, resp_place) in (('own', 'outside'), ('outside', 'own'));

-- the same connection on both sides: the far end is the same, the port near it mostly, the payload to the byte
create or replace temp table twins as
with found as (
  select o.id as outer_id, i.id as inner_id, i.host_ip, abs(o.t0 - i.t0) as apart from outer_ends o join inner_ends i
    using (device, snapshot, feed, proto, outward, far_key, far_port, near_port) where abs(o.t0 - i.t0) < 10000000
  union all
  select o.id, i.id, i.host_ip, abs(o.t0 - i.t0) from outer_ends o
  join (select *, unnest([t0 // 2000000 - 1, t0 // 2000000, t0 // 2000000 + 1]) as bucket from inner_ends) i
    on (o.device, o.snapshot, o.feed, o.proto, o.outward, o.far_key, o.far_port, o.t0 // 2000000) = (i.device, i.snapshot, i.feed, i.proto, i.outward, i.far_key, i.far_port, i.bucket)
  where o.near_port is distinct from i.near_port and abs(o.t0 - i.t0) < 2000000 and (o.fwd, o.rev) = (i.fwd, i.rev))
select outer_id, arg_min(inner_id, (apart, inner_id)) as inner_id, arg_min(host_ip, (apart, inner_id)) as host_ip from found group by outer_id;

-- what connection tracking says, by the tuple that the WAN side shows
create or replace temp table tracked as
select o.id, any_value(case when o.outward then n.orig_src_ip else n.reply_src_ip end) as host_ip,
  any_value(case when o.outward then n.orig_src_key else n.reply_src_key end) as host_key,
  any_value(case when o.outward then n.orig_src_key <> o.own_key else n.reply_src_key <> o.own_key end) as moved,
  bool_or(not o.outward and n.reply_dst_key <> o.far_key) as both,
  -- both legs of one entry: in at its first tuple, out at the other end of its answer
  any_value(n.line) as line, any_value(n.exhibit) as exhibit
from outer_ends o join nat_sessions n on (n.device, n.snapshot, lower(n.proto)) = (o.device, o.snapshot, o.proto) and case when o.outward
    then (n.reply_src_key, n.reply_src_port, n.reply_dst_key, n.reply_dst_port) = (o.far_key, o.far_port, o.own_key, o.near_port)
    else (n.orig_src_key, n.orig_src_port, n.orig_dst_key, n.orig_dst_port) = (o.far_key, o.far_port, o.own_key, o.near_port) end
group by o.id;

create or replace temp table forwards as       -- ports that the configuration hands to a host inside
select distinct device, snapshot, proto, dst_port_first as first_port, coalesce(dst_port_last, dst_port_first) as last_port, to_ip, to_key, exhibit, line
from nat_rules where action in ('DNAT', 'NETMAP') and to_key is not null and dst_port_first is not null;

delete from legs;
insert into legs by name
with w as (
  select p.*, orig_place = 'own' as outward, t.host_ip as twin_ip, k.host_ip as tracked_ip, k.moved, coalesce(k.host_key is not null and k.moved, false) as translated,
    kp.place as tracked_place, f.to_ip as forward_ip, f.exhibit as rule_exhibit, f.line as rule_line,
    -- a LAN side that was watched then and does not show it
    exists(select 1 from spans s where (s.device, s.snapshot, s.feed, s.side) = (p.device, p.snapshot, p.feed, 'lan') and p.t0 between s.since - 2000000 and s.until + 30000000) as lan_seen
  from placed p left join twins t on t.outer_id = p.id left join tracked k on k.id = p.id
  left join places kp on (kp.device, kp.snapshot, kp.key) = (p.device, p.snapshot, k.host_key)
  left join (select p.id, min(f.to_ip) as to_ip, arg_min(f.exhibit, f.to_ip) as exhibit, arg_min(f.line, f.to_ip) as line from placed p join forwards f
      on (f.device, f.snapshot) = (p.device, p.snapshot) and coalesce(f.proto, p.proto) = p.proto and p.resp_port between f.first_port and f.last_port
    where (p.orig_place, p.resp_place) = ('outside', 'own') and is_inside(f.to_key) group by p.id) f on f.id = p.id
  where 'own' in (orig_place, resp_place) and 'outside' in (orig_place, resp_place)),
told as (
  select *, case when twin_ip is not null then 'lan side' when moved is not null then 'connection tracking' when forward_ip is not null then 'configuration'
      when lan_seen then 'lan side' end as origin_by,
    case when twin_ip is not null then twin_ip when translated and coalesce(tracked_place, 'inside') <> 'outside' then tracked_ip when not coalesce(moved is not null, false) then forward_ip end as host_ip
  from w),
outer_legs as (
  select id, device, snapshot, feed, exhibit, connection, line, proto, orig_ip, orig_port, resp_ip, resp_port, t0, t1, fwd, rev, exact, app, sampling,
    'wan' as side, case when outward then 'out' else 'in' end as direction, coalesce(host_ip, 'device') as node,
    case when outward then resp_ip else orig_ip end as peer_ip, case when outward then resp_port else orig_port end as peer_port,
    case when outward then orig_port else resp_port end as near_port,
    case when host_ip is not null then case when outward then 'nat' else 'dnat' end when origin_by is null then 'unknown' else 'self' end as origin,
    origin_by, case when origin_by = 'configuration' then rule_exhibit end as origin_exhibit, case when origin_by = 'configuration' then rule_line end as origin_line
  from told),
lan_legs as (   -- the device with hosts inside, and hosts inside whose way out is not the usual translation
  select p.id, p.device, p.snapshot, p.feed, p.exhibit, p.connection, p.line, p.proto, p.orig_ip, p.orig_port, p.resp_ip, p.resp_port, p.t0, p.t1, p.fwd, p.rev, p.exact, p.app, p.sampling,
    'lan' as side, case when p.orig_place = 'own' then 'out' else 'in' end as direction, 'device' as node,
    case when p.orig_place = 'own' then p.resp_ip else p.orig_ip end as peer_ip, case when p.orig_place = 'own' then p.resp_port else p.orig_port end as peer_port,
    case when p.orig_place = 'own' then p.orig_port else p.resp_port end as near_port,
    case when p.orig_place = 'own' then 'self' when p.resp_place = 'own' then 'lan' else 'diverted' end as origin, 'lan side' as origin_by, null as origin_exhibit, null as origin_line
  from placed p
  where (p.orig_place, p.resp_place) in (('own', 'inside'), ('inside', 'own'))
     or ((p.orig_place, p.resp_place) = ('inside', 'outside') and p.id not in (select inner_id from twins)
       and exists(select 1 from spans s where (s.device, s.snapshot, s.feed, s.side) = (p.device, p.snapshot, p.feed, 'wan') and p.t0 between s.since and s.until))),
behind_legs as (   -- where no WAN side was watched: hosts inside as they are
  select p.id, p.device, p.snapshot, p.feed, p.exhibit, p.connection, p.line, p.proto, p.orig_ip, p.orig_port, p.resp_ip, p.resp_port, p.t0, p.t1, p.fwd, p.rev, p.exact, p.app, p.sampling,
    'lan' as side, case when p.orig_place = 'inside' then 'out' else 'in' end as direction, case when p.orig_place = 'inside' then p.orig_ip else p.resp_ip end as node,
    case when p.orig_place = 'inside' then p.resp_ip else p.orig_ip end as peer_ip, case when p.orig_place = 'inside' then p.resp_port else p.orig_port end as peer_port,
    case when p.orig_place = 'inside' then p.orig_port else p.resp_port end as near_port,
    case when p.orig_place = 'inside' then 'lan' else 'dnat' end as origin, 'lan side' as origin_by, null as origin_exhibit, null as origin_line
  from placed p
  where (p.orig_place, p.resp_place) in (('inside', 'outside'), ('outside', 'inside'))
    and not exists(select 1 from spans s where (s.device, s.snapshot, s.feed, s.side) = (p.device, p.snapshot, p.feed, 'wan')))
select * from outer_legs union all by name select * from lan_legs union all by name select * from behind_legs;

-- names and the time of day are asked by every device, also because somebody came in (a name for an address in a log)
update legs set explained = case
    when proto in ('udp', 'tcp') and least(peer_port, near_port) = 53 and (app = 'dns' or app is null and fwd + rev < 4096) then 'dns'
    when proto = 'udp' and least(peer_port, near_port) = 123 and (app = 'ntp' or app is null and fwd + rev < 2048) then 'ntp'
    when proto = 'udp' and least(peer_port, near_port) = 67 then 'dhcp' end;
