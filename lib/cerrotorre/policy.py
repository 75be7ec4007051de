"""Judge a bundle by trust policies: every rule, in the order spec/policy.adoc gives, each with the reason it passed or failed.

Pure: what the store said of the signatures is in the record, now is an argument. All policies given must pass.
"""

from cerrotorre import counted, errors, expect, predicate, reference, signers
from cerrotorre.case import Case, source_of
from cerrotorre.counted import Policy
from cerrotorre.errors import Fail
from cerrotorre.glob import matches
from cerrotorre.typed import Any

CHECKS = ("trust", "policy", "attestations")


def judge(policies: list[tuple[str, Policy]], record: dict[str, Any], now: str, expected: str | None = None) -> dict[str, Any]:
    """{"policies": [name], "rules": [{rule, status, why, policy, matched?}], "counted": [key id], "findings": [finding], "passed": {check: bool}}.

    The record has manifest, manifest_digest and signatures (spec/records.adoc); `now` is YYYY-MM-DDTHH:MM:SSZ. Without a policy
    the keys in keys/ and trusted/ count. Raises Fail reference if `expected` is neither a name nor a reference.
    """
    cases = [Case(name, policy, record, now) for name, policy in policies or [("", {})]]
    for case in cases:
        signers.judge(case)
        _registries(case)
        _base_images(case)
        _pins(case)
        if case is cases[-1] and expected is not None:
            _expected(case, expected)
        _attestations(case)
    findings = [made for check in CHECKS for case in cases for made in case.findings if made["check"] == check]
    return {
        "policies": [name for name, _ in policies],
        "rules": [line for case in cases for line in case.rules],
        "counted": list(dict.fromkeys(one["key_id"] for one in cases[0].counted if all(one in case.counted for case in cases))),
        "findings": findings,
        "passed": {check: not any(made["check"] == check for made in findings) for check in CHECKS},
    }


# -- where it comes from -----------------------------------------------------------------------------------------------------


def _registries(case: Case) -> None:
    rules = case.policy.get("registries", {})
    source = source_of(case.manifest)
    provenance = case.manifest.get("provenance", {})
    claimed = provenance.get("source", "")
    context = {"Source": claimed, "Registry": provenance.get("registry")}
    if source is None and "registry" in provenance:
        # No program of ours writes this, and no pattern can say which of the two it is about.
        why = f"the source that the manifest claims, {claimed}, is no full reference to this image at {provenance['registry']}"
        case.refuse("registry-not-allowed", why, "registries", **context)
        return
    said = source or f"the local source {claimed}"
    if "blocked" in rules:
        # "`blocked` beats `allowed`."
        for pattern in rules["blocked"]:
            if reference.match_registry(pattern, source, blocked=True):
                case.refuse(
                    "registry-blocked", f"{said} is blocked by {pattern}", "registries.blocked", **context, Pattern=pattern
                )
                return
        case.rule("registries.blocked", True, f"no pattern blocks {said}")
    if "allowed" in rules:
        pattern = next((pattern for pattern in rules["allowed"] if reference.match_registry(pattern, source)), None)
        if pattern is not None:
            case.rule("registries.allowed", True, f"{said} is admitted by {pattern}", pattern)
        elif rules["allowed"] and case.policy.get("default_action") == "allow":
            case.rule("registries.allowed", True, f"{said} is not listed, and default_action is allow")
        else:
            why = f"no pattern of registries.allowed admits {said}"
            case.refuse(
                "registry-not-allowed", why, "registries.allowed", **context, Allowed=", ".join(rules["allowed"]) or "none"
            )


def _base_images(case: Case) -> None:
    if "allowed" not in case.policy.get("base_images", {}):
        return
    allowed = case.policy["base_images"]["allowed"]
    claimed = case.manifest.get("metadata", {}).get("base_name", "")
    try:
        base = reference.normalise(claimed)
    except Fail:
        # "`base_images` with an unknown base is a rejection."
        why = f"the base image {claimed!r} is no reference" if claimed else "the image does not say what it is based on"
        case.refuse("base-image-not-allowed", why, "base_images.allowed", Base=claimed or None)
        return
    pattern = next((pattern for pattern in allowed if reference.match_registry(pattern, base)), None)
    if pattern is not None:
        case.rule("base_images.allowed", True, f"{base} is admitted by {pattern}", pattern)
    else:
        why = f"no pattern of base_images.allowed admits {base}"
        case.refuse("base-image-not-allowed", why, "base_images.allowed", Base=base, Allowed=", ".join(allowed) or "none")


# -- which bundle it is ------------------------------------------------------------------------------------------------------


def _pins(case: Case) -> None:
    manifest, pins = case.manifest, case.policy.get("pin", {})
    wanted = {manifest["name"], f"{manifest['name']}:{manifest['version']}", manifest.get("provenance", {}).get("source", "")}
    if (source := source_of(manifest)) is not None:
        # A source in a key is a reference, so it is normalised too; what does not begin with a host is a name.
        wanted |= {key for key in pins if reference.is_host(key.partition("/")[0]) and "/" in key and _spelled(key) == source}
    named = counted.names(pins, *wanted)
    # Every pin that names the bundle must hold.
    for key in named:
        _pin(case, f"pin.{key}", pins[key])
    unpinned, why = case.policy.get("unpinned"), f"no pin names {manifest['name']}:{manifest['version']}"
    if named and unpinned == "deny":
        case.rule("unpinned", True, f"the bundle is pinned by {', '.join(named)}")
    elif unpinned == "deny":
        case.refuse("unpinned", why, "unpinned", Name=manifest["name"])
    elif not named and any(isinstance(pin, dict) for pin in pins.values()):
        case.rule("unpinned", True, f"{why}, and unpinned is allow")


