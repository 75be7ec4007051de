"""Every source of images for ct pack, each made by the program that makes it for people: skopeo, umoci, buildah, a Docker daemon."""

import gzip
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

import images
import pytest
from conftest import BUILD, program
from processes import await_, end, gone

CT = BUILD.resolve() / "bin" / "ct"
EPOCH = {"SOURCE_DATE_EPOCH": "1700000000"}
REFERENCE = "localhost/team/app:1.5"


class World:
    """A directory with an empty home and a key, and what runs there."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.env = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(directory / "home"),
            "CT_HOME": str(directory / "home" / "ct"),
            "LC_ALL": "C.UTF-8",
        }
        (directory / "home" / "ct").mkdir(parents=True, mode=0o700)
        self.ct("keygen", "--no-password", "--id", "packer")

    def ct(self, *words, status=0, **env):
        made = subprocess.run(
            [CT, *words], cwd=self.directory, env=self.env | env, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        assert made.returncode == status, made.stdout + made.stderr
        return made

    def run(self, *words, **env):
        subprocess.run(words, cwd=self.directory, env=self.env | env, check=True, capture_output=True)

    def pack(self, image, *options, status=0, output="x.ctp", **env):
        """The manifest of what was packed, or, of a refusal, what was said."""
        made = self.ct("pack", *options, "-o", output, image, status=status, **env)
        return made.stderr if status else self.manifest(output)

    def manifest(self, bundle="x.ctp"):
        self.ct("verify", bundle)
        return json.loads(self.ct("explain", "--json", bundle).stdout)["manifest"]

    def left(self):
        return sorted(path.name for path in self.directory.iterdir() if path.name.startswith(".") or path.name == "x.ctp")

    def image(self, kind, name=None):
        """(an image of images.py in a layout, the digest of what its index.json names first)."""
        images.make(kind, self.directory / (name or kind))
        return json.loads((self.directory / (name or kind) / "index.json").read_text())["manifests"][0]["digest"]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def archive(directory, path, change=lambda member: member, more=()):
    """A tar of a layout, of plain members."""
    with tarfile.open(path, "w") as made:
        for name in sorted(found for found in directory.rglob("*") if found.is_file()):
            member = made.gettarinfo(name, str(name.relative_to(directory)))
            member = change(member)
            if member:
                made.addfile(member, io.BytesIO(name.read_bytes()) if member.isreg() else None)
        for member, data in more:
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))


# -- OCI archives and skopeo's directories: read where they lie --------------------------------------------------------------


def test_a_bundle_is_an_archive(world):
    digest = world.image("labelled", "app")
    world.pack("oci:app", output="app.ctp")
    made = world.pack("oci-archive:app.ctp")
    assert made["image_digest"] == digest
    assert made["provenance"] == {"source": "oci-archive:app.ctp:1.0"}
    assert (made["name"], made["version"]) == ("app", "1.0")


@pytest.mark.parametrize("kind", ["multi", "buildkit", "nested"])
def test_an_index_in_a_bundle(world, kind):
    digest = world.image(kind, "app")
    world.pack("oci:app", "--platform", "all", output="all.ctp")
    assert world.pack("oci-archive:all.ctp", "--platform", "all")["image_digest"] == digest
    one = world.pack("oci-archive:all.ctp", "--platform", "arm64")
    assert one["image"]["platforms"] == ["linux/arm64"]
    assert one["provenance"] == {"source": "oci-archive:all.ctp:1.0", "index_digest": digest}
    assert one["image_digest"] == world.pack("oci:app", "--platform", "linux/arm64", output="y.ctp")["image_digest"]


def test_an_archive_of_skopeo(world):
    digest = world.image("single")
    world.run("skopeo", "copy", "-q", "--preserve-digests", "oci:single", f"oci-archive:Hello.tar:{REFERENCE}")
    for image in ("oci-archive:Hello.tar", f"oci-archive:Hello.tar:{REFERENCE}", f"oci-archive:{world.directory}/Hello.tar"):
        made = world.pack(image)
        assert made["image_digest"] == digest
        assert made["provenance"] == {"source": f"oci-archive:Hello.tar:{REFERENCE}"}
        assert (made["name"], made["version"]) == ("app", "1.5")
    assert REFERENCE in world.pack("oci-archive:Hello.tar:2.0", status=10)
    packed = gzip.compress((world.directory / "Hello.tar").read_bytes())
    (world.directory / "Hello.tar.gz").write_bytes(packed)
    assert world.pack("oci-archive:Hello.tar.gz")["image_digest"] == digest
    (world.directory / "cut.tgz").write_bytes(packed[:-100])
    assert "damaged gzip" in world.pack("oci-archive:cut.tgz", status=11)
    assert world.left() == ["x.ctp"]


def test_several_images_in_an_archive(world):
    world.image("two-tags")
    archive(world.directory / "two-tags", world.directory / "two.tar")
    assert "again, one, two" in world.pack("oci-archive:two.tar", status=10)
    assert world.pack("oci-archive:two.tar:two")["provenance"] == {"source": "oci-archive:two.tar:two"}


def test_a_layout_of_umoci(world):
    program("umoci")
    (world.directory / "file").write_text("hello\n")
    for words in (
        ("init", "--layout", "made"),
        ("new", "--image", "made:1"),
        ("insert", "--image", "made:1", "file", "/file"),
        ("config", "--image", "made:1", "--config.cmd", "/file"),
    ):
        world.run("umoci", *words)
    digest = json.loads((world.directory / "made" / "index.json").read_text())["manifests"][0]["digest"]
    archive(world.directory / "made", world.directory / "made.tar")
    world.run("skopeo", "copy", "-q", "--preserve-digests", "oci:made:1", "dir:made.dir")
    for image in ("oci:made:1", "oci-archive:made.tar", "dir:made.dir"):
        assert world.pack(image)["image_digest"] == digest


@pytest.mark.parametrize("kind", ["labelled", "docker", "zstd-layers", "multi", "buildkit"])
def test_a_directory_of_skopeo(world, kind):
    digest = world.image(kind)
    world.run("skopeo", "copy", "-q", "--all", "--preserve-digests", f"oci:{kind}", "dir:App")
    made = world.pack("dir:App", "--platform", "all")
    assert made["image_digest"] == digest
    assert made["provenance"] == {"source": "dir:App"}
    assert (made["name"], made["version"]) == ("app", digest[7:19])
    if kind in ("multi", "buildkit"):
        made = world.pack("dir:App", "--platform", "linux/arm/v7")
        assert made["image"]["platforms"] == ["linux/arm/v7"] and made["provenance"]["index_digest"] == digest
    world.pack("dir:nothing", status=11)


HOSTILE = {
    "a member twice": lambda world: archive(
        world.directory / "single", world.directory / "h.tar", more=[(tarfile.TarInfo("index.json"), b"{}")]
    ),
    "twice, once with ./": lambda world: archive(
        world.directory / "single", world.directory / "h.tar", more=[(tarfile.TarInfo("./index.json"), b"{}")]
    ),
    "a link": lambda world: archive(world.directory / "single", world.directory / "h.tar", change=link_index),
    "not a tar": lambda world: (world.directory / "h.tar").write_bytes(b"x" * 4096),
    "nothing": lambda world: (world.directory / "h.tar").write_bytes(b""),
    "cut inside a member": lambda world: cut(world, 700),
    "cut inside a header": lambda world: cut(world, 100),
    "junk for a header": lambda world: replace(world, b"J" * 512),
    "a header of gigabytes": lambda world: replace(world, long_header()),
    "members without end": lambda world: (world.directory / "h.tar").write_bytes(
        tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT) * 70_000 + bytes(1024)
    ),
}


def link_index(member):
    if member.name == "index.json":
        member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0
    return member


def cut(world, length):
    archive(world.directory / "single", world.directory / "h.tar")
    (world.directory / "h.tar").write_bytes((world.directory / "h.tar").read_bytes()[:length])


def replace(world, block):
    """Put a block where the second member's header is."""
    archive(world.directory / "single", world.directory / "h.tar")
    data = (world.directory / "h.tar").read_bytes()
    (world.directory / "h.tar").write_bytes(data[:1024] + block + data[1536:])


