"""Images on disk: OCI layouts, and the directories that skopeo's dir: transport makes."""

import os
from collections.abc import Callable, Iterator

from cerrotorre import content, manifest, oci, platforms
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail, Finding
from cerrotorre.typed import Any

REF_NAME = "org.opencontainers.image.ref.name"


class Source:
    """An image and where its blobs lie: `root` is its descriptor, `annotations` what the layout says of it."""

    def __init__(self, directory: str, root: oci.Descriptor) -> None:
        self.directory, self.root = directory, root
        self.annotations: dict[str, str] = root.get("annotations", {})
        self.notes: list[Finding] = []

    def path(self, digest: str) -> str:
        return f"{self.directory}/blobs/{digest.replace(':', '/', 1)}"

    def read(self, found: oci.Descriptor) -> bytes:
        """A document's bytes, checked. Raises Fail oci-blob-absent, oci-size, hash-mismatch."""
        digest, size = found["digest"], found["size"]
        if size > oci.MAX_DOCUMENT:
            raise Fail("oci-too-large", f"{digest} is {size} bytes", Blob=digest)
        data = self.bytes_of(digest, size + 1)
        if len(data) != size:
            raise Fail("oci-size", digest, Blob=digest, Expected=size, Actual=f"{len(data)} or more")
        if sha256(data) != digest:
            raise Fail("hash-mismatch", digest, Blob=digest, Expected=digest, Actual=sha256(data))
        return data

    def place(self, entry: dict[str, Any], urls: list[str]) -> dict[str, Any]:
        """The `at` of a blob that is there, of the right size. Raises Fail oci-blob-absent or oci-size."""
        try:
            at, size = self.where(entry["digest"])
        except Fail as fail:
            raise absent(entry["digest"], urls, str(fail)) from None
        if size != entry["size"]:
            raise Fail("oci-size", entry["digest"], Blob=entry["digest"], Expected=entry["size"], Actual=size)
        return at

    def bytes_of(self, digest: str, limit: int) -> bytes:
        """At most `limit` bytes of a blob. Raises Fail oci-blob-absent."""
        try:
            return read_whole(self.path(digest), limit)
        except Fail as fail:
            raise absent(digest, [], str(fail)) from None

    def where(self, digest: str) -> tuple[dict[str, Any], int]:
        """(place, size) of a blob. Raises Fail where it is not there."""
        path = self.path(digest)
        known, size = content.locate(path)
        return {"file": path, "id": known, "offset": 0}, size


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


def read_whole(path: str, limit: int) -> bytes:
    """At most `limit` bytes of a small file."""
    fd = content.open_file(path)
    try:
        return content.read_up_to(fd, limit)
    except OSError as error:
        raise Fail("file-unreadable", f"'{path}': {error.strerror}", File=path) from None
    finally:
        os.close(fd)


def layout(directory: str, wanted: str | None) -> Source:
    """The image of an OCI layout: the one named `wanted`, or the only one. Raises Fail oci-*."""
    directory = _present(directory)
    return Source(directory, named_image(lambda name, limit: read_whole(f"{directory}/{name}", limit), directory, wanted))


def _present(directory: str) -> str:
    """The absolute path of what is there. Raises Fail file-unreadable."""
    try:
        os.stat(directory)
    except OSError as error:
        raise Fail("file-unreadable", f"cannot open '{directory}': {error.strerror}", File=directory) from None
    return content.absolute(directory)


def named_image(read: Callable[[str, int], bytes], where: str, wanted: str | None) -> oci.Descriptor:
    """The descriptor in a layout's index.json; `read` gives at most so many bytes of a file of it."""
    try:
        marker = oci.document(read("oci-layout", oci.MAX_DOCUMENT), "oci-layout")
        index = read("index.json", oci.MAX_DOCUMENT + 1)
    except Fail as fail:
        if fail.finding["status"] == 11:
            raise Fail("oci-layout", f"'{where}' is not an OCI image layout: {fail}", Directory=where) from None
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
    chosen: oci.Descriptor = found[0]
    return chosen


def skopeo_directory(directory: str) -> Directory:
    """The image that skopeo put into a directory. Its own mediaType is all that says what it is."""
    data = read_whole(f"{_present(directory)}/manifest.json", oci.MAX_DOCUMENT + 1)
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
    chosen, notes = platforms.choose(doc, wanted, source.read)
    source.notes += notes
    return chosen


def documents(
    root: oci.Descriptor, read: oci.Reader, depth: int = 0, seen: set[str] | None = None
) -> Iterator[tuple[oci.Descriptor, oci.Document]]:
    """Every index and manifest that an image reaches, each once, those below an index after it. Raises Fail oci-*."""
    seen = set() if seen is None else seen
    if root["digest"] in seen:
        return
    if depth > oci.MAX_DEPTH:
        raise Fail("oci-too-large", f"indexes nested deeper than {oci.MAX_DEPTH}", Blob=root["digest"])
    seen.add(root["digest"])
    if root["mediaType"] in oci.INDEXES:
        doc = oci.read_index(read(root), root["mediaType"], root["digest"])
        yield root, doc
        for child in doc["manifests"]:
            if child["mediaType"] in oci.INDEXES | oci.MANIFESTS:
                yield from documents(child, read, depth + (child["mediaType"] in oci.INDEXES), seen)
    else:
        yield root, oci.read_manifest(read(root), root["mediaType"], root["digest"])


def elsewhere(root: oci.Descriptor, read: oci.Reader) -> Iterator[tuple[str, list[str]]]:
    """(digest, urls) of what documents say may be found elsewhere: named in a refusal, never followed."""
    for _, doc in documents(root, read):
        for found in doc["manifests"] if "manifests" in doc else [doc["config"], *doc["layers"]]:
            if urls := found.get("urls"):
                yield found["digest"], [str(url) for url in urls] if isinstance(urls, list) else [str(urls)]
