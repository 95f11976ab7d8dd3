-- Where values of indicators may stand in the tables. Statements end in a line with a semicolon alone; match.py runs them.
-- place: traffic, device (what it does), configured (what it was told), log. cap: the highest level that a hit there can have.

create temp table indicator_texts as   -- text that holds values among other words
select device, snapshot, exhibit, line, 'configured' as place, 'a job names it' as what, 'medium' as cap, null::timestamp as moment, command as text from jobs
union all select device, snapshot, exhibit, line, 'configured', 'a script names it', 'medium', null, text from scripts
-- lists of what is blocked name the bad on purpose
union all select device, snapshot, exhibit, line, 'configured', 'a setting names it', 'medium', null, value from settings
  where not regexp_matches(coalesce(path, ''), '(?i)address-list|black-?list|block-?list|banip|adblock|deny|drop|reject')
union all select device, snapshot, exhibit, line, 'configured', 'a firewall rule lets it through', 'medium', null, concat_ws(' ', src, dst, to_ip) from firewall_rules
  where coalesce(action, '') not in ('DROP', 'REJECT', 'TARPIT', 'LOG') and position > 0
union all select device, snapshot, exhibit, line, 'configured', 'a NAT rule names it', 'medium', null, concat_ws(' ', src, dst, to_ip) from nat_rules
union all select device, snapshot, exhibit, line, 'configured', 'management is open to it', 'medium', null, sources from management_access
union all select device, snapshot, exhibit, line, 'configured', 'SNMP is open to it', 'medium', null, sources from snmp_access
union all select device, snapshot, exhibit, line, 'configured', 'a tunnel leads to it', 'medium', null, allowed from tunnels
union all select device, snapshot, exhibit, line, 'configured', 'a record of names holds it', 'medium', null, concat_ws(' ', name, value) from dns_records
union all select device, snapshot, exhibit, line, 'configured', 'dynamic DNS uses it', 'medium', null, concat_ws(' ', provider, name) from dynamic_dns
union all select device, snapshot, exhibit, line, 'device', 'a process has it among its arguments', 'medium', started_at, cmdline from processes
union all select device, snapshot, exhibit, line, 'device', 'a command that was given names it', 'medium', changed_at, command from config_changes
union all select device, snapshot, exhibit, line, 'log', 'a line of a log names it', 'low', logged_at, message from log_events
union all select device, snapshot, exhibit, line, 'traffic', 'a message names it', 'medium', null, value from app_facts
;
create temp table indicator_tokens as
with t as (select * from indicator_texts where text is not null),
s as (
  select t.* exclude text, 'address' as kind, unnest(list_distinct(regexp_extract_all(text, '\b(?:\d{1,3}\.){3}\d{1,3}\b|(?:\b[0-9A-Fa-f]{1,4}|:):(?:[0-9A-Fa-f]{0,4}:){0,6}[0-9A-Fa-f]{1,4}\b'))) as text from t
  union all select t.* exclude text, 'domain', unnest(list_distinct(list_transform(regexp_extract_all(text, '(?:[A-Za-z0-9_](?:[\w-]*\w)?\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]'), lambda n: lower(n)))) from t
  union all select t.* exclude text, 'url', unnest(list_distinct(regexp_extract_all(text, '(?i)\b(?:https?|t?ftps?|wss?)://(?:[^\s/@"'']*@)?([^\s"''<>|;`\\)]+)', 1))) from t
  union all select t.* exclude text, 'path', unnest(list_distinct(regexp_extract_all(text, '(?:^|[\s"''=(;|&>`])(/[^\s"'';|&<>()`]+)', 1))) from t)
select * from s where text <> ''
;
create temp view indicator_addresses as
select device, snapshot, exhibit, line, 'traffic' as place, 'a connection to it' as what, 'medium' as cap, first_at::timestamp as moment, resp_key as key, resp_ip as found, resp_port as port, orig_ip as other from own_traffic
-- who knocks and gets no answer is met by every address of the internet
union all select device, snapshot, exhibit, line, 'traffic', case when coalesce(answered, true) then 'a connection from it' else 'a knock from it that was not answered' end,
  case when coalesce(answered, true) then 'medium' else 'low' end, first_at::timestamp, orig_key, orig_ip, orig_port, resp_ip from own_traffic
