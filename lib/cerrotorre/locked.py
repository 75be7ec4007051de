"""Memory for seeds, passphrases and what is derived from them: locked where that is allowed, and zeroed after use.

Best effort: the libraries that compute with a secret copy it, and what they free they do not clear (ct-keys(5), "Secrets in memory").
"""

import sys
from collections.abc import Callable

from cerrotorre.typed import Any

_PR_SET_DUMPABLE = 4  # prctl(2)
_held: list[bytearray] = []


def protect() -> None:
    """Keep this process out of core files, and from other processes of the user that would look into its memory."""
    import ctypes
    import resource

    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    except (OSError, ValueError, AttributeError):
        # No Linux, or a sandbox that does not allow it.
        pass


def new(size: int) -> bytearray:
    """So many zeros, which mlock(2) keeps from swap if it may: the limit is RLIMIT_MEMLOCK. Never resize it."""
    import ctypes

    made = bytearray(size)
    _held.append(made)
    if size:
        try:
            # The page stays locked until the process ends: other secrets may lie on it.
            ctypes.CDLL(None).mlock(ctypes.c_void_p(_address(made)), ctypes.c_size_t(size))
        except (OSError, AttributeError):
            pass
    return made


def keep(secret: bytes | bytearray, start: int = 0, end: int | None = None) -> bytearray:
    """A part of a secret in memory of its own."""
    view = memoryview(secret)[start:end]
    made = new(len(view))
    made[:] = view
    return made


def take(secret: bytes) -> bytearray:
    """As `keep`, of a secret that nobody else has, which is overwritten."""
    made = keep(secret)
    wipe(secret)
    return made


def wipe(*secrets: bytes | bytearray) -> None:
    """Overwrite with zeros. Of bytes only such as nobody else has: what a library returned, or a copy made for one."""
    for secret in secrets:
        if isinstance(secret, bytearray):
            secret[:] = bytes(len(secret))
        elif len(secret) > 1 and sys.implementation.name == "cpython":
            import ctypes

            # Where CPython keeps an object's bytes. Those of no or one byte are shared.
            ctypes.memset(id(secret) + bytes.__basicsize__ - 1, 0, len(secret))


def wipe_all() -> None:
    """Overwrite every secret of this process that is in memory of this module."""
    while _held:
        wipe(_held.pop())


def lend(secrets: list[Any], work: Callable[[list[bytes]], Any]) -> Any:
    """What `work` makes of the secrets as bytes, which are overwritten after that: for libraries that take nothing else."""
    copies = [bytes(secret) for secret in secrets]
    try:
        return work(copies)
    finally:
        # bytes(x) of bytes is x itself.
        wipe(*(copy for copy, secret in zip(copies, secrets, strict=True) if copy is not secret))


def _address(buffer: bytearray) -> int:
    import ctypes

    return ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))
