"""Bundles pushed and fetched, from outside: over every kind of place, through every kind of fault, and killed on the way.

What holds always: a file that appears is byte for byte what was pushed; a failure has its status and leaves no file; what was said
to be pushed can be fetched by somebody else.
"""

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter

import impatient
import pytest
import soak
from cerrotorre import distribution, transport
from cerrotorre.errors import Fail
from conftest import program
from faults import MANIFEST, UPLOAD, Fault, Proxy
from moving import CT, PASSWORD, USER, Place, Watched, guarded_registry, plain_registry
from processes import PATIENCE, alive, await_, gone
from registries import INDEX, Fake, certificates, digest

IO, NETWORK, HASH, MALFORMED = 11, 12, 1, 10
BUNDLE = "application/vnd.cerro-torre.bundle.v1"
# make soak takes many.
SEEDS = int(os.environ.get("CT_SEEDS", "1"))
SOAK = SEEDS > 1
half = lambda size: size // 2  # noqa: E731


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return certificates(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module", autouse=not SOAK)
def hurried(tmp_path_factory):
    """What is tried again is tried again at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Place, "program", impatient.build(tmp_path_factory.mktemp("impatient")))
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The place where the bundles were made; tests have copies."""
    return Place.made(tmp_path_factory.mktemp("made"), "single", "multi", "docker", "random")


@pytest.fixture(scope="module")
def docker(tmp_path_factory):
    with plain_registry(tmp_path_factory.mktemp("docker")) as host:
        yield host


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, pki):
    with guarded_registry(tmp_path_factory.mktemp("guarded"), pki[1]) as host:
        yield host


@pytest.fixture
def place(made, tmp_path):
    return made.copy(tmp_path, *(path.name for path in made.directory.glob("*.ctp")))


@pytest.fixture(scope="module")
def pushed(made, docker):
    """`random` in the registry, where faults cannot have touched it: what follows the host in its reference."""
    made.push("random.ctp", f"{docker}/faults/random:1.0")
    return "faults/random:1.0"


def raw(host, name):
    skopeo = program("skopeo")
    return subprocess.run(
        [skopeo, "inspect", "--raw", "--tls-verify=false", f"docker://{host}/{name}"], capture_output=True, check=True
    ).stdout


def image_of(place, name):
    """The digest of the image in a bundle, as its index.json says."""
    index = subprocess.run(["tar", "-xOf", place.directory / name, "index.json"], capture_output=True, check=True).stdout
    return json.loads(index)["manifests"][0]["digest"]


# -- every kind of place ---------------------------------------------------------------------------------------------------------

KINDS = ("single", "multi", "docker")


@pytest.mark.parametrize("kind", KINDS)
def test_docker_registry(place, docker, kind):
    place.push(f"{kind}.ctp", f"{docker}/plain/{kind}:1.0")
    place.fetch(f"{docker}/plain/{kind}:1.0", "got.ctp", like=f"{kind}.ctp")
    assert digest(raw(docker, f"plain/{kind}:1.0")) == image_of(place, f"{kind}.ctp")
    # It is an ordinary image to others.
    copy = [
        "skopeo",
        "copy",
        "-q",
        "--all",
        "--insecure-policy",
        "--src-tls-verify=false",
        f"docker://{docker}/plain/{kind}:1.0",
    ]
    subprocess.run([*copy, f"dir:{place.directory}/image"], check=True)


@pytest.mark.parametrize("kind, odd", [*((kind, False) for kind in KINDS), ("multi", True)])
def test_a_registry_with_the_api(place, kind, odd):
    with Fake() as fake:
        if odd:
            fake.page, fake.misreports, fake.absolute, fake.etags, fake.mounts, fake.ranges = (
                1,
                True,
                False,
                False,
                False,
                False,
            )
        place.push(f"{kind}.ctp", f"{fake.host}/team/{kind}:1.0")
        place.fetch(f"{fake.host}/team/{kind}:1.0", "got.ctp", like=f"{kind}.ctp")
        image = image_of(place, f"{kind}.ctp")
        kept = fake.kept[f"team/{kind}"]
        assert digest(kept.manifests["1.0"][0]) == image
        # One manifest refers to it, and no tag does for a registry that has the API.
        assert len(kept.attached[image]) == 1 and image.replace(":", "-") not in kept.manifests


