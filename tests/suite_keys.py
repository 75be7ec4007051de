"""Keys of every suite, and envelopes by them, made with pyca/cryptography from the specifications alone (suites.adoc, keys.adoc,
signatures.adoc; RFC 8032, 8410, 9881; FIPS 204): what the tests of the suites share. Nothing here comes from the library.
"""

import base64
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA87PrivateKey
from small import members, rebuilt

SUITES = {
    "CT-SIG-01": ("ed25519",),
    "CT-SIG-02": ("ed25519", "ml-dsa-87"),
    "CT-SIG-03": ("ml-dsa-87",),
    "CT-SIG-04": ("ed448",),
    "CT-SIG-06": ("ed25519", "ml-dsa-65"),
}
HYBRIDS = [suite for suite, its in SUITES.items() if len(its) == 2]
SEED = {"ed25519": 32, "ed448": 57, "ml-dsa-65": 32, "ml-dsa-87": 32}
_PRIVATE: dict[str, Any] = {
    "ed25519": Ed25519PrivateKey.from_private_bytes,
    "ed448": Ed448PrivateKey.from_private_bytes,
    "ml-dsa-65": MLDSA65PrivateKey.from_seed_bytes,
    "ml-dsa-87": MLDSA87PrivateKey.from_seed_bytes,
}
# What stands before the public key's bytes (RFC 8410 §4; RFC 9881 §4), and before the seed's (RFC 8410 §7; RFC 9881 §6, `seed`).
SPKI = {
    "ed25519": bytes.fromhex("302a300506032b6570032100"),
    "ed448": bytes.fromhex("3043300506032b6571033a00"),
    "ml-dsa-65": bytes.fromhex("308207b2300b0609608648016503040312038207a100"),
    "ml-dsa-87": bytes.fromhex("30820a32300b060960864801650304031303820a2100"),
}
PKCS8 = {
    "ed25519": bytes.fromhex("302e020100300506032b657004220420"),
    "ed448": bytes.fromhex("3047020100300506032b6571043b0439"),
    "ml-dsa-65": bytes.fromhex("3034020100300b060960864801650304031204228020"),
    "ml-dsa-87": bytes.fromhex("3034020100300b060960864801650304031304228020"),
}

BUNDLE_SIGNATURE = "https://cerro-torre.org/attestation/bundle-signature/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
TIME = "2026-11-20T10:00:00Z"
Entry = tuple[str, bytes]


def fingerprint(der: bytes) -> str:
    return "SHA256:" + hashlib.sha256(der).hexdigest()


def pem(label: str, der: bytes) -> str:
    text = base64.b64encode(der).decode()
    lines = "".join(text[at : at + 64] + "\n" for at in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}-----END {label}-----\n"


def unpem(text: str) -> list[bytes]:
    """The DER of every block."""
    return [base64.b64decode(block.partition("-----\n")[2].partition("-----END")[0]) for block in text.split("-----BEGIN ")[1:]]


class Component:
    """One algorithm's key: from its seed, or from a public key alone."""

    def __init__(self, algorithm: str, seed: bytes | None = None, public: bytes = b"") -> None:
        self.algorithm = algorithm
        if seed is not None:
            self.seed, self.private = seed, _PRIVATE[algorithm](seed)
            public = self.private.public_key().public_bytes_raw()
        self.public = public
        self.der = SPKI[algorithm] + public
        self.keyid = fingerprint(self.der)

    def sign(self, message: bytes) -> bytes:
        return bytes(self.private.sign(message))

    def pkcs8(self) -> str:
        return pem("PRIVATE KEY", PKCS8[self.algorithm] + self.seed)


