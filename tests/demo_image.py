"""demo_image.py PROGRAM DIR [LIBRARY...] - make an OCI layout at DIR, tagged `demo`, around one shell and what it needs."""

import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
from pathlib import Path

APPLETS = ("sh", "echo", "cat", "ls", "uname")
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def rootfs(program: str, libraries: list[str]) -> bytes:
    """A tar of /bin/PROGRAM under its applets' names, and of the libraries where it looks for them."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, name in [(program, "bin/" + APPLETS[0]), *((library, library.lstrip("/")) for library in libraries)]:
            data = Path(path).read_bytes()
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            tar.addfile(member, io.BytesIO(data))
        for applet in APPLETS[1:] if not libraries else ():
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, APPLETS[0]
            tar.addfile(link)
    return packed.getvalue()


def layout(directory: Path, layer: bytes) -> None:
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes, kind: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": "sha256:" + digest, "size": len(data)}

    def put_json(value: object, kind: str) -> dict[str, object]:
        return put(json.dumps(value, sort_keys=True).encode(), kind)

    machine = os.uname().machine
    config = {
        "architecture": MACHINES.get(machine, machine),
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        "config": {"Cmd": ["/bin/sh"], "Labels": {"org.opencontainers.image.title": "Cerro Torre demo"}},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }
    packed = gzip.compress(layer, mtime=0)
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": put_json(config, "config.v1+json"),
        "layers": [put(packed, "layer.v1.tar+gzip")],
    }
    named = {**put_json(manifest, "manifest.v1+json"), "annotations": {"org.opencontainers.image.ref.name": "demo"}}
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


if __name__ == "__main__":
    layout(Path(sys.argv[2]), rootfs(sys.argv[1], sys.argv[3:]))
