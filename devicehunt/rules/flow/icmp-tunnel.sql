/*
id: icmp-tunnel
title: "{whose_text} and {far} exchange data in ICMP echo: {packets} packets, {sent} bytes one way and {back} the other"
about: "An echo brings back what was sent. Where the sizes of questions and answers differ, or much is carried, something else speaks."
check: C37
level: high
needs: [{connections@packets: [proto, orig_ip, resp_ip, orig_packets, resp_packets, orig_payload, resp_payload]}, own_addresses]
key: [far]
subjects:
  - {type: peer, address: far}
explained_by: [peer]
attack: [T1095, T1572]
falsepositives:
  - "a monitor that sends large pings to measure the path: its answers have the size of the questions (medium at most, by volume)"
references:
  - "RFC 792: the data received in the echo message must be returned"
  - "hans, ptunnel-ng, icmptunnel: their documentation; SonicWall and Fortinet implants tasked by ICMP (Mandiant, 2023)"
response: "Keep the packets: what they carry is mostly in the clear. Find the process with a raw socket on the device."
*/
with e as (
  select *, case when from_device then resp_ip else orig_ip end as far from device_traffic
  where ((proto = 'icmp' and orig_port in (0, 8)) or (proto = 'icmp6' and orig_port in (128, 129))) and ((from_device and resp_outside) or (to_device and orig_outside))),
g as (
  select device, snapshot, far, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, sum(orig_packets + resp_packets) as packets,
    sum(orig_packets) as asked, sum(resp_packets) as answered, sum(orig_payload) as sent, sum(resp_payload) as back,
    bool_and(whose = 'behind') as passed, bool_or(whose = 'device') as own, min(behind_ip) as behind_ip, bool_or(to_device) as served
  from e group by device, snapshot, far),
h as (
  select *, asked >= 8 and answered >= 8 and abs(sent / asked - back / answered) >= 16 as uneven, packets >= 200 and (sent + back) / packets >= 400 as heavy from g)
select device, snapshot, exhibit, line, far, packets, sent, back,
  case when passed then 'a host behind the device, ' || behind_ip || ',' when own or served then 'the device itself' else 'the device (or a host behind it)' end as whose_text,
  case when passed then 'low' when uneven and own then 'high' when uneven or heavy then 'medium' end as level
from h where uneven or heavy
