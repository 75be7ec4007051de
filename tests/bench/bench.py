"""bench.py BUILD [--quick] [ROW...] - how fast, as ratios to peers that do the like, timed in turns in the same run.

A row is a job: ct first, then its peers. Each command is a whole process (or pipeline), run at least five times, in turns with
the others of its row; the table shows medians, the extremes, and ct's median as a multiple of the peer's. What has a target says
whether it was met. Files are random bytes in $TMPDIR (/var/tmp); what is written is fresh each time, and synced before the next
is timed. Peers that are not installed are named as such: openssl, sha256sum (coreutils), skopeo, minisign, cp; and docker-registry,
which some rows need.

ROW is the beginning of a row's name (default: all). --quick takes tiny files and one round, to see that everything runs, and syncs
nothing: no time of it counts, and others may be writing.
Memory: the largest resident set of any one process, from wait4; and what all of them hold at once, the peak of the sum of their
proportional set sizes, sampled every 10 ms in a run of its own.
"""

import atexit
import hashlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

MIB = 1 << 20
MOST_MEMORY = 64  # MiB
NEEDED = 10 << 30


def make_image(directory: Path, layers: int, size: int, base: Path | None = None, tars: tuple[Path, ...] = ()) -> None:
    """An OCI layout of one image whose layers cannot be compressed, on top of those of `base`, another such layout, and `tars`."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes, kind: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": "sha256:" + digest, "size": len(data)}

    def put_layer(size: int, read: Callable[[int], bytes]) -> dict[str, object]:
        # A piece at a time: the memory of whoever starts a process counts as that process's own until it has begun.
        digest, written = hashlib.sha256(), 0
        with (blobs / "new").open("wb") as file:
            while written < size:
                piece = read(min(MIB, size - written))
                digest.update(piece)
                written += file.write(piece)
        (blobs / "new").rename(blobs / digest.hexdigest())
        return {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": "sha256:" + digest.hexdigest(), "size": size}

    def put_file(path: Path) -> dict[str, object]:
        with path.open("rb") as file:
            return put_layer(path.stat().st_size, file.read)

    def put_again(base: Path) -> list[dict[str, object]]:
        for blob in (base / "blobs" / "sha256").iterdir():
            os.link(blob, blobs / blob.name)
        top = json.loads((base / "index.json").read_text())["manifests"][0]["digest"][7:]
        return list(json.loads((blobs / top).read_text())["layers"])

    made = [*(put_again(base) if base else []), *map(put_file, tars), *(put_layer(size, os.urandom) for _ in range(layers))]
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


class Command:
    """A command line. `most`: the multiple of its time that ct's may be. `writes`: what it makes, removed before each run.
    `needs`: the program that it is about, if that is not the first word. `before` is called before each run. `most_size`: the
    multiple of the bytes in its one file that those in ct's may be."""

    synced = True

    def __init__(
        self,
        label: str,
        *words: object,
        most: float | None = None,
        writes: Path | None = None,
        needs: str | None = None,
        before: Callable[[], None] | None = None,
        most_size: float | None = None,
    ) -> None:
        self.label, self.most, self.writes, self.before, self.most_size = label, most, writes, before, most_size
        self.words = [str(word) for word in words]
        self.installed = shutil.which(needs or self.words[0]) is not None
        self.seconds: list[float] = []
        self.resident = 0.0
        self.status = self.size = 0

    def clear(self) -> None:
        if self.writes and self.writes.is_dir():
            shutil.rmtree(self.writes)
        elif self.writes:
            self.writes.unlink(missing_ok=True)

    def run(self) -> None:
        """Time it once: seconds, and the MiB of its largest process."""
        self.clear()
        if self.before:
            self.before()
        if self.synced:
            os.sync()
        begun = time.perf_counter()
        child = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        self.seconds.append(time.perf_counter() - begun)
        self.status = child.returncode = os.waitstatus_to_exitcode(status)
        self.resident = max(self.resident, usage.ru_maxrss / 1024)
        if self.writes and self.writes.is_file():
            self.size = self.writes.stat().st_size

    def together(self) -> float:
        """MiB that all its processes held at once, at most: the sum of their PSS."""
        self.clear()
        if self.before:
            self.before()
        child = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
        most = 0
        while child.poll() is None:
            most = max(
                most,
                sum(_pss(process) for process in os.listdir("/proc") if process.isdecimal() and _is_of(process, child.pid)),
            )
            time.sleep(0.01)
        return most / 1024


