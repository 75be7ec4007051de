"""Registries for the tests on 127.0.0.1: Debian's docker-registry, and one in memory that has the referrers API, quirks and malice."""

import base64
import contextlib
import hashlib
import http.client
import json
import re
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from conftest import program
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from processes import PATIENCE, await_, end

MANIFEST, INDEX = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"
DSSE = "application/vnd.dsse.envelope.v1+json"
IN_TOTO = "application/vnd.in-toto+json"
SPDX = "https://spdx.dev/Document"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def certificates(directory):
    """(ca.crt, server.pem) for 127.0.0.1, made by openssl."""
    ca, server = directory / "ca.crt", directory / "server.pem"
    openssl = program("openssl")
    make = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
    subprocess.run(
        [*make, "-keyout", directory / "ca.key", "-out", ca, "-subj", "/CN=test CA"], check=True, capture_output=True
    )
    subprocess.run(
        [*make, "-keyout", directory / "server.key", "-out", directory / "server.crt", "-subj", "/CN=127.0.0.1", "-CA", ca,
         "-CAkey", directory / "ca.key", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"],
        check=True, capture_output=True,
    )  # fmt: skip
    server.write_bytes((directory / "server.crt").read_bytes() + (directory / "server.key").read_bytes())
    return ca, server


@contextlib.contextmanager
def docker_registry(work, tls=None, users=None, validation=None):
    """Run docker-registry, which has no referrers API; gives host:port.

    `users` is an htpasswd file, `tls` a server.pem, `validation` that section of its configuration.
    """
    serve = program("docker-registry", "registry")
    work.mkdir(exist_ok=True)
    http_ = {"addr": "127.0.0.1:0"}
    if tls:
        http_["tls"] = {"certificate": str(tls), "key": str(tls)}
    config = {
        "version": 0.1,
        "log": {"level": "info"},
        "storage": {"filesystem": {"rootdirectory": str(work / "data")}},
        "http": http_,
    }
    if users:
        config["auth"] = {"htpasswd": {"realm": "test", "path": str(users)}}
    if validation:
        config["validation"] = validation
    (work / "config.yml").write_text(json.dumps(config))
    with open(work / "log", "w") as log:
        server = subprocess.Popen([serve, "serve", work / "config.yml"], stdout=log, stderr=log)
    try:
        listening = re.compile(r"listening on (127\.0\.0\.1:\d+)")
        try:
            await_(lambda: listening.search((work / "log").read_text()), "the registry's address", of=server)
        except AssertionError as error:
            raise AssertionError((work / "log").read_text()) from error
        yield listening.search((work / "log").read_text())[1]
    finally:
        end(server)


class Client:
    """Pushes to a docker-registry as a client without the referrers API does."""

    def __init__(self, host, name, ca=None, user=None):
        self.host, self.name = host, name
        self.context = ssl.create_default_context(cafile=str(ca)) if ca else None
        self.headers = {"Authorization": "Basic " + base64.b64encode(user.encode()).decode()} if user else {}

    def send(self, method, path, body=None, **headers):
        made = (
            http.client.HTTPSConnection(self.host, context=self.context, timeout=PATIENCE)
            if self.context
            else http.client.HTTPConnection(self.host, timeout=PATIENCE)
        )
        made.request(method, path, body, {**self.headers, **{key.replace("_", "-"): value for key, value in headers.items()}})
        answer = made.getresponse()
        data = answer.read()
        assert answer.status < 300, (method, path, answer.status, data)
        return answer

    def blob(self, data):
        place = self.send("POST", f"/v2/{self.name}/blobs/uploads/", b"").headers["Location"]
        path = "/" + place.split("://", 1)[-1].partition("/")[2]
        joined = path + ("&" if "?" in path else "?") + "digest=" + digest(data)
        self.send("PUT", joined, data, Content_Type="application/octet-stream")

    def manifest(self, data, reference, kind=MANIFEST):
        self.send("PUT", f"/v2/{self.name}/manifests/{reference}", data, Content_Type=kind)


class Fake(ThreadingHTTPServer):
    """A registry of one repository, `a/app`, in memory. What it does wrong is set by its attributes and by `answers`."""

    daemon_threads = True

    def __init__(self, tls=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.scheme = "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.name = "a/app"
        self.blobs, self.manifests, self.attached = {}, {}, {}
        self.api, self.page = True, 0
        self.answers = {}  # a regular expression for paths: a function of the handler
        self.seen = []  # (method, path, Authorization)
        self.authorization = None  # what is wanted
        self.challenge = ""

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass  # clients that turn away are the point of some tests

    def blob(self, data):
        self.blobs[digest(data)] = data

    def manifest(self, data, reference, kind=MANIFEST):
        for key in (reference, digest(data)):
            self.manifests[key] = (data, kind)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", kind="application/json", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append(("POST", self.path, body.decode()))
        self.hooked() or self.reply(404)

    def hooked(self):
        for pattern, act in self.server.answers.items():
            if re.fullmatch(pattern, self.path):
                act(self)
                return True
        return False

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        server = self.server
        server.seen.append((self.command, self.path, self.headers.get("Authorization")))
        if self.hooked():
            return None
        if server.authorization and self.headers.get("Authorization") != server.authorization:
            body = b'{"errors":[{"code":"UNAUTHORIZED","message":"hunter2"}]}'
            return self.reply(401, body, WWW_Authenticate=server.challenge.format(host=server.host))
        path, _, query = self.path.partition("?")
        if path == "/v2/":
            return self.reply(200, b"{}")
        kind, _, reference = path.removeprefix(f"/v2/{server.name}/").partition("/")
        if kind == "manifests" and reference in server.manifests:
            data, media_type = server.manifests[reference]
            return self.reply(200, data, media_type, Docker_Content_Digest=digest(data))
        if kind == "blobs" and reference in server.blobs:
            return self.reply(200, server.blobs[reference], "application/octet-stream")
        if kind == "referrers" and server.api:
            return self.referrers(reference, query)
        return self.reply(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')

    def referrers(self, subject, query):
        server = self.server
        entries = server.attached.get(subject, [])
        start = int(query.removeprefix("from=") or 0)
        size = server.page or len(entries) or 1
        more = {}
        if start + size < len(entries):
            more["Link"] = f'</v2/{server.name}/referrers/{subject}?from={start + size}>; rel="next"'
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries[start : start + size]}
        self.reply(200, json.dumps(index).encode(), INDEX, **more)


# -- images and what is attached to them -----------------------------------------------------------------------------------------


def push_layout(registry, directory, tag="1"):
    """Push what the layout's one image reaches; its digest."""
    root = Path(directory)
    index = json.loads((root / "index.json").read_bytes())
    top = index["manifests"][0]

    def push(found, reference):
        data = (root / "blobs/sha256" / found["digest"][7:]).read_bytes()
        doc = json.loads(data)
        for child in doc.get("manifests", []):
            push(child, child["digest"])
        for blob in ([doc["config"]] if "config" in doc else []) + doc.get("layers", []):
            registry.blob((root / "blobs/sha256" / blob["digest"][7:]).read_bytes())
        registry.manifest(data, reference, found["mediaType"])

    push(top, tag)
    return top["digest"]


def artifact(registry, layers, subject=None, artifact_type=DSSE, reference=None):
    """Push a manifest with these (bytes, media type, annotations); its descriptor. `subject` is a digest, or any JSON."""
    config = b"{}"
    registry.blob(config)
    described = []
    for data, kind, annotations in layers:
        registry.blob(data)
        described.append(
            {"mediaType": kind, "digest": digest(data), "size": len(data)}
            | ({"annotations": annotations} if annotations else {})
        )
    doc = {
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": artifact_type,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest(config), "size": 2}, "layers": described,
    }  # fmt: skip
    if subject is not None:
        doc["subject"] = {"mediaType": MANIFEST, "digest": subject, "size": 2} if isinstance(subject, str) else subject
    data = json.dumps(doc).encode()
    registry.manifest(data, reference or digest(data))
    return {"mediaType": MANIFEST, "digest": digest(data), "size": len(data), "artifactType": artifact_type}


def attach(registry, subject, *layers, **more):
    """Attach one manifest with these layers as the registry has it: by its API, or else by the referrers tag."""
    described = artifact(registry, [(*layer, None)[:3] for layer in layers], **{"subject": subject, **more})
    if isinstance(registry, Fake):
        registry.attached.setdefault(subject, []).append(described)
    if not isinstance(registry, Fake) or not registry.api:
        listed = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [described]}).encode()
        registry.manifest(listed, subject.replace(":", "-"), INDEX)
    return described


def statement(image, predicate_type=SPDX, predicate=None, kind="https://in-toto.io/Statement/v1", **more):
    """An in-toto statement as others write it: in their own order, with spaces."""
    subject = [{"name": "app", "digest": {"sha256": image[7:]}}]
    return json.dumps(
        {
            "_type": kind,
            "predicateType": predicate_type,
            "subject": subject,
            "predicate": {"é": 1} if predicate is None else predicate,
            **more,
        }
    ).encode()


def key_of(path):
    """(private key, its fingerprint) of a .key without a passphrase."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = load_pem_private_key(Path(path).read_bytes(), None)
    return key, "SHA256:" + hashlib.sha256(
        key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).hexdigest()


def envelope(payload, key, keyid="", **more):
    """A DSSE envelope as others write it."""
    pae = b"DSSEv1 %d %s %d %s" % (len(IN_TOTO), IN_TOTO.encode(), len(payload), payload)
    made = {"sig": base64.b64encode(key.sign(pae)).decode()} | ({} if keyid is None else {"keyid": keyid})
    return {"payloadType": IN_TOTO, "payload": base64.b64encode(payload).decode(), "signatures": [made], **more}


def spelled(value):
    return json.dumps(value, indent=1).encode()
