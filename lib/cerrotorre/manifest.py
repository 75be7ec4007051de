"""manifest.toml: its keys and grammar, and the members of a bundle that it determines (spec/bundle.adoc)."""

import re

from cerrotorre import jsonic
from cerrotorre.digest import is_digest
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

Manifest = dict[str, Any]

MAX_MANIFEST, MAX_SUMMARY, MAX_ATTESTATIONS, MAX_LINES = 4 << 20, 8 << 20, 64 << 20, 256
MAX_CONTENT = 16_384
TRUST_MEMBERS = ("manifest.toml", "summary.json", "attestations.jsonl")
DIRECTORIES = ("blobs/", "blobs/sha256/")
ROLES = ("index", "manifest", "config", "layer", "other")

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
# What `docker load` takes in a docker-archive: plain and gzip layers.
ARCHIVE_LAYERS = frozenset(
    {
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    }
)

NAME = re.compile(r"[a-z0-9][a-z0-9._/-]{0,127}", re.ASCII)
VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}", re.ASCII)
PLATFORM = re.compile(r"[A-Za-z0-9._-]{1,64}/[A-Za-z0-9._-]{1,64}(/[A-Za-z0-9._-]{1,64})?", re.ASCII)
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*", re.ASCII)

METADATA = ("title", "description", "licenses", "vendor", "revision", "url", "documentation", "base_name", "base_digest")
PROVENANCE = ("source", "registry", "index_digest")
_TOP = {"ctp_version", "kind", "name", "version", "image_digest", "image", "metadata", "provenance", "content", "ext"}
_IMAGE = {"media_type", "size", "platforms", "created", "config", "layers"}
_CONTENT = {"digest", "media_type", "role", "size"}


def fits_inline(size: int, before: int) -> bool:
    """Whether a line of attestations.jsonl travels in the record itself, where `before` bytes of them do (spec/records.adoc)."""
    return size <= 64 << 10 and before + size <= 4 << 20


def is_name(text: object) -> bool:
    """The grammar of `name`: no segment `.`, `..` or `.git`, and not `manifest.toml` (spec/bundle.adoc)."""
    if not isinstance(text, str) or not NAME.fullmatch(text) or text == "manifest.toml":
        return False
    return not {"", ".", "..", ".git"} & set(text.split("/"))


def is_version(text: object) -> bool:
    """The grammar of `version`: an OCI tag."""
    return isinstance(text, str) and VERSION.fullmatch(text) is not None


def check(manifest: Manifest) -> None:
    """Whether a parsed manifest is as the specification says. Raises Fail unsupported-version or manifest-malformed."""
    version = manifest.get("ctp_version")
    _must(isinstance(version, str), "ctp_version", "a string", version)
    if version != "1.0":
        raise Fail("unsupported-version", f"ctp_version {_brief(version)}", Expected="1.0", Actual=str(version)[:100])
    if manifest.get("kind") != "container_image":
        raise Fail("unsupported-version", "unknown kind", Expected="container_image", Actual=str(manifest.get("kind"))[:100])
    _known(manifest, _TOP, "")
    _must(is_name(manifest.get("name")), "name", "a name", manifest.get("name"))
    _must(is_version(manifest.get("version")), "version", "an OCI tag", manifest.get("version"))
    _must(is_digest(manifest.get("image_digest")), "image_digest", "a sha256 digest", manifest.get("image_digest"))
    _check_image(_table(manifest, "image"))
    for name, keys in (("metadata", METADATA), ("provenance", PROVENANCE)):
        table = _table(manifest, name) if name in manifest else {}
        _known(table, set(keys), f"{name}.")
        for key, value in table.items():
            _must(isinstance(value, str), f"{name}.{key}", "a string", value)
    provenance = manifest.get("provenance", {})
    _must("source" in provenance, "provenance.source", "a string", None)
    if "index_digest" in provenance:
        _must(is_digest(provenance["index_digest"]), "provenance.index_digest", "a sha256 digest", provenance["index_digest"])
    _must(isinstance(manifest.get("ext", {}), dict), "ext", "a table", manifest.get("ext"))
    _check_content(manifest.get("content"))
    first = manifest["content"][0]
    image = manifest["image"]
    if (first["digest"], first["media_type"], first["size"]) != (manifest["image_digest"], image["media_type"], image["size"]):
        raise Fail("manifest-malformed", "the first content entry is not the image", Key="content[0]")


