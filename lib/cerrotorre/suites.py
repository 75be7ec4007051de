"""Signature suites: which signatures a key makes, all of them required (spec/suites.adoc, "What a suite is"; spec/keys.adoc, "Names").

A key belongs to one suite for life. A suite is a tuple of algorithms, its components, in order; a key of the suite has one
public key and one seed per component. Encodings are here, and Ed25519 (libsodium, through PyNaCl); `ed448` and `mldsa` have the
rest. A backend is loaded when something is made or checked with it, not to read a key.
"""

import os
from collections.abc import Callable

from cerrotorre.digest import sha256
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

# spec/crypto-suites.json is the registry; a test holds the two together.
SUITES: dict[str, tuple[str, ...]] = {
    "CT-SIG-01": ("ed25519",),
    "CT-SIG-02": ("ed25519", "ml-dsa-87"),
    "CT-SIG-03": ("ml-dsa-87",),
    "CT-SIG-04": ("ed448",),
    "CT-SIG-06": ("ed25519", "ml-dsa-65"),
}
DEFAULT = "CT-SIG-01"

PUBLIC_SIZE = {"ed25519": 32, "ed448": 57, "ml-dsa-65": 1952, "ml-dsa-87": 2592}
SEED_SIZE = {"ed25519": 32, "ed448": 57, "ml-dsa-65": 32, "ml-dsa-87": 32}
SIGNATURE_SIZE = {"ed25519": 64, "ed448": 114, "ml-dsa-65": 3309, "ml-dsa-87": 4627}
# SEQUENCE { SEQUENCE { OID }, BIT STRING }. RFC 8410 §3 and RFC 9881 §2: "the parameters … MUST be absent".
_SPKI = {
    "ed25519": bytes.fromhex("302a300506032b6570032100"),
    "ed448": bytes.fromhex("3043300506032b6571033a00"),
    "ml-dsa-65": bytes.fromhex("308207b2300b0609608648016503040312038207a100"),
    "ml-dsa-87": bytes.fromhex("30820a32300b060960864801650304031303820a2100"),
}

_P = 2**255 - 19
_Y8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
# y of the eight points whose order divides 8. A signature "by" one of them fits any message with some luck.
_SMALL_ORDER = frozenset({0, 1, _P - 1, _Y8, _P - _Y8})


# What makes and checks ML-DSA: has `mldsa`'s functions. None until it is first needed.
_ml_dsa: Any = None


def _own_ml_dsa() -> Any:
    from cerrotorre import mldsa

    return mldsa


_choose_ml_dsa: Callable[[], Any] = _own_ml_dsa


def ml_dsa_by(choose: Callable[[], Any]) -> None:
    """Ask `choose` for what makes and checks ML-DSA signatures once one is: for `mldsa`, or for what has its functions."""
    global _choose_ml_dsa, _ml_dsa
    _choose_ml_dsa, _ml_dsa = choose, None


def _backend(algorithm: str) -> Any:
    """The module that has `public_of`, `sign`, `verify` and `said` for an algorithm. Raises Fail suite-unavailable."""
    global _ml_dsa
    if algorithm == "ed448":
        from cerrotorre import ed448

        return ed448
    if _ml_dsa is None:
        _ml_dsa = _choose_ml_dsa()
    return _ml_dsa


def components(suite_id: str) -> tuple[str, ...]:
    """The algorithms of a suite, whether they can be used here or not. Raises Fail suite-unknown."""
    algorithms = SUITES.get(suite_id)
    if algorithms is None:
        raise Fail("suite-unknown", f"no suite is called {suite_id[:40]!r}: {', '.join(SUITES)}")
    return algorithms


def backends(suite_id: str) -> list[str]:
    """What makes and checks each signature of a suite here, as people name it: "cryptography 50.0.2".

    Raises Fail suite-unknown, and suite-unavailable if one cannot be made or checked.
    """
    said = []
    for algorithm in components(suite_id):
        if algorithm == "ed25519":
            from nacl import __version__ as version

            said.append(f"libsodium of PyNaCl {version}")
        else:
            try:
                said.append(_backend(algorithm).said(algorithm))
            except Fail as fail:
                fail.finding["context"]["Suite"] = suite_id
                raise
    return said


def suite_of(algorithms: list[str]) -> str:
    """The suite with exactly these components. Raises Fail suite-unknown."""
    for suite_id, its in SUITES.items():
        if its == tuple(algorithms):
            return suite_id
    raise Fail("suite-unknown", f"no suite consists of {', '.join(algorithms)}")


