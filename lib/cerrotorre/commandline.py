"""Options and operands of a command line, by the POSIX guidelines with long names beside them."""

import getopt
from collections.abc import Callable

from cerrotorre import times
from cerrotorre.errors import Fail
from cerrotorre.text import closest, meant
from cerrotorre.typed import Any

# {"k": value, "json": ""} under the names given, without dashes.
Options = dict[str, str]
# What does it, given its options and operands; its options, as in "id= o= v json source=*", of which the last may be given several
# times (`several`); the least and the most operands.
Subcommand = tuple[Callable[..., Any], str, int, int]

# Whether --json is to be taken as given where a tool knows it, the configuration being asked too or not; `stream.run` says how.
json_wanted: Callable[[bool], bool] | None = None


def parse(
    argv: list[str], short: str, long: list[str], *, operands: int | None = None, configured: bool = True
) -> tuple[Options, list[str]]:
    """Options and operands by POSIX guidelines, long names beside them. Raises Fail usage.

    An option given twice keeps the last. `operands` is the most that may follow. A tool that knows --json is given it too where
    the output format that was chosen is JSON; unless `configured`, the configuration is not asked for that.
    """
    found, rest = _parse(argv, short, long, operands)
    return _formatted(found, long, configured), rest


def _formatted(found: Options, long: list[str], configured: bool) -> Options:
    if "json" in long and "json" not in found and json_wanted is not None and json_wanted(configured):
        return found | {"json": ""}
    return found


def _parse(argv: list[str], short: str, long: list[str], operands: int | None = None) -> tuple[Options, list[str]]:
    # getopt would also take a long option's beginning, which the next version's options could make ambiguous.
    before_end = argv[: argv.index("--")] if "--" in argv else argv
    for argument in before_end:
        name = argument.partition("=")[0]
        if name.startswith("--") and name[2:] not in [known.rstrip("=*") for known in long]:
            raise Fail("usage", f"unknown option {name}")
    try:
        found, rest = getopt.getopt(argv, short, [known.rstrip("*") for known in long])
    except getopt.GetoptError as error:
        raise Fail("usage", str(error)) from None
    if operands is not None and len(rest) > operands:
        raise Fail("usage", f"unexpected operand {rest[operands]!r}")
    made: Options = {}
    for name, value in found:
        _add(made, name.lstrip("-"), value, long)
    return made, rest


def _add(found: Options, name: str, value: str, long: list[str]) -> None:
    # No argument of a command line can hold a NUL.
    found[name] = f"{found[name]}\0{value}" if name in found and f"{name}=*" in long else value


def several(options: Options, name: str) -> list[str]:
    """The values of an option that may be given several times, in order."""
    return options[name].split("\0") if name in options else []


def subcommand(
    argv: list[str], commands: dict[str, Subcommand], *, configured: bool = True
) -> tuple[Callable[..., Any], Options, list[str]]:
    """What does the subcommand that is named, with its options and operands. Raises Fail usage.

    Options may stand anywhere, as people type them; after `--` there are operands only. Unless `configured`, the configuration
    is not asked for the output format: for what must work where it is malformed.
    """
    # Whether an option takes a value must be known before the subcommand is: an option means the same in all of them.
    known = sorted({option for _, options, _, _ in commands.values() for option in options.split()})
    found, words = _mixed(argv, known)
    if not words:
        raise Fail("usage", "a subcommand is missing")
    name, operands = words[0], words[1:]
    if name not in commands:
        raise Fail("usage", f"no subcommand {name[:40]!r}{meant(closest(name, commands))}")
    work, options, least, most = commands[name]
    own = options.split()
    if stray := found.keys() - {option.rstrip("=*") for option in own}:
        raise Fail("usage", f"{name} takes no {'-' if len(min(stray)) == 1 else '--'}{min(stray)}")
    if len(operands) < least:
        raise Fail("usage", f"{name}: an operand is missing")
    if len(operands) > most:
        raise Fail("usage", f"{name}: unexpected operand {operands[most][:40]!r}")
    return work, _formatted(found, own, configured), operands


def _mixed(argv: list[str], known: list[str]) -> tuple[Options, list[str]]:
    short = "".join(option.replace("=", ":") for option in known if len(option.rstrip("=")) == 1)
    long = [option for option in known if len(option.rstrip("=")) > 1]
    end = argv.index("--") if "--" in argv else len(argv)
    found: Options = {}
    operands: list[str] = []
    rest = argv[:end]
    while rest:
        more, rest = _parse(rest, short, long)
        for name, value in more.items():
            _add(found, name, value, long)
        operands += rest[:1]
        rest = rest[1:]
    return found, operands + argv[end + 1 :]


def synopsis(usage: str, arguments: list[str]) -> str:
    """The synopsis of a usage text; of a tool with subcommands only the form of the one that was named."""
    forms = _forms(usage)
    named = next((word for word in arguments if is_form(usage, word)), None)
    if named is not None:
        forms = [form for form in forms if form[0].split()[1:2] == [named]]
    text = "\n".join(line for form in forms for line in form)
    return f"usage: {text.lstrip()}\n"


def _forms(usage: str) -> list[list[str]]:
    forms: list[list[str]] = []
    for line in usage.partition("\n\n")[0].removeprefix("usage:").splitlines():
        words = line.split()
        # A continued form is indented further than `usage: `.
        if words and (not forms or len(line) - len(line.lstrip()) <= len("usage: ")):
            forms.append([])
        forms[-1].append(line)
    return forms


def is_form(usage: str, word: str) -> bool:
    """Whether it is a subcommand that a usage text shows."""
    return word[:1].isalpha() and [word] in [form[0].split()[1:2] for form in _forms(usage)]


def help_for(usage: str, word: str) -> str:
    """A usage text's part about one subcommand: its form, and what is said of it and of the options that it takes."""
    head, _, rest = usage.rstrip().partition("\n\n")
    form = synopsis(head, [word])
    taken = {word} | {part.strip("[].") for part in form.replace("|", " ").split() if part.startswith(("-", "[-"))}
    lines = [line for line in rest.splitlines() if line.startswith("  ")]
    told = [line for line in lines if {part.strip(",") for part in line.split("  ")[1].split()} & taken]
    return form + "".join(["\n", *(f"{line}\n" for line in told)][: 2 * len(told)])


def number(text: str, option: str) -> int:
    """A descriptor's number. Raises Fail usage."""
    if not (text.isdecimal() and text.isascii() and len(text) < 5):
        raise Fail("usage", f"{option}: {text!r} is not a descriptor")
    return int(text)


def instant(text: str, option: str) -> str:
    """A time, or the start of a day, as YYYY-MM-DDTHH:MM:SSZ. Raises Fail usage."""
    try:
        return times.spell(times.epoch(text))
    except ValueError as error:
        raise Fail("usage", f"{option}: {error}") from None
