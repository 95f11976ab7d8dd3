"""Traffic: captures, flow exports and connection logs become the tables connections, tls_sessions, dns_queries ...

| module | from -> to |
|---|---|
| `records.py` | the types between the modules |
| `containers.py` | captures and rotated sets -> chunks of packet records, damage, counts |
| `opening.py`, `window.py` | plain, .gz, .zst, .bz2, .xz or stdin -> bytes, a piece in hand at a time |
| `pcap.py`, `pcapng.py` | the two formats, their damage, and how reading goes on behind it |
| `walk.py` | a linked list of records, walked by many cursors at once and proved |
| `packet.py`, `links.py`, `tunnels.py` | one packet -> its layers; complete, slow, the oracle (stdlib) |
| `fast.py` | a chunk -> the same as arrays (numpy); what it does not know goes through packet.py |
| `table.py` | decoded packets -> connections; merged chunk by chunk, bounded in memory |
| `streams.py` | second pass: the payload of some connections, in order |
| `series.py` | second pass: the bytes of long and large connections over time |
| `naming.py` | connections -> the names of their applications, from the first bytes of those that may have one |
| `apps/` | first payload bytes -> which protocol, and its facts |
| `exports.py` | NetFlow, IPFIX and sFlow datagrams -> flows (`export_fields.py`, `export_columns.py`, `export_rows.py`, `sflow.py`) |
| `nfcapd.py` | files of nfcapd -> flows, through nfdump |
| `listen.py` | datagrams of exporters, live -> capture files |
| `stitch.py` | flows of exporters -> connections |
| `logs.py` | Zeek, Suricata, nmap, ... -> the same tables |
| `logs.yaml`, `logfields.py`, `logpaths.py` | which field of a log becomes which column, and how its value is read |
| `loglines.py`, `logcolumns.py`, `logxml.py` | files, packed or not -> lines, columns, ports; what could not be read, counted |
| `nat.sql` | sessions of connection tracking that carry times and bytes -> connections |
| `capture.py` | dumpcap or tcpdump on-site |
| `take.py` | captures of a case -> tables, feeds and gaps |
| `take_logs.py` | records of a collector and logs of other tools -> tables, feeds and gaps |
| `taken.py` | what reading an exhibit gave, and how it is told |
"""
