"""The tables of code points against Unicode 14.0, where the running Python has it. As a program it prints both tables."""

import sys
import textwrap
import unicodedata
from collections.abc import Callable

import pytest

BIDI = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))


def refused(code: int) -> bool:
    category = unicodedata.category(chr(code))
    return (
        (category == "Cc" and chr(code) not in "\t\n")
        or category in ("Cs", "Co", "Cn", "Zl", "Zp")
        or code == 0xFEFF
        or code in BIDI
    )


def formatting(code: int) -> bool:
    return unicodedata.category(chr(code)) == "Cf" and not refused(code)


def table(member: Callable[[int], bool]) -> str:
    """The ranges of the code points that are members, in the form of codepoints.REFUSED."""
    ranges: list[list[int]] = []
    for code in filter(member, range(0x110000)):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    words = (f"{first:04X}" if first == last else f"{first:04X}-{last:04X}" for first, last in ranges)
    return "\n" + textwrap.fill(" ".join(words), 124, break_on_hyphens=False) + "\n"


@pytest.mark.skipif(unicodedata.unidata_version != "14.0.0", reason="this Python's Unicode is not 14.0")
def test_tables_are_unicode_14() -> None:
    from cerrotorre import codepoints

    assert table(refused) == codepoints.REFUSED
    assert table(formatting) == codepoints.FORMAT


def test_lookup_agrees_with_the_table() -> None:
    from cerrotorre import codepoints

    listed: set[int] = set()
    for entry in codepoints.REFUSED.split():
        first, _, last = entry.partition("-")
        listed.update(range(int(first, 16), int(last or first, 16) + 1))
    assert {code for code in range(0x110000) if codepoints.is_refused(chr(code))} == listed
    # The sizes are those of the Unicode standard: 2048 surrogates, 137,468 private use, 65 controls less two.
    assert len(listed & {*range(0xD800, 0xE000)}) == 2048
    assert len(listed & {*range(0xE000, 0xF900), *range(0xF0000, 0xFFFFE), *range(0x100000, 0x10FFFE)}) == 137468
    assert len(listed & {*range(0x20), *range(0x7F, 0xA0)}) == 63
    assert set(range(0xFFFE, 0x110000, 0x10000)) < listed
    assert set(range(0xFDD0, 0xFDF0)) < listed


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("", None),
        ("plain", None),
        ("tab\tand\nline feed", None),
        ("é, 漢字, 👩‍👩‍👧", None),
        ("\r", 0),
        ("a\x00", 1),
        ("a\x7f", 1),
        ("é\x85", 1),
        ("é\u202ea\x00", 1),
        ("ab\ud800", 2),
        ("漢\ufeff", 1),
        ("x\U000e0080", 1),
        ("\u2028", 0),
        ("\ue000", 0),
        ("\u0378", 0),
    ],
)
def test_first_refused(text: str, index: int | None) -> None:
    from cerrotorre import codepoints

    assert codepoints.first_refused(text) == index


def test_normal_form_is_the_same_in_every_version() -> None:
    """What 14.0 assigns and is not NFC is not NFC later: the sum of such code points is fixed by the stability policy."""
    from cerrotorre import codepoints

    unstable = [
        code
        for code in range(0x110000)
        if not codepoints.is_refused(chr(code)) and not unicodedata.is_normalized("NFC", chr(code))
    ]
    assert (len(unstable), sum(unstable)) == (1120, 139119398)


if __name__ == "__main__":
    sys.stdout.write(f"REFUSED{table(refused)}FORMAT{table(formatting)}")
