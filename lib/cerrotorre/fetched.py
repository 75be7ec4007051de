"""What people see of a bundle that was fetched (spec/output.adoc): text and its --json twin."""

from cerrotorre import records, report
from cerrotorre.palette import Palette
from cerrotorre.records import Record
from cerrotorre.text import shown
from cerrotorre.written import image_line

UNASKED = "not verified: nobody was asked about its signatures, whether they are trusted, and what the policy says"


def told(arrived: list[Record], taken: Record | None, options: dict[str, str], out: Palette, err: Palette) -> tuple[str, str]:
    """(what goes to standard output, and to standard error) of the bundles that arrived, of which one may have been `taken`."""
    verified, output, quiet = "no-verify" not in options, options["o"], "q" in options
    good = taken is not None and not records.status_of(taken)
    refusals = [record for record in ([taken] if taken else arrived) if not good]
    warned = unasked(taken, err) if taken and good and not verified else ""
    if "json" in options:
        # Of those that were passed over, too.
        said = "".join(
            as_json(record, "fetched" if good and record is taken else "refused", output, verified=verified)
            for record in arrived
        )
        return said, warned
    if good and taken:
        return "" if quiet else text(taken, output, out, verified=verified), warned
    return "", refused(refusals, err)


def text(record: Record, output: str, palette: Palette, *, verified: bool) -> str:
    """What was fetched, and by whose word."""
    manifest = record["manifest"]
    mark = palette.mark("ok" if verified else "~")
    head = f"{mark} Fetched {report.named(record['bundle'])} {palette.mark('->')} {shown(output)}\n"
    pairs: list[tuple[str, object]] = [
        ("Package", f"{manifest['name']} {manifest['version']}   from {manifest['provenance']['source']}"),
        ("Image", image_line(record)),
    ]
    pairs += report.vouched(record) if verified else [("Signed by", "not asked")]
    return head + report.fields(pairs, least=10) + report.notes(record, palette)


def unasked(record: Record, palette: Palette) -> str:
    """The warning that goes with --no-verify."""
    return palette.paint("x", f"{report.named(record['bundle'])} is {UNASKED}") + "\n"


def refused(arrived: list[Record], palette: Palette) -> str:
    """Why no bundle was taken: of each of them what is wrong with it."""
    return "\n".join(report.refused(record, "Not fetched", palette) for record in arrived)


def as_json(record: Record, action: str, output: str | None, *, verified: bool) -> str:
    """The verdict as an object, with what became of it: `fetched` or `refused`. Where none was asked for there is none."""
    facts = report.verdict_facts(record)
    if not verified and not records.status_of(record):
        facts = {name: facts[name] for name in ("bundle", "package", "source", "manifest_digest", "findings")}
        facts["findings"] = record["findings"]
    return report.json_line({"action": action, "output": output, "verified": verified, **facts})
