/*
id: vpn-client-dials-out
title: "{kind} client {name} dials {peer}{why}"
about: "A VPN client of the router carries other people's traffic through it, in either direction. Only the owner can say whom it dials."
check: C13
level: medium
platforms: [mikrotik_routeros]
needs: [{any: [{tunnels@config: [kind, peer_ip]}, {tunnels@print: [kind, peer_ip]}]}]
key: [kind, name]
subjects:
  - {type: interface, name: name, peer: peer_ip}
  - {type: peer, address: peer_ip}
explained_by: [tunnel]
attack: [T1572, T1090.003]
falsepositives:
  - "a VPN provider or head office of the owner; name the tunnel in the site file"
references:
  - "MikroTik: Meris botnet information (2021): L2TP client lvpn"
  - "CISA AA25-239A: tunnels on routers (2025)"
response: "Record the peer, the user and the counters. Ask the owner. Keep the export before the client is removed."
*/
with t as (
  select t.*, coalesce(t.peer_ip, (select max(s.value) from settings s where (s.device, s.snapshot, s.exhibit, s.line) = (t.device, t.snapshot, t.exhibit, t.line) and s.path like '%connect-to'),
    'an address that was not shown') as peer
  from tunnels t
  where t.kind in ('l2tp', 'pptp', 'sstp', 'ovpn') and coalesce(t.enabled, true) and (t.peer_ip is null or is_external(t.peer_key))),
c as (
  select t.*,
    exists(select 1 from proxies p where (p.device, p.snapshot) = (t.device, t.snapshot) and p.enabled and p.kind = 'socks') as proxied,
    exists(select 1 from jobs j where (j.device, j.snapshot) = (t.device, t.snapshot) and rsc_fetches(j.command) and rsc_runs_file(j.command)
      and (rsc_bare(j.command) or rsc_plain(j.command) or regexp_full_match(coalesce(j.name, ''), '(?i)u\d{1,3}'))) as fetched,
    exists(select 1 from firewall_rules r where (r.device, r.snapshot) = (t.device, t.snapshot) and r.action = 'ACCEPT' and r.chain in ('input', 'forward')
      and (r.in_if = t.name or (r.chain = 'input' and r.in_if is null and r.src is null and r.proto = 'tcp' and r.dst_port_first >= 1024))) as let_in,
    regexp_full_match(coalesce(t.name, ''), '(?i)lvpn\d*') as known_name
  from t)
select device, snapshot, exhibit, line, kind, coalesce(name, '(no name)') as name, peer, peer_ip,
  coalesce(nullif(concat_ws(',', case when proxied then ' while the SOCKS proxy is switched on' end, case when fetched then ' while a job fetches and runs a file' end,
    case when let_in then ' and the firewall lets in what comes' end, case when known_name then ' under a name that is known for it' end), ''), ': confirm with the owner') as why,
  case when proxied or fetched or (known_name and let_in) then 'high' else 'medium' end as level
from c
