"""Pushing from outside: the built `ct` against docker-registry, which has no referrers API, against one in memory that has, and to files."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import alter
import docs
import images
import pytest
import registries
from cerrotorre import destination, filestore, referrertag
from cerrotorre.distribution import Conflict
from cerrotorre.errors import Fail
from conftest import program
from registries import INDEX, MANIFEST, Fake, digest, docker_registry
from small import BIN, environment, pair, run, tool

KINDS = ("single", "multi", "docker")
BUNDLE = "application/vnd.cerro-torre.bundle.v1"


class Place:
    """A home with a key, and the bundle of one image of images.py."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.env = directory, environment(directory / "home")

    def insecure(self, *hosts: str) -> None:
        (self.directory / "home" / "config.toml").write_text(f"[registries]\ninsecure = {json.dumps(hosts)}\n")

    def pack(self, kind: str, name: str, *options: str) -> Path:
        if not (self.directory / kind).exists():
            images.make(kind, self.directory / kind)
        where = self.directory / kind
        tool("ct", "pack", "--platform=all", "-q", *options, "-o", self.directory / name, f"oci:{where}", env=self.env)
        return self.directory / name

    def push(self, *words: object, status: int = 0, **more: Any) -> subprocess.CompletedProcess[Any]:
        return tool("ct", "push", *words, env=self.env, status=status, cwd=self.directory, **more)

    def pushed(self, *words: object) -> dict[str, Any]:
        """What --json says last."""
        value = json.loads(self.push("--json", *words).stdout.splitlines()[-1])
        assert value["action"] == "pushed"
        return dict(value)

    def image(self, kind: str = "single") -> Any:
        """The image's descriptor."""
        return json.loads((self.directory / kind / "index.json").read_text())["manifests"][0]

    def damaged(self, change: str) -> Path:
        key = alter.open_key(str(self.directory / "home" / "keys" / "alice.key"))
        made = self.directory / "bad.ctp"
        made.write_bytes(alter.altered(change, (self.directory / "a.ctp").read_bytes(), key))
        return made


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Place(tmp_path_factory.mktemp("place") / "made")
    (made.directory / "home").mkdir(mode=0o700, parents=True)
    pair(made.directory / "home", "alice")
    made.pack("single", "a.ctp")
    return made.directory


@pytest.fixture
def place(template: Path, tmp_path: Path) -> Place:
    shutil.copytree(template, tmp_path / "place")
    return Place(tmp_path / "place")


@pytest.fixture
def fake() -> Iterator[Fake]:
    with Fake() as server:
        yield server


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with docker_registry(tmp_path_factory.mktemp("registry") / "r") as host:
        yield host


def members(bundle: Path) -> dict[str, bytes]:
    """The files of a bundle, which is a tar."""
    import tarfile

    with tarfile.open(bundle) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive if one.isfile()}  # type: ignore[union-attr]


def kept(server: Fake, path: str = "a/app") -> Any:
    return server.kept.get(path) or registries.Kept()


