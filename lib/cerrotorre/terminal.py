"""The person's side: which marks their locale can show, and questions at the controlling terminal."""

import os
from collections.abc import Callable, Mapping

from cerrotorre import locked
from cerrotorre.typed import Any

MARKS = {"ok": "✓", "x": "✗", "~": "~", "+": "+", "-": "-", "->": "→"}
LIMIT = 4 << 10
# What a terminal holds of a line, its newline not counted; it drops the rest and says nothing (termios(3)).
LINE = 4095
# Where the locale is C, Python itself sets LC_CTYPE to one of these before it starts (PEP 538): they say nothing of the person's.
_COERCED = frozenset({"C.UTF-8", "C.utf8", "UTF-8"})


def utf8(env: Mapping[str, str] | None = None) -> bool:
    """Whether the locale is UTF-8: the first of LC_ALL, LC_CTYPE and LANG that is set decides, as in POSIX."""
    env = os.environ if env is None else env
    kind = env.get("LC_CTYPE", "")
    locale = env.get("LC_ALL") or ("" if kind in _COERCED else kind) or env.get("LANG") or ""
    return "utf-8" in locale.lower() or "utf8" in locale.lower()


def mark(name: str, env: Mapping[str, str] | None = None) -> str:
    """One of MARKS by its ASCII form, which is also what other locales get."""
    return MARKS[name] if utf8(env) else name


def foreground(fd: int) -> bool:
    """Whether the terminal is this job's now; also where it cannot be said, as it is no controlling one."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return True


def ask(prompt: str) -> bytes | None:
    """One line typed at the controlling terminal, without its newline; None if there is no terminal.

    At most LIMIT bytes are taken. Raises KeyboardInterrupt for the signals that end, and for an end instead of an answer: Enter
    may mean yes, but a terminal that is gone does not.
    """
    line = _ask(prompt, False)
    return None if line is None else bytes(line)


def ask_hidden(prompt: str) -> bytearray | None:
    """As `ask`, with echo off meanwhile, which whatever signal ends or stops the process turns on again first; in locked memory."""
    return _ask(prompt, True)


def _ask(prompt: str, hidden: bool) -> bytearray | None:
    try:
        fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    import signal
    import termios

    try:
        before = termios.tcgetattr(fd)
        during = [*before]
        during[3] = (before[3] | termios.ICANON) & ~(termios.ECHO if hidden else 0)

        def begin() -> None:
            # TCSAFLUSH drops what was typed ahead: it was not meant as an answer to this.
            termios.tcsetattr(fd, termios.TCSAFLUSH, during)
            os.write(fd, prompt.encode())

        def restore() -> None:
            # Whoever has the terminal meanwhile may have set it to their own liking. If not, it is restored also from the
            # background, where a shell took it back before this process had its turn.
            if termios.tcgetattr(fd)[:4] == during[:4]:
                stopping = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
                # What is typed to the shell is not to be dropped.
                termios.tcsetattr(fd, termios.TCSAFLUSH if foreground(fd) else termios.TCSADRAIN, before)
                signal.signal(signal.SIGTTOU, stopping)

        line, size = locked.new(LIMIT + 1), 0
        with _Signals(restore, begin):
            try:
                begin()
                while (
                    line[max(size - 1, 0) : size] != b"\n"
                    and size < len(line)
                    and (more := os.readv(fd, [memoryview(line)[size:]]))
                ):
                    size += more
                if not size:
                    raise KeyboardInterrupt
            finally:
                try:
                    restore()
                    # After an interrupt a shell's prompt may stand on the line already.
                    if (hidden or not size) and foreground(fd):
                        os.write(fd, b"\n")
                except (termios.error, OSError):
                    pass
        typed = locked.keep(line, 0, size - (line[size - 1] == ord("\n")))
        locked.wipe(line)
        return typed
    except (termios.error, OSError):
        return None
    finally:
        os.close(fd)


class _Signals:
    """While a question is asked: what ends the process interrupts it, and what stops it leaves the terminal as it was."""

    def __init__(self, leave: Callable[[], None], enter: Callable[[], None]) -> None:
        self._leave, self._enter = leave, enter
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        import signal

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP):
            # What is ignored, by nohup or a shell's `&`, stays so.
            if (before := signal.getsignal(number)) is not signal.SIG_IGN:
                self._before[number] = before
                signal.signal(number, self._stop if number == signal.SIGTSTP else self._end)

    def _end(self, *_: object) -> None:
        import signal

        # One is enough: a second may not keep the terminal from being restored.
        for number in self._before:
            signal.signal(number, lambda *_: None)
        raise KeyboardInterrupt

    def _stop(self, number: int, _: object) -> None:
        import signal

        self._leave()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        # Here it is continued.
        signal.signal(number, self._stop)
        self._enter()

    def __exit__(self, *_: object) -> None:
        import signal

        for number, before in self._before.items():
            signal.signal(number, before)
