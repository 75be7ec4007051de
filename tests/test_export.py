"""`ct export` from outside: the archive, byte for byte as spec/export.adoc has it; parts, compression, signature, refusals.

What an archive must be is said here anew, with Python's tarfile and headers made from the specification: nothing of the library's.
"""

import base64
import contextlib
import copy
import gzip
import hashlib
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import tarfile

import images
import pytest
import small
from cerrotorre import exportindex, exportsigned
from cerrotorre.errors import Fail
from conftest import BUILD, ROOT, program
from jsonschema import Draft202012Validator
from moving import Place

SCHEMA = json.loads((ROOT / "spec" / "export.schema.json").read_text())
TRUST = ("manifest.toml", "summary.json", "attestations.jsonl")
NAMES = ("app.ctp", "db.ctp", "web.ctp")


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Three bundles of images with one base layer in common, and one by a key that nobody trusts."""
    made = Place.made(tmp_path_factory.mktemp("export"))
    source = random.Random(5)
    base, ids = source.randbytes(700_000), 0
    for ids, name in enumerate(NAMES):
        layout = images.Layout(made.directory / f"layout-{name[:-4]}")
        layers = [layout.blob(data, images.TAR) for data in (base, source.randbytes(90_001 + ids))]
        layout.index(layout.manifest(layout.config([layer["digest"] for layer in layers]), layers))
        made.pack(name[:-4])
    other = made.directory / "stranger"
    other.mkdir(mode=0o700)
    small.pair(other, "stranger")
    made.ok("pack", "-q", f"oci:{made.layout('app')}", "-o", "strange.ctp", CT_HOME=str(other))
    return made


class Parts:
    """The parts of an archive, each decompressed: their members in order, by name, and the blobs put together."""

    def __init__(self, *paths):
        self.sizes = [path.stat().st_size for path in paths]
        self.tars = [plain(path) for path in paths]
        self.members = []
        for raw in self.tars:
            with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
                self.members.append([(one.name + "/" * one.isdir(), one, archive.extractfile(one)) for one in archive])
            self.members[-1] = [(name, one, file and file.read()) for name, one, file in self.members[-1]]
        self.first = {name: data for name, _, data in self.members[0]}
        self.index = json.loads(self.first["ct-export.json"])
        self.digest = sha256(self.first["ct-export.json"])

    def blobs(self):
        found, pieces = {}, {}
        for part in self.members:
            for name, _, data in part:
                if name.startswith("blobs/sha256/") and data is not None:
                    assert found.setdefault("sha256:" + name[13:], data) is data, "a blob is there twice"
                elif name.startswith("pieces/"):
                    digest, _, number = name[7:].partition(".")
                    pieces.setdefault("sha256:" + digest, []).append((int(number), data))
        for digest, parts in pieces.items():
            assert [number for number, _ in parts] == [*range(1, len(parts) + 1)] and len(parts) > 1
            found[digest] = b"".join(data for _, data in parts)
        return found


def plain(path):
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        assert raw[4:8] == bytes(4) and not raw[3], "a time or a name"
        return gzip.decompress(raw)
    if raw[:4] == b"\x28\xb5\x2f\xfd":
        return subprocess.run([program("zstd"), "-dc"], input=raw, capture_output=True, check=True, timeout=60).stdout
    return raw


def check(parts, place, bundles):
    """Everything that spec/export.adoc says of an archive of these bundles."""
    index = parts.index
    assert parts.first["ct-export.json"] == canonical(index) and list(Draft202012Validator(SCHEMA).iter_errors(index)) == []
    assert index["schema"] == "ct/export/1" and index["parts"] == len(parts.tars)
    raws = {name: (place.directory / name).read_bytes() for name in bundles}
    expected = ["ct-export.json", *["ct-export.dsse"][: "ct-export.dsse" in parts.first], "ct-part.json", "ct-verify-minimal"]
    expected += ["oci-layout", "index.json", *[entry["name"] for entry in index["files"][1:]]]
    expected += [f"bundles/{name}/{member}" for name in bundles for member in TRUST] + ["blobs/", "blobs/sha256/"]
    blobs, order = parts.blobs(), []
    for entry, (name, raw) in zip(index["bundles"], raws.items(), strict=True):
        held = {member.name: member.content(raw) for member in small.members(raw)}
        for member, key in zip(TRUST, ("manifest", "summary", "attestations"), strict=True):
            data = parts.first[f"bundles/{name}/{member}"]
            assert data == held[member] and entry[key] == {"digest": sha256(data), "size": len(data)}
        summary = json.loads(held["summary.json"])
        assert (entry["name"], entry["size"], entry["image"]) == (name, len(raw), summary["image"]["digest"])
        assert entry["media_type"] == summary["image"]["media_type"]
        for blob in summary["content"]:
            assert blobs[blob["digest"]] == held["blobs/" + blob["digest"].replace(":", "/")]
            order += [blob["digest"]] if blob["digest"] not in order else []
    assert [blob["digest"] for blob in index["blobs"]] == order and blobs.keys() == set(order)
    assert all(sha256(data) == digest for digest, data in blobs.items())
    for entry in index["files"]:
        assert (entry["digest"], entry["size"]) == (sha256(parts.first[entry["name"]]), len(parts.first[entry["name"]]))
    for number, (members, raw) in enumerate(zip(parts.members, parts.tars, strict=True), 1):
        there = [name for name, _, _ in members]
        assert there[: len(expected)] == expected and [*there[len(expected) :]] == lying(index, number)
        for name, _, data in members[: len(expected)]:
            said = {"export": parts.digest, "part": number, "parts": index["parts"]}
            assert data == (canonical(said) if name == "ct-part.json" else parts.first[name])
        # Every header as the specification has it, zeros behind each member, and nothing else.
        assert raw == b"".join(header(name, data) for name, _, data in members) + bytes(1024)
    said = json.loads(parts.first["index.json"])
    named = [one["annotations"]["org.opencontainers.image.ref.name"] for one in said["manifests"]]
    assert named == [name.removesuffix(".ctp") for name in bundles]
    assert parts.first["oci-layout"] == canonical({"imageLayoutVersion": "1.0.0"})


def lying(index, part):
    """The members of a part behind blobs/sha256/."""
    found = []
    for blob in index["blobs"]:
        assert sum(piece["size"] for piece in blob["pieces"]) == blob["size"]
        for number, piece in enumerate(blob["pieces"], 1):
            hexadecimal = blob["digest"][7:]
            name = f"blobs/sha256/{hexadecimal}" if len(blob["pieces"]) == 1 else f"pieces/{hexadecimal}.{number}"
            found += [name] if piece["part"] == part else []
    return found


def header(name, data):
    if data is None:
        return small.header(name.encode(), 0, b"5")
    if len(name) <= 100:
        return small.packed(name, data)
    directory, _, base = name.rpartition("/")
    block = bytearray(small.header(base.encode(), len(data)))
    block[345 : 345 + len(directory)] = directory.encode()
    return small.checksum(block) + data + bytes(-len(data) % 512)


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def export(place, output, *words, bundles=NAMES):
    for old in place.directory.glob(output + "*"):
        old.unlink()
    made = place.ok("export", *words, "-o", output, *bundles)
    return made, Parts(*sorted(place.directory.glob(output + "*")))


@pytest.mark.parametrize("name", ["a.tar", "a.tgz", "a.tar.zst"])
def test_archive_is_as_specified(place, name):
    made, parts = export(place, name)
    check(parts, place, NAMES)
    assert made.stdout_.startswith(f"✓ Exported 3 bundles → {name}\n") and parts.digest in made.stdout_
    assert made.stderr_ == ""
    shared = sum(blob["size"] for blob in parts.index["blobs"])
    assert shared < 1_000_000 and sum(one["size"] for one in parts.index["bundles"]) > 2_300_000


def test_same_bytes_whoever_exports_where_and_when(place, tmp_path):
    _, parts = export(place, "a.tar")
    again = place.copy(tmp_path, *NAMES)
    again.ok("export", "-q", "--format=tar.gz", "-o", "b.tar", *NAMES, TZ="Asia/Tokyo", LC_ALL="C", SOURCE_DATE_EPOCH="1")
    again.ok("export", "-q", "--format", "tar.zst", "-o", "c", *(f"./{name}" for name in NAMES), "app.ctp")
    assert plain(tmp_path / "b.tar") == plain(tmp_path / "c") == parts.tars[0]
    for name in ("b.tar", "c"):
        first = (tmp_path / name).read_bytes()
        again.ok("export", "-q", "--format", "tar.gz" if name == "b.tar" else "tar.zst", "-o", name, *NAMES)
        assert (tmp_path / name).read_bytes() == first


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.zst"])
@pytest.mark.parametrize("size", [90_000, 130_000, 800_000])
def test_parts_are_archives_and_not_larger_than_asked(place, kind, size):
    made, parts = export(place, "p.tar", "--split", str(size), "--format", kind)
    check(parts, place, NAMES)
    assert max(parts.sizes) <= size and f"p.tar.001 to p.tar.{len(parts.sizes):03d}" in made.stdout_
    assert [path.name for path in sorted(place.directory.glob("p.tar*"))] == [
        f"p.tar.{number:03d}" for number in range(1, len(parts.sizes) + 1)
    ]
    # What fits a part is not cut.
    for blob in parts.index["blobs"]:
        assert len(blob["pieces"]) == 1 or blob["size"] + 512 > size - 70_000


def test_one_part_of_several_is_called_so(place):
    _, parts = export(place, "p.tar", "--split=1G")
    check(parts, place, NAMES)
    assert [path.name for path in place.directory.glob("p.tar*")] == ["p.tar.001"]


def test_what_would_be_taken_for_a_part(place):
    export(place, "q.tar", "--split=100K")
    before = {path.name: path.read_bytes() for path in place.directory.glob("q.tar*")}
    said = place.refused("export", "-o", "q.tar", "--split=800K", *NAMES, status=11)
    assert "q.tar.003" in said.stderr_ and "Traceback" not in said.said
    assert "q.tar.001" in place.refused("export", "-o", "q.tar", *NAMES, status=11).stderr_
    assert {path.name: path.read_bytes() for path in place.directory.glob("q.tar*")} == before
    # The same ones are replaced, and what is called otherwise is nobody's business.
    (place.directory / "q.tar.0001").write_text("mine")
    place.ok("export", "-q", "-o", ".//q.tar", "--split=100K", *NAMES)
    (place.directory / "q.tar.0001").unlink()
    assert {path.name: path.read_bytes() for path in place.directory.glob("q.tar*")} == before


def test_no_part_keeps_its_name_if_one_gets_none(tmp_path):
    from cerrotorre import exportwrite
    from cerrotorre.newfile import NewFile

    paths = [str(tmp_path / name) for name in ("first", "second")]
    with NewFile(paths[0]) as first, NewFile(paths[1]) as second:
        os.mkdir(paths[1])
        with pytest.raises(Fail):
            exportwrite._name([first, second], paths)
    assert os.listdir(tmp_path) == ["second"]


def test_parts_that_are_too_small(place):
    said = place.refused("export", "-o", "tiny.tar", "--split=8K", *NAMES, status=64)
    advised = said.stderr_.partition("try ")[2].split()[0]
    place.ok("export", "-q", "-o", "tiny.tar", "--split", advised, *NAMES)
    for wrong in ("0", "", "12X", "-1", "1.5G", "K", "9" * 20, "0x10"):
        place.refused("export", "-o", "tiny.tar", f"--split={wrong}", *NAMES, status=64)


def test_skopeo_reads_it_as_a_layout(place):
    _, parts = export(place, "a.tar")
    for bundle in parts.index["bundles"]:
        source = f"oci-archive:{place.directory}/a.tar:{bundle['name'][:-4]}"
        made = subprocess.run([program("skopeo"), "inspect", "--raw", source], capture_output=True, check=True, timeout=60)
        assert sha256(made.stdout) == bundle["image"]


# -- signed, with keys and policies ----------------------------------------------------------------------------------------------


def test_signature_is_by_the_key_over_the_index(place):
    from nacl.signing import VerifyKey

    made, parts = export(place, "s.tar", "-k", "packer", "--include-keys", "--json")
    check(parts, place, NAMES)
    said = json.loads(made.stdout_)
    assert (said["action"], said["export"], said["bytes"]) == ("exported", parts.digest, parts.sizes[0])
    assert [one["bundle"] for one in said["bundles"]] == [*NAMES] and said["signature"]["key_id"] == "packer"
    pub = (place.home / "keys" / "packer.pub").read_bytes()
    assert parts.first["keys/packer.pub"] == pub
    line = parts.first["ct-export.dsse"]
    envelope = json.loads(line)
    assert line == canonical(envelope) and envelope["payloadType"] == "application/vnd.in-toto+json"
    payload = base64.b64decode(envelope["payload"])
    der = base64.b64decode("".join(pub.decode().partition("KEY-----\n")[2].partition("-----END")[0].split()))
    pae = b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(payload), payload)
    VerifyKey(der[-32:]).verify(pae, base64.b64decode(envelope["signatures"][0]["sig"]))
    statement = json.loads(payload)
    assert payload + b"\n" == canonical(statement)
    assert statement["subject"] == [{"name": "ct-export.json", "digest": {"sha256": parts.digest[7:]}}]
    assert statement["predicateType"] == "https://cerro-torre.org/attestation/export/v1"
    assert statement["predicate"] == said["signature"] and said["signature"]["signed_at"] == "2023-11-14T22:13:20Z"
    _, unsigned = export(place, "u.tar", "--include-keys")
    assert unsigned.first["keys/packer.pub"] == pub and unsigned.digest == parts.digest


def test_policies_that_judged(place):
    place.refused("export", "--include-policy", "-o", "x.tar", *NAMES, status=64)
    policy = place.directory / "strict.json"
    place.ok("policy", "init", "--yes", "--policy", "strict.json")
    _, parts = export(place, "pol.tar", "--include-policy", "--policy=strict.json")
    assert parts.first["policy/user.json"] == policy.read_bytes()
    assert [entry["name"] for entry in parts.index["files"]] == ["ct-verify-minimal", "policy/user.json"]
    policy.unlink()


def test_the_key_must_open(place):
    (place.directory / "wrong").write_text("wrong")
    (place.directory / "wrong").chmod(0o600)
    made = place.run("key", "generate", "--id", "locked", "--passphrase-file", "wrong")
    assert made.returncode == 0, made.said
    (place.directory / "other").write_text("other")
    (place.directory / "other").chmod(0o600)
    place.refused("export", "-k", "locked", "--passphrase-file=other", "-o", "x.tar", *NAMES, status=13)
    place.refused("export", "--passphrase-file=other", "-o", "x.tar", *NAMES, status=64)
    place.refused("export", "-k", "nobody", "-o", "x.tar", *NAMES, status=13)
    assert not list(place.directory.glob("x.tar*"))
    place.ok("export", "-q", "-k", "locked", "--passphrase-file=wrong", "-o", "x.tar", *NAMES)
    (place.directory / "x.tar").unlink()


# -- refused ------------------------------------------------------------------------------------------------------------------


def test_all_that_are_refused_are_named(place):
    good = (place.directory / "web.ctp").read_bytes()
    (place.directory / "torn.ctp").write_bytes(good[:5000])
    before = place.left()
    said = place.refused("export", "-o", "x.tar", "app.ctp", "torn.ctp", "strange.ctp", status=10)
    assert "torn.ctp" in said.stderr_ and "strange.ctp" in said.stderr_ and "app.ctp" not in said.stderr_
    assert said.stdout_ == "" and said.stderr_.count("Not exported") == 2
    place.refused("export", "-o", "x.tar", "strange.ctp", status=3)
    place.refused("export", "-o", "x.tar", "absent.ctp", "app.ctp", status=11)
    assert place.left() == before


@pytest.mark.parametrize("options", [(), ("--format=tar.gz",), ("--split=100000",), ("--split=100000", "--format=tar.zst")])
def test_damaged_blobs_are_found_and_nothing_is_written(place, tmp_path, options):
    work = place.copy(tmp_path, "app.ctp", "db.ctp")
    raw = (tmp_path / "db.ctp").read_bytes()
    last, layer = [member for member in small.members(raw) if member.name.startswith("blobs/sha256/")][-2:]
    torn = bytearray(raw)
    torn[layer.data + 17] ^= 1
    (tmp_path / "db.ctp").unlink()
    (tmp_path / "db.ctp").write_bytes(torn)
    (tmp_path / "x.tar").write_text("what was there")
    output = "x.tar" if len(options) < 1 or "format" in options[0] else "y.tar"
    before = work.left()
    said = work.refused("export", *options, "-o", output, "app.ctp", "db.ctp", status=1)
    assert "db.ctp" in said.stderr_ and layer.name[13:] in said.stderr_
    assert work.left() == before and (tmp_path / "x.tar").read_text() == "what was there"
    assert last.name[13:] not in said.stderr_


def test_damaged_documents_are_found(place, tmp_path):
    """The image's own JSON is looked at for each bundle, also where another has the same."""
    work = place.copy(tmp_path, "app.ctp")
    raw = bytearray((tmp_path / "app.ctp").read_bytes())
    document = next(member for member in small.members(bytes(raw)) if member.name.startswith("blobs/") and member.size)
    raw[document.data + 3] ^= 1
    (tmp_path / "copy.ctp").write_bytes(raw)
    said = work.refused("export", "-o", "x.tar", "app.ctp", "copy.ctp", status=1)
    assert "copy.ctp" in said.stderr_ and work.left() == ["app.ctp", "copy.ctp"]


