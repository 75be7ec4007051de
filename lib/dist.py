#!/usr/bin/env python3
"""Make one archive that runs without network, pip or home: the program with its compiled dependencies, for one Python, libc and machine.

usage: dist.py VENDOR DIRECTORY

The same sources and locked dependencies give the same bytes. Every file has the time of SOURCE_DATE_EPOCH, else of the last commit.
Beside the archive lie its checksum and, if $SIGN names an Ed25519 key in PEM, a signature that openssl verifies.
"""

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import bytecode
import lay

# What pip notes of an installation, besides what the licence and the metadata say.
NOTES = {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json"}
# PEP 600 names them by the oldest glibc; these are the names from before it.
LEGACY = {"manylinux1": "2.5", "manylinux2010": "2.12", "manylinux2014": "2.17"}
PLATFORM = re.compile(r"(manylinux|musllinux)_(\d+)_(\d+)_(\w+)")


def main(dependencies: str, directory: str) -> None:
    vendor = Path(dependencies)
    made_for = needs(vendor)
    version = re.findall(r'^VERSION = "([^"]+)"$', (lay.ROOT / "lib/cerrotorre/__init__.py").read_text(), re.M)[0]
    libc = made_for["libc"].replace(" ", "")
    name = f"cerro-torre-{version}-cp{made_for['python'].replace('.', '')}-linux_{made_for['machine']}-{libc}"
    out = Path(directory)
    tree = out / name
    if out.exists():
        # Else what an earlier one left, a signature perhaps, would lie beside this one.
        shutil.rmtree(out)

    lay.lay(tree, "dist", made_for=made_for, sysconfdir=os.environ.get("SYSCONFDIR") or "/etc")
    for source in sorted(vendor.rglob("*")):
        note = source.parent.suffix == ".dist-info" and source.name in NOTES
        if source.is_file() and source.suffix != ".pyc" and not note:
            mode = 0o755 if source.stat().st_mode & 0o100 else 0o644
            lay.put(source.read_bytes(), tree / lay.LIBRARY / "vendor" / source.relative_to(vendor), mode)
    bytecode.compile_all(tree / lay.LIBRARY / "vendor")
    for text in ("LICENSE", "README.md"):
        lay.put((lay.ROOT / text).read_bytes(), tree / text)

    archive = out / f"{name}.tar.gz"
    pack(tree, archive, epoch())
    shutil.rmtree(tree)
    if key := os.environ.get("SIGN"):
        sign(archive, key)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    (out / f"{archive.name}.sha256").write_text(f"{digest}  {archive.name}\n")
    print(*sorted(str(path) for path in out.iterdir()), sep="\n")


def needs(vendor: Path) -> dict[str, str]:
    """{"python": "3.11", "machine": "x86_64", "libc": "glibc 2.34"}: what the wheels in `vendor` say they run on."""
    machines, oldest, families = set(), [(2, 5)], set()
    for wheel in sorted(vendor.glob("*.dist-info/WHEEL")):
        platforms = []
        for tag in re.findall(r"^Tag: \S+-\S+-(\S+)$", wheel.read_text(), re.M):
            for old, libc in LEGACY.items():
                tag = tag.replace(f"{old}_", f"manylinux_{libc.replace('.', '_')}_")
            platforms.append(PLATFORM.fullmatch(tag) if tag != "any" else None)
            if tag != "any" and not platforms[-1]:
                raise SystemExit(
                    f"error: {wheel.parent.name} is for {tag}: an archive can be made of manylinux or musllinux wheels only"
                )
        found = [platform for platform in platforms if platform]
        if found:
            oldest.append(min((int(platform[2]), int(platform[3])) for platform in found))
            families |= {platform[1] for platform in found}
            machines |= {platform[4] for platform in found}
    if len(machines) != 1 or len(families) != 1:
        raise SystemExit(
            f"error: the dependencies in {vendor} are not for one machine and one libc: {sorted(machines)} {sorted(families)}"
        )
    family = "glibc" if families == {"manylinux"} else "musl"
    major, minor = max(oldest) if family == "glibc" else max(oldest[1:])
    return {
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "machine": machines.pop(),
        "libc": f"{family} {major}.{minor}",
    }


def epoch() -> int:
    """SOURCE_DATE_EPOCH, else the time of the last commit, else 0: never the time of the build."""
    if said := os.environ.get("SOURCE_DATE_EPOCH"):
        if not said.isdecimal():
            raise SystemExit(f"error: SOURCE_DATE_EPOCH is not a number of seconds: {said!r}")
        return int(said)
    # Root may build what a user cloned.
    asked = ["git", "-c", "safe.directory=*", "-C", str(lay.ROOT), "log", "-1", "--no-show-signature", "--format=%ct"]
    made = (
        subprocess.run(asked, capture_output=True, text=True) if shutil.which("git") and (lay.ROOT / ".git").exists() else None
    )
    return int(made.stdout) if made and made.returncode == 0 else 0


def pack(tree: Path, archive: Path, time: int) -> None:
    """Write the tree as a ustar archive of regular files and directories: names sorted, owner 0, modes 644 and 755, one time."""
    with (
        open(archive, "wb") as file,
        gzip.GzipFile("", "wb", 6, file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for path in (tree, *sorted(tree.rglob("*"), key=lambda path: path.relative_to(tree).parts)):
            entry = tarfile.TarInfo(str(path.relative_to(tree.parent)))
            entry.mtime = time
            entry.mode = 0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644
            if path.is_dir():
                entry.type = tarfile.DIRTYPE
                tar.addfile(entry)
            else:
                entry.size = path.stat().st_size
                with open(path, "rb") as content:
                    tar.addfile(entry, content)


def sign(archive: Path, key: str) -> None:
    """Write ARCHIVE.sig, the 64 bytes of an Ed25519 signature over the archive. openssl asks for the password of a key that has one.

    An archive that could not be signed is removed: nobody is to take it for one that was to be without.
    """
    signature = archive.with_name(archive.name + ".sig")
    asked = ["openssl", "pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", str(archive), "-out", str(signature)]
    made = subprocess.run(asked) if shutil.which("openssl") else None
    if not made or made.returncode or signature.stat().st_size != 64:
        signature.unlink(missing_ok=True)
        archive.unlink()
        raise SystemExit(
            f"error: {archive.name} was not signed with {key}\n"
            "hint: SIGN= takes an Ed25519 key in PEM (PKCS#8), and needs OpenSSL 3: ct keygen --no-password or openssl genpkey -algorithm ed25519"
        )


if __name__ == "__main__":
    os.umask(0o022)
    try:
        main(*sys.argv[1:])
    except OSError as error:
        raise SystemExit(f"error: {error}") from None
