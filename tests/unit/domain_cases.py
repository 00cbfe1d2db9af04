"""Values that the domain, protection and journal tests start from; trades are always made by their events."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from station.domain.clock import from_datetime
from station.domain.events import (
    CommissionBooked,
    EntryEnded,
    EntrySubmitted,
    ExecutionBooked,
    ExitSubmitted,
    OptionSelected,
    SignalAccepted,
    StrategyPassed,
    TradeEvent,
    TradeSized,
)
from station.domain.instruments import INSTRUMENTS, Contract, Right, Side, option_contract
from station.domain.lifecycle import evolve
from station.domain.orders import Action, OrderKind, OrderState, Purpose, Ticket, order_ref
from station.domain.trade import Trade

ACCOUNT = "DU1000001"
TRADE = "T1"
CONTRACT: Contract = option_contract(INSTRUMENTS["SPX"], "20261118", Decimal(5940), Right.CALL)


def utc(hour: int, minute: int = 0, second: int = 0, day: int = 18) -> int:
    """An instant of November 2026 (EST: 14:30 UTC is the open, 21:00 the close), UTC ns."""
    return from_datetime(datetime(2026, 11, day, hour, minute, second, tzinfo=UTC))


def ticket(
    ref: str,
    qty: Decimal | int,
    *,
    action: Action = Action.SELL,
    kind: OrderKind = OrderKind.LIMIT,
    purpose: Purpose = Purpose.TARGET,
    limit: Decimal | str | None = None,
) -> Ticket:
    price = Decimal(limit) if limit is not None else None
    return Ticket(ref, ACCOUNT, CONTRACT, action, Decimal(qty), kind, purpose, price)


def entry_ref(trade_id: str = TRADE) -> str:
    return order_ref(ACCOUNT, trade_id, "E", 1)


def exit_ref(n: int = 1, trade_id: str = TRADE) -> str:
    return order_ref(ACCOUNT, trade_id, "X", n)


def signal_accepted() -> SignalAccepted:
    return SignalAccepted(("SPX_V3_CALL",), ("S1",), "SPX_V3_CALL@1", utc(15), 5938.5)


def strategy_passed(shield: str = "none", target_pct: str = "23") -> StrategyPassed:
    return StrategyPassed(
        ACCOUNT, "paper", "V3", 1, "STRATEGY", "SPX", Side.CALL, Decimal(target_pct), shield, "WM235K"
    )  # fmt: skip


def option_selected() -> OptionSelected:
    return OptionSelected(CONTRACT, Decimal("9.90"), Decimal("10.00"), 0.3, 0.2, 5938.5, "broker")


def sized(qty: Decimal | int = 3) -> TradeSized:
    return TradeSized(Decimal(qty), "WM235K", 1, "trade_start", Decimal(35000))


def entry_submitted(qty: Decimal | int = 3, trade_id: str = TRADE) -> EntrySubmitted:
    entry = ticket(entry_ref(trade_id), qty, action=Action.BUY, kind=OrderKind.MARKET, purpose=Purpose.ENTRY)
    return EntrySubmitted(entry, Decimal("10.00"), Decimal("9.95"), utc(15, 6))


def exit_submitted(qty: Decimal | int, cause: str = "target", n: int = 1) -> ExitSubmitted:
    return ExitSubmitted(ticket(exit_ref(n), qty, limit="12.30"), cause)


def bought(qty: Decimal | int, price: str = "10.00", exec_id: str = "e.1.01", **more: Any) -> ExecutionBooked:
    return _execution(entry_ref(), Purpose.ENTRY, qty, price, exec_id, **more)


def sold(
    qty: Decimal | int, price: str = "12.30", exec_id: str = "x.1.01", n: int = 1, **more: Any
) -> ExecutionBooked:
    return _execution(exit_ref(n), Purpose.TARGET, qty, price, exec_id, **more)


def _execution(
    ref: str, purpose: Purpose, qty: Decimal | int, price: str, exec_id: str, **more: Any
) -> ExecutionBooked:
    fields: dict[str, Any] = {
        "provisional_fee": Decimal("0.65") * Decimal(qty), "slippage": Decimal(0),
        "slippage_mid": Decimal(0), **more,
    }  # fmt: skip
    return ExecutionBooked(exec_id, ref, purpose, Decimal(qty), Decimal(price), 100, **fields)


def entry_ended(state: OrderState = OrderState.FILLED) -> EntryEnded:
    return EntryEnded(entry_ref(), state)


def fee(exec_id: str, amount: str, replaces: str) -> CommissionBooked:
    return CommissionBooked(exec_id, entry_ref(), Decimal(amount), Decimal(replaces))


def to_submitted(qty: Decimal | int = 3, shield: str = "none") -> tuple[TradeEvent, ...]:
    """From the signal to BUY_SUBMITTED."""
    return (signal_accepted(), strategy_passed(shield), option_selected(), sized(qty), entry_submitted(qty))


def run(events: Iterable[TradeEvent], at_ns: int = 0, trade: Trade | None = None) -> Trade:
    """The trade after `events`, all at one instant."""
    for event in events:
        trade = evolve(trade, TRADE, event, at_ns or utc(15, 5))
    assert trade is not None
    return trade
