"""ct-export.json: what an archive of bundles consists of, and which member of which part lies where (spec/export.adoc).

Bytes and values only. Who reads an archive rebuilds every header from here and compares, so nothing is anywhere else.
"""

import re
from collections.abc import Iterator

from cerrotorre import jsonic, manifest, tarball
from cerrotorre.digest import is_digest, sha256
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

# {"schema", "parts", "bundles": [Bundle], "files": [{"name", "size", "digest"}], "blobs": [{"digest", "size", "pieces": [{"part", "size"}]}]}
Index = dict[str, Any]
# {"name", "size", "image", "media_type", and "manifest", "summary", "attestations": {"digest", "size"}}; of a bundle that is planned
# also "content": [{"digest", "size", …}].
Bundle = dict[str, Any]
# (name, size, what): {"kind": "index" | "signature" | "part" | "layout" | "images" | "directory"}, {"kind": "file", "number": of `files`},
# {"kind": "member", "bundle": number of `bundles`, "member": "manifest" | …}, {"kind": "blob", "digest", "offset", "last"}: so many
# bytes of it, from that offset on, the last ones or not.
Member = tuple[str, int, dict[str, Any]]

SCHEMA = "ct/export/1"
INDEX, SIGNATURE, PART, VERIFIER = "ct-export.json", "ct-export.dsse", "ct-part.json", "ct-verify-minimal"
POLICIES = ("policy/user.json", "policy/host.json")
MAX_INDEX, MAX_SIGNATURE, MAX_BUNDLES, MAX_BLOBS, MAX_PARTS, MAX_KEYS = 64 << 20, 64 << 10, 10_000, 100_000, 999, 256
MAX_VERIFIER, MAX_KEY, MAX_POLICY = 1 << 20, 64 << 10, 1 << 20

NAME = re.compile(r"(?![.-])[A-Za-z0-9._+-]{1,124}\.ctp", re.ASCII)
_KEY = re.compile(r"keys/[A-Za-z0-9][A-Za-z0-9._-]{0,63}\.pub", re.ASCII)
_TRUST = ("manifest", "summary", "attestations")


def is_name(text: object) -> bool:
    """Whether a bundle in an archive may be called so."""
    return isinstance(text, str) and NAME.fullmatch(text) is not None


def write(index: Index) -> bytes:
    """The bytes of ct-export.json."""
    return jsonic.canonical(index) + b"\n"


def part_json(index: Index, digest: str, part: int) -> bytes:
    """The bytes of ct-part.json in this part, counted from 1; `digest` is that of ct-export.json."""
    return jsonic.canonical({"export": digest, "part": part, "parts": index["parts"]}) + b"\n"


def oci_layout() -> bytes:
    """The bytes of oci-layout."""
    return b'{"imageLayoutVersion":"1.0.0"}\n'


def index_json(index: Index) -> bytes:
    """The bytes of index.json: the image of each bundle, called as the bundle is."""
    sizes = {blob["digest"]: blob["size"] for blob in index["blobs"]}
    images = [
        {
            "mediaType": bundle["media_type"],
            "digest": bundle["image"],
            "size": sizes[bundle["image"]],
            "annotations": {"org.opencontainers.image.ref.name": bundle["name"].removesuffix(".ctp")},
        }
        for bundle in index["bundles"]
    ]
    return jsonic.canonical({"schemaVersion": 2, "mediaType": manifest.OCI_INDEX, "manifests": images}) + b"\n"


def members(index: Index, part: int, signature: int | None = None) -> Iterator[Member]:
    """Every member of a part, in order; `signature` is the size of ct-export.dsse, if there is one: that alone does not follow."""
    data = write(index)
    yield INDEX, len(data), {"kind": "index"}
    if signature is not None:
        yield SIGNATURE, signature, {"kind": "signature"}
    yield PART, len(part_json(index, sha256(data), part)), {"kind": "part"}
    yield from _shared(index)
    for name in manifest.DIRECTORIES:
        yield name, 0, {"kind": "directory"}
    for blob in index["blobs"]:
        offset, whole = 0, len(blob["pieces"]) == 1
        for number, piece in enumerate(blob["pieces"], 1):
            if piece["part"] == part:
                name = manifest.blob_path(blob["digest"]) if whole else piece_path(blob["digest"], number)
                last = number == len(blob["pieces"])
                yield name, piece["size"], {"kind": "blob", "digest": blob["digest"], "offset": offset, "last": last}
            offset += piece["size"]


def _shared(index: Index) -> Iterator[Member]:
    """The members between ct-part.json and blobs/, which every part has: but for the program, the layout comes before files."""
    files = list(enumerate(index["files"]))
    for number, entry in files[:1]:
        yield entry["name"], entry["size"], {"kind": "file", "number": number}
    yield "oci-layout", len(oci_layout()), {"kind": "layout"}
    yield "index.json", len(index_json(index)), {"kind": "images"}
    for number, entry in files[1:]:
        yield entry["name"], entry["size"], {"kind": "file", "number": number}
    for number, bundle in enumerate(index["bundles"]):
        for member, name in zip(_TRUST, manifest.TRUST_MEMBERS, strict=True):
            path = f"bundles/{bundle['name']}/{name}"
            yield path, bundle[member]["size"], {"kind": "member", "bundle": number, "member": member}


