"""Making a bundle signature and putting it into a record."""

import os

from cerrotorre import attest, canon, custody, dsse, locked, manifest, recorded, records, statement, suites, times
from cerrotorre.content import absolute, identity, write_all
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail
from cerrotorre.records import Record
from cerrotorre.typed import Any

# (its place in `attestations`, the digest of its line, the fingerprint that it claims)
BundleSignature = tuple[int, str, Any]


def expiry(text: str | None) -> str | None:
    """--expires as the statement spells it: a day lasts to its end. Raises Fail usage."""
    if text is None:
        return None
    try:
        return times.spell(times.epoch(text, end_of_day=True))
    except ValueError as error:
        raise Fail("usage", f"--expires: {error}") from None


def sign(
    record: Record,
    key: dict[str, Any],
    signed_at: str,
    expires: str | None,
    workdir: str | None = None,
    *,
    genuine: bool = False,
    replace: bool = False,
) -> None:
    """Sign the record's pending statements, then the bundle. What is too large for a record goes into a file of `workdir`.

    Append `key`'s signature over what the record's manifest canonicalises to, never over a digest that was handed in.
    `genuine`: only what ct-check passed and a trusted key signed. `replace`: such, and in place of the signatures that it has."""
    record.pop("replaced", None)
    parsed, digest, lines, made = _looked_at(record)
    if genuine or replace:
        _need_genuine(record, made)
    if not replace and key["fingerprint"] in [fingerprint for _, _, fingerprint in made]:
        raise Fail("already-signed", f"signed by {key['key_id']}", Signer=key["key_id"], Fingerprint=key["fingerprint"])
    if expires and expires <= signed_at:
        raise Fail("usage", f"--expires {expires} is not after the signing time {signed_at}")
    _statements(record, parsed, lines, key, workdir)
    supersedes = _replace(record, made) if replace else None
    line = envelope(statement.make(parsed, digest, key, signed_at, lines, expires, supersedes), key)
    record.setdefault("attestations", []).append({"envelope": line.decode()})


def attest_only(record: Record, key: dict[str, Any], workdir: str | None = None) -> None:
    """Sign the record's pending statements and no more, whoever signed the bundle."""
    if not record.get("statements"):
        raise Fail("usage", "no statement waits for its signature: ct-attest comes before this")
    parsed, _, lines, _ = _looked_at(record)
    _statements(record, parsed, lines, key, workdir)


def _need_genuine(record: Record, made: list[BundleSignature]) -> None:
    """Raise Fail unless the record's `signatures` are ct-check's word on those that are there, and one is valid by a trusted key."""
    records.need(record, "structure", "signatures")
    judged = _judged(record)
    if [one.get("line") for one in judged] != [line for _, line, _ in made]:
        raise Fail("record-inconsistent", "`signatures` are not those in `attestations`: ct-check comes right before this")
    valid = [one for one in judged if one.get("status") == "valid"]
    if not valid:
        raise Fail("signer-unknown", "no signature on the bundle is by a key in your store")
    if not any(one.get("trusted") is True for one in valid):
        first = {"Signer": valid[0].get("key_id"), "Fingerprint": valid[0].get("fingerprint")}
        raise Fail(
            "signer-untrusted", "only keys signed it that your store knows by name, and does not trust", **first
        ).proposing("ct explain FILE --signers", "ct key trust SIGNER")


def _judged(record: Record) -> list[Any]:
    """What ct-check said of the signatures on the bundle."""
    said = record.get("signatures")
    if not isinstance(said, list):
        raise Fail("record-inconsistent", "`signatures` is not a list")
    return [one for one in said if isinstance(one, dict) and one.get("kind") == "bundle-signature"]


