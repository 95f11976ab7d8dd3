"""Two rules of thumb for relays on the tool's own `connections`, to stand beside every figure.

naive: a connection that came to the device's site and one that left it start within 3 s and end within 3 s of each other,
and their payloads differ by at most 20 % or 2 kB, each way.
twin: the same without those that have a twin on the LAN's side (same far end, start within 3 s, same payload), or that
connection tracking has with a host inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

WINDOW_S, SHARE, SLACK, TWIN_S = 3.0, 0.2, 2000, 3.0
HEAD = 46  # bytes of headers of a usual packet, where an exporter counts whole packets
MINIMUM = 6
"""Sessions from which on a rule of thumb calls a port or a peer a relay."""

LEGS = f"""
create or replace temp table naive_legs as
select c.* replace (coalesce(c.orig_payload, greatest(0, c.orig_bytes - {HEAD} * c.orig_packets)) as orig_payload,
    coalesce(c.resp_payload, greatest(0, c.resp_bytes - {HEAD} * c.resp_packets)) as resp_payload), epoch_ns(first_at) / 1e9 as t0,
      epoch_ns(last_at) / 1e9 as t1, o.device is not null as outward
from connections c
left join (select distinct device, address_key from own_addresses) o on (o.device, o.address_key) = (c.device, c.orig_key)
left join (select distinct device, address_key from own_addresses) r on (r.device, r.address_key) = (c.device, c.resp_key)
where c.depth = 0 and c.view <> 'conntrack' and c.proto in ('tcp', 'udp') and c.orig_bytes > 0 and c.resp_bytes > 0
  and coalesce(c.orig_payload, 1) > 0 and coalesce(c.resp_payload, 1) > 0
  and ((o.device is not null and is_external(c.resp_key)) or (r.device is not null and is_external(c.orig_key)))
"""
PAIRS = f"""
create or replace temp table naive_{{name}} as
select device, in_exhibit, in_connection, out_exhibit, out_connection, score from (
  select a.device, a.exhibit as in_exhibit, a.connection as in_connection, b.exhibit as out_exhibit, b.connection as out_connection,
    -(abs(a.t0 - b.t0) + abs(a.t1 - b.t1) + ln(1 + abs(a.orig_payload - b.orig_payload)) / 9 + ln(1 + abs(a.resp_payload -
      b.resp_payload)) / 9) as score
  from (select *, unnest([floor(t0 / {WINDOW_S})::bigint - 1, floor(t0 / {WINDOW_S})::bigint, floor(t0 / {WINDOW_S})::bigint + 1]) as bucket
        from naive_legs where not outward {{inward}}) a
  join (select *, floor(t0 / {WINDOW_S})::bigint as bucket from naive_legs where outward {{outward}}) b using (device, bucket)
  where abs(a.t0 - b.t0) <= {WINDOW_S} and abs(a.t1 - b.t1) <= {WINDOW_S}
    and abs(a.orig_payload - b.orig_payload) <= greatest({SLACK}, {SHARE} * greatest(a.orig_payload, b.orig_payload))
    and abs(a.resp_payload - b.resp_payload) <= greatest({SLACK}, {SHARE} * greatest(a.resp_payload, b.resp_payload)))
"""
HAS_TWIN = f"""and not exists(select 1 from connections l where l.device = naive_legs.device and l.proto = naive_legs.proto
  and l.exhibit <> naive_legs.exhibit and {{same}} and abs(epoch_ns(l.first_at) / 1e9 - naive_legs.t0) <= {TWIN_S}
  and l.orig_payload = naive_legs.orig_payload and l.resp_payload = naive_legs.resp_payload)"""
OUT_TWIN = HAS_TWIN.format(same="(l.resp_key, l.resp_port) = (naive_legs.resp_key, naive_legs.resp_port) and is_inside(l.orig_key)")
IN_TWIN = HAS_TWIN.format(same="(l.orig_key, l.orig_port) = (naive_legs.orig_key, naive_legs.orig_port) and is_inside(l.resp_key)")
NAT = "and not exists(select 1 from nat_sessions n where n.device = naive_legs.device and n.proto = naive_legs.proto and {same})"
OUT_NAT = NAT.format(
    same="""is_inside(n.orig_src_key) and (n.reply_src_key, n.reply_src_port, n.reply_dst_key, n.reply_dst_port)
    = (naive_legs.resp_key, naive_legs.resp_port, naive_legs.orig_key, naive_legs.orig_port)"""
)
IN_NAT = NAT.format(
    same="""is_inside(n.reply_src_key) and (n.orig_src_key, n.orig_src_port, n.orig_dst_key, n.orig_dst_port)
    = (naive_legs.orig_key, naive_legs.orig_port, naive_legs.resp_key, naive_legs.resp_port)"""
)


def pairs(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Make the tables of pairs; returns what each rule is called and its table."""
    con.execute(LEGS)
    con.execute(PAIRS.format(name="all", inward="", outward=""))
    con.execute(PAIRS.format(name="twin", inward=f"{IN_TWIN} {IN_NAT}", outward=f"{OUT_TWIN} {OUT_NAT}"))
    return {"naive": "naive_all", "naive, no LAN twin": "naive_twin"}


def keys(con: duckdb.DuckDBPyConnection, table: str, minimum: int = MINIMUM) -> list[tuple[str, str, int | None, str | None]]:
    """What the pairs make keys of, where they are many: device, protocol, local port or null, upstream peer or null."""
    return con.execute(f"""
        with p as (select distinct p.device, a.proto as in_proto, a.resp_port, b.proto as out_proto, b.resp_ip, p.in_connection,
          p.out_connection
          from {table} p join naive_legs a on (a.exhibit, a.connection) = (p.in_exhibit, p.in_connection)
          join naive_legs b on (b.exhibit, b.connection) = (p.out_exhibit, p.out_connection))
        select device, in_proto, resp_port, null from p group by all having count(distinct in_connection) >= {minimum}
        union all select device, out_proto, null, resp_ip from p group by all having count(distinct out_connection) >= {minimum}
    """).fetchall()
