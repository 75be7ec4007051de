"""`ct import`: what comes out of archives that this module makes itself, from spec/export.adoc and spec/bundle.adoc alone."""

import gzip
import hashlib
import json
import os
import shutil
import stat

import images
import pytest
import zstandard
from conftest import BUILD
from small import EPOCH, members, packed, pair, run

BIN = BUILD.resolve() / "bin"
CT = BIN / "ct"
VERIFIER = b"#!/bin/sh\nexit 70\n"
TRUST = ("manifest.toml", "summary.json", "attestations.jsonl")
BIG = 3 << 20


def canonical(value):
    # RFC 8785 for what an index holds: no floats, ASCII names.
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Made:
    """An archive of bundles as the specification has it; `room`: so many bytes of blobs go into each part, cut where that ends.

    Whatever a test wants to be otherwise it changes before it asks for `bytes`.
    """

    def __init__(self, bundles, files=(), room=None):
        self.files = {"ct-verify-minimal": VERIFIER, **dict(files)}
        self.blobs, self.trust, rows = {}, {}, []
        for path in bundles:
            raw = path.read_bytes()
            held = {member.name: member.content(raw) for member in members(raw)}
            self.trust[path.name] = [held[name] for name in TRUST]
            self.blobs |= {name[13:]: data for name, data in held.items() if name.startswith("blobs/sha256/") and name[13:]}
            said = json.loads(held["summary.json"])["image"]
            rows.append(
                {"name": path.name, "size": len(raw), "image": said["digest"], "media_type": said["media_type"]}
                | {
                    short: {"digest": digest(held[name]), "size": len(held[name])}
                    for short, name in zip(("manifest", "summary", "attestations"), TRUST, strict=True)
                }
            )
        blobs, part, left = [], 1, room
        for name, data in self.blobs.items():
            pieces, rest = [], len(data)
            while room and rest > left:
                if left:
                    pieces.append({"part": part, "size": left})
                rest, part, left = rest - left, part + 1, room
            pieces.append({"part": part, "size": rest})
            left = left and left - rest
            blobs.append({"digest": f"sha256:{name}", "size": len(data), "pieces": pieces})
        self.index = {
            "schema": "ct/export/1",
            "parts": part,
            "bundles": rows,
            "files": [{"name": name, "digest": digest(data), "size": len(data)} for name, data in self.files.items()],
            "blobs": blobs,
        }
        self.signature = None

    def part(self, number):
        """(name, kind, data) of each member."""
        index = canonical(self.index)
        yield "ct-export.json", b"0", index
        if self.signature is not None:
            yield "ct-export.dsse", b"0", self.signature
        yield "ct-part.json", b"0", canonical({"export": digest(index), "part": number, "parts": self.index["parts"]})
        small = list(self.files.items())
        yield small[0][0], b"0", small[0][1]
        yield "oci-layout", b"0", b'{"imageLayoutVersion":"1.0.0"}\n'
        yield "index.json", b"0", self.layout()
        for name, data in small[1:]:
            yield name, b"0", data
        for name, trust in self.trust.items():
            for member, data in zip(TRUST, trust, strict=True):
                yield f"bundles/{name}/{member}", b"0", data
        yield "blobs/", b"5", b""
        yield "blobs/sha256/", b"5", b""
        for blob in self.index["blobs"]:
            name, at = blob["digest"][7:], 0
            for piece, cut in enumerate(blob["pieces"], 1):
                if cut["part"] == number:
                    path = f"blobs/sha256/{name}" if len(blob["pieces"]) == 1 else f"pieces/{name}.{piece}"
                    yield path, b"0", self.blobs[name][at : at + cut["size"]]
                at += cut["size"]

    def layout(self):
        sizes = {blob["digest"]: blob["size"] for blob in self.index["blobs"]}
        found = [
            {
                "annotations": {"org.opencontainers.image.ref.name": row["name"][:-4]},
                "digest": row["image"],
                "mediaType": row["media_type"],
                "size": sizes[row["image"]],
            }
            for row in self.index["bundles"]
        ]
        made = {"manifests": found, "mediaType": "application/vnd.oci.image.index.v1+json", "schemaVersion": 2}
        return canonical(made)

    def bytes(self, number=1):
        return b"".join(packed(name, data, kind) for name, kind, data in self.part(number)) + bytes(1024)


