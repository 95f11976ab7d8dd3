/*
id: vpn-client-dials-out
title: "{kind} client {name} dials {peer}{why}"
about: "A VPN client of the router carries other people's traffic through it, in either direction. Only the owner can say whom it dials."
check: C13
level: medium
platforms: [mikrotik_routeros]
needs: [{any: [{tunnels@config: [kind, peer_ip]}, {tunnels@print: [kind, peer_ip]}]}]
key: [kind, name, peer]
subjects:
  - {type: interface, name: name, peer: peer}
  - {type: peer, address: peer}
explained_by: [tunnel, peer]
attack: [T1572, T1090.003]
falsepositives:
  - "a VPN provider or head office of the owner; name the tunnel in the site file"
references:
  - "MikroTik: Meris botnet information (2021): L2TP client lvpn"
  - "CISA AA25-239A: tunnels on routers (2025)"
response: "Record the peer, the user and the counters. Ask the owner. Keep the export before the client is removed."
*/
with t as (
  select t.*, coalesce(t.peer_ip, (select max(s.value) from settings s where (s.device, s.snapshot, s.exhibit, s.line) = (t.device, t.snapshot, t.exhibit, t.line) and s.path like '%connect-to')) as peer
  from tunnels t
  where t.kind in ('l2tp', 'pptp', 'sstp', 'ovpn') and coalesce(t.enabled, true) and (t.peer_ip is null or is_external(t.peer_key))),
c as (
  select t.*,
    exists(select 1 from proxies p where (p.device, p.snapshot) = (t.device, t.snapshot) and p.enabled) as proxied,
    exists(select 1 from jobs j where (j.device, j.snapshot) = (t.device, t.snapshot) and regexp_matches(j.command, '(?i)tool[ /]+fetch|\bfetch\s[^;\n]*url=')
      and regexp_matches(j.command, '(?i)\bimport\b|http://|//(\d{1,3}\.){3}\d')) as fetched,
    exists(select 1 from firewall_rules r where (r.device, r.snapshot) = (t.device, t.snapshot) and r.action = 'ACCEPT' and r.chain in ('input', 'forward') and r.in_if = t.name) as let_in
  from t where peer is not null)
select device, snapshot, exhibit, line, kind, coalesce(name, '(no name)') as name, peer,
  concat_ws(',', case when proxied then ' while a proxy is switched on' end, case when fetched then ' while a job fetches and imports' end,
    case when let_in then ' and the firewall lets it in' end, case when not (proxied or fetched) then ': confirm with the owner' end) as why,
  case when proxied or fetched then 'high' else 'medium' end as level
from c
