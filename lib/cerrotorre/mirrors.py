"""Which mirrors may answer for a repository (ct-config(5), `[registries] mirrors`)."""

from collections.abc import Iterator, Sequence

from cerrotorre import reference


def of(mirrors: Sequence[str], host: str, path: str) -> Iterator[tuple[str, str]]:
    """(host, path) of each mirror of host/path, in order. A mirror is PREFIX=MIRROR, each a host or host/path.

    What PREFIX names, and what lies under it, lies under MIRROR by the same names.
    """
    for one in mirrors:
        (name, above), (mirror, there) = map(_place, one.split("=", 1))
        where = (there + path[len(above) :]).rstrip("/")
        # The whole of a prefix has no name on a mirror that is only a host.
        if name == host and (path + "/").startswith(above) and where:
            found = reference.parse(f"{mirror}/{where}:x")
            yield found["host"], found["path"]


def _place(text: str) -> tuple[str, str]:
    """(host as references spell it, path with a slash after it unless it is empty) of one side."""
    head, slash, rest = text.partition("/")
    return reference.parse(f"{head}/x:x")["host"], rest + slash
