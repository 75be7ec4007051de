"""JSON that others wrote, read strictly; and RFC 8785 canonical JSON, written and checked.

Refused: bytes that are not UTF-8, duplicate keys, NaN and infinities, integers outside ±(2^53-1), depth over 64,
text that cannot be UTF-8 (lone surrogates), and, where a schema names the keys, keys that differ only by case (Go matches
field names case-insensitively, so `Cmd` beside `cmd` would make two programs see two documents).
"""

import json
import re
from collections.abc import Callable
from json.encoder import encode_basestring

from cerrotorre.typed import Any

MAX_DEPTH = 64
# An empty array is two or three bytes of text and some sixty of memory.
MAX_VALUES = 4 << 20
MAX_SAFE = 2**53 - 1
INT64 = 2**63


_STRING = re.compile('"[^"]*"')
_NO_BRACKETS = re.compile(r"[^][{}]+")


class Malformed(ValueError):
    """The text is not the JSON it must be; the message says why."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise Malformed(f"duplicate key {key[:80]!r}")
            seen.add(key)
    return made


def refuse_case_clash(value: dict[str, Any], where: str = "object") -> None:
    """Raise Malformed if two keys of an object whose keys a schema names are equal under case folding."""
    if len({key.casefold() for key in value}) != len(value):
        raise Malformed(f"{where}: two keys differ only by case")


def _integer(limit: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if len(text) > 20 or not -limit <= (value := int(text)) <= limit:
            raise Malformed(f"integer {text[:24]} is out of range")
        return value

    return parse


def _constant(text: str) -> Any:
    raise Malformed(f"{text} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise Malformed(f"number {text[:24]} is out of range")
    return value


_STRICT = json.JSONDecoder(object_pairs_hook=_pairs, parse_int=_integer(MAX_SAFE), parse_float=_float, parse_constant=_constant)
_RECORD = json.JSONDecoder(object_pairs_hook=_pairs, parse_int=_integer(INT64), parse_float=_float, parse_constant=_constant)


def too_deep(text: str) -> bool:
    """Whether brackets outside strings nest deeper than MAX_DEPTH; counted only where there are enough to matter."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    # Escapes stand in strings only, so without them every other quote ends one.
    bare = _STRING.sub("", text.replace("\\\\", "").replace('\\"', ""))
    depth = 0
    for char in _NO_BRACKETS.sub("", bare):
        depth += 1 if char in "[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False


def parse(data: bytes, limit: int = 4 << 20) -> Any:
    """Parse strict JSON of at most `limit` bytes and about MAX_VALUES values. Raises Malformed."""
    if len(data) > MAX_VALUES and sum(map(data.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise Malformed(f"more than {MAX_VALUES} values")
    return _decode(_STRICT, data, limit)


def parse_record(data: bytes, limit: int = 16 << 20) -> Any:
    """Parse one line of a record stream: strict JSON with int64 integers. Raises Malformed."""
    return _decode(_RECORD, data, limit)


def _decode(decoder: json.JSONDecoder, data: bytes, limit: int) -> Any:
    if len(data) > limit:
        raise Malformed(f"{len(data)} bytes, more than {limit}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"not UTF-8 at byte {error.start}") from None
    if too_deep(text):
        raise Malformed(f"nested deeper than {MAX_DEPTH}")
    try:
        value = decoder.decode(text)
    except Malformed:
        raise
    except (ValueError, RecursionError) as error:
        raise Malformed(str(error) or "nested too deep") from None
    # A \ud800 escape decodes to text that no UTF-8 can carry.
    if "\\u" in text:
        try:
            dump(value).encode("utf-8")
        except UnicodeEncodeError:
            raise Malformed("a lone surrogate") from None
    return value


_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def dump(value: Any) -> str:
    """Compact JSON in the order given."""
    return _dump(value)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON; Python's == also takes true for 1."""
    return one == other and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def canonical(value: Any) -> bytes:
    """RFC 8785 canonical JSON. Raises Malformed for what it cannot spell."""
    try:
        return _spell(value).encode("utf-8")
    except UnicodeEncodeError:
        raise Malformed("a lone surrogate") from None


def _spell(value: Any) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, dict):
        # RFC 8785 §3.2.3: property names are sorted as arrays of UTF-16 code units.
        keys = sorted(value, key=None if all(map(str.isascii, value)) else _utf16)
        return "{" + ",".join([f"{encode_basestring(key)}:{_spell(value[key])}" for key in keys]) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_spell, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        if not -MAX_SAFE <= value <= MAX_SAFE:
            raise Malformed(f"integer {value} is out of range")
        return str(value)
    if isinstance(value, float):
        return _ecmascript(value)
    raise Malformed(f"{type(value).__name__} is not JSON")


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")


def _ecmascript(value: float) -> str:
    """A number as ECMAScript's Number::toString spells it (RFC 8785 §3.2.2.3); Python's repr has the same digits."""
    if value != value or value in (float("inf"), float("-inf")):
        raise Malformed(f"{value} is not JSON")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    # n as in the standard: value = 0.digits × 10^n
    n = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    k = len(digits)
    if k <= n <= 21:
        return sign + digits + "0" * (n - k)
    if 0 < n <= 21:
        return f"{sign}{digits[:n]}.{digits[n:]}"
    if -6 < n <= 0:
        return f"{sign}0.{'0' * -n}{digits}"
    tail = f".{digits[1:]}" if k > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'+' if n > 0 else '-'}{abs(n - 1)}"
