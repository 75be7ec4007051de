"""The hidden file in which a bundle grows while it is fetched, `.NAME.part` beside it, and the journal behind its last byte.

The journal says how much of each blob was written. It is believed by nobody: whoever goes on hashes what is there.
"""

import errno
import fcntl
import os
import re
import stat

from cerrotorre.errors import Fail
from cerrotorre.newfile import NewFile

# Bytes of the name that are taken over: with the rest it must fit a file's name, 255.
NAME = 200
# What file systems without locks say (flock(2), and NFS, FUSE and vfat drivers).
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_FIRST = b"manifest.toml\0"
_MARKS = re.compile(rb"(?:[0-9a-f]{16}\n)*")
# A directory that `ct` made for itself, and takes away with all that is in it.
_PASSING = re.compile(rb"\.ct\.[A-Za-z0-9]{8}")


class Partial(NewFile):
    """`with Partial(path) as part:` `begin`, write to `part.fd` and `save`, then `finish`. Without that it stays if `keep` is set,
    and is removed otherwise. Others can neither read nor write it; once it is whole, its mode is a new file's.

    Where files cannot be locked, or the directory does not stay, it is an unnamed file, which does not either. Raises Fail file-unwritable, not-a-file.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path, 0o600)
        self._part = os.path.join(self._directory, b".%s.part" % self._base[:NAME])
        self._head, self._end = b"", 0
        # Whether it goes on being written to by somebody who cannot be waited for: its descriptor must not become another file's.
        self.abandoned = False
        self.keep = False

    def __enter__(self) -> "Partial":
        super().__enter__()
        return self

    @property
    def shown(self) -> str:
        """Its path, for people."""
        return os.fsdecode(self._part)

    @property
    def is_named(self) -> bool:
        """Whether it could stay: it has its hidden name, and not yet the file's."""
        if self._named is None:
            return False
        try:
            held = os.fstat(self.fd)
            # Where nothing is replaced it has both names for a moment.
            return held.st_nlink == 1 and os.path.samestat(held, os.stat(self._part, follow_symlinks=False))
        except OSError:
            return False

    def _open(self) -> int:
        # Who holds the lock may just have given the file its name, or removed it.
        for _ in range(8):
            fd = self._claimed()
            if fd is None:
                return super()._open()
            try:
                same = os.path.samestat(os.fstat(fd), os.stat(self._part, follow_symlinks=False))
            except FileNotFoundError:
                same = False
            if same:
                self._named = self._part
                return fd
            os.close(fd)
        raise self._busy()

    def _claimed(self) -> int | None:
        """Its descriptor, locked; None where there are no locks, or no place to stay."""
        if _PASSING.fullmatch(os.path.basename(self._directory)):
            return None
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
        try:
            fd = os.open(self._part, flags, self._mode)
        except OSError as error:
            said = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
            raise Fail("file-unwritable", f"cannot write '{self.shown}': {said}", File=self.shown) from None
        try:
            info = os.fstat(fd)
            wrong = (
                "it is not a regular file"
                if not stat.S_ISREG(info.st_mode)
                else "it is another user's"
                if info.st_uid != os.geteuid()
                else "it has another name too"
                if info.st_nlink > 1
                else "others may write to it"
                if info.st_mode & 0o022
                else ""
            )
            if wrong:
                fail = Fail("file-unwritable", f"'{self.shown}' is there, and {wrong}", File=self.shown)
                raise fail.proposing("remove it, or write to another directory")
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise self._busy() from None
        except OSError as error:
            if error.errno in _NO_LOCKS and not os.fstat(fd).st_size:
                os.unlink(self._part)
            os.close(fd)
            if error.errno in _NO_LOCKS:
                return None
            raise
        except Fail:
            os.close(fd)
            raise
        return fd

    def _busy(self) -> Fail:
        fail = Fail("file-unwritable", f"another process is at work on '{self._shown()}'", File=self._shown())
        return fail.proposing("wait until it has ended")

    def begin(self, digest: str, end: int, sizes: list[int]) -> list[int]:
        """How much of each blob is said to be there of the bundle with this manifest and length. What is of another is thrown away."""
        self._head = b"ct-partial 1 %s %d %d\n" % (digest.encode(), end, len(sizes))
        self._end = end
        first = os.pread(self.fd, 512, 0)
        if first.strip(b"\0") and not first.startswith(_FIRST):
            fail = Fail("file-unwritable", f"'{self.shown}' is there, and no part of a bundle", File=self.shown)
            # It is somebody's, so it stays.
            self.keep = True
            raise fail.proposing("remove it, or write to another directory")
        data = os.pread(self.fd, len(self._head) + 17 * len(sizes) + 1, end)
        head, marks = data[: len(self._head)], data[len(self._head) :]
        if head == self._head and len(marks) == 17 * len(sizes) and _MARKS.fullmatch(marks):
            found = [int(mark, 16) for mark in marks.split()]
            if all(mark <= size for mark, size in zip(found, sizes, strict=True)):
                return found
        os.ftruncate(self.fd, 0)
        return [0] * len(sizes)

    def stay(self, marks: list[int]) -> None:
        """Leave it, with its journal, to a later call. Raises OSError."""
        # It may have been interrupted after a file's mode was given to it, or just after the file's name was.
        if self.is_named:
            os.fchmod(self.fd, self._mode)
            self.save(marks)
            self.keep = True

    def save(self, marks: list[int]) -> None:
        """Write the journal."""
        if self._named is not None:
            self.write(self._head + b"".join(b"%016x\n" % mark for mark in marks), self._end)

    def write(self, data: bytes | memoryview, offset: int) -> None:
        """Write at a place. Raises OSError."""
        view = memoryview(data)
        while view:
            done = os.pwrite(self.fd, view, offset)
            view, offset = view[done:], offset + done

    def finish(self, *, replace: bool = True) -> None:
        """Cut the journal off, and give the file its name once it is on the disk.

        Raises Fail file-unwritable, and FileExistsError unless `replace`.
        """
        try:
            # With its journal, since this is what takes long: who is killed meanwhile loses nothing.
            os.fsync(self.fd)
            os.ftruncate(self.fd, self._end)
            if self._named is None or not replace:
                self._open_up()
        except OSError as error:
            raise self._fail(error) from None
        if replace:
            self.commit(sync=True)
            return
        try:
            self.commit(replace=False, sync=True)
        except Fail:
            # Where there are no links (FAT, as on most USB sticks) a file can only be renamed.
            if self._named is None or os.path.lexists(self.path):
                raise
            self.commit(sync=True)

    def _rename(self) -> None:
        # Last of all: what others may write to is not gone on from.
        self._open_up()
        super()._rename()

    def _open_up(self) -> None:
        """Give it a new file's mode."""
        # No thread makes a file meanwhile.
        mask = os.umask(0o077)
        os.umask(mask)
        os.fchmod(self.fd, 0o666 & ~mask)

    def __exit__(self, *given: object) -> None:
        fd = self.fd
        if self.keep:
            self._named = None
        if self.abandoned:
            self.fd = -1
        super().__exit__(*given)
        self.fd = fd
