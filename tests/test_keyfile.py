"""Key files: one spelling, claims checked, every altered byte refused; OpenSSL reads what is ordinary."""

import base64
import re
import subprocess

import pytest
from cerrotorre import keyfile, privatekey, suites
from cerrotorre.errors import Fail
from conftest import ROOT
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

SEED = bytes(range(32))
PUBLIC = suites.publics("CT-SIG-01", [SEED])[0]
KEY = {
    "key_id": "test-2026",
    "suite_id": "CT-SIG-01",
    "fingerprint": suites.fingerprint("CT-SIG-01", [PUBLIC]),
    "created": "2026-11-22T10:31:00Z",
    "publics": [PUBLIC],
}
FILE = keyfile.write_public(KEY)
BARE = keyfile.public_blocks(KEY).encode()
COST = privatekey.PROFILES["interactive"]


def sealed(passphrase=b"correct horse", cost=COST):
    return privatekey.seal("test-2026", "CT-SIG-01", [SEED], passphrase, cost, salt=bytes(16), nonce=bytes(24))


def refused(call, *arguments):
    with pytest.raises(Fail) as caught:
        call(*arguments)
    return caught.value.finding["finding"]


@pytest.fixture
def quick(monkeypatch):
    """A key derivation that costs nothing, for what does not depend on its cost."""
    import hashlib

    monkeypatch.setattr(
        privatekey,
        "_derive",
        lambda passphrase, kdf: hashlib.sha256(repr((passphrase, sorted(kdf.items()))).encode()).digest(),
    )


# -- public keys ---------------------------------------------------------------------------------------------------------


def test_public_file_reads_back():
    assert keyfile.parse_public(FILE) == KEY
    assert FILE.startswith(b"Key-Id: test-2026\nSuite: CT-SIG-01\nFingerprint: SHA256:")
    undated = KEY | {"created": None}
    assert keyfile.parse_public(keyfile.write_public(undated)) == undated


def test_every_flipped_bit_of_a_public_file_is_seen():
    for at in range(len(FILE)):
        for bit in range(8):
            data = bytearray(FILE)
            data[at] ^= 1 << bit
            try:
                read = keyfile.parse_public(bytes(data))
            except Fail as fail:
                assert fail.finding["status"] in (10, 69)
            else:
                # What no check can see is the id and the date; neither changes the key.
                assert read["publics"] == [PUBLIC] and read["fingerprint"] == KEY["fingerprint"]
                assert keyfile.write_public(read) == bytes(data)


@pytest.mark.parametrize(
    "change",
    [
        (b"Key-Id: test-2026", b"Key-Id: .hidden"),
        (b"Key-Id: test-2026", b"Key-Id: ../../evil"),
        (b"Key-Id: test-2026", b"Key-Id: " + b"x" * 65),
        (b"Key-Id: test-2026\n", b""),
        (b"Key-Id: test-2026\n", b"Key-Id: test-2026\nKey-Id: test-2026\n"),
        (b"Key-Id: test-2026\n", b"Key-Id: test-2026 \n"),
        (b"Key-Id: test-2026\n", b"Key-Id: test-2026\r\n"),
        (b"Suite: CT-SIG-01\n", b"Suite: CT-SIG-99\n"),
        (b"Suite: CT-SIG-01\n", b"Suite: CT-SIG-01\nTrust: yes\n"),
        (b"2026-11-22T10:31:00Z", b"2026-02-30T10:31:00Z"),
        (b"2026-11-22T10:31:00Z", b"2026-11-22"),
        (b"Fingerprint: SHA256:", b"Fingerprint: sha256:"),
        (b"PUBLIC KEY", b"PRIVATE KEY"),
        (b"-----END PUBLIC KEY-----\n", b"-----END PUBLIC KEY-----"),
        (b"-----END PUBLIC KEY-----\n", b"-----END PUBLIC KEY-----\n\n"),
        (b"-----END PUBLIC KEY-----\n", b"-----END PUBLIC KEY-----\n" + BARE),
        (b"-----BEGIN", b"\n-----BEGIN"),
        (BARE, b""),
        (FILE, b""),
        (FILE, FILE + b"\xff"),
        (FILE, b"x" * (keyfile.LIMIT + 1)),
    ],
)
def test_public_file_in_one_spelling(change):
    assert change[0] in FILE
    assert refused(keyfile.parse_public, FILE.replace(*change)) == "key-malformed"


