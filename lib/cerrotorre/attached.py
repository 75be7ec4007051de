"""What is attached to an image in its registry: taken along into the bundle, or named as left behind (spec/attachments.adoc).

Everything that a registry says is hostile: lists are bounded, documents are read by digest, nothing attached is followed further,
and what is taken does not depend on the order in which it was found.
"""

import os

from cerrotorre import canon, config, content, dsse, foreign, keystore, oci, reference, signatures, statement
from cerrotorre.digest import is_digest, sha256
from cerrotorre.distribution import Repository
from cerrotorre.errors import Fail, finding
from cerrotorre.manifest import fits_inline
from cerrotorre.records import Record
from cerrotorre.transport import TooLarge
from cerrotorre.typed import Any

MAX_SUBJECTS = 64
MAX_ATTACHED = 256
# Room for 16 signatures, whose lines are at most a few KiB.
MAX_LINES, MAX_BYTES = 240, 48 << 20
MAX_DOCUMENT, MAX_FETCHED = 32 << 20, 64 << 20
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
    """What a repository has for some digests: `lines`, {envelope line: (its document's digest, type, evidence lines)}, and `left`."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self.lines: dict[bytes, tuple[str, str, set[bytes]]] = {}
        self.left: dict[tuple[str, str], Any] = {}
        self.unnamed = 0
        self._fetched = 0
        self._done: set[str] = set()

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
        answer = self._repository.referrers(subject, MAX_ATTACHED)
        entries, whole = (self._listed(subject), True) if answer is None else answer
        named: dict[str, Any] = {}
        for entry in entries:
            digest = entry.get("digest") if isinstance(entry, dict) else None
            if not is_digest(digest):
                self.leave(str(digest)[:100], "", subject, "its digest is not lowercase sha256")
                whole = whole and len(self.left) < MAX_ATTACHED
                if not whole:
                    break
            else:
                named[str(digest)] = entry
        for digest in sorted(named)[:MAX_ATTACHED]:
            self._referrer(named[digest], subject)
        if len(named) > MAX_ATTACHED or not whole:
            self.leave(
                subject, "", None, f"more than {MAX_ATTACHED} things are attached to it: those beyond are left behind unnamed"
            )

    def _tagged(self, tag: str, subject: str) -> bytes | None:
        try:
            return self._repository.tagged(tag)
        except TooLarge:
            self.leave(tag, "", subject, f"its manifest is over {oci.MAX_DOCUMENT} bytes")
            return None

    def _listed(self, subject: str) -> list[Any]:
        """What the referrers tag lists, where there is no API that would."""
        tag = subject.replace(":", "-")
        data = self._tagged(tag, subject)
        if data is None:
            return []
        try:
            entries = oci.document(data, tag).get("manifests")
        except Fail:
            entries = None
        if isinstance(entries, list):
            return entries
        self.leave(sha256(data), "", subject, f"the tag {tag} is no index")
        return []

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
        try:
            doc = oci.read_manifest(data, None, digest)
        except Fail as fail:
            self.leave(digest, kind, subject, str(fail)[:200])
            return
        named = doc.get("subject")
        if (strict or named is not None) and not (isinstance(named, dict) and named.get("digest") == subject):
            self.leave(digest, kind, subject, "it does not name this as its subject")
            return
        self._done.add(digest)
        layers = [layer for layer in doc["layers"] if layer["mediaType"] != EMPTY]
        if not layers:
            self.leave(digest, kind, subject, "it holds nothing")
        for layer in layers[:MAX_ATTACHED]:
            try:
                self._layer(layer)
            except ValueError as error:
                self.leave(layer["digest"], layer["mediaType"], subject, str(error)[:200])
        if len(layers) > MAX_ATTACHED:
            self.leave(
                digest, kind, subject, f"it holds {len(layers)} things: those beyond {MAX_ATTACHED} are left behind unnamed"
            )

    def _layer(self, layer: oci.Descriptor) -> None:
        """One attached blob. Raises ValueError that says why it cannot be taken."""
        kind, size = layer["mediaType"], layer["size"]
        if not foreign.may_hold_envelope(kind):
            simple = kind == foreign.SIMPLE_SIGNING
            raise ValueError("a simple signature: it signs no statement" if simple else "not a signed statement")
        if size > MAX_DOCUMENT:
            raise ValueError(f"it is over {MAX_DOCUMENT} bytes")
        self._fetched += size
        if self._fetched > MAX_FETCHED:
            raise ValueError(f"what is attached is over {MAX_FETCHED} bytes together")
        try:
            data = self._repository.blob(layer["digest"], size)
        except TooLarge:
            data = b""
        if data is None:
            raise ValueError("the registry lists it, and does not have it")
        if len(data) != size:
            raise ValueError("it is not as large as its manifest says")
        line, evidence = foreign.lines(data, kind, layer.get("annotations", {}))
        _, _, about = self.lines.setdefault(line, (layer["digest"], kind, set()))
        about.update([evidence] if evidence else [])

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


def _judged(found: _Found, manifest: Record) -> list[list[bytes]]:
    """The lines to take, an envelope with its evidence each, in the order of the envelopes' digests; the rest is left behind."""
    kept: list[list[bytes]] = []
    keys = keystore.load()[0] if found.lines else []
    digest = sha256(canon.canonical(manifest))
    count = size = 0
    for line, (blob, kind, evidence) in sorted(found.lines.items(), key=lambda item: sha256(item[0])):
        group = [line, *sorted(evidence)]
        why = _why_not(line, manifest, digest, keys)
        if not why and (count + len(group) > MAX_LINES or size + sum(map(len, group)) > MAX_BYTES):
            why = f"there is room for {MAX_LINES} lines and {MAX_BYTES} bytes"
        if why:
            found.leave(blob, kind, manifest["image_digest"], why)
            continue
        count, size = count + len(group), size + sum(map(len, group))
        kept.append(group)
    return kept


def _why_not(line: bytes, manifest: Record, digest: str, keys: list[keystore.Key]) -> str:
    """Why an envelope cannot be taken: what no bundle of this image may hold, and what would spoil this one."""
    envelope = dsse.parse_line(line, 1)[1]
    try:
        said = statement.parse(envelope["payload"])
        if said["predicateType"] == statement.BUNDLE_SIGNATURE:
            return "it is the signature of a bundle"
        index = manifest["provenance"].get("index_digest")
        about = [subject["digest"].get("sha256") for subject in said["subject"]]
        if index and manifest["image_digest"][7:] not in about and index[7:] in about:
            return "it is about the whole index, which --platform all takes"
        statement.check_subjects(said, manifest, digest)
    except ValueError as error:
        return str(error)[:200]
    _, wrong = signatures.judge([envelope], [], manifest, digest, keys)
    return next((f"{made['summary']} ({made['finding']})" for made in wrong if made["finding"] != "unsigned"), "")


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
