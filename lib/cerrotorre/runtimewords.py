"""The words that go to a runtime before the image: none of them may be taken for the image (spec/running.adoc, "Words").

A runtime takes its first word that is neither an option nor an option's value for the image, and what follows for the command.
"""

from cerrotorre.errors import Fail

# Options of podman run, docker run and nerdctl run that take their value from the next word, in all of them that know the option;
# and those that take none. One that is in neither list is spelled --option=value: else its value might be what passes for an option
# here, and the image what passes for that one's value.
_SPELLED = """
    add-host annotation attach blkio-weight cap-add cap-drop cgroup-conf cgroup-parent cgroupns cgroups cidfile conmon-pidfile
    cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems detach-keys device device-cgroup-rule
    device-read-bps device-read-iops device-write-bps device-write-iops dns dns-option dns-search entrypoint env env-file expose
    gidmap gpus group-add health-cmd health-interval health-retries health-start-period health-timeout hostname image-volume ip ip6
    ipc isolation label label-file link log-driver log-opt mac-address memory memory-reservation memory-swap memory-swappiness
    mount name network network-alias oom-score-adj personality pid pidfile pids-limit pod publish requires restart runtime secret
    security-opt shm-size stop-signal stop-timeout subgidname subuidname sysctl systemd timeout tmpfs tz uidmap ulimit umask user
    userns uts volume volumes-from workdir
"""
_SWITCHES = """
    detach disable-content-trust env-host help http-proxy init interactive no-healthcheck no-hosts oom-kill-disable passwd privileged
    publish-all quiet read-only read-only-tmpfs replace rm rmi sig-proxy tls-verify tty unsetenv-all
"""
_VALUED, _BARE = frozenset(_SPELLED.split()), frozenset(_SWITCHES.split())
_LETTERS, _VALUED_LETTERS = frozenset("ditPq"), frozenset("acehlmpuvw")
_REFUSED = {"pull": "the image is here, and nothing is pulled", "rootfs": "what runs is the image that was verified"}
# Options of the runtimes themselves that `run` takes too: it would look elsewhere than where the image was loaded.
_ELSEWHERE = """
    address connection context data-root host identity imagestore module namespace remote root runroot snapshotter storage-driver
    transient-store url
"""
_REFUSED |= dict.fromkeys(_ELSEWHERE.split(), "the image is looked for where it was loaded")


def split(words: list[str]) -> tuple[list[str], list[str]]:
    """(the words for the runtime, the command) of what stood behind `--`. Raises Fail usage unless the image will be the image."""
    at = words.index("--") if "--" in words else len(words)
    arguments, command = words[:at], words[at + 1 :]
    wants = ""
    for word in arguments:
        wants = "" if wants else _option(word)
    if wants:
        raise Fail("usage", f"{wants} needs a value")
    return arguments, command


def _option(word: str) -> str:
    """The option, if its value is the next word, else "". Raises Fail usage for a word that is no option, and options out of place."""
    if word[:1] != "-" or word == "-":
        detail = f"{word[:100]!r} would be taken for the image: a value is attached, --option=value, and the command follows a second --"
        raise Fail("usage", detail, Word=word[:100])
    if word.startswith("--"):
        name, equals, _ = word[2:].partition("=")
        if name in _REFUSED:
            raise Fail("usage", f"--{name}: {_REFUSED[name]}")
        if equals or name in _BARE:
            return ""
        if name not in _VALUED:
            raise Fail(
                "usage", f"{word[:100]!r} is not known to be without a value: --option=value, or --option=true", Word=word[:100]
            )
        return word
    for number, letter in enumerate(word[1:], 2):
        if letter in _VALUED_LETTERS:
            return word if number == len(word) else ""
        if letter not in _LETTERS:
            raise Fail(
                "usage", f"{word[:100]!r}: no runtime has the option -{letter}; long ones are spelled --option", Word=word[:100]
            )
    return ""
