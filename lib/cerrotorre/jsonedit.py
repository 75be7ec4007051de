"""JSON text changed by what it says: `rewrite` makes it say another value, and every byte that need not change stays.

Comment members, order, indentation, spacing, the spelling of numbers and escapes, line ends and the end of the file are kept.
What is new is laid out as what lies beside it. Pure; what is given was parsed strictly before (`jsonic`), so nothing here refuses.
"""

import json
import re

from cerrotorre import jsonic
from cerrotorre.text import hidden
from cerrotorre.typed import Any

_SPACE = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_SCALAR = re.compile(r"[^][{}:, \t\r\n]+")
_BREAK = re.compile(r"\r\n|\n|\r")
Pointer = tuple[str | int, ...]


class Node:
    """A value's place in the text: `start` to `end`; `at` is where its member begins, the key included.

    `children` are those of an object, by key, or of an array, by number; None for anything else.
    """

    __slots__ = ("at", "children", "end", "keys", "start")

    def __init__(self, at: int, start: int) -> None:
        self.at, self.start, self.end = at, start, start
        self.children: list[Node] | None = None
        self.keys: list[Any] = []


def scan(text: str) -> Node:
    """The places of everything in a JSON text, of which a key that is repeated is there twice."""
    return _scan(text, _skip(text, 0), _skip(text, 0))


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    if not found:
        raise jsonic.Malformed(f"no JSON at character {at}")
    return found.end()


