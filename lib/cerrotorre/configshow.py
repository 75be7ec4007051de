"""What `ct config show` says: each setting, its value, and what decided it. For people, and as JSON."""

import os
from collections.abc import Mapping

from cerrotorre import config, gateway, keystore, places, report, suites
from cerrotorre.errors import Fail, Finding, finding
from cerrotorre.keyreport import short
from cerrotorre.settings import SETTINGS
from cerrotorre.text import shown
from cerrotorre.typed import Any

# {"setting", "value" (None: there is none), "from": "file", "default" or "environment", "variable", "read_by"}
Fact = dict[str, Any]


def facts(env: Mapping[str, str] | None = None) -> list[Fact]:
    """Every setting, in the table's order. Raises Fail as `config.read` does."""
    env = os.environ if env is None else env
    settings = config.read(env)
    made = []
    for key, setting in SETTINGS.items():
        its = settings[setting.section]
        variable, value = _environment(key, env)
        where = "environment" if variable else "file" if setting.name in its else "default"
        if not variable:
            value = its[setting.name] if setting.name in its else _default(key, env)
        made.append({"setting": key, "value": value, "from": where, "variable": variable, "read_by": list(setting.readers)})
    return made


def _environment(key: str, env: Mapping[str, str]) -> tuple[str | None, Any]:
    """(variable, value) of what outranks the file, which for --color and --format is where `ct` puts it."""
    if key == "defaults.policy" and "CT_POLICY" in env:
        return "CT_POLICY", env["CT_POLICY"]
    if key == "output.format" and env.get("CT_FORMAT", "auto") in SETTINGS[key].choices:
        return "CT_FORMAT", env["CT_FORMAT"]
    if key == "output.color" and env.get("CT_COLOR"):
        return "CT_COLOR", env["CT_COLOR"]
    if key == "output.color" and env.get("NO_COLOR"):
        return "NO_COLOR", "never"
    if key == "svalinn.url" and (variable := next((name for name in gateway.VARIABLES if env.get(name)), None)):
        return variable, env[variable]
    return None, None


def _default(key: str, env: Mapping[str, str]) -> str | list[str] | None:
    if key == "defaults.policy":
        return os.path.join(places.home_dir(env), "policy.json")
    if key == "defaults.key":
        return keystore.default_id()
    if key == "cache.dir":
        return os.path.join(places.data_dir(env), "bundles")
    return SETTINGS[key].default


def as_json(made: list[Fact]) -> str:
    return "".join(map(report.json_line, made))


def text(made: list[Fact], env: Mapping[str, str] | None = None) -> str:
    """The table of `ct config show`."""
    where = config.path(env)
    rows = [("SETTING", "VALUE", "FROM")]
    for fact in made:
        rows.append((fact["setting"], _value(fact["value"]), fact["variable"] or fact["from"]))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    table = "".join("  ".join(map(str.ljust, row, widths)).rstrip() + "\n" for row in rows)
    host = os.path.join(places.host_dir(), "policy.json")
    also = f"\nThe host's policy applies as well: {shown(host)}\n" if os.path.lexists(host) else ""
    return f"{short(where)}{'' if os.path.lexists(where) else ' (there is none)'}\n\n{table}{also}"


def _value(value: str | list[str] | None) -> str:
    if isinstance(value, list):
        return shown(", ".join(value)) or "none"
    return "-" if value is None else short(value)


def doubts(document: config.Document) -> list[Finding]:
    """Notes on valid settings that fail once they are used, or that allow more than is likely meant."""
    made = []
    key, suite = document.get("defaults", {}).get("key"), document.get("defaults", {}).get("suite")
    if key is not None:
        try:
            found = os.path.lexists(key) if "/" in key else keystore.find(key)["private"]
            said = "" if found else f"there is no '{key}'" if "/" in key else f"the key store holds no private key of {key}"
        except Fail as fail:
            said = str(fail)
        if said:
            made.append(finding("setting-doubtful", f"defaults.key: {said}", Key="defaults.key"))
    if suite is not None:
        try:
            suites.backends(suite)
        except Fail as fail:
            made.append(finding("setting-doubtful", f"defaults.suite: no backend here: {fail}", Key="defaults.suite"))
    if any(not pattern.strip("*?") for pattern in document.get("registries", {}).get("insecure", ())):
        said = "registries.insecure: '*' is every registry, so none is asked for TLS; name those that have none"
        made.append(finding("setting-doubtful", said, Key="registries.insecure"))
    return made
