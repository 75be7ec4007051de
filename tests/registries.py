"""Registries for the tests on 127.0.0.1: Debian's docker-registry, and one in memory that has the referrers API, quirks and malice."""

import base64
import contextlib
import hashlib
import http.client
import json
import re
import secrets
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

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


class Kept:
    """What a repository of Fake holds: blobs (bytes, or the number of zeros that one was), manifests, lists of referrers."""

    def __init__(self):
        self.blobs, self.manifests, self.attached = {}, {}, {}


class Upload:
    """A blob that comes in pieces: its bytes, or of one over `limit` only its digest and size."""

    def __init__(self, limit):
        self.limit, self.size, self.hash, self.data = limit, 0, hashlib.sha256(), bytearray()

    def add(self, part):
        self.hash.update(part)
        self.size += len(part)
        if self.data is not None:
            self.data += part
            if self.limit is not None and self.size > self.limit:
                self.data = None

    def done(self):
        return self.size if self.data is None else bytes(self.data)


class Fake(ThreadingHTTPServer):
    """A registry in memory, to pull from and to push to. What it does wrong is set by its attributes and by `answers`.

    `blobs`, `manifests` and `attached` are those of its first repository, `a/app`; all are in `kept`.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, tls=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.scheme = "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            # The handshake is for the connection's own thread: one client that says nothing stops no other.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
            self.scheme = "https"
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.base = f"{self.scheme}://{self.host}"
        self.name = "a/app"
        self.kept = {self.name: Kept()}
        self.lock = threading.Lock()
        self.answers = {}  # a regular expression for paths: a function of the handler; one that returns False has not answered
        self.seen = []  # (method, path, Authorization)
        self.received = self.sent = 0  # bytes of blobs
        self.uploads = {}
        # The referrers API: whether there is one, entries a page, whether it filters, and an artifactType that is the config's type.
        self.api, self.page, self.filters, self.misreports = True, 0, False, False
        self.etags = self.conditional = True  # whether manifests have an ETag, and If-Match and If-None-Match are heeded
        self.mounts = self.ranges = self.absolute = True  # absolute: the Location of uploads
        self.discards = None  # of blobs over this many bytes it keeps digest and size, and gives zeros back
        self.store = self.elsewhere = None  # `leads_to`
        self.authorization = None  # what is wanted
        self.challenge = ""
        # {user: password} turns on tokens, each good for `expires` requests; `public` gives tokens to read to everybody.
        self.users, self.expires, self.public, self.tokens = {}, 1 << 30, False, {}

    @property
    def blobs(self):
        return self.kept[self.name].blobs

    @property
    def manifests(self):
        return self.kept[self.name].manifests

    @property
    def attached(self):
        return self.kept[self.name].attached

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

    def leads_to(self, other):
        """Blobs are had from another Fake, which wants no credentials."""
        self.elsewhere, other.store = f"{other.base}/store", self

    def moved(self, *, received=0, sent=0):
        with self.lock:
            self.received += received
            self.sent += sent


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    PATH = re.compile(r"/v2/(.+?)/(manifests|blobs|referrers|tags)/(.*)")

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", kind="application/json", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def fails(self, status, code, **headers):
        self.reply(status, json.dumps({"errors": [{"code": code, "message": "hunter2"}]}).encode(), **headers)

    def hooked(self):
        return any(
            re.fullmatch(pattern, self.path) and act(self) is not False for pattern, act in list(self.server.answers.items())
        )

    # -- bodies

    def body(self):
        """What the client sends, in parts of up to 1 MiB, once."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked" and self.unread is None:
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                yield from self.exactly(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            self.unread = 0
            return
        yield from self.exactly(self.unread or 0, counted=True)

    def exactly(self, size, counted=False):
        buffer = memoryview(bytearray(min(size, 1 << 20)))
        while size:
            got = self.rfile.readinto(buffer[: min(size, len(buffer))])
            if not got:
                raise ConnectionError("the body is cut off")
            size -= got
            if counted:
                self.unread = size
            yield buffer[:got]

    def handle_one(self):
        length = self.headers.get("Content-Length")
        chunked = self.headers.get("Transfer-Encoding")
        self.unread = None if chunked else int(length or 0)
        self.server.seen.append((self.command, self.path, self.headers.get("Authorization")))
        self.answer()
        for _ in self.body() if self.unread != 0 else ():
            pass  # what was refused is read nevertheless: else the connection would be reset before the answer is

    def do_POST(self):
        if self.path.startswith("/v2/"):
            return self.handle_one()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append(("POST", self.path, body.decode()))
        return self.hooked() or (self.token(body.decode()) if self.path == "/token" else self.reply(404))

    do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = handle_one

    def answer(self):
        server = self.server
        if self.hooked():
            return None
        path, _, query = self.path.partition("?")
        if path.startswith("/store/") and server.store:
            held = next((kept.blobs[path[7:]] for kept in server.store.kept.values() if path[7:] in kept.blobs), None)
            return self.fails(404, "BLOB_UNKNOWN") if held is None else self.send_blob(held)
        if path == "/token":
            return self.token(query)
        if server.authorization and self.headers.get("Authorization") != server.authorization:
            return self.fails(401, "UNAUTHORIZED", WWW_Authenticate=server.challenge.format(host=server.host))
        found = self.PATH.fullmatch(path)
        asked = dict(parse_qsl(query, keep_blank_values=True))
        if server.users and not self.admitted(found and found[1], asked):
            return None
        if path == "/v2/":
            return self.reply(200, b"{}")
        if not found:
            return self.fails(404, "NAME_UNKNOWN")
        name, kind, reference = found.groups()
        writes = self.command in ("POST", "PUT", "PATCH", "DELETE")
        kept = server.kept.get(name) or Kept()
        if writes:
            with server.lock:
                kept = server.kept.setdefault(name, kept)
        if kind == "manifests":
            return self.put_manifest(kept, name, reference) if self.command == "PUT" else self.get_manifest(kept, reference)
        if kind == "blobs":
            if reference.startswith("uploads/"):
                return self.upload(kept, name, reference[8:], asked)
            return self.get_blob(kept, reference)
        if kind == "referrers" and server.api:
            return self.referrers(kept, name, reference, asked)
        return self.reply(404, b"404 page not found\n", "text/plain; charset=utf-8")

    # -- credentials

    def token(self, query):
        """A token for what is asked for, as far as whoever asks may have it."""
        server = self.server
        said = self.headers.get("Authorization", "")
        user, _, password = base64.b64decode(said[6:]).decode().partition(":") if said.startswith("Basic ") else ("", "", "")
        known = bool(user) and server.users.get(user) == password
        if (said and not known) or (not said and not server.public):
            return self.fails(401, "UNAUTHORIZED")
        scopes = set()
        for name, value in parse_qsl(query):
            for one in value.split() if name == "scope" else ():
                _, repository, actions = one.split(":")
                scopes |= {(repository, action) for action in actions.split(",") if known or action == "pull"}
        made = secrets.token_urlsafe(24)
        server.tokens[made] = [server.expires, scopes]
        return self.reply(200, json.dumps({"token": made, "expires_in": 60}).encode())

    def admitted(self, name, asked):
        server = self.server
        action = "push" if self.command in ("POST", "PUT", "PATCH", "DELETE") else "pull"
        needed = {(name, "pull"), (name, action)} if name else set()
        if asked.get("mount") and asked.get("from") and server.public is False:
            needed |= {(asked["from"], "pull")}
        with server.lock:
            held = server.tokens.get(self.headers.get("Authorization", "").removeprefix("Bearer "))
            if held and held[0] > 0:
                held[0] -= 1
                if needed <= held[1]:
                    return True
                # A mount that the token does not allow is an upload, as in docker-registry.
                if needed - {(asked.get("from"), "pull")} <= held[1]:
                    asked.pop("mount")
                    return True
        scope = f',scope="repository:{name}:{"pull,push" if action == "push" else "pull"}"' if name else ""
        self.fails(401, "UNAUTHORIZED", WWW_Authenticate=f'Bearer realm="{server.base}/token",service="fake"{scope}')
        return False

    # -- blobs

    def get_blob(self, kept, reference):
        server = self.server
        if reference not in kept.blobs:
            return self.fails(404, "BLOB_UNKNOWN")
        if server.elsewhere:
            return self.reply(307, Location=f"{server.elsewhere}/{reference}?signature=s3cret")
        return self.send_blob(kept.blobs[reference], Docker_Content_Digest=reference)

    def send_blob(self, held, **headers):
        size = held if isinstance(held, int) else len(held)
        begin, end, status = 0, size, 200
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")) if self.server.ranges else None
        if wanted:
            begin, end = int(wanted[1]), min(int(wanted[2] or size) + 1, size)
            if begin >= end:
                return self.reply(416, Content_Range=f"bytes */{size}")
            status, headers["Content_Range"] = 206, f"bytes {begin}-{end - 1}/{size}"
        if self.server.ranges:
            headers["Accept_Ranges"] = "bytes"
        self.reply(status, b"", "application/octet-stream", Content_Length=str(end - begin), **headers)
        if self.command == "HEAD":
            return None
        step = 1 << 20
        data = memoryview(bytes(step) if isinstance(held, int) else held)
        for at in range(begin, end, step):
            size = min(step, end - at)
            self.wfile.write(data[:size] if isinstance(held, int) else data[at : at + size])
            self.server.moved(sent=size)
        return None

    def upload(self, kept, name, key, asked):
        server = self.server
        if self.command == "POST" and asked.get("mount") and server.mounts:
            there = server.kept.get(asked.get("from", ""))
            if there and asked["mount"] in there.blobs:
                kept.blobs[asked["mount"]] = there.blobs[asked["mount"]]
                return self.created(name, asked["mount"])
        if self.command == "POST":
            key = secrets.token_hex(16)
            server.uploads[key] = Upload(server.discards)
        upload = server.uploads.get(key)
        if upload is None:
            return self.fails(404, "BLOB_UPLOAD_UNKNOWN")
        if self.command == "DELETE":
            del server.uploads[key]
            return self.reply(204)
        said = re.fullmatch(r"(\d+)-(\d+)", self.headers.get("Content-Range", "")) if self.command == "PATCH" else None
        if said and int(said[1]) != upload.size:
            return self.fails(416, "BLOB_UPLOAD_INVALID", **self.place(name, key, upload))
        for part in self.body():
            upload.add(part)
            server.moved(received=len(part))
        if self.command == "PUT" or (self.command == "POST" and "digest" in asked):
            del server.uploads[key]
            if "sha256:" + upload.hash.hexdigest() != asked.get("digest"):
                return self.fails(400, "DIGEST_INVALID")
            kept.blobs[asked["digest"]] = upload.done()
            return self.created(name, asked["digest"])
        return self.reply(204 if self.command == "GET" else 202, **self.place(name, key, upload))

    def place(self, name, key, upload):
        at = f"/v2/{name}/blobs/uploads/{key}?_state={key[:8]}"
        return {"Location": self.server.base + at if self.server.absolute else at, "Range": f"0-{max(upload.size - 1, 0)}"}

    def created(self, name, reference, kind="blobs", **headers):
        self.reply(201, Location=f"/v2/{name}/{kind}/{reference}", Docker_Content_Digest=reference, **headers)

    # -- manifests

    def get_manifest(self, kept, reference):
        if reference not in kept.manifests:
            return self.fails(404, "MANIFEST_UNKNOWN")
        data, media_type = kept.manifests[reference]
        etag = {"ETag": f'"{digest(data)}"'} if self.server.etags else {}
        return self.reply(200, data, media_type, Docker_Content_Digest=digest(data), **etag)

    def put_manifest(self, kept, name, reference):
        server = self.server
        data, media_type = b"".join(bytes(part) for part in self.body()), self.headers.get("Content-Type", "")
        try:
            doc = json.loads(data)
            needed = [doc[key] for key in ("config",) if key in doc] + doc.get("layers", [])
            missing = [one["digest"] for one in needed if one["digest"] not in kept.blobs]
            missing += [one["digest"] for one in doc.get("manifests", []) if one["digest"] not in kept.manifests]
        except (ValueError, KeyError, TypeError, AttributeError):
            return self.fails(400, "MANIFEST_INVALID")
        if reference.startswith("sha256:") and reference != digest(data):
            return self.fails(400, "DIGEST_INVALID")
        if missing or doc.get("mediaType", media_type) != media_type:
            return self.fails(400, "MANIFEST_BLOB_UNKNOWN" if missing else "MANIFEST_INVALID")
        with server.lock:
            held = kept.manifests.get(reference)
            match, none = self.headers.get("If-Match"), self.headers.get("If-None-Match")
            now = f'"{digest(held[0])}"' if held else None
            if server.conditional and ((match and match not in (now, now and "*")) or (none and none in (now, now and "*"))):
                return self.fails(412, "DENIED")
            kept.manifests[reference] = kept.manifests[digest(data)] = (data, media_type)
            subject = (doc.get("subject") or {}).get("digest")
            if subject and server.api:
                self.attach(kept.attached.setdefault(subject, []), doc, data, media_type)
        return self.created(name, digest(data), "manifests", **({"OCI_Subject": subject} if subject and server.api else {}))

    def attach(self, entries, doc, data, media_type):
        found = {"mediaType": media_type, "digest": digest(data), "size": len(data)}
        config = doc.get("config", {}).get("mediaType")
        kind = config if self.server.misreports else doc.get("artifactType") or config
        found |= {"artifactType": kind} if kind else {}
        found |= {"annotations": doc["annotations"]} if "annotations" in doc else {}
        if found["digest"] not in [entry["digest"] for entry in entries]:
            entries.append(found)

    def referrers(self, kept, name, subject, asked):
        server = self.server
        entries = kept.attached.get(subject, [])
        more = {}
        if server.filters and "artifactType" in asked:
            entries = [entry for entry in entries if entry.get("artifactType") == asked["artifactType"]]
            more["OCI_Filters_Applied"] = "artifactType"
        start = int(asked.get("from", 0))
        size = server.page or len(entries) or 1
        if start + size < len(entries):
            more["Link"] = f'</v2/{name}/referrers/{subject}?from={start + size}>; rel="next"'
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


# -- bundles -------------------------------------------------------------------------------------------------------------------------

BUNDLE = "application/vnd.cerro-torre.bundle.v1"
KINDS = [f"application/vnd.cerro-torre.{kind}" for kind in ("manifest.v1+toml", "summary.v1+json", "attestations.v1+jsonl")]
MEMBERS = ("manifest.toml", "summary.json", "attestations.jsonl")


def members_of(bundle):
    # The library is needed only by who attaches bundles.
    import alter

    held = {member.name: member.data for member in alter.Bundle(bundle).members}
    return [held[name] for name in MEMBERS]


def attach_bundle(
    registry, bundle, subject, *, kinds=KINDS, members=None, listed=True, about=None, artifact_type=BUNDLE, said=BUNDLE
):
    """Attach a bundle (its bytes) to an image as the specification has it; the digest of its manifest.

    `said` is what the registry lists as its artifactType, `about` the subject that the manifest names.
    """
    layers = [
        (data, kind, {"org.opencontainers.image.title": name})
        for data, kind, name in zip(members or members_of(bundle), kinds, MEMBERS, strict=False)
    ]
    made = artifact(registry, layers, subject=subject if about is None else about, artifact_type=artifact_type) | {
        "artifactType": said
    }
    if listed:
        registry.listed = {**getattr(registry, "listed", {})}
        registry.listed.setdefault(subject, []).append(made)
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": registry.listed[subject]}
        if isinstance(registry, Fake) and registry.api:
            registry.attached[subject] = registry.listed[subject]
        else:
            registry.manifest(json.dumps(index).encode(), subject.replace(":", "-"), INDEX)
    return made["digest"]
