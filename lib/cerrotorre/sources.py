"""Images that lie here: which transport an operand names, and the image it leads to (spec/bundle.adoc, "Sources").

Layouts, their archives and skopeo's directories are read where they lie. What keeps no manifest of its own, a Docker archive, a
Docker daemon, a container storage, comes through skopeo, which makes one.
"""

import os
import re

from cerrotorre import images, jsonic, oci, platforms, reference
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

PATHS = ("oci", "oci-archive", "docker-archive", "dir")
NAMES = ("docker-daemon", "containers-storage")
_FOREIGN = ("sif", "ostree", "tarball", "docker", "atomic")
# What a compressed archive may unpack to, and a Docker archive with compressed layers: so many times its bytes, and so many more.
MAX_RATIO, MAX_BEYOND = 200, 1 << 30
_ID = re.compile(r"(?:sha256:)?[0-9a-f]{64}")
_ENDINGS = re.compile(r"\.(?:ctp|oci|tar|tar\.gz|tgz)\Z")
# What an operand is called a file by; the rest of these cannot be read, and are still no repositories.
_FILES = re.compile(r"\.(?:ctp|oci|tar|tar\.(?:bz2|gz|xz|zst)|tgz)\Z")
_PATHS = re.compile(r"(?:\.{0,2}|~)(?:/|\Z)")

Operand = dict[str, Any]


def parse(image: str) -> Operand | None:
    """{"transport", "path", "name"} of an operand, None for a registry reference. `path` is None where none is meant, `name` "".

    Raises Fail reference for what skopeo knows and this does not, for what can be read in two ways, and for what was hardly meant
    as a reference: a path, the name of a file, a transport that is mistyped.
    """
    transport, colon, rest = image.partition(":")
    if colon and transport in PATHS:
        path, _, name = (rest, "", "") if transport == "dir" else rest.partition(":")
        if not path:
            raise Fail("reference", "no path", Reference=image, Instead=f"{transport}:PATH")
        # skopeo too ends the path at the first colon, and knows no way to write one that holds a colon.
        longer = [rest[:at] for at in [*(found.start() for found in re.finditer(":", rest)), len(rest)] if at > len(path)]
        if clash := next((other for other in longer if os.path.lexists(other)), None):
            raise Fail(
                "reference",
                f"the path ends at the first colon, and there is a '{clash}'",
                Reference=image,
                Instead=f"give '{clash}' a name without colons",
            )
        return {"transport": transport, "path": path, "name": name}
    if colon and transport in NAMES:
        store = re.match(r"\[[^\]]*\]", rest) if transport == "containers-storage" else None
        name = rest[store.end() :] if store else rest
        return {
            "transport": transport,
            "path": None,
            "store": store[0] if store else "",
            "name": _local_name(image, name),
            "typed": name,
        }
    if colon and transport in _FOREIGN:
        instead = f"skopeo copy {image} oci:DIR:TAG"
        if transport == "docker":
            instead = rest[2:] if rest.startswith("//") else f"{reference.DOCKER}/library/{image}"
        raise Fail("reference", f"{transport}: is no source here", Reference=image, Instead=instead)
    if colon and (meant := _meant(transport, rest)):
        raise _unmeant(image, f"did you mean {meant}:{rest}?", f"{meant}:{rest}")
    _refuse_files(image)
    return None


def _meant(transport: str, rest: str) -> str | None:
    """The transport that what stands before the first colon is a misspelling of."""
    known = (*PATHS, *NAMES)
    lower = transport.lower()
    if lower in known:
        return lower
    # A host and its port, or a path.
    if "/" in transport or re.match(r"[0-9]+/", rest):
        return None
    # Needed for what goes to a registry only, which takes longer.
    from difflib import get_close_matches

    # Two letters of three in their order, or all but one or two of the long ones.
    return next(iter(get_close_matches(lower, known, 1, 0.66 if len(lower) < 5 else 0.85)), None)


def _refuse_files(image: str) -> None:
    """Refuse what reads as a path or as a file's name, whether or not it is there: no registry is asked for it."""
    path = image if os.path.lexists(image) else image.partition(":")[0]
    is_path = re.match(_PATHS, image) is not None
    first, slash, _ = image.partition("/")
    named = not (slash and reference.is_host(first)) and (re.search(_FILES, image) or re.search(_FILES, path))
    archive = f"oci-archive:{image} or docker-archive:{image}"
    if os.path.exists(f"{path}/oci-layout") and (is_path or path == image):
        raise _unmeant(image, "that is a layout's directory", f"oci:{image}")
    if os.path.isdir(path) and (is_path or named):
        raise _unmeant(image, "that is a directory, not a reference", f"oci:{image} or dir:{image}")
    if os.path.exists(path) and (is_path or re.search(_FILES, path)):
        raise _unmeant(image, "that is a file, not a reference", archive)
    if is_path or named:
        here = "" if path.startswith(("/", "~")) else " here"
        files = re.search(_FILES, path) is not None
        raise _unmeant(image, f"there is no {'file ' if files else ''}'{path}'{here}", archive if files else f"oci:{image}")


