"""Writing a .ctp: the same member list that bundle.py walks, walked the other way (spec/bundle.adoc)."""

import os
from collections.abc import Callable, Iterator

from cerrotorre import manifest, recorded, sinks, tarball
from cerrotorre.content import Entry, Files, absolute, locate, mismatch, move, write_all
from cerrotorre.errors import Fail, Finding
from cerrotorre.newfile import NewFile
from cerrotorre.records import Record

Chunks = Iterator[bytes | memoryview]


class Layout:
    """What a record's bundle consists of: `small` members with their bytes, then the blobs. Raises Fail for a bad record."""

    def __init__(self, record: Record) -> None:
        self.manifest, _, self.derived = recorded.derive(record)
        if record.get("statements"):
            raise Fail(
                "usage", "a statement waits for its signature, and nobody signed: ct-sign comes between ct-attest and this"
            )
        (_, summary), *derived = self.derived
        lines = [line + b"\n" for _, line, _ in recorded.attestations(record)]
        attestations = b"".join(lines)
        if len(attestations) > manifest.MAX_ATTESTATIONS:
            raise Fail("too-large", f"attestations.jsonl would be {len(attestations)} bytes")
        trust = [record["canonical"].encode(), summary, attestations]
        self.small = [*zip(manifest.TRUST_MEMBERS, trust, strict=True), *derived]
        self.blobs: list[Entry] = record["content"]
        for entry in self.blobs:
            if "file" not in entry["at"] and "url" not in entry["at"]:
                raise Fail("record-inconsistent", "a blob lies in no file and at no URL", Blob=entry["digest"])

    def head(self) -> bytes:
        """Everything before the first blob's header."""
        members = b"".join(
            tarball.header(name, len(data)) + data + bytes(tarball.padding(len(data))) for name, data in self.small
        )
        return members + b"".join(tarball.header(name, 0, tarball.DIRECTORY) for name in manifest.DIRECTORIES)

    def plan(self) -> tuple[list[tuple[int, bytes]], list[int], int]:
        """([(offset, bytes)] of everything but the blobs, the offset of each blob, the length of the whole)."""
        head = self.head()
        pieces, places, position = [(0, head)], [], len(head)
        for entry in self.blobs:
            pieces.append((position, blob_header(entry)))
            places.append(position := position + len(pieces[-1][1]))
            position += entry["size"]
            pieces.append((position, bytes(tarball.padding(entry["size"]))))
            position += len(pieces[-1][1])
        pieces.append((position, tarball.END))
        return pieces, places, position + len(tarball.END)


def blob_header(entry: Entry) -> bytes:
    """What stands before a blob."""
    return tarball.header(manifest.blob_path(entry["digest"]), entry["size"])


def write_file(
    record: Record, path: str, progress: sinks.Progress = None, approve: Callable[[], bool] | None = None
) -> list[Finding]:
    """Write the bundle to `path`, whole or not at all, every blob hashed as it passes. Returns what is wrong, if anything.

    Once nothing is wrong `approve` is asked, and has the last word on whether the file gets its name.
    """
    layout = Layout(record)
    pieces, places, size = layout.plan()
    files = Files()
    with NewFile(path) as new:
        try:
            # Damage gets no fresh signature, not even where writing it anew would mend it.
            if wrong := sinks.altered(record, layout.derived, files):
                return wrong
            # Reserving all of it first finds a full disk before the work, and makes writing at several places fast.
            os.posix_fallocate(new.fd, 0, size)
            write_pieces(new.fd, pieces)
            try:
                kept, wrong = move(sinks.jobs(layout.blobs, places), files, new.fd, progress)
            finally:
                files.close()
        except OSError as error:
            raise Fail("file-unwritable", f"cannot write '{path}': {error.strerror}", File=path) from None
        wrong = wrong or sinks.image_findings(layout.manifest, kept)
        if not wrong and (approve is None or approve()):
            sync_before_replacing(layout, path, new.fd)
            new.commit()
    return wrong


def sync_before_replacing(layout: Layout, path: str, fd: int) -> None:
    """Where the bundle that was read is replaced: it must be that still. To sync takes seconds, in which another may sign it too."""
    known = {entry["at"]["file"]: entry["at"]["id"] for entry in layout.blobs if "file" in entry["at"]}.get(absolute(path))
    if known is None:
        return
    try:
        os.fsync(fd)
    except OSError as error:
        raise Fail("file-unwritable", f"cannot write '{path}': {error.strerror}", File=path) from None
    if locate(path)[0] != known:
        raise Fail("file-changed", f"'{path}' changed while it was written anew", File=path)


def write_pieces(fd: int, pieces: list[tuple[int, bytes]]) -> None:
    """Write what a plan has besides blobs. Raises OSError."""
    for offset, data in pieces:
        done = 0
        while done < len(data):
            done += os.pwrite(fd, data[done:], offset + done)


def write_stream(record: Record, fd: int, progress: sinks.Progress, far: Callable[[Entry, Entry], Chunks]) -> list[Finding]:
    """Write the bundle to a descriptor as it is hashed. Where something is wrong the end is withheld: the copy is truncated.

    `far` gives the bytes of a blob that lies at a URL, by its `at` and its entry.
    """
    layout = Layout(record)
    wanted = sinks.documents(layout.blobs)
    files = Files()
    kept: dict[str, bytes] = {}
    try:
        if wrong := sinks.altered(record, layout.derived, files):
            return wrong
        write_all(fd, layout.head())
        for entry in layout.blobs:
            write_all(fd, blob_header(entry))
            at = entry["at"]
            chunks: Chunks = sinks.file_chunks(at, entry["size"], files) if "file" in at else far(at, entry)
            actual, data = sinks.hash_chunks(chunks, entry["digest"] in wanted, lambda part: write_all(fd, part), progress)
            if actual != entry["digest"]:
                return [mismatch(entry, actual)]
            if "file" in at:
                files.close(at["file"])
            kept[actual] = data
            write_all(fd, bytes(tarball.padding(entry["size"])))
    finally:
        files.close()
    wrong = sinks.image_findings(layout.manifest, kept)
    if not wrong:
        write_all(fd, tarball.END)
    return wrong
