"""Where a passphrase comes from: a descriptor, a file, or the terminal; never argv, never an environment value.

It is held in locked memory, for `locked.wipe`.
"""

import os
import stat

from cerrotorre import locked, owned, terminal
from cerrotorre.errors import Fail

LIMIT = 4 << 10


def obtain(
    fd: str | None = None, file: str | None = None, *, prompt: str = "Passphrase: ", again: bool = False, new: bool = False
) -> bytearray:
    """The passphrase from the descriptor, else the file, else the file $CT_PASSPHRASE_FILE names, else the terminal.

    One newline at the end of a descriptor or file is not part of it. A regular file that others can read or write is refused; what
    comes on a descriptor or a pipe is the business of whoever opened it (decision 0028). `again` asks twice at the terminal. A
    `new` one beside another is never that of $CT_PASSPHRASE_FILE. Raises Fail passphrase-missing, passphrase-refused,
    store-unsafe, file-unreadable, usage.
    """
    named = "" if new else os.environ.get("CT_PASSPHRASE_FILE", "")
    if fd is not None:
        if not fd.isdecimal() or not fd.isascii() or len(fd) > 9:
            raise Fail("usage", f"not a descriptor number: {fd[:20]!r}")
        found = _read(int(fd), f"descriptor {fd}")
    elif file is not None or named:
        found = _read(_open(named if file is None else file), f"'{named if file is None else file}'")
    else:
        found = _typed(prompt, again)
    if not found or len(found) > LIMIT:
        raise Fail("passphrase-refused", f"longer than {LIMIT} bytes" if found else "the passphrase is empty")
    return found


def _open(path: str) -> int:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
        status = os.fstat(fd)
    except OSError as error:
        raise Fail("file-unreadable", f"'{path}': {error.strerror}", File=path) from None
    try:
        if stat.S_ISREG(status.st_mode):
            owned.check_owner(path, status, 0o077)
    except Fail as fail:
        os.close(fd)
        raise fail.proposing(*fail.finding["try"], f"--passphrase-fd 3 3<{path}") from None
    return fd


def _read(fd: int, name: str) -> bytearray:
    buffer, size = locked.new(LIMIT + 2), 0
    try:
        try:
            while size < len(buffer) and (more := os.readv(fd, [memoryview(buffer)[size:]])):
                size += more
        finally:
            os.close(fd)
    except OSError as error:
        raise Fail("file-unreadable", f"{name}: {error.strerror}") from None
    found = locked.keep(buffer, 0, size - 1 if buffer[size - 1 : size] == b"\n" else size)
    locked.wipe(buffer)
    return found


def _typed(prompt: str, again: bool) -> bytearray:
    first = terminal.ask_hidden(prompt)
    if first is None:
        raise Fail("passphrase-missing")
    if len(first) >= terminal.LINE:
        # Cut there, it could never be given by a file.
        raise Fail("passphrase-refused", f"a terminal takes less than {terminal.LINE} bytes in a line")
    if again and first:
        second = terminal.ask_hidden("Again: ")
        same = second == first
        locked.wipe(second or b"")
        if not same:
            raise Fail("passphrase-refused", "the two passphrases differ")
    return first
