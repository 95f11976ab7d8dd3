/*
id: ios-hidden-from-configuration
title: "{what} {name} is active, and the running configuration does not show it"
about: "show and the configuration are two views of one fact. BlackTech's firmware left its own lines out of the configuration that it printed; an applet can do the same."
check: C32
level: high
platforms: [cisco_ios]
memory: true
needs:
  - {any: [{all: [{jobs@registered: [name]}, {jobs@config: [name]}]}, {all: [{captures@session: [kind, name]}, {captures@config: [kind, name]}]}]}
key: [what, name]
subjects:
  - {type: job, name: name}
attack: [T1564, T1601.001]
falsepositives:
  - "sessions that a service module made for itself"
  - "a change between the two outputs"
references:
  - "NSA, CISA: BlackTech hides in router firmware: EEM policies change what commands show (2023)"
response: "Trust no output of this device. Take the memory (the vendor's forensic guide), and read the configuration from NVRAM by another way."
*/
with h as (
  select j.device, j.snapshot, j.exhibit, j.line, 'the policy' as what, j.name,
    not exists(select 1 from jobs c where (c.device, c.snapshot, c.view) = (j.device, j.snapshot, 'config') and c.name = j.name) as hidden, 'jobs' as t
  from jobs j where j.view = 'registered' and j.owner = 'user'
  union all
  select j.device, j.snapshot, j.exhibit, j.line, 'the monitor session', j.name,
    not exists(select 1 from captures c where (c.device, c.snapshot, c.view) = (j.device, j.snapshot, 'config') and c.name = j.name), 'captures'
  from captures j where j.view = 'session')
select device, snapshot, exhibit, line, what, name from h
where hidden and name is not null
  -- only where the configuration was read, and read to its end
  and exists(select 1 from feeds f where (f.device, f.snapshot, f.table_name, f.view) = (h.device, h.snapshot, h.t, 'config') and f.usable)
