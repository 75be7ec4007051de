"""What a record says of a bundle, held against the canonical bytes it carries: signed bytes outrank the record."""

from collections.abc import Iterator

from cerrotorre import canonread, dsse, jsonic, manifest, statement
from cerrotorre.content import read_one
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail
from cerrotorre.records import Record
from cerrotorre.typed import Any


def derive(record: Record) -> tuple[dict[str, Any], str, list[tuple[str, bytes]]]:
    """(manifest, its digest, derived members) from the canonical bytes alone: signed bytes outrank the record.

    Raises Fail record-inconsistent unless what the record says of them follows from those bytes.
    """
    text = record.get("canonical")
    if not isinstance(text, str):
        raise Fail("record-inconsistent", "no canonical manifest")
    canonical = text.encode()
    parsed = canonread.read(canonical)
    manifest.check(parsed)
    digest = sha256(canonical)
    derived = manifest.derived(parsed, digest)
    if not jsonic.same(record.get("manifest"), parsed):
        raise Fail("record-inconsistent", "`manifest` does not follow from `canonical`")
    if record.get("manifest_digest") != digest:
        raise Fail("record-inconsistent", "`manifest_digest`", Expected=digest, Actual=record.get("manifest_digest"))
    content = record.get("content")
    if not isinstance(content, list) or not jsonic.same([_without_place(entry) for entry in content], parsed["content"]):
        raise Fail("record-inconsistent", "`content` does not follow from `canonical`")
    names = [name for name, _ in derived[1:]]
    found = record.get("derived") or []
    if not isinstance(found, list) or not all(map(_is_place, found)) or (found and [entry["name"] for entry in found] != names):
        raise Fail("record-inconsistent", "`derived` does not follow from `canonical`")
    return parsed, digest, derived


def _is_place(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("name"), str)
        and type(entry.get("size")) is int
        and is_at(entry.get("at"))
    )


def _without_place(entry: Any) -> Any:
    if not isinstance(entry, dict) or not is_at(entry.get("at"), remote=True):
        return None
    return {key: value for key, value in entry.items() if key != "at"}


def is_at(at: Any, remote: bool = False) -> bool:
    """Whether this is a place: a file with its identity and offset, or a descriptor; if `remote`, a URL."""
    if not isinstance(at, dict):
        return False
    if "fd" in at:
        return type(at["fd"]) is int and not {"file", "url"} & at.keys()
    if type(at.get("offset")) is not int or at["offset"] < 0:
        return False
    if remote and "url" in at:
        return isinstance(at["url"], str) and "file" not in at and isinstance(at.get("id", ""), str)
    return isinstance(at.get("file"), str) and isinstance(at.get("id"), str)


def attestations(record: Record) -> Iterator[tuple[str, bytes, Any]]:
    """(kind, line, parsed) of each attestation line, those by reference read and checked against their digest."""
    entries = record.get("attestations")
    if not isinstance(entries, list) or len(entries) > manifest.MAX_LINES:
        raise Fail("record-inconsistent", "`attestations` is not a list, or too long")
    for number, entry in enumerate(entries, 1):
        line = attestation_line(entry)
        kind, value = dsse.parse_line(line, number)
        yield kind, line, value


def attestation_line(entry: Any) -> bytes:
    """The bytes of one attestation line, without its LF."""
    text = entry.get("envelope", entry.get("evidence")) if isinstance(entry, dict) else None
    if isinstance(text, str):
        return text.encode()
    if not isinstance(entry, dict) or not is_at(entry.get("at")) or type(entry.get("size")) is not int:
        raise Fail("record-inconsistent", "an entry of `attestations`")
    if not 0 <= entry["size"] <= manifest.MAX_ATTESTATIONS:
        raise Fail("record-inconsistent", "an entry of `attestations`")
    line = read_one(entry["at"], entry["size"])
    if sha256(line) != entry.get("digest"):
        raise Fail(
            "record-inconsistent",
            "an attestation is not what its digest says",
            Expected=entry.get("digest"),
            Actual=sha256(line),
        )
    return line


def envelopes(record: Record) -> tuple[list[dsse.Envelope], list[str]]:
    """(the envelopes, each with the digest of its `line`; the digests of all lines that are not bundle signatures), in file order."""
    found, others = [], []
    for kind, line, value in attestations(record):
        said = statement.claimed(value) if kind == "envelope" else None
        if kind == "envelope":
            found.append({**value, "line": sha256(line)})
        if not said or said["predicateType"] != statement.BUNDLE_SIGNATURE:
            others.append(sha256(line))
    return found, others
