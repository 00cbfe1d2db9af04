"""From an instrument's state to what the trader sees: mode, age and score."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from station.calendars import Calendar
from station.domain.clock import SECOND, utc_text
from station.domain.instruments import Hours, Instrument, SecType
from station.domain.market import FeedHealth, FeedMode, Grade
from station.market.feed import Feed

STALE_AFTER_S: Final = 15.0
STALE_INDEX_AFTER_S: Final = 30.0
"""Indexes are printed by a schedule (VIX every 15 s), so silence means less."""
STALE_EXTENDED_AFTER_S: Final = 120.0
GOOD_SCORE: Final = 70
_NEVER_S: Final = 1e9


def farm_serves(farm: str, instrument: Instrument) -> bool:
    """Whether a broker's data farm carries the instrument. IBKR's names: `usfuture…` futures, `usopt…` options,
    `…hmds` history, `usfarm…`, `cashfarm` and the rest everything else; an unnamed farm carries all."""
    name = farm.lower()
    if not name:
        return True
    if "hmds" in name or "opt" in name:
        return False
    if "fut" in name:
        return instrument.sec_type is SecType.FUTURE
    if name.startswith("usfarm"):
        return instrument.sec_type is not SecType.FUTURE
    return True


def judge(feed: Feed, calendar: Calendar, now_ns: int, backfilling: bool, note: str) -> FeedHealth:
    """The feed's health at `now_ns`; `backfilling` tells that a history request is out."""
    age_s = (now_ns - feed.last_update_ns) / SECOND if feed.last_update_ns else _NEVER_S
    score = _score(feed, calendar, now_ns, age_s)
    mode, why = _mode(feed, calendar, now_ns, age_s, score, backfilling)
    said = "; ".join(text for text in (why, note) if text)
    return FeedHealth(
        feed.instrument.symbol,
        mode,
        feed.source,
        age_s,
        feed.outages.count,
        score,
        throttled=now_ns < feed.throttled_until_ns,
        note=said,
    )


def blocked_by_clock(health: FeedHealth, why: str) -> FeedHealth:
    """The health while our clock is too far from the venue's: no price's age can be believed (FAULTS 49)."""
    mode = health.mode if health.mode is FeedMode.CLOSED else FeedMode.DEGRADED
    return replace(health, mode=mode, score=0, note="; ".join(text for text in (why, health.note) if text))


def _mode(
    feed: Feed, calendar: Calendar, now_ns: int, age_s: float, score: int, backfilling: bool
) -> tuple[FeedMode, str]:
    if calendar.at(feed.instrument.hours, now_ns) is None:
        return FeedMode.CLOSED, ""
    if feed.competing:
        return FeedMode.STALE, "another session takes the market data"
    if feed.outages.down_since_ns is not None:
        return FeedMode.STALE, f"no stream since {utc_text(feed.outages.down_since_ns)}"
    troubled = [series for series in feed.series.values() if series.trouble]
    if backfilling and feed.owes_history:
        return FeedMode.BACKFILLING, ""
    if troubled:
        return FeedMode.DEGRADED, f"{troubled[0].timeframe.value}: {troubled[0].trouble}"
    if feed.grade is not Grade.LIVE:
        return FeedMode.DELAYED, f"market data is {feed.grade.name.lower().replace('_', ' ')}"
    if feed.halted:
        return FeedMode.LIVE, "trading halted"
    if age_s > _stale_after_s(feed, calendar, now_ns):
        return FeedMode.STALE, "no update"
    if feed.owes_history:
        return FeedMode.BACKFILLING, "bars are missing"
    if score < GOOD_SCORE:
        return FeedMode.DEGRADED, f"quality {score} under {GOOD_SCORE}"
    return FeedMode.LIVE, ""


def _stale_after_s(feed: Feed, calendar: Calendar, now_ns: int) -> float:
    if feed.instrument.sec_type is SecType.INDEX:
        return STALE_INDEX_AFTER_S
    if feed.instrument.hours is Hours.EXTENDED and calendar.at(Hours.REGULAR, now_ns) is None:
        return STALE_EXTENDED_AFTER_S
    return STALE_AFTER_S


def _score(feed: Feed, calendar: Calendar, now_ns: int, age_s: float) -> int:
    """100 less what the counters cost, 40 for missing bars, 40 for silence in session, 60 for data not live."""
    score = 100 - feed.quality.penalty(now_ns)
    if feed.outages.earliest_ns is not None:
        score -= 40
    if feed.grade is not Grade.LIVE or feed.competing:
        score -= 60
    elif not feed.halted and calendar.at(feed.instrument.hours, now_ns) is not None:
        score -= 40 if age_s > _stale_after_s(feed, calendar, now_ns) else 0
    return max(score, 0)
