-- Connection tracking entries -> connections, where the device counted packets or bytes.
-- An entry says what went through, and not when: first_at and last_at are null (a timeout that runs down is no time of the last packet).
-- Bytes are counted from the IP header on. The ends are those that the opener named, before any translation. An offloaded
-- entry counts only what the CPU saw of it: how much that is nobody knows, so its sampling is null.
insert into connections (device, snapshot, exhibit, line, connection, proto, orig_ip, orig_key, orig_port, resp_ip, resp_key, resp_port,
  orig_packets, orig_bytes, resp_packets, resp_bytes, oriented, depth, sampling, view)
select device, snapshot, exhibit, line, row_number() over (partition by device, snapshot, exhibit, view order by line, orig_src_ip, orig_src_port),
  case when proto in ('icmpv6', 'ipv6-icmp') then 'icmp6' else lower(proto) end,
  orig_src_ip, orig_src_key, case when proto in ('tcp', 'udp', 'udplite', 'sctp', 'dccp') then orig_src_port end,
  orig_dst_ip, orig_dst_key, case when proto in ('tcp', 'udp', 'udplite', 'sctp', 'dccp') then orig_dst_port end,
  orig_packets, orig_bytes, reply_packets, reply_bytes, 'log', 0, case when not coalesce(offloaded, false) then 1 end, 'conntrack'
from nat_sessions
where orig_src_ip is not null and orig_dst_ip is not null and coalesce(orig_packets, orig_bytes, reply_packets, reply_bytes) is not null
order by device, snapshot, exhibit, line;
