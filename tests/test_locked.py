"""Secrets in memory and in files: what is locked, wiped and judged, and how far that holds."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cerrotorre import keystore, locked, owned, passphrase
from cerrotorre.errors import Fail
from conftest import LIBRARY
from images import Layout, single
from small import BIN, environment, tool

# Reads its own memory: what is searched for is put together there only, from halves that are apart.
SEARCHED = r"""
import os, sys
sys.path[:0] = [{library!r}, {library!r} + "/vendor"]
from cerrotorre import keystore, locked, passphrase, privatekey

def found(first, second):
    wanted, count = bytearray(first) + bytearray(second), 0
    with open("/proc/self/maps") as maps:
        areas = [line.split() for line in maps]
    with open("/proc/self/mem", "rb", 0) as memory:
        for area in areas:
            low, high = (int(end, 16) for end in area[0].split("-"))
            if "r" not in area[1] or area[-1] in ("[vvar]", "[vsyscall]", "[vdso]"):
                continue
            try:
                memory.seek(low)
                part = memory.read(high - low)
            except (OSError, ValueError, OverflowError):
                continue
            at = part.find(wanted)
            while at >= 0:
                # Not the searched bytes themselves, nor the reader's copy of them.
                count += 1
                at = part.find(wanted, at + 1)
            del part
    # `wanted` itself.
    return count - 1

"""


def searching(code: str, *words: object, **more: str) -> str:
    script = SEARCHED.format(library=str(LIBRARY)) + code
    made = subprocess.run(
        [sys.executable, "-I", "-c", script, *map(str, words)], capture_output=True, text=True, env=dict(os.environ) | more
    )
    assert made.returncode == 0, made.stderr
    return made.stdout


def test_a_wiped_secret_is_gone() -> None:
    """The search finds what is there, and what was held and wiped is not."""
    code = """
one, two = os.urandom(12), os.urandom(12)
held = locked.new(24)
held[:12], held[12:] = one, two
print(found(one, two))
locked.wipe(held)
print(found(one, two))
"""
    assert searching(code).split() == ["1", "0"]


def test_a_passphrase_leaves_no_copy(tmp_path: Path) -> None:
    """From the descriptor through Argon2id, and the derived key too; then nothing is left of either."""
    halves = os.urandom(16).hex()
    (tmp_path / "pass").write_text(halves)
    (tmp_path / "pass").chmod(0o600)
    code = """
first, second = sys.argv[2].encode(), sys.argv[3].encode()
given = passphrase.obtain(file=sys.argv[1])
print(found(first, second))
key = privatekey._derive(given, {"salt": bytes(16), "t": 2, "m": 65536, "p": 1, "version": 19})
one, two = key[:16], key[16:]
print(found(one, two))
locked.wipe_all()
print(found(first, second), found(one, two))
"""
    assert searching(code, tmp_path / "pass", halves[:16], halves[16:]).split() == ["1", "1", "0", "0"]


def test_what_is_lent_is_overwritten() -> None:
    seen = []
    secret = bytearray(b"0123456789abcdef")
    assert locked.lend([secret], lambda copies: (seen.extend(copies), len(copies[0]))[1]) == 16
    assert seen == [bytes(16)] and secret == b"0123456789abcdef"
    # What somebody else may hold as well is let be.
    mine = b"0123456789abcdef"
    locked.lend([mine], lambda copies: None)
    assert mine == b"0123456789abcdef"


def test_a_seed_is_wiped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of our own buffers; the libraries' copies are their own (ct-keys(5))."""
    tool("ct-key", "generate", "--id", "x", "--no-password", env=environment(tmp_path))
    monkeypatch.setenv("CT_HOME", str(tmp_path))
    seeds = keystore.signing_key("x", bytes)["seeds"]
    assert isinstance(seeds[0], bytearray) and any(seeds[0])
    locked.wipe_all()
    assert seeds[0] == bytes(32)


@pytest.fixture
def signing(tmp_path: Path) -> "subprocess.Popen[bytes]":
    """ct-sign with the key open, waiting for its records."""
    tool("ct-key", "generate", "--id", "x", "--no-password", env=environment(tmp_path))
    made = subprocess.Popen([BIN / "ct-sign"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(tmp_path))
    until = time.monotonic() + 60
    while status(made, "VmLck") == 0 and time.monotonic() < until:
        time.sleep(0.05)
    yield made
    made.kill()
    made.wait()


def status(process: "subprocess.Popen[bytes]", name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text(), re.M)
    return int(found[1]) if found else 0


def test_memory_is_locked_while_a_key_is_open(signing: "subprocess.Popen[bytes]") -> None:
    assert status(signing, "VmLck") > 0
    limits = Path(f"/proc/{signing.pid}/limits").read_text()
    assert re.search(r"^Max core file size +0 +0 ", limits, re.M)


def test_nobody_looks_in() -> None:
    code = """
import ctypes, resource
locked.protect()
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE))
"""
    assert searching(code).split() == ["0", "0", "0"]


def test_where_nothing_may_be_locked(tmp_path: Path) -> None:
    """Failing to lock is silent: the work is not less right."""
    env = environment(tmp_path)
    made = subprocess.run(
        ["prlimit", "--memlock=0:0", BIN / "ct-key", "generate", "--id", "x", "--no-password"], capture_output=True, env=env
    )
    assert (made.returncode, made.stderr) == (0, b"")


# -- files -----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    (tmp_path / "pass").write_text("secret\n")
    (tmp_path / "pass").chmod(0o600)
    return tmp_path / "pass"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o444, 0o601])