class Site:
    """A directory with a home in it that knows nobody, as the far end has."""

    def __init__(self, directory):
        self.directory, self.home = directory, directory / "home"
        self.home.mkdir(mode=0o700)
        self.env = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "SOURCE_DATE_EPOCH": EPOCH,
        }
        self.out = directory / "out"

    def write(self, data, name="a.tar"):
        (self.directory / name).write_bytes(data)
        return name

    def run(self, *words, **more):
        made = run(*words, env=self.env | more.pop("env", {}), cwd=self.directory, **more)
        assert "Traceback" not in made.stderr, made.stderr
        return made

    def take(self, *words, status=0):
        """Import with --json into out/: ({bundle: what is told of it}, what is told of the archive)."""
        made = self.run(CT, "import", "--json", "--output-dir", "out", *words)
        assert made.returncode == status, (made.returncode, made.stdout, made.stderr)
        said = [json.loads(line) for line in made.stdout.splitlines()]
        assert not said or [one["action"] for one in said].count("export") == 1
        # Valid is something said: what has a name was imported, and whole.
        there = {one["bundle"] for one in said[:-1] if one["action"] in ("imported", "there")}
        assert not said or there == set(self.names())
        return {one["bundle"]: one for one in said[:-1]}, (said or [made.stderr])[-1]

    def names(self):
        return sorted(path.name for path in self.out.iterdir() if not path.name.startswith(".")) if self.out.exists() else []

    def hidden(self):
        return sorted(path.name for path in self.out.iterdir() if path.name.startswith("."))

    def same(self, origin, *names):
        assert self.names() == sorted(names)
        for name in names:
            assert (self.out / name).read_bytes() == (origin / name).read_bytes()


def layered(to, seed):
    """An image of a base that others have too, and a layer of its own; neither can be compressed."""
    import random

    base, own = random.Random(1).randbytes(BIG), random.Random(seed).randbytes(BIG // 2)
    layers = [to.blob(data, images.TAR) for data in (base, own)]
    to.index(to.manifest(to.config([layer["digest"] for layer in layers]), layers))


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """The near end: three bundles with a common base, and one small one, all signed by alice."""
    where = tmp_path_factory.mktemp("origin")
    pair(where / "home", "alice")
    env = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(where),
        "CT_HOME": str(where / "home"),
        "SOURCE_DATE_EPOCH": EPOCH,
    }
    for seed, name in enumerate(("a", "b", "c"), 2):
        layered(images.Layout(where / name), seed)
        assert run(CT, "pack", f"oci:{name}", "-o", f"{name}.ctp", env=env, cwd=where).returncode == 0
    images.make("single", where / "small")
    assert run(CT, "pack", "oci:small", "-o", "small.ctp", env=env, cwd=where).returncode == 0
    return where


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def bundles(origin, *names):
    return [origin / f"{name}.ctp" for name in names or ("a", "b", "small")]


def key(origin):
    return {"keys/alice.pub": (origin / "home" / "keys" / "alice.pub").read_bytes()}


# -- whole archives ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.ZstdCompressor().compress], ids=["tar", "gz", "zst"])
def test_bundles_come_out_byte_for_byte(origin, site, pack):
    archive = site.write(pack(Made(bundles(origin)).bytes()))
    told, export = site.take(archive)
    site.same(origin, "a.ctp", "b.ctp", "small.ctp")
    assert {one["action"] for one in told.values()} == {"imported"} and not site.hidden()
    assert told["a.ctp"]["verified"] is False and told["a.ctp"]["output"] == "out/a.ctp"
    assert export["signature"] is None and export["keys"] == [] and export["findings"] == []
    assert [stat.S_IMODE((site.out / "a.ctp").stat().st_mode), (site.out / "a.ctp").stat().st_nlink] == [0o644, 1]
    # Once more: what is there is the same, and stays.
    before = (site.out / "a.ctp").stat()
    again, _ = site.take(archive)
    assert {one["action"] for one in again.values()} == {"there"}
    assert (site.out / "a.ctp").stat() == before


