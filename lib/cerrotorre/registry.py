"""Images from registries, by skopeo: digests preserved, chosen by digest, into a private directory."""

import os
import re
import shlex

from cerrotorre import images, manifest, oci, platforms, skopeo
from cerrotorre.errors import Fail, Finding, finding
from cerrotorre.reference import match_registry, parse, spell
from cerrotorre.typed import Any

# Seconds: for a document, and for a copy during which hardly anything comes.
ANSWER, SILENCE = 120, 300
# Bytes beyond what an image's descriptors say: documents, and what skopeo writes besides.
SLACK = 64 << 20
_OWN = {manifest.OCI_INDEX: oci.OCI_MANIFEST, oci.DOCKER_INDEX: oci.DOCKER_MANIFEST}
# What skopeo logs of each registry it asks, a mirror of registries.conf first; the last one answered.
_ASKED = re.compile(r'Trying to access "([^"]+)"')
# A registry that skopeo was to ask: where it was led from there is not to be named in the configuration.
_PLAIN = re.compile(r'registry ([a-z0-9.:\[\]-]+): Get "https://\1/v2/": http: server gave HTTP response to HTTPS client')
_NOT_THERE = re.compile(r"(?:^|: )(?:manifest unknown|name unknown|not found)\b|StatusCode: 404\b")
_NOT_ALLOWED = re.compile(
    r"(?:^|: )(?:unauthorized|denied|authentication required|unable to retrieve auth token)\b"
    r"|(?:\bStatusCode:|\bstatus(?: code)?(?: from registry)?:?) 40[13]\b"
)


