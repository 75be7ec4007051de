"""A new directory that is there whole or not at all: made hidden beside its name, which it gets in the end."""

import os

from cerrotorre import roottree
from cerrotorre.errors import Fail

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Staging:
    """`with Staging(path) as staging:` fill the directory `staging.root`, then `commit()`; without that nothing is left."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.root = self.aside = self._above = -1

    def __enter__(self) -> "Staging":
        above, name = os.path.split(os.path.abspath(self._path.encode()))
        self._name = name
        token = os.urandom(6).hex().encode()
        self._hidden = [b".%b.ct-%b" % (name[:200], token), b".%b.ct-%b.removed" % (name[:200], token)]
        try:
            self._above = os.open(above, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._absent()
            self.aside, self.root = self._make(self._hidden[1]), self._make(self._hidden[0])
        except OSError as error:
            self.__exit__()
            raise self.fail(error) from None
        except BaseException:
            self.__exit__()
            raise
        return self

    def _make(self, name: bytes) -> int:
        os.mkdir(name, 0o700, dir_fd=self._above)
        return os.open(name, _OPEN, dir_fd=self._above)

    def _absent(self) -> None:
        """Raise Fail destination-exists."""
        try:
            os.stat(self._name or b".", dir_fd=self._above, follow_symlinks=False)
        except FileNotFoundError:
            return
        raise Fail("destination-exists", f"'{self._path}'", Directory=self._path).proposing("-o ANOTHER")

    def commit(self, *, as_it_is: bool = False) -> bool:
        """Give the directory its name. Nothing that is there gets lost: the kernel replaces no directory in which something is.

        Its mode is what the umask leaves of 0777, unless that is to stay `as_it_is`. Returns True.
        """
        self._absent()
        try:
            if not as_it_is:
                mask = os.umask(0o077)
                os.umask(mask)
                os.fchmod(self.root, 0o777 & ~mask)
            os.rename(self._hidden[0], self._name, src_dir_fd=self._above, dst_dir_fd=self._above)
        except OSError as error:
            raise self.fail(error) from None
        del self._hidden[0]
        return True

    def fail(self, error: OSError) -> Fail:
        return Fail("file-unwritable", f"cannot make '{self._path}': {error.strerror}", Directory=self._path)

    def __exit__(self, *_: object) -> None:
        try:
            if self.aside >= 0:
                for name in self._hidden:
                    roottree.remove(self._above, name, self.aside)
            elif self._above >= 0:
                # It may be there without being open, and then it is empty.
                roottree.unlinked(self._above, self._hidden[1])
        finally:
            for fd in (self.root, self.aside, self._above):
                if fd >= 0:
                    os.close(fd)
