"""Archives that programs read differently are refused; those that programs for people make are read. The tars are made by hand."""

import json
import shutil
import subprocess
import tarfile

import pytest
from conftest import BUILD
from test_sources import World, archive

POSIX, GNU = b"ustar\x0000", b"ustar  \0"
END = bytes(1024)
CT = BUILD.resolve() / "bin" / "ct"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("archives"))
    made.image("single", "good")
    made.image("multi", "evil")
    return made


def index_of(world, name):
    return (world.directory / name / "index.json").read_bytes()


def head(name, size=0, kind=b"0", magic=POSIX, prefix=b"", link=b"", number=None):
    """A header: 512 bytes."""
    digits = b"%011o\0" % size if number is None else number
    fields = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + digits + b"00000000000\0"
    rest = kind + link.ljust(100, b"\0") + magic + bytes(64) + b"0000000\0" * 2 + prefix.ljust(155, b"\0") + bytes(12)
    return fields + b"%06o\0 " % (sum(fields) + 8 * 32 + sum(rest)) + rest


def full(data):
    return data + bytes(-len(data) % 512)


def member(name, data=b"", **how):
    return head(name, len(data), **how) + full(data)


def record(key, value):
    body = len(key) + len(value) + 3
    length = body + len(str(body))
    length = body + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def pax(*records, kind=b"x", name=b"pax"):
    return member(name, b"".join(records), kind=kind)


def layout(world, name, skip=(), **how):
    """The members of a layout, one after another."""
    directory = world.directory / name
    found = sorted(path for path in directory.rglob("*") if path.is_file() and path.name not in skip)
    return b"".join(member(str(path.relative_to(directory)).encode(), path.read_bytes(), **how) for path in found)


def blobs(world, name):
    return layout(world, name, skip=("index.json", "oci-layout"))


# {what: f(the good layout, another's index, the blobs of both)}: bytes of an archive
def second(name, **how):
    """The good layout, and behind it the other's index under a name that some take for the index."""
    return lambda world: both(world) + member(name, index_of(world, "evil"), **how)


def both(world):
    return layout(world, "good") + blobs(world, "evil")


def later(*parts):
    """The good layout, and then these."""
    return lambda world: both(world) + b"".join(part(world) if callable(part) else part for part in parts)


def evil(name, **how):
    return lambda world: member(name, index_of(world, "evil"), **how)


def before_index(*parts):
    """A layout that has these before its index."""
    return lambda world: (
        layout(world, "good", skip=("index.json",)) + b"".join(parts) + member(b"index.json", index_of(world, "good"))
    )


