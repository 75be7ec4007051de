"""Blobs and manifests to a registry and from it: what is sent arrives whole or not at all, what is cut off goes on, nothing leaks."""

import base64
import itertools
import json
import re
import subprocess
import threading
import time

import pytest
from cerrotorre import credentials, mirrors, transport
from cerrotorre.distribution import Conflict, Repository
from cerrotorre.errors import Fail
from conftest import BUILD, program
from registries import INDEX, MANIFEST, Fake, Upload, certificates, digest, docker_registry

KIB = 1 << 10
# Of several chunks, pieces and parts, and no multiple of any.
BLOB = bytes(range(251)) * 1400
DIGEST = digest(BLOB)
DOC = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST}).encode()
SECRETS = ("hunter2", "s3cret", base64.b64encode(b"bob:hunter2").decode())


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return certificates(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def fake(pki, tmp_path):
    with Fake(pki[1]) as server:
        trust(tmp_path, pki, server)
        yield server


@pytest.fixture
def other(pki, tmp_path):
    with Fake(pki[1]) as server:
        trust(tmp_path, pki, server)
        yield server


def trust(home, pki, server):
    place = home / ".config/containers/certs.d" / getattr(server, "host", server)
    place.mkdir(parents=True)
    (place / "ca.crt").write_bytes(pki[0].read_bytes())


def login(home, server, user="bob:hunter2"):
    (home / "auth.json").write_text(json.dumps({"auths": {server.host: {"auth": base64.b64encode(user.encode()).decode()}}}))


def repository(server, home, path="a/app", slow=10.0, tries=4, pause=0.01, insecure=(), push=True):
    env = {"HOME": str(home), "REGISTRY_AUTH_FILE": str(home / "auth.json")}
    host = getattr(server, "host", server)
    made = transport.Transport(env, 10, 20, tries, pause, slow)
    return Repository(host, path, list(insecure), [], env, made, push=push)


def chunks(data=BLOB, size=100 * KIB):
    """As a reader of a file gives them: views of one buffer, which is filled anew."""
    buffer = bytearray(size)
    for start in range(0, len(data), size):
        part = data[start : start + size]
        buffer[: len(part)] = part
        yield memoryview(buffer)[: len(part)]


def send(made, data=BLOB, **more):
    return made.upload(digest(data), len(data), lambda: chunks(data), **more)


def get(made, size=None, offset=0, name=DIGEST):
    return b"".join(made.chunks(name, len(BLOB) if size is None else size, offset))


def refused(act, *words):
    with pytest.raises(Fail) as caught:
        act()
    said = json.dumps(caught.value.finding) + str(caught.value)
    assert caught.value.finding["finding"] == "network"
    for word in words:
        assert word in said, said
    assert not any(secret in said for secret in SECRETS), said
    return caught.value


def asked(server, method, pattern=".*"):
    return [(path, said) for verb, path, said in server.seen if verb == method and re.search(pattern, path)]


def naps(monkeypatch):
    slept = []
    monkeypatch.setattr(transport.time, "sleep", slept.append)
    return slept


# -- a real one ------------------------------------------------------------------------------------------------------------------


def test_docker_registry(pki, tmp_path):
    """Over TLS, with a password."""
    users = tmp_path / "users"
    made = subprocess.run([program("htpasswd"), "-Bbn", "bob", "hunter2"], capture_output=True, check=True)
    users.write_bytes(made.stdout)
    with docker_registry(tmp_path / "registry", pki[1], users) as host:
        trust(tmp_path, pki, host)
        refused(lambda: send(repository(host, tmp_path)), "none are stored", f"skopeo login {host}")
        auth = {"auths": {host: {"auth": SECRETS[2]}}}
        (tmp_path / "auth.json").write_text(json.dumps(auth))
        one, another = repository(host, tmp_path), repository(host, tmp_path, "b/app")
        assert one.blob_size(DIGEST) is None
        assert send(one) == "uploaded" and one.blob_size(DIGEST) == len(BLOB)
        assert send(another, source="a/app") == "mounted" and get(another) == BLOB
        assert send(another, b"") == "uploaded" and another.blob_size(digest(b"")) == 0
        assert send(one, BLOB[:-1], source="no/such") == "uploaded"
        for offset in (1, 70000, len(BLOB) - 1, len(BLOB)):
            assert get(one, offset=offset) == BLOB[offset:]
        # In parts, as those want it that take no blob at once.
        one._part = 64 * KIB
        assert send(one, BLOB[:-2]) == "uploaded" and get(one, len(BLOB) - 2, 0, digest(BLOB[:-2])) == BLOB[:-2]
        config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": DIGEST, "size": len(BLOB)}
        data = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}).encode()
        assert one.put_manifest("1", data, MANIFEST)["docker-content-digest"] == digest(data)
        assert one.resolve("1") == one.resolve(digest(data)) == (data, f"{host}/a/app")
        assert one.described("1")[1]["etag"].strip('"') == digest(data)
        refused(lambda: one.resolve("2"), f"no such image there: {host}/a/app:2")
        refused(lambda: get(one, 9, 0, digest(b"absent")), "does not have")
        absent = data.replace(DIGEST.encode(), digest(b"absent").encode())
        refused(lambda: one.put_manifest("1", absent, MANIFEST), "MANIFEST_BLOB_UNKNOWN")


