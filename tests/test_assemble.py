"""Bundles assembled from blobs at URLs: the hidden file and its journal, resumption, damage, interruptions, memory."""

import hashlib
import json
import os
import re
import resource
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from cerrotorre import assemble, jsonic, layout, partial, remote
from cerrotorre.errors import Fail
from cerrotorre.transfers import Transfers
from conftest import BUILD
from images import Layout
from processes import PATIENCE, await_, gone
from registries import Fake, push_layout

CT = BUILD / "bin" / "ct"
MIB = 1 << 20


def noise(size, seed):
    return hashlib.shake_128(seed).digest(size)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """A layout with two layers, of 3 MiB and a bit each, that are not zeros."""
    made = Layout(tmp_path_factory.mktemp("assemble") / "image")
    layers = [made.blob(noise(3 * MIB + 77, seed), "application/vnd.oci.image.layer.v1.tar") for seed in (b"a", b"b")]
    made.index(made.manifest(made.config([layer["digest"] for layer in layers]), layers))
    return made.directory


@pytest.fixture(scope="module")
def record(image):
    """Its record, with every blob at a URL."""
    made = subprocess.run(
        ["sh", "-c", f"'{BUILD}/bin/ct-oci2ctp' 'oci:{image}' | '{BUILD}/bin/ct-canon'"],
        capture_output=True,
        check=True,
        text=True,
    )
    record = jsonic.parse_record(made.stdout.splitlines()[0].encode(), 1 << 20)
    for entry in record["content"]:
        entry["at"] = {"url": "docker://registry.example/app", "offset": 0}
    return record


class Source:
    """Stands for the registry: what was asked for, {digest: [offset]}, and what it does wrong."""

    def __init__(self, image):
        self.image, self.asked, self.lock = Path(image), {}, threading.Lock()
        self.act = lambda entry, offset, data: data

    def chunks(self, at, entry, offset=0, *, again=False):
        with self.lock:
            self.asked.setdefault(entry["digest"], []).append(offset)
        data = (self.image / "blobs/sha256" / entry["digest"][7:]).read_bytes()[offset:]
        for begin in range(0, len(data), 1 << 16):
            yield self.act(entry, offset + begin, data[begin : begin + (1 << 16)])


@pytest.fixture
def source(image, monkeypatch):
    made = Source(image)
    monkeypatch.setattr(remote, "chunks", made.chunks)
    return made


def write(record, path, **more):
    events = []
    with Transfers(quiet=True, events=events.append) as transfers:
        wrong = assemble.write_file(record, str(path), transfers, **more)
    write.how = {event["what"]: event["how"] for event in events if event["event"] == "end"}
    return wrong


def cut(record, path, source, at=2 * MIB):
    """Write until each layer has come up to `at`, then the network fails; the layers."""
    layers = [entry for entry in record["content"] if entry["role"] == "layer"]
    both = threading.Barrier(len(layers))

    def act(entry, offset, data):
        if entry["role"] == "layer" and offset >= at:
            both.wait(PATIENCE)
            raise Fail("network", "the connection broke")
        return data

    source.act = act
    with pytest.raises(Fail, match="the connection broke") as caught:
        write(record, path)
    assert "same command again" in caught.value.finding["context"]["Kept"]
    source.act = lambda entry, offset, data: data
    source.asked.clear()
    return layers


@pytest.fixture(scope="module")
def whole(record, image, tmp_path_factory):
    """The bytes that it must be, written from files."""
    path = tmp_path_factory.mktemp("whole") / "x.ctp"
    local = {**record, "content": [dict(entry) for entry in record["content"]]}
    for entry in local["content"]:
        file = f"{image}/blobs/sha256/{entry['digest'][7:]}"
        known = assemble.layout.locate(file)[0]
        entry["at"] = {"file": file, "id": known, "offset": 0}
    assert layout.write_file(local, str(path)) == []
    return path.read_bytes()


def test_it_is_what_is_written_from_files(record, source, whole, tmp_path):
    assert write(record, tmp_path / "x.ctp") == []
    assert (tmp_path / "x.ctp").read_bytes() == whole
    assert sorted(os.listdir(tmp_path)) == ["x.ctp"] and set(write.how.values()) == {"fetched"}
    mask = os.umask(0o022)
    os.umask(mask)
    assert (tmp_path / "x.ctp").stat().st_mode & 0o777 == 0o666 & ~mask
    # What is replaced keeps its mode.
    (tmp_path / "x.ctp").write_bytes(b"")
    (tmp_path / "x.ctp").chmod(0o600)
    assert write(record, tmp_path / "x.ctp") == []
    assert (tmp_path / "x.ctp").stat().st_mode & 0o777 == 0o600


