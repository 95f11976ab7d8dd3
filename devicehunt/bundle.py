"""One output that holds many commands under headings (`show tech-support`) -> a section a command."""

from __future__ import annotations

from dataclasses import replace

from devicehunt.model import EndProof, Section, Status
from devicehunt.patterns import Pattern
from devicehunt.text import LINE_LIMIT, decode, lines


def split(whole: Section, heading: Pattern) -> list[Section]:
    """Cut `whole` at its headings; group 1 of `heading` is the command. Lines keep their numbers.

    The next heading proves the end of an output; the last one has no proof. Text before the first
    heading is a section without a command, which becomes a gap.
    """
    marks: list[tuple[int, int, int, str]] = []  # the heading's start, its end, its line, the command
    for number, (start, end) in enumerate(lines(whole.data), whole.first_line):
        if end - start > LINE_LIMIT:
            continue
        found = heading.fullmatch(decode(whole.data[start:end]))
        if found:
            marks.append((start, end, number, found.group(1)))
    sections = []
    if not marks or whole.data[: marks[0][0]].strip():
        until = marks[0][0] if marks else len(whole.data)
        text = "text that belongs to no command"
        sections.append(replace(whole, command="", data=whole.data[:until], status=Status.NOT_READ, reason=text))
    for index, (_, end, number, command) in enumerate(marks):
        last = index + 1 == len(marks)
        until = len(whole.data) if last else marks[index + 1][0]
        sections.append(
            replace(
                whole, command=command, data=whole.data[end + 1 : until], first_line=number + 1, exit_status=None,
                seq=whole.seq * 1000 + index, end_proof=EndProof.NONE if last else EndProof.TRAILER,
            )
        )  # fmt: skip
    return sections
