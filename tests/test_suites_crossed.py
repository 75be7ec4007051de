"""Others verify what we sign, and we what they sign: liboqs and dilithium-py for ML-DSA, OpenSSL for Ed448 and Ed25519.

What is verified is what lies in a bundle that `ct` made, and what is accepted is an envelope that the test put together.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docs
import predicates
import pytest
from conftest import BUILD, ROOT, program
from cryptography.hazmat.primitives.serialization import load_der_public_key
from dilithium_py.ml_dsa import ML_DSA_65, ML_DSA_87
from images import make
from small import environment, pair, run, tool, verdicts
from suite_keys import HYBRIDS, SUITES, Bundle, Component, Key, canonical, envelope, opened, pae, pem, unpem

OQS = BUILD / "oqs" / "node_modules" / "@oqs" / "liboqs-js"
PURE = {"ml-dsa-65": ML_DSA_65, "ml-dsa-87": ML_DSA_87}
POST_QUANTUM = ["CT-SIG-02", "CT-SIG-03", "CT-SIG-06"]
FOREIGN = "https://example.com/review/v1"


def liboqs(*requests: dict[str, str]) -> list[dict[str, Any]]:
    """liboqs' answers (tests/oqs/oqs.mjs), all by one process."""
    node = program("node")
    if not OQS.is_dir():
        pytest.skip(f"no liboqs at {OQS}: make build/.oqs, which needs npm (make deps)")
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    made = run(node, ROOT / "tests" / "oqs" / "oqs.mjs", OQS, input=lines)
    assert made.returncode == 0, made.stderr
    answers = [json.loads(line) for line in made.stdout.splitlines()]
    assert len(answers) == len(requests)
    return answers


class Place:
    """A store with a pair of every suite by `ct keygen`, and for each suite a bundle that its key signed and attested."""

    def __init__(self, root: Path) -> None:
        self.root, self.home = root, root / "home"
        self.home.mkdir(mode=0o700)
        self.env = environment(self.home)
        pair(self.home, "first")
        make("single", root / "image")
        options = []
        for kind, document in predicates.KINDS.items():
            (root / f"{kind}.json").write_text(json.dumps(document))
            options += [f"--{kind}", f"{kind}.json"]
        self.bundles: dict[str, Path] = {}
        for suite in SUITES:
            self.ct("keygen", "--id", suite, "--suite", suite, "--no-password")
            self.bundles[suite] = root / f"{suite}.ctp"
            self.ct("pack", "-q", "-k", suite, *options, "-o", self.bundles[suite], f"oci:{root / 'image'}")
            self.ct("verify", self.bundles[suite])
        self.raw = self.bundles["CT-SIG-01"].read_bytes()

    def ct(self, *arguments: object, status: int = 0, env: dict[str, str] | None = None) -> Any:
        return tool("ct", *arguments, env=env or self.env, cwd=self.root, status=status)

    def components(self, suite: str) -> list[Component]:
        """The public keys that `ct keygen` wrote, as another reader finds them."""
        blocks = unpem((self.home / "keys" / f"{suite}.pub").read_text())
        raw = [load_der_public_key(block).public_bytes_raw() for block in blocks]  # type: ignore[union-attr]
        made = [Component(algorithm, public=public) for algorithm, public in zip(SUITES[suite], raw, strict=True)]
        assert [one.der for one in made] == blocks
        return made


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("crossed"))


def signed(place: Place, suite: str) -> Iterator[tuple[Component, bytes, bytes]]:
    """(component, message, signature) of every signature in the suite's bundle: two statements and the bundle signature."""
    components = place.components(suite)
    lines = Bundle(place.bundles[suite].read_bytes()).lines
    assert len(lines) == 3
    for line in lines:
        payload, entries = opened(line)
        assert [keyid for keyid, _ in entries] == [one.keyid for one in components]
        for one, (_, raw) in zip(components, entries, strict=True):
            yield one, pae(payload), raw


# -- they verify ours ----------------------------------------------------------------------------------------------------------


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize("suite", POST_QUANTUM)
def test_ml_dsa_of_ours_is_theirs(place: Place, suite: str) -> None:
    requests, expected = [], []
    for one, message, raw in signed(place, suite):
        if one.algorithm not in PURE:
            continue
        for said, sent in ((message, raw), (message + b" ", raw), (message, flipped(raw[:100]) + raw[100:])):
            asked = {"algorithm": one.algorithm, "do": "verify", "public": one.public, "message": said, "signature": sent}
            requests.append({name: value.hex() if isinstance(value, bytes) else value for name, value in asked.items()})
            expected.append((said, sent) == (message, raw))
            assert PURE[one.algorithm].verify(one.public, said, sent) is expected[-1]
    assert expected == [True, False, False] * 3
    assert [answer["valid"] for answer in liboqs(*requests)] == expected