def test_names(place, tmp_path):
    work = place.copy(tmp_path, "app.ctp", "db.ctp")
    sub = tmp_path / "sub"
    sub.mkdir()
    shutil.copy(tmp_path / "app.ctp", sub / "app.ctp")
    shutil.copy(tmp_path / "app.ctp", tmp_path / "App.ctp")
    longest = "a" * 124 + ".ctp"
    wrong = ("app", ".x.ctp", "-x.ctp", "x y.ctp", "ä.ctp", "a" * 125 + ".ctp")
    for name in (*wrong, longest):
        shutil.copy(tmp_path / "app.ctp", tmp_path / name)
    # The same bundle twice is one.
    made = work.ok("export", "-o", "x.tar", "app.ctp", "sub/app.ctp", longest)
    assert "Exported 2 bundles " in made.stdout_
    check(Parts(tmp_path / "x.tar"), work, ["app.ctp", longest])
    shutil.copy(tmp_path / "db.ctp", sub / "app.ctp")
    assert "sub/app.ctp" in work.refused("export", "-o", "y.tar", "app.ctp", "sub/app.ctp", status=64).stderr_
    work.refused("export", "-o", "y.tar", "app.ctp", "App.ctp", status=64)
    said = work.refused("export", "-o", "y.tar", "--", *wrong, status=64).stderr_
    assert said.count("Not exported") == len(wrong) and all(f"'{name}'" in said for name in wrong)
    for words in (
        ("-o", "-", "app.ctp"), ("-o", "", "app.ctp"), ("-o", "app.ctp", "app.ctp"), ("-o", "sub/", "app.ctp"), ("-o", "y.tar", "-"),
        ("-o", "y.tar"), ("app.ctp",), ("-o", "y.tar", "--format", "zip", "app.ctp"),
    ):  # fmt: skip
        work.refused("export", *words, status=64)
    work.refused("export", "-o", "sub", "app.ctp", status=11)
    work.refused("export", "-o", "absent/y.tar", "app.ctp", status=11)
    assert not [name for name in os.listdir(tmp_path) if name.startswith("y.tar")]