def _unmeant(image: str, detail: str, instead: str) -> Fail:
    """The refusal of what a registry's reference would allow, and how to say it where one is meant after all."""
    fail = Fail("reference", detail, Reference=image, Instead=instead)
    try:
        fail.finding["try"] = [f"{reference.normalise(image)}, if a repository is called so"]
    except Fail:
        # It is none.
        pass
    return fail


def _local_name(image: str, name: str) -> str:
    """A name of a daemon's or storage's image in full, or its id."""
    if _ID.fullmatch(name.removeprefix("@")):
        digits = name[-64:]
        return f"sha256:{digits}" if image.startswith("docker-daemon:") else f"@{digits}"
    try:
        return reference.normalise(name)
    except Fail as fail:
        raise Fail("reference", str(fail), Reference=image, Instead="NAME[:TAG] or the 64 digits of an image's id") from None


def find(operand: Operand, platform: str, workdir: str | None) -> tuple[images.Source, dict[str, str], str, str]:
    """(the image, its [provenance], and what its package's name and version are taken from). Raises Fail."""
    transport, path, name = operand["transport"], operand["path"], operand["name"]
    base = "" if path is None else os.path.basename(os.path.abspath(path))
    if transport == "oci":
        source = images.layout(path, name or None)
        named = source.annotations.get(images.REF_NAME, "")
        base = base or "layout"
    elif transport == "oci-archive":
        # Imported here, as all below is: a layout needs none of it.
        from cerrotorre import ociarchive

        plain = _plain_tar(path, workdir)
        source = ociarchive.Archive(plain, name or None)
        named = source.annotations.get(images.REF_NAME, "")
    elif transport == "dir":
        source, named = images.skopeo_directory(os.path.abspath(path)), ""
    else:
        source, named = _by_skopeo(operand, platform, workdir)
    shown = name if transport in ("docker-archive", *NAMES) else named
    spelled = ":".join([transport, *([base] if base else []), *([shown] if shown else [])])
    provenance = {"source": spelled}
    if source.root["mediaType"] in oci.INDEXES and platform != "all":
        provenance["index_digest"] = source.root["digest"]
        source.root = images.select(source, platform)
    return source, provenance, _ENDINGS.sub("", base) or base, named


def _need(workdir: str | None, what: str) -> str:
    if workdir is None:
        raise Fail("usage", f"{what} needs --workdir DIR")
    return os.path.abspath(workdir)


def _plain_tar(path: str, workdir: str | None) -> str:
    """The archive itself, or its copy without gzip: places cannot be said of a compressed file, and skopeo 1.9 cannot read one."""
    if images.read_whole(path, 2) != b"\x1f\x8b":
        return path
    import gzip
    import zlib

    most = _most(path)
    copy = f"{_need(workdir, 'a compressed archive')}/archive.tar"
    try:
        with gzip.open(path) as packed, open(copy, "xb") as plain:
            try:
                while part := packed.read(1 << 20):
                    most -= plain.write(part)
                    if most < 0:
                        raise _too_large(path)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise Fail("image-unavailable", f"'{path}' is damaged gzip: {error}", File=path) from None
    except OSError as error:
        raise Fail("file-unwritable", f"cannot unpack '{path}' into '{copy}': {error.strerror}", File=copy) from None
    return copy


def _most(path: str) -> int:
    return MAX_RATIO * os.stat(path).st_size + MAX_BEYOND


def _too_large(path: str) -> Fail:
    limit = f"{MAX_RATIO} times its size and {MAX_BEYOND >> 30} GiB"
    return Fail("oci-too-large", f"'{path}' unpacks to more than {limit}", File=path)


def _by_skopeo(operand: Operand, platform: str, workdir: str | None) -> tuple[images.Source, str]:
    """(the image that skopeo makes, the name it goes by, "" for none)."""
    from cerrotorre import skopeo

    transport, name = operand["transport"], operand["name"]
    work = _need(workdir, f"{transport}:")
    if transport == "docker-archive":
        source, named = _from_archive(operand["path"], name, work)
        return _labelled(source), named
    # Storages keep layers unpacked and name their own plain tars, which is another manifest than was pulled.
    flags = _daemon() if transport == "docker-daemon" else []
    preserve = ["--preserve-digests"] if transport == "docker-daemon" else []
    chosen = ["--all"] if platform == "all" else []
    command = [*([] if chosen else platforms.override(platform)), "copy", "--quiet", *preserve, *chosen, *flags]
    place = f"{transport}:{operand['store']}{name}"
    try:
        skopeo.run([*command, place, f"dir:{work}/image"], f"{transport}:{name}", work)
    except Fail as fail:
        if transport == "containers-storage":
            _explain_storage(fail, operand)
        raise
    return _labelled(images.skopeo_directory(f"{work}/image")), "" if name.startswith(("@", "sha256:")) else name


