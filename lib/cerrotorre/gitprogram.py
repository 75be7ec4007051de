"""Running git: told what it may do, bounded, never left behind, and its words taken apart (spec/moving.adoc, "In git"; decision 0036)."""

import contextlib
import os
import re
import subprocess
import time

from cerrotorre import interrupt, owned
from cerrotorre.errors import Fail
from cerrotorre.typed import Any

# Seconds between two looks at what it has written, without which it is given up, in all, and that it has to end when told to.
LOOK, SILENCE, LONGEST, GRACE = 0.2, 300, 3600, 10
# Bytes: of everything that it may write, of what it may print, and of its words that are repeated.
MOST, MOST_PRINTED, MAX_WORDS = 1 << 30, 64 << 20, 2000
# Whom it may speak to, by the scheme of the URL: `insteadOf` may choose between https and ssh.
_PROTOCOLS = {"https": "https:ssh", "ssh": "https:ssh", "file": "file"}
_URL = re.compile(r"(https|ssh|file)://[^-].*", re.S)
# What of git's own variables does not lead it astray: how to reach and trust a host, who commits, which files configure it.
_KEPT = re.compile(
    r"GIT_(?:SSH(?:_COMMAND|_VARIANT)?|ASKPASS|SSL_(?!NO_VERIFY)\w+|PROXY_SSL_\w+|(?:AUTHOR|COMMITTER)_(?:NAME|EMAIL)"
    r"|CONFIG_(?:GLOBAL|SYSTEM|NOSYSTEM))"
)
_CONFIGURED = {
    # No code of anybody's: neither hooks, nor what watches files, nor housekeeping.
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "protocol.ext.allow": "never",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "fetch.recurseSubmodules": "false",
    # Everything that arrives is checked, and goes to disk as it comes.
    "transfer.fsckObjects": "true",
    "fetch.fsckObjects": "true",
    "fetch.unpackLimit": "1",
    # What was left out of the newest commit is asked for by name: saying that the commit is here would keep it from coming.
    "fetch.negotiationAlgorithm": "noop",
    "transfer.bundleURI": "false",
    "core.bigFileThreshold": "1m",
    # Older protocols do not give single objects.
    "protocol.version": "2",
    "color.ui": "false",
}
# The far end of git+file runs here, with the configuration of a repository that may be anybody's.
_FAR = (
    "git -c core.hooksPath=/dev/null -c core.alternateRefsCommand=true -c core.fsmonitor=false -c receive.autogc=false"
    " -c receive.denyCurrentBranch=refuse -c uploadpack.allowFilter=true "
)
_USER = re.compile(r"//[^/@\s]*@")
_FULL = ("no space left on device", "disk quota exceeded")


