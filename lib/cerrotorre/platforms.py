"""Which image of a multi-platform index is meant (spec/bundle.adoc, "The image")."""

import re
from collections.abc import Iterator

from cerrotorre import oci
from cerrotorre.errors import Fail, Finding, finding
from cerrotorre.manifest import PLATFORM
from cerrotorre.oci import Descriptor, Document, Reader

# What `uname -m` calls an architecture, and what OCI does, in Go's words (GOARCH).
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm/v7", "armv6l": "arm/v6", "i386": "386", "i686": "386"}
_MACHINES |= {"loongarch64": "loong64"}
_LINUX = frozenset({"386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle"})
_LINUX |= {"ppc64", "ppc64le", "riscv64", "s390x", "sparc64", "wasm"}


def candidates(doc: Document, read: Reader, depth: int = 0, seen: set[str] | None = None) -> Iterator[tuple[str, Descriptor]]:
    """(platform, descriptor) of every image in an index, nested ones too, in order."""
    if depth > oci.MAX_DEPTH:
        raise Fail("oci-too-large", f"indexes nested deeper than {oci.MAX_DEPTH}")
    # A document is opened once: indexes that name each other many times would multiply.
    seen = set() if seen is None else seen
    for child in doc["manifests"]:
        if child["mediaType"] in oci.INDEXES:
            if child["digest"] not in seen:
                seen.add(child["digest"])
                inner = oci.read_index(read(child), child["mediaType"], child["digest"])
                yield from candidates(inner, read, depth + 1, seen)
        elif child["mediaType"] in oci.MANIFESTS:
            where = oci.platform(child.get("platform"))
            if where is None and "platform" not in child and child["digest"] not in seen:
                seen.add(child["digest"])
                inner = oci.read_manifest(read(child), child["mediaType"], child["digest"])
                if inner["config"]["mediaType"] in oci.CONFIGS:
                    where = oci.platform(oci.read_config(read(inner["config"]), inner["config"]["digest"]))
            if where:
                yield where, child


def choose(doc: Document, wanted: str, read: Reader) -> tuple[Descriptor, list[Finding]]:
    """(the image of an index for `wanted`, os/arch[/variant], notes): the exact one, else the first that differs in variant only.

    A variant that was asked for must be there. Of several for one platform the first is taken, as podman does, with a note.
    Raises Fail oci-platform.
    """
    found = list(candidates(doc, read))
    suiting = [(where, child) for where, child in found if where == wanted]
    if not suiting and wanted.count("/") == 1:
        suiting = [(where, child) for where, child in found if where.startswith(wanted + "/")]
        suiting = [(where, child) for where, child in suiting if where == suiting[0][0]]
    if not suiting:
        there = ", ".join(dict.fromkeys(where for where, _ in found)) or "none"
        raise Fail("oci-platform", f"no image for {wanted}", Expected=wanted, Actual=there)
    where, chosen = suiting[0]
    others = sorted({child["digest"] for _, child in suiting} - {chosen["digest"]})
    detail = f"{len(others) + 1} images are for {where}: the first, {chosen['digest']}, is taken"
    return chosen, [
        finding("platform-repeated", detail, Taken=chosen["digest"], Left=", ".join(others)[:1000])
    ] if others else []


def suits(image: list[str], wanted: str) -> None:
    """Whether a single image, with its platform if it names one, is for the platform that was asked for. Raises Fail oci-platform."""
    if image and image[0] != wanted and not (wanted.count("/") == 1 and image[0].startswith(wanted + "/")):
        raise Fail("oci-platform", f"the image is for {image[0]}", Expected=wanted, Actual=image[0])


def override(wanted: str) -> list[str]:
    """skopeo's options for a platform."""
    flags = ("--override-os", "--override-arch", "--override-variant")
    return [part for pair in zip(flags, wanted.split("/"), strict=False) for part in pair]


def parse(text: str) -> str:
    """The platform that an option names: os/arch[/variant], or `all`; an architecture alone is Linux's. Raises Fail usage."""
    if text == "all":
        return text
    if (lower := text.lower()) in _LINUX or lower in _MACHINES:
        return host_platform(text)
    if not PLATFORM.fullmatch(text):
        # Never made into what it might mean: an image could be there for that.
        parted = re.sub(r"[-_:,]", "/", lower)
        meant = parted if PLATFORM.fullmatch(parted) and parted.split("/")[1] in _LINUX else None
        what = "neither an architecture nor " if PLATFORM.fullmatch(f"linux/{text}") else "not "
        raise Fail(
            "usage",
            f"--platform: {text!r} is {what}OS/ARCH[/VARIANT]",
            Expected="OS/ARCH[/VARIANT], ARCH or all",
            Instead=meant,
        )
    return text


def host_platform(machine: str) -> str:
    """The platform of a Linux host by its machine name, in OCI's (Go's) words."""
    return "linux/" + _MACHINES.get(machine.lower(), re.sub(r"[^a-z0-9_]", "", machine.lower()) or "unknown")
