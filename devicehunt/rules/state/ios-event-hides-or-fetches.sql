/*
id: ios-event-hides-or-fetches
title: "event or job {name} {does}"
about: "An applet can run at every command or at every start: to fetch code, to hide lines from show, to put a change back."
check: C10
level: low
platforms: [cisco_ios]
needs: [{any: [{jobs@config: [name, command]}, {jobs@registered: [name, command]}]}]
key: [name]
subjects:
  - {type: job, path: path, name: name}
explained_by: [job]
attack: [T1546, T1059.008]
falsepositives:
  - "backups of the configuration to a server of the owner"
references:
  - "NSA, CISA: BlackTech hides in router firmware, EEM changes (2023)"
  - "CISA AA25-239A: Tcl scripts (2025)"
response: "Keep the applet and the script that it names. Read the log for its runs. Remove it with no event manager applet, after the evidence is kept."
*/
with j as (
  select *, coalesce(schedule, '') || chr(10) || coalesce(command, '') as body from jobs where path in ('event manager', 'kron', 'event manager policy', 'event manager registered') and owner is distinct from 'system'),
f as (
  select *,
    regexp_matches(body, '(?i)event cli pattern "?[^\n]*(sh|show|dir|ver|more)[^\n]*') and regexp_matches(body, '(?i)sync yes|skip yes') as hides,
    regexp_matches(body, '(?i)(tclsh|source|copy)[^\n]*(https?|ftp|tftp|scp|rcp)://?') and not regexp_matches(body, '(?i)copy (running-config|run|startup-config|start) ') as fetches,
    regexp_matches(body, '(?i)(https?|ftp|tftp|scp|rcp)://(\d{1,3}\.){3}\d') as literal,
    regexp_matches(body, '(?i)(username \S+ (privilege|secret|password)|no logging|access-list|no aaa|clear log)') as changes
  from j)
select device, snapshot, exhibit, line, coalesce(name, '(no name)') as name, path,
  concat_ws(', ', case when hides then 'answers in place of show' end, case when fetches then 'fetches something' || case when literal then ' from a bare address' else '' end end,
    case when changes then 'changes accounts, lists or logging' end, case when not (hides or fetches or changes) then 'runs commands by itself' end) as does,
  case when hides or changes or fetches and literal then 'high' when fetches then 'medium' else 'low' end as level
from f
