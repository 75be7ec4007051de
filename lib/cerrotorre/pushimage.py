"""A bundle pushed to a registry: the image as it is, and a manifest that refers to it (spec/moving.adoc, "In a registry").

The order is that of the specification: blobs, manifests, the bundle's manifest, who refers to the image, the tag. Then all of it
is read back.
"""

import time
from collections.abc import Callable

from cerrotorre import bundlemanifest, jsonic, manifest, oci, records, reference, referrertag, sinks
from cerrotorre.content import Files
from cerrotorre.digest import sha256
from cerrotorre.distribution import Conflict, Repository
from cerrotorre.errors import Fail
from cerrotorre.layout import Layout
from cerrotorre.pushblobs import Job, Sending
from cerrotorre.records import Record
from cerrotorre.typed import Any

EMPTY = b"{}"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
# What the referrers API lists is looked through to this many entries. What is not there is asked for again after so many seconds:
# some are late.
LISTED = 16_384
LATE = (0.1, 0.2, 0.4, 0.8)


def push(record: Record, to: dict[str, Any], options: dict[str, Any], transfers: Any) -> dict[str, Any]:
    """Send image and bundle: {"destination", "image", "bundle", "moved", "there"}, or {"findings"} of what does not match.

    Raises Fail destination-exists, not-arrived, network, usage; what else the bundle's file may bring.
    """
    layout = Layout(record)
    tag = _tag(to, layout.manifest)
    named = to["reference"]
    pushing = _Push(Repository.named(named["host"], named["path"], push=True), layout, tag, options["force"])
    pushing.may_be_named()
    by = None
    if options["cosign"] is not None:
        from cerrotorre import cosigned

        # Opened before anything is sent: a passphrase may be wrong.
        by = cosigned.signer(options["cosign"])
        for note in by.notes:
            records.add(record, note)
    files = Files()
    try:
        if wrong := sinks.altered(record, layout.derived, files):
            return {"findings": wrong}
        sending = Sending(pushing.repository, _mounted_from(layout.manifest, named), files, transfers)
        sending.run(pushing.jobs())
    finally:
        files.close()
    if wrong := sending.wrong or sinks.image_findings(layout.manifest, sending.kept):
        return {"findings": wrong}
    pushing.name(sending)
    signed = {"cosign": cosigned.attach(pushing.repository, pushing.image, by)} if by else {}
    # Nothing is tagged that is not there whole.
    pushing.read_back(sending)
    pushing.tag_it(sending)
    digest = layout.manifest["image_digest"]
    shown = reference.spell({**named, "tag": tag, "digest": None if tag else digest})
    return {
        "destination": shown,
        "image": digest,
        "bundle": pushing.bundle,
        "moved": sending.moved,
        "there": sending.there,
        **signed,
    }


def _tag(to: dict[str, Any], parsed: dict[str, Any]) -> str | None:
    """The tag that the image gets: the one that was written, none beside a digest, else the bundle's version."""
    asked = to["reference"]["digest"]
    if asked and asked != parsed["image_digest"]:
        raise Fail(
            "usage", "the bundle is of another image than the destination names", Expected=asked, Actual=parsed["image_digest"]
        )
    if to["tagged"]:
        return str(to["reference"]["tag"])
    return None if asked else str(parsed["version"])


def _mounted_from(parsed: dict[str, Any], named: reference.Reference) -> str | None:
    """The repository that the image came from, if it is another one of the same registry."""
    source = str(parsed.get("provenance", {}).get("source", ""))
    try:
        came = reference.parse(source)
    except Fail:
        return None
    return came["path"] if came["host"] == named["host"] and came["path"] != named["path"] else None


