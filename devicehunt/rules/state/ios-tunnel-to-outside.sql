/*
id: ios-tunnel-to-outside
title: "tunnel {name} ({kind}) goes to {peer}{described}"
about: "A tunnel to somebody outside carries traffic past every guard. Only the owner can say what it is for."
check: C13
level: medium
platforms: [cisco_ios]
needs: [{tunnels@config: [name, kind, peer_ip]}]
key: [name, peer]
subjects:
  - {type: interface, name: name, peer: peer}
  - {type: peer, address: peer}
explained_by: [tunnel, peer]
attack: [T1572]
falsepositives:
  - "the owner's site-to-site tunnels; name them in the site file"
references:
  - "CISA AA25-239A: GRE, mGRE and IPsec tunnels (2025)"
  - "FBI, Cisco Talos: Static Tundra adds GRE tunnels (2025)"
response: "Record the peer and the counters (show interfaces, show crypto session). Ask the owner. Keep the configuration before the interface is taken down."
*/
select t.device, t.snapshot, t.exhibit, t.line, t.name, t.kind, t.peer_ip as peer,
  case when d.device is null then ', and nobody described it' else ': confirm with the owner' end as described, 'medium' as level
from tunnels t
left join (select distinct device, snapshot, path from settings) d
  on (d.device, d.snapshot) = (t.device, t.snapshot) and starts_with(d.path, 'interface ' || t.name || ' > description ')
-- what lives now (show crypto session) repeats what is configured
where coalesce(t.enabled, true) and is_external(t.peer_key) and coalesce(t.view, 'config') <> 'session'
