-- The contract between parsers and rules. Every fact table begins with
--   device, snapshot, exhibit, line   (the citation) and ends with view (the route by which it was learnt).
-- Conventions: plural nouns; units in names (uptime_s, vsz_kb); addresses are canonical text (RFC 5952,
-- v4-mapped stored as v4) with a 16-byte network-order twin *_key that the loader fills from *_ip.
-- A comment behind a column is its documentation; docs/tables.md is generated from this file.

-- == what was received ==
create table exhibits(          -- one output (or one section of a transcript) as received
  device varchar, snapshot varchar, exhibit varchar, line bigint,   -- line: where the section begins
  seq bigint,                   -- order of collection within the snapshot
  command varchar,              -- as given by the index, the marker, the prompt or the file name
  stanza varchar,               -- which stanza of which platform read it: linux/netstat; null when nothing did
  status varchar,               -- complete, empty, absent, denied, unsupported, cut, garbled, timed-out, lost, late-data, not-collected, not-read
  end_proof varchar,            -- exit-status, marker, prompt, trailer, byte-count, none
  exit_status integer, lines bigint, unread bigint,                 -- unread: lines inside gaps
  collected_at timestamp);
create table feeds(             -- which table, view and columns an exhibit fed
  device varchar, snapshot varchar, exhibit varchar, line bigint, stanza varchar,
  table_name varchar, view varchar,
  columns varchar,              -- comma-separated
  incomplete varchar,           -- columns of this feed that the output left open for some rows, comma-separated
  row_count bigint,
  usable boolean,               -- may carry a no-hit: complete and fully read, or proven empty, or proven absent
  reason varchar);              -- why not usable; or a note (end not proven)
create table gaps(              -- lines that could not be read, and why
  device varchar, snapshot varchar, exhibit varchar, line bigint, last_line bigint, parser varchar, reason varchar);

-- == what the device said ==
create table devices(           -- facts about the device; each output fills what it knows
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  platform varchar, vendor varchar, model varchar, serial varchar, version varchar, kernel varchar, hostname varchar,
  address varchar, uptime_s bigint, clock timestamp,   -- clock: what the device's own clock said (UTC)
  clock_skew_ms bigint, collected_at timestamp, view varchar);
create table processes(         -- one row a process and view
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  pid bigint, ppid bigint, uid bigint, username varchar,
  start_ticks bigint,           -- clock ticks after boot (/proc/PID/stat field 22)
  started_at timestamp,
  comm varchar,                 -- the kernel's name, at most 15 bytes
  argv0 varchar, cmdline varchar,   -- arguments joined by a space
  exe varchar,                  -- the link target without its " (deleted)"
  exe_status varchar,           -- ok, none (kernel thread), denied, gone (process ended while reading)
  exe_deleted boolean, cwd varchar, state varchar, vsz_kb bigint,
  kthread boolean,              -- the kernel's own word: Kthread: line or PF_KTHREAD in flags
  listed boolean,               -- false: answered to its number but was absent from the listing of /proc
  view varchar);                -- ps, proc, walk, number
create table sockets(           -- one row a socket and owner
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  proto varchar,                -- tcp, udp, raw, packet, icmp, unix ...
  family varchar,               -- inet, inet6, unix, packet
  state varchar,                -- LISTEN, ESTABLISHED ... ; UNCONN for an unconnected udp socket
  local_ip varchar, local_key blob, local_port integer, bound_if varchar,
  remote_ip varchar, remote_key blob, remote_port integer,
  pid bigint, process varchar, inode bigint, uid bigint, path varchar, view varchar);
create table open_files(device varchar, snapshot varchar, exhibit varchar, line bigint,
  pid bigint, fd integer, target varchar,
  inode bigint,                 -- of socket:[inode]
  view varchar);
create table process_env(device varchar, snapshot varchar, exhibit varchar, line bigint,
  pid bigint, name varchar, value varchar, view varchar);
create table process_maps(device varchar, snapshot varchar, exhibit varchar, line bigint,
  pid bigint, path varchar, perms varchar, view varchar);
create table nat_sessions(      -- connection tracking entries, and sessions that its events tell
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  first_at timestamp, last_at timestamp,   -- the first and last event of a session; null: not known, as in every list of entries
  seen_at timestamp,            -- when a list of entries was taken; null for events
  family varchar, proto varchar, state varchar, timeout_s bigint,
  orig_src_ip varchar, orig_src_key blob, orig_src_port integer, orig_dst_ip varchar, orig_dst_key blob, orig_dst_port integer,
  orig_packets bigint, orig_bytes bigint,
  reply_src_ip varchar, reply_src_key blob, reply_src_port integer, reply_dst_ip varchar, reply_dst_key blob, reply_dst_port integer,
  reply_packets bigint, reply_bytes bigint, mark bigint, zone bigint, assured boolean, unreplied boolean,
  offloaded boolean,            -- to software or hardware: counts may be too small
  hw_offloaded boolean,
  view varchar);                -- conntrack, proc, print, show: what stood there at one time; conntrack-events: what was watched
create table settings(          -- a configuration value by its path
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  path varchar, value varchar,
  origin varchar,               -- running, startup, golden, export
  view varchar);
create table accounts(device varchar, snapshot varchar, exhibit varchar, line bigint,
  name varchar, privilege varchar, uid bigint, gid bigint, home varchar, shell varchar,
  hash_kind varchar,            -- none (no password), locked, shadow, des, md5crypt, sha256crypt, sha512crypt, yescrypt, bcrypt, other; never the hash
  view varchar);                -- passwd, shadow, config
create table ssh_keys(device varchar, snapshot varchar, exhibit varchar, line bigint,
  account varchar, kind varchar, fingerprint varchar, comment varchar, options varchar,
  store varchar,                -- the file or setting that holds it
  view varchar);
create table secrets(device varchar, snapshot varchar, exhibit varchar, line bigint,
  kind varchar, location varchar, account varchar, reversible boolean,   -- never the value
  view varchar);
create table jobs(device varchar, snapshot varchar, exhibit varchar, line bigint,
  kind varchar,                 -- cron, boot, scheduler, event
  name varchar, schedule varchar, command varchar, program varchar,   -- program: first path or word the command runs
  owner varchar, path varchar,  -- path: the file that holds the job
  view varchar);
create table scripts(device varchar, snapshot varchar, exhibit varchar, line bigint,
  path varchar, text varchar, view varchar);
create table firewall_rules(    -- filter, mangle, raw and nft filter rules, and one row a chain (position 0, policy)
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  rule_table varchar,           -- filter, mangle, raw; for nft: family and table name (inet fw4)
  family varchar,               -- ip, ip6, inet
  chain varchar,
  hook varchar, priority integer,   -- of a base chain: input, forward, output, prerouting, postrouting, ingress
  policy varchar,               -- on chain rows only: ACCEPT, DROP, REJECT
  position integer,             -- 1-based order in the chain; 0 = the chain itself
  action varchar,               -- ACCEPT, DROP, REJECT, RETURN, JUMP, GOTO, LOG, MARK, TPROXY, NFQUEUE, TEE, VMAP (a named verdict map), CONTINUE ...
  jump varchar,                 -- target chain of JUMP and GOTO
  proto varchar, in_if varchar, out_if varchar, src varchar, dst varchar,   -- interfaces and networks, comma-separated when several
  src_port_first integer, src_port_last integer, dst_port_first integer, dst_port_last integer,   -- one row a port range
  icmp_type varchar,
  negated varchar,              -- the names of the columns whose match is inverted, comma-separated
  ct_state varchar,             -- upper case, comma-separated
  unmodelled varchar,           -- match text that these columns do not express; null when all is expressed
  to_ip varchar, to_key blob, to_port integer, packets bigint, bytes bigint, comment varchar, text varchar, view varchar);
create table nat_rules(         -- the same columns for nat tables: DNAT, SNAT, MASQUERADE, REDIRECT, NETMAP
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  rule_table varchar, family varchar, chain varchar, hook varchar, priority integer, policy varchar, position integer,
  action varchar, jump varchar, proto varchar, in_if varchar, out_if varchar, src varchar, dst varchar,
  src_port_first integer, src_port_last integer, dst_port_first integer, dst_port_last integer, icmp_type varchar,
  negated varchar, ct_state varchar, unmodelled varchar,
  to_ip varchar, to_key blob, to_port integer, packets bigint, bytes bigint, comment varchar, text varchar, view varchar);
create table firewall_sets(     -- elements of nft sets and maps, and ipset members
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  rule_table varchar, name varchar, kind varchar, element varchar, view varchar);
create table policies(          -- steering and copying by the forwarding plane: ip rule, tc mirred, offload
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  kind varchar,                 -- ip-rule, tc-mirred, tc-bpf, flowtable, xfrm
  priority integer, selector varchar, fwmark varchar, action varchar, target varchar, text varchar, view varchar);
