"""An OCI layout in a tar: read where it lies, so that a record can say where in the archive each blob is.

Programs read tars in ways that differ, and an archive that means one image to one of them and another to the next is an attack.
So the headers are read here, and whatever is not plain is refused (spec/decisions/0016): POSIX ustar or GNU headers, regular files and
directories, `x` records, GNU long names and comments, each layout name spelled in one way and there once.
"""

import posixpath
import re

from cerrotorre import content, images
from cerrotorre.digest import is_digest
from cerrotorre.errors import Fail
from cerrotorre.manifest import MAX_CONTENT
from cerrotorre.tarball import BLOCK, padding
from cerrotorre.typed import Any

MAX_MEMBERS = 4 * MAX_CONTENT
# The most that the records or the long name before one member may be; Go's reader has the same limit.
MAX_HEADER = 1 << 20
# Bytes. A name of a layout has at most 77; all names are held, to find those that are there twice.
MAX_NAME = 255
DIRECTORIES = ("", "blobs", "blobs/sha256")
POSIX, GNU = b"ustar\x0000", b"ustar  \0"

# gzip, bzip2, xz, lz4, zstd and its skippable frames: skopeo unpacks what begins so before it looks for a header.
_COMPRESSED = re.compile(rb"\x1f\x8b|BZh|\xfd7zXZ|\x04\x22\x4d\x18|\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")
_OCTAL = re.compile(rb" *([0-7]+)[ \0]*")
_RECORD = re.compile(rb"([1-9][0-9]{0,6}) ")
_SIZE = re.compile(rb"[0-9]{1,18}")
_CONTROL = re.compile(r"[\0-\x1f\x7f]")


