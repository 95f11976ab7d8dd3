/*
id: logging-switched-off
title: "logging of {what} is switched off: {text}"
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
references:
  - "CISA AA25-239A: log forwarding disabled (2025)"
  - "NSA, CISA: BlackTech switches logging off (2023)"
response: "Collect what the log server and the buffer still hold. Compare the hours in which nothing was logged with the connection records."
*/
select device, snapshot, exhibit, line, coalesce(text, kind) as text,
  case kind when 'on' then 'everything' when 'buffer' then coalesce(level, 'the buffer') when 'syslog-level' then 'syslog levels' else coalesce(level, kind) end as what,
  case when kind = 'on' then 'high' else 'medium' end as level
from log_targets
where not enabled and kind not in ('console', 'monitor', 'echo', 'userinfo', 'server-arp')
