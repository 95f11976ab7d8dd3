/*
id: relay-pairs
title: "{who} relays: {pairs} of {sessions} sessions {way} went out again to {targets} other {hosts} ({first_target} ...), on average {lag}{why}{configured_text} [seen: {seen}]"
about: "A relay takes a connection in and opens one of its own for it: the same bytes, a moment later. Times and sizes alone tell it, whatever the relay speaks; what the device itself says of the port is held beside them."
check: C25
level: high
needs: [{any: [{connections@packets: [orig_ip, resp_ip, first_at, oriented]}, {connections@exporter: [orig_ip, resp_ip, first_at]}, {connections@zeek: [orig_ip, resp_ip, first_at]}]}, own_addresses]
key: [node, kind, name]
subjects:
  - {type: relay-pair, inbound: inbound, outbound: outbound, lag_ms: lag_ms}
  - {type: socket, proto: proto, local_port: local_port}
  - {type: process, pid: pid, name: program, exe: path}
  - {type: nat-rule, text: nat_text, proto: nat_proto, port: nat_port, to: nat_to}
  - {type: peer, address: peer_ip, port: peer_port}
explained_by: [listener, port-forward, peer]
attack: [T1090.001, T1090.003]
falsepositives:
  - "a reverse proxy, a VPN gateway or a jump host of the owner (name it in the site file)"
  - "a forward or a proxy that the configuration sets up (one level lower, and never below medium: confirm it with the owner)"
references:
  - "CISA AA24-038A: Volt Typhoon relays through routers (2024)"
  - "Zhang and Paxson, Detecting Stepping Stones (USENIX Security 2000)"
response: "Keep the capture. Find the program or the NAT rule behind the port, copy it and its memory before a reboot, and tell the owners of the far ends."
*/
with p as (
  select k.*, q.session, q.onward, q.lag_ms, a.exhibit, a.line, b.exhibit as exhibit_2, b.line as line_2, a.proto, b.resp_ip as target, b.side as out_side, a.side as in_side,
    case when k.kind = 'port' then a.near_port end as local_port,
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
  from p group by all),
h as (  -- what speaks for it besides times and sizes
  select h.* exclude (proto), k.score, k.pairs, g.* exclude (device, snapshot, feed, node, kind, name), s.words as seen,
    h.strange is not null as bad_program, h.led >= 1 as proxy_seen, 2 * k.exact >= k.pairs and k.exact >= 3 and not g.unsure as to_the_byte,
    coalesce(h.nat_outside, false) as nat_relay, h.configured is not null and h.strange is null as set_up
  from relay_hosts h join relay_keys k using (device, snapshot, feed, node, kind, name) join g using (device, snapshot, feed, node, kind, name)
  left join sights s using (device, snapshot, feed)),
r as (
  select *, bad_program or proxy_seen or to_the_byte or nat_relay as corroborated,
    concat(case when bad_program then concat('; ', coalesce(program, 'the program'), ', which holds it, ', strange) end,
      case when nat_relay then concat('; a NAT rule sends it to ', nat_to) end,
      case when proxy_seen then concat('; ', led, ' began with a request (', asked_kind, ') that names where they went') end,
      case when to_the_byte then '; they match to the byte' end,
      case when account is not null then concat('; ', account, ' had logged in from there') end,
      case when tunnel is not null then concat('; the tunnel ', tunnel, ' goes there') end,
      case when not listed and nat_text is null and kind = 'port' then '; the device''s list of sockets does not show the port' end) as why
  from h)
select p.device, p.snapshot, p.exhibit, p.line, p.exhibit_2, p.line_2,
  r.socket_exhibit as exhibit_3, r.socket_line as line_3, r.process_exhibit as exhibit_4, r.process_line as line_4,
  coalesce(r.nat_exhibit, r.opened_exhibit) as exhibit_5, coalesce(r.nat_line, r.opened_line) as line_5,
  coalesce(r.account_exhibit, r.tunnel_exhibit, r.configured_exhibit) as exhibit_6, coalesce(r.account_line, r.tunnel_line, r.configured_line) as line_6,
  p.node, p.kind, p.name, p.proto, p.local_port, p.inbound, p.outbound, p.lag_ms, r.pid, r.program, r.path, r.nat_text,
  case when r.nat_text is not null then p.proto end as nat_proto, case when r.nat_text is not null then r.port end as nat_port, r.nat_to, r.peer_ip, r.peer_port,
  case when p.node = 'device' then 'the device' else 'the host ' || p.node || ' behind the device' end as who,
  case when diverted then 'of hosts inside that never left as they were' when p.kind = 'port' then 'at ' || p.name else 'from ' || p.name end as way,
  p.pairs, p.sessions, r.targets, case when r.targets = 1 then 'host' else 'hosts' end as hosts, r.first_target, r.lag, r.why, coalesce(r.seen, 'not known') as seen,
  case when set_up then concat('; configured (', configured, '): confirm with the owner') else '' end as configured_text,
  case when not to_outside then 'low'
    -- a host inside that uses it may be one whose owner knows
    when not from_outside and not diverted then 'medium'
    when p.score < 5 and not corroborated or set_up and not corroborated then 'medium'
    when set_up or p.score < 5 or not corroborated then 'high'
    else 'critical' end as level,
  case when set_up and not corroborated then 'running' end as explained_by, case when set_up then 'configured: ' || configured end as explanation,
  null::varchar as no_finding, false as race, null::varchar as race_reason
from p join r using (device, snapshot, feed, node, kind, name)
where r.from_outside or r.to_outside
union all by name
select device, snapshot, words as no_finding, false as race, null as race_reason from sights
union all by name
select device, snapshot, null as no_finding, true as race, string_agg(distinct concat(case feed when 'packets' then 'the capture' when 'exporter' then 'the flow records' else feed end, ': ', coalesce(blind, short)), '; ') as race_reason
from sights group by device, snapshot having bool_and(blind is not null or short is not null)
