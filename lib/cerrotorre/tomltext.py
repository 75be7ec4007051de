"""TOML 1.0 that people wrote, parsed within limits (spec/manifest-canonicalization.adoc, "Limits").

tomllib takes quadratic time for long dotted keys, recurses for nested brackets and raises more than its own error. So the text
is walked once before it sees it, and whatever it raises becomes a finding.
"""

import re

from cerrotorre.errors import Fail
from cerrotorre.text import shown
from cerrotorre.typed import Any, NoReturn

MAX_SIZE = 4 << 20
MAX_PARTS = 16
MAX_DEPTH = 16
MAX_DIGITS = 19

# TOML allows these nowhere, written plainly: C0 but tab, LF and CRLF, and DEL.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")
# Outside strings every character belongs to one of these. A key's dots are tokens of their own, a value's are not.
_IN_KEY = re.compile(r"""[ \t]+|\#[^\n]*|\"{3}|'{3}|["'\n\[\]{},=.]|[^ \t\n\[\]{},=."'#]+""")
_IN_VALUE = re.compile(r"""[ \t]+|\#[^\n]*|\"{3}|'{3}|["'\n\[\]{},=]|[^ \t\n\[\]{},="'#]+""")
_FLOAT = re.compile(r"[+-]?(?:inf|nan|(?:0|[1-9](?:_?[0-9])*)(?=[.eE])(?:\.[0-9](?:_?[0-9])*)?(?:[eE][+-]?[0-9](?:_?[0-9])*)?)")
_DECIMAL = re.compile(r"[+-]?([1-9](?:_?[0-9])*)")
# A time without seconds: TOML 1.1, which some later Python's tomllib may read.
_MINUTES = re.compile(r"(?:[0-9-]+[Tt])?[0-9]{2}:[0-9]{2}(?:[Zz]|[+-][0-9]{2}:[0-9]{2})?")
# What ends a string, or hides the character after it.
_BASIC = re.compile(r'["\\\n]')
_MULTILINE = re.compile(r'"{3}|\\')
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def parse(data: bytes) -> dict[str, Any]:
    """The document as tomllib returns it, without floats. Raises Fail canon-*, with Line and Column where they are known."""
    if len(data) > MAX_SIZE:
        raise Fail("canon-too-large", f"more than {MAX_SIZE} bytes", Limit=MAX_SIZE)
    if data.startswith(b"\xef\xbb\xbf"):
        raise Fail("canon-bom", Line=1, Column=1)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Fail("canon-not-utf8", f"not UTF-8 at byte {error.start}", Line=data.count(b"\n", 0, error.start) + 1) from None
    if found := _CONTROL.search(text):
        _refuse(text, found.start(), "canon-control-character", f"U+{ord(found[0]):04X}, written plainly")
    # As TOML allows and tomllib does; columns are then counted alike (rule 14).
    text = text.replace("\r\n", "\n")
    _walk(text)
    import tomllib

    floats: list[str] = []
    try:
        document = tomllib.loads(text, parse_float=floats.append)
    # Not only TOMLDecodeError: ValueError, RecursionError, OverflowError and whatever a later version adds.
    except Exception as error:
        said = str(error) or type(error).__name__
        place = _PLACE.search(said)
        line, column = (int(place[1]), int(place[2])) if place and place[1] else (None, None)
        raise Fail(_slug(said), shown(said[: place.start() if place else None][:200]), Line=line, Column=column) from None
    # _walk has refused them already, with their place.
    if floats:
        raise Fail("canon-float", f"the float {floats[0][:40]}")
    return document


def _slug(said: str) -> str:
    """The slug for what tomllib said."""
    if said.startswith(("Cannot ", "Duplicate ")):
        return "canon-duplicate-key"
    if said.startswith("Escaped character is not"):
        return "canon-bad-unicode"
    if said.startswith("Invalid date"):
        return "canon-date-range"
    return "canon-syntax"


def _refuse(text: str, position: int, slug: str, detail: str = "", **context: Any) -> NoReturn:
    line_start = text.rfind("\n", 0, position) + 1
    raise Fail(slug, detail, Line=text.count("\n", 0, position) + 1, Column=position - line_start + 1, **context)


def _walk(text: str) -> None:
    """Refuse long dotted keys, deep nesting, long integers, floats and what only TOML 1.1 has, in one pass.

    It follows legal TOML 1.0 exactly. Where the text is not TOML it may misread what comes after the error, or return; tomllib
    goes no further than the error either.
    """
    end = len(text)
    position = 0
    dots = 0
    # The open brackets of the value, and whether a key or a value is read. A header counts as a key to the end of its line.
    brackets: list[str] = []
    in_key, is_header = True, False
    last = "\n"
    while position < end:
        found = (_IN_KEY if in_key else _IN_VALUE).match(text, position)
        if found is None:
            return
        token, start, position = found[0], position, found.end()
        first = token[0]
        if first in " \t#":
            continue
        if first in "\"'":
            position = _string_end(text, position, token)
            if position < 0:
                return
        elif first == "\n":
            if brackets:
                if brackets[-1] == "{":
                    _refuse(text, start, "canon-syntax", "an inline table is on one line")
                continue
            in_key, is_header, dots = True, False, 0
        elif in_key:
            if first == ".":
                dots += 1
                if dots >= MAX_PARTS:
                    _refuse(text, start, "canon-key-parts", Limit=MAX_PARTS)
            elif first == "=" and not is_header:
                in_key = False
            elif first == "[" and last == "\n":
                is_header = True
            elif first == "}" and brackets:
                if last == ",":
                    _refuse(text, start, "canon-syntax", "an inline table does not end with a comma")
                brackets.pop()
                in_key = False
        elif first in "[{":
            brackets.append(first)
            if len(brackets) > MAX_DEPTH:
                _refuse(text, start, "canon-nesting", Limit=MAX_DEPTH)
            in_key, dots = first == "{", 0
        elif first in "]}":
            if not brackets:
                return
            brackets.pop()
        elif first == ",":
            in_key, dots = bool(brackets) and brackets[-1] == "{", 0
        else:
            _word(text, start, token)
        last = first


def _word(text: str, position: int, token: str) -> None:
    """Refuse a float, an integer so long that reading it would be slow, and a time without seconds."""
    if _FLOAT.fullmatch(token):
        _refuse(text, position, "canon-float", f"the float {token[:40]}")
    found = _DECIMAL.fullmatch(token)
    if found and len(found[1]) - found[1].count("_") > MAX_DIGITS:
        _refuse(text, position, "canon-integer-range", f"more than {MAX_DIGITS} digits")
    if _MINUTES.fullmatch(token):
        _refuse(text, position, "canon-syntax", "a time without seconds")


def _string_end(text: str, position: int, quote: str) -> int:
    """Where the string ends whose opening quotes end at `position`; -1 if it does not."""
    if quote[0] == "'":
        closed = text.find(quote, position)
    else:
        pattern = _BASIC if quote == '"' else _MULTILINE
        while (found := pattern.search(text, position)) and found[0] == "\\":
            if text.startswith(("e", "x"), found.end()):
                _refuse(text, found.start(), "canon-syntax", "an escape that TOML 1.0 does not have")
            position = found.end() + 1
        closed = found.start() if found and found[0] == quote else -1
    if closed < 0:
        return -1
    closed += len(quote)
    # Up to two more quotes belong to the content of a multi-line string.
    for _ in range(2):
        if len(quote) == 3 and text.startswith(quote[0], closed):
            closed += 1
    return closed
