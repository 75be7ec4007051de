"""Images from registries, by skopeo: digests preserved, chosen by digest, into a private directory."""

import json
import re
import subprocess

from cerrotorre import images, oci, platforms
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail
from cerrotorre.reference import match_registry, spell
from cerrotorre.typed import Any

MAX_WORDS = 2000


def _skopeo(arguments: list[str], subject: str) -> bytes:
    """Run skopeo and return what it printed, at most a document's size. Raises Fail tool-missing or network."""
    try:
        with subprocess.Popen(
            ["skopeo", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as child:
            try:
                out, words = child.communicate()
            except KeyboardInterrupt:
                # What interrupts this program alone does not reach skopeo.
                child.kill()
                raise
    except FileNotFoundError:
        raise Fail("tool-missing", "skopeo is not installed", Program="skopeo", Needed_for=f"fetching {subject}") from None
    if child.returncode:
        raise Fail("network", f"skopeo could not get {subject}", Reference=subject, Skopeo=_message(words)[:MAX_WORDS])
    return out


def _message(words: bytes) -> str:
    """What skopeo's last log line says: time="…" level=fatal msg="…"."""
    line = (words.decode("utf-8", "replace").strip().splitlines() or ["nothing was said"])[-1]
    quoted = re.search(r'msg=("(?:[^"\\]|\\.)*")', line)
    try:
        return str(json.loads(quoted[1])) if quoted else line
    except ValueError:
        return line


class Remote:
    """One repository of a registry; documents are read by digest and checked."""

    def __init__(self, reference: dict[str, Any], insecure: list[str]) -> None:
        self.reference = reference
        self.repository = f"{reference['host']}/{reference['path']}"
        self.plain = any(match_registry(pattern, spell(reference)) for pattern in insecure)

    def document(self, by: str) -> bytes:
        """The raw manifest or index that `by`, `:TAG` or `@DIGEST`, names."""
        flags = ["--tls-verify=false"] if self.plain else []
        data = _skopeo(["inspect", "--raw", *flags, f"docker://{self.repository}{by}"], self.repository + by)
        if by.startswith("@"):
            images.check_digest(by[1:], data)
        return data

    def read(self, found: oci.Descriptor) -> bytes:
        """A document that a descriptor names: manifests and indexes; a config is not one the registry serves this way."""
        if found["mediaType"] not in oci.INDEXES | oci.MANIFESTS:
            raise Fail("oci-platform", "an image of the index names no platform", Blob=found["digest"])
        return self.document("@" + found["digest"])

    def copy(self, digest: str, directory: str, everything: bool) -> None:
        flags = ["--src-tls-verify=false"] if self.plain else []
        flags += ["--all"] if everything else []
        arguments = [
            "copy",
            "--quiet",
            "--preserve-digests",
            *flags,
            f"docker://{self.repository}@{digest}",
            f"dir:{directory}",
        ]
        _skopeo(arguments, f"{self.repository}@{digest}")


def fetch(
    reference: dict[str, Any], directory: str, platform: str, insecure: list[str]
) -> tuple[images.Source, dict[str, str]]:
    """Fetch an image into `directory`: (where it lies, its [provenance]).

    The reference is resolved once; everything after is by digest, so what a tag names may change meanwhile.
    """
    remote = Remote(reference, insecure)
    data = remote.document("@" + reference["digest"] if reference["digest"] else ":" + reference["tag"])
    root = images.root_descriptor(data)
    provenance = {"source": spell(reference), "registry": reference["host"]}
    if root["mediaType"] in oci.INDEXES and platform != "all":
        provenance["index_digest"] = root["digest"]
        root = platforms.choose(oci.read_index(data, root["mediaType"], root["digest"]), platform, remote.read)
    remote.copy(root["digest"], directory, root["mediaType"] in oci.INDEXES)
    source = images.skopeo_directory(directory)
    if source.root["digest"] != root["digest"]:
        raise Fail("hash-mismatch", "skopeo wrote another manifest", Expected=root["digest"], Actual=sha256(data))
    return source, provenance
