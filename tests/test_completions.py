"""completions/ are what tests/completions.py makes, and bash, zsh and fish offer the same by them."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import program
from console import Console
from docs import ROOT

import completions

MADE = ROOT / "completions"
SHELLS = ("bash", "zsh", "fish")


@pytest.mark.parametrize("name", completions.FILES_MADE)
def test_committed_is_generated(name: str) -> None:
    assert (MADE / name).read_text() == completions.FILES_MADE[name](), "python3 tests/completions.py --write"


COMMANDS = {row[0][3:] for row in completions.programs() if row[0].startswith("ct ")}
# What a file name may do to a shell that expands it: nothing.
HOSTILE = [
    "$(touch pwned).ctp",
    "`touch pwned`.ctp",
    "a 'quote\".ctp",
    "two\nlines.ctp",
    ";touch pwned.ctp",
    "*.ctp",
    "-rf.ctp",
]

# (line, what is offered): a `>` before a word says that others may be offered too.
OFFERED: list[tuple[str, set[str]]] = [
    ("ct ", {*COMMANDS, "help"}),
    ("ct ver", {"verify"}),
    ("ct --color=always ver", {"verify"}),
    ("ct --v", {"--version"}),
    ("ct help p", {"pack", "policy"} & COMMANDS | {name for name in COMMANDS if name.startswith("p")}),
    ("ct help verify ", set()),
    ("ct nonsense ", set()),
    ("ct verify --e", {"--expect"}),
    ("ct verify -", {"-v", "--all", "--json", "--policy", "--record", "--expect", "--at", "--help", "--color=", "--format="}),
    ("ct config set out", {"output.format", "output.color"}),
    ("ct explain --format=j", {"--format=json"}),
    ("ct verify --color=a", {"--color=auto", "--color=always"}),
    ("ct verify ", {"app.ctp", "a file.ctp", "layout", "zürich.ctp", *HOSTILE}),
    ("ct verify ap", {"app.ctp"}),
    ("ct verify layout/in", {"layout/inner.ctp"}),
    ("ct verify app.ctp z", {"zürich.ctp"}),
    ("ct verify note", {"notes.txt"}),
    ("ct verify absent", set()),
    ("ct verify --policy ", {"strict.json", "layout"}),
    ("ct verify --policy=st", {"--policy=strict.json"}),
    ("ct verify --at ", set()),
    ("ct verify -- --e", set()),
    ("ct explain signer-untr", {"signer-untrusted"}),
    ("ct explain ap", {"app.ctp"}),
    ("ct-explain --finding hash-m", {"hash-mismatch"}),
    ("ct sign zü", {"zürich.ctp"}),
    ("ct key ex", {"expires", "export"}),
    ("ct key --json sh", {"show"}),
    ("ct key show ", {"demo-2026", "upstream-2026", "third.party_1"}),
    ("ct key export d", {"demo-2026"}),
    ("ct key export demo-2026 --p", {"--public"}),
    ("ct key import own", {"own.pub"}),
    ("ct keygen --suite CT-SIG-01", {"CT-SIG-01"}),
    ("ct keygen --profile m", {"moderate"}),
    ("ct keygen --output l", {"layout"}),
    ("ct keygen ", set()),
    ("ct pack -k u", {"upstream-2026"}),
    ("ct pack oc", {"oci:", "oci-archive:"}),
    ("ct pack oci:la", {"oci:layout"}),
    ("ct pack -o app.ctp oci:layout/b", {"oci:layout/blobs"}),
    ("ct pack --platform linux/arm", {"linux/arm64", "linux/arm/v7", "linux/arm/v6"}),
    ("ct pack --platform=al", {"--platform=all"}),
    ("ct policy add-", {"add-signer", "add-registry"}),
    ("ct policy add-signer --required th", {"third.party_1"}),
    ("ct policy check st", {"strict.json"}),
    ("ct policy b", {"block-registry"}),
    ("ct policy t", {"test", "threshold"}),
    ("ct policy test ap", {"app.ctp"}),
    ("ct policy test --", {"--json", "--at", "--policy", "--help", "--color=", "--format="}),
    ("ct policy deny de", {"demo-2026"}),
    ("ct policy deny --a", {"--after"}),
    ("ct policy pin --signer de", {"demo-2026"}),
    ("ct policy remove b", {"blocked"}),
    ("ct policy remove signer de", {"demo-2026", "denied"}),
    ("ct-write --report p", {"packed"}),
    ("ct-oci2ctp --w", {"--workdir"}),
    ("ct-open ap", {"app.ctp"}),
    ("ct-policy-edit sh", {"show"}),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with files of every kind, and a store with keys, some of them named to do harm."""
    work = tmp_path_factory.mktemp("complete")
    for name in (
        "keys/demo-2026",
        "keys/$(touch pwned)",
        "trusted/third.party_1",
        "known/upstream-2026",
        "known/two\nlines",
        "known/-x",
    ):
        (work / "store" / name).parent.mkdir(parents=True, exist_ok=True)
        (work / "store" / f"{name}.pub").touch()
    here = work / "here"
    (here / "layout" / "blobs").mkdir(parents=True)
    for name in ["app.ctp", "a file.ctp", "zürich.ctp", "strict.json", "own.pub", "notes.txt", "layout/inner.ctp", *HOSTILE]:
        (here / name).touch()
    yield here
    assert not [path for path in work.rglob("*") if path.name == "pwned"]


