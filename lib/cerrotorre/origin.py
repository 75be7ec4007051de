"""The blobs of a bundle that lie in a registry, and of one that lies without them: where its image came from (spec/moving.adoc)."""

from cerrotorre.content import Entry
from cerrotorre.errors import Fail
from cerrotorre.reference import parse
from cerrotorre.remote import REGISTRY
from cerrotorre.typed import Any

# Asked for at the same time; named in a finding.
AT_ONCE, NAMED = 8, 20
_DOCUMENTS = ("index", "manifest")


def content(manifest: dict[str, Any]) -> list[Entry]:
    """The content of a record of this manifest, its blobs lying where the image came from.

    Raises Fail blob-unreachable, naming every blob, if that is no registry.
    """
    provenance = manifest["provenance"]
    try:
        if "registry" not in provenance:
            raise Fail("reference")
        found = parse(provenance["source"])
    except Fail:
        came = f"its image came from {provenance['source']}, which is no registry"
        instead = ("ct push FILE HOST/PATH", "ct pack HOST/PATH -o FILE")
        raise _unreachable(came, manifest["content"], None).proposing(*instead) from None
    at = {"url": f"{REGISTRY}{found['host']}/{found['path']}", "offset": 0}
    return [{**entry, "at": at} for entry in manifest["content"]]


def must_have(content: list[Entry]) -> None:
    """Ask for each blob that lies in a registry, and take none. Raises Fail blob-unreachable, naming those that are not there, or network."""
    if lost := missing(content, mirrors=False):
        where = lost[0]["at"]["url"].removeprefix(REGISTRY)
        raise _unreachable(f"{where} does not have {len(lost)} of the blobs", lost, where)


def missing(content: list[Entry], *, mirrors: bool = True) -> list[Entry]:
    """The blobs that lie in a registry which does not have them, nor has a mirror of it. Raises Fail network."""
    from concurrent.futures import ThreadPoolExecutor

    there = [entry for entry in content if entry["at"].get("url", "").startswith(REGISTRY)]
    threads = ThreadPoolExecutor(AT_ONCE)
    try:
        answers = list(threads.map(lambda entry: _is_missing(entry, mirrors), there))
    finally:
        threads.shutdown(cancel_futures=True)
    return [entry for entry, lost in zip(there, answers, strict=True) if lost]


def _is_missing(entry: Entry, mirrors: bool) -> bool:
    from cerrotorre import remote

    repository = (remote.mirrored if mirrors else remote.repository)(entry["at"]["url"])
    if entry["role"] in _DOCUMENTS:
        return repository.manifest(entry["digest"]) is None
    return bool(repository.blob_size(entry["digest"]) != entry["size"])


def named(entries: list[Entry]) -> str:
    """The digests, as many as are worth reading."""
    more = f" and {len(entries) - NAMED} more" if len(entries) > NAMED else ""
    return ", ".join(entry["digest"] for entry in entries[:NAMED]) + more


def _unreachable(detail: str, entries: list[Entry], repository: str | None) -> Fail:
    return Fail("blob-unreachable", detail, Repository=repository, Blobs=named(entries))
