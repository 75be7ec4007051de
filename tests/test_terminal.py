"""Commands at a terminal: questions, progress bars, colours, widths, locales; and what signals leave behind."""

import hashlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import images
import pytest
from conftest import BUILD, LIBRARY, program
from console import Console, screen, width
from processes import PATIENCE, alive, await_, gone, stalled, writing
from registries import Fake, push_layout
from small import BIN, run

COLOUR = "\x1b["
CLEARED = re.compile(r"\r +\r$")
# Whatever runs ct: /bin/sh, and those of these that it is not.
SHELLS = [["sh"], *([name] for name in ("dash",)), ["bash", "--posix"], ["busybox", "sh"]]
SHELLS = SHELLS[:1] + [shell for shell in SHELLS[1:] if Path(shutil.which("sh") or "").resolve().name != shell[0]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with bundles and images, that is its own $HOME; keys `open`, the default, and `locked` ("one")."""
    work = tmp_path_factory.mktemp("terminal")
    (work / "tmp").mkdir()
    for name, make in (("image", images.single), ("large", images.large)):
        make(images.Layout(work / name))
    env = environment(work)
    ct(work, "keygen", "--id", "open", "--no-password", env=env)
    (work / "pass").write_text("one\n")
    (work / "pass").chmod(0o600)
    ct(work, "keygen", "--id", "locked", "--passphrase-file", "pass", env=env)
    ct(work, "pack", "-q", "oci:image", "-o", "a.ctp", env=env)
    ct(work, "pack", "-q", "oci:large", "-o", "large.ctp", env=env)
    ct(work, "pack", "-q", "--no-sign", "oci:image", "-o", "unsigned.ctp", env=env)
    return work


def environment(home: Path, **more: str) -> dict[str, str]:
    path = f"{BIN}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(home), "TMPDIR": str(home / "tmp"), "LC_ALL": "C.UTF-8", "TERM": "xterm", **more}


def ct(place: Path, *words: str, status: int = 0, **more: Any) -> subprocess.CompletedProcess[str]:
    more.setdefault("env", environment(place))
    made = run(BIN / "ct", *words, cwd=place, **more)
    assert made.returncode == status, (words, made.returncode, made.stdout, made.stderr)
    return made


def console(place: Path, *words: str, env: dict[str, str] | None = None, **more: Any) -> Console:
    return Console("ct", *words, env=environment(place, **(env or {})), cwd=place, **more)


def files(place: Path) -> set[str]:
    return {str(path.relative_to(place)) for path in place.rglob("*")}


@pytest.fixture
def nothing_new(place: Path) -> Iterator[None]:
    """Whatever the test did, no file is left of it."""
    before = files(place)
    yield
    assert files(place) - before == set()


# -- questions ---------------------------------------------------------------------------------------------------------------


def test_keygen_asks_twice_and_shows_nothing(place: Path) -> None:
    with console(place, "keygen", "--id", "asked") as at:
        at.expect("Passphrase: ")
        assert not at.echoes()
        at.type("sesame\n")
        at.expect("Again: ")
        assert not at.echoes()
        at.type("sesame\n")
        assert at.wait() == 0
        assert at.echoes()
        assert at.screen()[:3] == ["Passphrase:", "Again:", "Generated key asked"]
        assert "sesame" not in at.text()
    with console(place, "sign", "-k", "asked", "-o", "asked.ctp", "unsigned.ctp") as at:
        at.expect("Passphrase for asked: ")
        assert not at.echoes()
        at.type("sesame\n")
        assert at.wait() == 0
        assert "sesame" not in at.text()


LONG = "x" * 5000
# what is typed at the first and at the second question, the status, what is said
REFUSED = {
    "two that differ": (["one\n", "two\n"], 13, "the two passphrases differ"),
    "none": (["\n"], 13, "the passphrase is empty"),
    "more than a terminal takes": ([LONG + "\n"], 13, "less than 4095 bytes"),
    "end": (["\x04"], 130, ""),
    "end at the second": (["one\n", "\x04"], 130, ""),
    "interrupt": (["\x03"], -signal.SIGINT, ""),
    "interrupt after some": (["sesame\x03"], -signal.SIGINT, ""),
    "interrupt at the second": (["one\n", "\x03"], -signal.SIGINT, ""),
    "quit": (["\x1c"], -signal.SIGQUIT, ""),
}


@pytest.mark.usefixtures("nothing_new")
@pytest.mark.parametrize("case", REFUSED)
def test_no_passphrase_no_key(case: str, place: Path) -> None:
    typed, status, said = REFUSED[case]
    with console(place, "keygen", "--id", "never") as at:
        for question, answer in zip(("Passphrase: ", "Again: "), typed, strict=False):
            at.expect(question)
            at.type(answer)
        assert at.wait() == status
        # `ct` dies of a signal at once, and the tool that asked restores the terminal.
        await_(at.echoes, "the terminal's echo")
        assert said in at.text() and "Traceback" not in at.text()
        assert not re.search("sesame|xxx", at.text())
        if not said:
            assert at.screen() == ["Passphrase:", "Again:"][: len(typed)]


@pytest.mark.usefixtures("nothing_new")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("words", [("keygen", "--id", "never"), ("pack", "-k", "locked", "oci:image", "-o", "never.ctp")])
@pytest.mark.parametrize("group", [True, False], ids=["group", "alone"])
def test_signals_at_a_question(words: tuple[str, ...], number: int, group: bool, place: Path) -> None:
    with console(place, *words) as at:
        at.expect("Passphrase.*: ")
        assert not at.echoes()
        at.signal(number, group=group)
        assert at.wait() == -number
        gone(at.process.pid)
        # `ct` dies of a signal at once, and the tool that asked restores the terminal.
        await_(at.echoes, "the terminal's echo")
        assert "Traceback" not in at.text()


def test_stop_and_continue(place: Path) -> None:
    """A shell with job control: while the question is stopped the terminal echoes, and then it is asked again."""
    with Console("sh", "-i", env=environment(place, PS1="shell> "), cwd=place) as at:
        at.expect("shell> ")
        at.type("ct keygen --id stopped\n")
        asked = at.expect("Passphrase: ")
        at.type("\x1a")
        at.expect("shell> ", after=asked)
        at.type("stty -a | grep -o '[-]*echo ' | sed 's/^/it says: /'\n")
        at.expect("it says: (echo|-echo)", after=asked)
        assert b"it says: echo" in at.seen
        at.type("fg\n")
        asked = at.expect("Passphrase: ", after=len(at.seen))
        await_(lambda: not at.echoes(), "a question without echo", of=at.process)
        at.type("sesame\n")
        at.expect("Again: ", after=asked)
        at.type("sesame\n")
        at.expect("Generated key stopped", after=asked)
        at.type("exit\n")
        at.wait()
        assert "sesame" not in at.text()


@pytest.mark.usefixtures("nothing_new")
def test_questions_without_a_terminal(place: Path) -> None:
    """No terminal at all: a session of its own."""
    for words in (["keygen", "--id", "never"], ["pack", "-k", "locked", "oci:image", "-o", "never.ctp"]):
        made = ct(place, *words, status=13, start_new_session=True)
        assert "passphrase" in made.stderr
    for words in (["policy", "init"], ["key", "delete", "locked"]):
        assert "there is no terminal" in ct(place, *words, status=64, start_new_session=True).stderr


@pytest.mark.usefixtures("nothing_new")
@pytest.mark.parametrize("typed", ["\x04", "\x03"], ids=["end", "interrupt"])
def test_an_end_is_no_answer(typed: str, place: Path) -> None:
    """Enter takes the default; a terminal that ends does not."""
    for words, question in ((["policy", "init"], "none [all]"), (["key", "delete", "locked"], "y/N")):
        with console(place, *words) as at:
            at.expect(re.escape(question))
            at.type(typed)
            assert at.wait() == (130 if typed == "\x04" else -signal.SIGINT)
            assert "Traceback" not in at.text()


# -- progress ----------------------------------------------------------------------------------------------------------------

# Draws a bar at once. A line on standard input is a step, long enough for the bar to be drawn anew; one on standard output says
# that it is done.
BAR = f"""
import sys, time
sys.path[:0] = [{str(LIBRARY)!r}, {str(LIBRARY / "vendor")!r}]
from cerrotorre import progress
progress.AFTER = -1
with progress.Progress(sys.argv[1], 3 << 30, quiet=len(sys.argv) > 2) as bar:
    for line in sys.stdin:
        time.sleep(0.12)
        bar.add(300 << 20)
        print(flush=True)
"""
PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}


def bars(text: str) -> list[str]:
    """Each line that was drawn over another one."""
    return [part for part in text.split("\r") if part.strip()]


def draw(place: Path, name: str, columns: int, *more: str, env: dict[str, str] | None = None, steps: int = 4) -> Console:
    """Steps of a bar, as fast as it is redrawn."""
    command = [sys.executable, "-I", "-c", BAR, name, *more]
    with Console(*command, env=environment(place, **(env or {})), cwd=place, columns=columns, **PIPES) as at:
        step(at, steps)
        assert at.process.stdin
        at.process.stdin.close()
        assert at.wait() == 0, at.text()
    return at


def step(at: Console, steps: int) -> None:
    assert at.process.stdin and at.process.stdout
    for _ in range(steps):
        at.process.stdin.write(b"\n")
        at.process.stdin.flush()
        assert select.select([at.process.stdout], [], [], PATIENCE)[0] and at.process.stdout.readline()
        at.settle()


NAMES = {
    "short": "a.ctp",
    "long": "a/directory/with/a/long/name/" + "x" * 80 + "/the-end.ctp",
    "wide": "日本語のコンテナ画像を安全に運ぶ.ctp",
    "combining": "e\u0301\u0302" * 40 + ".ctp",
    "control": "\x1b[2J\x1b]0;title\x07\r\n\u202eevil.ctp",
}


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("name", NAMES)
def test_a_bar_is_one_line(name: str, columns: int, place: Path) -> None:
    at = draw(place, NAMES[name], columns, steps=3)
    drawn = bars(at.text())
    assert len(drawn) >= 2
    for line in drawn:
        assert width(line) < columns and "\n" not in line
        assert len(screen(line, columns)) == 1
    assert ".ctp: " in drawn[-1] and "%|" in drawn[-1] and re.search(r"M/3\.00G", drawn[-1])
    # Room for times only where there is room, and room for a bar everywhere.
    assert bool(re.search(r"\[\d\d:\d\d<", drawn[-1])) == (columns >= 72)
    assert len(drawn[-1].split("|")[1]) >= 8
    # It is gone at the end.
    assert at.screen() == []


def test_a_bar_in_other_locales(place: Path) -> None:
    for locale, full in (("C", False), ("C.UTF-8", True), ("de_DE.ISO-8859-1", False)):
        drawn = bars(draw(place, NAMES["long"], 60, env={"LC_ALL": locale}, steps=3).text())
        assert drawn[-1].isascii() != full and ("█" in drawn[-1]) == full
        assert drawn[-1].lstrip().startswith("…" if full else "...")


def test_a_bar_follows_the_window(place: Path) -> None:
    command = [sys.executable, "-I", "-c", BAR, NAMES["long"]]
    with Console(*command, env=environment(place), cwd=place, columns=120, **PIPES) as at:
        for columns in (120, 50, 160):
            at.resize(columns)
            before = len(at.text())
            step(at, 3)
            drawn = bars(at.text()[before:])[-1].rstrip()
            assert columns * 0.7 < width(drawn) < columns


@pytest.mark.parametrize("how", ["quiet", "dumb", "background"])
def test_no_bar(how: str, place: Path) -> None:
    if how == "background":
        behind = ["sh", "-c", 'set -m; cat | "$@" & wait $!', "-"]
        command = [*behind, sys.executable, "-I", "-c", BAR, "a.ctp"]
        with Console(*command, env=environment(place), cwd=place, **PIPES) as at:
            step(at, 3)
            assert at.process.stdin
            at.process.stdin.close()
            at.wait()
    else:
        at = draw(place, "a.ctp", 80, *(["-q"] if how == "quiet" else []), env={"TERM": "dumb"} if how == "dumb" else {})
    assert at.text() == ""


def test_a_bar_is_nobody_elses_to_configure(place: Path) -> None:
    plain = draw(place, "a.ctp", 60, steps=2)
    for name, value in (("DISABLE", "1"), ("NCOLS", "junk"), ("MININTERVAL", "junk"), ("LEAVE", "1"), ("BAR_FORMAT", "{{")):
        at = draw(place, "a.ctp", 60, env={f"TQDM_{name}": value}, steps=2)
        assert bars(at.text())[-1].split("|")[-1] == bars(plain.text())[-1].split("|")[-1] and at.screen() == []


def feed(at: Console, data: bytes, *, pause: float = 1.1) -> None:
    """Most of the bundle, longer than a second later the rest."""
    pipe = at.process.stdin
    assert pipe
    pipe.write(data[: len(data) // 2])
    pipe.flush()
    time.sleep(pause)
    pipe.write(data[len(data) // 2 :])
    pipe.close()


@pytest.mark.parametrize("columns", [40, 200])
def test_verify_shows_a_bar(columns: int, place: Path) -> None:
    data = (place / "large.ctp").read_bytes()
    with console(place, "verify", "-", columns=columns, stdin=subprocess.PIPE) as at:
        feed(at, data)
        assert at.wait() == 0
        drawn, verdict = at.text().rsplit("\r", 1)
        assert "%|" in drawn and all(width(line) < columns for line in bars(drawn))
        assert verdict.startswith(f"{COLOUR}32m✓") and screen(at.text(), 200)[0] == "✓ standard input is valid"
    # Not on a standard error that is a pipe, even if standard output is the terminal.
    with console(place, "verify", "-", stdin=subprocess.PIPE, stderr=subprocess.PIPE) as at:
        feed(at, data)
        assert at.wait() == 0 and at.process.stderr
        assert at.process.stderr.read() == b"" and "%|" not in at.text()


@pytest.mark.parametrize("quiet", [False, True])
def test_pack_shows_a_bar(quiet: bool, place: Path) -> None:
    words = ["pack", "oci:large", "-o", "-", *(["-q"] if quiet else [])]
    with console(place, *words, columns=40, stdout=subprocess.PIPE) as at:
        assert at.process.stdout
        got = at.process.stdout.read(1 << 20)
        time.sleep(1.1)
        while more := at.process.stdout.read(1 << 20):
            got += more
            at.read()
        assert at.wait() == 0
        drawn = bars(at.text())
        assert hashlib.sha256(got).digest() and len(got) > 12 << 20
        if quiet:
            assert drawn == []
        else:
            assert "%|" in at.text() and screen(at.text(), 200)[0].startswith("✓ Packed large:1.0 → -")


def test_work_goes_on_where_the_terminal_is_gone(place: Path) -> None:
    """As with nohup: what cannot be drawn fails nothing."""
    with (place / "said").open("wb") as said:
        words = ["sh", "-c", 'trap "" HUP; exec ct verify -']
        at = Console(*words, env=environment(place), cwd=place, stdin=subprocess.PIPE, stdout=said)
        data = (place / "large.ctp").read_bytes()
        assert at.process.stdin
        at.process.stdin.write(data[: 4 << 20])
        at.process.stdin.flush()
        time.sleep(1.1)
        at.process.stdin.write(data[4 << 20 : 6 << 20])
        at.process.stdin.flush()
        at.expect("%\\|")
        os.close(at.slave)
        os.close(at.master)
        at.process.stdin.write(data[6 << 20 :])
        at.process.stdin.close()
        assert at.process.wait(timeout=30) == 0
    assert (place / "said").read_text().startswith("✓ standard input is valid")


# -- colours and widths ------------------------------------------------------------------------------------------------------

# (arguments, environment, [output] color, coloured on a terminal, coloured in a pipe)
COLOURED: list[tuple[list[str], dict[str, str], str, bool, bool]] = [
    ([], {}, "", True, False),
    (["--color=auto"], {}, "", True, False),
    (["--color=always"], {}, "", True, True),
    (["--color=never"], {}, "", False, False),
    ([], {"NO_COLOR": "1"}, "", False, False),
    ([], {"NO_COLOR": ""}, "", True, False),
    (["--color=always"], {"NO_COLOR": "1"}, "", True, True),
    (["--color=auto"], {"NO_COLOR": "1"}, "", True, False),
    ([], {"CT_COLOR": "always"}, "", True, True),
    ([], {"CT_COLOR": "never"}, "", False, False),
    ([], {"CT_COLOR": ""}, "", True, False),
    (["--color=never"], {"CT_COLOR": "always"}, "", False, False),
    ([], {}, "always", True, True),
    ([], {}, "never", False, False),
    ([], {"NO_COLOR": "1"}, "always", False, False),
    (["--color=auto"], {}, "never", True, False),
    ([], {"TERM": "dumb"}, "", False, False),
    (["--color=always"], {"TERM": "dumb"}, "", True, True),
]


@pytest.mark.parametrize(("words", "env", "setting", "terminal", "pipe"), COLOURED)
def test_colour(words: list[str], env: dict[str, str], setting: str, terminal: bool, pipe: bool, place: Path) -> None:
    path = place / ".config" / "cerro" / "config.toml"
    if setting:
        path.write_text(f'[output]\ncolor = "{setting}"\n')
    try:
        with console(place, "verify", "a.ctp", *words, env=env) as at:
            assert at.wait() == 0
            assert (COLOUR in at.text()) == terminal
        made = ct(place, "verify", *words, "a.ctp", env=environment(place, **env))
        assert (COLOUR in made.stdout) == pipe
    finally:
        path.unlink(missing_ok=True)


def test_color_stands_anywhere(place: Path) -> None:
    for words in (["--color=always", "verify", "a.ctp"], ["verify", "a.ctp", "--color=always"]):
        assert COLOUR in ct(place, *words).stdout
    assert "absent" in ct(place, "verify", "--", "absent", "--color=always", status=11).stdout
    ct(place, "verify", "--color=sometimes", "a.ctp", status=64)
    assert "CT_COLOR" in ct(place, "verify", "a.ctp", status=64, env=environment(place, CT_COLOR="sometimes")).stderr


def test_each_stream_has_its_own_colour(place: Path) -> None:
    words = ["pack", "oci:absent", "-o", "never.ctp"]
    with console(place, *words, stdout=subprocess.PIPE) as at:
        assert at.wait() == 11 and f"{COLOUR}31m✗" in at.text()
    with console(place, *words, stderr=subprocess.PIPE) as at:
        assert at.wait() == 11 and at.process.stderr
        assert COLOUR.encode() not in at.process.stderr.read()


SHOWN = [
    ["verify", "a.ctp"],
    ["verify", "a.ctp", "unsigned.ctp"],
    ["verify", "unsigned.ctp"],
    ["explain", "a.ctp"],
    ["explain", "signer-untrusted"],
    ["explain", "--list"],
    ["key", "list"],
    ["help"],
    ["help", "pack"],
    ["verify", "absent.ctp"],
]


@pytest.mark.parametrize("words", SHOWN, ids=" ".join)
def test_no_width_changes_a_text(words: list[str], place: Path) -> None:
    """Digests and commands can be copied whole from a terminal of any width, and what is seen is what a pipe gets."""
    made = run(BIN / "ct", *words, cwd=place, env=environment(place))
    for columns in (40, 200):
        with console(place, "--color=never", *words, columns=columns, env={"COLUMNS": str(columns)}) as at:
            assert at.wait() == made.returncode
            assert at.text() == made.stdout + made.stderr
            assert len(at.screen()) >= made.stdout.rstrip("\n").count("\n")


# -- signals -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def registry(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A registry with an image whose layers never come; `fetching` is set once they are asked for. `home` has its configuration."""
    with Fake() as fake:
        fake.home = tmp_path_factory.mktemp("configured")
        (fake.home / "config.toml").write_text(f'[registries]\ninsecure = ["{fake.host}"]\n')
        push_layout(fake, place / "image")
        fake.fetching, hold = threading.Event(), threading.Event()

        def stall(handler: Any) -> None:
            fake.fetching.set()
            hold.wait()
            handler.close_connection = True

        for layer in json.loads(fake.manifests["1"][0])["layers"]:
            fake.answers[f"/v2/a/app/blobs/{layer['digest']}"] = stall
        yield fake
        hold.set()


STALLED = {
    "verify": ["verify", "-"],
    "pack": ["pack", "oci:large", "-o", "-"],
    "fetch": ["pack", "--no-attached", "--no-sign", "HOST/a/app:1", "-o", "never.ctp"],
}


# An interrupt is the terminal's and goes to all: to `ct` alone it waits for its tools, as any shell does. And where all are killed
# nobody is left who could remove what was fetched.
SENT = [
    (shell, work, group, number)
    for shell in SHELLS
    for work in STALLED
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
    for group in (True, False)
    if (group or number != signal.SIGINT)
    and not (work == "fetch" and group and number == signal.SIGKILL)
    and (shell == SHELLS[0] or (work != "pack" and number in (signal.SIGINT, signal.SIGTERM)))
]


@pytest.mark.usefixtures("nothing_new")
@pytest.mark.parametrize(
    ("shell", "work", "group", "number"),
    SENT,
    ids=[f"{shell[0]} {work} {'group' if group else 'alone'} {number.name}" for shell, work, group, number in SENT],
)
def test_signals(shell: list[str], work: str, group: bool, number: signal.Signals, place: Path, registry: Any) -> None:
    """The end of `ct` is the end of what it runs, and nothing is left."""
    program(shell[0])
    env = environment(place, **({"CT_HOME": str(registry.home)} if work == "fetch" else {}))
    words = [word.replace("HOST", registry.host) for word in STALLED[work]]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*shell, str(BIN / "ct"), *words], cwd=place, env=env, start_new_session=True, **pipes) as made:
        try:
            assert made.stdin and made.stdout and made.stderr
            if work == "verify":
                made.stdin.write((place / "large.ctp").read_bytes()[: 3 << 20])
                made.stdin.flush()
            elif work == "pack":
                assert select.select([made.stdout], [], [], PATIENCE)[0] and made.stdout.read(1)
            else:
                await_(registry.fetching.is_set, "the fetching", of=made)
            # Each of its tools has begun, and waits: for input, a reader, or the registry.
            stalled(made.pid)
            assert made.poll() is None, made.stderr.read()
            (os.killpg if group else os.kill)(made.pid, number)
            assert made.wait(timeout=10) == -number
            gone(made.pid)
            said = made.stderr.read().decode()
            assert "Traceback" not in said and "broken" not in said, said
        finally:
            if alive(made.pid):
                os.killpg(made.pid, signal.SIGKILL)
            registry.fetching.clear()


