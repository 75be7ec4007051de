"""The content store: the directory where imported bundles lie, what lies in it, and which bundle there is that of a reference."""

import os
from collections.abc import Callable, Iterator, Mapping

from cerrotorre import bundle, canonread, manifest, places, reference
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail
from cerrotorre.reference import Reference
from cerrotorre.typed import Any

ENDING = ".ctp"
_LIMITS = (manifest.MAX_MANIFEST, manifest.MAX_SUMMARY, manifest.MAX_ATTESTATIONS)


def directory(env: Mapping[str, str], settings: dict[str, dict[str, Any]]) -> str:
    """Where the store is, there or not: [cache] dir of `config.read`, else cerro/bundles of the user's data.

    Raises Fail usage without a home directory.
    """
    return str(settings.get("cache", {}).get("dir") or os.path.join(places.data_dir(env), "bundles"))


def bundles(where: str, unreadable: Callable[[OSError], object] | None = None) -> Iterator[str]:
    """The path of everything called NAME.ctp in the store or below it, in order; nothing where there is no store.

    Hidden names are passed over, and no directory is entered through a link. `unreadable` is told of a directory that cannot be
    listed; without it that is Fail file-unreadable.
    """

    def refused(error: OSError) -> None:
        if isinstance(error, FileNotFoundError):
            return
        if unreadable is None:
            raise Fail("file-unreadable", f"'{error.filename}': {error.strerror}", File=str(error.filename))
        unreadable(error)

    for here, below, names in os.walk(where, onerror=refused):
        below.sort()
        for name in sorted(names):
            if name.endswith(ENDING) and not name.startswith("."):
                yield os.path.join(here, name)


class Catalogue:
    """The bundles of a store by what they say of themselves, which nobody has verified yet. Each is read once, to its manifest."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._found: list[tuple[str, str, dict[str, Any]]] | None = None

    def find(self, asked: Reference) -> str | None:
        """The path of the bundle that a reference names (spec/export.adoc, "The content store"), None if there is none.

        Raises Fail bundle-ambiguous where several are, file-unreadable for a directory that cannot be listed.
        """
        if self._found is None:
            self._found = list(self._read())
        for same in (_exactly, _by_name):
            paths = [(path, digest) for path, digest, said in self._found if same(said, asked)]
            if paths:
                return _one(asked, paths)
        return None

    def _read(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for path in bundles(self._where):
            try:
                reader = bundle.FileReader(path)
                try:
                    canonical = reader.take(bundle.member(reader, "manifest.toml", limit=manifest.MAX_MANIFEST))
                finally:
                    reader.close()
                parsed = canonread.read(canonical)
                manifest.check(parsed)
            except Fail:
                # What cannot be read is no bundle of anything; `ct doctor` says why.
                continue
            yield path, sha256(canonical), parsed


def _exactly(said: dict[str, Any], asked: Reference) -> bool:
    """It was fetched as what is asked for; a digest is its image's, or that of the index it was one platform of."""
    provenance = said.get("provenance", {})
    source = _source(provenance)
    if asked["digest"]:
        whole = source is not None and (source["host"], source["path"]) == (asked["host"], asked["path"])
        return bool(asked["digest"] == said["image_digest"] or (whole and asked["digest"] == provenance.get("index_digest")))
    return source is not None and {**source, "digest": None} == asked


def _by_name(said: dict[str, Any], asked: Reference) -> bool:
    """It came from no registry, and has the name and version that are asked for."""
    if asked["digest"] or "registry" in said.get("provenance", {}):
        return False
    return (asked["path"].rpartition("/")[2], asked["tag"]) == (said["name"], said["version"])


def _source(provenance: dict[str, Any]) -> Reference | None:
    try:
        return reference.parse(provenance["source"]) if "registry" in provenance else None
    except (Fail, KeyError):
        return None


def _one(asked: Reference, found: list[tuple[str, str]]) -> str:
    """The first, if all are the same bundle."""
    if len(found) > 1 and len({(digest, _attestations(path)) for path, digest in found}) > 1:
        spelled = reference.spell(asked)
        paths = [path for path, _ in found]
        shown = ", ".join(f"'{path}'" for path in paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
        raise Fail(
            "bundle-ambiguous", f"the content store has several bundles of {spelled}: {shown}", Reference=spelled
        ).proposing(f"put the path of one into the list instead: {paths[0]}")
    return found[0][0]


def _attestations(path: str) -> str:
    """What tells bundles of one manifest apart: the digest of their attestations, or why they cannot be read."""
    reader = bundle.FileReader(path)
    try:
        for name, limit in zip(manifest.TRUST_MEMBERS, _LIMITS, strict=True):
            data = reader.take(size := bundle.member(reader, name, limit=limit))
            bundle.padded(reader, name, size)
        return sha256(data)
    except Fail as fail:
        return str(fail)
    finally:
        reader.close()
