"""Files that say what is trusted: read only if nobody but the user or root could have written them (spec/policy.adoc, "Files")."""

import errno
import os
import stat
from collections.abc import Iterator, Mapping

from cerrotorre.errors import Fail

# Without O_NONBLOCK a FIFO would hold the reader up for ever.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
# As many symbolic links as Linux follows (path_resolution(7)).
_MAX_LINKS = 40


def check_directory(path: str) -> bool:
    """Whether the directory is there. Raises Fail store-unsafe if another can change what is in it or replace it, file-unreadable.

    Of one that is not there nothing is asked.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Fail("file-unreadable", f"'{path}': {error.strerror}", Directory=path) from None
    try:
        _check_way(path)
    except OSError as error:
        raise Fail("file-unreadable", f"'{path}': {error.strerror}", Directory=path) from None
    if not stat.S_ISDIR(found.st_mode):
        raise Fail("file-unreadable", f"'{path}' is not a directory", Directory=path)
    check_owner(path, found)
    return True


def read(path: str, limit: int, *, guarded: bool = True, forbidden: int = 0o022) -> bytes | None:
    """At most `limit` + 1 bytes of a regular file, or None if there is no such file; a dangling link is an unreadable file.

    Raises Fail store-unsafe if another could have written it, or has any right that is `forbidden` (not asked unless `guarded`),
    not-a-file, file-unreadable.
    """
    try:
        # Of a plain file the directory was judged before, unless the caller named it.
        if guarded and stat.S_ISLNK(os.lstat(path).st_mode):
            _check_way(path)
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
            check_owner(path, found, forbidden)
        data = b""
        while len(data) <= limit and (more := os.read(fd, limit + 1 - len(data))):
            data += more
        return data
    except OSError as error:
        raise Fail("file-unreadable", f"'{path}': {error.strerror}", File=path) from None
    finally:
        os.close(fd)


def steps(path: str) -> Iterator[tuple[str, os.stat_result, str, os.stat_result]]:
    """(directory, its status, entry, the entry's own) of each name on the way from `/` to the file, through every symbolic link.

    A link comes before the names that it leads to (path_resolution(7)). Raises OSError, FileNotFoundError where the way ends.
    """
    left = (path if os.path.isabs(path) else os.path.join(os.getcwd(), path)).split("/")[::-1]
    at, around, links = "/", os.lstat("/"), 0
    while left:
        name = left.pop()
        if name in ("", "."):
            continue
        if name == "..":
            # No link is in `at`, so this is its parent.
            at = os.path.dirname(at)
            around = os.lstat(at)
            continue
        entry = os.path.join(at, name)
        found = os.lstat(entry)
        yield at, around, entry, found
        if not stat.S_ISLNK(found.st_mode):
            at, around = entry, found
            continue
        links += 1
        if links > _MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target = os.readlink(entry)
        left += target.split("/")[::-1]
        if target.startswith("/"):
            at, around = "/", os.lstat("/")


def _check_way(path: str) -> None:
    # Whoever can change a directory on the way can put another file or link in place of the next; in a sticky one only who owns that.
    top = None
    for directory, around, entry, found in steps(path):
        top = around.st_uid if top is None else top
        # In a user namespace that has no root, as of unshare(1) -r, the host's directories are whose `/` is.
        if around.st_uid not in (0, os.geteuid(), top):
            what = f"the directory '{directory}' belongs to another user (uid {around.st_uid})"
            raise Fail("store-unsafe", what, File=directory).proposing(_command("ls -ld", directory))
        if around.st_mode & 0o022 and not around.st_mode & stat.S_ISVTX:
            _check_mode(directory, around, 0o022)
        if stat.S_ISLNK(found.st_mode) and found.st_uid not in (0, os.geteuid()):
            what = f"the symbolic link '{entry}' belongs to another user (uid {found.st_uid})"
            raise Fail("store-unsafe", what, File=entry).proposing(_command("ls -ld", entry))


def check_owner(path: str, found: os.stat_result, forbidden: int = 0o022) -> None:
    """Raise Fail store-unsafe if it belongs to another than the user or root, or others have a right that is `forbidden`."""
    if found.st_uid not in (0, os.geteuid()):
        what = f"'{path}' belongs to another user (uid {found.st_uid})"
        raise Fail("store-unsafe", what, File=path).proposing(_command("ls -ld", path))
    _check_mode(path, found, forbidden)


def _check_mode(path: str, found: os.stat_result, forbidden: int) -> None:
    if found.st_mode & forbidden:
        access, change = ("accessible to", "600") if forbidden & 0o044 else ("writable by", "go-w")
        what = f"'{path}' is {access} others (mode {stat.S_IMODE(found.st_mode):04o})"
        raise Fail("store-unsafe", what, File=path).proposing(_command(f"chmod {change}", path))


def _command(words: str, path: str) -> str:
    # Only what was refused costs this import.
    from cerrotorre.text import quoted

    return f"{words} {quoted(path)}"


def temporary(env: Mapping[str, str]) -> str:
    """A new private directory, for whoever makes it to remove. Raises Fail file-unwritable, store-unsafe."""
    place = env.get("TMPDIR") or "/tmp"  # noqa: S108 - what is made in it is private, and its name is not to be guessed
    made = os.path.join(place, f"cerro-torre-{os.urandom(12).hex()}")
    try:
        os.mkdir(made, 0o700)
    except OSError as error:
        raise Fail("file-unwritable", f"'{made}': {error.strerror}", Directory=made) from None
    try:
        # Who can rename it can put another in its place.
        check_directory(made)
    except Fail:
        os.rmdir(made)
        raise
    return made


def written(directory: str) -> int:
    """The bytes of all files below a directory, as far as they are there."""
    size = 0
    for path, _, names in os.walk(directory):
        for name in names:
            try:
                size += os.lstat(f"{path}/{name}").st_size
            except FileNotFoundError:
                pass
    return size