def long_header():
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.XHDTYPE, 7 << 30
    return member.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize("how", HOSTILE)
def test_hostile_archives(world, how):
    world.image("single")
    HOSTILE[how](world)
    begun = time.monotonic()
    said = world.pack("oci-archive:h.tar", status=10)
    assert "Not packed" in said and "internal" not in said
    assert time.monotonic() - begun < 5
    assert world.left() == []


def test_a_blob_that_is_not_its_digest(world):
    world.image("bad-layer")
    archive(world.directory / "bad-layer", world.directory / "h.tar")
    world.pack("oci-archive:h.tar", status=1)
    assert world.left() == []


# -- Docker archives ---------------------------------------------------------------------------------------------------------


def docker_archive(world, kind="single", reference=REFERENCE, path="App.tar"):
    if not (world.directory / kind).exists():
        world.image(kind)
    world.run("skopeo", "copy", "-q", f"oci:{kind}", f"docker-archive:{path}:{reference}")


def test_a_docker_archive(world):
    docker_archive(world)
    made = world.pack("docker-archive:App.tar", output="1.ctp", **EPOCH)
    assert made["provenance"] == {"source": "docker-archive:App.tar"}
    assert (made["name"], made["version"]) == ("app", "1.5")
    # The config is the image's own, and a plain tar is called one.
    with tarfile.open(world.directory / "App.tar") as tar:
        config = json.load(tar.extractfile("manifest.json"))[0]["Config"]
    assert made["image"]["config"] == "sha256:" + config.removesuffix(".json")
    assert {entry["media_type"] for entry in made["content"] if entry["role"] == "layer"} == {
        "application/vnd.docker.image.rootfs.diff.tar"
    }
    world.pack("docker-archive:App.tar", output="2.ctp", **EPOCH)
    assert (world.directory / "1.ctp").read_bytes() == (world.directory / "2.ctp").read_bytes()
    (world.directory / "App.tar.gz").write_bytes(gzip.compress((world.directory / "App.tar").read_bytes()))
    for image in (f"docker-archive:App.tar:{REFERENCE}", "docker-archive:App.tar:@0", "docker-archive:App.tar.gz"):
        assert world.pack(image)["image_digest"] == made["image_digest"]
    # It is an image again to others.
    world.run("skopeo", "copy", "-q", "--preserve-digests", "oci-archive:1.ctp", "dir:again")
    world.run("skopeo", "copy", "-q", "docker-archive:1.ctp", "dir:docker")


