"""Marks and colours, as the reader's terminal and locale can show them."""

import os

from cerrotorre import config
from cerrotorre.terminal import MARKS, utf8
from cerrotorre.typed import TextIO

_COLOURS = {"ok": "32", "x": "31", "~": "33", "+": "32", "-": "31", "bold": "1", "dim": "2"}


class Palette:
    """How marks and words look: UTF-8 or ASCII, with colour or without."""

    def __init__(self, utf8: bool, colour: bool) -> None:
        self._utf8, self._colour = utf8, colour

    def mark(self, name: str) -> str:
        """`ok`, `x`, `~`, `+`, `-` or `->`."""
        return self.paint(name, MARKS[name] if self._utf8 else name)

    def paint(self, style: str, text: str) -> str:
        code = _COLOURS.get(style)
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour and code else text


def of(to: TextIO) -> Palette:
    """Marks by the locale; colour by CT_COLOR (--color), NO_COLOR, the configuration, and whether this is a terminal."""
    wanted = os.environ.get("CT_COLOR") or ("never" if os.environ.get("NO_COLOR") else "")
    if not wanted:
        wanted = config.read().get("output", {}).get("color", "auto")
    return Palette(utf8(), wanted == "always" or (wanted == "auto" and to.isatty() and os.environ.get("TERM") != "dumb"))
