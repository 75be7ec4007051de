"""Changes of the key store: make, import, trust, delete and choose keys (spec/keys.adoc, "The store").

Whatever is written is written beside, synced, and given its name only when it is whole; nothing but keys/default, a .local and
(by `keyrewrap`) a .key is ever replaced. An interruption leaves no temporary file.
"""

import os
import re

from cerrotorre import config, keyfile, keystore, locked, owned, places, privatekey, suites, times
from cerrotorre.commandline import Options
from cerrotorre.content import write_all
from cerrotorre.errors import Fail
from cerrotorre.keystore import Key
from cerrotorre.newfile import NewFile, sync_directory
from cerrotorre.typed import Any


def make_directory(path: str) -> None:
    """The directory and its missing parents, 0700 whatever the umask, and safe. Raises Fail store-unsafe, file-unwritable."""
    missing = []
    while path and not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for new in reversed(missing):
        try:
            os.mkdir(new, 0o700)
            os.chmod(new, 0o700)
            sync_directory(os.path.dirname(new) or ".")
        except FileExistsError:
            pass
        except OSError as error:
            raise Fail("file-unwritable", f"cannot make the directory '{new}': {error.strerror}", Directory=new) from None


def _open_store(origin: str) -> str:
    where = keystore.directory(origin)
    make_directory(where)
    for path in (places.home_dir(), where):
        owned.check_directory(path)
    return where


def write_file(path: str, data: bytes, mode: int, *, replace: bool = False) -> None:
    """Write the whole file or nothing; `mode` is exact. Raises Fail key-exists unless `replace`, file-unwritable."""
    with NewFile(path, 0o600) as new:
        try:
            os.fchmod(new.fd, mode)
            write_all(new.fd, data)
        except OSError as error:
            raise Fail("file-unwritable", f"'{path}': {error.strerror}", File=path) from None
        try:
            new.commit(replace=replace, sync=True)
        except FileExistsError:
            raise Fail("key-exists", f"there is a '{path}' already", File=path) from None


def _remove(path: str) -> bool:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def refuse_taken(key_id: str, output: str | None = None) -> None:
    """Raise Fail key-exists if an id cannot be a new pair's, in any store or in the directory `output`."""
    base = f"{keystore.directory('keys') if output is None else output}/{key_id}"
    for path in (base + ".pub", base + ".key"):
        if os.path.lexists(path):
            fail = Fail("key-exists", f"there is a '{path}' already", File=path)
            if path.endswith(".key"):
                # It is never overwritten, whatever it is.
                fail.proposing(f"if its public half was never written, as after a power failure: rm {path}")
            raise fail
    if output is None:
        _refuse_second(key_id, [])


def _refuse_second(key_id: str, components: list[str]) -> None:
    # A second holder of an id or a component would make both unusable.
    for key in keystore.read_all()[0]:
        if key["key_id"] == key_id or set(key["components"]) & set(components):
            what = "a key of that id" if key["key_id"] == key_id else f"this key, as {key['key_id']}"
            fail = Fail("key-exists", f"the key store has {what}: '{key['path']}'", Fingerprint=key["fingerprint"])
            if set(key["components"]) & set(components):
                # Another name would not help.
                fail.proposing(f"ct key show {key['key_id']}", *[f"ct key trust {key['key_id']}"][: not key["trusted"]])
            raise fail


def refuse_key(key: keyfile.Public) -> None:
    """Raise Fail key-exists if a public key cannot be added: its id or a component of it is in the store."""
    _refuse_second(key["key_id"], suites.component_fingerprints(key["suite_id"], key["publics"]))