@pytest.mark.parametrize("kind", KINDS if SOAK else ["docker"])
def test_a_directory(place, kind):
    (place.directory / "mirror").mkdir()
    place.push(f"{kind}.ctp", "./mirror/")
    place.same(f"mirror/{kind}.ctp", f"{kind}.ctp")
    place.fetch(f"file:{place.directory}/mirror/{kind}.ctp", "got.ctp", like=f"{kind}.ctp")
    place.fetch(f"./mirror/{kind}.ctp", "got.ctp", like=f"{kind}.ctp")


@pytest.mark.parametrize("kind", KINDS if SOAK else ["multi"])
def test_git(place, kind):
    """The blobs stay in the registry that the image was packed from."""
    repository = f"git+file://{place.directory}/bundles.git"
    subprocess.run([program("git"), "init", "-q", "--bare", place.directory / "bundles.git"], check=True)
    with Fake() as fake:
        place.push(f"{kind}.ctp", f"{fake.host}/team/{kind}:1.0")
        wanted = ["--platform", "all"] if kind == "multi" else []
        place.ok("pack", "-q", "--no-attached", *wanted, f"{fake.host}/team/{kind}:1.0", "-o", "packed.ctp")
        place.push("packed.ctp", repository)
        place.fetch(f"{repository}#{kind}:1.0", "got.ctp", like="packed.ctp")
        fake.kept[f"team/{kind}"].blobs.clear()
        place.no_fetch(f"{repository}#{kind}:1.0", "none.ctp", status=NETWORK)


def test_tls_and_passwords(place, pki, guarded, pushed):
    """Through a proxy that notes what it is told; and while it runs nobody sees the password in a process."""
    with Proxy(guarded, tls=pki[1], ca=pki[0]) as proxy:
        ref = f"{proxy.host}/team/random:1.0"
        place.settings()
        place.trusts(proxy.host, pki[0])
        place.refused("push", "random.ctp", ref, status=NETWORK)
        place.logged_in(proxy.host)
        with place.start("push", "random.ctp", ref, CT_TRACE="1") as child, Watched(child.pid) as watched:
            said = "".join(child.communicate(timeout=PATIENCE))
        assert child.returncode == 0, said
        place.fetch(ref, "got.ctp", like="random.ctp", CT_TRACE="1")
        shown = b"".join(watched.shown)
        assert PASSWORD not in said and PASSWORD.encode() not in shown and b"ct-upload" in shown
        secret = json.loads((place.home / ".config/containers/auth.json").read_text())["auths"][proxy.host]["auth"]
        assert secret not in said and secret.encode() not in shown
        assert f"Basic {secret}" in {headers.get("Authorization") for headers in proxy.headers}
        (place.home / ".config/containers/auth.json").unlink()
        place.no_fetch(ref, "none.ctp", status=NETWORK)


def test_a_directory_gets_no_second_file(place):
    (place.directory / "mirror").mkdir()
    place.push("single.ctp", "./mirror/app.ctp")
    place.push("single.ctp", "./mirror/app.ctp")
    place.refused("push", "docker.ctp", "./mirror/app.ctp", status=IO)
    place.same("./mirror/app.ctp", "single.ctp")
    place.push("docker.ctp", "./mirror/app.ctp", "--force")
    place.same("./mirror/app.ctp", "docker.ctp")
    assert os.listdir(place.directory / "mirror") == ["app.ctp"]


def test_a_tag_is_not_moved(place, docker):
    ref = f"{docker}/taken/single:1.0"
    place.push("single.ctp", ref)
    place.push("single.ctp", ref)
    place.refused("push", "docker.ctp", ref, status=IO)
    place.fetch(ref, "got.ctp", like="single.ctp")
    place.push("docker.ctp", ref, "--force")
    assert digest(raw(docker, "taken/single:1.0")) == image_of(place, "docker.ctp")


