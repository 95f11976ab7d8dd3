/*
id: ios-runs-another-image
title: "the image that runs, {path}, {why}"
about: "What runs should be what the configuration boots, from the device's own flash. An image that was loaded once from elsewhere, or put in the place of the right one, leaves this difference."
check: C16
level: medium
platforms: [cisco_ios]
needs:
  - {images@version: [kind, path]}
  - {any: [{images@config: [kind, path]}, {images@bootvar: [kind, path]}]}
key: [path, why]
subjects:
  - {type: file, path: path}
attack: [T1601.001, T1601.002, T1542.005]
falsepositives:
  - "an upgrade that waits for its reload: the new image is configured, the old one runs"
  - "access servers that always boot from the network; name it in the site file"
references:
  - "Cisco: IOS Software Forensic Data Collection Procedures: the image that was booted"
  - "MITRE ATT&CK T1601.002: downgrade system image"
response: "Ask for the change behind it. Verify both images (verify, show software authenticity file) before any reload."
explained_by: [program]
*/
with r as (
  select device, snapshot, exhibit, line, path, lower(regexp_extract(path, '([^/:]+)$', 1)) as name
  from images where view = 'version' and kind = 'running' and path is not null),
b as (  -- "flash" alone, or a name of nothing: any image of that place
  select device, snapshot, exhibit, line, path,
    case when regexp_full_match(path, '(?i)(boot|usb)?flash\d*:?|rom|slot\d:?|disk\d:?') then '' else lower(regexp_extract(path, '([^/:\s]+)(?:\s+[\d.]+)?$', 1)) end as name
  from images where kind = 'boot' and (view = 'config' and text like 'boot system%' or view = 'bootvar' and text not ilike 'standby%')),
l as (
  select device, snapshot, list(name) as names, arg_min(path, (exhibit, line)) as first, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line from b group by all)
select r.device, r.snapshot, r.exhibit, r.line, l.exhibit as exhibit_2, l.line as line_2, r.path,
  case when regexp_matches(r.path, '(?i)^(tftp|ftp|https?|rcp|scp|mop)\b') then 'came over the network'
       when regexp_matches(r.path, '(?i)^usb') then 'came from a removable disk'
       else 'is not the one that is booted: ' || l.first end as why,
  case when regexp_matches(r.path, '(?i)^(tftp|ftp|https?|rcp|scp|mop)\b') then 'high' else 'medium' end as level
from r left join l using (device, snapshot)
where regexp_matches(r.path, '(?i)^(tftp|ftp|https?|rcp|scp|mop)\b')
  or regexp_matches(r.path, '(?i)^usb') and not coalesce(list_contains(l.names, r.name), false)
  or l.names is not null and not list_contains(l.names, r.name) and not list_contains(l.names, '')