def test_plumbing_believes_no_record_that_was_not_judged(place):
    open_ = [BUILD / "bin" / "ct-open", "app.ctp"]
    opened = subprocess.run(open_, cwd=place.directory, env=place.env, capture_output=True, check=True, timeout=60)
    verifier = BUILD / "bin" / "ct-verify-minimal"
    for stream, status in ((opened.stdout, 70), (opened.stdout.splitlines(True)[0], 70), (b"{}\n", 10), (b"", 70)):
        words = [BUILD / "bin" / "ct-export", "--verifier", verifier, "-o", "x.tar"]
        made = subprocess.run(words, cwd=place.directory, env=place.env, input=stream, capture_output=True, timeout=60)
        assert made.returncode == status, made.stderr
    assert not list(place.directory.glob("x.tar*"))


@pytest.mark.parametrize("options", [(), ("--split=300K",), ("--format=tar.gz",)])
def test_a_file_that_cannot_grow(place, options):
    """What the file system refuses is said, and no part has its name."""
    before = place.left()

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    made = subprocess.run(
        [BUILD / "bin" / "ct", "export", *options, "-o", "x.tar", *NAMES],
        cwd=place.directory, env=place.env, capture_output=True, text=True, timeout=60, preexec_fn=limit,
    )  # fmt: skip
    assert made.returncode == 11 and "x.tar" in made.stderr, made.stderr
    assert place.left() == before


