"""The key store: trust is where the file lies (spec/keys.adoc, "The store").

keys/ holds own pairs and trusted/ the public keys the user decided to trust; known/ only gives names to strangers; the host's
trusted keys are in <sysconfdir>/cerro/trusted. This module reads; `keychange` writes.
"""

import os
from collections.abc import Callable

from cerrotorre import keyfile, owned, places, suites, times
from cerrotorre.errors import Fail, Finding, finding
from cerrotorre.typed import Any

# {"key_id", "suite_id", "fingerprint": str, "publics": [bytes], "components": [component fingerprint], "created": str | None,
#  "expires", "rotated_into", "note": str | None, "origin": "keys" | "trusted" | "known" | "host", "trusted": bool,
#  "private": bool (a .key lies beside it), "path": str (of the .pub)}
Key = dict[str, Any]

DAY = 86400
# How long before a key's expiry people are told of it, in seconds.
SOON = 30 * DAY

ORIGINS = ("keys", "trusted", "known", "host")
# What is known of a key that is to sign.
_SIGNING = ("key_id", "suite_id", "fingerprint", "components", "expires", "rotated_into", "publics")


def _ml_dsa() -> Any:
    from cerrotorre import liboqs

    return liboqs.chosen()


# Keys are used through their store, which is configured where config.toml lies.
suites.ml_dsa_by(_ml_dsa)


def directory(origin: str) -> str:
    """The directory of one of ORIGINS."""
    return os.path.join(places.host_dir(), "trusted") if origin == "host" else os.path.join(places.home_dir(), origin)


def load() -> tuple[list[Key], list[Finding]]:
    """Every usable key of all stores, by origin and id, and notes about the others.

    What occurs twice makes every holder unusable (key-ambiguous); an unreadable file is passed over (key-unreadable). A missing
    store is an empty one. Raises Fail store-unsafe, file-unreadable.
    """
    keys, notes = read_all()
    unusable: set[str] = set()
    for what, paths in _clashes(keys).items():
        unusable.update(paths)
        notes.append(finding("key-ambiguous", f"{what} occurs more than once in the key store", Files=", ".join(paths)))
    return [key for key in keys if key["path"] not in unusable], notes


def _clashes(keys: list[Key]) -> dict[str, list[str]]:
    holders: dict[str, list[str]] = {}
    for key in keys:
        for what in (f"the id {key['key_id']}", *(f"the key {component}" for component in key["components"])):
            holders.setdefault(what, []).append(key["path"])
    return {what: paths for what, paths in holders.items() if len(paths) > 1}


def read_all() -> tuple[list[Key], list[Finding]]:
    """As `load`, without looking for what occurs twice."""
    keys: list[Key] = []
    notes: list[Finding] = []
    owned.check_directory(places.home_dir())
    owned.check_directory(places.host_dir())
    for origin in ORIGINS:
        _read_directory(origin, keys, notes)
    return keys, notes


def _read_directory(origin: str, keys: list[Key], notes: list[Finding]) -> None:
    where = directory(origin)
    if not owned.check_directory(where):
        return
    try:
        names = frozenset(os.listdir(where))
    except OSError as error:
        raise Fail("file-unreadable", f"'{where}': {error.strerror}", Directory=where) from None
    for name in sorted(name for name in names if name.endswith(".pub") and not name.startswith(".")):
        try:
            key = read_key(where, name.removesuffix(".pub"), names)
        except Fail as fail:
            if fail.finding["finding"] == "store-unsafe":
                raise
            notes.append(finding("key-unreadable", f"'{where}/{name}': {fail}", File=f"{where}/{name}"))
            continue
        keys.append(key | {"origin": origin, "trusted": origin != "known"})


