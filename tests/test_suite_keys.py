"""Keys of every suite in the store: made, shown, imported, trusted, exported, deleted; and what is no key of its suite.

The files that are refused are made from the specifications (spec/keys.adoc, spec/suites.adoc, RFC 9881), not by the library.
"""

import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cerrotorre import keyfile, privatekey
from cerrotorre.errors import Fail
from cryptography.hazmat.primitives.serialization import load_der_private_key
from dilithium_py.ml_dsa import ML_DSA_65, ML_DSA_87
from images import make
from small import environment, run, tool, verdicts
from suite_keys import HYBRIDS, PKCS8, SPKI, SUITES, Bundle, Component, Key, envelope, fingerprint, opened, pem, unpem

PURE = {"ml-dsa-65": ML_DSA_65, "ml-dsa-87": ML_DSA_87}
POST_QUANTUM = [suite for suite, its in SUITES.items() if set(its) & set(PURE)]


UNSIGNED: list[bytes] = []


class Home:
    """An empty home, `ct` in it, and `said`: what `ct … --json` says."""

    def __init__(self, root: Path) -> None:
        self.root, self.store = root, root / "home"
        self.store.mkdir(mode=0o700)
        self.env = environment(self.store)

    def ct(self, *arguments: object, status: int | None = 0, **more: Any) -> subprocess.CompletedProcess[Any]:
        return tool("ct", *arguments, env=self.env, cwd=self.root, status=status, **more)

    def said(self, *arguments: object) -> Any:
        return json.loads(self.ct(*arguments, "--json").stdout)

    def keys(self) -> dict[str, Any]:
        return {one["key_id"]: one for one in map(json.loads, self.ct("key", "list", "--json").stdout.splitlines())}

    def write(self, name: str, data: str | bytes, mode: int = 0o644) -> Path:
        path = self.root / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        path.chmod(mode)
        return path

    def plant(self, where: str, name: str, data: str) -> None:
        self.write(f"home/{where}/{name}", data)

    def only(self, key: Key, where: str = "trusted") -> None:
        """A store that holds this public key and no other."""
        for directory in ("keys", "trusted", "known"):
            for path in (self.store / directory).glob("*"):
                path.unlink()
        self.plant(where, f"{key.key_id}.pub", key.public_file())

    def judged(self, *bundles: list[bytes]) -> list[tuple[int, str, list[str]]]:
        """(status, finding, statuses of the signatures) of the bundle with each of these lists of lines."""
        names = [f"{number}.ctp" for number in range(len(bundles))]
        for name, lines in zip(names, bundles, strict=True):
            self.write(name, self.bundle.with_lines(lines))
        said = verdicts(names, env=self.env, cwd=self.root)
        return [(one["status"], one.get("finding") or "", [entry["status"] for entry in one["signatures"]]) for one in said]

    @property
    def bundle(self) -> Bundle:
        """The same for every test."""
        if not UNSIGNED:
            make("single", self.root / "image")
            self.ct("pack", "-q", "--no-sign", "-o", "made.ctp", f"oci:{self.root / 'image'}")
            UNSIGNED.append((self.root / "made.ctp").read_bytes())
        self.write("none.ctp", UNSIGNED[0])
        return Bundle(UNSIGNED[0])

    def line(self, key: Key, **changed: Any) -> bytes:
        """A bundle signature by the key."""
        payload = self.bundle.signature(key, **changed)
        return envelope(payload, key.entries(payload))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