def has_begun(process, directory):
    """Whether it has a file of that directory open that has no name."""
    found = []
    for fd in os.listdir(f"/proc/{process}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/{process}/fd/{fd}"))
    return any(path.startswith(f"{directory}/#") for path in found)


def test_killed_it_leaves_nothing(place, tmp_path):
    """Its last tool waits for records when the signal comes: what was set aside has no name, or loses it."""
    work = place.copy(tmp_path, "app.ctp")
    os.mkfifo(tmp_path / "slow")
    with open(tmp_path / "slow", "w+b", buffering=0):
        words = f"exec '{BUILD}/bin/ct-export' --verifier '{BUILD}/bin/ct-verify-minimal' -o x.tar <slow"
        pipe = subprocess.PIPE
        with subprocess.Popen(["sh", "-c", words], cwd=tmp_path, env=work.env, stdout=pipe, stderr=pipe) as process:
            while not has_begun(process.pid, tmp_path):
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(timeout=0.02)
            process.terminate()
            assert process.wait(timeout=60) == 130
    assert work.left() == ["app.ctp", "slow"]


# -- the index, as a reader must take it -------------------------------------------------------------------------------------------


def digest(number):
    return f"sha256:{number:064x}"


def bundle(name, blobs):
    member = {"digest": digest(9), "size": 1000}
    return {
        "name": name, "size": 5, "image": blobs[0]["digest"], "media_type": "a/b", "manifest": member, "summary": member,
        "attestations": member, "content": blobs,
    }  # fmt: skip


