/*
id: nat-redirects-to-local-program
title: "NAT rule turns traffic to port {port} into local port {to_port}: {text}"
about: "A REDIRECT into a local program takes other hosts' traffic through it: a transparent proxy, a hijack, or a hidden door."
check: C08
level: high
core: true
platforms: [linux]
needs: [{any: [{nat_rules@iptables: [action, to_port]}, {nat_rules@nft: [action, to_port]}]}]
key: [proto, port, to_port]
subjects:
  - {type: nat-rule, text: text, proto: proto, port: port, to_port: to_port}
  - {type: process, pid: pid, name: name, exe: path}
explained_by: [redirect]
attack: [T1557, T1090.001]
falsepositives:
  - "DNS kept on the router (53 to 53: low), captive portals, ad blockers, parental control"
references:
  - "Elastic Security Labs: BPFDoor redirects to ports 42391-43391 (2022)"
  - "Lumen Black Lotus Labs: Cuttlefish, ZuoRAT hijack LAN traffic (2022, 2024)"
response: "Keep the rule, its counters and the program behind the local port. See whose traffic it takes (source, interface). Remove it only after the program is secured."
*/
with r as (
  select n.*, coalesce(n.to_port, n.dst_port_first) as local_port,
    case when n.dst_port_first = n.dst_port_last then n.dst_port_first::varchar else n.dst_port_first || '-' || n.dst_port_last end as port
  from nat_rules n where n.action in ('REDIRECT', 'TPROXY')
    or n.action = 'DNAT' and exists(select 1 from own_addresses o where (o.device, o.snapshot, o.address_key) = (n.device, n.snapshot, n.to_key)))
select r.device, r.snapshot, r.exhibit, r.line, l.exhibit as exhibit_2, l.line as line_2, r.text, coalesce(r.proto, 'any') as proto, coalesce(r.port, 'any') as port, r.local_port as to_port,
  l.pid, l.name, l.path,
  case when r.dst_port_first = 53 and r.dst_port_last = 53 and r.local_port in (53, 5353, 5300, 5335) and coalesce(l.stock, true) then 'low'
       -- filters of the owner (AdGuard Home and its kind) take the LAN's DNS in this way
       when r.dst_port_first in (53, 853) and r.dst_port_last = r.dst_port_first and l.path is not null and not is_volatile(l.path)
         and not coalesce(l.exe_deleted, false) then 'medium'
       when l.stock and not is_volatile(l.path) then 'medium' else 'high' end as level
from r left join listeners l on (l.device, l.snapshot, l.local_port) = (r.device, r.snapshot, r.local_port) and (r.proto is null or l.proto = r.proto)
qualify row_number() over (partition by r.device, r.snapshot, r.exhibit, r.line order by l.pid nulls last) = 1
