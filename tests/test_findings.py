"""A fixture for every finding of the catalogue: what provokes it, and that it comes with its own status.

Most are seen as JSON, in a verdict or in a record. What only people are told is known by its words.
"""

import json
import os
import pty
import shutil
import signal
import subprocess
from pathlib import Path

import alter
import images
import predicates
import pytest
import record
import registries
import rekor
import rootfs
from cerrotorre import errors, jsonic
from conftest import BUILD
from processes import PATIENCE, stalled
from svalinn_gateway import Gateway

BIN = BUILD.resolve() / "bin"
AT = "2027-01-01"
FIXTURES = {}
WORDS = {}
# What the fixtures below do not bring about, and why.
UNREACHABLE: dict[str, str] = {"rootfs-mapped": "root has all that an image has; tests/test_rootfs.py is somebody else, too"}


class World:
    """A directory with a key, an image, and the bundle that the key signed; and what runs there."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.store = directory, directory / "store"
        self.env = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "CT_HOME": str(self.store),
            "HOME": str(directory),
            "LC_ALL": "C.UTF-8",
        }
        for name in ("one", "two"):
            self.run("ct", "keygen", "--no-password", "--id", name)
        images.make("single", directory / "image")
        self.run("ct", "pack", "oci:image", "-o", "a.ctp")
        self.bundle = (directory / "a.ctp").read_bytes()
        self.key = alter.open_key(str(self.store / "keys" / "one.key"))

    def run(self, *words, data=b"", env=None, **more):
        made = subprocess.run(words, input=data, capture_output=True, cwd=self.directory, env=self.env | (env or {}), **more)
        assert b"Traceback" not in made.stderr, made.stderr.decode()
        return made

    def write(self, name, data):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return str(path)

    def altered(self, change, *options, bundle=None, env=None):
        """The verdict on the bundle after a change of alter.py."""
        made = self.write("altered.ctp", alter.altered(change, bundle or self.bundle, self.key))
        return self.run("ct", "verify", "--json", "--at", AT, *options, made, env=env)

    def policy(self, change="again-signed", env=None, **members):
        """The verdict under a policy."""
        return self.altered(change, "--policy", self.write("p.json", json.dumps({"version": "1", **members})), env=env)

    def home(self, **files):
        """Another store, with the files {"keys/x": bytes} beside the keys."""
        where = self.directory / "other"
        shutil.rmtree(where, ignore_errors=True)
        shutil.copytree(self.store, where)
        for name, data in files.items():
            path = where / name
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.write_bytes(data)
        return {"CT_HOME": str(where)}

    def image(self, kind, *options):
        """The record of an image of images.py."""
        if not (self.directory / kind).exists():
            images.make(kind, self.directory / kind)
        return self.run("ct-oci2ctp", *options, f"oci:{kind}")

    def canon(self, text):
        return self.run("ct-canon", "--json", "-", data=text if isinstance(text, bytes) else text.encode())

    def new(self, name):
        """A new directory."""
        (self.directory / name).mkdir()
        return str(self.directory / name)

    def opened(self):
        return self.run("ct-open", "a.ctp").stdout

    def store_file(self, name):
        return (self.store / name).read_bytes()


def fixture(slug, make, words=""):
    """Register what provokes a finding; `words` are how people are told where nothing writes JSON."""
    assert slug not in FIXTURES
    FIXTURES[slug], WORDS[slug] = make, words


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    before = os.umask(0o022)
    yield World(tmp_path_factory.mktemp("findings"))
    os.umask(before)


# -- could not be judged -----------------------------------------------------------------------------------------------------


def _internal(world):
    """An installation whose sink raises what nobody expects."""
    prefix = world.directory / "prefix"
    library = BUILD.resolve() / "lib" / "cerro-torre"
    shutil.copytree(BIN, prefix / "bin")
    copied = prefix / "lib" / "cerro-torre"
    shutil.copytree(library / "cerrotorre", copied / "cerrotorre", ignore=lambda _, names: {"__pycache__"} & set(names))
    (copied / "vendor").symlink_to(library / "vendor")
    with open(copied / "cerrotorre" / "sinks.py", "a") as file:
        file.write("\n\ndef hash_file(*_):\n    raise RuntimeError('unexpected')\n")
    return world.run(str(prefix / "bin" / "ct-hash"), "--all", data=world.opened())


def _changed(world):
    data = world.opened()
    os.utime(world.directory / "a.ctp")
    return world.run("ct-hash", "--all", data=data)


def _terminal(world):
    ours, theirs = pty.openpty()
    try:
        child = subprocess.Popen(
            ["ct-write", "--new", "-o", "-"], stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE, env=world.env
        )
        _, said = child.communicate()
    finally:
        os.close(ours)
        os.close(theirs)
    return subprocess.CompletedProcess([], child.returncode, b"", said)


def _without_skopeo(world):
    """Pack what skopeo would have to read."""
    where = world.directory / "path"
    where.mkdir()
    for name in ("env", "sed", "mktemp", "rm", "cat", "readlink", "sh", "find", "id", "python3"):
        (where / name).symlink_to(shutil.which(name) or "")
    return world.run(str(BIN / "ct"), "pack", "docker-daemon:app:1", "-o", "x.ctp", env={"PATH": str(where)})


def _another_image(world):
    """Run with a runtime that says it loaded something else."""
    said = world.write("programs/docker", f"#!/bin/sh\ncat >/dev/null\necho 'Loaded image ID: sha256:{'0' * 64}'\n")
    os.chmod(said, 0o755)
    path = f"{os.path.dirname(said)}:{world.env['PATH']}"
    return world.run("ct", "run", "--no-verify", "--runtime=docker", "a.ctp", env={"PATH": path})


def _refused(world):
    with registries.Fake() as server:
        server.answers["/v2/a/.*"] = lambda handler: handler.reply(500)
        env = world.home(**{"config.toml": f'[registries]\ninsecure = ["{server.host}"]\n'.encode()})
        return world.run("ct", "pack", f"{server.host}/a/app@sha256:{'0' * 64}", "-o", "x.ctp", env=env)


def _mirrored(world):
    """A mirror of the configuration answers."""
    images.make("single", layout := world.directory / "mirrored")
    with registries.Fake() as server:
        registries.push_layout(server, layout)
        config = f'[registries]\ninsecure = ["{server.host}"]\nmirrors = ["registry.example={server.host}/a"]\n'
        env = world.home(**{"config.toml": config.encode()})
        return world.run("ct-oci2ctp", "--no-attached", "registry.example/app:1", env=env)


def _attached(world, status):
    """Pack from a registry that has a bill of materials which nobody signed, and says so or not."""
    images.make("single", layout := world.directory / f"layout{status}")
    with registries.Fake() as server:
        image = registries.push_layout(server, layout)
        registries.attach(server, image, (b"SPDXVersion: SPDX-2.3", "text/spdx"))
        if status != 200:
            server.answers[".*/referrers/.*"] = lambda handler: handler.reply(status)
        env = world.home(**{"config.toml": f'[registries]\ninsecure = ["{server.host}"]\n'.encode()})
        return world.run("ct", "pack", "--json", f"{server.host}/a/app:1", "-o", "x.ctp", env=env)


def _fetched(world, *kinds):
    """Fetch an image to which bundles are attached, the layers of each of these media types."""
    images.make("single", layout := world.directory / f"attached{len(kinds)}")
    world.run("ct", "pack", "-k", "two", "oci:image", "-o", "b.ctp")
    with registries.Fake() as server:
        image = registries.push_layout(server, layout)
        for bundle, types in zip((world.bundle, (world.directory / "b.ctp").read_bytes()), kinds, strict=False):
            registries.attach_bundle(server, bundle, image, kinds=types)
        env = world.home(**{"config.toml": f'[registries]\ninsecure = ["{server.host}"]\n'.encode()})
        return world.run("ct", "fetch", "--json", "--expect", "image", f"{server.host}/a/app:1", "-o", "x.ctp", env=env)


def _lost(world):
    """Push to a registry that says it took the tag, and did not."""
    with registries.Fake() as server:
        server.answers[".*/manifests/1"] = lambda handler: handler.command == "PUT" and handler.reply(201) is None
        env = world.home(**{"config.toml": f'[registries]\ninsecure = ["{server.host}"]\n'.encode()})
        return world.run("ct", "push", "a.ctp", f"{server.host}/a/app:1", env=env)


def _log(world, old, new, *names):
    """An audit log whose one decision is edited; `head` is left out if it is named."""
    where = world.directory / f"log{len(old)}{len(names)}"
    world.run("ct", "verify", "--record", str(where), "a.ctp")
    decision = where / "decisions" / "00000001.json"
    decision.write_bytes(decision.read_bytes().replace(old, new) if old else decision.read_bytes())
    if names:
        (where / "head").unlink()
    return str(where)


fixture("internal", _internal)
fixture("pipeline-broken", lambda w: w.run("ct-check", data=b""), "the stream stopped after 0 records")
fixture("not-passed", lambda w: w.run("ct-hash", data=w.opened()))
fixture("file-unreadable", lambda w: w.run("ct", "verify", "--json", "nothing"))
fixture(
    "file-unwritable", lambda w: w.run("ct", "pack", "oci:image", "-o", "nowhere/x.ctp"), "Not packed: a file cannot be written"
)
fixture("file-changed", _changed)
fixture("not-a-file", lambda w: w.run("ct", "verify", "--json", "."))
fixture(
    "network",
    _refused,
    "Not packed: a registry or store cannot be reached or refuses",
)
fixture("image-unavailable", lambda w: w.run("ct-oci2ctp", "--workdir", w.new("work"), "docker-archive:image/index.json"))
fixture("mirrored", _mirrored)
fixture("no-bundle", _fetched)
fixture("list-malformed", lambda w: w.run("ct-gather", "-", data=b"services: {web: {build: .}}"), "the service 'web' is built")
fixture("bundle-ambiguous", lambda w: _fetched(w, registries.KINDS, registries.KINDS))
fixture("bundle-manifest", lambda w: _fetched(w, registries.KINDS[::-1]))
fixture("attachments-unknown", lambda w: _attached(w, 403), "Not packed: a registry does not say what is attached")
fixture("image-not-loaded", _another_image, "Not started: the runtime does not have the image as it was verified")
fixture("tool-missing", _without_skopeo, "Not packed: a program that is needed is not installed")
fixture("usage", lambda w: w.run("ct-check", "--nonsense"))
fixture("decision-unkept", lambda w: w.run("ct", "verify", "--json", "--record", "nowhere/log", "a.ctp"))
fixture("audit-broken", lambda w: w.run("ct", "audit", "--json", _log(w, b"a.ctp", b"b.ctp")))
fixture("audit-differs", lambda w: w.run("ct", "audit", "--json", _log(w, b'"status":0', b'"status":3', "head")))
fixture("audit-head", lambda w: w.run("ct", "audit", "--json", "--head", f"sha256:{'0' * 64}", _log(w, b"", b"")))
fixture("binary-to-terminal", _terminal, "a bundle is not written to a terminal")
fixture("record-malformed", lambda w: w.run("ct-check", data=b"[]\n"))
fixture("record-inconsistent", lambda w: w.run("ct-check", data=record.forge("manifest", w.opened())))
fixture(
    "destination-exists",
    lambda w: w.run("ct", "push", "a.ctp", w.write("b.ctp", "theirs")),
    "Not pushed: something else is there",
)
fixture("not-arrived", _lost, "Not pushed: what was sent is not there as it was sent")

# -- structure ---------------------------------------------------------------------------------------------------------------

for _slug, _change in {
    "tar-header": "header-mode",
    "tar-members": "member-extra",
    "tar-padding": "padding",
    "truncated": "cut",
    "trailing-bytes": "trailing-byte",
    "not-a-bundle": "compressed",
    "too-large": "manifest-too-large",
    "unsupported-version": "manifest-version",
    "manifest-malformed": "manifest-name",
    "manifest-not-canonical": "manifest-comment",
    "attestations-malformed": "line-array",
    "unsigned": "unsigned",
    "signature-invalid": "signature-flipped",
    "signature-incomplete": "signature-keyid",
    "subject-mismatch": "manifest-other",
    "statement-malformed": "predicate-extra-signed",
    "attestation-removed": "sbom-removed",
    "signature-expired": "expired-signed",
    "signature-in-future": "future-signed",
    "hash-mismatch": "blob-layer",
    "derived-mismatch": "derived-index",
    "image-mismatch": "platforms-signed",
}.items():
    fixture(_slug, lambda w, change=_change: w.altered(change))


def _piped(world):
    return world.run("ct", "verify", "--json", "-", data=alter.altered("attestations-large", world.bundle))


fixture("stream-too-large", _piped)

# -- canonical form ----------------------------------------------------------------------------------------------------------

for _slug, _text in {
    "canon-too-large": "a = '" + "x" * (4 << 20) + "'\n",
    "canon-not-utf8": b"a = '\xff'\n",
    "canon-bom": "\ufeffa = 1\n",
    "canon-syntax": "a = \n",
    "canon-duplicate-key": "a = 1\na = 2\n",
    "canon-key-parts": ".".join(["a"] * 17) + " = 1\n",
    "canon-nesting": "a = " + "[" * 17 + "]" * 17 + "\n",
    "canon-empty-key": '"" = 1\n',
    "canon-control-character": 'a = "\\u0007"\n',
    "canon-bad-unicode": 'a = "\\u202e"\n',
    "canon-not-nfc": 'a = "e\\u0301"\n',
    "canon-integer-range": "a = 9223372036854775808\n",
    "canon-float": "a = 1.5\n",
    "canon-local-time": "a = 2026-01-01T00:00:00\n",
    "canon-date-range": "a = 9999-12-31T23:59:59-01:00\n",
    "canon-mixed-array": "a = [1, {b = 1}]\n",
}.items():
    fixture(_slug, lambda w, text=_text: w.canon(text))
fixture(
    "canon-value",
    lambda w: w.run(
        "ct-canon", data=b'{"record":"ct/bundle/1","bundle":"x","manifest":{"a":null}}\n{"record":"ct/end/1","records":1}\n'
    ),
)
fixture("canon-different", lambda w: w.run("ct-canon", "--check", "--json", "-", data=b"a=1\n"))

# -- OCI ---------------------------------------------------------------------------------------------------------------------

for _slug, _kind in {
    "oci-layout": "bad-marker",
    "oci-no-such-image": "bad-empty",
    "oci-ambiguous": "two-tags",
    "oci-json": "bad-case",
    "oci-manifest": "bad-schema",
    "oci-both-kinds": "bad-both",
    "oci-digest": "bad-sha512",
    "oci-media-type": "bad-media-type",
    "oci-data": "bad-data",
    "oci-blob-absent": "bad-absent",
    "oci-size": "bad-size",
    "oci-artifact": "bad-artifact",
    "oci-too-large": "bad-large",
    "metadata-left-out": "labelled",
}.items():
    fixture(_slug, lambda w, kind=_kind: w.image(kind))
fixture("platform-repeated", lambda w: w.image("repeated-platform", "--platform", "amd64"))
fixture("attachment-left-behind", lambda w: _attached(w, 200))
fixture("oci-platform", lambda w: w.image("multi", "--platform", "linux/vax"))
fixture("reference", lambda w: w.run("ct-policy", "--expect", "Not A Reference"))
fixture(
    "blob-unreachable",
    lambda w: w.run("ct", "push", "a.ctp", "git+file:///nowhere"),
    "Not pushed: a blob of the bundle cannot be had",
)

# -- signatures and trust ----------------------------------------------------------------------------------------------------


def _keyid(world):
    """An attestation that the key made and whose keyid names nobody."""
    bundle = alter.Bundle(world.bundle)
    value = json.loads(alter.attestation(bundle, world.key))
    value["signatures"][0]["keyid"] = "SHA256:" + "0" * 64
    bundle.set_lines([*bundle.lines(), jsonic.canonical(value)])
    return world.run("ct", "verify", "--json", world.write("b.ctp", bytes(bundle)))


def _known(world):
    """The signer's key is known by name only."""
    where = world.directory / "known-only"
    (where / "known").mkdir(mode=0o700, parents=True)
    (where / "known" / "one.pub").write_bytes(world.store_file("keys/one.pub"))
    return world.run("ct", "verify", "--json", "a.ctp", env={"CT_HOME": str(where)})


