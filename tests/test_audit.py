"""The audit log, from outside: what is kept, that it is kept whole whatever happens, and that nothing done to it goes unseen."""

import errno
import fcntl
import hashlib
import itertools
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import alter
import images
import predicates
import pytest
from cerrotorre import VERSION, audit, auditkeep, auditread, jsonic
from conftest import BUILD, ROOT
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

BIN = BUILD.resolve() / "bin"
AT = "2027-01-01T00:00:00Z"
POLICY = {"version": "1", "signers": {"allowed": [{"key_id": "one"}]}, "require_attestations": {"sbom": True}}


class World:
    """A store, policies, and bundles of every kind of verdict."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.env = {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(base), "CT_HOME": str(base / "store"), "LC_ALL": "C.UTF-8"}
        for name in ("one", "two", "stranger"):
            self.run(f"ct keygen --no-password --id {name}", 0)
        images.make("single", base / "image")
        (base / "s.json").write_text(json.dumps(predicates.SBOM))
        self.run("ct pack --sbom s.json -k one oci:image -o good.ctp", 0)
        self.run("ct pack -k one oci:image -o bare.ctp", 0)
        self.run("ct pack -k two oci:image -o two.ctp", 0)
        self.run("ct pack -k stranger oci:image -o unknown.ctp", 0)
        self.run("ct pack --no-sign oci:image -o unsigned.ctp", 0)
        self.run("ct key delete --yes stranger", 0)
        (base / "policy.json").write_text(json.dumps(POLICY))
        (base / "local.json").write_text(json.dumps({"version": "1", "registries": {"allowed": ["docker.io/*"]}}))
        good = bytearray((base / "good.ctp").read_bytes())
        good[-1024 - 512] ^= 1
        (base / "damaged.ctp").write_bytes(good)
        (base / "cut.ctp").write_bytes(good[:3000])
        key = alter.open_key(str(base / "store" / "keys" / "one.key"))
        (base / "flipped.ctp").write_bytes(alter.altered("signature-flipped", (base / "bare.ctp").read_bytes(), key))

    def run(self, script: str, status: int | None = None, **more: Any) -> subprocess.CompletedProcess[str]:
        made = subprocess.run(
            ["sh", "-c", script],
            **{"cwd": self.base, "env": self.env, "stdin": subprocess.DEVNULL, "capture_output": True, "text": True, **more},
        )
        assert "Traceback" not in made.stderr, made.stderr
        assert status is None or made.returncode == status, f"{script}\n{made.returncode}\n{made.stdout}{made.stderr}"
        return made

    def start(self, log: Path, *names: str) -> subprocess.Popen[str]:
        """`ct verify --record`, in a session of its own."""
        return subprocess.Popen(
            ["ct", "verify", "--json", "--record", str(log), *names],
            cwd=self.base,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def audit(self, log: Path | str, *options: str, status: int = 0) -> list[dict[str, Any]]:
        """What `ct audit --json` says, the log's own last."""
        made = self.run(f"ct audit --json {' '.join(options)} {log}", status)
        return [json.loads(line) for line in made.stdout.splitlines()]


# What each bundle is, and under which options.
VERDICTS = [
    (0, "--policy policy.json good.ctp"),
    (0, "--expect image:1.0 bare.ctp"),
    (1, "damaged.ctp"),
    (1, "--all --policy policy.json damaged.ctp"),
    (2, "unsigned.ctp"),
    (2, "flipped.ctp"),
    (2, "--all flipped.ctp"),
    (3, "unknown.ctp"),
    (3, "--policy policy.json two.ctp"),
    (4, "--policy local.json good.ctp"),
    (4, "--expect other bare.ctp"),
    (5, "--policy policy.json bare.ctp"),
    (10, "cut.ctp"),
    (11, "absent.ctp"),
    (0, "- <good.ctp"),
    (1, "- <damaged.ctp"),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("audit"))


@pytest.fixture(scope="module")
def log(world: World) -> Path:
    """A log with a decision of every kind, not to be changed."""
    for status, words in VERDICTS:
        world.run(f"ct verify --at {AT} --record every {words}", status)
    return world.base / "every"


@pytest.fixture
def copied(log: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(log, tmp_path / "copied"))


@pytest.fixture
def small(world: World, tmp_path: Path) -> Path:
    """A log of two decisions: valid, and refused by a policy."""
    world.run(f"ct verify --at {AT} --record {tmp_path}/small --policy policy.json good.ctp", 0)
    world.run(f"ct verify --at {AT} --record {tmp_path}/small --policy policy.json two.ctp", 3)
    return tmp_path / "small"


