"""Signing by a command of the user's own: a security token, a key service, an agent (ct-sign(1), --exec; decision 0024).

The bytes to sign go to its standard input, the raw signature comes from its standard output, once for each component of the key.
"""

import os
import subprocess

from cerrotorre import interrupt, keystore, suites
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

# Far more than any signature: whoever prints more prints something else.
LIMIT = 64 << 10
# Seconds that an interrupted command has to end.
GRACE = 5
# What the recipes say to the tools, and is nobody else's.
_OURS = ("CT_STATUS_FD", "CT_PID")


def key(name: str | None, command: str) -> dict[str, Any]:
    """A key as keystore.signing_key gives it, with the command in place of the seeds. Raises Fail as keystore.public_key."""
    return keystore.public_key(name) | {"command": command}


def sign(key: dict[str, Any], message: bytes) -> list[bytes]:
    """One signature over the message per component, in suite order, each verified. Raises Fail signer-failed."""
    made = []
    algorithms = suites.components(key["suite_id"])
    for number, (algorithm, public) in enumerate(zip(algorithms, key["publics"], strict=True)):
        fingerprint = key["components"][number]
        environment = {name: value for name, value in os.environ.items() if name not in _OURS} | {
            "CT_KEY": key["key_id"],
            "CT_SUITE": key["suite_id"],
            "CT_COMPONENT": algorithm,
            "CT_COMPONENT_NUMBER": str(number + 1),
            "CT_COMPONENT_FINGERPRINT": fingerprint,
        }
        about = {"Signer": key["key_id"], "Component": algorithm, "Fingerprint": fingerprint}
        signature, status = _ask(key["command"], environment, message)
        if status:
            how = f"ended with status {status}" if status > 0 else f"was ended by signal {-status}"
            raise Fail("signer-failed", f"the command {how}", **about)
        if not suites.verify(algorithm, public, message, signature):
            what = f"{len(signature)} bytes" if len(signature) <= LIMIT else f"more than {LIMIT} bytes"
            raise Fail(
                "signer-failed", f"what the command printed, {what}, is no raw {algorithm} signature by this key", **about
            )
        made.append(signature)
    return made


def _ask(command: str, environment: dict[str, str], message: bytes) -> tuple[bytes, int]:
    """(what the command printed, at most LIMIT + 1 bytes of it, and how it ended).

    It has all the time it needs: somebody may have to touch a token. Whatever ends this process ends it.
    """
    # A file, though without a name: programs that ask how much there is to sign can tell (openssl-pkeyutl(1), "-rawin").
    fd = os.memfd_create("to-sign", os.MFD_CLOEXEC)
    out, written = os.pipe()
    with open(out, "rb") as output:
        try:
            with open(fd, "wb", closefd=False) as file:
                file.write(message)
            os.lseek(fd, 0, os.SEEK_SET)
            # The user's own command line, which nothing is put into, and as the user's own shell would run it.
            child = subprocess.Popen(
                ["/bin/sh", "-c", command],
                stdin=fd,
                stdout=written,
                env=environment,
                preexec_fn=interrupt.ending_with(os.getpid()),
            )
        finally:
            os.close(fd)
            os.close(written)
        try:
            data = output.read(LIMIT + 1)
            if len(data) <= LIMIT:
                return data, child.wait()
            interrupt.end(child, GRACE)
            return data, 0
        except BaseException:
            interrupt.end(child, GRACE)
            raise
