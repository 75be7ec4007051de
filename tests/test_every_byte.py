"""No altered bundle is valid: every byte flipped, and the tar, the documents, the blobs and the signatures tampered with.

The promise (spec/bundle.adoc): any flipped bit in a bundle whose signers are all in the store is found. Which status it is found
with is promised too (spec/verdicts.adoc), so each class of alteration states its own:

* 10 for headers, paddings, the member list and the end: what a bundle consists of;
* 1 for summary.json, oci-layout, index.json, manifest.json and blobs: content that the signed manifest determines;
* 2 or 10 for manifest.toml: what is still a canonical manifest is a genuine signature over something else (2), unless the members
  that it determines are no longer those that follow (10); all other text is no manifest (10);
* 2 or 10 for attestations.jsonl: what is still a line of its form does not verify, or was seen by a signer (2); all other is 10.

Mutants are judged by the hundred, `ct verify --json f1 f2 …`, as people do, a sample singly, and a sample on a pipe.
"""

import gzip
import itertools
import json
import os
import random
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from cerrotorre import b64, canon, canonread, digest, dsse, jsonic, manifest
from images import GZIP, INDEX, REF_NAME, TAR, Layout, tar
from small import BIN, TIME, checksum, environment, header, members, packed, pair, rebuilt, run, tool, verdicts

BATCH = 1600
TRUST = ("manifest.toml", "summary.json", "attestations.jsonl")
DERIVED = ("oci-layout", "index.json", "manifest.json")
EITHER = frozenset({2, 10})
# make soak: every byte of both bundles, and more of the layers'.
SOAK = "CT_SEEDS" in os.environ

tried: Counter[str] = Counter()
undetected: list[str] = []


class Mutant(NamedTuple):
    kind: str
    what: str
    data: bytes
    expected: frozenset[int]


class Store:
    """Two bundles, each with an unknown maker's attestation and two signatures by stored keys."""

    def __init__(self, root: Path) -> None:
        self.root, self.home = root, root / "home"
        self.home.mkdir(mode=0o700)
        self.env = environment(self.home)
        for key in ("alice", "bob"):
            pair(self.home, key)
        layout = Layout(root / "tiny")
        low, same, high = tar({"base": b"tiny\n"}), tar({"base": b"tint\n"}), tar({"tool": random.Random(1).randbytes(700)})
        base, other, top = layout.blob(low, TAR), layout.blob(same, TAR), layout.blob(gzip.compress(high, mtime=0), GZIP)
        ids = [digest.sha256(low), digest.sha256(high)]
        labels = {"Labels": {"org.opencontainers.image.title": "A tiny image"}}
        single = layout.manifest(layout.config(ids, config=labels), [base, top])
        first = layout.manifest(layout.config([digest.sha256(low), digest.sha256(same)]), [base, other])
        second = layout.manifest(layout.config(ids, "arm64", variant="v8"), [base, top])
        index = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [
                first | {"platform": {"os": "linux", "architecture": "amd64"}},
                second | {"platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
            ],
            "annotations": {"org.opencontainers.image.description": "Two platforms"},
        }
        tagged = {"single": single, "index": layout.blob(index, INDEX)}
        layout.index(*(root | {"annotations": {REF_NAME: tag}} for tag, root in tagged.items()))
        self.bundles = {"single": self.make("single"), "index": self.make("index")}

    def make(self, tag: str) -> bytes:
        path = self.root / f"{tag}.ctp"
        options = ["--platform", "all"] if tag == "index" else []
        tool("ct", "pack", "--no-sign", *options, "-o", path, f"oci:{self.root}/tiny:{tag}", env=self.env)
        raw = path.read_bytes()
        image = canonread.read(members(raw)[0].content(raw))["image_digest"]
        seen = {
            "_type": "https://in-toto.io/Statement/v1",
            "predicateType": "https://slsa.dev/provenance/v1",
            "subject": [{"name": "tiny", "digest": {"sha256": image.removeprefix("sha256:")}}],
            "predicate": {"buildDefinition": {}, "runDetails": {}},
        }
        line = dsse.write(jsonic.canonical(seen), [("SHA256:" + "0" * 64, bytes(range(64)))])
        path.write_bytes(rebuilt(raw, {"attestations.jsonl": line + b"\n"}))
        for key in ("alice", "bob"):
            tool("ct", "sign", "-k", key, path, env=self.env)
        return path.read_bytes()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = Store(tmp_path_factory.mktemp("every"))
    said = verdicts(["single.ctp", "index.ctp"], env=made.env, cwd=made.root)
    assert [one["status"] for one in said] == [0, 0]
    assert all([one["status"] for one in each["signatures"]] == ["unknown", "valid", "valid"] for each in said)
    for tag in ("single", "index"):
        # Taking apart and putting together is the identity, so what is tried below is what it says it is.
        assert rebuilt(made.bundles[tag], {}) == made.bundles[tag]
    names = [[member.name for member in members(raw)] for raw in made.bundles.values()]
    assert names[0][:6] == [*TRUST, *DERIVED] and names[1][:5] == [*TRUST, *DERIVED[:2]]
    return made


