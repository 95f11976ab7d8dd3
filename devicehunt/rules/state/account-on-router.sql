/*
id: account-on-router
title: "account {name} ({rights}): {why}"
about: "Who can log in to a router is a short list. RouterOS ships one account, admin, and IOS none; each other one belongs to somebody. Intruders leave one behind, by a name that sounds like the system or like the vendor's support: it survives a patch and a reboot."
check: C05
level: medium
platforms: [cisco_ios, mikrotik_routeros]
# an export of RouterOS names no accounts; a configuration of IOS does, and how each is guarded
needs: [{any: [{accounts@print: [name, privilege]}, {accounts@config: [name, privilege, hash_kind]}, {accounts@startup: [name, privilege, hash_kind]}]}]
key: [name]
subjects:
  - {type: account, name: name}
explained_by: [account]
attack: [T1136.001, T1078.003]
falsepositives:
  - "administrators, the provider, a monitoring system (group read: info), a break-glass account; name them in the site file"
references:
  - "MikroTik: Meris botnet information (2021): change passwords, look for users"
  - "Microsoft: routeros-scanner (2022): users that are not the default one"
  - "Cisco: CVE-2023-20198, accounts made through the web interface (2023)"
  - "ASD: BADCANDY, accounts cisco_tac_admin, cisco_support and random names (2025)"
  - "MITRE ATT&CK T1136.001: create local account"
response: "Ask the owner. Do not delete the account before its logins are collected (log, history, AAA records). Then change every password and key of the device."
*/
with a as (
  select device, snapshot, name, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, max(try_cast(privilege as integer)) as number, max(privilege) as grp, max(hash_kind) as hash_kind
  from accounts where view in ('print', 'config', 'startup') and name is not null group by device, snapshot, name),
k as (
  select a.*, number is not null as ios, coalesce(number >= 15, grp = 'full', false) as whole,   -- IOS has numbers, RouterOS groups
    exists(select 1 from expected e where e.kind = 'account') and not exists(select 1 from expected e where e.kind = 'account' and e.name = a.name) as listed_by_owner,
    exists(select 1 from expected e where e.kind = 'account' and e.name = a.name) as named_by_owner,
    -- a twin of admin, or the name of a part of the system
    folded(name) = folded('admin') and lower(name) <> 'admin'
      or number is null and regexp_full_match(lower(name), 'systems?|mikrotik|routeros|winbox|sysadm|daemon|nobody|ftpd?|www(-data)?|sshd?|root|toor|default|ftu|dircreate|service') as imitates,
    -- a vendor's name joined with an office: no vendor ships such an account
    regexp_matches(folded(name), '^(c[il1]sco|[il1]os|xe|webu[il1]|system|sys)[._-]?(tac|support|adm[il1]n|sys|mgr|manager|serv[il1]ce|user|test)|^c[il1]sco[._-]\w+[._-](tac|support|adm[il1]n|mgr|manager|serv[il1]ce)$') as vendorish,
    regexp_full_match(name, '[A-Za-z0-9]{8,20}') and regexp_matches(name, '\d') and regexp_matches(name, '[a-z]') and regexp_matches(name, '[A-Z]') as random,
    not regexp_full_match(name, '[\x00-\x7F]*') as foreign_letters
  from a),
p as (select *, imitates or vendorish or foreign_letters as poses from k)
select device, snapshot, exhibit, line, name, case when ios then 'privilege ' || number else 'group ' || coalesce(grp, 'unknown') end as rights,
  concat_ws(', ', case when imitates then 'its name poses as a part of the system' end, case when vendorish then 'its name sounds like the vendor''s' end,
    case when random then 'its name looks drawn at random' end, case when foreign_letters then 'its name has letters of another alphabet' end,
    case when hash_kind = 'none' then 'it has no password' when hash_kind in ('plain', 'reversible') then 'its password can be read' end,
    case when named_by_owner then 'the owner named it' when listed_by_owner then 'the owner named accounts, and this is none of them'
         when ios then 'only the owner can say whose it is' else 'not the one that RouterOS ships: confirm with the owner' end) as why,
  case when not ios and grp = 'read' and not poses then 'info'
       when whole and (poses or listed_by_owner) then 'high'
       when poses or listed_by_owner or random and whole or hash_kind = 'none' then 'medium'
       -- RouterOS comes with an account of its own: a second one with all rights is news; each of IOS is the owner's, or is not
       when whole and not ios then 'medium' else 'low' end as level
from p where ios or name <> 'admin'