def test_public_file_whose_suite_is_not_its_blocks():
    assert refused(keyfile.parse_public, FILE.replace(b"CT-SIG-01", b"CT-SIG-03")) == "key-malformed"


def test_openssl_reads_a_public_file(tmp_path):
    (tmp_path / "k.pub").write_bytes(FILE)
    out = subprocess.run(["openssl", "pkey", "-pubin", "-in", "k.pub", "-outform", "DER"], cwd=tmp_path, capture_output=True)
    assert out.stdout == suites.spki("ed25519", PUBLIC)


DER = suites.spki("ed25519", PUBLIC)


@pytest.mark.parametrize(
    "data",
    [
        BARE,
        BARE.replace(b"\n", b"\r\n"),
        BARE.rstrip(b"\n"),
        b"some text before\n" + BARE + b"and after\n",
        DER,
        PUBLIC.hex().encode(),
        PUBLIC.hex().upper().encode() + b"\n",
        base64.b64encode(PUBLIC) + b"\n",
    ],
)
def test_import_forms(data):
    assert keyfile.parse_import(data) == KEY | {"key_id": None, "created": None}


def test_import_of_our_own_file():
    assert keyfile.parse_import(FILE) == KEY
    assert keyfile.parse_import(FILE.replace(b"\n", b"\r\n")) == KEY


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"hello",
        DER + b"\0",
        b"\x30" + DER[2:],
        BARE + BARE,
        BARE.replace(b"MCow", b"MCox"),
        PUBLIC.hex().encode()[:-1],
        base64.b64encode(PUBLIC)[:-1],
        base64.b64encode(PUBLIC + b"\0"),
        bytes(32).hex().encode(),
        (2).to_bytes(32, "little").hex().encode(),
        privatekey.write_plain("CT-SIG-01", [SEED]),
        b"0" * (keyfile.LIMIT + 1),
        b"\xef\xbb\xbf" + FILE,
    ],
)
def test_what_is_not_imported(data):
    assert refused(keyfile.parse_import, data) == "key-malformed"


@given(st.binary(max_size=200))
def test_import_of_anything_is_a_key_or_a_finding(data):
    try:
        keyfile.parse_import(data)
    except Fail as fail:
        assert fail.finding["status"] in (10, 69)


# -- local facts ---------------------------------------------------------------------------------------------------------


def test_local_facts_read_back():
    facts = {"expires": "2027-06-01", "rotated_into": "test-2027", "note": "Änne's laptop"}
    assert keyfile.parse_local(keyfile.write_local(facts)) == facts
    assert keyfile.parse_local(b"") == {"expires": None, "rotated_into": None, "note": None}
    assert keyfile.check_expiry("2027-06-01") == keyfile.check_expiry("2027-06-01T23:59:59Z")


@pytest.mark.parametrize(
    "data",
    [
        b"Expires: 2027-06-31\n",
        b"Expires: never\n",
        b"Expires: 2027-06-01",
        b"Expires:2027-06-01\n",
        b"Expires: 2027-06-01\nExpires: 2028-06-01\n",
        b"Note: x\nExpires: 2027-06-01\n",
        b"Expire: 2027-06-01\n",
        b"Rotated-Into: ../x\n",
        b"Note: \xff\n",
        b"Note: a\xe2\x80\xaeb\n",
        b"Note: a\xe2\x80\xa8Expires: 2027-06-01\n",
        b"Note: \n",
        b"\n",
    ],
)
def test_local_facts_that_are_not_understood_are_refused(data):
    assert refused(keyfile.parse_local, data) == "key-malformed"


# -- private keys --------------------------------------------------------------------------------------------------------


