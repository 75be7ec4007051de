"""Signals: what a tool has begun is cleaned up, whoever ended it (decision 0021)."""

import os
import select
import signal
import time
from _thread import get_ident, start_new_thread
from collections.abc import Callable

from cerrotorre.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from subprocess import Popen

# Seconds between two signals to a tool whose `ct` has ended.
AGAIN = 0.5


def arm() -> None:
    """Let SIGTERM and SIGHUP end the tool as SIGINT does, so that what it began is cleaned up; and so does the end of `ct`."""
    numbers = [
        number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) != signal.SIG_IGN
    ]

    def interrupt(*_: object) -> None:
        # One is enough: a second may not keep anything from being cleaned up.
        for number in numbers:
            signal.signal(number, lambda *_: None)
        raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, interrupt)
    ct = os.environ.get("CT_PID", "")
    if ct.isascii() and ct.isdecimal() and len(ct) < 9:
        _end_with(int(ct))


def _end_with(process: int) -> None:
    """Interrupt this tool when the process ends: a signal to `ct` alone reaches none of its tools."""
    try:
        fd = os.pidfd_open(process)
    except ProcessLookupError:
        raise KeyboardInterrupt from None
    except (OSError, AttributeError):
        # No Linux, or a sandbox that does not allow it.
        return
    ended = select.poll()
    ended.register(fd, select.POLLIN)
    main = get_ident()

    def wait() -> None:
        # What another thread catches does not wake the main one out of a read.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        ended.poll()
        # What comes between Python's last look at signals and a call that waits is not noticed before that call ends: once more then.
        while True:
            signal.pthread_kill(main, signal.SIGTERM)
            time.sleep(AGAIN)

    start_new_thread(wait, ())


def ending_with(parent: int) -> Callable[[], None]:
    """What a process calls to get SIGTERM when its parent dies."""
    # Rare, and slow to import.
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    set_death_signal = 1  # PR_SET_PDEATHSIG

    def arm() -> None:
        prctl(set_death_signal, int(signal.SIGTERM))
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    return arm


def end(child: "Popen[bytes]", grace: float) -> None:
    """End a program, and what it runs, in so many seconds or by force: a shell that is ended leaves behind what it waits for."""
    from subprocess import TimeoutExpired

    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in _family(child.pid):
            try:
                os.kill(process, number)
            except ProcessLookupError:
                pass
        try:
            child.wait(grace)
            return
        except TimeoutExpired:
            pass


def _family(process: int) -> list[int]:
    """A process and those below it."""
    below: list[str] = []
    # A child belongs to the thread that made it, and in Go that is any.
    for thread in _threads(process):
        try:
            with open(f"/proc/{process}/task/{thread}/children", encoding="ascii") as file:
                below += file.read().split()
        except OSError:
            # It has ended.
            continue
    return [process, *(one for child in below for one in _family(int(child)))]


def _threads(process: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{process}/task")
    except OSError:
        return []
