"""What is carried across the gap in the rehearsal: ten images of Debian's busybox and a root file system of Debian, in one archive.

Each is made by umoci, layer by layer, and shares layers with others: eight have busybox and a layer of their own, one busybox alone,
one Debian with busybox's layer above it.
"""

import subprocess
import tarfile
from pathlib import Path

from conftest import BUILD, program
from processes import PATIENCE

CT = BUILD / "bin" / "ct"
# What the packages below a root file system without apt are; for where no mirror can be reached.
INSTALLED = ("base-files", "libc6", "libc-bin", "dash", "coreutils", "debianutils", "libselinux1", "libpcre2-8-0", "libacl1", "libattr1", "libgmp10")  # fmt: skip


def bundles(directory: Path, env: dict[str, str]) -> tuple[list[Path], str]:
    """(the ten bundles, signed by `packer`; how the root file system came about)."""

    def run(*words: object) -> None:
        made = subprocess.run([str(word) for word in words], cwd=directory, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)  # fmt: skip
        assert made.returncode == 0, (words, made.stdout, made.stderr)

    layout, umoci = directory / "images", program("umoci")
    how = _root(directory / "debian.tar", env)
    _busybox(directory / "base.tar")
    run(umoci, "init", "--layout", layout)
    for tag, layers in {"base": ["base.tar"], "debian": ["debian.tar", "base.tar"]}.items():
        run(umoci, "new", "--image", f"{layout}:{tag}")
        for layer in layers:
            run(umoci, "raw", "add-layer", "--image", f"{layout}:{tag}", directory / layer)
    tags = ["base", "debian"]
    for number in range(1, 9):
        tags.append(f"v{number}")
        run(umoci, "tag", "--image", f"{layout}:base", tags[-1])
        (directory / "variant").write_text(f"variant {number}\n")
        run(umoci, "insert", "--image", f"{layout}:{tags[-1]}", directory / "variant", "/etc/variant")
    made = []
    for tag in tags:
        made.append(directory / f"{tag}.ctp")
        run(CT, "pack", "-q", "--name", tag, "--version", "1", "-o", made[-1], f"oci:{layout}:{tag}")
    return made, how


def _busybox(tar: Path) -> None:
    busybox = Path(program("busybox"))
    names = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True, timeout=PATIENCE).stdout.split()
    with tarfile.open(tar, "w") as file:
        file.add(busybox, "bin/busybox")
        for name in names:
            if name != "busybox":
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                file.addfile(link)


def _root(tar: Path, env: dict[str, str]) -> str:
    """A root file system of Debian: by mmdebstrap from a mirror, else the files of packages that are installed here."""
    words = [program("mmdebstrap"), "--variant=extract", "--include=base-files,dash,coreutils", "--quiet", "bookworm", tar]
    try:
        if subprocess.run(words, env=env, capture_output=True, check=False, timeout=25).returncode == 0:
            return "mmdebstrap, from a mirror"
    except subprocess.TimeoutExpired:
        pass
    tar.unlink(missing_ok=True)
    listed = subprocess.run(["dpkg", "-L", *INSTALLED], capture_output=True, text=True, check=False, timeout=PATIENCE).stdout
    with tarfile.open(tar, "w") as file:
        for link in ("bin", "lib", "lib64", "sbin"):
            if Path("/", link).is_symlink():
                file.add(f"/{link}", link, recursive=False)
        for name in dict.fromkeys(listed.splitlines()):
            path = Path(name)
            # What dpkg lists below /bin lies in /usr/bin where the two are one.
            real = path.parent.resolve() / path.name
            if name.startswith("/") and name != "/." and real.exists() and "/doc/" not in name and "/man/" not in name:
                file.add(real, str(real)[1:], recursive=False)
    return "the files of installed packages, for no mirror could be reached"