@pytest.mark.parametrize("pack", [bytes, zstandard.ZstdCompressor().compress], ids=["tar", "zst"])
@pytest.mark.parametrize("name", ["a.tar", "a.tar.001", "a.tar.003"])
def test_parts(origin, site, pack, name):
    made = Made(bundles(origin), room=1 << 20)
    assert made.index["parts"] == 7
    for number in range(1, 8):
        site.write(pack(made.bytes(number)), f"a.tar.{number:03d}")
    site.take(name)
    site.same(origin, "a.ctp", "b.ctp", "small.ctp")


def test_what_ct_export_writes(origin, site):
    """Two who read the specification agree: the archive that this module makes is the one that the exporter writes."""
    env = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(origin),
        "CT_HOME": str(origin / "home"),
        "SOURCE_DATE_EPOCH": EPOCH,
    }
    site.write(VERIFIER, "verifier")
    words = (
        f"ct-open {' '.join(map(str, bundles(origin)))} | ct-check | ct-policy | ct-export --verifier verifier --include-keys"
    )

    def export(*more):
        made = run("sh", "-c", " ".join([words, *more]), env=env, cwd=site.directory)
        assert made.returncode == 0, made.stderr

    export("-o plain.tar")
    made = Made(bundles(origin), key(origin)).bytes()
    assert (site.directory / "plain.tar").read_bytes() == made
    export("-k alice --split 2M -o split.tar.zst")
    _, export = site.take("split.tar.zst")
    site.same(origin, "a.ctp", "b.ctp", "small.ctp")
    assert export["signature"]["status"] == "unknown" and export["signature"]["claimed_key_id"] == "alice"
    # The key came along, and so the signer has a name by now; trusted is nobody.
    _, export = site.take("split.tar.zst")
    assert export["signature"]["status"] == "valid" and export["signature"]["trusted"] is False
    assert [(one["key_id"], one["became"]) for one in export["keys"]] == [("alice", "there")]


def test_the_content_store_is_where_bundles_go(origin, site):
    made = site.run(CT, "import", site.write(Made(bundles(origin, "small")).bytes()))
    store = site.home / ".local" / "share" / "cerro" / "bundles"
    assert made.returncode == 0 and (store / "small.ctp").read_bytes() == (origin / "small.ctp").read_bytes()
    assert stat.S_IMODE(store.stat().st_mode) == 0o700
    assert "Imported 1 bundle" in made.stdout and "nobody was asked" in made.stderr


# -- verified ----------------------------------------------------------------------------------------------------------------


def test_verified_only_what_passes(origin, site):
    strange = origin / "strange"
    if not strange.exists():
        pair(strange / "home", "mallory")
        env = site.env | {"CT_HOME": str(strange / "home")}
        assert run(CT, "pack", "oci:b", "-o", "strange/b.ctp", env=env, cwd=origin).returncode == 0
    archive = site.write(Made([origin / "a.ctp", strange / "b.ctp"], key(origin)).bytes())
    told, export = site.take("--verify", archive, status=3)
    assert not site.names() and [one["became"] for one in export["keys"]] == ["known"]
    assert {one["finding"] for one in told.values()} <= {"signer-unknown", "signer-untrusted"}
    assert site.run(BIN / "ct-key", "trust", "alice").returncode == 0
    told, _ = site.take("--verify", "--record", "log", archive, status=3)
    assert (told["a.ctp"]["action"], told["b.ctp"]["action"]) == ("imported", "refused")
    assert told["a.ctp"]["verified"] and told["a.ctp"]["valid"] and told["a.ctp"]["signatures"][0]["key_id"] == "alice"
    assert site.names() == ["a.ctp"] and not site.hidden()
    audit = site.run(BIN / "ct-audit", "log")
    assert audit.returncode == 0 and "a.ctp  by alice" in audit.stdout, audit.stdout


def test_a_policy_is_shown_and_a_key_names_strangers(origin, site):
    policy = json.dumps({"version": "1", "signers": {"allowed": [{"key_id": "eve\x1b[31m"}]}}).encode()
    files = key(origin) | {"policy/user.json": policy, "policy/host.json": b"no policy"}
    made = site.run(CT, "import", "--output-dir", "out", site.write(Made(bundles(origin, "small"), files).bytes()))
    assert made.returncode == 0, made.stderr
    assert "Policy policy/user.json" in made.stdout and "eve" in made.stdout and "\x1b" not in made.stdout
    assert "not a policy that can be read" in made.stdout
    assert [path.relative_to(site.home).as_posix() for path in site.home.rglob("*.*")] == [
        ".config/cerro/known/alice.pub",
        *(),
    ] or [path.name for path in (site.home / ".config" / "cerro").rglob("*") if path.is_file()] == ["alice.pub"]


