"""`ct run` from outside: podman with runc as it is, docker and nerdctl by stand-ins that load, name and start as theirs do.

A stand-in keeps what it loaded below $STORE, and writes down the words it was given.
"""

import gzip
import hashlib
import io
import json
import os
import pty
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import images
import pytest
from conftest import program
from docs import podman_environment
from small import BIN, environment, members, pair, run, tool

# `load` reads an archive on its standard input to its end, keeps images under the id it gives them, and says so; `run` starts nothing.
STANDIN = r"""#!/usr/bin/env python3
import hashlib, io, json, os, sys, tarfile
store, kind = os.environ["STORE"], os.path.basename(sys.argv[0])
log = open(store + "/log", "a")
print(json.dumps({"words": sys.argv[1:], "stdin": os.readlink("/proc/self/fd/0"), "ct": [n for n in os.environ if n.startswith("CT_")],
                  "fds": sorted(int(n) for n in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + n))}), file=log, flush=True)
if sys.argv[1] == "load":
    data = sys.stdin.buffer.read()
    open(store + "/got", "wb").write(data)
    try:
        archive = tarfile.open(fileobj=io.BytesIO(data))
        names = archive.getnames()
        index = json.load(archive.extractfile("index.json"))
        docker = json.load(archive.extractfile("manifest.json"))
    except Exception as error:
        sys.exit("no image: %s" % error)
    (found,) = index["manifests"]
    name = found.get("annotations", {}).get("io.containerd.image.name")
    said = os.environ.get("SAYS")
    if kind == "nerdctl":
        assert name and docker[0]["RepoTags"] == [name], (name, docker)
        open(store + "/" + hashlib.sha256(name.encode()).hexdigest(), "w").write(said or found["digest"])
        print("unpacking %s (%s)...done\nLoaded image: %s" % (name, found["digest"], name))
    else:
        assert name is None and docker[0]["RepoTags"] is None and "annotations" not in found
        config = "sha256:" + docker[0]["Config"].rpartition("/")[2]
        print("Loaded image ID: " + (said or (found["digest"] if os.environ.get("CONTAINERD") else config)))
    sys.exit(int(os.environ.get("LOADS", "0")))
if sys.argv[1:3] == ["image", "inspect"]:
    print(open(store + "/" + hashlib.sha256(sys.argv[-1].encode()).hexdigest()).read())
elif sys.argv[1] == "run":
    print("started")
    sys.exit(int(os.environ.get("ENDS", "0")))
"""


class World:
    """A bundle with busybox in it, signed by a trusted key, and stand-ins for docker and nerdctl."""

    def __init__(self, home: Path) -> None:
        self.home, self.store = home, home / "store"
        self.store.mkdir()
        (home / "programs").mkdir()
        for name in ("docker", "nerdctl"):
            (home / "programs" / name).write_text(STANDIN)
            (home / "programs" / name).chmod(0o755)
        path = f"{home / 'programs'}:{os.environ['PATH']}"
        self.env = environment(home) | {"PATH": path, "STORE": str(self.store)}
        pair(home, "k")
        self.config, self.manifest = busybox(home / "image")
        self.bundle = home / "app.ctp"
        tool("ct", "pack", f"oci:{home / 'image'}:1.0", "-q", "-o", self.bundle, env=self.env)

    def __call__(self, *words: object, status: int | None = 0, **env: str) -> subprocess.CompletedProcess[Any]:
        for path in self.store.iterdir():
            path.unlink()
        return tool("ct", "run", *words, env=self.env | env, status=status, cwd=self.home)

    def log(self) -> list[dict[str, Any]]:
        path = self.store / "log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def started(self) -> list[list[str]]:
        return [call["words"] for call in self.log() if call["words"][0] == "run"]


