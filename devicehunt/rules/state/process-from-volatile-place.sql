/*
id: process-from-volatile-place
title: "process {pid} ({name}) runs {what}, which lies in a place that is writable or gone after a reboot"
about: "Firmware runs from a read-only image. A program or script that runs from /tmp, /var/run, /dev/shm and the like was brought there after the boot."
check: C04
level: high
core: true
platforms: [linux]
memory: true
needs: [programs]
key: [what]
subjects:
  - {type: process, pid: pid, name: name, exe: path, script: script}
explained_by: [program]
attack: [T1059.004, T1105, T1564.001]
falsepositives:
  - "a vendor's updater that unpacks into /tmp while an upgrade runs"
  - "software that the owner keeps in a writable place; name it in the site file (a disk under /mnt or /tmp/mnt: medium)"
references:
  - "JPCERT/CC: GobRAT on Linux routers (2023)"
  - "Lumen Black Lotus Labs: Cuttlefish runs from /tmp (2024); TheMoon .nttpd in /tmp (2024)"
response: "Copy the file and /proc/PID/exe, note the parent process and what started it (cron, boot script, web server), then isolate the device."
*/
select device, snapshot, exhibit, line, ps_exhibit as exhibit_2, ps_line as line_2, pid, name, path, script,
  case when is_volatile(script) then script when is_volatile(path) then path when is_owner_path(script) then script else path end as what,
  -- a disk of the owner's: Entware on a stick runs from there
  case when is_volatile(path) or is_volatile(script) then 'high' else 'medium' end as level
from programs
where not is_kernel and (starts_with_any(path, 'volatile-path') or starts_with_any(script, 'volatile-path'))
