"""Times as the formats spell them: YYYY-MM-DDTHH:MM:SSZ, and days as YYYY-MM-DD. The clock is always the caller's."""

import re
import time

_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)Z)?", re.ASCII)
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
EPOCH_DAY = 719468  # days from 0000-03-01 to 1970-01-01


def spell(epoch: int) -> str:
    """Seconds since 1970 as YYYY-MM-DDTHH:MM:SSZ."""
    # strftime's %Y does not pad years before 1000 everywhere.
    return "{:04d}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}Z".format(*time.gmtime(epoch))


def epoch(text: str, *, end_of_day: bool = False) -> int:
    """Seconds since 1970 of a time, or of the start (or last second) of a day. Raises ValueError for anything else."""
    match = _TIME.fullmatch(text)
    if not match:
        raise ValueError(f"{text[:40]!r} is not YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ")
    year, month, day = int(match[1]), int(match[2]), int(match[3])
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if year < 1 or not 1 <= month <= 12 or not 1 <= day <= _DAYS[month - 1] + (leap and month == 2):
        raise ValueError(f"{text!r} is not a day of the calendar")
    hour, minute, second = (int(part) for part in match.groups()[3:]) if match[4] else (23, 59, 59) if end_of_day else (0, 0, 0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"{text!r} is not a time of day")
    # Days from the civil calendar, with years that begin in March so that the leap day comes last.
    shifted = year - (month <= 2)
    era_day = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = 365 * shifted + shifted // 4 - shifted // 100 + shifted // 400 + era_day - EPOCH_DAY
    return days * 86400 + hour * 3600 + minute * 60 + second


def is_time(text: object) -> bool:
    """Whether this is exactly YYYY-MM-DDTHH:MM:SSZ, a time of the calendar."""
    if not isinstance(text, str) or len(text) != 20:
        return False
    try:
        epoch(text)
    except ValueError:
        return False
    return True


_DATE = re.compile(r"[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d:\d\d:\d\d) GMT", re.ASCII)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date(text: str) -> int | None:
    """Seconds since 1970 of a Date header (RFC 9110 §5.6.7, IMF-fixdate), None for anything else."""
    match = _DATE.fullmatch(text)
    if not match or match[2] not in _MONTHS:
        return None
    try:
        return epoch(f"{match[3]}-{_MONTHS.index(match[2]) + 1:02d}-{match[1]}T{match[4]}Z")
    except ValueError:
        return None
