/*
id: relay-single-session
title: "{who} carried a session from {from_ip} on to {to_ip}:{to_port}: {how} [seen: {seen}]"
about: "One session says little by its times. It is enough when it began with a request to a proxy that names where the device then went, or when two connections of sizes that no others have match to the byte."
check: C25
level: high
needs: [{any: [{connections@packets: [orig_ip, resp_ip, first_at, oriented, app]}, {connections@zeek: [orig_ip, resp_ip, first_at]}]}, own_addresses]
key: [node, proto, local_port]
subjects:
  - {type: relay-pair, inbound: inbound, outbound: outbound, lag_ms: lag_ms}
  - {type: socket, proto: proto, local_port: local_port}
explained_by: [listener]
attack: [T1090.001, T1090.003]
falsepositives:
  - "a proxy of the owner for the LAN (medium where only hosts inside ask)"
  - "a reverse proxy or a forward of the owner (name it in the site file)"
  - "a transfer that the device made of something it had just been given: medium where it is not known whose the connection out is"
references:
  - "RFC 1928, RFC 9110 (CONNECT)"
  - "Zhang and Paxson, Detecting Stepping Stones (USENIX Security 2000)"
response: "Keep the capture. Find the program behind the port and copy it before it is stopped; tell the owner of the far end."
*/
with i as (  -- ways in that relay-pairs tells of are left to it
  select l.* from legs l where direction = 'in' and explained is null and fwd > 0
    and not exists(select 1 from relay_keys k where (k.device, k.snapshot, k.feed, k.node, k.kind, k.name) = (l.device, l.snapshot, l.feed, l.node, 'port', l.proto || '/' || l.near_port))),
o as (select * from legs where direction = 'out' and explained is null and fwd > 0 and origin in ('self', 'unknown', 'nat', 'lan')),
asked as (
  select a.id as session, b.id as onward, 'it began with a request (' || p.kind || ') for ' || p.host || ':' || p.port as how, true as named
  from proxy_requests p join i a on (a.device, a.snapshot, a.exhibit, a.connection) = (p.device, p.snapshot, p.exhibit, p.connection)
  join o b on (b.device, b.snapshot, b.feed, b.peer_port) = (a.device, a.snapshot, a.feed, p.port) and (b.node = a.node or b.origin = 'unknown')
    and b.t0 between a.t0 - 50000 and a.t1 + 1000000 and b.peer_ip <> a.peer_ip
    and (b.peer_ip = p.host or exists(select 1 from tls_sessions t where (t.device, t.snapshot, t.exhibit, t.connection, t.sni) = (b.device, b.snapshot, b.exhibit, b.connection, p.host))
      or exists(select 1 from dns_queries q where (q.device, q.snapshot, q.name) = (b.device, b.snapshot, p.host) and list_contains(string_split(q.answers, ','), b.peer_ip)))
  -- the first that follows: what was asked for once was opened once
  qualify row_number() over (partition by a.id, p.host, p.port order by abs(b.t0 - a.t0), b.id) = 1),
sizes as (   -- sizes that tell: large enough, and no other leg of that direction has them
  select any_value(id) as id from (select * from i union all select * from o) where exact and sampling = 1 and fwd >= 400 and rev >= 400 and fwd + rev >= 4000
  group by device, snapshot, feed, direction, proto, fwd, rev having count(*) = 1),
same as (
  select a.id as session, b.id as onward, printf('both have %d and %d bytes, no other connection has, and they begin and end together', a.fwd, a.rev) as how, false as named
  from i a join o b on (b.device, b.snapshot, b.feed, b.proto, b.fwd, b.rev) = (a.device, a.snapshot, a.feed, a.proto, a.fwd, a.rev) and (b.node = a.node or b.origin = 'unknown')
  where a.id in (select id from sizes) and b.id in (select id from sizes) and b.peer_ip <> a.peer_ip and b.t0 - a.t0 between -50000 and 6000000 and abs(b.t1 - a.t1) <= 3000000),
f as (select * from asked union all select * from same where session not in (select session from asked))
select a.device, a.snapshot, a.exhibit, a.line, b.exhibit as exhibit_2, b.line as line_2, a.node, a.proto, a.near_port as local_port, a.peer_ip as from_ip, b.peer_ip as to_ip, b.peer_port as to_port,
  case when a.node = 'device' then 'the device' else 'the host ' || a.node || ' behind the device' end as who, f.how, coalesce(s.words, 'not known') as seen, (b.t0 - a.t0) / 1000 as lag_ms,
  struct_pack(proto := a.proto, orig_ip := a.orig_ip, orig_port := a.orig_port, resp_ip := a.resp_ip, resp_port := a.resp_port, first_at := iso_us(a.t0), last_at := iso_us(a.t1)) as inbound,
  struct_pack(proto := b.proto, orig_ip := b.orig_ip, orig_port := b.orig_port, resp_ip := b.resp_ip, resp_port := b.resp_port, first_at := iso_us(b.t0), last_at := iso_us(b.t1)) as outbound,
  case when b.side <> 'wan' then 'low' when a.side <> 'wan' then 'medium' when named or b.origin <> 'unknown' then 'high' else 'medium' end as level,
  null::varchar as no_finding, false as race, null::varchar as race_reason
from f join legs a on a.id = f.session join legs b on b.id = f.onward left join sights s on (s.device, s.snapshot, s.feed) = (a.device, a.snapshot, a.feed)
union all by name
select device, snapshot, words as no_finding, false as race, null as race_reason from sights where feed in ('packets', 'zeek')
union all by name
select device, snapshot, null as no_finding, true as race, string_agg(distinct concat(case feed when 'packets' then 'the capture' else feed end, ': ', blind), '; ') as race_reason
from sights where feed in ('packets', 'zeek') group by device, snapshot having bool_and(blind is not null)
