/*
id: process-replaces-busybox-applet
title: "process {pid} is a program of its own at {exe}, where this device has the BusyBox applet {name}"
about: "On a BusyBox system its daemons are links to one file. A separate file under such a daemon's name, beside applets that are still links, was put there."
check: C02
level: medium
platforms: [linux]
memory: true
needs:
  - {any: [{processes@proc: [exe, exe_status]}, {processes@walk: [exe, exe_status]}]}
key: [exe]
subjects:
  - {type: process, pid: pid, name: name, exe: exe}
explained_by: [program]
attack: [T1036.005, T1554]
falsepositives:
  - "a full version of the daemon from a package (ntpd, httpd, snmpd); then the package manager owns the file"
  - "a vendor's web server that is called httpd (low while it holds only its usual ports)"
references:
  - "BusyBox: one binary, many applets; each applet is a link"
  - "MITRE ATT&CK T1036.005: match legitimate name or location"
response: "Ask the package manager who owns the file (opkg search, apk info --who-owns). Compare its hash with the vendor's image. Copy it before you stop it."
*/
with b as (
  select device, snapshot, count(*) as applets from programs
  where exe in ('/bin/busybox', '/usr/bin/busybox', '/sbin/busybox') and pid <> 1 group by all)
select p.device, p.snapshot, p.exhibit, p.line, p.ps_exhibit as exhibit_2, p.ps_line as line_2, p.pid, base_name(p.exe) as name, p.exe,
  case when exists(select 1 from programs q where (q.device, q.snapshot) = (p.device, p.snapshot) and base_name(q.exe) = 'busybox'
        and base_name(q.argv0) = base_name(p.exe) and q.pid <> p.pid) then 'high'
       -- vendors' own web servers have an applet's name and sit on its ports
       when exists(select 1 from listeners l where (l.device, l.snapshot, l.pid) = (p.device, p.snapshot, p.pid) and l.stock) then 'low'
       else 'medium' end as level
from programs p join b using (device, snapshot)
where b.applets >= 2 and p.pid <> 1 and not coalesce(p.exe_deleted, false)
  and regexp_matches(p.exe, '^/(usr/)?s?bin/')
  and exists(select 1 from known_patterns k where k.kind = 'busybox-daemon' and k.pattern = base_name(p.exe))
  and not exists(select 1 from packages g where (g.device, g.snapshot) = (p.device, p.snapshot) and g.path = p.exe)
