"""Keys of every suite, through `ct`; and how envelopes are judged whose key makes more than one signature."""

import json
from pathlib import Path
from typing import Any

import pytest
from cerrotorre import dsse, signatures, statement, suites
from cerrotorre.errors import Fail
from images import Layout, single
from small import environment, tool

MANIFEST = {"name": "a", "version": "1", "image_digest": "sha256:" + "1" * 64}
DIGEST = "sha256:" + "2" * 64


def held(key_id: str, suite_id: str, seeds: list[bytes], trusted: bool = True) -> dict[str, Any]:
    """A key as the store gives it."""
    publics = suites.publics(suite_id, seeds)
    named = {"key_id": key_id, "suite_id": suite_id, "fingerprint": suites.fingerprint(suite_id, publics), "publics": publics}
    components = suites.component_fingerprints(suite_id, publics)
    return named | {"components": components, "origin": "keys" if trusted else "known", "trusted": trusted}


def seeds_of(suite_id: str, first: int = 1) -> list[bytes]:
    return [bytes([first + at]) * suites.SEED_SIZE[algorithm] for at, algorithm in enumerate(suites.SUITES[suite_id])]


HYBRID = held("h", "CT-SIG-02", seeds_of("CT-SIG-02"))
PLAIN = held("p", "CT-SIG-01", [b"\x09" * 32])
E, M = HYBRID["components"]
SBOM = statement.about(MANIFEST, "https://spdx.dev/Document/v2.3", {"spdxVersion": "SPDX-2.3"})
SIGNATURE = statement.make(MANIFEST, DIGEST, HYBRID, "2026-01-01T00:00:00Z", [], None)
STRANGE = "SHA256:" + "0" * 64


def made(payload: bytes) -> tuple[bytes, bytes]:
    e, m = suites.sign("CT-SIG-02", seeds_of("CT-SIG-02"), dsse.pae(dsse.PAYLOAD_TYPE, payload))
    return e, m


def judged(payload: bytes, entries: list[tuple[str, bytes]], keys: list[Any]) -> tuple[str, list[str]]:
    """(status, findings) of one envelope."""
    envelope = dsse.parse_line(dsse.write(payload, entries), 1)[1]
    (found,), wrong = signatures.judge([envelope], [], MANIFEST, DIGEST, keys)
    return found["status"], [one["finding"] for one in wrong if one["finding"] != "unsigned"]


@pytest.mark.parametrize("payload", [SBOM, SIGNATURE], ids=["attestation", "signature"])
@pytest.mark.parametrize("keys", [[HYBRID], [PLAIN, HYBRID]], ids=["alone", "among others"])
def test_every_half_of_a_hybrid_is_nothing(payload: bytes, keys: list[Any]) -> None:
    e, m = made(payload)
    whole = [(E, e), (M, m)]
    assert judged(payload, whole, keys) == ("valid", [])
    other = suites.sign("CT-SIG-02", seeds_of("CT-SIG-02", 5), dsse.pae(dsse.PAYLOAD_TYPE, payload))
    incomplete = {
        "half e": whole[:1],
        "half m": whole[1:],
        "twice e": [(E, e), (E, e)],
        "thrice": [*whole, (M, m)],
        "moved": whole[::-1],
        "e, and m under another's name": [(E, e), (STRANGE, m)],
        "e, and m under none": [(E, e), ("", m)],
    }
    for name, entries in incomplete.items():
        assert judged(payload, entries, keys) == ("invalid", ["signature-incomplete"]), name
    invalid = {
        "e twice, once as m": [(E, e), (M, e)],
        "exchanged": [(E, m), (M, e)],
        "another's m": [(E, e), (M, other[1])],
        "another's e": [(E, other[0]), (M, m)],
        "m cut": [(E, e), (M, m[:-1])],
        "m longer": [(E, e), (M, m + b"\0")],
        "no m": [(E, e), (M, b"\0" * len(m))],
    }
    for name, entries in invalid.items():
        assert judged(payload, entries, keys) == ("invalid", ["signature-invalid"]), name


@pytest.mark.parametrize("keyid", ["", "cosign", E.lower(), E[7:], "sha256:" + E[7:], STRANGE])
def test_what_a_hybrid_key_made_is_not_unknown(keyid: str) -> None:
    """DSSE calls the key id a hint; without it half a signature must not pass for a stranger's, nor for that of a key of one half."""
    e, m = made(SBOM)
    for entries in ([(keyid, e)], [(keyid, m)], [(keyid, e), (keyid, m)], [(keyid, m), (keyid, e)]):
        assert judged(SBOM, entries, [PLAIN, HYBRID]) == ("invalid", ["keyid-mismatch"])
    # The same of a key of one component is that key's, as others sign, unless the id is of our form.
    (raw,) = suites.sign("CT-SIG-01", [b"\x09" * 32], dsse.pae(dsse.PAYLOAD_TYPE, SBOM))
    alone = judged(SBOM, [(keyid, raw)], [PLAIN, HYBRID])
    assert alone == (("invalid", ["keyid-mismatch"]) if keyid == STRANGE else ("valid", []))
    # Nor does a genuine signature by another key make up for it.
    assert judged(SBOM, [(PLAIN["components"][0], raw), (keyid, e)], [PLAIN, HYBRID]) == ("invalid", ["keyid-mismatch"])
    assert judged(SBOM, [(PLAIN["components"][0], raw), (E, e)], [PLAIN, HYBRID]) == ("invalid", ["signature-incomplete"])
    # What nobody in the store made stays unknown, whatever its size.
    (strange,) = suites.sign("CT-SIG-03", [b"\x07" * 32], dsse.pae(dsse.PAYLOAD_TYPE, SBOM))
    assert judged(SBOM, [(STRANGE, strange)], [PLAIN, HYBRID]) == ("unknown", [])


