/*
id: device-scans-others
title: "{whose_text} sent {tried} connection attempts that nobody answered, to {ends} addresses{port_text}"
about: "A router opens few connections of its own, and to hosts that answer. Many unanswered first packets to many addresses are a scan for further victims."
check: C26
level: high
needs: [{connections@packets: [orig_ip, resp_ip, resp_port, orig_flags, resp_flags, first_at]}, own_addresses]
key: [port]
subjects:
  - {type: peer, address: example, port: port}
attack: [T1046, T1595.001]
falsepositives:
  - "on a WAN capture every host behind the device has its address: a scanner or a peer-to-peer program in the LAN looks the same (medium there; nothing is said of it where the LAN side or connection tracking shows it)"
references:
  - "Lumen Black Lotus Labs: JDY and KV-botnet scan from routers (2023, 2024)"
response: "Capture on the LAN side at the same time: what is not seen there comes from the device itself. Keep its processes and raw sockets."
*/
with tried as (
  select device, snapshot, exhibit, line, resp_ip, resp_port, whose
  from device_traffic
  where proto = 'tcp' and from_device and resp_outside and whose <> 'behind'
    and orig_flags in ('S', 'SR') and (resp_packets = 0 or resp_flags in ('R', 'RA')))
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, case when count(distinct resp_port) = 1 then any_value(resp_port) end as port,
  count(*) as tried, count(distinct resp_ip) as ends, min(resp_ip) as example,
  case when count(distinct resp_port) = 1 then ' on port ' || any_value(resp_port) else ' on ' || count(distinct resp_port) || ' ports' end as port_text,
  case when bool_or(whose = 'device') then 'the device itself' else 'the device (or a host behind it)' end as whose_text,
  case when bool_or(whose = 'device') then 'high' else 'medium' end as level
from tried group by device, snapshot
having count(distinct resp_ip) >= 30
