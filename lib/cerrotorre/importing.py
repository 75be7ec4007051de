"""Reading an archive once, from its beginning to its end: each blob to every bundle that wants it (spec/export.adoc, "Importing")."""

import functools
import resource
from collections.abc import Callable, Iterable

from cerrotorre import layout, records
from cerrotorre.digest import hasher, sha256
from cerrotorre.errors import Fail, Finding, finding
from cerrotorre.exportread import Archive, Part, Piece
from cerrotorre.incoming import Incoming
from cerrotorre.records import Record
from cerrotorre.typed import Any

# Descriptors that are open besides the bundles', and how many things of a kind are named in one finding.
_OTHERS, _NAMED = 64, 3
_TRUST = ("manifest", "summary", "attestations")


class Import:
    """`with Import(archive, directory, checks, keep) as work:` `add` each record, then `read` the archive.

    `done` are the records in the order in which they came; `became` says of each, by name, "imported", "there" or "refused".
    `findings` are what is wrong with the archive, whichever bundle; `files` its keys and policies, by name, as far as they are whole.
    An interruption (KeyboardInterrupt) has the paths of what stays for a later call as arguments.
    """

    def __init__(
        self, archive: Archive, directory: str, checks: tuple[str, ...] = (), keep: Callable[[Record], None] | None = None
    ) -> None:
        self.archive, self._directory = archive, directory
        self._checks, self._keep = checks, keep
        self.done: list[Record] = []
        self.became: dict[str, str] = {}
        self.findings: list[Finding] = []
        self.files: dict[str, bytes] = {}
        self._bundles = {entry["name"]: entry for entry in archive.index["bundles"]}
        self._coming: dict[str, Incoming] = {}
        self._files = 0
        # Of each blob the bundles that want it; of one that is cut the hash, and of how much.
        self._wanted: dict[str, list[Incoming]] = {}
        self._hashers: dict[str, tuple[Any, int]] = {}
        # By part, what is wrong in it: (member, how). By bundle, what it lacks: {(finding, part): [(blob, how)]}.
        self._odd: dict[int, list[tuple[str, str]]] = {}
        self._lacks: dict[str, dict[tuple[str, int], list[tuple[str, str]]]] = {}

    def __enter__(self) -> "Import":
        return self

    def __exit__(self, _: object, stop: object, trace: object) -> None:
        if isinstance(stop, KeyboardInterrupt):
            stop.args = tuple(path for incoming in self._coming.values() if (path := incoming.stay()))
        for incoming in self._coming.values():
            incoming.close()

    @property
    def total(self) -> int:
        """How many bytes of blobs are wanted."""
        return sum(blob["size"] for blob in self.archive.index["blobs"] if blob["digest"] in self._wanted)

    def gather(self, arriving: Iterable[Record]) -> None:
        """`add` what arrives. Raises Fail for what failed on the way and belongs to no bundle."""
        failed: Finding | None = None
        for record in arriving:
            if record["record"] == records.BUNDLE:
                records.disown(record, "content")
                self.add(record)
            else:
                failed = failed or record["finding"]
        if failed:
            fail = Fail("internal")
            fail.finding = failed
            raise fail

    def add(self, record: Record) -> None:
        """Make ready for a bundle. What is wrong with it becomes a finding of its record; one that is there already is hashed now."""
        name = record["bundle"]
        if name in self.became:
            raise Fail("record-inconsistent", f"{name} arrives twice")
        self.became[name] = "refused"
        if not records.status_of(record):
            try:
                records.need(record, *self._checks)
                self._check(record)
                self._allow()
                self._coming[name] = Incoming(record, self._directory, whole=self._keep is not None)
                record = self._coming[name].record
                self._files += not self._coming[name].there
            except Fail as fail:
                records.add(record, fail.finding)
        self.done.append(record)
        if name not in self._coming:
            self._decide(record)
            return
        for digest in self._coming[name].missing:
            self._wanted.setdefault(digest, []).append(self._coming[name])

    def _check(self, record: Record) -> None:
        """Raise Fail record-inconsistent unless the record is that of a bundle in this archive."""
        entry = self._bundles.get(record["bundle"])
        if entry is None:
            raise Fail("record-inconsistent", f"'{self.archive.path}' has no bundle of that name")
        laid = layout.Layout(record)
        for member, (_, data) in zip(_TRUST, laid.small, strict=False):
            if entry[member] != {"digest": sha256(data), "size": len(data)}:
                raise Fail("record-inconsistent", f"its {member} is not that of '{self.archive.path}'")
        if laid.plan()[2] != entry["size"]:
            raise Fail("export-malformed", f"ct-export.json has another size for {entry['name']}", Archive=self.archive.path)
        for blob in record["content"]:
            if (blob["at"].get("url"), blob["at"].get("id")) != (self.archive.url, self.archive.digest):
                raise Fail("record-inconsistent", f"a blob lies elsewhere than in '{self.archive.path}'", Blob=blob["digest"])

    def _allow(self) -> None:
        """Let a file be open for each bundle: which blob is for whom is known, but not when it comes. Raises Fail file-unwritable."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        needed = self._files + _OTHERS
        if soft == resource.RLIM_INFINITY or needed <= soft:
            return
        most = 2 * needed if hard == resource.RLIM_INFINITY else min(2 * needed, hard)
        if most < needed:
            fail = Fail("file-unwritable", f"only {hard} files may be open at once, and each bundle needs one", Limit=hard)
            raise fail.proposing("the same command again, for those that are left", "ulimit -Hn")
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))

    def _decide(self, record: Record) -> None:
        if self._keep:
            self._keep(record)

    def read(self, progress: Callable[[int], object] | None = None, *, files_only: bool = False) -> None:
        """Read the parts that are there. What is wrong with a bundle is a finding of its record, and it gets no name."""
        for incoming in list(self._coming.values()):
            self._complete(incoming)
        self._absent()
        for number in self.archive.files:
            if self._part(number, progress, files_only=files_only) and files_only:
                break
        for name, incoming in self._coming.items():
            kept = incoming.stay()
            for (slug, number), lost in self._lacks.get(name, {}).items():
                records.add(incoming.record, self._found(slug, number, lost, kept))
            self._decide(incoming.record)
        self._coming.clear()
        for number, wrong in self._odd.items():
            self.findings.append(self._found("part-damaged", number, wrong, "", "Member"))

    def _found(self, slug: str, number: int, lost: list[tuple[str, str]], kept: str, kind: str = "Blob") -> Finding:
        names = list(dict.fromkeys(name for name, _ in lost))
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        made = finding(slug, lost[0][1], Part=self.archive.file(number), **{kind: ", ".join(names[:_NAMED]) + more})
        if kept:
            made["context"]["Kept"] = f"{kept}: the same command goes on from there once the part is whole"
        return made

    def _part(self, number: int, progress: Callable[[int], object] | None, *, files_only: bool) -> bool:
        """Read one part. Returns whether all its keys and policies were whole."""
        part = Part(self.archive.file(number))
        hurt, files = False, True
        try:
            for piece in self.archive.pieces(number, part):
                if piece.what["kind"] == "directory" and (files_only or not self._wanted):
                    # Nobody waits for what follows.
                    return files
                if piece.what["kind"] == "blob":
                    hurt = self._blob(number, piece, progress) or hurt
                elif not self._small(number, piece):
                    hurt, files = True, files and piece.what["kind"] != "file"
            rest = self.archive.rest(part)
            if rest and not hurt:
                self._odd.setdefault(number, []).append(("its end", rest))
        finally:
            changed = part.close()
        if changed:
            self._odd.setdefault(number, []).append(("all", changed))
        return files

    def _small(self, number: int, piece: Piece) -> bool:
        """Compare a member that the index determines. Returns whether it is whole."""
        kind = piece.what["kind"]
        keep = kind == "file" and piece.name.endswith((".pub", ".json"))
        actual, data = piece.digest(keep=keep)
        if not piece.wrong and actual == self.archive.expected(piece, number):
            if keep:
                self.files.setdefault(piece.name, data)
            return True
        name = self.archive.index["bundles"][piece.what["bundle"]]["name"] if kind == "member" else ""
        # Of a bundle that no part has whole, whoever wrote its record has said so.
        if not any(record["bundle"] == name and records.status_of(record) for record in self.done):
            self._odd.setdefault(number, []).append((piece.name, piece.wrong or "it does not have its digest"))
        return False

    def _blob(self, number: int, piece: Piece, progress: Callable[[int], object] | None) -> bool:
        """Take a blob, or a piece of one, to the bundles that want it. Returns whether it is damaged."""
        digest, offset, last = piece.what["digest"], piece.what["offset"], piece.what["last"]
        end = offset + piece.size
        if not offset:
            self._hashers[digest] = (hasher(), 0)
        # Where an earlier piece is lost, those that have it from an earlier call go on.
        made, reached = self._hashers.get(digest, (None, 0))
        made = made if reached == offset else None
        waiting = self._takers(digest)
        takers = [one for one in waiting if made is not None or (one.has(digest, offset) and not one.has(digest, end))]
        if not takers:
            return bool(piece.wrong)
        position = offset
        for chunk in piece.chunks():
            if made is not None:
                made.update(chunk)
            for incoming in takers:
                if incoming.part is not None:
                    self._guarded(incoming, functools.partial(Incoming.write, digest=digest, data=chunk, offset=position))
            position += len(chunk)
            if progress:
                progress(len(chunk))
        if piece.wrong:
            self._lose("part-damaged", number, digest, piece.wrong, offset, takers)
        elif last:
            self._hashers.pop(digest, None)
            self._end(number, digest, end, made)
        elif made is not None:
            self._hashers[digest] = (made, end)
        return bool(piece.wrong)

    def _takers(self, digest: str) -> list[Incoming]:
        return [incoming for incoming in self._wanted.get(digest, ()) if incoming.part is not None]

    def _end(self, number: int, digest: str, size: int, made: Any) -> None:
        """All pieces of a blob are over: who has it, has it. `made` is its hash, if all of it came now."""
        actual = None if made is None else "sha256:" + made.hexdigest()
        for incoming in self._takers(digest):
            if actual is None and not incoming.has(digest, size):
                continue
            checked = functools.partial(Incoming.checked, digest=digest)
            if actual == digest if actual else self._guarded(incoming, checked):
                self._wanted[digest].remove(incoming)
                self._guarded(incoming, functools.partial(Incoming.have, digest=digest, size=size))
                self._complete(incoming)
            elif incoming.part is not None:
                how = f"it has the digest {actual or 'of something else'}" + self._cut(digest)
                self._lose("part-damaged", number, digest, how, 0, [incoming])
        if not self._takers(digest):
            self._wanted.pop(digest, None)

    def _cut(self, digest: str) -> str:
        """In which parts a blob lies, if several: any of them may be the one that is damaged."""
        pieces = next(blob["pieces"] for blob in self.archive.index["blobs"] if blob["digest"] == digest)
        return f"; it lies in parts {pieces[0]['part']} to {pieces[-1]['part']}" if len(pieces) > 1 else ""

    def _absent(self) -> None:
        """Note what lies in parts that are not there, but for what an earlier call left."""
        if len(self.archive.files) == self.archive.index["parts"]:
            return
        for blob in self.archive.index["blobs"]:
            position = 0
            for piece in blob["pieces"] if blob["digest"] in self._wanted else ():
                position += piece["size"]
                if (number := piece["part"]) not in self.archive.files:
                    waiting = self._takers(blob["digest"])
                    lacking = [one for one in waiting if not position or not one.has(blob["digest"], position)]
                    self._lose("part-missing", number, blob["digest"], f"no '{self.archive.file(number)}'", None, lacking)

    def _lose(self, slug: str, number: int, digest: str, how: str, back: int | None, losers: list[Incoming]) -> None:
        """Note that this blob is not to be had for these bundles. What else they want is still for a later call."""
        self._hashers.pop(digest, None)
        for incoming in losers:
            if back is not None:
                incoming.back(digest, back)
            self._lacks.setdefault(incoming.record["bundle"], {}).setdefault((slug, number), []).append((digest, how))

    def _guarded(self, incoming: Incoming, work: Callable[[Incoming], object]) -> object:
        """What `work` returns. What a bundle trips on ends it, and no other: then that is None."""
        try:
            return work(incoming)
        except Fail as fail:
            records.add(incoming.record, fail.finding)
            incoming.close()
            self._coming.pop(incoming.record["bundle"], None)
            self._decide(incoming.record)
            return None

    def _complete(self, incoming: Incoming) -> None:
        """Give a bundle its name if all of it is there, and nothing is wrong with it; the decision is kept before that."""
        record = incoming.record
        if incoming.missing or record["bundle"] not in self._coming:
            return
        try:
            wrong = [] if incoming.there else incoming.wrong()
            for made in wrong:
                records.add(record, made)
            record["passed"]["content"] = not wrong
            self._decide(record)
            if not records.status_of(record):
                if not incoming.there:
                    incoming.finish()
                self.became[record["bundle"]] = "there" if incoming.there else "imported"
        except Fail as fail:
            records.add(record, fail.finding)
        # Not so if it is interrupted: then what is there stays.
        del self._coming[record["bundle"]]
        incoming.close()
