"""Reading an archive of bundles: which files are its parts, and each part from its beginning to its end, every byte of it compared
with what ct-export.json says or left to the caller to hash (spec/export.adoc, "Importing")."""

import os
import re
from collections.abc import Iterator

from cerrotorre import compressed, exportindex, exportsigned, jsonic, keystore, tarball
from cerrotorre.content import CHUNK, absolute, identity, open_file
from cerrotorre.digest import hasher, sha256
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

URL = "export:"
_MAX_PART = 1 << 10
_NUMBERED = re.compile(r"(.*)\.([0-9]{3})", re.DOTALL)


class Lost(Exception):
    """The bytes that are due cannot be had: the part ends, is not what a decompressor reads, or its medium fails."""


class Part:
    """One file of an archive, plain or compressed, read forward."""

    def __init__(self, path: str) -> None:
        self.path, self.fd, self.position = path, open_file(path), 0
        self._id = identity(os.fstat(self.fd))
        try:
            kind = compressed.sniff(os.pread(self.fd, 4, 0))
        except OSError as error:
            os.close(self.fd)
            raise Fail("file-unreadable", f"'{path}': {error.strerror}", File=path) from None
        self._reader = None if kind == "none" else compressed.Reader(self.fd, kind)

    def some(self, most: int) -> bytes | memoryview:
        """At least one byte, at most so many; none at the end. Raises Lost."""
        try:
            most = min(most, CHUNK)
            part = self._reader.some(most) if self._reader else os.pread(self.fd, most, self.position)
        except compressed.Malformed as error:
            raise Lost(str(error)) from None
        except OSError as error:
            raise Lost(error.strerror or str(error)) from None
        self.position += len(part)
        return part

    def chunks(self, size: int) -> Iterator[bytes | memoryview]:
        """So many bytes, a piece at a time. Raises Lost."""
        while size:
            part = self.some(size)
            if not part:
                raise Lost(f"it ends after {self.position} bytes")
            size -= len(part)
            yield part

    def take(self, size: int) -> bytes:
        return b"".join(self.chunks(size))

    def go(self, position: int) -> None:
        """Pass over what lies before that place: of a plain part nothing is read. Raises Lost."""
        if self._reader is None:
            self.position = position
        elif position > self.position:
            for _ in self.chunks(position - self.position):
                pass

    def close(self) -> str:
        """Close it. Returns what changed about it since it was opened."""
        same = identity(os.fstat(self.fd)) == self._id
        os.close(self.fd)
        return "" if same else "it changed while it was read"


class Piece:
    """A member of a part, as the index has it: `name`, `size`, `what`. `wrong` is what was found wrong with it so far."""

    def __init__(self, part: Part, member: exportindex.Member, start: int) -> None:
        self.name, self.size, self.what = member
        self._part, self._start, self.wrong = part, start, ""
        self._head = tarball.header(
            self.name, self.size, tarball.DIRECTORY if self.what["kind"] == "directory" else tarball.FILE
        )
        self.end = start + len(self._head) + self.size + tarball.padding(self.size)

    def head(self) -> None:
        """Compare the header."""
        try:
            self._part.go(self._start)
            if self._part.take(len(self._head)) != self._head:
                self.wrong = "its header is not as it must be"
        except Lost as error:
            self.wrong = str(error)

    def chunks(self) -> Iterator[bytes | memoryview]:
        """Its bytes as far as they can be had, then its padding compared: `wrong` is known at the end."""
        try:
            self._part.go(self._start + len(self._head))
            yield from self._part.chunks(self.size)
            if any(self._part.take(tarball.padding(self.size))):
                self.wrong = self.wrong or "what fills its last block is not zero"
        except Lost as error:
            self.wrong = self.wrong or str(error)

    def digest(self, keep: bool) -> tuple[str, bytes]:
        """(the digest of its bytes, themselves if they are wanted), as far as they can be had."""
        made, kept = hasher(), []
        for part in self.chunks():
            made.update(part)
            if keep:
                kept.append(bytes(part))
        return "sha256:" + made.hexdigest(), b"".join(kept)


