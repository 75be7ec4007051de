"""ct unpack as people run it: three forms, whole or not at all, what is refused, and what others make of what is written."""

import io
import json
import os
import tarfile
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import images
import pytest
from cerrotorre import bundle, errors, records, unpacking
from small import environment, members, pair, rebuilt, run, tool

TRUST = {"manifest.toml", "summary.json", "attestations.jsonl"}
FORMS = ("oci", "docker", "rootfs")


class World(NamedTuple):
    directory: Path
    env: dict[str, str]

    def __call__(self, *words: object, status: int = 0) -> str:
        made = tool("ct", "unpack", *words, env=self.env, status=status, cwd=self.directory)
        return str(made.stdout + made.stderr)

    def there(self) -> set[str]:
        return {path.name for path in self.directory.iterdir()}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("unpack")
    (root / "home").mkdir(mode=0o700)
    env = environment(root / "home")
    pair(root / "home", "alice")
    for name in ("single", "multi", "zstd-layers"):
        images.make(name, root / name)
        options = ["--platform", "all"] if name == "multi" else []
        tool("ct", "pack", *options, "-o", root / f"{name}.ctp", f"oci:{root / name}", env=env)
    return World(root, env)


@pytest.fixture
def world(store: World, tmp_path: Path) -> World:
    for path in store.directory.glob("*.ctp"):
        (tmp_path / path.name).symlink_to(path)
    return World(tmp_path, store.env)


def options(form: str) -> list[str]:
    return ["--rootfs"] if form == "rootfs" else [f"--format={form}"]


def files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def content(bundle: Path) -> dict[str, bytes]:
    raw = bundle.read_bytes()
    return {member.name: member.content(raw) for member in members(raw) if not member.name.endswith("/")}


@pytest.mark.parametrize("name", ["single", "multi", "zstd-layers"])
def test_a_layout_has_the_bundles_members(world: World, name: str) -> None:
    assert f"Unpacked {name}.ctp" in world(f"{name}.ctp")
    expected = content(world.directory / f"{name}.ctp")
    expected.pop("manifest.json", None)
    assert files(world.directory / name) == expected
    assert run("skopeo", "inspect", "--raw", f"oci:{world.directory / name}", env=world.env).returncode == 0
    again = world.directory / "again.ctp"
    tool(
        "ct",
        "pack",
        "-o",
        again,
        f"oci:{world.directory / name}",
        *(["--platform=all"] if name == "multi" else []),
        env=world.env,
    )
    assert {n for n in content(again) if n.startswith("blobs")} == {n for n in expected if n.startswith("blobs")}


def test_a_docker_archive(world: World) -> None:
    world("--format=docker", "single.ctp")
    with tarfile.open(world.directory / "single.tar") as made:
        (image,) = json.load(made.extractfile("manifest.json"))  # type: ignore[arg-type]
        assert {"manifest.json", image["Config"], *image["Layers"]} <= set(made.getnames())
    assert image["RepoTags"] == ["localhost/single:1.0"]
    beside = content(world.directory / "single.ctp")
    assert files(world.directory / "single.tar.cerro") == {name: beside[name] for name in TRUST}
    said = run("skopeo", "inspect", "--config", f"docker-archive:{world.directory / 'single.tar'}", env=world.env)
    assert said.returncode == 0, said.stderr
    # Spelled anew by skopeo, which leaves out what is empty.
    assert json.loads(said.stdout)["rootfs"] == json.loads(beside[image["Config"]])["rootfs"]


def test_of_several_platforms_one(world: World) -> None:
    world("--format=docker", "--platform=linux/arm64", "multi.ctp")
    said = run("skopeo", "inspect", "--config", f"docker-archive:{world.directory / 'multi.tar'}", env=world.env)
    assert json.loads(said.stdout)["architecture"] == "arm64"
    assert "no image for linux/mips64" in world("--rootfs", "--platform=linux/mips64", "-o", "none", "multi.ctp", status=10)
    assert "none" not in world.there() and "none.cerro" not in world.there()


def test_a_kind_of_layer_that_such_archives_do_not_have(world: World) -> None:
    before = world.there()
    assert "--format=oci" in world("--format=docker", "zstd-layers.ctp", status=10)
    assert world.there() == before


def test_the_root_file_system(world: World) -> None:
    said = json.loads(world("--rootfs", "--json", "-o", "root", "single.ctp"))
    assert (said["action"], said["format"], said["path"], said["trust"]) == ("unpacked", "rootfs", "root", "root.cerro")
    expected: dict[str, bytes] = {}
    for layer in tomllib.loads(content(world.directory / "single.ctp")["manifest.toml"].decode())["image"]["layers"]:
        data = content(world.directory / "single.ctp")["blobs/" + layer.replace(":", "/")]
        with tarfile.open(fileobj=io.BytesIO(data)) as made:
            expected |= {one.name: made.extractfile(one).read() for one in made if one.isfile()}  # type: ignore[union-attr]
    assert files(world.directory / "root") == expected != {}
    assert {path.name for path in (world.directory / "root.cerro").iterdir()} == TRUST


