"""Running skopeo: given the least, never left behind, and its words taken apart."""

import json
import os
import re
import signal
import subprocess

from cerrotorre.errors import Fail
from cerrotorre.typed import Any

MAX_WORDS = 2000
_FULL = ("no space left on device", "disk quota exceeded")
# Which roots TLS is checked against, and how, is the host's to say (/etc/ssl, /etc/containers/certs.d), not the environment's.
_LOOSENING = ("SSL_CERT_FILE", "SSL_CERT_DIR", "GODEBUG")


def run(arguments: list[str], subject: str, slug: str, directory: str) -> tuple[bytes, list[str]]:
    """Run skopeo: (what it printed, what it logged, a message a line). Its temporary files go into `directory`.

    Raises Fail tool-missing, file-unwritable for a full disk, else `slug`.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _LOOSENING}
    # It copies archives there, which would fill /var/tmp, and would stay there if it were killed.
    environment["TMPDIR"] = directory
    try:
        with subprocess.Popen(
            ["skopeo", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            preexec_fn=_end_with(os.getpid()),
        ) as child:
            try:
                out, words = child.communicate()
            except BaseException:
                # It must be gone before its directory is.
                child.terminate()
                child.wait()
                raise
    except FileNotFoundError:
        raise Fail("tool-missing", "skopeo is not installed", Program="skopeo", Needed_for=f"fetching {subject}") from None
    said = [_message(line) for line in words.decode("utf-8", "replace").strip().splitlines()]
    if child.returncode:
        # The private directory is nobody's concern, and will be gone.
        last = (said or ["nothing was said"])[-1].replace(f"{directory}/", "").replace(directory, "").strip()[:MAX_WORDS]
        if any(word in last for word in _FULL):
            raise Fail("file-unwritable", f"no room for {subject} in '{directory}'", Directory=directory, Skopeo=last)
        raise Fail(slug, f"skopeo could not get {subject}", Reference=subject, Skopeo=last)
    return out, said


def _message(line: str) -> str:
    """What a log line says: time="…" level=fatal msg="…"."""
    quoted = re.search(r'msg=("(?:[^"\\]|\\.)*")', line)
    try:
        return str(json.loads(quoted[1])) if quoted else line
    except ValueError:
        return line


def _end_with(parent: int) -> Any:
    """What a process calls to get SIGTERM when its parent dies."""
    # Rare, and slow to import.
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    set_death_signal = 1  # PR_SET_PDEATHSIG

    def arm() -> None:
        prctl(set_death_signal, int(signal.SIGTERM))
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    return arm
