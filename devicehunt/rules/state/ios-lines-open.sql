/*
id: ios-lines-open
title: "{lines} takes {service} and no access class guards it"
about: "Who can reach the login can try passwords, and use a key or account that was left behind."
check: C07
level: low
platforms: [cisco_ios]
needs: [{management_access@config: [service, acl]}, {addresses@config: [address_ip]}]
key: [lines]
subjects:
  - {type: setting, path: lines}
attack: [T1021.004]
falsepositives:
  - "devices whose management is cut off by the network in front of them"
references:
  - "CISA AA25-239A: management of network devices reachable from outside (2025)"
response: "Put an access class on the lines, allow SSH alone, and look at who logged in from where."
*/
select m.device, m.snapshot, m.exhibit, m.line, m.interface as lines, m.service,
  case when o.device is null then 'low' when regexp_matches(m.service, 'telnet|all|default') then 'medium' else 'low' end as level
from management_access m
left join (select distinct device, snapshot from own_addresses where is_external(address_key)) o on (o.device, o.snapshot) = (m.device, m.snapshot)
where m.interface like 'line vty%' and m.enabled and m.acl is null
