"""That `make bench` runs: every row with tiny files, named peers that are missing, and nothing left behind. No time is judged."""

import os
import sys
from pathlib import Path

import pytest
from conftest import BUILD, ROOT
from small import run

BENCH = [sys.executable, "-B", ROOT / "tests" / "bench" / "bench.py", BUILD]
ROWS = (
    *("verify-1MB", "verify-CT-SIG-02", "verify-1000", "verify-10000-entries", "verify-8-layers", "verify-1-layer"),
    *("verify-pipe", "pack", "re-sign", "re-sign-in-place", "export", "run"),
    *("push", "push-again", "fetch", "pack-registry"),
)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "scratch").mkdir()
    return {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path / "scratch"), "HOME": str(tmp_path)}


def test_every_row(tmp_path: Path, env: dict[str, str]) -> None:
    made = run(*BENCH, "--quick", env=env)
    assert made.returncode == 0, made.stdout + made.stderr
    assert [line.partition("  (")[2].partition(",")[0] for line in made.stdout.splitlines() if ", tiny)" in line] == list(ROWS)
    assert "failed" not in made.stdout and "target" not in made.stdout and made.stderr == ""
    assert made.stdout.count("largest process") == len(ROWS)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_peer_that_is_missing(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "bin").mkdir()
    for directory in os.environ["PATH"].split(":"):
        for program in Path(directory).iterdir() if Path(directory).is_dir() else ():
            link = tmp_path / "bin" / program.name
            if program.name not in ("minisign", "skopeo") and not link.is_symlink():
                link.symlink_to(program)
    made = run(*BENCH, "--quick", "verify-1M", "pack", env=env | {"PATH": str(tmp_path / "bin")})
    assert made.returncode == 0, made.stdout + made.stderr
    missing = [line.split()[0] for line in made.stdout.splitlines() if line.endswith("not installed")]
    assert missing == ["skopeo", "minisign", *["skopeo"] * 3]
    assert made.stdout.count("tiny)") == 3


def test_a_row_that_is_none(tmp_path: Path, env: dict[str, str]) -> None:
    made = run(*BENCH, "--quick", "unpack-nothing", env=env)
    assert made.returncode != 0 and "no row begins with unpack-nothing" in made.stderr and ROWS[0] in made.stderr
    assert list((tmp_path / "scratch").iterdir()) == []