class Git:
    """`with Git(url, shown) as git`: an empty private directory, and git run in it, or in the bare repository made there.

    `url` is what git gets, `shown` what people typed. Raises Fail tool-missing, store-unsafe, file-unwritable for a full disk, else network.
    """

    def __init__(self, url: str, shown: str) -> None:
        matched = _URL.fullmatch(url)
        if not matched:
            raise Fail("usage", f"{shown!r} is no git repository that can be asked")
        self.url, self.shown, self.scheme = url, shown, matched[1]
        self.directory, self._repository = "", ""

    def __enter__(self) -> "Git":
        self.directory = os.path.realpath(owned.temporary(os.environ))
        return self

    def __exit__(self, *_: object) -> None:
        import shutil

        shutil.rmtree(self.directory, ignore_errors=True)

    def create(self, object_format: str) -> None:
        """The empty repository, whose one remote is called `far`."""
        if not self._repository:
            # An empty template: nobody's hooks.
            self.must("init", "-q", "--bare", "--template=", f"--object-format={object_format}", f"{self.directory}/repository")
            self._repository = f"{self.directory}/repository"
            self.must("config", "remote.far.url", self.url)

    def far(self, service: str) -> list[str]:
        """How the far end is started, where that is here."""
        return [f"--{service}={_FAR}{service}"] if self.scheme == "file" else []

    def must(self, *arguments: str, data: bytes = b"", more: dict[str, str] | None = None) -> bytes:
        """What git printed. Raises Fail network if it failed."""
        status, out, words = self.run(*arguments, data=data, more=more)
        if status:
            raise self.failed(arguments[0], words)
        return out

    def failed(self, what: str, words: str) -> Fail:
        """The finding for a git command that failed, by its last words."""
        if any(word in words.lower() for word in _FULL):
            return Fail("file-unwritable", f"no room in '{self.directory}'", Directory=self.directory, Git=words)
        return Fail("network", f"git {what} failed: {self.shown}", Repository=self.shown, Git=words)

    def run(self, *arguments: str, data: bytes = b"", more: dict[str, str] | None = None) -> tuple[int, bytes, str]:
        """(its status, what it printed, its last words), with `data` as its input and `more` in its environment."""
        where = [f"--git-dir={self._repository}"] if self._repository else []
        with contextlib.ExitStack() as stack:
            # Files, so that whatever it says is bounded as what it fetches is.
            given, out, err = (stack.enter_context(open(f"{self.directory}/{name}", "w+b")) for name in ("in", "out", "err"))
            given.write(data)
            given.seek(0)
            try:
                child = subprocess.Popen(
                    ["git", *where, *arguments],
                    stdin=given,
                    stdout=out,
                    stderr=err,
                    env=self._environment() | (more or {}),
                    cwd=self.directory,
                    preexec_fn=interrupt.ending_with(os.getpid()),
                )
            except FileNotFoundError:
                raise Fail("tool-missing", "git is not installed", Program="git", Needed_for=self.shown) from None
            try:
                self._watch(child)
            except BaseException:
                # It must be gone before its directory is.
                interrupt.end(child, GRACE)
                raise
            for file in (out, err):
                file.seek(0)
            printed = out.read(MOST_PRINTED + 1)
            if len(printed) > MOST_PRINTED:
                raise Fail("network", f"git prints more than {MOST_PRINTED} bytes of {self.shown}", Repository=self.shown)
            return child.returncode, printed, self._words(err.read(64 << 10))

    def _watch(self, child: "subprocess.Popen[bytes]") -> None:
        begun = since = time.monotonic()
        before = -1
        while True:
            try:
                child.wait(LOOK)
                return
            except subprocess.TimeoutExpired:
                size, now = owned.written(self.directory), time.monotonic()
            if size > MOST:
                much = f"{self.shown}: its newest commit is more than {MOST} bytes; does its server not allow filters?"
                raise Fail("network", much, Repository=self.shown)
            if size != before:
                before, since = size, now
            if now - since > SILENCE or now - begun > LONGEST:
                waited = f"nothing came for {SILENCE} s" if now - since > SILENCE else f"it takes more than {LONGEST} s"
                raise Fail("network", f"{self.shown}: {waited}", Repository=self.shown)

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "CT_")) or _KEPT.fullmatch(name)
        }
        made = kept | {
            "LC_ALL": "C",
            # The hour of a commit says nothing of where it was made.
            "TZ": "UTC",
            "GIT_ALLOW_PROTOCOL": _PROTOCOLS[self.scheme],
            "GIT_CEILING_DIRECTORIES": os.path.dirname(self.directory),
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
        }
        if not os.isatty(2):
            made["GIT_TERMINAL_PROMPT"] = "0"
        # As `-c`, but a URL may have an equals sign. The URL itself outranks every other http.URL.
        http = {"sslVerify": "true", "lowSpeedLimit": str((64 << 10) // 60), "lowSpeedTime": "60"}
        configured = _CONFIGURED | {f"http.{self.url}.{key}": value for key, value in http.items() if self.scheme == "https"}
        made["GIT_CONFIG_COUNT"] = str(len(configured))
        for number, (key, value) in enumerate(configured.items()):
            made |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return made

    def _words(self, said: bytes) -> str:
        """The last of what it said, without what a URL may hold, and without our directory, which will be gone."""
        lines = [line.strip() for line in re.split(r"[\r\n]+", said.decode("utf-8", "replace"))]
        told = "; ".join([line for line in lines if line and not line.startswith("hint:")][-6:])
        return _USER.sub("//", told).replace(f"{self.directory}/", "").replace(self.directory, "")[-MAX_WORDS:]


# What a directory holds: (mode, object) by name.
Tree = dict[bytes, tuple[str, str]]


def read_tree(listed: bytes) -> Tree:
    """What `git ls-tree -z` printed."""
    found: Tree = {}
    for line in listed.split(b"\0")[:-1]:
        about, _, name = line.partition(b"\t")
        mode, _, made = about.decode("ascii").split(" ")
        found[name] = (mode, made)
    return found


def spell_tree(tree: Tree) -> bytes:
    """What `git mktree -z` takes."""
    kinds: dict[str, Any] = {"040000": "tree", "160000": "commit"}
    return b"".join(f"{mode} {kinds.get(mode, 'blob')} {made}\t".encode() + name + b"\0" for name, (mode, made) in tree.items())