def read_key(where: str, key_id: str, names: frozenset[str]) -> Key:
    """The public key `where`/<key_id>.pub with its local facts, without origin and trust.

    `names` are the names in the directory. Raises Fail key-malformed, suite-unavailable, store-unsafe, file-unreadable.
    """
    path = f"{where}/{key_id}.pub"
    key = keyfile.parse_public(read_file(path))
    if key["key_id"] != key_id:
        raise Fail("key-malformed", f"the Key-Id in it is {key['key_id']}, which is not its name")
    local: dict[str, str | None] = {"expires": None, "rotated_into": None, "note": None}
    if f"{key_id}.local" in names:
        try:
            local = keyfile.parse_local(read_file(f"{where}/{key_id}.local"))
        except Fail as fail:
            if fail.finding["finding"] != "key-malformed":
                raise
            raise Fail("key-malformed", f"{key_id}.local: {fail}") from None
    components = suites.component_fingerprints(key["suite_id"], key["publics"])
    return key | local | {"components": components, "private": f"{key_id}.key" in names, "path": path}


def read_file(path: str, *, secret: bool = False, limit: int = keyfile.LIMIT) -> bytes:
    """A file of the store, at most limit + 1 bytes of it.

    Raises Fail store-unsafe if another can write it (`secret`: or read it), file-unreadable, key-not-found if it is not there.
    """
    data = owned.read(path, limit, forbidden=0o077 if secret else 0o022)
    if data is None:
        raise Fail("key-not-found", f"there is no '{path}'", File=path)
    return data


def read_foreign(path: str) -> bytes:
    """A file from elsewhere, to be imported, whoever may own it. Raises Fail file-unreadable, key-malformed if it is too long."""
    try:
        with open(path, "rb") as file:
            data = file.read(keyfile.LIMIT + 1)
    except OSError as error:
        raise Fail("file-unreadable", f"'{path}': {error.strerror}", File=path) from None
    if len(data) > keyfile.LIMIT:
        raise Fail("key-malformed", f"'{path}' is longer than {keyfile.LIMIT} bytes", File=path)
    return data


def default_id() -> str | None:
    """The id of the default key, or None. Raises Fail key-malformed, store-unsafe."""
    where = directory("keys")
    if (
        not owned.check_directory(places.home_dir())
        or not owned.check_directory(where)
        or not os.path.lexists(f"{where}/default")
    ):
        return None
    text = keyfile.ascii_text(read_file(f"{where}/default"))
    if not keyfile.is_id(text[:-1]) or text[-1:] != "\n":
        raise Fail("key-malformed", f"'{where}/default' is not a key id and a newline", File=f"{where}/default")
    return text[:-1]


def find(key_id: str) -> Key:
    """The one usable key of that id. Raises Fail key-not-found, which says so if it is there and unusable."""
    keys, notes = load()
    for key in keys:
        if key["key_id"] == key_id:
            return key
    for note in notes:
        where = ", ".join(note["context"].values())
        if f"/{key_id}.pub" in where:
            raise Fail("key-not-found", f"{key_id} is unusable: {note['detail']}", Files=where)
    raise Fail("key-not-found", f"the key store holds no key {key_id[:80]!r}")


def signing_key(key_id: str | None, passphrase: Callable[[], bytes | bytearray]) -> dict[str, Any]:
    """A key pair, opened: {key_id, suite_id, fingerprint, components, expires, rotated_into, publics, seeds}.

    `key_id` is an id in keys/, a path with a `/` in it to a private key file with its .pub beside it, or None for the default
    key. `passphrase` is asked only if the file is encrypted, and overwritten then. Raises Fail no-signing-key, key-not-found,
    key-locked, store-unsafe, key-malformed, and what `passphrase` raises.
    """
    key, private, path = pair(key_id)
    seeds = opened(key, private, path, passphrase)
    return {name: key[name] for name in _SIGNING} | {"seeds": seeds}


