"""Credentials for registries, where container tools keep them (containers-auth.json(5), Docker's config.json).

They are looked up for one repository, given to one registry, and shown to nobody.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping

from cerrotorre import jsonic, owned
from cerrotorre.errors import Fail
from cerrotorre.reference import DOCKER
from cerrotorre.typed import Any

MAX_FILE = 1 << 20
MAX_SECRET = 64 << 10
HELPER_SECONDS = 30

# Docker's own spelling of its registry in these files.
_DOCKER_KEY = "https://index.docker.io/v1/"
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# What goes into a header; anything else there could end the line.
TOKEN = re.compile(r"[\x21-\x7e]{1,65536}")

# {"user": str, "password": str}, {"identity": str}, a token to get tokens with, or {"bearer": str}
Credentials = dict[str, str]


def find(host: str, path: str, env: Mapping[str, str] | None = None) -> Credentials | None:
    """The credentials for host/path, from the first file that has any. Raises Fail network for a file that cannot be read."""
    env = os.environ if env is None else env
    for where in files(env):
        try:
            value = read(where)
            found = None if value is None else _of_file(value, host, path, env)
        except ValueError as error:
            raise _unreadable(where, error) from None
        if found:
            return found
    return None


def read(where: str) -> dict[str, Any] | None:
    """What a credentials file says, None if it is not there. Raises Fail network if it is malformed, and as owned.read does."""
    data = owned.read(where, MAX_FILE, guarded=False)
    if data is None:
        return None
    try:
        value = jsonic.parse(data, MAX_FILE)
    except ValueError as error:
        raise _unreadable(where, error) from None
    if not isinstance(value, dict):
        raise _unreadable(where, "not an object")
    made: dict[str, Any] = value
    return made


def _unreadable(where: str, error: object) -> Fail:
    # json's own messages name positions, never contents; jsonic's may quote a key, and a key is no secret.
    return Fail("network", f"the credentials in '{where}' cannot be read: {str(error)[:200]}", File=where)


def files(env: Mapping[str, str]) -> list[str]:
    """Where the credentials may lie, in order. A file that the environment names is the only one."""
    if named := env.get("REGISTRY_AUTH_FILE"):
        return [os.path.abspath(named)]
    run, config = env.get("XDG_RUNTIME_DIR", ""), env.get("XDG_CONFIG_HOME", "")
    # Where root's podman closed /run/containers to others, they cannot have put anything there.
    usual = f"/run/containers/{os.geteuid()}"
    found = [f"{run}/containers/auth.json"] if os.path.isabs(run) else [f"{usual}/auth.json"] if os.path.isdir(usual) else []
    home = env.get("HOME", "")
    if os.path.isabs(config) or os.path.isabs(home):
        found.append(os.path.join(config if os.path.isabs(config) else f"{home}/.config", "containers/auth.json"))
    docker = env.get("DOCKER_CONFIG") or (f"{home}/.docker" if os.path.isabs(home) else "")
    return found + ([os.path.join(docker, "config.json")] if os.path.isabs(docker) else [])


def _of_file(value: dict[str, Any], host: str, path: str, env: Mapping[str, str]) -> Credentials | None:
    helpers, auths = value.get("credHelpers", {}), value.get("auths", {})
    if not isinstance(helpers, dict) or not isinstance(auths, dict):
        raise ValueError("`auths` or `credHelpers` is not an object")
    for name in _names(host):
        if name in helpers:
            return _ask(helpers[name], name, env)
    for key in _keys(host, path):
        entry = auths.get(key)
        if isinstance(entry, dict) and (found := _entry(entry)):
            return found
    if store := value.get("credsStore"):
        for name in _names(host):
            if found := _ask(store, name, env):
                return found
    return None


def _names(host: str) -> list[str]:
    return [host] if host != DOCKER else [DOCKER, _DOCKER_KEY, "index.docker.io"]


def _keys(host: str, path: str) -> Iterator[str]:
    """The keys that may hold the credentials, the most specific first: host/namespace/repository … host, then Docker's old ones."""
    parts = path.split("/")
    for count in range(len(parts), -1, -1):
        yield "/".join([host, *parts[:count]])
    for name in _names(host):
        yield name
        for scheme in ("https://", "http://"):
            yield from (f"{scheme}{name}{end}" for end in ("", "/", "/v1/", "/v2/"))


def _entry(entry: dict[str, Any]) -> Credentials | None:
    from binascii import Error, a2b_base64

    for member, kind in (("registrytoken", "bearer"), ("identitytoken", "identity")):
        if entry.get(member):
            return {kind: _token(entry[member])}
    user, password = entry.get("username"), entry.get("password")
    if entry.get("auth"):
        try:
            user, colon, password = a2b_base64(str(entry["auth"]).encode("ascii")).decode("utf-8").rstrip("\0").partition(":")
        except (Error, UnicodeError):
            colon = ""
        if not colon:
            raise ValueError("an `auth` is not base64 of user:password")
    if not isinstance(user, str) or not isinstance(password, str) or not user:
        return None
    return {"user": user, "password": password}


def _token(value: Any) -> str:
    if not isinstance(value, str) or not TOKEN.fullmatch(value):
        raise ValueError("a token is not printable ASCII")
    return value


def _ask(helper: Any, name: str, env: Mapping[str, str]) -> Credentials | None:
    """What docker-credential-HELPER says; None if it knows nothing. Raises ValueError."""
    if not isinstance(helper, str) or not _HELPER.fullmatch(helper):
        raise ValueError("a credential helper's name is not one")
    program = f"docker-credential-{helper}"
    try:
        made = subprocess.run(
            [program, "get"],
            input=name.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=HELPER_SECONDS,
            env=dict(env),
            check=False,
        )
    except FileNotFoundError:
        raise ValueError(f"{program} is not installed") from None
    except (OSError, subprocess.TimeoutExpired):
        raise ValueError(f"{program} cannot be run, or did not end") from None
    if made.returncode:
        # The protocol's one way to say that there are none (docker-credential-helpers, credentials/error.go).
        if b"credentials not found" in made.stdout[:MAX_SECRET]:
            return None
        raise ValueError(f"{program} failed")
    try:
        said = jsonic.parse(made.stdout, MAX_SECRET)
    except ValueError:
        said = None
    user, secret = (said.get("Username"), said.get("Secret")) if isinstance(said, dict) else (None, None)
    if not isinstance(user, str) or not isinstance(secret, str):
        raise ValueError(f"{program} gave no user name and secret")
    return {"identity": _token(secret)} if user == "<token>" else {"user": user, "password": secret} if user else None
