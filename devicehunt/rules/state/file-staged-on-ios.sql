/*
id: file-staged-on-ios
title: "{path} lies on the device: {why}"
about: "Flash holds images, the configuration, crash files. Captures wait there for their pick-up, and scripts that an applet runs."
check: C36
level: low
platforms: [cisco_ios]
needs: [{files@dir: [path]}]
key: [path]
subjects:
  - {type: file, path: path}
explained_by: [program]
attack: [T1074.001, T1040, T1105]
falsepositives:
  - "a capture or a script of the owner's administrators"
  - "bundles that the vendor's support asked for (left out by name)"
references:
  - "CISA AA25-239A: captures such as tac.pcap and mycap.pcap on bootflash (2025)"
  - "CISA AA25-239A: Tcl scripts such as TCLproxy.tcl and map.tcl (2025)"
response: "Copy the file off the device with its date and compute its hash (verify /md5). Ask who put it there."
*/
with f as (
  select *, lower(base_name(path)) as name from files
  where view = 'dir' and kind = 'file' and path is not null and not regexp_matches(path, '(?i)^(system|tmpsys|cns|tar|null|syslog|webui):')
    -- what the system keeps for itself
    and not regexp_matches(path, '(?i)/(tracelogs|core|crashinfo|\.installer|\.prst_sync|\.rollback_timer|onep|virtual-instance\S*|SHARED-IOX|iox|\.iox\S*|license_evlog|sysboot|pnp-\S+|dc_profile_dir|html)/')),
k as (
  select *, case
    when regexp_matches(name, '\.(pcap(ng)?|cap)\d*(\.gz)?$') then 'captured traffic'
    when regexp_matches(name, '\.(exe|dll|scr|bat|ps1|vbs|elf|so|ko|jar)$') then 'a program for another system'
    when regexp_matches(path, '/\.[^/]+\.(tcl|py|sh|pl|lua|tgz|tar|zip)$') then 'a hidden script or bundle'
    when regexp_matches(name, '\.(tcl|tbc)$') then 'a Tcl script'
    when regexp_matches(name, '\.(py|sh|pl|lua)$') then 'a script'
    when regexp_matches(name, '\.(tgz|tar\.gz|zip|7z|rar)$') and not regexp_matches(name, 'tech|report|crash|core|trace|archive_|system-|smart|license') then 'a bundle' end as why
  from f)
select device, snapshot, exhibit, line, path, why,
  case when why in ('captured traffic', 'a program for another system', 'a hidden script or bundle') then 'medium' else 'low' end as level
from k where why is not null
