"""What expired unsold is closed at settlement (SPEC §10 rule 5, FAULTS 38, 51): the trading class says when,
and at which price of the underlying."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Final

from station.calendars import Calendar, SessionSpan, et_date
from station.desk.ledger import Ledger
from station.domain.clock import Clock
from station.domain.events import CancelRequested, OrderMoved, SettledAtExpiry
from station.domain.instruments import Contract, Hours, Right, Timeframe
from station.domain.orders import OrderState
from station.domain.ports import Changes
from station.domain.trade import Cause, Trade
from station.market import Market

MORNING_CLASSES: Final = frozenset({"SPX"})
"""Settled on the opening price of their date; every other class on its close. SPXW is not among them."""
_CENT: Final = Decimal("0.01")


class Settlement:
    """Reads the calendar and the series; books, and leaves the rest to the trade's way."""

    def __init__(self, clock: Clock, calendar: Calendar, market: Market, ledger: Ledger) -> None:
        self._clock = clock
        self._calendar = calendar
        self._market = market
        self._ledger = ledger

    def is_expired(self, contract: Contract) -> bool:
        span = self._last_session(contract)
        if span is None:
            return False
        return self._clock.now() >= (span.open_ns if _in_the_morning(contract) else span.close_ns)

    async def settle(self) -> tuple[Trade, ...]:
        """Book the settlement of every trade that still holds an expired contract, where its price is known by
        now. Returns those trades."""
        settled: list[Trade] = []
        for trade in self._ledger.open_trades():
            if trade.contract is None or trade.open_qty <= 0 or not self.is_expired(trade.contract):
                continue
            price = self.price(trade.contract)
            if price is None:
                continue
            for order in self._ledger.book.working_exits(trade.id):
                gone = OrderMoved(order.ref, OrderState.EXPIRED, 0, 0, "expired with its contract")
                row = Changes(cancels=((order.ref, "expiry", self._clock.now()),))
                await self._ledger.record(trade.id, CancelRequested(order.ref, "expiry"), gone, extra=row)
            event = SettledAtExpiry(trade.open_qty, price, trade.contract.multiplier, Cause.EXPIRY.value)
            await self._ledger.record(trade.id, event)
            settled.append(trade)
        return tuple(settled)

    def price(self, contract: Contract) -> Decimal | None:
        """Intrinsic value, dollars a unit; None while the underlying's price of that moment is not known."""
        spot = self._spot(contract)
        if spot is None:
            return None
        level = Decimal(str(spot)).quantize(_CENT)
        worth = level - contract.strike if contract.right is Right.CALL else contract.strike - level
        return max(worth, Decimal(0))

    def _spot(self, contract: Contract) -> float | None:
        span = self._last_session(contract)
        if span is None:
            return None
        morning = _in_the_morning(contract)
        if not morning and et_date(self._clock.now()) == span.day:
            return self._market.last_price(contract.symbol)
        bars = self._market.series(contract.symbol, Timeframe.M5).bars.since(span.open_ns).before(span.close_ns)
        if len(bars) == 0:
            return None
        return float(bars.open[0]) if morning else float(bars.close[-1])

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
