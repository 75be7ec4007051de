"""Bundles in object stores (spec/moving.adoc, "In an object store"): against SeaweedFS, which enforces signatures."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import LIBRARY
from images import TAR, Layout
from objectserver import BUCKET, READER, READERS, SECRET, Store
from small import BIN, environment, pair, run, tool

AT = f"s3://{BUCKET}"


class Place:
    """A home with a key, a small bundle and one of three parts, and a store."""

    def __init__(self, work: Path, store: Store) -> None:
        self.work, self.store = work, store
        home = work / "home"
        home.mkdir(mode=0o700)
        self.env = environment(home, **store.env)
        pair(home, "demo")
        (home / "config.toml").write_text('[registries]\ninsecure = ["127.0.0.1"]\n')
        self.small = self.packed("small", size=100)
        self.other = self.packed("other", size=100, label="x")
        self.large = self.packed("large", size=10 << 20)
        self.second = self.packed("second", size=10 << 20, label="x")

    def packed(self, name: str, size: int, label: str = "") -> Path:
        layout = Layout(self.work / name)
        layout.index(layout.image(kind=TAR, size=size, label=label))
        file = self.work / f"{name}.ctp"
        tool("ct", "pack", f"oci:{layout.directory}", "-o", file, env=self.env)
        return file

    def ct(self, *words: object, status: int | None = 0, **env: str) -> subprocess.CompletedProcess[Any]:
        return tool("ct", *words, env=self.env | env, status=status)

    def fetched(self, url: str, *options: str) -> bytes:
        """What `ct fetch` makes of an object."""
        file = self.work / "fetched.ctp"
        file.unlink(missing_ok=True)
        self.ct("fetch", "-q", *options, "-o", file, url)
        return file.read_bytes()

    def library(self, code: str, **env: str) -> Any:
        """What a program in the library prints as JSON."""
        paths = f"import sys, json; sys.path[:0] = [{str(LIBRARY)!r}, {str(LIBRARY / 'vendor')!r}]\n"
        made = run(sys.executable, "-IB", "-c", paths + code, env=self.env | env)
        assert made.returncode == 0, made.stderr
        return json.loads(made.stdout)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("store")
    with Store(directory) as store:
        yield Place(tmp_path_factory.mktemp("work"), store)


def nothing_secret(*texts: str) -> None:
    for text in texts:
        for secret in (SECRET, READERS, "Signature=", "X-Amz", "Authorization", "not-the-secret"):
            assert secret not in text


@pytest.mark.parametrize("name", ["small", "large"])
def test_there_and_back(name: str, place: Place) -> None:
    file: Path = getattr(place, name)
    url = f"{AT}/there/{file.name}"
    said = json.loads(place.ct("push", "--json", "-q", file, f"{AT}/there/").stdout)
    assert said["destination"] == url and said["moved"] == file.stat().st_size and said["there"] == 0
    assert place.store.read(f"there/{file.name}") == file.read_bytes()
    assert place.fetched(url) == file.read_bytes()
    # Once more: nothing is sent, with --force neither.
    for option in ("-q", "--force"):
        said = json.loads(place.ct("push", "--json", "-q", option, file, url).stdout)
        assert said["moved"] == 0 and said["there"] == file.stat().st_size
    assert place.store.listed(".uploads/") == []


@pytest.mark.parametrize(("first", "second"), [("small", "other"), ("large", "second"), ("small", "large")])
def test_something_else_is_left_alone(first: str, second: str, place: Place) -> None:
    url = f"{AT}/taken/{first}-{second}"
    ours, theirs = getattr(place, second), getattr(place, first)
    place.ct("push", theirs, url)
    made = place.ct("push", ours, url, status=11)
    assert "something else is there already" in made.stderr and "--force" in made.stderr
    assert place.store.read(f"taken/{first}-{second}") == theirs.read_bytes()
    place.ct("push", "--force", ours, url)
    assert place.store.read(f"taken/{first}-{second}") == ours.read_bytes()


@pytest.mark.parametrize("names", [("small", "other"), ("large", "second")])
def test_of_two_at_a_time_one_wins(names: tuple[str, str], place: Place) -> None:
    files = [getattr(place, name) for name in names]
    key = "race-" + names[0]
    pushes = [
        subprocess.Popen(
            [BIN / "ct", "push", file, f"{AT}/{key}"], env=place.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for file in files
    ]
    said = [push.communicate(timeout=120) for push in pushes]
    assert sorted(push.returncode for push in pushes) == [0, 11], said
    winner = files[[push.returncode for push in pushes].index(0)]
    assert place.store.read(key) == winner.read_bytes()
    assert [name for name in place.store.listed() if name.startswith(key)] == [key]


def test_damage_leaves_nothing(place: Place) -> None:
    """The content is hashed as it is sent: what does not match gets no name, and no part of it stays."""
    for file in (place.small, place.large):
        data = bytearray(file.read_bytes())
        data[-1536] ^= 1
        damaged = place.work / f"damaged-{file.name}"
        damaged.write_bytes(data)
        made = place.ct("push", damaged, f"{AT}/damaged/", status=1)
        assert "hash mismatch" in made.stderr and "Expected" in made.stderr
    assert place.store.listed("damaged/") == [] and place.store.listed(".uploads/") == []


@pytest.mark.parametrize(
    ("key", "secret", "code"),
    [
        ("AKIDTESTER", "not-the-secret", "SignatureDoesNotMatch"),
        ("AKIDNOBODY", "not-the-secret", "InvalidAccessKeyId"),
        (READER, READERS, "AccessDenied"),
    ],
)
def test_who_may_not(key: str, secret: str, code: str, place: Place) -> None:
    given = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
    made = place.ct("push", place.small, f"{AT}/forbidden/", status=12, **given)
    assert "the store refuses" in made.stderr and code in made.stderr and "man ct-places" in made.stderr
    nothing_secret(made.stdout, made.stderr)
    assert place.store.listed("forbidden/") == []


def test_nobody_there(place: Place) -> None:
    made = place.ct("push", place.small, f"{AT}/x", status=12, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert "no connection" in made.stderr
    made = place.ct("fetch", "-o", place.work / "none", f"{AT}/nothing", status=12)
    assert "it is not there" in made.stderr
    assert not (place.work / "none").exists()


def test_without_tls_only_where_it_is_said(place: Place) -> None:
    home = place.work / "strict"
    home.mkdir(mode=0o700)
    env = {"HOME": str(home), "CT_HOME": str(home)}
    (home / "keys").symlink_to(Path(place.env["CT_HOME"]) / "keys")
    made = tool("ct-download", f"{AT}/x", env=place.env | env, status=None)
    assert "without TLS" in made.stdout and "ct config set registries.insecure" in made.stdout


@pytest.mark.parametrize("key", ["a//b", "/a", "a/../b", "./a", "x" * 1025])
def test_keys_that_are_none(key: str, place: Place) -> None:
    made = place.ct("push", place.small, f"{AT}/{key}", status=64)
    assert "key" in made.stderr


def test_keys_that_are_odd(place: Place) -> None:
    for key in ("odd/a b%20c#d?e+f", "odd/ünï"):
        place.ct("push", place.small, f"{AT}/{key}")
        assert place.fetched(f"{AT}/{key}", "--no-verify") == place.small.read_bytes()


def test_profiles(place: Place, tmp_path: Path) -> None:
    """Credentials, region and endpoint from ~/.aws, as Amazon's tools keep them."""
    aws = tmp_path / ".aws"
    aws.mkdir()
    (aws / "credentials").write_text(
        f"[default]\naws_access_key_id = {READER}\naws_secret_access_key = {READERS}\n\n"
        f"[work]\naws_access_key_id = AKIDTESTER\naws_secret_access_key = {SECRET}\n"
    )
    (aws / "config").write_text(
        f"[profile work]\nregion = eu-west-1\nservices = near\n\n[services near]\ns3 =\n  endpoint_url = http://{place.store.host}\n\n"
        f"[default]\nendpoint_url = http://{place.store.host}\n\n[profile run]\ncredential_process = /bin/false\n"
    )
    env = {"HOME": str(tmp_path), "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_ENDPOINT_URL": ""}
    place.ct("push", place.small, f"{AT}/profiles/", AWS_PROFILE="work", **env)
    assert place.store.listed("profiles/") == ["small.ctp"]
    assert "AccessDenied" in place.ct("push", place.small, f"{AT}/profiles/two", status=12, **env).stderr
    made = place.ct("push", place.small, f"{AT}/x", status=12, AWS_PROFILE="run", **env)
    assert "credential_process" in made.stderr and "export-credentials --profile run" in made.stderr
    assert "no profile 'none'" in place.ct("push", place.small, f"{AT}/x", status=12, AWS_PROFILE="none", **env).stderr
    nothing_secret(made.stdout, made.stderr)


