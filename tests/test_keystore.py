"""The key store: what is loaded, what is unusable, what is unsafe, and that nothing is overwritten or left behind."""

import os
import time
from pathlib import Path

import pytest
from cerrotorre import keychange, keyfile, keystore, owned, passphrase, places, privatekey, suites, terminal
from cerrotorre.errors import Fail

CREATED = "2026-11-22T10:31:00Z"


def refused(call, *arguments, **options):
    with pytest.raises(Fail) as caught:
        call(*arguments, **options)
    return caught.value.finding["finding"], caught.value.finding["status"]


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty store of the user's and one of the host's; a key derivation that costs nothing."""
    monkeypatch.setenv("CT_HOME", str(tmp_path / "cerro"))
    monkeypatch.setattr(places, "SYSCONFDIR", str(tmp_path / "etc"))
    monkeypatch.setattr(privatekey, "_derive", lambda given, kdf: (given + kdf["salt"] + bytes(32))[:32])
    return tmp_path / "cerro"


def public(key_id, seed=None):
    seeds = [seed or os.urandom(32)]
    publics = suites.publics("CT-SIG-01", seeds)
    fingerprint = suites.fingerprint("CT-SIG-01", publics)
    return {"key_id": key_id, "suite_id": "CT-SIG-01", "fingerprint": fingerprint, "created": CREATED, "publics": publics}


def lay(where, key, name=None):
    where.mkdir(parents=True, exist_ok=True)
    path = where / f"{name or key['key_id']}.pub"
    path.write_bytes(keyfile.write_public(key))
    path.chmod(0o644)
    return path


def make(key_id, **options):
    return keychange.generate(key_id, "CT-SIG-01", created=CREATED, **{"passphrase": b"secret", **options})


# -- loading -------------------------------------------------------------------------------------------------------------


def test_missing_store_is_an_empty_one(store):
    assert keystore.load() == ([], [])
    assert keystore.default_id() is None
    assert refused(keystore.signing_key, None, bytes) == ("no-signing-key", 13)
    assert refused(keystore.signing_key, "x", bytes) == ("key-not-found", 13)


def test_trust_is_where_the_file_lies(store, tmp_path):
    make("own")
    for where, key_id in (
        (store / "trusted", "b"),
        (store / "trusted", "a"),
        (store / "known", "k"),
        (tmp_path / "etc/cerro/trusted", "h"),
    ):
        lay(where, public(key_id))
    keys, notes = keystore.load()
    assert notes == []
    assert [(key["key_id"], key["origin"], key["trusted"], key["private"]) for key in keys] == [
        ("own", "keys", True, True),
        ("a", "trusted", True, False),
        ("b", "trusted", True, False),
        ("k", "known", False, False),
        ("h", "host", True, False),
    ]
    assert keys[0]["components"] == [keys[0]["fingerprint"]]
    assert keys[0]["path"] == f"{store}/keys/own.pub"


def test_local_facts(store):
    path = lay(store / "trusted", public("a"))
    path.with_suffix(".local").write_text("Expires: 2027-06-01\nRotated-Into: b\n")
    path.with_suffix(".local").chmod(0o644)
    (key,) = keystore.load()[0]
    assert (key["expires"], key["rotated_into"], key["note"]) == ("2027-06-01", "b", None)


@pytest.mark.parametrize("second", ["known", "trusted", "keys", "host"])
def test_an_id_or_a_key_twice_is_unusable_for_all_holders(store, tmp_path, second):
    where = tmp_path / "etc/cerro/trusted" if second == "host" else store / second
    lay(store / "trusted", public("same-id"))
    twin = public("same-key")
    lay(store / "trusted", twin)
    lay(store / "trusted", public("fine"))
    others = [lay(where, twin | {"key_id": "same-key-other-name"})]
    if second != "trusted":
        others.append(lay(where, public("same-id")))
    keys, notes = keystore.load()
    assert {key["key_id"] for key in keys} == ({"fine"} if second != "trusted" else {"fine", "same-id"})
    assert {note["finding"] for note in notes} == {"key-ambiguous"}
    assert {note["status"] for note in notes} == {0}
    for other in others:
        assert any(str(other) in note["context"]["Files"] for note in notes)
    assert refused(keystore.find, "same-key") == ("key-not-found", 13)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"nonsense"),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes().replace(b"CT-SIG-01", b"CT-SIG-02")),
        lambda path: path.rename(path.with_name("other-name.pub")),
        lambda path: path.rename(path.with_name("no id.pub")),
        lambda path: (path.unlink(), path.mkdir(0o755)),
        lambda path: (path.unlink(), os.mkfifo(path, 0o644)),
        lambda path: (path.unlink(), path.symlink_to("nowhere")),
        lambda path: path.with_suffix(".local").write_bytes(b"Expires: soon\n"),
        lambda path: path.with_suffix(".local").symlink_to("nowhere"),
    ],
)
def test_an_unreadable_file_is_noted_and_passed_over(store, spoil):
    lay(store / "trusted", public("fine"))
    spoil(lay(store / "trusted", public("spoilt")))
    keys, notes = keystore.load()
    assert [key["key_id"] for key in keys] == ["fine"]
    assert [(note["finding"], note["status"]) for note in notes] == [("key-unreadable", 0)]


def test_other_files_are_nobody_s_business(store):
    path = lay(store / "trusted", public("fine"))
    for name in (".fine.pub.1234.new", "fine.pub~", "README", ".pub"):
        path.with_name(name).write_bytes(b"x")
    assert [key["key_id"] for key in keystore.load()[0]] == ["fine"] and keystore.load()[1] == []


def test_five_keys_load_within_a_millisecond(store):
    for number in range(5):
        lay(store / "trusted", public(f"k{number}"))
    best = min(_timed(keystore.load) for _ in range(20))
    # Generous: the aim is 1 ms, and the machine may be busy.
    assert best < 0.003, best


def _timed(call):
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


# -- safety --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777, 0o1777])
@pytest.mark.parametrize("which", ["", "keys", "trusted", "known", "etc"])
def test_a_directory_others_can_write_is_unsafe(store, tmp_path, which, mode):
    for where in (store / "keys", store / "trusted", store / "known", tmp_path / "etc/cerro/trusted"):
        where.mkdir(parents=True)
    assert keystore.load() == ([], [])
    os.chmod(tmp_path / "etc/cerro" if which == "etc" else store / which, mode)
    assert refused(keystore.load) == ("store-unsafe", 13)


@pytest.mark.parametrize("suffix", [".pub", ".local"])
def test_a_file_others_can_write_is_unsafe(store, suffix):
    path = lay(store / "trusted", public("a"))
    path.with_suffix(".local").write_bytes(b"")
    path.with_suffix(".local").chmod(0o644)
    assert len(keystore.load()[0]) == 1
    path.with_suffix(suffix).chmod(0o664)
    assert refused(keystore.load) == ("store-unsafe", 13)


def as_nobody(work):
    """The exit status of a child that works as another user: 0 if `work` returns, the finding's status if it fails."""
    child = os.fork()
    if not child:
        status = 99
        try:
            os.setgid(65534)
            os.setuid(65534)
            work()
            status = 0
        except Fail as fail:
            status = fail.finding["status"]
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_another_user_s_store_is_unsafe(store, tmp_path, monkeypatch):
    path = lay(store / "trusted", public("a"))
    for parent in (store, store / "trusted"):
        os.chmod(parent, 0o755)
    os.chmod(tmp_path, 0o755)
    assert len(keystore.load()[0]) == 1
    for victim in (path, store / "trusted", store):
        os.chown(victim, 4711, 4711)
        assert refused(keystore.load) == ("store-unsafe", 13), victim
        os.chown(victim, 0, 0)
    # A link that another user owns, though it leads to what is safe.
    target = path.rename(tmp_path / "real.pub")
    path.symlink_to(target)
    assert len(keystore.load()[0]) == 1
    os.chown(path, 4711, 4711, follow_symlinks=False)
    assert refused(keystore.load) == ("store-unsafe", 13)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_what_root_owns_is_safe_for_a_user(monkeypatch):
    import shutil
    import tempfile

    # Not below tmp_path, which only its owner may enter.
    base = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        monkeypatch.setenv("CT_HOME", str(base))
        monkeypatch.setattr(places, "SYSCONFDIR", str(base / "etc"))
        path = lay(base / "trusted", public("a"))
        for each in (base, base / "trusted"):
            os.chmod(each, 0o755)
        assert as_nobody(lambda: keystore.find("a")) == 0
        os.chown(path, 4711, 4711)
        assert as_nobody(keystore.load) == 13
        os.chown(path, 65534, 65534)
        assert as_nobody(keystore.load) == 0
        # As under `sudo -E`: root reads nobody's trust.
        assert refused(keystore.load) == ("store-unsafe", 13)
    finally:
        shutil.rmtree(base)


