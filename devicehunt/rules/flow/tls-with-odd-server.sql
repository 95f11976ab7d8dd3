/*
id: tls-with-odd-server
title: "{whose_text} speaks TLS with {resp_ip}:{port}, a port that is not TLS's, and the server vouches for itself{configured_text}"
about: "Updates, name services and clouds of vendors answer on the usual ports with certificates that a CA signed. Implants are given what their operator could make himself."
check: C17
level: medium
needs: [{tls_sessions@packets: [subject, self_signed]}, {connections@packets: [orig_ip, resp_ip, resp_port, usual_port]}, own_addresses]
key: [resp_ip, port]
subjects:
  - {type: peer, address: resp_ip, port: port}
explained_by: [peer]
attack: [T1571, T1573.002, T1587.003]
falsepositives:
  - "a controller, a VPN or a log server of the owner with a certificate of its own (low where the configuration names it)"
  - "a host behind the device, on a WAN capture (low)"
references:
  - "SecurityScorecard STRIKE: LapDogs (2025); Sekoia: PolarEdge (2025)"
response: "Find the process that holds the connection. Ask the owner what runs at that address."
*/
select c.device, c.snapshot, min(c.exhibit) as exhibit, arg_min(c.line, (c.exhibit, c.line)) as line, c.resp_ip, c.resp_port as port,
  case when bool_or(c.whose = 'device') then 'the device itself' else 'the device (or a host behind it)' end as whose_text,
  case when bool_or(n.address is not null) then ' (its configuration names the address; confirm with the owner)' else '' end as configured_text,
  case when bool_or(c.whose = 'device') and not bool_or(n.address is not null) then 'medium' else 'low' end as level, false as race, null as race_reason
from device_traffic c join tls_sessions x using (device, snapshot, exhibit, connection)
left join named_peers n on (n.device, n.snapshot, n.address) = (c.device, c.snapshot, c.resp_ip)
where x.view = 'packets' and c.from_device and c.resp_outside and c.whose <> 'behind' and x.self_signed and c.usual_port = false
group by c.device, c.snapshot, c.resp_ip, c.resp_port
union all
select c.device, c.snapshot, min(c.exhibit), arg_min(c.line, (c.exhibit, c.line)), null, null, null, null, null, true,
  'TLS on ports that are not its own, and no certificate of it can be read: TLS 1.3, or not captured from the beginning'
from device_traffic c join tls_sessions x using (device, snapshot, exhibit, connection)
where x.view = 'packets' and c.from_device and c.resp_outside and c.whose <> 'behind' and c.usual_port = false
group by c.device, c.snapshot having count(x.subject) = 0
