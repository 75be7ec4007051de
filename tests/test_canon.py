"""Properties of CTP-CANON 1: the emitter, the tagged form, the reader and the limits (spec/manifest-canonicalization.adoc)."""

import datetime as dt
import json
import re
import time
import tomllib
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from cerrotorre import canon, canonread, codepoints, errors, tomltext
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

many = settings(deadline=None, max_examples=300, database=None)
more = settings(deadline=None, max_examples=1200, database=None)

SUITE = Path(__file__).parent / "conformance" / "canon"


def allowed(text: str) -> bool:
    return codepoints.first_refused(text) is None and unicodedata.is_normalized("NFC", text)


texts = st.one_of(
    st.text("ab\"'\\\n\t #=[]{}.,-_0:TZ", max_size=12),
    st.text(max_size=8).filter(allowed),
    st.sampled_from(["toml", "table", "2026-01-01", "true", "1", "1.5", "é", "👩‍💻", '"""', "'''", "\\n", "\\\\", "a" * 50]),
)
keys = st.one_of(st.sampled_from(["a", "b", "c", "toml", "table", "a-b", "a b", "1", "é"]), texts.filter(bool))
offsets = st.integers(-1439, 1439).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
moments = st.datetimes(dt.datetime(1, 1, 3), dt.datetime(9999, 12, 29), timezones=offsets)
scalars = st.one_of(texts, st.integers(-(2**63), 2**63 - 1), st.booleans(), moments, st.dates())
arrays = st.recursive(
    st.lists(scalars, max_size=3), lambda inner: st.lists(st.one_of(scalars, inner), max_size=3), max_leaves=6
)
tables = st.recursive(
    st.dictionaries(keys, st.one_of(scalars, arrays), max_size=4),
    lambda inner: st.dictionaries(keys, st.one_of(scalars, arrays, inner, st.lists(inner, min_size=1, max_size=3)), max_size=4),
    max_leaves=12,
)


def spelled(data: bytes) -> bytes:
    return canon.canonical(canon.tag(tomltext.parse(data)))


def slug(work: Any, *arguments: Any) -> str:
    with pytest.raises(Fail) as caught:
        work(*arguments)
    return str(caught.value.finding["finding"])


@many
@given(tables)
@example({"toml": "2026-01-01"})
@example({"a": {"toml": {"toml": dt.date(2026, 1, 1)}}})
@example({"a": {"toml": {"table": {"toml": 1}}}})
@example({"a": [{"toml": "x"}, {"toml": dt.date(2026, 1, 1)}]})
def test_meaning_is_kept(document: dict[str, Any]) -> None:
    tagged = canon.tag(document)
    data = canon.canonical(tagged)
    assert tomllib.loads(data.decode()) == document
    assert tomltext.parse(data) == document
    assert spelled(data) == data
    assert canonread.read(data) == tagged
    assert canon.untag(tagged) == document


@many
@given(tables)
def test_form(document: dict[str, Any]) -> None:
    """What can be seen of rules 1, 2, 6 and 13 without reading TOML."""
    data = canon.canonical(canon.tag(document))
    lines = data.decode().split("\n")
    assert lines.pop() == ""
    for line in lines:
        assert line == line.strip() != ""
        assert line.startswith("[") or " = " in line
    headers = [line for line in lines if line.startswith("[") and not line.startswith("[[")]
    nested = any(line.startswith("[[") for line in lines)
    assert nested or len(headers) == len(set(headers))


@many
@given(st.dictionaries(keys, st.just(1), min_size=2, max_size=8))
def test_keys_are_sorted_by_their_bytes(document: dict[str, Any]) -> None:
    data = canon.canonical(canon.tag(document))
    order = [key.encode() for key in tomllib.loads(data.decode())]
    assert order == sorted(order)


@many
@given(tables, st.data())
def test_source_order_does_not_matter(document: dict[str, Any], data: st.DataObject) -> None:
    shuffled = dict(data.draw(st.permutations(list(document.items()))))
    assert canon.canonical(canon.tag(shuffled)) == canon.canonical(canon.tag(document))


def judged(data: bytes) -> Any:
    """What the reader must give: the tagged document, or None."""
    try:
        tagged = canon.tag(tomltext.parse(data))
        return tagged if canon.canonical(tagged) == data else None
    except Fail:
        return None


def read(data: bytes) -> Any:
    try:
        return canonread.read(data)
    except Fail as fail:
        assert fail.finding["finding"] == "manifest-not-canonical"
        return None