# -- round trips ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", SUITES)
def test_keys_come_and_go(home: Home, suite: str) -> None:
    made = home.said("keygen", "--id", "mine", "--suite", suite, "--no-password")
    assert (made["suite_id"], made["default"], made["encrypted"]) == (suite, True, False)
    assert home.keys()["mine"]["suite_id"] == suite
    shown = home.said("key", "show", "mine")
    assert (shown["suite_id"], shown["fingerprint"]) == (suite, made["fingerprint"])
    assert f"{suite} ({', '.join(SUITES[suite])})" in re.sub(" +", " ", home.ct("key", "show", "mine").stdout)
    # The same fingerprint by others' means: SHA-256 of the public keys that another library finds in the private key file.
    private = (home.store / "keys/mine.key").read_text()
    assert private == "".join(pem("PRIVATE KEY", block) for block in unpem(private))
    its = [load_der_private_key(block, None) for block in unpem(private)]
    components = [
        Component(algorithm, public=one.public_key().public_bytes_raw())  # type: ignore[union-attr]
        for algorithm, one in zip(SUITES[suite], its, strict=True)
    ]
    key = Key(suite, "mine", components)
    assert (
        key.fingerprint == made["fingerprint"]
        and key.public_file(Created="2023-11-14T22:13:20Z") == (home.store / "keys/mine.pub").read_text()
    )

    exported = home.ct("key", "export", "mine", "--public").stdout
    assert exported == (home.store / "keys/mine.pub").read_text()
    home.write("mine.pub", exported)
    home.ct("key", "import", "mine.pub", status=13)
    home.ct("key", "import", "--id", "other", "mine.pub", status=13)
    home.ct("key", "delete", "mine", "--yes")
    assert home.keys() == {}

    # Into another's store: known, then trusted; from a .pub, and from what openssl and others write.
    der = b"".join(one.der for one in components)
    forms: dict[str, str | bytes] = {
        "a": exported,
        "b": key.blocks(),
        "c": "A key.\n" + key.blocks().replace("\n", "\r\n") + "\nBye.\n",
    }
    if len(components) == 1:
        forms["d"] = der
    for name, data in forms.items():
        home.write(name, data)
        said = home.said("key", "import", "--id", name, name)
        assert (said["suite_id"], said["fingerprint"], said["trusted"]) == (suite, fingerprint(der), False)
        assert home.keys()[name]["type"] == "known"
        home.ct("key", "trust", name)
        assert home.keys()[name]["type"] == "public"
        home.ct("key", "delete", name, "--yes")
    home.write("der", der)
    home.ct("key", "import", "--id", "x", "der", status=0 if len(components) == 1 else 10)


def test_a_store_of_every_suite(home: Home) -> None:
    """Pairs side by side, encrypted; the default is one of them, and signs and verifies."""
    home.write("pw", "correct horse\n", 0o600)
    for suite in SUITES:
        made = home.said("keygen", "--id", suite, "--suite", suite, "--passphrase-file", "pw")
        assert made["encrypted"] and made["default"] is (suite == "CT-SIG-01")
        sealed = (home.store / f"keys/{suite}.key").read_bytes()
        private = privatekey.parse(sealed)
        # The seeds' lengths and the tag's (spec/keys.adoc, "Encrypted").
        assert (private["suite_id"], len(private["ciphertext"])) == (
            suite,
            {"CT-SIG-04": 57}.get(suite, 32 * len(SUITES[suite])) + 16,
        )
    assert set(home.keys()) == set(SUITES)
    home.write("all.ctp", home.bundle.raw)
    for suite in SUITES:
        home.ct("key", "default", suite)
        assert home.ct("key", "default").stdout == f"{suite}\n"
        home.ct("sign", "-q", "--passphrase-file", "pw", "all.ctp")
    home.write("pw", "wrong horse\n", 0o600)
    home.ct("sign", "-q", "--passphrase-file", "pw", "-o", "no.ctp", "none.ctp", status=13)
    (said,) = verdicts(["all.ctp"], env=home.env, cwd=home.root)
    assert (said["status"], [one["suite_id"] for one in said["signatures"]]) == (0, list(SUITES))


def test_a_suite_that_is_none(home: Home) -> None:
    for suite in ("CT-SIG-05", "CT-SIG-07", "ct-sig-02", "ML-DSA-87", ""):
        home.ct("keygen", "--id", "x", "--suite", suite, "--no-password", status=64)
    assert home.keys() == {}


