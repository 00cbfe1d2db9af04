"""The order ticket: a form with a live preview. Enter arms it, another key sends it, once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final

from textual.app import ComposeResult
from textual.events import Key, Resize

from station.domain.clock import SECOND
from station.domain.instruments import CENT_TICKS, INSTRUMENTS, TickRule
from station.link import Ack, Command, LinkDown, ModifyOrder, PlaceOrder, PreviewOrder, Reply, WorkingOrder
from widgets import words
from widgets.beside import BesideDialog
from widgets.fate import Fate
from widgets.order import Order, dollars, ticket_of
from widgets.panel import PanelCanvas
from widgets.preview import Preview, preview_of
from widgets.ticket import NAMES, Form, FormFault, Market, form_of, market_of, order_of
from widgets.ticket_view import ARMED, EDIT, OVER, SENDING, TicketPicture, picture_lines, rows_wanted

FRESH_S: Final = 1.0
READ_S: Final = 1.0
"""Seconds that a ticket stands after the broker has its order."""
RULES_KEY: Final = "r"
FRAME: Final = (4, 2)
"""Cells and lines of the box around the ticket."""
UNANSWERED: Final = (
    "This order was sent and not answered. y asks again under the same token: it is placed once."
)
SEND_KEY: Final = "y"
STEPS: Final = {"up": 1, "down": -1, "pageup": 10, "pagedown": -10}


@dataclass(frozen=True, slots=True)
class Counter:
    """What a ticket needs of the screen: a way to ask, why it cannot, a fresh token, a place for work and the
    latency clock; `now_ns` is the station's, `by` is who orders, `environment` PAPER or LIVE."""

    ask: Callable[[Command], Awaitable[Reply]]
    barred: Callable[[], str]
    mint: Callable[[], str]
    work: Callable[[Awaitable[None], str], object]
    tell: Callable[[str, str], None]
    perf: Callable[[], int]
    now_ns: Callable[[], int]
    environment: Callable[[], str]
    fate: Callable[[str], Fate | None]
    """What became of the trade that an entry is."""
    present: Callable[[WorkingOrder], WorkingOrder | str]
    """A working order as the engine last told it; once it works no more, what became of it."""
    closed: Callable[[Key | None], None]
    """A sent ticket has closed: by itself, or at a key whose work is still to be done."""
    by: str
    unanswered: dict[Order, str] = field(default_factory=dict[Order, str])
    """Orders that were sent and not answered, and their tokens; they outlive the ticket."""
    changes: dict[ModifyOrder, str] = field(default_factory=dict[ModifyOrder, str])
    """Changes of working orders likewise."""


