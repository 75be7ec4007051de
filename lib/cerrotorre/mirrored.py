"""A repository as it is read: from mirrors, and from its registry where they fail or do not have it.

spec/moving.adoc, "What is believed of a registry".
"""

from collections.abc import Callable, Iterator, Sequence

from cerrotorre.distribution import Repository
from cerrotorre.errors import Fail
from cerrotorre.pulling import Absent
from cerrotorre.transport import TooLarge
from cerrotorre.typed import Any


class Mirrored:
    """The places that may have what is asked for by its digest, the registry itself last; its word is the one that counts.

    A mirror that fails is not asked again. For any number of threads.
    """

    def __init__(self, mirrors: Sequence[Repository], registry: Repository) -> None:
        self.registry, self._mirrors = registry, mirrors
        self.host, self.path = registry.host, registry.path
        self._failed: set[Repository] = set()

    @classmethod
    def answering(cls, registry: Repository, who: str) -> "Mirrored":
        """With the one mirror that has answered as HOST/PATH, if it was one."""
        return cls([one for one in registry.mirrors() if f"{one.host}/{one.path}" == who][:1], registry)

    def first(self, ask: Callable[[Repository], Any]) -> Any:
        """The first answer that is something, else the registry's. Raises what the registry raises, and what is no network's failure."""
        for mirror in self._asked():
            try:
                found = ask(mirror)
                if found is not None:
                    return found
            except TooLarge:
                continue
            except Fail as fail:
                self._pass_over(mirror, fail)
        return ask(self.registry)

    def manifest(self, digest: str, limit: int | None = None) -> bytes | None:
        """A manifest or index of at most so many bytes, None if nobody has it."""
        found: bytes | None = self.first(lambda place: place.manifest(digest, limit))
        return found

    def blob(self, digest: str, limit: int) -> bytes | None:
        """A blob of at most so many bytes, None if nobody has it."""
        found: bytes | None = self.first(lambda place: place.blob(digest, limit))
        return found

    def blob_size(self, digest: str) -> int | None:
        """The size of a blob, None if nobody has it."""
        found: int | None = self.first(lambda place: place.blob_size(digest))
        return found

    def chunks(self, digest: str, size: int, offset: int = 0, *, again: bool = False) -> Iterator[bytes]:
        """As of a Repository; who breaks off is followed by the next. `again`: what came first was damaged, so the registry is first."""
        places = [*self._asked(), self.registry]
        refused: Fail | None = None
        for place in reversed(places) if again else places:
            try:
                for piece in place.chunks(digest, size, offset):
                    offset += len(piece)
                    yield piece
                return
            except Fail as fail:
                self._pass_over(place, fail)
                refused = fail if place is self.registry else refused
        if refused is not None:
            raise refused

    def _asked(self) -> list[Repository]:
        return [mirror for mirror in self._mirrors if mirror not in self._failed]

    def _pass_over(self, place: Repository, fail: Fail) -> None:
        if fail.finding["finding"] != "network":
            raise fail
        if not isinstance(fail, Absent):
            self._failed.add(place)
