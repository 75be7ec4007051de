"""What the documentation is derived from or tested against: usage texts, the command list, the manual pages. Standard library only."""

import ast
import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAN = ROOT / "man"


def commands() -> list[tuple[str, str, str]]:
    """(name, class, summary) of each row of lib/commands.txt; the program is `ct-NAME` for plumbing, else `ct NAME`."""
    rows = [line.split("\t") for line in (ROOT / "lib" / "commands.txt").read_text().splitlines()]
    return [(name, kind, summary) for name, kind, summary in rows]


def program(name: str, kind: str) -> str:
    return f"ct-{name}" if kind == "plumbing" else f"ct {name}"


def tools() -> list[str]:
    return sorted(path.name for path in (ROOT / "tools").glob("ct-*"))


def is_shell(tool: str) -> bool:
    """Whether a tool is a shell script: its usage text is in the comment at its head, as a recipe's."""
    return (ROOT / "tools" / tool).read_bytes().startswith(b"#!/bin/sh\n")


def recipes() -> list[str]:
    return sorted(path.name for path in (ROOT / "lib" / "commands").iterdir())


def usage(name: str) -> str:
    """The synopsis part of a usage text: of `ct`, of a tool `ct-NAME`, or of a recipe `ct NAME`."""
    if name.startswith("ct-") and not is_shell(name):
        return options_text(name).partition("\n\n")[0]
    path = ROOT / "lib" / "commands" / name.removeprefix("ct ") if name.startswith("ct ") else ROOT / "tools" / name
    found = re.search(r"^# (usage: .*?)^#?$", path.read_text(), re.M | re.S)
    return re.sub(r"^# ?", "", found[1], flags=re.M) if found else ""


def options_text(name: str) -> str:
    """All of a tool's usage text; of one in sh, none."""
    if is_shell(name):
        return ""
    return ast.get_docstring(ast.parse((ROOT / "tools" / name).read_text()), clean=False) or ""


def forms(synopsis: str) -> dict[str, list[str]]:
    """{program: [each of its forms, whitespace normalised]} of a usage text or a SYNOPSIS."""
    made: dict[str, list[str]] = {}
    last: list[str] = []
    known = set(recipes())
    for line in synopsis.removeprefix("usage:").splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] == "ct" or words[0].startswith("ct-"):
            key = f"ct {words[1]}" if words[0] == "ct" and words[1:] and words[1] in known else words[0]
            last = made.setdefault(key, [])
            last.append(" ".join(words))
        elif last:
            last[-1] += " " + " ".join(words)
    return made


def rendered(page: Path, *, width: int = 999) -> str:
    """A manual page as mandoc shows it, without overstriking."""
    text = subprocess.run(["mandoc", "-Tascii", f"-Owidth={width}", page], capture_output=True, check=True, text=True).stdout
    return re.sub(r".\x08", "", text)


def section(text: str, name: str) -> str:
    """A section of a rendered page."""
    found = re.search(rf"^{name}\n(.*?)(?=^\S)", text, re.M | re.S)
    return found[1] if found else ""


def examples(page: Path) -> list[tuple[str, str]]:
    """(what the page's comment says of it, script) of each literal block of EXAMPLES.

    A comment `.\\" test: …` stands right before its block: `status N` is how it ends, `registry` runs it beside a registry at
    localhost:5000 that holds hello:1.0, `types A|B` types these answers at a terminal, `run` just runs it.
    """
    found = re.search(r"^\.Sh EXAMPLES\n(.*?)(?=^\.Sh )", page.read_text(), re.M | re.S)
    made, said, block = [], "", None
    for line in found[1].splitlines() if found else []:
        if line.startswith('.\\" test: '):
            said = line.removeprefix('.\\" test: ')
        elif line.startswith(".Bd"):
            block = []
        elif line.startswith((".Ed", ".Dl ")):
            made.append((said, "\n".join(block) if line == ".Ed" else plain(line.removeprefix(".Dl "))))
            said, block = "", None
        elif block is not None:
            block.append(plain(line))
    return made


def plain(line: str) -> str:
    return line.replace("\\&", "").replace("\\e", "\\").replace("\\-", "-").replace("\\(aq", "'")


def session(text: str) -> tuple[str, str | None]:
    """(script, output) of a block: `$ ` before each command, what they print below them; without it all is script."""
    if not text.startswith("$ "):
        return text, None
    lines = text.splitlines()
    script = "\n".join(line.removeprefix("$ ") for line in lines if line.startswith("$ "))
    return script, "".join(line + "\n" for line in lines if not line.startswith("$ "))


def command(said: str, script: str, layout: Path) -> list[str]:
    """The command that runs a block as its comment says; `layout` is the image that a registry is to hold."""
    here, shell = ROOT / "tests", ["sh", "-e", "-c", script]
    if said == "registry":
        return ["sh", str(here / "with_registry.sh"), str(layout), "hello:1.0", *shell]
    if said.startswith("types "):
        return [sys.executable, str(here / "typed.py"), said.removeprefix("types "), *shell]
    return shell


def podman_environment(directory: Path) -> dict[str, str]:
    """What gives podman a store of its own below a directory, in a sandbox without cgroups and overlays too."""
    directory.mkdir(exist_ok=True)
    # What podman has conmon call at a container's end takes no runroot of more than 50 characters, and podman waits 20 seconds for it.
    runroot = tempfile.mkdtemp(prefix="ct-", dir="/tmp")
    atexit.register(shutil.rmtree, runroot, ignore_errors=True)
    storage, containers = directory / "storage.conf", directory / "containers.conf"
    storage.write_text(f'[storage]\ndriver = "vfs"\nrunroot = "{runroot}"\ngraphroot = "{directory}/graph"\n')
    limits = '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
    containers.write_text(f'{limits}[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n')
    return {"CONTAINERS_STORAGE_CONF": str(storage), "CONTAINERS_CONF": str(containers)}


def is_root() -> bool:
    return os.geteuid() == 0
