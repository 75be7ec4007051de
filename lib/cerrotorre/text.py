"""Text that others wrote, made safe to show; sizes as people read them, and names as they meant them."""

from collections.abc import Iterable

from cerrotorre.codepoints import is_format, is_refused

# Shell words that need no quotes.
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-")


def shown(text: str) -> str:
    """The text with control, bidirectional, format, private and unassigned characters and surrogates escaped."""
    if text.isascii() and text.isprintable():
        return text
    return text.translate({ord(char): _escape(char) for char in set(text) if hidden(char)})


def hidden(char: str) -> bool:
    """Whether a terminal could mistake it: control, bidirectional, format, private, unassigned."""
    return char in "\t\n" or is_refused(char) or is_format(char)


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def fitted(text: str, columns: int, gap: str) -> str:
    """The end of the text, which is what tells paths apart, after `gap` if all of it needs more columns of a terminal."""
    if len(text) * 2 <= columns:
        return text
    import unicodedata

    # What combines with the character before it needs no column; counting one is on the safe side.
    sizes = [2 if unicodedata.east_asian_width(char) in "FW" else 1 for char in text]
    if sum(sizes) <= columns:
        return text
    room, start = columns - len(gap), len(text)
    while room >= sizes[start - 1]:
        start -= 1
        room -= sizes[start]
    while start < len(text) and unicodedata.category(text[start]) in ("Mn", "Me"):
        start += 1
    return gap + text[start:]


def quoted(text: str) -> str:
    """The text as one shell word."""
    if text and set(text) <= _PLAIN:
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def with_names(command: str, names: dict[str, object]) -> str:
    """A command that a finding proposes, its FILE, SIGNER and POLICY being those of the finding's context.

    The policy in its usual place is `policy.json`, and needs no naming.
    """
    if names.get("Policy", "policy.json") == "policy.json":
        command = command.replace(" --policy POLICY", "").replace(" POLICY", "")
    for mark, name in (("FILE", "Bundle"), ("SIGNER", "Signer"), ("POLICY", "Policy")):
        if names.get(name):
            words = [quoted(str(names[name])) if word == mark else word for word in command.split(" ")]
            command = " ".join(words)
    return command


def closest(name: str, known: Iterable[str]) -> str:
    """The known name that another was likely meant to be, whatever its case, or ""."""
    # Only a mistake costs this import.
    from difflib import get_close_matches

    by_lower = {candidate.lower(): candidate for candidate in known}
    close = get_close_matches(name.lower()[:64], by_lower, 1)
    return by_lower[close[0]] if close else ""


def meant(near: str) -> str:
    """What is said of the closest name at the end of a message, if there is one."""
    return f"; did you mean {near}?" if near else ""


def size(octets: int) -> str:
    """A size in binary units: 1.2 KiB, 48.2 MiB."""
    if octets < 1024:
        return f"{octets} B"
    amount = float(octets)
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        amount /= 1024
        if amount < 1023.95 or unit == "PiB":
            break
    return f"{amount:.1f} {unit}"
