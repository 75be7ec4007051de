"""One writer at a time: while a directory is held, no other command of ours changes a file of the user's in it."""

import os
import time
from collections.abc import Callable

from cerrotorre.errors import Fail

# Seconds: nothing of ours takes as long, and whoever can read the directory could hold it for ever.
PATIENCE = 20


class Alone:
    """`with Alone(directory):` waits for whoever else holds it. Raises Fail file-unwritable if they never let go.

    An editor does not know of it, so what was read is to be compared once more before it is replaced.
    """

    def __init__(self, directory: str) -> None:
        self._directory, self._fd = directory, -1

    def __enter__(self) -> None:
        import fcntl

        try:
            self._fd = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            until = time.monotonic() + PATIENCE
            while not self._held(fcntl.flock, fcntl.LOCK_EX | fcntl.LOCK_NB):
                if time.monotonic() > until:
                    self.__exit__()
                    what = f"another program has held the directory '{self._directory}' locked for {PATIENCE} s"
                    raise Fail("file-unwritable", what, File=self._directory)
                time.sleep(0.02)
        except OSError:
            # Some file systems lock no directory; the comparison holds there as well.
            pass

    def _held(self, flock: Callable[[int, int], object], how: int) -> bool:
        try:
            flock(self._fd, how)
        except BlockingIOError:
            return False
        return True

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)
