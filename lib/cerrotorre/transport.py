"""HTTP to registries, by urllib3: answers bounded, in size and in time, and asked for again where that may help.

Nothing that is said of a failure holds a URL, a header or a body: these may carry secrets.
"""

import os
import re
import time
from collections.abc import Iterator, Mapping

from cerrotorre import deadline, failures, pools, times
from cerrotorre.errors import Fail
from cerrotorre.failures import Aborted, Broken, Plain, Silent, TooLarge
from cerrotorre.typed import Any
from cerrotorre.urls import split

__all__ = ["SECONDS", "Aborted", "Answer", "Broken", "Plain", "Silent", "Stream", "TooLarge", "Transport"]

CHUNK = 64 << 10
# Of a stream, at once.
PIECE = 1 << 20
TRIES = 5
# Seconds: before the second try, then twice as long each time; the longest that a registry may ask for.
PAUSE, MAX_WAIT = 0.5, 60.0
# Seconds in which ENOUGH of a stream must come, and its headers.
SLOW = 60.0
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
# Codes of the distribution specification ("Error Codes"): of what a registry says only these are repeated, since it may repeat what it
# was told.
CODES = frozenset(
    {
        "BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN",
        "MANIFEST_INVALID", "MANIFEST_UNKNOWN", "NAME_INVALID", "NAME_UNKNOWN", "SIZE_INVALID", "UNAUTHORIZED", "DENIED",
        "UNSUPPORTED", "TOOMANYREQUESTS",
    }
)  # fmt: skip
_CODE = re.compile(rb'"code"\s*:\s*"([A-Z_]{1,40})"')
SECONDS = re.compile(r"[0-9]{1,8}")

# {"status": int, "headers": {lower-case name: value}, "body": bytes, "code": str}, and "stream": Stream where one was asked for
Answer = dict[str, Any]


class Stream:
    """The body of an answer, as it comes. Closed by `with`."""

    def __init__(self, response: Any, clock: deadline.Clock, host: str, timeout: float, seconds: float) -> None:
        self._response, self._clock, self._host, self._timeout, self._seconds = response, clock, host, timeout, seconds

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def pieces(self) -> Iterator[bytes]:
        """Its bytes, at most PIECE at once. Raises Broken, and Silent where fewer than 64 KiB come in SLOW seconds."""
        # urllib3 before 2 has no read1: what it is asked for it waits for.
        read, size = getattr(self._response, "read1", None), PIECE
        if read is None:
            read, size = self._response.read, CHUNK
        while part := self._timed(read, size):
            yield part

    def _timed(self, read: Any, size: int) -> bytes:
        from urllib3 import exceptions

        self._clock.wait()
        try:
            part: bytes = read(size)
        except exceptions.HTTPError as error:
            part = b""
            if not self._clock.late:
                raise self._failed(error) from None
        finally:
            self._clock.came(0)
        # A connection that was shut down can look like a complete answer.
        if self._clock.late:
            raise failures.slow(self._host, self._seconds)
        self._clock.came(len(part))
        return part

    def _failed(self, error: Exception) -> Fail:
        made = failures.of(error, self._host, self._timeout, answered=True)
        # In the middle of a body TLS fails because of the connection.
        return made if isinstance(made, Broken) else failures.broken(self._host)

    def close(self) -> None:
        # What was not read to its end is not waited for.
        if not self._response.isclosed():
            self._response.close()
        self._response.release_conn()
        self._clock.stop()


