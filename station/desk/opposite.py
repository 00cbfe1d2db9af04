"""The opposite signal as an exit: a strategy that turned round takes its own trades out (SPEC §10)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from station.desk.ledger import Ledger
from station.domain.clock import Clock
from station.domain.instruments import Side
from station.domain.signals import Signal
from station.domain.specs import StrategySpec
from station.domain.trade import Cause, Trade
from station.strategy import FRESH_S, Pool, says

_OTHER: Final = {Side.CALL: Side.PUT, Side.PUT: Side.CALL}


class OppositeExit:
    """Looks with every publish, also while no new trades are begun."""

    def __init__(
        self, clock: Clock, pool: Pool, ledger: Ledger, specs: Callable[[], Mapping[str, StrategySpec]],
        close: Callable[[str, Cause, str, str], Awaitable[bool]],
    ) -> None:  # fmt: skip
        self._clock = clock
        self._pool = pool
        self._ledger = ledger
        self._specs = specs
        self._close = close
        self._told: set[tuple[str, str]] = set()

    async def look(self) -> None:
        """Ask out every open trade whose strategy says so and has a newer case for the other side."""
        specs, now_ns = self._specs(), self._clock.now()
        for trade in self._ledger.open_trades():
            spec = specs.get(trade.strategy)
            if spec is None or not spec.opposite_exit:
                continue
            snapshot = self._pool.snapshot(now_ns, max(FRESH_S, float(spec.window_s)))
            against = self._against(trade, spec, snapshot, now_ns)
            if against and (trade.id, against[-1].id) not in self._told:
                names = ", ".join(signal.firing.scanner for signal in against)
                await self._close(trade.id, Cause.STRATEGY, f"opposite signal: {names}", trade.strategy)
                self._told.add((trade.id, against[-1].id))

    def _against(
        self, trade: Trade, spec: StrategySpec, snapshot: tuple[Signal, ...], now_ns: int
    ) -> tuple[Signal, ...]:
        newer = tuple(signal for signal in snapshot if signal.firing.bar_close_ns > trade.fired_ns)
        return says(spec, _OTHER[trade.side], newer, now_ns)
