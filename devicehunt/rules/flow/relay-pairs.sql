/*
id: relay-pairs
title: "{who} relays: {pairs} of {sessions} sessions {way} went out again to {targets} other {hosts} ({first_target} ...), on average {lag}"
about: "A relay takes a connection in and opens one of its own for it: the same bytes, a moment later. Times and sizes alone tell it, whatever the relay speaks."
check: C25
level: high
needs: [{any: [{connections@packets: [orig_ip, resp_ip, first_at]}, {connections@exporter: [orig_ip, resp_ip, first_at]}, {connections@zeek: [orig_ip, resp_ip, first_at]}]}, own_addresses]
key: [node, kind, name]
subjects:
  - {type: relay-pair, inbound: inbound, outbound: outbound, lag_ms: lag_ms}
  - {type: socket, proto: proto, local_port: local_port}
explained_by: [listener]
attack: [T1090.001, T1090.003]
falsepositives:
  - "a reverse proxy, a VPN gateway or a jump host of the owner (name it in the site file)"
references:
  - "CISA AA24-038A: Volt Typhoon relays through routers (2024)"
  - "Zhang and Paxson, Detecting Stepping Stones (USENIX Security 2000)"
response: "Keep the capture. Find the program or the NAT rule behind the port, copy it and its memory before a reboot, and tell the owners of the far ends."
*/
with p as (
  select k.*, q.session, q.onward, q.lag_ms, a.exhibit, a.line, b.exhibit as exhibit_2, b.line as line_2, a.proto, b.resp_ip as target, b.side as out_side, a.side as in_side,
    case when k.kind = 'port' and a.side = 'wan' then a.near_port when k.kind = 'port' then a.near_port end as local_port,
    struct_pack(proto := a.proto, orig_ip := a.orig_ip, orig_port := a.orig_port, resp_ip := a.resp_ip, resp_port := a.resp_port,
      first_at := iso_us(a.t0), last_at := iso_us(a.t1)) as inbound,
    struct_pack(proto := b.proto, orig_ip := b.orig_ip, orig_port := b.orig_port, resp_ip := b.resp_ip, resp_port := b.resp_port,
      first_at := iso_us(b.t0), last_at := iso_us(b.t1)) as outbound,
    b.origin as out_origin, a.origin as in_origin
  from relay_keys k join relay_pairs q using (device, snapshot, feed, node, kind, name)
  join legs a on a.id = q.session join legs b on b.id = q.onward),
g as (
  select device, snapshot, feed, node, kind, name, count(distinct target) as targets, any_value(target order by target) as first_target,
    printf('%.1f s', avg(lag_ms) / 1000) as lag, bool_or(in_side = 'wan') as from_outside, bool_or(out_side = 'wan') as to_outside,
    bool_or(in_origin = 'diverted') as diverted, bool_and(out_origin = 'unknown') as unsure
  from p group by all)
select p.device, p.snapshot, p.exhibit, p.line, p.exhibit_2, p.line_2, p.node, p.kind, p.name, p.proto, p.local_port, p.inbound, p.outbound, p.lag_ms,
  case when p.node = 'device' then 'the device' else 'the host ' || p.node || ' behind the device' end as who,
  case when diverted then 'of hosts inside that never left as they were' when p.kind = 'port' then 'at ' || p.name else 'from ' || p.name end as way,
  p.pairs, p.sessions, g.targets, case when g.targets = 1 then 'host' else 'hosts' end as hosts, g.first_target, g.lag,
  case when not g.to_outside then 'low' when not g.from_outside and not g.diverted then 'medium' when p.score < 5 then 'medium' else 'high' end as level
from p join g using (device, snapshot, feed, node, kind, name)
where g.from_outside or g.to_outside
