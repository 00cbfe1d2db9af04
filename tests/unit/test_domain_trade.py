"""The lifecycle of SPEC §9, state by state and event by event."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from station.domain.errors import IllegalTransition
from station.domain.events import (
    EVENT_TYPES,
    CloseAsked,
    EntryModified,
    Event,
    ExitModified,
    ExitsSet,
    ManualOpened,
    PartAsked,
    PositionAdopted,
    ProposalTaken,
    ReverseAsked,
    SettledAtExpiry,
    TradeClosed,
    TradeEvent,
    TradeFailed,
    TradeProposed,
    WealthRecorded,
)
from station.domain.hand import Closing, HandOrder, OwnExits, Reversal
from station.domain.instruments import INSTRUMENTS, Right, Side, option_contract
from station.domain.lifecycle import closing, evolve
from station.domain.orders import OrderKind, OrderState
from station.domain.trade import Cause, Origin, Step, Trade, TradeState, due
from tests.unit.domain_cases import (
    ACCOUNT,
    CONTRACT,
    TRADE,
    bought,
    entry_ended,
    entry_submitted,
    exit_ref,
    exit_submitted,
    fee,
    option_selected,
    run,
    signal_accepted,
    sized,
    sold,
    strategy_passed,
    ticket,
    to_submitted,
    utc,
)

NOW = utc(15, 30)
S = TradeState
FAILED = TradeFailed("risk", "spread")
CLOSED = TradeClosed("target", Decimal("686.10"), provisional=True)
WEALTH = WealthRecorded(Decimal("686.10"), Decimal("35686.10"), 1, "trade_start")
ADOPTED = PositionAdopted(ACCOUNT, "paper", CONTRACT, Decimal(2), Decimal("4.50"))
MANUAL = ManualOpened(
    ACCOUNT, "paper", CONTRACT, Side.CALL, Decimal("9.90"), Decimal("10.00"), Decimal(23), "none", "WM235K",
    5938.5,
)  # fmt: skip
MODIFIED = ExitModified(ticket(exit_ref(), 3, limit="10.10"), "break-even", "grace over")
WALKED = EntryModified(replace(entry_submitted().ticket, limit=Decimal("9.95")), "a step on")
SETTLED = SettledAtExpiry(Decimal(3), Decimal("1.25"), 100, Cause.EXPIRY.value)

EXITS_SET = ExitsSet(OwnExits((Decimal("12.50"),), stop_pct=Decimal(20)), "screen")
PART = PartAsked(Decimal(1), "screen", "t2")
CLOSE = CloseAsked(Cause.MANUAL.value, "closed by screen", "screen")
REVERSE = ReverseAsked(Reversal("t3", "screen", replace(CONTRACT, right=Right.PUT), Decimal(3)))
PROPOSED = TradeProposed(Decimal(2), utc(15, 20))
TAKEN = ProposalTaken(Decimal(1), "screen", "t4")

EVERY: dict[str, TradeEvent] = {
    event.type: event
    for event in (
        signal_accepted(), strategy_passed(), option_selected(), sized(), entry_submitted(), entry_ended(),
        exit_submitted(3), MODIFIED, bought(3), fee("e.1.01", "2.00", "1.95"), CLOSED, WEALTH, FAILED,
        ADOPTED, MANUAL, SETTLED, WALKED, EXITS_SET, PART, CLOSE, REVERSE,
        PROPOSED, TAKEN,
    )
}  # fmt: skip

BOUGHT = (*to_submitted(), bought(3))
SOLD = (*BOUGHT, exit_submitted(3), sold(3))
PATHS: dict[str, tuple[TradeEvent, ...]] = {
    "SCANNER_SIGNAL": to_submitted()[:1],
    "STRATEGY_PASS": to_submitted()[:2],
    "OPTION_SELECTED": to_submitted()[:3],
    "WEALTH_SIZED": to_submitted()[:4],
    "WEALTH_SIZED proposed": (*to_submitted()[:4], PROPOSED),
    "WEALTH_SIZED taken": (*to_submitted()[:4], PROPOSED, TAKEN),
    "BUY_SUBMITTED": to_submitted(),
    "BUY_FILLED": BOUGHT,
    "SELL_SUBMITTED": (*BOUGHT, exit_submitted(3)),
    "SELL_FILLED": SOLD,
    "CLOSED": (*SOLD, CLOSED),
    "WEALTH_UPDATED": (*SOLD, CLOSED, WEALTH),
    "FAILED": (*to_submitted(), FAILED),
    "FAILED before an order": (*to_submitted()[:2], FAILED),
}
ASKS = ("trade.exits_set", "trade.part_asked", "trade.close_asked", "trade.reverse_asked")
BOOKS = ("order.execution", "order.commission", "trade.entry_ended")
LEGAL: dict[str, dict[str, TradeState]] = {
    "SCANNER_SIGNAL": {"trade.strategy_passed": S.STRATEGY_PASS, "trade.failed": S.FAILED},
    "STRATEGY_PASS": {"trade.option_selected": S.OPTION_SELECTED, "trade.failed": S.FAILED},
    "OPTION_SELECTED": {"trade.sized": S.WEALTH_SIZED, "trade.failed": S.FAILED},
    "WEALTH_SIZED": {
        "trade.entry_submitted": S.BUY_SUBMITTED, "trade.failed": S.FAILED, "trade.proposed": S.WEALTH_SIZED,
    },
    "WEALTH_SIZED proposed": {"trade.taken": S.WEALTH_SIZED, "trade.failed": S.FAILED},
    "WEALTH_SIZED taken": {"trade.entry_submitted": S.BUY_SUBMITTED, "trade.failed": S.FAILED},
    "BUY_SUBMITTED": {
        "order.execution": S.BUY_FILLED, "order.commission": S.BUY_SUBMITTED,
        "trade.entry_ended": S.BUY_SUBMITTED, "trade.failed": S.FAILED,
        "trade.entry_modified": S.BUY_SUBMITTED, "trade.exits_set": S.BUY_SUBMITTED,
        "trade.close_asked": S.BUY_SUBMITTED,
    },
    "BUY_FILLED": {
        **dict.fromkeys(BOOKS, S.BUY_FILLED), "trade.exit_submitted": S.SELL_SUBMITTED,
        "trade.settled": S.SELL_FILLED, "trade.entry_modified": S.BUY_FILLED,
        **dict.fromkeys(ASKS, S.BUY_FILLED),
    },
    "SELL_SUBMITTED": {
        **dict.fromkeys(BOOKS, S.SELL_SUBMITTED), "trade.exit_submitted": S.SELL_SUBMITTED,
        "trade.exit_modified": S.SELL_SUBMITTED, "trade.settled": S.SELL_FILLED,
        "trade.entry_modified": S.SELL_SUBMITTED, **dict.fromkeys(ASKS, S.SELL_SUBMITTED),
    },
    "SELL_FILLED": {
        **dict.fromkeys(BOOKS, S.SELL_FILLED), "trade.exit_submitted": S.SELL_FILLED,
        "trade.exit_modified": S.SELL_FILLED, "trade.closed": S.CLOSED,
        "trade.close_asked": S.SELL_FILLED,
    },
    "CLOSED": {
        **dict.fromkeys(BOOKS, S.CLOSED), "order.execution": S.SELL_SUBMITTED,
        "trade.wealth_updated": S.WEALTH_UPDATED,
    },
    "WEALTH_UPDATED": {
        **dict.fromkeys(BOOKS, S.WEALTH_UPDATED), "order.execution": S.SELL_SUBMITTED,
        "trade.wealth_updated": S.WEALTH_UPDATED,
    },
    "FAILED": {
        "order.execution": S.BUY_FILLED, "order.commission": S.FAILED, "trade.entry_ended": S.FAILED,
    },
    "FAILED before an order": {},
}  # fmt: skip
"""Every event that the lifecycle allows, and the state that it leads to; whatever is not here is refused."""


def test_the_table_speaks_of_every_state_and_every_event() -> None:
    assert {name.split()[0] for name in PATHS} == {state.value for state in S}
    assert {kind.type for kind in TradeEvent.__args__} == set(EVERY)


@pytest.mark.parametrize("kind", sorted(EVERY))
@pytest.mark.parametrize("name", PATHS)
def test_every_event_in_every_state_is_legal_or_refused_without_a_change(name: str, kind: str) -> None:
    trade = run(PATHS[name])
    assert trade.state.value == name.split()[0]
    expected = LEGAL[name].get(kind)
    if expected is None:
        with pytest.raises(IllegalTransition, match=TRADE):
            evolve(trade, TRADE, EVERY[kind], NOW)
        return
    after = evolve(trade, TRADE, EVERY[kind], NOW)
    assert (after.state, after.updated_ns) == (expected, NOW)


def test_a_proposal_owes_nothing_until_a_hand_takes_it_and_no_more_than_was_proposed() -> None:
    proposed, taken = run(PATHS["WEALTH_SIZED proposed"]), run(PATHS["WEALTH_SIZED taken"])
    assert (proposed.qty, due(proposed)) == (2, Step.AWAIT_HAND)
    assert (taken.qty, due(taken), taken.offer and taken.offer.by) == (1, Step.JUDGE, "screen")
    with pytest.raises(IllegalTransition, match="3 cannot be taken"):
        evolve(proposed, TRADE, replace(TAKEN, qty=Decimal(3)), NOW)


@pytest.mark.parametrize("kind", sorted(EVERY))
def test_only_a_beginning_begins_a_trade(kind: str) -> None:
    begins = {
        "trade.signal": S.SCANNER_SIGNAL, "trade.manual": S.OPTION_SELECTED, "trade.adopted": S.BUY_FILLED,
    }  # fmt: skip
    if kind in begins:
        assert evolve(None, TRADE, EVERY[kind], NOW).state is begins[kind]
    else:
        with pytest.raises(IllegalTransition, match="does not exist"):
            evolve(None, TRADE, EVERY[kind], NOW)


def test_an_adopted_position_is_protected_as_it_was_found() -> None:
    trade = run((ADOPTED,), NOW)
    assert (trade.origin, trade.open_qty, trade.entry_price) == (Origin.ADOPTED, 2, Decimal("4.50"))
    assert (trade.filled_ns, trade.entry_done, due(trade)) == (NOW, True, Step.PROTECT)


def test_an_adopted_put_is_a_put() -> None:
    put = option_contract(INSTRUMENTS["SPX"], "20261118", Decimal(5900), Right.PUT)
    assert run((replace(ADOPTED, contract=put),)).side is Side.PUT


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("SCANNER_SIGNAL", Step.NOTHING), ("STRATEGY_PASS", Step.SELECT), ("OPTION_SELECTED", Step.SIZE),
        ("WEALTH_SIZED", Step.JUDGE), ("BUY_SUBMITTED", Step.AWAIT_ENTRY), ("BUY_FILLED", Step.PROTECT),
        ("SELL_SUBMITTED", Step.PROTECT), ("SELL_FILLED", Step.CLOSE), ("CLOSED", Step.RECORD_WEALTH),
        ("WEALTH_UPDATED", Step.NOTHING), ("FAILED", Step.NOTHING),
    ],
)  # fmt: skip
def test_each_state_owes_one_step(name: str, step: Step) -> None:
    assert due(run(PATHS[name])) is step


def test_sell_submitted_happens_once_and_replacements_are_events() -> None:
    trade = run((*BOUGHT, exit_submitted(3), exit_submitted(3, "shield", 2), MODIFIED))
    assert trade.state is S.SELL_SUBMITTED
    assert [(leg.order_ref, leg.cause) for leg in trade.exits] == [
        (exit_ref(2), "shield"), (exit_ref(1), "break-even"),
    ]  # fmt: skip


def test_a_change_of_an_exit_that_was_never_submitted_is_refused() -> None:
    other = ExitModified(ticket(exit_ref(9), 3, limit="10.10"), "break-even", "grace over")
    with pytest.raises(IllegalTransition, match="never submitted"):
        run((other,), trade=run((*BOUGHT, exit_submitted(3))))


def test_the_trade_closes_with_the_cause_of_the_exit_that_finished_it() -> None:
    part = run((*BOUGHT, exit_submitted(3), sold(1), exit_submitted(2, "end of day", 2)))
    whole = run((sold(2, "9.00", "x.2.01", 2),), trade=part)
    assert closing(part) is None
    assert closing(whole) == TradeClosed("end of day", Decimal("26.10"), provisional=True)


def test_a_position_that_expired_closes_at_settlement() -> None:
    event = closing(run((*BOUGHT, exit_submitted(3), SETTLED)))
    assert event is not None
    assert (event.cause, event.net_pnl) == ("expiry", Decimal("375") - Decimal("3000") - Decimal("1.95"))


def test_a_worthless_expiry_loses_what_was_paid() -> None:
    worthless = replace(SETTLED, price=Decimal(0))
    event = closing(run((*BOUGHT, worthless)))
    assert event is not None
    assert event.net_pnl == Decimal("-3001.95")


def test_a_position_closed_by_hand_before_our_exit_is_sold_and_external() -> None:
    """FAULTS 37: the execution of an order that is not ours, booked while BUY_FILLED."""
    trade = run((*BOUGHT, sold(3, "11.00")))
    event = closing(trade)
    assert (trade.state, event.cause if event else "") == (S.SELL_FILLED, Cause.EXTERNAL.value)


def test_an_entry_whose_fills_were_all_withdrawn_leaves_nothing_to_protect() -> None:
    bust = bought(
        0, "0", "e.1.02", replaces_qty=Decimal(3), replaces_price=Decimal("10.00"),
        replaces_fee=Decimal("1.95"),
    )  # fmt: skip
    trade = run((*BOUGHT, bust))
    assert (trade.state, trade.open_qty, trade.realised) == (S.SELL_FILLED, 0, 0)


def test_all_sold_while_the_entry_still_fills_is_not_the_end() -> None:
    trade = run((*to_submitted(3), bought(1), exit_submitted(1), sold(1)))
    assert trade.state is S.SELL_SUBMITTED
    more = run((bought(2, exec_id="e.2.01"),), trade=trade)
    assert (more.state, more.open_qty) == (S.SELL_SUBMITTED, 2)
    ended = run((entry_ended(OrderState.CANCELLED),), trade=trade)
    assert ended.state is S.SELL_FILLED


def test_a_trade_with_anything_open_refuses_to_close() -> None:
    late = run((bought(1, exec_id="e.2.01"),), trade=run(SOLD))
    assert (late.state, late.open_qty, closing(late)) == (S.SELL_FILLED, 1, None)
    with pytest.raises(IllegalTransition, match="with 1 still open"):
        run((CLOSED,), trade=late)


def test_an_entry_filled_after_its_cancel_was_believed_is_led_again() -> None:
    failed = run(PATHS["FAILED"])
    late = run((bought(1),), trade=failed)
    assert (late.state, late.cause, late.closed_ns, late.open_qty) == (S.BUY_FILLED, "", 0, 1)
    assert due(late) is Step.PROTECT


def test_the_result_is_what_is_in_the_books_when_it_closes() -> None:
    sold_trade = run(SOLD)
    event = closing(sold_trade)
    assert event is not None
    dearer = run((fee("e.1.01", "3.00", "1.95"), event), trade=sold_trade)
    assert dearer.net_pnl == event.net_pnl - Decimal("1.05") == dearer.realised


def test_a_late_fee_or_correction_restates_a_closed_trade() -> None:
    closed = run(PATHS["WEALTH_UPDATED"])
    assert closed.net_pnl == Decimal("686.10")
    dearer = run((fee("x.1.01", "2.10", "1.95"),), trade=closed)
    assert (dearer.net_pnl, dearer.state) == (Decimal("685.95"), S.WEALTH_UPDATED)


def test_wealth_recorded_twice_changes_nothing() -> None:
    once = run(PATHS["WEALTH_UPDATED"])
    assert run((WEALTH,), trade=once) == once


def test_a_beginning_may_not_come_twice() -> None:
    with pytest.raises(IllegalTransition, match="begins twice"):
        run((signal_accepted(),), trade=run(to_submitted()))


def test_station_events_are_not_a_trades() -> None:
    of_trades: set[type[Event]] = set(TradeEvent.__args__)
    assert all(kind.type == name for name, kind in EVENT_TYPES.items())
    assert of_trades <= set(EVENT_TYPES.values())


def test_prices_are_averages_a_unit_and_unknown_before_a_fill() -> None:
    assert run(to_submitted()).entry_price is None
    trade: Trade = run((*to_submitted(3), bought(1, "10.00"), bought(2, "10.30", "e.2.01")))
    assert trade.entry_price == Decimal("10.20")
    assert trade.exit_price is None


def test_a_part_that_a_hand_wants_out_is_worked_off_by_its_own_order_alone() -> None:
    out = replace(exit_submitted(1), ticket=ticket(exit_ref(2), 1), cause=Cause.PART.value)
    trade = run((*BOUGHT, exit_submitted(3), replace(PART, qty=Decimal(2)), out))
    assert trade.leaving == 2
    assert run((*BOUGHT, exit_submitted(3), PART, out, sold(1))).leaving == 1, "the target's fill is not its"
    left = evolve(trade, TRADE, replace(sold(1), order_ref=exit_ref(2)), NOW)
    assert (left.leaving, left.open_qty) == (1, 2)


def test_a_trade_that_a_part_ends_closes_as_manual() -> None:
    out = replace(exit_submitted(3), cause=Cause.PART.value)
    trade = run((*BOUGHT, replace(PART, qty=Decimal(3)), out, sold(3)))
    closed = closing(trade)
    assert closed is not None
    assert closed.cause == Cause.MANUAL.value
    assert evolve(trade, TRADE, closed, NOW).leaving == 0


def test_a_trade_that_is_to_leave_says_so_until_it_is_closed_and_its_first_cause_stays() -> None:
    again = replace(CLOSE, cause=Cause.STRATEGY.value, by="veera")
    trade = run((*to_submitted(), CLOSE, bought(3), again), NOW)
    wanted = Closing("manual", "closed by screen", "screen", NOW)
    assert (trade.closing, trade.open_qty) == (wanted, 3)
    sold_out = run((exit_submitted(3), sold(3)), trade=trade)
    assert sold_out.closing == wanted
    assert evolve(sold_out, TRADE, CLOSED, NOW).closing is None


def test_what_fills_after_its_trade_had_failed_is_still_to_leave() -> None:
    trade = run((*to_submitted(), CLOSE, FAILED, bought(3)))
    assert (trade.state, trade.closing is not None) == (S.BUY_FILLED, True)


def test_an_entry_changed_in_size_is_done_at_its_new_size() -> None:
    smaller = EntryModified(replace(entry_submitted().ticket, qty=Decimal(1)), "by hand")
    trade = run((*to_submitted(), smaller, bought(1)))
    assert (trade.qty, trade.entry_done) == (1, True)


def test_a_hands_order_and_exits_are_of_the_trade_from_its_beginning() -> None:
    hand = HandOrder("t1", "screen", Decimal(2), OrderKind.LIMIT, Decimal("9.90"))
    own = OwnExits((Decimal("12.50"),))
    trade = evolve(None, TRADE, replace(MANUAL, hand=hand, own=own, delta=0.3), NOW)
    assert (trade.hand, trade.own, trade.delta, trade.origin) == (hand, own, 0.3, Origin.MANUAL)


def test_own_exits_keep_the_rungs_that_nobody_has_priced() -> None:
    own = OwnExits()
    own = replace(own, targets=own.with_target(2, Decimal("9.00")))
    assert [own.target(n) for n in range(4)] == [None, None, Decimal("9.00"), None]
    assert OwnExits(stop_pct=Decimal(20)).stop_at(Decimal(10)) == 8
    assert OwnExits(stop_price=Decimal("7.50"), stop_pct=Decimal(20)).stop_at(Decimal(10)) == Decimal("7.50")


def test_every_order_that_closed_a_part_is_remembered() -> None:
    trade = run((*BOUGHT, PART, replace(PART, token=""), replace(PART, token="t9")))
    assert (trade.part_tokens, trade.leaving) == (("t2", "t9"), 3)