ATTACKS = {
    **{
        f"named {name}": second(name.encode())
        for name in (
            "x/../index.json", "blobs/../index.json", ".//index.json", "././index.json", "/index.json", "//index.json", "index.json/.",
            "./x/../index.json", "index.json/", "../index.json", "./index.json", "index.json", "./", "INDEX.JSON", "Index.json", "blobs/./../index.json",
            "oci-layout/x", "index.json/x", "Blobs/sha256", "blobs/sha256", "blobs", "a\x01b", "a\nb",
        )
    },
    "named not UTF-8": second(b"\xff"),
    "named nothing": second(b""),
    "named at length": later(pax(record(b"path", b"n" * 256)), evil(b"n")),
    "a name outside twice": later(member(b"a/b"), member(b"./a/b")),
    "a link": later(evil(b"e"), member(b"./x/../index.json", kind=b"1", link=b"e")),
    "a link outside": later(member(b"other", kind=b"1", link=b"index.json")),
    "a symbolic link": later(member(b"other", kind=b"2", link=b".")),
    **{f"of type {kind!r}": second(b"other", kind=kind) for kind in (b"3", b"4", b"6", b"7", b"A", b"D", b"K", b"M", b"S", b"V", b"X", b"\x01")},
    "a global name": before_index(pax(record(b"path", b"ignored"), kind=b"g")),
    "a global size": before_index(pax(record(b"size", b"0"), kind=b"g")),
    "a global header named as the index": before_index(pax(record(b"comment", b"x"), kind=b"g", name=b"index.json")),
    "GNU's magic and a prefix": later(evil(b"index.json", magic=GNU, prefix=b"ignored")),
    "GNU's magic and a time": later(evil(b"index.json", magic=GNU, prefix=b"00000000001\0")),
    "another magic and a prefix": later(evil(b"index.json", magic=b"ustar\0  ", prefix=b"ignored")),
    "no magic and a prefix": later(evil(b"index.json", magic=bytes(8), prefix=b"ignored")),
    "a prefix that makes the name": later(evil(b"index.json", prefix=b"x/..")),
    "X": before_index(pax(record(b"path", b"ignored"), kind=b"X")),
    "a name with a zero": before_index(pax(record(b"path", b"ignored\0"))),
    "a zero in a value": before_index(pax(record(b"uname", b"a\0b"))),
    "a zero in a key": before_index(pax(record(b"a\0b", b"c"))),
    "no record": before_index(pax(b"path=ignored\n")),
    "a record's length": before_index(pax(b"99 path=ignored\n")),
    "a record's end": before_index(pax(b"16 path=ignored ")),
    "a record's sign": before_index(pax(b"+17 path=ignored\n")),
    "a record without =": before_index(pax(b"8 path1\n")),
    "a record of no length": before_index(pax(b"1 \n")),
    "zeros behind records": before_index(pax(record(b"path", b"ignored") + bytes(9))),
    "a record twice": before_index(pax(record(b"path", b"a"), record(b"path", b"index.json"))),
    "an empty name": before_index(pax(record(b"path", b""))),
    "a sign in a size": before_index(pax(record(b"size", b"+0"))),
    "a negative size": before_index(pax(record(b"size", b"-512"))),
    "two extended headers": before_index(pax(record(b"path", b"a")), pax(record(b"path", b"b"))),
    "a long name and records": before_index(member(b"L", b"ignored\0", kind=b"L", magic=GNU), pax(record(b"path", b"index.json"))),
    "a global header between": before_index(pax(record(b"path", b"ignored")), pax(record(b"comment", b"x"), kind=b"g")),
    "a long name with a detour": later(member(b"L", b"x/../index.json\0", kind=b"L", magic=GNU), evil(b"e", magic=GNU)),
    "a record's name with a detour": later(pax(record(b"path", b"x/../index.json")), evil(b"e")),
    "a sparse file": before_index(pax(record(b"GNU.sparse.major", b"1"), record(b"GNU.sparse.minor", b"0"), record(b"GNU.sparse.name", b"index.json"))),
    "a size below nothing": later(head(b"other", number=b"\xff" * 11 + b"\0")),
    "a size beyond all": later(head(b"other", number=b"\x80" + b"\xff" * 11)),
    "no size": later(head(b"other", number=bytes(12))),
    "a size that is not octal": later(head(b"other", number=b"00000000009\0")),
    "a size cut by a zero": later(head(b"other", number=b"0000001\x000007")),
    "a directory with a size": later(evil(b"d", kind=b"5")),
    "a directory for the index": later(head(b"./INDEX.json/", kind=b"5")),
    "a checksum": later(head(b"other").replace(b"other", b"Other")),
    "a lone block of zeros": later(bytes(512), evil(b"index.json")),
    "an extended header of nothing": later(pax(record(b"path", b"a"))),
    "bzip2 first": lambda world: member(b"BZh91AY&SY") + both(world),
    "zstd's skippable frame first": lambda world: pax(record(b"comment", b"x"), name=b"P*M\x18\x40") + both(world),
    "a million names": lambda world: both(world) + b"".join(head(b"%d" % number) for number in range(65_536)),
}  # fmt: skip


