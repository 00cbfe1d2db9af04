"""The working exits of a trade brought to what should be working: the ladder's rungs, or everything at market.

Together they never stand for more than is open, also while the broker has not yet confirmed that one became
smaller: what lets go is asked for first, what takes hold only as far as there is room.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Final

from station.domain.clock import SECOND
from station.domain.orders import ZERO, Action, Order, OrderKind, OrderState, Purpose, together
from station.domain.trade import Cause, Trade
from station.protection.directives import (
    CancelEntry,
    CancelExit,
    Directive,
    Holding,
    MarketOut,
    Memory,
    ModifyExit,
    ProtectionSettings,
    RequestReconcile,
    SubmitExit,
)
from station.protection.pairs import Pair, is_settling, stop_change, waits_for_partner
from station.protection.rules import break_even_limit, is_resting, resting_level, rung_limits

_CANCEL_PATIENCE: Final = 3
_TOO_MANY: Final = "one exit too many"
_KNOWN: Final = Decimal("Infinity")
"""An exit without an answer outstanding; one that an earlier process left is asked about by the start."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One exit that should be working: `qty` contracts yet to sell, dollars a unit; without a limit it is the
    part that a hand wants out at market. With a `stop` one rests beside it."""

    qty: Decimal
    limit: Decimal | None
    stop: Decimal | None = None

    @property
    def kind(self) -> OrderKind:
        return OrderKind.MARKET if self.limit is None else OrderKind.LIMIT


@dataclass(frozen=True, slots=True)
class Wish:
    """What should be working. No slots: everything leaves at market."""

    cause: Cause
    reason: str
    slots: tuple[Slot, ...] = ()


def wished(holding: Holding, entry: Decimal, settings: ProtectionSettings, memory: Memory) -> Wish:
    """At market once a rule said so; else the ladder's rungs, none of them over break-even once lowered."""
    if memory.out is not None:
        return Wish(memory.out, memory.out_reason)
    trade = holding.trade
    limits = rung_limits(trade, entry, holding, settings)
    if memory.lowered is not None:
        even = break_even_limit(trade, entry, holding)
        if even < limits[0]:
            limits = (even,) * len(limits)
            reason = f"sell at entry + fees ({memory.lowered.value})"
            return Wish(memory.lowered, reason, _slots(holding, limits, settings))
    return Wish(Cause.TARGET, "profit target", _slots(holding, limits, settings))


def shares(trade: Trade) -> tuple[Decimal, ...]:
    """Contracts of each rung over the whole position bought so far. The lower rung has the odd contract, so
    that one contract is sold at the first. Their fractions add up to 1: the last leaves none over."""
    bought = trade.entry_filled
    found: list[Decimal] = []
    reached = given = ZERO
    for rung in trade.ladder:
        reached += rung.fraction
        upto = min((bought * reached).to_integral_value(rounding=ROUND_CEILING), bought)
        found.append(upto - given)
        given = upto
    return tuple(found) or (bought,)


def _slots(holding: Holding, limits: Sequence[Decimal], settings: ProtectionSettings) -> tuple[Slot, ...]:
    """What a hand wants out goes at market; of the rest, what is still to be sold at each rung: what was sold
    so far, and what is leaving, counts against the lowest first. Where all sell at one price the exits share
    it as they stand."""
    trade, most = holding.trade, settings.max_contracts
    part = min(trade.leaving, trade.open_qty)
    slots = [Slot(qty, None) for qty in in_parts(part, most)]
    stop = resting_level(holding, settings)
    if len(set(limits)) == 1:
        return (*slots, *(Slot(qty, limits[0], stop) for qty in _as_they_stand(holding, part, most)))
    sold = trade.exit_filled + part
    for share, limit in zip(shares(trade), limits, strict=True):
        gone = min(sold, share)
        sold -= gone
        slots.extend(Slot(qty, limit, stop) for qty in in_parts(share - gone, most))
    return tuple(slots)