def test_it_goes_on_where_it_was(record, source, whole, tmp_path):
    layers = cut(record, tmp_path / "x.ctp", source)
    assert os.listdir(tmp_path) == [".x.ctp.part"]
    assert (tmp_path / ".x.ctp.part").stat().st_mode & 0o777 == 0o600
    assert write(record, tmp_path / "x.ctp") == []
    assert (tmp_path / "x.ctp").read_bytes() == whole and os.listdir(tmp_path) == ["x.ctp"]
    # The documents were there, and nothing of the layers came twice.
    assert source.asked == {layer["digest"]: [2 * MIB] for layer in layers}
    assert {"kept", "resumed"} == set(write.how.values())


def spoil(part, end, how, first):
    """Change a part that was cut: its journal or what it says was written. `first` is the offset of the first layer."""
    with part.open("r+b") as file:
        size = part.stat().st_size
        if how == "torn journal":
            file.truncate(size - 5)
        elif how == "no journal":
            file.truncate(end)
        elif how == "another manifest":
            file.seek(end)
            file.write(b"ct-partial 1 sha256:" + b"0" * 64)
        elif how == "says too much":
            # Everything was written.
            file.seek(end)
            data = file.read()
            file.seek(end)
            file.write(re.sub(rb"^%016x$" % (2 * MIB), b"%016x" % (3 * MIB + 77), data, flags=re.M))
        elif how == "says more than there is":
            file.seek(size - 17)
            file.write(b"f" * 16)
        elif how == "no numbers":
            file.seek(size - 17)
            file.write(b"-00000000000000z")
        elif how == "a bit":
            file.seek(first + 100)
            byte = file.read(1)
            file.seek(first + 100)
            file.write(bytes([byte[0] ^ 1]))
        elif how == "zeros":
            file.seek(0)
            file.write(bytes(end))


ANEW = {"torn journal", "no journal", "another manifest", "says more than there is", "no numbers"}


@pytest.mark.parametrize("how", sorted(ANEW | {"says too much", "a bit", "zeros"}))
def test_the_journal_is_not_believed(record, source, whole, tmp_path, how):
    layers = cut(record, tmp_path / "x.ctp", source)
    _, places, end = layout.Layout(record).plan()
    first = places[[entry["role"] for entry in record["content"]].index("layer")]
    spoil(tmp_path / ".x.ctp.part", end, how, first)
    assert write(record, tmp_path / "x.ctp") == []
    assert (tmp_path / "x.ctp").read_bytes() == whole and os.listdir(tmp_path) == ["x.ctp"]
    asked = [source.asked[layer["digest"]] for layer in layers]
    if how in ANEW:
        assert asked == [[0], [0]]
    elif how == "says too much":
        assert asked == [[0], [0]] and "kept" in write.how.values()
    elif how == "a bit":
        assert asked == [[2 * MIB, 0], [2 * MIB]]
    else:
        assert asked == [[2 * MIB, 0], [2 * MIB, 0]]


def test_damage_is_asked_for_once_more(record, source, whole, tmp_path):
    seen = []

    def once(entry, offset, data):
        if entry["role"] == "layer" and offset == 0:
            seen.append(entry["digest"])
            if seen.count(entry["digest"]) == 1:
                return b"x" + data[1:]
        return data

    source.act = once
    assert write(record, tmp_path / "x.ctp") == []
    assert (tmp_path / "x.ctp").read_bytes() == whole
    source.act = lambda entry, offset, data: b"x" + data[1:] if entry["role"] == "layer" else data
    (tmp_path / "x.ctp").unlink()
    source.asked.clear()
    wrong = write(record, tmp_path / "x.ctp")
    assert [made["finding"] for made in wrong] == ["hash-mismatch", "hash-mismatch"] and os.listdir(tmp_path) == []
    assert all(
        asked == [0, 0] for digest, asked in source.asked.items() if digest in {made["context"]["Expected"] for made in wrong}
    )


def test_what_is_no_image_is_not_fetched(record, source, tmp_path):
    source.act = lambda entry, offset, data: bytes(len(data)) if entry["role"] == "config" else data
    wrong = write(record, tmp_path / "x.ctp")
    assert [made["finding"] for made in wrong] == ["hash-mismatch"] and os.listdir(tmp_path) == []
    assert len(source.asked) == 2