def wanted(options: Options, created: str) -> dict[str, Any]:
    """What `generate` is to make by the options of `ct key generate`: its arguments but for the passphrase.

    Whatever can be wrong with them is said here, before somebody types a passphrase for nothing. Raises Fail usage, key-exists,
    config-malformed and what `suites.components` raises.
    """
    key_id, expires, output = options.get("id"), options.get("expires"), options.get("output")
    suite_id = options["suite"] if "suite" in options else config.read()["defaults"].get("suite", suites.DEFAULT)
    profile = options.get("profile")
    key_id = suggested_id(created[:4]) if key_id is None else _usable_id(key_id)
    if expires is not None:
        _check_later(expires, created)
    try:
        suites.backends(suite_id)
    except Fail as fail:
        if "suite" not in options:
            fail.finding["context"]["Named by"] = "[defaults] suite in config.toml"
        raise
    privatekey.cost_of(profile)
    if "no-password" in options and options.keys() & {"passphrase-fd", "passphrase-file", "profile"}:
        raise Fail("usage", "--no-password goes with no passphrase and no profile")
    refuse_taken(key_id, output)
    made = {"key_id": key_id, "suite_id": suite_id, "created": created}
    return made | {"expires": expires, "profile": profile, "output": output}


def _usable_id(text: str) -> str:
    if not keyfile.is_id(text):
        raise Fail("usage", f"not a key id: {text[:80]!r}")
    return text


def _check_later(expires: str, created: str) -> None:
    try:
        end = keyfile.check_expiry(expires)
    except Fail as fail:
        raise Fail("usage", str(fail)) from None
    if end <= times.epoch(created):
        raise Fail("usage", f"--expires {expires} is not after {created}")


def suggested_id(year: str) -> str:
    """USER-YEAR, the user's name in the letters of an id."""
    import pwd

    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = ""
    plain = re.sub("[^A-Za-z0-9._-]+", "-", name).lstrip("._-")[:58]
    return f"{plain or 'user'}-{year}"


def generate(
    key_id: str,
    suite_id: str,
    *,
    created: str,
    expires: str | None = None,
    passphrase: bytes | bytearray | None,
    profile: str | None = None,
    output: str | None = None,
    seeds: list[Any] | None = None,
) -> dict[str, Any]:
    """A new key pair in keys/, or in the directory `output`; the store's first pair becomes the default.

    Without a passphrase (None) the private key is not encrypted. `seeds` are new ones unless given. Returns {key_id, suite_id, fingerprint, created, expires,
    public_key: path, private_key: path, encrypted, default}. Raises Fail key-exists and what writing raises.
    """
    if seeds is None:
        seeds = [locked.take(seed) for seed in suites.generate(suite_id)]
    publics = privatekey.publics(suite_id, seeds)
    key = {
        "key_id": key_id,
        "suite_id": suite_id,
        "fingerprint": suites.fingerprint(suite_id, publics),
        "created": created,
        "publics": publics,
    }
    if passphrase is None:
        secret = privatekey.write_plain(suite_id, seeds)
    else:
        secret = seal(key, seeds, passphrase, privatekey.cost_of(profile))
    if output is None:
        _refuse_second(key_id, suites.component_fingerprints(suite_id, publics))
        base = f"{_open_store('keys')}/{key_id}"
    else:
        make_directory(output)
        base = os.path.join(output, key_id)
    # The .pub comes last: it is what makes the pair exist for a reader.
    files = [(base + ".key", secret, 0o600), (base + ".pub", keyfile.write_public(key), 0o644)]
    if expires:
        files.insert(1, (base + ".local", keyfile.write_local({"expires": expires}), 0o644))
    _write_all(files)
    default = output is None and keystore.default_id() is None
    if default:
        set_default(key_id)
    made = {name: key[name] for name in ("key_id", "suite_id", "fingerprint", "created")}
    paths = {"public_key": base + ".pub", "private_key": base + ".key"}
    return made | {"expires": expires} | paths | {"encrypted": passphrase is not None, "default": default}


def seal(key: dict[str, Any], seeds: list[Any], passphrase: bytes | bytearray, cost: dict[str, int]) -> bytes:
    """The encrypted private key file of {key_id, suite_id, …}, under a new salt and nonce."""
    salt, nonce = os.urandom(privatekey.SALT_SIZE), os.urandom(privatekey.NONCE_SIZE)
    try:
        return privatekey.seal(key["key_id"], key["suite_id"], seeds, passphrase, cost, salt=salt, nonce=nonce)
    except Fail as fail:
        # As where there is not enough memory.
        fail.finding["context"]["Key"] = key["key_id"]
        raise