def _as_they_stand(holding: Holding, part: Decimal, most: Decimal | None) -> tuple[Decimal, ...]:
    """The open quantity but a leaving part over the exits that work for it; what is missing falls to the first
    within its size."""
    left, parts = holding.trade.open_qty - part, list[Decimal]()
    for leg in sorted(holding.exits, key=_preferred):
        if is_resting(leg) or (part > 0 and leg.ticket.kind is OrderKind.MARKET):
            continue
        share = min(leg.remaining, left)
        if share > 0:
            parts.append(share)
            left -= share
    if parts and (most is None or parts[0] + left <= most):
        parts[0] += left
        left = ZERO
    return (*parts, *in_parts(left, most))


def in_parts(qty: Decimal, most: Decimal | None) -> Iterable[Decimal]:
    """`qty` in orders of at most `most` contracts each."""
    while qty > 0:
        part = qty if most is None else min(qty, most)
        yield part
        qty -= part


# --- the working exits --------------------------------------------------------------------------------


def enforced(holding: Holding, now_ns: int, settings: ProtectionSettings, wish: Wish) -> tuple[Directive, ...]:
    """The directives that bring the working exits to the wish. What the broker owes an answer on is left
    alone, and counts in full."""
    doubts = unresolved(holding, now_ns, settings)
    entry_off = cancelled_entry(holding, None if wish.slots else wish.cause)
    action = Action.SELL if holding.trade.open_qty > 0 else Action.BUY
    wrong = [order for order in holding.exits if order.ticket.action is not action]
    if wrong:
        cancels = (CancelExit(order.ref, "wrong way round") for order in wrong if not order.cancel_cause)
        return (*doubts, *cancels, *entry_off)
    legs = sorted(holding.exits, key=_preferred)
    if wish.slots:
        brought = _Bringing(holding, now_ns, settings, wish).run(legs)
    else:
        brought = _left(holding, legs, now_ns, settings, wish)
    return (*doubts, *brought, *entry_off)


def unresolved(holding: Holding, now_ns: int, settings: ProtectionSettings) -> tuple[Directive, ...]:
    """A question to the broker, where its word on an exit is lost or overdue."""
    unconfirmed = dict(holding.unconfirmed)
    for order in holding.exits:
        if order.state is OrderState.UNKNOWN:
            return (RequestReconcile(f"exit {order.ref} is UNKNOWN: no second exit until the broker answers"),)
        waits = _owed(order, now_ns, settings) or unconfirmed.get(order.ref, _KNOWN).is_finite()
        if waits and now_ns - order.updated_ns >= settings.ack_timeout_s * SECOND:
            return (RequestReconcile(f"exit {order.ref} is unanswered for {settings.ack_timeout_s} s"),)
    return ()


def cancelled_entry(holding: Holding, out: Cause | None) -> tuple[Directive, ...]:
    """The cancel of what is left of the entry, once the position is being taken out."""
    if out is None or not holding.entry_working or not holding.trade.entry_ref:
        return ()
    return (CancelEntry(holding.trade.entry_ref, out),)


def _preferred(order: Order) -> tuple[bool, bool, bool, int, str]:
    at_market = order.ticket.kind is OrderKind.MARKET
    return bool(order.cancel_cause), is_resting(order), not at_market, order.created_ns, order.ref


def _owed(order: Order, now_ns: int, settings: ProtectionSettings) -> bool:
    """The broker owes an answer to it. A cancel without effect is given up: the order works, so it is used."""
    if order.state is OrderState.PENDING:
        return True
    patience_ns = _CANCEL_PATIENCE * settings.ack_timeout_s * SECOND
    return bool(order.cancel_cause) and now_ns - order.updated_ns < patience_ns


def _is_busy(order: Order, now_ns: int, settings: ProtectionSettings) -> bool:
    return order.state is OrderState.UNKNOWN or _owed(order, now_ns, settings)


