"""What others attach to images, as lines of attestations.jsonl (spec/attachments.adoc, "What is taken").

A line keeps payload, payload type, key ids and signatures to the byte. What a document holds beyond them follows in a line of evidence.
"""

import re
from binascii import Error, a2b_base64

from cerrotorre import b64, dsse, jsonic, signatures, statement
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

MAX_LINE = 48 << 20
# Room for 16 signatures, whose lines are at most a few KiB.
MAX_LINES, MAX_BYTES = 240, 48 << 20
# What no key of the store made must leave the bundle small enough for a pipe: 6 MiB, with its signatures (spec/records.adoc).
MAX_STRANGERS = 5 << 20
# Whose an envelope is, in the order in which there is room for it.
TRUSTED, KNOWN, STRANGER = range(3)

BUNDLE = re.compile(r"application/vnd\.dev\.sigstore\.bundle(\.v[0-9.]+)?\+json(;.*)?", re.ASCII)
# DSSE's own, cosign's, and those of the in-toto attestation framework (spec/v1/bundle.md, "File naming convention").
ENVELOPE = re.compile(
    r"application/vnd\.(dsse\.envelope(\.v1)?\+json|in-toto\+json|in-toto\+dsse|in-toto\.[A-Za-z0-9.-]+\+dsse)", re.ASCII
)
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"


def may_hold_envelope(media_type: str) -> bool:
    """Whether documents of this type may hold an envelope, and so are fetched."""
    return bool(BUNDLE.fullmatch(media_type) or ENVELOPE.fullmatch(media_type))


def lines(data: bytes, media_type: str, annotations: dict[str, str]) -> tuple[bytes, bytes | None]:
    """(the envelope's line, the line of evidence about it if there is anything to keep). Raises ValueError that says why not."""
    value = jsonic.parse(data, len(data))
    if not isinstance(value, dict):
        raise ValueError("it is not an object")
    jsonic.refuse_case_clash(value)
    more = False
    if BUNDLE.fullmatch(media_type):
        if "dsseEnvelope" not in value:
            raise ValueError("it is a signature without a statement")
        value, more = value["dsseEnvelope"], True
    line, all_of_it = _line(value)
    _check(line)
    return line, evidence(line, media_type, annotations, data if more or not all_of_it else None)


def evidence(line: bytes, media_type: str, annotations: dict[str, str], document: bytes | None) -> bytes | None:
    """The line of evidence about an envelope's line, None if there is nothing to keep. Raises ValueError that says why not."""
    said: dict[str, Any] = {"evidence": media_type, "envelope": sha256(line)}
    if annotations:
        said["annotations"] = annotations
    if document is not None:
        said["document"] = b64.encode(document)
    return _check(jsonic.canonical(said)) if len(said) > 2 else None


def _check(line: bytes) -> bytes:
    """A line is what readers of bundles take for one, or it is none."""
    if len(line) > MAX_LINE:
        raise ValueError(f"it is over {MAX_LINE} bytes")
    try:
        dsse.parse_line(line, 1)
    except Fail as fail:
        raise ValueError(str(fail).removeprefix("line 1: ")) from None
    return line


def _line(value: Any) -> tuple[bytes, bool]:
    """(the canonical line of an envelope, whether that is all of it)."""
    if not isinstance(value, dict) or not {"payload", "payloadType", "signatures"} <= value.keys():
        unsigned = isinstance(value, dict) and "_type" in value
        raise ValueError("it is a statement that nobody signed" if unsigned else "it is no envelope")
    jsonic.refuse_case_clash(value, "envelope")
    if value["payloadType"] != dsse.PAYLOAD_TYPE:
        raise ValueError(f"its payload is {str(value['payloadType'])[:80]!r}, not {dsse.PAYLOAD_TYPE}")
    entries = value["signatures"]
    if not isinstance(entries, list) or not 1 <= len(entries) <= dsse.MAX_SIGNATURES:
        raise ValueError(f"it has not 1 to {dsse.MAX_SIGNATURES} signatures")
    signatures, all_of_it = [], value.keys() == {"payload", "payloadType", "signatures"}
    for entry in entries:
        if not isinstance(entry, dict):
            raise ValueError("a signature is not an object")
        jsonic.refuse_case_clash(entry, "signature")
        # DSSE, envelope.md: "keyid" is optional, and unset, null and empty are the same.
        keyid = entry.get("keyid") or ""
        if not isinstance(keyid, str):
            raise ValueError("a keyid is not a string")
        signatures.append((keyid, _bytes(entry.get("sig"))))
        all_of_it = all_of_it and not entry.keys() - {"keyid", "sig"}
    return dsse.write(_bytes(value["payload"]), signatures), all_of_it