@pytest.mark.parametrize("more, said", [(b"xyz", "more comes"), (None, "less comes")])
def test_the_length_counts(record, source, tmp_path, more, said):
    def act(entry, offset, data):
        last = entry["role"] == "layer" and offset + len(data) == entry["size"]
        return data if not last else data[:-1] if more is None else data + more

    source.act = act
    with pytest.raises(Fail, match=said):
        write(record, tmp_path / "x.ctp")
    assert not (tmp_path / "x.ctp").exists()


@pytest.mark.parametrize("new, slug, status", [(True, "oci-blob-absent", 10), (False, "blob-unreachable", 12)])
def test_what_is_not_there(record, source, tmp_path, monkeypatch, new, slug, status):
    def silent(content):
        raise Fail("network", "registry.example does not answer any more")

    monkeypatch.setattr("cerrotorre.origin.missing", silent)

    def act(entry, offset, data):
        if entry["role"] == "layer":
            raise remote.Absent("network", "registry.example does not have it", Registry="registry.example")
        return data

    source.act = act
    with pytest.raises(Fail) as caught:
        write(record, tmp_path / "x.ctp", new=new)
    assert (caught.value.finding["finding"], caught.value.finding["status"]) == (slug, status)
    # Documents alone are not worth keeping.
    assert os.listdir(tmp_path) == []


def test_who_cannot_be_asked_what_else_is_not_there(record, source, tmp_path, monkeypatch):
    """The first failure is the one that is told, and what stays is named."""
    layers = cut(record, tmp_path / "x.ctp", source)

    def act(entry, offset, data):
        if entry["role"] == "layer":
            raise remote.Absent("network", "registry.example does not have it", Registry="registry.example")
        return data

    def fails(_):
        raise Fail("network", "the connection broke")

    source.act = act
    monkeypatch.setattr(assemble.origin, "missing", fails)
    with pytest.raises(Fail, match="does not have it") as caught:
        write(record, tmp_path / "x.ctp")
    assert caught.value.finding["finding"] == "blob-unreachable" and len(layers) == 2
    assert "same command again" in caught.value.finding["context"]["Kept"]


@pytest.mark.parametrize("call, number", [("fsync", 1), ("fsync", 2), ("rename", 1), ("renamed", 1)])
def test_interrupted_while_it_gets_its_name(record, source, whole, tmp_path, monkeypatch, call, number):
    """It is FILE, whole, or it is gone on from; what others may write to would not be."""
    part, seen = tmp_path / ".x.ctp.part", []
    done = call.removesuffix("d")
    act = getattr(os, done)

    def interrupted(*given):
        seen.append((os.stat(part).st_mode & 0o777, os.stat(part).st_size > len(whole)) if part.exists() else None)
        if call == "renamed":
            act(*given)
        if len(seen) == number:
            raise KeyboardInterrupt
        if call != "renamed":
            act(*given)

    mask = os.umask(0o002)
    try:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt) as caught:
            patch.setattr(os, done, interrupted)
            write(record, tmp_path / "x.ctp")
        if call == "renamed":
            assert os.listdir(tmp_path) == ["x.ctp"] and (tmp_path / "x.ctp").read_bytes() == whole
            return
        assert caught.value.args == (str(part),) and os.listdir(tmp_path) == [part.name]
        # A kill where it takes long costs nothing either.
        assert call != "fsync" or seen[0] == (0o600, True)
        source.asked.clear()
        assert write(record, tmp_path / "x.ctp") == []
    finally:
        os.umask(mask)
    assert not {entry["digest"] for entry in record["content"] if entry["role"] == "layer"} & source.asked.keys()
    assert (tmp_path / "x.ctp").read_bytes() == whole and os.listdir(tmp_path) == ["x.ctp"]
    assert (tmp_path / "x.ctp").stat().st_mode & 0o777 == 0o664


def test_nobody_approves(record, source, tmp_path):
    assert write(record, tmp_path / "x.ctp", approve=lambda: False) == []
    assert os.listdir(tmp_path) == []


# -- what lies in its place ---------------------------------------------------------------------------------------------------


def planted(directory, how):
    part, other = directory / ".x.ctp.part", directory / "other"
    other.write_bytes(b"precious")
    if how == "link":
        part.symlink_to(other)
    elif how == "second name":
        part.hardlink_to(other)
    elif how == "directory":
        part.mkdir()
    elif how == "pipe":
        os.mkfifo(part, 0o600)
    elif how == "another user":
        part.write_bytes(b"")
        os.chown(part, 12345, 12345)
    elif how == "writable":
        part.write_bytes(b"")
        part.chmod(0o666)
    elif how == "somebody's file":
        part.write_bytes(b"precious")
        part.chmod(0o600)


