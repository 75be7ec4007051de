"""What must hold of every input, tried on many: Hypothesis with a fixed seed, so that a failure is the same one everywhere."""

import copy
import gzip
import json
import tarfile
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from cerrotorre import (
    b64,
    digest,
    dsse,
    errors,
    jsonic,
    keystore,
    manifest,
    signatures,
    statement,
    suites,
    tarball,
)
from cerrotorre.errors import Fail
from hypothesis import HealthCheck, Phase, assume, example, given, settings
from hypothesis import strategies as st
from images import GZIP, INDEX, TAR, ZSTD, Layout, zstd
from small import BIN, TIME, checksum, environment, members, packed, pair, rebuilt, run, tool, verdicts

base = settings(derandomize=True, deadline=None, database=None, suppress_health_check=[*HealthCheck])
# What runs tools is too slow for a failing example to be made small.
few = settings(base, max_examples=40, phases=[Phase.explicit, Phase.generate])
some = settings(base, max_examples=300)
many = settings(base, max_examples=1000)

texts = st.text(st.characters(codec="utf-8"), max_size=20)
integers = st.integers(-(2**53) + 1, 2**53 - 1)
# Whole numbers of 2^53 and more are written without a point up to 10^21, and are then integers out of range to a reader.
floats = st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: x != int(x) or abs(x) < 2**53 or abs(x) >= 1e21)
scalars = st.none() | st.booleans() | integers | floats | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)


class Place:
    def __init__(self, root: Path) -> None:
        self.root, self.home, self.number = root, root / "home", 0
        self.home.mkdir(mode=0o700)
        self.env = environment(self.home)
        for key in ("alice", "bob"):
            pair(self.home, key)
        layout = Layout(root / "app")
        layout.index(layout.image(2, size=3000))
        self.path = root / "app.ctp"
        tool("ct", "pack", "-k", "alice", "-o", self.path, f"oci:{root}/app:1.0", env=self.env)
        self.raw = self.path.read_bytes()
        self.opened = tool("ct-open", self.path, env=self.env).stdout
        self.record = json.loads(self.opened.splitlines()[0])

    def new(self) -> Path:
        self.number += 1
        return self.root / str(self.number)

    def pipe(self, records: list[dict[str, Any]], *stages: list[str], status: int | None = 0) -> list[dict[str, Any]]:
        """The records after these tools."""
        said = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        said += json.dumps({"record": "ct/end/1", "records": len(records)}) + "\n"
        for name, *arguments in stages:
            made = run(BIN / name, *arguments, env=self.env, input=said)
            assert status is None or made.returncode == status, (name, made.returncode, made.stdout[-500:], made.stderr[-500:])
            said = made.stdout
        # Not splitlines, which takes U+0085 and others for the end of a line too.
        *lines, end = [json.loads(line) for line in said.removesuffix("\n").split("\n")]
        assert end == {"record": "ct/end/1", "records": len(lines)}
        return lines


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("properties"))


# -- pack, then verify -----------------------------------------------------------------------------------------------------------

ANNOTATIONS = [
    f"org.opencontainers.image.{name}" for name in ("title", "description", "licenses", "vendor", "url", "base.name")
]
labels = st.dictionaries(st.sampled_from(ANNOTATIONS) | texts, texts, max_size=4)
kinds = st.sampled_from([TAR, GZIP, ZSTD])
blobs = st.binary(max_size=600)
images = st.fixed_dictionaries(
    {
        "layers": st.lists(st.tuples(blobs, kinds), max_size=4),
        "repeat": st.integers(0, 3),
        "labels": labels,
        "annotations": labels,
        "architecture": st.sampled_from(["amd64", "arm64", "s390x", "riscv64"]),
        "variant": st.none() | st.sampled_from(["v7", "v8"]),
        "typed": st.booleans(),
    }
)
# A directory's name ends up in `provenance.source`: anything that a canonical manifest may hold.
directories = st.text(st.sampled_from("abcxyz019-_ éßΩ中'\"\\$&;*#%~!(["), min_size=1, max_size=12).map(lambda name: "a" + name)
PACK = {TAR: bytes, GZIP: lambda data: gzip.compress(data, mtime=0), ZSTD: zstd}