def environment(place: Path, store: str = "store") -> dict[str, str]:
    path = f"{place}/nowhere:/usr/local/bin:/usr/bin:/bin"
    # No command of the project is in the PATH: a completion starts none.
    return {"PATH": path, "HOME": str(place), "CT_HOME": str(place.parent / store), "LC_ALL": "C.UTF-8", "TERM": "xterm"}


def broken(line: str, breaks: str = ":=") -> list[str]:
    """The words that readline makes of a line: each of COMP_WORDBREAKS' own is one, too."""
    words = re.findall(rf"[{breaks}]+|[^\s{breaks}]+", line) if breaks else line.split()
    return [*words, ""] if line.endswith(" ") else words


BASH = """
shopt -s $2 && . "$1" && shift 2
COMP_WORDBREAKS=$1 COMP_LINE=$2 COMP_POINT=${#2} && shift 2
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_ct "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
[ "${#COMPREPLY[@]}" = 0 ] || printf '%s\\0' "${COMPREPLY[@]}"
"""


def bash(place: Path, lines: list[str], store: str = "store", option: str = "extglob", breaks: str = ":=") -> list[set[str]]:
    found = []
    for line in lines:
        words = broken(line, breaks)
        arguments = [MADE / "ct.bash", option, f" \t\n{breaks}", line, *words]
        made = subprocess.run(
            ["bash", "--norc", "-uc", BASH, "x", *arguments], capture_output=True, env=environment(place, store), cwd=place
        )
        assert made.stderr == b"", line
        current = "" if line.endswith(" ") else line.split()[-1]
        start = re.match(rf"(.*[{breaks}])?" if breaks else "", current)
        assert start
        found.append({start[0] + reply for reply in made.stdout.decode().split("\0")[:-1]})
    return found


FISH = """
source $argv[1]
for line in $argv[2..]
	complete -C $line
	echo '== end =='
end
"""


def fish(place: Path, lines: list[str], store: str = "store") -> list[set[str]]:
    home = place.parent / "fish"
    made = subprocess.run(
        ["fish", "--no-config", "-c", FISH, MADE / "ct.fish", *lines],
        capture_output=True,
        text=True,
        env=environment(place, store) | {"HOME": str(home)},
        cwd=place,
    )
    assert made.stderr == ""
    blocks = made.stdout.split("== end ==\n")[:-1]
    return [{row.partition("\t")[0] for row in block.splitlines()} for block in blocks]


# A widget that completes as TAB does and writes down what would be added.
ZSH = """
PS1='ready> ' fpath=("$PWD/../functions" $fpath)
autoload -Uz compinit && compinit -D -u
zstyle ':completion:*' matcher-list ''
compadd() {
	local -a hits hpre rest
	if (( ${argv[(I)-[OAD]*]} )); then builtin compadd "$@"; return; fi
	rest=("$@")
	zparseopts -E -a rest p:=hpre W:=rest
	builtin compadd -A hits "$@"
	(( $#hits )) && print -rN -- "$IPREFIX$hpre[2]"${(Q)^hits} >>../hits
	builtin compadd "$@"
}
note() { _main_complete; compstate[insert]='' compstate[list]=''; : >../done; }
zle -C note complete-word note
bindkey '^T' note
zle-line-init() { : >../ready; }
zle -N zle-line-init
"""

# Says which words a line comes to.
SAYS = """
ct() { python3 -c 'import json, sys; print(json.dumps(sys.argv[1:]))' ct "$@" >>../lines; }
"""


def await_file(at: Console, path: Path) -> None:
    until = time.monotonic() + 20
    while not path.exists():
        at.read(0.01)
        assert time.monotonic() < until, at.seen[-2000:]
    path.unlink()


def interactive_zsh(place: Path, store: str = "store") -> Console:
    env = environment(place, store) | {"ZDOTDIR": str(place.parent)}
    at = Console("zsh", "-d", "-i", env=env, cwd=place, columns=200)
    await_file(at, place.parent / "ready")
    return at


def zsh(place: Path, lines: list[str], store: str = "store") -> list[set[str]]:
    above = place.parent
    (above / "functions").mkdir(exist_ok=True)
    shutil.copy(MADE / "_ct", above / "functions")
    (above / ".zshrc").write_text(ZSH)
    found = []
    with interactive_zsh(place, store) as at:
        for line in lines:
            (above / "hits").write_bytes(b"")
            at.type(line + "\x14")
            await_file(at, above / "done")
            found.append(set((above / "hits").read_bytes().decode().split("\0")[:-1]))
            at.type("\x15")
        at.type("exit\n")
        at.wait()
        assert not re.search("no matches found|command not found|parse error|bad ", at.text())
    return found


