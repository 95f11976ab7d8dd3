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
with alive as (  -- programs and scripts at work that neither the platform nor a package knows
  select g.*, coalesce(g.script, g.path) as file from programs g
  where not g.is_kernel
    and not case when g.script is not null then exists(select 1 from known_programs k where k.path = g.script) else is_stock_program(g.exe, g.argv0, g.name) end
    and not exists(select 1 from packages i where (i.device, i.snapshot) = (g.device, g.snapshot)
      and (i.path = coalesce(g.script, g.path)
        or i.path is null and i.name = base_name(coalesce(g.script, g.path)) and regexp_matches(coalesce(g.script, g.path), '^/(usr/|opt/)?(s?bin|lib)/')))),
j as (
  select j.*, coalesce(script_of(j.command), j.program) as target,
    p.pid, p.exhibit as p_exhibit, p.line as p_line, is_owner_path(coalesce(p.file, script_of(j.command), j.program)) as owners,
    runs_what_it_fetches(j.command) as runs_fetched, opens_way_out(j.command) as way_out,
    runs_volatile(j.command) or coalesce(is_volatile(coalesce(script_of(j.command), j.program)), false) as volatile,
    regexp_matches(j.command, '(?i)\b(wget|curl|uclient-fetch|tftp|ftpget|nc|ncat|scp)\s') as fetches,
    regexp_matches(j.command, '(?i)\bip6?tables\b.*\b(ACCEPT|DNAT|REDIRECT)\b|\bnft\b.*\b(accept|dnat|redirect)\b') as opens,
    -- the firmware's own scripts start the firmware's own daemons
    regexp_matches(coalesce(j.path, ''), '^/etc/(init\.d|rc\.d|rc[S\d]\.d|inittab)') and regexp_matches(coalesce(p.file, ''), '^/(usr/)?s?bin/[^.]') as firmwares
  from jobs j
  -- any file that the line names and that is alive; a name alone where the listing or the line shows no path
  left join alive p on (p.device, p.snapshot) = (j.device, j.snapshot)
    and (list_contains(regexp_extract_all(j.command, '/[^\s;&|<>"''`()]+'), p.file)
      or p.file is null and p.name = base_name(coalesce(script_of(j.command), j.program))
      or p.script is null and base_name(p.path) = coalesce(script_of(j.command), j.program))
  where j.command is not null and j.kind = 'boot')

select device, snapshot, exhibit, line, p_exhibit as exhibit_2, p_line as line_2, path, command, target as program,
  case when runs_fetched then 'it runs what it fetches, or hands out a shell'
       when volatile then 'it runs from a place that is writable'
       when way_out then 'it opens a way out'
       when pid is not null then 'its program is alive as process ' || pid || ' and no program of this platform'
       when opens then 'it opens the firewall' when fetches then 'it fetches something' else 'nothing explains it' end as why,
  case when runs_fetched then 'critical' when volatile or way_out then 'high'
       when pid is not null then case when owners then 'low' when firmwares then 'medium' else 'high' end
       when opens then 'medium' when fetches then 'medium' else 'low' end as level
from j
-- a line that every box has is none when it does one of these
where runs_fetched or volatile or way_out or pid is not null
  or not exists(select 1 from known_patterns k where k.kind = 'stock-boot-line' and regexp_full_match(trim(j.command), k.pattern))
qualify row_number() over (partition by device, snapshot, path, command order by owners, firmwares, pid nulls last) = 1
