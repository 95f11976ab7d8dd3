/*
id: device-asks-other-resolver
title: "{whose_text} asks {resp_ip} for names{many}, which is none of its resolvers"
about: "The programs of a device ask the resolvers that it was given. A program that brings its own does not trust those, or hides what it asks."
check: C12
level: medium
needs: [{resolvers: [address_ip]}, {connections@packets: [app, orig_ip, resp_ip]}, own_addresses]
key: [resp_ip]
subjects:
  - {type: resolver, address: resp_ip}
  - {type: peer, address: resp_ip}
explained_by: [resolver, peer]
attack: [T1071.004, T1568]
falsepositives:
  - "a resolver that goes to the root servers by itself (unbound): many servers, each asked without recursion (low)"
  - "hosts behind the device with a resolver of their own, on a WAN capture (low)"
references:
  - "Lumen Black Lotus Labs: ZuoRAT, Cuttlefish (2022, 2024)"
response: "Find the process that asks. Look what it asked for: the names are in dns_queries."
*/
with c as (
  select c.* from device_traffic c
  where c.from_device and c.resp_outside and c.app = 'dns' and c.whose <> 'behind'
    and not exists(select 1 from resolvers r where (r.device, r.snapshot, r.address_ip) = (c.device, c.snapshot, c.resp_ip))
    and not exists(select 1 from named_peers n where (n.device, n.snapshot, n.address) = (c.device, c.snapshot, c.resp_ip))),
n as (select device, snapshot, count(distinct resp_ip) as servers from c group by device, snapshot)
select c.device, c.snapshot, min(c.exhibit) as exhibit, arg_min(c.line, (c.exhibit, c.line)) as line, c.resp_ip,
  case when bool_or(c.whose = 'device') then 'the device itself' else 'the device (or a host behind it)' end as whose_text,
  case when any_value(n.servers) >= 10 then ' (as it asks ' || any_value(n.servers) || ' servers)' else '' end as many,
  case when any_value(n.servers) >= 10 or not bool_or(c.whose = 'device') then 'low'
    when exists(select 1 from known_patterns k where k.kind = 'public-resolver' and k.pattern = c.resp_ip) then 'low' else 'medium' end as level
from c join n using (device, snapshot)
-- resolvers of the device that stand for others (its own dnsmasq) say nothing of those behind
where exists(select 1 from resolvers r where (r.device, r.snapshot) = (c.device, c.snapshot) and not r.address_ip like '127.%' and r.address_ip <> '::1'
  and not exists(select 1 from own_addresses o where (o.device, o.snapshot, o.address_key) = (r.device, r.snapshot, r.address_key)))
group by c.device, c.snapshot, c.resp_ip
union by name
select r.device, r.snapshot, min(r.exhibit) as exhibit, arg_min(r.line, (r.exhibit, r.line)) as line, true as race,
  'the resolvers that were read are the device''s own: whom it asks in turn was not collected' as race_reason
from resolvers r group by r.device, r.snapshot
having bool_and(r.address_ip like '127.%' or r.address_ip = '::1' or exists(select 1 from own_addresses o where (o.device, o.snapshot, o.address_key) = (r.device, r.snapshot, r.address_key)))
