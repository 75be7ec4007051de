"""`ct push --cosign`: what others check, by others. OpenSSL has the keys and signatures, Sigstore's own JavaScript the newer form,
containers/image (skopeo) the older one."""

import base64
import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import images
import pytest
import registries
from cerrotorre import cosigned
from cerrotorre.distribution import Repository
from cerrotorre.errors import Fail
from conftest import BUILD, ROOT, program
from registries import Fake, docker_registry
from small import EPOCH, environment, run, tool

NODE_MODULES = BUILD / "oqs" / "node_modules"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGN = "https://sigstore.dev/cosign/sign/v1"
SECRET = "correct horse battery staple"


class Place:
    def __init__(self, directory: Path) -> None:
        self.directory, self.env = directory, environment(directory / "home")

    def insecure(self, host: str) -> None:
        (self.directory / "home" / "config.toml").write_text(f'[registries]\ninsecure = ["{host}"]\n')

    def push(self, to: str, *options: object, status: int = 0, **more: Any) -> subprocess.CompletedProcess[Any]:
        return tool("ct", "push", *options, "a.ctp", to, env=self.env, status=status, cwd=self.directory, **more)

    def public(self, key_id: str = "alice") -> Path:
        path = self.directory / f"{key_id}.pem"
        path.unlink(missing_ok=True)
        tool("ct", "key", "export", key_id, "--public", "-o", path, env=self.env)
        return path

    @property
    def image(self) -> str:
        top = json.loads((self.directory / "image" / "index.json").read_text())["manifests"][0]
        return str(top["digest"])


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Place(tmp_path_factory.mktemp("cosign") / "made")
    (made.directory / "home").mkdir(mode=0o700, parents=True)
    tool("ct", "keygen", "--id", "alice", "--no-password", env=made.env)
    tool("ct", "keygen", "--id", "old", "--no-password", "--suite", "CT-SIG-04", env=made.env)
    images.make("single", made.directory / "image")
    where = f"oci:{made.directory}/image"
    tool("ct", "pack", "-q", "--name", "app", "--version", "1", "-o", made.directory / "a.ctp", where, env=made.env)
    return made.directory


@pytest.fixture
def place(template: Path, tmp_path: Path) -> Place:
    shutil.copytree(template, tmp_path / "place")
    return Place(tmp_path / "place")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with docker_registry(tmp_path_factory.mktemp("registry") / "r") as host:
        yield host


@pytest.fixture
def fake() -> Iterator[Fake]:
    with Fake() as server:
        yield server


