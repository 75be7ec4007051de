"""What `ct policy check` says of a policy beyond what every verification does: all schema errors, and what is likely not meant."""

import itertools
import os
import re
from collections.abc import Iterator

from cerrotorre import jsonic, policylint, policyread, reference
from cerrotorre.counted import entry_matches, is_empty_window, signers
from cerrotorre.errors import Fail
from cerrotorre.glob import matches
from cerrotorre.policyread import Policy
from cerrotorre.text import closest, meant
from cerrotorre.typed import Any

# (JSON pointer, what is said of the place)
Remark = tuple[str, str]
Key = dict[str, Any]


# A file with more mistakes is no policy with mistakes.
MOST = 200


def schema_errors(data: bytes) -> list[Remark]:
    """The errors that the published schema finds, by place; not the one that `policyread.read`, which says more of it, raises.

    The first MOST of them; none in what is not strict JSON, or in too much of it.
    """
    try:
        policyread.read(data, "")
        reported = None
    except Fail as fail:
        reported = str(fail.finding["context"]["Pointer"])
    try:
        policy = jsonic.parse(data, policyread.MAX_POLICY)
    except jsonic.Malformed:
        return []
    # 190 ms: only here, never where a bundle is verified.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    path = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "spec", "policy.schema.json")
    with open(path, "rb") as file:
        schema = jsonic.parse(file.read())
    found: list[Remark] = []
    for error in itertools.islice(Draft202012Validator(schema).iter_errors(policy), MOST):
        # Of what is one thing or another, the error in the one that was likely meant.
        inner = best_match([error]) or error
        at = tuple(inner.absolute_path)
        if inner.validator == "additionalProperties":
            known, patterns = inner.schema.get("properties", {}), inner.schema.get("patternProperties", {})
            stray = (key for key in inner.instance if key not in known and not any(re.search(p, key) for p in patterns))
            for key in stray:
                near = meant(closest(key, known))
                found.append((policyread.pointer((*at, key)), f"the member {jsonic.dump(key)[:120]} is not known{near}"))
        else:
            found.append((policyread.pointer(at), _message(inner)))
    found.sort()
    same = next((remark for remark in found if remark[0] == reported), None)
    return [remark for remark in found if remark is not same]


def _message(error: Any) -> str:
    """What a schema error says, in the words of `policyread` where it has some."""
    value, rule = error.instance, error.validator_value
    if error.validator == "pattern":
        grammars = [getattr(policyread, name) for name in _GRAMMARS]
        expected = next(
            (said for expression, said in grammars if f"^{expression}(?!\\n)$" == rule), f"text that matches {rule}"
        )
        return f"{jsonic.dump(value)[:120]} instead of {expected}"
    if error.validator == "enum" and isinstance(value, str):
        return f"{jsonic.dump(value)[:120]} instead of {' or '.join(map(jsonic.dump, rule))}{meant(closest(value, rule))}"
    said: str = error.message
    return said[:400]


_GRAMMARS = ("KEY_GLOB", "FINGERPRINT", "DIGEST", "REGISTRY_GLOB", "PRINTABLE", "DATE")


def warnings(policy: Policy, keys: list[Key], now: str = "") -> list[Remark]:
    """What a valid policy says that was likely not meant. `keys` are the store's (keystore.load); `now` is a time, "" for none."""
    trusted = [key for key in keys if key["trusted"]]
    return [*_signers(policy, trusted), *_patterns(policy), *_rest(policy, trusted), *policylint.remarks(policy, trusted, now)]


def _signers(policy: Policy, trusted: list[Key]) -> Iterator[Remark]:
    rules = policy.get("signers", {})
    allowed = rules.get("allowed")
    if allowed == []:
        yield "/signers/allowed", "an empty list allows no signer: every bundle is refused"
    for number, entry in enumerate(allowed or ()):
        at = f"/signers/allowed/{number}"
        if not any(entry_matches(entry, key) for key in trusted):
            yield at, f"no key in keys/ or trusted/ is {_label(entry)}"
        if entry.get("required") and "sources" in entry:
            yield at, "required and limited to sources: every bundle from elsewhere is refused"
        for glob in entry.get("sources", ()):
            yield from _pattern(f"{at}/sources", glob, blocked=False)
    for number, entry in enumerate(rules.get("denied", ())):
        if is_empty_window(entry.get("after"), entry.get("before")):
            yield f"/signers/denied/{number}", "no time lies between after and before, so the key is denied always"
        if "fingerprint" not in entry and not any(matches(entry["key_id"], key["key_id"]) for key in trusted):
            yield (
                f"/signers/denied/{number}",
                f"no key in keys/ or trusted/ is {_label(entry)}; a fingerprint would deny it by any name",
            )
    globs = rules.get("threshold_from")
    can = policylint.able(policy, trusted)
    can = [key for key in can if globs is None or any(matches(glob, key["key_id"]) for glob in globs)]
    # "a key and the key it was rotated into counting once"
    count = len(signers(can, trusted))
    if rules.get("threshold", 0) > count:
        what = f"{count} {'key' if count == len(can) else 'signer'}{'' if count == 1 else 's'}"
        yield "/signers/threshold", f"{int(rules['threshold'])} signers are needed, and {what} of the store could count"
    for glob in globs or ():
        if not any(matches(glob, key["key_id"]) for key in trusted):
            yield "/signers/threshold_from", f"no key in keys/ or trusted/ is {glob}"


