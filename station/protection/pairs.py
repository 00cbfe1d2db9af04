"""A target and the stop that rests beside it: one OCA group, one quantity.

A fill of one takes as much from the other, and that is the broker's to do: until it had time for it, the larger
one is left alone, since a change of ours could give back what has just been taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from station.domain.clock import SECOND
from station.domain.orders import ZERO, Order, OrderKind
from station.domain.trade import Cause
from station.protection.directives import ModifyExit, ProtectionSettings


def oca_group_of(order_ref: str) -> str:
    """The group that a target opens for its stop: as unique as its reference."""
    return f"OCA-{order_ref}"


@dataclass(frozen=True, slots=True)
class Pair:
    """A target and its stop, None while that is missing."""

    target: Order
    stop: Order | None

    @property
    def left(self) -> Decimal:
        """What the two could still sell together: a fill of one reduces the other."""
        return max(self.target.remaining, ZERO if self.stop is None else self.stop.remaining)


def is_settling(leg: Order, pair: Pair, now_ns: int, settings: ProtectionSettings) -> bool:
    """Whether the broker may still be taking from `leg` what the other filled."""
    if pair.stop is None or pair.target.remaining == pair.stop.remaining:
        return False
    larger = leg.remaining == pair.left
    last_ns = max(pair.target.updated_ns, pair.stop.updated_ns)
    return larger and now_ns - last_ns < settings.retry_s * SECOND


def stop_change(stop: Order, qty: Decimal, level: Decimal | None) -> tuple[ModifyExit, ...]:
    """The change that brings a resting stop to `qty` contracts yet to sell at `level`."""
    total = stop.filled + qty
    if (stop.ticket.qty, stop.ticket.stop) == (total, level):
        return ()
    return (ModifyExit(stop.ref, OrderKind.STOP, total, None, level, Cause.STOP_ORDER, "the stop of a hand"),)


def waits_for_partner(leg: Order, legs: Sequence[Order], now_ns: int, settings: ProtectionSettings) -> bool:
    """Whether a leg that is one too many was cancelled in vain for long: its group keeps it from selling beside
    the one that stays, which need not wait for it."""
    group = leg.ticket.oca_group
    beside = any(other.ref != leg.ref and other.ticket.oca_group == group for other in legs)
    late = now_ns - leg.updated_ns >= settings.ack_timeout_s * SECOND
    return bool(group and leg.cancel_cause) and beside and late