def files(log: Path) -> dict[str, bytes]:
    """What a log says: `.lock` says nothing."""
    found = (path for path in sorted(log.rglob("*")) if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(log)): path.read_bytes() for path in found}


def facts(log: Path, wanted: str | None = None) -> list[dict[str, Any]]:
    """What `ct audit` finds, without starting it: for what is tried thousands of times."""
    with auditread.Log(str(log)) as opened:
        return list(audit.walk(opened, wanted))


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


# -- what is kept ------------------------------------------------------------------------------------------------------------


def test_every_verdict_is_kept_and_comes_out_again(world: World, log: Path) -> None:
    *decisions, whole = world.audit(log)
    assert [one["status"] for one in decisions] == [status for status, _ in VERDICTS]
    assert all(one["holds"] and not one["findings"] for one in decisions)
    assert whole["decisions"] == len(VERDICTS) and whole["status"] == 0
    assert [one["bundle"] for one in decisions] == [words.split()[-1] if "<" not in words else "-" for _, words in VERDICTS]
    assert whole["head"] == digest((log / "decisions" / f"{len(VERDICTS):08d}.json").read_bytes())


def test_decisions_are_of_the_schema(log: Path) -> None:
    schemas = [json.loads(path.read_text()) for path in (ROOT / "spec").glob("*.schema.json")]
    registry: Any = Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in schemas)
    schema = json.loads((ROOT / "spec" / "audit.schema.json").read_text())
    for path in (log / "decisions").iterdir():
        found = [
            error.message for error in Draft202012Validator(schema, registry=registry).iter_errors(json.loads(path.read_text()))
        ]
        assert found == []


def test_objects_are_what_was_there(world: World, small: Path) -> None:
    made = json.loads((small / "decisions" / "00000001.json").read_text())

    def kept(name: str) -> bytes:
        return (small / "objects" / name.removeprefix("sha256:")).read_bytes()

    for member, name in (("manifest_digest", "manifest.toml"), ("attestations", "attestations.jsonl")):
        assert (
            kept(made[member])
            == subprocess.run(["tar", "-xOf", world.base / "good.ctp", name], capture_output=True, check=True).stdout
        )
    assert kept(made["policies"][0]["digest"]) == (world.base / "policy.json").read_bytes()
    assert {key["key_id"] for key in json.loads(kept(made["keys"]))} == {"one", "two"}
    # No place, host, user or process is in it.
    held = b"".join(data for name, data in files(small).items() if name.startswith("decisions"))
    assert str(world.base).encode() not in held and b'"at":{' not in held


def test_verdict_says_where(world: World, tmp_path: Path) -> None:
    made = json.loads(world.run(f"ct verify --json --record {tmp_path}/log good.ctp", 0).stdout)
    path = tmp_path / "log" / "decisions" / "00000001.json"
    assert made["recorded"] == {"log": f"{tmp_path}/log", "number": 1, "digest": digest(path.read_bytes())}
    assert json.loads(world.run("ct verify --json good.ctp", 0).stdout)["recorded"] is None


def test_same_inputs_same_bytes(world: World, log: Path) -> None:
    """Another home, directory, mask, locale, time zone, user, and time of day."""
    with tempfile.TemporaryDirectory(dir="/tmp") as there:
        other = Path(there)
        other.chmod(0o755)
        shutil.copytree(world.base, other / "w", ignore=shutil.ignore_patterns("every"))
        user: dict[str, Any] = {}
        nobody: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []}
        # As another user, where that one may run the build and its Python.
        if os.geteuid() == 0 and world.run("cd / && ct-open -V", cwd="/", **nobody).returncode == 0:
            user = nobody
            for path in [other / "w", *(other / "w").rglob("*")]:
                os.chown(path, 65534, 65534)
        env = world.env | {
            "HOME": "/nowhere",
            "CT_HOME": str(other / "w" / "store"),
            "LC_ALL": "C",
            "TZ": "Asia/Kathmandu",
            "SOURCE_DATE_EPOCH": "1",
            "CT_FORMAT": "json",
        }
        for status, words in VERDICTS:
            script = f"umask 0; ct verify --at {AT} --record {other}/w/log {words}"
            made = world.run(script, status, cwd=other / "w", env=env, **user)
            assert made.stderr == ""
        got = files(other / "w" / "log")
        assert {path.stat().st_mode & 0o777 for path in (other / "w" / "log").rglob("*")} == {0o600, 0o700}
    said = {name: data.replace(str(world.base).encode(), str(other / "w").encode()) for name, data in files(log).items()}
    # What cannot be opened is said with its place, so the last three differ in it, or follow such a one.
    first = [f"decisions/{number:08d}.json" for number in range(1, 15)]
    assert {name: got[name] for name in first} == {name: said[name] for name in first}
    assert {name for name in got if name.startswith("objects/")} == {name for name in said if name.startswith("objects/")}


