"""What an archive has besides bundles: the verifier for hosts without this program, public keys and policies (spec/export.adoc, "Members")."""

import os
from collections.abc import Iterable

from cerrotorre import content
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail
from cerrotorre.exportindex import MAX_KEYS, MAX_VERIFIER, POLICIES, VERIFIER
from cerrotorre.typed import Any


def verifier(path: str) -> dict[str, bytes]:
    """The program, under the name that it has in an archive. Raises Fail file-unreadable, usage."""
    fd = content.open_file(path)
    try:
        data = content.read_up_to(fd, MAX_VERIFIER + 1)
    finally:
        os.close(fd)
    if len(data) > MAX_VERIFIER or not data.startswith(b"#!"):
        raise Fail("usage", f"--verifier: '{path}' is no script of at most {MAX_VERIFIER} bytes")
    return {VERIFIER: data}


def keys(fingerprints: Iterable[str], signer: dict[str, Any] | None) -> dict[str, bytes]:
    """The public keys of these fingerprints, and the one that signs the archive, in the order of their ids.

    Raises Fail key-not-found where the store has one no more, usage where two have one id, or there are too many.
    """
    # Few archives have keys, or policies, and the start-up of all would pay for the imports.
    from cerrotorre import keyfile, keystore

    loaded, _ = keystore.load()
    store = {key["fingerprint"]: key for key in loaded}
    found: dict[str, keystore.Key] = {}
    wanted = [store.get(fingerprint) or _gone(fingerprint) for fingerprint in sorted(fingerprints)]
    for key in [*wanted, *([signer] if signer else [])]:
        other = found.setdefault(key["key_id"], key)
        if other["fingerprint"] != key["fingerprint"]:
            raise Fail("usage", f"--include-keys: two keys are called {key['key_id']}: the one of -k has another's name")
    if len(found) > MAX_KEYS:
        raise Fail("usage", f"--include-keys: {len(found)} keys signed these bundles, and an archive has at most {MAX_KEYS}")
    return {f"keys/{key_id}.pub": keyfile.write_public(found[key_id]) for key_id in sorted(found)}


def _gone(fingerprint: str) -> Any:
    raise Fail("key-not-found", "a key that signed a bundle is no more in the store", Fingerprint=fingerprint)


def policies(judged: dict[str, str]) -> dict[str, bytes]:
    """The policies by which the bundles were judged: {path: digest} of the files that ct-policy read.

    Raises Fail file-changed if one is another by now, usage if there was none.
    """
    from cerrotorre import places, policyfile

    found: dict[str, bytes] = {}
    host = os.path.join(places.host_dir(), "policy.json")
    for path, digest in judged.items():
        data = policyfile.data(path)
        if sha256(data) != digest:
            raise Fail("file-changed", f"'{path}' is not the policy any more by which the bundles were judged", File=path)
        found[POLICIES[path == host]] = data
    if not found:
        raise Fail("usage", "--include-policy: there is no policy here that could be included").proposing("ct policy init")
    return {name: found[name] for name in POLICIES if name in found}


def listed(files: dict[str, bytes]) -> list[dict[str, Any]]:
    """`files` of the index, in the order given."""
    return [{"name": name, "size": len(data), "digest": sha256(data)} for name, data in files.items()]