def judge(store: Store, mutants: Iterable[Mutant], tmp_path: Path, *options: str) -> None:
    """Judge mutants in batches, two at a time; none may be valid, and each has a status that its class promises."""
    wrong: list[str] = []

    def batch(numbered: tuple[int, tuple[Mutant, ...]]) -> None:
        number, batch = numbered
        directory = tmp_path / str(number)
        directory.mkdir()
        names = [f"{i}.ctp" for i in range(len(batch))]
        for name, mutant in zip(names, batch, strict=True):
            assert mutant.data not in store.bundles.values(), f"{mutant.kind}: {mutant.what}: nothing is altered"
            (directory / name).write_bytes(mutant.data)
        for verdict, mutant in zip(verdicts(names, *options, env=store.env, cwd=directory), batch, strict=True):
            tried[mutant.kind] += 1
            if verdict["status"] not in mutant.expected or verdict["valid"]:
                found = f"{mutant.kind}: {mutant.what}: {verdict['status']} {verdict['finding']}, not {sorted(mutant.expected)}"
                wrong.append(found)
                if verdict["status"] == 0:
                    undetected.append(found)
        for name in names:
            (directory / name).unlink()

    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(batch, enumerate(batches(mutants))):
            pass
    assert not wrong, "\n".join(wrong[:20])


def batches(mutants: Iterable[Mutant]) -> Iterator[tuple[Mutant, ...]]:
    source = iter(mutants)
    while batch := tuple(itertools.islice(source, BATCH)):
        yield batch


# -- every byte --------------------------------------------------------------------------------------------------------------


def regions(raw: bytes) -> Iterator[tuple[str, range, frozenset[int]]]:
    """(what, its bytes, the statuses it promises) of all of a bundle."""
    for member in members(raw):
        yield "header", range(member.start, member.data), frozenset({10})
        data = range(member.data, member.padding)
        if member.name in ("manifest.toml", "attestations.jsonl"):
            yield member.name, data, EITHER
        elif member.name == "summary.json" or member.name in DERIVED:
            yield member.name, data, frozenset({1})
        elif member.size:
            is_json = member.content(raw).startswith(b"{")
            yield "document" if is_json else "layer", data, frozenset({1})
        yield "padding", range(member.padding, member.end), frozenset({10})
    yield "end", range(members(raw)[-1].end, len(raw)), frozenset({10})


def flipped(raw: bytes, at: int, bit: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ (1 << bit)]) + raw[at + 1 :]


def flips(raw: bytes, tag: str) -> Iterator[Mutant]:
    """One bit of each byte but the layers', 1,000 bits of those, and all eight bits of every 97th byte.

    The second bundle's members are like the first's, so of what they share every third byte has to do, or every second.
    """
    steps = {"header": 3, "padding": 3, "end": 3, "manifest.toml": 2, "summary.json": 2, "attestations.jsonl": 2}
    random_bits = random.Random(f"flips {tag}")
    layers = []
    for kind, where, expected in regions(raw):
        if kind == "layer":
            layers += [(at, expected) for at in where]
            continue
        for at in where[:: steps.get(kind, 1) if tag == "index" and not SOAK else 1]:
            bit = random_bits.randrange(8)
            for each in range(8) if at % 97 == 0 else [bit]:
                yield Mutant(kind, f"{tag} byte {at} bit {each}", flipped(raw, at, each), expected)
    for at, expected in random_bits.sample(layers, min(len(layers), 1000 if not SOAK else 50_000)):
        bit = random_bits.randrange(8)
        yield Mutant("layer", f"{tag} byte {at} bit {bit}", flipped(raw, at, bit), expected)


def test_regions_cover_every_byte(store: Store) -> None:
    for raw in store.bundles.values():
        assert [at for _, where, _ in regions(raw) for at in where] == list(range(len(raw)))


@pytest.mark.parametrize("tag", ["single", "index"])
def test_every_byte(store: Store, tag: str, tmp_path: Path) -> None:
    judge(store, flips(store.bundles[tag], tag), tmp_path)


# -- tampering ---------------------------------------------------------------------------------------------------------------

TEN, ONE, TWO = frozenset({10}), frozenset({1}), frozenset({2})


