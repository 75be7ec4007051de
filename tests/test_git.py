"""Bundles in git, from outside: pushed into real repositories, fetched again, and what a repository may try (spec/moving.adoc)."""

import base64
import contextlib
import json
import os
import shutil
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import BUILD, program
from images import make
from processes import await_, gone
from registries import certificates, docker_registry
from small import EPOCH, members, pair, run

MEMBERS = ("manifest.toml", "summary.json", "attestations.jsonl")
CT = BUILD / "bin" / "ct"


class World:
    """A home whose key signs, a registry that has images, bundles packed from there, and empty repositories."""

    def __init__(self, directory: Path, registry: str, data: Path) -> None:
        self.directory, self.registry, self.data = directory, registry, data
        self.home = directory / "home"
        self.home.mkdir(mode=0o700)
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.home), "CT_HOME": str(self.home), "LC_ALL": "C.UTF-8"}
        self.env |= {"SOURCE_DATE_EPOCH": EPOCH}
        pair(self.home, "packer")
        (self.home / "config.toml").write_text('[registries]\ninsecure = ["127.0.0.1"]\n')
        make("single", directory / "image")
        self.pack("app.ctp")

    def pack(self, name: str, *options: str, path: str = "team/app", tag: str = "1.0") -> Path:
        """A bundle packed from the registry, where the image is put first."""
        to = f"{self.registry}/{path}:{tag}"
        copied = run(
            "skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{self.directory}/image", f"docker://{to}", env=self.env
        )
        assert copied.returncode == 0, copied.stderr
        self.ct("pack", "-q", *options, "-o", name, to)
        return self.directory / name

    def ct(self, *words: object, status: int = 0, **env: str) -> Any:
        made = run(CT, *words, env=self.env | env, cwd=self.directory)
        assert made.returncode == status, f"{words} {made.returncode}\n{made.stdout}{made.stderr}"
        return made

    def push(self, bundle: object, url: str, *options: str, status: int = 0, **env: str) -> Any:
        """What `ct push --json` says: of a push that was done the object, of another what is on standard error."""
        made = self.ct("push", "--json", *options, bundle, url, status=status, **env)
        return json.loads(made.stdout.splitlines()[-1]) if status == 0 else made.stderr

    def fetch(self, url: str, name: str = "fetched.ctp", status: int = 0, **env: str) -> Any:
        target = self.directory / name
        target.unlink(missing_ok=True)
        made = self.ct("fetch", "-q", "-o", name, url, status=status, **env)
        assert target.exists() == (status == 0)
        return target.read_bytes() if status == 0 else made.stderr

    def git(self, *words: object, cwd: Path | None = None, data: bytes = b"", **env: str) -> str:
        env = {
            **self.env,
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a@b",
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@b",
        } | env
        made = run("git", *words, env=env, cwd=cwd or self.directory, input=data)
        assert made.returncode == 0, (words, made.stderr)
        return str(made.stdout.decode())

    def repository(self, name: str, *options: str) -> tuple[Path, str]:
        """An empty bare repository, and how it is spelled."""
        path = self.directory / f"{name}.git"
        self.git("init", "-q", "--bare", *options, path)
        return path, f"git+file://{path}"

    def commit(self, repository: Path, entries: dict[str, tuple[str, bytes]], *, branch: str = "main", parent: str = "") -> str:
        """A commit of {path: (mode, content, or of a link its target, or of a submodule nothing)}, on top of `parent` if given."""
        index = {"GIT_INDEX_FILE": str(repository / "index.test"), "GIT_DIR": str(repository)}
        if parent:
            self.git("read-tree", parent, **index)
        for path, (mode, content) in entries.items():
            made = "1" * 40 if mode == "160000" else self.git("hash-object", "-w", "--stdin", data=content, **index).strip()
            self.git("update-index", "--add", "--cacheinfo", f"{mode},{made},{path}", **index)
        tree = self.git("write-tree", **index).strip()
        made = self.git("commit-tree", tree, *(["-p", parent] if parent else []), "-m", "theirs", **index).strip()
        self.git("update-ref", f"refs/heads/{branch}", made, **index)
        (repository / "index.test").unlink()
        return made

    def at(self, repository: Path, what: str) -> str:
        return self.git("--git-dir", repository, "rev-parse", what).strip()

    def listed(self, repository: Path, commit: str = "main") -> list[str]:
        return self.git("--git-dir", repository, "ls-tree", "-r", "--name-only", commit).split()

    def trust(self, bundle: Path) -> dict[str, bytes]:
        raw = bundle.read_bytes()
        return {one.name: one.content(raw) for one in members(raw)[:3]}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("git")
    with docker_registry(root / "registry") as host:
        yield World(root, host, root / "registry" / "data")


