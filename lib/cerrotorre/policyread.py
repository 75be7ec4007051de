"""The policy file, read strictly: what is not exactly a policy is refused, with the place and what was expected there.

spec/policy.schema.json describes the same language; a property test holds the two together. This reader exists because
importing a schema validator costs more than the rest of a verification.
"""

import re
from collections.abc import Callable

from cerrotorre import jsonic
from cerrotorre.errors import Fail
from cerrotorre.text import closest, meant
from cerrotorre.typed import Any

Policy = dict[str, Any]
Pointer = tuple[str | int, ...]
Check = Callable[[Any, Pointer], None]

MAX_POLICY = 1 << 20
# By rank, lowest first (spec/policy.adoc, "Suites").
SUITES = ("CT-SIG-01", "CT-SIG-04", "CT-SIG-03", "CT-SIG-06", "CT-SIG-02")

# (expression, what it says). The expressions are the schema's; there they are anchored.
KEY_GLOB = ("[A-Za-z0-9*?][A-Za-z0-9*?._-]{0,127}", "a key id or a glob of key ids")
FINGERPRINT = ("SHA256:[0-9a-f]{64}", "a fingerprint, SHA256: and 64 lowercase hexadecimal digits")
DIGEST = ("sha256:[0-9a-f]{64}", "a digest, sha256: and 64 lowercase hexadecimal digits")
REGISTRY_GLOB = (r"[A-Za-z0-9*?._:/@\[\]-]{1,512}", "a registry, a reference or a glob of these")
PRINTABLE = ("[!-~]{1,2048}", "printable ASCII without spaces, at most 2048 characters")
PIN_KEY = (r"[A-Za-z0-9][A-Za-z0-9._:/@\[\]-]{0,511}", "a name, NAME:VERSION or a source")
NAME = ("[a-z0-9][a-z0-9._/-]{0,127}", "a bundle's name")
DATE = (
    "(?!0000)(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    "|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)",
    "a date of the calendar, YYYY-MM-DD",
)
ANYWHERE = ("$schema", "description", "comment")


class _Refused(Exception):
    def __init__(self, at: Pointer, expected: str, found: str, hint: str = "") -> None:
        self.at, self.expected, self.found, self.hint = at, expected, found, hint


def read(data: bytes, name: str) -> Policy:
    """The policy in these bytes, as parsed. Raises Fail policy-malformed with Policy, Pointer (RFC 6901), Expected and Found."""
    try:
        if len(data) > MAX_POLICY:
            # Nobody read on to its end, so how long it is is not known.
            raise _Refused((), "at most 1 MiB", "more than 1 MiB")
        if not data.strip():
            raise _Refused((), "strict JSON", "an empty file")
        policy: Policy = jsonic.parse(data, MAX_POLICY)
        _POLICY(policy, ())
    except jsonic.Malformed as error:
        raise Fail(
            "policy-malformed",
            f"{name}: not strict JSON: {error}",
            Policy=name,
            Pointer="",
            Expected="strict JSON",
            Found=str(error),
        ) from None
    except _Refused as refused:
        where = _dotted(refused.at)
        said = f"{refused.found} instead of {refused.expected}" if refused.found != "none" else f"{refused.expected} is missing"
        detail = f"{name}: {where}: {said}{refused.hint}"
        raise Fail(
            "policy-malformed", detail, Policy=name, Pointer=pointer(refused.at), Expected=refused.expected, Found=refused.found
        ) from None
    return policy


def pointer(at: Pointer) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in at)


def _dotted(at: Pointer) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in at)
    return text.removeprefix(".") or "the policy"