# -- uploads ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("absolute", [True, False])
def test_where_an_upload_goes(fake, tmp_path, absolute):
    fake.absolute = absolute
    assert send(repository(fake, tmp_path)) == "uploaded" and fake.blobs[DIGEST] == BLOB
    ((path, _),) = asked(fake, "PUT")
    assert re.fullmatch(r"/v2/a/app/blobs/uploads/\w+\?_state=\w+&digest=sha256%3A\w+", path)


@pytest.mark.parametrize("part", [0, 64 * KIB])
@pytest.mark.parametrize("after", [0, 1, 3, 4])
@pytest.mark.parametrize("error", [Fail("hash-mismatch"), BrokenPipeError("x"), OSError(5, "x"), KeyboardInterrupt()])
def test_what_cannot_be_read_is_never_completed(fake, tmp_path, part, after, error):
    def failing():
        yield from itertools.islice(chunks(), after)
        raise error

    made = repository(fake, tmp_path)
    made._part = part
    with pytest.raises(type(error)) as caught:
        made.upload(DIGEST, len(BLOB), failing)
    assert caught.value is error
    assert not fake.blobs and fake.received < len(BLOB)
    assert len(asked(fake, "POST")) == 1
    # And the connection, in the middle of a request, is not used again.
    assert send(made) == "uploaded"


@pytest.mark.parametrize("part", [0, 64 * KIB])
@pytest.mark.parametrize("data", [BLOB[:-1], BLOB + b"!", b""])
def test_another_length_is_never_completed(fake, tmp_path, part, data):
    made = repository(fake, tmp_path)
    made._part = part
    with pytest.raises(Fail, match="were to be sent") as caught:
        made.upload(DIGEST, len(BLOB), lambda: chunks(data))
    assert caught.value.finding["finding"] == "internal" and not fake.blobs


@pytest.mark.parametrize("status", [405, 411, 413, 501])
def test_a_registry_that_takes_no_blob_at_once(fake, tmp_path, monkeypatch, status):
    monkeypatch.setattr("cerrotorre.pushing.PART", 128 * KIB)
    monkeypatch.setattr("cerrotorre.pushing.LEAST_PART", 16 * KIB)
    sizes = []

    def limited(handler):
        size = int(handler.headers["Content-Length"])
        sizes.append(size)
        return handler.fails(status, "UNSUPPORTED") if size > (0 if handler.command == "PUT" else 100 * KIB) else False

    fake.answers[r"/v2/a/app/blobs/uploads/\w.*"] = limited
    made = repository(fake, tmp_path)
    assert send(made) == "uploaded" and fake.blobs[DIGEST] == BLOB
    assert sizes[:3] == [len(BLOB), 128 * KIB, 16 * KIB] and sizes[-2:] == [len(BLOB) % (16 * KIB), 0]
    sizes.clear()
    # It is known now.
    assert send(made, BLOB[1:]) == "uploaded" and max(sizes) == 16 * KIB


def test_the_least_part(fake, tmp_path):
    def begun(handler):
        fake.uploads["key"] = Upload(None)
        handler.reply(202, Location="/v2/a/app/blobs/uploads/key", OCI_Chunk_Min_Length=str(70 << 20))

    fake.answers["/v2/a/app/blobs/uploads/"] = begun
    assert send(repository(fake, tmp_path)) == "uploaded" and fake.blobs[DIGEST] == BLOB
    assert len(asked(fake, "PATCH")) == 1


