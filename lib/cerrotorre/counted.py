"""Which signatures count under a policy (spec/policy.adoc, "Counted signatures").

A signature here is what ct-check wrote of a bundle signature: key_id and fingerprint as the store has them, suite_id, signed_at,
trusted, and where they exist expires (the signature's), key_expires and rotated_into (the key's), and existed_by, a proved upper
bound of when it was made. Pure: now is an argument.
"""

from cerrotorre import times
from cerrotorre.glob import matches
from cerrotorre.policyread import SUITES
from cerrotorre.reference import match_registry
from cerrotorre.typed import Any

Signature = dict[str, Any]
Policy = dict[str, Any]
# (slug of the finding, the rule, what exactly)
Reason = tuple[str, str, str]

DAY = 86400
# Tolerated where no policy says: what `time.clock_skew_tolerance_seconds` is worth when absent.
SKEW = 300


def bundle_signatures(signatures: Any) -> list[Signature]:
    """The complete bundle signatures by keys of the store. What is not complete is nobody's signature here.

    "An SBOM or provenance statement is never a signature on the bundle."
    """
    entries = signatures if isinstance(signatures, list) else []
    return [
        entry for entry in entries if isinstance(entry, dict) and entry.get("kind") == "bundle-signature" and _complete(entry)
    ]


def statements(signatures: Any) -> list[Signature]:
    """The genuine statements about the image by keys of the store; one that no signature of its key lists has no time."""
    entries = signatures if isinstance(signatures, list) else []
    return [entry for entry in entries if isinstance(entry, dict) and entry.get("kind") == "attestation" and _genuine(entry)]


def _complete(signature: Signature) -> bool:
    return "signed_at" in signature and _genuine(signature)


def _genuine(signature: Signature) -> bool:
    if signature.get("status") != "valid" or not times.is_time(signature.get("signed_at", "1970-01-01T00:00:00Z")):
        return False
    if not all(isinstance(signature.get(name), str) for name in ("key_id", "fingerprint", "suite_id")):
        return False
    expires, key_expires, proved = (signature.get(name) for name in ("expires", "key_expires", "existed_by"))
    return all(time is None or times.is_time(time) for time in (expires, proved)) and (
        key_expires is None or _day_or_time(key_expires)
    )


def _day_or_time(text: Any) -> bool:
    return times.is_time(text) or (isinstance(text, str) and times.is_time(text + "T00:00:00Z"))


def entry_matches(entry: dict[str, Any], signature: Signature) -> bool:
    """Whether an entry of `allowed` names this key: "`key_id` (glob) and `fingerprint` both given means both must match"."""
    if "fingerprint" in entry and entry["fingerprint"] != signature["fingerprint"]:
        return False
    return "key_id" not in entry or matches(entry["key_id"], signature["key_id"])


def entry_admits(entry: dict[str, Any], signature: Signature, source: str | None) -> bool:
    """Whether an entry names this key for this source: "and, if the entry has `sources`, for this `source`"."""
    if not entry_matches(entry, signature):
        return False
    return "sources" not in entry or any(match_registry(pattern, source) for pattern in entry["sources"])


def denies(entry: dict[str, Any], signature: Signature, accept_claimed: bool) -> bool | None:
    """Whether an entry of `denied` refuses this signature; None if it does not name its key.

    Where the fingerprint is given it decides alone: it is the key, the id only what this store calls it, and a key that was given
    another name stays denied.
    """
    if "fingerprint" in entry:
        if entry["fingerprint"] != signature["fingerprint"]:
            return None
    elif not matches(entry["key_id"], signature["key_id"]):
        return None
    after, before = entry.get("after"), entry.get("before")
    if is_empty_window(after, before):
        # An error of whoever wrote it, and an error denies.
        return True
    claimed, proved, made = signature.get("signed_at"), signature.get("existed_by"), made_by(signature)
    # "Whoever stole the key can backdate `signed_at`, so only *proved* time excuses a signature; with `accept_claimed: true` the
    # claim does too." A day is over with its last second.
    by_then = after and ((proved and proved[:10] <= after) or (accept_claimed and claimed and claimed[:10] <= after))
    # "`before: D` denies what was made before D by its own claim, and proof of existing earlier can only confirm that." What makes
    # no claim does not say that it was made later. "Both: the window." "Without dates: always."
    later = before and claimed and made and made[:10] >= before
    return not by_then and not later


