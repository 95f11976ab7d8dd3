"""XML of nmap and masscan -> records of ports. No document type with content and no entity is let in; nothing is kept but the open port."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.parsers import expat

from devicehunt.flows.loglines import Unread

DEPTH = 64
TOKEN_LIMIT = 4 << 20
VALUE_LIMIT = 64 << 10
SCRIPTS = 64
"""Scripts of a port that are kept."""


class Refused(Exception):  # noqa: N818 - what the document is, not a failure of ours
    """A document that a scanner does not write."""


class Ports:
    """The handlers of one document; `found` holds what it named since it was last emptied: (line, record)."""

    def __init__(self, unread: Unread):
        self.unread = unread
        self.found: list[tuple[int, dict[str, Any]]] = []
        self.parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._entity
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self.depth = 0
        self.host: dict[str, str] = {}
        self.address: str | None = None
        self.port: dict[str, Any] | None = None
        self.line = 0
        self.script: dict[str, Any] | None = None
        self.elem: str | None = None
        self.value: list[str] = []
        self.size = 0

    @staticmethod
    def _doctype(name: str, system: str | None, public: str | None, internal: bool) -> None:
        if system or public or internal:
            raise Refused("a document type with content: refused")

    @staticmethod
    def _entity(*_: Any) -> None:
        raise Refused("an entity: refused")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > DEPTH:
            raise Refused("nested too deeply: refused")
        attributes = {k: v[:VALUE_LIMIT] for k, v in attributes.items()}
        if self.depth == 1 and name != "nmaprun":
            raise Refused("not the output of nmap or masscan")
        if name == "host":
            self.host, self.address, self.port = attributes, None, None
        elif name == "address" and attributes.get("addrtype") in ("ipv4", "ipv6"):
            self.address = attributes.get("addr")
        elif name == "port":
            self.line = self.parser.CurrentLineNumber
            self.port = {**attributes, "address": self.address, "host": self.host, "script": {}}
        elif self.port is not None:
            self._inside(name, attributes)
        elif name == "extraports":
            self.unread.account.note(f"ports named only by their number: {attributes.get('state', '')[:20]}")

    def _inside(self, name: str, attributes: dict[str, str]) -> None:
        port = self.port or {}
        if name in ("state", "service"):
            port[name] = attributes
        elif name == "script":
            self.script = {"output": attributes.get("output", "")}
            if len(port["script"]) < SCRIPTS:
                port["script"][attributes.get("id", "")] = self.script
        elif name == "elem" and self.script is not None:
            self.elem, self.value, self.size = attributes.get("key", ""), [], 0

    def _text(self, got: str) -> None:
        if self.elem is not None and self.size < VALUE_LIMIT:
            self.value.append(got)
            self.size += len(got)

    def _end(self, name: str) -> None:
        self.depth -= 1
        if name == "elem" and self.elem is not None:
            if self.script is not None and len(self.script) < SCRIPTS:
                self.script.setdefault(self.elem, "".join(self.value)[:VALUE_LIMIT])
            self.elem = None
        elif name == "script":
            self.script = None
        elif name == "port" and self.port is not None:
            self.found.append((self.line, self.port))
            self.port = None
        elif name == "host":
            self.host, self.address = {}, None
        elif name == "nmaprun":
            self.unread.account.ended = True


def ports(chunks: Iterator[bytes], unread: Unread) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, record) of each port of each host: the port's attributes, its `address`, `host`, `state`, `service`, `script`."""
    reader = Ports(unread)
    fed = 0
    reason = ""
    try:
        for chunk in chunks:
            fed += len(chunk)
            reader.parser.Parse(chunk, False)
            yield from reader.found
            reader.found.clear()
            if fed - max(reader.parser.CurrentByteIndex, 0) > TOKEN_LIMIT:
                raise Refused("an element longer than 4 MiB: refused")
        reader.parser.Parse(b"", True)
    except expat.ExpatError as error:
        reason = f"the XML ends or breaks here: {expat.ErrorString(error.code)}"
    except Refused as error:
        reason = str(error)
    except (ValueError, LookupError):  # an encoding that nobody knows
        reason = "the XML names an encoding that is not known"
    yield from reader.found
    unread.account.lines = reader.parser.CurrentLineNumber
    if reason:
        unread.account.ended = False
        unread.account.unread += 1
        unread.whole(reason, reader.parser.CurrentLineNumber, max(reader.parser.CurrentByteIndex, 0))
