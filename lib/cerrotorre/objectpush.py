"""A bundle on its way to an object: one pass over its bytes, the name given once all of them matched (decision 0035)."""

import os
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable, Iterator

from cerrotorre import objectstore, sinks, tarball
from cerrotorre.content import Files, mismatch
from cerrotorre.digest import hasher
from cerrotorre.errors import Fail, Finding
from cerrotorre.layout import Layout, blob_header
from cerrotorre.objectstore import CHUNK, EDGE, chunks, head
from cerrotorre.records import Record
from cerrotorre.typed import Any

PART = 8 << 20
# Parts on their way at a time.
ABREAST = 3
# Amazon takes 10,000 parts, and copies 5 GiB at a time.
MAX_PARTS = 9000
COPIED = 5 << 30
TYPE = "application/x-tar"
# Seconds in which what was sent is taken back after a signal.
GRACE = 20


class Differs(Exception):
    """Content that is not what the manifest says: raised while it is sent, so that it is not sent whole."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__()
        self.findings = findings


class Bytes:
    """A bundle's bytes as they pass: `size` of them, each blob hashed; the end is withheld from what does not match."""

    def __init__(self, record: Record) -> None:
        self.record, self.layout = record, Layout(record)
        pieces, _, self.size = self.layout.plan()
        self.head = pieces[0][1]
        self.edges = (b"", b"")
        self.halted = False

    def chunks(self, add: Callable[[int], object], last: Callable[[], object] = lambda: None) -> Iterator[bytes]:
        """All of it, at most 1 MiB at a time; `last` is called before the end. Raises Differs, and Fail for what cannot be read."""
        first, tail = b"", b""
        for part in self._parts(last):
            if self.halted:
                raise KeyboardInterrupt
            first = first if len(first) >= EDGE else (first + part)[:EDGE]
            tail = (tail + part)[-EDGE:] if len(part) < EDGE else part[-EDGE:]
            add(len(part))
            yield part
        self.edges = (first, tail)

    def _parts(self, last: Callable[[], object]) -> Iterator[bytes]:
        files = Files()
        kept: dict[str, bytes] = {}
        wanted = sinks.documents(self.layout.blobs)
        try:
            if wrong := sinks.altered(self.record, self.layout.derived, files):
                raise Differs(wrong)
            for start in range(0, len(self.head), CHUNK):
                yield self.head[start : start + CHUNK]
            for entry in self.layout.blobs:
                yield blob_header(entry)
                digest, held = hasher(), bytearray()
                for part in sinks.file_chunks(entry["at"], entry["size"], files):
                    digest.update(part)
                    if entry["digest"] in wanted:
                        held += part
                    yield bytes(part)
                if (actual := "sha256:" + digest.hexdigest()) != entry["digest"]:
                    raise Differs([mismatch(entry, actual)])
                kept[actual] = bytes(held)
                yield bytes(tarball.padding(entry["size"]))
        finally:
            files.close()
        if wrong := sinks.image_findings(self.layout.manifest, kept):
            raise Differs(wrong)
        last()
        yield tarball.END


