"""What every sink checks while bytes pass: each blob's digest, each derived member, and the image's own documents."""

from collections.abc import Callable, Iterator

from cerrotorre import bundle, manifest, oci, recorded, trustmembers
from cerrotorre.content import CHUNK, Entry, Files, Job, mismatch, move, read
from cerrotorre.digest import hasher
from cerrotorre.errors import Fail, Finding, finding
from cerrotorre.records import Record
from cerrotorre.typed import Any

Progress = Callable[[int], object] | None

DOCUMENTS = ("index", "manifest", "config")


def documents(content: list[Entry]) -> set[str]:
    """The digests of the image's own JSON, which is held in memory. Raises Fail oci-too-large beyond the limit."""
    sizes = {entry["digest"]: entry["size"] for entry in content if entry["role"] in DOCUMENTS}
    if sum(sizes.values()) > oci.MAX_DOCUMENTS or max(sizes.values(), default=0) > oci.MAX_DOCUMENT:
        raise Fail("oci-too-large", f"the image's documents are {sum(sizes.values())} bytes")
    return set(sizes)


def jobs(content: list[Entry], places: list[int] | None = None) -> list[Job]:
    """One job a blob for `content.move`, to the given offsets of an output."""
    wanted = documents(content)
    to = places or [entry["at"]["offset"] for entry in content]
    return [
        {"entry": entry, "at": entry["at"], "to": offset, "keep": entry["digest"] in wanted}
        for entry, offset in zip(content, to, strict=True)
    ]


def hash_file(record: Record, progress: Progress = None) -> list[Finding]:
    """Hash a bundle that lies in files, and compare what the manifest determines. Returns what is wrong."""
    parsed, _, derived = recorded.derive(record)
    if not record.get("derived"):
        raise Fail("record-inconsistent", "no derived members")
    for entry in record["content"]:
        if "file" not in entry["at"]:
            raise Fail("record-inconsistent", "a blob does not lie in a file", Blob=entry["digest"])
    files = Files()
    findings: list[Finding] = []
    try:
        findings += altered(record, derived, files)
        kept, wrong = move(jobs(record["content"]), files, None, progress)
    finally:
        files.close()
    findings += wrong
    return findings or image_findings(parsed, kept)


def altered(record: Record, derived: list[tuple[str, bytes]], files: Files) -> list[Finding]:
    """The derived members that lie in a file and are not what the manifest gives (`derived` of recorded.derive)."""
    return [
        trustmembers.derived_mismatch(name, record)
        for place, (name, data) in zip(record.get("derived") or (), derived[1:], strict=False)
        if place["size"] != len(data) or read(place["at"], len(data), files) != data
    ]


def hash_pipe(record: Record, fd: int, progress: Progress = None) -> list[Finding]:
    """Read a piped bundle on from its trust members to its end: member list, derived members, every blob."""
    parsed, _, derived = recorded.derive(record)
    reader = bundle.PipeReader(fd, record["content"][0]["at"]["offset"])
    reader.widen()
    wanted = documents(parsed["content"])
    findings: list[Finding] = []
    kept: dict[str, bytes] = {}
    expected = dict(derived[1:])
    entries = {manifest.blob_path(entry["digest"]): entry for entry in parsed["content"]}
    for name, size in bundle.walk(reader, derived[1:], parsed["content"]):
        if name in expected:
            if reader.take(size) != expected[name]:
                findings.append(trustmembers.derived_mismatch(name, record))
            continue
        actual, data = hash_chunks(reader.chunks(size), entries[name]["digest"] in wanted, progress=progress)
        if actual != entries[name]["digest"]:
            findings.append(mismatch(entries[name], actual))
        kept[actual] = data
    return findings or image_findings(parsed, kept)


def hash_chunks(
    chunks: Iterator[bytes | memoryview],
    keep: bool,
    write: Callable[[bytes | memoryview], object] | None = None,
    progress: Progress = None,
) -> tuple[str, bytes]:
    """(digest, the bytes if they are to be kept) of what passes, written on if there is somewhere."""
    digest = hasher()
    held = bytearray()
    for part in chunks:
        digest.update(part)
        if write:
            write(part)
        if keep:
            held += part
        if progress:
            progress(len(part))
    return "sha256:" + digest.hexdigest(), bytes(held)


def file_chunks(at: Entry, size: int, files: Files) -> Iterator[bytes | memoryview]:
    """The bytes of a blob in a file, a chunk at a time."""
    done = 0
    while done < size:
        part = read({**at, "offset": at["offset"] + done}, min(CHUNK, size - done), files)
        yield part
        done += len(part)


def image_findings(parsed: dict[str, Any], kept: dict[str, bytes]) -> list[Finding]:
    """What the image's own documents, whose digests matched, contradict in the manifest."""

    def held(found: oci.Descriptor) -> bytes:
        data = kept.get(found["digest"])
        if data is None or len(data) != found["size"]:
            raise Fail("oci-blob-absent", f"{found['digest']} is not among the content as a document")
        return data

    root = {"mediaType": parsed["image"]["media_type"], "digest": parsed["image_digest"], "size": parsed["image"]["size"]}
    try:
        said = oci.describe(root, held)
    except Fail as fail:
        return [finding("image-mismatch", str(fail), **{k: v for k, v in fail.finding["context"].items() if k != "Bundle"})]
    for key in ("image", "metadata", "content"):
        claimed = parsed.get(key, {})
        if said[key] != claimed:
            part = (
                next((name for name in sorted({*said[key], *claimed}) if said[key].get(name) != claimed.get(name)), "")
                if key != "content"
                else ""
            )
            return [finding("image-mismatch", f"[{key}] {part}".rstrip(), Key=f"{key}.{part}" if part else key)]
    return []
