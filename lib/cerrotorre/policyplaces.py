"""Everything that is wrong or doubtful with a policy's text, each with the place where it stands: line, column and JSON pointer."""

import re

from cerrotorre import jsonedit, jsonic, policycheck, policyread
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

# {"level": "error" | "warning", "pointer", "line", "column" (from 1; 0 where no place can be said), "said"}
Problem = dict[str, Any]
_SYNTAX = re.compile(r"(.*): line (\d+) column (\d+) \(char \d+\)")
_HINT = re.compile(r"; did you mean [^;]*\?$")
_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[][{}]')


def errors(data: bytes) -> list[Problem]:
    """What keeps these bytes from being a policy, by place; empty if they are one."""
    try:
        jsonic.parse(data, policyread.MAX_POLICY)
    except jsonic.Malformed as error:
        if data.strip():
            return _malformed(data, error)
    found = policycheck.schema_errors(data)
    try:
        policyread.read(data, "")
    except Fail as fail:
        context, hint = fail.finding["context"], _HINT.search(str(fail))
        absent = f"{context['Expected']} is missing"
        said = absent if context["Found"] == "none" else f"{context['Found']} instead of {context['Expected']}"
        found.append((context["Pointer"], said + (hint[0] if hint else "")))
    # The reader names the first one better than the schema does.
    last = dict(found)
    return _placed(data, "error", sorted(last.items()))


def warnings(data: bytes, remarks: list[policycheck.Remark]) -> list[Problem]:
    """What `policycheck.warnings` says of the policy in these bytes, by place."""
    return _placed(data, "warning", remarks)


def line(path: str, problem: Problem) -> str:
    """`FILE:LINE:COLUMN: [warning: ]POINTER: what`, as compilers say it."""
    place = f"{path}:{problem['line']}:{problem['column']}" if problem["line"] else path
    word = "warning: " if problem["level"] == "warning" else ""
    return f"{place}: {word}{problem['pointer'] or '/'}: {problem['said']}"


def _placed(data: bytes, level: str, remarks: list[policycheck.Remark]) -> list[Problem]:
    try:
        text = data.decode()
        root = jsonedit.scan(text)
    except (ValueError, RecursionError):
        return [_problem(level, pointer, (0, 0), said) for pointer, said in remarks]
    made = [_problem(level, pointer, jsonedit.place(text, root, _steps(root, pointer)), said) for pointer, said in remarks]
    return sorted(made, key=lambda problem: (problem["line"], problem["column"]))


def _problem(level: str, pointer: str, place: tuple[int, int], said: str) -> Problem:
    return {"level": level, "pointer": pointer, "line": place[0], "column": place[1], "said": said}


def _steps(root: jsonedit.Node, pointer: str) -> jsonedit.Pointer:
    steps: list[str | int] = []
    node: jsonedit.Node | None = root
    for spelled in pointer.split("/")[1:]:
        step: str | int = spelled.replace("~1", "/").replace("~0", "~")
        if node and node.keys[:1] == [0] and spelled.isdecimal():
            step = int(spelled)
        at = node.keys.index(step) if node and step in node.keys else -1
        node = (node.children or [])[at] if node and at >= 0 else None
        steps.append(step)
    return tuple(steps)


def _malformed(data: bytes, error: jsonic.Malformed) -> list[Problem]:
    """Why the bytes are not strict JSON, and where."""
    if len(data) > policyread.MAX_POLICY:
        return [_problem("error", "", (0, 0), "more than 1 MiB instead of at most 1 MiB")]
    try:
        text = data.decode()
    except UnicodeDecodeError as wrong:
        before = data[: wrong.start].decode()
        return [_problem("error", "", jsonedit.position(before, len(before)), "a byte that is not UTF-8")]
    said = f"not strict JSON: {error}"
    if found := _SYNTAX.fullmatch(str(error)):
        # The decoder counts lines by \n alone.
        offset = int(str(error).rpartition("(char ")[2][:-1])
        return [_problem("error", "", jsonedit.position(text, offset), f"not strict JSON: {found[1]}")]
    if jsonic.too_deep(text):
        return [_problem("error", "", jsonedit.position(text, _too_deep(text)), said)]
    root = jsonedit.scan(text)
    again = jsonedit.repeated(root)
    if again:
        return [
            _problem("error", policyread.pointer(at), jsonedit.position(text, offset), "the member is there twice")
            for at, offset in again
        ]
    return [_problem("error", "", jsonedit.position(text, _odd(text, root)), said)]


def _too_deep(text: str) -> int:
    """The offset of the bracket that opens one level too many."""
    depth = 0
    for found in _BRACKETS.finditer(text):
        depth += found[0] in "[{"
        depth -= found[0] in "]}"
        if depth > jsonic.MAX_DEPTH:
            return found.start()
    return 0


def _odd(text: str, node: jsonedit.Node) -> int:
    """The offset of the first number or string that JSON has and strict JSON has not."""
    for child in node.children or ():
        for start, end in ((child.at, child.start), (child.start, child.end)):
            token = text[start:end].rstrip(" \t\r\n:") if start == child.at else text[start:end]
            if child.children is not None and start == child.start:
                continue
            if token:
                try:
                    jsonic.parse(token.encode())
                except jsonic.Malformed:
                    return start
        if at := _odd(text, child):
            return at
    return 0
