"""A progress bar for work that takes longer than a second, on a terminal in the foreground, and nothing otherwise."""

import os
import sys
import time
from _thread import allocate_lock

from cerrotorre.terminal import foreground, utf8
from cerrotorre.typed import Any

AFTER = 1.0
# Below so many columns there is no room for times and rates, but still for a name, a bar and the sizes.
NARROW = 72
_SHORT = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}"
_LONG = _SHORT + " [{elapsed}<{remaining}, {rate_fmt}]"


class Progress:
    """`with Progress(what, octets) as bar: bar.add(n)`, from any thread. `quiet`: never shown."""

    def __init__(self, what: str, total: int, *, quiet: bool = False) -> None:
        self._what, self._total, self._done = what, total, 0
        self._begun = time.monotonic()
        self._bar: Bar | None = None
        self._lock = allocate_lock()
        self._shown = shown(quiet)

    def __enter__(self) -> "Progress":
        return self

    def add(self, octets: int) -> None:
        if not self._shown:
            return
        with self._lock:
            self._done += octets
            try:
                if self._bar is None and time.monotonic() - self._begun > AFTER and in_foreground():
                    self._bar = Bar(self._what, self._total, self._done)
                elif self._bar is not None and in_foreground():
                    self._bar.show(self._done)
            except OSError:
                # The terminal is gone. The work is not, if whoever began it wanted that (nohup).
                self._shown, self._bar = False, None

    def __exit__(self, *_: object) -> None:
        # Once the shell has the terminal again, clearing the line would clear its prompt.
        if self._bar is not None and in_foreground():
            self._bar.close()


class Bar:
    """One line of the terminal, `row` lines below the cursor, that never wraps. Raises OSError where the terminal is gone."""

    def __init__(self, what: str, total: int, done: int, row: int = 0) -> None:
        # What is shown is decided here, and not by variables of tqdm's own.
        for name in [name for name in os.environ if name.startswith("TQDM_")]:
            del os.environ[name]
        # Loaded only now: most bundles never need it.
        from threading import RLock

        from tqdm import tqdm

        # One process draws: it needs no lock between processes, and no thread that watches.
        tqdm.set_lock(RLock())
        tqdm.monitor_interval = 0
        self._what, self._columns = what, columns()
        given: dict[str, Any] = {**self._line(), "total": total, "initial": done, "leave": False, "miniters": 1}
        self._bar = tqdm(**given, position=row, ascii=not utf8(), unit="B", unit_scale=True, unit_divisor=1024)

    def show(self, done: int) -> None:
        """Show how much is done, in a line that fits the terminal as it is now."""
        wide = columns()
        if wide != self._columns:
            self._columns = wide
            vars(self._bar).update(self._line())
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Clear the line."""
        self._bar.close()

    def _line(self) -> dict[str, Any]:
        """How the line is laid out so that it never wraps."""
        from cerrotorre.text import fitted, shown

        return {
            "desc": fitted(shown(self._what), max(self._columns // 4, 8), "…" if utf8() else "..."),
            "bar_format": _SHORT if self._columns < NARROW else _LONG,
            # The last column stays free: some terminals wrap as soon as it is written.
            "ncols": self._columns - 1,
        }


def shown(quiet: bool) -> bool:
    """Whether standard error is a terminal on which lines can be drawn, and nobody wants quiet."""
    return not quiet and sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def columns() -> int:
    """The width of the terminal."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80


def rows() -> int:
    """Its height."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).lines or 24
    except OSError:
        return 24


def in_foreground() -> bool:
    """Whether the terminal is this job's now."""
    return foreground(sys.stderr.fileno())
