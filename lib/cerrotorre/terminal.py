"""The person's side: which marks their locale can show, and questions at the controlling terminal."""

import os
from collections.abc import Mapping

MARKS = {"ok": "✓", "x": "✗", "~": "~", "+": "+", "-": "-", "->": "→"}
LIMIT = 4 << 10
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


def ask(prompt: str, *, hidden: bool = False) -> bytes | None:
    """One line typed at the controlling terminal, without its newline; None if there is no terminal.

    `hidden` turns echo off meanwhile. At most LIMIT bytes are taken.
    """
    try:
        fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    import termios

    try:
        before = termios.tcgetattr(fd)
        during = [*before]
        during[3] = (before[3] | termios.ICANON) & ~(termios.ECHO if hidden else 0)
        try:
            # TCSAFLUSH drops what was typed ahead: it was not meant as an answer to this.
            termios.tcsetattr(fd, termios.TCSAFLUSH, during)
            os.write(fd, prompt.encode())
            line = b""
            while not line.endswith(b"\n") and len(line) <= LIMIT and (more := os.read(fd, LIMIT)):
                line += more
        finally:
            termios.tcsetattr(fd, termios.TCSAFLUSH, before)
            if hidden:
                os.write(fd, b"\n")
        return line.removesuffix(b"\n")
    except (termios.error, OSError):
        return None
    finally:
        os.close(fd)
