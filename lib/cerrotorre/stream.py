"""Records in and out, options and exit: the only module that touches argv, standard streams or exit. Imported by tools alone.

A stream is one JSON object a line and ends with {"record":"ct/end/1","records":n}. What arrives without its end, or with
another count, is broken: the tool says so and exits 70 (spec/records.adoc).
"""

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator

from cerrotorre import VERSION, commandline, errors, jsonic, records, times
from cerrotorre.errors import Fail, Finding
from cerrotorre.records import BUNDLE, END, ERROR, Record
from cerrotorre.typed import Any, NoReturn

MAX_LINE = 16 << 20
PIPE = 64 << 10
MAX_NAME = 64 << 10

_statuses: list[int] = []
_written = 0
_tool = "ct"
_streams = False


def run(main: Callable[[list[str]], int | None], usage: str, *, streams: bool = False) -> NoReturn:
    """Run a tool and exit with its status: what main returns, else the worst status of the records it wrote.

    Nothing but a verdict may look like one: an exception that is not a Fail is 70, an interrupt 130, a closed or full
    standard output 11. A tool that `streams` sends what it failed of down the pipe, where the last tool reports it.
    """
    global _tool, _streams
    _tool, _streams = os.path.basename(sys.argv[0]), streams
    if not streams:
        # In the middle of a pipeline there are records, whatever people want to see of them.
        commandline.json_wanted = _json_wanted
    try:
        if sys.stderr is None:
            # Else every word of complaint would be an exception, and the next file opened would get its descriptor.
            sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        if sys.stdout is None:
            raise OSError("cannot write standard output: it is closed")
        # UTF-8 whatever the locale, and as much at a time as a pipe holds: else the stages wake each other for every record.
        sys.stdout = open(1, "w", PIPE, "utf-8", "strict", "\n", closefd=False)  # noqa: SIM115
        if sys.stdin is not None:
            sys.stdin = open(0, buffering=PIPE, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
        status = _run(main, usage)
        flush()
    except BrokenPipeError:
        status = 11
    except KeyboardInterrupt:
        status = 130
    except OSError as error:
        complain(errors.finding("file-unwritable", error.strerror or str(error), File=error.filename))
        status = 11
    _exit(status)


def _run(main: Callable[[list[str]], int | None], usage: str) -> int:
    try:
        arguments = _arguments()
        if arguments in (["-h"], ["--help"]):
            write(usage.rstrip() + "\n")
            return 0
        if arguments[1:] in (["-h"], ["--help"]) and commandline.is_form(usage, arguments[0]):
            write(commandline.help_for(usage, arguments[0]))
            return 0
        if arguments in (["-V"], ["--version"]):
            write(f"{_tool} {VERSION}\n")
            return 0
        status = main(arguments)
        return errors.worst(_statuses) if status is None else status
    except Fail as fail:
        made = fail.finding
    except OSError:
        raise
    except Exception as error:
        trace()
        made = errors.finding("internal", f"{_tool}: {type(error).__name__}: {error}")
    # A broken stream gets no end from here either.
    in_band = _streams and not sys.stdout.isatty() and made["finding"] != "pipeline-broken"
    if in_band:
        emit({"record": ERROR, "finding": made})
        end()
    # In a pipe the last tool reports it; where there is none, nobody else would.
    if not in_band or not stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode):
        complain(made)
        if made["finding"] == "usage":
            _mutter(commandline.synopsis(usage, [argument.encode("utf-8", "replace").decode() for argument in sys.argv[1:]]))
    return int(made["status"])


def _json_wanted(configured: bool) -> bool:
    """Whether CT_FORMAT (--format) asks for JSON; with `auto`, which `ct` sets unless told otherwise, whether config.toml does."""
    wanted = os.environ.get("CT_FORMAT") or "text"
    if wanted not in ("text", "json", "auto"):
        raise Fail("usage", f"CT_FORMAT {wanted!r} is none of text, json, auto")
    if wanted != "auto" or not configured:
        return wanted == "json"
    from cerrotorre import config

    return config.read()["output"].get("format") == "json"


def _arguments() -> list[str]:
    try:
        return [os.fsencode(argument).decode("utf-8") for argument in sys.argv[1:]]
    except UnicodeDecodeError:
        raise Fail("usage", "an argument is not UTF-8") from None


def plain() -> None:
    """This time the tool reads and writes no records."""
    global _streams
    _streams = False


