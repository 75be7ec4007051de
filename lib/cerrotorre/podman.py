"""podman: an image given to it as an OCI layout in a private directory, which has what was hashed (spec/running.adoc).

`podman load` copies what it reads two or three times before it looks at the layers; `podman pull oci:DIRECTORY` reads them where they
lie. It makes the image's name of the directory's, which may hold what no name does; so it is given a descriptor, and the name that
comes of that, nobody's, is taken away again.
"""

import contextlib
import os
import re
import shutil
import signal

from cerrotorre import imagearchive, owned, runtimes
from cerrotorre.errors import Fail, Finding
from cerrotorre.records import Record
from cerrotorre.sinks import Progress

_PLACE = "/proc/self/fd/0"
_ID = re.compile(rb"^([0-9a-f]{64})$", re.M)


def loader(name: str) -> "Puller | runtimes.Loader":
    """What gives images to this runtime. Raises Fail tool-missing."""
    program = runtimes.find(name)
    # On another host it would look for a directory of that host's.
    if name == "podman" and not {"CONTAINER_HOST", "CONTAINER_CONNECTION"} & os.environ.keys():
        return Puller(program)
    return runtimes.Loader(name, program)


class Puller:
    """`with Puller(program) as loader: wrong = loader.load(record)`; as runtimes.Loader, and nothing is started before all is right."""

    def __init__(self, program: str) -> None:
        self.name, self.program, self.image = "podman", program, ""
        self._directory, self._process = "", 0

    def __enter__(self) -> "Puller":
        # As podman does: /tmp may be memory.
        self._directory = owned.temporary({"TMPDIR": os.environ.get("TMPDIR") or "/var/tmp"})  # noqa: S108 - it is private
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._process:
                with contextlib.suppress(ProcessLookupError, ChildProcessError):
                    os.kill(self._process, signal.SIGTERM)
                    os.waitpid(self._process, 0)
        finally:
            shutil.rmtree(self._directory, ignore_errors=True)

    def load(self, record: Record, progress: Progress = None) -> list[Finding]:
        """Give it the record's image. Returns what is wrong with the bundle. Raises Fail image-not-loaded unless it names the very image."""
        image = imagearchive.chosen(record)
        try:
            if wrong := imagearchive.lay(self._directory, record, progress=progress):
                return wrong
        except OSError as error:
            where = self._directory
            raise Fail("file-unwritable", f"cannot write in '{where}': {error.strerror}", Directory=where) from None
        status, said = self._run("pull", "-q", f"oci:{_PLACE}")
        found = _ID.findall(said)
        if status or found != [image["config"].partition(":")[2].encode()]:
            how = f"podman pull ended with status {status}" if status else "podman has another image"
            actual = ", ".join(one.decode() for one in found)[:300]
            raise Fail(
                "image-not-loaded", how, Runtime="podman", Expected=image["config"], Actual=actual, Said=runtimes.last(said)
            )
        self.image = image["config"]
        # Where another release gives it no name there is none to take away.
        self._run("untag", self.image, f"localhost{_PLACE}:latest")
        return []

    def _run(self, *words: str) -> tuple[int, bytes]:
        """(its status, what it said); the directory is its standard input."""
        said = os.memfd_create("said", os.MFD_CLOEXEC)
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._process = runtimes.spawn([self.program, *words], directory, said)
            _, status = os.waitpid(self._process, 0)
            self._process = 0
            return os.waitstatus_to_exitcode(status), runtimes.read_said(said)
        finally:
            os.close(directory)
            os.close(said)