def _spelled(key: str) -> str | None:
    try:
        return reference.normalise(key.removesuffix(".ctp"))
    except Fail:
        return None


def _pin(case: Case, rule: str, pin: dict[str, Any]) -> None:
    # "`digest` is the image or the manifest digest".
    image, digest = case.manifest["image_digest"], pin.get("digest")
    if digest in (image, case.manifest_digest):
        case.rule(f"{rule}.digest", True, f"{'the image' if digest == image else 'the manifest'} is {digest}")
    elif digest is not None:
        context = {"Expected": digest, "Actual": image, "Manifest": case.manifest_digest}
        case.refuse("pin-mismatch", f"neither the image nor the manifest is {digest}", f"{rule}.digest", **context)
    # "`signers` must all have counted signatures".
    for glob in pin.get("signers", ()):
        if by := signers.among(case.counted, [glob]):
            case.rule(f"{rule}.signers", True, f"{by[0]['key_id']} signed", glob)
        else:
            why = f"no counted signature by {glob}, to whom the name is pinned"
            case.refuse("pin-signer-missing", why, f"{rule}.signers", Expected=glob, Actual=signers.ids(case.counted))


def _expected(case: Case, expected: str) -> None:
    manifest = case.manifest
    actual = f"{manifest['name']}:{manifest['version']}"
    if expect.met(expected, manifest):
        case.rule("expect", True, f"{actual} is what {expected} asks for")
        return
    source = manifest.get("provenance", {}).get("source")
    spelled = expect.spelled(expected)
    why = f"this is {actual}{', image ' + manifest['image_digest'] if '@' in spelled else ''}, not {spelled}"
    context = {"Expected": spelled, "Actual": actual, "Source": source, "Image": manifest["image_digest"]}
    hint = f"a mirror under another name: --expect {manifest['name']}" if "/" in expected or "@" in expected else None
    case.rule("expect", False, why)
    # The expectation is the caller's, no policy's.
    case.findings.append(errors.finding("not-expected", why, **context, Hint=hint))


# -- what is said about it ---------------------------------------------------------------------------------------------------


def _attestations(case: Case) -> None:
    """ "`true` means by any allowed signer, `{"from":[globs],"builders":[…]}` narrows; the predicate must be schema-valid." """
    for kind, wanted in case.policy.get("require_attestations", {}).items():
        if wanted is False or isinstance(wanted, str):
            continue
        narrowed = wanted if isinstance(wanted, dict) else {}
        rule = f"require_attestations.{kind}"
        found = [_weighed(case, entry, narrowed) for entry in counted.statements(case.statements) if _is(kind, entry)]
        good = next(((entry, matched) for entry, reason, matched in found if reason is None), None)
        if good is not None:
            entry, matched = good
            case.rule(rule, True, f"{predicate.said(kind, entry['about'])}, signed by {entry['key_id']}", matched)
            continue
        label = {"sbom": "an SBOM", "transparency_log": "inclusion in a transparency log"}.get(kind, kind)
        reasons = [str(reason) for _, reason, _ in found]
        if any(isinstance(entry, dict) and entry.get("status") == "unknown" and _is(kind, entry) for entry in case.statements):
            reasons.append("no key of your store made one that is there")
        why = f"the policy requires {label}, and {'none counts: ' + '; '.join(reasons[:5]) if reasons else 'there is none'}"
        if kind == "transparency_log":
            why = f"the policy requires {label}, and this version reads none"
        context = {"Required": kind, "From": _list(narrowed.get("from")), "Builders": _list(narrowed.get("builders"))}
        case.refuse("attestation-missing", why, rule, **context, Found="; ".join(reasons[:5]) or None)


def _is(kind: str, entry: counted.Signature) -> bool:
    return entry.get("kind") == "attestation" and entry.get("predicate_type") in predicate.TYPES.get(kind, ())


def _weighed(
    case: Case, entry: counted.Signature, narrowed: dict[str, Any]
) -> tuple[counted.Signature, str | None, str | None]:
    """(the statement, why it does not count or None, the globs that admit it)."""
    if reason := counted.about(entry, case.policy, source_of(case.manifest), case.now):
        return entry, reason, None
    if entry.get("schema") != "valid":
        return (
            entry,
            f"that of {entry['key_id']} is not valid by its schema: {entry.get('schema_error', 'nothing said so')}",
            None,
        )
    named = {"from": entry["key_id"], "builders": entry["about"].get("builder", "")}
    matched = []
    for member, globs in narrowed.items():
        if member not in named:
            continue
        glob = next((glob for glob in globs if matches(glob, named[member])), None)
        if glob is None:
            what = "is not by one of" if member == "from" else f"names the builder {named[member]}, not one of"
            return entry, f"that of {entry['key_id']} {what} {', '.join(globs)}", None
        matched.append(glob)
    return entry, None, ", ".join(matched) or None


def _list(items: list[str] | None) -> str | None:
    return ", ".join(items) if items else None