def test_a_link_into_a_directory_others_can_write_is_unsafe(store, tmp_path):
    path = lay(store / "trusted", public("a"))
    loose = tmp_path / "loose"
    loose.mkdir()
    path.rename(loose / "a.pub")
    path.symlink_to(loose / "a.pub")
    os.chmod(loose, 0o755)
    assert len(keystore.load()[0]) == 1
    os.chmod(loose, 0o777)
    assert refused(keystore.load) == ("store-unsafe", 13)
    # Sticky: nobody else can replace the file.
    os.chmod(loose, 0o1777)
    assert len(keystore.load()[0]) == 1


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_a_directory_above_that_others_can_write_is_unsafe(store, tmp_path, monkeypatch, mode):
    above = tmp_path / "above"
    lay(above / "home" / "cerro" / "trusted", public("a"))
    monkeypatch.setenv("CT_HOME", str(above / "home" / "cerro"))
    assert len(keystore.load()[0]) == 1
    os.chmod(above, mode)
    with pytest.raises(Fail) as caught:
        keystore.load()
    assert caught.value.finding["finding"] == "store-unsafe"
    assert str(caught.value) == f"'{above}' is writable by others (mode {mode:04o})"
    assert caught.value.finding["context"] == {"File": str(above)}
    assert caught.value.finding["try"] == [f"chmod go-w {above}"]
    # Sticky: only its owner can rename what is in it.
    os.chmod(above, mode | 0o1000)
    assert len(keystore.load()[0]) == 1
    # Nothing is asked of a store that is not there.
    os.chmod(above, mode)
    monkeypatch.setenv("CT_HOME", str(above / "home" / "none"))
    assert keystore.load() == ([], [])


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a directory away")
def test_a_directory_above_of_another_user_is_unsafe(store, tmp_path, monkeypatch):
    above = tmp_path / "above"
    lay(above / "home" / "cerro" / "trusted", public("a"))
    monkeypatch.setenv("CT_HOME", str(above / "home" / "cerro"))
    for mode in (0o755, 0o700, 0o1777):
        os.chmod(above, mode)
        os.chown(above, 4711, 4711)
        assert refused(keystore.load) == ("store-unsafe", 13)
        os.chown(above, 0, 0)
        assert len(keystore.load()[0]) == 1
    # By way of a link, and of `..`, too.
    os.chown(above, 4711, 4711)
    (tmp_path / "link").symlink_to("above/home")
    (tmp_path / "other").mkdir()
    for way in ("link/cerro", "other/../above/home/cerro"):
        monkeypatch.setattr(places, "home_dir", lambda env=None, way=way: f"{tmp_path}/{way}")
        assert refused(keystore.load) == ("store-unsafe", 13), way


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give links away")
@pytest.mark.parametrize("unsafe", ["link", "directory", "both", "loose", None])
def test_every_link_of_a_chain_is_judged(store, tmp_path, unsafe):
    path = lay(store / "trusted", public("a"))
    kept, between = tmp_path / "kept", tmp_path / "between"
    kept.mkdir(mode=0o755)
    between.mkdir(mode=0o755)
    path.rename(kept / "a.pub")
    (between / "a.pub").symlink_to("../kept/a.pub")
    path.symlink_to(between / "a.pub")
    if unsafe in ("link", "both"):
        os.lchown(between / "a.pub", 4711, 4711)
    if unsafe in ("directory", "both"):
        os.chown(between, 4711, 4711)
    if unsafe == "loose":
        os.chmod(between, 0o775)
    if unsafe:
        assert refused(keystore.load) == ("store-unsafe", 13)
    else:
        assert len(keystore.load()[0]) == 1


