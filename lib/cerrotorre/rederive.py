"""Making a recorded decision again (spec/audit.adoc, "Deciding again"): real envelopes under recorded keys and policies, at the recorded time."""

from collections.abc import Callable

from cerrotorre import (
    VERSION,
    attest,
    canonread,
    errors,
    expect,
    jsonic,
    keyset,
    manifest,
    policy,
    policyread,
    recorded,
    records,
    signatures,
)
from cerrotorre.decision import Decision
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail, Finding, finding
from cerrotorre.records import Record
from cerrotorre.typed import Any

# The checks whose findings come out again.
_DERIVED = ("signatures", "trust", "policy", "attestations")
# What decides of a signature, a rule, a finding; the rest are words and facts about it.
_DECIDES = {
    "signatures": ("kind", "status", "fingerprint"),
    "rules": ("rule", "status", "policy"),
    "findings": ("finding", "status", "check"),
}

# Bytes of a digest, at most so many.
Objects = Callable[[str, int], bytes]


class Again:
    """`Again(log.object).differences(decision)` of one decision after the other; keys and policies are read once."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._known: dict[tuple[str, str], Any] = {}

    def differences(self, made: Decision) -> list[Finding]:
        """What does not come out as it was recorded: audit-differs. Raises Fail for what keeps it from being derived."""
        return _compared(made, self._derive(made))

    def _derive(self, made: Decision) -> Record:
        """The record as it would be judged now, with `findings` and `passed` complete."""
        record: Record = records.new(made["bundle"])
        record["passed"] = {check: said for check, said in made["passed"].items() if check not in _DERIVED}
        if "manifest_digest" in made:
            canonical = self._objects(made["manifest_digest"], manifest.MAX_MANIFEST)
            record["manifest_digest"] = made["manifest_digest"]
        if "attestations" in made:
            record["attestations"] = _lines(self._objects(made["attestations"], manifest.MAX_ATTESTATIONS))
        if "signatures" in made:
            record["manifest"] = canonread.read(canonical)
            manifest.check(record["manifest"])
            self._signatures(made, record)
        if "trust" in made:
            self._trust(made, record)
        record["findings"] += [one for one in made["findings"] if not _is_derived(one)]
        return record

    def _signatures(self, made: Decision, record: Record) -> None:
        keys = self._once("keys", made["keys"], keyset.LIMIT, keyset.read)
        envelopes, others = recorded.envelopes(record)
        record["signatures"], wrong = signatures.judge(
            envelopes, others, record["manifest"], record["manifest_digest"], keys, attest.describe
        )
        self._judged(record, wrong, {"signatures": not wrong})

    def _trust(self, made: Decision, record: Record) -> None:
        policies = [
            (one["policy"], self._once("policy", one["digest"], policyread.MAX_POLICY, lambda data: policyread.read(data, "")))
            for one in made["policies"]
        ]
        if "expected" in made:
            expect.check(made["expected"])
        judged = policy.judge(policies, record, made["at"], made.get("expected"))
        record["trust"] = {part: judged[part] for part in ("rules", "counted")}
        self._judged(record, judged["findings"], judged["passed"])

    @staticmethod
    def _judged(record: Record, wrong: list[Finding], passed: dict[str, bool]) -> None:
        record["passed"].update(passed)
        for one in wrong:
            records.add(record, dict(one))

    def _once(self, kind: str, digest: str, limit: int, read: Callable[[bytes], Any]) -> Any:
        if (kind, digest) not in self._known:
            # Few at a time: a store and its policies seldom change.
            if len(self._known) > 8:
                self._known.clear()
            self._known[kind, digest] = read(self._objects(digest, limit))
        return self._known[kind, digest]


def _is_derived(made: Finding) -> bool:
    return made["status"] != 0 and made["check"] in _DERIVED and made["finding"] in errors.CATALOGUE


def _lines(data: bytes) -> list[dict[str, str]]:
    if data and not data.endswith(b"\n"):
        raise Fail("attestations-malformed", "the last line has no LF")
    try:
        return [{"envelope": line.decode()} for line in data[:-1].split(b"\n")] if data else []
    except UnicodeDecodeError as error:
        raise Fail("attestations-malformed", str(error)) from None


def _compared(made: Decision, record: Record) -> list[Finding]:
    status, findings = records.judged(record)
    again = {
        "status": status,
        "finding": findings[0]["finding"] if findings else None,
        "passed": record["passed"],
        "signatures": record.get("signatures"),
        "rules": record.get("trust", {}).get("rules"),
        "counted": record.get("trust", {}).get("counted"),
        "findings": [one for one in record["findings"] if _is_derived(one)],
    }
    was = {
        **{name: made.get(name) for name in ("status", "finding", "passed", "signatures")},
        **{name: made.get("trust", {}).get(name) for name in ("rules", "counted")},
        "findings": [one for one in made["findings"] if _is_derived(one)],
    }
    exact = made["program"] == VERSION
    return [
        finding("audit-differs", f"{name}: recorded {_said(was[name], now)}, derived {_said(now, was[name])}")
        for name, now in again.items()
        if not jsonic.same(_decisive(name, was[name], exact), _decisive(name, now, exact))
    ]


def _decisive(name: str, value: Any, exact: bool) -> Any:
    if exact or name not in _DECIDES or not isinstance(value, list):
        return value
    return [[one.get(member) for member in _DECIDES[name]] for one in value]


def _said(value: Any, other: Any) -> str:
    """A value in a message: of two arrays as long as each other, the first element that differs."""
    if isinstance(value, list) and isinstance(other, list) and len(value) == len(other):
        value = next((one for one, its in zip(value, other, strict=True) if not jsonic.same(one, its)), value)
    text = jsonic.dump(value)
    return text if len(text) <= 300 else f"{text[:300]}… ({sha256(text.encode())})"
