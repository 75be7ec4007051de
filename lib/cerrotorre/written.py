"""What people see of a bundle that was packed or signed (spec/output.adoc): text and its --json twin."""

from cerrotorre import attest, dsse, predicate, recorded, report, statement
from cerrotorre.palette import Palette
from cerrotorre.records import Record
from cerrotorre.text import shown, size

LEFT_BEHIND = "attachment-left-behind"


def claimed_signers(record: Record) -> list[Record]:
    """The predicates of the bundle signatures in a record's envelopes: what has just been written, not what was checked."""
    found = []
    for number, entry in enumerate(record.get("attestations", []), 1):
        if "envelope" in entry:
            said = statement.claimed(dsse.parse_line(entry["envelope"].encode(), number)[1])
            if said and said["predicateType"] == statement.BUNDLE_SIGNATURE and isinstance(said.get("predicate"), dict):
                found.append(said["predicate"])
    return found


def documents(record: Record) -> list[Record]:
    """{predicate_type, schema, about} of each SBOM and provenance that was signed just now: the last lines, all by the key of the
    very last. What others attached to the image is none of them: what it says is theirs to say, and nothing here checks who.

    To be asked before the bundle is written: the file in which an envelope lies may be the one that is replaced.
    """
    found: list[Record] = []
    if not record.get("attestations") or (len(record["attestations"]) == 1 and "envelope" in record["attestations"][0]):
        return found
    signer: list[str] | None = None
    for kind, _, envelope in reversed(list(recorded.attestations(record))):
        said = statement.claimed(envelope) if kind == "envelope" else None
        if said is None:
            break
        keyids = [keyid for keyid, _ in envelope["signatures"]]
        if signer is None:
            signer = keyids
            if said["predicateType"] == statement.BUNDLE_SIGNATURE:
                continue
            if "attached" in record:
                # It was packed, and nobody signed.
                break
        if keyids != signer or said["predicateType"] == statement.BUNDLE_SIGNATURE:
            break
        if predicate.kind_of(said["predicateType"]):
            found.insert(0, {"predicate_type": said["predicateType"], **attest.describe(said)})
    return found


def text(record: Record, output: str, word: str, documents: list[Record], palette: Palette) -> str:
    """What was packed or signed; `documents` is what the function of that name found."""
    manifest = record["manifest"]
    arrow = palette.mark("->")
    head = f"{palette.mark('ok')} {word.capitalize()} {shown(manifest['name'])}:{shown(manifest['version'])} {arrow} {shown(output)}\n"
    pairs = [
        ("Image", image_line(record)),
        ("Manifest", record["manifest_digest"]),
    ]
    signers = claimed_signers(record)
    pairs += [("Signed by", f"{one.get('key_id')}  ({one.get('suite_id')})  {one.get('fingerprint')}") for one in signers]
    pairs += [] if signers else [("Signed by", "nobody")]
    pairs += [_replaced(one) for one in record.get("replaced", ())]
    for one in documents:
        kind = str(predicate.kind_of(one["predicate_type"]))
        said = predicate.said(kind, one["about"]) if "about" in one else "not valid by its schema"
        pairs.append((predicate.TITLES[kind], said))
    if any(counts := record.get("attached", {"taken": 0, "left": 0}).values()):
        taken, left = counts
        plural = "" if taken == 1 else "s"
        pairs.append(("Attached", f"{taken} attestation{plural} taken along" + (f", {left} left behind" if left else "")))
    others = [made for made in record["findings"] if made["finding"] != LEFT_BEHIND]
    return head + report.fields(pairs, least=10) + report.notes({"findings": others}, palette)


def image_line(record: Record) -> str:
    """The image by its digest, how much it is, and for which platforms."""
    manifest, image = record["manifest"], record["manifest"]["image"]
    layers = [entry for entry in record["content"] if entry["role"] == "layer"]
    count = len(image.get("layers", layers))
    total = size(sum(entry["size"] for entry in layers))
    where = ", ".join(image["platforms"]) or "no platform"
    return f"{manifest['image_digest']}  ({count} layer{'' if count == 1 else 's'}, {total}, {where})"


def _replaced(one: Record) -> tuple[str, str]:
    """A signature that is gone, in words: a stranger's name is only what it says of itself."""
    if one["status"] == "valid":
        return "Replaces", f"{one['key_id']}  ({one['suite_id']})  {one['fingerprint']}  {one['signed_at']}"
    return "Dropped", f"a signature by nobody you know, which claims to be by {one.get('claimed_key_id', 'nobody')}"


def left_behind(record: Record, palette: Palette) -> str:
    """A line for each attachment that is not in the bundle: a loss, so it is told beside the report."""
    return report.notes({"findings": [made for made in record["findings"] if made["finding"] == LEFT_BEHIND]}, palette)


def as_json(record: Record, output: str, word: str, documents: list[Record], _: Palette) -> str:
    """The same facts as an object."""
    manifest = record["manifest"]
    facts = {key: manifest[key] for key in ("name", "version", "image_digest", "image", "provenance")}
    signers = [
        {key: one.get(key) for key in ("key_id", "suite_id", "fingerprint", "signed_at")} for one in claimed_signers(record)
    ]
    rest = {
        "manifest_digest": record["manifest_digest"],
        "signatures": signers,
        "attestations": documents,
        "findings": record["findings"],
    }
    for member in ("attached", "replaced"):
        if member in record:
            rest[member] = record[member]
    return report.json_line({"action": word, "output": output, **facts, **rest})
