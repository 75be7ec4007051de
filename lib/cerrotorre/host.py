"""Whether this host can run what `make dist` made: its compiled dependencies fit one Python, one libc and one kind of machine.

Read before anything else is, by whichever Python 3 was found; so nothing here is newer than Python 3.6.
"""

import os
import sys

from cerrotorre.typed import Any


def facts() -> "dict[str, Any]":
    """{"python": "3.11", "machine": "x86_64", "libc": "glibc 2.36"} of this process; "libc" is "" if it is not glibc."""
    python = ".".join(str(part) for part in sys.version_info[:2])
    if sys.implementation.name != "cpython":
        python = f"{sys.implementation.name} {python}"
    elif "t" in sys.abiflags:
        python += "t"
    # The kernel's word, which is also that of a 32-bit Python on a 64-bit kernel.
    machine = os.uname().machine + (" (32-bit Python)" if sys.maxsize < 1 << 32 else "")
    try:
        libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    # musl knows the question not at all, or has no answer, by version.
    except (AttributeError, ValueError, OSError):
        libc = ""
    return {"python": python, "machine": machine, "libc": libc}


def refusal(made: "dict[str, Any]", here: "dict[str, Any]") -> "tuple[str, str] | None":
    """Why what was made for `made` cannot run `here`, and what to do; None if it can. `libc` of `made` is the oldest that will do."""
    if here["python"] != made["python"]:
        return (
            f"this ct was made for Python {made['python']}, and {sys.executable} is {here['python']}",
            f"install Python {made['python']}, or get the archive for Python {here['python']}",
        )
    if here["machine"] != made["machine"]:
        return f"this ct was made for {made['machine']}, and this is {here['machine']}", "get the archive for this machine"
    family, _, oldest = made["libc"].partition(" ")
    found, _, version = here["libc"].partition(" ")
    if found != (family if family == "glibc" else ""):
        return (
            f"this ct was made for {made['libc']}, and the C library here is {here['libc'] or 'not glibc (musl?)'}",
            "get the archive for this C library, or build one here: make dist",
        )
    if found and number(version) < number(oldest):
        return (
            f"this ct was made for {made['libc']} or later, and this is {here['libc']}",
            "get an archive that was made for an older one, or build one here: make dist",
        )
    return None


def number(version: str) -> "tuple[int, ...]":
    """(2, 36) of "2.36"; of what is no such number, ()."""
    parts = version.split(".")
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else ()