create table tunnels(device varchar, snapshot varchar, exhibit varchar, line bigint,
  name varchar, kind varchar, local_ip varchar, peer_ip varchar, peer_key blob, peer_port integer, listen_port integer,
  allowed varchar, enabled boolean, view varchar);
create table interfaces(device varchar, snapshot varchar, exhibit varchar, line bigint,
  name varchar, kind varchar, mac varchar, state varchar, flags varchar, master varchar, mtu integer, promiscuous boolean,
  rx_bytes bigint, tx_bytes bigint, rx_packets bigint, tx_packets bigint, view varchar);
create table addresses(device varchar, snapshot varchar, exhibit varchar, line bigint,
  interface varchar, address_ip varchar, address_key blob, prefix_length integer, peer_ip varchar, scope varchar, view varchar);
create table routes(device varchar, snapshot varchar, exhibit varchar, line bigint,
  family varchar, route_table varchar, kind varchar, destination varchar,   -- destination: CIDR; 0.0.0.0/0 and ::/0 are default
  gateway_ip varchar, gateway_key blob, interface varchar, metric bigint, source varchar, protocol varchar, view varchar);
create table neighbours(device varchar, snapshot varchar, exhibit varchar, line bigint,
  address_ip varchar, address_key blob, mac varchar, interface varchar, state varchar, view varchar);
create table resolvers(device varchar, snapshot varchar, exhibit varchar, line bigint,
  address_ip varchar, address_key blob, port integer, scope varchar,   -- scope: system, forwarder, dhcp, domain
  domain varchar, view varchar);
create table dns_records(device varchar, snapshot varchar, exhibit varchar, line bigint,
  name varchar, value varchar, view varchar);
create table mounts(device varchar, snapshot varchar, exhibit varchar, line bigint,
  source varchar, target varchar, fstype varchar, options varchar, view varchar);
create table modules(device varchar, snapshot varchar, exhibit varchar, line bigint,
  name varchar, size_bytes bigint, used_by varchar, taint varchar, view varchar);
create table packages(device varchar, snapshot varchar, exhibit varchar, line bigint,
  name varchar, version varchar, path varchar, status varchar, view varchar);   -- path: a file that the package owns
create table files(device varchar, snapshot varchar, exhibit varchar, line bigint,
  path varchar, kind varchar,   -- kind: file, directory, link, device, socket, fifo
  mode varchar, owner varchar, group_name varchar, size_bytes bigint, modified_at timestamp,
  modified varchar,             -- the time as the device printed it
  target varchar,               -- of a link
  digest varchar, digest_kind varchar, setuid boolean, executable boolean, view varchar);
create table services(          -- what should listen, and why: read from configurations and arguments
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  proto varchar, port integer, address varchar, path varchar, reason varchar, view varchar);
create table sessions(device varchar, snapshot varchar, exhibit varchar, line bigint,
  account varchar, terminal varchar, source_ip varchar, source_key blob, started_at timestamp, view varchar);
create table log_events(device varchar, snapshot varchar, exhibit varchar, line bigint,
  logged_at timestamp, logged varchar,   -- logged: the time as printed
  severity varchar, facility varchar, host varchar, program varchar, pid bigint, message varchar, view varchar);

-- == traffic ==
create table captures_read(     -- a capture as it was read
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  format varchar,               -- pcap, pcapng
  interface integer, interface_name varchar, linktype integer, snaplen bigint, filter varchar,
  packets bigint, bytes bigint, first_at timestamp_ns, last_at timestamp_ns,
  unread_packets bigint,        -- packets that no decoder could read
  other_packets varchar,        -- packets (and insides of tunnels) without addresses, by name, of the whole file: arp 12, stp 3
  drops bigint,                 -- packets that the capturer says it lost; null: it does not say
  early_packets bigint, backward_packets bigint,   -- of the file: packets dated before 1990; packets dated before the one in front of them
  capture varchar,              -- exhibit of the first file, where several are one capture; else its own
  view varchar);
create table connections(       -- orig opened it, resp answered; line: number of the first packet in the capture, or line of the log
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  connection bigint,            -- number within the exhibit: other tables name it
  proto varchar,                -- tcp, udp, icmp, icmp6, gre, esp ..., else the number
  orig_ip varchar, orig_key blob, orig_port integer, resp_ip varchar, resp_key blob, resp_port integer,   -- icmp: type and code as ports
  first_at timestamp_ns, last_at timestamp_ns,
  orig_packets bigint, orig_bytes bigint, resp_packets bigint, resp_bytes bigint,   -- bytes on the wire (frame length)
  orig_payload bigint, resp_payload bigint,   -- bytes above TCP or UDP, as the headers say
  orig_flags varchar, resp_flags varchar,     -- TCP flags seen, of FSRPAUEC
  oriented varchar,             -- how orig is known: syn, port, first, log
  interface integer, vlan integer,
  depth integer, tunnel varchar,   -- 0: outer; else inside the tunnel named
  sampling bigint,              -- one packet in so many; null: unknown, 1: all
  app varchar,                  -- what the first bytes say: tls, ssh, http, socks5 ...; null: not recognised
  usual_port boolean,           -- app is at home on resp_port; null where app is null
  view varchar);                -- packets, exporter, zeek, suricata, conntrack
create table series(            -- bytes of long and of large connections over time; no row where nothing was sent
  device varchar, snapshot varchar, exhibit varchar, line bigint, connection bigint,   -- line: of the connection
  bin bigint,                   -- tenths of a second since 1970
  orig_bytes bigint, resp_bytes bigint,   -- payload of each direction
  view varchar);
create table flows(             -- records of an exporter as they came, before stitching
  device varchar, snapshot varchar, exhibit varchar, line bigint,   -- line: number of the datagram (packet in the capture)
  exporter varchar, domain bigint, template integer, sequence bigint,
  proto varchar, src_ip varchar, src_key blob, src_port integer, dst_ip varchar, dst_key blob, dst_port integer,
  first_at timestamp_ns, last_at timestamp_ns, exported_at timestamp_ns,
  packets bigint, bytes bigint, tcp_flags integer, direction varchar,   -- ingress, egress
  in_interface bigint, out_interface bigint, post_src_ip varchar, post_src_port integer, post_dst_ip varchar, post_dst_port integer,
  sampling bigint,              -- one packet in so many; null: the exporter has not said
  depth integer,                -- 0: outer packet; 1: packet inside a tunnel that the exporter looked into, a row of its own
  clock varchar,                -- ok; else what is wrong: future, past, end-before-start, no-clock
  view varchar);                -- netflow1, netflow5, netflow7, netflow9, ipfix, sflow, nfcapd
create table tls_sessions(      -- one row a connection
  device varchar, snapshot varchar, exhibit varchar, line bigint, connection bigint,
  sni varchar, version varchar, alpn varchar, cipher varchar, ja3 varchar, ja3s varchar, ja4 varchar,
  subject varchar, issuer varchar, not_before timestamp, not_after timestamp, sha256 varchar, names varchar, self_signed boolean,
  view varchar);
create table ssh_sessions(
  device varchar, snapshot varchar, exhibit varchar, line bigint, connection bigint,
  client_banner varchar, server_banner varchar, hassh varchar, hassh_server varchar, view varchar);
create table http_requests(     -- one row a request
  device varchar, snapshot varchar, exhibit varchar, line bigint, connection bigint,
  method varchar, host varchar, path varchar, user_agent varchar, status integer, view varchar);
create table dns_queries(       -- one row a question; answers joined by a comma
  device varchar, snapshot varchar, exhibit varchar, line bigint, connection bigint,
  name varchar, kind varchar, rcode varchar, answers varchar, asked_at timestamp_ns, view varchar);
create table proxy_requests(    -- what a client asked a proxy for
  device varchar, snapshot varchar, exhibit varchar, line bigint, connection bigint,
  kind varchar,                 -- socks4, socks4a, socks5, connect
  method varchar,               -- socks: how the client logs in; connect: empty
  host varchar, host_key blob, port integer, reply varchar, granted boolean, view varchar);
create table app_facts(         -- what else the first bytes say, a name and a value a row (frp.version, dhcp.dns, stratum.worker ...)
  device varchar, snapshot varchar, exhibit varchar, line bigint, connection bigint,
  name varchar, value varchar, view varchar);
create table exposures(         -- the view from outside
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  address varchar, address_key blob, proto varchar, port integer, state varchar, service varchar, product varchar, banner varchar,
  certificate varchar,          -- SHA-256
  seen_at timestamp, source varchar, view varchar);   -- nmap, masscan, zgrab2, shodan, censys

