"""How a registry asks for credentials, and what it may ask for (RFC 9110 §11; distribution's token specification)."""

import re
from collections.abc import Mapping, Sequence

from cerrotorre import b64, jsonic
from cerrotorre.credentials import TOKEN, Credentials
from cerrotorre.errors import Fail
from cerrotorre.reference import DOCKER, split_port
from cerrotorre.transport import Transport
from cerrotorre.typed import Any
from cerrotorre.urls import names, split, with_query

MAX_ANSWER = 128 << 10
MAX_SECONDS = 1 << 31
DOCKER_REALM = "auth.docker.io"

_PARAMETER = re.compile(r'\s*,?\s*([A-Za-z0-9!#$%&\'*+.^_`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SCHEME = re.compile(r"\s*,?\s*([A-Za-z][A-Za-z0-9-]*)(?:\s+|(?=,)|$)")


def challenges(header: str) -> dict[str, dict[str, str]]:
    """{scheme: parameters}, names in lower case, of a WWW-Authenticate header; what cannot be read ends it."""
    found: dict[str, dict[str, str]] = {}
    position = 0
    while position < len(header) and (scheme := _SCHEME.match(header, position)):
        position = scheme.end()
        parameters: dict[str, str] = {}
        while match := _PARAMETER.match(header, position):
            parameters.setdefault(match[1].lower(), re.sub(r"\\(.)", r"\1", match[2]) if match[3] is None else match[3])
            position = match.end()
        found.setdefault(scheme[1].lower(), parameters)
    return found


def basic(credentials: Credentials) -> str:
    return "Basic " + b64.encode(f"{credentials['user']}:{credentials['password']}".encode())


def check_realm(realm: str, host: str, realms: list[str]) -> None:
    """Raise Fail network unless credentials for `host` may go to this realm: over TLS, and to the same host and port, or one
    that is allowed."""
    scheme, where = split(realm)
    name = split_port(where)[0]
    if scheme != "https":
        raise Fail("network", f"{host}: its token server {where} is without TLS", Registry=host, Realm=where)
    if where == host.removesuffix(":443") or (host == DOCKER and where == DOCKER_REALM):
        return
    if where not in realms and name not in realms:
        raise Fail(
            "network",
            f"{host}: its token server is on another host, {where}",
            Registry=host,
            Realm=where,
            Setting=f'[registries] realms = ["{where}"] in config.toml, if it is theirs',
        )


def token(
    transport: Transport,
    said: Mapping[str, str],
    host: str,
    path: str,
    realms: list[str],
    credentials: Credentials | None,
    scopes: Sequence[str] = (),
) -> str:
    """A token of the realm that the registry named: for these scopes, else to pull from host/path. Raises Fail network."""
    return granted(transport, said, host, realms, credentials, scopes or [f"repository:{path}:pull"])[0]


def granted(
    transport: Transport,
    said: Mapping[str, str],
    host: str,
    realms: list[str],
    credentials: Credentials | None,
    scopes: Sequence[str],
) -> tuple[str, float | None]:
    """(a token for these scopes, the seconds for which it is good, if that was said). Raises Fail network."""
    realm = said.get("realm", "")
    check_realm(realm, host, realms)
    realm, _, query = realm.partition("#")[0].partition("?")
    # What the registry puts there would be asked for beside what is asked for here, with the user's credentials.
    if {"scope", "service"}.intersection(names(query)):
        raise Fail("network", f"{host}: the URL of its token server asks for rights", Registry=host)
    realm += f"?{query}" if query else ""
    # What is asked for is ours to say, not the challenge's.
    service = said.get("service", "")
    headers: dict[str, str] = {}
    form = None
    if credentials and "identity" in credentials:
        form = {"grant_type": "refresh_token", "client_id": "cerro-torre", "refresh_token": credentials["identity"]}
        form |= {"service": service, "scope": " ".join(scopes)}
        url = realm
    else:
        if credentials:
            headers["Authorization"] = basic(credentials)
        url = with_query(realm, service=service)
        for scope in scopes:
            url = with_query(url, scope=scope)
    # A redirect of this would carry the credentials along, so none is followed.
    answer = transport.send(url, headers, MAX_ANSWER, form=form)
    where = split(realm)[1]
    if answer["status"] != 200:
        whose = "these credentials" if credentials else "a token without credentials"
        fail = Fail("network", f"{where} refuses {whose} ({answer['status']})", Registry=host, Realm=where)
        raise fail.proposing(f"skopeo login {host}") if answer["status"] in (400, 401, 403) else fail
    return _read(answer["body"], host, where)


def _read(body: bytes, host: str, where: str) -> tuple[str, float | None]:
    seconds = None
    try:
        value: Any = jsonic.parse(body, MAX_ANSWER)
        seconds = value.get("expires_in") if isinstance(value, dict) else None
        found = value.get("token") or value.get("access_token") if isinstance(value, dict) else None
    except jsonic.Malformed:
        found = None
    if not isinstance(found, str) or not TOKEN.fullmatch(found):
        raise Fail("network", f"{where} gave no token", Registry=host, Realm=where)
    return found, float(seconds) if type(seconds) is int and 0 < seconds < MAX_SECONDS else None
