/*
id: ios-snmp-user
title: "SNMP user {name} {why}"
about: "Users of SNMPv3 are not in the configuration: show snmp user alone tells of them. One who may write can change it."
check: C05
level: low
platforms: [cisco_ios]
needs: [{snmp_access@user: [kind, name]}]
key: [name]
subjects:
  - {type: account, name: name}
explained_by: [account]
attack: [T1136.001, T1602.001]
falsepositives:
  - "the owner's monitoring"
references:
  - "Cisco: SNMP configuration guide: SNMPv3 users do not show in the running configuration"
  - "NCSC, CISA: Jaguar Tooth: SNMP as the way in (2023)"
response: "Ask whose user it is. Remove it with no snmp-server user after the evidence is kept; look at the group and its views (show snmp group)."
*/
with g as (select device, snapshot, name, bool_or(access = 'rw') as writes from snmp_access where view = 'group' and kind = 'group' group by all),
u as (
  select s.device, s.snapshot, s.exhibit, s.line, s.name, coalesce(g.writes, false) as writes, s.text like '% priv none' or s.text like '% priv des' as bare, s.acl is null as open,
    exists(select 1 from expected e where e.kind = 'account') as listed
  from snmp_access s left join g on (g.device, g.snapshot, g.name) = (s.device, s.snapshot, nullif(regexp_extract(s.text, ' group (\S+) auth ', 1), ''))
  where s.view = 'user' and s.kind = 'user' and coalesce(s.enabled, true) and s.name is not null)
select device, snapshot, exhibit, line, name,
  concat_ws(', ', case when writes then 'may write' end, case when bare then 'has no strong encryption' end, case when open then 'may ask from anywhere' end,
    case when listed then 'is none that the owner named' end, case when not (writes or bare or open or listed) then 'is known to the device alone: only the owner can say whose it is' end) as why,
  case when writes and open or writes and listed then 'medium' else 'low' end as level
from u
