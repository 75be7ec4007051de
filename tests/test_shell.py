"""Runs tests/*.t, POSIX sh that writes TAP: one test a file, and the core again with each other shell running ct."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import BUILD

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("[0-9]*.t"))
CORE = ("0004-verify", "0006-pipe")
# Beside sh itself, whichever that is here.
SHELLS = {"busybox sh": "busybox", "bash --posix": "bash", "dash": "dash"}
SHELLS = {shell: name for shell, name in SHELLS.items() if Path(shutil.which("sh") or "").resolve().name != name}
TIMEOUT = 300


def judge(text: str) -> tuple[list[str], list[str]]:
    """(what is wrong, what was skipped) of a TAP document: a plan at its end, and the tests it says, numbered."""
    wrong, skipped, number, plan = [], [], 0, None
    for line in text.splitlines():
        if line.startswith("#"):
            if wrong:
                wrong[-1] += "\n  " + line
            continue
        if plan is not None:
            wrong.append(f"after the plan: {line}")
        elif found := re.fullmatch(r"1\.\.(\d+)", line):
            plan = int(found[1])
        elif found := re.fullmatch(r"(not )?ok (\d+) - (.*?)(?: # SKIP (.*))?", line):
            number += 1
            if found[1] or int(found[2]) != number:
                wrong.append(line)
            elif found[4] is not None:
                skipped.append(f"{found[3]}: {found[4]}")
        else:
            wrong.append(f"not TAP: {line}")
    if plan is None or plan != number or not number:
        wrong.append(f"{number} tests, and the plan is {plan}")
    return wrong, skipped


def run(path: Path, **env: str) -> None:
    made = subprocess.run(
        ["sh", str(path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, "CT_BUILD": str(BUILD.resolve()), **env},
        timeout=TIMEOUT,
    )
    wrong, skipped = judge(made.stdout.decode("utf-8", "replace"))
    if made.returncode:
        wrong.append(f"exit status {made.returncode}")
    if wrong:
        pytest.fail("\n".join(wrong) + "\n" + made.stderr.decode("utf-8", "replace"), pytrace=False)
    if skipped:
        pytest.skip("; ".join(skipped))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shell(path: Path) -> None:
    run(path)


@pytest.mark.parametrize("stem", CORE)
@pytest.mark.parametrize("shell", SHELLS)
def test_ct_under(shell: str, stem: str) -> None:
    if not shutil.which(SHELLS[shell]):
        pytest.skip(f"no {SHELLS[shell]} here")
    run(HERE / f"{stem}.t", CT_SHELL=shell)


@pytest.mark.parametrize(
    "text",
    ["", "1..0\n", "ok 1 - a\n", "ok 1 - a\n1..2\n", "not ok 1 - a\n1..1\n", "ok 1 - a\n1..1\nok 2 - b\n", "ok 2 - a\n1..1\n"],
)
def test_a_broken_run_is_a_failure(text: str) -> None:
    assert judge(text)[0]


def test_a_good_run_is_none() -> None:
    assert judge("ok 1 - a\n# said\nok 2 - b # SKIP why\n1..2\n") == ([], ["b: why"])
