"""What the checks of `ct doctor` look at: this installation, this user's directories, this time. Each is looked up once."""

import os
import stat
from collections.abc import Callable, Mapping

from cerrotorre import config, contentstore, keystore, places
from cerrotorre.errors import Fail
from cerrotorre.text import quoted
from cerrotorre.typed import Any


class Setup:
    """`now` is the clock in seconds; `progress(name, octets)` gives a bar to hash under (progress.Progress)."""

    def __init__(
        self, env: Mapping[str, str], now: int, progress: Callable[[str, int], Any], *, quick: bool = False, fix: bool = False
    ) -> None:
        self.env, self.now, self.progress, self.quick, self.fix = env, now, progress, quick, fix
        # The library lies in PREFIX/lib/cerro-torre/cerrotorre, however it was installed.
        self.library = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        self.prefix = os.path.dirname(os.path.dirname(self.library))
        self.bin = os.path.join(self.prefix, "bin")
        try:
            self.home: str = places.home_dir(env)
        except Fail:
            self.home = ""
        self._config: dict[str, Any] | None = None

    def config(self) -> dict[str, Any]:
        """The settings; without any where config.toml is malformed, which another check says."""
        if self._config is None:
            try:
                self._config = config.read(self.env)
            except Fail:
                self._config = {}
        return self._config

    def setting(self, section: str, name: str) -> Any:
        """The value that is set, or None."""
        return self.config().get(section, {}).get(name)

    def stores(self) -> dict[str, str]:
        """{origin: directory} of the key stores, the host's last."""
        return {origin: keystore.directory(origin) for origin in keystore.ORIGINS}

    def bundles(self) -> str:
        """The content store. Raises Fail usage without a home directory."""
        return contentstore.directory(self.env, self.config())

    def repair(self, fail: Fail, forbidden: int = 0o022) -> dict[str, Any] | None:
        """The repair of what a reader refused, if it is the mode of something of the user's own in the store; else None."""
        root, path = self.home, str(fail.finding["context"].get("File", ""))
        if fail.finding["finding"] != "store-unsafe" or (path != root and not path.startswith(root + "/")):
            return None
        try:
            found = os.lstat(path)
        except OSError:
            return None
        if found.st_uid != os.geteuid() or stat.S_ISLNK(found.st_mode) or not found.st_mode & forbidden:
            return None
        return {"do": "mode", "root": root, "name": path[len(root) + 1 :], "forbidden": forbidden}

    def safe_path(self) -> list[str]:
        """The entries of PATH that the working directory does not decide."""
        return [entry for entry in self.env.get("PATH", "").split(":") if os.path.isabs(entry)]


def listed(names: list[str], most: int = 5) -> str:
    """The first of several names, in a line."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def counted(number: int, one: str) -> str:
    """`1 key`, `2 keys`."""
    return f"{number} {one}{'' if number == 1 else 's'}"


def command(words: str, path: str) -> str:
    """A command line with a path as its last word."""
    return f"{words} {quoted(path)}"
