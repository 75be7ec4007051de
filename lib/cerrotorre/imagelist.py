"""A list of bundles: lines of paths and references, or the images that a Kubernetes or compose file names (spec/export.adoc, "Lists")."""

import re
from collections.abc import Iterator

from cerrotorre import reference, yamlread
from cerrotorre.errors import Fail
from cerrotorre.typed import Any
from cerrotorre.yamlread import Node, Scalar, malformed

MAX_LIST, MAX_ENTRIES = 4 << 20, 10_000
_YAML_NAMES = (".yaml", ".yml", ".json")
# `---`, `{`, `%YAML`, or a word, a colon, and a blank or nothing.
_YAML_BEGINS = re.compile(r"---(?:\s|\Z)|[{%]|[\"']?[A-Za-z][A-Za-z0-9_.-]*[\"']?:(?:\s|\Z)")
_PATHS = ("/", "./", "../", "~/")
# What these hold is no image that is run: texts, and the schemas of other objects.
_NO_IMAGES = ("ConfigMap", "Secret", "CustomResourceDefinition")

# {"line": int, "path": str} or {"line": int, "reference": Reference, "written": str}
Entry = dict[str, Any]


def read(data: bytes, name: str = "") -> list[Entry]:
    """What a list names, in its order, each thing once. `name` is what its file is called. Raises Fail list-malformed, too-large."""
    if len(data) > MAX_LIST:
        raise Fail("too-large", f"a list has at most {MAX_LIST} bytes", Limit=MAX_LIST)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise malformed("not UTF-8", data.count(b"\n", 0, error.start) + 1) from None
    found: dict[str, Entry] = {}
    for entry in _yaml(text) if _is_yaml(text, name) else _lines(text):
        found.setdefault(entry["path"] if "path" in entry else reference.spell(entry["reference"]), entry)
        if len(found) > MAX_ENTRIES:
            raise malformed(f"more than {MAX_ENTRIES} bundles", entry["line"])
    if not found:
        raise malformed("it names no bundle")
    return [*found.values()]


def is_path(text: str) -> bool:
    """Whether a line is a path by its spelling; everything else is a reference."""
    return text.startswith(_PATHS) or text.endswith(".ctp")


def _is_yaml(text: str, name: str) -> bool:
    if name.endswith(_YAML_NAMES):
        return True
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return bool(_YAML_BEGINS.match(first))


def _lines(text: str) -> Iterator[Entry]:
    for number, line in enumerate(text.split("\n"), 1):
        word = line.strip()
        if not word or word.startswith("#"):
            continue
        if not word.isprintable():
            raise malformed("a path or a reference has no control characters", number)
        yield {"line": number, "path": word} if is_path(word) else _reference((word, number))


def _reference(scalar: Scalar) -> Entry:
    written, line = scalar[0] or "", scalar[1]
    if "${" in written or written.startswith("$"):
        raise malformed(f"{written[:200]!r} holds a variable", line).proposing("docker compose config >LIST.yaml")
    try:
        return {"line": line, "reference": reference.parse(written), "written": written}
    except Fail as fail:
        context = fail.finding["context"]
        made = malformed(f"{written[:200]!r} is neither a path nor a reference: {fail}", line, Instead=context.get("Instead"))
        raise made.proposing("./PATH  PATH.ctp  HOST/PATH[:TAG][@DIGEST]") from None


def _yaml(text: str) -> Iterator[Entry]:
    for document in yamlread.documents(text):
        if isinstance(document, tuple) and document[0] is None:
            # Nothing between two `---`.
            continue
        if not isinstance(document, dict):
            raise malformed("neither Kubernetes objects nor a compose file", _line(document))
        if "apiVersion" in document and "kind" in document:
            if _text(document.get("kind")) == "Kustomization":
                raise malformed("a Kustomization names files", _line(document)).proposing("kubectl kustomize DIR >LIST.yaml")
            yield from map(_reference, _objects(document))
        elif isinstance(document.get("services"), dict):
            yield from map(_reference, _services(document))
        else:
            raise malformed(
                "neither Kubernetes objects (apiVersion, kind) nor a compose file (services)", _line(document)
            ).proposing("helm template CHART >LIST.yaml")


def _objects(document: dict[str, Node]) -> Iterator[Scalar]:
    """Every `image`, at any depth, but in metadata and in what holds none: of containers, and of the objects of operators."""
    found: list[Scalar] = []
    # By an alias a node is there more than once.
    seen: set[int] = set()
    pending: list[Node] = [document]
    while pending:
        node = pending.pop()
        if id(node) in seen or isinstance(node, tuple):
            continue
        seen.add(id(node))
        if isinstance(node, list):
            pending += reversed(node)
            continue
        if "apiVersion" in node and _text(node.get("kind")) in _NO_IMAGES:
            continue
        image = node.get("image")
        # An image as a volume has its reference one deeper.
        scalar = image.get("reference") if isinstance(image, dict) else image
        if isinstance(scalar, tuple) and scalar[0]:
            found.append(scalar)
        pending += [value for key, value in reversed(node.items()) if key != "metadata"]
    return iter(found)


def _services(document: dict[str, Node]) -> Iterator[Scalar]:
    if "include" in document:
        raise malformed("include names other files", _line(document["include"])).proposing("docker compose config >LIST.yaml")
    for name, service in document["services"].items():
        if not isinstance(service, dict):
            raise malformed(f"the service {name[:100]!r} is no mapping", _line(service))
        image = service.get("image")
        if isinstance(image, tuple) and image[0]:
            yield image
        elif "provider" not in service:
            why = "is built, and has no image that could be named" if "build" in service else "has no image"
            raise malformed(f"the service {name[:100]!r} {why}", _line(service)).proposing("docker compose config >LIST.yaml")
        volumes = service.get("volumes")
        for volume in volumes if isinstance(volumes, list) else ():
            if isinstance(volume, dict) and _text(volume.get("type")) == "image":
                source = volume.get("source")
                if not isinstance(source, tuple) or not source[0]:
                    raise malformed(f"an image among the volumes of {name[:100]!r} has no source", _line(volume))
                yield source


def _text(node: Node) -> str | None:
    return node[0] if isinstance(node, tuple) else None


def _line(node: Node) -> int:
    """The first line that something in a node stands on, as far as it is known."""
    while not isinstance(node, tuple):
        inner = [*node.values()] if isinstance(node, dict) else node or []
        if not inner:
            return 0
        node = inner[0]
    return int(node[1])