@pytest.mark.parametrize(
    "how, said",
    [
        ("link", "symbolic link"),
        ("second name", "another name too"),
        ("directory", "directory"),
        ("pipe", "not a regular file"),
        ("another user", "another user's"),
        ("writable", "others may write"),
        ("somebody's file", "no part of a bundle"),
    ],
)
def test_what_is_planted_is_not_touched(record, source, tmp_path, how, said):
    planted(tmp_path, how)
    before = os.lstat(tmp_path / ".x.ctp.part")
    with pytest.raises(Fail, match=said) as caught:
        write(record, tmp_path / "x.ctp")
    assert caught.value.finding["finding"] == "file-unwritable" and source.asked == {}
    after = os.lstat(tmp_path / ".x.ctp.part")
    assert (after.st_ino, after.st_size, after.st_uid) == (before.st_ino, before.st_size, before.st_uid)
    assert (tmp_path / "other").read_bytes() == b"precious" and not (tmp_path / "x.ctp").exists()


def test_one_at_a_time(record, source, whole, tmp_path):
    waits, goes = threading.Event(), threading.Event()

    def act(entry, offset, data):
        waits.set()
        assert goes.wait(PATIENCE)
        return data

    source.act = act
    first = threading.Thread(target=write, args=(record, tmp_path / "x.ctp"))
    first.start()
    assert waits.wait(PATIENCE)
    with pytest.raises(Fail, match="another process is at work"):
        write(record, tmp_path / "x.ctp")
    goes.set()
    first.join(PATIENCE)
    assert (tmp_path / "x.ctp").read_bytes() == whole and os.listdir(tmp_path) == ["x.ctp"]


def test_without_locks(record, source, whole, tmp_path, monkeypatch):
    def none(fd, how):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(partial.fcntl, "flock", none)
    assert write(record, tmp_path / "x.ctp") == []
    assert (tmp_path / "x.ctp").read_bytes() == whole
    (tmp_path / "x.ctp").unlink()

    def broken(entry, offset, data):
        if offset >= 2 * MIB:
            raise Fail("network", "the connection broke")
        return data

    source.act = broken
    with pytest.raises(Fail, match="the connection broke") as caught:
        write(record, tmp_path / "x.ctp")
    assert "Kept" not in caught.value.finding["context"] and os.listdir(tmp_path) == []


def test_no_room(record, source, tmp_path):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * MIB, limit[1]))
    try:
        with pytest.raises(Fail, match="File too large") as caught:
            write(record, tmp_path / "x.ctp")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert caught.value.finding["finding"] == "file-unwritable"
    assert source.asked == {} and os.listdir(tmp_path) == []


# -- from outside ---------------------------------------------------------------------------------------------------------------

BIG = 40 * MIB


@pytest.fixture
def served(tmp_path_factory):
    """A registry in memory with an image of one layer of 40 MiB; `fake.layer` is its path, `fake.ranges_seen` what was asked of it."""
    made = Layout(tmp_path_factory.mktemp("served") / "image")
    layer = made.blob(noise(BIG, b"big"), "application/vnd.oci.image.layer.v1.tar")
    made.index(made.manifest(made.config([layer["digest"]]), [layer]))
    with Fake() as fake:
        push_layout(fake, made.directory)
        fake.layer, fake.ranges_seen = f"/v2/a/app/blobs/{layer['digest']}", []
        fake.data = fake.blobs[layer["digest"]]

        def seen(handler):
            if handler.command == "GET":
                fake.ranges_seen.append(handler.headers.get("Range"))
            return False

        fake.answers[fake.layer] = seen
        yield fake


def home_of(directory, fake):
    (directory / "home").mkdir(mode=0o700)
    (directory / "home" / "config.toml").write_text(f'[registries]\ninsecure = ["{fake.host}"]\n')
    return {"PATH": "/usr/bin:/bin", "HOME": str(directory / "home"), "CT_HOME": str(directory / "home"), "LC_ALL": "C.UTF-8"}


def pack(fake, *more):
    return [CT, "pack", "--no-sign", *more, f"{fake.host}/a/app:1", "-o", "x.ctp"]


