/*
id: ios-running-differs-from-startup
title: "{what}: {n} {lines} only in the {side} configuration, first: {first}"
about: "What stands only in the running configuration goes with a reload: intruders who want no trace do not save. What stands only in the startup configuration comes with the next one."
check: C18
level: low
platforms: [cisco_ios]
needs:
  - {settings@config: [path, value]}
  - {settings@startup: [path, value]}
key: [what, side]
subjects:
  - {type: setting, path: first}
attack: [T1601, T1556, T1685]
falsepositives:
  - "work of the owner that was not saved yet"
references:
  - "CISA AA25-239A: compare the running configuration with the startup and a golden one (2025)"
  - "Cisco: show archive config differences nvram:startup-config system:running-config"
response: "Save both configurations. Ask who made the change and when (show archive log config all, the log server). Neither reload nor write memory before that: both destroy one side."
*/
with s as (
  select s.device, s.snapshot, s.exhibit, s.line, s.path, s.value, s.view
  from settings s
  where s.view in ('config', 'startup')
    -- "all" shows the defaults too, which the startup configuration does not hold
    and not exists(select 1 from exhibits e where (e.device, e.snapshot, e.exhibit) = (s.device, s.snapshot, s.exhibit) and regexp_matches(e.command, '(?i)run\S* all\b'))),
pairs as (select device, snapshot from s group by all having count(distinct view) = 2),
d as (
  select * from s semi join pairs using (device, snapshot)
  where not exists(select 1 from s o where (o.device, o.snapshot, o.path, o.value) = (s.device, s.snapshot, s.path, s.value) and o.view <> s.view)),
c as (
  select *, case
    when regexp_matches(path, '^(username|enable (secret|password)|ip ssh pubkey-chain)') then 'accounts'
    when regexp_matches(path, '^(event manager|kron) ') then 'applets and jobs'
    when regexp_matches(path, '^(boot |boot-|config-register|warm-reboot)') then 'what is booted'
    when regexp_matches(path, '^(interface (Tunnel|Virtual-PPP|Dialer)|crypto (map|isakmp|ikev2|keyring|ipsec))|> tunnel ') then 'tunnels'
    when regexp_matches(path, '^(aaa|tacacs|radius)\b|^line |^ip (http|ssh|scp|rcmd)|^snmp-server|^(vstack|tftp-server|netconf|restconf|privilege)\b') then 'access to the device'
    when regexp_matches(path, '^(ip nat|access-list|ip(v6)? access-list)\b|> ip(v6)? (access-group|traffic-filter|nat)|^route-map|> ip policy') then 'address translation and access lists'
    when regexp_matches(path, '^(logging|archive|flow exporter|ip flow-export)\b|> log') then 'logging'
    when regexp_matches(path, '^(monitor (session|capture)|iox|app-hosting|virtual-service|guestshell)') then 'copies of traffic, hosted programs' end as what
  from d)
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, what,
  case view when 'config' then 'running' else 'startup' end as side, count(*) as n, case when count(*) = 1 then 'line stands' else 'lines stand' end as lines,
  arg_min(case when value = 'no' then 'no ' else '' end || path, (exhibit, line)) as first,
  case when what in ('accounts', 'applets and jobs', 'what is booted', 'tunnels', 'access to the device') then 'medium' else 'low' end as level
from c where what is not null group by device, snapshot, what, view
