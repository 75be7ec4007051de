"""What the tests of push and fetch share: bundles that lie in a place of their own, `ct` as people run it, and what it leaves."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import images
from conftest import BUILD, program
from processes import PATIENCE
from registries import docker_registry
from small import pair

CT = BUILD / "bin" / "ct"
USER, PASSWORD = "bob", "hunter2-s3cret"
# HEX of sha256 of what `random_layers` makes is what counts; the seed only makes it the same each time.
SEED = 7


def random_layers(to, count=4, size=1 << 20):
    """An image of layers that cannot be compressed, the same each time."""
    source = random.Random(SEED)
    layers = [to.blob(source.randbytes(size), images.TAR) for _ in range(count)]
    to.index(to.manifest(to.config([layer["digest"] for layer in layers]), layers))


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Place:
    """A directory with a home that trusts one key, takes 127.0.0.1 without TLS, and bundles that this key signed."""

    program = CT

    def __init__(self, directory):
        self.directory = Path(directory)
        self.home = self.directory / "home"
        self.env = {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "CT_HOME": str(self.home), "LC_ALL": "C.UTF-8",
            "SOURCE_DATE_EPOCH": "1700000000",
        }  # fmt: skip

    @classmethod
    def made(cls, directory, *kinds):
        place = cls(directory)
        place.home.mkdir(mode=0o700)
        pair(place.home, "packer")
        place.settings('insecure = ["127.0.0.1"]')
        for kind in kinds:
            place.pack(kind)
        return place

    def copy(self, directory, *names):
        """Another place, with the home and these files."""
        shutil.copytree(self.home, Path(directory) / "home", symlinks=True)
        for name in names:
            os.link(self.directory / name, Path(directory) / name)
        return Place(directory)

    def settings(self, *lines):
        (self.home / "config.toml").write_text("\n".join(["[registries]", *lines, ""]))

    def trusts(self, host, ca):
        """Of TLS from now on, with this authority for the host."""
        directory = self.home / ".config" / "containers" / "certs.d" / host
        directory.mkdir(parents=True)
        shutil.copy(ca, directory / "ca.crt")

    def logged_in(self, *hosts):
        import base64

        auth = {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
        path = self.home / ".config" / "containers" / "auth.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"auths": dict.fromkeys(hosts, auth)}))

    def layout(self, kind):
        layout = self.directory / f"layout-{kind}"
        if not layout.exists():
            if kind == "random":
                random_layers(images.Layout(layout))
            elif kind == "larger":
                random_layers(images.Layout(layout), 8, 4 << 20)
            else:
                images.make(kind, layout)
        return layout

    def layers(self, kind="random"):
        """The descriptors of its one image's layers."""
        top = json.loads((self.layout(kind) / "index.json").read_bytes())["manifests"][0]["digest"]
        return json.loads((self.layout(kind) / "blobs" / "sha256" / top[7:]).read_bytes())["layers"]

    def pack(self, kind, *options, name=None):
        name = name or f"{kind}.ctp"
        wanted = ["--platform", "all"] if kind in ("multi", "buildkit", "nested") else []
        self.ok("pack", "-q", "--name", kind, "--version", "1.0", *wanted, *options, f"oci:{self.layout(kind)}", "-o", name)
        return name

    def start(self, *words, **env):
        """`ct` as the leader of a session of its own."""
        return subprocess.Popen(
            [self.program, *map(str, words)], cwd=self.directory, env={**self.env, **env}, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *words, patience=4 * PATIENCE, **env):
        """The finished process: what it said never holds the password, nor a traceback."""
        with self.start(*words, **env) as made:
            try:
                made.stdout_, made.stderr_ = made.communicate(timeout=patience)
            except BaseException:
                os.killpg(made.pid, signal.SIGKILL)
                raise
        said = made.stdout_ + made.stderr_
        assert PASSWORD not in said and "hunter2" not in said and "s3cret" not in said, said
        assert "Traceback" not in said and made.returncode != 70, (words, made.returncode, said)
        made.said = said
        return made

    def ok(self, *words, **more):
        made = self.run(*words, **more)
        assert made.returncode == 0, (words, made.returncode, made.said)
        return made

    def refused(self, *words, status, **more):
        """It fails with one of these statuses and says so; what it says."""
        statuses = (status,) if isinstance(status, int) else status
        made = self.run(*words, **more)
        assert made.returncode in statuses, (words, made.returncode, made.said)
        assert made.stderr_.strip() or made.stdout_.strip()
        assert "Pushed" not in made.said and "Fetched" not in made.said and '"status":0' not in made.said
        return made

    def left(self):
        return sorted(path.name for path in self.directory.iterdir() if path.name != "home")

    def push(self, name, to, *options, **more):
        return self.ok("push", *options, name, to, **more)

    def fetch(self, ref, name, *options, like=None, **more):
        """Fetch into a file that is not there; it is byte for byte `like`, and nothing else is left."""
        (self.directory / name).unlink(missing_ok=True)
        made = self.ok("fetch", *options, ref, "-o", name, **more)
        self.same(name, like)
        return made

    def same(self, name, like):
        """`like` is the one that it must be, or several, one of which it must be."""
        likes = [like] if isinstance(like, str) else like
        assert sha256(self.directory / name) in [sha256(self.directory / one) for one in likes], (name, like)
        assert not (self.directory / f".{name}.part").exists()

    def no_fetch(self, ref, name, *options, status, **more):
        """Fetch and be refused; there is no file, and nothing else left but what can be resumed."""
        before = self.left()
        made = self.refused("fetch", *options, ref, "-o", name, status=status, **more)
        assert set(self.left()) - set(before) <= {f".{name}.part"}, self.left()
        return made


class Watched:
    """While it is entered, samples a session: the peak resident memory of each of its programs, and what anybody may see of them."""

    def __init__(self, session, pause=0.005):
        self.session, self.pause, self.peak, self.shown, self._over = session, pause, {}, set(), False
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over = True
        self._thread.join()

    def _look(self):
        while not self._over:
            for entry in Path("/proc").glob("[0-9]*"):
                try:
                    if os.getsid(int(entry.name)) != self.session:
                        continue
                    said = (entry / "cmdline").read_bytes()
                    self.shown |= {said, (entry / "environ").read_bytes()}
                    status = (entry / "status").read_text()
                    peak = int(status.partition("VmHWM:")[2].split()[0])
                except (OSError, IndexError):
                    continue
                words = said.decode(errors="replace").split("\0")
                name = next((Path(word).name for word in words if Path(word).name.startswith("ct")), words[0])
                self.peak[name] = max(self.peak.get(name, 0), peak)
            threading.Event().wait(self.pause)


def plain_registry(directory):
    return docker_registry(directory)


def guarded_registry(directory, server_pem):
    """docker-registry with TLS that knows one user."""
    directory.mkdir(exist_ok=True)
    users = subprocess.run([program("htpasswd"), "-Bbn", USER, PASSWORD], capture_output=True, check=True).stdout
    (directory / "users").write_bytes(users)
    return docker_registry(directory, tls=server_pem, users=directory / "users")