def cuts(raw: bytes, tag: str, other: bytes) -> Iterator[Mutant]:
    ends = {at for member in members(raw) for at in (member.start, member.data, member.padding, member.end)}
    ends |= {len(raw) - 512, len(raw)}
    for at in sorted({end + near for end in ends for near in (-1, 0, 1)} & set(range(len(raw)))):
        yield Mutant("truncated", f"{tag} at {at}", raw[:at], TEN)
    for what, more in (("a byte", b"x"), ("a zero", b"\0"), ("512 zeros", bytes(512)), ("10240 zeros", bytes(10240))):
        yield Mutant("appended", f"{tag} {what}", raw + more, TEN)
    yield Mutant("appended", f"{tag} another bundle", raw + other, TEN)
    yield Mutant("appended", f"{tag} itself", raw + raw, TEN)
    yield Mutant("appended", f"{tag} another bundle before the end", raw[:-1024] + other, TEN)
    yield Mutant("prepended", f"{tag} 512 zeros", bytes(512) + raw, TEN)
    yield Mutant("prepended", f"{tag} 1024 zeros", bytes(1024) + raw, TEN)
    yield Mutant("prepended", f"{tag} a member", packed("README", b"hello") + raw, TEN)


def orders(raw: bytes, tag: str, other: bytes) -> Iterator[Mutant]:
    found = members(raw)
    parts = [member.bytes(raw) for member in found]
    end = bytes(1024)

    def mutant(kind: str, what: str, made: list[bytes]) -> Mutant:
        return Mutant(kind, f"{tag} {what}", b"".join(made) + end, TEN)

    evil = {member.name: member.bytes(other) for member in members(other)}
    for i, member in enumerate(found):
        name, part = member.name, parts[i]
        yield mutant("duplicated", f"{name}, at once", parts[: i + 1] + parts[i:])
        yield mutant("duplicated", f"{name}, at the end", [*parts, part])
        yield mutant("duplicated", f"{name}, at the start", [part, *parts])
        altered = packed(name, b"{}\n", member.kind) if member.kind == b"0" else part
        # skopeo takes the last of two, podman the first.
        yield mutant("duplicated", f"{name}, another one at the end", [*parts, evil.get(name, altered)])
        yield mutant("dropped", name, parts[:i] + parts[i + 1 :])
        if i + 1 < len(parts):
            yield mutant("swapped", name, [*parts[:i], parts[i + 1], part, *parts[i + 2 :]])
            yield mutant("moved", f"{name} to the end", [*parts[:i], *parts[i + 1 :], part])
        if i:
            yield mutant("moved", f"{name} to the start", [part, *parts[:i], *parts[i + 1 :]])
        for extra in (packed("README", b"hi"), packed("extra/", b"", b"5"), packed("blobs/sha256/" + "0" * 64, b"hi")):
            yield mutant("added", f"before {name}", [*parts[:i], extra, *parts[i:]])
        yield mutant("added", f"a zero block before {name}", [*parts[:i], bytes(512), *parts[i:]])
        yield mutant("added", f"two zero blocks before {name}", [*parts[:i], bytes(1024), *parts[i:]])
    yield mutant("reversed", "all", parts[::-1])
    yield mutant("added", "at the end", [*parts, packed("README", b"hi")])
    if tag == "index":
        yield mutant("added", "manifest.json to an index", [*parts[:5], evil["manifest.json"], *parts[5:]])


