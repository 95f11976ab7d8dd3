/*
id: log-daemon-missing
title: "no log daemon runs"
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
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, 'log daemon' as what from programs p
-- a list that was cut may have lost it
where exists(select 1 from feeds f where (f.device, f.snapshot) = (p.device, p.snapshot) and f.table_name = 'processes' and f.view in ('ps', 'proc', 'walk') and f.usable)
group by device, snapshot
having count(*) filter (not is_kernel) >= 5 and not bool_or(regexp_matches(concat_ws(' ', name, base_name(argv0), base_name(exe)), '\b(syslogd|logd|rsyslogd|syslog-ng|systemd-journal\w*|journald|klogd|miglogd|svlogd|socklog|metalog)\b'))