def trace() -> None:
    """Where an unexpected exception came from, if that was asked for."""
    if os.environ.get("CT_TRACE"):
        sys.excepthook(*sys.exc_info())


def _exit(status: int) -> NoReturn:
    """Say the status on the descriptor that the recipe opened for the last tool, then end without further ado."""
    said = os.environ.get("CT_STATUS_FD", "")
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        pass
    try:
        if said.isdecimal():
            os.write(int(said), b"%d\n" % status)
    except (OSError, OverflowError):
        pass
    os._exit(status)


def become(words: list[str], environment: dict[str, str], stdin: int | None, told: list[str]) -> int:
    """Become another program, with `stdin` or nothing as its standard input and no other descriptor of this one.

    Under a recipe, which becomes it itself, what the recipe must know is told on its descriptor, a line each; then 0 is returned.
    Raises Fail tool-missing.
    """
    flush()
    said = os.environ.get("CT_STATUS_FD", "")
    if said.isdecimal():
        os.write(int(said), "".join(f"{line}\n" for line in told).encode())
        return 0
    import signal

    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        # Python ignores them, and so would what it becomes.
        signal.signal(number, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY) if stdin is None else stdin, 0)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    try:
        os.execve(words[0], words, environment)  # noqa: S606
    except OSError as error:
        raise Fail("tool-missing", f"'{words[0]}' cannot be started: {error.strerror}", Program=words[0]) from None


def complain(made: Finding, word: str = "") -> None:
    """One error (or note) and its hints on standard error, in the plumbing's layout."""
    word = word or ("error" if made["status"] else "note")
    # Imported here: only a failure needs it.
    from cerrotorre.text import shown, with_names

    said = made.get("detail") or made["summary"]
    lines = [f"{_tool}: {word}: {shown(str(said))}"]
    lines += [f"{_tool}:   {name}: {shown(str(value))}" for name, value in made["context"].items() if value != ""]
    tries = [with_names(line, made["context"]) for line in made["try"]]
    lines += [f"{_tool}: hint: {shown(line)}" for line in tries if not _is_this(line)]
    _mutter("\n".join(lines) + "\n")


def _is_this(command: str) -> bool:
    """Whether a command that a finding proposes is the very one that is running: `ct policy check` in ct-policy-edit check."""
    words = command.split()
    # One that still wants an operand (ct key default ID) says more than was typed.
    return words[:3] == ["ct", *_tool.split("-")[1:2], *sys.argv[1:2]] and not any(map(str.isupper, words[3:]))


def _mutter(text: str) -> None:
    """Write to standard error what decides nothing: where it cannot be read, the status says it."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        pass


def written_time() -> str:
    """The time that is written into what is made: SOURCE_DATE_EPOCH, else the clock (never what verification takes for now)."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    if fixed and not (fixed.isascii() and fixed.isdecimal() and len(fixed) < 12):
        raise Fail("usage", f"SOURCE_DATE_EPOCH {fixed!r} is not a number of seconds")
    return times.spell(int(fixed) if fixed else int(time.time()))


def write(text: str) -> None:
    _written_out(lambda: sys.stdout.write(text))


def flush() -> None:
    """Send on what was written so far."""
    _written_out(sys.stdout.flush)


def _written_out(work: Callable[[], object]) -> None:
    try:
        work()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(f"cannot write standard output: {error.strerror or error}") from None


def read(limit: int) -> bytes:
    """Standard input to its end, at most limit + 1 bytes of it. Raises Fail file-unreadable."""
    if sys.stdin is None:
        raise Fail("file-unreadable", "standard input is closed")
    return sys.stdin.buffer.read(limit + 1)


def first_byte() -> bytes:
    """The first byte of standard input, which stays there to be read; b"" if there is none. { begins a record stream."""
    if sys.stdin is None:
        raise Fail("file-unreadable", "standard input is closed")
    reader: Any = sys.stdin.buffer
    return bytes(reader.peek(1)[:1])


def line() -> bytes:
    """The next line of standard input, within the limit; empty at its end."""
    if sys.stdin is None:
        raise Fail("file-unreadable", "standard input is closed")
    text = sys.stdin.buffer.readline(MAX_LINE + 1)
    if len(text) > MAX_LINE:
        raise Fail("record-malformed", f"a line longer than {MAX_LINE} bytes")
    if text and not text.endswith(b"\n"):
        # Whoever wrote it was killed while writing.
        raise Fail("pipeline-broken", "the stream stops in the middle of a line")
    return text


