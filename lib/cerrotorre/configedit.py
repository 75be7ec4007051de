"""Changes of config.toml: one setting set or removed; what else is in the file stays as it is, byte for byte.

tomlkit makes the change and is not believed: the new text must parse to exactly the old settings with the one change, and be
valid, or nothing is written.
"""

import copy
import os

from cerrotorre import config, keychange
from cerrotorre.alone import Alone
from cerrotorre.content import write_all
from cerrotorre.errors import Fail
from cerrotorre.newfile import NewFile
from cerrotorre.settings import SETTINGS, nearest
from cerrotorre.text import meant
from cerrotorre.typed import Any

Value = str | list[str] | None


def value_of(key: str, words: list[str]) -> str | list[str]:
    """The value that the words of a command line are for a setting. Raises Fail usage."""
    setting = SETTINGS.get(key)
    if setting is None:
        raise Fail("usage", f"there is no setting {key[:80]!r}{meant(nearest(key))}")
    if len(words) != 1 and not (setting.array and words):
        raise Fail("usage", f"{key} takes {'at least one value' if setting.array else f'one value, not {len(words)}'}")
    for word in words:
        if not setting.holds([word] if setting.array else word):
            raise Fail("usage", f"{key}: {word[:200]!r} instead of {setting.expected}")
    return list(dict.fromkeys(words)) if setting.array else words[0]


def change(key: str, value: Value) -> bool:
    """Set SECTION.NAME (or with None remove it, known or not) in the user's config.toml. Returns whether anything changed.

    Raises Fail config-malformed if the file is not TOML or would not be valid, file-changed, file-unwritable, and as
    `config.read` does; then the file is as it was.
    """
    where = config.path()
    if value is not None:
        keychange.make_directory(os.path.dirname(where))
    with Alone(os.path.dirname(where)):
        held = config.data(where)
        before = {} if held is None else config.parsed(where, held)
        after = copy.deepcopy(before)
        if not _apply(after, key, value) or after == before:
            return False
        made = _edited(held or b"", key, value)
        if made is None or _said(config.parsed(where, made)) != _said(after):
            raise Fail(
                "internal", f"{key}: '{where}' is written in a way that is not changed safely; edit it yourself", File=where
            )
        for found in config.wrong(where, made):
            raise _refused(found)
        for found in config.check_named(where, after) if key == "crypto.liboqs" else []:
            if found["status"]:
                raise _refused(found)
        _write(where, made, held)
    return True


def _said(document: config.Document) -> config.Document:
    """Without empty sections, which say nothing: the last `output.color = …` takes its section along, one below [output] does not."""
    return {section: members for section, members in document.items() if members != {}}


def _apply(document: config.Document, key: str, value: Value) -> bool:
    """Make the change; False if what is to be removed is not there."""
    section, dot, name = key.partition(".")
    if value is not None:
        table = document.setdefault(section, {})
        if not isinstance(table, dict):
            return False
        table[name] = value
        return True
    table = document.get(section) if dot else document
    return isinstance(table, dict) and table.pop(name or section, None) is not None


def _edited(held: bytes, key: str, value: Value) -> bytes | None:
    """The text with the change, made by tomlkit; None if it trips."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    section, dot, name = key.partition(".")
    text = held.decode("utf-8")
    # What follows a last line without its end would continue it.
    text += "\n" if text and not text.endswith("\n") else ""
    try:
        document: Any = tomlkit.parse(text)
        if value is None:
            del (document[section] if dot else document)[name or section]
        elif section in document:
            document[section][name] = value
        else:
            table = tomlkit.table()
            table.add(name, value)
            if text and not text.endswith("\n\n"):
                document.add(tomlkit.nl())
            document.add(section, table)
        made: str = tomlkit.dumps(document)
        return made.encode()
    except (TOMLKitError, ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
        return None


def _write(where: str, made: bytes, held: bytes | None) -> None:
    # Whoever else wrote it meanwhile, an editor for one, is not undone.
    if config.data(where) != held:
        raise Fail("file-changed", f"'{where}' was changed meanwhile", File=where)
    try:
        # A new one by the umask, but never for others to write; one that is there keeps its mode, and a link its target.
        with NewFile(where, 0o644) as new:
            write_all(new.fd, made)
            new.commit(replace=held is not None, sync=True)
    except FileExistsError:
        raise Fail("file-changed", f"'{where}' was made meanwhile", File=where) from None
    except OSError as error:
        raise Fail("file-unwritable", f"'{where}': {error.strerror}", File=where) from None


def _refused(found: dict[str, Any]) -> Fail:
    fail = Fail(found["finding"], found.get("detail", ""))
    fail.finding = found
    return fail
