"""Keys from elsewhere: by https, by fingerprint, vouched for by OpenPGP; and a key that is in use already, whichever way it comes."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import registries
from conftest import program
from console import Console
from small import BIN, Store


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a key's public file, up.pub, and certificates."""
    made = tmp_path_factory.mktemp("keys")
    maker = Store(made / "maker")
    maker("generate", "--id", "up", "--no-password")
    shutil.copy(made / "maker/keys/up.pub", made / "up.pub")
    registries.certificates(made)
    return made


def fingerprint(place: Path) -> str:
    found = re.search(r"SHA256:[0-9a-f]{64}", (place / "up.pub").read_text())
    assert found
    return found[0]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


# -- by https --------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(place: Path, store: Store) -> Iterator[registries.Fake]:
    """A server of up.pub, whose certificate this user takes."""
    with registries.Fake(place / "server.pem") as fake:
        directory = store.home / ".config/containers/certs.d" / fake.host
        directory.mkdir(parents=True)
        shutil.copy(place / "ca.crt", directory / "ca.crt")
        fake.answers["/up.pub"] = lambda request: request.reply(200, (place / "up.pub").read_bytes())
        yield fake


def leads(to: str) -> Any:
    return lambda request: request.reply(302, Location=to)


def test_by_fingerprint(place: Path, store: Store, server: registries.Fake) -> None:
    url = f"https://{server.host}/up.pub"
    assert "is not trusted" in store("import", url, "--fingerprint", fingerprint(place))
    assert store.ids() == ["up"]
    assert server.seen == [("GET", "/up.pub", None)]


def test_at_a_terminal(place: Path, store: Store, server: registries.Fake) -> None:
    words = ("ct-key", "import", f"https://{server.host}/up.pub", "--trust")
    for answer, status in (("n\n", 6), ("\n", 6), ("\x04", 130), ("y\n", 0)):
        with Console(BIN / words[0], *words[1:], env=store.env, cwd=store.home) as at:
            assert at.converse(("another way? [y/N] ", answer)) == status
            assert fingerprint(place) in at.text()
        assert store.ids() == ([] if status else ["up"])


def test_nothing_is_taken_unasked(store: Store, server: registries.Fake) -> None:
    assert "--fingerprint" in store("import", f"https://{server.host}/up.pub", status=64)
    other = "SHA256:" + "0" * 64
    assert other in store("import", f"https://{server.host}/up.pub", "--fingerprint", other, status=3)
    for bad in ("", "0" * 64, "sha256:" + "0" * 64, "SHA256:" + "A" * 64, "SHA256:00"):
        store("import", f"https://{server.host}/up.pub", "--fingerprint", bad, status=64)
    assert store.ids() == []


def cut_short(request: Any) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "999")
    request.end_headers()
    request.wfile.write(b"x")
    request.close_connection = True


