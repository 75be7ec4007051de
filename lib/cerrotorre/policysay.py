"""A policy in sentences, one for each rule, in the words of people who never read its language (spec/policy.adoc). Pure."""

from collections.abc import Iterator

from cerrotorre import jsonic
from cerrotorre.counted import is_empty_window
from cerrotorre.policyread import ANYWHERE, Policy
from cerrotorre.typed import Any

_TEXTS = {"comment": "Comment", "description": "Description", "$schema": "Schema, for editors"}


def sentences(policy: Policy) -> list[str]:
    """What the policy says, rule by rule; `policy` is valid."""
    made = [f"It is written in version {policy['version']} of the policy language."]
    made += _texts(policy, "")
    for name, value in policy.items():
        if name in _SECTIONS:
            made += _SECTIONS[name](value, policy)
        elif name not in ("version", *ANYWHERE):
            made.append(_as_it_is(name, value))
    if "allowed" not in policy.get("signers", {}):
        made.append("Any key in keys/ or trusted/ of the key store may sign.")
    if "allowed" not in policy.get("registries", {}):
        made.append("Images may come from anywhere" + (" else." if "blocked" in policy.get("registries", {}) else "."))
    return made


def label(entry: dict[str, Any]) -> str:
    """The keys that an entry of `allowed` or `denied` names: `alice (SHA256:…)`."""
    key_id, fingerprint = entry.get("key_id"), entry.get("fingerprint")
    if key_id is None:
        return f"the key {fingerprint}"
    name = f"any key whose id matches {key_id}" if set("*?") & set(key_id) else str(key_id)
    return f"{name} ({fingerprint})" if fingerprint else name


def listed(items: list[str], word: str = "or") -> str:
    """`a, b or c`."""
    return f" {word} ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def sources(patterns: list[str]) -> str:
    """The patterns of `registries`, of which `local` is no registry."""
    return listed([f"{pattern} (no registry)" if pattern == "local" else pattern for pattern in patterns])


def denial(entry: dict[str, Any], accept_claimed: bool) -> str:
    """What an entry of `denied` says; `accept_claimed` is the member of `time`."""
    whose = f"Signatures by {label(entry)}"
    after, before = entry.get("after"), entry.get("before")
    if is_empty_window(after, before):
        said = f"{whose} never count: no time lies after {after} and before {before}"
    elif after:
        window = f"made after {after}" + (f" and before {before}" if before else "")
        excuse = "" if accept_claimed else ", and an earlier date excuses one only where that time is proved"
        said = f"{whose} {window} do not count{excuse}"
    elif before:
        said = f"{whose} made before {before} do not count"
    else:
        said = f"{whose} never count"
    return said + (f" ({entry['reason']})." if entry.get("reason") else ".")


def _sentence(text: str) -> str:
    # An id keeps its spelling.
    return text[:1].upper() + text[1:] if text.startswith(("any key ", "the key ", "an ", "provenance ")) else text


def _as_it_is(where: str, value: Any) -> str:
    # A rule that has no words here is not passed over.
    return f"{where}: {jsonic.dump(value)}"


def _texts(value: dict[str, Any], where: str) -> list[str]:
    """The members that have no effect, of an object and of those in it that no section says."""
    at = f" on {where}" if where else ""
    return [f"{_TEXTS[name]}{at}: {value[name]}" for name in ANYWHERE if name in value]


def _others(value: dict[str, Any], where: str, *known: str) -> list[str]:
    made = [_as_it_is(f"{where}.{name}", one) for name, one in value.items() if name not in (*known, *ANYWHERE)]
    return _texts(value, where) + made


def _default_action(value: str, _: Policy) -> list[str]:
    if value == "allow":
        return ["A trusted signer, or a registry, that a list does not name is accepted as well, unless the list is empty."]
    return ["A signer or a registry that a list does not name is refused."]


def _signers(value: dict[str, Any], policy: Policy) -> Iterator[str]:
    allowed = value.get("allowed")
    if allowed == []:
        yield "Nobody may sign: every bundle is refused."
    for number, entry in enumerate(allowed or ()):
        where = f", for images from {sources(entry['sources'])} only" if "sources" in entry else ""
        yield _sentence(f"{label(entry)} may sign{where}{_must(entry)}.")
        yield from _others(entry, f"signers.allowed[{number}]", "key_id", "fingerprint", "sources", "required")
    for number, entry in enumerate(value.get("denied", ())):
        yield denial(entry, policy.get("time", {}).get("accept_claimed", False))
        yield from _others(entry, f"signers.denied[{number}]", "key_id", "fingerprint", "after", "before", "reason")
    if "threshold" in value:
        yield threshold(value)
    yield from _others(value, "signers", "allowed", "denied", "threshold", "threshold_from")


def _must(entry: dict[str, Any]) -> str:
    if "required" not in entry:
        return ""
    if not entry["required"]:
        return ", and need not have"
    several = set("*?") & set(entry.get("key_id", "")) and "fingerprint" not in entry
    return f", and {'one of these ' if several else ''}must have signed every bundle"