def test_a_second_push_sends_next_to_nothing(place, docker, pushed):
    with Proxy(docker) as proxy:
        place.push("random.ctp", f"{proxy.host}/faults/random:again")
        assert proxy.up < 64 << 10, proxy.up
        place.push("random.ctp", f"{proxy.host}/{pushed}")
        assert proxy.up < 64 << 10, proxy.up


# -- faults while fetching -------------------------------------------------------------------------------------------------------

LAYER = {"least": 1 << 14}
MENDED = {
    "reset": [Fault("reset", after=half, times=3, **LAYER)],
    "reset-at-once": [Fault("reset", after=0, times=2, **LAYER)],
    "reset-of-manifests": [Fault("reset", MANIFEST, after=half, times=2)],
    "truncated": [Fault("truncate", after=half, times=3, **LAYER)],
    "truncated-manifest": [Fault("truncate", MANIFEST, after=half, times=2)],
    "429": [Fault("answer", status=429, times=2)],
    "429-manifest": [Fault("answer", MANIFEST, "GET|HEAD", status=429, headers={"Retry_After": "1"}, times=1)],
    "500": [Fault("answer", status=500, times=2)],
    "502": [Fault("answer", MANIFEST, "GET|HEAD", status=502, times=2)],
    "503": [Fault("answer", status=503, headers={"Retry_After": "1"}, times=1)],
    "flipped-once": [Fault("flip", after=half, **LAYER)],
    "slow": [Fault("drip", after=lambda size: size - 2000, step=500, pause=0.1, **LAYER)],
}


# Several at once are as good, and quicker; make soak takes each alone, too.
MENDED["cut"] = [*MENDED["reset"][:1], *MENDED["reset-at-once"], *MENDED["truncated"][:1], *MENDED["truncated-manifest"]]
MENDED["busy"] = [*MENDED["429-manifest"], *MENDED["500"], *MENDED["502"]]


def chosen(every, *names):
    return list(every) if SOAK else list(names)


def anew(planned):
    """Faults count down; each test has its own."""
    return [Fault(one.kind, one.path, one.method, one.times, one.after, one.least, **one.how) for one in planned]


@pytest.mark.parametrize("name", chosen(MENDED, "cut", "busy", "flipped-once", "slow"))
def test_a_fetch_gets_over(place, docker, pushed, name):
    with Proxy(docker, *anew(MENDED[name])) as proxy:
        began = time.monotonic()
        place.fetch(f"{proxy.host}/{pushed}", "got.ctp", like="random.ctp")
        assert proxy.struck and not any(fault.times for fault in proxy.faults)
        size = (place.directory / "random.ctp").stat().st_size
        # What is cut off goes on where it ended; only a blob that came out wrong begins again.
        assert proxy.down < size * 1.3 + (1 << 20), (proxy.down, size)
        if any("Retry_After" in fault.how.get("headers", {}) for fault in proxy.faults):
            assert time.monotonic() - began >= 1


BEYOND = 1 << 30
HOPELESS = {
    "wrong": ([Fault("flip", after=half, times=BEYOND, **LAYER)], (HASH, NETWORK)),
    "wrong-manifest": ([Fault("flip", MANIFEST, after=half, times=BEYOND)], (HASH, MALFORMED, NETWORK)),
    "gone": ([Fault("answer", status=404, times=BEYOND)], (MALFORMED, NETWORK)),
    "denied": ([Fault("answer", status=403, times=BEYOND)], NETWORK),
    "down": ([Fault("answer", ".*", ".*", status=503, times=BEYOND, headers={"Retry_After": "86400"})], NETWORK),
    "credentials": ([Fault("answer", ".*", status=401, times=BEYOND, headers={"WWW_Authenticate": "Basic"})], NETWORK),
}


