/*
id: management-without-limit
title: "the device can be managed from anywhere: {services}"
about: "Nearly all taken MikroTik routers were entered by Winbox, SSH, the web page or the API from the internet. A service needs a limit of its own addresses or a rule that drops what comes from outside."
check: C07
level: high
platforms: [mikrotik_routeros]
needs:
  - {any: [{management_access@config: [service, enabled]}, {management_access@print: [service, enabled]}]}
  - {any: [{firewall_rules@config: [chain, action]}, {firewall_rules@print: [chain, action]}]}
key: [from_where]
subjects:
  - {type: socket, proto: proto, local_port: port}
explained_by: [listener]
attack: [T1133, T1021.004]
falsepositives:
  - "a provider or an owner who manages the device from outside; then it should be limited to their addresses"
  - "an access point or a router behind another one: nobody from the internet reaches it (low or medium)"
  - "a firewall that another device in front of it is"
references:
  - "MikroTik: Securing your router (help.mikrotik.com)"
  - "Microsoft: routeros-scanner (2022)"
  - "CISA BOD 23-02: management interfaces reachable from the internet"
response: "Ask the owner who manages the device from outside and from where. Limit the service to those addresses, change the credentials, and look at the logins in the log."
*/
with d as (select distinct device, snapshot from firewall_rules union select distinct device, snapshot from feeds where table_name = 'firewall_rules'),
said as (
  select device, snapshot, service, arg_min(exhibit, (exhibit, line)) as exhibit, arg_min(line, (exhibit, line)) as line, max(port) as port,
    bool_or(coalesce(enabled, service not in ('https'))) as on_, bool_and(coalesce(sources, '') in ('', '0.0.0.0/0')) as unlimited
  from management_access where service in ('telnet', 'ftp', 'http', 'https', 'ssh', 'api', 'api-ssl', 'winbox') and port is not null group by device, snapshot, service),
-- a compact export leaves out what stands at its default: these are on unless it says otherwise
whole as (
  select device, snapshot, exhibit, min(line) as line from settings
  where view = 'config' and regexp_matches(path, '^/(ip address add address|ip service |ip firewall filter )')
  group by device, snapshot, exhibit having bool_or(path like '/ip service %') or (bool_or(path = '/ip address add address') and bool_or(path like '/ip firewall filter %'))),
svc as (
  select device, snapshot, service, exhibit, line, port, true as said from said where on_ and unlimited
  union all
  select w.device, w.snapshot, v.service, w.exhibit, w.line, v.port, false from whole w,
    (values ('telnet', 23), ('ftp', 21), ('http', 80), ('ssh', 22), ('api', 8728), ('api-ssl', 8729), ('winbox', 8291)) v(service, port)
  where not exists(select 1 from management_access m where (m.device, m.snapshot, m.service) = (w.device, w.snapshot, v.service))),
r as (
  select r.* from firewall_rules r left join facing f on (f.device, f.snapshot, f.interface) = (r.device, r.snapshot, r.in_if)
  where r.chain = 'input' and r.family = 'ip' and r.rule_table = 'filter' and (r.in_if is null or f.side = 'wan' or (f.side is null and regexp_matches(r.in_if, '(?i)wan|ppp|lte|isp|inet|ether1$')))
    and (r.ct_state is null or r.ct_state like '%NEW%') and r.dst is null and coalesce(r.proto, 'tcp') = 'tcp'
  qualify r.exhibit = min(r.exhibit) over (partition by r.device, r.snapshot)),   -- a list that two outputs show is read once
c as (
  select s.*,
    arg_min(r.exhibit, r.line) filter (r.action = 'ACCEPT' and r.src is null and r.unmodelled is null) as a_exhibit,
    arg_min(r.line, r.line) filter (r.action = 'ACCEPT' and r.src is null and r.unmodelled is null) as a_line,
    min(r.line) filter (r.action = 'ACCEPT' and r.src is null and r.unmodelled is null) as opened,
    -- who drops a limited number of sources, or by what cannot be judged here, does not shut the door; all but some networks is shut
    min(r.line) filter (r.action in ('DROP', 'REJECT') and (r.src is null or r.src like '!%' or r.src like 'list:!%') and coalesce(r.unmodelled, 'src-address-type') = 'src-address-type') as shut,
    bool_or(r.action = 'JUMP') as jumps
  from svc s left join r on (r.device, r.snapshot) = (s.device, s.snapshot)
    and (r.dst_port_first is null or (s.port between r.dst_port_first and r.dst_port_last) <> (coalesce(r.negated, '') = 'dst_port'))
  where exists(select 1 from d where (d.device, d.snapshot) = (s.device, s.snapshot))
  group by all),
n as (
  select c.*, (select count(*) from firewall_rules q where (q.device, q.snapshot) = (c.device, c.snapshot) and q.chain = 'input' and q.family = 'ip') as rules,
    exists(select 1 from own_addresses o where (o.device, o.snapshot) = (c.device, c.snapshot) and is_external(o.address_key))
      or exists(select 1 from tunnels t where (t.device, t.snapshot) = (c.device, c.snapshot) and t.kind = 'pppoe' and coalesce(t.enabled, true)) as public,
    exists(select 1 from facing f where (f.device, f.snapshot, f.side) = (c.device, c.snapshot, 'wan') and not regexp_matches(f.interface, '^(list:|!)')) as has_wan
  from c),
h as (
  select *, opened is not null and (shut is null or opened < shut) as accepted from n
  where (opened is not null and (shut is null or opened < shut)) or (opened is null and shut is null and not coalesce(jumps, false))),
j as (
  select *,
    concat_ws('', case when accepted then 'a rule accepts it' when rules = 0 then 'the input chain is empty' else 'no rule drops it' end,
      case when not said then ', and it is on by default' end, case when not public then '; no public address was seen' end) as why,
    case when not has_wan then 'low' when accepted then 'high' when public and service <> 'api-ssl' then 'high' when said then 'medium' else 'low' end as level
  from h),
-- one door left open is one thing to mend: the services of a device are one finding, parted by why each is open
t as (
  select device, snapshot, string_agg(names || ' (' || why || ')', ', ' order by first, why) as services
  from (select device, snapshot, why, string_agg(service || ' ' || port, ', ' order by service) as names, min(service) as first from j group by device, snapshot, why)
  group by device, snapshot)
select j.device, j.snapshot, j.exhibit, j.line, case when accepted then a_exhibit end as exhibit_2, case when accepted then a_line end as line_2,
  'anywhere' as from_where, t.services, j.service, j.port, 'tcp' as proto, j.level
from j join t using (device, snapshot)
