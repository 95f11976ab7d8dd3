/*
id: staged-data
title: "{path} ({size_text}) looks like a capture or a bundle kept for pick-up"
about: "Captures, archives and database copies in a writable folder or a web root are how data leaves."
check: C36
level: medium
core: true
platforms: [linux]
needs: [{files: [path, size_bytes]}]
key: [path]
subjects:
  - {type: file, path: path}
explained_by: [program]
attack: [T1074.001, T1560.001, T1040]
falsepositives:
  - "a backup, an upgrade image or a capture that the owner's technician made"
references:
  - "CISA AA25-239A: captures such as tac.pcap and mycap.pcap on routers (2025)"
  - "MITRE ATT&CK T1074.001: local data staging"
response: "Copy the file with its times. Ask who made it. Look at its content only on the laptop."
*/
with f as (
  select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, path, max(size_bytes) as size_bytes
  from files where kind = 'file' and path like '/%' and coalesce(size_bytes, 1) > 0
  group by device, snapshot, path),
g as (
  select *, regexp_matches(path, '^/(www|usr/www|home/httpd|var/www|tmp/www|usr/local/www|migadmin)/') as web,
    regexp_matches(path, '/\.[^/]+(/|$)') and not regexp_matches(path, '/(\._[^/]*|\.Trash(es|-\d+)?|\.Spotlight-V100|\.git|\.cache)(/|$)') as hidden,
    is_volatile(path) as volatile, regexp_matches(path, '^/(tmp/)?(mnt|media)/|^/opt/') as disk,
    regexp_matches(lower(path), '\.(pcapng|pcap|tcpdump)\d*(\.\d+)?(\.(gz|xz|bz2))?$|\.cap$') as capture,
    regexp_matches(lower(path), '\.(ntds|dit|dmp)$') or (regexp_full_match(base_name(path), '\.?(passwd|shadow)([-._]\w+)*') and not regexp_matches(path, '^/(var|tmp)/etc/|^/etc/')) as secret,
    regexp_matches(lower(path), '\.(tar|tgz|tbz2?|txz|tar\.\w+|zip|7z|rar|sqlite3?|sql(\.gz)?)$') as bundle
  from f)
select g.device, g.snapshot, g.exhibit, g.line, g.path, g.size_bytes, p.exhibit as exhibit_2, p.line as line_2,
  coalesce(g.size_bytes || ' bytes', 'size unknown') || case when p.pid is not null then ', process ' || p.pid || ' is at it' when web then ', in a folder of the web server' when hidden then ', hidden' else '' end as size_text,
  case when (web or hidden) and (capture or secret) then 'high' when hidden and volatile then 'high' when disk and not capture then 'low' else 'medium' end as level
from g left join (select device, snapshot, target, min(pid) as pid, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line from open_files group by all) p
  on (p.device, p.snapshot, p.target) = (g.device, g.snapshot, g.path)
where (capture or secret or bundle) and (volatile or web or regexp_matches(path, '^/(root|mnt|media|jffs|data2?|cf|config)/|^/tmp/mnt/') or capture and regexp_matches(path, '^/(home|opt|etc)/'))
  -- the upgrade of OpenWrt, its package lists, the web pages' own
  and not regexp_matches(path, '/sysupgrade\.(tgz|tar)$|^/(tmp|var)/opkg-lists/|^/(usr/)?www/luci-static/')