class Found:
    """What cosign and podman would find in a repository, read without the library."""

    def __init__(self, host: str, path: str) -> None:
        self.base = f"http://{host}/v2/{path}"

    def get(self, rest: str) -> Any:
        accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, */*"
        made = run(program("curl"), "-sf", "-H", f"Accept: {accept}", f"{self.base}/{rest}")
        return made.stdout if made.returncode == 0 else None

    def signatures(self, digest: str) -> Any:
        return json.loads(self.get(f"manifests/{digest.replace(':', '-')}.sig"))

    def bundle(self, digest: str) -> tuple[Any, Any, str]:
        """(the entry in the list, the manifest, the bundle)."""
        listed = self.get(f"referrers/{digest}") or self.get(f"manifests/{digest.replace(':', '-')}")
        (entry,) = [one for one in json.loads(listed)["manifests"] if one.get("artifactType") == BUNDLE]
        manifest = json.loads(self.get(f"manifests/{entry['digest']}"))
        return entry, manifest, self.get(f"blobs/{manifest['layers'][0]['digest']}")


def openssl_says(pem: Path, message: bytes, signature: bytes, work: Path) -> bool:
    (work / "message").write_bytes(message)
    (work / "signature").write_bytes(signature)
    ssl = [program("openssl"), "pkeyutl", "-verify", "-pubin", "-inkey", pem, "-rawin", "-in", work / "message"]
    return run(*ssl, "-sigfile", work / "signature").returncode == 0


def der_of(pem: Path) -> bytes:
    made = run(program("openssl"), "pkey", "-pubin", "-in", pem, "-outform", "DER", text=False)
    assert made.returncode == 0
    return bytes(made.stdout)


def sigstore_says(bundle: str, der: bytes, hint: str, work: Path) -> str:
    """Sigstore's JavaScript: "verified", or its error's code."""
    node = program("node")
    if not (NODE_MODULES / "@sigstore" / "verify").is_dir():
        pytest.skip(f"no @sigstore/verify at {NODE_MODULES}: make build/.oqs, which needs npm (make deps)")
    (work / "bundle.json").write_text(bundle)
    made = run(node, ROOT / "tests/oqs/sigstore.cjs", NODE_MODULES, work / "bundle.json", base64.b64encode(der).decode(), hint)
    assert made.returncode == 0, made.stderr
    return str(made.stdout.strip())


# -- what others say ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tag", "api"])
def test_both_forms_verify_by_others(kind: str, registry: str, fake: Fake, place: Place, tmp_path: Path) -> None:
    host = registry if kind == "tag" else fake.host
    place.insecure(host)
    said = place.push(f"{host}/{kind}/app:1", "--cosign", "-k", "alice")
    assert "Cosign:     sha256:" in said.stdout
    found, pem = Found(host, f"{kind}/app"), place.public()

    doc = found.signatures(place.image)
    (layer,) = doc["layers"]
    payload = found.get(f"blobs/{layer['digest']}")
    assert (layer["mediaType"], doc["config"]["mediaType"]) == (SIMPLE, "application/vnd.oci.image.config.v1+json")
    # These members and no others: containers/image and cosign parse it strictly.
    assert json.loads(payload) == {
        "critical": {
            "identity": {"docker-reference": f"{host}/{kind}/app"},
            "image": {"docker-manifest-digest": place.image},
            "type": "cosign container image signature",
        },
        "optional": None,
    }
    signature = base64.b64decode(layer["annotations"]["dev.cosignproject.cosign/signature"], validate=True)
    assert openssl_says(pem, payload.encode(), signature, tmp_path)
    assert not openssl_says(pem, payload.encode() + b" ", signature, tmp_path)
    assert json.loads(found.get(f"blobs/{doc['config']['digest']}"))["rootfs"]["diff_ids"] == [layer["digest"]]

    entry, manifest, bundle = found.bundle(place.image)
    annotations = {"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": SIGN}
    assert manifest["annotations"] == entry["annotations"] == annotations
    assert manifest["artifactType"] == manifest["layers"][0]["mediaType"] == BUNDLE
    assert manifest["subject"]["digest"] == place.image
    said = json.loads(bundle)
    statement = json.loads(base64.b64decode(said["dsseEnvelope"]["payload"]))
    assert statement["predicateType"] == SIGN
    assert statement["subject"] == [{"digest": {"sha256": place.image[7:]}}]
    hint = base64.b64encode(hashlib.sha256(der_of(pem)).digest()).decode()
    assert said["verificationMaterial"] == {"publicKey": {"hint": hint}}
    assert sigstore_says(bundle, der_of(pem), hint, tmp_path) == "verified"
    other = der_of(pem)[:-1] + bytes([der_of(pem)[-1] ^ 1])
    assert sigstore_says(bundle, other, hint, tmp_path) != "verified"


def test_containers_image_reads_it(registry: str, place: Place, tmp_path: Path) -> None:
    """Where the distribution builds containers/image with sigstore it accepts it; Debian does not, and says so."""
    place.insecure(registry)
    place.push(f"{registry}/read/app:1", "--cosign")
    (tmp_path / "registries.d").mkdir()
    (tmp_path / "registries.d" / "x.yaml").write_text("default-docker:\n  use-sigstore-attachments: true\n")

    def copy(key: Path, to: str) -> subprocess.CompletedProcess[Any]:
        signed = {"type": "sigstoreSigned", "keyPath": str(key), "signedIdentity": {"type": "matchRepository"}}
        policy = {"default": [{"type": "reject"}], "transports": {"docker": {registry: [signed]}}}
        (tmp_path / "policy.json").write_text(json.dumps(policy))
        skopeo = [program("skopeo"), "--policy", tmp_path / "policy.json", "--registries.d", tmp_path / "registries.d"]
        return run(*skopeo, "copy", "--src-tls-verify=false", f"docker://{registry}/read/app:1", f"dir:{tmp_path}/{to}")

    made = copy(place.public(), "good")
    assert made.returncode == 0 or "sigstore disabled" in made.stderr, made.stderr
    assert copy(place.public("old"), "bad").returncode != 0


# -- what is there stays -----------------------------------------------------------------------------------------------------------


def test_others_signatures_stay_and_ours_is_there_once(fake: Fake, place: Place) -> None:
    place.insecure(fake.host)
    tool("ct", "keygen", "--id", "bob", "--no-password", env=place.env)
    to, found = f"{fake.host}/a/app:1", Found(fake.host, "a/app")
    place.push(to, "--cosign", "-k", "alice")
    first, bundle = found.signatures(place.image), found.bundle(place.image)
    place.push(to, "--cosign", "-k", "alice")
    assert (found.signatures(place.image), found.bundle(place.image)) == (first, bundle)
    place.push(to, "--cosign", "-k", "bob")
    both = found.signatures(place.image)
    assert both["layers"][0] == first["layers"][0] and len(both["layers"]) == 2
    assert both["layers"][0]["digest"] == both["layers"][1]["digest"]
    listed = json.loads(found.get(f"referrers/{place.image}"))["manifests"]
    assert len([one for one in listed if one["artifactType"] == BUNDLE]) == 2


def test_a_tag_that_holds_something_else_is_left_alone(fake: Fake, place: Place) -> None:
    place.insecure(fake.host)
    tag = place.image.replace(":", "-") + ".sig"
    index = json.dumps({"schemaVersion": 2, "mediaType": registries.INDEX, "manifests": []}).encode()
    registries.Client(fake.host, "a/app").manifest(index, tag, registries.INDEX)
    said = place.push(f"{fake.host}/a/app:1", "--cosign", status=11)
    assert "something else is there already" in said.stderr and tag in said.stderr
    assert Found(fake.host, "a/app").get(f"manifests/{tag}").encode() == index
    assert Found(fake.host, "a/app").get("manifests/1") is None


# -- keys --------------------------------------------------------------------------------------------------------------------------


def test_a_key_that_others_cannot_check_is_refused_before_anything_is_sent(fake: Fake, place: Place) -> None:
    place.insecure(fake.host)
    said = place.push(f"{fake.host}/a/app:1", "--cosign", "-k", "old", status=64)
    assert "CT-SIG-04" in said.stderr and "CT-SIG-01" in said.stderr
    assert not fake.blobs and not fake.manifests


def test_a_passphrase_is_taken_as_ct_sign_takes_it(fake: Fake, place: Place, tmp_path: Path) -> None:
    place.insecure(fake.host)
    for name, text in (("right", SECRET), ("wrong", SECRET[::-1])):
        (tmp_path / name).write_text(text + "\n")
        (tmp_path / name).chmod(0o600)
    tool("ct", "keygen", "--id", "locked", "--passphrase-file", tmp_path / "right", env=place.env)
    to = f"{fake.host}/a/app:1"
    said = place.push(to, "--cosign", "-k", "locked", "--passphrase-file", tmp_path / "wrong", status=13)
    assert SECRET[::-1] not in said.stdout + said.stderr
    assert not fake.blobs and not fake.manifests
    place.push(to, "--cosign", "-k", "locked", "--passphrase-file", tmp_path / "right")
    assert Found(fake.host, "a/app").signatures(place.image)


# -- and back ----------------------------------------------------------------------------------------------------------------------


def test_pack_takes_the_sigstore_bundle_along(registry: str, place: Place) -> None:
    place.insecure(registry)
    place.push(f"{registry}/back/app:1", "--cosign")
    made = tool("ct", "pack", "-o", "b.ctp", f"{registry}/back/app:1", env=place.env, cwd=place.directory)
    assert "1 attestation taken along" in made.stdout
    tool("ct", "verify", "b.ctp", env=place.env, cwd=place.directory)


# -- the module --------------------------------------------------------------------------------------------------------------------


def test_what_is_written_depends_on_nothing_but_image_and_key() -> None:
    by = cosigned.Signer(lambda message: hashlib.sha512(message).digest(), b"public")
    digest = "sha256:" + "ab" * 32
    image = {"mediaType": registries.MANIFEST, "digest": digest, "size": 7}
    assert cosigned.bundle(digest, by) == cosigned.bundle(digest, by)
    written = cosigned.manifest(image, cosigned.bundle(digest, by))
    assert hashlib.sha256(written).hexdigest() == "a3ca1a1d7cafd80a7d885913d76532977647f8d89311da6e61de5d9b554da2ac"
    assert EPOCH not in written.decode() and "created" not in written.decode()


def test_a_registry_that_forgets_is_found_out(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = Repository(fake.host, "a/app", [fake.host], [])
    by = cosigned.Signer(lambda message: hashlib.sha512(message).digest(), b"public")
    image = {"mediaType": registries.MANIFEST, "digest": "sha256:" + "ab" * 32, "size": 7}
    monkeypatch.setattr(Repository, "blob", lambda *_: None)
    with pytest.raises(Fail) as caught:
        cosigned.attach(repository, image, by)
    assert caught.value.finding["finding"] == "not-arrived"