# -- what is there afterwards ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_an_ordinary_image_and_what_refers_to_it(kind: str, registry: str, place: Place, tmp_path: Path) -> None:
    place.insecure(registry)
    place.pack(kind, "a.ctp")
    name = f"team/{kind}"
    said = place.push("a.ctp", f"{registry}/{name}:1.0")
    image = place.image(kind)
    assert f"Image:      {image['digest']}" in said.stdout and "Sent:       " in said.stdout and said.stderr == ""
    client = registries.Client(registry, name)
    # The image, as skopeo and podman see it, is the one that was packed.
    skopeo = [program("skopeo"), "copy", "-q", "--all", "--preserve-digests", "--src-tls-verify=false"]
    subprocess.run([*skopeo, f"docker://{registry}/{name}:1.0", f"dir:{tmp_path}/copied"], check=True)
    assert digest((tmp_path / "copied" / "manifest.json").read_bytes()) == image["digest"]
    # What refers to it is listed under the tag of the specification, and is the canonical manifest of its trust members.
    listed = json.loads(send(client, f"manifests/{image['digest'].replace(':', '-')}", INDEX))["manifests"]
    (entry,) = listed
    data = send(client, f"manifests/{entry['digest']}", MANIFEST)
    assert (digest(data), len(data)) == (entry["digest"], entry["size"])
    assert entry["artifactType"] == BUNDLE and entry["digest"] in said.stdout
    value = json.loads(data)
    assert data == json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    held = members(place.directory / "a.ctp")
    names = ["manifest.toml", "summary.json", "attestations.jsonl"]
    kinds = [f"application/vnd.cerro-torre.{one}" for one in ("manifest.v1+toml", "summary.v1+json", "attestations.v1+jsonl")]
    assert value == {
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": BUNDLE,
        "subject": {key: image[key] for key in ("mediaType", "digest", "size")},
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest(b"{}"), "size": 2, "data": "e30="},
        "layers": [
            {"mediaType": media_type, "digest": digest(held[one]), "size": len(held[one]), "annotations": {"org.opencontainers.image.title": one}}
            for one, media_type in zip(names, kinds, strict=True)
        ],
    }  # fmt: skip
    for one in names:
        assert send(client, f"blobs/{digest(held[one])}") == held[one]
    # Again: nothing is sent, and nothing is changed.
    again = place.pushed("a.ctp", f"{registry}/{name}:1.0")
    assert again["moved"] == 0 and again["there"] > 0 and again["bundle"] == entry["digest"]
    assert json.loads(send(client, f"manifests/{image['digest'].replace(':', '-')}", INDEX))["manifests"] == listed


def send(client: registries.Client, path: str, accept: str = "*/*") -> bytes:
    import http.client

    made = http.client.HTTPConnection(client.host, timeout=60)
    made.request("GET", f"/v2/{client.name}/{path}", headers={"Accept": accept})
    answer = made.getresponse()
    data = answer.read()
    assert answer.status == 200, (path, answer.status, data)
    return data


def test_podman_pulls_it(registry: str, place: Place, tmp_path: Path) -> None:
    place.insecure(registry)
    place.push("a.ctp", f"{registry}/pulled/app:1")
    env = {**os.environ, **docs.podman_environment(tmp_path / "podman"), "HOME": str(tmp_path)}
    made = run(program("podman"), "pull", "-q", "--tls-verify=false", f"{registry}/pulled/app:1", env=env)
    assert made.returncode == 0, made.stderr
    seen = run("podman", "image", "inspect", "--format={{.Digest}}", f"{registry}/pulled/app:1", env=env)
    assert seen.stdout.strip() == place.image()["digest"]


def test_with_a_referrers_api_no_tag_is_made(place: Place, fake: Fake) -> None:
    place.insecure(fake.host)
    made = place.pushed("a.ctp", f"{fake.host}/a/app:1")
    assert [one["digest"] for one in fake.attached[made["image"]]] == [made["bundle"]]
    assert [name for name in fake.manifests if ":" not in name] == ["1"]
    # The tag is the last thing that is written.
    assert [(method, path) for method, path, _ in fake.seen if method == "PUT"][-1] == ("PUT", "/v2/a/app/manifests/1")


def test_which_tag(place: Place, fake: Fake) -> None:
    place.insecure(fake.host)
    made = place.pushed("a.ctp", f"{fake.host}/a/app")
    assert made["destination"] == f"{fake.host}/a/app:1.0" and "1.0" in fake.manifests and "latest" not in fake.manifests
    made = place.pushed("a.ctp", f"{fake.host}/a/b@{made['image']}")
    assert not [name for name in kept(fake, "a/b").manifests if ":" not in name]
    assert made["destination"] == f"{fake.host}/a/b@{made['image']}"
    said = place.push("a.ctp", f"{fake.host}/a/c@sha256:{'0' * 64}", status=64)
    assert "another image" in said.stderr and "a/c" not in fake.kept


def test_mounted_where_the_image_came_from(place: Place, fake: Fake) -> None:
    """Of an image that was packed from the same registry no layer is sent."""
    place.insecure(fake.host)
    images.make("large", place.directory / "large")
    registries.push_layout(fake, place.directory / "large")
    tool("ct", "pack", "-q", "--platform=all", "-o", "b.ctp", f"{fake.host}/a/app:1", env=place.env, cwd=place.directory)
    fake.received = 0
    made = place.pushed("b.ctp", f"{fake.host}/other/app:1")
    assert fake.received < 8 << 10 < 12 << 20 < made["there"]
    assert kept(fake, "other/app").blobs.keys() >= {one for one in fake.blobs if len(fake.blobs[one]) > 1 << 20}


