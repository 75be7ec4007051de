"""Makes small OCI layouts for the tests, always the same bytes: `python3 images.py KIND DIRECTORY [KIND DIRECTORY]...`, of KINDS.

Standard library only. A kind whose name begins with bad- is one that must be refused.
"""

import base64
import gzip
import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path

OCI, DOCKER = "application/vnd.oci.image.", "application/vnd.docker."
MANIFEST, INDEX, CONFIG = OCI + "manifest.v1+json", OCI + "index.v1+json", OCI + "config.v1+json"
TAR, GZIP, ZSTD = (OCI + "layer.v1.tar" + packed for packed in ("", "+gzip", "+zstd"))
REF_NAME = "org.opencontainers.image.ref.name"
CREATED = "2026-11-20T02:11:09Z"


def tar(files):
    """A tar of {name: bytes}, all its times zero."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
    return made.getvalue()


def zstd(data):
    """One frame of raw blocks (RFC 8878 §3.1.1)."""
    blocks = [data[at : at + (1 << 17)] for at in range(0, len(data), 1 << 17)] or [b""]
    frame = b"\x28\xb5\x2f\xfd\xa0" + len(data).to_bytes(4, "little")
    for number, block in enumerate(blocks, 1):
        frame += (len(block) << 3 | (number == len(blocks))).to_bytes(3, "little") + block
    return frame


PACKED = {TAR: bytes, GZIP: lambda data: gzip.compress(data, mtime=0), ZSTD: zstd}


class Layout:
    """An OCI layout that grows: `blob` and what is built on it give descriptors, `index` names the images."""

    def __init__(self, directory):
        self.directory = Path(directory)
        (self.directory / "blobs" / "sha256").mkdir(parents=True)
        self.marker({"imageLayoutVersion": "1.0.0"})

    def marker(self, value):
        (self.directory / "oci-layout").write_text(json.dumps(value))

    def path(self, descriptor):
        return self.directory / "blobs" / "sha256" / descriptor["digest"][7:]

    def blob(self, data, media_type, **more):
        if not isinstance(data, bytes):
            data = json.dumps(data).encode()
        found = {"mediaType": media_type, "digest": "sha256:" + hashlib.sha256(data).hexdigest(), "size": len(data)}
        self.path(found).write_bytes(data)
        return found | more

    def layers(self, count=2, media_type=GZIP, size=100, label=""):
        """(descriptors, diff_ids) of layers with one file each."""
        tars = [tar({f"file{label}{number}": bytes([65 + number]) * size}) for number in range(count)]
        pack = PACKED[TAR if media_type.endswith("tar") else GZIP if "gzip" in media_type else ZSTD]
        ids = ["sha256:" + hashlib.sha256(data).hexdigest() for data in tars]
        return [self.blob(pack(data), media_type) for data in tars], ids

    def config(self, diff_ids, architecture="amd64", media_type=CONFIG, **more):
        value = {"created": CREATED, "architecture": architecture, "os": "linux", "config": {"Cmd": ["/bin/true"]}}
        value |= {"rootfs": {"type": "layers", "diff_ids": diff_ids}, "history": []}
        return self.blob(value | more, media_type)

    def manifest(self, config, layers, media_type=MANIFEST, typed=True, **more):
        value = {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers}
        if not typed:
            del value["mediaType"]
        return self.blob(value | more, media_type)

    def image(self, count=2, kind=GZIP, size=100, architecture="amd64", variant=None, label="", **more):
        """The descriptor of a whole image; `more` goes into its manifest."""
        layers, ids = self.layers(count, kind, size, label)
        named = {"variant": variant} if variant else {}
        return self.manifest(self.config(ids, architecture, **named), layers, **more)

    def index(self, *entries, tag="1.0", **more):
        """index.json: every entry tagged, as it says itself or else with `tag` (None: with nothing)."""
        named = []
        for entry in entries:
            annotations = {REF_NAME: tag, **entry.get("annotations", {})} if tag else entry.get("annotations", {})
            named.append(entry | ({"annotations": annotations} if annotations else {}))
        self.write({"schemaVersion": 2, "manifests": named, **more})

    def write(self, value):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        (self.directory / "index.json").write_bytes(data)


PLATFORMS = (
    ("amd64", None),
    ("arm64", None),
    ("arm", "v7"),
    ("386", None),
    ("ppc64le", None),
    ("s390x", None),
    ("riscv64", None),
)


def platforms(to):
    """The images of many platforms, with theirs in the descriptors."""
    for architecture, variant in PLATFORMS:
        named = {"os": "linux", "architecture": architecture} | ({"variant": variant} if variant else {})
        yield to.image(1, architecture=architecture, variant=variant, label=architecture) | {"platform": named}


def single(to):
    to.index(to.image())


def plain_tar(to):
    to.index(to.image(kind=TAR))


def zstd_layers(to):
    to.index(to.image(kind=ZSTD))


def large(to):
    """Six layers of 2 MiB: enough for several threads."""
    to.index(to.image(6, kind=TAR, size=2 << 20))


def no_layers(to):
    to.index(to.image(0))


def repeated(to):
    """The same layer twice, which is content once."""
    layers, ids = to.layers(2)
    to.index(to.manifest(to.config([*ids, ids[0]]), [*layers, layers[0]]))


def untagged(to):
    to.index(to.image(), tag=None)


def full_name(to):
    to.index(to.image(), tag="registry.example/team/app:2.5")


def two_tags(to):
    """Two images with a tag each; and a third tag, on the first again."""
    first, second = to.image(), to.image(1, label="b")
    tagged = [image | {"annotations": {REF_NAME: tag}} for image, tag in ((first, "one"), (second, "two"), (first, "again"))]
    to.index(*tagged, tag=None)


def labelled(to):
    """Annotations over labels, and one that a canonical manifest may not hold."""
    layers, ids = to.layers(1)
    labels = {"org.opencontainers.image.title": "label", "org.opencontainers.image.vendor": "Vendor"}
    annotations = {
        "org.opencontainers.image.title": "Title",
        "org.opencontainers.image.base.name": "docker.io/library/debian:12",
    }
    annotations["org.opencontainers.image.description"] = "red \x1b[31m alert"
    to.index(to.manifest(to.config(ids, config={"Labels": labels}), layers, annotations=annotations))


def docker(to):
    """Docker schema 2, as skopeo keeps it in a layout."""
    layers, ids = to.layers(2, DOCKER + "image.rootfs.diff.tar.gzip")
    config = to.config(ids, media_type=DOCKER + "container.image.v1+json")
    to.index(to.manifest(config, layers, DOCKER + "distribution.manifest.v2+json"))


def umoci(to):
    """No mediaType inside the documents, as umoci writes them."""
    to.index(to.image(typed=False))


def multi(to):
    to.index(to.blob({"schemaVersion": 2, "mediaType": INDEX, "manifests": [*platforms(to)]}, INDEX))


def buildkit(to):
    """An attestation manifest beside each image, unknown/unknown, as buildkit writes them."""
    entries = []
    for image in [*platforms(to)]:
        statement = to.blob(
            {"_type": "https://in-toto.io/Statement/v0.1", "subject": [image["digest"]]}, "application/vnd.in-toto+json"
        )
        proof = to.manifest(to.config([statement["digest"]], "unknown", os="unknown"), [statement])
        proof["annotations"] = {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": image["digest"],
        }
        entries += [image, proof | {"platform": {"os": "unknown", "architecture": "unknown"}}]
    to.index(to.blob({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}, INDEX))


def repeated_platform(to):
    """Two images for one platform."""
    first, second = to.image(), to.image(1, label="b")
    named = {"platform": {"os": "linux", "architecture": "amd64"}}
    manifests = [first | named, second | named, first | named]
    to.index(to.blob({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}, INDEX))


def nested(to):
    """An index in an index."""
    inner = to.blob({"schemaVersion": 2, "mediaType": INDEX, "manifests": [*platforms(to)]}, INDEX)
    to.index(to.blob({"schemaVersion": 2, "mediaType": INDEX, "manifests": [inner]}, INDEX))


# -- what must be refused ----------------------------------------------------------------------------------------------------


def bad_marker(to):
    single(to)
    to.marker({"imageLayoutVersion": "2.0.0"})


def bad_empty(to):
    to.index()


def bad_index_json(to):
    to.index(to.image())
    to.write((to.directory / "index.json").read_bytes()[:-1] + b', "schemaVersion": 2}')


def bad_case(to):
    """`Manifests` beside `manifests`: Go reads one, Python the other."""
    to.index(to.image(), Manifests=[])


def bad_config_case(to):
    layers, ids = to.layers(1)
    to.index(to.manifest(to.config(ids, config={"Cmd": ["/bin/true"], "cmd": ["/bin/false"]}), layers))


def bad_both(to):
    """CVE-2021-41190."""
    to.index(to.image(manifests=[]))


def bad_digest(to):
    image = to.image()
    to.index(image | {"digest": image["digest"].upper().replace("SHA256", "sha256")})


def bad_sha512(to):
    to.index(to.image() | {"digest": "sha512:" + "0" * 128})


def bad_path(to):
    to.index(to.image() | {"digest": "sha256:../../../../etc/passwd"})


def bad_media_type(to):
    to.index(to.image() | {"mediaType": DOCKER + "distribution.manifest.v2+json"})


def bad_schema(to):
    to.index(to.image(schemaVersion=1))


def bad_data(to):
    to.index(to.image() | {"data": base64.b64encode(b"{}").decode()})


def bad_absent(to):
    layers, ids = to.layers(2)
    to.index(to.manifest(to.config(ids), layers))
    to.path(layers[1]).unlink()


def bad_foreign(to):
    layers, ids = to.layers(1)
    foreign = {"mediaType": OCI + "layer.nondistributable.v1.tar+gzip", "digest": "sha256:" + "7" * 64, "size": 10}
    to.index(
        to.manifest(to.config([*ids, "sha256:" + "8" * 64]), [*layers, foreign | {"urls": ["https://evil.example/layer"]}])
    )


def bad_size(to):
    layers, ids = to.layers(1)
    to.index(to.manifest(to.config(ids), [layers[0] | {"size": layers[0]["size"] + 1}]))


def bad_manifest_size(to):
    image = to.image()
    to.index(image | {"size": image["size"] - 1})


def bad_layer(to):
    """A layer whose bytes are not its digest's, of the right size."""
    layers, ids = to.layers(2)
    to.index(to.manifest(to.config(ids), layers))
    path = to.path(layers[1])
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


