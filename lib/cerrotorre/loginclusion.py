"""Entries of transparency logs in Sigstore bundles, each checked before it is believed (spec/svalinn-integration.adoc, "Log entries").

A log here is {"operator", "publicKey", "url", "algorithm"}, as Svalinn's trust stores name it. Pure.
"""

import re

from cerrotorre import b64, jsonic, suites, times
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

Log = dict[str, str]

MAX_LOGS, MAX_FILE = 64, 256 << 10
MAX_ENTRIES, MAX_PATH = 16, 64
# The last second of the year 9999.
MAX_TIME = 253402300799
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_INTEGER = re.compile(r"0|[1-9][0-9]{0,15}")
_TEXT = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,1024}")


class Unproved(ValueError):
    """Why something is no entry of a log."""


def logs(data: bytes) -> dict[str, Log]:
    """The logs that a file names, by name. Raises ValueError, which says what is wrong with it."""
    value = jsonic.parse(data, MAX_FILE)
    if not isinstance(value, dict) or not 1 <= len(value) <= MAX_LOGS:
        raise ValueError(f"not an object of 1 to {MAX_LOGS} logs")
    jsonic.refuse_case_clash(value)
    keys = []
    for name, log in value.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name[:40]!r} is not the name of a log")
        if not isinstance(log, dict) or log.keys() != {"operator", "publicKey", "url", "algorithm"}:
            raise ValueError(f"{name}: a log has exactly operator, publicKey, url and algorithm")
        if not all(isinstance(text, str) and _TEXT.fullmatch(text) for text in log.values()):
            raise ValueError(f"{name}: a member is not a text of 1 to 1024 characters")
        try:
            algorithm, public = suites.from_spki(b64.decode(log["publicKey"]))
        except Fail as fail:
            raise ValueError(f"{name}: {fail}") from None
        if (algorithm, log["algorithm"]) != ("ed25519", "ed25519"):
            raise ValueError(f"{name}: its key is not one of ed25519")
        keys.append(public)
    if len(set(keys)) != len(keys):
        raise ValueError("two logs have one key")
    return value


