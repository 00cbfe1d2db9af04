"""The floor: what a screen sees, built from the rooms as they are now. Reading only, and cheap."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final, TypeVar

from station.calendars import series_hours
from station.desk.stopwatch import SIGNAL_TO_WIRE
from station.domain.clock import SECOND
from station.domain.events import (
    Recorded,
)
from station.domain.instruments import CENT_TICKS, INSTRUMENTS, Timeframe
from station.domain.orders import Order
from station.domain.signals import Firing, Gate
from station.domain.specs import ScannerSpec, StrategySpec
from station.domain.trade import Trade, TradeState
from station.engine.alerts import alert_row
from station.engine.engine import Engine
from station.engine.standing_orders import (
    exit_rows,
    is_protected,
    leaving,
    nearest_target,
    standing,
    stop_of,
    working_orders,
)
from station.link.floor import (
    LOADING,
    READY,
    AlertRow,
    Alerts,
    Feed,
    FiringRow,
    Floor,
    Header,
    Orders,
    PositionRow,
    Positions,
    Price,
    ProposalRow,
    Proposals,
    Strategies,
    StrategyRow,
)
from station.strategy import NO_MATCH, NO_SIGNAL, Block, Pass, Verdict

T = TypeVar("T")
FEED_ROWS: Final = 200
ALERT_ROWS: Final = 200


class FloorView:
    """Listens to the engine and answers `floor()` on demand."""

    def __init__(self, engine: Engine, pace: str, lag_ms: Callable[[], float | None]) -> None:
        self._engine = engine
        self._pace = pace
        self._lag_ms = lag_ms
        self._feed: deque[FiringRow] = deque(maxlen=FEED_ROWS)
        self._alerts: deque[AlertRow] = deque(maxlen=ALERT_ROWS)
        self._previous: dict[str, float] = {}
        self._attached = False
        self._recalled = False
        self._specs: tuple[ScannerSpec, ...] | None = None
        self._here = 0
        self._cold: list[str] = []

    def change(self, symbol: str) -> float | None:
        """Percent against the last close before the trade date's session began; None while unknown."""
        return self._change(symbol)

    def floor(self) -> Floor:
        """The present picture; parts the engine has nothing to say about yet are in their loading state."""
        self.attend()
        if not self._engine.is_loaded:
            # Empty rooms are not a flat book, and what they then hold is no news.
            note = self._engine.progress.phase
            return Floor(
                self._starting(), Feed(state=LOADING, note=note), Positions(state=LOADING, note=note),
                Alerts(state=LOADING, note=note), Strategies(state=LOADING, note=note),
                Orders(state=LOADING, note=note), Proposals(),
            )  # fmt: skip
        self._recall()
        return Floor(
            self._header(),
            self._feed_part(),
            self._positions(),
            Alerts(tuple(self._alerts)),
            self._strategies(),
            working_orders(self._engine.rooms),
            self._proposals(),
        )

    def attend(self) -> None:
        """Listen from now on, whether or not a screen is there: who attaches later sees what came before."""
        if self._attached or not hasattr(self._engine, "rooms"):
            return
        self._attached = True
        rooms = self._engine.rooms
        rooms.ledger.listeners.append(self._recorded)
        rooms.bars.listeners.append(self._fired)

    def _recall(self) -> None:
        """What earlier processes told this day stands behind what this one has told, once it is loaded."""
        if self._recalled:
            return
        self._recalled = True
        for firing in reversed(self._engine.rooms.bars.recalled):
            _put_behind(self._feed, _firing_row(firing, None))
        for item in self._engine.recalled:
            row = self._alert_of(item)
            if row is not None:
                _put_behind(self._alerts, row)

    def _fired(self, firing: Firing, gate: Gate | None) -> None:
        self._feed.appendleft(_firing_row(firing, gate))

    def _recorded(self, item: Recorded) -> None:
        row = self._alert_of(item)
        if row is not None:
            self._alerts.appendleft(row)

    def _alert_of(self, item: Recorded) -> AlertRow | None:
        return alert_row(item, self._engine.rooms.ledger.trades.get(item.trade_id))

    # --- parts --------------------------------------------------------------------------------------

    def _starting(self) -> Header:
        engine = self._engine
        return Header(
            engine.outside.settings.station.environment.upper(), "CLOSED", engine.outside.clock.now(),
            broker=engine.outside.broker.name, session=engine.progress.phase.upper(), pace=self._pace,
        )  # fmt: skip

    def _header(self) -> Header:
        engine, rooms = self._engine, self._engine.rooms
        controls, money = rooms.controls.controls, rooms.money
        day_pnl = money.day_pnl()
        baseline = controls.day.baseline
        span = engine.session
        now = engine.outside.clock.now()
        is_open = span.open_ns <= now < span.close_ns
        return Header(
            engine.outside.settings.station.environment.upper(), controls.gate.state.value, now,
            account=engine.link.accounts[0] if engine.link else "", broker=engine.outside.broker.name,
            broker_up=engine.outside.broker.connected, gate_reason=controls.gate.reason,
            kill=controls.kill.on, kill_reason=controls.kill.reason,
            session="OPEN" if is_open else ("PRE" if now < span.open_ns else "CLOSED"), pace=self._pace,
            prices=self._prices(), equity=money.equity if money.account else None, day_pnl=day_pnl,
            day_pct=float(day_pnl / baseline * 100) if baseline else None,
            latency_ms=rooms.stopwatch.quantile_ms(SIGNAL_TO_WIRE, 0.5), lag_ms=self._lag_ms(),
            open_trades=sum(trade.open_qty != 0 for trade in rooms.ledger.open_trades()),
            working_orders=len(rooms.ledger.book.working()),
            note=self._note(),
            quarantined=controls.quarantined,
        )  # fmt: skip

    def _note(self) -> str:
        rooms = self._engine.rooms
        if self._engine.progress.phase != "trading":
            return f"{self._engine.progress.phase} {self._engine.progress.detail}".strip()
        if rooms.ledger.degraded:
            return "DATABASE DOWN: exits are spooled, entries are off"
        if rooms.reconciler.unresolved:
            return f"RECONCILIATION: {rooms.reconciler.unresolved[0]}"
        failing = [r.name for r in self._engine.supervisor.records.values() if r.chronic]
        if failing:
            return f"KEEPS FAILING: {', '.join(failing)}; see `status`"
        return "" if rooms.reconciler.ready else "reconciling"

    def _prices(self) -> tuple[Price, ...]:
        market = self._engine.rooms.market
        return tuple(
            Price(symbol, market.last_price(symbol), self._change(symbol), market.last_update_ns(symbol))
            for symbol in self._engine.outside.symbols
        )

    def _change(self, symbol: str) -> float | None:
        """Percent against the last close before the trade date's session began."""
        market = self._engine.rooms.market
        last = market.last_price(symbol)
        if symbol not in self._previous:
            close = self._close_before(symbol)
            if close is None:
                return None
            self._previous[symbol] = close
        return None if last is None else round((last / self._previous[symbol] - 1) * 100, 2)

    def _close_before(self, symbol: str) -> float | None:
        hours = series_hours(INSTRUMENTS[symbol])
        span = self._engine.outside.calendar.on(hours, self._engine.session.day)
        if span is None:
            return None
        earlier = self._engine.rooms.market.series(symbol, Timeframe.M5).bars.before(span.open_ns)
        return float(earlier.close[-1]) if len(earlier) else None

    def _feed_part(self) -> Feed:
        rooms, specs = self._engine.rooms, self._engine.desired.value.scanners
        if specs is not self._specs:
            here = [spec.name for spec in specs if spec.instrument in self._engine.outside.symbols]
            self._specs, self._here, self._cold = specs, len(here), here
        self._cold = [name for name in self._cold if not _has_enough(*rooms.scanners.warmth(name))]
        warm = self._here - len(self._cold)
        return Feed(tuple(self._feed), dict(rooms.scanners.rejections), rooms.bars.published, self._here, warm)

    def _positions(self) -> Positions:
        rooms = self._engine.rooms
        rows = tuple(self._row(trade) for trade in rooms.ledger.open_trades())
        return Positions(rows, READY)

    def _row(self, trade: Trade) -> PositionRow:
        rooms = self._engine.rooms
        money = rooms.money
        quote = rooms.market.quote(trade.contract) if trade.contract else None
        exits = rooms.ledger.book.working_exits(trade.id)
        entry = trade.entry_price
        pnl = money.pnl_of(trade) if trade.entry_filled else None
        timer, until = self._timer(trade)
        return PositionRow(
            trade.id, trade.contract.label if trade.contract else trade.symbol,
            trade.open_qty if trade.entry_filled else trade.qty, trade.state.value,
            entry=entry, mark=money.mark_of(trade), mark_at_ns=quote.at_ns if quote else 0, pnl=pnl,
            pnl_pct=_percent(pnl, trade.entry_value), target=nearest_target(exits),
            stop=self._stop(trade, exits),
            shield=_shield_words(trade), timer=timer, timer_until_ns=until, protection=standing(exits),
            protected=is_protected(trade.open_qty, exits),
            entry_ref="" if trade.entry_done else trade.entry_ref, strategy=trade.strategy,
            exits=exit_rows(exits), leaving=leaving(trade),
        )  # fmt: skip

    def _stop(self, trade: Trade, exits: Sequence[Order]) -> Decimal | None:
        contract = trade.contract
        rule = self._engine.rooms.judgement.tick_rule(contract) if contract is not None else CENT_TICKS
        return stop_of(trade, exits, rule)

    def _timer(self, trade: Trade) -> tuple[str, int]:
        if trade.state is TradeState.BUY_SUBMITTED:
            return "entry", trade.entry_valid_until_ns
        if not trade.filled_ns:
            return "", 0
        grace = trade.filled_ns + self._engine.rooms.tuned.settings.protection.grace_s * SECOND
        return ("grace", grace) if grace > self._engine.outside.clock.now() else ("", 0)

    def _proposals(self) -> Proposals:
        rooms = self._engine.rooms
        waiting = rooms.proposals.waiting()
        specs = rooms.way.specs() if waiting else {}
        return Proposals(
            tuple(
                ProposalRow(
                    trade.id, trade.strategy, trade.symbol, trade.side.value,
                    trade.contract.label if trade.contract is not None else trade.symbol, trade.qty,
                    trade.updated_ns, trade.offer.until_ns if trade.offer is not None else 0,
                    specs[trade.strategy].entry_policy if trade.strategy in specs else "",
                    trade.scanners, rooms.way.confidence_of(trade.id),
                )
                for trade in waiting
            )
        )  # fmt: skip

    def _strategies(self) -> Strategies:
        hunt = self._engine.rooms.hunt
        verdicts = {verdict.spec.strategy_id: verdict for verdict in hunt.last}
        rows = tuple(
            _strategy_row(spec, verdicts.get(spec.strategy_id))
            for spec in sorted(self._engine.desired.value.strategies, key=lambda s: (s.priority, s.strategy_id))
            if spec.symbol in self._engine.outside.symbols
        )
        return Strategies(rows, hunt.hunts)


