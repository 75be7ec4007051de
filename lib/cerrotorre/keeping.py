"""Whether and where decisions are kept (spec/audit.adoc, "Keeping"), for the tools that tell a verdict."""

from collections.abc import Callable

from cerrotorre import commandline, config, interrupt, times
from cerrotorre.records import Record


def keeper_of(options: commandline.Options, by: str, now: float) -> Callable[[Record], None] | None:
    """What keeps the decision on a record, if --record or the configuration asks for that; `by` names the command, `now` is the clock."""
    where = options["record"] if "record" in options else config.read()["audit"].get("dir")
    if where is None:
        return None
    # Most verdicts are not kept, and their start-up would pay for the import.
    from cerrotorre.auditkeep import Keeper

    interrupt.arm()
    at = commandline.instant(options["at"], "--at") if "at" in options else times.spell(int(now))
    return Keeper(where, by, at).decide
