"""What every record is: its kinds, its shape, and the rules by which tools write into it (spec/records.adoc)."""

from cerrotorre import errors
from cerrotorre.errors import Fail, Finding
from cerrotorre.typed import Any

Record = dict[str, Any]

BUNDLE, ERROR, END = "ct/bundle/1", "ct/error/1", "ct/end/1"
# What a verdict needs, in the order of the checks.
PASSES = ("structure", "signatures", "trust", "policy", "attestations", "content")


def new(bundle: str) -> Record:
    """An empty record of a bundle."""
    return {"record": BUNDLE, "bundle": bundle, "passed": {}, "findings": []}


def add(record: Record, made: Finding) -> None:
    """Append a finding, with the bundle's name first in its context."""
    made["context"] = {"Bundle": record.get("bundle", "?"), **made["context"]}
    record.setdefault("findings", []).append(made)


def status_of(record: Record) -> int:
    made = record["finding"] if record["record"] == ERROR else errors.verdict(record.get("findings", []))
    return made["status"] if made else 0


def check_shape(record: Record) -> None:
    """Findings decide statuses, so they must be findings. Raises Fail record-malformed."""
    findings = record.get("findings", []) if record["record"] == BUNDLE else [record.get("finding")]
    if not isinstance(findings, list) or not isinstance(record.get("passed", {}), dict):
        raise Fail("record-malformed", "findings or passed is not of its type")
    for made in findings:
        if not (
            isinstance(made, dict)
            and type(made.get("status")) is int
            and made["status"] in errors.STATUSES
            and made.get("check") in errors.CHECKS
            and isinstance(made.get("finding"), str)
            and isinstance(made.get("summary"), str)
            and isinstance(made.get("context"), dict)
            and isinstance(made.get("why"), str)
            and isinstance(made.get("try"), list)
            # A finding of the catalogue has the catalogue's status and check: no hand may make a note of a refusal.
            and errors.CATALOGUE.get(made["finding"], (made["status"], made["check"]))[:2] == (made["status"], made["check"])
        ):
            raise Fail("record-malformed", "a finding is not of its shape")


def disown(record: Record, check: str, *members: str) -> None:
    """Drop what an earlier hand wrote into this tool's own members, and its claim that the check was passed."""
    record.setdefault("passed", {}).pop(check, None)
    for member in members:
        record.pop(member, None)


def need(record: Record, *checks: str) -> None:
    """Raise Fail not-passed unless each of these checks has said that the bundle passed it."""
    for check in checks:
        if record.get("passed", {}).get(check) is not True:
            raise Fail("not-passed", f"nothing said that {check} passed", Check=check)


def stopped(record: Record, check: str, *, go_on: bool = False) -> bool:
    """Whether the record is past judging at `check`. Without a good structure nothing else can be judged."""
    return any(errors.stops(made, "structure" if go_on else check) for made in record.get("findings", []))


def judged(record: Record, checks: tuple[str, ...] = PASSES) -> tuple[int, list[Finding]]:
    """(status, findings, the deciding one first) by these checks: valid is something said, so a pass that nobody said is a finding."""
    findings = [made for made in record.get("findings", []) if made["status"]]
    if not findings:
        silent = [check for check in checks if record.get("passed", {}).get(check) is not True]
        if silent:
            findings = [
                errors.finding("not-passed", "nothing said that it passed: " + ", ".join(silent), Bundle=record["bundle"])
            ]
    findings.sort(key=errors.rank)
    return (findings[0]["status"] if findings else 0), findings