union all select device, snapshot, exhibit, line, 'traffic', 'a proxy was asked for it', 'medium', null, host_key, host, port, null from proxy_requests where host_key is not null
union all select device, snapshot, exhibit, line, 'traffic', 'an answer of DNS names it', 'medium', moment, ip(answer), answer, null, name from (
  select device, snapshot, exhibit, line, asked_at::timestamp as moment, name, unnest(string_split(answers, ',')) as answer from dns_queries) where ip(answer) is not null
union all select device, snapshot, exhibit, line, 'device', 'a socket speaks with it', 'medium', null, remote_key, remote_ip, remote_port, process from sockets
union all select device, snapshot, exhibit, line, 'device', 'connection tracking has a connection to it', 'medium', null, orig_dst_key, orig_dst_ip, orig_dst_port, orig_src_ip from nat_sessions
union all select device, snapshot, exhibit, line, 'device', 'connection tracking has a connection to it', 'medium', null, reply_src_key, reply_src_ip, reply_src_port, orig_src_ip from nat_sessions
  where reply_src_key is distinct from orig_dst_key
union all select device, snapshot, exhibit, line, 'device', case when unreplied then 'connection tracking has a knock from it that was not answered' else 'connection tracking has a connection from it' end,
  case when unreplied then 'low' else 'medium' end, null, orig_src_key, orig_src_ip, orig_src_port, orig_dst_ip from nat_sessions
union all select device, snapshot, exhibit, line, 'device', 'somebody is logged in from it', 'medium', started_at, source_key, source_ip, null, account from sessions
union all select device, snapshot, exhibit, line, 'device', 'the configuration was changed from it', 'medium', changed_at, source_key, source_ip, null, account from config_changes
union all select device, snapshot, exhibit, line, 'configured', 'it is a resolver', 'medium', null, address_key, address_ip, port, null from resolvers
union all select device, snapshot, exhibit, line, 'configured', 'a tunnel leads to it', 'medium', null, peer_key, peer_ip, peer_port, name from tunnels
union all select device, snapshot, exhibit, line, 'configured', 'log messages go to it', 'medium', null, address_key, address_ip, port, kind from log_targets
union all select device, snapshot, exhibit, line, 'configured', 'it decides on logins', 'medium', null, address_key, address_ip, port, kind from aaa_servers
union all select device, snapshot, exhibit, line, 'configured', 'a route leads to it', 'medium', null, gateway_key, gateway_ip, null, destination from routes
union all select device, snapshot, exhibit, line, 'configured', 'traffic is copied to it', 'medium', null, target_key, target_ip, null, name from captures
union all select device, snapshot, exhibit, line, place, what, cap, moment, ip(text), text, null, null from indicator_tokens where kind = 'address'
;
create temp view indicator_values as   -- kind: domain (with its parents), url, certificate, ja3, ja4, hassh, ssh-key, hash, path, user
select device, snapshot, exhibit, line, 'traffic' as place, 'it was asked of DNS' as what, 'medium' as cap, asked_at::timestamp as moment, 'domain' as kind, rtrim(lower(name), '.') as text, null::varchar as other from dns_queries
union all select device, snapshot, exhibit, line, 'traffic', 'an answer of DNS names it', 'medium', moment, 'domain', rtrim(lower(answer), '.'), name from (
  select device, snapshot, exhibit, line, asked_at::timestamp as moment, name, unnest(string_split(answers, ',')) as answer from dns_queries) where regexp_matches(answer, '[A-Za-z]\.?$')
union all select device, snapshot, exhibit, line, 'traffic', 'TLS asked for it', 'medium', null, 'domain', rtrim(lower(sni), '.'), null from tls_sessions where sni is not null
union all select device, snapshot, exhibit, line, 'traffic', 'HTTP asked for it', 'medium', null, 'domain', regexp_replace(lower(host), ':\d+$', ''), null from http_requests where host is not null
union all select device, snapshot, exhibit, line, 'traffic', 'a proxy was asked for it', 'medium', null, 'domain', rtrim(lower(host), '.'), null from proxy_requests where host_key is null
union all select device, snapshot, exhibit, line, 'traffic', 'HTTP asked for it', 'medium', null, 'url', regexp_replace(lower(host), ':(80|443)$', '') || regexp_replace(path, '#.*$', ''), null from http_requests where host is not null and path is not null
union all select x.device, x.snapshot, x.exhibit, x.line, 'traffic', 'a server showed it', 'medium', null, 'certificate', lower(x.sha256), c.resp_ip from tls_sessions x left join connections c using (device, snapshot, exhibit, connection) where x.sha256 is not null
union all select x.device, x.snapshot, x.exhibit, x.line, 'traffic', case when x.name = 'tls.certificate_sha1' then 'a server showed it' else 'a client showed it' end, 'medium', null, 'certificate', lower(x.value),
  case when x.name = 'tls.certificate_sha1' then c.resp_ip else c.orig_ip end from app_facts x left join connections c using (device, snapshot, exhibit, connection) where x.name in ('tls.client_certificate', 'tls.certificate_sha1')