def _explain_storage(fail: Fail, operand: Operand) -> None:
    """Leave out of skopeo's words the storage's own directories, and say where podman puts what is built here."""
    context, name = fail.finding["context"], operand["name"]
    words = str(context.get("Skopeo", ""))
    if words and not operand["store"]:
        context["Skopeo"] = re.sub(r"\[[^\[\]@]*@[^\[\]]*\]", "", words)
    domain = f"{reference.DOCKER}/"
    if "not resolve to an image" in words and name.startswith(domain) and not operand["typed"].startswith(domain):
        local = name.removeprefix(domain).removeprefix("library/")
        fail.finding["try"] = [f"containers-storage:{operand['store']}localhost/{local}, if it was built here"]


def _from_archive(path: str, name: str, work: str) -> tuple[images.Source, str]:
    """The image of a Docker archive: of that name or number, or the only one. Raises Fail oci-ambiguous, oci-no-such-image."""
    from cerrotorre import skopeo

    shown = f"docker-archive:{path}" + (f":{name}" if name else "")
    plain = _plain_tar(path, work)
    # Its copy lies beside the output, whose directory may have a colon in its name; skopeo would end the path there.
    place, cwd = ("docker-archive:archive.tar", work) if plain != path else (f"docker-archive:{path}", None)
    listed = skopeo.run(["list-tags", place], shown, work, cwd=cwd)
    tags = _tags(listed)
    there = ", ".join(tags)[:1000] or "no names"
    if name and not name.startswith("@"):
        name = reference.normalise(name)
        if name not in tags:
            raise Fail("oci-no-such-image", f"no image is named {name!r}", Expected=name, Actual=there)
    full = place + (f":{name}" if name else "")
    try:
        skopeo.run(
            ["copy", "--quiet", "--preserve-digests", full, f"dir:{work}/image"],
            shown,
            work,
            most=(_most(path), _too_large(path)),
            cwd=cwd,
        )
    except Fail as fail:
        if not name and len(tags) > 1 and fail.finding["finding"] == "image-unavailable":
            raise Fail("oci-ambiguous", f"{len(tags)} names", Actual=there) from None
        raise
    taken = tags[0] if len(tags) == 1 else ""
    return images.skopeo_directory(f"{work}/image"), taken if not name or name.startswith("@") else name


def _tags(listed: bytes) -> list[str]:
    """The names in a Docker archive, in full; those that are none are left out."""
    found = []
    try:
        tags = oci.document(listed, "list-tags").get("Tags")
    except Fail:
        return []
    for tag in tags if isinstance(tags, list) else ():
        try:
            found.append(reference.normalise(str(tag)))
        except Fail:
            continue
    return list(dict.fromkeys(found))


def _daemon() -> list[str]:
    """Flags for the daemon that DOCKER_HOST names: skopeo does not look for it."""
    host = os.environ.get("DOCKER_HOST", "")
    if not host:
        return []
    if not host.startswith(("unix://", "tcp://")):
        raise Fail(
            "reference", f"no way to a daemon at {host!r}", Reference=host, Instead="docker save -o F NAME; docker-archive:F"
        )
    certificates = os.environ.get("DOCKER_CERT_PATH", "")
    return ["--src-daemon-host", host, "--src-tls-verify=true", *(["--src-cert-dir", certificates] if certificates else [])]


def _labelled(source: images.Source) -> images.Source:
    """The image with media types that say what its layers are: skopeo calls plain tars gzip where it has unpacked them itself.

    A layer whose digest is its diff_id is a plain tar. Only a manifest that skopeo made is corrected.
    """
    root = source.root
    if root["mediaType"] not in oci.MANIFESTS:
        return source
    path = source.path(root["digest"])
    data = source.read(root)
    doc = oci.read_manifest(data, root["mediaType"], root["digest"])
    config = oci.read_config(source.read(doc["config"]), doc["config"]["digest"])
    oci.check_diff_ids(doc, config, doc["config"]["digest"])
    for layer, diff_id in zip(doc["layers"], (config.get("rootfs") or {}).get("diff_ids") or [], strict=True):
        if layer["digest"] == diff_id:
            layer["mediaType"] = re.sub(r"([.+])(?:gzip|zstd)\Z", "", layer["mediaType"])
    made = jsonic.canonical(doc)
    if jsonic.same(doc, oci.document(data, "manifest.json")):
        return source
    try:
        with open(path, "wb") as file:
            file.write(made)
    except OSError as error:
        raise Fail("file-unwritable", f"cannot write '{path}': {error.strerror}", File=path) from None
    return images.Directory(source.directory, {**root, "digest": sha256(made), "size": len(made)})
