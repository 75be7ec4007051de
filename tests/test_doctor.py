"""`ct doctor` from outside: healthy and broken installations, stores, bundles, settings, clocks and registries; repairs and attacks."""

import base64
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import images
import pytest
from cerrotorre import (
    diagnosis,
    doctor,
    doctorbundles,
    doctorcrypto,
    doctorfix,
    doctorinstall,
    doctorregistries,
    doctorsetup,
    suites,
    times,
)
from cerrotorre.errors import Fail
from conftest import BUILD, LIBRARY, ROOT
from console import Console
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from jsonschema import Draft202012Validator
from registries import Fake, certificates, docker_registry
from small import BIN, members, run, tool

SCHEMA = Draft202012Validator(json.loads((ROOT / "spec/doctor.schema.json").read_text()))
DAY = 86400


class Place:
    """A home with a store in it, and what `ct doctor` says there."""

    def __init__(self, root: Path) -> None:
        self.root, self.home = root, root / "home"
        self.home.mkdir(mode=0o700)
        self.store = self.home / ".config" / "cerro"
        self.bundles = self.home / ".local" / "share" / "cerro" / "bundles"
        self.env = {
            "HOME": str(self.home),
            "PATH": f"{BIN.resolve()}:/usr/local/bin:/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            # Where a registry's credentials are looked for is this home's alone.
            "XDG_RUNTIME_DIR": str(self.home),
        }

    def key(self, key_id: str, *more: str) -> Path:
        tool("ct", "keygen", "--no-password", "--id", key_id, *more, env=self.env)
        return self.store / "keys" / f"{key_id}.pub"

    def run(self, *options: str, **more: Any) -> subprocess.CompletedProcess[str]:
        made: subprocess.CompletedProcess[str] = run(BIN / "ct", "doctor", *options, env=self.env | more.pop("env", {}), **more)
        return made

    def ask(self, *options: str, **more: Any) -> dict[str, dict[str, Any]]:
        """{check: its object} of `ct doctor --json`, each valid by the schema, the status that of the worst."""
        made = self.run("--json", *(options or ("--quick",)), **more)
        said = [json.loads(line) for line in made.stdout.splitlines()]
        wanted = [check.name for check in doctor.CHECKS if check.quick != "no" or (options and "--quick" not in options)]
        assert [one["check"] for one in said] == wanted, made.stderr
        for one in said:
            assert list(SCHEMA.iter_errors(one)) == []
            statuses = [detail["status"] for detail in one["details"]]
            assert one["status"] == ("fail" if "fail" in statuses else "warn" if statuses else "pass")
            assert set(one["try"]) == {command for detail in one["details"] for command in detail["try"]}
        assert made.returncode == (6 if any(one["status"] == "fail" for one in said) else 0)
        assert made.stderr == ""
        return {one["check"]: one for one in said}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def findings(check: dict[str, Any]) -> list[str | None]:
    return [detail["finding"] for detail in check["details"]]


def tree(root: Path) -> dict[str, Any]:
    """Everything below a directory: names, modes, sizes, times of change, targets."""
    found = {}
    for path in [root, *root.rglob("*")]:
        info = path.lstat()
        found[str(path)] = (info.st_mode, info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_nlink)
    return found


# -- the table ---------------------------------------------------------------------------------------------------------------


def test_one_table() -> None:
    rows = [(check.name, check.quick, check.what) for check in doctor.CHECKS]
    page = (ROOT / "man/ct-doctor.1").read_text()
    assert re.findall(r"^\.It Li (\S+) Ta (yes|no|in part) Ta (.+)$", page, re.M) == rows
    assert re.findall(r"^\| `(\S+)` \| (yes|no|in part) \| (.+)$", (ROOT / "spec/doctor.adoc").read_text(), re.M) == rows
    assert json.loads((ROOT / "spec/doctor.schema.json").read_text())["properties"]["check"]["enum"] == [row[0] for row in rows]
    assert list(dict.fromkeys(row[0].partition(".")[0] for row in rows)) == list(doctor.GROUPS)


def test_fresh_home_changes_nothing(place: Place) -> None:
    before = tree(place.home)
    said = place.ask("--quick")
    assert tree(place.home) == before
    for name in ("settings.policy", "keys.store"):
        assert said[name]["status"] == "warn" and said[name]["try"]
    for name in ("settings.config", "keys.files", "keys.default", "bundles.files", "clock.now", "crypto.ed25519"):
        assert said[name]["status"] == "pass", said[name]


def test_a_whole_setup(place: Place) -> None:
    place.key("demo-2026")
    tool("ct", "policy", "init", "--yes", env=place.env)
    before = tree(place.home)
    said = place.ask("--quick")
    assert tree(place.home) == before
    assert [
        name for name, one in said.items() if one["status"] != "pass" and name.partition(".")[0] in ("settings", "keys")
    ] == []
    assert said["keys.files"]["said"] == "1 key: 1 own; 1 private, not encrypted"


