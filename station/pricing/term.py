"""How much variance the market still expects until an expiry: most of it comes while the exchange is open."""

from __future__ import annotations

import math
from datetime import date
from typing import Final

import numpy as np

from station.calendars import Calendar, at_et, et_date
from station.domain.clock import HOUR
from station.domain.instruments import Hours

SESSION_SHARE: Final = 0.75
SESSIONS_A_YEAR: Final = 252
USUAL_LEVEL: Final = 0.19
GRACE_YEARS: Final = 7.0 / 365.0
"""Up to a week before its expiry an option is priced without carry, rates or a lean of the term structure."""
_LEAN: Final = 4.0
_FULL_SESSION_NS: Final = 13 * HOUR // 2


class TradingTime:
    """Trading years to the close of one expiry date: a full session carries three quarters of a day's variance,
    the night before it the rest (a half day carries its share)."""

    def __init__(self, calendar: Calendar, from_ns: int, expiry_ns: int) -> None:
        """For instants from `from_ns` on (UTC ns); counting starts over only with a new object."""
        spans = calendar.sessions(Hours.REGULAR, et_date(from_ns), et_date(expiry_ns))
        self._opens = np.array([span.open_ns for span in spans], np.int64)
        self._closes = np.array([min(span.close_ns, expiry_ns) for span in spans], np.int64)
        self._expiry_ns = expiry_ns

    def years(self, at_ns: int) -> float:
        """Trading years from an instant to the expiry, 0 once it has passed."""
        if at_ns >= self._expiry_ns:
            return 0.0
        open_ns = np.clip(self._closes - np.maximum(self._opens, at_ns), 0, None).sum() / _FULL_SESSION_NS
        nights = int((self._opens > at_ns).sum())
        return float(SESSION_SHARE * open_ns + (1 - SESSION_SHARE) * nights) / SESSIONS_A_YEAR


def expiry_vol(vix_vol: float, trading_years: float, calendar_years: float) -> float:
    """The at-the-money volatility, per ACT/365 year, that spreads a VIX-like level over trading time only.

    Half-way through a session a 16 % VIX reads as some 32 % by the calendar, as 0DTE chains do. 0 without time.
    """
    if calendar_years <= 0.0:
        return 0.0
    return vix_vol * float(np.sqrt(trading_years / calendar_years))


def term_level(level: float, calendar_years: float, usual: float = USUAL_LEVEL) -> float:
    """The volatility level for an expiry further off: from a week on it leans towards what is `usual`, so that
    a stressed market's term structure falls and a calm one's rises. Total variance never falls with time."""
    beyond = _LEAN * (calendar_years - GRACE_YEARS)
    if beyond <= 0.0:
        return level
    share = -math.expm1(-beyond) / beyond
    return math.sqrt(usual * usual + (level * level - usual * usual) * share)


def expiry_instant(expiry: str, calendar: Calendar, *, morning: bool = False) -> int:
    """The instant, UTC ns, at which an expiry `YYYYMMDD` ceases: its regular session's close (where `morning`,
    its open), or 16:00 (09:30) ET on a day without one. Raises ValueError for a text that is no date."""
    day = date(int(expiry[:4]), int(expiry[4:6]), int(expiry[6:8]))
    span = calendar.on(Hours.REGULAR, day)
    if span is None:
        return at_et(day, "09:30" if morning else "16:00")
    return span.open_ns if morning else span.close_ns
