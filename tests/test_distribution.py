"""The client of the distribution specification, against a registry that does what it likes."""

import base64
import gzip
import json
import os
import time

import pytest
from cerrotorre import bearer, credentials, pools, transport
from cerrotorre.distribution import Repository
from cerrotorre.errors import Fail
from registries import INDEX, Fake, certificates, digest

BOB = "Basic " + base64.b64encode(b"bob:hunter2").decode()
BLOB = b"what is asked for"
DIGEST = digest(BLOB)
SECRETS = ("hunter2", "opaque-token", base64.b64encode(b"bob:hunter2").decode())


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return certificates(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def fake(pki, tmp_path):
    with Fake(pki[1]) as server:
        trust(tmp_path, pki, server.host)
        server.blob(BLOB)
        yield server


@pytest.fixture
def other(pki, tmp_path):
    with Fake(pki[1]) as server:
        trust(tmp_path, pki, server.host)
        yield server


def trust(home, pki, host):
    place = home / ".config/containers/certs.d" / host
    place.mkdir(parents=True)
    (place / "ca.crt").write_bytes(pki[0].read_bytes())


def repository(server, home, realms=(), insecure=(), auth=None, **env):
    if auth is not None:
        (home / "auth.json").write_text(json.dumps({"auths": {server.host: auth}}))
        env["REGISTRY_AUTH_FILE"] = str(home / "auth.json")
    env = {"HOME": str(home), **env}
    return Repository(server.host, server.name, list(insecure), list(realms), env, transport.Transport(env, 2, 3, pause=0.01))


def refused(act, *words):
    with pytest.raises(Fail) as caught:
        act()
    said = json.dumps(caught.value.finding) + str(caught.value)
    assert caught.value.finding["finding"] == "network"
    assert not any(secret in said for secret in SECRETS), said
    for word in words:
        assert word in said, said


def login(**more):
    return {"auth": base64.b64encode(b"bob:hunter2").decode(), **more}


def token_server(server, realm="https://{host}/token", answer=b'{"token":"opaque-token"}', status=200):
    server.authorization = "Bearer opaque-token"
    server.challenge = f'Bearer realm="{realm}",service="the, service",scope="repository:everything:pull,push"'
    server.answers[r"/token.*"] = lambda handler: handler.reply(status, answer)


def asked(server, path):
    return [authorization for _, seen, authorization in server.seen if seen.startswith(path)]


# -- credentials, to whom and whether -------------------------------------------------------------------------------------------


def test_a_token_for_pulling_this_and_nothing_more(fake, tmp_path):
    token_server(fake)
    made = repository(fake, tmp_path, auth=login())
    assert made.blob(DIGEST, len(BLOB)) == BLOB and made.blob(DIGEST, len(BLOB)) == BLOB
    (got,) = [path for _, path, _ in fake.seen if path.startswith("/token")]
    assert got == "/token?service=the%2C%20service&scope=repository%3Aa%2Fapp%3Apull"
    assert asked(fake, "/token") == [BOB]
    assert asked(fake, "/v2/a/app/blobs") == [None, "Bearer opaque-token", "Bearer opaque-token"]


def test_a_token_without_credentials(fake, tmp_path):
    token_server(fake, answer=b'{"access_token":"opaque-token"}')
    assert repository(fake, tmp_path).blob(DIGEST, len(BLOB)) == BLOB
    assert asked(fake, "/token") == [None]


def test_an_identity_token_is_posted(fake, tmp_path):
    token_server(fake)
    assert repository(fake, tmp_path, auth={"identitytoken": "opaque-id"}).blob(DIGEST, len(BLOB)) == BLOB
    ((_, path, body),) = [seen for seen in fake.seen if seen[0] == "POST"]
    assert path == "/token" and "refresh_token=opaque-id" in body and "grant_type=refresh_token" in body


def test_basic(fake, tmp_path):
    fake.authorization, fake.challenge = BOB, 'Basic realm="x"'
    assert repository(fake, tmp_path, auth=login()).blob(DIGEST, len(BLOB)) == BLOB
    refused(lambda: repository(fake, tmp_path).blob(DIGEST, 9), "none are stored")
    refused(lambda: repository(fake, tmp_path, auth={"username": "bob", "password": "hunter22"}).blob(DIGEST, 9), "401")


@pytest.mark.parametrize(
    "realm, words",
    [
        ("http://{host}/token", "without TLS"),
        ("https://localhost/token", "realms = "),
        ("https://127.0.0.1.evil.example/token", "another host"),
        ("https://bob@{host}/token", "a URL"),
        ("file:///etc/passwd", "a URL"),
        ("/token", "a URL"),
        ("", "a URL"),
        ("https://{host}\\@evil.example/token", ""),
    ],
)
def test_realms_that_get_nothing(fake, tmp_path, realm, words):
    token_server(fake, realm)
    refused(lambda: repository(fake, tmp_path, auth=login()).blob(DIGEST, 9), words)
    assert not asked(fake, "/token")


def test_a_realm_that_is_allowed(fake, other, pki, tmp_path):
    port = other.host.rpartition(":")[2]
    trust(tmp_path, pki, f"localhost:{port}")
    token_server(fake, f"https://localhost:{port}/token")
    token_server(other)
    refused(lambda: repository(fake, tmp_path, auth=login()).blob(DIGEST, len(BLOB)), "another host")
    assert repository(fake, tmp_path, realms=["localhost"], auth=login()).blob(DIGEST, len(BLOB)) == BLOB
    assert asked(other, "/token") == [BOB]


@pytest.mark.parametrize("realm, host, good", [("https://auth.docker.io/token", "docker.io", True), ("https://auth.docker.io/token", "evil.example", False), ("https://evil.example/token", "docker.io", False)])  # fmt: skip
def test_the_realm_of_docker(realm, host, good):
    if good:
        bearer.check_realm(realm, host, [])
    else:
        refused(lambda: bearer.check_realm(realm, host, []))


@pytest.mark.parametrize(
    "answer", [b"", b"[]", b'{"token":7}', b'{"token":"a\\nX: y"}', b'{"token":"\\u00e9"}', b'{"token":"a","token":"b"}']
)
def test_what_is_no_token(fake, tmp_path, answer):
    token_server(fake, answer=answer)
    refused(lambda: repository(fake, tmp_path, auth=login()).blob(DIGEST, 9), "gave no token")


def test_a_token_server_that_refuses_or_leads_away(fake, other, tmp_path):
    token_server(fake, answer=b"hunter2", status=403)
    refused(lambda: repository(fake, tmp_path, auth=login()).blob(DIGEST, 9), "403")
    fake.answers["/token.*"] = lambda handler: handler.reply(307, Location=f"https://{other.host}/token")
    refused(lambda: repository(fake, tmp_path, auth=login()).blob(DIGEST, 9), "307")
    assert not other.seen


@pytest.mark.parametrize("challenge", ["", "Negotiate", 'Digest realm="x"', "Bearer", "\x01"])
def test_challenges_that_are_not_known(fake, tmp_path, challenge):
    token_server(fake)
    fake.challenge = challenge
    refused(lambda: repository(fake, tmp_path, auth=login()).blob(DIGEST, 9))


def test_no_credentials_without_tls(tmp_path):
    with Fake() as server:
        server.blob(BLOB)
        made = repository(server, tmp_path, insecure=["127.0.0.1"], auth=login())
        assert made.blob(DIGEST, len(BLOB)) == BLOB
        server.authorization, server.challenge = BOB, "Basic"
        refused(lambda: made.blob(DIGEST, 9), "none are sent without TLS")
        assert {authorization for _, _, authorization in server.seen} == {None}


def test_insecure_hosts_may_have_any_certificate(pki, tmp_path):
    with Fake(pki[1]) as server:
        server.blob(BLOB)
        refused(lambda: repository(server, tmp_path).blob(DIGEST, 9), "TLS", "certificate")
        assert repository(server, tmp_path, insecure=[server.host]).blob(DIGEST, len(BLOB)) == BLOB


@pytest.mark.parametrize(
    "header, found",
    [
        ('Bearer realm="a",service=b', {"bearer": {"realm": "a", "service": "b"}}),
        ('Basic realm="x, y", Bearer realm="a\\"b"', {"basic": {"realm": "x, y"}, "bearer": {"realm": 'a"b'}}),
        ("Negotiate, BEARER Realm=z", {"negotiate": {}, "bearer": {"realm": "z"}}),
        ('Bearer realm="a",realm="b"', {"bearer": {"realm": "a"}}),
        ('Bearer realm="unended', {"bearer": {}}),
        ("=", {}),
    ],
)
def test_reading_challenges(header, found):
    assert {scheme: said for scheme, said in bearer.challenges(header).items() if scheme in found} == found


# -- where it leads --------------------------------------------------------------------------------------------------------------


def test_a_redirect_carries_no_authorization(fake, other, tmp_path):
    fake.authorization, fake.challenge = BOB, "Basic"
    path = f"/v2/a/app/blobs/{DIGEST}"
    fake.answers[path] = lambda handler: (
        handler.reply(307, Location=f"https://{other.host}/store?signature=opaque-token")
        if handler.headers.get("Authorization")
        else handler.reply(401, WWW_Authenticate="Basic")
    )
    other.answers["/store.*"] = lambda handler: handler.reply(200, BLOB)
    assert repository(fake, tmp_path, auth=login()).blob(DIGEST, len(BLOB)) == BLOB
    assert asked(other, "/store") == [None]
    other.answers["/store.*"] = lambda handler: handler.reply(401, WWW_Authenticate="Basic")
    refused(lambda: repository(fake, tmp_path, auth=login()).blob(DIGEST, 9), "wants credentials")
    assert asked(other, "/store") == [None, None]
    other.answers["/store.*"] = lambda handler: handler.reply(200, b"other")
    refused(lambda: repository(fake, tmp_path, auth=login()).blob(DIGEST, 9), "another document")


def test_redirects_are_few_and_stay_with_tls(fake, tmp_path):
    path = f"/v2/a/app/blobs/{DIGEST}"
    fake.answers[path] = lambda handler: handler.reply(302, Location=path)
    refused(lambda: repository(fake, tmp_path).blob(DIGEST, 9), "more than 5 times")
    assert len(fake.seen) == 6
    with Fake() as plain:
        fake.answers[path] = lambda handler: handler.reply(302, Location=f"http://{plain.host}/x")
        refused(lambda: repository(fake, tmp_path, insecure=[plain.host]).blob(DIGEST, 9), "without TLS")
        assert not plain.seen
    for place in ("", "ftp://x/y", "https://a b/", "https://[/"):
        fake.answers[path] = lambda handler, place=place: handler.reply(302, Location=place)
        refused(lambda: repository(fake, tmp_path).blob(DIGEST, 9))


def test_the_next_page(fake, other, tmp_path):
    pages = {"": ["a"], "?n=1": ["b"], "?n=2": ["c"]}

    def answer(handler):
        query = handler.path[len("/v2/a/app/referrers/" + DIGEST) :]
        other_page = f"https://{fake.host}/v2/a/app/referrers/{DIGEST}?n=2"
        link = {"": "<?n=1>; rel=next", "?n=1": f'</other>; rel="prev", <{other_page}>; title="x"; rel="next"'}
        more = {"Link": link[query]} if query in link else {}
        handler.reply(200, json.dumps({"manifests": pages[query]}).encode(), INDEX + "; charset=utf-8", **more)

    fake.answers["/v2/a/app/referrers/.*"] = answer
    assert repository(fake, tmp_path).referrers(DIGEST, 9) == (["a", "b", "c"], True)
    assert repository(fake, tmp_path).referrers(DIGEST, 1) == (["a", "b"], False)
    body = b'{"manifests":[]}'
    fake.answers["/v2/a/app/referrers/.*"] = lambda handler: handler.reply(
        200, body, INDEX, Link=f'<https://{other.host}/x>; rel="next"'
    )
    refused(lambda: repository(fake, tmp_path).referrers(DIGEST, 9), "another host")
    fake.answers["/v2/a/app/referrers/.*"] = lambda handler: handler.reply(200, body, INDEX, Link='<?x>; rel="next"')
    before = len(fake.seen)
    assert repository(fake, tmp_path).referrers(DIGEST, 9) == ([], False)
    assert len(fake.seen) - before == 64
    for body in (b"", b"[]", b'{"manifests":{}}', b'{"manifests":[],"manifests":[]}'):
        fake.answers["/v2/a/app/referrers/.*"] = lambda handler, body=body: handler.reply(200, body, INDEX)
        refused(lambda: repository(fake, tmp_path).referrers(DIGEST, 9), "no index")


@pytest.mark.parametrize(
    "status, there", [(400, False), (404, False), (405, False), (406, False), (501, False), (403, True), (500, True)]
)
def test_whether_there_is_a_referrers_api(fake, tmp_path, status, there):
    fake.answers["/v2/a/app/referrers/.*"] = lambda handler: handler.reply(status, b"<html>", "text/html")
    if there:
        refused(lambda: repository(fake, tmp_path).referrers(DIGEST, 9), str(status))
    else:
        assert repository(fake, tmp_path).referrers(DIGEST, 9) is None


# -- answers ---------------------------------------------------------------------------------------------------------------------


def _truncated(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "900")
    handler.end_headers()
    handler.wfile.write(BLOB)
    handler.close_connection = True


def _drip(handler):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(40):
        handler.wfile.write(b".")
        time.sleep(0.1)


def _silent(handler):
    time.sleep(4)


def _garbage(handler):
    handler.wfile.write(b"\x00\x01 not HTTP\r\n\r\n")
    handler.close_connection = True


@pytest.mark.parametrize(
    "act, words",
    [
        (_truncated, "the connection broke"),
        (_drip, "takes over 3 s"),
        (_silent, "no answer within 2 s"),
        (_garbage, "the connection broke"),
        (lambda handler: handler.reply(200, BLOB + b"!"), "is over 17 bytes"),
        (lambda handler: handler.reply(200, BLOB[:-1] + b"?"), "another document"),
        (lambda handler: handler.reply(200, gzip.compress(BLOB), Content_Encoding="gzip"), "is over 17 bytes"),
        (lambda handler: handler.reply(204), "204"),
        (lambda handler: handler.reply(500, b'{"errors":[{"code":"hunter2"},{"code":"DENIED"}]}'), "500"),
        (lambda handler: handler.reply(403, b'{"errors":[{"code":"DENIED","message":"hunter2"}]}'), "403 DENIED"),
    ],
)
def test_answers_that_are_none(fake, tmp_path, act, words):
    fake.answers["/v2/a/app/blobs/.*"] = act
    refused(lambda: repository(fake, tmp_path).blob(DIGEST, 999 if act is _drip else len(BLOB)), words)


def test_tags_that_are_probably_not_there_cost_no_get(fake, tmp_path):
    fake.manifest(b"{}", "there")
    made = repository(fake, tmp_path)
    assert made.tagged("absent") is None and made.tagged("there") == b"{}"
    assert [method for method, path, _ in fake.seen] == ["HEAD", "HEAD", "GET"]
    # A registry without HEAD.
    fake.answers[".*/manifests/.*"] = lambda handler: handler.reply(405 if handler.command == "HEAD" else 404)
    assert made.tagged("absent") is None
    fake.answers[".*/manifests/.*"] = lambda handler: handler.reply(403)
    refused(lambda: made.tagged("absent"), "403")


def test_what_is_not_there(fake, tmp_path):
    made = repository(fake, tmp_path)
    assert made.blob("sha256:" + "0" * 64, 9) is None and made.manifest("absent") is None


def test_a_busy_registry_is_asked_again(fake, tmp_path):
    counts = []

    def answer(handler):
        counts.append(1)
        handler.reply(429, Retry_After="0") if len(counts) < 3 else handler.reply(200, BLOB)

    fake.answers["/v2/a/app/blobs/.*"] = answer
    assert repository(fake, tmp_path).blob(DIGEST, len(BLOB)) == BLOB and len(counts) == 3
    fake.answers["/v2/a/app/blobs/.*"] = lambda handler: handler.reply(503, Retry_After="0")
    refused(lambda: repository(fake, tmp_path).blob(DIGEST, len(BLOB)), "503")
    # It is not waited for as long as it likes.
    fake.answers["/v2/a/app/blobs/.*"] = lambda handler: handler.reply(429, Retry_After="86400")
    refused(lambda: repository(fake, tmp_path).blob(DIGEST, len(BLOB)), "429")


def test_nobody_there(tmp_path):
    with Fake() as server:
        pass
    refused(lambda: repository(server, tmp_path).blob(DIGEST, 9), "no connection")
    made = Repository("registry.invalid", "a", [], [], {}, transport.Transport({}, 2, 2))
    refused(lambda: made.blob(DIGEST, 9), "registry.invalid: ")


# -- the host's settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host, no_proxy, used",
    [
        ("registry.example", "", True),
        ("registry.example", "registry.example", False),
        ("registry.example:5000", "registry.example", False),
        ("registry.example:5000", "registry.example:443", True),
        ("a.registry.example", ".registry.example, x", False),
        ("notregistry.example", "registry.example", True),
        ("registry.example", "*", False),
        ("localhost:5000", "", False),
        ("127.0.0.1", "", False),
        ("[::1]:80", "", False),
    ],
)
def test_which_proxy(host, no_proxy, used):
    env = {"HTTPS_PROXY": "proxy.example:3128", "no_proxy": no_proxy}
    assert pools.proxy_for("https", host, env) == ("http://proxy.example:3128" if used else None)
    assert pools.proxy_for("http", host, env) is None


