"""Compressing an archive as it is written: one gzip member or one Zstandard frame, the same bytes for the same input (spec/export.adoc)."""

from collections.abc import Callable

from cerrotorre.typed import Any

KINDS = ("tar", "tar.gz", "tar.zst")
_GZIP_LEVEL, _ZSTD_LEVEL = 6, 3
# A window of 2 MiB: every reader allows 8 (RFC 8878, 3.1.1.1.2).
_ZSTD_WINDOW = 21


def kind_of(name: str) -> str:
    """The kind that a file's name says."""
    for kind, ends in (("tar.gz", (".tar.gz", ".tgz")), ("tar.zst", (".tar.zst", ".tzst"))):
        if name.endswith(ends):
            return kind
    return "tar"


def fitting(size: int, kind: str) -> int:
    """How many bytes, however badly they can be compressed, fit so many."""
    # zlib's deflateBound adds less than a 4,000th, Zstandard's ZSTD_compressBound a 256th; both some bytes for a small input.
    return size if kind == "tar" else size - (size >> 8) - 1024


class Compressor:
    """`add` bytes, then `end`; what comes out goes to `write`. `size` is how many will come in all."""

    def __init__(self, write: Callable[[bytes], object], kind: str, size: int) -> None:
        self._write = write
        self._made: Any
        if kind == "tar.gz":
            import zlib

            # 31: a gzip header, in which zlib writes neither name nor time.
            self._made = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, 31)
        else:
            import zstandard

            # Without threads: with several a frame is not always the same, and takes some hundred MiB of memory.
            settings = zstandard.ZstdCompressionParameters.from_level(
                _ZSTD_LEVEL, window_log=_ZSTD_WINDOW, write_checksum=True, write_content_size=True
            )
            self._made = zstandard.ZstdCompressor(compression_params=settings).compressobj(size=size)

    def add(self, data: bytes | memoryview) -> None:
        if made := self._made.compress(data):
            self._write(made)

    def end(self) -> None:
        """Write what is still held, and the end."""
        self._write(self._made.flush())
