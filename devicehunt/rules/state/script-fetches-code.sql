/*
id: script-fetches-code
title: "{kind} {name} {does}"
about: "A scheduler that fetches a file and imports it obeys whoever owns the server. Public block lists are kept current in the same way, so it is the company it keeps that tells them apart."
check: C10
level: info
platforms: [mikrotik_routeros]
needs: [{any: [{jobs@config: [command]}, {all: [{jobs@print: [command]}, {jobs@script: [command]}]}]}]
key: [kind, name]
subjects:
  - {type: job, path: path, name: name, command: program}
explained_by: [job]
attack: [T1053, T1105, T1059]
falsepositives:
  - "updaters of address lists, certificates and dynamic DNS that the owner scheduled: they fetch and import over https"
references:
  - "MikroTik: Meris botnet information (2021): schedulers that fetch"
  - "Microsoft: routeros-scanner (2022)"
response: "Export the scheduler and the scripts before anything else. Fetch nothing from the server yourself. Ask who wrote the job, then remove it together with the accounts and keys that came with it."
*/
with j as (
  -- a job that names a script does what the script says
  select j.*, coalesce(s.text, j.command) as body, coalesce(s.exhibit, j.exhibit) as s_exhibit, coalesce(s.line, j.line) as s_line
  from jobs j left join scripts s on (s.device, s.snapshot) = (j.device, j.snapshot)
    and s.path = '/system script ' || regexp_replace(trim(j.command), '^(/system script run )?"?([^"]*)"?$', '\2')
  where j.command is not null),
f as (
  select *,
    regexp_matches(body, '(?i)/?tool[ /]+fetch\b|\bfetch\s+[^;\n]*\b(url|address|src-path)=') as fetches,
    regexp_matches(body, '(?i)(^|[\s;{\[/])import\b|:parse\b|system[ /]script[ /](run|add)|source=|execute\b|/system[ /]package[ /]update[ /]install') as runs,
    regexp_matches(body, '(?i)(url="?(https?|ftp|tftp)://|address=)(\d{1,3}\.){3}\d{1,3}') as literal,
    regexp_matches(body, '(?i)url="?http://|mode=http\b|mode=(ftp|tftp)\b') as plain,
    regexp_matches(body, '(?i)\b(ip[ /])?socks\b[^;\n]*enabled=yes|l2tp-client|pptp-client|/user[ /]add|\buser add\b|firewall[ /]nat[ /]add') as changes
  from j),
d as (
  select f.*,
    exists(select 1 from proxies p where (p.device, p.snapshot) = (f.device, f.snapshot) and p.enabled) as proxied,
    exists(select 1 from tunnels t where (t.device, t.snapshot) = (f.device, f.snapshot) and t.kind in ('l2tp', 'pptp', 'sstp', 'ovpn') and coalesce(t.enabled, true)
      and (is_external(t.peer_key) or t.peer_ip is null)) as tunnelled,
    regexp_full_match(coalesce(name, ''), '(?i)u\d{1,3}|[a-z]\d{1,2}|schedule\d*|sh\d{3,}') as short_name,
    owner is not null and exists(select 1 from accounts a where (a.device, a.snapshot) = (f.device, f.snapshot))
      and not exists(select 1 from accounts a where (a.device, a.snapshot, a.name) = (f.device, f.snapshot, f.owner)) as stranger
  from f where fetches)
select device, snapshot, exhibit, line, s_exhibit as exhibit_2, s_line as line_2, coalesce(kind, 'job') as kind, coalesce(name, '(no name)') as name, path,
  left(body, 300) as program,
  concat_ws(', ', case when runs then 'fetches a file and runs it' else 'fetches a file' end,
    case when literal then 'from a bare address' when plain then 'without encryption' end, case when changes then 'and changes users, forwards or proxies' end,
    case when proxied then 'while a proxy is switched on' end, case when runs and tunnelled then 'while a VPN client dials out' end,
    case when stranger then 'and no account ' || owner || ' exists' end) as does,
  case when changes and (literal or plain or runs) then 'high'
       when runs and (literal or plain or proxied or tunnelled or stranger or short_name) then 'high'
       when runs then 'medium' when literal or stranger then 'medium' else 'info' end as level
from d
