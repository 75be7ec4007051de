"""CTP-CANON 1 read back: a line grammar, the inverse of `canon`, without a TOML parser.

It starts faster than tomllib and has none of its quadratic corners. What it reads it takes loosely; the proof that the text is
canonical, and means what was read, is that writing it again gives the same bytes.
"""

import re

from cerrotorre import canon
from cerrotorre.canon import Document
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

# A bare key, or a string as a key or value has it.
_KEY = re.compile(r'([A-Za-z0-9_-]+)|"([^"\\]*(?:\\.[^"\\]*)*)"')
# true, false, integers and dates: what is neither is found out when it is converted or written again.
_WORD = re.compile(r"[a-z]+|-?[0-9]{1,19}(?![0-9-])|[0-9][0-9TZ:.-]*")


def read(data: bytes) -> Document:
    """The document in tagged form. Raises Fail manifest-not-canonical unless `canonical` of it gives these bytes."""
    if len(data) > canon.MAX_SIZE:
        raise Fail("manifest-not-canonical", f"longer than {canon.MAX_SIZE} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Fail("manifest-not-canonical", f"not UTF-8 at byte {error.start}") from None
    document = _parse(text)
    try:
        again = canon.canonical(document)
    except Fail as fail:
        raise Fail("manifest-not-canonical", str(fail), Key=fail.finding["context"].get("Key")) from None
    if again != data:
        raise Fail("manifest-not-canonical", Line=canon.difference(data, again))
    return document


def _parse(text: str) -> Document:
    lines = text.split("\n")
    if lines.pop():
        raise Fail("manifest-not-canonical", "the last line has no end", Line=len(lines) + 1)
    root: Document = {}
    tables = [root]
    table = root
    for number, line in enumerate(lines, 1):
        try:
            if line.startswith("["):
                table = _open(root, line, tables)
                continue
            key, position = _key(line, 0)
            if not line.startswith(" = ", position):
                raise ValueError("neither a header nor key = value")
            table[key], position = _value(line, position + 3, 0)
            if position != len(line):
                raise ValueError("something follows the value")
        except ValueError as error:
            raise Fail("manifest-not-canonical", str(error), Line=number) from None
    # Only now, since headers look tables up by their own names.
    for table in tables:
        if len(table) == 1 and "toml" in table:
            table["toml"] = {"table": table["toml"]}
    return root


def _open(root: Document, line: str, tables: list[Document]) -> Document:
    """The new table of a header line; the tables it passes through are made where they are not there yet."""
    is_array = line.startswith("[[")
    bracket = "]]" if is_array else "]"
    table: Any = root
    key, position = _key(line, len(bracket))
    for _ in range(canon.MAX_DEPTH):
        if not line.startswith(".", position):
            break
        inner = table.get(key)
        if inner is None:
            inner = table[key] = {}
            tables.append(inner)
        elif isinstance(inner, list):
            # An array of tables; its last element is the one that is open.
            inner = inner[-1] if inner else None
        if not isinstance(inner, dict):
            raise ValueError("a header below something that is not a table")
        table = inner
        key, position = _key(line, position + 1)
    if line[position:] != bracket:
        raise ValueError("not a header")
    made: Document = {}
    tables.append(made)
    if not is_array:
        if key in table:
            raise ValueError("a table is defined twice")
        table[key] = made
    else:
        array = table.setdefault(key, [])
        if not isinstance(array, list):
            raise ValueError("an array of tables under a name that is taken")
        array.append(made)
    return made


def _key(line: str, position: int) -> tuple[str, int]:
    found = _KEY.match(line, position)
    if found is None:
        raise ValueError("not a key, or a string without an end")
    return found[1] or _plain(found[2] or ""), found.end()


def _value(line: str, position: int, depth: int) -> tuple[Any, int]:
    if line.startswith('"', position):
        return _key(line, position)
    if line.startswith("[", position):
        if depth >= canon.MAX_DEPTH:
            raise ValueError(f"nested deeper than {canon.MAX_DEPTH}")
        array: list[Any] = []
        position += 1
        if line.startswith("]", position):
            return array, position + 1
        while True:
            value, position = _value(line, position, depth + 1)
            array.append(value)
            if line.startswith("]", position):
                return array, position + 1
            if not line.startswith(", ", position):
                raise ValueError("not an array")
            position += 2
    found = _WORD.match(line, position)
    if found is None:
        raise ValueError("not a value")
    word = found[0]
    if word == "true" or word == "false":
        return word == "true", found.end()
    if "-" in word[1:]:
        return {"toml": word}, found.end()
    return int(word), found.end()


def _plain(text: str) -> str:
    """A string's text without the four escapes. Others stay, and are not what is written again."""
    if "\\" not in text:
        return text
    # A run of backslashes begins with one that escapes, so splitting at pairs never splits an escape.
    parts = text.split("\\\\")
    return "\\".join([part.replace('\\"', '"').replace("\\n", "\n").replace("\\t", "\t") for part in parts])