def test_keys_only(origin, site):
    archive = site.write(Made(bundles(origin), key(origin)).bytes())
    made = site.run(CT, "import", "--keys-only", archive)
    assert made.returncode == 0 and "known/" in made.stdout, made.stderr
    assert (site.home / ".config" / "cerro" / "known" / "alice.pub").read_bytes() == key(origin)["keys/alice.pub"]
    assert not site.out.exists() and not (site.home / ".local").exists()


def test_another_key_of_that_name_stays(origin, site):
    pair(site.home / ".config" / "cerro", "alice")
    mine = (site.home / ".config" / "cerro" / "keys" / "alice.pub").read_bytes()
    _, export = site.take(site.write(Made(bundles(origin, "small"), key(origin)).bytes()))
    assert [one["became"] for one in export["keys"]] == ["clash"]
    assert not (site.home / ".config" / "cerro" / "known").exists()
    assert (site.home / ".config" / "cerro" / "keys" / "alice.pub").read_bytes() == mine


@pytest.mark.parametrize(
    "data",
    [b"rubbish\n", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", None],
    ids=["rubbish", "private", "other"],
)
def test_a_key_that_is_none(origin, site, data):
    files = {"keys/bob.pub": data if data is not None else key(origin)["keys/alice.pub"]}
    told, export = site.take(site.write(Made(bundles(origin, "small"), files).bytes()), status=10)
    assert [one["finding"] for one in export["findings"]] == ["key-malformed"] and told["small.ctp"]["action"] == "imported"
    assert not (site.home / ".config").exists()


# -- damage ------------------------------------------------------------------------------------------------------------------


def findings(told, name):
    return [one["finding"] for one in told[name]["findings"]]


def test_a_damaged_blob_takes_only_its_own_bundles_along(origin, site):
    data = bytearray(Made(bundles(origin)).bytes())
    # The small bundle's blobs come last, and before them what is b's alone.
    data[-BIG // 4] ^= 1
    told, export = site.take(site.write(bytes(data)), status=10)
    assert {name: one["action"] for name, one in told.items()} == {
        "a.ctp": "imported",
        "b.ctp": "refused",
        "small.ctp": "imported",
    }
    (wrong,) = told["b.ctp"]["findings"]
    assert wrong["finding"] == "part-damaged" and wrong["context"]["Part"] == "a.tar" and export["findings"] == []
    # What is there stays, and a whole copy of the archive completes it.
    assert site.hidden() == [".b.ctp.part"] and ".b.ctp.part" in wrong["context"]["Kept"]
    told, _ = site.take(site.write(Made(bundles(origin)).bytes()))
    assert {name: one["action"] for name, one in told.items()} == {"a.ctp": "there", "b.ctp": "imported", "small.ctp": "there"}
    site.same(origin, "a.ctp", "b.ctp", "small.ctp")
    assert not site.hidden()


def test_every_member_damaged_in_turn(origin, site):
    """A flipped bit anywhere is found, and what can be imported is."""
    good = Made(bundles(origin, "small"), key(origin)).bytes()
    outcomes = []
    for number, member in enumerate(members(good)):
        data = bytearray(good)
        # In its header, its bytes, or what fills its last block.
        at = (
            member.start + 150
            if member.kind == b"5"
            else (member.start + 150, member.data + member.size // 2, member.end - 1)[number % 3]
        )
        data[at] ^= 1
        shutil.rmtree(site.out, ignore_errors=True)
        told, export = site.take(site.write(bytes(data)), status=10)
        if isinstance(export, str):
            # Without knowing what the archive consists of nothing is taken.
            assert member.name in ("ct-export.json", "ct-part.json") and member.name in export
            outcomes.append("none")
            continue
        found = [one["finding"] for one in export["findings"]] + findings(told, "small.ctp")
        assert found == ["part-damaged"], (member.name, at - member.start, found)
        own = member.name.startswith(("bundles/", "blobs/sha256/")) and member.kind == b"0"
        assert told["small.ctp"]["action"] == ("refused" if own else "imported"), member.name
        outcomes.append(told["small.ctp"]["action"])
    assert set(outcomes) == {"none", "imported", "refused"}


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.ZstdCompressor().compress], ids=["tar", "gz", "zst"])
def test_what_is_cut_short(origin, site, pack):
    data = pack(Made(bundles(origin, "small", "a")).bytes())
    told, _ = site.take(site.write(data[:-BIG]), status=10)
    assert {name: one["action"] for name, one in told.items()} == {"a.ctp": "refused", "small.ctp": "imported"}
    assert "ends" in told["a.ctp"]["findings"][0]["detail"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.ZstdCompressor().compress], ids=["tar", "gz", "zst"])
