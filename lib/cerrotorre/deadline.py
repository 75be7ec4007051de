"""An end to waiting. Timeouts of sockets are none: each byte starts them anew, and http.client reads interim answers, headers,
chunk extensions and trailers for as long as they come."""

import time

from cerrotorre.typed import Any

# Seconds, and then again: a connection may be made when its time is over.
AGAIN = 0.5
# Bytes that renew the time of a stream.
ENOUGH = 64 << 10


class Clock:
    """Shuts down the connection of one request when its time is over; `late` says whether it did.

    From `start` on there are `seconds` for everything. A stream calls `wait` and `came` around each piece it waits for: then there
    are so many seconds of waiting for every ENOUGH bytes, and what its consumer takes costs it nothing.
    """

    def __init__(self, seconds: float) -> None:
        # urllib3 has imported it.
        import threading

        self.late = False
        self._seconds = self._left = seconds
        self._bytes = 0
        self._due: float | None = None
        self._connection: Any = None
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self.allow(self._seconds)
        self._thread.start()

    def allow(self, seconds: float) -> None:
        """So many seconds from now for what follows, an answer for example."""
        self._due = time.monotonic() + seconds

    def hold(self, connection: Any) -> None:
        """This is the connection that the request uses."""
        self._connection = connection

    def wait(self) -> None:
        self._due = time.monotonic() + self._left

    def came(self, size: int) -> None:
        if self._due is not None:
            self._left = self._due - time.monotonic()
        self._due = None
        self._bytes += size
        if self._bytes >= ENOUGH:
            self._bytes, self._left = 0, self._seconds

    def stop(self) -> None:
        with self._lock:
            self._stopped.set()
            if self._connection is not None and self._connection.sock is None:
                self._connection.unguard()
            self._connection = None

    def _run(self) -> None:
        wait = self._seconds
        while not self._stopped.wait(wait):
            due = self._due
            # Nobody waits, or somebody began to: looked at again soon enough to be late by little.
            wait = self._seconds / 8 if due is None else due - time.monotonic()
            if wait > 0:
                continue
            wait = AGAIN
            with self._lock:
                if self._stopped.is_set():
                    return
                self.late = True
                if self._connection is not None:
                    self._connection.shut()


def watched(kind: Any) -> Any:
    """A class of urllib3's connections that keeps a second descriptor of its socket, since TLS takes the first over, and tells the
    clock that its thread has put into `using` that it is in use."""
    import threading

    class Watched(kind):  # type: ignore[misc]
        using = threading.local()
        guard: Any = None

        def _new_conn(self) -> Any:
            made = super()._new_conn()
            self.unguard()
            self.guard = made.dup()
            self.using.clock.hold(self)
            return made

        def putrequest(self, *arguments: Any, **more: Any) -> Any:
            self.using.clock.hold(self)
            return super().putrequest(*arguments, **more)

        def unguard(self) -> None:
            if self.guard is not None:
                self.guard.close()
                self.guard = None

        def shut(self) -> None:
            guard = self.guard
            if guard is not None:
                try:
                    guard.shutdown(2)  # SHUT_RDWR
                except OSError:
                    return

    return Watched
