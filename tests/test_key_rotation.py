"""Keys that last: rotation at home and taken in, expiry, changed passphrases; what a stop at any moment leaves behind."""

import base64
import copy
import hashlib
import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from cerrotorre import keyfile, keyreport, keyrewrap, privatekey, rotation, times
from cerrotorre.errors import Fail
from conftest import ROOT, program
from console import Console
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from images import Layout, single
from jsonschema import Draft202012Validator
from small import BIN, Store, run, tool

NOW = "2023-11-14T22:13:20Z"
SCHEMA = json.loads((ROOT / "spec" / "rotation.schema.json").read_text())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def own(home: Path) -> Store:
    store = Store(home)
    store.new("old")
    return store


@pytest.fixture
def theirs(tmp_path: Path, own: Store) -> tuple[Store, Path, Path]:
    """(another's store that trusts `old`, the public key of `new`, the rotation of `old` into it)."""
    own("rotate", "old", "--into", "new", "--no-password")
    store = Store(tmp_path / "theirs")
    store("import", own.handed("old")[0], "--trust")
    return store, own.handed("new")[0], own.handed("old")[1]


# -- at home ---------------------------------------------------------------------------------------------------------------------


def test_rotate(own: Store) -> None:
    said = own("rotate", "old", "--into", "new", "--no-password")
    assert "Rotated old into new" in said and "new signs from now on" in said
    assert "ct key export old --rotated" in said
    assert sorted(os.listdir(own.file("keys"))) == [
        "default", "new.key", "new.pub", "old.key", "old.local", "old.pub", "old.rotation",
    ]  # fmt: skip
    assert own("default") == "new\n"
    assert own.file("keys/old.local").read_text() == "Rotated-Into: new\n"
    assert own.json("show", "old")["rotated_into"] == "new"
    assert re.search(r"^ID .* ROTATED INTO$", own("list"), re.M) and re.search(r"^old .* new$", own("list"), re.M)


def test_both_say_it(own: Store) -> None:
    own("rotate", "old", "--into", "new", "--no-password")
    assert "Rotated into  new\n" in own("show", "old")
    assert "Took over from  old: " in own("show", "new")


def test_the_statement_is_what_the_specification_says(own: Store) -> None:
    """Read without a line of the library: an envelope that others' tools can check too."""
    own("rotate", "old", "--into", "new", "--no-password")
    line = own.file("keys/old.rotation").read_bytes()
    assert own("export", "old", "--rotated").encode() == line
    assert line.endswith(b"}\n") and line.count(b"\n") == 1
    envelope = json.loads(line)
    payload = base64.b64decode(envelope["payload"])
    statement = json.loads(payload)
    assert not list(Draft202012Validator(SCHEMA).iter_errors(statement))
    keys = [load_pem_public_key(own.file(f"keys/{name}.pub").read_bytes()) for name in ("old", "new")]
    prints = [hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest() for key in keys]
    assert statement["subject"] == [{"name": "new", "digest": {"sha256": prints[1]}}]
    assert statement["predicate"] == {
        "rotated_at": NOW,
        "old": {"key_id": "old", "suite_id": "CT-SIG-01", "fingerprint": f"SHA256:{prints[0]}"},
        "new": {"key_id": "new", "suite_id": "CT-SIG-01", "fingerprint": f"SHA256:{prints[1]}"},
    }
    message = b"DSSEv1 %d %s %d %s" % (28, b"application/vnd.in-toto+json", len(payload), payload)
    assert [one["keyid"] for one in envelope["signatures"]] == [f"SHA256:{one}" for one in prints]
    for key, signature in zip(keys, envelope["signatures"], strict=True):
        key.verify(base64.b64decode(signature["sig"]), message)


def test_the_example_of_the_specification() -> None:
    text = (ROOT / "spec" / "keys.adoc").read_text()
    example = json.loads(re.search(r"\[source,json\]\n----\n(.*?)\n----", text, re.S)[1])  # type: ignore[index]
    assert not list(Draft202012Validator(SCHEMA).iter_errors(example))
    said = example["predicate"]
    assert json.loads(rotation.payload(said["old"], said["new"], said["rotated_at"])) == example


