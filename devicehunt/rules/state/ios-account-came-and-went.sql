/*
id: ios-account-came-and-went
title: "account {name} was made and removed again{by}"
about: "An account that came and went leaves no trace in the configuration. Intruders make one, work with it, and take it away; the record of typed commands keeps both."
check: C05
level: medium
platforms: [cisco_ios]
# a log without typed commands says nothing of them: they are in it only where the record is sent there
needs: [{config_changes@archive-log: [command]}]
key: [name]
subjects:
  - {type: account, name: name}
explained_by: [account]
attack: [T1136.001, T1070]
falsepositives:
  - "an administrator who left, or a trial: ask for the change behind it"
references:
  - "Cisco: Configuration Change Notification and Logging: show archive log config all"
  - "ASD: BADCANDY: accounts that are made again after they were removed (2025)"
response: "Look for logins of that name (show logging, AAA records) and for what was typed between the two commands. Rotate every secret of the configuration."
*/
with c as (
  select device, snapshot, exhibit, line, view, account, terminal,
    regexp_matches(command, '^(!\w+: ?)?no ') as gone,
    regexp_extract(command, '^(?:!\w+: ?)?(?:no )?username (\S+)', 1) as name
  from config_changes where view in ('archive-log', 'logging') and regexp_matches(command, '^(!\w+: ?)?(no )?username \S+')),
p as (
  select c.device, c.snapshot, c.name, c.exhibit, c.line, min(g.exhibit) as exhibit_2, min(g.line) as line_2,
    any_value(nullif(concat_ws('@', c.account, c.terminal), '')) as maker, min_by(nullif(concat_ws('@', g.account, g.terminal), ''), g.line) as remover
  -- the same record has both, in this order, and nothing after it makes the account again
  from c join c g on (g.device, g.snapshot, g.exhibit, g.view, g.name) = (c.device, c.snapshot, c.exhibit, c.view, c.name) and not c.gone and g.gone and g.line > c.line
  where not exists(select 1 from c a where (a.device, a.snapshot, a.exhibit, a.name) = (c.device, c.snapshot, c.exhibit, c.name) and not a.gone and a.line > g.line)
    and not exists(select 1 from accounts a where (a.device, a.snapshot, a.name) = (c.device, c.snapshot, c.name) and a.view = 'config')
  group by c.device, c.snapshot, c.name, c.exhibit, c.line)
select device, snapshot, exhibit, line, exhibit_2, line_2, name,
  case when maker is null and remover is null then '' when maker is not distinct from remover then ' by ' || maker
       else ', made by ' || coalesce(maker, 'somebody') || ', removed by ' || coalesce(remover, 'somebody') end as by, false as race, null as race_reason
from (select * from p qualify row_number() over (partition by device, snapshot, name order by exhibit, line) = 1)
union all
-- an empty record proves nothing: it may never have been switched on
select f.device, f.snapshot, f.exhibit, f.line, null, null, '', '', true, 'the record of typed commands is empty: it may be switched off'
from feeds f where f.table_name = 'config_changes' and f.view = 'archive-log' and f.row_count = 0
