"""Writing a bundle whose blobs lie at URLs: several at a time to their final places, hashed as they come (spec/moving.adoc,
"What is resumed")."""

import os
from _thread import allocate_lock
from collections.abc import Callable, Iterator
from contextlib import suppress

from cerrotorre import images, layout, origin, remote, sinks
from cerrotorre.content import CHUNK, Entry, Files, mismatch
from cerrotorre.digest import hasher
from cerrotorre.errors import Fail, Finding
from cerrotorre.partial import Partial
from cerrotorre.records import Record
from cerrotorre.typed import Any

# Blobs at a time, and bytes between two writings of the journal: what a kill costs. Of many blobs more, since each has its line there.
THREADS, SAVE, SAVE_EACH = 6, 1 << 20, 1000
# Seconds that the others are given to stop.
STOP = 0.5


def write_file(
    record: Record, path: str, transfers: Any, approve: Callable[[], bool] | None = None, *, new: bool = False
) -> list[Finding]:
    """Write the bundle to `path`, whole or not at all. Returns what is wrong, if anything.

    Once nothing is wrong `approve` is asked. What a network's failure or an interruption cuts off stays in `.NAME.part`, for the next
    call; a KeyboardInterrupt then has its path as argument. `new`: of an image that nobody has promised to be whole.
    """
    laid = layout.Layout(record)
    pieces, places, size = laid.plan()
    files = Files()
    with Partial(path) as part:
        work = _Work(laid.blobs, places, part, files, transfers, new)
        try:
            if wrong := sinks.altered(record, laid.derived, files):
                return wrong
            work.marks = part.begin(record["manifest_digest"], size, [entry["size"] for entry in laid.blobs])
            # A full disk is found before the work.
            os.posix_fallocate(part.fd, 0, size)
            for offset, data in pieces:
                part.write(data, offset)
            wrong = work.run(_order(laid.blobs, documents=True))
            # What is no image, or another, is not fetched.
            wrong = wrong or sinks.image_findings(laid.manifest, work.kept)
            wrong = wrong or work.run(_order(laid.blobs, documents=False))
            files.close()
            if not wrong and (approve is None or approve()):
                layout.sync_before_replacing(laid, path, part.fd)
                part.finish()
        except OSError as error:
            raise Fail("file-unwritable", f"cannot write '{path}': {error.strerror}", File=path) from None
        except KeyboardInterrupt as stop:
            work.stay()
            stop.args = (part.shown,) if part.keep else ()
            raise
        except Fail as fail:
            if fail.finding["status"] == 12:
                work.stay()
                if part.keep:
                    fail.finding["context"]["Kept"] = f"{part.shown}: the same command again goes on from there"
                if fail.finding["finding"] == "blob-unreachable":
                    # One was missed first; whoever looks for them wants to know all, if that can be known.
                    with suppress(Fail):
                        fail.finding["context"]["Blobs"] = origin.named(origin.missing(laid.blobs))
            raise
    return wrong


def _order(blobs: list[Entry], *, documents: bool) -> list[int]:
    """The numbers of the image's documents, or of the others, the largest first: that one takes longest."""
    wanted = [number for number, entry in enumerate(blobs) if (entry["role"] in sinks.DOCUMENTS) is documents]
    return sorted(wanted, key=lambda number: -blobs[number]["size"])


class _Stopped(Exception):
    """Another thread has failed, or the work is interrupted."""


