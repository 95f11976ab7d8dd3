/*
id: ios-register-skips-configuration
title: "{path} is {value}: {why}"
about: "The configuration register decides what the next start takes. One that ignores the startup configuration brings the device up without passwords, lists and logging; one that ignores the boot statements starts whatever image is found first."
check: C31
level: medium
platforms: [cisco_ios]
needs: [{any: [{settings@version: [path, value]}, {settings@bootvar: [path, value]}]}]
key: [path, value]
subjects:
  - {type: setting, path: path}
attack: [T1542, T1601]
falsepositives:
  - "a password recovery that was not finished"
references:
  - "Cisco: Use of the configuration register on all Cisco routers"
  - "Cisco: IOS XE forensic guide: checking booting information"
response: "Ask who set it and when. Set it back (config-register 0x2102) only after the evidence is kept, and before any reload."
*/
select device, snapshot, exhibit, line, path, value,
  case when contains('4567cdef', lower(value[-2])) then 'the startup configuration is ignored'
       when value[-1] = '0' then 'a start ends in the ROM monitor'
       else 'the boot statements are ignored' end as why,
  case when contains('4567cdef', lower(value[-2])) then 'medium' else 'low' end as level
from settings
where view in ('version', 'bootvar') and regexp_matches(path, '^boot > (standby )?configuration register( at next reload)?$') and regexp_full_match(value, '0x[0-9A-Fa-f]{1,8}')
  and (length(value) > 3 and contains('4567cdef', lower(value[-2])) or value[-1] in ('0', '1'))
