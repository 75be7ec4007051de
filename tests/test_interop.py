"""Other programs read what Cerro Torre makes, and find the same in it; and Cerro Torre reads what others made.

Each test needs its program and is a visible skip without it.
"""

import copy
import hashlib
import json
import os
import random
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docs
import predicates
import pytest
from cerrotorre import b64, digest, dsse, jsonic, keystore, oci, predicate, signatures, statement
from cerrotorre.errors import Fail
from conftest import ROOT
from images import GZIP, MANIFEST, TAR, Layout, docker, multi, tar
from small import environment, header, members, packed, pair, rebuilt, run, tool

BUSYBOX = ("/bin/busybox", "/usr/bin/busybox")


def needs(*programs: str) -> None:
    missing = [name for name in programs if not shutil.which(name)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


class Place:
    def __init__(self, root: Path) -> None:
        self.root, self.home = root, root / "home"
        self.home.mkdir(mode=0o700)
        self.env = environment(self.home)
        for key in ("alice", "bob"):
            pair(self.home, key)

    def pack(self, name: str, make: Any, *options: str) -> Path:
        layout = Layout(self.root / f"{name}-layout")
        make(layout)
        path = self.root / f"{name}.ctp"
        tool("ct", "pack", "-k", "alice", "--name", name, *options, "-o", path, f"oci:{layout.directory}:1.0", env=self.env)
        tool("ct", "verify", path, env=self.env)
        return path

    def layout(self, path: Path) -> Path:
        """The bundle, unpacked by tar into a directory: an OCI layout."""
        to = path.with_suffix(".unpacked")
        if not to.is_dir():
            to.mkdir()
            assert run("tar", "-xf", path, "-C", to).returncode == 0
        return to


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("interop"))


@pytest.fixture(scope="module")
def image(place: Place) -> Path:
    return place.pack("single", runnable)


@pytest.fixture(scope="module")
def many(place: Place) -> Path:
    return place.pack("many", multi, "--platform", "all")


def runnable(to: Layout) -> None:
    """An image that can be run, where a static busybox is here to be put into it."""
    busybox = next((Path(path).read_bytes() for path in BUSYBOX if Path(path).exists()), b"#!/bin/true\n")
    files = tar({"bin/busybox": busybox})
    # The builder's files are 0644; this one must run.
    low = header(b"bin/busybox", len(busybox), mode=b"0000755") + files[512:]
    top = tar({"etc/motd": b"hello from a bundle\n"})
    layers = [to.blob(low, TAR), to.blob(gz(top), GZIP)]
    config = to.config(
        [digest.sha256(low), digest.sha256(top)], config={"Entrypoint": ["/bin/busybox"], "Cmd": ["cat", "/etc/motd"]}
    )
    to.index(to.manifest(config, layers, annotations={"org.opencontainers.image.title": "Runnable"}))


def gz(data: bytes) -> bytes:
    import gzip

    return gzip.compress(data, mtime=0)


def image_digest(path: Path) -> str:
    raw = path.read_bytes()
    return str(json.loads(members(raw)[1].content(raw))["image"]["digest"])


# -- tar -----------------------------------------------------------------------------------------------------------------------


def test_gnu_tar(image: Path, place: Place) -> None:
    needs("tar")
    made = run("tar", "-tvf", image, env={**os.environ, "TZ": "UTC", "LC_ALL": "C"})
    assert made.returncode == 0 and made.stderr == ""
    names = [member.name for member in members(image.read_bytes())]
    listed = made.stdout.splitlines()
    assert [line.split()[-1] for line in listed] == names
    for line in listed:
        assert re.match(r"(-rw-r--r--|drwxr-xr-x) 0/0 +\d+ 1970-01-01 00:00 ", line), line
    to = place.layout(image)
    # -d compares; the directory's owner and times are this user's, so only what lies in the files counts.
    made = run("tar", "-df", image, "-C", to, env={**os.environ, "LC_ALL": "C"})
    assert not [line for line in made.stdout.splitlines() if "Contents differ" in line or "Size differs" in line], made.stdout