def promised(holding: Holding) -> Decimal:
    """The most that the working exits could still trade, by what the broker has confirmed."""
    larger = dict(holding.unconfirmed)
    totals = ((order, max(order.ticket.qty, larger.get(order.ref, ZERO))) for order in holding.exits)
    return together((order.ticket, max(total - order.filled, ZERO)) for order, total in totals)


def _left(
    holding: Holding, legs: Sequence[Order], now_ns: int, settings: ProtectionSettings, wish: Wish
) -> tuple[Directive, ...]:
    """Everything at market: exits that are too many go first; then one ask for all of it, while any exit is
    not at market or they do not cover the position."""
    ready = [leg for leg in legs if not _is_busy(leg, now_ns, settings)]
    open_qty, offered = abs(holding.trade.open_qty), ZERO
    extra: list[Order] = []
    for leg in legs:
        if offered >= open_qty:
            extra.append(leg)
        offered += leg.remaining
    if any(not waits_for_partner(leg, legs, now_ns, settings) for leg in extra):
        return _cancels(extra, now_ns, settings, wish.cause.value)
    waits = any(leg.ticket.kind is not OrderKind.MARKET for leg in ready)
    short = (bool(ready) or not legs) and promised(holding) < open_qty
    if waits or short or (offered > open_qty and ready):
        return (MarketOut(wish.cause, wish.reason),)
    return ()


def _cancels(
    orders: Iterable[Order], now_ns: int, settings: ProtectionSettings, stops_for: str = _TOO_MANY
) -> tuple[CancelExit, ...]:
    """Each cancelled once, and again when a cancel has had no effect for long; resting stops for a cause of
    their own."""
    return tuple(
        CancelExit(order.ref, stops_for if is_resting(order) else _TOO_MANY)
        for order in orders
        if not order.cancel_cause or not _owed(order, now_ns, settings)
    )