def _check_image(image: dict[str, Any]) -> None:
    _known(image, _IMAGE, "image.")
    _must(_is_media_type(image.get("media_type")), "image.media_type", "a media type", image.get("media_type"))
    _must(_is_size(image.get("size")), "image.size", "a size", image.get("size"))
    platforms = image.get("platforms")
    good = isinstance(platforms, list) and all(isinstance(p, str) and PLATFORM.fullmatch(p) for p in platforms)
    _must(good, "image.platforms", "an array of os/arch[/variant]", platforms)
    _must(isinstance(image.get("created", ""), str), "image.created", "a string", image.get("created"))
    _must(("config" in image) == ("layers" in image), "image.config", "config and layers, or neither", image.get("config"))
    if "config" in image:
        _must(is_digest(image["config"]), "image.config", "a sha256 digest", image["config"])
        layers = image["layers"]
        _must(isinstance(layers, list) and all(map(is_digest, layers)), "image.layers", "an array of sha256 digests", layers)


def _check_content(content: Any) -> None:
    _must(isinstance(content, list) and len(content) > 0, "content", "an array of tables", content)
    if len(content) > MAX_CONTENT:
        raise Fail("too-large", f"{len(content)} content entries, more than {MAX_CONTENT}")
    seen = set()
    for number, entry in enumerate(content):
        where = f"content[{number}]"
        _must(isinstance(entry, dict), where, "a table", entry)
        _known(entry, _CONTENT, where + ".")
        _must(is_digest(entry.get("digest")), where + ".digest", "a sha256 digest", entry.get("digest"))
        _must(_is_media_type(entry.get("media_type")), where + ".media_type", "a media type", entry.get("media_type"))
        _must(entry.get("role") in ROLES, where + ".role", "one of " + ", ".join(ROLES), entry.get("role"))
        _must(_is_size(entry.get("size")), where + ".size", "a size", entry.get("size"))
        _must(entry["digest"] not in seen, where + ".digest", "each digest once", entry["digest"])
        seen.add(entry["digest"])


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value <= jsonic.MAX_SAFE


def _is_media_type(value: object) -> bool:
    return isinstance(value, str) and MEDIA_TYPE.fullmatch(value) is not None


def _table(manifest: Manifest, key: str) -> dict[str, Any]:
    value = manifest.get(key)
    _must(isinstance(value, dict), key, "a table", value)
    return value  # type: ignore[return-value]


def _known(table: dict[str, Any], keys: set[str], where: str) -> None:
    unknown = sorted(table.keys() - keys)
    if unknown:
        key = where + unknown[0][:100]
        raise Fail("unsupported-version", f"unknown key {key}", Key=key)


def _must(holds: object, key: str, expected: str, actual: object) -> None:
    if not holds:
        raise Fail("manifest-malformed", f"{key}: not {expected}", Key=key, Expected=expected, Actual=_brief(actual))


def _brief(value: object) -> str:
    return "nothing" if value is None else repr(value)[:120]


def reference(manifest: Manifest) -> str | None:
    """The full reference, with a tag, under which runtimes know the image; None if the name cannot be one."""
    provenance = manifest["provenance"]
    if "registry" in provenance:
        repository, _, _ = provenance["source"].partition("@")
        head, slash, last = repository.rpartition("/")
        path, _, tag = last.partition(":")
        return f"{head}{slash}{path}:{tag or manifest['version']}"
    if not _REPOSITORY.fullmatch(manifest["name"]):
        return None
    return f"localhost/{manifest['name']}:{manifest['version']}"


def derived(manifest: Manifest, manifest_digest: str) -> list[tuple[str, bytes]]:
    """The members that the manifest determines, in their order, with their bytes: summary.json first."""
    content = manifest["content"]
    image = {**manifest["image"], "digest": manifest["image_digest"]}
    summary = {
        "schema": "ct/summary/1",
        "name": manifest["name"],
        "version": manifest["version"],
        "canonicalization": "CTP-CANON-1",
        "manifest_digest": manifest_digest,
        "image": image,
        "content": content,
        "layers": len(image.get("layers", ())) or sum(entry["role"] == "layer" for entry in content),
        "total_size": sum(entry["size"] for entry in content),
    }
    full = reference(manifest)
    annotations = {"org.opencontainers.image.ref.name": full.rpartition(":")[2] if full else manifest["version"]}
    if full:
        annotations["io.containerd.image.name"] = full
    index = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [
            {
                "mediaType": image["media_type"],
                "digest": image["digest"],
                "size": image["size"],
                "annotations": annotations,
            }
        ],
    }
    members = [
        ("summary.json", _line(summary)),
        ("oci-layout", _line({"imageLayoutVersion": "1.0.0"})),
        ("index.json", _line(index)),
    ]
    if "config" in image:
        kinds = {entry["digest"]: entry["media_type"] for entry in content}
        if all(kinds.get(layer) in ARCHIVE_LAYERS for layer in image["layers"]):
            archive = {
                "Config": blob_path(image["config"]),
                "RepoTags": [full] if full else [],
                "Layers": [blob_path(layer) for layer in image["layers"]],
            }
            members.append(("manifest.json", _line([archive])))
    return members


def blob_path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/", 1)


def _line(value: Any) -> bytes:
    return jsonic.canonical(value) + b"\n"