class Key:
    """A key of a suite: `Key("CT-SIG-02", "carol")` always has the same seeds."""

    def __init__(self, suite: str, key_id: str, components: list[Component] | None = None) -> None:
        self.suite, self.key_id = suite, key_id
        self.components = components or [
            Component(algorithm, hashlib.shake_256(f"{suite} {key_id} {algorithm}".encode()).digest(SEED[algorithm]))
            for algorithm in SUITES[suite]
        ]
        self.fingerprint = fingerprint(b"".join(one.der for one in self.components))

    def blocks(self) -> str:
        return "".join(pem("PUBLIC KEY", one.der) for one in self.components)

    def public_file(self, **changed: str) -> str:
        head = {"Key-Id": self.key_id, "Suite": self.suite, "Fingerprint": self.fingerprint} | changed
        return "".join(f"{name}: {value}\n" for name, value in head.items()) + self.blocks()

    def private_file(self) -> str:
        return "".join(one.pkcs8() for one in self.components)

    def lay(self, directory: Path, *, private: bool = True) -> "Key":
        """Put the key's files where `ct` finds them."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if private:
            path = directory / f"{self.key_id}.key"
            path.write_text(self.private_file())
            path.chmod(0o600)
        (directory / f"{self.key_id}.pub").write_text(self.public_file())
        return self

    def entries(self, payload: bytes, payload_type: str = PAYLOAD_TYPE) -> list[Entry]:
        return [(one.keyid, one.sign(pae(payload, payload_type))) for one in self.components]


# -- envelopes ---------------------------------------------------------------------------------------------------------------


def pae(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """protocol.md of DSSE: "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body."""
    kind = payload_type.encode()
    return b" ".join([b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload])


def canonical(value: Any) -> bytes:
    """RFC 8785 of what the tests write: ASCII names, integers and text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def envelope(payload: bytes, entries: list[Entry]) -> bytes:
    """One line of attestations.jsonl, without its LF."""
    made = [{"keyid": keyid, "sig": base64.b64encode(raw).decode()} for keyid, raw in entries]
    return canonical({"payload": base64.b64encode(payload).decode(), "payloadType": PAYLOAD_TYPE, "signatures": made})


def opened(line: bytes) -> tuple[bytes, list[Entry]]:
    """Payload and entries of an envelope's line."""
    value = json.loads(line)
    entries = [(entry["keyid"], base64.b64decode(entry["sig"])) for entry in value["signatures"]]
    return base64.b64decode(value["payload"]), entries


class Bundle:
    """What a signer needs of a bundle, read from its members."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        held = {member.name: member.content(raw) for member in members(raw)}
        self.lines = held["attestations.jsonl"].splitlines()
        self.manifest = tomllib.loads(held["manifest.toml"].decode())
        self.manifest_digest = hashlib.sha256(held["manifest.toml"]).hexdigest()
        self.image_digest = self.manifest["image_digest"].removeprefix("sha256:")

    def with_lines(self, lines: list[bytes]) -> bytes:
        """The bundle with other attestations, well-formed otherwise: nothing else depends on them."""
        return rebuilt(self.raw, {"attestations.jsonl": b"".join(line + b"\n" for line in lines)})

    def signature(self, key: Key, **changed: Any) -> bytes:
        """The payload of a bundle signature by the key; `changed` replaces members of its predicate."""
        predicate = {
            "attestations": [],
            "fingerprint": key.fingerprint,
            "key_id": key.key_id,
            "name": self.manifest["name"],
            "signed_at": TIME,
            "suite_id": key.suite,
            "version": self.manifest["version"],
        }
        subjects = [("manifest.toml", self.manifest_digest), (self.manifest["name"], self.image_digest)]
        return statement(BUNDLE_SIGNATURE, predicate | changed, subjects)

    def attestation(self, predicate_type: str, predicate: Any) -> bytes:
        """The payload of a statement about the image."""
        return statement(predicate_type, predicate, [(self.manifest["name"], self.image_digest)])


def statement(predicate_type: str, predicate: Any, subjects: list[tuple[str, str]]) -> bytes:
    return canonical(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "predicate": predicate,
            "predicateType": predicate_type,
            "subject": [{"digest": {"sha256": digest}, "name": name} for name, digest in subjects],
        }
    )