def build(layout: Layout, said: dict[str, Any]) -> dict[str, Any]:
    held = [(data, kind, layout.blob(PACK[kind](data), kind)) for data, kind in said["layers"]]
    held += held[: said["repeat"]]
    # Content is each digest once, and one digest has one media type in the layout that a person makes.
    first = {}
    layers = [first.setdefault(found["digest"], found) for _, _, found in held]
    named = {"variant": said["variant"]} if said["variant"] else {}
    ids = [digest.sha256(data) for data, _, _ in held]
    config = layout.config(ids, said["architecture"], config={"Labels": said["labels"]}, **named)
    return layout.manifest(config, layers, typed=said["typed"], annotations=said["annotations"])


@few
@given(st.lists(images, min_size=1, max_size=3), directories, st.booleans())
def test_what_is_packed_is_valid(place: Place, packs: list[dict[str, Any]], name: str, as_index: bool) -> None:
    name = unicodedata.normalize("NFC", name)
    root = place.new()
    root.mkdir()
    layout = Layout(root / name)
    if as_index:
        made = [build(layout, said) for said in packs]
        platforms = [
            {"os": "linux", "architecture": said["architecture"], **({"variant": said["variant"]} if said["variant"] else {})}
            for said in packs
        ]
        entries = [found | {"platform": where} for found, where in zip(made, platforms, strict=True)]
        image = layout.blob(
            {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries, "annotations": packs[0]["annotations"]}, INDEX
        )
    else:
        image = build(layout, packs[0])
    layout.index(image)
    path = root / "x.ctp"
    options = ["--platform", "all"] if as_index else []
    tool("ct", "pack", "-k", "alice", "--name", "x", *options, "-o", path, f"oci:{layout.directory}:1.0", env=place.env)
    (verdict,) = verdicts(["x.ctp"], env=place.env, cwd=root)
    assert verdict["valid"] and verdict["package"]["image_digest"] == image["digest"], verdict
    assert verdict["source"] == f"oci:{name}:1.0"
    # What a reader that knows only OCI and tar sees.
    raw = path.read_bytes()
    held = {member.name: member.content(raw) for member in members(raw)}
    (entry,) = json.loads(held["index.json"])["manifests"]
    assert entry["digest"] == image["digest"]
    for blob, data in held.items():
        if blob.startswith("blobs/sha256/") and data:
            assert digest.sha256(data) == "sha256:" + blob[13:]
    # Metadata is what the image says, or it is left out; never something else.
    parsed = json.loads(tool("ct-open", path, env=place.env).stdout.splitlines()[0])["manifest"]
    sources = [packs[0]["annotations"], *([] if as_index else [packs[0]["labels"]])]
    for key in ANNOTATIONS:
        wanted = next((source[key] for source in sources if key in source), None)
        short = key.removeprefix("org.opencontainers.image.").replace(".", "_")
        assert parsed.get("metadata", {}).get(short) in (wanted, None)
        if wanted is not None and wanted.isascii() and wanted.isprintable():
            assert parsed["metadata"][short] == wanted


# -- JSON ----------------------------------------------------------------------------------------------------------------------


@many
@given(values)
def test_canonical_json(value: Any) -> None:
    made = jsonic.canonical(value)
    assert json.loads(made) == value
    again = jsonic.parse(made)
    assert again == value and jsonic.canonical(again) == made
    # Sorted by UTF-16 code units, at every depth (RFC 8785, 3.2.3).
    json.loads(made, object_pairs_hook=check_order)


def check_order(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key.encode("utf-16-be") for key, _ in pairs]
    assert keys == sorted(keys)
    return dict(pairs)


@many
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_canonical_numbers(value: float) -> None:
    text = jsonic.canonical(value).decode()
    assert float(text) == value and "E" not in text and "." not in (text[0], text[-1])
    assert len(text) <= 25


