"""ct-export.dsse: who put an archive together (spec/export.adoc, "A signature")."""

from cerrotorre import dsse, jsonic, signatures, statement, suites, times
from cerrotorre.errors import Fail
from cerrotorre.exportindex import INDEX, SIGNATURE
from cerrotorre.typed import Any

EXPORT = "https://cerro-torre.org/attestation/export/v1"
_MEMBERS = ("suite_id", "signed_at", "key_id", "fingerprint")


def payload(digest: str, key: dict[str, Any], signed_at: str) -> bytes:
    """The statement that a key signs; `digest` is that of ct-export.json."""
    predicate = {name: signed_at if name == "signed_at" else key[name] for name in _MEMBERS}
    return jsonic.canonical(_statement(digest, predicate))


def _statement(digest: str, predicate: dict[str, Any]) -> dict[str, Any]:
    subject = {"name": INDEX, "digest": {"sha256": digest.removeprefix("sha256:")}}
    return {"_type": statement.STATEMENT, "subject": [subject], "predicateType": EXPORT, "predicate": predicate}


def size(key: dict[str, Any], signed_at: str) -> int:
    """How many bytes ct-export.dsse will have: known before what it is about, since all of it has fixed lengths."""
    algorithms = suites.components(key["suite_id"])
    made = [bytes(suites.SIGNATURE_SIZE[algorithm]) for algorithm in algorithms]
    blank = payload("sha256:" + "0" * 64, key, signed_at)
    return len(dsse.write(blank, list(zip(key["components"], made, strict=True)))) + 1


def judge(data: bytes, digest: str, keys: list[dict[str, Any]]) -> dict[str, Any]:
    """Who signed: {"status": "valid", key_id, fingerprint, suite_id, origin, trusted, signed_at} of a key of the store (`keys`), or
    {"status": "unknown", and what it claims: "claimed_key_id", …} of one that nobody knows.

    Raises Fail export-malformed, and what a known key did not sign: signature-invalid, signature-incomplete, statement-malformed,
    subject-mismatch.
    """
    if data[-1:] != b"\n":
        raise Fail("export-malformed", f"{SIGNATURE} does not end with a line feed")
    try:
        kind, envelope = dsse.parse_line(data[:-1], 1)
    except Fail as fail:
        raise Fail("export-malformed", f"{SIGNATURE}: {fail}") from None
    said = statement.claimed(envelope) if kind == "envelope" else None
    predicate = said.get("predicate") if said else None
    if not said or said["predicateType"] != EXPORT or not isinstance(predicate, dict):
        raise Fail("export-malformed", f"{SIGNATURE} is no statement about an archive of bundles")
    claims = {name: predicate[name][:256] for name in _MEMBERS if isinstance(predicate.get(name), str)}
    key = _known(envelope, claims, keys)
    if key is None:
        return {"status": "unknown", **{f"claimed_{name}": value for name, value in claims.items()}}
    signer = {"Signer": key["key_id"], "Fingerprint": key["fingerprint"]}
    message = dsse.pae(envelope["payload_type"], envelope["payload"])
    if broken := signatures.verify(key, envelope, message):
        refusal = Fail(broken["finding"])
        refusal.finding = broken
        raise refusal
    if predicate.keys() != {*_MEMBERS} or len(claims) != len(_MEMBERS) or not times.is_time(claims["signed_at"]):
        raise Fail("statement-malformed", f"{SIGNATURE}: its predicate has not exactly its members", **signer)
    if (claims["suite_id"], claims["fingerprint"]) != (key["suite_id"], key["fingerprint"]):
        raise Fail("statement-malformed", f"{SIGNATURE}: suite or fingerprint are not the key's", **signer)
    if len(envelope["signatures"]) != len(key["components"]) or not _KEY_ID(claims["key_id"]):
        raise Fail("statement-malformed", f"{SIGNATURE}: it has other signatures too, or a key_id that is none", **signer)
    if said["subject"] != _statement(digest, {})["subject"]:
        raise Fail("subject-mismatch", f"{SIGNATURE} is about another archive", **signer, Expected=digest)
    if jsonic.canonical(_statement(digest, predicate)) != envelope["payload"]:
        raise Fail("statement-malformed", f"{SIGNATURE}: its statement is not in RFC 8785 canonical form", **signer)
    held = {name: key[name] for name in ("key_id", "fingerprint", "suite_id", "origin", "trusted")}
    return {"status": "valid", **held, "signed_at": claims["signed_at"]}


_KEY_ID = statement.KEY_ID.fullmatch


def _known(envelope: dsse.Envelope, claims: dict[str, str], keys: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The key of the store that the envelope claims to be by: by a keyid, or the statement's fingerprint."""
    named = {keyid for keyid, _ in envelope["signatures"]} | {claims.get("fingerprint", "")}
    return next((key for key in keys if named & {key["fingerprint"], *key["components"]}), None)
