"""Making a bundle signature and putting it into a record."""

from cerrotorre import canon, dsse, recorded, statement, suites, times
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

Record = dict[str, Any]


def expiry(text: str | None) -> str | None:
    """--expires as the statement spells it: a day lasts to its end. Raises Fail usage."""
    if text is None:
        return None
    try:
        return times.spell(times.epoch(text, end_of_day=True))
    except ValueError as error:
        raise Fail("usage", f"--expires: {error}") from None


def sign(record: Record, key: dict[str, Any], signed_at: str, expires: str | None) -> None:
    """Append `key`'s signature over what the record's manifest canonicalises to, never over a digest that was handed in."""
    canonical = canon.canonical(record.get("manifest", {}))
    if record.get("canonical") != canonical.decode():
        raise Fail("record-inconsistent", "`canonical` is not what `manifest` canonicalises to")
    parsed, digest, _ = recorded.derive(record)
    lines, signers = [], []
    for kind, line, envelope in recorded.attestations(record):
        said = statement.claimed(envelope) if kind == "envelope" else None
        if said and said["predicateType"] == statement.BUNDLE_SIGNATURE:
            predicate = said.get("predicate")
            signers.append(predicate.get("fingerprint") if isinstance(predicate, dict) else None)
        else:
            lines.append(sha256(line))
    if key["fingerprint"] in signers:
        raise Fail("already-signed", f"signed by {key['key_id']}", Signer=key["key_id"], Fingerprint=key["fingerprint"])
    if expires and expires <= signed_at:
        raise Fail("usage", f"--expires {expires} is not after the signing time {signed_at}")
    payload = statement.make(parsed, digest, key, signed_at, lines, expires)
    made = suites.sign(key["suite_id"], key["seeds"], dsse.pae(dsse.PAYLOAD_TYPE, payload))
    components = suites.component_fingerprints(key["suite_id"], key["publics"])
    line = dsse.write(payload, list(zip(components, made, strict=True)))
    record.setdefault("attestations", []).append({"envelope": line.decode()})
