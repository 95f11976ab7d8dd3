/*
id: upnp-mapping-odd
title: "by UPnP {asker} asked the device to lead port {port} {to_text}"
about: "A host may open a port for itself. One that opens it for another, or for an address outside, makes the router a relay; nobody outside may ask at all."
check: C08
level: high
needs: [{app_facts@packets: [name, value]}, {connections@packets: [orig_ip, resp_ip]}, own_addresses]
key: [port, client]
subjects:
  - {type: socket, local_port: port}
  - {type: peer, address: client}
explained_by: [listener]
attack: [T1090.001, T1090.003, T1133]
falsepositives:
  - "a home server or a console that asks for another host of the house (medium)"
references:
  - "Akamai: UPnProxy and EternalSilence (2018)"
  - "UPnP Forum: WANIPConnection:2, AddPortMapping"
response: "List the mappings of the device before it is restarted; they are often not saved. Switch UPnP off towards the outside."
*/
with m as (
  select c.device, c.snapshot, c.exhibit, f.line, c.orig_ip as asker, c.orig_outside, regexp_extract(f.value, 'ExternalPort=(\d+)', 1) as port,
    nullif(regexp_extract(f.value, 'InternalClient=([0-9A-Fa-f.:]+)', 1), '') as client
  from app_facts f join own_traffic c using (device, snapshot, exhibit, connection)
  where f.view = 'packets' and c.view = 'packets' and f.name in ('igd.AddPortMapping', 'igd.AddAnyPortMapping', 'igd.AddPinhole') and c.to_device),
w as (
  select m.*, coalesce(is_external(ip(client)), false) as far,
    exists(select 1 from own_addresses o where (o.device, o.snapshot, o.address_ip) = (m.device, m.snapshot, m.client)) as self
  from m)
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, try_cast(port as integer) as port, client, min(asker) as asker,
  case when bool_or(self) then 'to itself' when bool_or(far) then 'to ' || client || ', outside' when client is null then 'somewhere' when bool_or(orig_outside) then 'to ' || client else 'to another host, ' || client end as to_text,
  case when bool_or(orig_outside and far) then 'critical' when bool_or(orig_outside or far or self) then 'high' else 'medium' end as level
from w where orig_outside or far or self or client <> asker
group by device, snapshot, port, client
