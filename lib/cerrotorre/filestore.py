"""A bundle pushed to a file or a directory: laid out and hashed in one pass, named once all of it matched (spec/moving.adoc)."""

import os
from collections.abc import Callable

from cerrotorre import sinks
from cerrotorre.content import Files, identity, move, open_file
from cerrotorre.errors import Fail, Finding
from cerrotorre.layout import Layout, write_pieces
from cerrotorre.newfile import NewFile, sync_directory
from cerrotorre.records import Record
from cerrotorre.typed import Any


class _Laid:
    """The bytes of a bundle: `pieces` (offset, bytes) around its blobs, `places` of these, `size` in all."""

    def __init__(self, record: Record) -> None:
        self.record, self.layout = record, Layout(record)
        self.pieces, self.places, self.size = self.layout.plan()

    def hashed(self, output: int | None, transfer: Any) -> list[Finding]:
        """What of the bundle's content does not match, each blob copied to its place in `output` as it is hashed."""
        files = Files()
        try:
            wrong = sinks.altered(self.record, self.layout.derived, files)
            jobs = sinks.jobs(self.layout.blobs, self.places)
            kept, more = move(jobs, files, output, transfer.add) if not wrong else ({}, [])
        finally:
            files.close()
        return wrong + more or sinks.image_findings(self.layout.manifest, kept)


def push(record: Record, to: dict[str, Any], options: dict[str, Any], transfers: Any) -> dict[str, Any]:
    """Write the bundle to `to["path"]`: {"destination", "image", "bundle", "moved", "there"}, or {"findings"} of what does not match.

    What is there and is the same is left alone. Raises Fail destination-exists for what is not, unless options["force"].
    """
    path = _place(to["path"], record["bundle"])
    laid = _Laid(record)
    there = os.path.lexists(path.encode())
    same = there and _same(path, laid)
    if there and not same and not options["force"]:
        raise Fail("destination-exists", f"'{path}' is there, and is not this bundle", Destination=path)
    transfer = transfers.begin(path, sum(entry["size"] for entry in laid.layout.blobs), "hashing" if same else "copying")
    how = "failed"
    try:
        wrong = laid.hashed(None, transfer) if same else _write(path, laid, options["force"], transfer)
        how = "differs" if wrong else "there" if same else "copied"
    finally:
        transfer.end(how)
    if wrong:
        return {"findings": wrong}
    moved = 0 if same else laid.size
    return {"destination": path, "image": None, "bundle": None, "moved": moved, "there": laid.size - moved}


def _place(path: str, bundle: str) -> str:
    """Where the file goes: what "ends with `/`, or is a directory, gets the bundle under the base name of its file"."""
    is_directory = os.path.isdir(path.encode())
    if path.endswith("/") and not is_directory:
        raise Fail("file-unwritable", f"there is no directory '{path}'", File=path)
    return os.path.join(path, os.path.basename(bundle)) if is_directory else path


def _same(path: str, laid: _Laid) -> bool:
    """Whether the file there has the very bytes of the bundle."""
    if not os.path.exists(path.encode()):
        # A link that leads nowhere: what its target would be is made.
        return False
    fd = open_file(path)
    try:
        info = os.fstat(fd)
        if info.st_size != laid.size:
            return False
        if any(os.pread(fd, len(data), offset) != data for offset, data in laid.pieces):
            return False
    except OSError as error:
        raise Fail("file-unreadable", f"'{path}': {error.strerror}", File=path) from None
    finally:
        os.close(fd)
    at = {"file": path, "id": identity(info)}
    theirs = [
        {"entry": entry, "at": {**at, "offset": place}, "to": 0, "keep": False}
        for entry, place in zip(laid.layout.blobs, laid.places, strict=True)
    ]
    files = Files()
    try:
        return not move(theirs, files)[1]
    finally:
        files.close()


def _write(path: str, laid: _Laid, force: bool, transfer: Any) -> list[Finding]:
    with NewFile(path) as new:
        try:
            # A full disk is found before the work.
            os.posix_fallocate(new.fd, 0, laid.size)
            write_pieces(new.fd, laid.pieces)
            wrong = laid.hashed(new.fd, transfer)
        except OSError as error:
            raise Fail("file-unwritable", f"cannot write '{path}': {error.strerror}", File=path) from None
        if not wrong:
            # By itself, since the second fsync of a file that could not be written says that all is well.
            _sync(path, lambda: os.fsync(new.fd))
            # Now too: what cannot be opened is found before there is a name.
            _sync(path, lambda: sync_directory(os.path.dirname(new.path)))
            try:
                new.commit(replace=force)
            except FileExistsError:
                raise Fail("destination-exists", f"'{path}' appeared meanwhile", Destination=path) from None
            except Fail:
                # Where there are no links (FAT, as on most USB sticks) a file can only be renamed.
                if force or os.path.lexists(path.encode()):
                    raise
                new.commit()
            _sync(path, lambda: sync_directory(os.path.dirname(new.path)))
        return wrong


def _sync(path: str, work: Callable[[], object]) -> None:
    try:
        work()
    except OSError as error:
        raise Fail("file-unwritable", f"cannot write '{path}': {error.strerror}", File=path) from None
