"""Registries and archives that never end: each costs a stated time, and a stated room."""

import contextlib
import gzip
import io
import json
import os
import socket
import stat
import subprocess
import tarfile
import threading
import time

import pytest
from cerrotorre import bearer, distribution, skopeo, sources, transport
from cerrotorre.errors import Fail
from processes import await_
from registries import INDEX, MANIFEST, Fake, digest

DEADLINE = 0.6


@contextlib.contextmanager
def server(act):
    """host:port of a server that reads a request and leaves the connection to `act`."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection):
        with contextlib.suppress(OSError), connection:
            connection.recv(65536)
            act(connection)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        # Wakes accept(), which close() does not.
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def endless(first, then, pause=0.0):
    def act(connection):
        connection.sendall(first)
        while True:
            connection.sendall(then)
            time.sleep(pause)

    return act


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "act",
    [
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05),
        endless(b"HTTP/1.1 200 OK\r\n", b"a", 0.05),
        endless(CHUNKED + b"2\r\n{}\r\n0\r\n", b"a: b\r\n"),
        endless(CHUNKED + b"2;", b"a", 0.05),
        endless(b"HTTP/1.1 200 OK\r\n\r\n", b"a", 0.05),
        endless(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"a", 0.05),
    ],
    ids=["interim", "slow interim", "header", "trailers", "chunk extension", "body to the end", "body"],
)
def test_an_answer_ends_at_its_deadline(act):
    with server(act) as host:
        began = time.monotonic()
        with pytest.raises(Fail, match=f"takes over {DEADLINE:g} s"):
            transport.Transport({}, 5, DEADLINE).send(f"http://{host}/v2/", {}, 1 << 20)
        assert DEADLINE <= time.monotonic() - began < DEADLINE + 2


def test_connections_are_kept_and_their_watch_ends():
    with Fake() as fake:
        made = transport.Transport({}, 5, 0.3)
        before = threading.active_count()
        opened = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            assert made.send(f"http://{fake.host}/v2/", {}, 100)["body"] == b"{}"
        # One connection: its two ends and the watch's descriptor.
        assert len(os.listdir("/proc/self/fd")) <= opened + 5
        time.sleep(0.5)
        assert made.send(f"http://{fake.host}/v2/", {}, 100)["body"] == b"{}"
        assert threading.active_count() <= before + 2
        fake.answers["/closed"] = lambda handler: handler.reply(200, b"{}", Connection="close")
        made.send(f"http://{fake.host}/closed", {}, 100)
        manager = next(iter(made._pools.values()))[0]
        kept = manager.connection_from_url(f"http://{fake.host}/").pool.queue
        assert not any(connection.guard for connection in kept if connection)


def test_a_link_header_is_bounded_and_read_in_one_pass():
    began = time.monotonic()
    assert not distribution._NEXT.search("<a>;" * 16000)
    assert not distribution._NEXT.search("<a>;" + "rel " * 16000)
    assert time.monotonic() - began < 1
    assert distribution._NEXT.search('<a>; rel="prev", <b?n=1>; title=x; rel="next"')[1] == "b?n=1"
    with Fake() as fake:
        fake.answers[r"/v2/a/app/referrers/.*"] = lambda handler: handler.reply(
            200, b'{"manifests":[]}', INDEX, Link="<a>;" * 2100
        )
        made = distribution.Repository(fake.host, "a/app", [fake.host], [], {}, transport.Transport({}, 2, 2))
        with pytest.raises(Fail, match="Link header is over 8192 bytes"):
            made.referrers(digest(b""), 10)


@pytest.mark.parametrize(
    "realm, host, realms, good",
    [
        ("https://127.0.0.1:5202/t", "127.0.0.1:5203", [], False),
        ("https://127.0.0.1:5202/t", "127.0.0.1:5203", ["127.0.0.1:5202"], True),
        ("https://127.0.0.1:5202/t", "127.0.0.1:5203", ["127.0.0.1"], True),
        ("https://a.example/t", "a.example:5000", [], False),
        ("https://a.example:5000/t", "a.example", [], False),
        ("https://a.example:443/t", "a.example", [], True),
        ("https://a.example/t", "a.example:443", [], True),
        ("https://a.example:5000/t", "a.example:5000", [], True),
    ],
)
def test_credentials_go_to_the_same_port(realm, host, realms, good):
    with contextlib.nullcontext() if good else pytest.raises(Fail, match="token server is on another host"):
        bearer.check_realm(realm, host, realms)


# -- images ---------------------------------------------------------------------------------------------------------------------


def repository(host, env=None, **limits):
    made = transport.Transport({}, tries=1, **limits)
    return distribution.Repository(host, "a/app", [host], [], {} if env is None else env, made)


def image(fake, size=110):
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(b"layer"), "size": size}
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(b"{}"), "size": 2}
    made = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}).encode()
    fake.blob(b"{}")
    fake.manifest(made, "1")
    return {"mediaType": MANIFEST, "digest": digest(made), "size": len(made)}


def test_a_registry_that_never_answers():
    with server(lambda connection: time.sleep(30)) as host:
        began = time.monotonic()
        with pytest.raises(Fail, match=r"no answer within 0.8 s") as caught:
            repository(host, timeout=0.8).resolve("1")
        assert caught.value.finding["finding"] == "network" and time.monotonic() - began < 5


@pytest.mark.parametrize("drip", [b"", b"a"])
def test_a_blob_that_does_not_come(drip):
    def stall(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "110")
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(drip)
            time.sleep(0.1)

    with Fake() as fake:
        image(fake)
        fake.answers[f"/v2/a/app/blobs/{digest(b'layer')}"] = stall
        began = time.monotonic()
        with pytest.raises(Fail, match=r"less than 64 KiB in 0.8 s") as caught:
            list(repository(fake.host, slow=0.8).chunks(digest(b"layer"), 110))
        assert caught.value.finding["finding"] == "network" and time.monotonic() - began < 6


def test_a_blob_that_is_larger_than_declared():
    sent = []

    def flood(handler):
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        while True:
            handler.wfile.write(bytes(1 << 16))
            sent.append(1)
            time.sleep(0.002)

    with Fake() as fake:
        image(fake)
        fake.answers[f"/v2/a/app/blobs/{digest(b'layer')}"] = flood
        with pytest.raises(Fail, match="has another size") as caught:
            list(repository(fake.host).chunks(digest(b"layer"), 110))
        assert caught.value.finding["finding"] == "network"
        assert len(sent) < 1000


@pytest.mark.parametrize("challenge", ['Basic realm="x"', 'Bearer realm="http://{host}/token",service="x"'])
def test_no_credentials_without_tls(tmp_path, challenge):
    with Fake() as fake:
        (tmp_path / "auth.json").write_text(json.dumps({"auths": {fake.host: {"auth": "Ym9iOmh1bnRlcjI="}}}))
        env = {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}
        image(fake)
        fake.authorization, fake.challenge = "Basic Ym9iOmh1bnRlcjI=", challenge
        fake.answers["/token.*"] = lambda handler: handler.reply(200, b'{"token":"x"}')
        with pytest.raises(Fail):
            repository(fake.host, env).resolve("1")
        with pytest.raises(Fail):
            list(repository(fake.host, env).chunks(digest(b"layer"), 110))
        assert len(fake.seen) > 1 and {said for _, _, said in fake.seen} == {None}


# -- skopeo ---------------------------------------------------------------------------------------------------------------------


def fake_skopeo(tmp_path, monkeypatch, script):
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "skopeo"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "work").mkdir()


def test_what_skopeo_repeats_of_credentials_is_left_out(tmp_path, monkeypatch):
    fake_skopeo(
        tmp_path, monkeypatch, """echo 'time="x" level=fatal msg="denied: Basic Ym9iOmh1 and Bearer ab.c"' >&2; exit 1"""
    )
    with pytest.raises(Fail) as caught:
        skopeo.run(["x"], "a", str(tmp_path / "work"))
    assert caught.value.finding["context"]["Skopeo"] == "denied: Basic [left out] and Bearer [left out]"


def test_what_goes_on_is_let_go_on(tmp_path, monkeypatch):
    script = 'for n in 1 2 3 4 5 6; do head -c 70000 /dev/zero >"$TMPDIR/$n"; sleep 0.3; done; echo done'
    fake_skopeo(tmp_path, monkeypatch, script)
    most = (1 << 20, Fail("oci-size", "x"))
    assert skopeo.run(["x"], "a", str(tmp_path / "work"), most=most) == b"done\n"


def test_what_it_wrote_before_the_first_look_counts(tmp_path, monkeypatch):
    class Late(subprocess.Popen):
        def __init__(self, *words, **more):
            super().__init__(*words, **more)
            await_((tmp_path / "work" / "done").exists, "what it writes", of=self)

    fake_skopeo(tmp_path, monkeypatch, 'head -c 70000 /dev/zero >"$TMPDIR/x"; : >"$TMPDIR/done"; exec sleep 60')
    monkeypatch.setattr(subprocess, "Popen", Late)
    with pytest.raises(Fail, match="too much"):
        skopeo.run(["x"], "a", str(tmp_path / "work"), most=(1 << 16, Fail("oci-size", "too much")))


def test_one_that_does_not_end_when_told_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(skopeo, "GRACE", 0.3)
    script = "trap '' TERM; head -c 70000 /dev/zero >\"$TMPDIR/x\"; while :; do sleep 0.1; done"
    fake_skopeo(tmp_path, monkeypatch, script)
    began = time.monotonic()
    with pytest.raises(Fail, match="too much"):
        skopeo.run(["x"], "a", str(tmp_path / "work"), most=(1 << 16, Fail("oci-size", "too much")))
    assert time.monotonic() - began < 4


# -- archives -------------------------------------------------------------------------------------------------------------------


def test_an_archive_that_unpacks_to_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_BEYOND", 1 << 20)
    (tmp_path / "bomb.tar.gz").write_bytes(gzip.compress(bytes(20 << 20)))
    with pytest.raises(Fail, match="unpacks to more than 200 times its size") as caught:
        sources._plain_tar(str(tmp_path / "bomb.tar.gz"), str(tmp_path))
    assert caught.value.finding["finding"] == "oci-too-large"
    assert (tmp_path / "archive.tar").stat().st_size < 8 << 20


def docker_archive(path, layer, diff_id, mode="w"):
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff_id]}}).encode()
    name = digest(config)[7:] + ".json"
    listed = json.dumps([{"Config": name, "RepoTags": ["app:1"], "Layers": ["l/layer.tar"]}]).encode()
    with tarfile.open(path, mode) as archive:
        for member, data in ((name, config), ("l/layer.tar", layer), ("manifest.json", listed)):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def test_a_docker_archive_whose_layer_unpacks_to_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_BEYOND", 1 << 20)
    monkeypatch.setattr(sources, "MAX_RATIO", 2)
    monkeypatch.setattr(skopeo, "LOOK", 0.02)
    bomb = gzip.compress(bytes(400 << 20), 1)
    docker_archive(tmp_path / "a.tar", bomb, digest(b"unknown"))
    (tmp_path / "work").mkdir()
    with pytest.raises(Fail) as caught:
        sources._from_archive(str(tmp_path / "a.tar"), "", str(tmp_path / "work"))
    assert caught.value.finding["finding"] == "oci-too-large", caught.value


def test_a_colon_beside_the_output(tmp_path):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w"):
        pass
    docker_archive(tmp_path / "a.tar.gz", made.getvalue(), digest(made.getvalue()), "w:gz")
    work = tmp_path / "x:y"
    work.mkdir()
    source, named = sources._from_archive(str(tmp_path / "a.tar.gz"), "", str(work))
    assert named == "docker.io/library/app:1" and source.directory == f"{work}/image"
