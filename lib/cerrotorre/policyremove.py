"""Rules taken out of a policy: what goes, and what that lets in. Pure; each change is made as those of `policyedit` are.

A list `allowed` that becomes empty stays and allows none: taking a rule out never turns a refusal into "anything goes".
"""

from collections.abc import Callable

from cerrotorre import policysay
from cerrotorre.errors import Fail
from cerrotorre.glob import matches
from cerrotorre.policyread import ANYWHERE, Policy
from cerrotorre.text import closest, meant
from cerrotorre.typed import Any

KINDS = ("signer", "registry", "blocked", "denied", "pin", "threshold")


def remove(policy: Policy, kind: str, what: str | None) -> list[str]:
    """Take out a rule. Returns what that means. Raises Fail usage, rule-not-found."""
    if kind not in KINDS:
        raise Fail("usage", f"remove takes {policysay.listed(list(KINDS))}, not {kind[:40]!r}{meant(closest(kind, KINDS))}")
    if (what is None) != (kind == "threshold"):
        raise Fail("usage", f"remove {kind} takes {'nothing more' if kind == 'threshold' else 'the one that is meant'}")
    return _REMOVALS[kind](policy, what or "")


def _absent(what: str, where: str, present: list[str]) -> Fail:
    return Fail("rule-not-found", f"{where} has no {what[:200]!r}{meant(closest(what, present))}", Rule=where).proposing(
        "ct policy show"
    )


def _entries(policy: Policy, member: str, what: str) -> list[dict[str, Any]]:
    """Take out the entries of signers.allowed or signers.denied whose id, as it is spelled there, or fingerprint this is."""
    entries = policy.get("signers", {}).get(member, [])
    gone = [entry for entry in entries if what in (entry.get("key_id"), entry.get("fingerprint"))]
    if not gone:
        names = [str(entry[name]) for entry in entries for name in ("key_id", "fingerprint") if name in entry]
        raise _absent(what, f"signers.{member}", names)
    entries[:] = [entry for entry in entries if not any(entry is one for one in gone)]
    return gone


def _signer(policy: Policy, what: str) -> list[str]:
    said = []
    gone = _entries(policy, "allowed", what)
    left = policy["signers"]["allowed"]
    for entry in gone:
        only = f", for images from {policysay.listed(entry['sources'])}" if "sources" in entry else ""
        said.append(f"No longer allowed: {policysay.label(entry)}{only}.")
        if entry.get("required"):
            said.append(f"weaker: bundles need not be signed by {policysay.label(entry)} any more.")
    if not left:
        said.append("No signer is allowed now, so every bundle is refused.")
    elif policy.get("default_action") == "allow":
        if any("sources" in entry for entry in gone):
            # What was limited to its sources is not once no entry names it.
            why = "weaker: as default_action is allow, a trusted key that no entry names counts, for images from anywhere"
        else:
            why = "As default_action is allow, a trusted key that no entry names still counts"
        said.append(f"{why}: ct policy deny ID")
    key_id, fingerprint = gone[0].get("key_id"), gone[0].get("fingerprint")
    for entry in left:
        named = key_id is not None and matches(entry.get("key_id", "*"), key_id)
        if named and (fingerprint is None or entry.get("fingerprint", fingerprint) == fingerprint):
            said.append(f"It still counts, for another entry allows it: {policysay.label(entry)}.")
            break
    return said


def _denied(policy: Policy, what: str) -> list[str]:
    gone = _entries(policy, "denied", what)
    return [f"weaker: {policysay.label(entry)} is no longer denied, and counts wherever it is allowed." for entry in gone]


def _from_list(policy: Policy, member: str, what: str) -> list[str]:
    patterns: list[str] = policy.get("registries", {}).get(member, [])
    if what not in patterns:
        raise _absent(what, f"registries.{member}", patterns)
    patterns[:] = [pattern for pattern in patterns if pattern != what]
    return patterns


def _registry(policy: Policy, what: str) -> list[str]:
    left = _from_list(policy, "allowed", what)
    if not left:
        return [f"No longer allowed: {what}.", "No source of images is allowed now, so every bundle is refused."]
    if policy.get("default_action") == "allow":
        return [
            f"No longer listed: {what}.",
            "As default_action is allow, it is still accepted: ct policy block-registry PATTERN",
        ]
    wider = [pattern for pattern in left if matches(pattern, what)]
    return [f"No longer allowed: {what}." + (f" What {wider[0]} matches still is." if wider else "")]


def _blocked(policy: Policy, what: str) -> list[str]:
    left = _from_list(policy, "blocked", what)
    still = [pattern for pattern in left if matches(pattern, what)]
    if still:
        return [f"No longer blocked by itself: {what}. What {still[0]} matches still is."]
    where = "where registries.allowed admits them" if "allowed" in policy["registries"] else "for no list says otherwise"
    return [f"weaker: images from {what} are no longer blocked, and are accepted, {where}."]


def _pin(policy: Policy, what: str) -> list[str]:
    pins = policy.get("pin", {})
    if what not in pins or what in ANYWHERE:
        raise _absent(what, "pin", [name for name in pins if name not in ANYWHERE])
    del pins[what]
    if policy.get("unpinned") == "deny":
        also = [name for name in pins if name not in ANYWHERE and _overlap(name, what)]
        if also:
            return [f"weaker: {what} is no longer pinned; what {policysay.listed(also)} names as well is judged by that alone."]
        return [f"{what} is no longer pinned, and what no pin names is refused."]
    return [f"weaker: {what} is no longer pinned; any image of that name is judged by the other rules alone."]


def _overlap(one: str, other: str) -> bool:
    """Whether two pins can name the same bundle: a source comes with any name."""
    one, other = one.removesuffix(".ctp"), other.removesuffix(".ctp")
    if ("/" in one) != ("/" in other):
        return True
    (name, _, version), (its, _, another) = one.partition(":"), other.partition(":")
    return one == other or "/" in one or (name == its and not (version and another))


def _threshold(policy: Policy, _: str) -> list[str]:
    signers = policy.get("signers", {})
    if "threshold" not in signers:
        raise _absent("threshold", "signers", [])
    number = int(signers.pop("threshold"))
    # Without a threshold there is nothing that it could narrow.
    among = signers.pop("threshold_from", None)
    if number == 1 and among:
        return [f"weaker: one signature that counts is enough, where it had to be by {policysay.listed(among)}."]
    if number == 1:
        return ["No threshold is left; one signature that counts is needed, as before."]
    return [f"weaker: one signature that counts is enough, where {number} were needed."]


_REMOVALS: dict[str, Callable[[Policy, str], list[str]]] = {
    "signer": _signer,
    "denied": _denied,
    "registry": _registry,
    "blocked": _blocked,
    "pin": _pin,
    "threshold": _threshold,
}
