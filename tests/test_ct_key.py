"""ct-key as people and programs run it: in an empty home, with prompts at a real terminal, and with exact exit statuses."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time

import pytest
from conftest import BUILD, ROOT
from console import Console

TOOL = str(BUILD / "bin" / "ct-key")
CREATED = "2026-11-22T10:31:00Z"


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def key(home):
    """Run ct-key in an empty home, without a terminal: key(*arguments, input=b"", **environment)."""
    home.mkdir()

    def run(*arguments, data=b"", **environment):
        env = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "SOURCE_DATE_EPOCH": "1795343460",
        } | environment
        return subprocess.run([TOOL, *arguments], input=data, capture_output=True, env=env, start_new_session=True, timeout=60)

    return run


@pytest.fixture
def plain(key):
    """The same, in a home with one unencrypted pair `own`."""
    assert key("generate", "--id", "own", "--no-password").returncode == 0
    return key


def at_terminal(home, *arguments, answers):
    """Run ct-key at a terminal of its own: (exit status, everything shown). `answers` are (prompt, answer) in order."""
    env = {"HOME": str(home), "LANG": "C.UTF-8", "SOURCE_DATE_EPOCH": "1795343460"}
    with Console(TOOL, *arguments, env=env, cwd=home) as at:
        return at.converse(*answers), at.text()


def store(home):
    return home / ".config" / "cerro"


# -- generate ------------------------------------------------------------------------------------------------------------


def test_keygen_at_a_terminal(key, home):
    status, shown = at_terminal(
        home, "generate", "--id", "cerro-dev-2026", answers=[("Passphrase: ", "pässword\n"), ("Again: ", "pässword\n")]
    )
    assert status == 0, shown
    fingerprint = re.search("SHA256:[0-9a-f]{64}", shown)[0]
    # The passphrase is not echoed.
    assert shown == (
        "Passphrase: \nAgain: \nGenerated key cerro-dev-2026\n\n"
        "  Public key   ~/.config/cerro/keys/cerro-dev-2026.pub\n"
        "  Private key  ~/.config/cerro/keys/cerro-dev-2026.key  (encrypted, argon2id)\n"
        f"  Fingerprint  {fingerprint}\n"
        "  Suite        CT-SIG-01 (ed25519)\n\n"
        "To share it:  ct key export cerro-dev-2026 --public\n"
    )
    assert key("default").stdout == b"cerro-dev-2026\n"
    assert sorted(os.listdir(store(home) / "keys")) == ["cerro-dev-2026.key", "cerro-dev-2026.pub", "default"]
    assert (store(home) / "keys/cerro-dev-2026.key").stat().st_mode & 0o7777 == 0o600
    private = (store(home) / "keys/cerro-dev-2026.key").read_bytes()
    assert private.startswith(b"-----BEGIN CERRO TORRE PRIVATE KEY-----\n")


@pytest.mark.parametrize("answers", [[("Passphrase: ", "one\n"), ("Again: ", "two\n")], [("Passphrase: ", "\n")]])
def test_keygen_refuses_a_mismatch_and_nothing(key, home, answers):
    status, shown = at_terminal(home, "generate", "--id", "x", answers=answers)
    assert status == 13, shown
    assert "error: the two passphrases differ" in shown or "error: the passphrase is empty" in shown
    assert not store(home).exists()


def test_interrupted_prompt_restores_the_terminal(key, home):
    status, shown = at_terminal(home, "generate", "--id", "x", answers=[("Passphrase: ", "\x03")])
    assert status == 130, shown
    assert not store(home).exists()


def test_keygen_without_terminal_or_passphrase(key, home):
    out = key("generate", "--id", "x")
    assert out.returncode == 13 and b"passphrase-fd N" in out.stderr and not store(home).exists()


def test_passphrase_opens_what_it_sealed(key, home, tmp_path):
    (tmp_path / "pw").write_bytes(b"correct horse\n")
    (tmp_path / "pw").chmod(0o600)
    out = key(
        "generate",
        "--json",
        "--passphrase-file",
        str(tmp_path / "pw"),
        "--expires",
        "2099-01-01",
        CT_PASSPHRASE_FILE="/nonexistent",
    )
    assert out.returncode == 0, out.stderr
    made = json.loads(out.stdout)
    assert made["key_id"].endswith("-2026") and made["created"] == CREATED and made["encrypted"] and made["default"]
    assert made["expires"] == "2099-01-01"
    from cerrotorre import keystore

    assert keystore.signing_key(made["private_key"], lambda: b"correct horse")["fingerprint"] == made["fingerprint"]
    with pytest.raises(keystore.Fail) as caught:
        keystore.signing_key(made["private_key"], lambda: b"wrong horse")
    assert caught.value.finding["finding"] == "key-locked"


def test_passphrase_by_descriptor(key, home):
    assert key("generate", "--id", "x", "--passphrase-fd", "0", data=b"secret\n").returncode == 0
    assert b"CERRO TORRE" in (store(home) / "keys/x.key").read_bytes()


def test_generate_elsewhere(key, home, tmp_path):
    out = key("generate", "--id", "ci", "--no-password", "--output", str(tmp_path / "out"))
    assert out.returncode == 0 and b"NOT encrypted" in out.stdout
    assert sorted(os.listdir(tmp_path / "out")) == ["ci.key", "ci.pub"] and not store(home).exists()
    openssl = subprocess.run(["openssl", "pkey", "-in", tmp_path / "out/ci.key", "-pubout"], capture_output=True)
    assert (tmp_path / "out/ci.pub").read_bytes().endswith(openssl.stdout)
    assert key("generate", "--id", "ci", "--no-password", "--output", str(tmp_path / "out")).returncode == 13


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--id", "../x"], 64),
        (["--id", ""], 64),
        (["--id", "x" * 65], 64),
        (["--suite", "CT-SIG-99"], 64),
        (["--profile", "paranoid"], 64),
        (["--expires", "tomorrow"], 64),
        (["--expires", "2027-02-29"], 64),
        (["--expires", "2026-11-21"], 64),
        (["--no-password", "--passphrase-fd", "3"], 64),
        (["--passphrase-fd", "x"], 64),
        (["--passphrase-fd", "77"], 11),
        (["--passphrase-file", "/nonexistent"], 11),
        (["operand"], 64),
        (["--nonsense"], 64),
    ],
)
def test_generate_refusals(key, home, arguments, status):
    assert key("generate", *arguments).returncode == status
    assert not store(home).exists()


def test_generate_never_overwrites(plain, home):
    before = (store(home) / "keys/own.key").read_bytes()
    assert plain("generate", "--id", "own", "--no-password").returncode == 13
    assert (store(home) / "keys/own.key").read_bytes() == before


def test_termination_leaves_no_temporary_file(key, home):
    # The descriptor gives a passphrase, then the (slow) derivation runs: the signal arrives in it or in the writing.
    for delay in (0.05, 0.2, 0.4):
        run = subprocess.Popen(
            [TOOL, "generate", "--id", f"t{int(delay * 100)}", "--passphrase-fd", "0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"HOME": str(home)},
        )
        run.stdin.write(b"secret")
        run.stdin.close()
        time.sleep(delay)
        run.send_signal(signal.SIGTERM)
        assert run.wait(30) in (0, 130, -signal.SIGTERM)
    left = [name for _, _, names in os.walk(store(home)) for name in names]
    assert not [name for name in left if name.startswith(".")]


# -- list, show, default -------------------------------------------------------------------------------------------------


def test_list(plain, home, tmp_path):
    assert plain("import", "-", "--id", "stranger", data=public_pem()).returncode == 0
    assert plain("import", "-", "--id", "upstream-nginx", "--trust", data=public_pem()).returncode == 0
    (store(home) / "trusted/upstream-nginx.local").write_text("Expires: 2027-06-01\n")
    out = plain("list")
    assert out.stdout.decode() == (
        "ID               TYPE     SUITE      EXPIRES     DEFAULT\n"
        "own              keypair  CT-SIG-01  -           ✓\n"
        "upstream-nginx   public   CT-SIG-01  2027-06-01\n"
        "stranger         known    CT-SIG-01  -\n"
    )
    assert plain("list", LANG="C").stdout.decode().splitlines()[1].endswith("-           ok")
    keys = [json.loads(line) for line in plain("list", "--json").stdout.splitlines()]
    assert [(each["key_id"], each["type"], each["trusted"], each["default"]) for each in keys] == [
        ("own", "keypair", True, True),
        ("upstream-nginx", "public", True, False),
        ("stranger", "known", False, False),
    ]
    assert json.loads(plain("show", "upstream-nginx", "--json").stdout) == keys[1]
    assert b"  Expires      2027-06-01\n" in plain("show", "upstream-nginx").stdout


def public_pem():
    private = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], capture_output=True).stdout
    return subprocess.run(["openssl", "pkey", "-pubout"], input=private, capture_output=True).stdout


def test_list_of_nothing(key):
    assert key("list").stdout == b"No keys yet. To make one:  ct keygen\n"
    assert (key("list", "--json").stdout, key("list", "--json").returncode) == (b"", 0)


def test_unusable_keys_are_noted(plain, home):
    assert plain("export", "own", "--public", "-o", str(home / "copy")).returncode == 0
    (store(home) / "known").mkdir(mode=0o700)
    (store(home) / "known/own.pub").write_bytes((home / "copy").read_bytes())
    (store(home) / "known/bad.pub").write_bytes(b"nonsense")
    out = plain("list")
    assert out.returncode == 0 and b"keypair" not in out.stdout
    assert b"note: the id own occurs more than once" in out.stderr and b"bad.pub" in out.stderr
    assert plain("export", "own", "--public").returncode == 13


def test_default(plain):
    assert plain("generate", "--id", "second", "--no-password").returncode == 0
    assert plain("default").stdout == b"own\n"
    assert plain("default", "second").returncode == 0
    assert plain("default").stdout == b"second\n"
    assert plain("default", "third").returncode == 13
    assert plain("delete", "second", "--yes").returncode == 0
    ran = plain("default")
    assert ran.returncode == 13 and b"hint: ct key default ID" in ran.stderr and b"--no-sign" not in ran.stderr


# -- import, trust, export -----------------------------------------------------------------------------------------------


def test_export_and_import_elsewhere(plain, home, tmp_path):
    exported = plain("export", "--public", "own").stdout
    assert exported == (store(home) / "keys/own.pub").read_bytes()
    other = str(tmp_path / "other")
    out = plain("import", "-", data=exported, CT_HOME=other)
    assert out.returncode == 0 and b"not trusted" in out.stdout and b"ct key trust own" in out.stdout
    assert json.loads(plain("show", "own", "--json", CT_HOME=other).stdout)["trusted"] is False
    out = plain("trust", "own", CT_HOME=other)
    assert out.returncode == 0 and b"SHA256:" in out.stdout and b"policy" not in out.stdout
    assert json.loads(plain("show", "own", "--json", CT_HOME=other).stdout)["trusted"] is True
    (tmp_path / "other/policy.json").write_text("{}")
    assert b"ct policy add-signer own" in plain("trust", "own", CT_HOME=other).stdout
    assert plain("import", "-", "--id", "alias", data=exported, CT_HOME=other).returncode == 13
    assert (tmp_path / "other/policy.json").read_text() == "{}"


@pytest.mark.parametrize(("answer", "allowed"), [("y\n", ["own", "x"]), ("n\n", ["own"]), ("\n", ["own"])])
@pytest.mark.parametrize("words", [["trust", "x"], ["import", "copy", "--trust"]])
def test_trusting_offers_to_admit(words, answer, allowed, plain, home):
    """At a terminal what `ct policy add-signer` would do is asked; a no trusts the key all the same."""
    if words[0] == "trust":
        assert plain("import", "-", "--id", "x", data=public_pem()).returncode == 0
    else:
        (home / "copy").write_bytes(public_pem())
        words = [words[0], str(home / "copy"), "--id", "x", "--trust"]
    (store(home) / "policy.json").write_text('{"version": "1", "signers": {"allowed": [{"key_id": "own"}]}}')
    status, shown = at_terminal(home, *words, answers=[("too? [y/N] ", answer)])
    assert status == 0, shown
    assert ("ct policy add-signer x" in shown) is (allowed == ["own"])
    policy = json.loads((store(home) / "policy.json").read_text())
    assert [entry["key_id"] for entry in policy["signers"]["allowed"]] == allowed
    assert json.loads(plain("show", "x", "--json").stdout)["trusted"] is True
    # Where it is admitted, or there is a policy that is none, nothing is asked.
    again = plain("trust", "x")
    assert again.returncode == 0 and (b"add-signer" in again.stdout) is (allowed == ["own"])
    (store(home) / "policy.json").write_text("nonsense")
    assert b"ct policy add-signer x" in plain("trust", "x").stdout


def test_export_refusals(plain, tmp_path):
    assert plain("export", "own").returncode == 64
    assert plain("export", "nobody", "--public").returncode == 13
    (tmp_path / "there").write_bytes(b"mine")
    there = plain("export", "own", "--public", "-o", str(tmp_path / "there"))
    assert there.returncode == 13 and b"--id" not in there.stderr
    assert (tmp_path / "there").read_bytes() == b"mine"
    assert plain("export", "own", "--public", "-o", str(tmp_path / "no/such/dir")).returncode == 11
    with open("/dev/full", "wb") as full:
        ran = subprocess.run([TOOL, "list"], stdout=full, stderr=subprocess.PIPE, env={"HOME": str(tmp_path)})
    assert ran.returncode == 11 and b"cannot write standard output: No space left on device" in ran.stderr


def test_import_refusals(plain, home, tmp_path):
    assert plain("import", "-", data=b"nonsense").returncode == 10
    assert plain("import", "-", data=public_pem()).returncode == 64
    assert plain("import", "-", "--id", ".x", data=public_pem()).returncode == 64
    assert plain("import", str(tmp_path / "missing"), "--id", "x").returncode == 11
    assert plain("import", str(tmp_path), "--id", "x").returncode == 11
    private = plain("import", str(store(home) / "keys/own.key"), "--id", "x")
    assert private.returncode == 10 and b".pub" in private.stderr
    (tmp_path / "long").write_bytes(b"0" * 70000)
    long = plain("import", str(tmp_path / "long"), "--id", "x")
    assert long.returncode == 10 and b"/long' is longer than" in long.stderr
    same = plain("import", str(store(home) / "keys/own.pub"), "--id", "x")
    assert same.returncode == 13 and b"--id" not in same.stderr and b"ct key show own" in same.stderr
    assert plain("import", "-", "--id", "own", data=public_pem()).returncode == 13
    assert plain("trust", "nobody").returncode == 13
    assert not (store(home) / "known").exists()
    closed = subprocess.run(["sh", "-c", '"$0" import - --id x <&-', TOOL], capture_output=True, env={"HOME": str(home)})
    assert closed.returncode == 11, closed.stderr


# -- delete --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("yes\n", 0), ("n\n", 6), ("\n", 6), ("\x04", 130), ("\x03", 130)])
def test_delete_asks(plain, home, answer, status):
    said, shown = at_terminal(home, "delete", "own", answers=[("[y/N] ", answer)])
    assert said == status, shown
    assert "Delete the key pair own (SHA256:" in shown
    assert (store(home) / "keys/own.key").exists() is (status != 0)


def test_delete_without_terminal(plain, home):
    out = plain("delete", "own")
    assert out.returncode == 64 and b"--yes" in out.stderr and (store(home) / "keys/own.key").exists()
    assert plain("delete", "own", "--yes").returncode == 0
    assert os.listdir(store(home) / "keys") == []
    assert plain("delete", "own", "--yes").returncode == 13


# -- safety, usage -------------------------------------------------------------------------------------------------------


def test_unsafe_store(plain, home):
    os.chmod(store(home) / "keys", 0o770)
    for arguments in (["list"], ["show", "own"], ["delete", "own", "--yes"], ["generate", "--no-password"], ["default", "own"]):
        out = plain(*arguments)
        assert out.returncode == 13 and b"writable by others" in out.stderr, arguments
    assert len(os.listdir(store(home) / "keys")) == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be another user")
def test_another_user_s_store(plain, home):
    os.chown(store(home), 4711, 4711)
    out = plain("list")
    assert out.returncode == 13 and b"belongs to another user" in out.stderr


@pytest.mark.parametrize(
    "arguments", [[], ["frobnicate"], ["list", "x"], ["show"], ["show", "a", "b"], ["trust", "-x"], ["default", "--json"]]
)
def test_usage(key, arguments):
    out = key(*arguments)
    known = arguments and arguments[0] != "frobnicate"
    assert out.returncode == 64 and out.stdout == b""
    assert f"usage: ct-key {arguments[0] if known else 'generate'}".encode() in out.stderr
    assert out.stderr.count(b"ct-key ") == (1 if known else 11)


def test_help_and_manual_page_have_one_synopsis(key):
    usage = key("-h").stdout.decode().partition("\n\n")[0].removeprefix("usage: ")
    with contextlib.suppress(FileNotFoundError):
        page = subprocess.run(
            ["mandoc", "-Tascii", "-Owidth=200", ROOT / "man/ct-key.1"], capture_output=True, text=True
        ).stdout
        synopsis = re.sub(".\b", "", page).partition("SYNOPSIS\n")[2].partition("DESCRIPTION\n")[0]
        assert synopsis.split() == usage.split()


def test_secrets_are_in_no_environment_or_argument(key, home):
    # A passphrase in the environment is not looked at.
    assert key("generate", "--id", "x", CT_PASSPHRASE="secret", PASSPHRASE="secret").returncode == 13
