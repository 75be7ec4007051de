"""OCI images: documents read strictly, and what an image reaches, in one order (spec/bundle.adoc, "The image").

One function, `describe`, says what an image is. Packing writes its answer into the manifest; every sink asks it again of the
blobs it moved, and compares.
"""

from collections.abc import Callable

from cerrotorre import b64, canon, jsonic
from cerrotorre.digest import is_digest, sha256
from cerrotorre.errors import Fail
from cerrotorre.manifest import MAX_CONTENT, MEDIA_TYPE, METADATA, OCI_INDEX, PLATFORM
from cerrotorre.typed import Any

Descriptor = dict[str, Any]
Document = dict[str, Any]
Reader = Callable[[Descriptor], bytes]

MAX_DOCUMENT = 4 << 20
MAX_DOCUMENTS = 32 << 20
MAX_DEPTH = 4

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEXES = frozenset({OCI_INDEX, DOCKER_INDEX})
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
CONFIGS = frozenset({"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"})

_ANNOTATION = "org.opencontainers.image."
_ANNOTATIONS = {key: _ANNOTATION + key.replace("_", ".") for key in METADATA}

# The members that readers look for. Go's readers match them in any case, so no other spelling of one is let in.
_DOCUMENT_KEYS = ("schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests", "subject", "annotations")
_DESCRIPTOR_KEYS = ("mediaType", "digest", "size", "urls", "annotations", "data", "platform", "artifactType")
_PLATFORM_KEYS = ("architecture", "os", "os.version", "os.features", "variant", "features")
_CONFIG_KEYS = (
    "created",
    "author",
    "architecture",
    "os",
    "os.version",
    "os.features",
    "variant",
    "config",
    "rootfs",
    "history",
)
_ROOTFS_KEYS = ("type", "diff_ids")
# A tar of nothing, and how Docker and BuildKit spell it compressed: real images hold both.
_EMPTY = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
_EMPTY_LAYERS = {
    _EMPTY,
    "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4",
    "sha256:4f4fb700ef54461cfa02571ae0db9a0dc1e0cdb5577484a6d75e68dc38e8acc1",
}
_RUN_KEYS = (
    "User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal", "ArgsEscaped",
    "Memory", "MemorySwap", "CpuShares", "Healthcheck", "Shell", "OnBuild", "Hostname", "Domainname", "Image", "Tty",
    "OpenStdin", "StdinOnce", "AttachStdin", "AttachStdout", "AttachStderr", "NetworkDisabled", "MacAddress", "StopTimeout",
)  # fmt: skip


def document(data: bytes, what: str) -> Document:
    """A JSON object of an image, strictly. Raises Fail oci-json."""
    try:
        value = jsonic.parse(data, MAX_DOCUMENT)
    except jsonic.Malformed as error:
        raise Fail("oci-json", f"{what}: {error}", Document=what) from None
    if not isinstance(value, dict):
        raise Fail("oci-json", f"{what}: not an object", Document=what)
    return value


def _exact(value: Any, keys: tuple[str, ...], what: str) -> dict[str, Any]:
    """The object, once no key of it reads as one of `keys` to a reader that ignores case."""
    if not isinstance(value, dict):
        raise Fail("oci-manifest", f"{what}: not an object", Document=what)
    folded = {key.casefold(): key for key in keys}
    for key in value:
        if folded.get(key.casefold(), key) != key:
            raise Fail(
                "oci-json", f"{what}: {key[:40]!r} reads as {folded[key.casefold()]!r} where case is ignored", Document=what
            )
    return value


def descriptor(value: Any, what: str) -> Descriptor:
    """A descriptor of its grammar: {"mediaType","digest","size",...}. Raises Fail oci-*."""
    found = _exact(value, _DESCRIPTOR_KEYS, what)
    if not is_digest(found.get("digest")):
        raise Fail(
            "oci-digest", f"{what}: {str(found.get('digest'))[:100]!r}", Document=what, Actual=str(found.get("digest"))[:100]
        )
    digest = found["digest"]
    kind = found.get("mediaType")
    if not isinstance(kind, str) or not MEDIA_TYPE.fullmatch(kind):
        raise Fail("oci-manifest", f"{what}: the descriptor of {digest} has no media type", Document=what, Blob=digest)
    size = found.get("size")
    if type(size) is not int or not 0 <= size <= jsonic.MAX_SAFE:
        raise Fail("oci-manifest", f"{what}: the descriptor of {digest} has no size", Document=what, Blob=digest)
    if not _is_strings(found.get("annotations", {})):
        raise Fail("oci-manifest", f"{what}: annotations are not strings", Document=what, Blob=digest)
    if "data" in found:
        _check_data(found, what)
    if "platform" in found:
        _exact(found["platform"], _PLATFORM_KEYS, what)
    return found