def pack(world, data, name):
    path = world.directory / name
    path.write_bytes(data)
    made = subprocess.run(
        [CT, "pack", "--no-sign", "--json", "-o", f"{name}.ctp", f"oci-archive:{name}"],
        cwd=world.directory, env=world.env, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    path.unlink()
    return made


@pytest.mark.parametrize("how", ATTACKS)
def test_what_programs_could_read_differently(world, how):
    made = pack(world, ATTACKS[how](world) + END, "a.tar")
    assert made.returncode == 10, made.stdout + made.stderr
    assert "oci-layout" in made.stdout + made.stderr or "not an OCI image layout" in made.stdout + made.stderr, made.stderr
    assert not (world.directory / "a.tar.ctp").exists()


LOADED = [how for how in ATTACKS if how.startswith("named ") and how.endswith(("/index.json", "index.json/.", "index.json/"))]
LOADED += [
    "a link",
    "GNU's magic and a time",
    "no magic and a prefix",
    "a prefix that makes the name",
    "a long name with a detour",
    "a record's name with a detour",
]


@pytest.mark.parametrize("how", LOADED)
def test_what_skopeo_makes_of_it(world, how):
    """That these are attacks: skopeo loads the other image, or, of another version, nothing."""
    (world.directory / "s.tar").write_bytes(ATTACKS[how](world) + END)
    words = ["skopeo", "inspect", "--raw", "oci-archive:s.tar"]
    made = subprocess.run(words, cwd=world.directory, env=world.env, capture_output=True)
    digest = json.loads(index_of(world, "evil"))["manifests"][0]["digest"]
    assert made.returncode or made.stdout == (world.directory / "evil" / "blobs" / digest.replace(":", "/")).read_bytes()


BENIGN = {
    "plain": lambda world: layout(world, "good") + END,
    "GNU": lambda world: layout(world, "good", magic=GNU) + END,
    "old type": lambda world: layout(world, "good", kind=b"\0") + END,
    "one block of zeros": lambda world: layout(world, "good") + bytes(512),
    "something behind the end": lambda world: layout(world, "good") + END + b"J" * 700,
    "directories": lambda world: b"".join(head(name, kind=b"5") for name in (b"./", b"blobs", b"./blobs/sha256/", b"x/")) + layout(world, "good") + END,
    "other files": lambda world: member(b"a//b", b"c") + member(b"blobs/other", b"d") + layout(world, "good") + END,
    "a comment": lambda world: pax(record(b"comment", b"x"), kind=b"g") + layout(world, "good") + END,
    "records": lambda world: before_index(pax(record(b"mtime", b"1.5"), record(b"SCHILY.xattr.a", b"\0")))(world) + END,
    "a name in records": lambda world: layout(world, "good", skip=("index.json",)) + pax(record(b"path", b"./index.json")) + member(b"x", index_of(world, "good")) + END,
    "a long name": lambda world: layout(world, "good", skip=("index.json",)) + member(b"././@LongLink", b"index.json\0", kind=b"L", magic=GNU) + member(b"x", index_of(world, "good"), magic=GNU) + END,
    "a size in records": lambda world: layout(world, "good", skip=("index.json",)) + pax(record(b"size", b"%d" % len(index_of(world, "good")))) + head(b"index.json") + full(index_of(world, "good")) + END,
    "a size in base 256": lambda world: layout(world, "good", skip=("index.json",)) + head(b"index.json", number=b"\x80" + len(index_of(world, "good")).to_bytes(11, "big")) + full(index_of(world, "good")) + END,
}  # fmt: skip


@pytest.mark.parametrize("how", BENIGN)
def test_plain_archives(world, how):
    made = pack(world, BENIGN[how](world), "b.tar")
    assert made.returncode == 0, made.stdout + made.stderr
    (world.directory / "b.tar.ctp").unlink()


def test_archives_of_other_programs(world):
    good = world.directory / "good"
    run = world.run
    for number, words in enumerate((
        ["tar", "-C", good, "-cf", "t", "."], ["tar", "-C", good, "--format=posix", "-cf", "t", "."], ["tar", "-C", good, "--format=ustar", "-cf", "t", "oci-layout", "index.json", "blobs"],
        ["bsdtar", "-C", good, "-cf", "t", "."], ["bsdtar", "-C", good, "--format=gnutar", "-cf", "t", "."], ["bsdtar", "-C", good, "--format=pax", "-cf", "t", "oci-layout", "index.json", "blobs"],
        ["skopeo", "copy", "-q", "oci:good", "oci-archive:t"],
    )):  # fmt: skip
        if words[0] == "bsdtar" and not shutil.which("bsdtar"):
            continue
        (world.directory / "t").unlink(missing_ok=True)
        run(*words)
        made = pack(world, (world.directory / "t").read_bytes(), f"t{number}")
        assert made.returncode == 0, (words, made.stdout + made.stderr)


def test_memory_is_flat(world):
    """Headers of a sparse file as GNU tar writes it, with a map of gigabytes: the map is not read."""
    sparse = pax(record(b"GNU.sparse.major", b"1"), record(b"GNU.sparse.minor", b"0"), record(b"GNU.sparse.realsize", b"1"))
    with open(world.directory / "m.tar", "wb") as made:
        made.write(sparse + head(b"index.json", 6 << 30))
        made.truncate(made.tell() + (6 << 30) + 1024)
    limited = f"ulimit -v 1500000; exec '{CT}' pack --no-sign -o m.ctp oci-archive:m.tar"
    done = subprocess.run(["sh", "-c", limited], cwd=world.directory, env=world.env, capture_output=True, text=True)
    (world.directory / "m.tar").unlink()
    assert done.returncode == 10, done.stderr
    assert "GNU.sparse" in done.stderr


def test_the_other_reader_agrees(world):
    """The places of members are those that Python's reader finds."""
    archive(world.directory / "good", world.directory / "p.tar")
    with tarfile.open(world.directory / "p.tar") as tar:
        sizes = {found.name: (found.offset_data, found.size) for found in tar}
    code = "import json, sys; from cerrotorre.ociarchive import Archive; print(json.dumps(Archive('p.tar', None)._members))"
    words = ["python3", "-c", code]
    path = {"PYTHONPATH": str(BUILD.resolve() / "lib" / "cerro-torre")}
    made = subprocess.run(words, cwd=world.directory, env=world.env | path, capture_output=True, text=True, check=True)
    assert {name: tuple(place) for name, place in json.loads(made.stdout).items()} == sizes
