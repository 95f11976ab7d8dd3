"""The plan as a person uses it: run by real shells, recorded, damaged on the way, and read back."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import devicehunt
from devicehunt import platforms
from devicehunt.errors import UsageError
from devicehunt.model import EndProof, Section, Status
from devicehunt.plan import WIDTH, plan, seconds
from devicehunt.transcript import looks_like_transcript, read_transcript

LINUX = platforms.load("linux")
BUSYBOX = shutil.which("busybox")
SHELLS = {"busybox ash": ["busybox", "sh"], "dash": ["dash"], "bash --posix": ["bash", "--posix"]}
BLANK = Section("r/1/01.txt", "r", "1", 1, "", b"")
# what BusyBox of a small router has; a command of the plan may lack, a tool of the frame may not
SMALL = {"tr", "sed", "ls", "readlink", "cat", "md5sum", "ps", "grep"}


def run(script: str, shell: list[str], env: dict[str, str] | None = None) -> bytes:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not installed")
    done = subprocess.run(shell, input=script.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, env=env, check=False)
    return done.stdout


def sections(log: bytes) -> list[Section]:
    return read_transcript(log, BLANK, LINUX.prompts)


@pytest.fixture(scope="module")
def log() -> bytes:
    """What BusyBox (else sh) prints when the whole plan is piped into it."""
    return run(plan(LINUX), ["busybox", "sh"] if BUSYBOX else ["sh"])


def test_every_output_is_proven(log: bytes) -> None:
    assert looks_like_transcript(log, LINUX.prompts)
    found = sections(log)
    asked = [s for s in LINUX.stanzas.values() if s.plan]
    assert len(found) == len(asked)
    assert {s.end_proof for s in found} == {EndProof.MARKER}
    assert {s.command for s in found} == {s.command for s in asked}
    assert all(s.status is None for s in found)


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_shells_agree(shell: list[str]) -> None:
    found = sections(run(plan(LINUX), shell))
    assert {s.end_proof for s in found} == {EndProof.MARKER}
    by_command = {s.command: s for s in found}
    assert b"nobody" in by_command["cat /etc/passwd"].data
    walk = by_command["walk of /proc by listing and by number"].data
    assert f"P {os.getpid()} listed".encode() in walk
    assert re.search(rb"^W walked=\d+ max=\d+ last=\d+ top=\d+\n\Z", walk, re.MULTILINE)


# what changes a file system, by the names of the calls; a call of another name that creates is an open with a flag
WRITES = re.compile(
    r"\b(?:open(?:at)?2?\(.*O_(?:WRONLY|RDWR|CREAT|TRUNC|APPEND)"
    r"|(?:creat|mkdir|mknod|rmdir|unlink|rename|link|symlink|truncate|chmod|chown|utime|utimensat|setxattr|removexattr|mount|umount2)(?:at)?2?\()"
)
NO_FILE = re.compile(r'"/dev/(?:null|tty)"|= -1 E')


# a process namespace of its own keeps the walks short, and other processes of this machine out
ALONE = ["unshare", "-m", "-p", "-f", "--mount-proc"]


def alone() -> None:
    """Skip where there are no namespaces."""
    if not BUSYBOX or not shutil.which("unshare") or subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs busybox, unshare and the right to make namespaces")


def test_it_writes_nothing(tmp_path: Path) -> None:
    alone()
    calls = tmp_path / "calls"
    trace = [*ALONE, "strace", "-f", "-qq", "-o", str(calls)]
    if not shutil.which("strace") or subprocess.run([*trace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs strace, and the right to trace")
    found = sections(run(plan(LINUX), [*trace, "busybox", "sh"]))
    assert {s.end_proof for s in found} == {EndProof.MARKER}
    made = calls.read_text(errors="replace").splitlines()
    assert any('"/proc/1/status"' in line for line in made)
    assert [line for line in made if WRITES.search(line) and not NO_FILE.search(line)] == []


def test_a_write_would_be_seen() -> None:
    for line in (
        '9 openat(AT_FDCWD, "/tmp/x", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3',
        '9 unlinkat(AT_FDCWD, "/tmp/x", 0) = 0',
        '9 mkdir("/a", 0777) = 0',
    ):
        assert WRITES.search(line)
        assert not NO_FILE.search(line)
    assert not WRITES.search('9 openat(AT_FDCWD, "/proc/1/status", O_RDONLY|O_LARGEFILE) = 3')


def test_a_process_that_is_really_covered_is_found(tmp_path: Path) -> None:
    alone()
    script, cover = tmp_path / "plan.sh", tmp_path / "cover"
    script.write_text(plan(LINUX))
    cover.mkdir()
    inner = 'busybox sleep 240 & p=$!; mount --bind "$1" /proc/$p && echo "covered $p" >&2; busybox sh < "$2"; kill $p'
    done = subprocess.run([*ALONE, "sh", "-c", inner, "sh", cover, script], capture_output=True, timeout=300, check=False)
    covered = re.search(rb"^covered (\d+)$", done.stderr, re.MULTILINE)
    assert covered, done.stderr
    log = tmp_path / "router.log"
    log.write_bytes(done.stdout)
    case = devicehunt.hunt([log], case=tmp_path / "case", device="router")
    (finding,) = [f for f in case.findings if f.rule == "mount-over-proc"]
    assert f"/proc/{covered[1].decode()}:" in finding.title
    assert finding.level == "critical"


def test_it_needs_only_what_a_small_router_has(tmp_path: Path) -> None:
    if not BUSYBOX:
        pytest.skip("busybox is not installed")
    for applet in SMALL:
        (tmp_path / applet).symlink_to(BUSYBOX)
    script = plan(LINUX).replace("PATH=/bin:/sbin:/usr/bin:/usr/sbin:$PATH", f"PATH={tmp_path}").replace("dh} = ", "dh} != ")
    # ash of Debian runs its applets without a PATH; dash does not
    shell = [shutil.which("dash")] if shutil.which("dash") else [BUSYBOX, "sh"]
    found = sections(run(script, shell, {"PATH": str(tmp_path)}))
    by_command = {s.command: s for s in found}
    assert by_command["nft list ruleset"].exit_status == 127
    assert b"\nc " in by_command["walk of /proc by listing and by number"].data
    assert {s.end_proof for s in found} == {EndProof.MARKER}


def test_lines_fit_a_console() -> None:
    lines = plan(LINUX).splitlines()
    assert max(map(len, lines)) <= WIDTH + 60  # the last line counts what arrived
    assert all(re.fullmatch(r"[ -~]*", line) for line in lines)


def test_shellcheck_has_nothing_to_say(tmp_path: Path) -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    for name in ("walk.sh", "walk_again.sh"):
        script = tmp_path / name
        script.write_text("#!/bin/sh\nw() { echo \"$1\"; }\n" + (LINUX.folder / name).read_text())
        done = subprocess.run(["shellcheck", "-S", "error", script], capture_output=True, text=True, check=False)
        assert done.stdout == ""


def test_a_budget_drops_the_least_volatile_and_says_so() -> None:
    whole, short = plan(LINUX), plan(LINUX, budget_s=seconds("90s"), baud=9600)
    found = sections(run(short, ["sh"]))
    left = [s for s in found if s.status is Status.NOT_COLLECTED]
    assert 0 < len(left) < len(found)
    assert len(short) < len(whole)
    tiers = {s.command: s.tier for s in LINUX.stanzas.values() if s.plan}
    assert min(tiers[s.command] for s in left) >= max(tiers[s.command] for s in found if s.end_proof is EndProof.MARKER)
    assert {s.reason for s in left} == {"left out of the plan for lack of time"}


@pytest.mark.parametrize("text", ["", "10", "m", "-1m", "0s", "1d", "1.5h"])
def test_a_time_that_is_none(text: str) -> None:
    if text == "10":
        assert seconds(text) == 10
        return
    with pytest.raises(UsageError):
        seconds(text)


NONCE = "0123456789abcdef"


def told(number: int, command: str, output: str, *, total: int = 2) -> str:
    import hashlib

    digest = hashlib.md5((output + "\n").encode()).hexdigest()
    return (
        f"@@dh {NONCE} begin {number} {total} {command} @@\n{output}\n"
        f"@@dh {NONCE} end {number} rc=0 bytes={len(output.encode())} md5={digest} @@\n"
    )


UNAME, PASSWD = "Linux r 5.4\n", "root:x:0:0:root:/root:/bin/ash\n"
WHOLE = told(1, "uname -a", UNAME) + told(2, "cat /etc/passwd", PASSWD) + f"@@dh {NONCE} done 2 @@\n"


def test_whole() -> None:
    found = sections(WHOLE.encode())
    assert [(s.command, s.data.decode(), s.first_line, s.end_proof) for s in found] == [
        ("uname -a", UNAME, 2, EndProof.MARKER), ("cat /etc/passwd", PASSWD, 6, EndProof.MARKER),
    ]  # fmt: skip


def test_a_serial_console_adds_carriage_returns_echo_and_colour() -> None:
    echo = plan(LINUX, nonce=NONCE).replace("\n", "\r\n> ")
    noise = "root@r:~# " + echo + "\r\n" + WHOLE.replace("\n", "\r\n").replace("@@dh", "\x1b[0m@@dh")
    found = sections(noise.encode())
    assert [(s.command, s.data.decode(), s.end_proof) for s in found] == [
        ("uname -a", UNAME, EndProof.MARKER), ("cat /etc/passwd", PASSWD, EndProof.MARKER),
    ]  # fmt: skip


@pytest.mark.parametrize("lost", ["x", "root", ":/bin/ash"])
def test_lost_bytes_are_a_cut(lost: str) -> None:
    found = sections(WHOLE.replace(PASSWD, PASSWD.replace(lost, "", 1)).encode())
    assert found[0].status is None
    assert (found[1].status, found[1].end_proof) == (Status.CUT, EndProof.NONE)
    assert "31 bytes" in found[1].reason


def test_changed_bytes_are_garbled() -> None:
    found = sections(WHOLE.replace("/bin/ash", "/bin/bsh").encode())
    assert (found[1].status, found[1].end_proof) == (Status.GARBLED, EndProof.NONE)


def test_a_kernel_message_in_between_is_late_data() -> None:
    found = sections(WHOLE.replace(PASSWD, PASSWD + "[ 12.3] usb 1-1: new device\n").encode())
    assert found[1].status is Status.LATE_DATA


@pytest.mark.parametrize("at", range(0, len(WHOLE), 3))
def test_a_transcript_cut_anywhere_is_never_whole(at: int) -> None:
    found = sections(WHOLE[:at].encode())
    whole = [s.command for s in found if s.end_proof is EndProof.MARKER and s.status is None]
    ends = [WHOLE.index("uname -a @@"), WHOLE.index("end 1"), WHOLE.index("end 2")]
    assert len(whole) <= sum(at > e for e in ends[1:])
    if at < len(WHOLE) - 3:
        assert not found or any(s.status is not None for s in found) or len(whole) == len(found) == 0


def test_the_device_cannot_forge_an_output() -> None:
    forged = told(1, "ps w", "PID USER COMMAND").replace(NONCE, "f" * 16)
    found = sections(WHOLE.replace(PASSWD, PASSWD + forged).encode())
    assert [s.command for s in found if s.end_proof is EndProof.MARKER] == ["uname -a"]
    assert found[1].status is Status.LATE_DATA
    # and when its own end marker never comes, what follows proves nothing
    lost = (told(1, "uname -a", UNAME) + f"@@dh {NONCE} begin 2 2 cat /etc/passwd @@\n{PASSWD}" + forged).encode()
    assert [s.command for s in sections(lost) if s.end_proof is EndProof.MARKER] == ["uname -a"]


def test_swapped_and_missing_markers() -> None:
    lines = WHOLE.splitlines(keepends=True)
    without_end = "".join(line for line in lines if "end 1" not in line)
    found = sections(without_end.encode())
    assert (found[0].command, found[0].status) == ("uname -a", Status.CUT)
    assert found[1].status is None
    without_begin = "".join(line for line in lines if "begin 2" not in line)
    found = sections(without_begin.encode())
    assert "cat /etc/passwd" not in [s.command for s in found]
    assert any(s.status is Status.LOST and "1 of 2 commands" in s.reason for s in found)
    assert any(s.reason == "text that belongs to no command" for s in found)


def test_a_paste_that_lost_bytes_is_said() -> None:
    found = sections(b"@@dh damaged 6100 of 6105 @@\n" + WHOLE.encode())
    assert found[0].status is Status.LOST
    assert "6100 of 6105" in found[0].reason
