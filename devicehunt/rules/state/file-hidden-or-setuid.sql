/*
id: file-hidden-or-setuid
title: "{path}: {why}"
about: "Names that a listing overlooks and files that give root away are kept where they survive."
check: C33
level: medium
core: true
platforms: [linux]
needs: [{files: [path, mode]}]
key: [path]
subjects:
  - {type: file, path: path}
explained_by: [program]
attack: [T1564.001, T1548.001]
falsepositives:
  - "hidden folders of editors, package managers and of the owner's account"
references:
  - "JSCU-NL: COATHANGER hides under /data2/.bd.key (2024)"
  - "Fortinet: symbolic link to / in a language folder (2025)"
response: "Copy the file or folder with its times. Compare with the vendor's image."
*/
with f as (
  select device, snapshot, path, kind, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, bool_or(setuid) as setuid, max(target) as target
  from files where path like '/%' group by device, snapshot, path, kind)
select device, snapshot, exhibit, line, path,
  case when setuid then 'it gives its owner''s rights to whoever runs it, in a writable place'
       when kind = 'link' then 'a link to ' || target || ' opens the whole file system'
       else 'its name is made to be overlooked' end as why,
  case when setuid then 'high' when kind = 'link' then 'high' else 'medium' end as level
from f
where (coalesce(setuid, false) and (is_volatile(path) or regexp_matches(path, '^/(etc|root|home|www|jffs|opt|data|mnt)/')))
  or (kind = 'link' and target = '/' and regexp_matches(path, '^/(www|usr/www|home/httpd|data|jffs|tmp|var)/'))
  or regexp_matches(path, '/(\.\.\.+|\. |\.\.[ \x{00a0}]|[ \x{00a0}]+)(/|$)')
  or (kind = 'directory' and regexp_matches(path, '^/(tmp|var/tmp|var/run|run|dev/shm|data|data2|cf|jffs|usr/lib|lib|etc)/\.[^./]')
      and not regexp_matches(path, '/\.(config|ssh|cache|local|git|X11-unix|ICE-unix|font-unix|XIM-unix|Test-unix|uci|nvram|jailed|gnupg|snap|vim|npm|sys|svn|usb|cert)$'))
