/*
id: nat-relays-to-outside
title: "NAT sends {proto} port {port} {from_where} on to {to} outside"
about: "A destination NAT to an outside host makes the router a relay in its kernel: no process, no file, no listener. TrickBot hid its servers behind such rules of MikroTik routers; a static translation of IOS does the same."
check: C08
level: high
platforms: [cisco_ios, mikrotik_routeros]
needs: [{any: [{nat_rules@config: [action, to_ip]}, {nat_rules@print: [action, to_ip]}]}]
key: [proto, port, to]
subjects:
  - {type: nat-rule, text: text, proto: proto, port: port, to: to}
explained_by: [port-forward]
attack: [T1090.002, T1686]
falsepositives:
  - "the LAN's DNS or time requests sent to a public resolver (low), or to another one (medium)"
  - "servers with public addresses behind this router; a service that moved to another site"
  - "on IOS a translation of a whole address between two networks with public addresses of their own (medium)"
references:
  - "Microsoft: Uncovering Trickbot's use of IoT devices in C2 infrastructure (2022): dst-nat 449 to 80"
  - "Microsoft: routeros-scanner (2022): both addresses public"
  - "MikroTik: NAT (help.mikrotik.com)"
  - "Cisco: IP Addressing: NAT Configuration Guide: static translation of ports, inside and outside"
response: "Keep the rule with its counters and the connection table: they name both sides. Find out who wrote it (history, log, scheduler). Then remove it and watch whether it returns."
*/
with r as (
  select n.*, n.to_ip || coalesce(':' || n.to_port, '') as "to",
    case when n.dst_port_first is null then 'any' when n.dst_port_first = n.dst_port_last then n.dst_port_first::varchar else n.dst_port_first || '-' || n.dst_port_last end as port,
    -- the device steers its own LAN: by interface, by a private source, or by what IOS calls an outside source
    coalesce(n.chain, '') like 'outside %' or coalesce(f.side in ('lan', 'vpn'), false) or coalesce(is_inside(ip(split_part(n.src, '/', 1))), false) or coalesce(n.dst_port_first in (53, 853, 123) and n.in_if is null and n.dst is null and coalesce(n.chain, '') not like 'inside %', false) as from_lan,
    -- IOS: a whole address, or a network, and no port of it
    coalesce(regexp_matches(n.chain, '^(in|out)side ') and n.dst_port_first is null, false) as whole,
    exists(select 1 from known_patterns k where k.kind = 'public-resolver' and k.pattern = n.to_ip) as resolver
  from nat_rules n left join facing f on (f.device, f.snapshot, f.interface) = (n.device, n.snapshot, n.in_if)
  where n.action in ('DNAT', 'NETMAP') and coalesce(n.chain, 'dstnat') <> 'srcnat' and is_external(n.to_key)
    and n.dst is distinct from n.to_ip   -- translated to itself: left as it is
    -- an own address, or a host of an own network behind the router
    and not exists(select 1 from own_addresses o where (o.device, o.snapshot) = (n.device, n.snapshot)
      and (o.address_key = n.to_key or (o.prefix_length between 8 and 30 and n.to_key between o.first_key and o.last_key))))
select device, snapshot, exhibit, line, text, coalesce(proto, 'any') as proto, port, "to",
  case when from_lan then 'of the LAN' else 'of anybody' end as from_where,
  case when whole then 'medium'
       when from_lan and port in ('53', '853', '123') then case when resolver or port = '123' then 'low' else 'medium' end
       when from_lan and port not in ('80', '443', '25', '110', '143', '465', '587', '993', '995') then 'medium'
       else 'high' end as level
from r