def test_credentials_over_tls(place: Place, tmp_path: Path) -> None:
    """htpasswd: what is stored for the registry is used, and without it nothing is sent; neither is said."""
    import base64

    pki = registries.certificates(tmp_path)
    users = subprocess.run([program("htpasswd"), "-Bbn", "bob", "hunter2"], capture_output=True, check=True).stdout
    (tmp_path / "users").write_bytes(users)
    with docker_registry(tmp_path / "r", tls=pki[1], users=tmp_path / "users") as host:
        trusted = place.directory / "home" / ".config" / "containers" / "certs.d" / host
        trusted.mkdir(parents=True)
        shutil.copy(pki[0], trusted / "ca.crt")
        said = place.push("a.ctp", f"{host}/a/app:1", status=12)
        assert "skopeo login" in said.stderr
        auth = tmp_path / "auth.json"
        auth.write_text(json.dumps({"auths": {host: {"auth": base64.b64encode(b"bob:hunter2").decode()}}}))
        place.env["REGISTRY_AUTH_FILE"] = str(auth)
        said = place.push("--json", "a.ctp", f"{host}/a/app:1")
        assert "hunter2" not in said.stdout + said.stderr
        assert place.pushed("a.ctp", f"{host}/a/app:1")["moved"] == 0


# -- what has the name already -----------------------------------------------------------------------------------------------------


def test_a_tag_is_not_moved(place: Place, fake: Fake) -> None:
    place.insecure(fake.host)
    place.push("a.ctp", f"{fake.host}/a/app:1")
    place.pack("plain-tar", "b.ctp")
    before, fake.seen = dict(fake.manifests), []
    said = place.push("b.ctp", f"{fake.host}/a/app:1", status=11)
    assert "Not pushed: something else is there already" in said.stderr and "--force" in said.stderr
    assert fake.manifests == before and not [one for one in fake.seen if one[0] in ("POST", "PUT", "PATCH")]
    made = place.pushed("--force", "b.ctp", f"{fake.host}/a/app:1")
    assert digest(fake.manifests["1"][0]) == made["image"] != digest(before["1"][0])


def test_a_tag_that_appears_meanwhile(place: Place, fake: Fake) -> None:
    place.insecure(fake.host)
    other = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).encode()

    def appears(handler: Any) -> bool:
        fake.manifests["1"] = (other, INDEX)
        return False

    fake.answers[".*/blobs/uploads/.*"] = appears
    said = place.push("a.ctp", f"{fake.host}/a/app:1", status=11)
    assert "names another image" in said.stderr and fake.manifests["1"] == (other, INDEX)


# -- what is damaged or refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("there", [False, True], ids=["absent", "there already"])
@pytest.mark.parametrize("change", ["blob-layer", "blob-config", "blob-manifest"])
def test_a_damaged_bundle_gets_no_name(change: str, there: bool, place: Place, fake: Fake) -> None:
    """Nor is its blob completed, whether or not the registry has the good one already."""
    place.insecure(fake.host)
    place.damaged(change)
    if there:
        place.push("a.ctp", f"{fake.host}/a/app:1")
    before = dict(fake.manifests)
    said = place.push("bad.ctp", f"{fake.host}/a/app:2", status=1)
    assert "Not pushed: hash mismatch" in said.stderr and "Expected:" in said.stderr and said.stdout == ""
    assert fake.manifests == before
    assert all(digest(data) == name for name, data in fake.blobs.items())


def test_of_several_damaged_blobs_each_is_named(place: Place, fake: Fake) -> None:
    place.insecure(fake.host)
    place.pack("large", "large.ctp")
    data = bytearray((place.directory / "large.ctp").read_bytes())
    held = members(place.directory / "large.ctp")
    wrong = sorted(
        (name for name in held if name.startswith("blobs/") and len(held[name]) > 1 << 20),
        key=lambda name: data.find(held[name]),
    )
    for name in wrong[:3]:
        data[data.find(held[name]) + 1000] ^= 1
    (place.directory / "large.ctp").write_bytes(data)
    said = place.push("large.ctp", f"{fake.host}/a/app:2", status=1)
    assert "Expected:" in said.stderr and said.stderr.count("hash-mismatch") == 2
    assert fake.manifests == {} and all(digest(data) == name for name, data in fake.blobs.items())