def test_several_images_in_a_docker_archive(world):
    """Two images and three names, as `docker save one two` writes them."""
    world.image("single")
    world.image("labelled")
    for kind in ("single", "labelled"):
        docker_archive(world, kind, f"localhost/{kind}:1", f"{kind}.tar")
    members = {}
    items = []
    for kind in ("single", "labelled"):
        with tarfile.open(world.directory / f"{kind}.tar") as tar:
            items += json.load(tar.extractfile("manifest.json"))
            members |= {member.name: tar.extractfile(member).read() for member in tar.getmembers() if member.isreg()}
    items[0]["RepoTags"].append("localhost/single:latest")
    members["manifest.json"] = json.dumps(items).encode()
    with tarfile.open(world.directory / "two.tar", "w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    said = world.pack("docker-archive:two.tar", status=10)
    assert "localhost/single:1, localhost/single:latest, localhost/labelled:1" in said
    one = world.pack("docker-archive:two.tar:localhost/single:1")
    assert one["provenance"] == {"source": "docker-archive:two.tar:localhost/single:1"}
    # The number stands for the image, and for no name of it.
    assert world.pack("docker-archive:two.tar:@0", "--name", "x")["image_digest"] == one["image_digest"]
    other = world.pack("docker-archive:two.tar:@1", "--name", "x")
    assert other["image_digest"] != one["image_digest"] and other["provenance"] == {"source": "docker-archive:two.tar:@1"}
    assert "localhost/labelled:1" in world.pack("docker-archive:two.tar:localhost/other:1", status=10)
    world.pack("docker-archive:two.tar:@7", status=11)
    world.pack("docker-archive:two.tar:UPPER", status=64)
    assert world.left() == ["x.ctp"]


def test_odd_paths(world):
    docker_archive(world)
    there = world.directory / "-dash @ sign"
    there.mkdir()
    for name in ("-x.tar", "a@b.tar"):
        shutil.copy(world.directory / "App.tar", there / name)
        world.pack(f"docker-archive:{there.name}/{name}")
        made = subprocess.run(
            [CT, "pack", "--no-sign", "-o", "o.ctp", f"docker-archive:{name}"], cwd=there, env=world.env, capture_output=True
        )
        assert made.returncode == 0, made.stderr
        assert sorted(os.listdir(there)) == sorted({"-x.tar", "a@b.tar", "o.ctp"} & set(os.listdir(there)))
    # A colon in a path is never read past in silence, whether or not there is something at the shorter path.
    for name in ("a:b.tar", "App.tar:1.0"):
        shutil.copy(world.directory / "App.tar", world.directory / name)
        for transport in ("docker-archive", "oci-archive", "oci"):
            assert "first colon" in world.pack(f"{transport}:{name}", status=64)
    # A directory on the way with a colon: relative to it there is none.
    colon = world.directory / "c:d"
    colon.mkdir()
    shutil.copy(world.directory / "App.tar", colon)
    made = subprocess.run([CT, "pack", "-o", "o.ctp", "docker-archive:App.tar"], cwd=colon, env=world.env, capture_output=True)
    assert made.returncode == 0, made.stderr
    for image in ("docker-archive:", "oci-archive:", "dir:", "docker-daemon:", "containers-storage:", "docker-daemon:A B"):
        world.pack(image, status=64)
    os.mkfifo(world.directory / "pipe")
    for image in ("docker-archive:pipe", "oci-archive:pipe", "docker-archive:home", "docker-archive:nothing"):
        world.pack(image, status=11)


def test_the_platform_that_was_asked_for(world):
    docker_archive(world)
    assert world.pack("docker-archive:App.tar", "--platform", "amd64")["image"]["platforms"] == ["linux/amd64"]
    for image in ("docker-archive:App.tar", "oci:single"):
        assert "linux/amd64" in world.pack(image, "--platform", "arm64", status=10)
    for platform in ("linux/", "a/b/c/d", "lin ux", ""):
        world.ct("pack", "--platform", platform, "oci:single", "-o", "y.ctp", status=64)
    world.image("repeated-platform")
    made = world.ct("pack", "--platform", "amd64", "oci:repeated-platform", "-o", "y.ctp")
    assert "platform-repeated" in made.stdout


# -- podman's and buildah's storage ------------------------------------------------------------------------------------------


def test_a_container_storage(world):
    program("buildah")
    where = [f"--root={world.directory}/root", f"--runroot={world.directory}/run", "--storage-driver=vfs"]
    storage = f"[vfs@{world.directory}/root+{world.directory}/run]"
    (world.directory / "Containerfile").write_text("FROM scratch\nCOPY Containerfile /file\nCMD /file\n")
    world.run("buildah", *where, "bud", "-q", "-t", REFERENCE, "-f", "Containerfile", ".")
    made = world.pack(f"containers-storage:{storage}{REFERENCE}", output="1.ctp", **EPOCH)
    assert made["provenance"] == {"source": f"containers-storage:{REFERENCE}"}
    assert (made["name"], made["version"]) == ("app", "1.5")
    # Built here and never compressed: the digest is the storage's own.
    known = subprocess.run(
        ["buildah", *where, "images", "--digests", "--format", "{{.Digest}} {{.ID}}", "--no-trunc", REFERENCE],
        env=world.env, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert made["image_digest"] == known[0]
    world.pack(f"containers-storage:{storage}{REFERENCE}", output="2.ctp", **EPOCH)
    assert (world.directory / "1.ctp").read_bytes() == (world.directory / "2.ctp").read_bytes()
    # By id it has no name.
    number = known[1].removeprefix("sha256:")
    world.pack(f"containers-storage:{storage}@{number}", status=64)
    by_id = world.pack(f"containers-storage:{storage}@{number}", "--name", "x")
    assert by_id["image_digest"] == made["image_digest"]
    assert by_id["provenance"] == {"source": f"containers-storage:@{number}"}
    # Pulled with compressed layers: unpacked there, so another manifest, whose plain tars are called so; always the same.
    world.image("single")
    world.run("skopeo", "copy", "-q", "oci:single", f"containers-storage:{storage}localhost/pulled:1")
    pulled = world.pack(f"containers-storage:{storage}localhost/pulled:1", output="1.ctp", **EPOCH)
    assert {entry["media_type"] for entry in pulled["content"] if entry["role"] == "layer"} == {
        "application/vnd.oci.image.layer.v1.tar"
    }
    world.pack(f"containers-storage:{storage}localhost/pulled:1", output="2.ctp", **EPOCH)
    assert (world.directory / "1.ctp").read_bytes() == (world.directory / "2.ctp").read_bytes()
    world.pack(f"containers-storage:{storage}localhost/nothing:1", status=11)
    assert world.left() == ["x.ctp"]


# -- a Docker daemon ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def daemon():
    """DOCKER_HOST of a daemon of its own, without a network."""
    if os.geteuid() != 0:
        pytest.skip("only root can run a Docker daemon")
    serve = program("dockerd")
    # A socket's path has at most 107 bytes.
    work = Path(tempfile.mkdtemp(prefix="ctd", dir="/tmp"))
    (work / "config.json").write_text("{}")
    flags = [
        f"--data-root={work}/data",
        f"--exec-root={work}/exec",
        f"--pidfile={work}/pid",
        f"--config-file={work}/config.json",
    ]
    flags += [f"--host=unix://{work}/s", "--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs"]
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(work)}
    with open(work / "log", "wb") as log:
        server = subprocess.Popen([serve, *flags], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        try:
            await_(lambda: b"API listen on" in (work / "log").read_bytes(), "a daemon that listens", of=server)
        except AssertionError as error:
            raise AssertionError((work / "log").read_text()[-2000:]) from error
        assert (work / "s").exists()
        yield f"unix://{work}/s"
    finally:
        end(server)
        shutil.rmtree(work, ignore_errors=True)


def test_a_docker_daemon(world, daemon):
    docker_archive(world)
    world.run("skopeo", "copy", "-q", "--dest-daemon-host", daemon, "docker-archive:App.tar", f"docker-daemon:{REFERENCE}")
    host = {"DOCKER_HOST": daemon}
    made = world.pack(f"docker-daemon:{REFERENCE}", output="1.ctp", **host, **EPOCH)
    assert made["provenance"] == {"source": f"docker-daemon:{REFERENCE}"}
    assert (made["name"], made["version"]) == ("app", "1.5")
    # The same image as from the archive that it came in.
    assert made["image_digest"] == world.pack("docker-archive:App.tar")["image_digest"]
    world.pack(f"docker-daemon:{REFERENCE}", output="2.ctp", **host, **EPOCH)
    assert (world.directory / "1.ctp").read_bytes() == (world.directory / "2.ctp").read_bytes()
    number = made["image"]["config"]
    by_id = world.pack(f"docker-daemon:{number}", "--name", "x", **host)
    assert by_id["image_digest"] == made["image_digest"]
    assert by_id["provenance"] == {"source": f"docker-daemon:{number}"}
    assert "localhost/none:1" in world.pack("docker-daemon:localhost/none:1", status=11, **host)
    world.pack(f"docker-daemon:{REFERENCE}", status=11, DOCKER_HOST=f"unix://{world.directory}/nobody")
    for odd in ("ssh://somewhere", "http://somewhere"):
        world.pack(f"docker-daemon:{REFERENCE}", status=64, DOCKER_HOST=odd)
    assert world.left() == ["x.ctp"]


# -- what a source may be called, and who may believe it ---------------------------------------------------------------------


def test_a_local_source_is_local(world):
    """A source that looks like a registry's, `docker-daemon:5000/x`, matches `local` and `*` and nothing else."""
    docker_archive(world)
    world.pack(f"docker-archive:App.tar:{REFERENCE}")
    policy = world.directory / "p.json"
    for patterns, status in ((["local"], 0), (["*"], 0), (["localhost/*"], 4), (["docker-archive/*"], 4), (["*/*"], 4)):
        value = {"version": "1", "signers": {"allowed": [{"key_id": "packer"}]}, "registries": {"allowed": patterns}}
        policy.write_text(json.dumps(value))
        world.ct("verify", "x.ctp", "--policy", "p.json", status=status)
    world.ct("verify", "x.ctp", "--expect", "app:1.5")


def test_case_of_a_source_that_looks_like_a_registry():
    from cerrotorre import case, reference

    for source in ("docker-daemon:5000/x", "docker-daemon:docker.io/library/nginx:1", "oci-archive:5000/nginx"):
        assert case.source_of({"provenance": {"source": source}}) is None
    for pattern in ("docker-daemon:5000", "docker-daemon:5000/*", "docker-daemon", "docker.io", "*/*"):
        assert not reference.match_registry(pattern, None)


# -- what is told of a slip of the pen ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("nginx.tar", ["there is no file 'nginx.tar' here", "oci-archive:nginx.tar", "docker.io/library/nginx.tar:latest, if"]),
        ("nginx.tar:1.0", ["there is no file 'nginx.tar' here", "docker.io/library/nginx.tar:1.0, if"]),
        ("team/app.tar.gz", ["there is no file 'team/app.tar.gz' here", "docker.io/team/app.tar.gz:latest, if"]),
        ("app.ctp", ["there is no file 'app.ctp' here"]),
        ("./nosuch.tar", ["there is no file './nosuch.tar' here", "Instead:      oci-archive:./nosuch.tar"]),
        ("../nosuch", ["there is no '../nosuch' here", "Instead:      oci:../nosuch"]),
        ("/nosuch/app.tar", ["there is no file '/nosuch/app.tar'\n", "oci-archive:/nosuch/app.tar"]),
        (".", ["that is a directory", "oci:. or dir:."]),
        ("./single", ["a layout's directory", "Instead:      oci:./single\n"]),
        ("./single:1.0", ["a layout's directory", "Instead:      oci:./single:1.0\n"]),
        ("docker-archvie:app.tar", ["did you mean docker-archive:app.tar?", "docker.io/library/docker-archvie:app.tar, if"]),
        ("container-storage:app", ["did you mean containers-storage:app?"]),
        ("docker-deamon:app", ["did you mean docker-daemon:app?"]),
        ("ocl:hello", ["did you mean oci:hello?"]),
        ("OCI:hello", ["Instead:      oci:hello\n"]),
        ("Docker-Archive:Hello.tar", ["Instead:      docker-archive:Hello.tar\n"]),
        ("docker:dind", ["Instead:      docker.io/library/docker:dind\n"]),
        ("Team/App:V1", ["Instead:      team/app:V1\n"]),
    ],
)
def test_what_was_hardly_meant_as_a_reference(world, image, said):
    world.image("single")
    told = world.pack(image, status=64)
    assert all(words in told for words in said), told
    assert world.left() == []


