/*
id: software-does-not-fit
title: "{what}: {detail}"
about: "RouterOS says itself when its files do not agree with what it installed, and when its settings look like those of taken routers. Packages of one device have one version."
check: C16
level: high
platforms: [mikrotik_routeros]
needs: [{packages@print: [name, version]}]
key: [what, detail]
subjects:
  - {type: package, name: package}
  - {type: setting, path: setting}
attack: [T1542.001, T1601.001]
falsepositives:
  - "an update that stopped half way: packages of two versions (medium)"
  - "device-mode flags a device also for an owner's own odd settings; the owner has to clear the flag at the device"
references:
  - "MikroTik: Device-mode: flagged status; Packages, check-installation (help.mikrotik.com)"
response: "Keep the output and the export. Reinstall with Netinstall from a computer that is known to be clean; an update from within trusts what is to be checked."
*/
with p as (select *, regexp_extract(version, '^[\d.]+(?:(?:rc|beta|alpha)\d+)?', 0) as plain from packages where view = 'print' and version is not null)
select device, snapshot, exhibit, line, 'a package of another version' as what, name || ' ' || version as detail, name as package, null::varchar as setting, 'medium' as level
from p where plain <> (select mode(o.plain) from p o where (o.device, o.snapshot) = (p.device, p.snapshot))
union all
select device, snapshot, exhibit, line, 'a package that MikroTik does not make', name, name, null, 'high'
from p where not regexp_full_match(name, '(routeros|system|security|ppp|dhcp|hotspot|mpls|routing|ipv6|advanced-tools|user-manager|ups|gps|ntp|multicast|kvm|calea|lcd|lora|iot|iot-bt-extra|container|dude|zerotier|tr069-client|rose-storage|extra-nic|openflow|lte|option|group|wireless|wireless-(fp|cm2|rep)|wifi-\w+(-\w+)*|wifiwave2|switch-\w+|routerboard|arlan|isdn|radiolan|synchronous|telephony|web-proxy|hotspot-fix|xen|bgp|routing-test|media|dude-client)(-\w+)?')
union all
select device, snapshot, exhibit, line, 'the device itself suspects its settings', path || ': ' || value, null, path, 'high'
from settings where view = 'print' and path in ('/system device-mode flagged', '/system device-mode flagging-enabled') and ((path like '%flagged' and value = 'yes') or (path like '%flagging-enabled' and value = 'no'))
union all
select device, snapshot, exhibit, line, 'the installation is not as it was installed', value, null, path, 'high'
from settings where view = 'print' and path like '/system check-installation %' and value is not null and not regexp_matches(value, '(?i)\bok\b|checking|not damaged|^\d+%?$|success')
