"""URLs that registries give: plain http or https, and where a Location or a Link beside one leads. Nothing said of one repeats it."""

import re

from cerrotorre.errors import Fail

_URL = re.compile(r"[\x21-\x7e]{1,8192}")


def split(url: str) -> tuple[str, str]:
    """(scheme, host with any port) of an absolute URL, its host as references spell it. Raises Fail network."""
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    try:
        parsed = parse_url(url)
    except (LocationParseError, UnicodeError):
        raise Fail("network", "what was given as a URL is none") from None
    # RFC 3986 §3.2.1: `user@` misleads readers, and would be sent as credentials.
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.auth or not _URL.fullmatch(url):
        raise Fail("network", "what was given as a URL is not plain http or https")
    usual = {"http": 80, "https": 443}[parsed.scheme]
    return parsed.scheme, parsed.host if parsed.port in (None, usual) else f"{parsed.host}:{parsed.port}"


def resolve(base: str, location: str) -> str:
    """The absolute URL of a Location or Link beside the URL that gave it."""
    scheme, host = split(base)
    if location.startswith("//"):
        return f"{scheme}:{location}"
    if location.startswith("/"):
        return f"{scheme}://{host}{location}"
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", location):
        return location
    path = base.split("://", 1)[1].partition("?")[0]
    return f"{scheme}://{path}{location}" if location.startswith("?") else f"{scheme}://{path.rpartition('/')[0]}/{location}"


def quoted(text: str) -> str:
    """Percent-encoded for a query (RFC 3986 §2.3)."""
    return "".join(chr(byte) if chr(byte) in _UNRESERVED else f"%{byte:02X}" for byte in text.encode())


def names(query: str) -> list[str]:
    """The names of a query's members, in lower case, however they are written: some take `;` for `&`."""
    members = (part.partition("=")[0] for part in re.split("[&;]", query))
    return [re.sub("%([0-9A-Fa-f]{2})", lambda code: chr(int(code[1], 16)), name).lower() for name in members]


def with_query(url: str, **members: str) -> str:
    """A URL with these members added to what its query says."""
    more = "&".join(f"{name}={quoted(value)}" for name, value in members.items())
    return f"{url}{'&' if '?' in url else '?'}{more}"


_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
