"""Chains to the third Fridays: European and American, the morning class, the term structure, no gift."""

from __future__ import annotations

import sqlite3
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from station.brokers.paper import GeneratedTape
from station.brokers.paper.classes import RATE, exercise
from station.brokers.paper.listing import Listing
from station.brokers.paper.quotes import Quoter
from station.calendars import at_et, load_calendar
from station.domain.broker import ExecutionReport
from station.domain.instruments import INSTRUMENTS, Contract, Right, SecType, option_contract
from station.pricing import GRACE_YEARS, early_exercise, expiry_instant, term_level, year_fraction
from tests.unit.paper_harness import DAY, Action, Alone, alone, at_the_money, ticket

CALENDAR = load_calendar()
TAPE = GeneratedTape(7, DAY, CALENDAR, None)
LISTING = Listing(TAPE, CALENDAR)
QUOTER = Quoter(TAPE, CALENDAR)
SYMBOLS = ["SPX", "SPY", "QQQ", "IWM", "ES", "NQ"]


def tree(spot: float, strike: float, years: float, rate: float, carry: float, vol: float, sign: int) -> float:
    """Cox, Ross and Rubinstein: what early exercise adds, by 800 steps."""
    steps = 800
    dt = years / steps
    up = float(np.exp(vol * np.sqrt(dt)))
    share, discount = (np.exp(carry * dt) - 1 / up) / (up - 1 / up), np.exp(-rate * dt)
    price = spot * up ** (steps - 2.0 * np.arange(steps + 1))
    free = held = np.maximum(sign * (price - strike), 0.0)
    for step in range(steps - 1, -1, -1):
        price = spot * up ** (step - 2.0 * np.arange(step + 1))
        free = discount * (share * free[:-1] + (1 - share) * free[1:])
        held = discount * (share * held[:-1] + (1 - share) * held[1:])
        held = np.maximum(held, sign * (price - strike))
    return float(held[0] - free[0])


def test_the_early_exercise_premium_is_a_tree_s_within_four_cents_a_hundred_dollars() -> None:
    worst = 0.0
    for years in (10 / 365, 30 / 365, 90 / 365):
        for carry in (RATE, 0.03, 0.0):
            for vol in (0.15, 0.5):
                for strike in (92.0, 100.0, 108.0):
                    for sign in (1, -1):
                        found = early_exercise(100.0, strike, years, RATE, carry, vol, sign > 0)
                        exact = tree(100.0, strike, years, RATE, carry, vol, sign)
                        worst = max(worst, abs(float(found.value) - exact))
    assert worst < 0.04


def test_without_a_rate_or_a_yield_no_right_is_worth_anything() -> None:
    assert float(early_exercise(100.0, 110.0, 0.1, 0.0, 0.0, 0.2, call=False).value) == 0.0
    assert float(early_exercise(100.0, 90.0, 0.1, RATE, RATE, 0.2, call=True).value) == 0.0


def test_term_structure_leans_to_the_usual_and_total_variance_never_falls() -> None:
    years = np.linspace(0.001, 0.4, 200)
    for level in (0.10, 0.16, 0.30, 0.70):
        total = [term_level(level, float(t)) ** 2 * t for t in years]
        assert (np.diff(total) > 0).all()
    assert term_level(0.4, GRACE_YEARS) == 0.4
    assert 0.19 < term_level(0.4, 0.25) < 0.4
    assert 0.10 < term_level(0.10, 0.25) < 0.19


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_no_expiry_leaves_anything_beyond_the_spread_all_day(symbol: str) -> None:
    """Parity, verticals, butterflies, and no negative time value where exercise is at any time."""
    instrument = INSTRUMENTS[symbol]
    (listed,) = [row for row in LISTING.chain(instrument) if row.trading_class == instrument.option_class]
    american, carry = exercise(instrument)
    middle = QUOTER.marks(symbol).price[0]
    reach = 0.04
    strikes = [k for k in listed.strikes if abs(float(k) / middle - 1) < reach]
    k = np.array([float(strike) for strike in strikes]) * 100
    worst = 0.0
    for expiry in listed.expiries:
        panels = [
            QUOTER.panel([option_contract(instrument, expiry, strike, right) for strike in strikes])
            for right in Right
        ]
        for clock in ("09:31", "10:30", "12:45", "14:20", "15:55"):
            mark = QUOTER.marks(symbol).at(at_et(DAY, clock))
            c, p = (QUOTER.board(panel, symbol, mark) for panel in panels)
            at_ns, spot = QUOTER.marks(symbol).at_ns[mark], QUOTER.marks(symbol).price[mark] * 100
            beyond = max(year_fraction(at_ns, expiry_instant(expiry, CALENDAR)) - GRACE_YEARS, 0.0)
            low = spot * np.exp((carry - RATE) * beyond) - k * (1.0 if american else np.exp(-RATE * beyond))
            high = spot * (1.0 if american else np.exp((carry - RATE) * beyond)) - k * np.exp(-RATE * beyond)
            if american and instrument.sec_type is SecType.FUTURE:
                low, high = np.minimum(low, high), np.maximum(low, high)
            gap = (c.mid - p.mid) * 100
            worst = max(worst, float((gap - high).max()), float((low - gap).max()))
            slack = 1e-6 * spot
            assert (c.bid - p.ask <= high + slack).all()
            assert (c.ask - p.bid >= low - slack).all()
            assert (c.bid[1:] <= c.ask[:-1]).all()
            assert (p.bid[:-1] <= p.ask[1:]).all()
            assert (c.ask[:-2] + c.ask[2:] >= 2 * c.bid[1:-1]).all()
            assert (p.ask[:-2] + p.ask[2:] >= 2 * p.bid[1:-1]).all()
            if american:
                assert (c.mid * 100 >= np.maximum(spot - k, 0) - slack).all()
                assert (p.mid * 100 >= np.maximum(k - spot, 0) - slack).all()
    assert worst < 0.0005 * middle * 100 if american else worst < 1e-6 * middle * 100


