"""Gate, kill switch, quarantine and day baselines: each step committed with its events, then enforced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from station.desk.exits import ExitHands
from station.desk.ledger import Ledger
from station.domain.clock import SECOND, Clock
from station.domain.errors import StorageUnavailable, VigilError
from station.domain.events import Alerted
from station.domain.orders import OrderState
from station.domain.ports import Changes
from station.domain.trade import Cause, Origin, Trade, TradeState
from station.risk import (
    Controls,
    Gate,
    Limits,
    StrategyTerms,
    apply_day_loss,
    begin_session,
    engage_kill,
    from_rows,
    lift_quarantine,
    note_equity,
    note_override,
    note_result,
    note_strategy,
    quarantine,
    release_kill,
    set_gate,
    to_rows,
)
from station.risk.controls import Step

PEAK_BEAT_S: Final = 60
"""How often a new equity peak is worth a commit."""


class ControlDesk:
    """The one holder of the station's switches."""

    def __init__(
        self, ledger: Ledger, hands: ExitHands, clock: Clock, limits: Callable[[], Limits],
        protect_all: Callable[[], None],
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._hands = hands
        self._clock = clock
        self._limits = limits
        self._protect_all = protect_all
        self._line = asyncio.Lock()
        self.controls = Controls()
        self._peak_due_ns = 0

    def restore(self, stored: Mapping[str, str]) -> None:
        self.controls = from_rows(stored)

    async def set_gate(self, state: Gate, by: str, reason: str) -> None:
        await self._take(lambda held: set_gate(held, state, by, reason))
        if state is not Gate.OPEN:
            await self.cancel_entries("gate")

    async def kill(self, by: str, reason: str, *, flatten: bool = False) -> None:
        """On at once in memory, then on disk; then what works to open exposure is cancelled, and with
        `flatten` every position is closed. Repeating it repeats only what is still undone."""
        now = self._clock.now()
        await self._take(lambda held: engage_kill(held, by, reason, now, flatten=flatten), at_once=True)
        self._protect_all()
        await self.cancel_entries("kill")

    async def resume_kill(self) -> None:
        """Finish what a kill that was only spooled had begun."""
        if self.controls.kill.on:
            self._protect_all()
            await self.cancel_entries("kill")

    async def release(self, word: str, by: str, *, clean: bool) -> None:
        await self._take(lambda held: release_kill(held, word, by, reconciled_clean=clean))

    async def quarantine(self, symbol: str, reason: str) -> None:
        await self._take(lambda held: quarantine(held, symbol, reason), at_once=True)

    async def lift_quarantine(self, symbol: str, word: str, by: str, *, clean: bool) -> None:
        await self._take(lambda held: lift_quarantine(held, symbol, word, by, reconciled_clean=clean))

    async def begin_session(self, session: str, equity: Decimal) -> None:
        await self._take(lambda held: begin_session(held, session, equity))

    async def note_result(self, trade: Trade, terms: StrategyTerms) -> None:
        """Count a closed trade in the day's streak and in its strategy's book; one commit."""
        if trade.net_pnl is None:
            return
        net, now, limits = trade.net_pnl, self._clock.now(), self._limits()

        def counted(held: Controls) -> Step:
            after, events = note_result(held, net, now, limits)
            if trade.origin is not Origin.STRATEGY:
                return after, events
            booked, more = note_strategy(after, trade.strategy, terms, net, limits)
            return booked, (*events, *more)

        await self._take(counted)

    async def note_override(self) -> None:
        """Use up one of the day's manual overrides. Raises Refused when there is none left."""
        await self._take(lambda held: (note_override(held, self._limits()), ()))

    async def watch_day(self, day_pnl: Decimal, equity: Decimal) -> None:
        """Follow the day's P&L: the peak quietly, the limits with everything they entail."""
        before, gate, now = self.controls.kill, self.controls.gate, self._clock.now()
        if now >= self._peak_due_ns:
            self._peak_due_ns = now + PEAK_BEAT_S * SECOND
            await self._take(lambda held: (note_equity(held, equity), ()))
        await self._take(lambda held: apply_day_loss(held, day_pnl, now, self._limits()), at_once=True)
        if self.controls.kill != before:
            self._protect_all()
            await self.cancel_entries("kill")
        elif self.controls.gate != gate:
            await self.cancel_entries("gate")

    async def flatten(self, by: str) -> int:
        """Close every position of ours at market, and cancel what could add to one; what fills before its
        cancel leaves too. The gate closes, so that nothing opens behind its back. Returns how many positions
        there are."""
        await self._take(lambda held: set_gate(held, Gate.CLOSED, by, "flatten"), at_once=True)
        concerned = [t for t in self._ledger.open_trades() if t.open_qty != 0 or not t.entry_done]
        for trade in concerned:
            await self._hands.ask_close(trade.id, Cause.MANUAL, f"flatten by {by}", by)
        self._protect_all()
        await self.cancel_entries("manual")
        return sum(trade.open_qty != 0 for trade in concerned)

    async def cancel_entry(self, trade: Trade, cause: str) -> None:
        await self._hands.cancel_entry(trade, cause)

    async def cancel_entries(self, cause: str) -> int:
        """Cancel every working order that could open or increase exposure; a cancel that is out already is
        followed by the trade's own way."""
        cancelled = 0
        refused: list[str] = []
        for trade in self._ledger.open_trades():
            order = self._ledger.book.orders.get(trade.entry_ref)
            if order is None or order.state.is_terminal or order.cancel_cause:
                continue
            if order.state is OrderState.UNKNOWN and trade.state is not TradeState.BUY_SUBMITTED:
                continue
            try:
                await self._hands.cancel_entry(trade, cause)
                cancelled += 1
            except VigilError as error:
                refused.append(f"{order.ref}: {error}")
        for text in refused:
            await self._ledger.record("", Alerted("critical", f"a cancel was refused: {text}"), urgent=True)
        return cancelled

    async def _take(self, step: Callable[[Controls], Step], *, at_once: bool = False) -> None:
        """Commit a step with its events. `at_once` steps take effect even where the disk cannot follow yet:
        stopping must not wait for storage."""
        async with self._line:
            after, events = step(self.controls)
            if after == self.controls:
                return
            if at_once:
                self.controls = after
            stored = Changes(controls=to_rows(after))
            try:
                await self._ledger.record_all([("", event) for event in events], stored, urgent=at_once)
            except StorageUnavailable:
                if not at_once:
                    raise
            self.controls = after
