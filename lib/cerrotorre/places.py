"""Where the configuration and data lie: the user's directories and the host's. Looks at the environment, touches no disk."""

import os
from collections.abc import Mapping

from cerrotorre.built import SYSCONFDIR
from cerrotorre.errors import Fail


def home_dir(env: Mapping[str, str] | None = None) -> str:
    """The user's directory: $CT_HOME, else $XDG_CONFIG_HOME/cerro, else ~/.config/cerro; absolute.

    Raises Fail usage if no home directory is known. `env` is os.environ unless given.
    """
    env = os.environ if env is None else env
    if chosen := env.get("CT_HOME"):
        return os.path.abspath(chosen)
    return os.path.join(_base("XDG_CONFIG_HOME", ".config", env), "cerro")


def data_dir(env: Mapping[str, str] | None = None) -> str:
    """Where the user's data lies: $XDG_DATA_HOME/cerro, else ~/.local/share/cerro; absolute. Raises Fail as `home_dir` does."""
    return os.path.join(_base("XDG_DATA_HOME", ".local/share", os.environ if env is None else env), "cerro")


def _base(variable: str, usual: str, env: Mapping[str, str]) -> str:
    # XDG Base Directory Specification: "If an implementation encounters a relative path […] it should consider the path invalid".
    named = env.get(variable, "")
    if os.path.isabs(named):
        return named
    home = env.get("HOME") or os.path.expanduser("~")
    # What the working directory holds may be another's, so trust is never looked up beside it.
    if not os.path.isabs(home):
        raise Fail("usage", "no home directory: set HOME or CT_HOME to an absolute path")
    return os.path.join(home, usual)


def host_dir() -> str:
    """The host's directory, <SYSCONFDIR>/cerro. Fixed when built: the environment may not choose it."""
    return os.path.join(SYSCONFDIR, "cerro")
