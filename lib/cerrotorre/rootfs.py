"""The root file system of a bundle's image: its layers applied in order below a new directory (spec/unpacking.adoc)."""

from cerrotorre.errors import Finding
from cerrotorre.records import Record
from cerrotorre.sinks import Progress


def write(record: Record, path: str, progress: Progress = None, *, platform: str | None = None) -> list[Finding]:
    """Make the directory `path`, whole or not at all. Returns what is wrong with the bundle's bytes; raises Fail for the rest."""
    raise NotImplementedError