def test_a_signal_at_any_time(place: Path) -> None:
    """Interpreters that are just starting do not take an interrupt for a broken installation."""
    for delay in range(0, 130, 6):
        with console(place, "verify", "a.ctp") as at:
            time.sleep(delay / 1000)
            at.type("\x03")
            assert at.wait() in (-signal.SIGINT, 0)
            gone(at.process.pid)
            # What Python says by itself before a line of ours runs, nobody can keep it from saying.
            assert not re.search("cerro-torre|is broken:", at.text()), at.text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_is_replaced_stays_whole(number: signal.Signals, place: Path) -> None:
    """`ct` alone is killed while the bundle is written: nobody commits it afterwards."""
    made_of = images.Layout(place / f"huge{number}")
    size = 384 << 20
    digest = hashlib.sha256()
    for _ in range(size >> 20):
        digest.update(bytes(1 << 20))
    layer = {"mediaType": images.TAR, "digest": "sha256:" + digest.hexdigest(), "size": size}
    with made_of.path(layer).open("wb") as hole:
        hole.truncate(size)
    made_of.index(made_of.manifest(made_of.config([layer["digest"]]), [layer]))
    to = place / f"to{number}"
    to.mkdir()
    shutil.copy(place / "a.ctp", to / "new.ctp")
    command = [BIN / "ct", "pack", f"oci:{made_of.directory}", "-o", "new.ctp"]
    with subprocess.Popen(command, cwd=to, env=environment(place), start_new_session=True, stderr=subprocess.PIPE) as made:
        try:
            await_(lambda: writing(made.pid, to), "the writing", of=made, pause=0.001)
            os.kill(made.pid, number)
            assert made.wait(timeout=10) == -number
            gone(made.pid)
        finally:
            if alive(made.pid):
                os.killpg(made.pid, signal.SIGKILL)
    assert [path.name for path in to.iterdir()] == ["new.ctp"]
    assert (to / "new.ctp").read_bytes() == (place / "a.ctp").read_bytes()
    shutil.rmtree(made_of.directory)


