"""A key file vouched for by an OpenPGP signature that a keyring of the user's trusts already (spec/keys.adoc, "Importing").

GnuPG judges, by python-gnupg, in a home of its own that is made for this and removed: no configuration, no other keys, no network.
"""

import math
import os
import shutil
from collections.abc import Mapping

from cerrotorre import owned
from cerrotorre.errors import Fail

MAX_SIGNATURE, MAX_KEYRING = 64 << 10, 16 << 20
# Of GnuPG's time: what pretends to be a signature can unpack to any size.
SECONDS = 20
# RFC 9580 §9.5: SHA2-256, 384, 512, SHA3-256 and 512. GnuPG still takes SHA-1 of data, for which collisions are made.
_HASHES = frozenset({"8", "9", "10", "12", "14"})
_STATUS = "[GNUPG:] "
# What GnuPG says of a signature that does not count (doc/DETAILS), in words.
_REFUSED = {
    "EXPSIG": "the signature has expired",
    "EXPKEYSIG": "the key that signed has expired",
    "REVKEYSIG": "the key that signed was revoked",
    "ERRSIG": "a key that is not in the keyring, or an algorithm that GnuPG does not know",
}
_OPTIONS = [
    "--no-options",
    "--no-autostart",
    "--disable-dirmngr",
    "--no-auto-key-locate",
    "--no-auto-key-retrieve",
    "--no-auto-check-trustdb",
    # Being in the keyring that was named is what trust means here.
    "--trust-model=always",
]


def check(data: bytes, signature: str, keyring: str, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Who vouches for the bytes: {"fingerprint": the primary key's, "user": its first name, a claim of whoever made it}.

    As with a bundle's signatures, those of strangers do nothing, one good one is enough, and one that a key of the keyring did not
    make but should have refuses all. Raises Fail vouch-malformed, vouch-invalid, vouch-untrusted, tool-missing, store-unsafe,
    file-unreadable.
    """
    env = os.environ if env is None else env
    program = shutil.which("gpg", path=env.get("PATH"))
    if program is None:
        raise Fail("tool-missing", "gpg (GnuPG) is not installed", Program="gpg")
    said = _bytes(signature, MAX_SIGNATURE, guarded=False)
    # Who can write it decides who is trusted.
    keys = _bytes(keyring, MAX_KEYRING, guarded=True)
    home = owned.temporary(env)
    try:
        return _judge(_gpg(program, home, said, keys, data), signature, keyring)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _bytes(path: str, limit: int, *, guarded: bool) -> bytes:
    data = owned.read(path, limit, guarded=guarded)
    if data is None:
        raise Fail("file-unreadable", f"there is no '{path}'", File=path)
    if len(data) > limit:
        raise Fail("vouch-malformed", f"'{path}' is longer than {limit} bytes", File=path)
    return data


def _gpg(program: str, home: str, signature: bytes, keys: bytes, data: bytes) -> tuple[int, list[tuple[str, str]]]:
    """(how many keys the keyring gave, what GnuPG said of each signature: [(keyword, value)])."""
    import resource

    import gnupg

    class Unheard(gnupg.Verify):  # type: ignore[misc]
        """What python-gnupg takes for status lines, it takes from standard error, where GnuPG repeats what a stranger's signature
        says, and it ends a line at characters that GnuPG does not escape there."""

        def handle_status(self, key: str, value: str) -> None:
            pass

    path, status = os.path.join(home, "signature"), os.path.join(home, "status")
    with open(path, "xb") as file:
        file.write(signature)
    gpg = gnupg.GPG(gpgbinary=program, gnupghome=home, options=_OPTIONS)
    gpg.result_map = {**gpg.result_map, "verify": Unheard}
    imported = gpg.import_keys(keys)
    before, most = resource.getrlimit(resource.RLIMIT_CPU)
    # GnuPG inherits the limit, and begins at nought; what this process has used already is its own.
    limit = SECONDS + math.ceil(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
    resource.setrlimit(resource.RLIMIT_CPU, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))
    try:
        # The last one counts: python-gnupg says `--status-fd 2` before.
        verified = gpg.verify_data(path, data, extra_args=[f"--status-file={status}"])
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (before, most))
    # What a signal ended has not said all.
    return imported.count or 0, _heard(status) if verified.returncode >= 0 else []


def _heard(path: str) -> list[tuple[str, str]]:
    """The status lines in a file. In these GnuPG escapes control characters, so that LF ends a line, and nothing else does."""
    try:
        with open(path, "rb") as file:
            lines = file.read().decode("latin-1").split("\n")
    except FileNotFoundError:
        return []
    parts = [line.removeprefix(_STATUS).partition(" ") for line in lines if line.startswith(_STATUS)]
    return [(keyword, value) for keyword, _, value in parts]


def _judge(found: tuple[int, list[tuple[str, str]]], signature: str, keyring: str) -> dict[str, str]:
    count, heard = found
    files = {"Signature": signature, "Keyring": keyring}
    if not count:
        raise Fail("vouch-malformed", f"'{keyring}' holds no OpenPGP public key", **files)
    good: list[dict[str, str]] = []
    reasons: list[str] = []
    user = None
    for keyword, value in heard:
        words = value.split(" ")
        if keyword == "BADSIG":
            raise Fail("vouch-invalid", f"the signature by {_name(value)} is not over this key file", **files)
        if keyword == "NEWSIG":
            user = None
        elif keyword == "GOODSIG":
            user = _name(value)
        elif keyword in _REFUSED:
            user = None
            reasons.append(f"{_REFUSED[keyword]} ({words[0]})")
        elif keyword == "VALIDSIG" and user is not None:
            if len(words) < 10 or words[8] != "00":
                reasons.append(f"the signature by {user} is not over the file's bytes, but over its text")
            elif words[7] not in _HASHES:
                reasons.append(f"the signature by {user} rests on a hash that is not safe any more")
            else:
                good.append({"fingerprint": words[9], "user": user})
            user = None
    if good:
        return good[0]
    if not any(keyword in _REFUSED or keyword in ("GOODSIG", "VALIDSIG") for keyword, _ in heard):
        raise Fail("vouch-malformed", f"'{signature}' is not a detached OpenPGP signature", **files)
    raise Fail("vouch-untrusted", "; ".join(dict.fromkeys(reasons)), **files)


def _name(value: str) -> str:
    # After the key's id comes a user id, percent-escaped where it would break the line.
    return value.partition(" ")[2].encode("latin-1", "replace").decode("utf-8", "replace")[:200]