SHELL = {"bash": bash, "zsh": zsh, "fish": fish}


def plain(offered: set[str]) -> set[str]:
    return {word.rstrip("/ ") for word in offered}


@pytest.mark.parametrize("shell", SHELLS)
def test_offers(shell: str, place: Path) -> None:
    program(shell)
    wrong = []
    for (line, wanted), offered in zip(OFFERED, SHELL[shell](place, [line for line, _ in OFFERED]), strict=True):
        # A name of two lines is one that fish cannot be told of.
        known = wanted - {name for name in HOSTILE if "\n" in name} if shell == "fish" else wanted
        if plain(offered) != known:
            wrong.append(f"{line!r} offers {sorted(plain(offered))}, not {sorted(known)}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("shell", SHELLS)
def test_without_a_store(shell: str, place: Path) -> None:
    program(shell)
    assert (
        SHELL[shell](place, ["ct key show ", "ct pack -k x", "ct ver"], "absent") == [set(), set(), {"verify"}]
        or shell == "fish"
    )
    assert [plain(found) for found in SHELL[shell](place, ["ct key show ", "ct ver"], "absent")] == [set(), {"verify"}]


@pytest.mark.parametrize("option", ["failglob", "nullglob", "nocasematch"])
def test_bash_however_it_is_set(option: str, place: Path) -> None:
    lines = ["ct verify ap", "ct verify absent", "ct key export d"]
    assert bash(place, lines, option=option) == [{"app.ctp"}, set(), {"demo-2026"}]


def test_bash_with_other_word_breaks(place: Path) -> None:
    assert bash(place, ["ct pack oci:la", "ct verify --policy=st"], breaks="") == [{"oci:layout"}, {"--policy=strict.json"}]


TYPED = [
    ("ct ver\tap\t", "ct verify app.ctp "),
    ("ct pack oci:la\tbl\t", "ct pack oci:layout/blobs"),
    ("ct verify --policy=st\t", "ct verify --policy=strict.json "),
    ("ct verify a\\ f\t", "ct verify a\\ file.ctp "),
]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_typed_at_a_prompt(shell: str, place: Path) -> None:
    """What TAB makes of a line, as the shell then reads it: printed by a `ct` that is a function."""
    program(shell)
    above = place.parent
    if shell == "bash":
        (above / "bashrc").write_text(f". {MADE}/ct.bash\nPS1='ready> '\n{SAYS}")
        at = Console("bash", "--noprofile", "--rcfile", "../bashrc", "-i", env=environment(place), cwd=place, columns=200)
        at.expect("ready> ")
    else:
        zsh(place, [])
        (above / ".zshrc").write_text(f"{ZSH}\nunfunction compadd\n{SAYS}")
        at = interactive_zsh(place)
    with at:
        for typed, _ in TYPED:
            for part in re.findall(r"[^\t]+\t?", typed):
                at.type(part)
                at.settle(0.3)
            at.type("\n")
        at.type("exit\n")
        at.wait()
    said = [[word.rstrip("/") for word in json.loads(line)] for line in (above / "lines").read_text().splitlines()]
    (above / "lines").unlink()
    assert said == [[word.replace("\0", " ") for word in line.replace("\\ ", "\0").split()] for _, line in TYPED]


def test_no_completion_is_slow(place: Path) -> None:
    """A store with many keys, and a directory with many bundles."""
    many = place.parent / "many"
    (many / "here").mkdir(parents=True)
    (many / "store" / "known").mkdir(parents=True)
    for number in range(1000):
        (many / "store" / "known" / f"key-{number}.pub").touch()
        (many / "here" / f"bundle-{number}.ctp").touch()
    for shell in SHELLS:
        begun = time.monotonic()
        keys, bundles = SHELL[shell](many / "here", ["ct key show k", "ct verify b"])
        assert (len(keys), len(bundles)) == (1000, 1000)
        assert time.monotonic() - begun < 10, shell


def test_every_option_of_every_program() -> None:
    for name, _, below, top in completions.programs():
        # They have operands alone.
        assert below or top or name in ("ct login", "ct-verify-minimal"), name
    assert ("--platform", "OS/ARCH|all") in {row[0]: row[3] for row in completions.programs()}["ct pack"]
    assert completions.options("usage: x [--a|--b V] [-o FILE] [--color=auto|never] [--v [-v]] W") == [
        ("--a", ""),
        ("--b", "V"),
        ("-o", "FILE"),
        ("--color", "auto|never"),
        ("--v", ""),
        ("-v", ""),
    ]
    # What a command that is added later is offered, from its usage text alone.
    assert completions.operand_kinds("ct verify", "", "[--sbom FILE] [-k KEY] [--v|--w X] FILE...|-") == ["bundle"]
    assert completions.operand_kinds("ct pack", "", "[--sbom FILE] -o FILE oci:DIR[:TAG]|REFERENCE") == ["image"]
    assert completions.value_kind("ct pack", ("--sbom", "FILE")) == "file"
    assert os.access(MADE / "ct.bash", os.R_OK)