def piece_path(digest: str, number: int) -> str:
    """The name of a piece of a blob, counted from 1."""
    return f"pieces/{digest.removeprefix('sha256:')}.{number}"


def length(index: Index, part: int, signature: int | None = None, *, blobs: bool = True) -> int:
    """The size of a part that is not compressed, or, without its blobs, of one that has none."""
    found = [member for member in members(index, part, signature) if blobs or member[2]["kind"] != "blob"]
    plain = [(name, size) for name, size, what in found if what["kind"] != "directory"]
    return tarball.total(plain, [name for name, _, what in found if what["kind"] == "directory"])


def plan(bundles: list[Bundle], files: list[dict[str, Any]], split: int | None = None, signature: int | None = None) -> Index:
    """The index of an archive of these bundles, each part of it at most `split` bytes before compression.

    `files` are {"name", "size", "digest"} in the order of the members, the verifier first; `signature` is the size of ct-export.dsse,
    if there will be one. Raises Fail usage for what no archive holds, image-mismatch where two bundles differ about a blob's size.
    """
    sizes: dict[str, int] = {}
    for bundle in bundles:
        for entry in bundle["content"]:
            if sizes.setdefault(entry["digest"], entry["size"]) != entry["size"]:
                raise Fail(
                    "image-mismatch", "two bundles differ about the size of a blob", Bundle=bundle["name"], Blob=entry["digest"]
                )
    for what, count, most in (("bundles", len(bundles), MAX_BUNDLES), ("blobs", len(sizes), MAX_BLOBS)):
        if count > most:
            raise Fail("usage", f"{count} {what}, and an archive has at most {most}: make several")
    index: Index = {
        "schema": SCHEMA,
        "parts": 1,
        "bundles": [{key: value for key, value in bundle.items() if key != "content"} for bundle in bundles],
        "files": files,
        "blobs": [{"digest": digest, "size": size, "pieces": [{"part": 1, "size": size}]} for digest, size in sizes.items()],
    }
    if split is not None:
        _split(index, split, signature)
    if (size := len(write(index))) > MAX_INDEX:
        raise Fail("usage", f"{INDEX} would be {size} bytes, more than {MAX_INDEX}: make several archives")
    return index


def _split(index: Index, split: int, signature: int | None) -> None:
    """Cut the archive into parts. What stands before the blobs grows with the pieces that it lists, so this is tried until it fits."""
    begin, whole = 0, length(index, 1, signature, blobs=False)
    while (needed := length(index, index["parts"], signature, blobs=False)) > begin:
        begin = needed
        # Less leaves no room for a header and a byte.
        if split - begin >= 2 * tarball.BLOCK:
            index["parts"] = _lay(index["blobs"], split - begin)
        if split - begin < 2 * tarball.BLOCK or index["parts"] > MAX_PARTS:
            # Two parts side by side hold more than the room of one, and to be cut is at most 64 bytes of text for each part.
            least = whole + 64 * MAX_PARTS + 3 * sum(_taken(blob["size"]) for blob in index["blobs"]) // MAX_PARTS
            raise Fail("usage", f"--split: parts of {split} bytes are too small for these bundles: try {least}")


def _lay(blobs: list[dict[str, Any]], room: int) -> int:
    """Give each blob its pieces, in parts with so much room for blobs. Returns how many parts these are, or are more than."""
    part, left = 1, room
    for blob in blobs:
        blob["pieces"], rest = [], blob["size"]
        if left < _taken(rest) <= room:
            part, left = part + 1, room
        while _taken(rest) > left:
            if part > MAX_PARTS:
                return part
            if left >= 2 * tarball.BLOCK:
                # Beyond 8 GiB a piece has three blocks of headers.
                size = left - tarball.BLOCK * (1 if left - tarball.BLOCK <= tarball.MAX_OCTAL else 3)
                size -= size % tarball.BLOCK
                blob["pieces"].append({"part": part, "size": size})
                rest -= size
            part, left = part + 1, room
        blob["pieces"].append({"part": part, "size": rest})
        left -= _taken(rest)
    return part


def _taken(size: int) -> int:
    """What a blob, or a piece of one, takes of a part."""
    return len(tarball.header("", size)) + size + tarball.padding(size)


