"""What pip installs: the wheel holds every parser, rule and template of the checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def data_files() -> set[str]:
    found = {f"devicehunt/{p.relative_to(ROOT)}" for p in (ROOT / "parsers").rglob("*") if p.is_file()}
    package = (p.relative_to(ROOT) for p in (ROOT / "devicehunt").rglob("*") if p.is_file())
    return found | {str(p) for p in package if not any(n.startswith((".", "__pycache__")) for n in p.parts)}


def test_wheel_and_sdist_hold_the_data(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    wheel = next(tmp_path.glob("*.whl"))
    inside = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    assert inside == data_files()
    assert "devicehunt/parsers/linux/platform.yaml" in inside
    assert any(n.startswith("devicehunt/rules/state/") for n in inside)


def test_installed_package_reads_its_own_data(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "site")
    done = subprocess.run(
        [sys.executable, "-c", "import devicehunt.cli as c, sys; sys.exit(c.main(['rules', 'check']))"],
        cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "site"), "PATH": ""}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 problems" in done.stdout
