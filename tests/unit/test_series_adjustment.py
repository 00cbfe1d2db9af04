"""Splits and dividends: raw bars on one scale, checked by hand and against a real split."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from station.calendars import at_et, load_calendar
from station.domain.errors import BadInput
from station.domain.instruments import Hours
from station.series import Bars, Factors, adjust, read_factors

CALENDAR = load_calendar()
FACTORS = Factors((date(2024, 7, 1), date(2024, 7, 3), date(2050, 12, 31)), (0.98, 0.99, 1.0), (0.25, 0.5, 1.0))


def days(*texts: str) -> Bars:
    starts = np.array([at_et(date.fromisoformat(text), "09:30") for text in texts], np.int64)
    flat = np.full(len(texts), 100.0)
    return Bars(starts, flat, flat + 1, flat - 1, flat, np.full(len(texts), 1_000.0))


def test_a_row_holds_up_to_and_including_its_day() -> None:
    assert FACTORS.on(date(2024, 6, 1)) == (0.98, 0.25)
    assert FACTORS.on(date(2024, 7, 1)) == (0.98, 0.25)
    assert FACTORS.on(date(2024, 7, 2)) == (0.99, 0.5)
    assert FACTORS.on(date(2024, 7, 5)) == (1.0, 1.0)
    assert FACTORS.on(date(2060, 1, 3)) == (1.0, 1.0)


def test_prices_shrink_by_both_factors_and_volume_grows_by_the_split() -> None:
    scaled = adjust(days("2024-07-01", "2024-07-02", "2024-07-05"), FACTORS, Hours.REGULAR, CALENDAR)
    assert scaled.close.tolist() == [24.5, 49.5, 100.0]
    assert scaled.high.tolist() == [101 * 0.245, 101 * 0.495, 101.0]
    assert scaled.volume.tolist() == [4_000.0, 2_000.0, 1_000.0]


def test_as_of_a_day_that_days_prices_stay_as_they_were() -> None:
    scaled = adjust(days("2024-07-01", "2024-07-02"), FACTORS, Hours.REGULAR, CALENDAR, as_of=date(2024, 7, 3))
    assert scaled.close[1] == 100.0
    assert scaled.close[0] == pytest.approx(100 * 0.98 / 0.99 * 0.5)


def test_no_bars_stay_no_bars() -> None:
    assert len(adjust(Bars.empty(), FACTORS, Hours.REGULAR, CALENDAR)) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no factor row"),
        ("20240701,0.9\n", ":1: '20240701,0.9' is no factor row"),
        ("2024-07-01,1,1,1\n", ":1: "),
        ("20240701,0,1,1\n", ":1: factors 0 and 1 must be over 0"),
        ("20240701,1,1,1\n20240701,1,1,1\n", ":2: 2024-07-01 is not after 2024-07-01"),
    ],
)
def test_bad_factors_are_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        read_factors(path)
    assert words in str(caught.value) and str(path) in str(caught.value)
    with pytest.raises(BadInput, match="cannot be read"):
        read_factors(tmp_path / "absent.csv")


def test_a_real_split_leaves_no_step(shared_data: Path) -> None:
    """Apple split 7 for 1 after 2014-06-06, whose raw close was 645.57; the next was 93.70."""
    factors = read_factors(shared_data / "reference" / "factor_files" / "aapl.csv")
    raw = days("2014-06-06", "2014-06-09")
    raw.close[:] = [645.57, 93.70]
    scaled = adjust(raw, factors, Hours.REGULAR, CALENDAR, as_of=date(2014, 6, 9))
    assert scaled.close[1] == 93.70
    assert scaled.close[0] == pytest.approx(645.57 / 7, rel=1e-4)
    assert scaled.volume[0] == pytest.approx(7_000, rel=1e-4)
    for name in ("spy", "qqq", "iwm"):
        assert len(read_factors(shared_data / "reference" / "factor_files" / f"{name}.csv").days) > 60
