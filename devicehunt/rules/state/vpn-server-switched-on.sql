/*
id: vpn-server-switched-on
title: "the {kind} server takes clients in{who}"
about: "A VPN server turns the router's own menu into the way in: whoever has an account works from the router's address and inside its network, and nothing foreign runs."
check: C13
level: medium
platforms: [mikrotik_routeros]
needs:
  - {any: [{vpn_servers@config: [kind, enabled]}, {all: [{vpn_servers@l2tp: [enabled]}, {vpn_servers@pptp: [enabled]}, {vpn_servers@sstp: [enabled]}, {vpn_servers@ovpn: [enabled]}]}]}
  - {any: [{accounts@vpn: [name]}]}
key: [kind]
subjects:
  - {type: setting, path: text}
  - {type: socket, proto: proto, local_port: port}
explained_by: [listener]
attack: [T1133, T1078.003, T1136.001]
falsepositives:
  - "an owner who works from outside, or a provider who takes its customers in; ask, and have each account named"
references:
  - "Tokyo Metropolitan Police: home routers with VPN and DDNS switched on by attackers (2023)"
  - "MikroTik: L2TP, PPTP, SSTP, OpenVPN (help.mikrotik.com)"
response: "Show the list of VPN accounts to the owner. Keep the log of their connections. Then remove strangers and change all secrets: they are stored readable."
*/
with v as (
  select device, snapshot, kind, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, arg_min(text, (exhibit, line)) as text, max(port) as port
  from vpn_servers where enabled and kind <> 'wireguard' group by device, snapshot, kind),
a as (select device, snapshot, count(distinct name) as accounts, string_agg(distinct name, ', ' order by name) as names, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line
  from accounts where view = 'vpn' group by device, snapshot)
select v.device, v.snapshot, v.exhibit, v.line, a.exhibit as exhibit_2, a.line as line_2, v.kind, v.text,
  case when v.kind = 'l2tp' then 'udp' else 'tcp' end as proto,
  coalesce(v.port, case v.kind when 'l2tp' then 1701 when 'pptp' then 1723 when 'sstp' then 443 else 1194 end) as port,
  case when a.accounts is null then ', though no account for it was seen'
       else ': ' || a.accounts || case a.accounts when 1 then ' account (' else ' accounts (' end || left(a.names, 100) || '), confirm each with the owner' end as who,
  case when a.accounts is null then 'low' else 'medium' end as level
from v left join a using (device, snapshot)