def test_a_later_expiry_costs_more_up_to_the_last_listed() -> None:
    for symbol in ("SPX", "QQQ"):
        instrument = INSTRUMENTS[symbol]
        listed = LISTING.chain(instrument)[-1]
        strike = at_the_money(TAPE, symbol)
        mark = QUOTER.marks(symbol).at(at_et(DAY, "11:00"))
        for right in Right:
            contracts = [option_contract(instrument, expiry, strike, right) for expiry in listed.expiries]
            board = QUOTER.board(QUOTER.panel(contracts), symbol, mark)
            assert (np.diff(board.mid) > 0).all()


def test_spreads_widen_with_stress() -> None:
    contract = option_contract(INSTRUMENTS["SPX"], LISTING.expiries[2], at_the_money(TAPE, "SPX"), Right.CALL)
    panel = QUOTER.panel([contract])
    at_ns, spot = QUOTER.marks("SPX").at_ns[900], QUOTER.marks("SPX").price[900]
    calm, wild = (panel.touches(at_ns, spot, level).touch(0) for level in (0.16, 0.60))
    assert (wild.ask - wild.bid) / wild.mid > 1.8 * (calm.ask - calm.bid) / calm.mid


def test_fault_51_spx_is_settled_on_the_opening_of_its_third_friday_spxw_on_the_close(tmp_path: Path) -> None:
    friday, eve = date(2026, 8, 21), date(2026, 8, 20)
    before = GeneratedTape(7, eve, CALENDAR, None)
    strike = at_the_money(before, "SPX") - 100
    instrument = INSTRUMENTS["SPX"]
    evening = option_contract(instrument, "20260821", strike, Right.CALL)
    morning = Contract("SPX", SecType.OPTION, "20260821", strike, Right.CALL, "SPX", 100, "CBOE")

    async def buy(run: Alone) -> None:
        await run.exchange.place([ticket("AM", morning, Action.BUY), ticket("PM", evening, Action.BUY)])

    async def late(run: Alone) -> None:
        await run.exchange.place([ticket("TOO_LATE", morning, Action.BUY)])

    first = alone(tmp_path, [(5.0, buy)], 60.0, tape=before)
    assert len(first.of(ExecutionReport)) == 2
    tape = GeneratedTape(7, friday, CALENDAR, None)
    second = alone(tmp_path, [(60.0, late)], 6.5 * 3600 + 30, tape=tape)
    assert second.codes("TOO_LATE") == [201]
    prints = tape.ticks("SPX").price
    settled = {row[1]: Decimal(row[0]) for row in _settlements(tmp_path)}
    assert settled == {
        "SPX": Decimal(repr(float(prints[0]))) - strike, "SPXW": Decimal(repr(float(prints[-1]))) - strike
    }  # fmt: skip


def _settlements(folder: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(folder / "paper.db")
    try:
        return connection.execute(
            "SELECT price, json_extract(contract, '$.trading_class') FROM settlements ORDER BY seq"
        ).fetchall()
    finally:
        connection.close()
