/*
id: reverse-proxy-protocol
title: "{whose_text} {far} in {tool}, which carries other people's connections inside one"
about: "FRP, chisel and the multiplexers yamux and smux turn a connection that the device opened into a door for whoever sits at the other end."
check: C09
level: high
needs: [{connections@packets: [app, orig_ip, resp_ip, resp_port]}, {any: [{app_facts@packets: [name, value]}, {connections@packets: [app]}]}, own_addresses]
key: [tool, far]
subjects:
  - {type: peer, address: example, port: port}
explained_by: [peer, listener]
attack: [T1090.002, T1572]
falsepositives:
  - "a tunnel of the owner that reaches a camera or a store of his (low where the configuration names the server; then name it in the site file)"
  - "a program of a host behind the device, on a WAN capture (medium; low where the LAN side shows it)"
references:
  - "fatedier/frp: pkg/msg; hashicorp/yamux: spec.md; xtaci/smux; jpillora/chisel: share/version.go (websocket protocol chisel-v3)"
  - "CISA AA24-038A: FRP on routers and servers of Volt Typhoon (2024)"
response: "Keep the capture: the first bytes of FRP name user, host and version. Find the process on the device, copy it, and look what it reached inside."
*/
with c as (
  select c.*, case when c.app in ('frp', 'yamux', 'smux') then c.app when f.value is not null then 'chisel' end as tool, n.address is not null as named
  from device_traffic c
  left join (select device, snapshot, exhibit, connection, min(value) as value from app_facts where name = 'http.websocket' and value like 'chisel-%' group by all) f using (device, snapshot, exhibit, connection)
  left join named_peers n on (n.device, n.snapshot, n.address) = (c.device, c.snapshot, case when c.from_device then c.resp_ip else c.orig_ip end)
  where (c.from_device and c.resp_outside) or (c.to_device and c.orig_outside))
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, tool, min(case when from_device then resp_ip else orig_ip end) as example, resp_port as port,
  case when from_device then resp_ip || ':' || resp_port else 'outsiders on port ' || resp_port end as far,
  case when bool_and(whose = 'behind') then 'a host behind the device, ' || min(behind_ip) || ', speaks with' when bool_or(whose = 'device') or not from_device then 'the device itself speaks with'
    else 'the device (or a host behind it) speaks with' end as whose_text,
  case when bool_and(whose = 'behind') or bool_or(named) then 'low' when bool_or(whose = 'device') then 'high' else 'medium' end as level
from c where tool is not null
group by device, snapshot, tool, from_device, resp_port, case when from_device then resp_ip || ':' || resp_port else 'outsiders on port ' || resp_port end