def _expired(world):
    return world.altered("again-signed", env=world.home(**{"keys/one.local": b"Expires: 2020-01-01\n"}))


fixture("keyid-mismatch", _keyid)
fixture("key-ambiguous", lambda w: w.altered("again-signed", env=w.home(**{"trusted/two.pub": w.store_file("keys/two.pub")})))
fixture("key-unreadable", lambda w: w.altered("again-signed", env=w.home(**{"known/x.pub": b"junk\n"})))
fixture("signer-unknown", lambda w: w.altered("again-signed", env={"CT_HOME": "/nowhere"}))
fixture("signer-untrusted", _known)
fixture("signer-denied", lambda w: w.policy(signers={"denied": [{"key_id": "one"}]}))
fixture("signer-required", lambda w: w.policy(signers={"allowed": [{"key_id": "*"}, {"key_id": "two", "required": True}]}))
fixture("threshold", lambda w: w.policy(signers={"threshold": 2}))

# -- policy ------------------------------------------------------------------------------------------------------------------

fixture("key-expired", _expired)
fixture("signature-too-old", lambda w: w.policy(time={"max_age_days": 1}))
fixture("suite-not-allowed", lambda w: w.policy(suites={"allowed": ["CT-SIG-02"]}))
fixture("registry-not-allowed", lambda w: w.policy(registries={"allowed": ["docker.io/*"]}))
fixture("registry-blocked", lambda w: w.policy("registry-signed", registries={"blocked": ["docker.io/*"]}))
fixture("base-image-not-allowed", lambda w: w.policy(base_images={"allowed": ["docker.io/*"]}))
fixture("pin-mismatch", lambda w: w.policy(pin={"image": {"digest": "sha256:" + "0" * 64}}))
fixture("pin-signer-missing", lambda w: w.policy(pin={"image": {"signers": ["two"]}}))
fixture("unpinned", lambda w: w.policy(unpinned="deny"))
fixture("minimum-not-met", lambda w: w.policy(minimum={"image": {"signed_after": "2999-01-01"}}))
fixture("not-expected", lambda w: w.altered("again-signed", "--expect", "other"))
fixture("policy-malformed", lambda w: w.run("ct-policy", "--policy", w.write("bad.json", '{"version":"1","signer":{}}')))
fixture("policy-unreadable", lambda w: w.run("ct-policy", "--policy", "nothing.json"))
fixture(
    "rule-not-found",
    lambda w: w.run("ct", "policy", "remove", "signer", "two", "--policy", w.write("ruled.json", '{"version":"1"}')),
    "signers.allowed has no 'two'",
)
fixture(
    "policy-exists",
    lambda w: w.run("ct", "policy", "init", "--yes", "--policy", w.write("there.json", "{}")),
    "there.json' already",
)


