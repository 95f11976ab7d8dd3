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
  case when bool_or(c.from_device) then 'the device itself (or, on a WAN capture, a host behind it)' else 'a host beside the device, ' || c.orig_ip || ',' end as whose,
  case when not bool_or(c.from_device) then 'low' when bool_and(v.vantage = 'wan') then 'medium' else 'high' end as level
from own_traffic c left join vantages v using (device, snapshot, exhibit)
where c.view = 'packets' and c.app = 'stratum'
group by c.device, c.snapshot, c.orig_ip, c.resp_ip, c.resp_port
