"""What conformance/policy cannot say of the policy judge: records that are not as ct-check makes them, and what is said in words."""

import json
import re
from typing import Any

import alter
import policy_cases
import pytest
from cerrotorre import counted, errors, expect, policy, policyread, predicate
from cerrotorre.jsonic import dump
from images import make
from small import BIN, environment, pair, run, tool, verdicts

NOW = "2026-11-22T12:00:00Z"
SIGNED = "2026-11-20T10:00:00Z"
IMAGE, MANIFEST = "sha256:" + "1" * 64, "sha256:" + "2" * 64
OTHER = "sha256:" + "3" * 64
INDEX = "sha256:" + "4" * 64


def fingerprint(key_id: str) -> str:
    return "SHA256:" + key_id.encode().hex().ljust(64, "0")[:64]


def sig(key_id: str = "alice", **more: Any) -> dict[str, Any]:
    return {
        "kind": "bundle-signature",
        "status": "valid",
        "key_id": key_id,
        "fingerprint": fingerprint(key_id),
        "suite_id": "CT-SIG-01",
        "signed_at": SIGNED,
        "origin": "trusted",
        "trusted": True,
        "predicate_type": "https://cerro-torre.org/attestation/bundle-signature/v1",
        **more,
    }


ABOUT = {
    "sbom": {"version": "SPDX-2.3", "packages": 2, "name": "x"},
    "provenance": {"builder": "https://ci.example/v3", "build_type": "x:y"},
}


def said(kind: str, key_id: str = "alice", **more: Any) -> dict[str, Any]:
    """A statement about the image; a member that is None is absent."""
    made = sig(key_id, kind="attestation", predicate_type=predicate.TYPES[kind][0], schema="valid", about=ABOUT[kind]) | more
    return {name: value for name, value in made.items() if value is not None}


def bundle(*signatures: dict[str, Any], **more: Any) -> dict[str, Any]:
    manifest = {
        "name": "nginx",
        "version": "1.26",
        "image_digest": IMAGE,
        "metadata": {"base_name": "docker.io/library/debian:bookworm-slim"},
        "provenance": {"source": "docker.io/library/nginx:1.26", "registry": "docker.io"},
        **more,
    }
    return {"manifest": manifest, "manifest_digest": MANIFEST, "signatures": list(signatures or (sig(),))}


ALICE, BOB = {"key_id": "alice"}, {"key_id": "bob"}


def judge(rules: dict[str, Any], record: dict[str, Any], now: str = NOW, expect: str | None = None) -> dict[str, Any]:
    written = {"version": "1", **rules}
    policyread.read(dump(written).encode(), "p.json")
    return policy.judge([("p.json", written)], record, now, expect)


def slugs(judged: dict[str, Any]) -> list[str]:
    return [made["finding"] for made in judged["findings"]]


