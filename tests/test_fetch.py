"""ct fetch from outside: a bundle that lies in a registry comes back byte for byte, or a finding says why it does not."""

import json
import os
import shutil
import subprocess

import alter
import images
import pytest
from conftest import BUILD
from registries import BUNDLE as TYPE
from registries import KINDS, MANIFEST, Client, Fake, artifact, digest, docker_registry, members_of, push_layout
from registries import attach_bundle as attach

BIN = BUILD.resolve() / "bin"


class World:
    """A directory with two keys, an image, and the bundles of it that each of them signed."""

    def __init__(self, directory):
        self.directory = directory
        self.env = {"PATH": f"{BIN}:{os.environ['PATH']}", "CT_HOME": str(directory / "store"), "HOME": str(directory), "LC_ALL": "C.UTF-8"}  # fmt: skip
        for name in ("one", "two"):
            self.good("ct", "keygen", "--no-password", "--id", name)
            self.good("ct", "keygen", "--no-password", "--id", f"not-{name}", env={"CT_HOME": str(directory / "strangers")})
        images.make("single", directory / "app")
        images.make("multi", directory / "multi")
        for platform, name in (("all", "multi"), ("amd64", "amd")):
            self.good("ct", "pack", "-k", "one", "--name", "app", "--version", "1.4", "--platform", platform, "oci:multi", "-o", f"{name}.ctp")  # fmt: skip
        self.good("ct", "pack", "-k", "one", "--name", "app", "--version", "1.4", "oci:app", "-o", "one.ctp")
        self.good("ct", "pack", "-k", "two", "--name", "app", "--version", "1.4", "oci:app", "-o", "two.ctp")
        self.good("ct", "pack", "-k", "not-one", "--name", "app", "--version", "1.4", "oci:app", "-o", "strange.ctp", env={"CT_HOME": str(directory / "strangers")})  # fmt: skip
        (self.directory / "store" / "config.toml").write_text('[registries]\ninsecure = ["127.0.0.1"]\n')

    def run(self, *words, env=None, **more):
        made = subprocess.run([str(word) for word in words], capture_output=True, cwd=self.directory, env=self.env | (env or {}), text=True, **more)  # fmt: skip
        assert "Traceback" not in made.stderr, made.stderr
        return made

    def good(self, *words, **more):
        made = self.run(*words, **more)
        assert made.returncode == 0, made.stderr
        return made

    def fetch(self, *words, status=0, output="got.ctp", **more):
        (self.directory / output).unlink(missing_ok=True)
        made = self.run("ct", "fetch", *words, "-o", output, **more)
        assert made.returncode == status, (made.returncode, made.stdout, made.stderr)
        assert (self.directory / output).exists() == (status == 0)
        # Nothing is left beside it but what a later call goes on from.
        assert not list(self.directory.glob(".ct.*"))
        return made

    def read(self, name):
        return (self.directory / name).read_bytes()

    def policy(self, name, value):
        (self.directory / name).write_text(json.dumps(value))

    def same(self, name, output="got.ctp"):
        return self.read(name) == self.read(output)

    def findings(self, *words, status, **more):
        """The slugs of all findings that refuse, in order."""
        made = self.fetch("--json", *words, status=status, **more)
        return [one["finding"] for said in told(made) for one in said["findings"] if one["status"]]


def told(made):
    """What --json says of each bundle, without the events of its transfers."""
    return [said for line in made.stdout.splitlines() if "event" not in (said := json.loads(line))]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture
def fake():
    with Fake() as server:
        yield server


@pytest.fixture(scope="module")
def docker(tmp_path_factory):
    with docker_registry(tmp_path_factory.mktemp("registry") / "docker") as host:
        yield host


def pushed(registry, world, layout="app", tag="1.4"):
    """An image in a registry: (its digest, how it is spelled)."""
    return push_layout(registry, world.directory / layout, tag), f"{registry.host}/{registry.name}:{tag}"


# -- found and whole -----------------------------------------------------------------------------------------------------------


def test_back_from_dockers_registry_byte_for_byte(world, docker):
    registry = Client(docker, "team/app")
    image, named = pushed(registry, world)
    mine = attach(registry, world.read("one.ctp"), image)
    made = world.fetch(named)
    assert world.same("one.ctp")
    assert f"Fetched {named} → got.ctp" in made.stdout and image in made.stdout and "Signed by:  one  " in made.stdout
    # By digest, and the one bundle by its own.
    world.fetch(f"{docker}/team/app@{image}")
    world.fetch("--bundle", mine, named)
    assert world.same("one.ctp")
    # A tag that nothing has is no image, not one without a bundle.
    assert "no such image" in world.fetch(f"{docker}/team/app:2", status=12).stderr


