/*
id: forwarding-opened-to-tunnel
title: "the firewall forwards traffic {direction} {interface}, a tunnel: {text}"
about: "Forwarding from a tunnel to the internet turns the router into an exit for whoever holds the other end."
check: C19
level: medium
platforms: [linux]
needs:
  - {any: [{firewall_rules@iptables: [chain, action, in_if, out_if]}, {firewall_rules@nft: [chain, action, in_if, out_if]}]}
  - sides
  - {any: [{interfaces@ip: [name]}, {interfaces@ifconfig: [name]}, {interfaces@proc: [name]}]}
key: [interface]
subjects:
  - {type: interface, name: interface}
  - {type: firewall-rule, text: text}
explained_by: [tunnel]
attack: [T1090, T1572]
falsepositives:
  - "a VPN that the owner set up"
references:
  - "CISA AA25-239A: tunnels on routers for persistent access (2025)"
response: "Find the tunnel's peer and who configured it; see what was forwarded in the connection table."
*/
select f.device, f.snapshot, min(f.exhibit) as exhibit, arg_min(f.line, (f.exhibit, f.line)) as line, s.interface, min(f.text) as text,
  case when bool_or(list_contains(string_split(f.in_if, ','), s.interface)) then 'from' else 'to' end as direction
from firewall_rules f join sides s on (s.device, s.snapshot) = (f.device, f.snapshot) and s.side = 'vpn'
  and (list_contains(string_split(f.in_if, ','), s.interface) or list_contains(string_split(f.out_if, ','), s.interface))
where f.action = 'ACCEPT' and (f.chain ilike '%forward%' or f.hook = 'forward' or f.chain ilike '%fwd%')
group by f.device, f.snapshot, s.interface