class Archive(images.Source):
    """The image of a layout's archive: the one named `wanted`, or the only one. Raises Fail oci-*."""

    def __init__(self, path: str, wanted: str | None) -> None:
        self._file = content.absolute(path)
        self._id, self._size = content.locate(self._file)
        self._members: dict[str, tuple[int, int]] = {}
        self._files = content.Files()
        try:
            self._walk()
        finally:
            self._files.close()
        super().__init__(self._file, images.named_image(self._small, self._file, wanted))

    def _walk(self) -> None:
        """Fill {name: (offset, size)} of the layout's files. Raises Fail oci-layout, oci-too-large."""
        seen: set[str] = set()
        # What the headers before a member say of it: its "path", its "size", and which kinds of header there were.
        said: dict[str, bytes] = {}
        position = 0
        for _ in range(MAX_MEMBERS + 1):
            block = self._bytes(position, BLOCK)
            if position == 0 and _COMPRESSED.match(block):
                raise self._bad("it is compressed; gzip alone is read, and only once")
            if not block.strip(b"\0"):
                break
            name, kind, size = self._header(block, position)
            start = position + BLOCK
            if kind in (b"x", b"g", b"L"):
                if size > MAX_HEADER:
                    raise Fail(
                        "oci-too-large", f"'{self._file}': a tar header of more than {MAX_HEADER} bytes", File=self._file
                    )
                if said:
                    raise self._bad(f"two extended headers before one member, the second at byte {position}")
                # Go's reader hands a global header to its caller as if it were a member.
                said = self._extended(kind, self._bytes(start, size), position)
                if kind == b"g" and _of_layout(self._text(name, position)):
                    raise self._bad(f"a global header named '{self._text(name, position)}'")
            else:
                size = int(said.get("size", b"%d" % size))
                self._member(self._text(said.get("path", name), position), kind, start, size, seen)
                said = {}
            position = start + size + padding(size)
        else:
            raise self._bad(f"more than {MAX_MEMBERS} headers")
        if said:
            raise self._bad("it ends with the extended header of no member")
        # Some programs write one block of zeros and end; what lies behind two is no part of the archive.
        if position + BLOCK != self._size and self._bytes(position + BLOCK, BLOCK).strip(b"\0"):
            raise self._bad(f"the tar is damaged at byte {position}: one block of zeros, and something after it")

    def _header(self, block: bytes, position: int) -> tuple[bytes, bytes, int]:
        """(name, type, size) as the header itself has them."""
        if _octal(block[148:156]) != sum(block) - sum(block[148:156]) + 8 * 0x20:
            raise self._bad(f"the tar is damaged at byte {position}: the checksum of the header there is not right")
        kind, magic, name = block[156:157], block[257:265], block[:100].split(b"\0")[0]
        if magic not in (POSIX, GNU) or block[500:].strip(b"\0"):
            raise self._bad(f"the header at byte {position} is neither a POSIX nor a GNU tar's")
        # GNU tar has times and sparse maps where POSIX has the first part of a long name.
        if magic == GNU and block[345:500].strip(b"\0"):
            raise self._bad(f"the header at byte {position} has GNU's magic and more than a name")
        if prefix := block[345:500].split(b"\0")[0]:
            name = prefix + b"/" + name
        if kind == b"\0":
            kind = b"0"
        if kind not in (b"0", b"5", b"x", b"g", b"L"):
            raise self._bad(f"the member at byte {position} is not a plain file or a directory, but of type {ascii(kind)[1:]}")
        # A size in base 256: for 8 GiB and more.
        number = block[124:136]
        size = int.from_bytes(number[1:], "big") if number[0] == 0x80 else _octal(number)
        if size is None or size > self._size:
            raise self._bad(f"it ends inside the member at byte {position}, or the size there is no number")
        return name, kind, size

    def _extended(self, kind: bytes, text: bytes, position: int) -> dict[str, bytes]:
        """{"path", "size", of those that it has; "": kind} of an extended header; {} of a global one, which may say nothing."""
        if kind == b"L":
            return {"path": text.split(b"\0")[0], "": kind}
        records: dict[bytes, bytes] = {}
        begin = 0
        while begin < len(text):
            length = _RECORD.match(text, begin)
            end = begin + int(length[1]) if length else 0
            key, equals, value = text[length.end() : end - 1].partition(b"=") if length else (b"", b"", b"")
            # Attributes are bytes of any value; whatever else has a zero Go's reader refuses, and others cut there.
            whole = (
                end <= len(text) and text[end - 1 : end] == b"\n" and (b"\0" not in value or key.startswith(b"SCHILY.xattr."))
            )
            if not (whole and key and equals) or b"\0" in key or key in records:
                raise self._bad(f"the extended header at byte {position} has a record that is malformed, or there twice")
            if key.startswith(b"GNU.sparse") or (kind == b"g" and key != b"comment"):
                raise self._bad(f"the extended header at byte {position} has the record {ascii(key[:40])[1:]}")
            records[key], begin = value, end
        if kind == b"g":
            return {}
        said = {"": kind, **{name.decode(): records[name] for name in (b"path", b"size") if name in records}}
        if not _SIZE.fullmatch(said.get("size", b"0")):
            raise self._bad(f"the extended header at byte {position} has a size that is no number")
        return said

    def _text(self, name: bytes, position: int) -> str:
        try:
            text = name.decode()
        except UnicodeDecodeError:
            text = ""
        if not text or len(name) > MAX_NAME or _CONTROL.search(text):
            what = f"is empty, longer than {MAX_NAME} bytes, not UTF-8, or has control characters"
            raise self._bad(f"the name of the member at byte {position} {what}")
        return text

    def _member(self, name: str, kind: bytes, offset: int, size: int, seen: set[str]) -> None:
        """Take a member if it is of the layout. Raises Fail oci-layout where programs that unpack could differ."""
        if name.startswith("/") or ".." in name.split("/"):
            raise self._bad(f"a member is named '{name}', which leads out of the archive")
        plain = posixpath.normpath("/" + name)[1:]
        if plain in seen:
            raise self._bad(f"two members are named {plain or '.'}")
        seen.add(plain)
        directory = kind == b"5"
        if not directory and name.endswith("/"):
            raise self._bad(f"'{name}' is not a directory")
        if directory and size:
            raise self._bad(f"'{name}' is a directory with a size")
        if offset + size + padding(size) > self._size:
            raise self._bad(f"it ends inside '{name}'")
        place = _of_layout(name)
        if not place:
            return
        spelled = name.removeprefix("./").removesuffix("/" if directory else "")
        if place != spelled:
            raise self._bad(f"a member is named '{name}', which some programs take for {place}")
        if directory != (place in DIRECTORIES):
            raise self._bad(f"{place} is not a {'directory' if place in DIRECTORIES else 'plain file'}")
        if not directory:
            self._members[place] = (offset, size)

    def _bytes(self, offset: int, size: int) -> bytes:
        if offset + size > self._size:
            raise self._bad(f"it ends at byte {self._size}, without the blocks of zeros that end a tar")
        return content.read({"file": self._file, "id": self._id, "offset": offset}, size, self._files)

    def _bad(self, detail: str) -> Fail:
        return Fail("oci-layout", f"'{self._file}': {detail}", File=self._file)

    def _small(self, name: str, limit: int) -> bytes:
        if name not in self._members:
            raise self._bad(f"it holds no {name}, so it is no OCI archive")
        offset, size = self._members[name]
        return content.read_one({"file": self._file, "id": self._id, "offset": offset}, min(size, limit))

    def bytes_of(self, digest: str, limit: int) -> bytes:
        name = "blobs/" + digest.replace(":", "/", 1)
        if name not in self._members:
            raise images.absent(digest, [], f"'{self._file}' holds no {name}")
        return self._small(name, limit)

    def where(self, digest: str) -> tuple[dict[str, Any], int]:
        name = "blobs/" + digest.replace(":", "/", 1)
        if name not in self._members:
            raise Fail("oci-blob-absent", f"'{self._file}' holds no {name}")
        offset, size = self._members[name]
        return {"file": self._file, "id": self._id, "offset": offset}, size


def _of_layout(name: str) -> str:
    """Which of a layout's files or directories it is, or lies inside of as no blob does, on any file system; "" for none."""
    # On some file systems capital letters are no different from small ones.
    parts = posixpath.normpath("/" + name.casefold())[1:].split("/")
    for place in ("/".join(parts[:1]), "/".join(parts[:3])):
        if place in ("oci-layout", "index.json") or is_digest(place.removeprefix("blobs/").replace("/", ":", 1)):
            return place
    whole = "/".join(parts)
    return whole if whole in DIRECTORIES else ""


def _octal(field: bytes) -> int | None:
    digits = _OCTAL.fullmatch(field)
    return int(digits[1], 8) if digits else None
