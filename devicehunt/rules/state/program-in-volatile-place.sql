/*
id: program-in-volatile-place
title: "{path} is an executable file in a place that is writable or gone after a reboot"
about: "An executable that was brought to the device and waits, or was left behind."
check: C04
level: medium
core: true
platforms: [linux]
needs: [{files: [path, mode]}]
key: [path]
subjects:
  - {type: file, path: path}
explained_by: [program]
attack: [T1105, T1564.001]
falsepositives:
  - "firmware that unpacks its own scripts into /tmp at boot (DD-WRT, ASUSWRT)"
references:
  - "JPCERT/CC: GobRAT on Linux routers (2023)"
  - "NCSC, CISA: digital forensics and protective monitoring for network devices (2025)"
response: "Copy the file with its times before a reboot removes it. See what ran it."
*/
with f as (
  select device, snapshot, path, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, bool_or(executable) as executable, max(size_bytes) as size_bytes
  from files where kind = 'file' and path like '/%' group by device, snapshot, path),
g as (
  select *, regexp_matches(path, '/\.[^/]+(/|$)')
      and not regexp_matches(path, '^/tmp/\.(ipt|rc_startup|rc_firewall|rc_shutdown|rc_custom|rc_ipupdown|usb|sshd?|config)$') as hidden,
    -- disks with FAT make every file an executable one, and desktops leave folders of their own on them
    regexp_matches(path, '^/(tmp/)?(mnt|media)/') as disk,
    regexp_matches(path, '/(\._[^/]*|\.Trash(es|-\d+)?|\.Spotlight-V100|\.fseventsd|\.TemporaryItems|\.AppleDouble|\.DS_Store|\.git|\.thumbnails)(/|$)') as desktops,
    -- where the firmware keeps the scripts and files that it makes at boot
    regexp_matches(path, '^/(var/)?(tmp|run)/(etc|lib|lock|state|sysinfo|hostapd|wpa_supplicant|ppp|openvpn|udhcpc|hotplug|overlay|dnsmasq\.d|luci-\w+|resolv\.conf\w*|service)(/|$|-)') as firmwares
  from f)
select f.device, f.snapshot, f.exhibit, f.line, f.path, j.exhibit as exhibit_2, j.line as line_2,
  case when j.command is not null and (f.hidden or not f.firmwares) then 'high'
       when f.disk then 'medium'
       when f.hidden and coalesce(size_bytes, 0) > 0 then 'high'
       when f.firmwares then 'low' else 'medium' end as level
from g f left join jobs j on (j.device, j.snapshot) = (f.device, f.snapshot)
  -- the whole path, where the line runs something: not the beginning of another, not a file that it writes
  and list_contains(regexp_extract_all(regexp_replace(j.command, '\d*>>?\s*\S+', '', 'g'), '/[^\s;&|<>"''`()]+'), f.path)
where f.executable and is_volatile(f.path) and coalesce(size_bytes, 1) > 0 and not (f.disk and f.desktops)
qualify row_number() over (partition by f.device, f.snapshot, f.path order by j.exhibit nulls last, j.line nulls last) = 1
