"""The bundles of an image in its registry: found, read and put into records (spec/moving.adoc, "What a fetch promises").

A tag is resolved once, and everything after is by digest. What a registry lists is looked at itself; an answer that fails is never
taken for an absence.
"""

from collections.abc import Iterator

from cerrotorre import bundlemanifest, oci, platforms, reference, referrers, trustmembers
from cerrotorre.digest import sha256
from cerrotorre.distribution import Repository
from cerrotorre.errors import Fail
from cerrotorre.manifest import TRUST_MEMBERS
from cerrotorre.mirrored import Mirrored
from cerrotorre.records import Record
from cerrotorre.reference import Reference
from cerrotorre.transport import TooLarge
from cerrotorre.typed import Any

MAX_ATTACHED = 256
MAX_BUNDLES = 64

# The manifest of one bundle: its digest, its bytes, the image it must be of.
Found = tuple[str, bytes, str]


class Image:
    """What a reference names in its registry, and the bundles that are attached to it."""

    def __init__(self, named: Reference) -> None:
        self.named, registry = named, Repository.named(named["host"], named["path"])
        self.shown = reference.spell(named)
        self._data, who = registry.resolve(named["digest"] or named["tag"])
        self._repository = Mirrored.answering(registry, who)
        self.digest = sha256(self._data)
        self._doc = _document(self._data, self.digest)

    def bundles(self, wanted: str | None = None, platform: str | None = None, *, here: str) -> list[Found]:
        """The manifests of the image's bundles, in the order of their digests; of `wanted` alone, where that is given.

        Of an index: those of its image for `platform`, or of itself for "all"; without a platform those of itself if there are any,
        else those of its image for `here`, this host's. Raises Fail no-bundle, bundle-ambiguous, network, oci-*.
        """
        self._check_image()
        data = self._repository.manifest(wanted) if wanted else None
        if wanted and data is None:
            raise self._none(wanted)
        found: list[Found] = []
        subject = self.digest
        if "manifests" not in self._doc or platform in (None, "all"):
            found = self._of(subject) if data is None else _named(wanted, data, subject)
        if "manifests" in self._doc and not found and platform != "all":
            subject = platforms.choose(self._doc, platform or here, self._read)[0]["digest"]
            found = self._of(subject) if data is None else _named(wanted, data, subject)
        if data is not None and not found:
            # Read as the image's, it says of which it is.
            found = [(str(wanted), data, subject)]
        if not found:
            raise self._none(wanted)
        return found

    def _check_image(self) -> None:
        """Whoever names the bundle's manifest means its image, which it names."""
        if self._doc.get("artifactType") != bundlemanifest.TYPE:
            return
        subject = self._doc.get("subject")
        about = subject.get("digest") if isinstance(subject, dict) else None
        image = f"{self.named['host']}/{self.named['path']}@{about}"
        raise Fail(
            "oci-artifact",
            "this names a bundle's own manifest, and a bundle is fetched by its image",
            Reference=self.shown,
            Image=about,
        ).proposing(f"ct fetch --bundle {self.digest} {image} -o NEW.ctp")

    def _none(self, wanted: str | None) -> Fail:
        which = f" of the digest {wanted}" if wanted else ""
        made = Fail("no-bundle", f"{self.shown} has no bundle{which}", Reference=self.shown, Image=self.digest)
        instead = f"ct fetch {self.shown} -o NEW.ctp"
        return made.proposing(
            *([instead] if wanted else [instead.replace("fetch", "fetch --create"), f"ct pack {self.shown} -o NEW.ctp"])
        )

    def _of(self, subject: str) -> list[Found]:
        """The bundles that are attached to one image: at the mirror that answered, or, where that has none, at the registry."""
        found: list[Found] | None = self._repository.first(lambda place: self._at(place, subject) or None)
        return found or []

    def _at(self, place: Repository, subject: str) -> list[Found]:
        found = []
        for digest, entry in self._listed(place, subject).items():
            data = self._attached(digest, entry)
            if data is not None and _is_bundle(data, digest, entry):
                found.append((digest, data, subject))
        if len(found) > MAX_BUNDLES:
            raise _too_many(f"{len(found)} bundles are attached to {subject}, more than {MAX_BUNDLES}")
        return found

    @staticmethod
    def _listed(place: Repository, subject: str) -> dict[str, Any]:
        """What a registry lists as attached. Both ways: some answer the API, and list nothing of what was sent to the tag."""
        try:
            entries = referrers.by_api(place, subject, MAX_ATTACHED) or []
            entries += referrers.by_tag(place, subject, MAX_ATTACHED)
        except referrers.TooMany:
            raise _too_many(f"more than {MAX_ATTACHED} things are attached to {subject}") from None
        except referrers.NoIndex as error:
            raise Fail("network", f"{place.host}: {error}", Registry=place.host) from None
        return referrers.by_digest(entries)[0]

    def _attached(self, digest: str, entry: Any) -> bytes | None:
        """A manifest that is listed; None for what cannot be a bundle's, or is listed and gone."""
        size = entry.get("size")
        if entry.get("mediaType") not in (None, oci.OCI_MANIFEST) or (type(size) is int and size > bundlemanifest.MAX):
            return None
        try:
            return self._repository.manifest(digest, bundlemanifest.MAX)
        except TooLarge:
            return None

    def _read(self, found: oci.Descriptor) -> bytes:
        """A document of the index."""
        if found["size"] > oci.MAX_DOCUMENT:
            raise Fail("oci-too-large", f"{found['digest']} is {found['size']} bytes", Blob=found["digest"])
        kinds = oci.INDEXES | oci.MANIFESTS
        if found["mediaType"] in kinds:
            data = self._repository.manifest(found["digest"])
        else:
            data = self._repository.blob(found["digest"], found["size"])
        if data is None:
            raise Fail("oci-blob-absent", f"{found['digest']} is not in the registry", Blob=found["digest"])
        if len(data) != found["size"]:
            raise Fail("oci-size", found["digest"], Blob=found["digest"], Expected=found["size"], Actual=len(data))
        return data

    def fill(self, found: Found, platform: str | None, directory: str | None, record: Record) -> None:
        """Fill the record of one bundle: its trust members are fetched and checked, and its blobs lie in the registry."""
        digest, _, subject = found
        texts, summary, attestations = (self._member(layer, name, digest) for layer, name in self._layers(found))
        trustmembers.fill(record, texts, summary, attestations, directory)
        manifest = record["manifest"]
        if manifest["image_digest"] != subject:
            raise Fail(
                "bundle-manifest",
                f"{digest}: the bundle is of another image",
                Attached=digest,
                Expected=subject,
                Actual=manifest["image_digest"],
            )
        if platform and platform != "all" and "manifests" not in self._doc:
            platforms.suits(manifest["image"]["platforms"], platform)
        url = f"docker://{self.named['host']}/{self.named['path']}"
        record["content"] = [{**entry, "at": {"url": url, "offset": 0}} for entry in manifest["content"]]
        record["derived"] = []
        record["expected"] = self.shown
        record["passed"]["structure"] = True

    @staticmethod
    def _layers(found: Found) -> Iterator[tuple[oci.Descriptor, str]]:
        digest, data, subject = found
        return zip(bundlemanifest.read(data, digest, subject), TRUST_MEMBERS, strict=True)

    def _member(self, layer: oci.Descriptor, name: str, digest: str) -> bytes:
        try:
            data = self._repository.blob(layer["digest"], layer["size"])
        except TooLarge:
            data = None
        if data is None or len(data) != layer["size"]:
            # It can pass nowhere, so that it is no reason to refuse another.
            raise Fail(
                "bundle-manifest", f"{digest}: the registry does not have its {name}", Attached=digest, Blob=layer["digest"]
            )
        return data


def _named(wanted: str | None, data: bytes, subject: str) -> list[Found]:
    """The one bundle that was asked for, if it is this image's."""
    return [(str(wanted), data, subject)] if oci.refers_to(oci.document(data, str(wanted)), subject) else []


def _document(data: bytes, digest: str) -> oci.Document:
    doc = oci.document(data, digest)
    return oci.read_index(data, None, digest) if "manifests" in doc else oci.read_manifest(data, None, digest)


def _is_bundle(data: bytes, digest: str, entry: Any) -> bool:
    """Whether a manifest claims to be a bundle's: itself, for what a list says of it is often wrong; the list, if it cannot be read."""
    try:
        return oci.document(data, digest).get("artifactType") == bundlemanifest.TYPE
    except Fail:
        return bool(entry.get("artifactType") == bundlemanifest.TYPE)


def _too_many(why: str) -> Fail:
    return Fail("bundle-ambiguous", f"{why}, and which of them is meant cannot be known")
