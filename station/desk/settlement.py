"""What expired unsold is closed at settlement (SPEC §10 rule 5, FAULTS 38, 51): the trading class says when,
and at which price of the underlying."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Final

from station.calendars import Calendar, SessionSpan, et_date
from station.domain.broker import Broker
from station.domain.clock import Clock
from station.domain.errors import BrokerUnavailable, Refused
from station.domain.instruments import INSTRUMENTS, Contract, Hours, Right, Timeframe
from station.market import Market

MORNING_CLASSES: Final = frozenset({"SPX"})
"""Settled on the opening price of their date; every other class on its close. SPXW is not among them."""
_CENT: Final = Decimal("0.01")


class Settlement:
    """When a contract ends and at which price, by the calendar, the series and the broker's history."""

    def __init__(self, clock: Clock, calendar: Calendar, market: Market, broker: Broker) -> None:
        self._clock = clock
        self._calendar = calendar
        self._market = market
        self._broker = broker

    def is_expired(self, contract: Contract) -> bool:
        span = self._last_session(contract)
        if span is None:
            return False
        return self._clock.now() >= (span.open_ns if _in_the_morning(contract) else span.close_ns)

    async def price(self, contract: Contract) -> Decimal | None:
        """Intrinsic value, dollars a unit; None while the underlying's price of that moment is not known."""
        spot = self._spot(contract)
        if spot is None:
            spot = await self._asked(contract)
        if spot is None:
            return None
        level = Decimal(str(spot)).quantize(_CENT)
        worth = level - contract.strike if contract.right is Right.CALL else contract.strike - level
        return max(worth, Decimal(0))

    def _spot(self, contract: Contract) -> float | None:
        span = self._last_session(contract)
        if span is None or contract.symbol not in self._market.symbols:
            return None
        morning = _in_the_morning(contract)
        if not morning and et_date(self._clock.now()) == span.day:
            return self._market.last_price(contract.symbol)
        bars = self._market.series(contract.symbol, Timeframe.M5).bars.since(span.open_ns).before(span.close_ns)
        if len(bars) == 0:
            return None
        return float(bars.open[0]) if morning else float(bars.close[-1])

    async def _asked(self, contract: Contract) -> float | None:
        """The same price from the broker's history, where our own series does not reach."""
        span, instrument = self._last_session(contract), INSTRUMENTS.get(contract.symbol)
        if span is None or instrument is None:
            return None
        count = (span.close_ns - span.open_ns) // Timeframe.M5.ns
        try:
            bars = await self._broker.history(instrument, Timeframe.M5, span.close_ns, count)
        except (BrokerUnavailable, Refused):
            return None
        inside = [bar for bar in bars if span.open_ns <= bar.start_ns < span.close_ns]
        if not inside:
            return None
        return float(inside[0].open) if _in_the_morning(contract) else float(inside[-1].close)

    def _last_session(self, contract: Contract) -> SessionSpan | None:
        """The session of its date, or the one before a holiday."""
        if not contract.expiry or not contract.is_option:
            return None
        day = _day_of(contract.expiry)
        return self._calendar.on(Hours.REGULAR, day) or self._calendar.previous(Hours.REGULAR, day)


def _in_the_morning(contract: Contract) -> bool:
    return contract.trading_class in MORNING_CLASSES


def _day_of(expiry: str) -> date:
    return datetime.strptime(expiry, "%Y%m%d").date()  # noqa: DTZ007 - a date has no zone
