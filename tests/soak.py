"""soak.py BUILD [GIB] - push and fetch GIB (20) of sparse layers; every process stays under 64 MiB.

The registry keeps digests and sizes alone and gives zeros back, so that only the bundle, without its holes, and what is fetched take room
in $TMPDIR (/var/tmp). Memory is VmHWM of each process, of /proc, sampled every few milliseconds.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MIB = 1 << 20
MOST = 64  # MiB
LAYER = 2 << 30


def zeros(to, layers, size):
    """An image whose layers are zeros: tar archives without a member, each 512 bytes longer than the one before."""
    import images

    done, made = hashlib.sha256(), []
    for _ in range(size // MIB):
        done.update(bytes(MIB))
    for _ in range(layers):
        hexadecimal = done.hexdigest()
        path = to.directory / "blobs" / "sha256" / hexadecimal
        path.touch()
        os.truncate(path, size)
        made.append({"mediaType": images.TAR, "digest": "sha256:" + hexadecimal, "size": size})
        done.update(bytes(512))
        size += 512
    to.index(to.manifest(to.config([layer["digest"] for layer in made]), made))


def timed(place, *words):
    """Run ct; {program: its most MiB}. Fails over MOST."""
    from moving import Watched

    began = time.monotonic()
    with place.start(*words) as child, Watched(child.pid) as watched:
        said = "".join(child.communicate())
    assert child.returncode == 0, (words, child.returncode, said)
    most = {name: round(kib / 1024, 1) for name, kib in sorted(watched.peak.items()) if name.startswith("ct")}
    assert len(most) > 3 and max(most.values()) < MOST, (words, most)
    return f"{time.monotonic() - began:.1f} s; MiB: " + ", ".join(f"{name} {mib}" for name, mib in most.items())


def moved(place, fake, layers, size):
    """Push a bundle of so many layers of zeros to a Fake that discards them, and fetch it; what it took, a line each."""
    import images

    fake.discards = MIB
    zeros(images.Layout(place.directory / "layout-zeros"), layers, size)
    place.pack("zeros")
    path, got = place.directory / "zeros.ctp", place.directory / "got.ctp"
    if dig := shutil.which("fallocate"):
        # Where the file system has no holes it is large, and nothing else.
        subprocess.run([dig, "--dig-holes", path], capture_output=True, check=False)
    ref = f"{fake.host}/soak/zeros:1.0"
    push = timed(place, "push", path.name, ref)
    assert fake.received > layers * size
    fetch = timed(place, "fetch", ref, "-o", got.name)
    assert subprocess.run(["cmp", path, got], check=False).returncode == 0
    got.unlink()
    return f"push  {push}", f"fetch {fetch}"


def main(build, gib="20"):
    os.environ["CT_BUILD"] = str(Path(build).resolve())
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from moving import Place
    from registries import Fake

    with tempfile.TemporaryDirectory(prefix="ct-soak.", dir=os.environ.get("TMPDIR", "/var/tmp")) as work:
        if shutil.disk_usage(work).free < (2 * int(gib) + 2) << 30:
            raise SystemExit(f"error: {work} has less than {2 * int(gib) + 2} GiB free\nhint: name another directory: TMPDIR=…")
        with Fake() as fake:
            for line in moved(Place.made(work), fake, max(1, (int(gib) << 30) // LAYER), LAYER):
                print(f"{gib} GiB: {line}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
