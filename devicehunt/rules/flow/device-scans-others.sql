/*
id: device-scans-others
title: "the device itself sent {tried} connection attempts that nobody answered, to {ends} addresses{port_text}"
about: "A router opens few connections of its own, and to hosts that answer. Many unanswered first packets to many addresses are a scan for further victims."
check: C26
level: high
needs: [{connections@packets: [orig_ip, resp_ip, resp_port, orig_flags, resp_flags, first_at]}, own_addresses]
key: [port]
subjects:
  - {type: peer, address: example, port: port}
attack: [T1046, T1595.001]
falsepositives:
  - "on a WAN capture every host behind the device has its address: a scanner or a peer-to-peer program in the LAN looks the same (medium there, high where the LAN side is seen)"
references:
  - "Lumen Black Lotus Labs: JDY and KV-botnet scan from routers (2023, 2024)"
response: "Capture on the LAN side at the same time: what is not seen there comes from the device itself. Keep its processes and raw sockets."
*/
with tried as (
  select c.device, c.snapshot, c.exhibit, c.line, c.resp_ip, c.resp_port, c.first_at, v.vantage
  from own_traffic c left join vantages v using (device, snapshot, exhibit)
  where c.view = 'packets' and c.own_layer and c.proto = 'tcp' and c.from_device and c.resp_outside
    and c.orig_flags in ('S', 'SR') and (c.resp_packets = 0 or c.resp_flags in ('R', 'RA')))
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, case when count(distinct resp_port) = 1 then any_value(resp_port) end as port,
  count(*) as tried, count(distinct resp_ip) as ends, min(resp_ip) as example,
  case when count(distinct resp_port) = 1 then ' on port ' || any_value(resp_port) else ' on ' || count(distinct resp_port) || ' ports' end as port_text,
  case when bool_and(vantage = 'wan') then 'medium' else 'high' end as level
from tried group by device, snapshot
having count(distinct resp_ip) >= 30
