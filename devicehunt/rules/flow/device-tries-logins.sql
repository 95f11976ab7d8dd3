/*
id: device-tries-logins
title: "{who} made {tries} short visits to {ends} {what} outside within {hours} ({first_end} ...): logins tried at many ends"
about: "Routers are used to guess passwords from many addresses, a few at each end so that no end sees many. A router logs in nowhere by itself."
check: C27
level: high
needs: [{any: [{connections@packets: [orig_ip, resp_ip, first_at, oriented, resp_port]}, {connections@exporter: [orig_ip, resp_ip, first_at]}, {connections@zeek: [orig_ip, resp_ip, first_at]}]}, own_addresses]
key: [what]
subjects:
  - {type: peer, address: first_end}
attack: [T1110.003, T1110.004]
falsepositives:
  - "a jump host, or a device that is managed from by design; on the WAN alone: somebody in the LAN who manages many servers (medium there)"
references:
  - "Microsoft: Storm-0940 uses CovertNetwork-1658 (Quad7) for password spray (2024)"
  - "CISA AA24-038A (2024)"
response: "Tell the owners of the far ends. Keep the device's processes and connections; a relay may stand in front of it: see the findings on relays."
*/
with l as (
  select l.*, lower(rtrim(t.sni, '.')) as name from legs l left join tls_sessions t on (t.device, t.snapshot, t.exhibit, t.connection) = (l.device, l.snapshot, l.exhibit, l.connection)
  where l.direction = 'out' and l.side = 'wan' and l.node = 'device' and l.origin in ('self', 'unknown') and l.proto = 'tcp' and l.rev > 0 and l.sampling <= 1
    and l.feed in ('packets', 'exporter', 'zeek') and l.t1 - l.t0 <= 60000000 and l.fwd <= 8192 and l.rev <= 16384),
v as (
  select l.*, case when app = 'ssh' or peer_port in (22, 2222) then 'SSH servers' when peer_port in (23, 2323) then 'Telnet servers' when peer_port in (3389, 5900) then 'remote desktops'
      when peer_port in (1433, 3306, 5432) then 'databases' when peer_port in (8291, 8728, 8729) then 'RouterOS devices' when peer_port in (110, 143, 993, 995) then 'mailboxes'
      when regexp_matches(name, '^(login|signin|logon|sso|auth|adfs|sts|idp|accounts?|owa|autodiscover|webmail|vpn\d*|sslvpn|webvpn|remote|access|gp|citrix|portal)\.') then 'sign-in pages' end as what,
    case when name is not null then name else peer_ip end as far
  from l)
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, what, count(*) as tries, count(distinct far) as ends,
  printf('%.1f h', (max(t0) - min(t0)) / 3.6e9) as hours, min(peer_ip) as first_end,
  case when bool_and(origin = 'self') then 'the device itself' else 'the device (or a host behind it)' end as who, case when bool_and(origin = 'self') then 'high' else 'medium' end as level
from v where what is not null
group by device, snapshot, feed, what
-- somebody in the LAN signs in at many pages on any day
having ends >= case when bool_and(origin = 'self') then 10 else 20 end and (bool_and(origin = 'self') or what <> 'sign-in pages')
union all by name
select device, snapshot, true as race, string_agg(distinct concat(case feed when 'packets' then 'the capture' when 'exporter' then 'the flow records' else feed end, ': ', coalesce(blind, short)), '; ') as race_reason
from sights group by device, snapshot having bool_and(blind is not null or short is not null)
