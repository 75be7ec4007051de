"""The strict reader of policies, and that it and the published schema accept the same language."""

import copy
import json
from typing import Any

import pytest
from cerrotorre import policycheck, policyread
from cerrotorre.errors import Fail
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

SCHEMA = json.loads((ROOT / "spec" / "policy.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
FINGERPRINT, DIGEST = "SHA256:" + "0a" * 32, "sha256:" + "0a" * 32

# Every member of the language at once.
WHOLE: dict[str, Any] = {
    "$schema": "https://cerro-torre.org/schema/policy/1",
    "version": "1",
    "description": "all of it",
    "comment": "",
    "default_action": "deny",
    "signers": {
        "comment": "c",
        "allowed": [
            {"key_id": "cerro-official-*", "required": True},
            {"key_id": "upstream-nginx", "fingerprint": FINGERPRINT, "sources": ["docker.io/library/nginx:*"], "comment": "c"},
            {"fingerprint": FINGERPRINT},
        ],
        "denied": [
            {"key_id": "compromised-key", "fingerprint": FINGERPRINT, "after": "2026-06-01", "reason": "laptop stolen"},
            {"key_id": "old-*", "before": "2024-02-29"},
        ],
        "threshold": 2,
        "threshold_from": ["release-*"],
    },
    "registries": {"allowed": ["docker.io/library/*", "registry.internal:5000/*"], "blocked": ["*.untrusted.example"]},
    "suites": {"allowed": ["CT-SIG-01", "CT-SIG-02"], "minimum": "CT-SIG-01"},
    "base_images": {"allowed": ["docker.io/library/debian:bookworm*"]},
    "require_attestations": {
        "provenance": {"from": ["ci-*"], "builders": ["https://github.com/actions/runner/*"]},
        "sbom": {"from": ["ci-*"]},
        "transparency_log": False,
    },
    "pin": {
        "comment": "pins",
        "nginx.ctp": {"digest": DIGEST, "signers": ["trusted-key"]},
        "docker.io/library/nginx:1.26": {"digest": DIGEST},
    },
    "unpinned": "allow",
    "minimum": {"description": "d", "nginx": {"signed_after": "2026-01-01"}},
    "time": {"max_age_days": 90, "clock_skew_tolerance_seconds": 300, "accept_claimed": False},
}


def read(policy: Any) -> Any:
    return policyread.read(json.dumps(policy).encode(), "strict.json")


def refused(policy: Any) -> dict[str, Any]:
    with pytest.raises(Fail) as caught:
        read(policy)
    found = caught.value.finding
    assert (found["finding"], found["status"]) == ("policy-malformed", 10)
    return {**found["context"], "detail": found["detail"]}


def test_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_whole_language_is_read() -> None:
    assert read(WHOLE) == WHOLE
    VALIDATOR.validate(WHOLE)


def test_least_policy() -> None:
    assert read({"version": "1"}) == {"version": "1"}


def changed(path: list[Any], value: Any) -> Any:
    policy = copy.deepcopy(WHOLE)
    place = policy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return policy


@pytest.mark.parametrize(
    ("path", "value", "pointer", "expected", "found"),
    [
        (["version"], 1, "/version", '"1"', "1"),
        (["version"], "2", "/version", '"1"', '"2"'),
        (["version"], "1.0", "/version", '"1"', '"1.0"'),
        (["default_action"], "Deny", "/default_action", '"allow" or "deny"', '"Deny"'),
        (["signers", "threshold"], "2", "/signers/threshold", "an integer from 1 to 256", '"2"'),
        (["signers", "threshold"], True, "/signers/threshold", "an integer from 1 to 256", "true"),
        (["signers", "threshold"], 0, "/signers/threshold", "an integer from 1 to 256", "0"),
        (["signers", "threshold"], 1.5, "/signers/threshold", "an integer from 1 to 256", "1.5"),
        (["signers", "allowed", 0], {}, "/signers/allowed/0", "the member key_id or fingerprint", "none"),
        (["signers", "allowed", 0], "cerro-*", "/signers/allowed/0", "an object", '"cerro-*"'),
        (["signers", "allowed"], {}, "/signers/allowed", "an array", "an object"),
        (["signers", "allowed", 0, "required"], "yes", "/signers/allowed/0/required", "true or false", '"yes"'),
        (["signers", "denied", 0, "after"], "2026-02-29", "/signers/denied/0/after", policyread.DATE[1], '"2026-02-29"'),
        (["signers", "denied", 0, "after"], "2026-06-01T00:00:00Z", "/signers/denied/0/after", policyread.DATE[1], None),
        (["signers", "denied", 1, "before"], "0000-01-01", "/signers/denied/1/before", policyread.DATE[1], None),
        (["signers", "denied", 0, "fingerprint"], DIGEST, "/signers/denied/0/fingerprint", policyread.FINGERPRINT[1], None),
        (["signers", "threshold_from"], [], "/signers/threshold_from", "an array that is not empty", "an empty array"),
        (["suites", "minimum"], "CT-SIG-05", "/suites/minimum", None, '"CT-SIG-05"'),
        (["suites", "allowed", 0], "ct-sig-01", "/suites/allowed/0", None, '"ct-sig-01"'),
        (["registries", "blocked", 0], "a b", "/registries/blocked/0", policyread.REGISTRY_GLOB[1], '"a b"'),
        (["registries", "blocked", 0], "x.example\n", "/registries/blocked/0", policyread.REGISTRY_GLOB[1], '"x.example\\n"'),
        (["base_images"], {}, "/base_images", "the member allowed", "none"),
        (["pin", "nginx"], {}, "/pin/nginx", "the member digest or signers", "none"),
        (["pin", "comment"], {"digest": DIGEST}, "/pin/comment", "a string", "an object"),
        (["pin", "a/b c"], {"digest": DIGEST}, "/pin/a~1b c", policyread.PIN_KEY[1], 'the member "a/b c"'),
        (["pin", "nginx"], {"digest": "sha256:" + "0A" * 32}, "/pin/nginx/digest", policyread.DIGEST[1], None),
        (["minimum", "Nginx"], {"signed_after": "2026-01-01"}, "/minimum/Nginx", policyread.NAME[1], 'the member "Nginx"'),
        (["minimum", "nginx"], {}, "/minimum/nginx", "the member signed_after", "none"),
        (["require_attestations", "sbom"], "yes", "/require_attestations/sbom", "true, false or an object", '"yes"'),
        (["require_attestations", "sbom"], {}, "/require_attestations/sbom", "the member from", "none"),
        (
            ["require_attestations", "transparency_log"],
            {},
            "/require_attestations/transparency_log",
            "true or false",
            "an object",
        ),
        (["time", "max_age_days"], 0, "/time/max_age_days", "an integer from 1 to 36500", "0"),
        (["comment"], 1, "/comment", "a string", "1"),
        (["signers"], None, "/signers", "an object", "null"),
    ],
)
def test_refused_with_its_place(path: list[Any], value: Any, pointer: str, expected: str | None, found: str | None) -> None:
    policy = changed(path, value)
    context = refused(policy)
    assert context["Policy"] == "strict.json"
    assert context["Pointer"] == pointer
    assert expected is None or context["Expected"] == expected
    assert found is None or context["Found"] == found
    assert not VALIDATOR.is_valid(policy)
    # The schema finds it at the same place, where it is not said a second time.
    assert policycheck.schema_errors(json.dumps(policy).encode()) == []


@pytest.mark.parametrize(
    ("path", "wrong", "meant"),
    [
        ([], "signer", "signers"),
        ([], "Version", "version"),
        (["signers"], "treshold", "threshold"),
        (["signers", "allowed", 0], "keyid", "key_id"),
        (["signers", "allowed", 0], "fingerprnt", "fingerprint"),
        (["registries"], "block", "blocked"),
        (["time"], "max_age", "max_age_days"),
        (["require_attestations"], "SBOM", "sbom"),
    ],
)
def test_a_typo_is_an_error_and_names_what_was_meant(path: list[Any], wrong: str, meant: str) -> None:
    policy = changed([*path, wrong], [])
    context = refused(policy)
    assert context["Pointer"].endswith("/" + wrong)
    assert f"did you mean {meant}?" in context["detail"]
    assert not VALIDATOR.is_valid(policy)


def test_two_spellings_of_one_member() -> None:
    # "no two keys equal under case folding where a schema names the keys"
    refused({"version": "1", "signers": {}, "Signers": {}})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"version":"1","version":"1"}',
        b'{"version":"1","time":{"max_age_days":NaN}}',
        b'{"version":"1"} x',
        b'\xff{"version":"1"}',
        b'\xef\xbb\xbf{"version":"1"}',
        b'{"version":"1","comment":"\\ud800"}',
        b'{"version":"1","comment":' + b"[" * 70 + b"]" * 70 + b"}",
        b'{"version":"1","comment":"' + b"x" * policyread.MAX_POLICY + b'"}',
        b"{}",
    ],
)
def test_not_a_policy(data: bytes) -> None:
    with pytest.raises(Fail) as caught:
        policyread.read(data, "p")
    assert caught.value.finding["finding"] == "policy-malformed"
    assert {"Policy", "Pointer", "Expected", "Found"} <= caught.value.finding["context"].keys()


