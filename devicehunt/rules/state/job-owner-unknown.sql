/*
id: job-owner-unknown
title: "{kind} {name} belongs to {owner}, and no such account exists"
about: "A job keeps the name of who made it. An account that was made, used and removed leaves its jobs behind."
check: C10
level: low
platforms: [mikrotik_routeros]
needs:
  - {accounts@print: [name]}
  - {any: [{jobs@config: [owner]}, {jobs@print: [owner]}]}
key: [kind, name]
subjects:
  - {type: job, path: place, command: program}
  - {type: account, name: owner}
explained_by: [job, account]
attack: [T1053, T1136.001]
falsepositives:
  - "an administrator who left, the renamed account admin, an import from another router"
references:
  - "MikroTik: Scheduler; Scripts: owner (help.mikrotik.com)"
response: "Ask the owner whose name it is. Look for its logins in the log."
*/
select device, snapshot, exhibit, line, kind, coalesce(name, '(no name)') as name, owner, concat_ws(' ', path, name) as place, left(command, 300) as program,
  case when owner <> 'admin' and rsc_fetches(command) then 'medium' else 'low' end as level
from jobs j
where owner is not null and owner not like '*%'
  and exists(select 1 from accounts a where (a.device, a.snapshot, a.view) = (j.device, j.snapshot, 'print'))
  and not exists(select 1 from accounts a where (a.device, a.snapshot, a.name) = (j.device, j.snapshot, j.owner) and a.view <> 'vpn')
