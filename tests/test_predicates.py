"""SBOM and provenance documents: what is accepted, what is refused and how, and that the checks are the published schemas'."""

import json
import random
import re
from pathlib import Path
from typing import Any

import predicates
import pytest
from cerrotorre import attest, jsonic, predicate, schema
from cerrotorre.errors import Fail
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from images import Layout, single
from jsonschema import Draft202012Validator
from small import environment, members, pair, rebuilt, tool, verdicts

SCHEMAS = {kind: json.loads((ROOT / "spec" / f"{name}.schema.json").read_text()) for kind, name in predicate.SCHEMAS.items()}
VALIDATORS = {kind: Draft202012Validator(value) for kind, value in SCHEMAS.items()}
CHECKS = {kind: schema.compiled(value) for kind, value in SCHEMAS.items()}
IMAGE = "sha256:" + "1b" * 32


def added(kind: str, data: bytes | Any, directory: Path, image: str = IMAGE) -> dict[str, Any]:
    path = directory / "document"
    path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
    record: dict[str, Any] = {"manifest": {"name": "hello", "image_digest": image}}
    attest.add(record, kind, str(path))
    return record


def refused(kind: str, data: bytes | Any, directory: Path, slug: str) -> dict[str, Any]:
    with pytest.raises(Fail) as caught:
        added(kind, data, directory)
    found = caught.value.finding
    assert found["finding"] == slug, found
    return {**found["context"], "detail": found.get("detail", "")}


