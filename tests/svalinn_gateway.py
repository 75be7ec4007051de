"""A stand-in for Svalinn's gateway on 127.0.0.1: it enforces the schemas of its requests, and checks statements as its checker does.

Nothing here comes from the library: what Svalinn wants is written down once more, from its side.
"""

import base64
import hashlib
import json
import ssl
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_der_public_key
from jsonschema import Draft202012Validator

TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}
BASE64 = {"type": "string", "pattern": "^[A-Za-z0-9+/]+={0,2}$"}
HASH = {"type": "string", "pattern": "^[a-f0-9]{64}$|^sha256:[a-f0-9]{64}$"}
KEY_ID = {"type": "string", "pattern": "^sha256:[a-f0-9]{64}$"}
COUNT = {"type": "integer", "minimum": 0}
WORDS = {"type": "array", "items": {"type": "string"}}


def exactly(required, **optional):
    """The schema of an object with these members and no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": {**required, **optional},
    }


def each(schema, least=0):
    return {"type": "array", "minItems": least, "items": schema}


ENVELOPE = exactly(
    {
        "payloadType": {"const": "application/vnd.in-toto+json"},
        "payload": BASE64,
        "signatures": each(exactly({"keyid": KEY_ID, "sig": BASE64}), 1),
    }
)
PROOF = exactly({"logIndex": COUNT, "rootHash": HASH, "treeSize": {"type": "integer", "minimum": 1}, "hashes": each(HASH)})
ENTRY = exactly(
    {
        "logId": {"type": "string", "minLength": 1},
        "logIndex": COUNT,
        "integratedTime": TIME,
        "inclusionProof": PROOF,
        "signedEntryTimestamp": BASE64,
    }
)
BUNDLE = exactly(
    {
        "mediaType": {"const": "application/vnd.verified-container.bundle+json"},
        "version": {"const": "0.1.0"},
        "attestations": each(ENVELOPE, 1),
        "logEntries": each(ENTRY, 2),
    },
    metadata=exactly({}, producer={"type": "string"}, producerVersion={"type": "string"}, createdAt=TIME),
)
KEY = exactly(
    {"id": KEY_ID, "algorithm": {"const": "ed25519"}, "publicKey": BASE64, "validFrom": TIME},
    validUntil=TIME,
    metadata=exactly({}, owner={"type": "string"}, description={"type": "string"}),
)
THRESHOLD = exactly(
    {
        "k": {"type": "integer", "minimum": 1},
        "n": {"type": "integer", "minimum": 1},
        "algorithm": {"const": "frost-ed25519"},
        "members": each({"type": "string"}, 1),
    }
)
LOG = exactly(
    {
        "operator": {"type": "string"},
        "publicKey": BASE64,
        "url": {"type": "string", "pattern": "^https?://"},
        "algorithm": {"const": "ed25519"},
    }
)


def named(schema):
    return {"type": "object", "additionalProperties": schema}


TRUST_STORE = exactly(
    {
        "version": {"type": "integer", "minimum": 1},
        "id": {"type": "string", "minLength": 1},
        "updated": TIME,
        "keys": named(each(KEY)),
        "thresholds": named(THRESHOLD),
        "logs": named(LOG),
    }
)
POLICY = exactly(
    {
        "version": {"const": 1},
        "requiredPredicates": each({"type": "string", "pattern": "^https://"}, 1),
        "allowedSigners": each(KEY_ID, 1),
        "logQuorum": {"type": "integer", "minimum": 1},
    },
    mode={"enum": ["strict", "permissive"]},
    notes={"type": "string"},
)
REQUEST = Draft202012Validator(
    exactly(
        {
            "imageDigest": KEY_ID,
            "imageName": {"type": "string", "pattern": "^[a-z0-9.:/_-]+@sha256:[a-f0-9]{64}$"},
            "bundle": BUNDLE,
            "trustStore": TRUST_STORE,
            "policy": POLICY,
        },
        profile={"type": "string"},
        removeOnExit={"type": "boolean"},
        detach={"type": "boolean"},
        vordrArgs=WORDS,
        runCommand=WORDS,
        useCommandSeparator={"type": "boolean"},
    )
)


class Denied(Exception):
    """What its checker refuses."""


def pae(payload):
    kind = b"application/vnd.in-toto+json"
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def verifies(public, message, signature):
    try:
        load_der_public_key(base64.b64decode(public)).verify(base64.b64decode(signature), message)
    except InvalidSignature:
        return False
    return True


def check(request):
    """As its checker: known logs, as many as the quorum; of each envelope the first signature whose key is allowed and known, over the
    base64 text; every subject, every required type. Returns the statements."""
    bundle, policy, store = request["bundle"], request["policy"], request["trustStore"]
    logs = {entry["logId"] for entry in bundle["logEntries"]}
    if len(logs) < policy["logQuorum"]:
        raise Denied("log quorum not satisfied")
    if logs - store["logs"].keys():
        raise Denied("unknown log operator")
    keys = {key["id"]: key["publicKey"] for role in store["keys"].values() for key in role}
    statements = []
    for envelope in bundle["attestations"]:
        by = next(
            (one for one in envelope["signatures"] if one["keyid"] in policy["allowedSigners"] and one["keyid"] in keys), None
        )
        if by is None or not verifies(keys[by["keyid"]], pae(envelope["payload"].encode()), by["sig"]):
            raise Denied("no valid signature for allowed signer")
        statements.append(json.loads(base64.b64decode(envelope["payload"])))
    if any(
        "sha256:" + subject["digest"]["sha256"] != request["imageDigest"] for one in statements for subject in one["subject"]
    ):
        raise Denied("subject digest mismatch")
    if set(policy["requiredPredicates"]) - {one["predicateType"] for one in statements}:
        raise Denied("missing required predicates")
    return statements


class Gateway(ThreadingHTTPServer):
    """`with Gateway() as gateway`: `url` is where it is, `requests` what it took, `answer` (status, body) what it says instead."""

    daemon_threads = True

    def __init__(self, tls=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.answer = None
        self.requests, self.seen = [], []

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass  # clients that turn away


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.seen.append(("GET", self.path))
        self.say(404, {"error": "not found"})

    def do_POST(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append(("POST", self.path))
        if self.server.answer is not None:
            self.say(*self.server.answer)
        elif self.path != "/run":
            self.say(404, {"error": "not found"})
        else:
            self.run(data)

    def run(self, data):
        request = json.loads(data)
        wrong = [f"{'/'.join(map(str, one.path))}: {one.message}" for one in REQUEST.iter_errors(request)]
        if self.headers["Content-Type"] != "application/json" or wrong or "--name" in request.get("vordrArgs", ()):
            self.refuse(400, 2, "ERR_USAGE", f"not a request: {wrong[:3]}")
            return
        try:
            check(request)
        except Denied as denied:
            self.refuse(403, 51, "ERR_POLICY_DENIED", str(denied))
            return
        self.server.requests.append(request)
        policy = json.dumps(request["policy"], separators=(",", ":"), ensure_ascii=False)
        self.say(
            202, {"jobId": str(uuid.uuid4()), "status": "running", "policyHash": hashlib.sha256(policy.encode()).hexdigest()}
        )

    def refuse(self, status, code, name, message):
        self.say(status, {"error": {"code": code, "id": name, "message": message}})

    def say(self, status, value, headers=None):
        if status is None:
            self.close_connection = True
            return
        data = value if isinstance(value, bytes) else json.dumps(value, indent=2).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)
