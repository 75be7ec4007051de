"""What of `ct doctor` is about the key store: its permissions, each key file, the pairs, the default, expiry and leftovers."""

import os
import re
import stat
from collections.abc import Iterator

from cerrotorre import doctorfix, keyfile, keystore, owned, places, privatekey
from cerrotorre.diagnosis import Diagnosis
from cerrotorre.doctorsetup import Setup, command, counted
from cerrotorre.errors import Fail
from cerrotorre.keyreport import short
from cerrotorre.keystore import Key

# Seconds that a hidden file must have been left alone to be a leftover: somebody may be writing it.
LEFT = 3600
# What newfile.NewFile calls a file that is not whole yet.
_PART = re.compile(r"\..+\.[0-9a-f]{12}\.part", re.S)


def store(setup: Setup, say: Diagnosis) -> str:
    """Its directories, which decide what is trusted: yours or root's, and writable by nobody else."""
    if not os.path.lexists(setup.home):
        say.warn(f"there is no '{setup.home}' yet, so nothing is trusted", "ct keygen", repair=_make(setup.home))
        for path in setup.stores().values():
            if path.startswith(setup.home + "/"):
                say.mendable(_make(path))
        return "none yet"
    for path in (setup.home, places.host_dir(), *setup.stores().values()):
        try:
            there = owned.check_directory(path)
        except Fail as fail:
            _unsafe(setup, say, fail)
        else:
            if not there and path.startswith(setup.home + "/"):
                say.mendable(_make(path))
    return short(setup.home) + ("" if say.details else ", which nobody else can change")


def _make(path: str) -> dict[str, object]:
    return {"do": "make", "root": path, "name": ""}


def _unsafe(setup: Setup, say: Diagnosis, fail: Fail, forbidden: int = 0o022) -> None:
    """What was refused, with its repair, or else with what shows the file."""
    slug, path = fail.finding["finding"], str(fail.finding["context"].get("File", ""))
    look = [command("ls -l", path)] if path and slug not in ("store-unsafe", "suite-unavailable") else []
    say.fault(fail, *look, warn=slug == "suite-unavailable", repair=setup.repair(fail, forbidden))


def files(setup: Setup, say: Diagnosis) -> str:
    """Every key file: readable, well-formed, once, safe; and every pair, as far as can be told without its passphrase."""
    counts = dict.fromkeys(keystore.ORIGINS, 0)
    plain = 0
    for origin, where, names in _directories(setup, say):
        publics: set[str] = set()
        for key_id in _ids(names, ".pub"):
            try:
                keystore.read_key(where, key_id, names)
                publics.add(key_id)
                counts[origin] += 1
            except Fail as fail:
                fail.finding["context"].setdefault("File", f"{where}/{key_id}.pub")
                if fail.finding["finding"] == "key-malformed":
                    fail = Fail("key-unreadable", f"'{where}/{key_id}.pub': {fail}", File=f"{where}/{key_id}.pub")
                _unsafe(setup, say, fail)
        for key_id in _ids(names, ".key"):
            if origin != "keys":
                say.warn(f"'{where}/{key_id}.key' is a private key among public ones: nothing uses it there")
            encrypted = _private(setup, say, f"{where}/{key_id}.key", key_id in publics, f"{key_id}.pub" in names)
            plain += encrypted is False
        for key_id in _ids(names, ".local"):
            if f"{key_id}.pub" not in names:
                said = f"'{where}/{key_id}.local' has facts of a key that is not there"
                say.warn(said, command("rm", f"{where}/{key_id}.local"))
    _twice(say)
    total = sum(counts.values())
    named = {"keys": "own", "trusted": "trusted", "known": "known", "host": "of the host"}
    each = [f"{number} {named[origin]}" for origin, number in counts.items() if number]
    unsealed = f"; {plain} private, not encrypted" if plain else ""
    return counted(total, "key") + (f": {', '.join(each)}" if each else "") + unsealed


def _directories(setup: Setup, say: Diagnosis) -> Iterator[tuple[str, str, frozenset[str]]]:
    """(origin, directory, the names in it) of each store that is there."""
    for origin, where in setup.stores().items():
        try:
            yield origin, where, frozenset(os.listdir(where))
        except FileNotFoundError:
            continue
        except OSError as error:
            say.fail(f"'{where}': {error.strerror}", command("ls -ld", where), finding="file-unreadable")


def _ids(names: frozenset[str], suffix: str) -> list[str]:
    return sorted(name.removesuffix(suffix) for name in names if name.endswith(suffix) and not name.startswith("."))


class _Sealed(Exception):
    """Raised where a passphrase is asked for: all that can be told without it is told."""


def _passphrase() -> bytes:
    raise _Sealed


