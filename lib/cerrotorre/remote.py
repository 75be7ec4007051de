"""Blobs that lie at URLs: `at` is {"url","offset"[,"id"]} (spec/records.adoc, "at")."""

from _thread import allocate_lock
from collections.abc import Iterator

from cerrotorre.content import Entry
from cerrotorre.errors import Fail
from cerrotorre.pulling import Absent
from cerrotorre.typed import Any

__all__ = ["Absent", "chunks", "mirrored", "repository"]

REGISTRY, OBJECTS, ARCHIVE = "docker://", ("s3://", "gs://", "az://"), "export:"

# Of each repository one client: it keeps its connections and its token.
_repositories: dict[str, Any] = {}
_lock = allocate_lock()


def chunks(at: Entry, entry: Entry, offset: int = 0, *, again: bool = False) -> Iterator[bytes | memoryview]:
    """The bytes of a blob from `offset` on, at most 1 MiB at once, unchecked: the caller hashes.

    `entry` has `digest`, `size` and `role`. `again`: what came before was damaged. Raises Fail network, or what else its place cannot
    give; Absent where the registry does not have it.
    """
    url = at["url"]
    if url.startswith(REGISTRY):
        if at["offset"]:
            raise Fail("record-inconsistent", "a blob of a registry begins at its beginning", Blob=entry["digest"])
        if entry.get("role") in ("index", "manifest"):
            return _document(mirrored(url), entry, offset)
        return iter(mirrored(url).chunks(entry["digest"], entry["size"], offset, again=again))
    if url.startswith(OBJECTS):
        # Only they need it.
        from cerrotorre import objectstore

        return iter(objectstore.chunks(url, at["offset"] + offset, entry["size"] - offset, at.get("id")))
    if url.startswith(ARCHIVE):
        raise Fail("usage", "the bundle lies in an archive, out of which only ct import takes it").proposing(
            "ct import ARCHIVE"
        )
    raise Fail("record-inconsistent", "a blob lies at a URL of no known kind", Blob=entry["digest"])


def _document(found: Any, entry: Entry, offset: int) -> Iterator[bytes]:
    """A manifest or index: registries need not give it as a blob."""
    data = found.manifest(entry["digest"])
    if data is None:
        raise Absent("network", f"{found.host} does not have {entry['digest']}", Registry=found.host, Blob=entry["digest"])
    yield data[offset:]


def repository(url: str) -> Any:
    """The client of docker://HOST/PATH itself, the same one for everybody who asks. Raises Fail record-inconsistent."""
    return mirrored(url).registry


def mirrored(url: str) -> Any:
    """The same, behind its mirrors."""
    host, slash, path = url.removeprefix(REGISTRY).partition("/")
    with _lock:
        if url not in _repositories:
            from cerrotorre import distribution, reference
            from cerrotorre.mirrored import Mirrored

            try:
                said = reference.parse(f"{host}/{path}:x")
            except Fail:
                said = None
            if not slash or not said or (said["host"], said["path"]) != (host, path):
                raise Fail("record-inconsistent", "a blob lies at a URL that names no repository")
            registry = distribution.Repository.named(host, path)
            _repositories[url] = Mirrored(registry.mirrors(), registry)
        return _repositories[url]
