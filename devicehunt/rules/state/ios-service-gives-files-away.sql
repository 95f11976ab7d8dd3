/*
id: ios-service-gives-files-away
title: "{what}: {text}"
about: "A TFTP server that serves the configuration, and Smart Install, hand the device to whoever asks: no login, no log."
check: C38
level: medium
platforms: [cisco_ios]
needs: [{any: [{management_access@config: [service, enabled]}, {management_access@vstack: [service, enabled]}]}]
key: [text]
subjects:
  - {type: setting, path: text}
attack: [T1602.002, T1048.003]
falsepositives:
  - "a branch that serves its phones' firmware by TFTP (low)"
references:
  - "FBI, Cisco Talos: Static Tundra, CVE-2018-0171 and TFTP of the configuration (2025)"
response: "Treat every secret of the configuration as known. Remove the line, then rotate them. Look for TFTP traffic to the outside."
*/
select device, snapshot, exhibit, line, text,
  case when service = 'tftp' and regexp_matches(text, '(?i)nvram:|startup|running|config') then 'the TFTP server gives the configuration away'
       when service = 'tftp' then 'a TFTP server is on' when service = 'smart-install' then 'Smart Install is on' else 'remote shell is on' end as what,
  case when service = 'tftp' and regexp_matches(text, '(?i)nvram:|startup|running|config') then 'high' when service = 'tftp' then 'low' else 'medium' end as level
from management_access where enabled and service in ('tftp', 'smart-install', 'rsh')
