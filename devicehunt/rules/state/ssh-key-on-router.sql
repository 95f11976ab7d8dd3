/*
id: ssh-key-on-router
title: "SSH key {owner} opens account {account}: {why}"
about: "A key stays when the password changes. RouterOS and IOS show whose it is only by the words in it, which its maker chose."
check: C06
level: low
platforms: [cisco_ios, mikrotik_routeros]
# an export of RouterOS names no keys, a configuration of IOS names them with their fingerprints
needs: [{any: [{ssh_keys@print: [account, comment]}, {ssh_keys@config: [account, fingerprint]}]}]
key: [account, owner]
subjects:
  - {type: ssh-key, fingerprint: fingerprint, comment: comment, store: store}
explained_by: [ssh-key]
attack: [T1098.004]
falsepositives:
  - "keys of the owner that were never recorded; name their words or fingerprints in the site file"
references:
  - "MikroTik: User, SSH keys (help.mikrotik.com)"
  - "Cisco: Secure Shell Configuration Guide: ip ssh pubkey-chain"
  - "MITRE ATT&CK T1098.004: SSH authorized keys"
response: "Show the list to the owner. Look for its logins in the log. Remove strangers after the evidence is kept, then change the host keys."
*/
with k as (
  select device, snapshot, account, comment, min(nullif(fingerprint, '')) as fingerprint, max(store) as store, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line
  from ssh_keys group by device, snapshot, account, comment, fingerprint),
n as (
  select k.*, 'of ' || comment as named, count(*) over (partition by device, snapshot) as keys, exists(select 1 from expected e where e.kind = 'ssh-key') as listed_by_owner,
    -- the key is there, the account is not: it was removed and can be made again, or another server knows it
    store like 'ip ssh %' and account is not null
      and not exists(select 1 from accounts a where (a.device, a.snapshot, a.name) = (k.device, k.snapshot, k.account)) as orphan
  from k)
select device, snapshot, exhibit, line, coalesce(account, 'unknown') as account, comment, fingerprint, store,
  -- RouterOS shows no fingerprint; IOS mostly no words
  case when store like 'ip ssh %' then concat_ws(' ', fingerprint, named) else coalesce(named, 'of nobody named') end as owner,
  concat_ws(', ', case when orphan then 'which the configuration does not have' end,
    case when listed_by_owner then 'the owner named keys, and this is none of them' when keys > 1 then 'one of ' || keys || ' keys, the owner has to say whose'
       else 'the only key, the owner has to say whose' end) as why,
  case when listed_by_owner then 'high' when keys > 1 or orphan then 'medium' else 'low' end as level
from n
