/*
id: snmp-writable
title: "SNMP {what}"
about: "A community that may write changes the router's settings without a login; one with a name that everybody tries gives its tables away."
check: C38
level: medium
platforms: [mikrotik_routeros]
needs: [{any: [{snmp_access@config: [kind, access, weak]}, {snmp_access@print: [kind, access, weak]}]}]
key: [what]
subjects:
  - {type: setting, path: text}
attack: [T1602.001, T1602]
falsepositives:
  - "a management system of the owner that writes; limit it to its address"
references:
  - "FBI, Cisco Talos: Static Tundra uses SNMP to read and to write (2025)"
  - "MikroTik: SNMP (help.mikrotik.com)"
response: "Switch write access off, change the community, limit it to the manager's address. Compare the settings with the last export that the owner kept."
*/
with c as (
  select s.*, exists(select 1 from management_access m where (m.device, m.snapshot) = (s.device, s.snapshot) and m.service = 'snmp' and m.enabled) as on_
  from snmp_access s where s.kind = 'community' and coalesce(s.enabled, true) and text like '/snmp%')
select device, snapshot, exhibit, line, text,
  concat_ws(', ', case when access = 'rw' then 'lets a community write' else 'answers to a community name that everybody tries' end,
    case when weak and access = 'rw' then 'with a name that everybody tries' end, case when sources is null then 'from anywhere' else 'from ' || sources end, case when not on_ then 'once it is switched on' end) as what,
  case when access = 'rw' and weak and sources is null and on_ then 'high' when access = 'rw' then 'medium' when on_ then 'low' else 'info' end as level
from c where access = 'rw' or (weak and sources is null and on_)