def headers(raw: bytes, tag: str) -> Iterator[Mutant]:
    found = members(raw)

    def mutant(kind: str, what: str, member_start: int, block: bytes, before: bytes = b"") -> Mutant:
        return Mutant(kind, f"{tag} {what}", raw[:member_start] + before + block + raw[member_start + 512 :], TEN)

    for member in found:
        name, start = member.name.encode(), member.start
        true = raw[start : start + 512]
        assert true == header(name, member.size, member.kind)
        for kind in (
            b"\0",
            b"0",
            b"1",
            b"2",
            b"3",
            b"4",
            b"5",
            b"6",
            b"7",
            b"x",
            b"g",
            b"L",
            b"K",
            b"S",
            b"V",
            b"M",
            b"N",
            b"D",
        ):
            if kind != member.kind:
                link = b"../../etc/passwd" if kind in b"12" else b""
                yield mutant("type", f"{member.name} {kind!r}", start, header(name, member.size, kind, link))
        yield mutant("type", f"{member.name} an empty link", start, header(name, 0, b"2", b"manifest.toml"))
        for other in (
            b"../" + name,
            b"/" + name,
            b"./" + name,
            name + b"/",
            name.upper(),
            name + b" ",
            name[:-1],
            b"x/../" + name,
        ):
            if len(other) <= 100 and other != name:
                yield mutant("name", f"{other!r}", start, header(other, member.size, member.kind))
        fields = {
            "mode": (100, b"0000777"),
            "setuid": (100, b"0004644"),
            "uid": (108, b"0000001"),
            "gid": (116, b"0000001"),
            "mtime": (136, b"00000000001"),
            "linkname": (157, b"x"),
            "gnu magic": (257, b"ustar  \0"),
            "no magic": (257, bytes(8)),
            "uname": (265, b"root"),
            "gname": (297, b"root"),
            "devmajor": (329, b"0000001"),
            "devminor": (337, b"0000001"),
            "no devmajor": (329, bytes(8)),
            "prefix": (345, b"."),
            "after the prefix": (500, b"x"),
            "after the name": (99, b"x"),
            "size in blanks": (124, b"%11o" % member.size),
            "size ended by a blank": (135, b" "),
            "size in base 256": (124, b"\x80" + member.size.to_bytes(11, "big")),
            "size less 1": (124, b"%011o" % max(member.size - 1, 0)),
            "size plus 1": (124, b"%011o" % (member.size + 1)),
            "size plus 512": (124, b"%011o" % (member.size + 512)),
            "size huge": (124, b"77777777777"),
            "negative size": (124, b"\xff" * 12),
        }
        for what, (at, field) in fields.items():
            block = checksum(true[:at] + field + true[at + len(field) :])
            if block != true:
                # The first zero of the padding, taken into a derived member: well-formed, and not what the manifest gives.
                swallowed = what == "size plus 1" and member.name in ("summary.json", *DERIVED)
                yield mutant("field", f"{member.name} {what}", start, block)._replace(expected=ONE if swallowed else TEN)
        yield mutant("field", f"{member.name} checksum's spelling", start, true[:154] + b" \0" + true[156:])
        if b"/" in name.rstrip(b"/"):
            head, _, tail = name.rpartition(b"/") if not name.endswith(b"/") else (b"blobs", b"/", b"sha256/")
            block = bytearray(header(tail, member.size, member.kind))
            block[345 : 345 + len(head)] = head
            yield mutant("field", f"{member.name} split into prefix and name", start, checksum(block))
        for record in (b"path=evil", b"size=%d" % member.size, b"comment=hi", b"linkpath=/etc/passwd"):
            text = b"%d %s\n" % (len(record) + 4, record)
            assert len(text) == len(record) + 4
            for kind in (b"x", b"g"):
                before = packed("././@PaxHeader", text, kind)
                yield mutant("pax", f"{member.name} {kind!r} {record!r}", start, true, before)
        yield mutant("pax", f"{member.name} GNU long name", start, true, packed("././@LongLink", name + b"\0", b"L"))


def documents(raw: bytes, tag: str, other: bytes) -> Iterator[Mutant]:
    """The derived members made to say something else, every header right again."""
    held = {member.name: member.content(raw) for member in members(raw)}
    theirs = {member.name: member.content(other) for member in members(other)}
    blobs = [name for name in held if name.startswith("blobs/sha256/") and len(name) > 13]

    def mutant(kind: str, what: str, changed: dict[str, bytes | None], expected: frozenset[int] = ONE) -> Mutant:
        return Mutant(kind, f"{tag} {what}", rebuilt(raw, changed), expected)

    for name in ("summary.json", *DERIVED):
        if name not in held:
            continue
        value = json.loads(held[name])
        for what, data in {
            "empty": b"",
            "no LF": held[name][:-1],
            "two LF": held[name] + b"\n",
            "a blank": held[name].replace(b":", b": ", 1),
            "CRLF": held[name][:-1] + b"\r\n",
            "not JSON": b"x" * len(held[name]),
            "null": b"null\n",
        }.items():
            yield mutant("document rewritten", f"{name} {what}", {name: data})
        if isinstance(value, dict):
            yield mutant("document rewritten", f"{name} a member more", {name: json.dumps({**value, "x": 1}).encode() + b"\n"})
        yield mutant("document rewritten", f"{name} 9 MiB", {name: held[name] + b" " * (9 << 20)}, TEN)
        if name in theirs and theirs[name] != held[name]:
            yield mutant("document exchanged", name, {name: theirs[name]})
    index = json.loads(held["index.json"])
    first = index["manifests"][0]
    for blob in blobs:
        named = "sha256:" + blob[13:]
        if named != first["digest"]:
            made = {**index, "manifests": [{**first, "digest": named, "size": len(held[blob])}]}
            yield mutant("index.json elsewhere", named, {"index.json": jsonic.canonical(made) + b"\n"})
            both = {**index, "manifests": [first, {**first, "digest": named, "size": len(held[blob])}]}
            yield mutant("index.json elsewhere", f"also {named}", {"index.json": jsonic.canonical(both) + b"\n"})
    retagged = {**first, "annotations": {**first["annotations"], "org.opencontainers.image.ref.name": "evil"}}
    yield mutant("index.json elsewhere", "tag", {"index.json": jsonic.canonical({**index, "manifests": [retagged]}) + b"\n"})
    yield mutant("index.json elsewhere", "nothing", {"index.json": jsonic.canonical({**index, "manifests": []}) + b"\n"})
    if "manifest.json" in held:
        (archive,) = json.loads(held["manifest.json"])
        for what, made in {
            "Config": [{**archive, "Config": blobs[0]}],
            "RepoTags": [{**archive, "RepoTags": ["docker.io/library/nginx:latest"]}],
            "no RepoTags": [{**archive, "RepoTags": []}],
            "Layers reversed": [{**archive, "Layers": archive["Layers"][::-1]}],
            "Layers fewer": [{**archive, "Layers": archive["Layers"][:1]}],
            "Layers more": [{**archive, "Layers": archive["Layers"] * 2}],
            "two images": [archive, {**archive, "RepoTags": ["evil:1"]}],
            "no image": [],
            "outside": [{**archive, "Layers": ["../../etc/passwd"]}],
        }.items():
            yield mutant("manifest.json elsewhere", what, {"manifest.json": jsonic.canonical(made) + b"\n"})