class Push:
    """One bundle on its way to one object."""

    def __init__(self, url: str, whole: Bytes, force: bool, transfers: Any) -> None:
        self.url, self.whole, self.force, self.transfers = url, whole, force, transfers
        self.scheme, _, self.key = objectstore.split(url)

    def run(self) -> int:
        """How many bytes were sent, none if it was there. Raises Differs and Fail."""
        if (there := head(self.url, self.key)) and self._same(there):
            return 0
        if there and not self.force:
            raise self._exists()
        transfer = self.transfers.begin(self.url, self.whole.size, "uploading")
        try:
            arrived = self._send(transfer)
        except BaseException as error:
            transfer.end("differs" if isinstance(error, Differs) else "failed")
            raise
        transfer.end("uploaded" if arrived else "there")
        return self.whole.size if arrived else 0

    def _send(self, transfer: Any) -> bool:
        """Whether it was sent; False where another push of the same bytes was faster."""
        try:
            made = _apart(lambda: self._sent(transfer.add), self.whole)
        except Exception as error:
            if not objectstore.conflict(error):
                raise
            there = head(self.url, self.key)
            if there is None:
                raise Fail("network", f"{self.url}: somebody else is writing there; try again").proposing() from None
            if not self._same(there):
                raise self._exists() from None
            return False
        self._read_back(made)
        return True

    def _sent(self, add: Callable[[int], object]) -> Any:
        """What the store says of the object that it made: its `e_tag`, if it says one."""
        store, mode = objectstore.opened(self.url, objectstore.WRITING), "overwrite" if self.force else "create"
        named: Any = {"attributes": {"Content-Type": TYPE}}
        if self.whole.size <= PART:
            return self._asked(store.put, self.key, b"".join(self.whole.chunks(add)), mode=mode, use_multipart=False, **named)
        part = max(PART, -(-self.whole.size // MAX_PARTS // CHUNK) * CHUNK)
        if part > PART:
            store = objectstore.opened(self.url, objectstore.WRITING * (part // PART + 1))
        named |= {"use_multipart": True, "chunk_size": part, "max_concurrency": ABREAST}
        if self.force:
            return self._asked(store.put, self.key, self.whole.chunks(add), **named)
        if self.scheme == "s3" and self.whole.size > COPIED:
            return self._asked(store.put, self.key, self.whole.chunks(add, self._still_free), **named)
        return self._by_way_of(f"{self.key}.ct-{os.urandom(8).hex()}", store, add, named)

    def _by_way_of(self, beside: str, store: Any, add: Callable[[int], object], named: Any) -> Any:
        """Send it to a key of its own, and let the store copy it to the key that is meant, if nothing is there."""
        objectstore.split(self.url.removesuffix(self.key) + beside)
        made = self._asked(store.put, beside, self.whole.chunks(add), **named)
        try:
            self._asked(objectstore.opened(self.url, objectstore.COPYING).copy, beside, self.key, overwrite=False)
        except BaseException:
            self._remove(store, beside)
            raise
        if not self._remove(store, beside):
            raise Fail(
                "network", f"{self.url} is there, and {beside!r}, which it was copied from, cannot be removed", Left=beside
            )
        # The copy has a tag of its own.
        return {**made, "e_tag": None}

    def _remove(self, store: Any, key: str) -> bool:
        try:
            self._asked(store.delete, key)
        except (Fail, FileNotFoundError):
            return False
        return True

    def _asked(self, do: Callable[..., Any], *given: Any, **named: Any) -> Any:
        try:
            return objectstore.asked(self.url, do, *given, **named)
        except FileNotFoundError as error:
            raise objectstore.failed(self.url, error) from None

    def _still_free(self) -> None:
        if head(self.url, self.key):
            raise self._exists()

    def _exists(self) -> Fail:
        return Fail("destination-exists", f"{self.url} is there, and is not this bundle", Destination=self.url)

    def _same(self, there: dict[str, Any]) -> bool:
        """Whether the object has the very bytes of the bundle, which are hashed by that."""
        if there["size"] != self.whole.size:
            return False
        transfer = self.transfers.begin(self.url, self.whole.size, "comparing")
        same = False
        try:
            same = self._equal(chunks(self.url, 0, there["size"], there["e_tag"]), transfer.add)
        finally:
            transfer.end("there" if same else "differs")
        return same

    def _equal(self, theirs: Iterator[memoryview], add: Callable[[int], object]) -> bool:
        rest = memoryview(b"")
        for part in self.whole.chunks(add):
            ours = memoryview(part)
            while ours:
                rest = rest or next(theirs)
                size = min(len(ours), len(rest))
                if bytes(ours[:size]) != bytes(rest[:size]):
                    return False
                ours, rest = ours[size:], rest[size:]
        return True

    def _read_back(self, made: dict[str, Any]) -> None:
        there = head(self.url, self.key)
        found: dict[str, Any] = there or {"size": None, "e_tag": None}
        if found["size"] != self.whole.size:
            raise Fail("not-arrived", self.url, Expected=self.whole.size, Actual=found["size"], Destination=self.url)
        if made["e_tag"] and found["e_tag"] != made["e_tag"]:
            raise Fail("not-arrived", f"{self.url} was replaced at once", Destination=self.url)
        first, last = self.whole.edges
        for offset, expected in ((0, first), (self.whole.size - len(last), last)):
            if b"".join(chunks(self.url, offset, len(expected), found["e_tag"])) != expected:
                raise Fail("not-arrived", f"{self.url} has other bytes at {offset}", Destination=self.url)


def _apart(work: Callable[[], Any], whole: Bytes) -> Any:
    """What `work` returns, done by another thread: a signal is noticed in this one, and ends the other's upload cleanly."""
    done: list[Any] = []
    failures: list[BaseException] = []
    # Not Thread.join, which takes a thread for ended once a signal interrupted it.
    working = allocate_lock()
    working.acquire()

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # carried to the caller's thread, which raises it
            failures.append(error)
        finally:
            working.release()

    start_new_thread(run, ())
    try:
        while not working.acquire(timeout=0.5):
            pass
    except KeyboardInterrupt:
        whole.halted = True
        working.acquire(timeout=GRACE)
        raise
    if failures:
        raise failures[0]
    return done[0]
