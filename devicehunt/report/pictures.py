"""Pictures of what relays: who talks to whom through the device, when, and at what rhythm. Static SVG that needs no network.

pygal draws them (1.9 MB, pure Python, 0.15 s to import; matplotlib with what it needs takes 175 MB and 0.9 s). What it draws is
cut to shapes and words, so that a picture holds no script, no date and no name of a style that a page would have to allow. It
is told in black, grey and dashes, and says the same in words: a picture is never the only place where a fact stands.
"""

from __future__ import annotations

import base64
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET  # the text is our own: pygal made it of numbers and escaped names

from devicehunt.model import Finding
from devicehunt.report import End, Traffic
from devicehunt.report.words import count, line

ROWS = 14
"""Far ends named on one side; the others are one row."""
PAIRS = 40
"""Pairs of connections on one picture."""
CALLS = 400
"""Calls of a beacon on one picture."""
RHYTHM = frozenset({"device-calls-at-rhythm"})
"""Rules whose peers are called at a rhythm."""
SERIES = 240
"""Points of a carrier's series."""
FIGURES = 12
"""Pictures of one device."""
WIDTH, ROW_HEIGHT, LEAST_HEIGHT = 900, 22, 220


class MissingError(Exception):
    """The library that draws is not installed."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn picture: its title, what it shows in words, and the SVG."""

    title: str
    caption: str
    svg: str

    @property
    def source(self) -> str:
        """The picture as the address of an image: nothing in it can reach the page."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg.encode()).decode()


@dataclass(frozen=True, slots=True)
class Leg:
    """One connection of a pair."""

    end: End
    since: float
    until: float
    volume: int | None


@dataclass(frozen=True, slots=True)
class Pair:
    """A session and the connection that carries it on."""

    into: Leg
    out: Leg

    @property
    def caller(self) -> str:
        """Who came: the end of the session that is not the device's."""
        _, orig, _, resp, _, _ = self.into.end
        return resp if orig == self.out.end[1] else orig

    @property
    def target(self) -> str:
        """Where it went."""
        _, _, _, resp, port, _ = self.out.end
        return f"{resp}:{port}"


def draw(findings: Iterable[Finding], traffic: Traffic) -> Iterator[Picture]:
    """The pictures of one device's findings, the worst finding first; MissingError where the library is not installed."""
    left = FIGURES
    for finding in findings:
        for made in _of(finding, traffic):
            if not left:
                return
            left -= 1
            yield made


def wanted(findings: Iterable[Finding]) -> bool:
    """Whether there is anything to draw."""
    return any(s.get("type") in ("relay-pair", "carrier") or f.rule in RHYTHM for f in findings for s in f.subjects)


def end_of(subject: Mapping[str, Any]) -> End:
    """A connection as a subject names it."""
    number = {k: subject.get(k) if isinstance(subject.get(k), int) else 0 for k in ("orig_port", "resp_port")}
    return (
        str(subject.get("proto", "")), str(subject.get("orig_ip", "")), number["orig_port"] or 0,
        str(subject.get("resp_ip", "")), number["resp_port"] or 0, str(subject.get("first_at", "")),
    )  # fmt: skip


def _of(finding: Finding, traffic: Traffic) -> Iterator[Picture]:
    pairs = [p for s in finding.subjects if s.get("type") == "relay-pair" for p in [_pair(finding.device, s, traffic)] if p]
    if pairs:
        pairs.sort(key=lambda p: (p.into.since, p.into.end, p.out.end))
        yield _talks(pairs)
        yield _times(pairs)
    for subject in finding.subjects:
        if subject.get("type") == "carrier" and subject.get("carried"):
            yield from _carrier(finding.device, subject, traffic)
        elif finding.rule in RHYTHM and subject.get("type") == "peer":
            address, port = str(subject.get("address")), subject.get("port")
            starts = traffic.calls.get((finding.device, address, port if isinstance(port, int) else 0), ())
            if len(starts) > 2:
                yield _rhythm(address, port, starts)


def _pair(device: str, subject: Mapping[str, Any], traffic: Traffic) -> Pair | None:
    legs = []
    for name in ("inbound", "outbound"):
        told = subject.get(name)
        since, until = (_seconds(told.get(k)) for k in ("first_at", "last_at")) if isinstance(told, Mapping) else (None, None)
        if since is None or until is None or not isinstance(told, Mapping):
            return None
        end = end_of(told)
        legs.append(Leg(end, since, max(since, until), traffic.volumes.get((device, end))))
    return Pair(*legs)


def _seconds(text: object) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None