def test_threshold_from_needs_a_threshold() -> None:
    policy = copy.deepcopy(WHOLE)
    del policy["signers"]["threshold"]
    assert refused(policy)["Pointer"] == "/signers"
    assert not VALIDATOR.is_valid(policy)


# -- reader and schema are one language ------------------------------------------------------------------------------------

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 400),
    st.sampled_from([1.0, 2.0, 0.5, -0.0, 1e300, 90.0, 36500.0, 36501]),
    st.text(max_size=4),
    st.sampled_from(
        [
            "1",
            "allow",
            "deny",
            "CT-SIG-01",
            "CT-SIG-06",
            "*",
            "a*",
            "a\n",
            "local",
            "docker.io/library/*",
            "2024-02-29",
            "2023-02-29",
            "2000-02-29",
            "1900-02-29",
            "0000-02-29",
            "2026-04-31",
            "2026-12-31",
            "2026-12-31\n",
            "2026-13-01",
            FINGERPRINT,
            FINGERPRINT + "\n",
            FINGERPRINT.lower(),
            DIGEST,
            DIGEST.upper(),
            "a" * 128,
            "a" * 129,
            "-a",
            "é",
        ]
    ),
)
words = st.sampled_from(
    sorted(
        {name for part in [SCHEMA, *SCHEMA["$defs"].values()] for name in part.get("properties", {})}
        | {
            "allowed",
            "blocked",
            "minimum",
            "key_id",
            "nginx",
            "nginx.ctp",
            "Nginx",
            "a b",
            "comment\n",
            "from",
            "builders",
            "x",
            "",
            "ſigners",
        }
    )
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=6
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: list[tuple[Any, ...]] = [path]
    for step, entry in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        inner += places(entry, (*path, step))
    return inner


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    policy: Any = copy.deepcopy(WHOLE)
    for _ in range(draw(st.integers(0, 4))):
        path = draw(st.sampled_from(places(policy)[1:] or [("version",)]))
        place = policy
        for step in path[:-1]:
            place = place[step]
        how = draw(st.sampled_from(["replace", "remove", "add", "move"]))
        if how == "remove" and path[-1:] and (isinstance(place, list) or path[-1] in place):
            del place[path[-1]]
        elif how == "add" and isinstance(place, dict):
            place[draw(words)] = draw(anything)
        elif how == "move" and isinstance(place, dict):
            place[draw(words)] = copy.deepcopy(draw(st.sampled_from([policy, *place.values()])))
        else:
            place[path[-1]] = draw(anything)
    return policy


def accepts(policy: Any) -> bool:
    try:
        read(policy)
    except Fail as fail:
        assert fail.finding["finding"] == "policy-malformed"
        return False
    return True


@settings(max_examples=600, deadline=None)
@given(mutated())
def test_reader_and_schema_accept_the_same(policy: Any) -> None:
    assert accepts(policy) is VALIDATOR.is_valid(policy), policy


@settings(max_examples=200, deadline=None)
@given(anything)
def test_reader_and_schema_refuse_the_same(policy: Any) -> None:
    assert accepts(policy) is VALIDATOR.is_valid(policy), policy


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([path for path in places(WHOLE) if path]), anything)
def test_every_place_alone(path: tuple[Any, ...], value: Any) -> None:
    policy = changed(list(path), value)
    assert accepts(policy) is VALIDATOR.is_valid(policy), policy


