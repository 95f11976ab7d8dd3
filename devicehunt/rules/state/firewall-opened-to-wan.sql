/*
id: firewall-opened-to-wan
title: "the firewall lets the internet in on {proto} port {port}: {text}"
about: "An accepting rule for traffic from the WAN that no stock service and no owner asks for."
check: C19
level: medium
core: true
platforms: [linux]
needs: [{any: [{firewall_rules@iptables: [chain, action, in_if, dst_port_first]}, {firewall_rules@nft: [chain, action, in_if, dst_port_first]}]}, sides]
key: [proto, port, sources]
subjects:
  - {type: firewall-rule, text: text, proto: proto, port: port, local_port: port}
explained_by: [listener, tunnel]
attack: [T1686]
falsepositives:
  - "the provider's or the owner's management access; a VPN server; ping and DHCP renewal are left out"
references:
  - "Lumen Black Lotus Labs: TheMoon adds firewall rules (2024)"
  - "NCSC: Cyclops Blink opens the firewall for its port (2022)"
response: "Look at the rule's counters and at what listens on the port. Find the line that adds it at boot. Ask the owner before you remove it."
*/
with wan_if as (select device, snapshot, interface from sides where side = 'wan'),
base as (  -- chains that packets to the device itself pass, with the interface that leads there
  select device, snapshot, view, rule_table, family, chain from firewall_rules where position = 0 and (hook = 'input' or chain = 'INPUT' and coalesce(rule_table, 'filter') = 'filter')),
jumps as (
  select f.device, f.snapshot, f.view, f.rule_table, f.jump as chain, f.in_if from firewall_rules f
  join base b on (b.device, b.snapshot, b.view, b.rule_table, b.chain) = (f.device, f.snapshot, f.view, f.rule_table, f.chain) where f.jump is not null),
r as (
  select f.*, coalesce(f.in_if, j.in_if) as from_if from firewall_rules f
  join base b on (b.device, b.snapshot, b.view, b.rule_table, b.chain) = (f.device, f.snapshot, f.view, f.rule_table, f.chain)
  left join jumps j on false
  where f.action = 'ACCEPT'
  union all
  select f.*, coalesce(f.in_if, j.in_if) from firewall_rules f
  join jumps j on (j.device, j.snapshot, j.view, j.rule_table, j.chain) = (f.device, f.snapshot, f.view, f.rule_table, f.chain)
  where f.action = 'ACCEPT')
select r.device, r.snapshot, min(r.exhibit) as exhibit, arg_min(r.line, (r.exhibit, r.line)) as line, min(r.text) as text, coalesce(r.proto, 'any') as proto,
  case when r.dst_port_first is null then 'any' when r.dst_port_first = r.dst_port_last then r.dst_port_first::varchar else r.dst_port_first || '-' || r.dst_port_last end as port,
  coalesce(r.src, 'anywhere') as sources,
  case when r.src is not null then 'low'
       when r.dst_port_first is null and r.proto is null and bool_and(r.unmodelled is null) then 'high'
       else 'medium' end as level
from r
where coalesce(r.ct_state, 'NEW') like '%NEW%' and coalesce(r.ct_state, '') not like '%DNAT%'
  and (r.dst_port_first is not null or r.proto is null)
  and (r.from_if is not null and exists(select 1 from wan_if w where (w.device, w.snapshot) = (r.device, r.snapshot) and list_contains(string_split(r.from_if, ','), w.interface)) and not contains(coalesce(r.negated, ''), 'in_if')
    or r.from_if is null and r.dst_port_first is not null)
  and (r.src is null or exists(select 1 where is_external(ip(split_part(split_part(r.src, ',', 1), '/', 1)))))
  and not exists(select 1 from known_listeners k where k.wan and k.proto = r.proto and k.port between r.dst_port_first and r.dst_port_last)
group by r.device, r.snapshot, r.proto, r.dst_port_first, r.dst_port_last, r.src
