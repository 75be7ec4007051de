"""The subcommands of `ct key` that change the store: each takes options and operands, and returns (facts, what people read).

Times are the caller's, and so is standard input. What is asked is asked at the terminal.
"""

import copy
import os
from collections.abc import Callable

from cerrotorre import (
    config,
    keychange,
    keyfetch,
    keyfile,
    keyreport,
    keyrewrap,
    keyrotate,
    keystore,
    passphrase,
    policyedit,
    policyfile,
    rotation,
    terminal,
    times,
    vouch,
)
from cerrotorre.commandline import Options
from cerrotorre.errors import Fail
from cerrotorre.keystore import Key
from cerrotorre.typed import Any

Said = tuple[dict[str, Any], str]
Secret = Callable[[str], bytearray]


class Declined(Exception):
    """Somebody was asked, and said no."""


# The options of a new private key, beside where its passphrase is.
NEW = ("suite", "expires", "profile", "no-password")


def generate(options: Options, now: str) -> Said:
    wanted, secret = keychange.wanted(options, now), None
    if "no-password" not in options:
        secret = passphrase.obtain(options.get("passphrase-fd"), options.get("passphrase-file"), again=True)
    made = keychange.generate(**wanted, passphrase=secret)
    return made, keyreport.generated(made)


def rotate(options: Options, now: str, key_id: str) -> Said:
    wanted = {name: options[name] for name in NEW if name in options}
    # Where config.toml names the old key it outranks keys/default, and it is the user's to write.
    configured = config.default_key() == key_id
    old, into = keyrotate.rotatable(key_id, options.get("into"), now)
    moved = keyrotate.rotate(old, into, now, wanted, _opens(options, into), _chosen(options))
    made = keystore.find(into)
    facts = {"rotated": key_id, **keyreport.facts(made, keystore.default_id())}
    return facts, keyreport.rotated(key_id, made, default=moved, configured=configured) + _offer(options, made)


def change_passphrase(options: Options, _: str, key_id: str) -> Said:
    if "no-password" in options and "profile" in options:
        raise Fail("usage", "--no-password goes with no profile")
    key, path, words = keyrewrap.rewrap(key_id, options.get("profile"), _opens(options), _chosen(options))
    facts = {name: key[name] for name in ("key_id", "suite_id", "fingerprint")}
    facts |= {"private_key": path, "encrypted": "no-password" not in options}
    return facts, keyreport.rewrapped(key, path, words)


def _opens(options: Options, new: str | None = None) -> Secret:
    """Where the passphrase of a pair is that is there: that of `new` is the new one."""

    def secret(key_id: str) -> bytearray:
        prefix = "new-" if key_id == new else ""
        places = options.get(f"{prefix}passphrase-fd"), options.get(f"{prefix}passphrase-file")
        return passphrase.obtain(*places, prompt=f"Passphrase for {key_id}: ", new=bool(prefix))

    return secret


def _chosen(options: Options) -> Secret | None:
    """Where the passphrase is that a private key is to get; None if none."""
    places = options.get("new-passphrase-fd"), options.get("new-passphrase-file")
    if "no-password" in options:
        if places != (None, None):
            raise Fail("usage", "--no-password goes with no new passphrase")
        return None

    def secret(key_id: str) -> bytearray:
        try:
            return passphrase.obtain(*places, prompt=f"New passphrase for {key_id}: ", again=True, new=True)
        except Fail as fail:
            if fail.finding["finding"] == "passphrase-missing":
                fail.proposing("--new-passphrase-file F or --new-passphrase-fd N")
            raise

    return secret


def set_expiry(_: Options, _now: str, key_id: str, date: str) -> Said:
    try:
        if date != "never":
            keyfile.check_expiry(date)
    except Fail as fail:
        raise Fail("usage", f"{fail}; or `never`") from None
    keychange.set_local(keystore.find(key_id), {"expires": None if date == "never" else date})
    made = keystore.find(key_id)
    return keyreport.facts(made, keystore.default_id()), keyreport.expiry(made)


def show(_: Options, now: str, key_id: str) -> Said:
    """`now` is the clock's: what expires soon is said by that."""
    key, default, epoch = keystore.find(key_id), keystore.default_id(), times.epoch(now)
    before = [one["key_id"] for one in keystore.load()[0] if one["rotated_into"] == key_id]
    return keyreport.clocked(key, default, epoch), keyreport.shown_key(key, default, epoch, before)


def trust(options: Options, _: str, key_id: str) -> Said:
    before = keychange.trust(key_id)["trusted"]
    made = keystore.find(key_id)
    text = keyreport.accepted(made, trusted=True, before=before)
    return keyreport.facts(made, keystore.default_id()), text + _offer(options, made)


