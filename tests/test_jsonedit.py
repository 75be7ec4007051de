"""jsonedit: JSON text that says something else afterwards, and is otherwise as it was."""

import copy
import json
from typing import Any

import pytest
from cerrotorre import jsonedit, jsonic
from hypothesis import assume, given, settings
from hypothesis import strategies as st

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(max_size=6)
    | st.sampled_from([1.5, 1.0, -0.0, 1e30])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4), max_leaves=12
)


@st.composite
def texts(draw: st.DrawFn, value: Any = None) -> tuple[str, Any]:
    """(a JSON text with white space wherever it may be, what it says)."""
    value = draw(VALUES) if value is None else value
    space = st.sampled_from(["", " ", "\n", "\r\n", "\t", "\r", "\n  ", " \n\t "])

    def spelled(one: Any) -> str:
        def gap() -> str:
            return draw(space)

        if isinstance(one, dict):
            return (
                "{"
                + gap()
                + ",".join(f"{gap()}{string(key)}{gap()}:{gap()}{spelled(item)}{gap()}" for key, item in one.items())
                + "}"
            )
        if isinstance(one, list):
            return "[" + gap() + ",".join(f"{gap()}{spelled(item)}{gap()}" for item in one) + "]"
        return string(one) if isinstance(one, str) else json.dumps(one)

    def string(one: str) -> str:
        return json.dumps(one, ensure_ascii=draw(st.booleans()))

    return draw(space) + spelled(value) + draw(space), value


def said(text: str) -> Any:
    return jsonic.parse(text.encode())


@settings(max_examples=300, deadline=None)
@given(texts(), VALUES)
def test_it_says_what_it_is_to_say(made: tuple[str, Any], value: Any) -> None:
    text, _ = made
    assert jsonic.same(said(jsonedit.rewrite(text, value)), value)


@settings(max_examples=200, deadline=None)
@given(texts())
def test_what_says_it_already_stays(made: tuple[str, Any]) -> None:
    text, value = made
    assert jsonedit.rewrite(text, copy.deepcopy(value)) == text


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at] + [path for key, one in inner for path in paths(one, (*at, key))]


@settings(max_examples=300, deadline=None)
@given(texts(), st.data())
def test_all_else_stays(made: tuple[str, Any], data: st.DataObject) -> None:
    """One value changed, one member or element added or removed: what lies before and after it is untouched."""
    text, value = made
    path = data.draw(st.sampled_from(paths(value)))
    new = copy.deepcopy({"": value})
    holder: Any = new
    for step in ("", *path)[:-1]:
        holder = holder[step]
    last = ("", *path)[-1]
    root = jsonedit.scan(text)
    node = root
    for step in path:
        node = node.children[node.keys.index(step)]
    kind = data.draw(st.sampled_from(["replace", "add", "remove"]))
    target = holder[last]
    if kind == "add" and isinstance(target, dict | list):
        target.append("x") if isinstance(target, list) else target.update({"a new one": "x"})
        first, after = (node.children[-1].end if node.children else node.start + 1), node.end - 1
    elif kind == "remove" and path:
        # Of elements that are alike nobody can say which one was removed.
        assume(isinstance(holder, dict) or sum(jsonic.same(one, target) for one in holder) == 1)
        del holder[last]
        parent = root
        for step in path[:-1]:
            parent = parent.children[parent.keys.index(step)]
        at = parent.keys.index(last)
        first = parent.children[at - 1].end if at else parent.start + 1
        after = parent.children[at + 1].at if at + 1 < len(parent.children) else parent.end - 1
    else:
        holder[last] = "another"
        first, after = node.start, node.end
    got = jsonedit.rewrite(text, new[""])
    assert got.startswith(text[:first]), (text, got)
    assert got.endswith(text[after:]), (text, got)
    assert jsonic.same(said(got), new[""])