def test_gnu_tar_makes_the_same_headers(place: Place, tmp_path: Path) -> None:
    needs("tar")
    if "GNU tar" not in run("tar", "--version").stdout:
        pytest.skip("tar is not GNU tar")
    (tmp_path / "blobs" / "sha256").mkdir(parents=True)
    rng = random.Random(4)
    for size in (0, 1, 511, 512, 513, 4096):
        data = rng.randbytes(size)
        name = f"blobs/sha256/{hashlib.sha256(data).hexdigest()}"
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o644)
        options = ["--format=ustar", "--numeric-owner", "--owner=0", "--group=0", "--mtime=@0", "--no-recursion", "-b", "2"]
        made = run("tar", *options, "--mode=0644", "-cf", "-", name, cwd=tmp_path, text=False)
        assert made.returncode == 0, made.stderr
        assert made.stdout[: len(packed(name, data))] == packed(name, data)


def test_python_tarfile(image: Path) -> None:
    raw = image.read_bytes()
    with tarfile.open(image, "r:", errorlevel=2) as archive:
        found = archive.getmembers()
        assert [info.name + ("/" if info.isdir() else "") for info in found] == [member.name for member in members(raw)]
        for info, member in zip(found, members(raw), strict=True):
            assert (info.uid, info.gid, info.uname, info.gname, info.mtime) == (0, 0, "", "", 0)
            if info.isfile():
                held = archive.extractfile(info)
                assert held is not None and held.read() == member.content(raw)


# -- skopeo, umoci, podman, buildah --------------------------------------------------------------------------------------------


def test_skopeo_inspect(image: Path) -> None:
    needs("skopeo")
    for transport in ("oci-archive", "docker-archive"):
        made = run("skopeo", "inspect", f"{transport}:{image}")
        assert made.returncode == 0, made.stderr
        said = json.loads(made.stdout)
        assert (said["Os"], said["Architecture"], len(said["Layers"])) == ("linux", "amd64", 2)
        if transport == "oci-archive":
            # A docker-archive has no manifest of its own, so skopeo makes one up.
            assert said["Digest"] == image_digest(image)
    config = run("skopeo", "inspect", "--config", f"docker-archive:{image}")
    assert json.loads(config.stdout)["config"]["Cmd"] == ["cat", "/etc/motd"]


def test_skopeo_finds_the_names(image: Path) -> None:
    needs("skopeo")
    made = run("skopeo", "list-tags", f"docker-archive:{image}")
    if made.returncode and "unknown" in made.stderr.lower():
        pytest.skip("this skopeo lists no tags of archives")
    assert json.loads(made.stdout)["Tags"] == ["localhost/single:1.0"]
    assert run("skopeo", "inspect", f"docker-archive:{image}:localhost/single:1.0").returncode == 0
    assert run("skopeo", "inspect", f"oci-archive:{image}:1.0").returncode == 0
    assert run("skopeo", "inspect", f"oci-archive:{image}:2.0").returncode != 0