def blobs(raw: bytes, tag: str, other: bytes) -> Iterator[Mutant]:
    found = [member for member in members(raw) if member.name.startswith("blobs/sha256/") and member.size]
    for one, two in itertools.permutations(found, 2):
        same_size = one.size == two.size
        # Exchanged under each other's names: a size that differs is already in the header.
        exchanged = {one.name: two.content(raw), two.name: one.content(raw)}
        yield Mutant("blobs exchanged", f"{tag} {one.name} {two.name}", rebuilt(raw, exchanged), ONE if same_size else TEN)
        replaced = {one.name: two.content(raw)}
        yield Mutant("blob replaced", f"{tag} {one.name} by {two.name}", rebuilt(raw, replaced), ONE if same_size else TEN)
    assert any(one.size == two.size for one, two in itertools.combinations(found, 2)) or tag == "single"
    for one in found:
        data = one.content(raw)
        for what, made in {"zeros": bytes(len(data)), "reversed": data[::-1], "rotated": data[1:] + data[:1]}.items():
            yield Mutant("blob replaced", f"{tag} {one.name} {what}", rebuilt(raw, {one.name: made}), ONE)
        for what, made in {"emptied": b"", "less 1": data[:-1], "plus 1": data + b"\0", "doubled": data * 2}.items():
            yield Mutant("blob resized", f"{tag} {one.name} {what}", rebuilt(raw, {one.name: made}), TEN)
        if one.name not in {member.name for member in members(other)}:
            yield Mutant("blob missing", f"{tag} {one.name}", rebuilt(raw, {one.name: None}), TEN)