@pytest.mark.parametrize("suite", SUITES)
def test_edwards_curves_of_ours_are_openssl_s(place: Place, suite: str, tmp_path: Path) -> None:
    count = 0
    for one, message, raw in signed(place, suite):
        if one.algorithm in PURE:
            continue
        count += 1
        (tmp_path / "key").write_text(pem("PUBLIC KEY", one.der))
        (tmp_path / "sig").write_bytes(raw)
        for said, status in ((message, 0), (message + b" ", 1)):
            (tmp_path / "message").write_bytes(said)
            assert openssl(tmp_path, "-verify", "-pubin").returncode == status
    assert count == (0 if suite == "CT-SIG-03" else 3)


def openssl(directory: Path, *options: str) -> Any:
    """`openssl pkeyutl` on the files key, message and sig of a directory."""
    files = ["-inkey", "key", "-in", "message", "-sigfile" if "-verify" in options else "-out", "sig"]
    return run("openssl", "pkeyutl", "-rawin", *options, *files, cwd=directory)


@pytest.mark.parametrize("suite", HYBRIDS)
def test_generic_dsse_needs_a_threshold_of_two(place: Place, suite: str) -> None:
    """securesystemslib, which knows keys and a threshold but no suites: two of the two keys is what a suite means."""
    theirs = pytest.importorskip("securesystemslib.dsse")
    from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
    from securesystemslib.signer import SSlibKey

    classic, quantum = place.components(suite)

    class PostQuantum(SSlibKey):  # type: ignore[misc]
        def verify_signature(self, signature: Any, data: bytes) -> None:
            if not PURE[quantum.algorithm].verify(quantum.public, data, bytes.fromhex(signature.signature)):
                raise UnverifiedSignatureError

    keys = [
        SSlibKey.from_crypto(load_der_public_key(classic.der), classic.keyid),
        PostQuantum(quantum.keyid, quantum.algorithm, quantum.algorithm, {"public": quantum.public.hex()}),
    ]
    for line in Bundle(place.bundles[suite].read_bytes()).lines:
        made = theirs.Envelope.from_dict(json.loads(line))
        assert set(made.verify(keys, 2)) == {classic.keyid, quantum.keyid}
        for keyid in (classic.keyid, quantum.keyid):
            half = theirs.Envelope.from_dict(json.loads(line))
            del half.signatures[keyid]
            with pytest.raises(VerificationError):
                half.verify(keys, 2)


# -- we verify theirs ----------------------------------------------------------------------------------------------------------


def by_liboqs(algorithm: str) -> tuple[bytes, Callable[[bytes], bytes]]:
    (keys,) = liboqs({"algorithm": algorithm, "do": "keypair"})

    def sign(message: bytes) -> bytes:
        asked = {"algorithm": algorithm, "do": "sign", "secret": keys["secret"], "message": message.hex()}
        return bytes.fromhex(liboqs(asked)[0]["signature"])

    return bytes.fromhex(keys["public"]), sign


def by_dilithium_py(algorithm: str) -> tuple[bytes, Callable[[bytes], bytes]]:
    public, secret = PURE[algorithm].keygen()
    return public, lambda message: PURE[algorithm].sign(secret, message)


def by_openssl(directory: Path, algorithm: str) -> tuple[bytes, Callable[[bytes], bytes]]:
    directory.mkdir()
    assert run("openssl", "genpkey", "-algorithm", algorithm, "-out", directory / "key").returncode == 0
    made = run("openssl", "pkey", "-in", directory / "key", "-pubout", "-outform", "DER", text=False)

    def sign(message: bytes) -> bytes:
        (directory / "message").write_bytes(message)
        assert openssl(directory, "-sign").returncode == 0
        return (directory / "sig").read_bytes()

    return load_der_public_key(made.stdout).public_bytes_raw(), sign  # type: ignore[union-attr]


def their_key(suite: str, key_id: str, directory: Path, maker: Callable[[str], Any]) -> Key:
    """A key whose components others made and sign with: ML-DSA by `maker`, the rest by openssl."""
    directory.mkdir(exist_ok=True)
    components = []
    for algorithm in SUITES[suite]:
        public, sign = maker(algorithm) if algorithm in PURE else by_openssl(directory / algorithm, algorithm)
        one = Component(algorithm, public=public)
        one.sign = sign  # type: ignore[method-assign]
        components.append(one)
    return Key(suite, key_id, components)


