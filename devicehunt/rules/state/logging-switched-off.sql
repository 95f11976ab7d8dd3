/*
id: logging-switched-off
title: "{what}: {text}"
about: "Who works on a router from outside stops it from writing down what happens."
check: C11
level: medium
platforms: [cisco_ios, mikrotik_routeros]
needs: [{any: [{log_targets@config: [kind, enabled]}, {log_targets@logging: [kind, enabled]}]}]
key: [what, text]
subjects:
  - {type: setting, path: text}
attack: [T1685]
falsepositives:
  - "console and monitor logging, which many guides switch off to save the CPU (not reported)"
  - "a topic that floods the log and that the owner switched off (low)"
references:
  - "CISA AA25-239A: log forwarding disabled (2025)"
  - "NSA, CISA: BlackTech switches logging off (2023)"
response: "Collect what the log server and the buffer still hold. Compare the hours in which nothing was logged with the connection records."
*/
with o as (
  select *, count(distinct text) over (partition by device, snapshot, exhibit) as off
  from log_targets where not enabled and kind not in ('console', 'monitor', 'echo', 'userinfo', 'server-arp'))
select device, snapshot, exhibit, line, coalesce(text, kind) as text,
  case kind when 'on' then 'all logging is switched off' when 'syslog-level' then 'syslog levels are switched off'
    else 'logging of ' || coalesce(nullif(level, ''), case kind when 'buffer' then 'the buffer' else kind end) || ' is switched off' end as what,
  case when kind = 'on' or (off >= 3 and text like '/system logging%') then 'high'
       when text like '/system logging%' and not regexp_matches(coalesce(level, 'info'), '\b(info|error|warning|critical|account|system|script)\b') then 'low' else 'medium' end as level
from o
union all
-- a ring of so few lines holds nothing
select device, snapshot, exhibit, line, path || '=' || value, 'the log in memory holds ' || value || case value when '1' then ' line' else ' lines' end, 'medium'
from settings where regexp_full_match(path, '/system logging action set .*memory-lines') and try_cast(value as integer) < 20