def _attest(kind, document):
    return lambda w: w.run("ct-attest", f"--{kind}", w.write("document", json.dumps(document)), data=w.image("single").stdout)


_other_image = predicates.statement("sbom", "sha256:" + "0" * 64)
fixture("predicate-format", _attest("sbom", {"bomFormat": "CycloneDX"}))
fixture("predicate-malformed", _attest("provenance", {}))
fixture("predicate-subject", _attest("sbom", _other_image))


def _twice(w):
    waiting = _attest("sbom", predicates.SBOM)
    once = w.run("ct-canon", data=waiting(w).stdout).stdout
    signed = w.run("ct-sign", "--statements", data=once).stdout
    return w.run("ct-sign", "--statements", data=w.run("ct-attest", "--sbom", "document", data=signed).stdout)


fixture("already-attested", _twice)
fixture("attestation-missing", lambda w: w.policy(require_attestations={"sbom": True}))

# -- keys --------------------------------------------------------------------------------------------------------------------


def _secret(world, name, text):
    path = world.write(name, text)
    os.chmod(path, 0o600)
    return path


def _locked(world):
    _secret(world, "pass", "right\n")
    world.run("ct", "keygen", "--id", "locked", "--passphrase-file", "pass", "--output", "locked")
    return "./locked/locked.key"