@pytest.mark.parametrize("words", [*SHOWN[:8], ["verify", "--json", "a.ctp"], ["pack", "oci:large", "-o", "-"]], ids=" ".join)
def test_a_reader_that_is_gone(words: list[str], place: Path) -> None:
    reading, closed = os.pipe()
    os.close(reading)
    with os.fdopen(closed, "wb") as to:
        made = subprocess.run([BIN / "ct", *words], cwd=place, env=environment(place), stdout=to, stderr=subprocess.PIPE)
    # `ct` itself, which is a shell, ends by the signal; tools say that what they had to say was not heard.
    assert made.returncode in (11, -signal.SIGPIPE)
    assert b"Traceback" not in made.stderr and b"broken" not in made.stderr


# -- locales -----------------------------------------------------------------------------------------------------------------

LOCALES = {
    "C": False,
    "POSIX": False,
    "C.UTF-8": True,
    "de_DE.UTF-8": True,
    "en_US.utf8": True,
    "en_US.ISO-8859-1": False,
    "no-such-locale": False,
    "": False,
}


@pytest.mark.parametrize("locale", LOCALES)
def test_locale(locale: str, place: Path) -> None:
    """Marks follow the locale; names are shown as they are, whatever it is."""
    names = ["zürich 日本.ctp", "e\u0301.ctp", "red\x1b[31m.ctp", "left\u202eright.ctp"]
    for name in names:
        shutil.copy(place / "a.ctp", place / name)
    env = environment(place, LC_ALL=locale)
    mark = "✓" if LOCALES[locale] else "ok"
    shown = ["zürich 日本.ctp", "e\u0301.ctp", "red\\x1b[31m.ctp", "left\\u202eright.ctp"]
    made = ct(place, "verify", *names, env=env)
    assert made.stdout.splitlines()[:4] == [f"{mark} {name}  image 1.0" for name in shown] and made.stderr == ""
    made = ct(place, "explain", names[0], env=env)
    assert made.stdout.startswith("Bundle: zürich 日本.ctp\n")
    said = ct(place, "verify", "--json", *names, env=env).stdout
    assert [json.loads(line)["bundle"] for line in said.splitlines()] == names
    assert "\x1b" not in said and "\u202e" not in said
    made = ct(place, "verify", "é.ctp", "\x1b[2J", env=env, status=11)
    assert "é.ctp" in made.stdout and "\x1b" not in made.stdout + made.stderr
    with console(place, "verify", names[0], env={"LC_ALL": locale}) as at:
        assert at.wait() == 0
        assert at.screen()[0] == f"{mark} zürich 日本.ctp is valid"


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_names_that_are_not_utf8(locale: str, place: Path) -> None:
    shutil.copy(place / "a.ctp", os.fsencode(place) + b"/\xff\xfe.ctp")
    env = environment(place, LC_ALL=locale)
    made = subprocess.run([os.fsencode(BIN / "ct"), b"verify", b"\xff\xfe.ctp"], cwd=place, env=env, capture_output=True)
    assert made.returncode == 64 and b"not UTF-8" in made.stderr
    (made.stdout + made.stderr).decode()
    inside = os.fsencode(place) + b"/caf\xe9"
    os.mkdir(inside)
    shutil.copy(place / "a.ctp", inside + b"/a.ctp")
    made = subprocess.run([os.fsencode(BIN / "ct"), b"verify", b"a.ctp"], cwd=inside, env=env, capture_output=True)
    assert made.returncode == 0, made.stderr
    shutil.rmtree(inside)


def test_the_build_is_the_one_tested() -> None:
    assert Path(shutil.which("ct", path=str(BIN)) or "").resolve() == (BUILD / "bin" / "ct").resolve()
