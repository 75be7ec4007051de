"""Files that say what is trusted: read only if nobody but the user or root could have written them (spec/policy.adoc, "Files")."""

import os
import stat

from cerrotorre.errors import Fail

# Without O_NONBLOCK a FIFO would hold the reader up for ever.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def check_directory(path: str) -> bool:
    """Whether the directory is there. Raises Fail store-unsafe if another can change what is in it, file-unreadable."""
    try:
        _check_link(path)
        found = os.stat(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Fail("file-unreadable", f"'{path}': {error.strerror}", Directory=path) from None
    if not stat.S_ISDIR(found.st_mode):
        raise Fail("file-unreadable", f"'{path}' is not a directory", Directory=path)
    _check_owner(path, found)
    return True


def read(path: str, limit: int, *, guarded: bool = True, forbidden: int = 0o022) -> bytes | None:
    """At most `limit` + 1 bytes of a regular file, or None if there is no such file; a dangling link is an unreadable file.

    Raises Fail store-unsafe if another could have written it, or has any right that is `forbidden` (not asked unless `guarded`),
    not-a-file, file-unreadable.
    """
    try:
        if guarded:
            _check_link(path)
        fd = os.open(path, _FLAGS)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not os.path.lexists(path):
            return None
        raise Fail("file-unreadable", f"'{path}': {error.strerror}", File=path) from None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise Fail("not-a-file", f"'{path}' is not a regular file", File=path)
        if guarded:
            _check_owner(path, found, forbidden)
        data = b""
        while len(data) <= limit and (more := os.read(fd, limit + 1 - len(data))):
            data += more
        return data
    except OSError as error:
        raise Fail("file-unreadable", f"'{path}': {error.strerror}", File=path) from None
    finally:
        os.close(fd)


def _check_link(path: str) -> None:
    found = os.lstat(path)
    if not stat.S_ISLNK(found.st_mode):
        return
    if found.st_uid not in (0, os.geteuid()):
        raise Fail("store-unsafe", f"the symbolic link '{path}' belongs to another user", File=path).proposing(
            _command("ls -ld", path)
        )
    # Whoever can change the directory of the target can put another file in its place; in a sticky one only its owner can.
    beside = os.path.dirname(os.path.realpath(path))
    around = os.stat(beside)
    if not around.st_mode & stat.S_ISVTX:
        _check_owner(beside, around)


def _check_owner(path: str, found: os.stat_result, forbidden: int = 0o022) -> None:
    if found.st_uid not in (0, os.geteuid()):
        what = f"'{path}' belongs to another user (uid {found.st_uid})"
        raise Fail("store-unsafe", what, File=path).proposing(_command("ls -ld", path))
    if found.st_mode & forbidden:
        access, mode = ("accessible to", "600") if forbidden & 0o044 else ("writable by", "go-w")
        what = f"'{path}' is {access} others (mode {stat.S_IMODE(found.st_mode):04o})"
        raise Fail("store-unsafe", what, File=path).proposing(_command(f"chmod {mode}", path))


def _command(words: str, path: str) -> str:
    # Only what was refused costs this import.
    from cerrotorre.text import quoted

    return f"{words} {quoted(path)}"
