"""Root file systems of bundles: every tar that is a trap, and what umoci and podman make of the same images (spec/unpacking.adoc)."""

import gzip
import hashlib
import json
import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import images
import pytest
import rootfs as made
from cerrotorre import compressed, errors, fileowners, interrupt, layers, layertar
from cerrotorre import rootfs as tested
from cerrotorre.staging import Staging
from conftest import VECTORS, program
from rootfs import CAPABILITY, NOBODY, as_user, differences, layer, listing
from small import environment, pair, run, tool

ROOT = os.geteuid() == 0
# As root, and as somebody who is not; where the tests are not root's, as they run.
USERS = [None, NOBODY] if ROOT else [None]
NAMES = [("root" if ROOT else "user"), "nobody"][: len(USERS)]


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory in which everybody may make something."""
    with tempfile.TemporaryDirectory(prefix="ct", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o1777)
        yield Path(name)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    directory = tmp_path_factory.mktemp("rootfs") / "home"
    directory.mkdir(mode=0o700)
    pair(directory, "alice")
    return environment(directory)


def bundle(place: Path, env: dict[str, str], layers: list[bytes], **more: Any) -> dict[str, Any]:
    """The record of a bundle with these layers; the bundle is x.ctp."""
    to = images.Layout(place / "image")
    to.index(made.image(to, layers, **more))
    tool("ct", "pack", "-o", place / "x.ctp", f"oci:{to.directory}", env=env)
    (place / "x.ctp").chmod(0o644)
    return opened(place / "x.ctp", env)


def opened(path: Path, env: dict[str, str]) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(tool("ct-open", path, env=env).stdout.splitlines()[0])
    return record


def unpacked(record: dict[str, Any], path: Path, uid: int | None = None, **more: Any) -> Any:
    """(slugs of what is wrong, notes, listing of what there is) when this user unpacks it."""

    def work() -> Any:
        try:
            wrong = [one["finding"] for one in tested.write(record, str(path), **more)]
        except errors.Fail as fail:
            wrong = [fail.finding["finding"]]
        notes = {one["finding"]: one.get("detail") for one in record["findings"]}
        return wrong, notes

    return [*as_user(uid, work), listing(path) if path.is_dir() else None]


# -- every trap --------------------------------------------------------------------------------------------------------------


def applied(path: Path, tars: list[Path]) -> str:
    """The slug, or nothing, once these layers were applied."""
    owners = fileowners.Root() if os.geteuid() == 0 else fileowners.Mapped()
    try:
        with Staging(str(path)) as staging:
            root = layers.Root(staging.root, staging.aside, owners)
            for number, tar in enumerate(tars):
                for step in (root.white_out, root.extract)[0 if number else 1 :]:
                    step(layertar.Layer(compressed.Reader([tar.read_bytes()], "none")))
            root.tree.close()
            staging.commit(as_it_is=True)
    except layertar.Malformed:
        return "layer-malformed"
    except errors.Fail as fail:
        return str(fail.finding["finding"])
    return ""


def told(found: dict[str, Any]) -> list[str]:
    """A listing in the words of cases.json."""
    said = []
    for name in sorted(found.keys() - {"."}):
        one = found[name]
        first = one.get("links", [name])[0]
        kind = "/" if stat.S_ISDIR(one["type"]) else f"->{one['target']}" if "target" in one else ""
        said.append(f"{name}=={first}" if first != name else name + kind)
    return said


def linked(tree: list[str], found: dict[str, Any]) -> list[str]:
    """The words of cases.json with each hard link told from the first of its names."""
    names = {name: one["links"] for name, one in found.items() if "links" in one}
    said = []
    for one in tree:
        name, double, _ = one.partition("==")
        plain = name.partition("->")[0]
        if plain not in names:
            said.append(one)
        elif plain != names[plain][0]:
            said.append(f"{plain}=={names[plain][0]}")
        else:
            said.append(plain + (f"->{found[plain]['target']}" if "target" in found[plain] else ""))
        assert not double or plain in names, f"{one}, and it has one name"
    return sorted(said)


def cases() -> list[dict[str, Any]]:
    file = VECTORS / "tar-edge-cases" / "cases.json"
    return json.loads(file.read_text())["cases"] if file.is_file() else []  # type: ignore[no-any-return]


@pytest.mark.parametrize("uid", USERS, ids=NAMES)
def test_every_case_there_is(uid: int | None, vectors: Path, place: Path) -> None:
    """Each of the published cases, as root and as nobody; and whatever it is, nothing happens beside the directory."""
    directory = vectors / "tar-edge-cases"
    shutil.copytree(directory, place / "tars")
    guard = place / "guard"
    guard.mkdir()
    guard.chmod(0o777)
    wrong = []
    ran = as_user(
        uid,
        lambda: [applied(guard / case["name"], [place / "tars" / tar for tar in case["layers"]]) for case in cases()],
    )
    assert len(ran) >= 50
    for case, slug in zip(cases(), ran, strict=True):
        expect, name = case["expect"], case["name"]
        allowed = expect["result"]
        if slug:
            if "error" not in allowed or slug not in ("layer-malformed", "layer-unsafe") or (guard / name).exists():
                wrong.append(f"{name}: {slug}")
            continue
        if allowed == "error":
            wrong.append(f"{name}: it was taken")
            continue
        found = listing(guard / name)
        said = told(found)
        if "tree" in expect and said != linked(expect["tree"], found):
            wrong.append(f"{name}: {said}, not {expect['tree']}")
        if len(said) != expect.get("tree_count", len(said)):
            wrong.append(f"{name}: {len(said)} names")
        for file, data in expect.get("content", {}).items():
            if found[file]["digest"] != hashlib.sha256(data.encode()).hexdigest():
                wrong.append(f"{name}: other content in {file}")
        for file, mode in expect.get("modes", {}).items():
            if found[file.rstrip("/")]["mode"] != oct(int(mode, 8)):
                wrong.append(f"{name}: {file} has mode {found[file.rstrip('/')]['mode']}")
        if "without-xattr" in allowed and any(one["xattrs"] for one in found.values()):
            wrong.append(f"{name}: {found}")
    assert wrong == []
    # Only those directories; nothing hidden, nothing outside.
    assert {path.name for path in guard.iterdir()} == {
        case["name"] for case, slug in zip(cases(), ran, strict=True) if not slug
    }
    assert not Path("/tmp/evil").exists() and not (place / "evil").exists()


HARD = {
    "device": (("char", "dev/null", {"mode": 0o666, "dev": (1, 3), "gid": 5}),),
    "whiteout-below": (("file", "a/.wh.b/c"),),
    "root-file": (("file", "./"),),
    "root-symlink": (("symlink", "/", {"link": "/etc"}),),
    "link-to-itself": (("file", "a"), ("link", "a", {"link": "./a"})),
    "link-to-directory": (("dir", "a"), ("link", "b", {"link": "a"})),
    "link-upwards": (("symlink", "up", {"link": ".."}), ("link", "b", {"link": "up/../a"})),
    "link-loop": (("symlink", "a", {"link": "b"}), ("symlink", "b", {"link": "a"}), ("file", "a/x")),
    "fifo-as-parent": (("fifo", "a"), ("file", "a/x")),
    "long-part": (("file", "x" * 256),),
    "long-name": (("file", "/".join(["x" * 99] * 41)),),
}  # fmt: skip
SLUGS = {"device": "", "link-upwards": "layer-unsafe", "link-loop": "layer-unsafe", "fifo-as-parent": "layer-unsafe"}


@pytest.mark.parametrize("uid", USERS, ids=NAMES)
def test_more_traps(uid: int | None, place: Path) -> None:
    for name, entries in HARD.items():
        (place / f"{name}.tar").write_bytes(layer(*entries))
    ran = as_user(uid, lambda: {name: applied(place / name, [place / f"{name}.tar"]) for name in HARD})
    assert ran == {name: SLUGS.get(name, "layer-malformed") for name in HARD}
    assert sorted(path.name for path in place.iterdir() if path.suffix != ".tar") == ["device"]


def header(change: dict[int, bytes], size: int = 0, name: bytes = b"a") -> bytes:
    """A ustar header with fields written over, its checksum right."""
    block = bytearray(512)
    for at, field in {
        0: name,
        100: b"0000644",
        108: b"0000000",
        116: b"0000000",
        124: b"%011o" % size,
        156: b"0",
        257: b"ustar\x0000",
        **change,
    }.items():
        block[at : at + len(field)] = field
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def pax(*records: bytes, kind: bytes = b"x") -> bytes:
    text = b"".join(b"%d %b\n" % (len(record) + 4 if len(record) < 96 else len(record) + 5, record) for record in records)
    return header({156: kind}, len(text)) + text + bytes(-len(text) % 512)


END = bytes(1024)
BAD_TARS = {
    "an end inside of a header": header({})[:100],
    "an end inside of data": header({}, 600) + bytes(512),
    "no end after an extended header": pax(b"path=b"),
    "something after zeros": bytes(512) + header({}),
    "a type": header({156: b"Q"}) + END,
    "GNU's sparse file": header({156: b"S"}) + END,
    "POSIX's sparse file": pax(b"GNU.sparse.major=1") + header({}) + END,
    "a directory with a size": header({156: b"5"}, 512) + bytes(512) + END,
    "a link with a size": header({156: b"1", 157: b"b"}, 512) + bytes(512) + END,
    "a link to nothing": header({156: b"2"}) + END,
    "no name": header({}, name=b"") + END,
    "a number that is none": header({100: b"00x0644"}) + END,
    "a negative size": header({124: b"\xff" * 12}) + END,
    "a negative owner": header({108: b"\xff" * 8}) + END,
    "an owner of pax that is none": pax(b"uid=-1") + header({}) + END,
    "the owner -1": pax(b"uid=4294967295") + header({}) + END,
    "a time that is none": pax(b"mtime=soon") + header({}) + END,
    "an empty time": pax(b"mtime=") + header({}) + END,
    "a record twice": pax(b"path=b", b"path=c") + header({}) + END,
    "a record without its length": header({156: b"x"}, 8) + b"path=abc".ljust(512, b"\0") + header({}) + END,
    "a record that is longer than its header": header({156: b"x"}, 9) + b"99 path=a".ljust(512, b"\0") + header({}) + END,
    "two extended headers": pax(b"path=b") + pax(b"uid=1") + header({}) + END,
    "two names": pax(b"path=b") + header({156: b"L"}, 2) + b"c\0".ljust(512, b"\0") + header({}) + END,
    "a global name": pax(b"path=b", kind=b"g") + header({}) + END,
    "an extended header of two MiB": header({156: b"x"}, 2 << 20) + bytes(2 << 20) + header({}) + END,
    "an attribute without a name": pax(b"SCHILY.xattr.=x") + header({}) + END,
    "an attribute with NUL in its name": pax(b"LIBARCHIVE.xattr.user%00x=eA==") + header({}) + END,
    "no magic of a tar": header({257: b"pustar\0\0"}) + END,
    "another checksum": header({})[:-1] + b"x" + END,
    "a device that there is not": header({156: b"3", 329: b"\x80" + b"\xff" * 7}) + END,
}


@pytest.mark.parametrize("name", BAD_TARS)
def test_what_is_no_tar(name: str) -> None:
    with pytest.raises(layertar.Malformed):
        for entry in layertar.Layer(compressed.Reader([BAD_TARS[name]], "none")):
            assert entry.name


def test_what_is_a_tar() -> None:
    """Forms of one thing: numbers in base 256, no numbers at all, attributes as libarchive writes them, Version 7."""
    tar = header({108: b"\x80" + (70000).to_bytes(7, "big"), 116: bytes(8), 136: b"\xff" * 12})
    tar += pax(b"comment=what it is", kind=b"g")
    tar += pax(
        b"mtime=-1.5000000001",
        b"LIBARCHIVE.xattr.user.a%3Db=eHl6",
        b"SCHILY.xattr.user.c=\0\n",
        b"LIBARCHIVE.xattr.user.c=eA==",
    )
    tar += header({}, 3) + b"abc".ljust(512, b"\0") + header({156: b"\0", 257: bytes(8)}, name=b"old/")
    first, second, third = layertar.Layer(compressed.Reader([tar], "none"))
    assert (first.uid, first.gid, first.mtime, first.mode) == (70000, 0, -(10**9), 0o644)
    assert (second.mtime, second.size) == (-1500000001, 3) and second.xattrs == {b"user.a=b": b"xyz", b"user.c": b"\0\n"}
    assert (third.kind, third.name) == (layertar.DIRECTORY, b"old/")


# -- compressed --------------------------------------------------------------------------------------------------------------


def read(data: bytes, kind: str, cut: int = 999, **more: Any) -> bytes:
    reader = compressed.Reader((data[at : at + cut] for at in range(0, len(data), cut)), kind, **more)
    whole = b"".join(iter(lambda: bytes(reader.some(1 << 16)), b""))
    assert reader.position == len(whole)
    return whole


def test_compressed() -> None:
    """Members and frames follow one another; a byte less, more, or other than there should be is seen."""
    import zstandard

    data = bytes(300_000) + os.urandom(5000)
    frame = zstandard.ZstdCompressor(write_checksum=True).compress(data)
    skippable = b"\x5f\x2a\x4d\x18\x03\0\0\0abc"
    member = gzip.compress(data, 1)
    for kind, one, more in (("gzip", member, member), ("zstd", frame, skippable + frame)):
        assert compressed.sniff(one[:4]) == kind
        assert read(one + more, kind) == 2 * data == read(one + more, kind, cut=1 << 20)
        for bad in (one[:-1], one[: len(one) // 2], one + b"\0", one + b"something", one + more[:-1], b""):
            with pytest.raises(compressed.Malformed):
                read(bad, kind)
        altered = bytearray(one)
        altered[-3] ^= 1
        with pytest.raises(compressed.Malformed):
            read(bytes(altered), kind)
        with pytest.raises(compressed.TooLarge):
            read(one, kind, limit=len(data) - 1)
        assert read(one, kind, limit=len(data)) == data
    assert compressed.sniff(skippable) == "zstd" and compressed.sniff(b"abcd") == compressed.sniff(b"") == "none"
    wide = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=24)).compressobj()
    large = wide.compress(data) + wide.flush()
    with pytest.raises(compressed.Malformed, match="8 MiB"):
        read(large, "zstd")
    assert read(large, "zstd", window=compressed.LAYER_WINDOW) == data


# -- whole bundles -----------------------------------------------------------------------------------------------------------

BASE = (
    ("dir", "./", {"mode": 0o755}),
    ("dir", "etc", {"mtime": 1400000000}),
    ("file", "etc/passwd", {"data": b"root\n", "mode": 0o600}),
    ("dir", "etc/conf.d", {"mode": 0o555, "uid": 5, "gid": 7, "mtime": 1300000000}),
    ("file", "etc/conf.d/a", {"data": b"a", "mode": 0o400, "uid": 5}),
    ("dir", "opt"),
    ("dir", "opt/old"),
    ("dir", "opt/old/deep", {"mode": 0}),
    ("file", "opt/old/deep/x"),
    ("dir", "usr"),
    ("dir", "usr/lib"),
    ("file", "usr/lib/x", {"data": b"x" * 5000, "mtime": 1234567890.5}),
    ("symlink", "lib", {"link": "usr/lib", "uid": 3}),
    ("file", "usr/su", {"data": b"#!", "mode": 0o4755, "uid": 1000, "gid": 300}),
    ("file", "usr/ping", {"data": b"ping", "xattrs": {"security.capability": CAPABILITY, "user.k": b"v\0\n"}}),
    ("dir", "usr/attributed", {"mode": 0o2770, "gid": 9, "xattrs": {"user.old": b"1"}}),
    ("file", "usr/one", {"data": b"one"}),
    ("link", "usr/two", {"link": "usr/one"}),
    ("dir", "becomes-file"),
    ("file", "becomes-file/x"),
    ("file", "becomes-directory"),
    ("dir", "tmp", {"mode": 0o1777}),
    ("fifo", "tmp/fifo", {"mode": 0o622, "uid": 9}),
    ("file", "é/ü b\tc", {"data": b"", "mtime": -1}),
)
UPPER = (
    ("dir", "./", {"mode": 0o711}),
    ("dir", "etc", {"mtime": 1400000001}),
    ("file", "etc/.wh.passwd"),
    ("dir", "etc/conf.d", {"mode": 0o700, "uid": 6, "mtime": 1300000001}),
    ("file", "etc/conf.d/new", {"data": b"new"}),
    ("file", "etc/conf.d/.wh..wh..opq"),
    ("dir", "opt"),
    ("file", "opt/.wh.old"),
    ("dir", "usr"),
    ("dir", "usr/attributed", {"mode": 0o770, "xattrs": {"user.new": b"2"}}),
    ("file", "usr/one", {"data": b"another one"}),
    ("file", "becomes-file", {"data": b"now"}),
    ("dir", "becomes-directory"),
    ("file", "becomes-directory/x", {"data": b"x"}),
    ("file", "lib/through-a-link", {"uid": 70000, "gid": 2147483648, "data": b"y"}),
    ("dir", "usr/lib", {"mtime": 1600000000}),
    ("link", "usr/across", {"link": "usr/two"}),
)
DEVICES = (("char", "null", {"mode": 0o666, "dev": (1, 3), "gid": 5}), ("block", "disk", {"mode": 0o660, "dev": (8, 1)}))
# Directories that no entry describes: umoci and podman give them the time when they were made.
IMPLIED = [("é", "mtime"), (".", "mtime")]


# podman makes 0 of a time before it, and in a storage without overlays leaves a directory the attributes that it had.
PODMANS = [("é/ü b\tc", "mtime"), ("usr/attributed", "xattrs")]


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory, home: dict[str, str]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """(the directory of an image of three layers, in three forms; its record)."""
    with tempfile.TemporaryDirectory(prefix="ct") as name:
        place = Path(name)
        place.chmod(0o755)
        to = images.Layout(place / "image")
        tars = [layer(*BASE), layer(*UPPER), layer(*DEVICES)]
        found = [
            to.blob(images.PACKED[kind](tar), kind)
            for tar, kind in zip(tars, (images.GZIP, images.TAR, images.GZIP), strict=True)
        ]
        config = to.config(["sha256:" + hashlib.sha256(tar).hexdigest() for tar in tars])
        to.index(to.manifest(config, found))
        for path in [place / "image", *(place / "image").rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        tool("ct", "pack", "-o", place / "x.ctp", f"oci:{to.directory}", env=home)
        (place / "x.ctp").chmod(0o644)
        yield place, opened(place / "x.ctp", home)


@pytest.mark.skipif(not ROOT, reason="only root can make devices and give files away")
def test_as_umoci_and_podman_do(several: tuple[Path, dict[str, Any]], place: Path) -> None:
    """As root everything about every file is what umoci, and podman, make of it."""
    directory, record = several
    wrong, notes, found = unpacked(record, place / "ours")
    assert wrong == [] and notes == {}
    assert differences(found, umocis(place, f"{directory}/image:1.0"), *IMPLIED) == []
    assert found["usr/across"]["links"] == ["usr/across", "usr/two"] and found["."]["mode"] == "0o711"
    assert found["usr/ping"]["xattrs"] == {"security.capability": CAPABILITY.hex(), "user.k": "76000a"}
    assert differences(found, podmans(place, directory / "x.ctp"), *IMPLIED, *PODMANS) == []


def umocis(place: Path, image: str, uid: int | None = None) -> dict[str, Any]:
    """What umoci makes of an image, as this user."""
    words = ["umoci", "raw", "unpack", *(["--rootless"] if uid or not ROOT else []), "--image", image, str(place / "theirs")]
    user: dict[str, Any] = {"user": uid, "group": uid, "extra_groups": [], "cwd": "/"} if uid else {}
    program("umoci")
    ran = run(*words, env={**os.environ, "HOME": str(place)}, **user)
    assert ran.returncode == 0, ran.stderr
    return listing(place / "theirs")


def podmans(place: Path, archive: Path) -> dict[str, Any]:
    """What podman makes of an image, in a storage without overlays."""
    program("podman")
    containers = place / "containers.conf"
    containers.write_text('[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n')
    env = {
        **os.environ,
        "CONTAINERS_CONF": str(containers),
        "HOME": str(place),
        "XDG_RUNTIME_DIR": str(place),
        "TMPDIR": str(place),
    }

    def podman(*words: object) -> str:
        ran = run("podman", f"--root={place}/s", f"--runroot={place}/r", "--storage-driver=vfs", *words, env=env)
        assert ran.returncode == 0, ran.stderr
        return str(ran.stdout).strip()

    image = podman("load", "-q", "-i", archive).rpartition(" ")[2]
    try:
        return listing(Path(podman("image", "mount", image)))
    finally:
        podman("image", "umount", image)


def test_as_umoci_does_without_root(several: tuple[Path, dict[str, Any]], place: Path) -> None:
    """Everything is the caller's, devices are empty files, and owners are kept as umoci keeps them."""
    directory, record = several
    uid = USERS[-1]
    wrong, notes, found = unpacked(record, place / "ours", uid)
    assert wrong == [] and notes == {"rootfs-mapped": "devices: 2, owners: 2, attributes: 1"}
    theirs = umocis(place, f"{directory}/image:1.0", uid)
    # umoci loses the owners of directories as soon as something is put into them.
    directories = [(name, "xattrs") for name, one in found.items() if stat.S_ISDIR(one["type"])]
    assert differences(found, theirs, *IMPLIED, *directories) == []
    assert {(one["uid"], one["gid"]) for one in found.values()} == {(uid or os.geteuid(), uid or os.getegid())}
    assert found["usr/su"]["mode"] == "0o4755" and found["etc/conf.d"]["mode"] == "0o700"
    # rootlesscontainers.proto: 1000 and 300; -1, which is 0, and 9.
    assert found["usr/su"]["xattrs"] == {"user.rootlesscontainers": "08e80710ac02"}
    assert found["null"]["size"] == 0 and found["null"]["mode"] == "0o666"
    assert found["etc/conf.d"]["xattrs"] == {"user.rootlesscontainers": "080610ffffffff0f"}
    assert found["usr/ping"]["xattrs"] == {"user.k": "76000a"}