def test_a_default_that_is_configured(own: Store) -> None:
    """What config.toml names outranks keys/default, and stays the user's to change."""
    own.file("config.toml").write_text('[defaults]\nkey = "old"\n')
    said = own("rotate", "old", "--into", "new", "--no-password")
    assert "ct config set defaults.key new" in said and "from now on" not in said
    tool("ct", "config", "set", "defaults.key", "new", env=own.env)
    assert 'key = "new"' in own.file("config.toml").read_text()


def test_ids_of_new_keys(own: Store) -> None:
    own.new("jo-2022")
    assert own.json("rotate", "jo-2022", "--no-password")["key_id"] == "jo-2023"
    assert own.json("rotate", "jo-2023", "--no-password")["key_id"] == "jo-2023-2"
    assert own.json("rotate", "jo-2023-2", "--no-password")["key_id"] == "jo-2023-3"
    assert own.json("rotate", "old", "--no-password")["key_id"] == "old-2023"


def test_a_new_key_as_it_is_wanted(own: Store) -> None:
    made = own.json("rotate", "old", "--into", "new", "--no-password", "--expires", "2026-01-31")
    assert (made["key_id"], made["rotated"], made["expires"], made["default"]) == ("new", "old", "2026-01-31", True)


def test_into_a_pair_that_is_there(own: Store) -> None:
    own.new("there")
    before = own.file("keys/there.key").read_bytes()
    own("rotate", "old", "--into", "there", "--expires", "2030-01-01", status=64)
    own("rotate", "old", "--into", "there")
    assert own.file("keys/there.key").read_bytes() == before


def test_refusals(own: Store, tmp_path: Path) -> None:
    own.new("b"), own.new("c"), own.new("d")
    assert "into itself" in own("rotate", "old", "--into", "old", status=64)
    own("rotate", "nobody", status=13)
    own("rotate", "b", "--into", "c")
    assert "was rotated into c already" in own("rotate", "b", "--into", "d", status=13)
    assert "ct key rotate c" in own("rotate", "b", status=13)
    assert "b was itself rotated into c" in own("rotate", "c", "--into", "b", status=13)
    assert "ct key rotate d --into c" in own("rotate", "d", "--into", "b", status=13)
    own("rotate", "c", "--into", "d")
    own("rotate", "d", "--into", "b", status=13)
    stranger = Store(tmp_path / "x")
    stranger.new("stranger")
    own("import", stranger.handed("stranger")[0], "--trust")
    own("rotate", "old", "--into", "stranger", status=13)
    own("rotate", "stranger", "--into", "old", status=13)
    # Begun again, what is done is done.
    assert "Rotated b into c" in own("rotate", "b", "--into", "c")


def test_an_expired_or_denied_key_names_nobody(own: Store) -> None:
    own("expires", "old", "2023-11-13")
    assert "expired 2023-11-13" in own("rotate", "old", "--into", "new", "--no-password", status=13)
    own("expires", "old", "2023-11-14")
    own.file("policy.json").write_text('{"version":"1","signers":{"denied":[{"key_id":"o*"}]}}')
    assert "is denied" in own("rotate", "old", "--into", "new", "--no-password", status=3)
    assert sorted(os.listdir(own.file("keys"))) == ["default", "old.key", "old.local", "old.pub"]


