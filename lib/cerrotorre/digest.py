"""SHA-256 digests as the OCI image specification spells them: sha256: and 64 lowercase hexadecimal digits."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _hashlib import HASH

_HEX = frozenset("0123456789abcdef")


def sha256(data: bytes) -> str:
    """The digest of the bytes, "sha256:…"."""
    digest = hasher()
    digest.update(data)
    return "sha256:" + digest.hexdigest()


def is_digest(text: object) -> bool:
    """Whether this is a digest of the one algorithm and spelling that is accepted."""
    return isinstance(text, str) and len(text) == 71 and text.startswith("sha256:") and _HEX.issuperset(text[7:])


def hasher() -> "HASH":
    """A new SHA-256 object: update(bytes), hexdigest()."""
    # Loaded only by what hashes: OpenSSL takes 3 ms. hashlib would build every algorithm it knows; the one that is needed is here.
    try:
        from _hashlib import openssl_sha256
    except ImportError:
        from hashlib import sha256 as openssl_sha256
    return openssl_sha256()
