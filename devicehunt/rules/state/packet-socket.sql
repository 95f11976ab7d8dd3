/*
id: packet-socket
title: "{name} ({pid_text}) holds a packet socket: it sees every frame"
about: "A packet socket sees frames before the firewall does: sniffers, and backdoors that wait for one magic packet, listen there without a port."
check: C25
level: high
core: false
platforms: [linux]
memory: true
needs:
  - {sockets@packet: [inode]}
  - {open_files: [inode]}
key: [name]
subjects:
  - {type: process, pid: pid, name: name, exe: path}
  - {type: socket, proto: proto}
explained_by: [program, tunnel]
attack: [T1205.002, T1040]
falsepositives:
  - "DHCP, PPPoE, LLDP and Wi-Fi daemons, which are left out by name"
  - "other stock programs and the owner's packages, such as an intrusion detection (medium)"
references:
  - "Lumen Black Lotus Labs: J-magic, Cuttlefish (2024, 2025)"
  - "Elastic Security Labs: BPFDoor (2022)"
  - "Mandiant: SEASPY on Barracuda ESG (2023)"
response: "Copy the program and its memory. `ss -0bp` shows the attached filter: keep it. A port scan finds nothing; watch the device's traffic from outside."
*/
select device, snapshot, exhibit, line, process_exhibit as exhibit_2, process_line as line_2, coalesce(name, 'an unknown program') as name, pid,
  coalesce('process ' || pid, 'process unknown') as pid_text, path, proto, level
from raw_sockets r where kind = 'packet' and not stock
  -- without an owner it is a DHCP client's as well; it tells something only where every process showed its sockets
  and (pid is not null or name is not null
    or exists(select 1 from feeds f where (f.device, f.snapshot) = (r.device, r.snapshot) and f.table_name = 'open_files' and f.usable
      and not list_contains(string_split(coalesce(f.incomplete, ''), ','), 'inode')))