def _has_enough(have: int, need: int) -> bool:
    return have >= need


def _percent(pnl: Decimal | None, cost: Decimal) -> float | None:
    return round(float(pnl / cost * 100), 2) if pnl is not None and cost else None


def _shield_words(trade: Trade) -> str:
    return {"rapid_shield": "rapid shield", "day_shield": "day shield"}.get(trade.shield, "")


def _strategy_row(spec: StrategySpec, verdict: Verdict | None) -> StrategyRow:
    name, hunter, priority = spec.strategy_id, spec.hunter, spec.priority
    if not spec.enabled:
        return StrategyRow(name, "OFF", priority=priority)
    if verdict is None:
        return StrategyRow(name, "WAIT", "", "", "no signal yet", hunter, priority, waits=_patterns(spec))
    at_ns = verdict.decisions[-1].at_ns if verdict.decisions else 0
    if isinstance(verdict, Pass):
        names = ", ".join(signal.firing.scanner for signal in verdict.signals)
        return StrategyRow(name, "MATCH", verdict.side.value, names, "", hunter, priority, at_ns)
    assert isinstance(verdict, Block)
    word = "WAIT" if verdict.stage in ("pool", "match", "window") else "BLOCK"
    side = verdict.side.value if verdict.side else ""
    waits = _patterns(spec) if verdict.reason in (NO_MATCH, NO_SIGNAL) else ""
    reason = f"{verdict.stage}: {verdict.reason}"
    return StrategyRow(name, word, side, "", reason, hunter, priority, at_ns, waits)


def _patterns(spec: StrategySpec) -> str:
    """The scanners it may trade on, calls before puts."""
    return " ".join(dict.fromkeys((*spec.call_patterns, *spec.put_patterns)))


def _firing_row(firing: Firing, gate: Gate | None) -> FiringRow:
    return FiringRow(
        firing.bar_close_ns, firing.scanner, firing.side.value, firing.score, gate.value if gate else "",
        firing.instrument, firing.timeframe.value,
    )  # fmt: skip


def _put_behind(rows: deque[T], older: T) -> None:
    """Where there is room for it: a full deque would drop its newest."""
    if len(rows) != rows.maxlen:
        rows.append(older)
