/*
id: carrier-relays
title: "{who} carries {matched} connections {where_to} inside one {speaks} connection {way}, which has their bytes at the same time (at shifted times {by_chance} do; score {scored}){doubt}"
about: "A reverse tunnel, a VPN or a proxy that multiplexes holds many connections in a long one. What comes in by it leaves a moment later, and the answers go back: the bytes over time tell it, whatever is encrypted."
check: C25
level: high
needs: [{any: [{series@packets: [bin]}, {flows: [bytes]}]}, {any: [{connections@packets: [orig_ip, resp_ip, first_at, oriented]}, {connections@exporter: [orig_ip, resp_ip, first_at]}]}, own_addresses]
key: [node, speaks, far]
subjects:
  - {type: carrier, proto: proto, orig_ip: orig_ip, orig_port: orig_port, resp_ip: resp_ip, resp_port: resp_port, carried: carried, score: score, z: z, expected: expected, step_ms: step_ms}
  - {type: socket, proto: proto, local_port: local_port}
  - {type: peer, address: far}
explained_by: [listener, peer]
attack: [T1572, T1090.001, T1090.003]
falsepositives:
  - "a VPN of the owner whose users go on to the internet, or to the other site (name it in the site file)"
  - "a jump host or a reverse proxy of the owner that keeps one connection open for many"
references:
  - "CISA AA24-038A: Volt Typhoon relays through routers (2024)"
  - "CISA AA25-239A: GRE tunnels on routers of providers (2025)"
  - "Blum, Song and Venkataraman, Detection of Interactive Stepping Stones (RAID 2004)"
response: "Keep the capture. Find the program, tunnel interface or SSH session of this connection on the device and who started it; tell the owners of the far ends."
*/
with c as (
  select k.*, l.proto, l.orig_ip, l.orig_port, l.resp_ip, l.resp_port, l.side, l.direction, l.peer_ip as far, l.near_port, l.origin as origin_of,
    case when l.direction = 'in' then nullif(l.near_port, 0) end as local_port from carriers k join legs l on l.id = k.leg),
h as (
  select carrier, list(struct_pack(proto := proto, orig_ip := orig_ip, orig_port := orig_port, resp_ip := resp_ip, resp_port := resp_port,
      first_at := iso_us(t0), last_at := iso_us(t1)) order by t0, leg) as carried, count(*) as connections, count(distinct resp_ip) as hosts,
    bool_or(side = 'wan') as outside, bool_or(side = 'lan') as inside, bool_or(origin = 'self' and side = 'lan') as from_device, bool_or(origin <> 'unknown') as known
  from carried group by carrier),
w as (
  select c.*, h.carried, h.outside, h.inside, h.from_device, h.known, x.exhibit as exhibit_2, x.line as line_2, h.connections, h.hosts,
    coalesce(t.what, p.what) as configured, o.explained from c join h using (carrier) join carried x using (carrier)
  left join (select device, snapshot, peer_ip as address, min(coalesce(kind, 'tunnel')) as what from tunnels where peer_ip is not null group by all) t
    on (t.device, t.snapshot, t.address) = (c.device, c.snapshot, c.far)
  left join configured_ports p on (p.device, p.snapshot, p.port) = (c.device, c.snapshot, c.local_port)
  left join (select address, 'tunnel to ' || address as explained from expected where kind = 'tunnel' and address is not null group by all) o on o.address = c.far)
select device, snapshot, exhibit, line, exhibit_2, line_2, node, far, channel as speaks, matched, expected, score, z, step_ms, printf('%.2f', expected) as by_chance, printf('%.1f', score) as scored, proto, orig_ip, orig_port, resp_ip, resp_port, local_port, carried,
  case when node = 'device' then 'the device' else 'the host ' || node || ' behind the device' end as who,
  case when direction = 'in' then 'from ' else 'to ' end || far as way,
  case when outside and inside then 'to hosts outside and inside' when inside then 'to hosts inside' else 'to hosts outside' end as where_to,
  case when configured is not null then '; configured (' || configured || '): confirm with the owner'
    when not known then '; whose the connections are was not seen: the line''s outer side alone was captured' else '' end as doubt,
  case when explained is not null then 'info' when side = 'lan' then 'low' when configured is not null then 'medium' when not outside and not from_device then 'medium' when score < 4 then 'medium' else 'high' end as level,
  case when explained is not null then 'owner' when configured is not null then 'running' end as explained_by,
  coalesce('site file: ' || explained, 'configured by ' || configured) as explanation
from w
union all by name
select device, snapshot, true as race, string_agg(distinct concat(case feed when 'packets' then 'the capture' when 'exporter' then 'the flow records' else feed end, ': ', coalesce(blind, short)), '; ') as race_reason
from sights group by device, snapshot having bool_and(blind is not null or short is not null)
union all by name
select device, snapshot, true as race, min(what) as race_reason from unlooked group by device, snapshot
