"""What of a bundle is passed on to Svalinn: the statements that count, and entries of logs about them (spec/svalinn-integration.adoc)."""

from cerrotorre import b64, counted, foreign, gaterequest, loginclusion, predicate, recorded
from cerrotorre.case import source_of
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail
from cerrotorre.records import Record
from cerrotorre.typed import Any

# (its type, its payload as it is sent, the digest of its line)
Statement = tuple[str, bytes, str]


def look(
    record: Record, manifest: dict[str, Any], policies: list[counted.Policy], logs: dict[str, loginclusion.Log]
) -> tuple[list[Statement], list[dict[str, Any]]]:
    """(the statements of a judged record that are passed on, the log entries about them). Raises Fail log-entries-missing."""
    wanted = {
        one["line"]
        for one in counted.statements(record["signatures"])
        if _counts(one, manifest, policies, record["trust"]["at"])
    }
    found: dict[bytes, Statement] = {}
    own: dict[str, bytes] = {}
    evidence = []
    for kind, line, value in recorded.attestations(record):
        if kind == "envelope" and sha256(line) in wanted:
            payload = value["payload"]
            name, sent = gaterequest.passed_on(payload, manifest)
            found.setdefault(sent, (name, sent, sha256(line)))
            if sent == payload:
                own[sha256(line)] = payload
        elif kind == "evidence" and foreign.BUNDLE.fullmatch(value["evidence"]) and isinstance(value.get("document"), str):
            evidence.append((value["envelope"], value["document"]))
    # One entry may be proved to be in several states of its log, and is one.
    entries: dict[tuple[str, int], dict[str, Any]] = {}
    reasons = []
    for about, document in evidence:
        if about in own:
            more, why = loginclusion.entries(_document(document), own[about], logs)
            for one in more:
                entries.setdefault((one["logId"], one["logIndex"]), one)
            reasons += why
    made = list(entries.values())
    _need_entries(made, logs, reasons, bool(own))
    return list(found.values()), made


def _counts(one: counted.Signature, manifest: dict[str, Any], policies: list[counted.Policy], at: str) -> bool:
    if one.get("schema") != "valid" or predicate.kind_of(one.get("predicate_type")) is None or "line" not in one:
        return False
    return not any(counted.about(one, policy, source_of(manifest), at) for policy in policies or [{}])


def _document(document: str) -> bytes:
    try:
        return b64.decode(document)
    except ValueError:
        return b""


def _need_entries(made: list[dict[str, Any]], logs: dict[str, loginclusion.Log], reasons: list[str], any_passed: bool) -> None:
    operators, quorum = len({one["logId"] for one in made}), gaterequest.quorum(logs)
    if len(made) >= gaterequest.LEAST_ENTRIES and operators >= quorum:
        return
    why, tries = list(dict.fromkeys(reasons))[:5], ["ct explain FILE"]
    if not any_passed:
        why.append("the bundle has no SLSA provenance or SPDX document that counts and is passed on as it is")
    elif not logs:
        why.append("[svalinn] logs in config.toml names no log")
        tries.append("ct config set svalinn.logs logs.json")
    elif not reasons:
        why.append(f"the bundle has no {'more ' if made else ''}evidence of entries")
    expected, actual = _amount(gaterequest.LEAST_ENTRIES, quorum), _amount(len(made), operators)
    raise Fail("log-entries-missing", "; ".join(why), Expected=expected, Actual=actual).proposing(*tries)


def _amount(entries: int, logs: int) -> str:
    return f"{entries} {'entry' if entries == 1 else 'entries'}, of {logs} log{'' if logs == 1 else 's'}"