@pytest.mark.parametrize("which", ["image", "many", "docker"])
def test_skopeo_copy_keeps_every_digest(which: str, place: Place, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    needs("skopeo")
    path = place.pack("docker2", docker) if which == "docker" else request.getfixturevalue(which)
    expected = image_digest(path)
    blobs = {member.name[13:]: member.content(path.read_bytes()) for member in members(path.read_bytes())[5:] if member.size}
    blobs = {name: data for name, data in blobs.items() if re.fullmatch("[0-9a-f]{64}", name)}
    copy_all = ["--all"] if which == "many" else []
    for to in ("dir", "oci"):
        command = [
            "skopeo",
            "copy",
            "--quiet",
            "--preserve-digests",
            *copy_all,
            f"oci-archive:{path}",
            f"{to}:{tmp_path / to}:1.0",
        ]
        if to == "dir":
            command[-1] = f"dir:{tmp_path / to}"
        made = run(*command)
        assert made.returncode == 0, made.stderr
        held = {hashlib.sha256(file.read_bytes()).hexdigest() for file in (tmp_path / to).rglob("*") if file.is_file()}
        assert held >= set(blobs)
    assert "sha256:" + hashlib.sha256((tmp_path / "dir" / "manifest.json").read_bytes()).hexdigest() == expected
    (entry,) = json.loads((tmp_path / "oci" / "index.json").read_text())["manifests"]
    assert entry["digest"] == expected
    # And packed again: the same image.
    again = tmp_path / "again.ctp"
    platform = ["--platform", "all"] if which == "many" else []
    tool("ct", "pack", "--no-sign", *platform, "-o", again, f"oci:{tmp_path / 'oci'}:1.0", env=place.env)
    assert image_digest(again) == expected


def test_the_unpacked_bundle_is_a_layout(image: Path, many: Path, place: Place, tmp_path: Path) -> None:
    for path, options in ((image, []), (many, ["--platform", "all"])):
        to = place.layout(path)
        again = tmp_path / path.name
        tool("ct", "pack", "--no-sign", *options, "-o", again, f"oci:{to}:1.0", env=place.env)
        assert image_digest(again) == image_digest(path)


def test_umoci_unpack(image: Path, place: Place, tmp_path: Path) -> None:
    needs("umoci")
    made = run("umoci", "unpack", "--rootless", "--image", f"{place.layout(image)}:1.0", tmp_path / "rootfs")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "rootfs" / "rootfs" / "etc" / "motd").read_text() == "hello from a bundle\n"
    assert run("umoci", "stat", "--image", f"{place.layout(image)}:1.0").returncode == 0
    assert run("umoci", "list", "--layout", place.layout(image)).stdout.split() == ["1.0"]


