"""What hostile images, bundles, file names and surroundings have been made to do once, and do no longer."""

import gzip
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import alter
import pytest
from cerrotorre import case, dsse, images, jsonic, oci, signatures
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail
from conftest import BUILD, program
from images import GZIP, INDEX, TAR, Layout, make, tar
from small import BIN, environment, pair, run, tool, verdicts


class Place:
    """A directory with a key store, and `good`, a bundle that alice signed."""

    def __init__(self, root: Path) -> None:
        self.root, self.env = root, environment(root / "home")
        (root / "home").mkdir(mode=0o700)
        pair(root / "home", "alice")
        make("single", root / "single")
        self.pack(root / "single", "good.ctp")
        self.good = (root / "good.ctp").read_bytes()

    def pack(self, layout: Path, name: str, *options: str, status: int = 0) -> subprocess.CompletedProcess[Any]:
        return tool("ct", "pack", *options, "-o", name, f"oci:{layout}", env=self.env, cwd=self.root, status=status)

    def bundle(self, name: str, change: Callable[[Any], object]) -> str:
        made = alter.Bundle(self.good)
        change(made)
        (self.root / name).write_bytes(bytes(made))
        return name

    def statuses(self, *names: str) -> list[int]:
        return [said["status"] for said in verdicts(list(names), env=self.env, cwd=self.root)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("attacks"))


# -- two readers, two images --------------------------------------------------------------------------------------------------


def two_layers(directory: Path, claims: list[int], blobs: list[bytes] | None = None) -> Path:
    """A layout whose config gives to its two layers the diff_ids of the tars with these numbers."""
    tars = [tar({"good": b"good"}), tar({"evil": b"evil"}), bytes(1024)]
    layout = Layout(directory)
    layers = [layout.blob(data, GZIP) for data in blobs or [gzip.compress(data, mtime=0) for data in tars[:2]]]
    layout.index(layout.manifest(layout.config([sha256(tars[number]) for number in claims]), layers))
    return directory


@pytest.mark.parametrize("claims", [[0, 0], [0], [0, 1, 1], []], ids=str)
def test_diff_ids_that_hide_a_layer(place: Place, tmp_path: Path, claims: list[int]) -> None:
    """A reader of a docker-archive takes the first blob of a diff_id for every layer that claims it, and never opens the other."""
    made = place.pack(two_layers(tmp_path / "image", claims), "hidden.ctp", status=10)
    assert "diff_id" in made.stderr


def test_the_two_empty_layers_that_there_are(place: Place, tmp_path: Path) -> None:
    """Docker and BuildKit each have their gzip of an empty tar; images with both are real, and their bytes are known."""
    deflated = bytes.fromhex("621805a360148c5800080000ffff2eafb5ef00040000")
    blobs = [bytes.fromhex(head) + deflated for head in ("1f8b080000096e8800ff", "1f8b08000000000000ff")]
    assert [gzip.decompress(blob) for blob in blobs] == [bytes(1024)] * 2
    place.pack(two_layers(tmp_path / "image", [2, 2], blobs), "empty.ctp")
    assert place.statuses("empty.ctp") == [0]
    blobs[1] = gzip.compress(tar({"evil": b"evil"}), mtime=0)
    place.pack(two_layers(tmp_path / "other", [2, 2], blobs), "evil.ctp", status=10)


def test_schema_version_is_an_integer(place: Place, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "image")
    layers, ids = layout.layers()
    layout.index(layout.manifest(layout.config(ids), layers, schemaVersion=2.0))
    place.pack(tmp_path / "image", "float.ctp", status=10)


@pytest.mark.parametrize(
    ("source", "registry"),
    [
        ("nginx:1.26", "docker.io"),
        ("DOCKER.IO/library/nginx:1.26", "docker.io"),
        ("docker.io:443/library/nginx:1.26", "docker.io"),
        ("docker.io/library/nginx:1.26", "library"),
        ("docker.io/library/nginx:1.26", "docker.io/x"),
        ("docker.io/library/nginx", "docker.io"),
    ],
)
def test_a_source_has_one_spelling(source: str, registry: str) -> None:
    """The name that runtimes get is the source as it is written; the name that policies judge is what it is read as."""
    assert case.source_of({"provenance": {"source": source, "registry": registry}}) is None
    assert case.source_of({"provenance": {"source": "docker.io/library/nginx:1.26", "registry": "docker.io"}}) is not None


