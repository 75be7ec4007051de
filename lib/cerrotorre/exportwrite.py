"""Writing an archive of bundles, in one part or several: every blob hashed as it is copied, every part whole or not there at all
(spec/export.adoc, "Exporting")."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from cerrotorre import exportindex, tarball
from cerrotorre.compressing import Compressor
from cerrotorre.content import CHUNK, Entry, Files, Job, mismatch, move
from cerrotorre.digest import hasher, sha256
from cerrotorre.errors import Fail, Finding
from cerrotorre.exportgather import Gathered
from cerrotorre.newfile import NewFile
from cerrotorre.typed import Any

Progress = Callable[[int], object] | None
# (position, bytes that stand there or None, what is to be copied there)
Piece = tuple[int, bytes | None, dict[str, Any]]
# Descriptors that are open besides the parts'.
_OTHERS = 64


def names(path: str, index: exportindex.Index, *, split: bool) -> list[str]:
    """The files of an archive: only one that was not to be split is called as it was named."""
    return [f"{path}.{part:03d}" for part in range(1, index["parts"] + 1)] if split else [path]


def refuse_others(path: str, taken: list[str]) -> None:
    """Raise Fail destination-exists if there is more of an archive of this name than will be replaced: who reads would find both."""
    directory, base = os.path.split(path)
    part = re.compile(re.escape(base) + r"(?:\.[0-9]{3})?")
    try:
        there = sorted(name for name in os.listdir(directory or ".") if part.fullmatch(name))
    except OSError as error:
        raise Fail("file-unwritable", f"cannot write '{path}': {error.strerror}", File=path) from None
    ours = {os.path.basename(one) for one in taken}
    others = [name for name in there if name not in ours]
    if others:
        count = f"{len(others)} files, the first '{others[0]}'," if len(others) > 1 else f"'{others[0]}'"
        detail = f"{count} would be taken for a part of this archive"
        raise Fail("destination-exists", detail, File=os.path.join(directory, others[0])).proposing(
            "remove it, or name another ARCHIVE"
        )


class Archive:
    """What is written: the index, the signature on it if there is one, the bytes of `files` by name, and the bundles."""

    def __init__(self, index: exportindex.Index, signature: bytes | None, files: dict[str, bytes], gathered: Gathered) -> None:
        self.index, self._gathered = index, gathered
        self._signed = None if signature is None else len(signature)
        data = exportindex.write(index)
        self.digest = sha256(data)
        self._small = {
            **files,
            exportindex.INDEX: data,
            exportindex.SIGNATURE: signature or b"",
            "oci-layout": exportindex.oci_layout(),
            "index.json": exportindex.index_json(index),
        }
        # Blobs that are cut: hashed over several parts.
        self._cut: dict[str, Any] = {}
        self._files = Files()
        self.lengths = [exportindex.length(index, part, self._signed) for part in range(1, index["parts"] + 1)]

    def write(self, paths: list[str], kind: str, progress: Progress) -> tuple[list[int], list[Finding]]:
        """Write the parts. Returns (their sizes, what is wrong with blobs, and then no file has its name)."""
        _allow(len(paths) + _OTHERS)
        wrong: list[Finding] = []
        with ExitStack() as stack:
            made: list[NewFile] = []
            try:
                for part, path in enumerate(paths, 1):
                    made.append(stack.enter_context(NewFile(path)))
                    if kind == "tar":
                        wrong += self._plain(part, made[-1].fd, progress)
                    else:
                        wrong += self._compressed(part, made[-1].fd, kind, progress)
            except OSError as error:
                raise Fail("file-unwritable", f"cannot write '{path}': {error.strerror}", File=path) from None
            finally:
                self._files.close()
            sizes = [os.fstat(one.fd).st_size for one in made]
            if not wrong:
                _name(made, paths)
        return sizes, wrong

    def _laid(self, part: int) -> Iterator[Piece]:
        """Everything in a part, in order."""
        position, spooled = 0, False
        for name, size, what in exportindex.members(self.index, part, self._signed):
            if what["kind"] == "member":
                if not spooled:
                    yield position, None, {"kind": "spool", "size": self._gathered.spooled}
                    position, spooled = position + self._gathered.spooled, True
                continue
            head = tarball.header(name, size, tarball.DIRECTORY if what["kind"] == "directory" else tarball.FILE)
            padding = bytes(tarball.padding(size))
            if what["kind"] == "blob":
                yield position, head, what
                yield position + len(head), None, {**what, "size": size}
                yield position + len(head) + size, padding, what
            elif what["kind"] == "part":
                yield position, head + exportindex.part_json(self.index, self.digest, part) + padding, what
            else:
                yield position, head + self._small.get(name, b"") + padding, what
            position += len(head) + size + len(padding)
        yield position, tarball.END, {"kind": "end"}

    def _plain(self, part: int, fd: int, progress: Progress) -> list[Finding]:
        """A part that is not compressed: its whole blobs several at a time."""
        # A full disk is found before the work.
        os.posix_fallocate(fd, 0, self.lengths[part - 1])
        jobs: list[Job] = []
        wrong: list[Finding] = []
        for position, data, what in self._laid(part):
            if data is not None:
                _pwrite(fd, data, position)
            elif what["kind"] == "blob" and what["last"] and not what["offset"]:
                entry = self._gathered.entries[what["digest"]]
                jobs.append({"entry": entry, "at": entry["at"], "to": position, "keep": False})
            else:
                for chunk in self._copied(what, progress, wrong):
                    position += _pwrite(fd, chunk, position)
        _, found = move(jobs, self._files, fd, progress)
        return [self._owned(made) for made in [*wrong, *found]]

    def _compressed(self, part: int, fd: int, kind: str, progress: Progress) -> list[Finding]:
        wrong: list[Finding] = []
        out = Compressor(lambda data: _written(fd, data), kind, self.lengths[part - 1])
        for _, data, what in self._laid(part):
            if data is not None:
                out.add(data)
            else:
                for chunk in self._copied(what, progress, wrong):
                    out.add(chunk)
        out.end()
        return [self._owned(made) for made in wrong]

    def _copied(self, what: dict[str, Any], progress: Progress, wrong: list[Finding]) -> Iterator[bytes]:
        """The bytes of a blob, of a piece of one, or of the spool. A blob that is over and has not its digest goes to `wrong`."""
        if what["kind"] == "spool":
            yield from _chunks(self._gathered.spool, 0, what["size"], "the trust members, which were set aside,")
            return
        entry: Entry = self._gathered.entries[what["digest"]]
        at = entry["at"]
        digest = self._cut.pop(what["digest"], None) or hasher()
        for chunk in _chunks(self._files.fd(at), at["offset"] + what["offset"], what["size"], f"'{at['file']}'"):
            digest.update(chunk)
            yield chunk
            if progress:
                progress(len(chunk))
        self._files.close(at["file"])
        if not what["last"]:
            self._cut[what["digest"]] = digest
        elif (actual := "sha256:" + digest.hexdigest()) != what["digest"]:
            wrong.append(mismatch(entry, actual))

    def _owned(self, made: Finding) -> Finding:
        """A finding about a blob, with the name of the bundle that it was copied from."""
        made["context"] = {"Bundle": self._gathered.owners[made["context"]["Expected"]], **made["context"]}
        return made


def _name(made: list[NewFile], paths: list[str]) -> None:
    """Give every part its name, or none."""
    done: list[str] = []
    try:
        for part, path in zip(made, paths, strict=True):
            part.commit()
            done.append(path)
    except BaseException:
        for path in done:
            os.unlink(path)
        raise


def _allow(descriptors: int) -> None:
    """Let so many files be open at a time: no part has a name before all have."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft not in (resource.RLIM_INFINITY,) and soft < descriptors:
        allowed = descriptors if hard == resource.RLIM_INFINITY else min(descriptors, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def _chunks(fd: int, position: int, size: int, name: str) -> Iterator[bytes]:
    end = position + size
    while position < end:
        try:
            data = os.pread(fd, min(CHUNK, end - position), position)
        except OSError as error:
            raise Fail("file-unreadable", f"{name}: {error.strerror}") from None
        if not data:
            raise Fail("truncated", f"{name} ends early")
        position += len(data)
        yield data


def _pwrite(fd: int, data: bytes, position: int) -> int:
    done = 0
    while done < len(data):
        done += os.pwrite(fd, data[done:], position + done)
    return done


def _written(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