class Podman:
    """podman or buildah with a storage of its own, as it runs inside a container too."""

    def __init__(self, root: Path) -> None:
        self.root = root
        conf = root / "containers.conf"
        conf.write_text(
            '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
            '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        )
        (root / "registries.conf").write_text("")
        self.env = {
            **os.environ,
            "CONTAINERS_CONF": str(conf),
            "TMPDIR": str(root),
            "HOME": str(root),
            "XDG_RUNTIME_DIR": str(root),
        }
        self.driver = "vfs"

    def __call__(self, program: str, *arguments: object) -> Any:
        return run(
            program,
            f"--root={self.root}/storage",
            f"--runroot={self.root}/run",
            f"--storage-driver={self.driver}",
            *arguments,
            env=self.env,
        )


@pytest.fixture
def storage() -> Iterator[Path]:
    """A directory with a short name: podman refuses a --runroot of more than 50 characters."""
    with tempfile.TemporaryDirectory(prefix="ct", dir="/tmp", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture
def podman(storage: Path) -> Podman:
    needs("podman", "runc")
    made = Podman(storage)
    info = made("podman", "info")
    if info.returncode:
        pytest.skip(f"podman does not work here: {info.stderr.strip().splitlines()[-1][:200]}")
    return made


def test_podman_load(image: Path, podman: Podman, place: Place) -> None:
    made = podman("podman", "load", "-q", "-i", image)
    assert made.returncode == 0, made.stderr
    said = podman("podman", "image", "inspect", "localhost/single:1.0")
    assert said.returncode == 0, (made.stdout, podman("podman", "images").stdout, said.stderr)
    (found,) = json.loads(said.stdout)
    assert found["Digest"] == image_digest(image)
    manifest = next(
        m.content(image.read_bytes()) for m in members(image.read_bytes()) if m.name.endswith(image_digest(image)[7:])
    )
    assert found["Id"] == json.loads(manifest)["config"]["digest"][7:]


def test_podman_run(image: Path, podman: Podman) -> None:
    if not any(Path(path).exists() for path in BUSYBOX):
        pytest.skip("not installed: busybox-static")
    made = podman("podman", "run", "--rm", "--network=none", f"oci-archive:{image}")
    if made.returncode and re.search("cgroup|permission|not permitted|mount|runc", made.stderr, re.I):
        pytest.skip(f"containers do not run here: {made.stderr.strip().splitlines()[-1][:200]}")
    assert (made.returncode, made.stdout) == (0, "hello from a bundle\n"), made.stderr


def test_podman_loads_one_of_many(many: Path, podman: Podman) -> None:
    made = podman("podman", "pull", "-q", f"oci-archive:{many}")
    assert made.returncode == 0, made.stderr
    (found,) = json.loads(podman("podman", "image", "inspect", made.stdout.strip()).stdout)
    assert found["Os"] == "linux"


def test_buildah_pull(image: Path, storage: Path) -> None:
    needs("buildah", "runc")
    buildah = Podman(storage)
    made = buildah("buildah", "pull", "-q", f"oci-archive:{image}")
    if made.returncode and re.search("permission|not permitted|namespace", made.stderr, re.I):
        pytest.skip(f"buildah does not work here: {made.stderr.strip().splitlines()[-1][:200]}")
    assert made.returncode == 0, made.stderr
    listed = json.loads(buildah("buildah", "images", "--json").stdout)
    assert [entry["digest"] for entry in listed] == [image_digest(image)]


# -- by hand -------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script of ct-by-hand(7), as it stands there."""
    found = re.search(r"^\.Bd -literal\n(.*?)^\.Ed$", (ROOT / "man" / "ct-by-hand.7").read_text(), re.M | re.S)
    assert found
    path = tmp_path_factory.mktemp("hand") / "by-hand"
    path.write_text("\n".join(map(docs.plain, found[1].splitlines())) + "\n")
    return path


def by_hand(script: Path, path: Path, key: Path, shell: str = "sh") -> Any:
    return run(*shell.split(), script, path, key, env={"PATH": os.environ["PATH"]})


@pytest.mark.parametrize("shell", ["sh", "dash", "bash --posix", "busybox sh"])
def test_by_hand(script: Path, image: Path, many: Path, place: Place, shell: str) -> None:
    needs("openssl", "tar", "sha256sum", "base64", shell.split()[0])
    for path in (image, many):
        made = by_hand(script, path, place.home / "keys" / "alice.pub", shell)
        assert made.returncode == 0, made.stderr
        assert made.stdout.startswith("valid: ") and image_digest(path) in made.stdout


def test_by_hand_refuses(script: Path, image: Path, many: Path, place: Place, tmp_path: Path) -> None:
    needs("openssl", "tar", "sha256sum", "base64")
    keys = place.home / "keys"
    refused = by_hand(script, image, keys / "bob.pub")
    assert refused.returncode == 1 and "nothing by" in refused.stderr
    raw, other = image.read_bytes(), many.read_bytes()
    held = {member.name: member.content(raw) for member in members(raw)}
    layer = next(name for name in reversed(held) if len(name) > 13 and name.startswith("blobs/sha256/"))
    first = members(raw)[0].content(raw)
    theirs = {member.name: member.content(other) for member in members(other)}["attestations.jsonl"]
    line = json.loads(held["attestations.jsonl"])
    altered = copy.deepcopy(line)
    altered["payload"] = b64.encode(b64.decode(line["payload"]).replace(b'"version":"1.0"', b'"version":"1.1"'))
    extra = packed("blobs/sha256/" + "0" * 64, b"x")
    mutants = {
        "a blob": rebuilt(raw, {layer: b"\0" + held[layer][1:]}),
        "a blob less": rebuilt(raw, {layer: None}),
        "a blob more": raw[:-1024] + extra + bytes(1024),
        "a member twice": raw[:-1024] + packed("index.json", b"{}\n") + bytes(1024),
        "manifest": rebuilt(raw, {"manifest.toml": first.replace(b'"1.0"\n', b'"1.1"\n')}),
        "attestations of another": rebuilt(raw, {"attestations.jsonl": theirs}),
        "a payload": rebuilt(raw, {"attestations.jsonl": jsonic.canonical(altered) + b"\n"}),
        "unsigned": rebuilt(raw, {"attestations.jsonl": b""}),
        "index.json": rebuilt(
            raw, {"index.json": held["index.json"].replace(image_digest(image).encode(), b"sha256:" + b"0" * 64)}
        ),
    }
    for what, data in mutants.items():
        assert data != raw, what
        (tmp_path / "x.ctp").write_bytes(data)
        made = by_hand(script, tmp_path / "x.ctp", keys / "alice.pub")
        assert made.returncode == 1 and "NOT VALID" in made.stderr, (what, made.stdout, made.stderr)


def test_by_hand_with_two_signers_and_an_attestation(script: Path, image: Path, place: Place, tmp_path: Path) -> None:
    needs("openssl", "tar", "sha256sum", "base64")
    path = tmp_path / "two.ctp"
    shutil.copy(image, path)
    tool("ct", "sign", "-k", "bob", path, env=place.env)
    for kind, document in predicates.KINDS.items():
        (tmp_path / f"{kind}.json").write_text(json.dumps(document))
    attached = ["--sbom", tmp_path / "sbom.json", "--provenance", tmp_path / "provenance.json"]
    more = place.pack("by-hand", runnable, *attached)
    tool("ct", "sign", "-k", "bob", *attached, more, env=place.env)
    for key in ("alice", "bob"):
        for made in (path, more):
            assert by_hand(script, made, place.home / "keys" / f"{key}.pub").returncode == 0


def test_the_page_renders_the_script(script: Path) -> None:
    needs("mandoc")
    made = run("mandoc", "-Tutf8", "-O", "width=200", ROOT / "man" / "ct-by-hand.7").stdout
    shown = [re.sub(".\b", "", line).strip() for line in made.splitlines()]
    for line in script.read_text().splitlines():
        assert line.strip() in shown, line


# -- DSSE ----------------------------------------------------------------------------------------------------------------------


def sslib() -> Any:
    pytest.importorskip("securesystemslib")
    pytest.importorskip("cryptography")
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
    from securesystemslib import dsse as theirs
    from securesystemslib.signer import CryptoSigner, SSlibKey

    return theirs.Envelope, SSlibKey, CryptoSigner, load_pem_public_key, load_pem_private_key


def their_key(place: Place, key_id: str) -> tuple[str, Any]:
    _, key_type, _, load, _ = sslib()
    text = (place.home / "keys" / f"{key_id}.pub").read_text()
    keyid = re.search("^Fingerprint: (.*)$", text, re.M)
    assert keyid
    return keyid[1], key_type.from_crypto(load(text[text.index("-----BEGIN") :].encode()), keyid[1])


def test_securesystemslib_verifies_ours(image: Path, place: Place) -> None:
    envelope_type, *_ = sslib()
    raw = image.read_bytes()
    (line,) = next(m.content(raw) for m in members(raw) if m.name == "attestations.jsonl").splitlines()
    keyid, key = their_key(place, "alice")
    envelope = envelope_type.from_dict(json.loads(line))
    assert set(envelope.verify([key], 1)) == {keyid}
    assert envelope.pae() == dsse.pae(dsse.PAYLOAD_TYPE, b64.decode(json.loads(line)["payload"]))
    from securesystemslib.exceptions import VerificationError

    envelope.payload += b" "
    with pytest.raises(VerificationError):
        envelope.verify([key], 1)


def test_securesystemslib_verifies_statements(image: Path, place: Place) -> None:
    """Each statement about the image is an ordinary DSSE envelope around an ordinary in-toto Statement."""
    envelope_type, *_ = sslib()
    for kind, document in predicates.KINDS.items():
        (place.root / f"{kind}.json").write_text(json.dumps(document))
    options = [option for kind in predicates.KINDS for option in (f"--{kind}", str(place.root / f"{kind}.json"))]
    raw = place.pack("attested", runnable, *options).read_bytes()
    lines = next(m.content(raw) for m in members(raw) if m.name == "attestations.jsonl").splitlines()
    keyid, key = their_key(place, "alice")
    for line, (kind, document) in zip(lines[:2], predicates.KINDS.items(), strict=True):
        envelope = envelope_type.from_dict(json.loads(line))
        assert set(envelope.verify([key], 1)) == {keyid}
        said = json.loads(envelope.payload)
        assert said["_type"] == "https://in-toto.io/Statement/v1" and said["predicateType"] == predicate.TYPES[kind][0]
        assert [subject["digest"] for subject in said["subject"]] == [{"sha256": image_digest(place.root / "attested.ctp")[7:]}]
        assert said["predicate"] == document
    signature = json.loads(b64.decode(json.loads(lines[2])["payload"]))
    assert signature["predicate"]["attestations"] == [digest.sha256(line) for line in lines[:2]]


def test_statements_by_securesystemslib_count(image: Path, place: Place, tmp_path: Path) -> None:
    """A statement that another program signed, by a key we know, is judged as ours are."""
    envelope_type, _, signer_type, _, load_private = sslib()
    raw = image.read_bytes()
    held = {member.name: member.content(raw) for member in members(raw)}
    _, key = their_key(place, "alice")
    signer = signer_type(load_private((place.home / "keys" / "alice.key").read_bytes(), None), key)
    envelope = envelope_type(jsonic.canonical(predicates.statement("provenance", image_digest(image))), dsse.PAYLOAD_TYPE, {})
    envelope.sign(signer)
    path = tmp_path / "x.ctp"
    line = jsonic.canonical(envelope.to_dict())
    path.write_bytes(rebuilt(raw, {"attestations.jsonl": held["attestations.jsonl"] + line + b"\n"}))
    (tmp_path / "p.json").write_text('{"version":"1","require_attestations":{"provenance":true}}')
    verdict = json.loads(tool("ct", "verify", "--json", "--policy", tmp_path / "p.json", path, env=place.env).stdout)
    (one,) = [one for one in verdict["signatures"] if one["kind"] == "attestation"]
    assert (one["status"], one["schema"], one["about"]["builder"]) == ("valid", "valid", "https://ci.example/builder/v3")
    assert "signed_at" not in one, "no signature lists it"


def test_ours_accepts_securesystemslibs(image: Path, place: Place, tmp_path: Path) -> None:
    """A signature made by securesystemslib with cryptography's Ed25519, from the key file that ct wrote, is as good as ours."""
    envelope_type, _, signer_type, _, load_private = sslib()
    raw = image.read_bytes()
    held = {member.name: member.content(raw) for member in members(raw)}
    ours = json.loads(held["attestations.jsonl"])
    _, key = their_key(place, "alice")
    private = load_private((place.home / "keys" / "alice.key").read_bytes(), None)
    envelope = envelope_type(b64.decode(ours["payload"]), dsse.PAYLOAD_TYPE, {})
    envelope.sign(signer_type(private, key))
    line = jsonic.canonical(envelope.to_dict())
    assert line + b"\n" == held["attestations.jsonl"], "Ed25519 is deterministic, so the envelopes are the same bytes"
    # Another statement, which securesystemslib alone signed.
    said = json.loads(b64.decode(ours["payload"]))
    said["predicate"]["signed_at"] = "2026-06-01T00:00:00Z"
    envelope = envelope_type(jsonic.canonical(said), dsse.PAYLOAD_TYPE, {})
    envelope.sign(signer_type(private, key))
    path = tmp_path / "theirs.ctp"
    path.write_bytes(rebuilt(raw, {"attestations.jsonl": jsonic.canonical(envelope.to_dict()) + b"\n"}))
    verdict = json.loads(tool("ct", "verify", "--json", path, env=place.env).stdout)
    assert [(one["status"], one["signed_at"]) for one in verdict["signatures"]] == [("valid", "2026-06-01T00:00:00Z")]


def test_judge_accepts_securesystemslibs(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    envelope_type, _, signer_type, _, load_private = sslib()
    monkeypatch.setenv("CT_HOME", str(place.home))
    keys, notes = keystore.load()
    assert not notes and [key["key_id"] for key in keys] == ["alice", "bob"]
    manifest = {"name": "x", "version": "1", "image_digest": digest.sha256(b"image")}
    payload = statement.make(manifest, digest.sha256(b"m"), keys[0], "2026-01-01T00:00:00Z", [], None)
    _, key = their_key(place, "alice")
    envelope = envelope_type(payload, dsse.PAYLOAD_TYPE, {})
    envelope.sign(signer_type(load_private((place.home / "keys" / "alice.key").read_bytes(), None), key))
    _, parsed = dsse.parse_line(jsonic.canonical(envelope.to_dict()), 1)
    made, wrong = signatures.judge([parsed], [], manifest, digest.sha256(b"m"), keys)
    assert not wrong and made[0]["status"] == "valid" and made[0]["key_id"] == "alice"


def test_openssl_signs_what_we_accept(image: Path, place: Place, tmp_path: Path) -> None:
    """A signature by openssl pkeyutl over the PAE."""
    needs("openssl")
    raw = image.read_bytes()
    held = {member.name: member.content(raw) for member in members(raw)}
    ours = json.loads(held["attestations.jsonl"])
    said = json.loads(b64.decode(ours["payload"]))
    said["predicate"]["signed_at"] = "2026-07-01T00:00:00Z"
    payload = jsonic.canonical(said)
    (tmp_path / "pae").write_bytes(dsse.pae(dsse.PAYLOAD_TYPE, payload))
    key = place.home / "keys" / "alice.key"
    made = run("openssl", "pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", tmp_path / "pae", "-out", tmp_path / "sig")
    assert made.returncode == 0, made.stderr
    entry = {"keyid": ours["signatures"][0]["keyid"], "sig": b64.encode((tmp_path / "sig").read_bytes())}
    line = jsonic.canonical({"payload": b64.encode(payload), "payloadType": dsse.PAYLOAD_TYPE, "signatures": [entry]})
    path = tmp_path / "x.ctp"
    path.write_bytes(rebuilt(raw, {"attestations.jsonl": line + b"\n"}))
    tool("ct", "verify", path, env=place.env)


# -- published vectors -------------------------------------------------------------------------------------------------------


def test_dsse_vector(vectors: Path) -> None:
    text = (vectors / "dsse" / "protocol.md.txt").read_text()
    blocks = re.findall(r"^([A-Z]\w*):\n\n```none\n(.*?)\n```", text, re.M | re.S)
    found = dict(blocks)
    assert found["PAE"] == dsse.pae("http://example.com/HelloWorld", b"hello world").decode()
    envelope = json.loads(re.findall(r"```json\n(.*?)\n```", text, re.S)[-1])
    assert b64.decode(envelope["payload"]) == b"hello world"


@pytest.mark.parametrize("name", ["arrays", "french", "structures", "unicode", "values", "weird"])
def test_rfc8785_vectors(vectors: Path, name: str) -> None:
    directory = vectors / "jcs-rfc8785"
    # Some hold numbers beyond what integers may be here, so a plain parser reads them.
    value = json.loads((directory / "input" / f"{name}.json").read_bytes())
    made = jsonic.canonical(value)
    assert made == (directory / "output" / f"{name}.json").read_bytes()
    assert made == bytes.fromhex((directory / "outhex" / f"{name}.txt").read_text())


@pytest.mark.parametrize(
    "bits, expected",
    [
        # RFC 8785, Appendix B.
        ("0000000000000000", "0"), ("8000000000000000", "0"), ("0000000000000001", "5e-324"), ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"), ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"), ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"), ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"), ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"), ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"), ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"), ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"), ("41b3de4355555554", "333333333.33333325"),
        ("41b3de4355555555", "333333333.3333333"), ("41b3de4355555556", "333333333.3333334"),
        ("41b3de4355555557", "333333333.33333343"), ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)  # fmt: skip
