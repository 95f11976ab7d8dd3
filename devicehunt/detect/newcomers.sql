-- Legs -> what the devices of a fleet begin to call: peer, port, certificate and client (ja3) of connections that are the device's own.
-- Of each device the chance that calls at random times of its own would all lie after the first one. Filled into `begun`.

create or replace temp table begun as
with l as (
  select l.device, l.snapshot, l.feed, l.id, l.t0, l.proto, l.peer_ip, l.peer_port, t.sha256, t.ja3 from legs l
  left join tls_sessions t on (t.device, t.snapshot, t.exhibit, t.connection) = (l.device, l.snapshot, l.exhibit, l.connection)
  where l.direction = 'out' and l.side = 'wan' and l.origin = 'self' and l.explained is null and l.node = 'device'),
m as (
  select device, snapshot, feed, id, t0, 'peer' as kind, proto || '/' || peer_ip || '/' || peer_port as name from l
  union all select device, snapshot, feed, id, t0, 'port', proto || '/' || peer_port from l where peer_port >= 1024
  union all select device, snapshot, feed, id, t0, 'certificate', sha256 from l where sha256 is not null
  union all select device, snapshot, feed, id, t0, 'ja3', ja3 from l where ja3 is not null),
g as (select device, snapshot, feed, kind, name, count(*) as calls, min(t0) as since, arg_min(id, (t0, id)) as first_leg from m group by all),
k as (select feed, kind, name from g group by all having count(distinct device) >= 3)
select g.*, r.since as watched, r.span from g join k using (feed, kind, name) join watches r using (device, snapshot, feed);
