/*
id: account-unexpected
title: "account {name}: {why}"
about: "Who can log in to a router is a short list. An account that the firmware does not ship, with root's number or a password and a shell, belongs to somebody."
check: C05
level: medium
core: true
platforms: [linux]
needs: [{accounts@passwd: [name, uid, shell]}]
key: [name]
subjects:
  - {type: account, name: name}
explained_by: [account]
attack: [T1136.001, T1078.003]
falsepositives:
  - "vendor support accounts, accounts of the owner or the provider; name them in the site file"
references:
  - "Zyxel: attackers add accounts such as zyxel_slIvpn (2021)"
  - "ASD: BADCANDY accounts cisco_tac_admin, cisco_support (2025)"
  - "MITRE ATT&CK T1136.001: create local account"
response: "Ask the owner. Do not delete the account before its logins are collected (log, wtmp, keys). Then change every password and key of the device."
*/
with a as (
  select device, snapshot, name, min(exhibit) filter (view = 'passwd') as exhibit, arg_min(line, (exhibit, line)) filter (view = 'passwd') as line,
    max(exhibit) filter (view = 'shadow') as exhibit_2, max(line) filter (view = 'shadow') as line_2,
    max(uid) as uid, max(shell) as shell, max(hash_kind) filter (view = 'shadow') as shadow_kind, max(hash_kind) filter (view = 'passwd') as passwd_kind,
    -- letters that look alike are one: l I 1 |, o 0, rn m
    replace(translate(lower(replace(name, 'I', 'l')), '1|0', 'llo'), 'rn', 'm') as folded
  from accounts where name is not null group by device, snapshot, name having min(exhibit) filter (view = 'passwd') is not null),
s as (
  select *, exists(select 1 from known_patterns k where k.kind = 'system-account' and k.pattern = a.name) as shipped,
    regexp_matches(coalesce(shell, ''), '/(ba|a|da|z|k|c|tc|hu)?sh$|/vbash$|/busybox$|^$') and coalesce(shell, '') <> '' as has_shell,
    coalesce(shadow_kind, passwd_kind) as password,
    exists(select 1 from known_patterns k where k.kind = 'lookalike-account' and regexp_matches(a.folded, replace(translate(lower(k.pattern), '1|0', 'llo'), 'rn', 'm'))) as lookalike,
    exists(select 1 from expected e where e.kind = 'account') as listed_by_owner
  from a)
select device, snapshot, exhibit, line, exhibit_2, line_2, name,
  concat_ws(', ', case when lookalike then 'its name imitates a vendor''s' end,
    case when uid = 0 and name <> 'root' then 'it has root''s number 0' end,
    case when has_shell then 'it can log in with ' || shell end,
    case when password = 'none' then 'it has no password' end,
    case when listed_by_owner then 'the owner did not name it' end) as why,
  case when lookalike and has_shell then 'critical'
       when uid = 0 and name <> 'root' and not shipped then 'high'
       when uid = 0 and name = 'root' then 'medium'
       when has_shell and listed_by_owner then 'high'
       else 'medium' end as level
from s
where (not shipped and (has_shell or uid = 0)) or (lookalike and has_shell)
  or (uid = 0 and name <> 'root' and not shipped)
  or (password = 'none' and has_shell and name <> 'root')
