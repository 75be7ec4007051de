"""What of `ct doctor` is about cryptography: does each algorithm work here, by known answers, and what does a passphrase cost."""

import os
import time

from cerrotorre import owned, privatekey, suites
from cerrotorre.diagnosis import Diagnosis
from cerrotorre.digest import sha256
from cerrotorre.doctorsetup import Setup
from cerrotorre.errors import Fail
from cerrotorre.liboqs import KNOWN as ML_DSA
from cerrotorre.typed import Any

# The public key of the seed 00 01 02 …, by its digest: made with another implementation than the one that is judged.
KNOWN = {
    "ed25519": "sha256:56475aa75463474c0285df5dbf2bcab73da651358839e9b77481b2eab107708c",
    **ML_DSA,
    "ed448": "sha256:d5c1f071b95faed7cbe490c6bc0ddda239fd903ae0c2ba98e0827c76775d312b",
}
# And the key of the passphrase `ct doctor` with the salt 00 01 …: by OpenSSL.
DERIVED = "8efcac6e82ac7c18a78e008fa118148e9724289c3a8a8c5d7654e01435269697"
_MESSAGE = b"ct doctor"
# Seconds that deriving a key from a passphrase may take: less is cheap to guess by, more is tiresome.
FAST, SLOW = 0.1, 5.0
# KiB that are left to everything else.
SLACK = 64 << 10


def works(algorithm: str, setup: Setup, say: Diagnosis) -> str:
    """A key, a signature and two forgeries, by the smallest suite that the algorithm is the last component of."""
    suite_id = min(
        (name for name, parts in suites.SUITES.items() if parts[-1] == algorithm), key=lambda n: len(suites.SUITES[n])
    )
    asked = algorithm.startswith("ml-dsa") and setup.setting("crypto", "ml_dsa") == "liboqs"
    chosen = ", [crypto] ml_dsa is liboqs" if asked else ""
    try:
        parts = suites.components(suite_id)
        at = parts.index(algorithm)
        # Every seed of a suite is as long as its algorithm's.
        seeds = [bytes(range(suites.SEED_SIZE[part])) for part in parts]
        public = bytes(suites.publics(suite_id, seeds)[at])
        signature = bytes(suites.sign(suite_id, seeds, _MESSAGE)[at])
        genuine = suites.verify(algorithm, public, _MESSAGE, signature)
        forged = bytes([signature[0] ^ 1]) + signature[1:]
        fooled = suites.verify(algorithm, public, _MESSAGE + b".", signature) or suites.verify(
            algorithm, public, _MESSAGE, forged
        )
    except Fail as fail:
        # Every bundle of today needs Ed25519; of the others the user may never see one, unless a setting asks for it.
        if fail.finding["finding"] != "suite-unavailable":
            raise
        uses = ", ".join(name for name, its in suites.SUITES.items() if algorithm in its)
        say.fault(fail, warn=algorithm != "ed25519" and not asked)
        return f"no backend, so {uses} cannot be made or checked{chosen}"
    if sha256(public) != KNOWN[algorithm]:
        say.fail(f"{algorithm}: a known seed gives another public key than it must")
    if not genuine:
        say.fail(f"{algorithm}: a signature that was just made does not verify")
    if fooled:
        say.fail(f"{algorithm}: a forged signature verifies")
    if say.status != "pass":
        say.details[-1]["try"].append("ct -V")
    return f"{'works' if say.status == 'pass' else 'BROKEN'}: {suites.backends(suite_id)[at]}{chosen}"


def liboqs(setup: Setup, say: Diagnosis) -> str:
    path = setup.setting("crypto", "liboqs")
    if path is None:
        return "not configured"
    try:
        if not owned.check_directory(os.path.dirname(path)) or owned.read(path, 0) is None:
            raise Fail("file-unreadable", f"[crypto] liboqs: there is no '{path}'", File=path)
    except Fail as fail:
        say.fault(fail, *([] if fail.finding["finding"] == "store-unsafe" else ["ct config unset crypto.liboqs"]))
    used = "used for ML-DSA" if setup.setting("crypto", "ml_dsa") == "liboqs" else "not used: [crypto] ml_dsa is auto"
    return f"{path}, {used}"


def argon2(_: Setup, say: Diagnosis) -> str:
    """What opening an encrypted key costs here: one derivation of the profile that new keys get, its answer known."""
    from argon2.low_level import Type, hash_secret_raw

    cost = privatekey.PROFILES["interactive"]
    free = memory()
    needed = f"{cost['m'] >> 10} MiB"
    if free is not None and free < cost["m"] + SLACK:
        say.warn(f"{free >> 10} MiB of memory are free, and opening an encrypted key needs {needed}")
        return f"not measured: {needed} would not fit"
    begun = time.monotonic()
    derived = hash_secret_raw(_MESSAGE, bytes(range(16)), cost["t"], cost["m"], cost["p"], 32, Type.ID, 19)
    took = time.monotonic() - begun
    if derived.hex() != DERIVED:
        say.fail("argon2id: a known passphrase gives another key than it must", "ct -V")
    if took < FAST:
        said = f"a passphrase can be tried every {took:.2f} s here: a costlier profile suits this machine"
        say.warn(said, "ct keygen --profile moderate")
    elif took > SLOW:
        say.warn(f"opening an encrypted key takes {took:.1f} s here")
    return f"opening an encrypted key takes {took:.1f} s and {needed}"


def memory() -> int | None:
    """KiB that a process can still get, by /proc/meminfo, its control group and its limits; None if that cannot be said."""
    found = []
    for line in _text("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            found.append(int(line.split()[1]))
    limit, used = _text("/sys/fs/cgroup/memory.max").strip(), _text("/sys/fs/cgroup/memory.current").strip()
    if limit.isdecimal() and used.isdecimal():
        found.append(max(int(limit) - int(used), 0) >> 10)
    import resource

    soft: Any = resource.getrlimit(resource.RLIMIT_AS)[0]
    if soft != resource.RLIM_INFINITY:
        found.append(max(soft - _size(), 0) >> 10)
    return min(found, default=None)


def _size() -> int:
    pages = _text("/proc/self/statm").split()
    return int(pages[0]) * os.sysconf("SC_PAGE_SIZE") if pages else 0


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read(64 << 10)
    except (OSError, ValueError):
        return ""
