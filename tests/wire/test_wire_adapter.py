"""The adapter's own rules: lanes, pacing, environments, numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from decimal import Decimal
from typing import Any

import ib_async
import pytest

from station.brokers.ibkr import IbkrBroker
from station.brokers.ibkr.environment import check_port, chosen_account
from station.brokers.ibkr.history import HistoryPace, duration, sessions_needed
from station.brokers.ibkr.lanes import A_SECOND, Lane, SendLanes
from station.brokers.ibkr.values import ContractBook, count, number, price
from station.clock import VirtualClock
from station.domain.clock import SECOND
from station.domain.errors import BrokerUnavailable, Fatal
from station.domain.instruments import INSTRUMENTS, Hours, Right, Timeframe, option_contract
from tests.wire.wire_rig import turn

DATA, PLACE, CANCEL = "1\x0011\x00{}\x00", "3\x00{}\x00", "4\x001\x00{}\x00\x00"


class Wire:
    def __init__(self) -> None:
        self.clock = VirtualClock(1_795_000_000 * SECOND)
        self.sent: list[str] = []
        self.broken = False
        self.lanes = SendLanes(self.clock, self._write)

    def _write(self, message: str) -> None:
        if self.broken:
            raise ConnectionError("gone")
        self.sent.append(message)

    def later(self, seconds: float) -> None:
        end = self.clock.now() + round(seconds * SECOND)
        while (at_ns := self.clock.next_timer) is not None and at_ns <= end:
            self.clock.move_to(at_ns)
            self.clock.fire_due()
        self.clock.move_to(end)


def kinds(messages: Sequence[str]) -> list[str]:
    return [message.split("\0")[0] for message in messages]


def test_cancels_and_entries_pass_two_hundred_waiting_data_requests() -> None:
    wire = Wire()
    for n in range(200):
        wire.lanes.offer(DATA.format(n))
    assert len(wire.sent) == A_SECOND[Lane.DATA]
    for n in range(5):
        wire.lanes.offer(CANCEL.format(n + 900))
    wire.lanes.offer(PLACE.format(50))
    assert kinds(wire.sent[A_SECOND[Lane.DATA] :]) == ["4"] * 5 + ["3"]


def test_no_second_holds_more_messages_than_tws_takes() -> None:
    wire = Wire()
    stamps: list[int] = []
    write = wire.sent.append
    wire.lanes = SendLanes(wire.clock, lambda m: (write(m), stamps.append(wire.clock.now()))[0])
    for n in range(120):
        wire.lanes.offer(DATA.format(n))
        wire.lanes.offer(CANCEL.format(n + 1))
    wire.later(10)
    assert len(wire.sent) == 240
    assert max(sum(start <= at < start + SECOND for at in stamps) for start in stamps) <= 50
    assert kinds(wire.sent).index("1") < 50
    data = [m for m in wire.sent if m.startswith("1\0")]
    assert data == [DATA.format(n) for n in range(120)]


def test_cancel_never_overtakes_the_order_it_is_about() -> None:
    wire = Wire()
    for n in range(60):
        wire.lanes.offer(PLACE.format(n + 1))
    assert wire.lanes.waiting(60)
    wire.lanes.offer(CANCEL.format(60))
    wire.lanes.offer(CANCEL.format(1))
    wire.later(3)
    assert wire.sent.index(CANCEL.format(60)) > wire.sent.index(PLACE.format(60))
    assert wire.sent.index(CANCEL.format(1)) < wire.sent.index(PLACE.format(60))


def test_fault_33_after_too_many_messages_cancels_go_first_then_the_rest_at_half_the_pace() -> None:
    wire = Wire()
    for n in range(A_SECOND[Lane.DATA]):
        wire.lanes.offer(DATA.format(n))
    wire.lanes.ease()
    wire.lanes.offer(PLACE.format(1))
    wire.lanes.offer(DATA.format(900))
    wire.lanes.offer(CANCEL.format(77))
    before = len(wire.sent)
    assert before == A_SECOND[Lane.DATA], "the last second holds more than half of what a second takes"
    wire.later(0.999)
    assert kinds(wire.sent[before:]) == []
    wire.later(0.001)
    assert kinds(wire.sent[before:]) == ["4", "3", "1"]
    wire.later(1)
    for n in range(200):
        wire.lanes.offer(DATA.format(n))
    wire.later(1)
    assert len(wire.sent) - before - 3 == 2 * (A_SECOND[Lane.DATA] // 2)
    wire.later(10)
    assert len(wire.lanes) == 0


def test_fault_33_a_cancel_goes_at_once_while_everything_else_is_held() -> None:
    wire = Wire()
    wire.lanes.ease()
    wire.lanes.offer(PLACE.format(1))
    wire.lanes.offer(CANCEL.format(77))
    assert kinds(wire.sent) == ["4"]
    wire.lanes.order_lane = Lane.EXIT
    wire.lanes.offer(PLACE.format(2))
    assert kinds(wire.sent) == ["4", "3"], "an exit is held no more than a cancel"
    wire.later(1)
    assert wire.sent[2] == PLACE.format(1)


async def test_what_waited_when_the_link_ended_is_known_not_to_be_sent() -> None:
    wire = Wire()
    for n in range(60):
        wire.lanes.offer(PLACE.format(n + 1))
    wire.broken = True
    wire.lanes.offer(PLACE.format(99))
    waiting = asyncio.ensure_future(wire.lanes.flushed(99))
    await turn()
    wire.later(2)
    assert len(wire.lanes) == 0
    with pytest.raises(BrokerUnavailable, match="not sent"):
        await waiting
    with pytest.raises(ConnectionError):
        wire.lanes.offer(PLACE.format(100))


async def test_history_of_minutes_and_more_is_not_rationed_but_never_repeats_within_fifteen_seconds() -> None:
    clock = VirtualClock(1_795_000_000 * SECOND)
    pace = HistoryPace(clock)
    times: list[int] = []
    for n in range(70):
        await drive(clock, pace.turn(f"c{n}", f"r{n}"))
        times.append(clock.now())
    assert times[69] == times[0]
    same = VirtualClock(1_795_000_000 * SECOND)
    twice = HistoryPace(same)
    await drive(same, twice.turn("c", "r"))
    await drive(same, twice.turn("c", "r"))
    assert same.now() - 1_795_000_000 * SECOND == 15 * SECOND


async def drive(clock: VirtualClock, work: Coroutine[Any, Any, None]) -> None:
    """Run to the end, moving the clock to whatever it waits for."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await turn()
        if not task.done() and (at_ns := clock.next_timer) is not None:
            clock.move_to(at_ns)
            clock.fire_due()
    await task


