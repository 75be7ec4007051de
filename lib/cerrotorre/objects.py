"""A bundle as an object of an object store: sent in one pass, named once all of it matched, read by ranges (spec/moving.adoc)."""

import os

from cerrotorre import bundle, manifest, objectstore, tarball, trustmembers
from cerrotorre.content import Entry
from cerrotorre.errors import Fail
from cerrotorre.objectpush import Bytes, Differs, Push
from cerrotorre.objectstore import EDGE, head
from cerrotorre.objectstore import chunks as chunks
from cerrotorre.records import Record
from cerrotorre.typed import Any


def push(record: Record, to: dict[str, Any], options: dict[str, Any], transfers: Any) -> dict[str, Any]:
    """Send the bundle to `to["url"]`: {"destination", "image", "bundle", "moved", "there"}, or {"findings"} of what does not match.

    What is there and is the same is left alone. Raises Fail destination-exists for what is not, unless options["force"]; not-arrived,
    network, usage, tool-missing; what else the bundle's file may bring.
    """
    url = named(to["url"], record["bundle"])
    pushing = Push(url, Bytes(record), options["force"], transfers)
    try:
        moved = pushing.run()
    except Differs as differs:
        return {"findings": differs.findings}
    return {"destination": url, "image": None, "bundle": None, "moved": moved, "there": pushing.whole.size - moved}


def named(url: str, bundle_name: str) -> str:
    """The object's URL: what has no key, or one that ends with `/`, gets the file's base name. Raises Fail usage."""
    scheme, _, rest = url.partition("://")
    if "/" not in rest:
        rest += "/"
    whole = f"{scheme}://{rest}{os.path.basename(bundle_name) if rest.endswith('/') else ''}"
    objectstore.split(whole)
    return whole


class _Reader:
    """Reads an object forward, as the readers of bundle.py do."""

    def __init__(self, url: str) -> None:
        _, _, key = objectstore.split(url)
        there = head(url, key)
        if there is None:
            raise Fail("network", f"{url}: it is not there", Object=url)
        if not there["e_tag"]:
            raise Fail("network", f"{url}: the store gives no entity tag, so it cannot be said that nothing changes meanwhile")
        self.url, self.size, self.id, self.position = url, there["size"], there["e_tag"], 0
        self._held, self._start = b"", 0

    def take(self, size: int) -> bytes:
        end = self.position + size
        if end > self.size:
            raise Fail("truncated", f"{self.size} bytes, and more were due at {self.size}", Size=self.size)
        if end > self._start + len(self._held):
            wanted = min(max(size, EDGE), self.size - self.position)
            self._held = b"".join(chunks(self.url, self.position, wanted, self.id))
            self._start = self.position
        data = self._held[self.position - self._start : end - self._start]
        self.position = end
        return data

    def begin(self, size: int) -> bytes:
        return self.take(min(size, self.size))


def open_record(record: Record, url: str, directory: str | None = None) -> None:
    """Fill the record of a bundle that is an object: everything before the first blob's bytes is read, and the size must fit.

    The headers between blobs are not: the manifest determines what is written for them. Lines too long for a record go into files in
    `directory`, as trustmembers.fill says.
    """
    reader: Any = _Reader(url)
    members = []
    for name in manifest.TRUST_MEMBERS:
        size = bundle.member(reader, name, limit=trustmembers.LIMITS[name])
        members.append(reader.take(size))
        bundle.padded(reader, name, size)
    manifest_toml, summary, attestations = members
    derived = trustmembers.fill(record, manifest_toml, summary, attestations, directory)
    for name, data in derived:
        size = bundle.member(reader, name, limit=len(data) + manifest.MAX_SUMMARY)
        if reader.take(size) != data:
            record["findings"].append(trustmembers.derived_mismatch(name, record))
        bundle.padded(reader, name, size)
    for name in manifest.DIRECTORIES:
        bundle.member(reader, name, 0, kind=tarball.DIRECTORY)
    record["content"] = _placed(reader, record["manifest"]["content"])
    record["derived"] = []
    record["passed"]["structure"] = True


def _placed(reader: Any, content: list[Entry]) -> list[Entry]:
    """The content with where each blob lies in the object. Raises Fail truncated or trailing-bytes for a size that does not fit."""
    bundle.member(reader, manifest.blob_path(content[0]["digest"]), content[0]["size"])
    placed, position = [], reader.position
    for number, entry in enumerate(content):
        if number:
            position += len(tarball.header(manifest.blob_path(entry["digest"]), entry["size"]))
        placed.append({**entry, "at": {"url": reader.url, "offset": position, "id": reader.id}})
        position += entry["size"] + tarball.padding(entry["size"])
    end = position + len(tarball.END)
    if reader.size < end:
        raise Fail("truncated", f"{reader.size} bytes, and {end} were due", Size=reader.size)
    if reader.size > end:
        raise Fail("trailing-bytes", f"the bundle ends at {end}", Offset=end)
    return placed
