"""Reading and laying out a .ctp: the member list walked in its one order (spec/bundle.adoc).

From a file everything but the blobs' bytes is read here; from a pipe only the trust members, and the sink reads on.
"""

import os
from collections.abc import Iterator

from cerrotorre import manifest, tarball, trustmembers
from cerrotorre.content import CHUNK, Entry, identity, open_file, read_exactly, read_up_to
from cerrotorre.errors import Fail
from cerrotorre.records import Record

HEAD = 32 << 10


class FileReader:
    """Reads a file forward by position; what is skipped is never touched."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = open_file(path)
        info = os.fstat(self.fd)
        self.id, self.size, self.position = identity(info), info.st_size, 0
        self._head = self._pread(min(HEAD, self.size), 0)

    def _pread(self, size: int, position: int) -> bytes:
        try:
            data = os.pread(self.fd, size, position)
            while len(data) < size and (more := os.pread(self.fd, size - len(data), position + len(data))):
                data += more
            return data
        except OSError as error:
            raise Fail("file-unreadable", f"'{self.path}': {error.strerror}", File=self.path) from None

    def take(self, size: int) -> bytes:
        end = self.position + size
        data = self._head[self.position : end] if end <= len(self._head) else self._pread(size, self.position)
        if len(data) < size:
            raise Fail("truncated", f"{self.size} bytes, and more were due at {self.size}", Size=self.size)
        self.position = end
        return data

    def begin(self, size: int) -> bytes:
        """So many bytes of the beginning, fewer of a shorter file."""
        return self.take(min(size, self.size))

    def skip(self, size: int) -> None:
        self.position += size
        if self.position > self.size:
            raise Fail("truncated", f"{self.size} bytes, and more were due at {self.size}", Size=self.size)

    def at(self) -> Entry:
        return {"file": self.path, "id": self.id, "offset": self.position}

    def at_end(self) -> bool:
        return self.position == self.size

    def close(self) -> None:
        """Raises Fail file-changed if the file is not what it was when it was opened."""
        same = identity(os.fstat(self.fd)) == self.id
        os.close(self.fd)
        if not same:
            raise Fail("file-changed", f"'{self.path}' changed while it was read", File=self.path)


class PipeReader:
    """Reads a pipe, and never a byte more than was asked for."""

    def __init__(self, fd: int, position: int = 0) -> None:
        self.fd, self.position = fd, position
        self._buffer: memoryview | None = None

    def widen(self) -> None:
        """Let the pipe hold as much as is read at a time, where it is one and the system lets it: fewer turns between the two."""
        from fcntl import F_SETPIPE_SZ, fcntl

        try:
            fcntl(self.fd, F_SETPIPE_SZ, CHUNK)
        except OSError:
            pass

    def take(self, size: int) -> bytes:
        self.position += size
        return read_exactly(self.fd, size)

    def begin(self, size: int) -> bytes:
        """So many bytes of the beginning, fewer of a shorter stream."""
        data = read_up_to(self.fd, size)
        self.position += len(data)
        return data

    def chunks(self, size: int) -> Iterator[memoryview]:
        """So many bytes as they arrive; each part is overwritten by the next."""
        self._buffer = self._buffer or memoryview(bytearray(CHUNK))
        while size:
            got = os.readv(self.fd, [self._buffer[: min(size, CHUNK)]])
            if not got:
                raise Fail("truncated", "the stream ends early")
            self.position += got
            size -= got
            yield self._buffer[:got]

    def skip(self, size: int) -> None:
        for _ in self.chunks(size):
            pass

    def at(self) -> Entry:
        return {"fd": self.fd, "offset": self.position}

    def at_end(self) -> bool:
        return not os.read(self.fd, 1)


def member(
    reader: FileReader | PipeReader, name: str, size: int | None = None, limit: int = 0, kind: bytes = tarball.FILE
) -> int:
    """Read the header that must stand here, and return the member's size: `size`, or the one claimed, within `limit`."""
    start = reader.position
    block = reader.take(tarball.BLOCK) if start else _first_block(reader, name)
    claimed = _claimed(block, name, start) if size is None else size
    expected = tarball.header(name, claimed, kind)
    if len(expected) > len(block) and block == expected[: len(block)]:
        block += reader.take(len(expected) - len(block))
    if block != expected:
        raise _wrong_header(block, name, start)
    if size is None and claimed > limit:
        raise Fail(
            "too-large",
            f"{name} is {claimed} bytes, more than {limit}",
            Member=name,
            Expected=f"at most {limit}",
            Actual=claimed,
        )
    return claimed


def _first_block(reader: FileReader | PipeReader, name: str) -> bytes:
    """The first header. What is shorter was cut short only if it begins as a bundle does."""
    block = reader.begin(tarball.BLOCK)
    if len(block) == tarball.BLOCK:
        return block
    if block and tarball.header(name, 0).startswith(block[:100]):
        raise Fail("truncated", f"{len(block)} bytes, and a header has {tarball.BLOCK}", Size=len(block))
    raise _no_bundle(block, f"it has {len(block)} bytes" if block else "it is empty")


