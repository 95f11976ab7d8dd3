/*
id: ios-changed-from-outside
title: "{account} changed the configuration from {source}{why}"
about: "The device writes down who changed its configuration and from where. A change by a stranger's address, or through the web interface by a name that the configuration does not have, is an intruder at work."
check: C34
level: medium
platforms: [cisco_ios]
needs: [{config_changes@logging: [account, source_ip]}, {log_events@logging: [message]}]
key: [account, source]
subjects:
  - {type: account, name: account}
  - {type: peer, address: source}
explained_by: [peer]
attack: [T1078, T1133, T1190]
falsepositives:
  - "the owner or the provider at work from outside; put their networks under networks.management in the site file"
  - "an account of the TACACS+ or RADIUS server that uses the web interface (low)"
references:
  - "Cisco: System Message Guide: SYS-5-CONFIG_I, SYS-5-CONFIG_P"
  - "Cisco: CVE-2023-20198: Configured programmatically by process SEP_webui_wsma_http, WEBUI-6-INSTALL_OPERATION_INFO (2023)"
response: "Collect the log, show archive log config all and the records of the log and AAA servers now. Compare the configuration with the last good one. Ask for the change behind it."
*/
with m as (select exists(select 1 from site_networks where side = 'management' and first_key is not null) as named),
c as (
  select device, snapshot, exhibit, line, coalesce(account, 'somebody') as account, source_ip as source,
    -- the owner's networks for management, where they are named; else all that is not the internet
    case when is_external(source_key) then ' outside'
         when m.named and not exists(select 1 from site_networks n where n.side = 'management' and source_key between n.first_key and n.last_key)
         then ', which no network for management holds' end as why,
    case when is_external(source_key) and m.named then 'high' else 'medium' end as level
  from config_changes, m where view = 'logging' and source_key is not null
    and not exists(select 1 from own_addresses o where (o.device, o.snapshot, o.address_key) = (config_changes.device, config_changes.snapshot, source_key))),
w as (  -- through the web interface; the name is what the device calls the one who did it
  select device, snapshot, exhibit, line,
    nullif(regexp_extract(message, ': Configured programmatically by process SEP_webui\S* from console as (\S+) on ', 1), '') as changed,
    case when facility = 'WEBUI' and program = 'INSTALL_OPERATION_INFO' then nullif(regexp_extract(message, ': User: ([^,\s]+), Install Operation: ', 1), '') end as installed
  from log_events where view = 'logging' and (program = 'CONFIG_P' or facility = 'WEBUI')),
k as (
  select w.*, coalesce(changed, installed) as account,
    exists(select 1 from accounts a where (a.device, a.snapshot, a.name) = (w.device, w.snapshot, coalesce(changed, installed))) as known,
    exists(select 1 from accounts a where (a.device, a.snapshot) = (w.device, w.snapshot) and a.view = 'config') as seen,
    exists(select 1 from aaa_servers a where (a.device, a.snapshot) = (w.device, w.snapshot)) as served
  from w where coalesce(changed, installed) is not null)
select device, snapshot, exhibit, line, account, source, why, level, false as race, null as race_reason from c where why is not null
union all
select device, snapshot, exhibit, line, account, 'the web interface',
  concat_ws('', case when installed is not null then ', where something was installed' end, case when seen and not known then ', and the configuration has no such account' end),
  case when seen and not known and not served then 'high' when installed is not null then 'medium' else 'low' end, false, null
from k
union all
-- a log that was switched off, or cleared, proves nothing
select device, snapshot, exhibit, line, '', '', '', 'low', true, 'the log in memory is empty'
from feeds where table_name = 'log_events' and view = 'logging' and row_count = 0
