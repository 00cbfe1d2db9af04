"""Chains and quotes: what is listed, legal ticks, one surface for all strikes, nothing for free."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from station.brokers.paper import GeneratedTape
from station.brokers.paper.listing import Listing, con_id, ticks_of
from station.brokers.paper.quotes import Board, Panel, Quoter
from station.calendars import at_et, load_calendar
from station.domain.clock import SECOND
from station.domain.instruments import INSTRUMENTS, Contract, Right, SecType, option_contract
from station.pricing import expiry_instant, greeks, implied_vol, price, year_fraction
from tests.unit.paper_harness import DAY, option

CALENDAR = load_calendar()
TAPE = GeneratedTape(7, DAY, CALENDAR, None)
LISTING = Listing(TAPE, CALENDAR)
QUOTER = Quoter(TAPE, CALENDAR)
TIMES = ["09:30", "09:47", "12:01", "15:20", "15:58"]


def chain(symbol: str, expiry: str, right: Right, within: float = 0.02) -> list[Contract]:
    middle = QUOTER.marks(symbol).price[0]
    strikes = [k for k in LISTING.strikes(symbol) if abs(float(k) / middle - 1) < within]
    return [option_contract(INSTRUMENTS[symbol], expiry, strike, right) for strike in strikes]


def board(contracts: list[Contract], clock: str) -> tuple[Panel, Board, float]:
    symbol = contracts[0].symbol
    mark = QUOTER.marks(symbol).at(at_et(DAY, clock))
    panel = QUOTER.panel(contracts)
    return panel, QUOTER.board(panel, symbol, mark), QUOTER.marks(symbol).price[mark]


def test_todays_expiry_and_the_next_four_sessions_are_listed() -> None:
    assert LISTING.expiries == ("20260722", "20260723", "20260724", "20260727", "20260728")


@pytest.mark.parametrize(
    ("symbol", "trading_class", "step", "multiplier"),
    [("SPX", "SPXW", 5, 100), ("SPY", "SPY", 1, 100), ("ES", "ES", 5, 50)],
)
def test_a_chain_is_as_the_exchange_lists_it(
    symbol: str, trading_class: str, step: int, multiplier: int
) -> None:
    *others, listed = LISTING.chain(INSTRUMENTS[symbol])
    assert (listed.trading_class, listed.multiplier) == (trading_class, multiplier)
    assert listed.expiries[:5] == LISTING.expiries
    assert [row.trading_class for row in others] == (["SPX"] if symbol == "SPX" else [])
    assert all(strike % step == 0 for strike in listed.strikes)
    assert {b - a for a, b in zip(listed.strikes, listed.strikes[1:], strict=False)} == {Decimal(step)}
    lived = TAPE.ticks(symbol).price
    assert listed.strikes[0] < lived.min() < lived.max() < listed.strikes[-1]


def test_an_index_without_options_has_no_chain() -> None:
    assert LISTING.chain(INSTRUMENTS["VIX"]) == ()


def test_contracts_are_found_by_what_they_are_and_numbered_for_good() -> None:
    strike = LISTING.strikes("SPX")[20]
    found = LISTING.find(option("SPX", strike, Right.CALL))
    assert found is not None
    assert found.con_id == con_id(found) > 0
    assert LISTING.find(option("SPX", strike, Right.CALL)) == LISTING.find(
        option("SPX", strike.normalize(), Right.CALL)
    )
    for wrong in (
        option("SPX", strike + 1, Right.CALL), option("SPX", strike, Right.CALL, "20260725"),
        option("SPX", strike, Right.CALL, "20260721"), Contract("XYZ", SecType.STOCK),
        Contract("SPX", SecType.OPTION, "20260722", strike, Right.CALL, "SPX", 100),
        Contract("SPX", SecType.OPTION, "20260722", strike, Right.CALL, "SPXW", 50),
    ):  # fmt: skip
        assert LISTING.find(wrong) is None, wrong.label


def test_the_future_is_the_front_month_and_rolls_eight_days_before() -> None:
    def front(day: date) -> str:
        found = Listing(GeneratedTape(7, day, CALENDAR, None), CALENDAR).underlying(INSTRUMENTS["ES"])
        assert found is not None
        return found.expiry

    assert front(DAY) == "20260918"
    assert front(date(2026, 9, 10)) == "20260918"
    assert front(date(2026, 9, 11)) == "20261218"
    assert front(date(2026, 12, 28)) == "20270319"


@pytest.mark.parametrize("clock", TIMES)
@pytest.mark.parametrize("symbol", ["SPX", "SPY", "ES"])
def test_quotes_are_legal_two_sided_around_the_model_and_at_least_a_tick_wide(symbol: str, clock: str) -> None:
    for right in Right:
        contracts = chain(symbol, LISTING.expiries[0], right)
        _, book, _ = board(contracts, clock)
        for row, contract in enumerate(contracts):
            touch, rule = book.touch(row), ticks_of(contract)
            bid, ask = Decimal(touch.bid) / 100, Decimal(touch.ask) / 100
            assert rule.is_legal(bid)
            assert rule.is_legal(ask)
            assert touch.bid / 100 <= touch.mid + 1e-6
            assert touch.ask / 100 >= touch.mid - 1e-6
            assert ask - bid >= rule.increment(bid)
            assert min(touch.bid_size, touch.ask_size) >= 1


@pytest.mark.parametrize("clock", TIMES)
@pytest.mark.parametrize("symbol", ["SPX", "SPY", "ES"])
@pytest.mark.parametrize("day", [0, 3])
def test_parity_verticals_and_butterflies_leave_nothing_beyond_the_spread(
    symbol: str, clock: str, day: int
) -> None:
    calls, puts = (chain(symbol, LISTING.expiries[day], right) for right in (Right.CALL, Right.PUT))
    _, c, spot = board(calls, clock)
    _, p, _ = board(puts, clock)
    strikes = np.array([float(contract.strike) for contract in calls]) * 100
    forward = spot * 100
    slack = 1e-6 * forward
    assert (c.bid - p.ask <= forward - strikes + slack).all(), "selling the synthetic"
    assert (c.ask - p.bid >= forward - strikes - slack).all(), "buying it"
    assert (c.bid[1:] <= c.ask[:-1]).all(), "a higher call never pays for a lower one"
    assert (p.bid[:-1] <= p.ask[1:]).all()
    assert (c.ask[:-2] + c.ask[2:] >= 2 * c.bid[1:-1]).all(), "no butterfly for free"
    assert (p.ask[:-2] + p.ask[2:] >= 2 * p.bid[1:-1]).all()


def test_a_later_expiry_costs_more() -> None:
    for right in Right:
        near, far = (board(chain("SPX", expiry, right), "11:00")[1] for expiry in LISTING.expiries[:2])
        assert (far.mid >= near.mid).all()


def test_greeks_belong_to_the_quote_and_the_smile_is_steeper_for_puts() -> None:
    contracts = chain("SPX", LISTING.expiries[0], Right.PUT, 0.01)
    _, book, spot = board(contracts, "11:00")
    mark_ns = QUOTER.marks("SPX").at_ns[QUOTER.marks("SPX").at(at_et(DAY, "11:00"))]
    strikes = np.array([float(contract.strike) for contract in contracts])
    years = year_fraction(mark_ns, expiry_instant("20260722", CALENDAR))
    assert np.allclose(book.mid, price(spot, strikes, years, book.iv, False))
    assert np.allclose(implied_vol(book.mid, spot, strikes, years, False), book.iv, rtol=1e-6)
    for mine, theirs in zip(book.slopes, greeks(spot, strikes, years, book.iv, False), strict=True):
        assert np.allclose(mine, theirs)
    low, high = book.iv[np.searchsorted(strikes, [spot * 0.993, spot * 1.007])]
    assert low > high


def test_spreads_widen_away_from_the_money_and_into_the_close() -> None:
    contracts = chain("SPX", LISTING.expiries[1], Right.CALL, 0.05)
    _, book, spot = board(contracts, "11:00")
    strikes = np.array([float(contract.strike) for contract in contracts])
    spread = (book.ask - book.bid) / 100
    deep, middle = np.searchsorted(strikes, [spot * 0.96, spot * 1.0])
    assert spread[deep] > spread[middle]
    _, late, _ = board(contracts, "15:58")
    assert (
        late.touch(int(deep)).ask - late.touch(int(deep)).bid
        > book.touch(int(deep)).ask - book.touch(int(deep)).bid
    )


def test_a_worthless_option_has_no_bid() -> None:
    contracts = [option("SPX", LISTING.strikes("SPX")[-1], Right.CALL)]
    _, book, _ = board(contracts, "15:50")
    assert (book.bid[0], book.ask[0]) == (0, 5)


def test_a_quote_does_not_depend_on_what_else_is_watched() -> None:
    contracts = chain("SPX", LISTING.expiries[0], Right.CALL)
    mark = QUOTER.marks("SPX").at(at_et(DAY, "13:13"))
    together = QUOTER.board(QUOTER.panel(contracts), "SPX", mark)
    for row, contract in enumerate(contracts):
        alone = QUOTER.board(QUOTER.panel([contract]), "SPX", mark)
        assert alone.touch(0)[:4] == together.touch(row)[:4]


def test_the_book_is_renewed_at_least_each_four_seconds() -> None:
    for symbol in ("SPX", "SPY", "ES"):
        marks = QUOTER.marks(symbol)
        gaps = np.diff(np.array(marks.at_ns))
        assert gaps.max() <= 4 * SECOND
        assert gaps.min() >= SECOND
        assert (marks.at_ns[0], len(marks.at_ns) < 12_000) == (TAPE.open_ns, True)


def test_nothing_is_quoted_before_the_open() -> None:
    contract = option("SPX", LISTING.strikes("SPX")[60], Right.CALL)
    assert QUOTER.touches((contract,), TAPE.open_ns - 1) == {}
    assert contract in QUOTER.touches((contract,), TAPE.open_ns)
