"""config.toml, read strictly: an unknown or mistyped setting is an error, never one that silently does nothing."""

import os
from collections.abc import Mapping

from cerrotorre import owned, places
from cerrotorre.errors import Fail, Finding, finding
from cerrotorre.settings import SECTIONS, SETTINGS, Problem, problems
from cerrotorre.typed import Any

Document = dict[str, Any]

MAX_CONFIG = 64 << 10
# These are paths of files beside the configuration, unless they say where else.
_PATHS = ("defaults.policy", "cache.dir", "audit.dir", "svalinn.logs")


def path(env: Mapping[str, str] | None = None) -> str:
    """Where config.toml lies, there or not."""
    return os.path.join(places.home_dir(env), "config.toml")


def read(env: Mapping[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """{section: {name: value}} of every section, with what is set; all empty without a file.

    `defaults.policy`, `cache.dir`, `audit.dir` and `svalinn.logs` are absolute: `~/` is the home directory, and a relative path is relative to the file's
    directory. Raises Fail config-malformed (File, Line, Key, Expected, Found), file-unreadable, not-a-file or store-unsafe.
    """
    where = path(env)
    held = data(where)
    document = {} if held is None else parsed(where, held)
    for problem in problems(document):
        raise _fail(where, held or b"", problem)
    settings: dict[str, dict[str, Any]] = {section: dict(document.get(section, {})) for section in SECTIONS}
    for key in _PATHS:
        its = settings[SETTINGS[key].section]
        if (name := SETTINGS[key].name) in its:
            its[name] = absolute(where, its[name])
    return settings


def default_key(env: Mapping[str, str] | None = None) -> str | None:
    """The key that `[defaults] key` names, or None. Raises Fail as `read` does."""
    return read(env)["defaults"].get("key")


def data(where: str, *, guarded: bool = True) -> bytes | None:
    """The bytes of a config.toml, at most MAX_CONFIG + 1; None if it is not there. Raises Fail as `read` does."""
    # It says which policy is trusted, so it is guarded as the key store is.
    if guarded and not owned.check_directory(os.path.dirname(where)):
        return None
    return owned.read(where, MAX_CONFIG, guarded=guarded)


def parsed(where: str, held: bytes) -> Document:
    """The TOML in these bytes, whatever it says. Raises Fail config-malformed."""
    if len(held) > MAX_CONFIG:
        raise Fail("config-malformed", f"'{where}': more than {MAX_CONFIG} bytes", File=where, Limit=MAX_CONFIG)
    # Only a file that is there costs its parser.
    import tomllib

    try:
        return tomllib.loads(held.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        found = str(error)[:200]
        raise Fail("config-malformed", f"'{where}': {found}", File=where, Expected="TOML", Found=found) from None


def wrong(where: str, held: bytes) -> list[Finding]:
    """A finding for each thing that is wrong with these bytes, in their order."""
    try:
        found = [_fail(where, held, problem).finding for problem in problems(parsed(where, held))]
    except Fail as fail:
        return [fail.finding]
    return found


def check_named(where: str, document: Document) -> list[Finding]:
    """Findings about what valid settings name: a policy or a list of logs that is not there, a library that another could change."""
    made = []
    policy = document.get("defaults", {}).get("policy")
    if policy is not None and not os.path.exists(absolute(where, policy)):
        made.append(finding("policy-unreadable", f"defaults.policy: there is no policy '{absolute(where, policy)}'"))
    logs = document.get("svalinn", {}).get("logs")
    if logs is not None and not os.path.exists(absolute(where, logs)):
        made.append(finding("file-unreadable", f"svalinn.logs: there is no '{absolute(where, logs)}'"))
    library = document.get("crypto", {}).get("liboqs")
    if library is not None:
        try:
            if not owned.check_directory(os.path.dirname(library)) or owned.read(library, 0) is None:
                raise Fail("file-unreadable", f"crypto.liboqs: there is no '{library}'", File=library)
        except Fail as fail:
            made.append(fail.finding)
    return made


def absolute(where: str, value: str) -> str:
    """The path that a setting of the file `where` means."""
    if value.startswith("~/"):
        value = os.path.join(places.user_dir(os.environ), value[2:])
    return os.path.join(os.path.dirname(where), value)


def _fail(where: str, held: bytes, problem: Problem) -> Fail:
    line = _line(held.decode("utf-8"), problem.key)
    place = f"'{where}'" + (f", line {line}" if line else "")
    return Fail(
        "config-malformed",
        f"{place}: {problem}",
        File=where,
        Line=line,
        Key=problem.key,
        Expected=problem.expected,
        Found=problem.found,
    )


def _line(text: str, key: str) -> int | None:
    """The line of a key or a section as people write them; None if no line is plainly it, or several are."""
    section, dot, _ = key.partition(".")
    found, inside = [], ""
    for number, line in enumerate(map(str.strip, text.split("\n")), 1):
        if line.startswith("["):
            inside = line.partition("#")[0].strip("[]\"' \t")
            if not dot and inside == section:
                found.append(number)
            continue
        said = line.partition("=")[0].strip("\"' \t")
        if (f"{inside}.{said}" if inside else said) == key or (dot and not inside and said == section):
            found.append(number)
    return found[0] if len(found) == 1 else None
