"""ct policy: one rule changed and all else untouched, what the change means, sentences for every rule, what a policy would decide."""

import copy
import fcntl  # noqa: F401  (loaded while it may be read)
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

import images
import pytest
from cerrotorre import places, policycheck, policycommand, policyedit, policyplaces, policyread, policyremove, policysay
from cerrotorre.errors import Fail
from conftest import BUILD, ROOT

BIN = BUILD / "bin"
DIGEST = "sha256:" + "1" * 64
OTHER = "SHA256:" + "0f" * 32


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the keys alice, bob and ci-1, a stranger known by name, and a bundle that alice signed."""
    home = tmp_path_factory.mktemp("store")
    home.chmod(0o755)
    for key_id in ("alice", "bob", "ci-1", "eve"):
        run(home, "ct", "keygen", "--no-password", "--id", key_id)
    (home / "known").mkdir(mode=0o755)
    (home / "keys/eve.pub").rename(home / "known/eve.pub")
    (home / "keys/eve.key").unlink()
    images.make("single", home / "image")
    run(home, "ct", "pack", "-q", "-k", "alice", "oci:image", "-o", "hello.ctp")
    run(home, "ct", "pack", "-q", "--no-sign", "oci:image", "-o", "unsigned.ctp")
    return home


@pytest.fixture
def home(store: Path, tmp_path: Path) -> Path:
    shutil.copytree(store, tmp_path / "home", ignore=shutil.ignore_patterns("image"))
    return tmp_path / "home"


def run(home: Path, *command: object, status: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
    made = subprocess.run(
        [BIN / str(command[0]), *map(str, command[1:])],
        env={"CT_HOME": str(home), "HOME": str(home), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **env},
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=60,
    )
    assert made.returncode == status, (command, made.returncode, made.stdout, made.stderr)
    return made


def ct(home: Path, *words: object, status: int = 0) -> str:
    """What `ct policy` says; the tool behind it is enough where the recipe adds nothing."""
    made = run(home, *(("ct", "policy") if "test" in words else ("ct-policy-edit",)), *words, status=status)
    return made.stdout + made.stderr


def write(home: Path, policy: Any, name: str = "policy.json") -> Path:
    path = home / name
    path.write_bytes(
        policy if isinstance(policy, bytes) else (policy if isinstance(policy, str) else json.dumps(policy)).encode()
    )
    return path


def read(home: Path) -> Any:
    return json.loads((home / "policy.json").read_text())


def fingerprint(home: Path, key_id: str) -> str:
    [file] = home.glob(f"*/{key_id}.pub")
    return file.read_text().partition("Fingerprint: ")[2].partition("\n")[0]


# -- what a change means -----------------------------------------------------------------------------------------------------------


def policy_of(**members: Any) -> dict[str, Any]:
    return {"version": "1", **members}


ALICE: dict[str, Any] = {"key_id": "alice", "fingerprint": "ALICE"}
BOB: dict[str, Any] = {"key_id": "bob", "fingerprint": "BOB"}
# (policy before, command, members after or None for unchanged, parts of what is said)
CHANGES: list[tuple[dict[str, Any], list[str], dict[str, Any] | None, list[str]]] = [
    ({}, ["add-signer", "alice"], {"signers": {"allowed": [ALICE]}}, ["From now on only the signers"]),
    ({}, ["add-signer", "ALICE"], {"signers": {"allowed": [ALICE]}}, ["Allowed signer alice"]),
    (
        {"signers": {"allowed": [BOB]}},
        ["add-signer", "alice", "--required"],
        {"signers": {"allowed": [BOB, ALICE | {"required": True}]}},
        ["weaker: signatures by alice count", "must be signed by alice from now on"],
    ),
    ({"signers": {"allowed": [ALICE]}}, ["add-signer", "alice"], None, ["allowed already"]),
    ({"signers": {"allowed": [{"key_id": "al*"}]}}, ["add-signer", "alice"], {"signers": {"allowed": [{"key_id": "al*"}, ALICE]}}, ["counted before as well: any key whose id matches al*"]),
    ({"default_action": "allow", "signers": {"allowed": []}}, ["add-signer", "alice"], {"default_action": "allow", "signers": {"allowed": [ALICE]}}, ["weaker: as default_action is allow, every trusted key"]),
    ({"default_action": "allow", "signers": {"allowed": [BOB, {"key_id": "al*", "sources": ["quay.io"]}]}}, ["add-signer", "alice"], {"default_action": "allow", "signers": {"allowed": [BOB, {"key_id": "al*", "sources": ["quay.io"]}, ALICE]}}, ["weaker: signatures by alice count"]),
    ({"default_action": "allow", "registries": {"allowed": []}}, ["add-registry", "ghcr.io"], {"default_action": "allow", "registries": {"allowed": ["ghcr.io"]}}, ["weaker: as default_action is allow, other registries"]),
    ({"unpinned": "deny"}, ["pin", "x", DIGEST], {"unpinned": "deny", "pin": {"x": {"digest": DIGEST}}}, ["weaker: x is accepted so"]),
    ({"unpinned": "deny", "pin": {"x": {"digest": DIGEST}, "x:1": {"signers": ["bob"]}}}, ["remove", "pin", "x"], {"unpinned": "deny", "pin": {"x:1": {"signers": ["bob"]}}}, ["weaker: x is no longer pinned; what x:1 names as well"]),
    ({"signers": {"threshold": 1, "threshold_from": ["a*"]}}, ["remove", "threshold"], {"signers": {}}, ["weaker: one signature that counts is enough, where it had to be by a*"]),
    ({"signers": {"threshold": 1, "threshold_from": ["a*"]}}, ["threshold", "1", "--from", "b*"], {"signers": {"threshold": 1, "threshold_from": ["b*"]}}, ["weaker: counted before: a*"]),
    ({"signers": {"threshold": 1, "threshold_from": ["a*"]}}, ["threshold", "1", "--from", "al*"], {"signers": {"threshold": 1, "threshold_from": ["al*"]}}, ["\nCounted before: a*"]),
    ({"default_action": "allow", "signers": {"allowed": [ALICE, BOB | {"sources": ["quay.io"]}]}}, ["remove", "signer", "bob"], {"default_action": "allow", "signers": {"allowed": [ALICE]}}, ["weaker: as default_action is allow, a trusted key that no entry names counts, for images from anywhere"]),
    (
        {"signers": {"allowed": [BOB]}},
        ["add-signer", "--source", "ghcr.io/a/*", "alice", "--source=quay.io"],
        {"signers": {"allowed": [BOB, ALICE | {"sources": ["ghcr.io/a/*", "quay.io"]}]}},
        ["for images from ghcr.io/a/* or quay.io"],
    ),
    ({"signers": {"allowed": [ALICE | {"sources": ["b", "a"]}]}}, ["add-signer", "alice", "--source", "a", "--source", "b"], None, ["allowed already"]),
    (
        {"signers": {"allowed": [ALICE | {"sources": ["ghcr.io"]}]}},
        ["add-signer", "alice"],
        {"signers": {"allowed": [ALICE | {"sources": ["ghcr.io"]}, ALICE]}},
        ["weaker: signatures by alice count for images from anywhere, not only from ghcr.io"],
    ),
    ({"signers": {"allowed": [ALICE]}}, ["add-signer", "alice", "--source", "ghcr.io"], None, ["for images from anywhere", "remove signer alice"]),
    ({"signers": {"allowed": [ALICE | {"required": False}]}}, ["add-signer", "alice", "--required"], {"signers": {"allowed": [ALICE | {"required": True}]}}, ["is now required"]),
    ({}, ["add-registry", "ghcr.io"], {"registries": {"allowed": ["ghcr.io"]}}, ["From now on only the registries"]),
    ({"registries": {"allowed": ["quay.io"]}}, ["add-registry", "ghcr.io"], {"registries": {"allowed": ["quay.io", "ghcr.io"]}}, ["weaker: images from ghcr.io"]),
    ({"registries": {"allowed": ["ghcr.io"]}}, ["add-registry", "ghcr.io"], None, ["allowed already"]),
    ({"registries": {"allowed": ["ghcr.io/a/*"]}}, ["block-registry", "ghcr.io"], {"registries": {"allowed": ["ghcr.io/a/*"], "blocked": ["ghcr.io"]}}, ["refused from now on", "warning: /registries/allowed/0: 'ghcr.io/a/*' is never accepted"]),
    ({"registries": {"blocked": ["ghcr.io"]}}, ["block-registry", "ghcr.io"], None, ["blocked already"]),
    ({}, ["block-registry", "*.evil.example"], {"registries": {"blocked": ["*.evil.example"]}}, ["(evil.example itself as well)"]),
    ({}, ["deny", "alice"], {"signers": {"denied": [ALICE]}}, ["Signatures by alice (ALICE) never count."]),
    ({}, ["deny", "eve"], {"signers": {"denied": [{"key_id": "eve", "fingerprint": "EVE"}]}}, ["never count"]),
    ({}, ["deny", "ALICE", "--reason", "lost"], {"signers": {"denied": [ALICE | {"reason": "lost"}]}}, ["never count (lost)."]),
    ({}, ["deny", OTHER], {"signers": {"denied": [{"fingerprint": OTHER}]}}, ["the key " + OTHER]),
    ({}, ["deny", "ci-*"], {"signers": {"denied": [{"key_id": "ci-*"}]}}, ["any key whose id matches ci-*"]),
    (
        {},
        ["deny", "alice", "--after", "2026-01-01", "--before", "2026-02-01"],
        {"signers": {"denied": [ALICE | {"after": "2026-01-01", "before": "2026-02-01"}]}},
        ["made after 2026-01-01 and before 2026-02-01 do not count", "where that time is proved"],
    ),
    ({"signers": {"denied": [ALICE | {"reason": "x"}]}}, ["deny", "alice", "--after", "2026-01-01"], None, ["denied already"]),
    (
        {"signers": {"denied": [ALICE | {"after": "2026-01-01"}]}},
        ["deny", "alice"],
        {"signers": {"denied": [ALICE | {"after": "2026-01-01"}, ALICE]}},
        ["never count"],
    ),
    ({}, ["pin", "nginx", DIGEST], {"pin": {"nginx": {"digest": DIGEST}}}, ["must be the image or manifest " + DIGEST]),
    ({}, ["pin", "nginx:1", "--signer", "bob", "--signer=ali*"], {"pin": {"nginx:1": {"signers": ["bob", "ali*"]}}}, ["signed by bob and ali*"]),
    (
        {"pin": {"nginx": {"digest": "sha256:" + "2" * 64, "signers": ["bob"]}}},
        ["pin", "nginx", DIGEST],
        {"pin": {"nginx": {"digest": DIGEST, "signers": ["bob"]}}},
        ["signed by bob", "weaker: it was pinned before: digest sha256:2222"],
    ),
    ({"pin": {"nginx": {"digest": DIGEST}}}, ["pin", "nginx", DIGEST], None, ["pinned already"]),
    ({}, ["pin", "nginx", "--signer", "carol"], {"pin": {"nginx": {"signers": ["carol"]}}}, ["warning: /pin/nginx/signers/0: no key in keys/ or trusted/ is carol"]),
    ({}, ["threshold", "2"], {"signers": {"threshold": 2}}, ["At least 2 keys", "2 of these 3 keys must sign: alice, bob, ci-1."]),
    ({"signers": {"threshold": 3.0}}, ["threshold", "3"], None, ["the threshold already"]),
    ({"signers": {"threshold": 3}}, ["threshold", "2"], {"signers": {"threshold": 2}}, ["weaker: 2 instead of 3"]),
    (
        {"signers": {"threshold": 1, "threshold_from": ["bob"]}},
        ["threshold", "2", "--from", "a*", "--from", "bob"],
        {"signers": {"threshold": 2, "threshold_from": ["a*", "bob"]}},
        ["2 of these 2 keys must sign: alice, bob", "weaker: counted before: bob."],
    ),
    ({"signers": {"allowed": [ALICE]}}, ["threshold", "2"], {"signers": {"allowed": [ALICE], "threshold": 2}}, ["warning: /signers/threshold: 2 signers are needed, and 1"]),
    ({"signers": {"allowed": [ALICE, BOB | {"required": True}]}}, ["remove", "signer", "bob"], {"signers": {"allowed": [ALICE]}}, ["No longer allowed: bob", "weaker: bundles need not be signed by bob"]),
    ({"signers": {"allowed": [ALICE]}}, ["remove", "signer", "ALICE"], {"signers": {"allowed": []}}, ["No signer is allowed now", "warning: /signers/allowed: an empty list"]),
    ({"signers": {"allowed": [ALICE, {"key_id": "a*"}]}}, ["remove", "signer", "alice"], {"signers": {"allowed": [{"key_id": "a*"}]}}, ["It still counts"]),
    ({"signers": {"allowed": [ALICE, {"key_id": "a*"}]}}, ["remove", "signer", "a*"], {"signers": {"allowed": [ALICE]}}, ["No longer allowed: any key"]),
    ({"default_action": "allow", "signers": {"allowed": [ALICE, BOB]}}, ["remove", "signer", "bob"], {"default_action": "allow", "signers": {"allowed": [ALICE]}}, ["still counts: ct policy deny"]),
    ({"registries": {"allowed": ["a.io", "b.io"]}}, ["remove", "registry", "a.io"], {"registries": {"allowed": ["b.io"]}}, ["No longer allowed: a.io."]),
    ({"registries": {"allowed": ["a.io"]}}, ["remove", "registry", "a.io"], {"registries": {"allowed": []}}, ["No source of images is allowed now"]),
    ({"registries": {"blocked": ["a.io"]}}, ["remove", "blocked", "a.io"], {"registries": {"blocked": []}}, ["weaker: images from a.io"]),
    ({"registries": {"blocked": ["a.io", "*.io"]}}, ["remove", "blocked", "a.io"], {"registries": {"blocked": ["*.io"]}}, ["What *.io matches still is"]),
    ({"signers": {"denied": [ALICE | {"after": "2026-01-01"}, BOB]}}, ["remove", "denied", "alice"], {"signers": {"denied": [BOB]}}, ["weaker: alice (ALICE) is no longer denied"]),
    ({"pin": {"x": {"digest": DIGEST}, "y": {"digest": DIGEST}}}, ["remove", "pin", "x"], {"pin": {"y": {"digest": DIGEST}}}, ["weaker: x is no longer pinned"]),
    ({"unpinned": "deny", "pin": {"x": {"digest": DIGEST}}}, ["remove", "pin", "x"], {"unpinned": "deny", "pin": {}}, ["what no pin names is refused", "warning: /unpinned: nothing is pinned"]),
    ({"signers": {"threshold": 2, "threshold_from": ["a*"]}}, ["remove", "threshold"], {"signers": {}}, ["weaker: one signature that counts is enough, where 2"]),
]  # fmt: skip


def spelled(home: Path, value: Any) -> Any:
    """With the fingerprints of the keys for their names in capitals."""
    text = json.dumps(value)
    for name in ("ALICE", "BOB", "EVE"):
        text = text.replace(f'"{name}"', f'"{fingerprint(home, name.lower())}"') if f'"{name}"' in text else text
    return json.loads(text)


@pytest.mark.parametrize(
    ("before", "words", "after", "said"), CHANGES, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_a_change(home: Path, before: dict[str, Any], words: list[str], after: dict[str, Any] | None, said: list[str]) -> None:
    path = write(home, spelled(home, policy_of(**before)))
    path.chmod(0o640)
    os.utime(path, (1, 1))
    held = path.read_bytes()
    told = ct(home, *spelled(home, words))
    for part in said:
        for name in ("ALICE", "BOB"):
            part = part.replace(name, fingerprint(home, name.lower())) if name in part else part
        assert part in told, told
    assert read(home) == spelled(home, policy_of(**(before if after is None else after)))
    assert path.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in home.iterdir() if one.name.startswith(".")] == []
    if after is None:
        assert (path.read_bytes(), path.stat().st_mtime) == (held, 1) and f"{path} is as it was." in told
        assert "weaker" not in told
    else:
        assert f"Changed {path}\n" in told
        # The same again changes nothing, or is no longer there to be removed.
        again = ct(home, *spelled(home, words), status=6 if words[0] == "remove" else 0)
        assert "is as it was" in again or words[0] == "remove"


REFUSED: list[tuple[list[str], int, str]] = [
    (["add-signer", "alcie"], 13, "did you mean alice?"),
    (["add-signer", "eve"], 13, "hint: ct key trust eve"),
    (["add-signer", OTHER], 13, "no key of the key store has the fingerprint"),
    (["add-signer", "ci-*"], 64, 'hint: {"key_id": "ci-*"}'),
    (["add-signer", "alice", "--source", "a b"], 64, "'a b' is not a registry"),
    (["add-signer", "alice", "--source", ""], 64, "is not a registry"),
    (["add-registry", "a b"], 64, "'a b' is not a registry"),
    (["add-registry", ""], 64, "is not a registry"),
    (["block-registry", "a\nb"], 64, "is not a registry"),
    (["deny", "alcie"], 13, "did you mean alice?"),
    (["deny", "a b*"], 64, "is not a key id or a glob"),
    (["deny", "alice", "--after", "2026-02-30"], 64, "is not a date of the calendar"),
    (["deny", "alice", "--after", "2026-02-02", "--before", "2026-02-02"], 64, "no time lies after"),
    (["pin", "nginx"], 64, "a digest, or --signer"),
    (["pin", "nginx", "1" * 64], 64, "is not a digest"),
    (["pin", "comment", DIGEST], 64, "pinned as comment.ctp"),
    (["pin", "../x", DIGEST], 64, "is not a name"),
    (["pin", "x", DIGEST, "--signer", "a b"], 64, "is not a key id"),
    (["threshold", "0"], 64, "1 to 256"),
    (["threshold", "257"], 64, "1 to 256"),
    (["threshold", "\u0662"], 64, "1 to 256"),
    (["threshold", "2", "--from", "\u202e"], 64, "is not a key id"),
    (["remove", "signer", "alcie"], 6, "did you mean alice?"),
    (["remove", "registry", "ghcr.io"], 6, "registries.allowed has no 'ghcr.io'"),
    (["remove", "pin", "comment"], 6, "pin has no 'comment'"),
    (["remove", "threshold"], 6, "signers has no 'threshold'"),
    (["remove", "threshold", "2"], 64, "takes nothing more"),
    (["remove", "signer"], 64, "takes the one that is meant"),
    (["remove", "singer", "alice"], 64, "did you mean signer?"),
    (["remove", "signer", "alice", "bob"], 64, "unexpected operand 'bob'"),
    (["deny", "alice", "--source", "x"], 64, "deny takes no --source"),
    (["show", "--yes"], 64, "show takes no --yes"),
    (["check", "--policy", "a", "b"], 64, "one policy is checked at a time"),
]


@pytest.mark.parametrize(
    ("words", "status", "said"), REFUSED, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_what_is_refused_changes_nothing(home: Path, words: list[str], status: int, said: str) -> None:
    path = write(home, policy_of(signers={"allowed": [{"key_id": "alice"}]}, pin={"comment": "ours"}))
    held, at = path.read_bytes(), path.stat().st_mtime_ns
    made = run(home, "ct-policy-edit", *words, status=status)
    assert said in made.stderr and made.stdout == ""
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (held, at)
    if status == 64:
        # Its own synopsis, and nobody else's.
        assert made.stderr.count("ct-policy-edit " + words[0]) == 1 and "ct-policy-edit init" not in made.stderr
    assert not [one for one in home.iterdir() if one.name.startswith(".")]


# -- the text stays ----------------------------------------------------------------------------------------------------------------

LAYOUTS = [
    (
        b'{\r\n\t"comment": "ours \xe2\x80\x94 \\u00e9\\/",\r\n\t"version":"1",\r\n\t"time" : {"max_age_days": 9.0},\r\n'
        b'\t"registries": {\r\n\t\t"allowed": [\r\n\t\t\t"ghcr.io"\r\n\t\t]\r\n\t}\r\n}',
        b'\t\t\t"ghcr.io"',
        b'\t\t\t"ghcr.io",\r\n\t\t\t"quay.io"',
    ),
    (b'{"version":"1","registries":{"allowed":["ghcr.io"]},"time":{"max_age_days":9E0}}', b'"ghcr.io"', b'"ghcr.io","quay.io"'),
    (b'  {"version": "1",\n   "registries": {"allowed": ["ghcr.io"]}}  \n\n', b'"ghcr.io"', b'"ghcr.io", "quay.io"'),
]


@pytest.mark.parametrize("number", range(len(LAYOUTS)))
def test_every_other_byte_stays(home: Path, number: int) -> None:
    held, old, new = LAYOUTS[number]
    write(home, held)
    ct(home, "add-registry", "quay.io")
    assert (home / "policy.json").read_bytes() == held.replace(old, new)
    ct(home, "remove", "registry", "quay.io")
    assert (home / "policy.json").read_bytes() == held


def test_nothing_is_changed_where_the_store_cannot_be_read(home: Path) -> None:
    """The warnings ask the store; that it is unsafe is known before anything is written."""
    path = write(home, policy_of(), "elsewhere.json")
    (home / "trusted").mkdir()
    (home / "trusted").chmod(0o777)
    held = path.read_bytes()
    for words in (["threshold", "1"], ["block-registry", "x.io"], ["add-registry", "x.io"]):
        ct(home, *words, "--policy", path.name, status=13)
        assert path.read_bytes() == held
    ct(home, "init", "--yes", "--policy", "new.json", status=13)
    assert not (home / "new.json").exists()


def test_a_link_and_its_target(home: Path, tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir(mode=0o755)
    target = write(tmp_path / "dotfiles", policy_of())
    (home / "policy.json").symlink_to(target)
    ct(home, "threshold", "1")
    assert (home / "policy.json").is_symlink() and json.loads(target.read_text())["signers"] == {"threshold": 1}


def test_many_at_once_lose_nothing(home: Path) -> None:
    write(home, json.dumps(policy_of(), indent=2))
    hosts = [f"r{number}.example" for number in range(12)]
    threads = [threading.Thread(target=ct, args=(home, "block-registry", host)) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read(home)["registries"]["blocked"]) == sorted(hosts)


def test_what_an_editor_wrote_meanwhile_stays(home: Path) -> None:
    path = write(home, policy_of())

    def meanwhile(policy: dict[str, Any]) -> list[str]:
        write(home, policy_of(comment="theirs"))
        policy["unpinned"] = "deny"
        return []

    with pytest.raises(Fail) as caught:
        policyedit.change(str(path), meanwhile)
    assert caught.value.finding["finding"] == "file-changed"
    assert read(home) == policy_of(comment="theirs")


def test_changes_are_for_others_too(home: Path) -> None:
    path = write(home, '{ "version": "1" }')
    key = {"key_id": "k", "fingerprint": OTHER, "trusted": True}
    said, before, after = policyedit.change(str(path), lambda policy: policyedit.add_signer(policy, key, required=False))
    assert said and before == policy_of() and after == policyedit.load(str(path))
    entry = f'{{"key_id": "k", "fingerprint": "{OTHER}"}}'
    assert path.read_text() == '{ "version": "1", "signers": {"allowed": [' + entry + "]} }"


def test_where_it_cannot_be_written(home: Path, tmp_path: Path) -> None:
    assert "ct policy init" in ct(home, "threshold", "2", status=11)
    for held in (
        b"{",
        b"",
        b"\xff",
        b'{"version":"1","version":"1"}',
        b'{"version":"2"}',
        b"[" * 100000,
        b'{"version":"1","x":1e999}',
    ):
        path = write(home, held)
        ct(home, "threshold", "2", status=10)
        assert path.read_bytes() == held
    path.unlink()
    path.mkdir()
    ct(home, "threshold", "2", status=11)
    ct(home, "init", "--yes", status=64)
    path.rmdir()
    write(home, policy_of()).chmod(0o646)
    assert "chmod go-w" in ct(home, "threshold", "2", status=13)
    os.mkfifo(tmp_path / "fifo")
    for place in ("/dev/null", tmp_path / "fifo", tmp_path / "no/such/policy.json", ""):
        ct(home, "threshold", "2", "--policy", place, status=11)


def test_a_name_that_plays_tricks(home: Path) -> None:
    path = write(home, policy_of(), "a\nb\x1b[2J\u202e.json")
    for words in (["threshold", "2"], ["show"], ["check"], ["test", "hello.ctp"], ["deny", "nobody"]):
        made = run(home, "ct", "policy", *words, "--policy", path.name, status={"deny": 13, "test": 3}.get(words[0], 0))
        told = made.stdout + made.stderr
        assert not {"\x1b", "\u202e"} & set(told) and "\nb" not in told


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
def test_a_file_of_another_user(home: Path) -> None:
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o777)
        path = write(Path(place), policy_of(), "theirs.json")
        path.chmod(0o664)
        os.chown(path, 12345, 12346)
        ct(home, "threshold", "1", "--policy", path)
        assert (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o777) == (12345, 12346, 0o664)
        # Who may not give it back leaves it alone.
        held = path.read_bytes()
        child = os.fork()
        if child == 0:
            try:
                os.setgid(12347)
                os.setuid(12347)
                os.environ["CT_HOME"] = "/nonexistent/cerro"
                policyedit.change(str(path), lambda policy: policyremove.remove(policy, "threshold", None))
            except Fail as fail:
                os._exit(3 if fail.finding["finding"] == "file-unwritable" and "another user" in str(fail) else 4)
            finally:
                os._exit(5)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
        assert path.read_bytes() == held and path.stat().st_uid == 12345
        assert os.listdir(place) == ["theirs.json"]


def test_a_full_disk_leaves_it_as_it_was(home: Path) -> None:
    path = write(home, policy_of(comment="x" * 30000))
    held = path.read_bytes()
    script = "import os, resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    script += "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000)); os.execv(sys.argv[1], sys.argv[1:])"
    made = subprocess.run(
        ["python3", "-c", script, BIN / "ct-policy-edit", "threshold", "1"],
        env={"CT_HOME": str(home), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 11 and "cannot write" in made.stderr, made
    assert path.read_bytes() == held and not [one for one in home.iterdir() if one.name.startswith(".")]


# -- sentences -----------------------------------------------------------------------------------------------------------------------


EVERYTHING: dict[str, Any] = {
    "default_action": "allow",
    "signers": {
        "allowed": [{"key_id": "a", "fingerprint": OTHER, "required": True, "sources": ["ghcr.io"]}],
        "denied": [{"key_id": "b", "fingerprint": OTHER, "after": "2026-01-01", "before": "2026-02-01", "reason": "lost"}],
        "threshold": 2,
        "threshold_from": ["a*"],
    },
    "registries": {"allowed": ["ghcr.io"], "blocked": ["quay.io"]},
    "suites": {"allowed": ["CT-SIG-01"], "minimum": "CT-SIG-01"},
    "base_images": {"allowed": ["docker.io/*"]},
    "require_attestations": {"provenance": {"from": ["a*"], "builders": ["https://ci.example/*"]}, "sbom": {"from": ["a*"]}, "transparency_log": True},
    "pin": {"nginx": {"digest": DIGEST, "signers": ["a"]}},
    "unpinned": "deny",
    "minimum": {"nginx": {"signed_after": "2026-01-01"}},
    "time": {"max_age_days": 3, "clock_skew_tolerance_seconds": 7, "accept_claimed": True},
}  # fmt: skip


def schema() -> dict[str, Any]:
    made: dict[str, Any] = json.loads((ROOT / "spec/policy.schema.json").read_text())
    return made


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    return schema()["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part


def members(part: dict[str, Any], at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The place of every member of the language; an element or a name is 0 or `nginx`."""
    part = resolved(part)
    found: list[tuple[Any, ...]] = []
    for name, inner in part.get("properties", {}).items():
        found += [(*at, name), *members(inner, (*at, name))]
    for inner in part.get("patternProperties", {}).values():
        found += members(inner, (*at, "nginx"))
    if "items" in part:
        found += members(part["items"], (*at, 0))
    return found


