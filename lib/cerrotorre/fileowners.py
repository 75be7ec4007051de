"""Owners, modes, times and extended attributes of what a layer brings: as root, and as anybody else (spec/unpacking.adoc, "Owners")."""

import errno
import os

from cerrotorre.layertar import DIRECTORY, FILE, SYMLINK, Entry
from cerrotorre.typed import Any

_ROOTLESS = b"user.rootlesscontainers"
# They would make an overlay mount of the directory show something else than what is there.
_OVERLAY = (b"trusted.overlay.", b"user.overlay.")
_ACL = b"system.posix_acl_"
_ROOTS = (b"user.", b"trusted.", _ACL)
_UNSUPPORTED = (errno.EOPNOTSUPP, errno.EPERM)


class Root:
    """Everything as the entry has it. Raises OSError where that cannot be."""

    devices = True

    def __init__(self) -> None:
        # What could not be as it is in the image: how many of each.
        self.lost = {"devices": 0, "owners": 0, "attributes": 0}
        # Whether a directory may hand an access list down to what is made in it.
        self._inherited = False

    def descriptor(self, fd: int, entry: Entry) -> None:
        """Owner and attributes of a file or directory that is open. Its mode comes later: it may forbid the latter."""
        if self._inherited:
            for name in (b"access", b"default"):
                _without(fd, _ACL + name)
        # The kernel takes set-user-ID bits and capabilities away when an owner changes.
        self._give(fd, entry)
        for name, value in self._attributes(entry):
            self._inherited |= name == _ACL + b"default"
            _set(fd, name, value)

    def name(self, parent: int, name: bytes, entry: Entry) -> None:
        """Owner, mode, attributes and time of what cannot be opened: a symbolic link, a device, a FIFO."""
        self._give(name, entry, dir_fd=parent, follow_symlinks=False)
        if entry.kind != SYMLINK:
            os.chmod(name, entry.mode, dir_fd=parent)
        for key, value in self._attributes(entry):
            # There is no other way to set one of a name without following it.
            _set(b"/proc/self/fd/%d/%b" % (parent, name), key, value, follow_symlinks=False)
        os.utime(name, ns=(entry.mtime, entry.mtime), dir_fd=parent, follow_symlinks=False)

    def _give(self, place: int | bytes, entry: Entry, **where: Any) -> None:
        owner = self._owner(entry)
        try:
            os.chown(place, *owner, **where)
        except OSError as error:
            raise OSError(error.errno, f"owner {owner[0]}:{owner[1]}: {error.strerror}") from None

    def _owner(self, entry: Entry) -> tuple[int, int]:
        return entry.uid, entry.gid

    def _attributes(self, entry: Entry) -> list[tuple[bytes, bytes]]:
        if not entry.xattrs:
            return []
        users = entry.kind in (FILE, DIRECTORY)
        return [
            (name, value)
            for name, value in sorted(entry.xattrs.items())
            if (name == b"security.capability" or name.startswith(_ROOTS))
            and not name.startswith(_OVERLAY)
            and name != _ROOTLESS
            and (users or not name.startswith(b"user."))
        ]


class Mapped(Root):
    """Everything belongs to the caller; what owner it has in the image is written beside it, as `umoci unpack --rootless` does."""

    devices = False

    def descriptor(self, fd: int, entry: Entry) -> None:
        super().descriptor(fd, entry)
        if entry.uid or entry.gid:
            try:
                os.setxattr(fd, _ROOTLESS, _resource(entry.uid, entry.gid))
            except OSError as error:
                if error.errno not in _UNSUPPORTED:
                    raise
                self.lost["owners"] += 1

    def name(self, parent: int, name: bytes, entry: Entry) -> None:
        super().name(parent, name, entry)
        self.lost["owners"] += bool(entry.uid or entry.gid)

    def _owner(self, entry: Entry) -> tuple[int, int]:  # noqa: ARG002
        # The group too: a directory with the set-group-ID bit gives its own.
        return -1, os.getegid()

    def _attributes(self, entry: Entry) -> list[tuple[bytes, bytes]]:
        whole = super()._attributes(entry)
        kept = [(name, value) for name, value in whole if name.startswith(b"user.")]
        self.lost["attributes"] += len(whole) - len(kept)
        return kept


def _set(place: int | bytes, name: bytes, value: bytes, **where: Any) -> None:
    try:
        os.setxattr(place, name, value, **where)
    except OSError as error:
        raise OSError(error.errno, f"attribute '{name.decode(errors='backslashreplace')}': {error.strerror}") from None


def _resource(uid: int, gid: int) -> bytes:
    """The message of rootlesscontainers.proto: two uint32, `uid` and `gid`, 4294967295 for one that stays 0."""
    return b"\x08" + _varint(uid or 0xFFFFFFFF) + b"\x10" + _varint(gid or 0xFFFFFFFF)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def clear(fd: int) -> None:
    """Take all extended attributes that may be taken from a directory: it gets those of another entry."""
    for name in _listed(fd):
        if not name.startswith(b"security.") or name == b"security.capability":
            _without(fd, name)


def _listed(fd: int) -> list[bytes]:
    try:
        return [os.fsencode(name) for name in os.listxattr(fd)]
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return []
        raise


def _without(fd: int, name: bytes) -> None:
    try:
        os.removexattr(fd, name)
    except OSError as error:
        if error.errno not in (errno.ENODATA, errno.EOPNOTSUPP):
            raise
