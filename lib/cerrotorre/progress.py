"""A progress bar for work that takes longer than a second, on a terminal, and nothing otherwise."""

import os
import sys
import time
from _thread import allocate_lock

from cerrotorre.typed import Any


class Progress:
    """`with Progress(what, octets) as bar: bar.add(n)`, from any thread."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done = what, total, 0
        self._begun = time.monotonic()
        self._bar: Any = None
        self._lock = allocate_lock()
        self._shown = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def __enter__(self) -> "Progress":
        return self

    def add(self, octets: int) -> None:
        if not self._shown:
            return
        with self._lock:
            self._done += octets
            if self._bar is not None:
                self._bar.update(octets)
            elif time.monotonic() - self._begun > 1:
                # Loaded only now: most bundles never need it.
                from tqdm import tqdm

                from cerrotorre.text import shown

                self._bar = tqdm(
                    desc=shown(self._what),
                    total=self._total,
                    initial=self._done,
                    unit="B",
                    unit_scale=True,
                    unit_divisor=1024,
                    leave=False,
                )

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
