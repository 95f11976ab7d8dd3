/*
id: kernel-module-foreign
title: "kernel module {name} {why}"
about: "A module of the kernel sees and hides everything. Wi-Fi and switch drivers of vendors are foreign too, so that alone is context. A file in a writable place, or none at all where every other module has one, is not."
check: C39
level: info
core: true
platforms: [linux]
needs: [{modules: [name, taint]}]
key: [name]
subjects:
  - {type: file, path: file}
explained_by: [program]
attack: [T1547.006, T1014]
falsepositives:
  - "vendor drivers for Wi-Fi, switch chips and acceleration; compare with another device of the model"
references:
  - "Cisco Talos: DKnife (2026)"
  - "MITRE ATT&CK T1547.006: kernel modules and extensions"
response: "Compare the list with a clean device of the same model and version. Keep the module's file."
*/
with m as (
  select device, snapshot, name, replace(name, '-', '_') as plain, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, max(taint) as taint
  from modules where name is not null group by device, snapshot, name),
ko as (  -- files of modules
  select device, snapshot, path, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line,
    replace(regexp_extract(path, '([^/]+)\.ko(?:\.(?:gz|xz|zst))?$', 1), '-', '_') as plain, regexp_matches(path, '^(/rom|/overlay/upper)?(/usr)?/lib/modules/') as placed
  from files where kind = 'file' and regexp_matches(path, '^/.*\.ko(\.(gz|xz|zst))?$') group by device, snapshot, path),
listed as (  -- how many of the loaded modules the listing of their folder shows: from half on it is taken for whole
  select m.device, m.snapshot, count(*) filter (k.plain is not null) * 2 >= count(*) and count(*) >= 8 as whole
  from m left join (select distinct device, snapshot, plain from ko where placed) k using (device, snapshot, plain) group by m.device, m.snapshot),
j as (
  select m.*, k.path, k.exhibit as exhibit_2, k.line as line_2, coalesce(l.whole, false) as whole,
    exists(select 1 from ko q where (q.device, q.snapshot, q.plain) = (m.device, m.snapshot, m.plain) and q.placed) as at_home,
    exists(select 1 from packages i where (i.device, i.snapshot) = (m.device, m.snapshot)
      and (regexp_matches(i.path, '/' || regexp_replace(m.plain, '_', '[-_]', 'g') || '\.ko') or replace(i.name, '-', '_') = 'kmod_' || m.plain)) as packaged,
    -- the kernel told of it long after the start
    e.exhibit as exhibit_3, e.line as line_3, e.message is not null as late
  from m left join listed l using (device, snapshot)
  left join ko k on (k.device, k.snapshot, k.plain) = (m.device, m.snapshot, m.plain) and not k.placed
  left join log_events e on (e.device, e.snapshot) = (m.device, m.snapshot) and e.program = 'kernel'
    and regexp_matches(e.message, '^(\[ *\d+\.\d+\] *)?' || regexp_escape(m.name) || ': (loading out-of-tree module taints kernel|module verification failed|module license .* taints kernel)')
    and coalesce(try_cast(e.logged as double), try_cast(regexp_extract(e.message, '^\[ *(\d+\.\d+)\]', 1) as double), 0) > 3600)
select device, snapshot, exhibit, line, exhibit_2, line_2, exhibit_3, line_3, name, coalesce(path, name) as file,
  case when path is not null then 'has its file outside the folder of the kernel''s modules: ' || path
       when taint like '%F%' then 'was loaded by force'
       when whole and not at_home and taint is not null then 'was built outside the kernel and has no file among the kernel''s modules'
       when late then 'was built outside the kernel and loaded long after the start'
       when taint like '%E%' then 'was built outside the kernel and is not signed'
       else 'was built outside the kernel' || case when packaged then ', by a package' else '' end end as why,
  case when path is not null and not packaged then case when is_owner_path(path) then 'medium' else 'high' end
       when taint like '%F%' then 'high'
       when whole and not at_home and not packaged and taint is not null then 'high'
       when late and not packaged then 'medium' else 'info' end as level
from j
where path is not null or regexp_matches(taint, '[OEF]')
qualify row_number() over (partition by device, snapshot, name order by is_owner_path(path) nulls last, path, exhibit_3, line_3) = 1
