"""The image of a bundle as files (spec/unpacking.adoc): an OCI layout or a docker-archive, with the trust members alongside."""

import os
from collections.abc import Callable

from cerrotorre import imagearchive, manifest, sinks
from cerrotorre.content import Files, mismatch, write_all
from cerrotorre.errors import Fail, Finding
from cerrotorre.layout import Layout
from cerrotorre.newfile import NewFile
from cerrotorre.records import Record
from cerrotorre.sinks import Progress
from cerrotorre.staging import Staging

# Beside an archive or a root file system, in which they have no place.
BESIDE = ".cerro"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


# Asked once nothing is wrong: whether what was made gets its name.
Approve = Callable[[], bool]


def octets(record: Record, kind: str) -> int:
    """How many bytes `unpack` tells its `progress` of."""
    if kind == "rootfs":
        from cerrotorre import rootfs

        return rootfs.octets(record)
    return sum(entry["size"] for entry in record["content"])


def unpack(record: Record, kind: str, path: str, progress: Progress, approve: Approve, platform: str | None) -> list[Finding]:
    """Make `path` of the `kind` oci, docker or rootfs, whole or not at all. Returns what is wrong with the content: then there is none.

    Raises Fail destination-exists, file-unwritable, oci-platform; for docker also oci-manifest for layers that such archives do not have.
    """
    if kind == "oci":
        return _oci(record, path, progress, approve)
    with _Beside(record, path) as trust:
        if kind == "docker":
            return _docker(record, path, progress, lambda: approve() and trust.commit(), platform)
        # The others need nothing that reads layers.
        from cerrotorre import rootfs

        return rootfs.write(record, path, progress, platform=platform, approve=lambda: approve() and trust.commit())


def _oci(record: Record, path: str, progress: Progress, approve: Approve) -> list[Finding]:
    """A directory that has the trust members too."""
    bundle = Layout(record)
    small = [(name, data) for name, data in bundle.small if name != "manifest.json"]
    files = Files()
    kept: dict[str, bytes] = {}
    wanted = sinks.documents(bundle.blobs)
    with Staging(path) as staging:
        try:
            if wrong := sinks.altered(record, bundle.derived, files):
                return wrong
            try:
                _fill(staging.root, small)
                for name in manifest.DIRECTORIES:
                    os.mkdir(name.rstrip("/"), dir_fd=staging.root)
                for entry in bundle.blobs:
                    fd = os.open(manifest.blob_path(entry["digest"]), _NEW, 0o666, dir_fd=staging.root)
                    try:
                        chunks = sinks.file_chunks(entry["at"], entry["size"], files)
                        actual, data = sinks.hash_chunks(chunks, entry["digest"] in wanted, _writer(fd), progress)
                    finally:
                        os.close(fd)
                    if actual != entry["digest"]:
                        return [mismatch(entry, actual)]
                    kept[actual] = data
            except OSError as error:
                raise staging.fail(error) from None
        finally:
            files.close()
        if wrong := sinks.image_findings(bundle.manifest, kept):
            return wrong
        if approve():
            staging.commit()
    return []


def _docker(record: Record, path: str, progress: Progress, approve: Approve, platform: str | None) -> list[Finding]:
    """A file under the name that the bundle gives its image."""
    there = Fail("destination-exists", f"'{path}'", File=path).proposing("-o ANOTHER")
    if os.path.lexists(path.encode()):
        raise there
    kinds = {entry["digest"]: entry["media_type"] for entry in record["content"]}
    for layer in imagearchive.chosen(record, platform)["layers"]:
        if kinds[layer] not in manifest.ARCHIVE_LAYERS:
            raise Fail("oci-manifest", f"a docker-archive has no {kinds[layer]} layers", Layer=layer).proposing(
                "ct unpack --format=oci -o DIR FILE"
            )
    name = manifest.reference(record["manifest"])
    with NewFile(path) as new:
        try:
            wrong = imagearchive.write(new.fd, record, name=name, platform=platform, progress=progress)
        except OSError as error:
            raise Fail("file-unwritable", f"cannot write '{path}': {error.strerror}", File=path) from None
        if not wrong and approve():
            try:
                new.commit(replace=False)
            except FileExistsError:
                raise there from None
    return wrong


class _Beside(Staging):
    """`with _Beside(record, path) as trust:` the directory `PATH.cerro` with the trust members, to be committed."""

    def __init__(self, record: Record, path: str) -> None:
        super().__init__(path.rstrip("/") + BESIDE)
        self._small = [(name, data) for name, data in Layout(record).small if name in manifest.TRUST_MEMBERS]

    def __enter__(self) -> "_Beside":
        super().__enter__()
        try:
            _fill(self.root, self._small)
        except OSError as error:
            self.__exit__()
            raise self.fail(error) from None
        return self

    def __exit__(self, *raised: object) -> None:
        if raised[:1] == (Fail,) and len(self._hidden) == 1:
            # It has its name, and what it belongs to did not get one.
            self._hidden.insert(0, self._name)
        super().__exit__()


def _writer(fd: int) -> Callable[[bytes | memoryview], object]:
    return lambda part: write_all(fd, part)


def _fill(directory: int, members: list[tuple[str, bytes]]) -> None:
    for name, data in members:
        fd = os.open(name, _NEW, 0o666, dir_fd=directory)
        try:
            write_all(fd, data)
        finally:
            os.close(fd)
