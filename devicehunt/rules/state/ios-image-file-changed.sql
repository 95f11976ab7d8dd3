/*
id: ios-image-file-changed
title: "the file of the image that runs, {path}, {why}"
about: "Nothing touches the file of an image while it runs. One that was written after the start, or that is gone, was put in its place or taken away."
check: C16
level: medium
platforms: [cisco_ios]
needs:
  - {images@version: [kind, path]}
  - {files@dir: [path, size_bytes]}
key: [path, why]
subjects:
  - {type: file, path: path}
attack: [T1601.001, T1542.001]
falsepositives:
  - "flash that was cleared to make room for an upgrade"
  - "a clock that was set after the start"
references:
  - "Cisco: IOS Software Forensic Data Collection Procedures: dir /recursive all-filesystems, verify"
  - "Mandiant: SYNful Knock (2015)"
response: "Do not reload: only the memory still holds the old image. Copy the file and the text region (copy system:memory/text) first."
*/
with u as (
  select device, snapshot, coalesce(max(clock), max(collected_at)) - to_seconds(max(uptime_s) filter (view = 'version')) as started from devices group by all),
f as (
  select *, lower(regexp_replace(path, '^(?i)(boot)?flash\d*:/*', 'flash:/')) as name from files where view = 'dir' and kind = 'file'),
r as (
  select *, regexp_extract(name, '^(.*/)', 1) as folder from (
    select device, snapshot, exhibit, line, path, lower(regexp_replace(regexp_replace(path, '^(?i)(boot)?flash\d*:/*', 'flash:/'), '^([\w-]+:)/*', '\1/')) as name
    from images where view = 'version' and kind = 'running' and regexp_matches(path, '^[\w-]+:') and not regexp_matches(path, '(?i)^(tftp|ftp|https?|rcp|scp|mop|usb)'))),
l as (  -- what was listed of the image's own folder
  select r.device, r.snapshot, r.path, min(f.exhibit) as exhibit, arg_min(f.line, (f.exhibit, f.line)) as line
  from r join f using (device, snapshot)
  where starts_with(f.name, r.folder) and not contains(f.name[length(r.folder) + 1:], '/') group by all)
select r.device, r.snapshot, r.exhibit, r.line, coalesce(f.exhibit, l.exhibit) as exhibit_2, coalesce(f.line, l.line) as line_2, r.path,
  case when f.path is null then 'is not among the files' else 'was written after the start: ' || f.modified end as why,
  case when f.path is null then 'medium' else 'high' end as level
from r join l using (device, snapshot, path) left join f on (f.device, f.snapshot, f.name) = (r.device, r.snapshot, r.name)
left join u on (u.device, u.snapshot) = (r.device, r.snapshot)
where f.path is null or f.modified_at > u.started + interval 1 day
