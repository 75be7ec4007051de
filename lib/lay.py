#!/usr/bin/env python3
"""Lay the program out as an install prefix: bin/, lib/cerro-torre/, share/. What `make`, `make dist` and `pip install` start from.

usage: lay.py PREFIX locked|system SYSCONFDIR
"""

import os
import shutil
import sys
from pathlib import Path

import bytecode

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = "lib/cerro-torre"
# Where completions for each shell are looked for below share/, by how the file in completions/ is called.
COMPLETIONS = {".bash": "bash-completion/completions", ".fish": "fish/vendor_completions.d", "": "zsh/site-functions"}
# How a tool finds its dependencies: beside the library (locked, dist), where the distribution put them (system) or pip did (pip).
KINDS = ("locked", "system", "pip", "dist")


def lay(
    prefix: Path, kind: str, *, sysconfdir: str = "/etc", python: str = sys.executable, made_for: dict[str, str] | None = None
) -> None:
    """Lay everything of ours out below the prefix, modes 644 and 755 whatever the umask; what lies in lib/cerro-torre/vendor is kept."""
    if not os.path.isabs(sysconfdir):
        raise SystemExit(f"error: SYSCONFDIR is not absolute: {sysconfdir!r}")
    for old in (*prefix.glob("bin"), *prefix.glob("share"), *(prefix / LIBRARY).glob("*")):
        if old.is_file():
            old.unlink()
        elif old.name != "vendor":
            shutil.rmtree(old)
    library = prefix / LIBRARY
    tools = sorted(path for path in (ROOT / "tools").glob("ct-*") if path.is_file())

    for source in sorted((ROOT / "lib" / "cerrotorre").glob("*.py")):
        put(source.read_bytes(), library / "cerrotorre" / source.name)
    put(built(sysconfdir, made_for or {}), library / "cerrotorre" / "built.py")
    put(b"", library / "cerrotorre" / "tools" / "__init__.py")
    put((ROOT / "tools" / "ct").read_bytes(), prefix / "bin" / "ct", 0o755)
    for tool in tools:
        if tool.read_bytes().startswith(b"#!/bin/sh\n"):
            # Of no use to it is a Python beside it.
            put(tool.read_bytes(), prefix / "bin" / tool.name, 0o755)
            continue
        put(tool.read_bytes(), library / "cerrotorre" / "tools" / (module(tool.name) + ".py"))
        put(stub(kind, tool.name, python, (made_for or {}).get("python", "")), prefix / "bin" / tool.name, 0o755)
    for recipe in sorted((ROOT / "lib" / "commands").iterdir()):
        put(recipe.read_bytes(), library / "commands" / recipe.name)
    put((ROOT / "lib" / "commands.txt").read_bytes(), library / "commands.txt")
    for schema in sorted((ROOT / "spec").glob("*.json")):
        put(schema.read_bytes(), library / "spec" / schema.name)
    for page in sorted((ROOT / "man").glob("*.[1-8]")):
        put(page.read_bytes(), prefix / "share" / "man" / f"man{page.suffix[1:]}" / page.name)
    for completion in sorted((ROOT / "completions").iterdir()):
        # bash looks for a file by the command's name alone.
        name = completion.stem if completion.suffix == ".bash" else completion.name
        put(completion.read_bytes(), prefix / "share" / COMPLETIONS[completion.suffix] / name)
    if kind != "pip":
        bytecode.compile_all(library / "cerrotorre")


def put(data: bytes, path: Path, mode: int = 0o644) -> None:
    directory(path.parent)
    path.write_bytes(data)
    path.chmod(mode)


def directory(path: Path) -> None:
    if not path.is_dir():
        directory(path.parent)
        path.mkdir()
        path.chmod(0o755)


def module(tool: str) -> str:
    return tool.replace("-", "_")


def built(sysconfdir: str, made_for: dict[str, str]) -> bytes:
    """lib/cerrotorre/built.py with these values."""
    text = (ROOT / "lib" / "cerrotorre" / "built.py").read_text()
    for name, value in (("SYSCONFDIR", sysconfdir), ("MADE_FOR", made_for)):
        found = [line for line in text.splitlines() if line.startswith(name)]
        text = text.replace(found[0], f"{found[0].partition(' = ')[0]} = {value!r}")
    return text.encode()


def stub(kind: str, tool: str, python: str, minor: str) -> bytes:
    """The start of a tool: of lib/stub.py, the lines that its marks `# [KIND ...]` keep for this kind, after a first line or launch.sh."""
    if kind not in KINDS:
        raise SystemExit(f"error: {kind!r} is none of {KINDS}")
    if any(letter in python for letter in " \t\n"):
        raise SystemExit(f"error: a script cannot begin with the name of this Python, which has a space in it: {python}")
    lines, head, kept = [], "", True
    for line in (ROOT / "lib" / "stub.py").read_text().splitlines(keepends=True):
        mark, _, first = line.strip().partition("]")
        if not mark.startswith("# ["):
            lines += [line] if kept else []
        elif first:
            head = first.strip() + "\n" if kind in mark[3:].split() else head
        else:
            kept = mark[3:] == "all" or kind in mark[3:].split()
    if kind == "dist":
        # To sh this is the command `:` and then a program that never comes back; to Python a text that nobody reads.
        first, _, launch = (ROOT / "lib" / "launch.sh").read_text().partition("\n")
        head = f"{first}\n''':'\n{launch}'''\n"
    text = head + "".join(lines)
    for mark, value in {"@PYTHON@": python, "@NAME@": tool, "@MODULE@": module(tool), "@MINOR@": minor}.items():
        text = text.replace(mark, value)
    return text.encode()


if __name__ == "__main__":
    lay(Path(sys.argv[1]), sys.argv[2], sysconfdir=sys.argv[3])