def every(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a document."""
    inner: list[tuple[Any, ...]] = [path]
    for step, entry in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        inner += every(entry, (*path, step))
    return inner


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    # Without the parts that it shares.
    made = json.loads(json.dumps(document))
    place = made
    for step in path[:-1]:
        place = place[step]
    if value is None and not isinstance(place, list):
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return made


def accepts(kind: str, value: Any) -> bool:
    try:
        CHECKS[kind](value)
    except schema.Unfit as error:
        assert error.expected and error.found
        return False
    return True


# -- what is accepted ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", predicates.KINDS)
def test_whole_documents_are_accepted(kind: str, tmp_path: Path) -> None:
    Draft202012Validator.check_schema(SCHEMAS[kind])
    VALIDATORS[kind].validate(predicates.KINDS[kind])
    record = added(kind, predicates.KINDS[kind], tmp_path)
    manifest = record["manifest"]
    (waiting,) = record["statements"]
    assert waiting["predicate_type"] == predicate.TYPES[kind][0] and waiting["at"]["file"] == str(tmp_path / "document")
    (payload,) = attest.payloads(record, manifest)
    assert "statements" not in record
    said = jsonic.parse(payload)
    assert jsonic.canonical(said) == payload
    assert said["subject"] == [{"name": "hello", "digest": {"sha256": IMAGE[7:]}}]
    assert said["predicate"] == predicates.KINDS[kind], "all of it, the members that no schema names too"


@pytest.mark.parametrize("kind", predicates.KINDS)
def test_a_statement_about_the_image_gives_the_same(kind: str, tmp_path: Path) -> None:
    bare = added(kind, predicates.KINDS[kind], tmp_path)
    expected = attest.payloads(bare, bare["manifest"])
    record = added(kind, predicates.statement(kind, IMAGE), tmp_path)
    assert attest.payloads(record, record["manifest"]) == expected


@pytest.mark.parametrize("kind", predicates.KINDS)
def test_every_named_member_is_in_the_whole_document(kind: str) -> None:
    """Else the tests below would not reach it."""
    there = {step for path in every(predicates.KINDS[kind]) for step in path}
    parts = [SCHEMAS[kind], *SCHEMAS[kind]["$defs"].values()]
    named: set[str] = set()
    while parts:
        part = parts.pop()
        named |= part.get("properties", {}).keys()
        parts += [*part.get("properties", {}).values(), *([part["items"]] if "items" in part else [])]
    assert named - there == set()


def test_published_example(vectors: Path, tmp_path: Path) -> None:
    data = (vectors / "spdx-2.3" / "SPDXJSONExample-v2.3.spdx.json").read_bytes()
    record = added("sbom", data, tmp_path)
    (payload,) = attest.payloads(record, record["manifest"])
    assert attest.describe(jsonic.parse(payload)) == {
        "schema": "valid",
        "about": {"version": "SPDX-2.3", "packages": 4, "name": "SPDX-Tools-v2.0"},
    }


def test_what_the_published_schema_requires_is_required(vectors: Path) -> None:
    """Whatever lacks a member that the SPDX project's schema requires of a document or its packages, files and relationships."""
    example = json.loads((vectors / "spdx-2.3" / "SPDXJSONExample-v2.3.spdx.json").read_bytes())
    theirs = json.loads((vectors / "spdx-2.3" / "spdx-schema-2.3.json").read_bytes())
    assert Draft202012Validator(theirs).is_valid(example)
    Draft202012Validator(theirs).validate(
        {key: value for key, value in predicates.SBOM.items() if key not in ("x-ours", "snippets")}
    )
    lacking = 0
    for path in every(example):
        if path and isinstance(path[-1], str) and path[0] != "snippets":
            without = changed(example, path, None)
            if not Draft202012Validator(theirs).is_valid(without):
                lacking += 1
                assert not accepts("sbom", without), path
    assert lacking > 50


def test_other_published_formats_are_named(vectors: Path, tmp_path: Path) -> None:
    for name, what in (
        ("SPDXTagExample-v2.3.spdx", "SPDX tag-value"),
        ("SPDXXMLExample-v2.3.spdx.xml", "XML"),
        ("SPDXYAMLExample-2.3.spdx.yaml", "SPDX YAML"),
    ):
        context = refused("sbom", (vectors / "spdx-2.3" / name).read_bytes(), tmp_path, "predicate-format")
        assert what in context["Actual"] and context["Hint"], name


# -- what is refused -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "data", "actual", "hint"),
    [
        ("sbom", {"bomFormat": "CycloneDX", "specVersion": "1.5"}, "CycloneDX 1.5", "spdx-json"),
        ("sbom", b'<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.4"/>', "CycloneDX XML", "spdx-json"),
        ("sbom", b"SPDXVersion: SPDX-2.3\n", "SPDX tag-value", "pyspdxtools"),
        ("sbom", b"spdxVersion: SPDX-2.3\n", "SPDX YAML", "pyspdxtools"),
        ("sbom", {"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": []}, "SPDX 3", "spdx-json@2.3"),
        ("sbom", {**predicates.SBOM, "spdxVersion": "SPDX-2.2"}, "SPDX-2.2", "spdx-json@2.3"),
        ("sbom", {"artifacts": [], "descriptor": {"name": "syft"}}, "syft", "spdx-json"),
        ("sbom", {"sbom": predicates.SBOM}, "`sbom`", "jq"),
        ("sbom", {"payload": "", "payloadType": "x", "signatures": []}, "DSSE", "base64 -d"),
        ("provenance", {"payload": "", "payloadType": "x", "signatures": []}, "DSSE", "base64 -d"),
        ("provenance", {"mediaType": "x", "dsseEnvelope": {}}, "Sigstore", ".dsseEnvelope"),
        ("provenance", {"builder": {"id": "x"}, "buildType": "y", "materials": []}, "v0.2", "version=v1"),
        (
            "provenance",
            predicates.statement("provenance", IMAGE, predicateType="https://slsa.dev/provenance/v0.2"),
            "v0.2",
            "v1",
        ),
        ("sbom", predicates.statement("sbom", IMAGE, _type="https://in-toto.io/Statement/v0.1"), "v0.1", "jq .predicate"),
        ("provenance", predicates.statement("sbom", IMAGE), "spdx.dev", "slsa.dev"),
        ("sbom", predicates.statement("sbom", IMAGE, predicateType="https://cyclonedx.org/bom"), "cyclonedx", "spdx.dev"),
    ],
)
def test_another_format_says_what_it_is(kind: str, data: Any, actual: str, hint: str, tmp_path: Path) -> None:
    context = refused(kind, data, tmp_path, "predicate-format")
    assert actual in context["Actual"] and hint in context["Hint"] and context["Expected"]


