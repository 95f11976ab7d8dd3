"""Verbs and arguments; no logic. Heavy modules are imported by the verb that needs them."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devicehunt import __version__
from devicehunt.errors import DevicehuntError, UsageError
from devicehunt.model import LEVELS

if TYPE_CHECKING:
    from devicehunt.case import Case
    from devicehunt.report import Result

EXIT = """exit status: 0 nothing found and every core check assessed; 1 the tool failed; 2 wrong usage;
3 an unexplained finding reaches --fail-on; 4 a device is inconclusive; 5 compare: the sides differ
(4: no difference was seen, but not all of both sides was shown); 130 interrupted"""


def main(argv: list[str] | None = None) -> int:
    """Run one verb; return the exit status described in EXIT."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal of an old encoding is no failure
    try:
        args = _parser().parse_args(argv)
        status: int = args.run(args)
        sys.stdout.flush()
    except SystemExit as ended:  # argparse: --help, --version, a wrong call
        return _ended(ended)
    except UsageError as error:
        return _complain(str(error), 2)
    except DevicehuntError as error:
        return _complain(str(error), 1)
    except KeyboardInterrupt:
        return _interrupted()
    except RuntimeError as error:
        if str(error) != "Query interrupted":  # how DuckDB says that Ctrl-C came during a query
            raise
        return _interrupted()
    except BrokenPipeError:
        _no_stdout()  # the reader of a list went away; that is no failure
        return 0
    except OSError as error:
        return _failed(error)
    return status


def _ended(ended: SystemExit) -> int:
    try:
        sys.stdout.flush()
    except OSError as error:
        return _failed(error)
    return ended.code if isinstance(ended.code, int) else 2


def _failed(error: OSError) -> int:
    _no_stdout()
    return _complain(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), 1)


def _complain(text: str, status: int) -> int:
    from devicehunt.text import shown

    # a message may quote a name or a line that came from a device
    lines = [shown(line, 2000) for line in text.splitlines() if line.strip()]
    print("devicehunt: " + "\n  ".join(lines), file=sys.stderr)
    return status