def test_an_upload_that_breaks_off_is_begun_anew(fake, tmp_path):
    broken = []

    def breaking(handler):
        if handler.command != "PUT" or len(broken) == 2:
            return False
        broken.append(next(handler.body()))
        handler.unread = 0
        handler.close_connection = True
        return True

    fake.answers[r"/v2/a/app/blobs/uploads/\w.*"] = breaking
    assert send(repository(fake, tmp_path)) == "uploaded" and fake.blobs[DIGEST] == BLOB
    assert len(broken) == 2 and len(asked(fake, "POST")) == 3
    broken.clear()
    del fake.blobs[DIGEST]
    made = repository(fake, tmp_path, tries=2)
    refused(lambda: send(made), "the connection broke")
    assert not fake.blobs


def test_only_the_answer_was_lost(fake, tmp_path):
    def silenced(handler):
        if handler.command != "PUT":
            return False
        fake.blobs[DIGEST] = b"".join(bytes(part) for part in handler.body())
        handler.close_connection = True
        return True

    fake.answers[r"/v2/a/app/blobs/uploads/\w.*"] = silenced
    assert send(repository(fake, tmp_path)) == "uploaded"
    assert len(asked(fake, "PUT")) == 1


def test_a_mount_that_comes_to_nothing_is_an_upload(fake, tmp_path):
    fake.mounts = False
    assert send(repository(fake, tmp_path), source="b/app") == "uploaded"
    fake.answers[r".*mount=.*"] = lambda handler: handler.fails(403, "DENIED")
    assert send(repository(fake, tmp_path), BLOB[1:], source="b/app") == "uploaded"


def test_led_elsewhere_with_a_blob(fake, other, tmp_path):
    """The store gets the bytes, and no Authorization; what signs the URL is not told."""
    fake.users, other.users = {"bob": "hunter2"}, {}
    login(tmp_path, fake)
    kept = []

    def store(handler):
        kept.append(b"".join(bytes(part) for part in handler.body()))
        handler.reply(201)

    other.answers["/put.*"] = store
    place = f"{other.base}/put?signature=s3cret"
    fake.answers[r"/v2/a/app/blobs/uploads/\w.*"] = lambda handler: handler.reply(307, Location=place)
    assert send(repository(fake, tmp_path)) == "uploaded" and kept == [BLOB]
    del fake.answers[r"/v2/a/app/blobs/uploads/\w.*"]

    def begun(handler):
        if not handler.headers["Authorization"]:
            return False
        handler.reply(202, Location=place)
        return True

    fake.answers[r"/v2/a/app/blobs/uploads/"] = begun
    assert send(repository(fake, tmp_path)) == "uploaded" and kept == [BLOB, BLOB]
    assert [path for path, _ in asked(other, "PUT")] == [
        "/put?signature=s3cret",
        f"/put?signature=s3cret&digest=sha256%3A{DIGEST[7:]}",
    ]
    assert {said for _, _, said in other.seen} == {None}
    other.answers["/put.*"] = lambda handler: handler.fails(403, "DENIED")
    refused(lambda: send(repository(fake, tmp_path)), "403")
    del fake.answers[r"/v2/a/app/blobs/uploads/"]
    with Fake() as plain:
        fake.answers[r"/v2/a/app/blobs/uploads/\w.*"] = lambda handler: handler.reply(307, Location=f"{plain.base}/put")
        refused(lambda: send(repository(fake, tmp_path, insecure=[plain.host])), "without TLS")
        assert not plain.seen


def test_a_registry_that_does_not_take_what_is_sent(tmp_path, pki):
    """It reads nothing: after the time for 64 KiB that is given up."""
    with Fake(pki[1]) as fake:
        trust(tmp_path, pki, fake)
        fake.answers[r"/v2/a/app/blobs/uploads/\w.*"] = lambda handler: time.sleep(8)
        began = time.monotonic()
        made = repository(fake, tmp_path, slow=0.4, tries=2)
        data = bytes(32 << 20)
        refused(lambda: made.upload(DIGEST, len(data), lambda: iter([data])), "64 KiB in 0.4 s")
        assert time.monotonic() - began < 10


# -- manifests -------------------------------------------------------------------------------------------------------------------


def test_a_manifest_that_was_changed_meanwhile(fake, tmp_path):
    made = repository(fake, tmp_path)
    made.put_manifest("t", DOC, MANIFEST, headers={"If-None-Match": "*"})
    data, headers = made.described("t")
    assert data == DOC
    with pytest.raises(Conflict):
        made.put_manifest("t", DOC + b" ", MANIFEST, headers={"If-None-Match": "*"})
    made.put_manifest("t", DOC + b" ", MANIFEST, headers={"If-Match": headers["etag"]})
    with pytest.raises(Conflict, match="was changed meanwhile"):
        made.put_manifest("t", DOC, MANIFEST, headers={"If-Match": headers["etag"]})
    assert fake.manifests["t"] == (DOC + b" ", MANIFEST)


