/*
id: ios-account-strange
title: "account {name} has privilege {privilege}: {why}"
about: "Intruders leave an account of their own behind: it survives a patch and a reboot. They like names that sound like the vendor's support."
check: C05
level: medium
platforms: [cisco_ios]
needs: [{any: [{accounts@config: [name, privilege]}, {accounts@startup: [name, privilege]}]}]
key: [name]
subjects:
  - {type: account, name: name}
explained_by: [account]
attack: [T1136.001, T1078.003]
falsepositives:
  - "a break-glass account of the owner; name it in the site file"
references:
  - "Cisco: CVE-2023-20198, accounts made through the web interface (2023)"
  - "ASD: BADCANDY, accounts cisco_tac_admin, cisco_support and random names (2025)"
response: "Look for its logins (show logging, show archive log config all, AAA records). Remove it after the evidence is kept, and rotate every secret of the configuration."
*/
with a as (
  select device, snapshot, name, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, max(try_cast(privilege as integer)) as privilege, max(hash_kind) as hash_kind
  from accounts where view in ('config', 'startup') and name is not null group by device, snapshot, name),
s as (
  select a.*,
    -- a vendor's name joined with an office: no vendor ships such an account
    regexp_matches(folded(name), '^(c[il1]sco|[il1]os|xe|webu[il1]|system|sys)[._-]?(tac|support|adm[il1]n|sys|mgr|manager|serv[il1]ce|user|test)|^c[il1]sco[._-]\w+[._-](tac|support|adm[il1]n|mgr|manager|serv[il1]ce)$') as vendorish,
    regexp_full_match(name, '[A-Za-z0-9]{8,20}') and regexp_matches(name, '\d') and regexp_matches(name, '[a-z]') and regexp_matches(name, '[A-Z]') as random,
    not regexp_full_match(name, '[\x00-\x7F]*') as foreign_letters,
    exists(select 1 from expected e where e.kind = 'account') as listed
  from a)
select device, snapshot, exhibit, line, name, privilege,
  concat_ws(', ', case when vendorish then 'its name sounds like the vendor''s' end, case when random then 'its name looks drawn at random' end,
    case when foreign_letters then 'its name has letters of another alphabet' end, case when listed then 'the owner did not name it' end,
    case when hash_kind = 'none' then 'it has no password' when hash_kind in ('plain', 'reversible') then 'its password can be read' end,
    case when not (vendorish or random or listed) then 'only the owner can say whose it is' end) as why,
  case when privilege >= 15 and (vendorish or foreign_letters) then 'high' when privilege >= 15 and listed then 'high'
       when vendorish or random and privilege >= 15 or hash_kind = 'none' then 'medium' when listed then 'medium' else 'low' end as level
from s
