"""Judging the envelopes of a bundle against the keys of the store (spec/signatures.adoc, "Known and unknown").

Pure: lines, facts and keys in; signatures and findings out. For each envelope, in order:

1. Which store keys does it claim? By a keyid, and by the predicate's fingerprint, of a key or of a component.
2. A claimed key must have made its whole suite's signatures, in order: else signature-incomplete or signature-invalid. Of several that
   did, the envelope is the trusted one's, and of several of these that of the lowest fingerprint's.
3. A signature whose keyid is nobody's but which verifies under a store key: keyid-mismatch. But other programs sign attestations
   too, with key ids of their own kind or none: then it is that key's, if its suite is of one component.
4. What a store key made must be a well-formed statement (statement-malformed) about this bundle (subject-mismatch), and the
   lines it lists must be there (attestation-removed).
5. What no store key made is unknown: listed, harmless, useless.
"""

from collections.abc import Callable

from cerrotorre import dsse, statement, suites
from cerrotorre.errors import Fail, Finding, finding
from cerrotorre.typed import Any

Key = dict[str, Any]
Signature = dict[str, Any]

# No member of a well-formed statement that is repeated in a record is longer; what strangers claim may be.
_CLAIM = 256
# Signatures that name nobody are tried under every key only where the message is this small, as every bundle signature is: to hash
# a large one for each key would be the attacker's to ask. What hides in a large line stays unknown, and what a signer listed is
# found by its digest.
_TRIED = 64 << 10


def judge(
    envelopes: list[dsse.Envelope],
    others: list[str],
    manifest: dict[str, Any],
    manifest_digest: str,
    keys: list[Key],
    describe: Callable[[statement.Statement], Signature] = lambda _: {},
) -> tuple[list[Signature], list[Finding]]:
    """Judge every envelope. `others` are the digests of all lines that are not bundle signatures; `describe` says what a genuine
    statement about the image holds.

    Returns the record's `signatures` and the findings. No bundle signature at all, by whomever, is `unsigned`.
    """
    components = {component: key for key in keys for component in key["components"]}
    named = {key["fingerprint"]: key for key in keys}
    signatures, findings = [], []
    listed: dict[tuple[str, str], str] = {}
    for envelope in envelopes:
        signature, wrong = _judge_one(envelope, manifest, manifest_digest, components, named, set(others), listed, describe)
        if "rotated_into" in signature:
            signature["rotated_into"] = _last(signature["rotated_into"], keys)
        signatures.append(signature)
        findings += wrong
    for envelope, signature in zip(envelopes, signatures, strict=True):
        # A statement has no time of its own: it is as old as the signature of the same key that lists it says.
        if signature["kind"] == "attestation" and (
            time := listed.get((signature.get("fingerprint", ""), envelope.get("line", "")))
        ):
            signature["signed_at"] = time
    if not any(signature["kind"] == "bundle-signature" for signature in signatures):
        findings.append(finding("unsigned"))
    return signatures, findings


def _judge_one(
    envelope: dsse.Envelope,
    manifest: dict[str, Any],
    manifest_digest: str,
    components: dict[str, Key],
    named: dict[str, Key],
    others: set[str],
    listed: dict[tuple[str, str], str],
    describe: Callable[[statement.Statement], Signature],
) -> tuple[Signature, list[Finding]]:
    said = statement.claimed(envelope)
    signature = _described(said) | ({"line": envelope["line"]} if "line" in envelope else {})
    message = dsse.pae(envelope["payload_type"], envelope["payload"])
    claimed = [components[keyid] for keyid, _ in envelope["signatures"] if keyid in components]
    predicate = said.get("predicate") if said else None
    if isinstance(predicate, dict) and isinstance(predicate.get("fingerprint"), str):
        # A component's fingerprint claims its key too: half of a hybrid is not a key of a smaller suite.
        claimed += [whose[predicate["fingerprint"]] for whose in (named, components) if predicate["fingerprint"] in whose]
    claimed = list({key["fingerprint"]: key for key in claimed}.values())
    for key in claimed:
        if broken := verify(key, envelope, message):
            return {**signature, **_holder(key), "status": "invalid"}, [broken]
    for keyid, raw in envelope["signatures"] if len(message) <= _TRIED else ():
        if keyid not in components:
            maker = _maker(components, message, raw)
            if maker and signature["kind"] == "attestation" and _is_foreign(keyid) and len(maker["components"]) == 1:
                claimed.append(maker)
            elif maker:
                return {**signature, **_holder(maker), "status": "invalid"}, [
                    finding("keyid-mismatch", **_signer(maker), Expected=", ".join(maker["components"]), Actual=keyid[:100])
                ]
    if not claimed:
        return signature, []
    # Who adds or moves a signature must not hide that of a trusted key behind one that counts for nothing.
    key = min(claimed, key=lambda key: (not key["trusted"], key["fingerprint"]))
    wrong = _judge_statement(envelope, said, key, manifest, manifest_digest, others)
    if said and not wrong and signature["kind"] == "attestation":
        signature |= describe(said)
    elif said and not wrong:
        for line in said["predicate"]["attestations"]:
            earliest = listed.get((key["fingerprint"], line), signature["signed_at"])
            listed[key["fingerprint"], line] = min(earliest, signature["signed_at"])
        signature |= _superseded(said["predicate"])
    return {**signature, **_holder(key), "status": "invalid" if wrong else "valid"}, wrong


