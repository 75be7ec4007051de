"""Where the bundles of a list lie: in files, in the content store, or elsewhere, and then under which name they are fetched."""

import os
import re
from collections.abc import Mapping

from cerrotorre import contentstore, places, reference
from cerrotorre.imagelist import Entry
from cerrotorre.reference import Reference
from cerrotorre.typed import Any
from cerrotorre.yamlread import malformed

_NAME = re.compile(r"[^A-Za-z0-9._+-]+")

# {"path": str, "stored": bool}, or {"name": of a file that it is fetched into, "reference": str}
Place = dict[str, Any]


def find(entries: list[Entry], store: str, env: Mapping[str, str]) -> list[Place]:
    """The place of each. `store` is the content store's directory. Raises Fail list-malformed, bundle-ambiguous, file-unreadable."""
    catalogue = contentstore.Catalogue(store)
    found: list[Place] = []
    for entry in entries:
        if "path" in entry:
            found.append({"path": _path(entry, env), "stored": False})
            continue
        if os.path.lexists(entry["written"]):
            what = f"{entry['written']!r} reads as a reference, and there is a file that is called so"
            raise malformed(what, entry["line"]).proposing(f"./{entry['written']}", reference.spell(entry["reference"]))
        path = catalogue.find(entry["reference"])
        if path is not None and not path.isprintable():
            raise malformed(f"{path!r} is in the content store: a path has no control characters", entry["line"])
        found.append({"reference": entry["reference"]} if path is None else {"path": path, "stored": True})
    taken = {os.path.basename(place["path"]).casefold() for place in found if "path" in place}
    for place in found:
        if "reference" in place:
            place["name"] = _name(place["reference"], taken)
            place["reference"] = reference.spell(place["reference"])
    # Two references may be names of one bundle.
    return [*{place.get("path") or place["name"]: place for place in found}.values()]


def _path(entry: Entry, env: Mapping[str, str]) -> str:
    path: str = entry["path"]
    if path.startswith("~/"):
        path = os.path.join(places.user_dir(env), path[2:])
    if not os.path.lexists(path):
        raise malformed(f"there is no '{path}'", entry["line"], File=path)
    return path


def _name(asked: Reference, taken: set[str]) -> str:
    """app-1.0.ctp for host/team/app:1.0; team-app-1.0.ctp if that is taken, and so on."""
    version = asked["tag"] or asked["digest"][7:19]
    parts = [asked["host"], *asked["path"].split("/")]
    for count in range(1, len(parts) + 1):
        name = f"{_NAME.sub('-', '-'.join(parts[-count:])).lstrip('.-')}-{version}.ctp"
        if name.casefold() not in taken:
            break
    else:
        # Two tags that differ in the case of letters.
        name = name.removesuffix(".ctp") + f"-{len(taken)}.ctp"
    taken.add(name.casefold())
    return name
