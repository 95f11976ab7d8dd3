"""A TextFSM template, fed one line at a time: every row gets its line, and an unexpected line is told.

After an unread line the open record is dropped, and lines are skipped until one that starts a record
(`Continue.Record`, `Clear`) or renews a header (sets a Filldown value).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from devicehunt.errors import DataError

Row = dict[str, Any]
OPEN = "Open"
"""A template's state inside a value of several lines: an output that ends there was cut."""
CUT_VALUE = "the output ends inside a value"


class Template:
    """A compiled TextFSM template, reset and reused for every output."""

    def __init__(self, path: Path) -> None:
        import textfsm

        self._error: type[Exception] = textfsm.TextFSMError
        try:
            with path.open(encoding="utf-8") as file:
                self._fsm = textfsm.TextFSM(file)
        except (textfsm.TextFSMTemplateError, OSError) as error:
            raise DataError(f"{path}: {error}") from error
        for name, rules in self._fsm.states.items():
            # without it TextFSM passes over what no rule fits, in silence
            if rules and not (rules[-1].match == "^." and rules[-1].line_op == "Error"):
                raise DataError(f"{path}: state {name}: its last rule must be `^. -> Error`")
        self.header: list[str] = list(self._fsm.header)
        self._filldown = {v.name for v in self._fsm.values if "Filldown" in v.OptionNames()}
        self._plain = [v for v in self._fsm.values if v.name not in self._filldown]
        self._starters = {name: self._starting(rules) for name, rules in self._fsm.states.items()}
        self._multiline = (
            any(
                rule.record_op in ("Record", "Clear", "Clearall") and rule.line_op == "Continue"
                for rules in self._fsm.states.values()
                for rule in rules
            )
            or not self._every_capture_records()
        )

    def _starting(self, rules: list[Any]) -> list[Any]:
        return [
            rule
            for rule in rules
            if (rule.record_op and rule.line_op == "Continue")
            or rule.record_op in ("Clear", "Clearall")
            or self._filldown.intersection(_captures(rule))
        ]

    def _every_capture_records(self) -> bool:
        return all(
            rule.record_op == "Record" or not _captures(rule) - self._filldown for rules in self._fsm.states.values() for rule in rules
        )

    def read(self, texts: Iterator[tuple[int, str | None]]) -> Iterator[tuple[int, Row | None, str]]:
        """Yield (line, row, "") for rows and (line, None, reason) for each unread line, in order."""
        fsm = self._fsm
        fsm.Reset()
        skipping, opened, number = False, 0, 0
        for number, text in texts:
            if text is None:
                yield number, None, "line longer than 16 KiB, or bytes that no text has"
                skipping = self._drop_record()
                continue
            if skipping:
                if not self._starts(text):
                    yield number, None, "belongs to a record with an unread line"
                    continue
                skipping = False
                opened = 0
            before = len(fsm._result)
            try:
                fsm.ParseText(text + "\n", eof=False)
            except self._error:
                for lost in range(opened or number, number + 1):  # with the record that was open
                    yield lost, None, "no rule of the template fits"
                skipping = self._drop_record()
                opened = 0
                continue
            for values in fsm._result[before:]:
                yield (opened or number), self._row(values), ""
                opened = 0
            del fsm._result[before:]
            if self._multiline and not opened and any(v.value for v in self._plain):
                opened = number
        if not skipping and fsm._cur_state_name == OPEN:
            yield number, None, CUT_VALUE
            self._drop_record()
        # a header alone (Filldown) is no record: TextFSM would make one of it at the end
        if not skipping and any(v.value for v in self._plain):
            fsm.ParseText("", eof=True)
            for values in fsm._result:
                yield opened, self._row(values), ""

    def heading(self, names: list[str]) -> tuple[Any, ...]:
        """The values of the heading (Filldown) under which the template stands now."""
        now = {v.name: v.value for v in self._fsm.values}
        return tuple(now.get(name) for name in names)

    def _starts(self, text: str) -> bool:
        # only rules of the state in which the bad line was met can start afresh
        state = self._starters.get(self._fsm._cur_state_name, [])
        return any(rule.regex_obj.match(text) for rule in state)

    def _drop_record(self) -> bool:
        """Forget the open record; whether what follows hangs on a heading and must wait for the next one."""
        self._fsm._ClearRecord()
        return bool(self._starters.get(self._fsm._cur_state_name))

    def _row(self, values: list[Any]) -> Row:
        # a value of type List (ntc-templates have some): its members, parted by what no device text holds
        flat = ("\x1f".join(v) if isinstance(v, list) else v for v in values)
        return {name: value or None for name, value in zip(self.header, flat, strict=True)}


def _captures(rule: Any) -> set[str]:
    return set(re.compile(rule.regex).groupindex)


@lru_cache(maxsize=512)
def template(path: Path) -> Template:
    """The compiled template at `path`."""
    return Template(path)
