/*
id: certificate-of-attack-tool
title: "{whose_text} {far}, whose certificate is the default of {tool}"
about: "Frameworks for remote control make a certificate with a fixed name on their first start. Nobody else uses these names."
check: C23
level: high
needs: [{tls_sessions@packets: [subject, issuer]}, {connections@packets: [orig_ip, resp_ip, resp_port]}, own_addresses]
key: [tool, far]
subjects:
  - {type: peer, address: resp_ip, port: port}
explained_by: [peer]
attack: [T1587.003, T1071.001, T1219]
falsepositives:
  - "a security test that the owner ordered"
  - "an infected host behind the device (medium on a WAN capture, low where the LAN side shows it): then look there"
references:
  - "Elastic: Default Cobalt Strike Team Server Certificate (2020)"
  - "Koczwara: Hunting C2 with Shodan (2021)"
  - "nettitude/PoshC2: poshc2/server/Config.py; NYAN-x-CAT/AsyncRAT-C-Sharp; BishopFox/sliver; cobbr/Covenant"
  - "Corelight: detecting AsyncRAT and DcRat by their certificates (2023)"
response: "Cut the connection off at the next hop, not on the device. Find the process that holds it and secure its memory."
*/
with tools(tool, pattern) as (values
  ('Cobalt Strike', 'CN=Major Cobalt Strike|OU=AdvancedPenTesting'), ('PoshC2', 'CN=P18055077\b|O=Pajfds\b'), ('Metasploit', 'CN=MetasploitSelfSignedCA'),
  ('AsyncRAT', 'CN=AsyncRAT Server'), ('DcRat', 'CN=DcRat( Server)?\b'), ('Quasar', 'CN=Quasar Server CA'), ('VenomRAT', 'CN=VenomRAT( Server)?\b'),
  ('BitRAT', 'CN=BitRAT\b'), ('Covenant', 'CN=Covenant($|,)'), ('Mythic', 'O=Mythic($|,)'), ('Sliver (operators)', 'CN=operators($|,)')),
s as (
  select c.*, x.subject, x.issuer, t.tool from tls_sessions x
  join device_traffic c using (device, snapshot, exhibit, connection)
  join tools t on regexp_matches(x.issuer, '(?i)' || t.pattern) or regexp_matches(x.subject, '(?i)' || t.pattern)
  where x.view = 'packets')
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, tool, any_value(resp_ip) as resp_ip, any_value(resp_port) as port,
  resp_ip || ':' || resp_port as far,
  case when bool_or(to_device) then 'the device itself answers at' when bool_or(whose = 'device') then 'the device itself speaks with'
    when bool_and(whose = 'behind') then 'a host behind the device, ' || min(behind_ip) || ', speaks with' else 'the device (or a host behind it) speaks with' end as whose_text,
  case when bool_and(whose = 'behind') then 'low' when bool_or(whose = 'device' or to_device) then 'high' else 'medium' end as level,
  false as race, null as race_reason
from s group by device, snapshot, tool, resp_ip, resp_port
union all
select c.device, c.snapshot, min(c.exhibit), arg_min(c.line, (c.exhibit, c.line)), null, null, null, null, null, null, true,
  'no certificate can be read: the sessions are of TLS 1.3, or were not captured from their beginning'
from device_traffic c join tls_sessions x using (device, snapshot, exhibit, connection) where x.view = 'packets'
group by c.device, c.snapshot having count(x.subject) = 0
