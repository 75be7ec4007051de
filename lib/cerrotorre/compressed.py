"""What is compressed, read as a stream: all of it, to its very end, and never more than was allowed (spec/unpacking.adoc, "Compression").

gzip (RFC 1952) by zlib, Zstandard (RFC 8878) by its reference library. Members and frames that follow one another are one stream; what
follows them and begins none is an error, and so is an end inside of one. At most some chunks are in memory, whatever the input.
"""

import os
import zlib
from collections.abc import Iterable, Iterator

CHUNK = 1 << 18
# Bytes of memory that a Zstandard frame may ask its reader for. Archives: what every decompressor must take (RFC 8878, 3.1.1.1.2).
ARCHIVE_WINDOW = 8 << 20
# Layers: what `zstd --ultra -22` writes and the readers of registries' layers allow.
LAYER_WINDOW = 128 << 20
KINDS = ("gzip", "zstd", "none")

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
# A block of Zstandard has at most so many bytes, compressed or not; so a block at a time is a bound on what comes out.
_BLOCK = 128 << 10
_RAW, _RLE, _COMPRESSED = 0, 1, 2


class Malformed(ValueError):
    """The stream is damaged, ends early, has something behind its end, or asks for too large a window."""


class TooLarge(Malformed):
    """More comes out than was allowed."""


def sniff(first_bytes: bytes) -> str:
    """What a stream that begins so is: "gzip", "zstd" (a skippable frame may come first) or "none". Four bytes are enough."""
    if first_bytes[:2] == _GZIP:
        return "gzip"
    return "zstd" if first_bytes[:4] == _ZSTD or _skippable(first_bytes[:4]) else "none"


def _skippable(magic: bytes) -> bool:
    return len(magic) == 4 and magic[0] & 0xF0 == 0x50 and magic[1:] == b"\x2a\x4d\x18"


class Reader:
    """The bytes that come out of a descriptor, or of chunks, of this kind. Read errors of the source pass as they are.

    `limit`: bytes that may come out in all. `window`: what a Zstandard frame may ask for. Raises Malformed, TooLarge.
    """

    def __init__(
        self, source: int | Iterable[bytes | memoryview], kind: str, limit: int | None = None, window: int = ARCHIVE_WINDOW
    ) -> None:
        chunks: Iterator[bytes | memoryview] = _descriptor(source) if isinstance(source, int) else iter(source)
        self._parts = _gzip(chunks) if kind == "gzip" else _zstd(chunks, window) if kind == "zstd" else chunks
        self._limit = limit
        self._held = memoryview(b"")
        # How many bytes were given out.
        self.position = 0

    def some(self, most: int) -> bytes | memoryview:
        """At least one byte and at most so many; none only at the end."""
        while not self._held:
            part = next(self._parts, None)
            if part is None:
                return b""
            self._held = memoryview(part)
        given = self._held[:most]
        self._held = self._held[most:]
        self.position += len(given)
        if self._limit is not None and self.position + len(self._held) > self._limit:
            raise TooLarge(f"it unpacks to more than {self._limit} bytes")
        return given

    def read(self, size: int) -> bytes:
        """So many bytes, fewer only at the end."""
        first = self.some(size)
        if len(first) == size:
            return bytes(first)
        parts, left = [first], size - len(first)
        while left and (part := self.some(left)):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)


def _descriptor(fd: int) -> Iterator[bytes]:
    while part := os.read(fd, CHUNK):
        yield part


def _gzip(chunks: Iterator[bytes | memoryview]) -> Iterator[bytes]:
    member, begun = zlib.decompressobj(wbits=31), False
    for chunk in chunks:
        data = bytes(chunk)
        while data:
            # Nothing but another member may follow one.
            if member.eof:
                member, begun = zlib.decompressobj(wbits=31), False
            begun = True
            try:
                out = member.decompress(data, CHUNK)
                # What the window holds back comes out without more input.
                while len(out) == CHUNK and not member.eof:
                    yield out
                    out = member.decompress(member.unconsumed_tail, CHUNK)
            except zlib.error as error:
                raise Malformed(f"it is no well-formed gzip: {error}") from None
            if out:
                yield out
            data = member.unused_data if member.eof else member.unconsumed_tail
    if not (begun and member.eof):
        raise Malformed("it ends inside of a gzip member")


class _Feed:
    """Exactly so many bytes at a time of a stream that comes in chunks."""

    def __init__(self, chunks: Iterator[bytes | memoryview]) -> None:
        self._chunks, self._held = chunks, memoryview(b"")

    def ended(self) -> bool:
        while not self._held:
            part = next(self._chunks, None)
            if part is None:
                return True
            self._held = memoryview(part)
        return False

    def take(self, size: int) -> bytes:
        if len(self._held) >= size:
            taken, self._held = self._held[:size], self._held[size:]
            return bytes(taken)
        parts, left = [], size
        while left:
            if self.ended():
                raise Malformed("it ends inside of a Zstandard frame")
            parts.append(self._held[:left])
            self._held = self._held[left:]
            left -= len(parts[-1])
        return b"".join(parts)

    def skip(self, size: int) -> None:
        while size:
            size -= len(self.take(min(size, CHUNK)))


def _zstd(chunks: Iterator[bytes | memoryview], window: int) -> Iterator[bytes]:
    # Loaded here: most layers and archives are gzip, or plain.
    import zstandard

    feed = _Feed(chunks)
    decompressor = zstandard.ZstdDecompressor(max_window_size=window)
    if feed.ended():
        raise Malformed("it is empty, and no Zstandard frame")
    while not feed.ended():
        magic = feed.take(4)
        if _skippable(magic):
            feed.skip(int.from_bytes(feed.take(4), "little"))
        elif magic == _ZSTD:
            try:
                yield from _frame(feed, decompressor.decompressobj())
            except zstandard.ZstdError as error:
                reason = str(error).removeprefix("zstd decompressor error: ")
                raise Malformed(
                    f"it is no Zstandard that is read here: {reason}; at most {window >> 20} MiB are given"
                ) from None
        else:
            raise Malformed("something that is no Zstandard frame follows, or begins it")


def _frame(feed: _Feed, frame: "zstandard.ZstdDecompressionObj") -> Iterator[bytes]:  # type: ignore[name-defined] # noqa: F821
    """One frame, block by block. The library finds its end only if it is there, and gives all that a call can make: so it gets a block."""
    # RFC 8878, 3.1.1.1: the descriptor says how long the header is, and whether a checksum ends the frame.
    descriptor = feed.take(1)
    flags = descriptor[0]
    single = flags >> 5 & 1
    rest = (1 - single) + (0, 1, 2, 4)[flags & 3] + (single, 2, 4, 8)[flags >> 6]
    frame.decompress(_ZSTD + descriptor + feed.take(rest))
    last = 0
    while not last:
        head = feed.take(3)
        number = int.from_bytes(head, "little")
        last, kind, size = number & 1, number >> 1 & 3, number >> 3
        if size > _BLOCK:
            raise Malformed(f"a block of its Zstandard has more than {_BLOCK} bytes")
        if out := frame.decompress(head + feed.take(1 if kind == _RLE else size)):
            yield out
    if flags >> 2 & 1 and (out := frame.decompress(feed.take(4))):
        yield out
    if not frame.eof:
        raise Malformed("its Zstandard frame does not end where it says")
