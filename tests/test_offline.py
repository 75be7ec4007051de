"""verify and explain are offline: without a network they say the same, and watched by strace they open no socket and only files
that are theirs to read."""

import json
import os
import re
import sys
import sysconfig
from pathlib import Path
from typing import Any

import images
import pytest
from conftest import BUILD
from small import BIN, TIME, environment, members, pair, run, tool

TRACED = "trace=%network,%file,io_uring_setup"
# Whatever a system's loader, C library, shell and OpenSSL read.
SYSTEM = (
    *(
        "/lib",
        "/lib32",
        "/lib64",
        "/usr/lib",
        "/usr/lib32",
        "/usr/lib64",
        "/usr/share/locale",
        "/usr/share/zoneinfo",
        "/dev",
        "/proc",
    ),
    *("/sys", "/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/localtime", "/etc/ssl", "/etc/pki", "/etc/crypto-policies"),
    *("/etc/selinux", "/etc/cerro"),
)
PYTHON = {str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib", "scripts")} | {
    # Where an interpreter that lies elsewhere keeps its own shared library.
    str(Path(sys.base_prefix).resolve() / "lib")
}


class Place:
    """A home with a key, a policy and a configuration that speaks of registries; and a directory full of baits to work in."""

    def __init__(self, root: Path) -> None:
        self.home, self.cwd = root / "home", root / "cwd"
        self.config = self.home / ".config" / "cerro"
        for directory in (self.home, self.cwd, self.home / ".config"):
            directory.mkdir(mode=0o755)
        self.config.mkdir(mode=0o700)
        base = environment(self.config)
        pair(self.config, "alice")
        images.make("single", root / "layout")
        good = self.cwd / "good.ctp"
        tool("ct", "pack", "-q", "-k", "alice", "--name", "demo", "-o", good, f"oci:{root / 'layout'}:1.0", env=base)
        raw = bytearray(good.read_bytes())
        raw[members(raw)[-1].data] ^= 1
        (self.cwd / "damaged.ctp").write_bytes(raw)
        (self.cwd / "cut.ctp").write_bytes(raw[:3000])
        (root / "bob").mkdir(mode=0o700)
        pair(root / "bob", "bob")
        stranger = environment(root / "bob")
        tool("ct", "pack", "-q", "-k", "bob", "-o", self.cwd / "stranger.ctp", f"oci:{root / 'layout'}:1.0", env=stranger)
        policy = {"version": "1", "registries": {"allowed": ["registry.example/*"]}}
        (self.cwd / "strict.json").write_text(json.dumps(policy))
        (self.config / "config.toml").write_text('[registries]\ninsecure = ["registry.example:5000", "localhost:*"]\n')
        # What must not be read: modules beside the caller and in the user's site, and trust beside the bundle.
        site = f"python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
        for directory in (self.cwd, self.home / ".local" / "lib" / site):
            directory.mkdir(parents=True, exist_ok=True)
            for module in ("json", "sitecustomize", "usercustomize", "cerrotorre", "nacl", "getopt"):
                (directory / f"{module}.py").write_text("raise SystemExit(0)\n")
        (self.cwd / "policy.json").write_text('{"version": "1"}')
        (self.cwd / "config.toml").write_text("nonsense")
        for name in (".netrc", ".curlrc", ".profile", ".pythonrc"):
            (self.home / name).write_text("nonsense\n")
        self.env = {
            **{name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG") if name in os.environ},
            "HOME": str(self.home),
            "PYTHONPATH": str(self.cwd),
            "ENV": str(self.home / ".profile"),
            **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9"),
            "DOCKER_HOST": "tcp://127.0.0.1:9",
            "LOCALDOMAIN": "example.org",
        }


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("offline"))


# name: the status, the arguments of ct, what arrives on standard input (a bundle, through a pipe)
CASES: dict[str, tuple[int, list[str], str | None]] = {
    "good": (0, ["verify", "-v", "good.ctp"], None),
    "json": (0, ["verify", "--json", "--all", "good.ctp"], None),
    "damaged": (1, ["verify", "damaged.ctp"], None),
    "malformed": (10, ["verify", "cut.ctp"], None),
    "absent": (11, ["verify", "absent.ctp"], None),
    "stranger": (3, ["verify", "--all", "stranger.ctp"], None),
    "policy": (4, ["verify", "--policy", "strict.json", "good.ctp"], None),
    "expected": (4, ["verify", "--expect", "registry.example/demo:2.0", "good.ctp"], None),
    "several": (3, ["verify", "good.ctp", "damaged.ctp", "stranger.ctp"], None),
    "pipe": (0, ["verify", "-"], "good.ctp"),
    "pipe-damaged": (1, ["verify", "-"], "damaged.ctp"),
    "explain": (0, ["explain", "good.ctp"], None),
    "explain-json": (0, ["explain", "--json", "--policy", "strict.json", "good.ctp", "stranger.ctp"], None),
    "explain-pipe": (0, ["explain", "-"], "stranger.ctp"),
    "explain-finding": (0, ["explain", "hash-mismatch"], None),
}


def ct(place: Place, name: str, *before: object) -> Any:
    status, arguments, piped = CASES[name]
    more = {"input": (place.cwd / piped).read_bytes()} if piped else {}
    fixed = [] if name == "explain-finding" else ["--at", TIME]
    made = run(*before, BIN / "ct", arguments[0], *fixed, *arguments[1:], env=place.env, cwd=place.cwd, text=False, **more)
    assert made.returncode == status, (name, made.returncode, made.stdout, made.stderr)
    return made.returncode, made.stdout, made.stderr


@pytest.mark.parametrize("name", CASES)
def test_without_a_network(place: Place, name: str) -> None:
    """In a network namespace that has nothing in it: the same verdict, byte for byte."""
    alone = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    assert ct(place, name, *alone) == ct(place, name)


CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+|\?)")


def traced(place: Place, tmp_path: Path, status: int, *command: object, **more: Any) -> list[tuple[str, str, bool]]:
    """(system call, its arguments, whether it succeeded) of a command and everything that it starts."""
    out = tmp_path / "trace"
    options = ["-f", "-qq", "-s", "4096", "-e", TRACED, "-e", "signal=none", "-o", out]
    made = run("strace", *options, *command, cwd=place.cwd, **more)
    assert made.returncode == status, (command, made.returncode, made.stdout, made.stderr)
    calls, begun = [], {}
    for line in out.read_text().splitlines():
        process, _, text = line.partition(" ")
        text = text.strip()
        if text.endswith(" <unfinished ...>"):
            # Another's call came in between: the rest of the line stands further down.
            begun[process] = text.removesuffix(" <unfinished ...>")
            continue
        if text.startswith("<... "):
            text = begun.pop(process) + text.partition(" resumed>")[2]
        if found := CALL.match(text):
            calls.append((found[1], found[2], not found[3].startswith("-")))
    return calls + [(*text.split("(", 1), False) for text in begun.values()]


NETWORK = re.compile("socket|connect|bind|listen|accept|send|recv|getsockname|getpeername|io_uring")


def talk(calls: list[tuple[str, str, bool]]) -> list[str]:
    """What in a trace could reach anybody, however it ended: sockets of any family, a name service's daemon included."""
    return [f"{call}({arguments})" for call, arguments, _ in calls if NETWORK.search(call)]


def test_the_trace_sees_what_it_should(place: Place, tmp_path: Path) -> None:
    script = (
        "import socket; open('x'); socket.socket().connect_ex(('127.0.0.1', 9)); socket.socket(socket.AF_UNIX).connect_ex('/x')"
    )
    (place.cwd / "x").write_text("")
    calls = traced(place, tmp_path, 0, "sh", "-c", '"$@"; true', "sh", sys.executable, "-IS", "-c", script)
    said = talk(calls)
    for family in ("AF_INET,", "AF_UNIX,"):
        assert any(text.startswith("socket(" + family) for text in said), said
        assert any(text.startswith("connect(") and family in text for text in said), said
    assert any('"x"' in arguments for call, arguments, made in calls if call == "openat" and made)
    assert any(call == "execve" for call, _, _ in calls)


def paths(calls: list[tuple[str, str, bool]], cwd: Path) -> list[tuple[str, str, bool]]:
    """(path, how it is used, whether it was there) of each call that names one, absolute."""
    found = []
    for call, arguments, made in calls:
        for name in re.findall(r'"((?:[^"\\]|\\.)*)"', arguments)[:1]:
            if name:
                found.append((os.path.normpath(cwd / name), call + "(" + arguments.rpartition('"')[2], made))
    return found


def inside(path: str, *directories: object) -> bool:
    return any(path == str(top) or path.startswith(f"{top}/") for top in directories)


@pytest.mark.parametrize("name", CASES)
def test_no_socket_and_no_foreign_file(place: Place, tmp_path: Path, name: str) -> None:
    """Not one socket; nothing opened for writing; and no file but the installation's, the system's, the store's and the given."""
    status, arguments, piped = CASES[name]
    more = {"input": (place.cwd / piped).read_bytes()} if piped else {}
    calls = traced(place, tmp_path, status, BIN / "ct", *arguments, env=place.env, text=False, **more)
    tools = {Path(path).name for path, use, made in paths(calls, place.cwd) if use.startswith("execve") and made}
    assert {"ct", "ct-explain"} <= tools and (name == "explain-finding" or {"ct-open", "ct-check", "ct-policy"} <= tools)
    assert talk(calls) == []

    given = {str(place.cwd / word) for word in arguments}
    for path, use, made in paths(calls, place.cwd):
        if use.startswith("execve"):
            continue
        opened = use.startswith(("open", "creat"))
        # Whether it is there or not: neither beside the caller nor in the home is anything looked for.
        if inside(path, place.cwd) and path not in given:
            assert not opened and path == str(place.cwd), (path, use)
        if inside(path, place.home) and not inside(path, place.config):
            # A store may be reached by links, so what leads to it is looked at.
            assert not opened and inside(str(place.config), path), (path, use)
        if opened and made:
            assert not re.search("O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", use) or path in ("/dev/null", "/dev/tty"), (path, use)
            resolved = os.path.realpath(path)
            known = (*SYSTEM, *PYTHON, BUILD, place.config, *given)
            assert inside(path, *known) or inside(resolved, *known, Path(BUILD).resolve()), (path, use)


def test_the_home_is_not_looked_up(place: Place, tmp_path: Path) -> None:
    """Without $HOME a list of users would say where it is: a file, a daemon or a server. Nobody is asked."""
    env = {name: value for name, value in place.env.items() if name != "HOME"}
    calls = traced(place, tmp_path, 64, BIN / "ct", "verify", "good.ctp", env=env)
    assert talk(calls) == []
    assert not any(path in ("/etc/passwd", "/etc/nsswitch.conf") for path, _, _ in paths(calls, place.cwd))
    made = run(BIN / "ct", "verify", "good.ctp", env=env, cwd=place.cwd)
    assert made.returncode == 64 and "set HOME or CT_HOME" in made.stderr + made.stdout
    # ~/ in a configuration means $HOME as well.
    config = tmp_path / "config"
    config.mkdir(mode=0o700)
    (config / "config.toml").write_text('[defaults]\npolicy = "~/strict.json"\n')
    calls = traced(place, tmp_path, 64, BIN / "ct", "verify", "good.ctp", env=env | {"CT_HOME": str(config)})
    assert talk(calls) == []
