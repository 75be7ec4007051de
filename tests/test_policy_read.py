"""The strict reader of policies, and that it and the published schema accept the same language."""

import copy
import json
import math
from typing import Any

import pytest
from cerrotorre import policycheck, policyread
from cerrotorre.errors import Fail
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
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

WORDS = "1 allow deny CT-SIG-01 CT-SIG-06 * a* local docker.io/library/* -a é 2024-02-29 2023-02-29 2026-12-31"
NAMED = "from builders nginx nginx.ctp Nginx x ſigners"
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 400),
    st.sampled_from([1.0, 2.0, 0.5, -0.0, 1e300, 90.0, 36500.0, 36501]),
    st.text(max_size=4),
    st.sampled_from(WORDS.split()),
    st.sampled_from(["a\n", "2026-12-31\n", FINGERPRINT, FINGERPRINT + "\n", FINGERPRINT.lower(), DIGEST, DIGEST.upper()]),
    st.sampled_from(["a" * 128, "a" * 129]),
)
named = {name for part in [SCHEMA, *SCHEMA["$defs"].values()] for name in part.get("properties", {})}
words = st.sampled_from(sorted(named | {*NAMED.split(), "a b", "comment\n", ""}))
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=6
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: list[tuple[Any, ...]] = [path]
    for step, entry in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        inner += places(entry, (*path, step))
    return inner


def accepts(data: Any) -> bool:
    """Whether the reader takes it: bytes as they are, anything else as JSON."""
    try:
        policyread.read(data if isinstance(data, bytes) else json.dumps(data).encode(), "strict.json")
    except Fail as fail:
        assert fail.finding["finding"] == "policy-malformed"
        return False
    return True


def agree(policy: Any) -> bool:
    """What reader and schema both say."""
    accepted = accepts(policy)
    assert accepted is VALIDATOR.is_valid(policy), policy
    return accepted


# -- documents that are valid by construction: whatever the schema allows ------------------------------------------------------

# The members that were made so far, each by the place in the schema that describes it.
MADE: set[str] = set()


def resolved(schema: dict[str, Any], where: str) -> tuple[dict[str, Any], str]:
    if "$ref" not in schema:
        return schema, where
    assert not schema.keys() - {"$ref", "description"}
    return resolved(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], schema["$ref"])


def described(schema: dict[str, Any], where: str = "#") -> set[str]:
    """The members that a schema describes, as `made` names them."""
    schema, where = resolved(schema, where)
    found: set[str] = set()
    for name, inner in {**schema.get("properties", {}), **schema.get("patternProperties", {})}.items():
        found |= {f"{where}/{name}"} | described(inner, f"{where}/{name}")
    return found | (described(schema["items"], f"{where}/items") if "items" in schema else set())


NAMES = st.sampled_from(["nginx", "nginx.ctp", "0", "a/b-c_d.e", "a" * 128, "comment.ctp", "version"])
# What matches each pattern of the schema, at its edges.
DEFINED = {name: part["pattern"] for name, part in SCHEMA["$defs"].items() if "pattern" in part}
MATCHING = {
    DEFINED["key_glob"]: ["*", "?", "a", "A-z_.0", "release-*", "a" * 128, "?" * 128],
    DEFINED["fingerprint"]: [FINGERPRINT, "SHA256:" + "0" * 64],
    DEFINED["digest"]: [DIGEST, "sha256:" + "f" * 64],
    DEFINED["date"]: ["2024-02-29", "2000-02-29", "0001-01-01", "9999-12-31", "2026-04-30", "2026-02-28"],
    DEFINED["registry"]: ["*", "local", "docker.io/library/*", "[::1]:5000/a@sha256:*", "-", "a" * 512],
    "^[!-~]{1,2048}(?!\\n)$": ["https://ci.example/*", "!", "~" * 2048],
}


