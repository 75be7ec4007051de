"""Where the tests find what they test: the build ($CT_BUILD, default build/) and the vectors ($CT_VECTORS). And no test waits for
ever, nor leaves a process running."""

import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import processes
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


# -- no test waits for ever, and none leaves a process running ----------------------------------------------------------------------

# Seconds after which what is cleaned up after a test that was given up is given up, too; if its limit is short, so many limits.
AGAIN = 20.0
LIMITS = 4
SETTINGS: pytest.StashKey[Any] = pytest.StashKey()
processes.adopt()


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> Iterator[None]:
    """When the time is over: say what ran, end what the test began, so that no pipe of it is waited for, then let it fail."""
    made = yield
    # Of /proc the starts are in ticks of 10 ms, rounded down.
    began, fail = time.clock_gettime(time.CLOCK_BOOTTIME) - 0.01, signal.getsignal(signal.SIGALRM)
    item.stash[SETTINGS] = settings

    def strike(number: int, frame: Any) -> None:
        __tracebackhide__ = True
        # What it does next may wait as well: `with Popen` does.
        signal.setitimer(signal.ITIMER_REAL, min(AGAIN, LIMITS * settings.timeout))
        running = processes.below(os.getpid())
        item.add_report_section("call", "processes", "\n".join(map(str, running)) or "none")
        item.add_report_section("call", "threads", threads())
        for one in running:
            if one.began >= began:
                one.kill()
        fail(number, frame)

    if settings.method == "signal":
        signal.signal(signal.SIGALRM, strike)
    return made


@pytest.hookimpl(trylast=True)
def pytest_exception_interact(node: Any) -> None:
    """The plugin's time is over with the first failure, though fixtures are still to be cleaned up."""
    if settings := node.stash.get(SETTINGS, None):
        node.ihook.pytest_timeout_set_timer(item=node, settings=settings)


def threads() -> str:
    """The stacks of the other threads, under their names."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames = {
        names.get(ident, str(ident)): frame for ident, frame in sys._current_frames().items() if ident != threading.get_ident()
    }
    return "\n".join(f"{name}:\n{''.join(traceback.format_stack(frame))}" for name, frame in frames.items()) or "none"


@pytest.fixture(scope="module", autouse=True)
def nothing_left_running() -> Iterator[None]:
    """When a file's tests and fixtures are over, so is every process that they began."""
    yield
    try:
        processes.await_(lambda: not processes.below(os.getpid()), "the end of what was started")
    except AssertionError:
        left = processes.below(os.getpid())
        for one in left:
            one.kill()
        assert not left, "left running:\n" + "\n".join(map(str, left))
    finally:
        processes.bury(os.getpid())
