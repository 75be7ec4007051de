"""One bundle before one policy: the facts, and the rules and findings so far."""

from cerrotorre import counted, errors, reference
from cerrotorre.counted import Policy, Signature
from cerrotorre.errors import Fail, Finding
from cerrotorre.typed import Any

Rule = dict[str, Any]


class Case:
    """`name` is the policy's, "" without one; `now` is YYYY-MM-DDTHH:MM:SSZ. `counted` is what `signers.judge` finds."""

    def __init__(self, name: str, policy: Policy, record: dict[str, Any], now: str) -> None:
        self.name, self.policy, self.now = name, policy, now
        self.manifest = record["manifest"]
        self.manifest_digest = record["manifest_digest"]
        self.statements = record.get("signatures", [])
        self.signatures = counted.bundle_signatures(self.statements)
        self.counted: list[Signature] = []
        self.rules: list[Rule] = []
        self.findings: list[Finding] = []

    def rule(self, rule: str, passed: bool, why: str, matched: str | None = None) -> None:
        """One rule that applied; `matched` is the pattern or value that made it pass."""
        line = {"rule": rule, "status": "pass" if passed else "fail", "why": why, "policy": self.name}
        line |= {"matched": matched} if matched else {}
        # Two signatures by one key are one line.
        if line not in self.rules:
            self.rules.append(line)

    def refuse(self, slug: str, why: str, rule: str, **context: Any) -> None:
        """A rule that failed, and its finding."""
        self.rule(rule, False, why)
        self.findings.append(errors.finding(slug, why, **context, Policy=self.name or None, Rule=rule))


def source_of(manifest: dict[str, Any]) -> str | None:
    """The reference the image was fetched from, in its one spelling; None for a local source, or one that contradicts its `registry`.

    Runtimes are given the source as it is written: a spelling that is read as another here would not be the name they see.
    """
    provenance = manifest.get("provenance", {})
    # "names inside a local archive prove nothing": what has no `registry` was not fetched from one.
    if "registry" not in provenance:
        return None
    try:
        parsed = reference.parse(provenance.get("source", ""))
    except Fail:
        return None
    # A digest in the source is what was fetched: the image, or the index it was taken from.
    if parsed["digest"] not in (None, manifest.get("image_digest"), provenance.get("index_digest")):
        return None
    spelled = reference.spell(parsed)
    return spelled if (spelled, parsed["host"]) == (provenance["source"], provenance["registry"]) else None