def stall(fake, after):
    """The layer stops coming after so many bytes; gives the event of that."""
    stopped, hold = threading.Event(), threading.Event()

    def act(handler):
        if handler.command != "GET":
            return False
        handler.reply(200, b"", "application/octet-stream", Content_Length=str(BIG))
        handler.wfile.write(fake.data[:after])
        stopped.set()
        hold.wait(PATIENCE)
        handler.close_connection = True
        return None

    fake.answers[fake.layer] = act
    return stopped, hold


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_and_resumed(served, tmp_path, number):
    env = home_of(tmp_path, served)
    seen = served.answers[served.layer]
    stopped, hold = stall(served, 33 * MIB)
    with subprocess.Popen(pack(served), cwd=tmp_path, env=env, start_new_session=True, stderr=subprocess.PIPE) as made:
        assert stopped.wait(PATIENCE)
        part = tmp_path / ".x.ctp.part"

        def journal():
            found = re.findall(rb"^([0-9a-f]{16})$", part.read_bytes()[BIG:], re.M) if part.exists() else []
            return max([int(mark, 16) for mark in found], default=0) >= 32 * MIB

        await_(journal, "the journal", of=made)
        time.sleep(0.2)
        os.killpg(made.pid, number)
        begun = time.monotonic()
        assert made.wait(PATIENCE) == -number
        gone(made.pid)
        assert time.monotonic() - begun < 5
        said = made.stderr.read().decode()
    hold.set()
    assert part.exists() and not (tmp_path / "x.ctp").exists()
    assert ("the same command again goes on" in said) == (number == signal.SIGINT) and "Traceback" not in said
    served.answers[served.layer] = seen
    subprocess.run(pack(served), cwd=tmp_path, env=env, check=True, capture_output=True)
    ((begin,),) = [re.findall(r"bytes=(\d+)-", str(found)) for found in served.ranges_seen]
    assert int(begin) >= (33 if number == signal.SIGINT else 32) * MIB
    subprocess.run([CT, "pack", "--no-sign", f"{served.host}/a/app:1", "-o", "y.ctp"], cwd=tmp_path, env=env, check=True)
    assert (tmp_path / "x.ctp").read_bytes() == (tmp_path / "y.ctp").read_bytes()
    # Nobody was left to remove the private directory, in which nothing of the image is.
    left = [tmp_path / name for name in os.listdir(tmp_path) if name.startswith(".")]
    assert len(left) == (number == signal.SIGKILL) and not [
        path for directory in left for path in directory.rglob("*") if path.is_file() and path.stat().st_size > 4096
    ]


def test_memory_is_flat_and_nothing_is_copied(served, tmp_path):
    """Of 40 MiB on a pipe, and into a file."""
    env = home_of(tmp_path, served)
    stopped, hold = stall(served, 39 * MIB)
    with subprocess.Popen(
        pack(served, "--json"), cwd=tmp_path, env=env, start_new_session=True, stdout=subprocess.PIPE
    ) as made:
        assert stopped.wait(PATIENCE)
        time.sleep(0.5)
        peaks = {}
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                if os.getsid(int(status.parent.name)) == made.pid:
                    peaks[status.parent.name] = int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) >> 10
            except (OSError, TypeError):
                continue
        beside = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size > MIB]
        hold.set()
        served.answers.clear()
        out = made.stdout.read()
        assert made.wait(PATIENCE) == 0
    # What came twice comes by Range: the connection was cut off.
    assert beside == [tmp_path / ".x.ctp.part"] and peaks and max(peaks.values()) < 64, (beside, peaks)
    assert json.loads(out)["action"] == "packed"
    piped = subprocess.run([*pack(served)[:-1], "-"], cwd=tmp_path, env=env, check=True, capture_output=True).stdout
    assert piped == (tmp_path / "x.ctp").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["home", "x.ctp"]


def test_damage_at_the_registry(served, tmp_path):
    env = home_of(tmp_path, served)
    name = served.layer.rpartition("/")[2]
    served.blobs[name] = b"x" + served.data[1:]
    for output in ("x.ctp", "-"):
        made = subprocess.run([*pack(served)[:-1], output], cwd=tmp_path, env=env, capture_output=True)
        assert made.returncode == 1 and b"hash mismatch" in made.stderr, made.stderr
    assert len(served.ranges_seen) == 3
    served.blobs[name] = served.data + b"more"
    assert subprocess.run(pack(served), cwd=tmp_path, env=env, capture_output=True).returncode == 12
    del served.blobs[name]
    made = subprocess.run(pack(served), cwd=tmp_path, env=env, capture_output=True)
    assert made.returncode == 10 and name.encode() in made.stderr
    assert os.listdir(tmp_path) == ["home"]
