"""config_texts.py [--write]: what is made from the table of settings: the list in ct-config(5), and spec/config.schema.json.

Without --write it lists the files that differ from what is committed, and exits 1 if there are any.
"""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path.append(str(ROOT / "lib"))

from cerrotorre.settings import SECTIONS, SETTINGS, Setting  # noqa: E402
from findings_page import sentences  # noqa: E402

PAGE = ROOT / "man" / "ct-config.5"
SCHEMA = ROOT / "spec" / "config.schema.json"
BEGIN = '.\\" Made from lib/cerrotorre/settings.py by tests/config_texts.py --write, to the end of the list.\n'
END = ".El\n.Sh ENVIRONMENT\n"


def default(setting: Setting) -> str:
    if setting.default == []:
        return "none"
    return setting.found or str(setting.default or "none")


def described(setting: Setting) -> str:
    """The entry of one setting."""
    kind = setting.expected[:1].upper() + setting.expected[1:]
    readers = f"Read by {', '.join(setting.readers)}." if setting.readers else "No command reads it yet."
    text = f"{kind}. {setting.meaning} Default: {default(setting)}. {readers}"
    return f".It Cm [{setting.section}] {setting.name}\n{sentences(text)}"


def page() -> str:
    """ct-config(5), with the list of settings as the table has it."""
    text = PAGE.read_text()
    start = text.index(BEGIN) if BEGIN in text else text.index(".Bl -tag -width Ds\n")
    made = "".join(map(described, SETTINGS.values()))
    return f"{text[:start]}{BEGIN}.Bl -tag -width Ds\n{made}{text[text.index(END) :]}"


def value(setting: Setting) -> dict[str, Any]:
    """The schema of a setting's value."""
    one: dict[str, Any] = {"enum": list(setting.choices)}
    if not setting.choices:
        # `$` alone would let a newline through at the end.
        one = {"type": "string", "pattern": f"^(?:{setting.grammar[0]})(?!\\n)$"}
    made = {"description": setting.meaning, **({"type": "array", "items": one} if setting.array else one)}
    return made if setting.default is None else {**made, "default": setting.default}


def schema() -> dict[str, Any]:
    """The JSON Schema of config.toml."""

    def section(name: str) -> dict[str, Any]:
        its = {setting.name: value(setting) for setting in SETTINGS.values() if setting.section == name}
        return {"type": "object", "additionalProperties": False, "properties": its}

    sections = {name: section(name) for name in SECTIONS}
    sections["crypto"] |= {
        "if": {"required": ["ml_dsa"], "properties": {"ml_dsa": {"const": "liboqs"}}},
        "then": {"required": ["liboqs"]},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://cerro-torre.org/schema/config/1",
        "title": "Cerro Torre settings",
        "description": "What a config.toml may say; ct-config(5) says what it means. Every key that is not named here is an error.",
        "type": "object",
        "additionalProperties": False,
        "properties": sections,
    }


MADE = {PAGE: page, SCHEMA: lambda: json.dumps(schema(), indent=2) + "\n"}


def main(arguments: list[str]) -> int:
    different = []
    for path, make in MADE.items():
        if arguments == ["--write"]:
            path.write_text(make())
        elif not path.is_file() or path.read_text() != make():
            different.append(str(path.relative_to(ROOT)))
    print("\n".join(different), end="\n" if different else "")
    return bool(different)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
