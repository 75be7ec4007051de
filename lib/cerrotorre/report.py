"""What people see of a verdict (spec/output.adoc): text and its --json twin."""

from cerrotorre import errors, jsonic
from cerrotorre.errors import Finding
from cerrotorre.palette import Palette
from cerrotorre.records import PASSES, Record, judged
from cerrotorre.text import hidden, shown, with_names
from cerrotorre.typed import Any

# What a proposed command is for, where the command does not say it.
_PURPOSES = {
    "ct explain FILE --signers": "To see who signed",
    "ct policy add-signer --policy POLICY SIGNER": "If its owner confirms the fingerprint to you by another way",
    "ct key trust SIGNER": "If its owner confirms the fingerprint to you by another way",
    "ct key import KEY.pub --trust": "If you have a signer's key by a way you trust",
    "ct keygen": "To make a key",
    "ct key default ID": "To sign with one that is there",
    "ct key list": "To see your keys",
}


def named(bundle: str) -> str:
    """The bundle's name as people read it."""
    return "standard input" if bundle == "-" else shown(bundle)


def fields(pairs: list[tuple[str, object]], indent: str = "  ", least: int = 0) -> str:
    """Aligned `Name: value` lines, the values shown safely."""
    width = max([least, *(len(name) + 1 for name, _ in pairs)])
    return "".join(f"{indent}{name + ':':<{width}}  {shown(str(value))}\n" for name, value in pairs)


def json_line(value: Any) -> str:
    """One JSON object a line; what a terminal could mistake for control is escaped, losing nothing."""
    text = jsonic.dump(value)
    return text.translate({ord(char): _json_escape(char) for char in set(text) if hidden(char)}) + "\n"


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def finding(made: Finding, title: str, palette: Palette) -> str:
    """A finding in full: what failed, with what, why, and what to type next."""
    head = f"{palette.mark('x')} {title}: {shown(made['summary'])}\n"
    pairs = [(name, named(value) if name == "Bundle" else value) for name, value in made["context"].items() if value != ""]
    if made.get("detail"):
        pairs.append(("Detail", made["detail"]))
    body = f"\n{fields(pairs, least=12)}" if pairs else ""
    why = f"\n  {shown(made['why'])}\n" if made["why"] else ""
    return head + body + why + _next(made)


def _next(made: Finding) -> str:
    lines = []
    for command in made["try"]:
        typed = with_names(command, made["context"])
        purpose = _PURPOSES.get(command, "Try")
        lines.append(
            f"  {purpose + ':':<30} {shown(typed)}\n" if len(purpose) < 30 else f"  {purpose}:\n{'':<33}{shown(typed)}\n"
        )
    return "\n" + "".join(lines) if lines else ""


def told(record: Record, palette: Palette, *, as_json: bool, brief: bool, verbose: bool) -> tuple[int, str]:
    """(status, text) of the verdict on a bundle; `brief` in a line, `verbose` with every rule."""
    status, _ = judged(record)
    if as_json:
        return status, verdict_json(record)
    return status, verdict_line(record, palette) if brief else verdict(record, palette, verbose)


def verdict(record: Record, palette: Palette, verbose: bool) -> str:
    """The verdict on one bundle, in full."""
    _, findings = judged(record)
    if findings:
        return (
            refused(record, "Verification failed", palette, findings)
            + (rules(record, palette) if verbose else "")
            + notes(record, palette)
            + fields(_place(record))
        )
    manifest = record["manifest"]
    pairs: list[tuple[str, object]] = [
        ("Package", f"{manifest['name']} {manifest['version']}   from {manifest['provenance']['source']}"),
    ]
    pairs += vouched(record)
    head = f"{palette.mark('ok')} {named(record['bundle'])} is valid\n"
    return head + fields(pairs, least=10) + (rules(record, palette) if verbose else "") + notes(record, palette)


def vouched(record: Record) -> list[tuple[str, object]]:
    """Whose word a valid bundle has: its signers, the policy, and where the decision was kept."""
    signers: list[tuple[str, object]] = [("Signed by", f"{made['key_id']}  {made['signed_at']}") for made in _signers(record)]
    return [*signers, ("Policy", _policy(record)), *_place(record)]


