/*
id: relay-chain
title: "two long connections of {who} begin and end together and carry the same bytes: {from_ip} and {to_ip}, {lasting}, begun {lag_text} apart; at shifted times the device has {expected} such pairs"
about: "A session that is held for long is relayed with any lag, also pooled and padded: what stays are its beginning, its end, and that one side holds the bytes of the other."
check: C15
level: high
needs: [{any: [{connections@packets: [orig_ip, resp_ip, first_at, oriented, resp_port]}, {connections@exporter: [orig_ip, resp_ip, first_at]}, {connections@zeek: [orig_ip, resp_ip, first_at]}]}, own_addresses]
key: [node, from_ip, to_ip]
subjects:
  - {type: relay-pair, inbound: inbound, outbound: outbound, lag_ms: lag_ms}
explained_by: [listener, tunnel, peer]
attack: [T1090.002, T1090.003]
falsepositives:
  - "two long transfers of the owner that happen to begin and end together (at most 20 such pairs in 1,000 days of devices)"
  - "on a capture of the WAN alone: hosts behind the device (medium there)"
references:
  - "Zhang and Paxson, Detecting Stepping Stones (USENIX Security 2000)"
  - "Donoho and others, Multiscale Stepping-Stone Detection (RAID 2002)"
response: "Keep the capture and find who holds the two connections on the device (sockets, NAT rules). Tell the owners of the far ends."
*/
select c.device, c.snapshot, a.exhibit, a.line, b.exhibit as exhibit_2, b.line as line_2, c.node, a.peer_ip as from_ip, b.peer_ip as to_ip, c.lag_ms,
  printf('%.1f s', abs(c.lag_ms) / 1000) as lag_text, printf('%.0f minutes', (a.t1 - a.t0) / 6e7) as lasting, printf('%.2f', c.expected) as expected,
  case when c.node = 'device' then 'the device' else 'the host ' || c.node || ' behind the device' end as who,
  struct_pack(proto := a.proto, orig_ip := a.orig_ip, orig_port := a.orig_port, resp_ip := a.resp_ip, resp_port := a.resp_port,
    first_at := iso_us(a.t0), last_at := iso_us(a.t1)) as inbound,
  struct_pack(proto := b.proto, orig_ip := b.orig_ip, orig_port := b.orig_port, resp_ip := b.resp_ip, resp_port := b.resp_port,
    first_at := iso_us(b.t0), last_at := iso_us(b.t1)) as outbound,
  case when c.sure and c.expected <= 0.05 and a.side = 'wan' and b.side = 'wan' then 'high' else 'medium' end as level
from chains c join legs a on a.id = c.session join legs b on b.id = c.onward
where (a.side = 'wan' or b.side = 'wan') and c.expected <= 0.5 and c.feed in ('packets', 'exporter', 'zeek')
union all by name
select device, snapshot, true as race, string_agg(distinct concat(case feed when 'packets' then 'the capture' when 'exporter' then 'the flow records' else feed end, ': ', coalesce(blind, short)), '; ') as race_reason
from sights group by device, snapshot having bool_and(blind is not null or short is not null)
