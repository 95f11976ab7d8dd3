/*
id: ios-snmp-open
title: "SNMP {access} is open{why}: {text}"
about: "With a community that may write, anybody reads and changes the configuration; Jaguar Tooth and Static Tundra came in so."
check: C38
level: medium
platforms: [cisco_ios]
needs: [{snmp_access@config: [kind, access]}]
key: [text]
subjects:
  - {type: setting, path: text}
attack: [T1602.001]
falsepositives:
  - "old monitoring inside a network of its own"
references:
  - "NCSC, CISA: Jaguar Tooth: SNMP with weak communities (2023)"
response: "Change to SNMPv3 with privacy, put an access list on it, and look at what was set."
*/
select device, snapshot, exhibit, line, access, text,
  concat_ws('', case when weak then ' with a name that everybody tries first' end, case when acl is null then ' without an access list' end) as why,
  case when access = 'rw' and weak and acl is null then 'high' when access = 'rw' or weak and acl is null then 'medium' else 'low' end as level
from snmp_access where kind = 'community' and (access = 'rw' or weak or acl is null)