@pytest.fixture(autouse=True)
def nothing_left(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test's `ct` makes for itself lies in a directory of its own, and is gone afterwards."""
    place = tmp_path / "tmp"
    place.mkdir(mode=0o700)
    monkeypatch.setenv("TMPDIR", str(place))
    world.env["TMPDIR"] = str(place)
    yield
    assert list(place.iterdir()) == []


# -- there and back ------------------------------------------------------------------------------------------------------------


def test_there_and_back(world: World) -> None:
    repository, url = world.repository("simple")
    said = world.push("app.ctp", url)
    assert said["destination"] == f"{url}#app:1.0" and said["there"] == 0
    assert said["commit"] == world.at(repository, "main")
    trust = world.trust(world.directory / "app.ctp")
    assert said["moved"] == sum(map(len, trust.values()))
    assert world.listed(repository) == sorted(f"app/1.0/{name}" for name in MEMBERS)
    for name, data in trust.items():
        assert world.git("--git-dir", repository, "cat-file", "blob", f"main:app/1.0/{name}").encode() == data
    about = world.git("--git-dir", repository, "log", "--format=%s|%an|%ae|%ai|%cn|%ci|%P", "main").strip()
    time_ = "2023-11-14 22:13:20 +0000"
    assert about == f"app 1.0|Cerro Torre|ct@localhost|{time_}|Cerro Torre|{time_}|"

    again = world.push("app.ctp", f"{url}#app:1.0")
    assert again["moved"] == 0 and again["there"] == said["moved"] and again["commit"] == said["commit"]
    packed = (world.directory / "app.ctp").read_bytes()
    for which in ("", "#app", "#app:1.0"):
        assert world.fetch(url + which) == packed


def test_what_else_is_there_stays(world: World) -> None:
    """A branch by another name, files of others, a bundle whose name is the beginning of another's."""
    repository, url = world.repository("shared", "--initial-branch=trunk")
    theirs = {"README": ("100644", b"hi\n"), "app/run.sh": ("100755", b"#!/bin/sh\n"), "link": ("120000", b"README")}
    first = world.commit(repository, theirs, branch="trunk")
    world.pack("deep.ctp", "--name", "app/1.0/x")
    world.git("config", "--global", "user.name", "Packer")
    world.git("config", "--global", "user.email", "packer@example.org")
    try:
        world.push("app.ctp", url)
        world.push("deep.ctp", url)
    finally:
        (world.home / ".gitconfig").unlink()
    deep = [f"app/1.0/x/1.0/{name}" for name in MEMBERS]
    assert world.listed(repository, "trunk") == sorted([*theirs, *(f"app/1.0/{name}" for name in MEMBERS), *deep])
    assert world.at(repository, "trunk~2") == first
    assert (
        world.git("--git-dir", repository, "log", "-1", "--format=%s|%an|%ce", "trunk").strip()
        == "app/1.0/x 1.0|Packer|packer@example.org"
    )
    modes = world.git("--git-dir", repository, "ls-tree", "-r", "trunk")
    assert "100755 blob" in modes and "120000 blob" in modes
    assert world.git("--git-dir", repository, "for-each-ref", "--format=%(refname)").split() == ["refs/heads/trunk"]
    assert world.fetch(f"{url}#app/1.0/x") == (world.directory / "deep.ctp").read_bytes()
    assert world.fetch(f"{url}#app") == (world.directory / "app.ctp").read_bytes()
    said = world.fetch(url, status=10)
    assert "app:1.0, app/1.0/x:1.0" in said and "ct fetch" in said


def test_something_else_of_that_name(world: World) -> None:
    repository, url = world.repository("taken")
    world.push("app.ctp", url)
    before = world.at(repository, "main")
    world.pack("other.ctp", "--no-attached", "--name", "app", path="team/other")
    assert "another app/1.0" in world.push("other.ctp", url, status=11)
    assert world.at(repository, "main") == before
    world.push("other.ctp", url, "--force")
    assert world.at(repository, "main~1") == before
    assert world.fetch(url) == (world.directory / "other.ctp").read_bytes()
    # A file where a directory has to be.
    repository, url = world.repository("file")
    world.commit(repository, {"app": ("100644", b"")})
    assert "another app/1.0" in world.push("app.ctp", url, status=11)
    world.push("app.ctp", url, "--force")
    assert world.listed(repository) == sorted(f"app/1.0/{name}" for name in MEMBERS)


def test_destinations(world: World) -> None:
    _, url = world.repository("named")
    assert "names app:2, and the bundle is app:1.0" in world.push("app.ctp", f"{url}#app:2", status=64)
    for wrong in (
        "git+http://127.0.0.1/x", "git+ext://sh/x", "ext::sh -c id", "git+ssh://-oProxyCommand=id/x", "git+https://u:hunter2@h.example/x",
        f"git+file://host{world.directory}", f"{url}#.git:1", f"{url}#app:..",
    ):  # fmt: skip
        assert "hunter2" not in world.push("app.ctp", wrong, status=64)
    assert "nowhere.git" in world.push("app.ctp", "git+file:///nowhere.git", status=12)
    repository, url = world.repository("detached")
    world.git("--git-dir", repository, "update-ref", "--no-deref", "HEAD", world.commit(repository, {"x": ("100644", b"")}))
    assert "names no branch" in world.push("app.ctp", url, status=12)


def test_pushes_at_the_same_time(world: World) -> None:
    """Into a repository without a commit, where each would be the first."""
    repository, url = world.repository("busy")
    names = [world.pack(f"busy{number}.ctp", "--version", str(number)).name for number in range(3)]
    with ThreadPoolExecutor(len(names)) as pool:
        said = list(pool.map(lambda name: world.push(name, url), names))
    assert [one["destination"] for one in said] == [f"{url}#app:{number}" for number in range(3)]
    assert world.git("--git-dir", repository, "rev-list", "--count", "main").strip() == "3"
    assert world.listed(repository) == sorted(f"app/{number}/{name}" for number in range(3) for name in MEMBERS)


# -- blobs ---------------------------------------------------------------------------------------------------------------------


def test_blobs_that_nobody_could_fetch(world: World) -> None:
    repository, url = world.repository("lost")
    world.ct("pack", "-q", "-o", "local.ctp", "oci:image")
    said = world.push("local.ctp", url, status=12)
    assert "oci:image:1.0" in said and "no registry" in said and "sha256:" in said

    world.pack("lost.ctp", path="team/lost")
    content = json.loads(world.trust(world.directory / "lost.ctp")["summary.json"])["content"]
    config, layer = (next(one["digest"] for one in reversed(content) if one["role"] == role) for role in ("config", "layer"))
    # As if it had never been pushed to this repository.
    link = world.data / f"docker/registry/v2/repositories/team/lost/_layers/sha256/{layer[7:]}"
    shutil.move(link, world.directory / "link")
    said = world.push("lost.ctp", url, status=12)
    assert layer in said and said.count("sha256:") == 1
    assert world.git("--git-dir", repository, "for-each-ref") == ""
    shutil.move(world.directory / "link", link)
    world.push("lost.ctp", url)
    shutil.rmtree(link)
    shutil.rmtree(link.parent / config[7:])
    said = world.fetch(url, status=12)
    assert layer in said and config in said and "cannot be had" in said


def test_content_is_hashed_before(world: World) -> None:
    repository, url = world.repository("damaged")
    raw = bytearray((world.directory / "app.ctp").read_bytes())
    raw[-1536] ^= 1
    (world.directory / "damaged.ctp").write_bytes(raw)
    assert "hash mismatch" in world.push("damaged.ctp", url, status=1)
    assert world.git("--git-dir", repository, "for-each-ref") == ""


# -- what a repository, and the surroundings, may try --------------------------------------------------------------------------


def test_nobody_s_code_is_run(world: World) -> None:
    """Hooks of the user's template, of core.hooksPath, of the repository; programs that configuration names; git's own variables."""
    repository, url = world.repository("evil")
    mark = world.directory / "ran"
    script = f"#!/bin/sh\necho \"$0\" >>'{mark}'\nexit 1\n"
    names = [
        "pre-push", "reference-transaction", "pre-receive", "update", "post-receive", "post-update", "proc-receive", "pre-commit",
        "commit-msg", "prepare-commit-msg", "post-commit", "post-checkout", "pre-auto-gc", "fsmonitor-watchman", "push-to-checkout",
    ]  # fmt: skip
    template = world.home / "template"
    for hooks in (template / "hooks", world.home / "hooks", repository / "hooks"):
        hooks.mkdir(parents=True, exist_ok=True)
        for name in names:
            (hooks / name).write_text(script)
            (hooks / name).chmod(0o755)
    (world.home / "evil").write_text(script)
    (world.home / "evil").chmod(0o755)
    evil = str(world.home / "evil")
    for key, value in {
        "core.fsmonitor": evil, "core.alternateRefsCommand": evil, "uploadpack.packObjectsHook": evil, "gc.recentObjectsHook": evil,
        "filter.x.smudge": evil, "remote.far.uploadpack": evil, "core.sshCommand": evil,
        "core.editor": evil, "core.pager": evil, "diff.external": evil, "gc.auto": "1", "credential.helper": f"!{evil}",
    }.items():  # fmt: skip
        world.git("--git-dir", repository, "config", key, value)
    for key, value in {"init.templateDir": str(template), "core.hooksPath": str(world.home / "hooks"), "commit.gpgSign": "true",
                       "gpg.program": evil, "push.gpgSign": "if-asked", "protocol.allow": "always", "push.followTags": "true"}.items():  # fmt: skip
        world.git("config", "--global", key, value)
    (repository / "objects" / "info").mkdir(exist_ok=True)
    other, _ = world.repository("alternate")
    (repository / "objects" / "info" / "alternates").write_text(f"{other}/objects\n")
    astray = {
        "GIT_DIR": str(other), "GIT_WORK_TREE": "/", "GIT_INDEX_FILE": "/dev/full", "GIT_OBJECT_DIRECTORY": "/nowhere", "GIT_TRACE": str(mark),
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "remote.far.url", "GIT_CONFIG_VALUE_0": f"ext::{evil}", "GIT_ALLOW_PROTOCOL": "ext",
        "GIT_EXEC_PATH": str(world.home), "GIT_TEMPLATE_DIR": str(template), "GIT_CONFIG_PARAMETERS": "'core.hooksPath'='/nowhere'",
        "GIT_EXTERNAL_DIFF": evil, "GIT_PAGER": evil, "GIT_NAMESPACE": "x", "GIT_SHALLOW_FILE": "/nowhere",
    }  # fmt: skip
    try:
        world.push("app.ctp", url, **astray)
        world.fetch(url, **astray)
    finally:
        (world.home / ".gitconfig").unlink()
    assert not mark.exists(), mark.read_text()
    assert len(world.listed(repository)) == 3
    assert world.git("--git-dir", other, "for-each-ref") == ""


HOSTILE = {
    "link": ("120000", b"/etc/passwd", 10, "no regular file"),
    "submodule": ("160000", b"", 10, "no regular file"),
    "garbage": ("100644", b"\xff\xfe", 10, ""),
    "empty": ("100644", b"", 10, ""),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_something_else_in_place_of_a_file(world: World, kind: str) -> None:
    mode, content, status, words = HOSTILE[kind]
    repository, url = world.repository(f"hostile-{kind}")
    trust = world.trust(world.directory / "app.ctp")
    entries = {f"app/1.0/{name}": ("100644", data) for name, data in trust.items()}
    world.commit(repository, entries | {"app/1.0/manifest.toml": (mode, content)})
    assert words in world.fetch(f"{url}#app:1.0", status=status)


def test_other_things_that_a_repository_holds(world: World) -> None:
    repository, url = world.repository("hostile")
    assert "no bundle" in world.fetch(url, status=12)
    trust = world.trust(world.directory / "app.ctp")
    good = {name: ("100644", data) for name, data in trust.items()}

    def commit(where: str, **changed: Any) -> None:
        world.commit(repository, {f"{where}/{name}": value for name, value in (good | changed).items() if value})

    # What lies in another's directory is not what was asked for, however genuine it is.
    commit("other/1.0")
    assert "other:1.0" in world.fetch(f"{url}#other:1.0", status=10)
    for options in (["--no-verify"], ["--expect", "app:1.0"]):
        made = world.ct("fetch", *options, f"{url}#other:1.0", "-o", "fetched.ctp", status=10)
        assert "app:1.0" in made.stderr and not (world.directory / "fetched.ctp").exists()
    # Far more than a bundle may hold, in a few bytes of a pack.
    commit("app/1.0", **{"summary.json": ("100644", b"\n" * (9 << 20))})
    assert "more than 8388608" in world.fetch(f"{url}#app:1.0", status=10)
    commit("app/1.0", **{"summary.json": None})
    assert "no summary.json" in world.fetch(f"{url}#app:1.0", status=10)
    commit("app/1.0", **{"summary.json": ("100644", trust["summary.json"].replace(b"app", b"xpp"))})
    world.fetch(f"{url}#app:1.0", status=1)
    assert "no app:2" in world.fetch(f"{url}#app:2", status=12)
    assert "no bundle called b" in world.fetch(f"{url}#b", status=12)
    many = {f"n{number}/1/manifest.toml": ("100644", b"") for number in range(40)}
    world.commit(repository, many | {"x y/1/manifest.toml": ("100644", b""), "manifest.toml": ("100644", b"")})
    said = world.fetch(url, status=10)
    assert "has 40" in said and "and 20 more" in said and "x y" not in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to another user")
def test_a_repository_of_another_user(world: World) -> None:
    """git's own rule holds, and its words are shown."""
    repository, url = world.repository("foreign")
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 1, 1)
    assert "dubious ownership" in world.push("app.ctp", url, status=12)


def test_without_git(world: World) -> None:
    where = world.directory / "programs"
    where.mkdir()
    for name in ("env", "sed", "rm", "cat", "readlink", "sh", "find", "mktemp", "id"):
        (where / name).symlink_to(program(name))
    assert "git is not installed" in world.push("app.ctp", "git://h.example/x", status=69, PATH=str(where))


# -- over ssh and https --------------------------------------------------------------------------------------------------------


def test_over_ssh(world: World) -> None:
    repository, _ = world.repository("ssh")
    stub = world.directory / "ssh"
    stub.write_text(f'#!/bin/sh\necho "$@" >>\'{world.directory}/asked\'\nfor last; do :; done\nexec sh -c "$last"\n')
    stub.chmod(0o755)
    url, env = f"git+ssh://git@h.example:2222{repository}", {"GIT_SSH_COMMAND": str(stub), "GIT_SSH_VARIANT": "ssh"}
    world.push("app.ctp", url, **env)
    assert world.fetch(url, **env) == (world.directory / "app.ctp").read_bytes()
    asked = (world.directory / "asked").read_text()
    assert "-p 2222 git@h.example git-receive-pack" in asked and "file" not in asked


def test_killed(world: World) -> None:
    """Nothing that was started outlives `ct`, though what it waits for never answers."""
    stub = world.directory / "hanging"
    stub.write_text(f"#!/bin/sh\n: >'{world.directory}/hangs'\nsleep 600\n")
    stub.chmod(0o755)
    env = world.env | {"GIT_SSH_COMMAND": str(stub)}
    child = subprocess.Popen(
        [CT, "push", "app.ctp", "git+ssh://h.example/x"], cwd=world.directory, env=env, start_new_session=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    await_((world.directory / "hangs").exists, "ssh", of=child)
    child.send_signal(signal.SIGTERM)
    child.wait()
    gone(child.pid)


def test_silence_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from cerrotorre import gitprogram
    from cerrotorre.errors import Fail

    monkeypatch.setattr(gitprogram, "SILENCE", 0.5)
    monkeypatch.setenv("GIT_SSH_COMMAND", "sleep 600 #")
    begun = time.monotonic()
    with (
        pytest.raises(Fail, match="nothing came for") as failed,
        gitprogram.Git("ssh://h.example/x", "git+ssh://h.example/x") as git,
    ):
        git.must("ls-remote", "--", git.url)
    assert failed.value.finding["status"] == 12 and time.monotonic() - begun < 30


def test_too_much_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from cerrotorre import gitprogram
    from cerrotorre.errors import Fail

    monkeypatch.setattr(gitprogram, "MOST", 1 << 20)
    monkeypatch.setattr(gitprogram, "LOOK", 0.001)
    monkeypatch.setenv("GIT_SSH_COMMAND", "yes word >&2 #")
    monkeypatch.setenv("GIT_SSH_VARIANT", "ssh")
    with pytest.raises(Fail, match="more than 1048576 bytes"), gitprogram.Git("ssh://h.example/x", "x") as git:
        git.must("ls-remote", "--", git.url)


def test_words_without_secrets() -> None:
    from cerrotorre import gitprogram

    git = gitprogram.Git("https://h.example/x", "git://h.example/x")
    git.directory = "/tmp/private"
    said = git._words(b"hint: no\nfatal: unable to access 'https://bob:hunter2@h.example/x/': in /tmp/private/repository\r\n")
    assert said == "fatal: unable to access 'https://h.example/x/': in repository"


class Handler(BaseHTTPRequestHandler):
    """git-http-backend(1) as the CGI program it is."""

    server: Any

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.answer()

    do_POST = do_GET

    def answer(self) -> None:
        self.server.seen.append((self.command, self.path))
        wanted = "Basic " + base64.b64encode(b"bob:hunter2").decode()
        if self.server.closed and self.headers.get("Authorization") != wanted:
            self.reply(401, ("WWW-Authenticate", 'Basic realm="x"'))
            return
        if self.server.leads:
            self.reply(302, ("Location", self.server.leads + self.path))
            return
        path, _, query = self.path.partition("?")
        env = os.environ | {
            "GIT_PROJECT_ROOT": str(self.server.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
            "REQUEST_METHOD": self.command, "REMOTE_USER": "bob", "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }  # fmt: skip
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        made = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=True).stdout
        head, _, rest = made.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.reply(int(fields.pop("Status", "200").split()[0]), *fields.items(), body=rest)

    def reply(self, status: int, *fields: tuple[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (*fields, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def served(root: Path, tls: Path | None) -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.root, server.seen, server.closed, server.leads = root, [], False, ""
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def test_over_https(world: World) -> None:
    ca, pem = certificates(world.directory)
    repository, _ = world.repository("web")
    with served(world.directory, pem) as server, served(world.directory, None) as plain:
        host = f"127.0.0.1:{server.server_address[1]}"
        url, env = f"git://{host}/web.git", {"GIT_SSL_CAINFO": str(ca)}
        world.git("config", "--global", "http.sslVerify", "false")
        world.git("config", "--global", f"http.https://{host}.sslVerify", "false")
        assert "certificate" in world.push("app.ctp", url, status=12, GIT_SSL_NO_VERIFY="1")
        assert server.seen == []
        world.push("app.ctp", url, **env)
        assert world.listed(repository)
        assert world.fetch(f"git+https://{host}/web.git", **env) == (world.directory / "app.ctp").read_bytes()
        # Nobody is asked for a password; a helper of the user's own is.
        server.closed = True
        assert "hunter2" not in world.fetch(url, status=12, **env)
        helper = world.directory / "helper"
        helper.write_text("#!/bin/sh\n[ \"$1\" = get ] && printf 'username=bob\\npassword=hunter2\\n'\n")
        helper.chmod(0o755)
        world.git("config", "--global", "credential.helper", str(helper))
        world.fetch(url, **env)
        server.closed, server.leads = False, f"http://127.0.0.1:{plain.server_address[1]}"
        world.fetch(url, status=12, **env)
        assert plain.seen == []
        (world.home / ".gitconfig").unlink()
        # The user's own way to a host: from https to ssh, and nowhere else.
        world.git("config", "--global", f"url.http://127.0.0.1:{plain.server_address[1]}/.insteadOf", f"https://{host}/")
        assert "not allowed" in world.fetch(url, status=12, **env)
        assert plain.seen == []
        (world.home / ".gitconfig").unlink()
