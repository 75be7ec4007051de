"""Signing anew: whole or not at all whatever kills it, in every shell, and a chain of custody that nobody can stuff."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import alter
import images
import pytest
from cerrotorre import custody, layout
from cerrotorre.errors import Fail
from conftest import BUILD, program
from console import Console
from processes import gone
from small import environment, pair, run, tool

BIN = BUILD.resolve() / "bin"
MIB = 1 << 20
KEYS = ("old", "new", "stranger")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with keys, a bundle by `old`, and one of 64 MiB."""
    work = tmp_path_factory.mktemp("resign")
    (work / "home").mkdir(mode=0o700)
    for key_id in KEYS[:2]:
        pair(work / "home", key_id)
    (work / "away").mkdir(mode=0o700)
    pair(work / "away", "stranger")
    images.make("single", work / "image")
    large = images.Layout(work / "large")
    layers = [large.blob(random.Random(number).randbytes(8 * MIB), images.TAR) for number in range(8)]
    large.index(large.manifest(large.config([layer["digest"] for layer in layers]), layers))
    env = environment(work / "home")
    for name in ("image", "large"):
        tool("ct", "pack", "-q", "-k", "old", f"oci:{name}", "-o", f"{name}.ctp", env=env, cwd=work)
    return work


def signer(place: Path, bundle: Path) -> tuple[int, set[str]]:
    """(status of its verdict, who signed)."""
    made = run(BIN / "ct", "verify", "--json", bundle, env=environment(place / "home"))
    return made.returncode, {one["key_id"] for one in json.loads(made.stdout)["signatures"]}


@pytest.mark.parametrize("whom", ["all", "ct alone"])
def test_killed_at_any_moment(place: Path, tmp_path: Path, whom: str) -> None:
    """The old bundle or the new one is there, valid, and nothing that can be seen beside it."""
    env, delays = environment(place / "home"), random.Random(whom)
    bundle = tmp_path / "a.ctp"
    shutil.copy(place / "large.ctp", bundle)
    # The second time nothing has to be read from the disk.
    for key_id in ("new", "old"):
        begun = time.monotonic()
        tool("ct", "re-sign", "-q", "-k", key_id, bundle, env=env)
        took = time.monotonic() - begun
    before, seen = {"old"}, set()
    for number in range(8):
        key_id = KEYS[number % 2 == 0]
        command = [BIN / "ct", "re-sign", "-q", "-k", key_id, bundle]
        with subprocess.Popen(command, env=env, start_new_session=True, stderr=subprocess.DEVNULL) as made:
            time.sleep(delays.uniform(0, took * 1.1))
            if made.poll() is None:
                (os.killpg if whom == "all" else os.kill)(made.pid, signal.SIGKILL)
            made.wait()
            gone(made.pid)
        status, by = signer(place, bundle)
        assert status == 0 and by in (before, {key_id}), (number, by)
        seen.add(by == {key_id})
        before = by
        assert [name for name in os.listdir(tmp_path) if not name.startswith(".")] == ["a.ctp"]
        if whom == "ct alone":
            # The tools ended by themselves, and tidied up.
            assert os.listdir(tmp_path) == ["a.ctp"]
    assert False in seen, "it was never killed in time"