def _private(setup: Setup, say: Diagnosis, path: str, public: bool, named: bool) -> bool | None:
    """Whether a private key file is encrypted; None if it is not half of a pair that can be used.

    `public`: its .pub can be read; `named`: it is there.
    """
    try:
        if public:
            keystore.signing_key(path, _passphrase)
            return False
        privatekey.parse(keystore.read_file(path, secret=True))
    except _Sealed:
        return True
    except Fail as fail:
        if fail.finding["finding"] == "key-malformed":
            fail = Fail("key-malformed", f"'{path}': {fail}", File=path)
        _unsafe(setup, say, fail, 0o077)
    else:
        if not named:
            say.warn(f"'{path}' has no .pub beside it, so it cannot sign", command("ls -l", os.path.dirname(path)))
    return None


def _twice(say: Diagnosis) -> None:
    try:
        notes = keystore.load()[1]
    except Fail:
        # Said by the check of the store.
        return
    for note in notes:
        if note["finding"] == "key-ambiguous":
            said = f"{note['detail']}, so none of them counts: {note['context'].get('Files', '')}"
            say.fail(said, "ct key list", finding="key-ambiguous")


def default(setup: Setup, say: Diagnosis) -> str:
    """Whether what signs, if no option names a key, is a pair and has not expired."""
    keys = _usable()
    pairs = [key for key in keys if key["origin"] == "keys" and key["private"]]
    chosen = setup.setting("defaults", "key")
    source = "[defaults] key" if chosen else "the default"
    if chosen is None:
        chosen = keystore.default_id()
    others = [f"ct key default {key['key_id']}" for key in pairs][:1] or ["ct keygen"]
    if chosen is None:
        if pairs:
            say.warn("no key is the default, so ct sign needs -k", *others)
        return "none" + ("" if pairs else ", and no pair")
    if "/" in chosen:
        if not os.path.lexists(chosen):
            say.fail(f"{source} is '{chosen}', which is not there", "ct config unset defaults.key", finding="key-not-found")
        return str(chosen)
    key = next((key for key in pairs if key["key_id"] == chosen), None)
    if key is None:
        tries = ["ct config unset defaults.key"] if source != "the default" else others
        say.fail(f"{source} is {chosen}, which is no usable pair in the store", *tries, finding="key-not-found")
    elif key["expires"] and keyfile.check_expiry(key["expires"]) < setup.now:
        said = f"{source} is {chosen}, which expired {key['expires']}: what it signs from now on counts nowhere"
        say.fail(said, "ct keygen", finding="key-expired")
    return str(chosen)


def expiry(setup: Setup, say: Diagnosis) -> str:
    """Own and trusted keys that have expired, or will within keystore.SOON; of those that were rotated nothing."""
    limited = [key for key in _usable() if key["trusted"] and key["expires"]]
    for key in limited:
        left = keyfile.check_expiry(key["expires"]) - setup.now
        if left > keystore.SOON or key["rotated_into"]:
            continue
        when = (
            f"expired {key['expires']}" if left < 0 else f"expires {key['expires']}, in {counted(left // keystore.DAY, 'day')}"
        )
        if key["origin"] == "keys" and key["private"]:
            say.warn(
                f"your key {key['key_id']} {when}: make its successor",
                "ct keygen" if left < 0 else f"ct key rotate {key['key_id']}",
                finding="key-expired" if left < 0 else None,
            )
        else:
            said = f"the trusted key {key['key_id']} {when}: ask its owner for the next"
            say.warn(said, f"ct key show {key['key_id']}", finding="key-expired" if left < 0 else None)
    return f"{counted(len(limited), 'key')} of yours and trusted with an expiry"


def _usable() -> list[Key]:
    try:
        return keystore.load()[0]
    except Fail as fail:
        if fail.finding["finding"] != "store-unsafe":
            raise
        # Two other checks say what is unsafe; here it is enough that nothing can be used.
        raise Fail("store-unsafe", "the key store cannot be used as it is: see keys.store and keys.files").proposing() from None


def leftovers(setup: Setup, say: Diagnosis) -> str:
    """What was being written when something ended it: hidden files that nobody has touched for an hour."""
    seen = 0
    for where in dict.fromkeys([setup.home, *(path for path in setup.stores().values() if path.startswith(setup.home + "/"))]):
        try:
            names = sorted(os.listdir(where))
        except OSError:
            # Said by other checks.
            continue
        for name in filter(_PART.fullmatch, names):
            path = os.path.join(where, name)
            try:
                info = os.lstat(path)
            except FileNotFoundError:
                continue
            if not stat.S_ISREG(info.st_mode) or int(info.st_mtime) > setup.now - LEFT:
                continue
            seen += 1
            repair = {
                "do": "remove",
                "root": setup.home,
                "name": path[len(setup.home) + 1 :],
                "identity": doctorfix.identity(info),
            }
            say.warn(f"'{path}' was never finished", command("rm", path), repair=repair)
    return counted(seen, "file") if seen else "none"
