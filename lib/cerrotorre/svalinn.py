"""A bundle's image given to Svalinn's gateway to run (spec/svalinn-integration.adoc)."""

from collections.abc import Callable, Mapping

from cerrotorre.errors import Fail
from cerrotorre.records import Record
from cerrotorre.typed import Any


def run(
    record: Record,
    options: Mapping[str, Any],
    settings: Mapping[str, Mapping[str, Any]],
    now: str,
    say: Callable[[str], object],
    note: Callable[[dict[str, Any]], object] = lambda made: None,
) -> int:
    """Ask the gateway to run the image of a judged record, and say what it answered: 0 once it took the job.

    `options` are those of ct-run: "runtime_args" and "command" (lists of words), and where they were given "k", "passphrase-file",
    "passphrase-fd", "policy", "json", "q". `settings` are config.read's, `now` is the time that is written into what is signed.
    `say` prints on standard output; `note` is told findings of status 0. Raises Fail usage, gateway-refused, gateway-denied,
    log-entries-missing, tool-missing, and what opening a key raises.
    """
    raise Fail("gateway-refused", "not built yet")
