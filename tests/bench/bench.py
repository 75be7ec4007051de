"""bench.py BUILD - how fast, as ratios to `openssl dgst -sha256` of the same file in the same run; medians of several.

A 1 GiB bundle (8 layers of 128 MiB that cannot be compressed), each output file fresh; one bundle of 1 MB, and a thousand.
"""

import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 7
MIB = 1 << 20


def make_image(directory: Path, layers: int, size: int) -> None:
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes, kind: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": "sha256:" + digest, "size": len(data)}

    def put_random(size: int) -> dict[str, object]:
        # A piece at a time: the memory of whoever starts a process counts as that process's own until it has begun.
        digest, written = hashlib.sha256(), 0
        with (blobs / "new").open("wb") as file:
            while written < size:
                piece = os.urandom(min(MIB, size - written))
                digest.update(piece)
                written += file.write(piece)
        (blobs / "new").rename(blobs / digest.hexdigest())
        return {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": "sha256:" + digest.hexdigest(), "size": size}

    made = [put_random(size) for _ in range(layers)]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in made]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": put(json.dumps(config).encode(), "config.v1+json"),
        "layers": made,
    }
    index = {"schemaVersion": 2, "manifests": [put(json.dumps(manifest).encode(), "manifest.v1+json")]}
    (directory / "index.json").write_text(json.dumps(index))
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


def timed(command: list[str]) -> tuple[float, float]:
    """(seconds, MiB of the largest process) of a command that must succeed."""
    begun = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - begun
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command[:3]} exited {child.returncode}")
    return seconds, usage.ru_maxrss / 1024


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.3f} s  ({min(values):.3f}-{max(values):.3f})"


def main(build: Path, work: Path) -> None:
    os.environ["HOME"] = str(work)
    ct = str(build / "bin" / "ct")
    subprocess.run([ct, "keygen", "--no-password", "--id", "bench"], check=True, stdout=subprocess.DEVNULL)
    big, one = work / "big.ctp", work / "one.ctp"
    make_image(work / "big", 8, 128 * MIB)
    make_image(work / "one", 1, 10**6)
    times: dict[str, list[float]] = {"openssl": [], "verify": [], "pack": []}
    memory = 0.0
    for _ in range(ROUNDS):
        # Each output is a fresh file, and what it left to be written is on disk before the next is timed.
        big.unlink(missing_ok=True)
        os.sync()
        for name, command in (
            ("pack", [ct, "pack", "-q", f"oci:{work}/big", "-o", str(big)]),
            ("openssl", ["openssl", "dgst", "-sha256", str(big)]),
            ("verify", [ct, "verify", str(big)]),
        ):
            seconds, resident = timed(command)
            times[name].append(seconds)
            memory = max(memory, resident if name != "openssl" else 0)
            os.sync()
    base = statistics.median(times["openssl"])
    print(f"1 GiB   openssl dgst -sha256  {spread(times['openssl'])}")
    for name in ("verify", "pack"):
        print(f"1 GiB   ct {name:<18} {spread(times[name])}  {statistics.median(times[name]) / base:.2f} x openssl")
    print(f"1 GiB   largest process       {memory:.0f} MiB")
    subprocess.run([ct, "pack", "-q", f"oci:{work}/one", "-o", str(one)], check=True)
    single = [timed([ct, "verify", str(one)])[0] for _ in range(41)]
    print(
        f"1 MB    ct verify             {statistics.median(single) * 1000:.0f} ms  ({min(single) * 1000:.0f}-{max(single) * 1000:.0f})"
    )
    copies = [str(work / f"{number}.ctp") for number in range(1000)]
    for copy in copies:
        shutil.copyfile(one, copy)
    os.sync()
    many = [timed([ct, "verify", *copies])[0] for _ in range(5)]
    print(f"1 MB    1,000 in one call     {spread(many)}  {1000 / statistics.median(many):.0f} a second")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="ct-bench.", dir=os.environ.get("TMPDIR", "/var/tmp")) as scratch:
        main(Path(sys.argv[1]).resolve(), Path(scratch))