@pytest.mark.parametrize("how", ["refused", "taken"])
def test_a_manifest_that_was_damaged_on_the_way(fake, tmp_path, how):
    """It is sent once more: a tag that names what was made of it would be another image's."""
    left = [1]

    def damaged(handler):
        if handler.command != "PUT" or not left[0]:
            return False
        left[0] -= 1
        list(handler.body())
        if how == "refused":
            return handler.fails(400, "MANIFEST_INVALID")
        fake.manifest(b"{}", "t")
        return handler.reply(201, Docker_Content_Digest=digest(b"{}"))

    fake.answers["/v2/a/app/manifests/.*"] = damaged
    repository(fake, tmp_path).put_manifest("t", DOC, MANIFEST)
    assert fake.manifests["t"] == (DOC, MANIFEST)
    left[0] = 9
    refused(lambda: repository(fake, tmp_path).put_manifest("t", DOC, MANIFEST))
    assert left == [7]


def test_a_list_of_long_pages(fake, tmp_path):
    """Each has one entry, of nearly 4 MiB."""
    entry = json.dumps({"manifests": [{"annotations": {"a": "x" * (4_000_000)}}]}).encode()
    fake.answers[".*/referrers/.*"] = lambda handler: handler.reply(200, entry, INDEX, Link=f'<{handler.path}>; rel="next"')
    found, whole = repository(fake, tmp_path).referrers(DIGEST, 256)
    assert len(found) < 8 and not whole


def test_a_registry_that_took_another_manifest(fake, tmp_path):
    fake.answers["/v2/a/app/manifests/.*"] = lambda handler: handler.reply(201, Docker_Content_Digest=digest(b"other"))
    refused(lambda: repository(fake, tmp_path).put_manifest("t", DOC, MANIFEST), "another document", digest(DOC))


# -- blobs that come ---------------------------------------------------------------------------------------------------------------


def cut(after, data=BLOB, honest=True):
    """A handler that gives so many bytes from where it is asked for, and breaks off."""

    def answer(handler):
        begin = int((handler.headers.get("Range") or "bytes=0-")[6:-1]) if honest else 0
        handler.send_response(206 if begin else 200)
        if begin:
            handler.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        handler.send_header("Content-Length", str(len(data) - begin))
        handler.end_headers()
        handler.wfile.write(data[begin : begin + after])
        handler.close_connection = True

    return answer


