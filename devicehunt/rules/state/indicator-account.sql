/*
id: indicator-account
title: "the {kind} {value}, an indicator ({said}): {told}; {aged}"
about: "The device knows an account or a key that somebody published as an intruder's."
check: C20
level: medium
needs:
  - {any: [indicators@user, indicators@ssh-key]}
  - {any: [{accounts: [name]}, {ssh_keys: [fingerprint]}, {sessions: [account]}, {config_changes: [account]}]}
key: [kind, value]
subjects:
  - {type: account, name: name}
  - {type: ssh-key, fingerprint: fingerprint}
explained_by: [account, ssh-key]
attack: [T1136, T1098.004]
falsepositives:
  - "a common name that the owner uses too"
references:
  - "OASIS: STIX 2.1 (indicator, confidence scale in appendix A); MISP core format"
response: "Ask the owner whose it is. Keep the file that holds it before it is removed."
*/
select device, snapshot, exhibit, line, kind, value, told, case when kind = 'user' then found end as name,
  case when kind = 'ssh-key' then found end as fingerprint, said, aged, level
from indicator_hits
where rule = 'indicator-account'
