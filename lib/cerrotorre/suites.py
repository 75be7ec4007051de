"""Signature suites: which signatures a key makes, all of them required (spec/suites.adoc, "What a suite is"; spec/keys.adoc, "Names").

A key belongs to one suite for life. A suite is a tuple of algorithms, its components, in order; a key of the suite has one
public key and one seed per component. CT-SIG-01 alone has a backend here: libsodium, through PyNaCl.
"""

import os

from cerrotorre.digest import sha256
from cerrotorre.errors import Fail

# spec/crypto-suites.json is the registry; a test holds the two together.
SUITES: dict[str, tuple[str, ...]] = {
    "CT-SIG-01": ("ed25519",),
    "CT-SIG-02": ("ed25519", "ml-dsa-87"),
    "CT-SIG-03": ("ml-dsa-87",),
    "CT-SIG-04": ("ed448",),
    "CT-SIG-06": ("ed25519", "ml-dsa-65"),
}
DEFAULT = "CT-SIG-01"
BACKENDS = frozenset({"ed25519"})

PUBLIC_SIZE = {"ed25519": 32}
SEED_SIZE = {"ed25519": 32}
SIGNATURE_SIZE = {"ed25519": 64}
# RFC 8410 §4: SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING }; "the parameters … MUST be absent".
_SPKI = {"ed25519": bytes.fromhex("302a300506032b6570032100")}

_P = 2**255 - 19
_Y8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
# y of the eight points whose order divides 8. A signature "by" one of them fits any message with some luck.
_SMALL_ORDER = frozenset({0, 1, _P - 1, _Y8, _P - _Y8})


def components(suite_id: str) -> tuple[str, ...]:
    """The algorithms of a suite that can be used here. Raises Fail suite-unknown or suite-unavailable."""
    algorithms = SUITES.get(suite_id)
    if algorithms is None:
        raise Fail("suite-unknown", f"no suite is called {suite_id[:40]!r}")
    missing = [algorithm for algorithm in algorithms if algorithm not in BACKENDS]
    if missing:
        raise Fail("suite-unavailable", f"{suite_id} needs {' and '.join(missing)}", Suite=suite_id)
    return algorithms


def suite_of(algorithms: list[str]) -> str:
    """The suite with exactly these components. Raises Fail suite-unknown."""
    for suite_id, its in SUITES.items():
        if its == tuple(algorithms):
            return suite_id
    raise Fail("suite-unknown", f"no suite consists of {', '.join(algorithms)}")


def spki(algorithm: str, public: bytes) -> bytes:
    """DER SubjectPublicKeyInfo, in its one spelling. Raises Fail suite-unavailable, ValueError for a wrong length."""
    prefix = _SPKI.get(algorithm)
    if prefix is None:
        raise Fail("suite-unavailable", f"no backend for {algorithm}")
    if len(public) != PUBLIC_SIZE[algorithm]:
        raise ValueError(f"{len(public)} bytes are not an {algorithm} public key")
    return prefix + public


def from_spki(der: bytes) -> tuple[str, bytes]:
    """(algorithm, public key) of a DER SubjectPublicKeyInfo spelled as `spki` spells it.

    Raises Fail key-malformed for any other bytes, and for a key that can be told to be bad without arithmetic.
    """
    for algorithm, prefix in _SPKI.items():
        if der.startswith(prefix) and len(der) == len(prefix) + PUBLIC_SIZE[algorithm]:
            public = der[len(prefix) :]
            _refuse_bad_y(public)
            return algorithm, public
    raise Fail("key-malformed", f"not the DER SubjectPublicKeyInfo of an {' or '.join(_SPKI)} key in its one spelling")


def _refuse_bad_y(public: bytes) -> None:
    y = int.from_bytes(public, "little") & (1 << 255) - 1
    # RFC 8032 §5.1.3: "If the resulting value is >= p, decoding fails."
    if y >= _P:
        raise Fail("key-malformed", "the point is not in its one spelling")
    if y in _SMALL_ORDER:
        raise Fail("key-malformed", "the point has small order: anybody can sign for it")


def check_public(algorithm: str, public: bytes) -> None:
    """Raise Fail key-malformed unless this is a canonical point of the prime-order subgroup, of the right length."""
    if len(public) != PUBLIC_SIZE.get(algorithm):
        raise Fail("key-malformed", f"{len(public)} bytes are not an {algorithm} public key")
    _refuse_bad_y(public)
    from nacl.bindings import crypto_core_ed25519_is_valid_point

    if not crypto_core_ed25519_is_valid_point(public):
        raise Fail("key-malformed", "not a point of the prime-order subgroup")


def fingerprint(suite_id: str, publics: list[bytes]) -> str:
    """SHA256:<hex> over the SubjectPublicKeyInfo of every component, in suite order."""
    algorithms = components(suite_id)
    return "SHA256:" + sha256(b"".join(map(spki, algorithms, _one_each(algorithms, publics))))[7:]


def component_fingerprints(suite_id: str, publics: list[bytes]) -> list[str]:
    """SHA256:<hex> of each component: the keyid of its signature in an envelope."""
    algorithms = components(suite_id)
    return ["SHA256:" + sha256(spki(*pair))[7:] for pair in zip(algorithms, _one_each(algorithms, publics), strict=True)]


def _one_each(algorithms: tuple[str, ...], values: list[bytes]) -> list[bytes]:
    if len(values) != len(algorithms):
        raise ValueError(f"{len(values)} values for {len(algorithms)} components")
    # A seed in locked memory is a bytearray, which the backends do not take.
    return [bytes(value) for value in values]


def verify(algorithm: str, public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature over the message is this key's.

    False for whatever is wrong with it: a length, S not below the group order, a non-canonical or small-order point (RFC 8032
    §5.1.7 and libsodium's stricter rules). Raises Fail suite-unavailable for an algorithm without backend.
    """
    if algorithm not in BACKENDS:
        raise Fail("suite-unavailable", f"no backend for {algorithm}")
    if len(public) != PUBLIC_SIZE[algorithm] or len(signature) != SIGNATURE_SIZE[algorithm]:
        return False
    from nacl.bindings import crypto_sign_open
    from nacl.exceptions import BadSignatureError

    try:
        return crypto_sign_open(signature + message, public) == message
    except BadSignatureError:
        return False


def generate(suite_id: str) -> list[bytes]:
    """New seeds from the system's random numbers, one per component. Raises Fail suite-unknown, suite-unavailable."""
    return [os.urandom(SEED_SIZE[algorithm]) for algorithm in components(suite_id)]


def publics(suite_id: str, seeds: list[bytes]) -> list[bytes]:
    """The public keys of the seeds."""
    return [_ed25519_pair(seed)[0] for seed in _one_each(components(suite_id), seeds)]


def sign(suite_id: str, seeds: list[bytes], message: bytes) -> list[bytes]:
    """One signature over the message per component, in suite order."""
    from nacl.bindings import crypto_sign

    return [
        crypto_sign(message, _ed25519_pair(seed)[1])[: SIGNATURE_SIZE["ed25519"]]
        for seed in _one_each(components(suite_id), seeds)
    ]


def _ed25519_pair(seed: bytes) -> tuple[bytes, bytes]:
    # Every component that has a backend is Ed25519: `components` let no other through.
    from nacl.bindings import crypto_sign_seed_keypair

    return crypto_sign_seed_keypair(seed)