@pytest.mark.parametrize("name", HOPELESS)
def test_a_fetch_that_cannot_succeed(place, docker, pushed, name):
    planned, statuses = HOPELESS[name]
    place.logged_in("127.0.0.1")
    with Proxy(docker, *anew(planned)) as proxy:
        place.logged_in(proxy.host)
        place.no_fetch(f"{proxy.host}/{pushed}", "got.ctp", status=statuses)
        assert proxy.struck
        # Credentials are for TLS.
        assert not any("Authorization" in headers for headers in proxy.headers)
        # What it left, if anything, is no obstacle.
        proxy.faults = []
        place.fetch(f"{proxy.host}/{pushed}", "got.ctp", like="random.ctp")


def test_a_blob_that_always_breaks(place, docker, pushed):
    """It is given up, within a time; what had come is kept for the next call."""
    with Proxy(docker, Fault("reset", after=1000, times=BEYOND, **LAYER)) as proxy:
        place.no_fetch(f"{proxy.host}/{pushed}", "got.ctp", status=NETWORK)
        proxy.faults = []
        place.fetch(f"{proxy.host}/{pushed}", "got.ctp", like="random.ctp")


def test_what_hardly_comes_is_given_up(docker, pushed, made):
    """Less than 64 KiB in a time: the bound of people is a minute, here it is less."""
    layer = next(iter(made.layers()))
    with Proxy(docker, Fault("drip", after=1000, times=BEYOND, step=100, pause=0.02, **LAYER)) as proxy:
        asking = transport.Transport({}, slow=0.4, tries=2, pause=0.01)
        repository = distribution.Repository(proxy.host, pushed.partition(":")[0], [proxy.host], [], {}, asking)
        began = time.monotonic()
        with pytest.raises(Fail, match=r"less than 64 KiB in 0\.4 s") as raised:
            for _ in repository.chunks(layer["digest"], layer["size"]):
                pass
        assert raised.value.finding["finding"] == "network" and time.monotonic() - began < 5


def test_blobs_on_another_host(place, pki):
    """Where a registry leads is told nothing that is for the registry; and tokens that expire are asked for anew."""
    with Fake(pki[1]) as fake, Fake(pki[1]) as other:
        fake.users, expired = {USER: PASSWORD}, set()

        def expires(handler):
            """All tokens end with the first PUT, and with the first GET, of a blob."""
            if handler.command in {"PUT", "GET"} - expired:
                expired.add(handler.command)
                fake.tokens.clear()
            return False

        fake.answers[".*/blobs/.*"] = expires
        place.settings()
        for server in (fake, other):
            place.trusts(server.host, pki[0])
        place.logged_in(fake.host)
        ref = f"{fake.host}/team/random:1.0"
        place.push("random.ctp", ref)
        fake.leads_to(other)
        place.fetch(ref, "got.ctp", like="random.ctp")
        assert other.seen and {authorization for _, _, authorization in other.seen} == {None}
        assert other.sent > 4 << 20 and expired == {"PUT", "GET"}
        said = {authorization.split()[0] for _, path, authorization in fake.seen if authorization and path.startswith("/v2/")}
        assert said == {"Bearer"}
        place.logged_in("127.0.0.1:1")
        assert PASSWORD not in place.no_fetch(ref, "none.ctp", status=NETWORK).said


def test_redirects_in_a_circle_and_out_of_tls(place, pki):
    with Fake(pki[1]) as fake, Fake() as plain:
        place.settings()
        place.trusts(fake.host, pki[0])
        ref = f"{fake.host}/team/single:1.0"
        place.push("single.ctp", ref)
        fake.leads_to(plain)
        place.no_fetch(ref, "got.ctp", status=NETWORK)
        assert not plain.seen
        fake.leads_to(fake)
        fake.answers["/store/.*"] = lambda handler: handler.reply(307, Location=handler.path)
        place.no_fetch(ref, "got.ctp", status=NETWORK)


# -- faults while pushing --------------------------------------------------------------------------------------------------------

