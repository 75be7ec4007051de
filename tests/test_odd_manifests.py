"""Real, odd and hostile manifests of the published vectors, each with what comes of it: through layouts, dir: and a real registry.

Few vectors bring their blobs. So each is tried as it is, and again, where it can be an image, with blobs made for its descriptors.
"""

import base64
import contextlib
import hashlib
import http.client
import json

import images
import pytest
from cerrotorre import packing, sources
from cerrotorre.errors import Fail
from processes import PATIENCE
from test_registry import home, left, put, registry, run, served  # noqa: F401

PACKS = "packs"
REAL, SPEC = "oci-manifests-real/", "oci-image-spec/example-"
ABSENT = "oci-blob-absent"
EMPTY_CONFIG = "oci-artifact"

# {file: (as it is, with blobs made for it)}; None where no blobs can make it an image. An index is taken whole.
EXPECTED = {
    REAL + "containers-image-oci1.index.everything.json": ("oci-data", PACKS),
    REAL + "ct-artifact-subject.json": (EMPTY_CONFIG, None),
    REAL + "ct-bad-both-kinds.json": ("oci-both-kinds", None),
    REAL + "ct-bad-digest-algo.json": ("oci-digest", None),
    REAL + "ct-bad-digest-case.json": ("oci-digest", None),
    REAL + "ct-bad-digest-path.json": ("oci-digest", None),
    REAL + "ct-bad-digest-short.json": ("oci-digest", None),
    REAL + "ct-bad-duplicate-keys.json": ("oci-json", None),
    REAL + "ct-bad-mediatype-mismatch.json": ("oci-both-kinds", None),
    REAL + "ct-bad-size-negative.json": ("oci-manifest", None),
    REAL + "ct-foreign-layer.json": (ABSENT, PACKS),
    REAL + "ct-index-nested.json": (ABSENT, PACKS),
    REAL + "ct-no-mediatype.json": (ABSENT, PACKS),
    REAL + "ct-sha512-digest.json": ("oci-digest", None),
    REAL + "ct-zstd-chunked.json": (ABSENT, PACKS),
    REAL + "ct-zstd-layers.json": (ABSENT, PACKS),
    REAL + "fcos-manifest1.json": (ABSENT, PACKS),
    REAL + "fcos-manifest2.json": (ABSENT, PACKS),
    REAL + "skopeo-uncompressed-image-s1.json": ("oci-manifest", None),
    REAL + "skopeo-uncompressed-image-s2.json": (EMPTY_CONFIG, None),
    REAL + "skopeo-v2s1-invalid.json": ("oci-manifest", None),
    REAL + "skopeo-v2s2.json": (ABSENT, PACKS),
    REAL + "zarf-crane-oci-layout_images-index.json": (ABSENT, PACKS),
    REAL + "zarf-docker-containerd-image-store-index.json": (ABSENT, PACKS),
    REAL + "zarf-docker-containerd-image-store-manifest.json": ("oci-json", None),
    REAL + "zarf-docker-graph-driver-image-store-index.json": (ABSENT, PACKS),
    REAL + "zarf-docker-graph-driver-image-store-manifest.json": ("oci-json", None),
    REAL + "zarf-oras-oci-layout_images-index.json": (ABSENT, PACKS),
    SPEC + "config-01-valid.json": ("oci-manifest", None),
    SPEC + "descriptor-01-valid.json": ("oci-manifest", None),
    SPEC + "descriptor-02-valid.json": ("oci-manifest", None),
    SPEC + "descriptor-03-valid.json": ("oci-manifest", None),
    SPEC + "image-index-01-valid.json": (ABSENT, PACKS),
    SPEC + "image-index-02-valid.json": (ABSENT, PACKS),
    SPEC + "image-layout-01-valid.json": ("oci-manifest", None),
    SPEC + "image-layout-02-valid.json": (ABSENT, PACKS),
    SPEC + "manifest-01-valid.json": (ABSENT, PACKS),
    SPEC + "manifest-02-valid.json": ("oci-manifest", None),
    SPEC + "manifest-03-valid.json": (EMPTY_CONFIG, None),
    SPEC + "manifest-04-valid.json": (EMPTY_CONFIG, None),
    SPEC + "manifest-05-valid.json": (EMPTY_CONFIG, None),
}
# What a registry serves and is not fetched: what has `urls`, and what is no manifest though an index names it.
REFUSED = {
    REAL + "containers-image-oci1.index.everything.json": (10, "never followed"),
    REAL + "ct-foreign-layer.json": (10, "never followed"),
}
# {(layout, name): what comes of it}
LAYOUTS = {
    ("test_gc_image_unknown_mediatype", None): "oci-manifest",
    ("test_gc_index", None): "oci-ambiguous",
    ("test_gc_index", "1"): "oci-media-type",
    ("test_gc_index", "3"): "oci-media-type",
    ("test_gc_index", "4"): "oci-media-type",
    ("test_index", None): "oci-ambiguous",
    ("test_index", "1"): "oci-media-type",
    ("test_index", "2"): "oci-manifest",
    ("test_index", "3"): "oci-media-type",
    ("test_index", "4"): "oci-media-type",
    ("test_index", "5"): "oci-no-such-image",
    ("test_index_media_type", None): EMPTY_CONFIG,
    ("test_index_one_image", None): PACKS,
}


