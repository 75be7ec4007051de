"""The content store: the directory where imported bundles lie, and what `ct export` and `ct doctor` find there."""

import os
from collections.abc import Callable, Iterator, Mapping

from cerrotorre import places
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

ENDING = ".ctp"


def directory(env: Mapping[str, str], settings: dict[str, dict[str, Any]]) -> str:
    """Where the store is, there or not: [cache] dir of `config.read`, else cerro/bundles of the user's data.

    Raises Fail usage without a home directory.
    """
    return str(settings.get("cache", {}).get("dir") or os.path.join(places.data_dir(env), "bundles"))


def bundles(where: str, unreadable: Callable[[OSError], object] | None = None) -> Iterator[str]:
    """The path of everything called NAME.ctp in the store or below it, in order; nothing where there is no store.

    Hidden names are passed over, and no directory is entered through a link. `unreadable` is told of a directory that cannot be
    listed; without it that is Fail file-unreadable.
    """

    def refused(error: OSError) -> None:
        if isinstance(error, FileNotFoundError):
            return
        if unreadable is None:
            raise Fail("file-unreadable", f"'{error.filename}': {error.strerror}", File=str(error.filename))
        unreadable(error)

    for here, below, names in os.walk(where, onerror=refused):
        below.sort()
        for name in sorted(names):
            if name.endswith(ENDING) and not name.startswith("."):
                yield os.path.join(here, name)