WRITES = "POST|PUT|PATCH"
PUSHING = {
    "reset": [Fault("up-reset", UPLOAD, "PUT|PATCH", after=half, times=2, **LAYER)],
    "429": [Fault("answer", UPLOAD, WRITES, status=429, times=2)],
    "429-manifest": [Fault("answer", MANIFEST, "PUT", status=429, headers={"Retry_After": "1"}, times=1)],
    "500": [Fault("answer", UPLOAD, WRITES, status=500, times=2)],
    "503": [Fault("answer", MANIFEST, "PUT", status=503, times=2)],
    "flipped": [Fault("up-flip", UPLOAD, "PUT|PATCH", after=half, **LAYER)],
    "flipped-manifest": [Fault("up-flip", MANIFEST, "PUT", after=half)],
    "unheard-upload": [Fault("deaf", UPLOAD, "PUT", times=1)],
    "unheard-manifest": [Fault("deaf", MANIFEST, "PUT", times=2)],
    "always-reset": [Fault("up-reset", UPLOAD, "PUT|PATCH", after=half, times=BEYOND, **LAYER)],
    "always-refused": [Fault("answer", MANIFEST, "PUT", status=403, times=BEYOND)],
    "read-back": [Fault("answer", r".*/manifests/(1\.0|sha256:.*)", "GET|HEAD", status=404, times=BEYOND)],
}
PUSHING["busy"] = [*PUSHING["429"][:1], *PUSHING["500"][:1], *PUSHING["429-manifest"]]
PUSHING["broken"] = [*PUSHING["reset"], *PUSHING["unheard-upload"], *PUSHING["unheard-manifest"]]
# What a client should get over: anything but these is told as success or not at all.
FAILS = ("flipped-manifest", "always-reset", "always-refused", "read-back")


@pytest.mark.parametrize("name", chosen(PUSHING, "busy", "broken", "flipped", "always-refused", "read-back"))
def test_a_push_says_what_is_so(place, docker, name):
    path = f"pushed-{name}/random:1.0"
    with Proxy(docker, *anew(PUSHING[name])) as proxy:
        if name in FAILS:
            place.refused("push", "random.ctp", f"{proxy.host}/{path}", status=(IO, NETWORK))
            tags = subprocess.run(
                ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{docker}/{path}"], capture_output=True
            )
            assert tags.returncode if name != "read-back" else True
            place.push("random.ctp", f"{docker}/{path}")
        else:
            place.push("random.ctp", f"{proxy.host}/{path}")
            assert not any(fault.times for fault in proxy.faults)
        assert proxy.struck
    place.fetch(f"{docker}/{path}", "got.ctp", like="random.ctp")


def forgets(fake, what):
    """A registry that says it has what it does not keep."""

    def drop(handler):
        if handler.command != "PUT":
            return False
        data = b"".join(bytes(part) for part in handler.body())
        return handler.reply(201, Docker_Content_Digest=digest(data), Location="/")

    fake.answers[what] = drop


LIES = {
    "tag": (True, r"/v2/team/single/manifests/1\.0", None),
    "manifests": (True, r"/v2/team/single/manifests/sha256:.*", None),
    "fallback-tag": (False, r"/v2/team/single/manifests/sha256-.*", None),
    "referrers": (True, r"/v2/team/single/referrers/.*", lambda handler: handler.reply(200, b'{"schemaVersion":2,"mediaType":"%s","manifests":[]}' % INDEX.encode(), INDEX)),
}  # fmt: skip


@pytest.mark.parametrize("name", chosen(LIES, "tag", "manifests", "referrers"))
def test_a_registry_that_does_not_keep_what_it_took(place, name):
    api, what, act = LIES[name]
    with Fake() as fake:
        fake.api = api
        if act:
            fake.answers[what] = act
        else:
            forgets(fake, what)
        place.refused("push", "single.ctp", f"{fake.host}/team/single:1.0", status=NETWORK)


def test_a_registry_that_loses_a_blob(place):
    with Fake() as fake:

        def lost(handler):
            return False if handler.command != "PUT" else fake.kept["team/single"].blobs.clear() or False

        fake.answers[r"/v2/team/single/manifests/1\.0"] = lost
        place.refused("push", "single.ctp", f"{fake.host}/team/single:1.0", status=(IO, NETWORK))