def _label(entry: dict[str, Any]) -> str:
    return " with ".join(str(entry[name]) for name in ("key_id", "fingerprint") if name in entry)


def _patterns(policy: Policy) -> Iterator[Remark]:
    for section, name in (("registries", "allowed"), ("registries", "blocked"), ("base_images", "allowed")):
        rules = policy.get(section, {})
        if name == "allowed" and rules.get(name) == []:
            yield f"/{section}/allowed", "an empty list allows none: every bundle is refused"
        for number, pattern in enumerate(rules.get(name, ())):
            yield from _pattern(f"/{section}/{name}/{number}", pattern, blocked=name == "blocked")


def doubts(pattern: str) -> list[str]:
    """What of a pattern that allows registries was likely not meant."""
    return [said for _, said in _pattern("", pattern, blocked=False)]


def _pattern(at: str, pattern: str, *, blocked: bool) -> Iterator[Remark]:
    if "://" in pattern:
        bare = pattern.partition("://")[2]
        meant = f"{bare}:*" if "/" in bare and not set("*?:@") & set(bare.partition("/")[2]) else bare
        yield at, f"'{pattern}' matches nothing, for a pattern has no scheme; perhaps '{meant}' is meant"
        return
    host, slash, rest = pattern.partition("/")
    if not slash:
        if host != "local" and not set("*?.:") & set(host) and host != "localhost":
            yield at, f"'{pattern}' is a host without a dot, so it matches nothing; an image is HOST/PATH:TAG"
    elif (repository := re.split("[:@]", rest, maxsplit=1)[0]) != repository.lower():
        yield at, f"'{pattern}' matches nothing, for a repository is in lower case: '{repository.lower()}'"
    elif not blocked and not set(":@") & set(rest) and not rest.endswith(("*", "?")):
        # A glob in it may reach into the tag, so that something could match after all, and hardly what was meant.
        little = "hardly anything" if set("*?") & set(rest) else "nothing"
        yield at, f"'{pattern}' matches {little}, for a reference has a tag or a digest; any tag is '{pattern}:*'"
    if blocked:
        return
    if host.endswith("*") and host.strip("*") and host[-2:-1] not in (":", "*"):
        yield at, f"'{pattern}' also matches '{host.rstrip('*')}.evil.example'"
    if host.startswith("*") and host.strip("*") and host.lstrip("*")[:1] not in (".", ":"):
        yield at, f"'{pattern}' also matches 'evil{host.lstrip('*')}'; a subdomain is '*.{host.lstrip('*')}'"
    if slash and rest.endswith("*") and not set(":@") & set(rest) and (base := rest.rstrip("*")) and base[-1].isalnum():
        yield (
            at,
            f"'{pattern}' also matches '{host}/{base}-evil/…'; what lies below is '{host}/{base}/*', any tag '{host}/{base}:*'",
        )


def _rest(policy: Policy, trusted: list[Key]) -> Iterator[Remark]:
    if policy.get("suites", {}).get("allowed") == []:
        yield "/suites/allowed", "an empty list allows no suite: every bundle is refused"
    suites = policy.get("suites", {})
    if "minimum" in suites and suites.get("allowed"):
        rank = policyread.SUITES.index
        if all(rank(suite) < rank(suites["minimum"]) for suite in suites["allowed"]):
            yield "/suites", "every allowed suite is below the minimum: every bundle is refused"
    if policy.get("time", {}).get("accept_claimed") and any("after" in e for e in policy.get("signers", {}).get("denied", ())):
        yield "/time/accept_claimed", "whoever has a denied key can date a signature back to before the denial"
    for key in policy.get("pin", {}):
        if "/" in key and reference.is_host(key.partition("/")[0]) and not (":" in key.rpartition("/")[2] or "@" in key):
            yield policyread.pointer(("pin", key)), f"as a source this is '{key}:latest'"
    required = policy.get("require_attestations", {})
    if required.get("transparency_log"):
        yield "/require_attestations/transparency_log", "this version reads no log, so every bundle is refused"
    for kind in ("provenance", "sbom"):
        narrowed = required.get(kind)
        for glob in narrowed.get("from", ()) if isinstance(narrowed, dict) else ():
            if not any(matches(glob, key["key_id"]) for key in trusted):
                yield f"/require_attestations/{kind}/from", f"no key in keys/ or trusted/ is {glob}"
