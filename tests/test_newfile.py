"""Files that appear whole or not at all, also where the file system has neither unnamed files nor links (FAT)."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(params=["unnamed", "named", "no links"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the file system can do."""
    real: Callable[..., int] = os.open

    def plain_open(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "no unnamed files")
        return real(path, flags, *rest, **more)

    def no_link(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, "no links")

    if request.param != "unnamed":
        monkeypatch.setattr(os, "open", plain_open)
    if request.param == "no links":
        monkeypatch.setattr(os, "link", no_link)
    return str(request.param)


def write(path: Path, data: bytes, **more: bool) -> None:
    from cerrotorre.newfile import NewFile

    with NewFile(str(path)) as new:
        os.write(new.fd, data)
        new.commit(**more)


def test_makes_and_replaces(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.ctp"
    write(path, b"one")
    path.chmod(0o600)
    write(path, b"two", sync=True)
    assert path.read_bytes() == b"two" and path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["x.ctp"]


def test_without_replacing(kind: str, tmp_path: Path) -> None:
    from cerrotorre.errors import Fail

    path = tmp_path / "one.key"
    path.write_bytes(b"old")
    with pytest.raises(Fail if kind == "no links" else FileExistsError):
        write(path, b"new", replace=False)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["one.key"]
    if kind != "no links":
        write(tmp_path / "two.key", b"new", replace=False)
        assert sorted(os.listdir(tmp_path)) == ["one.key", "two.key"]


def test_without_a_commit_nothing_is_left(kind: str, tmp_path: Path) -> None:
    from cerrotorre.newfile import NewFile

    with pytest.raises(ZeroDivisionError), NewFile(str(tmp_path / "x")):
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link away")
def test_another_user_s_link_behind_the_first_is_not_followed(tmp_path: Path) -> None:
    from cerrotorre.errors import Fail

    theirs, precious = tmp_path / "theirs", tmp_path / "precious"
    theirs.mkdir()
    precious.write_bytes(b"old")
    (theirs / "x.ctp").symlink_to(precious)
    (theirs / "way").symlink_to(tmp_path)
    (tmp_path / "one").symlink_to(theirs / "x.ctp")
    (tmp_path / "two").symlink_to(theirs / "way" / "precious")
    write(tmp_path / "one", b"mine")
    write(tmp_path / "two", b"mine too")
    os.chown(theirs, 12345, 12345)
    for name in ("x.ctp", "way"):
        os.lchown(theirs / name, 12345, 12345)
    for name in ("one", "two"):
        with pytest.raises(Fail, match="another user's symbolic link"):
            write(tmp_path / name, b"theirs")
    assert precious.read_bytes() == b"mine too"


def test_a_directory_that_cannot_be_made_to_last(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that may be written to and not read, or no descriptor left: that is known before the file has its name."""
    from cerrotorre.errors import Fail

    real: Callable[..., int] = os.open

    def unreadable(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & os.O_DIRECTORY and not flags & os.O_RDWR:
            raise OSError(errno.EACCES, "Permission denied")
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", unreadable)
    with pytest.raises(Fail, match="Permission denied"):
        write(tmp_path / "x.ctp", b"one", sync=True)
    assert os.listdir(tmp_path) == []
