"""What is to leave and cannot yet, whoever asks it: a restart forgets nothing, and nothing is sold twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest

from station.brokers.paper.faults import Fault
from station.calendars import at_et
from station.domain.broker import Capabilities
from station.domain.clock import MILLISECOND
from station.domain.orders import OrderKind, OrderState
from station.domain.trade import Cause, Trade
from station.link import ClosePart, CloseTrade, Flatten
from station.protection import ProtectionSettings
from tests.crash import SCENES, trial
from tests.faults.station_stage import FIRST_ENTRY, Stage, held
from tests.faults.test_station_manual import Hand
from tests.lab import DAY, assert_sound, paper_rows, play
from tests.unit.test_desk_exits import against

IN_FLIGHT = at_et(DAY, "09:36:01") + 190 * MILLISECOND
"""A hand that buys at 09:36 has its exits on the wire then."""
TARGET_IN_FLIGHT = at_et(DAY, FIRST_ENTRY) + 150 * MILLISECOND
PLAIN = Capabilities(modify_in_place=False, depth=True, what_if=True)
SOLD = "SELECT SUM(CAST(filled AS REAL)) FROM orders WHERE action = 'SELL'"


def dropped(at_ns: int) -> Fault:
    """The link goes while the first exit is on its way, so that the broker's word on it is lost."""
    return Fault("disconnect", at_ns, seconds=300)


def in_doubt(lab: Stage) -> Trade:
    """The trade whose only exit is UNKNOWN."""
    trade = lab.first()
    assert [leg.state for leg in lab.exits(trade)] == [OrderState.UNKNOWN]
    return trade


def assert_left(root: Path, trade: Trade, cause: Cause) -> None:
    """The next station takes all of it out, for this cause."""

    async def then() -> None:
        async with Stage(root) as lab:
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=30)
            assert lab.trade(trade.id).cause == cause.value

    play(then)
    assert held(root, trade.id) == 0
    assert_sound(root)


async def held_in_doubt(lab: Hand) -> Trade:
    await lab.until("09:36")
    assert (await lab.placed("t1", stop_pct="")).ok
    await lab.step(5)
    return in_doubt(lab)


# --- a hand ----------------------------------------------------------------------------------------------


async def closes(lab: Hand, trade: Trade) -> None:
    assert (await lab.ordered(CloseTrade(trade.id, "test"))).ok


async def flattens(lab: Hand, trade: Trade) -> None:
    assert (await lab.ordered(Flatten("test"))).text == "flattening 1 positions, gate CLOSED"


async def closes_twice(lab: Hand, trade: Trade) -> None:
    await closes(lab, trade)
    await closes(lab, trade)


@pytest.mark.parametrize("ask", [closes, flattens, closes_twice])
def test_fault_53_a_close_that_waits_for_the_brokers_word_outlives_a_restart(
    tmp_path: Path, ask: Callable[[Hand, Trade], Awaitable[None]]
) -> None:
    async def first() -> Trade:
        async with Hand(tmp_path, faults=[dropped(IN_FLIGHT)]) as lab:
            trade = await held_in_doubt(lab)
            await ask(lab, trade)
            await lab.step(5)
            assert in_doubt(lab).open_qty == 3, "nothing is sold beside an exit that nobody knows of"
            return trade

    async def then() -> None:
        async with Hand(tmp_path, start=None) as lab:
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=30)
            assert lab.trade(trade.id).cause == Cause.MANUAL.value
            said = await lab.ordered(CloseTrade(trade.id, "test"))
            assert (said.ok, "holds no position" in said.text) == (False, True)

    trade = play(first)
    play(then)
    assert (held(tmp_path, trade.id), paper_rows(tmp_path, SOLD)) == (0, [(3,)])
    assert_sound(tmp_path)


def test_a_close_that_waits_is_written_once_and_shown(tmp_path: Path) -> None:
    async def work() -> None:
        async with Hand(tmp_path, faults=[dropped(IN_FLIGHT)]) as lab:
            trade = await held_in_doubt(lab)
            await closes_twice(lab, trade)
            assert lab.events("trade.close_asked") == [
                '{"by":"test","cause":"manual","reason":"closed by test"}'
            ]
            assert [row.leaving for row in lab.floor().positions.rows] == ["closing"]

    play(work)
    assert_sound(tmp_path)