def test_what_follows_the_end(origin, site, pack):
    good = Made(bundles(origin, "small")).bytes()
    for data in (pack(good) + b"x", pack(good + bytes(512)), pack(good[:-512])):
        shutil.rmtree(site.out, ignore_errors=True)
        told, export = site.take(site.write(data), status=10)
        assert [one["finding"] for one in export["findings"]] == ["part-damaged"]
        assert told["small.ctp"]["action"] == "imported"


def test_parts_that_come_one_at_a_time(origin, site):
    made = Made(bundles(origin), room=2 << 20)
    parts = range(1, made.index["parts"] + 1)
    for number in parts:
        data = made.bytes(number)
        (site.directory / f"a.tar.{number:03d}").write_bytes(data)
        told, _ = site.take("a.tar", status=0 if number == parts[-1] else 11)
        lacking = {one["context"]["Part"] for one in told["b.ctp"]["findings"]}
        assert number == 1 or f"a.tar.{number:03d}" not in lacking
        os.unlink(site.directory / f"a.tar.{number:03d}")
    site.same(origin, "a.ctp", "b.ctp", "small.ctp")
    assert not site.hidden()


def test_a_cut_blob_that_is_damaged_where_it_began(origin, site):
    """What an earlier call left is not believed, either."""
    made = Made(bundles(origin, "a"), room=2 << 20)
    first = bytearray(made.bytes(1))
    first[-1 << 20] ^= 1
    site.write(bytes(first), "a.tar.001")
    site.take("a.tar", status=11)
    os.rename(site.directory / "a.tar.001", site.directory / "damaged")
    for number in range(2, made.index["parts"] + 1):
        site.write(made.bytes(number), f"a.tar.{number:03d}")
    told, _ = site.take("a.tar", status=10)
    assert "part-damaged" in findings(told, "a.ctp") and "lies in parts 1 to 2" in told["a.ctp"]["findings"][0]["detail"]
    site.write(made.bytes(1), "a.tar.001")
    site.take("a.tar")
    site.same(origin, "a.ctp")


def test_a_part_that_is_missing_or_damaged_is_named_with_what_it_takes_along(origin, site):
    made = Made(bundles(origin, "small", "a", "b"), room=1 << 20)
    last = made.index["parts"]
    for number in range(1, last + 1):
        site.write(made.bytes(number), f"a.tar.{number:03d}")
    os.unlink(site.directory / f"a.tar.{last:03d}")
    # Trust members are in every part: of the first one the head is gone, and all bundles are known still.
    head = bytearray(made.bytes(1))
    head[:512] = bytes(512)
    site.write(bytes(head), "a.tar.001")
    told, export = site.take("a.tar", status=11)
    assert {name: one["action"] for name, one in told.items()} == {
        "small.ctp": "imported",
        "a.ctp": "imported",
        "b.ctp": "refused",
    }
    (wrong,) = told["b.ctp"]["findings"]
    assert wrong["finding"] == "part-missing" and wrong["context"]["Part"] == f"a.tar.{last:03d}"
    assert [one["context"]["Part"] for one in export["findings"]] == ["a.tar.001"]


# -- what is refused altogether ----------------------------------------------------------------------------------------------


def refused(site, *words, status=10, says=""):
    made = site.run(CT, "import", "--output-dir", "out", *words)
    assert made.returncode == status and not made.stdout, (made.returncode, made.stdout, made.stderr)
    assert says in made.stderr, made.stderr
    assert not site.out.exists() or not list(site.out.iterdir())
    return made.stderr


