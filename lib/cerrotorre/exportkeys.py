"""The keys and policies that come with an archive: keys to known/, where they make nothing trusted (spec/export.adoc, "Importing")."""

from cerrotorre import keychange, keyfile, keystore, policyread, policysay
from cerrotorre.errors import Fail, Finding, finding
from cerrotorre.typed import Any


def take(files: dict[str, bytes]) -> tuple[list[dict[str, Any]], list[Finding]]:
    """({"key_id", "fingerprint", "suite_id", "became", "path"} of each key in `files`, what is wrong with others).

    `became`: "known", now; "there", this very key before; "clash", another key of that id is there, or the key under another id, and
    was left alone.
    """
    taken: list[dict[str, Any]] = []
    wrong: list[Finding] = []
    try:
        _take(files, taken, wrong)
    except Fail as fail:
        # The store cannot be used; bundles were imported all the same, and that is told too.
        wrong.append(fail.finding)
    return taken, wrong


def _take(files: dict[str, bytes], taken: list[dict[str, Any]], wrong: list[Finding]) -> None:
    store = keystore.read_all()[0] if any(name.startswith("keys/") for name in files) else []
    for name, data in files.items():
        if not name.startswith("keys/"):
            continue
        try:
            key = keyfile.parse_import(data)
            if f"keys/{key['key_id']}.pub" != name or keyfile.write_public(key) != data:
                raise Fail("key-malformed", "it is not spelled as a public key file of that name")
        except Fail as fail:
            wrong.append(finding(fail.finding["finding"], f"{name}: {fail}"))
            continue
        said = {part: key[part] for part in ("key_id", "fingerprint", "suite_id")}
        held = [one for one in store if (one["key_id"], one["fingerprint"]) == (key["key_id"], key["fingerprint"])]
        if held:
            taken.append(said | {"became": "there", "path": held[0]["path"]})
            continue
        try:
            taken.append(said | {"became": "known", "path": keychange.add_public(key, trust=False)})
        except Fail as fail:
            if fail.finding["finding"] != "key-exists":
                raise
            taken.append(said | {"became": "clash", "path": None})


def policies(files: dict[str, bytes]) -> list[dict[str, Any]]:
    """{"name", "sentences": what it says, or None, "text"} of each policy in `files`."""
    found = []
    for name, data in files.items():
        if name.startswith("policy/"):
            try:
                said: list[str] | None = policysay.sentences(policyread.read(data, name))
            except Fail:
                said = None
            found.append({"name": name, "sentences": said, "text": data.decode("utf-8", "replace")})
    return found
