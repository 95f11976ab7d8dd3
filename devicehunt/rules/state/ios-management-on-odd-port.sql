/*
id: ios-management-on-odd-port
title: "{service} answers on tcp port {port}{outside}: {text}"
about: "Intruders give SSH and the web interface a port of their own beside the usual one: access lists and scans look at the usual ports only."
check: C07
level: low
platforms: [cisco_ios]
needs: [{management_access@config: [service, port]}]
key: [service, port]
subjects:
  - {type: socket, proto: proto, local_port: port}
explained_by: [listener]
attack: [T1571, T1021.004, T1133]
falsepositives:
  - "an owner who moved the port against scans: 2222, 8443 and the like (low)"
references:
  - "CISA AA25-239A: SSH on 22x22 and xxx22, HTTP on 18xxx, TCP 57722 (2025)"
response: "Look at the lines that the port leads to (rotary), at who is logged in there (show users), and ask the owner. Close it after the evidence is kept."
*/
with p as (
  select device, snapshot, exhibit, line, service, port, text, 'tcp' as proto from management_access m
  where service in ('ssh', 'http', 'https') and port is not null and coalesce(enabled, true) and regexp_matches(text, '^ip (ssh port|http (port|secure-port)) ')
    and port <> case service when 'ssh' then 22 when 'http' then 80 else 443 end
    -- a port without its server answers nobody
    and (service = 'ssh' or exists(select 1 from management_access s where (s.device, s.snapshot, s.service) = (m.device, m.snapshot, m.service) and s.enabled))),
o as (select distinct device, snapshot from own_addresses where is_external(address_key)),
g as (
  select p.*, o.device is not null as outer_address,
    -- the shapes that were published; a common second choice of owners
    case service when 'ssh' then regexp_full_match(port::varchar, '22\d22|\d{3}22|57722') else regexp_full_match(port::varchar, '18\d{3}') end as published,
    port in (2222, 2022, 8022, 8080, 8081, 8443, 4443, 10443) as common
  from p left join o on (o.device, o.snapshot) = (p.device, p.snapshot))
select device, snapshot, exhibit, line, service, port, proto, text, case when outer_address then ', on a device with an address of the internet' else '' end as outside,
  case when common or not outer_address then case when published then 'medium' else 'low' end when published then 'high' else 'medium' end as level
from g
