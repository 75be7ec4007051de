"""The image of a record as one archive on a descriptor, for runtimes: an OCI layout and a docker archive at once, under one name or none.

As in a bundle (spec/bundle.adoc), but that only one platform's blobs are in it, and that index.json and manifest.json come last:
without them no reader finds an image, so what was withheld cannot be loaded (spec/running.adoc, "What the runtime gets").
"""

import contextlib
import os
from collections.abc import Callable, Iterator

from cerrotorre import jsonic, manifest, oci, platforms, recorded, sinks, tarball
from cerrotorre.content import Entry, Files, mismatch, read, write_all
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail, Finding
from cerrotorre.records import Record
from cerrotorre.typed import Any

Write = Callable[[bytes | memoryview], object]


def chosen(record: Record, platform: str | None = None) -> dict[str, Any]:
    """{"manifest", "config": digests, "layers": digests base first, "media_type", "size": the manifest's} of the image for a platform.

    Of several platforms the host's is taken unless another is asked for. Raises Fail oci-*, hash-mismatch.
    """
    parsed, _, _ = recorded.derive(record)
    files = Files()
    try:
        return _chosen(record, parsed, platform, files)
    finally:
        files.close()


def _chosen(record: Record, parsed: dict[str, Any], platform: str | None, files: Files) -> dict[str, Any]:
    entries = {entry["digest"]: entry for entry in record["content"]}
    sinks.documents(record["content"])

    def held(found: oci.Descriptor) -> bytes:
        entry = entries.get(found["digest"])
        if entry is None:
            raise Fail("oci-blob-absent", f"{found['digest']} is not among the content", Blob=found["digest"])
        if "file" not in entry["at"]:
            raise Fail("usage", "an image is read from a file: save the bundle first, as ct fetch and ct import do")
        data = read(entry["at"], entry["size"], files)
        if sha256(data) != entry["digest"]:
            fail = Fail("hash-mismatch")
            fail.finding = mismatch(entry, sha256(data))
            raise fail
        return data

    image = parsed["image"]
    found: oci.Descriptor = {"mediaType": image["media_type"], "digest": parsed["image_digest"], "size": image["size"]}
    if found["mediaType"] in oci.INDEXES:
        document = oci.read_index(held(found), found["mediaType"], found["digest"])
        found, _ = platforms.choose(document, platform or platforms.host_platform(os.uname().machine), held)
    elif platform:
        platforms.suits(image["platforms"], platform)
    document = oci.read_manifest(held(found), found["mediaType"], found["digest"])
    return {
        "manifest": found["digest"],
        "media_type": found["mediaType"],
        "size": found["size"],
        "config": document["config"]["digest"],
        "layers": [layer["digest"] for layer in document["layers"]],
    }


class _Archive:
    """Members go into one tar on a descriptor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def begin(self) -> None:
        self.small("oci-layout", _line({"imageLayoutVersion": "1.0.0"}))
        write_all(self._fd, b"".join(tarball.header(directory, 0, tarball.DIRECTORY) for directory in manifest.DIRECTORIES))

    def small(self, name: str, data: bytes) -> None:
        write_all(self._fd, tarball.header(name, len(data)) + data + bytes(tarball.padding(len(data))))

    @contextlib.contextmanager
    def blob(self, entry: Entry) -> Iterator[Write]:
        write_all(self._fd, tarball.header(manifest.blob_path(entry["digest"]), entry["size"]))
        yield lambda part: write_all(self._fd, part)
        write_all(self._fd, bytes(tarball.padding(entry["size"])))


class _Directory:
    """Members are files of a private directory."""

    def __init__(self, path: str) -> None:
        self._path = path

    def begin(self) -> None:
        for name in manifest.DIRECTORIES:
            os.mkdir(f"{self._path}/{name}", 0o700)
        self.small("oci-layout", _line({"imageLayoutVersion": "1.0.0"}))

    def small(self, name: str, data: bytes) -> None:
        with self._new(name) as write:
            write(data)

    def blob(self, entry: Entry) -> contextlib.AbstractContextManager[Write]:
        return self._new(manifest.blob_path(entry["digest"]))

    @contextlib.contextmanager
    def _new(self, name: str) -> Iterator[Write]:
        fd = os.open(f"{self._path}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            yield lambda part: write_all(fd, part)
        finally:
            os.close(fd)


def write(
    fd: int, record: Record, *, name: str | None = None, platform: str | None = None, progress: sinks.Progress = None
) -> list[Finding]:
    """Write the archive, each blob hashed as it passes; then hash what of the bundle is not in it. Returns what is wrong, if anything.

    Then the end, with the members that make an image of it, is withheld. `name` has a tag. Raises Fail oci-*, file-*, and OSError.
    """
    to = _Archive(fd)
    image, wrong = _pour(to, record, platform, progress)
    if not wrong:
        to.small("index.json", _index(image, name))
        if data := _docker(record, image, name):
            to.small("manifest.json", data)
        write_all(fd, tarball.END)
    return wrong


def lay(path: str, record: Record, *, platform: str | None = None, progress: sinks.Progress = None) -> list[Finding]:
    """The same as an OCI image layout without names, in an empty directory; without index.json where something is wrong."""
    to = _Directory(path)
    image, wrong = _pour(to, record, platform, progress)
    if not wrong:
        to.small("index.json", _index(image, None))
    return wrong


def _pour(
    to: _Archive | _Directory, record: Record, platform: str | None, progress: sinks.Progress
) -> tuple[dict[str, Any], list[Finding]]:
    """(the image that was chosen, what is wrong with the bundle's content)."""
    parsed, _, derived = recorded.derive(record)
    files = Files()
    kept: dict[str, bytes] = {}
    try:
        image = _chosen(record, parsed, platform, files)
        if wrong := sinks.altered(record, derived, files):
            return image, wrong
        wanted = sinks.documents(record["content"])
        taken = {image["manifest"], image["config"], *image["layers"]}
        to.begin()
        for entry in sorted(record["content"], key=lambda entry: entry["digest"] not in taken):
            with to.blob(entry) if entry["digest"] in taken else contextlib.nullcontext() as given:
                actual, data = sinks.hash_chunks(
                    sinks.file_chunks(entry["at"], entry["size"], files), entry["digest"] in wanted, given, progress
                )
            if actual != entry["digest"]:
                return image, [mismatch(entry, actual)]
            kept[actual] = data
    finally:
        files.close()
    return image, sinks.image_findings(parsed, kept)


def _index(image: dict[str, Any], name: str | None) -> bytes:
    descriptor = {"mediaType": image["media_type"], "digest": image["manifest"], "size": image["size"]}
    if name:
        tag = name.rpartition(":")[2]
        descriptor["annotations"] = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag}
    return _line({"schemaVersion": 2, "mediaType": manifest.OCI_INDEX, "manifests": [descriptor]})


def _docker(record: Record, image: dict[str, Any], name: str | None) -> bytes:
    """manifest.json, if the layers are of a kind that a docker archive has; else nothing."""
    kinds = {entry["digest"]: entry["media_type"] for entry in record["content"]}
    if any(kinds.get(layer) not in manifest.ARCHIVE_LAYERS for layer in image["layers"]):
        return b""
    layers = [manifest.blob_path(layer) for layer in image["layers"]]
    archive = {"Config": manifest.blob_path(image["config"]), "RepoTags": [name] if name else None, "Layers": layers}
    return _line([archive])


def _line(value: Any) -> bytes:
    return jsonic.canonical(value) + b"\n"
