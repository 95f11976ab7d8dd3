/*
id: job-runs-unusual-program
title: "{kind} job in {path} runs: {command} ({why})"
about: "A job that fetches, connects out, runs from a writable place, or keeps a stranger alive is how an implant comes back."
check: C10
level: low
core: true
platforms: [linux]
needs: [{jobs@cron: [command, program]}]
key: [path, command]
subjects:
  - {type: job, path: path, command: command, program: program}
explained_by: [job, program]
attack: [T1053.003]
falsepositives:
  - "vendor updates, dynamic DNS, backup and certificate jobs; name them in the site file"
references:
  - "Volexity: UPSTYLE adds `* * * * * root wget` to cron (2024)"
  - "JPCERT/CC: GobRAT registers itself in cron (2023)"
response: "Keep the job's line, the file that it names and the file's times. Find out what wrote the job before you remove it."
*/
with j as (
  select j.*, coalesce(script_of(j.command), j.program) as target, p.pid, p.exhibit as p_exhibit, p.line as p_line, p.known,
    regexp_matches(j.command, '(?i)(wget|curl|tftp|ftpget|ftp|scp|rsync)\b.*\|\s*(ba|a|da)?sh\b|/dev/(tcp|udp)/|\bnc(at)?\b[^|;]*\s-e\s|base64\s+(-d|--decode)[^|]*\|\s*(ba|a)?sh|(wget|curl|uclient-fetch)\b.*(;|&&)\s*(chmod|sh\b|ash\b|\./)') as fetches_and_runs,
    regexp_matches(j.command, '(?i)\b(wget|curl|uclient-fetch|tftp|ftpget)\b') as fetches,
    exists(select 1 from known_patterns v where v.kind = 'volatile-path' and regexp_matches(j.command, '(^|[\s;&|''"=(])' || v.pattern)) as volatile
  from jobs j
  left join (
    select g.*, exists(select 1 from known_programs k where not ends_with(k.path, '/') and same_program(k.path, g.exe, g.argv0, g.name))
        or exists(select 1 from known_listeners k where same_program(k.path, g.exe, g.argv0, g.name)) as known
    from programs g) p
    on (p.device, p.snapshot) = (j.device, j.snapshot)
    -- the job's program is alive now: its script, or its file (its name where the path is not shown)
    and (p.script = coalesce(script_of(j.command), j.program) or p.path = coalesce(script_of(j.command), j.program))
  where j.command is not null and j.kind <> 'boot')
select device, snapshot, exhibit, line, p_exhibit as exhibit_2, p_line as line_2, coalesce(kind, 'cron') as kind, path, command, target as program,
  case when fetches_and_runs then 'it fetches and runs what it got'
       when volatile then 'it runs from a place that is writable'
       when pid is not null and not coalesce(known and target not like '%/sh', false) then 'its program runs all the time as process ' || pid || ': the job keeps it alive'
       when fetches then 'it fetches something'
       else 'nothing explains it' end as why,
  case when fetches_and_runs then 'critical' when volatile then 'high'
       when pid is not null and not coalesce(known, false) then 'high'
       when fetches then 'medium' else 'low' end as level
from j
where not exists(select 1 from known_patterns k where k.kind = 'stock-boot-line' and regexp_full_match(j.command, k.pattern))
qualify row_number() over (partition by device, snapshot, path, command order by pid nulls last) = 1