def test_a_chain_of_links_has_an_end(tmp_path):
    (tmp_path / "0").write_text("x")
    for number in range(1, 42):
        (tmp_path / str(number)).symlink_to(str(number - 1))
    assert owned.read(str(tmp_path / "40"), 9) == b"x"
    assert refused(owned.read, str(tmp_path / "41"), 9) == ("file-unreadable", 11)


# -- signing -------------------------------------------------------------------------------------------------------------


def test_signing_key(store):
    assert make("first", expires="2027-06-01")["default"] is True
    assert make("second", passphrase=None)["default"] is False
    first = keystore.signing_key(None, lambda: b"secret")
    assert (first["key_id"], first["suite_id"], first["expires"]) == ("first", "CT-SIG-01", "2027-06-01")
    assert suites.publics("CT-SIG-01", first["seeds"]) == first["publics"]
    second = keystore.signing_key("second", lambda: pytest.fail("asked for a passphrase"))
    assert second["fingerprint"] == suites.fingerprint("CT-SIG-01", second["publics"])
    assert refused(keystore.signing_key, "first", lambda: b"wrong") == ("key-locked", 13)
    assert refused(keystore.signing_key, "third", bytes) == ("key-not-found", 13)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o620])
def test_a_private_key_others_can_reach_is_unsafe(store, mode):
    made = make("own", passphrase=None)
    os.chmod(made["private_key"], mode)
    assert refused(keystore.signing_key, "own", bytes) == ("store-unsafe", 13)
    with pytest.raises(Fail) as caught:
        keystore.signing_key("own", bytes)
    assert caught.value.finding["try"] == [f"chmod 600 {made['private_key']}"]
    os.chmod(made["private_key"], 0o600)
    keystore.signing_key("own", bytes)
    os.chmod(made["public_key"], 0o666)
    with pytest.raises(Fail) as caught:
        keystore.signing_key("own", bytes)
    assert caught.value.finding["try"] == [f"chmod go-w {made['public_key']}"]