def refused(record: Record, title: str, palette: Palette, findings: list[Finding] | None = None) -> str:
    """Why not: the deciding finding in full, a line for each of the others."""
    first, *others = findings or sorted((made for made in record["findings"] if made["status"]), key=errors.rank)
    text = finding(first, title, palette)
    if others:
        text += "\n  Also:\n" + "".join(f"    {palette.mark('x')} {one_line(made)}\n" for made in others)
    return text


def unverified(record: Record, palette: Palette) -> str:
    """What is said where nobody was asked about signatures, trust and policy."""
    said = f"{named(record['bundle'])} is not verified: nobody was asked about signatures, trust and policy (--no-verify)"
    return f"{palette.mark('x')} {palette.paint('x', said)}\n"


def one_line(made: Finding) -> str:
    """A finding in a line: its summary, its slug and what it is about."""
    about = made.get("detail") or next((str(value) for name, value in made["context"].items() if name != "Bundle"), "")
    return f"{made['summary']} ({made['finding']})" + (f": {shown(about)}" if about else "")


def _signers(record: Record) -> list[Record]:
    """The signatures that count under every policy."""
    made, counted = record.get("signatures", []), record["trust"]["counted"]
    return [one for one in made if one["kind"] == "bundle-signature" and one["status"] == "valid" and one["key_id"] in counted]


def _place(record: Record) -> list[tuple[str, object]]:
    """Where the decision was kept, if it was."""
    kept = record.get("recorded")
    return [("Recorded", f"{kept['number']}  {kept['digest']}")] if kept else []


def _policy(record: Record) -> str:
    trust = record.get("trust", {})
    passed = sum(rule["status"] == "pass" for rule in trust.get("rules", []))
    names = ", ".join(trust.get("policies", []))
    return f"{names}  ({passed} rule{'' if passed == 1 else 's'} passed)" if names else "none; keys in your store count"


def rules(record: Record, palette: Palette) -> str:
    lines = [
        f"    {palette.mark('ok' if r['status'] == 'pass' else 'x')} {r['rule']}: {shown(r['why'])}\n"
        for r in record.get("trust", {}).get("rules", [])
    ]
    return "  Rules, at " + str(record["trust"].get("at", "?")) + ":\n" + "".join(lines) if lines else ""


def notes(record: Record, palette: Palette) -> str:
    """Findings that decide nothing."""
    return "".join(f"  {palette.mark('~')} {one_line(made)}\n" for made in record.get("findings", []) if not made["status"])


def verdict_line(record: Record, palette: Palette) -> str:
    """The verdict on one of several bundles, in a line."""
    _, findings = judged(record)
    if findings:
        return f"{palette.mark('x')} {named(record['bundle'])}  {one_line(findings[0])}\n"
    manifest = record["manifest"]
    return f"{palette.mark('ok')} {named(record['bundle'])}  {manifest['name']} {manifest['version']}\n"


def verdict_json(record: Record) -> str:
    """The verdict as an object: bundle, valid, status, finding, checks, signatures, findings, and whose rules said so."""
    return json_line(verdict_facts(record))


def verdict_facts(record: Record) -> dict[str, Any]:
    """What the verdict as JSON says."""
    status, findings = judged(record)
    manifest = record.get("manifest") or {}
    passed = record.get("passed", {})
    return {
        "bundle": record["bundle"],
        "valid": status == 0,
        "status": status,
        "finding": findings[0]["finding"] if findings else None,
        "package": {key: manifest.get(key) for key in ("name", "version", "image_digest")},
        "source": manifest.get("provenance", {}).get("source"),
        "manifest_digest": record.get("manifest_digest"),
        "checks": [{"check": check, "passed": passed.get(check)} for check in PASSES],
        "signatures": record.get("signatures", []),
        "trust": record.get("trust", {"policies": [], "rules": []}),
        "recorded": record.get("recorded"),
        "findings": findings + [made for made in record.get("findings", []) if not made["status"]],
    }
