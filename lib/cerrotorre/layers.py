"""Layers applied to a directory: whiteouts first, then every entry in its order (spec/unpacking.adoc, "What an entry does", "Whiteouts").

Whiteouts are about the layers below alone, wherever they stand, so a layer is gone through for them before anything of it is there.
That takes no memory for what a layer brought, which its whiteouts may not touch.
"""

import os
import stat
from collections.abc import Callable

from cerrotorre import fileowners, roottree
from cerrotorre.content import write_all
from cerrotorre.errors import Fail
from cerrotorre.layertar import BLOCKS, CHARACTER, DIRECTORY, FIFO, FILE, LINK, SYMLINK, Entry, Layer
from cerrotorre.roottree import Directory, Path, shown
from cerrotorre.typed import Any

_WHITEOUT, _META, _OPAQUE = b".wh.", b".wh..wh.", b".wh..wh..opq"
# NAME_MAX.
_MAX_PART = 255
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY
_SPECIAL = {CHARACTER: stat.S_IFCHR, BLOCKS: stat.S_IFBLK, FIFO: stat.S_IFIFO}


class Root:
    """The root file system in the directory `fd`; `aside` is an empty directory beside it, in which what is to go is taken apart."""

    def __init__(self, fd: int, aside: int, owners: fileowners.Root) -> None:
        self.owners = owners
        self._aside = aside
        self.tree = roottree.Tree(fd, self._implied)
        fileowners.clear(fd)
        self._described(self.tree.directory((), fresh=False), _unsaid())

    def _described(self, held: Directory, entry: Entry) -> None:
        """A directory as its entry says. Mode and time come when it is closed: things will be made in it."""
        self.owners.descriptor(held.fd, entry)
        held.mode, held.mtime, held.changed = entry.mode, entry.mtime, True

    def _implied(self, held: Directory) -> None:
        self._described(held, _unsaid())

    # -- whiteouts ---------------------------------------------------------------------------------------------------------

    def white_out(self, layer: Layer) -> None:
        """Remove what the layer's whiteouts say, and what is no directory where it has one. Raises Fail layer-*, file-unwritable."""
        for entry in layer:
            path, kind = _placed(entry)
            try:
                if kind == "opaque":
                    self._empty(path)
                elif kind == "whiteout":
                    self._remove((*path[:-1], path[-1][len(_WHITEOUT) :]))
                elif kind == "entry" and entry.kind == DIRECTORY and path:
                    # A whiteout in it is not one in what a link of that name leads to.
                    self._remove(path, directories=False)
            except NotADirectoryError:
                # Nothing of that name can be there.
                continue
            except OSError as error:
                raise _unwritable(entry, error) from None

    def _remove(self, path: Path, *, directories: bool = True) -> None:
        found = self.tree.parent(path, create=False)
        if found is None:
            return
        here, held = found
        try:
            mode = os.stat(path[-1], dir_fd=held.fd, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return
        if directories or not stat.S_ISDIR(mode):
            self._clear(here, held, path[-1])

    def _empty(self, path: Path) -> None:
        found = self.tree.parent(path, create=False)
        if found is None:
            return
        here, held = found
        while batch := list(zip(range(10000), roottree.names(held.fd), strict=False)):
            for _, name in batch:
                self._clear(here, held, name)

    def _clear(self, here: Path, held: Directory, name: bytes) -> None:
        self.tree.forget((*here, name))
        held.changed = True
        roottree.remove(held.fd, name, self._aside)

    # -- entries -----------------------------------------------------------------------------------------------------------

    def extract(self, layer: Layer) -> None:
        """Make what the layer has. Raises Fail layer-*, file-unwritable."""
        for entry in layer:
            path, kind = _placed(entry)
            if kind != "entry":
                continue
            try:
                if not path:
                    self._root(entry)
                elif entry.kind == DIRECTORY:
                    self._directory(path, entry)
                elif entry.kind == LINK:
                    self._link(path, entry)
                else:
                    self._new(path, entry, layer)
            except OSError as error:
                raise _unwritable(entry, error) from None

    def _parent(self, path: Path) -> tuple[Path, Directory]:
        found = self.tree.parent(path, create=True)
        # It was made.
        assert found is not None  # noqa: S101
        found[1].changed = True
        return found

    def _root(self, entry: Entry) -> None:
        if entry.kind != DIRECTORY:
            raise Fail("layer-malformed", "the root is an entry that is no directory", Entry=shown(entry.name))
        held = self.tree.directory((), fresh=False)
        fileowners.clear(held.fd)
        self._described(held, entry)

    def _directory(self, path: Path, entry: Entry) -> None:
        here, held = self._parent(path)
        name, fresh = path[-1], True
        try:
            os.mkdir(name, 0o700, dir_fd=held.fd)
        except FileExistsError:
            fresh = not stat.S_ISDIR(os.stat(name, dir_fd=held.fd, follow_symlinks=False).st_mode)
            if fresh:
                os.unlink(name, dir_fd=held.fd)
                os.mkdir(name, 0o700, dir_fd=held.fd)
        below = self.tree.directory((*here, name), fresh=fresh)
        if not fresh:
            fileowners.clear(below.fd)
        self._described(below, entry)

    def _link(self, path: Path, entry: Entry) -> None:
        wanted = _split(entry.link)
        found = self._target(wanted) if wanted else None
        if found is None:
            raise Fail(
                "layer-malformed", "a hard link to nothing, or to a directory", Entry=shown(path), Target=shown(entry.link)
            )
        # The directory may be closed while that of the new name is looked for.
        source = os.dup(found[1].fd)
        try:
            here, held = self._parent(path)
            if (here, path[-1]) == (found[0], wanted[-1]):
                raise Fail("layer-malformed", "a hard link to itself", Entry=shown(path))
            self._place(here, held, path[-1], lambda: _hard_link(source, wanted[-1], held.fd, path[-1]))
        finally:
            os.close(source)

    def _target(self, path: Path) -> tuple[Path, Directory] | None:
        """The directory in which a hard link's target is; None if there is no such target."""
        try:
            found = self.tree.parent(path, create=False)
            if found is None or stat.S_ISDIR(os.stat(path[-1], dir_fd=found[1].fd, follow_symlinks=False).st_mode):
                return None
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found

    def _new(self, path: Path, entry: Entry, layer: Layer) -> None:
        here, held = self._parent(path)
        name = path[-1]
        device = entry.kind in (CHARACTER, BLOCKS)
        if device and not self.owners.devices:
            self.owners.lost["devices"] += 1
        if entry.kind == SYMLINK:
            self._place(here, held, name, lambda: os.symlink(entry.link, name, dir_fd=held.fd))
            self.owners.name(held.fd, name, entry)
        elif entry.kind == FIFO or (device and self.owners.devices):
            kind, number = _SPECIAL[entry.kind], os.makedev(*entry.device)
            self._place(here, held, name, lambda: os.mknod(name, kind | 0o600, number, dir_fd=held.fd))
            self.owners.name(held.fd, name, entry)
        else:
            # What may not be a device is an empty file.
            entry.kind = FILE
            fd = self._place(here, held, name, lambda: os.open(name, _CREATE, 0o600, dir_fd=held.fd))
            try:
                for part in layer.data():
                    write_all(fd, part)
                self.owners.descriptor(fd, entry)
                os.fchmod(fd, entry.mode)
                os.utime(fd, ns=(entry.mtime, entry.mtime))
            finally:
                os.close(fd)

    def _place(self, here: Path, held: Directory, name: bytes, make: Callable[[], Any]) -> Any:
        """Make something new of that name, in the place of whatever is there."""
        try:
            return make()
        except FileExistsError:
            self._clear(here, held, name)
            return make()


def _hard_link(source: int, target: bytes, parent: int, name: bytes) -> None:
    os.link(target, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)


def _unsaid() -> Entry:
    """What a directory is like of which no entry says anything."""
    entry = Entry()
    entry.kind, entry.mode = DIRECTORY, 0o755
    return entry


def _split(name: bytes) -> Path:
    """The parts of a name or of a hard link's target. Raises Fail layer-unsafe, layer-malformed."""
    path = tuple(part for part in name.split(b"/") if part not in (b"", b"."))
    if b".." in path:
        raise Fail("layer-unsafe", "a name leads upwards", Entry=shown(name))
    if any(len(part) > _MAX_PART for part in path):
        raise Fail("layer-malformed", f"a part of a name is longer than {_MAX_PART} bytes", Entry=shown(name))
    return path


def _placed(entry: Entry) -> tuple[Path, str]:
    """(the parts of its name, "entry", "whiteout", "opaque" or, for what AUFS left behind, "ignored"). Raises Fail layer-*."""
    path = _split(entry.name)
    # Hardly any name has it.
    if b".wh." not in entry.name or not path:
        return path, "entry"
    if any(part.startswith(_META) for part in path[:-1]):
        return path, "ignored"
    if any(part.startswith(_WHITEOUT) for part in path[:-1]):
        raise Fail("layer-malformed", "something is below a whiteout", Entry=shown(path))
    base = path[-1]
    if base in (b".wh.", b".wh..", b".wh..."):
        raise Fail("layer-unsafe", "a whiteout of nothing, of a directory itself or of the one above it", Entry=shown(path))
    if not base.startswith(_WHITEOUT):
        return path, "entry"
    if base.startswith(_META) and base != _OPAQUE:
        return path, "ignored"
    # AUFS had whiteouts that are names of one file.
    if entry.kind not in (FILE, LINK):
        raise Fail("layer-malformed", "a whiteout that is not a plain file", Entry=shown(path))
    return path, "opaque" if base == _OPAQUE else "whiteout"


def _unwritable(entry: Entry, error: OSError) -> Fail:
    name = shown(entry.name)
    return Fail("file-unwritable", f"'{name}' of the layer: {error.strerror}", Entry=name)
