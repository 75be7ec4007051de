"""No test waits for ever, and none leaves a process running: what conftest.py does about both, seen from outside."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT
from small import run

# Some seconds that no other process sleeps.
ODD = 4807.25
WAITS = {
    # Killing the child alone leaves the other end of its pipe open.
    "a pipe": f"subprocess.run(['sh', '-c', 'sleep {ODD} & exec sleep {ODD}'], capture_output=True)",
    # Leaving it waits once more.
    "with": f"with subprocess.Popen(['sleep', '{ODD}']) as child:\n        child.wait()",
    "one that is not heeded": f"subprocess.run(['sh', '-c', 'trap \"\" TERM ALRM; sleep {ODD}; sleep {ODD}'])",
    "a stranger's": (
        f"subprocess.run(['setsid', '-f', 'sleep', '{ODD}'], check=True)\n"
        f"    subprocess.run(['sh', '-c', 'setsid sleep {ODD} | cat'], capture_output=True)"
    ),
    "threads": (
        "from concurrent.futures import ThreadPoolExecutor\n"
        f"    with ThreadPoolExecutor(2) as pool:\n        list(pool.map(subprocess.call, [['sleep', '{ODD}']] * 3))"
    ),
}


def judged(directory: Path, text: str, *options: str) -> "subprocess.CompletedProcess[str]":
    """What pytest says of a file of tests beside conftest.py, its limit being less than a second."""
    (directory / "test_it.py").write_text(f"import subprocess\nimport time\n\nimport pytest\n\n\n{text}")
    (directory / "pytest.ini").write_text("[pytest]\n")
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), *sys.path])}
    # In a directory of its own: pytest would remove those of earlier runs first, however much is in them.
    plugins = ["-p", "conftest", "-p", "pytest_timeout", "--timeout=0.7", f"--basetemp={directory}/base"]
    words = [sys.executable, "-B", "-m", "pytest", "-q", *plugins, *options]
    return run(*words, "test_it.py", env=env, cwd=directory)


def sleeping() -> list[str]:
    """The processes that sleep for so long."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        found += [entry.name] if words.startswith(b"sleep\0") and str(ODD).encode() in words else []
    return found


@pytest.mark.parametrize("what", WAITS)
def test_what_waits_for_ever_is_ended(what: str, tmp_path: Path) -> None:
    begun = time.monotonic()
    options = ["-p", "xdist.plugin", "-n1"] if what == "a pipe" else []
    made = judged(tmp_path, f"def test_waits():\n    {WAITS[what]}\n\n\ndef test_next():\n    pass\n", *options)
    assert made.returncode == 1 and "1 failed, 1 passed" in made.stdout, made.stdout + made.stderr
    assert "Timeout (>0.7s)" in made.stdout and f"sleep {ODD}" in made.stdout.partition("processes")[2]
    assert sleeping() == [] and time.monotonic() - begun < 20


def test_what_waits_in_a_fixture_after_a_failure(tmp_path: Path) -> None:
    fixture = f"@pytest.fixture\ndef waits():\n    yield\n    subprocess.run(['sleep', '{ODD}'])\n\n\n"
    made = judged(tmp_path, fixture + "def test_fails(waits):\n    assert 0\n")
    assert "1 failed, 1 error" in made.stdout and "Timeout (>0.7s)" in made.stdout and sleeping() == []


def test_what_a_fixture_runs_for_others_is_let_be(tmp_path: Path) -> None:
    fixture = (
        f"@pytest.fixture(scope='module')\ndef server():\n    made = subprocess.Popen(['sleep', '{ODD}'])\n    yield made\n"
        "    made.kill()\n    made.wait()\n\n\n"
    )
    waits = "def test_first(server):\n    time.sleep(0.1)\n\n\ndef test_waits(server):\n    time.sleep(60)\n\n\n"
    made = judged(tmp_path, fixture + waits + "def test_last(server):\n    assert server.poll() is None\n")
    assert "1 failed, 2 passed" in made.stdout and sleeping() == []


def test_what_is_left_running_is_an_error(tmp_path: Path) -> None:
    left = f"def test_leaves():\n    subprocess.run(['sh', '-c', 'sleep {ODD} >/dev/null 2>&1 &'], check=True)\n"
    patience = "import processes\n\nprocesses.PATIENCE = 0.2\n\n\n"
    made = judged(tmp_path, patience + left)
    assert "1 passed, 1 error" in made.stdout and f"sleep {ODD}" in made.stdout and sleeping() == []
