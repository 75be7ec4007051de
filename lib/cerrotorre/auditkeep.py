"""Keeping decisions (spec/audit.adoc, "Keeping"): each in its file of an audit log, after the one before it, and on the disk before it is told."""

import contextlib
import fcntl
import functools
import os
from collections.abc import Callable

from cerrotorre import decision, keyset, keystore, manifest, owned, policyread, recorded, records
from cerrotorre.content import absolute, write_all
from cerrotorre.digest import sha256
from cerrotorre.errors import Fail
from cerrotorre.newfile import NewFile, sync_directory
from cerrotorre.records import Record
from cerrotorre.text import quoted

DIRECTORIES = ("decisions", "objects")
MAX_HEAD = 256


def entry_name(number: int) -> str:
    """The name of a decision's file below the log's directory."""
    return f"decisions/{number:08d}.json"


def object_name(digest: str) -> str:
    return f"objects/{digest.removeprefix('sha256:')}"


def head_line(number: int, digest: str) -> bytes:
    return f"{number} {digest}\n".encode()


def read_head(data: bytes) -> tuple[int, str]:
    """(number, digest) in the bytes of `head`. Raises ValueError."""
    number, _, digest = data.decode("ascii", "replace").removesuffix("\n").partition(" ")
    if not number.isdecimal() or len(number) > 15 or not decision.is_digest(digest) or head_line(int(number), digest) != data:
        raise ValueError("not a number and a digest")
    return int(number), digest


