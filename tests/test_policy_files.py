"""Which policies apply, ct-policy as a filter, ct-policy-edit, and that the manual's policies are policies."""

import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from cerrotorre import places, policyask, policycheck, policyfile, policyread
from cerrotorre.errors import Fail
from conftest import BUILD, ROOT
from console import Console

BIN = BUILD / "bin"
FINGERPRINT = "SHA256:" + "0a" * 32
POLICY = {"version": "1", "signers": {"allowed": [{"key_id": "alice"}]}}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made, host = tmp_path / "home", tmp_path / "etc"
    made.mkdir(mode=0o755)
    monkeypatch.setattr(places, "host_dir", lambda: str(host))
    return made


def put(path: Path, policy: Any = POLICY, mode: int = 0o644) -> Path:
    path.parent.mkdir(mode=0o755, exist_ok=True)
    path.write_text(policy if isinstance(policy, str) else json.dumps(policy))
    path.chmod(mode)
    return path


def load(home: Path, option: str | None = None, **env: str) -> list[tuple[str, Any]]:
    return policyfile.load(option, {"CT_HOME": str(home), **env})


def refused(home: Path, option: str | None = None, **env: str) -> tuple[str, int]:
    with pytest.raises(Fail) as caught:
        load(home, option, **env)
    return caught.value.finding["finding"], caught.value.finding["status"]


# -- which policies --------------------------------------------------------------------------------------------------------


def test_no_such_file_means_no_policy(home: Path) -> None:
    assert load(home) == []
    assert load(home / "missing") == []


def test_the_order_of_places(home: Path, tmp_path: Path) -> None:
    policies = {name: {"version": "1", "comment": name} for name in ("option", "env", "config", "default")}
    paths = {name: str(put(tmp_path / f"{name}.json", policy)) for name, policy in policies.items()}
    put(home / "policy.json", policies["default"])
    put(home / "config.toml", f'[defaults]\npolicy = "{paths["config"]}"')
    assert load(home, paths["option"], CT_POLICY=paths["env"]) == [(paths["option"], policies["option"])]
    assert load(home, CT_POLICY=paths["env"]) == [(paths["env"], policies["env"])]
    assert load(home) == [(paths["config"], policies["config"])]
    (home / "config.toml").unlink()
    assert load(home) == [("policy.json", policies["default"])]


def test_the_hosts_always_applies_as_well(home: Path, tmp_path: Path) -> None:
    host = put(tmp_path / "etc" / "policy.json", {"version": "1", "comment": "host"})
    assert [name for name, _ in load(home)] == [str(host)]
    named = put(tmp_path / "named.json")
    assert [name for name, _ in load(home, str(named))] == [str(named), str(host)]
    put(host, "{}")
    assert refused(home, str(named)) == ("policy-malformed", 10)


def test_one_that_was_named_and_is_missing(home: Path) -> None:
    put(home / "policy.json")
    assert refused(home, "/nowhere/p.json") == ("policy-unreadable", 11)
    assert refused(home, "") == ("policy-unreadable", 11)
    assert refused(home, "a\0b") == ("policy-unreadable", 11)
    assert refused(home, CT_POLICY="/nowhere/p.json") == ("policy-unreadable", 11)
    assert refused(home, CT_POLICY="") == ("policy-unreadable", 11)
    put(home / "config.toml", '[defaults]\npolicy = "missing.json"')
    assert refused(home) == ("policy-unreadable", 11)


def test_one_that_cannot_be_read(home: Path, tmp_path: Path) -> None:
    (home / "policy.json").mkdir()
    assert refused(home) == ("policy-unreadable", 11)
    (home / "policy.json").rmdir()
    (home / "policy.json").symlink_to(home / "nothing")
    assert refused(home)[1] in (11, 13)
    (home / "policy.json").unlink()
    os.mkfifo(tmp_path / "fifo")
    assert refused(home, str(tmp_path / "fifo")) == ("policy-unreadable", 11)
    assert refused(home, "/dev/null") == ("policy-unreadable", 11)
    big = put(tmp_path / "big.json", " " * ((1 << 20) + 1))
    assert refused(home, str(big)) == ("policy-malformed", 10)


