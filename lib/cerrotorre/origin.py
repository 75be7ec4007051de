"""Where the blobs of a bundle are that lies without them: the repository that its image came from (spec/moving.adoc, "In git")."""

from cerrotorre.errors import Fail
from cerrotorre.reference import Reference, parse
from cerrotorre.typed import Any

# Asked for at the same time; named in a finding.
AT_ONCE, NAMED = 8, 20
_DOCUMENTS = ("index", "manifest")


def find(manifest: dict[str, Any]) -> Reference:
    """The reference that the image was fetched by. Raises Fail blob-unreachable, naming every blob, if it came from no registry."""
    provenance = manifest["provenance"]
    if "registry" in provenance:
        try:
            return parse(provenance["source"])
        except Fail:
            pass
    digests = [entry["digest"] for entry in manifest["content"]]
    came = f"its image came from {provenance['source']}, which is no registry"
    raise unreachable(came, digests, None).proposing("ct push FILE REFERENCE", "ct pack REFERENCE -o FILE")


def url(manifest: dict[str, Any]) -> str:
    """What `at` of its blobs names. Raises Fail as `find`."""
    found = find(manifest)
    return f"docker://{found['host']}/{found['path']}"


def must_have(manifest: dict[str, Any]) -> None:
    """Ask for each blob, and take none. Raises Fail blob-unreachable, naming those that are not there, or network."""
    from concurrent.futures import ThreadPoolExecutor

    from cerrotorre.distribution import Repository

    found = find(manifest)
    repository = Repository.named(found["host"], found["path"])

    def missing(entry: dict[str, Any]) -> bool:
        if entry["role"] in _DOCUMENTS:
            return repository.manifest(entry["digest"]) is None
        return bool(repository.blob_size(entry["digest"]) != entry["size"])

    threads = ThreadPoolExecutor(AT_ONCE)
    try:
        answers = list(threads.map(missing, manifest["content"]))
    finally:
        threads.shutdown(cancel_futures=True)
    digests = [entry["digest"] for entry, lost in zip(manifest["content"], answers, strict=True) if lost]
    if digests:
        where = f"{found['host']}/{found['path']}"
        raise unreachable(f"{where}, where its image came from, does not have {len(digests)} of them", digests, where)


def unreachable(detail: str, digests: list[str], repository: str | None) -> Fail:
    more = f" and {len(digests) - NAMED} more" if len(digests) > NAMED else ""
    return Fail("blob-unreachable", detail, Repository=repository, Blobs=", ".join(digests[:NAMED]) + more)
