/*
id: container-on-router
title: "a container runs beside the router's own system: {name} ({image}){level_word}"
about: "A container is the one way to run foreign programs on RouterOS, and it stays over a reboot."
check: C24
level: medium
platforms: [mikrotik_routeros]
needs: [{any: [{containers@config: [kind, image]}, {containers@print: [kind, image]}]}]
key: [name, image]
subjects:
  - {type: file, path: image}
  - {type: setting, path: text}
explained_by: [program]
attack: [T1610, T1609]
falsepositives:
  - "a DNS filter, a monitor or a tunnel that the owner installed; name its image in the site file"
references:
  - "MikroTik: Container (help.mikrotik.com)"
  - "MITRE ATT&CK T1610: deploy container"
response: "Keep the container's settings, mounts and files before it is stopped. Ask the owner where the image came from."
*/
select device, snapshot, exhibit, line, coalesce(name, 'no name') as name, coalesce(image, 'image not shown') as image, text,
  case when regexp_matches(concat_ws(' ', image, name), '(?i)socks|3proxy|squid|\bfrp|ngrok|chisel|gost\b|xray|v2ray|sing-?box|shadowsocks|\btor\b|proxy') then ', a proxy by its name'
    else ': confirm with the owner' end as level_word,
  case when regexp_matches(concat_ws(' ', image, name), '(?i)socks|3proxy|\bfrp|ngrok|chisel|\btor\b') then 'high' else 'medium' end as level
from containers where kind = 'container' and coalesce(enabled, true)