def signatures(raw: bytes, tag: str, other: bytes) -> Iterator[Mutant]:
    held = next(member.content(raw) for member in members(raw) if member.name == "attestations.jsonl")
    theirs = next(member.content(other) for member in members(other) if member.name == "attestations.jsonl")
    lines = held.splitlines()
    seen, *signed = lines
    envelopes = [json.loads(line) for line in signed]
    keyids = [envelope["signatures"][0]["keyid"] for envelope in envelopes]

    def mutant(kind: str, what: str, made: bytes, expected: frozenset[int] = TWO) -> Mutant:
        return Mutant(kind, f"{tag} {what}", rebuilt(raw, {"attestations.jsonl": made}), expected)

    def altered(which: int, **changed: object) -> bytes:
        made = [*signed]
        made[which] = jsonic.canonical({**envelopes[which], **changed})
        return b"".join(line + b"\n" for line in (seen, *made))

    yield mutant("attestations exchanged", "all lines", theirs)
    for i in (1, 2):
        one = [*lines]
        one[i] = theirs.splitlines()[i]
        yield mutant("attestations exchanged", f"line {i}", b"".join(line + b"\n" for line in one))
        more = held + theirs.splitlines()[i] + b"\n"
        yield mutant("attestations exchanged", f"line {i} added", more)
    yield mutant("signatures removed", "all", b"")
    yield mutant("signatures removed", "all but the attestation", seen + b"\n")
    yield mutant("attestation removed", "that both saw", b"".join(line + b"\n" for line in signed))
    body = json.loads(seen)
    reworded = jsonic.canonical({**body, "signatures": [{"keyid": "x", "sig": b64.encode(bytes(64))}]})
    yield mutant("attestation removed", "for another of its payload", b"".join(line + b"\n" for line in (reworded, *signed)))
    for which in (0, 1):
        entry = envelopes[which]["signatures"][0]
        raw_signature = b64.decode(entry["sig"])
        for keyid in (
            "",
            "x",
            "SHA256:" + "1" * 64,
            keyids[1 - which],
            keyids[which].lower(),
            keyids[which] + " ",
            "é",
            "\u202e",
        ):
            made = altered(which, signatures=[{**entry, "keyid": keyid}])
            yield mutant("keyid changed", f"{which} {keyid!r}", made)
        for what, bad in {
            "zeros": bytes(64),
            "empty": b"",
            "short": raw_signature[:-1],
            "long": raw_signature + b"\0",
            "the other's": b64.decode(envelopes[1 - which]["signatures"][0]["sig"]),
            # S + L of RFC 8032, 5.1.7: a second spelling of one signature, if a verifier lets it in.
            "S + L": raw_signature[:32] + plus_order(raw_signature[32:]),
        }.items():
            made = altered(which, signatures=[{**entry, "sig": b64.encode(bad)}])
            yield mutant("signature changed", f"{which} {what}", made)
        yield mutant("signature changed", f"{which} twice", altered(which, signatures=[entry, entry]))
        both = [entry, envelopes[1 - which]["signatures"][0]]
        yield mutant("signature changed", f"{which} with the other's beside it", altered(which, signatures=both))
        for kind in ("", "application/vnd.in-toto+JSON", "application/json", "text/plain"):
            yield mutant("payloadType changed", f"{which} {kind!r}", altered(which, payloadType=kind))
        payload = b64.decode(envelopes[which]["payload"])
        said = json.loads(payload)
        for what, changed in {
            "name": {**said, "predicate": {**said["predicate"], "name": "evil"}},
            "signed_at": {**said, "predicate": {**said["predicate"], "signed_at": "2030-01-01T00:00:00Z"}},
            "no attestations": {**said, "predicate": {**said["predicate"], "attestations": []}},
            "fingerprint": {**said, "predicate": {**said["predicate"], "fingerprint": keyids[1 - which]}},
            "predicateType": {**said, "predicateType": "https://slsa.dev/provenance/v1"},
            "subject": {**said, "subject": said["subject"][:1]},
        }.items():
            made = altered(which, payload=b64.encode(jsonic.canonical(changed)))
            yield mutant("payload changed", f"{which} {what}", made)
        yield mutant("payload changed", f"{which} a blank", altered(which, payload=b64.encode(payload + b" ")))
        yield mutant("payload changed", f"{which} nothing", altered(which, payload=""))
        yield mutant("envelope malformed", f"{which} no signatures", altered(which, signatures=[]), TEN)
        yield mutant("envelope malformed", f"{which} nine", altered(which, signatures=[entry] * 9), TEN)
        yield mutant("envelope malformed", f"{which} a member more", altered(which, x=1), TEN)
        yield mutant("envelope malformed", f"{which} null", altered(which, payload=None), TEN)
        yield mutant(
            "envelope malformed", f"{which} no base64", altered(which, payload="!" + envelopes[which]["payload"][1:]), TEN
        )
        unpadded = altered(which, signatures=[{**entry, "sig": entry["sig"].rstrip("=")}])
        yield mutant("envelope malformed", f"{which} no padding", unpadded, TEN)
        urlsafe = altered(which, signatures=[{**entry, "sig": "_" + entry["sig"][1:]}])
        yield mutant("envelope malformed", f"{which} base64url", urlsafe, TEN)
    for what, made in {
        "no LF": held[:-1],
        "two LF": held + b"\n",
        "a blank line first": b"\n" + held,
        "CRLF": held.replace(b"\n", b"\r\n"),
        "blanks": held.replace(b":", b": ", 1),
        "not UTF-8": held[:-1] + b"\xff\n",
        "a BOM": b"\xef\xbb\xbf" + held,
        "an array": b"[" + lines[0] + b"]\n" + b"\n".join(lines[1:]) + b"\n",
        "a key twice": held.replace(b'{"payload":', b'{"payload":"","payload":', 1),
        "257 lines": (seen + b"\n") * 257,
        "NUL": held + b"\0",
    }.items():
        yield mutant("lines malformed", what, made, TEN)


def plus_order(scalar: bytes) -> bytes:
    order = 2**252 + 27742317777372353535851937790883648493
    return (int.from_bytes(scalar, "little") + order).to_bytes(32, "little")


