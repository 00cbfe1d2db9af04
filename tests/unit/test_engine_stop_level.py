"""Where a position's stop is said to be: where it rests."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from station.domain.hand import OwnExits
from station.domain.instruments import CENT_TICKS
from station.domain.trade import Trade, TradeState
from station.engine.standing_orders import stop_of
from tests.unit.store_books import spx


def test_a_stop_in_percent_is_told_at_the_tick_where_it_rests() -> None:
    """30 % under 2.21 is 1.547, which rests at 1.54: it is not 1.55 anywhere."""
    own = OwnExits(stop_pct=Decimal(30))
    blank = Trade("T1", TradeState.BUY_FILLED, contract=spx(6800), own=own)
    held = replace(blank, entry_filled=Decimal(4), entry_value=Decimal(884))
    assert held.entry_price == Decimal("2.21")
    assert stop_of(held, (), CENT_TICKS) == Decimal("1.54")
