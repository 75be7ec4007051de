"""What a policy means: one case for each sentence of spec/policy.adoc. A case is a policy, a bundle, and who refuses it for what."""

from typing import Any

import pytest
from cerrotorre import counted, errors, expect, policy, policyread, predicate
from cerrotorre.jsonic import dump

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


LOCAL: dict[str, Any] = {"provenance": {"source": "oci:layout:1.26"}}
ALICE, BOB = {"key_id": "alice"}, {"key_id": "bob"}


def judge(rules: dict[str, Any], record: dict[str, Any], now: str = NOW, expect: str | None = None) -> dict[str, Any]:
    written = {"version": "1", **rules}
    policyread.read(dump(written).encode(), "p.json")
    return policy.judge([("p.json", written)], record, now, expect)


def slugs(judged: dict[str, Any]) -> list[str]:
    return [made["finding"] for made in judged["findings"]]


def status(judged: dict[str, Any]) -> int:
    made = errors.verdict(judged["findings"])
    return made["status"] if made else 0


# name: (rules, record, status, findings)
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], int, list[str]]] = {
    # -- counted signatures
    "an empty policy wants one trusted signer": ({}, bundle(), 0, []),
    "nobody known": ({}, bundle(sig(status="unknown", trusted=False)), 3, ["signer-unknown"]),
    "an unknown signature that claims a trusted id": ({}, bundle(sig(status="unknown")), 3, ["signer-unknown"]),
    "an invalid signature": ({}, bundle(sig(status="invalid")), 3, ["signer-unknown"]),
    "an attestation is never a signature on the bundle": ({}, bundle(sig(kind="attestation")), 3, ["signer-unknown"]),
    "a signature without its time": ({}, bundle(sig(signed_at="yesterday")), 3, ["signer-unknown"]),
    "a signature with an expiry that is no time": ({}, bundle(sig(expires="never")), 3, ["signer-unknown"]),
    "a key in known": ({}, bundle(sig(trusted=False, origin="known")), 3, ["signer-untrusted"]),
    "trust is true and nothing else": ({}, bundle(sig(trusted=1)), 3, ["signer-untrusted"]),
    "a key in known matches no glob, not even *": (
        {"signers": {"allowed": [{"key_id": "*"}]}},
        bundle(sig(trusted=False, origin="known")),
        3,
        ["signer-untrusted"],
    ),
    "a key in known is not an unlisted trusted signer": (
        {"default_action": "allow", "signers": {"allowed": [BOB]}},
        bundle(sig(trusted=False, origin="known")),
        3,
        ["signer-untrusted"],
    ),
    "a key of the host": ({}, bundle(sig(origin="host")), 0, []),
    "a stranger beside a trusted signer": ({}, bundle(sig("eve", status="unknown", trusted=False), sig()), 0, []),
    # -- signers.allowed
    "allowed by glob": ({"signers": {"allowed": [{"key_id": "al*"}]}}, bundle(), 0, []),
    "allowed by fingerprint": ({"signers": {"allowed": [{"fingerprint": fingerprint("alice")}]}}, bundle(), 0, []),
    "both given means both must match: another key": (
        {"signers": {"allowed": [{"key_id": "alice", "fingerprint": fingerprint("bob")}]}},
        bundle(),
        3,
        ["signer-untrusted"],
    ),
    "both given means both must match: another id": (
        {"signers": {"allowed": [{"key_id": "bob", "fingerprint": fingerprint("alice")}]}},
        bundle(),
        3,
        ["signer-untrusted"],
    ),
    "not listed": ({"signers": {"allowed": [BOB]}}, bundle(), 3, ["signer-untrusted"]),
    "listed for this source": (
        {"signers": {"allowed": [{**ALICE, "sources": ["docker.io/library/nginx:*"]}]}},
        bundle(),
        0,
        [],
    ),
    "listed for another source": (
        {"signers": {"allowed": [{**ALICE, "sources": ["docker.io/library/redis:*"]}]}},
        bundle(),
        3,
        ["signer-untrusted"],
    ),
    "listed for another source is not unlisted": (
        {"default_action": "allow", "signers": {"allowed": [{**ALICE, "sources": ["ghcr.io"]}]}},
        bundle(),
        3,
        ["signer-untrusted"],
    ),
    "a local source matches no registry": (
        {"signers": {"allowed": [{**ALICE, "sources": ["docker.io"]}]}},
        bundle(**LOCAL),
        3,
        ["signer-untrusted"],
    ),
    "a local source matches local": ({"signers": {"allowed": [{**ALICE, "sources": ["local"]}]}}, bundle(**LOCAL), 0, []),
    "a local source matches *": ({"signers": {"allowed": [{**ALICE, "sources": ["*"]}]}}, bundle(**LOCAL), 0, []),
    "an empty allowed allows none": ({"signers": {"allowed": []}}, bundle(), 3, ["signer-untrusted"]),
    "an empty allowed allows none by default either": (
        {"default_action": "allow", "signers": {"allowed": []}},
        bundle(),
        3,
        ["signer-untrusted"],
    ),
    "a section without allowed restricts by its other members only": ({"signers": {"denied": [BOB]}}, bundle(), 0, []),
    "default_action allow lets an unlisted trusted signer pass": (
        {"default_action": "allow", "signers": {"allowed": [BOB]}},
        bundle(),
        0,
        [],
    ),
    "default_action allow excuses no unknown signer": (
        {"default_action": "allow"},
        bundle(sig(status="unknown", trusted=False)),
        3,
        ["signer-unknown"],
    ),
    # -- required
    "required and there": ({"signers": {"allowed": [{**ALICE, "required": True}]}}, bundle(), 0, []),
    "required and missing": (
        {"signers": {"allowed": [ALICE, {"key_id": "cerro-*", "required": True}]}},
        bundle(),
        3,
        ["signer-required"],
    ),
    "every required entry": (
        {"signers": {"allowed": [{**ALICE, "required": True}, {**BOB, "required": True}]}},
        bundle(sig("bob")),
        3,
        ["signer-required"],
    ),
    "required by one glob that several match": (
        {"signers": {"allowed": [{"key_id": "*", "required": True}]}},
        bundle(sig("bob"), sig()),
        0,
        [],
    ),
    "required for a source that this is not": (
        {"signers": {"allowed": [BOB, {**ALICE, "required": True, "sources": ["ghcr.io"]}]}},
        bundle(sig(), sig("bob")),
        3,
        ["signer-required"],
    ),
    "required and denied": (
        {"signers": {"allowed": [BOB, {**ALICE, "required": True}], "denied": [ALICE]}},
        bundle(sig(), sig("bob")),
        3,
        ["signer-required"],
    ),
    "an attestation does not satisfy required": (
        {"signers": {"allowed": [BOB, {**ALICE, "required": True}]}},
        bundle(sig("bob"), sig(kind="attestation")),
        3,
        ["signer-required"],
    ),
    # -- denied
    "denied beats allowed": ({"signers": {"allowed": [ALICE], "denied": [ALICE]}}, bundle(), 3, ["signer-denied"]),
    "denied beats default_action": (
        {"default_action": "allow", "signers": {"denied": [ALICE]}},
        bundle(),
        3,
        ["signer-denied"],
    ),
    "denied by glob": ({"signers": {"denied": [{"key_id": "a*"}]}}, bundle(), 3, ["signer-denied"]),
    "denied by fingerprint under another name": (
        {"signers": {"denied": [{"key_id": "her-old-name", "fingerprint": fingerprint("alice")}]}},
        bundle(),
        3,
        ["signer-denied"],
    ),
    "a new key under a denied name": (
        {"signers": {"denied": [{"key_id": "alice", "fingerprint": fingerprint("stolen")}]}},
        bundle(),
        0,
        [],
    ),
    "a denied signer beside one that counts": ({"signers": {"denied": [ALICE]}}, bundle(sig(), sig("bob")), 0, []),
    "denied and not listed": ({"signers": {"allowed": [BOB], "denied": [ALICE]}}, bundle(), 3, ["signer-denied"]),
    "one denied, one not listed": (
        {"signers": {"allowed": [{"key_id": "carol"}], "denied": [ALICE]}},
        bundle(sig(), sig("bob")),
        3,
        ["signer-untrusted", "signer-denied"],
    ),
    "denied after, signed later": (
        {"signers": {"denied": [{**ALICE, "after": "2026-11-19"}]}, "time": {"accept_claimed": True}},
        bundle(),
        3,
        ["signer-denied"],
    ),
    "denied after, signed before: the claim can be backdated": (
        {"signers": {"denied": [{**ALICE, "after": "2026-11-21"}]}},
        bundle(),
        3,
        ["signer-denied"],
    ),
    "denied after, signed before, accept_claimed": (
        {"signers": {"denied": [{**ALICE, "after": "2026-11-21"}]}, "time": {"accept_claimed": True}},
        bundle(),
        0,
        [],
    ),
    "after D is after the end of D": (
        {"signers": {"denied": [{**ALICE, "after": "2026-11-20"}]}, "time": {"accept_claimed": True}},
        bundle(sig(signed_at="2026-11-20T23:59:59Z")),
        0,
        [],
    ),
    "after the end of D": (
        {"signers": {"denied": [{**ALICE, "after": "2026-11-20"}]}, "time": {"accept_claimed": True}},
        bundle(sig(signed_at="2026-11-21T00:00:00Z")),
        3,
        ["signer-denied"],
    ),
    "denied before, by its own claim": (
        {"signers": {"denied": [{**ALICE, "before": "2026-11-21"}]}},
        bundle(),
        3,
        ["signer-denied"],
    ),
    "denied before, signed on the day": ({"signers": {"denied": [{**ALICE, "before": "2026-11-20"}]}}, bundle(), 0, []),
    "in the window": (
        {"signers": {"denied": [{**ALICE, "after": "2026-11-10", "before": "2026-11-21"}]}, "time": {"accept_claimed": True}},
        bundle(),
        3,
        ["signer-denied"],
    ),
    "after the window": ({"signers": {"denied": [{**ALICE, "after": "2026-11-10", "before": "2026-11-15"}]}}, bundle(), 0, []),
    "claimed before the window, unproved": (
        {"signers": {"denied": [{**ALICE, "after": "2026-11-20", "before": "2026-11-22"}]}},
        bundle(),
        3,
        ["signer-denied"],
    ),
    "claimed before the window, accept_claimed": (
        {"signers": {"denied": [{**ALICE, "after": "2026-11-20", "before": "2026-11-22"}]}, "time": {"accept_claimed": True}},
        bundle(),
        0,
        [],
    ),
    "an empty window denies": (
        {"signers": {"denied": [{**ALICE, "after": "2026-11-10", "before": "2026-11-05"}]}, "time": {"accept_claimed": True}},
        bundle(),
        3,
        ["signer-denied"],
    ),
    # -- threshold
    "threshold met": ({"signers": {"threshold": 2}}, bundle(sig(), sig("bob")), 0, []),
    "threshold not met": ({"signers": {"threshold": 2}}, bundle(), 3, ["threshold"]),
    "one key twice": ({"signers": {"threshold": 2}}, bundle(sig(), sig()), 3, ["threshold"]),
    "a key and the key it was rotated into count once": (
        {"signers": {"threshold": 2}},
        bundle(sig(rotated_into="alice-2"), sig("alice-2")),
        3,
        ["threshold"],
    ),
    "rotated, named by fingerprint": (
        {"signers": {"threshold": 2}},
        bundle(sig(rotated_into=fingerprint("alice-2")), sig("alice-2")),
        3,
        ["threshold"],
    ),
    "rotated twice": (
        {"signers": {"threshold": 2}},
        bundle(sig(rotated_into="alice-2"), sig("alice-2", rotated_into="alice-3"), sig("alice-3")),
        3,
        ["threshold"],
    ),
    "two keys rotated into one that did not sign": (
        {"signers": {"threshold": 2}},
        bundle(sig(rotated_into="team"), sig("bob", rotated_into="team")),
        3,
        ["threshold"],
    ),
    "rotated in a circle": (
        {"signers": {"threshold": 2}},
        bundle(sig(rotated_into="bob"), sig("bob", rotated_into="alice")),
        3,
        ["threshold"],
    ),
    "rotated, and another": (
        {"signers": {"threshold": 2}},
        bundle(sig(rotated_into="alice-2"), sig("alice-2"), sig("bob")),
        0,
        [],
    ),
    "a denied signer does not count": (
        {"signers": {"threshold": 2, "denied": [{"key_id": "bob"}]}},
        bundle(sig(), sig("bob")),
        3,
        ["threshold"],
    ),
    "an unlisted signer does not count": (
        {"signers": {"threshold": 2, "allowed": [ALICE]}},
        bundle(sig(), sig("bob")),
        3,
        ["threshold"],
    ),
    "threshold_from": (
        {"signers": {"threshold": 1, "threshold_from": ["release-*"]}},
        bundle(sig(), sig("release-1")),
        0,
        [],
    ),
    "only keys matching threshold_from count": (
        {"signers": {"threshold": 2, "threshold_from": ["release-*"]}},
        bundle(sig(), sig("release-1")),
        3,
        ["threshold"],
    ),
    # -- registries
    "registry allowed": ({"registries": {"allowed": ["docker.io/library/*"]}}, bundle(), 0, []),
    "registry not allowed": ({"registries": {"allowed": ["ghcr.io"]}}, bundle(), 4, ["registry-not-allowed"]),
    "registry blocked": ({"registries": {"blocked": ["docker.io"]}}, bundle(), 4, ["registry-blocked"]),
    "blocked beats allowed": (
        {"registries": {"allowed": ["docker.io/library/*"], "blocked": ["docker.io"]}},
        bundle(),
        4,
        ["registry-blocked"],
    ),
    "blocked beats default_action": (
        {"default_action": "allow", "registries": {"blocked": ["docker.io"]}},
        bundle(),
        4,
        ["registry-blocked"],
    ),
    "default_action allow lets an unlisted registry pass": (
        {"default_action": "allow", "registries": {"allowed": ["ghcr.io"]}},
        bundle(),
        0,
        [],
    ),
    "no registry at all": ({"registries": {"allowed": []}}, bundle(), 4, ["registry-not-allowed"]),
    "no registry at all by default either": (
        {"default_action": "allow", "registries": {"allowed": []}},
        bundle(),
        4,
        ["registry-not-allowed"],
    ),
    "registries without allowed": ({"registries": {"blocked": ["ghcr.io"]}}, bundle(), 0, []),
    "local source allowed": ({"registries": {"allowed": ["local"]}}, bundle(**LOCAL), 0, []),
    "local source not allowed": ({"registries": {"allowed": ["docker.io"]}}, bundle(**LOCAL), 4, ["registry-not-allowed"]),
    "local source blocked": ({"registries": {"blocked": ["local"]}}, bundle(**LOCAL), 4, ["registry-blocked"]),
    "names inside a local archive prove nothing": (
        {"registries": {"allowed": ["docker.io"]}},
        bundle(provenance={"source": "docker.io/library/nginx:1.26"}),
        4,
        ["registry-not-allowed"],
    ),
    "source and registry contradict each other": (
        {},
        bundle(provenance={"source": "docker.io/library/nginx:1.26", "registry": "evil.example"}),
        4,
        ["registry-not-allowed"],
    ),
    "a source that is no reference": (
        {"registries": {"allowed": ["*"]}},
        bundle(provenance={"source": "docker.io/NGINX", "registry": "docker.io"}),
        4,
        ["registry-not-allowed"],
    ),
    # -- suites
    "suite allowed": ({"suites": {"allowed": ["CT-SIG-01"]}}, bundle(), 0, []),
    "suite not allowed": ({"suites": {"allowed": ["CT-SIG-02"]}}, bundle(), 4, ["suite-not-allowed"]),
    "no suite allowed": ({"suites": {"allowed": []}}, bundle(), 4, ["suite-not-allowed"]),
    "below the minimum": ({"suites": {"minimum": "CT-SIG-04"}}, bundle(), 4, ["suite-not-allowed"]),
    "at the minimum": ({"suites": {"minimum": "CT-SIG-06"}}, bundle(sig(suite_id="CT-SIG-06")), 0, []),
    "an unknown suite is below every minimum": (
        {"suites": {"minimum": "CT-SIG-01"}},
        bundle(sig(suite_id="CT-SIG-99")),
        4,
        ["suite-not-allowed"],
    ),
    "a signature of a disallowed suite beside one that counts": (
        {"suites": {"minimum": "CT-SIG-02"}},
        bundle(sig(), sig("bob", suite_id="CT-SIG-02")),
        0,
        [],
    ),
    "3, for the signers fail with the suites lifted": (
        {"signers": {"allowed": [BOB]}, "suites": {"allowed": ["CT-SIG-02"]}},
        bundle(),
        3,
        ["signer-untrusted"],
    ),
    "4, for the threshold would be met with the suites lifted": (
        {"signers": {"threshold": 2}, "suites": {"minimum": "CT-SIG-02"}},
        bundle(sig(), sig("bob", suite_id="CT-SIG-02")),
        4,
        ["suite-not-allowed"],
    ),
    "3, for the threshold fails with the suites lifted": (
        {"signers": {"threshold": 3}, "suites": {"minimum": "CT-SIG-02"}},
        bundle(sig(), sig("bob", suite_id="CT-SIG-02")),
        3,
        ["threshold"],
    ),
    "4, for the required signer used a disallowed suite": (
        {"signers": {"allowed": [{**ALICE, "required": True}, BOB]}, "suites": {"minimum": "CT-SIG-02"}},
        bundle(sig(), sig("bob", suite_id="CT-SIG-02")),
        4,
        ["suite-not-allowed"],
    ),
    "3 and 4, for one required signer is missing and the other used a disallowed suite": (
        {"signers": {"allowed": [{**ALICE, "required": True}, {**BOB, "required": True}]}, "suites": {"minimum": "CT-SIG-02"}},
        bundle(),
        3,
        ["signer-required", "suite-not-allowed"],
    ),
    # -- base images
    "base allowed": ({"base_images": {"allowed": ["docker.io/library/debian:bookworm*"]}}, bundle(), 0, []),
    "base not allowed": ({"base_images": {"allowed": ["alpine:*"]}}, bundle(), 4, ["base-image-not-allowed"]),
    "an unknown base": ({"base_images": {"allowed": ["*"]}}, bundle(metadata={}), 4, ["base-image-not-allowed"]),
    "no metadata": (
        {"base_images": {"allowed": ["*"]}},
        {**bundle(), "manifest": {k: v for k, v in bundle()["manifest"].items() if k != "metadata"}},
        4,
        ["base-image-not-allowed"],
    ),
    "a base that is no reference": (
        {"base_images": {"allowed": ["*"]}},
        bundle(metadata={"base_name": "Debian Bookworm"}),
        4,
        ["base-image-not-allowed"],
    ),
    "a base in its short spelling": (
        {"base_images": {"allowed": ["docker.io/library/debian:*"]}},
        bundle(metadata={"base_name": "debian:bookworm"}),
        0,
        [],
    ),
    "default_action does not bear on bases": (
        {"default_action": "allow", "base_images": {"allowed": ["ghcr.io"]}},
        bundle(),
        4,
        ["base-image-not-allowed"],
    ),
    # -- pins
    "pinned to the image": ({"pin": {"nginx": {"digest": IMAGE}}}, bundle(), 0, []),
    "pinned to the manifest": ({"pin": {"nginx": {"digest": MANIFEST}}}, bundle(), 0, []),
    "pinned to another": ({"pin": {"nginx": {"digest": OTHER}}}, bundle(), 4, ["pin-mismatch"]),
    "pinned by name and version": ({"pin": {"nginx:1.26": {"digest": OTHER}}}, bundle(), 4, ["pin-mismatch"]),
    "pinned, another version": ({"pin": {"nginx:1.25": {"digest": OTHER}}}, bundle(), 0, []),
    "pinned by source": ({"pin": {"docker.io/library/nginx:1.26": {"digest": OTHER}}}, bundle(), 4, ["pin-mismatch"]),
    "pinned by source, spelled otherwise": (
        {"pin": {"index.docker.io/nginx:1.26": {"digest": OTHER}}},
        bundle(),
        4,
        ["pin-mismatch"],
    ),
    "pinned by another source": ({"pin": {"ghcr.io/library/nginx:1.26": {"digest": OTHER}}}, bundle(), 0, []),
    "pinned by a local source": ({"pin": {"oci:layout:1.26": {"digest": OTHER}}}, bundle(**LOCAL), 4, ["pin-mismatch"]),
    "pinned by file name": ({"pin": {"nginx.ctp": {"digest": OTHER}}}, bundle(), 4, ["pin-mismatch"]),
    "pinned by name, version and .ctp": ({"pin": {"nginx:1.26.ctp": {"digest": OTHER}}}, bundle(), 4, ["pin-mismatch"]),
    "a comment is no pin": ({"pin": {"comment": "nginx"}}, bundle(name="comment"), 0, []),
    "every pin that names it": (
        {"pin": {"nginx": {"digest": IMAGE}, "nginx:1.26": {"digest": OTHER}}},
        bundle(),
        4,
        ["pin-mismatch"],
    ),
    "pinned signers": ({"pin": {"nginx": {"signers": ["alice"]}}}, bundle(), 0, []),
    "pinned signers must all have counted signatures": (
        {"pin": {"nginx": {"signers": ["alice", "bob"]}}},
        bundle(),
        4,
        ["pin-signer-missing"],
    ),
    "a pinned signer that does not count": (
        {"signers": {"allowed": [ALICE]}, "pin": {"nginx": {"signers": ["bob"]}}},
        bundle(sig(), sig("bob")),
        4,
        ["pin-signer-missing"],
    ),
    "pinned digest and signer": (
        {"pin": {"nginx": {"digest": OTHER, "signers": ["bob"]}}},
        bundle(),
        4,
        ["pin-mismatch", "pin-signer-missing"],
    ),
    "unpinned refuses whatever no pin names": ({"unpinned": "deny"}, bundle(), 4, ["unpinned"]),
    "unpinned, pinned": ({"unpinned": "deny", "pin": {"nginx": {"digest": IMAGE}}}, bundle(), 0, []),
    "unpinned, another is pinned": ({"unpinned": "deny", "pin": {"redis": {"digest": IMAGE}}}, bundle(), 4, ["unpinned"]),
    "unpinned, a comment": ({"unpinned": "deny", "pin": {"comment": "x"}}, bundle(name="comment"), 4, ["unpinned"]),
    "unpinned allowed": ({"unpinned": "allow", "pin": {"redis": {"digest": OTHER}}}, bundle(), 0, []),
    # -- minimum and time
    "signed after the minimum": ({"minimum": {"nginx": {"signed_after": "2026-11-19"}}}, bundle(), 0, []),
    "signed on the day": ({"minimum": {"nginx": {"signed_after": "2026-11-20"}}}, bundle(), 4, ["minimum-not-met"]),
    "minimum of another name": ({"minimum": {"redis": {"signed_after": "2027-01-01"}}}, bundle(), 0, []),
    "minimum, with .ctp": ({"minimum": {"nginx.ctp": {"signed_after": "2026-12-01"}}}, bundle(), 4, ["minimum-not-met"]),
    "one old signature, one new": (
        {"minimum": {"nginx": {"signed_after": "2026-11-01"}}},
        bundle(sig(), sig("bob", signed_at="2025-01-01T00:00:00Z")),
        0,
        [],
    ),
    "an old signature does not count for the threshold": (
        {"minimum": {"nginx": {"signed_after": "2026-11-01"}}, "signers": {"threshold": 2}},
        bundle(sig(), sig("bob", signed_at="2025-01-01T00:00:00Z")),
        4,
        ["minimum-not-met"],
    ),
    "young enough": ({"time": {"max_age_days": 3}}, bundle(), 0, []),
    "too old": ({"time": {"max_age_days": 2}}, bundle(), 4, ["signature-too-old"]),
    "exactly as old as allowed": ({"time": {"max_age_days": 2}}, bundle(sig(signed_at="2026-11-20T12:00:00Z")), 0, []),
    "a second too old": (
        {"time": {"max_age_days": 2}},
        bundle(sig(signed_at="2026-11-20T11:59:59Z")),
        4,
        ["signature-too-old"],
    ),
    "too old and not allowed": (
        {"time": {"max_age_days": 2}, "signers": {"allowed": [BOB]}},
        bundle(),
        3,
        ["signer-untrusted"],
    ),
    "in the future within the skew": ({}, bundle(sig(signed_at="2026-11-22T12:05:00Z")), 0, []),
    "in the future beyond the skew": ({}, bundle(sig(signed_at="2026-11-22T12:05:01Z")), 4, ["signature-in-future"]),
    "no skew": (
        {"time": {"clock_skew_tolerance_seconds": 0}},
        bundle(sig(signed_at="2026-11-22T12:00:01Z")),
        4,
        ["signature-in-future"],
    ),
    "much skew": ({"time": {"clock_skew_tolerance_seconds": 86400}}, bundle(sig(signed_at="2026-11-23T12:00:00Z")), 0, []),
    "the signature expired": ({}, bundle(sig(expires="2026-11-22T11:59:59Z")), 4, ["signature-expired"]),
    "the signature has not expired": ({}, bundle(sig(expires="2026-11-22T12:00:00Z")), 0, []),
    "the key had expired": ({}, bundle(sig(key_expires="2026-11-19")), 4, ["key-expired"]),
    "the key expired since": ({}, bundle(sig(key_expires="2026-11-21")), 0, []),
    "the key expired that day": ({}, bundle(sig(key_expires="2026-11-20")), 0, []),
    "the key had expired by a time": ({}, bundle(sig(key_expires="2026-11-20T09:59:59Z")), 4, ["key-expired"]),
    "expired, and another counts": ({}, bundle(sig(expires="2026-01-01T00:00:00Z"), sig("bob")), 0, []),
    "expired for the threshold": (
        {"signers": {"threshold": 2}},
        bundle(sig(expires="2026-01-01T00:00:00Z"), sig("bob")),
        4,
        ["signature-expired"],
    ),
    "expired for a pin": (
        {"pin": {"nginx": {"signers": ["alice"]}}},
        bundle(sig(expires="2026-01-01T00:00:00Z"), sig("bob")),
        4,
        ["pin-signer-missing"],
    ),
    "old but valid, and nobody asked": ({}, bundle(sig(signed_at="2001-01-01T00:00:00Z")), 0, []),
    # -- attestations
    "provenance required": ({"require_attestations": {"provenance": True}}, bundle(), 5, ["attestation-missing"]),
    "provenance there, but nothing judged it": (
        {"require_attestations": {"provenance": True}},
        bundle(sig(), said("provenance", schema=None)),
        5,
        ["attestation-missing"],
    ),
    "an SBOM required from some": (
        {"require_attestations": {"sbom": {"from": ["ci-*"]}}},
        bundle(),
        5,
        ["attestation-missing"],
    ),
    "a log required": ({"require_attestations": {"transparency_log": True}}, bundle(), 5, ["attestation-missing"]),
    "an SBOM": ({"require_attestations": {"sbom": True}}, bundle(sig(), said("sbom")), 0, []),
    "an SBOM by its other name": (
        {"require_attestations": {"sbom": True}},
        bundle(sig(), said("sbom") | {"predicate_type": "https://spdx.dev/Document"}),
        0,
        [],
    ),
    "an SBOM is no provenance": (
        {"require_attestations": {"provenance": True}},
        bundle(sig(), said("sbom")),
        5,
        ["attestation-missing"],
    ),
    "nobody vouches for it": (
        {"require_attestations": {"sbom": True}},
        bundle(sig(), said("sbom", status="unknown")),
        5,
        ["attestation-missing"],
    ),
    "its signature is not genuine": (
        {"require_attestations": {"sbom": True}},
        bundle(sig(), said("sbom", status="invalid")),
        5,
        ["attestation-missing"],
    ),
    "not valid by its schema": (
        {"require_attestations": {"sbom": True}},
        bundle(sig(), said("sbom", schema="invalid")),
        5,
        ["attestation-missing"],
    ),
    "by another trusted key than the bundle's": (
        {"require_attestations": {"sbom": True}},
        bundle(sig(), said("sbom", "bob")),
        0,
        [],
    ),
    "by a key that lies in known": (
        {"require_attestations": {"sbom": True}},
        bundle(sig(), said("sbom", "bob", trusted=False, origin="known")),
        5,
        ["attestation-missing"],
    ),
    "by a key that is not allowed": (
        {"signers": {"allowed": [ALICE]}, "require_attestations": {"sbom": True}},
        bundle(sig(), said("sbom", "bob")),
        5,
        ["attestation-missing"],
    ),
    "by a key that is not allowed for this source": (
        {"signers": {"allowed": [ALICE, {**BOB, "sources": ["quay.io/*:*"]}]}, "require_attestations": {"sbom": True}},
        bundle(sig(), said("sbom", "bob")),
        5,
        ["attestation-missing"],
    ),
    "by an unlisted trusted key, where that is allowed": (
        {"default_action": "allow", "signers": {"allowed": [ALICE]}, "require_attestations": {"sbom": True}},
        bundle(sig(), said("sbom", "bob")),
        0,
        [],
    ),
    "by a denied key": (
        {"signers": {"denied": [BOB]}, "require_attestations": {"sbom": True}},
        bundle(sig(), said("sbom", "bob")),
        5,
        ["attestation-missing"],
    ),
    "by a key denied from some day on, and before it by its claim": (
        {
            "signers": {"denied": [{**BOB, "after": "2026-12-01"}]},
            "time": {"accept_claimed": True},
            "require_attestations": {"sbom": True},
        },
        bundle(sig(), said("sbom", "bob")),
        0,
        [],
    ),
    "by a key denied from some day on, at no known time": (
        {
            "signers": {"denied": [{**BOB, "after": "2026-12-01"}]},
            "time": {"accept_claimed": True},
            "require_attestations": {"sbom": True},
        },
        bundle(sig(), said("sbom", "bob", signed_at=None)),
        5,
        ["attestation-missing"],
    ),
    "by a key denied until some day, at no known time": (
        {"signers": {"denied": [{**BOB, "before": "2020-01-01"}]}, "require_attestations": {"sbom": True}},
        bundle(sig(), said("sbom", "bob", signed_at=None)),
        5,
        ["attestation-missing"],
    ),
    "at no known time": ({"require_attestations": {"sbom": True}}, bundle(sig(), said("sbom", signed_at=None)), 0, []),
    "by a key that expired since": (
        {"require_attestations": {"sbom": True}},
        bundle(sig(), said("sbom", "bob", key_expires="2026-11-21")),
        0,
        [],
    ),
    "by a key that had expired": (
        {"require_attestations": {"sbom": True}},
        bundle(sig(), said("sbom", "bob", key_expires="2026-11-19")),
        5,
        ["attestation-missing"],
    ),
    "by a key that expired, at no known time": (
        {"require_attestations": {"sbom": True}},
        bundle(sig(), said("sbom", "bob", key_expires="2026-11-21", signed_at=None)),
        5,
        ["attestation-missing"],
    ),
    "by a key of a suite that is not allowed": (
        {"suites": {"allowed": ["CT-SIG-01"]}, "require_attestations": {"sbom": True}},
        bundle(sig(), said("sbom", "bob", suite_id="CT-SIG-02")),
        5,
        ["attestation-missing"],
    ),
    "the age of signatures is none of statements": (
        {"time": {"max_age_days": 30}, "require_attestations": {"sbom": True}},
        bundle(sig(), said("sbom", "bob", signed_at="2020-01-01T00:00:00Z")),
        0,
        [],
    ),
    "from whom": (
        {"require_attestations": {"sbom": {"from": ["ci-*", "al*"]}}},
        bundle(sig(), said("sbom", "bob"), said("sbom")),
        0,
        [],
    ),
    "from somebody else": (
        {"require_attestations": {"sbom": {"from": ["ci-*"]}}},
        bundle(sig(), said("sbom", "bob"), said("sbom")),
        5,
        ["attestation-missing"],
    ),
    "a glob of from never matches a key in known": (
        {"require_attestations": {"sbom": {"from": ["*"]}}},
        bundle(sig(), said("sbom", "bob", trusted=False, origin="known")),
        5,
        ["attestation-missing"],
    ),
    "a builder": (
        {"require_attestations": {"provenance": {"builders": ["https://ci.example/*"], "comment": "c"}}},
        bundle(sig(), said("provenance")),
        0,
        [],
    ),
    "another builder": (
        {"require_attestations": {"provenance": {"builders": ["https://ci.example/v4"]}}},
        bundle(sig(), said("provenance")),
        5,
        ["attestation-missing"],
    ),
    "the builder, and from somebody else": (
        {"require_attestations": {"provenance": {"builders": ["*"], "from": ["bob"]}}},
        bundle(sig(), said("provenance")),
        5,
        ["attestation-missing"],
    ),
    "an attestation does not make its signer count": (
        {"signers": {"threshold": 2}, "require_attestations": {"sbom": True}},
        bundle(sig(), said("sbom", "bob")),
        3,
        ["threshold"],
    ),
    "all required": (
        {"require_attestations": {"comment": "c", "sbom": True, "provenance": True, "transparency_log": True}},
        bundle(),
        5,
        ["attestation-missing"] * 3,
    ),
    "nothing required": (
        {"require_attestations": {"sbom": False, "provenance": False, "transparency_log": False}},
        bundle(),
        0,
        [],
    ),
    # -- in order
    "every finding is listed, and the first check decides": (
        {
            "signers": {"allowed": [BOB]},
            "registries": {"blocked": ["*"]},
            "base_images": {"allowed": []},
            "unpinned": "deny",
            "require_attestations": {"sbom": True},
        },
        bundle(),
        3,
        ["signer-untrusted", "registry-blocked", "base-image-not-allowed", "unpinned", "attestation-missing"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_rule(name: str) -> None:
    rules, record, expected, findings = CASES[name]
    judged = judge(rules, record)
    assert slugs(judged) == findings
    assert status(judged) == expected
    by_check = {made["check"] for made in judged["findings"]}
    assert judged["passed"] == {check: check not in by_check for check in policy.CHECKS}
    assert judged["policies"] == ["p.json"]
    for line in judged["rules"]:
        assert line["status"] in ("pass", "fail") and line["why"] and line["rule"] and line["policy"] == "p.json"
    assert any(line["status"] == "fail" for line in judged["rules"]) is bool(findings)
    for made in judged["findings"]:
        assert made["detail"] and made["context"]["Policy"] == "p.json" and made["context"]["Rule"]


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
    assert status(judge({"suites": {"minimum": minimum}}, bundle(sig(suite_id=suite)))) == (0 if counts else 4)


# -- no policy, several policies -------------------------------------------------------------------------------------------


def test_without_a_policy_the_trusted_keys_count_and_the_result_says_so() -> None:
    judged = policy.judge([], bundle(), NOW)
    assert judged["policies"] == [] and judged["findings"] == []
    assert judged["rules"] == [
        {"rule": "signers", "status": "pass", "why": "alice signed, and is in keys/ or trusted/", "policy": ""}
    ]
    assert slugs(policy.judge([], bundle(sig(trusted=False)), NOW)) == ["signer-untrusted"]
    assert slugs(policy.judge([], bundle(sig(status="unknown")), NOW)) == ["signer-unknown"]


def test_both_policies_must_pass() -> None:
    mine, hosts = {"version": "1"}, {"version": "1", "registries": {"blocked": ["docker.io"]}}
    for policies in ([("mine", mine), ("host", hosts)], [("mine", hosts), ("host", mine)]):
        judged = policy.judge(policies, bundle(), NOW)
        assert judged["policies"] == ["mine", "host"]
        assert slugs(judged) == ["registry-blocked"]
    strict = {"version": "1", "signers": {"allowed": [BOB]}}
    judged = policy.judge([("mine", hosts), ("host", strict)], bundle(), NOW)
    assert [(made["finding"], made["context"]["Policy"]) for made in judged["findings"]] == [
        ("signer-untrusted", "host"),
        ("registry-blocked", "mine"),
    ]


def test_one_policy_does_not_lend_the_other_its_signers() -> None:
    alice, bob = ({"version": "1", "signers": {"allowed": [entry]}} for entry in (ALICE, BOB))
    assert slugs(policy.judge([("mine", alice), ("host", bob)], bundle(), NOW)) == ["signer-untrusted"]
    assert slugs(policy.judge([("mine", alice), ("host", bob)], bundle(sig(), sig("bob")), NOW)) == []


def test_judging_changes_nothing() -> None:
    record, rules = bundle(), {"version": "1", "signers": {"allowed": [ALICE]}}
    before = dump([record, rules])
    policy.judge([("p", rules)], record, NOW)
    assert dump([record, rules]) == before


def test_now_is_an_argument() -> None:
    record = bundle(sig(expires="2026-11-22T12:00:00Z"))
    assert status(judge({}, record, "2026-11-22T11:00:00Z")) == 0
    assert status(judge({}, record, "2026-11-22T13:00:00Z")) == 4
    assert status(judge({"time": {"max_age_days": 90}}, record, "2028-02-29T00:00:00Z")) == 4


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

EXPECTED = {
    "nginx": True,
    "nginx:1.26": True,
    "nginx:1.25": False,
    "redis": False,
    # The source, however it is spelled.
    "docker.io/library/nginx:1.26": True,
    "index.docker.io/nginx:1.26": True,
    # The last path component and tag are name and version: a mirror.
    "mirror.example/library/nginx:1.26": True,
    "mirror.example/library/nginx:1.25": False,
    "mirror.example/library/nginx": False,
    "mirror.example/web:1.26": False,
    # The image's digest, whatever the name; another digest, whatever else fits.
    f"mirror.example/web@{IMAGE}": True,
    f"nginx@{IMAGE}": True,
    f"nginx:1.26@{OTHER}": False,
    f"docker.io/library/nginx:1.26@{OTHER}": False,
    f"nginx@{MANIFEST}": False,
}


@pytest.mark.parametrize("wanted", EXPECTED)
def test_expect(wanted: str) -> None:
    judged = judge({}, bundle(), expect=wanted)
    assert slugs(judged) == ([] if EXPECTED[wanted] else ["not-expected"])
    assert status(judged) == (0 if EXPECTED[wanted] else 4)
    assert judged["rules"][-1]["rule"] == "expect"
    if not EXPECTED[wanted]:
        context = judged["findings"][0]["context"]
        spelled = f"{wanted}:latest" if wanted == "mirror.example/library/nginx" else wanted
        assert (context["Expected"], context["Actual"]) == (spelled, "nginx:1.26")
        assert ("--expect nginx" in context.get("Hint", "")) is ("/" in wanted or "@" in wanted)


def test_expect_an_index_of_which_one_platform_was_taken() -> None:
    source = f"docker.io/library/nginx:1.26@{INDEX}"
    record = bundle(provenance={"source": source, "registry": "docker.io", "index_digest": INDEX})
    assert slugs(judge({}, record, expect=source)) == []
    assert slugs(judge({}, record, expect=f"nginx@{INDEX}")) == ["not-expected"]


def test_expect_a_local_source_by_name_only() -> None:
    assert slugs(judge({}, bundle(**LOCAL), expect="nginx:1.26")) == []
    record = bundle(provenance={"source": "docker.io/library/web:1"})
    assert slugs(judge({}, record, expect="docker.io/library/web:1")) == ["not-expected"]


def test_expect_something_that_is_nothing() -> None:
    with pytest.raises(errors.Fail) as caught:
        judge({}, bundle(), expect="NGINX:")
    assert caught.value.finding["finding"] == "reference"


@pytest.mark.parametrize("wanted", ["oci:hello:1.0", "docker://nginx", "oci-archive:./x.tar"])
def test_expect_a_source(wanted: str) -> None:
    with pytest.raises(errors.Fail, match=r"--expect takes NAME\[:VERSION\] or a registry reference") as caught:
        expect.check(wanted)
    assert caught.value.finding["context"]["Reference"] == wanted


def test_expectation_is_judged_once_under_several_policies() -> None:
    policies = [("a", {"version": "1"}), ("b", {"version": "1"})]
    judged = policy.judge(policies, bundle(), NOW, "redis")
    assert slugs(judged) == ["not-expected"]
    assert [line["rule"] for line in judged["rules"]].count("expect") == 1


def test_a_record_without_signatures() -> None:
    record = bundle()
    del record["signatures"]
    assert slugs(judge({}, record)) == ["signer-unknown"]
    record["signatures"] = [None, 1, "x", {}, {"kind": "bundle-signature", "status": "valid"}]
    assert slugs(judge({}, record)) == ["signer-unknown"]


def test_distinct_counts_keys_not_lines() -> None:
    signatures = [sig(), sig(), sig("bob", rotated_into="alice"), sig("carol")]
    assert counted.distinct(signatures, signatures) == 2


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