class Keeper:
    """`Keeper(directory, "verify", now).decide(record)` for each record in order, before its verdict is told.

    `now` is YYYY-MM-DDTHH:MM:SSZ, for a record that no policy was asked about.
    """

    def __init__(self, where: str, by: str, now: str) -> None:
        if not where:
            raise Fail("usage", "an audit log is a directory, and no name was given")
        self.where, self._by, self._now = absolute(where), by, now
        # By digest, what was kept already of what many bundles share.
        self._kept: set[str] = set()

    def decide(self, record: Record) -> None:
        """Keep the decision on a record, and say in its `recorded` where: {"log", "number", "digest"}.

        One that cannot be kept is a finding of the record: decision-unkept, store-unsafe.
        """
        record.pop("recorded", None)
        try:
            record["recorded"] = self._keep(record)
        except Fail as fail:
            records.add(record, fail.finding)

    def _keep(self, record: Record) -> dict[str, object]:
        try:
            self._ready()
            status, findings = records.judged(record)
            made = decision.make(record, status, findings, self._by, self._now)
            self._objects(record, made)
            number, digest = self._append(made)
        except Fail as fail:
            slug = fail.finding["finding"]
            if slug == "store-unsafe":
                raise
            unkept = Fail("decision-unkept", str(fail), Log=self.where)
            raise (unkept.proposing(f"ct audit {quoted(self.where)}") if slug == "audit-broken" else unkept) from None
        except OSError as error:
            raise Fail("decision-unkept", f"'{self.where}': {error.strerror}", Log=self.where) from None
        except (KeyError, TypeError, ValueError) as error:
            # Every tool of ours writes what is needed; a record that was made by hand may not.
            raise Fail("decision-unkept", f"the record lacks what is kept: {error}", Log=self.where) from None
        return {"log": self.where, "number": number, "digest": digest}

    def _ready(self) -> None:
        for path in (self.where, *(os.path.join(self.where, name) for name in DIRECTORIES)):
            if not owned.check_directory(path):
                try:
                    os.mkdir(path, 0o700)
                except FileExistsError:
                    # Another keeper was faster, or it is a link to nowhere.
                    pass
                if not owned.check_directory(path):
                    raise Fail("file-unwritable", f"'{path}' is a link to nowhere", File=path)

    # -- what it was made from -----------------------------------------------------------------------------------------------

    def _objects(self, record: Record, made: decision.Decision) -> None:
        if "manifest_digest" in made:
            self._object(made["manifest_digest"], lambda: record["canonical"].encode())
        if "attestations" in record:
            made["attestations"] = self._attestations(record)
        if "keys" in made:
            self._object(made["keys"], _keys)
        for file in record["trust"]["files"] if "trust" in made else ():
            self._object(file["digest"], functools.partial(_policy, file["file"]))

    def _object(self, digest: str, read: Callable[[], bytes]) -> None:
        """Keep the bytes that `read` gives under their digest, which they must have."""
        if digest in self._kept:
            return
        data = read()
        if sha256(data) != digest:
            raise Fail("file-changed", "a key or a policy changed while it was judged by")
        self._put(digest, data)
        self._kept.add(digest)

    def _attestations(self, record: Record) -> str:
        """Keep attestations.jsonl as it is in the bundle; its digest."""
        lines = record["attestations"]
        if not isinstance(lines, list) or len(lines) > manifest.MAX_LINES:
            raise ValueError("`attestations` is not a list, or too long")
        data = b"".join(recorded.attestation_line(entry) + b"\n" for entry in lines)
        if len(data) > manifest.MAX_ATTESTATIONS:
            raise Fail("too-large", f"attestations of {len(data)} bytes", Limit=manifest.MAX_ATTESTATIONS)
        digest = sha256(data)
        self._put(digest, data)
        return digest

    def _put(self, digest: str, data: bytes) -> None:
        path = os.path.join(self.where, object_name(digest))
        if not os.path.lexists(path):
            try:
                _write(path, data)
            except FileExistsError:
                pass
            else:
                return
        if owned.read(path, len(data)) != data:
            raise Fail("audit-broken", f"'{path}' is not what its name says", File=path)

    # -- the decision --------------------------------------------------------------------------------------------------------

    def _append(self, made: decision.Decision) -> tuple[int, str]:
        # Not the directory: whoever can read that could hold its lock, and with it every keeper, for ever.
        name = os.path.join(self.where, ".lock")
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(lock).st_mode & 0o077:
                # As in a log that was copied.
                os.fchmod(lock, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            number, previous = self._last()
            data = decision.spell({**made, "number": number + 1, "previous": previous})
            path = os.path.join(self.where, entry_name(number + 1))
            digest = sha256(data)
            try:
                _write(path, data)
                self._note(number + 1, digest)
            except FileExistsError:
                raise Fail("file-unwritable", f"'{path}' appeared meanwhile", File=path) from None
            except (Fail, OSError):
                # Nothing was told of it yet, and what will be told is that it is not kept: also where it has its name already,
                # and only the directory could not be synced.
                with contextlib.suppress(OSError):
                    os.unlink(path)
                raise
        finally:
            os.close(lock)
        return number + 1, digest

    def _last(self) -> tuple[int, str | None]:
        """Number and digest of the last decision, (0, None) before the first. Raises Fail audit-broken."""
        head = owned.read(os.path.join(self.where, "head"), MAX_HEAD)
        number, digest = 0, None
        if head is not None:
            try:
                number, digest = read_head(head)
            except ValueError as error:
                raise Fail("audit-broken", f"'{self.where}/head': {error}") from None
            last = owned.read(os.path.join(self.where, entry_name(number)), decision.LIMIT)
            if last is None or sha256(last) != digest:
                raise Fail("audit-broken", f"decision {number} is not the one that '{self.where}/head' names")
        # Whoever wrote the last may have been killed before `head`.
        while (data := owned.read(os.path.join(self.where, entry_name(number + 1)), decision.LIMIT)) is not None:
            try:
                value = decision.read(data)
            except ValueError as error:
                raise Fail("audit-broken", f"decision {number + 1}: {error}") from None
            if (value["number"], value["previous"]) != (number + 1, digest):
                raise Fail("audit-broken", f"decision {number + 1} does not follow decision {number}")
            number, digest = number + 1, sha256(data)
            # Before the next, so that it is never behind by more than one.
            self._note(number, digest)
        return number, digest

    def _note(self, number: int, digest: str) -> None:
        """Replace `head`. The lock is held, so the name is nobody else's, and what a kill leaves there the next one uses."""
        head, new = os.path.join(self.where, "head"), os.path.join(self.where, ".head")
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        try:
            write_all(fd, head_line(number, digest))
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(new, head)
        try:
            sync_directory(self.where)
        except OSError:
            # Of `head` nothing can be taken back any more, and nothing need be: the decision it names is on the disk, and a crash
            # would only leave the head before, which the next keeper brings up to date.
            pass


def _write(path: str, data: bytes) -> None:
    """A new file, on the disk with its name before anything else happens. Raises FileExistsError."""
    with NewFile(path, 0o600) as new:
        write_all(new.fd, data)
        new.commit(replace=False, sync=True)


def _keys() -> bytes:
    data = keyset.spell(keystore.load()[0])
    if len(data) > keyset.LIMIT:
        raise Fail("too-large", f"keys of {len(data)} bytes", Limit=keyset.LIMIT)
    return data


def _policy(path: str) -> bytes:
    data = owned.read(path, policyread.MAX_POLICY, guarded=False)
    if data is None:
        raise Fail("file-changed", f"'{path}' is gone", File=path)
    return data
