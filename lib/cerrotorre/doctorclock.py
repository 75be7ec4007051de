"""What of `ct doctor` is about the clock: expiry and age of signatures are judged by it, and nothing here asks another."""

import os
from collections.abc import Iterator

from cerrotorre import times
from cerrotorre.diagnosis import Diagnosis
from cerrotorre.doctorsetup import Setup

# No release is older: a clock that says so is wrong.
EARLIEST = "2026-11-01T00:00:00Z"
# Seconds by which clocks that are right may differ.
SKEW = 300
TRY = "timedatectl"


def clock(setup: Setup, say: Diagnosis) -> str:
    now = times.spell(setup.now)
    if setup.now < times.epoch(EARLIEST):
        say.fail(f"the clock says {now}, and this program is of {EARLIEST[:7]} or later", TRY)
    # Whoever installed it had a clock; a file of the store may be a copy that kept the time of another's.
    for paths, add, what in (
        (_installation(setup), say.fail, "this installation"),
        (_store(setup), say.warn, "your store"),
    ):
        newest, path = max(paths, default=(0, ""))
        if newest > setup.now + SKEW:
            add(f"the clock says {now}, and '{path}' of {what} is of {times.spell(newest)}", TRY)
    return now


def _installation(setup: Setup) -> Iterator[tuple[int, str]]:
    yield from _files(os.path.join(setup.library, "cerrotorre"), ".py")
    yield from _files(setup.library, "")


def _store(setup: Setup) -> Iterator[tuple[int, str]]:
    if setup.home:
        for path in (setup.home, *setup.stores().values()):
            yield from _files(path, "")


def _files(directory: str, suffix: str) -> Iterator[tuple[int, str]]:
    """(time, path) of the files in a directory; of none where it cannot be read, which other checks say."""
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.endswith(suffix) and entry.is_file(follow_symlinks=False):
                    # What time.gmtime cannot spell is no time.
                    yield min(int(entry.stat(follow_symlinks=False).st_mtime), 253402300799), entry.path
    except OSError:
        return
