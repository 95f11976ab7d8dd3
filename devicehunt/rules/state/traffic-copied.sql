/*
id: traffic-copied
title: "{kind} {name} copies {source} to {to}"
about: "Mirroring and captures on the device read everybody's traffic. Intruders sent it into a tunnel, or to a port where nobody looked."
check: C21
level: medium
platforms: [cisco_ios]
needs: [{any: [{captures@config: [kind, target]}, {captures@session: [kind, target]}, {captures@capture: [kind, target]}]}]
key: [kind, name]
subjects:
  - {type: setting, path: text}
explained_by: [peer]
attack: [T1040, T1020.001]
falsepositives:
  - "a sensor of the owner at the mirror port"
references:
  - "CISA AA25-239A: SPAN, RSPAN and ERSPAN sessions, captures on bootflash (2025)"
response: "Find out what hangs at the target. Record the session, then ask the owner."
*/
select device, snapshot, exhibit, line, kind, coalesce(name, '') as name, coalesce(source, 'nothing yet') as source, text,
  coalesce(target_ip, target, 'nowhere: no target is configured') as "to",
  case when is_external(target_key) then 'high' else 'medium' end as level
from captures where coalesce(enabled, true) and kind in ('span', 'rspan', 'erspan', 'monitor-capture')
