"""The ticket as a form: fields of text, a cursor, steps by the tick. Pure; the dialog paints and sends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from station.domain.instruments import CENT_TICKS, TickRule
from widgets.order import BUY, KINDS, LIMIT, MARKET, MID, SELL, STOP, STOP_LIMIT, Guard, Order, dollars, number
from widgets.orderline import MAX_QTY, confidence_of, guard_of, price_of

BRACKET: Final = "BRACKET"
FORM_KINDS: Final = (MID, LIMIT, MARKET, BRACKET, STOP, STOP_LIMIT)
NAMES: Final = {
    MID: "limit at mid", LIMIT: "limit", MARKET: "market", BRACKET: "bracket", STOP: "stop",
    STOP_LIMIT: "stop-limit",
}  # fmt: skip
PRICED: Final = frozenset({LIMIT, BRACKET, STOP_LIMIT})
TRIGGERED: Final = frozenset({STOP, STOP_LIMIT})
CHOICES: Final = frozenset({"action", "kind", "override"})
PRICES: Final = frozenset({"limit", "trigger"})
GUARDS: Final = {"target": "23%", "stop": "22%"}
LONGEST: Final = 12


class FormFault(ValueError):
    """What keeps a form from being an order; `field` is where."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


@dataclass(frozen=True, slots=True)
class Market:
    """The prices a key can fetch, the contract's tick, and when they were quoted (0: not told)."""

    bid: Decimal | None = None
    ask: Decimal | None = None
    mid: Decimal | None = None
    last: Decimal | None = None
    rule: TickRule = CENT_TICKS
    at_ns: int = 0

    def of(self, letter: str) -> Decimal | None:
        return {"b": self.bid, "m": self.mid, "a": self.ask, "l": self.last}.get(letter)


@dataclass(frozen=True, slots=True)
class Form:
    """`at` names the field under the cursor; `fresh` that the next character replaces what stands in it;
    `policy` is how a strategy would price what it proposes."""

    action: str
    symbol: str
    strike: Decimal | None = None
    right: str = ""
    expiry: str = ""
    kind: str = MID
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    override: bool = False
    at: str = "qty"
    fresh: bool = True
    only: tuple[str, ...] = ()
    policy: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        """Those that the kind of order has (or `only` some), in the order of the cursor."""
        if self.only:
            return self.only
        limit = ("limit",) if self.kind in PRICED else ()
        trigger = ("trigger",) if self.kind in TRIGGERED else ()
        guards = ("target", "stop") if self.action == BUY else ()
        return ("action", "qty", "kind", *trigger, *limit, *guards, "confidence", "override")

    def text(self, name: str) -> str:
        return self.texts.get(name, "")

    def moved(self, step: int) -> Form:
        names = self.fields
        here = names.index(self.at) if self.at in names else 0
        return replace(self, at=names[(here + step) % len(names)], fresh=True)

    def written(self, name: str, text: str, *, fresh: bool = True) -> Form:
        return replace(self, texts={**self.texts, name: text}, fresh=fresh)

    def typed(self, character: str, market: Market) -> Form:
        """A character in the field under the cursor; one that cannot stand there changes nothing. A point can,
        also where a whole number is asked for: left out, a 2.0 in the wrong field would be 20."""
        if self.at in CHOICES:
            return self.stepped(1, market) if character == " " else self
        if self.at in PRICES and (found := market.of(character)) is not None:
            return self.written(self.at, dollars(_legal(found, market)))
        wanted = "0123456789.%" if self.at in GUARDS else "0123456789."
        if character not in wanted:
            return self
        text = ("" if self.fresh else self.text(self.at)) + character
        return self if len(text) > LONGEST else self.written(self.at, text, fresh=False)

    def erased(self, *, all: bool = False) -> Form:
        if self.at in CHOICES:
            return self
        text = "" if all or self.fresh else self.text(self.at)[:-1]
        return self.written(self.at, text, fresh=False)

    def stepped(self, step: int, market: Market) -> Form:
        """One step up or down (or the next choice), `step` of them; prices by the tick that holds there."""
        if self.at == "action":
            sells = self.action == BUY
            return replace(self, action=SELL if sells else BUY, kind=MARKET if sells else MID)
        if self.at == "override":
            return replace(self, override=not self.override)
        if self.at == "kind":
            kinds = [kind for kind in FORM_KINDS if kind != BRACKET or self.action == BUY]
            place = (kinds.index(self.kind) + (1 if step > 0 else -1)) % len(kinds)
            return replace(self, kind=kinds[place])
        return self.written(self.at, _STEPS[self.at](self, step, market))


