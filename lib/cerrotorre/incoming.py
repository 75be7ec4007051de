"""A bundle that comes out of an archive: written beside, named once all of it has matched, never over anything (spec/export.adoc,
"Importing")."""

import os

from cerrotorre import bundle, canonread, layout, recorded, records, sinks, tarball
from cerrotorre.content import CHUNK, Entry
from cerrotorre.digest import hasher, sha256
from cerrotorre.errors import Fail, Finding
from cerrotorre.partial import Partial
from cerrotorre.records import Record
from cerrotorre.typed import Any

# What stays in memory of a record that no decision is kept on.
_KEPT = ("record", "bundle", "passed", "findings", "manifest_digest", "signatures", "trust")
_SHOWN = ("name", "version", "image_digest", "provenance")


class Incoming:
    """One bundle on its way into `directory`, which is there. `missing` are the digests of the blobs that it still wants.

    `record` is what is told of it. Raises Fail destination-exists, record-inconsistent, and as Partial does.
    """

    def __init__(self, record: Record, directory: str, *, whole: bool) -> None:
        self.record, self.path = record, os.path.join(os.path.realpath(directory), record["bundle"])
        self.there = False
        self.missing: set[str] = set()
        self.part: Partial | None = None
        self._entries: list[Entry] = []
        self._places: dict[str, tuple[int, int]] = {}
        self._marks: list[int] = []
        self._canonical = 0
        laid = layout.Layout(record)
        self.size = laid.plan()[2]
        if os.path.lexists(self.path):
            self._compare()
            self.there = True
        else:
            self._begin(laid)
        if not whole:
            self.record = _without(record)

    def _compare(self) -> None:
        """Raise Fail destination-exists unless what is there is this very bundle."""
        try:
            if os.path.islink(self.path):
                raise Fail("not-a-file", "it is a symbolic link")
            found = records.new(self.path)
            bundle.open_bundle(found, self.path)
            lines = [line for _, line, _ in recorded.attestations(found)]
            if found["manifest_digest"] != self.record["manifest_digest"] or found["findings"]:
                raise Fail("not-a-bundle", "its manifest is another")
            if lines != [line for _, line, _ in recorded.attestations(self.record)]:
                raise Fail("not-a-bundle", "its attestations are others")
            if sinks.hash_file(found):
                raise Fail("not-a-bundle", "its content is damaged")
        except Fail as fail:
            said = f"'{self.path}' is there, and is not this bundle: {fail}"
            raise Fail("destination-exists", said, Destination=self.path).proposing(
                f"ct verify {self.path}", "ct import --output-dir ANOTHER ARCHIVE"
            ) from None

    def _begin(self, laid: layout.Layout) -> None:
        pieces, places, size = laid.plan()
        part = Partial(self.path)
        # What appears there meanwhile, and leads elsewhere, is not followed.
        if os.fsdecode(part.path) != self.path:
            raise Fail("destination-exists", f"'{self.path}' appeared meanwhile", Destination=self.path)
        self.part = part.__enter__()
        self._entries = laid.blobs
        self._canonical = len(laid.small[0][1])
        try:
            self._marks = part.begin(self.record["manifest_digest"], size, [entry["size"] for entry in laid.blobs])
            # A full disk is found before the work.
            os.posix_fallocate(part.fd, 0, size)
            for offset, data in pieces:
                part.write(data, offset)
            for number, (entry, place) in enumerate(zip(laid.blobs, places, strict=True)):
                self._places[entry["digest"]] = (number, place)
                if not self._is_whole(number, place):
                    self.missing.add(entry["digest"])
        except OSError as error:
            self.close()
            raise self._unwritable(error) from None
        except BaseException:
            self.close()
            raise

    def _is_whole(self, number: int, place: int) -> bool:
        """Whether a blob is there from an earlier call."""
        entry = self._entries[number]
        if self._marks[number] != entry["size"] or not entry["size"]:
            return False
        if self._digest(place, entry["size"]) == entry["digest"]:
            return True
        self._marks[number] = 0
        return False

    def _digest(self, place: int, size: int) -> str:
        made = hasher()
        for offset in range(0, size, CHUNK):
            made.update(self._read(place + offset, min(CHUNK, size - offset)))
        return "sha256:" + made.hexdigest()

    def _read(self, place: int, size: int) -> bytes:
        """What was written there. Raises Fail file-unwritable."""
        try:
            return os.pread(self.part.fd, size, place)  # type: ignore[union-attr]
        except OSError as error:
            raise self._unwritable(error) from None

    def has(self, digest: str, position: int) -> bool:
        """Whether so much of a blob was written, now or by an earlier call. Whether that is what it should be is known once all is there."""
        return self._marks[self._places[digest][0]] >= position

    def write(self, digest: str, data: bytes | memoryview, offset: int) -> None:
        """Some bytes of a blob, from that offset on. Raises Fail file-unwritable."""
        number, place = self._places[digest]
        try:
            self.part.write(data, place + offset)  # type: ignore[union-attr]
        except OSError as error:
            raise self._unwritable(error) from None
        # What an earlier call wrote behind it is there still.
        self._marks[number] = max(self._marks[number], offset + len(data))

    def back(self, digest: str, position: int) -> None:
        """What follows that position of a blob is not what it should be."""
        number, _ = self._places[digest]
        self._marks[number] = min(self._marks[number], position)

    def checked(self, digest: str) -> bool:
        """Whether a blob that came in several calls has its digest."""
        number, place = self._places[digest]
        return self._digest(place, self._entries[number]["size"]) == digest

    def have(self, digest: str, size: int) -> None:
        """All of a blob is there, and had its digest. Raises Fail file-unwritable."""
        self.missing.discard(digest)
        if size >= CHUNK:
            try:
                self.part.save(self._marks)  # type: ignore[union-attr]
            except OSError as error:
                raise self._unwritable(error) from None

    def wrong(self) -> list[Finding]:
        """What the image's own documents, now that all is there, contradict in the manifest."""
        part = self.part
        assert part is not None  # noqa: S101 - for the type checker
        canonical = self._read(tarball.BLOCK, self._canonical)
        if sha256(canonical) != self.record["manifest_digest"]:
            raise Fail("file-changed", f"'{part.shown}' changed while it was written", File=part.shown)
        wanted = sinks.documents(self._entries)
        kept = {}
        for digest in wanted:
            number, place = self._places[digest]
            data = self._read(place, self._entries[number]["size"])
            kept[sha256(data)] = data
        return sinks.image_findings(canonread.read(canonical), kept)

    def finish(self) -> None:
        """Give it its name. Raises Fail destination-exists, file-unwritable."""
        try:
            self.part.finish(replace=False)  # type: ignore[union-attr]
        except FileExistsError:
            raise Fail("destination-exists", f"'{self.path}' appeared meanwhile", Destination=self.path) from None

    def stay(self) -> str:
        """Leave what there is to the next call, if that is worth it, and close it. Returns its path, or ""."""
        part = self.part
        if part is None:
            return ""
        try:
            if sum(self._marks) >= CHUNK:
                part.stay(self._marks)
        except OSError:
            pass
        self.close()
        return part.shown if part.keep else ""

    def close(self) -> None:
        """Close the file; it goes, unless it has its name or stays."""
        part, self.part = self.part, None
        if part is not None:
            part.__exit__()

    def _unwritable(self, error: OSError) -> Fail:
        return Fail("file-unwritable", f"cannot write '{self.path}': {error.strerror}", File=self.path)


def _without(record: Record) -> dict[str, Any]:
    """What is told of a record: thousands of them may wait for an archive."""
    made = {name: record[name] for name in _KEPT if name in record}
    return made | {"manifest": {name: record["manifest"][name] for name in _SHOWN}}


def make(directory: str) -> None:
    """The directory for bundles, if it is not there, as the umask says. Raises Fail file-unwritable."""
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError as error:
        raise Fail(
            "file-unwritable", f"cannot make the directory '{directory}': {error.strerror}", Directory=directory
        ) from None
