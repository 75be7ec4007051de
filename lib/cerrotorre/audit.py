"""What `ct audit` finds in a log, and how it is said: a line for each decision, one for the log."""

from collections.abc import Iterator

from cerrotorre import decision, errors
from cerrotorre.auditread import Log
from cerrotorre.errors import Fail, Finding, finding
from cerrotorre.palette import Palette
from cerrotorre.rederive import Again
from cerrotorre.report import fields, json_line, named, one_line
from cerrotorre.text import shown
from cerrotorre.typed import Any

Facts = dict[str, Any]


def walk(log: Log, wanted: str | None) -> Iterator[Facts]:
    """The facts of each decision in order, then those of the log: `log` is in these alone. `wanted` is a digest that must be there."""
    numbers, wrong = log.numbers()
    again = Again(log.object)
    digests: list[tuple[int, str | None]] = [(0, None)]
    found, broken, differing = wanted is None, 0, 0
    statuses = []
    for number, digest, made, findings in log.decisions(numbers):
        if made is not None:
            findings += _again(again, made)
        found = found or digest == wanted
        digests = [digests[-1], (number, digest)]
        status = errors.worst([one["status"] for one in findings])
        statuses.append(status)
        broken, differing = broken + (status not in (0, 6)), differing + (status == 6)
        yield {"number": number, "digest": digest, **_facts(made), "holds": status == 0, "findings": findings}
    wrong += _head(log, digests)
    if not found:
        wrong.append(finding("audit-head", f"no decision has the digest {wanted}", Expected=wanted, Actual=digests[-1][1]))
    yield {
        "log": log.where,
        "decisions": len(numbers),
        "head": digests[-1][1],
        "broken": broken,
        "differing": differing,
        "status": errors.worst([*set(statuses), *(one["status"] for one in wrong)]),
        "findings": wrong,
    }


def _again(again: Again, made: decision.Decision) -> list[Finding]:
    try:
        return again.differences(made)
    except Fail as fail:
        if fail.finding["status"] in (11, 69) or fail.finding["finding"] == "audit-broken":
            return [fail.finding]
        # Whatever a log's manifest, keys or policies are not, it is the log that is not whole.
        return [finding("audit-broken", f"{fail.finding['finding']}: {fail}")]


def _head(log: Log, digests: list[tuple[int, str | None]]) -> list[Finding]:
    """What is wrong with `head`, which names the last decision, or the one before where a keeper was killed."""
    try:
        head = log.head()
    except Fail as fail:
        return [fail.finding]
    if (head or (0, None)) in digests:
        return []
    last = f"{digests[-1][0]} {digests[-1][1]}" if digests[-1][0] else "no decision"
    noted = f"decision {head[0]} {head[1]}" if head else "nothing"
    return [finding("audit-broken", f"head names {noted}, and the last is {last}: the last were removed or altered")]


def _facts(made: decision.Decision | None) -> Facts:
    if made is None:
        return {}
    by = [one for one in made.get("signatures", ()) if one.get("kind") == "bundle-signature"]
    names = ("at", "by", "program", "bundle", "status", "finding", "manifest_digest", "keys", "policies", "expected")
    return {name: made[name] for name in names if name in made} | {
        "signers": [one["key_id"] for one in by if isinstance(one.get("key_id"), str)],
        "counted": made.get("trust", {}).get("counted", []),
    }


def as_json(facts: Facts) -> str:
    return json_line(facts)


def text(facts: Facts, palette: Palette) -> str:
    """A line for a decision and those for what is wrong with it; of the log, the sum."""
    wrong = "".join(f"    {palette.mark('x')} {one_line(one)}\n" for one in facts["findings"])
    if "log" in facts:
        return _sum(facts) + wrong + (fields([("Head", facts["head"])]) if facts["head"] else "")
    mark = palette.mark("ok" if facts["holds"] else "x")
    if "at" not in facts:
        return f"{mark} {facts['number']}\n{wrong}"
    verdict = "valid" if facts["status"] == 0 else f"{facts['finding']} ({facts['status']})"
    columns = [str(facts["number"]), facts["at"], verdict, named(facts["bundle"])]
    if facts["signers"]:
        columns.append("by " + ", ".join(facts["signers"]))
    if facts.get("policies"):
        columns.append("under " + ", ".join(one["policy"] for one in facts["policies"]))
    return f"{mark} {'  '.join(map(shown, columns))}\n{wrong}"


def _sum(facts: Facts) -> str:
    count = facts["decisions"]
    said = [f"{count} decision{'' if count == 1 else 's'}"]
    said.append(f"{facts['broken']} broken" if facts["broken"] else "")
    said.append(f"{facts['differing']} would be decided otherwise" if facts["differing"] else "")
    if facts["status"] == 0 and count:
        said.append("the log is whole, and every verdict comes out again")
    return "; ".join(filter(None, said)) + "\n"
