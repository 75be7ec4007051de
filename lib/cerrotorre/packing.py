"""An image made into a manifest and places: what pack writes into its record (spec/bundle.adoc, "manifest.toml")."""

import re
from collections.abc import Callable

from cerrotorre import canon, images, manifest, oci, platforms
from cerrotorre.errors import Fail, finding
from cerrotorre.records import Record
from cerrotorre.reference import parse


def name_version(root: oci.Descriptor, base: str, named: str) -> tuple[str, str]:
    """The package's name and version: from `named` if that is a full reference, else `base` with `named` as its tag."""
    fallback = root["digest"].removeprefix("sha256:")[:12]
    if "/" not in named:
        return re.sub(r"[^a-z0-9._/-]", "-", base.lower()).lstrip("._/-"), named or fallback
    reference = parse(named)
    return reference["path"].rpartition("/")[2], reference["tag"] or fallback


_ALLOWED = {
    "name": "1 to 128 of a-z, 0-9, '.', '_', '-' and '/', a letter or digit first; of what '/' parts none is empty, '.', '..' or '.git'",
    "version": "1 to 128 of a-z, A-Z, 0-9, '.', '_' and '-', neither '.' nor '-' first",
}


def _unsuitable(what: str, said: str, like: str, good: Callable[[object], bool]) -> Fail:
    """The refusal of a name or version, said or derived; `like` is one that is like it."""
    detail = f"{said!r} cannot be a package's {what}" if said else f"there is nothing to take a {what} from"
    fail = Fail("usage", detail, Allowed=_ALLOWED[what])
    fail.finding["try"] = [f"--{what} {like if good(like) else what.upper()}"]
    return fail


def fill(
    record: Record, source: images.Source, provenance: dict[str, str], name: str, version: str, asked: str | None = None
) -> None:
    """Fill the record of an image: its manifest, and where its blobs lie. Raises Fail for what may not be packed.

    `asked` is the platform that was asked for, which a single image must be for.
    """
    if not manifest.is_name(name):
        raise _unsuitable("name", name, re.sub(r"[^a-z0-9._/-]", "-", name.lower()).lstrip("._/-")[:128], manifest.is_name)
    if not manifest.is_version(version):
        raise _unsuitable("version", version, re.sub(r"[^A-Za-z0-9._-]", "-", version).lstrip(".-")[:128], manifest.is_version)
    canon.check_string(provenance["source"])
    root = source.root
    said = oci.describe(root, source.read)
    if asked and asked != "all" and root["mediaType"] not in oci.INDEXES:
        platforms.suits(said["image"]["platforms"], asked)
    urls = dict(images.elsewhere(root, source.read))
    made = {
        "ctp_version": "1.0",
        "kind": "container_image",
        "name": name,
        "version": version,
        "image_digest": root["digest"],
        "image": said["image"],
        "provenance": provenance,
        "content": said["content"],
    }
    if said["metadata"]:
        made["metadata"] = said["metadata"]
    manifest.check(made)
    record["manifest"] = made
    record["content"] = [{**entry, "at": source.place(entry, urls.get(entry["digest"], []))} for entry in said["content"]]
    record["attestations"] = []
    record["findings"] += source.notes
    record["findings"] += [finding("metadata-left-out", warning) for warning in said["warnings"]]