@pytest.mark.parametrize(
    ("kind", "path", "value", "pointer", "expected"),
    [
        ("sbom", ("spdxVersion",), None, "", "the member spdxVersion"),
        ("sbom", ("dataLicense",), "MIT", "/dataLicense", '"CC0-1.0"'),
        ("sbom", ("creationInfo", "creators"), [], "/creationInfo/creators", "an array that is not empty"),
        ("sbom", ("creationInfo", "created"), "yesterday", "/creationInfo/created", "a time in UTC, YYYY-MM-DDTHH:MM:SSZ"),
        ("sbom", ("packages",), {}, "/packages", "an array"),
        ("sbom", ("packages", 0, "name"), None, "/packages/0", "the member name"),
        ("sbom", ("packages", 0, "Name"), "x", "/packages/0/Name", "the spelling name"),
        ("sbom", ("packages", 0, "checksums", 0, "algorithm"), "SHA0", "/packages/0/checksums/0/algorithm", None),
        ("sbom", ("documentNamespace",), "https://a#b", "/documentNamespace", "an absolute URI without a fragment"),
        ("provenance", ("runDetails", "builder", "id"), "", "/runDetails/builder/id", None),
        ("provenance", ("runDetails", "builder", "id"), "x:" + "y" * 2047, "/runDetails/builder/id", None),
        ("provenance", ("runDetails", "builder"), None, "/runDetails", "the member builder"),
        ("provenance", ("buildDefinition", "externalParameters"), [], "/buildDefinition/externalParameters", "an object"),
        (
            "provenance",
            ("buildDefinition", "resolvedDependencies", 0),
            {"name": "x"},
            "/buildDefinition/resolvedDependencies/0",
            "the member uri or digest or content",
        ),
        ("provenance", ("runDetails", "builder", "version"), {"x": 1}, "/runDetails/builder/version/x", "a string"),
    ],
)
def test_refused_with_its_place(
    kind: str, path: tuple[Any, ...], value: Any, pointer: str, expected: str | None, tmp_path: Path
) -> None:
    document = changed(predicates.KINDS[kind], path, value)
    context = refused(kind, document, tmp_path, "predicate-malformed")
    assert context["Pointer"] == pointer
    assert expected is None or context["Expected"] == expected
    inside = predicates.statement(kind, IMAGE, predicate=document)
    assert refused(kind, inside, tmp_path, "predicate-malformed")["Pointer"] == pointer


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'\xef\xbb\xbf{"spdxVersion":"SPDX-2.3"}',
        b'{"spdxVersion":"SPDX-2.3","spdxVersion":"SPDX-2.3"}',
        b'{"x":' + b"[" * 70 + b"]" * 70 + b"}",
        b'{"_type":"https://in-toto.io/Statement/v2"}',
        b'{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://spdx.dev/Document","subject":[]}',
        json.dumps({**predicates.SBOM, "x": 2**60}).encode(),
        # RFC 8785 would spell it as an integer, which reads back as another number or not at all.
        json.dumps(predicates.SBOM).encode()[:-1] + b',"x":9007199254740993.0}',
        json.dumps(predicates.SBOM).encode()[:-1] + b',"x":1e400}',
        json.dumps(predicates.SBOM).encode()[:-1] + b',"x":"\\ud800"}',
    ],
)
def test_not_a_document(data: bytes, tmp_path: Path) -> None:
    refused("sbom", data, tmp_path, "predicate-malformed")