class Remote:
    """One repository of a registry; documents are read by digest and checked."""

    def __init__(self, reference: dict[str, Any], insecure: list[str], directory: str) -> None:
        self.directory = directory
        self.repository = f"{reference['host']}/{reference['path']}"
        self.insecure = insecure
        self.known: dict[str, bytes] = {}
        # Said either way, since registries.conf too can mark a registry as insecure.
        self.verify = "false" if self._is_plain(reference) else "true"
        # Credentials go over TLS alone, and skopeo would send them without.
        self.anonymous = self.verify == "false"
        self.most = SLACK

    def _is_plain(self, reference: dict[str, Any]) -> bool:
        return any(match_registry(pattern, spell(reference)) for pattern in self.insecure)

    def resolve(self, by: str) -> tuple[bytes, dict[str, Any]]:
        """(the raw manifest or index that `:TAG` or `@DIGEST` names, the reference of whoever gave it)."""
        source = f"docker://{self.repository}{by}"
        anonymous = ["--no-creds"] if self.anonymous else []
        arguments = ["--debug", "inspect", "--raw", f"--tls-verify={self.verify}", *anonymous, source]
        data, said = self._run(arguments, self.repository + by, silence=ANSWER)
        if by.startswith("@"):
            images.check_digest(by[1:], data)
        asked = [match[1] for message in said if (match := _ASKED.fullmatch(message))]
        if not asked:
            raise Fail("network", "skopeo did not say which registry answered", Reference=self.repository + by)
        answered = parse(asked[-1])
        if self.verify == "false" and not self._is_plain(answered):
            raise Fail("network", "a mirror answered, which [registries] insecure does not name", Reference=spell(answered))
        return data, answered

    def read(self, found: oci.Descriptor) -> bytes:
        """A document that a descriptor names: manifests and indexes; a config is not one the registry serves this way."""
        digest = found["digest"]
        if found["mediaType"] not in oci.INDEXES | oci.MANIFESTS:
            raise Fail("oci-platform", "an image of the index names no platform", Blob=digest)
        if digest not in self.known:
            self.known[digest] = self.resolve("@" + digest)[0]
            if sum(map(len, self.known.values())) > oci.MAX_DOCUMENTS:
                raise Fail("oci-too-large", f"the image's documents are over {oci.MAX_DOCUMENTS} bytes")
        return self.known[digest]

    def fetch(self, root: oci.Descriptor) -> images.Source:
        """An image or a whole index, into the directory. Raises Fail oci-blob-absent for `urls`: skopeo would ask there."""
        for digest, urls in images.elsewhere(root, self.read):
            raise images.absent(digest, urls, "`urls` are never followed")
        self.most = SLACK + _declared(root, self.read)
        directory = f"{self.directory}/image"
        if root["mediaType"] in oci.INDEXES:
            children = oci.read_index(self.read(root), root["mediaType"], root["digest"])["manifests"]
            if {child["mediaType"] for child in children} - {_OWN[root["mediaType"]]}:
                return self._fetch_parts(root, directory)
            self._copy(root["digest"], directory, "--all")
        else:
            self._copy(root["digest"], directory)
        source = images.skopeo_directory(directory)
        if source.root["digest"] != root["digest"]:
            raise Fail("hash-mismatch", "skopeo wrote another manifest", Expected=root["digest"], Actual=source.root["digest"])
        return source

    def _fetch_parts(self, root: oci.Descriptor, directory: str) -> images.Source:
        """An index that holds another, or both OCI's and Docker's manifests, which skopeo does not copy: its indexes as they were
        read, and each image by itself."""
        os.mkdir(directory)
        parts: dict[str, str] = {}
        for found, doc in images.documents(root, self.read):
            digest = found["digest"]
            if "manifests" in doc:
                with open(f"{directory}/{digest.removeprefix('sha256:')}", "xb") as file:
                    file.write(self.read(found))
            else:
                parts[digest] = f"{directory}/{len(parts)}"
                self._copy(digest, parts[digest])
        return images.Parts(directory, root, parts)

    def _copy(self, digest: str, directory: str, *more: str) -> None:
        flags = ["--quiet", "--preserve-digests", f"--src-tls-verify={self.verify}", *more]
        flags += ["--src-no-creds"] if self.anonymous else []
        source = f"docker://{self.repository}@{digest}"
        subject = f"{self.repository}@{digest}"
        excess = Fail("oci-size", "a blob is larger than its descriptor says", Reference=f"{self.repository}@{digest}")
        self._run(["copy", *flags, source, f"dir:{directory}"], subject, silence=SILENCE, most=(self.most, excess))

    def _run(self, arguments: list[str], subject: str, **limits: Any) -> tuple[bytes, list[str]]:
        """skopeo, with what its refusal means and what to do about it, where that can be told from its words."""
        try:
            return skopeo.run(arguments, subject, "network", self.directory, **limits)
        except Fail as fail:
            words = str(fail.finding["context"].get("Skopeo", "")).replace(subject, "")
            host = self.repository.partition("/")[0]
            if fail.finding["finding"] != "network":
                raise
            if plain := _PLAIN.search(words):
                fail.finding["detail"] = f"{plain[1]} speaks plain HTTP, and the configuration does not name it as one that may"
                # What is set replaces what was there.
                fail.finding["try"] = [
                    "ct config set registries.insecure " + " ".join(map(shlex.quote, [*self.insecure, plain[1]]))
                ]
            elif _NOT_ALLOWED.search(words):
                fail.finding["detail"] = f"{host} wants other credentials, or has no such image for you"
                fail.finding["try"] = [f"skopeo login {host}"]
            elif _NOT_THERE.search(words):
                fail.finding["detail"] = f"no such image there: {subject}"
            raise


def _declared(root: oci.Descriptor, read: oci.Reader) -> int:
    """The bytes of all that an image names, each as often as it is named: parts that are fetched by themselves share nothing."""
    size = 0
    for found, doc in images.documents(root, read):
        size += found["size"]
        if "manifests" not in doc:
            size += sum(blob["size"] for blob in [doc["config"], *doc["layers"]])
    return size


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
    remote.known[root["digest"]] = data
    provenance = {"source": spell(answered), "registry": answered["host"]}
    notes: list[Finding] = []
    if spell(answered) != spell(reference):
        notes.append(finding("mirrored", f"{spell(answered)} answered for {spell(reference)}", Source=spell(answered)))
    if root["mediaType"] in oci.INDEXES and platform != "all":
        provenance["index_digest"] = root["digest"]
        index = oci.read_index(data, root["mediaType"], root["digest"])
        root, more = platforms.choose(index, platform, remote.read)
        notes += more
    source = remote.fetch(root)
    source.notes = notes
    return source, provenance
