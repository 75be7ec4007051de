"""One writer at a time: while a directory is held, no other command of ours changes a file of the user's in it."""

import os


class Alone:
    """`with Alone(directory):` waits for whoever else holds it.

    An editor does not know of it, so what was read is to be compared once more before it is replaced.
    """

    def __init__(self, directory: str) -> None:
        self._directory, self._fd = directory, -1

    def __enter__(self) -> None:
        import fcntl

        try:
            self._fd = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        except OSError:
            # Some file systems lock no directory; the comparison holds there as well.
            pass

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)
