"""Policy files, made and changed: one rule at a time, what else is in the file staying byte for byte (jsonedit).

A change (here, in `policyadd` and in `policyremove`) takes the policy as parsed, changes it, and returns in sentences what that
means. `change` makes it in a file.
"""

import copy
import json
import os
import re
import stat
from collections.abc import Callable

from cerrotorre import jsonedit, jsonic, keychange, keystore, policyfile, policyread, policysay
from cerrotorre.alone import Alone
from cerrotorre.content import write_all
from cerrotorre.errors import Fail
from cerrotorre.glob import matches
from cerrotorre.newfile import NewFile
from cerrotorre.policyread import Policy
from cerrotorre.text import closest, meant
from cerrotorre.typed import Any

Key = dict[str, Any]


# -- the file --------------------------------------------------------------------------------------------------------------


def starter(keys: list[Key], registries: list[str], threshold: int = 1, *, sbom: bool = False, max_age: int = 0) -> Policy:
    """A policy that allows these keys, by id and fingerprint, and these registries (any, if none); `max_age` in days, 0 for any."""
    signers: dict[str, Any] = {"allowed": [entry_of(key) for key in keys]}
    if threshold > 1:
        signers["threshold"] = threshold
    policy: Policy = {"version": "1", "default_action": "deny", "signers": signers}
    if registries:
        policy["registries"] = {"allowed": registries}
    if sbom:
        policy["require_attestations"] = {"sbom": True}
    if max_age:
        policy["time"] = {"max_age_days": max_age}
    return policy


def load(path: str) -> Policy:
    """The policy in a file, read strictly. Raises Fail policy-unreadable if it is not there, policy-malformed, store-unsafe."""
    return policyread.read(policyfile.data(path), path)


def make(path: str, policy: Policy) -> None:
    """Write a new file, whole or not at all. Raises Fail policy-exists, policy-malformed, file-unwritable, store-unsafe."""
    # A link goes on pointing to what it points to.
    where = os.path.realpath(path)
    data = (json.dumps(policy, ensure_ascii=False, indent=2) + "\n").encode()
    policyread.read(data, path)
    keychange.make_directory(os.path.dirname(where))
    if os.path.lexists(path):
        raise exists(path)
    _write(where, data, None)


def _replace(path: str, held: bytes, policy: Policy) -> None:
    """Let the file, which held these bytes, say this policy: all of it or nothing, and what it says otherwise is all that changes."""
    data = jsonedit.rewrite(held.decode(), policy).encode()
    # What an editor of text made is not believed: it must say exactly this, and be a policy.
    if not jsonic.same(policyread.read(data, path), policy):
        raise Fail("internal", f"'{path}' is written in a way that is not changed safely; edit it yourself", File=path)
    if policyfile.data(path) != held:
        raise Fail("file-changed", f"'{path}' was changed meanwhile, so it was left as it is", File=path)
    where = os.path.realpath(path)
    _write(where, data, os.stat(where))


def exists(path: str) -> Fail:
    """That there is a policy, which is never overwritten."""
    return Fail("policy-exists", f"there is a '{path}' already", Policy=path)


def _write(where: str, data: bytes, before: os.stat_result | None) -> None:
    with NewFile(where, 0o600) as new:
        try:
            os.fchmod(new.fd, stat.S_IMODE(before.st_mode) & 0o777 if before else 0o644)
            made = os.fstat(new.fd)
            if before and (before.st_uid, before.st_gid) != (made.st_uid, made.st_gid):
                # A file that changed hands would be read by others than before, or not at all.
                os.fchown(new.fd, before.st_uid, before.st_gid)
            write_all(new.fd, data)
        except OSError as error:
            owner = " (it belongs to another user or group)" if isinstance(error, PermissionError) else ""
            raise Fail("file-unwritable", f"cannot write '{where}': {error.strerror}{owner}", File=where) from None
        try:
            new.commit(replace=before is not None, sync=True)
        except FileExistsError:
            raise exists(where) from None


def change(path: str, work: Callable[[Policy], list[str]]) -> tuple[list[str], Policy, Policy]:
    """Make a change in a file: (what it means, the policy before, after). If they are the same, the file was not touched.

    Raises Fail as `load` and `work` do, and policy-malformed, file-changed, file-unwritable; then the file is as it was.
    """
    # What cannot be read is said before anybody waits for the directory.
    load(path)
    with Alone(os.path.dirname(os.path.realpath(path))):
        held = policyfile.data(path)
        policy = policyread.read(held, path)
        before = copy.deepcopy(policy)
        said = work(policy)
        if not jsonic.same(before, policy):
            _replace(path, held, policy)
    return said, before, policy