-- == what a configuration says, the same for every platform ==
create table management_access( -- a way to manage the device
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  service varchar,              -- ssh, telnet, http, https, winbox, api, api-ssl, ftp, tftp, snmp, netconf, restconf, smart-install, mac-telnet, romon ...
  port integer, address varchar,
  enabled boolean,
  sources varchar,              -- networks that may connect, comma-separated; null: the configuration names none
  acl varchar,                  -- the access list that guards it, by name; null: none is named
  interface varchar, text varchar, view varchar);
create table log_targets(       -- where log messages go
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  kind varchar,                 -- syslog, buffer, console, monitor, disk, email, netflow, snmp-trap
  address_ip varchar, address_key blob, port integer, level varchar,
  enabled boolean,              -- false: logging of this kind is switched off
  text varchar, view varchar);
create table aaa_servers(       -- who decides on logins besides the device itself
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  kind varchar,                 -- tacacs, radius, ldap
  name varchar, address_ip varchar, address_key blob, port integer, enabled boolean, text varchar, view varchar);
create table aaa_methods(       -- the order in which logins, rights and records are decided
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  service varchar,              -- authentication login, authorization exec, accounting commands 15 ...
  name varchar,                 -- of the method list
  methods varchar,              -- in order, separated by a blank
  text varchar, view varchar);
create table snmp_access(       -- who may ask by SNMP
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  kind varchar,                 -- community, user, group, host
  name varchar,                 -- of a user or group; a community's name is a secret and never here
  version varchar, access varchar,   -- access: ro, rw
  acl varchar, sources varchar, weak boolean,   -- weak: a community name that everybody tries first
  enabled boolean, text varchar, view varchar);
create table captures(          -- traffic copied or recorded by the device
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  kind varchar,                 -- span, rspan, erspan, monitor-capture, sniffer, sniff-tzsp, packet-capture, lawful-intercept
  name varchar, source varchar, target varchar,   -- source: interfaces or VLANs; target: interface or file
  target_ip varchar, target_key blob, enabled boolean, text varchar, view varchar);
create table containers(        -- software beside the vendor's own
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  kind varchar,                 -- guestshell, app-hosting, iox, container, virtual-service
  name varchar, state varchar, image varchar, enabled boolean, text varchar, view varchar);
create table images(            -- what the device boots and runs, and what vouches for it
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  kind varchar,                 -- running, boot, package, rommon, signature, digest
  path varchar, version varchar, digest varchar, digest_kind varchar,
  verified boolean,             -- the device's own word; null: it did not say
  signer varchar, text varchar, view varchar);
create table proxies(           -- SOCKS and HTTP proxies of the device's own software
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  kind varchar, port integer, enabled boolean, sources varchar, text varchar, view varchar);
create table vpn_servers(       -- the device takes VPN clients in
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  kind varchar,                 -- l2tp, pptp, sstp, openvpn, wireguard, ipsec, anyconnect
  name varchar, port integer, enabled boolean, text varchar, view varchar);
create table dynamic_dns(device varchar, snapshot varchar, exhibit varchar, line bigint,
  provider varchar, name varchar, enabled boolean, text varchar, view varchar);
create table certificates(device varchar, snapshot varchar, exhibit varchar, line bigint,
  name varchar, subject varchar, issuer varchar, serial varchar, not_before timestamp, not_after timestamp,
  digest varchar,               -- SHA-256 over the DER bytes, hexadecimal
  self_signed boolean, view varchar);
create table config_changes(    -- who changed the configuration, when, from where
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  changed_at timestamp, changed varchar,   -- changed: the time as printed
  account varchar, source_ip varchar, source_key blob, terminal varchar, command varchar, view varchar);

-- == what the owner and the platform say (loaded by hunt, no exhibit behind it) ==
create table expected(          -- the site file
  id integer, kind varchar, proto varchar, port integer, to_port integer, address varchar, to_address varchar,
  name varchar, fingerprint varchar, command varchar, path varchar);
create table site_networks(     -- networks: of the site file
  side varchar, network varchar, interface varchar, first_key blob, last_key blob);
create table inside_ranges(     -- what is not the internet: private, CGN, loopback, link-local, ULA, multicast, and the site's own networks
  first_key blob, last_key blob);
create table given_vantages(    -- where a capture was taken, as the user says (--vantage); wins over what its addresses say
  device varchar, snapshot varchar, exhibit varchar, vantage varchar, author varchar);
create table given_addresses(   -- what the user says are the device's own addresses (--device-ip); device: null is every one
  device varchar, address_ip varchar, address_key blob);
create table known_listeners(   -- stock listeners of the platform, from platform.yaml
  platform varchar, path varchar, proto varchar, port integer, wan boolean, reason varchar);
create table known_programs(    -- stock programs by path (a folder ends in /), with their role
  platform varchar, path varchar, role varchar, wan_client boolean, reason varchar);
create table known_patterns(    -- names, prefixes and regular expressions of the platform, by kind
  platform varchar,
  kind varchar,                 -- kernel-thread, proxy-arguments, proxy-program, volatile-path, owner-path, tunnel-interface,
                                -- tunnel-interface-default, packet-socket-program, busybox-daemon, system-account,
                                -- lookalike-account, public-resolver, stock-boot-line,
                                -- program-name (where the platform shows no paths; at most 15 letters),
                                -- service-statement (proto/port; label: the statement that makes it listen)
  pattern varchar, label varchar, reason varchar);
create table known_exposures(   -- versions with flaws that are known to be used, and models without updates (rules/exposures.yaml)
  platform varchar, product varchar,   -- product: the name for people
  version_pattern varchar, model_pattern varchar,   -- regular expressions over devices.version and devices.model; null: any
  kind varchar,                 -- exploited (CISA KEV), disclosed (public, no word of use), end-of-life
  name varchar,                 -- CVE or the vendor's notice
  first_version varchar, fixed_version varchar,   -- half open; null: no end on this side
  sure boolean,                 -- false: rebuilds inside the range may hold the fix; null: sure
  services varchar,             -- the services it is reached by, comma-separated; null: none in particular
  since varchar,                -- the day since when it is used, public or without support
  added varchar,                -- the day it came into the list
  listed varchar,               -- the date of the list
  reference varchar, reason varchar);
create table indicators(        -- entries of the lists given by --indicators whose value the evidence holds (devicehunt/indicators)
  id bigint, device varchar,    -- device: null is every one
  kind varchar,                 -- address, network, domain, url, certificate, ja3, ja4, hassh, ssh-key, hash, path, user
  value varchar, first_key blob, last_key blob,
  port integer,                 -- only with this port; null: any
  source varchar, source_sha256 varchar,   -- the list
  source_line bigint,           -- line of a plain list or a CSV
  object varchar,               -- id of the object, where the list has such
  name varchar,                 -- what the list says it is
  first_seen timestamp, last_seen timestamp, valid_until timestamp,
  confidence integer);          -- 0 to 100, as the list says; null: it does not
create table indicator_kinds(   -- what a kind is worth and how it ages (devicehunt/indicators/kinds.yaml)
  kind varchar, confidence integer, half_life_days integer);
create table indicator_levels(medium integer, low integer);   -- the weight from which a hit has this level

-- == computed of the lists of indicators (devicehunt/indicators/) ==
create table indicator_hits(    -- an entry and a fact that holds it, the first eight of each
  device varchar, snapshot varchar, exhibit varchar, line bigint,
  rule varchar, kind varchar, value varchar,
  what varchar,                 -- how the fact holds it, in words
  told varchar,                 -- the same with what was found, with whom, how often
  found varchar, port integer,  -- what stands in the fact: an address of the network, a name below the domain
  other varchar,                -- who else is in the fact: the other end, the file, the account
  level varchar, facts bigint, founds bigint, first_at timestamp, last_at timestamp,   -- facts, founds: how many, of the whole entry
  source varchar, source_line bigint, object varchar, name varchar, since timestamp, until timestamp,
  age_days bigint,              -- from the time that the list gives to the fact, by the evidence's clocks
  weight integer,               -- 0 to 100, after ageing
  sources bigint, said varchar, aged varchar);