def test_one_that_others_can_write(home: Path, tmp_path: Path) -> None:
    for mode in (0o666, 0o664, 0o646):
        put(home / "policy.json", mode=mode)
        assert refused(home) == ("store-unsafe", 13)
        # By whatever name.
        assert refused(home, str(home / "policy.json")) == ("store-unsafe", 13)
    put(home / "policy.json")
    home.chmod(0o777)
    assert refused(home) == ("store-unsafe", 13)
    home.chmod(0o755)
    put(tmp_path / "etc" / "policy.json", mode=0o666)
    assert refused(home) == ("store-unsafe", 13)
    (tmp_path / "etc" / "policy.json").unlink()
    # A policy named by the caller is the caller's own business.
    assert len(load(home, str(put(tmp_path / "mine.json", mode=0o666)))) == 1


def test_one_of_another_user(home: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to give a file away")
    os.chown(put(home / "policy.json"), 12345, 12345)
    assert refused(home) == ("store-unsafe", 13)


def test_another_user_chooses_none_of_the_user_s_own(home: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to give a directory away")
    lax = put(tmp_path / "lax.json")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "policy.json").symlink_to(lax)
    (home / "policy.json").symlink_to(theirs / "policy.json")
    assert len(load(home)) == 1
    os.chown(theirs, 12345, 12345)
    assert refused(home) == ("store-unsafe", 13)
    os.chown(theirs, 0, 0)
    os.lchown(theirs / "policy.json", 12345, 12345)
    assert refused(home) == ("store-unsafe", 13)


# -- the filter ------------------------------------------------------------------------------------------------------------


def record(**more: Any) -> dict[str, Any]:
    signature = {
        "kind": "bundle-signature",
        "status": "valid",
        "key_id": "alice",
        "fingerprint": FINGERPRINT,
        "suite_id": "CT-SIG-01",
        "signed_at": "2026-01-01T00:00:00Z",
        "trusted": True,
        "origin": "keys",
    }
    return {
        "record": "ct/bundle/1",
        "bundle": "nginx.ctp",
        "manifest": {"name": "nginx", "version": "1", "image_digest": "sha256:" + "1" * 64, "provenance": {"source": "oci:x"}},
        "manifest_digest": "sha256:" + "2" * 64,
        "signatures": [signature],
        "passed": {"structure": True, "signatures": True},
        "findings": [],
        "unknown member": [1, 2.5],
        **more,
    }


def finding(slug: str) -> dict[str, Any]:
    from cerrotorre import errors

    return errors.finding(slug)


def filtered(home: Path, *arguments: str, records: list[Any] | None = None, **env: str) -> tuple[int, list[dict[str, Any]]]:
    records = [record()] if records is None else records
    lines = [json.dumps(each) for each in [*records, {"record": "ct/end/1", "records": len(records)}]]
    ran = subprocess.run(
        [BIN / "ct-policy", *arguments],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        env={"CT_HOME": str(home), **env},
        timeout=60,
    )
    out = [json.loads(line) for line in ran.stdout.splitlines()]
    assert out[-1] == {"record": "ct/end/1", "records": len(out) - 1}, ran.stderr
    return ran.returncode, out[:-1]


def test_filter_writes_its_members_and_passes_on_the_rest(home: Path) -> None:
    forged = {
        "trust": {"policies": ["forged"]},
        "passed": {"structure": True, "signatures": True, "trust": False, "content": False},
    }
    status, [made] = filtered(home, "--at", "2026-02-01", records=[record(**forged)])
    assert status == 0
    assert made.pop("trust") == {
        "policies": [],
        "rules": [{"rule": "signers", "status": "pass", "why": "alice signed, and is in keys/ or trusted/", "policy": ""}],
        "counted": ["alice"],
        "files": [],
        "at": "2026-02-01T00:00:00Z",
    }
    assert made.pop("passed") == {
        "structure": True,
        "signatures": True,
        "content": False,
        "trust": True,
        "policy": True,
        "attestations": True,
    }
    sent = record()
    del sent["passed"]
    assert made == sent


def test_filter_statuses(home: Path, tmp_path: Path) -> None:
    strict = str(put(tmp_path / "strict.json", {"version": "1", "signers": {"allowed": [{"key_id": "bob"}]}}))
    status, [made] = filtered(home, "--policy", strict)
    assert status == 3 and made["passed"]["trust"] is False and made["passed"]["policy"] is True
    assert made["findings"][0]["context"]["Bundle"] == "nginx.ctp"
    assert filtered(home, "-p", strict)[0] == 3
    assert filtered(home, CT_POLICY=strict)[0] == 3
    assert filtered(home, "--at", "2025-12-31")[0] == 4
    assert filtered(home, "--expect", "redis")[0] == 4
    assert filtered(home, "--expect", "nginx:1")[0] == 0
    need = str(put(tmp_path / "need.json", {"version": "1", "require_attestations": {"sbom": True}}))
    assert filtered(home, "--policy", need)[0] == 5


def test_the_clock_is_not_source_date_epoch(home: Path) -> None:
    _, [made] = filtered(home, SOURCE_DATE_EPOCH="0")
    assert made["trust"]["at"][:4] == time.strftime("%Y", time.gmtime())


def test_filter_leaves_what_an_earlier_check_failed(home: Path) -> None:
    for slug in ("signature-invalid", "truncated", "internal"):
        sent = record(findings=[finding(slug)], passed={"structure": slug == "signature-invalid"})
        _, [made] = filtered(home, records=[sent])
        assert made == sent
    sent = record(findings=[finding("signature-invalid")], passed={"structure": True})
    status, [made] = filtered(home, "--all", records=[sent])
    assert status == 2 and made["passed"]["trust"] is True and "signatures" not in made["passed"]
    sent = record(findings=[finding("truncated")], passed={})
    assert filtered(home, "--all", records=[sent])[1] == [sent]


def test_a_check_that_nobody_made_is_no_pass(home: Path) -> None:
    for arguments, passed in (
        ((), {}),
        ((), {"structure": True}),
        ((), {"signatures": True}),
        ((), {"structure": 1, "signatures": 1}),
        (("--all",), {"signatures": True}),
    ):
        status, [made] = filtered(home, *arguments, records=[record(passed={**passed, "trust": True})])
        assert status == 70 and made["findings"][0]["finding"] == "not-passed"
        assert "trust" not in made and "trust" not in made["passed"]


def test_failures_travel_in_band(home: Path, tmp_path: Path) -> None:
    for arguments, status, slug in (
        (("--policy", "/nowhere"), 11, "policy-unreadable"),
        (("--policy", str(put(tmp_path / "bad.json", '{"version": "2"}'))), 10, "policy-malformed"),
        (("--at", "tomorrow"), 64, "usage"),
        (("--expect", "NGINX"), 64, "reference"),
        (("--bogus",), 64, "usage"),
    ):
        got, [made] = filtered(home, *arguments)
        assert (got, made["record"], made["finding"]["finding"]) == (status, "ct/error/1", slug)


def test_many_records(home: Path) -> None:
    status, made = filtered(home, records=[record(), record(signatures=[]), record(findings=[finding("truncated")])])
    assert status == 10
    assert ["trust" in each for each in made] == [True, True, False]


def test_hot_path_imports_little(home: Path) -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]; from cerrotorre import expect, policy, policyfile; policyfile.load(None);"
        "print(*{'jsonschema', 'tomllib', 'nacl', 'datetime', 'dataclasses', 'pathlib', 'difflib', 'ipaddress', '_hashlib'} & set(sys.modules))"
    )
    import sys

    library = str(BUILD / "lib" / "cerro-torre")
    ran = subprocess.run(
        [sys.executable, "-ISc", code, library], env={"CT_HOME": str(home)}, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == []


# -- the editor ------------------------------------------------------------------------------------------------------------


def edit(home: Path, *arguments: str, data: str | None = None) -> subprocess.CompletedProcess[str]:
    # setsid: without a controlling terminal, so that nothing can be asked.
    return subprocess.run(
        [BIN / "ct-policy-edit", *arguments],
        env={"CT_HOME": str(home), "HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=60,
    )


def keygen(home: Path, key_id: str) -> str:
    made = subprocess.run(
        [BIN / "ct-key", "generate", "--id", key_id, "--no-password", "--json"],
        env={"CT_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return str(json.loads(made.stdout)["fingerprint"])


def test_init_allows_the_trusted_keys_and_never_overwrites(home: Path) -> None:
    fingerprint = keygen(home, "alice")
    assert edit(home, "init").returncode == 64
    assert not (home / "policy.json").exists()
    ran = edit(home, "init", "--yes")
    assert ran.returncode == 0, ran.stderr
    text = (home / "policy.json").read_text()
    assert json.loads(text) == {
        "version": "1",
        "default_action": "deny",
        "signers": {"allowed": [{"key_id": "alice", "fingerprint": fingerprint}]},
    }
    assert (home / "policy.json").stat().st_mode & 0o777 == 0o644
    again = edit(home, "init", "--yes")
    assert again.returncode == 64 and "ct policy show" in again.stderr
    assert (home / "policy.json").read_text() == text
    assert [path.name for path in home.iterdir() if path.name.startswith(".")] == []


def test_init_asks_at_the_terminal(home: Path) -> None:
    keygen(home, "alice")
    keygen(home, "bob")
    answers = [
        ("Whose signatures", "2 alice\n"),
        ("How many of these 2 keys", "2\n"),
        ("which registries", "docker.io/library/* ghcr.io*\n"),
        ("Is that meant?", "n\n"),
        ("which registries", "docker.io/library/*, ghcr.io\n"),
        ("an SBOM", "y\n"),
        ("How many days", "90\n"),
    ]
    with Console(BIN / "ct-policy-edit", "init", env={"CT_HOME": str(home)}, cwd=home) as at:
        assert at.converse(*answers) == 0, at.text()
        assert "* Signatures older than 90 days do not count." in at.text()
    policy = json.loads((home / "policy.json").read_text())
    assert [entry["key_id"] for entry in policy["signers"]["allowed"]] == ["alice", "bob"]
    assert policy["signers"]["threshold"] == 2
    assert policy["registries"] == {"allowed": ["docker.io/library/*", "ghcr.io"]}
    assert policy["require_attestations"] == {"sbom": True} and policy["time"] == {"max_age_days": 90}


def test_enter_takes_what_is_in_brackets(home: Path) -> None:
    keygen(home, "alice")
    answers = [("Whose", "\n"), ("which registries", "\n"), ("an SBOM", "\n"), ("How many days", "\n")]
    with Console(BIN / "ct-policy-edit", "init", env={"CT_HOME": str(home)}, cwd=home) as at:
        assert at.converse(*answers) == 0, at.text()
    made = (home / "policy.json").read_text()
    (home / "policy.json").unlink()
    assert edit(home, "init", "--yes").returncode == 0
    assert (home / "policy.json").read_text() == made


def test_questions_are_asked_until_they_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answered(*answers: bytes | None) -> None:
        left = list(answers)
        asked.clear()
        monkeypatch.setattr(policyask.terminal, "ask", lambda question: (asked.append(question), left.pop(0))[1])

    keys = [{"key_id": name, "fingerprint": "SHA256:"} for name in ("2", "bob", "all")]
    for answer, chosen in ((b"", keys), (b" all", keys), (b"none", []), (b"2 3", [keys[0], keys[2]]), (b"3,bob", keys[1:])):
        answered(answer)
        assert policyask.signers(keys) == chosen
    answered(b"bbo\x1b[2J", b"4", b"bob")
    assert policyask.signers(keys) == [keys[1]]
    assert len(asked) == 3 and "\x1b" not in asked[1] and "bbo\\x1b[2J" in asked[1]
    answered()
    assert policyask.signers([]) == [] and policyask.threshold(1) == 1
    answered(b"0", b"\xc2\xb2", b"4", b"99999999999999999999999999", b"3")
    assert policyask.threshold(3) == 3 and len(asked) == 5
    answered(b"ghcr.io a\x1b|b", b" ghcr.io  quay.io/* ghcr.io ")
    assert policyask.registries() == ["ghcr.io", "quay.io/*"]
    assert len(asked) == 2 and "a\\x1b|b" in asked[1] and "\x1b" not in asked[1]
    answered(b"ghcr.io/org*", b"y")
    assert policyask.registries() == ["ghcr.io/org*"] and "ghcr.io/org-evil" in asked[1]
    answered(b"any")
    assert policyask.registries() == []
    answered(b"perhaps", b"Yes")
    assert policyask.sbom() is True and asked[1].startswith("Answer y or n. ")
    answered(b"0", b"36501", b"1e3", b"36500")
    assert policyask.max_age() == 36500
    for ask in (lambda: policyask.signers(keys), policyask.registries, policyask.sbom, policyask.max_age):
        answered(None)
        with pytest.raises(Fail) as caught:
            ask()
        assert caught.value.finding["finding"] == "usage" and "--yes" in str(caught.value)


def test_check(home: Path, tmp_path: Path) -> None:
    assert edit(home, "check").returncode == 11
    keygen(home, "alice")
    put(home / "policy.json", POLICY)
    ran = edit(home, "check")
    assert (ran.returncode, ran.stdout) == (0, f"{home}/policy.json is a policy\n")
    wrong = put(tmp_path / "wrong.json", {"version": 1, "signers": {"treshold": 1}, "unpinned": "no"})
    ran = edit(home, "check", str(wrong))
    assert ran.returncode == 10
    errors = [line for line in ran.stderr.splitlines() if ": error: " in line]
    assert len(errors) == 3 and "hint: ct policy check" not in ran.stderr
    places = (":1:2: /version: ", ":1:28: /signers/treshold: ", ":1:44: /unpinned: ")
    assert all(sum(place in line for line in errors) == 1 for place in places), errors
    assert "did you mean threshold?" in ran.stderr
    for text in ("{", "", '{"version": "1", "version": "1"}', " " * (1 << 20) + "{}", "{}"):
        ran = edit(home, "check", str(put(tmp_path / "no.json", text)))
        assert ran.returncode == 10 and ran.stderr.count(": error: ") == 1 and "Pointer: \n" not in ran.stderr, ran.stderr
        assert ("more than 1 MiB" in ran.stderr) is (len(text) > 100)
    ran = edit(home, "check", str(put(tmp_path / "warn.json", {"version": "1", "registries": {"allowed": ["ghcr.io*"]}})))
    assert ran.returncode == 0 and "warning: /registries/allowed/0: " in ran.stdout


KEYS = [
    {"key_id": "alice", "fingerprint": FINGERPRINT, "trusted": True},
    {"key_id": "bob", "fingerprint": "SHA256:" + "0b" * 32, "trusted": True},
    {"key_id": "eve", "fingerprint": "SHA256:" + "0e" * 32, "trusted": False},
]
WARNINGS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    (
        {
            "signers": {"allowed": [{"key_id": "a*"}], "threshold": 1},
            "registries": {"allowed": ["docker.io/library/*", "*.corp.example"]},
        },
        [],
    ),
    ({"registries": {"allowed": ["ghcr.io/org*"]}}, ["also matches 'ghcr.io/org-evil/"]),
    ({"registries": {"allowed": ["ghcr.io*"]}}, ["also matches 'ghcr.io.evil.example'"]),
    ({"registries": {"allowed": ["ghcr.io*/org/*"]}}, ["also matches 'ghcr.io.evil.example'"]),
    ({"registries": {"allowed": ["*corp.example"]}}, ["also matches 'evilcorp.example'"]),
    ({"registries": {"allowed": ["nginx"]}}, ["matches nothing"]),
    ({"registries": {"allowed": ["docker.io/library/nginx"]}}, ["matches nothing"]),
    ({"registries": {"blocked": ["docker.io/library/nginx", "ghcr.io*", "local"]}}, []),
    ({"registries": {"allowed": ["ghcr.io/Org/*"]}}, ["matches nothing"]),
    ({"registries": {"allowed": ["GHCR.io/Foo"]}}, ["a repository is in lower case: 'foo'"]),
    ({"registries": {"allowed": ["ghcr.io/Foo:*"]}}, ["a repository is in lower case: 'foo'"]),
    ({"registries": {"allowed": ["ghcr.io/**x"]}}, ["matches hardly anything"]),
    ({"registries": {"allowed": ["ghcr.io/foo:1?", "ghcr.io/*/app:V1"]}}, []),
    ({"registries": {"allowed": ["https://ghcr.io/foo"]}}, ["no scheme; perhaps 'ghcr.io/foo:*'"]),
    ({"registries": {"blocked": ["https://ghcr.io"]}}, ["no scheme; perhaps 'ghcr.io'"]),
    ({"registries": {"allowed": ["localhost", "registry.internal:*", "docker.io/library/debian:bookworm*"]}}, []),
    ({"base_images": {"allowed": []}}, ["allows none"]),
    ({"registries": {"allowed": []}}, ["allows none"]),
    ({"signers": {"allowed": []}}, ["allows no signer"]),
    ({"suites": {"allowed": []}}, ["allows no suite"]),
    ({"suites": {"allowed": ["CT-SIG-01"], "minimum": "CT-SIG-02"}}, ["below the minimum"]),
    ({"signers": {"allowed": [{"key_id": "carol"}]}}, ["no key in keys/ or trusted/ is carol"]),
    ({"signers": {"allowed": [{"key_id": "eve"}]}}, ["no key in keys/ or trusted/ is eve"]),
    ({"signers": {"allowed": [{"key_id": "bob", "fingerprint": FINGERPRINT}]}}, ["no key in keys/ or trusted/ is bob with"]),
    ({"signers": {"threshold": 3}}, ["3 signers are needed, and 2"]),
    ({"signers": {"threshold": 2, "allowed": [{"key_id": "alice"}]}}, ["2 signers are needed, and 1"]),
    ({"default_action": "allow", "signers": {"threshold": 2, "allowed": [{"key_id": "alice"}]}}, []),
    ({"signers": {"threshold": 1, "threshold_from": ["release-*"]}}, ["1 signers are needed, and 0", "is release-*"]),
    (
        {"signers": {"allowed": [{"key_id": "alice", "required": True, "sources": ["ghcr.io"]}]}},
        ["every bundle from elsewhere"],
    ),
    ({"signers": {"allowed": [{"key_id": "alice", "sources": ["ghcr.io*"]}]}}, ["ghcr.io.evil.example"]),
    ({"signers": {"denied": [{"key_id": "nobody"}]}}, ["a fingerprint would deny it"]),
    ({"signers": {"denied": [{"key_id": "bob", "after": "2026-01-02", "before": "2026-01-02"}]}}, ["denied always"]),
    (
        {"signers": {"denied": [{"key_id": "bob", "after": "2026-01-02"}]}, "time": {"accept_claimed": True}},
        ["date a signature back"],
    ),
    ({"pin": {"docker.io/library/nginx": {"digest": "sha256:" + "1" * 64}}}, ["docker.io/library/nginx:latest"]),
    ({"require_attestations": {"sbom": True, "provenance": False}}, []),
    ({"require_attestations": {"transparency_log": True}}, ["every bundle is refused"]),
    ({"require_attestations": {"sbom": {"from": ["alice", "ci-*"]}}}, ["no key in keys/ or trusted/ is ci-*"]),
    ({"require_attestations": {"provenance": {"builders": ["https://ci.example/*"]}}}, []),
]


@pytest.mark.parametrize(("rules", "said"), WARNINGS)
def test_warnings(rules: dict[str, Any], said: list[str]) -> None:
    policy = policyread.read(json.dumps({"version": "1", **rules}).encode(), "p")
    found = policycheck.warnings(policy, KEYS)
    assert len(found) == len(said), found
    for (at, text), part in zip(found, said, strict=True):
        assert part in text
        value: Any = policy
        for step in at.split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            value = value[int(step)] if isinstance(value, list) else value[step]


# -- the manual ------------------------------------------------------------------------------------------------------------


def examples(page: str) -> list[str]:
    text = (ROOT / "man" / page).read_text()
    return re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed", text, re.DOTALL | re.MULTILINE)


def test_every_policy_in_the_manual_is_a_policy() -> None:
    found = [example for example in examples("ct-policy.5") if example.startswith("{")]
    assert len(found) == 4
    for example in found:
        policyread.read(example.encode(), "ct-policy(5)")
        assert policycheck.schema_errors(example.encode()) == []


def test_every_policy_in_the_specification_is_a_policy() -> None:
    text = (ROOT / "spec" / "policy.adoc").read_text()
    found = re.findall(r"^\[source,json\]\n----\n(.*?)^----", text, re.DOTALL | re.MULTILINE)
    assert found
    for example in found:
        policyread.read(example.encode(), "spec/policy.adoc")
        assert policycheck.schema_errors(example.encode()) == []


def test_every_member_is_in_the_manual_and_the_specification() -> None:
    schema = json.loads((ROOT / "spec" / "policy.schema.json").read_text())
    members = {
        name
        for part in (schema, *schema["properties"].values(), *schema["$defs"].values())
        for name in part.get("properties", {})
    }
    for page in ("man/ct-policy.5", "spec/policy.adoc"):
        text = (ROOT / page).read_text()
        assert [name for name in sorted(members) if name not in text] == []