def _unsafe(world):
    env = world.home()
    (Path(env["CT_HOME"]) / "keys").chmod(0o777)
    return world.altered("again-signed", env=env)


def _other_home(world, name):
    """A store of its own with the pairs `old` and, if it was rotated, `new`."""
    env = {"CT_HOME": str(world.directory / name), "SOURCE_DATE_EPOCH": "1700000000"}
    shutil.rmtree(env["CT_HOME"], ignore_errors=True)
    world.run("ct", "keygen", "--no-password", "--id", "old", env=env)
    return env


def _rotated(world, change=lambda data: data):
    """What somebody says who trusts `old` and is handed the rotation, changed."""
    env = _other_home(world, "rotated")
    world.run("ct-key", "rotate", "old", "--into", "new", "--no-password", env=env)
    said = world.write("said", change((world.directory / "rotated/keys/old.rotation").read_bytes()))
    shutil.rmtree(world.directory / "taker", ignore_errors=True)
    taker = {"CT_HOME": str(world.directory / "taker")}
    world.run("ct-key", "import", "rotated/keys/old.pub", "--trust", env=taker)
    return world.run("ct-key", "import", "rotated/keys/new.pub", "--rotation", said, env=taker)


def _other_signature(data):
    """The rotation with the signatures of the two keys in each other's place."""
    value = json.loads(data)
    one, two = value["signatures"]
    value["signatures"] = [one | {"sig": two["sig"]}, two | {"sig": one["sig"]}]
    return jsonic.canonical(value) + b"\n"