class Archive:
    """An archive: `index`, its `digest`, `files` by number of the part, and `signature`, the bytes of ct-export.dsse, if it has one.

    Raises Fail export-malformed for what is none, file-unreadable, not-a-file.
    """

    def __init__(self, path: str) -> None:
        self.path, self.files = _files(path)
        self.url = URL + absolute(self.path)
        self.index: exportindex.Index = {}
        self.digest, self.signature = "", None
        reasons = []
        for number, file in self.files.items():
            try:
                index, digest, signature, says = _beginning(file)
            except (Lost, Fail) as error:
                if isinstance(error, Fail) and error.finding["finding"] != "export-malformed":
                    raise
                reasons.append((file, str(error)))
                continue
            if not self.digest:
                self.index, self.digest, self.signature = index, digest, signature
            if digest != self.digest:
                raise self._malformed(f"'{file}' is a part of another export", Expected=self.digest, Actual=digest)
            if says != number:
                fail = self._malformed(f"'{file}' is part {says} of {index['parts']}", Expected=f"part {number}")
                raise fail.proposing(f"call it {self.path}.{says:03d}, and the others likewise")
        if not self.digest:
            file, reason = reasons[0]
            raise self._malformed(f"'{file}': {reason}")
        if beyond := [file for number, file in self.files.items() if number > self.index["parts"]]:
            raise self._malformed(f"'{beyond[0]}' is no part of it: it has {self.index['parts']}")

    def _malformed(self, detail: str, **context: object) -> Fail:
        return Fail("export-malformed", detail, Archive=self.path, **context)

    def file(self, number: int) -> str:
        """What a part is, or would be, called."""
        return self.files.get(number) or f"{self.path}.{number:03d}"

    def signed(self) -> dict[str, Any] | None:
        """Who signed it, as exportsigned.judge says; None if nobody did. Raises Fail as that does."""
        if self.signature is None:
            return None
        return exportsigned.judge(self.signature, self.digest, keystore.load()[0])

    def pieces(self, number: int, part: Part) -> Iterator[Piece]:
        """Every member of a part, its header compared. Whoever wants its bytes takes them before the next."""
        start = 0
        signature = None if self.signature is None else len(self.signature)
        for member in exportindex.members(self.index, number, signature):
            piece = Piece(part, member, start)
            piece.head()
            yield piece
            start = piece.end
        self.end = start

    def expected(self, piece: Piece, number: int) -> str:
        """The digest of a small member."""
        kind = piece.what["kind"]
        if kind == "file":
            return str(self.index["files"][piece.what["number"]]["digest"])
        if kind == "member":
            return str(self.index["bundles"][piece.what["bundle"]][piece.what["member"]]["digest"])
        if kind == "index":
            return self.digest
        made = {
            "signature": self.signature or b"",
            "part": exportindex.part_json(self.index, self.digest, number),
            "layout": exportindex.oci_layout(),
            "images": exportindex.index_json(self.index) if kind == "images" else b"",
        }
        return sha256(made.get(kind, b""))

    def rest(self, part: Part) -> str:
        """What is wrong at the end of a part, after its last member; "" for nothing."""
        try:
            part.go(self.end)
            if part.take(len(tarball.END)) != tarball.END:
                return "something stands where its end is due"
            return "something follows its end" if part.some(1) else ""
        except Lost as error:
            return str(error)


def _files(path: str) -> tuple[str, dict[int, str]]:
    """(what the archive is called, the file of each part that is there)."""
    numbered = _NUMBERED.fullmatch(path)
    if os.path.lexists(path) and not numbered:
        return path, {1: path}
    base = numbered[1] if numbered else path
    there = {number: f"{base}.{number:03d}" for number in range(1, exportindex.MAX_PARTS + 1)}
    found = {number: file for number, file in there.items() if os.path.lexists(file)}
    if not found:
        raise Fail("file-unreadable", f"there is no '{path}'" + ("" if numbered else f", nor '{path}.001'"), File=path)
    return base, found


def _beginning(file: str) -> tuple[exportindex.Index, str, bytes | None, int]:
    """(index, its digest, ct-export.dsse or None, which part it says it is). Raises Lost, Fail export-malformed and as open_file."""
    part = Part(file)
    try:
        block = part.take(tarball.BLOCK)
        if not block.startswith(exportindex.INDEX.encode() + b"\0"):
            raise _not_so(f"it does not begin with {exportindex.INDEX}")
        data = _member(part, block, exportindex.INDEX, exportindex.MAX_INDEX)
        index, digest, signature = exportindex.read(data), sha256(data), None
        block = part.take(tarball.BLOCK)
        if block.startswith(exportindex.SIGNATURE.encode() + b"\0"):
            signature = _member(part, block, exportindex.SIGNATURE, exportindex.MAX_SIGNATURE)
            block = part.take(tarball.BLOCK)
        data = _member(part, block, exportindex.PART, _MAX_PART)
    finally:
        part.close()
    try:
        said = jsonic.parse(data, _MAX_PART)
        number = said["part"] if isinstance(said, dict) and type(said.get("part")) is int else 0
    except jsonic.Malformed:
        number = 0
    if not 1 <= number <= index["parts"] or data != exportindex.part_json(index, digest, number):
        raise _not_so(f"its {exportindex.PART} is not as it must be")
    return index, digest, signature, number


def _member(part: Part, block: bytes, name: str, limit: int) -> bytes:
    """The bytes of the member whose header this is. Raises Lost, Fail export-malformed."""
    try:
        size = tarball.claimed_size(block)
    except Fail:
        size = -1
    if not 0 <= size <= limit or block != tarball.header(name, size):
        raise _not_so(f"the header of {name} is not as it must be")
    data = part.take(size)
    if any(part.take(tarball.padding(size))):
        raise _not_so(f"what fills the last block of {name} is not zero")
    return data


def _not_so(detail: str) -> Fail:
    return Fail("export-malformed", detail)
