#!/usr/bin/env python3
"""Install what was built, or take away what was installed.

usage: install.py install BUILD
       install.py uninstall

DESTDIR and PREFIX are taken from the environment. What was installed is written to lib/cerro-torre/installed, one path a line and relative
to the prefix: first the directories that were made, which end in a slash, then the files. The next installation and `uninstall` go by that
list, so nobody else's file is ever touched, and an older version's are all found. A file of others in the way is an error before anything
is written; with FORCE in the environment it is replaced, and ours from then on.
"""

import os
import shutil
import sys
from pathlib import Path

LIBRARY = "lib/cerro-torre"
LIST = LIBRARY + "/installed"
# The programs come last, after what they need.
PARTS = (LIBRARY, "share", "bin")


def install(build: Path, prefix: Path) -> None:
    """Copy bin/, lib/cerro-torre/ and share/ of the build, modes 644 and 755; what an older version alone had is taken away."""
    files = [str(path.relative_to(build)) for part in PARTS for path in sorted((build / part).rglob("*")) if path.is_file()]
    before = listed(prefix)
    others = (
        [] if os.environ.get("FORCE") else [name for name in files if name not in before and os.path.lexists(prefix / name)]
    )
    if others:
        named = "".join(f"\n  {prefix / name}" for name in others[:10]) + ("\n  ..." if others[10:] else "")
        raise SystemExit(
            f"error: already there, and not of Cerro Torre:{named}\nhint: another PREFIX; or replace them: make install FORCE=1"
        )
    made = [name for name in before if name.endswith("/") and (prefix / name).is_dir()]
    for name in files:
        for parent in (*reversed(Path(name).parents), Path(name))[1:-1]:
            if not (prefix / parent).is_dir():
                (prefix / parent).mkdir(parents=True)
                (prefix / parent).chmod(0o755)
                made.append(f"{parent}/")
    remove(prefix, [name for name in before if not name.endswith("/") and name not in files])
    # Whole before the first file is there, so that after an interruption all are known as ours.
    write(prefix / LIST, lines([*made, *files]))
    for name in files:
        put(build / name, prefix / name)
    # An older version's directories, if nothing is in them any more.
    prune(prefix, made)
    made = sorted({name for name in made if (prefix / name).is_dir()})
    write(prefix / LIST, lines([*made, *files]))


def lines(names: list[str]) -> str:
    """The list of what was installed: these, and itself."""
    return "".join(f"{name}\n" for name in (*names, LIST))


def uninstall(prefix: Path) -> None:
    """Take away the files of the list, the bytecode beside them, and those directories that were made for them and are empty."""
    before = listed(prefix)
    if not before:
        print(f"nothing of Cerro Torre was installed in {prefix}: there is no {prefix / LIST}")
        return
    for cache in list((prefix / LIBRARY).rglob("__pycache__")):
        shutil.rmtree(cache)
    remove(prefix, [name for name in before if not name.endswith("/")])
    prune(prefix, [name for name in before if name.endswith("/")])


def listed(prefix: Path) -> list[str]:
    """The list of what was installed, [] if there is none. SystemExit if it names what could not be ours."""
    try:
        names = (prefix / LIST).read_text().splitlines()
    except FileNotFoundError:
        return []
    for name in names:
        # `lib/` and the like are made, where they were missing.
        ours = any(name.startswith(f"{part}/") or (name.endswith("/") and f"{part}/".startswith(name)) for part in PARTS)
        if not name or not ours or ".." in name.split("/"):
            raise SystemExit(
                f"error: {prefix / LIST} names what was never ours: {name!r}\nhint: correct the file, or remove it and the files"
            )
    return names


def put(source: Path, path: Path) -> None:
    """Copy one file, so that a program that runs keeps what it has open."""
    beside = path.with_name(f".{path.name}.new")
    shutil.copyfile(source, beside)
    beside.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)
    beside.replace(path)


def write(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text)
    beside.chmod(0o644)
    beside.replace(path)


def remove(prefix: Path, names: list[str]) -> None:
    for name in names:
        (prefix / name).unlink(missing_ok=True)


def prune(prefix: Path, names: list[str]) -> None:
    """Remove those directories that are empty, the innermost first."""
    for name in sorted(names, key=lambda name: -name.count("/")):
        try:
            (prefix / name).rmdir()
        except OSError:
            continue


def main(action: str, *rest: str) -> None:
    destdir, prefix = os.environ.get("DESTDIR", ""), os.environ.get("PREFIX", "")
    if not os.path.isabs(prefix):
        raise SystemExit(f"error: PREFIX is not absolute: {prefix!r}")
    where = Path(os.path.abspath(destdir) + prefix) if destdir else Path(prefix)
    try:
        if action == "install":
            install(Path(rest[0]), where)
            told(where)
        else:
            uninstall(where)
    except OSError as error:
        raise SystemExit(f"error: {error}\nhint: as root (sudo make), or elsewhere: PREFIX=$HOME/.local") from None


def told(prefix: Path) -> None:
    """Say what was installed, and if other users cannot run it."""
    command = (prefix / "bin" / "ct-open").read_text().splitlines()[0].removeprefix("#!")
    print(f"installed in {prefix}; it runs with {command}")
    python = Path(command.split()[0])
    if not all(path.stat().st_mode & 0o001 for path in (*python.parents, *python.resolve().parents)):
        print("hint: other users cannot reach that Python; make PYTHON=/usr/bin/python3 builds for another")


if __name__ == "__main__":
    os.umask(0o022)
    main(*sys.argv[1:])