def test_parts_of_two_archives(origin, site):
    one, other = Made(bundles(origin), room=2 << 20), Made(bundles(origin, "a", "c"), room=2 << 20)
    for number in range(1, one.index["parts"] + 1):
        site.write(one.bytes(number), f"a.tar.{number:03d}")
    site.write(other.bytes(2), "a.tar.002")
    refused(site, "a.tar", says="'a.tar.002' is a part of another export")
    site.write(one.bytes(3), "a.tar.002")
    refused(site, "a.tar", says="'a.tar.002' is part 3 of")
    site.write(one.bytes(2), "a.tar.002")
    site.write(one.bytes(2), "a.tar.099")
    refused(site, "a.tar", says="'a.tar.099' is part 2 of")


def test_what_is_no_archive(origin, site):
    refused(site, "none.tar", says="there is no 'none.tar', nor 'none.tar.001'", status=11)
    (site.directory / "d.tar").mkdir()
    refused(site, "d.tar", status=11)
    os.mkfifo(site.directory / "f.tar")
    refused(site, "f.tar", status=11)
    refused(site, site.write(b"", "e.tar"), says="ends")
    refused(site, site.write((origin / "small.ctp").read_bytes(), "s.tar"), says="does not begin with ct-export.json")
    refused(site, site.write(gzip.compress(bytes(64 << 20)), "zeros.tar.gz"), says="does not begin with ct-export.json")
    refused(site, site.write(b"\x1f\x8b", "g.tar"))
    refused(site, "-", status=64)


BAD_NAMES = [
    "../x.ctp",
    "/tmp/x.ctp",
    "x/y.ctp",
    ".x.ctp",
    "-x.ctp",
    "x",
    "x.ctp\n",
    "x.ctp.part",
    "\u202ex.ctp",
    "x" * 125 + ".ctp",
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_of_bundles(origin, site, name):
    made = Made(bundles(origin, "small"))
    made.trust = {}
    made.index["bundles"][0]["name"] = name
    index = canonical(made.index)
    data = packed("ct-export.json", index) + packed("ct-part.json", canonical({"export": digest(index), "part": 1, "parts": 1}))
    refused(site, site.write(data + bytes(1024)), says="no bundle may be called")


CONTRADICTIONS = {
    "image": lambda index: index["bundles"][0].update(image=index["blobs"][-1]["digest"]),
    "media-type": lambda index: index["bundles"][0].update(media_type="application/vnd.oci.image.index.v1+json"),
    "size": lambda index: index["bundles"][0].update(size=1),
    "blob-gone": lambda index: index["blobs"].pop(),
    "manifest": lambda index: index["bundles"][0]["manifest"].update(digest="sha256:" + "0" * 64),
}


@pytest.mark.parametrize("how", CONTRADICTIONS)
def test_an_index_that_contradicts_its_bundles(origin, site, how):
    made = Made(bundles(origin, "small"))
    CONTRADICTIONS[how](made.index)
    told, _ = site.take(site.write(made.bytes()), status=10)
    assert findings(told, "small.ctp") == ["part-damaged" if how == "manifest" else "export-malformed"]


def test_members_that_are_elsewhere(origin, site):
    """Whatever stands between members, twice or in another order: it is not where it must be."""
    made = Made(bundles(origin, "small"))
    good = list(made.part(1))
    blobs = [number for number, (name, _, _) in enumerate(good) if name.startswith("blobs/sha256/") and name[13:]]
    swapped = [*good]
    swapped[blobs[0]], swapped[blobs[1]] = good[blobs[1]], good[blobs[0]]
    for members_ in (
        swapped,
        [*good[: blobs[0]], good[blobs[0]], *good[blobs[0] :]],
        [*good[: blobs[0]], ("../../evil", b"0", b"x"), *good[blobs[0] :]],
        [*good[: blobs[0]], ("blobs/sha256/link", b"2", b""), *good[blobs[0] :]],
        [*good[:2], ("index.json", b"0", b"{}"), *good[2:]],
    ):
        shutil.rmtree(site.out, ignore_errors=True)
        data = b"".join(packed(name, data, kind) for name, kind, data in members_) + bytes(1024)
        told, _ = site.take(site.write(data), status=10)
        assert findings(told, "small.ctp") == ["part-damaged"] and not site.names()
    assert sorted(path.name for path in site.directory.iterdir()) == ["a.tar", "home", "out"]


def test_a_bomb_is_bounded(origin, site):
    """An index may announce much; what a decompressor gives beyond what it announces is not read."""
    made = Made(bundles(origin, "small"))
    bomb = gzip.compress(made.bytes() + bytes(1 << 28), 1)
    told, export = site.take(site.write(bomb), status=10)
    assert told["small.ctp"]["action"] == "imported" and "follows its end" in export["findings"][0]["detail"]
    shutil.rmtree(site.out)
    window = zstandard.ZstdCompressionParameters.from_level(1, window_log=27, enable_ldm=False)
    wide = zstandard.ZstdCompressor(compression_params=window).compressobj()
    data = wide.compress(made.bytes()) + wide.flush()
    refused(site, site.write(data, "wide.tar.zst"), says="at most 8 MiB")


def test_a_signature_that_does_not_verify(origin, site):
    env = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(origin),
        "CT_HOME": str(origin / "home"),
        "SOURCE_DATE_EPOCH": EPOCH,
    }
    site.write(VERIFIER, "verifier")
    words = f"ct-open {origin}/small.ctp | ct-check | ct-policy | ct-export --verifier verifier --include-keys -k alice -o signed.tar"
    assert run("sh", "-c", words, env=env, cwd=site.directory).returncode == 0
    signed = (site.directory / "signed.tar").read_bytes()
    (signature,) = [member.content(signed) for member in members(signed) if member.name == "ct-export.dsse"]
    made = Made(bundles(origin, "small", "a"), key(origin))
    made.signature = signature
    archive = site.write(made.bytes())
    # Nobody knows alice: a stranger's signature says nothing, and costs nothing.
    assert site.run(CT, "import", "--keys-only", archive).returncode == 0
    for words in (["a.tar"], ["--verify", "a.tar"], ["--keys-only", "a.tar"]):
        made = site.run(CT, "import", *words)
        assert made.returncode == 2 and "about another archive" in made.stderr and not made.stdout, made.stderr
    assert site.run(BIN / "ct-receive", "a.tar").returncode == 2


