"""Bad market data, and the half day, through the whole station: rows 39, 40, 41, 45 and 47."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from station.brokers.paper.faults import Fault
from station.calendars import at_et
from station.domain.clock import MINUTE, SECOND
from station.domain.instruments import INSTRUMENTS, Timeframe
from station.domain.market import FeedMode
from station.domain.orders import OrderKind, OrderState
from station.domain.trade import Trade, TradeState
from tests.faults.station_stage import Stage, ends_of
from tests.lab import DAY, assert_sound, paper_rows, play

HALF_DAY = date(2026, 11, 27)
"""The day after Thanksgiving closes at 13:00."""


def _spy(name: str, at: str, seconds: float) -> Fault:
    return Fault(name, at_et(DAY, at), seconds=seconds, symbol="SPY")


async def _refused(runtime: Path, fault: Fault) -> Trade:
    """The trade that seed 3 would have entered at 09:40; nothing may have reached the exchange."""
    async with Stage(runtime, faults=[fault]) as lab:
        await lab.until("09:42")
        (trade,) = lab.trades()
        assert trade.state is TradeState.FAILED
        assert paper_rows(runtime, "SELECT * FROM orders") == []
        assert (trade.contract, trade.selected_bid) == (None, Decimal(0)), "no price was made up"
        return trade


@pytest.mark.parametrize(
    ("name", "code"), [("stale_quotes", "QUOTE_STALE"), ("zero_bid", "NO_QUOTE"), ("crossed", "CROSSED")]
)
def test_fault_39_40_41_no_entry_on_a_quote_that_is_none(tmp_path: Path, name: str, code: str) -> None:
    """Rows 39, 40 and 41 for entries: stopped updating, no bid, crossed."""
    trade = play(lambda: _refused(tmp_path, _spy(name, "09:39:50", 60)))
    assert trade.cause == code
    assert_sound(tmp_path)


def test_fault_39_held_position_rests_on_its_sell_while_quotes_are_stale_and_alerts_once(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        async with Stage(tmp_path, faults=[_spy("stale_quotes", "09:41", 90)]) as lab:
            await lab.until("09:42:25")
            trade = lab.first()
            (sell,) = lab.exits(trade)
            assert sell.state is OrderState.SUBMITTED
            assert sell.ticket.kind is OrderKind.LIMIT
            assert lab.at_exchange(sell.ref) == ("SUBMITTED", trade.qty, 0)
            told = [text for text in lab.events("alert") if "is older than 15 s" in text]
            assert len(told) == 1
            await lab.until("09:43")
            assert lab.rooms.market.quote(sell.ticket.contract) is not None
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=900)

    play(work)
    assert ends_of(tmp_path)[0] == ("WEALTH_UPDATED", "target")
    assert_sound(tmp_path)


def test_fault_40_no_mid_is_computed_and_a_lasting_absence_takes_the_position_out(tmp_path: Path) -> None:
    """Eight checks of 5 s without a bid (rule 6); the sell goes to market, and fills when a bid is back."""

    async def work() -> None:
        async with Stage(tmp_path, faults=[_spy("zero_bid", "09:41", 60)]) as lab:
            await lab.until("09:41:30")
            trade = lab.first()
            assert trade.contract is not None
            quote = lab.rooms.market.quote(trade.contract)
            assert quote is not None
            assert (quote.bid, quote.mid) == (None, None)
            assert quote.ask is not None
            assert lab.rooms.money.mark_of(trade) is None
            (sell,) = lab.exits(trade)
            assert sell.ticket.kind is OrderKind.LIMIT
            await lab.until("09:41:50")
            (sell,) = lab.exits(lab.first())
            assert sell.ticket.kind is OrderKind.MARKET
            assert lab.position(trade) == trade.qty
            assert lab.alerts().count("price-feed emergency") == 1
            await lab.until("09:42:30")
            assert lab.position(trade) == 0

    play(work)
    assert ends_of(tmp_path)[0] == ("WEALTH_UPDATED", "emergency")
    (bought, sold) = paper_rows(tmp_path, "SELECT order_ref, qty FROM executions ORDER BY seq")
    assert bought[1] == sold[1]
    assert_sound(tmp_path)


def test_fault_41_crossed_market_moves_no_exit_until_it_is_sane(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path, faults=[_spy("crossed", "09:41", 120)]) as lab:
            await lab.until("09:42:59")
            trade = lab.first()
            (sell,) = lab.exits(trade)
            assert trade.contract is not None
            quote = lab.rooms.market.quote(trade.contract)
            assert quote is not None
            assert quote.crossed
            assert quote.mid is None
            sql = f"SELECT what FROM order_events WHERE order_ref = '{sell.ref}' ORDER BY seq"
            assert [row[0] for row in paper_rows(tmp_path, sql)] == ["received", "acknowledged"]
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=900)

    play(work)
    assert ends_of(tmp_path)[0] == ("WEALTH_UPDATED", "target")
    assert_sound(tmp_path)


def test_fault_45_bar_gap_is_backfilled_before_anything_fires(tmp_path: Path) -> None:
    """A minute and a half without a link: the bars it cut become the broker's own, and the entry that follows
    is the one of an undisturbed session."""

    async def work() -> None:
        outage = Fault("disconnect", at_et(DAY, "09:34"), seconds=90)
        async with Stage(tmp_path, faults=[outage]) as lab:
            await lab.until("09:35:10")
            market = lab.rooms.market
            assert not market.series("SPY", Timeframe.M5).ready
            assert market.health("SPY").mode is FeedMode.STALE
            await lab.until("09:40:00")
            series = market.series("SPY", Timeframe.M5)
            assert series.ready
            truth = await lab.run.exchange.history(INSTRUMENTS["SPY"], Timeframe.M5, lab.at("09:40"), 40)
            mine = series.bars.to_bars()[-40:]
            assert [bar.start_ns for bar in mine] == [bar.start_ns for bar in truth]
            assert mine[-1].start_ns == lab.at("09:40") - 5 * MINUTE
            np.testing.assert_array_equal([bar.close for bar in mine], [bar.close for bar in truth])
            np.testing.assert_array_equal([bar.volume for bar in mine], [bar.volume for bar in truth])
            contract = lab.first().contract
            assert contract is not None
            assert "SPY 20261118 686P" in str(contract.label)

    play(work)
    assert_sound(tmp_path)


def test_fault_45_bar_cut_by_an_outage_at_its_close_never_fires_late(tmp_path: Path) -> None:
    """The link comes back after the bar's close: history completes it, and a revision fires nothing."""

    async def work() -> None:
        outage = Fault("disconnect", at_et(DAY, "09:39:30"), seconds=45)
        async with Stage(tmp_path, faults=[outage]) as lab:
            await lab.until("09:40:10")
            assert not lab.rooms.market.series("SPY", Timeframe.M5).ready
            await lab.until("09:44:50")
            assert lab.rooms.market.series("SPY", Timeframe.M5).ready
            assert lab.rooms.market.health("SPY").mode is FeedMode.LIVE
            assert lab.trades() == []
            await lab.until("09:46")
            assert [trade.symbol for trade in lab.entered()] == ["SPX"], "the next bar fires as ever"

    play(work)
    assert_sound(tmp_path)


