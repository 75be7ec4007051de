"""What of `ct doctor` is about this installation: is it whole, can others change it, how does it start, and is it found."""

import os
import stat
import sys
from collections.abc import Iterator

from cerrotorre import VERSION, doctorprograms, owned
from cerrotorre.diagnosis import Diagnosis
from cerrotorre.doctorsetup import Setup, command, counted
from cerrotorre.errors import Fail

AGAIN = "man ct-install"
OLDEST = (3, 11)
# (completion file below share/, directories below a data directory that the shell looks in, what loads the file by hand)
SHELLS = {
    "bash": ("bash-completion/completions/ct", ("bash-completion/completions",), "."),
    "zsh": ("zsh/site-functions/_ct", ("zsh/site-functions", "zsh/vendor-completions"), ""),
    "fish": ("fish/vendor_completions.d/ct.fish", ("fish/vendor_completions.d",), "source"),
}


# In sh alone: no Python, and no module.
SHELL = ("ct-verify-minimal",)


def files(setup: Setup, say: Diagnosis) -> str:
    """Each row of commands.txt has what it names, and of what was installed nothing is gone."""
    with open(os.path.join(setup.library, "commands.txt"), encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    missing = [] if os.access(os.path.join(setup.bin, "ct"), os.X_OK) else [os.path.join(setup.bin, "ct")]
    for name, kind, *_ in rows:
        tool = os.path.join(setup.bin, f"ct-{name}")
        module = os.path.join(setup.library, "cerrotorre", "tools", f"ct_{name.replace('-', '_')}.py")
        if kind != "plumbing" and os.path.isfile(os.path.join(setup.library, "commands", name)):
            continue
        needed = (tool,) if os.path.basename(tool) in SHELL else (tool, module)
        missing += [path for path in needed if not os.path.isfile(path)]
        if os.path.isfile(tool) and not os.access(tool, os.X_OK):
            say.fail(f"'{tool}' is not executable", command("chmod +x", tool))
    missing += [path for path in _installed(setup) if path not in missing and not os.path.lexists(path)]
    for path in missing:
        say.fail(f"'{path}' is missing: install this ct again", AGAIN)
    return f"ct {VERSION}, {counted(len(rows), 'command')}" + ("" if missing else ", nothing missing")


def _installed(setup: Setup) -> Iterator[str]:
    """What `make install` listed."""
    try:
        with open(os.path.join(setup.library, "installed"), encoding="utf-8") as file:
            yield from (os.path.join(setup.prefix, line.rstrip("\n")) for line in file)
    except (FileNotFoundError, UnicodeDecodeError):
        return


def owner(setup: Setup, say: Diagnosis) -> str:
    """Whoever can change the verifier decides what is valid: programs, library, what Python imports from, and the way to each."""
    # In a user namespace that has no root, as of unshare(1) -r, the host's files are whose `/` is.
    trusted = {0, os.geteuid(), os.lstat("/").st_uid}
    python = os.path.realpath(sys.executable)
    for place in dict.fromkeys([setup.bin, setup.library, os.path.dirname(python), *filter(os.path.isdir, sys.path)]):
        for directory, around, entry, found in owned.steps(place):
            # In a sticky directory only who owns a name can give it to something else.
            _judge(say, directory, around, trusted, around.st_mode & stat.S_ISVTX)
            _judge(say, entry, found, trusted, found.st_mode & stat.S_ISVTX)
        _judge(say, place, os.stat(place), trusted)
    paths = [python, *_tree(setup)]
    for path in paths:
        _judge(say, path, os.lstat(path), trusted)
    return f"{counted(len(paths), 'file')} in {setup.prefix}" + (
        ", which nobody else can change" if say.status == "pass" else ""
    )


def _judge(say: Diagnosis, path: str, found: os.stat_result, trusted: set[int], sticky: int = 0) -> None:
    if found.st_uid not in trusted:
        said = f"'{path}' belongs to another user (uid {found.st_uid})"
        say.fail(said, command("ls -ld", path), finding="store-unsafe")
    elif not stat.S_ISLNK(found.st_mode) and not sticky and found.st_mode & 0o022:
        said = f"'{path}' is writable by others (mode {stat.S_IMODE(found.st_mode):04o})"
        say.fail(said, command("chmod go-w", path), finding="store-unsafe")


def _tree(setup: Setup) -> Iterator[str]:
    for name in sorted(os.listdir(setup.bin)):
        # Beside other programs, in /usr/bin, only ours are asked about.
        if name == "ct" or name.startswith("ct-"):
            yield os.path.join(setup.bin, name)
    for directory, below, names in os.walk(setup.library):
        below.sort()
        yield from (os.path.join(directory, name) for name in sorted([*below, *names]))


def python(setup: Setup, say: Diagnosis) -> str:
    """A Python that will do, and tools that start it without what the environment would put into it."""
    version = ".".join(map(str, sys.version_info[:3]))
    if tuple(sys.version_info[:2]) < OLDEST:
        say.fail(f"this is Python {version}, and {'.'.join(map(str, OLDEST))} is the oldest that will do", AGAIN)
    if not sys.flags.isolated:
        say.fail("this tool was not started isolated (-I): PYTHONPATH and the working directory could put code into it", AGAIN)
    for name in sorted(os.listdir(setup.bin)):
        if not name.startswith("ct-") or not os.path.isfile(os.path.join(setup.bin, name)):
            continue
        path = os.path.join(setup.bin, name)
        with open(path, "rb") as file:
            start = file.read(4096)
        program = start.partition(b"\n")[0].removeprefix(b"#!").split()
        # The start for a distribution, for an archive and for pip say -I too, on another line.
        if not program or not os.access(program[0], os.X_OK):
            say.fail(f"'{path}' starts with a program that is not there", AGAIN)
        elif b"-I" not in start and name not in SHELL:
            say.fail(f"'{path}' does not start isolated (-I)", AGAIN)
    return f"Python {version}, {'isolated' if sys.flags.isolated else 'NOT isolated'}, {sys.executable}"


def man(setup: Setup, say: Diagnosis) -> str:
    """Whether man finds these pages. man itself is asked, where nobody else could have put another."""
    share = os.path.join(setup.prefix, "share", "man")
    ours = os.path.join(share, "man1")
    show = f"export MANPATH={share}:"
    program = doctorprograms.find(setup, "man")
    if not program or not doctorprograms.trusted(program):
        say.warn(f"man is not installed, or could be changed by others; the pages lie in '{share}'")
        return "no man"
    found = doctorprograms.said(setup, [program, "-w", "1", "ct"]).partition("\n")[0]
    if not found:
        say.warn(f"man does not find ct(1); the pages lie in '{share}'", show)
        return "not found"
    if os.path.realpath(os.path.dirname(found)) != os.path.realpath(ours):
        say.warn(f"man shows the pages of another installation: '{found}'", show)
    return found


def completions(setup: Setup, say: Diagnosis) -> str:
    """Whether the user's shell, or else each that is here, looks where our completions lie."""
    login = os.path.basename(setup.env.get("SHELL", ""))
    wanted = [login] if login in SHELLS else [name for name in SHELLS if doctorprograms.find(setup, name)]
    for name in wanted:
        ours = os.path.join(setup.prefix, "share", SHELLS[name][0])
        mine = _bytes(ours)
        if mine is None:
            say.fail(f"'{ours}' is missing: install this ct again", AGAIN)
            continue
        held = [_bytes(os.path.join(place, os.path.basename(ours))) for place in _looked_in(name, setup)]
        there = next((data for data in held if data is not None), None)
        load = command(SHELLS[name][2], ours) if SHELLS[name][2] else f"fpath=({os.path.dirname(ours)} $fpath)"
        if there is None:
            say.warn(f"{name} does not look where its completions lie", load)
        elif there != mine:
            say.warn(f"{name} finds the completions of another ct", load)
    return ", ".join(wanted) or "no shell here completes"


def _looked_in(shell: str, setup: Setup) -> list[str]:
    """The directories in which a shell looks unless its start-up files say more."""
    env, user = setup.env, setup.env.get("HOME", "")
    data = [env.get("XDG_DATA_HOME") or f"{user}/.local/share"]
    data += (env.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
    found = [os.path.join(place, name) for place in data for name in SHELLS[shell][1]]
    if shell == "zsh":
        found += env.get("FPATH", "").split(":")
    elif shell == "fish":
        found += [f"{env.get('XDG_CONFIG_HOME') or f'{user}/.config'}/fish/completions", "/etc/fish/completions"]
    elif more := env.get("BASH_COMPLETION_USER_DIR"):
        found.append(f"{more}/completions")
    return [place for place in found if os.path.isabs(place)]


def _bytes(path: str) -> bytes | None:
    try:
        return owned.read(path, 1 << 20, guarded=False)
    except Fail:
        return None