def test_what_may_be_meant_as_a_reference():
    from cerrotorre import sources

    for image in (
        *("nginx", "nginx:1.26", "team/app:1", "docker.io/library/nginx.tar", "localhost/app.tar", "localhost:5000/app.ctp"),
        *("ocl:5000/app", "docker.io/library/ocl:hello", "ros:1", "r-base:4", "rust:1", "bash:5", "docker-compose:2", "solr:9"),
    ):
        assert sources.parse(image) is None


def test_what_is_not_there(world):
    """A directory or file that does not exist is the same finding wherever it was said to be."""
    for image in ("oci:nosuch", "oci:nosuch:1.0", "dir:nosuch", "oci-archive:nosuch", "docker-archive:nosuch"):
        told = world.pack(image, status=11)
        assert "a file cannot be read" in told and "nosuch': No such file" in told
    (world.directory / "empty").mkdir()
    assert "not an OCI image layout" in world.pack("oci:empty", status=10)
    docker_archive(world)
    told = world.pack("docker-archive:App.tar:foo", status=10)
    assert "no such image there" in told and REFERENCE in told and "No descriptor" not in told


def test_a_platform_is_shown_as_it_was_typed(world):
    world.image("single")
    world.image("multi")
    for image in ("oci:single", "oci:multi"):
        told = world.pack(image, "--platform", "linux-arm64", status=64)
        assert "'linux-arm64'" in told and "linuxarm64" not in told and "Instead:      linux/arm64" in told
        told = world.pack(image, "--platform", "windows", status=64)
        assert "'windows'" in told and "linux/windows" not in told and "Instead" not in told
        told = world.pack(image, "--platform", "linux/vax", status=10)
        assert "Expected:     linux/vax" in told and "a single image must be for it" in told
    assert world.pack("oci:multi", "--platform", "aarch64")["image"]["platforms"] == ["linux/arm64"]


