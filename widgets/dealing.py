"""The trader's dealing hand: tickets and changes of orders, from what the floor shows under its cursors."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from textual.app import App
from textual.events import Key

from station.domain.clock import SECOND
from station.domain.instruments import INSTRUMENTS
from station.link import (
    CancelAll,
    CancelOrder,
    ClosePart,
    Command,
    FiringRow,
    LinkState,
    ModifyOrder,
    PositionRow,
    Reply,
    ReverseTrade,
    WorkingOrder,
)
from station.link.floor import READY
from widgets import feed, orders, words
from widgets.amend import AmendDialog
from widgets.asking import ask_late
from widgets.contracts import around, contracts_of, order_of_firing, order_of_label
from widgets.fate import Fate, fate_of, present
from widgets.notices import NO_ENGINE
from widgets.order import BUY, MARKET, MID, SELL, Order
from widgets.order_dialogs import ConfirmDialog, OrderLineDialog, PartDialog
from widgets.orderline import Known
from widgets.pane import Pane
from widgets.preview import cost_of
from widgets.proposing import Proposing
from widgets.reversal import named, other_side
from widgets.ticket_dialog import SEND_KEY, Counter, TicketDialog

if TYPE_CHECKING:
    from widgets.app import FloorApp

CHAIN_WAIT_S: Final = 5
LINES_KEPT: Final = 50
LATE_S: Final = 0.8
LATE: Final = frozenset({"enter", "escape", SEND_KEY})
BY: Final = "screen"


def fresh_token() -> str:
    """Never the same twice, on whatever screen: an order sent again under it is known by it."""
    return secrets.token_hex(8)


class Dealing:
    """Every method returns at once; what came of it stands in the dialog it opened or in the notice line."""

    def __init__(self, app: FloorApp, mint: Callable[[], str] = fresh_token) -> None:
        self._app = app
        self._by = BY
        self._mint = mint
        self._lines: list[str] = []
        self._unanswered: dict[Order, str] = {}
        self._asked: dict[tuple[str, str, int], str] = {}
        self._changes: dict[ModifyOrder, str] = {}
        self._proposing = Proposing(app, self.barred, self.counter, self._send)
        self._proposed: tuple[FiringRow, int] | None = None
        self._closed_ns = -(10**18)

    # --- what tickets need -------------------------------------------------------------------------

    def barred(self) -> str:
        """Why nothing can be previewed or sent now; empty where it can."""
        app = self._app
        if app.link.state is not LinkState.CONNECTED:
            return (
                f"{NO_ENGINE}: orders are not sent and never queued "
                f"({app.link.detail or app.link.state.value}); the screen keeps trying."
            )
        if app.read_only:
            return "This screen is attached read-only: it sends no orders."
        known = app.link.view.floor.header
        if known is not None and not known.broker_up:
            return "The broker is not connected: entries are refused, never queued. Exits wait in the engine."
        return ""

    def counter(self) -> Counter:
        app = self._app

        async def ask(command: Command) -> Reply:
            return await app.link.ask(command)

        def work(doing: Awaitable[None], group: str) -> None:
            app.run_worker(doing, group=group, exit_on_error=False)

        def environment() -> str:
            known = app.link.view.floor.header
            return known.environment if known is not None else ""

        def fate(trade_id: str) -> Fate | None:
            return fate_of(app.link.view.floor, trade_id)

        return Counter(
            ask, self.barred, self._mint, work, app.tell, app.perf, self._now_ns, environment, fate,
            self._present, self._ticket_closed, self._by, self._unanswered, self._changes,
        )  # fmt: skip

    def _present(self, row: WorkingOrder) -> WorkingOrder | str:
        """What is remembered of a lost engine decides nothing."""
        link = self._app.link
        return present(link.view.floor, row) if link.state is LinkState.CONNECTED else row

    def _ticket_closed(self, key: Key | None) -> None:
        """The key that closed a sent ticket does its work on the floor; those that send and close tickets are
        not the floor's for a moment: a hand that means the ticket may be late."""
        self._closed_ns = self._app.perf()
        if key is not None:
            self._app.call_next(self._press, Key(key.key, key.character))

    async def _press(self, key: Key) -> None:
        """As if it had just been pressed on the screen in front."""
        await App.on_event(self._app, key)

    def is_late(self, key: Key) -> bool:
        """The key was meant for a ticket that has just closed by itself."""
        recent = self._app.perf() - self._closed_ns < LATE_S * SECOND
        return recent and key.key in LATE and len(self._app.screen_stack) == 1

    def _now_ns(self) -> int:
        known = self._app.link.view.floor.header
        return known.now_ns if known is not None else 0

    def open(self, order: Order, *, at: str = "qty") -> None:
        """The ticket of an order, to be looked over."""
        barred = self.barred()
        if barred:
            self._app.tell(barred, "bad")
            return
        self._app.push_screen(TicketDialog(self.counter(), order, at=at))

    # --- what stands under the cursors ---------------------------------------------------------------

    @property
    def picked_order(self) -> WorkingOrder | None:
        """The working order under its pane's cursor, as the engine last told it; none where it is not seen."""
        pane, part = self._pane("orders"), self._app.link.view.floor.orders
        if part is None or not pane.display:
            return None
        return next((row for row in part.rows if row.order_ref == pane.picked), None)

    @property
    def picked_firing(self) -> FiringRow | None:
        """The firing under the feed's cursor; without one the newest that passed."""
        part = self._app.link.view.floor.feed
        rows = part.rows if part is not None else ()
        picked = self._pane("feed").picked
        found = next((row for row in rows if picked and feed.key_of(row) == picked), None)
        return found or next((row for row in rows if not row.gate), None)

    @property
    def on_orders(self) -> bool:
        """The pane of working orders has the keys."""
        pane = self._app.focused_pane
        return pane is not None and pane.id == "orders" and pane.display

    def _pane(self, name: str) -> Pane:
        return self._app.screen_stack[0].query_one(f"#{name}", Pane)

    # --- where tickets come from -------------------------------------------------------------------

    def ticket(self, action: str) -> None:
        """Of what the pane in focus points at: a position's contract, a firing's, else the chain's."""
        pane = self._app.focused_pane
        name = pane.id if pane is not None and pane.display else ""
        row = self._app.picked_position
        if name == "positions" and row is not None:
            if action == SELL:
                self.close_part(row)
                return
            self._open_or_say(order_of_label(row.label, action), f"{row.label}: its contract is not known")
        elif name == "feed" and action == BUY:
            self._propose()
        else:
            self._open_or_say(self._chosen(action), "no option is chosen: pick one in the chain")

    def _open_or_say(self, order: Order | None, why: str) -> None:
        if order is None:
            self._app.tell(why, "warn")
        else:
            self.open(order)

    def _chosen(self, action: str) -> Order | None:
        """One of the option under the chain's cursor, of the very day the chain shows."""
        sight, chain = self._app.sight, self._app.link.view.floor.chain
        if not sight.symbol or not sight.contract:
            return None
        expiry = chain.expiry if chain is not None and chain.ask == sight.chain else ""
        strike, right = sight.contract[:-1], sight.contract[-1]
        kind = MID if action == BUY else MARKET
        return Order(action, 1, sight.symbol, Decimal(strike), right, expiry or sight.expiry, kind)

    def _propose(self) -> None:
        """The firing under the feed's cursor, or the newest that passed, as a ticket."""
        firing = self.picked_firing
        if firing is None:
            self._app.tell("no scanner has fired: there is nothing to take up", "warn")
            return
        known = INSTRUMENTS.get(firing.instrument)
        if known is not None and not known.has_options:
            self._app.tell(f"{firing.scanner}: {firing.instrument} has no options to buy", "warn")
            return
        self._proposed = (firing, self._app.perf())
        self._app.aim(symbol=firing.instrument)
        self.beat()

    def beat(self) -> None:
        """Opens the ticket of a firing once the chain of its instrument is there; keeps open tickets fresh."""
        top = self._app.screen
        if isinstance(top, TicketDialog | AmendDialog | PartDialog):
            top.beat()
        if self._proposed is None:
            return
        firing, since = self._proposed
        chain = self._app.link.view.floor.chain
        if chain is not None and chain.ask == self._app.sight.chain and chain.rows:
            self._proposed = None
            if chain.ask.symbol == firing.instrument:
                self._open_or_say(order_of_firing(firing, chain), f"{firing.scanner}: no option is quoted")
        elif self._app.perf() - since > CHAIN_WAIT_S * SECOND:
            self._proposed = None
            self._app.tell(f"{firing.scanner}: the chain of {firing.instrument} did not come", "warn")

    def proposal(self) -> None:
        """What a strategy proposes, to be taken or declined."""
        self._proposing.open()

    def order_line(self) -> None:
        dialog = OrderLineDialog(self._app.perf, self._known, self._lines)

        def answered(order: Order | None) -> None:
            if order is None:
                return
            self._lines = [*(line for line in self._lines if line != str(order)), str(order)][-LINES_KEPT:]
            self.open(order)

        self._app.push_screen(dialog, answered)

    def _known(self) -> Known:
        app = self._app
        chain = app.link.view.floor.chain
        first = app.sight.symbol
        symbols = (first, *(one for one in app.symbols if one != first)) if first else app.symbols
        header = app.link.view.floor.header
        others = {price.symbol: around(price) for price in header.prices} if header is not None else {}
        if chain is None or chain.ask != app.sight.chain:
            return Known(symbols, others=others)
        return Known(symbols, chain.ask.symbol, contracts_of(chain, app.sight.contract), others)

    # --- positions ---------------------------------------------------------------------------------

    def close_part(self, row: PositionRow) -> None:
        label, known = words.contract(row.label, self._now_ns()), int(row.qty)

        def held() -> int:
            nonlocal known
            part = self._app.link.view.floor.positions
            if part is not None and part.state == READY:
                known = next((int(one.qty) for one in part.rows if one.trade_id == row.trade_id), 0)
            return known

        if held() < 2:
            self._app.tell(f"{label}: {held()} held; x closes it whole", "warn")
            return

        def answered(qty: int | None) -> None:
            if qty is not None:
                self._send_once(
                    ("part", row.trade_id, qty),
                    lambda token: ClosePart(row.trade_id, qty, self._by, token),
                    f"closing {qty} of {held()} {label} at market",
                )

        self._app.push_screen(PartDialog(self._app.perf, label, held), answered)

    def reverse(self, row: PositionRow) -> None:
        barred = self.barred()
        if barred:
            self._app.tell(barred, "bad")
            return
        self._app.tell(f"{words.contract(row.label, self._now_ns())}: asking about the other side …", "info")
        self._app.run_worker(self._reverse(row), group="reverse", exit_on_error=False)

    async def _reverse(self, row: PositionRow) -> None:
        """Ask with what every rule says of the other side now; where one refuses, only closing is offered."""
        label, told = words.contract(row.label, self._now_ns()), await other_side(self._app.link, row.trade_id)
        if told is not None and not told.approved:
            whys = [*told.problems, *(f"{rule.name}: {rule.text}" for rule in told.refused)]
            self._confirm(
                "REVERSE REFUSED",
                ["The other side would be refused now, so nothing is turned round:", *whys[:6], "",
                 f"{label} ×{words.count(row.qty)} can still be closed at market, and nothing else."],
                "close it only", lambda: self._app.hand.close(row),
            )  # fmt: skip
            return
        about = [] if told is None else ["", f"{named(told, self._now_ns())}: {told.verdict}.",
                                         f"About {cost_of(told)}, all of which can be lost."]  # fmt: skip
        self._confirm(
            "REVERSE",
            [f"{label} ×{words.count(row.qty)} is closed at market.",
             "Once that has filled, the opposite right is bought: same expiry, nearest the same delta.",
             "Every rule judges that first; if one refuses, nothing is closed.", *about],
            f"close it and go the other way ({self._environment()})",
            lambda: self._send_once(
                ("reverse", row.trade_id, 0), lambda token: ReverseTrade(row.trade_id, token, self._by),
                f"reversing {label}",
            ),
            warn="This opens new risk.",
        )  # fmt: skip

    # --- working orders ----------------------------------------------------------------------------

    def modify(self, row: WorkingOrder) -> None:
        barred = self.barred()
        if barred:
            self._app.tell(barred, "bad")
            return
        part = self._app.link.view.floor.positions
        held = part.rows if part is not None else ()
        guard = next((one.stop for one in held if one.trade_id == row.trade_id), None)
        self._app.push_screen(AmendDialog(self.counter(), row, order_of_label(row.label, BUY), guard))

    def cancel(self, row: WorkingOrder) -> None:
        self._send(CancelOrder(row.order_ref, self._by), f"cancelling {orders.named(row, self._now_ns())}")

    def cancel_all(self) -> None:
        part = self._app.link.view.floor.orders
        if part is None or part.state != READY:
            why = (part.note if part is not None else "") or "the engine has not told them"
            lines = [
                "The working orders are not known here:",
                f"{why}.",
                "",
                "Exits stand, whatever is cancelled.",
            ]
            self._confirm_cancel(lines, "every entry that works")
            return
        entries = [row for row in part.rows if row.may_cancel]
        if not entries:
            self._app.tell("no entry is working: there is nothing to cancel", "warn")
            return
        rest = len(part.rows) - len(entries)
        lines = [orders.named(row, self._now_ns()) for row in entries[:8]]
        if len(entries) > 8:
            lines.append(f"and {len(entries) - 8} more")
        lines += ["", f"{rest} exits stand: what protects a position is not cancelled."] if rest else []
        many = f"{len(entries)} working {'entry' if len(entries) == 1 else 'entries'}"
        self._confirm_cancel(lines, many)

    def _confirm_cancel(self, lines: list[str], many: str) -> None:
        self._confirm(
            "CANCEL ALL", lines, f"cancel {many}", lambda: self._send(CancelAll(self._by), f"cancelling {many}")
        )

    # --- how it is asked and sent ------------------------------------------------------------------

    def _environment(self) -> str:
        known = self._app.link.view.floor.header
        return known.environment if known is not None else "unknown"

    def _confirm(
        self, title: str, lines: list[str], doing: str, then: Callable[[], None], *, warn: str = ""
    ) -> None:
        def answered(agreed: bool | None) -> None:
            if agreed:
                then()

        ask_late(self._app, ConfirmDialog(self._app.perf, title, lines, doing, warn=warn), answered)

    def _send_once(self, what: tuple[str, str, int], make: Callable[[str], Command], doing: str) -> None:
        """The same thing asked again before there was an answer keeps its token, and is done once."""
        token = self._asked.setdefault(what, self._mint())
        self._app.hand.send(make(token), doing, answered=lambda: self._asked.pop(what, None))

    def _send(self, command: Command, doing: str) -> None:
        self._app.hand.send(command, doing)
