"""Which of the bundles that arrived is written: each was judged, and exactly one must pass (spec/moving.adoc, "What a fetch promises")."""

from collections.abc import Callable

from cerrotorre import errors, origin, records, writing
from cerrotorre.errors import Fail, finding
from cerrotorre.records import ERROR, Record
from cerrotorre.typed import Any

VERIFIED = ("structure", "signatures", "trust", "policy", "attestations")
# Nobody's word on signatures, trust and policy is asked for: --no-verify.
WHOLE = ("structure",)
# Of such a status a bundle is not refused: it could not be judged (spec/verdicts.adoc).
_UNJUDGED = (70, 130, 69, 64, 13, 12, 11)


def choose(arrived: list[Record], checks: tuple[str, ...]) -> Record | None:
    """The one record that passed these checks, None if none may be taken: then at least one has a finding that says why.

    One that could not be judged might have passed, so it keeps another from being the only one. Raises Fail of an error record,
    and pipeline-broken if nothing arrived.
    """
    for record in arrived:
        if record["record"] == ERROR:
            fail = Fail("internal")
            fail.finding = record["finding"]
            raise fail
        records.disown(record, "content")
    if not arrived:
        raise Fail("pipeline-broken", "no bundle arrived")
    passed = [record for record in arrived if _passed(record, checks)]
    unjudged = [record for record in arrived if records.status_of(record) in _UNJUDGED]
    if len(passed) > 1 or (passed and unjudged):
        why = f"{len(passed)} of {len(arrived)} pass" + (f", and {len(unjudged)} could not be judged" if unjudged else "")
        which = ", ".join(_told_apart(record) for record in [*passed, *unjudged])
        for record in passed:
            made = finding("bundle-ambiguous", why, Which=which)
            records.add(record, {**made, "try": [_fetch_one(record)]})
        return None
    return passed[0] if passed else None


def _passed(record: Record, checks: tuple[str, ...]) -> bool:
    """Whether nothing speaks against it, and each of the checks has spoken for it; what was asked for was asked about, too."""
    if records.status_of(record):
        return False
    try:
        records.need(record, *checks)
        if "policy" in checks and "expected" in record and "expected" not in record.get("trust", {}):
            raise Fail("not-passed", f"nobody asked whether it is {record['expected']}", Check="policy")
    except Fail as fail:
        records.add(record, fail.finding)
        return False
    return True


def _told_apart(record: Record) -> str:
    """What tells a record from the others: the digest that follows its name."""
    return str(record["bundle"]).rpartition("(")[2].removesuffix(")")


def _fetch_one(record: Record) -> str:
    name, _, _ = str(record["bundle"]).rpartition(" (")
    return f"ct fetch --bundle {_told_apart(record)} {name} -o NEW.ctp"


def write(
    record: Record,
    output: str,
    keep: Callable[[Record], None] | None,
    *,
    quiet: bool,
    events: Callable[[dict[str, Any]], object] | None = None,
) -> None:
    """Write the bundle of the record that was chosen. What is wrong with its content is a finding of it.

    `keep` is told of the decision once the content is known to be what it should be, before the file gets its name; what it
    cannot keep gets none.
    """

    def approve() -> bool:
        record["passed"]["content"] = True
        if keep:
            keep(record)
        return not records.status_of(record)

    try:
        wrong = writing.write(record, output, quiet=quiet, events=events, approve=approve)
    except Fail as fail:
        if fail.finding["finding"] in ("network", "blob-unreachable"):
            # It may be that some are not there any more: then all of these are named.
            try:
                origin.must_have(record["content"])
            except Fail as lost:
                # The first failure says what was kept.
                if lost.finding["finding"] != "network":
                    raise
        raise
    for made in wrong:
        records.add(record, made)


def decide(arrived: list[Record], keep: Callable[[Record], None] | None) -> None:
    """Keep the decisions that `write` did not keep: those on what was not written."""
    for record in arrived:
        if keep and "content" not in record["passed"]:
            keep(record)


def status(arrived: list[Record], taken: Record | None) -> int:
    """The exit status: of the one that was taken, else the worst of all."""
    return errors.worst([records.status_of(record) for record in ([taken] if taken else arrived)])