def _expiring(world, date):
    env = _other_home(world, "expiring")
    world.run("ct-key", "expires", "old", date, env=env)
    return world.run("ct-sign", data=world.opened(), env=env)


def _superseded(world):
    env = _other_home(world, "superseded")
    world.run("ct-key", "rotate", "old", "--into", "new", "--no-password", env=env)
    return world.run("ct-sign", "-k", "old", data=world.opened(), env=env)


def _twice(world):
    env = _other_home(world, "twice")
    world.run("ct-key", "rotate", "old", "--into", "new", "--no-password", env=env)
    return world.run("ct-key", "rotate", "old", "--into", "newer", "--no-password", env=env)


def _vouched(world, kind):
    """An import that a signature of GnuPG's is to vouch for: none, a false one, one by a stranger."""
    home = world.directory / f"gnupg-{kind}"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700)
    gpg = ("gpg", "--homedir", str(home), "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback")
    for name in ("alice", "bob"):
        world.run(*gpg, "--quick-generate-key", name, "ed25519", "sign", "never")
    data = world.store_file("keys/one.pub")
    signed = world.run(*gpg, "-u", "bob" if kind == "stranger" else "alice", "-b", data=data + b"x" * (kind == "false")).stdout
    files = (
        world.write("signature", b"x" if kind == "none" else signed),
        world.write("ring", world.run(*gpg, "--export", "alice").stdout),
    )
    world.run("gpgconf", "--homedir", str(home), "--kill", "all")
    env = {"CT_HOME": str(world.directory / "vouched")}
    return world.run("ct-key", "import", "store/keys/one.pub", "--gpg-signature", files[0], "--keyring", files[1], env=env)


