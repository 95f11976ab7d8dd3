/*
id: protocol-on-odd-port
title: "{who} {app} on port {port}, which is not its own{configured_text}"
about: "A service that hides, and a channel that must pass a filter, take a port where nobody looks for them."
check: C07
level: medium
needs: [{connections@packets: [app, usual_port, orig_ip, resp_ip, resp_port]}, own_addresses]
key: [way, app, port]
subjects:
  - {type: socket, proto: proto, local_port: local_port}
  - {type: peer, address: example, port: far_port}
explained_by: [listener, peer]
attack: [T1571]
falsepositives:
  - "an administrator who moved SSH away from the scanners (low where the configuration says so)"
  - "a server behind a port forward (low where NAT, connection tracking or the LAN side show it); a program of a host inside, on a WAN capture (low)"
references:
  - "GreyNoise: AyySSHush, SSH on a high port of ASUS routers (2025)"
  - "CISA AA24-038A (2024); Cisco Talos: UAT-7237 and LONGLEASH ports (2026)"
response: "Ask who set it up. Compare the port with the configuration and with the list of listeners; a listener that no file explains is the next thing to look at."
*/
with c as (
  select c.*, p.what as configured, n.address is not null as named,
    case when c.to_device and c.orig_outside then 'outside' when c.to_device then 'inside' when c.resp_outside then 'out' end as way
  from device_traffic c
  left join configured_ports p on c.to_device and (p.device, p.snapshot, p.port) = (c.device, c.snapshot, c.resp_port)
  left join named_peers n on c.from_device and (n.device, n.snapshot, n.address) = (c.device, c.snapshot, c.resp_ip)
  where c.usual_port = false and c.answered
    -- those that are given fixed homes; peers of a game or of BitTorrent take any port
    and c.app in ('ssh', 'tls', 'telnet', 'http', 'ftp', 'rdp', 'smb', 'vnc', 'irc', 'dns', 'smtp', 'adb', 'ldap', 'winbox', 'snmp', 'tftp', 'rsync', 'openvpn', 'socks5', 'socks4', 'pptp')
    and not (c.from_device and c.whose = 'behind'))
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, way, app, resp_port as port, any_value(proto) as proto,
  case when way <> 'out' then resp_port end as local_port, case when way = 'out' then resp_port end as far_port,
  min(case when way = 'out' then resp_ip else orig_ip end) as example,
  case way when 'outside' then 'outsiders speak' when 'inside' then 'hosts inside speak'
    else case when bool_or(whose = 'device') then 'the device itself speaks' else 'the device (or a host behind it) speaks' end end
    || case when way = 'out' then '' else ' with the device' end as who,
  case when bool_and(whose = 'behind') then ' (a host behind it answers)' when max(configured) is not null then ' (configured: ' || max(configured) || '; confirm with the owner)'
    when bool_or(named) then ' (its configuration names the address; confirm with the owner)' else '' end as configured_text,
  case when way = 'inside' or bool_and(whose = 'behind') or max(configured) is not null or bool_or(named) then 'low'
    when way = 'outside' or bool_or(whose = 'device') then 'medium' else 'low' end as level
from c where way is not null group by device, snapshot, way, app, resp_port