def opened(place: Place, url: str) -> dict[str, Any]:
    made = tool("ct-download", url, env=place.env, status=None)
    record: dict[str, Any] = json.loads(made.stdout.splitlines()[0])
    return record


def put(place: Place, key: str, data: bytes) -> None:
    """An object that `ct` did not write, by way of the library it uses."""
    file = place.work / "put"
    file.write_bytes(data)
    place.library(
        "from cerrotorre import objectstore\n"
        f"print(json.dumps(objectstore.opened('{AT}/{key}', 60).put('{key}', open({str(file)!r}, 'rb').read(), use_multipart=False)['e_tag']))"
    )


def test_damage_in_the_store(place: Place) -> None:
    whole = place.small.read_bytes()
    cases = {
        "blob": (-1536, 1, "hash-mismatch", 1),
        "header": (0, 1, "not-a-bundle", 10),
        "summary": (whole.index(b'{"canonicalization"') + 3, 1, "derived-mismatch", 1),
        "layout": (whole.index(b'{"imageLayoutVersion"') + 4, 1, "derived-mismatch", 1),
        "padding": (whole.index(b'{"imageLayoutVersion"') + 100, 1, "tar-padding", 10),
    }
    for name, (offset, flip, finding, status) in cases.items():
        data = bytearray(whole)
        data[offset] ^= flip
        put(place, f"hurt/{name}", bytes(data))
        made = place.ct("fetch", "--json", "-o", place.work / "hurt.ctp", f"{AT}/hurt/{name}", status=status)
        assert finding in made.stdout + made.stderr, (name, made)
        assert not (place.work / "hurt.ctp").exists()
    for name, data, finding in (
        ("short", whole[:-512], "truncated"),
        ("long", whole + bytes(512), "trailing-bytes"),
        ("empty", b"", "not-a-bundle"),
    ):
        put(place, f"hurt/{name}", data)
        assert [one["finding"] for one in opened(place, f"{AT}/hurt/{name}")["findings"]] == [finding]