def test_fault_47_half_day_is_flat_by_its_own_close(tmp_path: Path) -> None:
    """13:00 is the close: market sells at 12:55, flat within a minute, and no entry after 12:30."""

    async def work() -> None:
        held = {"target_pct": 900, "shield": "none"}
        async with Stage(tmp_path, seed=4, day=HALF_DAY, start="12:12", strategy=held) as lab:
            close_ns = lab.run.engine.session.close_ns
            assert close_ns == lab.at("13:00")
            assert lab.run.engine.session.early
            await lab.until("12:54:59")
            trades = [trade for trade in lab.trades() if trade.open_qty > 0]
            assert {trade.symbol for trade in trades} == {"SPX", "SPY"}
            assert all(lab.position(trade) == trade.open_qty for trade in trades)
            assert all(trade.opened_ns < lab.at("12:30") for trade in lab.entered())
            await lab.until("12:56")
            assert [lab.position(trade) for trade in trades] == [0, 0]
            for (sold_ns,) in paper_rows(tmp_path, "SELECT at_ns FROM executions WHERE action = 'SELL'"):
                assert lab.at("12:55") <= sold_ns <= lab.at("12:55") + 60 * SECOND
            await lab.until("13:01")
            assert not lab.rooms.ledger.live()

    play(work)
    assert ends_of(tmp_path) == [("WEALTH_UPDATED", "end of day")] * 2
    assert_sound(tmp_path)
