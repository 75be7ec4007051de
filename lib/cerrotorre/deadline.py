"""An end to a whole answer. Timeouts of sockets are none: each byte starts them anew, and http.client reads interim answers, headers
and trailers for as long as they come."""

from cerrotorre.typed import Any

# Seconds, and then again: a connection may be made when its time is over.
AGAIN = 0.5


class Clock:
    """Shuts connections of a `watched` class down after so many seconds, unless it is stopped. `late` says whether it did."""

    def __init__(self, seconds: float) -> None:
        # urllib3 has imported it.
        import threading

        self.late = False
        self._seconds = seconds
        self._held: dict[Any, Any] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self, held: dict[Any, Any]) -> None:
        self._held = held
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for connection, guard in list(self._held.items()):
            if connection.sock is None:
                del self._held[connection]
                guard.close()

    def _run(self) -> None:
        wait = self._seconds
        while not self._stopped.wait(wait):
            self.late, wait = True, AGAIN
            for guard in list(self._held.values()):
                try:
                    guard.shutdown(2)  # SHUT_RDWR
                except OSError:
                    continue


def watched(kind: Any) -> Any:
    """A class of urllib3's connections that leaves a second descriptor of each one's socket in `held`: TLS takes the first over."""

    class Watched(kind):  # type: ignore[misc]
        held: dict[Any, Any]

        def _new_conn(self) -> Any:
            made = super()._new_conn()
            if before := self.held.pop(self, None):
                before.close()
            self.held[self] = made.dup()
            return made

    Watched.held = {}
    return Watched