@some
@given(values, st.data())
def test_json_is_read_as_others_read_it(value: Any, data: st.DataObject) -> None:
    """Whatever is accepted means what Python's own reader takes it for; a byte altered is refused or means something else."""
    text = json.dumps(value, ensure_ascii=data.draw(st.booleans()), indent=data.draw(st.sampled_from([None, 1]))).encode()
    at = data.draw(st.integers(0, len(text) - 1))
    altered = text[:at] + bytes([text[at] ^ 1 << data.draw(st.integers(0, 7))]) + text[at + 1 :]
    assert jsonic.parse(text) == value
    try:
        made = jsonic.parse(altered)
    except jsonic.Malformed:
        return
    assert made == json.loads(altered)


@some
@given(st.binary(max_size=40) | texts.map(lambda text: ("[" + text + "]").encode()))
@example(b"[" * 65)
@example(b'{"a":' * 70 + b"1" + b"}" * 70)
@example(b'"\\ud800"')
@example(b'{"a":1,"a":1}')
@example(b"[1e400]")
@example(b"9007199254740992")
@example(b"NaN")
@example(b"-0")
@example(b"\xef\xbb\xbf1")
def test_no_bytes_crash_the_json_reader(data: bytes) -> None:
    for parse in (jsonic.parse, jsonic.parse_record):
        try:
            jsonic.canonical(parse(data))
        except jsonic.Malformed:
            pass


# -- DSSE ----------------------------------------------------------------------------------------------------------------------


@some
@given(st.binary(max_size=200), st.lists(st.tuples(texts, st.binary(max_size=80)), min_size=1, max_size=8))
def test_envelopes_round_trip(payload: bytes, made: list[tuple[str, bytes]]) -> None:
    line = dsse.write(payload, made)
    assert b"\n" not in line
    kind, found = dsse.parse_line(line, 1)
    assert (kind, found["payload"], found["payload_type"], found["signatures"]) == (
        "envelope",
        payload,
        dsse.PAYLOAD_TYPE,
        made,
    )


@many
@given(st.binary(max_size=30), st.lists(st.tuples(texts, st.binary(max_size=10)), min_size=1, max_size=2), st.data())
def test_only_what_write_makes_is_an_envelope(payload: bytes, made: list[tuple[str, bytes]], data: st.DataObject) -> None:
    """A line altered by a byte, or one more or less, is refused or is itself the one spelling of what it says."""
    line = dsse.write(payload, made)
    at = data.draw(st.integers(0, len(line) - 1))
    piece = data.draw(st.binary(max_size=2))
    altered = line[:at] + piece + line[at + data.draw(st.integers(0, 2)) :]
    try:
        kind, found = dsse.parse_line(altered, 1)
    except Fail as fail:
        assert fail.finding["finding"] == "attestations-malformed" and fail.finding["status"] == 10
        return
    assert kind == "envelope"
    again = dsse.write(found["payload"], found["signatures"])
    assert again.replace(dsse.PAYLOAD_TYPE.encode(), jsonic.canonical(found["payload_type"])[1:-1], 1) == altered


@some
@given(values)
def test_any_json_is_a_line_or_a_finding(value: Any) -> None:
    try:
        line = jsonic.canonical(value)
        kind, _ = dsse.parse_line(line, 1)
    except (jsonic.Malformed, Fail):
        return
    assert kind == "evidence" and isinstance(value["evidence"], str)


@many
@given(texts, st.binary(max_size=40), texts, st.binary(max_size=40))
def test_pae_is_injective(kind: str, body: bytes, other_kind: str, other_body: bytes) -> None:
    assume((kind, body) != (other_kind, other_body))
    assert dsse.pae(kind, body) != dsse.pae(other_kind, other_body)


@many
@given(st.binary(max_size=40) | st.text("ABCabc019+/=-_ \n", max_size=12).map(str.encode))
def test_base64_has_one_spelling(data: bytes) -> None:
    assert b64.decode(b64.encode(data)) == data
    try:
        text = data.decode()
        assert b64.encode(b64.decode(text)) == text
    except ValueError:
        pass


# -- tar -----------------------------------------------------------------------------------------------------------------------

names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=100)
sizes = st.integers(0, 8**11 - 1) | st.integers(8**11, 2**53 - 1) | st.sampled_from([0, 1, 511, 512, 513, 8**11 - 1, 8**11])


