"""What is attached to an image in its registry: taken along into the bundle, or named as left behind (spec/attachments.adoc).

Everything that a registry says is hostile: lists are bounded, documents are read by digest, nothing attached is followed further,
and what is taken does not depend on the order in which it was found.
"""

import os

from cerrotorre import bundlemanifest, canon, config, content, foreign, keystore, oci, reference, referrers
from cerrotorre.digest import sha256
from cerrotorre.distribution import Repository
from cerrotorre.errors import Fail, finding
from cerrotorre.manifest import fits_inline
from cerrotorre.records import Record
from cerrotorre.transport import TooLarge
from cerrotorre.typed import Any

MAX_SUBJECTS = 64
MAX_ATTACHED = 256
MAX_DOCUMENT, MAX_FETCHED = 32 << 20, 64 << 20
# Of one envelope: annotations are anyone's to choose, and its maker needs no more.
MAX_EVIDENCE, MAX_ANNOTATIONS = 4, 64 << 10
# Each of these is a finding, and a record is one line.
MAX_NAMED = 512
# As ct-open puts lines into records (spec/records.adoc, "attestations").
COSIGN = (".sig", ".att", ".sbom")
EMPTY = "application/vnd.oci.empty.v1+json"
_REFERENCE = "vnd.docker.reference."


def collect(record: Record, directory: str) -> None:
    """Put what is attached to the record's image, and to the index it is from, into the record.

    It is asked of the registry that gave the image. Lines too long for a record go into a file in `directory`. Raises Fail
    attachments-unknown where the registry does not say what is attached.
    """
    manifest = record["manifest"]
    said = reference.parse(manifest["provenance"]["source"])
    settings = config.read().get("registries", {})
    found = _Found(Repository(said["host"], said["path"], settings.get("insecure", []), settings.get("realms", [])))
    try:
        _look(found, manifest)
    except Fail as fail:
        if fail.finding["finding"] == "network":
            fail.finding = {**finding("attachments-unknown", str(fail)), "context": fail.finding["context"]}
        raise
    kept = _judged(found, manifest)
    _fill(record, kept, directory)
    record["attached"] = {"taken": len(kept), "left": len(found.left) + found.unnamed}
    record["findings"] += sorted(found.left.values(), key=lambda one: (one["context"]["Attachment"], one["detail"]))
    if found.unnamed:
        record["findings"].append(
            finding("attachment-left-behind", f"and {found.unnamed} more, unnamed", Attachment="*", Reason="too many")
        )


def _look(found: "_Found", manifest: Record) -> None:
    """Look at everything of the image that others may attach something to."""
    found.look(manifest["image_digest"], manifest["provenance"].get("index_digest"))
    others = [entry["digest"] for entry in manifest["content"][1:] if entry["role"] in ("index", "manifest")]
    for digest in others[:MAX_SUBJECTS]:
        found.look(digest, None)
    if len(others) > MAX_SUBJECTS:
        found.leave(
            manifest["image_digest"],
            "",
            None,
            f"not looked for: anything attached to {len(others) - MAX_SUBJECTS} more of its images",
        )


