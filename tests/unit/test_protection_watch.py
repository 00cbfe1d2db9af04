"""What the worker keeps doing however long it runs: looks, sweeps, retries, and an end that leaves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from station.clock import Lockstep, LockstepLoop, VirtualClock
from station.domain.clock import MINUTE, SECOND
from station.domain.instruments import SPX_OPTION_TICKS, Contract, SecType
from station.domain.market import Quote
from station.domain.orders import Order, OrderState, new_order
from station.domain.trade import Cause, Trade
from station.protection import (
    Directive,
    ExitPort,
    Holding,
    MarketOut,
    Memory,
    ProtectionSettings,
    ProtectionWorker,
    RaiseAlert,
    RequestReconcile,
    SubmitExit,
)
from tests.property.protection_exchange import FairExchange
from tests.property.protection_play import calendar, played
from tests.unit.domain_cases import (
    CONTRACT,
    bought,
    exit_ref,
    exit_submitted,
    run,
    sold,
    ticket,
    to_submitted,
    utc,
)

START = utc(15, 5)
TEN = Decimal("10.00")


def opened(exchange: FairExchange, trade_id: str = "T1") -> None:
    exchange.open_trade(trade_id, 3)
    exchange.fill_entry(trade_id, 3, TEN)


def unannounced(exchange: FairExchange) -> None:
    """A trade that only the sweep can find."""
    worker, exchange.worker = exchange.worker, None
    opened(exchange)
    exchange.worker = worker


class Watched:
    """The exchange as a port whose books cannot be read in given spans of seconds; it writes down when it was
    asked for everything (`swept`), for the trade (`read`) and to sell (`sold`)."""

    def __init__(self, exchange: FairExchange, down: Sequence[tuple[int, int]], *, blind: bool) -> None:
        self.exchange = exchange
        self.down = down
        self.blind = blind
        self.swept: list[float] = []
        self.read: list[float] = []
        self.sold: list[float] = []

    def holdings(self) -> Sequence[Holding]:
        self.swept.append(self._second())
        if self.blind and len(self.swept) == 1:
            raise LookupError("the books cannot be read")
        return self.exchange.holdings()

    def holding(self, trade_id: str) -> Holding | None:
        self.read.append(self._second())
        if any(first <= self._second() < last for first, last in self.down):
            raise LookupError("the books cannot be read")
        return self.exchange.holding(trade_id)

    async def carry_out(self, trade_id: str, directive: Directive) -> None:
        if isinstance(directive, SubmitExit):
            self.sold.append(self._second())
        await self.exchange.carry_out(trade_id, directive)

    def _second(self) -> float:
        return (self.exchange.clock.now() - START) / SECOND


def watched(
    until_s: int, *down: tuple[int, int], blind: bool = False, again_s: int | None = None
) -> tuple[Watched, ProtectionWorker, list[tuple[str, BaseException]]]:
    """A trade that the first sweep finds, under a port that is `down`; news of it comes at `again_s`."""
    ports: list[Watched] = []

    def port(exchange: FairExchange) -> Watched:
        ports.append(Watched(exchange, down, blind=blind))
        return ports[0]

    def prepare(exchange: FairExchange) -> None:
        unannounced(exchange)
        if again_s is not None and exchange.worker is not None:
            worker = exchange.worker
            exchange.at(START + again_s * SECOND, lambda: worker.notify("T1"))

    _, worker, faults = played(START, START + until_s * SECOND, prepare, port=port)
    return ports[0], worker, faults


def test_a_sweep_comes_every_half_minute_and_no_more() -> None:
    port, worker, _ = watched(95)
    assert port.swept == [0, 30, 60, 90]
    assert worker.faults == 0


def test_a_sweep_that_fails_is_told_counted_and_made_good() -> None:
    port, worker, faults = watched(40, blind=True)
    assert [name for name, _ in faults] == ["sweep"]
    assert worker.faults == 1
    assert port.sold == [30]


def test_the_pause_after_a_failure_doubles_up_to_half_a_minute() -> None:
    port, worker, faults = watched(100, (0, 90))
    assert port.read[:7] == [0, 1, 3, 7, 15, 31, 61]
    assert worker.faults == len(faults) == 7
    assert port.sold == [91]


def test_a_success_forgets_the_failures_before_it() -> None:
    port, _, _ = watched(56, (0, 6), (52, 55), again_s=52)
    assert port.sold == [7]
    assert [second for second in port.read if second >= 52][:3] == [52, 53, 55]


def test_the_longest_pause_is_within_the_settings() -> None:
    """With pauses of up to five minutes it doubles five times and no more."""
    ports: list[Watched] = []

    def port(exchange: FairExchange) -> Watched:
        ports.append(Watched(exchange, ((0, 200),), blind=False))
        return ports[0]

    patient = ProtectionSettings(slow_poll_s=300)
    played(START, START + 200 * SECOND, unannounced, settings=patient, port=port)
    assert ports[0].read == [0, 1, 3, 7, 15, 31, 63, 95, 127, 159, 191]


def test_each_look_is_counted_once_and_remembered_by_trade() -> None:
    _, worker, _ = played(START, START + 2 * SECOND, opened)
    assert worker.looks == 3, "at the fill, at the exit's own event, and when it could be asked for again"
    assert worker.memory_of("T1").high_bid == TEN
    assert worker.memory_of("T9") == Memory()


def test_a_quote_that_is_handed_over_is_judged_like_one_that_is_looked_up() -> None:
    def looks(bid: str | None, ask: str) -> int:
        def prepare(exchange: FairExchange) -> None:
            exchange.open_trade("T1", 3, shield="rapid_shield")
            exchange.fill_entry("T1", 3, TEN)
            quote = Quote(CONTRACT, Decimal(bid) if bid else None, Decimal(ask), 1, 1, START + SECOND)
            worker = exchange.worker
            assert worker is not None
            exchange.at(START + 2 * SECOND, lambda: worker.quote_moved("T1", quote))

        return played(START, START + 3 * SECOND, prepare)[1].looks

    quiet = looks("10.00", "10.10")
    assert looks("7.80", "7.90") == quiet + 1, "a bid at the shield is news"
    assert looks(None, "10.10") == quiet + 1, "a bid that is gone is news"
    assert looks("7.80", "7.70") == quiet, "a crossed market is none"


def test_a_position_of_before_the_open_is_looked_at_when_the_market_opens() -> None:

    def one(exchange: FairExchange) -> None:
        exchange.open_trade("T1", 1)
        exchange.fill_entry("T1", 1, TEN)

    exchange, _, _ = played(utc(14), utc(14, 31), one)
    outs = [(at, d.cause) for at, _, d in exchange.log if isinstance(d, MarketOut)]
    assert outs == [(utc(14, 30), Cause.END_OF_DAY)]


def test_an_over_sell_of_before_the_open_is_bought_back_when_the_market_opens() -> None:
    over_sold = run((*to_submitted(1), bought(1), exit_submitted(2), sold(2)), utc(14))
    (alert, out) = asked_of(over_sold, utc(14), utc(14, 30))
    assert isinstance(alert, RaiseAlert)
    assert isinstance(out, MarketOut)


def test_a_question_to_the_broker_is_asked_again_while_the_market_is_closed() -> None:
    """An exit without an answer in the evening: asked at once, after 5 s and after 10 more, then told."""
    evening = utc(23)
    trade = run((*to_submitted(), bought(3), exit_submitted(3)), evening)
    lost = replace(new_order(ticket(exit_ref(1), 3), "T1", evening), state=OrderState.UNKNOWN)
    asked = asked_of(trade, evening, evening + 16 * SECOND, exits=(lost,))
    assert [type(each) for each in asked] == [*[RequestReconcile] * 3, RaiseAlert]


def test_a_future_is_protected_in_the_night() -> None:
    """19:00 in New York: no option trades, ES does."""
    es = Contract("ES", SecType.FUTURE, expiry="20261218", multiplier=50, exchange="CME")
    night = utc(0, day=19)
    option = run((*to_submitted(), bought(3)), night)
    assert asked_of(option, night) == []
    assert [type(d) for d in asked_of(replace(option, contract=es, symbol="ES"), night)] == [SubmitExit]


def asked_of(
    trade: Trade, now_ns: int, until_ns: int | None = None, exits: tuple[Order, ...] = ()
) -> list[Directive]:
    """What a worker asks of one holding up to an instant, half a second later where none is given."""
    contract = trade.contract
    assert contract is not None
    asked: list[Directive] = []

    class One:
        def holdings(self) -> Sequence[Holding]:
            return [self.holding(trade.id)]

        def holding(self, trade_id: str) -> Holding:
            assert trade_id == trade.id
            return Holding(trade, exits, Quote(contract, TEN, TEN + 1, 1, 1, now_ns), SPX_OPTION_TICKS)

        async def carry_out(self, trade_id: str, directive: Directive) -> None:
            del trade_id
            asked.append(directive)

    ended(One(), VirtualClock(now_ns), until_ns or now_ns + SECOND // 2)
    return asked


def ended(port: ExitPort, clock: VirtualClock, until_ns: int) -> asyncio.Task[None]:
    """A worker's task, run up to an instant and cancelled there."""

    async def work() -> asyncio.Task[None]:
        task = asyncio.create_task(worker_of(port, clock).run())
        await Lockstep(clock, FairExchange(clock)).run(until_ns)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return task

    with asyncio.Runner(loop_factory=LockstepLoop) as runner:
        return runner.run(work())


def worker_of(port: ExitPort, clock: VirtualClock) -> ProtectionWorker:
    return ProtectionWorker(port, clock, calendar(), ProtectionSettings(), unexpected)


def unexpected(trade_id: str, error: BaseException) -> None:
    raise AssertionError(trade_id) from error


@pytest.mark.parametrize("with_trade", [True, False])
def test_a_worker_that_is_cancelled_ends_and_leaves_no_timer(with_trade: bool) -> None:
    clock = VirtualClock(START)
    exchange = FairExchange(clock)
    if with_trade:
        opened(exchange)
    assert ended(exchange, clock, START + MINUTE).cancelled()
    assert clock.next_timer is None


def test_a_worker_cancelled_within_its_first_sweep_ends() -> None:
    async def work() -> bool:
        clock = VirtualClock(START)
        exchange = FairExchange(clock)

        class Ending(FairExchange):
            def holdings(self) -> Sequence[Holding]:
                task.cancel()
                return exchange.holdings()

        task = asyncio.create_task(worker_of(Ending(clock), clock).run())
        await asyncio.gather(task, return_exceptions=True)
        return task.cancelled() and clock.next_timer is None

    assert asyncio.run(work())
