"""The suite table and its registry; Ed25519 against Wycheproof; Ed448 where OpenSSL is lax; SubjectPublicKeyInfo in one spelling."""

import hashlib
import json
import subprocess
import sys

import pytest
from cerrotorre import suites
from cerrotorre.errors import Fail
from conftest import LIBRARY, ROOT

SEED = bytes(range(32))
PUBLIC = suites.publics("CT-SIG-01", [SEED])[0]


def slug(call, *arguments):
    with pytest.raises(Fail) as caught:
        call(*arguments)
    return caught.value.finding["finding"], caught.value.finding["status"]


def test_table_and_registry_agree():
    registry = json.loads((ROOT / "spec" / "crypto-suites.json").read_text())
    assert {name: tuple(suite["signatures"]) for name, suite in registry["suites"].items()} == suites.SUITES
    assert registry["default"] == suites.DEFAULT
    ours = {"ed25519": "libsodium", "ed448": "cryptography", "ml-dsa-65": "cryptography", "ml-dsa-87": "cryptography"}
    for suite in registry["suites"].values():
        assert suite["backend"] == list(dict.fromkeys(ours[algorithm] for algorithm in suite["signatures"]))
    assert sorted(registry["suites"], key=lambda name: registry["suites"][name]["rank"]) == [
        f"CT-SIG-{number}" for number in ("01", "04", "03", "06", "02")
    ]
    assert suites.PUBLIC_SIZE.keys() == suites.SEED_SIZE.keys() == suites.SIGNATURE_SIZE.keys() == registry["algorithms"].keys()
    for algorithm, facts in registry["algorithms"].items():
        assert (facts["public"], facts["seed"], facts["signature"]) == (
            suites.PUBLIC_SIZE[algorithm],
            suites.SEED_SIZE[algorithm],
            suites.SIGNATURE_SIZE[algorithm],
        )
    assert {part for parts in suites.SUITES.values() for part in parts} == set(registry["algorithms"])


def test_unknown():
    assert slug(suites.generate, "CT-SIG-05") == ("suite-unknown", 64)
    assert slug(suites.components, "CT-SIG-1") == ("suite-unknown", 64)


def test_wycheproof_ed25519(vectors):
    data = json.loads((vectors / "wycheproof" / "ed25519_test.json").read_text())
    judged = 0
    for group in data["testGroups"]:
        public = bytes.fromhex(group["publicKey"]["pk"])
        assert suites.from_spki(bytes.fromhex(group["publicKeyDer"])) == ("ed25519", public)
        for test in group["tests"]:
            said = suites.verify("ed25519", public, bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]))
            assert said is (test["result"] == "valid"), test
            judged += 1
    assert judged == data["numberOfTests"]


def test_rfc_8032_vector_2():
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert suites.publics("CT-SIG-01", [seed]) == [public]
    assert suites.sign("CT-SIG-01", [seed], b"\x72") == [signature]
    assert suites.verify("ed25519", public, b"\x72", signature)


