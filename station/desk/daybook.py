"""What trades that are over add up to, kept as each of them ends: the more trades a day has, the more often it
is asked, and an order waits for the answer."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from station.calendars import et_date
from station.desk.ledger import Ledger
from station.domain.instruments import SecType
from station.domain.orders import ZERO
from station.domain.trade import Trade, TradeState
from station.strategy import Counts

FUTURES = (SecType.FUTURE, SecType.FUTURE_OPTION)


class DayBook:
    """Dollars by strategy of the trades that ended since the session began, and round trips by day."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._since_ns = -1
        self._read = 0
        self._dollars: dict[str, Decimal] = defaultdict(lambda: ZERO)
        self._trips: Counter[date] = Counter()
        self._parts: dict[str, Trade] = {}
        self._used: set[tuple[str, str]] = set()
        self._runs: Counter[str] = Counter()
        self._positions = 0

    def ended(self, since_ns: int, strategy: str | None = None) -> Decimal:
        """What trades that are over made since the session began at `since_ns`, in dollars after fees."""
        self._catch_up(since_ns)
        if strategy is not None:
            return self._dollars.get(strategy, ZERO)
        return sum(self._dollars.values(), ZERO)

    def day_trades(self, today: date, within: Iterable[date]) -> int:
        """Trades bought and sold on one of these days; what was bought today and is still held will be one,
        since everything is closed by the end of its day, and so may an entry that works."""
        self._catch_up(self._since_ns)
        days = frozenset(within)
        over = sum(self._trips[day] for day in days)
        return over + sum(trip_of(trade, today) in days for trade in self._ledger.live())

    def used(self) -> set[tuple[str, str]]:
        """(strategy, firings) of every trade in memory: a stop-out never re-enters on its own firing."""
        self._catch_up(self._since_ns)
        return self._used | {(trade.strategy, trade.signal_key) for trade in self._ledger.live()}

    def counts(self, since_ns: int) -> Counts:
        """What the session that began at `since_ns` has used, from the trades themselves, so that no restart
        begins anew."""
        self._catch_up(since_ns)
        live = [trade for trade in self._ledger.live() if trade.opened_ns >= since_ns]
        runs = self._runs + Counter(trade.strategy for trade in live)
        may_be = sum(not trade.awaits_hand for trade in live)
        return Counts(runs.total(), self._positions + may_be, dict(runs))

    def _catch_up(self, since_ns: int) -> None:
        if since_ns != self._since_ns:
            self._since_ns, self._read = since_ns, 0
            self._dollars.clear()
            self._trips.clear()
            self._parts.clear()
            self._used.clear()
            self._runs.clear()
            self._positions = 0
        turned = self._ledger.turned
        for trade_id in turned[self._read :]:
            self._weigh(trade_id)
        self._read = len(turned)

    def _weigh(self, trade_id: str) -> None:
        before = self._parts.pop(trade_id, None)
        if before is not None:
            self._count(before, -1)
        trade = self._ledger.trades[trade_id]
        if trade.state.is_terminal:
            self._parts[trade_id] = trade
            self._used.add((trade.strategy, trade.signal_key))
            self._count(trade, 1)

    def _count(self, trade: Trade, sign: int) -> None:
        if trade.opened_ns >= self._since_ns:
            self._runs[trade.strategy] += sign
            self._positions += sign * (trade.state is not TradeState.FAILED)
        if not trade.filled_ns:
            return
        if ended_ns(trade) >= self._since_ns:
            self._dollars[trade.strategy] += sign * trade.realised
        day = trip_of(trade, None)
        if day is not None:
            self._trips[day] += sign


def ended_ns(trade: Trade) -> int:
    """When a trade's position ended: its close, or its last movement while the close is on its way."""
    return trade.closed_ns or trade.updated_ns


def trip_of(trade: Trade, today: date | None) -> date | None:
    """The day on which a trade was bought and sold, `today` standing in for what is to come; None where there
    is none. Futures make no day trades."""
    if trade.contract is None or trade.contract.sec_type in FUTURES:
        return None
    if not trade.filled_ns:
        return today if trade.state is TradeState.BUY_SUBMITTED else None
    bought = et_date(trade.filled_ns)
    sold = et_date(trade.closed_ns) if trade.closed_ns else today
    return bought if bought == sold else None
