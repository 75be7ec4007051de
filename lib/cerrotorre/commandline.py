"""Options and operands of a command line, by the POSIX guidelines with long names beside them."""

import getopt

from cerrotorre.errors import Fail

# {"k": value, "json": ""} under the names given, without dashes.
Options = dict[str, str]


def parse(argv: list[str], short: str, long: list[str], *, operands: int | None = None) -> tuple[Options, list[str]]:
    """Options and operands by POSIX guidelines, long names beside them. Raises Fail usage.

    An option given twice keeps the last. `operands` is the most that may follow.
    """
    # getopt would also take a long option's beginning, which the next version's options could make ambiguous.
    before_end = argv[: argv.index("--")] if "--" in argv else argv
    for argument in before_end:
        name = argument.partition("=")[0]
        if name.startswith("--") and name[2:] not in [known.rstrip("=") for known in long]:
            raise Fail("usage", f"unknown option {name}")
    try:
        found, rest = getopt.getopt(argv, short, long)
    except getopt.GetoptError as error:
        raise Fail("usage", str(error)) from None
    if operands is not None and len(rest) > operands:
        raise Fail("usage", f"unexpected operand {rest[operands]!r}")
    return {name.lstrip("-"): value for name, value in found}, rest


def parse_mixed(argv: list[str], short: str, long: list[str]) -> tuple[Options, list[str]]:
    """As `parse`, with options after operands too, as people type them; after `--` there are operands only."""
    end = argv.index("--") if "--" in argv else len(argv)
    found: Options = {}
    operands: list[str] = []
    rest = argv[:end]
    while rest:
        more, rest = parse(rest, short, long)
        found |= more
        operands += rest[:1]
        rest = rest[1:]
    return found, operands + argv[end + 1 :]


def number(text: str, option: str) -> int:
    """A descriptor's number. Raises Fail usage."""
    if not (text.isdecimal() and text.isascii() and len(text) < 5):
        raise Fail("usage", f"{option}: {text!r} is not a descriptor")
    return int(text)
