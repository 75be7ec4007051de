"""Packing from a real registry: docker-registry on 127.0.0.1, filled and read by skopeo."""

import contextlib
import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import impatient
import pytest
from conftest import BUILD, program
from processes import PATIENCE, gone
from registries import Fake, docker_registry, push_layout

CT = BUILD / "bin" / "ct"
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of a registry of its own, with images a/single:1, a/multi:1 and a/buildkit:1."""
    skopeo, work = program("skopeo"), tmp_path_factory.mktemp("registry")
    # As it is, it takes no layers with `urls`.
    with docker_registry(work, validation={"manifests": {"urls": {"allow": [".*"]}}}) as host:
        for kind in ("labelled", "multi", "buildkit"):
            subprocess.run([sys.executable, "-SB", HERE / "images.py", kind, work / kind], check=True)
            tag = json.loads((work / kind / "index.json").read_text())["manifests"][0]["annotations"][
                "org.opencontainers.image.ref.name"
            ]
            source = f"oci:{work / kind}:{tag}"
            target = f"docker://{host}/a/{kind}:1"
            subprocess.run(
                [skopeo, "copy", "-q", "--all", "--preserve-digests", "--dest-tls-verify=false", source, target], check=True
            )
        yield host


@pytest.fixture
def home(registry: str, tmp_path: Path) -> Path:
    """An empty directory with a key, and a configuration that takes this registry without TLS."""
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "home" / "config.toml").write_text(f'[registries]\ninsecure = ["{registry}"]\n')
    run(tmp_path, "keygen", "--no-password", "--id", "packer")
    return tmp_path


def run(directory: Path, *arguments: str, status: int = 0, ct: Path = CT, **env: str) -> subprocess.CompletedProcess[str]:
    made = subprocess.run(
        [ct, *arguments],
        cwd=directory,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(directory / "home"),
            "CT_HOME": str(directory / "home"),
            "LC_ALL": "C.UTF-8",
            **env,
        },
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert made.returncode == status, made.stdout + made.stderr
    return made


def facts(directory: Path, bundle: str) -> dict:
    return json.loads(run(directory, "explain", "--json", bundle).stdout)["manifest"]


def served(registry: str, name: str) -> dict:
    raw = subprocess.run(
        ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{registry}/{name}"], capture_output=True, check=True
    ).stdout
    digest = subprocess.run(["sha256sum"], input=raw, capture_output=True, check=True).stdout.decode().split()[0]
    return {"digest": "sha256:" + digest, "document": json.loads(raw)}


def left(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.name != "home")


def test_by_tag_digests_are_those_served(registry, home):
    run(home, "pack", f"{registry}/a/labelled:1", "-o", "x.ctp")
    run(home, "verify", "x.ctp", "--expect", f"{registry}/a/labelled:1")
    manifest = facts(home, "x.ctp")
    assert manifest["image_digest"] == served(registry, "a/labelled:1")["digest"]
    assert manifest["provenance"] == {"registry": registry, "source": f"{registry}/a/labelled:1"}
    assert (manifest["name"], manifest["version"]) == ("labelled", "1")
    assert left(home) == ["x.ctp"]


def test_by_digest(registry, home):
    digest = served(registry, "a/labelled:1")["digest"]
    run(home, "pack", f"{registry}/a/labelled@{digest}", "-o", "x.ctp")
    manifest = facts(home, "x.ctp")
    assert manifest["image_digest"] == digest
    assert manifest["version"] == digest.removeprefix("sha256:")[:12]
    run(home, "verify", "x.ctp", "--expect", f"{registry}/a/labelled@{digest}")


def test_one_platform_of_an_index(registry, home):
    index = served(registry, "a/multi:1")
    wanted = {
        "/".join([p["platform"]["os"], p["platform"]["architecture"]]): p["digest"] for p in index["document"]["manifests"]
    }
    for platform, digest in wanted.items():
        run(home, "pack", "--platform", platform, f"{registry}/a/multi:1", "-o", "one.ctp")
        manifest = facts(home, "one.ctp")
        assert manifest["image_digest"] == digest
        assert manifest["provenance"]["index_digest"] == index["digest"]
        run(home, "verify", "one.ctp")
    made = run(home, "pack", "--platform", "plan9/vax", f"{registry}/a/multi:1", "-o", "no.ctp", status=10)
    assert next(iter(wanted)) in made.stderr


@pytest.mark.parametrize("kind", ["multi", "buildkit"])
def test_all_platforms(registry, home, kind):
    run(home, "pack", "--platform", "all", f"{registry}/a/{kind}:1", "-o", "all.ctp")
    run(home, "verify", "all.ctp")
    manifest = facts(home, "all.ctp")
    assert manifest["image_digest"] == served(registry, f"a/{kind}:1")["digest"]
    assert "index_digest" not in manifest["provenance"]
    assert not any("unknown" in platform for platform in manifest["image"]["platforms"])


def test_refusals_leave_nothing(registry, home):
    made = run(home, "pack", f"{registry}/a/absent:1", "-o", "x.ctp", status=12)
    assert f"no such image there: {registry}/a/absent:1" in made.stderr and "insecure" not in made.stderr
    # A port that was free a moment ago.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = f"127.0.0.1:{probe.getsockname()[1]}"
    assert "insecure" not in run(home, "pack", f"{closed}/a/b:1", "-o", "x.ctp", status=12).stderr
    run(home, "pack", f"{registry}/A/upper:1", "-o", "x.ctp", status=64)
    run(home, "pack", f"{registry}/a/labelled:1", "-o", "x.ctp", "-k", "nobody", status=13)
    assert left(home) == []


@pytest.fixture(scope="module")
def hurried(tmp_path_factory):
    return impatient.build(tmp_path_factory.mktemp("impatient"))


@pytest.mark.parametrize(
    ("status", "at", "code", "said"),
    [
        (401, "/v2/a/", "", "none are sent without TLS"),
        (403, "/v2/a/", "", "skopeo login"),
        (403, "/v2/a/", "DENIED", "skopeo login"),
        (403, "/", "", "skopeo login"),
        (404, "/v2/a/", "NAME_UNKNOWN", "no such image there"),
        (404, "/v2/a/", "MANIFEST_UNKNOWN", "no such image there"),
        (404, "/v2/a/", "", "no such image there"),
        (500, "/v2/a/", "", "(500)"),
    ],
)
def test_what_a_refusal_means(registry, home, hurried, status, at, code, said):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"errors": [{"code": code, "message": "said"}]}).encode() if code else b""
            self.send_response(status if self.path.startswith(at) else 200)
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    host = f"127.0.0.1:{server.server_port}"
    try:
        (home / "home" / "config.toml").write_text(f'[registries]\ninsecure = ["{host}"]\n')
        made = run(home, "pack", f"{host}/a/b:1", "-o", "x.ctp", status=12, ct=hurried)
    finally:
        server.shutdown()
        server.server_close()
    assert said in made.stderr and "registries.insecure" not in made.stderr
    assert (f"skopeo login {host}\n" in made.stderr) == (said == "skopeo login")


def test_tls_is_asked_for_unless_configured(registry, home):
    (home / "home" / "config.toml").unlink()
    made = run(home, "pack", f"{registry}/a/labelled:1", "-o", "x.ctp", status=12)
    assert "speaks plain HTTP" in made.stderr and f"ct config set registries.insecure {registry}\n" in made.stderr
    # Another host's permission is not this one's.
    (home / "home" / "config.toml").write_text('[registries]\ninsecure = ["localhost", "*.lan", "127.0.0.1:1"]\n')
    made = run(home, "pack", f"{registry}/a/labelled:1", "-o", "x.ctp", status=12)
    # What is offered keeps what is set.
    assert f"registries.insecure localhost '*.lan' 127.0.0.1:1 {registry}\n" in made.stderr
    assert left(home) == []


def test_a_mirror_is_named(registry, home):
    """What the configuration sends to a mirror is said to come from there, and needs the mirror's own permission."""
    config = home / "home" / "config.toml"
    mirrors = f'mirrors = ["localhost:1/team={registry}/a"]\n'
    config.write_text(f"[registries]\n{mirrors}")
    run(home, "pack", "localhost:1/team/labelled:1", "-o", "x.ctp", status=12)
    config.write_text(f'[registries]\n{mirrors}insecure = ["localhost:1"]\n')
    run(home, "pack", "localhost:1/team/labelled:1", "-o", "x.ctp", status=12)
    assert left(home) == []
    config.write_text(f'[registries]\n{mirrors}insecure = ["{registry}"]\n')
    for by in (":1", f"@{served(registry, 'a/labelled:1')['digest']}"):
        made = run(home, "pack", f"localhost:1/team/labelled{by}", "-o", "x.ctp")
        assert "mirrored" in made.stdout
        manifest = facts(home, "x.ctp")
        assert manifest["provenance"] == {"source": f"{registry}/a/labelled{by}", "registry": registry}
    # What it does not have is asked of the registry itself, here of nobody.
    run(home, "pack", "localhost:1/team/absent:1", "-o", "y.ctp", status=12)
    assert left(home) == ["x.ctp"]