# -- more work than there are bytes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", ["linux/riscv64", "linux/amd64", "all"])
def test_indexes_that_name_each_other_many_times(tmp_path: Path, platform: str) -> None:
    """Four indexes of 100 entries are 100,000,000 paths, and five documents."""
    layout = Layout(tmp_path / "image")
    entry = layout.image(architecture="riscv64") | {"platform": {"os": "linux", "architecture": "riscv64"}}
    for _ in range(4):
        entry = layout.blob({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] * 100}, INDEX)
    layout.index(entry)
    source = images.layout(str(tmp_path / "image"), None)
    begun = time.monotonic()
    if platform == "all":
        assert len(oci.describe(source.root, source.read)["content"]) == 8
        assert list(images.elsewhere(source.root, source.read)) == []
    elif platform == "linux/riscv64":
        assert images.select(source, platform)["platform"]["architecture"] == "riscv64"
    else:
        with pytest.raises(Fail, match="no image for"):
            images.select(source, platform)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("value", [b"[]", b"{}", b"0", b'""'])
def test_many_values_are_refused_before_they_are_made(value: bytes) -> None:
    line = b'{"envelope":"x","evidence":"x","z":[' + b",".join([value] * (5 << 20)) + b"]}"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Fail, match="values"):
        dsse.parse_line(line, 1)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


@pytest.mark.parametrize(
    ("text", "deep"),
    [
        ("[" * 65 + "]" * 65, True),
        ("[" * 64 + "]" * 64, False),
        ('["' + "[" * 100 + '"]', False),
        ('["\\"' + "[" * 100 + '"]', False),
        ('["\\\\",' + "[" * 64 + "]" * 65, True),
        ('["\\\\\\"' + "[" * 100 + '"]', False),
        ("[" + "[]," * 100 + "0]", False),
    ],
)
def test_depth_is_counted_outside_strings(text: str, deep: bool) -> None:
    assert jsonic.too_deep(text) is deep


def test_an_image_of_more_files_than_can_be_open(place: Place, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "image")
    layers = [layout.blob(b"layer %d" % number, TAR) for number in range(100)]
    layout.index(layout.manifest(layout.config([layer["digest"] for layer in layers]), layers))

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    for output in ("many.ctp", "-"):
        made = run(
            BIN / "ct", "pack", "-o", output, f"oci:{tmp_path}/image", env=place.env, cwd=place.root, text=False, preexec_fn=few
        )
        assert made.returncode == 0, made.stderr
    assert made.stdout == (place.root / "many.ctp").read_bytes()


# -- one bundle beside others ---------------------------------------------------------------------------------------------------


def stranger(bundle: Any, **claims: str) -> bytes:
    """An envelope that nobody signed and that says what it likes."""
    nobody = {"suite_id": "CT-SIG-01", "key_id": "x", "fingerprint": "SHA256:" + "0" * 64}
    said = bundle.statement(nobody)
    said["predicate"] |= claims
    return dsse.write(jsonic.canonical(said), [(nobody["fingerprint"], bytes(64))])


def test_a_record_that_would_be_too_long_stops_no_other(place: Place) -> None:
    def escapes(bundle: Any) -> None:
        """Every octet of the canonical text is two in JSON, and of the evidence too."""
        said = bundle.manifest()
        said["ext"] = {"quotes": '"' * 2_000_000}
        bundle.set_manifest(said)
        lines = [jsonic.canonical({"envelope": "x", "evidence": "x", "n": n, "z": "\\" * 31_000}) for n in range(64)]
        bundle.set_lines(lines)

    claims = place.bundle("claims.ctp", lambda b: b.set_lines([*b.lines(), stranger(b, key_id="K" * (20 << 20))]))
    large = place.bundle("escapes.ctp", escapes)
    assert place.statuses(claims, large, "good.ctp") == [0, 10, 0]


def test_refusals_quote_little(place: Place) -> None:
    def kind(bundle: Any) -> None:
        bundle["manifest.toml"].data = bundle["manifest.toml"].data.replace(
            b'"container_image"', b'"' + b"x" * (3 << 20) + b'"'
        )

    def key(bundle: Any) -> None:
        name = b"k" * (3 << 20)
        bundle["manifest.toml"].data = name + b" = true\n" + bundle["manifest.toml"].data

    twice = b'{"' + b"k" * (9 << 20) + b'":1,"' + b"k" * (9 << 20) + b'":1}'
    for change in (kind, key, lambda bundle: bundle.set_lines([twice])):
        name = place.bundle("long.ctp", change)
        made = tool("ct", "verify", name, env=place.env, cwd=place.root, status=10)
        assert len(made.stdout + made.stderr) < 4000


def test_content_without_a_document(place: Place) -> None:
    """A bundle that names no manifest of the image is refused, and no bug of ours."""

    def roles(bundle: Any) -> None:
        said = bundle.manifest()
        for entry in said["content"]:
            entry["role"] = "other"
        bundle.set_manifest(said)
        bundle.unsign()

    name = place.bundle("roles.ctp", roles)
    tool("ct", "verify", "--all", name, env=place.env, cwd=place.root, status=2)
    tool("ct", "sign", "-o", "signed.ctp", name, env=place.env, cwd=place.root, status=10)
    assert not (place.root / "signed.ctp").exists()