class _Push:
    """One bundle on its way to one repository. `image` is the image's descriptor, `bundle` the digest of the bundle's manifest."""

    def __init__(self, repository: Repository, layout: Layout, tag: str | None, force: bool) -> None:
        self.repository, self._layout, self._tag, self._force = repository, layout, tag, force
        about = layout.manifest["image"]
        self.image = {"mediaType": about["media_type"], "digest": layout.manifest["image_digest"], "size": about["size"]}
        # The image's own manifests and indexes, with their media types.
        self._kinds = {entry["digest"]: entry["media_type"] for entry in layout.blobs if entry["role"] in ("index", "manifest")}
        self._members = dict(layout.small[: len(manifest.TRUST_MEMBERS)])
        self._manifest = _manifest(self.image, self._members)
        self.bundle = sha256(self._manifest)
        self._has_api = False

    def jobs(self) -> list[Job]:
        """All that is to be hashed, and what of it goes as a blob; the image's own manifests go by themselves."""
        wanted = sinks.documents(self._layout.blobs)
        made: list[Job] = []
        for entry in self._layout.blobs:
            keep, document = entry["digest"] in wanted, entry["digest"] in self._kinds
            made.append({"entry": entry, "at": entry["at"], "data": None, "keep": keep, "send": not document})
        known = {job["entry"]["digest"] for job in made if job["send"]}
        for data in (EMPTY, *self._members.values()):
            entry = {"digest": sha256(data), "size": len(data), "role": "other"}
            if entry["digest"] not in known:
                made.append({"entry": entry, "at": None, "data": data, "keep": False, "send": True})
                known.add(entry["digest"])
        return made

    def may_be_named(self) -> bool:
        """Whether the tag names the image already. Raises Fail destination-exists if it names another, and nobody said --force."""
        held = self.repository.manifest(self._tag) if self._tag else None
        actual = None if held is None else sha256(held)
        if actual not in (None, self.image["digest"]) and not self._force:
            raise Fail(
                "destination-exists",
                f"the tag {self._tag} names another image",
                Repository=f"{self.repository.host}/{self.repository.path}",
                Expected=self.image["digest"],
                Actual=actual,
            )
        return bool(actual == self.image["digest"])

    def name(self, sending: Sending) -> None:
        """The manifests, each after those that it names, then the bundle's, then the list of what refers to the image."""
        for digest in _in_order(self.image["digest"], self._kinds, sending.kept):
            there = self.repository.has(digest)
            self._count(there, sending.kept[digest], sending)
            if not there:
                self.repository.put_manifest(digest, sending.kept[digest], self._kinds[digest])
        # Sent even if it is there: the answer says whether there is a referrers API.
        self._count(self.repository.has(self.bundle), self._manifest, sending)
        answer = self.repository.put_manifest(self.bundle, self._manifest, oci.OCI_MANIFEST)
        # "the referrers API if it answers the push of that manifest with `OCI-Subject`, or lists it"
        self._has_api = answer.get("oci-subject") == self.image["digest"] or self._is_listed()
        if not self._has_api:
            self._list()

    def _list(self) -> None:
        entry = {"mediaType": oci.OCI_MANIFEST, "digest": self.bundle, "size": len(self._manifest)}
        referrertag.add(self.repository, self.image["digest"], {**entry, "artifactType": bundlemanifest.TYPE})

    @staticmethod
    def _count(there: bool, data: bytes, sending: Sending) -> None:
        sending.there += len(data) if there else 0
        sending.moved += 0 if there else len(data)

    def _is_listed(self) -> bool:
        """Whether the API lists the bundle's manifest."""
        answer = self.repository.referrers(self.image["digest"], LISTED)
        return answer is not None and self.bundle in [one.get("digest") for one in answer[0] if isinstance(one, dict)]

    def read_back(self, sending: Sending) -> None:
        """What was sent is there as it was sent, and found by who looks for it. Raises Fail not-arrived."""
        repository = self.repository
        for digest in self._kinds:
            if (held := _late(repository.manifest, digest)) != sending.kept[digest]:
                raise self._missing("a manifest of the image", digest, held)
        for entry in sending.uploaded:
            if _late(repository.blob_size, entry["digest"]) != entry["size"]:
                raise self._missing("a blob", entry["digest"], None)
        if (held := _late(repository.manifest, self.bundle)) != self._manifest:
            raise self._missing("the bundle's manifest", self.bundle, held)
        for name, data in self._members.items():
            digest = sha256(data)
            actual, _ = sinks.hash_chunks(iter(repository.chunks(digest, len(data))), False)
            if actual != digest:
                raise Fail("not-arrived", f"{name} is not what was sent", Expected=digest, Actual=actual)
        if not self._is_found():
            raise self._missing("the bundle is not in the list of what refers to the image: it", self.bundle, None)

    def tag_it(self, sending: Sending) -> None:
        """Give the image its tag, and see that it has it and that what refers to it is found still. Raises Fail not-arrived."""
        image = sending.kept[self.image["digest"]]
        if self._tag:
            if not self.may_be_named():
                self._put_tag(self._tag, image)
            if (held := _late(self.repository.manifest, self._tag)) != image:
                raise self._missing(f"the image, as {self._tag},", self.image["digest"], held)
        # Whoever writes the same list without heeding conditions may have undone it meanwhile.
        if not self._has_api and not self._is_found():
            self._list()
            if not self._is_found():
                raise self._missing("the bundle, under the referrers tag,", self.bundle, None)

    def _put_tag(self, tag: str, image: bytes) -> None:
        """Not over what somebody else tagged since it was looked for, as far as the registry heeds that."""
        try:
            self.repository.put_manifest(
                tag, image, self.image["mediaType"], headers=None if self._force else {"If-None-Match": "*"}
            )
        except Conflict:
            # Refused though nothing is there: it does not take the condition.
            if not self.may_be_named():
                self.repository.put_manifest(tag, image, self.image["mediaType"])

    def _is_found(self) -> bool:
        if not self._has_api:
            return referrertag.holds(self.repository, self.image["digest"], self.bundle)
        return bool(_late(lambda: self._is_listed() or None))

    def _missing(self, what: str, digest: str, held: bytes | None) -> Fail:
        actual = "nothing" if held is None else sha256(held)
        where = f"{self.repository.host}/{self.repository.path}"
        return Fail("not-arrived", f"{what} is not there", Repository=where, Expected=digest, Actual=actual)


