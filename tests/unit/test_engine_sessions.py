"""Whole sessions: one seed, one digest; flat by the rule; real days; every book agrees."""

from __future__ import annotations

from pathlib import Path

import pytest

from station.calendars import at_et
from station.domain.clock import SECOND
from tests.crash import judge
from tests.lab import DAY
from tests.sessions import DOUBLED, FIVE, YEAR, flat_by, paper, replay


def test_a_whole_paper_session_is_clean_and_flat_a_minute_after_the_close(tmp_path: Path) -> None:
    done = paper(tmp_path, 4)
    assert done["closed"] >= 1
    assert done["violations"] == 0
    assert judge(tmp_path) == []
    assert flat_by(tmp_path, at_et(DAY, "16:00") + 60 * SECOND)


def test_one_seed_has_one_digest_at_any_speed_and_hash_seed(tmp_path: Path) -> None:
    """Also where a directory makes its market's past itself."""
    digests = set()
    (tmp_path / "b" / "cache").mkdir(parents=True)
    for name, speed, hash_seed in (("a", "max", "0"), ("b", "max", "4711"), ("c", "900", "1")):
        runtime = tmp_path / name
        done = paper(runtime, 3, "--until", "09:56", speed=speed, PYTHONHASHSEED=hash_seed)
        assert done["closed"] == 2
        digests.add(done["digest"])
    assert len(digests) == 1


def test_another_seed_has_another_digest(tmp_path: Path) -> None:
    one = paper(tmp_path / "a", 3, "--until", "09:42")
    other = paper(tmp_path / "b", 7, "--until", "09:42")
    assert one["digest"] != other["digest"]


def test_a_stopped_session_goes_on_where_it_was(tmp_path: Path) -> None:
    first = paper(tmp_path, 3, "--until", "09:48")
    assert first["closed"] == 0
    second = paper(tmp_path, 3, "--until", "09:56")
    assert second["closed"] == 2
    assert judge(tmp_path) == []


@pytest.mark.parametrize(
    ("file", "day", "trades"), [(YEAR, "2024-04-10", 2), (YEAR, "2024-07-03", 0), (DOUBLED, "2021-02-24", 0)]
)
def test_a_real_spy_day_replays_clean(
    shared_data: Path, tmp_path: Path, file: str, day: str, trades: int
) -> None:
    done = replay(tmp_path, shared_data / "bars_1m" / file, day)
    assert done["violations"] == 0
    assert judge(tmp_path) == []
    assert flat_by(tmp_path, 2**62)
    assert done["closed"] >= trades
    assert (done["dirt"].get("duplicate", 0) > 0) == (file == DOUBLED)


def test_five_real_symbols_are_replayed_at_once(shared_data: Path, tmp_path: Path) -> None:
    """XLK and XLF are not in the catalogue; SPY trades among them."""
    bars = shared_data / "bars_1m" / FIVE
    done = replay(tmp_path, bars, "2025-10-10", "SPY,QQQ,NVDA,XLK,XLF", "--until", "10:00")
    assert (done["violations"], done["trades"]) == (0, 1)
