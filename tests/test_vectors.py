"""Published vectors: what others say is right and wrong, and what is said of it here. Every difference is in a table below.

$CT_VECTORS names their directory; its absence is a visible skip.
"""

import hashlib
import json
import re
import struct
import tarfile
from pathlib import Path
from typing import Any

import images
import pytest
from cerrotorre import b64, dsse, errors, jsonic, keyfile, oci, statement, suites
from cerrotorre.errors import Fail
from images import GZIP, TAR, Layout
from jsonschema import Draft4Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4
from small import BIN, environment, members, pair, run, tool, verdicts


def slug(call: Any, *arguments: Any) -> str:
    with pytest.raises(Fail) as caught:
        call(*arguments)
    assert caught.value.finding["status"] == 10
    return str(caught.value.finding["finding"])


# -- Wycheproof ----------------------------------------------------------------------------------------------------------------


def test_wycheproof_ed25519_by_every_form_of_the_key(vectors: Path) -> None:
    """151 signatures, each judged by the key as it is imported: PEM, DER, hexadecimal, base64, and a .pub made of it."""
    data = json.loads((vectors / "wycheproof" / "ed25519_test.json").read_text())
    judged = []
    for group in data["testGroups"]:
        raw = bytes.fromhex(group["publicKey"]["pk"])
        forms = [group["publicKeyPem"], group["publicKeyDer"], group["publicKey"]["pk"], b64.encode(raw)]
        forms = [bytes.fromhex(form) if form == group["publicKeyDer"] else form.encode() for form in forms]
        keys = [keyfile.parse_import(form) for form in forms]
        keys.append(keyfile.parse_public(keyfile.write_public(keys[0] | {"key_id": "wycheproof"})))
        publics = {public for key in keys for public in key["publics"]}
        assert publics == {raw} and {key["suite_id"] for key in keys} == {"CT-SIG-01"}
        # A JWK is no form of a key here.
        assert slug(keyfile.parse_import, json.dumps(group["publicKeyJwk"]).encode()) == "key-malformed"
        for test in group["tests"]:
            (public,) = publics
            said = suites.verify("ed25519", public, bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]))
            assert test["result"] in ("valid", "invalid")
            assert said is (test["result"] == "valid"), test
            judged.append(test["tcId"])
    assert len(judged) == len(set(judged)) == data["numberOfTests"] == 151


# -- DSSE ----------------------------------------------------------------------------------------------------------------------

HELLO = {
    "payload": "aGVsbG8gd29ybGQ=",
    "payloadType": "http://example.com/HelloWorld",
    "signatures": [{"keyid": "", "sig": "AAAA"}],
}


