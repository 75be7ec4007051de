"""Where bytes lie, and moving them: the part that sinks share.

`at` is {"file","id","offset"} or {"fd","offset"} (spec/records.adoc). A file's identity is compared before and after it is
read. Bytes are hashed as they pass; several blobs at once where they lie in files. Memory is one buffer a thread.
"""

import os
import stat
from _thread import allocate_lock
from collections.abc import Callable, Iterator

from cerrotorre.digest import hasher
from cerrotorre.errors import Fail, Finding, finding
from cerrotorre.typed import Any

CHUNK = 1 << 20
# Below this, starting threads costs more than it gains.
PARALLEL = 4 << 20

Entry = dict[str, Any]


def identity(info: os.stat_result) -> str:
    """What tells that a file is still the one that was read: device, inode, size, times."""
    return f"{info.st_dev}:{info.st_ino}:{info.st_size}:{info.st_mtime_ns}:{info.st_ctime_ns}"


def open_file(path: str) -> int:
    """A regular file for reading, never waiting for a FIFO's writer. Raises Fail file-unreadable or not-a-file."""
    try:
        # The path is UTF-8 whatever the locale says: records are.
        fd = os.open(path.encode(), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise Fail("file-unreadable", f"cannot open '{path}': {reason}", File=path) from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise Fail("not-a-file", f"'{path}' is not a regular file", File=path)
    return fd


def absolute(path: str) -> str:
    """The path from the root; as it is where the working directory is named in something else than UTF-8: records are UTF-8."""
    whole = os.path.abspath(path)
    try:
        whole.encode()
    except UnicodeEncodeError:
        return path
    return whole


def locate(path: str) -> tuple[str, int]:
    """(id, size) of a file as it is now."""
    fd = open_file(path)
    try:
        info = os.fstat(fd)
    finally:
        os.close(fd)
    return identity(info), info.st_size


class Files:
    """The files that a record's `at` name: each opened once, its identity compared when opened and when closed."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[int, str]] = {}
        self._lock = allocate_lock()

    def fd(self, at: Entry) -> int:
        with self._lock:
            if at["file"] not in self._open:
                fd = open_file(at["file"])
                if identity(os.fstat(fd)) != at["id"]:
                    os.close(fd)
                    raise Fail("file-changed", f"'{at['file']}' changed", File=at["file"])
                self._open[at["file"]] = (fd, at["id"])
            fd, known = self._open[at["file"]]
            if known != at["id"]:
                raise Fail("file-changed", f"'{at['file']}' changed", File=at["file"])
            return fd

    def close(self, *paths: str) -> None:
        """Close these, or all. Raises Fail file-changed if one is not what it was."""
        changed = None
        for path in paths or tuple(self._open):
            with self._lock:
                fd, known = self._open.pop(path, (-1, ""))
            if fd < 0:
                continue
            if identity(os.fstat(fd)) != known:
                changed = path
            os.close(fd)
        if changed is not None:
            raise Fail("file-changed", f"'{changed}' changed while it was read", File=changed)


def read(at: Entry, size: int, files: Files) -> bytes:
    """All the bytes of a small thing in a file."""
    fd = files.fd(at)
    parts, position, left = [], at["offset"], size
    while left:
        try:
            part = os.pread(fd, min(left, CHUNK), position)
        except OSError as error:
            raise Fail("file-unreadable", f"'{at['file']}': {error.strerror}", File=at["file"]) from None
        if not part:
            raise Fail("truncated", f"'{at['file']}' ends early", File=at["file"])
        parts.append(part)
        position += len(part)
        left -= len(part)
    return b"".join(parts)


def read_one(at: Entry, size: int) -> bytes:
    """All the bytes of one small thing in a file. Raises Fail file-changed too, if the file is another by then."""
    files = Files()
    try:
        return read(at, size, files)
    finally:
        files.close()


def read_exactly(fd: int, size: int) -> bytes:
    """Exactly so many bytes of a pipe. Raises Fail truncated."""
    whole = bytearray(size)
    # Into place as they arrive: they may come one at a time, and an object for each would be many times their size.
    left = memoryview(whole)
    while left:
        got = os.readv(fd, [left])
        if not got:
            raise Fail("truncated", "the stream ends early")
        left = left[got:]
    return bytes(whole)


def read_up_to(fd: int, limit: int) -> bytes:
    """What a descriptor holds from where it stands, but no more than `limit` bytes."""
    parts, left = [], limit
    while left and (part := os.read(fd, min(left, CHUNK))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def chunks(path: str) -> Iterator[bytes]:
    """The bytes of a regular file, a chunk at a time."""
    fd = open_file(path)
    try:
        while part := os.read(fd, CHUNK):
            yield part
    except OSError as error:
        raise Fail("file-unreadable", f"'{path}': {error.strerror}", File=path) from None
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


# Buffers between jobs: a fresh one would have to be zeroed, and its pages found, for every bundle.
_idle: list[bytearray] = []


# A job: one blob. keep: its bytes are wanted afterwards. to: offset in the output file.
Job = dict[str, Any]


def mismatch(entry: Entry, actual: str) -> Finding:
    return finding("hash-mismatch", Blob=f"{entry['role']}, {entry['size']} bytes", Expected=entry["digest"], Actual=actual)


def move(
    jobs: list[Job], files: Files, output: int | None = None, progress: Callable[[int], object] | None = None
) -> tuple[dict[str, bytes], list[Finding]]:
    """Hash the blobs of `jobs` ({"entry","at","to","keep"}), and copy them into `output` at their place.

    Returns the bytes of those to keep, by digest, and a finding for each whose bytes are not its digest's, in the order of
    the jobs, however the threads ran. Raises Fail for what could not be read or written.
    """
    kept: dict[str, bytes] = {}
    wrong: dict[int, Finding] = {}
    failures: list[BaseException] = []
    pending = iter(enumerate(jobs))
    lock = allocate_lock()
    # An image may lie in more files than can be open at once, so each is closed after its last job.
    left: dict[str, int] = {}
    for job in jobs:
        left[job["at"]["file"]] = left.get(job["at"]["file"], 0) + 1

    def work() -> None:
        buffer = _idle.pop() if _idle else bytearray(CHUNK)
        while not failures:
            with lock:
                number, job = next(pending, (-1, None))
            if job is None:
                _idle.append(buffer)
                return
            try:
                actual = _move_one(job, files.fd(job["at"]), output, buffer, kept, progress)
                if actual != job["entry"]["digest"]:
                    wrong[number] = mismatch(job["entry"], actual)
                with lock:
                    left[job["at"]["file"]] -= 1
                    last = not left[job["at"]["file"]]
                if last:
                    files.close(job["at"]["file"])
            except BaseException as error:  # carried to the caller's thread, which raises it
                failures.append(error)

    threads = 1
    if sum(job["entry"]["size"] for job in jobs) >= PARALLEL:
        threads = min(len(os.sched_getaffinity(0)), len(jobs), 16)
    others: list[Any] = []
    if threads > 1:
        # Only large bundles need threads, and the start-up of every other would pay for the import.
        from threading import Thread

        others = [Thread(target=work, daemon=True) for _ in range(threads - 1)]
    for thread in others:
        thread.start()
    work()
    for thread in others:
        thread.join()
    if failures:
        raise failures[0]
    return kept, [wrong[number] for number in sorted(wrong)]


def _move_one(
    job: Job, fd: int, output: int | None, buffer: bytearray, kept: dict[str, bytes], progress: Callable[[int], object] | None
) -> str:
    entry, at = job["entry"], job["at"]
    digest = hasher()
    position, left, shift = at["offset"], entry["size"], job["to"] - at["offset"]
    parts: list[bytes] | None = [] if job["keep"] else None
    whole = memoryview(buffer)
    while left:
        try:
            got = os.preadv(fd, [whole[: min(left, CHUNK)]], position)
        except OSError as error:
            raise Fail("file-unreadable", f"'{at['file']}': {error.strerror}", File=at["file"]) from None
        if not got:
            raise Fail("truncated", f"'{at['file']}' ends inside {entry['digest']}", File=at["file"], Blob=entry["digest"])
        part = whole[:got]
        digest.update(part)
        if parts is not None:
            parts.append(bytes(part))
        if output is not None:
            done = 0
            while done < got:
                done += os.pwrite(output, part[done:], position + shift + done)
        position += got
        left -= got
        if progress:
            progress(got)
    if parts is not None:
        kept[entry["digest"]] = b"".join(parts)
    return "sha256:" + digest.hexdigest()
