"""Images on disk: OCI layouts, and the directories that skopeo's dir: transport makes."""

import os

from cerrotorre import content, manifest, oci, platforms
from cerrotorre.digest import is_digest, sha256
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

REF_NAME = "org.opencontainers.image.ref.name"
FULL_NAME = "io.containerd.image.name"


class Source:
    """An image and where its blobs lie: `root` is its descriptor, `annotations` what the layout says of it."""

    def __init__(self, directory: str, root: oci.Descriptor) -> None:
        self.directory, self.root = directory, root
        self.annotations: dict[str, str] = root.get("annotations", {})

    def path(self, digest: str) -> str:
        return f"{self.directory}/blobs/{digest.replace(':', '/', 1)}"

    def read(self, found: oci.Descriptor) -> bytes:
        """A document's bytes, checked. Raises Fail oci-blob-absent, oci-size, hash-mismatch."""
        digest, size = found["digest"], found["size"]
        if size > oci.MAX_DOCUMENT:
            raise Fail("oci-too-large", f"{digest} is {size} bytes", Blob=digest)
        data = read_whole(self.path(digest), size + 1, found)
        if len(data) != size:
            raise Fail("oci-size", digest, Blob=digest, Expected=size, Actual=f"{len(data)} or more")
        if sha256(data) != digest:
            raise Fail("hash-mismatch", digest, Blob=digest, Expected=digest, Actual=sha256(data))
        return data

    def place(self, entry: dict[str, Any], urls: list[str]) -> dict[str, Any]:
        """The `at` of a blob that is there, of the right size. Raises Fail oci-blob-absent or oci-size."""
        path = self.path(entry["digest"])
        try:
            known, size = content.locate(path)
        except Fail as fail:
            raise absent(entry["digest"], urls, str(fail)) from None
        if size != entry["size"]:
            raise Fail("oci-size", entry["digest"], Blob=entry["digest"], Expected=entry["size"], Actual=size)
        return {"file": path, "id": known, "offset": 0}


class Directory(Source):
    """What skopeo's dir: transport writes: blobs by their hex, further manifests as <hex>.manifest.json."""

    def __init__(self, directory: str, root: oci.Descriptor) -> None:
        super().__init__(directory, root)
        self._root_digest = root["digest"]

    def path(self, digest: str) -> str:
        if digest == self._root_digest:
            return f"{self.directory}/manifest.json"
        plain = f"{self.directory}/{digest.removeprefix('sha256:')}"
        document = plain + ".manifest.json"
        return document if os.path.exists(document) else plain


def absent(digest: str, urls: list[str], reason: str) -> Fail:
    foreign = f"; a foreign layer, said to be at {urls[0][:200]}" if urls else ""
    return Fail("oci-blob-absent", f"{digest}{foreign}", Blob=digest, Reason=reason)


def read_whole(path: str, limit: int, found: oci.Descriptor | None = None) -> bytes:
    """At most `limit` bytes of a small file."""
    try:
        fd = content.open_file(path)
    except Fail as fail:
        if found:
            raise absent(found["digest"], [], str(fail)) from None
        raise
    try:
        return content.read_up_to(fd, limit)
    finally:
        os.close(fd)


def layout(directory: str, wanted: str | None) -> Source:
    """The image of an OCI layout: the one named `wanted`, or the only one. Raises Fail oci-*."""
    directory = content.absolute(directory)
    try:
        marker = oci.document(read_whole(f"{directory}/oci-layout", oci.MAX_DOCUMENT), "oci-layout")
        index = read_whole(f"{directory}/index.json", oci.MAX_DOCUMENT + 1)
    except Fail as fail:
        if fail.finding["status"] == 11:
            raise Fail("oci-layout", f"'{directory}' is not an OCI image layout: {fail}", Directory=directory) from None
        raise
    if marker.get("imageLayoutVersion") != "1.0.0":
        raise Fail(
            "oci-layout", "imageLayoutVersion is not 1.0.0", Expected="1.0.0", Actual=str(marker.get("imageLayoutVersion"))[:40]
        )
    doc = oci.read_index(index, None, "index.json")
    named = [(entry.get("annotations", {}).get(REF_NAME), entry) for entry in doc["manifests"]]
    there = ", ".join(sorted({name for name, _ in named if name})) or "no names"
    if wanted is not None:
        found = [entry for name, entry in named if name == wanted]
        if not found:
            raise Fail("oci-no-such-image", f"no image is named {wanted!r}", Expected=wanted, Actual=there)
    else:
        found = [entry for _, entry in named]
    if not found:
        raise Fail("oci-no-such-image", "index.json names no image")
    if len({entry["digest"] for entry in found}) != 1:
        raise Fail("oci-ambiguous", f"{len(found)} images" + (f" are named {wanted!r}" if wanted else ""), Actual=there)
    return Source(directory, found[0])