def test_a_real_image(place: Path, home: dict[str, str]) -> None:
    """busybox, put together by umoci; zstd, too."""
    program("umoci")
    binary = program("busybox")
    tree = place / "tree"
    (tree / "bin").mkdir(parents=True)
    shutil.copy(binary, tree / "bin" / "busybox")
    for name in ("sh", "ls", "echo"):
        (tree / "bin" / name).symlink_to("busybox")
    image = f"{place}/image:1.0"
    for words in (
        ("init", "--layout", place / "image"),
        ("new", "--image", image),
        ("insert", *([] if ROOT else ["--rootless"]), "--image", image, tree, "/"),
    ):
        ran = run("umoci", *words)
        assert ran.returncode == 0, ran.stderr
    tool("ct", "pack", "-o", place / "x.ctp", f"oci:{image}", env=home)
    wrong, _, found = unpacked(opened(place / "x.ctp", home), place / "ours")
    assert wrong == [] and found["bin/busybox"]["digest"] == hashlib.sha256(Path(binary).read_bytes()).hexdigest()
    assert differences(found, umocis(place, image), (".", "mtime")) == []


def test_a_platform_of_an_index(place: Path, home: dict[str, str]) -> None:
    to = images.Layout(place / "image")
    entries = []
    for architecture in ("amd64", "arm64"):
        found = made.image(to, [layer(("file", architecture))], images.ZSTD, architecture=architecture)
        entries.append(found | {"platform": {"os": "linux", "architecture": architecture}})
    to.index(to.blob({"schemaVersion": 2, "mediaType": images.INDEX, "manifests": entries}, images.INDEX))
    tool("ct", "pack", "--platform", "all", "-o", place / "x.ctp", f"oci:{to.directory}", env=home)
    record = opened(place / "x.ctp", home)
    for architecture in ("amd64", "arm64"):
        wrong, _, found = unpacked(record, place / architecture, platform=f"linux/{architecture}")
        assert wrong == [] and sorted(found) == sorted([".", architecture])
    assert unpacked(record, place / "none", platform="linux/s390x")[0] == ["oci-platform"]


