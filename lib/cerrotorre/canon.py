"""CTP-CANON 1: the one spelling of a manifest, written (spec/manifest-canonicalization.adoc).

A document is a dict in tagged form, which JSON can carry: strings, integers, booleans, lists and dicts; a date is
{"toml": "<canonical text>"}, and a table whose only key is `toml` is {"toml": {"table": VALUE}}, so that no table is taken for
a date. `tag` makes it of what tomllib returns. Every refusal is a Fail with a slug of the catalogue, canon-*.
"""

import re

from cerrotorre import times
from cerrotorre.codepoints import first_refused
from cerrotorre.errors import Fail
from cerrotorre.text import shown
from cerrotorre.typed import Any

Document = dict[str, Any]

MAX_SIZE = 4 << 20
MAX_DEPTH = 16
INT64 = 2**63

_BARE = re.compile("[A-Za-z0-9_-]+")
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"})


def canonical(document: Document) -> bytes:
    """The canonical bytes of a document in tagged form (a date may also be a `datetime` object). Raises Fail canon-*."""
    root = _table_of(document) if isinstance(document, dict) else None
    if root is None:
        raise Fail("canon-value", "the document is not a table")
    lines = _Lines()
    lines.table(root, "", "", 0)
    data = "".join(lines.made).encode()
    if len(data) > MAX_SIZE:
        raise Fail("canon-too-large", f"{len(data)} bytes in canonical form", Limit=MAX_SIZE)
    return data