def test_sealed_key_opens_with_its_passphrase_only():
    private = privatekey.parse(sealed())
    assert (private["encrypted"], private["key_id"], private["fingerprint"]) == (True, "test-2026", KEY["fingerprint"])
    assert privatekey.open_seeds(private, b"correct horse") == [SEED]
    assert refused(privatekey.open_seeds, private, b"correct horsf") == "key-locked"


def test_sealed_key_holds_no_seed(quick):
    assert SEED not in base64.b64decode(b"".join(sealed().splitlines()[1:-1]))


def test_associated_data_is_all_but_the_ciphertext(quick):
    import cbor2

    value = cbor2.loads(base64.b64decode(b"".join(sealed().splitlines()[1:-1])))
    del value["ciphertext"]
    assert privatekey.parse(sealed())["associated"] == cbor2.dumps(value, canonical=True)


def test_every_altered_byte_of_a_private_file_is_refused(quick):
    data = sealed()
    assert privatekey.open_seeds(privatekey.parse(data), b"correct horse") == [SEED]
    for at in range(len(data)):
        for other in (data[at] ^ 1, data[at] ^ 0x20, data[at] ^ 0x80, 0x41 if data[at] != 0x41 else 0x42):
            altered = data[:at] + bytes([other]) + data[at + 1 :]
            with pytest.raises(Fail) as caught:
                privatekey.open_seeds(privatekey.parse(altered), b"correct horse")
            assert caught.value.finding["status"] in (10, 13, 69), (at, other)
    for altered in (data + b"\n", data[:-1], data[1:], data + data, b"Key-Id: x\n" + data, data.replace(b"\n", b"\r\n")):
        assert refused(privatekey.parse, altered) == "key-malformed"


def remade(**changes):
    """A private file with members changed, in correct armour and encoding."""
    import cbor2

    value = cbor2.loads(base64.b64decode(b"".join(sealed().splitlines()[1:-1])))
    for name, its in changes.items():
        where = value["kdf"] if name.startswith("kdf_") else value
        where[name.removeprefix("kdf_")] = its
    return keyfile.pem(privatekey.LABEL, cbor2.dumps(value, canonical=True)).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"kdf_m": (64 << 10) - 1},
        {"kdf_m": (1 << 20) + 1},
        {"kdf_m": 1 << 62},
        {"kdf_m": 1 << 70},
        {"kdf_m": -1},
        {"kdf_m": True},
        {"kdf_m": 131072.0},
        {"kdf_t": 1},
        {"kdf_t": 11},
        {"kdf_p": 0},
        {"kdf_p": 9},
        {"kdf_name": "argon2i"},
        {"kdf_version": 16},
        {"kdf_salt": bytes(15)},
        {"kdf_extra": 1},
        {"nonce": bytes(23)},
        {"nonce": "x" * 24},
        {"aead": "aes-256-gcm"},
        {"version": 2},
        {"version": True},
        {"ciphertext": bytes(47)},
        {"ciphertext": bytes(49)},
        {"key_id": "../x"},
        {"key_id": b"test-2026"},
        {"suite": "CT-SIG-99"},
        {"extra": 0},
    ],
)
def test_bounds_are_checked_before_memory_is_spent(quick, monkeypatch, changes):
    data = remade(**changes)
    monkeypatch.setattr(privatekey, "_derive", lambda *_: pytest.fail("the key derivation ran"))
    assert refused(privatekey.parse, data) == "key-malformed"


@pytest.mark.parametrize(
    "change", [{"key_id": "other-2026"}, {"fingerprint": "SHA256:" + "0" * 64}, {"kdf_t": 4}, {"kdf_p": 2}]
)
def test_clear_members_are_authenticated(quick, change):
    assert refused(privatekey.open_seeds, privatekey.parse(remade(**change)), b"correct horse") == "key-locked"


@pytest.mark.parametrize(
    "cost", [{"t": 1, "m": 1 << 17, "p": 1}, {"t": 3, "m": 1 << 15, "p": 1}, {"t": 3, "m": 1 << 21, "p": 1}]
)
def test_bounds_hold_for_writing_too(cost):
    assert refused(sealed, b"x", cost) == "key-malformed"
    assert refused(sealed, b"") == "passphrase-refused"


