"""What people see of an import (spec/output.adoc): text and its --json twin."""

from cerrotorre import errors, fetched, records, report
from cerrotorre.importing import Import
from cerrotorre.palette import Palette
from cerrotorre.records import Record
from cerrotorre.text import shown
from cerrotorre.typed import Any

# {"archive", "export": digest of ct-export.json, "output", "verified": bool, "signature": {…} | None, "keys": [{…}], "policies": [{…}],
#  "findings": [Finding]}: what is told of the archive itself.
Facts = dict[str, Any]

_KEYS = {
    "known": "new in known/: it names signers, and nothing trusts it",
    "there": "there already",
    "clash": "NOT taken: your store has another key of that id, or this key under another",
}


def text(work: Import, facts: Facts, palette: Palette) -> str:
    """What came out of the archive, by whose word, and what else was in it."""
    came = [name for name, what in work.became.items() if what != "refused"]
    there = sum(what == "there" for what in work.became.values())
    said = ""
    if came:
        plural = "" if len(came) == 1 else "s"
        mark = palette.mark("ok" if facts["verified"] else "~")
        said = f"{mark} Imported {len(came)} bundle{plural} {palette.mark('->')} {shown(facts['output'])}\n"
        said += "".join(_bundle(record, work, palette) for record in work.done if record["bundle"] in came)
    pairs: list[tuple[str, object]] = []
    if there:
        pairs.append(("There", f"{there} of them already, the same"))
    pairs.append(("Export", facts["export"]))
    pairs.append(("Signed by", _signer(facts["signature"])))
    pairs += [("Key", f"{key['key_id']}  {key['fingerprint']}  {_KEYS[key['became']]}") for key in facts["keys"]]
    said += report.fields(pairs, least=10)
    for policy in facts["policies"]:
        lines = policy["sentences"]
        said += f"  Policy {policy['name']}, of whoever made the archive; nothing is done with it:\n"
        said += "".join(
            f"    {shown(line)}\n" for line in (["It is not a policy that can be read."] if lines is None else lines)
        )
    return said


def _bundle(record: Record, work: Import, palette: Palette) -> str:
    manifest = record["manifest"]
    there = "  (there already)" if work.became[record["bundle"]] == "there" else ""
    mark = palette.mark("ok" if record["passed"].get("signatures") else "~")
    return f"  {mark} {shown(record['bundle'])}  {shown(manifest['name'])} {shown(manifest['version'])}{there}\n"


def _signer(signature: Facts | None) -> str:
    """Who signed the archive."""
    if signature is None:
        return "nobody signed the archive"
    if signature["status"] == "unknown":
        return f"nobody you know, who claims to be {signature.get('claimed_key_id', 'nobody')}"
    trusted = "" if signature["trusted"] else ", known by name only"
    return f"{signature['key_id']}  ({signature['suite_id']}{trusted})  {signature['fingerprint']}  {signature['signed_at']}"


def complaints(work: Import, facts: Facts, palette: Palette) -> str:
    """Of each bundle that was not imported why, what is wrong with the archive, and that nobody was asked, if so."""
    refused = [record for record in work.done if work.became[record["bundle"]] == "refused"]
    said = "\n".join(
        [
            *(report.refused(record, "Not imported", palette) for record in refused),
            *(report.finding(made, "Archive", palette) for made in facts["findings"]),
        ]
    )
    if not facts["verified"] and len(refused) < len(work.done):
        warned = f"what was imported is {fetched.UNASKED}"
        said += ("\n" if said else "") + palette.paint("x", warned) + "\n"
    return said


def as_json(work: Import, facts: Facts) -> str:
    """An object for each bundle, then one for the archive."""
    said = ""
    for record in work.done:
        became = work.became[record["bundle"]]
        output = None if became == "refused" else f"{facts['output']}/{record['bundle']}"
        said += fetched.as_json(record, became, output, verified=facts["verified"])
    return said + report.json_line({"action": "export", **facts})


def status(work: Import, facts: Facts) -> int:
    """The exit status: that of the worst."""
    return errors.worst([*map(records.status_of, work.done), *(made["status"] for made in facts["findings"])])