CASES = [(suite, maker) for suite in POST_QUANTUM for maker in (by_liboqs, by_dilithium_py)]
# No ML-DSA there, so nobody is asked for it.
CASES += [(suite, by_liboqs) for suite in ("CT-SIG-01", "CT-SIG-04")]


@pytest.mark.parametrize("suite, maker", CASES, ids=lambda value: value if isinstance(value, str) else value.__name__)
def test_theirs_are_ours(place: Place, suite: str, maker: Callable[[str], Any], tmp_path: Path) -> None:
    key = their_key(suite, "theirs", tmp_path / "theirs", maker)
    # A store of its own, into which the key came as PEM blocks, as programs write them.
    (tmp_path / "home").mkdir(mode=0o700)
    env = environment(tmp_path / "home")
    (tmp_path / "blocks.pem").write_text(key.blocks())
    said = json.loads(place.ct("key", "import", "--id", "theirs", "--trust", "--json", tmp_path / "blocks.pem", env=env).stdout)
    assert (said["suite_id"], said["fingerprint"]) == (suite, key.fingerprint)

    bundle = Bundle(place.raw)
    payloads = [bundle.attestation(kind, document) for kind, document in documents()]
    lines = [envelope(payload, key.entries(payload)) for payload in payloads]
    payload = bundle.signature(key)
    good = envelope(payload, key.entries(payload))
    bad = envelope(payload, [(keyid, flipped(raw[:20]) + raw[20:]) for keyid, raw in key.entries(payload)])
    (tmp_path / "good.ctp").write_bytes(bundle.with_lines([*lines, good]))
    (tmp_path / "bad.ctp").write_bytes(bundle.with_lines([*lines, bad]))
    one, other = verdicts(["good.ctp", "bad.ctp"], env=env, cwd=tmp_path)
    assert (one["status"], [signature["status"] for signature in one["signatures"]]) == (0, ["valid"] * 4), one
    assert {signature["suite_id"] for signature in one["signatures"]} == {suite}
    assert (other["status"], other["finding"]) == (2, "signature-invalid")
    with (tmp_path / "good.ctp").open("rb") as file:
        place.ct("verify", tmp_path / "good.ctp", env=env)
        assert run(BUILD / "bin" / "ct", "verify", "-", env=env, stdin=file).returncode == 0


def documents() -> list[tuple[str, Any]]:
    return [
        ("https://spdx.dev/Document/v2.3", predicates.SBOM),
        ("https://slsa.dev/provenance/v1", predicates.PROVENANCE),
        (FOREIGN, {"approved": True}),
    ]


@pytest.mark.parametrize("suite", SUITES)
def test_what_ct_signed_is_what_the_specification_says(place: Place, suite: str) -> None:
    """The statement, byte for byte, from the manifest; its keyids and fingerprint, from the .pub alone."""
    bundle = Bundle(place.bundles[suite].read_bytes())
    key = Key(suite, suite, place.components(suite))
    *others, last = bundle.lines
    import hashlib

    listed = ["sha256:" + hashlib.sha256(line).hexdigest() for line in others]
    payload, entries = opened(last)
    assert payload == bundle.signature(key, attestations=listed, signed_at=json.loads(payload)["predicate"]["signed_at"])
    assert last == envelope(payload, entries) and canonical(json.loads(last)) == last


# -- by hand -------------------------------------------------------------------------------------------------------------------


def test_by_hand(place: Place, tmp_path: Path) -> None:
    """The script of ct-by-hand(7) knows keys of one component; it must not take half of two for a signature."""
    found = re.search(r"^\.Bd -literal\n(.*?)^\.Ed$", (ROOT / "man" / "ct-by-hand.7").read_text(), re.M | re.S)
    assert found
    script = tmp_path / "by-hand"
    script.write_text("\n".join(map(docs.plain, found[1].splitlines())) + "\n")
    version = [int(number) for number in re.findall(r"\d+", run("openssl", "version").stdout)[:2]]
    for suite, its in SUITES.items():
        made = run("sh", script, place.bundles[suite], place.home / "keys" / f"{suite}.pub", env={"PATH": os.environ["PATH"]})
        if len(its) == 2:
            assert made.returncode == 1 and "several" in made.stderr, (suite, made.stdout, made.stderr)
        elif its[0] in PURE and version < [3, 5]:
            assert made.returncode == 1 and made.stdout == ""
        else:
            assert made.returncode == 0 and made.stdout.startswith("valid: "), made.stderr
