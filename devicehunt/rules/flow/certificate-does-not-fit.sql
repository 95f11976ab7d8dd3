/*
id: certificate-does-not-fit
title: "on port {port} the device shows {asker} a certificate that does not fit: {what}{configured_text}"
about: "Implants on routers bring certificates of their own: made up names, a lifetime of a century, the test key of a library, another vendor's name."
check: C23
level: medium
needs: [{tls_sessions@packets: [subject, issuer, not_before, not_after, self_signed]}, {connections@packets: [orig_ip, resp_ip, resp_port]}, own_addresses]
key: [port, what]
subjects:
  - {type: socket, proto: proto, local_port: port}
explained_by: [listener]
attack: [T1587.003, T1573.002]
falsepositives:
  - "the default certificate of a router's own pages is self-signed and lives long (low); compare it with that of another device of the model"
  - "a server behind a port forward (low where NAT, connection tracking or the LAN side show it)"
references:
  - "SecurityScorecard STRIKE: Operation WrtHug, a certificate valid for 100 years with one letter in each field (2025)"
  - "SecurityScorecard STRIKE: LapDogs, certificates in the name of a police department (2025)"
  - "Sekoia: PolarEdge, a TLS server built on mbed TLS / PolarSSL (2025)"
  - "UK NCSC: Pygmy Goat imitates another vendor's CA (2024)"
response: "Find the program that listens on this port, copy it and its certificate before it is stopped. Search scan databases for the certificate's SHA-256: the same on unrelated devices is an operator's."
*/
with brands(brand, pattern) as (values ('Fortinet', 'fortinet|fortigate'), ('Cisco', '\bcisco'), ('MikroTik', 'mikrotik|routeros'), ('Ubiquiti', 'ubiquiti|\bubnt\b|\bunifi\b'),
  ('Juniper', '\bjuniper'), ('Sophos', '\bsophos\b|cyberoam'), ('SonicWall', 'sonicwall'), ('WatchGuard', 'watchguard'), ('Palo Alto Networks', 'palo ?alto networks|\bpan-os\b'),
  ('DrayTek', 'draytek'), ('Zyxel', 'zyxel'), ('NETGEAR', 'netgear'), ('ASUS', '\basus'), ('TP-Link', '\btp-?link'), ('Linksys', 'linksys'), ('D-Link', '\bd-?link\b'),
  ('Huawei', 'huawei'), ('Check Point', 'check ?point software')),
own as (
  select distinct d.device, d.snapshot, b.brand from devices d join brands b
    on regexp_matches(concat_ws(' ', d.vendor, d.platform, d.model), '(?i)' || replace(b.pattern, '\bcisco', '\bcisco|cisco_ios'))),
s as (
  select c.device, c.snapshot, c.exhibit, c.line, c.proto, c.resp_port as port, c.orig_outside, c.orig_ip, c.whose, x.subject, x.issuer, x.self_signed,
    concat_ws(' ', x.subject, x.issuer, x.names) as words, date_diff('day', x.not_before, x.not_after) as days,
    regexp_extract_all(x.subject, '(?:^|[,+])[A-Za-z0-9.]+=([^,+]*)', 1) as fields, p.what as configured
  from tls_sessions x join device_traffic c using (device, snapshot, exhibit, connection)
  left join configured_ports p on (p.device, p.snapshot, p.port) = (c.device, c.snapshot, c.resp_port)
  where x.view = 'packets' and c.to_device),
told as (
  select *, 'each field of its name holds a letter or two, ' || (days // 365) || ' years' as what, 'high' as level from s where len(fields) >= 4 and list_max(list_transform(fields, lambda f: len(f))) <= 2 and days > 18250
  union all select *, 'each field of its name holds a letter or two', 'medium' from s where len(fields) >= 4 and list_max(list_transform(fields, lambda f: len(f))) <= 2 and coalesce(days, 0) <= 18250
  union all select *, 'it speaks in the name of a police department', 'high' from s where regexp_matches(words, '(?i)\bLAPD\b|police department')
  union all select *, 'it is the test certificate of a TLS library, whose key everybody has', 'medium' from s where regexp_matches(words, '(?i)O=(PolarSSL|mbed ?TLS)\b|(PolarSSL|mbed ?TLS) (test|server|client)')
  union all select *, 'it ends before it begins, or within two days', 'medium' from s where days < 2
  union all select s.*, 'it names ' || b.brand || ', the device is of ' || (select min(o.brand) from own o where (o.device, o.snapshot) = (s.device, s.snapshot)), 'medium'
    from s join brands b on regexp_matches(s.words, '(?i)' || b.pattern)
    where exists(select 1 from own o where (o.device, o.snapshot) = (s.device, s.snapshot))
      and not exists(select 1 from own o where (o.device, o.snapshot, o.brand) = (s.device, s.snapshot, b.brand))
  union all select *, 'it is valid for ' || (days // 365) || ' years', 'low' from s where days > 7305 and orig_outside
  union all select *, 'self-signed, and asked for from outside', 'low' from s where self_signed and orig_outside)
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, any_value(proto) as proto, port, what,
  case when bool_or(orig_outside) then 'outsiders' else 'hosts inside' end as asker,
  case when bool_and(whose = 'behind') then ' (a host behind it answers)' when max(configured) is not null then ' (configured: ' || max(configured) || '; confirm with the owner)' else '' end as configured_text,
  case when bool_and(whose = 'behind') then 'low' when any_value(level) = 'low' and max(configured) is not null then 'info' else any_value(level) end as level,
  false as race, null as race_reason
from told group by device, snapshot, port, what
union all
select device, snapshot, min(exhibit), arg_min(line, (exhibit, line)), any_value(proto), null, null, null, null, null, true,
  'no certificate of the device can be read: its sessions are of TLS 1.3, or were not captured from their beginning'
from s group by device, snapshot having count(subject) = 0
