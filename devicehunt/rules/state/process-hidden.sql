/*
id: process-hidden
title: "process {pid} exists but {missing_in} does not show it"
about: "Two views of one fact, taken around the same time, must agree. A process that answers to its number but is not listed is hidden by something."
check: C32
level: critical
core: true
platforms: [linux]
memory: true
needs:
  - {any: [{processes@walk: [pid, listed, start_ticks]}, {all: [{processes@proc: [pid]}, {processes@ps: [pid]}]}]}
key: [name, missing_in]
subjects:
  - {type: process, pid: pid, name: name, exe: path}
attack: [T1014, T1564.001]
falsepositives:
  - "a process that began or ended between the two reads; that is ruled out where start times are known, else said to be a race"
references:
  - "devicehunt intel C32: cross-view disagreement"
  - "MITRE ATT&CK T1014: rootkit"
response: "Do not trust ps and ls on this device. Read /proc/PID by number, copy exe and maps, then take the device off the network without a reboot."
*/
with v as (
  select device, snapshot, pid, bool_or(view in ('walk', 'number', 'proc')) as in_proc, bool_or(view = 'ps') as in_ps,
    coalesce(bool_or(listed = false), false) and not bool_or(coalesce(listed, false)) as unlisted, min(start_ticks) as start_ticks from processes where pid is not null group by all),
t as (  -- when each view of a snapshot was taken, by order of collection
  select device, snapshot, max(seq) filter (view = 'ps') as ps_last, min(seq) filter (view = 'ps') as ps_first,
    min(seq) filter (view in ('walk', 'proc')) as proc_first, max(seq) filter (view in ('walk', 'proc')) as proc_last
  from (select distinct p.device, p.snapshot, p.view, e.seq from processes p join exhibits e using (device, snapshot, exhibit)) group by all),
ages as (  -- seconds up, to compare with start times
  select device, snapshot, max(uptime_s) as uptime_s from devices group by all)
select v.device, v.snapshot, p.exhibit, p.line, v.pid, coalesce(p.name, '?') as name, p.path,
  case when v.unlisted then 'the listing of /proc' else 'ps' end as missing_in,
  -- without a start time well before both reads, or a view before and one after, it may have begun in between
  not v.unlisted and not coalesce(v.start_ticks / 100 < a.uptime_s - 60, false) and not coalesce(t.proc_first < t.ps_first and t.proc_last > t.ps_last
    and (select count(distinct e.seq) from processes q join exhibits e using (device, snapshot, exhibit)
         where (q.device, q.snapshot, q.pid) = (v.device, v.snapshot, v.pid) and q.view in ('walk', 'proc') and e.seq in (t.proc_first, t.proc_last)) = 2, false) as race,
  'race: process ' || v.pid || ' is in /proc and not in ps, and nothing shows that it existed before both were read' as race_reason,
  case when v.unlisted then 'critical' else 'high' end as level
from v join programs p using (device, snapshot, pid) left join t using (device, snapshot) left join ages a using (device, snapshot)
where v.unlisted
  or (v.in_proc and not v.in_ps and t.ps_first is not null and not p.is_kernel
    -- the commands of the collection itself come and go
    and not regexp_matches(coalesce(p.cmdline, ''), '^(\S*/)?(cat|ls|ps|sh|ash|sleep|find|md5sum|netstat|tr|sed|readlink|grep|head)\b')
    and coalesce(p.state, '') not like 'Z%')
