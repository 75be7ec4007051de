"""A proxy on 127.0.0.1 in front of a registry, which breaks what passes by plan, or at random by a seed, and keeps a log of it.

A `Fault` is for some requests, a number of times. What it does, `kind`:

answer    the proxy answers itself: `status`, `headers`, `body`
reset     the connection is reset after `after` bytes of the answer's body
truncate  it is closed in the usual way there
drip      from there on come `step` bytes every `pause` seconds
flip      the byte at `after` of the answer's body is another one
up-reset  the connection is reset after `after` bytes of the request's body
up-flip   the byte at `after` of the request's body is another one
deaf      the whole request goes through, and its answer is lost: the connection is reset

`after` may also be a function of the body's size.
"""

import http.client
import random
import re
import socket
import ssl
import struct
import threading
import time
from http.server import ThreadingHTTPServer

from processes import PATIENCE
from registries import Handler

BLOB = r".*/blobs/sha256:.*"
UPLOAD = r".*/blobs/uploads/.*"
MANIFEST = r".*/manifests/.*"
STEP = 1 << 18
# Of one connection only, or between the proxy and its registry alone (RFC 9112 §9.1).
HOP = ("connection", "keep-alive", "transfer-encoding", "date", "server")


class Cut(Exception):
    """The connection ends here."""


class Fault:
    def __init__(self, kind, path=BLOB, method="GET", times=1, after=0, least=0, **how):
        self.kind, self.path, self.method, self.times, self.after, self.least = kind, path, method, times, after, least
        self.how = how

    def fits(self, method, path, size):
        return (
            self.times > 0
            and re.fullmatch(self.method, method)
            and re.fullmatch(self.path, path.partition("?")[0])
            and (size is None or size >= self.least)
        )

    def at(self, size):
        return self.after(size) if callable(self.after) else self.after


