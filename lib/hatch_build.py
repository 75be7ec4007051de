"""What `pip install` puts where: the same layout as `make install`, by the wheel's data and scripts. Hatchling runs this."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True
import lay  # noqa: E402


class Layout(BuildHookInterface):  # type: ignore[misc]
    laid = ""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self.laid = tempfile.mkdtemp()
        prefix = Path(self.laid)
        lay.lay(prefix, "pip")
        files = sorted(path for path in prefix.rglob("*") if path.is_file())
        places = {str(path): str(path.relative_to(prefix)) for path in files}
        # pip puts its Python into the first line of scripts, not of data.
        build_data["shared_scripts"] = {path: place[4:] for path, place in places.items() if place.startswith("bin/")}
        build_data["shared_data"] = {path: place for path, place in places.items() if not place.startswith("bin/")}

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        shutil.rmtree(self.laid)
