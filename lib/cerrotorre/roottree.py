"""A directory and what is below it, as a root file system of its own: no name leads out, and few descriptors are open.

Names are resolved as if the directory were "/" (spec/unpacking.adoc, "Names"), each step by a descriptor and O_NOFOLLOW. A directory
that is open here has the time and mode that it is to keep remembered, and gets them back when it is closed. So whatever is done in it,
and in whatever order, it ends as its last entry said, and nothing is remembered of those that are closed.
"""

import os
import stat
from collections.abc import Callable, Iterator

from cerrotorre.errors import Fail

# Directories open at a time: no fewer than a resolution needs, and far fewer than a process may have.
OPEN = 64
# As many as Linux follows (path_resolution(7)).
MAX_LINKS = 40
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OWNER = stat.S_IRWXU

Path = tuple[bytes, ...]


class Directory:
    """One that is open: its descriptor, and the mode and modification time (nanoseconds) that it is to have."""

    __slots__ = ("changed", "fd", "mode", "mtime")

    def __init__(self, fd: int) -> None:
        found = os.fstat(fd)
        self.fd, self.mode, self.mtime = fd, stat.S_IMODE(found.st_mode), found.st_mtime_ns
        self.changed = False
        if self.mode & _OWNER != _OWNER:
            # Only root does without; and the mode is given back.
            os.fchmod(fd, self.mode | _OWNER)
            self.changed = True

    def close(self) -> None:
        try:
            if self.changed:
                os.fchmod(self.fd, self.mode)
                os.utime(self.fd, ns=(self.mtime, self.mtime))
        finally:
            os.close(self.fd)


class Tree:
    """What is below the directory `fd`, which is not closed here. `made(fd)` is called for each directory that a name implies."""

    def __init__(self, fd: int, made: Callable[[Directory], None]) -> None:
        self.root = fd
        self._made = made
        # Those that are open, by their names from the root, the one that was used last at the end. No name of them has a link in it.
        self._open: dict[Path, Directory] = {(): Directory(os.dup(fd))}

    def parent(self, path: Path, create: bool) -> tuple[Path, Directory] | None:
        """(its name without links, the directory) in which the last part of `path` is or would be; None if it is not there.

        With `create` missing directories are made. Raises Fail layer-unsafe for what is no directory, NotADirectoryError without.
        """
        above = path[:-1]
        if above in self._open:
            return above, self._use(above)
        rest: list[bytes] = list(reversed(above))
        here: Path = ()
        links = 0
        while rest:
            part = rest.pop()
            if part == b"..":
                here = here[:-1]
                continue
            below = (*here, part)
            if below not in self._open:
                held = self._at(here)
                target = self._enter(held, below, create)
                if target is None:
                    return None
                if target:
                    links += 1
                    if links > MAX_LINKS:
                        raise Fail("layer-unsafe", f"more than {MAX_LINKS} symbolic links on the way", Entry=shown(path))
                    rest += [one for one in reversed(target.split(b"/")) if one not in (b"", b".")]
                    here = () if target.startswith(b"/") else here
                    continue
            here = below
        return here, self._at(here)

    def _enter(self, held: Directory, below: Path, create: bool) -> bytes | None:
        """Open a directory: b"" if it is open now, the target if it is a link, None if it is not there."""
        name = below[-1]
        try:
            self._keep(below, self._descriptor(held, name))
            return b""
        except FileNotFoundError:
            if not create:
                return None
            held.changed = True
            os.mkdir(name, 0o700, dir_fd=held.fd)
            self._made(self.directory(below, fresh=True))
            return b""
        except NotADirectoryError:
            if stat.S_ISLNK(os.stat(name, dir_fd=held.fd, follow_symlinks=False).st_mode):
                return os.readlink(name, dir_fd=held.fd)
            if not create:
                raise
            raise Fail("layer-unsafe", f"'{shown(below)}' is on the way, and is no directory", Entry=shown(below)) from None

    def _descriptor(self, held: Directory, name: bytes) -> int:
        try:
            return os.open(name, _FLAGS, dir_fd=held.fd)
        except PermissionError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=held.fd, follow_symlinks=False).st_mode):
                raise NotADirectoryError from None
        # Its owner may not read it. Nobody else is here, so it is still no link.
        mode = stat.S_IMODE(os.stat(name, dir_fd=held.fd, follow_symlinks=False).st_mode)
        os.chmod(name, mode | _OWNER, dir_fd=held.fd)
        try:
            return os.open(name, _FLAGS, dir_fd=held.fd)
        finally:
            os.chmod(name, mode, dir_fd=held.fd)

    def _at(self, path: Path) -> Directory:
        """A directory by its name without links, opened again if it was closed."""
        if path not in self._open:
            deepest = next(length for length in range(len(path), -1, -1) if path[:length] in self._open)
            for length in range(deepest, len(path)):
                held = self._use(path[:length])
                self._keep(path[: length + 1], self._descriptor(held, path[length]))
        return self._use(path)

    def _use(self, path: Path) -> Directory:
        held = self._open.pop(path)
        self._open[path] = held
        return held

    def _keep(self, path: Path, fd: int) -> None:
        """Have it among the open ones; the one that was used least lately is closed for it."""
        if len(self._open) >= OPEN:
            # The root stays: everything begins there.
            self._open.pop(next(one for one in self._open if one)).close()
        try:
            self._open[path] = Directory(fd)
        except OSError:
            os.close(fd)
            raise

    def directory(self, path: Path, *, fresh: bool) -> Directory:
        """The one of that name, without links, whose parent is open; `fresh`: it was just made."""
        if fresh or path not in self._open:
            self._keep(path, self._descriptor(self._at(path[:-1]), path[-1]))
        return self._use(path)

    def forget(self, path: Path) -> None:
        """Close what is open at and below a name that is to go."""
        for one in [one for one in self._open if one[: len(path)] == path]:
            os.close(self._open.pop(one).fd)

    def close(self) -> None:
        """Give all that are open their times, those below first."""
        for path in sorted(self._open, key=len, reverse=True):
            self._open.pop(path).close()

    def abandon(self) -> None:
        """Close all that are open, as they are."""
        for path in list(self._open):
            os.close(self._open.pop(path).fd)