# -- what fails leaves nothing -----------------------------------------------------------------------------------------------


def test_what_is_wrong_leaves_nothing(place: Path, home: dict[str, str]) -> None:
    bad = {
        "diff-id-mismatch": ([layer(("file", "a"))], {"ids": ["sha256:" + "7" * 64]}),
        "layer-malformed": ([layer(("file", "a")), b"this is no tar"], {}),
        "layer-unsafe": ([layer(("dir", "a"), ("file", "a/b")), layer(("file", "a/../../b"))], {}),
    }
    for slug, (tars, more) in bad.items():
        record = bundle(place / slug, home, tars, **more)
        for path in (place / slug, place / slug / "image"):
            path.chmod(0o755)
        before = sorted(os.listdir(place))
        for uid in USERS:
            assert unpacked(record, place / "out", uid) == [[slug], {}, None]
            assert sorted(os.listdir(place)) == before
    # Nor does it begin where something is, whatever that is.
    record = bundle(place / "good", home, [layer(("file", "a"))])
    (place / "file").write_text("")
    (place / "link").symlink_to("nowhere")
    (place / "directory").mkdir()
    before = sorted(os.listdir(place))
    for name in ("file", "link", "directory", "directory/"):
        assert unpacked(record, place / name)[0] == ["destination-exists"]
    assert unpacked(record, place / "absent" / "x")[0] == ["file-unwritable"]
    assert sorted(os.listdir(place)) == before
    # A bundle whose bytes were altered is not even begun.
    raw = bytearray((place / "good" / "x.ctp").read_bytes())
    raw[record["content"][-1]["at"]["offset"] + 12] ^= 1
    (place / "good" / "x.ctp").write_bytes(raw)
    assert unpacked(opened(place / "good" / "x.ctp", home), place / "out")[0] == ["hash-mismatch"]
    assert sorted(os.listdir(place)) == before