def test_rfc8785_numbers(bits: str, expected: str) -> None:
    import struct

    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert jsonic.canonical(value).decode() == expected


BAD = {
    "both-kinds": "oci-both-kinds",
    "digest-algo": "oci-digest",
    "digest-case": "oci-digest",
    "digest-path": "oci-digest",
    "digest-short": "oci-digest",
    "duplicate-keys": "oci-json",
    "mediatype-mismatch": "oci-media-type",
    "size-negative": "oci-manifest",
}
# What this project refuses although another reader would take it, and why.
REFUSED = {
    "ct-sha512-digest": "oci-digest",
    "containers-image-oci1.index.everything": "oci-data",
    "skopeo-v2s1-invalid": "oci-manifest",
    "skopeo-uncompressed-image-s1": "oci-manifest",
    # Members of docker-archives, which are no image manifests.
    "zarf-docker-containerd-image-store-manifest": "oci-json",
    "zarf-docker-graph-driver-image-store-manifest": "oci-json",
}


def read_any(data: bytes) -> dict[str, Any]:
    value = json.loads(data)
    kind = value.get("mediaType") if isinstance(value, dict) else None
    if "manifests" in value and "config" not in value:
        return oci.read_index(data, kind, "vector")
    return oci.read_manifest(data, kind if kind in oci.MANIFESTS else MANIFEST, "vector")


