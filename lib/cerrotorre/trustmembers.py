"""The three trust members of a bundle, checked and put into its record wherever they came from (spec/bundle.adoc, "Members")."""

import os
from collections.abc import Callable

from cerrotorre import canonread, dsse, manifest
from cerrotorre.content import Entry, locate
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail, Finding, finding
from cerrotorre.records import Record

# A record's line is at most 16 MiB, and where nothing lies in a file the envelopes must fit in it escaped.
INLINE_ALL = 6 << 20
LIMITS = dict(
    zip(manifest.TRUST_MEMBERS, (manifest.MAX_MANIFEST, manifest.MAX_SUMMARY, manifest.MAX_ATTESTATIONS), strict=True)
)

# The manifest, its digest, and the members that follow from it: summary.json first.
Read = tuple[manifest.Manifest, str, list[tuple[str, bytes]]]


def read_manifest(canonical: bytes) -> Read:
    """What manifest.toml says. Raises Fail as canonread.read and manifest.check do."""
    parsed = canonread.read(canonical)
    manifest.check(parsed)
    digest = sha256(canonical)
    return parsed, digest, manifest.derived(parsed, digest)


def put_manifest(record: Record, canonical: bytes, read: Read, summary: bytes) -> list[tuple[str, bytes]]:
    """Put what was read into the record, and judge summary.json. Returns the derived members that follow."""
    parsed, digest, ((name, expected), *derived) = read
    record |= {"canonical": canonical.decode(), "manifest": parsed, "manifest_digest": digest}
    if summary != expected:
        record["findings"].append(derived_mismatch(name, record))
    return derived


def derived_mismatch(name: str, record: Record) -> Finding:
    return finding("derived-mismatch", name, Bundle=record["bundle"], Member=name)


def put_attestations(record: Record, data: bytes, place: Callable[[], Entry] | None) -> None:
    """Put the lines of attestations.jsonl into the record, each checked for its form: inline where small, by reference where not.

    `place` gives the `at` of the first byte of `data`, and is asked only if there is a large line; None: all go inline.
    Raises Fail attestations-malformed, too-large, and stream-too-large for more than fits a record inline.
    """
    if place is None and len(data) > INLINE_ALL:
        raise too_large_inline(len(data))
    if not data:
        record["attestations"] = []
        return
    if not data.endswith(b"\n"):
        raise Fail("attestations-malformed", "the last line has no LF")
    lines = data[:-1].split(b"\n")
    if len(lines) > manifest.MAX_LINES:
        raise Fail("too-large", f"{len(lines)} attestation lines, more than {manifest.MAX_LINES}")
    entries: list[Entry] = []
    inline, offset = 0, 0
    start: Entry | None = None
    for number, line in enumerate(lines, 1):
        kind, _ = dsse.parse_line(line, number)
        if place is None or manifest.fits_inline(len(line), inline):
            entries.append({kind: line.decode()})
            inline += len(line)
        else:
            start = start or place()
            at = {**start, "offset": start["offset"] + offset}
            entries.append({"at": at, "size": len(line), "digest": sha256(line)})
        offset += len(line) + 1
    record["attestations"] = entries


def too_large_inline(size: int) -> Fail:
    return Fail("stream-too-large", f"attestations.jsonl is {size} bytes", Expected=f"at most {INLINE_ALL}", Actual=size)


def fill(
    record: Record, manifest_toml: bytes, summary: bytes, attestations: bytes, directory: str | None = None
) -> list[tuple[str, bytes]]:
    """Fill the record from trust members that lie in no bundle file: canonical, manifest, manifest_digest, attestations.

    Their sizes are checked too. Lines too long for a record go into a file in `directory`, which must outlive the record's
    readers; without one everything must fit the record (Fail stream-too-large). `content`, `derived` and the pass of the
    structure are the caller's to write. Returns the derived members that follow summary.json, as bundle.open_trust does.
    """
    for name, data in zip(manifest.TRUST_MEMBERS, (manifest_toml, summary, attestations), strict=True):
        if len(data) > LIMITS[name]:
            raise Fail("too-large", f"{name} is {len(data)} bytes, more than {LIMITS[name]}", Member=name)
    read = read_manifest(manifest_toml)
    put_attestations(record, attestations, (lambda: _kept(directory, attestations)) if directory else None)
    return put_manifest(record, manifest_toml, read, summary)


def _kept(directory: str, data: bytes) -> Entry:
    """Keep the bytes in a file of a private directory; where they lie."""
    path = os.path.join(directory, f"{sha256(data).removeprefix('sha256:')}.jsonl")
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(data)
    except FileExistsError:
        # Of another bundle with the same lines: the directory is ours alone.
        pass
    return {"file": path, "id": locate(path)[0], "offset": 0}
