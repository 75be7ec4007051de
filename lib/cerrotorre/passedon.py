"""What of a bundle is passed on to Svalinn: the statements that count, and entries of logs about them (spec/svalinn-integration.adoc)."""

from cerrotorre import b64, counted, foreign, gaterequest, jsonic, loginclusion, predicate, recorded
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
    entries: dict[bytes, dict[str, Any]] = {}
    reasons = []
    for about, document in evidence:
        if about in own:
            more, why = loginclusion.entries(_document(document), own[about], logs)
            entries |= {jsonic.canonical(one): one for one in more}
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
    why = reasons[:5]
    if not any_passed:
        why.append("the bundle has no SLSA provenance or SPDX document that counts and is passed on as it is")
    elif not logs:
        why.append("[svalinn] logs in config.toml names no log")
    elif not reasons:
        why.append("no evidence of one is in the bundle")
    raise Fail(
        "log-entries-missing",
        f"{len(made)} of {operators} log{'' if operators == 1 else 's'}: {'; '.join(why)}",
        Expected=f"{gaterequest.LEAST_ENTRIES} entries, of {quorum} log{'' if quorum == 1 else 's'}",
        Actual=f"{len(made)} entries, of {operators}",
    ).proposing("ct explain FILE", "ct run --runtime=podman FILE")