GRAMMARS = {
    "key_glob": policyread.KEY_GLOB,
    "fingerprint": policyread.FINGERPRINT,
    "digest": policyread.DIGEST,
    "date": policyread.DATE,
    "registry": policyread.REGISTRY_GLOB,
}


def test_expressions_are_the_schemas() -> None:
    for name, (expression, _) in GRAMMARS.items():
        assert SCHEMA["$defs"][name]["pattern"] == f"^{expression}(?!\\n)$"
    not_comment = "^(?!(?:description|comment)$)"
    assert list(SCHEMA["properties"]["pin"]["patternProperties"]) == [f"{not_comment}{policyread.PIN_KEY[0]}(?!\\n)$"]
    assert list(SCHEMA["properties"]["minimum"]["patternProperties"]) == [f"{not_comment}{policyread.NAME[0]}(?!\\n)$"]
    assert SCHEMA["$defs"]["suite"]["enum"] == list(policyread.SUITES)


def test_dates_are_the_calendars() -> None:
    import datetime
    import re

    for year in (1, 4, 100, 400, 1900, 2000, 2023, 2024, 9999):
        for month in range(14):
            for day in range(33):
                try:
                    datetime.date(year, month, day)
                    real = True
                except ValueError:
                    real = False
                assert bool(re.fullmatch(policyread.DATE[0], f"{year:04}-{month:02}-{day:02}")) is real
