/*
id: file-staged-on-router
title: "{path} lies on the router: {why}"
about: "RouterOS has a small place for files. Programs, captures and scripts that run by themselves do not belong there; Slingshot waited in a library that the router handed to its administrators."
check: C36
level: medium
platforms: [mikrotik_routeros]
needs: [{files@print: [path]}]
key: [path]
subjects:
  - {type: file, path: path}
explained_by: [program]
attack: [T1074.001, T1105, T1080]
falsepositives:
  - "a capture that an administrator left (medium), exports and backups (left out)"
  - "files of a container, of a web page of the hotspot, of the user manager (left out)"
references:
  - "Kaspersky: Slingshot: a library on the router, loaded by Winbox (2018)"
  - "MikroTik: Configuration Management: .auto.rsc files run when they arrive (help.mikrotik.com)"
response: "Copy the file off the device with its date and compute its hash. Ask who put it there. Run nothing of it."
*/
with f as (
  select *, lower(base_name(path)) as name,
    regexp_matches(lower(path), '(^|/)(containers?|container-\w+|hotspot|user-manager\d?|um\d|skins|dude|flash/(hotspot|skins)|docker|apps)/|/rootfs/|layer\d*/') as known_place
  from files where view = 'print' and kind is distinct from 'directory' and path is not null),
k as (
  select *, case
    when regexp_matches(name, '\.(dll|exe|scr|sys|ocx|msi|bat|cmd|ps1|vbs|hta|lnk)$') then 'a program for the administrator''s computer'
    when regexp_matches(name, '\.(so(\.\d+)*|elf|ko|sh|py|pl|jar)$|^(arm|mips|mipsel|x86|ppc|tile)(v?\d+)?(el|eb)?$') and not known_place then 'a program for another system'
    when name like '%.auto.rsc' then 'a script that runs when it arrives'
    when regexp_matches(name, '\.(pcap(ng)?|cap)\d*$|^rep_\d+\.bin$') then 'captured traffic'
    when regexp_matches(path, '(^|/)\.[^/]') and not known_place then 'it is hidden'
    when regexp_full_match(name, '[a-z0-9]{8,16}\.rsc') and regexp_matches(name, '\d[a-z]+\d') and regexp_matches(name, '[a-z]\d+[a-z]') then 'a script with a name that nobody chose' end as why
  from f)
select device, snapshot, exhibit, line, path, why,
  case when why like 'a program for the administrator%' then 'high' when why like 'a program%' then 'high' else 'medium' end as level
from k where why is not null
