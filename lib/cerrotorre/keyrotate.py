"""Rotating a key of one's own, and taking in the rotation of another's (spec/keys.adoc, "Rotation").

The store changes in an order in which every stop leaves something true: a pair more; a statement about it that nothing follows
from yet; then Rotated-Into, from which the two count as one; last the default.
"""

import os
import re
from collections.abc import Callable

from cerrotorre import counted, dsse, keychange, keyfile, keystore, locked, policyfile, rotation, suites, times
from cerrotorre.errors import Fail
from cerrotorre.keystore import Key
from cerrotorre.typed import Any

Passphrase = Callable[[str], bytes | bytearray]


def rotatable(key_id: str, into: str | None, now: str) -> tuple[Key, str]:
    """(the user's pair that is to be rotated, the id of the key that takes over). Raises Fail key-not-found, key-rotated,
    signing-key-expired, signer-denied, usage."""
    old = keystore.pair(key_id)[0]
    if into and old["rotated_into"] == into:
        return old, into
    if old["rotated_into"]:
        raise Fail("key-rotated", f"{key_id} was rotated into {old['rotated_into']} already", File=old["path"]).proposing(
            f"to rotate that one: ct key rotate {old['rotated_into']}"
        )
    keystore.check_current(old, now)
    _refuse_denied(old, now)
    begun = statement_of(old)
    if begun and into is None:
        into = begun["new"]["key_id"]
    if into is None:
        into = _next_id(key_id, now[:4])
    elif into == key_id:
        raise Fail("usage", f"{key_id} cannot be rotated into itself")
    keys = keystore.load()[0]
    _refuse_circle(old, into, keys)
    for key in keys:
        if key["key_id"] == into and key["rotated_into"]:
            what = f"{into} was itself rotated into {key['rotated_into']}"
            raise Fail("key-rotated", what, File=key["path"]).proposing(
                f"into the last of them: ct key rotate {key_id} --into {key['rotated_into']}"
            )
    return old, into


def _next_id(key_id: str, year: str) -> str:
    """alice-2026 in 2027: alice-2027; alice: alice-2027; where that is taken, alice-2027-2."""
    plain = re.sub(r"-\d{4}(-\d{1,3})?$", "", key_id)[:54]
    taken = {key["key_id"] for key in keystore.read_all()[0]} | set(os.listdir(keystore.directory("keys")))
    names = (f"{plain}-{year}{suffix}" for suffix in ("", *(f"-{number}" for number in range(2, 1000))))
    return next(name for name in names if not {name, f"{name}.key"} & taken)


def _refuse_circle(old: Key, into: str, keys: list[Key]) -> None:
    following = {key["key_id"]: key["rotated_into"] for key in keys}
    at, seen = into, {old["key_id"]}
    while at not in seen:
        seen.add(at)
        if not (following_id := following.get(at)):
            return
        at = following_id
    if at == old["key_id"]:
        raise Fail("key-rotated", f"{into} was itself rotated into {old['key_id']}", File=old["path"])


def _refuse_denied(old: Key, rotated_at: str) -> None:
    """A key that a policy denies vouches for nobody: whoever stole it could name their own."""
    said = {"key_id": old["key_id"], "fingerprint": old["fingerprint"], "signed_at": rotated_at, "trusted": True}
    for name, policy in policyfile.load(None):
        reason = counted.who(said, policy, None)
        if reason and reason[0] == "signer-denied":
            why = f"{reason[2]}; it names nobody who takes over"
            raise Fail("signer-denied", why, Fingerprint=old["fingerprint"], Policy=name).proposing("ct keygen")


def statement_of(key: Key) -> rotation.Rotation | None:
    """The rotation file beside a key, parsed; None if there is none. Raises Fail rotation-malformed, store-unsafe."""
    path = key["path"].removesuffix(".pub") + ".rotation"
    if not os.path.lexists(path):
        return None
    try:
        return rotation.parse(keystore.read_file(path))
    except Fail as fail:
        fail.finding["context"]["File"] = path
        raise


def rotate(old: Key, into: str, now: str, wanted: dict[str, Any], passphrase: Passphrase, chosen: Passphrase | None) -> bool:
    """Rotate a pair into the pair `into`, which is made as `wanted` (keychange.generate) unless it is there.

    `passphrase` opens a pair of the user's by its id; `chosen` is the new one's, None if it shall have none. What an
    interrupted rotation did already is not done again. Returns whether the old key was the default, and the new one is now.
    """
    if not old["rotated_into"]:
        _prepare(old, into, now, wanted, passphrase, chosen)
        keychange.set_local(old, {"rotated_into": into})
    default: bool = keystore.default_id() == old["key_id"]
    if default:
        keychange.set_default(into)
    return default