def _no_bundle(block: bytes, detail: str = "") -> Fail:
    kinds = {b"\x1f\x8b": "gzip", b"\x28\xb5": "zstd", b"BZh": "bzip2", b"\xfd7z": "xz", b"PK": "zip"}
    packed = next((kind for magic, kind in kinds.items() if block.startswith(magic)), None)
    return Fail("not-a-bundle", f"it is {packed}-compressed; a bundle never is" if packed else detail)


def _claimed(block: bytes, name: str, start: int) -> int:
    try:
        return tarball.claimed_size(block)
    except Fail:
        raise _wrong_header(block, name, start) from None


def _wrong_header(block: bytes, name: str, start: int) -> Fail:
    """The finding for a header that is not the one due: another member's, or a damaged one."""
    if start == 0 and not block.startswith(b"manifest.toml\0"):
        return _no_bundle(block)
    actual = block[:100].rstrip(b"\0").decode("latin-1")
    if not any(block):
        return Fail("tar-members", f"the members end where {name} is due", Offset=start, Expected=name)
    if actual != name:
        return Fail("tar-members", f"{actual!r} where {name} is due", Offset=start, Expected=name, Actual=actual)
    return Fail("tar-header", f"the header of {name}", Member=name, Offset=start)


def padded(reader: FileReader | PipeReader, name: str, size: int) -> None:
    """The padding after a member, which must be zeros."""
    start = reader.position
    if any(reader.take(tarball.padding(size))):
        raise Fail("tar-padding", f"after {name}", Member=name, Offset=start)


def open_trust(record: Record, reader: FileReader | PipeReader) -> list[tuple[str, bytes]]:
    """Read manifest.toml, summary.json and attestations.jsonl into the record; return the derived members that follow."""
    size = member(reader, "manifest.toml", limit=manifest.MAX_MANIFEST)
    canonical = reader.take(size)
    padded(reader, "manifest.toml", size)
    read = trustmembers.read_manifest(canonical)
    size = member(reader, "summary.json", limit=manifest.MAX_SUMMARY)
    summary = reader.take(size)
    padded(reader, "summary.json", size)
    size = member(reader, "attestations.jsonl", limit=manifest.MAX_ATTESTATIONS)
    piped = isinstance(reader, PipeReader)
    if piped and size > trustmembers.INLINE_ALL:
        raise trustmembers.too_large_inline(size)
    at = reader.at()
    trustmembers.put_attestations(record, reader.take(size), None if piped else lambda: at)
    padded(reader, "attestations.jsonl", size)
    return trustmembers.put_manifest(record, canonical, read, summary)


def walk(reader: FileReader | PipeReader, derived: list[tuple[str, bytes]], content: list[Entry]) -> Iterator[tuple[str, int]]:
    """Walk the members after the trust members: (name, size) with the reader at the first byte of each.

    Whoever walks takes or skips exactly the member's bytes before going on. The end must follow the last.
    """
    for name, data in derived:
        size = member(reader, name, limit=len(data) + manifest.MAX_SUMMARY)
        yield name, size
        padded(reader, name, size)
    for name in manifest.DIRECTORIES:
        member(reader, name, 0, kind=tarball.DIRECTORY)
    for entry in content:
        name = manifest.blob_path(entry["digest"])
        member(reader, name, entry["size"])
        yield name, entry["size"]
        padded(reader, name, entry["size"])
    start = reader.position
    if reader.take(len(tarball.END)) != tarball.END:
        raise Fail("tar-members", "something stands where the end is due", Offset=start)
    if not reader.at_end():
        raise Fail("trailing-bytes", f"the bundle ends at {reader.position}", Offset=reader.position)


def open_bundle(record: Record, path: str) -> None:
    """Fill the record of a bundle in a file: everything but the blobs' bytes is checked."""
    reader = FileReader(path)
    try:
        derived = open_trust(record, reader)
        places: list[Entry] = []
        for name, size in walk(reader, derived, record["manifest"]["content"]):
            places.append({"name": name, "size": size, "at": reader.at()})
            reader.skip(size)
    finally:
        reader.close()
    record["derived"] = places[: len(derived)]
    blobs = places[len(derived) :]
    record["content"] = [{**entry, "at": blob["at"]} for entry, blob in zip(record["manifest"]["content"], blobs, strict=True)]
    record["passed"]["structure"] = True


def open_pipe(record: Record, fd: int) -> None:
    """Fill the record of a bundle on a pipe from its trust members; the sink reads on from there."""
    reader = PipeReader(fd)
    open_trust(record, reader)
    record["content"] = [{**entry, "at": reader.at()} for entry in record["manifest"]["content"]]
    record["derived"] = []
    record["passed"]["structure"] = True
