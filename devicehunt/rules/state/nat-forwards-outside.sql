/*
id: nat-forwards-outside
title: "NAT rule sends port {port} on to {to} outside: {text}"
about: "A destination NAT to an outside host makes the router a relay in the kernel: no process, no file, no listener."
check: C08
level: critical
core: true
platforms: [linux]
needs: [{any: [{nat_rules@iptables: [action, to_ip]}, {nat_rules@nft: [action, to_ip]}]}]
key: [proto, port, to]
subjects:
  - {type: nat-rule, text: text, proto: proto, port: port, to: to}
explained_by: [port-forward]
attack: [T1090.002, T1686]
falsepositives:
  - "a DNS or proxy provider that the owner redirects the LAN's requests to (limited to an inside interface: medium)"
references:
  - "Sekoia: ViciousTrap redirects traffic of routers (2025)"
  - "Microsoft: TrickBot uses MikroTik dst-nat 449 to 80 (2022)"
  - "Akamai: UPnProxy, EternalSilence: injected port mappings (2018, 2022)"
response: "Keep the rule with its counters and the connection table: they name both sides. Find out who wrote it (configuration, boot script, UPnP). Then remove it and watch whether it returns."
*/
with r as (
  select n.*, coalesce(n.to_ip || coalesce(':' || n.to_port, ''), n.to_ip) as "to",
    case when n.dst_port_first = n.dst_port_last then n.dst_port_first::varchar else n.dst_port_first || '-' || n.dst_port_last end as port,
    -- from an inside interface only: the device steers its own LAN
    exists(select 1 from sides s where (s.device, s.snapshot) = (n.device, n.snapshot) and s.side = 'lan' and list_contains(string_split(n.in_if, ','), s.interface))
      and not contains(coalesce(n.negated, ''), 'in_if') as from_lan
  from nat_rules n where n.action in ('DNAT', 'NETMAP') and is_external(n.to_key)
    and not exists(select 1 from own_addresses o where (o.device, o.snapshot, o.address_key) = (n.device, n.snapshot, n.to_key)))
select device, snapshot, exhibit, line, text, coalesce(proto, 'any') as proto, coalesce(port, 'any') as port, "to",
  case when from_lan and port in ('53', '853', '123') then 'medium' when from_lan then 'high' else 'critical' end as level
from r
