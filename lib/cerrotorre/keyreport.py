"""What `ct key` says of keys: for people (spec/keys.adoc has the facts) and as JSON."""

import os
from collections.abc import Sequence

from cerrotorre import places, suites, terminal, times
from cerrotorre.keystore import DAY, SOON, Key
from cerrotorre.text import shown
from cerrotorre.typed import Any

_TYPES = {"trusted": "public", "known": "known", "host": "host"}


def kind(key: Key) -> str:
    """keypair, public (trusted), known (not trusted), or host (trusted by this host)."""
    if key["origin"] == "keys":
        return "keypair" if key["private"] else "public"
    return _TYPES[key["origin"]]


def short(path: str) -> str:
    """The path as people read it, ~ for the home directory."""
    home = os.environ.get("HOME", "").rstrip("/")
    return shown("~" + path[len(home) :] if home and path.startswith(home + "/") else path)


def suite(suite_id: str) -> str:
    return f"{suite_id} ({', '.join(suites.SUITES[suite_id])})"


def left(key: Key, now: int) -> int | None:
    """Seconds until a key expires, below zero if it has; None if it never does."""
    return None if key["expires"] is None else times.epoch(key["expires"], end_of_day=True) - now


def _expires(key: Key, now: int) -> str:
    seconds = left(key, now)
    if seconds is None:
        return "-"
    days = seconds // DAY
    soon = f" (in {days} day{'s' * (days != 1)})" if days else " (today)"
    return f"{key['expires']}{' (expired)' if seconds < 0 else soon if seconds <= SOON else ''}"


def clocked(key: Key, default: str | None, now: int) -> dict[str, Any]:
    """`facts`, and what the clock makes of its expiry."""
    seconds = left(key, now)
    expired = seconds is not None and seconds < 0
    return facts(key, default) | {
        "expired": expired,
        "expires_soon": seconds is not None and not expired and seconds <= SOON,
    }


def facts(key: Key, default: str | None) -> dict[str, Any]:
    """The JSON object of a key."""
    names = ("key_id", "suite_id", "fingerprint", "components", "created", "expires", "rotated_into", "note", "trusted")
    made = {name: key[name] for name in names}
    return made | {"type": kind(key), "default": is_default(key, default), "path": shown(key["path"])}


def is_default(key: Key, default: str | None) -> bool:
    return (key["origin"], key["key_id"]) == ("keys", default)


def listing(keys: list[Key], default: str | None, now: int, *, fingerprints: bool = False) -> str:
    """The table of `ct key list`, with `fingerprints` in a column more; `now` in seconds since 1970."""
    if not keys:
        return "No keys yet. To make one:  ct keygen\n"
    rotations = any(key["rotated_into"] for key in keys)
    rows = [
        ("ID", "TYPE", "SUITE", "EXPIRES", "DEFAULT", *["ROTATED INTO"][:rotations], *["FINGERPRINT"][:fingerprints]),
    ]
    for key in keys:
        chosen = terminal.mark("ok") if is_default(key, default) else ""
        more = [*[key["rotated_into"] or ""][:rotations], *[key["fingerprint"]][:fingerprints]]
        rows.append((key["key_id"], kind(key), key["suite_id"], _expires(key, now), chosen, *more))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[0] += 1
    return "".join("  ".join(map(str.ljust, row, widths)).rstrip() + "\n" for row in rows)


def _table(pairs: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in pairs)
    return "".join(f"  {name:{width}}  {value}\n" for name, value in pairs)


def shown_key(key: Key, default: str | None, now: int, before: Sequence[str] = ()) -> str:
    """What `ct key show` prints; `before` are the keys that were rotated into this one."""
    pairs = [
        ("Type", kind(key)),
        ("Suite", suite(key["suite_id"])),
        ("Fingerprint", key["fingerprint"]),
        ("Created", f"{key['created']}  (the key file's claim)" if key["created"] else "not said"),
        ("Expires", _expires(key, now)),
    ]
    if key["rotated_into"]:
        pairs.append(("Rotated into", key["rotated_into"]))
    if before:
        pairs.append(("Took over from", f"{', '.join(before)}: they count as one signer"))
    if key["note"]:
        pairs.append(("Note", shown(key["note"])))
    pairs.append(("Trusted", "yes" if key["trusted"] else "no, it only gives a name to a signer"))
    pairs.append(("Default", "yes" if is_default(key, default) else "no"))
    pairs.append(("Public key", short(key["path"])))
    if key["private"]:
        pairs.append(("Private key", short(key["path"].removesuffix(".pub") + ".key")))
    return f"{key['key_id']}\n{_table(pairs)}"


