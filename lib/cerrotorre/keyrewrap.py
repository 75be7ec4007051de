"""Changing the passphrase of a private key file, or its cost (spec/keys.adoc, "Private key files")."""

from collections.abc import Callable

from cerrotorre import keychange, keystore, locked, privatekey
from cerrotorre.keystore import Key
from cerrotorre.typed import Any

Passphrase = Callable[[str], bytes | bytearray]


def cost(private: dict[str, Any], profile: str | None) -> dict[str, int]:
    """What guessing shall cost: a profile's, else the default's, unless the file asks for more already. Raises Fail usage."""
    wanted = privatekey.cost_of(profile)
    if profile is None and private["encrypted"]:
        before = {name: private["kdf"][name] for name in wanted}
        if before["t"] >= wanted["t"] and before["m"] >= wanted["m"]:
            return before
    return wanted


def rewrap(key_id: str, profile: str | None, passphrase: Passphrase, chosen: Passphrase | None) -> tuple[Key, str, str]:
    """Encrypt the private key anew under what `chosen` gives, or leave it unencrypted if that is None.

    The new file replaces the old one at once, and only after it was opened again. Returns the key, the file, and the cost in
    words. Raises Fail as keystore.signing_key does, usage, file-unwritable.
    """
    key, private, path = keystore.pair(key_id)
    new_cost = cost(private, profile)
    seeds = keystore.opened(key, private, path, lambda: passphrase(key["key_id"]))
    if chosen is None:
        data = privatekey.write_plain(key["suite_id"], seeds)
        again = privatekey.parse(data)["seeds"]
    else:
        secret = chosen(key["key_id"])
        data = keychange.seal(key, seeds, secret, new_cost)
        again = privatekey.open_seeds(privatekey.parse(data), secret)
    # A file that could not be opened would replace the only one that can.
    if again != seeds:
        raise ValueError("the new private key file does not open to the same key")
    keychange.write_file(path, data, 0o600, replace=True)
    locked.wipe(*seeds, *again)
    words = "NOT encrypted" if chosen is None else f"argon2id, {new_cost['m'] >> 10} MiB, {new_cost['t']} passes"
    return key, path, words