def _clock(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _size(volume: int | None) -> str:
    if volume is None:
        return ""
    for unit, name in ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")):
        if volume >= unit:
            return f"{volume / unit:.1f} {name}"
    return f"{volume} bytes"


# == who talks to whom ==


@dataclass(slots=True)
class _Side:
    """The far ends on one side, the busiest first; what is left over is one row."""

    rows: dict[str, int]  # name -> row
    labels: list[str]

    @classmethod
    def of(cls, names: Sequence[str], volumes: Sequence[int | None]) -> _Side:
        sessions: dict[str, int] = defaultdict(int)
        volume: dict[str, int] = defaultdict(int)
        for name, size in zip(names, volumes, strict=True):
            sessions[name] += 1
            volume[name] += size or 0
        known = any(v is not None for v in volumes)
        ordered = sorted(sessions, key=lambda n: (-sessions[n], -volume[n], n))
        shown, rest = (ordered, []) if len(ordered) <= ROWS else (ordered[: ROWS - 1], ordered[ROWS - 1 :])
        labels = [cls.label(n, sessions[n], volume[n] if known else None) for n in shown]
        rows = {n: i for i, n in enumerate(shown)}
        if rest:
            labels.append(cls.label(f"{len(rest)} others", sum(sessions[n] for n in rest), sum(volume[n] for n in rest) if known else None))
            rows |= dict.fromkeys(rest, len(shown))
        return cls(rows, labels)

    @staticmethod
    def label(name: str, sessions: int, volume: int | None) -> str:
        size = _size(volume)
        return f"{line(name, 60)} ({count(sessions, 'session')}{', ' + size if size else ''})"

    def at(self, row: int) -> float:
        """The height of a row, the first on top, 0 to 1."""
        return 1 - (row + 0.5) / len(self.labels)


def _talks(pairs: Sequence[Pair]) -> Picture:
    volumes = [p.out.volume for p in pairs]
    into = _Side.of([p.caller for p in pairs], [p.into.volume for p in pairs])
    out = _Side.of([p.target for p in pairs], volumes)
    middle = _middle(pairs)
    lines: dict[tuple[str, int], int] = defaultdict(int)
    for p in pairs:
        lines["in", into.rows[p.caller]] += 1
        lines["out", out.rows[p.target]] += 1
    chart = _chart(max(len(into.labels), len(out.labels)), xrange=_room(into.labels, out.labels), range=(0, 1),
                   show_x_labels=False, show_y_labels=False, show_x_guides=False, show_y_guides=False, colors="#000")  # fmt: skip
    for (side, row), sessions in sorted(lines.items()):
        ends = [(0, into.at(row)), (1, 0.5)] if side == "in" else [(1, 0.5), (2, out.at(row))]
        chart.add("", ends, stroke_style={"width": round(1 + 5 * sessions / len(pairs), 2)}, dots_size=3)
    told: list[_Word] = [_Word(0, into.at(i), text, "end") for i, text in enumerate(into.labels)]
    told += [_Word(2, out.at(i), text, "start") for i, text in enumerate(out.labels)]
    told += [_Word(1, 0.5, middle, "middle", top=True)]
    first, last = pairs[0].into.since, max(p.into.until for p in pairs)
    title = "Who talks to whom through it"
    caption = (
        f"From left to right: {count(len(into.rows), 'host')} that came to {middle}, and {count(len(out.rows), 'far end')} where their "
        f"{count(len(pairs), 'session')} went out again, from {_clock(first)} to {_clock(last)}. "
        f"A line is the thicker the more sessions it stands for. Most came from {into.labels[0]}; most went to {out.labels[0]}."
    )
    return Picture(title, caption, _svg(chart, title, told))


def _room(left: Sequence[str], right: Sequence[str]) -> tuple[float, float]:
    """The x axis, in steps from side to side, so that the names at both ends fit; a letter is 6.6 pixels wide at most."""
    sides = [6.6 * max(map(len, labels)) + 12 for labels in (left, right)]
    step = max(90.0, (WIDTH - 60 - sum(sides)) / 2)
    return -sides[0] / step, 2 + sides[1] / step


def _middle(pairs: Sequence[Pair]) -> str:
    _, orig, _, resp, port, _ = pairs[0].into.end
    own = pairs[0].out.end[1]
    if orig == own:
        return f"the device ({line(own, 60)}), over connections that it opened"
    return f"{line(resp, 60)}, {line(pairs[0].into.end[0], 10)} port {port}"


# == when ==

_LANES: dict[str, Any] = {"show_y_guides": False, "show_x_guides": True, "show_legend": True}


def _times(pairs: Sequence[Pair]) -> Picture:
    shown = pairs[:PAIRS]
    first = shown[0].into.since
    chart = _chart(len(shown), range=(0, len(shown)), x_title=f"seconds after {_clock(first)}", **_LANES,
                   y_labels=[{"value": len(shown) - 0.5 - i, "label": line(p.target, 46)} for i, p in enumerate(shown)])  # fmt: skip
    into: list[tuple[float, float] | None] = []
    out: list[tuple[float, float] | None] = []
    for row, p in enumerate(shown):
        level = len(shown) - 0.5 - row
        into += [(p.into.since - first, level + 0.14), (p.into.until - first, level + 0.14), None]
        out += [(p.out.since - first, level - 0.14), (p.out.until - first, level - 0.14), None]
    chart.add("the session that came in", into, stroke_style={"width": 5}, show_dots=False)
    chart.add("the connection that carried it on", out, stroke_style={"width": 3, "dasharray": "5, 3"}, show_dots=False)
    lags = sorted(p.out.since - p.into.since for p in pairs)
    rest = f" The first {len(shown)} of {len(pairs)} are drawn." if len(pairs) > len(shown) else ""
    title = "When sessions came, and when they went out again"
    caption = (
        f"Each row is a session (thick) and, below it, the connection that carried it on to the address at the left (dashed). "
        f"They begin and end together: between the two beginnings lie {lags[0]:.2f} to {lags[-1]:.2f} s, "
        f"in the middle {lags[len(lags) // 2]:.2f} s.{rest}"
    )
    return Picture(title, caption, _svg(chart, title))


# == carriers and beacons ==


def _carrier(device: str, subject: Mapping[str, Any], traffic: Traffic) -> Iterator[Picture]:
    inner = [c for c in subject["carried"] if isinstance(c, Mapping)]
    own = traffic.series.get((device, (*end_of(subject)[:5], "")), {})
    total: dict[int, int] = defaultdict(int)
    for key in sorted({(device, (*end_of(c)[:5], "")) for c in inner}):
        for second, number in traffic.series.get(key, {}).items():
            total[second] += number
    if own and total:
        yield _two_series(subject, own, total, len(inner))
    times = [(_seconds(c.get("first_at")), _seconds(c.get("last_at")), end_of(c)) for c in inner]
    timed = sorted(((a, b, e) for a, b, e in times if a is not None and b is not None), key=lambda t: (t[0], t[2]))
    if timed:
        yield _lanes(subject, timed)


def _two_series(subject: Mapping[str, Any], own: Mapping[int, int], total: Mapping[int, int], number: int) -> Picture:
    first, last = min(*own, *total), max(*own, *total)
    step = max(1, -(-(last - first + 1) // SERIES))  # seconds a point
    drawn = []
    for values in (own, total):
        sums = [0] * ((last - first) // step + 1)
        for second, size in values.items():
            sums[(second - first) // step] += size
        drawn.append([(i * step, size / step / 1000) for i, size in enumerate(sums)])
    chart = _chart(8, x_title=f"seconds after {_clock(first)}", y_title="kB a second", show_legend=True, show_dots=False)
    chart.add("the carrier", drawn[0], stroke_style={"width": 3})
    chart.add("all that it carries, together", drawn[1], stroke_style={"width": 2, "dasharray": "5, 3"})
    title = "The bytes of a carrier, and of what it carries"
    caption = (
        f"{_named(subject)} (line) and the {count(number, 'connection')} that it carries, added up (dashed), both directions. "
        f"Where both rise and fall together one is made of the other: {_size(sum(own.values()))} beside {_size(sum(total.values()))}."
    )
    return Picture(title, caption, _svg(chart, title))


def _named(subject: Mapping[str, Any]) -> str:
    proto, orig, _, resp, port, _ = end_of(subject)
    return f"The connection {line(orig, 60)} to {line(resp, 60)} ({line(proto, 10)}{f' port {port}' if port else ''})"


def _lanes(subject: Mapping[str, Any], timed: Sequence[tuple[float, float, End]]) -> Picture:
    shown = timed[:PAIRS]
    rows, since = len(shown), shown[0][0]
    names = [f"{line(e[3], 40)}:{e[4]}" for _, _, e in shown]
    chart = _chart(rows, range=(0, rows), x_title=f"seconds after {_clock(since)}", **_LANES | {"show_legend": False},
                   y_labels=[{"value": rows - 0.5 - i, "label": name} for i, name in enumerate(names)])  # fmt: skip
    bars: list[tuple[float, float] | None] = []
    for row, (a, b, _) in enumerate(shown):
        bars += [(a - since, rows - 0.5 - row), (b - since, rows - 0.5 - row), None]
    chart.add("", bars, stroke_style={"width": 4}, show_dots=False)
    rest = f" The first {len(shown)} are drawn." if len(timed) > len(shown) else ""
    title = "What a carrier carries"
    caption = f"{_named(subject)} carries the bytes of {count(len(timed), 'connection')}, each drawn in its time.{rest}"
    return Picture(title, caption, _svg(chart, title))


def _rhythm(address: str, port: object, starts: Sequence[float]) -> Picture:
    shown = starts[: CALLS + 1]
    waits = [b - a for a, b in pairwise(shown)]
    ordered = sorted(waits)
    median = ordered[len(ordered) // 2]
    chart = _chart(8, x_title=f"hours after {_clock(shown[0])}", y_title="seconds to the next call", range=(0, max(ordered[-1], 1) * 1.1))
    chart.add("", [((a - shown[0]) / 3600, w) for a, w in zip(shown, waits, strict=False)], stroke=False, dots_size=3)
    title = f"The rhythm of calls to {line(address, 60)}"
    rest = f" The first {len(waits)} are drawn." if len(starts) > len(shown) else ""
    caption = (
        f"{count(len(starts), 'call')} to {line(address, 60)}, port {port or '?'}; each dot is the time to the next. "
        f"In the middle {median:.1f} s, the shortest {ordered[0]:.1f} s, the longest {ordered[-1]:.1f} s. "
        f"Dots in a level row are the beat of a program.{rest}"
    )
    return Picture(title, caption, _svg(chart, title))


# == drawing ==


@dataclass(frozen=True, slots=True)
class _Word:
    """Text at a point of the chart; `top`: at the top above it, clear of the lines."""

    x: float
    y: float
    text: str
    anchor: str
    top: bool = False


def _chart(rows: int, colors: str = "#000 #666", **more: Any) -> Any:
    try:
        import pygal
        from pygal.style import Style
    except ImportError as error:
        raise MissingError from error

    # it hooks itself into all later imports, in a way of old Pythons, for plug-ins that there are none of here
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]
    style = Style(
        background="white", plot_background="white", foreground="#000", foreground_strong="#000", foreground_subtle="#888",
        guide_stroke_color="#ccc", major_guide_stroke_color="#ccc", opacity="1", opacity_hover="1", transition="none",
        colors=tuple(colors.split()), font_family="sans-serif",
        label_font_size=11, major_label_font_size=11, title_font_size=13, legend_font_size=12,
    )  # fmt: skip
    return pygal.XY(**{
        "style": style, "no_prefix": True, "js": [], "width": WIDTH, "height": max(LEAST_HEIGHT, 90 + ROW_HEIGHT * rows),
        "explicit_size": True, "show_legend": False, "allow_interruptions": True, "stroke": True, "include_x_axis": False,
        "legend_at_bottom": True, "truncate_legend": -1, "truncate_label": -1, **more,
    })  # fmt: skip


def _thicken(root: ET.Element, widths: Sequence[float | None]) -> None:
    """Set how thick the lines of each series are: without a prefix for its names the library's own style does not reach them."""
    series = (g for g in root.iter(f"{_SVG}g") if "series" in g.get("class", "").split() and g.find(f"{_SVG}path") is not None)
    for group, width in zip(series, widths, strict=False):
        for path in group.iter(f"{_SVG}path") if width else ():
            path.set("style", f"stroke-width: {width}")


_SVG = "{http://www.w3.org/2000/svg}"
_DROPPED = {f"{_SVG}script", f"{_SVG}desc"}


def _svg(chart: Any, title: str, told: Sequence[_Word] = ()) -> str:
    """The chart as text, the same every time: shapes and words alone, with its title inside for those who cannot see it."""
    root = ET.fromstring(chart.render())  # noqa: S314 - made by the library just now; a comment with the date is left out so
    for parent in root.iter():
        for child in list(parent):
            if child.tag in _DROPPED or "tooltip" in child.get("class", "").split() or child.get("class", "").endswith("tooltip-overlay"):
                parent.remove(child)
    root.attrib.pop("id", None)
    _thicken(root, [options.get("stroke_style", {}).get("width") for _, options in chart.raw_series])
    named = ET.Element(f"{_SVG}title")
    named.text = title
    root.insert(0, named)
    plots = [g for g in root.iter(f"{_SVG}g") if "plot" in g.get("class", "").split() and "overlay" in g.get("class", "").split()]
    # pygal does not tell where it puts a point; its dots do, in the order of the points
    dots = [(float(c.get("cx", 0)), float(c.get("cy", 0))) for c in root.iter(f"{_SVG}circle")] if told else []
    at = dict(zip((p for values in chart.raw_series for p in values[0]), dots, strict=True)) if told else {}
    for word in told if plots else ():
        x, y = at[word.x, word.y]
        shift = {"end": -8, "start": 8, "middle": 0}[word.anchor]
        text = ET.SubElement(plots[-1], f"{_SVG}text", {
            "x": f"{x + shift:.1f}", "y": f"{4 if word.top else y + 4:.1f}", "text-anchor": word.anchor,
            "style": "font: 12px sans-serif; fill: #000",
        })  # fmt: skip
        text.text = word.text
    ET.register_namespace("", "http://www.w3.org/2000/svg")
    return ET.tostring(root, encoding="unicode")