# -- the directory -----------------------------------------------------------------------------------------------------------


def test_what_is_there_stays(origin, site):
    archive = site.write(Made(bundles(origin, "small", "a")).bytes())
    site.out.mkdir()
    mine = site.out / "small.ctp"
    shutil.copy(origin / "a.ctp", mine)
    made = site.run(CT, "import", "--output-dir", "out", archive)
    assert made.returncode == 11 and "something else is there already" in made.stderr
    assert mine.read_bytes() == (origin / "a.ctp").read_bytes()
    assert (site.out / "a.ctp").read_bytes() == (origin / "a.ctp").read_bytes()
    # The same bundle with a bit flipped is not the same.
    data = bytearray((origin / "small.ctp").read_bytes())
    data[-1100] ^= 1
    mine.write_bytes(data)
    assert site.run(CT, "import", "--output-dir", "out", archive).returncode == 11 and mine.read_bytes() == data


@pytest.mark.parametrize("name", ["small.ctp", ".small.ctp.part"])
@pytest.mark.parametrize("what", ["dangling", "link", "fifo", "directory", "hard"])
def test_nothing_is_opened_through_what_lies_there(origin, site, name, what):
    archive = site.write(Made(bundles(origin, "small")).bytes())
    site.out.mkdir()
    victim = site.write(b"precious", "victim")
    there = site.out / name
    if what == "dangling":
        there.symlink_to(site.directory / "outside.ctp")
    elif what == "link":
        there.symlink_to(site.directory / victim)
    elif what == "fifo":
        os.mkfifo(there)
    elif what == "directory":
        there.mkdir()
    else:
        os.link(site.directory / victim, there)
    made = site.run(CT, "import", "--output-dir", "out", archive)
    assert made.returncode == 11, made.stderr
    assert not (site.directory / "outside.ctp").exists()
    assert (site.directory / victim).read_bytes() == b"precious"


