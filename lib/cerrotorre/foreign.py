"""What others attach to images, as lines of attestations.jsonl (spec/attachments.adoc, "What is taken").

A line keeps payload, payload type, key ids and signatures to the byte. What a document holds beyond them follows in a line of evidence.
"""

import re
from binascii import Error, a2b_base64

from cerrotorre import b64, dsse, jsonic
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

MAX_LINE = 48 << 20

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
