/*
id: logins-sprayed
title: "the log shows {failures} failed logins from {sources} addresses on the internet, {quiet} of them with 5 attempts or fewer each{account_text}{success_text}"
about: "Password spray stays below what locks an account or an address: many addresses, few attempts each. The device's own log still adds them up."
check: C34
level: medium
needs: [{any: [{log_events@syslog: [message]}, {log_events: [message]}]}]
key: [what]
subjects:
  - {type: peer, address: first_source}
explained_by: [peer]
attack: [T1110.003]
falsepositives:
  - "the noise of the internet at an open login: nothing was taken over by that alone (high only where one of the addresses got in)"
references:
  - "Cisco Talos: large-scale brute-force and password spray against VPN and SSH (2024)"
  - "OpenSSH: auth.c; Dropbear: svr-authpasswd.c; Cisco IOS: SEC_LOGIN; ASA: 113015, 605004; FortiOS: ssl-login-fail"
response: "Close the login to the internet or ask for a second factor. Where one of the addresses got in: change the account's secret and look at what it did since."
*/
with m as (
  select device, snapshot, exhibit, line, message, regexp_extract(message, $$(?i)(?:(?:^|\]: |: |\s)(?:failed (?:password|keyboard-interactive\S*|none|publickey) for|bad (?:pam )?password attempt for|login attempt for nonexistent user|invalid user|failed login on|login failure for user|user login failed|authentication failed)|LOGIN_FAILED|AAA user authentication Rejected|Login denied from|ssl-login-fail|WebVPN session.*rejected|EAP.*failed|AUTH_FAILED).*?(?:from |source: |user ip = |remip=|ip |peer |\s)[<\[]?((?:\d{1,3}\.){3}\d{1,3})\b$$, 1) as failed,
    regexp_extract(message, $$(?i)(?:accepted \S+ for|(?:password|pubkey) auth succeeded for|LOGIN_SUCCESS|user \S+ logged in|AAA user authentication Successful|ssl-login-success|tunnel-up).*?(?:from |source: |user ip = |remip=|ip |\s)[<\[]?((?:\d{1,3}\.){3}\d{1,3})\b$$, 1) as passed,
    regexp_extract(message, $$(?i)(?:for (?:invalid user )?'?|nonexistent user '?|invalid user '?|user[:=]\s*"?|user = |for user )([\w.@\\-]{1,64})$$, 1) as account
  from log_events where message is not null),
f as (select device, snapshot, failed as source, count(*) as attempts, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line from m
  where failed <> '' and is_external(ip(failed)) group by device, snapshot, failed),
p as (select device, snapshot, passed as source, min(account) as account, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line from m where passed <> '' group by device, snapshot, passed),
n as (select device, snapshot, count(distinct nullif(account, '')) as accounts from m where failed <> '' group by device, snapshot)
select f.device, f.snapshot, min(f.exhibit) as exhibit, arg_min(f.line, (f.exhibit, f.line)) as line, min(p.exhibit) as exhibit_2, arg_min(p.line, (p.exhibit, p.line)) as line_2, 'log' as what,
  sum(f.attempts)::bigint as failures, count(*) as sources, count(*) filter (where f.attempts <= 5) as quiet, coalesce(min(p.source), min(f.source)) as first_source,
  case when any_value(n.accounts) > 0 then ', for ' || any_value(n.accounts) || ' names' else '' end as account_text,
  case when count(p.source) > 0 then ', and ' || min(p.source) || ' got in' || coalesce(' as ' || nullif(arg_min(p.account, p.source), ''), '') else '' end as success_text,
  case when count(p.source) > 0 then 'high' else 'medium' end as level
from f join n using (device, snapshot) left join p using (device, snapshot, source)
group by f.device, f.snapshot
having sources >= 10 and failures >= 20 and quiet >= 0.8 * sources and max(f.attempts) <= 0.5 * failures