def _no_stdout() -> None:
    """What could not be printed is given up: Python would try again at its end, and fail again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupted() -> int:
    return _complain("interrupted; what was stored is kept, run the same command again to go on", 130)


class _Parser(argparse.ArgumentParser):
    """The usual one hides that its help could not be printed."""

    def _print_message(self, message: str, file: Any = None) -> None:
        if message:
            (file or sys.stderr).write(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="devicehunt",
        description="Forensics for routers, firewalls and VPN appliances.",
        epilog=EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"devicehunt {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    _hunt_verb(verbs)
    _plan_verb(verbs)
    _case_verbs(verbs)
    _compare_verb(verbs)
    _pack_verbs(verbs)
    _record_verbs(verbs)
    return parser


def _verb(verbs: Any, name: str, about: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=about, description=about, epilog=EXIT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(run=run)
    return parser


def _packs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--parsers", type=Path, action="append", default=[], metavar="DIR", help="more platforms, before the shipped ones")
    parser.add_argument("--rules", type=Path, action="append", default=[], metavar="DIR", help="more rules")


def _hunt_verb(verbs: Any) -> None:
    parser = _verb(verbs, "hunt", "take evidence in, look for implants, say what was and was not seen", _hunt)
    sources = "folder of outputs, output, transcript, archive, capture, or a case; - is standard input"
    parser.add_argument("source", nargs="+", type=Path, metavar="SOURCE", help=sources)
    parser.add_argument("-o", "--case", type=Path, metavar="CASE", help="folder to write (default: ./case-NAME of the first source)")
    parser.add_argument("--device", metavar="NAME", help="all sources belong to this one device")
    parser.add_argument("--device-ip", action="append", default=[], metavar="IP", help="an address of the device, for captures")
    parser.add_argument("--vantage", action="append", default=[], metavar="[FILE=]SIDE", help="where captures were taken: wan, lan or any")
    parser.add_argument("--site", type=Path, metavar="FILE", help="what the owner says is theirs")
    lists = "a list of indicators: STIX 2.1, MISP, CSV or plain lines (docs/indicators.md)"
    parser.add_argument("--indicators", type=Path, action="append", default=[], metavar="FILE", help=lists)
    parser.add_argument("--case-info", type=Path, metavar="FILE", help="case.yaml: operator, case_number, device_owner, authority, scope")
    parser.add_argument("--platform", metavar="P", help="do not recognise the platform, use this one")
    parser.add_argument("--fail-on", choices=LEVELS, default="high", help="level from which the exit status is 3 (default: high)")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes for parsing (default: one a core)")
    parser.add_argument("--all", action="store_true", help="print everything that was not seen, not only a summary")
    _packs(parser)


def _plan_verb(verbs: Any) -> None:
    parser = _verb(verbs, "plan", "print the read-only script to paste into a console or pipe into ssh", _plan)
    parser.add_argument("platform", metavar="PLATFORM")
    parser.add_argument("--budget", metavar="TIME", help="time there is, e.g. 10m: drops the least volatile commands first")
    parser.add_argument("--baud", type=int, metavar="N", help="speed of a serial console, to estimate the time")


def _case_verbs(verbs: Any) -> None:
    parser = _verb(verbs, "parse", "rebuild the tables of a case from its evidence", _parse)
    parser.add_argument("case", type=Path, metavar="CASE")
    parser.add_argument("--platform", metavar="P")
    _packs(parser)
    parser = _verb(verbs, "report", "print a case again and write its report.html", _report)
    parser.add_argument("case", type=Path, metavar="CASE")
    parser.add_argument("--all", action="store_true")
    _packs(parser)
    parser = _verb(verbs, "query", "run one SELECT over the tables of a case", _query)
    parser.add_argument("case", type=Path, metavar="CASE")
    parser.add_argument("sql", metavar="SQL")
    parser.add_argument("--format", choices=("table", "csv", "json", "parquet"), default="table")
    parser = _verb(verbs, "verify", "check the journal's chain and every exhibit's hash", _verify)
    parser.add_argument("case", type=Path, metavar="CASE")


def _compare_verb(verbs: Any) -> None:
    parser = _verb(verbs, "compare", "what changed between two collections, by meaning and in order of weight", _compare)
    side = "a case, or evidence that is read into a temporary one (a configuration, a folder, a log)"
    parser.add_argument("before", type=Path, metavar="BEFORE", help=side)
    parser.add_argument("after", type=Path, metavar="AFTER", nargs="?", help="the same; left out: two snapshots of BEFORE")
    parser.add_argument("--snapshots", nargs=2, metavar=("A", "B"), help="which snapshots (default: the last of each side)")
    parser.add_argument("--devices", nargs=2, metavar=("A", "B"), help="which devices (default: those of the same name)")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def _pack_verbs(verbs: Any) -> None:
    parser = _verb(verbs, "rules", "list, show or check rules", _rules)
    parser.add_argument("what", choices=("list", "show", "check"))
    parser.add_argument("id", nargs="?", metavar="RULE")
    _packs(parser)
    parser = _verb(verbs, "platforms", "list the platforms and their commands", _platforms)
    parser.add_argument("name", nargs="?", metavar="PLATFORM")
    _packs(parser)


def _hunt(args: argparse.Namespace) -> int:
    from devicehunt.api import Job, Options
    from devicehunt.case import Case
    from devicehunt.show import Progress, result, write_page

    for source in args.source:
        if not source.exists() and str(source) != "-":
            raise UsageError(f"no such source: {source}")
    if args.site and not args.site.is_file():
        raise UsageError(f"no such site file: {args.site}")
    options = Options(
        device=args.device, platform=args.platform, site=args.site, case_info=args.case_info,
        parsers=tuple(args.parsers), rules=tuple(args.rules), jobs=args.jobs, device_ip=tuple(args.device_ip),
        vantage=tuple(args.vantage), indicators=tuple(args.indicators),
    )  # fmt: skip
    case = Case.open(args.case or _default_case(args))
    with Progress() as progress, case.writing():
        job = Job(case, options, progress.step)
        job.take_in(args.source)
        job.parse()
        con = job.hunt()
        progress.step("writing the report", 1, 1)
        found = result(case, con, job.rules)
        write_page(case, found)
    _print_case(found, everything=args.all)
    return _status(case, args.fail_on)


def _default_case(args: argparse.Namespace) -> Path:
    from devicehunt.text import slug

    first: Path = args.source[0]
    if (first / "evidence" / "data" / "journal.jsonl").is_file():
        return first
    return Path(f"case-{slug(args.device or ('stdin' if str(first) == '-' else first.resolve().stem))}")


def _print_case(found: Result, *, everything: bool) -> None:
    import shutil

    from devicehunt.report import terminal

    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    width = shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 100
    text = terminal.render(found, colour=colour, width=width, everything=everything)
    try:
        sys.stdout.buffer.write(text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))
        sys.stdout.flush()
    except BrokenPipeError:
        _no_stdout()  # `| head`: the verdict is the exit status all the same


def _status(case: Case, fail_on: str) -> int:
    wanted = LEVELS.index(fail_on)
    if any(LEVELS.index(f.level) >= wanted and f.explained_by != "owner" and not f.context for f in case.findings):
        return 3
    return 4 if not case.verdicts or any(v.verdict == "inconclusive" for v in case.verdicts) else 0


def _plan(args: argparse.Namespace) -> int:
    from devicehunt import platforms
    from devicehunt.plan import plan, seconds

    budget = seconds(args.budget) if args.budget else None
    sys.stdout.write(plan(platforms.load(args.platform), budget_s=budget, baud=args.baud))
    return 0


def _open(path: Path) -> Case:
    from devicehunt.case import JOURNAL, Case

    if not (path / JOURNAL).is_file():
        raise UsageError(f"{path} is not a case")
    return Case.open(path)


def _parse(args: argparse.Namespace) -> int:
    from devicehunt.api import Job, Options
    from devicehunt.show import Progress

    case = _open(args.case)
    with Progress() as progress, case.writing():
        job = Job(case, Options(platform=args.platform, parsers=tuple(args.parsers), rules=tuple(args.rules)), progress.step, hunting=False)
        job.note_parsers()
        job.parse()
    return 0


def _report(args: argparse.Namespace) -> int:
    from devicehunt.engine import open_tables
    from devicehunt.show import outdated, result, saved, write_page

    case = saved(_open(args.case))
    con = open_tables(case)
    late = outdated(case, con)
    if late:
        _complain(late, 0)
    found = result(case, con)
    write_page(case, found)
    _print_case(found, everything=args.all)
    return _status(case, "high")


def _query(args: argparse.Namespace) -> int:
    from devicehunt.show import query

    return query(_open(args.case), args.sql, args.format)


def _verify(args: argparse.Namespace) -> int:
    from devicehunt.case import JOURNAL, Case
    from devicehunt.text import shown

    if not (args.case / JOURNAL).is_file():
        raise UsageError(f"{args.case} is not a case")
    case = Case(args.case)
    problems = case.verify()
    for problem in problems:
        print(shown(problem))
    kept = sum(e.kind not in ("reference", "missing") and not e.origin for e in case.entries)
    if problems:
        print(f"NOT intact: {len(problems)} problems")
        return 1
    print(f"intact: {kept} exhibits and the journal's chain; head {case.head}")
    return 0


def _compare(args: argparse.Namespace) -> int:
    from devicehunt.compare import as_json, as_text, compare, status

    for path in filter(None, (args.before, args.after)):
        if not path.exists():
            raise UsageError(f"no such source: {path}")
    found = compare(
        args.before, args.after,
        snapshots=tuple(args.snapshots) if args.snapshots else None, devices=tuple(args.devices) if args.devices else None,
    )  # fmt: skip
    text = as_json(found) if args.format == "json" else as_text(found)
    sys.stdout.buffer.write(text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))
    return status(found)


def _record_verbs(verbs: Any) -> None:
    parser = _verb(verbs, "listen", "write what exporters send as evidence, until Ctrl-C; `hunt` reads it", _listen)
    parser.add_argument("--netflow", required=True, metavar="ADDRESS:PORT", help="where NetFlow and IPFIX come in, e.g. 0.0.0.0:2055")
    parser.add_argument("--exporter", action="append", default=[], metavar="IP", help="take datagrams from this address only")
    _bounds(parser, Path("exports"), "where the files go", "; nothing is deleted to make room")
    parser = _verb(verbs, "capture", "record an interface with dumpcap or tcpdump: hashes, drop counters, a ring of files", _capture)
    parser.add_argument("interface", metavar="INTERFACE")
    parser.add_argument("--ring", type=int, metavar="N", help="keep only the newest N files; what is gone is said")
    parser.add_argument("--snaplen", type=int, metavar="N", help="bytes kept of each packet (default: headers and first bytes)")
    parser.add_argument("--filter", default="", metavar="EXPRESSION", help="as tcpdump takes it")
    _bounds(parser, Path("capture"), "new or empty", "")


def _bounds(parser: argparse.ArgumentParser, folder: Path, where: str, full: str) -> None:
    """Where a recording goes, and when it ends."""
    parser.add_argument("-o", "--folder", type=Path, default=folder, metavar="DIR", help=f"{where} (default: ./{folder})")
    parser.add_argument("--seconds", type=float, metavar="N", help="end after so long")
    parser.add_argument("--limit-mb", type=int, metavar="N", help=f"end when so much is written{full}")


def _limit(args: argparse.Namespace) -> int | None:
    return args.limit_mb * 1_000_000 if args.limit_mb else None


def _say_recorded(files: Iterable[tuple[str, Path, str]]) -> None:
    """A line a file, as sha256sum writes it, with what is in it."""
    from devicehunt.text import shown

    for sha256, path, holds in files:
        print(f"{sha256}  {shown(str(path))}  {holds}")


def _capture(args: argparse.Namespace) -> int:
    from devicehunt.flows import capture
    from devicehunt.text import shown

    try:
        made = capture.record(
            args.interface, args.folder, seconds=args.seconds, size=_limit(args),
            ring=args.ring, snaplen=args.snaplen or capture.SNAPLEN, expression=args.filter,
        )  # fmt: skip
    except (capture.CaptureError, OSError) as error:
        raise UsageError(f"cannot capture: {shown(str(error), 300)}") from error
    _say_recorded((f.sha256, f.path, f"{f.size} bytes") for f in made.files)
    lost = "the capturer does not say how many it lost" if made.drops is None else f"{made.drops} lost by the capturer"
    print(f"{made.packets} packets, {lost}{'; the ring went round: the oldest are gone' if made.overwritten else ''}")
    return 0


def _listen(args: argparse.Namespace) -> int:
    from devicehunt.flows.listen import listen

    address, mark, port = args.netflow.rpartition(":")
    if not mark or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"--netflow: {args.netflow!r} is no ADDRESS:PORT")
    try:
        made = listen(
            address.strip("[]") or "0.0.0.0",  # noqa: S104 - the user asks for every address by leaving it out
            int(port), args.folder, seconds=args.seconds, limit_bytes=_limit(args),
            exporters=frozenset(args.exporter) or None,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot listen on {args.netflow}: {error}") from error
    _say_recorded((f.sha256, f.path, f"{f.datagrams} datagrams") for f in made.files)
    lost = "the system does not say how many were lost" if made.dropped is None else f"{made.dropped} lost before they could be read"
    print(f"{made.datagrams} datagrams from {len(made.exporters)} exporters, {made.refused} refused, {lost}; ended: {made.ended}")
    return 0


def _rules(args: argparse.Namespace) -> int:
    from devicehunt import platforms, rules
    from devicehunt.errors import RuleError

    if args.what == "show":
        found = {r.id: r for r in rules.load(args.rules)}
        if args.id not in found:
            raise UsageError(f"no rule {args.id!r}; `devicehunt rules list` names them")
        _say(found[args.id].file.read_text(encoding="utf-8"))
        return 0
    if args.what == "list":
        for rule in rules.load(args.rules):
            _say(f"{rule.level:9} {rule.check:5} {rule.id:34} {rule.title}")
        return 0
    from devicehunt.engine import check

    try:
        found_rules = rules.load(args.rules)
    except RuleError as error:
        _say(str(error))
        return 1
    known = [platforms.load(n, args.parsers) for n in platforms.names(args.parsers)]
    problems = check(known, found_rules)
    for problem in problems:
        _say(problem)
    print(f"{len(found_rules)} rules, {len(problems)} problems")
    return 1 if problems else 0


def _say(text: str) -> None:
    """Print what stands in a pack: somebody else may have written it."""
    from devicehunt.text import escape

    print("\n".join(map(escape, text.split("\n"))))


def _platforms(args: argparse.Namespace) -> int:
    from devicehunt import platforms

    for name in [args.name] if args.name else platforms.names(args.parsers):
        platform = platforms.load(name, args.parsers)
        _say(f"{platform.name}: {platform.title}")
        for stanza in sorted(platform.stanzas.values(), key=lambda s: s.tier):
            tables = ", ".join(dict.fromkeys(f"{f.table}@{f.view}" for f in stanza.feeds))
            _say(f"  {stanza.tier}  {stanza.command:44} {tables}")
    return 0
