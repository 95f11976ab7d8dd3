/*
id: login-from-outside
title: "the log shows a login of {account} from {source} on the internet"
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
  - "MITRE ATT&CK T1133: external remote services"
response: "Ask who that was. Collect the whole log and the provider's records for the address and time."
*/
with m as (
  select device, snapshot, exhibit, line,
    regexp_extract(message, '(?i)(?:auth succeeded for|password auth succeeded for|accepted \S+ for|successful login for|login on \S+ as) ''?([\w.@-]+)', 1) as account,
    regexp_extract(message, '(?:from|rhost=) ?<?\[?([0-9a-fA-F.:]+?)\]?(?::\d+|>| port|\s|$)', 1) as source
  from log_events
  where regexp_matches(message, '(?i)auth succeeded for|accepted (password|publickey|keyboard-interactive)\S* for|successful login'))
select device, snapshot, exhibit, line, account, source from m
where account <> '' and source <> '' and is_external(ip(source))
qualify row_number() over (partition by device, snapshot, account, source order by exhibit, line) = 1