FILES = [{"name": name, "size": 900, "digest": digest(1)} for name in ("ct-verify-minimal", "keys/a.pub", "policy/user.json")]


def planned(split=None, signature=None, count=6, source=None):
    source = source or random.Random(1)
    sizes = (0, 1, 511, 512, 513, 5000, 100_000, 300_000)
    blobs = [[{"digest": digest(100 * one + source.randrange(3)), "size": sizes[one % 8]}] for one in range(count)]
    return exportindex.plan([bundle(f"b{one}.ctp", blob) for one, blob in enumerate(blobs)], FILES, split, signature)


def test_plans_fit_and_are_read_back():
    source = random.Random(3)
    refused = 0
    for _ in range(200):
        split, signature = source.randrange(12_000, 200_000), source.choice([None, 900])
        try:
            index = planned(split, signature, source.randrange(1, 20), source)
        except Fail as fail:
            refused += 1
            assert fail.finding["finding"] == "usage"
            assert exportindex.length(planned(int(str(fail).rpartition(" ")[2]), signature), 1, signature)
            continue
        assert exportindex.read(exportindex.write(index)) == index
        for part in range(1, index["parts"] + 1):
            assert exportindex.length(index, part, signature) <= split
    assert refused < 60


def changes():
    """(what, index) of every way in which an index is no more as it must be."""
    good = planned(100_000, None, 8)
    assert good["parts"] > 2

    def made(what, change):
        value = copy.deepcopy(good)
        change(value)
        return pytest.param(value, id=what)

    last = len(good["blobs"]) - 1
    for key in good:
        yield made(f"no-{key}", lambda value, key=key: value.pop(key))
    for what, path in {
        "top": (),
        "bundle": ("bundles", 0),
        "file": ("files", 0),
        "blob": ("blobs", 0),
        "piece": ("blobs", 0, "pieces", 0),
    }.items():

        def more(value, path=path):
            for step in path:
                value = value[step]
            value["more"] = 1

        yield made(f"more-in-{what}", more)
    yield made("schema", lambda value: value.update(schema="ct/export/2"))
    for parts in (0, good["parts"] + 1, good["parts"] - 1, 1000, True, "1", 1.5):
        yield made(f"parts-{parts}", lambda value, parts=parts: value.update(parts=parts))
    for name in (
        "../x.ctp",
        "x/y.ctp",
        ".x.ctp",
        "-x.ctp",
        "x.tar",
        "x.ctp\n",
        "ä.ctp",
        "B1.ctp",
        "b1.ctp",
        "a" * 125 + ".ctp",
        ".ctp",
        3,
    ):
        yield made(f"name-{name!r}", lambda value, name=name: value["bundles"][0].update(name=name))
    yield made("no-bundles", lambda value: value.update(bundles=[]))
    yield made("image-elsewhere", lambda value: value["bundles"][0].update(image=digest(77)))
    yield made("media-type", lambda value: value["bundles"][0].update(media_type="a"))
    yield made("manifest-too-large", lambda value: value["bundles"][0]["manifest"].update(size=(4 << 20) + 1))
    yield made("attestations-too-large", lambda value: value["bundles"][0]["attestations"].update(size=(64 << 20) + 1))
    for name in (
        "keys/../x.pub",
        "keys/a",
        "keys/b/c.pub",
        "evil",
        "policy/other.json",
        "policy/host.json\n",
        "keys/-a.pub",
        "/keys/a.pub",
    ):
        yield made(f"file-{name!r}", lambda value, name=name: value["files"][1].update(name=name))
    yield made("no-verifier", lambda value: value["files"].pop(0))
    yield made("files-twice", lambda value: value["files"].insert(1, value["files"][1]))
    yield made("files-moved", lambda value: value["files"].reverse())
    yield made("key-too-large", lambda value: value["files"][1].update(size=(64 << 10) + 1))
    yield made("blob-twice", lambda value: value["blobs"].append(value["blobs"][last]))
    yield made("negative", lambda value: value["blobs"][0].update(size=-1))
    yield made("sum", lambda value: value["blobs"][last].update(size=value["blobs"][last]["size"] + 1))
    yield made("enormous", lambda value: value["blobs"][0].update(size=2**53, pieces=[{"part": 1, "size": 2**53}]))
    yield made(
        "two-enormous",
        lambda value: [one.update(size=2**53 - 1, pieces=[{"part": 1, "size": 2**53 - 1}]) for one in value["blobs"][:2]],
    )
    yield made("no-pieces", lambda value: value["blobs"][0].update(pieces=[]))
    yield made("empty-piece", lambda value: value["blobs"][last]["pieces"].insert(0, {"part": value["parts"] - 1, "size": 0}))
    yield made(
        "same-part-twice", lambda value: value["blobs"][1].update(pieces=[{"part": 1, "size": 1}, {"part": 1, "size": 0}])
    )
    yield made("backwards", lambda value: value["blobs"][last]["pieces"].reverse())
    yield made(
        "part-left-out",
        lambda value: (
            value["blobs"][last]["pieces"][-1].update(part=value["parts"] + 1) or value.update(parts=value["parts"] + 1)
        ),
    )
    yield made("digest", lambda value: value["blobs"][0].update(digest="sha512:" + "0" * 64))


