"""Rules of a policy that cannot do what they seem to: entries that nothing reaches, keys that cannot count, days that refuse all.

The rest of what `ct policy check` warns of is in `policycheck`. Pure; now is an argument.
"""

from collections.abc import Iterator

from cerrotorre import jsonic, times
from cerrotorre.counted import denies, entry_matches, is_empty_window
from cerrotorre.glob import matches
from cerrotorre.policyread import ANYWHERE, SUITES, Policy, pointer
from cerrotorre.typed import Any

# (JSON pointer, what is said of the place)
Remark = tuple[str, str]
Key = dict[str, Any]


def remarks(policy: Policy, trusted: list[Key], now: str) -> Iterator[Remark]:
    """What a valid policy says that has no effect, or refuses everything. `now` is a time, "" where none is known."""
    yield from _allowed(policy, trusted, now)
    yield from _threshold(policy)
    yield from _twice(policy)
    yield from _blocked(policy)
    yield from _pins(policy, trusted)
    yield from _days(policy, now)
    yield from _attested(policy, trusted)


def always_denied(policy: Policy, key: Key) -> bool:
    """Whether none of a key's signatures can count, whenever it was made."""
    for entry in policy.get("signers", {}).get("denied", ()):
        after, before = entry.get("after"), entry.get("before")
        if denies(entry, key, False) is not None and ((not after and not before) or is_empty_window(after, before)):
            return True
    return False


def able(policy: Policy, trusted: list[Key]) -> list[Key]:
    """Those keys whose signatures could count: allowed for some source, not denied always, of a suite that counts."""
    allowed = policy.get("signers", {}).get("allowed")
    anyone = allowed is None or (bool(allowed) and policy.get("default_action") == "allow")
    can = [key for key in trusted if anyone or any(entry_matches(entry, key) for entry in allowed or ())]
    return [key for key in can if not always_denied(policy, key) and _suite_counts(policy, key)]


def _suite_counts(policy: Policy, key: Key) -> bool:
    suites, suite = policy.get("suites", {}), key.get("suite_id")
    if suite is None:
        return True
    if "minimum" in suites and (suite not in SUITES or SUITES.index(suite) < SUITES.index(suites["minimum"])):
        return False
    return "allowed" not in suites or suite in suites["allowed"]


def _allowed(policy: Policy, trusted: list[Key], now: str) -> Iterator[Remark]:
    for number, entry in enumerate(policy.get("signers", {}).get("allowed", ())):
        at = f"/signers/allowed/{number}"
        meant = [key for key in trusted if entry_matches(entry, key)]
        refused = "; as it is required, every bundle is refused" if entry.get("required") else ""
        if meant and all(always_denied(policy, key) for key in meant):
            yield at, f"every key that it allows is always denied, so it allows none{refused}"
            continue
        if policy.get("suites") and meant and not any(_suite_counts(policy, key) for key in meant):
            yield at, f"every key that it allows is of a suite that does not count, so it allows none{refused}"
            continue
        for key in meant:
            expires = key.get("expires")
            if now and expires and times.epoch(now) > times.epoch(expires, end_of_day=True):
                yield at, f"{key['key_id']} expired {expires}; signatures dated later do not count"


def _threshold(policy: Policy) -> Iterator[Remark]:
    rules = policy.get("signers", {})
    required = sum(entry.get("required") is True for entry in rules.get("allowed", ()))
    if rules.get("threshold", 256) < required and "threshold_from" not in rules:
        yield (
            "/signers/threshold",
            f"{required} signers are required already, so a threshold of {int(rules['threshold'])} adds nothing",
        )


def _twice(policy: Policy) -> Iterator[Remark]:
    lists = [
        (("signers", member), policy.get("signers", {}).get(member, ())) for member in ("allowed", "denied", "threshold_from")
    ]
    lists += [(("registries", member), policy.get("registries", {}).get(member, ())) for member in ("allowed", "blocked")]
    lists += [(("suites", "allowed"), policy.get("suites", {}).get("allowed", ()))]
    lists += [(("base_images", "allowed"), policy.get("base_images", {}).get("allowed", ()))]
    for at, entries in lists:
        seen: dict[str, int] = {}
        for number, entry in enumerate(entries):
            bare = {name: one for name, one in entry.items() if name not in ANYWHERE} if isinstance(entry, dict) else entry
            first = seen.setdefault(jsonic.canonical(bare).decode(), number)
            if first != number:
                yield pointer((*at, number)), f"it says what entry {first} of the list says"


def _blocked(policy: Policy) -> Iterator[Remark]:
    rules = policy.get("registries", {})
    for number, pattern in enumerate(rules.get("blocked", ())):
        if not pattern.strip("*"):
            yield f"/registries/blocked/{number}", "it blocks every source: every bundle is refused"
    # Each is compared with each, and nobody wrote more by hand.
    for number, pattern in enumerate(rules.get("allowed", ())[:500]):
        host = pattern.partition("/")[0]
        for other in rules.get("blocked", ())[:500]:
            # A pattern without `/` is a host; what is below a host that is blocked is blocked.
            if other.strip("*") and (matches(other, pattern) or ("/" not in other and matches(other, host.partition(":")[0]))):
                yield f"/registries/allowed/{number}", f"'{pattern}' is never accepted, for '{other}' is blocked"
                break


def _pins(policy: Policy, trusted: list[Key]) -> Iterator[Remark]:
    pins = {name: entry for name, entry in policy.get("pin", {}).items() if name not in ANYWHERE}
    if policy.get("unpinned") == "deny" and not pins:
        yield "/unpinned", "nothing is pinned: every bundle is refused"
    can = able(policy, trusted)
    for name, entry in pins.items():
        for number, glob in enumerate(entry.get("signers", ())):
            if any(matches(glob, key["key_id"]) for key in can):
                continue
            there = any(matches(glob, key["key_id"]) for key in trusted)
            why = f"no signature by {glob} could count here" if there else f"no key in keys/ or trusted/ is {glob}"
            yield pointer(("pin", name, "signers", number)), f"{why}, so every bundle that the pin names is refused"


def _days(policy: Policy, now: str) -> Iterator[Remark]:
    if not now:
        return
    today = now[:10]
    for name, entry in policy.get("minimum", {}).items():
        if name not in ANYWHERE and entry["signed_after"] >= today:
            said = f"the day is not over: until then every bundle called {name} is refused"
            yield pointer(("minimum", name, "signed_after")), said
    for number, entry in enumerate(policy.get("signers", {}).get("denied", ())):
        if entry.get("after", "") >= today:
            yield f"/signers/denied/{number}/after", "the day is not over, so nothing that is dated so far is denied by it yet"


def _attested(policy: Policy, trusted: list[Key]) -> Iterator[Remark]:
    can = able(policy, trusted)
    for kind in ("provenance", "sbom"):
        narrowed = policy.get("require_attestations", {}).get(kind)
        for glob in narrowed.get("from", ()) if isinstance(narrowed, dict) else ():
            if any(matches(glob, key["key_id"]) for key in trusted) and not any(matches(glob, key["key_id"]) for key in can):
                # "`true` means by any allowed signer", and `from` narrows that.
                yield (
                    f"/require_attestations/{kind}/from",
                    f"no statement by {glob} could count, for its keys are not allowed signers",
                )