# name: (text, change, text afterwards)
CASES: dict[str, tuple[str, Any, str]] = {
    "compact": ('{"a":["x"],"b":{}}', lambda v: v["a"].append("y"), '{"a":["x","y"],"b":{}}'),
    "compact-member": ('{"a":["x"],"b":{}}', lambda v: v["b"].update(c=[1, {"d": 2}]), '{"a":["x"],"b":{"c":[1,{"d":2}]}}'),
    "one-line": ('{"a": ["x", "y"]}\n', lambda v: v["a"].append("z"), '{"a": ["x", "y", "z"]}\n'),
    "one-line-spaced": ('{ "a": [ "x" ] }', lambda v: v["a"].append("z"), '{ "a": [ "x", "z" ] }'),
    "one-line-member": ('{"a": 1}', lambda v: v.update(b=[{"c": "d"}]), '{"a": 1, "b": [{"c": "d"}]}'),
    "tabs": ('{\n\t"a": [\n\t\t"x"\n\t]\n}', lambda v: v["a"].append("y"), '{\n\t"a": [\n\t\t"x",\n\t\t"y"\n\t]\n}'),
    "tabs-new": ('{\n\t"a": 1\n}\n', lambda v: v.update(b={"c": ["d"]}), '{\n\t"a": 1,\n\t"b": {\n\t\t"c": [\n\t\t\t"d"\n\t\t]\n\t}\n}\n'),
    "four": ('{\n    "a": {}\n}\n', lambda v: v["a"].update(b=["c"]), '{\n    "a": {\n        "b": [\n            "c"\n        ]\n    }\n}\n'),
    "crlf": ('{\r\n  "a": 1\r\n}\r\n', lambda v: v.update(b=["c"]), '{\r\n  "a": 1,\r\n  "b": [\r\n    "c"\r\n  ]\r\n}\r\n'),
    "no-end": ('{\n  "a": 1\n}', lambda v: v.update(b=2), '{\n  "a": 1,\n  "b": 2\n}'),
    "numbers": ('{"a": 9.0, "b": 1E2, "c": [1]}', lambda v: v["c"].append(2), '{"a": 9.0, "b": 1E2, "c": [1, 2]}'),
    "escapes": ('{"\\u0061": "\\u00e9\\/", "b": []}', lambda v: v["b"].append("é"), '{"\\u0061": "\\u00e9\\/", "b": ["é"]}'),
    "bidi-is-escaped": ('{"a": 1}', lambda v: v.update(b="x\u202ey\x7f"), '{"a": 1, "b": "x\\u202ey\\u007f"}'),
    "like-its-neighbour": (
        '{\n  "a": [\n    {"k": "x", "f": 1}\n  ]\n}',
        lambda v: v["a"].append({"k": "y", "f": 2}),
        '{\n  "a": [\n    {"k": "x", "f": 1},\n    {"k": "y", "f": 2}\n  ]\n}',
    ),
    "like-its-neighbour-split": (
        '{"a": [{\n  "k": 1\n}]}',
        lambda v: v["a"].append({"k": 2}),
        '{"a": [{\n  "k": 1\n}, {\n  "k": 2\n}]}',
    ),
    "wrapped": (
        '{"a": ["x",\n       "y"],\n "b": 1}',
        lambda v: v["a"].append("z"),
        '{"a": ["x",\n       "y",\n       "z"],\n "b": 1}',
    ),
    "hanging": ('{"a": 1,\n "b": 2}\n', lambda v: v.update(c={"d": ["e"]}), '{"a": 1,\n "b": 2,\n "c": {"d": ["e"]}}\n'),
    "like-another-member": (
        '{\n  "a": {"b": ["c"]},\n  "d": 1\n}',
        lambda v: v.update(e={"f": ["g"]}),
        '{\n  "a": {"b": ["c"]},\n  "d": 1,\n  "e": {"f": ["g"]}\n}',
    ),
    "empty-in-one-line": ('{\n  "a": {"b": [], "c": 1}\n}', lambda v: v["a"]["b"].append("x"), '{\n  "a": {"b": ["x"], "c": 1}\n}'),
    "remove-first": ('{\n  "a": [\n    1,\n    2\n  ]\n}', lambda v: v["a"].pop(0), '{\n  "a": [\n    2\n  ]\n}'),
    "remove-last": ('{\n  "a": [\n    1,\n    2\n  ]\n}', lambda v: v["a"].pop(), '{\n  "a": [\n    1\n  ]\n}'),
    "remove-middle": ("[1, 2,  3]", lambda v: v.pop(1), "[1,  3]"),
    "remove-only": ('{ "a": [\n  1\n], "b": 2 }', lambda v: v["a"].pop(), '{ "a": [], "b": 2 }'),
    "remove-member": ('{"a":1,\n "b":2,\n "c":3}', lambda v: v.pop("b"), '{"a":1,\n "c":3}'),
    "insert-first": ("[2, 3]", lambda v: v.insert(0, 1), "[1, 2, 3]"),
    "replace": ('{"a" :  1 , "b":2}', lambda v: v.update(a="x"), '{"a" :  "x" , "b":2}'),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_layout(name: str) -> None:
    text, change, wanted = CASES[name]
    value = json.loads(text)
    change(value)
    got = jsonedit.rewrite(text, value)
    assert json.loads(got) == value
    assert got == wanted


def test_places() -> None:
    text = '{\r\n "a": [1,\n\t{"b/c": "é"}],\r"d": 2}'
    root = jsonedit.scan(text)
    assert jsonedit.place(text, root, ()) == (1, 1)
    assert jsonedit.place(text, root, ("a",)) == (2, 2)
    assert jsonedit.place(text, root, ("a", 1, "b/c")) == (3, 3)
    assert jsonedit.place(text, root, ("d",)) == (4, 1)
    # What is not there is where it would be.
    assert jsonedit.place(text, root, ("a", 1, "none")) == (3, 2)
    assert jsonedit.repeated(jsonedit.scan('{"a": 1, "b": {"c": 1, "\\u0063": 2}}')) == [(("b", "c"), 23)]


def test_a_mebibyte_is_no_matter() -> None:
    value = {"version": "1", "pin": {f"name-{n}": {"digest": "sha256:" + "0" * 64, "comment": "x" * 20} for n in range(7000)}}
    text = json.dumps(value, indent=2)
    assert len(text) > 900_000
    value["pin"]["name-6999"]["signers"] = ["a"]
    assert json.loads(jsonedit.rewrite(text, value)) == value
    deep: Any = {"a": "[{" * 200_000 + '\\"'}
    for _ in range(60):
        deep = {"a": deep}
    text = json.dumps(deep)
    deep["b"] = 1
    assert json.loads(jsonedit.rewrite(text, deep)) == deep