def outcome(image):
    """What comes of packing all of an image that lies here."""
    try:
        source, provenance, _, _ = sources.find(sources.parse(image), "all", None)
        packing.fill({"findings": []}, source, provenance, "x", "1", "all")
    except Fail as fail:
        return fail.finding["finding"]
    return PACKS


def media_type(data):
    """What a registry would be told that it is."""
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    value = value if isinstance(value, dict) else {}
    return value.get("mediaType") or (images.INDEX if "manifests" in value else images.MANIFEST)


def complete(to, value):
    """The document with blobs made for its descriptors, everything else kept; its descriptor."""
    if "manifests" in value:
        for number, child in enumerate(value["manifests"]):
            inner = {"schemaVersion": 2, "mediaType": child["mediaType"], "annotations": {"n": str(number)}}
            if child["mediaType"] == images.INDEX:
                entry = {"mediaType": images.MANIFEST, "platform": {"os": "linux", "architecture": "s390x"}}
                described = complete(to, inner | {"manifests": [entry]})
            elif child["mediaType"] not in (images.MANIFEST, images.DOCKER + "distribution.manifest.v2+json"):
                described = to.blob(b"something else", child["mediaType"])
            else:
                docker = child["mediaType"].startswith(images.DOCKER)
                kind = images.DOCKER + "container.image.v1+json" if docker else images.CONFIG
                layer = images.DOCKER + "image.rootfs.diff.tar.gzip" if docker else images.GZIP
                inner |= {"config": {"mediaType": kind}, "layers": [{"mediaType": layer}]}
                described = complete(to, inner)
            fill(to, child, described)
    else:
        made = [to.layers(1, images.TAR, label=str(number)) for number, _ in enumerate(value["layers"])]
        for layer, (blobs, _) in zip(value["layers"], made, strict=True):
            fill(to, layer, blobs[0])
        fill(to, value["config"], to.config([ids[0] for _, ids in made]))
    value.pop("subject", None)
    return to.blob(value, value.get("mediaType") or (images.INDEX if "manifests" in value else images.MANIFEST))


def fill(to, descriptor, blob):
    descriptor |= {"digest": blob["digest"], "size": blob["size"]}
    if "data" in descriptor:
        descriptor["data"] = base64.b64encode(to.path(blob).read_bytes()).decode()