def test_a_bundle_that_changes_meanwhile(place: Place, fake: Fake) -> None:
    place.insecure(fake.host)
    fake.answers[".*/blobs/uploads/.*"] = lambda _: os.utime(place.directory / "a.ctp") is not None
    said = place.push("a.ctp", f"{fake.host}/a/app:1", status=11)
    assert "Not pushed: a file changed while it was read" in said.stderr and fake.manifests == {}


@pytest.mark.parametrize(("change", "status"), [("derived-index", 1), ("signature-flipped", 2), ("unsigned", 2), ("cut", 10)])
def test_what_does_not_pass_contacts_nobody(change: str, status: int, place: Place, fake: Fake) -> None:
    place.insecure(fake.host)
    place.damaged(change)
    said = place.push("bad.ctp", f"{fake.host}/a/app:1", status=status)
    assert "Not pushed: " in said.stderr
    assert not [one for one in fake.seen if one[0] != "GET"] and (status == 1 or fake.seen == [])


def test_a_stranger_s_bundle_contacts_nobody(place: Place, fake: Fake, tmp_path: Path) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text('{"version":"1","signers":{"allowed":[{"key_id":"bob"}]}}')
    place.insecure(fake.host)
    said = place.push("-p", policy, "a.ctp", f"{fake.host}/a/app:1", status=3)
    assert "Not pushed: " in said.stderr and fake.seen == []


def test_an_upload_needs_every_pass(place: Place, fake: Fake) -> None:
    opened = tool("ct-open", "a.ctp", env=place.env, cwd=place.directory).stdout
    checked = tool("ct-check", env=place.env, input=opened).stdout
    for record in (opened, checked):
        made = tool("ct-upload", f"{fake.host}/a/app:1", env=place.env, input=record, status=70)
        assert "not been made" in made.stderr and fake.seen == []


def test_forged_records(place: Place) -> None:
    """What is not of its type is refused before anything is written."""
    opened = tool("ct-open", "a.ctp", env=place.env, cwd=place.directory).stdout
    line, end = opened.splitlines()
    blob: dict[str, Any] = json.loads(line)["content"][0]
    for change in ({"bundle": 5}, {"content": [{**blob, "at": {"fd": 3, "url": 5}}]}):
        forged = json.dumps(json.loads(line) | change) + f"\n{end}\n"
        tool("ct-write", "--no-verify", "-o", "forged.ctp", env=place.env, input=forged, cwd=place.directory, status=10)
        assert not (place.directory / "forged.ctp").exists()


# -- what does not arrive ------------------------------------------------------------------------------------------------------------


def swallow(reply: int = 201) -> Any:
    return lambda handler: (
        handler.command == "PUT" and (list(handler.body()), handler.reply(reply, Docker_Content_Digest=""))[1]
    )


def test_a_registry_that_shows_nothing_of_what_it_took(place: Place, fake: Fake) -> None:
    """Neither manifests nor lists: that is said in seconds."""
    fake.api = False
    place.insecure(fake.host)
    fake.answers = {".*/manifests/.*": lambda handler: handler.command in ("GET", "HEAD") and (handler.reply(404), True)[1]}
    begun = time.monotonic()
    said = place.push("a.ctp", f"{fake.host}/a/app:1", status=12)
    assert "Not pushed: what was sent is not there as it was sent" in said.stderr
    assert time.monotonic() - begun < 15


def test_a_registry_that_shows_late_what_it_took(place: Place, fake: Fake) -> None:
    place.insecure(fake.host)
    asked: dict[str, int] = {}

    def late(handler: Any) -> bool:
        named = handler.path.rpartition("/")[2]
        if handler.command != "GET" or named not in fake.manifests:
            return False
        asked[named] = asked.get(named, 0) + 1
        return bool(asked[named] == 1 and (handler.reply(404), True)[1])

    fake.answers[".*/manifests/.*"] = late
    place.push("a.ctp", f"{fake.host}/a/app:1")
    assert len(asked) == 3 and min(asked.values()) > 1


