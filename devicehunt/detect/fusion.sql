-- What could be seen (sights), and what the device itself says of each relay key (relay_hosts). After legs.sql and pairs.py.
-- {short_us}: the shortest span that has controls.

delete from sights;
insert into sights by name
with c as (
  select device, snapshot, view as feed, count(*) as connections, max(coalesce(sampling, 1)) as sampling,
    avg((oriented in ('syn', 'log', 'port'))::int) as oriented, (max(epoch_us(last_at)) - min(epoch_us(first_at))) as span,
    max(greatest(orig_packets, 0) + greatest(resp_packets, 0)) as longest
  from connections where first_at is not null and coalesce(depth, 0) = 0 group by all),
l as (
  select device, snapshot, feed, count(*) as legs, bool_or(side = 'wan') as wan, bool_or(side = 'lan') as lan,
    count(*) filter (direction = 'in' and explained is null and fwd > 0 and rev > 0) as sessions,
    count(*) filter (fwd > 0 and rev > 0) as both_ways, count(*) filter (fwd > 0 or rev > 0) as any_payload
  from legs group by all),
k as (select t.device, t.snapshot, t.feed, avg((x.origin <> 'unknown')::int) as origin_known from temp.origins x join feeds_told t on t.g = x.g where x.side = 'wan' group by all),
s as (
  select t.device, t.snapshot, t.feed, bool_or(x.side = 'wan') as wan, bool_or(x.side = 'lan') as lan from temp.spans x join feeds_told t on t.g = x.g group by all),
o as (
  select device, snapshot, min(what) as what, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line from (
    select device, snapshot, 'entries of connection tracking that are offloaded' as what, exhibit, line from nat_sessions where offloaded
    union all select device, snapshot, 'a flowtable', exhibit, line from policies where kind = 'flowtable'
    union all select device, snapshot, 'a rule that offloads', exhibit, line from firewall_rules where action in ('FASTTRACK', 'FLOWOFFLOAD')) _
  group by device, snapshot),
w as (
  select c.device, c.snapshot, c.feed, c.connections, c.sampling, c.oriented, c.span / 1e6 as seconds, c.longest,
    coalesce(l.legs, 0) as legs, coalesce(l.sessions, 0) as sessions, k.origin_known, coalesce(l.both_ways, 0) as both_ways, coalesce(l.any_payload, 0) as any_payload,
    case when coalesce(s.wan, false) and coalesce(s.lan, false) then 'wan and lan' when s.wan then 'wan' when s.lan then 'lan' end as sides,
    o.what as offload, o.exhibit as offload_exhibit, o.line as offload_line
  from c left join l using (device, snapshot, feed) left join s using (device, snapshot, feed) left join k using (device, snapshot, feed) left join o using (device, snapshot))
select * exclude (longest, both_ways, any_payload),
  case when sampling > 1 then 'only one packet in ' || sampling || ' was counted: sessions cannot be told apart at 1:' || sampling
    when sides is null then 'no connection in it has an address of the device, or a host behind it, as an end'
    when sides = 'lan' then 'only the inner side was watched: who came from outside is not in it'
    when any_payload >= 10 and both_ways = 0 then 'only one direction of its connections was seen'
    when offload is not null and connections >= 20 and longest <= 16 then 'packets pass by what counts and records (' || offload || '): no connection in it has more than 16' end as blind,
  case when seconds <= {short_us} / 1e6 then printf('it lasts %.0f s: shorter than %.0f s leaves no other time to compare with', seconds, {short_us} / 1e6) end as short,
  concat(case feed when 'packets' then 'a capture' when 'exporter' then 'flow records' else 'a log of ' || feed end,
    case sides when 'wan' then ' of the WAN side alone' when 'lan' then ' of the LAN side alone' when 'wan and lan' then ' of both sides' else '' end, ', ',
    case when seconds < 180 then printf('%.0f s', seconds) when seconds < 10800 then printf('%.0f minutes', seconds / 60) else printf('%.1f hours', seconds / 3600) end,
    ', ', sessions, case sessions when 1 then ' session in' else ' sessions in' end,
    case when origin_known is not null then printf('; whose they are is known of %.0f %%', 100 * origin_known) else '' end,
    case when oriented < 0.95 then printf('; who opened them of %.0f %%', 100 * oriented) else '' end,
    case when sampling > 1 then '; one packet in ' || sampling else '' end,
    case when offload is not null then '; ' || offload else '' end) as words
