/*
id: management-in-clear-from-outside
title: "somebody outside, {example}, talks {app} with the device on port {port}{behind_text}"
about: "What is typed into such a session can be read on the way, and who may open it from anywhere can try passwords."
check: C07
level: medium
needs: [{connections@packets: [app, orig_ip, resp_ip, resp_port, resp_payload]}, own_addresses]
key: [app, port]
subjects:
  - {type: socket, proto: proto, local_port: port}
  - {type: peer, address: example}
explained_by: [listener]
attack: [T1133, T1040]
falsepositives:
  - "a page that the device shows to everybody, a web server behind a port forward (medium: the owner can tell at a glance; low where NAT, connection tracking or the LAN side show it)"
references:
  - "NSA: Network Infrastructure Security Guide (2023)"
  - "CISA AA25-239A (2025)"
response: "Close the service to the outside. Change every password that was typed in such a session; look at who was logged in."
*/
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, app, resp_port as port, any_value(proto) as proto, min(orig_ip) as example,
  case when bool_and(whose = 'behind') then ' (a host behind it, ' || min(behind_ip) || ', answers)' else '' end as behind_text,
  case when bool_and(whose = 'behind') then 'low' when app = 'telnet' then 'high' else 'medium' end as level
from device_traffic
where to_device and orig_outside and app in ('telnet', 'http', 'ftp', 'snmp', 'tftp', 'winbox', 'routeros-api')
  and orig_payload > 0 and resp_payload > 0
group by device, snapshot, app, resp_port
