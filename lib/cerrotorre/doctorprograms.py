"""What of `ct doctor` is about other programs: those that something here starts, where they are found, and what fails without them."""

import os
import re
import stat
import subprocess

from cerrotorre import credentials, owned
from cerrotorre.diagnosis import Diagnosis
from cerrotorre.doctorsetup import Setup, command, listed
from cerrotorre.errors import Fail
from cerrotorre.text import quoted

# Seconds for a program to say its version.
PATIENCE = 5
_VERSION = re.compile(r"\b\d+(?:\.\d+)+[A-Za-z0-9.+~-]*")


def path(setup: Setup, say: Diagnosis) -> str:
    """PATH decides which skopeo runs, so nobody else may decide what lies in it."""
    if "PATH" not in setup.env:
        say.warn("PATH is not set, so no other program is found")
        return "not set"
    entries = setup.env["PATH"].split(":")
    relative = sorted({entry or "." for entry in entries if not os.path.isabs(entry)})
    for entry in relative:
        say.warn(f"PATH has the entry {quoted(entry)}: what the working directory holds is run as a program")
    for entry in dict.fromkeys(setup.safe_path()):
        try:
            owned.check_directory(entry)
        except Fail as fail:
            if fail.finding["finding"] == "store-unsafe":
                say.fault(fail, warn=True)
    return f"{len(entries)} entries" + ("" if say.details else ", all absolute, and yours or root's")


def find(setup: Setup, name: str) -> str:
    """The path of a program in an absolute entry of PATH, or ""."""
    for entry in setup.safe_path():
        found = os.path.join(entry, name)
        if os.path.isfile(found) and os.access(found, os.X_OK):
            return found
    return ""


def trusted(found: str) -> bool:
    """Whether nobody else could have put this program there: only then it is run."""
    try:
        real = os.path.realpath(found)
        info = os.stat(real)
        safe = owned.check_directory(os.path.dirname(found)) and owned.check_directory(os.path.dirname(real))
        return safe and info.st_uid in (0, os.geteuid()) and not info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    except (Fail, OSError):
        return False


def said(setup: Setup, arguments: list[str]) -> str:
    """What a program prints on standard output, at most 64 KiB of it; "" if it fails or takes too long."""
    kept = {name: setup.env[name] for name in ("HOME", "MANPATH", "XDG_RUNTIME_DIR") if name in setup.env}
    environment = {**kept, "PATH": ":".join(setup.safe_path()), "LC_ALL": "C"}
    try:
        made = subprocess.run(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, cwd="/",
            timeout=PATIENCE, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return made.stdout[: 64 << 10].decode("utf-8", "replace") if made.returncode == 0 else ""


def skopeo(setup: Setup, say: Diagnosis) -> str:
    without = "without it ct pack takes no docker-archive:, docker-daemon: and containers-storage: images"
    return _program("skopeo", setup, say, without)


def gpg(setup: Setup, say: Diagnosis) -> str:
    return _program("gpg", setup, say, "without it ct key import --gpg-signature cannot be used")


def git(setup: Setup, say: Diagnosis) -> str:
    return _program("git", setup, say, "without it ct push and ct fetch know no git repositories")


def runtime(setup: Setup, say: Diagnosis) -> str:
    name = setup.setting("defaults", "runtime")
    return "none is configured" if name is None else _program(name, setup, say, "[defaults] runtime names it")


def _program(name: str, setup: Setup, say: Diagnosis, without: str) -> str:
    found = find(setup, name)
    if not found:
        say.warn(f"{name} is not installed, or not in an absolute entry of PATH: {without}", *_install(setup, name))
        return "not found"
    if not trusted(found):
        say.warn(f"'{found}' could be changed by others, so it was not asked for its version", command("ls -ld", found))
        return found
    version = _VERSION.search(said(setup, [found, "--version"]))
    if version is None:
        say.warn(f"'{found}' does not say its version", f"{quoted(found)} --version")
        return found
    return f"{name} {version[0]}, {found}"


def _install(setup: Setup, name: str) -> list[str]:
    return [f"{manager} install {name}" for manager in ("apt-get", "dnf") if find(setup, manager)][:1]


def helpers(setup: Setup, say: Diagnosis) -> str:
    """The credential helpers that the credential files name: without one its registry's credentials are not found."""
    named: set[str] = set()
    read = 0
    for where in credentials.files(setup.env):
        try:
            value = credentials.read(where)
        except Fail as fail:
            say.warn(str(fail))
            continue
        if value is not None:
            read += 1
            its = value.get("credHelpers")
            named |= {name for name in (its.values() if isinstance(its, dict) else ()) if isinstance(name, str)}
            named |= {value["credsStore"]} if isinstance(value.get("credsStore"), str) and value["credsStore"] else set()
    for name in sorted(named):
        if "/" in name or not find(setup, f"docker-credential-{name}"):
            say.warn(f"the credential helper docker-credential-{name} is not installed, and a credentials file names it")
    return f"{read or 'no'} credentials file{'' if read == 1 else 's'}" + (
        f", helpers {listed(sorted(named))}" if named else ""
    )