def test_private_half_must_be_the_public_one_s(store):
    one, other = make("one", passphrase=None), make("other", passphrase=None)
    os.replace(other["private_key"], one["private_key"])
    assert refused(keystore.signing_key, "one", bytes) == ("key-locked", 13)
    sealed, another = make("sealed"), make("another")
    os.replace(another["private_key"], sealed["private_key"])
    assert refused(keystore.signing_key, "sealed", lambda: pytest.fail("asked")) == ("key-locked", 13)


def test_only_a_pair_signs(store):
    make("own")
    os.unlink(store / "keys/own.key")
    lay(store / "trusted", public("theirs"))
    for key_id in ("own", "theirs"):
        assert refused(keystore.signing_key, key_id, bytes) == ("key-not-found", 13)


def test_an_ambiguous_pair_does_not_sign(store):
    make("own", passphrase=None)
    lay(store / "known", public("own"))
    assert refused(keystore.signing_key, "own", bytes) == ("key-not-found", 13)
    assert refused(keystore.signing_key, None, bytes) == ("key-not-found", 13)


def test_key_file_by_path(store, tmp_path, monkeypatch):
    made = make("ci", output=str(tmp_path / "out"), expires="2027-06-01")
    assert made["default"] is False and keystore.load() == ([], [])
    assert sorted(os.listdir(tmp_path / "out")) == ["ci.key", "ci.local", "ci.pub"]
    key = keystore.signing_key(made["private_key"], lambda: b"secret")
    assert (key["key_id"], key["expires"]) == ("ci", "2027-06-01")
    monkeypatch.chdir(tmp_path / "out")
    assert keystore.signing_key("./ci.key", lambda: b"secret") == key
    for typed in ("./nosuch.key", "./ci.pub", "./ci"):
        with pytest.raises(Fail, match=f"'{typed}'.*NAME[.]key") as caught:
            keystore.signing_key(typed, bytes)
        assert caught.value.finding["finding"] == "key-not-found" and ".pub.pub" not in str(caught.value)
    os.chmod("ci.key", 0o644)
    assert refused(keystore.signing_key, "./ci.key", bytes) == ("store-unsafe", 13)
    os.unlink("ci.pub")
    assert refused(keystore.signing_key, "./ci.key", bytes) == ("key-not-found", 13)


