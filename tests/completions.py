"""completions.py [--write]: completions/ for bash, zsh and fish, made from lib/commands.txt, the usage texts and complete.*.

Without --write it lists the files that differ from what is committed, and exits 1 if there are any.

How a shell asks, and what it offers for each kind of value, is in complete.bash, complete.zsh and complete.fish. What may follow
what is derived here, and put into them as tables.
"""

import functools
import re
import sys
from pathlib import Path

import docs

sys.path.insert(0, str(docs.ROOT / "lib"))

HERE = Path(__file__).resolve().parent
HEAD = "made by tests/completions.py --write from lib/commands.txt, the usage texts and tests/complete.*; do not edit"

# What `ct` takes wherever it stands.
GLOBAL = {"--color": "auto|always|never", "--format": "text|json"}

# (option, its value as the usage text spells it or "")
Option = tuple[str, str]
# A program, or a program and its subcommand: its options, and the kinds of its operands.
State = tuple[list[Option], list[str]]


def options(usage: str) -> list[Option]:
    """The options of a synopsis, each once, in order."""
    found = re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)(?:[ =]([^\s\[\]|-][^\s\]]*))?", usage)
    made: dict[str, str] = {}
    for name, value in found:
        made.setdefault(name, value)
    return list(made.items())


@functools.cache
def tool_of(program: str) -> str:
    """The tool that a recipe is only another name of, else the program itself."""
    path = docs.ROOT / "lib" / "commands" / program.removeprefix("ct ")
    if program.startswith("ct-"):
        return program
    if not path.is_file():
        return program.replace(" ", "-")
    found = re.search(r'^\s*alone "\$bin/(ct-[a-z-]+)" "\$@"$', path.read_text(), re.M)
    return found[1] if found else program


@functools.cache
def subcommands(program: str) -> dict[str, str]:
    """{subcommand: its synopsis} of a program that has some: every form of it begins with another word."""
    tool = tool_of(program)
    made: dict[str, str] = {}
    for form in docs.forms(docs.usage(tool)).get(tool, []):
        rest = form.removeprefix(tool).split()
        if not rest or not re.fullmatch(r"[a-z][a-z-]*[a-z]", rest[0]):
            return {}
        made[rest[0]] = form.removeprefix(tool).strip().removeprefix(rest[0])
    if tool != program.replace(" ", "-") and made:
        # A recipe that is another name of a tool may have a subcommand of its own.
        for form in docs.forms(docs.usage(program)).get(program, []):
            word, _, rest_of_it = form.removeprefix(program).strip().partition(" ")
            if re.fullmatch(r"[a-z][a-z-]*[a-z]", word):
                made.setdefault(word, f" {rest_of_it}")
    return made


def synopsis(program: str) -> str:
    """All forms of a program, without its name."""
    tool = tool_of(program)
    return " ".join(form.removeprefix(tool) for form in docs.forms(docs.usage(tool)).get(tool, []))


def programs() -> list[tuple[str, str, dict[str, list[Option]], list[Option]]]:
    """(program, summary, subcommands, options) of each command and tool."""
    made = []
    for name, kind, summary in docs.commands():
        program = docs.program(name, kind)
        below = {word: options(form) for word, form in subcommands(program).items()}
        made.append((program, summary, below, [] if below else options(synopsis(program))))
    return made


def choices(value: str) -> list[str]:
    return value.split("|") if re.fullmatch(r"[a-z-]+(\|[a-z-]+)+", value) else []


@functools.cache
def listed(option: str) -> list[str]:
    """The words that a usage text lists at the end of what it says of an option: `--profile NAME  …: a, b, c`."""
    for tool in docs.tools():
        if found := re.search(rf"^  (?:-\w, )?{option} .*: (\w+(?:, \w+)+)$", docs.options_text(tool), re.M):
            return found[1].split(", ")
    return []


@functools.cache
def sources() -> list[str]:
    """`oci:dir` and its like: the sources of images that lie in directories, in files or elsewhere."""
    text = docs.usage("ct pack") + docs.options_text("ct-oci2ctp")
    kinds = {"DIR": "dir", "FILE": "file", "PATH": "file", "ARCHIVE": "file"}
    found = {name: kinds.get(place, "none") for name, place in re.findall(r"(?<![\w:/-])([a-z][a-z-]+):([A-Z]+)", text)}
    return [f"{name}:{kind}" for name, kind in found.items()]


