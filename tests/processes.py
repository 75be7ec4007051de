"""Processes that a test runs beside itself: waiting for what they do, never for ever. By /proc, so also those that they started."""

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

# Nothing here takes longer, on the slowest machine.
PATIENCE = 30.0


def await_(condition: Callable[[], object], what: str, *, of: subprocess.Popen[Any] | None = None, pause: float = 0.01) -> None:
    """Wait until the condition holds. Fails, saying `what` did not come, after PATIENCE or when the process `of` ends first."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert of is None or of.poll() is None, f"{what}: it ended before, with status {of.returncode}"
        assert time.monotonic() < until, f"{what}: not within {PATIENCE:.0f} s"
        time.sleep(pause)


def end(server: subprocess.Popen[Any]) -> None:
    """Terminate a server; one that does not heed it is killed."""
    server.terminate()
    try:
        server.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


class Running(NamedTuple):
    """A process below this one. `began`: when, in seconds of CLOCK_BOOTTIME; `waits`: where in the kernel."""

    pid: int
    parent: int
    state: str
    began: float
    waits: str
    command: str

    def __str__(self) -> str:
        return f"{self.pid} below {self.parent}, state {self.state}, in {self.waits}: {self.command}"

    def kill(self) -> None:
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def adopt() -> None:
    """From now on whoever loses its parent becomes a child of this process, so that `below` finds it."""
    set_child_subreaper = 36  # PR_SET_CHILD_SUBREAPER
    ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def below(process: int) -> list[Running]:
    """What a process began, and what that began, and so on; without the dead that nobody has waited for yet."""
    return [one for one in _below(process) if one.state not in "ZX"]


def _below(process: int) -> list[Running]:
    found: dict[int, Running] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            # proc_pid_stat(5): state and parent follow the name, the start in ticks is the twentieth from there.
            fields = (entry / "stat").read_text().rpartition(") ")[2].split()
            command = (entry / "cmdline").read_text(errors="replace").replace("\0", " ").strip() or (
                entry / "comm"
            ).read_text().strip()
            waits = (entry / "wchan").read_text() if os.access(entry / "wchan", os.R_OK) else "?"
        except OSError:
            continue
        pid, began = int(entry.name), int(fields[19]) / os.sysconf("SC_CLK_TCK")
        found[pid] = Running(pid, int(fields[1]), fields[0], began, waits, command)
    children: dict[int, list[Running]] = {}
    for one in found.values():
        children.setdefault(one.parent, []).append(one)
    made = list(children.get(process, ()))
    for one in made:
        made += children.get(one.pid, ())
    return made


def bury(process: int) -> None:
    """Take leave of the dead whose parents never did: each would hold its number until this process ends."""
    for one in _below(process):
        if one.parent == process and one.state == "Z":
            with contextlib.suppress(ChildProcessError):
                os.waitpid(one.pid, os.WNOHANG)


def _of(session: int) -> Iterator[tuple[Path, list[str]]]:
    """The directory in /proc and the fields of stat, from the state on, of each process of the session."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if fields[3] == str(session) and fields[0] != "Z":
            yield entry, fields


def alive(session: int) -> list[str]:
    """The command lines of the session's processes."""
    found = []
    for entry, _ in _of(session):
        try:
            found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def gone(session: int) -> None:
    """Wait until no process of the session is left. Fails if some are."""
    try:
        await_(lambda: not alive(session), "the end of what was started")
    except AssertionError as error:
        raise AssertionError(f"left running: {alive(session)}") from error


def stalled(session: int) -> None:
    """Wait until all processes of the session wait for something themselves: they have begun, and nobody is at work."""

    def look() -> list[tuple[str, list[str]]]:
        # proc_pid_stat(5): the state, then, from the twelfth on, the user and system time in ticks of 10 ms.
        return sorted((entry.name, [fields[0], *fields[11:13]]) for entry, fields in _of(session))

    def still() -> bool:
        before = look()
        time.sleep(0.05)
        return before == look() and all(fields[0] == "S" for _, fields in before)

    await_(still, "a standstill")


def writing(session: int, directory: Path) -> bool:
    """Whether a process of the session has a file of the directory open that has no name, or a hidden one."""
    unnamed = re.compile(re.escape(str(directory)) + r"/(#|\.).*")
    for entry, _ in _of(session):
        try:
            if any(unnamed.match(os.readlink(fd)) for fd in (entry / "fd").iterdir()):
                return True
        except OSError:
            continue
    return False