def test_signature_of_every_wrong_kind():
    (signature,) = suites.sign("CT-SIG-01", [SEED], b"message")
    assert suites.verify("ed25519", PUBLIC, b"message", signature)
    assert not suites.verify("ed25519", PUBLIC, b"messagf", signature)
    assert not suites.verify("ed25519", PUBLIC, b"message", signature[:-1])
    assert not suites.verify("ed25519", PUBLIC, b"message", signature + b"\0")
    assert not suites.verify("ed25519", PUBLIC[:-1], b"message", signature)
    order = 2**252 + 27742317777372353535851937790883648493
    malleable = signature[:32] + (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert not suites.verify("ed25519", PUBLIC, b"message", malleable)
    for bit in range(0, 512, 7):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not suites.verify("ed25519", PUBLIC, b"message", bytes(flipped))


P = 2**255 - 19
Y8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
SMALL = [0, 1, P - 1, Y8, P - Y8, P, P + 1]


@pytest.mark.parametrize("y", SMALL)
@pytest.mark.parametrize("sign", [0, 1])
def test_small_order_points_are_no_keys(y, sign):
    public = (y | sign << 255).to_bytes(32, "little")
    assert slug(suites.from_spki, suites.spki("ed25519", public))[0] == "key-malformed"
    assert slug(suites.check_public, "ed25519", public)[0] == "key-malformed"
    # The signature that fits every message under the identity point: R = identity, S = 0.
    assert not suites.verify("ed25519", public, b"any", (1).to_bytes(32, "little") + bytes(32))


def test_points_off_the_subgroup_are_no_keys():
    suites.check_public("ed25519", PUBLIC)
    refused = 0
    for y in range(2, 40):
        public = y.to_bytes(32, "little")
        try:
            suites.check_public("ed25519", public)
        except Fail:
            refused += 1
    # Half of all y are on no point, and of the rest seven in eight are outside the subgroup.
    assert refused > 30
    assert slug(suites.check_public, "ed25519", PUBLIC[1:])[0] == "key-malformed"


def test_spki_in_one_spelling():
    der = suites.spki("ed25519", PUBLIC)
    assert suites.from_spki(der) == ("ed25519", PUBLIC)
    for at in range(len(der) - 32):
        flipped = bytearray(der)
        flipped[at] ^= 1
        assert slug(suites.from_spki, bytes(flipped))[0] == "key-malformed"
    for other in (der + b"\0", der[:-1], b"", b"\x30\x81\x2a" + der[2:], der[:10] + b"\x22\0\0" + PUBLIC):
        assert slug(suites.from_spki, other)[0] == "key-malformed"


def test_fingerprint_is_openssl_s():
    der = suites.spki("ed25519", PUBLIC)
    whole = suites.fingerprint("CT-SIG-01", [PUBLIC])
    assert whole == "SHA256:" + hashlib.sha256(der).hexdigest()
    assert suites.component_fingerprints("CT-SIG-01", [PUBLIC]) == [whole]
    out = subprocess.run(["openssl", "pkey", "-pubin", "-inform", "DER", "-outform", "DER"], input=der, capture_output=True)
    assert out.stdout == der


def test_openssl_verifies_our_signature(tmp_path):
    (tmp_path / "key").write_bytes(suites.spki("ed25519", PUBLIC))
    (tmp_path / "sig").write_bytes(suites.sign("CT-SIG-01", [SEED], b"message")[0])
    (tmp_path / "msg").write_bytes(b"message")
    command = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        "key",
        "-keyform",
        "DER",
        "-rawin",
        "-in",
        "msg",
        "-sigfile",
        "sig",
    ]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 0


# -- Ed448 ---------------------------------------------------------------------------------------------------------------------

ED448_SEED = bytes(range(57))
ED448 = suites.publics("CT-SIG-04", [ED448_SEED])[0]
P448 = 2**448 - 2**224 - 1
ORDER448 = 2**446 - 13818066809895115352007386748515426880336692474882178609894547503885


def test_rfc_8032_ed448():
    seed = bytes.fromhex(
        "6c82a562cb808d10d632be89c8513ebf6c929f34ddfa8c9f63c9960ef6e348a3528c8a3fcc2f044e39a3fc5b94492f8f032e7549a20098f95b"
    )
    public = bytes.fromhex(
        "5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783df1e50f6cd1fa1abeafe8256180"
    )
    signature = bytes.fromhex(
        "533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f2b233f034f628281f2fd7a22ddd47d7828c59bd0a21bfd3980"
        "ff0d2028d4b18a9df63e006c5d1c2d345b925d8dc00b4104852db99ac5c7cdda8530a113a0f4dbb61149f05a7363268c71d95808ff2e652600"
    )
    assert suites.publics("CT-SIG-04", [seed]) == [public]
    assert suites.sign("CT-SIG-04", [seed], b"") == [signature]
    assert suites.verify("ed448", public, b"", signature)


def ed448_scalar():
    digest = bytearray(hashlib.shake_256(ED448_SEED).digest(57))
    digest[0] &= 0xFC
    digest[55] |= 0x80
    digest[56] = 0
    return int.from_bytes(digest, "little")


def ed448_by(r, public, message, commitment=0):
    """A signature with any R, whose discrete logarithm is `commitment`, by the key of ED448_SEED."""
    challenge = int.from_bytes(hashlib.shake_256(b"SigEd448\0\0" + r + public + message).digest(114), "little")
    return r + ((commitment + challenge * ed448_scalar()) % ORDER448).to_bytes(57, "little")


SMALL448 = {
    "neutral": 1,
    "order 2": P448 - 1,
    "order 4": 0,
    "order 4, negative": 1 << 455,
    "neutral, negative": 1 | 1 << 455,
    "neutral, y + p": P448 + 1,
    "order 4, y + p": P448,
    "neutral, a bit beyond y": 1 | 1 << 448,
    "order 4, a bit beyond y": 1 << 454,
}