def pair(key_id: str | None) -> tuple[Key, dict[str, Any], str]:
    """(the public key, the private one parsed, its path) of a pair, named as for `signing_key`; nothing is opened yet."""
    from cerrotorre import privatekey

    if key_id is not None and "/" in key_id:
        key, path = _beside(key_id), key_id
    else:
        key_id = default_id() if key_id is None else key_id
        if key_id is None:
            raise Fail("no-signing-key")
        key = find(key_id)
        if key["origin"] != "keys" or not key["private"]:
            raise Fail("key-not-found", f"the key store holds no private key of {key_id}", File=key["path"])
        path = key["path"].removesuffix(".pub") + ".key"
    private = privatekey.parse(read_file(path, secret=True))
    claims = {name: private[name] for name in ("key_id", "suite_id", "fingerprint") if name in private}
    if any(key[name] != its for name, its in claims.items()):
        raise Fail("key-locked", f"'{path}' is the private half of another key than the .pub beside it", File=path)
    return key, private, path


def opened(key: Key, private: dict[str, Any], path: str, passphrase: Callable[[], bytes | bytearray]) -> list[Any]:
    """The seeds of what `pair` gave, in locked memory. Raises Fail key-locked, and what `passphrase` raises."""
    from cerrotorre import locked, privatekey

    seeds = private.get("seeds")
    if seeds is None:
        typed = passphrase()
        try:
            seeds = privatekey.open_seeds(private, typed)
        finally:
            if isinstance(typed, bytearray):
                locked.wipe(typed)
    if privatekey.publics(key["suite_id"], seeds) != key["publics"]:
        raise Fail("key-locked", f"'{path}' is not the private half of the .pub beside it", File=path)
    return list(seeds)


def check_current(key: Key, signed_at: str) -> list[Finding]:
    """Notes on a key that is to sign at that time: it expires within SOON, or was rotated. Raises Fail signing-key-expired."""
    notes = []
    expires, into = key["expires"], key.get("rotated_into")
    left = None if expires is None else times.epoch(expires, end_of_day=True) - times.epoch(signed_at)
    if left is not None and left < 0:
        raise Fail(
            "signing-key-expired", f"{key['key_id']} expired {expires}", Signer=key["key_id"], Fingerprint=key["fingerprint"]
        ).proposing(f"ct key expires {key['key_id']} DATE, if it may go on", "ct sign FILE -k ANOTHER")
    if left is not None and left <= SOON and not into:
        days = f"in {left // DAY} days" if left >= 2 * DAY else "within two days"
        notes.append(finding("key-expiring", f"{key['key_id']} expires {expires}, {days}", Signer=key["key_id"]))
    if into:
        notes.append(finding("key-superseded", f"{key['key_id']} was rotated into {into}", Signer=key["key_id"]))
    return notes


def public_key(key_id: str | None) -> dict[str, Any]:
    """As signing_key, without seeds: a key whose private half is elsewhere, so that only its .pub is needed.

    `key_id` is an id in keys/ or a trusted directory, a path with a `/` in it to a .pub, or None for the default key.
    Raises Fail no-signing-key, key-not-found, store-unsafe, key-malformed.
    """
    if key_id is not None and "/" in key_id:
        if not key_id.endswith(".pub"):
            raise Fail("key-not-found", f"'{key_id}' is no public key file NAME.pub, which --exec needs", File=key_id)
        where, name = os.path.split(key_id.removesuffix(".pub"))
        key = read_key(where, name, frozenset({f"{name}.local"} if os.path.lexists(f"{where}/{name}.local") else ()))
    else:
        key_id = default_id() if key_id is None else key_id
        if key_id is None:
            raise Fail("no-signing-key")
        key = find(key_id)
        if not key["trusted"]:
            raise Fail(
                "key-not-found", f"{key_id} is only known by name, and no signature by it would count", File=key["path"]
            ).proposing(f"ct key trust {key_id}")
    return {name: key[name] for name in _SIGNING}


def _beside(path: str) -> Key:
    if path.endswith(".pub") or not os.path.lexists(path):
        what = f"'{path}' is a public key" if path.endswith(".pub") else f"there is no '{path}'"
        raise Fail("key-not-found", f"{what}; what signs is a private key file NAME.key, with NAME.pub beside it", File=path)
    where, name = os.path.split(path.removesuffix(".key"))
    names = frozenset(other for other in (f"{name}.key", f"{name}.local") if os.path.lexists(f"{where}/{other}"))
    return read_key(where, name, names)