class Proxy(ThreadingHTTPServer):
    """`to` is the registry's host:port; `tls` a server.pem; `ca` what vouches for a registry with TLS."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, to, *faults, tls=None, ca=None, seed=None, odds=0.3):
        super().__init__(("127.0.0.1", 0), Through)
        self.to, self.faults, self.lock = to, list(faults), threading.Lock()
        self.trusts = ssl.create_default_context(cafile=str(ca)) if ca else None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.base = f"{'https' if tls else 'http'}://{self.host}"
        self.seen, self.headers, self.struck = [], [], []
        self.up = self.down = 0  # bytes of the bodies of blobs
        self.random, self.odds = random.Random(seed) if seed is not None else None, odds
        self.pace = 0.0  # seconds that every 256 KiB of a blob take

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass

    def find(self, kinds, method, path, size=None):
        """The first fault of these kinds that is due, once less from now on; or one by chance."""
        with self.lock:
            for fault in self.faults:
                if fault.kind in kinds and fault.fits(method, path, size):
                    fault.times -= 1
                    self.struck.append((fault.kind, method, path))
                    return fault
            if not self.random or self.random.random() > self.odds / 3:
                return None
            made = self.by_chance(kinds, method)
            if made:
                self.struck.append((made.kind, method, path))
            return made

    def by_chance(self, kinds, method):
        somewhere = self.random.random()
        if "answer" in kinds:
            status = self.random.choice((429, 500, 502, 503))
            return Fault("answer", status=status, headers={"Retry_After": "0"} if status == 429 else {})
        if method not in ("PUT", "PATCH") and "up-reset" in kinds:
            return None
        kind = self.random.choice([kind for kind in kinds if kind in ("reset", "truncate", "up-reset", "deaf")] or [None])
        return kind and Fault(kind, after=lambda size: int(size * somewhere))

    def count(self, *, up=0, down=0):
        with self.lock:
            self.up += up
            self.down += down


class Through(Handler):
    """One connection of a client, and one to the registry."""

    timeout = PATIENCE
    backend = None

    def finish(self):
        super().finish()
        if self.backend:
            self.backend.close()

    def setup(self):
        # What lies in buffers when a client is killed was not received.
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)
        super().setup()

    def answer(self):
        server = self.server
        server.headers.append(dict(self.headers))
        fault = server.find(("answer",), self.command, self.path)
        if fault:
            return self.reply(fault.how["status"], fault.how.get("body", b"{}"), **fault.how.get("headers", {}))
        try:
            return self.through()
        except Cut:
            return self.reset()
        except (OSError, http.client.HTTPException):
            # What the registry does, it does to the client.
            return self.reset()

    def reset(self):
        """RST instead of FIN: what was sent and not yet read is lost."""
        self.close_connection, self.unread = True, 0
        if self.backend:
            self.backend.close()
            self.backend = None
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Not shutdown(), which would send FIN first; the descriptor is closed by its last owner.
        self.wfile.close(), self.rfile.close()
        self.connection.close()
        self.rfile = self.wfile = _Nothing()

    def through(self):
        server, chunked = self.server, self.unread is None
        if not self.backend:
            self.backend = (
                http.client.HTTPSConnection(server.to, context=server.trusts, timeout=PATIENCE)
                if server.trusts
                else http.client.HTTPConnection(server.to, timeout=PATIENCE)
            )
        size = 0 if chunked else self.unread
        fault = server.find(("up-reset", "up-flip"), self.command, self.path, size) if chunked or size else None
        deaf = server.find(("deaf",), self.command, self.path, size)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "expect")}
        body = self.outgoing(fault, size) if chunked or size else b"" if self.command in ("POST", "PUT", "PATCH") else None
        self.backend.request(self.command, self.path, body, headers, encode_chunked=chunked)
        answer = self.backend.getresponse()
        if deaf:
            answer.read()
            raise Cut
        return self.back(answer)

    def outgoing(self, fault, size):
        """The request's body as it goes on."""
        at, sent = (fault.at(size) if fault else None), 0
        for part in self.body():
            if at is not None and sent <= at < sent + len(part):
                if fault.kind == "up-reset":
                    # What the registry got of it, it got.
                    if at > sent:
                        self.backend.send(bytes(part[: at - sent]))
                    raise Cut
                part[at - sent] ^= 1
            sent += len(part)
            time.sleep(self.server.pace * len(part) / STEP)
            self.server.count(up=len(part) if "/blobs/uploads/" in self.path else 0)
            yield bytes(part)

    def back(self, answer):
        server = self.server
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in (*HOP, "content-length"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length")
        bodiless = self.command == "HEAD" or answer.status in (204, 304) or answer.status < 200
        whole = None if bodiless or length is not None else answer.read()
        size = int(length) if whole is None and length is not None else len(whole or b"")
        self.send_header("Content-Length", str(size))
        self.end_headers()
        if bodiless:
            answer.read()
            return
        counted = "/blobs/sha256:" in self.path and answer.status in (200, 206)
        fault = server.find(("reset", "truncate", "drip", "flip"), self.command, self.path, size)
        at = fault.at(size) if fault else size + 1
        sent, buffer = 0, memoryview(bytearray(STEP))
        while sent < size:
            part = whole[sent:] if whole is not None else buffer[: answer.readinto(buffer)]
            if not part:
                raise Cut
            if sent <= at < sent + len(part) or (fault and at == size == sent + len(part)):
                part = bytearray(part)
                self.strike(fault, part, at - sent)
            self.wfile.write(part)
            sent += len(part)
            time.sleep(server.pace * len(part) / STEP)
            server.count(down=len(part) if counted else 0)

    def strike(self, fault, part, at):
        if fault.kind == "flip":
            part[min(at, len(part) - 1)] ^= 1
            return
        self.wfile.write(part[:at])
        self.server.count(down=at if "/blobs/" in self.path else 0)
        if fault.kind == "drip":
            step = fault.how.get("step", 1)
            for begin in range(at, len(part), step):
                time.sleep(fault.how.get("pause", 0.1))
                self.wfile.write(part[begin : begin + step])
            del part[:]  # sent already
            raise Cut
        if fault.kind == "truncate":
            self.connection.shutdown(socket.SHUT_WR)
        raise Cut


class _Nothing:
    """In place of a closed connection's streams."""

    closed = True

    def flush(self):
        pass

    close = flush