def test_manifest_vectors(vectors: Path) -> None:
    directory = vectors / "oci-manifests-real"
    seen = set()
    for path in sorted(directory.glob("*.json")):
        expected = BAD.get(path.stem.removeprefix("ct-bad-")) if path.stem.startswith("ct-bad-") else REFUSED.get(path.stem)
        seen.add(path.stem)
        if expected is None:
            doc = read_any(path.read_bytes())
            assert doc["schemaVersion"] == 2, path.name
        else:
            with pytest.raises(Fail) as failed:
                read_any(path.read_bytes())
            assert failed.value.finding["finding"] == expected, (path.name, str(failed.value))
            assert failed.value.finding["status"] == 10
    assert {f"ct-bad-{name}" for name in BAD} | set(REFUSED) <= seen


def test_bad_manifests_are_not_packed(vectors: Path, tmp_path: Path) -> None:
    """The same by the road that people take: a layout whose image is that document."""
    env = environment(tmp_path)
    for name, slug in BAD.items():
        layout = Layout(tmp_path / name)
        data = (vectors / "oci-manifests-real" / f"ct-bad-{name}.json").read_bytes()
        layout.index(layout.blob(data, MANIFEST))
        command = ["pack", "--no-sign", "--json", "-o", tmp_path / "x.ctp", f"oci:{layout.directory}:1.0"]
        made = tool("ct", *command, env=env, status=10)
        assert f"({slug})" in made.stderr or slug in made.stdout + made.stderr or summary(slug) in made.stderr, (
            name,
            made.stderr,
        )
        assert not (tmp_path / "x.ctp").exists()


