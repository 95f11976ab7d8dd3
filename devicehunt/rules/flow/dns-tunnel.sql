/*
id: dns-tunnel
title: "{whose_text} asked {names} different names below {domain}, {average} letters long on average, mostly {kind}: a tunnel in DNS"
about: "Names that are never asked twice carry data out, answers of TXT, NULL or CNAME carry data in. iodine, dns2tcp and dnscat pass every firewall that lets names be resolved."
check: C37
level: high
needs: [{dns_queries@packets: [name, kind]}, {connections@packets: [orig_ip, resp_ip]}, own_addresses]
key: [domain]
subjects:
  - {type: domain, name: domain}
  - {type: peer, address: resolver}
attack: [T1071.004, T1572, T1048]
falsepositives:
  - "lookups of a reputation service, whose questions are hashes (antivirus, mail filters): A and TXT below the vendor's domain; mostly by hosts behind the device (medium)"
references:
  - "iodine, dns2tcp: their documentation; RFC 1035 (names of 255 octets, labels of 63)"
  - "ESET, Sophos: Cyberoam and XG appliances used with iodine (Pacific Rim, 2024)"
response: "Look up who owns the domain and where its name servers are. On the device, find the process that asks; if a host behind it asks, look there."
*/
with q as (
  select c.device, c.snapshot, c.exhibit, q.line, lower(rtrim(q.name, '.')) as name, string_split(lower(rtrim(q.name, '.')), '.') as labels, q.kind, c.resp_ip,
    case when c.from_device then 'device' when c.to_device and c.orig_outside then 'outside' else 'inside' end as asker, coalesce(d.whose, 'unknown') as whose
  from dns_queries q join own_traffic c using (device, snapshot, exhibit, connection)
  left join device_traffic d using (device, snapshot, exhibit, connection)
  where q.view = 'packets' and c.view = 'packets' and c.depth = 0 and c.app = 'dns' and c.from_device is not null
    and q.name is not null and not regexp_matches(lower(q.name), '\.(arpa|local|lan|home|internal|localdomain)\.?$')),
-- the domain that somebody registered: two labels, three below co.uk and its like
d as (
  select *, array_to_string(labels[greatest(1, len(labels) - depth + 1):], '.') as domain, array_to_string(labels[:len(labels) - depth], '') as carried
  from (select *, case when len(labels) >= 3 and len(labels[len(labels)]) = 2 and len(labels[len(labels) - 1]) <= 3 then 3 else 2 end as depth from q) where len(labels) > depth),
g as (
  select device, snapshot, domain, count(distinct name) as names, count(*) as asked, avg(len(carried)) as average,
    count(*) filter (where kind in ('TXT', 'NULL', 'CNAME', 'MX', 'SRV', 'PRIVATE', 'KEY') or regexp_matches(kind, '^(TYPE)?6\d{4}$')) as rare, mode(kind) as kind,
    count(*) filter (where regexp_full_match(carried, '[0-9-]+') or regexp_matches(name, '^((\d{1,3}\.){4}|([0-9a-f]\.){32})')) as digits,  -- addresses, asked of block lists
    count(distinct name) filter (where asker = 'device') as by_device, count(distinct name) filter (where asker = 'inside') as by_inside,
    count(distinct name) filter (where asker = 'outside') as by_outside, bool_or(asker = 'device' and whose = 'device') as watched, bool_and(whose = 'behind') as passed,
    min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, max(resp_ip) as resolver
  from d group by device, snapshot, domain)
select device, snapshot, exhibit, line, domain, names, average::integer as average, kind, resolver,
  case when by_outside > by_device then 'outsiders, of the device,' when passed or by_inside * 2 > by_device then 'a host behind the device'
    when watched then 'the device itself' else 'the device (or a host behind it)' end as whose_text,
  case when by_outside > by_device or passed or by_inside * 2 > by_device or not watched then 'medium' else 'high' end as level
from g
-- names that nobody repeats: sixty long ones, or such that carry answers of their own; of very long ones fewer
where names > asked * 0.4 and digits * 2 < asked and (names >= 60 and (average >= 30 or (rare * 2 > asked and average >= 6)) or names >= 25 and average >= 50)
