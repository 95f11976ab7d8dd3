/*
id: indicator-address-configured
title: "the {kind} {value}, an indicator ({said}): {told}; {aged}"
about: "The configuration leads to an address that somebody published as bad: names, logs, logins or traffic of everybody behind the device go there."
check: C20
level: medium
needs:
  - {any: [indicators@address, indicators@network]}
  - {any: [{resolvers: [address_ip]}, {settings: [value]}, {jobs: [command]}, {tunnels: [peer_ip]}, {nat_rules: [to_ip]}, {log_targets: [address_ip]}, {routes: [gateway_ip]}]}
key: [kind, value]
subjects:
  - {type: peer, address: found, port: port}
explained_by: [peer, resolver, tunnel, port-forward]
attack: [T1584.008, T1557]
falsepositives:
  - "an address that was rented to somebody else since (the finding says how old the entry is)"
  - "a shared host, a CDN or a public resolver on a careless list"
  - "a list of what the owner blocks (names of lists and paths with block, deny or drop are left out)"
references:
  - "OASIS: STIX 2.1 (indicator, confidence scale in appendix A); MISP core format"
response: "Ask the owner who wrote the line. Save the configuration before it is mended."
*/
select device, snapshot, exhibit, line, kind, value, told, found, port, other, said, aged, level
from indicator_hits
where rule = 'indicator-address-configured'
