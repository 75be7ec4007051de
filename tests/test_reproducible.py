"""The same image, platform and SOURCE_DATE_EPOCH give the same file, byte for byte, whoever packs it, where and how.

And the same bundle, keys, policy and `--at` give the same verdict, byte for byte (spec/bundle.adoc, spec/records.adoc).
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from images import Layout, nested, platforms
from small import BIN, EPOCH, TIME, environment, members, pair, run, tool

LOCALES = sorted({"C", "C.UTF-8", *subprocess.run(["locale", "-a"], capture_output=True, text=True).stdout.split()})


class Place:
    """A key store and an image `app`, in a directory that everybody may enter."""

    def __init__(self, root: Path) -> None:
        self.root, self.home = root, root / "home"
        self.home.mkdir(mode=0o700)
        self.env = environment(self.home)
        pair(self.home, "alice")
        self.image = self.make("one", [])
        self.expected = self.pack("first", self.image)

    def make(self, parent: str, order: list[str]) -> Path:
        """The image again, its blobs written in another order."""
        directory = self.root / parent / "app"
        layout = Layout(directory)
        layout.index(layout.image(3, label="x"))
        blobs = directory / "blobs" / "sha256"
        held = {path.name: path.read_bytes() for path in blobs.iterdir()}
        for name in order or sorted(held):
            (blobs / name).unlink()
            (blobs / name).write_bytes(held[name])
        return directory

    def pack(self, name: str, image: Path | str, *before: str, cwd: Path | None = None, **env: str) -> bytes:
        path = self.root / f"{name}.ctp"
        command = [*before, BIN / "ct", "pack", "-k", "alice", "-o", path, f"oci:{image}:1.0"]
        made = run(*command, env={**self.env, **env}, cwd=cwd or self.root)
        assert made.returncode == 0, (command, made.stderr)
        return path.read_bytes()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("reproducible"))


def test_directories(place: Place) -> None:
    """Two directories of one base name, blobs laid down in two orders, absolute and relative, with a slash too many."""
    order = sorted((path.name for path in (place.image / "blobs" / "sha256").iterdir()), reverse=True)
    again = place.make("two", order)
    shutil.copytree(place.image, place.root / "three" / "app")
    assert place.pack("two", again) == place.expected
    assert place.pack("three", "three/app", cwd=place.root) == place.expected
    assert place.pack("four", "./app/", cwd=place.root / "two") == place.expected
    assert place.pack("five", f"{place.root}/one/../two//app") == place.expected


def test_file_times_and_modes(place: Place) -> None:
    copy = place.root / "old" / "app"
    shutil.copytree(place.image, copy)
    for path in [copy, *copy.rglob("*")]:
        os.utime(path, (1, 1))
        path.chmod(0o700 if path.is_dir() else 0o400)
    assert place.pack("old", copy) == place.expected


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o177])
def test_umask(place: Place, mask: int) -> None:
    # By the shell, since the mask of this process is every thread's.
    assert place.pack("umask", place.image, "sh", "-c", f'umask {mask:o}; exec "$@"', "sh") == place.expected
    path = place.root / "umask.ctp"
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    path.unlink()


@pytest.mark.parametrize("locale", LOCALES)
def test_locale(place: Place, locale: str) -> None:
    assert place.pack("locale", place.image, LC_ALL=locale, LANG=locale, LANGUAGE=locale) == place.expected


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/St_Johns", "XYZ-14", ":/etc/shadow"])
def test_time_zone(place: Place, zone: str) -> None:
    assert place.pack("zone", place.image, TZ=zone) == place.expected


@pytest.mark.parametrize("seed", ["0", "1", "4294967295", "random"])
def test_hash_seed(place: Place, seed: str) -> None:
    assert place.pack("seed", place.image, PYTHONHASHSEED=seed) == place.expected


def test_working_directory_and_environment(place: Place) -> None:
    assert place.pack("cwd", place.image, cwd=Path("/")) == place.expected
    noise = {
        "PYTHONPATH": "/nonexistent",
        "PYTHONUTF8": "0",
        "PYTHONOPTIMIZE": "2",
        "COLUMNS": "20",
        "TERM": "xterm",
        "CT_COLOR": "always",
    }
    assert place.pack("noise", place.image, HOME="/nonexistent", USER="someone", **noise) == place.expected


def test_processors_and_output(place: Place) -> None:
    """One processor or all; into a file, over one, or to standard output."""
    if shutil.which("taskset"):
        assert place.pack("taskset", place.image, "taskset", "-c", str(min(os.sched_getaffinity(0)))) == place.expected
    assert place.pack("first", place.image) == place.expected
    made = tool("ct", "pack", "-k", "alice", "-o", "-", f"oci:{place.image}:1.0", env=place.env, text=False)
    assert made.stdout == place.expected


def for_nobody(to: Path) -> Path | None:
    """A `ct` that user 65534 may run: the build's own or, where that one's Python lies in a private directory, the system's."""
    for interpreter in (None, "/usr/bin/python3"):
        made = to / "bin"
        shutil.rmtree(made, ignore_errors=True)
        shutil.copytree(BIN, made)
        if interpreter:
            if run(interpreter, "-c", "import sys; print(*sys.version_info[:2])").stdout.split() != [
                *map(str, sys.version_info[:2])
            ]:
                return None
            for path in made.glob("ct-*"):
                _, _, rest = path.read_text().partition("\n")
                path.write_text(f"#!{interpreter} -IS\n{rest}")
        # By a shell, since setpriv gives its capabilities up only with the first program.
        if run(*NOBODY, "sh", "-c", '"$0" -V; exit $?', made / "ct-explain").returncode == 0:
            return made / "ct"
    return None


NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")


def test_other_user(place: Place) -> None:
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root, with setpriv, can be another user")
    # The temporary directory of pytest is private, so this one lies beside it.
    with tempfile.TemporaryDirectory() as name:
        theirs = Path(name)
        theirs.chmod(0o755)
        shutil.copytree(place.home, theirs / "home")
        shutil.copytree(place.image, theirs / "app")
        shutil.copytree(BIN.parent / "lib", theirs / "lib")
        for path in [theirs, *theirs.rglob("*")]:
            os.chown(path, 65534, 65534)
        ct = for_nobody(theirs)
        if ct is None:
            pytest.skip("no Python here that nobody may run")
        env = {**place.env, "HOME": str(theirs / "home"), "CT_HOME": str(theirs / "home")}
        command = [*NOBODY, ct, "pack", "-k", "alice", "-o", "x.ctp", f"oci:{theirs}/app:1.0"]
        made = run(*command, env=env, cwd=theirs)
        assert made.returncode == 0, made.stderr
        assert (theirs / "x.ctp").stat().st_uid == 65534
        assert (theirs / "x.ctp").read_bytes() == place.expected


def test_another_time_is_another_signature_and_nothing_else(place: Place) -> None:
    later = place.pack("later", place.image, SOURCE_DATE_EPOCH=str(int(EPOCH) + 1))
    assert later != place.expected and len(later) == len(place.expected)
    one, two = ({member.name: member.content(raw) for member in members(raw)} for raw in (later, place.expected))
    assert [name for name in one if one[name] != two[name]] == ["attestations.jsonl"]


def test_every_kind_of_image(place: Place) -> None:
    """An index in an index, and each platform of an index, packed twice."""
    layout = Layout(place.root / "many" / "app")
    nested(layout)
    for platform in ("all", "linux/amd64", "linux/arm/v7"):
        made = [
            tool(
                "ct",
                "pack",
                "--no-sign",
                "--platform",
                platform,
                "-o",
                "-",
                f"oci:{layout.directory}:1.0",
                env={**place.env, **env},
                text=False,
            )
            for env in ({}, {"PYTHONHASHSEED": "7", "TZ": "Asia/Kathmandu", "LC_ALL": "C"})
        ]
        assert made[0].stdout == made[1].stdout
    assert len([*platforms(layout)]) == 7


def test_known_bytes(place: Place) -> None:
    """The unsigned part does not change from one release to the next: this is its digest, whatever machine packs it."""
    layout = Layout(place.root / "known" / "app")
    layers = [layout.blob(b"a layer\n", "application/vnd.oci.image.layer.v1.tar")]
    layout.index(layout.manifest(layout.config(["sha256:" + "0" * 64]), layers))
    made = tool("ct", "pack", "--no-sign", "-o", "-", f"oci:{layout.directory}:1.0", env=place.env, text=False)
    assert hashlib.sha256(made.stdout).hexdigest() == "c1fa414e87ec91a75fd0b7ce29b518627da279e0729530a026dc266fd22b58e0"


def test_verdicts(place: Place) -> None:
    """The verdict depends on nothing but the bundle, the store, the policy and --at."""
    path = place.root / "verdict.ctp"
    path.write_bytes(place.expected)
    bad = place.root / "bad.ctp"
    bad.write_bytes(place.expected[:-512])
    command = [BIN / "ct", "verify", "--json", "--all", "--at", TIME, "verdict.ctp", "bad.ctp"]
    said = set()
    for env in (
        {},
        {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONHASHSEED": "3"},
        {"SOURCE_DATE_EPOCH": "1", "CT_COLOR": "always", "LC_ALL": "C.UTF-8", "TZ": "XYZ+11"},
    ):
        made = run(*command, env={**place.env, **env}, cwd=place.root)
        assert made.returncode == 10
        said.add(made.stdout)
    assert len(said) == 1
    elsewhere = place.root / "elsewhere"
    elsewhere.mkdir()
    for name in ("verdict.ctp", "bad.ctp"):
        shutil.copy(place.root / name, elsewhere)
    assert run(*command, env=place.env, cwd=elsewhere).stdout in said


def test_the_clock_is_all_that_differs(place: Place) -> None:
    path = place.root / "clock.ctp"
    path.write_bytes(place.expected)
    one, two = (tool("ct", "verify", "--json", "--at", at, path, env=place.env).stdout for at in (TIME, "2031-01-01"))
    assert one != two and one.replace(TIME, "2031-01-01T00:00:00Z") == two