class _Lines:
    """The lines of the output, each with its LF, and how many characters they are."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.size = 0

    def line(self, text: str) -> None:
        # Counted as it grows: a long name above many small tables makes an output far larger than its input.
        self.size += len(text) + 1
        if self.size > MAX_SIZE:
            raise Fail("canon-too-large", "too long in canonical form", Limit=MAX_SIZE)
        self.made.append(text + "\n")

    def table(self, table: Document, path: str, header: str, depth: int) -> None:
        """Write a table that lies `depth` deep (rules 3 to 7). `header` is its first line; the root has none."""
        _shallow(depth)
        own: list[str] = []
        below: list[tuple[str, list[Document], bool]] = []
        key = ""
        try:
            # By code points, which is by UTF-8 bytes: the two orders are the same (rule 4).
            for key in _sorted(table):
                value = table[key]
                name = _name(key)
                if isinstance(value, dict) and (found := _table_of(value)) is not None:
                    below.append((key, [found], False))
                elif isinstance(value, list) and (tables := _tables_of(value)):
                    below.append((key, tables, True))
                else:
                    own.append(f"{name} = {_value(value, depth)}")
            if header and (own or not below or header.startswith("[[")):
                self.line(header)
            for text in own:
                self.line(text)
            for key, tables, is_array in below:
                inner = f"{path}.{_name(key)}" if path else _name(key)
                for entry in tables:
                    self.table(entry, inner, f"[[{inner}]]" if is_array else f"[{inner}]", depth + 1 + is_array)
        except Fail as fail:
            _locate(fail, key)
            raise


def _value(value: Any, depth: int) -> str:
    """One value that is no table, in a table or array that lies `depth` deep."""
    if isinstance(value, str):
        return _string(value)
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        if not -INT64 <= value < INT64:
            # The number is not shown: Python refuses to spell the very long ones.
            raise Fail("canon-integer-range")
        return str(value)
    if isinstance(value, list):
        _shallow(depth + 1)
        return "[" + ", ".join([_value(element, depth + 1) for element in value]) + "]"
    if isinstance(value, dict):
        if _table_of(value) is not None:
            raise Fail("canon-mixed-array")
        return str(value["toml"])
    return _date(value)


def _table_of(value: Document) -> Document | None:
    """The table that a dict in tagged form stands for, or None if it is a date."""
    if len(value) != 1 or "toml" not in value:
        return value
    inner = value["toml"]
    if isinstance(inner, dict) and len(inner) == 1 and "table" in inner:
        return {"toml": inner["table"]}
    if not isinstance(inner, str) or not is_date(inner):
        raise Fail("canon-value", "a tag that holds neither a canonical date nor a table")
    return None


def _tables_of(values: list[Any]) -> list[Document]:
    """The tables of an array of tables; [] if it is another array, or empty (rule 7)."""
    tables = []
    for value in values:
        found = _table_of(value) if isinstance(value, dict) else None
        if found is None:
            return []
        tables.append(found)
    return tables


def _sorted(table: Document) -> list[str]:
    if not all(isinstance(key, str) for key in table):
        raise Fail("canon-value", "a key that is not a string")
    return sorted(table)


def _name(key: str) -> str:
    """A key as it is written (rule 5)."""
    if _BARE.fullmatch(key):
        return key
    if not key:
        raise Fail("canon-empty-key")
    return _string(key)


def _string(text: str) -> str:
    """A basic string (rule 8)."""
    check_string(text)
    if "\\" in text or '"' in text or "\n" in text or "\t" in text:
        text = text.translate(_ESCAPES)
    return f'"{text}"'


def difference(data: bytes, canonical: bytes) -> int | None:
    """The number of the first line in which a text differs from its canonical form; None if it does not."""
    if data == canonical:
        return None
    lines, others = data.split(b"\n"), canonical.split(b"\n")
    same = next((index for index, pair in enumerate(zip(lines, others, strict=False)) if pair[0] != pair[1]), len(lines) - 1)
    return same + 1


def check_string(text: str) -> None:
    """Refuse what no string and no key may hold. Raises Fail canon-control-character, canon-bad-unicode, canon-not-nfc."""
    index = first_refused(text)
    if index is not None:
        code = ord(text[index])
        is_control = code < 0x20 or 0x7F <= code < 0xA0
        raise Fail("canon-control-character" if is_control else "canon-bad-unicode", f"U+{code:04X} in {_brief(text)}")
    if not text.isascii():
        # What is left is assigned in Unicode 14.0, and whether that is NFC never changes (Unicode's stability policy).
        from unicodedata import is_normalized

        if not is_normalized("NFC", text):
            raise Fail("canon-not-nfc", f"not in normal form C: {_brief(text)}")


def is_date(text: str) -> bool:
    """Whether this is the canonical text of a date, or of a time in UTC (rule 12)."""
    whole, point, fraction = text.partition(".")
    if point:
        digits = fraction.removesuffix("Z")
        if not (0 < len(digits) < 7 and len(fraction) == len(digits) + 1 and digits.isascii() and digits.isdecimal()):
            return False
        if digits.endswith("0"):
            return False
    try:
        times.epoch(whole + "Z" if point else text)
    except ValueError:
        return False
    return True


def _date(value: Any) -> str:
    """The canonical text of a `datetime` or `date` (rule 12). Nothing else is left that a manifest could hold."""
    import datetime

    if isinstance(value, float):
        raise Fail("canon-float", f"the float {value!r}")
    if isinstance(value, datetime.datetime) and value.utcoffset() is not None:
        try:
            utc = value.astimezone(datetime.UTC).replace(tzinfo=None)
        except OverflowError:
            raise Fail("canon-date-range", f"{value.isoformat()} leaves the years 0001 to 9999 in UTC") from None
        text = utc.isoformat(timespec="microseconds" if utc.microsecond else "seconds")
        return (text.rstrip("0") if utc.microsecond else text) + "Z"
    if isinstance(value, datetime.datetime | datetime.time):
        raise Fail("canon-local-time", f"{value.isoformat()} has no offset")
    if isinstance(value, datetime.date):
        return value.isoformat()
    raise Fail("canon-value", f"a value of type {type(value).__name__}")


def tag(document: Document) -> Document:
    """The tagged form of a document whose dates are `datetime` objects. Raises Fail for dates and for nesting."""
    made: Document = _tag(document, 0)
    return made


def _tag(value: Any, depth: int) -> Any:
    if isinstance(value, str | int | float) or value is None:
        return value
    if isinstance(value, list):
        _shallow(depth)
        return [_tag(inner, depth + 1) for inner in value]
    if not isinstance(value, dict):
        return {"toml": _date(value)}
    _shallow(depth)
    made: Document = {}
    for key, inner in value.items():
        try:
            made[key] = _tag(inner, depth + 1)
        except Fail as fail:
            _locate(fail, key)
            raise
    return {"toml": {"table": made["toml"]}} if made.keys() == {"toml"} else made


def untag(document: Document) -> Document:
    """The document with `datetime` objects: the inverse of `tag`. Raises Fail for tags and for nesting."""
    made: Document = _untag(document, 0)
    return made


def _untag(value: Any, depth: int) -> Any:
    if not isinstance(value, dict | list):
        return value
    _shallow(depth)
    if isinstance(value, list):
        return [_untag(inner, depth + 1) for inner in value]
    table = _table_of(value)
    if table is not None:
        return {key: _untag(inner, depth + 1) for key, inner in table.items()}
    import datetime

    text: str = value["toml"]
    return datetime.datetime.fromisoformat(text) if "T" in text else datetime.date.fromisoformat(text)


def _shallow(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Fail("canon-nesting", Limit=MAX_DEPTH)


def _locate(fail: Fail, key: object) -> None:
    """Say at which key it failed, from the inside out."""
    context = fail.finding["context"]
    context["Key"] = ".".join([_brief(str(key)), context["Key"]] if "Key" in context else [_brief(str(key))])


def _brief(text: str) -> str:
    return shown(text[:60]) + ("…" if len(text) > 60 else "")
