"""The tar bytes of a bundle: every header is determined by name, size and type, so reading is rebuilding and comparing.

spec/bundle.adoc, "Header bytes": POSIX ustar, mode 0644 (0755 for directories), owner 0 with empty names, mtime 0. A size that
eleven octal digits cannot hold is carried by one pax record.
"""

from cerrotorre.errors import Fail

BLOCK = 512
END = bytes(2 * BLOCK)
MAX_OCTAL = 8**11 - 1
FILE, DIRECTORY, PAX = b"0", b"5", b"x"
PAX_NAME = "././@PaxHeader"


def padding(size: int) -> int:
    """Zero bytes between the end of a member of this size and the next header."""
    return -size % BLOCK


def header(name: str, size: int, kind: bytes = FILE) -> bytes:
    """The header of a member: 512 bytes, or 1,536 where a pax record must carry the size."""
    if size <= MAX_OCTAL:
        return _ustar(name, size, kind)
    record = _pax_record("size", str(size))
    return _ustar(PAX_NAME, len(record), PAX) + record + bytes(padding(len(record))) + _ustar(name, 0, kind)


def _ustar(name: str, size: int, kind: bytes) -> bytes:
    # POSIX ustar, "name" and "prefix": what is longer than 100 bytes is split at a slash. No member of a bundle is.
    prefix, _, name = name.rpartition("/") if len(name) > 100 else ("", "", name)
    mode = b"0000755" if kind == DIRECTORY else b"0000644"
    owner = b"0000000\0"
    fields = name.encode().ljust(100, b"\0") + mode + b"\0" + owner + owner + b"%011o\0" % size + b"00000000000\0"
    rest = kind + bytes(100) + b"ustar\00000" + bytes(64) + owner + owner + prefix.encode().ljust(155, b"\0") + bytes(12)
    checksum = sum(fields) + 8 * 0x20 + sum(rest)
    return fields + b"%06o\0 " % checksum + rest


def _pax_record(key: str, value: str) -> bytes:
    """`LENGTH key=value\\n`, where LENGTH counts itself (POSIX pax, "pax Header Block")."""
    body = len(f" {key}={value}\n")
    length = body + len(str(body))
    length = body + len(str(length))
    return f"{length} {key}={value}\n".encode()


def claimed_size(block: bytes) -> int:
    """The size a plain header claims; whether the header is right is decided by rebuilding it."""
    digits = block[124:135]
    # int() would also take signs, blanks and underscores.
    if len(block) != BLOCK or digits.strip(b"01234567"):
        raise Fail("tar-header", "the size is not eleven octal digits")
    return int(digits, 8)


def total(members: list[tuple[str, int]], directories: list[str]) -> int:
    """The size of a bundle with these members (name, size) and directories, its end included."""
    length = sum(len(header(name, size)) + size + padding(size) for name, size in members)
    return length + BLOCK * len(directories) + len(END)