def _check_data(found: Descriptor, what: str) -> None:
    try:
        data = b64.decode(found["data"])
    except (ValueError, AttributeError):
        raise Fail("oci-data", f"{what}: `data` is not base64", Document=what, Blob=found["digest"]) from None
    if len(data) != found["size"] or sha256(data) != found["digest"]:
        raise Fail(
            "oci-data", f"{what}: `data` is not {found['digest']}", Document=what, Expected=found["digest"], Actual=sha256(data)
        )


def _is_strings(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _list(doc: Document, key: str, what: str) -> list[Descriptor]:
    entries = doc.get(key)
    if not isinstance(entries, list):
        raise Fail("oci-manifest", f"{what}: no array `{key}`", Document=what)
    if len(entries) > MAX_CONTENT:
        raise Fail("oci-too-large", f"{what}: {len(entries)} {key}", Document=what)
    return [descriptor(entry, what) for entry in entries]


def read_index(data: bytes, media_type: str | None, what: str) -> Document:
    """An index whose `manifests` are descriptors. Raises Fail oci-*."""
    doc = _checked(data, media_type, what)
    if "config" in doc or "layers" in doc:
        raise Fail("oci-both-kinds", f"{what}: `manifests` beside `layers` or `config`", Document=what)
    doc["manifests"] = _list(doc, "manifests", what)
    return doc


def read_manifest(data: bytes, media_type: str | None, what: str) -> Document:
    """A manifest whose `config` and `layers` are descriptors. Raises Fail oci-*."""
    doc = _checked(data, media_type, what)
    if "manifests" in doc:
        raise Fail("oci-both-kinds", f"{what}: `manifests` beside `layers` or `config`", Document=what)
    doc["config"] = descriptor(doc.get("config"), what)
    doc["layers"] = _list(doc, "layers", what)
    return doc


def _checked(data: bytes, media_type: str | None, what: str) -> Document:
    doc = _exact(document(data, what), _DOCUMENT_KEYS, what)
    # Python's 2.0 == 2; to Go 2.0 is no int.
    if type(doc.get("schemaVersion")) is not int or doc["schemaVersion"] != 2:
        raise Fail(
            "oci-manifest",
            f"{what}: schemaVersion is not 2",
            Document=what,
            Expected=2,
            Actual=str(doc.get("schemaVersion"))[:40],
        )
    inside = doc.get("mediaType", media_type)
    if media_type is not None and inside != media_type:
        raise Fail("oci-media-type", what, Document=what, Expected=media_type, Actual=str(inside)[:100])
    if not _is_strings(doc.get("annotations", {})):
        raise Fail("oci-manifest", f"{what}: annotations are not strings", Document=what)
    return doc


def refers_to(doc: Document, digest: str) -> bool:
    """Whether a manifest says that it is attached to this one: its `subject`."""
    named = doc.get("subject")
    return isinstance(named, dict) and named.get("digest") == digest


def read_config(data: bytes, what: str) -> Document:
    """An image's config. Raises Fail oci-*."""
    doc = _exact(document(data, what), _CONFIG_KEYS, what)
    run = doc.get("config")
    if run is not None:
        _exact(run, _RUN_KEYS, what)
        labels = run.get("Labels")
        if labels is not None and not _is_strings(labels):
            raise Fail("oci-manifest", f"{what}: Labels are not strings", Document=what)
    if doc.get("rootfs") is not None:
        _exact(doc["rootfs"], _ROOTFS_KEYS, what)
    return doc


def check_diff_ids(doc: Document, config: Document, what: str) -> None:
    """Whether the config's diff_ids can be those of the manifest's layers. Raises Fail oci-manifest.

    Readers of a docker-archive go by diff_ids, and take the first blob of one for all layers that claim it; readers of a layout
    go by the layers. Two blobs with one diff_id would be two images.
    """
    ids, layers = (config.get("rootfs") or {}).get("diff_ids") or [], doc["layers"]
    if not isinstance(ids, list) or not all(map(is_digest, ids)) or len(ids) != len(layers):
        raise Fail(
            "oci-manifest", f"{what}: rootfs.diff_ids are not one digest for each of {len(layers)} layers", Document=what
        )
    first: dict[str, str] = {}
    for diff_id, layer in zip(ids, layers, strict=True):
        other = first.setdefault(diff_id, layer["digest"])
        if other != layer["digest"] and not (diff_id == _EMPTY and {other, layer["digest"]} <= _EMPTY_LAYERS):
            raise Fail(
                "oci-manifest", f"{what}: two layers claim the one diff_id {diff_id}", Document=what, Blob=layer["digest"]
            )


def platform(value: dict[str, Any] | None) -> str | None:
    """`os/arch[/variant]` of a descriptor's platform or a config, None if it names none. Raises Fail oci-manifest."""
    if not value or not value.get("os") or not value.get("architecture"):
        return None
    if value["os"] == "unknown" and value["architecture"] == "unknown":
        return None
    parts = [value["os"], value["architecture"], *([value["variant"]] if value.get("variant") else [])]
    text = "/".join(map(str, parts))
    if not all(isinstance(part, str) and "/" not in part for part in parts) or not PLATFORM.fullmatch(text):
        raise Fail("oci-manifest", f"platform {text[:100]!r}")
    return text


class Walk:
    """What one image reaches: `content` depth first, each digest once, and the documents on the way."""

    def __init__(self, read: Reader) -> None:
        self.content: list[dict[str, Any]] = []
        self.platforms: list[str] = []
        self.metadata: dict[str, str] = {}
        self.warnings: list[str] = []
        self._read = read
        self._sizes: dict[str, int] = {}
        self._held = 0

    def _reach(self, found: Descriptor, role: str) -> bool:
        """Add a descriptor to the content; whether it is new."""
        digest, size = found["digest"], found["size"]
        if digest in self._sizes:
            if self._sizes[digest] != size:
                raise Fail("oci-size", f"{digest} has two sizes", Blob=digest, Expected=self._sizes[digest], Actual=size)
            return False
        if len(self.content) >= MAX_CONTENT:
            raise Fail("oci-too-large", f"the image reaches more than {MAX_CONTENT} blobs")
        self._sizes[digest] = size
        self.content.append({"digest": digest, "media_type": found["mediaType"], "role": role, "size": size})
        return True

    def _document(self, found: Descriptor) -> bytes:
        self._held += found["size"]
        if found["size"] > MAX_DOCUMENT or self._held > MAX_DOCUMENTS:
            raise Fail("oci-too-large", f"{found['digest']} is {found['size']} bytes", Blob=found["digest"])
        return self._read(found)

    def index(self, found: Descriptor, depth: int = 0) -> Document:
        if depth > MAX_DEPTH:
            raise Fail("oci-too-large", f"indexes nested deeper than {MAX_DEPTH}", Blob=found["digest"])
        new = self._reach(found, "index")
        doc = read_index(self._document(found), found["mediaType"], found["digest"])
        for child in doc["manifests"] if new else ():
            if child["mediaType"] in INDEXES:
                self.index(child, depth + 1)
            elif child["mediaType"] in MANIFESTS:
                _, config = self.manifest(child)
                named = child.get("platform")
                where = platform(named) if named else platform(config)
                if where and where not in self.platforms:
                    self.platforms.append(where)
            else:
                self._reach(child, "other")
        return doc

    def manifest(self, found: Descriptor) -> tuple[Document, Document | None]:
        """A manifest and, if it is an image's, its config."""
        self._reach(found, "manifest")
        doc = read_manifest(self._document(found), found["mediaType"], found["digest"])
        config = None
        is_image = doc["config"]["mediaType"] in CONFIGS
        self._reach(doc["config"], "config" if is_image else "other")
        if is_image:
            config = read_config(self._document(doc["config"]), doc["config"]["digest"])
            check_diff_ids(doc, config, doc["config"]["digest"])
        for layer in doc["layers"]:
            self._reach(layer, "layer" if is_image else "other")
        return doc, config

    def describe(self, sources: list[dict[str, str]]) -> None:
        """[metadata]: each key from the first source that has it; what CTP-CANON refuses is left out with a warning."""
        for key, annotation in _ANNOTATIONS.items():
            value = next((source[annotation] for source in sources if annotation in source), None)
            if value is None:
                continue
            try:
                canon.check_string(value)
            except Fail as fail:
                self.warnings.append(f"{annotation} is left out: {fail}")
            else:
                self.metadata[key] = value


def describe(root: Descriptor, read: Reader) -> dict[str, Any]:
    """What the image at `root` is: {"image", "metadata", "content", "warnings"} as the manifest has them.

    `read` gives the bytes of a descriptor, already checked against size and digest. Raises Fail oci-*.
    """
    walk = Walk(read)
    image: dict[str, Any] = {"media_type": root["mediaType"], "size": root["size"]}
    if root["mediaType"] in INDEXES:
        doc = walk.index(root)
        image["platforms"] = walk.platforms
        walk.describe([doc.get("annotations", {})])
    elif root["mediaType"] in MANIFESTS:
        doc, config = walk.manifest(root)
        if config is None:
            raise Fail(
                "oci-artifact",
                f"config is {doc['config']['mediaType']}",
                Blob=root["digest"],
                Actual=doc["config"]["mediaType"],
            )
        where = platform(config)
        image["platforms"] = [where] if where else []
        created = config.get("created")
        if isinstance(created, str):
            try:
                canon.check_string(created)
                image["created"] = created
            except Fail as fail:
                walk.warnings.append(f"created is left out: {fail}")
        image["config"] = doc["config"]["digest"]
        image["layers"] = [layer["digest"] for layer in doc["layers"]]
        walk.describe([doc.get("annotations", {}), ((config.get("config") or {}).get("Labels")) or {}])
    else:
        raise Fail("oci-manifest", f"{root['mediaType']} is not an image or index", Actual=root["mediaType"])
    return {"image": image, "metadata": walk.metadata, "content": walk.content, "warnings": walk.warnings}