def _bytes(text: Any) -> bytes:
    """Base64, standard or URL-safe, as DSSE lets signers choose (protocol.md, "Signature Definition")."""
    if not isinstance(text, str):
        raise ValueError("a payload or signature is absent")
    standard = text.translate(_STANDARD)
    try:
        return a2b_base64(standard.rstrip("=").encode("ascii") + b"=" * (-len(standard.rstrip("=")) % 4), strict_mode=True)
    except (Error, UnicodeEncodeError):
        raise ValueError("a payload or signature is not base64") from None


_STANDARD = str.maketrans("-_", "+/")


def has_document(evidence: bytes) -> bool:
    """Whether a line of evidence holds the original: canonical JSON has "annotations", which may say anything, before it."""
    return "document" in jsonic.parse(evidence, len(evidence))


def order(evidence: bytes) -> tuple[bool, bytes]:
    """Originals come first: a Sigstore bundle is worth more than what anyone may annotate."""
    return not has_document(evidence), evidence


class Room:
    """What a bundle has room for. Take what the store's keys made first, then what strangers did."""

    def __init__(self) -> None:
        self._count = self._size = self._strange = 0

    def take(self, size: int, *, stranger: bool) -> str:
        """Take a line, or say why there is no room for it."""
        if self._count >= MAX_LINES or self._size + size > MAX_BYTES:
            return f"there is room for {MAX_LINES} lines and {MAX_BYTES} bytes"
        ours = self._size - self._strange
        # A bundle that the store's keys alone make too large for a pipe is not made so by strangers.
        if stranger and self._strange + size > MAX_STRANGERS - (ours if ours <= MAX_STRANGERS else 0):
            return f"no key of your store made it, and there is room for {MAX_STRANGERS} bytes: more would not pass a pipe"
        self._count, self._size = self._count + 1, self._size + size
        self._strange += size if stranger else 0
        return ""


def look_at(line: bytes, manifest: dict[str, Any], digest: str, keys: list[signatures.Key]) -> tuple[str, int, tuple[str, str]]:
    """(why an envelope cannot be taken or "", its rank, its statement's digest and its maker's fingerprint).

    Not taken is what no bundle of this image may hold, and what would spoil this one here or with whoever verifies it.
    """
    envelope = dsse.parse_line(line, 1)[1]
    none = (STRANGER, ("", ""))
    try:
        said = statement.parse(envelope["payload"])
        if said["predicateType"] == statement.BUNDLE_SIGNATURE:
            return "it is the signature of a bundle", *none
        index = manifest["provenance"].get("index_digest")
        about = [subject["digest"].get("sha256") for subject in said["subject"]]
        if index and manifest["image_digest"][7:] not in about and index[7:] in about:
            return "it is about the whole index, which --platform all takes", *none
        statement.check_subjects(said, manifest, digest)
    except ValueError as error:
        return str(error)[:200], *none
    (signature,), wrong = signatures.judge([envelope], [], manifest, digest, keys)
    why = next((f"{one['summary']} ({one['finding']})" for one in wrong if one["finding"] != "unsigned"), "")
    if not why and (absent := _absent(envelope, said, keys)):
        why = f"it claims the key {absent}, which is not in your store, so nobody here can tell whether that key signed it: ct key import FILE"
    if why or signature["status"] != "valid":
        return why, *none
    return "", TRUSTED if signature["trusted"] else KNOWN, (sha256(envelope["payload"]), signature["fingerprint"])


def _absent(envelope: dsse.Envelope, said: statement.Statement, keys: list[signatures.Key]) -> str:
    """A key that an envelope claims by its fingerprint and the store does not have: "" if there is none."""
    components = {component for key in keys for component in key["components"]}
    claimed = [keyid for keyid, _ in envelope["signatures"] if keyid not in components]
    fingerprint = said.get("predicate", {}).get("fingerprint")
    if isinstance(fingerprint, str) and fingerprint not in {key["fingerprint"] for key in keys}:
        claimed.append(fingerprint)
    return next((one for one in claimed if statement.FINGERPRINT.fullmatch(one)), "")
