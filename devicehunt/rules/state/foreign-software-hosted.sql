/*
id: foreign-software-hosted
title: "{kind} is enabled: {text}"
about: "Guest Shell and application hosting are a Linux beside IOS: tools run there that no show command tells of."
check: C24
level: medium
platforms: [cisco_ios]
needs: [{any: [{containers@config: [kind, enabled]}, {containers@app-hosting: [kind, enabled]}, {containers@app-detail: [kind, enabled]}, {containers@iox: [kind, enabled]}]}]
key: [kind, name]
subjects:
  - {type: setting, path: text}
attack: [T1610, T1609]
falsepositives:
  - "automation or a sensor that the owner runs on the device"
references:
  - "CISA AA25-239A: Guest Shell (2025)"
response: "Copy the disk of the container before it is destroyed (guestshell destroy erases it). Look at its history and its connections."
*/
select device, snapshot, exhibit, line, kind, coalesce(name, kind) as name, text, 'medium' as level from containers where enabled