def test_a_passphrase_that_others_can_read(mode: int, secret: Path) -> None:
    secret.chmod(mode)
    with pytest.raises(Fail) as caught:
        passphrase.obtain(file=str(secret))
    assert caught.value.finding["finding"] == "store-unsafe"
    assert f"--passphrase-fd 3 3<{secret}" in caught.value.finding["try"]
    # Whoever opens it themselves has said so.
    assert passphrase.obtain(fd=str(os.open(secret, os.O_RDONLY))) == b"secret"


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_passphrase_that_others_cannot_read(mode: int, secret: Path) -> None:
    secret.chmod(mode)
    assert passphrase.obtain(file=str(secret)) == b"secret"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be another user")
def test_another_s_passphrase(secret: Path) -> None:
    os.chown(secret, 4711, 4711)
    with pytest.raises(Fail) as caught:
        passphrase.obtain(file=str(secret))
    assert "another user" in str(caught.value)


def test_pipes_and_process_substitution(secret: Path, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"secret\n")
    os.close(writing)
    assert passphrase.obtain(file=f"/dev/fd/{reading}") == b"secret"
    os.close(reading)
    script = f'"$0" generate --id x --passphrase-file <(printf secret) && "$0" passphrase x --passphrase-file <(cat {secret}) --no-password'
    made = subprocess.run(["bash", "-c", script, BIN / "ct-key"], capture_output=True, env=environment(tmp_path / "home"))
    assert made.returncode == 0, made.stderr


FILES = ("keys/x.key", "keys/x.pub", "keys/x.local", "keys/x.rotation", "keys/default")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with a file of every kind."""
    home = tmp_path / "home"
    for name in ("x", "y"):
        tool("ct-key", "generate", "--id", name, "--no-password", env=environment(home))
    tool("ct-key", "rotate", "x", "--into", "y", env=environment(home))
    tool("ct-key", "default", "x", env=environment(home))
    return home


def using(name: str) -> tuple[str, ...]:
    """A command that reads a file of that kind."""
    kinds = {"key": ("passphrase", "x", "--no-password"), "rotation": ("export", "x", "--rotated"), "default": ("default",)}
    return kinds.get(name.rpartition("/")[2].rpartition(".")[2], ("show", "x"))


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_others_can_write(name: str, store: Path) -> None:
    path = store / name
    for mode in (0o620, 0o602, *([0o640, 0o604, 0o601] if name.endswith(".key") else [])):
        path.chmod(mode)
        assert "others" in tool("ct-key", *using(name), env=environment(store), status=13).stderr, oct(mode)
    path.chmod(0o600)
    tool("ct-key", *using(name), env=environment(store))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be another user")
@pytest.mark.parametrize("name", [*FILES, "keys", ""])
def test_a_file_of_another_s(name: str, store: Path) -> None:
    os.chown(store / name, 4711, 4711)
    assert "another user" in tool("ct-key", *using(name), env=environment(store), status=13).stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be another user")
@pytest.mark.parametrize("name", FILES)
def test_a_link_that_leads_elsewhere(name: str, store: Path, tmp_path: Path) -> None:
    """A link to a file of the user's is one; a link of another's, or through another's directory, is not."""
    path, place = store / name, tmp_path / "place"
    place.mkdir(mode=0o700)
    path.rename(place / "file")
    path.symlink_to(place / "file")
    tool("ct-key", *using(name), env=environment(store))
    path = store / name
    target = place / "file"
    if path.is_symlink():
        os.chown(path, 4711, 4711, follow_symlinks=False)
        assert "another user" in tool("ct-key", *using(name), env=environment(store), status=13).stderr
        os.chown(path, 0, 0, follow_symlinks=False)
        place.chmod(0o777)
        assert "writable by others" in tool("ct-key", *using(name), env=environment(store), status=13).stderr
        assert target.exists()


def test_the_signer_s_key_too(store: Path, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "image")
    single(layout)
    (store / "keys/x.key").chmod(0o640)
    made = tool("ct", "pack", f"oci:{layout.directory}:1.0", "-o", tmp_path / "x.ctp", env=environment(store), status=13)
    assert "accessible to others" in made.stderr and not (tmp_path / "x.ctp").exists()
    assert owned.check_directory(str(store))
