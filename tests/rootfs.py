"""Root file systems for the tests: layers made entry by entry, what lies in a directory, and work done as somebody else."""

import hashlib
import io
import json
import os
import stat
import tarfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import images

CAPABILITY = b"\x01\x00\x00\x02\x00\x20" + bytes(14)
# Nobody's, in every distribution.
NOBODY = 65534
TYPES = {"file": b"0", "link": b"1", "symlink": b"2", "char": b"3", "block": b"4", "dir": b"5", "fifo": b"6"}
MODES = {"dir": 0o755, "symlink": 0o777}


def layer(*entries: tuple[Any, ...]) -> bytes:
    """A tar of (type, name, {"data", "mode", "uid", "gid", "mtime", "link", "dev", "xattrs"})."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for kind, name, *rest in entries:
            said: dict[str, Any] = rest[0] if rest else {}
            member = tarfile.TarInfo(name)
            data = said.get("data", b"")
            member.type, member.size, member.mode = TYPES[kind], len(data), said.get("mode", MODES.get(kind, 0o644))
            member.uid, member.gid, member.mtime = said.get("uid", 0), said.get("gid", 0), said.get("mtime", 1500000000)
            member.linkname = said.get("link", "")
            member.devmajor, member.devminor = said.get("dev", (0, 0))
            member.pax_headers = {
                f"SCHILY.xattr.{key}": value.decode("utf-8", "surrogateescape") for key, value in said.get("xattrs", {}).items()
            }
            archive.addfile(member, io.BytesIO(data))
    return made.getvalue()


def image(
    to: images.Layout, layers: list[bytes], media_type: str = images.GZIP, ids: list[str] | None = None, **more: Any
) -> Any:
    """The descriptor of the image with these layers; `ids` if the diff_ids are others than theirs."""
    found = [to.blob(images.PACKED[media_type](data), media_type) for data in layers]
    ids = ids or ["sha256:" + hashlib.sha256(data).hexdigest() for data in layers]
    return to.manifest(to.config(ids, **more), found)


def listing(top: Path) -> dict[str, dict[str, Any]]:
    """All that is below a directory, and itself as ".": {name: type, mode, owner, mtime, size, digest, target, device, xattrs, links}."""
    found: dict[str, dict[str, Any]] = {}
    names: dict[int, list[str]] = {}
    for directory, below, files in os.walk(top):
        for name in [*([""] if Path(directory) == top else []), *below, *files]:
            path = os.path.join(directory, name)
            shown, info = os.path.relpath(path, top), os.lstat(path)
            one: dict[str, Any] = {"type": stat.S_IFMT(info.st_mode), "mode": oct(stat.S_IMODE(info.st_mode))}
            one |= {"uid": info.st_uid, "gid": info.st_gid, "mtime": info.st_mtime_ns}
            one["xattrs"] = {
                key: os.getxattr(path, key, follow_symlinks=False).hex()
                for key in os.listxattr(path, follow_symlinks=False)
                if key != "security.selinux"
            }
            if stat.S_ISREG(info.st_mode):
                # Nobody but root reads all that there may be.
                data = Path(path).read_bytes() if os.access(path, os.R_OK) else b"?"
                one |= {"size": info.st_size, "digest": hashlib.sha256(data).hexdigest()}
            elif stat.S_ISLNK(info.st_mode):
                one["target"] = os.readlink(path)
            elif stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode):
                one["device"] = info.st_rdev
            if not stat.S_ISDIR(info.st_mode) and info.st_nlink > 1:
                names.setdefault(info.st_ino, []).append(shown)
            found[shown] = one
    for group in names.values():
        for shown in group:
            found[shown]["links"] = sorted(group)
    return found


def differences(one: dict[str, Any], other: dict[str, Any], *without: tuple[str, str]) -> list[str]:
    """What differs between two listings, but for the (name, fact) of `without`, whose name may be "*"."""
    found = []
    for name in sorted(one.keys() | other.keys()):
        here, there = one.get(name, {}), other.get(name, {})
        for fact in sorted(here.keys() | there.keys()):
            if here.get(fact) != there.get(fact) and not {(name, fact), ("*", fact)} & set(without):
                found.append(f"{name}: {fact}: {here.get(fact)} and {there.get(fact)}")
    return found


def as_user(uid: int | None, work: Callable[[], Any]) -> Any:
    """What `work` returns, as JSON can say it, when it runs as this user, in a group of the same number (None: as we are)."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.umask(0o077)
            if uid is not None:
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)
            said = json.dumps(work()).encode()
            with os.fdopen(writing, "wb") as out:
                out.write(said)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    return json.loads(said)