def suites() -> list[str]:
    """The suites that keys can be made of."""
    from cerrotorre.suites import SUITES

    return list(SUITES)


def settings() -> list[str]:
    from cerrotorre.settings import SETTINGS

    return list(SETTINGS)


def policy_rules() -> list[str]:
    from cerrotorre.policyremove import KINDS

    return list(KINDS)


def host_platforms() -> list[str]:
    from cerrotorre.platforms import host_platform

    machines = ("x86_64", "aarch64", "armv7l", "armv6l", "i386", "ppc64le", "s390x", "riscv64", "loongarch64")
    return [host_platform(machine) for machine in machines]


def findings() -> list[str]:
    from cerrotorre.errors import CATALOGUE

    return list(CATALOGUE)


def value_kind(program: str, option: Option) -> str:
    """The kind of an option's value; `words:a|b` is a choice, and `none` is for whoever types it to know."""
    name, value = option
    if choices(value):
        return "words:" + value
    if value.startswith("OS/ARCH"):
        return "words:" + "|".join([*host_platforms(), "all"])
    if value == "SUITE" or name == "--suite":
        return "words:" + "|".join(suites())
    if words := listed(name):
        return "words:" + "|".join(words)
    if name in ("-o", "--output") and program in ("ct pack", "ct sign", "ct fetch", "ct-write") and value != "DIR":
        return "bundle"
    kinds = {
        "KEY": "key",
        "FINDING": "finding",
        "DIR": "dir",
        "FILE": "policy" if "policy" in name else "file",
        "OUT": "file",
        "ARCHIVE": "file",
    }
    return kinds.get(value, "none")


BUNDLES = {kind for _, kind, _ in docs.commands() if kind not in ("keys", "trust", "plumbing")}


def operand_kinds(program: str, word: str, usage: str) -> list[str]:
    """The kinds of the operands of a synopsis, which are what is left of it without its options."""
    rest = re.sub(r"(?<![\w-])--?[a-z][a-z-]*(?:[ =](?![\[|-])[^\s\]]+)?", " ", usage)
    made = []
    for operand in re.findall(r"[a-z]+:[A-Z]+|(?<![\w:/-])[A-Z]+(?![\w/-])", rest):
        kind = {"FINDING": "finding", "ID": "key", "IMAGE": "image", "DIR": "dir", "BUNDLE": "bundle", "ARCHIVE": "file"}.get(
            operand, ""
        )
        if operand == "KIND" and word == "remove":
            kind = "words:" + "|".join(policy_rules())
        if operand == "WHAT" and word == "remove":
            kind = "key"
        if operand == "KEY" and program.endswith("config"):
            kind = "words:" + "|".join(settings())
        if ":" in operand:
            kind = "image"
        elif operand == "FILE":
            kind = {"key": "public", "policy": "policy", "policy-edit": "policy"}.get(
                re.split("[ -]", program, maxsplit=1)[1], "file"
            )
            classes = {docs.program(name, kind): kind for name, kind, _ in docs.commands()}
            if classes[program] in BUNDLES or program == "ct-open" or word == "test":
                kind = "bundle"
        if kind and kind not in made:
            made.append(kind)
    return made


def states() -> dict[str, State]:
    """{"ct verify": …, "ct key show": …, "ct-open": …}."""
    made: dict[str, State] = {"ct": ([("--help", ""), ("--version", "")], [])}
    for program, *_ in programs():
        below = subcommands(program)
        for word, form in (below or {"": synopsis(program)}).items():
            made[f"{program} {word}".strip()] = ([*options(form), ("--help", "")], operand_kinds(program, word, form))
        if below:
            made.setdefault(program, ([("--help", "")], []))
    for name, (found, _) in made.items():
        if name.split()[0] == "ct":
            found += GLOBAL.items()
    return made | {"ct help": ([], [])}


def beneath() -> dict[str, list[tuple[str, str]]]:
    """{state: (subcommand, summary) of those it has}."""
    names = [(program[3:], summary) for program, summary, *_ in programs() if program.startswith("ct ")]
    made = {"ct": [*names, ("help", "say how a command is used")], "ct help": names}
    for program, *_ in programs():
        if found := subcommands(program):
            made[program] = [(word, "") for word in found]
    return made


