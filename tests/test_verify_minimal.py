"""ct-verify-minimal says what `ct verify` says where its key is the only one trusted: of mutants, archives and odd surroundings.

Which of three shells judges a bundle goes round, so each sees some of every kind.
"""

import hashlib
import itertools
import json
import os
import random
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cerrotorre
import predicates
import pytest
import test_every_byte as every
from cerrotorre import canon, canonread, digest, dsse, manifest, statement
from conftest import ROOT, program
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from images import Layout, single
from small import BIN, environment, header, members, packed, pair, rebuilt, run, tool, verdicts

SHELLS = (["dash"], ["busybox", "sh"], ["bash", "--posix"])
PROGRAM = BIN / "ct-verify-minimal"
NEEDED = "awk base64 cat cmp date dd mktemp od openssl rm sed sha256sum tail tr wc"
HOSTILE = (b"\0", b"\x1b[31m\n", b'x = "$(id)`id`\\"\n', b"%s%n\n", b"\xff\n", b"\xed\xa0\x80\n")
turn = itertools.count()


class Home:
    """A bundle by alice, `verify` with her key alone, and a store that trusts nobody else."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.env = self.store("home", "alice")
        layout = Layout(root / "image")
        single(layout)
        self.source = f"oci:{layout.directory}:1.0"
        self.key = root / "home" / "keys" / "alice.pub"
        self.alone = root / "alone"
        (self.alone / "trusted").mkdir(mode=0o700, parents=True)
        self.alone.chmod(0o700)
        shutil.copy(self.key, self.alone / "trusted")
        self.bundle = self.pack("app.ctp")

    def store(self, name: str, key: str) -> dict[str, str]:
        (self.root / name).mkdir(mode=0o700)
        pair(self.root / name, key)
        return environment(self.root / name)

    def pack(self, name: str, *options: object, env: dict[str, str] | None = None) -> Path:
        tool("ct", "pack", *options, "-o", self.root / name, self.source, env=env or self.env)
        return self.root / name

    def said(self, *files: Path) -> list[int]:
        """The statuses of `ct verify`."""
        made = verdicts([str(file) for file in files], env=environment(self.alone), cwd=self.root)
        return [one["status"] for one in made]

    def verify(self, file: object, key: object = None, **more: Any) -> subprocess.CompletedProcess[Any]:
        shell = SHELLS[next(turn) % len(SHELLS)]
        made = run(program(shell[0]), *shell[1:], PROGRAM, key or self.key, file, **more)
        made.stderr, made.stdout = (text if isinstance(text, str) else text.decode() for text in (made.stderr, made.stdout))
        assert (made.returncode == 0) == made.stdout.startswith("ok: ") and made.stdout.count("\n") == (made.returncode == 0)
        assert (made.returncode == 0) == (made.stderr == "") and (made.stdout + made.stderr).replace("\n", "").isprintable()
        return made

    def agrees(self, file: Path, status: int) -> str:
        made = self.verify(file)
        assert [made.returncode] == self.said(file) == [status], made.stderr
        return made.stderr + made.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("minimal"))


def test_it_is_small() -> None:
    text = (ROOT / "tools" / "ct-verify-minimal").read_text()
    assert len(text.splitlines()) <= 300
    assert f"echo ct-verify-minimal {cerrotorre.VERSION} " in text


def test_cut_off(tmp_path: Path, home: Home) -> None:
    """What is left of a script that was cut off behind its trap says that there is no verdict."""
    lines = (ROOT / "tools" / "ct-verify-minimal").read_text().splitlines(keepends=True)
    armed = next(number for number, line in enumerate(lines, 1) if line.startswith("trap "))
    assert all(line.startswith("#") for line in lines[: armed - 2])
    for number, shell in zip(range(armed, len(lines), 11), itertools.cycle(SHELLS), strict=False):
        (tmp_path / "cut").write_text("".join(lines[:number]))
        made = run(program(shell[0]), *shell[1:], tmp_path / "cut", home.key, home.bundle)
        assert made.returncode == 70, (number, shell, made.stderr)


def test_mutants(tmp_path: Path, home: Home) -> None:
    """One of each class of tampering and a flipped bit of each region, of a single image and of an index: the status of `ct verify`."""
    store = every.Store(tmp_path)
    shutil.copytree(home.alone, tmp_path / "alone")
    key = tmp_path / "alone" / "trusted" / "alice.pub"
    shutil.copy(store.home / "keys" / "alice.pub", key)
    pick, groups = random.Random(7), {}
    for mutant in every.tampered(store):
        groups.setdefault(mutant.kind, []).append(mutant)
    chosen = [pick.choice(found) for found in groups.values()][:: 1 if every.SOAK else 2]
    for tag, raw in store.bundles.items():
        places = {}
        for kind, where, expected in every.regions(raw):
            places.setdefault((kind, expected), []).extend(where)
        for (kind, expected), where in list(places.items())[tag == "index" :: 2]:
            at, bit = pick.choice(where), pick.randrange(8)
            chosen.append(every.Mutant(kind, f"{tag} byte {at} bit {bit}", every.flipped(raw, at, bit), expected))
    chosen += [every.Mutant("whole", tag, raw, frozenset({0})) for tag, raw in store.bundles.items()]
    files = []
    for number, mutant in enumerate(chosen):
        files.append(f"{number}.ctp")
        (tmp_path / files[-1]).write_bytes(mutant.data)
    said = verdicts(files, env=environment(tmp_path / "alone"), cwd=tmp_path)
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda name: home.verify(tmp_path / name, key), files))
    wrong = [
        f"{mutant.kind}: {mutant.what}: {one.returncode} {one.stderr} not {verdict['status']}"
        for mutant, verdict, one in zip(chosen, said, made, strict=True)
        # What is no canonical manifest is 10; one that is, and that nobody signed, 2: it does not know all of what is canonical.
        if one.returncode != verdict["status"]
        and (mutant.kind != "manifest.toml" or not {one.returncode, verdict["status"]} <= {2, 10})
    ]
    assert not wrong, "\n".join(wrong)
    assert len(chosen) > 25 and {one.returncode for one in made} >= {0, 1, 2, 10}


def test_signers(home: Home) -> None:
    """Nobody, somebody else, two; and signatures that do not count now."""
    assert "signed by SHA256:" in home.agrees(home.bundle, 0)
    home.agrees(home.pack("unsigned.ctp", "--no-sign"), 2)
    bob = home.store("bob", "bob")
    other = home.pack("other.ctp", env=bob)
    home.agrees(other, 3)
    assert home.verify(other, home.root / "bob" / "keys" / "bob.pub").returncode == 0
    tool("ct", "sign", "-k", "alice", other, env=home.env)
    home.agrees(other, 0)
    home.agrees(home.pack("future.ctp", env=home.env | {"SOURCE_DATE_EPOCH": "4000000000"}), 4)
    unsigned = home.pack("expired.ctp", "--no-sign")
    tool("ct", "sign", "-k", "alice", "--expires", "2024-01-01T00:00:00Z", unsigned, env=home.env)
    home.agrees(unsigned, 4)


def test_attestations(home: Home, tmp_path: Path) -> None:
    """What a signer saw must be there; what others attached, or the key itself, is read."""
    (tmp_path / "sbom.json").write_text(json.dumps(predicates.SBOM))
    bundle = home.pack("sbom.ctp", "--sbom", tmp_path / "sbom.json")
    home.agrees(bundle, 0)
    raw = bundle.read_bytes()
    lines = next(member.content(raw) for member in members(raw) if member.name == "attestations.jsonl").splitlines(
        keepends=True
    )
    assert len(lines) == 2
    for kept, status in ((lines[:1], 2), (lines[1:], 2), ([], 2), (lines[::-1], 0)):
        bundle.write_bytes(rebuilt(raw, {"attestations.jsonl": b"".join(kept)}))
        home.agrees(bundle, status)
    evidence = b'{"envelope":"sha256:%s","evidence":"x","z":"\xc3\xa9"}\n' % (b"0" * 64)
    bundle.write_bytes(rebuilt(raw, {"attestations.jsonl": b"".join(lines) + evidence}))
    home.agrees(bundle, 0)


def test_archives(home: Home, tmp_path: Path) -> None:
    """As people unpack them: a bundle of an archive, with the program that came along; one with a blob damaged, and without it."""
    tool("ct", "export", "-o", tmp_path / "x.tar", home.bundle, env=home.env)
    subprocess.run(["tar", "-xf", tmp_path / "x.tar", "-C", tmp_path], check=True)
    assert (tmp_path / "ct-verify-minimal").read_bytes() == PROGRAM.read_bytes()
    made = run("sh", "ct-verify-minimal", home.key, "bundles/app.ctp", cwd=tmp_path)
    assert made.returncode == 0 and made.stdout.startswith("ok: bundles/app.ctp: signed by SHA256:"), made.stderr
    directory = tmp_path / "bundles" / "app.ctp"
    blob = max((tmp_path / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    held = blob.read_bytes()
    for data in (held[:-1] + bytes([held[-1] ^ 1]), held + b"\0", held[:-1], b""):
        blob.write_bytes(data)
        assert home.verify(directory).returncode == 1
    blob.unlink()
    assert home.verify(directory).returncode == 11
    blob.write_bytes(held)
    for name, status in (("summary.json", 1), ("manifest.toml", 10), ("attestations.jsonl", 10)):
        held = (directory / name).read_bytes()
        (directory / name).write_bytes(held[:-1])
        assert home.verify(directory).returncode == status, name
        (directory / name).unlink()
        assert home.verify(directory).returncode == 11
        (directory / name).write_bytes(held)
    assert home.verify(directory).returncode == 0


def test_programs(home: Home, tmp_path: Path) -> None:
    """Without one of its programs, or with one that does nothing or always says yes, there is no verdict. (BusyBox asks no PATH.)"""
    for name in NEEDED.split():
        (tmp_path / name).symlink_to(program(name))
    env = {"PATH": str(tmp_path), "TMPDIR": str(tmp_path)}

    def judged() -> subprocess.CompletedProcess[Any]:
        return run(program("dash"), PROGRAM, home.key, home.bundle, env=env)

    assert judged().returncode == 0
    for name in ("openssl", "sha256sum", "awk"):
        (tmp_path / name).unlink()
        made = judged()
        assert made.returncode == 69 and f"{name} is not installed" in made.stderr
        yes = ["echo Signature Verified Successfully"] if name == "openssl" else []
        for script in ("exit 0", "exit 1", "exit 2", "kill -9 $$", *yes):
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)
            assert judged().returncode in (69, 70), (name, script)
        (tmp_path / name).unlink()
        (tmp_path / name).symlink_to(program(name))
    assert not list(tmp_path.glob("ct-verify-minimal.*"))
    with Path("/dev/full").open("w") as full:
        made = run("sh", PROGRAM, home.key, home.bundle, stdout=full, stderr=subprocess.PIPE, capture_output=False)
    assert made.returncode == 11


def test_command_lines(home: Home, tmp_path: Path) -> None:
    for words in ((), (home.key,), (home.key, ""), (home.key, home.bundle, "x")):
        assert run("sh", PROGRAM, *words).returncode == 64
    for name in ("-x.ctp", "a b\n$(id)\x1b[31m.ctp", "é'\".ctp"):
        shutil.copy(home.bundle, tmp_path / name)
        shell = SHELLS[next(turn) % len(SHELLS)]
        made = run(program(shell[0]), *shell[1:], PROGRAM, home.key, name, cwd=tmp_path)
        assert made.returncode == 0 and made.stdout.count("\n") == 1 and made.stdout.strip().isascii(), made.stderr
        assert made.stdout.strip().isprintable()
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path / "absent", tmp_path / "pipe", tmp_path):
        assert home.verify(file).returncode == 11


def test_keys(home: Home, tmp_path: Path) -> None:
    text = home.key.read_text()
    block = text[text.index("-----BEGIN") :]
    for key, status in {
        "": 10,
        "hello\n": 10,
        block: 0,
        text + block: 69,
        text.replace("Fingerprint: SHA256:", "Fingerprint: SHA256:0"): 10,
        text.replace("CT-SIG-01", "CT-SIG-02"): 69,
        text.replace("MCow", "MCox"): 69,
        text.replace("=\n", "\n"): 10,
        text + "\0": 10,
        home.key.with_suffix(".key").read_text(): 10,
    }.items():
        (tmp_path / "k.pub").write_text(key)
        assert home.verify(home.bundle, tmp_path / "k.pub").returncode == status, key
    assert home.verify(home.bundle, tmp_path / "absent").returncode == 11
    hybrid = tmp_path / "hybrid"
    hybrid.mkdir(mode=0o700)
    tool("ct", "keygen", "--no-password", "--id", "both", "--suite", "CT-SIG-02", env=environment(hybrid))
    assert home.verify(home.bundle, hybrid / "keys" / "both.pub").returncode == 69


def test_hostile_text(home: Home, tmp_path: Path) -> None:
    """NUL, escapes and shell or awk syntax in every text member: refused as `ct verify` refuses them, and never shown."""
    raw = home.bundle.read_bytes()
    held = {member.name: member.content(raw) for member in members(raw)}
    made = [packed("\x1b]0;x\x07", b"hi") + raw]
    # A header of the longest size that fits, and more than there is.
    made.append(header(b"manifest.toml", 8**11 - 1) + raw[512:])
    for name, text in itertools.product(("manifest.toml", "attestations.jsonl"), HOSTILE):
        made.append(rebuilt(raw, {name: (text + held[name], held[name] + text)[len(made) % 2]}))
    files = [tmp_path / f"{number}.ctp" for number in range(len(made))]
    for file, data in zip(files, made, strict=True):
        file.write_bytes(data)
    assert home.said(*files) == [10] * len(files) == [home.verify(file).returncode for file in files]


def test_manifests_of_other_packers(home: Home, tmp_path: Path) -> None:
    """References, metadata and [ext] as others may have them: the derived members are made again byte for byte."""
    raw = home.bundle.read_bytes()
    parsed = canonread.read(next(member.content(raw) for member in members(raw) if member.name == "manifest.toml"))
    private = Ed25519PrivateKey.generate()
    der = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    key = {"key_id": "other", "suite_id": "CT-SIG-01", "fingerprint": "SHA256:" + hashlib.sha256(der).hexdigest()}
    (tmp_path / "other.pub").write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    for changed in (
        {"provenance": {"source": f"docker.io:5000/library/nginx:1.26@sha256:{'a' * 64}", "registry": "docker.io:5000"}},
        {"provenance": {"source": "docker.io:5000/library/nginx", "registry": "docker.io:5000"}, "ext": {"a": {"digest": "x"}}},
        {"provenance": {"source": 'x"\\y', "registry": "x"}, "metadata": {"title": 'é "\\ \n\t [image] = x'}},
        {"name": "a/b__c-d", "ext": {"é [x]": [{"size": 1}, {"k": [True, "a = b"]}], "t": {"u": {}}}},
        {"name": "a..b", "metadata": {}},
        {"image": parsed["image"] | {"created": 'é"\\\n', "platforms": ["linux/arm64/v8", "linux/amd64"]}},
        {"image": parsed["image"] | {"platforms": []}},
    ):
        made: dict[str, Any] = {**parsed, **changed}
        canonical = canon.canonical(made)
        payload = statement.make(made, digest.sha256(canonical), key, "2026-01-01T00:00:00Z", [], None)
        envelope = dsse.write(payload, [(key["fingerprint"], private.sign(dsse.pae(dsse.PAYLOAD_TYPE, payload)))])
        derived = dict(manifest.derived(made, digest.sha256(canonical)))
        file = tmp_path / "x.ctp"
        file.write_bytes(rebuilt(raw, {"manifest.toml": canonical, "attestations.jsonl": envelope + b"\n", **derived}))
        assert home.verify(file, tmp_path / "other.pub").returncode == 0, changed
