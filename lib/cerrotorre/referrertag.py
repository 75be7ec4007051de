"""The referrers tag of a registry that has no referrers API: others' entries kept, ours added (spec/moving.adoc, "In a registry")."""

import os
import time

from cerrotorre import jsonic, oci, referrers
from cerrotorre.digest import is_digest, sha256
from cerrotorre.distribution import Conflict, Repository
from cerrotorre.errors import Fail
from cerrotorre.manifest import OCI_INDEX
from cerrotorre.typed import Any

TRIES = 40
# Changes that were taken, and of which nothing is to be seen: others' changes may look so, but hardly so many times.
IGNORED = 5
# Seconds before the list is read again after it was changed, and how many times as long as the change took.
PAUSE, LONGER, MOST_PAUSE = 0.25, 3, 10.0
# So many entries of others are asked whether their manifests exist; the rest are kept as they are.
ASKED = 256


def add(repository: Repository, subject: str, entry: oci.Descriptor) -> None:
    """List `entry` under the referrers tag of the digest `subject`, and see that it stays.

    Raises Fail network; destination-exists if the tag names something that is no index; not-arrived if others take it out each time.
    """
    tag = referrers.tag_of(subject)
    gone: dict[str, bool] = {}
    conditional, before = True, None
    # What was there before a change that was taken.
    replaced: tuple[bytes | None] | None = None
    ignored = 0
    for _ in range(TRIES):
        begun = time.monotonic()
        held = repository.described(tag)
        ignored = ignored + 1 if replaced == (held and held[0],) else 0 if replaced else ignored
        if ignored == IGNORED:
            break
        replaced = None
        index: oci.Document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
        if held:
            index = _index(held[0], tag)
        if entry["digest"] in map(_digest, index["manifests"]):
            return
        if unknown := [one for one in map(_digest, index["manifests"]) if one and one not in gone][: ASKED - len(gone)]:
            for digest in unknown:
                gone[digest] = _is_gone(repository, digest)
            # That takes its time, in which others may change the list.
            continue
        kept = [one for one in index["manifests"] if not gone.get(_digest(one))]
        data = jsonic.canonical({**index, "manifests": [*kept, entry]})
        if len(data) > oci.MAX_DOCUMENT:
            raise Fail("network", f"the list under {tag} would be over {oci.MAX_DOCUMENT} bytes", Registry=repository.host)
        if held and held[0] == before:
            # Refused, though nobody changed it: its ETag is none that it takes (a proxy may have weakened it).
            conditional = False
        condition = {"If-Match": held[1].get("etag") or f'"{sha256(held[0])}"'} if held else {"If-None-Match": "*"}
        try:
            repository.put_manifest(tag, data, OCI_INDEX, headers=condition if conditional else None)
        except Conflict:
            before = held and held[0]
            time.sleep(PAUSE * _chance())
            continue
        before, replaced = None, (held and held[0],)
        # Registries that ignore conditions are the rule: whoever read the list before this change may still write theirs.
        time.sleep(min(max(PAUSE, LONGER * (time.monotonic() - begun)), MOST_PAUSE) * (1 + _chance()))
    why = "is taken, and not there afterwards" if ignored == IGNORED else "was changed by others each time"
    raise Fail("not-arrived", f"{tag} {why}", Registry=repository.host, Bundle_manifest=entry["digest"])


def holds(repository: Repository, subject: str, digest: str) -> bool:
    """Whether the referrers tag of `subject` lists `digest`."""
    tag = referrers.tag_of(subject)
    held = repository.described(tag)
    return held is not None and digest in map(_digest, _index(held[0], tag)["manifests"])


def _index(data: bytes, tag: str) -> oci.Document:
    """The index under the tag: strictly JSON, its entries as they are."""
    try:
        index = oci.document(data, tag)
    except Fail:
        index = {}
    if not isinstance(index.get("manifests"), list) or index.get("mediaType", OCI_INDEX) != OCI_INDEX:
        raise Fail("destination-exists", f"the tag {tag} names something that is no index", Actual=sha256(data)).proposing(
            f"delete the tag {tag}, which is reserved for what refers to the image"
        )
    return index


def _digest(entry: Any) -> str:
    """The digest that an entry names, "" if it names none that could be asked for."""
    named = entry.get("digest") if isinstance(entry, dict) else None
    return str(named) if is_digest(named) else ""


def _is_gone(repository: Repository, digest: str) -> bool:
    try:
        return not repository.has(digest)
    except Fail:
        # What cannot be asked for is not known to be gone.
        return False


def _chance() -> float:
    """0 to 1, so that those who change the same list do not keep step."""
    return os.urandom(1)[0] / 255