def test_a_name_that_is_none(world):
    world.image("single")
    told = world.pack("oci:single", "--name", "Hello World", status=64)
    assert (
        "'Hello World' cannot be" in told and "a-z, 0-9" in told and "Try:                           --name hello-world" in told
    )
    told = world.pack("oci:single", "--version", "1 0", status=64)
    assert "'1 0' cannot be" in told and "A-Z, 0-9" in told and "--version 1-0" in told
    assert "--name NAME" in world.pack("oci:single", "--name", "...", status=64)


def test_an_absent_image_of_a_storage(world):
    """No path of the private directory is shown, and a name in full as podman gives it is offered."""
    tools = world.directory / "home" / "odd"
    tools.mkdir()
    # As skopeo 1.9 and later say it without XDG_RUNTIME_DIR.
    store = "[overlay@/home/u/storage+$TMPDIR/storage-run-1000/containers]"
    name = "docker.io/library/hello:1.0"
    words = f"initializing source containers-storage:{store}{name}: reference {store}{name} does not resolve to an image ID: x"
    (tools / "skopeo").write_text(f'#!/bin/sh\necho "time=\\"now\\" level=fatal msg=\\"{words}\\"" >&2\nexit 1\n')
    (tools / "skopeo").chmod(0o755)
    path = {"PATH": f"{tools}:{world.env['PATH']}"}
    told = world.pack("containers-storage:hello:1.0", status=11, **path)
    assert "storage-run" not in told and ".ct." not in told and f"reference {name} does not" in told
    assert "containers-storage:localhost/hello:1.0" in told
    told = world.pack("containers-storage:[vfs@/a+/b]hello:1.0", status=11, **path)
    assert ".ct." not in told and "containers-storage:[vfs@/a+/b]localhost/hello:1.0" in told
    assert "localhost/" not in world.pack(f"containers-storage:{name}", status=11, **path)


