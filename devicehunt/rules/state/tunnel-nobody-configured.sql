/*
id: tunnel-nobody-configured
title: "{name} is a tunnel interface that is up{peer_text}, and {why}"
about: "A tunnel carries other people's traffic through the router's own address. Only the owner can say what it is for."
check: C13
level: high
core: true
platforms: [linux]
needs: [{any: [{interfaces@ip: [name, flags]}, {interfaces@ifconfig: [name, flags]}, {interfaces@proc: [name]}]}]
key: [name]
subjects:
  - {type: interface, name: name, peer: peer}
  - {type: process, pid: pid, name: program, exe: path}
explained_by: [tunnel]
attack: [T1572, T1133]
falsepositives:
  - "a VPN of the owner on a device whose configuration was not collected: then nothing can explain it, and that is said"
  - "a VPN that the owner set up without saying so; interfaces that the kernel makes by itself are left out"
references:
  - "CISA AA25-239A: GRE and IPsec tunnels on routers (2025)"
  - "FBI, Cisco Talos: Static Tundra adds GRE tunnels (2025)"
response: "Record the peer, keys' fingerprints and counters. Ask the owner. Keep the process and its configuration before the interface is taken down."
*/
with i as (
  select i.device, i.snapshot, i.name, arg_min(i.exhibit, (i.view, i.exhibit, i.line)) as exhibit, arg_min(i.line, (i.view, i.exhibit, i.line)) as line,
    max(i.flags) as flags, max(i.kind) as kind, max(coalesce(i.rx_bytes, 0)) as rx
  from interfaces i
  where exists(select 1 from known_patterns k where k.kind = 'tunnel-interface' and regexp_full_match(i.name, k.pattern))
     or regexp_full_match(coalesce(i.kind, ''), 'tun|gre|gretap|ipip|sit|wireguard|vti|vti6|ip6tnl|ip6gre|ip6gretap|erspan|l2tp|vxlan|geneve|ppp')
     or (i.flags like '%POINTOPOINT%' and i.name not like 'ppp%')
  group by i.device, i.snapshot, i.name),
t as (
  select i.*, (select max(peer_ip) from tunnels t where (t.device, t.snapshot, t.name) = (i.device, i.snapshot, i.name)) as peer,
    (select max(path) from settings s where (s.device, s.snapshot) = (i.device, i.snapshot)
       and regexp_matches(s.path, '(^|[.\s])' || regexp_escape(i.name) || '([.\s]|$)') and s.value is not null) as configured,
    (select min(pid) from programs p where (p.device, p.snapshot) = (i.device, i.snapshot) and not p.is_kernel
       and regexp_matches(p.cmdline, '(^|[\s=/])' || regexp_escape(i.name) || '(\s|\.|$)')) as pid,
    -- VPN software of the platform, at its own path, with an interface of the shape that it makes; a program
    -- under another name or at another place makes none of these. What it is for, only the owner knows
    (select min(pid) from programs p where (p.device, p.snapshot) = (i.device, i.snapshot) and not coalesce(p.exe_deleted, false)
       and is_stock_program(p.exe, p.argv0, p.name) and (not regexp_matches(coalesce(p.cmdline, ''), '[ =]/(tmp|dev/shm|var/tmp)/') or contains(p.cmdline, ' /tmp/etc/'))
       and (p.name = 'tailscaled' and i.name like 'tailscale%' or p.name = 'zerotier-one' and regexp_full_match(i.name, 'zt[a-z0-9]{6,}')
         or p.name = 'openvpn' and regexp_full_match(i.name, '(tun|tap|ovpn)\w*'))) as maker,
    -- whoever holds /dev/net/tun made such an interface, whatever its own name and that of the interface
    (select min(f.pid) from open_files f where (f.device, f.snapshot) = (i.device, i.snapshot) and f.target = '/dev/net/tun'
       and (coalesce(i.kind, 'tun') = 'tun' or i.flags like '%POINTOPOINT%')) as holder,
    exists(select 1 from settings s where (s.device, s.snapshot) = (i.device, i.snapshot) and s.view in ('uci', 'nvram', 'config')) as has_settings
  from i
  where not exists(select 1 from known_patterns k where k.kind = 'tunnel-interface-default' and regexp_full_match(i.name, k.pattern))
    and (flags is null and rx > 0 or flags like '%UP%')
    and not exists(select 1 from sides s where (s.device, s.snapshot, s.interface, s.side) = (i.device, i.snapshot, i.name, 'wan') and (i.name like 'ppp%' or i.name like 'pppoe%' or i.name like 'wwan%')))
select t.device, t.snapshot, t.exhibit, t.line, p.exhibit as exhibit_2, p.line as line_2, t.name, t.peer, p.pid, p.name as program, p.path,
  case when t.peer is not null then ' to ' || t.peer else '' end as peer_text,
  case when t.configured is not null then 'the configuration has it: confirm with the owner'
       when t.maker is not null then 'the VPN software of the platform made it: confirm with the owner'
       when p.pid is not null and not p.vpn then coalesce(p.name, 'process ' || p.pid) || ', which is no VPN software of the platform, made it'
       when not t.has_settings then 'no configuration was collected that could explain it: ask the owner, and collect it'
       else 'no configuration that was collected explains it' end as why,
  case when coalesce(t.configured, t.maker::varchar) is not null then 'medium' else 'high' end as level,
  case when t.configured is not null then 'running' end as explained_by
from t left join (select *, is_stock_program(exe, argv0, name) and name in ('openvpn', 'tailscaled', 'zerotier-one') as vpn from programs) p
  on (p.device, p.snapshot, p.pid) = (t.device, t.snapshot, coalesce(t.maker, t.holder, t.pid))
