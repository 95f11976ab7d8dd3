/*
id: device-uses-outside-proxy
title: "{whose_text} asks a {kind} proxy outside, {resp_ip}:{port}, to be led on{configured_text}"
about: "A router routes; it has no need of somebody else's proxy. Chains of relays are made so."
check: C09
level: high
needs: [{proxy_requests@packets: [kind, host, port]}, {connections@packets: [orig_ip, resp_ip, resp_port]}, own_addresses]
key: [kind, resp_ip, port]
subjects:
  - {type: peer, address: resp_ip, port: port}
explained_by: [peer]
attack: [T1090.002, T1090.003]
falsepositives:
  - "updates through a proxy of the owner (low where the configuration names it)"
  - "a host behind the device, on a WAN capture (medium; nothing is said where the LAN side shows it)"
references:
  - "CISA AA24-038A (2024); Mandiant: relay networks of routers (ORB, 2024)"
  - "RFC 1928, RFC 9110 (CONNECT)"
response: "Find the process that holds the connection; the capture says where it wanted to be led (proxy_requests)."
*/
select c.device, c.snapshot, min(c.exhibit) as exhibit, arg_min(c.line, (c.exhibit, c.line)) as line, p.kind, c.resp_ip, c.resp_port as port,
  case when bool_or(c.whose = 'device') then 'the device itself' else 'the device (or a host behind it)' end as whose_text,
  case when bool_or(n.address is not null) then ' (its configuration names the address; confirm with the owner)' else '' end as configured_text,
  case when bool_or(n.address is not null) then 'low' when bool_or(c.whose = 'device') then 'high' else 'medium' end as level
from proxy_requests p join device_traffic c using (device, snapshot, exhibit, connection)
left join named_peers n on (n.device, n.snapshot, n.address) = (c.device, c.snapshot, c.resp_ip)
where p.view = 'packets' and c.from_device and c.resp_outside and c.whose <> 'behind'
group by c.device, c.snapshot, p.kind, c.resp_ip, c.resp_port