# -- the private directory ---------------------------------------------------------------------------------------------------


@pytest.fixture
def slow(world):
    """PATH with a skopeo that writes down the directory that it was given, and never comes back."""
    tools = world.directory / "home" / "slow"
    tools.mkdir()
    (tools / "skopeo").write_text(
        f'#!/bin/sh\necho "$TMPDIR" >{tools}/said.new\nmv {tools}/said.new {tools}/said\nexec sleep 60\n'
    )
    (tools / "skopeo").chmod(0o755)
    (world.directory / "App.tar").write_bytes(bytes(1024))
    return tools


def start(world, tools, *words):
    child = subprocess.Popen(
        [CT, "pack", "docker-archive:App.tar", *words], cwd=world.directory, start_new_session=True, stdin=subprocess.DEVNULL,
        env=world.env | {"PATH": f"{tools}:{world.env['PATH']}"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    await_((tools / "said").exists, "the fetching", of=child)
    return child, Path((tools / "said").read_text().removesuffix("\n"))


# An interrupt is the terminal's, which sends it to the group; to `ct` alone it waits for the tools, as with any shell script.
SIGNALS = [(name, whom) for name in ("INT", "TERM", "HUP", "PIPE", "KILL") for whom in ("ct alone", "the group")]


@pytest.mark.parametrize(("name", "whom"), [one for one in SIGNALS if one not in (("INT", "ct alone"), ("KILL", "the group"))])
def test_a_signal_ends_skopeo_and_leaves_nothing(world, slow, name, whom):
    child, directory = start(world, slow, "-o", "x.ctp")
    # Its temporary files are in the private directory, which only its owner can enter.
    assert directory.parent == world.directory and directory.stat().st_mode & 0o777 == 0o700
    number = getattr(signal, f"SIG{name}")
    (os.kill if whom == "ct alone" else os.killpg)(child.pid, number)
    assert child.wait(10) == -number
    gone(child.pid)
    await_(lambda: world.left() == [], "an empty directory")


def test_a_reader_that_goes_away(world):
    world.image("large")
    docker_archive(world, "large")
    (world.directory / "tmp").mkdir()
    for words in ("docker-archive:App.tar -o - | head -c 1", "docker-archive:App.tar -o - >/dev/full"):
        world.run("sh", "-c", f"'{CT}' pack {words} >/dev/null; :", TMPDIR=str(world.directory / "tmp"))
        assert list((world.directory / "tmp").iterdir()) == []


def test_a_full_disk(world):
    world.image("large")
    docker_archive(world, "large")
    for room in ("4m", "16m"):
        # 4 MiB do not hold what skopeo writes; 16 MiB hold that, and not the bundle beside it.
        script = f"mount -t tmpfs -o size={room} none full && '{CT}' pack docker-archive:App.tar -o full/x.ctp; status=$?; ls -A full; exit $status"
        (world.directory / "full").mkdir(exist_ok=True)
        made = subprocess.run(
            ["unshare", *([] if os.getuid() == 0 else ["-r"]), "-m", "sh", "-c", script],
            cwd=world.directory, env=world.env, capture_output=True, text=True,
        )  # fmt: skip
        assert (made.returncode, made.stdout) == (11, ""), made.stdout + made.stderr
        assert "a file cannot be written" in made.stderr


def test_nowhere_to_write(world):
    docker_archive(world)
    world.ct("pack", "docker-archive:App.tar", "-o", "nowhere/x.ctp", status=11)
    world.ct("pack", "docker-archive:App.tar", "-o", "x.ctp", "-k", "nobody", status=13)
    tools = world.directory / "home" / "few"
    tools.mkdir()
    for name in ("sh", "env", "sed", "readlink", "mktemp", "rm", "cat"):
        (tools / name).symlink_to(shutil.which(name))
    for image in ("docker-archive:App.tar", "docker-daemon:app:1", "containers-storage:app:1"):
        assert "skopeo" in world.ct("pack", image, "-o", "x.ctp", status=69, PATH=str(tools)).stderr
    # What lies here as it is needs none.
    world.ct("pack", "oci:single", "-o", "y.ctp", PATH=str(tools))
    archive(world.directory / "single", world.directory / "single.tar")
    world.ct("pack", "oci-archive:single.tar", "-o", "y.ctp", PATH=str(tools))
    assert world.left() == []