def test_a_tag_that_appears_at_the_last_moment(place: Place, fake: Fake) -> None:
    """Between the last look and the tag: a registry that heeds If-None-Match keeps what was first."""
    place.insecure(fake.host)
    other = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST}).encode()

    def appears(handler: Any) -> bool:
        if handler.command == "PUT" and "1" not in fake.manifests:
            fake.manifest(other, "1")
        return False

    fake.answers[".*/manifests/1"] = appears
    place.push("a.ctp", f"{fake.host}/a/app:1", status=11)
    assert fake.manifests["1"][0] == other
    place.push("--force", "a.ctp", f"{fake.host}/a/app:1")


def test_a_registry_that_loses_what_it_took(place: Place, fake: Fake) -> None:
    """A manifest, a blob, the entry in the list, the tag: each is missed."""
    place.insecure(fake.host)
    image = place.image()["digest"]
    layer = members(place.directory / "a.ctp")["attestations.jsonl"]

    def forgets(handler: Any) -> bool:
        fake.attached.clear()
        return False

    def damages(handler: Any) -> bool:
        if handler.command == "GET":
            handler.reply(200, bytes(len(layer)), "application/octet-stream")
        return bool(handler.command == "GET")

    for pattern, act in (
        (f".*/manifests/{image}", swallow()),
        (".*/manifests/1", swallow()),
        (".*/referrers/.*", forgets),
        (f".*/blobs/{digest(layer)}", damages),
    ):
        fake.answers = {pattern: act}
        fake.kept["a/app"] = registries.Kept()
        said = place.push("a.ctp", f"{fake.host}/a/app:1", status=12)
        assert "Not pushed: what was sent is not there as it was sent" in said.stderr, (pattern, said.stderr)
        assert "1" not in fake.manifests and said.stdout == ""
    fake.answers = {}
    place.push("a.ctp", f"{fake.host}/a/app:1")


# -- the referrers tag ---------------------------------------------------------------------------------------------------------------


def test_others_entries_stay(place: Place, fake: Fake) -> None:
    """As they are, but for those whose manifests are gone; an ETag is heeded."""
    fake.api = False
    place.insecure(fake.host)
    image = place.image()["digest"]
    here = registries.artifact(fake, [(b"x", "text/plain", None)], image)
    odd = {**here, "annotations": {"é": "\u2028 <&>", "n": "1"}, "platform": {"os": "linux"}, "1": [1, None, True]}
    strange = [{"digest": here["digest"], "mediaType": "x/y"}, {**here, "size": 1.5e300, "Digest": "a"}]
    gone = {**here, "digest": "sha256:" + "5" * 64}
    index = {"schemaVersion": 2, "mediaType": INDEX, "annotations": {"of": "others"}, "manifests": [odd, *strange, gone]}
    tag = image.replace(":", "-")
    fake.manifest(json.dumps(index).encode(), tag, INDEX)
    made = place.pushed("a.ctp", f"{fake.host}/a/app:1")
    data, kind = fake.manifests[tag]
    listed = json.loads(data)
    assert kind == INDEX and listed.pop("manifests")[:-1] == [odd, *strange]
    assert listed == {key: value for key, value in index.items() if key != "manifests"}
    assert json.loads(data)["manifests"][-1] == {
        "mediaType": MANIFEST, "digest": made["bundle"], "size": len(fake.manifests[made["bundle"]][0]), "artifactType": BUNDLE,
    }  # fmt: skip


def test_what_is_no_index_is_left_alone(place: Place, fake: Fake) -> None:
    fake.api = False
    place.insecure(fake.host)
    image = place.image()["digest"]
    registries.artifact(fake, [(b"x", "text/plain", None)], reference=image.replace(":", "-"))
    held = fake.manifests[image.replace(":", "-")]
    said = place.push("--force", "a.ctp", f"{fake.host}/a/app:1", status=11)
    assert "no index" in said.stderr and fake.manifests[image.replace(":", "-")] == held and "1" not in fake.manifests