def test_text(place: Place) -> None:
    place.key("demo-2026")
    os.mkfifo(place.store / "keys" / "pipe.pub")
    text = place.run("--quick").stdout.replace(str(place.home), "/home/jo")
    keys = text.partition("\nKeys\n")[2].partition("\n\n")[0]
    assert keys == (
        "  ✓ store        ~/.config/cerro, which nobody else can change\n"
        "  ✗ files        1 key: 1 own; 1 private, not encrypted\n"
        "      ✗ '/home/jo/.config/cerro/keys/pipe.pub' is not a regular file (not-a-file)\n"
        "          ls -l /home/jo/.config/cerro/keys/pipe.pub\n"
        "  ✓ default      demo-2026\n"
        "  ✓ expiry       0 keys of yours and trusted with an expiry\n"
        "  ✓ leftovers    none"
    )
    assert re.fullmatch(r"\d+ checks: \d+ passed, \d+ warnings?, \d+ failed; 2 not made \(--quick\)", text.splitlines()[-1])
    plain = place.run("--quick", env={"LC_ALL": "C"}).stdout
    assert plain.isascii() and "  x  files" not in plain and "  x files" in plain
    assert "\x1b[31m" in place.run("--quick", "--color=always").stdout


@pytest.mark.parametrize("arguments", [["x"], ["--fx"], ["--quick=1"], ["-q"]])
def test_usage(place: Place, arguments: list[str]) -> None:
    assert place.run(*arguments).returncode == 64


def test_outputs_that_cannot_be_written(place: Place) -> None:
    with open("/dev/full", "w") as full:
        assert run(BIN / "ct", "doctor", "--quick", env=place.env, capture_output=False, stdout=full).returncode == 11


def test_format_json_is_heeded(place: Place) -> None:
    tool("ct", "config", "set", "output.format", "json", env=place.env)
    assert place.run("--quick").stdout.startswith("{")
    assert place.run("--quick", env={"CT_FORMAT": "text"}).stdout.startswith("Installation")


def test_no_home(place: Place) -> None:
    del place.env["HOME"]
    said = place.ask("--quick")
    assert said["settings.home"]["status"] == "fail"
    assert {said[check.name]["said"] for check in doctor.CHECKS if check.home} == {"not made"}
    assert said["crypto.ed25519"]["status"] == "pass"


def test_quick_opens_no_socket(place: Place) -> None:
    tool("ct", "config", "set", "registries.insecure", "127.0.0.1:1", env=place.env)
    made = run("strace", "-f", "-qq", "-e", "trace=network", BIN / "ct", "doctor", "--quick", env=place.env)
    assert made.stdout and "AF_INET" not in made.stderr


# -- the key store -----------------------------------------------------------------------------------------------------------


def test_hostile_files(place: Place) -> None:
    keys = place.key("good").parent
    os.mkfifo(keys / "fifo.pub")
    os.mkfifo(keys / "fifo.key")
    (keys / "loop.pub").symlink_to("loop.pub")
    (keys / "gone.pub").symlink_to("nowhere")
    (keys / "dir.pub").mkdir()
    (keys / "\x1b[31mred\n.pub").write_text("x")
    (keys / os.fsdecode(b"\xff\xfe.pub")).write_text("x")
    (keys / "long.pub").write_bytes(b"A" * 100_000)
    (keys / "bad.key").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    (keys / "bad.key").chmod(0o600)
    (keys / "alone.local").write_text("Note: of nobody\n")
    found = place.ask()["keys.files"]
    assert sorted(filter(None, findings(found))) == sorted(
        ["not-a-file"] * 3 + ["file-unreadable"] * 2 + ["key-unreadable"] * 3 + ["key-malformed"]
    )
    assert "alone.local" in json.dumps(found) and found["said"].startswith("1 key: 1 own")
    made = place.run("--quick")
    assert "\x1b" not in made.stdout and "\\x1b[31mred\\x0a.pub" in made.stdout
    assert "\\u001b[31mred" in place.run("--quick", "--json").stdout


def test_pairs_that_do_not_fit(place: Place) -> None:
    keys = place.key("alice").parent
    place.key("bob")
    shutil.copy(keys / "alice.key", keys / "bob.key")
    place.env["CT_PASSPHRASE_FILE"] = str(place.root / "word")
    (place.root / "word").write_text("correct horse")
    (place.root / "word").chmod(0o600)
    for key_id in ("carol", "dave"):
        tool("ct", "keygen", "--id", key_id, env=place.env)
    shutil.copy(keys / "carol.key", keys / "dave.key")
    (keys / "bob.pub").rename(keys / "bob2.pub")
    (keys / "bob2.pub").write_text((keys / "bob2.pub").read_text().replace("Key-Id: bob", "Key-Id: bob2"))
    shutil.copy(keys / "alice.key", keys / "bob2.key")
    said = [detail["said"] for detail in place.ask()["keys.files"]["details"]]
    assert [next(name for name in ("bob2", "bob", "dave") if f"/{name}.key" in one) for one in said] == ["bob", "bob2", "dave"]
    assert "no .pub beside it" in said[0] and all(" the private half of " in one for one in said[1:])


def test_twice(place: Place) -> None:
    public = place.key("alice")
    trusted = place.store / "trusted"
    trusted.mkdir(mode=0o700)
    (trusted / "copy.pub").write_text(public.read_text().replace("Key-Id: alice", "Key-Id: copy"))
    said = place.ask()
    assert "key-ambiguous" in findings(said["keys.files"])
    # What is ambiguous cannot sign.
    assert findings(said["keys.default"]) == ["key-not-found"]