def forgeries(raw: bytes, tag: str) -> Iterator[Mutant]:
    """The manifest made to say something else, and whatever it determines made to follow: only the signature tells."""
    found = members(raw)
    held = {member.name: member.content(raw) for member in found}
    parsed = canonread.read(held["manifest.toml"])

    def mutant(what: str, changed: dict[str, object]) -> Mutant:
        made = {**parsed, **changed}
        canonical = canon.canonical(made)
        derived = dict(manifest.derived(made, digest.sha256(canonical)))
        parts = [packed("manifest.toml", canonical), packed("summary.json", derived.pop("summary.json"))]
        parts += [packed("attestations.jsonl", held["attestations.jsonl"])]
        parts += [packed(name, data) for name, data in derived.items()]
        parts += [packed(name, b"", b"5") for name in ("blobs/", "blobs/sha256/")]
        parts += [packed(path, held[path]) for path in (manifest.blob_path(entry["digest"]) for entry in made["content"])]
        return Mutant("forged", f"{tag} {what}", b"".join(parts) + bytes(1024), TWO)

    yield mutant("version", {"version": "9.9"})
    yield mutant("name", {"name": "nginx"})
    yield mutant("ext", {"ext": {"x": 1}})
    yield mutant("no metadata", {"metadata": {}})
    yield mutant("provenance", {"provenance": {"source": "docker.io/library/nginx:1.26", "registry": "docker.io"}})
    yield mutant("content reordered", {"content": [parsed["content"][0], *parsed["content"][:0:-1]]})
    yield mutant("content fewer", {"content": parsed["content"][:-1]})
    role = {**parsed["content"][-1], "role": "other"}
    yield mutant("a role", {"content": [*parsed["content"][:-1], role]})
    yield mutant("platforms", {"image": {**parsed["image"], "platforms": ["plan9/386"]}})
    for what, text in {
        "a comment": b"# hi\n" + held["manifest.toml"],
        "a blank line": b"\n" + held["manifest.toml"],
        "no LF": held["manifest.toml"][:-1],
        "CRLF": held["manifest.toml"].replace(b"\n", b"\r\n"),
        "another spelling": held["manifest.toml"].replace(b" = ", b"=", 1),
        "a BOM": b"\xef\xbb\xbf" + held["manifest.toml"],
        "empty": b"",
        "another version": held["manifest.toml"].replace(b'ctp_version = "1.0"', b'ctp_version = "2.0"'),
        "another kind": held["manifest.toml"].replace(b'"container_image"', b'"git_bundle"'),
        "an unknown key": held["manifest.toml"].replace(b"image_digest =", b"extra = 1\nimage_digest =", 1),
        "not UTF-8": held["manifest.toml"].replace(b'"1.0"', b'"\xff.0"'),
    }.items():
        yield Mutant("manifest malformed", f"{tag} {what}", rebuilt(raw, {"manifest.toml": text}), TEN)


def tampered(store: Store) -> Iterator[Mutant]:
    for tag, against in (("single", "index"), ("index", "single")):
        raw, other = store.bundles[tag], store.bundles[against]
        yield from cuts(raw, tag, other)
        yield from orders(raw, tag, other)
        yield from headers(raw, tag)
        yield from documents(raw, tag, other)
        yield from blobs(raw, tag, other)
        yield from signatures(raw, tag, other)
        yield from forgeries(raw, tag)
    for what, data in {
        "empty": b"",
        "zeros": bytes(4096),
        "gzip": gzip.compress(store.bundles["single"]),
        "text": b"hello\n" * 200,
        "random": random.Random(2).randbytes(5000),
    }.items():
        yield Mutant("not a bundle", what, data, TEN)


def test_tampering(store: Store, tmp_path: Path) -> None:
    judge(store, tampered(store), tmp_path)


def two_of_each(store: Store) -> list[Mutant]:
    """Two of every class and promise, of flips and tampering; not all are held at once."""
    pick = random.Random(3)
    kept: dict[tuple[str, frozenset[int]], list[Mutant]] = {}
    seen: Counter[tuple[str, frozenset[int]]] = Counter()
    for mutant in tampered(store):
        group = (mutant.kind, mutant.expected)
        seen[group] += 1
        held = kept.setdefault(group, [])
        if len(held) < 2:
            held.append(mutant)
        elif (at := pick.randrange(seen[group])) < 2:
            held[at] = mutant
    for tag, raw in store.bundles.items():
        places: dict[tuple[str, frozenset[int]], list[int]] = {}
        for kind, where, expected in regions(raw):
            places.setdefault((kind, expected), []).extend(where)
        for (kind, expected), where in places.items():
            at, bit = pick.choice(where), pick.randrange(8)
            flip = Mutant(kind, f"{tag} byte {at} bit {bit}", flipped(raw, at, bit), expected)
            kept.setdefault((f"flip: {kind}", expected), []).append(flip)
    return [mutant for found in kept.values() for mutant in found]


