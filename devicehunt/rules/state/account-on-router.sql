/*
id: account-on-router
title: "account {name} of group {rights}: {why}"
about: "Who can log in to a router is a short list. RouterOS ships one account, admin; each other one belongs to somebody."
check: C05
level: medium
platforms: [mikrotik_routeros]
needs: [{accounts@print: [name, privilege]}]   # an export names no accounts
key: [name]
subjects:
  - {type: account, name: name}
explained_by: [account]
attack: [T1136.001, T1078.003]
falsepositives:
  - "administrators, the provider, a monitoring system (group read: info); name them in the site file"
references:
  - "MikroTik: Meris botnet information (2021): change passwords, look for users"
  - "Microsoft: routeros-scanner (2022): users that are not the default one"
  - "MITRE ATT&CK T1136.001: create local account"
response: "Ask the owner. Do not delete the account before its logins are collected (log, history). Then change every password and key of the device."
*/
with a as (
  select device, snapshot, name, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, max(privilege) as privilege
  from accounts where view in ('print', 'config') and name is not null group by device, snapshot, name),
k as (
  select a.*, exists(select 1 from expected e where e.kind = 'account') and not exists(select 1 from expected e where e.kind = 'account' and e.name = a.name) as listed_by_owner,
    exists(select 1 from expected e where e.kind = 'account' and e.name = a.name) as named_by_owner,
    -- a twin of admin, letters of another alphabet, or the name of a part of the system
    (folded(name) = folded('admin') and lower(name) <> 'admin') or not regexp_full_match(name, '[\x00-\x7F]*')
      or regexp_full_match(lower(name), 'systems?|mikrotik|routeros|winbox|sysadm|daemon|nobody|ftpd?|www(-data)?|sshd?|root|toor|default|ftu|dircreate|service') as imitates
  from a)
select device, snapshot, exhibit, line, name, coalesce(privilege, 'unknown') as rights,
  concat_ws(', ', case when imitates then 'its name poses as a part of the system' end,
    case when named_by_owner then 'the owner named it' when listed_by_owner then 'the owner named accounts, and this is none of them' else 'not the one that RouterOS ships: confirm with the owner' end) as why,
  case when privilege = 'read' and not imitates then 'info'
       when (imitates or listed_by_owner) and privilege = 'full' then 'high'
       when privilege = 'full' or imitates or listed_by_owner then 'medium' else 'low' end as level
from k where name <> 'admin'
