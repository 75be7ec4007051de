"""The findings catalogue, as `ct explain FINDING` and `ct explain --list` show it."""

from cerrotorre import errors
from cerrotorre.report import json_line


def listing(as_json: bool) -> str:
    """Every finding, a line each, in the table's order."""
    if as_json:
        return "".join(entry(slug, True) for slug in errors.CATALOGUE)
    width = max(map(len, errors.CATALOGUE))
    return "".join(f"{slug:<{width}}  {row[0]:>3}  {row[2]}\n" for slug, row in errors.CATALOGUE.items())


def entry(slug: str, as_json: bool) -> str:
    """One finding: its status, check, meaning and what to try. Raises Fail usage if there is none of that name."""
    if slug not in errors.CATALOGUE:
        raise errors.Fail("usage", f"{slug!r} is neither a file nor a finding: ct explain --list")
    made = errors.finding(slug)
    name, meaning = errors.STATUSES[made["status"]]
    if as_json:
        return json_line({key: made[key] for key in ("finding", "status", "check", "summary", "why", "try")})
    lines = [
        f"{slug}: {made['summary']}",
        "",
        f"  Status  {made['status']} ({name}: {meaning})"
        if made["status"]
        else "  Status  none: a note, which decides nothing",
        f"  Check   {made['check'] or 'none: the bundle could not be judged'}",
        "",
        f"  {made['why']}",
    ]
    return "\n".join([*lines, *([""] if made["try"] else []), *(f"  Try: {command}" for command in made["try"])]) + "\n"
