/*
id: upnp-switched-on
title: "UPnP is switched on: any program of the LAN opens ports from outside"
about: "With UPnP a program inside opens the router to the outside without anybody being asked. Mappings that point outside were put there from the internet on many routers."
check: C08
level: low
platforms: [mikrotik_routeros]
needs: [{settings@config: [path, value]}]
key: [path]
subjects:
  - {type: setting, path: path}
attack: [T1090]
falsepositives:
  - "games and calls at home: RouterOS has it off until somebody switches it on"
references:
  - "Akamai: UPnProxy, EternalSilence: injected port mappings (2018, 2022)"
  - "MikroTik: UPnP (help.mikrotik.com)"
response: "List the dynamic NAT rules (print dynamic) and look for targets that are not inside. Switch it off when nobody needs it."
*/
select device, snapshot, exhibit, line, '/ip upnp enabled' as path from settings
where path in ('/ip upnp set enabled', '/ip upnp enabled') and value = 'yes'
