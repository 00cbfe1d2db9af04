"""A trade, its states (SPEC §9), and what is due next in each: `due` names the one step that the desk owes a
trade, so that recovery after a crash and normal running are the same code."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final

from station.domain.hand import Closing, HandOrder, Offer, OwnExits, Reversal
from station.domain.instruments import Contract, Side
from station.domain.orders import ZERO
from station.domain.specs import Rung


class TradeState(Enum):
    SCANNER_SIGNAL = "SCANNER_SIGNAL"
    STRATEGY_PASS = "STRATEGY_PASS"
    OPTION_SELECTED = "OPTION_SELECTED"
    WEALTH_SIZED = "WEALTH_SIZED"
    BUY_SUBMITTED = "BUY_SUBMITTED"
    BUY_FILLED = "BUY_FILLED"
    SELL_SUBMITTED = "SELL_SUBMITTED"
    SELL_FILLED = "SELL_FILLED"
    CLOSED = "CLOSED"
    WEALTH_UPDATED = "WEALTH_UPDATED"
    FAILED = "FAILED"

    @property
    def is_terminal(self) -> bool:
        return self in (TradeState.WEALTH_UPDATED, TradeState.FAILED)

    @property
    def is_open(self) -> bool:
        """A position is or may be held."""
        return self in _OPEN

    @property
    def before_fill(self) -> bool:
        return self in BEFORE_FILL


BEFORE_FILL: Final = frozenset(
    {TradeState.SCANNER_SIGNAL, TradeState.STRATEGY_PASS, TradeState.OPTION_SELECTED,
     TradeState.WEALTH_SIZED, TradeState.BUY_SUBMITTED}
)  # fmt: skip
_OPEN: Final = frozenset(
    {TradeState.BUY_SUBMITTED, TradeState.BUY_FILLED, TradeState.SELL_SUBMITTED, TradeState.SELL_FILLED}
)
HOLDING: Final = frozenset({TradeState.BUY_FILLED, TradeState.SELL_SUBMITTED})


class Cause(Enum):
    """What took a position out (SPEC §9). PART is the sale of a part by hand; a trade that it ends closes as
    MANUAL. STOP_ORDER is a stop that rests at the broker; a trade that it ends closes as STOP."""

    TARGET = "target"
    BREAK_EVEN = "break-even"
    STOP = "stop"
    STOP_ORDER = "stop order"
    SHIELD = "shield"
    LATE = "15:30"
    END_OF_DAY = "end of day"
    EMERGENCY = "emergency"
    MANUAL = "manual"
    PART = "manual part"
    STRATEGY = "strategy"
    KILL = "kill"
    EXPIRY = "expiry"
    EXTERNAL = "external"


class Origin(Enum):
    STRATEGY = "STRATEGY"
    MANUAL = "MANUAL"
    ADOPTED = "ADOPTED"


class Step(Enum):
    """What the desk owes a trade next."""

    SELECT = "select"
    SIZE = "size"
    AWAIT_HAND = "await hand"
    JUDGE = "judge"
    AWAIT_ENTRY = "await entry"
    PROTECT = "protect"
    CLOSE = "close"
    RECORD_WEALTH = "record wealth"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class ExitLeg:
    """One exit order of the trade and the cause that CLOSED will carry if it finishes the position."""

    order_ref: str
    cause: str


@dataclass(frozen=True)
class Trade:
    """One trade from signal to wealth. Values are dollars (quantity × price × multiplier), qty contracts.

    `shield` is rapid_shield, day_shield or none; `entry_done` when the entry can fill no further. `hand` is the
    order of a manual trade, `own` the exits that a hand has set; `leaving` what a hand wants out at market
    and has not left yet, `part_tokens` the orders that asked for it or changed what works; `closing` is there
    from when all of it is wanted out until it is closed; `offer` where a strategy only proposes.
    """

    id: str
    state: TradeState
    account: str = ""
    environment: str = ""
    strategy: str = ""
    strategy_version: int = 0
    origin: Origin = Origin.STRATEGY
    symbol: str = ""
    side: Side = Side.CALL
    contract: Contract | None = None
    scanners: tuple[str, ...] = ()
    signal_key: str = ""
    fired_ns: int = 0
    target_pct: Decimal = ZERO
    shield: str = "none"
    wealth_plan: str = ""
    underlying_price: float = 0.0
    selected_bid: Decimal = ZERO
    selected_ask: Decimal = ZERO
    delta: float = 0.0
    qty: Decimal = ZERO
    entry_ref: str = ""
    entry_valid_until_ns: int = 0
    entry_done: bool = False
    entry_filled: Decimal = ZERO
    entry_value: Decimal = ZERO
    exit_filled: Decimal = ZERO
    exit_value: Decimal = ZERO
    commission: Decimal = ZERO
    fees_owed: int = 0
    exits: tuple[ExitLeg, ...] = ()
    last_exit_ref: str = ""
    settled: str = ""
    cause: str = ""
    reason: str = ""
    net_pnl: Decimal | None = None
    opened_ns: int = 0
    filled_ns: int = 0
    closed_ns: int = 0
    updated_ns: int = 0
    ladder: tuple[Rung, ...] = ()
    hand: HandOrder | None = None
    own: OwnExits | None = None
    leaving: Decimal = ZERO
    part_tokens: tuple[str, ...] = ()
    reversal: Reversal | None = None
    offer: Offer | None = None
    closing: Closing | None = None

    @property
    def open_qty(self) -> Decimal:
        """What is held: negative after an over-sell (FAULTS 18)."""
        return self.entry_filled - self.exit_filled

    @property
    def awaits_hand(self) -> bool:
        """It is proposed, and no hand has taken it: nothing may be sent."""
        return self.offer is not None and not self.offer.token and self.state is TradeState.WEALTH_SIZED

    @property
    def entry_price(self) -> Decimal | None:
        """Average price a unit paid, None before a fill."""
        return self._average(self.entry_value, self.entry_filled)

    @property
    def exit_price(self) -> Decimal | None:
        return self._average(self.exit_value, self.exit_filled)

    @property
    def realised(self) -> Decimal:
        """Dollars taken minus dollars paid minus fees; the result once the open quantity is zero."""
        return self.exit_value - self.entry_value - self.commission

    def _average(self, value: Decimal, qty: Decimal) -> Decimal | None:
        if qty == 0 or self.contract is None:
            return None
        return value / (qty * self.contract.multiplier)

    def cause_of(self, order_ref: str) -> str:
        """The cause an exit order stands for; external for one that is not ours."""
        found = next((leg.cause for leg in self.exits if leg.order_ref == order_ref), "")
        return found or Cause.EXTERNAL.value


def due(trade: Trade) -> Step:
    """The step owed in this state; the desk performs it whether it just arrived or just restarted."""
    if trade.offer is not None and trade.awaits_hand:
        return Step.AWAIT_HAND
    return _DUE[trade.state]


_DUE: Final = {
    TradeState.SCANNER_SIGNAL: Step.NOTHING,
    TradeState.STRATEGY_PASS: Step.SELECT,
    TradeState.OPTION_SELECTED: Step.SIZE,
    TradeState.WEALTH_SIZED: Step.JUDGE,
    TradeState.BUY_SUBMITTED: Step.AWAIT_ENTRY,
    TradeState.BUY_FILLED: Step.PROTECT,
    TradeState.SELL_SUBMITTED: Step.PROTECT,
    TradeState.SELL_FILLED: Step.CLOSE,
    TradeState.CLOSED: Step.RECORD_WEALTH,
    TradeState.WEALTH_UPDATED: Step.NOTHING,
    TradeState.FAILED: Step.NOTHING,
}
