"""The keys of a store as signatures were judged by them, in one spelling, so that they have a digest (spec/audit.adoc, "Keys")."""

from cerrotorre import b64, jsonic, keyfile, suites
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

LIMIT = 16 << 20
# As in keystore.Key, without what bears on no verdict.
Key = dict[str, Any]

_NEEDED = {"key_id", "suite_id", "fingerprint", "publics", "origin", "trusted"}
_LOCAL = {"expires", "rotated_into"}
_ORIGINS = {"keys": True, "trusted": True, "known": False, "host": True}


def spell(keys: list[Key]) -> bytes:
    """The canonical JSON of keystore.load's keys."""
    return jsonic.canonical(
        [
            {name: key[name] for name in _NEEDED - {"publics"}}
            | {"publics": [b64.encode(public) for public in key["publics"]]}
            | {name: key[name] for name in _LOCAL if key.get(name) is not None}
            for key in keys
        ]
    )


def read(data: bytes) -> list[Key]:
    """The keys, as signatures.judge takes them. Raises Fail key-malformed, suite-unavailable."""
    try:
        value = jsonic.parse(data, LIMIT)
        if not isinstance(value, list) or jsonic.canonical(value) != data:
            raise ValueError("not a canonical array")
        keys = [_key(entry) for entry in value]
    except ValueError as error:
        raise Fail("key-malformed", f"recorded keys: {error}") from None
    for what in ([key["key_id"] for key in keys], [component for key in keys for component in key["components"]]):
        if len(set(what)) != len(what):
            raise Fail("key-malformed", "recorded keys: one occurs twice")
    return keys


def _key(entry: Any) -> Key:
    if not isinstance(entry, dict) or not _NEEDED <= entry.keys() <= _NEEDED | _LOCAL:
        raise ValueError("a key has not exactly its members")
    names = [name for name in entry if name not in ("publics", "trusted")]
    if not all(isinstance(entry[name], str) for name in names) or not keyfile.is_id(entry["key_id"]):
        raise ValueError("a member of a key is not of its type")
    if _ORIGINS.get(entry["origin"]) is not entry["trusted"]:
        raise ValueError("a key's trust is not that of its origin")
    if not isinstance(entry["publics"], list) or not all(isinstance(public, str) for public in entry["publics"]):
        raise ValueError("publics is not an array of strings")
    if "expires" in entry:
        keyfile.check_expiry(entry["expires"])
    if "rotated_into" in entry and not keyfile.is_id(entry["rotated_into"]):
        raise ValueError("rotated_into is not a key id")
    if entry["suite_id"] not in suites.SUITES:
        raise ValueError(f"no suite is called {entry['suite_id'][:40]!r}")
    publics = [b64.decode(public) for public in entry["publics"]]
    if suites.fingerprint(entry["suite_id"], publics) != entry["fingerprint"]:
        raise ValueError("a fingerprint is not that of its key")
    components = suites.component_fingerprints(entry["suite_id"], publics)
    return dict.fromkeys(_LOCAL) | entry | {"publics": publics, "components": components}
