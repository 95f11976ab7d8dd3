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
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, path, max(size_bytes) as size_bytes,
  coalesce(max(size_bytes) || ' bytes', 'size unknown') as size_text
from files
where kind = 'file' and coalesce(size_bytes, 1) > 0
  and (is_volatile(path) or regexp_matches(path, '^/(www|usr/www|home/httpd|root|mnt|jffs|data)/'))
  and regexp_matches(lower(path), '\.(pcapng|pcap|cap|tcpdump|tar|tgz|tar\.gz|tar\.xz|zip|7z|rar|sqlite|ntds|dit|dmp)$')
  and not regexp_matches(path, '(?i)(firmware|sysupgrade|opkg-lists|packages|/luci-|Packages)')
group by device, snapshot, path
