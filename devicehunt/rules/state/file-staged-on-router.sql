/*
id: file-staged-on-router
title: "{path} lies on the device: {why}"
about: "RouterOS and IOS have a small place for files: images, configurations, backups. Programs, captures and scripts that run by themselves do not belong there; Slingshot waited in a library that the router handed to its administrators."
check: C36
level: medium
platforms: [cisco_ios, mikrotik_routeros]
needs: [{any: [{files@print: [path]}, {files@dir: [path]}]}]
key: [path]
subjects:
  - {type: file, path: path}
explained_by: [program]
attack: [T1074.001, T1105, T1080, T1040]
falsepositives:
  - "a capture that an administrator left (medium), exports and backups (left out)"
  - "on IOS a script of the owner's administrators (low), bundles that the vendor's support asked for (left out by name)"
  - "files of a container, of a web page of the hotspot, of the user manager (left out)"
references:
  - "Kaspersky: Slingshot: a library on the router, loaded by Winbox (2018)"
  - "CISA AA25-239A: captures such as tac.pcap and mycap.pcap, Tcl scripts such as TCLproxy.tcl and map.tcl on bootflash (2025)"
  - "MikroTik: Configuration Management: .auto.rsc files run when they arrive (help.mikrotik.com)"
response: "Copy the file off the device with its date and compute its hash (IOS: verify /md5). Ask who put it there. Run nothing of it."
*/
with f as (
  select *, lower(base_name(path)) as name, view = 'dir' as ios,
    -- what a container or the system keeps for itself
    case view when 'dir' then regexp_matches(path, '(?i)/(tracelogs|core|crashinfo|\.installer|\.prst_sync|\.rollback_timer|onep|virtual-instance\S*|SHARED-IOX|iox|\.iox\S*|license_evlog|sysboot|pnp-\S+|dc_profile_dir|html)/|^(system|tmpsys|cns|tar|null|syslog|webui):')
      else regexp_matches(lower(path), '(^|/)(containers?|container-\w+|hotspot|user-manager\d?|um\d|skins|dude|flash/(hotspot|skins)|docker|apps)/|/rootfs/|layer\d*/') end as known_place
  from files where view in ('print', 'dir') and kind is distinct from 'directory' and kind is distinct from 'link' and path is not null),
k as (
  select *, case
    when ios and known_place then null
    when regexp_matches(name, '\.(dll|exe|scr|sys|ocx|msi|bat|cmd|ps1|vbs|hta|lnk)$') then 'a program for the administrator''s computer'
    when regexp_matches(name, '\.(so(\.\d+)*|elf|ko|jar)$') and not known_place then 'a program for another system'
    when regexp_matches(name, '\.(pcap(ng)?|cap)\d*(\.gz)?$') then 'captured traffic'
    when ios then case
      when regexp_matches(path, '/\.[^/]+\.(tcl|py|sh|pl|lua|tgz|tar|zip)$') then 'a hidden script or bundle'
      when regexp_matches(name, '\.(tcl|tbc)$') then 'a Tcl script'
      when regexp_matches(name, '\.(py|sh|pl|lua)$') then 'a script'
      when regexp_matches(name, '\.(tgz|tar\.gz|zip|7z|rar)$') and not regexp_matches(name, 'tech|report|crash|core|trace|archive_|system-|smart|license') then 'a bundle' end
    -- RouterOS runs no such script itself
    when regexp_matches(name, '\.(sh|py|pl)$|^(arm|mips|mipsel|x86|ppc|tile)(v?\d+)?(el|eb)?$') and not known_place then 'a program for another system'
    when name like '%.auto.rsc' then 'a script that runs when it arrives'
    when regexp_matches(name, '^rep_\d+\.bin$') then 'captured traffic'
    when regexp_matches(path, '(^|/)\.[^/]') and not known_place then 'it is hidden'
    when regexp_full_match(name, '[a-z0-9]{8,16}\.rsc') and regexp_matches(name, '\d[a-z]+\d') and regexp_matches(name, '[a-z]\d+[a-z]') then 'a script with a name that nobody chose' end as why
  from f)
select device, snapshot, exhibit, line, path, why,
  -- installers of VPN clients lie on the flash of honest IOS devices
  case when why like 'a program%' then case when ios then 'medium' else 'high' end when why in ('a Tcl script', 'a script', 'a bundle') then 'low' else 'medium' end as level
from k where why is not null