def _scan(text: str, begin: int, at: int) -> Node:
    node = Node(begin, at)
    opened = text[at : at + 1]
    if opened not in ("{", "["):
        node.end = _end(_STRING if opened == '"' else _SCALAR, text, at)
        return node
    node.children = []
    at = _skip(text, at + 1)
    while text[at : at + 1] not in ("}", "]"):
        begin = at
        if opened == "{":
            at = _end(_STRING, text, at)
            node.keys.append(json.loads(text[begin:at]))
            # past the colon
            at = _skip(text, _skip(text, at) + 1)
        else:
            node.keys.append(len(node.keys))
        node.children.append(child := _scan(text, begin, at))
        at = _skip(text, child.end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
    node.end = at + 1
    return node


def place(text: str, root: Node, pointer: Pointer) -> tuple[int, int]:
    """(line, column), both from 1, of what a pointer names: of a member its key. Of what is not there, what would hold it."""
    node, at = root, root.start
    for step in pointer:
        if step not in node.keys:
            break
        node = (node.children or [])[node.keys.index(step)]
        at = node.at
    return position(text, at)


def repeated(root: Node, pointer: Pointer = ()) -> list[tuple[Pointer, int]]:
    """(pointer, offset) of every key that its object has had already."""
    found: list[tuple[Pointer, int]] = []
    seen = set()
    for key, child in zip(root.keys, root.children or (), strict=False):
        if key in seen:
            found.append(((*pointer, key), child.at))
        seen.add(key)
        found += repeated(child, (*pointer, key))
    return found


def position(text: str, offset: int) -> tuple[int, int]:
    """(line, column) of an offset, both from 1, in characters."""
    before = text[:offset]
    breaks = before.count("\n") + before.count("\r") - before.count("\r\n")
    return breaks + 1, offset - max(before.rfind("\n"), before.rfind("\r"))


def rewrite(text: str, value: Any) -> str:
    """The text, changed where it must be to say `value`."""
    root = scan(text)
    body = _Layout(text, root).rewritten(root, json.loads(text), value, broken=_multiline(text[root.start : root.end]))
    return text[: root.start] + body + text[root.end :]


def _multiline(text: str) -> bool:
    return "\n" in text or "\r" in text


class _Layout:
    """How a text is laid out, and what is new in it, alike."""

    def __init__(self, text: str, root: Node) -> None:
        self.text = text
        found = _BREAK.search(text)
        self.newline = found[0] if found else "\n"
        self.colon, self.comma, self.unit = ": ", ", ", "  "
        gaps: dict[str, str] = {}
        self._look(root, gaps)
        self.unit = gaps.get("unit", self.unit)
        # A text that is all on one line may have no space anywhere.
        self.colon = ":" + gaps.get("colon", " ")
        self.comma = "," + gaps.get("comma", " " if gaps.get("colon", " ") else "")

    def _look(self, node: Node, gaps: dict[str, str]) -> None:
        """Collect the first colon's space, the first comma's inside a line, and the first step of indentation."""
        before = None
        for key, child in zip(node.keys, node.children or (), strict=False):
            if isinstance(key, str):
                gap = self.text[child.at : child.start].rpartition(":")[2]
                if not _multiline(gap):
                    gaps.setdefault("colon", gap)
            lead = self.text[before.end if before else node.start + 1 : child.at]
            if before is not None and not _multiline(lead):
                gaps.setdefault("comma", lead.rpartition(",")[2])
            elif before is None and _multiline(lead):
                inner, outer = self._indent(child.at), self._indent(node.start)
                if inner.startswith(outer) and inner != outer:
                    gaps.setdefault("unit", inner[len(outer) :])
            before = child
            self._look(child, gaps)

    def _indent(self, at: int) -> str:
        """The white space that begins the line of an offset."""
        start = max(self.text.rfind("\n", 0, at), self.text.rfind("\r", 0, at)) + 1
        return self.text[start : min(at, _end(re.compile("[ \t]*"), self.text, start))]

    def rewritten(self, node: Node, old: Any, new: Any, *, broken: bool) -> str:
        """The text of a value that was `old`, saying `new`. `broken`: what holds it has its members on lines of their own."""
        if jsonic.same(old, new):
            return self.text[node.start : node.end]
        if isinstance(old, dict) and isinstance(new, dict):
            # Members stay in their order; those that are new come last.
            wanted = [(key, new[key], True) for key in node.keys if key in new]
            wanted += [(key, value, False) for key, value in new.items() if key not in old]
            return self._container(node, old, wanted, broken)
        if isinstance(old, list) and isinstance(new, list):
            return self._container(node, old, _aligned(old, new), broken)
        return self._spelled(new, self._indent(node.start), broken)

    def _container(self, node: Node, old: Any, wanted: list[tuple[Any, Any, bool]], broken: bool) -> str:
        """An object or array with these: (key or number in the old one, value, whether it was there)."""
        text, children = self.text, node.children or []
        opened, closed = text[node.start], text[node.end - 1]
        if not wanted:
            return opened + closed
        within = text[node.start + 1 : node.end - 1]
        outer = self._indent(node.start)
        if children:
            lead, tail = text[node.start + 1 : children[0].at], text[children[-1].end : node.end - 1]
            broken = _multiline(lead) or (len(children) > 1 and _multiline(text[children[-2].end : children[-1].at]))
        else:
            broken = broken or _multiline(within)
            lead, tail = (self.newline + outer + self.unit, self.newline + outer) if broken else ("", "")
        inner = self._indent(children[-1].at) if children and broken else outer + self.unit if broken else outer
        if len(children) > 1:
            gap = text[children[-2].end : children[-1].at]
        elif broken:
            gap = "," + (lead if children and _multiline(lead) else self.newline + inner)
        else:
            gap = self.comma
        # Of what is beside it the last that has members shows how these lie; without one, whether the first began a line.
        like = next((child for child in reversed(children) if child.children), None)
        split = _multiline(text[like.start : like.end]) if like else broken and _multiline(lead)
        made = opened
        for number, (key, value, there) in enumerate(wanted):
            at = node.keys.index(key) if there else -1
            if number == 0:
                made += lead
            elif at > 0:
                made += text[children[at - 1].end : children[at].at]
            else:
                made += gap
            if there:
                child = children[at]
                made += text[child.at : child.start] + self.rewritten(child, old[key], value, broken=broken)
            else:
                name = self._string(key) + self.colon if opened == "{" else ""
                made += name + self._spelled(value, inner, split)
        return made + tail + closed

    def _spelled(self, value: Any, indent: str, broken: bool) -> str:
        """A value that is new, on one line or with its members on lines of their own."""
        if not isinstance(value, dict | list):
            return self._string(value) if isinstance(value, str) else jsonic.dump(value)
        if isinstance(value, dict):
            parts = [
                self._string(key) + self.colon + self._spelled(one, indent + self.unit, broken) for key, one in value.items()
            ]
        else:
            parts = [self._spelled(one, indent + self.unit, broken) for one in value]
        opened, closed = "{}" if isinstance(value, dict) else "[]"
        if not parts or not broken:
            return opened + self.comma.join(parts) + closed
        line = self.newline + indent
        return opened + line + self.unit + f",{line}{self.unit}".join(parts) + line + closed

    def _string(self, text: str) -> str:
        """A string in JSON, with what a terminal could mistake for control escaped."""
        return "".join(json.dumps(char)[1:-1] if hidden(char) else char for char in jsonic.dump(text))


def _aligned(old: list[Any], new: list[Any]) -> list[tuple[Any, Any, bool]]:
    """The elements of `new` by those of `old` that they are: what both begin and end with, and in between one by one."""
    head = 0
    while head < min(len(old), len(new)) and jsonic.same(old[head], new[head]):
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and jsonic.same(old[-1 - tail], new[-1 - tail]):
        tail += 1
    middle = len(new) - tail
    made: list[tuple[Any, Any, bool]] = [(number, new[number], True) for number in range(head)]
    gone = len(old) - tail
    made += [(number, new[number], number < gone) for number in range(head, middle)]
    return made + [(number - len(new) + len(old), new[number], True) for number in range(middle, len(new))]