def busybox(directory: Path) -> tuple[str, str]:
    """An image of the host's busybox: the digests of its config and its manifest."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        data = Path(program("busybox")).read_bytes()
        member = tarfile.TarInfo("bin/busybox")
        member.size, member.mode = len(data), 0o755
        archive.addfile(member, io.BytesIO(data))
        for name in ("sh", "cat", "echo", "ls", "env", "tty"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    to = images.Layout(directory)
    layer = to.blob(gzip.compress(made.getvalue(), 1, mtime=0), images.GZIP)
    config = to.config(["sha256:" + hashlib.sha256(made.getvalue()).hexdigest()], config={"Cmd": ["/bin/echo", "by itself"]})
    manifest = to.manifest(config, [layer])
    to.index(manifest)
    return config["digest"], manifest["digest"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("run"))


def store(directory: Path) -> dict[str, str]:
    """A podman store below the directory."""
    program("podman"), program("runc")
    return podman_environment(directory)


@pytest.fixture(scope="module")
def podman(world: World) -> dict[str, str]:
    return store(world.home / "podman")


ALONE = ("--rm", "--network=none")


# -- podman ------------------------------------------------------------------------------------------------------------------


def test_podman_runs_it_and_the_status_comes_back(world: World, podman: dict[str, str]) -> None:
    assert world("app.ctp", "--", *ALONE, **podman).stdout == "by itself\n"
    made = world("app.ctp", "--", *ALONE, "-e", "A=b", "--", "sh", "-c", "env; echo err >&2; exit 2", status=2, **podman)
    assert "A=b\n" in made.stdout and "CT_" not in made.stdout and made.stderr == "err\n"
    piped = run(BIN / "ct", "run", world.bundle, "--", "-i", *ALONE, "--", "cat", env=world.env | podman, input="through\n")
    assert (piped.returncode, piped.stdout) == (0, "through\n")


def test_podmans_names_stay_as_they_are(world: World, podman: dict[str, str]) -> None:
    env = world.env | podman
    # The same image under a name, and another one under the name that the bundle would have it have.
    run("podman", "load", "-q", "-i", world.bundle, env=env)
    (name,) = json.loads(run("podman", "images", "--format=json", env=env).stdout)[0]["Names"]
    before = run("podman", "images", "-a", "--no-trunc", env=env).stdout
    assert name in ("localhost/image:1.0", "localhost/app:1.0") and world.config in before
    world("app.ctp", "--", *ALONE, **podman)
    assert run("podman", "images", "-a", "--no-trunc", env=env).stdout == before


def test_a_terminal_is_the_containers(world: World, podman: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    words = [BIN / "ct", "run", world.bundle, "--", "-it", *ALONE, "--", "sh", "-c", "read line; tty; echo got $line; exit 5"]
    with subprocess.Popen(
        words, stdin=theirs, stdout=theirs, stderr=theirs, env=world.env | podman, start_new_session=True
    ) as child:
        os.close(theirs)
        os.write(ours, b"typed\n")
        said = b""
        try:
            while part := os.read(ours, 4096):
                said += part
        except OSError:
            pass
        assert child.wait(60) == 5, said
    os.close(ours)
    assert b"got typed" in said and b"/dev/" in said


def test_ct_is_the_runtime_once_it_runs(world: World, podman: dict[str, str]) -> None:
    # The process that was started gets the signal, and its status is the container's answer.
    script = 'trap "exit 9" TERM; echo up; while :; do read -t 1 x; done'
    words = [BIN / "ct", "run", world.bundle, "--", "-i", *ALONE, "--", "sh", "-c", script]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=world.env | podman) as child:
        assert child.stdout and child.stdout.readline() == b"up\n"
        assert os.path.basename(os.readlink(f"/proc/{child.pid}/exe")) == "podman"
        child.terminate()
        assert child.wait(60) == 9


# -- what must not run -------------------------------------------------------------------------------------------------------


def flipped(world: World, name: str) -> Path:
    """The bundle with a bit of its largest blob changed."""
    raw = bytearray(world.bundle.read_bytes())
    largest = max(members(bytes(raw)), key=lambda member: member.size)
    raw[largest.data + largest.size - 9] ^= 1
    path = world.home / name
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("unverified", [(), ("--no-verify",)])
def test_damage_never_reaches_the_end_of_the_archive(world: World, unverified: tuple[str, ...]) -> None:
    made = world("--runtime=docker", *unverified, flipped(world, "flipped.ctp"), status=1)
    assert "hash mismatch" in made.stderr and world.started() == []
    got = (world.store / "got").read_bytes()
    assert got and b"index.json" not in got and b"manifest.json" not in got


def test_damage_is_not_in_podmans_store(world: World, podman: dict[str, str]) -> None:
    own = store(world.home / "other")
    world(flipped(world, "flipped.ctp"), "--", *ALONE, status=1, **own)
    assert json.loads(run("podman", "images", "-a", "--format=json", env=world.env | own).stdout) == []


def test_an_untrusted_bundle_gives_the_runtime_nothing(world: World, tmp_path: Path) -> None:
    stranger = {"CT_HOME": str(tmp_path)}
    made = world("--runtime=docker", world.bundle, status=3, **stranger)
    assert "Not started: " in made.stderr and world.started() == [] and (world.store / "got").read_bytes() == b""
    made = world("--runtime=docker", "--no-verify", world.bundle, CT_COLOR="always", **stranger)
    assert made.stdout == "started\n" and "\x1b[31mapp.ctp is not verified" in made.stderr.replace(f"{world.home}/", "")
    assert world("--runtime=docker", "--expect=other", world.bundle, status=4).stdout == ""


def test_a_runtime_that_has_another_image_starts_nothing(world: World) -> None:
    other = f"sha256:{'0' * 64}"
    for runtime in ("docker", "nerdctl"):
        made = world(f"--runtime={runtime}", world.bundle, status=11, SAYS=other)
        assert other in made.stderr and "does not have the image" in made.stderr and world.started() == []
    assert "status 3" in world("--runtime=docker", world.bundle, status=11, LOADS="3").stderr
    assert world.started() == []


def test_a_missing_runtime_has_no_substitute(world: World, tmp_path: Path) -> None:
    for name in ("sh", "python3", "env", "sed", "cat", "readlink", "podman"):
        (tmp_path / name).symlink_to(program(name))
    made = world("--runtime=nerdctl", world.bundle, status=69, PATH=str(tmp_path))
    assert "nerdctl is not installed" in made.stderr
    # What lies in the working directory is nobody's runtime.
    os.chdir(world.home)
    assert world("--runtime=docker", world.bundle, status=69, PATH=f"programs:{tmp_path}").stdout == ""
    world("--runtime=runc", world.bundle, status=64)


# -- what the runtimes get ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words,expected", [
    ([], []),
    (["--", "--rm"], ["--rm"]),
    (["--", "-it", "-v", "/a:/b", "--name=x", "--", "sh", "-c", "a\nb", "--", ""], ["-it", "-v", "/a:/b", "--name=x"]),
    (["--", "--", "true", "*"], []),
])  # fmt: skip
def test_words_go_where_they_belong(world: World, words: list[str], expected: list[str]) -> None:
    command = words[words.index("--", 1) + 1 :] if words.count("--") > 1 else []
    whole = ["run", "--pull=never", *expected, "--pull=never"]
    assert world("--runtime=docker", world.bundle, *words, status=6, ENDS="6").stdout == "started\n"
    assert world.started() == [[*whole, world.config, *command]]
    assert world("--runtime=docker", world.bundle, *words, CONTAINERD="1").stdout == "started\n"
    assert world.started() == [[*whole, world.manifest, *command]]
    assert world("--runtime=nerdctl", world.bundle, *words).stdout == "started\n"
    assert world.started() == [[*whole, f"ct.local/{world.manifest[7:]}:latest", *command]]


@pytest.mark.parametrize("words", [
    ["sh"], ["-it", "sh"], ["-e"], ["--rm", ""], ["-"], ["--pull=always"], ["--pull", "always"], ["--rootfs"], ["-itZ"], ["-e", "a", "b"],
    # podman takes --name for the value of the first, and then what follows for the image.
    ["--health-on-failure", "--name", "other"], ["--arch", "--name", "other"], ["--net", "--name", "other"], ["--no-such"],
    # podman and nerdctl would look for the image in another place than they loaded it into.
    ["--root=/other"], ["--storage-driver=vfs"], ["--namespace=other"],
])  # fmt: skip
def test_no_word_passes_for_the_image(world: World, words: list[str]) -> None:
    made = world("--runtime=docker", world.bundle, "--", *words, status=64)
    assert "ct-run: error: " in made.stderr and world.log() == []


def test_what_is_known_of_options_is_so(world: World, podman: dict[str, str]) -> None:
    said = run("podman", "run", "--help", env=world.env | podman).stdout
    takes = {name: bool(value) for name, value in re.findall(r"^ +(?:-\w, )? *--([a-z0-9-]+)(?: (\S+))?  ", said, re.M)}
    assert takes.pop("network") and not takes["rm"]
    for name, valued in takes.items():
        if name in {"pull", "rootfs", "help"}:
            continue
        made = tool("ct-run", "--runtime=docker", "--", f"--{name}", env=world.env, status=None, input="")
        # Without a value, it is only a pipeline without records that is missed.
        assert (made.returncode == 64) is valued, (name, made.stderr)


def test_nothing_of_ct_is_left_to_the_runtime(world: World) -> None:
    world("--runtime=docker", world.bundle, CT_TRACE="1")
    for call in world.log():
        # 3 is the stand-in's log, and 4 what lists the descriptors.
        assert call["ct"] == [] and set(call["fds"]) <= {0, 1, 2, 3, 4}, call


def test_the_filter_becomes_the_runtime_too(world: World) -> None:
    record = run(BIN / "ct-open", world.bundle, env=world.env).stdout
    words = ["--runtime=docker", "--no-verify", "--", "--rm", "--", "sh"]
    made = tool("ct-run", *words, env=world.env | {"ENDS": "4"}, input=record, status=4)
    assert made.stdout == "started\n" and world.started()[-1] == [
        "run",
        "--pull=never",
        "--rm",
        "--pull=never",
        world.config,
        "sh",
    ]
    assert "not verified" in made.stderr
    # Nobody said that it passed anything but its structure.
    tool("ct-run", "--runtime=docker", env=world.env, input=record, status=70)


def test_of_several_platforms_the_hosts_is_loaded(world: World) -> None:
    images.KINDS["multi"](images.Layout(world.home / "multi"))
    tool("ct", "pack", "--platform=all", f"oci:{world.home / 'multi'}", "-q", "-o", world.home / "multi.ctp", env=world.env)
    if os.uname().machine != "x86_64":
        return
    world("--runtime=docker", "multi.ctp", "--", "--platform=linux/arm64")
    with tarfile.open(world.store / "got") as archive:
        (docker,) = json.load(archive.extractfile("manifest.json") or io.BytesIO())
        config = json.load(archive.extractfile(docker["Config"]) or io.BytesIO())
    assert config["architecture"] == "amd64" and world.started()[0][-1] == "sha256:" + docker["Config"].rpartition("/")[2]


def test_a_decision_is_kept_before_anything_starts(world: World) -> None:
    log = world.home / "log"
    world("--runtime=docker", "--record", log, world.bundle)
    world("--runtime=docker", "--record", log, flipped(world, "flipped.ctp"), status=1)
    kept = [json.loads(path.read_text()) for path in sorted((log / "decisions").iterdir())]
    assert [(one["by"], one["status"]) for one in kept] == [("run", 0), ("run", 1)]
    tool("ct", "audit", log, env=world.env)
    (world.home / "file").write_text("")
    world("--runtime=docker", "--record", "file", world.bundle, status=11)
    assert world.started() == []


def test_the_runtime_may_be_configured(world: World) -> None:
    (world.home / "config.toml").write_text('[defaults]\nruntime = "docker"\n')
    try:
        assert world(world.bundle).stdout == "started\n"
    finally:
        (world.home / "config.toml").unlink()
