"""Alters bundles on purpose: `python3 alter.py CHANGE IN OUT [KEY]`, with the changes in CHANGES.

A change of a member's bytes leaves headers, checksums and padding right, so that only what the change is about is wrong; one
whose name ends in -signed is signed again by KEY, a private key file. $CT_BUILD is the build whose library is used.
"""

import gzip
import json
import os
import sys
import tomllib

if __name__ == "__main__":
    _library = os.path.join(os.environ["CT_BUILD"], "lib", "cerro-torre")
    sys.path[:0] = [_library, _library + "/vendor"]

from cerrotorre import canon, dsse, jsonic, keystore, manifest, statement, suites
from cerrotorre.digest import sha256

BLOCK = 512
TIME = "2026-11-22T10:00:00Z"
AT = {"mode": (100, 8), "uid": (108, 8), "mtime": (136, 12), "type": (156, 1), "link": (157, 100), "magic": (257, 8)}
AT |= {"owner": (265, 32), "device": (329, 8), "prefix": (345, 155), "rest": (500, 12)}


def header(name, size, kind=b"0", **fields):
    """A ustar header with a right checksum; `fields` (of AT) replace what stands there."""
    mode = b"0000755\0" if kind == b"5" else b"0000644\0"
    made = name.encode().ljust(100, b"\0") + mode + b"0000000\0" * 2 + b"%011o\0" % size + b"0" * 11 + b"\0" + b" " * 8
    made = (made + kind + bytes(100) + b"ustar\00000" + bytes(64) + b"0000000\0" * 2).ljust(BLOCK, b"\0")
    for field, value in fields.items():
        start, width = AT[field]
        made = made[:start] + value.ljust(width, b"\0") + made[start + width :]
    return made[:148] + b"%06o\0 " % sum(made) + made[156:]


class Member:
    """One member: `header` (None: as it must be), `data` and what stands in its `padding`."""

    def __init__(self, name, data=b"", kind=b"0"):
        self.name, self.data, self.kind = name, data, kind
        self.header = self.padding = None

    def __bytes__(self):
        padding = bytes(-len(self.data) % BLOCK) if self.padding is None else self.padding
        return (self.header or header(self.name, len(self.data), self.kind)) + self.data + padding


class Bundle:
    """The members of a .ctp, read without any check."""

    def __init__(self, data):
        self.members, position = [], 0
        self.end = bytes(2 * BLOCK)
        while data[position]:
            block = data[position : position + BLOCK]
            size = int(block[124:135], 8)
            position += BLOCK
            self.members.append(Member(block[:100].rstrip(b"\0").decode(), data[position : position + size], block[156:157]))
            position += size + -size % BLOCK

    def __bytes__(self):
        return b"".join(map(bytes, self.members)) + self.end

    def __getitem__(self, name):
        return next(member for member in self.members if member.name == name)

    def blob(self, role, number=0):
        found = [entry for entry in self.manifest()["content"] if entry["role"] == role]
        return self[manifest.blob_path(found[number]["digest"])]

    def manifest(self):
        return tomllib.loads(self["manifest.toml"].data.decode())

    def set_manifest(self, value):
        """Another manifest, and what it determines; the blobs stay as they lie."""
        self["manifest.toml"].data = canon.canonical(canon.tag(value))
        self.derive()

    def derive(self):
        text = self["manifest.toml"].data
        for name, data in manifest.derived(tomllib.loads(text.decode()), sha256(text)):
            self[name].data = data

    def lines(self):
        return self["attestations.jsonl"].data.splitlines()

    def set_lines(self, lines):
        self["attestations.jsonl"].data = b"".join(line + b"\n" for line in lines)

    def statement(self, key, attestations=()):
        text = self["manifest.toml"].data
        return json.loads(statement.make(tomllib.loads(text.decode()), sha256(text), key, TIME, list(attestations), None))

    def sign(self, key, change=None, payload_type=dsse.PAYLOAD_TYPE):
        """Append a signature by the key over a statement, which `change` may change before; `self.unsign()` comes first."""
        others = [sha256(line) for line in self.lines() if not is_signature(line)]
        said = self.statement(key, others)
        if change:
            said = change(said) or said
        payload = said if isinstance(said, bytes) else jsonic.canonical(said)
        self.set_lines([*self.lines(), envelope(payload, key, payload_type)])

    def unsign(self):
        self.set_lines([line for line in self.lines() if not is_signature(line)])