def test_profiles_are_within_bounds():
    for cost in privatekey.PROFILES.values():
        assert all(low <= cost[name] <= high for name, (low, high) in privatekey.BOUNDS.items())
    assert {name: (cost["p"], cost["m"] >> 10, cost["t"]) for name, cost in privatekey.PROFILES.items()} == {
        "interactive": (1, 128, 3),
        "moderate": (2, 256, 4),
        "high": (4, 512, 5),
    }


@pytest.mark.parametrize(
    "encoded",
    [b"", b"\xa0", b"\x80", b"\xbf\xff", b"\xc2\x41\x00", b"\x9f" * 500, b"\x81" * 5000, b"\x5b" + b"\xff" * 8, b"\xf6"],
)
def test_hostile_cbor(encoded):
    assert refused(privatekey.parse, keyfile.pem(privatekey.LABEL, encoded).encode()) == "key-malformed"


@given(st.binary(max_size=300))
def test_any_cbor_is_a_finding(encoded):
    assert refused(privatekey.parse, keyfile.pem(privatekey.LABEL, encoded).encode()) == "key-malformed"


def test_cbor_in_another_spelling(quick):
    import cbor2

    value = cbor2.loads(base64.b64decode(b"".join(sealed().splitlines()[1:-1])))
    assert (
        refused(privatekey.parse, keyfile.pem(privatekey.LABEL, cbor2.dumps(dict(reversed(value.items())))).encode())
        == "key-malformed"
    )


def test_openssl_reads_a_plain_private_file(tmp_path):
    data = privatekey.write_plain("CT-SIG-01", [SEED])
    assert privatekey.parse(data) == {"encrypted": False, "suite_id": "CT-SIG-01", "seeds": [SEED]}
    (tmp_path / "k.key").write_bytes(data)
    out = subprocess.run(["openssl", "pkey", "-in", "k.key", "-pubout", "-outform", "DER"], cwd=tmp_path, capture_output=True)
    assert out.stdout == suites.spki("ed25519", PUBLIC)
    made = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], capture_output=True).stdout
    assert len(privatekey.parse(made)["seeds"][0]) == 32


def seeds_of(suite_id):
    return [bytes(range(suites.SEED_SIZE[algorithm])) for algorithm in suites.SUITES[suite_id]]