def test_expiry(place: Place) -> None:
    now = int(time.time())
    past, soon, later = (times.spell(now + days * DAY)[:10] for days in (-2, 10, 60))
    for key_id, expires in (("past", past), ("soon", soon), ("later", later), ("rotated", past), ("friend", past)):
        place.key(key_id)
        more = "Rotated-Into: later\n" if key_id == "rotated" else ""
        (place.store / "keys" / f"{key_id}.local").write_text(f"Expires: {expires}\n{more}")
    (place.store / "trusted").mkdir(mode=0o700)
    for suffix in ("pub", "local"):
        (place.store / "keys" / f"friend.{suffix}").rename(place.store / "trusted" / f"friend.{suffix}")
    (place.store / "keys" / "friend.key").unlink()
    said = place.ask()
    assert findings(said["keys.expiry"]) == ["key-expired", None, "key-expired"]
    assert said["keys.expiry"]["status"] == "warn"
    assert re.search(
        r"past expired .*soon expires .* in 1?[0-9] days.*friend expired",
        " ".join(one["said"] for one in said["keys.expiry"]["details"]),
    )
    # The first key that was made is the default.
    assert findings(said["keys.default"]) == ["key-expired"] and said["keys.default"]["status"] == "fail"
    (place.store / "keys" / "default").write_text("later\n")
    assert place.ask()["keys.default"]["status"] == "pass"


@pytest.mark.parametrize(
    ("text", "finding"),
    [("nobody\n", "key-not-found"), ("alice", "key-malformed"), ("../alice\n", "key-malformed"), ("x" * 9999, "key-malformed")],
)
def test_bad_default(place: Place, text: str, finding: str) -> None:
    place.key("alice")
    (place.store / "keys" / "default").write_text(text)
    assert findings(place.ask()["keys.default"]) == [finding]


def test_ten_thousand_files(place: Place) -> None:
    keys = place.key("alice").parent
    for number in range(10_000):
        (keys / f"junk{number}.pub").write_text("junk\n")
    begun = time.monotonic()
    found = place.ask()["keys.files"]
    assert time.monotonic() - begun < 60
    assert (len(found["details"]), found["more"]) == (1000, 9000)
    text = place.run("--quick").stdout
    assert len(text.splitlines()) < 200 and "9980 more: ct doctor --json" in text


# -- repairs -----------------------------------------------------------------------------------------------------------------


def part(directory: Path, name: str, age: float) -> Path:
    path = directory / f".{name}.0123456789ab.part"
    path.write_text("half")
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_fix(place: Place) -> None:
    keys = place.key("alice").parent
    before = {path: path.read_bytes() for path in keys.iterdir()}
    (keys / "alice.key").chmod(0o644)
    (keys / "alice.pub").chmod(0o666)
    (place.store / "trusted").mkdir()
    (place.store / "trusted").chmod(0o777)
    place.store.chmod(0o775)
    (place.store / "config.toml").write_text("")
    (place.store / "config.toml").chmod(0o664)
    old, young = part(keys, "x.key", 7200), part(keys, "y.key", 60)
    (keys / ".hidden.part").write_text("")
    said = place.ask("--quick", "--fix")
    assert {name: len(one["fixed"]) for name, one in said.items() if one["fixed"]} == {
        "settings.config": 2, "keys.store": 2, "keys.files": 2, "keys.leftovers": 1
    }  # fmt: skip
    assert {one["status"] for name, one in said.items() if name.startswith(("keys.", "settings.config"))} == {"pass"}
    modes = {
        path: stat.S_IMODE((place.store / path).stat().st_mode)
        for path in ("", "keys/alice.key", "keys/alice.pub", "trusted", "known")
    }
    assert modes == {"": 0o755, "keys/alice.key": 0o600, "keys/alice.pub": 0o644, "trusted": 0o755, "known": 0o700}
    assert not old.exists() and young.exists() and (keys / ".hidden.part").exists()
    assert {path: path.read_bytes() for path in before} == before
    again = tree(place.home)
    assert "; nothing to fix\n" in place.run("--quick", "--fix").stdout
    assert tree(place.home) == again


def test_fix_makes_a_store(place: Place) -> None:
    assert "4 things fixed" in place.run("--quick", "--fix").stdout
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in place.store.iterdir()} == dict.fromkeys(
        ("keys", "trusted", "known"), 0o700
    )


def test_fix_makes_nothing_where_others_decide(place: Place) -> None:
    place.store.parent.mkdir()
    place.store.parent.chmod(0o777)
    said = place.run("--quick", "--fix")
    assert (said.returncode, place.store.exists()) == (6, False)
    assert "writable by others" in said.stdout


def test_fix_follows_no_link(place: Place) -> None:
    keys = place.key("alice").parent
    victim = place.root / "victim"
    victim.mkdir()
    for name in ("a.key", "b.key", "d.pub"):
        (victim / name).write_text("mine")
        (victim / name).chmod(0o666)
    victim.chmod(0o777)
    (keys / "a.key").symlink_to(victim / "a.key")
    os.link(victim / "b.key", keys / "b.key")
    (place.store / "trusted").symlink_to(victim)
    left = part(victim, "z.key", 7200)
    before = tree(victim)
    said = place.ask("--quick", "--fix")
    assert tree(victim) == before and left.exists()
    assert "has other names elsewhere" in json.dumps(said["keys.files"])
    assert said["keys.store"]["status"] == "fail" and said["keys.files"]["fixed"] == []