def protocol(vectors: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """The test vector of protocol.md: its named blocks, and its envelope."""
    text = (vectors / "dsse" / "protocol.md.txt").read_text().partition("## Test Vectors")[2]
    blocks = dict(re.findall(r"^([A-Z][\w ]*):\n\n```none\n(.*?)\n```", text, re.M | re.S))
    return blocks, json.loads(re.findall(r"```json\n(.*?)\n```", text, re.S)[-1])


def p256(blocks: dict[str, str]) -> bytes:
    """The vector's key as SubjectPublicKeyInfo (RFC 5480), for openssl."""
    x, y = (int(re.search(rf"^{name}: (\d+)$", blocks["Cryptographic keys"], re.M)[1]) for name in "XY")  # type: ignore[index]
    prefix = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
    return prefix + x.to_bytes(32, "big") + y.to_bytes(32, "big")


def ecdsa(raw: bytes) -> bytes:
    """r and s side by side as the DER that openssl reads."""
    parts = b""
    for half in (raw[:32], raw[32:]):
        number = half.lstrip(b"\0")
        number = (b"\0" if number[0] & 0x80 else b"") + number
        parts += b"\x02" + bytes([len(number)]) + number
    return b"\x30" + bytes([len(parts)]) + parts


def openssl_verifies(key: Path, message: bytes, signature: bytes) -> bool:
    (key.parent / "sig").write_bytes(signature)
    made = run("openssl", "dgst", "-sha256", "-verify", key, "-signature", key.parent / "sig", input=message)
    return made.returncode == 0


def test_dsse_protocol(vectors: Path, tmp_path: Path) -> None:
    blocks, envelope = protocol(vectors)
    body, kind = blocks["SERIALIZED_BODY"].encode(), blocks["PAYLOAD_TYPE"]
    assert dsse.pae(kind, body) == blocks["PAE"].encode()
    assert (b64.decode(envelope["payload"]), envelope["payloadType"]) == (body, kind)
    der, key = p256(blocks), tmp_path / "key.pem"
    key.write_text(keyfile.pem("PUBLIC KEY", der))
    signature = ecdsa(b64.decode(envelope["signatures"][0]["sig"]))
    assert openssl_verifies(key, dsse.pae(kind, body), signature)
    assert not openssl_verifies(key, dsse.pae(kind, body + b"."), signature)
    # No suite is ECDSA, so the key itself is none here.
    assert slug(keyfile.parse_import, der) == "key-malformed"


def line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()


def test_dsse_envelope() -> None:
    """envelope.md leaves choices; a line of attestations.jsonl is one spelling of them, and every other is refused."""
    kind, read = dsse.parse_line(line(HELLO), 1)
    assert (kind, read) == (
        "envelope",
        {"payload": b"hello world", "payload_type": HELLO["payloadType"], "signatures": [("", bytes(3))]},
    )
    signature = HELLO["signatures"][0]
    refused: dict[str, dict[str, Any]] = {
        # "Either standard or URL-safe encoding is allowed": here the standard one, padded, that re-encodes to itself.
        "URL-safe payload": HELLO | {"payload": "-_-_"},
        "URL-safe signature": HELLO | {"signatures": [signature | {"sig": "_-8="}]},
        "payload without padding": HELLO | {"payload": "aGVsbG8gd29ybGQ"},
        "padding twice": HELLO | {"payload": "aGVsbG8gd29ybGQ=="},
        "trailing bits": HELLO | {"payload": "aGVsbG8gd29ybGR="},
        "a line break": HELLO | {"payload": "aGVsbG8g\nd29ybGQ="},
        "a blank": HELLO | {"payload": "aGVsbG8g d29ybGQ="},
        "payload that is no base64": HELLO | {"payload": "<Base64(SERIALIZED_BODY)>"},
        # "REQUIRED and MUST be set, even if empty".
        "no payload": {key: HELLO[key] for key in ("payloadType", "signatures")},
        "no payloadType": {key: HELLO[key] for key in ("payload", "signatures")},
        "no signatures": {key: HELLO[key] for key in ("payload", "payloadType")},
        "no sig": HELLO | {"signatures": [{"keyid": ""}]},
        "an empty list of signatures": HELLO | {"signatures": []},
        "null": HELLO | {"payload": None},
        # "OPTIONAL and MAY be unset": here a signature names its key, and a line has one spelling.
        "no keyid": HELLO | {"signatures": [{"sig": "AAAA"}]},
        # "Consumers MUST ignore unrecognized fields": here nothing unsigned travels in an envelope.
        "an unknown member": HELLO | {"x": 1},
        "an unknown member of a signature": HELLO | {"signatures": [signature | {"cert": "x"}]},
    }
    for name, value in refused.items():
        assert slug(dsse.parse_line, line(value), 1) == "attestations-malformed", name
    assert dsse.parse_line(line(HELLO | {"signatures": [signature, signature]}), 1)[1]["signatures"] == [("", bytes(3))] * 2
    # Empty is set.
    assert dsse.parse_line(line(HELLO | {"payload": "", "payloadType": ""}), 1)[1]["payload"] == b""


def test_dsse_examples_of_the_text(vectors: Path) -> None:
    text = (vectors / "dsse" / "envelope.md.txt").read_text()
    examples = [json.loads(block) for block in re.findall(r"```json\n(.*?)\n```", text, re.S)]
    assert len(examples) == 2
    for example in examples:
        # Their base64 is a word for it.
        assert slug(dsse.parse_line, line(example), 1) == "attestations-malformed"
        for signature in example["signatures"]:
            signature["sig"] = "AAAA"
        made = dsse.parse_line(line(example | {"payload": "AAAA"}), 1)[1]
        assert [keyid for keyid, _ in made["signatures"]] == [signature["keyid"] for signature in example["signatures"]]


# The certificate's key signed PAE(envelope) unless the envelope or the signature was made to be wrong.
SIGSTORE_DSSE = {
    "dsse-invalid-sig_fail": False,
    "dsse-mismatch-envelope_fail": True,
    # A second signature over the same payload, genuine too: only the log entry, which is not read here, holds the first.
    "dsse-mismatch-sig_fail": True,
    "happy-path-intoto-in-dsse-v3": True,
    "intoto-with-custom-trust-root": True,
    "rekor2-dsse-happy-path": True,
    "rekor2-dsse-invalid-sig_fail": False,
}


@pytest.mark.parametrize("name", SIGSTORE_DSSE)
def test_sigstore_envelopes(vectors: Path, tmp_path: Path, name: str) -> None:
    """Others' signatures are over the same pre-authentication encoding; and their statements are statements here."""
    made = json.loads((vectors / "sigstore-conformance" / "bundle-verify" / name / "bundle.sigstore.json").read_text())
    envelope, material = made["dsseEnvelope"], made["verificationMaterial"]
    chain = material.get("x509CertificateChain", {}).get("certificates") or [material.get("certificate")]
    (tmp_path / "cert.pem").write_text(keyfile.pem("CERTIFICATE", b64.decode(chain[0]["rawBytes"])))
    key = tmp_path / "key.pem"
    key.write_text(run("openssl", "x509", "-in", tmp_path / "cert.pem", "-noout", "-pubkey").stdout)
    payload = b64.decode(envelope["payload"])
    message = dsse.pae(envelope["payloadType"], payload)
    assert openssl_verifies(key, message, b64.decode(envelope["signatures"][0]["sig"])) is SIGSTORE_DSSE[name]
    # Only a bundle signature must be in RFC 8785's spelling.
    value = json.loads(payload)
    assert statement.parse(payload) == statement.parse(jsonic.canonical(value)) == value
    ours = jsonic.canonical(value | {"_type": statement.STATEMENT, "predicateType": statement.BUNDLE_SIGNATURE})
    statement.parse(ours)
    with pytest.raises(ValueError, match="canonical"):
        statement.parse(ours + b" ")


# -- in-toto -------------------------------------------------------------------------------------------------------------------


# This one is an envelope, and not a statement.
NO_STATEMENT = {"spec_v0.1.0_README-01-valid": "not an in-toto Statement"}


def test_in_toto_examples(vectors: Path) -> None:
    """`*-valid.json` are whole statements or resource descriptors: read in whatever spelling."""
    paths = sorted((vectors / "in-toto-attestation").glob("*-valid.json"))
    assert len(paths) == 12
    descriptors = 0
    for path in paths:
        data = path.read_bytes()
        value = json.loads(data)
        if path.stem.startswith("spec_v1_resource_descriptor"):
            descriptors += 1
            # "Each element MUST have `digest` set."
            why = None if "digest" in value else "a subject without digests"
            value = {"_type": statement.STATEMENT, "subject": [value], "predicateType": "https://example.com/x"}
        else:
            why = NO_STATEMENT.get(path.stem)
            if not why:
                assert statement.parse(data) == value
        if why:
            with pytest.raises(ValueError, match=why):
                statement.parse(jsonic.canonical(value))
        else:
            assert statement.parse(jsonic.canonical(value)) == value, path.name
    assert descriptors == 5


def test_in_toto_statement_rules() -> None:
    """statement.md and digest_set.md, sentence by sentence."""
    good: dict[str, Any] = {
        "_type": statement.STATEMENT,
        "subject": [{"name": "x", "digest": {"sha256": "00"}}],
        "predicateType": "https://example.com/x",
        "predicate": {},
    }
    statement.parse(jsonic.canonical(good))
    statement.parse(jsonic.canonical({key: good[key] for key in good if key != "predicate"}))
    for changed in (
        {"_type": "https://in-toto.io/Statement/v0.2"},
        {"_type": statement.STATEMENT_0, "predicateType": statement.BUNDLE_SIGNATURE},
        {"subject": []},
        {"subject": [{"name": "x"}]},
        # "Set of one or more cryptographic digests".
        {"subject": [{"digest": {}}]},
        {"subject": [good["subject"][0], {"digest": {"sha256": 7}}]},
        {"subject": {"digest": {"sha256": "00"}}},
        {"predicateType": 1},
        {"predicate": "text"},
        {"predicate": None},
        {"x": 1},
    ):
        with pytest.raises(ValueError):
            statement.parse(jsonic.canonical(good | changed))


# -- RFC 8785 ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["arrays", "french", "structures", "unicode", "values", "weird"])
def test_rfc8785_files(vectors: Path, name: str) -> None:
    """Read by the strict reader, spelled as the files say, and read again as the same."""
    directory = vectors / "jcs-rfc8785"
    assert {path.stem for path in (directory / "input").iterdir()} == {
        "arrays",
        "french",
        "structures",
        "unicode",
        "values",
        "weird",
    }
    value = jsonic.parse((directory / "input" / f"{name}.json").read_bytes())
    made = jsonic.canonical(value)
    assert made == (directory / "output" / f"{name}.json").read_bytes()
    assert made == bytes.fromhex((directory / "outhex" / f"{name}.txt").read_text())
    assert jsonic.parse(made) == value and jsonic.canonical(jsonic.parse(made)) == made


APPENDIX_B = {
    "0000000000000000": "0", "8000000000000000": "0", "0000000000000001": "5e-324", "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308", "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992", "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000", "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23", "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000", "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21", "3eb0c6f7a0b5ed8c": "9.999999999999997e-7", "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332", "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333", "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343", "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}  # fmt: skip


@pytest.mark.parametrize("bits, expected", APPENDIX_B.items())
def test_rfc8785_appendix_b(bits: str, expected: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert jsonic.canonical(value).decode() == expected
    # RFC 7493, §2.2: integers beyond 2^53-1 are not interoperable. Written with all their digits they are not read here.
    if expected.lstrip("-").isdigit() and abs(int(expected)) > 2**53 - 1:
        with pytest.raises(jsonic.Malformed, match="out of range"):
            jsonic.parse(expected.encode())
    else:
        assert jsonic.parse(expected.encode()) == value


@pytest.mark.parametrize(
    "text, why",
    [
        ("NaN", "not JSON"), ("Infinity", "not JSON"), ("-Infinity", "not JSON"), ("1e400", "out of range"),
        ("-1e400", "out of range"), ("9007199254740992", "out of range"), ("-9007199254740992", "out of range"),
        ("1" * 400, "out of range"), ("01", "Extra"), ("1.", "Extra"), ("0x10", "Extra"), ("1e", "Extra"), ("+1", "Expecting"),
        (".5", "Expecting"), ("--1", "Expecting"),
        ('"\\ud800"', "surrogate"), ('{"a":1,"a":1}', "duplicate"), ('{"a":1,"\\u0061":1}', "duplicate"),
    ],
)  # fmt: skip
def test_numbers_and_texts_that_are_refused(text: str, why: str) -> None:
    with pytest.raises(jsonic.Malformed, match=why):
        jsonic.parse(text.encode())


def test_rfc8785_number_sequence(vectors: Path) -> None:
    """The generated sequence of the vectors' README: every line of the first 10,000, by the hash that it gives for them."""
    text = (vectors / "jcs-rfc8785" / "README.txt").read_text()
    statics = re.findall(r"0x([0-9a-f]{16})n", text.partition("serialU64s")[0])
    hashes = {int(lines): digest for digest, lines in re.findall(r"^\| ([0-9a-f]{64}) \| (\d+) ", text, re.M)}

    def numbers() -> Any:
        yield from (int(word, 16) for word in statics)
        yield from (0x0010000000000000 + number for number in range(2000))
        block = bytes(32)
        while True:
            block = hashlib.sha256(block).digest()
            yield from struct.unpack("<4Q", block)

    digest, count = hashlib.sha256(), 0
    for bits in numbers():
        (value,) = struct.unpack("<d", struct.pack("<Q", bits))
        if count >= len(statics) and (value == 0 or value - value != 0):
            continue
        digest.update(b"%x,%s\n" % (bits, jsonic.canonical(value)))
        count += 1
        if count in (1000, 10000):
            assert digest.hexdigest() == hashes[count]
        if count == 10000:
            return


# -- tar -----------------------------------------------------------------------------------------------------------------------


class Tars:
    """The tars of the vectors, each once, in the order of the cases; and a bundle whose layers they all are."""

    def __init__(self, directory: Path, root: Path) -> None:
        cases = json.loads((directory / "cases.json").read_text())["cases"]
        names = [name for case in cases for name in case["layers"]]
        assert sorted(names) == sorted(path.name for path in directory.glob("*.tar")), "each tar is some case's layer"
        self.paths = [directory / name for name in dict.fromkeys(names)]
        self.data = {path.name: path.read_bytes() for path in self.paths}
        self.root = root
        (root / "home").mkdir(mode=0o700)
        self.env = environment(root / "home")
        pair(root / "home", "alice")

    def pack(self, name: str, packing: str) -> Path:
        """A bundle of all of them as layers: plain, or compressed."""
        to = Layout(self.root / name)
        unique = list(dict.fromkeys(self.data.values()))
        layers = [to.blob(images.PACKED[packing](data), packing) for data in unique]
        to.index(to.manifest(to.config(["sha256:" + hashlib.sha256(data).hexdigest() for data in unique]), layers))
        path = self.root / f"{name}.ctp"
        tool("ct", "pack", "-q", "-k", "alice", "-o", path, f"oci:{to.directory}:1.0", env=self.env)
        return path


@pytest.fixture(scope="module")
def tars(vectors: Path, tmp_path_factory: pytest.TempPathFactory) -> Tars:
    return Tars(vectors / "tar-edge-cases", tmp_path_factory.mktemp("tars"))


@pytest.fixture(scope="module")
def bundle(tars: Tars) -> Path:
    return tars.pack("plain", TAR)


def test_layers_are_never_interpreted(tars: Tars, bundle: Path) -> None:
    """Whatever a layer's tar tries, it is bytes here: packed and verified as it is, in its place."""
    for path, packing in ((bundle, TAR), (tars.pack("packed", GZIP), GZIP)):
        tool("ct", "verify", path, env=tars.env)
        raw = path.read_bytes()
        held = [member.content(raw) for member in members(raw) if member.name.startswith("blobs/sha256/")]
        for data in tars.data.values():
            assert images.PACKED[packing](data) in held


def joined(good: bytes, data: bytes) -> dict[str, bytes]:
    """Bundles that a hostile tar is, or is part of."""
    found = members(good)
    trusted = next(member.start for member in found if member.name == "oci-layout")
    return {
        "alone": data,
        "first": data.rstrip(b"\0") + bytes(-len(data.rstrip(b"\0")) % 512) + good,
        "after-trust": good[:trusted] + data,
        "between": good[:trusted] + data.rstrip(b"\0") + bytes(-len(data.rstrip(b"\0")) % 512) + good[trusted:],
        "last": good[: found[-1].end] + data,
        "behind": good + data,
    }


NOT_BUNDLES = {"not-a-bundle", "tar-members", "tar-header", "tar-padding", "trailing-bytes", "truncated", "too-large"}


def test_hostile_tars_are_no_bundles(tars: Tars, bundle: Path, tmp_path: Path) -> None:
    """Each alone, and before, inside and behind a good bundle: refused, by verify and by explain, each with its finding."""
    good = bundle.read_bytes()
    names = []
    for tar, data in tars.data.items():
        for where, made in joined(good, data).items():
            # A tar of nothing is two blocks of zeros, and changes nothing where these are due.
            if made != good:
                names.append(f"{tar}.{where}")
                (tmp_path / names[-1]).write_bytes(made)
    assert len(names) >= 6 * len(tars.data) - 3
    for said in verdicts(names, env=tars.env, cwd=tmp_path):
        assert (said["status"], said["finding"] in NOT_BUNDLES) == (10, True), (said["bundle"], said["status"], said["finding"])
        if said["bundle"].endswith((".alone", ".first")) and said["bundle"] != "empty.tar.first":
            assert said["finding"] == "not-a-bundle", said["bundle"]
    explained = tool("ct", "explain", "--json", *names, env=tars.env, cwd=tmp_path, status=10)
    said = [json.loads(text) for text in explained.stdout.splitlines()]
    assert [one["bundle"] for one in said] == names
    assert {found["status"] for one in said for found in one["findings"]} == {10}
    assert all(one["findings"] for one in said)


def test_hostile_tars_on_a_pipe(tars: Tars, bundle: Path) -> None:
    """The same where it cannot be looked ahead: alone, refused by its first header; last, once the blobs have passed."""
    good = bundle.read_bytes()
    for tar, data in tars.data.items():
        made = joined(good, data)
        for where in ("alone", "last") if tar in ("plain.tar", "empty.tar", "truncated.tar") else ("last",):
            if made[where] == good:
                continue
            said = run(BIN / "ct", "verify", "--json", "-", env=tars.env, input=made[where], text=False)
            verdict = json.loads(said.stdout)
            assert (said.returncode, verdict["finding"] in NOT_BUNDLES) == (10, True), (tar, where, verdict["finding"])
    for tar, data in list(tars.data.items())[:3]:
        said = run(BIN / "ct", "explain", "-", env=tars.env, input=data, text=False)
        assert (said.returncode, b"not a bundle" in said.stdout) == (10, True), tar


def test_every_reader_lists_the_same_members(bundle: Path) -> None:
    expected = [member.name for member in members(bundle.read_bytes())]
    with tarfile.open(bundle, "r:", errorlevel=2) as archive:
        assert [info.name + "/" * info.isdir() for info in archive.getmembers()] == expected
    for command in (["tar"], ["bsdtar"], ["busybox", "tar"]):
        made = run(*command, "-tf", bundle)
        assert (made.returncode, made.stderr, made.stdout.splitlines()) == (0, "", expected), command
        # And the same bytes in them.
        for name in expected[:5] + expected[-2:]:
            held = run(*command, "-xOf", bundle, name, text=False)
            if not name.endswith("/"):
                member = next(member for member in members(bundle.read_bytes()) if member.name == name)
                assert held.stdout == member.content(bundle.read_bytes()), (command, name)


# -- the OCI image specification -------------------------------------------------------------------------------------------------

# What reads each example; and for a manifest that is no image, the finding that says so when it would be packed.
EXAMPLES: dict[str, tuple[str, str | None]] = {
    "config-01": ("config", None),
    "descriptor-01": ("descriptor", None),
    "descriptor-02": ("descriptor", None),
    "descriptor-03": ("descriptor", None),
    "image-index-01": ("index", None),
    "image-index-02": ("index", None),
    "image-layout-01": ("layout", None),
    "image-layout-02": ("index", None),
    "manifest-01": ("manifest", None),
    # Its `data` is its content, which is compared.
    "manifest-02": ("descriptor", None),
    "manifest-03": ("manifest", "oci-artifact"),
    "manifest-04": ("manifest", "oci-artifact"),
    "manifest-05": ("manifest", "oci-artifact"),
}
SCHEMAS = {
    "config": "config-schema",
    "descriptor": "content-descriptor",
    "index": "image-index-schema",
    "layout": "image-layout-schema",
    "manifest": "image-manifest-schema",
}


class Specification:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.registry: Any = Registry(retrieve=lambda uri: self.resource(uri.rpartition("/")[2]))  # type: ignore[call-arg]

    def resource(self, name: str) -> Any:
        return Resource.from_contents(json.loads((self.directory / name).read_bytes()), default_specification=DRAFT4)

    def wrong(self, kind: str, value: Any) -> list[str]:
        schema = json.loads((self.directory / f"{SCHEMAS[kind]}.json").read_bytes())
        return [f"{e.json_path}: {e.message[:200]}" for e in Draft4Validator(schema, registry=self.registry).iter_errors(value)]


@pytest.fixture(scope="module")
def oci_spec(vectors: Path) -> Specification:
    return Specification(vectors / "oci-image-spec")


def test_the_specification_s_schemas_refuse(oci_spec: Specification) -> None:
    """That they were found and are applied, their $refs included."""
    assert oci_spec.wrong("layout", {"imageLayoutVersion": "2.0.0"})
    assert oci_spec.wrong("index", {"schemaVersion": 2, "manifests": [{"mediaType": "x", "size": 1, "digest": "sha256:00"}]})
    assert oci_spec.wrong(
        "manifest", {"schemaVersion": 2, "config": {"mediaType": "a/b", "size": -1, "digest": "x"}, "layers": []}
    )
    assert oci_spec.wrong("config", {"architecture": "amd64", "os": "linux", "rootfs": {"type": "files", "diff_ids": []}})


def test_oci_examples(oci_spec: Specification, tmp_path: Path) -> None:
    paths = sorted(oci_spec.directory.glob("example-*-valid.json"))
    assert [path.stem.removeprefix("example-").removesuffix("-valid") for path in paths] == sorted(EXAMPLES)
    for path in paths:
        kind, refused = EXAMPLES[path.stem.removeprefix("example-").removesuffix("-valid")]
        data, media_type = path.read_bytes(), Path(f"{path}.mediatype").read_text().strip()
        value = json.loads(data)
        assert oci_spec.wrong(kind, value) == [], path.name
        if kind == "config":
            assert oci.read_config(data, path.name) == value
        elif kind == "descriptor":
            assert oci.descriptor(value, path.name) == value
        elif kind == "index":
            assert oci.read_index(data, media_type, path.name) == value
        elif kind == "layout":
            assert value == {"imageLayoutVersion": "1.0.0"}
        else:
            assert oci.read_manifest(data, media_type, path.name) == value
        if refused:
            to = Layout(tmp_path / path.stem)
            to.index(to.blob(data, media_type))
            made = tool(
                "ct",
                "pack",
                "--no-sign",
                "-o",
                tmp_path / "x.ctp",
                f"oci:{to.directory}:1.0",
                env=environment(tmp_path),
                status=10,
            )
            assert errors.CATALOGUE[refused][2] in made.stderr, path.name


def test_what_is_derived_follows_the_schemas(oci_spec: Specification, tars: Tars) -> None:
    """index.json and oci-layout are made here; the image's own documents are what came, valid where the builder's were."""
    for kind in ("single", "labelled", "multi", "nested", "buildkit", "repeated", "docker", "zstd-layers", "full-name"):
        to = images.make(kind, tars.root / f"made-{kind}")
        path = tars.root / f"{kind}.ctp"
        everything = ["--platform", "all"] if kind in ("multi", "nested", "buildkit") else []
        tool("ct", "pack", "-q", "-k", "alice", *everything, "-o", path, f"oci:{to.directory}", env=tars.env)
        raw = path.read_bytes()
        held = {member.name: member.content(raw) for member in members(raw)}
        assert oci_spec.wrong("layout", json.loads(held["oci-layout"])) == [], kind
        assert oci_spec.wrong("index", json.loads(held["index.json"])) == [], kind
        summary = json.loads(held["summary.json"])
        seen = set()
        for entry in summary["content"]:
            if entry["role"] in ("index", "manifest", "config"):
                document = json.loads(held["blobs/" + entry["digest"].replace(":", "/")])
                assert oci_spec.wrong(entry["role"], document) == [], (kind, entry)
                seen.add(entry["role"])
        assert {"manifest", "config"} <= seen