def test_what_cannot_be_checked_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ML-DSA nothing that could be a known key's is passed over; what cannot be is judged as ever."""

    def lacking() -> Any:
        raise Fail("suite-unavailable", "for the test")

    e, m = made(SBOM)
    (raw,) = suites.sign("CT-SIG-01", [b"\x09" * 32], dsse.pae(dsse.PAYLOAD_TYPE, SBOM))
    monkeypatch.setattr(suites, "_ml_dsa", None)
    monkeypatch.setattr(suites, "_choose_ml_dsa", lacking)
    for entries in ([(E, e), (M, m)], [("", m)], [(STRANGE, m)]):
        with pytest.raises(Fail) as caught:
            judged(SBOM, entries, [PLAIN, HYBRID])
        assert caught.value.finding["status"] == 69
        assert entries[0][0] != E or caught.value.finding["context"]["Signer"] == "h"
    assert judged(SBOM, [(PLAIN["components"][0], raw)], [PLAIN, HYBRID]) == ("valid", [])
    assert judged(SBOM, [(E, e)], [PLAIN, HYBRID]) == ("invalid", ["signature-incomplete"])
    assert judged(SBOM, [(STRANGE, bytes(64))], [PLAIN, HYBRID]) == ("unknown", [])
    assert judged(SBOM, [(STRANGE, m)], [PLAIN]) == ("unknown", [])


def test_half_of_a_hybrid_is_no_key_of_a_smaller_suite() -> None:
    """Who has the Ed25519 half alone signs as CT-SIG-01 with it, under its own fingerprint, and under other names."""
    half = held("h", "CT-SIG-01", seeds_of("CT-SIG-02")[:1])
    payload = statement.make(MANIFEST, DIGEST, half, "2026-01-01T00:00:00Z", [], None)
    (raw,) = suites.sign("CT-SIG-01", seeds_of("CT-SIG-02")[:1], dsse.pae(dsse.PAYLOAD_TYPE, payload))
    assert judged(payload, [(half["fingerprint"], raw)], [half]) == ("valid", [])
    for keyid in (E, STRANGE, ""):
        assert judged(payload, [(keyid, raw)], [HYBRID]) == ("invalid", ["signature-incomplete"])
    # Both halves under a statement that says CT-SIG-01.
    e, m = made(payload)
    assert judged(payload, [(E, e), (M, m)], [HYBRID]) == ("invalid", ["statement-malformed"])


def test_a_signature_of_our_own_suite_order_only() -> None:
    """Among the signatures of several keys each key's stand in the order of its suite; a bundle signature has one key's alone."""
    e, m = made(SBOM)
    (raw,) = suites.sign("CT-SIG-01", [b"\x09" * 32], dsse.pae(dsse.PAYLOAD_TYPE, SBOM))
    p = (PLAIN["components"][0], raw)
    for entries in ([p, (E, e), (M, m)], [(E, e), p, (M, m)], [(E, e), (M, m), p]):
        assert judged(SBOM, entries, [PLAIN, HYBRID]) == ("valid", [])
    assert judged(SBOM, [(M, m), p, (E, e)], [PLAIN, HYBRID]) == ("invalid", ["signature-incomplete"])
    (raw,) = suites.sign("CT-SIG-01", [b"\x09" * 32], dsse.pae(dsse.PAYLOAD_TYPE, SIGNATURE))
    e, m = made(SIGNATURE)
    assert judged(SIGNATURE, [(E, e), (M, m), (PLAIN["components"][0], raw)], [HYBRID]) == ("invalid", ["statement-malformed"])


# -- through ct ----------------------------------------------------------------------------------------------------------------


RANKS = ["CT-SIG-01", "CT-SIG-04", "CT-SIG-03", "CT-SIG-06", "CT-SIG-02"]


def test_a_policy_of_suites(tmp_path: Path) -> None:
    home, layout = tmp_path / "home", Layout(tmp_path / "image")
    home.mkdir(mode=0o700)
    single(layout)
    env = environment(home)
    for suite_id in RANKS:
        tool("ct", "keygen", "--id", suite_id, "--suite", suite_id, "--no-password", env=env)
        tool("ct", "pack", "-k", suite_id, "-o", tmp_path / f"{suite_id}.ctp", f"oci:{layout.directory}:1.0", env=env)

    def statuses(rule: dict[str, Any]) -> list[int]:
        (home / "policy.json").write_text(json.dumps({"version": "1", "suites": rule}))
        bundles = [tmp_path / f"{suite_id}.ctp" for suite_id in RANKS]
        said = tool("ct", "verify", "--json", *bundles, env=env, status=4).stdout
        return [json.loads(line)["status"] for line in said.splitlines()]

    for number, least in enumerate(RANKS[1:], 1):
        assert statuses({"minimum": least}) == [4] * number + [0] * (5 - number)
    assert statuses({"allowed": ["CT-SIG-04", "CT-SIG-06"]}) == [4, 0, 4, 0, 4]
