/*
id: login-from-outside
title: "the log shows a login of {account} from {source} on the internet{besides}"
about: "A successful login to the router from outside, by its own log. Most owners never do that."
check: C34
level: medium
platforms: [linux]
needs: [{log_events@syslog: [program, message]}]
key: [account, source]
subjects:
  - {type: account, name: account}
  - {type: peer, address: source}
explained_by: [peer]
attack: [T1133, T1078]
falsepositives:
  - "the owner or the provider on the road; put their networks under networks.management in the site file"
references:
  - "Dropbear: svr-authpubkey.c, svr-authpasswd.c; OpenSSH: auth.c; BusyBox: login.c; LuCI: dispatcher"
  - "MITRE ATT&CK T1133: external remote services"
response: "Ask who that was. Collect the whole log and the provider's records for the address and time."
*/
with m as (
  -- only the words that the server itself puts first: a name that a guest typed comes later in the line
  select device, snapshot, exhibit, line,
    regexp_extract(message, $$(?i)^\s*(?:\[\w+\] )?(?:\w+: )?(?:(?:\w+ )?(?:pubkey|password|publickey) auth succeeded for '([^']{1,32})'|accepted \S+ for (\S{1,32}) from |luci: accepted login on \S+ for (\S{1,32}) from |(\w{1,32}) login on '[^']*' from )$$, ['a', 'b', 'c', 'd']) as names,
    coalesce(nullif(regexp_extract(message, $$\bfrom ['<\[]*(\d+\.\d+\.\d+\.\d+)[^\d.]*[^.]*?$$, 1), ''),
      nullif(regexp_extract(message, $$\bfrom ['<\[]*([0-9a-fA-F]{1,4}:[0-9a-fA-F:]*?[0-9a-fA-F]{0,4})(?:[\]>'].*| port .*|:\d+)?\s*$$ || '$', 1), '')) as source
  from log_events where view = 'syslog' and message is not null),
l as (select * exclude (names), coalesce(nullif(names.a, ''), nullif(names.b, ''), nullif(names.c, ''), nullif(names.d, '')) as account from m),
failed as (  -- a password that was guessed: the same source failed often
  select device, snapshot, regexp_extract(message, '\bfrom <?\[?([0-9a-fA-F.:]+?)[\]>]?(?::\d+| port .*)?\s*$', 1) as source, count(*) as times,
    min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line
  from log_events where view = 'syslog' and regexp_matches(message, '(?i)^\s*(?:\[\w+\] )?(bad (pam )?password attempt for|failed (password|keyboard-interactive\S*) for|login attempt for nonexistent user|(luci: )?failed login on|invalid user )')
  group by all)
select l.device, l.snapshot, l.exhibit, l.line, f.exhibit as exhibit_2, f.line as line_2, l.account, l.source,
  case when f.times >= 10 then ', after ' || f.times || ' failures'
       when exists(select 1 from site_networks n where n.side = 'management') then ', which the owner''s networks do not hold' else '' end as besides,
  case when f.times >= 10 then 'high'
       when exists(select 1 from site_networks n where n.side = 'management') then 'high' else 'medium' end as level
from l left join failed f on (f.device, f.snapshot, f.source) = (l.device, l.snapshot, l.source)
where l.account is not null and l.source is not null and is_external(ip(l.source))
  and not exists(select 1 from own_addresses o where (o.device, o.snapshot, o.address_key) = (l.device, l.snapshot, ip(l.source)))
qualify row_number() over (partition by l.device, l.snapshot, l.account, l.source order by l.exhibit, l.line) = 1
