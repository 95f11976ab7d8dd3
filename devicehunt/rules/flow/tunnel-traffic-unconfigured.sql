/*
id: tunnel-traffic-unconfigured
title: "{whose_text} exchanges {kind} packets with {far}, a peer that no configuration names"
about: "A tunnel below TCP and UDP needs no process and no listening port. Whoever ends it sits in the LAN, or lets its traffic leave by this line."
check: C13
level: high
needs:
  - {connections@packets: [proto, orig_ip, resp_ip, orig_packets]}
  - {any: [{tunnels: [peer_ip]}, settings]}
  - own_addresses
key: [kind, far]
subjects:
  - {type: peer, address: far}
explained_by: [tunnel, peer]
attack: [T1572, T1599]
falsepositives:
  - "PPTP of a host behind the device, whose data are GRE (nothing is said where its control connection is seen)"
  - "the access tunnel of a provider (6rd, DS-Lite, MAP-E) that the device learns by DHCP (low)"
references:
  - "CISA AA25-239A: GRE tunnels on routers of providers (2025)"
  - "RFC 2784, RFC 2003, RFC 2661"
response: "List the tunnels of the running device (ip tunnel, show interfaces tunnel) and where the inner traffic goes; the capture has it as rows of its own (depth 1)."
*/
with c as (
  select *, case when from_device then resp_ip else orig_ip end as far, case when from_device then resp_key else orig_key end as far_key,
    case proto when 'gre' then 'GRE' when 'ipip' then 'IPIP' when 'ipv6' then '6in4' when 'etherip' then 'EtherIP' else 'L2TP' end as kind
  from device_traffic
  where (proto in ('gre', 'ipip', 'ipv6', 'etherip', '115') or app = 'l2tp') and ((from_device and resp_outside) or (to_device and orig_outside and (resp_packets > 0 or proto <> 'udp'))) and whose <> 'behind')
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, kind, far,
  case when bool_or(whose = 'device') then 'the device itself' else 'the device (or a host behind it)' end as whose_text,
  -- one way only: somebody knocks, or an answer that went another way
  case when kind = '6in4' or kind = 'IPIP' and bool_and(contains(far, ':')) then 'low' when bool_or(whose = 'device') and sum(orig_packets) > 0 and (sum(resp_packets) > 0 or count(distinct from_device) = 2) then 'high' else 'medium' end as level
from c
where not exists(select 1 from named_peers n where (n.device, n.snapshot, n.address) = (c.device, c.snapshot, c.far))
  and not exists(select 1 from own_traffic p where (p.device, p.snapshot) = (c.device, c.snapshot) and p.app = 'pptp' and c.far_key in (p.orig_key, p.resp_key))
group by device, snapshot, kind, far
