"""The root file system of a bundle's image: its layers applied in order below a new directory (spec/unpacking.adoc)."""

import os
from collections.abc import Callable, Iterator

from cerrotorre import compressed, fileowners, layers, layertar, oci, platforms, records, sinks
from cerrotorre.compressed import Reader
from cerrotorre.content import Entry, Files, read_one
from cerrotorre.digest import hasher, sha256
from cerrotorre.errors import Fail, Finding, finding
from cerrotorre.records import Record
from cerrotorre.sinks import Progress
from cerrotorre.staging import Staging
from cerrotorre.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from _hashlib import HASH

# What is wrong with the bundle's bytes, and not with this host.
_LAYERS = ("layer-malformed", "layer-unsafe", "diff-id-mismatch")


def octets(record: Record) -> int:
    """How many bytes `write` tells its `progress` of: all content is hashed, then layers are read, those above the first twice."""
    sizes: dict[str, int] = {entry["digest"]: entry["size"] for entry in record["content"]}
    # Of an index it cannot be said yet whose layers these will be.
    layers = record["manifest"]["image"].get("layers", [])
    return sum(sizes.values()) + sum(sizes[layer] * (2 if number else 1) for number, layer in enumerate(layers))


def write(
    record: Record,
    path: str,
    progress: Progress = None,
    *,
    platform: str | None = None,
    approve: Callable[[], bool] | None = None,
) -> list[Finding]:
    """Make the directory `path`, whole or not at all, of the image for `platform`, for the host's if that is None.

    Returns what is wrong with the bundle's bytes, and then there is no directory; once nothing is, `approve` has the last word on that.
    Notes are added to the record. Raises Fail for all else: destination-exists, file-unwritable, oci-platform.
    """
    with Staging(path) as staging:
        if wrong := sinks.hash_file(record, progress):
            return wrong
        chosen, notes = _chosen(record, platform)
        owners = fileowners.Root() if os.geteuid() == 0 else fileowners.Mapped()
        root = None
        try:
            root = layers.Root(staging.root, staging.aside, owners)
            for number, (layer, diff_id) in enumerate(chosen):
                _apply(root, layer, diff_id, number, progress)
            root.tree.close()
        except Fail as fail:
            if fail.finding["finding"] in _LAYERS:
                return [fail.finding]
            raise
        except OSError as error:
            raise staging.fail(error) from None
        finally:
            if root is not None:
                root.tree.abandon()
        if approve is None or approve():
            staging.commit(as_it_is=True)
    for made in [*notes, *_lost(owners)]:
        records.add(record, made)
    return []


def _lost(owners: fileowners.Root) -> list[Finding]:
    lost = ", ".join(f"{what}: {count}" for what, count in owners.lost.items() if count)
    return [finding("rootfs-mapped", lost)] if lost else []


# -- which layers ------------------------------------------------------------------------------------------------------------


def _chosen(record: Record, platform: str | None) -> tuple[list[tuple[Entry, str]], list[Finding]]:
    """([(content entry, diff_id)] of the layers, base first; notes on the choice). The record has been held against its documents."""
    content = {entry["digest"]: entry for entry in record["content"]}

    def read(found: oci.Descriptor) -> bytes:
        entry = content[found["digest"]]
        data = read_one(entry["at"], entry["size"])
        if sha256(data) != entry["digest"]:
            raise Fail("hash-mismatch", Blob=entry["role"], Expected=entry["digest"], Actual=sha256(data))
        return data

    image = record["manifest"]["image"]
    root = {"mediaType": image["media_type"], "digest": record["manifest"]["image_digest"], "size": image["size"]}
    notes: list[Finding] = []
    if root["mediaType"] in oci.INDEXES:
        index = oci.read_index(read(root), root["mediaType"], root["digest"])
        root, notes = platforms.choose(index, platform or platforms.host_platform(os.uname().machine), read)
    elif platform:
        platforms.suits(image["platforms"], platform)
    manifest = oci.read_manifest(read(root), root["mediaType"], root["digest"])
    config = oci.read_config(read(manifest["config"]), manifest["config"]["digest"])
    ids = (config.get("rootfs") or {}).get("diff_ids") or []
    return [(content[layer["digest"]], diff_id) for layer, diff_id in zip(manifest["layers"], ids, strict=True)], notes


# -- one layer ---------------------------------------------------------------------------------------------------------------


def _apply(root: layers.Root, layer: Entry, diff_id: str, number: int, progress: Progress) -> None:
    """Apply one layer. Raises Fail layer-*, diff-id-mismatch, file-unwritable, file-changed."""
    context = {"Layer": layer["digest"], "Media type": layer["media_type"]}
    # There is nothing below the first; that its whiteouts are none that may not be is seen when it is extracted.
    for step in (root.white_out, root.extract)[0 if number else 1 :]:
        files, digest = Files(), hasher()
        try:
            step(layertar.Layer(Reader(_plain(layer, files, digest, progress), "none")))
        except (compressed.Malformed, layertar.Malformed) as error:
            raise Fail("layer-malformed", str(error), **context) from None
        except Fail as fail:
            fail.finding["context"] = {**context, **fail.finding["context"]}
            raise
        finally:
            files.close()
        actual = "sha256:" + digest.hexdigest()
        if actual != diff_id:
            raise Fail("diff-id-mismatch", Expected=diff_id, Actual=actual, **context)


def _plain(layer: Entry, files: Files, digest: "HASH", progress: Progress) -> Iterator[bytes | memoryview]:
    """The tar of a layer, hashed as it comes out of whatever it is compressed with."""
    chunks = _packed(layer, files, progress)
    first = next(chunks, b"")
    stream = Reader(_again(first, chunks), compressed.sniff(bytes(first[:4])), window=compressed.LAYER_WINDOW)
    while part := stream.some(compressed.CHUNK):
        digest.update(part)
        yield part


def _packed(layer: Entry, files: Files, progress: Progress) -> Iterator[bytes | memoryview]:
    for part in sinks.file_chunks(layer["at"], layer["size"], files):
        if progress:
            progress(len(part))
        yield part


def _again(first: bytes | memoryview, rest: Iterator[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    if first:
        yield first
    yield from rest
