"""What Svalinn's gateway is asked (spec/svalinn-integration.adoc, "The request"): statements in its envelopes, its attestation
bundle, trust store and policy. Pure: the time and the signing are arguments.
"""

from collections.abc import Callable

from cerrotorre import VERSION, b64, dsse, jsonic, loginclusion, predicate, statement, suites, times
from cerrotorre.digest import sha256
from cerrotorre.typed import Any

SUITE, ALGORITHM = "CT-SIG-01", "ed25519"
MEDIA_TYPE, BUNDLE_VERSION = "application/vnd.verified-container.bundle+json", "0.1.0"
SUMMARY = "https://slsa.dev/verification_summary/v1"
# What Svalinn calls what it expects.
EXPECTED = {"provenance": "https://slsa.dev/provenance/v1", "sbom": "https://spdx.dev/Document"}
# Of each bundle, by its schema.
LEAST_ENTRIES = 2
# The most logs whose word is asked for.
MOST_QUORUM = 2
_ALWAYS = "1970-01-01T00:00:00Z"


def passed_on(payload: bytes, manifest: dict[str, Any]) -> tuple[str, bytes]:
    """(its type, the payload as it is sent) of a statement in the bundle: the same bytes if Svalinn takes them, else made anew."""
    said = statement.parse(payload)
    expected = EXPECTED[str(predicate.kind_of(said["predicateType"]))]
    image = manifest["image_digest"].removeprefix("sha256:")
    if said["predicateType"] == expected and all(subject["digest"].get("sha256") == image for subject in said["subject"]):
        return expected, payload
    return expected, statement.about(manifest, expected, said["predicate"])


def summary(manifest: dict[str, Any], repository: str, at: str, policies: list[str], lines: list[str]) -> bytes:
    """The statement that this bundle was verified at that time: `policies` are the digests of those that applied, `lines` those of
    the envelopes whose signatures counted."""
    policy = policies[0] if len(policies) == 1 else sha256(jsonic.canonical(policies))
    digest = manifest["image_digest"]
    # The purl of an OCI image has the repository's last name and, as its version, the digest (purl-spec, types/oci).
    name = repository.rpartition("/")[2]
    made = {
        "verifier": {"id": "https://cerro-torre.org/ct", "version": {"ct": VERSION}},
        "timeVerified": at,
        "resourceUri": f"pkg:oci/{name}@{digest.replace(':', '%3A')}?repository_url={repository}",
        "policy": {"uri": "https://cerro-torre.org/schema/policy/1", "digest": _digest_set(policy)},
        "inputAttestations": [{"digest": _digest_set(line)} for line in lines],
        "verificationResult": "PASSED",
        "verifiedLevels": ["SLSA_BUILD_LEVEL_UNEVALUATED"],
        "slsaVersion": "1.0",
    }
    return statement.about(manifest, SUMMARY, made)


def _digest_set(digest: str) -> dict[str, str]:
    return {"sha256": digest.removeprefix("sha256:")}


def key_id(public: bytes) -> str:
    """A key's name at the gateway: `sha256:` and the digest of its SubjectPublicKeyInfo."""
    return sha256(suites.spki(ALGORITHM, public))


def envelope(payload: bytes, name: str, sign: Callable[[bytes], bytes]) -> dict[str, Any]:
    """A statement in an envelope with both signatures, Svalinn's first: its checker takes the base64 text for the payload."""
    text = b64.encode(payload)
    messages = [dsse.pae(dsse.PAYLOAD_TYPE, each) for each in (text.encode(), payload)]
    return {
        "payloadType": dsse.PAYLOAD_TYPE,
        "payload": text,
        "signatures": [{"keyid": name, "sig": b64.encode(sign(message))} for message in messages],
    }


def bundle(envelopes: list[dict[str, Any]], entries: list[dict[str, Any]], now: str) -> dict[str, Any]:
    """The attestation bundle."""
    return {
        "mediaType": MEDIA_TYPE,
        "version": BUNDLE_VERSION,
        "attestations": envelopes,
        "logEntries": entries,
        "metadata": {"producer": "cerro-torre", "producerVersion": VERSION, "createdAt": now},
    }


def trust_store(key: dict[str, Any], logs: dict[str, loginclusion.Log], now: str) -> dict[str, Any]:
    """A trust store of the one key that signed, as the key store has it (keystore.Key), and the logs."""
    public = key["publics"][0]
    entry = {
        "id": key_id(public),
        "algorithm": ALGORITHM,
        "publicKey": b64.encode(suites.spki(ALGORITHM, public)),
        "validFrom": _time(key.get("created")) or _ALWAYS,
        "metadata": {"owner": key["key_id"]},
    }
    if until := _time(key.get("expires"), end_of_day=True):
        entry["validUntil"] = until
    return {"version": 1, "id": "cerro-torre", "updated": now, "keys": {"builders": [entry]}, "thresholds": {}, "logs": logs}


def _time(text: str | None, *, end_of_day: bool = False) -> str | None:
    return None if text is None else times.spell(times.epoch(text, end_of_day=end_of_day))


def quorum(logs: dict[str, loginclusion.Log]) -> int:
    """How many logs must have an entry."""
    return min(max(1, len(logs)), MOST_QUORUM)


def policy(types: list[str], name: str, logs: dict[str, loginclusion.Log]) -> dict[str, Any]:
    """The gatekeeper's policy: these types of statements, by this key, in so many logs."""
    return {
        "version": 1,
        "requiredPredicates": list(dict.fromkeys(types)),
        "allowedSigners": [name],
        "logQuorum": quorum(logs),
        "mode": "strict",
    }
