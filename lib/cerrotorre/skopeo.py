"""Running skopeo: given the least, never left behind, and its words taken apart."""

import json
import os
import re
import subprocess

from cerrotorre import interrupt, owned
from cerrotorre.errors import Fail

MAX_WORDS = 2000
# Seconds between two looks at what it has written, and that it is given to end when told to.
LOOK, GRACE = 0.2, 10
_CREDENTIALS = re.compile(r"\b(Basic|Bearer)\s+\S+")
_FULL = ("no space left on device", "disk quota exceeded")
# Which roots TLS is checked against, and how, is the host's to say (/etc/ssl, /etc/containers/certs.d), not the environment's.
_LOOSENING = ("SSL_CERT_FILE", "SSL_CERT_DIR", "GODEBUG")


def run(
    arguments: list[str],
    subject: str,
    directory: str,
    *,
    most: tuple[int, Fail] | None = None,
    cwd: str | None = None,
) -> bytes:
    """Run skopeo: what it printed. Its temporary files go into `directory`.

    It is ended when `directory` has grown by more than `most` bytes, which raises the Fail beside them. Raises Fail tool-missing,
    file-unwritable for a full disk, else image-unavailable.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _LOOSENING}
    # It copies archives there, which would fill /var/tmp, and would stay there if it were killed.
    environment["TMPDIR"] = directory
    # Before it begins: it may have written much by the first look.
    first = owned.written(directory) if most else 0
    try:
        with subprocess.Popen(
            ["skopeo", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=cwd,
            preexec_fn=interrupt.ending_with(os.getpid()),
        ) as child:
            try:
                out, words = child.communicate() if most is None else _watch(child, directory, first, *most)
            except BaseException:
                # It must be gone before its directory is.
                interrupt.end(child, GRACE)
                raise
    except FileNotFoundError:
        raise Fail("tool-missing", "skopeo is not installed", Program="skopeo", Needed_for=subject) from None
    if child.returncode:
        said = [_message(line) for line in words.decode("utf-8", "replace").strip().splitlines()]
        # A daemon may repeat what it was told; and the private directory is nobody's concern, and will be gone.
        last = _CREDENTIALS.sub(r"\1 [left out]", (said or ["nothing was said"])[-1])
        last = last.replace(f"{directory}/", "").replace(directory, "").strip()[:MAX_WORDS]
        if any(word in last for word in _FULL):
            raise Fail("file-unwritable", f"no room for {subject} in '{directory}'", Directory=directory, Skopeo=last)
        raise Fail("image-unavailable", f"skopeo could not get {subject}", Reference=subject, Skopeo=last)
    return out


def _watch(child: "subprocess.Popen[bytes]", directory: str, first: int, most: int, excess: Fail) -> tuple[bytes, bytes]:
    while True:
        try:
            return child.communicate(timeout=LOOK)
        except subprocess.TimeoutExpired:
            if owned.written(directory) - first > most:
                raise excess from None


def _message(line: str) -> str:
    """What a log line says: time="…" level=fatal msg="…"."""
    quoted = re.search(r'msg=("(?:[^"\\]|\\.)*")', line)
    try:
        return str(json.loads(quoted[1])) if quoted else line
    except ValueError:
        return line