def test_another_s_signature_meanwhile(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To sync a large file takes seconds: who signs in them is not undone without a word."""
    env = environment(place / "home")
    bundle, other = tmp_path / "a.ctp", tmp_path / "b.ctp"
    for path in (bundle, other):
        shutil.copy(place / "image.ctp", path)
    signed = "ct-open a.ctp | ct-check | ct-sign --genuine -k new"
    made = run("sh", "-c", signed, env=env | {"PATH": f"{BIN}:{env['PATH']}"}, cwd=tmp_path)
    record = json.loads(made.stdout.splitlines()[0])
    meant = os.fsync

    def slow(fd: int) -> None:
        meant(fd)
        if other.exists():
            other.rename(bundle)

    data = other.read_bytes()
    monkeypatch.setattr(os, "fsync", slow)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Fail) as caught:
        layout.write_file(record, "a.ctp")
    assert caught.value.finding["finding"] == "file-changed"
    assert bundle.read_bytes() == data and os.listdir(tmp_path) == ["a.ctp"]
    assert made.stderr == ""


def test_a_full_disk(place: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "a.ctp"
    shutil.copy(place / "large.ctp", bundle)
    data = bundle.read_bytes()

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB))

    for more in ([], ["-o", tmp_path / "b.ctp"]):
        made = run(BIN / "ct", "re-sign", "-k", "new", *more, bundle, env=environment(place / "home"), preexec_fn=small_files)
        assert made.returncode == 11 and "Not re-signed: a file cannot be written" in made.stderr
        assert os.listdir(tmp_path) == ["a.ctp"] and bundle.read_bytes() == data


@pytest.mark.parametrize("shell", ["dash", "busybox sh", "bash --posix"])
def test_every_shell(place: Path, tmp_path: Path, shell: str) -> None:
    program(shell.split()[0])
    env = environment(place / "home")
    shutil.copy(place / "image.ctp", tmp_path / "it's a bundle.ctp")
    shutil.copy(place / "home/keys/new.key", tmp_path / "key of $HOME.pem")
    sign = "read -r _ </dev/null; openssl pkeyutl -sign -rawin -inkey 'key of $HOME.pem' -in /dev/stdin"
    command = [*shell.split(), BIN / "ct", "re-sign", "-k", "new", f"--exec={sign}", "it's a bundle.ctp"]
    made = run(*command, env=env, cwd=tmp_path)
    assert made.returncode == 0 and "Re-signed image:1.0 → it's a bundle.ctp" in made.stdout, made.stderr
    assert signer(place, tmp_path / "it's a bundle.ctp") == (0, {"new"})
    made = run(*command[:-2], "--add-signature", "--exec", "exit 1", command[-1], env=env, cwd=tmp_path)
    # `new` has signed it already: the command is not even run.
    assert made.returncode == 64 and "already signed" in made.stderr


# -- a command that asks ------------------------------------------------------------------------------------------------------

# The terminal is its own to ask at, though its standard streams are not.
ASKS = "printf 'PIN: ' >/dev/tty; read -r pin </dev/tty; [ \"$pin\" = 1234 ] && openssl pkeyutl -sign -rawin -inkey home/keys/new.key -in /dev/stdin"


@pytest.mark.parametrize(
    ("typed", "status", "said"), [("1234\n", 0, "Re-signed"), ("4321\n", 13, "did not sign"), ("\x03", -signal.SIGINT, "")]
)
def test_a_command_asks(place: Path, typed: str, status: int, said: str) -> None:
    env = environment(place / "home")
    command = ["re-sign", "-k", "new", "--exec", ASKS, "-o", "asked.ctp", "image.ctp"]
    with Console(str(BIN / "ct"), *command, env=env, cwd=place) as at:
        at.expect("PIN: ")
        at.type(typed)
        assert at.wait() == status and said in at.text()
        gone(at.process.pid)
    assert (place / "asked.ctp").exists() == (status == 0)
    (place / "asked.ctp").unlink(missing_ok=True)


# -- the chain of custody ----------------------------------------------------------------------------------------------------


def judged(number: int, *, status: str = "valid", trusted: bool = True, **more: Any) -> dict[str, Any]:
    """What ct-check says of a signature."""
    one = {"kind": "bundle-signature", "status": status, "trusted": trusted, "line": f"sha256:{number:064x}"}
    return (
        one
        | {
            "fingerprint": f"SHA256:{number:064x}",
            "suite_id": "CT-SIG-01",
            "signed_at": "2026-11-22T12:00:00Z",
            "key_id": f"k{number}",
        }
        | more
    )


def entries(*numbers: int, level: int = 1) -> list[dict[str, Any]]:
    return [{"level": level} | {name: judged(number)[name] for name in custody._MEMBERS} for number in numbers]


def told(*signatures: dict[str, Any]) -> list[tuple[int, str]]:
    return [(entry["level"], entry["key_id"]) for entry in custody.parse(custody.text(list(signatures)))[0]]


def test_a_chain_goes_on() -> None:
    assert told(judged(1)) == [(1, "k1")]
    assert told(judged(2, supersedes=entries(1)), judged(3)) == [(1, "k2"), (1, "k3"), (2, "k1")]
    # A line that comes up twice is told where it is nearest.
    assert told(judged(2, supersedes=[*entries(3), *entries(1, level=2)]), judged(3)) == [(1, "k2"), (1, "k3"), (3, "k1")]


def test_only_what_the_store_vouches_for_is_told() -> None:
    assert custody.text([judged(1, status="unknown")]) is None
    assert told(judged(1), judged(2, status="unknown", supersedes=entries(3))) == [(1, "k1")]
    assert told(judged(1), judged(2, trusted=False, supersedes=entries(3))) == [(1, "k1"), (1, "k2")]


def test_a_chain_has_an_end() -> None:
    text = custody.text([judged(100, supersedes=entries(*range(64)))])
    chain, cut = custody.parse(text)
    assert cut and len(chain) == 64 and chain[-1]["key_id"] == "k62"
    assert custody.parse(custody.text([judged(101, supersedes=entries(1), supersedes_cut=True)]))[1]
    assert custody.parse(custody.text([judged(101, supersedes=entries(1, level=99))])) == (entries(101), True)
    assert len(str(text)) < 16384
    with pytest.raises(Fail) as caught:
        custody.text([judged(number) for number in range(65)])
    assert caught.value.finding["finding"] == "too-large"


def test_a_hundred_times(place: Path, tmp_path: Path) -> None:
    """The file does not grow for ever, and a reader knows that the beginning is missing."""
    from cerrotorre import bundle, keystore, recorded, records, signatures, signing

    record = records.new("a.ctp")
    bundle.open_bundle(record, str(place / "image.ctp"))
    keys = [keystore.signing_key(str(place / "home/keys" / f"{name}.key"), lambda: b"") for name in KEYS[:2]]
    store = [key | {"origin": "keys", "trusted": True} for key in keys]
    parsed, digest, _ = recorded.derive(record)
    for number in range(100):
        record["signatures"], wrong = signatures.judge(*recorded.envelopes(record), parsed, digest, store)
        assert wrong == []
        record["passed"]["signatures"] = True
        signing.sign(record, keys[number % 2], f"2026-11-22T12:{number // 60:02}:{number % 60:02}Z", None, replace=True)
        assert "signatures" not in record["passed"] and len(record["attestations"]) == 1
    (signature,), wrong = signatures.judge(*recorded.envelopes(record), parsed, digest, store)
    assert wrong == [] and signature["supersedes_cut"] is True
    assert [entry["level"] for entry in signature["supersedes"]] == [*range(1, 65)]
    assert len(record["attestations"][0]["envelope"]) < 64 << 10


BAD = {
    "not text": 1,
    "empty": "",
    "prose": "the signature of last year",
    "a level of its own": custody.text([judged(1)]).replace("1 ", "2 ", 1),
    "falling": "\n".join([str(custody.text([judged(1, supersedes=entries(2))])), str(custody.text([judged(3)]))]),
    "twice": "\n".join([str(custody.text([judged(1)]))] * 2),
    "an end": str(custody.text([judged(1)])) + "\n",
    "a day that is none": str(custody.text([judged(1)])).replace("-11-22", "-11-32"),
    "a terminal's": str(custody.text([judged(1)])) + "\x1b[2J",
}


@pytest.mark.parametrize("name", BAD)
def test_a_chain_that_is_none(place: Path, tmp_path: Path, name: str) -> None:
    """By a key of the store it is a signature that is not as it must be; by a stranger it is nobody's."""
    raw = (place / "image.ctp").read_bytes()
    for key_id, home, status, finding in (("old", "home", 2, "statement-malformed"), ("stranger", "away", 3, "signer-unknown")):
        key = alter.open_key(str(place / home / "keys" / f"{key_id}.key"))
        bundle = alter.Bundle(raw)
        bundle.unsign()
        bundle.sign(key, lambda said: said["predicate"].update(supersedes=BAD[name]))
        (tmp_path / "a.ctp").write_bytes(bytes(bundle))
        made = run(BIN / "ct", "verify", "--json", tmp_path / "a.ctp", env=environment(place / "home"))
        assert (made.returncode, json.loads(made.stdout)["finding"]) == (status, finding)
        made = run(BIN / "ct", "explain", "--signers", tmp_path / "a.ctp", env=environment(place / "home"))
        assert made.returncode == 0 and "Supersedes" not in made.stdout and "\x1b" not in made.stdout


def test_what_was_superseded_still_counts(place: Path, tmp_path: Path) -> None:
    """History is no revocation: the old signature, put back, is as good as it was, and is told to be there."""
    raw = (place / "image.ctp").read_bytes()
    tool("ct", "re-sign", "-q", "-k", "new", "-o", tmp_path / "new.ctp", place / "image.ctp", env=environment(place / "home"))
    bundle = alter.Bundle((tmp_path / "new.ctp").read_bytes())
    bundle.set_lines([*alter.Bundle(raw).lines(), *bundle.lines()])
    (tmp_path / "both.ctp").write_bytes(bytes(bundle))
    assert signer(place, tmp_path / "both.ctp") == (0, {"old", "new"})
    made = tool("ct", "explain", "--signers", tmp_path / "both.ctp", env=environment(place / "home"))
    assert "(claimed by new, and it is here too)" in made.stdout
