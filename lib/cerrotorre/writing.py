"""Writing the bundle of a record, with what people and programs see of it meanwhile."""

from collections.abc import Callable

from cerrotorre import layout
from cerrotorre.errors import Finding
from cerrotorre.progress import Progress
from cerrotorre.records import Record
from cerrotorre.typed import Any

STDOUT = 1


def write(
    record: Record,
    output: str,
    *,
    quiet: bool,
    events: Callable[[dict[str, Any]], object] | None = None,
    approve: Callable[[], bool] | None = None,
    new: bool = False,
) -> list[Finding]:
    """Write the bundle to a path, or to standard output for `-`. Returns what is wrong with it, if anything.

    `events` gets those of the transfers, if there are any; `approve` has the last word on whether the file gets its name.
    """
    total = sum(entry["size"] for entry in record["content"])
    if output != "-" and any("url" in entry["at"] for entry in record["content"]):
        # What lies here needs none of it.
        from cerrotorre import assemble
        from cerrotorre.transfers import Transfers

        with Transfers(quiet=quiet, events=events, what=record["bundle"], total=total) as transfers:
            return assemble.write_file(record, output, transfers, approve, new=new)
    with Progress(record["bundle"], total, quiet=quiet) as progress:
        if output == "-":
            return layout.write_stream(record, STDOUT, progress.add)
        return layout.write_file(record, output, progress.add, approve)
