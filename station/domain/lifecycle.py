"""The trade reducer (SPEC §9): `(trade, event) → trade`.

`evolve` is pure and total over legal histories; an event that the lifecycle does not allow raises
IllegalTransition and changes nothing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from station.domain.changed import changed
from station.domain.errors import IllegalTransition
from station.domain.events import (
    CloseAsked,
    CommissionBooked,
    EntryEnded,
    EntryModified,
    EntrySubmitted,
    ExecutionBooked,
    ExitModified,
    ExitsSet,
    ExitSubmitted,
    ManualOpened,
    OptionSelected,
    PartAsked,
    PositionAdopted,
    ProposalTaken,
    ReverseAsked,
    SettledAtExpiry,
    SignalAccepted,
    StrategyPassed,
    TradeClosed,
    TradeEvent,
    TradeFailed,
    TradeProposed,
    TradeSized,
    WealthRecorded,
)
from station.domain.hand import Closing, Offer
from station.domain.instruments import Right, Side
from station.domain.orders import ZERO
from station.domain.trade import BEFORE_FILL, HOLDING, Cause, ExitLeg, Origin, Trade, TradeState


def begin(trade_id: str, event: SignalAccepted | PositionAdopted | ManualOpened, at_ns: int) -> Trade:
    """The first state of a trade: SCANNER_SIGNAL, OPTION_SELECTED (manual) or BUY_FILLED (adopted)."""
    match event:
        case SignalAccepted():
            return Trade(
                trade_id, TradeState.SCANNER_SIGNAL, scanners=event.scanners, signal_key=event.key,
                fired_ns=event.fired_ns, underlying_price=event.underlying_price,
                opened_ns=at_ns, updated_ns=at_ns,
            )  # fmt: skip
        case ManualOpened():
            return Trade(
                trade_id, TradeState.OPTION_SELECTED, account=event.account,
                environment=event.environment, strategy="manual", origin=Origin.MANUAL,
                symbol=event.contract.symbol, side=event.side, contract=event.contract,
                selected_bid=event.bid, selected_ask=event.ask, target_pct=event.target_pct,
                shield=event.shield, wealth_plan=event.wealth_plan,
                underlying_price=event.underlying_price, delta=event.delta, hand=event.hand, own=event.own,
                opened_ns=at_ns, updated_ns=at_ns,
            )  # fmt: skip
        case PositionAdopted():
            side = Side.PUT if event.contract.right is Right.PUT else Side.CALL
            return Trade(
                trade_id, TradeState.BUY_FILLED, account=event.account,
                environment=event.environment, strategy="adopted", origin=Origin.ADOPTED,
                symbol=event.contract.symbol, side=side, contract=event.contract, qty=event.qty,
                entry_done=True, entry_filled=event.qty,
                entry_value=event.qty * event.price * event.contract.multiplier,
                opened_ns=at_ns, filled_ns=at_ns, updated_ns=at_ns,
            )  # fmt: skip


def evolve(trade: Trade | None, trade_id: str, event: TradeEvent, at_ns: int) -> Trade:
    """The trade after `event`. Raises IllegalTransition where the lifecycle forbids it."""
    if isinstance(event, SignalAccepted | PositionAdopted | ManualOpened):
        if trade is not None:
            raise IllegalTransition(f"trade {trade_id} begins twice: {event.type} in {trade.state.value}")
        return begin(trade_id, event, at_ns)
    if trade is None:
        raise IllegalTransition(f"trade {trade_id} does not exist: {event.type} came first")
    asked = isinstance(event, ExitsSet | PartAsked | CloseAsked | ReverseAsked | TradeProposed | ProposalTaken)
    after = _asked(trade, event, at_ns) if asked else _evolved(trade, event, at_ns)
    return changed(after, updated_ns=at_ns)


def _evolved(trade: Trade, event: TradeEvent, at_ns: int) -> Trade:
    match event:
        case StrategyPassed():
            return _passed(trade, event)
        case OptionSelected():
            _require(trade, event, TradeState.STRATEGY_PASS)
            return changed(
                trade, state=TradeState.OPTION_SELECTED, contract=event.contract, delta=event.delta,
                selected_bid=event.bid, selected_ask=event.ask, underlying_price=event.underlying_price,
            )  # fmt: skip
        case TradeSized():
            _require(trade, event, TradeState.OPTION_SELECTED)
            return changed(trade, state=TradeState.WEALTH_SIZED, qty=event.qty)
        case EntrySubmitted():
            _require_free(trade, event)
            return changed(
                trade, state=TradeState.BUY_SUBMITTED, entry_ref=event.ticket.order_ref,
                qty=event.ticket.qty, entry_valid_until_ns=event.valid_until_ns,
            )  # fmt: skip
        case EntryModified():
            _require(trade, event, TradeState.BUY_SUBMITTED, *HOLDING)
            return changed(trade, qty=event.ticket.qty, part_tokens=_tokens(trade, event.token))
        case EntryEnded():
            _require_ordered(trade, event)
            return _settle_state(changed(trade, entry_done=True))
        case ExitSubmitted() | ExitModified():
            return _exit_set(trade, event)
        case ExecutionBooked():
            return _booked(trade, event, at_ns)
        case CommissionBooked():
            return _fee_booked(trade, event)
        case SettledAtExpiry():
            return _settled(trade, event)
        case TradeClosed():
            return _closed(trade, event, at_ns)
        case WealthRecorded():
            _require(trade, event, TradeState.CLOSED, TradeState.WEALTH_UPDATED)
            return changed(trade, state=TradeState.WEALTH_UPDATED)
        case TradeFailed():
            _require(trade, event, *BEFORE_FILL)
            return changed(
                trade, state=TradeState.FAILED, cause=event.cause, reason=event.reason, closed_ns=at_ns
            )
        case _:
            raise IllegalTransition(f"trade {trade.id}: {event.type} cannot follow its beginning")


def _require(trade: Trade, event: TradeEvent, *states: TradeState) -> None:
    if trade.state not in states:
        wanted = ", ".join(sorted(state.value for state in states))
        raise IllegalTransition(
            f"trade {trade.id}: {event.type} is not legal in {trade.state.value} (needs {wanted})"
        )


def _require_free(trade: Trade, event: EntrySubmitted) -> None:
    _require(trade, event, TradeState.WEALTH_SIZED)
    if trade.offer is not None and trade.awaits_hand:
        raise IllegalTransition(f"trade {trade.id}: {event.type} of a proposal that nobody has taken")


def _require_ordered(trade: Trade, event: TradeEvent) -> None:
    """An order of the trade exists, or did, or its position was adopted."""
    before_order = trade.state.before_fill and trade.state is not TradeState.BUY_SUBMITTED
    if before_order or (trade.state is TradeState.FAILED and not trade.entry_ref):
        raise IllegalTransition(f"trade {trade.id}: {event.type} before any order, in {trade.state.value}")


def _passed(trade: Trade, event: StrategyPassed) -> Trade:
    _require(trade, event, TradeState.SCANNER_SIGNAL)
    return changed(
        trade, state=TradeState.STRATEGY_PASS, account=event.account, environment=event.environment,
        strategy=event.strategy, strategy_version=event.strategy_version, origin=Origin(event.origin),
        symbol=event.symbol, side=event.side, target_pct=event.target_pct, shield=event.shield,
        wealth_plan=event.wealth_plan, ladder=event.ladder,
    )  # fmt: skip


def _offered(trade: Trade, event: TradeProposed | ProposalTaken, at_ns: int) -> Trade:
    """Proposed once, and taken once, no more of it than was proposed."""
    _require(trade, event, TradeState.WEALTH_SIZED)
    if isinstance(event, TradeProposed):
        if trade.offer is not None:
            raise IllegalTransition(f"trade {trade.id} is proposed twice")
        return changed(trade, qty=event.qty, offer=Offer(event.until_ns))
    if trade.offer is None or not trade.awaits_hand or not 0 < event.qty <= trade.qty:
        raise IllegalTransition(f"trade {trade.id}: {event.qty} cannot be taken of what is proposed")
    taken = Offer(trade.offer.until_ns, event.token, event.by, at_ns, event.limit)
    return changed(
        trade, qty=event.qty, offer=taken, own=event.own or trade.own,
        target_pct=event.target_pct or trade.target_pct,
    )  # fmt: skip


def _exit_set(trade: Trade, event: ExitSubmitted | ExitModified) -> Trade:
    """The first exit intent moves to SELL_SUBMITTED, once; later ones are events. An over-sell is
    bought back in SELL_FILLED."""
    _require(trade, event, *HOLDING, TradeState.SELL_FILLED)
    ref = event.ticket.order_ref
    if isinstance(event, ExitModified) and all(leg.order_ref != ref for leg in trade.exits):
        raise IllegalTransition(f"trade {trade.id}: {event.type} of {ref}, which was never submitted")
    others = tuple(leg for leg in trade.exits if leg.order_ref != ref)
    state = TradeState.SELL_SUBMITTED if trade.state is TradeState.BUY_FILLED else trade.state
    leg = ExitLeg(ref, event.cause or trade.cause_of(ref))
    return changed(trade, state=state, exits=(*others, leg))


def _asked(
    trade: Trade,
    event: ExitsSet | PartAsked | CloseAsked | ReverseAsked | TradeProposed | ProposalTaken,
    at_ns: int,
) -> Trade:
    """A hand's wish is the trade's from now on; what it wants of a position protection carries out."""
    match event:
        case ExitsSet():
            _require(trade, event, TradeState.BUY_SUBMITTED, *HOLDING)
            return changed(trade, own=event.own, part_tokens=_tokens(trade, event.token))
        case PartAsked():
            _require(trade, event, *HOLDING)
            tokens = _tokens(trade, event.token)
            return changed(trade, leaving=trade.leaving + event.qty, part_tokens=tokens)
        case CloseAsked():
            _require(trade, event, TradeState.BUY_SUBMITTED, *HOLDING, TradeState.SELL_FILLED)
            first = Closing(event.cause, event.reason, event.by, at_ns)
            return changed(trade, closing=trade.closing or first)
        case ReverseAsked():
            _require(trade, event, *HOLDING)
            return changed(trade, reversal=event.reversal)
        case TradeProposed() | ProposalTaken():
            return _offered(trade, event, at_ns)


def _tokens(trade: Trade, token: str) -> tuple[str, ...]:
    return (*trade.part_tokens, token) if token else trade.part_tokens


def _booked(trade: Trade, event: ExecutionBooked, at_ns: int) -> Trade:
    """Executions are the broker's truth: booked in every state that can have sent an order, even after the
    end. An exit sells; the buy-back of an over-sell counts against it. What is held must be led: an entry that
    fills after its cancel was believed takes the trade back from FAILED, and whatever opens a closed trade
    again, either way, takes it back to be closed anew."""
    _require_ordered(trade, event)
    sign = -1 if event.buys_back else 1
    qty = (event.qty - event.replaces_qty) * sign
    value = (event.qty * event.price - event.replaces_qty * event.replaces_price) * event.multiplier * sign
    fee = event.provisional_fee - event.replaces_fee
    owed = trade.fees_owed + (0 if event.replaces_qty else 1)
    known = changed(trade, commission=trade.commission + fee, fees_owed=owed)
    if event.purpose.is_exit:
        known = changed(
            known, exit_filled=known.exit_filled + qty, exit_value=known.exit_value + value,
            last_exit_ref=event.order_ref, leaving=_left(known, event.order_ref, qty),
        )  # fmt: skip
    else:
        known = changed(
            known, entry_filled=known.entry_filled + qty, entry_value=known.entry_value + value,
            filled_ns=known.filled_ns or at_ns,
        )  # fmt: skip
        if known.entry_filled >= known.qty:
            known = changed(known, entry_done=True)
        if known.state is TradeState.FAILED and known.entry_filled > 0:
            known = changed(known, state=TradeState.BUY_SUBMITTED, cause="", reason="", closed_ns=0)
    return _settle_state(_restated(_reopened(known)))


def _left(trade: Trade, order_ref: str, qty: Decimal) -> Decimal:
    """What a hand still wants out once `qty` was sold by an order; a fill taken back is wanted again."""
    if trade.cause_of(order_ref) != Cause.PART.value:
        return trade.leaving
    return max(trade.leaving - qty, ZERO)


def _reopened(trade: Trade) -> Trade:
    ended = trade.state in (TradeState.CLOSED, TradeState.WEALTH_UPDATED)
    if not ended or trade.open_qty == 0:
        return trade
    state = TradeState.SELL_SUBMITTED if trade.exits else TradeState.BUY_FILLED
    return changed(trade, state=state, cause="", net_pnl=None, closed_ns=0)


def _fee_booked(trade: Trade, event: CommissionBooked) -> Trade:
    _require_ordered(trade, event)
    known = changed(
        trade, commission=trade.commission + event.amount - event.replaces,
        fees_owed=max(trade.fees_owed - 1, 0),
    )  # fmt: skip
    return _restated(known)


def _restated(trade: Trade) -> Trade:
    """A closed trade's result follows corrections and late fees."""
    return trade if trade.net_pnl is None else changed(trade, net_pnl=trade.realised)


