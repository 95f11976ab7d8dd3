/*
id: magic-packet
title: "{far} sent the device {what} that nobody answered, and {seconds} s later {whose_text} opened {app_text} to the same host"
about: "Passive implants listen to nothing. A packet with the right bytes wakes them, whatever the port and the firewall, and they call back."
check: C37
level: high
needs: [{connections@packets: [orig_ip, resp_ip, orig_payload, resp_packets, orig_flags, first_at]}, own_addresses]
key: [far]
subjects:
  - {type: peer, address: far, port: port}
explained_by: [peer]
attack: [T1205, T1205.002, T1095]
falsepositives:
  - "peers of a game or of BitTorrent that try each other from both sides, of a host behind the device (never high there)"
  - "a VPN gateway of the owner whose both ends open the tunnel (low where the configuration names the peer)"
references:
  - "Lumen Black Lotus Labs: J-magic, cd00r on Juniper (2025)"
  - "PwC, Trend Micro: BPFDoor, a magic TCP, UDP or ICMP packet and a connection back (2022, 2025)"
  - "Mandiant: UNC3886, THINCRUST/CASTLETAP, ICMP echo with a marker, then TLS to its sender (2023)"
response: "Keep the packets. Look for packet sockets and BPF filters on the device (ss -0pb, /proc/net/packet) and copy their owners' executables; a restart erases them."
*/
with woken as (
  select *, case proto when 'icmp' then 'an ICMP packet with ' || orig_payload || ' bytes' when 'icmp6' then 'an ICMP packet with ' || orig_payload || ' bytes'
      when 'udp' then 'a datagram of ' || orig_payload || ' bytes' else case when contains(orig_flags, 'S') then 'a SYN that carries ' || orig_payload || ' bytes' else 'a TCP packet of no connection with ' || orig_payload || ' bytes' end end as what
  from device_traffic
  where to_device and orig_outside and orig_payload > 0 and orig_packets <= 4
    -- nobody answered: nothing came back, or only a reset
    and (resp_packets = 0 or (proto = 'tcp' and resp_flags in ('R', 'RA')))
    and proto in ('tcp', 'udp', 'icmp', 'icmp6') and not (proto = 'icmp' and orig_port not in (0, 8, 13, 15, 17)) and not (proto = 'icmp6' and orig_port not in (128, 129))
    and coalesce(app, '') not in ('bittorrent', 'stun', 'quic', 'wireguard', 'ike', 'openvpn', 'sip', 'dns', 'ntp', 'rtp', 'teredo')),
calls as (select * from device_traffic where from_device and resp_outside and proto in ('tcp', 'udp') and answered and coalesce(app, '') not in ('bittorrent', 'stun', 'ike', 'dns', 'ntp'))
select w.device, w.snapshot, min(w.exhibit) as exhibit, arg_min(w.line, (w.exhibit, w.line)) as line, arg_min(c.exhibit, (c.exhibit, c.line)) as exhibit_2, arg_min(c.line, (c.exhibit, c.line)) as line_2,
  w.orig_ip as far, any_value(c.resp_port) as port, min(w.what) as what, round(min(epoch_ms(c.first_at::timestamp) - epoch_ms(w.first_at::timestamp)) / 1000, 1) as seconds,
  case when bool_or(c.whose = 'device') then 'the device itself' when bool_and(c.whose = 'behind') then 'a host behind it' else 'the device (or a host behind it)' end as whose_text,
  coalesce(min(c.app) || ' on port ', 'port ') || any_value(c.resp_port) as app_text,
  case when bool_or(n.address is not null) or bool_and(c.whose = 'behind') then 'low' when bool_or(c.whose = 'device') then 'high' else 'medium' end as level
from woken w join calls c on (c.device, c.snapshot, c.resp_key) = (w.device, w.snapshot, w.orig_key)
  and epoch_ms(c.first_at::timestamp) - epoch_ms(w.first_at::timestamp) between 0 and 5000
left join named_peers n on (n.device, n.snapshot, n.address) = (w.device, w.snapshot, w.orig_ip)
-- who was spoken with before is no stranger
where not exists(select 1 from device_traffic b where (b.device, b.snapshot) = (w.device, w.snapshot) and b.from_device and b.resp_key = w.orig_key and b.first_at < w.first_at)
group by w.device, w.snapshot, w.orig_ip
