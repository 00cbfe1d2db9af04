"""Changing a working order: an entry's size and price, a position's target and stop. Enter arms, y sends."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final

import msgspec
from textual.app import ComposeResult
from textual.events import Key, Resize

from station.domain.clock import SECOND
from station.domain.instruments import CENT_TICKS, INSTRUMENTS, TickRule
from station.link import Ack, Data, LinkDown, ModifyOrder, PreviewOrder, WorkingOrder
from widgets import ink, words
from widgets.beside import BesideDialog
from widgets.ink import Line
from widgets.order import LIMIT, STOP, STOP_LIMIT, Order, dollars, ticket_of
from widgets.orderline import MAX_QTY, price_of
from widgets.orders import named
from widgets.pane import wrapped
from widgets.panel import PanelCanvas
from widgets.preview import preview_of
from widgets.ticket import Form, Market, market_of
from widgets.ticket_dialog import READ_S, SEND_KEY, STEPS, Counter
from widgets.ticket_view import LABELS

KINDS: Final = {"LMT": LIMIT, "STP": STOP, "STP LMT": STOP_LIMIT}
FRESH_S: Final = 1.0
WIDE: Final = 76
LINES: Final = 8
"""Beside its fields: the frame, the order and the market, and the foot."""
MOST_TOLD: Final = 8
"""Lines of a refusal, which names every rule that refuses."""
TARGET: Final = "target"


def form_of(row: WorkingOrder, guard: Decimal | None = None) -> Form:
    """What can be changed of it, as it stands: with a target the stop of its position, now at `guard`."""
    kind = KINDS.get(row.kind, LIMIT)
    guarded = row.purpose == TARGET
    stop = guard if guarded else row.stop
    there = {
        "qty": row.purpose == "entry", "trigger": guarded or stop is not None, "limit": row.limit is not None,
    }  # fmt: skip
    names = tuple(name for name, is_there in there.items() if is_there)
    texts = {
        "qty": words.count(row.qty),
        "limit": "" if row.limit is None else dollars(row.limit),
        "trigger": "" if stop is None else dollars(stop),
    }
    return Form(row.action, row.symbol, kind=kind, texts=texts, at=names[-1], only=names)


def change_of(row: WorkingOrder, form: Form, by: str, guard: Decimal | None = None) -> ModifyOrder:
    """The change that the form asks for; what stays as it is is left empty. Raises ValueError with one line."""
    qty, limit, stop = 0, "", ""
    if "qty" in form.only:
        text = form.text("qty")
        if not text.isdigit() or not 1 <= int(text) <= MAX_QTY:
            raise ValueError(f"quantity {text or 'nothing'}: give a whole number, 1 to {MAX_QTY}")
        if int(text) <= row.filled:
            raise ValueError(
                f"quantity {text}: {words.count(row.filled)} are filled already; cancel the rest with c"
            )
        qty = int(text) if int(text) != row.qty else 0
    if "limit" in form.only:
        limit = _changed(form.text("limit"), row.limit, "limit")
    before = guard if row.purpose == TARGET else row.stop
    if "trigger" in form.only and (form.text("trigger") or before is not None):
        stop = _changed(form.text("trigger"), before, "stop")
    if not (qty or limit or stop):
        raise ValueError("nothing is changed yet: step the price with the arrows, or type one")
    return ModifyOrder(row.order_ref, qty, limit, stop, by)


def _changed(text: str, before: Decimal | None, name: str) -> str:
    price = price_of(text)
    if price is None:
        raise ValueError(f"{name} {text or 'nothing'}: give a price")
    return "" if price == before else dollars(price)


class AmendDialog(BesideDialog[None]):
    """The order as it stands, and as it would be."""

    TITLE_TEXT = "MODIFY"
    TAKES_FIGURES = True

    def __init__(
        self, counter: Counter, row: WorkingOrder, same: Order | None, guard: Decimal | None = None
    ) -> None:
        """`guard` is where the position's stop is, of what protects one."""
        super().__init__(counter.perf)
        self._counter = counter
        self.row = row
        self._guard = guard
        self.form = form_of(row, guard)
        self.armed: ModifyOrder | None = None
        self.sending = False
        self._over_ns = 0
        """Since when it is changed; 0 before."""
        self._ended = ""
        """What became of it, once it works no more."""
        self._same = same
        self._market = Market(rule=self._rule)
        self._asked_ns = -(10**18)
        self._flying = False
        self._news: tuple[str, str] = ("", "info")

    @property
    def _rule(self) -> TickRule:
        known = INSTRUMENTS.get(self._same.symbol if self._same is not None else self.row.symbol)
        if known is None:
            return CENT_TICKS
        option = self._same is not None and self._same.strike is not None
        return known.option_ticks if option else known.tick

    def inside(self) -> ComposeResult:
        yield PanelCanvas(id="amend", ascii_only=self.app.has_class("ascii"))

    def on_mount(self) -> None:
        self.query_one("#box").border_title = f"MODIFY  {self._counter.environment()}"
        self.beat()
        self.call_after_refresh(self.draw)

    def on_resize(self, event: Resize) -> None:
        del event
        self.call_after_refresh(self.draw)

    # --- keys --------------------------------------------------------------------------------------

    def on_key(self, event: Key) -> None:
        if event.key == "escape" and self.armed is None:
            return
        event.stop()
        event.prevent_default()
        if self._over_ns:
            self._close(None if event.key in ("enter", SEND_KEY) else event)
            return
        if self._ended:
            if event.key == "enter":
                self._close(None)
            return
        if self.sending:
            return
        if self.armed is not None:
            if event.key in ("enter", "escape"):
                self.armed, self._news = None, ("", "info")
            elif event.key == SEND_KEY and self.ripe:
                self._send(self.armed)
        elif event.key == "enter":
            self._arm()
        else:
            self._edit(event)
        self.draw()

    def _close(self, key: Key | None) -> None:
        self.dismiss(None)
        self._counter.closed(key)

    def _edit(self, event: Key) -> None:
        form, market = self.form, self._market
        if event.key in STEPS:
            form = form.stepped(STEPS[event.key], market)
        elif event.key in ("tab", "shift+tab"):
            form = form.moved(1 if event.key == "tab" else -1)
        elif event.key in ("backspace", "delete", "ctrl+u"):
            form = form.erased(all=event.key != "backspace")
        elif event.character is not None:
            form = form.typed(event.character, market)
        self.form, self._news = form, ("", "info")

    def _arm(self) -> None:
        try:
            self.armed = change_of(self.row, self.form, self._counter.by, self._guard)
        except ValueError as fault:
            self._news = (str(fault), "bad")
            return
        self._opened_ns = self._perf()
        self._news = (f"Enter goes back; only {SEND_KEY} sends.", "info")

    # --- the market --------------------------------------------------------------------------------

    def beat(self) -> None:
        """The market around the order, from the engine; called at every beat of the screen."""
        if self._over_ns and self._perf() - self._over_ns >= READ_S * SECOND:
            self._close(None)
            return
        self._look()
        busy = self._flying or self.sending or self._over_ns or bool(self._counter.barred())
        due = self._perf() - self._asked_ns >= FRESH_S * SECOND
        if self._same is not None and due and not busy:
            self._flying, self._asked_ns = True, self._perf()
            self._counter.work(self._ask(self._same), "preview")
        self.draw()

    def _look(self) -> None:
        """An order that fills, or is changed elsewhere, while its dialog stands is not shown as it was."""
        if self._over_ns or self.sending or self._ended:
            return
        now = self._counter.present(self.row)
        if isinstance(now, str):
            self._ended, self.armed = now, None
            self._news = (f"It works no more, there is nothing to change: {now}", "bad")
        elif now.kind != self.row.kind:
            self._ended, self.armed = now.kind, None
            self._news = (f"It is another order now: {named(now, self._counter.now_ns())}", "bad")
        elif now != self.row:
            self._follow(now)

    def _follow(self, now: WorkingOrder) -> None:
        """What the hand has not touched is as the order is now; what was looked over is looked over again."""
        old, new = form_of(self.row, self._guard), form_of(now, self._guard)
        if old.texts != new.texts:
            kept = {name for name in self.form.only if self.form.text(name) != old.text(name)}
            texts = {name: (self.form if name in kept else new).text(name) for name in self.form.texts}
            self.form, self.armed = replace(self.form, texts=texts), None
            self._news = ("It was changed meanwhile: look at it again.", "bad")
        self.row = now

    async def _ask(self, same: Order) -> None:
        try:
            reply = await self._counter.ask(PreviewOrder(ticket_of(same)))
            if isinstance(reply, Data):
                self._market = market_of(preview_of(reply.json).document, self._rule)
        except (LinkDown, ValueError):
            self._market = Market(rule=self._rule)
        finally:
            self._flying = False
        self.draw()

    # --- sending -----------------------------------------------------------------------------------

    def _send(self, change: ModifyOrder) -> None:
        barred = self._counter.barred()
        if barred:
            self._news = (f"nothing was sent: {barred}", "bad")
            return
        self.sending = True
        self._news = ("sending …", "info")
        self._counter.work(self._deliver(change), "modify")

    async def _deliver(self, change: ModifyOrder) -> None:
        try:
            token = self._counter.changes.setdefault(change, self._counter.mint())
            reply = await self._counter.ask(msgspec.structs.replace(change, token=token))
        except LinkDown as fault:
            self._news = (f"NO ANSWER: {fault}. It may have been changed: look at the working orders.", "bad")
            self._counter.tell(f"modify: {self._news[0]}", "bad")
        else:
            changes = self._counter.changes
            for one in [one for one in changes if one.order_ref == change.order_ref]:
                # The same asked for after another change is meant anew, and would be taken for done.
                del changes[one]
            ok = not isinstance(reply, Ack) or reply.ok
            text = reply.text if isinstance(reply, Ack) else "changed"
            self._over_ns = self._perf() if ok else 0
            text = words.shortened(text or "changed", self._counter.now_ns())
            self._news = (text, "good") if ok else (f"REFUSED: {text}", "bad")
            self._counter.tell(self._news[0], self._news[1])
        self.sending, self.armed = False, None
        self.draw()

    # --- painting ----------------------------------------------------------------------------------

    def settled(self) -> None:
        self.draw()

    def draw(self) -> None:
        if not self.is_mounted:
            return
        self.stand(WIDE, LINES + len(self.form.only) + max(len(self._told(WIDE - 4)) - 2, 0))
        for canvas in () if self.moving else self.query(PanelCanvas):
            canvas.draw(self._lines(canvas.size.width, canvas.size.height))

    def _lines(self, width: int, height: int) -> list[Line]:
        market, foot = self._market, self._foot(width)
        told = (("bid", market.bid), ("mid", market.mid), ("ask", market.ask), ("last", market.last))
        prices = tuple(
            span
            for name, price in told
            for span in ((f" {name} ", ink.FAINT), (f"{_told(price)} ", ink.STRONG))
        )
        rows: list[Line] = [((f" {named(self.row, self._counter.now_ns())}", ink.STRONG),), prices, ink.BLANK]
        rows += [self._field(name) for name in self.form.only]
        rows += [ink.BLANK] * max(height - len(rows) - len(foot), 0)
        return [*rows, *foot]

    def _field(self, name: str) -> Line:
        here = self.form.at == name and self.armed is None and not self._over_ns and not self._ended
        before = {
            "qty": words.count(self.row.qty),
            "limit": _told(self.row.limit),
            "trigger": _told(self._guard if self.row.purpose == TARGET else self.row.stop),
        }
        label = "stop loss" if name == "trigger" and self.row.purpose == TARGET else LABELS[name]
        text = self.form.text(name)
        changed = text != replace(self.form, texts=form_of(self.row, self._guard).texts).text(name)
        return (
            (f"{'▸' if here else ' '}{label:<12}", ink.STRONG if here else ink.DIM),
            (f"{before[name]:>9}", ink.DIM), ("  → ", ink.FAINT),
            (f"{text or '--'}{'▏' if here and not self.form.fresh else ''}", ink.WARN if changed else ink.TEXT),
        )  # fmt: skip

    def _told(self, width: int) -> list[Line]:
        text, tone = self._news
        if self._counter.barred() and not text:
            text, tone = self._counter.barred(), "bad"
        style = {"info": ink.TEXT, "good": ink.UP, "bad": ink.ALARM}[tone]
        return [((f" {line}", style),) for line in wrapped(text, width - 1)[:MOST_TOLD]]

    def _foot(self, width: int) -> list[Line]:
        news = self._told(width)
        news += [ink.BLANK] * (2 - len(news))
        if self._over_ns:
            rest = "  any other key closes it and does its work"
            return [*news, ((" ▸[ Enter  close ] ", ink.LAST), (rest, ink.DIM))]
        if self._ended:
            return [*news, ((" ▸[ Enter  close ] ", ink.LAST),)]
        if self.armed is not None:
            back = ((" ▸[ Enter  not yet ] ", ink.LAST), ("   y ", ink.KEY), (" CHANGE IT ", ink.CAUTION))
            return [*news, back]
        keys: Line = (
            (" Enter ", ink.KEY), ("look it over", ink.DIM), ("  Tab ", ink.KEY), ("field", ink.DIM),
            ("  ↑ ↓ ", ink.KEY), ("tick", ink.DIM), ("  b m a l ", ink.KEY), ("market", ink.DIM),
            ("  Esc ", ink.KEY), ("leave", ink.DIM),
        )  # fmt: skip
        return [*news, ink.clipped(keys, width)]


def _told(value: Decimal | None) -> str:
    return "--" if value is None else words.price(value)
