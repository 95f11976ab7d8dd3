/*
id: management-open-to-wan
title: "{name} on {proto} port {local_port} is {answer} from the WAN"
about: "A login, web or DNS service of the router itself that the whole internet can reach is how most of these devices are entered, and, switched on by an intruder, how they come back."
check: C07
level: high
core: true
platforms: [linux]
needs: [owned_listeners, reach]
key: [name, proto, local_port]
subjects:
  - {type: process, pid: pid, name: name, exe: path}
  - {type: socket, proto: proto, local_ip: local_ip, local_port: local_port}
explained_by: [listener]
attack: [T1133, T1021.004]
falsepositives:
  - "a provider or an owner who manages the device from outside; then it should be limited to their addresses"
  - "an access point or a second router, whose WAN side is a LAN (low)"
references:
  - "GreyNoise: AyySSHush switches SSH on for the WAN (2025)"
  - "FBI, NSA, USCYBERCOM: compromised Ubiquiti EdgeRouters (2024-02-27)"
  - "CISA BOD 23-02: management interfaces reachable from the internet"
response: "Ask the owner who manages the device from outside and from where. Limit the port to those addresses or close it on the WAN, change the credentials, and look at the logins in the log."
*/
with l as (
  select l.*, r.answer, r.by_rule, r.exhibit as r_exhibit, r.line as r_line, coalesce(w.public, true) as public from listeners l
  join reach r on (r.device, r.snapshot, r.proto, r.port, r.address) = (l.device, l.snapshot, l.proto, l.local_port, l.local_ip)
  left join wan_sides w on (w.device, w.snapshot) = (l.device, l.snapshot)
  where r.from_side = 'wan' and r.answer in ('open', 'restricted') and not l.stock_on_wan
    and (l.stock or exists(select 1 from services s where (s.device, s.snapshot, s.proto, s.port) = (l.device, l.snapshot, l.proto, l.local_port))))
select device, snapshot, exhibit, line, r_exhibit as exhibit_2, r_line as line_2, process_exhibit as exhibit_3, process_line as line_3,
  coalesce(name, '(unknown program)') as name, pid, path, proto, local_ip, local_port, answer,
  -- named by a rule: somebody opened it; open because nothing filters at all: the box stands naked, or it is
  -- an access point whose WAN is somebody's LAN
  -- a service on a UDP port of its own is a VPN or a game, not a way to manage the device: said, and low
  -- and so is the port on which a downloader takes its peers: it has to be open, and is no login
  case when proto = 'udp' and local_port not in (53, 69, 161, 1900, 5351, 5353, 10001) then 'low'
       when regexp_full_match(coalesce(name, ''), 'transmission-daemon|aria2c|qbittorrent-nox|rtorrent|deluged') and stock and local_port in (51413, 6881) then 'low'
       when answer = 'restricted' then 'medium' when by_rule then 'high' when public then 'medium' else 'low' end as level
from l