@pytest.mark.parametrize("api", [True, False])
def test_back_from_a_registry_with_or_without_the_api(world, fake, api):
    fake.api, fake.page, fake.misreports = api, 1, True
    image, named = pushed(fake, world)
    attach(fake, world.read("one.ctp"), image)
    # What others attach, and what is listed and gone, is passed over.
    artifact(fake, [(b"{}", "text/plain", None)], subject=image, artifact_type="text/other")
    gone = {"mediaType": MANIFEST, "digest": "sha256:" + "0" * 64, "size": 2, "artifactType": TYPE}
    fake.attached.setdefault(image, []).append(gone)
    world.fetch(named)
    assert world.same("one.ctp")
    assert [path for method, path, _ in fake.seen if path.endswith("/1.4")] == [f"/v2/{fake.name}/manifests/1.4"]


def test_what_the_api_does_not_list_is_found_by_the_tag(world, fake):
    image, named = pushed(fake, world)
    fake.api = False
    attach(fake, world.read("one.ctp"), image)
    fake.api = True
    world.fetch(named)
    assert world.same("one.ctp")


def test_trust_members_are_judged_before_a_blob_is_asked_for(world, fake):
    image, named = pushed(fake, world)
    attach(fake, world.read("strange.ctp"), image)
    assert world.findings(named, status=3) == ["signer-unknown"]
    layers = {
        entry["digest"] for entry in json.loads((world.directory / "app/blobs/sha256" / image[7:]).read_bytes())["layers"]
    }
    assert not [path for _, path, _ in fake.seen if path.rpartition("/")[2] in layers]


def test_a_large_statement_comes_too(world, fake):
    large = alter.altered(
        "attestations-large", world.read("one.ctp"), alter.open_key(str(world.directory / "store/keys/one.key"))
    )
    (world.directory / "large.ctp").write_bytes(large)
    image, named = pushed(fake, world)
    attach(fake, large, image)
    assert world.run("ct", "verify", "large.ctp").returncode == world.run("ct", "fetch", named, "-o", "large2.ctp").returncode
    world.fetch("--no-verify", named)
    assert world.same("large.ctp")


# -- several -------------------------------------------------------------------------------------------------------------------


def test_of_several_the_one_that_passes(world, fake):
    image, named = pushed(fake, world)
    attach(fake, world.read("strange.ctp"), image)
    attach(fake, world.read("one.ctp"), image)
    # One that is malformed passes nowhere, and one whose parts are gone neither.
    attach(fake, world.read("one.ctp"), image, kinds=KINDS[::-1])
    parts = members_of(world.read("two.ctp"))
    attach(fake, b"", image, members=parts)
    del fake.blobs[digest(parts[2])]
    made = world.fetch("--json", "--record", "log", named)
    assert world.same("one.ctp")
    assert sorted((one["action"], one["finding"] or "") for one in told(made)) == [
        ("fetched", ""), ("refused", "bundle-manifest"), ("refused", "bundle-manifest"), ("refused", "signer-unknown"),
    ]  # fmt: skip
    assert world.run("ct", "audit", "log").returncode == 0
    made = world.run("ct", "fetch", "--no-verify", named, "-o", "got.ctp")
    assert made.returncode == 10 and "2 of 4 pass" in made.stderr


def test_several_that_pass_are_ambiguous(world, fake):
    image, named = pushed(fake, world)
    both = [attach(fake, world.read(name), image) for name in ("one.ctp", "two.ctp")]
    assert world.findings(named, status=10) == ["bundle-ambiguous"] * 2
    made = world.fetch(named, status=10)
    assert all(f"ct fetch --bundle {one} {named} -o NEW.ctp" in made.stderr for one in both)
    world.fetch("--bundle", both[1], named)
    assert world.same("two.ctp")
    world.policy("p.json", {"version": "1", "signers": {"allowed": [{"key_id": "one"}]}})
    world.fetch("--policy", "p.json", named)
    assert world.same("one.ctp")


