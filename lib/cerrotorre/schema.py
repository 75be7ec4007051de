"""A small part of JSON Schema 2020-12, compiled into checks: what the published schemas of predicates are written in.

A schema with any other keyword is refused when it is compiled, so none is ignored. A test holds these checks and a full
validator to the same language, but for this: no key may differ from a named one by case alone (jsonic says why).
"""

import re
from collections.abc import Callable

from cerrotorre import jsonic
from cerrotorre.typed import Any

# The steps that lead to a value: keys and positions.
Path = tuple[str | int, ...]
Check = Callable[[Any, Path], None]
Schema = dict[str, Any]

_SAYS_NOTHING = {"$schema", "$id", "$defs", "title", "description"}
_NAMES = {"object": "an object", "array": "an array", "string": "a string", "boolean": "true or false"}
_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool}


class Unfit(ValueError):
    """The value is not what the schema says: at which place (a JSON pointer), what was expected, what was found."""

    def __init__(self, at: Path, expected: str, found: str) -> None:
        self.pointer = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in at)
        self.expected, self.found = expected, found
        super().__init__(f"{self.pointer or 'the document'}: {found} instead of {expected}")


def compiled(schema: Schema) -> Callable[[Any], None]:
    """The check that raises Unfit for what does not fit the schema. Raises KeyError for a keyword that is not known here."""
    checks: dict[str, Check] = {}
    check = _compiled(schema, schema.get("$defs", {}), checks)
    return lambda value: check(value, ())


def _compiled(schema: Schema, definitions: dict[str, Schema], made: dict[str, Check]) -> Check:
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        if name not in made:
            made[name] = _compiled(definitions[name], definitions, made)
        return made[name]
    checks: list[Check] = []
    if unknown := schema.keys() - _SAYS_NOTHING - _KEYWORDS.keys():
        raise KeyError(*unknown)
    for keyword, make in _KEYWORDS.items():
        if keyword in schema:
            checks += make(schema, definitions, made)
    if len(checks) == 1:
        return checks[0]

    def check(value: Any, at: Path) -> None:
        for each in checks:
            each(value, at)

    return check


def _found(value: Any) -> str:
    return (
        _NAMES["object" if isinstance(value, dict) else "array"] if isinstance(value, dict | list) else jsonic.dump(value)[:80]
    )


def _type(schema: Schema, *_: Any) -> list[Check]:
    wanted, expected = _TYPES[schema["type"]], _NAMES[schema["type"]]

    def check(value: Any, at: Path) -> None:
        if not isinstance(value, wanted):
            raise Unfit(at, schema.get("description", expected) if wanted is str else expected, _found(value))

    return [check]


def _enum(schema: Schema, *_: Any) -> list[Check]:
    # Texts only: 1 and true, which Python calls equal, are none.
    allowed = schema.get("enum", [schema.get("const")])
    expected = jsonic.dump(allowed[0]) if len(allowed) == 1 else f"one of {', '.join(allowed)}"

    def check(value: Any, at: Path) -> None:
        if not isinstance(value, str) or value not in allowed:
            raise Unfit(at, expected, _found(value))

    return [check]


def _pattern(schema: Schema, *_: Any) -> list[Check]:
    search, expected = re.compile(schema["pattern"]).search, schema["description"]

    def check(value: Any, at: Path) -> None:
        if isinstance(value, str) and not search(value):
            raise Unfit(at, expected, _found(value))

    return [check]


def _length(schema: Schema, *_: Any) -> list[Check]:
    least, most = schema.get("minLength", 0), schema.get("maxLength", float("inf"))

    def check(value: Any, at: Path) -> None:
        if isinstance(value, str) and not least <= len(value) <= most:
            raise Unfit(at, f"at most {most} characters" if value else "a text that is not empty", f"{len(value)} characters")

    return [check]


def _items(schema: Schema, definitions: dict[str, Schema], made: dict[str, Check]) -> list[Check]:
    least, item = schema.get("minItems", 0), _compiled(schema["items"], definitions, made)

    def check(value: Any, at: Path) -> None:
        if not isinstance(value, list):
            return
        if len(value) < least:
            raise Unfit(at, "an array that is not empty", "an empty array")
        for position, entry in enumerate(value):
            item(entry, (*at, position))

    return [check]


def _required(schema: Schema, *_: Any) -> list[Check]:
    def check(value: Any, at: Path) -> None:
        for key in schema["required"]:
            if isinstance(value, dict) and key not in value:
                raise Unfit(at, f"the member {key}", "none")

    return [check]


def _any_of(schema: Schema, *_: Any) -> list[Check]:
    # Alternatives of one required member each.
    names = [name for (name,) in (alternative["required"] for alternative in schema["anyOf"])]

    def check(value: Any, at: Path) -> None:
        if isinstance(value, dict) and not any(name in value for name in names):
            raise Unfit(at, f"the member {' or '.join(names)}", "none")

    return [check]


def _properties(schema: Schema, definitions: dict[str, Schema], made: dict[str, Check]) -> list[Check]:
    named = {key: _compiled(value, definitions, made) for key, value in schema["properties"].items()}
    folded = {key.casefold(): key for key in named}

    def check(value: Any, at: Path) -> None:
        if not isinstance(value, dict):
            return
        for key, entry in value.items():
            if key in named:
                named[key](entry, (*at, key))
            elif key.casefold() in folded:
                raise Unfit((*at, key), f"the spelling {folded[key.casefold()]}", jsonic.dump(key)[:80])

    return [check]


def _others(schema: Schema, definitions: dict[str, Schema], made: dict[str, Check]) -> list[Check]:
    named, other = schema.get("properties", {}), _compiled(schema["additionalProperties"], definitions, made)

    def check(value: Any, at: Path) -> None:
        for key, entry in value.items() if isinstance(value, dict) else ():
            if key not in named:
                other(entry, (*at, key))

    return [check]


def _with_items(schema: Schema, *_: Any) -> list[Check]:
    schema["items"]
    return []


# What is simplest to say comes first.
_KEYWORDS: dict[str, Callable[..., list[Check]]] = {
    "type": _type,
    "const": _enum,
    "enum": _enum,
    "minLength": _length,
    "maxLength": _length,
    "pattern": _pattern,
    "required": _required,
    "anyOf": _any_of,
    "minItems": _with_items,
    "items": _items,
    "properties": _properties,
    "additionalProperties": _others,
}
