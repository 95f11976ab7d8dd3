/*
id: ssh-key-on-router
title: "SSH key of {owner} opens account {account}: {why}"
about: "A key stays when the password changes. RouterOS shows whose it is only by the words in it, which its maker chose."
check: C06
level: low
platforms: [mikrotik_routeros]
needs: [{ssh_keys@print: [account, comment]}]   # an export names no keys
key: [account, owner]
subjects:
  - {type: ssh-key, fingerprint: fingerprint, comment: owner, store: store}
explained_by: [ssh-key]
attack: [T1098.004]
falsepositives:
  - "keys of the owner that were never recorded; name their words in the site file"
references:
  - "MikroTik: User, SSH keys (help.mikrotik.com)"
  - "MITRE ATT&CK T1098.004: SSH authorized keys"
response: "Show the list to the owner. Look for its logins in the log. Remove strangers after the evidence is kept, then change the host keys."
*/
with k as (
  select device, snapshot, account, coalesce(comment, 'nobody named') as owner, max(fingerprint) as fingerprint, max(store) as store, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line
  from ssh_keys group by device, snapshot, account, coalesce(comment, 'nobody named')),
n as (
  select *, count(*) over (partition by device, snapshot) as keys, exists(select 1 from expected e where e.kind = 'ssh-key') as listed_by_owner from k)
select device, snapshot, exhibit, line, coalesce(account, 'unknown') as account, owner, fingerprint, store,
  case when listed_by_owner then 'the owner named keys, and this is none of them' when keys > 1 then 'one of ' || keys || ' keys, the owner has to say whose'
       else 'the only key, the owner has to say whose' end as why,
  case when listed_by_owner then 'high' when keys > 1 then 'medium' else 'low' end as level
from n