def test_a_proxy_is_asked_and_its_password_not_told():
    with Fake() as proxy:
        proxy.answers["http://registry.example/v2/"] = lambda handler: handler.reply(
            200, handler.headers["Proxy-Authorization"].encode()
        )
        env = {"http_proxy": f"http://bob:hunter2@{proxy.host}"}
        assert transport.Transport(env).send("http://registry.example/v2/", {}, 99)["body"].decode() == BOB
    refused(lambda: transport.Transport(env, 2).send("http://registry.example/v2/", {}, 99), "proxy")


def test_the_environment_does_not_choose_roots(pki, tmp_path, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(pki[0]))
    with Fake(pki[1]) as server:
        refused(lambda: repository(server, tmp_path).blob(DIGEST, 9), "TLS")


def test_certificates_that_cannot_be_read(fake, pki, tmp_path):
    place = tmp_path / ".config/containers/certs.d" / fake.host
    (place / "z.crt").write_text("hunter2")
    refused(lambda: repository(fake, tmp_path).blob(DIGEST, 9), "z.crt")
    (place / "z.crt").unlink()
    (place / "me.cert").write_bytes(pki[1].read_bytes())
    refused(lambda: repository(fake, tmp_path).blob(DIGEST, 9), "me.cert")
    (place / "me.key").write_bytes(pki[1].read_bytes())
    assert repository(fake, tmp_path).blob(DIGEST, len(BLOB)) == BLOB


