"""completions.py [--write]: completions/ for bash, zsh and fish, made from lib/commands.txt and the usage texts.

Without --write it lists the files that differ from what is committed, and exits 1 if there are any.
"""

import re
import sys

import docs

sys.dont_write_bytecode = True
sys.path.append(str(docs.ROOT / "lib"))
from cerrotorre.settings import SETTINGS  # noqa: E402

# A value that is a choice: `auto|always|never`; one that is a file; one that is a key of the store.
KEYS = {"-k", "key:show", "key:trust", "key:export", "key:delete", "key:default", "policy:add-signer"}
FILES = {"FILE", "OUT", "DIR", "BUNDLE"}
# Subcommands whose operands are words: the settings.
WORDS = {"config:set": list(SETTINGS), "config:unset": list(SETTINGS)}
HEAD = "made from lib/commands.txt and the usage texts by tests/completions.py --write; do not edit"

# (option, its value as the usage text spells it or "")
Option = tuple[str, str]


def options(usage: str) -> list[Option]:
    """The options of a synopsis, each once, in order."""
    found = re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)(?:[ =]([^\s\[\]|-][^\s\]]*))?", usage)
    made: dict[str, str] = {}
    for name, value in found:
        made.setdefault(name, value)
    return list(made.items())


def subcommands(program: str) -> dict[str, list[Option]]:
    """{subcommand: its options} of a program that has some."""
    if program == "ct policy":
        return subcommands("ct-policy-edit")
    if program in ("ct key", "ct config"):
        return subcommands(program.replace(" ", "-"))
    made: dict[str, list[Option]] = {}
    for form in docs.forms(docs.usage(program))[program]:
        word = form.removeprefix(program).split()[0]
        if re.fullmatch(r"[a-z-]*[a-z]", word) and not word.startswith("-"):
            made[word] = options(form)
    return made


def programs() -> list[tuple[str, str, dict[str, list[Option]], list[Option]]]:
    """(program, summary, subcommands, options) of each command and tool."""
    made = []
    for name, kind, summary in docs.commands():
        program = docs.program(name, kind)
        usage = docs.usage(program if program.startswith("ct-") or name in docs.recipes() else f"ct-{name}")
        below = subcommands(program) if name in ("key", "policy", "policy-edit", "config") else {}
        made.append((program, summary, below, [] if below else options(usage)))
    return made


def choices(value: str) -> list[str]:
    return value.split("|") if re.fullmatch(r"[a-z]+(\|[a-z]+)+", value) else []


def is_file(value: str) -> bool:
    return value in FILES


def bash() -> str:
    lines = [f"# bash completion for ct: {HEAD}", ""]
    lines += ["_ct_keys() {", *KEY_LIST, "}", ""]
    lines += ["_ct() {", "\tlocal word=$2 before=$3 words='' path=${COMP_WORDS[0]##*/} at=1"]
    lines += ['\tif [ "$path" = ct ]; then', "\t\tpath='ct '${COMP_WORDS[1]-} at=2", "\tfi"]
    names = [program[3:] for program, *_ in programs() if program.startswith("ct ")]
    lines += ['\tif [ "$COMP_CWORD" -lt "$at" ]; then']
    lines += [f"\t\twords='{' '.join(names)} help --help --version'"]
    lines += ['\t\tmapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")', "\t\treturn", "\tfi"]
    lines += ["\tcase $path:$before in"]
    keys = sorted(key for key in KEYS if key.startswith("-"))
    lines += [f'\t*:{key}) mapfile -t COMPREPLY < <(compgen -W "$(_ct_keys)" -- "$word") && return ;;' for key in keys]
    for option, value in sorted({pair for _, _, below, top in programs() for its in [top, *below.values()] for pair in its}):
        if choices(value):
            words = " ".join(choices(value))
            lines += [f"\t*:{option}) mapfile -t COMPREPLY < <(compgen -W '{words}' -- \"$word\") && return ;;"]
    lines += ["\tesac", "\tcase $path:${COMP_WORDS[at]-} in"]
    for program, _, below, top in programs():
        for word, its in below.items():
            keyed = "$(_ct_keys) " if f"{program[3:]}:{word}" in KEYS else ""
            keyed += "".join(f"{one} " for one in WORDS.get(f"{program[3:]}:{word}", []))
            lines += [f'\t"{program}:{word}") words="{keyed}{names_of(its)}" ;;']
        if below:
            lines += [f'\t"{program}:"*) words="{" ".join(below)}" ;;']
        else:
            lines += [f'\t"{program}:"*) words="{names_of(top)}" ;;']
    lines += ['\t"ct help:"*) words="' + " ".join(names) + '" ;;', "\tesac"]
    lines += ['\tmapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")']
    lines += ['\tcase $word in -*) ;; *) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$word") ;; esac', "}"]
    tools = " ".join(program for program, *_ in programs() if program.startswith("ct-"))
    lines += ["", f"complete -o filenames -F _ct ct {tools}"]
    return "\n".join(lines) + "\n"


def names_of(found: list[Option]) -> str:
    return " ".join([*(name for name, _ in found), "--help"])


KEY_LIST = [
    "\tlocal file home=${CT_HOME:-${XDG_CONFIG_HOME:-$HOME/.config}/cerro}",
    '\tfor file in "$home"/keys/*.pub "$home"/trusted/*.pub "$home"/known/*.pub; do',
    "\t\tfile=${file##*/}",
    '\t\t[ "$file" = "*.pub" ] || printf \'%s\\n\' "${file%.pub}"',
    "\tdone",
]