fixture("rotation-malformed", lambda w: _rotated(w, lambda data: data + b"x"), "not one line")
fixture("rotation-invalid", lambda w: _rotated(w, _other_signature), "does not verify")
fixture("key-rotated", _twice, "was rotated into new already")
fixture("signing-key-expired", lambda w: _expiring(w, "2023-11-13"))
fixture("key-expiring", lambda w: _expiring(w, "2023-11-20"), "old expires 2023-11-20, in 6 days")
fixture("key-superseded", _superseded, "old was rotated into new")
fixture("vouch-malformed", lambda w: _vouched(w, "none"), "is not a detached OpenPGP signature")
fixture("vouch-invalid", lambda w: _vouched(w, "false"), "is not over this key file")
fixture("vouch-untrusted", lambda w: _vouched(w, "stranger"), "not in the keyring")
fixture("key-unreachable", lambda w: w.run("ct-key", "import", "https://127.0.0.1:1/x", "--id", "x"), "no connection")
fixture(
    "fingerprint-mismatch",
    lambda w: w.run("ct-key", "import", "store/keys/one.pub", "--fingerprint", "SHA256:" + "0" * 64),
    "not the key whose fingerprint was given",
)
fixture("no-signing-key", lambda w: w.run("ct-sign", env={"CT_HOME": "/nowhere"}))
fixture("key-not-found", lambda w: w.run("ct-sign", "-k", "nobody"))
fixture("key-locked", lambda w: w.run("ct-sign", "-k", _locked(w), "--passphrase-file", _secret(w, "wrong", "wrong\n")))
fixture("passphrase-missing", lambda w: w.run("ct-sign", "-k", _locked(w), start_new_session=True))
fixture("passphrase-refused", lambda w: w.run("ct-sign", "-k", _locked(w), "--passphrase-file", "/dev/null"))
fixture("store-unsafe", _unsafe)
fixture("key-malformed", lambda w: w.run("ct", "key", "import", w.write("junk.pub", "junk\n")), "neither PEM nor DER")
fixture("key-exists", lambda w: w.run("ct", "keygen", "--no-password", "--id", "one"), "already")
fixture("suite-unknown", lambda w: w.run("ct", "keygen", "--no-password", "--suite", "CT-SIG-99"), "no suite is called")
fixture(
    "suite-unavailable",
    lambda w: w.run(
        *("ct", "keygen", "--no-password", "--suite", "CT-SIG-02"),
        env=w.home(**{"config.toml": b'[crypto]\nml_dsa = "liboqs"\nliboqs = "/nowhere/liboqs.so"\n'}),
    ),
    "[crypto] liboqs",
)
fixture("signer-failed", lambda w: w.run("ct-sign", "-k", "two", "--exec", "cat", data=w.opened()))
fixture("already-signed", lambda w: w.run("ct-sign", "-k", "one", data=w.opened()))
fixture(
    "setting-doubtful",
    lambda w: w.run("ct-config", "check", "--json", env=w.home(**{"config.toml": b'[registries]\ninsecure = ["*"]\n'})),
)
fixture("config-malformed", lambda w: w.run("ct-sign", env=w.home(**{"config.toml": b"[defaults]\nkeey = 1\n"})))