def _late(ask: Callable[..., Any], *of: str) -> Any:
    """What a registry gives that may not show at once what it took; None if it never does."""
    for pause in LATE:
        if (found := ask(*of)) is not None:
            return found
        time.sleep(pause)
    return ask(*of)


def _manifest(image: oci.Descriptor, members: dict[str, bytes]) -> bytes:
    """The bundle's manifest: "canonical JSON (RFC 8785) without anything else"."""
    titled = "org.opencontainers.image.title"
    layers = [
        {"annotations": {titled: name}, "digest": sha256(data), "mediaType": kind, "size": len(data)}
        for (name, data), kind in zip(members.items(), bundlemanifest.LAYERS, strict=True)
    ]
    value = {
        "schemaVersion": 2,
        "mediaType": oci.OCI_MANIFEST,
        "artifactType": bundlemanifest.TYPE,
        "config": {"mediaType": EMPTY_TYPE, "digest": sha256(EMPTY), "size": len(EMPTY), "data": "e30="},
        "layers": layers,
        "subject": image,
    }
    return jsonic.canonical(value)


def _in_order(root: str, documents: dict[str, str], kept: dict[str, bytes]) -> list[str]:
    """The digests of the image's manifests, those that an index names before it."""
    order: list[str] = []

    def visit(digest: str) -> None:
        if digest in order or digest not in documents:
            return
        for child in jsonic.parse(kept[digest]).get("manifests", ()) if documents[digest] in oci.INDEXES else ():
            visit(child["digest"])
        order.append(digest)

    visit(root)
    return order