from w;

delete from relay_hosts;
insert into relay_hosts by name
with k as (
  select device, snapshot, feed, node, kind, name, split_part(name, '/', 1) as proto, case when kind = 'port' then try_cast(split_part(name, '/', 2) as integer) end as port,
    case when kind = 'peer' then split_part(name, '/', 2) end as peer_ip, case when kind = 'peer' then try_cast(split_part(name, '/', 3) as integer) end as peer_port
  from relay_keys where kind in ('port', 'peer')),
callers as (        -- who came in
  select distinct q.device, q.snapshot, q.feed, q.node, q.kind, q.name, a.peer_ip as caller from relay_pairs q join legs a on a.id = q.session),
owners as (         -- the program behind the port, or behind the connection to the peer
  select k.device, k.snapshot, k.feed, k.node, k.kind, k.name, l.name as program, coalesce(l.script, l.path) as path, l.pid, l.exhibit as socket_exhibit, l.line as socket_line,
    l.process_exhibit, l.process_line, l.stock or l.stock_program as stock,
    case when l.exe_deleted then 'runs from a file that is gone' when is_volatile(coalesce(l.script, l.path)) then 'lies in a place that a restart empties'
      when coalesce(l.name, l.path) is not null and not l.stock and not l.stock_program then 'is none of the platform''s' end as strange, l.local_ip as tie
  from k join listeners l on (l.device, l.snapshot, l.proto, l.local_port) = (k.device, k.snapshot, k.proto, k.port) and not l.loopback where k.node = 'device'
  union all
  select k.device, k.snapshot, k.feed, k.node, k.kind, k.name, p.name, coalesce(p.script, p.path), p.pid, p.exhibit, p.line, p.process_exhibit, p.process_line,
    is_stock_program(p.exe, p.argv0, p.name), case when is_volatile(coalesce(p.script, p.path)) then 'lies in a place that a restart empties'
      when coalesce(p.name, p.path) is not null and not is_stock_program(p.exe, p.argv0, p.name) then 'is none of the platform''s' end, p.local_ip
  from k join peers p on (p.device, p.snapshot, p.proto, p.remote_ip, p.remote_port) = (k.device, k.snapshot, k.proto, k.peer_ip, k.peer_port) where k.node = 'device'),
owner as (select * from owners qualify row_number() over (partition by device, snapshot, feed, node, kind, name order by pid is null, tie, pid) = 1),
rules as (          -- the NAT rule that takes the port
  select k.device, k.snapshot, k.feed, k.node, k.kind, k.name, n.text as nat_text, coalesce(n.to_ip || coalesce(':' || n.to_port, ''), 'port ' || n.to_port) as nat_to,
    is_external(n.to_key) and not exists(select 1 from own_addresses o where (o.device, o.snapshot, o.address_key) = (n.device, n.snapshot, n.to_key)) as nat_outside,
    n.exhibit as nat_exhibit, n.line as nat_line
  from k join nat_rules n on (n.device, n.snapshot) = (k.device, k.snapshot) and n.action in ('DNAT', 'REDIRECT', 'NETMAP') and coalesce(n.proto, k.proto) = k.proto
    and k.port between n.dst_port_first and coalesce(n.dst_port_last, n.dst_port_first)
  qualify row_number() over (partition by k.device, k.snapshot, k.feed, k.node, k.kind, k.name order by n.exhibit, n.line) = 1),
