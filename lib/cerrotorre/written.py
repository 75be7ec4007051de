"""What people see of a bundle that was packed or signed (spec/output.adoc): text and its --json twin."""

from cerrotorre import attest, dsse, predicate, recorded, report, statement
from cerrotorre.palette import Palette
from cerrotorre.report import Record
from cerrotorre.text import shown, size


def claimed_signers(record: Record) -> list[Record]:
    """The predicates of the bundle signatures in a record's envelopes: what has just been written, not what was checked."""
    found = []
    for number, entry in enumerate(record.get("attestations", []), 1):
        if "envelope" in entry:
            said = statement.claimed(dsse.parse_line(entry["envelope"].encode(), number)[1])
            if said and said["predicateType"] == statement.BUNDLE_SIGNATURE and isinstance(said.get("predicate"), dict):
                found.append(said["predicate"])
    return found


def attached(record: Record) -> list[Record]:
    """{predicate_type, schema, about} of each SBOM and provenance in a record's envelopes: as claimed as the signers are.

    To be asked before the bundle is written: the file in which an envelope lies may be the one that is replaced.
    """
    found = []
    if any("envelope" not in entry for entry in record.get("attestations", [])) or len(record.get("attestations", [])) > 1:
        for kind, _, envelope in recorded.attestations(record):
            said = statement.claimed(envelope) if kind == "envelope" else None
            if said and predicate.kind_of(said["predicateType"]):
                found.append({"predicate_type": said["predicateType"], **attest.describe(said)})
    return found


def text(record: Record, output: str, word: str, palette: Palette, attached: list[Record]) -> str:
    """What was packed or signed; `attached` is what the function of that name found."""
    manifest, image = record["manifest"], record["manifest"]["image"]
    layers = [entry for entry in record["content"] if entry["role"] == "layer"]
    count = len(image.get("layers", layers))
    total = size(sum(entry["size"] for entry in layers))
    where = ", ".join(image["platforms"]) or "no platform"
    plural = "" if count == 1 else "s"
    arrow = palette.mark("->")
    head = f"{palette.mark('ok')} {word.capitalize()} {shown(manifest['name'])}:{shown(manifest['version'])} {arrow} {shown(output)}\n"
    pairs = [
        ("Image", f"{manifest['image_digest']}  ({count} layer{plural}, {total}, {where})"),
        ("Manifest", record["manifest_digest"]),
    ]
    signers = claimed_signers(record)
    pairs += [("Signed by", f"{one.get('key_id')}  ({one.get('suite_id')})  {one.get('fingerprint')}") for one in signers]
    for one in attached:
        kind = str(predicate.kind_of(one["predicate_type"]))
        pairs.append(
            (predicate.TITLES[kind], predicate.said(kind, one["about"]) if "about" in one else "not valid by its schema")
        )
    return (
        head + report.fields(pairs + ([] if signers else [("Signed by", "nobody")]), least=10) + report.notes(record, palette)
    )


def as_json(record: Record, output: str, word: str, attached: list[Record]) -> str:
    """The same facts as an object."""
    manifest = record["manifest"]
    facts = {key: manifest[key] for key in ("name", "version", "image_digest", "image", "provenance")}
    signers = [
        {key: one.get(key) for key in ("key_id", "suite_id", "fingerprint", "signed_at")} for one in claimed_signers(record)
    ]
    rest = {
        "manifest_digest": record["manifest_digest"],
        "signatures": signers,
        "attestations": attached,
        "findings": record["findings"],
    }
    return report.json_line({"action": word, "output": output, **facts, **rest})