union all select x.device, x.snapshot, x.exhibit, x.line, 'traffic', 'a client of TLS looks like it', 'medium', null, 'ja3', lower(x.ja3), c.orig_ip from tls_sessions x left join connections c using (device, snapshot, exhibit, connection) where x.ja3 is not null
union all select x.device, x.snapshot, x.exhibit, x.line, 'traffic', 'a server of TLS looks like it', 'medium', null, 'ja3', lower(x.ja3s), c.resp_ip from tls_sessions x left join connections c using (device, snapshot, exhibit, connection) where x.ja3s is not null
union all select x.device, x.snapshot, x.exhibit, x.line, 'traffic', 'a client of TLS looks like it', 'medium', null, 'ja4', lower(x.ja4), c.orig_ip from tls_sessions x left join connections c using (device, snapshot, exhibit, connection) where x.ja4 is not null
union all select x.device, x.snapshot, x.exhibit, x.line, 'traffic', 'a client of SSH looks like it', 'medium', null, 'hassh', lower(x.hassh), c.orig_ip from ssh_sessions x left join connections c using (device, snapshot, exhibit, connection) where x.hassh is not null
union all select x.device, x.snapshot, x.exhibit, x.line, 'traffic', 'a server of SSH looks like it', 'medium', null, 'hassh', lower(x.hassh_server), c.resp_ip from ssh_sessions x left join connections c using (device, snapshot, exhibit, connection) where x.hassh_server is not null
union all select device, snapshot, exhibit, line, 'traffic', 'the device shows it to the outside', 'medium', seen_at, 'certificate', lower(certificate), address from exposures where certificate is not null
union all select device, snapshot, exhibit, line, 'device', 'the device holds it', 'medium', null, 'certificate', lower(digest), name from certificates where digest is not null
union all select device, snapshot, exhibit, line, 'device', 'a file is it', 'medium', modified_at, 'hash', lower(digest), path from files where digest is not null
union all select device, snapshot, exhibit, line, 'device', 'an image of the system is it', 'medium', null, 'hash', lower(digest), path from images where digest is not null
union all select device, snapshot, exhibit, line, 'device', 'a file lies there', 'medium', modified_at, 'path', path, null from files where path is not null
union all select device, snapshot, exhibit, line, 'device', 'a process runs from it', 'medium', started_at, 'path', exe, name from programs where exe is not null
union all select device, snapshot, exhibit, line, 'device', 'a process runs it', 'medium', started_at, 'path', script, name from programs where script is not null
union all select device, snapshot, exhibit, line, 'device', 'a process has it open', 'medium', null, 'path', target, null from open_files where starts_with(target, '/')
union all select device, snapshot, exhibit, line, 'device', 'a job lies there', 'medium', null, 'path', path, null from jobs where path is not null
union all select device, snapshot, exhibit, line, 'device', 'a job runs it', 'medium', null, 'path', program, null from jobs where starts_with(program, '/')
union all select device, snapshot, exhibit, line, 'device', 'the device has this account', 'medium', null, 'user', name, null from accounts where name is not null
union all select device, snapshot, exhibit, line, 'device', 'it is logged in', 'medium', started_at, 'user', account, source_ip from sessions where account is not null
union all select device, snapshot, exhibit, line, 'device', 'it changed the configuration', 'medium', changed_at, 'user', account, source_ip from config_changes where account is not null
union all select device, snapshot, exhibit, line, 'device', 'this key may log in', 'medium', null, 'ssh-key', fingerprint, account from ssh_keys where fingerprint is not null
union all select device, snapshot, exhibit, line, case when kind = 'path' then 'device' else place end, what, cap, moment, kind, text, null from indicator_tokens where kind <> 'address'
;
create temp table indicator_keys as select distinct key from indicator_addresses where key is not null
;
create temp table indicator_seen as    -- every value once; a name as itself and as each name above it
with v as (select distinct kind, text from indicator_values)
select kind, text, text as value from v where kind <> 'domain'
union all select kind, text, unnest(list_transform(range(1, least(len(string_split(text, '.')), 20)), lambda n: array_to_string(string_split(text, '.')[n:], '.'))) as value from v where kind = 'domain'
;
