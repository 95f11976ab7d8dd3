"""Terminal logs: prompts of the platforms, echoes, pagers, colours; and whatever bytes a log may hold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devicehunt import platforms
from devicehunt.model import EndProof, Section, Status
from devicehunt.transcript import looks_like_transcript, read_transcript

PROMPTS = platforms.load("linux").prompts
BLANK = Section("r/1/01.txt", "r", "1", 1, "", b"")
PASSWD = "root:x:0:0:root:/root:/bin/ash\nnobody:*:65534:65534:nobody:/var:/bin/false\n"


def sections(log: str | bytes) -> list[Section]:
    return read_transcript(log.encode() if isinstance(log, str) else log, BLANK, PROMPTS)


@pytest.mark.parametrize(
    "prompt",
    ["root@OpenWrt:~# ", "admin@RT-AX88U:/tmp/home/root# ", "root@DD-WRT:~# ", "ubnt@edge:~$ ", "vyos@vyos:~$ ", "/ # ", "# "],
)
def test_prompts_part_a_log(prompt: str) -> None:
    log = f"{prompt}cat /etc/passwd\n{PASSWD}{prompt}uname -a\nLinux r 5.4.188 #0 SMP mips GNU/Linux\n{prompt}"
    if prompt == "# ":
        # a bare `# ` is also how a comment begins: it is no prompt, and the log is a gap, not a guess
        assert {s.status for s in sections(log)} == {Status.NOT_READ}
        return
    assert looks_like_transcript(log.encode(), PROMPTS)
    found = [s for s in sections(log) if s.command]
    assert [(s.command, s.data.decode(), s.first_line) for s in found] == [
        ("cat /etc/passwd", PASSWD, 2), ("uname -a", "Linux r 5.4.188 #0 SMP mips GNU/Linux\n", 5),
    ]  # fmt: skip
    assert {s.end_proof for s in found} == {EndProof.PROMPT}


P = "root@OpenWrt:~# "


def test_without_a_last_prompt_the_end_is_not_proven() -> None:
    found = sections(f"{P}uname -a\nLinux\n{P}cat /etc/passwd\n{PASSWD}")
    assert [(s.command, s.end_proof) for s in found] == [("uname -a", EndProof.PROMPT), ("cat /etc/passwd", EndProof.NONE)]


def test_a_log_that_ends_right_after_the_command_is_cut() -> None:
    found = sections(f"{P}uname -a\nLinux\n{P}cat /etc/passwd")
    assert found[-1].status is Status.CUT


def test_terminal_noise_goes_and_lines_keep_their_numbers() -> None:
    log = (
        "=~=~=~=~=~= PuTTY log 2026.01.06 10:00:00 =~=~=~=~=~=\r\n"
        "login as: root\r\n\r\nBusyBox v1.36.1 built-in shell (ash)\r\n\r\n"
        f"\x1b]0;r\x07{P}\x1b[01;32mcat /etc/passwd\x1b[0m\r\n"
        + PASSWD.replace("\n", "\r\n")
        + f"{P}unamx\x08 \x08e -a\r\nLinux r\r\n{P}exit\r\n"
    )
    found = sections(log)
    told = [s for s in found if s.command]
    assert [(s.command, s.data.decode(), s.first_line) for s in told] == [("cat /etc/passwd", PASSWD, 7), ("uname -a", "Linux r\n", 10)]


def test_the_frame_of_script_is_no_output() -> None:
    log = (
        'Script started on 2026-11-03 10:00:00+00:00 [TERM="xterm" TTY="/dev/pts/3" COLUMNS="100" LINES="30"]\n'
        f"{P}cat /etc/passwd\n{PASSWD}{P}exit\n\nScript done on 2026-11-03 10:04:00+00:00 [COMMAND_EXIT_CODE=\"0\"]\n"
    )
    found = {s.command: s for s in sections(log)}
    assert found["cat /etc/passwd"].data.decode() == PASSWD
    assert found["cat /etc/passwd"].end_proof is EndProof.PROMPT
    assert all("Script" not in s.data.decode() for s in found.values() if s.command in ("cat /etc/passwd",))


def test_an_echo_that_readline_wrapped_is_one_command() -> None:
    command = "cat /proc/net/nf_conntrack /proc/net/ip_conntrack /proc/net/arp /proc/net/route /proc/net/dev"
    wrapped = f"{P}{command}"[:80] + " \r" + f"{P}{command}"[80:]
    found = [s for s in sections(f"{P}uname -a\nLinux\n{wrapped}\r\ntext\n{P}") if s.command]
    assert [(s.command, s.data) for s in found] == [("uname -a", b"Linux\n"), (command, b"text\n")]


def test_an_echo_that_ash_broke_leaves_its_rest_to_be_counted() -> None:
    command = "netstat -anp 2>/dev/null | grep -v 127.0.0.1 | grep -v ESTABLISHED | sort"
    echo = f"{P}{command}"
    found = [s for s in sections(f"{echo[:80]}\r\n{echo[80:]}\r\nActive\r\n{P}uname -a\r\nLinux\r\n{P}") if s.command]
    assert len(echo) > 80
    assert found[0].command == command[: 80 - len(P)]
    assert found[0].data == echo[80:].encode() + b"\nActive\n"


def test_one_command_alone_is_a_log_too() -> None:
    (found,) = [s for s in sections(f"{P}cat /etc/passwd\n{PASSWD}{P}\n") if s.command]
    assert (found.data.decode(), found.end_proof) == (PASSWD, EndProof.PROMPT)


def test_a_pagers_own_text_is_no_output() -> None:
    pager = "--More-- (50% of 90 bytes)\x08\x08\x08   \n"
    log = f"{P}cat /etc/passwd\nroot:x:0:0:root:/root:/bin/ash\n{pager}nobody:x:1:1::/:/bin/false\n{P}uname\nLinux\n{P}"
    passwd = next(s for s in sections(log) if s.command == "cat /etc/passwd")
    assert b"More" not in passwd.data
    assert passwd.data.count(b"\n") == 3  # the line that the pager had stays, empty, so that the numbers are right


def test_what_the_device_took_back_on_the_screen_is_still_there() -> None:
    hidden = {
        "overwritten": b"   66 root  /tmp/.x\r    1 root  /sbin/procd",
        "rubbed out": b"   66 root  /tmp/.x" + b"\x08" * 7 + b"procd",
        "a title": b"   66 root  \x1b]0;/tmp/.x\x07",
        "too long": b"   66 root  /bin/a " + b"b" * 20_000 + b" /tmp/.x",
    }
    for how, line in hidden.items():
        found = sections(P.encode() + b"ps w\n" + line + b"\n" + P.encode() + b"uname\nLinux\n" + P.encode())
        (shown,) = [s.data for s in found if s.command == "ps w"]
        assert b"/tmp/.x" in shown, how
    plain = f"{P}ps w\n--More--\r        \r   66 root  \x1b[32m/tmp/.x\x1b[0m\n{P}uname\nLinux\n{P}"
    assert [s.data for s in sections(plain) if s.command == "ps w"] == [b"   66 root  /tmp/.x\n"]


def test_what_comes_behind_exit_is_a_gap() -> None:
    found = sections(f"{P}uname -a\nLinux\n{P}exit\nConnection to r closed.\n   66 root  /tmp/.x\n{P}df\nx\n{P}")
    assert [(s.data, s.reason) for s in found if not s.command] == [(b"   66 root  /tmp/.x\n", "text that belongs to no command")]


def test_text_before_the_first_prompt_is_a_gap() -> None:
    found = sections(f"somebody typed this into the log\n{P}uname -a\nLinux\n{P}")
    assert [(s.status, s.reason) for s in found if not s.command] == [(Status.NOT_READ, "text that belongs to no command")]


def test_another_prompt_inside_an_output_parts_nothing() -> None:
    inner = "root@evil:~# ps w\n  PID USER COMMAND\n"
    found = [s for s in sections(f"{P}cat /tmp/x\n{inner}{P}uname -a\nLinux\n{P}df\nx\n{P}") if s.command]
    assert [s.command for s in found] == ["cat /tmp/x", "uname -a", "df"]
    assert found[0].data.decode() == inner


@pytest.mark.parametrize("log", ["", "\n", "\x00", "no prompt at all\n", f"{P}\n{P}\n", "\xff\xfe"])
def test_a_log_without_commands_says_so(log: str) -> None:
    assert all(s.status is not None or not s.data.strip() for s in sections(log))


PIECES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from([
            b"\n", b"\r\n", P.encode(), b"uname -a\n", b"@@dh 0123456789abcdef begin 1 2 date @@\n",
            b"@@dh 0123456789abcdef end 1 rc=0 bytes=3 md5= @@\n", b"@@dh 0123456789abcdef done 2 @@\n",
            b"@@dh fedcba9876543210 begin 1 1 x @@\n", b"@@dh 0123456789abcdef not-asked 2 df @@\n", b"--More--\x08\x08",
            b"\x1b[0m", b"\x1b]0;", b"unset HISTFILE; dh=\n", b"fi; unset dh\n",
        ]),
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(PIECES)
def test_any_bytes_give_sections_and_no_line_is_lost_in_silence(pieces: list[bytes]) -> None:
    log = b"".join(pieces)
    found = read_transcript(log, BLANK, PROMPTS)
    total = log.count(b"\n") + 1
    for section in found:
        assert 1 <= section.first_line <= total + 1
        assert section.status is None or section.reason
    # letters that a person would call content stand in some section
    if b"secretword" in log:
        assert any(b"secretword" in s.data for s in found)


@settings(max_examples=150, deadline=None)
@given(PIECES, st.integers(0, 10))
def test_a_word_of_the_device_is_in_some_section(pieces: list[bytes], at: int) -> None:
    word = b"\nqwzx-word\n"
    pieces = [p for p in pieces if b"HISTFILE" not in p and b"\x1b" not in p and b"\r" not in p and b"\x08" not in p]
    pieces.insert(min(at, len(pieces)), word)
    found = read_transcript(b"".join(pieces), BLANK, PROMPTS)
    assert any(b"qwzx-word" in s.data for s in found)