def test_about_another_image(tmp_path: Path) -> None:
    other = "sha256:" + "2c" * 32
    context = refused("provenance", predicates.statement("provenance", other), tmp_path, "predicate-subject")
    assert (context["Expected"], other in context["Actual"]) == (IMAGE, True)


def test_numbers_that_have_one_spelling_are_kept(tmp_path: Path) -> None:
    record = added("sbom", json.dumps(predicates.SBOM).encode()[:-1] + b',"n":[1.50,-0.0,1e3,2.5e-7]}', tmp_path)
    (payload,) = attest.payloads(record, record["manifest"])
    assert b'"n":[1.5,0,1000,2.5e-7]' in payload and jsonic.canonical(jsonic.parse(payload)) == payload


def test_the_file_may_not_change(tmp_path: Path) -> None:
    record = added("sbom", predicates.SBOM, tmp_path)
    with (tmp_path / "document").open("ab") as file:
        file.write(b" ")
    with pytest.raises(Fail) as caught:
        attest.payloads(record, record["manifest"])
    assert caught.value.finding["finding"] == "file-changed"


@pytest.mark.parametrize(
    "forged",
    [
        {},
        {"predicate_type": "https://cerro-torre.org/attestation/bundle-signature/v1"},
        {"digest": "sha256:" + "0" * 64},
        {"size": -1},
        {"size": 1 << 40},
        {"size": 3},
        {"at": {"fd": 0, "offset": 0}},
        {"at": None},
    ],
)
def test_a_record_is_not_believed(forged: dict[str, Any], tmp_path: Path) -> None:
    record = added("sbom", predicates.SBOM, tmp_path)
    record["statements"] = [{**record["statements"][0], **forged} if forged else "x"]
    with pytest.raises(Fail):
        attest.payloads(record, record["manifest"])


def test_what_waits_is_bounded(tmp_path: Path) -> None:
    record = added("sbom", predicates.SBOM, tmp_path)
    for _ in range(attest.MAX_PENDING - 1):
        attest.add(record, "sbom", str(tmp_path / "document"))
    with pytest.raises(Fail):
        attest.add(record, "sbom", str(tmp_path / "document"))


# -- the checks and the schemas are one language ----------------------------------------------------------------------------


def test_every_keyword_is_known_or_refused() -> None:
    with pytest.raises(KeyError):
        schema.compiled({"type": "object", "properties": {"a": {"uniqueItems": True}}})
    with pytest.raises(KeyError):
        schema.compiled({"minItems": 1})


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.sampled_from(
        [0.5, 1.0, "", "x", "MIT", "NONE", "NONE\n", "NOASSERTION", "SPDXRef-x", "SPDXRef-", "DocumentRef-x", "SHA1"]
    ),
    st.sampled_from(
        ["SPDX-2.3", "CC0-1.0", "https://a.example/b", "https://a.example/b\n", "a:b#c", "é:x", "0a", "0a\n", "0x"]
    ),
    st.sampled_from(
        [predicates.TIME, predicates.TIME + "\n", "2026-11-20T10:00:00+01:00", "2026-11-20", "Tool: x", "Tool:", "OTHER"]
    ),
    st.sampled_from(["x:" + "y" * 2046, "x:" + "y" * 2047, "TEXT", "DESCRIBES", "LIBRARY", "SECURITY"]),
)
steps = sorted(
    {step for document in predicates.KINDS.values() for path in every(document) for step in path if isinstance(step, str)}
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*steps, "other"]), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("kind", predicates.KINDS)
def test_every_place_without_and_with_something_else(kind: str) -> None:
    document = predicates.KINDS[kind]
    refusals = 0
    for path in every(document)[1:]:
        for value in (None, 1, True, "", "x", "x\n", [], {}, [1], {"x": 1}, "NONE", predicates.TIME):
            made = changed(document, path, value)
            assert accepts(kind, made) is VALIDATORS[kind].is_valid(made), (path, value)
            refusals += not accepts(kind, made)
    assert refusals > 200


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(predicates.KINDS)), st.data())
def test_the_checks_are_the_schemas(kind: str, data: st.DataObject) -> None:
    document = predicates.KINDS[kind]
    for _ in range(data.draw(st.integers(1, 3))):
        paths = every(document)[1:]
        if paths:
            document = changed(document, data.draw(st.sampled_from(paths)), data.draw(anything))
    assert accepts(kind, document) is VALIDATORS[kind].is_valid(document), document


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(predicates.KINDS)), anything)
def test_the_checks_refuse_what_the_schemas_refuse(kind: str, value: Any) -> None:
    assert accepts(kind, value) is VALIDATORS[kind].is_valid(value), value