def test_replaced_while_it_is_read(place: Place) -> None:
    """A record is of one version of the object: what is there later is not read in its place."""
    put(place, "changing", place.small.read_bytes())
    at = opened(place, f"{AT}/changing")["content"][-1]["at"]
    put(place, "changing", place.other.read_bytes())
    code = f"""
from cerrotorre import objects
from cerrotorre.errors import Fail
try:
    list(objects.chunks({at["url"]!r}, {at["offset"]}, 100, {at["id"]!r}))
    print("null")
except Fail as fail:
    print(json.dumps(fail.finding["finding"]))
"""
    assert place.library(code) == "file-changed"


def test_ranges(place: Place) -> None:
    """Any part of an object, in pieces of a mebibyte at most; what breaks off is gone on with behind what came."""
    put(place, "ranges", place.large.read_bytes())
    code = f"""
import hashlib
from cerrotorre import objects, objectstore
url = {f"{AT}/ranges"!r}
there = objectstore.head(url, "ranges")
store = objectstore.opened(url, objectstore.READING)

class Cut:
    "The store, whose every answer breaks off."
    asked = []
    def get(self, key, options):
        self.asked.append(options["range"])
        self.got = store.get(key, options=options)
        return self
    @property
    def meta(self):
        return self.got.meta
    def stream(self, min_chunk_size):
        left = 3000000
        for part in self.got.stream(min_chunk_size=min_chunk_size):
            yield part[:left]
            left -= len(part)
            if left <= 0:
                raise OSError("broken")

objectstore.opened = lambda url, seconds: Cut()
parts = list(map(bytes, objects.chunks(url, 1000, there["size"] - 2000, there["e_tag"])))
print(json.dumps([max(map(len, parts)), hashlib.sha256(b"".join(parts)).hexdigest(), len(Cut.asked)]))
"""
    import hashlib

    largest, digest, asked = place.library(code)
    assert digest == hashlib.sha256(place.large.read_bytes()[1000:-1000]).hexdigest()
    assert largest <= 1 << 20 and asked > 5


