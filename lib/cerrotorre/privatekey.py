"""Private key files: armoured deterministic CBOR, sealed with a passphrase; or ordinary PKCS#8 (spec/keys.adoc, "Private key files").

Bytes to values and back; salt, nonce and seeds come from the caller. There is no stored verifier: the AEAD tag is the check.
"""

from cerrotorre import keyfile, locked, suites
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

LABEL = "CERRO TORRE PRIVATE KEY"
VERSION = 1
SALT_SIZE, NONCE_SIZE, TAG_SIZE = 16, 24, 16
_AEAD = "xchacha20-poly1305-ietf"
_KDF = {"name": "argon2id", "version": 19}

DEFAULT = "interactive"
# Argon2id: t passes over m KiB in p lanes. 128, 256 and 512 MiB.
PROFILES = {
    "interactive": {"t": 3, "m": 128 << 10, "p": 1},
    "moderate": {"t": 4, "m": 256 << 10, "p": 2},
    "high": {"t": 5, "m": 512 << 10, "p": 4},
}
# Below, guessing is cheap; above, a file could exhaust the memory of whoever opens it.
BOUNDS = {"t": (2, 10), "m": (64 << 10, 1 << 20), "p": (1, 8)}

# Version 0, AlgorithmIdentifier, OCTET STRING around the private key, no attributes, no public key. RFC 8410 §7: an OCTET STRING;
# RFC 9881 §6: the choice `seed [0] OCTET STRING`.
_PKCS8 = {
    "ed25519": bytes.fromhex("302e020100300506032b657004220420"),
    "ed448": bytes.fromhex("3047020100300506032b6571043b0439"),
    "ml-dsa-65": bytes.fromhex("3034020100300b060960864801650304031204228020"),
    "ml-dsa-87": bytes.fromhex("3034020100300b060960864801650304031304228020"),
}

# {"encrypted": True, "key_id", "suite_id", "fingerprint", "kdf", "nonce", "ciphertext", "associated": bytes}
# or {"encrypted": False, "suite_id", "seeds": [bytes]}
Private = dict[str, Any]
Seed = bytes | bytearray


def cost_of(profile: str | None) -> dict[str, int]:
    """What guessing costs under a profile, None for the default: {"t", "m", "p"}. Raises Fail usage."""
    name = DEFAULT if profile is None else profile
    if name not in PROFILES:
        raise Fail("usage", f"no profile {name[:40]!r}; there are {', '.join(PROFILES)}")
    return PROFILES[name]


def _check_cost(cost: dict[str, Any]) -> None:
    for name, (low, high) in BOUNDS.items():
        if type(cost.get(name)) is not int or not low <= cost[name] <= high:
            raise Fail("key-malformed", f"argon2id {name}={str(cost.get(name))[:24]} is outside {low} to {high}")


def _derive(passphrase: bytes | bytearray, kdf: dict[str, Any]) -> bytearray:
    """32 bytes in locked memory. The context of the C library is filled in here since its other functions copy the passphrase."""
    from argon2.low_level import Type, core, error_to_str, ffi

    key = locked.new(32)
    out, pwd, salt = (ffi.from_buffer("uint8_t[]", buffer) for buffer in (key, passphrase, kdf["salt"]))
    cost = {"t_cost": kdf["t"], "m_cost": kdf["m"], "lanes": kdf["p"], "threads": kdf["p"], "version": kdf["version"]}
    texts = {"out": out, "outlen": 32, "pwd": pwd, "pwdlen": len(passphrase), "salt": salt, "saltlen": len(kdf["salt"])}
    failed = core(ffi.new("argon2_context *", texts | cost), Type.ID.value)
    if failed:
        raise Fail("key-locked", f"argon2id with {kdf['m'] >> 10} MiB: {error_to_str(failed)}")
    return key


def seal(
    key_id: str,
    suite_id: str,
    seeds: list[Seed],
    passphrase: bytes | bytearray,
    cost: dict[str, int],
    *,
    salt: bytes,
    nonce: bytes,
) -> bytes:
    """The bytes of an encrypted .key. `cost` is one of PROFILES, or within BOUNDS.

    Raises Fail key-malformed for a cost outside the bounds, passphrase-refused for an empty passphrase.
    """
    from cbor2 import dumps
    from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt

    _check_cost(cost)
    if not passphrase:
        raise Fail("passphrase-refused", "the passphrase is empty")
    if len(salt) != SALT_SIZE or len(nonce) != NONCE_SIZE:
        raise ValueError("salt or nonce is not of its length")
    kdf = {**_KDF, "salt": salt, **cost}
    value = {
        "version": VERSION,
        "key_id": key_id,
        "suite": suite_id,
        "fingerprint": suites.fingerprint(suite_id, publics(suite_id, seeds)),
        "kdf": kdf,
        "aead": _AEAD,
        "nonce": nonce,
    }
    associated = dumps(value, canonical=True)
    key, plain = _derive(passphrase, kdf), bytearray().join(seeds)
    value["ciphertext"] = locked.lend(
        [plain, key],
        lambda secrets: crypto_aead_xchacha20poly1305_ietf_encrypt(secrets[0], associated, nonce, secrets[1]),
    )
    locked.wipe(key, plain)
    return keyfile.pem(LABEL, dumps(value, canonical=True)).encode("ascii")


def publics(suite_id: str, seeds: list[Seed]) -> list[bytes]:
    """The public keys of seeds in locked memory."""
    made: list[bytes] = locked.lend(seeds, lambda copies: suites.publics(suite_id, copies))
    return made