def test_several_bundles_in_order(world: World, tmp_path: Path) -> None:
    names = ["good.ctp", "unsigned.ctp", "absent.ctp", "bare.ctp", "good.ctp"]
    world.run(f"ct verify --record {tmp_path}/log {' '.join(names)}", 11)
    assert [one.get("bundle") for one in world.audit(tmp_path / "log")] == [*names, None]


def test_configured(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.base / "store", tmp_path / "store")
    (tmp_path / "store" / "config.toml").write_text('[audit]\ndir = "decided"\n')
    env = world.env | {"CT_HOME": str(tmp_path / "store")}
    world.run(
        "ct verify good.ctp && ct verify --json good.ctp && ct-open good.ctp | ct-check | ct-policy | ct-hash | ct-explain --verdict",
        0,
        env=env,
    )
    world.run(f"ct explain good.ctp; ct verify --record {tmp_path}/elsewhere good.ctp", 0, env=env)
    assert [one.get("bundle") for one in world.audit(tmp_path / "store" / "decided")] == ["good.ctp"] * 3 + [None]
    assert "3 decisions; the log is whole" in world.run("ct audit", 0, env=env).stdout
    world.run("ct audit", 64)
    (tmp_path / "store" / "config.toml").write_text('[audit]\ndir = "no/such/place"\n')
    assert "decision-unkept" in world.run("ct verify --json good.ctp", 11, env=env).stdout


def test_large_statements(world: World, tmp_path: Path) -> None:
    """Envelopes that travel by reference are kept as well."""
    large = {**predicates.SBOM, "comment": "x" * (5 << 20)}
    (tmp_path / "large.json").write_text(json.dumps(large))
    world.run(f"ct pack -q --sbom {tmp_path}/large.json -k one oci:image -o {tmp_path}/large.ctp", 0)
    world.run(f"ct verify --record {tmp_path}/log --policy policy.json {tmp_path}/large.ctp", 0)
    assert world.audit(tmp_path / "log")[-1]["decisions"] == 1
    assert max(len(data) for data in files(tmp_path / "log").values()) > 5 << 20


def test_filter_of_ones_own(world: World, tmp_path: Path) -> None:
    """A finding that no judge of ours makes is believed as recorded."""
    made = {"finding": "x-large", "status": 4, "check": "policy", "summary": "large", "context": {}, "why": "", "try": []}
    filtered = f"jq -c --argjson f '{json.dumps(made)}' 'if .bundle then .findings += [$f] else . end'"
    world.run(
        f"ct-open good.ctp | ct-check | ct-policy | {filtered} | ct-hash | ct-explain --verdict --record {tmp_path}/log", 4
    )
    assert world.audit(tmp_path / "log")[0]["finding"] == "x-large"


# -- that it is kept ---------------------------------------------------------------------------------------------------------


def test_unkept_is_not_valid(world: World, tmp_path: Path) -> None:
    """No room, no directory, a file in its place, what others can write: no verdict is told as a good one."""
    limited = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))  # noqa: E731
    made = world.run(f"ct verify --record {tmp_path}/log good.ctp", 11, preexec_fn=limited)
    assert "the decision cannot be kept" in made.stdout and "is valid" not in made.stdout
    assert not files(tmp_path / "log")
    (tmp_path / "file").write_text("")
    for where in ("nowhere/log", "file", "file/log"):
        assert '"decision-unkept"' in world.run(f"ct verify --json --record {tmp_path}/{where} good.ctp", 11).stdout
    (tmp_path / "link").symlink_to("nothing")
    world.run(f"ct verify --json --record {tmp_path}/link good.ctp", 11)
    world.run("ct verify --record '' good.ctp; [ $? = 64 ] && ct-open good.ctp | ct-explain --verdict --record ''", 64)


@pytest.mark.parametrize("name", ["", "decisions", "objects", "head", "decisions/00000002.json"])
def test_unsafe(world: World, small: Path, name: str) -> None:
    path = small / name
    path.chmod(path.stat().st_mode | 0o020)
    before = files(small)
    made = world.run(f"ct verify --json --record {small} good.ctp", 13)
    assert '"store-unsafe"' in made.stdout
    assert files(small) == before


