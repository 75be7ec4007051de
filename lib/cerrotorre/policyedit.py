"""Changes of a policy file: a starter, one signer or registry more. Comments, members and their order stay."""

import json
import os
import re

from cerrotorre import keychange, policycheck, policyfile, policyread
from cerrotorre.errors import Fail
from cerrotorre.policyread import Policy
from cerrotorre.typed import Any

Key = dict[str, Any]


def render(policy: Policy) -> bytes:
    """The policy as its file is written: two spaces of indentation, members in their order, a final newline."""
    return (json.dumps(policy, ensure_ascii=False, indent=2) + "\n").encode()


def starter(keys: list[Key], registries: list[str], threshold: int = 1) -> Policy:
    """A policy that allows these keys, by id and fingerprint, and these registries (any, if none)."""
    signers: dict[str, Any] = {"allowed": [_entry(key) for key in keys]}
    if threshold > 1:
        signers["threshold"] = threshold
    policy: Policy = {"version": "1", "default_action": "deny", "signers": signers}
    if registries:
        policy["registries"] = {"allowed": registries}
    return policy


def load(path: str) -> Policy:
    """The policy to change, read strictly. Raises Fail policy-unreadable if it is not there, policy-malformed, store-unsafe."""
    policy = policyfile.load_one(path, path, named=True, guarded=policyfile.is_guarded(path))
    return policy or {}


def save(path: str, policy: Policy, *, replace: bool) -> None:
    """Write the whole file or nothing. Raises Fail policy-exists unless `replace`, policy-malformed, file-unwritable."""
    data = render(policy)
    policyread.read(data, path)
    # A link goes on pointing to what it points to.
    where = os.path.realpath(path)
    if not replace and os.path.lexists(path):
        raise Fail("policy-exists", f"there is a '{path}' already", Policy=path)
    keychange.make_directory(os.path.dirname(where))
    try:
        keychange.write_file(where, data, 0o644, replace=replace)
    except Fail as fail:
        if fail.finding["finding"] != "key-exists":
            raise
        raise Fail("policy-exists", f"there is a '{path}' already", Policy=path) from None


def add_signer(policy: Policy, key: Key, *, required: bool) -> list[str]:
    """Allow a trusted key by id and fingerprint. Returns what was done, in words. Raises Fail key-not-found."""
    if not key["trusted"]:
        # "A key in `known/` matches no policy glob": the entry would do nothing.
        raise Fail("key-not-found", f"{key['key_id']} is not trusted, only known by name", Try=f"ct key trust {key['key_id']}")
    signers = policy.setdefault("signers", {})
    said = [] if "allowed" in signers else ["From now on only the signers that the policy lists are allowed."]
    allowed = signers.setdefault("allowed", [])
    entry = _entry(key)
    for there in allowed:
        if {name: there.get(name) for name in entry} == entry and "sources" not in there:
            if not required or there.get("required"):
                return [f"{key['key_id']} is allowed already."]
            there["required"] = True
            return [f"{key['key_id']} is now required."]
    allowed.append({**entry, "required": True} if required else entry)
    return [f"Allowed signer {key['key_id']}  {key['fingerprint']}", *said]


def add_registry(policy: Policy, pattern: str) -> list[str]:
    """Allow a registry pattern. Returns what was done, in words, and what is likely not meant."""
    registries = policy.setdefault("registries", {})
    said = [] if "allowed" in registries else ["From now on only the registries that the policy lists are allowed."]
    allowed = registries.setdefault("allowed", [])
    if pattern in allowed:
        return [f"{pattern} is allowed already."]
    allowed.append(pattern)
    return [f"Allowed registry {pattern}", *said, *(f"warning: {doubt}" for doubt in policycheck.doubts(pattern))]


def bad_patterns(patterns: list[str]) -> list[str]:
    """Those that a policy's `registries` cannot hold."""
    return [pattern for pattern in patterns if not re.fullmatch(policyread.REGISTRY_GLOB[0], pattern)]


def _entry(key: Key) -> dict[str, Any]:
    return {"key_id": key["key_id"], "fingerprint": key["fingerprint"]}