opened as (
  select k.device, k.snapshot, k.feed, k.node, k.kind, k.name, r.exhibit as opened_exhibit, r.line as opened_line
  from k join reach r on (r.device, r.snapshot, r.proto, r.port, r.from_side) = (k.device, k.snapshot, k.proto, k.port, 'wan') and r.by_rule and r.answer in ('open', 'restricted')
  qualify row_number() over (partition by k.device, k.snapshot, k.feed, k.node, k.kind, k.name order by r.exhibit, r.line) = 1),
logins as (
  select c.device, c.snapshot, c.feed, c.node, c.kind, c.name, s.account, s.exhibit as account_exhibit, s.line as account_line
  from callers c join sessions s on (s.device, s.snapshot, s.source_ip) = (c.device, c.snapshot, c.caller)
  qualify row_number() over (partition by c.device, c.snapshot, c.feed, c.node, c.kind, c.name order by s.exhibit, s.line) = 1),
tuns as (
  select k.device, k.snapshot, k.feed, k.node, k.kind, k.name, t.name as tunnel, t.exhibit as tunnel_exhibit, t.line as tunnel_line
  from k join tunnels t on (t.device, t.snapshot) = (k.device, k.snapshot) and (t.peer_ip = k.peer_ip
    or exists(select 1 from callers c where (c.device, c.snapshot, c.feed, c.node, c.kind, c.name, c.caller) = (k.device, k.snapshot, k.feed, k.node, k.kind, k.name, t.peer_ip)))
  qualify row_number() over (partition by k.device, k.snapshot, k.feed, k.node, k.kind, k.name order by t.exhibit, t.line) = 1),
asked as (          -- requests to a proxy at the beginning of a session, and whether it went there
  select q.device, q.snapshot, q.feed, q.node, q.kind, q.name, count(distinct q.session) as asked, min(r.kind) as asked_kind,
    count(distinct q.session) filter (r.port = b.peer_port and (r.host = b.peer_ip or t.sni = r.host)) as led
  from relay_pairs q join legs a on a.id = q.session join legs b on b.id = q.onward
  join proxy_requests r on (r.device, r.snapshot, r.exhibit, r.connection) = (a.device, a.snapshot, a.exhibit, a.connection)
  left join tls_sessions t on (t.device, t.snapshot, t.exhibit, t.connection) = (b.device, b.snapshot, b.exhibit, b.connection)
  group by all)
select k.*, o.program, o.path, o.pid, o.socket_exhibit, o.socket_line, o.process_exhibit, o.process_line,
  case when k.node = 'device' and exists(select 1 from listeners l where (l.device, l.snapshot, l.proto) = (k.device, k.snapshot, k.proto)) then o.device is not null end as listed,
  coalesce(o.stock or c.what is not null, false) as known, case when c.what is null or o.strange <> 'is none of the platform''s' then o.strange end as strange,
  opened_exhibit, opened_line, nat_text, nat_to, nat_outside, nat_exhibit, nat_line,
  -- a forward to a host of the site is the owner's usual business; one to the outside is not
  coalesce(c.what, case when nat_text is not null and not nat_outside and k.node <> 'device' then 'a port forward' end) as configured,
  coalesce(c.exhibit, case when not nat_outside and k.node <> 'device' then nat_exhibit end) as configured_exhibit,
  coalesce(c.line, case when not nat_outside and k.node <> 'device' then nat_line end) as configured_line,
  account, account_exhibit, account_line, tunnel, tunnel_exhibit, tunnel_line, coalesce(asked, 0) as asked, asked_kind, coalesce(led, 0) as led
from k left join owner o using (device, snapshot, feed, node, kind, name) left join rules using (device, snapshot, feed, node, kind, name)
left join opened using (device, snapshot, feed, node, kind, name) left join logins using (device, snapshot, feed, node, kind, name)
left join tuns using (device, snapshot, feed, node, kind, name) left join asked using (device, snapshot, feed, node, kind, name)
left join configured_ports c on (c.device, c.snapshot, c.port) = (k.device, k.snapshot, k.port) and k.node = 'device';
