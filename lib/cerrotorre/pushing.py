"""Blobs and manifests into a repository: a blob is completed only once all of it was there to be sent."""

import re
from collections.abc import Callable, Iterator, Mapping

from cerrotorre.digest import is_digest, sha256
from cerrotorre.errors import Fail
from cerrotorre.pulling import Pulling
from cerrotorre.transport import BUSY, CHUNK, Aborted, Answer, Broken
from cerrotorre.urls import with_query

# Bytes of a part, for a registry that wants a blob in parts; and the least that is tried.
PART, LEAST_PART = 64 << 20, 1 << 20
# Bytes in a second that a registry is given to look through what it got, before it answers.
DIGESTED = 8 << 20
# Said by those who take no blob at once.
IN_PARTS = (405, 411, 413, 415, 501)
# 202 and 201, as the specification has it; registries also say the others.
MORE, DONE = (202, 200, 201, 204), (201, 200, 204)
_NUMBER = re.compile(r"[0-9]{1,12}")

Chunks = Callable[[], Iterator[bytes | memoryview]]


class Conflict(Fail):
    """What was to be replaced is not what it was (412)."""


class Outgoing:
    """The bytes of one try to send a blob, in small pieces. The last one comes only after its source has ended as it must."""

    def __init__(self, source: Chunks, size: int) -> None:
        self._source, self._size = source, size
        self.raised: BaseException | None = None
        self._pieces = self._all()
        self._held: memoryview | None = None

    def take(self, size: int) -> Iterator[memoryview]:
        """The next so many bytes."""
        while size:
            piece = self._held if self._held is not None else next(self._pieces)
            self._held = piece[size:] if len(piece) > size else None
            size -= min(size, len(piece))
            yield piece[: len(piece) - len(self._held)] if self._held is not None else piece

    def again(self) -> None:
        """From the beginning, for whom the registry sent to another place with it."""
        self._pieces, self._held = self._all(), None

    def finish(self) -> None:
        """To the end of a source of nothing."""
        for _ in self._pieces:
            pass

    def _all(self) -> Iterator[memoryview]:
        try:
            yield from self._read()
        except GeneratorExit:
            raise
        except BaseException as error:
            self.raised = error
            raise Aborted from error

    def _read(self) -> Iterator[memoryview]:
        last, position = b"", 0
        for chunk in self._source():
            if not len(chunk):
                continue
            if last:
                yield memoryview(last)
            view = memoryview(chunk)
            position += len(view)
            if position > self._size:
                break
            end = (len(view) - 1) // CHUNK * CHUNK
            for start in range(0, end, CHUNK):
                yield view[start : start + CHUNK]
            # A copy: whose chunk it is may fill it anew.
            last = bytes(view[end:])
        if position != self._size:
            raise Fail("internal", f"{position} bytes instead of {self._size} were to be sent")
        if last:
            yield memoryview(last)


def _other(answer: Answer, data: bytes) -> str:
    """The digest of what a registry says to have taken, if it is not this one."""
    said = str(answer["headers"].get("docker-content-digest", ""))
    return said if is_digest(said) and said != sha256(data) else ""