pieces = [
    b"",
    b"\n",
    b" ",
    b'"',
    b"\\",
    b"[",
    b"]",
    b"[[",
    b"]]",
    b"=",
    b" = ",
    b".",
    b",",
    b", ",
    b"0",
    b"-",
    b"a",
    b"\xc3",
    b"\xc3\xa9",
]
pieces += [
    b"\r",
    b"#",
    b"'",
    b"\x00",
    b"{}",
    b"true",
    b"toml",
    b"a = 2026-01-01\n",
    b"[a]\n",
    b"[[a]]\n",
    b"a = []\n",
    b"[a.b]\n",
    b"toml = 1\n",
    b"\\u0041",
]


@more
@given(tables, st.data())
def test_reader_takes_what_is_canonical_and_nothing_else(document: dict[str, Any], data: st.DataObject) -> None:
    text = canon.canonical(canon.tag(document))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 3)))
        text = text[:start] + data.draw(st.sampled_from(pieces)) + text[end:]
    assert read(text) == judged(text)


@many
@given(tables, st.data())
def test_reader_and_moved_lines(document: dict[str, Any], data: st.DataObject) -> None:
    lines = canon.canonical(canon.tag(document)).splitlines(keepends=True)
    assume(lines)
    lines.insert(data.draw(st.integers(0, len(lines))), data.draw(st.sampled_from(lines)))
    text = b"".join(lines)
    assert read(text) == judged(text)


line_pieces = [
    "[a]",
    "[[a]]",
    "[a.b]",
    "[[a.b]]",
    "[toml]",
    "[a.toml]",
    "[[a.toml]]",
    "[b]",
    "a = []",
    "a = [[]]",
    "a = 2026-01-01",
]
line_pieces += [
    "toml = 2026-01-01",
    'toml = "x"',
    "b = 1",
    "table = 1",
    "a = {}",
    'a = "\\n"',
    "a = [1, 2026-01-01T00:00:00Z]",
    "c = -0",
]


@more
@given(st.lists(st.sampled_from(line_pieces), max_size=6))
def test_reader_on_lines(lines: list[str]) -> None:
    text = "".join(line + "\n" for line in lines).encode()
    assert read(text) == judged(text)


@many
@given(st.binary(max_size=40))
def test_reader_on_anything(data: bytes) -> None:
    assert read(data) == judged(data)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"a = 1\nb =  2\n", 2),
        (b"a = 1", 1),
        (b"b = 1\na = 2\n", 1),
        (b"a = 1\nb = 2.5\n", 2),
        (b"[a]\n[a]\n", 2),
        (b"a = 1\na = 1\n", 2),
        (b"a = 1\n\n", 2),
        (b'a = "\\u0041"\n', 1),
        (b"\xef\xbb\xbfa = 1\n", 1),
        (b"[a]\n[a.b]\n", 1),
        (b'a = "\xff"\n', None),
        (b"a" * (canon.MAX_SIZE + 1), None),
    ],
)
def test_reader_names_the_line(text: bytes, line: int | None) -> None:
    with pytest.raises(Fail) as caught:
        canonread.read(text)
    assert caught.value.finding["context"].get("Line") == line


# -- parsing ---------------------------------------------------------------------------------------------------------------

tokens = [
    "a",
    "b",
    "1",
    "1.5",
    "-1",
    "1e5",
    "inf",
    "true",
    ".",
    "=",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    ",",
    '"',
    "'",
    '"""',
    "'''",
    "\\",
    "#",
    "\n",
    " ",
]
tokens += [
    "a = ",
    "[a]\n",
    "[[b]]\n",
    "a.b = 1\n",
    "c = {a = 1}\n",
    "2026-01-01",
    "T00:00:00Z",
    "07:32:00",
    "é",
    '"x.y"',
    "a = [[1], [2]]\n",
    "12345678901234567890",
]


@more
@given(st.lists(st.sampled_from(tokens), max_size=14).map("".join))
def test_the_walk_agrees_with_tomllib(text: str) -> None:
    """Legal TOML is refused before tomllib sees it only for what it really has."""
    try:
        expected: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        expected = None
    try:
        parsed = tomltext.parse(text.encode())
    except Fail as fail:
        if expected is not None:
            kinds = {type(value) for value in leaves(expected)}
            assert fail.finding["finding"] in ("canon-float", "canon-integer-range")
            assert float in kinds or any(type(leaf) is int and abs(leaf) > 2**63 for leaf in leaves(expected))
    else:
        assert parsed == expected


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for inner in value for leaf in leaves(inner)] if isinstance(value, list) else [value]


