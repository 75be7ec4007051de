"""What `ct explain` shows of a bundle: package, provenance, content, signatures, attestations and the chain of trust."""

from cerrotorre import dsse, errors, predicate, report, statement
from cerrotorre.palette import Palette
from cerrotorre.records import Record
from cerrotorre.text import shown, size, with_names
from cerrotorre.typed import Any

_STATUS = {"valid": "ok", "unknown": "~", "invalid": "x"}
# What a rule that passed means, where the pattern that admitted it tells the rest.
_PHRASES = {
    "signers.allowed": "key is trusted",
    "suites.allowed": "suite is allowed",
    "registries.allowed": "registry is allowed",
    "base_images.allowed": "base image is allowed",
}
_METADATA = "title description licenses vendor revision url documentation base_name base_digest"


def told(record: Record, palette: Palette, *, as_json: bool, only: str) -> tuple[int, str]:
    """(status, text) of one bundle, as `text` or JSON. Whether it is valid is not asked, only whether it can be read."""
    blocked = errors.verdict([made for made in record["findings"] if errors.stops(made, "structure")])
    if blocked and not as_json:
        return blocked["status"], report.refused(record, "Cannot be explained", palette)
    return (blocked["status"] if blocked else 0), document(record) if as_json else text(record, palette, only=only)


def text(record: Record, palette: Palette, *, only: str = "") -> str:
    """The explanation of one bundle; `only` is "signers" or "layers" for that part alone."""
    parts = [f"Bundle: {report.named(record['bundle'])}\n\n"]
    if only in ("", "layers"):
        if not only:
            parts += [_package(record, palette), _provenance(record, palette)]
        parts.append(_content(record, palette))
    if only in ("", "signers"):
        parts.append(_signatures(record, palette))
        if not only:
            parts.append(_attestations(record, palette))
        parts.append(_trust(record, palette))
    return "".join(parts)


def _section(title: str, pairs: list[tuple[str, str]], palette: Palette) -> str:
    width = max([10, *(len(name) for name, _ in pairs)])
    return palette.paint("bold", title) + "\n" + "".join(f"  {name:<{width}} {shown(value)}\n" for name, value in pairs)


def _package(record: Record, palette: Palette) -> str:
    manifest = record["manifest"]
    pairs = [
        ("Name", manifest["name"]),
        ("Version", manifest["version"]),
        ("Platforms", ", ".join(manifest["image"]["platforms"]) or "none named"),
    ]
    metadata = manifest.get("metadata", {})
    claim = {"base_name": "  (the image's claim)"}
    pairs += [
        (key.replace("_", " ").capitalize(), metadata[key] + claim.get(key, "")) for key in _METADATA.split() if key in metadata
    ]
    if "ext" in manifest:
        pairs.append(("Ext", report.json_line(manifest["ext"]).strip() + "  (not interpreted)"))
    return _section("Package", pairs, palette)


def _provenance(record: Record, palette: Palette) -> str:
    manifest = record["manifest"]
    said = manifest["provenance"]
    signers = [
        one["key_id"] for one in record.get("signatures", []) if one["kind"] == "bundle-signature" and one["status"] == "valid"
    ]
    by = "claimed by " + ", ".join(signers) if signers else "claimed by nobody you know"
    pairs = [("Source", f"{said['source']}  ({by})")]
    if "index_digest" in said:
        pairs.append(("Index", f"{said['index_digest']}  (one platform of it)"))
    pairs.append(("Image", manifest["image_digest"]))
    if "created" in manifest["image"]:
        pairs.append(("Created", f"{manifest['image']['created']}  (the image's claim)"))
    return _section("Provenance", pairs, palette)


def _content(record: Record, palette: Palette) -> str:
    manifest = record["manifest"]
    sizes = {entry["digest"]: entry["size"] for entry in manifest["content"]}
    layers = manifest["image"].get("layers") or [entry["digest"] for entry in manifest["content"] if entry["role"] == "layer"]
    pairs = [
        ("Manifest", record["manifest_digest"]),
        ("Layers", f"{len(layers)}, {size(sum(sizes[layer] for layer in set(layers) if layer in sizes))}"),
    ]
    text = _section("Content", pairs, palette)
    for number, layer in enumerate(layers):
        text += f"    [{number}] {layer}  {size(sizes[layer]) if layer in sizes else '?':>9}\n"
    return text + f"  {'Checked':<10} not by explain; run: {with_names('ct verify FILE', {'Bundle': record['bundle']})}\n"


def _signatures(record: Record, palette: Palette) -> str:
    lines = [palette.paint("bold", "Signatures") + "\n"]
    made = [one for one in record.get("signatures", []) if one["kind"] == "bundle-signature"]
    for one in made:
        # Until a key of the store proves it, a name is only what the envelope says of itself.
        known = one["status"] != "unknown"
        name = one.get("key_id", one.get("claimed_key_id", "no name")) + (
            "" if known else "  (claims to be; no key of your store made it)"
        )
        invalid = "  INVALID" if one["status"] == "invalid" else ""
        suite = one.get("suite_id", "no suite")
        lines.append(f"  {palette.mark(_STATUS[one['status']])} {shown(name)}  {shown(suite)}{_algorithms(suite)}{invalid}\n")
        pairs = [
            ("Fingerprint", one.get("fingerprint", one.get("claimed_fingerprint", "none"))),
            ("Signed at", f"{one.get('signed_at', 'no time')}  (the signer's claim)"),
        ]
        if "expires" in one:
            pairs.append(("Expires", one["expires"]))
        if known:
            pairs.append(("Key", _standing(one)))
        if known and one.get("claimed_key_id", one["key_id"]) != one["key_id"]:
            pairs.append(("Named", f"{one['claimed_key_id']} by the signer"))
        pairs += _superseded(one, {other.get("line") for other in made})
        lines += [f"      {name:<12} {shown(value)}\n" for name, value in pairs]
    return "".join(lines if made else [*lines, "  none\n"])


