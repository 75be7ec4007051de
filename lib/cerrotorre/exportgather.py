"""The bundles of an archive as their records arrive: what of each is written where is known once all are there (spec/export.adoc)."""

import os

from cerrotorre import exportindex, layout, records, sinks, tarball
from cerrotorre.content import Entry, Files, move, write_all
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail, Finding
from cerrotorre.records import Record
from cerrotorre.typed import Any

NEEDED = ("structure", "signatures", "trust", "policy", "attestations")


class Gathered:
    """`take` each record. Trust members go to `spool`, a file without a name, as they will stand in every part: memory holds none.

    `bundles` are those of exportindex.plan; `entries` is where each blob lies, by digest; `owners` whose it is; `total` the size of
    the bundles together.
    """

    def __init__(self, spool: int) -> None:
        self.spool, self.spooled, self.total = spool, 0, 0
        self.bundles: list[exportindex.Bundle] = []
        self.entries: dict[str, Entry] = {}
        self.owners: dict[str, str] = {}
        # The policies that judged them and the keys that are trusted for them, and what each is, for people.
        self.policies: dict[str, str] = {}
        self.fingerprints: set[str] = set()
        self.facts: list[dict[str, Any]] = []
        self._named: dict[str, exportindex.Bundle] = {}

    def take(self, record: Record) -> None:
        """Take a bundle that passed every check but that of its content: its documents are hashed here, and what is wrong with them
        is a finding of it. Raises Fail for one that no archive takes."""
        for made in self._add(record):
            records.add(record, made)

    def _add(self, record: Record) -> list[Finding]:
        records.need(record, *NEEDED)
        name = os.path.basename(record["bundle"])
        if not exportindex.is_name(name):
            what = "letters, digits, '.', '_', '+' and '-', at most 128, neither '.' nor '-' first, and .ctp"
            raise Fail("usage", f"'{name}': what an archive holds is called by {what}; rename it")
        if any("file" not in entry["at"] for entry in record["content"]):
            raise Fail("usage", "what is exported must lie in a file: save the bundle first, as ct fetch does")
        laid = layout.Layout(record)
        if wrong := _wrong(record, laid):
            return wrong
        trust = dict(laid.small[:3])
        image = laid.manifest["image"]
        bundle: exportindex.Bundle = {
            "name": name,
            "size": laid.plan()[2],
            "image": laid.manifest["image_digest"],
            "media_type": image["media_type"],
        }
        for member, data in zip(("manifest", "summary", "attestations"), trust.values(), strict=True):
            bundle[member] = {"digest": sha256(data), "size": len(data)}
        if self._is_there(bundle):
            return []
        for member, data in trust.items():
            head = tarball.header(f"bundles/{name}/{member}", len(data))
            for part in (head, data, bytes(tarball.padding(len(data)))):
                write_all(self.spool, part)
                self.spooled += len(part)
        self._keep(record, bundle)
        return []

    def _is_there(self, bundle: exportindex.Bundle) -> bool:
        """Whether this very bundle was taken already. Raises Fail if another has its name."""
        other = self._named.setdefault(bundle["name"].casefold(), bundle)
        if other is bundle:
            return False
        if other != bundle:
            how = "" if other["name"] == bundle["name"] else f", but for the case of letters ({other['name']})"
            raise Fail("usage", f"two bundles that are not the same are called {bundle['name']}{how}: rename one")
        return True

    def _keep(self, record: Record, bundle: exportindex.Bundle) -> None:
        content = [{key: entry[key] for key in ("digest", "size")} for entry in record["content"]]
        self.bundles.append({**bundle, "content": content})
        # So that the two can be compared later: what is planned has one member more.
        self._named[bundle["name"].casefold()] = bundle
        self.total += bundle["size"]
        for entry in record["content"]:
            if entry["digest"] not in self.entries:
                self.entries[entry["digest"]] = {key: entry[key] for key in ("digest", "size", "role", "at")}
                self.owners[entry["digest"]] = record["bundle"]
        self.policies |= {one["file"]: one["digest"] for one in record["trust"]["files"]}
        made = [one for one in record["signatures"] if one["status"] == "valid" and one.get("trusted") is True]
        self.fingerprints |= {one["fingerprint"] for one in made}
        facts = {key: record["manifest"][key] for key in ("name", "version", "image_digest")}
        facts |= {"manifest_digest": record["manifest_digest"], "findings": record["findings"]}
        self.facts.append({"bundle": bundle["name"], "file": record["bundle"], **facts})


def _wrong(record: Record, laid: layout.Layout) -> list[Finding]:
    """What the image's own documents, and the members that follow from the manifest, contradict."""
    files = Files()
    try:
        found = sinks.altered(record, laid.derived, files)
        kept, wrong = move([job for job in sinks.jobs(laid.blobs) if job["keep"]], files)
    finally:
        files.close()
    return [*found, *wrong] or sinks.image_findings(laid.manifest, kept)