def test_history_spans_cover_the_bars_asked_for() -> None:
    assert sessions_needed(Timeframe.M1, 2000, Hours.REGULAR) == 7
    assert sessions_needed(Timeframe.H4, 2000, Hours.REGULAR) == 1001
    assert sessions_needed(Timeframe.D1, 2000, Hours.REGULAR) == 2001
    assert (duration(7), duration(2001)) == ("7 D", "9 Y")


@pytest.mark.parametrize(
    ("environment", "host", "port", "emulator", "ok"),
    [
        ("paper", "10.0.0.5", 7497, None, True),
        ("paper", "127.0.0.1", 4002, None, True),
        ("paper", "127.0.0.1", 7496, None, False),
        ("paper", "127.0.0.1", 9000, None, False),
        ("paper", "127.0.0.1", 9000, 9000, True),
        ("paper", "10.0.0.5", 9000, 9000, False),
        ("live", "127.0.0.1", 7496, None, True),
        ("live", "127.0.0.1", 4001, None, True),
        ("live", "127.0.0.1", 7497, None, False),
        ("live", "127.0.0.1", 9000, 9000, False),
        ("demo", "127.0.0.1", 7497, None, False),
    ],
)
def test_port_must_be_the_environment_s(
    environment: str, host: str, port: int, emulator: int | None, ok: bool
) -> None:
    if ok:
        check_port(environment, host, port, emulator)
    else:
        with pytest.raises(Fatal):
            check_port(environment, host, port, emulator)


@pytest.mark.parametrize(
    ("environment", "accounts", "wanted", "chosen"),
    [
        ("paper", ("DU1",), None, "DU1"),
        ("paper", ("DF9", "DU1"), "DU1", "DU1"),
        ("paper", ("DU1", "DU2"), None, None),
        ("paper", ("U1",), None, None),
        ("paper", ("DU1",), "DU2", None),
        ("live", ("U1",), None, "U1"),
        ("live", ("DU1",), "DU1", None),
        ("live", ("F1",), None, None),
        ("live", (), None, None),
    ],
)
def test_account_must_be_the_environment_s(
    environment: str, accounts: tuple[str, ...], wanted: str | None, chosen: str | None
) -> None:
    if chosen is not None:
        assert chosen_account(environment, accounts, wanted) == chosen
    else:
        with pytest.raises(Fatal) as refused:
            chosen_account(environment, accounts, wanted)
        assert "\n" not in str(refused.value)


def test_wrong_port_is_fatal_before_anything_is_connected() -> None:
    with pytest.raises(Fatal, match="port 7496 is not a paper one"):
        IbkrBroker("127.0.0.1", 7496, 1, clock=VirtualClock(0))


@pytest.mark.parametrize("value", [-1, 0, float("nan"), 1.7976931348623157e308, None, "", -1.0, "x"])
def test_no_price_is_none(value: float | str | None) -> None:
    assert price(value) is None


def test_numbers_keep_their_shortest_text() -> None:
    assert price(12.35) == Decimal("12.35")
    assert str(number(2.0)) == "2"
    assert (count(float("nan")), count(-1), count(7.0)) == (0, 0, 7)


def test_contract_is_one_whatever_exchange_it_comes_back_with() -> None:
    book = ContractBook()
    ours = option_contract(INSTRUMENTS["SPX"], "20261118", Decimal(5940), Right.CALL)
    for exchange in ("CBOE", "CBOE2", "SMART", ""):
        theirs = ib_async.Contract(
            secType="OPT", conId=77, symbol="SPX", lastTradeDateOrContractMonth="20261118", strike=5940.0,
            right="C", multiplier="100", exchange=exchange, currency="USD", tradingClass="SPXW",
        )  # fmt: skip
        assert ContractBook().ours(theirs) == ours
        assert book.ours(theirs) == ours
    assert book.theirs(ours).conId == 77
    assert book.ours(ib_async.Contract(secType="CASH", conId=9, symbol="EUR")) is None