@pytest.mark.parametrize("name", SMALL448)
def test_ed448_points_of_small_order(name):
    point = SMALL448[name].to_bytes(57, "little")
    assert slug(suites.from_spki, suites.spki("ed448", point))[0] == "key-malformed"
    assert slug(suites.check_public, "ed448", point)[0] == "key-malformed"
    # As R: the signature's equation holds up to the cofactor.
    assert not suites.verify("ed448", ED448, b"message", ed448_by(point, ED448, b"message"))
    # As a key: R is any point whose logarithm is known, and S is that, whatever the message.
    for message in (b"one", b"two", b"three", b"four", b"five"):
        assert not suites.verify("ed448", point, message, ED448 + (ed448_scalar() % ORDER448).to_bytes(57, "little"))


def test_openssl_alone_takes_points_of_order_4():
    """Why the rule is ours: without it whoever imports such a key believes anybody."""
    from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey

    key = Ed448PublicKey.from_public_bytes(bytes(57))
    for message in (b"one", b"two"):
        key.verify(ED448 + (ed448_scalar() % ORDER448).to_bytes(57, "little"), message)


def test_ed448_signature_of_every_wrong_kind():
    (signature,) = suites.sign("CT-SIG-04", [ED448_SEED], b"message")
    assert suites.verify("ed448", ED448, b"message", signature)
    assert suites.verify("ed448", ED448, b"message", ed448_by(ED448, ED448, b"message", ed448_scalar()))
    assert not suites.verify("ed448", ED448, b"messagf", signature)
    for other in (signature[:-1], signature + b"\0", b"", signature[:64]):
        assert not suites.verify("ed448", ED448, b"message", other)
    s = int.from_bytes(signature[57:], "little")
    for more in (ORDER448, 2 * ORDER448, 1 << 448, 1 << 455):
        assert not suites.verify("ed448", ED448, b"message", signature[:57] + (s + more).to_bytes(57, "little"))
    for bit in range(0, 8 * 114, 11):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not suites.verify("ed448", ED448, b"message", bytes(flipped))


def test_ed448_points_off_the_subgroup_are_no_keys():
    suites.check_public("ed448", ED448)
    (other,) = suites.publics("CT-SIG-04", [bytes(57)])
    suites.check_public("ed448", other)
    refused = 0
    for y in range(2, 42):
        try:
            suites.check_public("ed448", y.to_bytes(57, "little"))
        except Fail as fail:
            refused += fail.finding["finding"] == "key-malformed"
    # Half of all y are on no point, and of the rest three in four are outside the subgroup.
    assert refused > 28
    # (-x, -y) is the key and the point of order 2.
    y = int.from_bytes(ED448, "little") & (1 << 455) - 1
    moved = P448 - y | (~ED448[56] >> 7 & 1) << 455
    assert slug(suites.check_public, "ed448", moved.to_bytes(57, "little"))[0] == "key-malformed"


# -- ML-DSA --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite_id, algorithm", [("CT-SIG-03", "ml-dsa-87"), ("CT-SIG-06", "ml-dsa-65")])
def test_ml_dsa_signature_of_every_wrong_kind(suite_id, algorithm):
    seeds = [SEED] * len(suites.SUITES[suite_id])
    public, signature = suites.publics(suite_id, seeds)[-1], suites.sign(suite_id, seeds, b"message")[-1]
    assert suites.verify(algorithm, public, b"message", signature)
    assert suites.sign(suite_id, seeds, b"message")[-1] != signature, "hedged"
    assert not suites.verify(algorithm, public, b"messagf", signature)
    for other in (signature[:-1], signature + b"\0", b"", bytes(len(signature)), b"\xff" * len(signature)):
        assert not suites.verify(algorithm, public, b"message", other)
    assert not suites.verify(algorithm, public[:-1], b"message", signature)
    assert not suites.verify(algorithm, bytes(len(public)), b"message", signature)
    for at in range(0, len(signature), 97):
        flipped = bytearray(signature)
        flipped[at] ^= 1
        assert not suites.verify(algorithm, public, b"message", bytes(flipped))


def test_ml_dsa_is_pure_and_has_no_context():
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA87PrivateKey

    key = MLDSA87PrivateKey.from_seed_bytes(SEED)
    (public,) = suites.publics("CT-SIG-03", [SEED])
    assert suites.verify("ml-dsa-87", public, b"message", key.sign(b"message"))
    assert not suites.verify("ml-dsa-87", public, b"message", key.sign(b"message", b"context"))


# -- encodings of all ----------------------------------------------------------------------------------------------------------