def threshold(signers: dict[str, Any]) -> str:
    """What `threshold` and `threshold_from` of the section say."""
    number = int(signers["threshold"])
    among = f", counting only keys whose ids match {listed(signers['threshold_from'])}" if "threshold_from" in signers else ""
    return f"At least {number} key{' must have' if number == 1 else 's, all different, must have'} signed{among}."


def _registries(value: dict[str, Any], policy: Policy) -> Iterator[str]:
    allowed = value.get("allowed")
    if allowed == []:
        yield "No source of images is allowed: every bundle is refused."
    elif allowed and policy.get("default_action") == "allow":
        yield f"Images may come from {sources(allowed)}, and, as default_action is allow, from anywhere else."
    elif allowed:
        yield f"Images must come from {sources(allowed)}."
    if "blocked" in value:
        yield (
            f"Images from {sources(value['blocked'])} are refused, whatever else allows them."
            if value["blocked"]
            else "No source of images is blocked."
        )
    yield from _others(value, "registries", "allowed", "blocked")


def _suites(value: dict[str, Any], _: Policy) -> Iterator[str]:
    if "allowed" in value:
        yield (
            f"Only signatures of {listed(value['allowed'])} count."
            if value["allowed"]
            else "No signature suite is allowed: every bundle is refused."
        )
    if "minimum" in value:
        yield f"Signatures of a suite that ranks below {value['minimum']} do not count."
    yield from _others(value, "suites", "allowed", "minimum")


def _base_images(value: dict[str, Any], _: Policy) -> Iterator[str]:
    if value["allowed"]:
        yield f"An image must say that it is based on {listed(value['allowed'])}; one that does not say is refused."
    else:
        yield "No base image is allowed: every bundle is refused."
    yield from _others(value, "base_images", "allowed")


def pinned(name: str, pin: dict[str, Any]) -> str:
    """What a pin says."""
    wants = [f"be the image or manifest {pin['digest']}"] if "digest" in pin else []
    wants += [f"be signed by {listed(pin['signers'], 'and')}"] if "signers" in pin else []
    return f"A bundle called, or from, {name.removesuffix('.ctp')} must {listed(wants, 'and')}."


def _pin(value: dict[str, Any], _: Policy) -> Iterator[str]:
    for name, entry in value.items():
        if name not in ANYWHERE:
            yield pinned(name, entry)
            yield from _others(entry, f"pin.{name}", "digest", "signers")
    yield from _texts(value, "pin")


def _unpinned(value: str, _: Policy) -> list[str]:
    return [
        "A bundle that no pin names is refused."
        if value == "deny"
        else "A bundle that no pin names is judged by the other rules alone."
    ]


def _minimum(value: dict[str, Any], _: Policy) -> Iterator[str]:
    for name, entry in value.items():
        if name not in ANYWHERE:
            yield f"Signatures on {name.removesuffix('.ctp')} made on or before {entry['signed_after']} do not count."
            yield from _others(entry, f"minimum.{name}", "signed_after")
    yield from _texts(value, "minimum")


def _time(value: dict[str, Any], _: Policy) -> Iterator[str]:
    if "max_age_days" in value:
        yield f"Signatures older than {int(value['max_age_days'])} day{'' if value['max_age_days'] == 1 else 's'} do not count."
    if "clock_skew_tolerance_seconds" in value:
        yield f"Signatures dated more than {int(value['clock_skew_tolerance_seconds'])} seconds in the future do not count."
    if "accept_claimed" in value:
        yield (
            "A date that a signature gives itself is believed where a key is denied after a day."
            if value["accept_claimed"]
            else "A date that a signature gives itself is not believed where a key is denied after a day."
        )
    yield from _others(value, "time", "max_age_days", "clock_skew_tolerance_seconds", "accept_claimed")


def _require_attestations(value: dict[str, Any], _: Policy) -> Iterator[str]:
    names = {"provenance": "provenance", "sbom": "an SBOM", "transparency_log": "an entry in a transparency log"}
    for kind, what in names.items():
        wanted = value.get(kind)
        if wanted is None:
            continue
        if wanted is False:
            yield _sentence(f"{what} is not required.")
            continue
        narrowed = wanted if isinstance(wanted, dict) else {}
        by = f"a key whose id matches {listed(narrowed['from'])}" if "from" in narrowed else "an allowed signer"
        builder = f", and names the builder {listed(narrowed['builders'])}" if "builders" in narrowed else ""
        said = f"{what} must be there" if kind == "transparency_log" else f"{what} must be there that {by} signed{builder}"
        yield _sentence(said + ".")
        yield from _others(narrowed, f"require_attestations.{kind}", "from", "builders")
    yield from _others(value, "require_attestations", *names)


_SECTIONS: dict[str, Any] = {
    "default_action": _default_action,
    "signers": _signers,
    "registries": _registries,
    "suites": _suites,
    "base_images": _base_images,
    "require_attestations": _require_attestations,
    "pin": _pin,
    "unpinned": _unpinned,
    "minimum": _minimum,
    "time": _time,
}
