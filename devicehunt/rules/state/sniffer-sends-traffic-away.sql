/*
id: sniffer-sends-traffic-away
title: "{kind} copies traffic{what} to {target}"
about: "A capture that the router streams to another host reads everybody's traffic from afar: passwords, mail, names."
check: C21
level: high
platforms: [mikrotik_routeros]
needs: [{any: [{captures@config: [kind, target_ip]}, {all: [{captures@print: [kind, target_ip]}, {captures@sniffer: [kind, target_ip]}]}]}]
key: [kind, target]
subjects:
  - {type: setting, path: text}
  - {type: peer, address: target_ip}
explained_by: [peer]
attack: [T1040, T1020.001]
falsepositives:
  - "an intrusion detection system of the owner inside the network (low)"
  - "a file name that an administrator left behind after a search for an error (low)"
references:
  - "Netlab 360: MikroTik routers forward their traffic to collectors (2018)"
  - "MITRE ATT&CK T1020.001: traffic duplication"
  - "MikroTik: Packet Sniffer; Mangle, sniff-tzsp (help.mikrotik.com)"
response: "Record the target and the filter. Stop the stream, not the device. Treat what crossed the device unencrypted since then as read."
*/
select device, snapshot, exhibit, line, kind, text, target_ip,
  case when source is not null then ' of ' || source else '' end as what, coalesce(target_ip, 'the file ' || target) as target,
  case when is_external(target_key) and not exists(select 1 from own_addresses o where (o.device, o.snapshot, o.address_key) = (c.device, c.snapshot, c.target_key)) then 'high'
       else 'low' end as level
from captures c
where enabled and (target_ip is not null or target is not null) and kind in ('sniffer', 'sniff-tzsp', 'sniff-pc')