def test_interrupted_leaves_nothing(place: Place) -> None:
    """A signal while parts are on their way: they are taken back."""
    code = f"""
import threading, os, signal, time
from cerrotorre import bundle, interrupt, objectpush, objects
record = {{"bundle": "large.ctp", "findings": [], "passed": {{}}}}
bundle.open_bundle(record, {str(place.large)!r})

class Slow:
    seen = 0
    def add(self, octets):
        self.seen += octets
        if self.seen > 9 << 20:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.7)
    def end(self, how):
        pass
    def begin(self, what, size, verb):
        return self

interrupt.arm()
try:
    objects.push(record, {{"url": "{AT}/interrupted"}}, {{"force": False}}, Slow())
    print("0")
except KeyboardInterrupt:
    print("130")
"""
    assert place.library(code) == 130
    assert place.store.listed(".uploads/") == [] and not [
        name for name in place.store.listed() if name.startswith("interrupted")
    ]


def test_what_is_not_installed(place: Place, tmp_path: Path) -> None:
    code = f"""
sys.modules["obstore"] = None
from cerrotorre import objects
from cerrotorre.errors import Fail
try:
    objects.open_record({{"findings": [], "passed": {{}}}}, "{AT}/x")
except Fail as fail:
    print(json.dumps([fail.finding["finding"], fail.finding["status"], str(fail)]))
"""
    slug, status, said = place.library(code)
    assert (slug, status) == ("tool-missing", 69) and "obstore" in said


def test_nothing_of_an_exception_is_shown(place: Place) -> None:
    """What obstore says of a failure may hold signed URLs."""
    code = """
from cerrotorre import objectstore
from obstore import exceptions
made = []
for kind in ("GenericError", "PermissionDeniedError", "UnauthenticatedError", "NotSupportedError"):
    error = getattr(exceptions, kind)("Error performing GET https://x.blob.core.windows.net/c/k?sig=SECRET&se=1 - status code: 403 Forbidden: <Code>SECRETCODE</Code>")
    made.append(objectstore.failed("az://c/k", error).finding)
print(json.dumps(made))
"""
    for made in place.library(code):
        assert "SECRET" not in json.dumps(made) and "windows" not in json.dumps(made)
        assert made["finding"] == "network" and re.search(r"\b403\b", made["detail"])


def test_memory_is_flat(place: Place) -> None:
    """128 MiB by way of parts of 8 MiB: in no more than 80 MiB, Python and TLS included."""
    code = f"""
from cerrotorre import objectpush

class Zeros(objectpush.Bytes):
    def __init__(self):
        self.size, self.edges, self.halted = 128 << 20, (b"", b""), False
    def _parts(self, last):
        for _ in range(128):
            yield bytes(1 << 20)
        last()

class Still:
    def begin(self, *_):
        return self
    def add(self, octets):
        pass
    end = add

push = objectpush.Push("{AT}/flat", Zeros(), False, Still())
sent = push.run()
# Of getrusage(2) the parent's counts too.
high = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([sent, int(high) >> 10]))
"""
    sent, resident = place.library(code)
    assert sent == 128 << 20 and resident < 80, resident
    assert place.store.listed(".uploads/") == []