# name: (rules, record, findings)
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "an unknown signature that claims a trusted id": ({}, bundle(sig(status="unknown")), ["signer-unknown"]),
    "an invalid signature": ({}, bundle(sig(status="invalid")), ["signer-unknown"]),
    "a signature without its time": ({}, bundle(sig(signed_at="yesterday")), ["signer-unknown"]),
    "a signature with an expiry that is no time": ({}, bundle(sig(expires="never")), ["signer-unknown"]),
    "a proof that is no time": ({}, bundle(sig(existed_by="2026-11-20")), ["signer-unknown"]),
    "a proof that is no text": ({}, bundle(sig(existed_by=1)), ["signer-unknown"]),
    "a key that expires at no time": ({}, bundle(sig(key_expires="2026-02-30")), ["signer-unknown"]),
    "trust is true and nothing else": ({}, bundle(sig(trusted=1)), ["signer-untrusted"]),
    "an unknown suite is below every minimum": (
        {"suites": {"minimum": "CT-SIG-01"}},
        bundle(sig(suite_id="CT-SIG-99")),
        ["suite-not-allowed"],
    ),
    "rotated, named by fingerprint": (
        {"signers": {"threshold": 2}},
        bundle(sig(rotated_into=fingerprint("alice-2")), sig("alice-2")),
        ["threshold"],
    ),
    "no metadata": (
        {"base_images": {"allowed": ["*"]}},
        {**bundle(), "manifest": {k: v for k, v in bundle()["manifest"].items() if k != "metadata"}},
        ["base-image-not-allowed"],
    ),
    "a statement whose signature is not genuine": (
        {"require_attestations": {"sbom": True}},
        bundle(sig(), said("sbom", status="invalid")),
        ["attestation-missing"],
    ),
    "a statement that nothing judged by its schema": (
        {"require_attestations": {"provenance": True}},
        bundle(sig(), said("provenance", schema=None)),
        ["attestation-missing"],
    ),
    "a statement whose proof is no time": (
        {"require_attestations": {"sbom": True}},
        bundle(sig(), said("sbom", existed_by="soon")),
        ["attestation-missing"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_record(name: str) -> None:
    rules, record, findings = CASES[name]
    assert slugs(judge(rules, record)) == findings


@pytest.mark.parametrize(
    ("suite", "minimum", "counts"),
    [
        (suite, minimum, policyread.SUITES.index(suite) >= policyread.SUITES.index(minimum))
        for suite in policyread.SUITES
        for minimum in policyread.SUITES
    ],
)
def test_suites_rank(suite: str, minimum: str, counts: bool) -> None:
    assert tuple(f"CT-SIG-{number}" for number in ("01", "04", "03", "06", "02")) == policyread.SUITES
    assert slugs(judge({"suites": {"minimum": minimum}}, bundle(sig(suite_id=suite)))) == (
        [] if counts else ["suite-not-allowed"]
    )


def test_judging_changes_nothing() -> None:
    record, rules = bundle(), {"version": "1", "signers": {"allowed": [ALICE]}}
    before = dump([record, rules])
    policy.judge([("p", rules)], record, NOW)
    assert dump([record, rules]) == before


def test_findings_say_who_and_what() -> None:
    made = judge({"signers": {"allowed": [BOB]}}, bundle())["findings"][0]
    assert made["context"] == {
        "Signer": "alice",
        "Fingerprint": fingerprint("alice"),
        "Policy": "p.json",
        "Rule": "signers.allowed",
    }
    made = judge({"pin": {"nginx": {"digest": OTHER}}}, bundle())["findings"][0]
    assert (made["context"]["Expected"], made["context"]["Actual"]) == (OTHER, IMAGE)
    made = judge({"registries": {"blocked": ["docker.io"]}}, bundle())["findings"][0]
    assert made["context"]["Source"] == "docker.io/library/nginx:1.26" and made["context"]["Pattern"] == "docker.io"
    made = judge({"signers": {"denied": [{**ALICE, "reason": "laptop stolen"}]}}, bundle())["findings"][0]
    assert "laptop stolen" in made["detail"]


def test_rules_say_what_matched() -> None:
    rules = {
        "signers": {"allowed": [{"key_id": "al*"}]},
        "suites": {"allowed": ["CT-SIG-01"]},
        "registries": {"allowed": ["docker.io"]},
    }
    lines = judge(rules, bundle())["rules"]
    assert [(line["rule"], line["status"], line.get("matched")) for line in lines] == [
        ("signers.allowed", "pass", "al*"),
        ("suites.allowed", "pass", "CT-SIG-01"),
        ("registries.allowed", "pass", "docker.io"),
    ]


# -- expectations ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "spelled", "mirror"),
    [
        ("redis", "redis", False),
        ("mirror.example/library/nginx", "mirror.example/library/nginx:latest", True),
        (f"nginx@{OTHER}", f"nginx@{OTHER}", True),
    ],
)
def test_what_was_expected_is_said(wanted: str, spelled: str, mirror: bool) -> None:
    (found,) = judge({}, bundle(), expect=wanted)["findings"]
    assert (found["context"]["Expected"], found["context"]["Actual"]) == (spelled, "nginx:1.26")
    assert ("--expect nginx" in found["context"].get("Hint", "")) is mirror


def test_expect_something_that_is_nothing() -> None:
    with pytest.raises(errors.Fail) as caught:
        judge({}, bundle(), expect="NGINX:")
    assert caught.value.finding["finding"] == "reference"


@pytest.mark.parametrize("wanted", ["oci:hello:1.0", "docker://nginx", "oci-archive:./x.tar"])
def test_expect_a_source(wanted: str) -> None:
    with pytest.raises(errors.Fail, match=r"--expect takes NAME\[:VERSION\] or a registry reference") as caught:
        expect.check(wanted)
    assert caught.value.finding["context"]["Reference"] == wanted


def test_a_record_without_signatures() -> None:
    record = bundle()
    del record["signatures"]
    assert slugs(judge({}, record)) == ["signer-unknown"]
    record["signatures"] = [None, 1, "x", {}, {"kind": "bundle-signature", "status": "valid"}]
    assert slugs(judge({}, record)) == ["signer-unknown"]


def test_distinct_counts_keys_not_lines() -> None:
    signatures = [sig(), sig(), sig("bob", rotated_into="alice"), sig("carol")]
    assert len(counted.signers(signatures, signatures)) == 2


def test_who_is_missing_for_a_threshold_is_said() -> None:
    rules: dict[str, Any] = {"signers": {"allowed": [ALICE, BOB, {"key_id": "carol"}], "threshold": 2}}

    def why(*signatures: dict[str, Any], **more: Any) -> str:
        judged = judge({"signers": rules["signers"] | more}, bundle(*signatures))
        assert slugs(judged)[0] == "threshold"
        return str(next(line["why"] for line in judged["rules"] if line["rule"] == "signers.threshold"))

    assert why(sig()) == "2 signers needed, 1 counted; also allowed: bob, carol"
    denied = [{"key_id": "carol", "after": "2026-06-01"}]
    assert why(sig(), denied=denied) == "2 signers needed, 1 counted; also allowed: bob"
    assert why(sig(), denied=[{"key_id": "carol", "before": "2026-06-01"}]).endswith("also allowed: bob, carol")
    one = "2 signers needed, 1 counted; alice and bob are one signer, by rotation; also allowed: carol"
    assert why(sig(rotated_into="bob"), sig("bob")) == one
    assert why(sig(rotated_into="bob")).endswith("also allowed: carol")
    aside = "2 signers needed among b* or c*, 0 counted; alice signed, and the threshold does not count that; also allowed: bob, carol"
    assert why(sig(), threshold_from=["b*", "c*"]) == aside
    elsewhere = [ALICE, BOB | {"sources": ["ghcr.io/x/*"]}, {"key_id": "c*"}]
    assert why(sig(), allowed=elsewhere).endswith("1 counted; also allowed: c*")
    many = [ALICE, *({"key_id": f"key-{number}"} for number in range(20))]
    assert why(sig(), allowed=many).endswith("key-6, key-7 and 12 more")


def test_why_a_statement_does_not_count_is_said() -> None:
    record = bundle(
        sig(), said("sbom", "bob", schema="invalid", schema_error="/packages: none"), said("sbom", status="unknown")
    )
    (found,) = judge({"require_attestations": {"sbom": {"from": ["ci-*"]}}}, record)["findings"]
    assert found["context"]["Required"] == "sbom" and found["context"]["From"] == "ci-*"
    assert found["context"]["Found"] == (
        "that of bob is not valid by its schema: /packages: none; no key of your store made one that is there"
    )


def test_what_made_a_statement_count_is_said() -> None:
    wanted = {"sbom": True, "provenance": {"from": ["a*"], "builders": ["https://ci.example/*"]}}
    judged = judge({"require_attestations": wanted}, bundle(sig(), said("sbom"), said("provenance")))
    lines = [line for line in judged["rules"] if line["rule"].startswith("require_attestations")]
    assert [(line["why"], line.get("matched")) for line in lines] == [
        ("SPDX 2.3, 2 packages, signed by alice", None),
        ("SLSA v1, built by https://ci.example/v3, signed by alice", "a*, https://ci.example/*"),
    ]


def test_many_statements_make_no_long_finding() -> None:
    bad = [said("sbom", schema="invalid", schema_error="x" * 500) for _ in range(250)]
    (found,) = judge({"require_attestations": {"sbom": True}}, bundle(sig(), *bad))["findings"]
    assert len(dump(found)) < 8000


# -- in words ----------------------------------------------------------------------------------------------------------------


def test_reasons_are_sentences_of_their_own() -> None:
    """No two lines of a case are the same, and none has a hole."""
    for path in policy_cases.CASES:
        judged = policy_cases.judged(policy_cases.asked(json.loads(path.read_text())))
        said = [(line["rule"], line["why"], line["policy"]) for line in judged["rules"]]
        assert len(said) == len(set(said)), path.name
        for _, why, _ in said:
            assert len(why) > 10 and not re.search(r"None|  |[{}]|\[\]|, ,", why), (path.name, why)


@pytest.mark.parametrize(
    ("entry", "more", "claim", "why"),
    [
        ({}, {}, {}, "alice is denied"),
        ({"reason": "laptop stolen"}, {}, {}, "alice is denied (laptop stolen)"),
        (
            {"after": "2026-11-21", "reason": "stolen"},
            {},
            {},
            f"alice is denied after 2026-11-21 (stolen); its signature says {SIGNED}; nothing proves that it existed by then",
        ),
        (
            {"after": "2026-11-21"},
            {"accept_claimed": True},
            {},
            f"alice is denied after 2026-11-21; its signature says {SIGNED}; time.accept_claimed believes that, so it is not denied",
        ),
        (
            {"after": "2026-11-19"},
            {"accept_claimed": True},
            {},
            f"alice is denied after 2026-11-19; its signature says {SIGNED}",
        ),
        (
            {"after": "2026-11-20"},
            {},
            {"existed_by": SIGNED},
            f"alice is denied after 2026-11-20; its signature says {SIGNED} and is proved to have existed by {SIGNED}, so it is not denied",
        ),
        (
            {"before": "2026-11-20"},
            {},
            {},
            f"alice is denied before 2026-11-20; its signature says {SIGNED}, so it is not denied",
        ),
        (
            {"after": "2026-11-20", "before": "2026-11-21"},
            {},
            {},
            "alice is denied after 2026-11-20 and before 2026-11-21; no time lies between, so all are denied",
        ),
    ],
)
def test_denied_in_words(entry: dict[str, Any], more: dict[str, Any], claim: dict[str, Any], why: str) -> None:
    judged = judge({"signers": {"denied": [ALICE | entry]}, "time": more}, bundle(sig(**claim)))
    assert [line["why"] for line in judged["rules"] if line["rule"] == "signers.denied[0]"] == [why]


def test_young_by_its_own_word_alone() -> None:
    record = bundle(sig(existed_by="2026-11-01T00:00:00Z"))
    (found,) = judge({"time": {"max_age_days": 3}}, record)["findings"]
    said = f"alice signed {SIGNED}, but its signature existed by 2026-11-01T00:00:00Z, more than 3 days before {NOW}"
    assert found["detail"] == said
    assert (found["context"]["Signed at"], found["context"]["Existed by"]) == (SIGNED, "2026-11-01T00:00:00Z")


# -- whose word a proved time is -----------------------------------------------------------------------------------------------


def test_a_planted_proof_does_not_survive(tmp_path: Any) -> None:
    """`signatures` is ct-check's: it makes every entry anew, so what stood in the record, or stands in a statement, proves nothing."""
    env = environment(tmp_path)
    pair(tmp_path, "alice")
    make("single", tmp_path / "image")
    tool("ct", "pack", "-q", "-o", tmp_path / "a.ctp", f"oci:{tmp_path}/image", env=env)
    (tmp_path / "policy.json").write_text('{"version":"1","signers":{"denied":[{"key_id":"alice","after":"2024-01-01"}]}}')
    at = ["--at", "2024-01-02", "--policy", tmp_path / "policy.json"]
    proof = {"existed_by": "2023-12-31T23:59:59Z"}

    def judged(lines: str, planted: bool) -> list[str]:
        record, end = map(json.loads, lines.splitlines())
        if planted:
            record["signatures"] = [{**one, **proof} for one in record.get("signatures", [sig()])]
            record.update(proof)
        return [json.dumps(record), json.dumps(end)]

    opened = tool("ct-open", tmp_path / "a.ctp", env=env).stdout
    before = "\n".join(judged(opened, True)) + "\n"
    checked = tool("ct-check", env=env, input=before).stdout
    (signature,) = json.loads(checked.splitlines()[0])["signatures"]
    assert "existed_by" not in signature
    made = run(BIN / "ct-policy", *at, env=env, input=checked)
    record = json.loads(made.stdout.splitlines()[0])
    assert [one["finding"] for one in record["findings"]] == ["signer-denied"]
    # A statement cannot say it either: a predicate has exactly its members.
    bundle_of = alter.Bundle((tmp_path / "a.ctp").read_bytes())
    bundle_of.unsign()
    bundle_of.sign(alter.open_key(f"{tmp_path}/keys/alice.key"), lambda said: said["predicate"].update(proof))
    (tmp_path / "b.ctp").write_bytes(bytes(bundle_of))
    (verdict,) = verdicts(["b.ctp"], env=env, cwd=tmp_path)
    assert verdict["finding"] == "statement-malformed"
    # The same after ct-check would excuse it: so much is the record believed, and no more than the process that wrote it.
    after = "\n".join(judged(checked, True)) + "\n"
    made = run(BIN / "ct-policy", *at, env=env, input=after)
    assert json.loads(made.stdout.splitlines()[0])["findings"] == []
