"""Reading an audit log (spec/audit.adoc, "Reading"), whoever wrote it: links are not followed, and nothing is read without a limit."""

import errno
import os
import stat
from collections.abc import Iterator

from cerrotorre import auditkeep, decision
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail, Finding, finding
from cerrotorre.text import shown

MAX_DECISIONS = 4 << 20
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class Log:
    """`with Log(directory) as log:`. Raises Fail file-unreadable, audit-broken if it holds no log."""

    def __init__(self, where: str) -> None:
        self.where = where
        self._below: dict[str, int] = {}

    def __enter__(self) -> "Log":
        where = self.where
        try:
            self._below[""] = os.open(where, _OPEN | os.O_DIRECTORY)
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else str(error)
            raise Fail("file-unreadable", f"'{where}': {said}", Directory=where) from None
        for name in auditkeep.DIRECTORIES:
            try:
                self._below[name] = os.open(name, _OPEN | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=self._below[""])
            except OSError as error:
                self.__exit__()
                raise Fail("audit-broken", f"'{where}' is not an audit log: {name}: {error.strerror}", Log=where) from None
        return self

    def __exit__(self, *_: object) -> None:
        for fd in self._below.values():
            os.close(fd)

    def _read(self, name: str, limit: int) -> bytes | None:
        """The bytes of a file, None if there is none. Raises Fail audit-broken, file-unreadable."""
        directory, _, base = name.rpartition("/")
        try:
            fd = os.open(base, _OPEN | os.O_NOFOLLOW, dir_fd=self._below[directory])
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(name, error) from None
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_size > limit:
                what = f"larger than {limit} bytes" if stat.S_ISREG(found.st_mode) else "not a regular file"
                raise Fail("audit-broken", f"{name} is {what}", File=name)
            data = b""
            while len(data) <= limit and (more := os.read(fd, limit + 1 - len(data))):
                data += more
            if len(data) > limit:
                raise Fail("audit-broken", f"{name} is larger than {limit} bytes", File=name)
            return data
        except OSError as error:
            raise _unreadable(name, error) from None
        finally:
            os.close(fd)

    def object(self, digest: str, limit: int) -> bytes:
        """The bytes of that digest. Raises Fail audit-broken, file-unreadable."""
        name = auditkeep.object_name(digest)
        data = self._read(name, limit)
        if data is None or sha256(data) != digest:
            what = "is missing" if data is None else "is not what its name says"
            raise Fail("audit-broken", f"{name} {what}", File=name)
        return data

    def head(self) -> tuple[int, str] | None:
        """(number, digest) of the last decision, as noted; None if nothing is. Raises Fail audit-broken, file-unreadable."""
        data = self._read("head", auditkeep.MAX_HEAD)
        try:
            return None if data is None else auditkeep.read_head(data)
        except ValueError as error:
            raise Fail("audit-broken", f"head: {error}", File="head") from None

    def numbers(self) -> tuple[list[int], list[Finding]]:
        """(the numbers of the decisions that are there, in order; what else is wrong with the directory)."""
        numbers, strays = [], 0
        stray = ""
        with os.scandir(self._below["decisions"]) as entries:
            for entry in entries:
                number = entry.name.removesuffix(".json")
                if number.isascii() and number.isdecimal() and len(number) < 16 and _is_named(entry.name, int(number)):
                    numbers.append(int(number))
                elif not entry.name.startswith("."):
                    strays += 1
                    stray = min(stray or entry.name, entry.name)
                if len(numbers) + strays > MAX_DECISIONS:
                    raise Fail("too-large", f"more than {MAX_DECISIONS} decisions", Limit=MAX_DECISIONS)
        numbers.sort()
        more = f", and {strays - 1} more" if strays > 1 else ""
        wrong = [finding("audit-broken", f"no decision has such a name: decisions/{shown(stray)}{more}")] if strays else []
        return numbers, wrong

    def decisions(self, numbers: list[int]) -> Iterator[tuple[int, str | None, decision.Decision | None, list[Finding]]]:
        """(number, digest of the file, decision or None, what is wrong with it in the chain) of each of these.

        One is told when the next was read: whether it is what it was, only its successor says.
        """
        before, previous, held = 0, None, None
        for number in numbers:
            value, digest, wrong = None, None, []
            try:
                data = self._read(auditkeep.entry_name(number), decision.LIMIT)
                if data is None:
                    raise Fail("audit-broken", "it is gone")
                digest = sha256(data)
                value = decision.read(data)
            except Fail as fail:
                wrong.append(fail.finding)
            except ValueError as error:
                wrong.append(finding("audit-broken", f"decision {number}: {error}"))
            if number != before + 1:
                gone = f"decision {before + 1}" if number == before + 2 else f"decisions {before + 1} to {number - 1}"
                wrong.append(finding("audit-broken", f"{gone}: missing"))
            elif value and value["previous"] != previous:
                what = f"decision {number} follows another one than this, which was altered or exchanged"
                what = what if held else "the first decision follows another"
                blamed = held[3] if held else wrong
                blamed.append(finding("audit-broken", what, Expected=value["previous"], Actual=previous))
            if value and value["number"] != number:
                wrong.append(finding("audit-broken", f"decision {number} says that it is number {value['number']}"))
            if held:
                yield held
            held = number, digest, value, wrong
            before, previous = number, digest
        if held:
            yield held


def _is_named(name: str, number: int) -> bool:
    return number > 0 and auditkeep.entry_name(number) == f"decisions/{name}"


def _unreadable(name: str, error: OSError) -> Fail:
    if error.errno == errno.ELOOP:
        return Fail("audit-broken", f"{name} is a symbolic link", File=name)
    return Fail("file-unreadable", f"{name}: {error.strerror}", File=name)