@pytest.mark.parametrize("conditional", [True, False])
def test_a_writer_in_between(conditional: bool, place: Place, fake: Fake) -> None:
    """Another changes the list between our reading and our writing, or undoes ours after it: both end up listed."""
    fake.api, fake.conditional = False, conditional
    place.insecure(fake.host)
    image = place.image()["digest"]
    tag = image.replace(":", "-")
    other = registries.artifact(fake, [(b"other", "text/plain", None)], image)
    theirs = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [other]}).encode()
    left = [2]

    def meddle(handler: Any) -> bool:
        if handler.command == "PUT" and conditional and left[0]:
            left[0] -= 1
            fake.manifest(theirs.replace(b"{", b"{" + b" " * left[0], 1), tag, INDEX)
        elif handler.command == "GET" and not conditional and left[0] and tag in fake.manifests:
            # The first change of ours was made: theirs, made from what was read before it, comes over it.
            left[0] -= 1
            fake.manifest(theirs.replace(b"{", b"{" + b" " * left[0], 1), tag, INDEX)
        return False

    fake.answers[f".*/manifests/{tag}"] = meddle
    made = place.pushed("a.ctp", f"{fake.host}/a/app:1")
    assert left == [0]
    assert [one["digest"] for one in json.loads(fake.manifests[tag][0])["manifests"]] == [other["digest"], made["bundle"]]


def test_an_etag_that_is_never_taken() -> None:
    """A proxy weakens ETags, so that no If-Match matches: what nobody changed is changed without."""

    class Weakened:
        host, conditions, data = "registry.example", [], None  # type: ignore[var-annotated]

        def described(self, _: str) -> Any:
            return self.data and (self.data, {"etag": 'W/"x"'})

        def put_manifest(self, _: str, data: bytes, __: str, *, headers: Any = None) -> dict[str, str]:
            self.conditions.append(headers)
            if headers and "If-Match" in headers:
                raise Conflict("network", "412")
            self.data = data
            return {}

        def has(self, _: str) -> bool:
            return True

    server: Any = Weakened()
    for number in "12":
        referrertag.add(server, "sha256:" + "0" * 64, {"mediaType": MANIFEST, "digest": "sha256:" + number * 64, "size": 2})
    assert server.conditions == [{"If-None-Match": "*"}, {"If-Match": 'W/"x"'}, None]
    assert len(json.loads(server.data)["manifests"]) == 2


