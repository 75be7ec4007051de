"""The tar stream of a layer, one entry after the other (spec/unpacking.adoc, "Entries"). Strict: it raises Malformed, never guesses.

Nothing is kept of an entry once the next one is asked for. Where entries may go is not this module's concern.
"""

import binascii
import re
from collections.abc import Iterator

from cerrotorre.compressed import Reader
from cerrotorre.tarball import BLOCK, padding
from cerrotorre.typed import Any

FILE, LINK, SYMLINK, CHARACTER, BLOCKS, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
_TYPES = {b"\0": FILE, b"7": FILE} | {kind: kind for kind in (FILE, LINK, SYMLINK, CHARACTER, BLOCKS, DIRECTORY, FIFO)}
# Go's reader has the same limit for the headers before an entry.
MAX_HEADER = 1 << 20
# What Linux takes: PATH_MAX, XATTR_NAME_MAX, XATTR_SIZE_MAX; (uid_t) -1 is nobody's.
MAX_NAME, MAX_ATTRIBUTE, MAX_VALUE, MAX_OWNER = 4096, 255, 64 << 10, (1 << 32) - 2
MAX_SECONDS = 10**12
MAX_SIZE = 1 << 62

_POSIX, _GNU, _V7 = b"ustar\x0000", b"ustar  \0", bytes(8)
_OCTAL = re.compile(rb"[ \0]*([0-7]*)[ \0]*")
_RECORD = re.compile(rb"([1-9][0-9]{0,6}) ")
_NUMBER = re.compile(rb"[0-9]{1,19}")
_TIME = re.compile(rb"(-?)([0-9]{1,12})(?:\.([0-9]*))?")
_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")
_XATTR, _LIBARCHIVE = b"SCHILY.xattr.", b"LIBARCHIVE.xattr."
_HEEDED = (b"path", b"linkpath", b"size", b"uid", b"gid", b"mtime")


class Malformed(ValueError):
    """The stream is not a tar of this form. The message says where and why."""


class Entry:
    """One entry: `name` and `link` as they stand there, `mtime` in nanoseconds, `mode` of twelve bits, `xattrs` {name: value}."""

    __slots__ = ("device", "gid", "kind", "link", "mode", "mtime", "name", "size", "uid", "xattrs")

    def __init__(self) -> None:
        self.name, self.link, self.kind = b"", b"", FILE
        self.size = self.mode = self.uid = self.gid = self.mtime = 0
        self.device = (0, 0)
        self.xattrs: dict[bytes, bytes] = {}


