"""What a check of `ct doctor` found: remarks, each pass, warn or fail, with what to type and what could be repaired (spec/doctor.adoc)."""

import re

from cerrotorre.errors import Fail
from cerrotorre.text import with_names
from cerrotorre.typed import Any

STATUSES = ("pass", "warn", "fail")
# Of a check that trips ten thousand times these are kept; the others are counted.
MOST = 1000
# {"do": "mode", "remove" or "make", "root": a directory of the store, "name": below it ("" itself), …}: see `doctorfix`
Repair = dict[str, Any]
# A word that stands for something the finding does not name: KEY.key, PATH.
_PLACEHOLDER = re.compile(r"(?:^|\s)(?:\S*\b[A-Z]{2,}\b\S*)")


class Diagnosis:
    """What one check found. `said` is its result in a line; `details` are {"status", "said", "finding" or None, "try": [command]}."""

    def __init__(self) -> None:
        self.said = ""
        self.details: list[dict[str, Any]] = []
        self.more = 0
        self.repairs: list[Repair] = []
        self.fixed: list[str] = []
        self._worst = 0
        self._heard: set[str] = set()

    @property
    def status(self) -> str:
        return STATUSES[self._worst]

    @property
    def tries(self) -> list[str]:
        """What its details propose, each once."""
        return list(dict.fromkeys(command for made in self.details for command in made["try"]))

    def warn(self, said: str, *tries: str, finding: str | None = None, repair: Repair | None = None) -> None:
        """Something is missing, or likely not meant, and what is there works."""
        self._add(1, said, tries, finding, repair)

    def fail(self, said: str, *tries: str, finding: str | None = None, repair: Repair | None = None) -> None:
        """Something is broken or unsafe, or will fail once it is used."""
        self._add(2, said, tries, finding, repair)

    def fault(self, fail: Fail, *tries: str, warn: bool = False, repair: Repair | None = None) -> None:
        """What a reader refused, under its finding's name, with its commands unless others are given."""
        made = fail.finding
        given = tries or tuple(
            command
            for command in (with_names(line, made["context"]) for line in made["try"])
            if command.startswith(("ct ", "chmod ", "ls ")) and not _PLACEHOLDER.search(command)
        )
        self._add(1 if warn else 2, str(fail), given, made["finding"], repair)

    def mendable(self, repair: Repair) -> None:
        """Nothing is wrong, and --fix could do it."""
        self.repairs.append(repair)

    def _add(self, rank: int, said: str, tries: tuple[str, ...], finding: str | None, repair: Repair | None) -> None:
        self._worst = max(self._worst, rank)
        if repair is not None:
            self.repairs.append(repair)
        # Of a directory everything that lies below it says the same.
        if said in self._heard:
            return
        self._heard.add(said)
        if len(self.details) >= MOST:
            self.more += 1
            return
        self.details.append({"status": STATUSES[rank], "said": said, "finding": finding, "try": list(tries)})

    def object(self, check: str) -> dict[str, Any]:
        """The JSON object (spec/doctor.schema.json)."""
        return {
            "check": check,
            "status": self.status,
            "said": self.said,
            "try": self.tries,
            "details": self.details,
            "more": self.more,
            "fixed": self.fixed,
        }
