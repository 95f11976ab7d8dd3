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
with reads as (  -- every listing of processes that was read to its end, in the order of collection
  select f.device, f.snapshot, f.exhibit, f.line, f.view, e.seq, e.end_proof <> 'none' as proven
  from feeds f join exhibits e using (device, snapshot, exhibit, line) where f.table_name = 'processes' and f.usable),
seen as (  -- which of them showed which process
  select p.device, p.snapshot, p.pid, r.view, r.seq, r.proven
  from processes p join reads r on (r.device, r.snapshot, r.exhibit, r.view) = (p.device, p.snapshot, p.exhibit, p.view) and r.line <= p.line
  qualify r.line = max(r.line) over (partition by p.device, p.snapshot, p.exhibit, p.line, p.pid)),
ps as (  -- a list without process 1 is that of one terminal, not of the device
  select device, snapshot, seq, bool_or(proven) as proven, max(pid) as last_pid from seen where view = 'ps' group by all having bool_or(pid = 1)),
ages as (select device, snapshot, max(uptime_s) as uptime_s from devices group by all),
v as (
  select device, snapshot, pid, bool_or(view in ('walk', 'number', 'proc')) as in_proc, bool_or(view = 'ps') as in_ps,
    coalesce(bool_or(listed = false), false) and not coalesce(bool_or(listed), false) as unlisted, min(start_ticks) as start_ticks
  from processes where pid is not null group by all),
m as (  -- in /proc, and in no list of ps; alive before it was printed, or alive before and after
  select v.device, v.snapshot, v.pid, v.unlisted,
    bool_or(coalesce(v.start_ticks / 100 < a.uptime_s - 60, false)
      or exists(select 1 from seen b where (b.device, b.snapshot, b.pid) = (v.device, v.snapshot, v.pid) and b.view in ('walk', 'proc') and b.seq < ps.seq)
        and exists(select 1 from seen b where (b.device, b.snapshot, b.pid) = (v.device, v.snapshot, v.pid) and b.view in ('walk', 'proc') and b.seq > ps.seq)) as alive,
    -- ps prints in the order of numbers: what comes after the last one may have been cut off
    bool_or(ps.proven or v.pid < ps.last_pid) as not_cut
  from v left join ps using (device, snapshot) left join ages a using (device, snapshot)
  where v.unlisted or v.in_proc and not v.in_ps and ps.seq is not null
  group by all)
select m.device, m.snapshot, p.exhibit, p.line, m.pid, coalesce(p.name, '?') as name, p.path,
  case when m.unlisted then 'the listing of /proc' else 'ps' end as missing_in,
  not m.unlisted and not (coalesce(m.alive, false) and coalesce(m.not_cut, false)) as race,
  'race: process ' || m.pid || ' is in /proc and not in ps, and nothing shows that it existed before both were read' as race_reason,
  case when m.unlisted then 'critical' else 'high' end as level
from m join programs p using (device, snapshot, pid)
where m.unlisted
  or not p.is_kernel and coalesce(p.state, '') not like 'Z%'
    -- the commands of the collection itself come and go
    and (coalesce(m.alive, false) or not regexp_matches(coalesce(p.cmdline, ''), '^(\S*/)?(cat|ls|ps|sh|ash|sleep|find|md5sum|netstat|ss|ip|tr|sed|readlink|grep|head|dropbear|sshd)\b'))