# -- Svalinn -----------------------------------------------------------------------------------------------------------------


def _to_svalinn(world, answer=None):
    """Run a bundle with a gateway that answers so; with None, one of which nothing is in a log."""
    log, bundle = rekor.Log(), alter.Bundle(world.bundle)
    for kind, predicate in (
        ("https://slsa.dev/provenance/v1", predicates.PROVENANCE),
        ("https://spdx.dev/Document", predicates.SBOM),
    ):
        line = alter.attestation(bundle, world.key, kind, predicate)
        about = rekor.evidence(line, log.entry(rekor.payload(line)))
        bundle.set_lines([*bundle.lines(), line, *([about] if answer else [])])
    world.write("svalinn.ctp", bytes(bundle))
    with Gateway() as gateway:
        gateway.answer = answer
        settings = f'[svalinn]\nurl = "{gateway.url}"\nrepository = "registry.internal:5000/a/app"\nlogs = "logs.json"\n'
        home = world.home(**{"config.toml": settings.encode(), "logs.json": json.dumps({"log": log.named}).encode()})
        return world.run("ct", "run", "--runtime=svalinn", "-k", "one", "svalinn.ctp", env=home)


_DENIED = {"error": {"code": 51, "id": "ERR_POLICY_DENIED", "message": "subject digest mismatch"}}
fixture("log-entries-missing", _to_svalinn, "too few entries of a transparency log")
fixture("gateway-denied", lambda w: _to_svalinn(w, (403, _DENIED)), "the gateway's policy denies the image")
fixture("gateway-refused", lambda w: _to_svalinn(w, (404, {"error": "not found"})), "the gateway did not take the image")