@some
@given(names, sizes, st.sampled_from([tarball.FILE, tarball.DIRECTORY]))
def test_headers_are_those_of_python(name: str, size: int, kind: bytes) -> None:
    """Python writes the same header, but leaves the device numbers empty where GNU tar writes zeros."""
    if kind == tarball.DIRECTORY:
        name = name[:99].rstrip("/") + "/"
    info = tarfile.TarInfo(name)
    info.size, info.type, info.mode = (size if kind == tarball.FILE else 0), kind, 0o755 if kind == tarball.DIRECTORY else 0o644
    format = tarfile.USTAR_FORMAT if info.size < 8**11 else tarfile.PAX_FORMAT
    info.name = name.removesuffix("/") if kind == tarball.DIRECTORY else name
    theirs = info.tobuf(format)
    made = tarball.header(name, info.size, kind)
    assert len(made) == len(theirs) and len(made) % 512 == 0
    for at in range(0, len(theirs), 1024):
        block = bytearray(theirs[at : at + 512])
        block[329:336] = block[337:344] = b"0" * 7
        # The mode of a pax header itself, which means nothing.
        if block[156:157] == tarball.PAX:
            block[100:107] = b"0000644"
        assert made[at : at + 512] == checksum(block)
        assert made[at + 512 : at + 1024] == theirs[at + 512 : at + 1024]
    assert (len(made) == 512) == (info.size < 8**11)


@some
@given(
    st.binary(min_size=512, max_size=512)
    | st.binary(min_size=12, max_size=12).map(lambda field: bytes(124) + field + bytes(376))
)
def test_a_claimed_size_is_digits_or_a_finding(block: bytes) -> None:
    try:
        size = tarball.claimed_size(block)
    except Fail as fail:
        assert fail.finding["finding"] == "tar-header"
    else:
        assert 0 <= size < 8**11 and b"%011o" % size == block[124:135]


# -- records -------------------------------------------------------------------------------------------------------------------

OWNED = {
    "ct-check": {"signatures", "keys", "passed", "findings"},
    "ct-policy": {"trust", "passed", "findings"},
    "ct-hash": {"passed", "findings"},
    "ct-sign": {"attestations", "passed", "findings"},
    "ct-canon": {"canonical", "manifest_digest", "manifest", "passed", "findings"},
}
KNOWN = {
    "record", "bundle", "canonical", "manifest", "manifest_digest", "content", "derived", "attestations", "signatures", "keys", "trust",
    "passed", "findings",
}  # fmt: skip
wide = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
extras = st.dictionaries(texts.filter(lambda key: key not in KNOWN), wide, min_size=1, max_size=4)
ARGUMENTS = {"ct-policy": ["--at", TIME], "ct-sign": ["-k", "bob"]}


