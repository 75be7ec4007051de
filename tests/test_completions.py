"""completions/ are what tests/completions.py makes, and shells take them."""

import shutil
import subprocess
from pathlib import Path

import pytest
from docs import ROOT

import completions

HERE = ROOT / "completions"
SYNTAX = {"ct.bash": ["bash", "-n"], "_ct": ["zsh", "-n"], "ct.fish": ["fish", "--no-execute"]}


@pytest.mark.parametrize("name", completions.FILES_MADE)
def test_committed_is_generated(name: str) -> None:
    assert (HERE / name).read_text() == completions.FILES_MADE[name](), "python3 tests/completions.py --write"


@pytest.mark.parametrize("name", SYNTAX)
def test_syntax(name: str) -> None:
    if not shutil.which(SYNTAX[name][0]):
        pytest.skip(f"no {SYNTAX[name][0]} here")
    made = subprocess.run([*SYNTAX[name], HERE / name], capture_output=True, text=True)
    assert (made.returncode, made.stderr) == (0, "")


OFFERED = [
    ("ct ver", {"verify"}),
    ("ct help p", {"pack", "policy"}),
    ("ct verify --e", {"--expect"}),
    ("ct key e", {"export"}),
    ("ct key export d", {"demo-2026"}),
    ("ct key export demo-2026 --p", {"--public"}),
    ("ct pack -k u", {"upstream-2026"}),
    ("ct policy add-", {"add-signer", "add-registry"}),
    ("ct-write --report p", {"packed"}),
    ("ct-oci2ctp --w", {"--workdir"}),
    ("ct verify a", {"a file.ctp"}),
]


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")
@pytest.mark.parametrize(("line", "offered"), OFFERED, ids=[line for line, _ in OFFERED])
def test_bash_offers(line: str, offered: set[str], tmp_path: Path) -> None:
    for name in ("keys/demo-2026", "known/upstream-2026"):
        (tmp_path / "store" / name).parent.mkdir(parents=True)
        (tmp_path / "store" / f"{name}.pub").touch()
    (tmp_path / "a file.ctp").touch()
    script = """
        . "$1" && shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _ct "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    env = {"PATH": "/usr/bin:/bin", "CT_HOME": str(tmp_path / "store")}
    made = subprocess.run(
        ["bash", "-uc", script, "x", HERE / "ct.bash", *line.split()], capture_output=True, text=True, env=env, cwd=tmp_path
    )
    assert (set(made.stdout.splitlines()), made.stderr) == (offered, "")


def test_every_option_of_every_program() -> None:
    for program, _, below, top in completions.programs():
        assert below or top, program
    assert ("--platform", "OS/ARCH|all") in {row[0]: row[3] for row in completions.programs()}["ct pack"]
    assert completions.options("usage: x [--a|--b V] [-o FILE] [--color=auto|never] [--v [-v]] W") == [
        ("--a", ""),
        ("--b", "V"),
        ("-o", "FILE"),
        ("--color", "auto|never"),
        ("--v", ""),
        ("-v", ""),
    ]
