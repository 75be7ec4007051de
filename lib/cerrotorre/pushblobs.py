"""Blobs sent to a repository, several at a time: every one is hashed here, sent or not (spec/moving.adoc, "What a push promises")."""

import os
from _thread import allocate_lock
from collections.abc import Iterator

from cerrotorre.content import CHUNK, Entry, Files, mismatch
from cerrotorre.digest import hasher
from cerrotorre.distribution import Repository
from cerrotorre.errors import Fail, Finding
from cerrotorre.typed import Any

THREADS = 8

# {"entry": {"digest","size","role"}, "at": place | None, "data": bytes | None, "keep": bool, "send": bool}
Job = dict[str, Any]


class Mismatch(Fail):
    """The bytes of a blob are not its digest's: `finding` says which."""

    def __init__(self, entry: Entry, actual: str) -> None:
        super().__init__("hash-mismatch")
        self.finding = mismatch(entry, actual)


class Sending:
    """What is sent to one repository. `moved` and `there` are bytes, `uploaded` the jobs' entries that the repository did not have;
    `kept` the bytes of those to keep, by digest; `wrong` what does not match, in the order of the jobs."""

    def __init__(self, repository: Repository, source: str | None, files: Files, transfers: Any) -> None:
        self._repository, self._source, self._files, self._transfers = repository, source, files, transfers
        self._lock = allocate_lock()
        self._failures: list[BaseException] = []
        self._wrong: dict[int, Finding] = {}
        self.moved = self.there = 0
        self.uploaded: list[Entry] = []
        self.kept: dict[str, bytes] = {}

    @property
    def wrong(self) -> list[Finding]:
        return [self._wrong[number] for number in sorted(self._wrong)]

    def run(self, jobs: list[Job]) -> None:
        """Do the jobs. Once something does not match nothing more is sent, and the rest only hashed. Raises Fail for what failed."""
        # Imported where it is used: no other sink needs so many.
        from threading import Thread

        # Large ones first: the last to end decides when all is done.
        pending = iter(sorted(enumerate(jobs), key=lambda job: (-job[1]["entry"]["size"], job[0])))

        def work() -> None:
            buffer = bytearray(CHUNK)
            while not self._failures:
                with self._lock:
                    number, job = next(pending, (-1, None))
                if job is None:
                    return
                try:
                    self._one(job, buffer)
                except Mismatch as fail:
                    self._wrong[number] = fail.finding
                except BaseException as error:  # carried to the caller's thread, which raises it
                    self._failures.append(error)

        others = [Thread(target=work, daemon=True) for _ in range(min(THREADS, len(jobs)) - 1)]
        for thread in others:
            thread.start()
        work()
        # Once one has failed, the others are not waited for: they stop at their next piece.
        for thread in others:
            while thread.is_alive() and not self._failures:
                thread.join(0.1)
        if self._failures:
            raise self._failures[0]

    def _one(self, job: Job, buffer: bytearray) -> None:
        entry = job["entry"]
        transfer = self._transfers.begin(entry["digest"], entry["size"], "uploading" if job["send"] else "hashing")
        reading = _Reading(job, self._files, buffer, transfer, self._failures)
        how = "hashed"
        try:
            if job["send"] and not self._wrong:
                if self._repository.blob_size(entry["digest"]) == entry["size"]:
                    how = "there"
                else:
                    how = self._repository.upload(entry["digest"], entry["size"], reading.chunks, self._source)
            # What was mounted, or was there, says nothing about what lies here.
            if not reading.matched:
                for _ in reading.chunks():
                    pass
        except Mismatch:
            how = "differs"
            raise
        except BaseException:
            how = "failed"
            raise
        finally:
            transfer.end(how)
        with self._lock:
            if job["keep"]:
                self.kept[entry["digest"]] = b"".join(reading.parts)
            if how in ("uploaded", "mounted"):
                self.uploaded.append(entry)
            if how == "uploaded":
                self.moved += entry["size"]
            elif how != "hashed":
                self.there += entry["size"]


class _Reading:
    """The bytes of one blob, hashed as they are read; `matched` once all of them have been, and are the digest's."""

    def __init__(self, job: Job, files: Files, buffer: bytearray, transfer: Any, failures: list[BaseException]) -> None:
        self._job, self._files, self._buffer, self._transfer = job, files, memoryview(buffer), transfer
        self._failures = failures
        self._counted = 0
        self.matched = False
        self.parts: list[bytes] = []

    def chunks(self) -> Iterator[memoryview]:
        """From the beginning. The last one is held back until the whole has matched: nobody completes what does not.

        Each part is overwritten by the next. Raises Mismatch, Fail file-*.
        """
        entry, digest, done = self._job["entry"], hasher(), 0
        self.parts.clear()
        self._transfer.add(-self._counted)
        self._counted = 0
        while True:
            if self._failures:
                raise self._failures[0]
            part = self._read(done, min(CHUNK, entry["size"] - done))
            digest.update(part)
            done += len(part)
            if done == entry["size"]:
                actual = "sha256:" + digest.hexdigest()
                if actual != entry["digest"]:
                    raise Mismatch(entry, actual)
                self.matched = True
            if self._job["keep"]:
                self.parts.append(bytes(part))
            if part:
                yield part
            self._transfer.add(len(part))
            self._counted += len(part)
            if done == entry["size"]:
                return

    def _read(self, begin: int, size: int) -> memoryview:
        if self._job["data"] is not None:
            return memoryview(self._job["data"])[begin : begin + size]
        at, digest = self._job["at"], self._job["entry"]["digest"]
        try:
            got = os.preadv(self._files.fd(at), [self._buffer[:size]], at["offset"] + begin) if size else 0
        except OSError as error:
            raise Fail("file-unreadable", f"'{at['file']}': {error.strerror}", File=at["file"]) from None
        if not got and size:
            raise Fail("truncated", f"'{at['file']}' ends inside {digest}", File=at["file"], Blob=digest)
        return self._buffer[:got]
