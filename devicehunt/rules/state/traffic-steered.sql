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
  - {type: firewall-rule, text: text, to_port: to_port}
  - {type: process, pid: pid, name: name, exe: path}
explained_by: [redirect, tunnel]
attack: [T1040, T1557, T1090]
falsepositives:
  - "a transparent proxy of the owner, under its own name (medium)"
  - "several uplinks (mwan3), VPN policy routing, Tailscale, quality of service with queues"
references:
  - "Cisco Talos: DKnife intercepts traffic on routers (2026)"
  - "devicehunt intel C41: steering by the forwarding plane"
response: "Follow the rule to its table, queue or mirror target and see whose traffic it takes. Keep the program behind a queue or proxy port first."
*/
-- one finding a port: a proxy has a rule for each protocol, side and exception
with t as (
  select device, snapshot, to_port, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, arg_min(text, (exhibit, line)) as text, count(*) as rules
  from firewall_rules where action = 'TPROXY' group by device, snapshot, to_port),
l as (
  select device, snapshot, local_port, min(pid) as pid, arg_min(name, pid) as name, arg_min(path, pid) as path,
    arg_min(process_exhibit, pid) as exhibit, arg_min(process_line, pid) as line, bool_or(exe_deleted) as exe_deleted
  from listeners group by device, snapshot, local_port)
select t.device, t.snapshot, t.exhibit, t.line, l.exhibit as exhibit_2, l.line as line_2,
  t.text || case when t.rules > 1 then ' (and ' || (t.rules - 1) || ' more to this port)' else '' end as text,
  'sends packets through a proxy' as what, l.pid, l.name, l.path, t.to_port,
  -- an owner's transparent proxy goes by its own name from a place for programs; who hides it does not name it so
  case when l.path is not null and not is_volatile(l.path) and not coalesce(l.exe_deleted, false)
    and exists(select 1 from known_patterns k where k.kind = 'proxy-program' and k.pattern = l.name) then 'medium' else 'high' end as level
from t left join l on (l.device, l.snapshot, l.local_port) = (t.device, t.snapshot, t.to_port)
union all by name
select device, snapshot, exhibit, line, text, 'copies packets to another host' as what, 'high' as level from firewall_rules where action in ('TEE', 'DUP')
union all by name
select device, snapshot, exhibit, line, text, 'hands packets to a program' as what, 'medium' as level from firewall_rules where action in ('NFQUEUE', 'QUEUE')
union all by name
select device, snapshot, exhibit, line, text, 'copies packets to another interface' as what, 'high' as level from policies where kind = 'tc-mirred'
union all by name
select device, snapshot, exhibit, line, text, 'routes some traffic by a rule of its own' as what,
  -- marks that well-known software documents as its own
  case when regexp_matches(coalesce(text, ''), '0x80000/0xff0000|0xff0000') then 'low' else 'medium' end as level
from policies
where kind = 'ip-rule' and not regexp_matches(coalesce(text, ''), '^\d+:\s+from all (to \S+ )?(iif \S+ )?lookup (local|main|default|253|254|255)( suppress_prefixlength \d+)?( proto \S+)?\s*$')
  and not regexp_matches(coalesce(text, ''), '\[l3mdev-table\]|lookup (local|main|default)\s*$')