# -- stored credentials ----------------------------------------------------------------------------------------------------------

AUTH = {"user": "bob", "password": "hunter2"}


@pytest.mark.parametrize(
    "host, path, auths, found",
    [
        ("r.example", "a/b", {"r.example": login()}, AUTH),
        ("r.example", "a/b", {"r.example/a": login(), "r.example": {"auth": "eDp5"}}, AUTH),
        ("r.example", "a/b", {"r.example/a/b": login(), "r.example/a": {"auth": "eDp5"}}, AUTH),
        ("r.example", "ab/c", {"r.example/a": login()}, None),
        ("r.example:5000", "a", {"r.example": login()}, None),
        ("r.example", "a", {"https://r.example/v1/": login()}, AUTH),
        ("docker.io", "library/x", {"https://index.docker.io/v1/": login()}, AUTH),
        ("docker.io", "library/x", {"docker.io": login()}, AUTH),
        ("docker.io", "library/x", {"auth.docker.io": login()}, None),
        ("r.example", "a", {"r.example": {}}, None),
        ("r.example", "a", {"r.example": {"auth": base64.b64encode(b"bob:hunter2\0\0").decode()}}, AUTH),
        ("r.example", "a", {"r.example": {"registrytoken": "opaque-token"}}, {"bearer": "opaque-token"}),
        ("r.example", "a", {"r.example": login(identitytoken="opaque-token")}, {"identity": "opaque-token"}),
    ],
)
def test_which_credentials(tmp_path, host, path, auths, found):
    (tmp_path / "auth.json").write_text(json.dumps({"auths": auths}))
    assert credentials.find(host, path, {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}) == found


