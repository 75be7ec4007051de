"""The signer rules, and the suite and time rules that keep signatures from counting (spec/policy.adoc, "Signers" to "Time")."""

from cerrotorre import counted
from cerrotorre.case import Case, source_of
from cerrotorre.counted import Policy, Reason, Signature
from cerrotorre.glob import matches
from cerrotorre.reference import match_registry
from cerrotorre.typed import Any

# The sections and members that bear on single signatures, beside `minimum`.
_LIMITS = (("suites", "allowed"), ("suites", "minimum"), ("time", "max_age_days"), ("time", "clock_skew_tolerance_seconds"))


def judge(case: Case) -> None:
    """Judge the signers, and say in `case.counted` whose signatures count."""
    source = source_of(case.manifest)
    refused = [(signature, counted.who(signature, case.policy, source)) for signature in case.signatures]
    # "3 if the signers would fail even with suite and time rules lifted, else 4 (the same for time)": so the signers are judged
    # twice, by `lifted`, whom only those rules could still keep from counting, and by those who count.
    lifted = [signature for signature, reason in refused if reason is None]
    late = {id(entry): counted.when(entry, case.policy, case.manifest["name"], case.now) for entry in lifted}
    case.counted = [signature for signature in lifted if not late[id(signature)]]
    # The rules that hold for `lifted` and not for those who count: suite or time is to blame.
    blamed = _admitted(case, refused, lifted)
    _denied(case, refused, bool(lifted))
    blamed = _required(case, lifted, source) or blamed
    blamed = _threshold(case, lifted) or blamed
    _late(case, [(entry, reason) for entry in lifted for reason in late[id(entry)]], blamed)


def _admitted(case: Case, refused: list[tuple[Signature, Reason | None]], lifted: list[Signature]) -> bool:
    """At least one counted signature "is needed under every policy"."""
    rule = "signers.allowed" if "allowed" in case.policy.get("signers", {}) else "signers"
    for entry in case.counted:
        pattern = _admitting(case.policy, entry, source_of(case.manifest))
        listed = "not listed, and default_action is allow" if rule != "signers" else "in keys/ or trusted/"
        by = f"admitted by {pattern}" if pattern else listed
        case.rule(rule, True, f"{entry['key_id']} signed, and is {by}", pattern)
    if lifted:
        for _, reason in refused:
            if reason and reason[0] == "signer-untrusted":
                case.rule(reason[1], True, f"{reason[2]}; its signature is not counted, and does no harm")
        if not case.counted:
            case.rule(rule, False, f"no signature counts: that of {ids(lifted)} does not, for its suite or its time")
        return not case.counted
    if not refused:
        claims = {f"Claimed_{name}": _claimed(case, f"claimed_{name}") for name in ("key_id", "fingerprint")}
        case.refuse("signer-unknown", "no signature on the bundle is by a key in your store", rule, **claims)
    for signature, reason in refused:
        if reason and reason[0] == "signer-untrusted":
            case.refuse(reason[0], reason[2], reason[1], **_of(signature))
            if reason[1] == "signers":
                # The key lies in known/: it is the store that does not trust it, and no policy can.
                case.findings[-1]["try"] = ["ct explain FILE --signers", "ct key trust SIGNER"]
    return False


def _claimed(case: Case, name: str) -> str | None:
    """What unknown signatures say of their keys. Nothing proves it."""
    unknown = [entry for entry in case.statements if isinstance(entry, dict) and entry.get("kind") == "bundle-signature"]
    return ", ".join(str(entry[name]) for entry in unknown if name in entry) or None


def _admitting(policy: Policy, signature: Signature, source: str | None) -> str | None:
    for entry in policy.get("signers", {}).get("allowed", ()):
        if counted.entry_admits(entry, signature, source):
            return str(entry.get("key_id", entry.get("fingerprint")))
    return None


def _denied(case: Case, refused: list[tuple[Signature, Reason | None]], others: bool) -> None:
    """A denied signer's signature does not count; it fails the bundle where nobody else's could."""
    trusted = [signature for signature, reason in refused if not reason or reason[1] != "signers"]
    named = [(signature, one) for signature in trusted for one in counted.denials(signature, case.policy)]
    for signature, (denied, rule, why) in named:
        if denied and not others:
            case.refuse("signer-denied", why, rule, **_of(signature), **_dated(signature))
        else:
            case.rule(rule, True, f"{why}; its signature is not counted" if denied else f"{why}, so it is not denied")
    if trusted and not named and "denied" in case.policy.get("signers", {}):
        case.rule("signers.denied", True, f"no entry denies {ids(trusted)}")


def _required(case: Case, lifted: list[Signature], source: str | None) -> bool:
    """ "some counted signature must match this entry; every required entry must be satisfied" """
    blamed = False
    for number, entry in enumerate(case.policy.get("signers", {}).get("allowed", ())):
        if not entry.get("required"):
            continue
        rule, label = f"signers.allowed[{number}].required", str(entry.get("key_id", entry.get("fingerprint")))
        if by := [signature["key_id"] for signature in case.counted if counted.entry_admits(entry, signature, source)]:
            case.rule(rule, True, f"{by[0]} signed, as {label} must", label)
        elif any(counted.entry_admits(entry, signature, source) for signature in lifted):
            case.rule(rule, False, f"no signature of {label} counts, for its suite or its time")
            blamed = True
        else:
            why = f"no counted signature by {label}, which the policy requires"
            if "sources" in entry and not any(match_registry(pattern, source) for pattern in entry["sources"]):
                why += f", and which counts only for {', '.join(entry['sources'])}, not for {source or 'a local source'}"
            case.refuse(
                "signer-required", why, rule, Required=label, Fingerprint=entry.get("fingerprint"), Signed_by=ids(case.counted)
            )
    return blamed