def is_signature(line):
    said = statement.claimed(dsse.parse_line(line, 1)[1]) if b'"evidence"' not in line else None
    return bool(said) and said["predicateType"] == statement.BUNDLE_SIGNATURE


def envelope(payload, key, payload_type=dsse.PAYLOAD_TYPE):
    made = suites.sign(key["suite_id"], key["seeds"], dsse.pae(payload_type, payload))
    value = json.loads(dsse.write(payload, list(zip(key["components"], made, strict=True))))
    return jsonic.canonical(value | {"payloadType": payload_type})


def attestation(bundle, key, predicate_type="https://spdx.dev/Document/v2.3", predicate=None, subject=None):
    """Another statement about the image, by the key."""
    subject = subject or [{"name": "image", "digest": {"sha256": bundle.manifest()["image_digest"][7:]}}]
    said = {"_type": statement.STATEMENT, "subject": subject, "predicateType": predicate_type, "predicate": predicate or {}}
    return envelope(jsonic.canonical(said), key)


def open_key(path):
    return keystore.signing_key(path, lambda: b"")


CHANGES = {}


def change(made):
    CHANGES[made.__name__.replace("_", "-")] = made
    return made


# -- the container: each of these is malformed -------------------------------------------------------------------------------


def _header(name, member="index.json", **fields):
    def made(bundle, _key):
        found = bundle[member] if isinstance(member, str) else bundle.members[member]
        found.header = header(found.name, len(found.data), found.kind, **fields)

    CHANGES[name] = made


_header("header-mode", mode=b"0000600\0")
_header("header-uid", uid=b"0001750\0")
_header("header-mtime", mtime=b"00000000001\0")
_header("header-link", link=b"manifest.toml")
_header("header-symlink", type=b"2")
_header("header-hardlink", type=b"1")
_header("header-sparse", type=b"S")
_header("header-old-type", type=b"\0")
_header("header-gnu", magic=b"ustar  \0")
_header("header-owner", owner=b"root")
_header("header-device", device=b"")
_header("header-prefix", prefix=b"a")
_header("header-rest", rest=b"x")
_header("header-first", member="manifest.toml", mode=b"0000600\0")
_header("header-blob", member=-1, uid=b"0000001\0")
_header("header-directory", member="blobs/", mode=b"0000777\0")


@change
def header_checksum(bundle, _key):
    good = header("index.json", len(bundle["index.json"].data))
    bundle["index.json"].header = good[:148] + b"000000\0 " + good[156:]


@change
def header_blank_size(bundle, _key):
    good = header("summary.json", len(bundle["summary.json"].data))
    bundle["summary.json"].header = good[:124] + b"        1 2\0" + good[136:]


@change
def member_missing(bundle, _key):
    bundle.members.remove(bundle["index.json"])


@change
def blob_missing(bundle, _key):
    bundle.members.pop()


@change
def member_extra(bundle, _key):
    bundle.members.insert(3, Member("extra", b"x"))


@change
def blob_extra(bundle, _key):
    bundle.members.append(Member("blobs/sha256/" + "0" * 64, b"x"))


@change
def member_repeated(bundle, _key):
    bundle.members.append(Member(bundle.members[-1].name, b"evil"))


@change
def manifest_repeated(bundle, _key):
    bundle.members.insert(1, Member("manifest.toml", bundle["manifest.toml"].data))


@change
def members_swapped(bundle, _key):
    bundle.members[-1], bundle.members[-2] = bundle.members[-2], bundle.members[-1]


