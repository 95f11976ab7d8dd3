/*
id: job-changes-access
title: "{kind} {name} {does}"
about: "A job that opens the router again after somebody closed it is how an intruder stays: it adds users, switches proxies on, opens the firewall, stops the log."
check: C10
level: medium
platforms: [mikrotik_routeros]
needs: [{any: [{jobs@config: [command]}, {all: [{jobs@print: [command]}, {jobs@script: [command]}]}]}]
key: [kind, name]
subjects:
  - {type: job, path: place, command: program}
explained_by: [job]
attack: [T1053, T1136.001, T1686, T1685]
falsepositives:
  - "scripts that open a web service for the renewal of a certificate, or give an alert (medium)"
  - "a script for setting up new devices, which nothing starts by itself (medium)"
references:
  - "MikroTik: Meris botnet information (2021): jobs that set the router up again"
  - "MikroTik: Scripting; Scheduler (help.mikrotik.com)"
response: "Export the job first. Ask who wrote it. Remove it before what it changes, or it comes back."
*/
with j as (
  select *, exists(select 1 from jobs o where (o.device, o.snapshot) = (jobs.device, jobs.snapshot) and o.kind <> 'script'
      and regexp_matches(o.command, '(?i)(^\s*|script[ /]run\s+)"?' || regexp_escape(jobs.name) || '"?\s*($|[;\n}])')) as started
  from jobs where command is not null and kind in ('scheduler', 'event', 'script')),
d as (
  select *,
    regexp_matches(command, '(?i)(^|[\s;{(\[])/user[ /]+(add|ssh-keys[ /]+import|set\b[^;\n]*(password|group)=)') as users,
    regexp_matches(command, '(?i)\bip[ /]+(socks|proxy)[ /]+set\b[^;\n]*enabled=yes') as proxy,
    regexp_matches(command, '(?i)firewall[ /]+nat[ /]+add\b[^;\n]*action="?(dst-nat|netmap|redirect)') as forwards,
    regexp_matches(command, '(?i)firewall[ /]+filter[ /]+add\b[^;\n]*chain="?input') and regexp_matches(command, '(?i)firewall[ /]+filter[ /]+add\b[^;\n]*action="?accept') as opens,
    regexp_matches(command, '(?i)tool[ /]+sniffer[ /]+(start|set\b[^;\n]*streaming-enabled=yes)') as sniffs,
    regexp_matches(command, '(?i)system[ /]+logging[ /]+(remove|disable|set\b[^;\n]*disabled=yes|action[ /]+set\b[^;\n]*memory-lines=1\b)') as unlogs,
    regexp_matches(command, '(?i)(l2tp|pptp|sstp|ovpn)-client[ /]+add\b') as dials,
    regexp_matches(command, '(?i)\bip[ /]+service[ /]+(enable|set\b[^;\n]*disabled=no)') as serves
  from j)
select device, snapshot, exhibit, line, kind, coalesce(name, '(no name)') as name, concat_ws(' ', path, name) as place, left(command, 300) as program,
  concat_ws(', ', case when users then 'changes users' end, case when proxy then 'switches a proxy on' end, case when forwards then 'adds forwards' end, case when opens then 'opens the input chain' end,
    case when sniffs then 'captures traffic' end, case when unlogs then 'stops the log' end, case when dials then 'adds a VPN client' end, case when serves then 'switches a service on' end) as does,
  case when users::int + proxy::int + forwards::int + opens::int + sniffs::int + unlogs::int + dials::int >= 2 and (kind <> 'script' or started) then 'high'
       when (proxy or users or unlogs) and (kind <> 'script' or started) then 'high' else 'medium' end as level
from d where users or proxy or forwards or opens or sniffs or unlogs or dials or serves
