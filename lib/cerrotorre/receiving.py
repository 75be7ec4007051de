"""The records of the bundles in an archive (spec/export.adoc, "Importing"): trust members are read from whichever part has them whole."""

import os
from collections.abc import Callable, Iterator

from cerrotorre import exportindex, records, trustmembers
from cerrotorre.errors import Fail, finding
from cerrotorre.exportread import Archive, Part
from cerrotorre.records import Record
from cerrotorre.typed import Any

Guarded = Callable[[Record, Callable[[Record], None]], None]


def records_of(archive: Archive, workdir: str | None, guarded: Guarded) -> Iterator[Record]:
    """A record of each bundle, as it is found whole; at the end of those of which no part has all trust members whole.

    `guarded(record, work)` does the work, and makes what it trips on a finding of the record.
    """
    directory = os.path.abspath(workdir) if workdir is not None else None
    sizes = {blob["digest"]: blob["size"] for blob in archive.index["blobs"]}
    left: dict[int, dict[str, bytes]] = {number: {} for number in range(len(archive.index["bundles"]))}
    why: dict[int, tuple[str, str, str]] = {}
    for number, file in archive.files.items():
        for bundle in _whole(archive, number, file, left, why):
            members, entry = left.pop(bundle), archive.index["bundles"][bundle]
            record = records.new(entry["name"])

            def work(record: Record, members: dict[str, bytes] = members, entry: exportindex.Bundle = entry) -> None:
                _fill(record, archive, entry, sizes, members, directory)

            guarded(record, work)
            yield record
        if not left:
            break
    for bundle in left:
        record = records.new(archive.index["bundles"][bundle]["name"])
        file, member, detail = why[bundle]
        records.add(record, finding("part-damaged", detail, Archive=archive.path, Part=file, Member=member))
        yield record


def _whole(
    archive: Archive, number: int, file: str, left: dict[int, dict[str, bytes]], why: dict[int, tuple[str, str, str]]
) -> Iterator[int]:
    """Take from a part the trust members that are still wanted. The numbers of the bundles that are complete by that, one by one."""
    part = Part(file)
    try:
        for piece in archive.pieces(number, part):
            if piece.what["kind"] == "directory":
                return
            if piece.what["kind"] != "member" or piece.what["bundle"] not in left:
                continue
            bundle, member = piece.what["bundle"], piece.what["member"]
            if member in left[bundle]:
                continue
            actual, data = piece.digest(keep=True)
            if piece.wrong or actual != archive.expected(piece, number):
                why[bundle] = (file, piece.name, piece.wrong or "it does not have its digest")
                continue
            left[bundle][member] = data
            if len(left[bundle]) == len(trustmembers.LIMITS):
                yield bundle
    finally:
        part.close()


def _fill(
    record: Record,
    archive: Archive,
    entry: exportindex.Bundle,
    sizes: dict[str, int],
    members: dict[str, bytes],
    directory: str | None,
) -> None:
    """Fill the record from its trust members, which ct-export.json must not contradict."""
    trustmembers.fill(record, members["manifest"], members["summary"], members["attestations"], directory)
    manifest = record["manifest"]
    said: dict[str, Any] = {"image": entry["image"], "media_type": entry["media_type"]}
    if said != {"image": manifest["image_digest"], "media_type": manifest["image"]["media_type"]}:
        raise _contradicted(entry, "its image is another")
    for blob in manifest["content"]:
        if sizes.get(blob["digest"]) != blob["size"]:
            raise _contradicted(entry, f"{blob['digest']} is not there, or not as long")
    at = {"url": archive.url, "id": archive.digest, "offset": 0}
    record["content"] = [{**blob, "at": at} for blob in manifest["content"]]
    record["derived"] = []
    record["passed"]["structure"] = True


def _contradicted(entry: exportindex.Bundle, detail: str) -> Fail:
    return Fail("export-malformed", f"{exportindex.INDEX} contradicts the manifest of {entry['name']}: {detail}")