# -- layers ------------------------------------------------------------------------------------------------------------------


def _unpacked(world, name, *tars, **more):
    """What is said of an image with these layers when its root file system is made."""
    to = images.Layout(world.directory / name)
    to.index(rootfs.image(to, list(tars), **more))
    world.run("ct", "pack", f"oci:{name}", "-o", f"{name}.ctp")
    return world.run("ct", "unpack", "--rootfs", "-o", f"{name}.root", f"{name}.ctp")


fixture(
    "layer-malformed",
    lambda w: _unpacked(w, "malformed", b"no tar, and longer than a block" * 20),
    words="a layer is not a well-formed archive",
)
fixture("layer-unsafe", lambda w: _unpacked(w, "unsafe", rootfs.layer(("file", "../x"))), words="a layer would write outside")
fixture(
    "diff-id-mismatch",
    lambda w: _unpacked(w, "other", rootfs.layer(("file", "x")), ids=["sha256:" + "7" * 64]),
    words="a layer does not unpack to what the image says",
)


# -- archives of bundles -----------------------------------------------------------------------------------------------------


def _archive(world, name, *options):
    """An archive of the bundle, as `ct export` makes it."""
    verifier = world.write("verifier", "#!/bin/sh\n")
    words = f"ct-open a.ctp | ct-check | ct-policy | ct-export --verifier {verifier} -o {name} {' '.join(options)}"
    assert world.run("sh", "-c", words).returncode == 0


def _import(world, name):
    return world.run("ct", "import", "--json", "--output-dir", world.new(f"out-{name}"), name)


def _part_damaged(world):
    _archive(world, "whole.tar")
    data = bytearray((world.directory / "whole.tar").read_bytes())
    # The first byte of the last blob.
    data[-1024 - 512] ^= 1
    return _import(world, os.path.basename(world.write("damaged.tar", bytes(data))))


def _part_missing(world):
    _archive(world, "parts.tar", "--split", "15K")
    (world.directory / "parts.tar.002").unlink()
    return _import(world, "parts.tar.001")


fixture("export-malformed", lambda w: w.run("ct-receive", w.write("none.tar", bytes(10240))))
fixture("part-damaged", _part_damaged)
fixture("part-missing", _part_missing)


@pytest.mark.parametrize("slug", FIXTURES)
def test_finding(slug, world):
    made = FIXTURES[slug](world)
    said = made.stdout.decode() + made.stderr.decode()
    assert made.returncode == errors.CATALOGUE[slug][0], said[-2000:]
    if WORDS[slug]:
        assert WORDS[slug] in said
        return
    objects = [json.loads(line) for line in made.stdout.splitlines()]
    found = []
    for value in objects:
        # A verdict or a record, an error record, or the finding itself.
        found += value.get("findings") or [value["finding"] if isinstance(value.get("finding"), dict) else value]
    there = [one for one in found if one.get("finding") == slug]
    assert there, said[-2000:]
    # Which it is, when it fails, decides.
    status, check, summary, why, *_ = errors.CATALOGUE[slug]
    assert (there[0]["status"], there[0]["check"], there[0]["summary"], there[0]["why"]) == (status, check, summary, why)
    if status:
        assert errors.verdict([one for one in found if "check" in one]) == there[0]


def test_every_finding_has_a_fixture():
    assert sorted({*FIXTURES, *UNREACHABLE}) == sorted(errors.CATALOGUE)


def test_every_status_is_reached(world):
    reached = {errors.CATALOGUE[slug][0] for slug in FIXTURES}
    child = subprocess.Popen(
        ["ct-write", "--new", "-o", "x.ctp"], stdin=subprocess.PIPE, cwd=world.directory, env=world.env, start_new_session=True
    )
    try:
        stalled(child.pid)
        child.send_signal(signal.SIGINT)
        reached.add(child.wait(PATIENCE))
    finally:
        child.kill()
    assert reached == set(errors.STATUSES)
