"""Which policies apply, and where they lie (spec/policy.adoc, "Files"): the user's, and always the host's as well."""

import os
from collections.abc import Mapping

from cerrotorre import config, owned, places, policyread
from cerrotorre.errors import Fail
from cerrotorre.policyread import MAX_POLICY, Policy
from cerrotorre.typed import Any


def load(
    option: str | None, env: Mapping[str, str] | None = None, settings: dict[str, Any] | None = None
) -> list[tuple[str, Policy]]:
    """[(name, policy)] of all policies that apply, the user's first; empty if there is none.

    `option` is --policy; `settings` are config.read's, read only if they are asked for and not given. Raises Fail policy-unreadable,
    policy-malformed, store-unsafe, and what config.read raises.
    """
    return [(name, policyread.read(held, name)) for name, _, held in files(option, env, settings)]


def files(
    option: str | None, env: Mapping[str, str] | None = None, settings: dict[str, Any] | None = None
) -> list[tuple[str, str, bytes]]:
    """[(name, absolute path, bytes)] of the same, not parsed. Raises Fail as `load` does, but for policy-malformed."""
    path, name, named = chosen(option, env, settings)
    host = os.path.join(places.host_dir(), "policy.json")
    found = [(name, path, _held(path, name, named=named, guarded=is_guarded(path, env)))]
    found.append((host, host, _held(host, host, named=False, guarded=True)))
    return [(name, os.path.abspath(path), held) for name, path, held in found if held is not None]


def chosen(
    option: str | None, env: Mapping[str, str] | None = None, settings: dict[str, Any] | None = None
) -> tuple[str, str, bool]:
    """(path, name to show, whether somebody named it) of the user's policy: --policy, else $CT_POLICY, else `[defaults] policy`,
    else policy.json in the user's directory."""
    env = os.environ if env is None else env
    # An empty name is a mistake of whoever named it (--policy "$unset"), and never means "no policy".
    for given in (option, env.get("CT_POLICY")):
        if given is not None:
            return given, given, True
    configured = (config.read(env) if settings is None else settings).get("defaults", {}).get("policy")
    if configured is not None:
        return configured, configured, True
    return os.path.join(places.home_dir(env), "policy.json"), "policy.json", False


def _held(path: str, name: str, *, named: bool, guarded: bool) -> bytes | None:
    """The bytes of one file; None only if there is "no such file" and nobody named it."""
    found = _bytes(path, name, guarded=guarded)
    if found is None and named:
        raise Fail("policy-unreadable", f"there is no policy '{path}'", Policy=name)
    return found


def data(path: str) -> bytes:
    """The bytes of a policy that must be there. Raises Fail policy-unreadable, store-unsafe."""
    found = _bytes(path, path, guarded=is_guarded(path))
    if found is None:
        raise Fail("policy-unreadable", f"there is no policy '{path}'", Policy=path)
    return found


def _bytes(path: str, name: str, *, guarded: bool) -> bytes | None:
    try:
        # A directory that is missing holds no policy; one that others can write to holds nobody's.
        if guarded and not owned.check_directory(os.path.dirname(path) or "."):
            return None
        return owned.read(path, MAX_POLICY, guarded=guarded)
    except Fail as fail:
        if fail.finding["finding"] == "store-unsafe":
            raise
        raise Fail("policy-unreadable", str(fail), Policy=name) from None
    except ValueError as error:
        # A name with a NUL in it.
        raise Fail("policy-unreadable", f"{name!r}: {error}", Policy=name) from None


def is_guarded(path: str, env: Mapping[str, str] | None = None) -> bool:
    """Whether the file lies where the store lies. What was named elsewhere is the business of whoever named it."""
    return os.path.dirname(os.path.abspath(path)) in (places.home_dir(env), places.host_dir())
