"""A public key from an https:// URL (spec/keys.adoc, "Importing"): TLS as for registries, bounded, never led away from it."""

from collections.abc import Mapping

from cerrotorre import keyfile, transport, urls
from cerrotorre.errors import Fail

MAX_REDIRECTS = 5
# Seconds: for one silence, and for all of an answer.
SILENCE, DEADLINE = 20.0, 60.0


def is_url(name: str) -> bool:
    """Whether this is a URL, of whatever scheme, and not a file's name."""
    return "://" in name


def host(url: str) -> str:
    """The host of a URL that was fetched, with any port: all that may be said of it."""
    return urls.split(url)[1]


def fetch(url: str, env: Mapping[str, str] | None = None) -> bytes:
    """What a URL gives, at most keyfile.LIMIT bytes. No credentials are sent. Raises Fail key-unreachable, usage.

    A URL may carry a secret, so that what is said of a failure names the host alone.
    """
    if not url.lower().startswith("https://"):
        raise Fail("usage", "a key is fetched by https:// alone, or read from a file")
    try:
        return _fetch("https" + url[5:], transport.Transport(env, SILENCE, DEADLINE))
    except Fail as fail:
        if fail.finding["finding"] != "network":
            raise
        raise Fail("key-unreachable", str(fail), Host=fail.finding["context"].get("Registry")) from None


def _fetch(url: str, connections: transport.Transport) -> bytes:
    for _ in range(MAX_REDIRECTS + 1):
        scheme, host = urls.split(url)
        if scheme != "https":
            raise Fail("network", f"it leads to {host} without TLS", Registry=host)
        answer = connections.send(url, {"Accept": "*/*"}, keyfile.LIMIT)
        if answer["status"] == 200:
            data: bytes = answer["body"]
            return data
        place = answer["headers"].get("location", "")
        if answer["status"] not in (301, 302, 303, 307, 308) or not place:
            raise Fail("network", f"{host} refuses ({answer['status']})", Registry=host)
        url = urls.resolve(url, place)
    raise Fail("network", f"{host} leads to another place more than {MAX_REDIRECTS} times", Registry=host)