@pytest.mark.parametrize("suite_id", suites.SUITES)
def test_private_files_of_every_suite(quick, suite_id):
    seeds = seeds_of(suite_id)
    publics = suites.publics(suite_id, seeds)
    plain = privatekey.write_plain(suite_id, seeds)
    assert privatekey.parse(plain) == {"encrypted": False, "suite_id": suite_id, "seeds": seeds}
    for (label, der), algorithm, public in zip(keyfile.blocks(plain.decode()), suites.SUITES[suite_id], publics, strict=True):
        # Another program reads each block, knows its public key, and spells it so too.
        loaded = serialization.load_pem_private_key(keyfile.pem(label, der).encode(), None)
        info = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        assert loaded.public_key().public_bytes(*info) == suites.spki(algorithm, public)
        pkcs8 = (serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        assert loaded.private_bytes(*pkcs8) == der
    sealed = privatekey.seal("k", suite_id, seeds, b"correct horse", COST, salt=bytes(16), nonce=bytes(24))
    opened = privatekey.parse(sealed)
    assert (opened["suite_id"], opened["fingerprint"]) == (suite_id, suites.fingerprint(suite_id, publics))
    assert len(opened["ciphertext"]) == sum(map(len, seeds)) + 16
    assert privatekey.open_seeds(opened, b"correct horse") == seeds
    assert refused(privatekey.open_seeds, opened, b"correct hors") == "key-locked"


@pytest.mark.parametrize("suite_id", ["CT-SIG-03", "CT-SIG-04"])
def test_a_plain_private_file_has_one_spelling(suite_id):
    (seed,) = seeds_of(suite_id)
    ((label, der),) = keyfile.blocks(privatekey.write_plain(suite_id, [seed]).decode())
    for at in range(len(der) - len(seed)):
        for bit in range(8):
            flipped = bytearray(der)
            flipped[at] ^= 1 << bit
            assert refused(privatekey.parse, keyfile.pem(label, bytes(flipped)).encode()) == "key-malformed"
    for other in (der + b"\0", der[:-1], der[: -len(seed)]):
        assert refused(privatekey.parse, keyfile.pem(label, other).encode()) == "key-malformed"


def test_ml_dsa_private_keys_are_seeds():
    """RFC 9881 knows two choices more, the expanded key and both."""
    ((label, der),) = keyfile.blocks(privatekey.write_plain("CT-SIG-03", [SEED]).decode())
    version_and_algorithm = der[2:18]
    expanded, seed = b"\x04\x82\x13\x20" + bytes(4896), b"\x04\x20" + SEED
    for inner in (expanded, b"\x30\x82" + len(seed + expanded).to_bytes(2, "big") + seed + expanded, seed, b"\xa0\x22" + seed):
        size = bytes([len(inner)]) if len(inner) < 128 else b"\x82" + len(inner).to_bytes(2, "big")
        content = version_and_algorithm + b"\x04" + size + inner
        size = bytes([len(content)]) if len(content) < 128 else b"\x82" + len(content).to_bytes(2, "big")
        assert refused(privatekey.parse, keyfile.pem(label, b"\x30" + size + content).encode()) == "key-malformed"


def test_components_in_another_order_or_number_are_no_key():
    first, second = re.findall(
        "(?s)-----BEGIN.*?KEY-----\n.*?KEY-----\n", privatekey.write_plain("CT-SIG-02", seeds_of("CT-SIG-02")).decode()
    )
    assert privatekey.parse(first.encode())["suite_id"] == "CT-SIG-01"
    assert privatekey.parse(second.encode())["suite_id"] == "CT-SIG-03"
    for text in (second + first, first + second + second, first + first, second + second):
        assert refused(privatekey.parse, text.encode()) == "key-malformed"


@pytest.mark.parametrize("suite_id", suites.SUITES)
def test_public_files_of_every_suite(suite_id):
    publics = suites.publics(suite_id, seeds_of(suite_id))
    named = {"key_id": "k", "suite_id": suite_id, "fingerprint": suites.fingerprint(suite_id, publics), "created": None}
    key = named | {"publics": publics}
    file = keyfile.write_public(key)
    assert keyfile.parse_public(file) == keyfile.parse_import(file) == key
    assert keyfile.parse_import(b"text\n" + keyfile.public_blocks(key).encode() + b"text\n")["publics"] == publics
    for other in suites.SUITES.keys() - {suite_id}:
        assert refused(keyfile.parse_public, file.replace(suite_id.encode(), other.encode())) == "key-malformed"
    block = keyfile.public_blocks(key).partition("-----END")[0]
    for at in range(len(block) - 1):
        # A flipped bit of a key of ML-DSA is another key, whose fingerprint is not the file's.
        changed = file.decode().replace(block, block[:at] + ("A" if block[at] != "A" else "B") + block[at + 1 :])
        assert refused(keyfile.parse_public, changed.encode()) == "key-malformed"


def test_example_of_the_specification():
    text = (ROOT / "spec" / "keys.adoc").read_text()
    public, private = (block + "\n" for block in re.findall("(?s)\n----\n(.*?)\n----\n", text)[:2])
    key = keyfile.parse_public(public.encode())
    assert key["publics"] == [PUBLIC]
    made = privatekey.seal(
        "cerro-dev-2026", "CT-SIG-01", [SEED], b"correct horse", COST, salt=bytes(range(16)), nonce=bytes(range(24))
    )
    assert made == private.encode()
    associated = privatekey.parse(made)["associated"]
    assert len(associated) == 257 and associated.startswith(bytes.fromhex("a7636b6466a6616d1a00020000"))
