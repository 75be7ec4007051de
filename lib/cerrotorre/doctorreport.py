"""What `ct doctor` prints: for people, as the checks are made; and as JSON, an object a check (spec/doctor.schema.json)."""

from cerrotorre import doctor, report
from cerrotorre.diagnosis import Diagnosis
from cerrotorre.doctor import Check
from cerrotorre.doctorsetup import counted
from cerrotorre.palette import Palette
from cerrotorre.text import shown

# Details that are printed of one check; JSON has more.
MOST = 20
_MARKS = {"pass": "ok", "warn": "~", "fail": "x"}
_WIDTH = max(len(check.name.partition(".")[2]) for check in doctor.CHECKS)


def as_json(check: Check, found: Diagnosis) -> str:
    return report.json_line(found.object(check.name))


def text(check: Check, found: Diagnosis, before: str, palette: Palette) -> str:
    """The lines of one check, under the title of its group where `before`, the last one's name, was of another."""
    group, _, name = check.name.partition(".")
    title = ""
    if before.partition(".")[0] != group:
        title = ("\n" if before else "") + palette.paint("bold", doctor.GROUPS[group]) + "\n"
    lines = [f"  {palette.mark(_MARKS[found.status])} {name:<{_WIDTH}}  {shown(found.said)}".rstrip()]
    for detail in found.details[:MOST]:
        about = f" ({detail['finding']})" if detail["finding"] else ""
        lines.append(f"      {palette.mark(_MARKS[detail['status']])} {shown(detail['said'])}{about}")
        lines += [f"          {shown(command)}" for command in detail["try"]]
    if left := len(found.details) - MOST + found.more if len(found.details) > MOST else 0:
        lines.append(f"      {left} more: ct doctor --json")
    lines += [f"      {palette.mark('ok')} fixed: {shown(done)}" for done in found.fixed]
    return title + "\n".join(lines) + "\n"


def end(statuses: list[str], *, skipped: int, fixed: int | None) -> str:
    """The last line: how many checks said what. `fixed` is None unless something was to be fixed."""
    parts = [f"{statuses.count('pass')} passed", counted(statuses.count("warn"), "warning"), f"{statuses.count('fail')} failed"]
    made = f"{counted(len(statuses), 'check')}: {', '.join(parts)}"
    more = f"; {skipped} not made (--quick)" if skipped else ""
    repaired = "" if fixed is None else f"; {counted(fixed, 'thing')} fixed" if fixed else "; nothing to fix"
    return f"\n{made}{more}{repaired}\n"