@pytest.mark.parametrize("suite", SUITES)
def test_openssl_reads_what_it_knows(home: Home, suite: str) -> None:
    """Both key files are OpenSSL's too, block by block; ML-DSA from 3.5 on, and an older one says that it does not know it."""
    home.said("keygen", "--id", "mine", "--suite", suite, "--no-password")
    public, private = ((home.store / f"keys/mine.{kind}").read_text() for kind in ("pub", "key"))
    version = [int(number) for number in re.findall(r"\d+", run("openssl", "version").stdout)[:2]]
    for algorithm, its, secret in zip(SUITES[suite], unpem(public), unpem(private), strict=True):
        reads = run("openssl", "pkey", "-pubin", "-outform", "DER", "-inform", "DER", input=its)
        derives = run("openssl", "pkey", "-pubout", "-outform", "DER", "-inform", "DER", input=secret)
        if algorithm in PURE and version < [3, 5]:
            assert (reads.returncode, derives.returncode) == (1, 1) and b"Could not" in reads.stderr + derives.stderr
        else:
            assert reads.stdout == derives.stdout == its
    # Of a file it reads the first block, behind the header lines.
    if SUITES[suite][0] not in PURE or version >= [3, 5]:
        made = run("openssl", "pkey", "-pubin", "-outform", "DER", input=public.encode())
        assert made.stdout == unpem(public)[0], made.stderr
        if len(SUITES[suite]) == 1:
            assert "SHA256:" + hashlib.sha256(made.stdout).hexdigest() == home.keys()["mine"]["fingerprint"]


# -- halves, and suites that a key does not have ----------------------------------------------------------------------------------


def half_of(key: Key, at: int, key_id: str = "half") -> Key:
    component = key.components[at]
    suite = next((suite for suite, its in SUITES.items() if its == (component.algorithm,)), "CT-SIG-03")
    return Key(suite, key_id, [component])


HALVES = [(suite, at) for suite in HYBRIDS for at in (0, 1) if (SUITES[suite][at],) in SUITES.values()]


@pytest.mark.parametrize("suite, at", HALVES)
def test_a_half_is_no_other_key_beside_the_whole(home: Home, suite: str, at: int) -> None:
    whole = Key(suite, "whole")
    half = half_of(whole, at)
    home.write("half.pub", half.public_file())
    home.write("half.pem", half.blocks())
    home.write("whole.pub", whole.public_file())
    genuine, forged = home.line(whole), home.line(half)
    for where, other in (("keys", "trusted"), ("trusted", "known"), ("known", "trusted")):
        home.only(whole, where)
        assert home.judged([genuine], [forged]) == [
            (0, "", ["valid"]) if where != "known" else (3, "signer-untrusted", ["valid"]),
            (2, "signature-incomplete", ["invalid"]),
        ]
        for options in (["half.pub", "--trust"], ["half.pem", "--id", "x"]):
            assert "the key store has this key, as whole" in home.ct("key", "import", *options, status=13).stderr
        # Planted by hand it makes both unusable.
        home.plant(other, "half.pub", half.public_file())
        assert home.judged([genuine], [forged]) == [(3, "signer-unknown", ["unknown"])] * 2
        listed = home.ct("key", "list")
        assert "whole" not in listed.stdout and "half" not in listed.stdout and "more than once" in listed.stderr
    home.only(half)
    home.ct("key", "import", "whole.pub", "--trust", status=13)
    # Another hybrid with the same half is no better.
    others = [other for other in HYBRIDS if other != suite]
    if at == 0:
        mixed = Key(others[0], "mixed", [whole.components[0], Key(others[0], "x").components[1]])
        home.only(whole)
        home.write("mixed.pub", mixed.public_file())
        home.ct("key", "import", "mixed.pub", status=13)


