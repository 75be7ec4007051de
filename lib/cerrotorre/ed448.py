"""Ed448: pyca/cryptography signs and verifies; what OpenSSL lets through and spec/suites.adoc does not is refused here: it takes
the points of order 4, y = 0, for a key and for R, and under such a key one signature fits every message.

The functions are those of `mldsa`, and the checks of a public key. A point is (x, y) on x² + y² = 1 + d·x²·y² (RFC 8032 §5.2).
"""

from cerrotorre.errors import Fail
from cerrotorre.typed import Any

_P = 2**448 - 2**224 - 1
_D = -39081 % _P
ORDER = 2**446 - 13818066809895115352007386748515426880336692474882178609894547503885
# y of the points whose order divides 4: (0, 1), (0, -1), (1, 0) and (-1, 0).
_SMALL_ORDER = frozenset({0, 1, _P - 1})


def _y(point: bytes) -> int | None:
    """The y of an encoded point, or None if it is not in its one spelling."""
    # "The most significant bit of the final octet" is the sign of x; the others of that octet belong to y, which is smaller.
    y = int.from_bytes(point, "little") & (1 << 455) - 1
    return y if y < _P else None


def refuse_bad_y(public: bytes) -> None:
    """Raise Fail key-malformed for a key that can be told to be bad without arithmetic."""
    y = _y(public)
    # RFC 8032 §5.2.3: "If the resulting value is >= p, decoding fails."
    if y is None:
        raise Fail("key-malformed", "the point is not in its one spelling")
    if y in _SMALL_ORDER:
        raise Fail("key-malformed", "the point has small order: anybody can sign for it")


def is_valid_point(public: bytes) -> bool:
    """Whether these 57 bytes are a point of the prime-order subgroup other than its neutral element."""
    y = _y(public)
    if y is None or y in _SMALL_ORDER:
        return False
    # RFC 8032 §5.2.3, steps 2 and 3.
    u, v = (y * y - 1) % _P, (_D * y * y - 1) % _P
    x = u**3 * v * pow(u**5 * v**3, (_P - 3) // 4, _P) % _P
    if (v * x * x - u) % _P:
        return False
    x = _P - x if x & 1 != public[56] >> 7 else x
    done, doubled, left = (0, 1, 1), (x, y, 1), ORDER
    while left:
        if left & 1:
            done = _sum(done, doubled)
        doubled, left = _sum(doubled, doubled), left >> 1
    return done[0] == 0 and done[1] == done[2]


def _sum(one: tuple[int, int, int], other: tuple[int, int, int]) -> tuple[int, int, int]:
    # RFC 8032 §5.2.4: projective coordinates; these formulas are complete.
    a = one[2] * other[2] % _P
    b, c, d = a * a, one[0] * other[0] % _P, one[1] * other[1] % _P
    e = _D * c * d % _P
    f, g = b - e, b + e
    h = (one[0] + one[1]) * (other[0] + other[1])
    return a * f * (h - c - d) % _P, a * g * (d - c) % _P, f * g % _P


def _pyca() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed448
    except ImportError as error:
        raise Fail("suite-unavailable", f"Ed448 needs the Python package cryptography: {error}") from None
    return ed448


def said(_: str) -> str:
    """The backend as people name it. Raises Fail suite-unavailable."""
    _private(bytes(57))
    from cryptography import __version__ as version

    return f"cryptography {version}"


def public_of(_: str, seed: bytes) -> bytes:
    """The public key of a seed. Raises Fail suite-unavailable."""
    public = _private(seed).public_key()
    # Versions that DEPS=system may find have no public_bytes_raw.
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return bytes(public.public_bytes(Encoding.Raw, PublicFormat.Raw))


def _private(seed: bytes) -> Any:
    made = _pyca().Ed448PrivateKey
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return made.from_private_bytes(seed)
    except UnsupportedAlgorithm as error:
        raise Fail("suite-unavailable", f"the OpenSSL of the Python package cryptography has no Ed448: {error}") from None


def sign(_: str, seed: bytes, message: bytes) -> bytes:
    """A signature with an empty context. Raises Fail suite-unavailable."""
    return bytes(_private(seed).sign(message))


def verify(_: str, public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature, of 114 bytes, is the key's, of 57, over the message. Raises Fail suite-unavailable."""
    if any(_y(point) is None or _y(point) in _SMALL_ORDER for point in (public, signature[:57])):
        return False
    # RFC 8032 §5.2.7: S is "in range 0 <= s < L". Its last octet is 0.
    if int.from_bytes(signature[57:], "little") >= ORDER:
        return False
    pyca = _pyca()
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        pyca.Ed448PublicKey.from_public_bytes(public).verify(signature, message)
    except UnsupportedAlgorithm as error:
        raise Fail("suite-unavailable", f"the OpenSSL of the Python package cryptography has no Ed448: {error}") from None
    except (InvalidSignature, ValueError):
        return False
    return True
