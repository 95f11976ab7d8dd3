/*
id: log-daemon-missing
title: "no log daemon runs{besides}"
about: "Intruders stop the log before they work. A router without a log daemon remembers nothing."
check: C29
level: low
core: true
platforms: [linux]
needs: [{any: [processes@ps, processes@proc, processes@walk]}]
key: [what]
subjects:
  - {type: setting, path: what}
attack: [T1685]
falsepositives:
  - "firmware that logs through the kernel or a program of another name; a user who stopped it to save memory"
references:
  - "Lumen Black Lotus Labs: KV-botnet and AVrecon stop security programs (2023, 2024)"
response: "Ask whether logging was ever on. Look for the daemon's start script and for a remote log server that has its last lines."
*/
with p as (
  select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, count(*) filter (not is_kernel) as programs
  from programs g
  -- a list that was cut may have lost it
  where exists(select 1 from feeds f where (f.device, f.snapshot) = (g.device, g.snapshot) and f.table_name = 'processes' and f.view in ('ps', 'proc', 'walk') and f.usable)
  group by device, snapshot
  having not bool_or(regexp_matches(concat_ws(' ', name, base_name(argv0), base_name(exe), regexp_extract(cmdline, '^(?:\S*/)?busybox (\S+)', 1)),
    '\b(syslogd|logd|rsyslogd|syslog-ng|systemd-journal\w*|journald|klogd|miglogd|svlogd|socklog|metalog|ulogd)\b'))),
wanted as (  -- the device's own start-up asks for it
  select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line from (
    select device, snapshot, exhibit, line from settings where (regexp_full_match(path, 'service\.(log|syslog|rsyslog|syslog-ng)') and value like 'enabled%') or (path = 'syslogd_enable' and value = '1')
    union all select device, snapshot, exhibit, line from files where regexp_matches(path, '^/etc/(init\.d/(log|syslog|syslogd|rsyslog|syslog-ng)|rc\.d/S\d+(log|syslog\w*|rsyslog|syslog-ng))$') and coalesce(size_bytes, 1) > 0) group by all),
stopped as (  -- its last words, and nothing of a start behind them
  select device, snapshot, max(exhibit) as exhibit, arg_max(line, (exhibit, line)) as line from (
    select device, snapshot, exhibit, max(line) filter (regexp_matches(message, '(?i)^\s*(syslogd? exiting|.*exiting on signal|logd.* (stopped|terminated)|.*\bsyslogd?\b.*\b(stopped|terminated|exiting)\b)')) as line,
      max(line) filter (regexp_matches(message, '(?i)\b(syslogd?|rsyslogd?|logd)\b.*\b(started|start|restart)\b')) as started
    from log_events where view = 'syslog' and (regexp_matches(program, '(?i)syslog|^logd$|^init$|^procd$') or program is null) group by device, snapshot, exhibit)
  where line is not null and line > coalesce(started, 0) group by device, snapshot)
select p.device, p.snapshot, p.exhibit, p.line, w.exhibit as exhibit_2, w.line as line_2, s.exhibit as exhibit_3, s.line as line_3, 'log daemon' as what,
  concat_ws('', case when w.exhibit is not null then ', though the device starts one' end, case when s.exhibit is not null then ', and the log ends with its stop' end) as besides,
  case when w.exhibit is not null and s.exhibit is not null then 'high' when w.exhibit is not null or s.exhibit is not null then 'medium' else 'low' end as level,
  p.programs < 5 as race, 'fewer than five programs are listed: no whole system' as race_reason
from p left join wanted w using (device, snapshot) left join stopped s using (device, snapshot)
