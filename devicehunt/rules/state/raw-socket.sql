/*
id: raw-socket
title: "{name} ({pid_text}) holds a raw socket of protocol {protocol_text}"
about: "A raw socket sends and receives one protocol below the ports: tunnels in ICMP, spoofed senders and magic-packet backdoors use it, and no listener shows."
check: C25
level: high
core: true
platforms: [linux]
memory: true
needs:
  # bound_if stands for the sockets of the internet families; netstat -tu shows no raw ones
  - {any: [{sockets@netstat: [proto, bound_if]}, {all: [sockets@raw, {open_files: [inode]}]}]}
key: [name]
subjects:
  - {type: process, pid: pid, name: name, exe: path}
  - {type: socket, proto: proto, local_port: protocol}
explained_by: [program, tunnel]
attack: [T1205.002, T1095]
falsepositives:
  - "DHCP, routing, multicast and ping programs, which are left out by name"
  - "other stock programs and the owner's packages (medium)"
references:
  - "Elastic Security Labs: BPFDoor (2022)"
  - "Manual page raw(7); devicehunt intel C25: raw and packet sockets"
response: "Copy the program and its memory. `ss -0bp` shows the attached filter: keep it. A port scan finds nothing; watch the device's traffic from outside."
*/
select device, snapshot, exhibit, line, process_exhibit as exhibit_2, process_line as line_2, coalesce(name, 'an unknown program') as name, pid,
  coalesce('process ' || pid, 'process unknown') as pid_text, path, proto, protocol, coalesce(protocol::varchar, 'unknown') as protocol_text, level
from raw_sockets where kind = 'raw' and not stock