REFUSED = {
    "absent": (lambda request: request.reply(404), "refuses (404)"),
    "wants a password": (lambda request: request.reply(401, WWW_Authenticate='Basic realm="x"'), "refuses (401)"),
    "leads nowhere": (lambda request: request.reply(302), "refuses (302)"),
    "in a circle": (leads("/there"), "more than 5 times"),
    "off TLS": (leads("http://127.0.0.1/up.pub"), "without TLS"),
    "to a file": (leads("file:///etc/passwd"), "not plain http or https"),
    "with credentials": (leads("https://user:pass@127.0.0.1/"), "not plain http or https"),
    "too long": (lambda request: request.reply(200, b"x" * 70000), "over 65536 bytes"),
    "cut short": (cut_short, "the connection broke"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, place: Path, store: Store, server: registries.Fake) -> None:
    answer, words = REFUSED[case]
    server.answers["/there.*"] = answer
    said = store("import", f"https://{server.host}/there?secret", "--fingerprint", fingerprint(place), status=12)
    assert words in said and "secret" not in said
    assert store.ids() == [] and all(authorization is None for _, _, authorization in server.seen)


def test_not_a_key(place: Path, store: Store, server: registries.Fake) -> None:
    server.answers["/page.*"] = lambda request: request.reply(200, b"<html>sign in</html>")
    said = store("import", f"https://{server.host}/page?secret", "--fingerprint", fingerprint(place), status=10)
    assert f"Host: {server.host}" in said and "secret" not in said


def test_redirects_are_followed(place: Path, store: Store, server: registries.Fake) -> None:
    server.answers["/old"] = leads("/up.pub")
    store("import", f"https://{server.host}/old", "--fingerprint", fingerprint(place))


def test_certificates(place: Path, store: Store, server: registries.Fake) -> None:
    shutil.rmtree(store.home / ".config/containers")
    url, given = f"https://{server.host}/up.pub", ("--fingerprint", fingerprint(place))
    assert "TLS" in store("import", url, *given, status=12)
    # The environment does not choose whom to trust.
    store.env["SSL_CERT_FILE"] = str(place / "ca.crt")
    assert "TLS" in store("import", url, *given, status=12)
    assert server.seen == []


@pytest.mark.parametrize("url", ["http://127.0.0.1/up.pub", "ftp://x/y", "file:///up.pub", "oci://x"])
def test_other_schemes(url: str, store: Store) -> None:
    assert "https://" in store("import", url, status=64)


def test_nobody_answers(store: Store) -> None:
    assert "no connection\n" in store("import", "https://127.0.0.1:1/up.pub", status=12)


# -- by fingerprint --------------------------------------------------------------------------------------------------------------


def test_the_fingerprint_of_a_file(place: Path, store: Store) -> None:
    assert "Expected" in store("import", place / "up.pub", "--fingerprint", "SHA256:" + "0" * 64, status=3)
    assert store.ids() == []
    store("import", place / "up.pub", "--fingerprint", "", status=64)
    store("import", place / "up.pub", "--fingerprint", fingerprint(place))


@pytest.mark.parametrize("text", [b"nonsense", b"\xff", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", b""])
def test_errors_name_the_file(text: bytes, store: Store) -> None:
    path = store.home / "what.pub"
    path.write_bytes(text)
    assert f"File: {path}" in store("import", path, "--id", "x", status=10)


# -- by OpenPGP ------------------------------------------------------------------------------------------------------------------


class Gpg:
    """A home of GnuPG with keys `alice`, `bob`, `short` (which expires soon), `gone` (revoked); and what they sign."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700)
        self.home, self.program = home, program("gpg")

    def __call__(self, *words: object, time: str = "20230101T000000", **more: Any) -> bytes:
        command = [self.program, "--homedir", self.home, "--batch", "--yes", "--quiet", "--passphrase", "", "--pinentry-mode"]
        made = subprocess.run(
            [*map(str, command), "loopback", "--faked-system-time", time, *map(str, words)], capture_output=True, **more
        )
        assert made.returncode == 0, made.stderr.decode()
        return made.stdout

    def generate(self, name: str, expires: str = "never", kind: str = "ed25519") -> None:
        self("--quick-generate-key", f"{name} <{name}@example.org>", kind, "sign", expires)

    def sign(self, data: Path, *names: str, options: tuple[str, ...] = (), **more: Any) -> bytes:
        users = [word for name in names for word in ("-u", f"{name}@example.org")]
        return self("--output", "-", *options, *users, "--detach-sign", data, **more)

    def stop(self) -> None:
        subprocess.run([program("gpgconf"), "--homedir", str(self.home), "--kill", "all"], capture_output=True, check=False)


@pytest.fixture(scope="module")
def gpg(place: Path) -> Iterator[Gpg]:
    made = Gpg(place / "gnupg")
    try:
        for name in ("alice", "bob", "gone"):
            made.generate(name)
        made.generate("short", "2023-02-01")
        yield made
    finally:
        made.stop()


@pytest.fixture
def keyring(gpg: Gpg, tmp_path: Path) -> Path:
    """Alice's key."""
    return write(tmp_path / "ring", gpg("--export", "alice"))


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o644)
    return path


def vouched(store: Store, place: Path, signature: bytes, keyring: Path, status: int = 0, *more: object) -> str:
    path = write(store.home / "signature", signature)
    said = store("import", place / "up.pub", "--gpg-signature", path, "--keyring", keyring, *more, status=status)
    assert store.ids() == ([] if status else ["up"])
    # Nothing is left of the home that was made for it, nor of a process.
    assert not [name for name in os.listdir(store.home) if name.startswith("cerro-torre-")]
    return said


@pytest.fixture(autouse=True)
def temporary(store: Store) -> None:
    store.env["TMPDIR"] = str(store.home)


def test_vouched(gpg: Gpg, store: Store, place: Path, keyring: Path) -> None:
    said = vouched(store, place, gpg.sign(place / "up.pub", "alice"), keyring)
    primary = re.search(rb"fpr:::::::::([0-9A-F]{40}):", gpg("--with-colons", "--list-keys", "alice"))
    assert primary and f"OpenPGP {primary[1].decode()}  alice <alice@example.org>" in said
    assert "is not trusted" in said and "ct key trust up" in said


def test_armoured(gpg: Gpg, store: Store, place: Path, tmp_path: Path) -> None:
    ring = write(tmp_path / "ring.asc", gpg("--armor", "--export", "alice"))
    vouched(store, place, gpg.sign(place / "up.pub", "alice", options=("--armor",)), ring, 0, "--trust")
    assert (store.home / "trusted/up.pub").exists()


def test_one_good_signature_is_enough(gpg: Gpg, store: Store, place: Path, keyring: Path) -> None:
    assert "alice" in vouched(store, place, gpg.sign(place / "up.pub", "bob", "alice"), keyring)


def test_a_stranger_s_is_not(gpg: Gpg, store: Store, place: Path, keyring: Path) -> None:
    assert "not in the keyring" in vouched(store, place, gpg.sign(place / "up.pub", "bob"), keyring, 3)


@pytest.mark.parametrize("end", [b"\x85", b"\xc2\x85", b"\n", b"\r", b"\x1e", "\u2028".encode()])
def test_a_stranger_s_may_say_what_gnupg_would(end: bytes, gpg: Gpg, store: Store, place: Path, keyring: Path) -> None:
    """GnuPG repeats the signer's user id (RFC 9580, 5.2.3.30) of a signature that it cannot check."""
    found = re.search(rb"fpr:::::::::([0-9A-F]{40}):", gpg("--with-colons", "--list-keys", "alice"))
    assert found
    said = [
        b"x",
        b"[GNUPG:] NEWSIG",
        b"[GNUPG:] GOODSIG %s alice" % found[1][-16:],
        b"[GNUPG:] VALIDSIG %s 2026-11-22 1795387000 0 4 0 22 10 00 %s" % (found[1], found[1]),
        b"",
    ]
    user = b"\x1c" + end.join(said)
    made = gpg.sign(place / "up.pub", "bob")
    assert made[0] == 0x88  # RFC 9580, 4.2.2: a signature packet, its length one octet
    body = made[2:]
    size = int.from_bytes(body[4:6], "big")
    length = bytes([(len(user) - 192 >> 8) + 192, len(user) - 192 & 255])  # 4.2.1.2
    hashed = length + user + body[6 : 6 + size]
    body = body[:4] + len(hashed).to_bytes(2, "big") + hashed + body[6 + size :]
    forged = b"\xc2\xff" + len(body).to_bytes(4, "big") + body
    assert "not in the keyring" in vouched(store, place, forged, keyring, 3)


def test_a_bad_one_refuses(gpg: Gpg, store: Store, place: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other", b"something else")
    ring = write(tmp_path / "both", gpg("--export", "alice", "bob"))
    for signature in (gpg.sign(other, "alice"), gpg.sign(place / "up.pub", "bob") + gpg.sign(other, "alice")):
        assert "alice" in vouched(store, place, signature, ring, 2)


def test_expired_and_revoked(gpg: Gpg, store: Store, place: Path, tmp_path: Path) -> None:
    made = gpg.sign(place / "up.pub", "short")
    assert "the key that signed has expired" in vouched(store, place, made, write(tmp_path / "s", gpg("--export", "short")), 3)
    made = gpg.sign(place / "up.pub", "alice", options=("--default-sig-expire", "1d"))
    ring = write(tmp_path / "a", gpg("--export", "alice"))
    assert "the signature has expired" in vouched(store, place, made, ring, 3)
    made = gpg.sign(place / "up.pub", "gone")
    revoked = next((gpg.home / "openpgp-revocs.d").glob("*"))
    for path in (gpg.home / "openpgp-revocs.d").glob("*"):
        if b"gone" in path.read_bytes() or b"gone" in gpg("--with-colons", "--list-keys", path.stem):
            revoked = path
    text = revoked.read_text().replace(":-----BEGIN", "-----BEGIN")
    other = Gpg(tmp_path / "other")
    other("--import", input=gpg("--export", "gone"))
    other("--import", input=text.encode())
    assert "was revoked" in vouched(store, place, made, write(tmp_path / "g", other("--export")), 3)
    other.stop()


def test_weak_digests(gpg: Gpg, store: Store, place: Path, tmp_path: Path) -> None:
    made = gpg.sign(place / "up.pub", "alice", options=("--textmode",))
    assert "but over its text" in vouched(store, place, made, write(tmp_path / "a", gpg("--export", "alice")), 3)
    gpg.generate("weak", kind="rsa2048")
    made = gpg.sign(place / "up.pub", "weak", options=("--digest-algo", "SHA1"))
    assert "not safe" in vouched(store, place, made, write(tmp_path / "w", gpg("--export", "weak")), 3)


def test_what_is_no_signature_or_keyring(gpg: Gpg, store: Store, place: Path, keyring: Path, tmp_path: Path) -> None:
    good = gpg.sign(place / "up.pub", "alice")
    inline = gpg("--output", "-", "-u", "alice@example.org", "--sign", place / "up.pub")
    clear = gpg("--output", "-", "-u", "alice@example.org", "--clear-sign", place / "up.pub")
    for bad in (b"", b"nonsense", gpg("--export", "alice"), good[:-5], inline, clear):
        vouched(store, place, bad, keyring, 10)
    for bad in (b"", b"nonsense", good):
        assert "no OpenPGP public key" in vouched(store, place, good, write(tmp_path / "bad", bad), 10)
    vouched(store, place, b"x" * 70000, keyring, 10)
    vouched(store, place, good, tmp_path / "absent", 11)
    os.chmod(keyring, 0o666)
    assert "writable by others" in vouched(store, place, good, keyring, 13)


IDLE = """#!/bin/sh
for word; do
    case $word in
    --list-config) echo cfg:version:2.2.40 ;;
    --import) cat >/dev/null && echo '[GNUPG:] IMPORT_OK 1 ABCD' >&2 && echo '[GNUPG:] IMPORT_RES 1 0 1 0 0 0 0 0 0 0 0 0 0 0 0' >&2 ;;
    --status-file=*)
        printf '[GNUPG:] %s\\n' NEWSIG 'GOODSIG AB alice' 'VALIDSIG AB 2026-11-22 1 0 4 0 22 10 00 AB' >"${word#*=}"
        while [ -z "$ENDS" ]; do :; done
        ;;
    esac
done
"""


# With a second in place of many, in a process that has used none of it.
JUDGE = """
import sys
from cerrotorre import vouch
from cerrotorre.errors import Fail
vouch.SECONDS = 1
try:
    print(vouch.check(b"data", *sys.argv[1:])["user"])
except Fail as fail:
    print(fail)
"""


def test_what_takes_too_long_is_ended_and_not_believed(place: Path, tmp_path: Path) -> None:
    """What pretends to be a signature can unpack to any size: a bzip2 packet of 5 KiB is 6 GiB, and keeps GnuPG busy for a minute."""
    (tmp_path / "gpg").write_text(IDLE)
    (tmp_path / "gpg").chmod(0o755)
    paths = write(tmp_path / "signature", b"x"), write(tmp_path / "ring", b"x")
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    for ends, said in (("1", "alice"), ("", "not a detached")):
        made = subprocess.run(
            [sys.executable, "-B", "-c", JUDGE, *paths], env={**env, "ENDS": ends}, capture_output=True, text=True, timeout=60
        )
        assert said in made.stdout, made.stderr


def test_where_others_can_write(gpg: Gpg, store: Store, place: Path, keyring: Path, tmp_path: Path) -> None:
    """GnuPG's home is not made where another user could rename it."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    store.env["TMPDIR"] = str(shared)
    said = vouched(store, place, gpg.sign(place / "up.pub", "alice"), keyring, 13)
    assert str(shared) in said
    assert not list(shared.iterdir())


def test_no_gpg(gpg: Gpg, store: Store, place: Path, keyring: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").symlink_to(shutil.which("python3") or "")
    store.env["PATH"] = str(tmp_path / "bin")
    signature = write(tmp_path / "signature", b"x")
    assert "gpg" in store("import", place / "up.pub", "--gpg-signature", signature, "--keyring", keyring, status=69)


def test_half_an_option(store: Store, place: Path) -> None:
    store("import", place / "up.pub", "--gpg-signature", "x", status=64)
    store("import", place / "up.pub", "--keyring", "x", status=64)


def test_fetched_and_vouched(
    gpg: Gpg, store: Store, place: Path, keyring: Path, server: registries.Fake, tmp_path: Path
) -> None:
    """A signature says whose key it is, so nobody is asked."""
    signature = write(tmp_path / "signature", gpg.sign(place / "up.pub", "alice"))
    store("import", f"https://{server.host}/up.pub", "--gpg-signature", signature, "--keyring", keyring)
    assert store.ids() == ["up"]


# -- in use already --------------------------------------------------------------------------------------------------------------


def test_a_key_that_is_in_use(store: Store, place: Path, tmp_path: Path) -> None:
    """However it comes: nothing makes a second holder of an id or a key, and one that was copied there makes both unusable."""
    maker = Store(place / "maker")
    pem = re.sub(r"(?m)^[A-Z].*: .*\n", "", (place / "up.pub").read_text())
    store("import", place / "up.pub", "--trust")
    for words in (
        ["import", place / "up.pub"],
        ["import", place / "up.pub", "--id", "other"],
        ["import", place / "up.pub", "--id", "other", "--trust"],
        ["generate", "--id", "up", "--no-password"],
    ):
        assert "up.pub" in store(*words, status=13)
    store("import", "-", "--id", "other", status=13, input=pem)
    # As with `generate --output`, and the files copied by hand.
    maker("generate", "--id", "copied", "--no-password", "--output", tmp_path / "out")
    (store.home / "keys").mkdir(mode=0o700)
    for name in ("copied.key", "copied.pub"):
        shutil.copy(tmp_path / "out" / name, store.home / "keys" / name)
    store("import", tmp_path / "out/copied.pub", "--id", "again", status=13)
    shutil.copy(tmp_path / "out/copied.pub", store.home / "trusted/copied.pub")
    said = store("list")
    assert "the id copied occurs more than once" in said and not re.search(r"^copied ", said, re.M)
    for words in (["trust", "copied"], ["rotate", "copied", "--no-password"], ["expires", "copied", "never"]):
        assert "occurs more than once" in store(*words, status=13)
    assert "copied is unusable" in store("passphrase", "copied", "--no-password", status=13)
    # What was rotated into it, or would be, neither.
    store("generate", "--id", "mine", "--no-password")
    store("rotate", "mine", "--into", "copied", status=13)
    assert not (store.home / "keys/mine.local").exists()
