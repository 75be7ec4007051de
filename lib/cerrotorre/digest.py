"""SHA-256 digests as the OCI image specification spells them: sha256: and 64 lowercase hexadecimal digits."""

from typing import TYPE_CHECKING

# hashlib builds every algorithm it knows when it is imported; the one that is needed is here at once.
try:
    from _hashlib import openssl_sha256 as _sha256
except ImportError:
    from hashlib import sha256 as _sha256

if TYPE_CHECKING:
    from _hashlib import HASH

_HEX = frozenset("0123456789abcdef")


def sha256(data: bytes) -> str:
    """The digest of the bytes, "sha256:…"."""
    return "sha256:" + _sha256(data).hexdigest()


def is_digest(text: object) -> bool:
    """Whether this is a digest of the one algorithm and spelling that is accepted."""
    return isinstance(text, str) and len(text) == 71 and text.startswith("sha256:") and _HEX.issuperset(text[7:])


def hasher() -> "HASH":
    """A new SHA-256 object: update(bytes), hexdigest()."""
    return _sha256()
