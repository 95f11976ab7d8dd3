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
  from files where kind = 'file' and path like '/%' group by device, snapshot, path)
select f.device, f.snapshot, f.exhibit, f.line, f.path, j.exhibit as exhibit_2, j.line as line_2,
  case when j.command is not null then 'high'
       when regexp_matches(f.path, '/\.[^/]+(/|$)') and coalesce(size_bytes, 0) > 0
         and not regexp_matches(f.path, '^/tmp/\.(ipt|rc_startup|rc_firewall|rc_shutdown|rc_custom|rc_ipupdown|usb|sshd?|config)$') then 'high'
       else 'medium' end as level
from f left join jobs j on (j.device, j.snapshot) = (f.device, f.snapshot) and contains(j.command, f.path)
where f.executable and is_volatile(f.path) and coalesce(size_bytes, 1) > 0
  and not regexp_matches(f.path, '^/(var/)?(tmp|run)/(etc|lib|lock|state|sysinfo|hostapd|wpa_supplicant|ppp|openvpn|udhcpc|hotplug|overlay|dnsmasq\.d|luci-\w+|resolv\.conf\w*|service)(/|$|-)')
qualify row_number() over (partition by f.device, f.snapshot, f.path order by j.line nulls last) = 1