@change
def trust_swapped(bundle, _key):
    bundle.members[1], bundle.members[2] = bundle.members[2], bundle.members[1]


@change
def member_parent(bundle, _key):
    bundle.members.append(Member("../../etc/passwd", b"x"))


@change
def member_absolute(bundle, _key):
    bundle.members.insert(0, Member("/etc/passwd", b"x"))


@change
def directory_missing(bundle, _key):
    bundle.members.remove(bundle["blobs/"])


@change
def pax_header(bundle, _key):
    bundle.members.insert(3, Member("././@PaxHeader", b"19 path=index.json\n", b"x"))


@change
def padding(bundle, _key):
    bundle["summary.json"].padding = b"x".rjust(-len(bundle["summary.json"].data) % BLOCK, b"\0")


@change
def padding_blob(bundle, _key):
    bundle.members[-1].padding = b"x".ljust(-len(bundle.members[-1].data) % BLOCK, b"\0")


@change
def end_missing(bundle, _key):
    bundle.end = b""


@change
def end_half(bundle, _key):
    bundle.end = bytes(BLOCK)


@change
def end_short(bundle, _key):
    bundle.end = bytes(2 * BLOCK - 1)


@change
def end_other(bundle, _key):
    bundle.end = bytes(BLOCK) + b"x" * BLOCK


@change
def trailing_byte(bundle, _key):
    bundle.end += b"\0"


@change
def trailing_blocks(bundle, _key):
    bundle.end = bytes(20 * BLOCK)


@change
def trailing_bundle(bundle, _key):
    bundle.end += bytes(bundle)


@change
def cut(bundle, _key):
    return bytes(bundle)[:4000]


@change
def compressed(bundle, _key):
    return gzip.compress(bytes(bundle), mtime=0)


@change
def nothing(bundle, _key):
    return b""


@change
def other_file(bundle, _key):
    return b"This is no bundle.\n" * 100


@change
def manifest_too_large(bundle, _key):
    bundle["manifest.toml"].data += b" " * (4 << 20)


@change
def attestations_too_large(bundle, _key):
    bundle["attestations.jsonl"].header = header("attestations.jsonl", (64 << 20) + 1)


@change
def attestations_large(bundle, key):
    """More than a pipe's record holds, and fine in a file."""
    line = jsonic.canonical({"evidence": "x", "envelope": "sha256:" + "0" * 64, "proof": "x" * (4 << 20)})
    bundle.set_lines([*bundle.lines(), line, line])


# -- the manifest ------------------------------------------------------------------------------------------------------------


@change
def manifest_spelling(bundle, _key):
    bundle["manifest.toml"].data = bundle["manifest.toml"].data.replace(b" = ", b"  = ", 1)
    bundle.derive()


@change
def manifest_comment(bundle, _key):
    bundle["manifest.toml"].data = b"# a comment\n" + bundle["manifest.toml"].data
    bundle.derive()


@change
def manifest_not_toml(bundle, _key):
    bundle["manifest.toml"].data = b"\xff" + bundle["manifest.toml"].data


def _manifest(name, make):
    def made(bundle, key):
        value = bundle.manifest()
        make(value)
        bundle.set_manifest(value)
        if name.endswith("-signed"):
            bundle.unsign()
            bundle.sign(key)

    CHANGES[name] = made


