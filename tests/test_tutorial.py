"""ct-tutorial(7) is typed as it stands: beside a registry, then without any network at a site whose home is empty, and at both again."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import docs
import images
from conftest import BUILD
from docs import MAN, ROOT

PAGE = MAN / "ct-tutorial.7"
MARK = "@@ command "

# (what is typed, the lines that follow it)
Step = tuple[str, list[str]]


def steps() -> list[list[Step]]:
    """The commands of each part of the page, with what it shows of their output."""
    parts: list[list[Step]] = [[]]
    block = False
    for line in PAGE.read_text().splitlines():
        if line in ('.\\" test: site', '.\\" test: home'):
            parts.append([])
        elif line in (".Bd -literal", ".Ed"):
            block = line == ".Bd -literal"
        elif block and line.startswith("$ "):
            parts[-1].append((plain(line[2:]), []))
        elif block:
            parts[-1][-1][1].append(plain(line))
    return parts


def plain(line: str) -> str:
    return re.sub(r"\\\[u(\w+)\]", lambda found: chr(int(found[1], 16)), docs.plain(line))


def script(part: list[Step]) -> str:
    """One shell that runs them all, and marks where each one's output begins and how it ended."""
    return "".join(f"{typed}\nprintf '%s%s %s\\n' '{MARK}' {number} $?\n" for number, (typed, _) in enumerate(part))


def pattern(lines: list[str]) -> str:
    """`...` alone stands for any lines, within a line for any text."""
    made = ""
    for line in lines:
        made += r"(?:.*\n)*?" if line == "..." else ".*".join(map(re.escape, line.split("..."))) + "\n"
    return made


def run(part: list[Step], home: Path, cwd: Path, prefix: list[str], **more: str) -> None:
    env = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        **more,
    }
    made = subprocess.run(
        [*prefix, "sh", "-c", "exec 2>&1\n" + script(part)],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    said = re.split(rf"^{MARK}(\d+) (\d+)\n", made.stdout, flags=re.M)
    assert len(said) == 3 * len(part) + 1, made.stdout + made.stderr
    for number, (typed, shown) in enumerate(part):
        output, status = said[3 * number], said[3 * number + 2]
        assert status == "0", f"$ {typed}\n{output}"
        assert re.fullmatch(pattern(shown), output), f"$ {typed}\n{output}"


def test_the_tutorial(tmp_path: Path) -> None:
    packing, site, later, at_last = steps()
    source, host, away = tmp_path / "source", tmp_path / "host", tmp_path / "away"
    # The source as a clone has it, built, since the dependencies come from a network.
    shutil.copytree(ROOT, source, symlinks=True, ignore=shutil.ignore_patterns(".*", "build", "__pycache__"))
    shutil.copytree(BUILD, source / "build", symlinks=True, ignore=lambda _, names: {"test", "dist"} & set(names))
    images.make("single", tmp_path / "hello")
    host.mkdir()
    registry = ["sh", str(ROOT / "tests" / "with_registry.sh"), str(tmp_path / "hello"), "hello:1.0"]
    run(packing, host, source, registry)

    away.mkdir(mode=0o700)
    shutil.move(host / "stick", away / "stick")
    alone = ["unshare", "-n"] if docs.is_root() else ["unshare", "-rn"]
    run(site, away, away, alone, **docs.podman_environment(tmp_path / "podman"))
    # What was left at the site stays; what goes there on the stick is new.
    (host / "stick").mkdir()
    run(later, host, source, [])
    shutil.copytree(host / "stick", away / "stick", dirs_exist_ok=True)
    run(at_last, away, away, alone)
