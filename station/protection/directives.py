"""What protection looks at, what it may ask for, and its settings: plain values shared by rules and worker."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final

from station.domain.errors import BadInput
from station.domain.instruments import TickRule
from station.domain.market import Quote
from station.domain.orders import Order, OrderKind, Purpose
from station.domain.trade import Cause, Trade


@dataclass(frozen=True, slots=True)
class Holding:
    """One trade as protection sees it at an instant.

    `exits` are all its exit orders that are not terminal, PENDING and UNKNOWN included; `entry_working` while
    the entry may still fill; `kill_flatten` while the kill switch demands a flat book; `halted` while the
    underlying does not trade; `day_shield_hit` once the strategy's daily loss ceiling is reached; `stop_pct`
    the strategy's own stop, percent under the entry price, None where it sets none. `unconfirmed` are exits
    that the broker has not yet confirmed as they now stand, with the largest total they may still have there.
    `stop_rests` where the broker pairs orders, so that a hand's stop can rest there beside its target;
    `given_up_for` the cause for which such a stop was cancelled, so that all of it can leave at market.
    """

    trade: Trade
    exits: tuple[Order, ...]
    quote: Quote | None
    tick_rule: TickRule
    entry_working: bool = False
    kill_flatten: bool = False
    halted: bool = False
    day_shield_hit: bool = False
    stop_pct: Decimal | None = None
    unconfirmed: tuple[tuple[str, Decimal], ...] = ()
    stop_rests: bool = False
    given_up_for: str = ""


@dataclass(frozen=True, slots=True)
class SubmitExit:
    """Place a protective exit beside those that work. `qty` contracts, prices dollars a unit, legal ticks.

    A LIMIT with a `stop` is a pair: the stop rests beside it, both in one new OCA group. With an `oca_group` it
    joins the exit that works there.
    """

    kind: OrderKind
    purpose: Purpose
    qty: Decimal
    limit: Decimal | None
    stop: Decimal | None
    cause: Cause
    oca_group: str = ""


@dataclass(frozen=True, slots=True)
class ModifyExit:
    """Change a working exit in place (or replace it atomically where the broker cannot).

    `qty` is the order's new total: what it has filled already plus what it is to sell yet.
    """

    order_ref: str
    kind: OrderKind
    qty: Decimal
    limit: Decimal | None
    stop: Decimal | None
    cause: Cause
    reason: str


@dataclass(frozen=True, slots=True)
class CancelExit:
    """Cancel an exit that is one too many, or whose position is gone."""

    order_ref: str
    cause: str


@dataclass(frozen=True, slots=True)
class CancelEntry:
    """Cancel what is left of the entry: the position is being taken out."""

    order_ref: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class MarketOut:
    """Trade the open quantity away at market: every working exit modified to MARKET for what it has left, and
    a new order for what none of them covers. A negative open quantity (an over-sell) is bought back."""

    cause: Cause
    reason: str


@dataclass(frozen=True, slots=True)
class AskClose:
    """Write down that everything is to leave at market, while no order can say so: a restart does not forget
    it."""

    cause: Cause
    reason: str


@dataclass(frozen=True, slots=True)
class RaiseAlert:
    """Tell the trader. `severity` is info, warning or critical; alerts of one `key` are one alert."""

    severity: str
    text: str
    key: str


@dataclass(frozen=True, slots=True)
class RequestReconcile:
    """Ask the broker for the truth before anything else is sent for this trade."""

    reason: str


Directive = (
    SubmitExit | ModifyExit | CancelExit | CancelEntry | MarketOut | AskClose | RaiseAlert | RequestReconcile
)  # fmt: skip


class LateMode(Enum):
    """What happens at close − 30 min (rule 4)."""

    MODIFY_TO_ENTRY = "modify_to_entry"
    ALERT_ONLY = "alert_only"
    FORCE_CLOSE = "force_close"


ALWAYS_ON: Final = frozenset({"kill", "by_hand", "end_of_day", "target", "not_flat"})
SWITCHABLE: Final = frozenset(
    {"emergency", "rapid_shield", "own_stop", "day_shield", "late", "trail", "break_even", "unclosed"}
)


@dataclass(frozen=True, slots=True)
class ProtectionSettings:
    """The six rules' numbers (SPEC §10). Percents are of the entry price, `_s` seconds. `p2_pct` and `p3_pct`
    are the upper rungs of a ladder that leaves them to the house; an exit order is never for more than
    `max_contracts`, None where the broker sets no limit. Where a stop rests at the broker, the bid stands at it
    for `stop_head_start_s` before the station sells itself.

    `off` names switched-off rules. Raises BadInput for a number out of range, an unknown rule, or one that
    has no off position.
    """

    target_pct: Decimal = Decimal(23)
    p2_pct: Decimal = Decimal(40)
    p3_pct: Decimal = Decimal(60)
    grace_s: int = 900
    trail_pct: Decimal | None = None
    unclosed_alert_s: int = 1800
    late_before_close_s: int = 1800
    late_mode: LateMode = LateMode.MODIFY_TO_ENTRY
    flatten_before_close_s: int = 300
    flat_within_s: int = 60
    emergency_checks: int = 8
    check_s: int = 5
    rapid_shield_pct: Decimal = Decimal(22)
    stale_after_s: int = 15
    fast_poll_s: int = 5
    fast_poll_for_s: int = 600
    slow_poll_s: int = 30
    stop_head_start_s: int = 2
    retry_s: int = 1
    ack_timeout_s: int = 5
    max_contracts: Decimal | None = None
    off: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name, pct, limit in (
            ("target_pct", self.target_pct, Decimal(1000)),
            ("p2_pct", self.p2_pct, Decimal(1000)),
            ("p3_pct", self.p3_pct, Decimal(1000)),
            ("rapid_shield_pct", self.rapid_shield_pct, Decimal(99)),
            ("trail_pct", self.trail_pct or Decimal(1), Decimal(99)),
        ):
            if not 0 < pct <= limit:
                raise BadInput(f"protection {name} is {pct}: give a percent over 0 and up to {limit}")
        for name, value in (
            ("emergency_checks", self.emergency_checks), ("check_s", self.check_s),
            ("unclosed_alert_s", self.unclosed_alert_s), ("fast_poll_s", self.fast_poll_s),
            ("slow_poll_s", self.slow_poll_s), ("retry_s", self.retry_s),
            ("flatten_before_close_s", self.flatten_before_close_s), ("flat_within_s", self.flat_within_s),
        ):  # fmt: skip
            if value < 1:
                raise BadInput(f"protection {name} is {value}: give 1 or more")
        for name in sorted(self.off - SWITCHABLE):
            why = "cannot be switched off" if name in ALWAYS_ON else "is not a rule"
            raise BadInput(f"protection rule {name!r} {why}: switchable are {', '.join(sorted(SWITCHABLE))}")


@dataclass(frozen=True, slots=True)
class Ask:
    """A directive that was sent at `at_ns` for the `times`-th time; the `nth` of equal ones sent together."""

    directive: Directive
    at_ns: int
    times: int
    nth: int = 1


@dataclass(frozen=True, slots=True)
class Memory:
    """What protection remembers of one trade between two looks; lost at a restart and rebuilt from the trade.

    `out` is the first market-out cause, kept until flat; `lowered` the cause under which the sell moved to
    break-even; `absent_checks` consecutive checks without a price, the last at `absent_ns`; `high_bid` the
    best bid since the fill; `raised` keys of alerts already given; `asks` what was asked for within a minute;
    `stop_ns` when the bid came to a stop that rests at the broker, 0 while it is over it.
    """

    out: Cause | None = None
    out_reason: str = ""
    lowered: Cause | None = None
    absent_checks: int = 0
    absent_ns: int = 0
    high_bid: Decimal | None = None
    raised: frozenset[str] = frozenset()
    asks: tuple[Ask, ...] = ()
    stop_ns: int = 0