_manifest("manifest-version", lambda value: value.update(ctp_version="2.0"))
_manifest("manifest-kind", lambda value: value.update(kind="rpm"))
_manifest("manifest-key", lambda value: value.update(unknown="x"))
_manifest("manifest-image-key", lambda value: value["image"].update(unknown="x"))
_manifest("manifest-name", lambda value: value.update(name="a/../b"))
_manifest("manifest-digest", lambda value: value["content"][1].update(digest="sha256:" + "A" * 64))
_manifest("manifest-first", lambda value: value.update(image_digest="sha256:" + "0" * 64))
_manifest("manifest-twice", lambda value: value["content"].append(value["content"][1]))
_manifest("manifest-other", lambda value: value.update(version="6.6"))
# Genuine, and what it says of the image is not so.
_manifest("platforms-signed", lambda value: value["image"].update(platforms=["linux/evil"]))
_manifest("title-signed", lambda value: value.setdefault("metadata", {}).update(title="Evil"))
_manifest("role-signed", lambda value: value["content"][-1].update(role="other"))
_manifest("layers-signed", lambda value: value["image"].update(layers=value["image"]["layers"][::-1]))
_manifest("created-signed", lambda value: value["image"].update(created="2036-01-01T00:00:00Z"))
# Genuine, and so.
_manifest("renamed-signed", lambda value: value.update(name="renamed", version="7"))
_manifest("ext-signed", lambda value: value.update(ext={"note": "kept", "deep": {"day": 1}}))
_manifest(
    "registry-signed", lambda value: value.update(provenance={"source": "docker.io/library/app:1.0", "registry": "docker.io"})
)


@change
def unreached_signed(bundle, key):
    """A blob more than the image reaches."""
    value = bundle.manifest()
    digest = sha256(b"smuggled")
    value["content"].append({"digest": digest, "media_type": "application/x", "role": "other", "size": 8})
    bundle.members.append(Member(manifest.blob_path(digest), b"smuggled"))
    bundle.set_manifest(value)
    bundle.unsign()
    bundle.sign(key)


# -- what the manifest determines --------------------------------------------------------------------------------------------


def _derived(name, member, old, new):
    def made(bundle, _key):
        assert old in bundle[member].data
        bundle[member].data = bundle[member].data.replace(old, new)

    CHANGES[name] = made


_derived("derived-summary", "summary.json", b"ct/summary/1", b"ct/summary/2")
_derived("derived-layout", "oci-layout", b"1.0.0", b"1.0.1")
_derived("derived-index", "index.json", b'"digest":"sha256:', b'"digest":"sha256:0')
_derived("derived-archive", "manifest.json", b"blobs/", b"blob5/")


def _blob(name, role, number=0, position=0):
    def made(bundle, _key):
        member = bundle.blob(role, number)
        data = bytearray(member.data)
        data[position] ^= 1
        member.data = bytes(data)

    CHANGES[name] = made


_blob("blob-layer", "layer")
_blob("blob-layer-end", "layer", -1, -1)
_blob("blob-config", "config")
_blob("blob-manifest", "manifest")


# -- attestations ------------------------------------------------------------------------------------------------------------


def _lines(name, make):
    def made(bundle, key):
        bundle.set_lines(make(bundle.lines(), key))

    CHANGES[name] = made


def _envelope(name, make):
    """Change the first envelope, keeping its form."""

    def made(lines, key):
        value = json.loads(lines[0])
        make(value, key)
        return [jsonic.canonical(value), *lines[1:]]

    _lines(name, made)


EVIDENCE = jsonic.canonical({"evidence": "of/nothing", "envelope": "sha256:" + "0" * 64})
_lines("line-not-json", lambda lines, _: [*lines, b"{"])
_lines("line-empty", lambda lines, _: [*lines, b""])
_lines("line-array", lambda lines, _: [*lines, b"[]"])
_lines("line-spelling", lambda lines, _: [lines[0].replace(b":", b": ", 1)])
_lines("lines-many", lambda lines, _: [*lines, *[EVIDENCE] * 256])
_lines("evidence", lambda lines, _: [EVIDENCE, *lines])
_lines("unsigned", lambda lines, _: [])
_lines("signature-twice", lambda lines, _: [*lines, *lines])
_envelope("envelope-member", lambda value, _: value.update(extra=1))
_envelope("envelope-signatures", lambda value, _: value.update(signatures=value["signatures"] * 9))
_envelope("envelope-base64", lambda value, _: value.update(payload=value["payload"] + "="))
_envelope("envelope-none", lambda value, _: value.update(signatures=[]))


