"""`--expect NAME[:VERSION]|REF`: whether a bundle is the one that was asked for (spec/policy.adoc, "The bundle asked for")."""

import re

from cerrotorre import reference
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

_NAME = re.compile(r"([a-z0-9][a-z0-9._/-]{0,127})(?::([A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?")


def check(wanted: str) -> None:
    """Raise Fail reference if this is neither NAME[:VERSION] nor a reference."""
    if not _NAME.fullmatch(wanted):
        _reference(wanted)


def spelled(wanted: str) -> str:
    """What was asked for, a reference that names its host in its normal spelling."""
    if "/" in wanted and reference.is_host(wanted.partition("/")[0]):
        return reference.spell(_reference(wanted))
    return wanted


def _reference(wanted: str) -> reference.Reference:
    try:
        return reference.parse(wanted)
    except Fail as fail:
        # What a source is called (oci:DIR:TAG) is no name of what came from it.
        what = f"--expect takes NAME[:VERSION] or a registry reference, not {wanted[:200]!r}: {fail}"
        raise Fail("reference", what, **fail.finding["context"]) from None


def met(wanted: str, manifest: dict[str, Any]) -> bool:
    """Whether the manifest is what was asked for. Raises Fail reference as `check` does."""
    named = _NAME.fullmatch(wanted)
    if named and named[1] == manifest["name"] and named[2] in (None, manifest["version"]):
        return True
    try:
        asked = _reference(wanted)
    except Fail:
        if named:
            return False
        raise
    provenance = manifest.get("provenance", {})
    same = "registry" in provenance and _same(provenance.get("source", ""), asked)
    if asked["digest"]:
        # A digest is the most that can be asked: nothing else makes up for another one. Of an index one platform may have been taken.
        return asked["digest"] == manifest["image_digest"] or (same and asked["digest"] == provenance.get("index_digest"))
    # "The manifest's `source` is REF, or REF's last path component and tag are its `name` and `version`."
    return same or (asked["path"].rpartition("/")[2], asked["tag"]) == (manifest["name"], manifest["version"])


def _same(source: str, asked: reference.Reference) -> bool:
    try:
        return reference.parse(source) == asked
    except Fail:
        return False