@pytest.mark.parametrize("value", [*changes()])
def test_no_other_index_is_read(value):
    with pytest.raises(Fail) as caught:
        exportindex.read(canonical(value))
    assert caught.value.finding["finding"] == "export-malformed"


def test_other_spellings_of_an_index_are_not_read():
    data = exportindex.write(planned())
    assert exportindex.read(data)
    for other in (
        data[:-1],
        data + b"\n",
        b" " + data,
        data.replace(b":", b": ", 1),
        b"[]\n",
        b"",
        b"null\n",
        b"{" * 100,
        b"\xff\n",
    ):
        with pytest.raises(Fail) as caught:
            exportindex.read(other)
        assert caught.value.finding["finding"] == "export-malformed"


# -- a signature, as a reader must judge it ---------------------------------------------------------------------------------------


def test_signatures_are_judged():
    from cerrotorre import dsse, suites
    from test_components import held, seeds_of

    at, about = "2026-01-01T00:00:00Z", digest(5)
    for suite in ("CT-SIG-01", "CT-SIG-02", "CT-SIG-04"):
        seeds = seeds_of(suite)
        key = held("alice", suite, seeds)

        def signed(payload, key=key, seeds=seeds, keyids=None):
            made = suites.sign(key["suite_id"], seeds, dsse.pae(dsse.PAYLOAD_TYPE, payload))
            return dsse.write(payload, list(zip(keyids or key["components"], made, strict=True))) + b"\n"

        payload = exportsigned.payload(about, key, at)
        line = signed(payload)
        assert len(line) == exportsigned.size(key, at)
        said = exportsigned.judge(line, about, [key])
        assert (said["status"], said["key_id"], said["trusted"], said["signed_at"]) == ("valid", "alice", True, at)
        nobody = exportsigned.judge(line, about, [])
        assert nobody["status"] == "unknown" and nobody["claimed_key_id"] == "alice" and "key_id" not in nobody
        other = json.loads(payload)
        other["predicate"]["suite_id"] = "CT-SIG-03"
        spaced = json.dumps(json.loads(payload)).encode()
        altered = json.loads(line)
        altered["signatures"][-1]["sig"] = base64.b64encode(
            bytes(len(base64.b64decode(altered["signatures"][-1]["sig"])))
        ).decode()
        for wrong, slug in (
            (signed(exportsigned.payload(digest(6), key, at)), "subject-mismatch"),
            (signed(canonical(other)[:-1]), "statement-malformed"),
            (signed(spaced), "statement-malformed"),
            (signed(exportsigned.payload(about, key, "yesterday")), "statement-malformed"),
            (canonical(altered), "signature-invalid"),
            (line[:-1], "export-malformed"),
            (line + line, "export-malformed"),
            (signed(b"{}"), "export-malformed"),
            (signed(payload, keyids=["x"] * len(key["components"])), "signature-incomplete"),
        ):
            with pytest.raises(Fail) as caught:
                exportsigned.judge(wrong, about, [key])
            assert caught.value.finding["finding"] == slug