def _prepare(old: Key, into: str, now: str, wanted: dict[str, Any], passphrase: Passphrase, chosen: Passphrase | None) -> None:
    """Make sure of the new pair, and of the statement."""
    there = statement_of(old)
    made = _existing(into)
    if there:
        if made is None or there["new"]["fingerprint"] != made["fingerprint"]:
            said = f"{there['new']['key_id']} ({there['new']['fingerprint']})"
            raise Fail("key-rotated", f"{old['key_id']} has named {said} already", File=old["path"])
        rotation.verify(there, old, made)
        return
    if made is not None and wanted:
        raise Fail("usage", f"{into} is there, and --{', --'.join(sorted(wanted))} is said of a new key")
    plan = {} if made else keychange.wanted({"id": into, "suite": old["suite_id"]} | wanted, now)
    opened = keystore.signing_key(old["key_id"], lambda: passphrase(old["key_id"]))
    if made is not None:
        new = keystore.signing_key(into, lambda: passphrase(into))
    else:
        secret = None if chosen is None else chosen(into)
        seeds = [locked.take(seed) for seed in suites.generate(plan["suite_id"])]
        keychange.generate(**plan, passphrase=secret, seeds=seeds)
        new = keystore.find(into) | {"seeds": seeds}
    _write_statement(old, opened, new, now)


def _existing(key_id: str) -> Key | None:
    found = [key for key in keystore.read_all()[0] if key["key_id"] == key_id]
    return keystore.pair(key_id)[0] if found else None


def _write_statement(old: Key, opened: dict[str, Any], new: dict[str, Any], now: str) -> None:
    made = rotation.payload(old, new, now)
    message = dsse.pae(dsse.PAYLOAD_TYPE, made)
    signatures = _signed(opened, message, now) + _signed(new, message, now)
    data = rotation.write(made, signatures)
    rotation.verify(rotation.parse(data), old, new)
    keychange.write_file(old["path"].removesuffix(".pub") + ".rotation", data, 0o644)


def _signed(key: dict[str, Any], message: bytes, now: str) -> list[tuple[str, bytes]]:
    keystore.check_current(key, now)
    raws = locked.lend(key["seeds"], lambda seeds: suites.sign(key["suite_id"], seeds, message))
    return list(zip(key["components"], raws, strict=True))


def judge(data: bytes, new: keyfile.Public, now: str) -> Key:
    """The store's old key of a statement by others about a key that is to be imported under new["key_id"].

    Nothing is written. Raises Fail rotation-malformed, rotation-invalid, key-not-found, key-expired, signer-denied, key-rotated.
    """
    said = rotation.parse(data)
    keys = keystore.load()[0]
    named = [key for key in keys if key["fingerprint"] == said["old"]["fingerprint"]]
    if not named:
        what = f"it is by {said['old']['key_id']}, a key that is not in your store"
        fail = Fail("key-not-found", what, Fingerprint=said["old"]["fingerprint"])
        raise fail.proposing(f"ct key import {said['old']['key_id']}.pub")
    old = named[0]
    rotation.verify(said, old, new)
    into, at = new["key_id"], said["rotated_at"]
    if old["origin"] == "host":
        raise Fail("key-rotated", f"{old['key_id']} is the host's: its administrator says what became of it", File=old["path"])
    if old["expires"] and times.epoch(at) > times.epoch(old["expires"], end_of_day=True):
        raise Fail(
            "key-expired", f"{old['key_id']} expired {old['expires']}, and names the other on {at}", Signer=old["key_id"]
        )
    if times.epoch(at) - times.epoch(now) > counted.SKEW:
        raise Fail("rotation-invalid", f"it is dated {at}, and now is {now}", Signer=old["key_id"])
    _refuse_denied(old, at)
    if old["rotated_into"] not in (None, into):
        what = f"{old['key_id']} was rotated into {old['rotated_into']} already: one of the two statements is not its owner's"
        raise Fail("key-rotated", what, File=old["path"])
    _refuse_circle(old, into, keys)
    return old


def accept(old: Key, data: bytes, into: str) -> None:
    """Keep a statement that was judged beside the old key, and count the two as one from now on."""
    path = old["path"].removesuffix(".pub") + ".rotation"
    if not os.path.lexists(path):
        keychange.write_file(path, data, 0o644)
    elif keystore.read_file(path) != data:
        raise Fail("key-exists", f"there is another '{path}' already", File=path)
    keychange.set_local(old, {"rotated_into": into})