def secret(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_two_passphrases(own: Store, tmp_path: Path) -> None:
    one, two = secret(tmp_path / "one", "one"), secret(tmp_path / "two", "two")
    own("passphrase", "old", "--new-passphrase-file", one)
    own("rotate", "old", "--into", "new", "--passphrase-file", two, "--new-passphrase-file", two, status=13)
    assert "new.pub" not in os.listdir(own.file("keys"))
    own("rotate", "old", "--into", "new", "--passphrase-file", one, "--new-passphrase-file", two)
    own("passphrase", "new", "--passphrase-file", two, "--no-password")


def test_at_a_terminal(own: Store) -> None:
    own.file("policy.json").write_text('{"version":"1","signers":{"allowed":[{"key_id":"old"}]}}')
    answers = [("New passphrase for new: ", "two\n"), ("Again: ", "two\n"), ("too? [y/N] ", "y\n")]
    with Console(BIN / "ct-key", "rotate", "old", "--into", "new", env=own.env, cwd=own.home) as at:
        assert at.converse(*answers) == 0
        shown = at.text()
    assert "Admit signatures by new SHA256:" in shown and "Allowed signer new" in shown
    allowed = json.loads(own.file("policy.json").read_text())["signers"]["allowed"]
    assert [entry["key_id"] for entry in allowed] == ["old", "new"]
    with Console(BIN / "ct-key", "rotate", "new", "--into", "next", "--no-password", env=own.env, cwd=own.home) as at:
        assert at.converse(("Passphrase for new: ", "two\n"), ("too? [y/N] ", "\n")) == 0
        assert "ct policy add-signer next" in at.text()


# -- one signer ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def signed(own: Store, tmp_path: Path) -> Path:
    """A bundle that `old`, and then `new`, signed, under a policy that wants two; and a third key."""
    layout = Layout(tmp_path / "image")
    single(layout)
    own.new("new"), own.new("third")
    tool("ct", "pack", "-q", f"oci:{layout.directory}:1.0", "-k", "old", "-o", tmp_path / "x.ctp", env=own.env)
    tool("ct", "sign", "-q", "-k", "new", tmp_path / "x.ctp", env=own.env)
    own.file("policy.json").write_text('{"version":"1","signers":{"threshold":2}}')
    return tmp_path / "x.ctp"


def test_old_and_new_are_one(own: Store, signed: Path) -> None:
    tool("ct", "verify", signed, env=own.env)
    own("rotate", "old", "--into", "new")
    made = tool("ct", "verify", "--json", signed, env=own.env, status=3)
    (found,) = [one for one in json.loads(made.stdout)["findings"] if one["finding"] == "threshold"]
    assert (found["context"]["Expected"], found["context"]["Actual"]) == (2, 1)
    assert "1 counted; old and new are one signer" in made.stdout
    tool("ct", "sign", "-q", "-k", "third", signed, env=own.env)
    tool("ct", "verify", signed, env=own.env)
    # Along a chain too.
    own("rotate", "new", "--into", "third")
    tool("ct", "verify", signed, env=own.env, status=3)


def test_old_and_new_are_one_for_others(own: Store, signed: Path, tmp_path: Path) -> None:
    own("rotate", "old", "--into", "new")
    theirs = Store(tmp_path / "theirs")
    for name in ("old", "new"):
        theirs("import", own.handed(name)[0], "--trust")
    theirs.file("policy.json").write_text('{"version":"1","signers":{"threshold":2}}')
    tool("ct", "verify", signed, env=theirs.env)
    theirs("import", own.handed("new")[0], "--rotation", own.handed("old")[1])
    tool("ct", "verify", signed, env=theirs.env, status=3)


# -- taken in --------------------------------------------------------------------------------------------------------------------


def test_taking_in_trusts_nobody(theirs: tuple[Store, Path, Path]) -> None:
    store, new, said = theirs
    store.file("policy.json").write_text('{"version":"1","signers":{"allowed":[{"key_id":"old"}]}}')
    policy = store.file("policy.json").read_bytes()
    shown = store("import", new, "--rotation", said)
    assert "is not trusted" in shown and "old, which you trust" in shown and "ct key trust new" in shown
    assert store.json("show", "new")["type"] == "known"
    assert store.json("show", "old")["rotated_into"] == "new"
    assert store.file("trusted/old.rotation").read_bytes() == said.read_bytes()
    assert store.file("policy.json").read_bytes() == policy
    # Said with as many words.
    assert "ct policy add-signer new" in store("import", new, "--rotation", said, "--trust")
    assert store.json("show", "new")["type"] == "public"
    assert store.file("policy.json").read_bytes() == policy


def test_the_importer_s_names(own: Store, tmp_path: Path) -> None:
    own("rotate", "old", "--into", "new", "--no-password")
    store = Store(tmp_path / "theirs")
    store("import", own.handed("old")[0], "--id", "jo", "--trust")
    made = json.loads(store("import", own.handed("new")[0], "--id", "jo-2", "--rotation", own.handed("old")[1], "--json"))
    # Under the id that it has here, not under another that is asked for.
    assert "as jo-2" in store("import", own.handed("new")[0], "--id", "jo-3", "--rotation", own.handed("old")[1], status=13)
    assert (made["rotated"], made["key_id"], made["trusted"]) == ("jo", "jo-2", False)
    assert store.file("trusted/jo.local").read_text() == "Rotated-Into: jo-2\n"
    assert store("export", "jo", "--rotated") == own("export", "old", "--rotated")


def test_facts_move_with_a_key(theirs: tuple[Store, Path, Path], own: Store, tmp_path: Path) -> None:
    store = Store(tmp_path / "third")
    store("import", own.handed("old")[0])
    store("expires", "old", "2030-01-01")
    assert "which you do not trust" in store("import", theirs[1], "--rotation", theirs[2])
    store("trust", "old")
    assert sorted(os.listdir(store.file("trusted"))) == ["old.local", "old.pub", "old.rotation"]
    assert os.listdir(store.file("known")) == ["new.pub"]
    assert store.file("trusted/old.local").read_text() == "Expires: 2030-01-01\nRotated-Into: new\n"
    store("delete", "old", "--yes")
    assert os.listdir(store.file("trusted")) == []


TAKING_IN = {
    "expired before": (lambda store: store("expires", "old", "2023-11-13"), 4, "expired 2023-11-13"),
    "expired since": (lambda store: store("expires", "old", "2023-11-14"), 0, "Takes over from"),
    "denied": (
        lambda store: store.file("policy.json").write_text('{"version":"1","signers":{"denied":[{"key_id":"old"}]}}'), 3, "is denied",
    ),
    "not there": (lambda store: store("delete", "old", "--yes"), 13, "not in your store"),
    "rotated elsewhere": (
        lambda store: store.file("trusted/old.local").write_text("Rotated-Into: other\n"), 13, "one of the two statements",
    ),
    "rotated already": (lambda store: store.file("trusted/old.local").write_text("Rotated-Into: new\n"), 0, "Takes over from"),
    "unusable": (lambda store: store.file("trusted/old.local").write_text("Nonsense\n"), 13, "not in your store"),
}  # fmt: skip


@pytest.mark.parametrize("case", TAKING_IN)
def test_taking_in(case: str, theirs: tuple[Store, Path, Path]) -> None:
    store, new, said = theirs
    change, status, words = TAKING_IN[case]
    change(store)
    before = {path: path.read_bytes() for path in store.home.rglob("*") if path.is_file()}
    assert words in store("import", new, "--rotation", said, status=status)
    if status:
        assert {path: path.read_bytes() for path in store.home.rglob("*") if path.is_file()} == before


def test_a_chain_in_any_order_and_no_circle(own: Store, tmp_path: Path) -> None:
    own("rotate", "old", "--into", "b", "--no-password")
    own("rotate", "b", "--into", "c", "--no-password")
    store = Store(tmp_path / "theirs")
    for name in ("old", "b"):
        store("import", own.handed(name)[0], "--trust")
    store("import", own.handed("c")[0], "--rotation", own.handed("b")[1])
    store("import", own.handed("b")[0], "--rotation", own.handed("old")[1])
    # The holder of c, at odds with its own past, hands on that it became old.
    other = Store(tmp_path / "other")
    for name in ("c", "old"):
        for suffix in (".key", ".pub"):
            (other.home / "keys").mkdir(mode=0o700, exist_ok=True)
            os.link(own.file(f"keys/{name}{suffix}"), other.file(f"keys/{name}{suffix}"))
    other("rotate", "c", "--into", "old")
    assert "itself rotated into" in store("import", other.handed("old")[0], "--rotation", other.handed("c")[1], status=13)


def test_another_s_key_cannot_be_named(own: Store, tmp_path: Path) -> None:
    """Without the new key's own signature a signer could make two others' signatures one."""
    own("rotate", "old", "--into", "new", "--no-password")
    envelope = json.loads(own.handed("old")[1].read_bytes())
    store = Store(tmp_path / "theirs")
    store("import", own.handed("old")[0], "--trust")
    for signatures in (envelope["signatures"][:1], envelope["signatures"][::-1], envelope["signatures"] * 2):
        bad = json.dumps(envelope | {"signatures": signatures}, separators=(",", ":"), sort_keys=True) + "\n"
        (tmp_path / "bad").write_text(bad)
        assert "exactly the signatures" in store("import", own.handed("new")[0], "--rotation", tmp_path / "bad", status=2)
    Store(tmp_path / "x").new("new")
    other = Store(tmp_path / "x").handed("new")[0]
    assert "its new key is another" in store("import", other, "--rotation", own.handed("old")[1], status=2)
    assert not store.file("known").exists()


@pytest.fixture(scope="module")
def statement(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Any, Any]:
    store = Store(tmp_path_factory.mktemp("statement"))
    store.new("old")
    store("rotate", "old", "--into", "new", "--no-password")
    keys = [keyfile.parse_public(store.file(f"keys/{name}.pub").read_bytes()) for name in ("old", "new")]
    return store.file("keys/old.rotation").read_bytes(), *keys


def test_no_byte_may_differ(statement: tuple[bytes, Any, Any]) -> None:
    data, old, new = statement
    rotation.verify(rotation.parse(data), old, new)
    for at in range(len(data)):
        for changed in (data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], data[:at] + data[at + 1 :]):
            with pytest.raises(Fail) as caught:
                rotation.verify(rotation.parse(changed), old, new)
            assert caught.value.finding["finding"] in ("rotation-malformed", "rotation-invalid")