def _replace(record: Record, made: list[BundleSignature]) -> str | None:
    """Take the bundle signatures out into the record's `replaced`, and return the `supersedes` of the one that takes their place.

    What ct-check and ct-policy said, they said of signatures that are gone."""
    gone = {number for number, _, _ in made}
    record["attestations"] = [entry for number, entry in enumerate(record["attestations"]) if number not in gone]
    record["replaced"] = _judged(record)
    for member in ("signatures", "trust"):
        record.pop(member, None)
    for check in ("signatures", "trust", "policy", "attestations"):
        record["passed"].pop(check, None)
    try:
        return custody.text(record["replaced"])
    except (ValueError, KeyError, TypeError):
        raise Fail("record-inconsistent", "`signatures` is not as ct-check writes it") from None


def _looked_at(record: Record) -> tuple[dict[str, Any], str, list[str], list[BundleSignature]]:
    """(the manifest, its digest, the digests of the lines that are no bundle signature, the others)."""
    canonical = canon.canonical(record.get("manifest", {}))
    if record.get("canonical") != canonical.decode():
        raise Fail("record-inconsistent", "`canonical` is not what `manifest` canonicalises to")
    parsed, digest, _ = recorded.derive(record)
    lines, made = [], []
    for number, (kind, line, envelope) in enumerate(recorded.attestations(record)):
        said = statement.claimed(envelope) if kind == "envelope" else None
        if said and said["predicateType"] == statement.BUNDLE_SIGNATURE:
            predicate = said.get("predicate")
            made.append((number, sha256(line), predicate.get("fingerprint") if isinstance(predicate, dict) else None))
        else:
            lines.append(sha256(line))
    return parsed, digest, lines, made


def _statements(record: Record, parsed: dict[str, Any], lines: list[str], key: dict[str, Any], workdir: str | None) -> None:
    for payload in attest.payloads(record, parsed):
        line = envelope(payload, key)
        if sha256(line) in lines:
            raise Fail("already-attested", Signer=key["key_id"], Line=sha256(line))
        lines.append(sha256(line))
        _append(record, line, workdir)


def signatures(key: dict[str, Any], message: bytes) -> list[bytes]:
    """The raw signatures over a message, one of each component of the key's suite."""
    if "command" in key:
        from cerrotorre import external

        return external.sign(key, message)
    made: list[bytes] = locked.lend(key["seeds"], lambda seeds: suites.sign(key["suite_id"], seeds, message))
    return made


def envelope(payload: bytes, key: dict[str, Any]) -> bytes:
    """A statement signed by a key, as one line without its LF."""
    made = signatures(key, dsse.pae(dsse.PAYLOAD_TYPE, payload))
    components = suites.component_fingerprints(key["suite_id"], key["publics"])
    return dsse.write(payload, list(zip(components, made, strict=True)))


def _append(record: Record, line: bytes, workdir: str | None) -> None:
    """A statement more, inline if it is small enough, else in a file that only this user can read."""
    entries = record.setdefault("attestations", [])
    inline = sum(len(entry.get("envelope", entry.get("evidence", ""))) for entry in entries)
    size = inline + sum(entry.get("size", 0) for entry in entries) + len(line)
    if size > manifest.MAX_ATTESTATIONS or len(entries) >= manifest.MAX_LINES:
        limit = f"{manifest.MAX_ATTESTATIONS} bytes, {manifest.MAX_LINES} lines"
        raise Fail("too-large", f"with a line of {len(line)} bytes more attestations.jsonl exceeds its limit", Limit=limit)
    if manifest.fits_inline(len(line), inline):
        entries.append({"envelope": line.decode()})
        return
    if workdir is None:
        raise Fail("usage", f"an envelope of {len(line)} bytes does not fit a record: it needs --workdir DIR")
    path = f"{absolute(workdir)}/{sha256(line).removeprefix('sha256:')}.jsonl"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        write_all(fd, line)
        at = {"file": path, "id": identity(os.fstat(fd)), "offset": 0}
    finally:
        os.close(fd)
    entries.append({"at": at, "size": len(line), "digest": sha256(line)})