def test_fault_53_a_part_that_waits_for_the_brokers_word_outlives_a_restart(tmp_path: Path) -> None:
    async def first() -> Trade:
        async with Hand(tmp_path, faults=[dropped(IN_FLIGHT)]) as lab:
            trade = await held_in_doubt(lab)
            assert (await lab.ordered(ClosePart(trade.id, "2", "p1", "test"))).ok
            await lab.step(5)
            assert in_doubt(lab).leaving == 2
            return trade

    async def then() -> None:
        async with Hand(tmp_path, start=None) as lab:
            await lab.until_true(lambda: lab.trade(trade.id).open_qty == 1, limit_s=30)
            await lab.step(30)
            assert (lab.trade(trade.id).leaving, held(tmp_path, trade.id)) == (0, 1)
            (target,) = lab.exits(trade)
            assert (target.state, target.remaining) == (OrderState.SUBMITTED, 1)

    trade = play(first)
    play(then)
    assert paper_rows(tmp_path, SOLD) == [(2,)]


@pytest.mark.parametrize("name", ["", "drop_cancel"])
def test_fault_53_a_close_that_waits_for_its_stops_cancel_outlives_a_restart(tmp_path: Path, name: str) -> None:
    faults = [Fault(name, at_et(DAY, "09:36:30"))] if name else []

    async def first() -> Trade:
        async with Hand(tmp_path, faults=faults) as lab:
            trade = await lab.until_protected()
            await lab.until("09:36:31")
            assert await lab.obeys(CloseTrade(trade.id, "test"))
            await lab.step(0)
            assert {leg.cancel_cause for leg in lab.exits(trade)} == {"", "manual"}
            return trade

    async def then() -> None:
        async with Hand(tmp_path, start=None) as lab:
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=30)
            assert lab.trade(trade.id).cause == Cause.MANUAL.value

    trade = play(first)
    play(then)
    assert (held(tmp_path, trade.id), paper_rows(tmp_path, SOLD)) == (0, [(3,)])
    assert_sound(tmp_path)


def test_fault_53_a_close_that_waits_for_an_exit_to_be_replaced_outlives_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing changes in place here: the station ends between the target's cancel and the sell that follows."""

    async def first() -> Trade:
        async with Stage(tmp_path, start="09:38:30") as lab:
            monkeypatch.setattr(type(lab.run.exchange), "capabilities", PLAIN)
            trade = await lab.until_holding()
            await lab.step(1)
            assert await lab.obeys(CloseTrade(trade.id, "test"))
            await lab.step(0)
            assert [order.cancel_cause for order in lab.exits(trade)] == ["replace"]
            assert len(lab.rooms.ledger.book.of_trade(trade.id)) == 2, "no sell at market yet"
            return trade

    assert_left(tmp_path, play(first), Cause.MANUAL)


@pytest.mark.parametrize("point", ["commit.after:trade.close_asked", "commit.before:trade.close_asked"])
def test_fault_53_kill_9_around_a_close_of_a_hand(tmp_path: Path, point: str) -> None:
    assert trial(tmp_path, f"{point}#1", until=SCENES["manual"].until, scene=SCENES["manual"]) == []


# --- a strategy, a rule ----------------------------------------------------------------------------------


def test_fault_53_an_opposite_signal_that_nothing_can_follow_yet_outlives_a_restart(tmp_path: Path) -> None:
    async def first() -> Trade:
        turning = {"opposite_exit": True}
        async with Stage(
            tmp_path, start="09:38:30", strategy=turning, faults=[dropped(TARGET_IN_FLIGHT)]
        ) as lab:
            await lab.until("09:41")
            trade = in_doubt(lab)
            lab.rooms.pool.publish(against(lab, trade, "SPY_10MIN_MACD_UP"))
            await lab.step(3)
            assert in_doubt(lab).open_qty > 0
            return trade

    assert_left(tmp_path, play(first), Cause.STRATEGY)


def test_fault_53_a_shield_that_goes_off_before_the_target_is_acknowledged_outlives_a_restart(
    tmp_path: Path,
) -> None:
    async def first() -> Trade:
        lost = Fault("drop_ack", at_et(DAY, FIRST_ENTRY) + 110 * MILLISECOND)
        shielded = {"shield": "rapid_shield"}
        async with Stage(tmp_path, start="09:38:30", strategy=shielded, faults=[lost]) as lab:
            trade = await lab.until_holding()
            lab.rooms.protection.configure(ProtectionSettings(rapid_shield_pct=Decimal("0.1")))
            await lab.step(1)
            (sell,) = lab.exits(trade)
            assert (sell.state, sell.ticket.kind) == (OrderState.PENDING, OrderKind.LIMIT)
            return trade

    assert_left(tmp_path, play(first), Cause.SHIELD)
