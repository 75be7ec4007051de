"""Which mirrors may answer for a repository (ct-config(5), `[registries] mirrors`)."""

from collections.abc import Iterator


def of(mirrors: list[str], host: str, path: str) -> Iterator[tuple[str, str]]:
    """(host, path) of each mirror of host/path, in order. A mirror is PREFIX=MIRROR, each a host or host/path.

    What PREFIX names, and what lies under it, lies under MIRROR by the same names.
    """
    name = f"{host}/{path}"
    for one in mirrors:
        prefix, _, mirror = one.partition("=")
        if name == prefix or name.startswith(prefix + "/"):
            there, _, where = (mirror + name[len(prefix) :]).partition("/")
            if where:
                yield there, where
