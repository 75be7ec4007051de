"""The chain of custody: which signatures a signature on a bundle took the place of (spec/signatures.adoc, "Supersedes").

Pure: the text of a predicate's `supersedes` to entries and back. An entry is {"level": int, "line": digest of the envelope's line,
"fingerprint", "suite_id", "signed_at", "key_id"}: level 1 is what this signature replaced, level 2 what that had replaced, and so on.
"""

import re

from cerrotorre.errors import Fail
from cerrotorre.times import is_time
from cerrotorre.typed import Any

Entry = dict[str, Any]

# A line of a chain has at most 241 bytes: with all of these a signature's envelope still travels inline, and is judged like any.
MAX_ENTRIES = 64
MAX_LEVEL = 99
_OLDER = "older"
_MEMBERS = ("line", "fingerprint", "suite_id", "signed_at", "key_id")
_LINE = re.compile(
    r"([1-9][0-9]?) (sha256:[0-9a-f]{64}) (SHA256:[0-9a-f]{64}) (CT-SIG-[0-9]{2}) ([0-9TZ:-]{20}) ([A-Za-z0-9][A-Za-z0-9._-]{0,63})",
    re.ASCII,
)


def parse(text: Any) -> tuple[list[Entry], bool]:
    """(the entries, whether older ones were left out). Raises ValueError."""
    if not isinstance(text, str):
        raise ValueError("supersedes is not a string")
    *lines, last = text.split("\n")
    cut = last == _OLDER
    lines += [] if cut else [last]
    if not 1 <= len(lines) <= MAX_ENTRIES:
        raise ValueError(f"supersedes has {len(lines)} lines, not 1 to {MAX_ENTRIES}")
    entries: list[Entry] = []
    for number, line in enumerate(lines, 1):
        found = _LINE.fullmatch(line)
        if not found or not is_time(found[5]):
            raise ValueError(f"supersedes: line {number} is not LEVEL LINE FINGERPRINT SUITE TIME KEY-ID")
        level = int(found[1])
        if level < entries[-1]["level"] if entries else level != 1:
            raise ValueError(f"supersedes: the levels do not rise from 1, at line {number}")
        entries.append({"level": level, **dict(zip(_MEMBERS, found.groups()[1:], strict=True))})
    if len({entry["line"] for entry in entries}) < len(entries):
        raise ValueError("supersedes names a line twice")
    return entries, cut


def text(signatures: list[dict[str, Any]]) -> str | None:
    """The `supersedes` of a signature that replaces these, as ct-check judged them; None if it judged none of them valid.

    Only what the store vouches for is repeated: a valid signature's own chain if its key is trusted. Raises Fail too-large, and
    ValueError, KeyError or TypeError for what ct-check does not write.
    """
    entries: dict[str, Entry] = {}
    valid = [one for one in signatures if one["status"] == "valid"]
    cut = any(one.get("supersedes_cut") for one in valid if one["trusted"])
    made = [{"level": 1, **{name: one[name] for name in _MEMBERS}} for one in valid]
    if len(made) > MAX_ENTRIES:
        raise Fail("too-large", f"{len(made)} signatures to replace, more than {MAX_ENTRIES}", Limit=MAX_ENTRIES)
    made += [{**entry, "level": entry["level"] + 1} for one in valid if one["trusted"] for entry in one.get("supersedes", ())]
    # A line that was replaced more than once is told where it is nearest.
    for entry in sorted(made, key=lambda entry: entry["level"]):
        entries.setdefault(entry["line"], entry)
    kept = [entry for entry in entries.values() if entry["level"] <= MAX_LEVEL][:MAX_ENTRIES]
    lines = [" ".join(str(entry[name]) for name in ("level", *_MEMBERS)) for entry in kept]
    if not lines:
        return None
    whole = "\n".join([*lines, _OLDER] if cut or len(kept) < len(entries) else lines)
    parse(whole)
    return whole
