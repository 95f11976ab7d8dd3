/*
id: nat-session-relays
title: "a connection from {from_ip} to {proto} port {port} of the device is sent on to {to_ip}:{to_port} outside{unanswered}{rule_text}"
about: "One entry of connection tracking whose first destination is the device and whose answer comes from another host outside is a relay in the kernel: no process, no socket, no statistics needed."
check: C08
level: high
platforms: [linux]
needs: [{any: [{nat_sessions@conntrack: [orig_dst_ip, reply_src_ip]}, {nat_sessions@proc: [orig_dst_ip, reply_src_ip]}, {nat_sessions@conntrack-events: [orig_dst_ip, reply_src_ip]}]}, own_addresses]
key: [proto, port, to_ip, to_port]
subjects:
  - {type: nat-rule, text: text, proto: proto, port: port_text, to: to_text}
  - {type: peer, address: to_ip, port: to_port}
explained_by: [port-forward, peer]
attack: [T1090.002, T1090.003]
falsepositives:
  - "a service of the owner that moved to another site, or to a server with a public address (name the forward in the site file)"
references:
  - "Linux: nf_conntrack, nf_nat (Documentation/networking); conntrack-tools"
  - "Microsoft: Uncovering Trickbot's use of IoT devices in C2 infrastructure (2022)"
response: "Save the whole table of connection tracking first: it names both sides and is gone in minutes. Then find the rule that does it, and who wrote it."
*/
with s as (
  select n.device, n.snapshot, n.exhibit, n.line, lower(n.proto) as proto, n.orig_dst_port as port, n.orig_src_ip as from_ip, n.reply_src_ip as to_ip, n.reply_src_port as to_port,
    coalesce(n.unreplied, false) or n.reply_packets = 0 as silent
  from nat_sessions n
  where n.orig_dst_port is not null and is_external(n.orig_src_key) and is_external(n.orig_dst_key) and is_external(n.reply_src_key) and n.reply_src_key <> n.orig_dst_key
    and exists(select 1 from own_addresses o where (o.device, o.snapshot, o.address_key) = (n.device, n.snapshot, n.orig_dst_key))
    -- neither end is the device itself or a host of a network of its own
    and not exists(select 1 from own_addresses o where (o.device, o.snapshot) = (n.device, n.snapshot) and (o.address_key in (n.orig_src_key, n.reply_src_key)
      or (o.prefix_length between 8 and 30 and n.reply_src_key between o.first_key and o.last_key)))),
r as (
  select s.*, t.text, t.exhibit as exhibit_2, t.line as line_2, t.port_text, t.to_text
  from s left join (
    select device, snapshot, proto, dst_port_first, coalesce(dst_port_last, dst_port_first) as dst_port_last, to_ip, min(text) as text, min(exhibit) as exhibit,
      arg_min(line, (exhibit, line)) as line, case when min(dst_port_first) = max(dst_port_last) or max(dst_port_last) is null then min(dst_port_first)::varchar else min(dst_port_first) || '-' || max(dst_port_last) end as port_text,
      min(to_ip || coalesce(':' || to_port, '')) as to_text
    from nat_rules where action in ('DNAT', 'NETMAP') and dst_port_first is not null group by all) t
    on (t.device, t.snapshot, t.to_ip) = (s.device, s.snapshot, s.to_ip) and coalesce(t.proto, s.proto) = s.proto and s.port between t.dst_port_first and t.dst_port_last)
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, min(exhibit_2) as exhibit_2, arg_min(line_2, (exhibit_2, line_2)) as line_2,
  proto, port, to_ip, to_port, min(from_ip) as from_ip, min(text) as text, min(port_text) as port_text, min(to_text) as to_text,
  case when bool_and(silent) then ', who has not answered' else '' end as unanswered,
  case when min(text) is not null then ' by a NAT rule' else '; no NAT rule that was read does it' end as rule_text,
  case when bool_and(silent) then 'medium' else 'high' end as level
from r group by device, snapshot, proto, port, to_ip, to_port
