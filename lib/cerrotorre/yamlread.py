"""YAML that others wrote, as strings, lists and dicts, each string with its line: no type is guessed and nothing is constructed.

Read from the parser's events, so that neither depth, nor aliases, nor merges can make more of a text than its bytes allow.
"""

from collections.abc import Iterator

from cerrotorre.errors import Fail
from cerrotorre.typed import Any

MAX_DEPTH = 100
# `<<` copies what it merges; everything else that an alias names is there once.
MAX_MERGED = 100_000
_TAGS = frozenset({None, "!", *("tag:yaml.org,2002:" + name for name in ("str", "int", "float", "bool", "null", "map", "seq"))})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})

# A scalar is (text, its line from 1 on), text None where it is null.
Scalar = tuple[str | None, int]
Node = Any


def documents(text: str) -> Iterator[Node]:
    """Each document: a Scalar, a list of nodes, or a dict of them by key. Raises Fail list-malformed."""
    import yaml

    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            kind = type(event).__name__
            if kind == "DocumentEndEvent":
                yield builder.document
                builder = _Builder()
            elif not kind.startswith(("Stream", "Document")):
                builder.take(kind.removesuffix("Event"), event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
        raise malformed(f"not YAML: {what}", mark.line + 1 if mark else 0) from None


def malformed(detail: str, line: int = 0, **context: Any) -> Fail:
    """Fail list-malformed about a line, if it is known."""
    return Fail("list-malformed", f"line {line}: {detail}" if line else detail, Line=line or None, **context)


class _Builder:
    """One document, from its events."""

    def __init__(self) -> None:
        self.document: Node = None
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._merged = 0

    def take(self, kind: str, event: Any) -> None:
        line = event.start_mark.line + 1
        if kind in ("SequenceEnd", "MappingEnd"):
            done = self._open.pop()
            self._put(done.node, done.anchor, done.line)
            return
        if kind == "Alias":
            # An anchor counts from its end on, so that nothing holds itself.
            if event.anchor not in self._anchors:
                raise malformed(f"*{event.anchor[:100]} names nothing that stands before it", line)
            self._put(self._anchors[event.anchor], None, line)
            return
        if event.tag not in _TAGS:
            raise malformed(f"the tag {event.tag[:100]} changes what a value means", line)
        if kind == "Scalar":
            null = event.implicit[0] and event.value in _NULL
            self._put((None if null else event.value, line), event.anchor, line)
            return
        if len(self._open) >= MAX_DEPTH:
            raise malformed(f"more than {MAX_DEPTH} deep", line)
        self._open.append(_Open([] if kind == "SequenceStart" else {}, event.anchor, line))

    def _put(self, node: Node, anchor: str | None, line: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._open:
            self.document = node
            return
        around = self._open[-1]
        if isinstance(around.node, list):
            around.node.append(node)
        elif around.key is None:
            if not isinstance(node, tuple):
                raise malformed("a key is no word", line)
            around.key = node[0] or ""
        else:
            key, around.key = around.key, None
            if key == "<<":
                self._merge(around, node, line)
            elif key in around.said:
                raise malformed(f"{key[:100]!r} is there twice", line)
            else:
                around.said.add(key)
                around.node[key] = node

    def _merge(self, around: "_Open", node: Node, line: int) -> None:
        # https://yaml.org/type/merge.html: what is said outranks what is merged, and of several merged the earlier the later.
        for one in node if isinstance(node, list) else [node]:
            if not isinstance(one, dict):
                raise malformed("<< merges what is no mapping", line)
            self._merged += len(one) + 1
            if self._merged > MAX_MERGED:
                raise malformed(f"more than {MAX_MERGED} members are merged", line)
            for key, value in one.items():
                around.node.setdefault(key, value)


class _Open:
    """A list or mapping whose end has not come; `said` are the keys that are written, and not merged."""

    __slots__ = ("anchor", "key", "line", "node", "said")

    def __init__(self, node: Node, anchor: str | None, line: int) -> None:
        self.node, self.anchor, self.line = node, anchor, line
        self.key: str | None = None
        self.said: set[str] = set()