def test_none_that_passes_says_why_of_each(world, fake):
    image, named = pushed(fake, world)
    attach(fake, world.read("strange.ctp"), image)
    attach(fake, world.read("one.ctp"), image)
    world.policy("p.json", {"version": "1", "suites": {"allowed": ["CT-SIG-02"]}})
    made = world.fetch("--policy", "p.json", named, status=3)
    assert "signed by nobody you know" in made.stderr and "the suite is not allowed" in made.stderr


def test_one_that_cannot_be_judged_might_have_passed(world, fake):
    image, named = pushed(fake, world)
    attach(fake, world.read("one.ctp"), image)
    other = members_of(world.read("two.ctp"))
    attach(fake, b"", image, members=other)
    fake.answers[f".*/blobs/{digest(other[2])}"] = lambda handler: handler.reply(403, b"{}")
    assert sorted(world.findings(named, status=12)) == ["bundle-ambiguous", "network"]
    assert "1 of 2 pass, and 1 could not be judged" in world.fetch(named, status=12).stderr


# -- refused -------------------------------------------------------------------------------------------------------------------


def test_an_image_without_a_bundle(world, fake):
    _, named = pushed(fake, world)
    made = world.fetch(named, status=12)
    assert "there is no bundle there" in made.stderr and f"ct fetch --create {named} -o NEW.ctp" in made.stderr
    assert world.findings("--bundle", "sha256:" + "0" * 64, named, status=12) == ["no-bundle"]
    assert world.run("ct-download", "--has", named).returncode == 6


@pytest.mark.parametrize("path", ["referrers/.*", "manifests/sha256-.*"])
@pytest.mark.parametrize("status", [403, 500])
def test_an_answer_that_fails_is_no_absence(world, fake, path, status):
    _, named = pushed(fake, world)
    fake.answers[f"/v2/.*/{path}"] = lambda handler: handler.reply(status, b"{}", Retry_After="0")
    assert world.findings(named, status=12) == ["network"]
    assert world.run("ct-download", "--has", named).returncode == 12
    world.fetch("--create", named, status=12)


def test_a_referrers_tag_that_is_no_index(world, fake):
    image, named = pushed(fake, world)
    fake.api = False
    artifact(fake, [(b"x", "text/plain", None)], reference=image.replace(":", "-"))
    assert world.findings(named, status=12) == ["network"]


def test_too_many(world, fake):
    image, named = pushed(fake, world)
    fake.attached[image] = [{"mediaType": MANIFEST, "digest": digest(b"%d" % number), "size": 2} for number in range(257)]
    assert world.findings(named, status=10) == ["bundle-ambiguous"]


def bad_manifest(world, fake, image):
    one = world.read("one.ctp")
    other = members_of(world.read("multi.ctp"))
    return {
        "kinds": lambda: attach(fake, one, image, kinds=KINDS[::-1]),
        "fewer": lambda: attach(fake, one, image, kinds=KINDS[:2]),
        "more": lambda: attach(fake, one, image, kinds=[*KINDS, "text/x"], members=[*members_of(one), b"x"]),
        "subject": lambda: attach(fake, one, image, about="sha256:" + "1" * 64),
        "no subject": lambda: attach(fake, one, image, about={}),
        "of another image": lambda: attach(fake, b"", image, members=other),
    }


@pytest.mark.parametrize("what", ["kinds", "fewer", "subject", "no subject", "of another image"])
def test_what_is_attached_and_is_no_bundle_of_the_image(world, fake, what):
    image, named = pushed(fake, world)
    bad_manifest(world, fake, image)[what]()
    assert world.findings(named, status=10) == ["bundle-manifest"]
    # Nor without asking about signatures.
    assert world.findings("--no-verify", named, status=10) == ["bundle-manifest"]


def test_a_member_over_its_limit_is_not_asked_for(world, fake):
    image, named = pushed(fake, world)
    described = artifact(fake, [(data, kind, None) for data, kind in zip(members_of(world.read("one.ctp")), KINDS, strict=True)], subject=image, artifact_type=TYPE)  # fmt: skip
    doc = json.loads(fake.manifests[described["digest"]][0])
    doc["layers"][1]["size"] = 9 << 20
    data = json.dumps(doc).encode()
    fake.manifest(data, digest(data))
    fake.attached[image] = [{"mediaType": MANIFEST, "digest": digest(data), "size": len(data)}]
    assert world.findings(named, status=10) == ["bundle-manifest"]


