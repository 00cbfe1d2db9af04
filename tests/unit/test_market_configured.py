"""Sources as configured: built from settings, and used by a whole station."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from config.files import ConfigError
from config.settings import load_settings
from station.calendars import load_calendar
from station.clock import Activity, VirtualClock
from station.engine.sources import market_limits, market_sources
from tests.lab import Lab, play


def configured(tmp_path: Path, **market: object):
    given = {f"market.{name}": value for name, value in market.items()}
    return load_settings(given, environ={}, env_file=tmp_path / ".env")


def test_nothing_is_configured_by_default(tmp_path: Path) -> None:
    settings = configured(tmp_path)
    activity = Activity(ordered=False)
    sources = market_sources(settings, VirtualClock(0), load_calendar(), activity, date(2026, 11, 18))
    assert sources.order_of("SPX") == ("broker",)
    limits = market_limits(settings)
    assert (limits.latency_p95_ms, limits.divergence_pct) == (200.0, 0.1)
    assert (limits.skew_alarm_ms, limits.skew_block_ms) == (1_000.0, 5_000.0)


def test_folder_and_service_follow_the_broker_in_the_order_set(tmp_path: Path) -> None:
    settings = configured(
        tmp_path, bars_folder=str(tmp_path), rest_url="https://bars.example",
        sources={"SPY": ["rest", "broker"]},
    )  # fmt: skip
    activity = Activity(ordered=False)
    sources = market_sources(settings, VirtualClock(0), load_calendar(), activity, date(2026, 11, 18))
    assert sources.order_of("SPX") == ("broker", "folder", "rest")
    assert sources.order_of("SPY") == ("rest", "broker")
    assert sources.named("folder") is not None and sources.named("none") is None


@pytest.mark.parametrize(
    ("market", "words"),
    [
        ({"second_source": "folder"}, "second_source names folder, which needs market.bars_folder"),
        ({"sources": {"SPX": ["rest"]}}, "sources.SPX names rest, which needs market.rest_url"),
        ({"rest_url": "bars.example"}, "market.rest_url"),
        ({"record": "some"}, "market.record"),
    ],
)
def test_a_source_that_is_named_must_be_configured(tmp_path: Path, market, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, **market)
    assert words in str(caught.value)


def test_a_second_source_that_contradicts_the_broker_is_an_alert_of_the_station(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = tmp_path / "bars"
    bars.mkdir()
    rows = "\n".join(f"2026-11-18T14:{minute:02}:00Z,1,1,1,1,1" for minute in range(30, 59))
    (bars / "SPY.csv").write_text(f"ts_utc,open,high,low,close,volume\n{rows}\n")
    monkeypatch.setenv("VIGIL_MARKET__BARS_FOLDER", str(bars))
    monkeypatch.setenv("VIGIL_MARKET__SECOND_SOURCE", "folder")

    async def work() -> None:
        async with Lab(tmp_path / "runtime") as lab:
            await lab.until("09:35")
            (told,) = [text for text in lab.events("alert") if "differs from folder" in text]
            assert "SPY differs from folder" in told
            assert lab.rooms.market.health("SPY").score <= 60
            assert lab.rooms.market.health("SPX").score == 100

    play(work)