_TRANSPORTS = (
    "docker-archive:",
    "docker-daemon:",
    "oci-archive:",
    "containers-storage:",
    "dir:",
    "sif:",
    "ostree:",
    "tarball:",
)


def refuse_local(image: str) -> None:
    """Raise Fail reference for what is meant to lie here and would be read as a repository of Docker Hub."""
    if image.startswith(_TRANSPORTS):
        transport = image.partition(":")[0]
        raise Fail("reference", f"{transport}: is no source here", Reference=image, Instead=f"skopeo copy {image} oci:DIR:TAG")
    if os.path.exists(f"{image}/oci-layout"):
        raise Fail("reference", "that is a layout's directory", Reference=image, Instead=f"oci:{image}")
    if image.endswith((".ctp", ".tar")) and os.path.exists(image):
        raise Fail("reference", "that is a file, not an image layout or a reference", Reference=image)


def skopeo_directory(directory: str) -> Directory:
    """The image that skopeo put into a directory. Its own mediaType is all that says what it is."""
    data = read_whole(f"{directory}/manifest.json", oci.MAX_DOCUMENT + 1)
    return Directory(directory, root_descriptor(data))


def root_descriptor(data: bytes) -> oci.Descriptor:
    """The descriptor of a document that came without one."""
    if len(data) > oci.MAX_DOCUMENT:
        raise Fail("oci-too-large", f"the manifest is over {oci.MAX_DOCUMENT} bytes")
    doc = oci.document(data, "manifest.json")
    kind = doc.get("mediaType", manifest.OCI_INDEX if "manifests" in doc else oci.OCI_MANIFEST)
    if kind not in oci.INDEXES | oci.MANIFESTS:
        raise Fail("oci-manifest", f"{str(kind)[:100]!r} is not an image or index", Actual=str(kind)[:100])
    return {"mediaType": kind, "digest": sha256(data), "size": len(data)}


def select(source: Source, wanted: str) -> oci.Descriptor:
    """The image for a platform: the source's own, or one of its index. Raises Fail oci-platform."""
    root = source.root
    if root["mediaType"] not in oci.INDEXES:
        return root
    doc = oci.read_index(source.read(root), root["mediaType"], root["digest"])
    return platforms.choose(doc, wanted, source.read)


def foreign_urls(root: oci.Descriptor, read: oci.Reader, seen: set[str] | None = None) -> dict[str, list[str]]:
    """Where manifests say that layers may be found elsewhere: named in a refusal, never followed."""
    seen = set() if seen is None else seen
    if root["digest"] in seen:
        return {}
    seen.add(root["digest"])
    if root["mediaType"] in oci.INDEXES:
        children = oci.read_index(read(root), root["mediaType"], root["digest"])["manifests"]
        found: dict[str, list[str]] = {}
        for child in children:
            if child["mediaType"] in oci.INDEXES | oci.MANIFESTS:
                found |= foreign_urls(child, read, seen)
        return found
    layers = oci.read_manifest(read(root), root["mediaType"], root["digest"])["layers"]
    return {layer["digest"]: [str(url) for url in layer["urls"]] for layer in layers if isinstance(layer.get("urls"), list)}


def check_digest(text: str, data: bytes) -> None:
    """Whether a registry gave what the reference's digest names."""
    if not is_digest(text) or sha256(data) != text:
        raise Fail("hash-mismatch", "the registry gave another document", Expected=text, Actual=sha256(data))
