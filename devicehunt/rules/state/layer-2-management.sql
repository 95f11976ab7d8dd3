/*
id: layer-2-management
title: "{what}"
about: "RoMON and MAC servers manage the router below the addresses: no firewall rule sees them. A neighbour on the wire, or one taken router of the network, reaches all the others."
check: C07
level: low
platforms: [mikrotik_routeros]
needs: [{management_access@config: [service, enabled]}]
key: [service]
subjects:
  - {type: setting, path: text}
attack: [T1133, T1021]
falsepositives:
  - "a provider or an owner who manages by RoMON, and factory settings of older versions (MAC server on all interfaces)"
references:
  - "MikroTik: RoMON; MAC server (help.mikrotik.com)"
  - "MikroTik: Securing your router (help.mikrotik.com)"
response: "Ask the owner whether they use it. Limit it to the inside interfaces, and set RoMON secrets."
*/
select device, snapshot, exhibit, line, service, text, 'RoMON is switched on: the router can be managed through its neighbours' as what, 'low' as level
from management_access where service = 'romon' and enabled
union all
select device, snapshot, exhibit, line, 'romon', path, 'RoMON is switched on: the router can be managed through its neighbours', 'low'
from settings where view = 'print' and path = '/tool romon enabled' and value = 'yes'
union all
select m.device, m.snapshot, m.exhibit, m.line, m.service, m.text, 'the MAC server answers on the side of the WAN (' || m.sources || ')', 'medium'
from management_access m join facing f on (f.device, f.snapshot, f.interface) = (m.device, m.snapshot, 'list:' || m.sources)
where m.service = 'mac-telnet' and m.enabled and f.side = 'wan'
union all
select device, snapshot, exhibit, line, 'mac-telnet', path, 'the MAC server answers on all interfaces', 'low'
from settings where view = 'print' and path like '/tool mac-server %allowed-interface-list' and value = 'all'