def test_bad_verdict_that_is_unkept(world: World, tmp_path: Path) -> None:
    """The decision could not be kept, so that is what decides."""
    said = json.loads(world.run(f"ct verify --json --record {tmp_path}/no/log unsigned.ctp", 11).stdout)
    assert [made["finding"] for made in said["findings"]] == ["decision-unkept", "unsigned"]


def test_changed_meanwhile(world: World, tmp_path: Path) -> None:
    """Keys and policies are kept as they were judged by, or not at all."""
    shutil.copytree(world.base / "store", tmp_path / "store")
    shutil.copy(world.base / "policy.json", tmp_path / "p.json")
    env = world.env | {"CT_HOME": str(tmp_path / "store")}
    world.run(f"ct-open good.ctp | ct-check | ct-policy -p {tmp_path}/p.json | ct-hash >{tmp_path}/r", 0, env=env)
    end = f"ct-explain --verdict --json --record {tmp_path}/log <{tmp_path}/r"
    world.run(end, 0, env=env)
    with open(tmp_path / "p.json", "a") as file:
        file.write("\n")
    assert "changed while" in world.run(end, 11, env=env).stdout
    shutil.copy(world.base / "policy.json", tmp_path / "p.json")
    world.run("ct key delete --yes two", 0, env=env)
    assert "changed while" in world.run(end, 11, env=env).stdout
    assert world.audit(tmp_path / "log")[-1]["decisions"] == 1


def test_forged_record_is_not_kept(world: World, tmp_path: Path) -> None:
    world.run(f"ct-open good.ctp | ct-check | ct-policy | ct-hash >{tmp_path}/r", 0)
    for change in (
        "del(.keys)",
        "del(.trust.files)",
        ".trust.at = 5",
        ".attestations = 7",
        '.trust.policies = ["x"]',
        ".passed.size = 1",
    ):
        script = (
            f"jq -c 'if .bundle then {change} else . end' <{tmp_path}/r | ct-explain --verdict --json --record {tmp_path}/log"
        )
        assert world.run(script).returncode in (0, 11)
        world.audit(tmp_path / "log")


def test_at_once(world: World, tmp_path: Path) -> None:
    """Many keepers: every decision is there, in one chain."""
    running = [world.start(tmp_path / "log", "good.ctp", "unsigned.ctp") for _ in range(20)]
    told = [json.loads(line)["recorded"] for child in running for line in child.communicate()[0].splitlines()]
    *decisions, whole = world.audit(tmp_path / "log")
    assert whole["decisions"] == len(told) == 40
    assert {(one["number"], one["digest"]) for one in told} == {(one["number"], one["digest"]) for one in decisions}


def test_killed(world: World, tmp_path: Path) -> None:
    """Whenever a keeper is killed, the log is whole, holds whatever was told, and takes the next decision."""
    told, chance = set(), random.Random(30)
    for _ in range(15):
        child = world.start(tmp_path / "log", *["bare.ctp"] * 30)
        time.sleep(chance.uniform(0.15, 0.5))
        os.killpg(child.pid, signal.SIGKILL)
        told |= {json.loads(line)["recorded"]["digest"] for line in child.communicate()[0].splitlines() if line.endswith("}")}
        if (tmp_path / "log" / "objects").is_dir():
            assert facts(tmp_path / "log")[-1]["findings"] == []
    world.run(f"ct verify --record {tmp_path}/log bare.ctp", 0)
    assert told <= {one["digest"] for one in facts(tmp_path / "log") if "digest" in one}
    assert {path.name for path in (tmp_path / "log").rglob(".*")} <= {".head", ".lock"}


