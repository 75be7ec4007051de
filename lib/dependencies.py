#!/usr/bin/env python3
"""Whether this Python has the packages that pyproject.toml names, for a build that takes the distribution's (DEPS=system).

usage: dependencies.py check
       dependencies.py names

Run under `python3 -I`, as the tools are. A missing or too old one is said by its name in Debian and Fedora, and the status is 69.
One without names there, `[]`, is passed over: what needs it says so when it is used.
`names` writes Debian's name and Fedora's of each.
"""

import re
import shutil
import sys
import tomllib
from importlib import metadata
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
# The one form that our dependencies have: at least this version.
REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)>=([0-9]+(?:\.[0-9]+)*)")


def required() -> dict[str, tuple[tuple[int, ...], list[str]]]:
    """{name: (lowest version, [Debian's name, Fedora's name])} as pyproject.toml says."""
    project = tomllib.loads(PROJECT.read_text())
    called = project["tool"]["cerro-torre"]["packages"]
    made = {}
    for text in project["project"]["dependencies"]:
        found = REQUIREMENT.fullmatch(text)
        if not found or found[1] not in called:
            raise SystemExit(
                f"error: pyproject.toml: {text!r} is not NAME>=VERSION, or tool.cerro-torre.packages does not name it"
            )
        if called[found[1]]:
            made[found[1]] = (number(found[2]), called[found[1]])
    return made


def number(version: str) -> tuple[int, ...]:
    """The release of a version, (1, 5) of "1.5.0" and of "1.5rc1": trailing zeros do not count."""
    parts = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    release = [int(part) for part in parts[0].split(".")] if parts else []
    while release and release[-1] == 0:
        release.pop()
    return tuple(release)


def found(name: str) -> str:
    """The version that this Python would import, "" if none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def check() -> int:
    lacking = {name: (lowest, names) for name, (lowest, names) in required().items() if number(found(name)) < lowest}
    if not lacking:
        return 0
    said = [f"error: {sys.executable} lacks packages that ct uses"]
    for name, (lowest, names) in lacking.items():
        here = found(name)
        said.append(
            f"  {name} {'.'.join(map(str, lowest))} or later: {f'{here} is too old' if here else 'not installed'} ({names[0]})"
        )
    debian, fedora = (" ".join(names[column] for _, names in lacking.values()) for column in (0, 1))
    if shutil.which("apt-get") or not shutil.which("dnf"):
        said.append(f"hint: as root: apt-get install {debian}")
    if shutil.which("dnf") or not shutil.which("apt-get"):
        said.append(f"hint: as root: dnf install {fedora}")
    said.append(
        "hint: PYTHON= names the distribution's own Python, if this is another; without DEPS=system make fetches locked ones"
    )
    sys.stderr.write("\n".join(said) + "\n")
    return 69


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        sys.exit(check())
    print(*(" ".join(names) for _, names in required().values()), sep="\n")
