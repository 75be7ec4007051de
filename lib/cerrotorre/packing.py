"""An image made into a manifest and places: what pack writes into its record (spec/bundle.adoc, "manifest.toml")."""

import os
import re

from cerrotorre import canon, images, manifest, oci
from cerrotorre.errors import Fail, finding
from cerrotorre.reference import parse
from cerrotorre.typed import Any

Record = dict[str, Any]


def local_source(directory: str, tag: str | None, platform: str) -> tuple[images.Source, dict[str, str]]:
    """An OCI layout and its [provenance]. Names inside a local archive prove nothing, so there is no registry."""
    source = images.layout(directory, tag)
    base = os.path.basename(os.path.abspath(directory)) or "layout"
    named = source.annotations.get(images.REF_NAME)
    provenance = {"source": f"oci:{base}" + (f":{named}" if named else "")}
    if source.root["mediaType"] in oci.INDEXES and platform != "all":
        provenance["index_digest"] = source.root["digest"]
        source.root = images.select(source, platform)
    return source, provenance


def name_version(source: images.Source, provenance: dict[str, str], reference: dict[str, Any] | None) -> tuple[str, str]:
    """The package's name and version, from the reference, else the layout's own annotation, else its directory."""
    fallback = source.root["digest"].removeprefix("sha256:")[:12]
    if reference is None:
        named = source.annotations.get(images.REF_NAME, "")
        if "/" not in named:
            base = provenance["source"].removeprefix("oci:").partition(":")[0].lower()
            return re.sub(r"[^a-z0-9._/-]", "-", base).lstrip("._/-"), named or fallback
        reference = parse(named)
    tag = reference["tag"]
    return reference["path"].rpartition("/")[2], tag or fallback


def fill(record: Record, source: images.Source, provenance: dict[str, str], name: str, version: str) -> None:
    """Fill the record of an image: its manifest, and where its blobs lie. Raises Fail for what may not be packed."""
    if not manifest.is_name(name):
        raise Fail("usage", f"{name!r} cannot be a package's name: say one with --name", Name=name)
    if not manifest.is_version(version):
        raise Fail("usage", f"{version!r} cannot be a version: say one with --version", Version=version)
    canon.check_string(provenance["source"])
    root = source.root
    said = oci.describe(root, source.read)
    urls = images.foreign_urls(root, source.read)
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
    record["findings"] += [finding("metadata-left-out", warning) for warning in said["warnings"]]