class Layer:
    """`for entry in layer:`, and `layer.data()` for the bytes of the entry that came last."""

    def __init__(self, stream: Reader) -> None:
        self._stream = stream
        self._left = self._padding = 0

    def __iter__(self) -> Iterator[Entry]:
        said: dict[str, Any] = {}
        while block := self._header():
            entry, kind = self._plain(block)
            if kind in (b"x", b"g", b"L", b"K"):
                if entry.size > MAX_HEADER:
                    raise self._bad(f"an extended header of more than {MAX_HEADER} bytes")
                text = self._stream.read(entry.size)
                self._skip(entry.size - len(text) + padding(entry.size))
                self._extend(said, kind, text)
                continue
            self._complete(entry, kind, said)
            said = {}
            self._left, self._padding = entry.size, padding(entry.size)
            yield entry
            self._skip(self._left + self._padding)
            self._left = self._padding = 0
        if said:
            raise self._bad("it ends with the extended header of no entry")

    def data(self) -> Iterator[bytes | memoryview]:
        """The bytes of the entry, once."""
        while self._left:
            part = self._stream.some(self._left)
            if not part:
                raise self._bad("it ends inside of an entry")
            self._left -= len(part)
            yield part

    def _bad(self, what: str) -> Malformed:
        return Malformed(f"{what}, before byte {self._stream.position} of the tar")

    def _skip(self, size: int) -> None:
        while size:
            part = self._stream.some(size)
            if not part:
                raise self._bad("it ends inside of an entry")
            size -= len(part)

    def _header(self) -> bytes:
        """The next header; nothing at the end, which has been read to where only zeros are."""
        block = self._stream.read(BLOCK)
        if not block:
            return b""
        if len(block) != BLOCK:
            raise self._bad("it ends inside of a header")
        if any(block):
            return block
        while part := self._stream.some(1 << 18):
            if any(part):
                raise self._bad("something follows the block of zeros that ends it")
        return b""

    def _plain(self, block: bytes) -> tuple[Entry, bytes]:
        """(what the header itself says, its type)."""
        if self._number(block[148:156]) != sum(block) - sum(block[148:156]) + 8 * 0x20:
            raise self._bad("the checksum of a header is not right")
        entry, magic = Entry(), block[257:265]
        if magic not in (_POSIX, _GNU, _V7):
            raise self._bad("a header is neither POSIX's, nor GNU's, nor that of Version 7")
        entry.name, entry.link = block[:100].split(b"\0", 1)[0], block[157:257].split(b"\0", 1)[0]
        if magic == _POSIX and (prefix := block[345:500].split(b"\0", 1)[0]):
            entry.name = prefix + b"/" + entry.name
        entry.mode = self._number(block[100:108]) & 0o7777
        entry.uid, entry.gid = self._number(block[108:116]), self._number(block[116:124])
        entry.size, entry.mtime = self._number(block[124:136]), self._number(block[136:148]) * 10**9
        if block[156] in b"34":
            entry.device = (self._number(block[329:337]), self._number(block[337:345]))
        return entry, block[156:157]

    def _number(self, field: bytes) -> int:
        """Octal digits, none for 0; or GNU's two's complement in base 256."""
        if field[0] & 0x80:
            return int.from_bytes(bytes([field[0] & 0x7F | (field[0] & 0x40) << 1]) + field[1:], "big", signed=True)
        digits = _OCTAL.fullmatch(field)
        if not digits:
            raise self._bad("a number of a header is none")
        return int(digits[1] or b"0", 8)

    def _extend(self, said: dict[str, Any], kind: bytes, text: bytes) -> None:
        """Add to `said`: heeded records by name, "xattrs", and which kinds of header there were."""
        if kind.decode() in said or (kind == b"g" and said):
            raise self._bad("two extended headers of one kind before one entry, or a global one between")
        records = {b"linkpath" if kind == b"K" else b"path": text.split(b"\0", 1)[0]}
        if kind in b"xg":
            records = self._records(text)
        if kind == b"g":
            if records.keys() - {b"comment"}:
                raise self._bad("a global header says more than a comment")
            return
        said[kind.decode()] = True
        for key, value in records.items():
            if key.startswith(b"GNU.sparse."):
                raise self._bad("a sparse file; only those are read whose holes are written as zeros")
            if key.startswith((_XATTR, _LIBARCHIVE)):
                self._attribute(said.setdefault("xattrs", {}), key, value)
            elif key in _HEEDED:
                if key.decode() in said:
                    raise self._bad("a name is there twice in different headers")
                said[key.decode()] = value

    def _records(self, text: bytes) -> dict[bytes, bytes]:
        """The records of a pax header (POSIX pax, "pax Header Block")."""
        records: dict[bytes, bytes] = {}
        begin = 0
        while begin < len(text):
            length = _RECORD.match(text, begin)
            end = begin + int(length[1]) if length else 0
            key, equals, value = text[length.end() : end - 1].partition(b"=") if length else (b"", b"", b"")
            if not (end <= len(text) and text[end - 1 : end] == b"\n" and key and equals) or b"\0" in key or key in records:
                raise self._bad("an extended header has a record that is malformed, or there twice")
            records[key], begin = value, end
        return records

    def _attribute(self, xattrs: dict[bytes, bytes], key: bytes, value: bytes) -> None:
        """One extended attribute. libarchive writes each in both forms; the plain one counts."""
        if key.startswith(_XATTR):
            name = key[len(_XATTR) :]
            xattrs[name] = value
        else:
            name = _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), key[len(_LIBARCHIVE) :])
            try:
                # It leaves the padding out.
                value = binascii.a2b_base64(value + b"=" * (-len(value) % 4), strict_mode=True)
            except binascii.Error:
                raise self._bad("an extended attribute is not base64") from None
            xattrs.setdefault(name, value)
        if not 0 < len(name) <= MAX_ATTRIBUTE or b"\0" in name or len(value) > MAX_VALUE:
            raise self._bad("an extended attribute has no name, or one or a value that is too long")

    def _complete(self, entry: Entry, kind: bytes, said: dict[str, Any]) -> None:
        """Put what the extended headers say over what the header says, and check what both allow."""
        for key in ("size", "uid", "gid"):
            if key in said:
                if not _NUMBER.fullmatch(said[key]):
                    raise self._bad(f"an extended header has a {key} that is no number")
                setattr(entry, key, int(said[key]))
        entry.name, entry.link = said.get("path", entry.name), said.get("linkpath", entry.link)
        entry.xattrs = said.get("xattrs", entry.xattrs)
        if "mtime" in said:
            time = _TIME.fullmatch(said["mtime"])
            if not time:
                raise self._bad("an extended header has a time that is none")
            # What is finer than a nanosecond is cut off, as POSIX says: towards the past.
            digits = (time[3] or b"")[:9].ljust(9, b"0")
            entry.mtime = int(time[2]) * 10**9 + int(digits)
            if time[1]:
                entry.mtime = -entry.mtime - bool((time[3] or b"")[9:].strip(b"0"))
        entry.kind = _TYPES.get(kind, b"")
        if not entry.kind:
            what = (
                "a sparse file; only those are read whose holes are written as zeros"
                if kind == b"S"
                else "no type that is read"
            )
            raise self._bad(f"an entry of type {ascii(kind)[1:]}: {what}")
        if kind == b"\0" and entry.name.endswith(b"/"):
            entry.kind = DIRECTORY
        if entry.kind != DIRECTORY and entry.name.endswith(b"/"):
            raise self._bad("the name of something that is no directory ends in '/'")
        if not 0 < len(entry.name) <= MAX_NAME or b"\0" in entry.name:
            raise self._bad(f"a name is empty, longer than {MAX_NAME} bytes, or has a NUL")
        links = entry.kind in (LINK, SYMLINK)
        if (links and not 0 < len(entry.link) < MAX_NAME) or b"\0" in entry.link:
            raise self._bad(f"the target of a link is empty, not shorter than {MAX_NAME} bytes, or has a NUL")
        if not 0 <= entry.size <= (MAX_SIZE if entry.kind == FILE else 0):
            raise self._bad("a size is negative, too large, or that of something that is no file")
        if not (0 <= entry.uid <= MAX_OWNER and 0 <= entry.gid <= MAX_OWNER and abs(entry.mtime) < MAX_SECONDS * 10**9):
            raise self._bad("an owner or a time is beyond all that there are")
        if not all(0 <= number < limit for number, limit in zip(entry.device, (1 << 12, 1 << 20), strict=True)):
            raise self._bad("a device has a number that there is not")
