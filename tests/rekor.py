"""A transparency log in memory that gives entries as Sigstore bundles hold them. Nothing here comes from the library."""

import base64
import hashlib
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def b64(data):
    return base64.b64encode(data).decode()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def split(size):
    """The largest power of two below it (RFC 9162, 2.1.1)."""
    return 1 << (size - 1).bit_length() - 1


def root(leaves):
    if len(leaves) == 1:
        return leaves[0]
    at = split(len(leaves))
    return node(root(leaves[:at]), root(leaves[at:]))


def path(index, leaves):
    """The inclusion proof of a leaf (RFC 9162, 2.1.3.1)."""
    if len(leaves) == 1:
        return []
    at = split(len(leaves))
    if index < at:
        return [*path(index, leaves[:at]), root(leaves[at:])]
    return [*path(index - at, leaves[at:]), root(leaves[:at])]


class Log:
    """One log, with an Ed25519 key; `named` is how a trust store names it."""

    def __init__(self, others=3, time=1_690_000_000):
        self.key = Ed25519PrivateKey.generate()
        self.public = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.id = hashlib.sha256(self.public).digest()
        self.time = time
        self.bodies = [f"somebody else's {number}".encode() for number in range(others)]
        self.named = {
            "operator": "Example Ltd",
            "publicKey": b64(self.public),
            "url": "https://log.example",
            "algorithm": "ed25519",
        }

    def entry(self, payload, again=None, **changes):
        """Take a statement, and give its entry back; `changes` are what a liar would have there. With `again`, an index in the tree, it is
        the entry that is there, proved by the tree as it is now."""
        spec = {"payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()}}
        kind = changes.pop("kind", "dsse")
        body = canonical({"apiVersion": "0.0.1", "kind": kind, "spec": {"content": spec} if kind == "intoto" else spec})
        index = len(self.bodies) if again is None else again
        self.bodies.append(body)
        leaves = [hashlib.sha256(b"\0" + each).digest() for each in self.bodies]
        said = {"body": b64(body), "integratedTime": self.time, "logID": self.id.hex(), "logIndex": 1000 + index}
        size, top = len(leaves), root(leaves)
        note = f"log.example\n{size}\n{b64(top)}\n"
        signed = b64(self.id[:4] + self.key.sign(note.encode()))
        proof = {
            "logIndex": str(index),
            "rootHash": b64(top),
            "treeSize": str(size),
            "hashes": [b64(each) for each in path(index, leaves)],
            "checkpoint": {"envelope": f"{note}\n— log.example {signed}\n"},
        }
        return {
            "logIndex": str(1000 + index),
            "logId": {"keyId": b64(self.id)},
            "kindVersion": {"kind": kind, "version": "0.0.1"},
            "integratedTime": str(self.time),
            "inclusionPromise": {"signedEntryTimestamp": b64(self.key.sign(canonical(said)))},
            "inclusionProof": proof,
            "canonicalizedBody": b64(body),
            **changes,
        }


def sigstore(envelope, *entries):
    """A Sigstore bundle of an envelope (a JSON object) and entries."""
    return json.dumps(
        {
            "mediaType": BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": ""}, "tlogEntries": list(entries)},
            "dsseEnvelope": envelope,
        }
    ).encode()


def payload(line):
    """What the envelope in a line of a bundle signs."""
    return base64.b64decode(json.loads(line)["payload"])


def evidence(line, *entries):
    """The line of a bundle in which ct-pack keeps the Sigstore bundle of an envelope."""
    about = "sha256:" + hashlib.sha256(line).hexdigest()
    return canonical({"document": b64(sigstore(json.loads(line), *entries)), "envelope": about, "evidence": BUNDLE})
