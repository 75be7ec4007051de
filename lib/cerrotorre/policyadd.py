"""Rules put into a policy: what to add, and what that means. Each change is made as those of `policyedit` are."""

import re

from cerrotorre import policyedit, policyread, policysay
from cerrotorre.counted import is_empty_window
from cerrotorre.counted import signers as one_signer
from cerrotorre.errors import Fail
from cerrotorre.glob import matches
from cerrotorre.policyedit import Key
from cerrotorre.policyread import Policy
from cerrotorre.typed import Any


def add_registry(policy: Policy, pattern: str) -> list[str]:
    """Allow a registry pattern. Raises Fail usage."""
    policyedit.operand(pattern, policyread.REGISTRY_GLOB)
    registries = policy.setdefault("registries", {})
    first = "allowed" not in registries
    allowed = registries.setdefault("allowed", [])
    if pattern in allowed:
        return [f"{pattern} is allowed already."]
    allowed.append(pattern)
    if policy.get("default_action") == "allow":
        # An empty list allows none, whatever the default; one that is not empty lets in what it does not list.
        others = "s default_action is allow, other registries are accepted as well"
        opened = len(allowed) == 1 and not first
        return [f"Allowed registry {pattern}", f"weaker: a{others}, where none were." if opened else f"A{others}."]
    only = "From now on only the registries that the policy lists are allowed."
    return [
        f"Allowed registry {pattern}",
        only if first else f"weaker: images from {pattern} are accepted, where they were not.",
    ]


def block_registry(policy: Policy, pattern: str) -> list[str]:
    """Refuse what a registry pattern matches. Raises Fail usage."""
    policyedit.operand(pattern, policyread.REGISTRY_GLOB)
    blocked = policy.setdefault("registries", {}).setdefault("blocked", [])
    if pattern in blocked:
        return [f"{pattern} is blocked already."]
    blocked.append(pattern)
    also = f" ({pattern[2:]} itself as well)" if pattern.startswith("*.") and "/" not in pattern else ""
    return [f"Images from {pattern}{also} are refused from now on, whatever else allows them."]


def deny(policy: Policy, word: str, *, after: str | None, before: str | None, reason: str | None) -> list[str]:
    """Deny a key of the store by id and fingerprint, a key that is not in it by fingerprint, or a glob of ids.

    An id that no key has is a mistake: ids are the store's own. Raises Fail usage, key-not-found.
    """
    entry: dict[str, Any]
    if set("*?") & set(word):
        entry = {"key_id": policyedit.operand(word, policyread.KEY_GLOB)}
    else:
        try:
            entry = policyedit.entry_of(policyedit.key_of(word))
        except Fail as fail:
            if not re.fullmatch(policyread.FINGERPRINT[0], word):
                tries = ("ct key list -v", "ct policy deny FINGERPRINT")
                raise Fail(fail.finding["finding"], str(fail), **fail.finding["context"]).proposing(*tries) from None
            entry = {"fingerprint": word}
    for name, day in (("after", after), ("before", before)):
        if day is not None:
            entry[name] = policyedit.operand(day, policyread.DATE)
    if is_empty_window(after, before):
        raise Fail("usage", f"no time lies after {after} and before {before}")
    claimed = policy.get("time", {}).get("accept_claimed", False)
    denied = policy.setdefault("signers", {}).setdefault("denied", [])
    for there in denied:
        whose = [name for name in ("fingerprint", "key_id") if name in entry][:1]
        if all(there.get(name) == entry[name] for name in whose) and _days(there) in ({}, _days(entry)):
            return [f"That is denied already. {policysay.denial(there, claimed)}"]
    if reason is not None:
        entry["reason"] = reason
    denied.append(entry)
    return [policysay.denial(entry, claimed)]


def _days(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in ("after", "before") if name in entry}


def pin(policy: Policy, name: str, digest: str | None, signers: list[str]) -> list[str]:
    """Pin a name to a digest, to signers, or both; what the pin said of the other stays. Raises Fail usage."""
    policyedit.operand(name, policyread.PIN_KEY)
    if name in policyread.ANYWHERE:
        raise Fail("usage", f"a bundle called {name} is pinned as {name}.ctp, for {name} is a text here")
    if digest is None and not signers:
        raise Fail("usage", "a pin needs a digest, or --signer")
    wanted: dict[str, Any] = {} if digest is None else {"digest": policyedit.operand(digest, policyread.DIGEST)}
    if signers:
        wanted["signers"] = [policyedit.operand(glob, policyread.KEY_GLOB) for glob in signers]
    there = policy.setdefault("pin", {}).setdefault(name, {})
    was = dict(there)
    there |= wanted
    said = policysay.pinned(name, there)
    if was == there:
        return [f"That is pinned already. {said}"]
    changed = [
        f"{member} {_shown(was[member])} no longer" for member in wanted if member in was and was[member] != there[member]
    ]
    if not was and policy.get("unpinned") == "deny":
        return [said, f"weaker: {name.removesuffix('.ctp')} is accepted so, where it was refused for no pin named it."]
    return [said, *([f"weaker: it was pinned before: {policysay.listed(changed, 'and')}."] if changed else [])]


def _shown(value: Any) -> str:
    return policysay.listed(value, "and") if isinstance(value, list) else str(value)


def threshold(policy: Policy, number: str, globs: list[str], keys: list[Key]) -> list[str]:
    """How many keys must have signed, of those that the globs match (none: as before). `keys` are those that could. Raises Fail usage."""
    needed = policyedit.whole(number, 256)
    if needed is None:
        raise Fail("usage", f"{number[:40]!r} is not a number of signers, 1 to 256")
    signers = policy.setdefault("signers", {})
    was, was_from = signers.get("threshold"), signers.get("threshold_from")
    # A spelling such as 2.0 is the file's own.
    if was != needed:
        signers["threshold"] = needed
    if globs:
        signers["threshold_from"] = [policyedit.operand(glob, policyread.KEY_GLOB) for glob in globs]
    if (was, was_from) == (signers.get("threshold"), signers.get("threshold_from")):
        return [f"That is the threshold already. {policysay.threshold(signers)}"]
    among = signers.get("threshold_from", ["*"])
    # A key and the key it was rotated into are one signer.
    able = [key for key in keys if any(matches(glob, key["key_id"]) for glob in among)]
    can = [" or ".join(ids) for ids in one_signer(able, keys)]
    said = [policysay.threshold(signers)]
    if len(can) >= needed:
        every = f"{needed} of these {len(can)} {'keys' if len(can) == len(able) else 'signers'}" if len(can) > 1 else "This key"
        said.append(f"{every} must sign: {', '.join(can)}.")
    if was is not None and needed < was:
        said.append(f"weaker: {needed} instead of {int(was)} must have signed.")
    if was is not None and was_from != signers.get("threshold_from"):
        wider = was_from and not all(any(matches(one, glob) for one in was_from) for glob in among)
        before = (
            f"{'weaker: c' if wider else 'C'}ounted before: {policysay.listed(was_from) if was_from else 'every allowed key'}."
        )
        said.append(before)
    return said
