"""What people see of a bundle that was pushed (spec/output.adoc): text and its --json twin."""

from cerrotorre import report
from cerrotorre.palette import Palette
from cerrotorre.records import Record
from cerrotorre.text import shown, size
from cerrotorre.typed import Any
from cerrotorre.written import image_line

# What a push says of the place: {"destination": str, "image", "bundle": digest | None, "moved", "there": bytes} and, where there
# is such, "commit": str, "cosign": str.
Result = dict[str, Any]

_MORE = (("commit", "Commit"), ("cosign", "Cosign"))


def text(record: Record, result: Result, palette: Palette) -> str:
    """What was pushed, where to, and how much of it had to be sent."""
    head = f"{palette.mark('ok')} Pushed {report.named(record['bundle'])} {palette.mark('->')} {shown(result['destination'])}\n"
    pairs: list[tuple[str, object]] = [("Image", image_line(record))]
    if result.get("bundle"):
        pairs.append(("Bundle", result["bundle"]))
    pairs += [(title, result[name]) for name, title in _MORE if result.get(name)]
    pairs.append(("Sent", _sent(result["moved"], result["there"])))
    return head + report.fields(pairs, least=10) + report.notes(record, palette)


def _sent(moved: int, there: int) -> str:
    if not moved:
        return f"nothing, all {size(there)} were there"
    return size(moved) + (f", {size(there)} were there" if there else "")


def as_json(record: Record, result: Result) -> str:
    """The same facts as an object: `file` is what was pushed, `bundle` the digest that it has in the registry."""
    manifest = record["manifest"]
    facts = {key: manifest[key] for key in ("name", "version", "image_digest", "provenance")}
    rest = {"manifest_digest": record["manifest_digest"], "findings": record["findings"]}
    return report.json_line({"action": "pushed", "file": record["bundle"], **facts, **rest, **result})
