"""The bundle signature: an in-toto Statement v1 over a manifest and its image (spec/signatures.adoc)."""

import re

from cerrotorre import jsonic
from cerrotorre.digest import is_digest
from cerrotorre.dsse import PAYLOAD_TYPE
from cerrotorre.times import is_time
from cerrotorre.typed import Any

STATEMENT = "https://in-toto.io/Statement/v1"
# The same members; cosign still writes it.
STATEMENT_0 = "https://in-toto.io/Statement/v0.1"
BUNDLE_SIGNATURE = "https://cerro-torre.org/attestation/bundle-signature/v1"
KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
FINGERPRINT = re.compile(r"SHA256:[0-9a-f]{64}", re.ASCII)

_REQUIRED = {"suite_id", "signed_at", "key_id", "fingerprint", "name", "version", "attestations"}
_OPTIONAL = {"expires", "supersedes"}

Statement = dict[str, Any]


class Mismatch(ValueError):
    """The statement is well-formed and about something else."""


def make(
    manifest: dict[str, Any],
    manifest_digest: str,
    key: dict[str, Any],
    signed_at: str,
    attestations: list[str],
    expires: str | None,
    supersedes: str | None = None,
) -> bytes:
    """The bytes of a bundle signature's statement, made once and never serialised again."""
    predicate = {
        "suite_id": key["suite_id"],
        "signed_at": signed_at,
        "key_id": key["key_id"],
        "fingerprint": key["fingerprint"],
        "name": manifest["name"],
        "version": manifest["version"],
        "attestations": attestations,
    }
    if expires:
        predicate["expires"] = expires
    if supersedes:
        predicate["supersedes"] = supersedes
    return jsonic.canonical(
        {
            "_type": STATEMENT,
            "subject": subjects(manifest, manifest_digest),
            "predicateType": BUNDLE_SIGNATURE,
            "predicate": predicate,
        }
    )


def about(manifest: dict[str, Any], predicate_type: str, predicate: Any) -> bytes:
    """The bytes of a statement about the image: its one subject is the image, whatever manifest describes it."""
    return jsonic.canonical(
        {
            "_type": STATEMENT,
            "subject": subjects(manifest, "")[1:],
            "predicateType": predicate_type,
            "predicate": predicate,
        }
    )


def subjects(manifest: dict[str, Any], manifest_digest: str) -> list[Statement]:
    """The two subjects of a bundle signature, in order."""
    named = (("manifest.toml", manifest_digest), (manifest["name"], manifest["image_digest"]))
    return [{"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}} for name, digest in named]


def parse(payload: bytes) -> Statement:
    """A statement of its general shape; canonical if it is a bundle signature. Raises ValueError (also jsonic.Malformed)."""
    value = shape(jsonic.parse(payload, len(payload)))
    # Bundle signatures are ours alone. What else is signed, others also make, and spell as they like (decision 0018).
    if value["predicateType"] == BUNDLE_SIGNATURE and (value["_type"] != STATEMENT or jsonic.canonical(value) != payload):
        raise ValueError("a bundle signature's statement is v1, and in RFC 8785 canonical form")
    return value


def shape(value: Any) -> Statement:
    """A value that has the general shape of a Statement, in whatever spelling it was. Raises ValueError."""
    if not isinstance(value, dict) or value.get("_type") not in (STATEMENT, STATEMENT_0):
        raise ValueError("not an in-toto Statement")
    jsonic.refuse_case_clash(value, "the statement")
    if not isinstance(value.get("predicateType"), str) or not isinstance(value.get("subject"), list) or not value["subject"]:
        raise ValueError("no predicateType or subject")
    if value.keys() - {"_type", "subject", "predicateType", "predicate"}:
        raise ValueError("a member that a Statement does not have")
    if not isinstance(value.get("predicate", {}), dict):
        raise ValueError("predicate is not an object")
    for subject in value["subject"]:
        digest = subject.get("digest") if isinstance(subject, dict) else None
        # digest_set.md: "Set of one or more cryptographic digests".
        if not isinstance(digest, dict) or not digest or not all(isinstance(item, str) for item in digest.values()):
            raise ValueError("a subject without digests")
    return value


def claimed(envelope: dict[str, Any]) -> Statement | None:
    """The statement inside an envelope (dsse.Envelope), if it is one: a claim until its maker's key proves it."""
    if envelope["payload_type"] != PAYLOAD_TYPE:
        return None
    try:
        return parse(envelope["payload"])
    except ValueError:
        return None


def check_signature(value: Statement, key: dict[str, Any]) -> dict[str, Any]:
    """The predicate of a bundle signature made by this key. Raises ValueError."""
    predicate = value.get("predicate")
    if not isinstance(predicate, dict) or not predicate.keys() >= _REQUIRED or predicate.keys() - _REQUIRED - _OPTIONAL:
        raise ValueError("the predicate has not exactly its members")
    if not is_time(predicate["signed_at"]) or not is_time(predicate.get("expires", predicate["signed_at"])):
        raise ValueError("a time is not YYYY-MM-DDTHH:MM:SSZ")
    if not isinstance(predicate["key_id"], str) or not KEY_ID.fullmatch(predicate["key_id"]):
        raise ValueError("key_id is not an id")
    if predicate["suite_id"] != key["suite_id"]:
        raise ValueError(f"suite_id is {str(predicate['suite_id'])[:40]!r}, and the key's suite is {key['suite_id']}")
    if predicate["fingerprint"] != key["fingerprint"]:
        raise ValueError("fingerprint is not the key's")
    if "supersedes" in predicate:
        # Few signatures replaced others, and the start-up of all would pay for the import.
        from cerrotorre import custody

        custody.parse(predicate["supersedes"])
    listed = predicate["attestations"]
    if not isinstance(listed, list) or not all(map(is_digest, listed)):
        raise ValueError("attestations is not an array of digests")
    return predicate


def check_subjects(value: Statement, manifest: dict[str, Any], manifest_digest: str) -> None:
    """Whether a statement is about this bundle. Raises Mismatch."""
    if value["predicateType"] == BUNDLE_SIGNATURE:
        predicate = value["predicate"]
        if value["subject"] != subjects(manifest, manifest_digest):
            raise Mismatch("its subjects are not this manifest and this image")
        if (predicate["name"], predicate["version"]) != (manifest["name"], manifest["version"]):
            raise Mismatch("it names another package")
        return
    image = manifest["image_digest"].removeprefix("sha256:")
    if not any(subject["digest"].get("sha256") == image for subject in value["subject"]):
        raise Mismatch("no subject of it is this image")
    for subject in value["subject"]:
        if subject.get("name") == "manifest.toml" and subject["digest"].get("sha256") != manifest_digest.removeprefix(
            "sha256:"
        ):
            raise Mismatch("its manifest.toml is not this manifest")