@pytest.mark.parametrize("form", FORMS)
def test_nothing_that_is_there_is_touched(world: World, form: str) -> None:
    (world.directory / "out").mkdir()
    assert "is something else" in world(*options(form), "-o", "out", "single.ctp", status=11)
    assert list((world.directory / "out").iterdir()) == []
    (world.directory / "dangling").symlink_to("nowhere")
    world(*options(form), "-o", "dangling", "single.ctp", status=11)
    if form != "oci":
        (world.directory / "new.cerro").mkdir()
        world(*options(form), "-o", "new", "single.ctp", status=11)
    assert "nowhere" not in world.there() and "new" not in world.there()


@pytest.mark.parametrize("form", FORMS)
def test_what_appears_at_the_last_moment_is_not_touched(world: World, form: str) -> None:
    path = world.directory / "out"
    bundle.open_bundle(record := records.new("single.ctp"), str(world.directory / "single.ctp"))

    def approve() -> bool:
        path.write_text("another's")
        return True

    with pytest.raises(errors.Fail, match="out"):
        unpacking.unpack(record, form, str(path), None, approve, None)
    assert path.read_text() == "another's" and {name for name in world.there() if "out" in name} == {"out"}


def flipped(raw: bytes, name: str) -> bytes:
    member = next(one for one in members(raw) if one.name.startswith(name))
    at = member.data + member.size // 2
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


@pytest.mark.parametrize("form", FORMS)
def test_what_is_damaged_is_not_let_out(world: World, form: str) -> None:
    raw = (world.directory / "single.ctp").read_bytes()
    last = members(raw)[-1].name
    cases: dict[str, tuple[bytes, int]] = {
        "blob": (flipped(raw, last), 1),
        "derived": (flipped(raw, "index.json"), 1),
        "document": (flipped(raw, members(raw)[-3].name), 1),
        "unsigned": (rebuilt(raw, {"attestations.jsonl": b""}), 2),
        "signature": (flipped(raw, "attestations.jsonl"), -1),
        "short": (raw[:-1024], 10),
    }
    before = world.there() | {f"{name}.ctp" for name in cases}
    for name, (data, status) in cases.items():
        (world.directory / f"{name}.ctp").write_bytes(data)
        made = tool("ct", "unpack", *options(form), "-o", "out", f"{name}.ctp", env=world.env, status=None, cwd=world.directory)
        assert made.returncode in ((status,) if status > 0 else (2, 10)), (name, made.stderr)
        assert world.there() <= before


def test_who_is_not_trusted_is_not_let_out(world: World) -> None:
    home = world.directory / "stranger"
    home.mkdir(mode=0o700)
    made = tool("ct", "unpack", "single.ctp", env=environment(home), status=3, cwd=world.directory)
    assert "signed by nobody you know" in made.stderr and "single" not in world.there()
    assert "not the bundle" in world("--expect=other", "single.ctp", status=4)


def test_decisions_are_kept(world: World) -> None:
    world("--record=log", "single.ctp")
    world("--record=log", "--expect=other", "-o", "second", "single.ctp", status=4)
    said = tool("ct", "audit", "--json", "log", env=world.env, cwd=world.directory).stdout
    told: list[Any] = [json.loads(line) for line in said.splitlines()]
    assert [one["by"] for one in told if "by" in one] == ["unpack", "unpack"]
    (world.directory / "file").write_text("")
    world("--record=file", "-o", "third", "single.ctp", status=11)
    assert "third" not in world.there()


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_modes_by_the_umask(world: World, mask: int) -> None:
    before = os.umask(mask)
    try:
        world("-o", "out", "single.ctp")
        world("--format=docker", "-o", "out.tar", "single.ctp")
    finally:
        os.umask(before)
    for path in ("out", "out/blobs/sha256", "out.tar.cerro"):
        assert (world.directory / path).stat().st_mode & 0o777 == 0o777 & ~mask
    for path in ("out/index.json", "out.tar", "out.tar.cerro/summary.json"):
        assert (world.directory / path).stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "FILE is needed"),
        (["-"], "saved to a file"),
        (["a.ctp", "b.ctp"], "one bundle at a time"),
        (["--format=tar", "single.ctp"], "neither oci nor docker"),
        (["--format=docker", "--rootfs", "-o", "x", "single.ctp"], "excludes"),
        (["--platform=linux/arm64", "single.ctp"], "--platform"),
        (["--rootfs", "--platform=all", "-o", "x", "single.ctp"], "one platform"),
        (["-o", "-", "single.ctp"], "-o PATH"),
        (["single"], "-o PATH is needed"),
    ],
    ids=str,
)
def test_usage(world: World, words: list[str], said: str) -> None:
    assert said in world(*words, status=64)
