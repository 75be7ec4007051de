"""ML-DSA-65 and ML-DSA-87 (FIPS 204) by pyca/cryptography, from 32-byte seeds: pure, with an empty context.

Another backend has the same four functions (`liboqs`).
"""

from cerrotorre.errors import Fail
from cerrotorre.typed import Any

# The first version that has ML-DSA in every wheel.
NEEDED = "48"


def _pyca(algorithm: str, kind: str) -> Any:
    try:
        from cryptography import __version__ as version
    except ImportError:
        raise _lacking(algorithm, "it is not installed") from None
    try:
        from cryptography.hazmat.primitives.asymmetric import mldsa
    except ImportError:
        raise _lacking(algorithm, f"here is {version}") from None
    return getattr(mldsa, algorithm.upper().replace("-", "") + kind)


def _lacking(algorithm: str, here: str) -> Fail:
    why = f"{algorithm.upper()} needs the Python package cryptography {NEEDED} or later; {here}"
    return Fail("suite-unavailable", why).proposing(f"install cryptography {NEEDED} or later, or build ct without DEPS=system")


def said(algorithm: str) -> str:
    """The backend as people name it. Raises Fail suite-unavailable."""
    _private(algorithm, bytes(32))
    from cryptography import __version__ as version

    return f"cryptography {version}"


def _private(algorithm: str, seed: bytes) -> Any:
    made = _pyca(algorithm, "PrivateKey")
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return made.from_seed_bytes(seed)
    except UnsupportedAlgorithm:
        raise _lacking(algorithm, "the OpenSSL of the one here is too old") from None


def public_of(algorithm: str, seed: bytes) -> bytes:
    """The public key of a seed. Raises Fail suite-unavailable."""
    return bytes(_private(algorithm, seed).public_key().public_bytes_raw())


def sign(algorithm: str, seed: bytes, message: bytes) -> bytes:
    """A hedged signature: another each time. Raises Fail suite-unavailable."""
    return bytes(_private(algorithm, seed).sign(message))


def verify(algorithm: str, public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is the key's over the message; both have their lengths. Raises Fail suite-unavailable."""
    made = _pyca(algorithm, "PublicKey")
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        made.from_public_bytes(public).verify(signature, message)
    except UnsupportedAlgorithm:
        raise _lacking(algorithm, "the OpenSSL of the one here is too old") from None
    except (InvalidSignature, ValueError):
        return False
    return True