def is_empty_window(after: str | None, before: str | None) -> bool:
    """Whether no time lies after the end of one day and before the other."""
    return bool(after and before) and times.epoch(before or "") - times.epoch(after or "") <= DAY


def made_by(signature: Signature) -> str | None:
    """The latest time at which it can have been made: what it claims or what is proved, whichever is earlier. None without both.

    A claim that is later than the proof is false, and freshness is not to be had by claiming it.
    """
    known = [signature[name] for name in ("signed_at", "existed_by") if signature.get(name)]
    return min(known) if known else None


def denials(signature: Signature, policy: Policy) -> list[tuple[bool, str, str]]:
    """(whether it denies the signature, the rule, why) of each entry of `denied` that names its key, up to the first that does."""
    found: list[tuple[bool, str, str]] = []
    accept_claimed = policy.get("time", {}).get("accept_claimed", False)
    for number, entry in enumerate(policy.get("signers", {}).get("denied", ())):
        denied = denies(entry, signature, accept_claimed)
        if denied is not None:
            found.append((denied, f"signers.denied[{number}]", _said(entry, signature, denied, accept_claimed)))
        if denied:
            break
    return found


def _said(entry: dict[str, Any], signature: Signature, denied: bool, accept_claimed: bool) -> str:
    after, before = entry.get("after"), entry.get("before")
    days = " and".join(f" {name} {entry[name]}" for name in ("after", "before") if name in entry)
    said = f"{signature['key_id']} is denied{days}" + (f" ({entry['reason']})" if "reason" in entry else "")
    if not days:
        return said
    if is_empty_window(after, before):
        return f"{said}; no time lies between, so all are denied"
    claimed, proved = signature.get("signed_at"), signature.get("existed_by")
    said += f"; {_dated(signature)}"
    if denied and after and not accept_claimed and claimed and claimed[:10] <= after:
        return f"{said}; nothing proves that it existed by then"
    if not denied and after and not (proved and proved[:10] <= after) and claimed and claimed[:10] <= after:
        return f"{said}; time.accept_claimed believes that"
    return said


def _dated(signature: Signature) -> str:
    what = "its statement" if signature.get("kind") == "attestation" else "its signature"
    claimed, proved = signature.get("signed_at"), signature.get("existed_by")
    known = f"{what} says {claimed}" if claimed else f"{what} does not say when it was made"
    return f"{known} and is proved to have existed by {proved}" if proved else known


def who(signature: Signature, policy: Policy, source: str | None) -> Reason | None:
    """Why the signer does not count, whatever suite and time: not trusted, denied or not allowed. None if it does."""
    key = signature["key_id"]
    # "A key in `known/` matches no policy glob, not even `*`."
    if signature.get("trusted") is not True:
        return ("signer-untrusted", "signers", f"{key} is known by name only: its key is neither in keys/ nor in trusted/")
    rules = policy.get("signers", {})
    # "`denied` beats `allowed`."
    for denied, rule, why in denials(signature, policy):
        if denied:
            return ("signer-denied", rule, why)
    allowed = rules.get("allowed")
    if allowed is None or any(entry_admits(entry, signature, source) for entry in allowed):
        return None
    if any(entry_matches(entry, signature) for entry in allowed):
        return (
            "signer-untrusted",
            "signers.allowed",
            f"{key} is allowed for other sources, not for {source or 'a local source'}",
        )
    # "`default_action: allow` lets an unlisted *trusted* signer […] pass"; "an empty `allowed: []` allows none".
    if allowed and policy.get("default_action") == "allow":
        return None
    return ("signer-untrusted", "signers.allowed", f"no entry of signers.allowed admits {key}")