def entries(document: bytes, payload: bytes, known: dict[str, Log]) -> tuple[list[dict[str, Any]], list[str]]:
    """(the entries about this payload in a Sigstore bundle, as Svalinn takes them; why others are none)."""
    try:
        value = jsonic.parse(document, len(document))
        listed = value["verificationMaterial"].get("tlogEntries", [])
        if not isinstance(listed, list) or len(listed) > MAX_ENTRIES:
            raise ValueError(f"tlogEntries is not an array of at most {MAX_ENTRIES}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return [], [f"a Sigstore bundle cannot be read: {error}"]
    made: list[dict[str, Any]] = []
    reasons = []
    for one in listed:
        try:
            made.append(_entry(one, payload, known))
        except Unproved as error:
            reasons.append(str(error))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reasons.append(f"an entry is not of its form: {type(error).__name__} {error}"[:200])
    return made, reasons


def _entry(one: Any, payload: bytes, known: dict[str, Log]) -> dict[str, Any]:
    name, public, log_id = _log(b64.decode(one["logId"]["keyId"]), known)
    body = b64.decode(one["canonicalizedBody"])
    if _payload_hash(body) != sha256(payload).removeprefix("sha256:"):
        raise Unproved(f"an entry in {name} is about another statement")
    index, time = _integer(one["logIndex"]), _integer(one["integratedTime"])
    if not 0 < time <= MAX_TIME:
        raise Unproved(f"an entry in {name} has no time")
    promise = b64.decode(one["inclusionPromise"]["signedEntryTimestamp"])
    # Rekor signs the canonical JSON of these four (types.proto of sigstore/protobuf-specs, InclusionPromise).
    said = jsonic.canonical(
        {"body": one["canonicalizedBody"], "integratedTime": time, "logID": log_id.hex(), "logIndex": index}
    )
    if not suites.verify("ed25519", public, said, promise):
        raise Unproved(f"the signature of {name} on an entry is not its own")
    proof = one["inclusionProof"]
    at, size, root = _integer(proof["logIndex"]), _integer(proof["treeSize"]), b64.decode(proof["rootHash"])
    if not isinstance(proof["hashes"], list) or len(proof["hashes"]) > MAX_PATH:
        raise ValueError(f"hashes is not an array of at most {MAX_PATH}")
    path = [b64.decode(each) for each in proof["hashes"]]
    if len(root) != 32 or any(len(each) != 32 for each in path) or not is_included(_hash(b"\0" + body), at, size, path, root):
        raise Unproved(f"the inclusion proof of an entry in {name} does not lead to its root")
    if not _is_checkpoint(proof["checkpoint"]["envelope"], size, root, public):
        raise Unproved(f"the root of an entry in {name} is in no checkpoint that it signed")
    return {
        "logId": name,
        "logIndex": index,
        "integratedTime": times.spell(time),
        "inclusionProof": {
            "logIndex": at,
            "rootHash": root.hex(),
            "treeSize": size,
            "hashes": [each.hex() for each in path],
        },
        "signedEntryTimestamp": b64.encode(promise),
    }


def _log(log_id: bytes, known: dict[str, Log]) -> tuple[str, bytes, bytes]:
    for name, log in known.items():
        der = b64.decode(log["publicKey"])
        if _hash(der) == log_id:
            return name, suites.from_spki(der)[1], log_id
    raise Unproved(f"an entry is in the log {log_id.hex()[:16]}…, which is none of yours")


def _payload_hash(body: bytes) -> str | None:
    """The hash of the statement that an entry of Rekor is about (its schemas dsse 0.0.1 and intoto 0.0.2)."""
    value = jsonic.parse(body, len(body))
    holder = {"dsse": lambda spec: spec, "intoto": lambda spec: spec["content"]}.get(value["kind"])
    if holder is None:
        raise Unproved(f"an entry is of kind {str(value['kind'])[:40]!r}, which says nothing about a statement")
    said = holder(value["spec"])["payloadHash"]
    return str(said["value"]) if said["algorithm"] == "sha256" else None


def is_included(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    """Whether the path leads from a leaf's hash to the root of a tree of that size (RFC 9162, 2.1.3.2)."""
    if index >= size:
        return False
    number, last, at = index, size - 1, leaf
    for each in path:
        if last == 0:
            return False
        if number & 1 or number == last:
            at = _hash(b"\1" + each + at)
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            at = _hash(b"\1" + at + each)
        number, last = number >> 1, last >> 1
    return last == 0 and at == root


def _is_checkpoint(note: str, size: int, root: bytes, public: bytes) -> bool:
    """Whether it is a checkpoint of that size and root with the log's signature (C2SP, tlog-checkpoint and signed-note)."""
    text, separator, signatures = note.partition("\n\n")
    lines = text.split("\n")
    if not separator or len(note) > 16 << 10 or lines[1:3] != [str(size), b64.encode(root)]:
        return False
    for line in signatures.split("\n"):
        words = line.split(" ")
        if len(words) == 3 and words[0] == "—":
            try:
                raw = b64.decode(words[2])
            except ValueError:
                continue
            # Four bytes of hint come first.
            if suites.verify("ed25519", public, text.encode() + b"\n", raw[4:]):
                return True
    return False


def _integer(text: Any) -> int:
    """A 64-bit integer, which the JSON of Protocol Buffers has as a string; here within what all JSON can hold."""
    if not isinstance(text, str) or not _INTEGER.fullmatch(text) or int(text) > jsonic.MAX_SAFE:
        raise ValueError(f"{str(text)[:40]!r} is not a number")
    return int(text)


def _hash(data: bytes) -> bytes:
    return bytes.fromhex(sha256(data).removeprefix("sha256:"))