class _Found:
    """What a repository has for some digests: `lines`, {envelope line: (its document's digest, type, evidence)}, and `left`.

    Evidence is {its line: the digest of the manifest that attaches it}.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self.lines: dict[bytes, tuple[str, str, dict[bytes, str]]] = {}
        self.left: dict[tuple[str, str], Any] = {}
        self.unnamed = 0
        self._fetched = 0
        self._done: set[str] = set()
        # Of each layer that is an envelope: its line, and whether its document is kept beside it.
        self._layers: dict[tuple[str, str], tuple[bytes, bool]] = {}

    def leave(self, digest: str, kind: str, to: str | None, why: str) -> None:
        detail = f"{digest}{f' ({kind})' if kind else ''}: {why}"
        if (digest, why) in self.left:
            return
        if len(self.left) >= MAX_NAMED:
            self.unnamed += 1
            return
        made = finding("attachment-left-behind", detail, Attachment=digest, Type=kind or None, Attached_to=to, Reason=why)
        self.left[digest, why] = made

    def look(self, digest: str, index: str | None) -> None:
        """Look for what is attached to an image, and to the index it was chosen from."""
        for subject in [digest, *([index] if index else [])]:
            self._referrers(subject)
            for suffix in COSIGN:
                tag = subject.replace(":", "-") + suffix
                data = self._tagged(tag, subject)
                if data is not None:
                    self._document(data, sha256(data), tag, subject, strict=False)
        if index:
            self._beside(digest, index)

    def _referrers(self, subject: str) -> None:
        try:
            entries = referrers.by_api(self._repository, subject, MAX_ATTACHED)
            if entries is None:
                entries = self._by_tag(subject)
        except referrers.TooMany:
            raise _too_many(f"more than {MAX_ATTACHED} things are attached to {subject}") from None
        named, others = referrers.by_digest(entries)
        for digest in others:
            self.leave(str(digest)[:100], "", subject, "its digest is not lowercase sha256")
        for entry in named.values():
            self._referrer(entry, subject)

    def _by_tag(self, subject: str) -> list[Any]:
        tag = referrers.tag_of(subject)
        try:
            return referrers.by_tag(self._repository, subject, MAX_ATTACHED)
        except TooLarge:
            self.leave(tag, "", subject, f"its manifest is over {oci.MAX_DOCUMENT} bytes")
        except referrers.NoIndex as error:
            self.leave(sha256(error.data), "", subject, str(error))
        return []

    def _tagged(self, tag: str, subject: str) -> bytes | None:
        try:
            return self._repository.tagged(tag)
        except TooLarge:
            self.leave(tag, "", subject, f"its manifest is over {oci.MAX_DOCUMENT} bytes")
            return None

    def _referrer(self, entry: Any, subject: str) -> None:
        """One attached manifest that a list names."""
        try:
            described = oci.descriptor(entry, "referrers")
        except Fail as fail:
            self.leave(entry["digest"], "", subject, str(fail)[:200])
            return
        digest, kind = described["digest"], str(described.get("artifactType") or described["mediaType"])[:200]
        why, data = "", None
        if digest in self._done:
            return
        if described["mediaType"] != oci.OCI_MANIFEST:
            why = "it is not an image manifest"
        elif described["size"] > oci.MAX_DOCUMENT:
            why = f"its manifest is over {oci.MAX_DOCUMENT} bytes"
        else:
            try:
                data = self._repository.manifest(digest)
                why = "the registry lists it, and does not have it"
            except TooLarge:
                why = f"its manifest is over {oci.MAX_DOCUMENT} bytes"
        if data is None:
            self.leave(digest, kind, subject, why)
        else:
            self._document(data, digest, kind, subject, strict=True)

    def _document(self, data: bytes, digest: str, kind: str, subject: str, *, strict: bool) -> None:
        """One attached manifest. `strict`: it must name its subject; cosign's tags name it for theirs."""
        if digest in self._done:
            return
        self._count(len(data))
        try:
            doc = oci.read_manifest(data, None, digest)
        except Fail as fail:
            self.leave(digest, kind, subject, str(fail)[:200])
            return
        if (strict or doc.get("subject") is not None) and not oci.refers_to(doc, subject):
            self.leave(digest, kind, subject, "it does not name this as its subject")
            return
        self._done.add(digest)
        if doc.get("artifactType") == bundlemanifest.TYPE:
            self.leave(digest, kind, subject, "a bundle of this image: ct fetch gets it whole")
            return
        layers = [layer for layer in doc["layers"] if layer["mediaType"] != EMPTY]
        if not layers:
            self.leave(digest, kind, subject, "it holds nothing")
        for layer in layers[:MAX_ATTACHED]:
            try:
                self._layer(layer, digest, subject)
            except ValueError as error:
                self.leave(layer["digest"], layer["mediaType"], subject, str(error)[:200])
        if len(layers) > MAX_ATTACHED:
            self.leave(
                digest, kind, subject, f"it holds {len(layers)} things: those beyond {MAX_ATTACHED} are left behind unnamed"
            )

    def _count(self, size: int) -> None:
        """Count what is fetched. What is attached beyond the limit cannot be told from what a trusted key signed: nothing is cut."""
        self._fetched += size
        if self._fetched > MAX_FETCHED:
            raise _too_many(f"what is attached is over {MAX_FETCHED} bytes together")

    def _layer(self, layer: oci.Descriptor, manifest: str, subject: str) -> None:
        """One attached blob, fetched once. Raises ValueError that says why it cannot be taken."""
        digest, kind, size, annotations = layer["digest"], layer["mediaType"], layer["size"], layer.get("annotations", {})
        if not foreign.may_hold_envelope(kind):
            simple = kind == foreign.SIMPLE_SIGNING
            raise ValueError("a simple signature: it signs no statement" if simple else "not a signed statement")
        if size > MAX_DOCUMENT:
            raise ValueError(f"it is over {MAX_DOCUMENT} bytes")
        if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > MAX_ANNOTATIONS:
            self.leave(manifest, kind, subject, f"the annotations of {digest} are over {MAX_ANNOTATIONS} bytes")
            annotations = {}
        if (digest, kind) not in self._layers:
            self._count(size)
            line, evidence = foreign.lines(self._blob(digest, size), kind, annotations)
            self._layers[digest, kind] = line, evidence is not None and foreign.has_document(evidence)
        else:
            line, whole = self._layers[digest, kind]
            if whole and annotations:
                self.leave(manifest, kind, subject, f"{digest} is there already: it counts once, whatever its annotations")
            evidence = None if whole else foreign.evidence(line, kind, annotations, None)
        _, _, about = self.lines.setdefault(line, (digest, kind, {}))
        if evidence:
            about.setdefault(evidence, manifest)
        if len(about) > MAX_EVIDENCE:
            last = max(about, key=foreign.order)
            self.leave(about.pop(last), kind, subject, f"more than {MAX_EVIDENCE} lines of evidence about {digest}")

    def _blob(self, digest: str, size: int) -> bytes:
        try:
            data = self._repository.blob(digest, size)
        except TooLarge:
            data = b""
        if data is None:
            raise ValueError("the registry lists it, and does not have it")
        if len(data) != size:
            raise ValueError("it is not as large as its manifest says")
        return data

    def _beside(self, digest: str, index: str) -> None:
        """BuildKit's attestations of an image lie beside it in the index; of an index that is taken whole they are content."""
        data = self._repository.manifest(index)
        doc = oci.read_index(data, None, index) if data is not None else {"manifests": []}
        for entry in doc["manifests"]:
            said = entry.get("annotations", {})
            if said.get(_REFERENCE + "type") == "attestation-manifest" and said.get(_REFERENCE + "digest") == digest:
                self._done.add(entry["digest"])
                self.leave(
                    entry["digest"],
                    "attestation-manifest",
                    digest,
                    "BuildKit's statements, which nobody signed; --platform all takes them",
                )


