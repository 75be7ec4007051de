"""Times: what is spelled is read back, and nothing else is a time."""

import datetime

import pytest
from cerrotorre import times
from hypothesis import given
from hypothesis import strategies as st


@given(st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31, 23, 59, 59)))
def test_spell_and_epoch_are_inverse(moment):
    text = moment.isoformat(timespec="seconds") + "Z"
    assert times.is_time(text)
    assert times.epoch(text) == (moment.replace(microsecond=0) - datetime.datetime(1970, 1, 1)) // datetime.timedelta(seconds=1)
    assert times.spell(times.epoch(text)) == text


def test_days_have_a_first_and_a_last_second():
    assert times.epoch("1970-01-02") == 86400
    assert times.epoch("1970-01-02", end_of_day=True) == 2 * 86400 - 1


@pytest.mark.parametrize(
    "text",
    ["", "2026", "2026-1-01", "2026-13-01", "2026-02-29", "2100-02-29", "0000-01-01", "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z",
     "2026-01-01T00:00:00", "2026-01-01 00:00:00Z", "2026-01-01T00:00:00+00:00", "２０２６-01-01", "2026-01-01\n"],
)  # fmt: skip
def test_refused(text):
    with pytest.raises(ValueError):
        times.epoch(text)
    assert not times.is_time(text)
