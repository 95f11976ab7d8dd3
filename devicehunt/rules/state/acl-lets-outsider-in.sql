/*
id: acl-lets-outsider-in
title: "access list {list}, which guards {guards}, lets the single host {host} outside in"
about: "Salt Typhoon added addresses of its own to access lists such as 20, 10 and 50. The list still looks like a guard."
check: C19
level: high
platforms: [cisco_ios]
needs: [{firewall_rules@config: [chain, action, src]}, {policies@config: [kind, target]}, {snmp_access@config: [acl]}, {management_access@config: [service, acl]}]
key: [list, host]
subjects:
  - {type: firewall-rule, text: text}
  - {type: peer, address: host}
explained_by: [peer]
attack: [T1686]
falsepositives:
  - "the outer address of a head office or of a provider's management; name the peer in the site file"
references:
  - "CISA AA25-239A: actors add their addresses to access lists (2025)"
response: "Look up when the line came in (archive log, configuration backups) and what the host did. Remove it after the evidence is kept."
*/
with g as (
  select device, snapshot, target as list, 'logins' as guards from policies where kind = 'access-class'
  union all select device, snapshot, acl, 'logins' from management_access where acl is not null
  union all select device, snapshot, acl, 'SNMP' from snmp_access where acl is not null),
r as (
  select f.device, f.snapshot, f.exhibit, f.line, f.chain as list, f.text, split_part(f.src, '/', 1) as host,
    exists(select 1 from firewall_rules n where (n.device, n.snapshot, n.chain) = (f.device, f.snapshot, f.chain) and n.action = 'ACCEPT' and n.src is not null
      and not is_external(ip(split_part(n.src, '/', 1)))) as among_inside
  from firewall_rules f where f.rule_table = 'acl' and f.action = 'ACCEPT' and regexp_matches(f.src, '/(32|128)$') and is_external(ip(split_part(f.src, '/', 1))))
select r.device, r.snapshot, min(r.exhibit) as exhibit, arg_min(r.line, (r.exhibit, r.line)) as line, r.list, r.host, min(r.text) as text,
  string_agg(distinct g.guards, ' and ' order by g.guards) as guards,
  case when bool_or(r.among_inside) then 'high' else 'medium' end as level
from r join g on (g.device, g.snapshot, g.list) = (r.device, r.snapshot, r.list)
group by r.device, r.snapshot, r.list, r.host
