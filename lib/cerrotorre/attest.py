"""Statements about an image: documents that wait to be signed, and what signed ones say (spec/signatures.adoc, "Statements").

A pending statement lies in a record as {"predicate_type", "at", "size", "digest"} of the document's file (spec/records.adoc).
"""

import os

from cerrotorre import jsonic, predicate, schema, statement
from cerrotorre.content import absolute, locate, read_one
from cerrotorre.digest import is_digest, sha256
from cerrotorre.errors import Fail
from cerrotorre.recorded import is_at
from cerrotorre.records import Record
from cerrotorre.typed import Any

MAX_DOCUMENT = 64 << 20
MAX_PENDING = 16

_checks: dict[str, Any] = {}


def check(kind: str, value: Any) -> None:
    """Whether this is a predicate of that kind, by its published schema. Raises schema.Unfit."""
    if kind not in _checks:
        here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        with open(os.path.join(here, "spec", f"{predicate.SCHEMAS[kind]}.schema.json"), "rb") as file:
            _checks[kind] = schema.compiled(jsonic.parse(file.read()))
    _checks[kind](value)


def describe(said: statement.Statement) -> Record:
    """What a statement says: {"schema": "valid", "about": facts} or {"schema": "invalid", "schema_error"}; {} of another type."""
    kind = predicate.kind_of(said["predicateType"])
    if kind is None:
        return {}
    try:
        check(kind, said.get("predicate"))
    except schema.Unfit as error:
        return {"schema": "invalid", "schema_error": str(error)[:500]}
    return {"schema": "valid", "about": predicate.facts(kind, said["predicate"])}


def add(record: Record, kind: str, path: str) -> None:
    """Put a document into the record as a statement that waits for its signature, once it is one that could be signed.

    Raises Fail predicate-format, predicate-malformed, predicate-subject, too-large, and those of reading a file.
    """
    known, size = locate(path)
    at = {"file": absolute(path), "id": known, "offset": 0}
    data = _bytes(at, size)
    _predicate(kind, data, path, record.get("manifest", {}).get("image_digest"))
    waiting = record.setdefault("statements", [])
    if not isinstance(waiting, list) or len(waiting) >= MAX_PENDING:
        raise Fail("record-inconsistent", f"`statements` is not a list, or has {MAX_PENDING} already")
    waiting.append({"predicate_type": predicate.TYPES[kind][0], "at": at, "size": size, "digest": sha256(data)})


def payloads(record: Record, manifest: dict[str, Any]) -> list[bytes]:
    """The bytes of each pending statement, made about this manifest's image; the record loses them. Raises Fail as `add` does."""
    waiting = record.pop("statements", [])
    if not isinstance(waiting, list) or len(waiting) > MAX_PENDING:
        raise Fail("record-inconsistent", f"`statements` is not a list of at most {MAX_PENDING}")
    return [_payload(entry, manifest) for entry in waiting]


def _payload(entry: Any, manifest: dict[str, Any]) -> bytes:
    kind = predicate.kind_of(entry.get("predicate_type")) if isinstance(entry, dict) else None
    if kind is None or not is_at(entry.get("at")) or "fd" in entry["at"] or type(entry.get("size")) is not int:
        raise Fail("record-inconsistent", "an entry of `statements`")
    data = _bytes(entry["at"], entry["size"])
    if not is_digest(entry.get("digest")) or sha256(data) != entry["digest"]:
        raise Fail(
            "record-inconsistent", "a document is not what its digest says", Expected=entry.get("digest"), Actual=sha256(data)
        )
    value = _predicate(kind, data, entry["at"]["file"], manifest["image_digest"])
    return statement.about(manifest, predicate.TYPES[kind][0], value)


def _bytes(at: dict[str, Any], size: int) -> bytes:
    if not 0 <= size <= MAX_DOCUMENT:
        raise Fail(
            "too-large", f"'{at['file']}' is {size} bytes, more than {MAX_DOCUMENT}", File=at["file"], Limit=MAX_DOCUMENT
        )
    return read_one(at, size)


def _predicate(kind: str, data: bytes, name: str, image: Any) -> Any:
    """The predicate in a document: itself, or that of the Statement v1 about this image that it is."""
    try:
        value = jsonic.parse(data, MAX_DOCUMENT)
    except jsonic.Malformed as error:
        if other := predicate.other_text(kind, data):
            raise _other(kind, name, other) from None
        raise Fail("predicate-malformed", f"'{name}' is not strict JSON: {error}", File=name) from None
    if isinstance(value, dict) and "_type" in value:
        value = _inside(kind, value, name, image)
    if isinstance(value, dict) and (other := predicate.other_json(kind, value)):
        raise _other(kind, name, other)
    try:
        check(kind, value)
    except schema.Unfit as error:
        places = {"Pointer": error.pointer, "Expected": error.expected, "Found": error.found}
        raise Fail("predicate-malformed", f"'{name}': {error}", File=name, **places) from None
    if (number := predicate.unspellable(value)) is not None:
        raise Fail("predicate-malformed", f"'{name}': the number {number!r} has no one spelling", File=name)
    return value


def _inside(kind: str, value: dict[str, Any], name: str, image: Any) -> Any:
    if value["_type"] == "https://in-toto.io/Statement/v0.1":
        raise _other(kind, name, ("an in-toto Statement v0.1", "jq .predicate FILE >predicate.json"))
    try:
        said = statement.shape(value)
    except ValueError as error:
        raise Fail("predicate-malformed", f"'{name}': {error}", File=name) from None
    if said["predicateType"] not in predicate.TYPES[kind]:
        raise _other(kind, name, (f"a statement of {said['predicateType'][:200]}", predicate.TYPES[kind][0]))
    digests = ["sha256:" + subject["digest"].get("sha256", "none") for subject in said["subject"]]
    if image not in digests:
        raise Fail("predicate-subject", f"'{name}'", File=name, Expected=image, Actual=", ".join(digests[:8])[:700])
    return said.get("predicate")


def _other(kind: str, name: str, other: predicate.Other) -> Fail:
    expected = {"sbom": "an SPDX 2.3 document as JSON", "provenance": "SLSA Provenance v1 as JSON"}[kind]
    return Fail("predicate-format", f"'{name}' is {other[0]}", File=name, Expected=expected, Actual=other[0], Hint=other[1])