@st.composite
def made(draw: st.DrawFn, schema: dict[str, Any], where: str = "#") -> Any:
    """A value of what the schema describes."""
    schema, where = resolved(schema, where)
    if "const" in schema or "enum" in schema:
        return draw(st.sampled_from(schema.get("enum", [schema.get("const")])))
    kind = draw(st.sampled_from(schema["type"])) if isinstance(schema["type"], list) else schema["type"]
    if kind == "boolean":
        return draw(st.booleans())
    if kind == "integer":
        number = draw(
            st.integers(schema["minimum"], schema["maximum"]) | st.sampled_from([schema["minimum"], schema["maximum"]])
        )
        return draw(st.sampled_from([number, float(number)]))
    if kind == "string":
        return draw(st.sampled_from(MATCHING[schema["pattern"]]) if "pattern" in schema else texts)
    if kind == "array":
        items = made(schema["items"], f"{where}/items")
        return draw(st.lists(items, min_size=schema.get("minItems", 0), max_size=3))
    assert kind == "object"
    options = [option["required"] for option in schema.get("anyOf", []) if "required" in option]
    needed = {*schema.get("required", []), *(draw(st.sampled_from(options)) if options else [])}
    value = {}
    for name, inner in schema["properties"].items():
        if name in needed or draw(st.booleans()):
            value[name] = draw(made(inner, f"{where}/{name}"))
            MADE.add(f"{where}/{name}")
    for pattern, inner in schema.get("patternProperties", {}).items():
        for name in draw(st.lists(NAMES, max_size=2)):
            value[name] = draw(made(inner, f"{where}/{pattern}"))
            MADE.add(f"{where}/{pattern}")
    for name, others in schema.get("dependentRequired", {}).items():
        for other in others if name in value else ():
            value.setdefault(other, draw(made(schema["properties"][other], f"{where}/{other}")))
    return value


texts = st.text(st.characters(codec="utf-8"), max_size=6)
always = settings(derandomize=True, database=None, deadline=None, suppress_health_check=[*HealthCheck])


@settings(always, max_examples=250)
@given(made(SCHEMA))
def test_what_the_schema_allows_is_read(policy: Any) -> None:
    assert agree(policy)


