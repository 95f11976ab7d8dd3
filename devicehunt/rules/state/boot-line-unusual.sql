/*
id: boot-line-unusual
title: "{path} starts at boot: {command} ({why})"
about: "Lines of boot scripts that the firmware does not have: they start what a reboot would have cleared."
check: C30
level: low
core: true
platforms: [linux]
needs: [{jobs@boot: [command, program]}]
key: [path, command]
subjects:
  - {type: job, path: path, command: command, program: program}
explained_by: [job, program]
attack: [T1037.004]
falsepositives:
  - "lines of the owner: LED scripts, routes, mounts, a package manager's start script"
references:
  - "SecurityScorecard: LapDogs starts from boot scripts (2025)"
  - "MITRE ATT&CK T1037.004: RC scripts"
response: "Keep the script with its times and the file that it starts. Compare it with the factory image of the same version."
*/
with j as (
  select j.*, coalesce(script_of(j.command), j.program) as target, p.pid, p.exhibit as p_exhibit, p.line as p_line, p.known,
    regexp_matches(j.command, '(?i)(wget|curl|tftp|ftpget|uclient-fetch)\b.*(\|\s*(ba|a|da)?sh\b|(;|&&)\s*(chmod|sh\b|ash\b|\./))|/dev/(tcp|udp)/|\bnc(at)?\b[^|;]*\s-e\s') as fetches_and_runs,
    regexp_matches(j.command, '(?i)\b(wget|curl|uclient-fetch|tftp|ftpget)\b') as fetches,
    regexp_matches(j.command, '(?i)\biptables\b.*\b(ACCEPT|DNAT|REDIRECT)\b|\bnft\b.*\b(accept|dnat|redirect)\b') as opens,
    exists(select 1 from known_patterns v where v.kind = 'volatile-path' and regexp_matches(j.command, '(^|[\s;&|''"=(])' || v.pattern)) as volatile
  from jobs j
  left join (
    select g.*, exists(select 1 from known_programs k where not ends_with(k.path, '/') and same_program(k.path, g.exe, g.argv0, g.name))
        or exists(select 1 from known_listeners k where same_program(k.path, g.exe, g.argv0, g.name)) as known
    from programs g) p
    on (p.device, p.snapshot) = (j.device, j.snapshot)
    and (p.script = coalesce(script_of(j.command), j.program) or p.path = coalesce(script_of(j.command), j.program))
  where j.kind = 'boot' and j.command is not null)
select device, snapshot, exhibit, line, p_exhibit as exhibit_2, p_line as line_2, path, command, target as program,
  case when fetches_and_runs then 'it fetches and runs what it got'
       when volatile then 'it runs from a place that is writable'
       when pid is not null and not known then 'its program is alive as process ' || pid || ' and no program of this platform'
       when opens then 'it opens the firewall' when fetches then 'it fetches something' else 'nothing explains it' end as why,
  case when fetches_and_runs then 'critical' when volatile then 'high'
       when pid is not null and not known then case when is_owner_path(target) then 'low' else 'high' end
       when opens then 'medium' when fetches then 'medium' else 'low' end as level
from j
where not exists(select 1 from known_patterns k where k.kind = 'stock-boot-line' and regexp_full_match(trim(j.command), k.pattern))
qualify row_number() over (partition by device, snapshot, path, command order by pid nulls last) = 1