def _is_of(process: str, session: int) -> bool:
    try:
        return os.getsid(int(process)) == session
    except OSError:
        return False


def _pss(process: str) -> int:
    """KiB; 0 for one that has ended meanwhile."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


class Registry:
    """Debian's docker-registry on 127.0.0.1, without TLS; `host` is empty where it is not installed."""

    def __init__(self, work: Path) -> None:
        self.data, self.host, self.server = work / "registry", "", None
        serve = shutil.which("docker-registry") or shutil.which("registry")
        if not serve:
            return
        self.data.mkdir()
        config, log = work / "registry.yml", work / "registry.log"
        storage = {"filesystem": {"rootdirectory": str(self.data)}}
        told = {"version": 0.1, "log": {"level": "info"}, "storage": storage, "http": {"addr": "127.0.0.1:0"}}
        config.write_text(json.dumps(told))
        with log.open("w") as said:
            self.server = subprocess.Popen([serve, "serve", config], stdout=said, stderr=said)
        for _ in range(500):
            if found := re.search(r"listening on (127\.0\.0\.1:\d+)", log.read_text()):
                self.host = found[1]
                return
            time.sleep(0.02)
        raise SystemExit(log.read_text())

    def stop(self) -> None:
        if self.server:
            self.server.terminate()
            self.server.wait()

    def empty(self) -> None:
        """It has nothing any more: it keeps nothing in memory."""
        shutil.rmtree(self.data / "docker", ignore_errors=True)

    def untag(self, name: str, tag: str) -> None:
        shutil.rmtree(self.data / f"docker/registry/v2/repositories/{name}/_manifests/tags/{tag}", ignore_errors=True)


