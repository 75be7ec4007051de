"""What of `ct doctor` is about the content store: every bundle in it read and hashed again, as ct-open, ct-check and ct-hash do."""

import os
from collections.abc import Iterator

from cerrotorre import attest, bundle, contentstore, errors, keystore, owned, recorded, records, signatures, sinks
from cerrotorre.diagnosis import Diagnosis
from cerrotorre.doctorsetup import Setup, command, counted
from cerrotorre.errors import Fail, Finding
from cerrotorre.keyreport import short
from cerrotorre.text import size
from cerrotorre.typed import Any

# Of these a bundle is not damaged: it is being written, or was never signed.
DOUBTS = ("file-changed", "unsigned")


def store(setup: Setup, say: Diagnosis) -> str:
    """The directory. Others who can write there cannot forge a bundle, but take one away."""
    where = setup.bundles()
    try:
        there = owned.check_directory(where)
    except Fail as fail:
        say.fault(fail, warn=fail.finding["finding"] == "store-unsafe")
        return short(where)
    return short(where) + ("" if there else ", not there yet")


def files(setup: Setup, say: Diagnosis) -> str:
    """Each bundle: its structure and its signatures; unless `quick`, every byte of its content."""
    where = setup.bundles()
    found = list(_bundles(where, say))
    total = sum(octets for _, octets in found)
    keys: list[keystore.Key] | None = None
    if found:
        try:
            keys = keystore.load()[0]
        except Fail:
            say.warn("signatures were not judged, for the key store cannot be used: see keys.store and keys.files")
    wrong = 0
    with setup.progress(where, 0 if setup.quick else total) as bar:
        for path, _ in found:
            made = errors.verdict(judge(path, keys, None if setup.quick else bar.add))
            if made is not None:
                wrong += 1
                _say(say, path, made)
    how = "not hashed (--quick)" if setup.quick else f"{size(total)} hashed"
    return counted(len(found), "bundle") + (f", {how}" if found else "") + (f", {wrong} not as they must be" if wrong else "")


def _bundles(where: str, say: Diagnosis) -> Iterator[tuple[str, int]]:
    """(path, bytes) of each bundle in the store, in order."""

    def unreadable(error: OSError) -> None:
        say.fail(f"'{error.filename}': {error.strerror}", command("ls -ld", str(error.filename)), finding="file-unreadable")

    for path in contentstore.bundles(where, unreadable):
        try:
            yield path, os.stat(path).st_size
        except OSError:
            # Whoever reads it says why.
            yield path, 0


def judge(path: str, keys: list[keystore.Key] | None, progress: Any) -> list[Finding]:
    """What is wrong with a bundle. `keys` None: its signatures are not judged; `progress` None: its content is not hashed."""
    record = records.new(path)
    try:
        bundle.open_bundle(record, path)
        parsed, digest, _ = recorded.derive(record)
        if keys is not None:
            envelopes, others = recorded.envelopes(record)
            record["findings"] += signatures.judge(envelopes, others, parsed, digest, keys, attest.describe)[1]
        if progress is not None:
            record["findings"] += sinks.hash_file(record, progress)
    except Fail as fail:
        record["findings"].append(fail.finding)
    except Exception as error:
        # One bundle on which a reader trips says nothing of the next.
        record["findings"].append(errors.finding("internal", f"{type(error).__name__}: {error}"))
    return list(record["findings"])


def _say(say: Diagnosis, path: str, made: Finding) -> None:
    context = made["context"]
    about = made.get("detail") or ", ".join(
        f"{name} {context[name]}" for name in ("Blob", "Expected", "Actual") if name in context
    )
    said = about if path in about else f"'{path}': {made['summary']}" + (f": {about}" if about else "")
    add = say.warn if made["finding"] in DOUBTS else say.fail
    add(said, command("ct verify", path), finding=made["finding"])