ALGORITHMS = {"ed25519": "CT-SIG-01", "ed448": "CT-SIG-04", "ml-dsa-87": "CT-SIG-03", "ml-dsa-65": "CT-SIG-06"}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_spki_of_every_algorithm(algorithm):
    from cryptography.hazmat.primitives import serialization

    suite_id = ALGORITHMS[algorithm]
    seeds = [bytes(range(suites.SEED_SIZE[part])) for part in suites.SUITES[suite_id]]
    public = suites.publics(suite_id, seeds)[-1]
    der = suites.spki(algorithm, public)
    loaded = serialization.load_der_public_key(der)
    assert loaded.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo) == der
    assert suites.from_spki(der) == (algorithm, public)
    oid = json.loads((ROOT / "spec" / "crypto-suites.json").read_text())["algorithms"][algorithm]["oid"]
    assert loaded_oid(der) == oid
    for at in range(len(der) - len(public)):
        for bit in range(8):
            flipped = bytearray(der)
            flipped[at] ^= 1 << bit
            # ML-DSA-65 and -87, and Ed25519 and Ed448, differ in one bit of the identifier, and in length.
            assert slug(suites.from_spki, bytes(flipped))[0] == "key-malformed"
    # NULL for the parameters, and a length in more bytes than it needs.
    start = der.index(b"\x06")
    body = der[start : start + 2 + der[start + 1]]
    rest = der[start + len(body) :]
    null = b"\x30" + bytes([len(body) + 2]) + body + b"\x05\0" + rest
    for other in (sequence(null), der + b"\0", der[:-1], b"\x30\x80" + der[2:] + b"\0\0"):
        assert slug(suites.from_spki, other)[0] == "key-malformed"


def sequence(content):
    size = len(content)
    return b"\x30" + (bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")) + content


def loaded_oid(der):
    start = der.index(b"\x06")
    body = der[start + 2 : start + 2 + der[start + 1]]
    numbers, value = [body[0] // 40 if body[0] < 80 else 2, body[0] - 40 * min(body[0] // 40, 2)], 0
    for byte in body[1:]:
        value = value << 7 | byte & 127
        if byte < 128:
            numbers.append(value)
            value = 0
    return ".".join(map(str, numbers))


# -- backends that are not there -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, said",
    [
        ("raise ImportError('not here')", "it is not installed"),
        ("__version__ = '38.0.4'", "here is 38.0.4"),
    ],
)
def test_a_cryptography_that_lacks_ml_dsa(tmp_path, text, said):
    package = tmp_path / "path" / "cryptography"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(text)
    code = f"""
import sys
sys.path[:0] = [{str(tmp_path / "path")!r}, {str(LIBRARY)!r}, {str(LIBRARY / "vendor")!r}]
from cerrotorre import suites
from cerrotorre.errors import Fail
for name in suites.SUITES:
    try:
        print(name, len(suites.generate(name)))
    except Fail as fail:
        print(name, fail.finding["finding"], fail, fail.finding["try"])
print(suites.fingerprint("CT-SIG-03", [bytes(2592)]))
print(suites.verify("ml-dsa-87", bytes(2592), b"", bytes(4626)))
try:
    suites.verify("ml-dsa-87", bytes(2592), b"", bytes(4627))
except Fail as fail:
    print(fail.finding["status"])
"""
    out = subprocess.run([sys.executable, "-IS", "-c", code], capture_output=True, text=True, env={"CT_HOME": "/nonexistent"})
    lines = out.stdout.splitlines()
    assert lines[0] == "CT-SIG-01 1" and out.stderr == "", out
    for line in lines[1:5]:
        assert "suite-unavailable" in line and "cryptography" in line
    for line in (lines[1], lines[2], lines[4]):
        assert "48 or later" in line and said in line and "DEPS=system" in line
    assert lines[5].startswith("SHA256:") and lines[6:] == ["False", "69"]


def test_generated_seeds_differ():
    assert suites.generate("CT-SIG-01") != suites.generate("CT-SIG-01")
    assert [len(seed) for seed in suites.generate("CT-SIG-01")] == [32]


def test_start_imports_no_backend():
    code = (
        f"import sys; sys.path[:0] = [{str(LIBRARY)!r}, {str(LIBRARY / 'vendor')!r}]; import cerrotorre.keystore as k; k.load()"
    )
    code += "; print([m for m in sys.modules if m.partition('.')[0] in ('nacl', 'cbor2', 'argon2', 'hashlib', 'datetime', 'pathlib')])"
    out = subprocess.run([sys.executable, "-IS", "-c", code], capture_output=True, text=True, env={"CT_HOME": "/nonexistent"})
    assert out.stdout.strip() == "[]", out.stderr
