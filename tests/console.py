"""A pseudo-terminal with a program on it: what it is typed, what it shows, its size, its signals. Standard library only."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unicodedata
from pathlib import Path
from types import TracebackType
from typing import Any

from processes import PATIENCE


class Console:
    """`with Console(command, …) as console:` the command leads a session of its own on a terminal of `columns` by `rows`.

    Streams that are not given in `streams` (stdin, stdout, stderr) are the terminal.
    """

    def __init__(
        self, *command: object, env: dict[str, str], cwd: Path, columns: int = 80, rows: int = 24, **streams: Any
    ) -> None:
        self.columns = columns
        self.seen = b""
        self.master, slave = pty.openpty()
        self.resize(columns, rows)

        def lead() -> None:
            # The terminal becomes the session's own, so that what is typed at it is also signalled.
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [str(word) for word in command],
            env=env,
            cwd=cwd,
            preexec_fn=lead,
            start_new_session=True,
            **{"stdin": slave, "stdout": slave, "stderr": slave, **streams},
        )
        # Kept open: a terminal that nobody has open any more tells its settings to nobody.
        self.slave = slave

    def __enter__(self) -> "Console":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        os.close(self.master)
        os.close(self.slave)

    def resize(self, columns: int, rows: int = 24) -> None:
        self.columns = columns
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str | bytes) -> None:
        os.write(self.master, text.encode() if isinstance(text, str) else text)

    def signal(self, number: int, *, group: bool = True) -> None:
        """A signal to all of the program's process group, or to it alone."""
        try:
            (os.killpg if group else os.kill)(self.process.pid, number)
        except ProcessLookupError:
            pass

    def read(self, wait: float = 0.0) -> bool:
        """Take what is there, waiting so long for something. Whether there was anything."""
        if not select.select([self.master], [], [], wait)[0]:
            return False
        try:
            got = os.read(self.master, 1 << 16)
        except OSError:
            return False
        self.seen += got
        return bool(got)

    def expect(self, pattern: str, *, after: int = 0) -> int:
        """Wait until what was shown has the pattern; where it ends. Fails when the program ends without it."""
        until = time.monotonic() + PATIENCE
        while not (found := re.compile(pattern.encode()).search(self.seen, after)):
            ended = self.process.poll() is not None
            more = self.read(0 if ended else 0.1)
            if (ended and not more) or time.monotonic() > until:
                raise AssertionError(f"{pattern!r} was not shown, status {self.process.poll()}: {self.seen[-3000:]!r}")
        return found.end()

    def converse(self, *answers: tuple[str, str]) -> int:
        """Type each answer when its question (as it is, no pattern) is shown; then the program's exit status."""
        asked = 0
        for question, answer in answers:
            asked = self.expect(re.escape(question), after=asked)
            self.type(answer)
        return self.wait()

    def settle(self, quiet: float = 0.0) -> None:
        """Take what is shown until nothing more comes for so long."""
        until = time.monotonic() + PATIENCE
        while self.read(quiet):
            assert time.monotonic() < until, f"it does not stop to show: {self.seen[-3000:]!r}"

    def wait(self) -> int:
        """The program's exit status, what it still shows being read."""
        until = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            self.read(0.02)
            assert time.monotonic() < until, f"it does not end: {self.seen[-3000:]!r}"
        self.settle()
        return self.process.returncode

    def echoes(self) -> bool:
        """Whether the terminal shows what is typed."""
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def text(self) -> str:
        return self.seen.decode().replace("\r\n", "\n")

    def screen(self) -> list[str]:
        """What a terminal of this width would show at the end, without empty lines at the end."""
        return screen(self.seen.decode(), self.columns)


def width(text: str) -> int:
    """Columns that a terminal gives the text: two for a wide character, none for one that combines with the one before."""
    return sum(
        0 if unicodedata.category(char) in ("Mn", "Me") else 2 if unicodedata.east_asian_width(char) in "FW" else 1
        for char in text
    )


def screen(text: str, columns: int) -> list[str]:
    """The lines that a terminal makes of text with \\r, \\n, colours and \\x1b[K; a line that is too long is wrapped, as there."""
    lines: list[list[str]] = [[]]
    at = 0
    for part in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|.", text, re.S):
        line = lines[-1]
        if part == "\r":
            at = 0
        elif part == "\n":
            lines.append([])
            at = 0
        elif part.startswith("\x1b["):
            assert part[-1] in "mK", f"a sequence that nobody here should use: {part!r}"
            if part[-1] == "K":
                del line[at:]
        else:
            assert part.isprintable(), f"a control character is shown: {part!r}"
            size = width(part)
            if not size:
                line[at - 1] += part
                continue
            if at + size > columns:
                lines.append(line := [])
                at = 0
            line += [" "] * (at - len(line))
            # A wide character is followed by a cell that shows nothing of its own.
            line[at : at + size] = [part, ""][:size]
            at += size
    made = ["".join(line).rstrip() for line in lines]
    while made and not made[-1]:
        made.pop()
    return made