# -- mirrors -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def mirrored(world, fake):
    """(a mirror that holds what the registry holds, the environment in which it is one, the reference)."""
    with Fake() as mirror:
        for server in (fake, mirror):
            image, _ = pushed(server, world)
            attach(server, world.read("one.ctp"), image)
        home = world.directory / f"mirrors-{mirror.server_address[1]}"
        shutil.copytree(world.directory / "store", home)
        mirrors = f'mirrors = ["{fake.host}/a={mirror.host}/a"]\n'
        (home / "config.toml").write_text(f'[registries]\ninsecure = ["127.0.0.1"]\n{mirrors}')
        yield mirror, {"CT_HOME": str(home)}, f"{fake.host}/a/app:1.4"


def test_a_mirror_that_has_everything_is_enough(world, fake, mirrored):
    _, env, ref = mirrored
    fake.answers[".*"] = lambda handler: handler.reply(404)
    world.fetch(ref, env=env)
    assert world.same("one.ctp") and not [path for _, path, _ in fake.seen if path != "/v2/"]
    # What was asked for stays the registry's.
    assert world.findings(ref, "--expect", "other:1.4", env=env, status=4) == ["not-expected"]


@pytest.mark.parametrize(
    "lacks", ["list", "bundle", "layer", "config", "documents", "all blobs", "layer is another", "layer is cut off"]
)
def test_what_a_mirror_does_not_have_is_the_registrys(world, fake, mirrored, lacks):
    mirror, env, ref = mirrored
    doc = json.loads(mirror.manifests["1.4"][0])
    layer, config = doc["layers"][0]["digest"], doc["config"]["digest"]
    held = mirror.blobs[layer]
    pattern, act = {
        "list": (".*/(referrers/|manifests/sha256-).*", lambda handler: handler.reply(404)),
        "bundle": (".*/manifests/sha256:.*", lambda handler: handler.reply(404)),
        "layer": (f".*/blobs/{layer}", lambda handler: handler.reply(404)),
        "config": (f".*/blobs/{config}", lambda handler: handler.reply(403)),
        "documents": (".*/manifests/sha256:.*", lambda handler: handler.reply(200, b"<p>Welcome!")),
        "all blobs": (".*/blobs/.*", lambda handler: handler.reply(401, WWW_Authenticate="Basic")),
        "layer is another": (f".*/blobs/{layer}", lambda handler: handler.reply(200, bytes(len(held)))),
        "layer is cut off": (f".*/blobs/{layer}", lambda handler: handler.reply(416)),
    }[lacks]
    mirror.answers[pattern] = act
    world.fetch(ref, env=env)
    assert world.same("one.ctp")
    assert any("/manifests/1.4" in path for _, path, _ in mirror.seen)
    assert not any("/manifests/1.4" in path for _, path, _ in fake.seen)


def test_a_mirror_without_a_list_hides_nothing(world, fake, mirrored):
    """Where the registry cannot be asked, an image of a mirror that lists no bundle is not said to have none."""
    mirror, env, ref = mirrored
    mirror.attached.clear()
    fake.answers[".*/(referrers|manifests)/.*"] = lambda handler: handler.reply(403)
    assert world.findings(ref, env=env, status=12) == ["network"]


def test_a_pack_from_a_mirror_that_lacks_a_blob(world, fake, mirrored):
    mirror, env, ref = mirrored
    layer = json.loads(mirror.manifests["1.4"][0])["layers"][0]["digest"]
    del mirror.blobs[layer]
    (world.directory / "packed.ctp").unlink(missing_ok=True)
    world.good("ct", "pack", "-k", "one", ref, "-o", "packed.ctp", env=env)
    assert f'source = "{mirror.host}/a/app:1.4"'.encode() in world.read("packed.ctp")
    del fake.blobs[layer]
    made = world.run("ct", "pack", "-k", "one", ref, "-o", "other.ctp", env=env)
    assert made.returncode == 10 and "a blob of the image is absent" in made.stderr and layer in made.stderr


def test_an_attached_manifest_over_its_limit(world, fake):
    """It is not read: 256 of 4 MiB would be a GiB."""
    image, ref = pushed(fake, world)
    long = json.dumps({"artifactType": TYPE, "annotations": {"a": "x" * (1 << 20)}}).encode()
    fake.manifest(long, digest(long))
    fake.attached.setdefault(image, []).append({"digest": digest(long)})
    assert world.findings(ref, status=12) == ["no-bundle"]