-- == computed of traffic (devicehunt/detect/) ==
create table legs(              -- a connection as the device, or a host behind it, takes part in it
  id bigint, device varchar, snapshot varchar, feed varchar,   -- feed: the view of connections that tells it
  exhibit varchar, connection bigint, line bigint,
  side varchar,                 -- wan: the far end is outside; lan: inside
  direction varchar,            -- in: somebody came; out: it went to somebody
  node varchar,                 -- whose: device, or the address of a host behind it
  proto varchar, orig_ip varchar, orig_port integer, resp_ip varchar, resp_port integer,
  peer_ip varchar, peer_port integer, near_port integer,       -- peer: the far end; near_port: the port on the device's side
  t0 bigint, t1 bigint,         -- microseconds since 1970
  fwd bigint, rev bigint,       -- payload of the opener and of the answerer
  exact boolean,                -- payload was counted; false: estimated from bytes and packets
  app varchar, sampling bigint,
  origin varchar,               -- self, nat, dnat, lan, diverted (a host's connection that never left as it was), unknown
  origin_by varchar, origin_exhibit varchar, origin_line bigint,   -- who says so: lan side, connection tracking, configuration
  explained varchar);           -- what it is for (dns, ntp ...); null: unexplained
create table relay_keys(        -- a way in whose sessions go out again
  device varchar, snapshot varchar, feed varchar, node varchar,
  kind varchar,                 -- port: sessions come in at it; peer: they come over connections that the device opened to it
  name varchar, sessions bigint, matched bigint, expected double, score double, pairs bigint, exact bigint, how varchar);
create table relay_pairs(       -- a session and the leg that carries it on; session, onward: ids of legs
  device varchar, snapshot varchar, feed varchar, node varchar, kind varchar, name varchar, session bigint, onward bigint,
  lag_ms double, end_lag_ms double, over_fwd bigint, over_rev bigint, matches_exactly boolean);
create table beacons(           -- calls of the device to one peer at a rhythm: a ranking, no proof
  device varchar, snapshot varchar, feed varchar, node varchar, proto varchar, peer_ip varchar, peer_port integer,
  origin varchar,               -- self; unknown: only the outer side was seen, it may be a host behind the device
  calls bigint, first_leg bigint, since bigint, until bigint,   -- first_leg: id of a leg; microseconds since 1970
  wait_s double, deviation_s double, size_bytes bigint,         -- medians, and the median distance from it
  timing double, size double, spread double, lasting double,    -- the four parts, 0 to 1
  score double,                 -- their mean
  regular double,               -- -log10 of the chance that calls at random times are as even
  devices bigint, fleet bigint, rare boolean,                   -- devices that call this peer, of how many; rare: few of them
  explained varchar);           -- the parts in words
create table heartbeats(        -- a UDP port that keeps up with several peers at one rhythm
  device varchar, snapshot varchar, feed varchar, node varchar, port integer, peers bigint, first_peer varchar, first_leg bigint, since bigint, until bigint,
  wait_s double, size_bytes bigint,   -- medians of the peers
  in_time bigint, in_size bigint,     -- peers whose rhythm, whose size is that
  sent bigint, got bigint, by_device bigint, by_peer bigint,   -- datagrams; peers with whom the device began, who began themselves
  origin varchar);
create table chains(            -- two long connections that begin and end together with the same bytes; session, onward: ids of legs
  device varchar, snapshot varchar, feed varchar, node varchar, session bigint, onward bigint, lag_ms double, end_lag_ms double,
  over_fwd bigint, over_rev bigint, padding double,   -- padding: the larger share by which one has more than the other
  sure boolean,                 -- it is known of both who opened them
  expected double);             -- pairs like this that the device has at shifted times
create table newcomers(         -- what several devices of a fleet call since a moment, and did not before
  device varchar, snapshot varchar, feed varchar, kind varchar, name varchar,   -- kind: peer, port, certificate, ja3
  first_leg bigint, since bigint, calls bigint, devices bigint, fleet bigint, score double);
create table sights(            -- what a hunt for relays could see, feed by feed
  device varchar, snapshot varchar, feed varchar,
  sides varchar,                -- which sides of the device it shows: wan, lan, wan and lan; null: none
  seconds double, connections bigint, legs bigint,
  sessions bigint,              -- unexplained legs that came in, with payload both ways
  sampling bigint,              -- one packet in so many; 1: all
  origin_known double,          -- share of the legs of the WAN side of which it is known whose they are
  oriented double,              -- share of connections of which it is known who opened them
  offload varchar, offload_exhibit varchar, offload_line bigint,   -- what says that packets pass by what counts and records
  blind varchar,                -- why no relay could have been seen in it; null: it could
  short varchar,                -- why chance cannot be told from relays in it; null: it can
  words varchar);               -- all that in words
create table relay_hosts(       -- what the device itself says of a relay key
  device varchar, snapshot varchar, feed varchar, node varchar, kind varchar, name varchar,
  proto varchar, port integer, peer_ip varchar, peer_port integer,
  listed boolean,               -- whether the device's own list of sockets shows the port (or the connection to the peer); null: no list
  program varchar, path varchar, pid bigint,
  known boolean,                -- the program is the platform's own, or the configuration names the port
  strange varchar,              -- what is strange about the program; null: nothing
  socket_exhibit varchar, socket_line bigint, process_exhibit varchar, process_line bigint,
  opened_exhibit varchar, opened_line bigint,   -- the firewall rule that opens the port to the WAN
  nat_text varchar, nat_to varchar, nat_outside boolean, nat_exhibit varchar, nat_line bigint,
  configured varchar, configured_exhibit varchar, configured_line bigint,
  account varchar, account_exhibit varchar, account_line bigint,   -- who had logged in from where the sessions came from
  tunnel varchar, tunnel_exhibit varchar, tunnel_line bigint,
  asked bigint, asked_kind varchar,   -- sessions that began with a request to a proxy
  led bigint);                  -- those of them that were led where they asked to
create table unlooked(device varchar, snapshot varchar, feed varchar, what varchar);   -- what the search for carriers left out, in words
create table carriers(          -- a long connection (or all of one channel to one peer) that holds others inside
  carrier bigint, device varchar, snapshot varchar, feed varchar, exhibit varchar, line bigint, connection bigint,   -- of its largest leg
  node varchar, leg bigint, legs bigint,
  channel varchar,              -- what it speaks: dns, icmp, gre, ssh, wireguard ...; else its protocol
  step_ms bigint,               -- the interval at which bytes were compared
  tested bigint,                -- legs that it might have carried
  matched bigint, expected double,   -- of them those that fit and seldom do by chance, and how many do at shifted times
  score double,                 -- -log10 of the probability to fit so well by chance
  z double,                     -- distance from shifted times, in their standard deviations
  lag_ms bigint);               -- how much later bytes may leave
create table carried(           -- what a carrier carries
  carrier bigint, device varchar, snapshot varchar, exhibit varchar, line bigint, connection bigint, leg bigint,
  proto varchar, orig_ip varchar, orig_port integer, resp_ip varchar, resp_port integer, side varchar, origin varchar, t0 bigint, t1 bigint,
  chance double);               -- share of shifted times at which it fits too

create table reach(             -- computed by reach.py: what is open from where
  device varchar, snapshot varchar, exhibit varchar, line bigint,   -- the rule that decided
  family varchar, proto varchar, port integer, address varchar, from_side varchar,   -- from_side: wan, lan, vpn
  answer varchar,               -- open, restricted (to some sources), closed, unknown
  by_rule boolean,              -- true: a rule names this port; false: a policy or a general rule decides
  sources varchar, followed varchar, interface varchar);

-- == views: what rules ask for again and again ==
-- versions in the order of their vendors: 12.2(55)SE < 15.2(4)M3 < 15.2(4)M10, 16.12.4 < 16.12.4a, 6.49beta11 < 6.49rc1 < 6.49 < 6.49.1
create macro version_text(v) as nullif(regexp_extract(v, '(?:^|[^\w.])[vV]?(\d+(?:\.\d+|\(\d+)[\w.()-]*)', 1), '');
create macro version_key(v) as list_transform(regexp_extract_all(version_text(v), '\d+|[A-Za-z]+'), lambda t: case
  when regexp_full_match(t, '\d+') then try_cast(t as bigint) when lower(t) = 'alpha' then -3 when lower(t) = 'beta' then -2 when lower(t) = 'rc' then -1
  when regexp_full_match(t, '[a-z]') then ord(t) - 96 else 0 end) || [0];   -- the letters of a train have no order
-- /usr/sbin/x -> x
create macro base_name(p) as nullif(regexp_extract(p, '([^/]+)/*$', 1), '');
-- letters that look alike are one: i l I 1 |, o 0, rn m, vv w, and the Cyrillic twins of Latin ones; for names, not for expressions
create macro folded(n) as replace(replace(translate(lower(n), 'i1|0іаеорсху', 'lllolaeopcxy'), 'rn', 'm'), 'vv', 'w');
create macro script_of(c) as nullif(regexp_extract(c,   -- the script that an interpreter runs
  '^(?:\S*/)?(?:busybox )?(?:sh|ash|bash|dash|hush|lua|lua5\.\d|perl|python\d?(?:\.\d+)?|php(?:-cgi|-cli)?|micropython|ucode|tclsh|expect|node|ruby|ld(?:-\S+)?\.so\S*)\d?(?: -[a-zA-Z]+)* (/\S+)', 1), '');
create macro script_in(c, cwd) as rtrim(cwd, '/') || '/' || nullif(regexp_extract(c,   -- the same when it is named from its folder
  '^(?:\S*/)?(?:busybox )?(?:sh|ash|bash|dash|hush|lua|perl|python\d?|php|ucode|tclsh)(?: -[abd-z]+)* (?:\./)?([\w.]\S*)', 1), '');
-- whether a stock path is this process: by its executable; by its first argument where that is BusyBox; by its name where no link was read
create macro same_program(stock_path, exe, argv0, name) as case
  when exe is null then base_name(stock_path) = name                       -- no link was read: the name is all there is
  when base_name(exe) in ('busybox', 'toybox') then base_name(stock_path) = base_name(argv0)
  else stock_path = exe end;
-- whether a path begins with a pattern of that kind in stock.yaml (known_patterns)
create macro starts_with_any(p, k) as coalesce(exists(select 1 from known_patterns v where v.kind = k and starts_with(p, v.pattern)), false);
-- where owners keep software (a disk, Entware); a hidden folder in there is nobody's package
create macro is_owner_path(p) as starts_with_any(p, 'owner-path') and not regexp_matches(p, '/\.[^/]');
-- a place that is writable or gone after a reboot (stock.yaml), and no owner's place for software
create macro is_volatile(p) as starts_with_any(p, 'volatile-path') and not is_owner_path(p);
-- a stock program (with a path where one was read), and one that by its nature speaks with the outside
create macro is_stock_program(exe, argv0, name) as
  exists(select 1 from known_programs k where not ends_with(k.path, '/') and same_program(k.path, exe, argv0, name))
  or exists(select 1 from known_listeners k where same_program(k.path, exe, argv0, name));
create macro is_wan_program(exe, argv0, name) as
  exists(select 1 from known_programs k where k.wan_client and not ends_with(k.path, '/') and same_program(k.path, exe, argv0, name))
  or exists(select 1 from known_listeners k where k.wan and same_program(k.path, exe, argv0, name));
-- a stock program that serves the LAN or the device itself, and calls nobody; SSH has rules of its own
create macro is_stock_daemon(exe, argv0, name) as
  exists(select 1 from known_programs k where k.role in ('service', 'init', 'log', 'cron') and not k.wan_client and same_program(k.path, exe, argv0, name))
  and not is_wan_program(exe, argv0, name) and coalesce(name, '') not in ('dropbear', 'dbclient', 'sshd', 'sshd-session', 'ssh');
-- an address as 16 bytes that is private, CGN, loopback, link-local, ULA or of the site file's networks
create macro is_inside(k) as coalesce(exists(select 1 from inside_ranges n where k between n.first_key and n.last_key), false);
create macro is_external(k) as k is not null and not is_inside(k);   -- not private, CGN, loopback, link-local, ULA or the site's own
-- what a line of shell does. Gets something from afar and runs it: into a shell, behind chmod, by substitution; or hands a shell out
create macro runs_what_it_fetches(c) as regexp_matches(c, '(?i)'
  || '\b(wget|curl|uclient-fetch|tftp|ftpget|fetch|ftp|scp|rsync|nc|ncat|netcat|telnet|s_client|ssl_client|nslookup|dig)\b.*\|\s*((sudo|exec|nohup|busybox|\S*/busybox)\s+)*(\S*/)?(ba|a|da|z|k|hu)?(sh|python[\d.]*|perl|lua|php)\b'
  || '|\b(base64|uudecode|xxd|openssl|gunzip|zcat|printf)\b[^;]*\|\s*((sudo|busybox|\S*/busybox)\s+)*(\S*/)?(ba|a|da)?sh\b'
  || '|\b(wget|curl|uclient-fetch|tftp|ftpget|scp)\b.*(;|&&|\|\|)\s*(chmod\s+(\+x|[ugoa]+\+\w*x|0?[0-7]*[1357][0-7]*)\s|(\S*/)?(ba|a|da)?sh\s+/?\S|\./)'
  || '|(\bsh\s+-\w*c|\beval|\bsource|(^|[;&|]\s*)\.)\s+["'']?(\$\(|`|<\()\s*(\S*/)?(busybox\s+)?(wget|curl|uclient-fetch|nc|tftp|base64)\b|\bsh\s+<\(\s*(wget|curl)'
  || '|/dev/(tcp|udp)/|\bnc(at)?\b[^|;]*\s-\w*[ec]\s|\bmkfifo\b.*\bnc\b|\bmknod\s+\S+\s+p\b.*\bnc\b|\bsocat\b.*\b(exec|system):');
-- keeps a line to the outside open: a port opened on the far side of SSH, a plain connection
create macro opens_way_out(c) as
  regexp_matches(c, '(?i)\b(ssh|dbclient|autossh)\b.*\s-[a-z]*R\s?\S*\d|\bautossh\b|\bsocat\b.*\b(tcp|udp|openssl)\d?(-connect)?:\w')
  or (regexp_matches(c, '(^|[\s;&|(/])(nc|ncat|netcat)\s') and not regexp_matches(c, '\b(nc|ncat|netcat)\s[^|;]*-\w*[zl]')
    and not coalesce(is_inside(ip(nullif(regexp_extract(c, '\b(?:nc|ncat|netcat)\s[^|;]*?((?:\d{1,3}\.){3}\d{1,3})', 1), ''))), false));
-- what a RouterOS script does: gets a file (or an answer) from afar; runs what it got; from a bare address of the internet; unencrypted
create macro rsc_fetches(c) as regexp_matches(c, '(?i)/?tool[ /]+fetch\b|\bfetch\s+[^;\n]*\b(url|address|src-path)=');
create macro rsc_runs_file(c) as regexp_matches(c, '(?i)(^|[;\n{(\[]\s*|(^|[\s;{(\[])/)import\s+(verbose=\S+\s+)?(file-?name=|"?[\w./$(-]*\.rsc|\$|\(|[\w./-]+\s*($|[;\n}]))'
  || '|:parse\b[\s\[("]*(\$|/?file[ /]get|/?tool[ /])|script[ /](add|set)\b[^;\n]*source=[\s\[("]*(\$|/?file|/?tool)|:execute\s+(script=)?[\["({\s]*\$');
create macro rsc_bare(c) as len(list_filter(regexp_extract_all(c, '(?i)(?:://|\baddress=)"?(?:[^/@\s"]*@)?((?:\d{1,3}\.){3}\d{1,3})\b', 1),
  lambda a: not regexp_matches(a, '^(0|10|127|192\.168|169\.254|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])|2[2-5]\d)\.'))) > 0;
create macro rsc_plain(c) as regexp_matches(regexp_replace(c, '(?i)(http|ftp|tftp)://(10\.|192\.168\.|127\.|172\.(1[6-9]|2\d|3[01])\.)', '', 'g'), '(?i)\b(http|ftp|tftp)://')
  or (regexp_matches(c, '(?i)\bmode=(http|ftp|tftp)\b') and not regexp_matches(c, '(?i)://'));
-- runs a file of a volatile place: where a program stands in the line, not where it writes or reads
create macro runs_volatile(c) as exists(select 1
  from unnest(regexp_extract_all(c, '(?:^|[;&|({`]|(?:^|[\s/"''])(?:sh|ash|bash|dash|busybox|exec|nohup|setsid|sudo|env|eval|source|then|do|else|if|nice|insmod|python\d?|perl|lua|php|\.|-x|--exec)\s+(?:-\w+\s+)*|LD_PRELOAD=)\s*["'']?(/[^\s;&|"''`)]+)', 1)
    || list_transform(regexp_extract_all(c, '\bcd\s+["'']?(/[^\s;&|"'']+)["'']?\s*(?:;|&&)[^|]*?\./', 1), lambda d: d || '/')) as _(path)
  where is_volatile(path));

-- microseconds since 1970 as text, UTC
create macro iso_us(t) as strftime(make_timestamp(t), '%Y-%m-%dT%H:%M:%S.%fZ');

create view own_addresses as    -- the device's own addresses, with the first and last address of their networks
select *, case when known then cidr_first(net) end as first_key, case when known then cidr_last(net) end as last_key from (
  select device, snapshot, interface, address_ip, address_key, prefix_length, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line,
    address_ip || '/' || prefix_length as net, prefix_length between 0 and case when contains(address_ip, ':') then 128 else 32 end as known
  from addresses where address_key is not null group by all
  union all select e.device, e.snapshot, null, g.address_ip, g.address_key, null, null, null, null, false
  from (select distinct device, snapshot from exhibits) e join given_addresses g on coalesce(g.device, e.device) = e.device);

create view sides as            -- which interface looks where: wan (default route or site file), lan, vpn
with wan as (
  select distinct device, snapshot, interface from routes
  where destination in ('0.0.0.0/0', '::/0') and coalesce(kind, 'unicast') = 'unicast' and interface is not null
    and coalesce(route_table, 'main') in ('main', '254')
    -- the owner's word comes first, where it names an interface that this device has
    and not exists(select 1 from interfaces i join site_networks n on n.side = 'wan' and n.interface = i.name
                   where (i.device, i.snapshot) = (routes.device, routes.snapshot))
  union select distinct i.device, i.snapshot, i.name from interfaces i join site_networks n on n.side = 'wan' and n.interface = i.name),
tun as (
  select distinct i.device, i.snapshot, i.name as interface from interfaces i
  join known_patterns k on k.kind = 'tunnel-interface' and regexp_full_match(i.name, k.pattern)
  union select distinct device, snapshot, name from tunnels where name is not null)
select i.device, i.snapshot, i.interface,
  case when i.interface = 'lo' then 'loopback'
       when exists(select 1 from wan w where (w.device, w.snapshot, w.interface) = (i.device, i.snapshot, i.interface)) then 'wan'
       when exists(select 1 from tun t where (t.device, t.snapshot, t.interface) = (i.device, i.snapshot, i.interface)) then 'vpn'
       else 'lan' end as side
from (select distinct device, snapshot, name as interface from interfaces
      union select distinct device, snapshot, interface from addresses where interface is not null
      union select device, snapshot, interface from wan) i;

create view facing as           -- what the interface of a firewall rule looks at where rules name lists of interfaces (list:WAN) or turn them round (!)
with l as (select device, snapshot, name, element from firewall_sets where kind = 'interface-list'),
w as (
  select device, snapshot, interface from sides where side = 'wan'
  union select a.device, a.snapshot, a.interface from own_addresses a where is_external(a.address_key)
  union select r.device, r.snapshot, a.interface from routes r join own_addresses a
    on (a.device, a.snapshot) = (r.device, r.snapshot) and r.gateway_key between a.first_key and a.last_key
    where r.destination in ('0.0.0.0/0', '::/0') and a.prefix_length between 8 and 128
  union select device, snapshot, name from tunnels where kind = 'pppoe'
  union select device, snapshot, value from settings where path = '/ip dhcp-client add interface'),
s as (
  select device, snapshot, interface, 'wan' as side from w
  union select a.device, a.snapshot, a.interface, 'lan' from own_addresses a
    where not exists(select 1 from w where (w.device, w.snapshot, w.interface) = (a.device, a.snapshot, a.interface))
      and not exists(select 1 from tunnels t where (t.device, t.snapshot, t.name) = (a.device, a.snapshot, a.interface))
  union select t.device, t.snapshot, t.name, 'vpn' from tunnels t where t.name is not null and t.kind <> 'pppoe'),
n as (  -- a list by its name, else by its members
  select device, snapshot, 'list:' || name as interface, case when regexp_matches(name, '(?i)wan|internet|outside|isp|uplink|public') then 'wan'
    when regexp_matches(name, '(?i)lan|local|inside|trust|mgmt|manage|private|home|base') then 'lan'
    when bool_or(s.side = 'wan') then 'wan' when bool_and(s.side = 'lan') then 'lan' else 'vpn' end as side
  from l left join s using (device, snapshot) where s.interface is null or s.interface = l.element group by device, snapshot, name),
a as (
  select * from s where interface is not null union select * from n
  union select distinct device, snapshot, i, case when regexp_matches(i, '(?i)wan') then 'wan' else 'lan' end
    from (select device, snapshot, regexp_replace(in_if, '^(list:)?!', '\1') as i from firewall_rules union select device, snapshot, regexp_replace(in_if, '^(list:)?!', '\1') from nat_rules) _
    where regexp_full_match(i, 'list:\w*([wW][aA][nN]|[lL][aA][nN])\w*') and not exists(select 1 from n where (n.device, n.snapshot, n.interface) = (_.device, _.snapshot, _.i)))
select device, snapshot, interface, side from a
union all select device, snapshot, case when interface like 'list:%' then 'list:!' || interface[6:] else '!' || interface end, case side when 'wan' then 'lan' else 'wan' end from a;

create view wan_sides as        -- whether the WAN side has an address of the internet: a device behind another router has none
select s.device, s.snapshot, bool_or(is_external(o.address_key)) as public
from sides s join own_addresses o using (device, snapshot, interface) where s.side = 'wan' group by s.device, s.snapshot;

create view programs as         -- one row a process: what all views together say of it
with p as (select *, row(case view when 'proc' then 0 when 'walk' then 1 when 'number' then 2 when 'top' then 4 else 3 end, exhibit, line) as rank from processes)
select device, snapshot, pid, arg_min(exhibit, rank) as exhibit, arg_min(line, rank) as line,
  arg_min(exhibit, rank) filter (view = 'ps') as ps_exhibit, arg_min(line, rank) filter (view = 'ps') as ps_line,
  arg_min(ppid, rank) as ppid, arg_min(uid, rank) as uid, arg_min(username, rank) as username,
  arg_min(start_ticks, rank) as start_ticks, arg_min(started_at, rank) as started_at,
  arg_min(comm, rank) as comm, arg_min(argv0, rank) as argv0, arg_min(cmdline, rank) as cmdline,
  arg_min(argv0, rank) filter (view not in ('ps', 'ps-own', 'top')) as own_argv0,   -- as the process set it; ps and top put [comm] where there is none
  arg_min(exe, rank) as exe, arg_min(exe_status, rank) as exe_status, bool_or(exe_deleted) as exe_deleted,
  arg_min(cwd, rank) as cwd, arg_min(state, rank) as state, max(vsz_kb) as vsz_kb, bool_or(kthread) as kthread,
  coalesce(script_of(arg_min(cmdline, rank)), script_in(arg_min(cmdline, rank), arg_min(cwd, rank))) as script,
  -- the program's path: its executable, else an absolute argv0 (weaker: a process can set it)
  coalesce(arg_min(exe, rank), case when arg_min(argv0, rank) like '/%' then arg_min(argv0, rank) end) as path,
  coalesce(base_name(case when arg_min(exe, rank) not like '/memfd:%' then arg_min(exe, rank) end), arg_min(comm, rank), base_name(arg_min(argv0, rank))) as name,
  -- a genuine kernel thread by the kernel's own word; else: no executable, no memory (where no view shows
  -- sizes: a name in brackets), no arguments, the kernel or kthreadd as parent, and no zombie
  coalesce(bool_or(kthread), not coalesce(bool_or(exe_status = 'ok'), false)
    and coalesce(max(vsz_kb) = 0, arg_min(argv0, rank) like '[%]', false)
    and coalesce(arg_min(ppid, rank) in (0, 2), true)
    and coalesce(arg_min(argv0, rank) filter (view not in ('ps', 'ps-own', 'top')), '') = ''
    and not regexp_matches(coalesce(arg_min(cmdline, rank), ''), '^\[[^\]]*\] \S')
    and not coalesce(arg_min(state, rank) like 'Z%', false)) as is_kernel
