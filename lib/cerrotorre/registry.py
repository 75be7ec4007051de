"""Images from registries, by skopeo: digests preserved, chosen by digest, into a private directory."""

import re

from cerrotorre import images, oci, platforms, skopeo
from cerrotorre.errors import Fail, Finding, finding
from cerrotorre.reference import match_registry, parse, spell
from cerrotorre.typed import Any

# What skopeo logs of each registry it asks, a mirror of registries.conf first; the last one answered.
_ASKED = re.compile(r'Trying to access "([^"]+)"')


class Remote:
    """One repository of a registry; documents are read by digest and checked."""

    def __init__(self, reference: dict[str, Any], insecure: list[str], directory: str) -> None:
        self.reference, self.directory = reference, directory
        self.repository = f"{reference['host']}/{reference['path']}"
        self.insecure = insecure
        # Said either way, since registries.conf too can mark a registry as insecure.
        self.verify = "false" if self._is_plain(reference) else "true"

    def _is_plain(self, reference: dict[str, Any]) -> bool:
        return any(match_registry(pattern, spell(reference)) for pattern in self.insecure)

    def resolve(self, by: str) -> tuple[bytes, dict[str, Any]]:
        """(the raw manifest or index that `:TAG` or `@DIGEST` names, the reference of whoever gave it)."""
        source = f"docker://{self.repository}{by}"
        data, said = skopeo.run(
            ["--debug", "inspect", "--raw", f"--tls-verify={self.verify}", source],
            self.repository + by,
            "network",
            self.directory,
        )
        if by.startswith("@"):
            images.check_digest(by[1:], data)
        asked = [match[1] for message in said if (match := _ASKED.fullmatch(message))]
        if not asked:
            raise Fail("network", "skopeo did not say which registry answered", Reference=self.repository + by)
        answered = parse(asked[-1])
        if self.verify == "false" and not self._is_plain(answered):
            raise Fail("network", "a mirror answered, which [registries] insecure does not name", Reference=spell(answered))
        return data, answered

    def document(self, digest: str) -> bytes:
        return self.resolve("@" + digest)[0]

    def read(self, found: oci.Descriptor) -> bytes:
        """A document that a descriptor names: manifests and indexes; a config is not one the registry serves this way."""
        if found["mediaType"] not in oci.INDEXES | oci.MANIFESTS:
            raise Fail("oci-platform", "an image of the index names no platform", Blob=found["digest"])
        return self.document(found["digest"])

    def refuse_urls(self, root: oci.Descriptor, data: bytes) -> None:
        """Raise Fail oci-blob-absent for layers that are said to be elsewhere: skopeo would ask there."""
        known = {root["digest"]: data}
        for found, urls in images.elsewhere(root, lambda part: known.get(part["digest"]) or self.read(part)):
            raise images.absent(found, urls, "`urls` are never followed")

    def copy(self, digest: str, directory: str, everything: bool) -> None:
        flags = ["--quiet", "--preserve-digests", f"--src-tls-verify={self.verify}", *(["--all"] if everything else [])]
        source = f"docker://{self.repository}@{digest}"
        skopeo.run(["copy", *flags, source, f"dir:{directory}"], f"{self.repository}@{digest}", "network", self.directory)


def fetch(
    reference: dict[str, Any], directory: str, platform: str, insecure: list[str]
) -> tuple[images.Source, dict[str, str]]:
    """Fetch an image into `directory`: (where it lies, its [provenance]).

    The reference is resolved once; everything after is by digest, so what a tag names may change meanwhile.
    """
    remote = Remote(reference, insecure, directory)
    data, answered = remote.resolve("@" + reference["digest"] if reference["digest"] else ":" + reference["tag"])
    # skopeo is given one of tag and digest; both are what was asked for.
    answered |= {"tag": reference["tag"], "digest": reference["digest"]}
    root = images.root_descriptor(data)
    provenance = {"source": spell(answered), "registry": answered["host"]}
    notes: list[Finding] = []
    if spell(answered) != spell(reference):
        notes.append(finding("mirrored", f"{spell(answered)} answered for {spell(reference)}", Source=spell(answered)))
    if root["mediaType"] in oci.INDEXES and platform != "all":
        provenance["index_digest"] = root["digest"]
        index = oci.read_index(data, root["mediaType"], root["digest"])
        root, more = platforms.choose(index, platform, remote.read)
        notes += more
        data = remote.read(root)
    remote.refuse_urls(root, data)
    remote.copy(root["digest"], f"{directory}/image", root["mediaType"] in oci.INDEXES)
    source = images.skopeo_directory(f"{directory}/image")
    source.notes = notes
    if source.root["digest"] != root["digest"]:
        raise Fail("hash-mismatch", "skopeo wrote another manifest", Expected=root["digest"], Actual=source.root["digest"])
    return source, provenance