def read(data: bytes) -> Index:
    """The index in these bytes. Raises Fail export-malformed unless they are exactly as `write` spells one that can be."""
    try:
        index = jsonic.parse(data, MAX_INDEX)
        if not isinstance(index, dict) or write(index) != data:
            raise ValueError("it is no object in RFC 8785 canonical form and one LF")
        if index.get("schema") != SCHEMA:
            raise ValueError(f"its schema is {str(index.get('schema'))[:40]!r}, not {SCHEMA}")
        _members(index, "the index", {"schema", "parts", "bundles", "files", "blobs"})
        parts = index["parts"]
        if type(parts) is not int or not 1 <= parts <= MAX_PARTS:
            raise ValueError(f"parts is not a number from 1 to {MAX_PARTS}")
        blobs = _blobs(index["blobs"], parts)
        _files(index["files"])
        _bundles(index["bundles"], blobs)
    except ValueError as error:
        raise Fail("export-malformed", f"{INDEX}: {error}") from None
    return index


def _members(value: Any, where: str, keys: set[str]) -> None:
    if not isinstance(value, dict) or value.keys() != keys:
        raise ValueError(f"{where} has not exactly the members {', '.join(sorted(keys))}")


def _list(value: Any, where: str, least: int, most: int) -> list[Any]:
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise ValueError(f"{where} is not a list of {least} to {most}")
    return value


def _size(value: Any, where: str, limit: int = jsonic.MAX_SAFE) -> int:
    if type(value) is not int or not 0 <= value <= limit:
        raise ValueError(f"{where}: its size is not a number from 0 to {limit}")
    return value


def _digest(value: Any, where: str) -> str:
    if not is_digest(value):
        raise ValueError(f"{where} has no sha256 digest")
    return str(value)


def _blobs(value: Any, parts: int) -> set[str]:
    """The digests of the blobs, which lie in parts one after the other, and leave none empty."""
    found: set[str] = set()
    part, total = 1, 0
    for blob in _list(value, "blobs", 1, MAX_BLOBS):
        _members(blob, "a blob", {"digest", "size", "pieces"})
        digest = _digest(blob["digest"], "a blob")
        total += _size(blob["size"], digest)
        if digest in found:
            raise ValueError(f"{digest} is there twice")
        found.add(digest)
        left, before = blob["size"], 0
        for piece in _list(blob["pieces"], f"{digest}: pieces", 1, parts):
            _members(piece, f"a piece of {digest}", {"part", "size"})
            left -= _size(piece["size"], f"a piece of {digest}")
            if type(piece["part"]) is not int or not part <= piece["part"] <= min(part + 1, parts) or piece["part"] == before:
                raise ValueError(f"{digest}: its parts are not one after the other")
            if not piece["size"] and blob["size"]:
                raise ValueError(f"{digest}: a piece of it is empty")
            part = before = piece["part"]
        if left:
            raise ValueError(f"{digest}: its pieces are not its size together")
    if part != parts:
        raise ValueError(f"{parts} parts, and the last blob lies in part {part}")
    if total > jsonic.MAX_SAFE:
        raise ValueError("the blobs are too many bytes")
    return found


def _files(value: Any) -> None:
    """The verifier first, keys by their ids, policies last."""
    names = []
    for entry in _list(value, "files", 1, 1 + MAX_KEYS + len(POLICIES)):
        _members(entry, "a file", {"name", "size", "digest"})
        name = entry["name"]
        if not isinstance(name, str) or not (name == VERIFIER or name in POLICIES or _KEY.fullmatch(name)):
            raise ValueError(f"there is no place for a file {str(name)[:100]!r}")
        _size(entry["size"], name, {VERIFIER: MAX_VERIFIER}.get(name, MAX_POLICY if name in POLICIES else MAX_KEY))
        _digest(entry["digest"], name)
        names.append(name)
    keys = [name for name in names if _KEY.fullmatch(name)]
    if len(keys) > MAX_KEYS or names != [VERIFIER, *sorted(set(keys)), *(name for name in POLICIES if name in names)]:
        raise ValueError(f"files are not {VERIFIER}, up to {MAX_KEYS} keys in the order of their ids, and policies")


def _bundles(value: Any, blobs: set[str]) -> None:
    limits = dict(zip(_TRUST, (manifest.MAX_MANIFEST, manifest.MAX_SUMMARY, manifest.MAX_ATTESTATIONS), strict=True))
    names: set[str] = set()
    for bundle in _list(value, "bundles", 1, MAX_BUNDLES):
        _members(bundle, "a bundle", {"name", "size", "image", "media_type", *_TRUST})
        name = bundle["name"]
        if not is_name(name):
            raise ValueError(f"no bundle may be called {str(name)[:140]!r}")
        if name.casefold() in names:
            raise ValueError(f"two bundles are called {name}, but for the case of letters")
        names.add(name.casefold())
        _size(bundle["size"], name)
        if _digest(bundle["image"], name) not in blobs:
            raise ValueError(f"{name}: its image is no blob that is there")
        if not isinstance(bundle["media_type"], str) or not manifest.MEDIA_TYPE.fullmatch(bundle["media_type"]):
            raise ValueError(f"{name}: media_type is none")
        for member in _TRUST:
            _members(bundle[member], f"{name}: {member}", {"digest", "size"})
            _size(bundle[member]["size"], f"{name}: {member}", limits[member])
            _digest(bundle[member]["digest"], f"{name}: {member}")