def test_a_blob_that_is_another(world, fake):
    image, named = pushed(fake, world)
    attach(fake, world.read("one.ctp"), image)
    layer = json.loads(fake.manifests[image][0])["layers"][0]
    fake.blobs[layer["digest"]] = bytes(layer["size"])
    made = world.run("ct", "fetch", "--json", named, "-o", "none.ctp")
    assert made.returncode in (1, 12) and not (world.directory / "none.ctp").exists()


def test_the_bundles_own_manifest_is_no_image(world, fake):
    image, _ = pushed(fake, world)
    mine = attach(fake, world.read("one.ctp"), image)
    made = world.fetch(f"{fake.host}/{fake.name}@{mine}", status=10)
    assert f"ct fetch --bundle {mine} {fake.host}/{fake.name}@{image} -o NEW.ctp" in made.stderr


# -- what was asked for --------------------------------------------------------------------------------------------------------


def test_the_reference_is_expected(world, fake):
    image, _ = pushed(fake, world, tag="stable")
    attach(fake, world.read("one.ctp"), image)
    named = f"{fake.host}/{fake.name}:stable"
    made = world.fetch(named, status=4)
    assert "not the bundle that was asked for" in made.stderr and "--expect app" in made.stderr and named in made.stderr
    world.fetch("--expect", "app", named)
    world.fetch("--expect", "app:1.4", named)
    assert world.findings("--expect", "app:1.5", named, status=4) == ["not-expected"]
    # A digest is the most that can be asked for.
    world.fetch(f"{fake.host}/{fake.name}@{image}")
    # Not asked about without verification; that the image is the one that the tag names is.
    world.fetch("--no-verify", named)
    assert world.same("one.ctp")


def test_a_policy_that_was_not_told_what_is_expected_lets_nothing_through(world, fake):
    image, named = pushed(fake, world)
    attach(fake, world.read("one.ctp"), image)
    drop = "jq -c 'if .trust then del(.trust.expected) else . end'"
    made = world.run("sh", "-c", f"ct-download {named} | ct-check | ct-policy | {drop} | ct-write --report fetched -o got2.ctp")
    assert made.returncode == 70 and "nobody asked whether it is" in made.stderr
    for word in ("7", '""'):
        put = f"jq -c 'if .manifest then .expected={word} else . end'"
        made = world.run("sh", "-c", f"ct-open one.ctp | ct-check | {put} | ct-policy | ct-write -o got2.ctp")
        assert made.returncode in (10, 64), made
    assert not (world.directory / "got2.ctp").exists()


def test_an_index_and_the_image_for_a_platform(world, fake):
    top, named = pushed(fake, world, "multi")
    whole = attach(fake, world.read("multi.ctp"), top)
    amd = json.loads(fake.manifests[top][0])["manifests"][0]
    assert amd["platform"]["architecture"] == "amd64"
    part = attach(fake, world.read("amd.ctp"), amd["digest"])
    world.fetch(named)
    assert world.same("multi.ctp")
    world.fetch("--platform", "all", named)
    assert world.same("multi.ctp")
    world.fetch("--platform", "amd64", named)
    assert world.same("amd.ctp")
    world.fetch("--bundle", part, "--platform", "amd64", named)
    assert world.findings("--platform", "plan9/amd64", named, status=10) == ["oci-platform"]
    assert world.findings("--bundle", whole, "--platform", "amd64", named, status=10) == ["bundle-manifest"]
    # Of its own it has none now.
    del fake.attached[top]
    if os.uname().machine == "x86_64":
        world.fetch(named)
        assert world.same("amd.ctp")
    assert world.findings("--platform", "all", named, status=12) == ["no-bundle"]
    image, single = pushed(fake, world, "app", "1.5")
    attach(fake, world.read("one.ctp"), image)
    assert world.findings("--expect", "app", "--platform", "linux/s390x", single, status=10) == ["oci-platform"]


def test_the_tag_moves_meanwhile(world, fake):
    image, named = pushed(fake, world)
    attach(fake, world.read("one.ctp"), image)

    def move(handler):
        push_layout(fake, world.directory / "multi", "1.4")
        return False

    fake.answers[".*/referrers/.*"] = move
    world.fetch(named)
    assert world.same("one.ctp")