def test_fix_refuses_a_planted_store(place: Place, tmp_path: Path) -> None:
    """Somebody else's link in a directory for everybody, and what is put in place between looking and doing."""
    place.key("alice")
    keys = place.store / "keys"
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o700)
    (victim / "alice.key").write_text("mine")
    (victim / "alice.key").chmod(0o644)
    repair = {"do": "mode", "root": str(place.store), "name": "keys/alice.key", "forbidden": 0o077}
    keys.rename(place.root / "away")
    keys.symlink_to(victim)
    with pytest.raises(Fail):
        doctorfix.apply(repair)
    keys.unlink()
    keys.mkdir(mode=0o700)
    (keys / "alice.key").symlink_to(victim / "alice.key")
    with pytest.raises(Fail):
        doctorfix.apply(repair)
    (keys / "alice.key").unlink()
    os.mkfifo(keys / "alice.key", 0o666)
    with pytest.raises(Fail):
        doctorfix.apply(repair)
    assert stat.S_IMODE((victim / "alice.key").stat().st_mode) == 0o644
    # A directory on the way that others can write to.
    (keys / "alice.key").unlink()
    (keys / "alice.key").write_text("x")
    (keys / "alice.key").chmod(0o644)
    (place.home / ".config").chmod(0o777)
    with pytest.raises(Fail):
        doctorfix.apply(repair)
    (place.home / ".config").chmod(0o755)
    assert "0600" in doctorfix.apply(repair) and doctorfix.apply(repair) == ""


def test_fix_removes_only_what_was_judged(place: Place) -> None:
    keys = place.key("alice").parent
    left = part(keys, "x.key", 7200)
    repair = {
        "do": "remove",
        "root": str(place.store),
        "name": f"keys/{left.name}",
        "identity": doctorfix.identity(left.lstat()),
    }
    left.write_text("somebody goes on")
    assert doctorfix.apply(repair) == "" and left.exists()
    left.unlink()
    left.symlink_to("alice.key")
    with pytest.raises(Fail):
        doctorfix.apply(repair)
    left.unlink()
    assert doctorfix.apply(repair) == "" and (keys / "alice.key").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_fix_leaves_what_is_not_ours(place: Place) -> None:
    keys = place.key("alice").parent
    os.chown(keys / "alice.pub", 4321, 4321)
    (keys / "alice.pub").chmod(0o666)
    said = place.ask("--quick", "--fix")["keys.files"]
    assert said["status"] == "fail" and said["fixed"] == [] and "uid 4321" in json.dumps(said)
    assert stat.S_IMODE((keys / "alice.pub").stat().st_mode) == 0o666
    # A link of another user's to a directory of ours, in a place for everybody.
    shared = place.root / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "cerro").symlink_to(place.store)
    os.chown(shared / "cerro", 4321, 4321, follow_symlinks=False)
    place.store.chmod(0o777)
    said = place.ask("--quick", "--fix", env={"CT_HOME": str(shared / "cerro")})["keys.store"]
    assert said["fixed"] == [] and stat.S_IMODE(place.store.stat().st_mode) == 0o777


# -- settings and policies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "check", "finding"),
    [
        ("config.toml", "[registry]\nx = 1\n", "settings.config", "config-malformed"),
        ("config.toml", "nonsense", "settings.config", "config-malformed"),
        ("config.toml", '[defaults]\npolicy = "absent.json"\n', "settings.config", "policy-unreadable"),
        ("config.toml", '[defaults]\nkey = "nobody"\n', "settings.config", "setting-doubtful"),
        ("config.toml", '[crypto]\nml_dsa = "liboqs"\nliboqs = "/nowhere/liboqs.so"\n', "crypto.liboqs", "file-unreadable"),
        ("policy.json", '{"version": "1", "signers": {"alowed": []}}', "settings.policy", "policy-malformed"),
        ("policy.json", "{", "settings.policy", "policy-malformed"),
        ("policy.json", '{"version": "1", "signers": {"allowed": []}}', "settings.policy", None),
    ],
)
def test_settings(place: Place, name: str, text: str, check: str, finding: str | None) -> None:
    place.key("alice")
    (place.store / name).write_text(text)
    said = place.ask()
    assert finding in findings(said[check]) and said[check]["try"]
    assert said[check]["status"] == ("warn" if finding in (None, "setting-doubtful") else "fail")
    # The rest is judged all the same.
    assert said["keys.files"]["status"] == "pass" and said["crypto.ed25519"]["status"] == "pass"


def test_every_error_of_a_policy(place: Place) -> None:
    place.key("alice")
    (place.store / "policy.json").write_text('{"version": "2", "signers": {"alowed": []}, "suites": {"minimum": 1}}')
    assert len(place.ask()["settings.policy"]["details"]) >= 3


