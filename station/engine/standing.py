"""Where the account stands: its strip and the day's curve, the wealth ladder, the watched instruments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

from station.calendars import series_hours
from station.desk.daybook import ended_ns
from station.domain.clock import DAY, MINUTE, SECOND
from station.domain.errors import VigilError
from station.domain.events import Recorded, WealthRecorded
from station.domain.instruments import INSTRUMENTS, Timeframe
from station.domain.orders import ZERO
from station.domain.ports import WealthState
from station.engine.engine import Engine
from station.link import Account, Ask, PlanRow, RungRow, Watch, WatchRow, Wealth
from station.link.floor import ERROR, LOADING
from station.wealth import DEFAULT_PLAN
from station.wealth.plans import Plan

CURVE_POINTS: Final = 8 * 60


class DayCurve:
    """The day's P&L, one point a minute of the station's clock: what it was at the minute's last look."""

    def __init__(self) -> None:
        self._from_ns = 0
        self._points: list[float] = []

    def note(self, now_ns: int, pnl: Decimal) -> None:
        """Look once more. A minute nobody looked in repeats the one before; another day begins anew."""
        minute = now_ns // MINUTE * MINUTE
        if not self._points or minute - self._from_ns >= DAY or minute < self._from_ns:
            self._from_ns, self._points = minute, []
        place = (minute - self._from_ns) // MINUTE
        while len(self._points) <= place:
            self._points.append(self._points[-1] if self._points else 0.0)
        self._points[place] = float(pnl)

    def recall(self, from_ns: int, now_ns: int, ended: Iterable[tuple[int, Decimal]]) -> None:
        """What an earlier process had brought in by each minute since `from_ns`, of what ended then: what was
        open at the time is not known any more."""
        first, last = from_ns // MINUTE, now_ns // MINUTE
        steps = sorted((max(at_ns // MINUTE, first), float(pnl)) for at_ns, pnl in ended)
        if self._points or not steps or last <= first:
            return
        self._from_ns = first * MINUTE
        for minute in range(first, last):
            before = self._points[-1] if self._points else 0.0
            self._points.append(before + sum(pnl for at, pnl in steps if at == minute))

    @property
    def from_ns(self) -> int:
        return self._from_ns

    @property
    def points(self) -> tuple[float, ...]:
        """Dollars, oldest first; at most CURVE_POINTS, the newest."""
        return tuple(self._points[-CURVE_POINTS:])


class StandingDesk:
    """Answers `account`, `wealth` and `watch` asks."""

    def __init__(self, engine: Engine, change: Callable[[str], float | None]) -> None:
        self._engine = engine
        self._change = change
        self._states: dict[str, WealthState] = {}
        self._reading: set[str] = set()
        self._trouble = ""
        self.curve = DayCurve()

    def beat(self) -> None:
        """Sample the curve; called about once a second of host time."""
        rooms = self._engine.rooms
        if rooms.money.account is not None:
            now_ns = self._engine.outside.clock.now()
            if now_ns <= self._engine.session.close_ns + 5 * MINUTE:
                if not self.curve.points:
                    self.curve.recall(self._engine.session.open_ns, now_ns, self._ended_today())
                self.curve.note(now_ns, rooms.money.day_pnl())

    def recorded(self, item: Recorded) -> None:
        """A trade reached the wealth books: what was read of them is old."""
        if isinstance(item.event, WealthRecorded):
            self._states.clear()
            self._reading.clear()
            self._trouble = ""

    def _ended_today(self) -> list[tuple[int, Decimal]]:
        since_ns, trades = self._engine.day_start(), self._engine.rooms.ledger.trades.values()
        over = ((ended_ns(t), t.net_pnl) for t in trades if t.filled_ns and ended_ns(t) >= since_ns)
        return [(at_ns, pnl) for at_ns, pnl in over if pnl is not None]

    # --- the account -----------------------------------------------------------------------------------

    def account(self, ask: Ask) -> Account:
        rooms = self._engine.rooms
        money, since_ns = rooms.money, self._engine.day_start()
        if money.account is None:
            return Account(ask, state=LOADING, note="the broker has not told the account yet")
        today = [t for t in rooms.ledger.trades.values() if t.updated_ns >= since_ns and t.filled_ns]
        done = [trade for trade in today if trade.net_pnl is not None]
        points = self.curve.points
        whole = self._engine.session.close_ns
        return Account(
            ask, money.equity, money.buying_power, money.account.cash, money.realised_today(),
            money.day_pnl(), self._loss_limit(), len(today),
            sum((trade.net_pnl or ZERO) > 0 for trade in done),
            sum((trade.net_pnl or ZERO) <= 0 for trade in done), points,
            self.curve.from_ns if points else 0, whole, money.account.at_ns,
        )  # fmt: skip

    def _loss_limit(self) -> Decimal | None:
        """The day's loss that closes the gate, dollars, positive: the nearer of percent and amount."""
        risk = self._engine.rooms.tuned.settings.risk
        baseline = self._engine.rooms.controls.controls.day.baseline
        if baseline is None:
            return None
        return min(baseline * risk.daily_loss_pct / 100, risk.daily_loss_usd)

    # --- the wealth ladder -----------------------------------------------------------------------------

    def wealth(self, ask: Ask) -> Wealth:
        names = self._plans()
        for name in names:
            if name not in self._states and name not in self._reading:
                self._reading.add(name)
                self._engine.soon(self._read(name))
        known = [name for name in names if name in self._states]
        if self._trouble:
            return Wealth(ask, state=ERROR, note=f"the wealth books cannot be read: {self._trouble}")
        if not known:
            return Wealth(ask, state=LOADING, note="reading the wealth books …")
        plans = self._engine.rooms.wealth.plans
        return Wealth(ask, tuple(_plan_row(plans[name], self._states[name]) for name in known))

    def _plans(self) -> list[str]:
        """The plans of the enabled strategies by priority, or the default one."""
        specs = sorted(self._engine.desired.value.strategies, key=lambda s: (s.priority, s.strategy_id))
        used = dict.fromkeys(spec.wealth_plan for spec in specs if spec.enabled)
        kept = self._engine.rooms.wealth.plans
        return [name for name in used if name in kept] or [DEFAULT_PLAN]

    async def _read(self, name: str) -> None:
        book = self._engine.rooms.wealth
        try:
            self._states[name] = await book.state(book.plans[name])
        except VigilError as error:
            self._trouble = str(error)
            return
        self._reading.discard(name)

    # --- the watchlist ---------------------------------------------------------------------------------

    def watch(self, ask: Ask) -> Watch:
        return Watch(ask, tuple(self._watch_row(symbol) for symbol in self._engine.outside.symbols))

    def _watch_row(self, symbol: str) -> WatchRow:
        market = self._engine.rooms.market
        health = market.health(symbol)
        high, low = self._extremes(symbol)
        return WatchRow(
            symbol, market.last_price(symbol), self._change(symbol),
            market.last_update_ns(symbol) // SECOND * SECOND, health.mode.value, health.score, high, low,
            market.halted(symbol), INSTRUMENTS[symbol].has_options,
        )  # fmt: skip

    def _extremes(self, symbol: str) -> tuple[float | None, float | None]:
        """High and low of the session that runs, or was the last, by its minutes."""
        engine, market = self._engine, self._engine.rooms.market
        hours = series_hours(INSTRUMENTS[symbol])
        span = engine.outside.calendar.last_opened(hours, engine.outside.clock.now())
        bars = market.series(symbol, Timeframe.M1).bars.since(span.open_ns)
        forming = market.forming(symbol, Timeframe.M1)
        highs = [float(bars.high.max())] if len(bars) else []
        lows = [float(bars.low.min())] if len(bars) else []
        if forming is not None:
            highs.append(forming.high)
            lows.append(forming.low)
        return (max(highs), min(lows)) if highs else (None, None)


def _plan_row(plan: Plan, state: WealthState) -> PlanRow:
    week = plan.week(state.week)
    return PlanRow(
        plan.name, week.number, len(plan.weeks), state.level, state.capital, week.start, week.target,
        state.pnl_to_date, tuple(RungRow(rung.level, rung.capital, rung.contracts) for rung in week.rungs),
    )  # fmt: skip