# -- what is named on the command line -------------------------------------------------------------------------------------


def key_of(word: str) -> Key:
    """The key of the store with this id or fingerprint. Raises Fail key-not-found, which says which id is near; usage for a glob."""
    if set("*?") & set(word):
        what = (
            f"{word!r} would allow every key that is ever given such an id; if that is meant, write it into the policy by hand"
        )
        raise Fail("usage", what).proposing(f'{{"key_id": "{word}"}}')
    keys = keystore.load()[0]
    if re.fullmatch(policyread.FINGERPRINT[0], word):
        for key in keys:
            if key["fingerprint"] == word:
                return key
        raise Fail("key-not-found", f"no key of the key store has the fingerprint {word}")
    try:
        return keystore.find(word)
    except Fail as fail:
        near = meant(closest(word, [key["key_id"] for key in keys]))
        raise Fail(fail.finding["finding"], f"{fail}{near}", **fail.finding["context"]) from None


def operand(word: str, grammar: tuple[str, str]) -> str:
    """A word that a policy can hold there. Raises Fail usage."""
    if not re.fullmatch(grammar[0], word):
        raise Fail("usage", f"{word[:200]!r} is not {grammar[1]}")
    return word


def whole(text: str, most: int) -> int | None:
    """A number from 1 to `most`, in plain digits; None if the text is none."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0
    return number if 1 <= number <= most else None


def bad_patterns(patterns: list[str]) -> list[str]:
    """Those that a policy's `registries` cannot hold."""
    return [pattern for pattern in patterns if not re.fullmatch(policyread.REGISTRY_GLOB[0], pattern)]


# -- the change that others make too ----------------------------------------------------------------------------------------


def add_signer(policy: Policy, key: Key, *, required: bool, sources: list[str] | None = None) -> list[str]:
    """Allow a trusted key by id and fingerprint, for these sources or all. Raises Fail key-not-found if it is only known, usage."""
    key_id = key["key_id"]
    if not key["trusted"]:
        # "A key in `known/` matches no policy glob": the entry would do nothing.
        raise Fail("key-not-found", f"{key_id} is not trusted, only known by name").proposing(f"ct key trust {key_id}")
    sources = [operand(glob, policyread.REGISTRY_GLOB) for glob in sources or ()]
    signers = policy.setdefault("signers", {})
    first = "allowed" not in signers
    allowed = signers.setdefault("allowed", [])
    same = [entry for entry in allowed if {name: entry.get(name) for name in ("key_id", "fingerprint")} == entry_of(key)]
    open_to_all = next((entry for entry in same if "sources" not in entry), None)
    there = open_to_all if not sources else next((e for e in same if sorted(e.get("sources", ())) == sorted(sources)), None)
    must = f"Every bundle must be signed by {key_id} from now on."
    if there is None and open_to_all is not None and not required:
        narrower = f"To allow it for these only:  ct policy remove signer {key_id}, then this again"
        return [f"{key_id} is allowed already, for images from anywhere.", narrower]
    if there is not None:
        if not required or there.get("required"):
            return [f"{key_id} is allowed already."]
        there["required"] = True
        return [f"{key_id} is now required.", must]
    listed = [entry for entry in allowed if matches(entry.get("key_id", "*"), key_id)]
    listed = [entry for entry in listed if entry.get("fingerprint", key["fingerprint"]) == key["fingerprint"]]
    others = [entry for entry in listed if "sources" not in entry]
    allowed.append(entry_of(key) | ({"sources": sources} if sources else {}) | ({"required": True} if required else {}))
    said = [
        f"Allowed signer {key_id}  {key['fingerprint']}" + (f", for images from {policysay.listed(sources)}" if sources else "")
    ]
    if first and policy.get("default_action") != "allow":
        said.append("From now on only the signers that the policy lists are allowed.")
    elif others:
        said.append(f"Its signatures counted before as well: {policysay.label(others[0])} is allowed.")
    elif same and not sources:
        where = policysay.listed([glob for entry in same for glob in entry["sources"]])
        said.append(f"weaker: signatures by {key_id} count for images from anywhere, not only from {where}.")
    elif policy.get("default_action") == "allow" and not first and len(allowed) == 1:
        # An empty list allows none, whatever the default; one that is not empty lets in what it does not list.
        said.append("weaker: as default_action is allow, every trusted key that no entry names counts as well, where none did.")
    elif not first and (policy.get("default_action") != "allow" or listed):
        said.append(f"weaker: signatures by {key_id} count, where they did not.")
    return said + ([must] if required else [])


def entry_of(key: Key) -> dict[str, Any]:
    """The entry that names a key of the store."""
    return {"key_id": key["key_id"], "fingerprint": key["fingerprint"]}