def import_key(options: Options, now: str, path: str, stdin: Callable[[int], bytes]) -> Said:
    data = (
        keyfetch.fetch(path) if keyfetch.is_url(path) else keystore.read_foreign(path) if path != "-" else stdin(keyfile.LIMIT)
    )
    key = _named(data, path, options.get("id"))
    voucher = _confirm(options, path, data, key)
    statement, old = None, None
    if "rotation" in options:
        statement = keystore.read_foreign(options["rotation"])
        key = _there(key)
        if options.get("id", key["key_id"]) != key["key_id"]:
            raise Fail(
                "key-exists", f"the key store has this key, as {key['key_id']}: '{key['path']}'", Fingerprint=key["fingerprint"]
            )
        old = keyrotate.judge(statement, key, now)
    if not key.get("path"):
        keychange.refuse_key(key)
    if statement is not None and old is not None:
        # First: until the two count as one, trusting the new one would make two signers of one.
        keyrotate.accept(old, statement, key["key_id"])
    if not key.get("path"):
        keychange.add_public(key, trust="trust" in options)
    elif "trust" in options:
        keychange.trust(key["key_id"])
    made = keystore.find(key["key_id"])
    facts = keyreport.facts(made, keystore.default_id())
    text = keyreport.accepted(made, trusted=made["trusted"], voucher=voucher, old=old)
    facts |= {"vouched_by": voucher["fingerprint"]} if voucher else {}
    facts |= {"rotated": old["key_id"]} if old else {}
    return facts, text + (_offer(options, made) if made["trusted"] else "")


def _named(data: bytes, path: str, key_id: str | None) -> keyfile.Public:
    try:
        key = keyfile.parse_import(data)
    except Fail as fail:
        if path != "-":
            where = {"Host": keyfetch.host(path)} if keyfetch.is_url(path) else {"File": path}
            fail.finding["context"] = {**where, **fail.finding["context"]}
        raise
    return keychange.named(key, key_id)


def _there(key: keyfile.Public) -> keyfile.Public | Key:
    """The very key if the store has it, under the id it has there: a rotation may arrive after the key."""
    found = [mine for mine in keystore.load()[0] if mine["fingerprint"] == key["fingerprint"]]
    return found[0] if found else key


def _confirm(options: Options, path: str, data: bytes, key: keyfile.Public) -> dict[str, str] | None:
    """Whether it is the key that was meant: by its fingerprint, by an OpenPGP signature, and if a network gave it, by somebody.

    Returns who vouches. Raises Fail fingerprint-mismatch, usage, what vouch.check raises; Declined.
    """
    given = options.get("fingerprint")
    if given is not None:
        # Also an empty one, as of a variable that is not set.
        if not keyfile.is_fingerprint(given):
            raise Fail("usage", f"--fingerprint is SHA256: and 64 lowercase hexadecimal digits, not {given[:80]!r}")
        if given != key["fingerprint"]:
            raise Fail("fingerprint-mismatch", Expected=given, Actual=key["fingerprint"])
    if ("gpg-signature" in options) != ("keyring" in options):
        raise Fail("usage", "--gpg-signature and --keyring go together")
    if "gpg-signature" in options:
        return vouch.check(data, options["gpg-signature"], options["keyring"])
    if keyfetch.is_url(path) and not given:
        answer = terminal.ask(keyreport.is_it(key))
        if answer is None:
            raise Fail("usage", "a key from the network is taken only with --fingerprint, or asked about at a terminal")
        if not _yes(answer):
            raise Declined
    return None


def _offer(options: Options, key: Key) -> str:
    """Offer to admit a trusted key in the policy, if there is one that does not: ask at the terminal, else say what to type."""
    try:
        path = policyfile.chosen(None)[0]
        # A trusted key alone does not pass a policy; without one it does.
        if not os.path.exists(path):
            return ""
        policy = policyedit.load(path)
        before = copy.deepcopy(policy)
        policyedit.add_signer(policy, key, required=False)
        if policy == before:
            return ""
        answer = None if "json" in options else terminal.ask(keyreport.admit(key, path))
        if answer is None or not _yes(answer):
            return keyreport.to_admit(key)
        done, _, _ = policyedit.change(path, lambda policy: policyedit.add_signer(policy, key, required=False))
    except Fail:
        # The key is where it was to be; what is wrong with the policy says the command that is about it.
        return keyreport.to_admit(key)
    return "\n" + "".join(f"{line}\n" for line in done)


def _yes(answer: bytes) -> bool:
    return answer.strip().lower() in (b"y", b"yes")


def export(options: Options, _: str, key_id: str) -> Said:
    """The public key, or the statement by which the key was rotated: to a file, or to be read."""
    if ("public" in options) == ("rotated" in options):
        raise Fail("usage", "say --public, or --rotated: a private key is never exported")
    key = keystore.find(key_id)
    data = keyfile.write_public(key) if "public" in options else _rotation(key)
    if (path := options.get("o", options.get("output"))) is None:
        return {}, data.decode("ascii")
    keychange.write_file(path, data, 0o644)
    return {}, ""


def _rotation(key: Key) -> bytes:
    said = keyrotate.statement_of(key)
    if said is None:
        fail = Fail("key-not-found", f"there is no statement by which {key['key_id']} was rotated", File=key["path"])
        raise fail.proposing(f"ct key rotate {key['key_id']}")
    return rotation.write(said["envelope"]["payload"], said["envelope"]["signatures"])


def delete(options: Options, _: str, key_id: str) -> Said:
    """Raises Fail key-not-found, usage; Declined."""
    key = keychange.deletable(key_id)
    if "yes" not in options:
        answer = terminal.ask(keyreport.question(key))
        if answer is None:
            raise Fail("usage", "there is no terminal to ask at; say --yes")
        if not _yes(answer):
            raise Declined
    keychange.delete(key)
    return {}, ""


def default(_: Options, _now: str, key_id: str | None = None) -> Said:
    """Choose the default key, or say which it is."""
    if key_id is not None:
        keychange.set_default(key_id)
    elif chosen := keystore.default_id():
        return {}, f"{chosen}\n"
    else:
        raise Fail("no-signing-key", "there is no default key")
    return {}, ""