from p where pid is not null group by device, snapshot, pid;

create view listeners as        -- one row a listening endpoint and owner
with s as (
  select s.device, s.snapshot, s.exhibit, s.line, s.proto, s.local_ip, s.local_key, s.local_port, s.bound_if, s.view, s.inode,
    coalesce(s.pid, f.pid) as pid, s.process
  from sockets s
  left join (select device, snapshot, inode, min(pid) as pid from open_files where inode > 0 group by all) f
    on f.device = s.device and f.snapshot = s.snapshot and f.inode = s.inode and s.pid is null and s.inode > 0
  where (s.proto = 'tcp' and s.state = 'LISTEN')
     or (s.proto in ('udp', 'udplite') and s.remote_port is null or s.proto = 'udp' and s.remote_port = 0)),
g as (
  select device, snapshot, proto, local_ip, local_key, local_port, max(bound_if) as bound_if,
    min(pid) as pid,            -- children inherit a listening socket: the first owner is the parent
    max(process) as process, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line, count(distinct view) as views
  from s where local_port is not null group by device, snapshot, proto, local_ip, local_key, local_port)
select g.*, p.exe, p.path, p.script, coalesce(p.name, nullif(g.process, '')) as name, p.cmdline, p.argv0, p.exe_deleted, p.ppid, p.uid,
  p.exhibit as process_exhibit, p.line as process_line,
  local_ip in ('0.0.0.0', '::') as wildcard,
  local_ip like '127.%' or local_ip = '::1' as loopback,
  -- stock: the platform's own program at its own path (an attacker takes names more easily than paths)
  exists(select 1 from known_listeners k where k.proto = g.proto and (k.port is null or k.port = g.local_port) and same_program(k.path, p.exe, p.argv0, coalesce(p.name, g.process))) as stock,
  exists(select 1 from known_listeners k where k.proto = g.proto and k.wan and (k.port is null or k.port = g.local_port) and same_program(k.path, p.exe, p.argv0, coalesce(p.name, g.process))) as stock_on_wan,
  -- the program is stock, whatever the port
  is_stock_program(p.exe, p.argv0, coalesce(p.name, g.process)) as stock_program