def form_of(order: Order, *, at: str = "qty") -> Form:
    """The order as a form to be looked over."""
    texts = {
        "qty": str(order.qty),
        "limit": "" if order.limit is None else dollars(order.limit),
        "trigger": "" if order.trigger is None else dollars(order.trigger),
        "target": str(order.target or ""),
        "stop": str(order.stop or ""),
        "confidence": "" if order.confidence is None else str(order.confidence),
    }
    guarded = order.action == BUY and order.target is not None and order.stop is not None
    kind = BRACKET if guarded and order.kind == LIMIT else order.kind
    return Form(
        order.action, order.symbol, order.strike, order.right, order.expiry, kind,
        texts, order.override, at,
    )  # fmt: skip


def order_of(form: Form) -> Order:
    """The order that the form means. Raises FormFault naming the field and what to write there."""
    own_limit = form.policy and form.text("limit")
    kind = LIMIT if form.kind == BRACKET or own_limit else form.kind
    assert kind in KINDS
    qty = form.text("qty")
    if not qty.isdigit() or not 1 <= int(qty) <= MAX_QTY:
        raise FormFault("qty", f"give a whole number, 1 to {MAX_QTY}")
    return Order(
        form.action, int(qty), form.symbol, form.strike, form.right, form.expiry, kind,
        _price(form, "limit") if kind in PRICED else None,
        _price(form, "trigger") if form.kind in TRIGGERED else None,
        _guard(form, "target"), _guard(form, "stop"), _confidence(form), form.override,
    )  # fmt: skip


def _price(form: Form, name: str) -> Decimal:
    price = price_of(form.text(name))
    if price is None:
        raise FormFault(name, f"a {NAMES[form.kind]} order needs this price")
    return price


def _guard(form: Form, name: str) -> Guard | None:
    text = form.text(name) if name in form.fields else ""
    if not text:
        if form.kind == BRACKET and name in form.fields:
            raise FormFault(name, "a bracket needs both: a price, or a percentage")
        return None
    guard = guard_of(text, losing=name == "stop")
    if guard is None:
        raise FormFault(name, f"{text} is neither a price nor a percentage")
    return guard


def _confidence(form: Form) -> int | None:
    text = form.text("confidence")
    value = confidence_of(text) if text else None
    if text and value is None:
        raise FormFault("confidence", "0 to 100, or nothing")
    return value


# --- steps ---------------------------------------------------------------------------------------------


def stepped_price(price: Decimal, step: int, rule: TickRule) -> Decimal:
    """`price` moved by so many legal ticks, never to zero; one that is not legal moves to the next that is."""
    for _ in range(abs(step)):
        if step > 0:
            price = rule.up(price) if not rule.is_legal(price) else rule.nearest(price + rule.increment(price))
            continue
        if not rule.is_legal(price):
            down = rule.down(price)
        else:
            down = price - rule.increment(price - rule.increment(price))
        if down <= 0:
            break
        price = rule.nearest(down)
    return price


def _legal(price: Decimal, market: Market) -> Decimal:
    return market.rule.nearest(price)


def _step_price(form: Form, step: int, market: Market) -> str:
    price = price_of(form.text(form.at))
    if price is not None:
        return dollars(stepped_price(price, step, market.rule))
    start = market.mid or market.last or market.ask or market.bid
    return form.text(form.at) if start is None else dollars(_legal(start, market))


def _step_guard(form: Form, step: int, market: Market) -> str:
    guard = guard_of(form.text(form.at), losing=form.at == "stop")
    if guard is None:
        return GUARDS[form.at]
    if not guard.percent:
        return dollars(stepped_price(guard.value, step, market.rule))
    most = Decimal(99) if form.at == "stop" else Decimal(999)
    return f"{number(min(max(guard.value + step, Decimal(1)), most))}%"


def _step_qty(form: Form, step: int, _market: Market) -> str:
    text = form.text("qty")
    return str(min(max((int(text) if text.isdigit() else 0) + step, 1), MAX_QTY))


def _step_confidence(form: Form, step: int, _market: Market) -> str:
    known = confidence_of(form.text("confidence"))
    return "50" if known is None else str(min(max(known + 5 * step, 0), 100))


_STEPS: Final[dict[str, Callable[[Form, int, Market], str]]] = {
    "qty": _step_qty, "limit": _step_price, "trigger": _step_price, "target": _step_guard,
    "stop": _step_guard, "confidence": _step_confidence,
}  # fmt: skip


def market_of(document: Mapping[str, Any], rule: TickRule) -> Market:
    """The prices of a preview document."""
    basis: Mapping[str, Any] = document.get("price_basis") or {}
    steps = tuple((Decimal(edge), Decimal(step)) for edge, step in document.get("steps") or ())
    known = {name: Decimal(str(basis[name])) for name in ("bid", "ask", "mid", "last") if basis.get(name)}
    return Market(**known, rule=TickRule(steps) if steps else rule, at_ns=int(basis.get("at_ns") or 0))