def generated(made: dict[str, Any]) -> str:
    """What `ct keygen` prints; `made` is what `keychange.generate` returns."""
    secret = "(encrypted, argon2id)" if made["encrypted"] else "(NOT encrypted: whoever can read this file can sign as you)"
    pairs = [
        ("Public key", short(made["public_key"])),
        ("Private key", f"{short(made['private_key'])}  {secret}"),
        ("Fingerprint", made["fingerprint"]),
        ("Suite", suite(made["suite_id"])),
    ]
    if made["expires"]:
        pairs.append(("Expires", made["expires"]))
    head = f"Generated key {made['key_id']}\n\n{_table(pairs)}"
    if os.path.dirname(made["public_key"]) != os.path.join(places.home_dir(), "keys"):
        return head
    return f"{head}\nTo share it:  ct key export {made['key_id']} --public\n"


def accepted(
    key: Key, *, trusted: bool, before: bool = False, voucher: dict[str, str] | None = None, old: Key | None = None
) -> str:
    """What import and trust print: of a key that somebody vouches for, and of one that took over from an `old` one."""
    key_id = key["key_id"]
    pairs = [("Fingerprint", key["fingerprint"]), ("Suite", suite(key["suite_id"]))]
    if voucher:
        pairs.append(("Vouched for by", f"OpenPGP {voucher['fingerprint']}  {shown(voucher['user'])}"))
    if old:
        names = "which you trust" if old["trusted"] else "which you do not trust"
        pairs.append(("Takes over from", f"{old['key_id']}, {names}: the two count as one signer"))
    if trusted:
        return f"{key_id} is trusted already\n\n{_table(pairs)}" if before else f"Trusted {key_id}\n\n{_table(pairs)}"
    head = f"Imported {key_id}: it gives a name to a signer and is not trusted"
    known = (old and old["trusted"]) or voucher
    hint = "To trust it" if known else "If its owner confirms the fingerprint to you by another way"
    return f"{head}\n\n{_table(pairs)}\n{hint}:  ct key trust {key_id}\n"


def is_it(key: dict[str, Any]) -> str:
    """What import asks of a key that a network gave."""
    return f"{key['key_id']}  {suite(key['suite_id'])}\n{key['fingerprint']}\nIs this what its owner told you by another way? [y/N] "


def rotated(old: str, key: Key, *, default: bool, configured: bool = False) -> str:
    """What rotate prints; `configured`: config.toml names the old key as the one that signs."""
    base = os.path.dirname(key["path"])
    pairs = [
        ("Fingerprint", key["fingerprint"]),
        ("Suite", suite(key["suite_id"])),
        ("Statement", short(f"{base}/{old}.rotation")),
    ]
    if configured:
        pairs.append(("Default", f"{old} still, in config.toml:  ct config set defaults.key {key['key_id']}"))
    elif default:
        pairs.append(("Default", f"{key['key_id']} signs from now on"))
    share = f"  ct key export {key['key_id']} --public\n  ct key export {old} --rotated\n"
    kept = f"Keep {old}.pub: what it signed goes on counting, and the two count as one signer."
    return f"Rotated {old} into {key['key_id']}\n\n{_table(pairs)}\n{kept}\nFor those who trust {old}:\n{share}"


def rewrapped(key: Key, path: str, words: str) -> str:
    """What passphrase prints."""
    return f"Wrote the private key of {key['key_id']} anew\n\n{_table([('Private key', f'{short(path)}  ({words})')])}"


def expiry(key: Key) -> str:
    """What expires prints."""
    return f"{key['key_id']} expires {key['expires']}\n" if key["expires"] else f"{key['key_id']} does not expire\n"


def admit(key: Key, path: str) -> str:
    """What is asked once a key is trusted."""
    return f"Admit signatures by {key['key_id']} {key['fingerprint']} in {short(path)} too? [y/N] "


def to_admit(key: Key) -> str:
    return f"\nTo admit it in your policy:  ct policy add-signer {key['key_id']}\n"


def question(key: Key) -> str:
    """What `ct key delete` asks."""
    what = "key pair" if key["private"] else "public key"
    loss = " Nothing can bring the private key back." if key["private"] else ""
    return f"Delete the {what} {key['key_id']} ({key['fingerprint']})?{loss} [y/N] "
