"""What a class of options promises: when it ends, how it may be exercised, what its underlying costs to hold.

SPXW, SPY and the like end at the close of their date; SPX, third Fridays only, is settled on that morning's
opening price and last traded the session before. Index options are European, all others American: the right is
priced, nobody uses it. Options on shares would be settled in shares; here every class is settled in cash at its
intrinsic value, which is what delivering and closing out at the same price comes to.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final, NamedTuple

from station.brokers.paper.instruments import front_expiry, third_friday
from station.calendars import Calendar
from station.domain.instruments import Contract, Hours, Instrument, SecType

MORNING_CLASS: Final = "SPX"
RATE: Final = 0.043
_YIELD: Final = {"SPX": 0.013, "SPY": 0.013, "QQQ": 0.006, "IWM": 0.012}
DAILIES: Final = 5
WEEKLIES: Final = 4
MONTHLIES: Final = 3
_DAILY: Final = frozenset(("SPX", "SPY", "ES", "NQ", "QQQ", "IWM"))


class Exercise(NamedTuple):
    """`american`: at any time; `carry`: what the underlying costs a year to hold, as a share of it."""

    american: bool
    carry: float


def exercise(instrument: Instrument) -> Exercise:
    """How the options of an instrument are exercised."""
    if instrument.sec_type is SecType.FUTURE:
        return Exercise(american=True, carry=0.0)
    return Exercise(instrument.sec_type is SecType.STOCK, RATE - _YIELD.get(instrument.symbol, 0.0))


def in_the_morning(contract: Contract) -> bool:
    """Whether it is settled at the open of its date."""
    return contract.symbol == "SPX" and contract.trading_class == MORNING_CLASS and contract.is_option


class Dates:
    """The expiries that are listed in one session, `YYYYMMDD`, ascending."""

    def __init__(self, session: date, open_ns: int, calendar: Calendar) -> None:
        self._session = session
        self._calendar = calendar
        days, at_ns = [session], open_ns
        while len(days) < DAILIES:
            span = calendar.next_after(Hours.REGULAR, at_ns)
            days.append(span.day)
            at_ns = span.open_ns
        self.dailies = tuple(map(_text, days))
        friday = session + timedelta(days=(4 - session.weekday()) % 7)
        weeks = (friday + timedelta(days=7 * n) for n in range(WEEKLIES + 1))
        self._fridays = tuple(map(self._traded, weeks))
        months = (third_friday(*_month(session, n)) for n in range(MONTHLIES + 1))
        self._thirds = tuple(day for day in months if day >= session)[:MONTHLIES]

    def of(self, instrument: Instrument) -> tuple[str, ...]:
        """Of the instrument's own class. Futures list what ends before their front month does."""
        found = {_text(day) for day in (*self._fridays, *map(self._traded, self._thirds))}
        if instrument.symbol in _DAILY:
            found |= {*self.dailies}
        if instrument.sec_type is SecType.FUTURE:
            last = _text(front_expiry(self._session))
            found = {day for day in found if day <= last or day in self.dailies}
        return tuple(sorted(day for day in found if day >= self.dailies[0]))

    def mornings(self) -> tuple[str, ...]:
        """Of SPX: third Fridays to come; on its own date it no longer trades."""
        return tuple(_text(day) for day in map(self._traded, self._thirds) if day > self._session)

    def _traded(self, day: date) -> date:
        """The day, or the session before a holiday."""
        open_there = self._calendar.on(Hours.REGULAR, day) is not None
        return day if open_there else self._calendar.previous(Hours.REGULAR, day).day


def _month(day: date, later: int) -> tuple[int, int]:
    years, month = divmod(day.month - 1 + later, 12)
    return day.year + years, month + 1


def _text(day: date) -> str:
    return f"{day:%Y%m%d}"
