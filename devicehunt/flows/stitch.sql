-- Flow records -> connections. {flows}: the table flows or a reading of Parquet files of its shape; $idle_us: what ends a connection, in microseconds.
-- Counts stay as the exporter gave them, the sampling beside them. The times of a record that runs backwards are taken the other way round;
-- one without a clock counts from its export.
insert into connections by name
with timed as (
  select device, snapshot, exhibit, line, exporter, proto, src_ip, src_key, src_port, dst_ip, dst_key, dst_port, coalesce(depth, 0) as depth,
    packets, bytes, coalesce(tcp_flags, 0) & 255 as flags, coalesce(direction, '') as direction, in_interface, sampling,
    coalesce(least(first_at, last_at), first_at, last_at, exported_at) as first_at,
    coalesce(greatest(first_at, last_at), last_at, first_at, exported_at) as last_at,
    proto in ('icmp', 'icmp6') as icmp
  from {flows} where src_key is not null and dst_key is not null),
ends as (   -- the two ends in an order of their own, so that both directions meet; type and code of ICMP are no ports
  select *, case when icmp then -1 else coalesce(src_port, -1) end as src_end, case when icmp then -1 else coalesce(dst_port, -1) end as dst_end,
    (src_key, src_end) <= (dst_key, dst_end) as up,
    case when up then src_key else dst_key end as a_key, case when up then dst_key else src_key end as b_key,
    case when up then src_end else dst_end end as a_port, case when up then dst_end else src_end end as b_port
  from timed),
measured as (   -- a router that exports a packet where it comes in and where it leaves tells it twice
  select *, sum(packets) over (partition by device, snapshot, exhibit, exporter, depth, proto, a_key, a_port, b_key, b_port, up, direction) as seen
  from ends),
once as (
  select * exclude (seen) from measured
  qualify direction = first(direction) over (partition by device, snapshot, exhibit, exporter, depth, proto, a_key, a_port, b_key, b_port, up
    order by seen desc nulls last, case direction when 'ingress' then 0 when 'egress' then 1 else 2 end)),
before as (
  select *, max(last_at) over (partition by device, snapshot, exhibit, exporter, depth, proto, a_key, a_port, b_key, b_port
    order by first_at, last_at, line, up rows between unbounded preceding and 1 preceding) as ended
  from once),
pieces as (
  select *, sum(case when $idle_us >= 0 and epoch_us(first_at) - epoch_us(ended) > $idle_us then 1 else 0 end) over (
    partition by device, snapshot, exhibit, exporter, depth, proto, a_key, a_port, b_key, b_port
    order by first_at, last_at, line, up rows unbounded preceding) as part
  from before),
joined as (
  select device, snapshot, exhibit, exporter, depth, proto, a_key, a_port, b_key, b_port, part, any_value(icmp) as icmp,
    min(line) as line, min(first_at) as first_at, max(last_at) as last_at,
    any_value(case when up then src_ip else dst_ip end) as a_ip, any_value(case when up then dst_ip else src_ip end) as b_ip,
    count(*) filter (up) as a_pieces, count(*) filter (not up) as b_pieces,
    sum(packets) filter (up) as a_packets, sum(packets) filter (not up) as b_packets,
    sum(bytes) filter (up) as a_bytes, sum(bytes) filter (not up) as b_bytes,
    bit_or(flags) filter (up) as a_flags, bit_or(flags) filter (not up) as b_flags,
    min(first_at) filter (up) as a_first, min(first_at) filter (not up) as b_first,
    -- a SYN without ACK opens; one packet with both answers; flags of many packets tell only who has sent a SYN
    coalesce(bool_or(flags & 18 = 2) filter (up), false) as a_opens, coalesce(bool_or(flags & 18 = 2) filter (not up), false) as b_opens,
    coalesce(bool_or(flags & 23 = 18 and packets = 1) filter (up), false) as a_answers,
    coalesce(bool_or(flags & 23 = 18 and packets = 1) filter (not up), false) as b_answers,
    coalesce(bool_or(icmp and src_port in (8, 13, 15, 17, 128)) filter (up), false) as a_asks,
    coalesce(bool_or(icmp and src_port in (8, 13, 15, 17, 128)) filter (not up), false) as b_asks,
    arg_min(struct_pack(t := src_port, c := dst_port), (first_at, line)) filter (icmp and up) as a_icmp,
    arg_min(struct_pack(t := src_port, c := dst_port), (first_at, line)) filter (icmp and not up) as b_icmp,
    arg_min(in_interface, (first_at, line)) as interface,
    case when count(sampling) = count(*) and min(sampling) = max(sampling) then min(sampling) end as sampling
  from pieces group by device, snapshot, exhibit, exporter, depth, proto, a_key, a_port, b_key, b_port, part),
turned as (
  select *, case
      when a_opens <> b_opens then a_opens
      when a_answers <> b_answers then b_answers
      when a_asks <> b_asks then a_asks
      when a_flags & 2 = 2 and b_flags & 2 = 2 and a_first <> b_first then a_first < b_first
    end as by_syn,
    case when least(a_port, b_port) >= 0 and least(a_port, b_port) < 1024 and greatest(a_port, b_port) >= 1024
           or least(a_port, b_port) >= 0 and least(a_port, b_port) < 32768 and greatest(a_port, b_port) >= 32768 then b_port < a_port end as by_port,
    coalesce(by_syn, by_port, case when a_pieces = 0 then false when b_pieces = 0 then true else a_first <= b_first end) as a_orig
  from joined)
select device, snapshot, exhibit, line,
  row_number() over (partition by device, snapshot, exhibit order by first_at, line, exporter, depth, proto, a_key, a_port, b_key, b_port, part) as connection,
  proto,
  case when a_orig then a_ip else b_ip end as orig_ip, case when a_orig then a_key else b_key end as orig_key,
  case when icmp then coalesce(case when a_orig then a_icmp else b_icmp end, a_icmp, b_icmp).t
       else nullif(case when a_orig then a_port else b_port end, -1) end as orig_port,
  case when a_orig then b_ip else a_ip end as resp_ip, case when a_orig then b_key else a_key end as resp_key,
  case when icmp then coalesce(case when a_orig then a_icmp else b_icmp end, a_icmp, b_icmp).c
       else nullif(case when a_orig then b_port else a_port end, -1) end as resp_port,
  first_at, last_at,
  -- no record of a direction: none was seen; a record without counts: unknown
  case when a_orig then case when a_pieces = 0 then 0 else a_packets end else case when b_pieces = 0 then 0 else b_packets end end as orig_packets,
  case when a_orig then case when a_pieces = 0 then 0 else a_bytes end else case when b_pieces = 0 then 0 else b_bytes end end as orig_bytes,
  case when a_orig then case when b_pieces = 0 then 0 else b_packets end else case when a_pieces = 0 then 0 else a_packets end end as resp_packets,
  case when a_orig then case when b_pieces = 0 then 0 else b_bytes end else case when a_pieces = 0 then 0 else a_bytes end end as resp_bytes,
  flag_letters(case when a_orig then a_flags else b_flags end) as orig_flags,
  flag_letters(case when a_orig then b_flags else a_flags end) as resp_flags,
  case when by_syn is not null then 'syn' when by_port is not null then 'port' else 'first' end as oriented,
  case when interface between 0 and 2147483647 then interface::integer end as interface,
  depth, sampling, 'exporter' as view
from turned