from g left join programs p using (device, snapshot, pid);

create view peers as            -- established connections and their owner; inbound: to a port that the device listens on
with s as (
  select s.device, s.snapshot, s.exhibit, s.line, s.proto, s.local_ip, s.local_port, s.remote_ip, s.remote_key, s.remote_port,
    coalesce(s.pid, f.pid) as pid, s.state, s.process
  from sockets s
  left join (select device, snapshot, inode, min(pid) as pid from open_files where inode > 0 group by all) f
    on f.device = s.device and f.snapshot = s.snapshot and f.inode = s.inode and s.pid is null and s.inode > 0
  where s.remote_port > 0 and s.remote_key is not null and (s.state in ('ESTABLISHED', 'CLOSE_WAIT', 'SYN_SENT', 'FIN_WAIT1', 'FIN_WAIT2') or s.proto = 'udp')),
g as (select device, snapshot, proto, local_ip, local_port, remote_ip, remote_key, remote_port, min(pid) as pid,
    max(process) as process,    -- where no list of processes was read, netstat's word
    min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line
  from s group by device, snapshot, proto, local_ip, local_port, remote_ip, remote_key, remote_port)
select g.*, p.exe, p.path, p.script, coalesce(p.name, nullif(g.process, '')) as name, p.cmdline, p.argv0, p.ppid, p.exhibit as process_exhibit, p.line as process_line,
  is_external(g.remote_key) and not exists(select 1 from own_addresses o where (o.device, o.snapshot, o.address_key) = (g.device, g.snapshot, g.remote_key)) as outside,
  g.remote_ip like '127.%' or g.remote_ip = '::1' as loopback,
  exists(select 1 from listeners l where (l.device, l.snapshot, l.proto, l.local_port) = (g.device, g.snapshot, g.proto, g.local_port))
    -- where no list of listeners was read (netstat -tn): at its own port a server answers
    or exists(select 1 from known_listeners k where k.proto = g.proto and k.port = g.local_port and same_program(k.path, p.exe, p.argv0, coalesce(p.name, g.process))) as inbound