def test_programs_that_are_missing(place: Place) -> None:
    tool("ct", "config", "set", "defaults.runtime", "nerdctl", env=place.env)
    (place.home / ".docker").mkdir()
    (place.home / ".docker" / "config.json").write_text('{"credsStore": "no-such-helper"}')
    empty = place.root / "empty"
    empty.mkdir(mode=0o755)
    made = run(BIN / "ct-doctor", "--quick", "--json", env=place.env | {"PATH": str(empty)})
    said = {one["check"]: one for one in map(json.loads, made.stdout.splitlines())}
    for name in (
        "programs.skopeo",
        "programs.gpg",
        "programs.git",
        "programs.runtime",
        "programs.credentials",
        "installation.man",
    ):
        assert said[name]["status"] == "warn", said[name]
    assert "takes no docker-archive:" in said["programs.skopeo"]["details"][0]["said"]
    assert said["programs.path"]["status"] == "pass"


def test_programs_of_others_are_not_run(place: Place) -> None:
    work = place.root / "open"
    work.mkdir()
    for name in ("skopeo", "man"):
        (work / name).write_text(f"#!/bin/sh\ntouch {place.root}/ran\necho {name} 9.9.9\n")
        (work / name).chmod(0o755)
    work.chmod(0o777)
    said = place.ask("--quick", env={"PATH": f"{work}:.::{place.env['PATH']}"}, cwd=work)
    assert not (place.root / "ran").exists()
    assert said["programs.skopeo"]["status"] == "warn" and "9.9.9" not in json.dumps(said)
    assert said["programs.path"]["details"][0]["said"].startswith("PATH has the entry .")
    assert "store-unsafe" in findings(said["programs.path"])
    work.chmod(0o755)
    assert place.ask("--quick", env={"PATH": f"{work}:{place.env['PATH']}"})["programs.skopeo"]["said"].startswith(
        "skopeo 9.9.9"
    )


# -- the content store -------------------------------------------------------------------------------------------------------


@pytest.fixture
def stocked(place: Place) -> Place:
    place.key("alice")
    images.make("single", place.root / "image")
    place.bundles.mkdir(parents=True, mode=0o700)
    tool("ct", "pack", "-q", "-o", place.bundles / "good.ctp", f"oci:{place.root}/image:1.0", env=place.env)
    return place


def test_bundles(stocked: Place) -> None:
    good = (stocked.bundles / "good.ctp").read_bytes()
    assert stocked.ask("--quick")["bundles.files"]["said"] == "1 bundle, not hashed (--quick)"
    assert stocked.ask("--fix")["bundles.files"]["status"] == "pass"
    damaged = bytearray(good)
    damaged[members(good)[-1].data] ^= 1
    (stocked.bundles / "damaged.ctp").write_bytes(damaged)
    (stocked.bundles / "below").mkdir()
    (stocked.bundles / "below" / "cut.ctp").write_bytes(good[:3000])
    (stocked.bundles / "\x1b[2J.ctp").write_bytes(b"")
    at = good.index(b'"sig":"') + 7
    (stocked.bundles / "forged.ctp").write_bytes(
        good[:at] + (b"AAAA" if good[at : at + 4] != b"AAAA" else b"BBBB") + good[at + 4 :]
    )
    tool(
        "ct",
        "pack",
        "-q",
        "--no-sign",
        "-o",
        stocked.bundles / "unsigned.ctp",
        f"oci:{stocked.root}/image:1.0",
        env=stocked.env,
    )
    os.mkfifo(stocked.bundles / "pipe.ctp")
    (stocked.bundles / "loop.ctp").symlink_to("loop.ctp")
    (stocked.bundles / "round").symlink_to(".")
    (stocked.bundles / ".hidden.ctp").write_bytes(b"")
    (stocked.bundles / "notes.txt").write_bytes(b"")
    before = tree(stocked.home)
    found = stocked.ask("--fix")["bundles.files"]
    assert {key: value for key, value in tree(stocked.home).items() if "bundles" in key} == {
        key: value for key, value in before.items() if "bundles" in key
    }
    assert findings(found) == [
        "not-a-bundle",
        "hash-mismatch",
        "signature-invalid",
        "file-unreadable",
        "not-a-file",
        "unsigned",
        "truncated",
    ]
    assert [detail["status"] for detail in found["details"]].count("warn") == 1
    mismatch = found["details"][1]
    assert "Expected sha256:" in mismatch["said"] and mismatch["try"] == [f"ct verify {stocked.bundles}/damaged.ctp"]
    quick = stocked.ask("--quick")["bundles.files"]
    assert findings(quick) == [one for one in findings(found) if one != "hash-mismatch"]


def test_a_bundle_that_grows(stocked: Place) -> None:
    path = stocked.bundles / "good.ctp"

    def grow(_: int) -> None:
        with open(path, "ab") as file:
            file.write(b"more")

    made = doctorbundles.judge(str(path), [], grow)
    assert made[-1]["finding"] == "file-changed" and "file-changed" in doctorbundles.DOUBTS


DRAW = """
import os, sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/vendor"]
from cerrotorre import diagnosis, doctorbundles, doctorsetup, progress
progress.AFTER = -1
setup = doctorsetup.Setup(os.environ, 0, progress.Progress, quick=len(sys.argv) > 2)
print(doctorbundles.files(setup, diagnosis.Diagnosis()))
"""