def shown(path: Path | bytes) -> str:
    """A name of a layer as text; what is no UTF-8 is escaped."""
    return (path if isinstance(path, bytes) else b"/".join(path)).decode(errors="backslashreplace")[:1000]


def remove(parent: int, name: bytes, aside: int) -> None:
    """Remove what is there of that name, whatever it is and however deep. `aside` is an empty directory on the same file system.

    Neither memory nor descriptors depend on how deep or large it is: a directory that is not empty moves to `aside` first.
    """
    if not unlinked(parent, name):
        _move(parent, name, aside)
    while found := next(names(aside), None):
        fd = _readable(aside, found)
        try:
            # Some of what a scan gives may be missed while others go; so until there is nothing.
            while batch := list(zip(range(10000), names(fd), strict=False)):
                for _, entry in batch:
                    if not unlinked(fd, entry):
                        _move(fd, entry, aside)
        finally:
            os.close(fd)
        os.rmdir(found, dir_fd=aside)


def names(fd: int) -> Iterator[bytes]:
    """What is in a directory. Some of it may be missed while other names go: ask again."""
    # Of -1 it would list the working directory.
    os.fstat(fd)
    with os.scandir(fd) as entries:
        for entry in entries:
            yield os.fsencode(entry.name)


def unlinked(parent: int, name: bytes) -> bool:
    """Whether it is gone: anything but a directory in which something is, or that may not be looked into."""
    try:
        os.unlink(name, dir_fd=parent)
        return True
    except FileNotFoundError:
        return True
    except (IsADirectoryError, PermissionError):
        pass
    try:
        os.rmdir(name, dir_fd=parent)
    except OSError:
        return False
    return True


def _move(parent: int, name: bytes, aside: int) -> None:
    # A directory that gets another parent is written to: its "..".
    os.close(_readable(parent, name))
    os.rename(name, os.urandom(8).hex(), src_dir_fd=parent, dst_dir_fd=aside)


def _readable(parent: int, name: bytes) -> int:
    """A directory that its owner may read and change from now on."""
    mode = stat.S_IMODE(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    if mode & _OWNER != _OWNER:
        os.chmod(name, mode | _OWNER, dir_fd=parent)
    return os.open(name, _FLAGS, dir_fd=parent)
