/*
id: ios-web-server-on
title: "the web interface is on ({services}) and no access list guards it{outside}"
about: "The web interface of IOS-XE gave thousands of devices away. It belongs behind an access list, or off."
check: C38
level: medium
platforms: [cisco_ios]
needs: [{management_access@config: [service, enabled]}]
key: [services]
subjects:
  - {type: setting, path: text}
explained_by: [listener]
attack: [T1190]
falsepositives:
  - "a device without an outer interface, whose web interface the owner uses"
references:
  - "CISA KEV: CVE-2023-20198 and CVE-2023-20273 (2023)"
  - "Cisco: hardening of IOS-XE: no ip http server"
response: "Switch it off (no ip http server, no ip http secure-server), or put an access class on it. Look at the accounts and at the log for web logins before that."
*/
with w as (
  select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, string_agg(distinct service, ', ' order by service) as services, min(text) as text
  from management_access where service in ('http', 'https') and enabled group by device, snapshot)
select w.*, case when o.device is not null then ', on a device with an address of the internet' else '' end as outside,
  case when o.device is not null then 'medium' else 'low' end as level
from w
left join (select distinct device, snapshot from own_addresses where is_external(address_key)) o on (o.device, o.snapshot) = (w.device, w.snapshot)
where not exists(select 1 from management_access m where (m.device, m.snapshot) = (w.device, w.snapshot) and m.service = 'http' and m.acl is not null)