def test_interrupted(place: Path, home: dict[str, str]) -> None:
    """A signal in the middle of a layer leaves nothing, not even of a tree that its owner may not look into."""
    entries = [("dir", "a" * 200, {"mode": 0}), *(("dir", "/".join(["d"] * depth), {"mode": 0o555}) for depth in range(1, 300))]
    record = bundle(
        place / "made", home, [layer(*entries), layer(("file", "x", {"data": bytes(3 << 20)}))], media_type=images.TAR
    )
    (place / "made").chmod(0o755)
    size = sum(entry["size"] for entry in record["content"])
    for uid in USERS:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            try:
                if uid is not None:
                    os.setgid(uid)
                    os.setuid(uid)
                interrupt.arm()
                done = [0]

                def progress(octets: int, done: list[int] = done, writing: int = writing) -> None:
                    done[0] += octets
                    # The second layer has begun.
                    if done[0] > tested.octets(record) - (1 << 20):
                        os.write(writing, b"x")
                        signal.pause()

                tested.write(record, str(place / "out"), progress)
            except KeyboardInterrupt:
                os._exit(7)
            finally:
                os._exit(1)
        os.close(writing)
        assert os.read(reading, 1) == b"x" and size
        hidden = [path for path in place.iterdir() if path.name.startswith(".out.ct-")]
        assert {stat.S_IMODE(path.stat().st_mode) for path in hidden} == {0o700} and len(hidden) == 2
        os.kill(child, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        os.close(reading)
        assert sorted(os.listdir(place)) == ["made"]


def test_deep_and_many(place: Path, home: dict[str, str]) -> None:
    """Deeper than a path may be long, through links; and a whiteout of it all. Few descriptors, and little memory, are needed."""
    entries: list[Any] = []
    for number in range(6):
        below = "/".join(["d" * 30] * 100)
        above = f"l{number - 1}/" if number else ""
        entries += [("file", f"{above}{below}/f"), ("symlink", f"l{number}", {"link": f"{above}{below}"})]
    entries += [("file", f"many/{number}") for number in range(3000)]
    entries += [("dir", f"dirs/{number}", {"mtime": number}) for number in range(300)]
    entries += [("file", f"dirs/{number}/x") for number in range(300)]
    record = bundle(place / "made", home, [layer(*entries), layer(("file", ".wh." + "d" * 30), ("file", "many/.wh..wh..opq"))])
    import resource

    def work() -> Any:
        limit = len(os.listdir("/proc/self/fd")) + 130
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        return [one["finding"] for one in tested.write(record, str(place / "out"))]

    assert as_user(None, work) == []
    found = listing(place / "out")
    assert sorted(name for name in found if "/" not in name) == [".", "dirs", *(f"l{number}" for number in range(6)), "many"]
    assert [found[f"dirs/{number}"]["mtime"] for number in range(300)] == [number * 10**9 for number in range(300)]
    assert len(found) == 8 + 600 + 1
