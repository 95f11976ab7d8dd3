/*
id: ssh-key-unexplained
title: "SSH key {short} ({comment}) can log in: {why}"
about: "A key stays when the password changes. The first look at a device is an inventory of its keys; the owner says which are theirs."
check: C06
level: low
core: true
platforms: [linux]
needs: [{ssh_keys: [fingerprint, store]}]
key: [fingerprint]
subjects:
  - {type: ssh-key, fingerprint: fingerprint, comment: comment, store: store}
explained_by: [ssh-key]
attack: [T1098.004]
falsepositives:
  - "keys of the owner that were never recorded; name their fingerprints in the site file"
references:
  - "GreyNoise: AyySSHush stores a key in NVRAM (2025)"
  - "FBI, NSA, USCYBERCOM: keys added to EdgeRouters (2024)"
  - "JPCERT/CC: GobRAT adds its key to authorized_keys (2023)"
response: "Show the fingerprint and comment to the owner. Look for its logins in the log. Remove strangers after the evidence is kept, then change the host keys."
*/
with k as (
  select *, count(distinct fingerprint) over (partition by device, snapshot) as keys,
    exists(select 1 from expected e where e.kind = 'ssh-key') as listed_by_owner,
    -- a daemon's account, by the account or by the folder: nobody logs in there
    exists(select 1 from known_patterns p where p.kind = 'system-account' and p.label is null
      and p.pattern in (s.account, regexp_extract(s.store, '^(?:/home|/var(?:/lib)?|/srv)/([\w-]+)/', 1))) as daemons,
    -- a folder that only root's home is kept in by ASUSWRT and DD-WRT
    is_volatile(s.store) and not regexp_matches(s.store, '^/(tmp|var)/(home/)?root/\.ssh/') as volatile,
    regexp_extract(s.options, '(?i)command="((?:[^"\\]|\\.)*)"', 1) as command
  from ssh_keys s where fingerprint is not null),
c as (select *, coalesce(command, '') <> '' and (runs_what_it_fetches(command) or runs_volatile(command) or opens_way_out(command)) as bad_command from k),
u as (  -- a login with this key from outside
  select c.*, e.exhibit as exhibit_2, e.line as line_2, e.message is not null as used_from_outside from c left join log_events e
    on (e.device, e.snapshot) = (c.device, c.snapshot) and contains(e.message, c.fingerprint) and regexp_matches(e.message, '(?i)^\s*(\w+ )?(pubkey auth succeeded|accepted publickey) for ')
    and is_external(ip(coalesce(nullif(regexp_extract(e.message, 'from <?(\d+\.\d+\.\d+\.\d+)', 1), ''), nullif(regexp_extract(e.message, 'from <?\[?([0-9a-f:]+:[0-9a-f]+)\]?(?::\d+| port|$)', 1), '')))))
select device, snapshot, exhibit, line, exhibit_2, line_2, fingerprint, coalesce(comment, 'no comment') as comment, store,
  left(fingerprint, 18) || '…' as short,
  case when bad_command then 'it runs a command that fetches, opens a way out or lies in a writable place'
       when daemons then 'it opens the account of a daemon'
       when volatile then 'it is stored where a reboot erases it'
       when used_from_outside then 'a login from the internet used it'
       when listed_by_owner then 'the owner named keys, and this is none of them'
       when coalesce(command, '') <> '' then 'it runs a command'
       when keys > 1 then 'one of ' || keys || ' keys, the owner has to say whose' else 'the only key, the owner has to say whose' end as why,
  case when bad_command or daemons or volatile or listed_by_owner then 'high' when used_from_outside or keys > 1 or coalesce(command, '') <> '' then 'medium' else 'low' end as level
from u
qualify row_number() over (partition by device, snapshot, fingerprint order by bad_command desc, daemons desc, volatile desc, used_from_outside desc, exhibit, line, line_2) = 1
