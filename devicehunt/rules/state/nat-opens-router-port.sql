/*
id: nat-opens-router-port
title: "NAT takes {proto} port {port} {from_where} to the router's own port {to_port}{what}"
about: "A redirect from the outside opens a service of the router under another number, past the rules that guard its usual one."
check: C08
level: medium
platforms: [mikrotik_routeros]
needs: [{any: [{nat_rules@config: [action, to_port]}, {nat_rules@print: [action, to_port]}]}]
key: [proto, port, to_port]
subjects:
  - {type: nat-rule, text: text, proto: proto, port: port, to_port: to_port}
explained_by: [redirect]
attack: [T1090, T1686]
falsepositives:
  - "an administrator who manages the router by another port from outside; then it should be limited to their addresses (low)"
  - "transparent proxies and DNS redirects of the LAN (left out when they name an inside interface or network)"
references:
  - "MikroTik: NAT, redirect (help.mikrotik.com)"
  - "Sekoia: ViciousTrap redirects traffic of routers (2025)"
response: "Keep the rule and its counters. Ask who uses the port. Close it, then look at the logins of the service behind it."
*/
with r as (
  select n.*, case when n.dst_port_first = n.dst_port_last then n.dst_port_first::varchar when n.dst_port_first is not null then n.dst_port_first || '-' || n.dst_port_last else 'any' end as port,
    coalesce(n.to_port, n.dst_port_first) as behind, f.side
  from nat_rules n left join facing f on (f.device, f.snapshot, f.interface) = (n.device, n.snapshot, n.in_if)
  where n.action = 'REDIRECT' and coalesce(n.dst_port_first, 0) not in (53, 123) and coalesce(n.to_port, 0) not in (53, 123)
    and ((f.side = 'wan' or n.in_if is null) and not coalesce(is_inside(ip(split_part(n.src, '/', 1))), false)
      -- the LAN's web and mail, taken to a port where RouterOS has nothing
      or (f.side = 'lan' and n.dst_port_first in (25, 80, 110, 143, 443) and n.to_port > 1023 and n.to_port not in (8080, 3128, 8888)
        and not exists(select 1 from proxies p where (p.device, p.snapshot, p.port) = (n.device, n.snapshot, n.to_port))))),
k as (
  select r.*,
    exists(select 1 from proxies p where (p.device, p.snapshot, p.port) = (r.device, r.snapshot, r.behind) and p.enabled) as proxied,
    coalesce((select max(m.service) from management_access m where (m.device, m.snapshot, m.port) = (r.device, r.snapshot, r.behind) and coalesce(m.enabled, true)),
      case r.behind when 8291 then 'winbox' when 22 then 'ssh' when 23 then 'telnet' when 80 then 'http' when 443 then 'https' when 8728 then 'api' when 8729 then 'api-ssl' when 21 then 'ftp' end) as service
  from r)
select device, snapshot, exhibit, line, text, coalesce(proto, 'any') as proto, port, case when side = 'lan' then 'of the LAN' else 'from outside' end as from_where, coalesce(behind::varchar, 'of the same number') as to_port,
  concat_ws('', case when proxied then ' (a proxy)' when service is not null then ' (' || service || ')' end, case when src is not null then ', limited to ' || src end) as what,
  case when proxied and side = 'wan' and src is null then 'high' when src is not null then 'low' when side in ('wan', 'lan') or service is not null then 'medium' else 'low' end as level
from k