@pytest.mark.parametrize("text", [b"", b"own", b"own\nother\n", b"../own\n", b"\xff\n", b"own\r\n"])
def test_default_in_one_spelling(store, text):
    make("own")
    (store / "keys/default").write_bytes(text)
    assert refused(keystore.default_id) == ("key-malformed", 10)


# -- changes -------------------------------------------------------------------------------------------------------------


def test_modes_whatever_the_umask(store):
    for umask in (0o000, 0o077, 0o777):
        before = os.umask(umask)
        try:
            made = make(f"u{umask}")
        finally:
            os.umask(before)
        assert os.stat(made["private_key"]).st_mode & 0o7777 == 0o600
        assert os.stat(made["public_key"]).st_mode & 0o7777 == 0o644
    assert os.stat(store).st_mode & 0o7777 == os.stat(store / "keys").st_mode & 0o7777 == 0o700


def test_nothing_is_overwritten(store):
    make("own")
    before = {path: path.read_bytes() for path in (store / "keys").iterdir()}
    assert refused(make, "own") == ("key-exists", 13)
    assert refused(keychange.refuse_taken, "own") == ("key-exists", 13)
    assert refused(keychange.add_public, public("own"), trust=True) == ("key-exists", 13)
    assert {path: path.read_bytes() for path in (store / "keys").iterdir()} == before
    assert refused(keychange.write_file, str(store / "keys/own.pub"), b"x", 0o644) == ("key-exists", 13)
    # A private key whose .pub is gone is still nobody's to replace; neither half of the new pair stays.
    os.unlink(store / "keys/own.pub")
    assert refused(make, "own") == ("key-exists", 13)
    assert not (store / "keys/own.pub").exists()
    assert (store / "keys/own.key").read_bytes() == before[store / "keys/own.key"]


def test_a_key_is_not_taken_in_twice(store):
    key = public("a")
    keychange.add_public(key, trust=False)
    assert refused(keychange.add_public, key | {"key_id": "b"}, trust=True) == ("key-exists", 13)


def test_trust_moves_the_file_and_its_facts(store):
    keychange.add_public(public("a"), trust=False)
    (store / "known/a.local").write_text("Expires: 2027-06-01\n")
    assert keystore.find("a")["trusted"] is False
    assert keychange.trust("a")["trusted"] is False
    key = keystore.find("a")
    assert (key["trusted"], key["origin"], key["expires"]) == (True, "trusted", "2027-06-01")
    assert os.listdir(store / "known") == []
    assert keychange.trust("a")["trusted"] is True