from g left join programs p using (device, snapshot, pid);

create view raw_sockets as      -- sockets below the ports (raw: one protocol, packet: whole frames) and their owner
with s as (
  select s.device, s.snapshot, s.exhibit, s.line, s.proto, s.local_port, s.process, coalesce(s.pid, f.pid) as pid,
    case when s.proto like 'raw%' then 'raw' else 'packet' end as kind
  from sockets s
  left join (select device, snapshot, inode, min(pid) as pid from open_files where inode > 0 group by all) f
    on f.device = s.device and f.snapshot = s.snapshot and f.inode = s.inode and s.pid is null and s.inode > 0
  where s.proto in ('raw', 'raw6', 'packet', 'p_raw', 'p_dgr')),
p as (
  select s.*, g.exe, g.path, g.argv0, coalesce(g.name, nullif(s.process, '')) as name, g.exhibit as process_exhibit, g.line as process_line
  from s left join programs g using (device, snapshot, pid)),
o as (
  select device, snapshot, kind, pid, name, path, exe, argv0, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line,
    min(process_exhibit) as process_exhibit, min(process_line) as process_line, min(proto) as proto, max(local_port) as protocol,
    exists(select 1 from known_patterns k where k.kind = 'packet-socket-program'
      -- argv[0] is a claim: it names the program only where one file of the platform holds several
      and (k.pattern = name or k.pattern = base_name(argv0) and (exe is null or base_name(exe) in ('busybox', 'toybox')
        or exists(select 1 from known_programs q where q.path = exe) or exists(select 1 from known_listeners q where q.path = exe)))
      and (exe is null or not is_volatile(exe))) as stock
  from p group by device, snapshot, kind, pid, name, path, exe, argv0)
select o.*,
  case when pid is null and name is null then 'low' when is_volatile(path) then 'critical'
       when is_stock_program(exe, argv0, name) or is_owner_path(path) then 'medium' else 'high' end as level
from o
-- a view without owners repeats what another shows with them
where pid is not null or name is not null
  or not exists(select 1 from o q where (q.device, q.snapshot, q.kind) = (o.device, o.snapshot, o.kind) and (q.pid is not null or q.name is not null));

create view own_traffic as       -- connections and where their ends are; from_device, to_device: null where no address of the device is known
with d as (select distinct device, snapshot, address_key from own_addresses),
t as (
  select c.*,
    case when k.known then o.address_key is not null end as from_device, case when k.known then r.address_key is not null end as to_device,
    is_external(c.orig_key) and o.address_key is null as orig_outside, is_external(c.resp_key) and r.address_key is null as resp_outside,
    c.resp_packets > 0 and (c.proto <> 'tcp' or contains(c.resp_flags, 'S') or c.resp_payload > 0) as answered
  from connections c
  left join (select distinct device, snapshot, true as known from d) k on (k.device, k.snapshot) = (c.device, c.snapshot)
  left join d o on (o.device, o.snapshot, o.address_key) = (c.device, c.snapshot, c.orig_key)
  left join d r on (r.device, r.snapshot, r.address_key) = (c.device, c.snapshot, c.resp_key)),
a as (  -- kinds of tunnels all of whose outer packets have the device as an end: its own way to the outside
  select device, snapshot, carries from (
    select device, snapshot, from_device or to_device as own, case
      when proto = 'gre' then 'gre' when proto = 'ipip' then case when contains(orig_ip, ':') then '4in6' else 'ipip' end
      when proto = 'ipv6' then case when contains(orig_ip, ':') then '6in6' else 'sit' end
      when proto = 'udp' and 1701 in (orig_port, resp_port) then 'l2tp' end as carries
    from t where view = 'packets' and depth = 0) _
  where carries is not null group by device, snapshot, carries having bool_and(coalesce(own, false)))
-- own_layer: what rules look at. The outer packet, and what is inside a tunnel (GRE, IPIP, 6rd, MAP-E, DS-Lite, L2TP) that the device itself ends
select t.*, t.depth = 0 or (t.depth = 1 and a.carries is not null) as own_layer
from t left join a on (a.device, a.snapshot, a.carries) = (t.device, t.snapshot, t.tunnel);

create view vantages as          -- where each capture was taken: as it was given (--vantage), else by the ends of what it shows
with f as (select distinct device, snapshot, exhibit, coalesce(capture, exhibit) as capture from captures_read),
t as (
  select o.*, coalesce(f.capture, o.exhibit) as capture from own_traffic o left join f using (device, snapshot, exhibit)
  where o.view = 'packets' and o.depth = 0),
n as (  -- own networks, and on which side they are
  select o.device, o.snapshot, o.address_key, coalesce(o.first_key, o.address_key) as first_key, coalesce(o.last_key, o.address_key) as last_key,
    -- an address of a carrier's NAT (RFC 6598) is that of a WAN side, unless its interface says otherwise
    case when s.side is null and in_cidr(o.address_key, '100.64.0.0/10') then 'wan'
      -- without a default route every interface counts as inside: that says nothing then
      when s.side <> 'lan' or exists(select 1 from sides q where (q.device, q.snapshot, q.side) = (o.device, o.snapshot, 'wan')) then s.side end as side
  from own_addresses o left join sides s using (device, snapshot, interface)),
h as (select distinct device, snapshot, unnest([orig_key, resp_key]) as key from t),
w as (
  select h.device, h.snapshot, h.key, is_inside(h.key) as inside, coalesce(bool_or(n.side = 'wan'), false) as in_wan,
    coalesce(bool_or(n.side = 'lan'), false) as in_lan, coalesce(bool_or(n.side = 'wan' and n.address_key = h.key), false) as wan_end,
    coalesce(bool_or(n.side = 'lan' and n.address_key = h.key), false) as lan_end
  from h left join n on (n.device, n.snapshot) = (h.device, h.snapshot) and h.key between n.first_key and n.last_key
  group by h.device, h.snapshot, h.key),