def test_a_directory_that_cannot_be_written(origin, site):
    archive = site.write(Made(bundles(origin, "small")).bytes())
    (site.directory / "file").write_bytes(b"")
    assert site.run(CT, "import", "--output-dir", "file/x", archive).returncode == 11
    assert site.run(CT, "import", "--output-dir", "file", archive).returncode == 11
    # Through a link that the caller names, it goes where that leads.
    (site.directory / "real").mkdir()
    (site.directory / "linked").symlink_to("real")
    assert site.run(CT, "import", "--output-dir", "linked", archive).returncode == 0
    assert (site.directory / "real" / "small.ctp").read_bytes() == (origin / "small.ctp").read_bytes()


def test_interrupted_it_resumes(origin, site):
    """What was written before stays, with a journal that nobody believes."""
    from cerrotorre import exportread, importing, receiving

    archive = site.write(Made(bundles(origin)).bytes())
    read = exportread.Archive(str(site.directory / archive))
    site.out.mkdir()
    seen = []

    def interrupt(octets):
        seen.append(octets)
        # In the middle of what is b's alone.
        if sum(seen) > BIG + BIG // 2 + BIG // 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stopped, importing.Import(read, str(site.out), ("structure",)) as work:
        work.gather(receiving.records_of(read, None, lambda record, do: do(record)))
        work.read(interrupt)
    assert stopped.value.args == (str(site.out / ".b.ctp.part"),)
    assert site.names() == ["a.ctp"] and site.hidden() == [".b.ctp.part"]
    half = site.out / ".b.ctp.part"
    assert stat.S_IMODE(half.stat().st_mode) == 0o600
    # Somebody altered what was there already: that comes again.
    with open(half, "r+b") as file:
        file.seek(BIG // 2)
        file.write(b"x")
    told, _ = site.take(archive)
    assert told["b.ctp"]["action"] == "imported" and not site.hidden()
    site.same(origin, "a.ctp", "b.ctp", "small.ctp")


@pytest.mark.parametrize("call", [1, 2, 3])
def test_interrupted_while_it_gets_its_name(origin, site, monkeypatch, call):
    """Before, it stays; after, it has its name and nothing else happens to it."""
    from cerrotorre import exportread, importing, receiving

    archive = site.write(Made(bundles(origin, "a")).bytes())
    read = exportread.Archive(str(site.directory / archive))
    site.out.mkdir()
    synced, real = [], os.fsync

    def fsync(fd):
        # Once with the journal, once without it, once the directory.
        synced.append(fd)
        if len(synced) == call:
            raise KeyboardInterrupt
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(KeyboardInterrupt), importing.Import(read, str(site.out), ("structure",)) as work:
        work.gather(receiving.records_of(read, None, lambda record, do: do(record)))
        work.read()
    monkeypatch.undo()
    if call == 3:
        site.same(origin, "a.ctp")
        assert not site.hidden()
    else:
        assert (site.names(), site.hidden()) == ([], [".a.ctp.part"])
    site.take(archive)
    site.same(origin, "a.ctp")


def test_records_of_another_archive(origin, site):
    one, other = (
        site.write(Made(bundles(origin, "small")).bytes()),
        site.write(Made(bundles(origin, "small", "a")).bytes(), "b.tar"),
    )
    made = site.run("sh", "-c", f"ct-receive {one} | ct-import --output-dir out {other}")
    assert made.returncode == 10 and "elsewhere than in" in made.stderr and not site.names()
    made = site.run("sh", "-c", f"ct-open {origin}/small.ctp | ct-import --output-dir out {one}")
    assert made.returncode == 10 and not site.names()
    made = site.run("sh", "-c", f"ct-receive {one} | sed '$d' | ct-import --output-dir out {one}")
    assert made.returncode == 70 and not site.names() and not site.hidden()
    made = site.run("sh", "-c", f"ct-receive {one} | ct-import --verified --output-dir out {one}")
    assert made.returncode == 70 and "nothing said that signatures passed" in made.stderr and not site.names()


@pytest.mark.parametrize("sink", ["ct-hash", "ct-write --new -o x.ctp", "ct-write --no-verify -o x.ctp", "ct-upload ./x.ctp"])
def test_others_do_not_read_archives(origin, site, sink):
    archive = site.write(Made(bundles(origin, "small")).bytes())
    made = site.run("sh", "-c", f"ct-receive {archive} | {sink}")
    assert made.returncode in (10, 64, 70) and not (site.directory / "x.ctp").exists()