def put(registry, name, data, media_type):
    """A manifest put into a registry as it is: (status, what was said)."""
    with contextlib.closing(http.client.HTTPConnection(registry, timeout=PATIENCE)) as connection:
        connection.request("PUT", f"/v2/{name}", data, {"Content-Type": media_type})
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_urls_are_never_followed(registry, home):
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    elsewhere = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=elsewhere.serve_forever, args=(0.01,), daemon=True).start()
    try:
        url = f"http://127.0.0.1:{elsewhere.server_port}/layer"
        single = served(registry, "a/labelled:1")["document"]
        media_type = "application/vnd.oci.image.manifest.v1+json"
        single["layers"][0] |= {"urls": [url], "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"}
        data = json.dumps(single).encode()
        assert put(registry, "a/labelled/manifests/urls", data, media_type)[0] == 201
        digest = served(registry, "a/labelled:urls")["digest"]
        entry = {"mediaType": media_type, "digest": digest, "size": len(data)}
        entry["platform"] = {"os": "linux", "architecture": "amd64"}
        index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry]}
        assert put(registry, "a/labelled/manifests/index", json.dumps(index).encode(), index["mediaType"])[0] == 201
        for image, platform in (("urls", "amd64"), ("index", "amd64"), ("index", "all")):
            made = run(home, "pack", "--platform", platform, f"{registry}/a/labelled:{image}", "-o", "x.ctp", status=10)
            assert url in made.stderr and "never followed" in made.stderr
        assert asked == [] and left(home) == []
    finally:
        elsewhere.shutdown()
        elsewhere.server_close()


