"""The predicates of statements about an image, SBOM and provenance: their types, and what they are when they are something else."""

import re

from cerrotorre import jsonic
from cerrotorre.typed import Any

# kind: (what is written and read, what is read as well; the published schema; what a title says)
TYPES = {
    "sbom": ("https://spdx.dev/Document/v2.3", "https://spdx.dev/Document"),
    "provenance": ("https://slsa.dev/provenance/v1",),
}
SCHEMAS = {"sbom": "spdx-document", "provenance": "slsa-provenance"}
TITLES = {"sbom": "SBOM", "provenance": "Provenance"}

# (what it is, what to type)
Other = tuple[str, str]

_SYFT = "syft IMAGE -o spdx-json@2.3=sbom.spdx.json"
_CONVERT = "pyspdxtools -i FILE -o sbom.spdx.json"
_STATEMENT = "jq -r .payload FILE | base64 -d >statement.json"


def kind_of(predicate_type: Any) -> str | None:
    """ "sbom" or "provenance", or None for a statement that is neither."""
    return next((kind for kind, types in TYPES.items() if predicate_type in types), None)


def facts(kind: str, predicate: dict[str, Any]) -> dict[str, Any]:
    """What is shown and judged of a predicate that is valid by its schema; each text is bounded by the schema or here."""
    if kind == "sbom":
        return {
            "version": predicate["spdxVersion"],
            "packages": len(predicate.get("packages", ())),
            "name": predicate["name"][:256],
        }
    return {"builder": predicate["runDetails"]["builder"]["id"], "build_type": predicate["buildDefinition"]["buildType"]}


def said(kind: str, about: dict[str, Any]) -> str:
    """The facts in words: `SPDX 2.3, 142 packages`."""
    if kind == "sbom":
        count = about["packages"]
        return f"{about['version'].replace('-', ' ')}, {count} package{'' if count == 1 else 's'}"
    return f"SLSA v1, built by {about['builder']}"


def other_text(kind: str, data: bytes) -> Other | None:
    """What a file that is not JSON is, as far as its beginning tells."""
    head = data[:4096]
    if kind != "sbom" or head.lstrip()[:1] == b"{":
        return None
    if head.lstrip()[:1] == b"<":
        return ("CycloneDX XML", _SYFT) if b"cyclonedx" in head.lower() else ("XML, perhaps SPDX RDF", _CONVERT)
    if re.search(rb"^SPDXVersion: ", head, re.M):
        return ("SPDX tag-value", _CONVERT)
    if re.search(rb"^[\"']?(?:spdxVersion|SPDXID)[\"']?\s*:", data[: 1 << 20], re.M):
        return ("SPDX YAML", _CONVERT)
    return None


def other_json(kind: str, value: dict[str, Any]) -> Other | None:
    """What a JSON object is that is something else than the predicate, or a statement of it."""
    if "payloadType" in value and "payload" in value:
        return ("a DSSE envelope, whose signature would not be kept", _STATEMENT)
    if "dsseEnvelope" in value or "verificationMaterial" in value:
        return ("a Sigstore bundle, whose signature would not be kept", _STATEMENT.replace(".payload", ".dsseEnvelope.payload"))
    if kind == "provenance":
        if "builder" in value and ("buildType" in value or "recipe" in value):
            return ("SLSA Provenance v0.2 or older", "make it with v1: docker buildx build --attest type=provenance,version=v1")
        return None
    if value.get("bomFormat") == "CycloneDX":
        return (f"CycloneDX {str(value.get('specVersion', ''))[:20]}".strip(), _SYFT)
    if "@context" in value:
        return ("SPDX 3 or other JSON-LD", _SYFT)
    if "artifacts" in value and "descriptor" in value:
        return ("syft's own JSON", _SYFT)
    if isinstance(value.get("sbom"), dict):
        return ("a document inside `sbom`", "jq .sbom FILE >sbom.spdx.json")
    version = value.get("spdxVersion")
    if isinstance(version, str) and version != "SPDX-2.3":
        return (f"SPDX of version {version[:40]}", _SYFT)
    return None


def unspellable(value: Any) -> float | None:
    """A number that RFC 8785 spells as an integer too large to be read back exactly; None if there is none."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, float) and abs(each) > jsonic.MAX_SAFE:
            return each
        if isinstance(each, dict | list):
            pending += each.values() if isinstance(each, dict) else each
    return None
