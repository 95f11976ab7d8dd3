-- The entries whose value the tables hold, and where. match.py runs it after match.sql.

create temp table indicator_address_hits as
select i.id, k.key from indicators i join indicator_keys k on k.key = i.first_key where i.kind = 'address'
union all
select i.id, k.key from indicators i join indicator_keys k on k.key between i.first_key and i.last_key where i.kind = 'network'
;
create temp table indicator_value_hits as
select i.id, s.kind, s.text from indicators i join indicator_seen s on (s.kind, s.value) = (i.kind, i.value) where i.kind not in ('address', 'network')
;
create temp table indicator_raw as     -- a row a fact and entry
with taken as (                        -- when the evidence was taken, by its own clocks; a clock that was never set says nothing
  select device, snapshot, max(moment) as moment from (
    select device, snapshot, collected_at as moment from exhibits union all select device, snapshot, clock from devices
    union all select device, snapshot, last_at::timestamp from captures_read union all select device, snapshot, max(last_at)::timestamp from connections group by all)
  where moment >= timestamp '2000-01-01' group by device, snapshot),
h as (
  select o.device, o.snapshot, o.exhibit, o.line, o.place, o.what, o.cap, o.moment, o.found, o.port, o.other, h.id
  from indicator_addresses o join indicator_address_hits h using (key)
  union all select o.device, o.snapshot, o.exhibit, o.line, o.place, o.what, o.cap, o.moment, o.text, null, o.other, h.id
  from indicator_values o join indicator_value_hits h using (kind, text)),
a as (
  select h.*, i.kind, i.value, i.port as wanted, i.source, i.source_line, i.object, i.name, k.half_life_days, coalesce(i.confidence, k.confidence) as worth,
    case when h.moment >= timestamp '2000-01-01' then h.moment else t.moment end as seen_at,
    coalesce(i.first_seen, i.last_seen, i.valid_until) as since, greatest(coalesce(i.last_seen, i.first_seen), coalesce(i.valid_until, i.last_seen, i.first_seen)) as until
  from h join indicators i using (id) join indicator_kinds k on k.kind = i.kind
  left join taken t on (t.device, t.snapshot) = (h.device, h.snapshot)
  where (i.port is null or h.port is null or i.port = h.port) and coalesce(i.device, h.device) = h.device),
w as (
  select *, case when seen_at > coalesce(until, since) then date_diff('day', coalesce(until, since), seen_at) when seen_at < since then date_diff('day', seen_at, since)
    when since is not null and seen_at is not null then 0 end as age_days from a)
select * exclude (worth), worth * case when age_days is null or half_life_days is null then 1 else pow(0.5, age_days / half_life_days) end as weight from w
;
insert into indicator_hits
with e as (                            -- of several entries for one value the weightiest speaks
  select *, case when place = 'log' then 'device' else place end as side from indicator_raw
  qualify row_number() over (partition by device, snapshot, place, kind, value, exhibit, line, what, found, other order by weight desc, source, source_line, object) = 1),
n as (
  select *, case when weight >= l.medium and cap = 'medium' then 'medium' when weight >= l.low then 'low' else 'info' end as level,
    concat('indicator-', case when kind in ('address', 'network') then 'address' when kind in ('domain', 'url') then 'name' when kind in ('ja3', 'ja4', 'hassh') then 'fingerprint'
      when kind in ('user', 'ssh-key') then 'account' else kind end, case when kind in ('address', 'network', 'domain', 'url') then '-' || side when kind = 'certificate' then '-' || place else '' end) as rule
  from e cross join (select medium, low from indicator_levels) l),
g as (
  select device, snapshot, rule, kind, value, count(*) as facts, count(distinct found) as founds, count(distinct source) as sources,
    max(case level when 'medium' then 2 when 'low' then 1 else 0 end) as height, min(moment) as first_at, max(moment) as last_at
  from n group by device, snapshot, rule, kind, value),
r as (select *, row_number() over (partition by device, snapshot, rule order by height desc, facts desc, kind, value) as place_of from g),
s as (
  select n.*, row_number() over (partition by n.device, n.snapshot, n.rule, n.kind, n.value order by case n.level when 'medium' then 0 when 'low' then 1 else 2 end, n.exhibit, n.line, n.what, n.found, n.other) as sample
  from n)
select s.device, s.snapshot, s.exhibit, s.line, s.rule, s.kind, s.value, s.what,
  concat(s.what, case when s.found <> s.value then ' (' || s.found || case when r.founds > 1 then ' and ' || (r.founds - 1) || ' more' else '' end || ')' else '' end,
    case when s.other is not null then ': ' || s.other else '' end, ', ', case when r.facts = 1 then 'once' else r.facts || ' times' end) as told,
  s.found, case when s.what like '% from it%' then null else s.port end as port, s.other, s.level, r.facts, r.founds, r.first_at, r.last_at,
  s.source, s.source_line, s.object, s.name, s.since, s.until, s.age_days, s.weight::integer as weight, r.sources,
  concat('list ', s.source, case when s.source_line is not null then ' line ' || s.source_line when s.object is not null then ', ' || s.object else '' end, case when s.name is not null then ': ' || s.name else '' end) as said,
  concat('weight ', s.weight::integer, ' of 100', case when s.half_life_days is null then ', of a kind that does not age' when s.since is null then ', the list has no date'
    when s.age_days is null then ', its age cannot be told' when s.age_days = 0 then ', within the time that the list gives' else ', ' || s.age_days || ' days from the time that the list gives' end) as aged
from s join r using (device, snapshot, rule, kind, value) where s.sample <= 8 and r.place_of <= 100
union all
select n.device, n.snapshot, arg_min(n.exhibit, (n.exhibit, n.line)), arg_min(n.line, (n.exhibit, n.line)), n.rule, 'further', 'entries', 'they match too', 'they match too', null, null, null, 'low',
  count(*), count(distinct (n.kind, n.value)), min(n.moment), max(n.moment), min(n.source), null, null, null, null, null, null, max(n.weight)::integer, count(distinct n.source),
  concat(count(distinct (n.kind, n.value)), ' more of these lists, not told one by one'), concat('weight ', max(n.weight)::integer, ' of 100 at most')
from n join r using (device, snapshot, rule, kind, value) where r.place_of > 100 group by n.device, n.snapshot, n.rule
;
