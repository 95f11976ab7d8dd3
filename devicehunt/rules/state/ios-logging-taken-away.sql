/*
id: ios-logging-taken-away
title: "{who} took away what writes down: {text}"
about: "The record of typed commands shows that a log server, the buffer, the accounting or this record itself was removed. In the configuration such a line is merely not there."
check: C11
level: medium
platforms: [cisco_ios]
# a log without typed commands says nothing of them: they are in it only where the record is sent there
needs: [{config_changes@archive-log: [command]}]
key: [text]
subjects:
  - {type: setting, path: text}
attack: [T1685, T1070]
falsepositives:
  - "a log server that was replaced by another one in the same hour (low)"
references:
  - "CISA AA25-239A: log forwarding disabled (2025)"
  - "Cisco: Configuration Change Notification and Logging: show archive log config all"
response: "Ask for the change behind it. Collect what the log server and the AAA server still hold, and read what was typed right after that command."
*/
with c as (
  select device, snapshot, exhibit, line, view, coalesce(account, terminal, 'somebody') as who, trim(regexp_replace(command, '^!\w+: ?', '')) as text
  from config_changes where view in ('archive-log', 'logging') and command is not null),
k as (
  select *, case when regexp_matches(text, '^no logging (on|enable)$|^no archive$|^no log config$') then 'all'
      when regexp_matches(text, '^no aaa accounting ') then 'accounting'
      when regexp_matches(text, '^no logging (buffered|trap|buffer)\b') then 'buffer'
      when regexp_matches(text, '^no logging (host |server |(\d{1,3}\.){3}|[0-9A-Fa-f]+:)') then 'host' end as what
  from c)
select device, snapshot, exhibit, line, who, text, case when again then 'low' else 'medium' end as level, false as race, null as race_reason
from (
  select *, exists(select 1 from c a where (a.device, a.snapshot, a.exhibit) = (k.device, k.snapshot, k.exhibit)
    -- a change of it types the new one before or after the old one goes
    and case what when 'host' then a.line between k.line - 10 and k.line + 10 and regexp_matches(a.text, '^logging (host |server |(\d{1,3}\.){3}|[0-9A-Fa-f]+:)')
                  when 'accounting' then a.line between k.line - 10 and k.line + 10 and starts_with(a.text, 'aaa accounting ')
                  when 'buffer' then a.line > k.line and starts_with(a.text, 'logging ' || split_part(k.text, ' ', 3))
                  else a.line > k.line and a.text = k.text[4:] end) as again
  from k where what is not null)
union all
-- an empty record proves nothing: it may never have been switched on
select f.device, f.snapshot, f.exhibit, f.line, '', '', 'low', true, 'the record of typed commands is empty: it may be switched off'
from feeds f where f.table_name = 'config_changes' and f.view = 'archive-log' and f.row_count = 0