def test_without_skopeo(registry, home):
    """Nothing but ct is needed, and of what an image has only its documents are read twice."""
    tools = home / "home" / "bin"
    tools.mkdir()
    for name in ("sh", "env", "sed", "readlink", "mktemp", "rm", "cat", "find", "id", "python3"):
        (tools / name).symlink_to(shutil.which(name))
    run(home, "pack", f"{registry}/a/labelled:1", "-o", "x.ctp", PATH=str(tools))
    assert left(home) == ["x.ctp"]


def test_a_policy_by_registry(registry, home):
    run(home, "pack", f"{registry}/a/labelled:1", "-o", "x.ctp")
    for patterns, status in (([f"{registry}/a/*"], 0), (["127.0.0.1"], 0), (["docker.io/*"], 4), ([f"{registry}/b/*"], 4)):
        policy = {"version": "1", "signers": {"allowed": [{"key_id": "packer"}]}, "registries": {"allowed": patterns}}
        (home / "home" / "p.json").write_text(json.dumps(policy))
        run(home, "verify", "x.ctp", "--policy", "home/p.json", status=status)


def test_an_interrupted_fetch_leaves_nothing(home):
    """Of an image of which hardly anything came; what is worth keeping stays (test_assemble.py)."""
    fetching, hold = threading.Event(), threading.Event()

    def stall(handler):
        fetching.set()
        hold.wait(PATIENCE)

    subprocess.run([sys.executable, "-SB", HERE / "images.py", "single", home / "home" / "single"], check=True)
    with Fake() as fake:
        push_layout(fake, home / "home" / "single")
        layer = json.loads(fake.manifests["1"][0])["layers"][0]["digest"]
        fake.answers[f"/v2/a/app/blobs/{layer}"] = stall
        (home / "home" / "config.toml").write_text(f'[registries]\ninsecure = ["{fake.host}"]\n')
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(home / "home"), "CT_HOME": str(home / "home")}
        child = subprocess.Popen(
            [CT, "pack", f"{fake.host}/a/app:1", "-o", "x.ctp"],
            cwd=home, env=environment, start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert fetching.wait(PATIENCE)
        assert any(name.startswith(".ct.") for name in left(home)) and ".x.ctp.part" in left(home)
        # As a terminal's ^C does: to the whole group.
        subprocess.run(["kill", "-s", "INT", "--", f"-{child.pid}"], check=True)
        assert child.wait(10) == 130 or child.returncode == -signal.SIGINT
        gone(child.pid)
        hold.set()
    assert left(home) == []


def test_what_lies_here_is_not_asked_of_a_registry(tmp_path):
    subprocess.run([sys.executable, "-SB", HERE / "images.py", "single", tmp_path / "layout"], check=True)
    (tmp_path / "x.ctp").write_bytes(b"")
    (tmp_path / "home").mkdir(mode=0o700)
    for image, said in (
        ("layout", "oci:layout"),
        ("./layout", "oci:./layout"),
        ("x.ctp", "oci-archive:x.ctp"),
        ("docker://nginx", "nginx"),
        ("ostree:nginx", "oci:DIR:TAG"),
    ):
        made = run(tmp_path, "pack", "--no-sign", image, "-o", "y.ctp", status=64)
        assert said in made.stderr