def test_disk_that_fails_at_any_moment(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever write or fsync fails: what is told as unkept is not kept, what is told is, and the log takes the next decision."""
    [line, _] = world.run("ct-open bare.ctp | ct-check | ct-policy | ct-hash", 0).stdout.splitlines()
    monkeypatch.setenv("CT_HOME", world.env["CT_HOME"])
    kept = []
    for call, real in (("write", os.write), ("fsync", os.fsync), ("rename", os.rename), ("link", os.link)):
        for number in itertools.count():
            record, log, left = json.loads(line), tmp_path / call / str(number), [number]

            def failing(*given: Any, left: list[int] = left, real: Any = real, **named: Any) -> Any:
                left[0] -= 1
                if left[0] == -1:
                    raise OSError(errno.ENOSPC, "full")
                return real(*given, **named)

            (tmp_path / call).mkdir(exist_ok=True)
            with monkeypatch.context() as patched:
                patched.setattr(os, call, failing)
                auditkeep.Keeper(str(log), "verify", AT).decide(record)
            if left[0] >= 0:
                break
            there = list((log / "decisions").iterdir())
            assert len(there) == ("recorded" in record) == (record["findings"] == []), (call, number)
            kept.append(len(there))
            assert facts(log)[-1]["findings"] == [], (call, number)
            auditkeep.Keeper(str(log), "verify", AT).decide(again := json.loads(line))
            assert again["findings"] == []
            assert facts(log)[-1]["status"] == 0
    # The fsync of the directory in which `head` was replaced already takes nothing back.
    assert (len(kept), sum(kept)) == (20, 1)


def test_nobody_else_holds_a_keeper_up(world: World, small: Path) -> None:
    """Whoever can read the log can lock its directories and files, but not what a keeper waits for."""
    os.chmod(small, 0o755)
    # A copied log's may be readable until the next keeper comes.
    (small / ".lock").chmod(0o644)
    world.run(f"ct verify --record {small} good.ctp", 0)
    assert (small / ".lock").stat().st_mode & 0o777 == 0o600
    holders = [os.open(path, os.O_RDONLY) for path in (small, small / "decisions", small / "objects", small / "head")]
    for fd in holders:
        fcntl.flock(fd, fcntl.LOCK_EX)
    world.run(f"timeout 20 ct verify --record {small} good.ctp", 0)
    for fd in holders:
        os.close(fd)


@pytest.mark.parametrize("name", ["head", ".head"])
def test_what_nobody_writes_to_is_not_waited_for(world: World, small: Path, name: str) -> None:
    (small / name).unlink(missing_ok=True)
    os.mkfifo(small / name)
    world.run(f"timeout 20 ct verify --record {small} good.ctp", 11)


def test_head_left_behind(world: World, small: Path) -> None:
    """A keeper that was killed between the decision and `head`."""
    head = (small / "head").read_bytes()
    world.run(f"ct verify --record {small} good.ctp", 0)
    (small / "head").write_bytes(head)
    assert facts(small)[-1]["status"] == 0
    world.run(f"ct verify --record {small} good.ctp", 0)
    assert world.audit(small)[-1]["decisions"] == 4
    (small / "head").write_bytes(head)
    assert facts(small)[-1]["status"] == 10


@pytest.mark.parametrize("change", ["flip", "cut", "head", "gone", "next", "object"])
def test_nothing_is_chained_to_what_was_altered(world: World, small: Path, change: str) -> None:
    last = small / "decisions" / "00000002.json"
    match change:
        case "flip":
            last.write_bytes(last.read_bytes().replace(b"two.ctp", b"one.ctp"))
        case "cut":
            last.write_bytes(last.read_bytes()[:-1])
        case "head":
            (small / "head").write_bytes(b"2 sha256:" + b"0" * 64 + b"\n")
        case "gone":
            last.unlink()
        case "next":
            shutil.copy(last, small / "decisions" / "00000003.json")
        case "object":
            made = json.loads(last.read_text())
            (small / "objects" / made["keys"][7:]).write_text("[]")
    made = json.loads(world.run(f"ct verify --json --record {small} good.ctp", 11).stdout)
    assert made["findings"][0]["finding"] == "decision-unkept"
    assert made["findings"][0]["try"] == [f"ct audit {small}"]


# -- what is done to a log is seen --------------------------------------------------------------------------------------------


def test_every_byte(world: World, tmp_path: Path) -> None:
    """No byte of any file may change, nor be missing, and the last decision's neither."""
    small = tmp_path / "small"
    world.run(f"ct verify --at {AT} --record {small} bare.ctp unsigned.ctp", 2)
    assert facts(small)[-1]["status"] == 0
    for name, data in files(small).items():
        path = small / name
        # Objects are hashed as a whole.
        for at in range(0, len(data), 7 if name.startswith("objects") else 1):
            path.write_bytes(data[:at] + bytes([data[at] ^ (1 << at % 7)]) + data[at + 1 :])
            assert facts(small)[-1]["status"] == 10, (name, at)
        for size in {0, 1, len(data) // 2, len(data) - 1} & {*range(len(data))}:
            path.write_bytes(data[:size])
            assert facts(small)[-1]["status"] == 10, (name, size)
        path.write_bytes(data + b"\n")
        assert facts(small)[-1]["status"] == 10, name
        path.write_bytes(data)
    assert facts(small)[-1]["status"] == 0


def test_every_file(copied: Path) -> None:
    """No file may be missing, or be another's."""
    for name, data in files(copied).items():
        (copied / name).unlink()
        assert facts(copied)[-1]["status"] == 10, name
        (copied / name).write_bytes(data)
    decisions = sorted((copied / "decisions").iterdir())
    for one, other in itertools.combinations(decisions[:6], 2):
        was, its = one.read_bytes(), other.read_bytes()
        for here, there in ((its, was), (its, its)):
            one.write_bytes(here)
            other.write_bytes(there)
            assert facts(copied)[-1]["status"] == 10
        one.write_bytes(was)
        other.write_bytes(its)
    for stray in ("00000017.json", "17.json", "00000000.json", "0000000１.json", "x", "000000001.json"):
        shutil.copy(decisions[0], copied / "decisions" / stray)
        assert facts(copied)[-1]["status"] == 10, stray
        (copied / "decisions" / stray).unlink()
    assert facts(copied)[-1]["status"] == 0


def rechained(log: Path, number: int, change: Callable[[dict[str, Any]], object]) -> None:
    """Edit a decision as its author could: every later one and `head` are made to fit."""
    previous = None
    for path in sorted((log / "decisions").iterdir()):
        made = json.loads(path.read_text())
        if made["number"] == number:
            change(made)
        made["previous"] = previous
        path.write_bytes(jsonic.canonical(made) + b"\n")
        previous = digest(path.read_bytes())
        (log / "head").write_text(f"{made['number']} {previous}\n")


def put(log: Path, data: bytes) -> str:
    (log / "objects" / digest(data)[7:]).write_bytes(data)
    return digest(data)


def valid(made: dict[str, Any]) -> None:
    made |= {"status": 0, "finding": None, "findings": []}
    made["passed"] = dict.fromkeys(("structure", "signatures", "trust", "policy", "attestations", "content"), True)


# What an author edits consistently, in which decision of VERDICTS, and the status of `ct audit`.
FORGED: dict[str, tuple[int, Callable[[dict[str, Any]], object], int]] = {
    "nothing": (1, lambda made: None, 0),
    "unsigned made valid": (5, valid, 6),
    "flipped made valid": (6, valid, 6),
    "unknown made valid": (8, valid, 6),
    "not allowed made valid": (9, valid, 6),
    "registry made valid": (10, valid, 6),
    "unexpected made valid": (11, valid, 6),
    "no attestation made valid": (12, valid, 6),
    "only the status": (9, lambda made: made.update(status=0), 6),
    "only the finding": (9, lambda made: made.update(finding="threshold"), 6),
    "valid made refused": (1, lambda made: made.update(status=3), 6),
    "a pass": (9, lambda made: made["passed"].update(trust=True), 6),
    "a signature's status": (6, lambda made: made["signatures"][0].update(status="valid"), 6),
    "a signer": (1, lambda made: made["signatures"][-1].update(key_id="two"), 6),
    "who counted": (1, lambda made: made["trust"].update(counted=["one", "two"]), 6),
    "a rule": (9, lambda made: made["trust"]["rules"][0].update(status="pass"), 6),
    "a reason": (1, lambda made: made["trust"]["rules"][0].update(why="because"), 6),
    "the time": (1, lambda made: made.update(at="2001-01-01T00:00:00Z"), 6),
    "what was expected": (2, lambda made: made.update(expected="other"), 6),
    "no policy": (9, lambda made: made.update(policies=[]), 6),
    "trust left out": (9, lambda made: [made.pop("trust"), made.pop("policies")], 6),
    "a context": (9, lambda made: made["findings"][0]["context"].update(Signer="x"), 6),
    "a member more": (1, lambda made: made.update(more=1), 10),
    "keys left out": (1, lambda made: made.pop("keys"), 10),
    "another kind": (1, lambda made: made.update(record="ct/decision/2"), 10),
    "a time that is none": (1, lambda made: made.update(at="2027-02-30T00:00:00Z"), 10),
    "a note of a refusal": (9, lambda made: made["findings"][0].update(status=0), 10),
    "objects exchanged": (1, lambda made: made.update(keys=made["policies"][0]["digest"]), 10),
    "a policy of keys": (1, lambda made: made["policies"][0].update(digest=made["keys"]), 10),
    "a manifest of lines": (1, lambda made: made.update(manifest_digest=made["attestations"]), 10),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged(world: World, copied: Path, name: str) -> None:
    """An edit of which every later digest was made to fit."""
    number, change, status = FORGED[name]
    rechained(copied, number, change)
    said = world.audit(copied, status=status) if number == 9 else facts(copied)
    assert said[-1]["status"] == status, said[number - 1]["findings"]
    assert [one["number"] for one in said[:-1] if not one["holds"]] == [number] * (status != 0)


def test_head_is_an_anchor(world: World, copied: Path) -> None:
    """Who writes the whole log anew cannot make one that holds a head that was noted."""
    head = facts(copied)[-1]["head"]
    first = digest((copied / "decisions" / "00000001.json").read_bytes())
    world.audit(copied, f"--head {head}")
    world.audit(copied, f"--head {first}")
    (copied / "decisions" / "00000016.json").unlink()
    rechained(copied, 0, lambda made: None)
    assert facts(copied)[-1]["status"] == 0
    said = world.audit(copied, f"--head {head}", status=6)
    assert [one["finding"] for one in said[-1]["findings"]] == ["audit-head"]
    world.audit(copied, f"--head {first}")
    rechained(copied, 3, lambda made: made.update(bundle="other.ctp"))
    world.audit(copied, f"--head {first}")
    rechained(copied, 1, lambda made: made.update(bundle="other.ctp"))
    world.audit(copied, f"--head {first}", status=6)
    for wrong in ("", "x", "sha256:0", head.upper()):
        world.run(f"ct audit --head '{wrong}' {copied}", 64)


def test_another_version(copied: Path) -> None:
    """Of another version's decision only what decides is compared."""

    def older(made: dict[str, Any], why: str = "in other words") -> None:
        made["program"] = "0.0.0"
        made["trust"]["rules"][0]["why"] = why
        made["signatures"][0].pop("predicate_type")

    assert VERSION != "0.0.0"
    rechained(copied, 1, older)
    assert facts(copied)[-1]["status"] == 0
    rechained(copied, 9, lambda made: [older(made), valid(made)])
    assert facts(copied)[-1]["status"] == 6


def test_keys_are_believed_only_as_keys(copied: Path) -> None:
    """Recorded keys are checked as keys are: a fingerprint, a trust, a spelling."""
    made = json.loads((copied / "decisions" / "00000001.json").read_text())
    keys = json.loads((copied / "objects" / made["keys"][7:]).read_text())
    keys[0]["trusted"] = False
    changes: list[Callable[[list[dict[str, Any]]], object]] = [
        lambda its: its[0].update(trusted=False),
        lambda its: its[0].update(trusted=1),
        lambda its: its[0].update(fingerprint=its[1]["fingerprint"]),
        lambda its: its[0].update(publics=its[1]["publics"]),
        lambda its: its[0].update(publics=[]),
        lambda its: its[0].update(publics=["AA=="]),
        lambda its: its[0].update(suite_id="CT-SIG-99"),
        lambda its: its[0].update(key_id="../x"),
        lambda its: its[0].update(expires="soon"),
        lambda its: its[0].update(rotated_into=""),
        lambda its: its[0].update(more=1),
        lambda its: its.append(its[0]),
        lambda its: its.append(7),
    ]
    for change in changes:
        its = json.loads((copied / "objects" / made["keys"][7:]).read_text())
        change(its)
        name = put(copied, jsonic.canonical(its))
        rechained(copied, 1, lambda made, name=name: made.update(keys=name))
        assert facts(copied)[-1]["status"] == 10, its
    name = put(copied, b"{}")
    rechained(copied, 1, lambda made: made.update(keys=name))
    assert facts(copied)[-1]["status"] == 10


# -- a log by a stranger -----------------------------------------------------------------------------------------------------


def hostile(log: Path) -> Iterator[str]:
    """Things done to a log, each undone before the next."""
    one = log / "decisions" / "00000001.json"
    held = one.read_bytes()
    bundles = json.loads(held)

    def link(path: Path, to: str) -> None:
        path.unlink()
        path.symlink_to(to)

    for target in ("/dev/zero", "/dev/stdin", "/etc/passwd", "00000002.json", "nothing", str(log / "other.json")):
        (log / "other.json").write_bytes(held)
        link(one, target)
        yield f"a link to {target}"
        one.unlink()
        one.write_bytes(held)
    one.unlink()
    os.mkfifo(one)
    yield "a FIFO"
    one.unlink()
    one.mkdir()
    yield "a directory"
    one.rmdir()
    with open(one, "wb") as file:
        file.truncate(1 << 40)
    yield "a huge file"
    one.write_bytes(b"[" * 100000)
    yield "depth"
    one.write_bytes(b'{"record":"ct/decision/1","number":' + b"9" * 5000 + b"}\n")
    yield "a number"
    one.write_bytes(held)
    name = log / "objects" / bundles["manifest_digest"][7:]
    its = name.read_bytes()
    name.unlink()
    name.symlink_to("/dev/zero")
    yield "an object that is a link"
    name.unlink()
    with open(name, "wb") as file:
        file.truncate(1 << 40)
    yield "a huge object"
    name.write_bytes(its)
    head = (log / "head").read_bytes()
    for text in (
        b"",
        b"1",
        b"x" * 1000,
        b"99999999999999999999 sha256:" + b"0" * 64 + b"\n",
        "１ sha256:".encode() + b"0" * 64 + b"\n",
    ):
        (log / "head").write_bytes(text)
        yield f"head {text[:20]!r}"
    (log / "head").unlink()
    (log / "head").symlink_to("/dev/zero")
    yield "head a link"
    (log / "head").unlink()
    (log / "head").write_bytes(head)
    (log / "decisions" / "999999999999999.json").write_bytes(held)
    yield "a far number"
    (log / "decisions" / "999999999999999.json").unlink()
    (log / "decisions" / "\x1b[31m\u202eevil\n").write_bytes(held)
    yield "a name"
    (log / "decisions" / "\x1b[31m\u202eevil\n").unlink()
    (log / "objects").rename(log / "o")
    yield "no objects"
    (log / "objects").symlink_to("o")
    yield "objects a link"
    (log / "objects").unlink()
    (log / "o").rename(log / "objects")


def test_hostile_logs(world: World, copied: Path) -> None:
    """Found, in bounded time and memory, and said without a control character."""
    bounded = lambda: resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))  # noqa: E731
    for what in hostile(copied):
        made = world.run(f"ct audit {copied}", preexec_fn=bounded, timeout=20)
        assert made.returncode == 10, (what, made)
        assert (made.stdout + made.stderr).replace("\n", "").isprintable(), what
    assert facts(copied)[-1]["status"] == 0


def test_text_is_anothers(world: World, copied: Path) -> None:
    """Names from a log are shown harmlessly, as text and as JSON."""
    evil = "\x1b]0;x\x07\u202e\u0085.ctp"
    rechained(copied, 14, lambda made: made.update(bundle=evil))
    rechained(copied, 14, lambda made: made["findings"][0]["context"].update(Bundle=evil))
    for form in ("", "--json"):
        made = world.run(f"ct audit {form} {copied}", 0)
        assert made.stdout.replace("\n", "").isprintable()
    assert facts(copied)[13]["bundle"] == evil


def test_not_a_log(world: World, tmp_path: Path) -> None:
    for where, status in ((tmp_path, 10), (tmp_path / "nothing", 11), ("/dev/null", 11), ("good.ctp", 11)):
        world.run(f"ct audit {where}", status)
    (tmp_path / "decisions").mkdir()
    (tmp_path / "objects").mkdir()
    said = world.audit(tmp_path)
    assert said == [
        {"log": str(tmp_path), "decisions": 0, "head": None, "broken": 0, "differing": 0, "status": 0, "findings": []}
    ]
    world.audit(tmp_path, f"--head sha256:{'0' * 64}", status=6)


def test_members_of_any_type(small: Path) -> None:
    """Whatever JSON an author puts into a decision, it is found, and nothing trips."""
    values: list[Any] = [
        None,
        True,
        -1,
        2**53 - 1,
        1.5,
        "",
        "x" * 300,
        "sha256:" + "0" * 64,
        [],
        [[]],
        [{}],
        {},
        {"a": {}},
        ["x"],
    ]
    original = json.loads((small / "decisions" / "00000001.json").read_text())
    for member in original:
        for value in values:
            if member not in ("number", "previous", "bundle", "by", "program"):
                rechained(small, 1, lambda made, m=member, v=value: made.update({m: v}))
                assert facts(small)[-1]["status"] in (6, 10) or value == original[member], (member, value)
                rechained(small, 1, lambda made: [made.clear(), made.update(original)])
    for at, member in (("trust", "rules"), ("trust", "counted"), ("passed", "content"), ("passed", "trust")):
        for value in values:
            rechained(small, 1, lambda made, a=at, m=member, v=value: made[a].update({m: v}))
            assert facts(small)[-1]["status"] in (6, 10) or value == original[at][member], (at, member, value)
            rechained(small, 1, lambda made: [made.clear(), made.update(json.loads(json.dumps(original)))])


def test_many(world: World, tmp_path: Path) -> None:
    """Many decisions take time in proportion, and no more memory."""
    world.run(f"ct verify --record {tmp_path}/log {'bare.ctp ' * 100}", 0)
    began = time.monotonic()
    assert world.audit(tmp_path / "log")[-1]["decisions"] == 100
    assert time.monotonic() - began < 15
