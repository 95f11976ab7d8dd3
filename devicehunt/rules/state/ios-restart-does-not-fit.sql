/*
id: ios-restart-does-not-fit
title: "{what}: {value}"
about: "Exploits crash what they attack, and a restart wipes what lived in memory. A crash that nobody looked at, a reason that the device does not know, and a log that tells another start than the uptime are worth a question."
check: C31
level: low
platforms: [cisco_ios]
needs: [{settings@version: [path, value]}]
key: [what]
subjects:
  - {type: setting, path: path}
attack: [T1529, T1653]
falsepositives:
  - "bugs and failing memory: most crashes are no attack"
  - "a clock that was wrong until NTP set it"
references:
  - "Cisco: IOS XE forensic guide: an unscheduled reload should raise attention"
  - "devicehunt intel C31: reload or crash story does not fit"
response: "Collect the crashinfo and core files (dir crashinfo:, dir bootflash:core) and the log server's messages around that time. Open a case with the vendor."
*/
with r as (
  select *, regexp_matches(value, '(?i)bus error|address error|software.forced|forced crash|critical (software )?exception|\bexception\b|segv|sigabrt|illegal (instruction|opcode)|watchdog|error - |crash|fault') as crash,
    regexp_matches(value, '(?i)\bunknown\b|\babort') as unknown
  from settings where view = 'version' and path in ('boot > returned to ROM by', 'boot > restarted', 'boot > reload reason')),
f as (
  select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line,
    bool_or(regexp_matches(path, '(?i)crashinfo|/core/.|\.core(\.gz)?$|system-report')) as kept
  from files where view = 'dir' group by all),
u as (
  select device, snapshot, coalesce(max(clock), max(collected_at)) - to_seconds(max(uptime_s) filter (view = 'version')) as started from devices group by all),
l as (  -- what the log says of the last start
  select device, snapshot, exhibit, max(logged_at) as said, arg_max(line, logged_at) as line from log_events
  where view = 'logging' and facility = 'SYS' and program = 'RESTART' and logged_at > timestamp '2015-01-01' group by all)
select r.device, r.snapshot, r.exhibit, r.line, case when crash and f.kept = false then f.exhibit end as exhibit_2, case when crash and f.kept = false then f.line end as line_2, r.path, r.value,
  case when crash and f.kept = false then 'the device crashed, and no crash file lies on it' when crash then 'the device restarted after a crash' else 'the device does not know why it restarted' end as what,
  case when crash and f.kept = false then 'medium' else 'low' end as level
from r left join f using (device, snapshot) where crash or unknown
union all
select u.device, u.snapshot, l.exhibit, l.line, v.exhibit, v.line, v.path, strftime(l.said, '%Y-%m-%d %H:%M') || ' against ' || strftime(u.started, '%Y-%m-%d %H:%M'),
  'the log and the uptime tell of two starts', 'medium'
from u join l using (device, snapshot) join (
  select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, arg_min(path, (exhibit, line)) as path from settings where view = 'version' group by all) v using (device, snapshot)
where abs(epoch(l.said) - epoch(u.started)) > 7200