def _threshold(case: Case, lifted: list[Signature]) -> bool:
    rules = case.policy.get("signers", {})
    if "threshold" not in rules:
        return False
    needed = int(rules["threshold"])
    globs = rules.get("threshold_from")
    # "With `threshold_from` only keys matching those globs count."
    by = counted.signers(among(case.counted, globs), case.signatures)
    count = len(by)
    of = f" among {' or '.join(globs)}" if globs else ""
    why = f"{needed} signer{'' if needed == 1 else 's'} needed{of}, {count} counted"
    if count >= needed:
        case.rule("signers.threshold", True, why)
        return False
    if len(counted.signers(among(lifted, globs), case.signatures)) >= needed:
        case.rule("signers.threshold", False, f"{why}: others do not count, for their suite or time")
        return True
    for keys in by:
        if len(keys) > 1:
            why += f"; {' and '.join(keys)} are one signer, by rotation"
    if aside := [entry for entry in case.counted if entry not in among([entry], globs)]:
        why += f"; {ids(aside)} signed, and the threshold does not count that"
    why += f"; also allowed: {others}" if (others := _others(case, globs)) else ""
    case.refuse("threshold", why, "signers.threshold", Expected=needed, Actual=count, Signed_by=ids(case.counted))
    return False


def _others(case: Case, globs: list[str] | None) -> str:
    """Who else could sign now, and count for the threshold, as the policy names them. The store is not asked."""
    names = []
    for entry in case.policy.get("signers", {}).get("allowed", [{"key_id": glob} for glob in globs or ()]):
        name = str(entry.get("key_id", entry.get("fingerprint")))
        exact = not {"*", "?"} & set(name)
        new = {"key_id": name, "fingerprint": entry.get("fingerprint", ""), "signed_at": case.now}
        if exact and (
            any(counted.entry_matches(entry, signature) or signature.get("rotated_into") == name for signature in case.counted)
            or ("key_id" in entry and not among([new], globs))
            or any(denied for denied, _, _ in counted.denials(new, case.policy))
        ):
            continue
        if "sources" not in entry or any(match_registry(glob, source_of(case.manifest)) for glob in entry["sources"]):
            names.append(name)
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(dict.fromkeys(names[:8])) + more


def among(signatures: list[Signature], globs: list[str] | None) -> list[Signature]:
    """The signatures by keys that one of the globs matches; all of them where there are no globs."""
    return [entry for entry in signatures if globs is None or any(matches(glob, entry["key_id"]) for glob in globs)]


def _late(case: Case, reasons: list[tuple[Signature, Reason]], blamed: bool) -> None:
    """The suite and time rules: a finding each where a signer rule fails for them alone, else a line that says what they did."""
    kept = [rule for _, (_, rule, _) in reasons]
    limits = [(f"{section}.{name}", case.policy.get(section, {}).get(name)) for section, name in _LIMITS]
    minimum = case.policy.get("minimum", {})
    limits += [(f"minimum.{name}", minimum[name]["signed_after"]) for name in counted.names(minimum, case.manifest["name"])]
    for rule, limit in limits if case.counted else ():
        if limit is not None and rule not in kept:
            suites = ", ".join(sorted({entry["suite_id"] for entry in case.counted})) if rule.startswith("suites.") else None
            case.rule(rule, True, f"{ids(case.counted)} signed {_held(rule, limit, suites, case.now)}", suites)
    for entry in case.counted:
        # Nobody's policy, but the signer's and the store's.
        if entry.get("expires"):
            case.rule("signature.expires", True, f"the signature of {entry['key_id']} counts until {entry['expires']}")
        if entry.get("key_expires"):
            signed, expires = entry["signed_at"], entry["key_expires"]
            case.rule("key.expires", True, f"{entry['key_id']} signed {signed}, and its key expires {expires}")
    for signature, (slug, rule, why) in reasons:
        if blamed:
            case.refuse(slug, why, rule, **_of(signature), Suite=signature["suite_id"], **_dated(signature), Now=case.now)
        else:
            case.rule(rule, True, f"{why}; not counted, and not needed")


def _held(rule: str, limit: Any, suites: str | None, now: str) -> str:
    if suites:
        return f"with {suites}" + (f", not below {limit}" if rule == "suites.minimum" else "")
    if rule.startswith("minimum."):
        return f"after {limit}"
    unit, side = ("day", "before") if rule == "time.max_age_days" else ("second", "after")
    return f"at most {int(limit)} {unit}{'' if limit == 1 else 's'} {side} {now}"


def _dated(signature: Signature) -> dict[str, str | None]:
    return {"Signed_at": signature.get("signed_at"), "Existed_by": signature.get("existed_by")}


def _of(signature: Signature) -> dict[str, str]:
    return {"Signer": signature["key_id"], "Fingerprint": signature["fingerprint"]}


def ids(signatures: list[Signature]) -> str:
    """The signers' ids as one text."""
    return ", ".join(dict.fromkeys(entry["key_id"] for entry in signatures)) or "nobody who counts"
