"""DSSE envelopes as one line of canonical JSON (spec/signatures.adoc; secure-systems-lab/dsse, protocol.md and envelope.md)."""

from cerrotorre import b64, jsonic
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_SIGNATURES = 8

# {"payload": bytes, "payload_type": str, "signatures": [(keyid, signature bytes), ...]}, and of a record's, "line": its digest
Envelope = dict[str, Any]


def pae(payload_type: str, payload: bytes) -> bytes:
    """Pre-authentication encoding: what is really signed (protocol.md, "Signature Definition")."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def write(payload: bytes, signatures: list[tuple[str, bytes]]) -> bytes:
    """The envelope of a statement as one line, without its LF."""
    return jsonic.canonical(
        {
            "payload": b64.encode(payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": keyid, "sig": b64.encode(signature)} for keyid, signature in signatures],
        }
    )


def parse_line(line: bytes, number: int, limit: int = 64 << 20) -> tuple[str, Any]:
    """A line of attestations.jsonl, without its LF: ("envelope", Envelope) or ("evidence", object).

    Raises Fail attestations-malformed for anything that is not exactly as it must be.
    """
    try:
        value = jsonic.parse(line, limit)
        if not isinstance(value, dict):
            raise jsonic.Malformed("not an object")
        if jsonic.canonical(value) != line:
            raise jsonic.Malformed("not in RFC 8785 canonical form")
        if "evidence" in value:
            return "evidence", _evidence(value)
        return "envelope", _envelope(value)
    except ValueError as error:
        raise Fail("attestations-malformed", f"line {number}: {error}", Line=number) from None


def _evidence(value: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(value["evidence"], str) or not isinstance(value.get("envelope"), str):
        raise ValueError("evidence without its type or envelope")
    return value


def _envelope(value: dict[str, Any]) -> Envelope:
    if value.keys() != {"payload", "payloadType", "signatures"}:
        raise ValueError("an envelope has exactly payload, payloadType and signatures")
    payload, payload_type, entries = value["payload"], value["payloadType"], value["signatures"]
    if not isinstance(payload, str) or not isinstance(payload_type, str) or not isinstance(entries, list):
        raise ValueError("a member of the envelope is not of its type")
    if not 1 <= len(entries) <= MAX_SIGNATURES:
        raise ValueError(f"{len(entries)} signatures, not 1 to {MAX_SIGNATURES}")
    signatures = []
    for entry in entries:
        if (
            not isinstance(entry, dict)
            or entry.keys() != {"keyid", "sig"}
            or not all(isinstance(v, str) for v in entry.values())
        ):
            raise ValueError("a signature has exactly keyid and sig")
        signatures.append((entry["keyid"], b64.decode(entry["sig"])))
    return {"payload": b64.decode(payload), "payload_type": payload_type, "signatures": signatures}
