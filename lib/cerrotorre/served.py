"""Images that registries serve: their documents are read and checked here, their blobs stay where they are until they are written."""

from cerrotorre import images, oci, platforms
from cerrotorre.distribution import Repository
from cerrotorre.errors import Fail, Finding, finding
from cerrotorre.mirrored import Mirrored
from cerrotorre.reference import Reference, parse, spell
from cerrotorre.remote import REGISTRY
from cerrotorre.typed import Any


class Served(images.Source):
    """An image of a repository. What is not there, or not as its descriptor says, is found when it is read."""

    def __init__(self, repository: Mirrored, root: oci.Descriptor, data: bytes) -> None:
        super().__init__("", root)
        self._repository = repository
        self._known = {root["digest"]: data}

    def bytes_of(self, digest: str, limit: int) -> bytes:
        """A config, as a blob."""
        if digest not in self._known:
            self._hold(digest, self._repository.blob(digest, min(limit, oci.MAX_DOCUMENT)))
        return self._known[digest]

    def read(self, found: oci.Descriptor) -> bytes:
        """A document's bytes, checked; manifests and indexes come from where the registry keeps these."""
        digest = found["digest"]
        if found["size"] > oci.MAX_DOCUMENT:
            raise Fail("oci-too-large", f"{digest} is {found['size']} bytes", Blob=digest)
        if digest not in self._known and found["mediaType"] in oci.INDEXES | oci.MANIFESTS:
            self._hold(digest, self._repository.manifest(digest))
        return super().read(found)

    def _hold(self, digest: str, data: bytes | None) -> None:
        if data is None:
            raise images.absent(digest, [], f"{self._repository.host} does not have it")
        self._known[digest] = data
        if sum(map(len, self._known.values())) > oci.MAX_DOCUMENTS:
            raise Fail("oci-too-large", f"the image's documents are over {oci.MAX_DOCUMENTS} bytes")

    def place(self, entry: dict[str, Any], urls: list[str]) -> dict[str, Any]:
        """The `at` of a blob, whether or not it is there."""
        if urls:
            raise images.absent(entry["digest"], urls, "`urls` are never followed")
        return {"url": f"{REGISTRY}{self._repository.host}/{self._repository.path}", "offset": 0}


def find(reference: Reference, platform: str) -> tuple[images.Source, dict[str, str]]:
    """(the image that a reference names in its registry, its [provenance]).

    The reference is resolved once; everything after is by digest, so what a tag names may change meanwhile.
    """
    asked = Repository.named(reference["host"], reference["path"])
    data, who = asked.resolve(reference["digest"] or reference["tag"])
    # A digest is asked for where there is one; both are what was asked for.
    answered = parse(f"{who}:x") | {"tag": reference["tag"], "digest": reference["digest"]}
    same = spell(answered) == spell(reference)
    root = images.root_descriptor(data)
    source = Served(Mirrored.answering(asked, who), root, data)
    provenance = {"source": spell(answered), "registry": answered["host"]}
    notes: list[Finding] = []
    if not same:
        notes.append(finding("mirrored", f"{spell(answered)} answered for {spell(reference)}", Source=spell(answered)))
    if root["mediaType"] in oci.INDEXES and platform != "all":
        provenance["index_digest"] = root["digest"]
        index = oci.read_index(data, root["mediaType"], root["digest"])
        source.root, more = platforms.choose(index, platform, source.read)
        notes += more
    source.notes = notes
    return source, provenance