class TicketDialog(BesideDialog[None]):
    """Stages: edit, armed (the order as it would be sent, locked), sending, over."""

    TITLE_TEXT = "TICKET"
    TAKES_FIGURES = True

    def __init__(self, counter: Counter, order: Order, *, at: str = "qty") -> None:
        super().__init__(counter.perf)
        self._counter = counter
        self.form: Form = form_of(order, at=at)
        self.stage = EDIT
        self.token = ""
        self._order: Order | None = None
        self._fault: tuple[str, str] = ("", "")
        self._preview: Preview | None = None
        self._previewed: Order | None = None
        self._previewed_ns = 0
        self._asked_ns = 0
        self._flying = False
        self._news: tuple[str, str] = ("", "info")
        self._trouble = ""
        self._scroll = 0
        self._trade_id = ""
        self._settled_ns = 0
        self._whole = False
        self._rows = 0

    def inside(self) -> ComposeResult:
        yield PanelCanvas(id="ticket", ascii_only=self.app.has_class("ascii"))

    def on_mount(self) -> None:
        box = self.query_one("#box")
        box.border_title = f"TICKET  {self._counter.environment()}"
        self._changed()

    def on_resize(self, event: Resize) -> None:
        del event
        self._rows = 0
        self.call_after_refresh(self.draw)

    # --- what is asked and sent ----------------------------------------------------------------------

    def question(self, order: Order) -> Command:
        """What asks for the preview."""
        return PreviewOrder(ticket_of(order))

    def command(self, order: Order) -> Command:
        """What sends it, under this ticket's token."""
        return PlaceOrder(ticket_of(order), self.token, self._counter.by)

    def about(self) -> tuple[str, ...]:
        """Lines under the form."""
        return ()

    # --- keys --------------------------------------------------------------------------------------

    def on_key(self, event: Key) -> None:
        if event.key == "escape" and self.stage in (EDIT, OVER):
            return
        event.stop()
        event.prevent_default()
        if self.stage == EDIT:
            self._edit(event)
        elif event.key in ("ctrl+down", "ctrl+up"):
            self._scroll_rules(event.key)
        elif event.key == RULES_KEY and self.stage == ARMED:
            self._unfold()
        elif self.stage == ARMED:
            if event.key in ("enter", "escape"):
                self._back()
            elif event.key == SEND_KEY and self.ripe:
                self._send()
        elif self.stage == OVER:
            self._close(None if event.key in ("enter", SEND_KEY) else event)
            return
        self.draw()

    def _close(self, key: Key | None) -> None:
        """The order is sent, and nothing is left to be done here."""
        self.dismiss(None)
        self._counter.closed(key)

    def _edit(self, event: Key) -> None:
        form, market = self.form, self.market
        if event.key == "enter":
            self._arm()
            return
        if event.key in STEPS:
            form = form.stepped(STEPS[event.key], market)
        elif event.key in ("left", "right") and form.at in ("action", "kind", "override"):
            form = form.stepped(1 if event.key == "right" else -1, market)
        elif event.key in ("tab", "shift+tab"):
            form = form.moved(1 if event.key == "tab" else -1)
        elif event.key in ("backspace", "delete", "ctrl+u"):
            form = form.erased(all=event.key != "backspace")
        elif event.key in ("ctrl+down", "ctrl+up"):
            self._scroll_rules(event.key)
        elif event.key == RULES_KEY:
            self._unfold()
        elif event.character is not None:
            form = form.typed(event.character, market)
        if form is not self.form:
            self.form = form
            self._changed()

    def _unfold(self) -> None:
        """Every rule with its figures over the whole floor, and back."""
        self._whole, self._rows, self._scroll = not self._whole, 0, 0

    def _scroll_rules(self, key: str) -> None:
        self._scroll = max(self._scroll + (5 if key == "ctrl+down" else -5), 0)

    # --- the preview -------------------------------------------------------------------------------

    @property
    def rule(self) -> TickRule:
        """The tick, as the catalogue knows it, until the engine tells."""
        known = INSTRUMENTS.get(self.form.symbol)
        if known is None:
            return CENT_TICKS
        return known.option_ticks if self.form.strike is not None else known.tick

    @property
    def market(self) -> Market:
        return market_of(self._preview.document if self._preview is not None else {}, self.rule)

    def _changed(self) -> None:
        """Read the form anew and ask for what the engine says of it."""
        try:
            self._order, self._fault = order_of(self.form), ("", "")
        except FormFault as fault:
            self._order, self._fault = None, (str(fault), fault.field)
        self._scroll, self._trouble = 0, ""
        if self._order not in self._counter.unanswered:
            self._news = ("", "info")
        self._asked_ns = -(10**18)
        self.beat()
        self.draw()

    def beat(self) -> None:
        """Ask again what is older than FRESH_S, or of another order; called at every beat of the screen."""
        if self.stage == OVER and self._is_settled:
            fate = self._fate
            if fate is not None:
                self._counter.tell(f"{self._contract() or self.form.symbol}: {fate.text}", fate.tone)
            self._close(None)
            return
        if self._is_due and self._order is not None:
            self._flying, self._asked_ns = True, self._perf()
            self._counter.work(self._ask(self._order), "preview")
        self.draw()

    @property
    def _fate(self) -> Fate | None:
        return self._counter.fate(self._trade_id) if self._trade_id and self.stage == OVER else None

    @property
    def _is_settled(self) -> bool:
        """Its order is at the broker or filled, and that could be read. What is not an entry is done with its
        answer."""
        fate = self._fate
        if self._trade_id and (fate is None or not fate.settled):
            self._settled_ns = 0
            return False
        self._settled_ns = self._settled_ns or self._perf()
        return self._perf() - self._settled_ns >= READ_S * SECOND

    @property
    def _is_due(self) -> bool:
        if self._flying or self.stage in (SENDING, OVER) or self._counter.barred():
            return False
        return self._previewed != self._order or self._perf() - self._asked_ns >= FRESH_S * SECOND

    async def _ask(self, order: Order) -> None:
        try:
            reply = await self._counter.ask(self.question(order))
            self._take(order, reply)
        except (LinkDown, ValueError) as fault:
            self._trouble = str(fault)
        finally:
            self._flying = False
        if self.is_running and self.stage in (EDIT, ARMED):
            if order != self._order:
                self.beat()
            self.draw()

    def _take(self, order: Order, reply: Reply) -> None:
        if isinstance(reply, Ack):
            self._preview, self._trouble = None, reply.text
        else:
            self._preview = preview_of(reply.json)
            self._trouble = ""
        self._previewed, self._previewed_ns = order, self._perf()

    @property
    def _is_current(self) -> bool:
        return self._preview is not None and self._previewed == self._order

    # --- sending -----------------------------------------------------------------------------------

    def _arm(self) -> None:
        """Lock the order as it stands; from here one key sends it and enter does not."""
        barred = self._counter.barred()
        if barred or self._order is None:
            self._news = (barred or self._fault[0], "bad")
            return
        self.stage, self._opened_ns = ARMED, self._perf()
        known = self._counter.unanswered.get(self._order)
        self.token = known or self._counter.mint()
        self._news = (UNANSWERED, "warn") if known else (f"Enter goes back; only {SEND_KEY} sends.", "info")
        self.beat()

    def _back(self) -> None:
        self.stage, self.token, self._news = EDIT, "", ("", "info")

    def _send(self) -> None:
        barred = self._counter.barred()
        if barred:
            self._news = (f"nothing was sent: {barred}", "bad")
            return
        if not self._is_current or self._preview is None or not self._preview.approved or self._order is None:
            self._news = ("nothing was sent: the engine has not approved it as it stands", "bad")
            return
        self.stage = SENDING
        self._counter.work(self._place(self._order), "place")

    async def _place(self, order: Order) -> None:
        """The same token until it is answered: however often it is sent, it is placed once."""
        try:
            reply = await self._counter.ask(self.command(order))
        except LinkDown as fault:
            self.stage, self._opened_ns = ARMED, self._perf()
            self._counter.unanswered[order] = self.token
            self._news = (
                f"NO ANSWER: {fault}. It may have been placed; y asks with the same token and places it once.",
                "bad",
            )  # fmt: skip
            self._counter.tell(f"{order}: NO ANSWER, {fault}. It may have been placed.", "bad")
        else:
            self._answered(order, reply)
        if self.is_mounted:
            self.draw()

    def _answered(self, order: Order, reply: Reply) -> None:
        self._counter.unanswered.pop(order, None)
        ok = not isinstance(reply, Ack) or reply.ok
        said = reply.text if isinstance(reply, Ack) else ""
        text = words.shortened(said or "placed", self._counter.now_ns())
        code = f" [{reply.code}]" if isinstance(reply, Ack) and reply.code and not ok else ""
        if ok:
            self.stage, self._news = OVER, (text, "good")
            self._trade_id, self._whole, self._rows = (
                (reply.trade_id if isinstance(reply, Ack) else ""),
                False,
                0,
            )
            self._counter.tell(text, "good")
            return
        self.stage, self.token = EDIT, ""
        self._news = (f"REFUSED: {text}{code}", "bad")
        self._counter.tell(f"{order}: REFUSED, {text}{code}", "bad")

    def _contract(self) -> str:
        """What the engine took it for, as a trader says it."""
        known = self._preview.document.get("contract") if self._preview is not None else None
        return words.contract(known, self._counter.now_ns()) if isinstance(known, str) else ""

    def _spoken(self) -> str:
        """The order as the send key does it: `PAPER: BUY 2 SPXW 5940C 0DTE limit 4.20 tp 23%`."""
        order = self._order
        if order is None:
            return ""
        contract = self._contract() or order.contract
        named = f"{self._counter.environment()}: {order.action} {order.qty} {contract}"
        prices = [dollars(price) for price in (order.trigger, order.limit) if price is not None]
        guards = [f"tp {order.target}"] if order.target is not None else []
        guards += [f"sl {order.stop}"] if order.stop is not None else []
        how = NAMES[order.kind] if order.limit is not None else self.form.policy
        return " ".join([named, how or NAMES[self.form.kind], *prices, *guards])

    # --- painting ----------------------------------------------------------------------------------

    def settled(self) -> None:
        self.draw()

    def draw(self) -> None:
        picture = self._picture()
        self._fit(picture)
        for canvas in () if self.moving else self.query(PanelCanvas):
            if not canvas.size.width or not canvas.size.height:
                continue
            canvas.draw(picture_lines(picture, canvas.size.width, canvas.size.height))

    def _fit(self, picture: TicketPicture) -> None:
        """As much room as it needs, or as it needed: it grows, and does not shrink under the eye."""
        if not self.is_mounted:
            return
        cells, lines = FRAME
        if self._whole:
            self.stand_over()
            return
        width = min(self.place.width, self.MOST)
        self._rows = max(self._rows, rows_wanted(picture, width - cells) + lines)
        self.stand(width, self._rows)

    def _picture(self) -> TicketPicture:
        text, tone = self._news if self._news[0] else (self._trouble, "bad")
        not_sent = self.stage in (EDIT, ARMED)
        picture = TicketPicture(
            self.form, self.market, self._preview, self.stage, self._fault[0], self._fault[1], text, tone,
            waiting=self._order is not None and not self._is_current,
            old_s=(self._perf() - self._previewed_ns) / SECOND if self._is_current and not_sent else 0.0,
            barred=self._counter.barred(), order=self._spoken(),
            cursor=self._scroll, contract=self._contract(), live=self._counter.environment() == "LIVE",
            about=self.about(), now_ns=self._counter.now_ns() if not_sent else 0,
            whole=self._whole, fate=self._fate,
        )  # fmt: skip
        return replace(picture, preview=None) if self._order is None else picture
