"""References to images in registries: parsed strictly, spelled one way, and matched by patterns (spec/policy.adoc).

`nginx` is `docker.io/library/nginx:latest`. The grammar is that of the distribution project (reference/regexp.go) with what is
merely tolerated there refused or spelled one way: a host in upper case, a trailing dot, `:443`, a port with a leading zero.
"""

import re

from cerrotorre.errors import Fail
from cerrotorre.glob import matches
from cerrotorre.typed import Any

Reference = dict[str, Any]

DOCKER = "docker.io"
MAX_NAME = 255  # distribution: NameTotalLengthMax, host and path together
_ALIASES = frozenset({"index.docker.io", "registry-1.docker.io"})

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HOST = re.compile(rf"({_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:]+\])\.?(?::([1-9][0-9]{{0,4}}))?")
# host[:port] of a pattern, where either may have globs.
_PATTERN_HOST = re.compile(r"(\[[^\]]*\]|[^:]*?)\.?(?::([0-9*?]+))?")


def parse(text: str) -> Reference:
    """{"host", "path", "tag", "digest"}: host with its port, None for no tag or digest; a bare name gets the tag `latest`.

    Raises Fail reference.
    """
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise _bad(text, "an empty reference" if not text else "a reference is printable ASCII without spaces")
    if "://" in text:
        raise _bad(text, "a reference has no scheme", text.partition("://")[2])
    name, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _bad(text, f"{digest!r} is not a sha256 digest (nor may a host carry a user name)")
    host, rest = _split(name)
    # A colon after the last slash begins the tag.
    head, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise _bad(text, f"{tag!r} is not a tag")
    path = head + slash + last
    lower = path.lower()
    if path != lower:
        begin = len(name) - len(rest)
        instead = text[:begin] + lower + text[begin + len(path) :]
        raise _bad(text, "a repository is in lower case", instead if _PATH.fullmatch(lower) else None)
    host = DOCKER if host is None else _host(text, host)
    if host == DOCKER and "/" not in path:
        path = "library/" + path
    if not _PATH.fullmatch(path):
        raise _bad(text, f"{path.removeprefix('library/')!r} is not a repository")
    if len(host) + 1 + len(path) > MAX_NAME:
        raise _bad(text, f"a repository with its host has at most {MAX_NAME} characters")
    return {"host": host, "path": path, "tag": tag if colon else None if at else "latest", "digest": digest if at else None}


def spell(reference: Reference) -> str:
    """The one full spelling of what `parse` gave: host/path[:tag][@digest]."""
    tag, digest = reference["tag"], reference["digest"]
    return f"{reference['host']}/{reference['path']}{':' + tag if tag else ''}{'@' + digest if digest else ''}"


def normalise(text: str) -> str:
    """The one full spelling of a reference. Raises Fail reference."""
    return spell(parse(text))


def is_host(component: str) -> bool:
    """Whether the first component of a reference is a host: it has a dot or a colon, or is `localhost` (Docker's rule)."""
    return "." in component or ":" in component or component == "localhost"


def _split(name: str) -> tuple[str | None, str]:
    """(host, path) of a name; host None where none is written."""
    first, slash, rest = name.partition("/")
    return (first, rest) if slash and is_host(first) else (None, name)


def _host(text: str, host: str) -> str:
    match = _HOST.fullmatch(host.lower())
    if not match or len(match[1]) > 253 or int(match[2] or 1) > 65535:
        raise _bad(text, f"{host!r} is not a host, or host and port")
    name, port = match[1], match[2]
    if name.startswith("["):
        name = _ipv6(text, name)
    if name in _ALIASES and port in (None, "443"):
        return DOCKER
    return name if port in (None, "443") else f"{name}:{port}"


def _ipv6(text: str, name: str) -> str:
    # Rare, so imported here. RFC 5952 spelling; an IPv4 address in disguise would have two spellings.
    from ipaddress import AddressValueError, IPv6Address

    try:
        address = IPv6Address(name[1:-1])
    except AddressValueError:
        raise _bad(text, f"{name!r} is not an IPv6 address") from None
    if address.ipv4_mapped is not None:
        raise _bad(text, f"{name!r} is an IPv4 address", text.replace(name, str(address.ipv4_mapped)))
    return f"[{address.compressed}]"


def _bad(text: str, detail: str, instead: str | None = None) -> Fail:
    return Fail("reference", detail, Reference=text, Instead=instead)


def match_registry(pattern: str, source: str | None, *, blocked: bool = False) -> bool:
    """Whether a registry pattern of a policy matches a normalised reference (or, None or without `/`, a local source).

    `blocked` reads the pattern as broadly as it can be meant, since there a pattern that misses lets something in; otherwise as
    narrowly. "A source without registry matches only `local` and `*`."
    """
    try:
        reference = parse(source) if source and "/" in source else None
    except Fail:
        # A local source may hold a slash in its tag; what is no registry reference is matched as local.
        reference = None
    if reference is None:
        return pattern in ("local", "*")
    # "`*.d` in `blocked` also matches `d`."
    patterns = [pattern, pattern[2:]] if blocked and pattern.startswith("*.") else [pattern]
    return any(_match(candidate, reference, blocked) for candidate in patterns)


def _match(pattern: str, reference: Reference, blocked: bool) -> bool:
    head, slash, rest = pattern.partition("/")
    name, named = _pattern_host(head)
    host, port = split_port(reference["host"])
    if not slash:
        # "A pattern without `/` matches the host, whatever port unless it names one." `local` is never a host.
        return pattern != "local" and matches(name, host) and (named is None or matches(named, port or "443"))
    if not (is_host(head) or "*" in head or "?" in head):
        # References are normalised, so patterns are: `library/nginx:*` names docker.io as the reference would.
        name, named, rest = DOCKER, None, pattern
    if name == DOCKER and named in (None, "443") and not set("/*?") & set(re.split("[:@]", rest, maxsplit=1)[0]):
        rest = "library/" + rest
    head = name if named in (None, "443") else f"{name}:{named}"
    full = spell(reference)
    if blocked:
        # A tag or digest more in the reference than in the pattern does not lead past a block.
        spellings = [
            spell({**reference, **less}) for less in ({}, {"digest": None}, {"tag": None}, {"tag": None, "digest": None})
        ]
        if port is None:
            spellings += [f"{host}:443{spelling[len(host) :]}" for spelling in spellings]
        return any(matches(f"{head}/{rest}", spelling) for spelling in spellings)
    if not head.strip("*"):
        return matches(f"{head}/{rest}", full)
    # `*` crosses `/`, so that `*.corp.example/*` would match `evil.example/x.corp.example/y`: a host that is written must match
    # the host, and the rest the rest, unless the pattern leaves the host open altogether.
    at = matches(head, reference["host"]) or (named is not None and matches(name, host) and matches(named, port or "443"))
    return at and matches(rest, full[len(reference["host"]) + 1 :])


def _pattern_host(head: str) -> tuple[str, str | None]:
    """(host, port or None) of a pattern, spelled as `_host` spells a reference's."""
    name, port = head.lower(), None
    if match := _PATTERN_HOST.fullmatch(name):
        name, port = match[1], match[2]
    if "*" in name or "?" in name:
        return name, port
    try:
        return _host(head, name), port
    except Fail:
        # Not a host, so it matches none.
        return name, port


def split_port(host: str) -> tuple[str, str | None]:
    """(name, port or None) of a normalised host."""
    name, colon, port = host.rpartition(":")
    return (name, port) if colon and not host.endswith("]") else (host, None)