def test_what_breaks_off_goes_on(fake, tmp_path):
    fake.answers["/v2/a/app/blobs/.*"] = cut(70 * KIB)
    # It is more often than it is tried, but something came each time.
    assert get(repository(fake, tmp_path, tries=2)) == BLOB
    assert len(asked(fake, "GET")) == -(-len(BLOB) // (70 * KIB))
    fake.seen.clear()
    assert get(repository(fake, tmp_path), offset=5) == BLOB[5:]


@pytest.mark.parametrize("after", [0, 1, 9 * KIB])
def test_what_hardly_comes_is_given_up(fake, tmp_path, after):
    fake.answers["/v2/a/app/blobs/.*"] = cut(after)
    refused(lambda: get(repository(fake, tmp_path)), "the connection broke")
    assert len(asked(fake, "GET")) == 4


def test_a_registry_without_ranges(fake, tmp_path):
    tries = []
    whole = cut(len(BLOB), honest=False)

    def answer(handler):
        tries.append(1)
        return (cut(90 * KIB, honest=False) if len(tries) == 1 else whole)(handler)

    fake.answers["/v2/a/app/blobs/.*"] = answer
    assert get(repository(fake, tmp_path)) == BLOB and len(tries) == 2
    assert get(repository(fake, tmp_path), offset=123456) == BLOB[123456:]


def ranged(status, said, data=BLOB[10:], **more):
    return lambda handler: handler.reply(status, data, Content_Range=said, **more)


@pytest.mark.parametrize(
    "act, words",
    [
        (ranged(206, f"bytes 0-{len(BLOB) - 11}/{len(BLOB)}"), "another range"),
        (ranged(206, f"bytes 11-{len(BLOB) - 1}/{len(BLOB)}"), "another range"),
        (ranged(206, f"bytes 10-{len(BLOB)}/{len(BLOB)}"), "another range"),
        (ranged(206, f"bytes 10-9/{len(BLOB)}"), "another range"),
        (ranged(206, "bytes */5"), "another range"),
        (ranged(206, "x" * 9000), "another range"),
        (ranged(206, ""), "another range"),
        (ranged(206, f"bytes 10-{len(BLOB) - 1}/{len(BLOB) + 1}"), "another size"),
        (ranged(206, f"bytes 10-{len(BLOB) - 1}/*", BLOB[10:] + b"!"), "another size"),
        (ranged(200, ""), "another size"),
        (ranged(200, "", BLOB + b"!"), "another size"),
        (ranged(416, f"bytes */{len(BLOB)}"), "416"),
        (ranged(404, ""), "does not have"),
        (ranged(403, ""), "403"),
        (ranged(204, "", b""), "204"),
        (ranged(500, ""), "500"),
    ],
)
def test_answers_that_are_not_what_was_asked_for(fake, tmp_path, act, words):
    fake.answers["/v2/a/app/blobs/.*"] = act
    refused(lambda: get(repository(fake, tmp_path), offset=10), words)


def test_a_body_without_a_length(fake, tmp_path):
    def answer(data):
        def act(handler):
            handler.send_response(200)
            handler.send_header("Connection", "close")
            handler.end_headers()
            handler.wfile.write(data)
            handler.close_connection = True

        return act

    fake.answers["/v2/a/app/blobs/.*"] = answer(BLOB)
    assert get(repository(fake, tmp_path)) == BLOB
    fake.answers["/v2/a/app/blobs/.*"] = answer(BLOB[:-1])
    refused(lambda: get(repository(fake, tmp_path)), "ends 1 bytes too early")
    fake.answers["/v2/a/app/blobs/.*"] = answer(BLOB + b"!")
    refused(lambda: get(repository(fake, tmp_path)), "another size")


def drip(pause, size=KIB):
    def answer(handler):
        begin = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        cut(0)(handler)
        for start in range(begin, len(BLOB), size):
            handler.wfile.write(BLOB[start : start + size])
            time.sleep(pause)

    return answer


def test_a_drip_is_given_up_and_tried_again(fake, tmp_path):
    fake.answers["/v2/a/app/blobs/.*"] = drip(0.05)
    began = time.monotonic()
    refused(lambda: get(repository(fake, tmp_path, slow=0.5, tries=3)), "less than 64 KiB in 0.5 s")
    assert 1.4 < time.monotonic() - began < 10 and len(asked(fake, "GET")) == 3
    # It came further each time.
    assert len({path for path, _ in asked(fake, "GET")}) == 1


def test_whose_time_it_is(fake, tmp_path):
    """One stream is given up, which others on the same repository are not; and a consumer may take its time."""
    fake.blob(BLOB)
    dripping = digest(b"dripping")
    fake.answers[f"/v2/a/app/blobs/{dripping}"] = drip(0.05)
    made = repository(fake, tmp_path, slow=1.0, tries=2)
    found = {}

    def slowly(name):
        parts = []
        for chunk in made.chunks(DIGEST, len(BLOB)):
            for start in range(0, len(chunk), 64 * KIB):
                time.sleep(0.3 if len(parts) < 5 else 0)
                parts.append(chunk[start : start + 64 * KIB])
        found[name] = b"".join(parts)

    threads = [threading.Thread(target=slowly, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()
    refused(lambda: get(made, name=dripping), "64 KiB")
    for thread in threads:
        thread.join()
    assert [*found.values()] == [BLOB] * 3 and len(asked(fake, "GET", DIGEST)) == 3


def test_a_stream_that_nobody_wants_any_more(fake, tmp_path):
    fake.blob(BLOB)
    made = repository(fake, tmp_path)
    before = threading.active_count()
    for _ in range(5):
        stream = made.chunks(DIGEST, len(BLOB))
        next(stream)
        stream.close()
    assert get(made) == BLOB
    deadline = time.monotonic() + 5
    while threading.active_count() > before + 8 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threading.active_count() <= before + 8


def test_blob_sizes(fake, other, tmp_path):
    fake.blob(BLOB)
    made = repository(fake, tmp_path)
    assert made.blob_size(DIGEST) == len(BLOB) and made.blob_size(digest(b"x")) is None
    fake.leads_to(other)
    assert made.blob_size(DIGEST) == len(BLOB)
    # A store whose signed URLs are for GET alone.
    other.answers["/store/.*"] = lambda handler: handler.command == "HEAD" and (handler.fails(403, "DENIED") or True)
    assert made.blob_size(DIGEST) == len(BLOB)
    assert get(made) == BLOB and {said for _, _, said in other.seen} == {None}
    fake.answers["/v2/a/app/blobs/.*"] = lambda handler: handler.fails(403, "DENIED")
    refused(lambda: made.blob_size(DIGEST), "403 DENIED", f"skopeo login {fake.host}")


# -- busy ones -------------------------------------------------------------------------------------------------------------------


def busy(times, status=429, **headers):
    left = [times]

    def answer(handler):
        left[0] -= 1
        return handler.fails(status, "TOOMANYREQUESTS", **headers) or True if left[0] >= 0 else False

    return answer


@pytest.mark.parametrize(
    "headers, slept",
    [
        ({}, [0.5, 1.0]),
        ({"Retry_After": "7"}, [7.0, 7.0]),
        ({"Retry_After": "60"}, [60.0, 60.0]),
        ({"Retry_After": "Mon, 23 Nov 2026 00:00:30 GMT", "Date": "Mon, 23 Nov 2026 00:00:10 GMT"}, [20.0, 20.0]),
        ({"Retry_After": "Mon, 23 Nov 2026 00:00:00 GMT", "Date": "Mon, 23 Nov 2026 00:00:10 GMT"}, [0.0, 0.0]),
        ({"Retry_After": "-1"}, [0.5, 1.0]),
        ({"Retry_After": "soon"}, [0.5, 1.0]),
    ],
)
def test_how_long_a_busy_registry_is_left_alone(fake, tmp_path, monkeypatch, headers, slept):
    slept_for = naps(monkeypatch)
    fake.blob(BLOB)
    monkeypatch.setattr("registries.Handler.date_time_string", lambda *_: headers.get("Date", ""))
    more = {"Retry_After": headers["Retry_After"]} if "Retry_After" in headers else {}
    for pattern, act in (
        (r".*/manifests/.*", lambda made: made.put_manifest("t", DOC, MANIFEST)),
        (r".*/blobs/sha256.*", lambda made: get(made)),
        (r".*/blobs/uploads/", send),
        (r".*/blobs/uploads/\w.*", lambda made: send(made, BLOB[1:])),
    ):
        fake.answers = {pattern: busy(2, **more)}
        act(repository(fake, tmp_path, pause=0.5))
        assert slept_for == slept, pattern
        slept_for.clear()


def test_a_registry_that_stays_busy(fake, tmp_path, monkeypatch):
    slept = naps(monkeypatch)
    fake.blob(BLOB)
    for status in (429, 500, 502, 503, 504):
        fake.answers = {".*": busy(99, status)}
        refused(lambda: get(repository(fake, tmp_path)), str(status))
        refused(lambda: send(repository(fake, tmp_path)), str(status))
        refused(lambda: repository(fake, tmp_path).put_manifest("t", DOC, MANIFEST), str(status))
    assert len(slept) == 5 * 3 * 3
    slept.clear()
    fake.answers = {".*": busy(99, Retry_After="61")}
    for act in (get, send):
        refused(lambda act=act: act(repository(fake, tmp_path)), '"Retry after": "61"')
    assert slept == []


# -- credentials -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expires", [1, 2, 3])
def test_tokens_that_end_meanwhile(fake, tmp_path, expires):
    fake.users, fake.expires = {"bob": "hunter2"}, expires
    login(tmp_path, fake)
    made = repository(fake, tmp_path)
    for cutoff in range(3):
        data = BLOB[cutoff:]
        assert send(made, data) == "uploaded"
        assert get(made, len(data), 0, digest(data)) == data
    made.put_manifest("t", DOC, MANIFEST)
    assert made.resolve("t")[0] == DOC
    made._part = 64 * KIB
    if expires > 1:
        assert fake.blobs.pop(DIGEST) == BLOB
        fake.expires = 1 << 30
        assert send(made) == "uploaded"


def test_a_token_that_is_never_good_enough(fake, tmp_path):
    fake.users, fake.public = {"bob": "hunter2"}, True
    made = repository(fake, tmp_path)
    refused(lambda: send(made), "401", f"skopeo login {fake.host}")
    assert len(asked(fake, "GET", "/token")) == 2 and len(asked(fake, "POST")) == 3
    login(tmp_path, fake, "bob:hunter3")
    refused(lambda: send(repository(fake, tmp_path)), "refuses these credentials", f"skopeo login {fake.host}")
    # The same password once more would only count against who has it.
    fake.users, fake.authorization, fake.challenge = {}, "nobody's", "Basic"
    fake.seen.clear()
    refused(lambda: send(repository(fake, tmp_path)), "401")
    assert len(asked(fake, "POST")) == 2


def test_two_tokens_end_in_a_row(fake, tmp_path):
    fake.users = {"bob": "hunter2"}
    login(tmp_path, fake)
    made = repository(fake, tmp_path)
    left = [2]

    def ended(handler):
        left[0] -= 1
        if left[0] < 0:
            return False
        return handler.fails(401, "UNAUTHORIZED", WWW_Authenticate=f'Bearer realm="{fake.base}/token",service="fake"')

    fake.answers["/v2/.*/uploads/"] = ended
    assert made.manifest("t") is None
    assert send(made) == "uploaded" and left == [-1]


@pytest.mark.parametrize("more", ["?scope=repository:victim/app:pull,push", "?a=1;%73cope=x", "?service=other", "?SCOPE=x#y"])
def test_a_challenge_that_asks_for_more(fake, tmp_path, more):
    """A token server that several registries share would give it, and this registry would have it then."""
    fake.users = {"bob": "hunter2"}
    login(tmp_path, fake)
    said = f'Bearer realm="{fake.base}/token{more}",service="fake"'
    fake.answers["/v2/.*"] = lambda handler: handler.fails(401, "UNAUTHORIZED", WWW_Authenticate=said)
    refused(lambda: repository(fake, tmp_path).manifest("t"), "asks for rights")
    assert not asked(fake, "GET", "/token")


def test_nothing_that_is_said_back_is_repeated(fake, tmp_path):
    fake.authorization, fake.challenge = "Basic " + SECRETS[2], "Basic"
    login(tmp_path, fake)
    for status, headers in ((503, {"Retry_After": SECRETS[0]}), (201, {"Docker_Content_Digest": "sha256:" + SECRETS[0]})):
        fake.answers["/v2/.*/manifests/.*"] = lambda handler, status=status, headers=headers: handler.reply(status, **headers)
        if status == 503:
            refused(lambda: repository(fake, tmp_path, tries=1).manifest("t"), "503")
        else:
            repository(fake, tmp_path).put_manifest("t", DOC, MANIFEST)
    fake.answers["/v2/.*"] = lambda handler: handler.reply(200, Content_Length=SECRETS[0])
    refused(lambda: get(repository(fake, tmp_path)))


def test_what_a_token_is_asked_for(fake, tmp_path):
    fake.users = {"bob": "hunter2"}
    login(tmp_path, fake)
    fake.kept["b/app"] = type(fake.kept["a/app"])()
    fake.kept["b/app"].blobs[DIGEST] = BLOB
    reader = repository(fake, tmp_path, "b/app", push=False)
    assert get(reader) == BLOB
    fake.public = False
    assert send(repository(fake, tmp_path), source="b/app") == "mounted"
    made = repository(fake, tmp_path)
    assert send(made, BLOB[1:]) == "uploaded"
    assert send(made, source="b/app") == "mounted"
    scopes = [re.findall("scope=([^&]*)", path) for path, _ in asked(fake, "GET", "/token")]
    one, two = "repository%3Aa%2Fapp%3Apull%2Cpush", "repository%3Ab%2Fapp%3Apull"
    assert scopes == [[two], [one, two], [one], [one, two]]


def test_a_right_to_mount_that_is_refused(fake, tmp_path):
    """A token server that gives all or nothing."""
    fake.users = {"bob": "hunter2"}
    login(tmp_path, fake)
    fake.answers[r"/token.*b%2Fapp.*"] = lambda handler: handler.fails(403, "DENIED")
    assert send(repository(fake, tmp_path), source="b/app") == "uploaded"
    made = repository(fake, tmp_path)
    assert send(made, BLOB[1:]) == "uploaded"
    assert send(made, BLOB[2:], source="b/app") == "uploaded"


def test_threads_share_a_repository(fake, tmp_path):
    fake.users, fake.expires = {"bob": "hunter2"}, 25
    login(tmp_path, fake)
    made = repository(fake, tmp_path, tries=8)
    failed = []

    def work(number):
        try:
            for turn in range(4):
                data = BLOB[10 * number + turn :]
                assert send(made, data) == "uploaded"
                assert get(made, len(data), 0, digest(data)) == data
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and len(fake.blobs) == 32
    # One for 25 requests, of which each that comes too late has one more; not one for every thread.
    assert len(asked(fake, "GET", "/token")) < 12


def test_no_credentials_go_to_plain_http(tmp_path):
    with Fake() as server:
        login(tmp_path, server)
        server.users = {"bob": "hunter2"}
        refused(lambda: send(repository(server, tmp_path, insecure=[server.host])), "none are sent without TLS")
        assert {said for _, _, said in server.seen} == {None}


# -- what to type next -------------------------------------------------------------------------------------------------------------


def test_plain_http_that_nobody_allowed(tmp_path):
    with Fake() as server:
        made = repository(server, tmp_path, insecure=["*.lan"])
        said = refused(lambda: made.resolve("t"), "speaks plain HTTP")
        assert said.finding["try"] == [f"ct config set registries.insecure '*.lan' {server.host}"]
        assert not server.seen


# -- mirrors -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mirror, host, path, found",
    [
        ("docker.io=m.example/hub", "docker.io", "library/nginx", "m.example/hub/library/nginx"),
        ("docker.io/library=m.example", "docker.io", "library/nginx", "m.example/nginx"),
        ("docker.io/lib=m.example", "docker.io", "library/nginx", None),
        ("docker.io/library/nginx=m.example/n", "docker.io", "library/nginx", "m.example/n"),
        ("docker.io/library/nginx=m.example", "docker.io", "library/nginx", None),
        ("R.example:443/a=M.example:5000/x/y", "r.example", "a/b", "m.example:5000/x/y/b"),
        ("r.example:5000=m.example", "r.example", "a", None),
        ("r.example=m.example", "r.example.evil", "a", None),
        ("index.docker.io=localhost/x", "docker.io", "a/b", "localhost/x/a/b"),
    ],
)
def test_which_mirror(mirror, host, path, found):
    assert ["/".join(one) for one in mirrors.of([mirror], host, path)] == ([found] if found else [])


def test_mirrors_are_asked_first_and_passed_over(fake, other, pki, tmp_path, monkeypatch):
    """By what config.toml says."""
    (tmp_path / "store").mkdir(mode=0o700)
    monkeypatch.setenv("CT_HOME", str(tmp_path / "store"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    config = tmp_path / "store" / "config.toml"
    config.write_text(
        f'[registries]\nmirrors = ["{fake.host}/a=127.0.0.1:1/x", "{fake.host}/a={other.host}/a", "{fake.host}=localhost:1"]\n'
    )
    quick = transport.Transport(None, 10, 20, 2, 0.01)
    reader = Repository.named(fake.host, "a/app", transport=quick)
    fake.manifest(DOC, "t")
    assert reader.resolve("t") == (DOC, f"{fake.host}/a/app")
    assert len(asked(other, "GET", "/manifests/t")) == 1
    other.manifest(DOC + b" ", "t")
    assert reader.resolve("t") == (DOC + b" ", f"{other.host}/a/app")
    # What a digest names is the same everywhere, or is not taken.
    other.manifests[digest(DOC)] = (b"{}", MANIFEST)
    assert reader.resolve(digest(DOC)) == (DOC, f"{fake.host}/a/app")
    other.answers[".*"] = lambda handler: handler.reply(401, WWW_Authenticate="Basic")
    login(tmp_path, fake)
    assert reader.resolve("t") == (DOC, f"{fake.host}/a/app")
    assert not any(said for _, _, said in other.seen)
    other.answers.clear()
    # Who writes asks the registry itself.
    assert Repository.named(fake.host, "a/app", push=True, transport=quick).resolve("t") == (DOC, f"{fake.host}/a/app")


# -- ct login ------------------------------------------------------------------------------------------------------------------------


def test_login_says_what_to_use(tmp_path):
    def ct(*arguments):
        env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        made = subprocess.run([BUILD / "bin" / "ct", "login", *arguments], env=env, capture_output=True, text=True)
        assert made.returncode == 64 and made.stdout == ""
        return made.stderr

    assert "nobody was logged in" in ct("r.example:5000") and "skopeo login r.example:5000," in ct("r.example:5000")
    # Where it says that they lie is where they are looked for.
    for where in credentials.files({"HOME": "~", "XDG_RUNTIME_DIR": "/r"}) + credentials.files({"HOME": "/h"}):
        assert where.replace("/h/", "~/").replace("/r/", "$XDG_RUNTIME_DIR/") in ct(), where
    for wrong in (["a", "b"], ["-x"], ["a b"], ["a/b"], ["\x1b[31m"]):
        assert "usage: ct login [HOST]" in ct(*wrong) and "\x1b" not in ct(*wrong)
    assert not [*tmp_path.iterdir()]