@settings(few, max_examples=5)
@given(st.lists(st.tuples(extras, extras), min_size=20, max_size=20))
def test_members_of_others_pass_through(place: Place, drawn: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    """Every filter hands on what it does not own exactly as it found it, in its order, and drops what it finds in its own."""
    before = [{**first, **copy.deepcopy(place.record), **second} for first, second in drawn]
    for name in OWNED:
        after = place.pipe(before, [name, *ARGUMENTS.get(name, [])])
        assert len(after) == len(before)
        for one, two in zip(before, after, strict=True):
            ours = OWNED[name]
            assert {key: value for key, value in one.items() if key not in ours} == {
                key: value for key, value in two.items() if key not in ours
            }
            assert [key for key in one if key not in ours] == [key for key in two if key not in ours]
            assert two["findings"][: len(one["findings"])] == one["findings"]
            assert all(two["passed"].get(check) == said for check, said in one["passed"].items())
        if name != "ct-sign":
            # ct-policy needs what ct-check said, and ct-hash what ct-policy said.
            before = after


def test_owners_discard_what_they_find(place: Place) -> None:
    """A claim that lies in a tool's own member does not outlive the tool."""
    lie = [
        {"kind": "bundle-signature", "status": "valid", "trusted": True, "key_id": "root", "fingerprint": "SHA256:" + "0" * 64}
    ]
    unsigned = copy.deepcopy(place.record)
    unsigned["attestations"] = []
    unsigned["signatures"] = lie
    unsigned["trust"] = {"policies": ["lie"], "rules": []}
    unsigned["passed"] |= {"signatures": True, "trust": True, "policy": True, "attestations": True, "content": True}
    (made,) = place.pipe([unsigned], ["ct-check"], status=2)
    assert made["signatures"] == [] and made["passed"]["signatures"] is False
    stages = [["ct-check"], ["ct-policy"], ["ct-hash"]]
    (made,) = place.pipe([unsigned], *stages, status=2)
    assert errors.verdict(made["findings"])["finding"] == "unsigned"  # type: ignore[index]
    (made,) = place.pipe([unsigned], *([name, "--all"] for (name,) in stages), status=None)
    assert made["trust"]["policies"] == [] and made["passed"]["trust"] is False
    good = {**copy.deepcopy(place.record), "canonical": "lie", "manifest_digest": "lie"}
    (made,) = place.pipe([good], ["ct-canon"])
    assert made == place.record


MUTABLE = sorted(KNOWN - {"record", "bundle"})


def mutate(value: Any, data: st.DataObject) -> Any:
    """The value with one part, at any depth, replaced by some other JSON."""
    made = copy.deepcopy(value)
    parent, key = None, None
    node = made
    while isinstance(node, dict | list) and node and data.draw(st.integers(0, 4)):
        parent, key = node, data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        node = parent[key]
    other = data.draw(values.filter(lambda other: other != node))
    if parent is None:
        return other
    if data.draw(st.integers(0, 5)) == 0:
        del parent[key]
    else:
        parent[key] = other
    return made


@settings(few, max_examples=12)
@given(st.data())
def test_altered_records_are_never_valid_and_never_crash(place: Place, data: st.DataObject) -> None:
    """What a record says must follow from its signed bytes. (findings and passed are the word of the process that wrote it.)"""
    records = []
    for _ in range(30):
        key = data.draw(st.sampled_from([key for key in MUTABLE if key in place.record and key not in ("findings", "passed")]))
        records.append({**place.record, key: mutate(place.record[key], data)})
    said = place.pipe(records, ["ct-check"], ["ct-policy", "--at", TIME], ["ct-hash"], status=None)
    for before, after in zip(records, said, strict=True):
        made = errors.verdict(after["findings"])
        changed = {key: before[key] for key in before if before[key] != place.record[key]}
        if made is None:
            # `at` may name another way to the same bytes, or less of them; all of it was hashed.
            assert after["passed"].get("content") is True and set(changed) <= {"content", "derived", "attestations"}, changed
        else:
            assert made["finding"] != "internal", (made, changed)


# -- statements ----------------------------------------------------------------------------------------------------------------


class Signer:
    """Keys without a store, and a manifest to sign."""

    def __init__(self) -> None:
        self.keys = [self.key(name) for name in ("alice", "bob")]
        self.manifest = {"name": "app", "version": "1.0", "image_digest": digest.sha256(b"image")}
        self.digest = digest.sha256(b"manifest")

    def key(self, key_id: str) -> dict[str, Any]:
        seeds = [digest.sha256(key_id.encode()).encode()[7:39]]
        publics = suites.publics("CT-SIG-01", seeds)
        made = {
            "key_id": key_id,
            "suite_id": "CT-SIG-01",
            "publics": publics,
            "seeds": seeds,
            "origin": "keys",
            "trusted": True,
        }
        return made | {
            "fingerprint": suites.fingerprint("CT-SIG-01", publics),
            "components": suites.component_fingerprints("CT-SIG-01", publics),
            "expires": None,
            "rotated_into": None,
        }

    def statement(self, attestations: list[str]) -> Any:
        return json.loads(statement.make(self.manifest, self.digest, self.keys[0], "2026-01-01T00:00:00Z", attestations, None))

    def envelope(self, payload: bytes, kind: str = dsse.PAYLOAD_TYPE, key: int = 0) -> dict[str, Any]:
        (signature,) = suites.sign("CT-SIG-01", self.keys[key]["seeds"], dsse.pae(kind, payload))
        return {"payload": payload, "payload_type": kind, "signatures": [(self.keys[key]["components"][0], signature)]}

    def judge(self, *envelopes: dict[str, Any], others: list[str] | None = None) -> tuple[list[Any], list[Any]]:
        return signatures.judge(list(envelopes), others or [], self.manifest, self.digest, self.keys)


@pytest.fixture(scope="module")
def signer() -> Signer:
    made = Signer()
    assert [one["status"] for one in made.judge(made.envelope(jsonic.canonical(made.statement([]))))[0]] == ["valid"]
    return made


@settings(some, max_examples=500)
@given(st.data())
def test_a_genuine_signature_over_another_statement_counts_for_nothing(signer: Signer, data: st.DataObject) -> None:
    """Even the holder of the key cannot sign what is not exactly a statement about this bundle."""
    line = digest.sha256(b"line")
    true = signer.statement([line])
    made = mutate(true, data)
    try:
        payload = jsonic.canonical(made)
    except jsonic.Malformed:
        return
    found, wrong = signer.judge(signer.envelope(payload), others=[line])
    if not wrong:
        differs = {
            key for key in {*true["predicate"], *made["predicate"]} if made["predicate"].get(key) != true["predicate"].get(key)
        }
        assert {key: made[key] for key in made if key != "predicate"} == {key: true[key] for key in true if key != "predicate"}
        # Claims of the signer's own, and lines it chose not to list.
        assert differs <= {"signed_at", "key_id", "attestations", "expires", "supersedes"}, made
        assert found[0]["status"] == "valid"
    else:
        assert {one["status"] for one in wrong} == {2}
        assert {one["finding"] for one in wrong} <= {
            "statement-malformed",
            "subject-mismatch",
            "attestation-removed",
            "unsigned",
        }


@settings(some, max_examples=500)
@given(
    st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode()),
    st.sampled_from([dsse.PAYLOAD_TYPE, "text/plain", ""]),
)
def test_any_payload_is_a_finding(signer: Signer, payload: bytes, kind: str) -> None:
    found, wrong = signer.judge(signer.envelope(payload, kind))
    assert found[0]["status"] == "invalid" and found[0]["kind"] == "attestation"
    assert {one["finding"] for one in wrong} == {"statement-malformed", "unsigned"}