def summary(slug: str) -> str:
    from cerrotorre import errors

    return str(errors.CATALOGUE[slug][2])


LAYOUTS: dict[str, dict[str | None, str | None]] = {
    # application/vnd.oci.descriptor.v1+json is no image.
    "test_gc_image_unknown_mediatype": {None: "oci-manifest"},
    # Docker manifests under descriptors that call them OCI's.
    "test_gc_index": {"1": "oci-media-type", "3": "oci-media-type", None: "oci-ambiguous", "5": "oci-no-such-image"},
    "test_index": {"1": "oci-media-type", "2": "oci-manifest", "3": "oci-media-type", "4": "oci-media-type"},
    # A Helm chart.
    "test_index_media_type": {None: "oci-artifact"},
    "test_index_one_image": {None: None},
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout_vectors(vectors: Path, name: str, place: Place, tmp_path: Path) -> None:
    directory = vectors / "oci-layouts-ggcr" / name
    for tag, slug in LAYOUTS[name].items():
        path = tmp_path / f"{tag}.ctp"
        image = f"oci:{directory}" + (f":{tag}" if tag else "")
        made = tool(
            "ct", "pack", "-k", "alice", "--platform", "all", "--name", "vector", "-o", path, image, env=place.env, status=None
        )
        if slug:
            assert made.returncode == 10 and summary(slug) in made.stderr, (tag, made.returncode, made.stdout, made.stderr)
            continue
        assert made.returncode == 0, (tag, made.stderr)
        tool("ct", "verify", path, env=place.env)
        if shutil.which("skopeo"):
            copied = run(
                "skopeo", "copy", "-q", "--all", "--preserve-digests", f"oci-archive:{path}", f"dir:{tmp_path / (tag or 'x')}"
            )
            assert copied.returncode == 0, copied.stderr