def spki(algorithm: str, public: bytes) -> bytes:
    """DER SubjectPublicKeyInfo, in its one spelling. Raises ValueError for a wrong length."""
    if len(public) != PUBLIC_SIZE[algorithm]:
        raise ValueError(f"{len(public)} bytes are not an {algorithm} public key")
    return _SPKI[algorithm] + public


def from_spki(der: bytes) -> tuple[str, bytes]:
    """(algorithm, public key) of a DER SubjectPublicKeyInfo spelled as `spki` spells it.

    Raises Fail key-malformed for any other bytes, and for a key that can be told to be bad without arithmetic.
    """
    for algorithm, prefix in _SPKI.items():
        if der.startswith(prefix) and len(der) == len(prefix) + PUBLIC_SIZE[algorithm]:
            public = der[len(prefix) :]
            _refuse_bad_y(algorithm, public)
            return algorithm, public
    raise Fail("key-malformed", f"not the DER SubjectPublicKeyInfo of an {' or '.join(_SPKI)} key in its one spelling")


def _refuse_bad_y(algorithm: str, public: bytes) -> None:
    if algorithm == "ed448":
        from cerrotorre import ed448

        ed448.refuse_bad_y(public)
    if algorithm != "ed25519":
        # Every string of its length is an ML-DSA public key (FIPS 204, algorithm 23).
        return
    y = int.from_bytes(public, "little") & (1 << 255) - 1
    # RFC 8032 §5.1.3: "If the resulting value is >= p, decoding fails."
    if y >= _P:
        raise Fail("key-malformed", "the point is not in its one spelling")
    if y in _SMALL_ORDER:
        raise Fail("key-malformed", "the point has small order: anybody can sign for it")


def check_public(algorithm: str, public: bytes) -> None:
    """Raise Fail key-malformed unless this has the right length and, on a curve, is a canonical point of the prime-order subgroup."""
    if len(public) != PUBLIC_SIZE.get(algorithm):
        raise Fail("key-malformed", f"{len(public)} bytes are not an {algorithm} public key")
    _refuse_bad_y(algorithm, public)
    if algorithm == "ed448":
        from cerrotorre import ed448

        valid = ed448.is_valid_point(public)
    elif algorithm == "ed25519":
        from nacl.bindings import crypto_core_ed25519_is_valid_point

        valid = crypto_core_ed25519_is_valid_point(public)
    else:
        return
    if not valid:
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
    §5.1.7 and §5.2.7, and libsodium's stricter rules). Raises Fail suite-unavailable where this cannot be told here.
    """
    if len(public) != PUBLIC_SIZE[algorithm] or len(signature) != SIGNATURE_SIZE[algorithm]:
        return False
    if algorithm != "ed25519":
        return bool(_backend(algorithm).verify(algorithm, public, message, signature))
    from nacl.bindings import crypto_sign_open
    from nacl.exceptions import BadSignatureError

    try:
        return crypto_sign_open(signature + message, public) == message
    except BadSignatureError:
        return False


def generate(suite_id: str) -> list[bytes]:
    """New seeds from the system's random numbers, one per component. Raises Fail suite-unknown, suite-unavailable."""
    backends(suite_id)
    return [os.urandom(SEED_SIZE[algorithm]) for algorithm in components(suite_id)]


def publics(suite_id: str, seeds: list[bytes]) -> list[bytes]:
    """The public keys of the seeds. Raises Fail suite-unavailable."""
    algorithms = components(suite_id)
    return [
        _ed25519_pair(seed)[0] if algorithm == "ed25519" else _backend(algorithm).public_of(algorithm, seed)
        for algorithm, seed in zip(algorithms, _one_each(algorithms, seeds), strict=True)
    ]


def sign(suite_id: str, seeds: list[bytes], message: bytes) -> list[bytes]:
    """One signature over the message per component, in suite order. Raises Fail suite-unavailable."""
    algorithms = components(suite_id)
    return [
        _sign_ed25519(seed, message) if algorithm == "ed25519" else _backend(algorithm).sign(algorithm, seed, message)
        for algorithm, seed in zip(algorithms, _one_each(algorithms, seeds), strict=True)
    ]


def _sign_ed25519(seed: bytes, message: bytes) -> bytes:
    from nacl.bindings import crypto_sign

    return crypto_sign(message, _ed25519_pair(seed)[1])[: SIGNATURE_SIZE["ed25519"]]


def _ed25519_pair(seed: bytes) -> tuple[bytes, bytes]:
    from nacl.bindings import crypto_sign_seed_keypair

    return crypto_sign_seed_keypair(seed)