def test_single_calls_and_pipes(store: Store, tmp_path: Path) -> None:
    """One file a call; the same bytes on a pipe, `cat f | ct verify -`; and with --all: found each time, with the same status.

    On a pipe what lies beyond the trust members is seen last, so that an earlier check may speak first; a single alteration fails
    a single check, so its status is the same.
    """
    wrong = []

    def road(numbered: tuple[int, Mutant]) -> list[tuple[str, int]]:
        number, mutant = numbered
        path = tmp_path / f"{number}.ctp"
        path.write_bytes(mutant.data)
        ways = [("pipe", ["verify", "-"])]
        if number % 2 == 0:
            ways.append(("file", ["verify", str(path)]))
        elif number % 4 == 1:
            ways.append(("all", ["verify", "--all", "--json", str(path)]))
        else:
            ways.append(("pipe, all", ["verify", "--all", "-"]))
        found = []
        for way, arguments in ways:
            if way.startswith("pipe"):
                with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as cat:
                    made = run(BIN / "ct", *arguments, env=store.env, stdin=cat.stdout)
            else:
                made = run(BIN / "ct", *arguments, env=store.env)
            found.append((way, made.returncode))
        path.unlink()
        return found

    mutants = two_of_each(store)
    with ThreadPoolExecutor(2) as pool:
        for mutant, found in zip(mutants, pool.map(road, enumerate(mutants)), strict=True):
            for way, status in found:
                tried[f"({way})"] += 1
                if status not in mutant.expected:
                    wrong.append(f"{mutant.kind}: {mutant.what}: {way}: {status}, not {sorted(mutant.expected)}")
                    if status == 0:
                        undetected.append(wrong[-1])
    assert not wrong, "\n".join(wrong[:20])


# -- what is not a flip ------------------------------------------------------------------------------------------------------


def test_a_removed_signature_is_the_policys_to_find(store: Store, tmp_path: Path) -> None:
    """Removing a whole signature line leaves a well-signed bundle; required signers and thresholds catch it (spec/bundle.adoc)."""
    raw = store.bundles["single"]
    held = next(member.content(raw) for member in members(raw) if member.name == "attestations.jsonl")
    seen, alice, bob = held.splitlines(keepends=True)
    for name, made in (("both", held), ("alice", seen + alice), ("bob", seen + bob)):
        (tmp_path / f"{name}.ctp").write_bytes(rebuilt(raw, {"attestations.jsonl": made}))
    files = ["both.ctp", "alice.ctp", "bob.ctp"]
    assert [one["status"] for one in verdicts(files, env=store.env, cwd=tmp_path)] == [0, 0, 0]
    required = {"signers": {"allowed": [{"key_id": name, "required": True} for name in ("alice", "bob")]}}
    threshold = {"signers": {"threshold": 2}}
    for number, rules in enumerate((required, threshold)):
        policy = tmp_path / f"{number}.json"
        policy.write_text(json.dumps({"version": "1", **rules}))
        said = verdicts(files, "--policy", str(policy), "--at", TIME, env=store.env, cwd=tmp_path)
        assert [one["status"] for one in said] == [0, 3, 3], said


def test_an_unknown_key_lends_nothing(store: Store, tmp_path: Path) -> None:
    """A signature whose key is not in the store neither helps nor harms; alone it is nobody's (3)."""
    stranger = tmp_path / "home"
    stranger.mkdir(mode=0o700)
    pair(stranger, "mallory")
    raw = store.bundles["single"]
    (tmp_path / "x.ctp").write_bytes(rebuilt(raw, {"attestations.jsonl": b""}))
    tool("ct", "sign", "-k", "mallory", tmp_path / "x.ctp", env=environment(stranger))
    (tmp_path / "y.ctp").write_bytes(raw)
    tool("ct", "sign", "-k", "mallory", tmp_path / "y.ctp", env=environment(stranger))
    said = verdicts(["x.ctp", "y.ctp"], env=store.env, cwd=tmp_path)
    assert [one["status"] for one in said] == [3, 0]
    assert [one["status"] for one in said[1]["signatures"]] == ["unknown", "valid", "valid", "unknown"]


def test_the_tally(record_property: Callable[[str, object], None]) -> None:
    """How many mutants the tests above judged, and how many were not found; the terminal summary shows it."""
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(tried.items()))
    record_property("summary", f"every byte: {sum(tried.values())} mutants, {len(undetected)} undetected   ({kinds})")
    assert tried and not undetected
