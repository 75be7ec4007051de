"""Where the tests find what they test: the build ($CT_BUILD, default build/) and the vectors ($CT_VECTORS)."""

import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("CT_BUILD", ROOT / "build"))
LIBRARY = BUILD / "lib" / "cerro-torre"
VECTORS = Path(os.environ.get("CT_VECTORS", ROOT.parent / "shared" / "vectors"))

sys.path[:0] = [str(LIBRARY), str(LIBRARY / "vendor")]


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The directory of published test vectors; its absence is a visible skip."""
    if not VECTORS.is_dir():
        pytest.skip(f"no test vectors at {VECTORS}: set CT_VECTORS")
    return VECTORS


def program(*names: str) -> str:
    """The path of an installed program, by the first of its names that is found; its absence is a visible skip."""
    for name in names:
        if found := shutil.which(name):
            return found
    pytest.skip(f"{names[0]} is not installed: make deps")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests recorded as `summary`, whichever process they ran in."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in report.user_properties:
            if name == "summary":
                terminalreporter.write_line(str(value))