def _write_all(files: list[tuple[str, bytes, int]]) -> None:
    written: list[str] = []
    try:
        for path, data, mode in files:
            write_file(path, data, mode)
            written.append(path)
    except BaseException:
        for path in written:
            _remove(path)
        raise


def named(key: keyfile.Public, key_id: str | None) -> keyfile.Public:
    """An imported key under the id given, else under its own. Raises Fail usage if there is neither, or what is given is no id."""
    if key_id is None and key["key_id"] is None:
        raise Fail("usage", "the key names no id; give it one with --id")
    return key | {"key_id": _usable_id(key["key_id"] if key_id is None else key_id)}


def add_public(key: keyfile.Public, *, trust: bool) -> str:
    """Put a public key (with its id) into trusted/ or known/; returns its path. Raises Fail key-exists and what writing raises."""
    refuse_key(key)
    path = f"{_open_store('trusted' if trust else 'known')}/{key['key_id']}.pub"
    write_file(path, keyfile.write_public(key), 0o644)
    return path


def trust(key_id: str) -> Key:
    """Move a key from known/ to trusted/; one that is trusted already stays. Returns the key as it was found.

    If the machine stops between the two steps, the key lies in both stores and is unusable until one file is removed.
    """
    key = keystore.find(key_id)
    if key["trusted"]:
        return key
    for algorithm, public in zip(suites.components(key["suite_id"]), key["publics"], strict=True):
        suites.check_public(algorithm, public)
    new, old = f"{_open_store('trusted')}/{key_id}", key["path"].removesuffix(".pub")
    facts = {name: key[name] for name in ("expires", "rotated_into", "note") if key[name]}
    files = [(new + ".local", keyfile.write_local(facts), 0o644)] if facts else []
    if os.path.lexists(old + ".rotation"):
        files.append((new + ".rotation", keystore.read_file(old + ".rotation"), 0o644))
    _write_all([*files, (new + ".pub", keyfile.write_public(key), 0o644)])
    delete_files(old)
    return key


def delete_files(base: str) -> None:
    """Remove a key's files, the secret one first."""
    for suffix in (".key", ".pub", ".local", ".rotation"):
        _remove(base + suffix)
    sync_directory(os.path.dirname(base))


def deletable(key_id: str) -> Key:
    """The user's key of that id, usable or not. Raises Fail key-not-found if there is none, several, or it is the host's."""
    found = [key for key in keystore.read_all()[0] if key["key_id"] == key_id and key["origin"] != "host"]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Fail("key-not-found", f"your key store holds no key {key_id[:80]!r}")
    raise Fail(
        "key-not-found",
        f"{key_id} occurs more than once; remove the file that is wrong",
        Files=", ".join(k["path"] for k in found),
    )


def delete(key: Key) -> None:
    """Delete a key that `deletable` gave; a default that names it goes too."""
    if key["origin"] == "keys" and keystore.default_id() == key["key_id"]:
        _remove(os.path.dirname(key["path"]) + "/default")
    delete_files(key["path"].removesuffix(".pub"))


def set_default(key_id: str) -> None:
    """Make a pair of keys/ the default. Raises Fail key-not-found."""
    key = keystore.find(key_id)
    if key["origin"] != "keys" or not key["private"]:
        raise Fail("key-not-found", f"{key_id} is not a key pair of yours", File=key["path"])
    write_file(os.path.dirname(key["path"]) + "/default", f"{key_id}\n".encode("ascii"), 0o644, replace=True)


def set_local(key: Key, facts: dict[str, str | None]) -> None:
    """Change local facts of a key of the user's (keyfile.write_local); the others stay. Raises Fail key-not-found for the host's."""
    if key["origin"] == "host":
        raise Fail("key-not-found", f"{key['key_id']} is the host's; only its administrator changes what is known of it")
    known = {name: key[name] for name in ("expires", "rotated_into", "note")} | facts
    path = key["path"].removesuffix(".pub") + ".local"
    data = keyfile.write_local({name: text for name, text in known.items() if text})
    if data:
        write_file(path, data, 0o644, replace=True)
    elif _remove(path):
        sync_directory(os.path.dirname(path))