def verify(key: Key, envelope: dsse.Envelope, message: bytes) -> Finding | None:
    """What is wrong with the signatures that this key's suite requires."""
    algorithms = suites.SUITES[key["suite_id"]]
    made = [(keyid, raw) for keyid, raw in envelope["signatures"] if keyid in key["components"]]
    for component in key["components"]:
        if (count := sum(keyid == component for keyid, _ in made)) != 1:
            return finding("signature-incomplete", **_signer(key), Expected=f"one signature by {component}", Actual=count)
    if [keyid for keyid, _ in made] != key["components"]:
        return finding("signature-incomplete", "the signatures are not in the order of the key's suite", **_signer(key))
    for algorithm, public, (_, raw) in zip(algorithms, key["publics"], made, strict=True):
        try:
            genuine = suites.verify(algorithm, public, message, raw)
        except Fail as fail:
            fail.finding["context"] |= {**_signer(key), "Suite": key["suite_id"]}
            raise
        if not genuine:
            which = {"Suite": key["suite_id"], "Algorithm": algorithm} if len(algorithms) > 1 else {}
            return finding("signature-invalid", **_signer(key), **which)
    return None


def _maker(components: dict[str, Key], message: bytes, raw: bytes) -> Key | None:
    """The store's key that made a signature which names nobody in the store."""
    for key in components.values():
        for algorithm, public in zip(suites.SUITES[key["suite_id"]], key["publics"], strict=True):
            if suites.verify(algorithm, public, message, raw):
                return key
    return None


def _is_foreign(keyid: str) -> bool:
    """Whether a keyid is of another kind than ours. DSSE: it is a hint, and may be absent."""
    return statement.FINGERPRINT.fullmatch(keyid) is None


def _judge_statement(
    envelope: dsse.Envelope,
    said: statement.Statement | None,
    key: Key,
    manifest: dict[str, Any],
    manifest_digest: str,
    others: set[str],
) -> list[Finding]:
    """What is wrong with a statement whose signatures are genuine."""
    try:
        if envelope["payload_type"] != dsse.PAYLOAD_TYPE:
            raise ValueError(f"payloadType is {envelope['payload_type'][:100]!r}")
        # Only what was not one statement is parsed again, to say why.
        said = said or statement.parse(envelope["payload"])
        is_signature = said["predicateType"] == statement.BUNDLE_SIGNATURE
        if is_signature and [keyid for keyid, _ in envelope["signatures"]] != key["components"]:
            raise ValueError("the envelope has not exactly the signatures of the key's suite, in its order")
        predicate = statement.check_signature(said, key) if is_signature else None
        statement.check_subjects(said, manifest, manifest_digest)
    except statement.Mismatch as error:
        return [finding("subject-mismatch", str(error), **_signer(key), Expected=manifest_digest)]
    except ValueError as error:
        return [finding("statement-malformed", str(error), **_signer(key))]
    gone = [listed for listed in predicate["attestations"] if listed not in others] if predicate else []
    return [finding("attestation-removed", **_signer(key), Line=line) for line in gone]


def _signer(key: Key) -> dict[str, str]:
    return {"Signer": key["key_id"], "Fingerprint": key["fingerprint"]}


def _holder(key: Key) -> Signature:
    """What the store says of the key, under the id that the store gives it."""
    held = {name: key[name] for name in ("key_id", "fingerprint", "suite_id", "origin", "trusted")}
    return held | {f"key_{name}": key[name] for name in ("expires",) if key.get(name)} | _rotated(key)


def _rotated(key: Key) -> Signature:
    return {"rotated_into": key["rotated_into"]} if key.get("rotated_into") else {}


def _superseded(predicate: dict[str, Any]) -> Signature:
    """What a genuine signature says that it replaced: the signer's claim."""
    if "supersedes" not in predicate:
        return {}
    from cerrotorre import custody

    entries, cut = custody.parse(predicate["supersedes"])
    return {"supersedes": entries} | ({"supersedes_cut": True} if cut else {})


def _last(key_id: str, keys: list[Key]) -> str:
    """The end of a chain of rotations: whoever holds its keys is one signer, whichever of them signed."""
    into = {key["key_id"]: key["rotated_into"] for key in keys if key.get("rotated_into")}
    seen: list[str] = []
    while key_id not in seen:
        seen.append(key_id)
        key_id = into.get(key_id, key_id)
    # Keys rotated in a circle are one.
    return min(seen[seen.index(key_id) :])


def _described(said: statement.Statement | None) -> Signature:
    """What an envelope says of itself: claims, until a key of the store proves them."""
    kind = "bundle-signature" if said and said["predicateType"] == statement.BUNDLE_SIGNATURE else "attestation"
    signature: Signature = {
        "kind": kind,
        "status": "unknown",
        "predicate_type": said["predicateType"][:_CLAIM] if said else None,
    }
    predicate = said.get("predicate") if said else None
    if kind == "bundle-signature" and isinstance(predicate, dict):
        for name in ("suite_id", "signed_at", "expires", "key_id", "fingerprint"):
            if isinstance(predicate.get(name), str):
                # Whose it is only the store says.
                signature[f"claimed_{name}" if name in ("key_id", "fingerprint") else name] = predicate[name][:_CLAIM]
    return signature
