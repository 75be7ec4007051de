"""The settings of config.toml: one table. Its reader, `ct config`, ct-config(5), spec/config.schema.json and the completions
derive from it, or are tested against it.

What a document may not say is a Problem; `problems` lists all of them, in the document's order.
"""

import re
from collections.abc import Iterator

from cerrotorre.text import closest, meant
from cerrotorre.typed import Any

# (expression, what it says). The expressions are the schema's; there they are anchored.
_CONTROL = r"\x00-\x1f\x7f-\x9f"
PATH = (f"[^{_CONTROL}]{{1,4096}}", "a path")
ABSOLUTE = (f"/[^{_CONTROL}]{{0,4095}}", "an absolute path")
KEY = (f"[^{_CONTROL}]{{1,4096}}", "a key id, or the path of a private key file")
HOST_PATTERN = (r"[A-Za-z0-9*?._:\[\]-]{1,255}", "a host pattern")
HOST = (r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?(?::[0-9]{1,5})?", "a host, HOST or HOST:PORT")
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# A host as references know one from a path: it has a dot or a port, or is localhost.
_HOST = rf"(?:localhost|{_LABEL}(?:(?:\.{_LABEL})+(?::[0-9]{{1,5}})?|:[0-9]{{1,5}}))"
_COMPONENT = "/[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
_PLACE = rf"{_HOST}(?:{_COMPONENT})*"
MIRROR = (f"{_PLACE}={_PLACE}", "PREFIX=MIRROR, each HOST or HOST/PATH")
REPOSITORY = (f"{_PLACE}(?:{_COMPONENT}|/)", "a repository, HOST/PATH, or where repositories lie, HOST/PATH/")
URL = (r"https?://[A-Za-z0-9._~:\[\]-]{1,255}(?:/[A-Za-z0-9._~%/-]{0,1024})?", "a URL, http://… or https://…")
SUITES = ("CT-SIG-01", "CT-SIG-02", "CT-SIG-03", "CT-SIG-04", "CT-SIG-06")


class Setting:
    """One setting: `key` is SECTION.NAME; its value is one of `choices`, or matches `grammar`, or is an array of such.

    `default` is the value without the setting, if that is always the same; else `found` says where one is looked up. `readers`
    are the commands that read it, none if none does yet.
    """

    __slots__ = ("array", "choices", "default", "found", "grammar", "key", "meaning", "name", "readers", "section")

    def __init__(
        self,
        key: str,
        meaning: str,
        grammar: tuple[str, str] = ("", ""),
        *,
        choices: tuple[str, ...] = (),
        array: bool = False,
        default: str | list[str] | None = None,
        found: str = "",
        readers: tuple[str, ...] = (),
    ) -> None:
        self.key, self.meaning, self.grammar, self.choices, self.array = key, meaning, grammar, choices, array
        self.section, _, self.name = key.partition(".")
        self.default, self.found, self.readers = default, found, readers

    @property
    def expected(self) -> str:
        """What a value must be, in words."""
        one = "one of " + ", ".join(self.choices) if self.choices else self.grammar[1]
        return f"an array, each {one}" if self.array else one

    def holds(self, value: Any) -> bool:
        """Whether this is a value of the setting."""
        if self.array:
            return isinstance(value, list) and all(map(self._holds_one, value))
        return self._holds_one(value)

    def _holds_one(self, value: Any) -> bool:
        if not isinstance(value, str):
            return False
        return value in self.choices if self.choices else re.fullmatch(self.grammar[0], value) is not None


SETTINGS = {
    setting.key: setting
    for setting in (
        Setting(
            "defaults.policy",
            "The policy file that applies if neither --policy nor CT_POLICY names one. It must exist.",
            PATH,
            found="policy.json beside config.toml",
            readers=("ct verify", "ct explain", "ct policy"),
        ),
        Setting(
            "defaults.key",
            "The key that signs if no option names one.",
            KEY,
            found="the default key of the store",
            readers=("ct pack", "ct sign", "ct attest"),
        ),
        Setting(
            "defaults.suite",
            "The signature suite of a new key if --suite names none.",
            choices=SUITES,
            default="CT-SIG-01",
            readers=("ct keygen",),
        ),
        Setting(
            "defaults.runtime",
            "The program that runs images, for the commands that run them.",
            choices=("podman", "docker", "nerdctl", "svalinn"),
            default="podman",
            readers=("ct run",),
        ),
        Setting(
            "output.format",
            "What commands that have --json print: text for people, or JSON as if --json was given. --format and CT_FORMAT outrank it.",
            choices=("text", "json"),
            default="text",
            readers=("every command that has --json",),
        ),
        Setting(
            "output.color",
            "Colour on terminals only, always or never. --color, CT_COLOR and NO_COLOR outrank it.",
            choices=("auto", "always", "never"),
            default="auto",
            readers=("every command that colours",),
        ),
        Setting(
            "registries.insecure",
            "Registries that are talked to without TLS. A pattern is a host, or a glob of hosts, whatever the port unless it names one.",
            HOST_PATTERN,
            default=[],
            array=True,
            readers=("ct pack", "ct push", "ct fetch", "ct export"),
        ),
        Setting(
            "registries.realms",
            "Hosts that a registry on another host may send a client to for a token. Credentials go to no other host than the registry's own and these.",
            HOST,
            default=[],
            array=True,
            readers=("ct pack", "ct push", "ct fetch", "ct export"),
        ),
        Setting(
            "registries.mirrors",
            "Where to read first: of a repository that PREFIX names or that lies under it, each MIRROR is asked, in this order, and then the registry itself. One that fails or does not have it is passed over. What a tag names is the word of who answers, and the bundle names that one. registries.conf is not read.",
            MIRROR,
            default=[],
            array=True,
            readers=("ct pack", "ct fetch", "ct export"),
        ),
        Setting(
            "crypto.ml_dsa",
            "What makes and checks ML-DSA signatures: what this program brings, or the library that crypto.liboqs names; liboqs without that path is an error.",
            choices=("auto", "liboqs"),
            default="auto",
            readers=("every command that makes or checks an ML-DSA signature",),
        ),
        Setting(
            "crypto.liboqs",
            "The liboqs library. It and its directory must belong to the user or root and be writable by nobody else.",
            ABSOLUTE,
            readers=("what crypto.ml_dsa names",),
        ),
        Setting(
            "cache.dir",
            "The content store: the directory that bundles are imported into.",
            PATH,
            found="cerro/bundles in $XDG_DATA_HOME or ~/.local/share",
            readers=("ct import", "ct export", "ct doctor"),
        ),
        Setting(
            "audit.dir",
            "The audit log in which every decision is kept. One that cannot be kept is no valid one.",
            PATH,
            readers=("ct verify", "ct audit"),
        ),
        Setting(
            "svalinn.repository",
            "Where Svalinn finds images that were pushed: the repository, or with a / at its end, where one lies for each name.",
            REPOSITORY,
            readers=("ct run",),
        ),
        Setting(
            "svalinn.url",
            "Svalinn's gateway. SVALINN_URL, SVALINN_ENDPOINT and SVALINN_GATEWAY_URL outrank it. Without TLS it must be on this host.",
            URL,
            default="http://127.0.0.1:8000",
            readers=("ct run",),
        ),
        Setting(
            "svalinn.logs",
            "A JSON file that names the transparency logs whose entries are passed on to Svalinn (spec/svalinn-integration.adoc).",
            PATH,
            readers=("ct run",),
        ),
    )
}
SECTIONS = tuple(dict.fromkeys(setting.section for setting in SETTINGS.values()))


class Problem:
    """What is wrong with a document: at `key`, what was expected and what was found; the nearest known one, or ""."""

    __slots__ = ("expected", "found", "key", "near")

    def __init__(self, key: str, expected: str, found: str, near: str = "") -> None:
        self.key, self.expected, self.found, self.near = key[:200], expected, found[:200], near

    def __str__(self) -> str:
        return f"{self.key}: {self.found} instead of {self.expected}{meant(self.near)}"


def problems(document: dict[str, Any]) -> Iterator[Problem]:
    """Everything in a parsed config.toml that is not a setting, or not a value of it."""
    for section, members in document.items():
        if section not in SECTIONS:
            kind = "section" if isinstance(members, dict) else "key outside any section"
            near = spelled(nearest(section))
            yield Problem(section, "one of " + ", ".join(map(spelled, SECTIONS)), f"an unknown {kind}", near)
        elif not isinstance(members, dict):
            yield Problem(section, f"a section [{section}]", _shown(members))
        else:
            yield from _members(section, members)
    crypto = document.get("crypto")
    if isinstance(crypto, dict) and crypto.get("ml_dsa") == "liboqs" and "liboqs" not in crypto:
        yield Problem("crypto.liboqs", "the absolute path of the library that crypto.ml_dsa asks for", "nothing")


def _members(section: str, members: dict[str, Any]) -> Iterator[Problem]:
    for name, value in members.items():
        key = f"{section}.{name}"
        setting = SETTINGS.get(key)
        if setting is None:
            known = ", ".join(one.name for one in SETTINGS.values() if one.section == section)
            yield Problem(key, f"one of {known}", "an unknown key", spelled(nearest(key)))
        elif not setting.holds(value):
            near = closest(value, setting.choices) if isinstance(value, str) else ""
            yield Problem(key, setting.expected, _shown(value), near and f'"{near}"')


def nearest(key: str) -> str:
    """The known SECTION.NAME, or SECTION, that an unknown one was likely meant to be, or ""."""
    section, dot, name = key.rpartition(".")
    names = tuple(dict.fromkeys(setting.name for setting in SETTINGS.values()))
    if not dot and name not in names and (near := closest(name, SECTIONS)):
        return near
    # The section that was named, one spelled nearly like it, any.
    for where in (section, closest(section, SECTIONS), ""):
        there = tuple(setting.name for setting in SETTINGS.values() if where in ("", setting.section))
        if near := closest(name, there):
            return next(one.key for one in SETTINGS.values() if one.name == near and where in ("", one.section))
    return ""


def spelled(key: str) -> str:
    """SECTION.NAME or SECTION as the manual spells it: `[output] color`, `[output]`."""
    section, _, name = key.partition(".")
    return f"[{section}] {name}".strip() if section else ""


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a table"
    return str(value).lower() if isinstance(value, bool) else repr(value)