class _Bringing:
    """One pass over the limit exits: pair each with a slot, let go first, take hold within the room."""

    def __init__(self, holding: Holding, now_ns: int, settings: ProtectionSettings, wish: Wish) -> None:
        self._now_ns = now_ns
        self._settings = settings
        self._wish = wish
        self._room = holding.trade.open_qty - promised(holding)

    def run(self, legs: Sequence[Order]) -> tuple[Directive, ...]:
        stops = {leg.ticket.oca_group or leg.ref: leg for leg in legs if is_resting(leg)}
        pairs, spare, bare = paired([leg for leg in legs if not is_resting(leg)], self._wish.slots)
        first: list[Directive] = []
        last: list[Directive] = []
        for leg, slot in pairs:
            stop = stops.pop(leg.ticket.oca_group, None)
            if slot.stop is None:
                spare += [] if stop is None else [stop]
                self._alone(leg, slot, first, last)
            elif not leg.ticket.oca_group:
                spare += [] if self._is_busy(leg) else [leg]
            else:
                self._beside(Pair(leg, stop), slot, first, last)
        for slot in bare:
            self._missing(slot, stops, first, last)
        return (*_cancels((*spare, *stops.values()), self._now_ns, self._settings), *first, *last)

    def _is_busy(self, leg: Order) -> bool:
        return _is_busy(leg, self._now_ns, self._settings)

    def _alone(self, leg: Order, slot: Slot, first: list[Directive], last: list[Directive]) -> None:
        if not self._is_busy(leg):
            grows = leg.filled + slot.qty > leg.ticket.qty
            (last if grows else first).extend(self._changed(leg, slot))

    def _missing(
        self, slot: Slot, stops: dict[str, Order], first: list[Directive], last: list[Directive]
    ) -> None:
        """An exit for a slot without one: beside a stop that has lost its target, else within the room."""
        group = next((group for group, stop in stops.items() if slot.stop and stop.ticket.oca_group), None)
        if group is not None:
            stop = stops.pop(group)
            if not self._is_busy(stop):
                qty = min(slot.qty, stop.remaining)
                ask = SubmitExit(slot.kind, Purpose.TARGET, qty, slot.limit, None, self._wish.cause, group)
                last.append(ask)
            return
        qty = self._take(slot.qty)
        if qty > 0:
            purpose = Purpose.CLOSE if slot.limit is None else Purpose.TARGET
            last.append(SubmitExit(slot.kind, purpose, qty, slot.limit, slot.stop, self._cause(slot)))

    def _beside(self, pair: Pair, slot: Slot, first: list[Directive], last: list[Directive]) -> None:
        """A target and its stop, brought to one quantity. What the broker takes from one because the other
        filled is its own to take."""
        target, busy = pair.target, self._is_busy(pair.target)
        qty = min(slot.qty, pair.left) + (ZERO if busy else self._take(slot.qty - pair.left))
        slot = Slot(qty, slot.limit, slot.stop)
        grown = last if qty > pair.left else first
        if not busy and not is_settling(target, pair, self._now_ns, self._settings):
            wanted = (slot.kind, target.filled + qty, slot.limit)
            if wanted != (target.ticket.kind, target.ticket.qty, target.ticket.limit):
                grown.append(ModifyExit(target.ref, *wanted, None, self._wish.cause, self._wish.reason))
        if pair.stop is None:
            if not busy:
                ask = SubmitExit(
                    OrderKind.STOP, Purpose.STOP, min(qty, target.remaining), None, slot.stop, Cause.STOP_ORDER,
                    target.ticket.oca_group,
                )  # fmt: skip
                last.append(ask)
        elif not self._is_busy(pair.stop) and not is_settling(pair.stop, pair, self._now_ns, self._settings):
            grown.extend(stop_change(pair.stop, qty, slot.stop))

    def _changed(self, leg: Order, slot: Slot) -> tuple[Directive, ...]:
        ticket, wanted = leg.ticket, leg.filled + slot.qty
        total = min(wanted, ticket.qty) + self._take(wanted - ticket.qty)
        if (ticket.kind, ticket.qty, ticket.limit) == (slot.kind, total, slot.limit):
            return ()
        reason = self._wish.reason
        return (ModifyExit(leg.ref, slot.kind, total, slot.limit, None, self._cause(slot), reason),)

    def _cause(self, slot: Slot) -> Cause:
        return Cause.PART if slot.limit is None else self._wish.cause

    def _take(self, wanted: Decimal) -> Decimal:
        """As much of `wanted` as there is room for."""
        taken = max(min(wanted, self._room), ZERO)
        self._room -= taken
        return taken


def paired(
    legs: Sequence[Order], slots: Sequence[Slot]
) -> tuple[list[tuple[Order, Slot]], list[Order], list[Slot]]:
    """Each leg with the slot of its own price, else with the nearest one left, of its own size if there are
    several; then the legs and the slots that have no partner. A part at market is for orders at market alone:
    no exit gives up its price for it."""
    market = [slot for slot in slots if slot.limit is None]
    bare = [slot for slot in slots if slot.limit is not None]
    pairs: list[tuple[Order, Slot]] = []
    there = {slot.limit for slot in bare}
    spare: list[Order] = []
    for leg in sorted(legs, key=lambda leg: leg.ticket.limit not in there):
        if market and leg.ticket.kind is OrderKind.MARKET:
            pairs.append((leg, market.pop(0)))
        elif not bare:
            spare.append(leg)
        else:
            near = min(bare, key=lambda slot: _distance(leg, slot, bare[0]))
            bare.remove(near)
            pairs.append((leg, near))
    return pairs, spare, [*market, *bare]


def _distance(leg: Order, slot: Slot, first: Slot) -> tuple[Decimal, bool]:
    """How far a slot's price is from the leg's, which without one is the first slot's."""
    price = leg.ticket.limit if leg.ticket.limit is not None else first.limit or ZERO
    return abs((slot.limit or ZERO) - price), slot.qty != leg.remaining
