"""A trader in front of a whole station: the screen, the engine and the paper exchange on one loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Static

from station.domain.orders import Order, Purpose
from station.domain.trade import Trade, TradeState
from tests.lab import Lab
from tests.tui.stage import StillClock
from widgets.app import FloorApp
from widgets.panel import PanelCanvas

NAMED = {
    " ": "space", ":": "colon", ".": "full_stop", "@": "at", "%": "percent_sign", "-": "minus", "/": "slash",
}  # fmt: skip


class Seat:
    """Keys, and simulated time that passes between them."""

    def __init__(self, lab: Lab, app: FloorApp, clock: StillClock, pilot: Pilot[str]) -> None:
        self.lab, self.app, self.clock, self.pilot = lab, app, clock, pilot

    async def press(self, *keys: str) -> None:
        for key in keys:
            self.clock.advance(0.4)
            await self.pilot.press(key)
            await self.look()

    async def type(self, text: str) -> None:
        await self.rush(*(NAMED.get(letter, letter) for letter in text))

    async def rush(self, *keys: str) -> None:
        """A run of keys, faster than the station lives."""
        self.clock.advance(0.4)
        await self.pilot.press(*keys)

    async def look(self) -> None:
        """Let the screen ask, the engine answer, and both settle."""
        for _ in range(2):
            await self.pilot.pause()
            self.clock.advance(0.2)
            self.app.repaint()
            await self.lab.step(0.2)
        await self.pilot.pause()

    def dialog(self) -> str:
        """All that the dialog on top says."""
        canvases = [canvas.text() for canvas in self.app.screen.query(PanelCanvas)]
        return "\n".join([*canvases, *(str(one.render()) for one in self.app.screen.query(Static))])

    async def until(self, told: str) -> str:
        """Until the dialog says it."""
        for _ in range(40):
            text = self.dialog()
            if told in text:
                return text
            await self.look()
        raise AssertionError(f"{told!r} is not said:\n{self.dialog()}")

    async def until_told(self, told: str) -> str:
        """Until the notice line says it."""
        for _ in range(60):
            text = self.line("notice")
            if told in text:
                return text
            await self.look()
        raise AssertionError(f"{told!r} is not told: {self.line('notice')!r}")

    def page(self) -> str:
        """All that the screen beside the floor says."""
        shown = self.app.pages.shown
        return "" if shown is None else "\n".join(pane.text() for pane in shown.panes if pane.display)

    async def until_shown(self, *told: str) -> str:
        """Until the screen beside the floor says all of it."""
        for _ in range(60):
            if all(word in self.page() for word in told):
                return self.page()
            self.clock.advance(1)
            await self.look()
        raise AssertionError(f"{told} is not shown:\n{self.page()}")

    async def send(self) -> None:
        """The ticket that is open, by its two keys."""
        await self.until("APPROVED")
        await self.press("enter")
        await self.until("SEND  PAPER")
        await self.press("y")
        await self.until("sent")
        await self.press("enter")

    async def ordered(self, line: str) -> Trade:
        """What an order line became, through its ticket."""
        before = {trade.id for trade in self.lab.trades()}
        await self.press("colon")
        await self.type(line)
        await self.press("enter")
        await self.send()
        return next(trade for trade in self.lab.trades() if trade.id not in before)

    def trade(self) -> Trade:
        return next(trade for trade in self.lab.trades() if trade.hand is not None)

    def now(self, held: Trade) -> Trade:
        return self.lab.rooms.ledger.trades[held.id]

    def entry(self, trade: Trade) -> Order:
        return self.lab.rooms.ledger.book.orders[self.now(trade).entry_ref]

    def target(self, held: Trade) -> Order:
        return next(one for one in self.lab.exits(held) if one.ticket.purpose is Purpose.TARGET)

    def is_protected(self, held: Trade) -> bool:
        return self.now(held).state is TradeState.SELL_SUBMITTED

    def entries(self) -> list[Order]:
        return [one for one in self.lab.rooms.ledger.book.working() if one.ticket.purpose is Purpose.ENTRY]

    def money(self, symbol: str, step: int = 5) -> int:
        """The strike at the money."""
        spot = self.lab.rooms.judgement.spot(symbol)
        assert spot is not None
        return round(spot / step) * step

    def pane(self, name: str) -> str:
        return next(pane for pane in self.app.panes if pane.id == name).text()

    def line(self, name: str) -> str:
        """What stands on the header, notice or keys."""
        return self.app.screen_stack[0].query_one(f"#{name}").text()  # pyright: ignore[reportAttributeAccessIssue]


@asynccontextmanager
async def seated(lab: Lab, size: tuple[int, int], folder: Path | None = None) -> AsyncIterator[Seat]:
    """A screen of this size in front of the station."""
    clock = StillClock()
    app = FloorApp(lab.run.local_link, clock=clock, ascii_only=False, folder=folder)
    async with app.run_test(size=size) as pilot:
        yield Seat(lab, app, clock, pilot)