@settings(some, max_examples=500)
@given(st.data())
def test_any_signatures_are_a_finding_or_unknown(signer: Signer, data: st.DataObject) -> None:
    """An envelope whose keyids and signatures are anything: valid only with the key's own signature under the key's own name."""
    payload = jsonic.canonical(signer.statement([]))
    true = signer.envelope(payload)["signatures"][0]
    other = signer.envelope(payload, key=1)["signatures"][0]
    keyids = st.sampled_from([true[0], other[0]]) | texts
    raws = st.sampled_from([true[1], other[1], true[1][:-1], b""]) | st.binary(max_size=70)
    made = data.draw(st.lists(st.tuples(keyids, raws) | st.just(true), min_size=1, max_size=8))
    found, wrong = signer.judge({"payload": payload, "payload_type": dsse.PAYLOAD_TYPE, "signatures": made})
    if not wrong:
        assert made == [true]
        assert found[0]["status"] == "valid"
    else:
        assert {one["status"] for one in wrong} == {2} and found[0]["status"] == "invalid"


@settings(few, max_examples=6)
@given(st.data())
def test_fuzzed_attestations_through_the_tools(place: Place, data: st.DataObject) -> None:
    """In bundles, by the road of people: never valid for what was altered, never 70."""
    directory = place.new()
    directory.mkdir()
    held = next(member.content(place.raw) for member in members(place.raw) if member.name == "attestations.jsonl")
    true = json.loads(held)
    files, unchanged = [], []
    for number in range(40):
        made = mutate(true, data)
        if isinstance(made, dict) and data.draw(st.booleans()) and isinstance(made.get("payload"), str):
            try:
                made["payload"] = b64.encode(jsonic.canonical(mutate(json.loads(b64.decode(true["payload"])), data)))
            except jsonic.Malformed:
                continue
        try:
            line = jsonic.canonical(made)
        except jsonic.Malformed:
            continue
        (directory / f"{number}.ctp").write_bytes(rebuilt(place.raw, {"attestations.jsonl": line + b"\n"}))
        files.append(f"{number}.ctp")
        unchanged.append(line + b"\n" == held)
    for verdict, same in zip(verdicts(files, env=place.env, cwd=directory), unchanged, strict=True):
        assert (verdict["status"] == 0) == same and verdict["status"] != 70, verdict