def arriving() -> Iterator[Record]:
    """The bundle and error records of standard input; error records pass through `emit` by whoever reads them.

    Raises Fail pipeline-broken where the end is missing or counts otherwise, record-malformed for anything unknown.
    """
    count = 0
    while text := line():
        try:
            record = jsonic.parse_record(text, MAX_LINE)
        except jsonic.Malformed as error:
            if count == 0 and text[:1] != b"{":
                begins = text[:60].rstrip().decode("utf-8", "replace")
                raise Fail("record-malformed", f"standard input is not a record stream: it begins {begins!r}") from None
            raise Fail("record-malformed", f"line {count + 1}: {error}") from None
        # It may be long, and whoever works on the record has no use for it.
        text = b""
        kind = record.get("record") if isinstance(record, dict) else None
        if kind == END:
            if record.get("records") != count or type(record["records"]) is not int:
                raise Fail("pipeline-broken", f"the stream says {record.get('records')!r} records, {count} arrived")
            if sys.stdin.buffer.read(1):
                raise Fail("record-malformed", "something follows the end of the stream")
            return
        if kind not in (BUNDLE, ERROR):
            raise Fail("record-malformed", f"line {count + 1}: not a record this tool knows")
        records.check_shape(record)
        if kind == BUNDLE and not isinstance(record.get("bundle"), str):
            raise Fail("record-malformed", f"line {count + 1}: its bundle has no name")
        count += 1
        yield record
    raise Fail("pipeline-broken", f"the stream stopped after {count} records, without its end")


def emit(record: Record) -> None:
    """Write one record, and count it."""
    global _written
    text = jsonic.dump(record)
    if len(text) * 4 > MAX_LINE and len(text.encode("utf-8", "surrogatepass")) >= MAX_LINE:
        # That ends the judging of this bundle, and of no other.
        made = errors.finding("too-large", f"its record does not fit a line of {MAX_LINE} bytes", Limit=MAX_LINE)
        if record["record"] != BUNDLE or len(record["bundle"]) > MAX_NAME:
            raise Fail("too-large", "a record does not fit a line", Limit=MAX_LINE)
        record = records.new(record["bundle"])
        records.add(record, made)
        text = jsonic.dump(record)
    # In place: a copy of a long record would be as long.
    text += "\n"
    write(text)
    _written += 1
    _statuses.append(records.status_of(record))


def end() -> None:
    """Write the end of the stream."""
    write(f'{{"record":"{END}","records":{_written}}}\n')
    flush()


def guarded(record: Record, work: Callable[[Record], None]) -> None:
    """Do the work of one bundle; whatever it trips on becomes a finding of that bundle, and the stream goes on."""
    try:
        work(record)
    except Fail as fail:
        records.add(record, fail.finding)
    except BrokenPipeError:
        raise
    except OSError as error:
        # What could not be read is a Fail already.
        records.add(record, errors.finding("file-unwritable", error.strerror or str(error)))
    except Exception as error:
        trace()
        records.add(record, errors.finding("internal", f"{_tool}: {type(error).__name__}: {error}"))


def source(names: list[str], work: Callable[[Record], None]) -> None:
    """Write a record for each name: what a source does."""
    for name in names:
        record = records.new(name)
        guarded(record, work)
        emit(record)
    end()


def filter(check: str, work: Callable[[Record], None], *, go_on: bool = False) -> None:
    """Pass every record on, worked on unless a finding stops it before `check` (`go_on`: only if it cannot be judged).

    Raises Fail for what the tool cannot go on from, which `run` passes on in band.
    """
    for record in arriving():
        if record["record"] == BUNDLE and not records.stopped(record, check, go_on=go_on):
            guarded(record, work)
        emit(record)
    end()


def only(work: Callable[[Record], None], check: str) -> Record:
    """The one record of a stream, worked on once the whole stream has arrived with its end; for a tool that writes one thing.

    What failed on the way, in band or in the record, is in the `findings` of what is returned.
    """
    arrived = list(arriving())
    failed = [record for record in arrived if record["record"] == ERROR]
    if failed:
        return {**records.new(""), "findings": [failed[0]["finding"]]}
    if len(arrived) != 1:
        raise Fail("usage", f"one bundle is written at a time, and {len(arrived)} arrived")
    record = arrived[0]
    if not records.stopped(record, check):
        guarded(record, work)
    _statuses.append(records.status_of(record))
    return record
