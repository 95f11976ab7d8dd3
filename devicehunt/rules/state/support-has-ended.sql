/*
id: support-has-ended
title: "{product} is without support ({name}): {reason}"
about: "Whole networks of taken routers are built of models whose maker stopped mending them: what was found since then stays open. That says how somebody could have come in, not that somebody did."
check: C35
level: low
context: true
needs: [{any: [{devices: [model]}, {devices: [version]}]}]
key: [product]
subjects:
  - {type: setting, path: product, value: said}
attack: [T1584.008, T1190]
falsepositives:
  - "a device that is kept for a laboratory, or behind another one that is maintained"
  - "support that the owner bought beyond the last day"
references:
  - "Vendors' end-of-life notices (rules/exposures.yaml names one for each entry)"
  - "FBI: cyber criminal services target end-of-life routers (2025)"
response: "Plan its replacement. Until then keep its management away from the internet and compare its configuration with a known one regularly."
*/
with d as (
  select device, snapshot, exhibit, line, coalesce(platform, 'linux') as platform, model, version, version_key(version) as key from devices where model is not null or version is not null),
e as (select * from known_exposures where kind = 'end-of-life'),
h as (
  select d.device, d.snapshot, d.exhibit, d.line, e.product, e.name, e.reason, case when e.model_pattern is not null then d.model else d.version end as said
  from d join e on e.platform = d.platform
    and (e.model_pattern is not null or e.version_pattern is not null)
    and (e.model_pattern is null or regexp_matches(d.model, e.model_pattern))
    and (e.version_pattern is null or regexp_matches(d.version, e.version_pattern))
    and (e.first_version is null or d.key >= version_key(e.first_version)) and (e.fixed_version is null or d.key < version_key(e.fixed_version))),
k as (
  select device, snapshot, max(platform) as platform, max(model) as model, max(version) as version, max(key) as key, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line,
    -- a distribution of Linux is supported by its release series; elsewhere the model decides
    max(model) is not null or (max(platform) = 'linux' and max(key) is not null) as known
  from d group by device, snapshot)
select device, snapshot, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, product, name, reason, min(said) as said,
  false as race, null::varchar as race_reason, null::varchar as no_finding, 'low' as level
from h group by device, snapshot, product, name, reason
union all
select device, snapshot, exhibit, line, null, null, null, null, true,
  'no output names the model' || coalesce(case when platform = 'linux' then ' or a release (version ' else ' (version ' end || version || ')', ''), null, null
from k where not known
union all
select device, snapshot, min(exhibit), min(line), null, null, null, null, true, 'no output names the model or the version', null, null
from exhibits where not exists(select 1 from k where (k.device, k.snapshot) = (exhibits.device, exhibits.snapshot)) group by device, snapshot
union all
select device, snapshot, exhibit, line, null, null, null, null, false, null,
  concat_ws(', ', coalesce('model ' || model, 'a model that was not named'), 'version ' || version) || ': no entry in the list of ended support of ' || (select max(listed) from known_exposures) || '; that does not make it supported', null
from k where known and not exists(select 1 from h where (h.device, h.snapshot) = (k.device, k.snapshot))
