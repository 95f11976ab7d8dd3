/*
id: ios-image-not-vouched-for
title: "{path}: {why}"
about: "The device says who signed its software and computes digests of it. SYNful Knock and BlackTech ran changed images; a signature that fails, or that is not Cisco's, shows one. An image that runs can lie about itself."
check: C16
level: high
platforms: [cisco_ios]
needs: [{any: [{images@authenticity: [kind, verified]}, {images@authenticity-file: [kind, verified]}, {images@verify: [kind, verified]}]}]
key: [path, why]
subjects:
  - {type: file, path: path}
attack: [T1601.001, T1542.001, T1554]
falsepositives:
  - "an upload that broke off: the digests of a file differ"
  - "an engineering image that the vendor's support handed out (image type Special: low)"
  - "images of before 2010, which carry no signature; the device says so or does not know the command"
references:
  - "Cisco: IOS Software Forensic Data Collection Procedures: image verification, digitally signed images"
  - "Mandiant: SYNful Knock (2015)"
  - "NSA, CISA: BlackTech hides in router firmware (2023)"
response: "Do not reload. Copy the image off the device and compute its SHA-512 elsewhere; compare with the vendor's bulk hash file. Then follow the vendor's forensic guide."
*/
with d as (  -- what the device computed, beside what the image or the asker says
  select a.device, a.snapshot, a.exhibit, a.line, b.line as line_2, coalesce(a.path, 'an image') as path,
    'its ' || split_part(a.digest_kind, ' ', 1) || ' is not the one that ' || case when b.digest_kind like '%expected' then 'was expected' else 'it carries' end as why, 'high' as level
  from images a join images b using (device, snapshot, exhibit)
  where a.view = 'verify' and b.view = 'verify' and a.digest_kind like '%computed' and regexp_matches(b.digest_kind, '(embedded|expected)$')
    and split_part(a.digest_kind, ' ', 1) = split_part(b.digest_kind, ' ', 1) and a.path is not distinct from b.path
    and abs(a.line - b.line) <= 12 and a.digest <> b.digest),
s as (
  select device, snapshot, exhibit, line, line as line_2, coalesce(path, 'an image') as path,
    case when verified = false and not regexp_matches(text, '(?i)not (digitally |been )?(signed|found|present)|unsigned') then 'the device could not verify it: ' || text
         when verified = false then 'it is not signed: ' || text
         when signer is not null and not regexp_matches(signer, '(?i)^cisco ?systems') then 'it is signed by ' || signer
         when regexp_matches(text, '(?i)^image type development') then 'it is signed with a key for development'
         when regexp_matches(text, '(?i)^image type special') then 'it is an engineering image' end as why,
    case when verified = false and view = 'authenticity' then 'critical' when verified = false then 'high'
         when signer is not null and not regexp_matches(signer, '(?i)^cisco ?systems') then 'critical'
         when regexp_matches(text, '(?i)^image type development') then 'high' else 'low' end as level
  from images where view in ('authenticity', 'authenticity-file', 'verify') and kind in ('signature', 'digest'))
select device, snapshot, exhibit, line, exhibit as exhibit_2, line_2, path, why, level from d
union all select device, snapshot, exhibit, line, exhibit, line_2, path, why, level from s where why is not null
