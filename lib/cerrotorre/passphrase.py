"""Where a passphrase comes from: a descriptor, a file, or the terminal; never argv, never an environment value."""

import os

from cerrotorre import terminal
from cerrotorre.errors import Fail

LIMIT = 4 << 10


def obtain(fd: str | None = None, file: str | None = None, *, prompt: str = "Passphrase: ", again: bool = False) -> bytes:
    """The passphrase from the descriptor, else the file, else the file $CT_PASSPHRASE_FILE names, else the terminal.

    One newline at the end of a descriptor or file is not part of it. `again` asks twice at the terminal.
    Raises Fail passphrase-missing, passphrase-refused, file-unreadable, usage.
    """
    if fd is not None:
        if not fd.isdecimal() or not fd.isascii() or len(fd) > 9:
            raise Fail("usage", f"not a descriptor number: {fd[:20]!r}")
        found = _read(int(fd), f"descriptor {fd}")
    elif file is not None or os.environ.get("CT_PASSPHRASE_FILE"):
        path = os.environ["CT_PASSPHRASE_FILE"] if file is None else file
        try:
            opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError as error:
            raise Fail("file-unreadable", f"'{path}': {error.strerror}", File=path) from None
        found = _read(opened, f"'{path}'")
    else:
        found = _typed(prompt, again)
    if not found or len(found) > LIMIT:
        raise Fail("passphrase-refused", f"longer than {LIMIT} bytes" if found else "the passphrase is empty")
    return found


def _read(fd: int, name: str) -> bytes:
    data = b""
    try:
        try:
            while len(data) <= LIMIT + 1 and (more := os.read(fd, LIMIT + 2 - len(data))):
                data += more
        finally:
            os.close(fd)
    except OSError as error:
        raise Fail("file-unreadable", f"{name}: {error.strerror}") from None
    return data.removesuffix(b"\n")


def _typed(prompt: str, again: bool) -> bytes:
    first = terminal.ask(prompt, hidden=True)
    if first is None:
        raise Fail("passphrase-missing")
    if len(first) >= terminal.LINE:
        # Cut there, it could never be given by a file.
        raise Fail("passphrase-refused", f"a terminal takes less than {terminal.LINE} bytes in a line")
    if again and first and terminal.ask("Again: ", hidden=True) != first:
        raise Fail("passphrase-refused", "the two passphrases differ")
    return first