def _settled(trade: Trade, event: SettledAtExpiry) -> Trade:
    _require(trade, event, *HOLDING)
    value = event.qty * event.price * event.multiplier
    known = changed(
        trade, exit_filled=trade.exit_filled + event.qty, exit_value=trade.exit_value + value,
        entry_done=True, settled=event.cause, last_exit_ref="",
    )  # fmt: skip
    return _settle_state(known)


def _closed(trade: Trade, event: TradeClosed, at_ns: int) -> Trade:
    """The result is what is in the books now, should a fee have come since the event was made."""
    _require(trade, event, TradeState.SELL_FILLED)
    if trade.open_qty != 0:
        raise IllegalTransition(f"trade {trade.id}: {event.type} with {trade.open_qty} still open")
    return changed(
        trade, state=TradeState.CLOSED, cause=event.cause, net_pnl=trade.realised, closed_ns=at_ns,
        leaving=ZERO, closing=None,
    )  # fmt: skip


def _settle_state(trade: Trade) -> Trade:
    """The state that the quantities say: bought on the first fill, sold when nothing is open, also where the
    position went without an exit of ours (settled, closed by hand, or the entry's fills withdrawn)."""
    if trade.state is TradeState.BUY_SUBMITTED and trade.entry_filled > 0:
        trade = changed(trade, state=TradeState.BUY_FILLED)
    if trade.state in HOLDING and trade.entry_done and trade.open_qty <= 0:
        trade = changed(trade, state=TradeState.SELL_FILLED)
    return trade


_CLOSES_AS: Final = {
    Cause.PART.value: Cause.MANUAL.value,
    Cause.STOP_ORDER.value: Cause.STOP.value,
}


def closing(trade: Trade) -> TradeClosed | None:
    """The CLOSED event that is due, or None while quantity is open either way."""
    if trade.state is not TradeState.SELL_FILLED or trade.open_qty != 0:
        return None
    cause = trade.settled if trade.settled and not trade.last_exit_ref else trade.cause_of(trade.last_exit_ref)
    cause = _CLOSES_AS.get(cause, cause)
    return TradeClosed(cause, trade.realised, provisional=trade.fees_owed > 0)
