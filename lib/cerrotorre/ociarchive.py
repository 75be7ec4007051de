"""An OCI layout in a tar: read where it lies, so that a record can say where in the archive each blob is."""

from cerrotorre import content, images
from cerrotorre.digest import is_digest
from cerrotorre.errors import Fail
from cerrotorre.manifest import MAX_CONTENT
from cerrotorre.typed import Any

MAX_MEMBERS = 4 * MAX_CONTENT
# The most that one header may carry (names, pax records): the reader of tars would take gigabytes.
MAX_HEADER = 1 << 20


class _Headers:
    """A file as tarfile reads it: header by header, and never more than a header may hold."""

    def __init__(self, fd: int) -> None:
        self._file = open(fd, "rb", buffering=1 << 16)  # noqa: SIM115

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_HEADER:
            raise Fail("oci-too-large", f"a tar header of more than {MAX_HEADER} bytes")
        return self._file.read(size)

    def seek(self, position: int, whence: int = 0) -> int:
        return self._file.seek(position, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


class Archive(images.Source):
    """The image of a layout's archive: the one named `wanted`, or the only one. Raises Fail oci-*."""

    def __init__(self, path: str, wanted: str | None) -> None:
        self._file = content.absolute(path)
        self._id, self._size = content.locate(self._file)
        self._members = self._walk()
        super().__init__(self._file, images.named_image(self._small, self._file, wanted))

    def _walk(self) -> dict[str, tuple[int, int]]:
        """{name: (offset, size)} of the layout's regular members. Raises Fail oci-layout."""
        # 15 ms that only an archive costs.
        import tarfile

        found: dict[str, tuple[int, int]] = {}
        headers = _Headers(content.open_file(self._file))
        try:
            opened: Any = tarfile.open
            archive = opened(fileobj=headers, mode="r:", encoding="utf-8", errors="surrogateescape")
            for _ in range(MAX_MEMBERS + 1):
                member = archive.next()
                if member is None:
                    break
                archive.members = []
                name = member.name.removeprefix("./")
                if not _is_of_layout(name):
                    continue
                if name in found:
                    raise self._bad(f"two members are named {name}")
                if not member.isreg() or member.sparse is not None:
                    raise self._bad(f"{name} is not a plain file")
                if member.offset_data + member.size > self._size:
                    raise self._bad(f"it ends inside {name}")
                found[name] = (member.offset_data, member.size)
            else:
                raise self._bad(f"more than {MAX_MEMBERS} members")
            headers.seek(archive.offset)
            # tarfile takes whatever it cannot read for the end.
            if headers.read(512).strip(b"\0"):
                raise self._bad(f"the tar is damaged at byte {archive.offset}")
        except Fail:
            raise
        except (tarfile.TarError, ValueError, OverflowError, EOFError, RecursionError) as error:
            raise self._bad(f"not a plain tar: {error}") from None
        except OSError as error:
            raise Fail("file-unreadable", f"'{self._file}': {error.strerror or error}", File=self._file) from None
        finally:
            headers.close()
        return found

    def _bad(self, detail: str) -> Fail:
        return Fail("oci-layout", f"'{self._file}': {detail}", File=self._file)

    def _small(self, name: str, limit: int) -> bytes:
        if name not in self._members:
            raise self._bad(f"it holds no {name}, so it is no OCI archive")
        offset, size = self._members[name]
        return content.read_one({"file": self._file, "id": self._id, "offset": offset}, min(size, limit))

    def bytes_of(self, digest: str, limit: int) -> bytes:
        name = "blobs/" + digest.replace(":", "/", 1)
        if name not in self._members:
            raise images.absent(digest, [], f"'{self._file}' holds no {name}")
        return self._small(name, limit)

    def where(self, digest: str) -> tuple[dict[str, Any], int]:
        name = "blobs/" + digest.replace(":", "/", 1)
        if name not in self._members:
            raise Fail("oci-blob-absent", f"'{self._file}' holds no {name}")
        offset, size = self._members[name]
        return {"file": self._file, "id": self._id, "offset": offset}, size


def _is_of_layout(name: str) -> bool:
    return name in ("oci-layout", "index.json") or is_digest(name.removeprefix("blobs/").replace("/", ":", 1))