parts = st.lists(st.sampled_from(["a", '"b.c"', "'d'", '"e\\".f"', " g "]), min_size=1, max_size=20).map(".".join)
values = st.recursive(
    st.sampled_from(["1", '"]"', "'{'", '"""\n["""', "2026-01-01", "07:32:00"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda of: "[" + ", # [\n".join(of) + "\n]"),
        st.tuples(parts, inner).map(lambda of: "{" + of[0] + " = " + of[1].replace("\n", " ").replace("#", "") + "}"),
    ),
    max_leaves=25,
)
statements = st.one_of(
    parts.map(lambda key: f"[{key}]\n"),
    parts.map(lambda key: f"[[{key}]] # x.y\n"),
    st.tuples(parts, values).map(lambda pair: f"{pair[0]} = {pair[1]}\n"),
    st.sampled_from(["# " + "a." * 40 + "\n", "\n", "[", "]", "= ", '"', "'''"]),
)


@more
@given(st.lists(statements, max_size=6).map("".join))
def test_long_keys_never_reach_tomllib(text: str) -> None:
    """Whatever tomllib goes on to read, no key of it has more than 16 parts."""
    from tomllib import _parser

    lengths = [0]
    real = _parser.parse_key

    def watched(*arguments: Any) -> Any:
        position, key = real(*arguments)
        lengths.append(len(key))
        return position, key

    _parser.parse_key = watched
    try:
        tomltext.parse(text.encode())
        refused = ""
    except Fail as fail:
        refused = fail.finding["finding"]
    finally:
        _parser.parse_key = real
    assert max(lengths) <= tomltext.MAX_PARTS
    if refused == "canon-key-parts":
        assert text.count(".") >= tomltext.MAX_PARTS


@pytest.mark.parametrize(
    ("data", "line", "column"),
    [
        (b"a = 1\nb = 1.5\n", 2, 5),
        (b"a = 1\r\nb = [\r\n 1,\r\n 1.5]\r\n", 4, 2),
        (b"a = 1\na = 2\n", 2, 6),
        (b"\xef\xbb\xbf", 1, 1),
        (b"a = 1\nb = '\xff'\n", 2, None),
        (b"a = 1\nb = '\x07'\n", 2, 6),
        (b"a = [" + b"[" * 16, 1, 21),
        (b"x = 1\n" + b"a." * 20 + b"a = 1\n", 2, 32),
        (b"a = 12345678901234567890\n", 1, 5),
    ],
)
def test_place(data: bytes, line: int, column: int | None) -> None:
    with pytest.raises(Fail) as caught:
        tomltext.parse(data)
    context = caught.value.finding["context"]
    assert (context.get("Line"), context.get("Column")) == (line, column)


def test_key_of_a_refused_value_is_named() -> None:
    with pytest.raises(Fail) as caught:
        spelled(b'[[a.b]]\nc = { d = ["x", 9223372036854775807, 9_223_372_036_854_775_808] }\n')
    assert caught.value.finding["context"] == {"Key": "a.b.c.d"}
    with pytest.raises(Fail) as caught:
        spelled(b"[[a.b]]\nc = { d = [07:32:00] }\n")
    assert caught.value.finding["context"] == {"Key": "a.b.c.d"}


