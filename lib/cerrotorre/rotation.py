"""Rotation of a key: the statement in which a key names the one that takes over, signed by both (spec/keys.adoc, "Rotation").

Bytes to values and back; who may rotate what is decided in `keyrotate`.
"""

from cerrotorre import dsse, jsonic, keyfile, statement, suites, times
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

ROTATION = "https://cerro-torre.org/attestation/key-rotation/v1"

# {"rotated_at": str, "old": named, "new": named, "envelope": dsse.Envelope}; named is {"key_id", "suite_id", "fingerprint"}
Rotation = dict[str, Any]
_NAMED = ("key_id", "suite_id", "fingerprint")


def payload(old: dict[str, Any], new: dict[str, Any], rotated_at: str) -> bytes:
    """The statement: its subject is the new key, whose digest is its fingerprint."""
    predicate = {"rotated_at": rotated_at, "old": _named(old), "new": _named(new)}
    value = {
        "_type": statement.STATEMENT,
        "subject": [_subject(new)],
        "predicateType": ROTATION,
        "predicate": predicate,
    }
    return jsonic.canonical(value)


def _named(key: dict[str, Any]) -> dict[str, Any]:
    return {name: key[name] for name in _NAMED}


def _subject(key: dict[str, Any]) -> dict[str, Any]:
    return {"name": key["key_id"], "digest": {"sha256": key["fingerprint"].removeprefix("SHA256:")}}


def write(made: bytes, signatures: list[tuple[str, bytes]]) -> bytes:
    """The file: the envelope's one line. `signatures` are the old key's, in suite order, then the new one's."""
    return dsse.write(made, signatures) + b"\n"


def parse(data: bytes) -> Rotation:
    """A rotation file, well-formed and still unproved. Raises Fail rotation-malformed."""
    try:
        if len(data) > keyfile.LIMIT:
            raise ValueError(f"longer than {keyfile.LIMIT} bytes")
        line, end, rest = data.partition(b"\n")
        if not end or rest:
            raise ValueError("not one line")
        kind, envelope = dsse.parse_line(line, 1, keyfile.LIMIT)
        if kind != "envelope" or envelope["payload_type"] != dsse.PAYLOAD_TYPE:
            raise ValueError("not an envelope of an in-toto statement")
        return _checked(envelope)
    except Fail as fail:
        raise Fail("rotation-malformed", str(fail)) from None
    except ValueError as error:
        raise Fail("rotation-malformed", str(error)) from None


def _checked(envelope: dsse.Envelope) -> Rotation:
    value = statement.shape(jsonic.parse(envelope["payload"], keyfile.LIMIT))
    if value["predicateType"] != ROTATION:
        raise ValueError(f"not a rotation, but {value['predicateType'][:100]!r}")
    predicate = value.get("predicate")
    if not isinstance(predicate, dict) or predicate.keys() != {"rotated_at", "old", "new"}:
        raise ValueError("the predicate has not exactly rotated_at, old and new")
    if not times.is_time(predicate["rotated_at"]):
        raise ValueError("rotated_at is not YYYY-MM-DDTHH:MM:SSZ")
    old, new = predicate["old"], predicate["new"]
    for key in (old, new):
        if not isinstance(key, dict) or key.keys() != set(_NAMED) or not all(isinstance(text, str) for text in key.values()):
            raise ValueError(f"a key has not exactly {', '.join(_NAMED)}")
        if not keyfile.is_id(key["key_id"]) or key["suite_id"] not in suites.SUITES:
            raise ValueError("a key's id or suite is none")
        if not statement.FINGERPRINT.fullmatch(key["fingerprint"]):
            raise ValueError("a fingerprint is not SHA256: and 64 digits")
    # One spelling: whatever else it might say would be another text.
    if old["fingerprint"] == new["fingerprint"] or payload(old, new, predicate["rotated_at"]) != envelope["payload"]:
        raise ValueError("not the statement in its one spelling, with the new key as its one subject")
    return {**predicate, "envelope": envelope}


def verify(rotation: Rotation, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Whether it names these two keys and both made all signatures of their suites. Raises Fail rotation-invalid.

    A key is one of the store, or a keyfile.Public. The ids in it are the names its maker gave; only the fingerprints identify.
    """
    for role, key in (("old", old), ("new", new)):
        said = rotation[role]
        if (said["fingerprint"], said["suite_id"]) != (key["fingerprint"], key["suite_id"]):
            raise Fail(
                "rotation-invalid", f"its {role} key is another", Expected=key["fingerprint"], Actual=said["fingerprint"]
            )
    envelope = rotation["envelope"]
    message = dsse.pae(envelope["payload_type"], envelope["payload"])
    due = [one for key in (old, new) for one in _components(key)]
    if [keyid for keyid, _ in envelope["signatures"]] != [keyid for keyid, _, _ in due]:
        what = "the envelope has not exactly the signatures of the old key's suite, then of the new one's"
        raise Fail("rotation-invalid", what, Expected=", ".join(keyid for keyid, _, _ in due))
    for (keyid, algorithm, public), (_, raw) in zip(due, envelope["signatures"], strict=True):
        if not suites.verify(algorithm, public, message, raw):
            raise Fail("rotation-invalid", f"the signature of {keyid} does not verify", Signer=keyid)


def _components(key: dict[str, Any]) -> list[tuple[str, str, bytes]]:
    algorithms = suites.components(key["suite_id"])
    keyids = suites.component_fingerprints(key["suite_id"], key["publics"])
    return list(zip(keyids, algorithms, key["publics"], strict=True))
