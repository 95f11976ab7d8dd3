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
  - {type: job, path: place, command: program}
explained_by: [job]
attack: [T1053, T1105, T1059]
falsepositives:
  - "updaters of address lists, certificates and dynamic DNS that the owner scheduled: they fetch and import over https (medium at most)"
  - "block lists that are offered over plain http: whoever is on the way can put commands into them (high)"
references:
  - "MikroTik: Meris botnet information (2021): schedulers that fetch"
  - "Microsoft: routeros-scanner (2022)"
  - "MikroTik: Scripting, Fetch, Configuration Management (import)"
response: "Export the scheduler and the scripts before anything else. Fetch nothing from the server yourself. Ask who wrote the job, then remove it together with the accounts and keys that came with it."
*/
with j as (
  -- a job that names a script does what the script says, and the script is then no finding of its own
  select j.device, j.snapshot, j.exhibit, j.line, j.kind, j.name, j.path, j.owner,
    s.exhibit as s_exhibit, s.line as s_line, concat_ws(chr(10), j.command, s.text) as body
  from jobs j left join scripts s on (s.device, s.snapshot) = (j.device, j.snapshot) and j.kind <> 'script'
    and regexp_matches(j.command, '(?i)(^\s*|script[ /]run\s+)"?' || regexp_escape(s.path[16:]) || '"?\s*($|[;\n}])')
  where j.command is not null
    and not (j.kind = 'script' and exists(select 1 from jobs o where (o.device, o.snapshot) = (j.device, j.snapshot) and o.kind <> 'script'
      and regexp_matches(o.command, '(?i)(^\s*|script[ /]run\s+)"?' || regexp_escape(j.name) || '"?\s*($|[;\n}])')))),
f as (
  select *, rsc_runs_file(body) as runs, rsc_bare(body) as bare, rsc_plain(body) as plain, regexp_matches(body, '(?i)\bupload=yes') and not rsc_runs_file(body) as sends
  from j where rsc_fetches(body)),
d as (
  select f.*,
    exists(select 1 from proxies p where (p.device, p.snapshot) = (f.device, f.snapshot) and p.enabled and p.kind = 'socks') as proxied,
    -- a client that dials out and that the firewall lets in, or that goes by a name known for it
    exists(select 1 from tunnels t where (t.device, t.snapshot) = (f.device, f.snapshot) and t.kind in ('l2tp', 'pptp') and coalesce(t.enabled, true)
      and (t.peer_ip is null or is_external(t.peer_key))
      and (regexp_full_match(t.name, '(?i)l?vpn\d*') or exists(select 1 from firewall_rules r where (r.device, r.snapshot) = (t.device, t.snapshot)
        and r.action = 'ACCEPT' and r.chain = 'input' and r.in_if is null and r.src is null and r.proto = 'tcp' and r.dst_port_first >= 1024))) as tunnelled,
    regexp_full_match(coalesce(name, ''), '(?i)u\d{1,3}') as short_name,
    coalesce(owner, '') not in ('', 'admin') and not starts_with(owner, '*')
      and exists(select 1 from accounts a where (a.device, a.snapshot, a.view) = (f.device, f.snapshot, 'print'))
      and not exists(select 1 from accounts a where (a.device, a.snapshot, a.name) = (f.device, f.snapshot, f.owner) and a.view <> 'vpn') as stranger
  from f)
select device, snapshot, exhibit, line, s_exhibit as exhibit_2, s_line as line_2, coalesce(kind, 'job') as kind, coalesce(name, '(no name)') as name,
  concat_ws(' ', path, name) as place, left(body, 300) as program,
  concat_ws(', ', case when runs then 'fetches a file and runs it' when sends then 'sends a file away' else 'fetches a file' end,
    case when bare then 'at a bare address' end, case when plain then 'without encryption' end,
    case when proxied then 'while the SOCKS proxy is switched on' end, case when runs and tunnelled then 'while a VPN client dials out' end,
    case when short_name then 'under a name that is known for it' end, case when stranger then 'and no account ' || owner || ' exists' end) as does,
  case when runs and (bare or plain) and (proxied or tunnelled) then 'critical'
       when runs and (bare or plain or proxied or tunnelled or stranger or short_name) then 'high'
       when runs or bare or stranger then 'medium' else 'info' end as level
from d
