"""Stations to measure: real engines on real files, with the limits of a trading day set wide."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from config.settings import Settings, load_settings
from station.desk.stopwatch import SIGNAL_TO_WIRE
from station.domain.clock import SECOND
from station.domain.errors import Fatal, Refused
from station.domain.instruments import Side, Timeframe
from station.domain.market import FeedMode
from station.domain.orders import OrderKind
from station.domain.ports import Changes
from station.domain.signals import Firing, Signal
from station.domain.specs import ScannerSpec
from station.domain.trade import Cause, Trade, TradeState
from station.engine.desired import STRATEGY
from station.engine.engine import Engine
from station.engine.options import RunOptions
from station.engine.rooms import Rooms
from station.engine.simulated import SimulatedRun
from station.protection import ModifyExit
from station.risk import RELEASE_WORD
from station.strategy import make_signal

DAY: Final = date(2026, 11, 18)
SEED: Final = 3
START: Final = "10:00"
SYMBOL: Final = "SPY"
STRATEGY_ID: Final = "BENCH"
SCANNER: Final = ScannerSpec("BENCH_CALL", "v3", SYMBOL, Timeframe.M5, "CALL")
WIDE: Final[dict[str, Any]] = {
    "risk.entry_window": {"from_et": "09:30", "until_et": "15:30"},
    "risk.daily_loss_pct": 100, "risk.daily_loss_usd": 1_000_000, "risk.monthly_loss_pct": 100,
    "risk.drawdown_pct": 100, "risk.orders_per_day": 10_000, "risk.orders_per_minute": 1_000,
    "risk.capital_at_risk_usd": 1_000_000, "signals.strategy_runs_day": 10_000, "signals.positions_day": 1_000,
    "signals.signals_per_strategy_day": 1_000,
}  # fmt: skip
"""Limits that hundreds of trades in an hour do not meet; every rule is judged all the same."""
START_CASH: Final = 1_000_000
PATIENCE_S: Final = 60
SPARE: Final = 5
QUERY_S: Final = 10
SILENCE_S: Final = 300
"""Simulated seconds: a second of the host's silence is many of these."""
GIVEN_AWAY: Final = Decimal("0.05")
Moving = Callable[[Callable[[], bool], str], Awaitable[None]]


def wide_settings(**more: Any) -> Settings:
    """Settings under which a station trades as often as a benchmark asks, however often it loses."""
    settings = load_settings(WIDE | {key.replace("__", "."): value for key, value in more.items()})
    losing = settings.safeguards.model_copy(update={"cooling_off_losses": 1_000_000})
    waiting = settings.broker.model_copy(update={"heartbeat_timeout_s": SILENCE_S, "query_timeout_s": QUERY_S})
    return settings.model_copy(update={"safeguards": losing, "broker": waiting})


