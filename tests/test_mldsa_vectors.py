"""Published vectors of ML-DSA: Wycheproof's, and NIST's for the internal interface; each count says what was exercised.

`ours` is what judges envelopes: pure ML-DSA with an empty context (spec/suites.adoc). A vector with another context, or of the
internal interface, must not verify here; that its mathematics agrees is shown by verifying its mu. $CT_VECTORS names the directory.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cerrotorre import keyfile, privatekey, suites
from cerrotorre.errors import Fail
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey, MLDSA87PublicKey
from dilithium_py.ml_dsa import ML_DSA_65, ML_DSA_87
from suite_keys import PKCS8, SPKI, Component, pem

LEVELS = ["65", "87"]
PURE = {"65": ML_DSA_65, "87": ML_DSA_87}
PUBLIC: dict[str, Any] = {"65": MLDSA65PublicKey, "87": MLDSA87PublicKey}
ED25519 = Component("ed25519", bytes(32))


def cases(path: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every (group, test) of a file; as many as it says there are."""
    data = json.loads(path.read_text())
    found = [(group, test) for group in data["testGroups"] for test in group["tests"]]
    assert len(found) == data.get("numberOfTests", len(found))
    yield from found


def acvp(vectors: Path, what: str, level: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for group, test in cases(vectors / "acvp-mldsa" / f"ML-DSA-{what}-FIPS204.internalProjection.json"):
        if group["parameterSet"] == f"ML-DSA-{level}":
            yield group, test


def ours(level: str, public: str, message: bytes, signature: str) -> bool:
    return suites.verify(f"ml-dsa-{level}", bytes.fromhex(public), message, bytes.fromhex(signature))


def derived(level: str, seed: str) -> str:
    """The public key of a seed, by the suite that has this level: alone, or as the second component."""
    raw = bytes.fromhex(seed)
    made = suites.publics("CT-SIG-03", [raw]) if level == "87" else suites.publics("CT-SIG-06", [ED25519.seed, raw])
    return made[-1].hex()


def mu(public: bytes, message: bytes) -> bytes:
    """FIPS 204, algorithm 7, line 6: of M', which is the message itself at the internal interface."""
    return hashlib.shake_256(hashlib.shake_256(public).digest(64) + message).digest(64)


def verifies_mu(level: str, public: bytes, digest: bytes, signature: bytes) -> bool:
    try:
        PUBLIC[level].from_public_bytes(public).verify_mu(signature, digest)
    except InvalidSignature:
        return False
    return True


# -- Wycheproof ----------------------------------------------------------------------------------------------------------------

# Public keys of a wrong length, genuine under another context, under one too long, genuine, and forged.
VERIFIED = {"65": (4, 2, 5, 77, 122), "87": (4, 2, 5, 69, 161)}


@pytest.mark.parametrize("level", LEVELS)
def test_wycheproof_verify(vectors: Path, level: str) -> None:
    counts: Counter[str] = Counter()
    for group, test in cases(vectors / "wycheproof" / f"mldsa_{level}_verify_test.json"):
        raw, der = bytes.fromhex(group["publicKey"]), bytes.fromhex(group["publicKeyDer"])
        said = ours(level, group["publicKey"], bytes.fromhex(test["msg"]), test["sig"])
        if "IncorrectPublicKeyLength" in test["flags"]:
            counts["length"] += 1
            for call in (
                lambda raw=raw: suites.check_public(f"ml-dsa-{level}", raw),
                lambda raw=raw: suites.from_spki(SPKI[f"ml-dsa-{level}"] + raw),
                lambda der=der: suites.from_spki(der),
            ):
                with pytest.raises(Fail) as caught:
                    call()
                assert caught.value.finding["finding"] == "key-malformed"
            assert not said
            continue
        assert suites.from_spki(der) == (f"ml-dsa-{level}", raw)
        assert suites.spki(f"ml-dsa-{level}", raw) == der
        # Only the empty context is ours; a context too long is invalid whoever asks.
        counts[f"{'context ' if test.get('ctx') else ''}{test['result']}"] += 1
        assert said is (test["result"] == "valid" and not test.get("ctx")), test["tcId"]
    names = ("length", "context valid", "context invalid", "valid", "invalid")
    assert tuple(counts[name] for name in names) == VERIFIED[level] and counts.total() == sum(VERIFIED[level])


# Seeds that are none; then signatures over a message under an empty context, under another or too long a one, and those of the
# internal interface, which hold a mu and no message.
SEEDED = {"65": (3, 81, 4, 17), "87": (3, 72, 4, 17)}


@pytest.mark.parametrize("level", LEVELS)
def test_wycheproof_sign_from_seeds(vectors: Path, level: str) -> None:
    """Keys from seeds, bare and in PKCS#8, and the signatures that others made with them.

    Signing here is not compared byte for byte, for it may be randomised: what is signed with the seed verifies with the key of
    the vector, by another implementation.
    """
    counts: Counter[str] = Counter()
    signed: dict[str, bytes] = {}
    for group, test in cases(vectors / "wycheproof" / f"mldsa_{level}_sign_seed_test.json"):
        seed, public = group["privateSeed"], group["publicKey"]
        if "IncorrectPrivateKeyLength" in test["flags"]:
            counts["length"] += 1
            with pytest.raises((ValueError, Fail)):
                derived(level, seed)
            with pytest.raises(Fail):
                privatekey.parse(pem("PRIVATE KEY", PKCS8[f"ml-dsa-{level}"] + bytes.fromhex(seed)).encode())
            continue
        if seed not in signed:
            assert derived(level, seed) == public
            if group.get("privateKeyPkcs8"):
                text = pem("PRIVATE KEY", bytes.fromhex(group["privateKeyPkcs8"]))
                if level == "65":
                    text = ED25519.pkcs8() + text
                assert privatekey.parse(text.encode())["seeds"][-1] == bytes.fromhex(seed)
            seeds = [bytes.fromhex(seed)] if level == "87" else [ED25519.seed, bytes.fromhex(seed)]
            signed[seed] = suites.sign("CT-SIG-03" if level == "87" else "CT-SIG-06", seeds, b"message")[-1]
            assert PURE[level].verify(bytes.fromhex(public), b"message", signed[seed])
        if "msg" not in test:
            counts["internal"] += 1
            assert verifies_mu(level, bytes.fromhex(public), bytes.fromhex(test["mu"]), bytes.fromhex(test["sig"]))
            continue
        message = bytes.fromhex(test["msg"])
        if test.get("ctx"):
            counts["context"] += 1
            assert test["result"] == "invalid" or not ours(level, public, message, test["sig"])
            continue
        counts["message"] += 1
        assert test["result"] == "valid" and ours(level, public, message, test["sig"]), test["tcId"]
        # Pure ML-DSA: the message is signed behind two zero bytes, "not pre-hashed" and "no context" (FIPS 204, algorithm 2).
        assert mu(bytes.fromhex(public), bytes(2) + message).hex() == test["mu"]
    assert tuple(counts[name] for name in ("length", "message", "context", "internal")) == SEEDED[level]
    assert len(signed) == len(set(signed.values()))


# Signatures over a message under an empty context; under another; of the internal interface; and private keys that are none.
SEEDLESS = {"65": (61, 2, 10, 5), "87": (52, 2, 10, 5)}


@pytest.mark.parametrize("level", LEVELS)
def test_wycheproof_sign_from_expanded_keys(vectors: Path, level: str) -> None:
    """A key here is its seed, so an expanded key is none; what one signed is a signature like others."""
    counts: Counter[str] = Counter()
    for group, test in cases(vectors / "wycheproof" / f"mldsa_{level}_sign_noseed_test.json"):
        if test["result"] == "invalid":
            counts["invalid"] += 1
        elif "msg" not in test:
            counts["internal"] += 1
            assert verifies_mu(level, *(bytes.fromhex(text) for text in (group["publicKey"], test["mu"], test["sig"])))
        else:
            counts["context" if test.get("ctx") else "message"] += 1
            said = ours(level, group["publicKey"], bytes.fromhex(test["msg"]), test["sig"])
            assert said is (not test.get("ctx")), test["tcId"]
    assert tuple(counts[name] for name in ("message", "context", "internal", "invalid")) == SEEDLESS[level]


# -- NIST's ACVP, internal interface --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
def test_acvp_key_generation(vectors: Path, level: str) -> None:
    count = 0
    for _, test in acvp(vectors, "keyGen", level):
        count += 1
        assert derived(level, test["seed"]) == test["pk"].lower()
        # The expanded key is no private key file's.
        expanded = bytes.fromhex(test["sk"])
        inner = b"\x04\x82" + len(expanded).to_bytes(2, "big") + expanded
        head = PKCS8[f"ml-dsa-{level}"][2:18]
        body = head + b"\x04\x82" + len(inner).to_bytes(2, "big") + inner
        with pytest.raises(Fail) as caught:
            privatekey.parse(pem("PRIVATE KEY", b"\x30\x82" + len(body).to_bytes(2, "big") + body).encode())
        assert caught.value.finding["finding"] == "key-malformed"
        public = Component(f"ml-dsa-{level}", public=bytes.fromhex(test["pk"]))
        if level == "87":
            made = keyfile.parse_import(public.der)
            assert (made["suite_id"], made["fingerprint"]) == ("CT-SIG-03", public.keyid)
    assert count == 25


@pytest.mark.parametrize("level", LEVELS)
def test_acvp_signatures(vectors: Path, level: str) -> None:
    """Deterministic and randomised: genuine at the internal interface by two implementations, and no signature at ours."""
    counts: Counter[bool] = Counter()
    for group, test in acvp(vectors, "sigGen", level):
        counts[group["deterministic"]] += 1
        public = PURE[level].pk_from_sk(bytes.fromhex(test["sk"]))
        message, signature = bytes.fromhex(test["message"]), bytes.fromhex(test["signature"])
        assert PURE[level]._verify_internal(public, message, signature)
        assert verifies_mu(level, public, mu(public, message), signature)
        assert not suites.verify(f"ml-dsa-{level}", public, message, signature)
    assert counts == {True: 10, False: 10}


# Genuine, and not.
ACVP_VERIFIED = {"65": (3, 12), "87": (3, 12)}


@pytest.mark.parametrize("level", LEVELS)
def test_acvp_verification(vectors: Path, level: str) -> None:
    counts: Counter[bool] = Counter()
    for group, test in acvp(vectors, "sigVer", level):
        counts[test["testPassed"]] += 1
        public, message, signature = (bytes.fromhex(text) for text in (group["pk"], test["message"], test["signature"]))
        assert PURE[level]._verify_internal(public, message, signature) is test["testPassed"], test["reason"]
        assert verifies_mu(level, public, mu(public, message), signature) is test["testPassed"], test["reason"]
        assert not suites.verify(f"ml-dsa-{level}", public, message, signature)
    assert (counts[True], counts[False]) == ACVP_VERIFIED[level]