def _too_many(why: str) -> Fail:
    return Fail("attachments-unknown", f"too many: {why}, and which of it counts cannot be known")


def _judged(found: _Found, manifest: Record) -> list[list[bytes]]:
    """The lines to take, an envelope with its evidence each, in the order of the envelopes' digests; the rest is left behind.

    Room goes to the envelopes that trusted keys made, then to those of known keys, then to strangers', then to evidence.
    """
    keys = keystore.load()[0] if found.lines else []
    digest, image = sha256(canon.canonical(manifest)), manifest["image_digest"]
    able: list[tuple[int, str, bytes]] = []
    made: set[tuple[str, str]] = set()
    for line, (blob, kind, _) in sorted(found.lines.items(), key=lambda item: (len(item[0]), sha256(item[0]))):
        why, rank, what = foreign.look_at(line, manifest, digest, keys)
        if why:
            found.leave(blob, kind, image, why)
            continue
        # One statement of one key has its place once: anyone can add signatures of nobody to it, for as many lines as they like.
        able.append((foreign.STRANGER if what in made else rank, sha256(line), line))
        made.update([what] if rank != foreign.STRANGER else [])
    kept: dict[bytes, list[bytes]] = {}
    room = foreign.Room()
    for rank, _, line in sorted(able):
        blob, kind, _ = found.lines[line]
        if why := room.take(len(line), stranger=rank == foreign.STRANGER):
            found.leave(blob, kind, image, why)
        else:
            kept[line] = [line]
    for line in list(kept):
        _, kind, about = found.lines[line]
        for evidence in sorted(about, key=foreign.order):
            if why := room.take(len(evidence), stranger=True):
                found.leave(about[evidence], kind, image, f"evidence about {sha256(line)}: {why}")
            else:
                kept[line].append(evidence)
    return [[line, *sorted(group[1:])] for line, group in sorted(kept.items(), key=lambda item: sha256(item[0]))]


def _fill(record: Record, groups: list[list[bytes]], directory: str) -> None:
    """The lines as a record's `attestations`: small ones as text, the rest in a file."""
    path, inline, offset = f"{directory}/attached.jsonl", 0, 0
    far: list[Any] = []
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        for group in groups:
            for number, line in enumerate(group):
                if fits_inline(len(line), inline):
                    inline += len(line)
                    record["attestations"].append({"evidence" if number else "envelope": line.decode()})
                else:
                    file.write(line)
                    far.append({"at": {"file": path, "id": "", "offset": offset}, "size": len(line), "digest": sha256(line)})
                    record["attestations"].append(far[-1])
                    offset += len(line)
    # Its identity is that of the finished file.
    for entry in far:
        entry["at"]["id"], _ = content.locate(path)
