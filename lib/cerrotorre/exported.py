"""What people see of an archive that was made (spec/output.adoc): text and its --json twin."""

from cerrotorre import report
from cerrotorre.palette import Palette
from cerrotorre.text import shown, size
from cerrotorre.typed import Any

# {"output", "export": digest of ct-export.json, "bundles": [{"bundle", "file", "name", …}], "parts": [{"file", "size"}], "bytes": of all
#  parts, "together": of the bundles as they are, "files": [names], "signature": {…} | None}
Result = dict[str, Any]


def text(result: Result, palette: Palette) -> str:
    """What went where, and what besides bundles."""
    count = len(result["bundles"])
    head = f"{palette.mark('ok')} Exported {count} bundle{'' if count == 1 else 's'} {palette.mark('->')} {shown(result['output'])}\n"
    pairs: list[tuple[str, object]] = [("Size", f"{size(result['bytes'])}, of bundles of {size(result['together'])}")]
    parts = result["parts"]
    if len(parts) > 1 or parts[0]["file"] != result["output"]:
        last = f" to {parts[-1]['file']}" if len(parts) > 1 else ""
        pairs.append(("Parts", f"{len(parts)}, {parts[0]['file']}{last}"))
    if keys := [name[5:-4] for name in result["files"] if name.startswith("keys/")]:
        pairs.append(("Keys", ", ".join(keys)))
    if policies := [name[7:] for name in result["files"] if name.startswith("policy/")]:
        pairs.append(("Policy", ", ".join(policies)))
    if made := result["signature"]:
        pairs.append(("Signed by", f"{made['key_id']}  ({made['suite_id']})  {made['fingerprint']}"))
    pairs.append(("Contents", result["export"]))
    # What holds for many bundles, as that a key soon expires, is said once.
    notes = {report.one_line(made): made for bundle in result["bundles"] for made in bundle["findings"]}
    return head + report.fields(pairs, least=10) + report.notes({"findings": [*notes.values()]}, palette)


def as_json(result: Result) -> str:
    """The same facts as an object."""
    return report.json_line({"action": "exported", **result})
