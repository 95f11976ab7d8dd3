/*
id: account-unexpected
title: "account {name}: {why}"
about: "Who can log in to a router is a short list. An account that the firmware does not ship, with root's number or a password and a shell, belongs to somebody."
check: C05
level: medium
core: true
platforms: [linux]
needs: [{accounts@passwd: [name, uid, shell]}]
key: [name]
subjects:
  - {type: account, name: name}
explained_by: [account]
attack: [T1136.001, T1078.003]
falsepositives:
  - "vendor support accounts, accounts of the owner or the provider; name them in the site file"
  - "ASUSWRT: the owner chooses the name of the one account with number 0"
  - "Broadcom's software for providers: admin, support, user and nobody share the number 0"
references:
  - "passwd(5): an empty shell field is /bin/sh"
  - "Zyxel: attackers add accounts such as zyxel_slIvpn (2021)"
  - "ASD: BADCANDY accounts cisco_tac_admin, cisco_support (2025)"
  - "MITRE ATT&CK T1136.001: create local account"
response: "Ask the owner. Do not delete the account before its logins are collected (log, wtmp, keys). Then change every password and key of the device."
*/
with a as (
  select device, snapshot, name, arg_min(exhibit, place) as exhibit, arg_min(line, place) as line, arg_min(view, place) as view,
    max(exhibit) filter (view = 'shadow') as exhibit_2, arg_max(line, (exhibit, line)) filter (view = 'shadow') as line_2,
    min(uid) as uid, max(shell) as shell, coalesce(max(hash_kind) filter (view = 'shadow'), max(hash_kind) filter (view in ('passwd', 'config'))) as password,
    bool_or(view = 'config' or view = 'nvram') as configured
  from (select *, concat(case view when 'passwd' then 0 when 'config' then 1 when 'uci' then 2 else 3 end, exhibit, lpad(line::varchar, 9, '0')) as place
        from accounts where name is not null and view <> 'group')
  group by device, snapshot, name having bool_or(view in ('passwd', 'config', 'uci'))),
k as (
  select a.*, case when view = 'passwd' then coalesce(nullif(shell, ''), '/bin/sh') when view = 'config' then 'its password' else 'the web interface' end as way_in,
    -- an empty field is /bin/sh (passwd(5))
    case when view <> 'passwd' then true when coalesce(shell, '') = '' then true
      else regexp_matches(shell, '/(r?ba|a|da|z|k|c|tc|hu|fi|vba|vty)?sh$|/busybox$') end as has_shell,
    exists(select 1 from known_patterns p where p.kind = 'system-account' and p.pattern = a.name) as shipped,
    (select max(p.label) from known_patterns p where p.kind = 'system-account' and p.pattern = a.name) as role,
    exists(select 1 from ssh_keys s where (s.device, s.snapshot, s.account) = (a.device, a.snapshot, a.name)) as has_key,
    -- it looks like a name that is not its own, or like what intruders made to look like a vendor's
    exists(select 1 from known_patterns p where p.kind = 'system-account' and folded(p.pattern) = folded(a.name) and p.pattern <> lower(a.name))
      and not exists(select 1 from known_patterns p where p.kind = 'system-account' and p.pattern = a.name)
      or exists(select 1 from known_patterns p where p.kind = 'lookalike-account' and regexp_matches(folded(a.name), replace(translate(lower(p.pattern), 'i10', 'llo'), 'rn', 'm')))
      or not regexp_full_match(a.name, '[\x00-\x7F]*') as lookalike,
    exists(select 1 from expected e where e.kind = 'account') as listed_by_owner,
    count(*) filter (uid = 0 and name <> 'root' or name = 'root') over w as roots,
    -- the passwd of Broadcom's software for providers: admin, support, user and nobody share the number 0, and nobody is root
    name in ('support', 'user', 'nobody') and bool_or(name = 'admin' and uid = 0) over w and not bool_or(name = 'root') over w as providers
  from a window w as (partition by device, snapshot)),
s as (
  select *, password in ('des', 'md5crypt', 'sha256crypt', 'sha512crypt', 'yescrypt', 'bcrypt') as has_password,
    shipped and role is null as daemons,
    uid = 0 and not shipped as second_root,
    uid = 0 and not shipped and (configured or roots = 1) as renamed   -- ASUSWRT lets the owner choose the name of its one account
  from k)
select device, snapshot, exhibit, line, exhibit_2, line_2, name,
  concat_ws(', ', case when lookalike then 'its name imitates another' end,
    case when uid = 0 then 'it has root''s number 0' end,
    case when daemons then 'it belongs to a daemon' end,
    case when has_shell then 'it can log in with ' || way_in end,
    case when has_key then 'an SSH key is stored for it' end,
    case when password = 'none' then 'it has no password' when password = 'locked' then 'its password is locked' end,
    case when listed_by_owner then 'the owner did not name it' end) as why,
  case when lookalike then case when has_shell or uid = 0 then 'critical' else 'high' end
       when providers then 'medium'
       when second_root then case when renamed and not listed_by_owner then 'medium' else 'high' end
       when daemons then case when has_password or has_key or (uid = 0 and password <> 'locked') then 'high' else 'medium' end
       when not shipped and listed_by_owner then 'high'
       when not shipped and password = 'locked' and not has_key then 'low'
       else 'medium' end as level,
  case when not lookalike and (configured and not shipped) then 'running' end as explained_by
from s
where lookalike or second_root
  or (not shipped and has_shell)
  or (daemons and has_shell and (has_password or has_key or uid = 0 and password <> 'locked' or password = 'none'))
  or (role = 'guest' and has_shell and has_password)
  or (password = 'none' and has_shell and name <> 'root')