def zsh() -> str:
    tools = " ".join(program for program, *_ in programs() if program.startswith("ct-"))
    lines = [f"#compdef ct {tools}", f"# {HEAD}", ""]
    lines += ["_ct_keys() {", "\tsetopt localoptions nullglob"]
    lines += ["\tlocal home=${CT_HOME:-${XDG_CONFIG_HOME:-$HOME/.config}/cerro}", "\tlocal -a ids"]
    lines += ["\tids=($home/{keys,trusted,known}/*.pub(:t:r))", "\t_describe -t keys key ids", "}", ""]
    lines += ["_ct_commands() {", "\tlocal -a names", "\tnames=("]
    lines += [f"\t\t'{program[3:]}:{quoted(summary)}'" for program, summary, *_ in programs() if program.startswith("ct ")]
    lines += ["\t\t'help:say how a command is used'", "\t)", "\t_describe -t commands command names", "}", ""]
    lines += ["_ct() {", "\tlocal program=$service"]
    lines += [
        "\tif [[ $service == ct ]]; then",
        "\t\tif (( CURRENT == 2 )); then",
        "\t\t\t_ct_commands",
        "\t\t\treturn",
        "\t\tfi",
    ]
    lines += ['\t\tprogram="ct $words[2]"', "\t\tshift words", "\t\t(( CURRENT-- ))", "\tfi", "\tcase $program in"]
    for program, _, below, top in programs():
        lines.append(f"\t'{program}')")
        if below:
            lines += ["\t\tif (( CURRENT == 2 )); then", f"\t\t\tcompadd {' '.join(below)}", "\t\t\treturn", "\t\tfi"]
            lines += ["\t\tshift words", "\t\t(( CURRENT-- ))", "\t\tcase $words[1] in"]
            for word, its in below.items():
                rest = "'*:key:_ct_keys'" if f"{program[3:]}:{word}" in KEYS else "'*:file:_files'"
                if words := WORDS.get(f"{program[3:]}:{word}"):
                    rest = f"'1:setting:({' '.join(words)})'"
                lines.append(f"\t\t{word}) _arguments -s {' '.join([*map(argument, its), rest])} ;;")
            lines += ["\t\tesac", "\t\t;;"]
        else:
            lines += [f"\t\t_arguments -s {' '.join([*map(argument, top), FILE_REST])}", "\t\t;;"]
    lines += ["\t'ct help') _ct_commands ;;", "\tesac", "}", "", '_ct "$@"']
    return "\n".join(lines) + "\n"


FILE_REST = "'*:file:_files'"


def argument(option: Option) -> str:
    name, value = option
    if not value:
        return f"'{name}'"
    label = re.sub(r"[^A-Za-z0-9 ]+", " ", value).strip().lower()
    action = (
        "_ct_keys"
        if name in KEYS
        else f"({' '.join(choices(value))})"
        if choices(value)
        else "_files"
        if is_file(value)
        else " "
    )
    joined = f"{name}=" if name.startswith("--") else f"{name}+"
    return f"'{joined}:{label}:{action}'"


def quoted(text: str) -> str:
    return text.replace("'", "'\\''").replace(":", "\\:")


def fish() -> str:
    lines = [f"# fish completion for ct: {HEAD}", ""]
    lines += ["function __ct_keys"]
    lines += [
        '\tset -l home (test -n "$CT_HOME"; and echo $CT_HOME; or echo (test -n "$XDG_CONFIG_HOME"; and echo $XDG_CONFIG_HOME; or echo $HOME/.config)/cerro)'
    ]
    lines += ["\tfor file in $home/{keys,trusted,known}/*.pub", "\t\tbasename $file .pub", "\tend", "end", ""]
    lines += ["complete -c ct -n __fish_use_subcommand -f -a help -d 'say how a command is used'"]
    for program, summary, below, top in programs():
        if program.startswith("ct "):
            name = program[3:]
            lines.append(f"complete -c ct -n __fish_use_subcommand -f -a {name} -d {fish_quoted(summary)}")
            start, seen = "complete -c ct", f"__fish_seen_subcommand_from {name}"
        else:
            name, start, seen = program[3:], f"complete -c {program}", ""
        if below:
            words = " ".join(below)
            unseen = f"not __fish_seen_subcommand_from {words}"
            lines.append(f"{start} -n '{'; and '.join(filter(None, [seen, unseen]))}' -f -a '{words}'")
        for word, its in below.items() or {"": top}.items():
            when = "; and ".join(filter(None, [seen, f"__fish_seen_subcommand_from {word}" if word else ""]))
            given = f"{start} -n '{when}'" if when else start
            lines += [f"{given} {fish_option(option)}" for option in its]
            if f"{name}:{word}" in KEYS:
                lines.append(f"{given} -f -a '(__ct_keys)'")
            if words := WORDS.get(f"{name}:{word}"):
                lines.append(f"{given} -f -a '{' '.join(words)}'")
    return "\n".join(lines) + "\n"


def fish_option(option: Option) -> str:
    name, value = option
    made = f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
    if not value:
        return made
    if name in KEYS:
        return f"{made} -x -a '(__ct_keys)'"
    if choices(value):
        return f"{made} -x -a '{' '.join(choices(value))}'"
    return f"{made} {'-r' if is_file(value) else '-x'}"


def fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


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
