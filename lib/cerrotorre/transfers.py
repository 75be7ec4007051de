"""Transfers that run side by side: a line each on a terminal, or an event each for programs, and nothing otherwise."""

import time
from _thread import allocate_lock
from collections.abc import Callable

from cerrotorre import progress
from cerrotorre.typed import Any

# Lines at most, and seconds between two events of one transfer.
LINES, EVERY = 8, 1.0

Event = dict[str, Any]


class Transfer:
    """One of them: `size` bytes of `what`. From any thread."""

    def __init__(self, among: "Transfers", what: str, size: int, verb: str) -> None:
        self._among, self.what, self.size, self.verb = among, what, size, verb
        self.done = 0
        self.row: int | None = None
        self.bar: progress.Bar | None = None
        self.said = time.monotonic()

    def add(self, octets: int) -> None:
        """So many bytes more were moved; less than none, if what was moved does not count."""
        self._among.add(self, octets)

    def end(self, how: str) -> None:
        """It is over, once: "fetched", "uploaded", "mounted", "there", "kept", "failed" or the like."""
        self._among.end(self, how)


class Transfers:
    """`with Transfers() as transfers: one = transfers.begin(what, size, verb); one.add(n); one.end(how)`.

    `quiet`: no lines. `events` gets a dict of each begin and end, and of each transfer's progress at most once a second: `event`,
    `what`, `size`, `how` (of a begin the verb), and `done`, bytes, but of a begin. With `what` and `total`, bytes, a first line
    shows all of them together.
    """

    def __init__(
        self, *, quiet: bool = False, events: Callable[[Event], object] | None = None, what: str = "", total: int = 0
    ) -> None:
        self._events, self._shown = events, progress.shown(quiet)
        self._lock, self._begun = allocate_lock(), time.monotonic()
        # The sum is no transfer that anybody began, so it takes no event.
        self._sum = Transfer(self, what, total, "")
        self._running: list[Transfer] = []

    def __enter__(self) -> "Transfers":
        return self

    def begin(self, what: str, size: int, verb: str) -> Transfer:
        """Begin to move `size` bytes of `what`: "fetching", "uploading" or the like."""
        one = Transfer(self, what, size, verb)
        with self._lock:
            self._running.append(one)
            self._tell({"event": "begin", "what": what, "size": size, "how": verb})
        return one

    def add(self, one: Transfer, octets: int) -> None:
        """What Transfer.add does."""
        with self._lock:
            one.done += octets
            self._sum.done += octets
            now = time.monotonic()
            if self._events and now - one.said >= EVERY:
                one.said = now
                self._tell({"event": "progress", "what": one.what, "size": one.size, "how": one.verb, "done": one.done})
            if self._shown and now - self._begun > progress.AFTER:
                self._draw(one)

    def end(self, one: Transfer, how: str) -> None:
        """What Transfer.end does."""
        with self._lock:
            if one not in self._running:
                return
            self._running.remove(one)
            self._clear(one)
            self._tell({"event": "end", "what": one.what, "size": one.size, "how": how, "done": one.done})

    def _tell(self, event: Event) -> None:
        if self._events:
            self._events(event)

    def _draw(self, one: Transfer) -> None:
        try:
            if not progress.in_foreground():
                return
            if self._sum.size:
                self._line(self._sum, 0)
            first = int(self._sum.size > 0)
            # The last row of the terminal stays free: what scrolls could not be cleared again.
            taken = {other.row for other in self._running}
            free = set(range(first, min(LINES, max(progress.rows() - 1, 1)))) - taken
            if one.bar is not None or free:
                self._line(one, min(free, default=0))
        except OSError:
            # The terminal is gone. The work is not, if whoever began it wanted that (nohup).
            self._shown = False

    def _line(self, one: Transfer, row: int) -> None:
        if one.bar is None:
            one.row, one.bar = row, progress.Bar(one.what, one.size, one.done, row)
        else:
            one.bar.show(one.done)

    def _clear(self, one: Transfer) -> None:
        bar, one.bar, one.row = one.bar, None, None
        # Once the shell has the terminal again, clearing the line would clear its prompt.
        try:
            if bar is not None and self._shown and progress.in_foreground():
                bar.close()
        except OSError:
            self._shown = False

    def __exit__(self, *_: object) -> None:
        with self._lock:
            for one in [*self._running, self._sum]:
                self._clear(one)
            self._shown, self._running = False, []