def as_directory(layout, root, directory):
    """A layout's image as skopeo's dir: has it."""
    directory.mkdir()
    for blob in (layout / "blobs" / "sha256").iterdir():
        data = blob.read_bytes()
        document = b'"schemaVersion"' in data[:4096]
        (directory / (blob.name + ".manifest.json" if document else blob.name)).write_bytes(data)
    (directory / "manifest.json").write_bytes(root)
    (directory / "version").write_text("Directory Transport Version: 1.1\n")


def upload(registry, name, layout, root):  # noqa: F811
    """A layout's blobs and manifests in a registry, the root under the tag `x`: whether it takes them."""
    documents = []
    with contextlib.closing(http.client.HTTPConnection(registry, timeout=PATIENCE)) as connection:
        for path in (layout / "blobs" / "sha256").iterdir():
            data = path.read_bytes()
            if b'"schemaVersion"' in data[:4096]:
                documents.append(data)
                continue
            connection.request("POST", f"/v2/{name}/blobs/uploads/")
            answer = connection.getresponse()
            answer.read()
            connection.request("PUT", f"{answer.getheader('Location')}&digest=sha256:{path.name}", data)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 201
    # Those that name others come after them.
    documents.sort(key=lambda data: (b'"manifests"' in data, data == root))
    statuses = [
        put(registry, f"{name}/manifests/sha256:{hashlib.sha256(data).hexdigest()}", data, media_type(data))[0]
        for data in documents
        if data != root
    ]
    statuses.append(put(registry, f"{name}/manifests/x", root, media_type(root))[0])
    return set(statuses) == {201}


def test_every_vector_has_a_row(vectors):
    there = {REAL + path.name for path in (vectors / REAL).glob("*.json")}
    there |= {f"oci-image-spec/{path.name}" for path in (vectors / "oci-image-spec").glob("example-*.json")}
    assert there == EXPECTED.keys()
    assert {path.name for path in (vectors / "oci-layouts-ggcr").iterdir() if path.is_dir()} == {name for name, _ in LAYOUTS}


@pytest.mark.parametrize("name", EXPECTED)
def test_as_it_is(vectors, tmp_path, name):
    data = (vectors / name).read_bytes()
    to = images.Layout(tmp_path / "layout")
    to.index(to.blob(data, media_type(data)))
    as_directory(tmp_path / "layout", data, tmp_path / "dir")
    assert outcome(f"oci:{tmp_path}/layout") == EXPECTED[name][0]
    assert outcome(f"dir:{tmp_path}/dir") == EXPECTED[name][0]


@pytest.mark.parametrize("name", [name for name, (_, made) in EXPECTED.items() if made])
def test_with_blobs(vectors, tmp_path, registry, home, name):  # noqa: F811
    expected = EXPECTED[name][1]
    layout = tmp_path / "layout"
    to = images.Layout(layout)
    root = complete(to, json.loads((vectors / name).read_bytes()))
    data = to.path(root).read_bytes()
    to.index(root)
    as_directory(layout, data, tmp_path / "dir")
    assert outcome(f"oci:{layout}") == expected
    assert outcome(f"dir:{tmp_path}/dir") == expected
    repository = f"odd/{name.rpartition('/')[2].lower().replace('_', '-')}"
    assert upload(registry, repository, layout, data)
    if name in REFUSED:
        status, words = REFUSED[name]
        made = run(home, "pack", "--no-sign", "--platform", "all", f"{registry}/{repository}:x", "-o", "x.ctp", status=status)
        assert words in made.stderr and "x.ctp" not in left(home)
        return
    run(home, "pack", "--no-sign", "--platform", "all", f"{registry}/{repository}:x", "-o", "x.ctp")
    packed = json.loads(run(home, "explain", "--json", "x.ctp").stdout)["manifest"]
    assert packed["image_digest"] == root["digest"] == served(registry, f"{repository}:x")["digest"]


@pytest.mark.parametrize(("name", "tag"), LAYOUTS)
def test_layouts(vectors, name, tag):
    assert outcome(f"oci:{vectors}/oci-layouts-ggcr/{name}" + (f":{tag}" if tag else "")) == LAYOUTS[name, tag]