def test_where_credentials_lie(tmp_path, monkeypatch):
    env = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    places = ["run/containers/auth.json", ".config/containers/auth.json", ".docker/config.json"]
    assert credentials.files(env) == [str(tmp_path / place) for place in places]
    assert credentials.find("r.example", "a", env) is None
    for number, place in reversed([*enumerate(places)]):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        auth = base64.b64encode(f"user{number}:x".encode()).decode()
        (tmp_path / place).write_text(json.dumps({"auths": {"r.example": {"auth": auth}}}))
        assert credentials.find("r.example", "a", env) == {"user": f"user{number}", "password": "x"}
    assert credentials.files({"REGISTRY_AUTH_FILE": "/x", **env}) == ["/x"]
    relative = {"XDG_RUNTIME_DIR": "relative", "HOME": "also"}
    usual = f"/run/containers/{os.geteuid()}"
    monkeypatch.setattr(os.path, "isdir", lambda path: path == usual)
    assert credentials.files(relative) == [f"{usual}/auth.json"]
    # As it is for whoever may not look into /run/containers.
    monkeypatch.setattr(os.path, "isdir", lambda path: False)
    assert credentials.files(relative) == []


@pytest.mark.parametrize("data", ["", "hunter2", "[]", '{"auths":[]}', '{"auths":{"r.example":{"auth":"hunter2"}}}', '{"auths":{"r.example":{"auth":"aHVudGVyMg=="}}}', '{"auths":{"r.example":{"registrytoken":"hunter2\\n"}}}', '{"credHelpers":{"r.example":"../hunter"}}', '{"credsStore":"not-installed-here"}'])  # fmt: skip
def test_files_that_hold_no_credentials(tmp_path, data):
    (tmp_path / "auth.json").write_text(data)
    refused(
        lambda: credentials.find("r.example", "a", {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json"), "PATH": "/nowhere"}),
        "auth.json",
    )


def helper(tmp_path, script):
    program = tmp_path / "docker-credential-test"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)
    return {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json"), "PATH": f"{tmp_path}:{os.environ['PATH']}"}


@pytest.mark.parametrize("kind", [{"credHelpers": {"r.example": "test"}}, {"credsStore": "test"}])
def test_credential_helpers(tmp_path, monkeypatch, kind):
    (tmp_path / "auth.json").write_text(json.dumps(kind))
    env = helper(
        tmp_path, '[ "$#$1$(cat)" = 1getr.example ] && echo \'{"ServerURL":"x","Username":"bob","Secret":"hunter2"}\'\n'
    )
    monkeypatch.setenv("PATH", env["PATH"])
    assert credentials.find("r.example", "a", env) == AUTH
    helper(tmp_path, 'echo \'{"Username":"<token>","Secret":"opaque-token"}\'\n')
    assert credentials.find("r.example", "a", env) == {"identity": "opaque-token"}
    helper(tmp_path, 'echo "credentials not found in native keychain"; exit 1\n')
    assert credentials.find("r.example", "a", env) is None
    for script in (
        "echo hunter2; exit 1\n",
        "echo hunter2\n",
        'echo \'{"Username":"bob"}\'\n',
        'echo \'{"Username":"<token>","Secret":"hunter2 "}\'\n',
    ):
        helper(tmp_path, script)
        refused(lambda: credentials.find("r.example", "a", env), "auth.json")