@pytest.mark.parametrize("held", [None, "others"])
def test_a_change_that_nothing_is_to_be_seen_of(held: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry takes the list, and goes on as if it had not: that is not tried for minutes."""
    slept: list[float] = []
    monkeypatch.setattr(referrertag.time, "sleep", slept.append)
    data = json.dumps({"manifests": []}).encode() if held else None

    class Deaf:
        host, puts = "registry.example", 0

        def described(self, _: str) -> Any:
            return data and (data, {"etag": '"x"'})

        def put_manifest(self, *_: Any, **__: Any) -> dict[str, str]:
            self.puts += 1
            return {}

    server: Any = Deaf()
    with pytest.raises(Fail, match="is taken, and not there afterwards") as caught:
        referrertag.add(server, "sha256:" + "0" * 64, {"mediaType": MANIFEST, "digest": "sha256:" + 64 * "1", "size": 2})
    assert caught.value.finding["finding"] == "not-arrived" and server.puts == 5 and sum(slept) < 5


def test_pushes_at_the_same_time(registry: str, place: Place) -> None:
    """Six bundles of one image, each signed otherwise, into a registry that ignores If-Match."""
    place.insecure(registry)
    for number in range(6):
        place.pack("single", f"{number}.ctp", "--version", f"{number}")
    words = [[str(BIN / "ct"), "push", "--json", f"{number}.ctp", f"{registry}/many/app:same"] for number in range(6)]
    running = [subprocess.Popen(one, env=place.env, cwd=place.directory, stdout=subprocess.PIPE, text=True) for one in words]
    said = [json.loads(one.communicate()[0].splitlines()[-1]) for one in running]
    assert [one.returncode for one in running] == [0] * 6
    tag = said[0]["image"].replace(":", "-")
    listed = json.loads(send(registries.Client(registry, "many/app"), f"manifests/{tag}", INDEX))["manifests"]
    assert sorted(one["digest"] for one in listed) == sorted(one["bundle"] for one in said)
    assert len({one["bundle"] for one in said}) == 6


# -- files and directories -----------------------------------------------------------------------------------------------------------


def test_a_file_and_a_directory(place: Place) -> None:
    good = (place.directory / "a.ctp").read_bytes()
    (place.directory / "sub").mkdir()
    for where, path in (("./sub", "sub/a.ctp"), ("file:c.ctp", "c.ctp")):
        umask = os.umask(0o027)
        try:
            place.push("a.ctp", where)
        finally:
            os.umask(umask)
        made = place.directory / path
        assert made.read_bytes() == good and made.stat().st_mode & 0o777 == 0o640
        before = made.stat()
        assert "nothing, all " in place.push("a.ctp", where).stdout
        assert made.stat() == before
    assert sorted(one.name for one in (place.directory / "sub").iterdir()) == ["a.ctp"]
    place.push("a.ctp", "./none/", status=11)
    place.push("a.ctp", "./none/x.ctp", status=11)
    # Onto itself.
    assert "nothing, all " in place.push("a.ctp", ".").stdout


def test_a_file_that_is_there(place: Place) -> None:
    good, other = (place.directory / "a.ctp").read_bytes(), place.directory / "b.ctp"
    for theirs in (b"theirs", good[:-1] + b"x", bytes(len(good)), good[:5000] + b"!" + good[5001:]):
        other.write_bytes(theirs)
        said = place.push("a.ctp", "./b.ctp", status=11)
        assert "something else is there already" in said.stderr and other.read_bytes() == theirs
    place.push("--force", "a.ctp", "./b.ctp")
    assert other.read_bytes() == good
    other.unlink()
    os.mkfifo(other)
    place.push("--force", "a.ctp", "./b.ctp", status=11)


@pytest.mark.parametrize("there", [False, True])
def test_damage_is_not_copied(there: bool, place: Place) -> None:
    bad = place.damaged("blob-layer")
    if there:
        shutil.copy(bad, place.directory / "copy.ctp")
    before = sorted(os.listdir(place.directory))
    place.push("--force", "bad.ctp", "./copy.ctp", status=1)
    assert sorted(os.listdir(place.directory)) == before


def test_a_file_system_without_links(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAT, as on most USB sticks: a file can only be renamed there."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    monkeypatch.delattr("os.O_TMPFILE")
    monkeypatch.setattr("os.O_TMPFILE", os.O_DIRECTORY, raising=False)
    import contextlib

    checked = "".join(tool(name, *more, env=place.env, cwd=place.directory).stdout for name, *more in [("ct-open", "a.ctp")])
    record = json.loads(checked.splitlines()[0])

    class Transfers:
        @staticmethod
        def begin(*_: object) -> Any:
            return type("Transfer", (), {"add": lambda *_: None, "end": lambda *_: None})()

    path = str(place.directory / "b.ctp")
    made = filestore.push(record, {"path": path}, {"force": False}, Transfers)
    assert made["moved"] == os.path.getsize(path) and Path(path).read_bytes() == (place.directory / "a.ctp").read_bytes()
    # fsync(2) says once that something could not be written, and after that that all is well.
    Path(path).unlink()
    failures = [OSError(5, "Input/output error")]

    def fails_once(fd: int) -> None:
        if failures:
            raise failures.pop()

    with monkeypatch.context() as patch, pytest.raises(Fail, match="Input/output error"):
        patch.setattr("os.fsync", fails_once)
        filestore.push(record, {"path": path}, {"force": False}, Transfers)
    assert not os.path.exists(path)
    Path(path).write_bytes(b"theirs")
    with pytest.raises(Fail), contextlib.nullcontext():
        filestore.push(record, {"path": path}, {"force": False}, Transfers)
    assert sorted(one for one in os.listdir(place.directory) if one.startswith(".")) == []


# -- the command line ----------------------------------------------------------------------------------------------------------------


def test_usage(place: Place) -> None:
    for words, said in (
        ((), "FILE is needed"),
        (("a.ctp",), "DEST is needed"),
        (("-", "./x"), "saved to a file"),
        (("a.ctp", "-"), "place"),
        (("a.ctp", "b", "c"), "one bundle and one destination"),
        (("-k", "alice", "a.ctp", "./x"), "--cosign"),
        (("--cosign", "a.ctp", "./x"), "--cosign"),
        (("--nonsense", "a.ctp", "./x"), "unknown option"),
        (("-p",), "needs a value"),
        (("a.ctp", "backup"), "./backup"),
        (("a.ctp", "https://example.org/r"), "git+https://example.org/r"),
    ):
        made = place.push(*words, status=64)
        assert said in made.stderr and made.stdout == "", words


def test_quiet_and_json(place: Place, fake: Fake) -> None:
    place.insecure(fake.host)
    assert place.push("-q", "a.ctp", f"{fake.host}/a/app:1").stdout == ""
    lines = [json.loads(line) for line in place.push("--json", "a.ctp", f"{fake.host}/b/app:1").stdout.splitlines()]
    assert {one["event"] for one in lines[:-1]} >= {"end"} and lines[-1]["action"] == "pushed"
    assert {one["what"] for one in lines[:-1]} >= {lines[-1]["manifest_digest"]}
    assert lines[-1]["destination"] == f"{fake.host}/b/app:1" and lines[-1]["file"] == "a.ctp"


D = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("reg.example/a/b", ("registry", "reg.example/a/b:latest", False)),
        ("reg.example/a/b:1", ("registry", "reg.example/a/b:1", True)),
        ("localhost:5000/a:1", ("registry", "localhost:5000/a:1", True)),
        ("localhost/a", ("registry", "localhost/a:latest", False)),
        (f"reg.example/a@{D}", ("registry", f"reg.example/a@{D}", False)),
        (f"reg.example/a:1@{D}", ("registry", f"reg.example/a:1@{D}", True)),
        ("s3://bucket/key", ("object", "s3://bucket/key")),
        ("s3://bucket", ("object", "s3://bucket")),
        ("gs://bucket/a/", ("object", "gs://bucket/a/")),
        ("az://box/a b", ("object", "az://box/a b")),
        ("git://h.example/o/r", ("git", "https://h.example/o/r", None, None)),
        ("git+https://h.example/o/r#a/b:1", ("git", "https://h.example/o/r", "a/b", "1")),
        ("git://h.example/o/r#a/b", ("git", "https://h.example/o/r", "a/b", None)),
        ("git+ssh://git@h.example:22/o/r", ("git", "ssh://git@h.example:22/o/r", None, None)),
        ("git+file:///srv/r.git", ("git", "file:///srv/r.git", None, None)),
        ("file:a", ("file", "a")),
        ("file:///a", ("file", "/a")),
        ("/a", ("file", "/a")),
        ("./a:b", ("file", "./a:b")),
        ("a/", ("file", "a/")),
        ("reg.example/a/", ("file", "reg.example/a/")),
        ("..", ("file", "..")),
    ],
)
def test_places(text: str, expected: tuple[Any, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cerrotorre import reference

    monkeypatch.chdir(tmp_path)
    found = destination.parse(text)
    shown = {
        "registry": lambda: (reference.spell(found["reference"]), found["tagged"]),
        "object": lambda: (found["url"],),
        "git": lambda: (found["url"], found["name"], found["version"]),
        "file": lambda: (found["path"],),
    }
    assert (found["kind"], *shown[found["kind"]]()) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "-",
            "app",
            "app:1",
            "team/app:1",
            "app.ctp",
            "oci:dir",
            "https://h.example/r",
            "ssh://h.example/r",
            "docker://h.example/r",
        ),
        *(
            "git@h.example:o/r",
            "file://h.example/r",
            "file:",
            "s3://",
            "s3:///key",
            "git+https://",
            "git+https://h.example",
            "git+file://x/y",
        ),
        *(
            "git+ssh://-oProxyCommand=x/r",
            "git+https://u:secret@h.example/r",
            "git+https://h.example/r#x:",
            "git+https://h.example/r#../x:1",
        ),
        *(
            "reg.example/Upper:1",
            "reg.example/a:",
            "reg.example/a\nb",
            "reg.example/a\x1b",
            "user@reg.example/a",
            "ftp://h.example/x",
        ),
    ],
)
def test_no_places(text: str) -> None:
    with pytest.raises(Fail) as caught:
        destination.parse(text)
    assert caught.value.finding["status"] == 64
    assert "secret" not in json.dumps(caught.value.finding)


def test_a_reference_that_is_a_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert destination.parse("mirror.d/app:1")["kind"] == "registry"
    (tmp_path / "mirror.d").mkdir()
    with pytest.raises(Fail, match="in this directory too"):
        destination.parse("mirror.d/app:1")
    assert destination.parse("./mirror.d/app:1")["kind"] == "file"