@change
def attestations_unended(bundle, _key):
    bundle["attestations.jsonl"].data = bundle["attestations.jsonl"].data[:-1]


def _flipped(text):
    return ("B" if text[0] == "A" else "A") + text[1:]


def _first(value):
    return value["signatures"][0]


_envelope("signature-flipped", lambda value, _: _first(value).update(sig=_flipped(_first(value)["sig"])))
_envelope("signature-short", lambda value, _: _first(value).update(sig="AAAA"))
_envelope("signature-keyid", lambda value, _: _first(value).update(keyid="SHA256:" + "0" * 64))
_envelope("signature-gone", lambda value, _: value.update(signatures=[{"keyid": "SHA256:" + "0" * 64, "sig": "AAAA"}]))
_envelope("signature-doubled", lambda value, _: value.update(signatures=value["signatures"] * 2))


def _signed(name, make, **more):
    """Sign a changed statement: genuine, and not as it must be."""

    def made(bundle, key):
        bundle.unsign()
        bundle.sign(key, make, **more)

    CHANGES[name + "-signed"] = made


ABSENT = "sha256:" + "1" * 64
_signed("again", lambda said: None)
_signed("subject-manifest", lambda said: said["subject"][0]["digest"].update(sha256="0" * 64))
_signed("subject-image", lambda said: said["subject"][1]["digest"].update(sha256="0" * 64))
_signed("subject-name", lambda said: said["subject"][1].update(name="other"))
_signed("subject-order", lambda said: said["subject"].reverse())
_signed("subject-third", lambda said: said["subject"].append({"name": "x", "digest": {"sha256": "0" * 64}}))
_signed("subject-sha512", lambda said: said["subject"][0]["digest"].update(sha512="0" * 128))
_signed("predicate-name", lambda said: said["predicate"].update(name="other"))
_signed("predicate-suite", lambda said: said["predicate"].update(suite_id="CT-SIG-02"))
_signed("predicate-extra", lambda said: said["predicate"].update(extra=1))
_signed("predicate-time", lambda said: said["predicate"].update(signed_at="2026-11-22 10:00"))
_signed("predicate-spelling", lambda said: json.dumps(said).encode())
_signed("predicate-fingerprint", lambda said: said["predicate"].update(fingerprint="SHA256:" + "0" * 64))
_signed("payload-type", lambda said: None, payload_type="text/plain")
_signed("listed", lambda said: said["predicate"].update(attestations=[ABSENT]))
_signed("expired", lambda said: said["predicate"].update(expires="2026-11-22T10:00:01Z"))
_signed("future", lambda said: said["predicate"].update(signed_at="2999-01-01T00:00:00Z"))
_signed("renamed-key", lambda said: said["predicate"].update(key_id="somebody-else"))


@change
def sbom_signed(bundle, key):
    bundle.unsign()
    bundle.set_lines([attestation(bundle, key)])
    bundle.sign(key)


@change
def sbom_removed(bundle, key):
    """A signature that lists the SBOM it saw, and the SBOM gone."""
    sbom_signed(bundle, key)
    bundle.set_lines(bundle.lines()[1:])


@change
def sbom_alone(bundle, key):
    """An attestation is no signature on the bundle."""
    bundle.set_lines([attestation(bundle, key)])


@change
def sbom_other(bundle, key):
    """A genuine statement about another image beside a good signature."""
    subject = [{"name": "image", "digest": {"sha256": "0" * 64}}]
    bundle.set_lines([*bundle.lines(), attestation(bundle, key, subject=subject)])


def altered(name, data, key=None):
    """The bytes of a bundle after one of CHANGES."""
    bundle = Bundle(data)
    made = CHANGES[name](bundle, key)
    return bytes(bundle) if made is None else made


if __name__ == "__main__":
    _name, _in, _out, *_key = sys.argv[1:]
    with open(_in, "rb") as _file:
        _made = altered(_name, _file.read(), open_key(_key[0]) if _key else None)
    with open(_out, "wb") as _file:
        _file.write(_made)
