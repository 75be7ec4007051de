"""What `ct doctor --fix` does: takes rights away from others, removes leftovers, makes missing directories. In the user's own store alone.

Nothing is named twice: each thing is opened once, step by step from the store's directory and never through a link, judged by its
descriptor, and changed through that.
"""

import os
import stat

from cerrotorre import owned
from cerrotorre.diagnosis import Repair
from cerrotorre.errors import Fail
from cerrotorre.newfile import make_directory

_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def apply(repair: Repair) -> str:
    """Do it, and say what was done; "" if it is done already. Raises Fail store-unsafe for what is not plainly the user's own."""
    if repair["do"] == "make":
        if os.path.lexists(repair["root"]):
            return ""
        above = os.path.dirname(repair["root"])
        while not os.path.lexists(above):
            above = os.path.dirname(above)
        # In another user's home, as under sudo with its HOME, nothing is made: not where their links lead, and not as root's.
        owned.check_directory(above)
        make_directory(repair["root"])
        return f"made '{repair['root']}' (0700)"
    try:
        return _mode(repair) if repair["do"] == "mode" else _remove(repair)
    except FileNotFoundError:
        return ""
    except OSError as error:
        path = os.path.join(repair["root"], repair["name"])
        raise Fail("file-unwritable", f"'{path}': {error.strerror}", File=path) from None


def _mode(repair: Repair) -> str:
    path = os.path.join(repair["root"], repair["name"]).rstrip("/")
    fd = _open(repair["root"], repair["name"])
    try:
        found = os.fstat(fd)
        _check_own(path, found)
        before = stat.S_IMODE(found.st_mode)
        after = before & ~repair["forbidden"]
        if before == after:
            return ""
        # fchmod(2) refuses a descriptor of O_PATH; this name of it leads to the same file whatever its other names do now.
        os.chmod(f"/proc/self/fd/{fd}", after)
    finally:
        os.close(fd)
    could = "read" if before & repair["forbidden"] & 0o044 else "write"
    return f"'{path}': mode {before:04o} is now {after:04o}; until now others could {could} it"


def _remove(repair: Repair) -> str:
    path = os.path.join(repair["root"], repair["name"])
    where, name = os.path.split(repair["name"])
    fd = _open(repair["root"], where)
    try:
        found = os.stat(name, dir_fd=fd, follow_symlinks=False)
        _check_own(path, found)
        # Whoever writes it still, or has put another there, keeps it.
        if not stat.S_ISREG(found.st_mode) or identity(found) != repair["identity"]:
            return ""
        os.unlink(name, dir_fd=fd)
    finally:
        os.close(fd)
    return f"removed '{path}'"


def identity(found: os.stat_result) -> tuple[int, int, int, int]:
    """What tells that a leftover is still the one that was judged."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _open(root: str, name: str) -> int:
    """A descriptor, for looking, of what lies below the root, every directory on the way the user's own and none a link."""
    _check_root(root)
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    parts = [part for part in name.split("/") if part]
    try:
        for number, part in enumerate(parts, 1):
            _check_own(os.path.join(root, *parts[: number - 1]), os.fstat(fd))
            inner = os.open(part, _LOOK | (os.O_DIRECTORY if number < len(parts) else 0), dir_fd=fd)
            os.close(fd)
            fd = inner
        return fd
    except BaseException:
        os.close(fd)
        raise


def _check_root(root: str) -> None:
    """Raise Fail store-unsafe if others could have put another directory in its place; its own mode is what may be repaired."""
    try:
        owned.check_directory(root)
    except Fail as fail:
        link = os.lstat(root)
        # Of somebody else's link the way beyond it was not judged.
        planted = stat.S_ISLNK(link.st_mode) and link.st_uid not in (0, os.geteuid())
        own = fail.finding["context"].get("File") == root and os.stat(root).st_uid == os.geteuid()
        if fail.finding["finding"] != "store-unsafe" or planted or not own:
            raise


def _check_own(path: str, found: os.stat_result) -> None:
    kind = found.st_mode
    if stat.S_ISLNK(kind) or not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise Fail("store-unsafe", f"'{path}' is neither a file nor a directory, so it is left as it is", File=path)
    if found.st_uid != os.geteuid():
        raise Fail("store-unsafe", f"'{path}' belongs to another user, so it is left as it is", File=path)
    if stat.S_ISREG(kind) and found.st_nlink != 1:
        raise Fail("store-unsafe", f"'{path}' has other names elsewhere, so it is left as it is", File=path)