def test_a_bundle_that_is_damaged_gets_no_name(place):
    """The damage is in the last layer: nothing names what came before."""
    path = place.directory / "random.ctp"
    data = bytearray(path.read_bytes())
    path.unlink()
    data[-(1 << 18)] ^= 1
    path.write_bytes(data)
    with Fake() as fake:
        place.refused("push", "random.ctp", f"{fake.host}/team/random:1.0", status=HASH)
        assert not any(kept.manifests for kept in fake.kept.values())
    (place.directory / "mirror").mkdir()
    place.refused("push", "random.ctp", "./mirror/", status=HASH)
    assert os.listdir(place.directory / "mirror") == []


# -- many at once ----------------------------------------------------------------------------------------------------------------


CROWD = 4


@pytest.fixture(scope="module")
def crowd(made, tmp_path_factory):
    """Bundles of one image, each signed by another key."""
    place = made.copy(tmp_path_factory.mktemp("crowd"))
    for number in range(CROWD):
        place.ok("keygen", "--no-password", "--id", f"k{number}")
        place.pack("single", "-k", f"k{number}", name=f"{number}.ctp")
    return place


@pytest.mark.parametrize("server", ["docker", "heeds If-Match", "ignores If-Match"])
def test_bundles_of_one_image_at_once(crowd, docker, tmp_path, server):
    """All go to the fallback tag of one image: all are listed there, and can be fetched."""
    place = crowd.copy(tmp_path, *(f"{number}.ctp" for number in range(CROWD)))
    image = image_of(place, "0.ctp")
    with Fake() as fake:
        fake.api, fake.conditional = False, server == "heeds If-Match"
        host = docker if server == "docker" else fake.host
        path = f"crowd-{len(server)}/single"
        running = [place.start("push", f"{number}.ctp", f"{host}/{path}:1.0") for number in range(CROWD)]
        said = [child.communicate(timeout=2 * PATIENCE) for child in running]
        failed = [what for child, what in zip(running, said, strict=True) if child.returncode]
        assert not failed, failed
        listed = json.loads(raw(host, f"{path}:{image.replace(':', '-')}"))["manifests"]
        assert Counter(entry["artifactType"] for entry in listed) == {BUNDLE: CROWD}
        for entry in listed if SOAK else listed[:1]:
            every = [f"{number}.ctp" for number in range(CROWD)]
            place.fetch(f"{host}/{path}:1.0", "got.ctp", "--bundle", entry["digest"], like=every)
        # All of them pass: without a word more nobody can say which.
        place.no_fetch(f"{host}/{path}:1.0", "none.ctp", status=MALFORMED)


# -- killed ----------------------------------------------------------------------------------------------------------------------


def killed(place, seed, *words, counted, most=1 << 20):
    """Run it, kill the whole session once so many bytes have passed; whether it was done before."""
    with place.start(*words) as child:
        until = counted() + seed.randrange(most)
        try:
            await_(lambda: child.poll() is not None or counted() >= until, "its bytes", pause=0.002)
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        gone(child.pid)
        assert not alive(child.pid)
    return child.returncode == 0


