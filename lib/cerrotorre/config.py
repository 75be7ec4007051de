"""config.toml, read strictly: an unknown or mistyped setting is an error, never one that silently does nothing."""

import os
import re
from collections.abc import Callable, Mapping

from cerrotorre import owned, places
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

MAX_CONFIG = 64 << 10
COLORS = ("auto", "always", "never")

_HOST_PATTERN = re.compile(r"[A-Za-z0-9*?._:\[\]-]{1,255}")


def path(env: Mapping[str, str] | None = None) -> str:
    """Where config.toml lies, there or not."""
    return os.path.join(places.home_dir(env), "config.toml")


def read(env: Mapping[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """{"defaults": {policy?, key?}, "output": {color?}, "registries": {insecure?, realms?}}, with what is set; all empty without a file.

    `defaults.policy` is absolute: `~/` is the home directory, and a relative path is relative to the file's directory.
    Raises Fail config-malformed (File, Key, Expected, Found), file-unreadable, not-a-file or store-unsafe.
    """
    settings: dict[str, dict[str, Any]] = {section: {} for section in _SETTINGS}
    where = path(env)
    data = _bytes(where)
    if data is None:
        return settings
    for section, members in _parsed(where, data).items():
        if section not in _SETTINGS:
            raise _bad(where, section, "one of " + ", ".join(_SETTINGS), "an unknown section")
        if not isinstance(members, dict):
            raise _bad(where, section, f"a section [{section}]", repr(members))
        for name, value in members.items():
            key = f"{section}.{name}"
            if name not in _SETTINGS[section]:
                raise _bad(where, key, "one of " + ", ".join(_SETTINGS[section]), "an unknown key")
            expected, holds = _SETTINGS[section][name]
            if not holds(value):
                raise _bad(where, key, expected, repr(value))
            settings[section][name] = value
    if "policy" in settings["defaults"]:
        settings["defaults"]["policy"] = _absolute(where, settings["defaults"]["policy"])
    return settings


def default_key(env: Mapping[str, str] | None = None) -> str | None:
    """The key that `[defaults] key` names, or None. Raises Fail as `read` does."""
    return read(env)["defaults"].get("key")


def _bytes(where: str) -> bytes | None:
    # It says which policy is trusted, so it is guarded as the key store is.
    return owned.read(where, MAX_CONFIG) if owned.check_directory(os.path.dirname(where)) else None


def _parsed(where: str, data: bytes) -> dict[str, Any]:
    if len(data) > MAX_CONFIG:
        raise _bad(where, "", f"at most {MAX_CONFIG} bytes", "more")
    # Only a file that is there costs its parser.
    import tomllib

    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _bad(where, "", "TOML", str(error)) from None


def _absolute(where: str, value: str) -> str:
    if value.startswith("~/"):
        value = os.path.join(os.path.expanduser("~"), value[2:])
    return os.path.join(os.path.dirname(where), value)


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and value != "" and "\0" not in value


def _is_key(value: Any) -> bool:
    # An id, or a path to a private key file.
    return isinstance(value, str) and 0 < len(value) <= 4096 and value.isprintable()


def _is_color(value: Any) -> bool:
    return isinstance(value, str) and value in COLORS


def _is_patterns(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and _HOST_PATTERN.fullmatch(item) for item in value)


# section: {key: (what it must be, whether it is)}
_SETTINGS: dict[str, dict[str, tuple[str, Callable[[Any], bool]]]] = {
    "defaults": {"policy": ("a path", _is_path), "key": ("a key id", _is_key)},
    "output": {"color": ("one of " + ", ".join(COLORS), _is_color)},
    "registries": {
        "insecure": ("an array of host patterns", _is_patterns),
        "realms": ("an array of host patterns", _is_patterns),
    },
}


def _bad(where: str, key: str, expected: str, found: str) -> Fail:
    detail = f"'{where}': {key + ': ' if key else ''}{found[:200]} instead of {expected}"
    return Fail("config-malformed", detail, File=where, Key=key or None, Expected=expected, Found=found[:200])