class _Work:
    """The blobs of one bundle, moved by several threads. `marks` is how much of each is written, `kept` the documents by digest."""

    def __init__(self, blobs: list[Entry], places: list[int], part: Partial, files: Files, transfers: Any, new: bool) -> None:
        self._blobs, self._places, self._part = blobs, places, part
        self._files, self._transfers, self._new = files, transfers, new
        self._wanted = sinks.documents(blobs)
        self.marks = [0] * len(blobs)
        self.kept: dict[str, bytes] = {}
        self._wrong: dict[int, Finding] = {}
        self._failures: list[BaseException] = []
        self._lock = allocate_lock()
        self._unsaved = 0
        self._stopped = False

    def run(self, numbers: list[int]) -> list[Finding]:
        """Move these blobs. Raises the first failure of any."""
        # urllib3 imports it anyway.
        from threading import Event, Thread

        pending, over = iter(numbers), Event()

        def thread() -> None:
            try:
                while not self._stopped:
                    with self._lock:
                        number = next(pending, None)
                    if number is None:
                        break
                    self._move(number)
            except _Stopped:
                pass
            except BaseException as error:  # carried to the caller's thread, which raises it
                self._failures.append(error)
                over.set()
            with self._lock:
                left[0] -= 1
                if not left[0]:
                    over.set()

        threads = [Thread(target=thread, daemon=True) for _ in range(min(THREADS, len(numbers)))]
        left = [len(threads)]
        if not threads:
            return []
        try:
            for one in threads:
                one.start()
            # In the main thread, which signals interrupt, nothing is in the middle of anything.
            over.wait()
        finally:
            # After a failure or an interruption the others stop with their next piece; else there are none.
            self._stopped = left[0] > 0
            for one in threads:
                if one.ident is not None:
                    one.join(STOP / len(threads))
            # Who waits for a silent server cannot be waited for.
            self._part.abandoned = any(one.is_alive() for one in threads)
        if self._failures:
            raise self._failures[0]
        return [self._wrong[number] for number in sorted(self._wrong)]

    def stay(self) -> None:
        """Leave what there is to the next call, if that is worth it."""
        with self._lock:
            self._stopped = True
            if sum(self.marks) >= CHUNK:
                try:
                    self._part.stay(self.marks)
                except OSError:
                    return

    def _move(self, number: int) -> None:
        entry = self._blobs[number]
        transfer = self._transfers.begin(f"{entry['role']} {entry['digest'][7:19]}", entry["size"], "fetching")
        how = "failed"
        try:
            there = self.marks[number]
            # A mirror or a cache may have given damaged bytes, and what was there may be of a disk that lost power: once more.
            for again in (False, True):
                actual, data = self._pass(number, transfer, again)
                if actual == entry["digest"]:
                    how = "kept" if there == entry["size"] and there else "resumed" if there else "fetched"
                    if entry["digest"] in self._wanted:
                        self.kept[actual] = data
                    return
                there = 0
                self._mark(number, 0)
                transfer.add(-entry["size"])
            self._wrong[number] = mismatch(entry, actual)
        finally:
            transfer.end(how)

    def _pass(self, number: int, transfer: Any, again: bool) -> tuple[str, bytes]:
        """(digest, the bytes if they are to be kept) of what is there of a blob and of what comes behind it."""
        entry, to = self._blobs[number], self._places[number]
        keep = entry["digest"] in self._wanted
        digest, held, position = hasher(), bytearray(), 0
        for part in self._bytes(number, again):
            if self._stopped:
                raise _Stopped
            digest.update(part)
            if keep:
                held += part
            if position + len(part) > entry["size"]:
                raise Fail("network", f"more comes of {entry['digest']} than it has", Blob=entry["digest"])
            if position >= self.marks[number]:
                self._part.write(part, to + position)
                self._mark(number, position + len(part))
            position += len(part)
            transfer.add(len(part))
        if position != entry["size"]:
            raise Fail("network", f"less comes of {entry['digest']} than it has", Blob=entry["digest"])
        with self._lock:
            if entry["size"] >= CHUNK:
                self._part.save(self.marks)
        return "sha256:" + digest.hexdigest(), bytes(held)

    def _bytes(self, number: int, again: bool) -> Iterator[bytes | memoryview]:
        """What is written already, then what its place has behind that."""
        entry, to, there = self._blobs[number], self._places[number], self.marks[number]
        for offset in range(0, there, CHUNK):
            yield os.pread(self._part.fd, min(CHUNK, there - offset), to + offset)
        if there == entry["size"]:
            return
        if "file" in entry["at"]:
            at = {**entry["at"], "offset": entry["at"]["offset"] + there}
            yield from sinks.file_chunks(at, entry["size"] - there, self._files)
            return
        try:
            yield from remote.chunks(entry["at"], entry, there, again=again)
        except remote.Absent as fail:
            if self._new:
                raise images.absent(entry["digest"], [], str(fail)) from None
            raise Fail("blob-unreachable", str(fail), **fail.finding["context"]) from None

    def _mark(self, number: int, position: int) -> None:
        with self._lock:
            self._unsaved += abs(position - self.marks[number])
            self.marks[number] = position
            if self._unsaved >= max(SAVE, SAVE_EACH * len(self.marks)):
                self._unsaved = 0
                self._part.save(self.marks)