@pytest.fixture(scope="module")
def larger(made, docker):
    made.pack("larger")
    made.push("larger.ctp", f"{docker}/faults/larger:1.0")
    return "faults/larger:1.0"


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_fetch_killed_again_and_again(made, tmp_path, docker, larger, seed):
    chance, place = random.Random(seed), made.copy(tmp_path, "larger.ctp")
    size = (place.directory / "larger.ctp").stat().st_size
    with Proxy(docker) as proxy:
        proxy.pace = 0.03
        words, path = ("fetch", f"{proxy.host}/{larger}", "-o", "got.ctp"), place.directory / "got.ctp"
        for _ in range(4):
            done = killed(place, chance, *words, counted=lambda: proxy.down, most=6 << 20)
            assert path.exists() == done
            # The directory of what is no blob stays when nobody is left to remove it.
            assert {name for name in place.left() if not name.startswith(".ct.")} <= {"larger.ctp", "got.ctp", ".got.ctp.part"}
            if done:
                break
        else:
            assert (place.directory / ".got.ctp.part").exists()
            proxy.pace = 0
            place.ok(*words)
        place.same("got.ctp", "larger.ctp")
        assert proxy.down < 2 * size, (proxy.down, size)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_push_killed_again_and_again(place, docker, seed):
    chance = random.Random(seed)
    path = f"killed-{seed}/random:1.0"
    with Proxy(docker) as proxy:
        for _ in range(3):
            done = killed(place, chance, "push", "random.ctp", f"{proxy.host}/{path}", counted=lambda: proxy.up)
            # Others see an image, whole, or none.
            seen = subprocess.run(
                [
                    "skopeo",
                    "copy",
                    "-q",
                    "--insecure-policy",
                    "--src-tls-verify=false",
                    f"docker://{docker}/{path}",
                    f"dir:{place.directory}/seen",
                ],
                capture_output=True,
            )
            assert seen.returncode == 0 or not done
            assert seen.returncode == 0 or b"manifest unknown" in seen.stderr or b"name unknown" in seen.stderr, seen.stderr
        place.push("random.ctp", f"{docker}/{path}")
    place.fetch(f"{docker}/{path}", "got.ctp", like="random.ctp")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_happens(place, docker, seed):
    """Faults by chance, up and down: what is said to be done is done."""
    path = f"chance-{seed}/random:1.0"
    with Proxy(docker, seed=seed) as proxy:
        for _ in range(3):
            if place.run("push", "random.ctp", f"{proxy.host}/{path}").returncode == 0:
                place.fetch(f"{docker}/{path}", "checked.ctp", like="random.ctp")
                break
        else:
            place.push("random.ctp", f"{docker}/{path}")
        for _ in range(3):
            made = place.run("fetch", f"{proxy.host}/{path}", "-o", "got.ctp")
            assert (place.directory / "got.ctp").exists() == (made.returncode == 0)
            if made.returncode == 0:
                place.same("got.ctp", "random.ctp")
                break
            assert made.returncode in (HASH, NETWORK), made.said