CHANGES = [
    (("_type",), "https://in-toto.io/Statement/v0.1"),
    (("predicateType",), "https://cerro-torre.org/attestation/bundle-signature/v1"),
    (("subject",), []),
    (("subject", 0, "name"), "other"),
    (("subject", 0, "digest", "sha256"), "0" * 64),
    (("subject", 0, "digest", "sha512"), "0" * 128),
    (("subject", 0, "uri"), "x"),
    (("predicate", "rotated_at"), "2023-11-14"),
    (("predicate", "more"), 1),
    (("predicate", "old"), None),
    (("predicate", "old", "key_id"), "-x"),
    (("predicate", "old", "suite_id"), "CT-SIG-1"),
    (("predicate", "new", "fingerprint"), "SHA256:00"),
    (("predicate", "new", "more"), "x"),
    (("more",), 1),
]


@pytest.mark.parametrize(("path", "value"), CHANGES, ids=lambda value: str(value)[:50])
def test_the_reader_is_as_strict_as_the_schema(path: Any, value: Any, statement: tuple[bytes, Any, Any]) -> None:
    envelope = json.loads(statement[0])
    said = copy.deepcopy(json.loads(base64.b64decode(envelope["payload"])))
    inner = said
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    # What only the reader can tell: that the digest is the fingerprint's, and the name the id.
    if path not in (("subject", 0, "name"), ("subject", 0, "digest", "sha256")):
        assert list(Draft202012Validator(SCHEMA).iter_errors(said))
    payload = json.dumps(said, separators=(",", ":"), sort_keys=True).encode()
    line = json.dumps(envelope | {"payload": base64.b64encode(payload).decode()}, separators=(",", ":"), sort_keys=True)
    with pytest.raises(Fail) as caught:
        rotation.parse(line.encode() + b"\n")
    assert caught.value.finding["finding"] == "rotation-malformed"


@pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d + d, lambda d: d + b"\n", lambda d: b"", lambda d: d * 100])
def test_one_line(change: Any, statement: tuple[bytes, Any, Any]) -> None:
    with pytest.raises(Fail) as caught:
        rotation.parse(change(statement[0]))
    assert caught.value.finding["finding"] == "rotation-malformed"


@pytest.mark.parametrize(("old", "new"), [("CT-SIG-01", "CT-SIG-02"), ("CT-SIG-02", "CT-SIG-03"), ("CT-SIG-06", "CT-SIG-04")])
def test_into_another_suite(old: str, new: str, tmp_path: Path) -> None:
    """Every signature of both suites is needed, in their order."""
    own, store = Store(tmp_path / "own"), Store(tmp_path / "theirs")
    own.new("old", "--suite", old)
    made = own.json("rotate", "old", "--into", "new", "--suite", new, "--no-password")
    assert made["suite_id"] == new
    keys = {name: own.json("show", name)["components"] for name in ("old", "new")}
    data = own.file("keys/old.rotation").read_bytes()
    envelope = json.loads(data)
    assert [one["keyid"] for one in envelope["signatures"]] == keys["old"] + keys["new"]
    parsed = [keyfile.parse_public(own.file(f"keys/{name}.pub").read_bytes()) for name in ("old", "new")]
    for missing in range(len(envelope["signatures"])):
        left = [one for at, one in enumerate(envelope["signatures"]) if at != missing]
        line = json.dumps(envelope | {"signatures": left}, separators=(",", ":"), sort_keys=True)
        with pytest.raises(Fail) as caught:
            rotation.verify(rotation.parse(line.encode() + b"\n"), *parsed)
        assert caught.value.finding["finding"] == "rotation-invalid"
        false = copy.deepcopy(envelope)
        raw = bytearray(base64.b64decode(false["signatures"][missing]["sig"]))
        raw[len(raw) // 2] ^= 1
        false["signatures"][missing]["sig"] = base64.b64encode(raw).decode()
        line = json.dumps(false, separators=(",", ":"), sort_keys=True)
        with pytest.raises(Fail, match="does not verify"):
            rotation.verify(rotation.parse(line.encode() + b"\n"), *parsed)
    store("import", own.handed("old")[0], "--trust")
    store("import", own.handed("new")[0], "--rotation", own.handed("old")[1], "--trust")
    assert store.json("show", "old")["rotated_into"] == "new" and store.json("show", "new")["trusted"]


# -- expiry ----------------------------------------------------------------------------------------------------------------------


def test_expires(own: Store) -> None:
    own.file("keys/old.local").write_text("Expires: 2030-01-01\nNote: mine\n")
    assert own("expires", "old", "2031-05-01T00:00:00Z") == "old expires 2031-05-01T00:00:00Z\n"
    assert own.file("keys/old.local").read_text() == "Expires: 2031-05-01T00:00:00Z\nNote: mine\n"
    assert own("expires", "old", "never") == "old does not expire\n"
    assert own.file("keys/old.local").read_text() == "Note: mine\n"
    for bad in ("2030-02-30", "soon", "", "Never"):
        own("expires", "old", bad, status=64)
    own("expires", "nobody", "never", status=13)
    own.file("keys/old.local").unlink()
    own("expires", "old", "never")
    assert sorted(os.listdir(own.file("keys"))) == ["default", "old.key", "old.pub"]


@pytest.mark.parametrize(
    ("now", "mark", "facts"),
    [
        ("2026-12-01T00:00:00Z", "2027-01-01", (False, False)),
        ("2026-12-03T00:00:00Z", "2027-01-01 (in 29 days)", (False, True)),
        ("2026-12-31T00:00:00Z", "2027-01-01 (in 1 day)", (False, True)),
        ("2027-01-01T23:59:59Z", "2027-01-01 (today)", (False, True)),
        ("2027-01-02T00:00:00Z", "2027-01-01 (expired)", (True, False)),
    ],
)
def test_list_marks_what_expires(now: str, mark: str, facts: tuple[bool, bool]) -> None:
    key = {
        "key_id": "x", "suite_id": "CT-SIG-01", "fingerprint": "SHA256:00", "components": [], "created": None, "note": None,
        "expires": "2027-01-01", "rotated_into": None, "trusted": True, "origin": "trusted", "private": False, "path": "/x.pub",
    }  # fmt: skip
    clock = times.epoch(now)
    assert keyreport.listing([key], None, clock).splitlines()[1] == f"x    public  CT-SIG-01  {mark}"
    made = keyreport.clocked(key, None, clock)
    assert (made["expired"], made["expires_soon"]) == facts
    assert f"Expires      {mark}\n" in keyreport.shown_key(key, None, clock)


def test_an_expired_key_signs_nothing(own: Store, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "image")
    single(layout)
    bundle = tmp_path / "x.ctp"
    pack = ("pack", "-q", f"oci:{layout.directory}:1.0", "-o", bundle)
    own("expires", "old", "2023-11-13")
    made = tool("ct", *pack, env=own.env, status=13)
    assert "expired 2023-11-13" in made.stderr and "ct key expires old DATE" in made.stderr
    assert not bundle.exists()
    # Its own time counts, which is that of a reproducible build.
    tool("ct", *pack, env=own.env | {"SOURCE_DATE_EPOCH": "1690000000"})
    own("expires", "old", "2023-11-20")
    made = tool("ct", *pack, env=own.env)
    assert "note: old expires 2023-11-20, in 6 days" in made.stderr and "ct key rotate old" in made.stderr
    own("expires", "old", "2023-12-31")
    assert tool("ct", *pack, env=own.env).stderr == ""
    own("rotate", "old", "--into", "new", "--no-password")
    assert "note: old was rotated into new" in tool("ct", *pack, "-k", "old", env=own.env).stderr
    assert tool("ct", *pack, env=own.env).stderr == ""


# -- another passphrase ----------------------------------------------------------------------------------------------------------


def kdf(path: Path) -> dict[str, int]:
    return {name: value for name, value in privatekey.parse(path.read_bytes())["kdf"].items() if name in ("t", "m", "p")}


def test_passphrase(own: Store, tmp_path: Path) -> None:
    one, two = secret(tmp_path / "one", "one"), secret(tmp_path / "two", "two")
    path = own.file("keys/old.key")
    plain = path.read_bytes()
    assert "argon2id, 128 MiB" in own("passphrase", "old", "--new-passphrase-file", one)
    assert kdf(path) == privatekey.PROFILES["interactive"] and path.stat().st_mode & 0o7777 == 0o600
    first = path.read_bytes()
    own("passphrase", "old", "--passphrase-file", two, "--new-passphrase-file", two, status=13)
    assert "argon2id, 256 MiB" in own(
        "passphrase", "old", "--passphrase-file", one, "--new-passphrase-file", two, "--profile", "moderate"
    )
    assert kdf(path) == privatekey.PROFILES["moderate"] and path.read_bytes() != first
    assert "NOT encrypted" in own("passphrase", "old", "--passphrase-file", two, "--no-password")
    assert path.read_bytes() == plain and path.stat().st_mode & 0o7777 == 0o600


def test_passphrase_refusals(own: Store, tmp_path: Path) -> None:
    one, before = secret(tmp_path / "one", "one"), own.file("keys/old.key").read_bytes()
    assert "--new-passphrase-file" in own("passphrase", "old", status=13)
    own("passphrase", "old", "--new-passphrase-file", one, "--profile", "x", status=64)
    own("passphrase", "old", "--new-passphrase-file", one, "--no-password", status=64)
    own("passphrase", "old", "--no-password", "--profile", "high", status=64)
    own("passphrase", "nobody", "--no-password", status=13)
    # That variable names the passphrase that is there, never the one to be.
    own.env["CT_PASSPHRASE_FILE"] = str(one)
    own("passphrase", "old", status=13)
    assert own.file("keys/old.key").read_bytes() == before


def test_costs() -> None:
    weak = {"encrypted": True, "kdf": {"t": 2, "m": 64 << 10, "p": 1}}
    odd = {"encrypted": True, "kdf": {"t": 9, "m": 64 << 10, "p": 1}}
    dear = {"encrypted": True, "kdf": {"t": 3, "m": 1 << 20, "p": 8}}
    plain: dict[str, Any] = {"encrypted": False}
    default = privatekey.PROFILES[privatekey.DEFAULT]
    assert [keyrewrap.cost(one, None) for one in (weak, odd, plain)] == [default] * 3
    assert keyrewrap.cost(dear, None) == dear["kdf"]
    assert keyrewrap.cost(dear, "interactive") == default


def test_a_passphrase_at_the_terminal(own: Store) -> None:
    asked = [("New passphrase for old: ", "one\n"), ("Again: ", "one\n")]
    with Console(BIN / "ct-key", "passphrase", "old", env=own.env, cwd=own.home) as at:
        assert at.converse(*asked) == 0
        assert "one" not in at.text().replace("anew", "")
    asked = [("Passphrase for old: ", "one\n"), ("New passphrase for old: ", "two\n"), ("Again: ", "three\n")]
    with Console(BIN / "ct-key", "passphrase", "old", env=own.env, cwd=own.home) as at:
        assert at.converse(*asked) == 13


# -- a stop at any moment --------------------------------------------------------------------------------------------------------

CALLS = "link,linkat,rename,renameat,renameat2,unlink,unlinkat,mkdir,fsync"


def stopped(store: Store, number: int, *words: str) -> bool:
    """Run ct-key and kill it (SIGKILL) at its so manieth change of the file system; whether it came so far."""
    strace = program("strace")
    command = [strace, "-qq", "-o", "/dev/null", f"-etrace={CALLS}", f"-einject={CALLS}:signal=KILL:when={number}"]
    made = run(*command, BIN / "ct-key", *words, env=store.env, start_new_session=True)
    if made.returncode == 0:
        return False
    assert made.returncode in (-signal.SIGKILL, 137), made.stderr
    return True


def test_rotation_killed_at_every_step(tmp_path: Path) -> None:
    """Each stop leaves what is true, and the same rotation begun again ends as if it had not been stopped."""
    number, seen = 1, set()
    while True:
        store = Store(tmp_path / str(number))
        store.new("old")
        rotating = ("rotate", "old", "--into", "new", "--no-password")
        if not stopped(store, number, *rotating):
            break
        # What replaces a file has a hidden name for a moment, which no reader takes for anything.
        hidden = [name for name in os.listdir(store.file("keys")) if name.startswith(".")]
        assert all(re.fullmatch(r"\.default\.[0-9a-f]{12}\.part", name) for name in hidden), hidden
        listed = run(BIN / "ct-key", "list", "--json", env=store.env)
        assert listed.stderr == "", listed.stderr
        keys = {key["key_id"]: key for key in map(json.loads, listed.stdout.splitlines())}
        # Nobody is said to have taken over who is not there, or without the statement; and somebody signs by default.
        assert keys["old"]["rotated_into"] is None or "new" in keys
        assert keys["old"]["rotated_into"] is None or store("export", "old", "--rotated")
        assert keys["old"]["default"] or keys["new"]["default"]
        seen.add((len(keys), store.file("keys/old.rotation").exists(), keys["old"]["rotated_into"], keys["old"]["default"]))
        if store.file("keys/new.key").exists() and "new" not in keys:
            # A private key is never overwritten, whatever it is.
            assert "public half was never written" in store(*rotating, status=13)
            store.file("keys/new.key").unlink()
        store(*(rotating if "new" not in keys else rotating[:-1]))
        assert store("default") == "new\n" and store.json("show", "old")["rotated_into"] == "new"
        number += 1
    assert seen == {
        (1, False, None, True), (2, False, None, True), (2, True, None, True), (2, True, "new", True), (2, True, "new", False),
    }  # fmt: skip


def test_a_passphrase_change_killed_at_every_step(tmp_path: Path) -> None:
    store, number = Store(tmp_path / "store"), 1
    store.new("old")
    while True:
        # Without a passphrase before and after: it costs no time, and is written all the same.
        before = store.file("keys/old.key").stat().st_ino
        if not stopped(store, number, "passphrase", "old", "--no-password"):
            assert store.file("keys/old.key").stat().st_ino != before
            break
        # The one or the other, whole; beside it at most a part that no reader takes for a key.
        path = store.file("keys/old.key")
        assert path.stat().st_mode & 0o7777 == 0o600
        assert privatekey.parse(path.read_bytes())
        for name in os.listdir(store.file("keys")):
            assert name in ("default", "old.key", "old.pub") or re.fullmatch(r"\.old\.key\.[0-9a-f]{12}\.part", name)
            assert store.file(f"keys/{name}").stat().st_mode & 0o077 == 0 or not name.endswith(("key", "part"))
        number += 1
    assert number > 3


def test_a_statement_about_another_key_is_not_replaced(own: Store) -> None:
    """A rotation that stopped before the store followed it, and is then begun with another key."""
    own.new("a"), own.new("b")
    own("rotate", "old", "--into", "a")
    own.file("keys/old.local").unlink()
    before = own.file("keys/old.rotation").read_bytes()
    assert "has named a" in own("rotate", "old", "--into", "b", status=13)
    assert own.file("keys/old.rotation").read_bytes() == before
    # Without a word about which, it is the one that was named.
    assert "Rotated old into a" in own("rotate", "old")
    own.file("keys/old.local").unlink()
    own.file("keys/old.rotation").write_bytes(before.replace(b"payload", b"Payload", 1))
    own("rotate", "old", "--into", "a", status=10)
