"""podman, docker and nerdctl: an image given to one of them, under no name or one that is nobody else's (spec/running.adoc)."""

import os
import re
import select
import signal

from cerrotorre import imagearchive
from cerrotorre.content import read_up_to
from cerrotorre.errors import Fail, Finding
from cerrotorre.records import Record
from cerrotorre.sinks import Progress
from cerrotorre.typed import Any

NAMES = ("podman", "docker", "nerdctl")
# Seconds that a runtime which got nothing has to end.
GRACE = 10
# Bytes of what it says that are looked at, and repeated.
MAX_SAID, MAX_WORDS = 64 << 10, 2000
_PIPE = 1 << 20
# Python ignores these, and what it starts would.
_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)
# `Loaded image ID:` docker; `Loaded image(s):` podman before 4.
_LOADED = re.compile(rb"^Loaded image(?: ID|\(s\))?: *(\S+)$", re.M)


def find(name: str) -> str:
    """The runtime in an absolute entry of PATH: the working directory decides nothing. Raises Fail tool-missing."""
    for entry in os.environ.get("PATH", "").split(":"):
        found = os.path.join(entry, name)
        # The recipe is told the path as a line.
        if os.path.isabs(entry) and "\n" not in entry and os.path.isfile(found) and os.access(found, os.X_OK):
            return found
    raise Fail(
        "tool-missing", f"{name} is not installed, or not in an absolute entry of PATH", Program=name, Needed_for="ct run"
    )


def environment() -> dict[str, str]:
    """What a runtime gets: nothing of what ct's tools tell each other."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CT_")}


class Loader:
    """docker and nerdctl, and podman on another host, by `load` on a pipe.

    `with Loader(name, program) as loader: wrong = loader.load(record)`; `loader.image` is what to start then.

    It is started before there is anything to give to it, since its start takes about as long as a verdict, and waits. Whatever else
    happens it gets no end of the archive, and is waited for.
    """

    def __init__(self, name: str, program: str) -> None:
        self.name, self.program, self.image = name, program, ""
        self._words = os.memfd_create("said", os.MFD_CLOEXEC)
        reader, self._fd = os.pipe()
        try:
            quiet = [] if name == "nerdctl" else ["-q"]
            self._process = spawn([program, "load", *quiet], reader, self._words)
        finally:
            os.close(reader)

    def __enter__(self) -> "Loader":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._close()
            self._end()

    def load(self, record: Record, progress: Progress = None) -> list[Finding]:
        """Give it the record's image, and see what it made of that. Returns what is wrong with the bundle.

        Raises Fail image-not-loaded unless the runtime names the very image, and what imagearchive.write does.
        """
        image = imagearchive.chosen(record)
        hexadecimal = image["manifest"].partition(":")[2]
        name = f"ct.local/{hexadecimal}:latest" if self.name == "nerdctl" else None
        _widen(self._fd)
        broken = False
        try:
            wrong = imagearchive.write(self._fd, record, name=name, progress=progress)
        except BrokenPipeError:
            wrong, broken = [], True
        self._close()
        if wrong:
            return wrong
        status = self._wait()
        said = read_said(self._words)
        if status or broken:
            how = (
                f"ended with status {status}"
                if status > 0
                else f"was ended by signal {-status}"
                if status
                else "read no further"
            )
            raise Fail("image-not-loaded", f"{self.name} load {how}", Runtime=self.name, Said=last(said))
        names = [one.decode("utf-8", "replace") for one in _LOADED.findall(said)]
        actual = self._digest(name) if name else ", ".join(names)
        # The config's digest is the id of an image; where containerd keeps the images, the manifest's is.
        expected = [image["manifest"]] if name else [image["config"], image["manifest"]]
        if actual not in expected:
            raise Fail("image-not-loaded", Runtime=self.name, Expected=expected[0], Actual=actual[:300], Said=last(said))
        self.image = name or actual
        return []

    def _digest(self, name: str) -> str:
        """What a name that was given stands for: containerd's images are the digests of their manifests."""
        os.lseek(self._words, 0, os.SEEK_SET)
        os.ftruncate(self._words, 0)
        words = ["image", "inspect", "--mode=native", "--format={{.Image.Target.Digest}}", name]
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._process = spawn([self.program, *words], null, self._words)
        finally:
            os.close(null)
        self._wait()
        return last(read_said(self._words))

    def _wait(self) -> int:
        """Until it is gone it is ours to end, whatever interrupts this."""
        _, status = os.waitpid(self._process, 0)
        self._process = 0
        return os.waitstatus_to_exitcode(status)

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _end(self) -> None:
        """It has seen the end of what it reads, without an image there; so it cleans up. Who does not is ended."""
        process, self._process = self._process, 0
        watch = select.poll()
        fd = os.pidfd_open(process)
        try:
            watch.register(fd, select.POLLIN)
            for number in (signal.SIGTERM, signal.SIGKILL):
                if watch.poll(GRACE * 1000):
                    break
                os.kill(process, number)
        finally:
            os.close(fd)
        os.waitpid(process, 0)


def words(loader: Any, arguments: list[str], command: list[str]) -> list[str]:
    """The words that create and start a container of the image that was loaded."""
    # Twice: the last one counts, and an option that wants a value could take it.
    return [loader.program, "run", "--pull=never", *arguments, "--pull=never", loader.image, *command]


def spawn(words: list[str], stdin: int, output: int) -> int:
    """Start a runtime's command with these three descriptors and no other: its process. Raises Fail tool-missing."""
    # None of ours but the three that it is given.
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd > 2 and _is_open(fd):
            os.set_inheritable(fd, False)
    actions: list[Any] = [(os.POSIX_SPAWN_DUP2, stdin, 0), (os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)]
    try:
        return os.posix_spawn(words[0], words, environment(), file_actions=actions, setsigdef=_IGNORED)
    except OSError as error:
        raise Fail("tool-missing", f"'{words[0]}' cannot be started: {error.strerror}", Program=words[0]) from None


def read_said(fd: int) -> bytes:
    """What a program wrote into a file, as far as it is looked at."""
    os.lseek(fd, 0, os.SEEK_SET)
    return read_up_to(fd, MAX_SAID)


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _widen(fd: int) -> None:
    from fcntl import F_SETPIPE_SZ, fcntl

    try:
        fcntl(fd, F_SETPIPE_SZ, _PIPE)
    except OSError:
        # More than this user may have: slower, and no more than that.
        pass


def last(said: bytes) -> str:
    """The last line of what it said."""
    lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    return (lines or ["nothing was said"])[-1][:MAX_WORDS]