@pytest.mark.parametrize("place", members(schema()), ids=lambda place: ".".join(map(str, place)))
def test_every_member_has_a_sentence(place: tuple[Any, ...]) -> None:
    """Without the member the sentences are others; and what it says is in them."""
    policy = {"version": "1", **copy.deepcopy(EVERYTHING)}
    holder: Any = policy
    for step in place[:-1]:
        holder = holder[step]
    if place[-1] in policyread.ANYWHERE:
        holder[place[-1]] = "a text of ours"
    policyread.read(json.dumps(policy).encode(), "")
    said = policysay.sentences(policy)
    assert all(one[0] != "{" and ': {"' not in one and not one.startswith(str(place[0]) + ".") for one in said), said
    if place == ("version",):
        assert "version 1" in said[0]
        return
    value = holder.pop(place[-1])
    # What an object must have, another value of.
    if place[-1] in ("signed_after", "version") or place == ("base_images", "allowed"):
        holder[place[-1]] = "2025-01-01" if isinstance(value, str) else ["other.example"]
    assert policysay.sentences(policy) != said
    leaves = (
        [value] if isinstance(value, str) else [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
    )
    for leaf in leaves:
        if place[-1] not in ("default_action", "unpinned"):
            assert any(leaf in one for one in said), leaf


def test_what_has_no_sentence_is_shown_as_it_is() -> None:
    said = policysay.sentences(
        {"version": "1", "later": {"x": 1}, "time": {"moon": True}, "signers": {"allowed": [{"key_id": "a", "hat": 1}]}}
    )
    assert {'later: {"x":1}', "time.moon: true", "signers.allowed[0].hat: 1"} <= set(said)


def test_show(home: Path) -> None:
    assert "No policy" in ct(home, "show")
    write(home, '{"version":"1","comment":"\\u202eevil\\u001b[0m\\n  * Nobody is denied.","time":{"max_age_days":9.0}}')
    told = ct(home, "show")
    assert "  * Comment: \\u202eevil\\x1b[0m\\x0a  * Nobody is denied.\n" in told and "Signatures older than 9 days" in told
    [line] = run(home, "ct", "policy", "show", "--json").stdout.splitlines()
    assert json.loads(line)["document"]["time"] == {"max_age_days": 9.0} and '"max_age_days":9.0' in line
    assert "\u202e" not in line and "\x1b" not in line
    ct(home, "show", "--policy", "nowhere", status=11)


def test_show_has_the_hosts_as_well(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc").mkdir(mode=0o755)
    monkeypatch.setattr(places, "host_dir", lambda: str(tmp_path / "etc"))
    monkeypatch.setenv("CT_HOME", str(home))
    host = write(tmp_path / "etc", policy_of(unpinned="deny"))
    _, told, _ = policycommand.show({}, "")
    assert told.startswith(f"{host}\n") and "both" not in told
    write(home, policy_of(time={"max_age_days": 1}))
    _, told, _ = policycommand.show({}, "")
    mine, theirs = told.split(f"{host}\n")
    assert "older than 1 day " in mine and "no pin names is refused" in theirs and theirs.endswith("A bundle must pass both.\n")
    _, told, _ = policycommand.show({"json": ""}, "")
    assert [json.loads(line)["policy"] for line in told.splitlines()] == ["policy.json", str(host)]


# -- check -----------------------------------------------------------------------------------------------------------------------------


PLACES: list[tuple[bytes, list[str]]] = [
    (b'{"version": "1",\n "signers": {"alowed": []}}', [":2:14: /signers/alowed: ", "did you mean allowed?"]),
    (b'{"version": "1",\r\n "Version": "1"}', [":2:2: /Version: "]),
    (b'{"version": "1", "pin": {"a/b": {"digest": "x"}}}', [":1:34: /pin/a~1b/digest: ", "a digest, sha256:"]),
    (b'{"version": "1", "suites": {"minimum": "CT-SIG-1"}}', [":1:29: /suites/minimum: ", "did you mean"]),
    (b'{"version": "1", "signers": {"allowed": [{}]}}', [":1:42: /signers/allowed/0: "]),
    (b"{}", [":1:1: /: the member version is missing"]),
    (b'{"version": "1",\n}', [":2:1: /: not strict JSON: "]),
    (b'{"version": "1",\n "comment": "a\nb"}', [":2:"]),
    (b'{"version": "1"} x', [":1:18: /: not strict JSON: Extra data"]),
    (b'{"version": "1",\n "x": {"a": 1, "a": 2}}', [":2:16: /x/a: the member is there twice"]),
    (b'{"version": "1", "x": 99999999999999999999}', [":1:23: /: ", "out of range"]),
    (b'{"version": "1", "x": [1, NaN]}', [":1:27: /: ", "NaN"]),
    (b'{"version": "1", "x": "\\ud800"}', [":1:23: /: ", "surrogate"]),
    (b'{"version": "1",\n "x": "\xff"}', [":2:8: /: a byte that is not UTF-8"]),
    (b'{"version":\n ' + b"[" * 70 + b"]" * 70 + b"}", [":2:65: /: ", "nested deeper"]),
    (b"[" * 500_000, ["nested deeper"]),
    (b'{"version": "1", "comment": "' + b"x" * (1 << 20) + b'"}', ["more than 1 MiB"]),
    (b'\xef\xbb\xbf{"version": "1"}', [":1:1: "]),
]


@pytest.mark.parametrize(("data", "said"), PLACES, ids=range(len(PLACES)))
def test_check_says_where(home: Path, data: bytes, said: list[str]) -> None:
    path = write(home, data, "p.json")
    made = run(home, "ct-policy-edit", "check", "p.json", status=10)
    assert made.stdout == ""
    for part in said:
        assert part in made.stderr, made.stderr
    lines = run(home, "ct-policy-edit", "check", "--json", "p.json", status=10).stdout.splitlines()
    assert lines and all(json.loads(line)["level"] == "error" for line in lines)
    assert path.read_bytes() == data


def test_check_lists_every_mistake(home: Path) -> None:
    wrong = {"version": 1, "unpinned": "dney", "signers": {"allowed": [{"key_idd": "a"}, {"key_id": "\u202e"}], "threshold": 0}}
    write(home, json.dumps(wrong, indent=1), "p.json")
    told = ct(home, "check", "p.json", status=10)
    for place in (
        "/version",
        "/unpinned",
        "/signers/allowed/0/key_idd",
        "/signers/allowed/0",
        "/signers/allowed/1/key_id",
        "/signers/threshold",
    ):
        assert told.count(f": {place}: ") == 1, (place, told)
    assert "did you mean deny?" in told and "did you mean key_id?" in told and "\u202e" not in told
    lines = [line for line in told.splitlines() if ": error: " in line]
    assert lines == sorted(lines, key=lambda line: int(line.split("p.json:")[1].split(":")[0]))
    write(home, '{"version": "1", "signers": {"allowed": [' + ",".join(['{"x": 1}'] * 5000) + "]}}", "p.json")
    told = ct(home, "check", "p.json", status=10)
    assert "there are more mistakes" in told and len(told.splitlines()) == 101


def test_warnings_have_places(home: Path) -> None:
    write(home, '{"version": "1",\n "registries": {"allowed": ["ok.io",\n  "ghcr.io/org*"]}}')
    told = ct(home, "check")
    assert f"{home}/policy.json:3:3: warning: /registries/allowed/1: 'ghcr.io/org*' also matches" in told
    [line] = run(home, "ct", "policy", "check", "--json").stdout.splitlines()
    found = json.loads(line)
    assert (found["level"], found["line"], found["column"], found["pointer"]) == ("warning", 3, 3, "/registries/allowed/1")


KEYS = [
    {"key_id": "alice", "fingerprint": OTHER, "trusted": True, "suite_id": "CT-SIG-01", "expires": "2026-01-31"},
    {"key_id": "bob", "fingerprint": "SHA256:" + "0b" * 32, "trusted": True, "suite_id": "CT-SIG-02"},
]
LINT: list[tuple[dict[str, Any], list[str]]] = [
    ({"signers": {"allowed": [{"key_id": "alice"}]}}, ["/signers/allowed/0: alice expired 2026-01-31"]),
    ({"signers": {"allowed": [{"key_id": "bob"}], "denied": [{"key_id": "b*"}]}}, ["/signers/allowed/0: every key that it allows is always denied"]),
    ({"signers": {"allowed": [{"key_id": "bob"}], "denied": [{"key_id": "x", "fingerprint": "SHA256:" + "0b" * 32}]}}, ["/signers/allowed/0: every key"]),
    ({"signers": {"allowed": [{"key_id": "bob", "required": True}], "denied": [{"key_id": "bob"}]}}, ["so it allows none; as it is required, every bundle is refused"]),
    ({"signers": {"allowed": [{"key_id": "bob"}], "denied": [{"key_id": "bob", "after": "2026-01-01"}]}}, []),
    ({"signers": {"allowed": [{"key_id": "bob"}, {"key_id": "bob", "comment": "again"}]}}, ["/signers/allowed/1: it says what entry 0"]),
    ({"signers": {"allowed": [{"key_id": "bob"}]}, "suites": {"allowed": ["CT-SIG-01"]}}, ["/signers/allowed/0: every key that it allows is of a suite that does not count"]),
    ({"signers": {"allowed": [{"key_id": "bob"}]}, "suites": {"minimum": "CT-SIG-03"}}, []),
    ({"signers": {"threshold": 2, "denied": [{"key_id": "bob"}]}}, ["/signers/threshold: 2 signers are needed, and 1"]),
    ({"signers": {"threshold": 1, "allowed": [{"key_id": "bob", "required": True}, {"key_id": "b*", "required": True}]}}, ["/signers/threshold: 2 signers are required already"]),
    ({"signers": {"denied": [{"key_id": "bob", "after": "2026-06-01"}]}}, ["/signers/denied/0/after: the day is not over"]),
    ({"registries": {"blocked": ["*"]}}, ["/registries/blocked/0: it blocks every source"]),
    ({"registries": {"allowed": ["ghcr.io/a/*"], "blocked": ["ghcr.io"]}}, ["/registries/allowed/0: 'ghcr.io/a/*' is never accepted"]),
    ({"registries": {"allowed": ["ghcr.io:5000/a/*"], "blocked": ["*.io"]}}, ["is never accepted"]),
    ({"registries": {"allowed": ["ghcr.io/a/*"], "blocked": ["ghcr.io/a/b:*"]}}, []),
    ({"registries": {"allowed": ["ghcr.io", "ghcr.io"]}}, ["/registries/allowed/1: it says what entry 0"]),
    ({"unpinned": "deny", "pin": {"comment": "x"}}, ["/unpinned: nothing is pinned"]),
    ({"pin": {"x": {"signers": ["carol"]}}}, ["/pin/x/signers/0: no key in keys/ or trusted/ is carol"]),
    ({"pin": {"x": {"signers": ["bob"]}}, "signers": {"denied": [{"key_id": "bob"}]}}, ["/pin/x/signers/0: no signature by bob could count"]),
    ({"minimum": {"x": {"signed_after": "2026-06-01"}}}, ["/minimum/x/signed_after: the day is not over"]),
    ({"minimum": {"x": {"signed_after": "2026-05-31"}}}, []),
    ({"require_attestations": {"sbom": {"from": ["bob"]}}, "signers": {"allowed": [{"key_id": "al*"}]}}, ["alice expired", "/require_attestations/sbom/from: no statement by bob"]),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "said"), LINT)
def test_lint(rules: dict[str, Any], said: list[str]) -> None:
    data = json.dumps({"version": "1", **rules}).encode()
    policy = policyread.read(data, "p")
    found = [f"{at}: {text}" for at, text in policycheck.warnings(policy, KEYS, "2026-06-01T12:00:00Z")]
    assert len(found) == len(said) and all(part in text for part, text in zip(said, found, strict=True)), found
    # Without a clock nothing is said of days; every place is one.
    for problem in policyplaces.warnings(data, policycheck.warnings(policy, KEYS)):
        assert problem["line"] == 1 and problem["column"] > 1 and "day is not over" not in problem["said"]


# -- what a policy would decide --------------------------------------------------------------------------------------------------------


def test_what_a_policy_would_decide(home: Path) -> None:
    told = ct(home, "test", "hello.ctp")
    assert "~ hello.ctp would be admitted, if its content is whole; that was not checked\n" in told and "No policy" in told
    write(home, policy_of(signers={"allowed": [{"key_id": "alice"}]}, registries={"allowed": ["local"]}))
    told = ct(home, "test", "hello.ctp")
    assert "✓ policy.json: signers.allowed: " in told and "✓ policy.json: registries.allowed: " in told
    assert "ct verify hello.ctp\n" in told and "valid" not in told
    # Damaged content is what this does not see; `ct verify` does.
    data = bytearray((home / "hello.ctp").read_bytes())
    data[-1024 - 512] ^= 1
    (home / "damaged.ctp").write_bytes(data)
    assert "that was not checked" in ct(home, "test", "damaged.ctp")
    run(home, "ct", "verify", "damaged.ctp", status=1)
    for members, status, part in (
        ({"signers": {"allowed": [{"key_id": "bob"}]}}, 3, "✗ p.json: signers.allowed: "),
        ({"registries": {"allowed": ["ghcr.io"]}}, 4, "✗ p.json: registries.allowed: "),
        ({"require_attestations": {"sbom": True}}, 5, "✗ p.json: require_attestations.sbom: "),
        ({"signers": {"threshold": 2}, "unpinned": "deny"}, 3, "✗ p.json: unpinned: "),
    ):
        write(home, policy_of(**members), "p.json")
        told = ct(home, "test", "--policy", "p.json", "hello.ctp", status=status)
        assert part in told and "✗ hello.ctp would be refused: " in told and f"(status {status})" in told
        found = json.loads(run(home, "ct", "policy", "test", "--json", "-p", "p.json", "hello.ctp", status=status).stdout)
        assert (found["admitted"], found["status"], found["content_checked"]) == (False, status, False) and "valid" not in found
        # It is what ct verify would say.
        run(home, "ct", "verify", "--policy", "p.json", "hello.ctp", status=status)


def test_what_cannot_be_tried(home: Path) -> None:
    (home / "junk.ctp").write_bytes(b"junk" * 300)
    told = ct(home, "test", "junk.ctp", status=10)
    assert "No policy was asked" in told and "admitted" not in told
    ct(home, "test", "absent.ctp", status=11)
    assert "(status 2)" in ct(home, "test", "unsigned.ctp", status=2)
    ct(home, "test", "hello.ctp", "--policy", write(home, "{}", "bad.json"), status=10)
    ct(home, "test", "hello.ctp", "--policy", "nowhere.json", status=11)
    assert json.loads(run(home, "ct", "policy", "test", "--json", "hello.ctp").stdout)["admitted"] is True
    told = ct(home, "test", "hello.ctp", "junk.ctp", status=10)
    assert "would be admitted" in told and "No policy was asked" in told


@pytest.mark.parametrize(
    "words", [["test"], ["test", "--bogus", "x"], ["test", "x", "--policy"], ["test", "--at="], ["--at", "", "test"]]
)
def test_a_trial_typed_wrongly(home: Path, words: list[str]) -> None:
    made = run(home, "ct", "policy", *words, status=64)
    assert made.stderr.count("usage: ct policy test [--json]") == 1 and "init" not in made.stderr


def test_no_command_shows_all(home: Path) -> None:
    errors = run(home, "ct", "policy", status=64).stderr
    assert "a subcommand is missing" in errors and all(f"ct policy {word} " in errors for word in ("init", "remove", "test"))


def test_which_word_is_the_command(home: Path) -> None:
    write(home, policy_of(signers={"allowed": [{"key_id": "alice"}]}))
    assert "would be admitted" in ct(home, "--policy", "policy.json", "test", "hello.ctp", "--at", "2030-01-01")
    assert "would be admitted" in ct(home, "-p", "policy.json", "test", "--", "hello.ctp")
    assert '"admitted":true' in ct(home, "-ppolicy.json", "--json", "test", "hello.ctp")
    # A value that is called like the command is none.
    assert "never count (test)" in ct(home, "--reason", "test", "deny", "bob")
    write(home, policy_of(), "test")
    assert "At least 1 key" in ct(home, "--policy", "test", "threshold", "1")
    assert "Images from test" in ct(home, "block-registry", "test")
    for options in ("--after", "--before", "--source", "--signer", "--from", "-p"):
        made = run(home, "ct", "policy", options, "test", "frob", status=64)
        assert "no subcommand 'frob'" in made.stderr


def test_ct_explain_wants_every_pass(home: Path) -> None:
    """What no tool said is no admission."""
    record = {
        "record": "ct/bundle/1",
        "bundle": "x",
        "findings": [],
        "passed": {"structure": True, "signatures": True, "trust": True},
    }
    lines = json.dumps(record) + '\n{"record":"ct/end/1","records":1}\n'
    for more in ([], ["--json"]):
        made = subprocess.run(
            [BIN / "ct-explain", "--rules", *more], input=lines, capture_output=True, text=True, env={"CT_HOME": str(home)}
        )
        assert made.returncode == 70 and "would be admitted" not in made.stdout and '"admitted":true' not in made.stdout
    made = subprocess.run(
        [BIN / "ct-explain", "--rules"],
        input='{"record":"ct/end/1","records":0}\n',
        capture_output=True,
        text=True,
        env={"CT_HOME": str(home)},
    )
    assert made.returncode == 70


def test_kinds_that_can_be_removed_are_those_in_the_manual() -> None:
    text = (ROOT / "man/ct-policy.1").read_text().partition(".Ar KIND\nis\n")[2].partition(".It Cm test")[0]
    assert [kind for kind in policyremove.KINDS if f".Cm {kind}" not in text] == []


def test_what_to_type_to_judge_content_too(home: Path) -> None:
    assert ct(home, "test", "hello.ctp").endswith("To judge it too:  ct verify hello.ctp\n")
    write(home, {"version": "1"}, "p.json")
    assert ct(home, "test", "hello.ctp", "--policy", "p.json").endswith("ct verify --policy p.json hello.ctp\n")


@pytest.mark.parametrize("word", ["init", "pin", "test"])
def test_help_of_one_command(home: Path, word: str) -> None:
    said = run(home, "ct", "policy", word, "-h").stdout
    assert re.fullmatch(rf"usage: ct.policy\S* {word} .*(\n\n(  .*\n)+)?\n?", said)


def test_a_threshold_counts_a_rotated_key_once(home: Path) -> None:
    run(home, "ct-key", "rotate", "alice", "--into", "alice-2", "--no-password")
    write(home, {"version": "1"})
    assert "3 of these 3 signers must sign: alice-2 or alice, bob, ci-1." in ct(home, "threshold", "3")
    assert "4 signers are needed, and 3 signers of the store could count" in ct(home, "threshold", "4")
