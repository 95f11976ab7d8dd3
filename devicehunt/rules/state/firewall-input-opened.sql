/*
id: firewall-input-opened
title: "the firewall lets {who} reach {what}: {text}"
about: "An accept in the input chain above the drop is the door of whoever came in once. It names no service that is set up here, or one outside address that may do everything."
check: C19
level: medium
platforms: [mikrotik_routeros]
needs: [{any: [{firewall_rules@config: [chain, action]}, {firewall_rules@print: [chain, action]}]}]
key: [text]
subjects:
  - {type: firewall-rule, text: text, port: port}
  - {type: peer, address: peer}
explained_by: [peer]
attack: [T1686, T1133]
falsepositives:
  - "the fixed address of the owner's office or provider; name it in the site file"
  - "a rule that was left behind when its service was taken away"
references:
  - "MikroTik: Meris botnet information (2021): input rule for port 5678"
  - "MikroTik: Building Your First Firewall (help.mikrotik.com)"
response: "Ask the owner about the rule. Look at its counters: a rule that counts is used. Remove it together with what listens behind it."
*/
with r as (
  select r.*, f.side, (r.in_if is null or f.side = 'wan') as outside,
    exists(select 1 from firewall_rules d left join facing g on (g.device, g.snapshot, g.interface) = (d.device, d.snapshot, d.in_if)
      where (d.device, d.snapshot, d.exhibit, d.chain, d.family) = (r.device, r.snapshot, r.exhibit, r.chain, r.family) and d.line < r.line
        and d.action in ('DROP', 'REJECT') and d.src is null and d.dst is null and d.proto is null and d.unmodelled is null
        and (d.ct_state is null or d.ct_state like '%NEW%') and (d.in_if is null or g.side = 'wan')) as shut_before,
    exists(select 1 from firewall_rules d where (d.device, d.snapshot, d.exhibit, d.chain, d.family) = (r.device, r.snapshot, r.exhibit, r.chain, r.family)
      and d.line > r.line and d.action in ('DROP', 'REJECT')) as shut_after
  from firewall_rules r left join facing f on (f.device, f.snapshot, f.interface) = (r.device, r.snapshot, r.in_if)
  where r.chain = 'input' and r.action = 'ACCEPT' and r.rule_table = 'filter' and r.unmodelled is null and r.dst is null
    and (r.ct_state is null or r.ct_state like '%NEW%') and coalesce(r.proto, 'tcp') in ('tcp', 'udp')),
s as (
  select *, dst_port_first as port,
    regexp_full_match(src, '[\d.]+(/32)?') and is_external(ip(split_part(src, '/', 1))) as one_host,
    exists(select 1 from proxies p where (p.device, p.snapshot) = (r.device, r.snapshot) and p.enabled) as proxied,
    exists(select 1 from jobs j where (j.device, j.snapshot) = (r.device, r.snapshot) and rsc_fetches(j.command) and rsc_runs_file(j.command)
      and (rsc_bare(j.command) or rsc_plain(j.command))) as fetched,
    -- a service that is set up here, or that RouterOS has without a menu of its own
    exists(select 1 from management_access m where (m.device, m.snapshot, m.port) = (r.device, r.snapshot, r.dst_port_first))
      or exists(select 1 from vpn_servers v where (v.device, v.snapshot, v.port) = (r.device, r.snapshot, r.dst_port_first))
      or dst_port_first in (20, 21, 22, 23, 53, 67, 68, 69, 80, 123, 161, 179, 443, 500, 520, 546, 547, 646, 1194, 1645, 1646, 1698, 1699, 1700, 1701, 1723, 1812, 1813, 2000, 3784, 3785, 3799,
        4500, 4784, 5246, 5247, 8291, 8728, 8729, 13231, 51820)
      or (proto = 'udp' and dst_port_first in (5678, 20561)) or (proto = 'udp' and dst_port_first >= 33400) as served
  from r where outside and not shut_before)
select device, snapshot, exhibit, line, text, port, case when one_host then split_part(src, '/', 1) end as peer,
  case when one_host then 'one outside address (' || src || ')' else 'anybody' end as who,
  case when dst_port_first is null then 'everything' when dst_port_first = dst_port_last then proto || ' port ' || dst_port_first
    else proto || ' ports ' || dst_port_first || '-' || dst_port_last end ||
    case when dst_port_first is not null and not served then ', where no service is set up' else '' end as what,
  case when one_host then case when dst_port_first is null then 'medium' else 'low' end
       when dst_port_first is null then 'medium'
       when proto = 'tcp' and (proxied or fetched) then 'high'
       when proto = 'tcp' then 'medium' else 'low' end as level
from s
where shut_after and (one_host or (src is null and (dst_port_first is null and (proto is null or side = 'wan') or dst_port_first >= 1024 and not served)))