e as (
  select t.device, t.snapshot, t.capture, t.interface, t.from_device is not null as known,
    -- the device's own outer address speaking with somebody who is not inside: nobody else's packets are seen before the translation
    (t.from_device and (o.wan_end or (not o.inside and not o.lan_end)) and not r.in_lan and (r.in_wan or not r.inside))
      or (t.to_device and (r.wan_end or (not r.inside and not r.lan_end)) and not o.in_lan and (o.in_wan or not o.inside)) as outer_end,
    -- a host inside speaking to somebody outside, seen before the translation; hosts inside among each other or with the device's inner
    -- address. Public addresses of hosts inside (IPv6) are the same on both sides: they tell nothing
    (o.inside and not o.in_wan and not t.from_device and t.resp_outside) or (r.inside and not r.in_wan and not t.to_device and t.orig_outside)
      or (o.in_lan and r.in_lan and o.key <> r.key and not o.in_wan and not r.in_wan) as inner_end
  from t join w o on (o.device, o.snapshot, o.key) = (t.device, t.snapshot, t.orig_key)
  join w r on (r.device, r.snapshot, r.key) = (t.device, t.snapshot, t.resp_key)),
c as (
  select device, snapshot, capture, count(*) as total, count(distinct interface) as interfaces,
    count(*) filter (where outer_end) as outer_ends, count(*) filter (where inner_end) as inner_ends, bool_or(known) as known
  from e group by device, snapshot, capture),
g as (
  select x.device, x.snapshot, x.capture, min(v.vantage) as given, min(v.author) as given_by from given_vantages v
  join (select * from f union select distinct device, snapshot, exhibit, capture from t) x using (device, snapshot, exhibit)
  group by x.device, x.snapshot, x.capture),
v as (
  select x.device, x.snapshot, x.exhibit, case when interfaces > 1 then 'any' when outer_ends > 0 and inner_ends > 0 then 'any'
      when outer_ends > 0 then 'wan' when inner_ends > 0 and known then 'lan' else 'unknown' end as derived, g.given, g.given_by,
    concat(total, ' connections: ', outer_ends, ' have an outer address of the device as an end, ', inner_ends, ' one of a host inside',
      case when interfaces > 1 then concat(', on ', interfaces, ' interfaces') end, case when not known then '; no address of the device is known' end) as seen
  from (select distinct device, snapshot, exhibit, capture from t) x join c using (device, snapshot, capture) left join g using (device, snapshot, capture))
select device, snapshot, exhibit, coalesce(given, derived) as vantage, derived, given_by,
  coalesce(given <> derived and given <> 'any' and derived <> 'unknown', false) as contradicted,
  case when given is null then seen else concat('given by ', given_by, ': ', given, '; by its addresses ', derived, ' (', seen, ')') end as why
from v;

create view device_traffic as    -- outer connections of captures between the device and others, and whose they are
with t as (select * from own_traffic where view = 'packets' and own_layer),
seen as (                        -- when the LAN side was watched, without a filter
  select t.device, t.snapshot, t.exhibit, min(epoch_ms(t.first_at::timestamp)) - 2000 as since, max(epoch_ms(t.last_at::timestamp)) + 30000 as until
  from t join vantages v using (device, snapshot, exhibit)
  where v.vantage in ('lan', 'any')
    and not exists(select 1 from captures_read r where (r.device, r.snapshot, r.exhibit) = (t.device, t.snapshot, t.exhibit) and r.filter <> '')
  group by t.device, t.snapshot, t.exhibit),
inner_ends as (                  -- hosts inside with somebody outside, as the LAN side shows them
  select device, snapshot, proto, true as out, resp_key as far_key, resp_port as far_port, orig_port as near_port, first_at, orig_ip as host from t
  where is_inside(orig_key) and not from_device and resp_outside
  union all select device, snapshot, proto, false, orig_key, orig_port, resp_port, first_at, resp_ip from t
  where is_inside(resp_key) and not to_device and orig_outside),
behind as (                      -- a twin on the LAN side: the same far end at the same time (tcp and udp: a port of its own each)
  select t.device, t.snapshot, t.exhibit, t.connection, min(i.host) as host from t join inner_ends i
    on (i.device, i.snapshot, i.proto, i.out) = (t.device, t.snapshot, t.proto, t.from_device)
    and i.far_key = case when t.from_device then t.resp_key else t.orig_key end and i.far_port = case when t.from_device then t.resp_port else t.orig_port end
    and abs(epoch_ms(i.first_at::timestamp) - epoch_ms(t.first_at::timestamp)) < case when not t.from_device or i.near_port = t.orig_port then 60000 else 3000 end
  where (t.from_device and t.resp_outside) or (t.to_device and t.orig_outside) group by all),
tracked as (                     -- what connection tracking says of it
  select t.device, t.snapshot, t.exhibit, t.connection, bool_or(case when t.from_device then n.orig_src_key <> t.orig_key else n.reply_src_key <> t.resp_key end) as moved,
    min(case when t.from_device then n.orig_src_ip else n.reply_src_ip end) as host
  from t join nat_sessions n on (n.device, n.snapshot, n.proto) = (t.device, t.snapshot, t.proto) and case when t.from_device
      then (n.orig_dst_key, n.orig_dst_port, n.reply_dst_port) = (t.resp_key, t.resp_port, t.orig_port)
      else (n.orig_src_key, n.orig_src_port, n.orig_dst_port) = (t.orig_key, t.orig_port, t.resp_port) end
    -- a tuple comes again: where events were watched, the session of that time
    and (n.last_at is null or t.first_at between coalesce(n.first_at - interval 10 seconds, timestamp '1970-01-01')
      and greatest(n.last_at, coalesce(n.first_at + interval 10 seconds, n.last_at)))
  where (t.from_device and t.resp_outside) or (t.to_device and t.orig_outside) group by all),
forwarded as (                   -- ports that NAT hands to a host inside
  select t.device, t.snapshot, t.exhibit, t.connection, min(n.to_ip) as host from t join nat_rules n on (n.device, n.snapshot) = (t.device, t.snapshot)
    and n.action in ('DNAT', 'NETMAP') and is_inside(n.to_key) and coalesce(n.proto, t.proto) = t.proto
    and t.resp_port between n.dst_port_first and coalesce(n.dst_port_last, n.dst_port_first)
  where t.to_device and t.orig_outside group by t.device, t.snapshot, t.exhibit, t.connection)
select t.*, v.vantage,
  -- device: no host behind it has a part in it; behind: one has; unknown: only the outer side was seen
  case when b.host is not null or k.moved then 'behind' when k.moved is not null then 'device'
    when f.host is not null then 'behind'
    when exists(select 1 from seen s where (s.device, s.snapshot) = (t.device, t.snapshot) and epoch_ms(t.first_at::timestamp) between s.since and s.until) then 'device'
    else 'unknown' end as whose,
  coalesce(b.host, case when k.moved then k.host end, f.host) as behind_ip
from t left join vantages v using (device, snapshot, exhibit)
left join behind b using (device, snapshot, exhibit, connection)
left join tracked k using (device, snapshot, exhibit, connection)
left join forwarded f using (device, snapshot, exhibit, connection)
where t.from_device or t.to_device;

create view configured_ports as  -- ports at which the configuration makes the device listen
select device, snapshot, port, min(what) as what, min(exhibit) as exhibit, arg_min(line, (exhibit, line)) as line from (
  select device, snapshot, port, service as what, exhibit, line from management_access where coalesce(enabled, true) and port is not null
  union all select device, snapshot, port, coalesce(reason, path), exhibit, line from services where port is not null and view = 'uci'
  union all select device, snapshot, port, kind, exhibit, line from vpn_servers where coalesce(enabled, true) and port is not null
  union all select device, snapshot, port, kind || ' proxy', exhibit, line from proxies where coalesce(enabled, true) and port is not null
  union all select device, snapshot, listen_port, kind, exhibit, line from tunnels where listen_port > 0 and coalesce(enabled, true))
group by device, snapshot, port;

create view named_peers as       -- addresses that the device's own configuration names as the far end of something
select distinct device, snapshot, address from (
  select device, snapshot, peer_ip as address from tunnels
  union all select device, snapshot, unnest(regexp_extract_all(value, '\b(?:\d{1,3}\.){3}\d{1,3}\b|\b(?:[0-9a-f]{1,4}:+){2,7}[0-9a-f]{0,4}')) from settings
  union all select device, snapshot, address_ip from log_targets
  union all select device, snapshot, address_ip from aaa_servers)
where address is not null;
