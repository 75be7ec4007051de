"""The manifest that a registry keeps for a bundle, attached to the bundle's image (spec/moving.adoc, "In a registry"). Pure."""

from cerrotorre import oci
from cerrotorre.errors import Fail
from cerrotorre.manifest import MAX_ATTESTATIONS, MAX_MANIFEST, MAX_SUMMARY, TRUST_MEMBERS
from cerrotorre.oci import Descriptor
from cerrotorre.typed import Any

TYPE = "application/vnd.cerro-torre.bundle.v1"
# Of the trust members, in their order.
LAYERS = (
    "application/vnd.cerro-torre.manifest.v1+toml",
    "application/vnd.cerro-torre.summary.v1+json",
    "application/vnd.cerro-torre.attestations.v1+jsonl",
)
# It names three layers and a subject.
MAX = 64 << 10
_LIMITS = (MAX_MANIFEST, MAX_SUMMARY, MAX_ATTESTATIONS)


def read(data: bytes, digest: str, subject: str) -> list[Descriptor]:
    """The descriptors of the three trust members, from the manifest of the bundle of `subject`. Raises Fail bundle-manifest."""

    def bad(detail: str, **context: Any) -> Fail:
        return Fail("bundle-manifest", f"{digest}: {detail}", Attached=digest, **context)

    try:
        doc = oci.read_manifest(data, oci.OCI_MANIFEST, digest)
    except Fail as fail:
        raise bad(str(fail)) from None
    if doc.get("artifactType") != TYPE:
        raise bad("it is no bundle's", Expected=TYPE, Actual=str(doc.get("artifactType"))[:200])
    if not oci.refers_to(doc, subject):
        raise bad("it is attached to another image", Expected=subject, Actual=str(doc.get("subject"))[:300])
    kinds = tuple(layer["mediaType"] for layer in doc["layers"])
    if kinds != LAYERS:
        raise bad("its layers are not a bundle's", Expected=", ".join(LAYERS), Actual=", ".join(kinds)[:500])
    found: list[Descriptor] = doc["layers"]
    for layer, name, limit in zip(found, TRUST_MEMBERS, _LIMITS, strict=True):
        if layer["size"] > limit:
            raise bad(f"{name} is over its limit", Expected=f"at most {limit} bytes", Actual=layer["size"])
    return found