def test_rotations_are_followed_to_their_end() -> None:
    keys = [{"key_id": old, "rotated_into": new} for old, new in (("a", "b"), ("b", "c"), ("x", "y"), ("y", "x"))]
    assert [signatures._last(key, keys) for key in "abcxyz"] == ["c", "c", "c", "x", "x", "z"]


# -- where it runs ----------------------------------------------------------------------------------------------------------------


def test_names_of_files_are_no_terminal_controls(place: Place, tmp_path: Path) -> None:
    name = "a\nsha256:0  b\x9b31m\u202e\x1b]0;x\x07"
    (tmp_path / name).write_text("x")
    said = [
        tool("ct", "verify", "--" + name, env=place.env, cwd=tmp_path, status=64).stderr,
        tool("ct", name, env=place.env, cwd=tmp_path, status=64).stderr,
        tool("ct-hash", name, env=place.env, cwd=tmp_path).stdout,
        tool("ct-canon", "--json", "x" + name, env=place.env, cwd=tmp_path, status=11).stdout,
    ]
    for text in said:
        assert not set(text) & set("\x9b\u202e\x1b\x07")
        assert "\nsha256:0" not in text


def test_a_working_directory_that_is_not_utf8(place: Place, tmp_path: Path) -> None:
    where = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(where)
    with open(where + b"/good.ctp", "wb") as file:
        file.write(place.good)
    tool("ct", "verify", "good.ctp", env=place.env, cwd=where)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's link")
def test_a_link_that_another_user_planted(place: Place, tmp_path: Path) -> None:
    shared, target = tmp_path / "shared", tmp_path / "precious"
    shared.mkdir()
    shared.chmod(0o1777)
    target.write_text("precious")
    for name, owner, status in (("mine.ctp", 0, 0), ("planted.ctp", 12345, 11), ("dangling.ctp", 12345, 11)):
        (shared / name).symlink_to(target if name != "dangling.ctp" else tmp_path / "nothing")
        os.lchown(shared / name, owner, owner)
        before = target.read_bytes()
        place.pack(place.root / "single", str(shared / name), status=status)
        assert (target.read_bytes() == before) is (status != 0)
    assert not (tmp_path / "nothing").exists()


def test_openssl_loads_nothing_that_the_environment_names(place: Place, tmp_path: Path) -> None:
    """`sudo -E ct verify` must not run the caller's code."""
    (tmp_path / "evil.c").write_text('#include <stdio.h>\n__attribute__((constructor)) static void f(void) { puts("EVIL"); }\n')
    compiled = run(program("cc", "gcc", "clang"), "-shared", "-fPIC", "-o", tmp_path / "evil.so", tmp_path / "evil.c")
    assert compiled.returncode == 0, compiled.stderr
    lines = [
        "openssl_conf = a",
        "[a]",
        "providers = b",
        "[b]",
        "evil = c",
        "[c]",
        f"module = {tmp_path}/evil.so",
        "activate = 1",
    ]
    (tmp_path / "openssl.cnf").write_text("\n".join(lines) + "\n")
    made = tool("ct-hash", "good.ctp", env={**place.env, "OPENSSL_CONF": str(tmp_path / "openssl.cnf")}, cwd=place.root)
    assert "EVIL" not in made.stdout + made.stderr


def test_nor_does_the_openssl_of_ml_dsa(place: Place, tmp_path: Path) -> None:
    """cryptography brings an OpenSSL of its own, which asks the same variables."""
    (tmp_path / "evil.c").write_text(
        '#include <stdio.h>\n__attribute__((constructor)) static void f(void) { fputs("EVIL", stderr); }\n'
    )
    (tmp_path / "lib").mkdir()
    # Where OPENSSL_MODULES says, a provider is found by its name.
    compiled = run(program("cc", "gcc", "clang"), "-shared", "-fPIC", "-o", tmp_path / "lib/evil.so", tmp_path / "evil.c")
    assert compiled.returncode == 0, compiled.stderr
    (tmp_path / "openssl.cnf").write_text("openssl_conf = a\n[a]\nproviders = b\n[b]\nevil = c\n[c]\nactivate = 1\n")
    env = {**place.env, "OPENSSL_CONF": str(tmp_path / "openssl.cnf"), "OPENSSL_MODULES": str(tmp_path / "lib")}
    path = [str(BUILD / "lib/cerro-torre"), str(BUILD / "lib/cerro-torre/vendor")]
    code = f"import sys; sys.path[:0] = {path}; from cerrotorre import suites; suites.generate('CT-SIG-02')"
    assert "EVIL" in run(sys.executable, "-IS", "-c", code, env=env).stderr, "it would, but for the stub of the tools"
    tool("ct", "keygen", "--id", "two", "--suite", "CT-SIG-02", "--no-password", env=place.env)
    for words in (("pack", "-k", "two", "-o", "two.ctp", "oci:single"), ("verify", "two.ctp")):
        assert "EVIL" not in tool("ct", *words, env=env, cwd=place.root).stderr