# -- decisions, packing, without asking ----------------------------------------------------------------------------------------


def test_the_decision_is_kept_before_the_file_is_there(world, fake):
    image, named = pushed(fake, world)
    attach(fake, world.read("one.ctp"), image)
    log = world.directory / "kept"
    made = world.fetch("--record", log, named)
    assert "Recorded:   1  sha256:" in made.stdout
    world.fetch("--record", log, "--expect", "other", named, status=4)
    decisions = [json.loads(path.read_bytes()) for path in sorted((log / "decisions").iterdir())]
    assert [(one["by"], one["status"], one["passed"].get("content"), one["expected"]) for one in decisions] == [
        ("fetch", 0, True, named), ("fetch", 4, None, "other"),
    ]  # fmt: skip
    assert world.run("ct", "audit", log).returncode == 0
    os.chmod(log, 0o777)
    world.fetch("--record", log, named, status=13)
    os.chmod(log, 0o700)
    (log / "head").write_text("x")
    world.fetch("--record", log, named, status=11)


def test_create(world, fake):
    image, named = pushed(fake, world)
    made = world.fetch("--create", "-k", "one", "-q", named)
    assert not made.stdout
    assert world.run("ct", "verify", "--expect", named, "got.ctp").returncode == 0
    assert "Packed app:1.4 → got.ctp" in world.fetch("--create", "-kone", named).stdout
    attach(fake, world.read("one.ctp"), image)
    assert "Fetched" in world.fetch("--create", "-k", "two", named).stdout
    assert world.same("one.ctp")


def test_without_asking_whose_it_is(world, fake):
    image, named = pushed(fake, world)
    attach(fake, world.read("strange.ctp"), image)
    made = world.fetch("--no-verify", named, env={"CT_COLOR": "always"})
    assert world.same("strange.ctp")
    assert "\x1b[31m" in made.stderr and "is not verified" in made.stderr and "not asked" in made.stdout
    made = world.fetch("--no-verify", "--json", named)
    (said,) = told(made)
    assert said["verified"] is False and "valid" not in said
    layer = json.loads(fake.manifests[image][0])["layers"][0]
    fake.blobs[layer["digest"]] = bytes(layer["size"])
    assert world.run("ct", "fetch", "--no-verify", named, "-o", "none.ctp").returncode in (1, 12)
    assert not (world.directory / "none.ctp").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["-o", "-", "./one.ctp"], ["./one.ctp"], ["-o", "x"], ["-o", "x", "./one.ctp", "./two.ctp"], ["-o", "x", "--frob", "./one.ctp"],
        ["-o", "x", "--no-verify", "--expect", "app", "./one.ctp"], ["-o", "x", "--no-verify", "--record", "log", "./one.ctp"],
        ["-o", "x", "-k", "one", "./one.ctp"], ["-o", "x", "--create", "./one.ctp"], ["-o", "x", "--bundle", "sha256:1", "a.example/b:1"],
        ["-o", "x", "--create", "--expect", "app", "a.example/b:1"],
        ["-o", "x", "--platform", "amd64", "./one.ctp"], ["-o", "x", "--create", "--bundle", "sha256:" + "0" * 64, "a.example/b:1"],
    ],
)  # fmt: skip
def test_usage(world, words):
    made = world.run("ct", "fetch", *words)
    assert made.returncode == 64 and not (world.directory / "x").exists(), made


def test_files(world):
    world.fetch("--expect", "app:1.4", "./one.ctp")
    assert world.same("one.ctp")
    assert world.findings("--expect", "other", "./one.ctp", status=4) == ["not-expected"]
    assert world.findings("./nothing.ctp", status=11) == ["file-unreadable"]
    assert world.findings("./app/", status=11) == ["not-a-file"]
    # What is replaced may be what is read.
    shutil.copy(world.directory / "one.ctp", world.directory / "self.ctp")
    assert world.run("ct", "fetch", "./self.ctp", "-o", "self.ctp").returncode == 0
    assert world.same("one.ctp", "self.ctp")


def test_pack_leaves_a_bundle_behind_by_name(world, fake):
    image, named = pushed(fake, world)
    attach(fake, world.read("one.ctp"), image)
    made = world.good("ct", "pack", "-k", "one", named, "-o", "packed.ctp")
    assert made.stderr.count("left behind") == 1 and "a bundle of this image: ct fetch gets it whole" in made.stderr