class Drill:
    """Trades at will in a running engine: a signal is published as the bars would, and the desk does the rest.

    `until(condition, what)` lets the station's time pass.
    """

    def __init__(self, engine: Engine, until: Moving) -> None:
        self.engine = engine
        self.until = until
        self._count = 0

    @property
    def rooms(self) -> Rooms:
        return self.engine.rooms

    async def prepare(self) -> None:
        """Put the benchmark's strategy in force alone."""
        desired = self.engine.desired
        for row in await self.engine.outside.stores.config.rows():
            if row.kind == STRATEGY:
                body = json.loads(row.body) | {"enabled": False}
                await desired.edit(STRATEGY, row.key, json.dumps(body), row.version, "bench")
        await self.edit()

    async def edit(self, **more: object) -> None:
        """The benchmark's strategy row, with `more` in it."""
        body = {
            "strategy_id": STRATEGY_ID, "symbol": SYMBOL, "call_patterns": [SCANNER.name], "put_patterns": [],
            "max_signals_day": 1_000,
        }  # fmt: skip
        held = await self.engine.outside.stores.config.row(STRATEGY, STRATEGY_ID)
        version = held.version if held is not None else 0
        await self.engine.desired.edit(STRATEGY, STRATEGY_ID, json.dumps(body | more), version, "bench")

    def _is_warm(self) -> bool:
        spec = next(s for s in self.engine.desired.value.strategies if s.strategy_id == STRATEGY_ID)
        now, health = self.engine.outside.clock.now(), self.rooms.market.health(SYMBOL)
        if (
            health.mode is not FeedMode.LIVE
            or health.score < self.engine.outside.settings.risk.min_quality_score
        ):
            return False
        found = self.rooms.options.pick(SYMBOL, Side.CALL, spec.delta_call, spec.expiry, now)
        return hasattr(found, "contract")

    async def publish(self) -> Signal:
        """A durable signal in the pool, its lap begun; first the feed is live and a contract can be picked."""
        await self.until(self._is_warm, f"the {SYMBOL} feed is live and its ladder warm")
        self._count += 1
        now = self.engine.outside.clock.now()
        firing = Firing(
            SCANNER.name, SYMBOL, SCANNER.timeframe, Side.CALL, 90, now - SCANNER.timeframe.ns - self._count,
            now, self.rooms.market.last_price(SYMBOL) or 0.0, "bench",
        )  # fmt: skip
        signal = make_signal(firing, SCANNER, self.engine.outside.stores.ids.signal_id(DAY), now)
        await self.engine.outside.stores.lifecycle.commit(Changes(signals=(signal,)))
        self.rooms.stopwatch.start(SIGNAL_TO_WIRE, signal.id)
        self.rooms.pool.publish(signal)
        return signal

    async def enter(self) -> Trade:
        """One trade from its signal to a position with its target at the broker. Raises Refused where the desk
        would not, with its reason."""
        signal = await self.publish()

        def settled() -> bool:
            trade = self._trade_of(signal)
            return trade is not None and (trade.state.is_terminal or self._is_protected(trade))

        await self.until(settled, "an entry filled and its target at the broker")
        trade = self._trade_of(signal)
        assert trade is not None
        if not self._is_protected(trade):
            raise Refused("BENCH", f"{trade.id} ended {trade.state.value}: {trade.reason}")
        return trade

    async def work_an_entry(self) -> Trade:
        """One trade whose entry has been sent; it may fill at any moment."""
        signal = await self.publish()

        def sent() -> bool:
            trade = self._trade_of(signal)
            return trade is not None and (trade.state is TradeState.BUY_SUBMITTED or trade.state.is_terminal)

        await self.until(sent, "an entry sent")
        trade = self._trade_of(signal)
        assert trade is not None
        return trade

    async def clear_up(self, trade: Trade) -> None:
        """After a kill: what filled is closed, the switch is released."""
        await self.until(lambda: self._is_settled(trade), "the entry cancelled or filled")
        if not self.now(trade).state.is_terminal:
            await self.leave(trade)
        await self.rooms.controls.release(RELEASE_WORD, "bench", clean=True)

    def _is_settled(self, trade: Trade) -> bool:
        now = self.now(trade)
        return now.state.is_terminal or self._is_protected(now)

    async def leave(self, trade: Trade) -> None:
        """Its target moved under the bid, filled, closed and in the wealth books."""
        (order,) = self.rooms.ledger.book.working_exits(trade.id)
        out = ModifyExit(order.ref, OrderKind.LIMIT, order.ticket.qty, GIVEN_AWAY, None, Cause.MANUAL, "bench")
        await self.rooms.desk.carry_out(trade.id, out)
        await self.until(lambda: self.now(trade).state.is_terminal, "the trade closed")

    async def round_trips(self, count: int) -> int:
        """So many trades in and out; returns how many more the desk refused. Raises Fatal with the last
        reason where it refuses more than it takes."""
        done = refused = 0
        while done < count:
            try:
                await self.leave(await self.enter())
                done += 1
            except Refused as error:
                refused += 1
                if refused > count + SPARE:
                    raise Fatal(f"bench: {refused} of {refused + done} trades were refused: {error}") from None
        return refused

    def now(self, trade: Trade) -> Trade:
        return self.rooms.ledger.trades[trade.id]

    def laps_ms(self, path: str) -> list[float]:
        return [lap / 1e6 for lap in self.rooms.stopwatch.laps[path]]

    def forget(self) -> None:
        """Drop the laps so far: the first trades warm the caches."""
        for laps in self.rooms.stopwatch.laps.values():
            laps.clear()

    def _trade_of(self, signal: Signal) -> Trade | None:
        found = reversed(self.rooms.ledger.trades.values())
        return next((trade for trade in found if trade.fired_ns == signal.firing.bar_close_ns), None)

    def _is_protected(self, trade: Trade) -> bool:
        return trade.state is TradeState.SELL_SUBMITTED and trade.entry_done and trade.open_qty > 0


@asynccontextmanager
async def paper_drill(runtime: Path, cache: Path) -> AsyncGenerator[Drill]:
    """A station on the paper exchange, in this process and in lockstep. Needs a LockstepLoop."""
    settings = wide_settings(broker__kind="paper", paper__seed=SEED, paper__start_cash_usd=START_CASH)
    options = RunOptions(
        runtime=runtime, broker="paper", seed=SEED, speed=0, day=DAY, start=START, cache_dir=cache
    )
    run = await SimulatedRun.prepare(options, settings, lambda _: None)

    async def until(condition: Callable[[], bool], what: str) -> None:
        zero_ns = run.engine.outside.clock.now()
        for step in range(PATIENCE_S * 10):
            if condition():
                return
            await run.advance(zero_ns + step * SECOND // 10)
        raise Fatal(f"bench: not within {PATIENCE_S} simulated seconds: {what}")

    await run.open()
    try:
        await until(lambda: run.engine.progress.phase == "trading", "the engine trades")
        drill = Drill(run.engine, until)
        await drill.prepare()
        yield drill
    finally:
        await run.close()