@pytest.mark.parametrize("raised", [ValueError("x"), RecursionError(), OverflowError("y"), KeyError("z")])
def test_whatever_tomllib_raises_is_a_finding(raised: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise raised

    monkeypatch.setattr(tomllib, "loads", fail)
    assert slug(tomltext.parse, b"a = 1\n") == "canon-syntax"


M = canon.MAX_SIZE


@pytest.mark.parametrize(
    "data",
    [
        b"a." * (M // 2 - 4) + b"a = 1",
        b"[" + b"a." * (M // 2 - 4) + b"a]",
        b"a = " + b"[" * (M - 4),
        b"a = " + b"{a=" * (M // 3 - 4),
        b"a = " + b"1" * (M - 4),
        b"a = 1." + b"1" * (M - 6),
        b'a = "' + b"x" * (M - 5),
        b'a = "' + b"\\" * (M - 5),
        b'"' * M,
        b"a" * (M // 2) + b" = [" + b"{}," * (M // 6 - 4) + b"]",
        b"a" * (M + 1),
    ],
    ids=["dotted", "header", "arrays", "tables", "digits", "float", "string", "escape", "quotes", "blow-up", "size"],
)
def test_what_could_be_slow_is_refused(data: bytes) -> None:
    """Limits, not patience: the time is generous, and for any of these without its limit it would be far exceeded."""
    started = time.monotonic()
    assert slug(spelled, data).startswith("canon-")
    assert slug(canonread.read, data) == "manifest-not-canonical"
    assert time.monotonic() - started < 20


def test_the_example_of_the_specification() -> None:
    text = (Path(__file__).parent.parent / "spec" / "manifest-canonicalization.adoc").read_text()
    blocks = re.findall(r"\n----\n(.*?)----\n", text, re.DOTALL)
    written, canonical, shown, tagged = blocks[:4]
    assert spelled(written.encode()) == canonical.encode()
    assert sha256(canonical.encode()) + "\n" == shown
    assert canon.canonical(json.loads(tagged)) == (
        b'kind = "container_image"\n[ext]\nreviewed = 2026-03-04T05:06:07.5Z\n[ext.odd]\ntoml = "2026-03-04"\n'
    )


# -- the emitter alone -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"a": None}, "canon-value"),
        ({"a": b"x"}, "canon-value"),
        ({"a": {1: 2}}, "canon-value"),
        ({"a": {"toml": 1}}, "canon-value"),
        ({"a": {"toml": {}}}, "canon-value"),
        ({"a": {"toml": {"table": 1, "b": 2}}}, "canon-value"),
        ({"a": {"toml": "x"}}, "canon-value"),
        ({"a": {"toml": "2026-01-01T00:00:00+00:00"}}, "canon-value"),
        ({"toml": "2026-01-01"}, "canon-value"),
        (None, "canon-value"),
        ([], "canon-value"),
        ({"a": 1.0}, "canon-float"),
        ({"a": float("nan")}, "canon-float"),
        ({"a": 2**63}, "canon-integer-range"),
        ({"a": 10**5000}, "canon-integer-range"),
        ({"a": "\ud800"}, "canon-bad-unicode"),
        ({"\ud800": 1}, "canon-bad-unicode"),
        ({"": 1}, "canon-empty-key"),
        ({"a": dt.time(1)}, "canon-local-time"),
        ({"a": dt.datetime(2026, 1, 1)}, "canon-local-time"),
        ({"a": [{"toml": "2026-01-01"}, {}]}, "canon-mixed-array"),
        ({"a": "x" * M}, "canon-too-large"),
        ({"a": "é" * (M // 2)}, "canon-too-large"),
    ],
)
def test_refused_documents(document: Any, expected: str) -> None:
    assert slug(canon.canonical, document) == expected


def test_tagged_dates_and_datetime_objects_are_the_same() -> None:
    moment = dt.datetime(2026, 1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    document = {"a": moment, "b": [moment.date()]}
    assert canon.canonical(document) == canon.canonical(canon.tag(document)) == b"a = 2025-12-31T23:00:00Z\nb = [2026-01-01]\n"


def test_a_table_that_holds_itself_ends() -> None:
    document: dict[str, Any] = {}
    document["a"] = document
    assert slug(canon.canonical, document) == slug(canon.tag, document) == slug(canon.untag, document) == "canon-nesting"


@many
@given(st.one_of(st.text("0123456789-:TZ.+ ", max_size=28), st.from_regex(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,7})?Z)?")))
@example("2024-02-29")
@example("2023-02-29")
@example("1900-02-29T00:00:00Z")
@example("0000-01-01")
@example("2026-01-01T00:00:00.10Z")
@example("2026-01-01T00:00:00.1Z\n")
@example("2026-01-01.5Z")
@example("2026-01-01T24:00:00Z")
@example("２026-01-01")
def test_is_date(text: str) -> None:
    assert canon.is_date(text) == (judged(f"a = {text}\n".encode()) == {"a": {"toml": text}})


def test_difference() -> None:
    assert canon.difference(b"a\n", b"a\n") is None
    assert canon.difference(b"a\nb\n", b"a\nc\n") == 2
    assert canon.difference(b"a\nb\n", b"a\n") == 2
    assert canon.difference(b"a\n", b"a\nb\n") == 2
    assert canon.difference(b"a", b"a\n") == 1


def test_every_slug_is_reached() -> None:
    """By a case of the conformance suite, or above (canon-value) and in test_ct_canon (canon-different)."""
    reached = {path.read_text().strip() for path in (SUITE / "invalid").glob("*.slug")}
    assert reached | {"canon-value", "canon-different"} == {slug for slug in errors.CATALOGUE if slug.startswith("canon-")}
