"""The worker in lockstep with a small fair exchange: when it looks, what it asks, and that it never dies."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from station.domain.clock import DAY, MINUTE, SECOND
from station.domain.events import CloseAsked
from station.domain.orders import OrderKind, OrderState
from station.domain.trade import Cause, TradeState
from station.protection import (
    Directive,
    Holding,
    LateMode,
    MarketOut,
    ModifyExit,
    ProtectionSettings,
    RaiseAlert,
    RequestReconcile,
    SubmitExit,
)
from tests.property.protection_exchange import FairExchange
from tests.property.protection_play import played
from tests.unit.domain_cases import utc

START = utc(15, 5)
CLOSE = utc(21)
TEN = Decimal("10.00")


def bought(exchange: FairExchange, trade_id: str = "T1", qty: int = 3, shield: str = "none") -> None:
    exchange.open_trade(trade_id, qty, shield)
    exchange.fill_entry(trade_id, qty, TEN)


def every_second(exchange: FairExchange, bid: Decimal | None = TEN, until_s: int = 3600) -> None:
    for second in range(until_s):
        exchange.at(START + second * SECOND, lambda: exchange.quote(bid))


def asked(exchange: FairExchange, *kinds: type) -> list[tuple[float, Directive]]:
    return [((at - START) / SECOND, d) for at, _, d in exchange.log if isinstance(d, kinds)]


def test_the_target_is_asked_for_at_the_instant_of_the_fill() -> None:
    exchange, _, _ = played(START, START, bought)
    assert [type(d) for _, d in asked(exchange, SubmitExit)] == [SubmitExit]
    assert asked(exchange, SubmitExit)[0][0] == 0


def test_the_target_sells_when_the_bid_reaches_it_and_the_trade_is_over() -> None:
    def prepare(exchange: FairExchange) -> None:
        bought(exchange)
        exchange.at(START + 90 * SECOND, lambda: exchange.quote(Decimal("12.30")))

    exchange, worker, faults = played(START, START + 5 * MINUTE, prepare)
    assert exchange.accounts["T1"].trade.state is TradeState.SELL_FILLED
    assert exchange.accounts["T1"].trade.exit_price == Decimal("12.30")
    assert exchange.holdings() == []
    assert (worker.faults, faults) == (0, [])


def test_the_sell_grows_with_the_entrys_fills() -> None:
    def prepare(exchange: FairExchange) -> None:
        exchange.open_trade("T1", 3)
        for n in range(3):
            exchange.at(START + n * SECOND, lambda: exchange.fill_entry("T1", 1, TEN))

    exchange, _, _ = played(START, START + 10 * SECOND, prepare)
    sizes = [d.qty for _, d in asked(exchange, SubmitExit, ModifyExit) if not isinstance(d, MarketOut)]
    assert sizes == [1, 2, 3]


def test_a_shield_goes_off_between_two_polls_at_the_quote_itself() -> None:
    def prepare(exchange: FairExchange) -> None:
        bought(exchange, shield="rapid_shield")
        exchange.at(START + 12 * MINUTE + 7 * SECOND, lambda: exchange.quote(Decimal("7.85")))
        exchange.at(START + 12 * MINUTE + 8 * SECOND, lambda: exchange.quote(Decimal("7.80")))

    exchange, _, _ = played(START, START + 13 * MINUTE, prepare)
    assert [(at, d.cause) for at, d in asked(exchange, MarketOut)] == [(728, Cause.SHIELD)]
    assert exchange.accounts["T1"].trade.exit_price == Decimal("7.80")


def test_quotes_that_trigger_nothing_cost_no_look() -> None:
    def quiet(exchange: FairExchange) -> None:
        bought(exchange, shield="rapid_shield")
        exchange.at(START, lambda: exchange.quote(TEN))

    def busy(exchange: FairExchange) -> None:
        bought(exchange, shield="rapid_shield")
        for n in range(1000):
            bid = Decimal("7.85") + Decimal(n % 80) / 20
            exchange.at(START + n * SECOND // 20, lambda bid=bid: exchange.quote(bid))

    _, still, _ = played(START, START + MINUTE, quiet)
    _, moving, _ = played(START, START + MINUTE, busy)
    assert moving.looks == still.looks


def test_without_a_price_it_leaves_35_s_after_the_first_absent_check() -> None:
    def prepare(exchange: FairExchange) -> None:
        bought(exchange)
        every_second(exchange, until_s=1201)
        exchange.at(START + 1201 * SECOND, lambda: exchange.quote(None))

    exchange, _, _ = played(START, START + 30 * MINUTE, prepare)
    assert [(at, d.cause) for at, d in asked(exchange, MarketOut)] == [(1236, Cause.EMERGENCY)]


def test_everything_is_asked_out_exactly_five_minutes_before_the_close() -> None:
    def prepare(exchange: FairExchange) -> None:
        bought(exchange, "T1")
        bought(exchange, "T2", 1)

    exchange, _, _ = played(START + 7, CLOSE, prepare)
    outs = [(at, trade_id, d.cause) for at, trade_id, d in exchange.log if isinstance(d, MarketOut)]
    close_at = CLOSE - 5 * MINUTE
    assert outs == [(close_at, "T1", Cause.END_OF_DAY), (close_at, "T2", Cause.END_OF_DAY)]
    assert exchange.holdings() == []


def test_half_past_three_comes_exactly_and_moves_a_losing_sell() -> None:
    late = ProtectionSettings(off=frozenset({"break_even"}))

    def prepare(exchange: FairExchange) -> None:
        bought(exchange)
        exchange.at(CLOSE - 31 * MINUTE, lambda: exchange.quote(Decimal("9.00")))
        for second in range(0, 120, 5):
            exchange.at(CLOSE - 31 * MINUTE + second * SECOND, lambda: exchange.quote(Decimal("9.00")))

    exchange, _, _ = played(START + 7, CLOSE - 29 * MINUTE, prepare, settings=late)
    moves = [(at, d.cause, d.limit) for at, _, d in exchange.log if isinstance(d, ModifyExit)]
    assert moves == [(CLOSE - 30 * MINUTE, Cause.LATE, Decimal("10.10"))]


def test_a_requested_exit_leaves_at_market_with_its_cause() -> None:
    def prepare(exchange: FairExchange) -> None:
        bought(exchange)
        asked = CloseAsked(Cause.MANUAL.value, "closed by hand", "hand")
        exchange.at(START + 7 * SECOND, lambda: exchange.hand("T1", asked))

    exchange, _, _ = played(START, START + MINUTE, prepare)
    assert [(at, d.cause) for at, d in asked(exchange, MarketOut)] == [(7, Cause.MANUAL)]
    assert exchange.accounts["T1"].trade.cause_of("V1-DU1000001-T1-X-1") == "manual"


def test_a_close_that_was_asked_at_night_leaves_at_the_open_with_its_cause() -> None:
    night, opens = CLOSE + MINUTE, utc(14, 30) + DAY

    def prepare(exchange: FairExchange) -> None:
        bought(exchange)
        exchange.hand("T1", CloseAsked(Cause.MANUAL.value, "closed by hand", "hand"))
        exchange.at(opens, lambda: exchange.quote(TEN))

    exchange, _, _ = played(night, opens, prepare)
    assert [(at * SECOND + START, d.cause) for at, d in asked(exchange, MarketOut)] == [(opens, Cause.MANUAL)]
    assert exchange.holdings() == []


def test_a_rejected_exit_is_sent_again_and_a_lost_one_only_after_the_brokers_word() -> None:
    exchange, _, _ = played(START, START + 30 * SECOND, bought, moods=("rejected", "lost"))
    told = asked(exchange, SubmitExit, RequestReconcile)
    assert [(at, type(d)) for at, d in told] == [
        (0, SubmitExit), (1, SubmitExit), (1, RequestReconcile), (2, SubmitExit),
    ]  # fmt: skip
    states = [order.state for order in exchange.accounts["T1"].orders.values()][1:]
    assert states == [OrderState.REJECTED, OrderState.CANCELLED, OrderState.SUBMITTED]


class Stubborn:
    """A port whose first trade cannot be carried out for a while; the other one is none of its business."""

    def __init__(self, exchange: FairExchange, until_ns: int) -> None:
        self.exchange = exchange
        self.until_ns = until_ns

    def holdings(self) -> Any:
        return self.exchange.holdings()

    def holding(self, trade_id: str) -> Holding | None:
        return self.exchange.holding(trade_id)

    async def carry_out(self, trade_id: str, directive: Directive) -> None:
        if trade_id == "T1" and self.exchange.clock.now() < self.until_ns:
            raise ConnectionResetError("no route to the broker")
        await self.exchange.carry_out(trade_id, directive)


def two(exchange: FairExchange) -> None:
    bought(exchange, "T1")
    bought(exchange, "T2")


def test_fault_59_a_failing_trade_is_reported_and_retried_and_harms_no_other() -> None:
    exchange, worker, faults = played(
        START, START + MINUTE, two, port=lambda e: Stubborn(e, START + 10 * SECOND)
    )
    firsts = {trade_id: at for at, trade_id, _ in reversed(exchange.log)}
    assert firsts == {"T2": START, "T1": START + 15 * SECOND}
    assert {trade_id for trade_id, _ in faults} == {"T1"}
    assert worker.faults == len(faults) == 4
    assert len(exchange.accounts["T1"].exits) == 1


class Cancelling(Stubborn):
    """A port whose wire cancels what waits on it."""

    async def carry_out(self, trade_id: str, directive: Directive) -> None:
        if trade_id == "T1" and self.exchange.clock.now() < self.until_ns:
            raise asyncio.CancelledError
        await self.exchange.carry_out(trade_id, directive)


def test_a_look_cancelled_from_below_is_a_fault_like_any_other() -> None:
    exchange, worker, faults = played(
        START, START + MINUTE, two, port=lambda e: Cancelling(e, START + 10 * SECOND)
    )
    assert worker.faults == len(faults) == 4
    assert all(account.exits for account in exchange.accounts.values())


class Slow(Stubborn):
    """A port that takes seconds over the first trade."""

    async def carry_out(self, trade_id: str, directive: Directive) -> None:
        if trade_id == "T1":
            await self.exchange.clock.sleep(20)
        await self.exchange.carry_out(trade_id, directive)


def test_a_trade_never_waits_for_anothers_broker() -> None:
    exchange, worker, _ = played(START, START + 50 * SECOND, two, port=lambda e: Slow(e, 0))
    firsts = {trade_id: at for at, trade_id, _ in reversed(exchange.log)}
    assert firsts == {"T2": START, "T1": START + 20 * SECOND}
    sells = [d for _, trade_id, d in exchange.log if trade_id == "T1" and isinstance(d, SubmitExit)]
    assert len(sells) == 1, "one look at a time"
    assert worker.faults == 0


def test_a_sweep_finds_a_trade_that_nobody_announced() -> None:
    def prepare(exchange: FairExchange) -> None:
        exchange.at(START + 5 * SECOND, lambda: silently(exchange))

    def silently(exchange: FairExchange) -> None:
        worker, exchange.worker = exchange.worker, None
        bought(exchange)
        exchange.worker = worker

    exchange, _, _ = played(START, START + MINUTE, prepare)
    assert [at for at, _ in asked(exchange, SubmitExit)] == [30]


def test_new_settings_are_in_force_at_once() -> None:
    def prepare(exchange: FairExchange) -> None:
        bought(exchange)
        assert exchange.worker is not None
        worker = exchange.worker
        at = CLOSE - 20 * MINUTE
        exchange.at(at, lambda: worker.configure(ProtectionSettings(late_mode=LateMode.FORCE_CLOSE)))

    exchange, _, _ = played(CLOSE - 25 * MINUTE, CLOSE - 19 * MINUTE, prepare)
    outs = [(at, d.cause) for at, _, d in exchange.log if isinstance(d, MarketOut)]
    assert outs == [(CLOSE - 20 * MINUTE, Cause.LATE)]


def test_an_unsold_contract_is_left_to_settlement_after_the_close() -> None:
    def prepare(exchange: FairExchange) -> None:
        bought(exchange, qty=1)
        exchange.at(CLOSE - 6 * MINUTE, lambda: exchange.quote(None))

    exchange, _, _ = played(CLOSE - 20 * MINUTE, CLOSE + 60 * MINUTE, prepare)
    assert exchange.accounts["T1"].trade.open_qty == 1
    assert max(at for at, _, _ in exchange.log) < CLOSE
    assert any(alert.key == "no-bid:T1" for alert in exchange.alerts)
    (order,) = exchange.accounts["T1"].exits
    assert order.ticket.kind is OrderKind.MARKET


def test_the_same_script_gives_the_same_log() -> None:
    def prepare(exchange: FairExchange) -> None:
        two(exchange)
        every_second(exchange, until_s=300)
        exchange.at(START + 100 * SECOND, exchange.throw_kill)

    runs = [played(START, START + 5 * MINUTE, prepare, ("slow", "refused", "unknown"))[0] for _ in range(2)]
    assert runs[0].log == runs[1].log
    assert runs[0].log


def test_an_alert_that_could_not_be_given_is_given_again() -> None:
    class Mute(Stubborn):
        async def carry_out(self, trade_id: str, directive: Directive) -> None:
            if isinstance(directive, RaiseAlert) and self.exchange.clock.now() < self.until_ns:
                raise ConnectionResetError("the channel is down")
            await self.exchange.carry_out(trade_id, directive)

    def prepare(exchange: FairExchange) -> None:
        bought(exchange)

    until = START + 30 * MINUTE + 10 * SECOND
    exchange, _, faults = played(START, START + 31 * MINUTE, prepare, port=lambda e: Mute(e, until))
    assert any(alert.key.startswith("unclosed") for alert in exchange.alerts)
    assert faults
