"""What the build fixed; `make` writes it anew."""

from cerrotorre.typed import Any

# The host's configuration lies in its directory `cerro`.
SYSCONFDIR = "/etc"
# What an archive of `make dist` runs on (host.refusal); elsewhere nothing is asked.
MADE_FOR: "dict[str, Any]" = {}