@pytest.mark.parametrize("suite, at", HALVES)
def test_who_knows_half_of_a_key_only(home: Home, suite: str, at: int) -> None:
    """A store that trusts a key of one component holds that one whole; a hybrid's bundle signature is not its signature."""
    whole = Key(suite, "whole")
    half = half_of(whole, at)
    home.only(half)
    payload, entries = opened(home.line(whole))
    about = home.bundle.attestation("https://example.com/review/v1", {})
    assert home.judged(
        [envelope(payload, entries)],
        [envelope(payload, [entries[at]])],
        [home.line(half)],
        # Of the other half it knows nothing.
        [envelope(payload, [entries[1 - at]])],
        # A statement about the image is also this key's, and what stands beside its signature a stranger's.
        [envelope(about, whole.entries(about)), home.line(half)],
    ) == [
        (2, "statement-malformed", ["invalid"]),
        (2, "statement-malformed", ["invalid"]),
        (0, "", ["valid"]),
        (3, "signer-unknown", ["unknown"]),
        (0, "", ["valid", "valid"]),
    ]


@pytest.mark.parametrize("suite", HYBRIDS)
def test_a_public_key_file_of_another_suite(home: Home, suite: str) -> None:
    """An edited header, or other blocks under it: no key at all, so what it signed is nobody's."""
    whole = Key(suite, "whole")
    genuine = home.line(whole)
    first, second = whole.components
    other = Component({"ml-dsa-65": "ml-dsa-87", "ml-dsa-87": "ml-dsa-65"}[second.algorithm], second.seed)
    head = whole.public_file().partition("-----")[0]
    files = {f"suite {name}": whole.public_file(Suite=name) for name in ("CT-SIG-05", "CT-SIG-1", *SUITES) if name != suite}
    for name in SUITES:
        if name != suite:
            files[f"suite {name}, and its fingerprint"] = whole.public_file(Suite=name, Fingerprint=first.keyid)
    for name, parts in {
        "one block": [first],
        "the other block": [second],
        "moved": [second, first],
        "twice": [first, first],
        "three": [first, second, second],
        "another level": [first, other],
        "another curve": [Component("ed448", bytes(57)), second],
    }.items():
        files[name] = head + Key(suite, "whole", parts).blocks()
        files[f"{name}, and its fingerprint"] = Key(suite, "whole", parts).public_file()
    swapped = {name: component.public for name, component in (("ed25519", first), (second.algorithm, second))}
    relabelled = SPKI[other.algorithm][:-5] + SPKI[second.algorithm][-5:] + swapped[second.algorithm]
    files["the other level's identifier"] = head + pem("PUBLIC KEY", first.der) + pem("PUBLIC KEY", relabelled)
    files["the other level's whole head"] = (
        head + pem("PUBLIC KEY", first.der) + pem("PUBLIC KEY", SPKI[other.algorithm] + second.public)
    )
    home.only(whole)
    assert home.judged([genuine]) == [(0, "", ["valid"])]
    (home.store / "trusted" / "whole.pub").unlink()
    for number, (name, text) in enumerate(files.items()):
        assert text != whole.public_file()
        with pytest.raises(Fail) as caught:
            keyfile.parse_import(text.encode())
        assert caught.value.finding["finding"] == "key-malformed", name
        home.plant("trusted", f"w{number}.pub", text.replace("Key-Id: whole", f"Key-Id: w{number}"))
    # None of them is a key, so none is one twice.
    listed = home.ct("key", "list", "--json")
    assert (listed.stdout, listed.stderr.count(".pub'")) == ("", len(files)) and "more than once" not in listed.stderr
    assert home.judged([genuine]) == [(3, "signer-unknown", ["unknown"])]
    home.write("file.pub", files["one block"])
    home.ct("key", "import", "file.pub", "--trust", status=10)


