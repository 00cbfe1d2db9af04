"""The account's money as the desk follows it: the broker's equity, and the day's P&L from our own books."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal

from station.desk.daybook import DayBook, ended_ns
from station.desk.ledger import Ledger
from station.domain.broker import Account, Broker
from station.domain.clock import Clock
from station.domain.errors import BrokerUnavailable
from station.domain.instruments import Contract
from station.domain.market import Quote
from station.domain.orders import ZERO
from station.domain.trade import Trade
from station.market import Market

OPEN_BEAT_S = 5.0
IDLE_BEAT_S = 60.0


class MoneyDesk:
    """Refreshes the account on a beat and tells `on_money(day_pnl, equity)`.

    The day's P&L comes from the trades themselves, so that a broker that does not answer cannot hide a loss.
    """

    def __init__(
        self, clock: Clock, broker: Broker, ledger: Ledger, market: Market,
        day_start: Callable[[], int], on_money: Callable[[Decimal, Decimal], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._clock = clock
        self._broker = broker
        self._ledger = ledger
        self._market = market
        self._day_start = day_start
        self._on_money = on_money
        self.account: Account | None = None
        self.book = DayBook(ledger)
        self._marks: dict[Contract, Decimal] = {}

    async def run(self) -> None:
        """Every beat while trades are open, once more when the last has ended, else now and then."""
        idle_s, were_open = 0.0, False
        while True:
            await self._clock.sleep(OPEN_BEAT_S)
            idle_s += OPEN_BEAT_S
            are_open = bool(self._ledger.open_trades())
            if are_open or were_open or idle_s >= IDLE_BEAT_S:
                await self.refresh()
                idle_s = 0.0
            were_open = are_open

    async def refresh(self) -> None:
        """Ask the broker, then judge the day by whichever figures there are."""
        try:
            if self._broker.connected:
                self.account = await self._broker.account()
        except BrokerUnavailable:
            pass
        if self.account is not None:
            await self._on_money(self.day_pnl(), self.account.net_liquidation)

    @property
    def equity(self) -> Decimal:
        return self.account.net_liquidation if self.account is not None else ZERO

    @property
    def buying_power(self) -> Decimal:
        return self.account.buying_power if self.account is not None else ZERO

    def day_pnl(self) -> Decimal:
        """Dollars since the session began: realised, fees, and what is open at its mark."""
        held = (self.pnl_of(trade) for trade in self._unended())
        return self.book.ended(self._day_start()) + sum(held, ZERO)

    def day_pnl_of(self, strategy: str) -> Decimal:
        """Dollars of one strategy's trades since the session began."""
        held = (self.pnl_of(trade) for trade in self._unended() if trade.strategy == strategy)
        return self.book.ended(self._day_start(), strategy) + sum(held, ZERO)

    def realised_today(self) -> Decimal:
        """Dollars of the trades that are over: a late fee of yesterday's trade is not today's loss."""
        start = self._day_start()
        known = (t for t in self._ledger.trades.values() if t.filled_ns and ended_ns(t) >= start)
        return sum((trade.net_pnl or ZERO for trade in known), ZERO)

    def _unended(self) -> tuple[Trade, ...]:
        """Trades that are not over and that the session answers for: held now, or sold in it."""
        start = self._day_start()
        return tuple(
            t for t in self._ledger.live() if t.filled_ns and (t.open_qty != 0 or ended_ns(t) >= start)
        )

    def pnl_of(self, trade: Trade) -> Decimal:
        """Dollars of one trade: its cash flows plus its open quantity at the mark, or the last one known."""
        return trade.realised + self.value_of(trade)

    def value_of(self, trade: Trade) -> Decimal:
        """Dollars of market value of the open quantity: at its mark, or at the last one known, but never above
        what it is offered for."""
        if trade.contract is None or trade.open_qty == 0:
            return ZERO
        mark = self.mark_of(trade)
        if mark is not None:
            self._marks[trade.contract] = mark
        else:
            mark = self._marks.get(trade.contract, trade.entry_price or ZERO)
            quote = self._quote(trade)
            if quote is not None and quote.ask is not None:
                mark = min(mark, quote.ask)
        return mark * trade.open_qty * trade.contract.multiplier

    def mark_of(self, trade: Trade) -> Decimal | None:
        """Dollars a unit: the mid, else the bid, else None."""
        quote = self._quote(trade)
        if quote is None:
            return None
        return quote.mid if quote.mid is not None else quote.bid

    def _quote(self, trade: Trade) -> Quote | None:
        return self._market.quote(trade.contract) if trade.contract is not None else None