def half_fetched(place, docker, pushed):
    """What a fetch that was killed in the middle has left."""
    with Proxy(docker) as proxy:
        proxy.pace = 0.03
        child = place.start("fetch", f"{proxy.host}/{pushed}", "-o", "got.ctp")
        await_(lambda: proxy.down > 2 << 20, "its bytes", of=child, pause=0.002)
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        gone(child.pid)
    part = place.directory / ".got.ctp.part"
    assert part.stat().st_size > 2 << 20
    return part


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_is_left_is_not_believed(place, docker, pushed, seed):
    """Anybody may have changed it: bytes, the journal, its end."""
    chance = random.Random(seed)
    part = half_fetched(place, docker, pushed)
    data = bytearray(part.read_bytes())
    for _ in range(20):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    # The journal is at the end.
    for at in range(len(data) - 200, len(data), 40):
        data[at] ^= chance.randrange(256)
    part.write_bytes(data[: chance.choice((len(data), len(data) - 100, len(data) // 2))])
    place.fetch(f"{docker}/{pushed}", "got.ctp", like="random.ctp")


# Only root can give a file away.
@pytest.mark.parametrize("what", ["link", "name", "pipe", *(["stranger"] if os.geteuid() == 0 else [])])
def test_what_is_there_and_is_not_ours(place, docker, pushed, what):
    """It is left as it is; the fetch succeeds without it or is refused."""
    part, victim = place.directory / ".got.ctp.part", place.directory / "victim"
    victim.write_bytes(b"precious")
    if what == "link":
        part.symlink_to("victim")
    elif what == "name":
        os.link(victim, part)
    elif what == "pipe":
        os.mkfifo(part)
    else:
        part.write_bytes(b"precious")
        os.chown(part, 65534, 65534)
    before = os.lstat(part)
    made = place.run("fetch", f"{docker}/{pushed}", "-o", "got.ctp")
    assert victim.read_bytes() == b"precious"
    assert (place.directory / "got.ctp").exists() == (made.returncode == 0)
    assert made.returncode in (0, IO), made.said
    assert (os.lstat(part).st_ino, os.lstat(part).st_size) == (before.st_ino, before.st_size)


def test_two_fetches_into_one_file(place, docker, pushed):
    """One may wait for the other, or be refused; what appears is whole."""
    with Proxy(docker) as proxy:
        proxy.pace = 0.01
        both = [place.start("fetch", f"{proxy.host}/{pushed}", "-o", "got.ctp") for _ in range(2)]
        said = [child.communicate(timeout=2 * PATIENCE) for child in both]
    assert sorted(child.returncode for child in both) in ([0, 0], [0, IO]), said
    place.same("got.ctp", "random.ctp")


def test_a_file_that_is_there_stays_until_the_other_is_whole(place, docker, pushed):
    got = place.directory / "got.ctp"
    got.write_bytes(b"old")
    with Proxy(docker, Fault("answer", status=403, times=BEYOND)) as proxy:
        place.refused("fetch", f"{proxy.host}/{pushed}", "-o", "got.ctp", status=NETWORK)
    assert got.read_bytes() == b"old"


def test_no_room(place, docker, pushed):
    limited = ["sh", "-c", 'ulimit -f 2048; exec "$@"', "sh"]
    words = [*limited, CT, "fetch", f"{docker}/{pushed}", "-o", "got.ctp"]
    made = subprocess.run(words, cwd=place.directory, env=place.env, capture_output=True, text=True, timeout=PATIENCE)
    assert made.returncode == IO and "Traceback" not in made.stderr, (made.returncode, made.stdout, made.stderr)
    assert not (place.directory / "got.ctp").exists()


# -- what a registry says of an image ----------------------------------------------------------------------------------------------


def test_a_tag_that_moves_meanwhile(place):
    """It is asked for once: what comes is all of the first image, or nothing."""
    with Fake() as fake:
        place.push("single.ctp", f"{fake.host}/team/single:1.0")
        place.push("docker.ctp", f"{fake.host}/team/single:other")
        kept = fake.kept["team/single"]

        def moves(handler):
            handler.get_manifest(kept, "1.0")
            if handler.command == "GET":
                kept.manifests["1.0"] = kept.manifests["other"]

        fake.answers[r"/v2/team/single/manifests/1\.0"] = moves
        place.fetch(f"{fake.host}/team/single:1.0", "got.ctp", like="single.ctp")


def test_a_bundle_of_another_image(place):
    """Genuine, and listed for an image that it is not of."""
    with Fake() as fake:
        place.push("single.ctp", f"{fake.host}/team/single:1.0")
        kept = fake.kept["team/single"]
        other = image_of(place, "single.ctp")
        place.push("docker.ctp", f"{fake.host}/team/docker:1.0")
        image = image_of(place, "docker.ctp")
        theirs = fake.kept["team/docker"]
        theirs.blobs |= kept.blobs
        theirs.manifests |= {key: value for key, value in kept.manifests.items() if key.startswith("sha256:")}
        theirs.attached[image] = kept.attached[other]
        place.no_fetch(f"{fake.host}/team/docker:1.0", "got.ctp", status=(4, MALFORMED, NETWORK))


def test_an_image_without_a_bundle(place):
    with Fake() as fake:
        place.push("single.ctp", f"{fake.host}/team/single:1.0")
        fake.kept["team/single"].attached.clear()
        place.no_fetch(f"{fake.host}/team/single:1.0", "got.ctp", status=NETWORK)
        place.ok("fetch", "--create", f"{fake.host}/team/single:1.0", "-o", "got.ctp")
        place.ok("verify", "got.ctp", "--expect", "single:1.0")


# -- memory ----------------------------------------------------------------------------------------------------------------------


def test_memory_is_flat(made, tmp_path):
    """256 MiB, of which no process holds much."""
    place = made.copy(tmp_path)
    with Fake() as fake:
        soak.moved(place, fake, layers=4, size=64 << 20)
