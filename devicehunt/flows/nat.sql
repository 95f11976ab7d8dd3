-- Sessions of connection tracking -> connections, where they carry times and bytes: what `conntrack -E` told to the end.
-- A list of entries says what went through, and not when (a timeout that runs down is no time of the last packet).
-- Bytes are counted from the IP header on. The ends are those that the opener named, before any translation. An offloaded
-- session counts only what the CPU saw of it: how much that is nobody knows, so its sampling is null.
-- Outputs that are connections already are left alone.
insert into connections (device, snapshot, exhibit, line, connection, proto, orig_ip, orig_key, orig_port, resp_ip, resp_key, resp_port,
  first_at, last_at, orig_packets, orig_bytes, resp_packets, resp_bytes, oriented, depth, sampling, view)
select device, snapshot, exhibit, line, row_number() over (partition by device, snapshot, exhibit order by line, view, orig_src_ip, orig_src_port),
  case when proto in ('icmpv6', 'ipv6-icmp') then 'icmp6' else lower(proto) end,
  orig_src_ip, orig_src_key, case when proto in ('tcp', 'udp', 'udplite', 'sctp', 'dccp') then orig_src_port end,
  orig_dst_ip, orig_dst_key, case when proto in ('tcp', 'udp', 'udplite', 'sctp', 'dccp') then orig_dst_port end,
  first_at, last_at, orig_packets, orig_bytes, reply_packets, reply_bytes, 'log', 0, case when not coalesce(offloaded, false) then 1 end, 'conntrack'
from nat_sessions
where orig_src_ip is not null and orig_dst_ip is not null and last_at is not null and coalesce(orig_packets, orig_bytes, reply_packets, reply_bytes) is not null
  and (device, snapshot, exhibit) not in (select distinct device, snapshot, exhibit from connections where view = 'conntrack')
order by device, snapshot, exhibit, line;
-- a list of entries tells what stood there when it was taken
update nat_sessions set seen_at = e.seen_at
from (select device, snapshot, exhibit, max(collected_at) as seen_at from exhibits group by all) e
where (e.device, e.snapshot, e.exhibit) = (nat_sessions.device, nat_sessions.snapshot, nat_sessions.exhibit) and nat_sessions.view <> 'conntrack-events';
