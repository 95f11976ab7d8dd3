/*
id: router-login-from-outside
title: "{account} logged in from {source} outside ({terminal})"
about: "The log and the list of users at work name who came from the internet. One login from a stranger's address is the beginning of everything else."
check: C05
level: medium
platforms: [cisco_ios, mikrotik_routeros]
# the log of IOS has logins only where they are asked to be logged: it carries a hit, and no no-hit
needs: [{any: [{log_events@print: [message]}, {sessions@print: [account, source_ip]}, {sessions@users: [account, source_ip]}]}]
key: [account, source]
subjects:
  - {type: account, name: account}
  - {type: peer, address: source}
explained_by: [peer]
attack: [T1078, T1133]
falsepositives:
  - "the owner or the provider at work from outside; name their address in the site file"
references:
  - "MikroTik: Log; User, active users (help.mikrotik.com)"
  - "Microsoft: routeros-scanner (2022)"
  - "Cisco: System Message Guide: SEC_LOGIN-5-LOGIN_SUCCESS; CVE-2023-20198: SEC_LOGIN-5-WEBLOGIN_SUCCESS of an unknown name (2023)"
response: "Ask the owner for each address. Collect the log now: it is kept in memory and short. Look what was changed after the login (history)."
*/
with l as (
  select device, snapshot, exhibit, line, regexp_extract(message, 'user (\S+) logged in from', 1) as account,
    regexp_extract(message, 'logged in from ([\d.]+|[0-9a-fA-F:]+:[0-9a-fA-F:]+) via', 1) as source, regexp_extract(message, ' via ([\w -]+)', 1) as terminal
  from log_events where regexp_matches(message, 'user \S+ logged in from [0-9a-fA-F:.]+ via')
  union all
  select device, snapshot, exhibit, line, account, source_ip, terminal from sessions where view in ('print', 'users') and source_ip is not null
  union all
  -- IOS writes the name that was typed between brackets, and what follows it itself
  select device, snapshot, exhibit, line, regexp_extract(message, 'Login Success \[user: ([^\]]*)\]', 1),
    regexp_extract(message, '\[Source: ([0-9a-fA-F.:]+)\]', 1), case when program = 'WEBLOGIN_SUCCESS' then 'web' else coalesce('port ' || nullif(regexp_extract(message, '\[localport: (\d+)\]', 1), ''), 'log') end
  from log_events where view = 'logging' and facility = 'SEC_LOGIN' and program in ('LOGIN_SUCCESS', 'WEBLOGIN_SUCCESS'))
select device, snapshot, exhibit, line, coalesce(nullif(account, ''), 'somebody') as account, source, coalesce(terminal, 'unknown way') as terminal from l where is_external(ip(source))
  and not exists(select 1 from own_addresses o where (o.device, o.snapshot, o.address_ip) = (l.device, l.snapshot, l.source))