def spellings(component: Component) -> dict[str, bytes]:
    """SubjectPublicKeyInfos of a key that are not the one that RFC 9881 and RFC 8410 ask for."""
    der, public = component.der, component.public
    identifier = der[der.index(b"\x06") : der.index(b"\x06") + der[der.index(b"\x06") + 1] + 2]
    bits = b"\x00" + public

    def wrapped(tag: int, body: bytes, long: int = 0) -> bytes:
        if len(body) < 128 and not long:
            return bytes([tag, len(body)]) + body
        octets = max(long, (len(body).bit_length() + 7) // 8)
        return bytes([tag, 0x80 | octets]) + len(body).to_bytes(octets, "big") + body

    algorithm, key = wrapped(0x30, identifier), wrapped(0x03, bits)
    assert wrapped(0x30, algorithm + key) == der
    return {
        "NULL parameters": wrapped(0x30, wrapped(0x30, identifier + b"\x05\x00") + key),
        "parameters": wrapped(0x30, wrapped(0x30, identifier + wrapped(0x06, b"\x2a\x03")) + key),
        "a long length": wrapped(0x30, algorithm + key, 4),
        "a long inner length": wrapped(0x30, algorithm + wrapped(0x03, bits, 4)),
        "an indefinite length": b"\x30\x80" + algorithm + key + b"\0\0",
        "a BIT STRING in parts": wrapped(0x30, algorithm + wrapped(0x23, wrapped(0x03, bits))),
        "unused bits": wrapped(0x30, algorithm + wrapped(0x03, b"\x01" + public)),
        "an OCTET STRING": wrapped(0x30, algorithm + wrapped(0x04, public)),
        "an OCTET STRING inside": wrapped(0x30, algorithm + wrapped(0x03, b"\x00" + wrapped(0x04, public))),
        "bytes after it": der + b"\0",
        "bytes inside it": wrapped(0x30, algorithm + key + b"\x05\x00"),
        "a byte less": der[:-1],
        "a key of a byte less": wrapped(0x30, algorithm + wrapped(0x03, bits[:-1])),
        "a key of a byte more": wrapped(0x30, algorithm + wrapped(0x03, bits + b"\0")),
    }


@pytest.mark.parametrize("suite", SUITES)
def test_one_spelling_of_a_public_key(home: Home, suite: str) -> None:
    key = Key(suite, "mine")
    assert keyfile.parse_import(key.blocks().encode())["fingerprint"] == key.fingerprint
    count = 0
    for at, component in enumerate(key.components):
        for name, der in spellings(component).items():
            blocks = [one.der for one in key.components]
            blocks[at] = der
            texts = ["".join(pem("PUBLIC KEY", block) for block in blocks).encode()]
            if len(blocks) == 1:
                texts.append(der)
            for data in texts:
                with pytest.raises(Fail) as caught:
                    keyfile.parse_import(data)
                assert caught.value.finding["finding"] == "key-malformed", name
                count += 1
    assert count == 28
    # By the road that people take, one of them.
    home.write("null.pem", "".join(pem("PUBLIC KEY", spellings(one)["NULL parameters"]) for one in key.components))
    assert "in its one spelling" in home.ct("key", "import", "--id", "x", "null.pem", status=10).stderr


# -- private key files ------------------------------------------------------------------------------------------------------------


def tlv(tag: int, body: bytes) -> bytes:
    size = bytes([len(body)]) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes([tag]) + size + body


def rfc9881(component: Component, form: str) -> bytes:
    """ML-DSA's other private keys (RFC 9881, section 6), and other PKCS#8 around the seed."""
    algorithm = PKCS8[component.algorithm][5:18]
    expanded = PURE[component.algorithm].key_derive(component.seed)[1]
    seed, octets = tlv(0x80, component.seed), tlv(0x04, expanded)
    inner = {
        "expanded": octets,
        "both": tlv(0x30, tlv(0x04, component.seed) + octets),
        "bare": component.seed,
        "octets": tlv(0x04, component.seed),
    }.get(form, seed)
    more = {"attributes": b"\xa0\x00", "public": tlv(0x81, b"\0" + component.public)}.get(form, b"")
    version = b"\x02\x01\x01" if form == "public" else b"\x02\x01\x00"
    null = tlv(0x30, algorithm[2:] + b"\x05\x00") if form == "null" else algorithm
    return tlv(0x30, version + null + tlv(0x04, inner) + more)


@pytest.mark.parametrize("suite", POST_QUANTUM)
@pytest.mark.parametrize("form", ["seed", "expanded", "both", "bare", "octets", "attributes", "public", "null"])
def test_private_keys_are_seeds(home: Home, suite: str, form: str) -> None:
    key = Key(suite, "mine").lay(home.store / "keys")
    text = "".join(one.pkcs8() for one in key.components[:-1]) + pem("PRIVATE KEY", rfc9881(key.components[-1], form))
    home.write("home/keys/mine.key", text, 0o600)
    if form in ("seed", "attributes"):
        load_der_private_key(unpem(text)[-1], None)
    _ = home.bundle
    made = home.ct("sign", "-q", "-k", "mine", "-o", "signed.ctp", "none.ctp", status=0 if form == "seed" else 10)
    assert (home.root / "signed.ctp").exists() is (form == "seed")
    if form == "seed":
        assert text == key.private_file()
        home.ct("verify", "signed.ctp")
    else:
        assert "not a well-formed key" in made.stderr


def sealed(key: Key, seeds: list[bytes], **changed: Any) -> bytes:
    """The encrypted file of the key, around these seeds, by the specification (spec/keys.adoc, "Encrypted")."""
    from argon2.low_level import Type, hash_secret_raw
    from cbor2 import dumps
    from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as encrypt

    kdf = {"name": "argon2id", "version": 19, "salt": bytes(16), "t": 2, "m": 65536, "p": 1}
    value = {"version": 1, "key_id": key.key_id, "suite": key.suite, "fingerprint": key.fingerprint, "kdf": kdf}
    value |= {"aead": "xchacha20-poly1305-ietf", "nonce": bytes(24)}
    derived = hash_secret_raw(b"horse", kdf["salt"], kdf["t"], kdf["m"], kdf["p"], 32, Type.ID, 19)
    value["ciphertext"] = encrypt(b"".join(seeds), dumps(value, canonical=True), value["nonce"], derived)
    return pem("CERRO TORRE PRIVATE KEY", dumps(value | changed, canonical=True)).encode()


@pytest.mark.parametrize("suite", HYBRIDS)
def test_private_keys_of_two_seeds(home: Home, suite: str) -> None:
    """Each seed is its component's; a file with them moved, mixed, alone, or of another suite signs nothing."""
    key = Key(suite, "mine").lay(home.store / "keys")
    first, second = key.components
    other = next(name for name in HYBRIDS if name != suite)
    strange = Key(suite, "strange")
    level = Component(SUITES[other][1], second.seed)
    exchanged = [Component(first.algorithm, second.seed), Component(second.algorithm, first.seed)]
    seeds = [first.seed, second.seed]
    cases: dict[str, tuple[int, str | bytes]] = {
        "good": (0, key.private_file()),
        "blocks moved": (10, second.pkcs8() + first.pkcs8()),
        "seeds exchanged": (13, "".join(one.pkcs8() for one in exchanged)),
        "first alone": (13, first.pkcs8()),
        # ML-DSA-65 alone is no suite.
        "second alone": (13 if suite == "CT-SIG-02" else 10, second.pkcs8()),
        "first twice": (10, first.pkcs8() * 2),
        "another first": (13, strange.components[0].pkcs8() + second.pkcs8()),
        "another second": (13, first.pkcs8() + strange.components[1].pkcs8()),
        "another level": (13, first.pkcs8() + level.pkcs8()),
        "three": (10, key.private_file() + second.pkcs8()),
        "sealed": (0, sealed(key, seeds)),
        "sealed, exchanged": (13, sealed(key, seeds[::-1])),
        "sealed, another second": (13, sealed(key, [first.seed, strange.components[1].seed])),
        "sealed, another suite": (13, sealed(key, seeds, suite=other)),
        "sealed, suite of one": (10, sealed(key, seeds, suite="CT-SIG-01")),
        "sealed, another's": (13, sealed(strange, [one.seed for one in strange.components])),
        "sealed, one seed": (10, sealed(key, seeds[:1])),
    }
    _ = home.bundle
    home.write("pw", "horse", 0o600)
    for name, (status, data) in cases.items():
        home.write("home/keys/mine.key", data, 0o600)
        to = name.replace(" ", "-").replace(",", "") + ".ctp"
        home.ct("sign", "-q", "-k", "mine", "--passphrase-file", "pw", "-o", to, "none.ctp", status=status)
        assert (home.root / to).exists() is (status == 0), name
    assert [one["status"] for one in verdicts(["good.ctp", "sealed.ctp"], env=home.env, cwd=home.root)] == [0, 0]
    # The .pub of a half beside the whole's private key.
    home.plant("keys", "mine.pub", half_of(key, 0, "mine").public_file())
    home.write("home/keys/mine.key", key.private_file(), 0o600)
    home.ct("sign", "-q", "-k", "mine", "-o", "half.ctp", "none.ctp", status=13)
    home.write("home/keys/mine.key", first.pkcs8(), 0o600)
    home.ct("sign", "-q", "-k", "mine", "-o", "half.ctp", "none.ctp")


# -- without a backend --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["cryptography", "cryptography.hazmat.primitives.asymmetric.mldsa"])
def test_without_a_backend_nothing_falls_back(home: Home, missing: str, tmp_path: Path) -> None:
    """Where cryptography, or its ML-DSA, is missing a suite is unavailable (69), for signing and for verifying alike."""
    suites = [suite for suite in SUITES if suite != "CT-SIG-01" and (missing == "cryptography" or suite in POST_QUANTUM)]
    lines = {suite: home.line(Key(suite, suite).lay(home.store / "keys")) for suite in SUITES}
    build = without(missing, tmp_path / "build")

    def ct(*arguments: object) -> subprocess.CompletedProcess[Any]:
        return run(build / "bin" / "ct", *arguments, env=home.env, cwd=home.root)

    for suite, line in lines.items():
        home.write(f"{suite}.ctp", home.bundle.with_lines([line]))
        status = 69 if suite in suites else 0
        made = ct("verify", "--json", f"{suite}.ctp")
        assert made.returncode == status, (suite, made.stdout, made.stderr)
        made = ct("sign", "-q", "-k", suite, "-o", f"signed-{suite}.ctp", "none.ctp")
        assert made.returncode == status and (home.root / f"signed-{suite}.ctp").exists() is not bool(status), made.stderr
        made = ct("keygen", "--id", f"new-{suite}", "--suite", suite, "--no-password")
        assert made.returncode == status, made.stderr
        assert (home.store / f"keys/new-{suite}.pub").exists() is not bool(status)


def without(module: str, to: Path) -> Path:
    """The build with a module missing."""
    import shutil

    from conftest import BUILD

    shutil.copytree(BUILD, to, symlinks=True, ignore=shutil.ignore_patterns("test", "oqs", "pip"))
    where = to / "lib" / "cerro-torre" / "vendor" / Path(*module.split("."))
    assert where.exists() or where.with_suffix(".py").exists(), where
    for path in where.parent.glob(f"{where.name}*"):
        if not path.name.endswith(".dist-info"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in where.parent.glob(f"__pycache__/{where.name}.*"):
        path.unlink()
    return to
