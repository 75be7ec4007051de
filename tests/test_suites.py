"""The suite table and its registry; Ed25519 against Wycheproof; fingerprints and SubjectPublicKeyInfo in one spelling."""

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
