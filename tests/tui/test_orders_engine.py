"""Orders by keyboard through a whole station: the screen, the engine and the paper exchange on one loop."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input

from station.domain.orders import Order, OrderState, Purpose
from station.domain.trade import Trade, TradeState
from tests.lab import Lab, assert_sound, play
from tests.tui.stage import StillClock
from widgets.app import FloorApp
from widgets.dialogs import KillDialog
from widgets.panel import PanelCanvas
from widgets.ticket_dialog import TicketDialog

SIZE = (110, 30)


class Seat:
    """A trader in front of a station: keys, and simulated time that passes between them."""

    def __init__(self, lab: Lab, app: FloorApp, clock: StillClock, pilot: Pilot[str]) -> None:
        self.lab, self.app, self.clock, self.pilot = lab, app, clock, pilot

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.look()
            self.clock.advance(0.4)
            await self.pilot.press(key)
        await self.look()

    async def look(self) -> None:
        """Let the screen ask, the engine answer, and both settle."""
        for _ in range(2):
            await self.pilot.pause()
            self.app.repaint()
            await self.lab.step(0.2)
        await self.pilot.pause()

    async def until(self, told: str) -> str:
        """Until the dialog says it."""
        for _ in range(40):
            text = self.app.screen.query_one(PanelCanvas).text()
            if told in text:
                return text
            await self.look()
        raise AssertionError(f"{told!r} is not said:\n{self.app.screen.query_one(PanelCanvas).text()}")

    def trade(self) -> Trade:
        return next(trade for trade in self.lab.trades() if trade.hand is not None)

    def now(self, held: Trade) -> Trade:
        return self.lab.rooms.ledger.trades[held.id]

    def target(self, held: Trade) -> Order:
        return next(one for one in self.lab.exits(held) if one.ticket.purpose is Purpose.TARGET)

    def entries(self) -> list[Order]:
        return [one for one in self.lab.rooms.ledger.book.working() if one.ticket.purpose is Purpose.ENTRY]

    def money(self, symbol: str) -> int:
        """The strike at the money."""
        spot = self.lab.rooms.judgement.spot(symbol)
        assert spot is not None
        return round(spot / 5) * 5

    def pane(self, name: str) -> str:
        return next(pane for pane in self.app.panes if pane.id == name).text()


async def buy_two(seat: Seat) -> Trade:
    """Two of the option under the chain's cursor, from the key that opens the ticket to the working sell."""
    await seat.press("slash", *"SPY", "enter", "o", "b")
    assert isinstance(seat.app.screen, TicketDialog)
    await seat.press("up", "tab", "tab", *"30%", "tab", *"20%")
    await seat.until("APPROVED")
    await seat.press("enter")
    assert not [trade for trade in seat.lab.trades() if trade.hand is not None]
    assert "max loss" in await seat.until("SEND  PAPER: BUY 2 SPY")
    await seat.press("y")
    await seat.until("sent")
    await seat.lab.until_true(lambda: seat.trade().state is TradeState.SELL_SUBMITTED, limit_s=90)
    await seat.press("enter", "p")
    return seat.trade()


async def raise_target(seat: Seat, held: Trade) -> None:
    """The working sell is moved up by a tick from its pane."""
    before = seat.target(held).ticket.limit
    await seat.press("u")
    assert "target" in seat.pane("orders")
    await seat.press("home", "M", "up", "enter", "y")
    await seat.lab.until_true(lambda: seat.target(held).ticket.limit != before, limit_s=30)
    assert before is not None and seat.target(held).ticket.limit == before + Decimal("0.01")
    await seat.press("enter")


async def close_one(seat: Seat, held: Trade) -> None:
    await seat.press("p", "minus", "1", "enter")
    await seat.lab.until_true(lambda: seat.now(held).open_qty == 1, limit_s=60)
    await seat.lab.until_true(lambda: seat.target(held).remaining == 1, limit_s=60)


async def kill_from_a_ticket(seat: Seat, held: Trade) -> None:
    """A resting entry is cancelled from inside another ticket; what protects stays."""
    await seat.press("colon")
    seat.app.screen.query_one(Input).value = f"buy 1 SPX {seat.money('SPX')}C 0dte @ 0.05"
    await seat.press("enter", "enter")
    await seat.until("SEND")
    await seat.press("y")
    await seat.until("sent")
    await seat.press("enter", "u")
    assert "entry" in seat.pane("orders")
    await seat.press("o", "b", "f12")
    await seat.lab.until_true(lambda: not seat.entries(), limit_s=30)
    assert isinstance(seat.app.screen, KillDialog)
    assert seat.target(held).remaining == 1


def test_orders_by_keyboard_are_filled_protected_changed_closed_and_killed(tmp_path: Path) -> None:
    async def day() -> None:
        async with Lab(tmp_path) as lab:
            await lab.until("09:36")
            clock = StillClock()
            app = FloorApp(lab.run.local_link, clock=clock, ascii_only=False)
            async with app.run_test(size=SIZE) as pilot:
                seat = Seat(lab, app, clock, pilot)
                held = await buy_two(seat)
                assert seat.target(held).state is OrderState.SUBMITTED
                assert seat.target(held).ticket.qty == 2
                assert held.own is not None and held.own.stop_pct == 20
                assert "SPY" in seat.pane("positions") and "live" in seat.pane("positions")
                await raise_target(seat, held)
                await close_one(seat, held)
                await kill_from_a_ticket(seat, held)
        assert_sound(tmp_path)

    play(day)
