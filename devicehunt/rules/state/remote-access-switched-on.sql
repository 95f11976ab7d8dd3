/*
id: remote-access-switched-on
title: "the configuration has {what}: {path}"
about: "A VPN server, dynamic DNS or management from outside turns the router's own menu into the implant: no file, no process of its own."
check: C07
level: medium
core: true
platforms: [linux]
needs: [{any: [{settings@uci: [path, value]}, {settings@nvram: [path, value]}, {settings@config: [path, value]}]}]
key: [what, path]
subjects:
  - {type: setting, path: path, value: value}
attack: [T1133, T1090]
falsepositives:
  - "an owner who uses it; ask, it is never explained by itself"
references:
  - "Tokyo Metropolitan Police: home routers with VPN and DDNS switched on by attackers (2023)"
  - "GreyNoise: AyySSHush uses sshd_wan and sshd_port (2025)"
response: "Ask the owner whether they switched it on. If not, keep the configuration, then switch it off and change all passwords and VPN accounts."
*/
select device, snapshot, exhibit, line, path, value,
  case when regexp_matches(path, '(?i)ddns') then 'dynamic DNS'
       when regexp_matches(path, '(?i)(vpn_server|pptpd|openvpnd|vpn_serverx|wgs_enable|sstp|l2tp|ipsec_server|\.server_bridge|openvpn\..*mode)') then 'a VPN server'
       else 'management from the WAN' end as what, 'running' as explained_by
from settings
where (regexp_matches(path, '^(ddns_enable_x?|ddns_enable|vpn_serverx?_\w*(enable|start|eas)|VPNServer_enable|pptpd_enable|openvpnd?_enable|wgs_enable|ipsec_server_enable|sshd_wan|telnetd_wan|misc_http_x|remote_management|remote_mgt_https|remote_mgt_ssh|remote_mgt_telnet|sshd_wanport_enable)$')
    and coalesce(value, '') not in ('', '0', 'off', 'disabled', 'no'))
  or (regexp_matches(path, '^ddns\.[\w@\[\]]+\.enabled$') and value in ('1', 'on', 'true'))
  or (regexp_matches(path, '^openvpn\.[\w@\[\]]+\.(mode|server)$') and coalesce(value, '') <> '')
