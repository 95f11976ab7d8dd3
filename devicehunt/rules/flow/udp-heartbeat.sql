/*
id: udp-heartbeat
title: "{who} keeps up with {peers} peers outside at udp/{port}: {in_time} of them about every {wait_text}, {in_size} with datagrams of about {size_bytes} bytes ({sent} sent, {got} received){ways_text}{host_text}"
about: "Peer-to-peer control keeps a list of peers alive: one port, small datagrams of one size, the same clock for all. Programs for sharing files have many peers too, but neither one clock nor one size."
check: C17
level: high
needs: [{any: [{connections@packets: [orig_ip, resp_ip, first_at, oriented, resp_port]}, {connections@exporter: [orig_ip, resp_ip, first_at]}, {connections@zeek: [orig_ip, resp_ip, first_at]}]}, own_addresses]
key: [node, port]
subjects:
  - {type: socket, proto: proto, local_port: port}
  - {type: peer, address: first_peer}
explained_by: [listener, tunnel]
attack: [T1095, T1090.003, T1584.005]
falsepositives:
  - "a VPN of many sites that keeps itself alive, telephony, a mesh of the owner (medium where the configuration names the port; else name it in the site file)"
references:
  - "Rapid7 and Qihoo 360: Hajime and Mozi keep up with peers by UDP (2017, 2019)"
  - "MITRE ATT&CK T1095: non-application layer protocol"
response: "Find the program at the port and copy it before a reboot. Its peers are other infected devices: keep the list."
*/
with h as (
  select h.*, l.exhibit, l.line, 'udp' as proto, (select min(c.what) from configured_ports c where (c.device, c.snapshot, c.port) = (h.device, h.snapshot, h.port)) as configured
  from heartbeats h join legs l on l.id = h.first_leg where h.feed in ('packets', 'exporter', 'zeek'))
select device, snapshot, exhibit, line, node, port, proto, peers, first_peer, in_time, in_size, size_bytes, sent, got, printf('%.3g s', wait_s) as wait_text,
  case when node <> 'device' then 'the host ' || node || ' behind the device' when origin = 'self' then 'the device itself' else 'the device (or a host behind it)' end as who,
  case when by_device > 0 and by_peer > 0 then '; both sides begin' else '' end as ways_text, case when configured is not null then '; configured as ' || configured || ', confirm with the owner' else '' end as host_text,
  case when configured is not null or origin <> 'self' or got = 0 then 'medium' else 'high' end as level
from h
union all by name
select device, snapshot, true as race, string_agg(distinct concat(case feed when 'packets' then 'the capture' when 'exporter' then 'the flow records' else feed end, ': ', coalesce(blind, short)), '; ') as race_reason
from sights group by device, snapshot having bool_and(blind is not null or short is not null)
