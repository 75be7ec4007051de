"""A decision, as an audit log keeps it (spec/audit.adoc, "A decision"): made of a record and its verdict, and checked when read. Pure."""

import re

from cerrotorre import VERSION, jsonic, records, times
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail, Finding
from cerrotorre.records import Record
from cerrotorre.typed import Any

KIND = "ct/decision/1"
LIMIT = 16 << 20

Decision = dict[str, Any]

_DIGEST = re.compile("sha256:[0-9a-f]{64}")
_NEEDED = {"record", "number", "previous", "by", "program", "at", "bundle", "status", "finding", "passed", "findings"}
_OPTIONAL = {"manifest_digest", "attestations", "keys", "policies", "expected", "signatures", "trust"}


def is_digest(value: Any) -> bool:
    """Whether this is `sha256:` and 64 lowercase digits."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def make(record: Record, status: int, findings: list[Finding], by: str, now: str) -> Decision:
    """The decision on a judged record, without its place in a log and without `attestations`.

    `findings` are records.judged's, `now` is YYYY-MM-DDTHH:MM:SSZ, used where the record does not say what was taken for now.
    """
    trust = record.get("trust")
    made: Decision = {
        "record": KIND,
        "by": by,
        "program": VERSION,
        "at": trust["at"] if trust else now,
        "bundle": record["bundle"],
        "status": status,
        "finding": findings[0]["finding"] if findings else None,
        "passed": {check: record["passed"][check] for check in records.PASSES if check in record["passed"]},
        "findings": record["findings"],
    }
    if isinstance(record.get("canonical"), str):
        made["manifest_digest"] = sha256(record["canonical"].encode())
    if "signatures" in record:
        made |= {"keys": record["keys"], "signatures": record["signatures"]}
    if trust:
        digests = [file["digest"] for file in trust["files"]]
        made["policies"] = [{"policy": name, "digest": digest} for name, digest in zip(trust["policies"], digests, strict=True)]
        made["trust"] = {part: trust[part] for part in ("rules", "counted")}
        if "expected" in trust:
            made["expected"] = trust["expected"]
    return made


def spell(made: Decision) -> bytes:
    """The bytes of the file. Raises Fail record-malformed for what could not be read again, too-large."""
    try:
        _check(made)
        data = jsonic.canonical(made) + b"\n"
    except ValueError as error:
        raise Fail("record-malformed", f"a decision: {error}") from None
    if len(data) > LIMIT:
        raise Fail("too-large", f"a decision of {len(data)} bytes", Limit=LIMIT)
    return data


def read(data: bytes) -> Decision:
    """The decision in a file's bytes. Raises ValueError, which says what is wrong with it."""
    if len(data) > LIMIT:
        raise ValueError(f"more than {LIMIT} bytes")
    value = jsonic.parse(data, LIMIT)
    if not isinstance(value, dict) or jsonic.canonical(value) + b"\n" != data:
        raise ValueError("not one line of canonical JSON")
    if value.get("record") != KIND:
        raise ValueError(f"not a {KIND}")
    if not _NEEDED <= value.keys() <= _NEEDED | _OPTIONAL:
        raise ValueError(f"the members are not those of a {KIND}")
    _check(value)
    return value


def _check(value: Decision) -> None:
    """Every member is of its type, and they belong together. Raises ValueError."""
    texts = [value[name] for name in ("by", "program", "bundle", "expected") if name in value]
    digests = [value[name] for name in ("manifest_digest", "attestations", "keys") if name in value]
    if value["previous"] is not None:
        digests.append(value["previous"])
    whole = (
        all(isinstance(text, str) for text in texts)
        and all(map(is_digest, digests))
        and type(value["number"]) is int
        and type(value["status"]) is int
        and times.is_time(value["at"])
        and (value["finding"] is None or isinstance(value["finding"], str))
        and isinstance(value["passed"], dict)
        and value["passed"].keys() <= set(records.PASSES)
        and all(isinstance(said, bool) for said in value["passed"].values())
    )
    if not whole:
        raise ValueError("a member is not of its type")
    try:
        records.check_shape({"record": records.BUNDLE, "findings": value["findings"]})
    except Fail as fail:
        raise ValueError(str(fail)) from None
    if ("keys" in value) != ("signatures" in value) or ("policies" in value) != ("trust" in value):
        raise ValueError("keys without signatures, or policies without trust, or the other way round")
    if "signatures" in value and not {"manifest_digest", "attestations"} <= value.keys():
        raise ValueError("signatures without the manifest and the attestations that they are in")
    if "trust" in value and "signatures" not in value:
        raise ValueError("trust without signatures")
    if "expected" in value and "trust" not in value:
        raise ValueError("expected without trust")
    if not _are_objects(value.get("signatures", [])) or not _are_objects(value.get("policies", [])):
        raise ValueError("signatures or policies is not an array of objects")
    for policy in value.get("policies", ()):
        if policy.keys() != {"policy", "digest"} or not isinstance(policy["policy"], str) or not is_digest(policy["digest"]):
            raise ValueError("a policy has exactly a name and a digest")
    if "trust" in value:
        trust = value["trust"]
        if not isinstance(trust, dict) or trust.keys() != {"rules", "counted"} or not _are_objects(trust["rules"]):
            raise ValueError("trust has exactly rules and counted")
        if not isinstance(trust["counted"], list) or not all(isinstance(one, str) for one in trust["counted"]):
            raise ValueError("counted is not an array of key ids")


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)