def when(signature: Signature, policy: Policy, name: str, now: str) -> list[Reason]:
    """Why suite or time keep the signature from counting; empty if they do not."""
    reasons = _suites(signature, policy)
    key, signed, made = signature["key_id"], signature["signed_at"], made_by(signature) or ""
    now_epoch = times.epoch(now)
    reasons += _expired(signature, signed)
    expires = signature.get("expires")
    if expires is not None and now_epoch > times.epoch(expires):
        reasons.append(("signature-expired", "signature.expires", f"the signature of {key} expired {expires}"))
    # What must be young is as old as what is proved says, whatever later time it claims.
    dated = f"{key} signed {signed}" if made == signed else f"{key} signed {signed}, but its signature existed by {made}"
    # A signature "made after" a day was made after the end of it, here as in `denied`.
    minimum = policy.get("minimum", {})
    for entry in names(minimum, name):
        after = minimum[entry]["signed_after"]
        if made[:10] <= after:
            reasons.append(("minimum-not-met", f"minimum.{entry}", f"{dated}; {name} must be signed after {after}"))
    limits = policy.get("time", {})
    # "each signature older than that is not counted"
    if "max_age_days" in limits and now_epoch - times.epoch(made) > limits["max_age_days"] * DAY:
        detail = f"{dated}, more than {int(limits['max_age_days'])} days before {now}"
        reasons.append(("signature-too-old", "time.max_age_days", detail))
    # "A `signed_at` beyond the skew in the future is not counted."
    skew = int(limits.get("clock_skew_tolerance_seconds", SKEW))
    if times.epoch(signed) - now_epoch > skew:
        detail = f"{key} signed {signed}, more than {skew} seconds after {now}"
        reasons.append(("signature-in-future", "time.clock_skew_tolerance_seconds", detail))
    return reasons


def about(statement: Signature, policy: Policy, source: str | None, now: str) -> str | None:
    """Why a genuine statement about the image does not count, for its signer; None if it does."""
    reason = who(statement, policy, source)
    reasons = (
        [reason]
        if reason
        else [*_suites(statement, policy), *_expired(statement, statement.get("signed_at") or made_by(statement) or now)]
    )
    return reasons[0][2] if reasons else None


def _suites(signature: Signature, policy: Policy) -> list[Reason]:
    reasons: list[Reason] = []
    key, suite, suites = signature["key_id"], signature["suite_id"], policy.get("suites", {})
    if "allowed" in suites and suite not in suites["allowed"]:
        allowed = ", ".join(suites["allowed"]) or "none"
        reasons.append(("suite-not-allowed", "suites.allowed", f"{key} signed with {suite}; allowed: {allowed}"))
    # "`suites.minimum` ranks 01 < 04 < 03 < 06 < 02."
    if "minimum" in suites and (suite not in SUITES or SUITES.index(suite) < SUITES.index(suites["minimum"])):
        reasons.append(("suite-not-allowed", "suites.minimum", f"{key} signed with {suite}, below {suites['minimum']}"))
    return reasons


def _expired(signature: Signature, signed: str) -> list[Reason]:
    # "Expiry of a key is not compromise: a signature whose claimed time is before it counts." A day lasts to its last second.
    expires = signature.get("key_expires")
    if expires is not None and times.epoch(signed) > times.epoch(expires, end_of_day=True):
        return [("key-expired", "key.expires", f"the key of {signature['key_id']} expired {expires}; {_dated(signature)}")]
    return []


def names(rules: dict[str, Any], *wanted: str) -> list[str]:
    """The keys of `pin` or `minimum` that are one of these names: "a trailing `.ctp` in the key is dropped"."""
    entries = [key for key, entry in rules.items() if isinstance(entry, dict)]
    return [key for key in entries if key in wanted or key.removesuffix(".ctp") in wanted]


def signers(signatures: list[Signature], everyone: list[Signature]) -> list[list[str]]:
    """The ids of each signer's keys: "a key and the key it was rotated into counting once". `everyone` tells ids and rotations."""
    fingerprints = {entry["key_id"]: entry["fingerprint"] for entry in everyone}
    into = {entry["fingerprint"]: entry["rotated_into"] for entry in everyone if entry.get("rotated_into")}

    def last(fingerprint: str) -> str:
        seen = []
        while fingerprint not in seen:
            seen.append(fingerprint)
            if fingerprint not in into:
                return fingerprint
            fingerprint = fingerprints.get(into[fingerprint], into[fingerprint])
        # Keys rotated in a circle are one.
        return min(seen[seen.index(fingerprint) :])

    found: dict[str, list[str]] = {}
    for entry in signatures:
        keys = found.setdefault(last(entry["fingerprint"]), [])
        keys += [entry["key_id"]][: entry["key_id"] not in keys]
    return list(found.values())