class Bench:
    """The files, each made when a row first needs it, and the rows."""

    def __init__(self, build: Path, work: Path, quick: bool) -> None:
        self.ct, self.work, self.quick = str(build / "bin" / "ct"), work, quick
        self.registry: Registry | None = None
        self.remarks: list[str] = []
        os.environ["HOME"] = str(work)
        self.whole = MIB if quick else 1 << 30
        Command.synced = not quick
        self.count, self.entries, self.rounds = (3, 20, 1) if quick else (1000, 10_000, 5)
        subprocess.run([self.ct, "keygen", "--no-password", "--id", "bench"], check=True, stdout=subprocess.DEVNULL)
        # name: title, its commands, the most seconds, the most MiB. The short ones come first: gigabytes that the kernel still
        # writes back would disturb them.
        self.rows: dict[str, tuple[str, Callable[[], list[Command]], float | None, float | None]] = {
            "verify-1MB": ("verify 1 MB", self.verify_1mb, 0.1, MOST_MEMORY),
            "verify-CT-SIG-02": ("verify 1 MB, signed with Ed25519 and ML-DSA-87", self.verify_hybrid, None, MOST_MEMORY),
            "verify-1000": ("verify 1,000 bundles of 1 MB in one call", self.verify_1000, 2, MOST_MEMORY),
            # Records grow with the number of entries, if not with their size.
            "verify-10000-entries": ("verify 10,000 content entries of 1 kB", self.verify_10000_entries, None, None),
            "verify-8-layers": ("verify 1 GiB in 8 layers", self.verify_8_layers, None, MOST_MEMORY),
            "verify-1-layer": ("verify 1 GiB in 1 layer", self.verify_1_layer, None, MOST_MEMORY),
            "verify-pipe": ("verify 1 GiB from a pipe", self.verify_pipe, None, MOST_MEMORY),
            "pack": ("pack 1 GiB in 8 layers", self.pack, None, MOST_MEMORY),
            "re-sign": ("re-sign 1 GiB in 8 layers", self.re_sign, None, MOST_MEMORY),
            "re-sign-in-place": ("re-sign 1 GiB in place, which is synced", self.re_sign_in_place, None, MOST_MEMORY),
            "export": ("export 10 bundles of 100 MiB, of which 80 MiB are the same", self.export, None, MOST_MEMORY),
            "run": ("run an image of 100 MiB that podman does not have, to its first output", self.run_image, None, None),
            "push": ("push 1 GiB in 8 layers to an empty docker-registry", self.push, None, MOST_MEMORY),
            "push-again": ("push 1 GiB that is there already to another tag", self.push_again, None, MOST_MEMORY),
            "fetch": ("fetch 1 GiB in 8 layers from docker-registry", self.fetch, None, MOST_MEMORY),
            "pack-registry": ("pack 1 GiB in 8 layers from docker-registry", self.pack_registry, None, MOST_MEMORY),
        }

    # -- files

    def layout(self, layers: int, size: int) -> Path:
        path = self.work / f"layout-{layers}-{size}"
        if not path.exists():
            make_image(path, layers, size)
        return path

    def bundle(self, layers: int, size: int) -> Path:
        path = self.work / f"{layers}-{size}.ctp"
        image = f"oci:{self.layout(layers, size)}"
        if not path.exists():
            subprocess.run([self.ct, "pack", "-q", "--name", "bench", "--version", "1", "-o", path, image], check=True)
        return path

    def minisigned(self, path: Path) -> Path:
        """The signature of a file by a key without a password; the key is made with the first."""
        signature = path.with_suffix(".minisig")
        key = ["-s", self.work / "minisign.key"]
        if shutil.which("minisign") and not signature.exists():
            if not (self.work / "minisign.pub").exists():
                make = ["minisign", "-G", "-W", "-p", self.work / "minisign.pub", *key]
                subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
            subprocess.run(["minisign", "-S", *key, "-x", signature, "-m", path], check=True, stdout=subprocess.DEVNULL)
        return signature

    # -- rows: ct, then its peers

    def verify(self, path: Path, *, openssl: float | None = None, sha256sum: float | None = None) -> list[Command]:
        """One bundle, by all that check one file; what ct's time may be as a multiple of theirs."""
        minisign = ["minisign", "-Vq", "-p", self.work / "minisign.pub", "-x", self.minisigned(path), "-m", path]
        return [
            Command("ct verify", self.ct, "verify", path),
            Command("openssl dgst -sha256", "openssl", "dgst", "-sha256", path, most=openssl),
            Command("sha256sum", "sha256sum", path, most=sha256sum),
            Command("skopeo inspect oci-archive:", "skopeo", "inspect", f"oci-archive:{path}"),
            Command("minisign -V", *minisign),
        ]

    def verify_8_layers(self) -> list[Command]:
        return self.verify(self.bundle(8, self.whole // 8), openssl=0.75, sha256sum=0.15)

    def verify_1_layer(self) -> list[Command]:
        # One stream is hashed by one thread.
        return self.verify(self.bundle(1, self.whole), openssl=1.1)

    def verify_pipe(self) -> list[Command]:
        path = self.bundle(8, self.whole // 8)
        pipes = (
            ("cat | ct verify -", 'cat "$1" | "$2" verify -', self.ct, None),
            ("cat | openssl dgst -sha256", 'cat "$1" | "$2" dgst -sha256', "openssl", 1.1),
            ("cat | sha256sum", 'cat "$1" | "$2"', "sha256sum", None),
        )
        return [
            Command(label, "sh", "-c", script, "sh", path, program, most=most, needs=program)
            for label, script, program, most in pipes
        ]

    def verify_1mb(self) -> list[Command]:
        return self.verify(self.bundle(1, 10**6))

    def verify_hybrid(self) -> list[Command]:
        # The peer is ct itself: what the second signature costs.
        plain, hybrid = self.bundle(1, 10**6), self.work / "hybrid.ctp"
        make = [self.ct, "keygen", "--no-password", "--id", "hybrid", "--suite", "CT-SIG-02"]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
        image = f"oci:{self.layout(1, 10**6)}"
        subprocess.run([self.ct, "pack", "-q", "-k", "hybrid", "--name", "bench", "-o", hybrid, image], check=True)
        return [
            Command("ct verify, CT-SIG-02", self.ct, "verify", hybrid),
            Command("ct verify, CT-SIG-01", self.ct, "verify", plain, most=1.4),
        ]

    def verify_1000(self) -> list[Command]:
        path = self.bundle(1, 10**6)
        copies = [self.work / f"copy-{number}.ctp" for number in range(self.count)]
        for copy in copies:
            shutil.copyfile(path, copy)
        # One signature fits them all: they are the same.
        options = f"-Vq -p '{self.work}/minisign.pub' -x '{self.minisigned(path)}'"
        each = f'for file do minisign {options} -m "$file" || exit; done'
        return [
            Command("ct verify", self.ct, "verify", *copies),
            Command("openssl dgst -sha256", "openssl", "dgst", "-sha256", *copies),
            Command("sha256sum", "sha256sum", *copies),
            Command("minisign -V, one call each", "sh", "-c", each, "sh", *copies, needs="minisign"),
        ]

    def verify_10000_entries(self) -> list[Command]:
        # The image's manifest and config are entries too.
        return self.verify(self.bundle(self.entries - 2, 1000))

    def pack(self) -> list[Command]:
        layout = self.layout(8, self.whole // 8)
        blobs = sorted((layout / "blobs" / "sha256").iterdir())
        made, copied, archive = (self.work / name for name in ("packed.ctp", "copied", "archive.tar"))
        image = f"oci:{layout}"
        return [
            Command("ct pack", self.ct, "pack", "-q", "--name", "bench", "-o", made, image, writes=made),
            Command("openssl dgst -sha256 of the blobs", "openssl", "dgst", "-sha256", *blobs, most=1),
            Command("cp -r of the layout", "cp", "-r", layout, copied, writes=copied),
            Command(
                *(
                    "skopeo copy oci: oci-archive:",
                    "skopeo",
                    "copy",
                    "-q",
                    "--insecure-policy",
                    image,
                    f"oci-archive:{archive}",
                ),
                most=0.15,
                writes=archive,
            ),
        ]

    def re_sign(self) -> list[Command]:
        path, made, copied = self.bundle(8, self.whole // 8), self.work / "anew.ctp", self.work / "copied.ctp"
        verify_and_copy = ["sh", "-c", '"$1" verify "$2" && cp "$2" "$3"', "sh", self.ct, path, copied]
        return [
            Command("ct re-sign", self.ct, "re-sign", "-q", "-o", made, path, writes=made),
            Command("ct verify, then cp", *verify_and_copy, most=1, writes=copied),
            Command("cp", "cp", path, copied, writes=copied),
        ]

    def re_sign_in_place(self) -> list[Command]:
        path, copied = self.work / "in-place.ctp", self.work / "copied.ctp"
        shutil.copyfile(self.bundle(8, self.whole // 8), path)
        replace = '"$1" verify "$2" && cp "$2" "$3" && sync "$3" && mv "$3" "$2"'
        return [
            Command("ct re-sign", self.ct, "re-sign", "-q", path),
            Command("ct verify, then cp, sync and mv", "sh", "-c", replace, "sh", self.ct, path, copied, most=1),
        ]

    def export(self) -> list[Command]:
        # 4 layers of 20 MiB in common, 2 of 10 MiB of its own each.
        base = self.layout(4, self.whole // 51)
        layouts = [self.work / f"export-{number}" for number in range(10)]
        blobs: dict[str, Path] = {}
        for layout in layouts:
            make_image(layout, 2, self.whole // 102, base)
            make = [self.ct, "pack", "-q", "--name", layout.name, "--version", "1", "-o", f"{layout}.ctp", f"oci:{layout}"]
            subprocess.run(make, check=True)
            blobs |= {blob.name: blob for blob in (layout / "blobs" / "sha256").iterdir()}
        bundles = [f"{layout}.ctp" for layout in layouts]
        archive, copied, naive = (self.work / name for name in ("export.tar", "blobs", "naive.tar"))
        copy = 'mkdir "$1" && cp -t "$@"'
        return [
            Command("ct export", self.ct, "export", "-q", "-o", archive, *bundles, writes=archive),
            Command("cp of the blobs, each once", "sh", "-c", copy, "sh", copied, *blobs.values(), most=2.5, writes=copied),
            Command(
                "tar of the bundles",
                "tar",
                "-cf",
                naive,
                "-C",
                self.work,
                *map(os.path.basename, bundles),
                writes=naive,
                most_size=0.3,
            ),
        ]

    def run_image(self) -> list[Command]:
        # busybox below, 100 MiB of random bytes in four files above.
        files, tars = self.work / "files", [self.work / f"layer-{number}.tar" for number in range(5)]
        (files / "bin").mkdir(parents=True)
        shutil.copy2(shutil.which("busybox") or "", files / "bin" / "busybox")
        (files / "bin" / "echo").symlink_to("busybox")
        subprocess.run(["tar", "-C", files, "-cf", tars[0], "bin"], check=True)
        for number, tar in enumerate(tars[1:]):
            (files / f"data-{number}").write_bytes(os.urandom(MIB // 40 if self.quick else 25 * MIB))
            subprocess.run(["tar", "-C", files, "-cf", tar, f"data-{number}"], check=True)
        layout, bundle = self.work / "run", self.work / "run.ctp"
        make_image(layout, 0, 0, tars=tuple(tars))
        subprocess.run([self.ct, "pack", "-q", "--name", "run", "--version", "1", "-o", bundle, f"oci:{layout}"], check=True)
        storage, containers = self.work / "storage.conf", self.work / "containers.conf"
        # podman waits 20 seconds for a container whose runroot has more than 50 characters.
        runroot = tempfile.mkdtemp(prefix="ct-", dir="/tmp")
        atexit.register(shutil.rmtree, runroot, ignore_errors=True)
        storage.write_text(f'[storage]\ndriver = "overlay"\nrunroot = "{runroot}"\ngraphroot = "{self.work}/graph"\n')
        limits = 'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]'
        engine = 'runtime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"'
        containers.write_text(f"[containers]\n{limits}\n[engine]\n{engine}\n")
        os.environ |= {"CONTAINERS_STORAGE_CONF": str(storage), "CONTAINERS_CONF": str(containers)}
        words = ["--rm", "--network=none"]
        # Not `podman rmi`, which leaves what a second load is quicker by.
        anew = {"before": lambda: shutil.rmtree(self.work / "graph", ignore_errors=True)}
        load_and_run = 'podman load -q -i "$1" && shift && podman run --pull=never "$@"'
        return [
            Command("ct run", self.ct, "run", "-q", bundle, "--", *words, "--", "echo", "hello", **anew),
            Command(
                *(
                    "podman load, then podman run",
                    "sh",
                    "-c",
                    load_and_run,
                    "sh",
                    bundle,
                    *words,
                    "localhost/run:1",
                    "echo",
                    "hello",
                ),
                most=1.1,
                needs="podman",
                **anew,
            ),
        ]

    # -- rows with a registry. Layers are plain tar archives: skopeo is told to keep the digests, so that it compresses nothing.

    def skopeo(self, source: str, target: str) -> list[str]:
        options = ["-q", "--insecure-policy", "--preserve-digests"]
        return ["skopeo", "copy", *options, "--src-tls-verify=false", "--dest-tls-verify=false", source, target]

    def served(self) -> Registry:
        """The registry, started with the first row that needs it; ct takes it without TLS."""
        if not self.registry:
            self.registry = Registry(self.work)
            settings = self.work / ".config" / "cerro"
            settings.mkdir(parents=True, exist_ok=True)
            (settings / "config.toml").write_text('[registries]\ninsecure = ["127.0.0.1"]\n')
        return self.registry

    def filled(self, tag: str = "1") -> str:
        """HOST/bench:TAG, where the bundle of 8 layers is."""
        registry, path = self.served(), self.bundle(8, self.whole // 8)
        registry.empty()
        if registry.host:
            subprocess.run([self.ct, "push", "-q", path, f"{registry.host}/bench:{tag}"], check=True)
        return f"{registry.host}/bench:{tag}"

    def push(self) -> list[Command]:
        registry, path = self.served(), self.bundle(8, self.whole // 8)
        to = f"{registry.host}/bench:1"
        anew = {"before": registry.empty}
        return [
            Command("ct push", self.ct, "push", "-q", path, to, **anew),
            Command(
                "skopeo copy oci-archive: docker://", *self.skopeo(f"oci-archive:{path}", f"docker://{to}"), most=0.7, **anew
            ),
            Command(
                "skopeo copy oci: docker://", *self.skopeo(f"oci:{self.layout(8, self.whole // 8)}", f"docker://{to}"), **anew
            ),
        ]

    def push_again(self) -> list[Command]:
        first, path = self.filled(), self.bundle(8, self.whole // 8)
        registry, to = self.served(), first.removesuffix(":1") + ":2"
        anew = {"before": lambda: registry.untag("bench", "2")}
        if registry.host:
            said = subprocess.run([self.ct, "push", "--json", path, to], check=True, capture_output=True, text=True).stdout
            self.remarks.append(f"ct push says: {json.loads(said.splitlines()[-1])['moved']} bytes sent")
        return [
            Command("ct push", self.ct, "push", "-q", path, to, **anew),
            Command("skopeo copy oci-archive: docker://", *self.skopeo(f"oci-archive:{path}", f"docker://{to}"), **anew),
            Command(
                "skopeo copy oci: docker://", *self.skopeo(f"oci:{self.layout(8, self.whole // 8)}", f"docker://{to}"), **anew
            ),
        ]

    def fetch(self) -> list[Command]:
        ref, (made, archive, directory) = self.filled(), (self.work / name for name in ("fetched.ctp", "archive.tar", "copied"))
        return [
            Command("ct fetch", self.ct, "fetch", "-q", ref, "-o", made, writes=made),
            *self.copies(ref, archive, directory, 0.7),
        ]

    def pack_registry(self) -> list[Command]:
        ref, (made, archive, directory) = self.filled(), (self.work / name for name in ("fetched.ctp", "archive.tar", "copied"))
        return [
            Command("ct pack", self.ct, "pack", "-q", ref, "-o", made, writes=made),
            *self.copies(ref, archive, directory, 0.5),
        ]

    def copies(self, ref: str, archive: Path, directory: Path, most: float) -> list[Command]:
        """By skopeo: into one file, and into a directory, which is less work."""
        source = f"docker://{ref}"
        return [
            Command(
                "skopeo copy docker:// oci-archive:", *self.skopeo(source, f"oci-archive:{archive}"), most=most, writes=archive
            ),
            Command("skopeo copy docker:// dir:", *self.skopeo(source, f"dir:{directory}"), writes=directory),
        ]

    # -- the table

    def show(self, name: str) -> None:
        title, make, most, most_memory = self.rows[name]
        self.remarks.clear()
        if make in (self.push, self.push_again, self.fetch, self.pack_registry) and not self.served().host:
            print(f"\n{title}  ({name})\n  docker-registry                    not installed")
            return
        if make == self.run_image and not (shutil.which("podman") and shutil.which("runc") and shutil.which("busybox")):
            print(f"\n{title}  ({name})\n  podman, runc and busybox           not installed")
            return
        subject, *peers = commands = make()
        begun, rounds = time.monotonic(), 0
        # What is over soon varies more, and is run more often.
        while rounds < self.rounds or (not self.quick and rounds < 41 and time.monotonic() - begun < 5):
            rounds += 1
            for command in commands:
                if command.installed and not command.status:
                    command.run()
            if subject.status:
                raise SystemExit(f"error: {subject.words[:3]} exited {subject.status}")
        together = subject.together()
        for command in commands:
            command.clear()
        median = statistics.median(subject.seconds)
        print(f"\n{title}" + (f"  ({name}, tiny)" if self.quick else f"  ({name})"))
        self.line(subject.label, subject.seconds, "", self.judged(median, most, "s"))
        for remark in self.remarks:
            print(f"  {remark}")
        for peer in peers:
            if not peer.installed or peer.status:
                print(f"  {peer.label:<34} {'not installed' if not peer.installed else f'failed with status {peer.status}'}")
                continue
            ratio = median / statistics.median(peer.seconds)
            self.line(peer.label, peer.seconds, f"{ratio:.2f} x", self.judged(ratio, peer.most, "x"))
            if peer.most_size is not None:
                by = subject.size / peer.size
                print(f"  {subject.size} bytes, and there {peer.size}: {by:.3f} x{self.judged(by, peer.most_size, 'x')}")
        memory = f"{subject.resident:.0f} MiB largest process, {together:.0f} MiB all together"
        judged = self.judged(subject.resident, most_memory, "MiB")
        print(f"  {'memory of ' + subject.label:<34} {memory:<42} {judged}".rstrip(), flush=True)

    @staticmethod
    def line(label: str, seconds: list[float], ratio: str, judged: str) -> None:
        spread = f"({min(seconds):.3f}-{max(seconds):.3f})"
        print(f"  {label:<34} {statistics.median(seconds):7.3f} s  {spread:<16} {ratio:>14} {judged}".rstrip())

    def judged(self, value: float, most: float | None, unit: str) -> str:
        if most is None or self.quick:
            return ""
        return f" target <= {most:g} {unit}: {'met' if value <= most else 'MISSED'}"


def main(arguments: list[str]) -> None:
    quick = "--quick" in arguments
    build, *wanted = [word for word in arguments if word != "--quick"]
    # A terminated run cleans up as an interrupted one does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parent = os.environ.get("TMPDIR", "/var/tmp")
    if not quick and shutil.disk_usage(parent).free < NEEDED:
        raise SystemExit(f"error: {parent} has less than {NEEDED >> 30} GiB free\nhint: name another directory: TMPDIR=…")
    with tempfile.TemporaryDirectory(prefix="ct-bench.", dir=parent) as scratch:
        bench = Bench(Path(build).resolve(), Path(scratch), quick)
        names = [name for name in bench.rows if not wanted or name.startswith(tuple(wanted))]
        unknown = [word for word in wanted if not any(name.startswith(word) for name in bench.rows)]
        if unknown:
            raise SystemExit(f"error: no row begins with {unknown[0]}\nhint: rows: {' '.join(bench.rows)}")
        load = os.getloadavg()[0]
        print(
            f"{len(os.sched_getaffinity(0))} processors; load {load:.1f}"
            + (", so others are measured too" if load > 0.5 else "")
        )
        print("each ratio is ct's median by the peer's: less is faster")
        try:
            for name in names:
                bench.show(name)
        finally:
            if bench.registry:
                bench.registry.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
