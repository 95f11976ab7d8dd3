/*
id: common-and-new
title: "since {since_text} the device itself calls {kind} {name}, as {devices} of {fleet} devices do that did not before"
about: "Implants of one campaign share an operator, a port, a certificate. What several devices begin to call, that none of the others calls, is worth more than what is rare on one."
check: C17
level: medium
needs: [{any: [{connections@packets: [orig_ip, resp_ip, first_at]}, {connections@exporter: [orig_ip, resp_ip, first_at]}, {connections@zeek: [orig_ip, resp_ip, first_at]}]}, own_addresses]
key: [kind, name]
subjects:
  - {type: peer, address: address, port: port}
explained_by: [peer]
attack: [T1071, T1583.003]
falsepositives:
  - "the vendor or the owner brought something new to a part of the fleet (name the peer in the site file)"
references:
  - "CISA AA24-038A: one operator, many routers (2024)"
  - "Lumen Black Lotus Labs: KV-botnet (2023)"
response: "Compare the devices that call it with those that do not: model, version, what is open to the outside. Collect one of each."
*/
select n.device, n.snapshot, l.exhibit, l.line, n.kind, n.name, n.devices, n.fleet, strftime(make_timestamp(n.since), '%Y-%m-%d %H:%M') as since_text,
  l.peer_ip as address, l.peer_port as port, case when n.score >= 8 and n.kind in ('peer', 'certificate') then 'high' else 'medium' end as level
from newcomers n join legs l on l.id = n.first_leg