class Pushing(Pulling):
    """A session that writes."""

    _part = 0

    def upload(self, digest: str, size: int, chunks: Chunks, source: str | None = None) -> str:
        """Send a blob: "uploaded"; or "mounted", which only takes it from the repository `source` of the same registry.

        `chunks()` gives its bytes, for each try anew; whatever that raises ends the upload, which is then never completed, and is
        raised here. Raises Fail network.
        """
        for attempt in range(self._transport.tries):
            last = attempt == self._transport.tries - 1
            outgoing, part = Outgoing(chunks, size), self._part
            try:
                answer = self._upload(digest, size, outgoing, source if not attempt else None, part)
            except (Aborted, Broken):
                if outgoing.raised is not None:
                    raise outgoing.raised from None
                if last:
                    raise
                self._transport.rest(attempt)
                if self._arrived(digest, size):
                    return "uploaded"
                continue
            if outgoing.raised is not None:
                raise outgoing.raised
            if "how" in answer:
                return str(answer["how"])
            if answer["status"] in IN_PARTS and self._smaller(part):
                continue
            # An upload that the registry lost, a body that was damaged on the way.
            if answer["status"] not in BUSY | {400, 404, 416} or last or not self._transport.rest(attempt, answer):
                break
        raise self._refusal(answer, self._url("blobs/uploads/"))

    def put_manifest(
        self, reference: str, data: bytes, media_type: str, *, headers: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Give a manifest its name, a tag or a digest: the headers of the answer, in lower case. `headers` may have If-Match.

        Raises Conflict for 412, else Fail network.
        """
        url = self._url(f"manifests/{reference}")
        more = {"Content-Type": media_type, **(headers or {})}
        for attempt in range(self._transport.tries):
            answer = self._ask(url, "*/*", CHUNK, (201, 202, 204, 400, 412), "PUT", data, more)
            # docker-registry says so, of a digest that is right, while another push writes the same name.
            again = (answer["status"], answer["code"]) == (400, "DIGEST_INVALID")
            # Damaged on the way, it may be no manifest, or another one, which must not keep the name.
            again = again or (not attempt and (answer["code"] == "MANIFEST_INVALID" or bool(_other(answer, data))))
            if not again or not self._transport.rest(attempt):
                break
        if answer["status"] == 400:
            raise self._refusal(answer, url)
        if answer["status"] == 412:
            raise Conflict("network", f"{self.host}: {self.path}:{reference} was changed meanwhile", Registry=self.host)
        found: dict[str, str] = answer["headers"]
        if actual := _other(answer, data):
            raise Fail(
                "network", "the registry took another document", Registry=self.host, Expected=sha256(data), Actual=actual
            )
        return found

    def _arrived(self, digest: str, size: int) -> bool:
        """Whether a blob is there though the connection broke: only the answer may have been lost."""
        try:
            return self.blob_size(digest) == size
        except Fail:
            return False

    def _smaller(self, part: int) -> bool:
        """Send in parts from now on, or in smaller ones than these; False if that is no use."""
        with self._lock:
            if self._part == part:
                self._part = part // 8 if part else PART
            return self._part >= LEAST_PART

    def _upload(self, digest: str, size: int, outgoing: Outgoing, source: str | None, part: int) -> Answer:
        """One try: the answer that ended it, with `how` if that is well. With `part` it is sent in parts of so many bytes."""
        begun = self._begin(digest, source)
        if "how" in begun:
            return begun
        url = self._led(self._url("blobs/uploads/"), begun)
        said = begun["headers"].get("oci-chunk-min-length", "")
        least = int(said) if _NUMBER.fullmatch(said) else 0
        part = max(part or (PART if least else 0), least)
        position = 0
        while part and position < size:
            length = min(part, size - position)
            ranged = {"Content-Range": f"{position}-{position + length - 1}"}
            answer = self._sent("PATCH", url, outgoing, position, length, ranged, length)
            if answer["status"] not in MORE:
                return answer
            position += length
            if answer["headers"].get("range", "").removeprefix("bytes=") not in ("", f"0-{position - 1}"):
                raise Broken("network", f"{self.host} has another part of a blob than was sent", Registry=self.host)
            url = self._led(url, answer)
        if position == size:
            outgoing.finish()
        answer = self._sent("PUT", with_query(url, digest=digest), outgoing, position, size - position, {}, size)
        return answer | {"how": "uploaded"} if answer["status"] in DONE else answer

    def _begin(self, digest: str, source: str | None) -> Answer:
        """202 with where to send the blob, or `how` if it was mounted."""
        url = self._url("blobs/uploads/")
        if source:
            try:
                self._want(f"repository:{source}:pull")
                mounting = with_query(url, mount=digest, **{"from": source})
                asked = self._ask(mounting, "*/*", CHUNK, (201, 202), "POST", b"")
                return asked | {"how": "mounted"} if asked["status"] == 201 else asked
            except Broken:
                raise
            except Fail:
                # Whoever may not read there, or takes no mounts, may still write here.
                self._scopes = self._scopes[:1]
        return self._ask(url, "*/*", CHUNK, (202,), "POST", b"")

    def _want(self, scope: str) -> None:
        """Ask for this right, too, with the next token."""
        with self._lock:
            if scope not in self._scopes:
                self._scopes = [*self._scopes, scope]
                if self._authorization and "bearer" in self._challenge:
                    self._grant()

    def _sent(
        self, method: str, url: str, outgoing: Outgoing, position: int, size: int, headers: dict[str, str], digested: int
    ) -> Answer:
        more = {"Content-Type": "application/octet-stream", "Content-Length": str(size), **headers}
        acts = 0

        def act(url: str, sent: dict[str, str], verified: bool) -> Answer:
            nonlocal acts
            acts += 1
            # Led elsewhere with it, or with a new token.
            if acts > 1 and position and size:
                raise Broken("network", f"{self.host} wants a part of a blob again", Registry=self.host)
            if acts > 1:
                outgoing.again()
            return self._transport.upload(
                method, url, sent, outgoing.take(size), patience=digested / DIGESTED, verified=verified
            )

        return self._authorized(url, more, act)
