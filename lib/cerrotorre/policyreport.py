"""What `ct policy` shows: the policies that apply, what is wrong with one, and how one would decide about a bundle."""

from cerrotorre import errors, policyplaces, policysay, report
from cerrotorre.errors import Finding
from cerrotorre.palette import Palette
from cerrotorre.policyread import Policy
from cerrotorre.records import PASSES, Record, judged
from cerrotorre.text import shown, with_names
from cerrotorre.typed import Any

# What a policy decides by; the content is hashed by `ct verify` alone.
_DECIDED = tuple(check for check in PASSES if check != "content")


def rules(name: str, policy: Policy) -> str:
    """A policy in sentences, below its name."""
    return f"{shown(name)}\n" + "".join(f"  * {shown(said)}\n" for said in policysay.sentences(policy))


def document(name: str, policy: Policy) -> str:
    """The same as JSON: the document as it is."""
    return report.json_line({"policy": name, "document": policy})


def problem(path: str, found: dict[str, Any], as_json: bool) -> str:
    """What is wrong with a policy's text, or doubtful, in a line."""
    return report.json_line({"policy": path, **found}) if as_json else shown(policyplaces.line(path, found)) + "\n"


def decided(record: Record) -> tuple[int, list[Finding]]:
    """(status, findings, the deciding one first) of what policies decide by; what nobody said passed is a finding."""
    return judged(record, _DECIDED)


def told(record: Record, palette: Palette, *, as_json: bool) -> tuple[int, str]:
    """(status, text) of how the policies would decide about a bundle."""
    return decided(record)[0], trial_json(record) if as_json else trial(record, palette)


def trial(record: Record, palette: Palette) -> str:
    """How the policies would decide about a bundle, rule by rule. Never `valid`: its content was not looked at."""
    status, findings = decided(record)
    if any(errors.stops(made, "structure") for made in findings):
        return report.refused(record, "No policy was asked", palette, findings)
    name, trust = report.named(record["bundle"]), record.get("trust", {})
    whose = shown(", ".join(trust.get("policies", []))) or "No policy: the keys in your store"
    if status:
        head = f"{palette.mark('x')} {name} would be refused: {shown(findings[0]['summary'])} (status {status})\n"
    else:
        head = f"{palette.mark('~')} {name} would be admitted, if its content is whole; that was not checked\n"
    pairs: list[tuple[str, object]] = []
    if manifest := record.get("manifest"):
        pairs.append(("Package", f"{manifest['name']} {manifest['version']}   from {manifest['provenance']['source']}"))
    pairs.append(("Counted", ", ".join(trust.get("counted", [])) or "no signature"))
    pairs.append(("Policies", whose))
    pairs.append(("Judged at", trust.get("at", "?")))
    told = [_rule(rule, palette) for rule in trust.get("rules", [])]
    rules_said = [made["context"].get("Rule") for made in findings]
    failed = {rule["rule"] for rule in trust.get("rules", []) if rule["status"] == "fail"}
    more = [
        f"    {palette.mark('x')} {report.one_line(made)}\n"
        for made, rule in zip(findings, rules_said, strict=True)
        if rule not in failed
    ]
    body = "".join(told + more)
    command = with_names(
        "ct verify --policy POLICY FILE", {"Bundle": record["bundle"], "Policy": (trust.get("policies") or ["policy.json"])[0]}
    )
    last = f"  Content was not hashed. To judge it too:  {shown(command)}\n"
    return head + report.fields(pairs, least=10) + ("  Rules:\n" + body if body else "") + report.notes(record, palette) + last


def _rule(rule: dict[str, Any], palette: Palette) -> str:
    where = f"{rule['policy']}: " if rule.get("policy") else ""
    return f"    {palette.mark('ok' if rule['status'] == 'pass' else 'x')} {shown(where)}{shown(rule['rule'])}: {shown(rule['why'])}\n"


def trial_json(record: Record) -> str:
    """The same facts as an object. It has no member `valid`, and says that the content was not checked."""
    status, findings = decided(record)
    manifest = record.get("manifest") or {}
    passed = record.get("passed", {})
    return report.json_line(
        {
            "bundle": record["bundle"],
            "admitted": status == 0,
            "status": status,
            "finding": findings[0]["finding"] if findings else None,
            "content_checked": False,
            "package": {key: manifest.get(key) for key in ("name", "version", "image_digest")},
            "checks": [{"check": check, "passed": passed.get(check)} for check in _DECIDED],
            "trust": record.get("trust", {"policies": [], "rules": []}),
            "findings": findings + [made for made in record.get("findings", []) if not made["status"]],
        }
    )