def bad_config(to):
    image = to.image()
    to.index(image)
    path = to.path(json.loads(to.path(image).read_bytes())["config"])
    path.write_bytes(path.read_bytes().replace(b"/bin/true", b"/bin/evil"))


def bad_artifact(to):
    layers, _ = to.layers(1)
    to.index(to.manifest(to.blob({}, "application/vnd.oci.empty.v1+json"), layers))


def bad_depth(to):
    inner = to.image() | {"platform": {"os": "linux", "architecture": "amd64"}}
    for _ in range(7):
        inner = to.blob({"schemaVersion": 2, "mediaType": INDEX, "manifests": [inner]}, INDEX)
    to.index(inner)


def bad_large(to):
    layers, ids = to.layers(1)
    to.index(to.manifest(to.config(ids, author="x" * (4 << 20)), layers))


def bad_link(to):
    """A blob that is a symbolic link to a device."""
    layers, ids = to.layers(1)
    to.index(to.manifest(to.config(ids), layers))
    to.path(layers[0]).unlink()
    to.path(layers[0]).symlink_to("/dev/zero")


def bad_platform(to):
    to.index(to.image(1, architecture="amd64\n/../x"))


KINDS = {
    made.__name__.replace("_", "-"): made
    for made in (
        *(single, plain_tar, zstd_layers, large, no_layers, repeated, untagged, full_name, two_tags, labelled, docker, umoci),
        *(multi, buildkit, repeated_platform, nested),
        *(bad_marker, bad_empty, bad_index_json, bad_case, bad_config_case, bad_both, bad_digest, bad_sha512, bad_path),
        *(bad_media_type, bad_schema, bad_data, bad_absent, bad_foreign, bad_size, bad_manifest_size, bad_layer, bad_config),
        *(bad_artifact, bad_depth, bad_large, bad_link, bad_platform),
    )
}


def make(kind, directory):
    """The layout of a kind in a new directory."""
    to = Layout(directory)
    KINDS[kind](to)
    return to


if __name__ == "__main__":
    for named, place in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        make(named, place)