def test_a_bar_for_the_whole_store(stocked: Place) -> None:
    """Of all bundles together, on a terminal; with --quick there is nothing to wait for."""
    shutil.copy(stocked.bundles / "good.ctp", stocked.bundles / "again.ctp")
    env = stocked.env | {"TERM": "xterm"}
    for quick in ([], ["quick"]):
        with Console(sys.executable, "-ISc", DRAW, LIBRARY.resolve(), *quick, env=env, cwd=stocked.root) as at:
            assert at.wait() == 0
            assert ("%|" in at.text()) == (not quick)
            how = r"not hashed \(--quick\)" if quick else r"[\d.]+ KiB hashed"
            assert re.fullmatch(f"2 bundles, {how}", at.screen()[0]) and len(at.screen()) == 1


def test_a_bundle_that_trips_the_reader(stocked: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def trip(*_: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(doctorbundles.recorded, "derive", trip)
    assert [made["finding"] for made in doctorbundles.judge(str(stocked.bundles / "good.ctp"), [], None)] == ["internal"]


def test_cache_dir_is_heeded(stocked: Place) -> None:
    elsewhere = stocked.root / "elsewhere"
    stocked.bundles.rename(elsewhere)
    (elsewhere / "good.ctp").write_bytes(b"x")
    assert stocked.ask()["bundles.files"]["said"] == "0 bundles"
    tool("ct", "config", "set", "cache.dir", str(elsewhere), env=stocked.env)
    assert findings(stocked.ask()["bundles.files"]) == ["not-a-bundle"]


# -- the installation --------------------------------------------------------------------------------------------------------


@pytest.fixture
def copied(place: Place) -> Place:
    """The program, installed elsewhere for this test to break."""
    prefix = place.root / "prefix"
    for part_ in ("bin", "lib", "share"):
        shutil.copytree(BUILD / part_, prefix / part_, symlinks=True)
    place.env["PATH"] = place.env["PATH"].replace(str(BIN.resolve()), f"{prefix}/bin")
    return place


def asked(place: Place, *more: str) -> dict[str, dict[str, Any]]:
    made = run(place.root / "prefix/bin/ct-doctor", "--quick", "--json", *more, env=place.env)
    assert made.returncode in (0, 6), made.stderr
    return {one["check"]: one for one in map(json.loads, made.stdout.splitlines())}


def test_broken_installations(copied: Place) -> None:
    prefix = copied.root / "prefix"
    library = prefix / "lib/cerro-torre"
    clean = asked(copied)
    others = {name: clean[name]["status"] for name in clean if not name.startswith("installation.")}
    assert clean["installation.files"]["status"] == clean["installation.python"]["status"] == "pass"
    # A file that others can write is a verifier of others; so is one in a dependency.
    for path in (library / "cerrotorre/sinks.py", prefix / "bin/ct-hash", library / "vendor/nacl"):
        mode = path.stat().st_mode
        path.chmod(0o777)
        found = asked(copied)["installation.owner"]
        assert f"'{path}' is writable by others (mode 0777)" in [detail["said"] for detail in found["details"]]
        assert f"chmod go-w {path}" in found["try"]
        path.chmod(mode)
    (prefix / "bin/ct-hash").unlink()
    (prefix / "bin/ct-open").chmod(0o644)
    (library / "commands/verify").unlink()
    (library / "installed").write_text("lib/cerro-torre/spec/gone.json\nlib/cerro-torre/commands.txt\n")
    said = " ".join(detail["said"] for detail in asked(copied)["installation.files"]["details"])
    assert (
        all(word in said for word in ("bin/ct-hash'", "ct-open' is not executable", "spec/gone.json'", "ct-verify'"))
        and "commands.txt'" not in said
    )
    (prefix / "bin/ct-check").write_text("#!/usr/bin/python3\nimport cerrotorre.tools.ct_check\n")
    (prefix / "bin/ct-sign").write_text("#!/nowhere/python3 -IS\n")
    said = " ".join(detail["said"] for detail in asked(copied)["installation.python"]["details"])
    assert "ct-check' does not start isolated" in said and "ct-sign' starts with a program that is not there" in said
    # What trips a check fails it alone.
    (library / "commands.txt").unlink()
    tripped = asked(copied)
    assert findings(tripped["installation.files"]) == ["internal"]
    assert {name: tripped[name]["status"] for name in others} == others
    # A doctor that cannot start says 70, and nothing that could be taken for an answer.
    (library / "cerrotorre/doctorclock.py").write_text("nonsense(\n")
    shutil.rmtree(library / "cerrotorre/__pycache__")
    made = run(prefix / "bin/ct-doctor", "--quick", env=copied.env)
    assert (made.returncode, made.stdout) == (70, "")


def test_what_is_the_hosts(copied: Place) -> None:
    """It is judged as the user's is, and never repaired."""
    library = copied.root / "prefix/lib/cerro-torre/cerrotorre"
    (library / "built.py").write_text(
        (library / "built.py").read_text().replace('"/etc"', f'"{copied.root}/etc"').replace("'/etc'", f"'{copied.root}/etc'")
    )
    shutil.rmtree(library / "__pycache__")
    trusted = copied.root / "etc/cerro/trusted"
    trusted.mkdir(parents=True, mode=0o755)
    shutil.copy(copied.key("vendor-2026"), trusted / "vendor-2026.pub")
    shutil.rmtree(copied.store)
    clean = asked(copied, "--fix")
    assert clean["keys.files"]["said"] == "1 key: 1 of the host" and clean["settings.host-policy"]["status"] == "pass"
    (copied.root / "etc/cerro/policy.json").write_text('{"version": "1", "x": 1}')
    trusted.chmod(0o777)
    before = tree(copied.root / "etc")
    said = asked(copied, "--fix")
    assert findings(said["settings.host-policy"])[0] == "policy-malformed"
    assert findings(said["keys.store"]) == ["store-unsafe"] and said["keys.store"]["try"] == [f"chmod go-w {trusted}"]
    assert tree(copied.root / "etc") == before


def test_clock(copied: Place) -> None:
    copied.key("alice")
    now = time.time()
    public = copied.store / "keys/alice.pub"
    os.utime(public, (now + 200,) * 2)
    assert asked(copied)["clock.now"]["status"] == "pass"
    os.utime(public, (now + 4000,) * 2)
    said = asked(copied)["clock.now"]
    assert said["status"] == "warn" and str(public) in said["details"][0]["said"]
    os.utime(copied.root / "prefix/lib/cerro-torre/cerrotorre/doctor.py", (2**40,) * 2)
    assert asked(copied)["clock.now"]["status"] == "fail"
    setup = doctorsetup.Setup({"HOME": str(copied.home)}, times.epoch("2020-01-01"), lambda *_: None)
    say = diagnosis.Diagnosis()
    assert doctor.doctorclock.clock(setup, say) == "2020-01-01T00:00:00Z" and say.status == "fail"


def test_pages_and_completions(copied: Place) -> None:
    share = copied.root / "prefix/share"
    said = asked(copied)
    assert said["installation.man"]["said"] == f"{share}/man/man1/ct.1"
    copied.env["MANPATH"] = "/nowhere"
    said = asked(copied)
    assert said["installation.man"]["try"] == [f"export MANPATH={share}/man:"]
    for shell in ("bash", "zsh", "fish"):
        copied.env["SHELL"] = f"/bin/{shell}"
        copied.env.pop("XDG_DATA_DIRS", None)
        found = asked(copied)["installation.completions"]
        assert found["said"] == shell and found["status"] == "warn" and str(share) in found["try"][0]
        copied.env["XDG_DATA_DIRS"] = f"/usr/share:{share}"
        assert asked(copied)["installation.completions"]["status"] == "pass"
    next((share / "fish").rglob("ct.fish")).unlink()
    assert asked(copied)["installation.completions"]["status"] == "fail"


# -- cryptography ------------------------------------------------------------------------------------------------------------


def test_known_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    seed = Ed448PrivateKey.from_private_bytes(bytes(range(57))).public_key().public_bytes_raw()
    assert doctorcrypto.KNOWN["ed448"] == doctorcrypto.sha256(seed)
    assert doctorcrypto.KNOWN.keys() == {part_ for parts in suites.SUITES.values() for part_ in parts}
    setup = doctorsetup.Setup({"HOME": "/nonexistent"}, 0, lambda *_: None)

    def judged() -> diagnosis.Diagnosis:
        say = diagnosis.Diagnosis()
        say.said = doctorcrypto.works("ed25519", setup, say)
        return say

    assert judged().status == "pass"
    for broken in (lambda *_: True, lambda *_: False):
        with monkeypatch.context() as patch:
            patch.setattr(suites, "verify", broken)
            assert judged().status == "fail"
    with monkeypatch.context() as patch:
        patch.setattr(suites, "publics", lambda *_: [bytes(32)])
        assert judged().status == "fail"


def test_argon2(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = doctorsetup.Setup(place.env, 0, lambda *_: None)
    say = diagnosis.Diagnosis()
    assert re.fullmatch(r"opening an encrypted key takes \d+\.\d s and 128 MiB", doctorcrypto.argon2(setup, say))
    assert say.status in ("pass", "warn")
    monkeypatch.setattr(doctorcrypto, "memory", lambda: 100 << 10)
    say = diagnosis.Diagnosis()
    assert doctorcrypto.argon2(setup, say).startswith("not measured") and say.status == "warn"
    made = run("sh", "-c", f"ulimit -v 400000; exec {BIN}/ct-doctor --json", env=place.env)
    said = {one["check"]: one for one in map(json.loads, made.stdout.splitlines())}
    assert said["crypto.argon2"]["status"] in ("pass", "warn")


# -- registries --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    made: tuple[Path, Path] = certificates(tmp_path_factory.mktemp("pki"))
    return made


def registry(place: Place, *hosts: str) -> dict[str, Any]:
    """What that check says of registries that are named without TLS, or, none given, otherwise."""
    if hosts:
        tool("ct", "config", "set", "registries.insecure", *hosts, env=place.env)
    say = diagnosis.Diagnosis()
    say.said = doctorregistries.answer(doctorsetup.Setup(place.env, int(time.time()), lambda *_: None), say)
    return say.object("registries.answer")


def trust(place: Place, pki: tuple[Path, Path], host: str, password: str) -> None:
    where = place.home / ".config/containers"
    (where / "certs.d" / host).mkdir(parents=True, exist_ok=True)
    shutil.copy(pki[0], where / "certs.d" / host / "ca.crt")
    auth = base64.b64encode(f"bob:{password}".encode()).decode()
    (where / "auth.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))


def test_docker_registry(place: Place, tmp_path: Path, pki: tuple[Path, Path]) -> None:
    with docker_registry(tmp_path / "registry") as host:
        tool("ct", "config", "set", "registries.insecure", host, env=place.env)
        said = place.ask("--fix")["registries.answer"]
        assert (said["status"], said["said"]) == ("pass", f"{host} (no login needed, without TLS)")
        (place.store / "policy.json").write_text(json.dumps({"version": "1", "registries": {"allowed": [f"{host}/a/app:*"]}}))
        assert registry(place)["said"] == f"{host} (no login needed, attachments by tag, without TLS)"
    # It is gone now.
    assert registry(place, host)["status"] == "warn"


def test_credentials(place: Place, tmp_path: Path, pki: tuple[Path, Path]) -> None:
    users = tmp_path / "users"
    subprocess.run(["htpasswd", "-Bbc", str(users), "bob", "hunter2"], check=True, capture_output=True)
    with docker_registry(tmp_path / "registry", tls=pki[1], users=users) as host:
        trust(place, pki, host, "hunter2")
        said = registry(place)
        assert (said["status"], said["said"]) == ("pass", f"{host} (credentials accepted)")
        trust(place, pki, host, "hunter3")
        said = registry(place)
        assert said["status"] == "fail" and said["try"] == [f"skopeo login {host}"] and "hunter" not in json.dumps(said)
        # No credentials without TLS, and a certificate that nobody vouches for is no missing network.
        (place.home / ".config/containers/certs.d" / host / "ca.crt").unlink()
        said = registry(place)
        assert said["status"] == "fail" and "TLS" in said["details"][0]["said"]
        assert "none are sent without TLS" in registry(place, host)["details"][0]["said"]


def test_registries_that_are_odd(place: Place) -> None:
    with Fake() as api, Fake() as late, Fake() as page:
        late.answers[".*"] = lambda handler: handler.reply(200, b"{}", Date="Mon, 01 Jan 2001 00:00:00 GMT")
        page.answers[".*"] = lambda handler: handler.reply(404, b"<html>")
        silent = socket.socket()
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        quiet = f"127.0.0.1:{silent.getsockname()[1]}"
        place.store.mkdir(parents=True, mode=0o700)
        (place.store / "policy.json").write_text(
            json.dumps({"version": "1", "registries": {"allowed": [f"{api.host}/a/app:*"]}})
        )
        begun = time.monotonic()
        said = registry(place, api.host, late.host, page.host, quiet)
        silent.close()
        assert time.monotonic() - begun < 40
        about = {
            host: [one for one in said["details"] if one["said"].startswith((host, f"the clock of {host}"))]
            for host in (api.host, page.host, quiet)
        }
        assert f"{api.host} (no login needed, referrers API, without TLS)" in said["said"]
        assert about[api.host] == [] and about[page.host][0]["status"] == "fail" and about[quiet][0]["status"] == "warn"
        assert f"the clock of {late.host}" in json.dumps(said)


def test_without_a_network(place: Place) -> None:
    tool("ct", "config", "set", "registries.insecure", "registry.example", "127.0.0.1:5000", env=place.env)
    alone = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    begun = time.monotonic()
    made = run(*alone, BIN / "ct", "doctor", "--json", env=place.env)
    assert time.monotonic() - begun < 40
    said = {one["check"]: one for one in map(json.loads, made.stdout.splitlines())}
    assert len(said) == len(doctor.CHECKS)
    assert said["registries.answer"]["status"] == "warn" and len(said["registries.answer"]["details"]) == 2


def test_which_registries(place: Place) -> None:
    place.store.mkdir(parents=True, mode=0o700)
    (place.store / "config.toml").write_text(
        '[registries]\ninsecure = ["*.internal", "plain.internal:5000", "localhost"]\nmirrors = ["d.example/a=m.example/hub"]\n'
    )
    allowed = ["docker.io/library/*", "ghcr.io/org/app:*", "*.evil", "local", "quay.io", "noport"]
    (place.store / "policy.json").write_text(json.dumps({"version": "1", "registries": {"allowed": allowed}}))
    (place.home / ".docker").mkdir()
    (place.home / ".docker/config.json").write_text(
        '{"auths": {"https://index.docker.io/v1/": {}, "b.example/team": {}}, "credHelpers": {"c.example": "x"}}'
    )
    found = doctorregistries.registries(doctorsetup.Setup(place.env, 0, lambda *_: None))
    assert found == {
        "plain.internal:5000": "", "localhost": "", "docker.io": "library/library", "ghcr.io": "org/app", "quay.io": "",
        "b.example": "team", "c.example": "", "m.example": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Mon, 01 Jan 2001 00:00:00 GMT", 978307200),
        ("Mon, 31 Feb 2001 00:00:00 GMT", None),
        ("now", None),
        ("", None),
        ("Mon, 01 Jux 2001 00:00:00 GMT", None),
    ],
)
def test_dates(text: str, seconds: int | None) -> None:
    assert times.http_date(text) == seconds


def test_what_is_in_sh_alone() -> None:
    tools = [path for path in (ROOT / "tools").glob("ct-*") if path.read_bytes().startswith(b"#!/bin/sh\n")]
    assert tuple(path.name for path in tools) == doctorinstall.SHELL