def test_a_key_that_differs_by_case_is_refused_whatever_the_schema_says() -> None:
    for kind, document in predicates.KINDS.items():
        for path in every(document)[1:]:
            name = path[-1]
            if isinstance(name, str) and re.search("[a-z]", name) and "x-ours" not in path and "arameters" not in str(path):
                if path[-2:-1] in (("version",), ("digest",), ("annotations",)) or "ranges" in path[:-1]:
                    continue
                made = changed(document, (*path[:-1], name.upper()), "x")
                assert not accepts(kind, made), path


@pytest.mark.parametrize("kind", predicates.KINDS)
def test_facts_are_bounded(kind: str) -> None:
    document = changed(predicates.SBOM, ("name",), "n" * 5000) if kind == "sbom" else predicates.PROVENANCE
    about = attest.describe({"predicateType": predicate.TYPES[kind][0], "predicate": document})["about"]
    assert len(json.dumps(about)) < 5000 and predicate.said(kind, about)
    bad = attest.describe({"predicateType": predicate.TYPES[kind][0], "predicate": {"spdxVersion": "x" * 9999}})
    assert bad["schema"] == "invalid" and len(bad["schema_error"]) <= 500
    assert attest.describe({"predicateType": "https://other.example/v1", "predicate": {}}) == {}


# -- from outside ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packages", [1, 100])
def test_every_flipped_bit_of_a_statement_is_found(packages: int, tmp_path: Path) -> None:
    """Whether it travels in the record or by reference, and whether or not the flip makes its maker unknown."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    env = environment(home)
    pair(home, "alice")
    layout = Layout(tmp_path / "image")
    single(layout)
    (tmp_path / "s.json").write_text(json.dumps(predicates.large(packages)))
    tool("ct", "pack", "--sbom", tmp_path / "s.json", "-o", tmp_path / "a.ctp", f"oci:{layout.directory}:1.0", env=env)
    raw = (tmp_path / "a.ctp").read_bytes()
    lines = next(member.content(raw) for member in members(raw) if member.name == "attestations.jsonl")
    length = lines.index(b"\n")
    assert (length > 64 << 10) is (packages > 1)
    rng = random.Random(packages)
    # The keyid and the signature are at the end of the line.
    flipped = [*rng.sample(range(length), 40), *rng.sample(range(length - 200, length), 40)]
    names = []
    for position in flipped:
        data = bytearray(lines)
        data[position] ^= 1 << rng.randrange(7)
        names.append(f"{position}.ctp")
        (tmp_path / names[-1]).write_bytes(rebuilt(raw, {"attestations.jsonl": bytes(data)}))
    found = verdicts(names, env=env, cwd=tmp_path)
    assert {verdict["status"] for verdict in found} == {2, 10}
    # A key id that is no longer of our form is a hint, and then the line is not the one that the bundle's signer listed.
    expected = {"signature-invalid", "attestations-malformed", "attestation-removed"}
    if packages == 1:
        expected.add("keyid-mismatch")
    assert {verdict["finding"] for verdict in found} == expected
