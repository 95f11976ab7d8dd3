/*
id: traffic-steered
title: "the forwarding plane {what}: {text}"
about: "Policy routing, marks, TPROXY, queues and mirrors move or copy other people's traffic without a tunnel or a process that shows."
check: C41
level: medium
core: true
platforms: [linux]
needs:
  - {policies@ip-rule: [selector, action]}
  - {any: [{firewall_rules@iptables: [action, rule_table]}, {firewall_rules@nft: [action]}]}
key: [what, text]
subjects:
  - {type: firewall-rule, text: text}
explained_by: [redirect, tunnel]
attack: [T1040, T1557, T1090]
falsepositives:
  - "several uplinks (mwan3), VPN policy routing, Tailscale, quality of service with queues"
references:
  - "Cisco Talos: DKnife intercepts traffic on routers (2026)"
  - "devicehunt intel C41: steering by the forwarding plane"
response: "Follow the rule to its table, queue or mirror target and see whose traffic it takes. Keep the program behind a queue or proxy port first."
*/
select device, snapshot, exhibit, line, text, 'sends packets through a proxy' as what, 'high' as level from firewall_rules where action = 'TPROXY'
union all
select device, snapshot, exhibit, line, text, 'copies packets to another host', 'high' from firewall_rules where action in ('TEE', 'DUP')
union all
select device, snapshot, exhibit, line, text, 'hands packets to a program', 'medium' from firewall_rules where action in ('NFQUEUE', 'QUEUE')
union all
select device, snapshot, exhibit, line, text, 'copies packets to another interface', 'high' from policies where kind = 'tc-mirred'
union all
select device, snapshot, exhibit, line, text, 'routes some traffic by a rule of its own',
  -- marks that well-known software documents as its own
  case when regexp_matches(coalesce(text, ''), '0x80000/0xff0000|0xff0000') then 'low' else 'medium' end
from policies
where kind = 'ip-rule' and not regexp_matches(coalesce(text, ''), '^\d+:\s+from all (to \S+ )?(iif \S+ )?lookup (local|main|default|253|254|255)( suppress_prefixlength \d+)?( proto \S+)?\s*$')
  and not regexp_matches(coalesce(text, ''), '\[l3mdev-table\]|lookup (local|main|default)\s*$')