def _superseded(one: Record, there: set[Any]) -> list[tuple[str, str]]:
    """The chain of custody: whose signatures this one took the place of, and theirs before, as its signer says."""
    pairs = []
    for entry in one.get("supersedes", ()):
        name = "Supersedes" if entry["level"] == 1 else "Before that"
        still = ", and it is here too" if entry["line"] in there else ""
        said = f"{entry['key_id']}  {entry['suite_id']}  signed {entry['signed_at']}  (claimed by {one['key_id']}{still})"
        pairs += [(name, said), ("", entry["fingerprint"])]
    return [*pairs, ("And older", f"left out by {one['key_id']}")] if one.get("supersedes_cut") else pairs


def _algorithms(suite: str) -> str:
    from cerrotorre.suites import SUITES

    return f" ({', '.join(SUITES[suite])})" if suite in SUITES else ""


def _standing(one: Record) -> str:
    places = {
        "keys": "one of your own",
        "trusted": "trusted",
        "known": "known by name only, not trusted",
        "host": "trusted by this host",
    }
    expiry = f"; expires {one['key_expires']}" if one.get("key_expires") else ""
    return places.get(one.get("origin", ""), "?") + expiry


def _attestations(record: Record, palette: Palette) -> str:
    made = [one for one in record.get("signatures", []) if one["kind"] == "attestation"]
    pairs = []
    for kind, title in predicate.TITLES.items():
        found = [(title, _statement(kind, one)) for one in made if predicate.kind_of(one["predicate_type"]) == kind]
        pairs += found or [(title, "none")]
    others = [one for one in made if predicate.kind_of(one["predicate_type"]) is None]
    pairs += [("Other", f"{one['predicate_type'] or 'no statement'}, {_by(one)}") for one in others]
    return _section("Attestations", pairs, palette)


def _statement(kind: str, one: Record) -> str:
    """A statement about the image: its facts if a key of the store vouches for them, else only that it is there."""
    if one.get("schema") == "valid":
        return f"{predicate.said(kind, one['about'])}, {_by(one)}"
    if one.get("schema") == "invalid":
        return f"{_by(one)}, but not valid by its schema: {one['schema_error']}"
    return f"present, {_by(one)}"


def _by(one: Record) -> str:
    if one["status"] == "unknown":
        return "signed by nobody you know: a claim"
    named = "" if one["trusted"] else " (known by name only, not trusted)"
    return f"{'INVALID, ' if one['status'] == 'invalid' else ''}signed by {one['key_id']}{named}"


def _trust(record: Record, palette: Palette) -> str:
    lines = [palette.paint("bold", "Trust chain") + "\n"]
    if record.get("passed", {}).get("signatures"):
        genuine = [one for one in record["signatures"] if one["kind"] == "bundle-signature" and one["status"] == "valid"]
        if genuine:
            lines.append(f"  {palette.mark('ok')} signature is genuine and covers this manifest\n")
        else:
            lines.append(f"  {palette.mark('~')} no signature by a key of your store\n")
    for rule in record.get("trust", {}).get("rules", []):
        phrase = _PHRASES.get(rule["rule"]) if "matched" in rule else None
        said = f"{phrase:<21} {rule['rule']}: {rule['matched']}" if phrase else f"{rule['rule']}: {rule['why']}"
        lines.append(f"  {palette.mark('ok' if rule['status'] == 'pass' else 'x')} {shown(said)}\n")
    failed = {rule["rule"] for rule in record.get("trust", {}).get("rules", []) if rule["status"] == "fail"}
    for made in record.get("findings", []):
        if made["context"].get("Rule") not in failed:
            lines.append(f"  {palette.mark('x' if made['status'] else '~')} {report.one_line(made)}\n")
    return "".join(lines)


def document(record: Record) -> str:
    """The same facts as an object."""
    keys = ("bundle", "manifest", "manifest_digest", "signatures", "trust", "passed", "findings")
    facts = {key: record[key] for key in keys if key in record}
    return report.json_line({**facts, "attestations": _lines(record)})


def _lines(record: Record) -> list[dict[str, Any]]:
    """What each attestation line says it is."""
    made: list[dict[str, Any]] = []
    for number, entry in enumerate(record.get("attestations", []), 1):
        if "envelope" in entry:
            said = statement.claimed(dsse.parse_line(entry["envelope"].encode(), number)[1])
            made.append({"line": number, "kind": "envelope", "predicate_type": said["predicateType"] if said else None})
        else:
            made.append({"line": number, "kind": "evidence" if "evidence" in entry else "reference"})
    return made
