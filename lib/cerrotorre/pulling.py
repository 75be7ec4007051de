"""Blobs of a repository as they come: whole or from somewhere on, continued where a connection broke."""

import re
from collections.abc import Iterator

from cerrotorre.errors import Fail
from cerrotorre.session import Session
from cerrotorre.transport import BUSY, Answer, Broken

# What renews the tries: a registry that breaks off sooner could go on doing so for as long as it likes.
PROGRESS = 64 << 10
_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_SIZE = re.compile(r"[0-9]{1,18}")


class Absent(Fail):
    """The registry says that it does not have it."""


class Pulling(Session):
    """A session that reads blobs."""

    def blob_size(self, digest: str) -> int | None:
        """The size of a blob, None if the registry does not have it."""
        url = self._url(f"blobs/{digest}")
        answer = self._ask(url, "*/*", 0, (400, 403, 404, 405, 501), "HEAD")
        if answer["status"] == 404:
            return None
        if answer["status"] == 200 and _SIZE.fullmatch(answer["headers"].get("content-length", "")):
            return int(answer["headers"]["content-length"])
        # Who takes no HEAD, or leads to a store that takes none, may still give the blob.
        answer = self._opened(digest, 0)
        if answer["status"] == 404:
            return None
        if "stream" not in answer:
            raise self._refusal(answer, url)
        answer["stream"].close()
        said = answer["headers"].get("content-length", "")
        return int(said) if _SIZE.fullmatch(said) else None

    def chunks(self, digest: str, size: int, offset: int = 0) -> Iterator[bytes]:
        """The bytes of a blob from `offset` on, unchecked, at most 1 MiB at once. Raises Fail network.

        What breaks off, or hardly comes, is continued behind what came, by Range or, where there is none, by leaving out the rest.
        """
        position, attempt = offset, 0
        while position < size:
            renewed = position + PROGRESS
            try:
                answer = self._opened(digest, position)
                if "stream" in answer:
                    for piece in self._rest(answer, digest, size, position):
                        position += len(piece)
                        yield piece
                    return
            except Broken:
                attempt = 0 if position >= renewed else attempt + 1
                if attempt >= self._transport.tries:
                    raise
                self._transport.rest(max(attempt - 1, 0))
                continue
            if answer["status"] == 404:
                raise Absent("network", f"{self.host} does not have {digest}", Registry=self.host, Blob=digest)
            attempt += 1
            if (
                answer["status"] not in BUSY
                or attempt >= self._transport.tries
                or not self._transport.rest(attempt - 1, answer)
            ):
                raise self._refusal(answer, self._url(f"blobs/{digest}"))

    def _opened(self, digest: str, position: int) -> Answer:
        headers = {"Accept": "*/*", **({"Range": f"bytes={position}-"} if position else {})}

        def act(url: str, sent: dict[str, str], verified: bool) -> Answer:
            return self._transport.stream(url, sent, verified=verified)

        return self._authorized(self._url(f"blobs/{digest}"), headers, act)

    def _rest(self, answer: Answer, digest: str, size: int, position: int) -> Iterator[bytes]:
        """What a stream has from `position` to the end, which is at `size`."""
        with answer["stream"] as stream:
            skip = self._begins(answer, digest, size, position)
            left = size - position
            for piece in stream.pieces():
                if skip:
                    skip, piece = max(0, skip - len(piece)), piece[skip:]
                left -= len(piece)
                if left < 0:
                    raise self._other(digest, size, "more")
                if piece:
                    yield piece
            if left:
                # Where there is no length, an end that comes too early looks like one.
                raise Broken("network", f"{self.host}: {digest} ends {left} bytes too early", Registry=self.host, Blob=digest)

    def _begins(self, answer: Answer, digest: str, size: int, position: int) -> int:
        """How many of its bytes lie before `position`: none of those of a range, which is checked."""
        if answer["status"] == 200:
            said = answer["headers"].get("content-length", str(size))
            if said != str(size):
                raise self._other(digest, size, said if _SIZE.fullmatch(said) else "no number")
            return position
        match = _RANGE.fullmatch(answer["headers"].get("content-range", "").strip())
        if not match or int(match[1]) != position or not position <= int(match[2]) < size:
            raise Fail("network", f"{self.host}: of {digest} it gives another range", Registry=self.host, Blob=digest)
        if match[3] not in ("*", str(size)):
            raise self._other(digest, size, match[3])
        return 0

    def _other(self, digest: str, size: int, said: str) -> Fail:
        return Fail(
            "network", f"{self.host}: {digest} has another size", Registry=self.host, Blob=digest, Expected=size, Actual=said
        )
