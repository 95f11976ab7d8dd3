"""An answer that is none, whatever the language: never content, above all where any line is content."""

from __future__ import annotations

import pytest

from devicehunt import parse, platforms
from devicehunt.model import Section

LINUX = platforms.load("linux")
USAGE = "BusyBox v1.36.1 (2023-11-14 13:38:11 UTC) multi-call binary.\n\nUsage: cat [-nbvteA] [FILE]...\n\nPrint FILEs\n\n\t-n\tNumber\n"
DENIED = [
    "Permission denied", "Keine Berechtigung", "Permiso denegado", "Permission non accordée", "Permesso negato", "Permissão negada",
    "Toegang geweigerd", "Отказано в доступе", "权限不够", "許可がありません", "허가 거부",
]  # fmt: skip
ABSENT = [
    "No such file or directory", "Datei oder Verzeichnis nicht gefunden", "No existe el fichero o el directorio",
    "Aucun fichier ou dossier de ce type", "File o directory non esistente", "Нет такого файла или каталога", "没有那个文件或目录",
]  # fmt: skip
MISSING = ["not found", "Kommando nicht gefunden.", "orden no encontrada", "commande introuvable", "команда не найдена", "未找到命令"]
COMMANDS = ["cat /etc/rc.local", "crontab -l", "ps w", "uci show", "dmesg", "nvram show", "netstat -anp"]


def read(command: str, text: str) -> parse.Parsed:
    found = parse.parse(Section("x", "d", "1", 1, command, text.encode()), LINUX.find(command), LINUX)
    if found.status != "absent":
        assert not found.usable
        assert found.gaps
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_refusals_in_other_languages_hold_no_rows(command: str) -> None:
    said = [(f"{command.split(maxsplit=1)[0]}: /etc/x: {t}\n", "denied") for t in DENIED]
    said += [(f"{command.split(maxsplit=1)[0]}: /etc/x: {t}\n", "absent") for t in ABSENT]
    said += [(f"-bash: {command.split(maxsplit=1)[0]}: {t}\n", "unsupported") for t in MISSING]
    said += [("Killed\n", "cut"), ("Terminated\n", "cut"), (USAGE, "unsupported"), ("> -ash: x: Permission denied\n", "denied")]
    said += [(f"\x1b[31m{t}\x1b[0m", s) for t, s in said[:1]]
    for text, status in said:
        found = read(command, text)
        assert found.rows == [], text
        if text != USAGE or (found.stanza and found.stanza.any_line):  # elsewhere the template leaves its lines unread
            assert found.status == status, text


def test_a_message_in_a_language_that_nobody_listed_is_no_content() -> None:
    for text in ("cat: /etc/rc.local: Ei oikeutta\n", "sh: line 1: cat: Aðgangi neitað\n"):
        found = read("cat /etc/rc.local", text)
        assert (str(found.status), found.rows) == ("garbled", [])


@pytest.mark.parametrize("end", ["Killed\n", "sh: line 1:   123 Killed    cat /etc/rc.local\n", "cat: read error: Input/output error\n"])
def test_a_command_that_was_ended_is_cut(end: str) -> None:
    found = read("cat /etc/rc.local", "#!/bin/sh\n/usr/sbin/ntpd -n\n" + end)
    assert found.status == "cut"
    assert any("ended" in g.reason for g in found.gaps)


def test_a_log_may_speak_of_what_was_killed() -> None:
    log = b"[    1.5] Out of memory: Killed process 77 (x)\n[    2.0] eth0: link up\n"
    found = parse.parse(Section("x", "d", "1", 1, "dmesg", log), LINUX.find("dmesg"), LINUX)
    assert (str(found.status), found.usable) == ("complete", True)
