/*
id: mining-traffic
title: "{whose} speaks the protocol of coin miners with {resp_ip}:{resp_port}"
about: "Stratum is spoken by miners and their pools, by nobody else."
check: C17
level: high
needs: [{connections@packets: [app, orig_ip, resp_ip, resp_port]}, own_addresses]
key: [orig_ip, resp_ip, resp_port]
subjects:
  - {type: peer, address: resp_ip, port: resp_port}
explained_by: [peer]
attack: [T1496.001]
falsepositives:
  - "a miner in the LAN that its owner runs (low: it is not the device's)"
references:
  - "MikroTik cryptojacking with injected miners, Trustwave SpiderLabs (2018)"
response: "Find the process that holds the connection. Whoever put it there can come again: look for the way in."
*/
select c.device, c.snapshot, min(c.exhibit) as exhibit, arg_min(c.line, (c.exhibit, c.line)) as line, c.orig_ip, c.resp_ip, c.resp_port,
  case when bool_or(d.whose = 'device') then 'the device itself' when not bool_or(c.from_device) or bool_and(d.whose = 'behind') then 'a host beside the device, ' || coalesce(min(d.behind_ip), c.orig_ip) || ','
    else 'the device itself (or, on a WAN capture, a host behind it)' end as whose,
  case when not bool_or(c.from_device) or bool_and(d.whose = 'behind') then 'low' when bool_or(d.whose = 'device') then 'high' else 'medium' end as level
from own_traffic c left join device_traffic d using (device, snapshot, exhibit, connection)
where c.view = 'packets' and c.app = 'stratum'
group by c.device, c.snapshot, c.orig_ip, c.resp_ip, c.resp_port