def _found(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    return jsonic.dump(value)[:120]


# -- what a value may be ---------------------------------------------------------------------------------------------------


def _one_of(*values: str) -> Check:
    expected = " or ".join(map(jsonic.dump, values))

    def check(value: Any, at: Pointer) -> None:
        if not isinstance(value, str) or value not in values:
            raise _Refused(at, expected, _found(value), meant(closest(value, values)) if isinstance(value, str) else "")

    return check


def _text(grammar: tuple[str, str]) -> Check:
    expression, expected = grammar

    def check(value: Any, at: Pointer) -> None:
        if not isinstance(value, str) or not re.fullmatch(expression, value):
            raise _Refused(at, expected, _found(value))

    return check


def _any_text(value: Any, at: Pointer) -> None:
    if not isinstance(value, str):
        raise _Refused(at, "a string", _found(value))


def _boolean(value: Any, at: Pointer) -> None:
    if not isinstance(value, bool):
        raise _Refused(at, "true or false", _found(value))


def _integer(least: int, most: int) -> Check:
    def check(value: Any, at: Pointer) -> None:
        # JSON Schema 2020-12, 6.1.1: "integer" matches any number with a zero fractional part.
        whole = type(value) is int or (isinstance(value, float) and value.is_integer())
        if not whole or not least <= value <= most:
            raise _Refused(at, f"an integer from {least} to {most}", _found(value))

    return check


def _array(item: Check, least: int = 0) -> Check:
    def check(value: Any, at: Pointer) -> None:
        if not isinstance(value, list):
            raise _Refused(at, "an array", _found(value))
        if len(value) < least:
            raise _Refused(at, "an array that is not empty", "an empty array")
        for position, entry in enumerate(value):
            item(entry, (*at, position))

    return check


def _object(members: dict[str, Check], required: tuple[str, ...] = (), any_of: tuple[str, ...] = ()) -> Check:
    known = {**dict.fromkeys(ANYWHERE, _any_text), **members}

    def check(value: Any, at: Pointer) -> None:
        if not isinstance(value, dict):
            raise _Refused(at, "an object", _found(value))
        # "additionalProperties false everywhere": this also refuses two spellings of one name that differ by case.
        for key in value:
            if key not in known:
                expected = ", ".join(sorted(members))
                raise _Refused(
                    (*at, key), f"one of {expected}", f"the member {jsonic.dump(key)[:120]}", meant(closest(key, known))
                )
        for key in required:
            if key not in value:
                raise _Refused(at, f"the member {key}", "none")
        if any_of and not any(key in value for key in any_of):
            raise _Refused(at, "the member " + " or ".join(any_of), "none")
        for key, entry in value.items():
            known[key](entry, (*at, key))

    return check


def _named(key_grammar: tuple[str, str], item: Check) -> Check:
    """An object whose keys are names of bundles; a comment's key is a comment here too."""

    def check(value: Any, at: Pointer) -> None:
        if not isinstance(value, dict):
            raise _Refused(at, "an object", _found(value))
        for key, entry in value.items():
            if key in ANYWHERE:
                _any_text(entry, (*at, key))
                continue
            if not re.fullmatch(key_grammar[0], key):
                raise _Refused((*at, key), key_grammar[1], f"the member {jsonic.dump(key)[:120]}")
            item(entry, (*at, key))

    return check


def _boolean_or(narrowed: Check) -> Check:
    def check(value: Any, at: Pointer) -> None:
        if isinstance(value, bool):
            return
        if not isinstance(value, dict):
            raise _Refused(at, "true, false or an object", _found(value))
        narrowed(value, at)

    return check


def _signers(value: Any, at: Pointer) -> None:
    _SIGNERS(value, at)
    if "threshold_from" in value and "threshold" not in value:
        raise _Refused(at, "the member threshold beside threshold_from", "none")


# -- the language (spec/policy.adoc) ---------------------------------------------------------------------------------------

_globs = _array(_text(KEY_GLOB), 1)
_registries = _array(_text(REGISTRY_GLOB))
_suite = _one_of(*SUITES)
_key = {"key_id": _text(KEY_GLOB), "fingerprint": _text(FINGERPRINT)}
_allowed = _object({**_key, "required": _boolean, "sources": _array(_text(REGISTRY_GLOB), 1)}, any_of=("key_id", "fingerprint"))
_denied = _object({**_key, "after": _text(DATE), "before": _text(DATE), "reason": _any_text}, any_of=("key_id", "fingerprint"))
_SIGNERS = _object(
    {"allowed": _array(_allowed), "denied": _array(_denied), "threshold": _integer(1, 256), "threshold_from": _globs}
)
_attestations = _object(
    {
        "provenance": _boolean_or(
            _object({"from": _globs, "builders": _array(_text(PRINTABLE), 1)}, any_of=("from", "builders"))
        ),
        "sbom": _boolean_or(_object({"from": _globs}, ("from",))),
        "transparency_log": _boolean,
    }
)
_pin = _object({"digest": _text(DIGEST), "signers": _globs}, any_of=("digest", "signers"))
_time = _object(
    {
        "max_age_days": _integer(1, 36500),
        "clock_skew_tolerance_seconds": _integer(0, 86400),
        "accept_claimed": _boolean,
    }
)
_POLICY = _object(
    {
        "version": _one_of("1"),
        "default_action": _one_of("allow", "deny"),
        "signers": _signers,
        "registries": _object({"allowed": _registries, "blocked": _registries}),
        "suites": _object({"allowed": _array(_suite), "minimum": _suite}),
        "base_images": _object({"allowed": _registries}, ("allowed",)),
        "require_attestations": _attestations,
        "pin": _named(PIN_KEY, _pin),
        "unpinned": _one_of("allow", "deny"),
        "minimum": _named(NAME, _object({"signed_after": _text(DATE)}, ("signed_after",))),
        "time": _time,
    },
    ("version",),
)
