/*
id: passwords-tried-on-router
title: "{what}"
about: "The device keeps the logins that failed. Strangers who try names that only this device knows have seen its configuration, or a list of its operator; a stranger who failed many times and then came in has found a password."
check: C05
level: low
platforms: [cisco_ios, mikrotik_routeros]
# the list of IOS is kept only where the configuration asks for it
needs: [{any: [{log_events@print: [message]}, {all: [{log_events@login-failures: [message]}, {settings@config: [path]}]}]}]
key: [kind, source]
subjects:
  - {type: peer, address: source}
explained_by: [peer]
attack: [T1110, T1110.003]
falsepositives:
  - "programs that try every address of the internet (low): the device is open to them, which is a finding of its own"
  - "the owner's own scanner or monitoring with an old password; name its address in the site file"
references:
  - "Cisco: Login Enhancements (Login Block): show login failures, login block-for (configuration guide)"
  - "MikroTik: Log, topics system,error,critical: login failure for user (help.mikrotik.com)"
  - "CISA AA23-320A and MITRE ATT&CK T1110.003: one password tried from many addresses"
response: "Keep the log and the list of failures now: both are short and lie in memory. Close the management from outside. Change the passwords of the accounts that were named, first of one that came in."
*/
with failed as (
  select device, snapshot, exhibit, line, view, regexp_extract(message, 'login failure for user (\S*) from', 1) as account,
    regexp_extract(message, 'login failure for user \S* from ([0-9a-fA-F.:]+) via', 1) as source, 1 as tries
  from log_events where view = 'print' and regexp_matches(message, 'login failure for user \S* from [0-9a-fA-F.:]+ via')
  union all
  select device, snapshot, exhibit, line, view, regexp_extract(message, 'failed login of (.*) from \S+ to port', 1),
    regexp_extract(message, ' from ([0-9a-fA-F.:]+) to port \d+, \d+ times$', 1), regexp_extract(message, '(\d+) times$', 1)::bigint
  from log_events where view = 'login-failures'
  union all
  select device, snapshot, exhibit, line, view, regexp_extract(message, 'Login failed \[user: ([^\]]*)\]', 1), regexp_extract(message, '\[Source: ([0-9a-fA-F.:]+)\]', 1), 1
  from log_events where view = 'logging' and facility = 'SEC_LOGIN' and program = 'LOGIN_FAILED'),
outside as (
  select * from failed f where is_external(ip(source))
    and not exists(select 1 from own_addresses o where (o.device, o.snapshot, o.address_ip) = (f.device, f.snapshot, f.source))),
-- the log and the list tell of the same tries: the longer of both counts
by_source as (
  select device, snapshot, source, max(tries) as tries, arg_max(exhibit, tries) as exhibit, arg_max(line, tries) as line
  from (select device, snapshot, source, view, sum(tries) as tries, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line from outside group by all)
  group by all),
came_in as (
  select device, snapshot, exhibit, line, regexp_extract(message, 'logged in from ([0-9a-fA-F.:]+) via', 1) as source, regexp_extract(message, 'user (\S+) logged in', 1) as account
  from log_events where view = 'print' and regexp_matches(message, 'user \S+ logged in from [0-9a-fA-F.:]+ via')
  union all
  select device, snapshot, exhibit, line, regexp_extract(message, '\[Source: ([0-9a-fA-F.:]+)\]', 1), regexp_extract(message, '\[user: ([^\]]*)\]', 1)
  from log_events where view = 'logging' and facility = 'SEC_LOGIN' and program in ('LOGIN_SUCCESS', 'WEBLOGIN_SUCCESS')
  union all
  select device, snapshot, exhibit, line, source_ip, account from sessions where view in ('print', 'users') and source_ip is not null),
guessed as (
  select b.device, b.snapshot, b.source, b.tries, b.exhibit, b.line, min(c.exhibit) as exhibit_2, arg_min(c.line, (c.exhibit, c.line)) as line_2, arg_min(c.account, (c.exhibit, c.line)) as account
  from by_source b join came_in c using (device, snapshot, source) where b.tries >= 5 group by all),
named as (   -- names that nobody tries everywhere, and this device has
  select f.device, f.snapshot, f.account, count(distinct f.source) as sources, min(f.exhibit) as exhibit, arg_min(f.line, (f.exhibit, f.line)) as line
  from outside f where exists(select 1 from accounts a where (a.device, a.snapshot, a.name) = (f.device, f.snapshot, f.account))
    and not regexp_full_match(lower(f.account), 'admin(istrator)?|root|cisco|mikrotik|user|test|guest|support|ubnt|operator|manager|service|backup|monitor(ing)?|oracle|pi|ftp|www|vpn|ansible|netadmin|network|noc|rancid|oxidized|zabbix|nagios')
  group by all having count(distinct f.source) >= 3)
select device, snapshot, exhibit, line, exhibit_2, line_2, 'guessed' as kind, source, 'high' as level,
  coalesce(nullif(account, ''), 'somebody') || ' came in from ' || source || ' outside, where ' || tries || ' logins had failed' as what, false as race, null as race_reason
from guessed
union all
select device, snapshot, exhibit, line, null, null, 'named', account, 'medium', sources || ' addresses outside tried passwords for ' || account || ', a name that only this device''s owner gave', false, null
from named
union all
select device, snapshot, min(exhibit), arg_min(line, (exhibit, line)), null, null, 'tried', 'outside', 'low',
  sum(tries) || ' failed logins from ' || count(*) || case when count(*) = 1 then ' address' else ' addresses' end || ' outside', false, null
from by_source group by device, snapshot having sum(tries) >= 10
union all
-- without these statements IOS keeps no failures: its empty list says nothing
select device, snapshot, min(exhibit), min(line), null, null, null, null, null, null, true, 'failed logins are kept only where `login block-for` or `login on-failure` is configured, and neither is'
from devices d where platform = 'cisco_ios' and not exists(select 1 from failed f where (f.device, f.snapshot) = (d.device, d.snapshot))
  and not exists(select 1 from settings s where (s.device, s.snapshot) = (d.device, d.snapshot) and regexp_matches(s.path, '^login (block-for|on-failure)'))
group by device, snapshot
