"""Bundles taken apart and put together again, and `ct` as people run it: what many tests share.

Nothing here comes from the library: headers, digests and member lists are made from the specifications alone.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from conftest import BUILD

BIN = BUILD / "bin"
TIME = "2030-01-01T00:00:00Z"
EPOCH = "1700000000"


def environment(home: Path, **more: str) -> dict[str, str]:
    """What a test's `ct` sees: a key store of its own, and the clock of a reproducible build."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG") if name in os.environ}
    return {**kept, "HOME": str(home), "CT_HOME": str(home), "SOURCE_DATE_EPOCH": EPOCH, **more}


def run(*command: object, env: dict[str, str] | None = None, **more: Any) -> subprocess.CompletedProcess[Any]:
    more.setdefault("capture_output", True)
    more.setdefault("text", "input" not in more or isinstance(more["input"], str))
    if "input" not in more and "stdin" not in more:
        more["stdin"] = subprocess.DEVNULL
    return subprocess.run([str(part) for part in command], env=env, timeout=600, check=False, **more)


def tool(
    name: str, *arguments: object, env: dict[str, str], status: int | None = 0, **more: Any
) -> subprocess.CompletedProcess[Any]:
    """Run build/bin/NAME; its status must be `status` (None: any)."""
    made = run(BIN / name, *arguments, env=env, **more)
    assert status is None or made.returncode == status, (name, arguments, made.returncode, made.stdout, made.stderr)
    return made


def verdicts(files: list[str], *options: str, env: dict[str, str], cwd: Path) -> list[dict[str, Any]]:
    """The verdicts of one `ct verify --json f1 f2 …`, in the order of the files."""
    made = run(BIN / "ct", "verify", "--json", *options, *files, env=env, cwd=cwd)
    said = [json.loads(line) for line in made.stdout.splitlines()]
    assert [one["bundle"] for one in said] == files, (made.returncode, made.stderr[-2000:], len(said), len(files))
    assert made.stderr == ""
    # What the exit status says of them all is one of theirs, and 0 only where all are 0.
    assert made.returncode in {one["status"] for one in said}
    assert (made.returncode == 0) == all(one["status"] == 0 for one in said)
    return said


def pair(home: Path, key_id: str) -> None:
    tool("ct", "keygen", "--id", key_id, "--no-password", env=environment(home))


class Store:
    """`ct-key` in a store of its own, without a terminal."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700, exist_ok=True)
        self.home, self.env = home, environment(home)

    def __call__(self, *words: object, status: int = 0, **more: Any) -> str:
        made = tool("ct-key", *words, env=self.env, status=status, start_new_session=True, **more)
        return str(made.stdout + made.stderr)

    def json(self, *words: object) -> Any:
        return json.loads(tool("ct-key", *words, "--json", env=self.env).stdout)

    def file(self, name: str) -> Path:
        return self.home / name

    def new(self, key_id: str, *options: str) -> None:
        self("generate", "--id", key_id, "--no-password", *options)

    def handed(self, key_id: str) -> tuple[Path, Path]:
        """(the public key, the rotation) of a key as others get them."""
        public, said = self.home / f"{key_id}.out", self.home / f"{key_id}.said"
        public.unlink(missing_ok=True), said.unlink(missing_ok=True)
        self("export", key_id, "--public", "-o", public)
        if (self.home / "keys" / f"{key_id}.rotation").exists():
            self("export", key_id, "--rotated", "-o", said)
        return public, said

    def ids(self) -> list[str]:
        lines = tool("ct-key", "list", "--json", env=self.env).stdout.splitlines()
        return [json.loads(line)["key_id"] for line in lines]


# -- bundles, taken apart ----------------------------------------------------------------------------------------------------


class Member:
    """A tar member as it lies in a bundle: header at `start`, data at `data`, `size` bytes, the next header at `end`."""

    def __init__(self, raw: bytes, start: int) -> None:
        self.start = start
        header = raw[start : start + 512]
        self.name = header[:100].rstrip(b"\0").decode()
        self.size = int(header[124:135], 8)
        self.kind = header[156:157]
        self.data = start + 512
        self.padding = self.data + self.size
        self.end = self.padding + -self.size % 512

    def bytes(self, raw: bytes) -> bytes:
        return raw[self.start : self.end]

    def content(self, raw: bytes) -> bytes:
        return raw[self.data : self.padding]


def members(raw: bytes) -> list[Member]:
    found, position = [], 0
    while any(raw[position : position + 512]):
        found.append(Member(raw, position))
        position = found[-1].end
    return found


def header(name: bytes, size: int, kind: bytes = b"0", linkname: bytes = b"", mode: bytes | None = None) -> bytes:
    """A ustar header as POSIX describes it (pax, "ustar Interchange Format"), in the spelling of spec/bundle.adoc."""
    mode = mode or (b"0000755" if kind == b"5" else b"0000644")
    block = bytearray(512)
    block[: len(name)] = name
    for at, field in ((100, mode), (108, b"0000000"), (116, b"0000000"), (124, b"%011o" % size), (136, b"0" * 11)):
        block[at : at + len(field)] = field
    block[156:157] = kind
    block[157 : 157 + len(linkname)] = linkname
    block[257:265] = b"ustar\x0000"
    block[329:336] = block[337:344] = b"0000000"
    return checksum(block)


def checksum(block: bytes | bytearray) -> bytes:
    """The header with the checksum it should have."""
    made = bytearray(block)
    made[148:156] = b" " * 8
    made[148:156] = b"%06o\0 " % sum(made)
    return bytes(made)


def packed(name: str, data: bytes, kind: bytes = b"0") -> bytes:
    """One member, whole."""
    return header(name.encode(), len(data), kind) + data + bytes(-len(data) % 512)


def rebuilt(raw: bytes, changed: dict[str, bytes | None]) -> bytes:
    """The bundle with the data of some members replaced (None: dropped), every header right again."""
    parts = []
    for member in members(raw):
        data = changed.get(member.name, member.content(raw))
        if data is not None:
            parts.append(packed(member.name, data, member.kind))
    return b"".join(parts) + bytes(1024)
