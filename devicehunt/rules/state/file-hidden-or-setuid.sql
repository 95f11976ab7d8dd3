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
  - "sudo, su and ping of Entware in /opt carry the bit"
  - "hidden folders of editors, package managers and of the owner's account"
references:
  - "JSCU-NL: COATHANGER hides under /data2/.bd.key (2024)"
  - "Fortinet: symbolic link to / in a language folder (2025)"
response: "Copy the file or folder with its times. Compare with the vendor's image."
*/
with f as (
  select device, snapshot, path, max(kind) as kind, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line,
    -- a set-group folder is how a group shares it; the bit counts on a file that runs
    coalesce(bool_or(setuid) filter (coalesce(kind, 'file') = 'file' and coalesce(regexp_matches(mode, '^-..s'), true)), false) as setuid,
    coalesce(bool_or(regexp_matches(mode, '^-..[^s]..s')) filter (kind = 'file'), false) as setgid,
    max(owner) as owner, max(target) as target
  from files where path like '/%' group by device, snapshot, path),
g as (
  select *, regexp_matches(path, '/(\.\.\.+|\. |\.\.[ \x{00a0}]|[ \x{00a0}]+)(/|$)') as trick,
    regexp_matches(path, '^/(etc|root|home|www|jffs|opt|data2?|cf|mnt|config|overlay|usr/local)/') as writable,
    -- a shell or an interpreter that gives its owner's rights needs no writable place
    regexp_full_match(base_name(path), '(ba|a|da|z|k|c|tc|hu)?sh|python[\d.]*|perl[\d.]*|lua[\d.]*|php[\d.]*|env|find|vim?|nano|awk|gawk|tee|cp|dd|nc|socat') as shell,
    kind = 'link' and (target in ('/', '/.', '/etc', '/etc/', '/root', '/root/', '/etc/passwd', '/etc/shadow', '/etc/config')
      -- a chain of .. that reaches the root
      or regexp_full_match(target, '(\.\./)*\.\.?/?') and length(regexp_extract_all(target, '\.\.')) >= length(regexp_extract_all(path, '/')) - 1 and target like '..%') as opening
  from f),
hidden as (  -- folders with a dot where system files lie, but for those of well-known software
  select g.*, kind = 'directory' and regexp_matches(path, '^/(tmp|var/tmp|var/run|run|dev|dev/shm|data|data2|cf|jffs|usr/s?bin|s?bin|usr/lib|lib|etc|www)/\.[^./][^/]*$')
    and not regexp_matches(path, '/\.(config|ssh|cache|local|git|X11-unix|ICE-unix|font-unix|XIM-unix|Test-unix|uci|nvram|jailed|gnupg|snap|vim|npm|sys|svn|usb|cert|le|udev|initramfs|static|java|mdadm|pki|dbus|docker|acme\.sh|Trash(es)?(-\d+)?|Spotlight-V100|fseventsd|TemporaryItems)$') as hidden
  from g),
h as (  -- a program waits inside
  select h.*, p.exhibit as exhibit_2, p.line as line_2, p.path is not null as armed
  from hidden h left join (select device, snapshot, regexp_extract(path, '^(.*/\.[^./][^/]*)/', 1) as folder, min(path) as path, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line
    from files where kind = 'file' and executable and coalesce(size_bytes, 1) > 0 group by all) p
    on h.hidden and (p.device, p.snapshot, p.folder) = (h.device, h.snapshot, h.path))
select device, snapshot, exhibit, line, exhibit_2, line_2, path,
  case when setuid then 'it gives its owner''s rights to whoever runs it' || case when shell then ', and it is a shell or can be one' else ', in a writable place' end
       when setgid then 'it gives its group''s rights to whoever runs it, in a volatile place'
       when opening then 'a link to ' || target || ' opens what lies there to whoever reads the folder'
       when armed then 'its name is made to be overlooked, and a program lies inside'
       else 'its name is made to be overlooked' end as why,
  case when setuid and (is_volatile(path) or shell) then 'high'
       when setuid then case when is_owner_path(path) then 'low' when owner in ('root', '0') or owner is null then 'high' else 'medium' end
       when setgid then 'medium' when opening or trick or armed then 'high' else 'medium' end as level
from h
where (setuid and (is_volatile(path) or writable or shell and not regexp_matches(path, '/\.?busybox'))) or (setgid and is_volatile(path))
  or (opening and regexp_matches(path, case when target in ('/', '/.') or target like '..%' then '^/(www|usr/www|home/httpd|data2?|jffs|tmp|var|migadmin|usr/local/www)/' else '^/(www|usr/www|home/httpd)/' end))
  or trick or hidden
