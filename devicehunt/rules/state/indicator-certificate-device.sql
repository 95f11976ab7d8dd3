/*
id: indicator-certificate-device
title: "the {kind} {value}, an indicator ({said}): {told}; {aged}"
about: "The device holds a certificate that somebody published as that of a bad server."
check: C20
level: medium
needs:
  - indicators@certificate
  - {certificates: [digest]}
key: [kind, value]
subjects:
  - {type: file, path: other}
attack: [T1587.003]
falsepositives:
  - "a default certificate of a product, which many devices have"
references:
  - "OASIS: STIX 2.1 (indicator, confidence scale in appendix A); MISP core format"
response: "Keep certificate and key. Find the service that uses it."
*/
select device, snapshot, exhibit, line, kind, value, told, found, port, other, said, aged, level
from indicator_hits
where rule = 'indicator-certificate-device'