def test_every_member_was_made() -> None:
    """The generator above reaches the whole language: without this it might prove little."""
    if not MADE:
        test_what_the_schema_allows_is_read()
    assert described(SCHEMA) == MADE


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A valid document with up to four things wrong with it, or by chance with none."""
    policy: Any = draw(made(SCHEMA) | st.just(WHOLE).map(copy.deepcopy))
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(places(policy)[1:] or [("version",)]))
        place = policy
        for step in path[:-1]:
            place = place[step]
        how = draw(st.sampled_from(["replace", "remove", "add", "move"]))
        if how == "remove" and (isinstance(place, list) or path[-1] in place):
            del place[path[-1]]
        elif how == "add" and isinstance(place, dict):
            place[draw(words)] = draw(anything)
        elif how == "move" and isinstance(place, dict):
            place[draw(words)] = copy.deepcopy(draw(st.sampled_from([policy, *place.values()])))
        else:
            place[path[-1]] = draw(anything)
    return policy


@settings(always, max_examples=500)
@given(mutated())
def test_reader_and_schema_accept_the_same(policy: Any) -> None:
    agree(policy)


@settings(always, max_examples=100)
@given(anything)
def test_reader_and_schema_refuse_the_same(policy: Any) -> None:
    agree(policy)


# -- every member, in every way that it can be wrong ---------------------------------------------------------------------------

PLACES = [path for path in places(WHOLE) if path]
MEMBERS = [path for path in PLACES if isinstance(path[-1], str)]
COMMENTS = ("$schema", "description", "comment")


def without(path: tuple[Any, ...]) -> Any:
    policy = copy.deepcopy(WHOLE)
    place = policy
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return policy


def renamed(path: tuple[Any, ...], name: str) -> Any:
    policy, value = without(path), WHOLE
    for step in path:
        value = value[step]
    return changed_in(policy, (*path[:-1], name), value)


def changed_in(policy: Any, path: tuple[Any, ...], value: Any) -> Any:
    place = policy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return policy


def test_the_whole_policy_has_every_member() -> None:
    """What follows tries WHOLE's members one by one, so it must have all: by the schema's own account."""
    found = {path[-1] for path in MEMBERS} | {"nginx"}
    named = {where.rpartition("/")[2] for where in described(SCHEMA) if "(?!" not in where}
    assert named <= found


def test_dropped() -> None:
    kept = {path for path in PLACES if agree(without(path))}
    needed = set(PLACES) - kept
    # Nothing else is required.
    keys = {"version", "threshold", "allowed", "signed_after", "from", "fingerprint", "digest", "key_id", 0}
    assert {path[-1] for path in needed} == keys


@pytest.mark.parametrize(
    "value", [None, True, False, 0, 1, 2, "", "1", "x", [], [None], {}, {"version": "1"}, {"x": 1}, 1.5], ids=repr
)
def test_retyped(value: Any) -> None:
    for path in PLACES:
        agree(changed(list(path), value))


def test_misspelled() -> None:
    for path in MEMBERS:
        name, names = path[-1], path[-2:-1] in (("pin",), ("minimum",))
        spaced = [name + " ", " " + name, name + "\n"]
        for other in {name + "s", name[:-1], *spaced, name.replace("_", "-"), name.replace("_", ""), ""} - {name}:
            # Another name of a bundle is no mistake that can be seen.
            assert not agree(renamed(path, other)) or names, (path, other)


def test_in_another_case() -> None:
    for path in MEMBERS:
        name = path[-1]
        cased = {name.upper(), name.title(), name.swapcase(), name[0].upper() + name[1:], name.replace("s", "\u017f")}
        for other in cased - {name}:
            # Docker's repositories are in lower case, but a pin's key may be a version too.
            assert not agree(renamed(path, other)) or path[-2:-1] == ("pin",), (path, other)
            both = changed_in(copy.deepcopy(WHOLE), (*path[:-1], other), [])
            assert not agree(both)


def repeated(value: Any, path: tuple[Any, ...]) -> str:
    """JSON text of the value in which the member at `path` is there twice."""
    if isinstance(value, list):
        return "[" + ",".join(repeated(one, path[1:] if path[:1] == (at,) else ()) for at, one in enumerate(value)) + "]"
    if not isinstance(value, dict):
        return json.dumps(value)
    parts = [f"{json.dumps(key)}:{repeated(one, path[1:] if path[:1] == (key,) else ())}" for key, one in value.items()]
    if len(path) == 1 and path[0] in value:
        parts.insert(0, f"{json.dumps(path[0])}:{json.dumps(value[path[0]])}")
    return "{" + ",".join(parts) + "}"


def test_repeated() -> None:
    """The schema sees a document in which nothing is repeated; to the reader it is not strict JSON."""
    for path in MEMBERS:
        text = repeated(WHOLE, path)
        assert json.loads(text) == WHOLE and len(text) > len(repeated(WHOLE, ()))
        assert not accepts(text.encode()), path
        # The same name, spelled with an escape.
        escaped = text.replace(f"{json.dumps(path[-1])}:", f'"\\u{ord(path[-1][0]):04x}{path[-1][1:]}":', 1)
        assert json.loads(escaped) == WHOLE and not accepts(escaped.encode()), path


NUMBERS = """1 1.0 1e0 10e-1 1E0 100e-2 0.1e1 2.50e1 0 -0 -0.0 -1 0.5 1.5 1.0000000000000002 255 256 256.0 257 2.56e2 36500 36500.0
    36501 3.65e4 86400 8.64e4 86401 86400.5 1e308 1e309 1e400 -1e400 1e-400 9007199254740992 9007199254740993 9223372036854775808
    01 +1 .5 1. 0x1 1_0 NaN Infinity -Infinity true "1" null"""


@pytest.mark.parametrize("member", ["max_age_days", "clock_skew_tolerance_seconds", "threshold"])
def test_numbers(member: str) -> None:
    """Numbers as they are spelled: what both take is an integer in the range, and is one whichever spelling it has."""
    section = "signers" if member == "threshold" else "time"
    bounds = SCHEMA["properties"]["time"]["properties"] | SCHEMA["$defs"]["signers"]["properties"]
    least, most = bounds[member]["minimum"], bounds[member]["maximum"]
    for number in [*NUMBERS.split(), "1" + "0" * 400]:
        text = f'{{"version":"1","{section}":{{"{member}":{number}}}}}'
        try:
            valid = math.isfinite(json.loads(text)[section][member]) and VALIDATOR.is_valid(json.loads(text))
        except (ValueError, TypeError, OverflowError):
            valid = False
        assert accepts(text.encode()) is valid, number
        if valid:
            read_as = policyread.read(text.encode(), "p")[section][member]
            assert read_as == int(read_as) and least <= read_as <= most


DATES = """2023-02-29 2024-02-29 1900-02-29 2000-02-29 2100-02-29 2026-02-30 2026-04-31 2026-12-31 2026-00-10 2026-10-00 0000-01-01
    0001-01-01 9999-12-31 10000-01-01 02026-01-01 +2026-01-01 -2026-01-01 2026-4-1 20260401 2026-W01-1 2026-091 2026-04 2026
    2026-04-01T00:00:00Z 2026-04-01Z 2026\u201304\u201301 \u0662\u0660\u0662\u0666-04-01 2026-04-0\uff11"""


def test_dates() -> None:
    import datetime

    dated = [path for path in MEMBERS if path[-1] in ("after", "before", "signed_after")]
    assert len(dated) == 3
    for date in [*DATES.split(), " 2026-04-01", "2026-04-01 ", "2026-04-01\n", "\n2026-04-01"]:
        try:
            real = len(date) == 10 and date.isascii() and bool(datetime.date.fromisoformat(date)) and date[4] == date[7] == "-"
        except ValueError:
            real = False
        for path in dated:
            assert agree(changed(list(path), date)) is real, (path, date)


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
