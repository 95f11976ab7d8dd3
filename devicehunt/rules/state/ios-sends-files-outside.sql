/*
id: ios-sends-files-outside
title: "{what} sends {content} to {peer} outside{plain}"
about: "Jaguar Tooth, Static Tundra and Salt Typhoon carried the configuration and the output of show commands out by TFTP and FTP. A job or the archive does it again and again."
check: C17
level: medium
platforms: [cisco_ios]
needs: [{any: [{jobs@config: [name, command]}, {jobs@registered: [name, command]}]}, {settings@config: [path]}]
key: [what, content, peer]
subjects:
  - {type: job, path: path, name: what}
  - {type: peer, address: peer}
explained_by: [job, peer]
attack: [T1048.003, T1602.002]
falsepositives:
  - "a backup server of the owner or the provider that has an address of the internet; name the peer in the site file"
references:
  - "NCSC, CISA: Jaguar Tooth: output of show commands by TFTP (2023)"
  - "FBI, Cisco Talos: Static Tundra: the configuration by TFTP (2025)"
  - "CISA AA25-239A: the configuration by TFTP and FTP (2025)"
response: "Treat every secret of the configuration as known. Ask for the server's owner, look for the transfers in connection records, then rotate the secrets."
*/
with j as (
  select device, snapshot, exhibit, line, path, coalesce(name, path) as what, unnest(string_split(command, chr(10))) as text from jobs
  where path in ('event manager', 'kron', 'event manager policy', 'event manager registered') and command is not null
  union all select device, snapshot, exhibit, line, 'archive', 'the archive of configurations', 'copy running-config ' || regexp_extract(path, ' path (.*)$', 1)
  from settings where view = 'config' and value = 'yes' and regexp_matches(path, '^archive > path \w+:')),
u as (
  select *, lower(regexp_extract(text, '(?i)\b(tftp|ftp|https?|scp|sftp|rcp):/?/?(?:[^@/\s"]*@)?(?:\d{1,3}\.){3}\d', 1)) as protocol,
    regexp_extract(text, '(?i)\b(?:tftp|ftp|https?|scp|sftp|rcp):/?/?(?:[^@/\s"]*@)?((?:\d{1,3}\.){3}\d{1,3})', 1) as peer,
    regexp_matches(text, '(?i)\b(redirect|tee|append) +"?(tftp|ftp|https?|scp|sftp|rcp):') as shown,
    regexp_matches(text, '(?i)\bcopy +(/\S+ +)*(run|start|nvram|system|(boot|usb)?flash|disk|harddisk|slot|tmpsys|crashinfo)\S* +(tftp|ftp|https?|scp|sftp|rcp):') as copied,
    regexp_matches(text, '(?i)\b(copy +(/\S+ +)*(run|start|nvram:|system:)|sh\w* +(run|start|conf|tech|arch|snmp|crypto|aaa))') as configuration
  from j)
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, what, path, peer, case when configuration then 'the configuration' else 'files or outputs' end as content,
  case when bool_or(protocol in ('tftp', 'ftp', 'http', 'rcp')) then ', in the clear' else '' end as plain,
  case when configuration and path <> 'archive' and bool_or(protocol in ('tftp', 'ftp', 'http', 'rcp')) then 'high' else 'medium' end as level
from u where (shown or copied) and is_external(ip(nullif(peer, ''))) group by device, snapshot, what, path, peer, configuration