def write_plain(suite_id: str, seeds: list[Seed]) -> bytes:
    """The bytes of an unencrypted .key: one PKCS#8 PEM block per component, as OpenSSL reads it."""
    pairs = zip(suites.components(suite_id), seeds, strict=True)
    return "".join(keyfile.pem("PRIVATE KEY", _PKCS8[algorithm] + seed) for algorithm, seed in pairs).encode("ascii")


def parse(data: bytes) -> Private:
    """A .key of either kind, checked in everything that needs no passphrase; costs no memory yet.

    Raises Fail key-malformed, or suite-unavailable where the suite is known and cannot be used here.
    """
    found = keyfile.blocks(keyfile.ascii_text(data))
    if [label for label, _ in found] == [LABEL]:
        return _parse_sealed(found[0][1])
    if any(label != "PRIVATE KEY" for label, _ in found):
        raise Fail("key-malformed", f"not PEM blocks {LABEL} or PRIVATE KEY")
    pairs = [_from_pkcs8(der) for _, der in found]
    try:
        suite_id = suites.suite_of([algorithm for algorithm, _ in pairs])
    except Fail as fail:
        raise Fail("key-malformed", str(fail)) from None
    return {"encrypted": False, "suite_id": suite_id, "seeds": [locked.take(seed) for _, seed in pairs]}


def _from_pkcs8(der: bytes) -> tuple[str, bytes]:
    for algorithm, prefix in _PKCS8.items():
        if der.startswith(prefix) and len(der) == len(prefix) + suites.SEED_SIZE[algorithm]:
            return algorithm, der[len(prefix) :]
    raise Fail("key-malformed", f"not the PKCS#8 encoding of an {' or '.join(_PKCS8)} seed in its one spelling")


def _parse_sealed(encoded: bytes) -> Private:
    from cbor2 import dumps, loads

    try:
        value = loads(encoded)
        same = dumps(value, canonical=True) == encoded
    except Exception as error:
        # On purpose: whatever a hostile encoding makes the decoder raise, the file is malformed.
        raise Fail("key-malformed", f"not CBOR: {type(error).__name__}") from None
    # RFC 8949 §4.2.1: one encoding per value, so nothing can hide in another.
    if not same or type(value) is not dict:
        raise Fail("key-malformed", "not a deterministically encoded CBOR map")
    kinds = {
        "version": int,
        "key_id": str,
        "suite": str,
        "fingerprint": str,
        "kdf": dict,
        "aead": str,
        "nonce": bytes,
        "ciphertext": bytes,
    }
    _check_members(value, kinds, "the map")
    kdf = value["kdf"]
    _check_members(kdf, {"name": str, "version": int, "salt": bytes, "t": int, "m": int, "p": int}, "kdf")
    if value["version"] != VERSION or value["aead"] != _AEAD or {name: kdf[name] for name in _KDF} != _KDF:
        raise Fail("key-malformed", "a version or algorithm that this program does not know")
    _check_cost(kdf)
    if not keyfile.is_id(value["key_id"]) or value["suite"] not in suites.SUITES:
        raise Fail("key-malformed", "key_id or suite is not one")
    size = sum(suites.SEED_SIZE[algorithm] for algorithm in suites.components(value["suite"])) + TAG_SIZE
    if (len(kdf["salt"]), len(value["nonce"]), len(value["ciphertext"])) != (SALT_SIZE, NONCE_SIZE, size):
        raise Fail("key-malformed", "salt, nonce or ciphertext is not of its length")
    return {
        "encrypted": True,
        "key_id": value["key_id"],
        "suite_id": value["suite"],
        "fingerprint": value["fingerprint"],
        "kdf": kdf,
        "nonce": value["nonce"],
        "ciphertext": value["ciphertext"],
        "associated": dumps({name: its for name, its in value.items() if name != "ciphertext"}, canonical=True),
    }


def _check_members(value: dict[Any, Any], kinds: dict[str, type], where: str) -> None:
    if value.keys() != kinds.keys() or any(type(value[name]) is not kind for name, kind in kinds.items()):
        raise Fail("key-malformed", f"{where} has not exactly the members {', '.join(kinds)} of their types")


def open_seeds(private: Private, passphrase: bytes | bytearray) -> list[Seed]:
    """The seeds of a parsed encrypted key, one per component, in locked memory. Raises Fail key-locked."""
    from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt
    from nacl.exceptions import CryptoError

    key = _derive(passphrase, private["kdf"])
    sealed, associated, nonce = private["ciphertext"], private["associated"], private["nonce"]
    try:
        plain = locked.lend(
            [key], lambda secrets: crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, associated, nonce, secrets[0])
        )
    except CryptoError:
        raise Fail("key-locked", "the passphrase is wrong, or the file was altered", Key=private["key_id"]) from None
    finally:
        locked.wipe(key)
    seeds: list[Seed] = []
    at = 0
    for algorithm in suites.components(private["suite_id"]):
        seeds.append(locked.keep(plain, at, at + suites.SEED_SIZE[algorithm]))
        at += suites.SEED_SIZE[algorithm]
    locked.wipe(plain)
    # AEAD tags do not commit to a key: without this a file could open to other seeds under another passphrase.
    if suites.fingerprint(private["suite_id"], publics(private["suite_id"], seeds)) != private["fingerprint"]:
        raise Fail("key-locked", "the seeds are not those of the fingerprint in the file", Key=private["key_id"])
    return seeds
