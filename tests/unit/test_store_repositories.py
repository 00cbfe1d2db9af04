"""What is committed is what is read back: lifecycle, wealth, configuration, archive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from station.clock import VirtualClock
from station.domain.clock import DAY, SECOND
from station.domain.errors import BadInput, Refused
from station.domain.events import Recorded, SignalAccepted
from station.domain.orders import order_ref
from station.domain.ports import Changes, DiaryRow, OrderFailure, WealthState
from station.domain.signals import Decision, SignalState
from station.domain.trade import TradeState
from station.store import PositionSnapshot, Stores, TradeFilter
from station.store.archive import BACKLOG_ROWS, BATCH_ROWS
from tests.unit.store_books import ACCOUNT, OPEN_NS, PLAN, START, Hand, a_signal, opened, spx


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    found = await opened(tmp_path / "runtime")
    yield found
    await found.close()


# --- lifecycle ---------------------------------------------------------------------------------------


async def test_what_was_committed_is_loaded_to_the_last_field(stores: Stores) -> None:
    hand = Hand(stores)
    trade_id = await hand.enter(2, spx(5940))
    entry = order_ref(ACCOUNT, trade_id, "E", 1)
    fills = (await hand.fill(entry, 1, "3.10"), await hand.fill(entry, 1, "3.05"))
    await hand.sell(trade_id, 1, 2, "3.80", group="G")
    snapshot = await stores.lifecycle.load(0)
    assert snapshot.trades == (hand.trades[trade_id],)
    assert {order.ref: order for order in snapshot.orders} == hand.orders
    assert snapshot.executions == fills
    assert snapshot.signals[0].state is SignalState.EXECUTING
    assert snapshot.signals[0].warnings == ("thin", "late")
    assert snapshot.scanner_marks == {"SPX_V3_CALL": OPEN_NS}
    assert snapshot.last_ns == hand.now


async def test_what_a_start_loads_does_not_grow_with_the_sessions_before_it(stores: Stores) -> None:
    """Of signals that nobody took a start reads none whose time is over."""
    for day in range(3):
        at = OPEN_NS + day * DAY
        old = tuple(a_signal(f"S{day}{n}", at) for n in range(9))
        await stores.lifecycle.commit(Changes(signals=old))
        loaded = await stores.lifecycle.load(at + DAY // 2)
        assert (loaded.signals, loaded.trades, loaded.orders, loaded.executions) == ((), (), (), ())
        assert await stores.lifecycle.newest_ns() == at


async def test_signals_that_led_to_nothing_expire_with_their_time(stores: Stores) -> None:
    """Also those that a newer one of their scanner has followed, or that a crash has left."""
    old, young = a_signal("S1", OPEN_NS), a_signal("S2", OPEN_NS + SECOND)
    taken = replace(a_signal("S3", OPEN_NS), state=SignalState.EXECUTED, trade_id="T1")
    await stores.lifecycle.commit(Changes(signals=(old, young, taken)))
    assert await stores.lifecycle.expire_signals(old.valid_until_ns - 1) == 0
    assert await stores.lifecycle.expire_signals(old.valid_until_ns) == 1
    after = {signal.id: signal.state for signal in await stores.lifecycle.signals()}
    expected = {"S1": SignalState.EXPIRED, "S2": SignalState.GENERATED, "S3": SignalState.EXECUTED}
    assert after == expected


async def test_a_load_leaves_out_what_ended_before_its_instant(stores: Stores) -> None:
    hand = Hand(stores)
    failed = await hand.enter(1, spx(5940))
    await hand.cancelled(order_ref(ACCOUNT, failed, "E", 1))
    alive = await hand.enter(1, spx(5950))
    recent = await stores.lifecycle.load(hand.now + 1)
    assert [trade.id for trade in recent.trades] == [alive]
    assert [order.ref for order in recent.orders] == [order_ref(ACCOUNT, alive, "E", 1)]
    assert [trade.id for trade in (await stores.lifecycle.load(0)).trades] == [failed, alive]


async def test_an_open_trade_is_loaded_with_its_ended_orders_and_all_its_fills(stores: Stores) -> None:
    hand = Hand(stores)
    trade_id = await hand.enter(1, spx(5940))
    entry = order_ref(ACCOUNT, trade_id, "E", 1)
    fill = await hand.fill(entry, 1, "3.10")
    snapshot = await stores.lifecycle.load(hand.now + 10**15)
    assert [order.ref for order in snapshot.orders] == [entry]
    assert snapshot.executions == (fill,)


async def test_a_fee_once_known_stays_known(stores: Stores) -> None:
    hand = Hand(stores)
    trade_id = await hand.enter(1, spx(5940))
    fill = await hand.fill(order_ref(ACCOUNT, trade_id, "E", 1), 1, "3.10")
    await stores.lifecycle.commit(Changes(executions=(replace(fill, commission=None),)))
    assert (await stores.lifecycle.fills(trade_id))[0].commission == Decimal("1.30")


async def test_switches_and_marks_are_overwritten_and_registries_grow(stores: Stores) -> None:
    for state in ("OPEN", "CLOSED"):
        await stores.lifecycle.commit(
            Changes(
                controls={"gate": f'"{state}"'},
                scanner_marks={"ES_CALL_V3": len(state)},
                failures=(OrderFailure("ref", 201, "margin", "too large", OPEN_NS),),
                cancels=(("ref", "manual", OPEN_NS),),
            )
        )
    snapshot = await stores.lifecycle.load(0)
    assert snapshot.controls == {"gate": '"CLOSED"'}
    assert snapshot.scanner_marks == {"ES_CALL_V3": 6}
    assert await stores.lifecycle.failures() == (("ref", 201, "margin", "too large", OPEN_NS),) * 2
    assert await stores.lifecycle.cancels() == (("ref", "manual", OPEN_NS),) * 2


async def test_a_nan_is_refused_before_anything_is_written(stores: Stores) -> None:
    event = SignalAccepted(("S",), ("S1",), "k", OPEN_NS, float("nan"))
    with pytest.raises(BadInput, match="SignalAccepted holds a NaN"):
        await stores.lifecycle.commit(Changes(events=(Recorded(event, OPEN_NS, "T1"),)))
    signal = a_signal("S1", OPEN_NS)
    bad = replace(signal, firing=replace(signal.firing, price=float("inf")))
    with pytest.raises(BadInput, match=r"signals\.price cannot be inf"):
        await stores.lifecycle.commit(Changes(signals=(bad,)))
    assert await stores.lifecycle.events() == ()


async def test_an_empty_commit_writes_nothing(stores: Stores) -> None:
    await stores.lifecycle.commit(Changes())
    assert await stores.lifecycle.events() == ()


async def test_the_journal_asks_by_trade_time_and_kind(stores: Stores) -> None:
    hand = Hand(stores)
    failed = await hand.enter(1, spx(5940))
    await hand.cancelled(order_ref(ACCOUNT, failed, "E", 1))
    alive = await hand.enter(1, spx(5950))
    lifecycle = stores.lifecycle
    assert [t.id for t in await lifecycle.trades()] == [failed, alive]
    assert [t.id for t in await lifecycle.trades(TradeFilter(states=("FAILED",), symbol="SPX"))] == [failed]
    assert [t.id for t in await lifecycle.trades(TradeFilter(limit=1))] == [alive]
    opened_ns = hand.trades[alive].opened_ns
    assert [t.id for t in await lifecycle.trades(TradeFilter(since_ns=opened_ns))] == [alive]
    assert [t.id for t in await lifecycle.trades(TradeFilter(until_ns=opened_ns))] == [failed]
    assert (await lifecycle.trade(failed)) == hand.trades[failed]
    assert await lifecycle.trade("T9") is None
    story = await lifecycle.events(failed)
    assert [logged.recorded.event.type for logged in story][:2] == ["trade.signal", "trade.strategy_passed"]
    assert story[-1].recorded.event.type == "trade.failed"
    later = await lifecycle.events(after_seq=story[-1].seq)
    assert later[0].seq == story[-1].seq + 1
    assert await lifecycle.decisions(failed) == (
        Decision(failed, "veera", "pass", "all enabled rules hold", hand.trades[failed].opened_ns - SECOND),
    )
    assert len(await lifecycle.decisions(alive)) == 1
    assert [s.trade_id for s in await lifecycle.signals()] == [failed, alive]
    assert [s.trade_id for s in await lifecycle.signals(trade_id=alive)] == [alive]
    assert [o.trade_id for o in await lifecycle.orders(alive)] == [alive]
    assert hand.trades[failed].state is TradeState.FAILED


# --- wealth ------------------------------------------------------------------------------------------


def diary(trade_id: str, net: str, capital: str, week: int = 1) -> DiaryRow:
    return DiaryRow(
        trade_id, OPEN_NS, "SPX", "SPXW 20261118 5940C", Decimal(1), Decimal("3.10"), Decimal("3.80"),
        Decimal(net), "target", 60, 0.31, Decimal(capital), week, "trade_start",
    )  # fmt: skip


def standing(capital: str, week: int = 1) -> WealthState:
    return WealthState(PLAN, Decimal(capital), week, "trade_start", Decimal(capital) - START)


async def test_a_plan_begins_once_and_ends_where_its_results_took_it(stores: Stores) -> None:
    wealth = stores.wealth
    assert await wealth.state(PLAN) is None
    await wealth.begin(standing("35000"))
    await wealth.begin(standing("99999"))
    assert await wealth.state(PLAN) == standing("35000")
    await wealth.record(standing("35070"), diary("T1", "70", "35070"))
    await wealth.record(standing("35050"), diary("T2", "-20", "35050"))
    assert await wealth.state(PLAN) == standing("35050")
    assert [row.trade_id for row in await wealth.diary(PLAN)] == ["T1", "T2"]
    (week,) = await wealth.weeks(PLAN)
    assert (week.trades, week.wins, week.net_pnl) == (2, 1, Decimal(50))
    assert (week.start_capital, week.end_capital) == (START, Decimal(35050))


async def test_recording_a_trade_again_replaces_its_row(stores: Stores) -> None:
    wealth = stores.wealth
    for _ in range(2):
        await wealth.record(standing("35070"), diary("T1", "70", "35070"))
    await wealth.record(standing("35068.70"), diary("T1", "68.70", "35068.70", week=2))
    assert await wealth.diary() == (diary("T1", "68.70", "35068.70", week=2),)
    assert await wealth.diary_row("T1") == diary("T1", "68.70", "35068.70", week=2)
    assert await wealth.diary_row("T9") is None
    assert [(week.week, week.net_pnl) for week in await wealth.weeks(PLAN)] == [(2, Decimal("68.70"))]


# --- configuration -----------------------------------------------------------------------------------

SHIPPED = (("scanner", "SPX_V3_CALL", '{"fast":9}'), ("scanner", "SPX_ADX_5M", '{"level":25}'))


async def test_untouched_rows_follow_new_defaults_and_edited_ones_stay(stores: Stores) -> None:
    config = stores.config
    await config.seed(SHIPPED)
    edited = await config.edit("scanner", "SPX_V3_CALL", '{"fast":8}', version=1, by="trader")
    changed = await config.seed(
        [("scanner", "SPX_V3_CALL", '{"fast":12}'), ("scanner", "SPX_ADX_5M", '{"level":20}')]
    )
    assert [(row.key, row.version, row.origin) for row in changed] == [("SPX_ADX_5M", 2, "shipped")]
    assert await config.row("scanner", "SPX_V3_CALL") == edited
    assert (edited.version, edited.origin, edited.changed_by) == (2, "edited", "trader")
    back = await config.revert("scanner", "SPX_V3_CALL", version=2, by="trader")
    assert (back.body, back.version, back.origin) == ('{"fast":12}', 3, "shipped")
    assert [row.body for row in await config.history("scanner", "SPX_V3_CALL")] == [
        '{"fast":9}', '{"fast":8}', '{"fast":12}',
    ]  # fmt: skip


async def test_seeding_the_same_again_changes_nothing(stores: Stores) -> None:
    await stores.config.seed(SHIPPED)
    assert await stores.config.seed(SHIPPED) == ()
    assert [row.key for row in await stores.config.rows("scanner")] == ["SPX_V3_CALL", "SPX_ADX_5M"]


async def test_a_default_no_longer_shipped_is_retired_unless_it_was_edited(stores: Stores) -> None:
    config = stores.config
    await config.seed(SHIPPED)
    await config.edit("scanner", "MY_OWN", '{"fast":5}', version=0, by="trader")
    (retired,) = await config.seed(SHIPPED[:1])
    assert (retired.key, retired.origin) == ("SPX_ADX_5M", "retired")
    assert [row.key for row in await config.rows()] == ["SPX_V3_CALL", "MY_OWN"]
    (again,) = await config.seed(SHIPPED)
    assert (again.key, again.version) == ("SPX_ADX_5M", 3)


async def test_an_edit_of_an_older_version_is_refused(stores: Stores) -> None:
    config = stores.config
    await config.seed(SHIPPED)
    await config.edit("scanner", "SPX_ADX_5M", '{"level":30}', version=1, by="one")
    with pytest.raises(Refused, match="is at version 2, the edit was made on 1") as refusal:
        await config.edit("scanner", "SPX_ADX_5M", '{"level":35}', version=1, by="two")
    assert refusal.value.code == "CONFIG_STALE"
    row = await config.row("scanner", "SPX_ADX_5M")
    assert row is not None
    assert row.body == '{"level":30}'


async def test_an_edit_to_the_same_body_is_no_new_version(stores: Stores) -> None:
    await stores.config.seed(SHIPPED)
    row = await stores.config.edit("scanner", "SPX_ADX_5M", '{"level":25}', version=1, by="x")
    assert (row.version, row.origin) == (1, "shipped")


async def test_what_was_never_shipped_cannot_be_reverted(stores: Stores) -> None:
    await stores.config.edit("strategy", "mine", "{}", version=0, by="trader")
    with pytest.raises(Refused, match="no shipped default"):
        await stores.config.revert("strategy", "mine", version=1, by="trader")


# --- archive -----------------------------------------------------------------------------------------


def held(at_ns: int) -> PositionSnapshot:
    return PositionSnapshot(at_ns, "T1", spx(5940), Decimal(2), bid=Decimal("3.10"), delta=0.3)


async def test_bulk_waits_until_it_is_flushed(stores: Stores) -> None:
    archive = stores.archive
    archive.snapshot(held(OPEN_NS), held(OPEN_NS + 1))
    assert await archive.read_snapshots("T1") == ()
    assert await archive.flush() == 2
    assert await archive.read_snapshots("T1") == (held(OPEN_NS), held(OPEN_NS + 1))
    archive.snapshot(replace(held(OPEN_NS), bid=Decimal("3.20")))
    await archive.flush()
    (newest, _) = await archive.read_snapshots("T1")
    assert (newest.qty, newest.bid, newest.ask, newest.contract) == (2, Decimal("3.20"), None, spx(5940))


async def test_a_full_backlog_drops_the_oldest_and_counts_them(stores: Stores) -> None:
    stores.archive.snapshot(*(held(n) for n in range(BACKLOG_ROWS + 3)))
    assert (stores.archive.waiting, stores.archive.dropped) == (BACKLOG_ROWS, 3)
    assert await stores.archive.flush() == BACKLOG_ROWS
    assert await stores.archive.prune(BACKLOG_ROWS) == BACKLOG_ROWS - 3
    assert BATCH_ROWS < BACKLOG_ROWS


async def test_closing_flushes_what_waits(tmp_path: Path) -> None:
    stores = await opened(tmp_path / "other", VirtualClock(OPEN_NS))
    stores.archive.snapshot(held(OPEN_NS))
    await stores.close()
    again = await opened(tmp_path / "other")
    assert await again.archive.read_snapshots("T1") == (held(OPEN_NS),)
    await again.close()