def test_delete(store, tmp_path):
    make("own", expires="2027-06-01")
    keychange.delete(keychange.deletable("own"))
    assert os.listdir(store / "keys") == []
    lay(store / "known", public("twice"))
    lay(store / "trusted", public("twice"))
    assert refused(keychange.deletable, "twice") == ("key-not-found", 13)
    lay(tmp_path / "etc/cerro/trusted", public("host"))
    assert refused(keychange.deletable, "host") == ("key-not-found", 13)


@pytest.mark.parametrize("call", ["link", "fsync", "fchmod", "write"])
def test_an_interruption_leaves_nothing(store, monkeypatch, call):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    (store / "keys").mkdir(parents=True, mode=0o700)
    monkeypatch.setattr(os, call, interrupted)
    with pytest.raises(KeyboardInterrupt):
        make("own")
    monkeypatch.undo()
    assert os.listdir(store / "keys") == []


def test_an_interruption_at_the_second_file_removes_the_first(store, monkeypatch):
    real, calls = os.link, []

    def second_time(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(os, "link", second_time)
    with pytest.raises(KeyboardInterrupt):
        make("own")
    assert os.listdir(store / "keys") == []


def test_store_that_cannot_be_written(store, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    (store / "keys").mkdir(parents=True, mode=0o700)
    assert refused(make, "own") == ("file-unwritable", 11)
    assert os.listdir(store / "keys") == []


def test_suggested_id():
    assert keyfile.is_id(keychange.suggested_id("2026")) and keychange.suggested_id("2026").endswith("-2026")


# -- passphrases and locale ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"pw", b"pw"),
        (b"pw\n", b"pw"),
        (b"pw\n\n", b"pw\n"),
        (b" pw \r\n", b" pw \r"),
        ("pä\n".encode(), "pä".encode()),
        (b"x" * 4096 + b"\n", b"x" * 4096),
    ],
)
def test_passphrase_sources(tmp_path, monkeypatch, content, expected):
    path = tmp_path / "pw"
    path.write_bytes(content)
    path.chmod(0o600)
    assert passphrase.obtain(file=str(path)) == expected
    assert passphrase.obtain(fd=str(os.open(path, os.O_RDONLY)), file="/nonexistent") == expected
    monkeypatch.setenv("CT_PASSPHRASE_FILE", str(path))
    assert passphrase.obtain() == expected
    assert refused(passphrase.obtain, file="/nonexistent") == ("file-unreadable", 11)


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * 4097, b"x" * 9000])
def test_passphrases_that_are_not_accepted(tmp_path, content):
    (tmp_path / "pw").write_bytes(content)
    (tmp_path / "pw").chmod(0o600)
    assert refused(passphrase.obtain, file=str(tmp_path / "pw")) == ("passphrase-refused", 13)


def test_descriptor_that_is_none(monkeypatch):
    assert refused(passphrase.obtain, "987") == ("file-unreadable", 11)
    for text in ("", "-1", "x", "٣", "1" * 12):
        assert refused(passphrase.obtain, text) == ("usage", 64)


def test_locale_decides_the_marks():
    assert terminal.utf8({"LANG": "de_DE.UTF-8"}) and terminal.utf8({"LC_ALL": "C.utf8", "LANG": "C"})
    assert not terminal.utf8({}) and not terminal.utf8({"LC_ALL": "C", "LANG": "de_DE.UTF-8"})
    assert terminal.utf8({"LC_ALL": "", "LC_CTYPE": "de_DE.UTF-8", "LANG": "C"})
    assert not terminal.utf8({"LC_CTYPE": "C.UTF-8", "LANG": "C"})
    assert terminal.mark("ok", {"LANG": "C.UTF-8"}) == "✓" and terminal.mark("ok", {}) == "ok"
    assert all(name.isascii() for name in terminal.MARKS)
