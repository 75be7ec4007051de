"""findings_page.py [--write]: ct-findings(7) and the table of spec/findings.adoc, made from the catalogue.

Prints the page, or with --write replaces both.
"""

import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "man" / "ct-findings.7"
SPEC = ROOT / "spec" / "findings.adoc"

HEAD = r""".\" Made from lib/cerrotorre/errors.py by tests/findings_page.py --write. Do not edit.
.Dd November 22, 2026
.Dt CT-FINDINGS 7
.Os "Cerro Torre"
.Sh NAME
.Nm ct-findings
.Nd everything that Cerro Torre can find wrong
.Sh DESCRIPTION
A finding has a name that never changes its meaning, and an exit status.
.Ic ct verify --json
gives the name in
.Li finding ,
and
.Ic ct explain Ar FINDING
explains it.
.Pp
The findings are listed here in the order of the checks.
The first one in this order decides the exit status of a bundle;
what keeps a bundle from being judged at all ranks before everything else.
A note has no status and decides nothing.
.Xr ct 1
has the table of exit statuses.
"""

TITLES = {
    "": "Not judged",
    "structure": "Structure",
    "signatures": "Signatures",
    "trust": "Trust",
    "policy": "Policy",
    "attestations": "Attestations",
    "content": "Content",
}

TAIL = r""".Sh SEE ALSO
.Xr ct 1 ,
.Xr ct-explain 1 ,
.Xr ct-verify 1 ,
.Xr cerro-torre 7
"""


def escaped(text: str) -> str:
    """The text as roff takes it literally, also at the start of a line."""
    made = "".join(
        char if char.isascii() else f"\\[u{ord(char):04X}]" for char in text.replace("\\", "\\e").replace("…", "...")
    )
    return ("\\&" if made[:1] in (".", "'") else "") + made


def sentences(text: str) -> str:
    """A sentence a line, as mdoc wants it."""
    return "".join(escaped(line) + "\n" for line in text.replace(". ", ".\n").replace("? ", "?\n").split("\n"))


def entry(slug: str, row: tuple) -> str:
    status, _, summary, why, *tries = row
    lines = f".It Li {slug} Pq {status or 'note'}\n{escaped(summary[0].upper() + summary[1:])}.\n{sentences(why)}"
    return lines + "".join(f".Pp\n.Dl {escaped(command)}\n" for command in tries)


def catalogue() -> types.ModuleType:
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(ROOT / "lib"))
    from cerrotorre import errors

    return errors


def spec() -> str:
    """The specification's text with its table made anew."""
    errors = catalogue()
    rows = [
        f"| `{slug}` | {row[0] or 'note'} | {row[1] or '-'} | {row[2]}\n"
        for check in errors.CHECKS
        for slug, row in errors.CATALOGUE.items()
        if row[1] == check
    ]
    head, mark, _ = SPEC.read_text().partition("| finding | status | check | summary\n")
    return f"{head}{mark}\n{''.join(rows)}|===\n"


def page() -> str:
    errors = catalogue()
    made = HEAD
    for check in errors.CHECKS:
        made += f".Ss {TITLES[check]}\n.Bl -tag -width Ds\n"
        made += "".join(entry(slug, row) for slug, row in errors.CATALOGUE.items() if row[1] == check)
        made += ".El\n"
    return made + TAIL


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page())
        SPEC.write_text(spec())
    else:
        sys.stdout.write(page())
