"""A build that differs from the tested one in how long its client of registries rests between two tries: hardly at all.

For tests of what comes of trying again, not of when. How long it rests is tested where that costs nothing.
"""

import py_compile
import shutil
from pathlib import Path

from conftest import BUILD

RESTS, HARDLY = "PAUSE, MAX_WAIT = 0.5, 60.0", "PAUSE, MAX_WAIT = 0.005, 60.0"


def build(directory: Path) -> Path:
    """The path of its `ct`."""
    library = directory / "lib" / "cerro-torre"
    library.mkdir(parents=True)
    shutil.copytree(BUILD / "bin", directory / "bin")
    for part in (BUILD / "lib" / "cerro-torre").iterdir():
        if part.name != "cerrotorre":
            (library / part.name).symlink_to(part)
    shutil.copytree(BUILD / "lib" / "cerro-torre" / "cerrotorre", library / "cerrotorre")
    transport = library / "cerrotorre" / "transport.py"
    text = transport.read_text()
    assert text.count(RESTS) == 1
    transport.write_text(text.replace(RESTS, HARDLY))
    py_compile.compile(str(transport), doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    return directory / "bin" / "ct"
