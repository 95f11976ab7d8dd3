/*
id: proxy-answered-by-device
title: "{who} answers as a {kind} proxy on port {port}{granted_text}"
about: "A router forwards packets; it is asked for SOCKS or CONNECT only when a program on it serves as a proxy."
check: C04
level: high
needs: [{proxy_requests@packets: [kind, host, port, granted]}, {connections@packets: [orig_ip, resp_ip, resp_port]}, own_addresses]
key: [kind, port]
subjects:
  - {type: socket, proto: proto, local_port: port}
  - {type: peer, address: example}
explained_by: [listener]
attack: [T1090.001, T1090.003]
falsepositives:
  - "a proxy that the owner set up for the LAN (medium where only hosts inside ask)"
  - "a proxy of a host behind a port forward (low where NAT, connection tracking or the LAN side show it)"
references:
  - "RFC 1928, RFC 9110 (CONNECT)"
  - "CISA AA24-038A: Volt Typhoon relays through routers (2024)"
response: "Keep the capture. Find the program that listens on this port on the device, and copy it before it is stopped."
*/
with p as (
  select c.device, c.snapshot, c.exhibit, c.line, c.proto, c.resp_port as port, p.kind, c.orig_ip, c.orig_outside, c.whose, c.behind_ip, coalesce(p.granted, false) as granted, p.host
  from proxy_requests p
  join device_traffic c using (device, snapshot, exhibit, connection)
  where p.view = 'packets' and c.to_device)
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, kind, port, any_value(proto) as proto,
  max(orig_ip) as example,
  case when bool_or(granted and orig_outside) then ', and lets outsiders through' when bool_or(granted) then ', and lets them through' else '' end as granted_text,
  case when bool_and(whose = 'behind') then 'a host behind the device, ' || min(behind_ip) || ',' else 'the device itself' end as who,
  case when bool_and(whose = 'behind') then 'low' when bool_or(granted and orig_outside) then 'critical' when bool_or(orig_outside) then 'high' when bool_or(granted) then 'medium' else 'low' end as level
from p group by device, snapshot, kind, port
