"""What a registry lists as attached to an image: by the referrers API, or by the referrers tag (OCI distribution 1.1).

What is listed is a claim: whoever reads a manifest that is named here looks whether it names the subject.
"""

from cerrotorre import oci
from cerrotorre.digest import is_digest
from cerrotorre.distribution import Repository
from cerrotorre.errors import Fail
from cerrotorre.typed import Any


class NoIndex(Exception):
    """The referrers tag names something that is no index; `data` are its bytes."""

    def __init__(self, tag: str, data: bytes) -> None:
        self.tag, self.data = tag, data
        super().__init__(f"the tag {tag} is no index")


class TooMany(Exception):
    """More is listed than anybody looks at."""


def tag_of(digest: str) -> str:
    """The referrers tag of a digest."""
    return digest.replace(":", "-")


def by_api(repository: Repository, subject: str, most: int) -> list[Any] | None:
    """What the API lists, unchecked, at most so many; None without an API. Raises TooMany, Fail network."""
    answer = repository.referrers(subject, most)
    if answer is None:
        return None
    entries, whole = answer
    return _bounded(entries, most, whole)


def by_tag(repository: Repository, subject: str, most: int) -> list[Any]:
    """What the referrers tag lists, unchecked. Raises NoIndex, TooMany, Fail network."""
    tag = tag_of(subject)
    data = repository.tagged(tag)
    if data is None:
        return []
    try:
        entries = oci.document(data, tag).get("manifests")
    except Fail:
        entries = None
    if not isinstance(entries, list):
        raise NoIndex(tag, data)
    return _bounded(entries, most)


def _bounded(entries: list[Any], most: int, whole: bool = True) -> list[Any]:
    if len(entries) > most or not whole:
        raise TooMany
    return entries


def by_digest(entries: list[Any]) -> tuple[dict[str, Any], list[Any]]:
    """({digest: the last entry that names it}, in the digests' order; the entries without a digest that could be asked for)."""
    named: dict[str, Any] = {}
    others = []
    for entry in entries:
        digest = entry.get("digest") if isinstance(entry, dict) else None
        if is_digest(digest):
            named[str(digest)] = entry
        else:
            others.append(digest)
    return {digest: named[digest] for digest in sorted(named)}, others