class Transport:
    """Connections to any host, kept open, for several threads. `timeout` is for one silence, `deadline` for one whole small answer,
    `slow` for 64 KiB of a stream; all in seconds. Who is busy or breaks off is asked `tries` times in all, `pause` seconds apart,
    then twice that, and so on."""

    def __init__(
        self,
        env: Mapping[str, str] | None = None,
        timeout: float = 20,
        deadline: float = 120,
        tries: int = TRIES,
        pause: float = PAUSE,
        slow: float = SLOW,
    ) -> None:
        # urllib3 imports it anyway.
        import threading

        self._env = os.environ if env is None else env
        self._timeout, self._deadline, self._slow = timeout, deadline, slow
        self.tries, self.pause = tries, pause
        self._lock = threading.Lock()
        self._pools: dict[tuple[str, bool], tuple[Any, Any]] = {}
        self._answered: set[str] = set()

    def send(
        self,
        url: str,
        headers: dict[str, str],
        limit: int,
        *,
        method: str = "GET",
        form: dict[str, str] | None = None,
        body: bytes | None = None,
        verified: bool = True,
        tries: int | None = None,
    ) -> Answer:
        """Ask for a URL, or send it a form or a small body; redirects are the caller's. Who is busy or breaks off is asked again.

        Raises Fail network for no answer, one that is over `limit` bytes, cut short, or too slow.
        """
        more = {} if form is None else {"fields": form, "encode_multipart": False}
        more |= {} if body is None else {"body": body}
        tries = tries or self.tries
        for attempt in range(tries):
            try:
                answer = self._once("POST" if form is not None else method, url, headers, more, verified, limit=limit)
            except Silent:
                raise
            except Broken:
                if attempt == tries - 1:
                    raise
                self.rest(attempt)
                continue
            if answer["status"] not in BUSY or attempt == tries - 1 or not self.rest(attempt, answer):
                break
        return answer

    def stream(self, url: str, headers: dict[str, str], *, verified: bool = True) -> Answer:
        """Ask for a URL once: with status 200 or 206 its body is a `stream`, which the caller closes. Raises Broken or Fail network."""
        return self._once("GET", url, headers, {}, verified, stream=True)

    def upload(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        pieces: Iterator[bytes | memoryview],
        *,
        patience: float = 0,
        verified: bool = True,
    ) -> Answer:
        """Send what `pieces` gives, once; `headers` have its length. After it the answer may take `patience` seconds more than others.

        Raises Broken or Fail network, and whatever `pieces` raises other than OSError.
        """
        clock = deadline.Clock(self._slow)

        def timed() -> Iterator[bytes | memoryview]:
            for piece in pieces:
                clock.wait()
                yield piece
                clock.came(len(piece))
            clock.allow(self._slow + patience)

        return self._once(method, url, headers, {"body": timed()}, verified, clock=clock, patience=patience)

    def rest(self, attempt: int, answer: Answer | None = None) -> bool:
        """Wait before the next try, as long as the registry asks; False if that is too long."""
        seconds = self.pause * 2**attempt
        if answer is not None:
            said = answer["headers"].get("retry-after", "")
            if SECONDS.fullmatch(said):
                seconds = float(said)
            elif (until := times.http_date(said)) is not None:
                # By the clock of who says it.
                now = times.http_date(answer["headers"].get("date", ""))
                seconds = seconds if now is None else max(0.0, float(until - now))
        if seconds > MAX_WAIT:
            return False
        time.sleep(seconds)
        return True

    def _once(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        more: dict[str, Any],
        verified: bool,
        *,
        limit: int = CHUNK,
        stream: bool = False,
        clock: deadline.Clock | None = None,
        patience: float = 0,
    ) -> Answer:
        import urllib3
        from urllib3 import exceptions

        host = split(url)[1]
        manager, watched = self._pool(url, verified)
        # What is sent is timed by its clock, and first by that: a socket's timeout for connecting is the one for sending, too.
        silence = self._timeout if clock is None else 2 * self._slow
        small = clock is None and not stream
        seconds = self._deadline if small else self._slow
        clock = clock or deadline.Clock(seconds)
        watched.using.clock = clock
        clock.start()
        kept = False
        try:
            # Identity: a compressed answer could unpack to anything.
            response = manager.request(
                method,
                url,
                headers={"User-Agent": "cerro-torre", "Accept-Encoding": "identity", **headers},
                **more,
                preload_content=False,
                decode_content=False,
                redirect=False,
                retries=False,
                # Before 2 that is not so unless it is said.
                enforce_content_length=True,
                timeout=urllib3.Timeout(connect=silence, read=silence + patience),
            )
            self._answered.add(host)
            found = {name.lower(): value for name, value in response.headers.items()}
            answer: Answer = {"status": response.status, "headers": found, "body": b"", "code": ""}
            if stream and response.status in (200, 206) and not clock.late:
                kept = True
                answer["stream"] = Stream(response, clock, host, self._timeout, self._slow)
                return answer
            try:
                whole = response.status == 200
                answer["body"] = self._body(response, limit if whole else CHUNK, host, whole)
            finally:
                if not response.isclosed():
                    response.close()
                response.release_conn()
        except exceptions.HTTPError as error:
            if not clock.late:
                raise failures.of(error, host, self._timeout, answered=host in self._answered) from None
        finally:
            if not kept:
                clock.stop()
        if clock.late:
            raise failures.late(host, seconds) if small else failures.slow(host, seconds)
        code = _CODE.search(answer["body"]) if answer["status"] >= 400 else None
        answer["code"] = code[1].decode() if code and code[1].decode() in CODES else ""
        return answer

    def _body(self, response: Any, limit: int, host: str, whole: bool) -> bytes:
        parts, size = [], 0
        read = getattr(response, "read1", response.read)
        while part := read(CHUNK):
            parts.append(part)
            size += len(part)
            if size > limit:
                if not whole:
                    break
                raise TooLarge("network", f"{host}: the answer is over {limit} bytes", Registry=host)
        return b"".join(parts)

    def _pool(self, url: str, verified: bool) -> tuple[Any, Any]:
        scheme, host = split(url)
        key = (f"{scheme}://{host}", verified)
        with self._lock:
            if key not in self._pools:
                self._pools[key] = pools.connect(scheme, host, verified, self._env)
            return self._pools[key]
