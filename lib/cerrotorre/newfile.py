"""A file that appears under its name whole or not at all, and the directory for it."""

import errno
import os
import stat

from cerrotorre import owned
from cerrotorre.errors import Fail

# Where the file system has no unnamed files (open(2), O_TMPFILE).
_NO_TMPFILE = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL)


class NewFile:
    """`with NewFile(path) as new:` write to `new.fd`, then `new.commit()`; without that nothing is left.

    The bytes go into an unnamed file of the same directory where the file system has such, so that not even SIGKILL leaves
    something behind; else into a hidden one that is removed. Raises Fail file-unwritable, not-a-file.
    """

    def __init__(self, path: str, mode: int = 0o666) -> None:
        # A link keeps pointing where it did; its target is what is made or replaced.
        self._given, self.path = path.encode(), os.path.realpath(path.encode())
        self._directory, self._base = os.path.split(self.path)
        self._mode = mode
        self._named: bytes | None = None
        self.fd = -1

    def __enter__(self) -> "NewFile":
        try:
            _refuse_planted(self._given)
            if os.path.islink(self.path):
                # What is a link still, once links are resolved, leads to itself.
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if os.path.exists(self.path) and not stat.S_ISREG(os.stat(self.path).st_mode):
                raise Fail("not-a-file", f"'{self._shown()}' is there and is not a regular file", File=self._shown())
            self.fd = self._open()
            self._source = self._named or b"/proc/self/fd/%d" % self.fd
        except OSError as error:
            raise self._fail(error) from None
        return self

    def _open(self) -> int:
        try:
            return os.open(self._directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, self._mode)
        except OSError as error:
            if error.errno not in _NO_TMPFILE:
                raise
        return os.open(self._name_it(), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, self._mode)

    def _name_it(self) -> bytes:
        """A hidden name beside the file's own, which no reader takes for a key or a bundle."""
        self._named = os.path.join(self._directory, b".%s.%s.part" % (self._base[:200], os.urandom(6).hex().encode()))
        return self._named

    def _link(self, path: bytes) -> None:
        # Python calls linkat(2), which alone follows the link in /proc, only where a directory is given.
        os.link(self._source, path, src_dir_fd=self.fd, follow_symlinks=True)

    def _rename(self) -> None:
        if os.path.exists(self.path):
            # What nobody else could read stays so.
            os.fchmod(self.fd, stat.S_IMODE(os.stat(self.path).st_mode) & 0o777)
            os.fsync(self.fd)
        os.rename(self._named or b"", self.path)
        self._named = None

    def commit(self, *, replace: bool = True, sync: bool = False) -> None:
        """Give the file its name. A file that replaces another is fsynced first; `sync`: so is a new one, and the directory.

        Raises FileExistsError unless `replace`, Fail file-unwritable.
        """
        directory = -1
        try:
            if sync:
                os.fsync(self.fd)
                # Opened before there is a name: after that, only the disk may fail.
                directory = _opened(self._directory)
            if replace and self._named is not None:
                # rename(2) makes and replaces alike, also where there are no links (FAT, as on most USB sticks).
                self._rename()
            else:
                try:
                    # link(2) fails where rename(2) would replace.
                    self._link(self.path)
                except FileExistsError:
                    if not replace:
                        raise
                    self._link(self._name_it())
                    self._rename()
            if sync:
                os.fsync(directory)
        except FileExistsError:
            raise
        except OSError as error:
            raise self._fail(error) from None
        finally:
            if directory >= 0:
                os.close(directory)

    def _shown(self) -> str:
        return os.fsdecode(self.path)

    def _fail(self, error: OSError) -> Fail:
        return Fail("file-unwritable", f"cannot write '{self._shown()}': {error.strerror}", File=self._shown())

    def __exit__(self, *_: object) -> None:
        if self._named is not None:
            try:
                os.unlink(self._named)
            except FileNotFoundError:
                pass
        if self.fd >= 0:
            os.close(self.fd)


def _refuse_planted(path: bytes) -> None:
    """Raise Fail not-a-file for a link that another user put where everybody may write: its target is not what was meant.

    proc(5), protected_symlinks, is the same rule; resolving the link here would walk around it. Behind a first link the caller
    named nothing, so there another's link is never followed.
    """
    followed = False
    try:
        for _, around, entry, link in owned.steps(os.fsdecode(path)):
            if not stat.S_ISLNK(link.st_mode):
                continue
            shared = around.st_mode & (stat.S_ISVTX | stat.S_IWOTH) == stat.S_ISVTX | stat.S_IWOTH
            planted = shared and link.st_uid not in (os.geteuid(), around.st_uid)
            if planted or (followed and link.st_uid not in (0, os.geteuid())):
                raise Fail("not-a-file", f"'{entry}' is another user's symbolic link", File=entry)
            followed = True
    except FileNotFoundError:
        return


def make_directory(path: str) -> None:
    """The directory and its missing parents, 0700 whatever the umask. Raises Fail file-unwritable."""
    missing = []
    while path and not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for new in reversed(missing):
        try:
            os.mkdir(new, 0o700)
            os.chmod(new, 0o700)
            sync_directory(os.path.dirname(new) or ".")
        except FileExistsError:
            pass
        except OSError as error:
            raise Fail("file-unwritable", f"cannot make the directory '{new}': {error.strerror}", Directory=new) from None


def _opened(directory: str | bytes) -> int:
    return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def sync_directory(path: str | bytes) -> None:
    """Make the names in a directory last."""
    fd = _opened(path)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