def spelled(option: Option) -> str:
    """The dispatcher's options take their values after `=` alone."""
    return option[0] + "=" if option[0] in GLOBAL else option[0]


def values() -> dict[str, str]:
    """{"ct verify:--policy": kind} of the options that take a value."""
    made = {}
    for state, (found, _) in states().items():
        program = " ".join(state.split()[: 2 if state.startswith("ct ") else 1])
        for option in found:
            if option[0] not in GLOBAL and option[1]:
                made[f"{state}:{option[0]}"] = value_kind(program, option)
    return made


def tools() -> str:
    return " ".join(["ct", *(program for program, *_ in programs() if program.startswith("ct-"))])


def filled(name: str, **tables: str) -> str:
    """A template with the tables put into it."""
    text = (HERE / name).read_text()
    common = {"HEAD": HEAD, "PROGRAMS": tools(), "FINDINGS": " ".join(findings()), "SOURCES": " ".join(sources())}
    for mark, table in (common | tables).items():
        text = text.replace(f"@{mark}@", table)
    return text


def by_kind(lead: str, end: str) -> str:
    """The case branches that say of each kind which options have it."""
    kinds = {f"words:{value}": [f"*:{name}"] for name, value in GLOBAL.items()}
    for key, kind in values().items():
        kinds.setdefault(kind, []).append(f"'{key}'")
    return "\n".join(f"{lead.format(' | '.join(keys))} kind='{kind}'{end}" for kind, keys in kinds.items())


def bash() -> str:
    lines = []
    for state, (found, kinds) in states().items():
        parts = [f"options='{' '.join(map(spelled, found))}'"] if found else []
        parts += [f"operands='{' '.join(kinds)}'"] if kinds else []
        parts += [f"below='{' '.join(word for word, _ in beneath()[state])}'"] if state in beneath() else []
        lines.append(f"\t'{state}') {' '.join(parts)} ;;")
    return filled("complete.bash", STATES="\n".join(lines), VALUES=by_kind("\t{})", " ;;"))


def quoted(text: str) -> str:
    return text.replace("'", "'\\''").replace(":", "\\:")


def zsh() -> str:
    lines = []
    for state, (found, kinds) in states().items():
        below = " ".join(f"'{word}:{quoted(summary)}'" if summary else word for word, summary in beneath().get(state, []))
        parts = [
            f"options=({' '.join(map(spelled, found))})",
            f"operands=({' '.join(map(fish_quoted, kinds))})",
            f"below=({below})",
        ]
        lines.append(f"\t'{state}') {' '.join(part for part in parts if '=()' not in part)} ;;")
    return filled("complete.zsh", STATES="\n".join(lines), VALUES=by_kind("\t{})", " ;;"))


def fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def fish() -> str:
    tables: dict[str, list[str]] = {"BELOW": [], "OPTIONS": [], "OPERANDS": [], "VALUES": []}
    for state, (found, kinds) in states().items():
        below = [f"{word}\t{summary}" if summary else word for word, summary in beneath().get(state, [])]
        for table, words in (("BELOW", below), ("OPTIONS", [*map(spelled, found)]), ("OPERANDS", kinds)):
            if words:
                said = " ".join(map(fish_quoted, words))
                tables[table].append(f"\t\tcase '{state}'\n\t\t\tprintf '%s\\n' {said}")
    for key, kind in values().items():
        tables["VALUES"].append(f"\t\tcase '{key}'\n\t\t\techo '{kind}'")
    tables["VALUES"] += [f"\t\tcase '*:{name}'\n\t\t\techo 'words:{value}'" for name, value in GLOBAL.items()]
    return filled("complete.fish", **{name: "\n".join(lines) for name, lines in tables.items()})


FILES_MADE = {"ct.bash": bash, "_ct": zsh, "ct.fish": fish}


def main(arguments: list[str]) -> int:
    different = []
    for name, make in FILES_MADE.items():
        path = docs.ROOT / "completions" / name
        if arguments == ["--write"]:
            path.write_text(make())
        elif not path.is_file() or path.read_text() != make():
            different.append(str(path.relative_to(docs.ROOT)))
    print("\n".join(different), end="\n" if different else "")
    return bool(different)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
