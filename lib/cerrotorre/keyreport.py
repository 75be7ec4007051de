"""What `ct key` says of keys: for people (spec/keys.adoc has the facts) and as JSON."""

import os

from cerrotorre import places, suites, terminal
from cerrotorre.keystore import Key
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


def facts(key: Key, default: str | None) -> dict[str, Any]:
    """The JSON object of a key."""
    names = ("key_id", "suite_id", "fingerprint", "components", "created", "expires", "rotated_into", "note", "trusted")
    made = {name: key[name] for name in names}
    return made | {"type": kind(key), "default": is_default(key, default), "path": shown(key["path"])}


def is_default(key: Key, default: str | None) -> bool:
    return (key["origin"], key["key_id"]) == ("keys", default)


def listing(keys: list[Key], default: str | None, *, fingerprints: bool = False) -> str:
    """The table of `ct key list`, with `fingerprints` in a column more."""
    if not keys:
        return "No keys yet. To make one:  ct keygen\n"
    rows = [("ID", "TYPE", "SUITE", "EXPIRES", "DEFAULT", *["FINGERPRINT"][:fingerprints])]
    for key in keys:
        chosen = terminal.mark("ok") if is_default(key, default) else ""
        rows.append(
            (key["key_id"], kind(key), key["suite_id"], key["expires"] or "-", chosen, *[key["fingerprint"]][:fingerprints])
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[0] += 1
    return "".join("  ".join(map(str.ljust, row, widths)).rstrip() + "\n" for row in rows)


def _table(pairs: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in pairs)
    return "".join(f"  {name:{width}}  {value}\n" for name, value in pairs)


def shown_key(key: Key, default: str | None) -> str:
    """What `ct key show` prints."""
    pairs = [
        ("Type", kind(key)),
        ("Suite", suite(key["suite_id"])),
        ("Fingerprint", key["fingerprint"]),
        ("Created", f"{key['created']}  (the key file's claim)" if key["created"] else "not said"),
        ("Expires", key["expires"] or "-"),
    ]
    if key["rotated_into"]:
        pairs.append(("Rotated into", key["rotated_into"]))
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


def accepted(key: Key, *, trusted: bool, before: bool = False) -> str:
    """What import and trust print."""
    key_id = key["key_id"]
    table = _table([("Fingerprint", key["fingerprint"]), ("Suite", suite(key["suite_id"]))])
    if not trusted:
        head = f"Imported {key_id}: it gives a name to a signer and is not trusted"
        return f"{head}\n\n{table}\nIf its owner confirms the fingerprint to you by another way:  ct key trust {key_id}\n"
    head = f"{key_id} is trusted already" if before else f"Trusted {key_id}"
    hint = f"\nTo admit it in your policy:  ct policy add-signer {key_id}\n" if has_policy() else ""
    return f"{head}\n\n{table}{hint}"


def has_policy() -> bool:
    """Whether the user's directory holds a policy, which a trusted key alone does not pass."""
    return os.path.exists(os.path.join(places.home_dir(), "policy.json"))


def question(key: Key) -> str:
    """What `ct key delete` asks."""
    what = "key pair" if key["private"] else "public key"
    loss = " Nothing can bring the private key back." if key["private"] else ""
    return f"Delete the {what} {key['key_id']} ({key['fingerprint']})?{loss} [y/N] "