# -- manifests -----------------------------------------------------------------------------------------------------------------


@settings(some, max_examples=400)
@given(st.data())
def test_any_manifest_is_checked_or_a_finding(place: Place, data: st.DataObject) -> None:
    """manifest.check never trips, and what it lets pass determines its members."""
    made = mutate(place.record["manifest"], data)
    if not isinstance(made, dict):
        return
    try:
        manifest.check(made)
    except Fail as fail:
        assert fail.finding["status"] == 10
        return
    for _, member in manifest.derived(made, digest.sha256(b"")):
        assert jsonic.canonical(json.loads(member)) + b"\n" == member


@settings(few, max_examples=8)
@given(st.data())
def test_signed_nonsense_is_never_valid(place: Place, data: st.DataObject) -> None:
    """A manifest that contradicts the image, signed by a trusted key, derived members and all: still no valid bundle."""
    directory = place.new()
    directory.mkdir()
    true = place.record["manifest"]
    held = {member.name: member.content(place.raw) for member in members(place.raw)}
    candidates = [mutate(true, data) for _ in range(10)]
    # Some that are manifests, so that it is the image that contradicts them.
    for key, value in (("platforms", ["plan9/386"]), ("created", "yesterday"), ("layers", true["image"]["layers"][::-1])):
        candidates.append({**true, "image": {**true["image"], key: value}})
    candidates.append({**true, "metadata": {"title": data.draw(st.text("abc", min_size=1))}})
    candidates.append({**true, "content": [true["content"][0], *data.draw(st.permutations(true["content"][1:]))]})
    candidates.append({**true, "content": true["content"][: data.draw(st.integers(1, 3))]})
    files = []
    for number, made in enumerate(candidates):
        words = ("name", "version", "ext", "provenance")
        if not isinstance(made, dict) or {**made, **dict.fromkeys(words)} == {**true, **dict.fromkeys(words)}:
            continue
        (record,) = place.pipe([{**place.record, "manifest": made}], ["ct-canon"], status=None)
        try:
            manifest.check(made)
        except Fail:
            continue
        (directory / f"{number}.ctp").write_bytes(signed(place, made, record["canonical"].encode(), held))
        files.append(f"{number}.ctp")
    assert len(files) >= 4
    for verdict in verdicts(files, env=place.env, cwd=directory):
        assert verdict["finding"] == "image-mismatch", verdict


def signed(place: Place, made: dict[str, Any], canonical: bytes, held: dict[str, bytes]) -> bytes:
    """A whole bundle of any manifest, signed by alice."""
    key = place_key(place)
    payload = statement.make(made, digest.sha256(canonical), key, "2026-01-01T00:00:00Z", [], None)
    (raw,) = suites.sign(key["suite_id"], key["seeds"], dsse.pae(dsse.PAYLOAD_TYPE, payload))
    line = dsse.write(payload, [(key["components"][0], raw)]) + b"\n"
    (summary, *derived) = manifest.derived(made, digest.sha256(canonical))
    small = [("manifest.toml", canonical), summary, ("attestations.jsonl", line), *derived]
    parts = [packed(name, data) for name, data in small] + [packed(name, b"", b"5") for name in manifest.DIRECTORIES]
    for entry in made["content"]:
        path = manifest.blob_path(entry["digest"])
        parts.append(packed(path, held.get(path, bytes(entry["size"]))))
    return b"".join(parts) + bytes(1024)


def place_key(place: Place) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CT_HOME", str(place.home))
        return keystore.signing_key("alice", lambda: b"")
